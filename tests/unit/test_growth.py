"""A number of VMs that takes steps: who comes, who goes, and for how long, worked out by hand; the same in both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from fleets import BORN, RunOutput, always, differences, fleet, group, run_both, run_until
from shared import hosts

from sim import from_dict, run
from sim.engines.count_steps import stepped_requests
from sim.model.demand import Autoscale, ScalingRule, Schedule
from sim.model.plan import Platform

HOUR = 3600.0
BORN_H, DELETING_H = BORN / 3600, 44 / 3600
OFFICE = Schedule(days=(0, 1, 2, 3, 4), on=time(8), off=time(18), time_zone="UTC")


def both(*steps: tuple[float, int], **changes: Any) -> RunOutput:
    """The same run in both engines; steps in hours."""
    plan = fleet(count_steps=tuple((at * HOUR, count) for at, count in steps), **changes)
    one, other = (run_until(plan, engine) for engine in ("simpy", "compiled"))
    assert not differences(one, other)
    return one


def test_the_next_numbers_come_and_the_highest_go_and_come_back_under_their_names() -> None:
    """3, then 5, then 1, then 2: VM 1 is requested twice, VMs 2 to 4 once each, VM 0 all the time."""
    found = stepped_requests(np.zeros(3), [(10.0, 5), (20.0, 1), (30.0, 2)])
    rows = list(zip(found.vm.tolist(), found.born_s.tolist(), found.lifetime_s.tolist(), strict=True))
    assert rows == [(0, 0, np.inf), (1, 0, 20), (1, 30, np.inf), (2, 0, 20), (3, 10, 10), (4, 10, 10)]
    assert found.vms == 5
    assert [member >> 32 for member in found.member.tolist()] == [0, 0, 1, 0, 0, 0]


def test_a_vm_that_is_requested_after_it_has_gone_never_comes() -> None:
    """Creates spread over an hour, and a step down in the middle of it."""
    found = stepped_requests(np.array([0.0, 1200.0, 2400.0]), [(1500.0, 1)])
    assert found.vm.tolist() == [0, 1]
    assert found.lifetime_s.tolist() == [np.inf, 300.0]


def test_vms_exist_and_are_wanted_from_step_to_step() -> None:
    """A day: 2 VMs, 5 from 6:00, 3 from 18:00; those that go are deleted at the step, inside a window or not."""
    usage = both((6, 5), (18, 3), count=2).run.usages["g"]
    assert usage.wanted_h == 2 * 24 + 1 * 18 + 2 * 12
    assert usage.counts["vms.created"] == 5
    assert usage.counts["vms.deleted"] == 2
    assert usage.existing_h == pytest.approx(usage.wanted_h + 2 * DELETING_H, abs=1e-6)
    assert usage.served_h == pytest.approx(usage.wanted_h - 5 * BORN_H, abs=1e-6)
    assert usage.peak_allocated == 5


def test_a_vm_that_comes_back_is_created_anew_with_draws_of_its_own() -> None:
    """Down to none and up again: four creates of two VMs."""
    output = both((8, 0), (16, 2), count=2)
    counts = output.run.usages["g"].counts
    assert (counts["vms.created"], counts["vms.deleted"]) == (4, 2)


def test_steps_and_schedules_together() -> None:
    """8-18 on Monday; one of two VMs goes at 13:00, while it is wanted, one more comes at 20:00, when none is."""
    usage = both((13, 1), (20, 2), count=2, demand=OFFICE).run.usages["g"]
    assert usage.wanted_h == 10 + 5
    # At t = 0 both are created and deallocated, at 20:00 one is.
    assert usage.counts["operations.create.succeeded"] == 3
    assert usage.counts["operations.deallocate.succeeded"] == 2 + 1 + 1
    assert usage.counts["operations.delete.succeeded"] == 1


def test_vms_that_exist_at_t_0_are_found_and_those_that_come_later_are_created() -> None:
    """Two running VMs; a third from 6:00 on; one goes at 12:00 and comes back at 18:00."""
    counts = both((6, 3), (12, 1), (18, 3), count=2, initial="running").run.usages["g"].counts
    assert counts["operations.create.succeeded"] == 3
    assert counts["vms.deleted"] == 2


def test_a_constant_number_of_vms_is_no_step() -> None:
    """A step to the number there is changes no bit."""
    plain, stepped = (run_until(fleet(count=3, count_steps=steps, demand=OFFICE), "simpy") for steps in ((), ((HOUR, 3),)))  # fmt: skip
    assert plain.run.usages["g"].cells.tolist() == stepped.run.usages["g"].cells.tolist()


# --- the scenario file -----------------------------------------------------------------------------------------------


def plan_of(
    start: str = "2026-01-15T00:00:00Z", horizon: str = "100d", **keys: Any
) -> tuple[int, list[tuple[float, int]]]:
    """Count at t = 0 and later steps (days) of a group with these keys."""
    document = {"name": "g", "start": start, "horizon": horizon, "group": [{"name": "a", **keys}]}
    group = from_dict(document).fleet_plan().groups[0]
    return group.count, [(at_s / 86_400, count) for at_s, count in group.count_steps]


def test_growth_is_compounded_unrounded_and_a_half_is_rounded_up() -> None:
    """100 at 0.5 % a month: 100.5, 101.0025, 101.507; -1 % of 50: 49.5, 49.005; on the first of each month after the start."""
    assert plan_of(count=100, growth_per_month="0.5 %") == (100, [(17, 101), (45, 101), (76, 102)])
    assert plan_of(count=50, growth_per_month=-0.01) == (50, [(17, 50), (45, 49), (76, 49)])
    assert plan_of("2026-02-01T00:00:00Z", "30d", count=10, growth_per_month=1.0) == (10, [(28, 20)])


def test_steps_are_sorted_and_those_before_the_start_say_what_is_there() -> None:
    """The last one at or before t = 0 replaces the count; those at or after the horizon do nothing."""
    at = {
        "later": date(2026, 2, 1), "before": date(2026, 1, 1), "at once": datetime(2026, 1, 15, tzinfo=UTC),
        "local": datetime(2026, 1, 16, 1, tzinfo=timezone(timedelta(hours=1))), "never": date(2027, 1, 1),
    }  # fmt: skip
    steps = [{"at": each, "count": number} for number, each in enumerate(at.values(), start=1)]
    assert plan_of(count=9, count_steps=steps) == (3, [(1, 4), (17, 1)])


def test_the_words_say_how_the_number_changes() -> None:
    """In `validate`."""
    document = {"name": "g", "start": "2026-01-15T00:00:00Z", "horizon": "60d", "group": [{"name": "a", "count": 10, "growth_per_month": "10 %"}]}  # fmt: skip
    words = "\n".join(from_dict(document).describe())
    assert "10 VMs at t = 0, then 11 from 2026-02-01, 12 from 2026-03-01 (growth of 10 % a month)" in words


def test_disks_of_vms_that_go_stay_where_they_are_kept_and_are_attached_again() -> None:
    """One of two VMs is gone from day 2 to day 4 of 6: its disk is paid for 6 days all the same, or for 4."""
    document: dict[str, Any] = {
        "name": "g", "start": "2026-01-05T00:00:00Z", "horizon": "6d", "replications": 1,
        "group": [
            {
                "name": "a", "count": 2, "disks": ["P10"], "durations": {"allocating": "0s", "deleting": "0s"},
                "count_steps": [{"at": date(2026, 1, 7), "count": 1}, {"at": date(2026, 1, 9), "count": 2}],
            }
        ],
    }  # fmt: skip
    for keeps, days in ((False, 6 + 4), (True, 6 + 6)):
        result = run(from_dict(document).replace("group.a.keeps_disks", keeps), engine="simpy")
        disks = [line for line in result.replications[0].bill if line.kind == "disk"]
        assert sum(line.quantity for line in disks) == pytest.approx(days * 24, abs=1e-9)


SLOW = {"deleting": always(2000)}  # deleted at 1:00 and gone at 1:33:20
GONE_H = 1 + 2000 / 3600


def entered(output: RunOutput, vm: str) -> list[tuple[float, str]]:
    """When a VM entered its power states (h)."""
    return [(at_s / HOUR, state) for name, moves in output.run.vm_timelines if name == vm for at_s, state in moves]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("steps", "again_h"),
    [
        (((1.0, 0), (1.1, 2)), GONE_H),  # wanted again while its delete is under way: created when that has ended
        (((1.0, 0), (1.1, 2), (1.2, 0)), None),  # and no longer wanted by then: not created at all
        (((1.0, 0), (1.1, 2), (1.2, 0), (1.3, 2)), GONE_H),  # and wanted once more by then
        (((1.0, 0), (1.1, 2), (1.2, 0), (1.7, 2)), 1.7),  # or later than that
        (((1.0, 0), (2.0, 2)), 2.0),
    ],
)
def test_a_name_is_one_vm(steps: tuple[tuple[float, int], ...], again_h: float | None, shared: bool) -> None:
    """A VM that comes back is requested when the delete of the one that had its name has ended, by hand."""
    platform = {"platform": Platform(hosts=(hosts(4),))} if shared else {}
    plan = fleet(group(count=2, count_steps=tuple((at * HOUR, count) for at, count in steps), steps=SLOW), hours=6.0)
    output = run_both(replace(plan, **platform))
    for vm in ("g-0000", "g-0001"):
        states = entered(output, vm)
        creates = [at_h - 10 / 3600 for at_h, state in states if state == "starting"]  # after its allocation
        assert creates == pytest.approx([0.0] if again_h is None else [0.0, again_h])
    counts = output.run.usages["g"].counts
    assert counts["vms.created"] == (2 if again_h is None else 4)


def test_an_autoscaled_vm_is_followed_by_none() -> None:
    """One that ends in the slot of a VM that came back once asked for that VM again, in the compiled engine."""
    rule = ScalingRule(threshold=0.3, by=1, cooldown_s=0.0)
    weekly = tuple(float(hour == 2) for hour in range(168))
    scaled = Autoscale(
        load=(0.0,) * 24, per_vm=30.0, minimum=0, maximum=1, tick_s=60.0, scale_out=(), scale_in=(rule,),
        minimum_weekly=tuple(map(int, weekly)),
    )  # fmt: skip
    stepped = group("a", count=1, count_steps=((600.0, 0), (610.0, 5)), steps=SLOW)
    plan = replace(fleet(stepped, group("b", count=0, demand=scaled), hours=5.0), platform=Platform(hosts=(hosts(4),)))
    output = run_both(plan)
    assert output.run.usages["a"].counts["vms.created"] == 6
    assert output.run.usages["b"].counts["vms.created"] == output.run.usages["b"].counts["vms.deleted"] == 1
