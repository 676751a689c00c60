"""Room on hosts move by move, without a simulation: who gets which host, who has to go for it, what is reserved, and what is in use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from shared import hosts, vms

from sim.engines.shared import placement
from sim.engines.shared.placement import MIB
from sim.engines.shared.room import (
    AS_THE_POLICY_SAYS,
    CLOCK,
    ENDLESS,
    EVICTED,
    FAILED,
    GROUP,
    HOST,
    LEAVES,
    NO_ROOM,
    NOWHERE,
    UNIT,
    VM_COLUMNS,
    WAITS,
    Room,
    add_row,
    ask_host,
    count_use,
    empty_host,
    fail_host,
    free_unit,
    give_host,
    has_gone,
    hide_unit,
    new_room,
    repair_host,
    set_clock,
    use_of_hosts,
)
from sim.errors import ScenarioError
from sim.model.plan import GroupPlan, HostPool, Platform, Reserved

GIB = MIB
HELD = Reserved(name="r", size="D4", family="fD", vcpus=4, memory_gib=16.0, quantity=2)
SPOT = {"priority": "spot"}


def laid(*groups: GroupPlan, pools: tuple[HostPool, ...], rows: int = 9, **how: Any) -> Room:
    """Hosts for some groups, and so many VMs that are on none."""
    window = how.pop("window_s", (0.0, 1.0))
    room = new_room(Platform(**({"placement": "first-fit", "hosts": pools} | how)), groups, window_s=window)
    for _ in range(rows):
        add_row(room)
    return room


def ask(
    room: Room,
    row: int,
    group: int,
    *,
    vm: int = 0,
    avoid: int = -1,
    is_refused: bool = False,
    wanted: int = AS_THE_POLICY_SAYS,
) -> int:
    """A VM asks for a host."""
    return ask_host(room, row, group, vm, avoid, is_refused, wanted)


def place_of(room: Room, row: int) -> tuple[int, int, int, int]:
    """Host, group, unit, and the host that it leaves."""
    host, group, unit, leaves = (room.vms[row * VM_COLUMNS + column] for column in (HOST, GROUP, UNIT, LEAVES))
    return host, group, unit, leaves


def free(room: Room) -> list[tuple[int, float]]:
    """vCPUs and GiB that are free on each host."""
    return [(vcpus, memory / GIB) for vcpus, memory in zip(room.hosts.free_c, room.hosts.free_m, strict=True)]


def if_evicted(room: Room) -> list[tuple[int, float]]:
    """The same if every spot VM went."""
    return [(vcpus, memory / GIB) for vcpus, memory in zip(room.if_evicted.free_c, room.if_evicted.free_m, strict=True)]


def on(room: Room, host: int) -> list[int]:
    """The VMs on a host, in order of arrival."""
    found, row = [], room.on_host.first[host]
    while row >= 0:
        found.append(row)
        row = room.on_host.after[row]
    return found


def test_vms_take_room_and_give_it_back() -> None:
    """Two hosts of two VMs: the third goes to the second host, and there is none for the fifth until one has gone."""
    room = laid(vms("a"), pools=(hosts(2, fit=2),))
    assert place_of(room, 0) == (NOWHERE, NOWHERE, NOWHERE, NOWHERE)
    assert [ask(room, row, 0) for row in range(5)] == [0, 0, 1, 1, NO_ROOM]
    assert (place_of(room, 2), place_of(room, 4)) == ((1, 0, -1, NOWHERE), (NOWHERE,) * 4)
    assert (free(room), on(room, 0), on(room, 1)) == ([(0, 0.0)] * 2, [0, 1], [2, 3])
    assert list(room.answer) == [-1, 0]
    assert give_host(room, 1, 0)
    assert (free(room), on(room, 0), place_of(room, 1)[0]) == ([(4, 16.0), (0, 0.0)], [0], NOWHERE)
    assert ask(room, 4, 0) == 0


def test_a_host_to_avoid_is_taken_only_if_no_other_has_room() -> None:
    """And what is free on it is as before. Hardware without end is no host; a VM that is refused gets none."""
    room = laid(vms("a"), pools=(hosts(2, fit=1),))
    assert ask(room, 0, 0, avoid=0) == 1
    assert free(room) == [(4, 16.0), (0, 0.0)]
    assert ask(room, 1, 0, avoid=0) == 0
    assert ask(room, 2, 0, avoid=0) == NO_ROOM
    assert ask(laid(vms("a"), pools=()), 0, 0) == ENDLESS
    refused = laid(vms("a"), pools=(hosts(1),))
    assert (ask(refused, 0, 0, is_refused=True), free(refused)) == (NO_ROOM, [(16, 64.0)])


def test_a_plug_in_s_host_is_taken_and_its_no_is_a_no() -> None:
    """Host 1 though 0 has room; without any, spot VMs are evicted for a regular one all the same."""
    room = laid(vms("a"), vms("s", **SPOT), pools=(hosts(2, fit=1),))
    assert ask(room, 0, 1, wanted=1) == 1
    assert ask(room, 1, 1, wanted=NO_ROOM) == NO_ROOM
    assert ask(room, 2, 0, wanted=0) == 0
    assert ask(room, 3, 0, wanted=NO_ROOM) == 1
    assert room.answer[EVICTED] == 0


def test_the_youngest_spot_vms_go_for_a_regular_one_and_their_room_is_its_own() -> None:
    """Two spot VMs fill a host: the second goes for a VM of its size. A spot VM itself evicts no other."""
    room = laid(vms("a"), vms("s", **SPOT), pools=(hosts(1, fit=2),))
    assert [ask(room, row, 1) for row in (0, 1, 3)] == [0, 0, NO_ROOM]
    assert (free(room), if_evicted(room)) == ([(0, 0.0)], [(8, 32.0)])
    assert ask(room, 2, 0) == 0
    assert (room.answer[EVICTED], room.answer[WAITS]) == (1, 1)
    assert (place_of(room, 1), place_of(room, 2), on(room, 0)) == ((NOWHERE, 1, -1, 0), (0, 0, -1, NOWHERE), [0, 2])
    assert (free(room), if_evicted(room)) == ([(0, 0.0)], [(4, 16.0)])
    assert has_gone(room, 1)
    assert (free(room), place_of(room, 1)[3], room.leaving.first[0]) == ([(0, 0.0)], NOWHERE, -1)
    assert give_host(room, 2, 0)
    assert (free(room), if_evicted(room)) == ([(4, 16.0)], [(8, 32.0)])


def test_what_evicted_vms_leave_beyond_the_need_is_free_when_all_have_gone() -> None:
    """6 vCPUs and 20 GiB: 4 and 16 are free, so one of two spot VMs goes; of its 4 and 16, 2 and 12 are left when it has."""
    room = laid(vms("a", vcpus=6, memory_gib=20.0), vms("s", **SPOT), pools=(hosts(1, fit=3),))
    assert [ask(room, 0, 1), ask(room, 1, 1), ask(room, 2, 0)] == [0, 0, 0]
    assert (free(room), room.leaving_c[0], room.leaving_m[0], room.answer[EVICTED]) == ([(0, 0.0)], 2, 12 * GIB, 1)
    assert has_gone(room, 1)
    assert (free(room), room.leaving_c[0], room.leaving_m[0]) == ([(2, 12.0)], 0, 0)


def test_all_have_to_go_before_any_of_the_rest_is_free() -> None:
    """7 vCPUs and 24 GiB on a full host of two spot VMs: both go; 1 and 8 are left when the second has, in whichever order."""
    for order in ((0, 1), (1, 0)):
        room = laid(vms("a", vcpus=7, memory_gib=24.0), vms("s", **SPOT), pools=(hosts(1, fit=2),))
        assert [ask(room, 0, 1), ask(room, 1, 1), ask(room, 2, 0)] == [0, 0, 0]
        assert (room.answer[EVICTED], on(room, 0)) == (1, [2])
        assert has_gone(room, order[0])
        assert free(room) == [(0, 0.0)]
        assert has_gone(room, order[1])
        assert free(room) == [(1, 8.0)]


def test_memory_alone_may_be_what_is_short() -> None:
    """One spot VM has half of the memory: a VM that fits by its vCPUs evicts it; regular VMs on the way stay."""
    pool = HostPool(name="p", count=1, vcpus=64, memory_gib=64.0)
    room = laid(vms("a", memory_gib=32.0), vms("s", memory_gib=32.0, **SPOT), pools=(pool,))
    assert [ask(room, 0, 1), ask(room, 1, 0), ask(room, 2, 0)] == [0, 0, 0]
    assert (room.answer[EVICTED], on(room, 0), room.leaving_c[0], room.leaving_m[0]) == (0, [1, 2], 4, 0)
    assert free(room) == [(52, 0.0)]
    assert has_gone(room, 0)
    assert free(room) == [(56, 0.0)]


def test_without_spot_vms_or_without_others_nobody_is_evicted() -> None:
    """Then nothing is counted for it either."""
    for groups, may in (((vms("a"),), False), ((vms("s", **SPOT),), False), ((vms("a"), vms("s", **SPOT)), True)):
        room = laid(*groups, pools=(hosts(1),))
        assert room.may_evict is may
        ask(room, 0, 0)
        assert if_evicted(room) == [(12, 48.0) if may else (16, 64.0)]
    assert laid(vms("a"), vms("s", **SPOT), pools=()).may_evict is False


# --- hosts out of order -----------------------------------------------------------------------------------------------


def test_a_failed_host_has_no_room_and_is_whole_when_it_is_repaired() -> None:
    """Those who were leaving it are off it; what they would have left belongs to no VM."""
    room = laid(vms("a"), vms("s", **SPOT), pools=(hosts(2, fit=2),))
    assert [ask(room, row, 1) for row in range(4)] == [0, 0, 1, 1]
    assert ask(room, 4, 0) == 0
    assert give_host(room, 0, 1)
    assert give_host(room, 4, 0)
    assert fail_host(room, 0)
    assert (free(room)[0], if_evicted(room)[0], place_of(room, 1)[3]) == ((-1, -1 / GIB), (-1, -1 / GIB), FAILED)
    assert (room.leaving.first[0], room.leaving.last[0], room.leaving_c[0], room.leaving_m[0]) == (-1, -1, 0, 0)
    assert [ask(room, 5, 1)] == [NO_ROOM]
    assert has_gone(room, 1)
    assert place_of(room, 1)[3] == NOWHERE
    assert repair_host(room, 0)
    assert (free(room), if_evicted(room)) == ([(8, 32.0), (0, 0.0)], [(8, 32.0), (8, 32.0)])
    assert empty_host(room, 0, 3, 5)
    assert (room.hosts.free_c[0], room.hosts.free_m[0], room.if_evicted.free_c[0], room.if_evicted.free_m[0]) == (
        3,
        5,
        3,
        5,
    )


# --- reserved room ----------------------------------------------------------------------------------------------------


def test_reserved_room_is_taken_first_by_those_it_is_for_and_by_nobody_else() -> None:
    """Two units on a host of three: a VM of the size takes the first, another size only what is beside them. A refused VM may take a unit."""
    room = laid(vms("a"), vms("e", size="E4"), pools=(hosts(1, fit=3), hosts(1, "q")), reserved=(HELD,))
    assert (free(room), list(room.all_c), room.held_from, room.held) == (
        [(4, 16.0), (16, 64.0)],
        [4, 16],
        [0, 1, 1],
        [0],
    )
    assert (room.units, room.units_from, room.units_on) == ([0, 0, 1, 0, 0, 1], [0, 2, 2], [0, 1])
    assert (ask(room, 0, 0, is_refused=True), place_of(room, 0)) == (0, (0, 0, 0, NOWHERE))
    assert [ask(room, 1, 1), ask(room, 2, 1)] == [0, 1]
    assert free(room) == [(0, 0.0), (12, 48.0)]
    assert (ask(room, 3, 0), place_of(room, 3)) == (0, (0, 0, 1, NOWHERE))
    assert (ask(room, 4, 0), place_of(room, 4)[2]) == (1, -1), "as any other VM"
    assert give_host(room, 0, 0)
    assert (free(room), place_of(room, 0)[2], room.free.first[0], room.units[2]) == ([(0, 0.0), (8, 32.0)], -1, 0, 1)
    assert (ask(room, 5, 0), place_of(room, 5)[2]) == (0, 0)


def test_a_unit_is_passed_over_where_the_vm_may_not_be() -> None:
    """Units in zones 1 and 2, a VM of zone 2."""
    pools = hosts(1, "p", fit=1, zone=1), hosts(1, "q", fit=2, zone=2)
    room = laid(vms("a", zones=(2,)), pools=pools, reserved=(HELD,))
    assert (room.units[0], room.units[3]) == (0, 1)
    assert (ask(room, 0, 0), place_of(room, 0)[2]) == (1, 1)
    assert (ask(room, 1, 0), place_of(room, 1)[2]) == (1, -1)
    assert ask(room, 2, 0) == NO_ROOM


def test_reserved_room_goes_and_comes_with_its_host() -> None:
    """While the host is out of order its free units are hidden; after the repair both are free, with nothing beside them."""
    room = laid(vms("a"), pools=(hosts(1, fit=2),), reserved=(HELD,))
    assert ask(room, 0, 0) == 0
    hide_unit(room, 1)
    free_unit(room, 1)
    room.on_host.first[0] = room.on_host.last[0] = -1
    assert fail_host(room, 0)
    assert (room.units[2], room.units[5], room.free.first[0]) == (0, 0, -1)
    assert ask(room, 1, 0) == NO_ROOM
    assert repair_host(room, 0)
    assert (free(room), room.units[2], room.units[5], room.free.first[0], room.free.last[0]) == ([(0, 0.0)], 1, 1, 0, 1)


def test_the_reserved_room_of_each_host_comes_back_with_it_and_no_other() -> None:
    """Three hosts with a unit each: of the middle one alone it is hidden, and free again after the repair, behind the others."""
    room = laid(vms("a"), pools=(hosts(3, fit=1),), reserved=(replace(HELD, quantity=3),))
    assert (room.units_from, room.units_on, room.units) == ([0, 1, 2, 3], [0, 1, 2], [0, 0, 1, 1, 0, 1, 2, 0, 1])
    assert fail_host(room, 1)
    assert room.units[2::3] == [1, 0, 1]
    assert repair_host(room, 1)
    assert room.units[2::3] == [1, 1, 1]
    assert [ask(room, row, 0) for row in range(4)] == [0, 2, 1, NO_ROOM]


def test_a_reservation_needs_hosts_that_are_not_anothers_and_of_its_region() -> None:
    """A dedicated host and one of another region hold nothing of it; what is too much is a fault that says how much fits."""
    pools = hosts(1, "own", only_groups=("x",)), hosts(1, "far", region="north"), hosts(1, "p", fit=2)
    assert laid(vms("a"), pools=pools, reserved=(HELD,)).units == [2, 0, 1, 2, 0, 1]
    with pytest.raises(ScenarioError) as caught:
        laid(vms("a"), pools=pools, reserved=(replace(HELD, quantity=3),))
    (fault,) = caught.value.faults
    assert (fault.field, fault.value) == ("commitment.r.quantity", 3)
    assert (fault.problem, fault.hint) == (
        "the hosts have room for 2 x D4 only",
        "reserve fewer, or give the platform more hosts",
    )


def test_reserved_room_is_no_room_of_spot_vms_to_evict_for() -> None:
    """If all spot VMs went, it would be there as little; and too many shapes of room are said so."""
    room = laid(vms("a"), vms("s", **SPOT), pools=(hosts(1, fit=3),), reserved=(HELD,))
    assert (free(room), if_evicted(room)) == ([(4, 16.0)], [(4, 16.0)])


def test_too_many_shapes_of_room_are_a_fault_of_the_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where reserved room alone makes them."""
    monkeypatch.setattr(placement, "LISTS", 1)
    with pytest.raises(ScenarioError, match="too many shapes for best-fit or worst-fit"):
        laid(vms("a"), pools=(hosts(1),), reserved=(HELD,), placement="best-fit")


# --- what is in use ---------------------------------------------------------------------------------------------------


def test_use_is_vcpus_times_time_of_the_window_and_the_most_hosts_at_once() -> None:
    """From 10 to 110 s on two hosts of 8 vCPUs: a VM of 4 from 0 to 60 s, and one of 4 on the other host from 50 to 110 s."""
    room = laid(
        vms("a"),
        vms("b", region="north"),
        pools=(hosts(1, fit=2), hosts(1, "far", fit=2, region="north"), hosts(1, "h", holds="r")),
        window_s=(10.0, 110.0),
    )
    platform = Platform(
        placement="first-fit", hosts=(hosts(1, fit=2), hosts(1, "far", fit=2, region="north"), hosts(1, "h", holds="r"))
    )
    groups = vms("a"), vms("b", region="north")
    for at_s, group, host, change in ((0.0, 0, 0, 1), (50.0, 1, 1, 1), (55.0, 0, 2, 1), (60.0, 0, 0, -1)):
        set_clock(room, at_s)
        count_use(room, group, host, change)
    assert room.held_time == [4 * 50 * CLOCK, 4 * 60 * CLOCK], "room that stands for a reservation isn't counted"
    shares, most = use_of_hosts(room, platform, groups)
    assert shares == {
        "a": {"hosts.used_share": pytest.approx(200 / 800)}, "b": {"hosts.used_share": pytest.approx(240 / 800)},
        "": {"hosts.used_share": pytest.approx(440 / 1600)},
    }  # fmt: skip
    assert most == {"hosts.peak_used": 2}
    assert use_of_hosts(room, Platform(placement="first-fit", hosts=()), groups) == ({}, {})


@pytest.mark.parametrize(("leaves_s", "most"), [(9.0, 0), (10.0, 0), (11.0, 1)])
def test_hosts_of_the_warm_up_count_if_they_are_in_use_after_it(leaves_s: float, most: int) -> None:
    """Two VMs on one host are one; a VM that goes at its end is not there any more."""
    room = laid(vms("a"), pools=(hosts(2),), window_s=(10.0, 20.0))
    for at_s, change in ((1.0, 1), (2.0, 1), (3.0, -1), (leaves_s, -1)):
        set_clock(room, at_s)
        count_use(room, 0, 0, change)
    platform = Platform(placement="first-fit", hosts=(hosts(2),))
    assert use_of_hosts(room, platform, (vms("a"),))[1] == {"hosts.peak_used": most}
    assert room.held_time == [4 * max(0, round((leaves_s - 10) * CLOCK))]
