"""Studies at their edges: nothing defined, one value, one replication, another period, a name that isn't there."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.errors import InputError
from sim.studies import closed_forms
from sim.studies.axes import Axis
from sim.studies.backtest import over_period
from sim.studies.closed_forms import verify
from sim.studies.compare import compare
from sim.studies.constraints import UNDECIDED, parse_constraint
from sim.studies.recommend import recommend
from sim.studies.sizing import size

DAY: dict[str, Any] = {"name": "day", "horizon": "1d", "replications": 3, "group": [{"name": "web", "count": 2}]}
RESERVED = {"name": "ri", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 0, "term": "1y"}


@pytest.fixture(scope="module")
def day() -> sim.Scenario:
    """Two VMs that are always on."""
    return sim.from_dict(DAY)


@pytest.fixture(scope="module")
def never() -> sim.RunResult:
    """A fleet that never gets a VM: it has no availability."""
    group = {"name": "web", "failures": {"AllocationFailed": 1.0}}
    return sim.run(sim.from_dict({**DAY, "group": [group]}), engine="simpy")


# --- targets


@pytest.mark.parametrize(
    "words", ["sla.uptime>=99%", "p5(sla.uptime)>=99%", "P(sla.uptime<99%)<=5%", "deadline.met_share>=0.9"]
)
def test_a_target_on_what_is_not_defined_is_undecided(never: sim.RunResult, words: str) -> None:
    """No replication says anything of it."""
    found = parse_constraint(words).judge(never, 0.05)
    assert (found.answer, found.estimate, found.low, found.high) == (UNDECIDED, None, None, None)


@pytest.mark.parametrize("limit", ["-0.1", "-5%"])
def test_a_probability_below_nothing_is_refused(limit: str) -> None:
    """With the range, and what it was read as."""
    with pytest.raises(InputError, match=r"a probability is from 0 to 1 \(or 0 % to 100 %\), not -0\.\d+$"):
        parse_constraint(f"P(cost.total>5)<={limit}")


def test_a_target_on_a_probability_is_said_as_it_is_written() -> None:
    """One on a mean in the words of its metric."""
    assert parse_constraint("P(cost.total>5)<=5%").plain_words("USD") == "P(cost.total>5)<=5%"
    assert parse_constraint("p95(cost.total)<=5").plain_words("USD") == "p95(cost.total)<=5"
    assert parse_constraint("cost.total@web<=5").plain_words("USD") == "cost of web at most 5 USD"


def test_a_search_of_one_value_does_not_speak_of_another_end(day: sim.Scenario) -> None:
    """It is both ends."""
    found = size(day, "group.web.count=2..2", "cost.total<=100", replications=20, engine="simpy")
    assert found.words.startswith("group.web.count = 2 is the smallest")
    assert "other end" not in found.words


# --- axes, sweeps


def test_places_that_go_in_step_have_a_value_each() -> None:
    """The first one that is too short is shown."""
    with pytest.raises(InputError, match=r"--vary a\+b: 2 places go in step, but \(3,\) has 1 values"):
        Axis(paths=("a", "b"), values=((1, 2), (3,)))


def test_the_table_of_a_sweep_may_have_some_metrics_alone(day: sim.Scenario) -> None:
    """Of every point, for the fleet and its groups."""
    found = sim.sweep(day, {"group.web.count": [1, 2]}, replications=2, engine="simpy")
    rows = list(found.rows(["cost.total", "vms.created"]))
    assert {(row["point"], row["group"], row["metric"]) for row in rows} == {
        (point, group, metric) for point in (0, 1) for group in ("", "web") for metric in ("cost.total", "vms.created")
    }


# --- comparisons


def test_a_variant_may_be_a_file_and_is_named_by_it_where_names_are_alike(day: sim.Scenario, tmp_path: Path) -> None:
    """A group that only one of the two has is compared as a part of the fleet alone."""
    other = tmp_path / "larger.toml"
    other.write_text(day.replace("group.web.name", "api").replace("group.api.count", 3).to_toml(), encoding="utf-8")
    found = compare(day, other, replications=1, engine="simpy")
    assert list(found.variants) == ["larger"]
    assert found.group_differences == {}
    assert found.difference("larger", "vms.created").mean == 1
    assert "larger: +" in repr(found)
    assert "±" not in repr(found)


def test_a_fleet_that_never_differs_is_known_at_the_first_look(day: sim.Scenario) -> None:
    """The same fleet under another name: every difference is 0, whatever the precision."""
    found = compare(day, {"same": day.replace("name", "again")}, precision=1e-9, engine="simpy")
    assert found.n == 20
    assert "every headline difference is within" in found.stopped


# --- purchases


def test_hours_that_are_cut_to_minutes_are_said_to_count_to_the_second() -> None:
    """A recommendation counts hours itself."""
    found = recommend(sim.from_dict({**DAY, "rounding": "floor-minute"}), replications=2, engine="simpy")
    assert "hours are counted to the second, not by floor-minute" in found.warnings


# --- another period, and what is worked out


@pytest.mark.parametrize(
    ("starts", "settles"),
    [
        ("2026-03-01T00:00:00Z", 1),
        ("2026-03-05T00:00:00Z", None),
        ("2020-01-01T00:00:00Z", None),
        ("2026-03-01T06:00:00Z", None),
    ],
)
def test_a_scenario_is_moved_to_the_period_of_an_invoice(starts: str, settles: int | None) -> None:
    """From its own start where that lies shortly before, at midnight; else some days before the period."""
    scenario = sim.from_dict({**DAY, "start": starts, "commitment": [RESERVED], "warm_up": "2h"})
    first, last = date(2026, 3, 2), date(2026, 3, 4)
    moved, before = over_period(scenario, first, last)
    assert moved.start.date() == first - timedelta(days=before)
    assert moved.start + timedelta(seconds=moved.horizon_s) == datetime(2026, 3, 5, tzinfo=moved.start.tzinfo)
    assert (moved.commitments, moved.warm_up) == ((), 0.0)
    assert before == settles if settles is not None else before > 1


def test_a_case_that_is_none_is_refused_with_the_nearest() -> None:
    """Before any is simulated."""
    with pytest.raises(InputError, match=r'--case office-hour: there is no such case .*"office-hours"'):
        verify(["office-hour"])


def test_a_case_of_chance_holds_within_its_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated and worked out differ by less than a right simulation may, and a figure twice as far is refused."""
    few = [replace(case, replications=8) for case in closed_forms.all_cases() if case.name == "attempts"]
    monkeypatch.setattr(closed_forms, "all_cases", lambda: few)
    (found,) = verify(["attempts"])
    assert found.holds
    assert found.low < found.simulated < found.high
    assert found.low <= found.case.exact <= found.high
    assert found.refuses(found.simulated + 2.1 * (found.high - found.simulated))


def test_a_case_without_chance_holds_to_the_last_digits() -> None:
    """One replication, no reach."""
    (found,) = verify(["always-on"])
    assert found.holds
    assert (found.low, found.high, found.z) == (found.simulated, found.simulated, 0.0)
    assert found.simulated == pytest.approx(found.case.exact, rel=1e-9)
