"""VMs that exist at t = 0, and VMs that are never wanted: hours and counts worked out by hand, the same in both engines."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from fleets import STARTED, differences, fleet, run_until

from sim import from_dict, run
from sim.lifecycle.power import PowerState
from sim.model.demand import AlwaysOn, Parked, Schedule
from sim.model.plan import FleetPlan, HostPool, Platform, Quota
from sim.usage.ledger import GroupUsage

RUNNING, STOPPED, DEALLOCATED = PowerState.RUNNING, PowerState.STOPPED, PowerState.DEALLOCATED
HIBERNATED = PowerState.HIBERNATED
OFFICE = Schedule(days=(0, 1, 2, 3, 4), on=time(8), off=time(18), time_zone="UTC")
DEALLOCATING_H, STARTED_H = 45 / 3600, STARTED / 3600


def usage(plan: FleetPlan | None = None, **changes: Any) -> GroupUsage:
    """A day in both engines."""
    plan = plan or fleet(**changes)
    one, other = (run_until(plan, engine) for engine in ("simpy", "compiled"))
    assert not differences(one, other)
    return one.run.usages["g"]


@pytest.mark.parametrize("state", [RUNNING, STOPPED, DEALLOCATED, HIBERNATED])
def test_no_create_is_counted_and_the_vm_exists_from_t_0_to_the_horizon(state: PowerState) -> None:
    """Whatever its state, and whether or not it is wanted."""
    for demand in (AlwaysOn(), Parked(), OFFICE):
        found = usage(initial=state.value, demand=demand, count=3)
        assert not any(number for name, number in found.counts.items() if "create" in name)
        assert found.existing_h == 3 * 24


@pytest.mark.parametrize(
    ("state", "starts_s"), [(RUNNING, 0), (STOPPED, 25), (DEALLOCATED, STARTED), (HIBERNATED, STARTED)]
)
def test_a_vm_that_is_wanted_at_t_0_is_started_at_once(state: PowerState, starts_s: float) -> None:
    """Running serves from t = 0 on; from stopped it only starts, from deallocated it finds hardware first."""
    found = usage(initial=state.value)
    assert found.served_h == pytest.approx(24 - starts_s / 3600, abs=1e-6)
    assert found.counts.get("operations.start.accepted", 0) == (state is not RUNNING)


@pytest.mark.parametrize("state", [STOPPED, DEALLOCATED, HIBERNATED])
def test_parked_vms_stay_as_they_were_found(state: PowerState) -> None:
    """Nothing is switched; a stopped one is billed all the while."""
    found = usage(initial=state.value, demand=Parked())
    assert found.hours(state) == 24
    assert found.wanted_h == 0
    assert not any(number for name, number in found.counts.items() if name.startswith("operations"))


def test_a_running_vm_that_no_one_wants_is_switched_off_at_once() -> None:
    """45 s of deallocating, then deallocated; with `keep` it runs on."""
    found = usage(initial="running", demand=Parked())
    assert found.hours(RUNNING) == 0
    assert found.hours(DEALLOCATED) == pytest.approx(24 - DEALLOCATING_H, abs=1e-6)
    assert usage(initial="running", demand=Parked(), when_off="keep").hours(RUNNING) == 24
    deleted = usage(initial="deallocated", demand=Parked(), when_off="delete")
    assert deleted.counts["vms.deleted"] == 1
    assert deleted.existing_h == pytest.approx(44 / 3600, abs=1e-6)


def test_parked_vms_without_a_state_are_created_and_switched_off() -> None:
    """As any VM that isn't wanted at t = 0."""
    found = usage(demand=Parked())
    assert found.counts["vms.created"] == found.counts["operations.deallocate.succeeded"] == 1


def test_existing_vms_take_room_and_quota() -> None:
    """Hosts for two of three, quota for two of three: the third is deallocated, or not there."""
    group = fleet(count=3, initial="running", vcpus=4, memory_gib=16.0, size="s", family="f").groups[0]
    pool = HostPool(name="h", count=1, vcpus=8, memory_gib=64.0)
    full = usage(FleetPlan(start=fleet().start, horizon_s=86_400.0, groups=(group,), platform=Platform(hosts=(pool,))))
    assert full.hours(RUNNING) == 2 * 24
    assert full.hours(DEALLOCATED) > 0
    assert full.counts["failures.AllocationFailed"] > 0
    limited = Platform(quota=Quota(regional_vcpus=8))
    refused = usage(FleetPlan(start=fleet().start, horizon_s=86_400.0, groups=(group,), platform=limited))
    assert refused.existing_h == 2 * 24
    assert refused.counts["failures.QuotaExceeded"] == 1


def test_a_scenario_of_imported_and_parked_vms_is_billed_as_found() -> None:
    """A stopped VM that no one wants pays compute and its disk for the whole day."""
    fleet_of_one = from_dict(
        {
            "name": "parked", "horizon": "24h", "start": "2026-01-05T00:00:00Z", "replications": 1,
            "group": [{"name": "old", "size": "Standard_D2s_v5", "disks": ["P10"], "initial": "stopped", "wanted": False}],
        }
    )  # fmt: skip
    result = run(fleet_of_one, engine="simpy")
    assert result.estimate("billed_hours").mean == 24
    assert result.estimate("wasted_hours").mean == 24
    disk = next(line for line in result.replications[0].bill if line.kind == "disk")
    assert disk.quantity == 24
    words = "\n".join(fleet_of_one.describe())
    assert "they exist at t = 0, stopped." in words
    assert "Never needed; a VM that is on is deallocated." in words
