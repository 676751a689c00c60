"""Two ways of counting, one bill: hours of the ledger and hours of recorded stays are the same, whatever happens to a fleet."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_fleets import fleet_plans
from drawn_platforms import disrupted_fleets
from fleets import always, fleet, group
from hypothesis import given, settings

from sim.billing.hours import hours_of
from sim.billing.meters import RatedGroup
from sim.billing.stays import hours_of_stays
from sim.engines.simulate import simulate
from sim.engines.stays import StayRecorder, power_of
from sim.lifecycle.policy import BILLING_POLICIES, get_policy
from sim.model.faults import Spot
from sim.model.plan import FleetPlan
from sim.runs.rate_replication import billed_stays
from sim.usage.ledger import into_clock_hour_s, to_ticks

REGION = "westeurope"
drawn = settings(database=None)


def recorded(plan: FleetPlan, engine: str):
    """A replication's ledgers, and the timelines of its VMs as billing reads them."""
    recorder = StayRecorder(power_of)
    run = simulate(plan, seed=5, replication=0, engine=engine, listeners=[recorder.listen])
    rated = [RatedGroup(name=each.name, size="Standard_D4s_v5", region=REGION) for each in plan.groups]
    return run.usages, billed_stays(rated, recorder.stays(plan.horizon_s))


def check(plan: FleetPlan, engine: str) -> None:
    """Hours of every kind, in every clock hour, to the tick."""
    usages, stays = recorded(plan, engine)
    window = to_ticks(plan.warm_up_s), to_ticks(plan.horizon_s)
    for policy in map(get_policy, BILLING_POLICIES):
        for own in hours_of_stays(stays, policy, window, into_hour=to_ticks(into_clock_hour_s(plan.start))):
            ledger = hours_of(own.group, usages[own.group.name], policy)
            for kind in ("billed", "licensed", "existing"):
                one, other = getattr(own, kind), getattr(ledger, kind)
                assert np.array_equal(one.hourly, other.hourly), (policy.name, own.group.name, kind)
                assert one.total_h == other.total_h


def test_a_vm_that_comes_back_waits_for_the_end_of_its_predecessor() -> None:
    """It is wanted again while the deletion of the VM before it still takes time."""
    slow = group(count=2, count_steps=((3600.0, 0), (4000.0, 2)), steps={"deleting": always(2000)})
    check(fleet(slow, hours=3.0), "simpy")


@settings(drawn, max_examples=25)
@given(plan=fleet_plans())
def test_hours_of_stays_are_hours_of_the_ledger(plan: FleetPlan) -> None:
    """The ledger adds moves up as they come; stays are put together afterwards. Neither may lose a tick."""
    check(plan, "simpy")


@pytest.mark.slow
@settings(drawn, max_examples=100)
@given(plan=fleet_plans())
def test_both_engines_tell_the_same_stays(plan: FleetPlan) -> None:
    """One reports transitions in order of time, the other VM by VM."""
    check(plan, "compiled")
    one, other = (recorded(plan, engine)[1] for engine in ("simpy", "compiled"))
    for column in ("vm", "state", "start", "end", "group_of"):
        assert np.array_equal(getattr(one, column), getattr(other, column)), column
    assert list(one.vms) == list(other.vms)


@settings(drawn, max_examples=15)
@given(plan=disrupted_fleets())
def test_hours_agree_where_hosts_fail_and_room_is_short(plan: FleetPlan) -> None:
    """VMs that are interrupted, evicted and healed."""
    check(plan, "simpy")


def test_a_vm_that_is_created_again_has_two_timelines() -> None:
    """A spot VM evicted with its disks and asked for again: one name, several timelines, none while it is gone."""
    spot = Spot(eviction_per_hour=0.9, policy="delete", notice_s=always(30), restart_after_s=always(3600))
    usages, stays = recorded(fleet(group("a", count=3, spot=spot), hours=24.0), "simpy")
    names = [stays.vms[life] for life in range(len(stays.vms))]
    assert set(names) == {"a-0000", "a-0001", "a-0002"}
    assert len(names) > len(set(names)), "no VM was evicted: this seed shows nothing"
    assert len(names) == usages["a"].counts["operations.create.accepted"]
    ended = [life for life in range(len(names)) if stays.end[stays.vm == life].max() < to_ticks(86_400.0)]
    assert len(ended) == usages["a"].counts["vms.deleted"]
