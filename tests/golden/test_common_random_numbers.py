"""What common random numbers gain on office hours: the table in docs/studies.md is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim

HOME = Path(__file__).parents[2]
ROWS: dict[str, dict[str, object]] = {
    "VMs one size smaller": {"group.dev.size": "Standard_D2s_v5"},
    "four more VMs": {"group.dev.count": 44},
    "off an hour earlier": {"group.dev.schedule.off": "18:00:00"},
    "starts that take twice as long": {
        "group.dev.durations.starting": {"dist": "lognormal", "median": "10.8s", "sigma": 0.8}
    },
    "one provisioning in a hundred times out": {"group.dev.failures.OSProvisioningTimedOut": 0.01},
    "billed by the policy of 2023-10": {"billing_policy": "2023-10"},
    "ten VMs reserved": {
        "commitment": [{"name": "ten", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 10, "term": "1y"}]
    },
    "stopped at night, not deallocated": {"group.dev.when_off": "stop"},
    "on all night": {"group.dev.when_off": "keep"},
}


def measured() -> sim.Comparison:
    """The comparison of all rows with the office hours."""
    office = sim.load(HOME / "scenarios" / "office_hours.toml", ["group.dev.count=40", "horizon=14d"])
    variants = {}
    for words, changes in ROWS.items():
        variants[words] = office
        for path, value in changes.items():
            variants[words] = variants[words].replace(path, value)
    return sim.compare(office, variants, replications=20)


def table_of(found: sim.Comparison) -> list[str]:
    """The lines of the table in docs/studies.md."""
    lines = [
        "| what changes | cost, USD | spread before | spread after | correlation | gain |",
        "|---|---|---|---|---|---|",
    ]
    for words in ROWS:
        cost = found.difference(words)
        assert cost.mean is not None
        together = "–" if cost.correlation is None else f"{cost.correlation:z.3f}"
        gain = "never varies" if cost.gain is None else f"{cost.gain:,.{1 if cost.gain < 10 else 0}f}"
        lines.append(
            f"| {words} | {cost.mean:+,.2f} | {cost.sd_base:.3f} | {cost.sd_variant:.3f} | {together} | {gain} |"
        )
    return lines


@pytest.mark.slow
def test_the_table_of_gains_is_what_is_measured():
    """They save at least two of three replications, except where the bill of one of the two fleets does not vary."""
    found = measured()
    table = "\n".join(table_of(found))
    page = (HOME / "docs" / "studies.md").read_text(encoding="utf-8")
    assert table in page, f"docs/studies.md should say\n{table}"
    gains = {words: found.difference(words).gain for words in ROWS}
    # A change that adds a source of randomness, and one that removes all of it, gain less.
    others = [gain for words, gain in gains.items() if not words.startswith(("one", "stopped", "on all"))]
    assert all(gain is None or gain > 4.99 for gain in others)
    assert gains["one provisioning in a hundred times out"] > 3.0
    for words in ("stopped at night, not deallocated", "on all night"):
        cost = found.difference(words)
        assert cost.gain == pytest.approx(1.0, abs=0.1)
        assert cost.sd_variant < cost.sd_base / 10
    assert any(warning.startswith("on all night:") and "hardly varies" in warning for warning in found.warnings)
