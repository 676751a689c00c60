"""Streams belong to names: one more VM, group or kind of failure leaves all other VMs as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest
from drawn_fleets import fleet_plans, group_plans
from fleets import differences, fleet, run_until
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis import strategies as st

from sim.distributions.kinds import Constant, Exponential
from sim.engines.simpy.fleet import Fleet
from sim.model.demand import Arrivals
from sim.model.faults import GuestCrash, Spot
from sim.model.plan import FleetPlan, GroupPlan
from sim.units import LONGEST_S
from tests.helpers.operation_rows import CHANCE_CODES

drawn = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], database=None)
engines = st.sampled_from(("simpy", "compiled"))


@seed(20260120)
@settings(drawn, max_examples=14)
@given(plan=fleet_plans(most_groups=1), more=st.integers(1, 4), engine=engines)
def test_one_more_vm_changes_no_other(plan: FleetPlan, more: int, engine: str) -> None:
    """VM i of a group draws from its own streams, however many stand beside it."""
    group = plan.groups[0]
    assume(not isinstance(group.demand, Arrivals))
    assume(not group.count_steps)  # a step says how many there are from then on
    group = replace(group, create_over_s=0.0)  # else more VMs are asked for closer together
    few = run_until(replace(plan, groups=(group,)), engine)
    many = run_until(replace(plan, groups=(replace(group, count=group.count + more),)), engine)
    assert [row for row in many.events if int(row[1].rpartition("-")[2]) < group.count] == list(few.events)
    assert many.run.vm_timelines[: len(few.run.vm_timelines)] == few.run.vm_timelines


@seed(20260121)
@settings(drawn, max_examples=14)
@given(plan=fleet_plans(most_groups=2), another=group_plans("z"), first=st.booleans(), engine=engines)
def test_one_more_group_changes_no_other(plan: FleetPlan, another: GroupPlan, first: bool, engine: str) -> None:
    """Not even if it stands before the others in the file."""
    groups = (another, *plan.groups) if first else (*plan.groups, another)
    alone, beside = run_until(plan, engine), run_until(replace(plan, groups=groups), engine)
    for name, usage in alone.run.usages.items():
        other = beside.run.usages[name]
        assert (usage.cells == other.cells).all()
        assert usage.counts == other.counts
        assert (usage.peak_allocated, usage.peak_running) == (other.peak_allocated, other.peak_running)
    assert [row for row in beside.events if not row[1].startswith("z-")] == list(alone.events)


@seed(20260122)
@settings(drawn, max_examples=14)
@given(plan=fleet_plans(most_groups=1), what=st.sampled_from((*CHANCE_CODES, "crash", "spot")), engine=engines)
def test_a_new_kind_of_failure_that_never_strikes_changes_nothing(plan: FleetPlan, what: str, engine: str) -> None:
    """A kind of failure brings its own streams; drawing from them must not shift any other draw."""
    group = plan.groups[0]
    calm = replace(group, failures={**group.failures, what: 0.0}) if what in CHANCE_CODES else group
    if what == "crash":
        calm = replace(group, guest_crash=None)
        risky = replace(
            group, guest_crash=GuestCrash(time_between_s=Exponential(mean=LONGEST_S), detection_s=Constant(value=1.0))
        )
    elif what == "spot":
        calm = replace(group, spot=None)
        risky = replace(group, spot=Spot(eviction_per_hour=1e-14, notice_s=Constant(value=1.0)))
    else:
        risky = replace(group, failures={**group.failures, what: 1e-14})
    before = run_until(replace(plan, groups=(calm,)), engine)
    after = run_until(replace(plan, groups=(risky,)), engine)
    assert before.power() == after.power()
    assert (before.usage.cells == after.usage.cells).all()
    assert {k: v for k, v in before.usage.counts.items() if v} == {k: v for k, v in after.usage.counts.items() if v}


@seed(20260123)
@settings(drawn, max_examples=14)
@given(plan=fleet_plans(most_groups=2))
def test_a_fleet_that_accepts_requests_but_gets_none_is_unchanged(plan: FleetPlan) -> None:
    """A control plane with its door open has the same bits as one without a door."""
    closed, ajar = Fleet(plan, 1, 0).run(), Fleet(plan, 1, 0, takes_requests=True).run()
    for name, usage in closed.usages.items():
        other = ajar.usages[name]
        assert (usage.cells == other.cells).all()
        assert {k: v for k, v in usage.counts.items() if v} == {k: v for k, v in other.counts.items() if v}
        assert (usage.peak_allocated, usage.peak_running) == (other.peak_allocated, other.peak_running)


@seed(20260124)
@settings(drawn, max_examples=6)
@given(plan=fleet_plans(most_groups=3))
def test_groups_simulated_apart_are_the_groups_simulated_together(plan: FleetPlan) -> None:
    """Groups that share nothing may be dealt out to engines as one likes."""
    together = run_until(plan, "simpy")
    for group in plan.groups:
        alone = Fleet(plan, 1, 0, only=frozenset({group.name})).run()
        assert (alone.usages[group.name].cells == together.run.usages[group.name].cells).all()


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_another_seed_or_replication_is_another_life(engine: str) -> None:
    """The comparisons above would be content with a simulator that never draws."""
    plan = fleet(count=3, steps={"starting": Exponential(mean=30.0)})
    one = run_until(plan, engine)
    assert differences(one, run_until(plan, engine, seed=2))
    assert differences(one, run_until(plan, engine, replication=1))
    assert not differences(one, run_until(plan, engine))
