"""The audit of a run that shares hosts: it passes what is right and refuses what is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sim.distributions.kinds import Constant, Exponential
from sim.engines.audit import RecordedAnswers
from sim.engines.simulate import simulate
from sim.errors import AuditError
from sim.model.demand import Cycle
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
