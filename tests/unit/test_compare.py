"""What-ifs: the sign is right, the interval is honest, and "undecided" is said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import sim
from sim.errors import InputError
from sim.studies.compare import compare
from sim.studies.differences import judged, paired

OFFICE: dict[str, Any] = {
    "name": "office",
    "horizon": "2d",
    "replications": 8,
    "group": [
        {
            "name": "dev",
            "count": 8,
            "schedule": {"days": "Mon-Fri", "on": "08:00:00", "off": "19:00:00"},
            "failures": {"OSProvisioningTimedOut": 0.3},
        }
    ],
}


@pytest.fixture(scope="module")
def office() -> sim.Scenario:
    """Eight VMs that are on by day, and often fail to provision."""
    return sim.from_dict(OFFICE)


@pytest.fixture(scope="module")
def found(office: sim.Scenario) -> Any:
    """Stopping at night instead of deallocating, and slower provisioning."""
    return compare(
        office,
        {
            "stop": office.replace("group.dev.when_off", "stop"),
            "same": office.replace("name", "again"),
            "slow": office.replace("group.dev.durations.os_provisioning", "5min"),
        },
    )


def test_stopping_costs_more_and_that_is_certain(found: Any):
    """Stopped VMs keep their host and are billed at night: the sign can be checked by hand."""
    difference = found.difference("stop", "cost.total")
    assert difference.mean > 0
    assert difference.low > 0
    assert difference.p_better < 1e-6
    assert difference.share_better == 0.0
    assert difference.verdict == "worse"
    assert found.difference("stop", "hours.stopped").verdict == "higher"


def test_the_size_of_a_difference_can_be_checked_by_hand(office: sim.Scenario):
    """8 + 13 + 5 hours of two days are night; 8 VMs at 0.23 USD; a minute or two a night is spent in between."""
    sound = office.replace("group.dev.failures.OSProvisioningTimedOut", 0.0)
    found = compare(sound, {"stop": sound.replace("group.dev.when_off", "stop")}, replications=4)
    assert found.difference("stop").mean == pytest.approx(8 * 26 * 0.23, rel=0.005)


def test_what_changes_nothing_is_the_same(found: Any):
    """Another name is no other fleet: every difference is exactly zero, and no test is needed to say so."""
    for difference in found.differences["same"].values():
        assert difference.verdict in ("same", "undefined")
        assert difference.mean in (0.0, None)


def test_pairs_use_common_random_numbers(found: Any):
    """Common streams: the correlation is near one, and independent runs would need many times the replications."""
    difference = found.difference("slow", "billed_hours")
    assert difference.correlation > 0.9
    assert difference.gain > 5
    # A VM whose provisioning failed runs day and night in either fleet, so one that is stopped late saves nothing:
    # the costs move against each other, common random numbers do not help, and the warning names this variant only.
    assert [warning.split(":")[0] for warning in found.warnings] == ["stop"]


def test_the_gain_is_the_one_that_independent_streams_show(office: sim.Scenario, found: Any):
    """The variant really simulated under another seed: Welch's interval is wider by about the square root of the gain."""
    slow = office.replace("group.dev.durations.os_provisioning", "5min")
    alone = sim.run(slow, seed=12345, replications=8)
    samples = alone.values("billed_hours"), found.base.values("billed_hours")
    independent = stats.ttest_ind(*samples, equal_var=False).confidence_interval(0.95)
    paired_width = found.difference("slow", "billed_hours").half_width
    assert independent.high - independent.low > 4 * paired_width


def test_groups_are_compared_too(found: Any):
    """One group: its differences are the fleet's."""
    fleet, group = found.difference("stop"), found.difference("stop", group="dev")
    assert fleet.mean == pytest.approx(group.mean, abs=1e-9)


def test_comparison_json_has_the_documented_shape(found: Any, tmp_path: Path):
    """differences[VARIANT][NAME] = {mean, low, high, half_width, n, p_better}, and a folder like every other."""
    found.write(tmp_path / "what-if")
    content = json.loads((tmp_path / "what-if" / "comparison.json").read_text())
    difference = content["differences"]["stop"]["cost.total"]
    assert set(difference) >= {"mean", "low", "high", "half_width", "n", "p_better"}
    assert difference["n"] == 8
    assert {path.name for path in (tmp_path / "what-if").iterdir()} >= {
        "provenance.json",
        "scenarios",
        "replications.csv",
    }
    assert len(list((tmp_path / "what-if" / "scenarios").glob("*.toml"))) == 4


def test_variants_get_names_of_their_own(office: sim.Scenario):
    """Scenarios that share a name are distinguished; a missing variant is an error."""
    found = compare(office, office.replace("group.dev.count", 9), office.replace("group.dev.count", 10), replications=2)
    assert len(found.variants) == 2
    with pytest.raises(InputError, match="at least one variant"):
        compare(office)
    with pytest.raises(InputError, match="there are stop"):
        compare(office, {"stop": office}, replications=2).difference("stopp")


def test_what_is_not_defined_is_not_compared(tmp_path: Path):
    """A fleet that never gets a VM has no availability and no uptime: undefined, null, and no error on the way."""
    never = sim.from_dict(
        {"name": "never", "horizon": "2h", "group": [{"name": "web", "failures": {"AllocationFailed": 1.0}}]}
    )
    sometimes = never.replace("group.web.failures.AllocationFailed", 0.5)
    for one, other in ((never, sometimes), (sometimes, never), (never, never)):
        for replications in (1, 12):
            found = compare(one, {"v": other}, replications=replications)
            found.write(tmp_path / "what-if")
            assert json.loads((tmp_path / "what-if" / "comparison.json").read_text())
            sim.run(one, replications=replications).write(tmp_path / "run")
    assert found.difference("v", "sla.uptime").verdict == "undefined"
    alone = compare(never, {"v": sometimes}, replications=1).difference("v")
    assert (alone.half_width, alone.p_better, alone.verdict) == (None, None, "undecided")


def test_precision_stops_a_comparison(office: sim.Scenario):
    """A decided sign or a narrow interval ends it at the first look; a cap that comes first is reported."""
    sure = compare(office, {"stop": office.replace("group.dev.when_off", "stop")}, precision=0.5)
    assert sure.n == 20
    assert "sign is decided" in sure.stopped
    bare = compare(
        office,
        {"as long": office.replace("group.dev.durations.os_provisioning", {"dist": "exponential", "mean": "48s"})},
        precision=1e-9, replications=25,
    )  # fmt: skip
    assert bare.n == 25
    assert "cap of 25" in bare.stopped


def _judge(effect: float, rng: np.random.Generator, variants: int = 5) -> list[str]:
    randomness = rng.normal(100, 5, 20)
    base = {"cost.total": randomness.tolist()}
    raw = {}
    for number in range(variants):
        after = randomness + rng.normal(effect, 1, 20)
        raw[f"v{number}"] = {
            "cost.total": paired(lambda m, _g, after=after: after.tolist(), lambda m, _g: base[m], "cost.total", "")
        }
    return [by_metric["cost.total"].verdict for by_metric in judged(raw, "", 0.95).values()]


def test_five_variants_that_do_nothing_are_rarely_called_a_change():
    """Family-wise error 5 %: over 400 studies of 5 idle variants, at most the binomial's 1e-4 tail says "better".

    The wrong model, each variant judged alone, errs in about 1 - 0.95^5 = 23 % of studies and is refused.
    """
    rng = np.random.default_rng(11)
    studies = 400
    wrong = sum(any(verdict != "undecided" for verdict in _judge(0.0, rng)) for _ in range(studies))
    band = stats.binom.ppf(1 - 1e-4, studies, 0.05)
    assert wrong <= band
    assert studies * (1 - 0.95**5) > band


def test_a_change_that_is_there_is_found():
    """Power: an effect of two standard deviations of the difference is called worse by every one of five variants."""
    assert _judge(2.0, np.random.default_rng(12)) == ["worse"] * 5


def test_p_better_is_a_probability_that_keeps_its_word():
    """Under a coin-flip effect, p_better is below 0.1 in 10 % of studies, by the uniformity of p values."""
    rng = np.random.default_rng(13)
    low = 0
    studies = 2000
    for _ in range(studies):
        randomness = rng.normal(100, 5, 10)
        after = randomness + rng.normal(0, 1, 10)
        raw = {
            "v": {
                "cost.total": paired(
                    lambda m, g, after=after: after.tolist(),
                    lambda m, g, randomness=randomness: randomness.tolist(),
                    "cost.total",
                    "",
                )
            }
        }
        low += judged(raw, "", 0.95)["v"]["cost.total"].p_better < 0.1
    assert abs(low - 0.1 * studies) <= stats.norm.isf(5e-5) * math.sqrt(studies * 0.09)
