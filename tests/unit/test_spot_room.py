"""Spot VMs that have to leave when regular ones need the room, with constant durations, checked by hand to the second."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleets import always, run_until
from inspection import inspected
from shared import failed, hosts, hosts_of, run_with_events, shared, vms

from sim.engines.shared.quota import SPOT
from sim.engines.simpy.platform import SharedPlatform
from sim.engines.simpy.vm import Vm
from sim.model.demand import Cycle, Replay
from sim.model.faults import Failing, Spot
from sim.model.plan import FleetPlan, GroupPlan, Retry

FOREVER = float("inf")
ON_OFF = Cycle(on_s=always(1000), off_s=always(1000))


def born(*at_s: float, for_s: float = FOREVER) -> Replay:
    """VMs asked for at those instants, each deleted so long after."""
    return Replay(born_s=at_s, lifetime_s=(for_s,) * len(at_s))


def spot_vms(name: str = "s", *, per_hour: float = 0.0, policy: str = "deallocate", again_s: float | None = 900.0, **changes: Any) -> GroupPlan:  # fmt: skip
    """Spot VMs with a notice of 30 s, asked for again 900 s after an eviction."""
    spot = Spot(
        eviction_per_hour=per_hour, policy=policy, notice_s=always(30), restart_after_s=None if again_s is None else always(again_s)
    )  # fmt: skip
    return vms(name, priority="spot", spot=spot, **changes)


def watched(plan: FleetPlan) -> FleetPlan:
    """The plan, after an inspector has looked at every event of it."""
    inspected(plan, seed=1)
    return plan


def test_a_regular_vm_waits_until_the_spot_vm_in_its_way_has_gone() -> None:
    """Room is asked for at 1,010; 30 s of notice, 45 of deallocating; it starts at 1,085, and not a second before."""
    output = run_until(watched(shared(spot_vms(), vms("r", demand=born(1000)), hosts=(hosts(1, fit=1),))))
    assert output.timeline("s-0000")[2:5] == [(35, "running"), (1040, "deallocating"), (1085, "deallocated")]
    assert output.timeline("r-0000") == [(1000, "creating"), (1085, "starting"), (1110, "running")]
    assert output.count("evictions") == 1
    assert output.count("allocation.failures") == 5, "the spot VM asks again from 1,985 on, five times, in vain"
    assert failed(output, "s-0000")[0] == (1995, "start", "AllocationFailed")
    assert not failed(output, "r-0000")
    assert output.usage.peak_allocated == 1


def test_an_evicted_vm_is_back_when_there_is_room_again() -> None:
    """The regular VM exists until 1,500 and is gone at 1,544; asked for again at 1,085 + 900, the spot VM runs 35 s later."""
    output = run_until(watched(shared(spot_vms(), vms("r", demand=born(1000, for_s=500)), hosts=(hosts(1, fit=1),))))
    assert output.timeline("s-0000")[5:] == [(1995, "starting"), (2020, "running")]


def test_an_evicted_vm_that_is_not_restarted_stays_deallocated() -> None:
    """`restart_after` omitted: never."""
    output = run_until(
        watched(shared(spot_vms(again_s=None), vms("r", demand=born(1000, for_s=500)), hosts=(hosts(1, fit=1),)))
    )
    assert output.timeline("s-0000")[-1] == (1085, "deallocated")


def test_with_the_delete_policy_the_vm_is_gone_and_its_quota_with_it() -> None:
    """30 s of notice, 44 of deleting: the regular VM starts at 1,084; a create, not a start, is tried at 1,984."""
    output, found = run_with_events(
        shared(spot_vms(policy="delete"), vms("r", demand=born(1000)), hosts=(hosts(1, fit=1),))
    )
    assert output.timeline("s-0000")[3:5] == [(1040, "deallocating"), (1084, "")]
    assert output.timeline("r-0000")[1] == (1084, "starting")
    assert failed(output, "s-0000")[0] == (1994, "create", "AllocationFailed")
    assert output.run.usages["s"].counts["vms.deleted"] == 1
    assert found.platform is not None
    assert found.platform.quota.in_use[SPOT] == 0
    kept = run_with_events(shared(spot_vms(), vms("r", demand=born(1000)), hosts=(hosts(1, fit=1),)))[1].platform
    assert kept is not None
    assert kept.quota.in_use[SPOT] == 4, "a deallocated VM counts on"


def test_the_youngest_spot_vms_go_and_no_more_than_must() -> None:
    """Three places, three spot VMs made at 0, 100 and 200 s: one regular VM evicts the last, two of them the last two."""
    some = spot_vms(demand=born(0, 100, 200), again_s=None)
    output = run_until(watched(shared(some, vms("r", demand=born(1000)), hosts=(hosts(1, fit=3),))))
    assert [output.timeline(f"s-000{i}")[-1][1] for i in range(3)] == ["running", "running", "deallocated"]
    output = run_until(watched(shared(some, vms("r", demand=born(1000, 1000)), hosts=(hosts(1, fit=3),))))
    assert [output.timeline(f"s-000{i}")[-1][1] for i in range(3)] == ["running", "deallocated", "deallocated"]


def test_spot_vms_stay_while_there_is_room_elsewhere() -> None:
    """An eviction is the last resort."""
    output, found = run_with_events(shared(spot_vms(), vms("r", demand=born(1000)), hosts=(hosts(2, fit=1),)))
    assert output.count("evictions") == 0
    assert hosts_of(found, "r") == [1]


def test_neither_regular_nor_spot_vms_evict_their_like() -> None:
    """Who comes last finds no room."""
    for first, last in ((vms("a"), vms("b", demand=born(1000))), (spot_vms("a"), spot_vms("b", demand=born(1000)))):
        output = run_until(shared(first, last, spot_vms("c", count=0), vms("d", count=0), hosts=(hosts(1, fit=1),)))
        assert output.count("evictions") == 0
        assert len(failed(output, "b-0000")) >= 5


def test_what_a_large_spot_vm_leaves_over_is_free_when_it_has_gone_and_not_before() -> None:
    """It takes a whole host. For the first regular VM a quarter is reserved at 1,010, the second another at 1,020: both start at 1,085."""
    big = replace(spot_vms(again_s=None), vcpus=16, memory_gib=64.0)
    output = run_until(watched(shared(big, vms("r", demand=born(1000, 1010)), hosts=(hosts(1),))))
    assert [output.timeline(f"r-000{i}")[1] for i in range(2)] == [(1085, "starting")] * 2
    assert output.count("evictions") == 1
    small = spot_vms("t", demand=born(1015), again_s=None, retry=Retry(attempts=1))
    output = run_until(watched(shared(big, vms("r", demand=born(1000)), small, hosts=(hosts(1),))))
    assert failed(output, "t-0000") == [(1025, "create", "AllocationFailed")]


def test_room_reserved_for_one_vm_is_not_reserved_for_another() -> None:
    """Two spot VMs on half a host each; regular VMs of three quarters and of a quarter evict both, and fill the host."""
    halves = replace(spot_vms(count=2, again_s=None), vcpus=8, memory_gib=32.0)
    most = replace(vms("r", demand=born(1000)), vcpus=12, memory_gib=48.0)
    output = run_until(watched(shared(halves, most, vms("q", demand=born(1010, 1020)), hosts=(hosts(1),))))
    assert output.count("evictions") == 2
    assert output.timeline("r-0000")[1] == output.timeline("q-0000")[1] == (1085, "starting")
    assert failed(output, "q-0001")[0] == (1030, "create", "AllocationFailed")


@pytest.mark.parametrize("policy", ["first-fit", "best-fit", "worst-fit", "balanced"])
def test_whatever_the_policy_and_the_racks_there_is_room_to_be_made(policy: str) -> None:
    """Four hosts in two racks, full of spot VMs; four regular VMs, then no more spot VMs, and no room for a fifth."""
    plan = shared(
        spot_vms(count=4, again_s=None), vms("r", demand=born(1000, 1001, 1002, 1003, 1004)), placement=policy,
        hosts=(hosts(3, "p", fit=1, racks=2), hosts(1, "q", fit=1)),
    )  # fmt: skip
    output = run_until(watched(plan))
    assert output.count("evictions") == 4
    assert output.run.usages["r"].counts["vms.created"] == 4
    assert failed(output, "r-0004")[0] == (1014, "create", "AllocationFailed")


def test_a_stopped_spot_vm_goes_at_once() -> None:
    """There is no guest to notify: from 1,110 it is deallocated for 45 s, and the regular VM starts at 1,155."""
    output = run_until(watched(shared(spot_vms(demand=ON_OFF, when_off="stop"), vms("r", demand=born(1100)), hosts=(hosts(1, fit=1),))))  # fmt: skip
    assert output.timeline("s-0000")[4:7] == [(1020, "stopped"), (1110, "deallocating"), (1155, "deallocated")]
    assert output.timeline("r-0000")[1] == (1155, "starting")
    assert output.count("evictions") == 1


def test_a_spot_vm_that_is_just_being_made_goes_when_it_is_there() -> None:
    """Made at 980, it is starting when the room is needed at 1,010; in service at 1,060, gone at 1,135."""
    output = run_until(
        watched(shared(spot_vms(demand=born(980)), vms("r", demand=born(1000)), hosts=(hosts(1, fit=1),)))
    )
    assert output.timeline("s-0000")[3:5] == [(1090, "deallocating"), (1135, "deallocated")]
    assert output.timeline("r-0000")[1] == (1135, "starting")


def test_a_spot_vm_that_goes_by_itself_makes_room_all_the_same() -> None:
    """Its lifetime ends at 1,015, after its eviction notice at 1,010 and before its notice is over: gone with its eviction, once."""
    output = run_until(watched(shared(spot_vms(demand=born(0, for_s=1015)), vms("r", demand=born(1000)), hosts=(hosts(1, fit=1),))))  # fmt: skip
    assert output.timeline("r-0000")[1] == (1085, "starting")
    assert output.timeline("s-0000")[-1][1] == ""


def test_a_host_that_fails_during_evictions_leaves_no_vm_waiting() -> None:
    """It fails at 1,050, and the regular VM's create with it, at 1,085, when the spot VM is gone; it is made again elsewhere."""
    failing: dict[str, Any] = {
        "host_failures": Failing(time_between_s=always(10.0**9), repair_s=always(1)), "healing_s": always(600)
    }  # fmt: skip
    plan = shared(
        spot_vms(again_s=None), vms("x", demand=born(0, for_s=1200)), vms("r", demand=born(1000)), hosts=(hosts(2, fit=1),), **failing
    )  # fmt: skip
    output, found = run_with_events(plan, (1050, lambda platform: platform.fail([0])))
    assert output.timeline("r-0000")[:2] == [(1000, "creating"), (1085, "starting")]
    assert failed(output, "r-0000") == [(1085, "create", "InternalOperationError")]
    assert output.timeline("r-0000")[-1] == (1085 + 600 + 44 + 35, "running")
    assert output.count("service_healings") == 0
    assert hosts_of(found, "r") == [1]


def test_a_hazard_of_one_evicts_as_soon_as_the_vm_serves() -> None:
    """In service at 80, off its host at 155; back 900 s and 35 later; every time."""
    output = run_until(watched(shared(spot_vms(per_hour=1.0), hosts=(hosts(1),))))
    assert [t for t, state in output.timeline("s-0000") if state == "deallocated"] == [155, 155 + 900 + 35 + 75, 155 + 2 * 1010, 155 + 3 * 1010]  # fmt: skip


def test_the_inspection_of_these_cases_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spot VM that gets no eviction notice is found to be still there."""
    right = SharedPlatform.ask_host
    monkeypatch.setattr(Vm, "disrupt", lambda *_: None)
    monkeypatch.setattr(SharedPlatform, "ask_host", lambda platform, vm, avoid=-1: right(platform, vm, avoid) and [])
    with pytest.raises(AssertionError, match="over-committed"):
        inspected(shared(spot_vms(), vms("r", demand=born(1000)), hosts=(hosts(1, fit=1),)), seed=1)
