"""The audit of a run that shares hosts: it passes what is right and refuses what is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sim.distributions.kinds import Constant, Exponential
from sim.engines.audit import RecordedAnswers
from sim.engines.simpy import vm
from sim.engines.simulate import simulate
from sim.errors import AuditError
from sim.model.demand import Arrivals, Cycle
from sim.model.faults import FallBack, FallBackRule, Spot
from sim.model.faults.availability import Availability
from sim.model.plan import FleetPlan, GroupPlan, HostPool, Platform

SECOND = Constant(value=1.0)
DURATIONS = dict.fromkeys(("allocating", "starting", "os_provisioning", "extensions", "stopping", "deallocating", "restarting", "updating", "deleting"), SECOND)  # fmt: skip
GROUP = GroupPlan(
    name="busy",
    count=12,
    demand=Cycle(on_s=Exponential(mean=3600.0), off_s=Exponential(mean=3600.0)),
    durations_s=DURATIONS,
    reaction_s=SECOND,
    vcpus=4,
    memory_gib=16.0,
    size="Standard_D4s_v5",
    family="standardDSv5Family",
)
# Room for 4 of 12 VMs that want to be on half of the time: many are refused.
PLAN = FleetPlan(
    start=datetime(2026, 1, 5, tzinfo=UTC),
    horizon_s=86_400.0,
    groups=(GROUP,),
    platform=Platform(hosts=(HostPool(name="a", count=1, vcpus=16, memory_gib=64.0),)),
)


def test_a_fleet_that_is_refused_room_passes_its_audit() -> None:
    """Both engines agree on every transition of the VMs that are simulated again."""
    run = simulate(PLAN, seed=3, replication=0, engine="compiled")
    assert run.fleet.counts["failures.AllocationFailed"] > 100


def test_a_vm_with_another_resource_outcome_fails_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """If every request were granted in the second simulation, the histories would differ, and the error shows both."""
    monkeypatch.setattr(RecordedAnswers, "granted", lambda _self, _refusal: True)
    with pytest.raises(
        AuditError, match=r"(?s)busy-00\d\d: the two engines differ from move \d+\n  compiled:\n.*simpy:"
    ) as output:
        simulate(PLAN, seed=3, replication=0, engine="compiled")
    assert "AllocationFailed" in str(output.value)


def test_a_vm_with_other_random_numbers_fails_the_audit() -> None:
    """A second run on another seed is another timeline."""
    from sim.engines.audit import compare
    from sim.engines.compiled.shared_fleet import SharedRun
    from sim.engines.group_setup import set_up
    from sim.engines.simpy.fleet import new_peaks
    from sim.usage.collector import Window

    window = Window(start_s=0.0, end_s=PLAN.horizon_s)
    setups = set_up(PLAN, seed=3, replication=0)
    run = SharedRun(PLAN, setups, window, seed=3, replication=0)
    run.run(new_peaks(1, window))
    run.audit()
    (index, parts) = next(((vm, parts) for (_, vm), parts in run.stories.items() if parts))
    other = replace(setups[0], group_key=setups[0].group_key + 1)
    with pytest.raises(AuditError):
        compare(other, index, parts[0], 0.0)


WORK = GroupPlan(
    name="work",
    count=0,
    demand=Arrivals(
        rate_per_h=(2.0,), lifetime_s=Constant(value=5400.0), lifetime_counts="running", due_after_s=30_000.0
    ),
    durations_s=DURATIONS,
    reaction_s=SECOND,
    spot=Spot(
        eviction_per_hour=0.0,
        policy="delete",
        notice_s=SECOND,
        restart_after_s=Constant(value=60.0),
        availability=Availability(
            length_s=10_800.0, runs_s=((0.0, 3600.0),)
        ),  # an hour of three: no work is done in one go
    ),
    fall_back=FallBack(rule=FallBackRule.AFTER, evictions=1, changeover_s=0.0),
    priority="spot",
    vcpus=4,
    memory_gib=16.0,
    size="Standard_D4s_v5",
    family="standardDSv5Family",
)
FALLING = replace(
    PLAN,
    groups=(WORK, replace(WORK, name="work-regular", priority="regular", spot=None, part_of="work")),
    platform=Platform(hosts=(HostPool(name="a", count=20, vcpus=16, memory_gib=64.0),)),
)


@pytest.mark.parametrize("plan", [FALLING, replace(FALLING, platform=None)], ids=["on hosts", "alone"])
def test_a_request_that_falls_back_is_audited_in_both_its_groups(
    plan: FleetPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its VMs are simulated again one after the other; one that doesn't move on, or moves on with other work, is found."""
    run = simulate(plan, seed=3, replication=0, engine="compiled")
    assert run.usages["work-regular"].counts["vms.created"] > 20
    with monkeypatch.context() as patch:
        patch.setattr(vm, "falls_back_at", lambda *_: float("inf"))
        with pytest.raises(AuditError, match=r"work-00\d\d: the two engines differ"):
            simulate(plan, seed=3, replication=0, engine="compiled")
    monkeypatch.setattr(vm, "EARLIER_BITS", 1)  # the VM that the work goes on with has other random numbers
    with pytest.raises(AuditError, match=r"work-regular-00\d\d: the two engines differ"):
        simulate(
            replace(
                plan,
                groups=tuple(
                    replace(each, durations_s=DURATIONS | {"starting": Exponential(mean=9.0)}) for each in plan.groups
                ),
            ),
            seed=3,
            replication=0,
            engine="compiled",
        )
