"""Where a VM may be and which host it gets, rule by rule, on a platform small enough to look through."""

from __future__ import annotations

import pytest
from shared import hosts, vms

from sim.engines.shared import placement
from sim.engines.shared.placement import MIB, HostIndex, Placement, host_index, new_placement
from sim.model.plan import GroupPlan, HostPool, Platform

POOLS = (
    hosts(2, "p", zone=1), hosts(1, "q", zone=2), hosts(1, "own", only_groups=("b",)), hosts(1, "far", region="north", zone=1),
    hosts(1, "held", zone=None, holds="r"),
)  # fmt: skip
"""Hosts 0 and 1 in zone 1, 2 in zone 2, 3 of group b alone, 4 of another region, 5 the room of a reservation."""


def laid(
    *groups: GroupPlan, policy: str = "first-fit", pools: tuple[HostPool, ...] = POOLS
) -> tuple[HostIndex, Placement]:
    """The hosts of a platform, all empty, and the groups of a fleet."""
    platform = Platform(hosts=pools, placement=policy)
    index = host_index(platform)
    return index, new_placement(platform, index, groups)


def on(index: HostIndex, placed: Placement, group: int, host: int, vms: int = 1) -> None:
    """So many VMs of a group come on a host (or leave it), with their room."""
    placement.count(index, placed, group, host, vms)
    placement.change(index, host, -vms * placed.vcpus[group], -vms * placed.memory[group])


@pytest.mark.parametrize(
    ("group", "where"),
    [
        (vms("a"), [[0, 1, 2, 5]]),
        (vms("b"), [[3]]),
        (vms("a", region="north"), [[4]]),
        (vms("a", zones=(2,)), [[2, 5]]),
        (vms("a", zones=(2, 1)), [[2, 5], [0, 1, 5]]),
        (vms("a", vcpus=17), [[]]),
        (vms("a", memory_gib=64.5), [[]]),
    ],
)
def test_a_vm_may_be_in_its_zone_of_its_region_on_hosts_that_are_not_another_groups(
    group: GroupPlan, where: list[list[int]]
) -> None:
    """VMs take the zones of their group in turn; hosts that stand for reserved room are in every zone."""
    index, placed = laid(group)
    for number in range(4):
        may = where[number % len(where)]
        assert placement.hosts_with_room(index, placed, 0, number) == may
        assert placement.choose(index, placed, 0, number) == (may or [-1])[0]
        if group.vcpus == 4 and group.memory_gib == 16:
            assert [host for host in range(6) if placement.allows(index, placed, 0, number, host)] == may


@pytest.mark.parametrize("first", [0, 2])
def test_a_set_stays_on_the_cluster_of_its_first_vm_until_all_are_off(first: int) -> None:
    """Whichever cluster that is, the first one too; two groups of one region may share a set, and one of another region doesn't."""
    groups = (
        vms("a", availability_set="s"),
        vms("c", availability_set="s"),
        vms("d", availability_set="s", region="north"),
        vms("e"),
    )
    index, placed = laid(*groups)
    mine = {0: [0, 1], 2: [2]}[first]
    on(index, placed, 0, first)
    on(index, placed, 1, mine[-1])
    for number in (0, 1):
        assert placement.hosts_with_room(index, placed, number, 0) == mine
        assert [host for host in range(6) if placement.allows(index, placed, number, 0, host)] == mine
        assert placement.choose(index, placed, number, 0) == mine[0]
    assert placement.hosts_with_room(index, placed, 2, 0) == [4]
    assert placement.hosts_with_room(index, placed, 3, 0) == [0, 1, 2, 5]
    on(index, placed, 0, first, -1)
    assert placement.choose(index, placed, 0, 0) == mine[0], "the other group's VM holds the set there"
    on(index, placed, 1, mine[-1], -1)
    on(index, placed, 1, 5)
    assert placement.hosts_with_room(index, placed, 0, 0) == [5]


def test_a_full_host_has_no_room_and_an_exact_fit_has() -> None:
    """Four VMs to a host: the fifth goes on; what is left of vCPUs or of memory alone is no room."""
    index, placed = laid(vms("a"))
    for host in (0, 0, 0, 0, 1, 1, 1, 1, 2):
        assert placement.choose(index, placed, 0, 0) == host
        on(index, placed, 0, host)
    placement.change(index, 2, 0, -33 * MIB)
    assert placement.hosts_with_room(index, placed, 0, 0) == [5]
    placement.change(index, 2, -9, 33 * MIB)
    assert placement.choose(index, placed, 0, 0) == 5
    placement.change(index, 2, 1, 0)
    assert placement.choose(index, placed, 0, 0) == 2


@pytest.mark.parametrize(
    ("policy", "found"),
    [("first-fit", [0, 0, 0, 0]), ("best-fit", [2, 2, 0, 0]), ("worst-fit", [1, 0, 1, 0]), ("balanced", [0, 1, 2, 0])],
)
def test_units_are_compared_by_vcpus_then_by_memory(policy: str, found: list[int]) -> None:
    """Three clusters of one host: 16 vCPUs and 64 GiB, 16 and 80, 8 and 96. The least free is host 2 while it has room."""
    pools = tuple(
        HostPool(name=name, count=1, vcpus=vcpus, memory_gib=memory)
        for name, vcpus, memory in (("p", 16, 64.0), ("q", 16, 80.0), ("r", 8, 96.0))
    )
    index, placed = laid(vms("a"), policy=policy, pools=pools)
    assert placement.less_free(index, 0, 1)
    assert not placement.less_free(index, 1, 0)
    assert placement.less_free(index, 2, 0)
    assert not placement.less_free(index, 0, 0)
    took = []
    for number in range(4):
        took.append(placement.choose(index, placed, 0, number))
        on(index, placed, 0, took[-1])
    assert took == found


def test_a_group_is_spread_by_its_own_vms_and_not_by_those_of_others() -> None:
    """Racks of two, one and one hosts: a's VMs take them in turn, b's begin again at the first; a full rack is passed over."""
    index, placed = laid(vms("a"), vms("b"), policy="balanced", pools=(hosts(4, "p", fit=2, racks=3),))
    took = []
    for group in (0, 0, 1, 0, 1, 0, 1):
        took.append(placement.choose(index, placed, group, 0))
        on(index, placed, group, took[-1])
    assert took == [0, 2, 0, 3, 2, 1, 3]
    assert placed.in_unit == [2, 1, 1, 1, 1, 1]


def test_what_is_asked_for_in_fractions_of_a_gib_is_rounded_to_mib() -> None:
    """3.5 GiB are 3,584 MiB; hosts and VMs alike."""
    index, placed = laid(vms("a", memory_gib=3.5), pools=(HostPool(name="p", count=1, vcpus=8, memory_gib=7.25),))
    assert (list(index.free_m), placed.memory) == ([7424], [3584])


def test_too_many_shapes_of_room_are_said_with_what_to_do() -> None:
    """The fault names the field, and the policy that needs no lists."""
    assert str(placement.too_many_shapes()) == (
        "platform.placement: the free room of a cluster's hosts comes in too many shapes for best-fit or worst-fit "
        '(use placement = "first-fit")'
    )
