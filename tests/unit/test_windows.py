"""Several windows, days without demand and people: edges worked out by hand, in single VMs and as shares of many."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fleets import MONDAY, always, differences, fleet, run_until

from sim import from_dict, run
from sim.distributions.kinds import Uniform
from sim.model.demand import Calendar, EdgeContext, People, Schedule, Windows
from sim.usage.ledger import GroupUsage

HOUR, DAY = 3600.0, 86400.0
WORKDAYS = (0, 1, 2, 3, 4)
AT_ONCE = {step: always(0) for step in ("allocating", "starting", "os_provisioning", "extensions", "stopping", "deallocating", "deleting")}  # fmt: skip


def window(on: int, off: int, days: tuple[int, ...] = WORKDAYS, zone: str = "UTC", **more: Any) -> Schedule:
    """A window between two hours of the day."""
    return Schedule(days=days, on=time(on), off=time(off % 24), time_zone=zone, **more)


def hours(made: Calendar | None) -> list[float]:
    """The edges of a calendar in hours."""
    assert made is not None
    return [edge / HOUR for edge in made.edges_s]


def edges(demand: Windows, *, vm: int = 0, days: float = 7.0, key: int = 7, start: datetime = MONDAY) -> list[tuple[float, int]]:  # fmt: skip
    """(hour, what demand turns to) of one VM."""
    made = demand.own_edges(
        EdgeContext(start=start, horizon_s=days * DAY, group_key=key), np.arange(vm, vm + 1, dtype=np.int64)
    )
    return list(zip((made.edges_s / HOUR).tolist(), made.turns_to.tolist(), strict=True))


def use(demand: Windows, *, count: int = 1, days: float = 7.0, **more: Any) -> GroupUsage:
    """The usage of VMs whose operations take no time, the same in both engines."""
    plan = fleet(count=count, steps=AT_ONCE, demand=demand, hours=days * 24, **more)
    one, other = (run_until(plan, engine) for engine in ("simpy", "compiled"))
    assert not differences(one, other)
    return one.run.usages["g"]


# --- windows ---------------------------------------------------------------------------------------------------------


def test_windows_of_different_days_stand_side_by_side() -> None:
    """Monday 7-17 and Tuesday 7-14."""
    demand = Windows(schedules=(window(7, 17, (0,)), window(7, 14, (1,))))
    assert hours(demand.calendar(MONDAY, 3 * DAY)) == [7, 17, 31, 38]


@pytest.mark.parametrize(
    ("second", "right"),
    [(window(17, 20, (0,)), [7, 20]), (window(12, 20, (0,)), [7, 20]), (window(18, 20, (0,)), [7, 17, 18, 20])],
)
def test_windows_that_touch_or_overlap_are_one(second: Schedule, right: list[float]) -> None:
    """Nothing is switched where one ends at the instant another begins."""
    demand = Windows(schedules=(window(7, 17, (0,)), second))
    assert hours(demand.calendar(MONDAY, DAY)) == right
    turned = [(hour, number % 2) for number, hour in enumerate(right, start=1)]
    assert edges(replace(demand, people=People(absent=1e-300)), days=1) == turned


def test_each_window_is_in_its_own_time_zone() -> None:
    """9-10 in Amsterdam is 8-9 UTC, and 9-10 in New York 14-15 UTC, in January."""
    demand = Windows(schedules=(window(9, 10, (0,), "Europe/Amsterdam"), window(9, 10, (0,), "America/New_York")))
    assert hours(demand.calendar(MONDAY, DAY)) == [8, 9, 14, 15]


def test_each_edge_has_its_own_jitter_and_one_more_window_moves_no_other() -> None:
    """The first window's edges are the same with and without a second window, a closed day, or people."""
    jitter = Uniform(low=0.0, high=600.0)
    alone = Windows(schedules=(window(8, 12, jitter_s=jitter),))
    more = Windows(schedules=(*alone.schedules, window(14, 18, jitter_s=jitter)))
    before = edges(alone)
    assert len({hour % 1 for hour, _ in before}) == 10
    assert all(0 <= hour % 24 - (8 if to else 12) < 1 / 6 for hour, to in before)
    assert {*before} < {*edges(more)}
    tuesday = replace(alone, closed=frozenset({date(2026, 1, 6)}))
    assert edges(tuesday) == [edge for edge in before if not 24 <= edge[0] < 48]
    assert edges(alone) != edges(alone, vm=1)


def test_jitter_is_that_of_a_single_schedule() -> None:
    """People and closed days leave the draws of a plain schedule as they are: a what-if compares like with like."""
    schedule = window(8, 18, jitter_s=Uniform(low=0.0, high=7200.0))
    plain = run_until(fleet(count=5, demand=schedule, hours=200.0), "simpy")
    listed = run_until(fleet(count=5, demand=Windows(schedules=(schedule,)), hours=200.0), "simpy")
    assert not differences(plain, listed)


# --- days without demand ---------------------------------------------------------------------------------------------


def test_a_closed_day_takes_the_whole_night_shift_that_begins_on_it_and_no_other() -> None:
    """22:00-06:00: Tuesday is closed; Monday's shift runs into it, Tuesday's is left out with its part after midnight."""
    demand = Windows(schedules=(window(22, 6, (0, 1, 2)),), closed=frozenset({date(2026, 1, 6)}))
    assert hours(demand.calendar(MONDAY, 4 * DAY)) == [22, 30, 70, 78]


def test_a_closed_day_is_a_day_of_the_window_s_own_zone() -> None:
    """07:00 on the 6th in Auckland is 18:00 on the 5th in UTC."""
    demand = Windows(schedules=(window(7, 9, (0, 1), "Pacific/Auckland"),), closed=frozenset({date(2026, 1, 6)}))
    assert hours(demand.calendar(MONDAY, 2 * DAY)) == []
    kept = replace(demand, closed=frozenset({date(2026, 1, 5)}))
    assert hours(kept.calendar(MONDAY, 2 * DAY)) == [18, 20]


# --- people ----------------------------------------------------------------------------------------------------------


def test_windows_that_begin_on_one_day_share_one_absence() -> None:
    """Both windows of a day, or neither; and a further holiday moves no other day's draw."""
    demand = Windows(schedules=(window(8, 12), window(13, 17)), people=People(absent=0.5))
    found = {int(hour // 24) for hour, _ in edges(demand, days=70)}
    assert 15 < len(found) < 35
    assert all(sum(int(hour // 24) == day for hour, _ in edges(demand, days=70)) == 4 for day in found)
    shut = min(found)
    fewer = replace(demand, closed=frozenset({date(2026, 1, 5) + timedelta(days=shut)}))
    assert {int(hour // 24) for hour, _ in edges(fewer, days=70)} == found - {shut}


def test_a_forgotten_vm_stays_on_until_the_end_of_the_next_window() -> None:
    """Forgotten every evening: on from Monday 8:00 for ever; the nights and the weekend are forgotten hours."""
    usage = use(Windows(schedules=(window(8, 18),), people=People(forgets=1.0)))
    assert usage.wanted_h == usage.served_h == 50
    assert usage.forgotten_h == 4 * 14 + (7 * 24 - (4 * 24 + 18))
    assert usage.counts["operations.deallocate.accepted"] == 1  # at t = 0, when it is not wanted yet


def test_auto_off_ends_the_forgotten_evening_whatever_the_day() -> None:
    """18:00 to 22:00 on five evenings."""
    usage = use(Windows(schedules=(window(8, 18),), people=People(forgets=1.0, auto_off=time(22))))
    assert usage.forgotten_h == 5 * 4
    assert usage.counts["operations.deallocate.accepted"] == 6


@pytest.mark.parametrize(
    ("auto_off", "forgotten"),
    [
        (time(18), 0.0),  # at the very end of the window
        (time(8), 2 * 14.0),  # at the very beginning of the next: it stays on, and Wednesday's night isn't over
        (time(7, 30), 2 * 13.5),
        (time(12), 2 * 14.0),  # wanted then: left alone
    ],
)
def test_what_is_wanted_at_auto_off_is_left_alone(auto_off: time, forgotten: float) -> None:
    """Monday to Wednesday 8-18, up to Wednesday 18:00."""
    usage = use(Windows(schedules=(window(8, 18),), people=People(forgets=1.0, auto_off=auto_off)), days=2.75)
    assert usage.forgotten_h == forgotten


def test_auto_off_is_a_wall_time_of_the_zone_of_the_window_that_ended() -> None:
    """18:00 in New York is 23:00 UTC; 20:00 there is 01:00 UTC."""
    demand = Windows(
        schedules=(window(8, 18, (0,), "America/New_York"),), people=People(forgets=1.0, auto_off=time(20))
    )
    assert edges(demand, days=3) == [(13, 1), (23, 2), (25, 0)]


@pytest.mark.parametrize(
    ("start", "right"),
    [
        # 02:30 is skipped: read as 03:30 summer time, 01:30 UTC.
        (datetime(2026, 3, 28, tzinfo=UTC), [(7, 1), (17, 2), (25.5, 0)]),
        # 02:30 comes twice: the first one is 00:30 UTC.
        (datetime(2026, 10, 24, tzinfo=UTC), [(6, 1), (16, 2), (24.5, 0)]),
    ],
)
def test_auto_off_in_the_night_of_a_clock_change(start: datetime, right: list[tuple[float, int]]) -> None:
    """A window on Saturday from 8:00 to 18:00 in Amsterdam, and an auto_off at 02:30."""
    demand = Windows(
        schedules=(window(8, 18, (5,), "Europe/Amsterdam"),), people=People(forgets=1.0, auto_off=time(2, 30))
    )
    assert edges(demand, days=2, start=start) == right


def test_a_vm_that_is_off_when_its_window_ends_is_not_forgotten() -> None:
    """Every start fails: nothing is on, so nothing is left on; a create that fails for good leaves no VM."""
    usage = use(Windows(schedules=(window(8, 18),), people=People(forgets=1.0)), failures={"AllocationFailed": 1.0})
    assert usage.forgotten_h == 0
    assert usage.wanted_h == 50


def test_an_absent_vm_is_forgotten_until_it_is_wanted_again() -> None:
    """Forgotten on Monday and absent on Tuesday: one unbroken stretch until Wednesday morning."""
    demand = Windows(schedules=(window(8, 18),), people=People(absent=0.5, forgets=1.0))
    vm = next(vm for vm in range(100) if [int(h // 24) for h, to in edges(demand, vm=vm) if to == 1][:2] == [0, 2])
    assert edges(demand, vm=vm)[:4] == [(8, 1), (18, 2), (56, 1), (66, 2)]


def test_runs_of_forgotten_evenings_are_geometric() -> None:
    """Mean 1 / (1 - f) of evenings in a row; forgotten hours are f of all evenings' nights, within 4.5 standard errors."""
    f, days, vms = 0.2, 400, 400
    demand = Windows(schedules=(window(8, 18, tuple(range(7))),), people=People(forgets=f))
    ends = [
        [to for _, to in edges_of if to != 1] for edges_of in (edges(demand, vm=vm, days=days) for vm in range(vms))
    ]
    runs = [len(run) for one in ends for run in "".join("f" if to == 2 else "." for to in one[:-1]).split(".") if run]
    mean, error = np.mean(runs), np.std(runs) / math.sqrt(len(runs))
    assert abs(mean - 1 / (1 - f)) <= 4.5 * error
    assert abs(mean - 1 / (1 - 1.1 * f)) > 4.5 * error  # a slightly different habit is distinguished
    assert all(len(one) == days for one in ends)


def test_five_percent_forgotten_costs_what_the_formula_says() -> None:
    """Forgotten share f of the ends of windows; the weekend's end is longer: f x (4 x 14 + 62) hours a week and VM."""
    f, vms, weeks = 0.05, 1000, 4
    usage = use(Windows(schedules=(window(8, 18),), people=People(forgets=f)), count=vms, days=7.0 * weeks)
    nights = [14.0] * 4 + [62.0]
    gaps = np.array(nights * weeks)
    gaps[-1] = 54.0  # the last weekend ends with the run, on Sunday night
    expected = vms * f * gaps.sum()
    error = math.sqrt(vms * f * (1 - f) * (gaps**2).sum())
    assert abs(usage.forgotten_h - expected) <= 4.5 * error
    assert abs(usage.forgotten_h - expected * 1.3) > 4.5 * error


def test_edges_are_the_same_whichever_vms_are_asked_for_together() -> None:
    """A pure function of the VM: in blocks, alone, in order."""
    demand = Windows(
        schedules=(window(8, 12, jitter_s=Uniform(low=0.0, high=9000.0)), window(13, 17)),
        people=People(absent=0.2, forgets=0.3, auto_off=time(22)),
    )
    context = EdgeContext(start=MONDAY, horizon_s=30 * DAY, group_key=3)
    together = demand.own_edges(context, np.arange(200, dtype=np.int64))
    for vm, (low, high) in enumerate(pairwise(together.first.tolist())):
        alone = demand.own_edges(context, np.array([vm]))
        assert together.edges_s[low:high].tolist() == alone.edges_s.tolist()
        assert together.turns_to[low:high].tolist() == alone.turns_to.tolist()


# --- the scenario file -----------------------------------------------------------------------------------------------


def scenario(**keys: Any) -> dict[str, Any]:
    """A week around King's Day of 2026, a Monday, with one VM in office hours."""
    office = {"days": "Mon-Fri", "on": time(8), "off": time(18), "time_zone": "Europe/Amsterdam"}
    zero = dict.fromkeys(("allocating", "starting", "os_provisioning", "deallocating"), "0s")
    group = {"name": "dev", "schedule": office, "durations": zero, **keys}
    return {"name": "k", "start": "2026-04-27T00:00:00Z", "horizon": "7d", "replications": 1, "group": [group]}


def test_public_holidays_of_a_country_are_days_without_demand() -> None:
    """King's Day is a holiday in the Netherlands and not in Belgium, Labour Day the other way round; `except` adds a day."""
    hours = {
        str(days): run(from_dict(scenario(calendar=days))).estimate("wanted_hours").mean
        for days in (
            {"holidays": "NL"},
            {"holidays": "BE"},
            {"holidays": ["NL", "BE"]},
            {"holidays": "NL", "except": [date(2026, 4, 29), date(2026, 4, 27), date(2026, 5, 2)]},
        )
    }
    assert list(hours.values()) == [40, 40, 30, 30]


def test_holidays_are_kept_in_the_provenance_with_the_package_s_version(tmp_path: Path) -> None:
    """So that a result can be explained when the package has changed."""
    run(from_dict(scenario(calendar={"holidays": "NL", "except": [date(2026, 4, 29)]}))).write(tmp_path / "out")
    kept = json.loads((tmp_path / "out" / "provenance.json").read_text(encoding="utf-8"))
    assert {"2026-04-27", "2026-04-29"} <= {*kept["closed_days"]["dev"]}
    assert kept["libraries"]["holidays"]


def test_when_off_may_stand_below_any_of_these_tables_and_percentages_may_be_texts() -> None:
    """TOML gives a key to the header above it."""
    kept = scenario(people={"forgets": "100 %", "when_off": "stop"})
    assert kept["group"][0]["people"]
    found = from_dict(kept)
    assert found.groups[0].when_off == "stop"
    assert run(found).estimate("forgotten_hours").mean > 0
    assert from_dict(kept, ["group.dev.people.forgets=5 %"]).groups[0].people.forgets == 0.05  # type: ignore[union-attr]


def test_the_words_say_what_people_do() -> None:
    """In `validate`."""
    words = "\n".join(from_dict(scenario(people={"absent": 0.1, "forgets": 0.05, "auto_off": time(22)}, calendar={"holidays": "NL"})).describe())  # fmt: skip
    assert "No window begins on public holidays of NL (10 in 2026)." in words
    assert "% of days a VM is not needed." in words
    assert "left on until 22:00, when it is switched off." in words
