"""The index of free room against a look at every host, after any history of VMs and of hosts out of order."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from fleets import fleet
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from sim.engines.shared import linked_list, placement
from sim.engines.shared.placement import MIB, HostIndex, host_index
from sim.model.plan import HostPool, Platform

POLICIES = tuple(placement.POLICIES)
SHAPES = ((1, 512), (2, 8 * MIB), (4, 16 * MIB), (2, 28 * MIB), (7, 1 * MIB), (0, 3), (16, 16 * MIB))
Step = tuple[str, int, int]  # what, a number that picks the host or the unit, a shape

pools = st.builds(
    lambda count, vcpus, memory, racks: HostPool(name="p", count=count, vcpus=vcpus, memory_gib=memory, racks=racks),
    count=st.integers(1, 9), vcpus=st.sampled_from((4, 8, 13)), memory=st.sampled_from((16.0, 32.5, 60.0)), racks=st.integers(1, 3),
)  # fmt: skip
steps = st.tuples(
    st.sampled_from(("place", "place", "place", "leave", "fail", "repair")),
    st.integers(0, 1000),
    st.integers(0, len(SHAPES) - 1),
)


class EveryHost:
    """What is free on each host, and when it last changed: a list that is looked through from end to end."""

    def __init__(self, index: HostIndex) -> None:
        self.index = index
        self.free = list(zip(index.free_c, index.free_m, strict=True))
        self.clock = 0
        self.changed = [-host for host in range(len(self.free))]  # of hosts alike at first, the first is taken

    def set(self, host: int, vcpus: int, memory: int) -> None:
        """What is free on a host from now on."""
        self.clock += 1
        self.free[host], self.changed[host] = (vcpus, memory), self.clock

    def find(self, unit: int, vcpus: int, memory: int) -> int:
        """The host that the policy means, or -1."""
        first = self.index.host_base[unit]
        fit = [
            host
            for host in range(first, first + self.index.hosts[unit])
            if self.free[host][0] >= vcpus and self.free[host][1] >= memory
        ]
        if not fit:
            return -1
        if self.index.search == placement.FIRST:
            return fit[0]
        sign = -1 if self.index.search == placement.MOST_FREE else 1
        return min(fit, key=lambda host: (sign * self.free[host][0], sign * self.free[host][1], -self.changed[host]))


def simulate(index: HostIndex, history: list[Step]) -> list[tuple[int, int]]:
    """Run a history; returns (found by the index, found by a scan) for every shape and unit after every step."""
    truth = EveryHost(index)
    on: list[tuple[int, int, int]] = []  # VMs: host, vCPUs, memory
    full = list(truth.free)
    down: set[int] = set()
    found: list[tuple[int, int]] = []

    def put(host: int, vcpus: int, memory: int) -> None:
        placement.put(index, host, vcpus, memory)
        truth.set(host, vcpus, memory)

    for what, pick, shape in history:
        vcpus, memory = SHAPES[shape]
        if what == "place":
            host = placement.find(index, pick % len(index.hosts), vcpus, memory)
            if host >= 0:
                placement.change(index, host, -vcpus, -memory)
                truth.set(host, truth.free[host][0] - vcpus, truth.free[host][1] - memory)
                on.append((host, vcpus, memory))
        elif what == "leave" and on:
            host, vcpus, memory = on.pop(pick % len(on))
            placement.change(index, host, vcpus, memory)
            truth.set(host, truth.free[host][0] + vcpus, truth.free[host][1] + memory)
        elif what == "fail":
            host = pick % len(full)
            down.add(host)
            on = [vm for vm in on if vm[0] != host]
            put(host, -1, -1)
        elif what == "repair" and down:
            host = sorted(down)[pick % len(down)]
            down.discard(host)
            put(host, *full[host])
        for unit in range(len(index.hosts)):
            found += [(placement.find(index, unit, *asked), truth.find(unit, *asked)) for asked in SHAPES]
    return found


@seed(20260201)
@settings(max_examples=120, database=None)
@given(
    hosts=st.lists(pools, min_size=1, max_size=3),
    policy=st.sampled_from(POLICIES),
    history=st.lists(steps, max_size=30),
)
def test_the_index_finds_the_host_that_a_look_at_all_of_them_finds(hosts: list[HostPool], policy: str, history: list[Step]) -> None:  # fmt: skip
    """Clusters of unlike hosts, VMs short of memory before vCPUs, hosts out of order: the very same host each time."""
    index = host_index(Platform(placement=policy, hosts=tuple(hosts)))
    for by_index, by_looking in simulate(index, history):
        assert by_index == by_looking


right_list_find = placement.list_find


def only_left(index: HostIndex, unit: int, vcpus: int, memory: int) -> int:
    """A search that believes what a node says: the most vCPUs and the most memory below it, on one host."""
    base, leaves, node = index.tree_base[unit], index.leaves[unit], 1
    while node < leaves:
        left = base + 2 * node
        node = 2 * node + (index.tree_c[left] < vcpus or index.tree_m[left] < memory)
    enough = index.tree_c[base + node] >= vcpus and index.tree_m[base + node] >= memory
    return index.host_base[unit] + node - leaves if enough else -1


def vcpus_alone(index: HostIndex, unit: int, vcpus: int, _memory: int) -> int:
    """A search that doesn't look at memory."""
    return right_list_find(index, unit, vcpus, 0)


def least_free(index: HostIndex, unit: int, vcpus: int, memory: int) -> int:
    """A search for the host with the least free, whatever the policy."""
    return right_list_find(index._replace(search=placement.LEAST_FREE), unit, vcpus, memory)


WRONG = {
    "a tree that doesn't climb": ("first-fit", "tree_find", only_left),
    "lists found by vCPUs alone": ("best-fit", "list_find", vcpus_alone),
    "the least free for the most": ("worst-fit", "list_find", least_free),
    "lists that are never left": (
        "best-fit",
        "linked_list",
        SimpleNamespace(append=linked_list.append, remove=lambda *_: None),
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_index_is_found_out(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """The comparison can fail: each of these defects shows in one long history."""
    policy, name, defect = WRONG[wrong]
    chance = random.Random(1)
    history = [
        (chance.choice(("place", "place", "leave", "fail", "repair")), chance.randrange(1000), chance.randrange(len(SHAPES)))
        for _ in range(150)
    ]  # fmt: skip
    hosts = tuple(HostPool(name="a", count=8, vcpus=v, memory_gib=m) for v, m in ((8, 32.0), (13, 16.0)))
    right = simulate(host_index(Platform(placement=policy, hosts=hosts)), history)
    assert all(by_index == by_looking for by_index, by_looking in right)
    monkeypatch.setattr(placement, name, defect)
    seen = simulate(host_index(Platform(placement=policy, hosts=hosts)), history)
    assert any(by_index != by_looking for by_index, by_looking in seen)


def test_racks_are_units_of_a_balanced_platform_only() -> None:
    """Seven hosts in three racks: 3, 2 and 2 neighbours; else one unit a cluster."""
    hosts = (
        HostPool(name="a", count=7, vcpus=8, memory_gib=32.0, racks=3),
        HostPool(name="b", count=2, vcpus=8, memory_gib=32.0, racks=5),
    )
    units = host_index(Platform(placement="balanced", hosts=hosts))
    assert list(zip(units.cluster, units.host_base, units.hosts, strict=True)) == [
        (0, 0, 3), (0, 3, 2), (0, 5, 2), (1, 7, 1), (1, 8, 1),
    ]  # fmt: skip
    units = host_index(Platform(placement="first-fit", hosts=hosts))
    assert list(zip(units.host_base, units.hosts, strict=True)) == [(0, 7), (7, 2)]


def test_too_many_shapes_of_free_room_are_said_to_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Best-fit has a list for each shape; for a scenario that needs more, the error says what to do instead."""
    monkeypatch.setattr(placement, "LISTS", 3)
    index = host_index(Platform(placement="best-fit", hosts=(HostPool(name="a", count=1, vcpus=8, memory_gib=32.0),)))
    assert placement.change(index, 0, -1, 0)
    assert placement.change(index, 0, -1, 0)
    assert not placement.change(index, 0, -1, 0)
    assert "first-fit" in str(placement.too_many_shapes())


def test_a_policy_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one, of rules that are there already, needs nothing but its row: here, racks and the fullest host in each."""
    members = {
        **placement.POLICIES,
        "packed-racks": placement.PlacementPolicy(words="", search=placement.LEAST_FREE, spreads=True),
    }
    monkeypatch.setattr(placement, "POLICIES", members)
    hosts = (HostPool(name="a", count=4, vcpus=8, memory_gib=32.0, racks=2),)
    group = fleet(vcpus=2, memory_gib=8.0).groups[0]
    platform = Platform(placement="packed-racks", hosts=hosts)
    index = host_index(platform)
    placed = placement.new_placement(platform, index, (group,))
    found = []
    for vm in range(6):
        found.append(placement.choose(index, placed, 0, vm))
        placement.count(index, placed, 0, found[-1], 1)
        placement.change(index, found[-1], -2, -8 * MIB)
    assert found == [0, 2, 0, 2, 0, 2]
