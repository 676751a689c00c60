"""The autoscaler: documented examples of its rules, and small fleets that follow a load, checked by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleets import RunOutput, fleet, group, run_until
from shared import hosts, run_with_events, shared, vms

from sim.engines.shared import autoscale
from sim.lifecycle.policy import BILLING_POLICIES
from sim.model.demand import Autoscale, ScalingRule
from sim.model.faults import Spot
from sim.model.plan import Retry
from tests.helpers.operation_rows import DURATION_KEYS

from fleets import always  # isort: skip

MINUTE = 60.0


def rules(**changes: Any) -> Autoscale:
    """Out by one above 70 % (then quiet for 60 min), in by one below 30 % (40 min); VMs serve 100 each."""
    fields: dict[str, Any] = {
        "load": (0.0,) * 24, "per_vm": 100.0, "minimum": 1, "maximum": 10, "tick_s": 60.0,
        "scale_out": (ScalingRule(threshold=0.7, by=1, cooldown_s=60 * MINUTE),),
        "scale_in": (ScalingRule(threshold=0.3, by=1, cooldown_s=40 * MINUTE),),
    }  # fmt: skip
    return Autoscale(**(fields | changes))


def decide(
    plan: Autoscale, load: float, existing: int, serving: int, now_s: float, quiet_until_s: float
) -> tuple[int, ScalingRule | None]:
    """The number of VMs that the rules want, and the rule that says so."""
    rules_ = autoscale.scaling_rules([plan])
    number, rule = autoscale.decide(rules_, 0, load, plan.minimum, existing, serving, now_s, quiet_until_s)
    return number, None if rule == autoscale.NO_RULE else (*plan.scale_out, *plan.scale_in)[rule]


def wanted(plan: Autoscale, load: float, existing: int, serving: int | None = None) -> int:
    """The number of VMs that the rules want, with no cooldown in force."""
    return decide(plan, load, existing, existing if serving is None else serving, 0.0, 0.0)[0]


def test_one_cooldown_holds_up_both_directions_as_in_the_documented_day() -> None:
    """Out at 10:00, quiet till 11:00; in at 13:00, quiet till 13:40, so the spike of 13:20 waits until then.

    Microsoft, Understand autoscale settings (2026-08-05): out 60 min, in 40 min.
    """
    plan, number, quiet_until = rules(), 3, 0.0
    history = []
    for clock, use in (("10:00", 0.9), ("10:30", 0.1), ("10:59", 0.9), ("13:00", 0.2), ("13:20", 0.9), ("13:39", 0.9), ("13:40", 0.9)):  # fmt: skip
        now_s = (int(clock[:2]) * 60 + int(clock[3:])) * MINUTE
        before = number
        number, rule = decide(plan, use * 100 * number, number, number, now_s, quiet_until)
        if rule is not None:
            quiet_until = now_s + rule.cooldown_s
            history.append((clock, number - before))
    assert history == [("10:00", 1), ("13:00", -1), ("13:40", 1)]


def test_two_scaling_rules_that_are_true_scale_out_by_the_larger() -> None:
    """Any of them is enough, and the highest resulting number wins: by 3 and by 5 is by 5 (same source)."""
    plan = rules(
        scale_out=(ScalingRule(threshold=0.5, by=3, cooldown_s=0), ScalingRule(threshold=0.8, by=5, cooldown_s=0))
    )
    assert wanted(plan, 90, 1) == 6
    assert wanted(plan, 60, 1) == 4
    assert wanted(plan, 40, 1) == 1


def test_scale_in_needs_all_its_rules_and_takes_the_fewest() -> None:
    """By 1 and by 3 is by 1; where one of them isn't true, nothing happens."""
    plan = rules(
        scale_in=(ScalingRule(threshold=0.3, by=3, cooldown_s=0), ScalingRule(threshold=0.2, by=1, cooldown_s=0))
    )
    assert wanted(plan, 10 * 10, 10) == 9
    assert wanted(plan, 10 * 25, 10) == 10


def test_scale_in_that_would_scale_out_again_is_left_or_made_smaller() -> None:
    """575 threads on each of 3 VMs would be 862 on two, above 600: left alone (Microsoft, Autoscale flapping, 2024-11-01)."""
    rule = {"cooldown_s": 0.0}
    plan = rules(
        per_vm=600.0, scale_out=(ScalingRule(threshold=1.0, by=1, **rule),), scale_in=(ScalingRule(threshold=1.0, by=1, **rule),)
    )  # fmt: skip
    assert wanted(plan, 3 * 575, 3) == 3
    assert wanted(plan, 3 * 390, 3) == 2
    fewer = rules(scale_in=(ScalingRule(threshold=0.6, by=3, cooldown_s=0),))
    assert wanted(fewer, 300, 6) == 5, "at 5 VMs use is 60 %, at 4 it would be 75 %"


def test_the_number_stays_between_its_bounds() -> None:
    """Not above the maximum, not below the minimum, by however much the rule says."""
    plan = rules(minimum=2, maximum=5, scale_out=(ScalingRule(threshold=0.7, by=4, cooldown_s=0),), scale_in=(ScalingRule(threshold=0.3, by=4, cooldown_s=0),))  # fmt: skip
    assert wanted(plan, 1000, 3) == 5
    assert decide(plan, 1000, 5, 5, 0.0, 0.0) == (5, None)
    assert wanted(plan, 0, 4) == 2
    assert decide(plan, 0, 2, 2, 0.0, 0.0) == (2, None)


def test_while_no_vm_serves_there_is_nothing_to_measure() -> None:
    """VMs that boot aren't a reason for more of them (same source: metrics are averages over existing instances)."""
    assert decide(rules(), 1000, 1, 0, 0.0, 0.0) == (1, None)
    assert decide(rules(), 0, 2, 0, 0.0, 0.0) == (2, None)


def test_a_last_vm_in_service_is_not_taken_from_a_load() -> None:
    """Two exist, one serves a little: without it any load would be too much."""
    assert wanted(rules(), 10, 2, serving=1) == 2
    assert wanted(rules(), 0, 2, serving=1) == 1


# --- fleets that follow a load ----------------------------------------------------------------------------------------


def scaled(hours: float = 4.0, **changes: Any) -> RunOutput:
    """One group that follows its load."""
    return run_until(fleet(group("g", count=0, demand=rules(**changes)), hours=hours))


def test_the_load_is_served_only_when_the_new_vm_has_booted() -> None:
    """120 from 01:00 on: out at the tick of 3,600; its VM serves 80 s later, and 100 of 120 are served until then.

    So is nothing of the 10 at the very begin, for 80 s, before the first VM serves.
    """
    output = scaled(hours=2.0, load=(10.0,) + (120.0,) * 23)
    assert output.timeline("g-0001")[:3] == [(3600, "creating"), (3610, "starting"), (3635, "running")]
    amounts = output.usage.amounts
    assert amounts["load.overload_hours"] == pytest.approx(160 / 3600)
    assert amounts["load.offered"] == pytest.approx(10 + 120)
    assert amounts["load.served"] == pytest.approx(130 - (80 * 10 + 80 * 20) / 3600)
    assert output.count("autoscale.out") == 1


def test_load_is_counted_between_ticks_in_each_hour_and_after_the_warm_up_only() -> None:
    """Hours of 100, 500, 500, 100, 40, 40 make 1280; two VMs serve 200, and steps take no time.

    The tick of 01:00 adds two: four VMs serve 400 of 500 until the cooldown is over at 01:05, when two more come.
    """
    demand = rules(
        load=(100.0, 500.0, 500.0, 100.0, 40.0, 40.0) + (0.0,) * 18, minimum=2, maximum=50,
        scale_out=(ScalingRule(threshold=0.7, by=2, cooldown_s=300),), scale_in=(ScalingRule(threshold=0.3, by=1, cooldown_s=600),),
    )  # fmt: skip
    steps = dict.fromkeys(DURATION_KEYS, always(0))
    plan = fleet(group("g", count=0, demand=demand, steps=steps, generalized=False), hours=6)
    amounts = run_until(plan).usage.amounts
    assert amounts["load.offered"] == 1280
    assert amounts["load.served"] == pytest.approx(1280 - 100 * 5 / 60)
    assert amounts["load.overload_hours"] == pytest.approx(5 / 60)
    later = run_until(replace(plan, warm_up_s=3720.0)).usage.amounts
    assert later["load.offered"] == pytest.approx(1280 - 100 - 500 * 2 / 60)
    assert later["load.overload_hours"] == pytest.approx(3 / 60)


def test_the_newest_vm_goes_first_and_takes_the_time_of_a_delete() -> None:
    """From 01:00 on there is no load: one VM goes at 3,600, the next 40 min later; the first one stays."""
    output = scaled(
        minimum=1, load=(280.0,) + (0.0,) * 23, scale_out=(ScalingRule(threshold=0.95, by=2, cooldown_s=600),)
    )
    assert output.timeline("g-0002")[-2:] == [(3600, "deallocating"), (3644, "")]
    assert output.timeline("g-0001")[-2:] == [(3600 + 2400, "deallocating"), (6044, "")]
    assert output.timeline("g-0000")[-1] == (35, "running")
    assert output.count("autoscale.in") == 2


def test_a_week_of_load_is_read_from_monday_in_its_own_time_zone() -> None:
    """Monday 00:00 UTC is Monday 01:00 in Amsterdam: the second number of 168."""
    load = (0.0, 120.0) + (0.0,) * 166
    output = scaled(hours=1.0, load=load, time_zone="Europe/Amsterdam")
    assert output.count("autoscale.out") == 1
    assert output.timeline("g-0001")[0] == (120, "creating"), "the first tick after the first VM serves"


def test_vms_that_were_lost_are_made_up_for() -> None:
    """One place for three VMs at least: the two that are lost after two attempts each are asked for again, tick after tick."""
    plan = shared(vms(count=0, demand=rules(minimum=3), retry=Retry(attempts=2)), hosts=(hosts(1, fit=1),))
    output, found = run_with_events(plan)
    assert output.usage.peak_allocated == 1
    assert output.count("vms.created") == 1
    assert len(found.groups["g"].vms) <= 3 + 2
    assert output.count("operations.create.failed") >= 2 * 2 * 20, "every 80 s and a tick"
    room = replace(plan, platform=replace(plan.platform, hosts=(hosts(1, fit=4),)))  # type: ignore[type-var]
    assert run_until(room).count("vms.created") == 3


def test_scale_in_gives_up_vms_that_wait_to_be_created_and_forgets_none() -> None:
    """Four wait for room, for hours, when the load is gone: they are withdrawn, and one VM is left, which is there."""
    patient = Retry(attempts=50, backoff_s=1500.0, multiplier=1.0)
    plan = shared(
        vms(
            count=0, retry=patient,
            demand=rules(
                load=(400.0,) + (0.0,) * 23,
                scale_out=(ScalingRule(threshold=0.7, by=4, cooldown_s=7200),), scale_in=(ScalingRule(threshold=0.3, by=4, cooldown_s=0),),
            ),
        ),
        hours=6.0, hosts=(hosts(1, fit=1),),
    )  # fmt: skip
    output, found = run_with_events(plan)
    assert list(found.groups["g"].vms) == [0]
    assert found.groups["g"].vms[0].state.name == "on"
    assert output.count("failures.AllocationFailed") > 8
    assert output.count("vms.deleted") == 0
    after = [row for row in output.events if row[0] > 8000]
    assert not after, "no one goes on asking"


def test_an_evicted_spot_vm_of_an_autoscaled_group_is_replaced() -> None:
    """With the delete policy and no automation to ask again, the autoscaler does: the minimum holds."""
    spot = Spot(eviction_per_hour=1.0, policy="delete", notice_s=always(30))
    output = run_until(fleet(group("g", count=0, demand=rules(minimum=1), spot=spot, priority="spot"), hours=1.0))
    assert output.count("evictions") > 10
    assert output.count("vms.created") == output.count("evictions")


# --- scale-in that keeps VMs, a number by hour of the week, a mix of regular and spot -----------------------------------

AT_ONCE = dict.fromkeys(DURATION_KEYS, always(0))
DAYTIME = (0.0,) * 8 + (900.0,) * 10 + (0.0,) * 6


def by(number: int, cooldown_s: float = 300.0) -> dict[str, Any]:
    """Rules that scale by so many VMs."""
    return {
        "scale_out": (ScalingRule(threshold=0.7, by=number, cooldown_s=cooldown_s),),
        "scale_in": (ScalingRule(threshold=0.3, by=number, cooldown_s=cooldown_s),),
    }


def kept(**changes: Any) -> RunOutput:
    """Nine more VMs from 08:00 to 18:00, for two days, in no time."""
    demand = rules(**({"load": DAYTIME, "keep_at_most": 10} | by(9) | changes))
    return run_until(fleet(group("g", count=0, demand=demand, steps=AT_ONCE, generalized=False), hours=48.0))


def test_scale_in_that_deallocates_creates_each_vm_once() -> None:
    """Ten creates in all, nine deallocations each evening, nine starts the next morning."""
    output = kept()
    assert output.count("vms.created") == 10
    assert output.count("vms.deleted") == 0
    assert output.count("operations.deallocate.succeeded") == 18
    assert output.count("operations.start.succeeded") == 9
    assert output.usage.billed_h(BILLING_POLICIES["2018-08"]) == pytest.approx(2 * (14 + 100))
    assert kept(keep_at_most=0).count("vms.created") == 19, "the wrong model: they are deleted, and created anew"


def test_the_newest_are_kept_as_long_as_there_is_room_and_start_first() -> None:
    """Of ten with room for four: 9 to 6 are kept, 5 to 1 deleted; the next morning 6 to 9 start, and 10 to 14 are created."""
    output = kept(keep_at_most=4)
    states = {number: output.timeline(f"g-{number:04d}") for number in range(15)}
    evening, morning = 18 * 3600, 32 * 3600
    assert [number for number in range(10) if (evening, "deallocated") in states[number]] == [6, 7, 8, 9]
    assert [number for number in range(10) if (evening, "") in states[number]] == [1, 2, 3, 4, 5]
    assert [number for number in range(15) if (morning, "running") in states[number]] == [
        6,
        7,
        8,
        9,
        10,
        11,
        12,
        13,
        14,
    ]
    one = kept(scale_out=(ScalingRule(threshold=0.7, by=1, cooldown_s=300),), maximum=3)
    assert (morning, "running") in one.timeline("g-0001")
    assert (morning + 300, "running") in one.timeline("g-0002")


@pytest.mark.parametrize("keep", [5, 0])
def test_a_vm_in_an_operation_is_never_scaled_in(keep: int) -> None:
    """Two VMs are asked for at 01:00, serve at 02:00, and are not needed from 01:30 on by what else serves: they go at 02:00."""
    slow = AT_ONCE | {"starting": always(3600)}
    demand = rules(load=(120.0, 120.0, *(0.0,) * 22), maximum=3, keep_at_most=keep, **by(2, 0))
    output = run_until(fleet(group("g", count=0, demand=demand, steps=slow, generalized=False), hours=5))
    last = [move for move in output.timeline("g-0002") if move[0] >= 7200]
    assert output.timeline("g-0002")[0] == (3660, "creating")
    assert [state for _, state in last][-1] == ("deallocated" if keep else "")
    assert last[0][1] == "running", "though the load is gone at 02:00, it comes into service at 02:01 first"


def test_a_start_that_is_given_up_is_no_longer_asked_for() -> None:
    """The room of the kept VMs is taken in the night: their starts fail twice, and the autoscaler asks again, tick after tick."""
    asking = vms(count=0, demand=rules(load=DAYTIME, keep_at_most=10, **by(9)), retry=Retry(attempts=2, backoff_s=10.0), steps=AT_ONCE, generalized=False)  # fmt: skip
    others = vms("h", count=9, steps=AT_ONCE | {"allocating": always(20 * 3600)}, generalized=False)
    output, found = run_with_events(shared(asking, others, hours=40.0, hosts=(hosts(1, fit=10),)))
    usage = output.run.usages["g"]
    assert usage.counts["operations.start.failed"] >= 2 * 9
    assert len(found.groups["g"].vms) == 10, "none but the first ten are ever created"
    assert usage.counts["autoscale.out"] > 3, "those that failed are not counted as asked for"


def test_the_fewest_vms_by_hour_of_the_week_come_without_a_rule() -> None:
    """From Monday 02:00 at least four; they come at that tick, and no rule has fired; from 03:00 on one goes every ten minutes."""
    weekly = (0, 0, 4, *(0,) * 165)
    output = scaled(hours=4.0, minimum_weekly=weekly, scale_in=(ScalingRule(threshold=0.3, by=1, cooldown_s=600),))
    assert output.timeline("g-0003")[0] == (7200, "creating")
    assert output.count("autoscale.out") == 0
    assert output.timeline("g-0003")[-2] == (3 * 3600, "deallocating")
    assert output.count("autoscale.in") == 3


def test_a_mix_rounds_the_regular_share_up() -> None:
    """Two regular, then 30 % of what is above, rounded up; 7 % of 100 is 7, whatever the float says."""
    mix = autoscale.scaling_rules([rules(regular_base=2, regular_above_base=0.3)])
    assert [autoscale.regular_of(mix, 0, number) for number in (0, 1, 2, 3, 5, 6, 12)] == [0, 1, 2, 3, 3, 4, 5]
    assert autoscale.regular_of(autoscale.scaling_rules([rules(regular_base=0, regular_above_base=0.07)]), 0, 100) == 7
    assert 0.07 * 100 > 7, "the wrong model would round it up to 8"
    assert autoscale.regular_change(mix, 0, 3, 3, 12) == 2, "and seven are spot"
    assert autoscale.regular_change(mix, 0, 9, 12, 6) == -5, "and one is spot"
    assert autoscale.regular_change(mix, 0, 1, 12, 6) == 0, "spot goes as long as it is further from its target"


def one_by_one(mix: autoscale.ScalingRules, regular: int, number: int, aim: int) -> int:
    """The same one VM after the other, of the kind that is furthest from its target; a regular one where both are as far."""
    first, spot, target = regular, number - regular, autoscale.regular_of(mix, 0, aim)
    step = 1 if aim > number else -1
    for _ in range(abs(aim - number)):
        if step * (target - regular) >= step * (aim - target - spot):
            regular += step
        else:
            spot += step
    return regular - first


def test_the_kind_furthest_from_its_target_is_taken_one_vm_after_the_other() -> None:
    """The closed form against a loop, for all numbers up to 14."""
    mix = autoscale.scaling_rules([rules(regular_base=2, regular_above_base=0.3)])
    for number in range(15):
        for regular in range(number + 1):
            for aim in range(15):
                change = autoscale.regular_change(mix, 0, regular, number, aim)
                assert change == one_by_one(mix, regular, number, aim), (number, regular, aim)


def test_a_mix_has_spot_vms_beside_the_regular_ones() -> None:
    """Ten VMs by day, two and half of those above regular: six and four. One at night, which is regular."""
    demand = rules(load=DAYTIME, keep_at_most=10, regular_base=2, regular_above_base=0.5, **by(9))
    regular = group("g", count=0, demand=demand, steps=AT_ONCE, generalized=False)
    spot = replace(regular, name="g-spot", part_of="g")
    output = run_until(fleet(regular, spot, hours=48))
    counts = {name: usage.counts for name, usage in output.run.usages.items()}
    assert (counts["g"]["vms.created"], counts["g-spot"]["vms.created"]) == (6, 4)
    assert (counts["g"]["operations.deallocate.succeeded"], counts["g-spot"]["operations.deallocate.succeeded"]) == (
        10,
        8,
    )
    assert output.run.usages["g"].billed_h(BILLING_POLICIES["2018-08"]) == pytest.approx(2 * (14 + 60))
    assert output.run.usages["g-spot"].billed_h(BILLING_POLICIES["2018-08"]) == pytest.approx(2 * 40)
    assert output.run.usages["g"].amounts["load.served"] == pytest.approx(2 * 10 * 900)
    assert "load.served" not in output.run.usages["g-spot"].amounts
