"""docs/durations.md and the defaults say the same: each default follows from a fit in the page's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.distributions.kinds import Lognormal
from sim.fields.defaults import DEFAULTS, SYSTEMS, Trust, get_default
from sim.fields.types import read_seconds
from sim.traces.step_durations import LAST, SHARES, STEPS, split

PAGE = (Path(__file__).parents[2] / "docs" / "durations.md").read_text(encoding="utf-8")
ROUNDING = 0.03  # two digits in the defaults


def table(first: str, last: str) -> list[dict[str, str]]:
    """The rows of the table with these columns at its ends."""
    lines = PAGE.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |") and line.endswith(f"| {last} |"))
    names = [cell.strip() for cell in lines[at].strip("|").split("|")]
    rows = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(names, (cell.strip() for cell in line.strip("|").split("|")), strict=True)))
    return rows


FITS = {(row["operation"], row["guest OS"]): row for row in table("operation", "p")}
STEP_ROWS = {(row["step"], row["guest OS"]): row for row in table("step", "from")}


def fit(operation: str, os: str) -> dict[str, str]:
    """The fit that holds under a guest OS."""
    return FITS.get((operation, os)) or FITS[operation, "any"]


def law(row: dict[str, str]) -> Lognormal:
    """The lognormal of a row."""
    return Lognormal(median=float(row["median, s"]), sigma=float(row["sigma"]))


def followed(step: str, os: str) -> Lognormal:
    """The step by the rule that the page states."""
    if step in STEPS:
        return law(fit(STEPS[step], os))
    start, create = law(fit("start", os)), law(fit("create", os))
    if step == LAST:
        return split(create.mean - start.mean, create.variance - start.variance, {LAST: 1.0})[LAST]
    return split(start.mean, start.variance, {key: share for key, share in SHARES.items() if key != LAST})[step]


MEASURED = [step for step in (*SHARES, *STEPS) if get_default(f"group.durations.{step}").trust is Trust.MEASURED]


@pytest.mark.parametrize("os", SYSTEMS)
@pytest.mark.parametrize("step", MEASURED)
def test_a_default_is_what_the_page_says_and_follows_from_its_fit(step: str, os: str) -> None:
    """A default and its evidence that drift apart would make the source a lie."""
    default = get_default(f"group.durations.{step}", os=os)
    row = STEP_ROWS.get((step, os)) or STEP_ROWS[step, "any"]
    value = default.value
    said = Lognormal(median=read_seconds(value["median"]), sigma=value["sigma"])
    assert said == law(row)
    expected = followed(step, os)
    assert said.median == pytest.approx(expected.median, rel=ROUNDING)
    assert said.sigma == pytest.approx(expected.sigma, abs=0.01)
    found = fit(row["from"], os)
    for words in (f"{found['rows']} ", f"{found['clusters']} clusters", found["years"]):
        assert words in default.source, (step, words)


def test_every_row_of_the_page_is_a_default_and_the_other_way_round() -> None:
    """Nothing measured is missing, and nothing is said of a step that has no such default."""
    named = {f"group.durations.{step}" + ("" if os == "any" else f".{os}") for step, os in STEP_ROWS}
    measured = {
        key for key, row in DEFAULTS.items() if key.startswith("group.durations.") and row.trust is Trust.MEASURED
    }
    assert named == measured


def test_the_sums_have_the_measured_means() -> None:
    """A create and a start by the defaults take as long on average as those that were timed."""
    for os in SYSTEMS:
        mean = {step: law(STEP_ROWS.get((step, os)) or STEP_ROWS[step, "any"]).mean for step in SHARES}
        assert mean["allocating"] + mean["starting"] == pytest.approx(law(fit("start", os)).mean, rel=ROUNDING)
        assert sum(mean.values()) == pytest.approx(law(fit("create", os)).mean, rel=ROUNDING)


def test_why_the_former_proportions_are_refused_is_as_the_page_says() -> None:
    """By them a start would take more than twice as long as measured."""
    start = law(fit("start", "linux")).mean
    for os, seconds, factor in (("linux", "26 s", "2.5"), ("windows", "49 s", "4.8")):
        wrong = law(fit("create", os)).mean * (SHARES["allocating"] + SHARES["starting"]) / sum(SHARES.values())
        assert wrong > 2 * start
        assert f"{wrong:.0f} s" == seconds
        assert f"{wrong / start:.1f}" == factor
        assert seconds in PAGE
        assert factor in PAGE
    assert f"{start:.0f} s were measured" in PAGE


def test_intervals_hold_their_estimates() -> None:
    """A cell in the wrong column would be seen by no other test."""
    for row in FITS.values():
        for value, interval in (("median, s", "its 95 % interval"), ("sigma", "its interval")):
            low, high = (float(part) for part in row[interval].split(" to "))
            assert low < float(row[value]) < high, row
