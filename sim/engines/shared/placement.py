"""Which host a VM gets: the policies, and an index over free vCPUs and memory whose cost hardly grows with the hosts.

A *unit* is what a policy compares: a cluster, or for a policy that spreads VMs one rack of a cluster. Inside a unit:

* the first host with room: a tree over the hosts in order, each node with the most free vCPUs and memory below it;
* the host with the least or most room: hosts that are alike (same free vCPUs, same free memory) stand in one list, lists
  in order of what is free. There are few lists, however many hosts.

The functions of `RULES` work on flat sequences of whole numbers (memory in MiB): the SimPy engine calls them with lists,
the compiled engine compiles them for arrays, and both put every VM on the same host.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sim.engines.shared import linked_list
from sim.engines.shared.linked_list import Cells, Links, empty_lists
from sim.errors import Fault
from sim.fields.registry import Registry
from sim.model.plan import GroupPlan, HostPool, Platform

MIB = 1024  # in a GiB
LISTS = 4096  # lists a unit may need; one for each different pair of free vCPUs and free memory
FIRST, LEAST_FREE, MOST_FREE = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmToPlace:
    """A VM that asks for a host, as a policy of a plug-in sees it."""

    group: str
    number: int  # in its group
    vcpus: int
    memory_gib: float
    priority: str
    now_s: float  # since the start of the run
    lifetime_s: float  # that it will have, which a real scheduler can only predict; infinite where demand gives none
    mean_lifetime_s: float  # of such VMs


class HostChooser(Protocol):
    """The policy of a plug-in in one replication: it may remember who is where. The same calls must give the same hosts."""

    def choose(self, vm: VmToPlace, hosts: Sequence[int]) -> int:
        """One of *hosts*, which all have room for the VM and are where it may be; they are numbered through all clusters.

        Called again for each attempt: it must not take for granted that the VM comes there.
        """

    def placed(self, vm: VmToPlace, host: int) -> None:
        """The VM is on a host, which may be one that room was reserved on, or that others were evicted from."""

    def left(self, group: str, number: int, host: int) -> None:
        """The VM is off its host: deallocated, deleted, evicted, or the host has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementPolicy:
    """How a host is chosen among those with enough room."""

    words: str  # "VMs get ..."
    search: int  # the first host of a unit, or the one with the least or the most free; units are compared alike
    spreads: bool = False  # units are racks, and the one with the fewest VMs of the group comes first
    chooser: Callable[[Platform], HostChooser] | None = None  # of a plug-in: chooses instead; the fleet runs in SimPy

    def __post_init__(self) -> None:
        if self.search not in range(3):
            raise ValueError(f"search is {self.search!r}; it is FIRST, LEAST_FREE or MOST_FREE")
        if self.chooser is not None and not callable(self.chooser):
            raise ValueError(f"chooser is {self.chooser!r}; it is called with the platform, and returns a HostChooser")


POLICIES = Registry[PlacementPolicy]("placement policy", base=PlacementPolicy, texts=("words",))
POLICIES.add("first-fit", PlacementPolicy(words="the first host with room", search=FIRST))
POLICIES.add("best-fit", PlacementPolicy(words="the host with the least room that is enough", search=LEAST_FREE))
POLICIES.add("worst-fit", PlacementPolicy(words="the host with the most room", search=MOST_FREE))
POLICIES.add(
    "balanced",
    PlacementPolicy(
        words="the rack with the fewest VMs of its group, there the first host with room", search=FIRST, spreads=True
    ),
)


class HostIndex(NamedTuple):
    """Every host of a platform, and where there is room. Hosts are numbered through all units."""

    search: int
    spreads: bool
    # By unit:
    host_base: Cells  # its first host
    hosts: Cells
    tree_base: Cells
    leaves: Cells
    lists_used: Cells
    zone: Cells
    cluster: Cells
    # By host:
    unit_of: Cells
    free_c: Cells
    free_m: Cells
    list_of: Cells
    # By node of a unit's tree:
    tree_c: Cells
    tree_m: Cells
    # By list; unit u has `LISTS` of them from u * LISTS on:
    order: Cells
    list_c: Cells
    list_m: Cells
    alike: Links  # its hosts


class Placement(NamedTuple):
    """What the choice of a host depends on besides room, and how many VMs are where."""

    # By group:
    vcpus: Cells
    memory: Cells
    set_of: Cells  # row of its availability set, or -1
    zones: Cells  # how many zones its VMs take in turn, or 0
    allowed_row: Cells  # of its first zone
    # Units that may hold a VM: row r has those from allowed_from[r] to allowed_from[r + 1].
    allowed_from: Cells
    allowed: Cells
    in_unit: Cells  # VMs on hosts: group * units + unit
    # By availability set:
    pinned: Cells  # the cluster that it is on
    members: Cells  # VMs on hosts


def tree_find(index: HostIndex, unit: int, vcpus: int, memory: int) -> int:
    """The first host of a unit with that much free, or -1."""
    base, leaves, tree_c, tree_m = index.tree_base[unit], index.leaves[unit], index.tree_c, index.tree_m
    if tree_c[base + 1] < vcpus or tree_m[base + 1] < memory:
        return -1
    node = 1
    while node < leaves:
        left = base + 2 * node
        if tree_c[left] >= vcpus and tree_m[left] >= memory:
            node = 2 * node
        elif tree_c[left + 1] >= vcpus and tree_m[left + 1] >= memory:
            node = 2 * node + 1
        else:
            # One host below has the vCPUs, another the memory: on to the next subtree that may have both.
            while node & 1 or tree_c[base + node + 1] < vcpus or tree_m[base + node + 1] < memory:
                node >>= 1
                if node <= 1:
                    return -1
            node += 1
            # A leaf may be reached from here as well: the loop looks again.
    return index.host_base[unit] + node - leaves


def tree_set(index: HostIndex, unit: int, host: int) -> None:
    """Take over into the tree what is free on a host."""
    base, tree_c, tree_m = index.tree_base[unit], index.tree_c, index.tree_m
    node = index.leaves[unit] + host - index.host_base[unit]
    tree_c[base + node] = index.free_c[host]
    tree_m[base + node] = index.free_m[host]
    node >>= 1
    while node >= 1:
        left = base + 2 * node
        most_c = max(tree_c[left], tree_c[left + 1])
        most_m = max(tree_m[left], tree_m[left + 1])
        if tree_c[base + node] == most_c and tree_m[base + node] == most_m:
            return  # nor does anything change further up
        tree_c[base + node] = most_c
        tree_m[base + node] = most_m
        node >>= 1


def list_rank(index: HostIndex, unit: int, vcpus: int, memory: int) -> int:
    """Where in the order of a unit's lists a shape stands, or would stand."""
    base, list_c, list_m = unit * LISTS, index.list_c, index.list_m
    low = 0
    high = index.lists_used[unit]
    while low < high:
        middle = (low + high) >> 1
        it = index.order[base + middle]
        if list_c[it] < vcpus or (list_c[it] == vcpus and list_m[it] < memory):
            low = middle + 1
        else:
            high = middle
    return low


def list_find(index: HostIndex, unit: int, vcpus: int, memory: int) -> int:
    """The host of a unit with the least or the most free that has enough, or -1."""
    base, used, order, host_of = unit * LISTS, index.lists_used[unit], index.order, index.alike.last
    if index.search == MOST_FREE:
        rank = used - 1
        while rank >= 0 and index.list_c[order[base + rank]] >= vcpus:
            it = order[base + rank]
            if host_of[it] >= 0 and index.list_m[it] >= memory:
                return host_of[it]
            rank -= 1
        return -1
    rank = list_rank(index, unit, vcpus, 0)
    while rank < used:
        it = order[base + rank]
        if host_of[it] >= 0 and index.list_m[it] >= memory:
            return host_of[it]
        rank += 1
    return -1


def list_enter(index: HostIndex, unit: int, host: int) -> bool:
    """Put a host at the end of the list of its shape; False if that were one list too many."""
    vcpus, memory, base, used = index.free_c[host], index.free_m[host], unit * LISTS, index.lists_used[unit]
    order = index.order
    rank = list_rank(index, unit, vcpus, memory)
    if rank < used and index.list_c[order[base + rank]] == vcpus and index.list_m[order[base + rank]] == memory:
        it = order[base + rank]
    else:
        if used >= LISTS:
            return False
        for place in range(used, rank, -1):
            order[base + place] = order[base + place - 1]
        it = base + used
        order[base + rank] = it
        index.list_c[it] = vcpus
        index.list_m[it] = memory
        index.lists_used[unit] = used + 1
    index.list_of[host] = it
    linked_list.append(index.alike, it, host)
    return True


def find(index: HostIndex, unit: int, vcpus: int, memory: int) -> int:
    """The host of a unit for a VM of that shape, or -1."""
    if index.search == FIRST:
        return tree_find(index, unit, vcpus, memory)
    return list_find(index, unit, vcpus, memory)


def put(index: HostIndex, host: int, vcpus: int, memory: int) -> bool:
    """Set what is free on a host (negative while it is out of order); False if there are too many shapes of room."""
    index.free_c[host] = vcpus
    index.free_m[host] = memory
    unit = index.unit_of[host]
    if index.search == FIRST:
        tree_set(index, unit, host)
        return True
    linked_list.remove(index.alike, index.list_of[host], host)
    return list_enter(index, unit, host)


def change(index: HostIndex, host: int, vcpus: int, memory: int) -> bool:
    """Add to (or take from) what is free on a host; False if there are too many shapes of room."""
    return put(index, host, index.free_c[host] + vcpus, index.free_m[host] + memory)


def zone_row(placement: Placement, group: int, vm: int) -> int:
    """Which units may hold the VM of that number in its group: the row of its zone."""
    zones = placement.zones[group]
    return placement.allowed_row[group] + (vm % zones if zones > 0 else 0)


def cluster_of_set(placement: Placement, group: int) -> int:
    """The cluster that holds the group's availability set, or -1: any may."""
    its_set = placement.set_of[group]
    return placement.pinned[its_set] if its_set >= 0 and placement.members[its_set] > 0 else -1


def choose(index: HostIndex, placement: Placement, group: int, vm: int) -> int:
    """The host for the VM of that number in its group, or -1."""
    row, cluster = zone_row(placement, group, vm), cluster_of_set(placement, group)
    here = group * len(index.cluster)
    best = -1
    for place in range(placement.allowed_from[row], placement.allowed_from[row + 1]):
        unit = placement.allowed[place]
        if cluster >= 0 and index.cluster[unit] != cluster:
            continue
        if (
            index.spreads
            and best >= 0
            and placement.in_unit[here + unit] >= placement.in_unit[here + index.unit_of[best]]
        ):
            continue
        host = find(index, unit, placement.vcpus[group], placement.memory[group])
        if host < 0:
            continue
        if best < 0 or index.spreads:
            best = host
        elif index.search == LEAST_FREE:
            if less_free(index, host, best):
                best = host
        elif less_free(index, best, host):
            best = host
        if index.search == FIRST and not index.spreads:
            break
    return best


def hosts_with_room(index: HostIndex, placement: Placement, group: int, vm: int) -> list[int]:
    """All hosts that have room for the VM of that number in its group, and are where it may be."""
    row, cluster = zone_row(placement, group, vm), cluster_of_set(placement, group)
    vcpus, memory = placement.vcpus[group], placement.memory[group]
    units = placement.allowed[placement.allowed_from[row] : placement.allowed_from[row + 1]]
    return [
        host
        for unit in units
        if cluster < 0 or index.cluster[unit] == cluster
        for host in range(index.host_base[unit], index.host_base[unit] + index.hosts[unit])
        if index.free_c[host] >= vcpus and index.free_m[host] >= memory
    ]


def allows(index: HostIndex, placement: Placement, group: int, vm: int, host: int) -> bool:
    """Whether a host is where the VM of that number in its group may be."""
    row, cluster, unit = zone_row(placement, group, vm), cluster_of_set(placement, group), index.unit_of[host]
    if cluster >= 0 and index.cluster[unit] != cluster:
        return False
    for place in range(placement.allowed_from[row], placement.allowed_from[row + 1]):
        if placement.allowed[place] == unit:
            return True
    return False


def less_free(index: HostIndex, one: int, other: int) -> bool:
    """Whether a host has less free than another: vCPUs first, then memory."""
    if index.free_c[one] != index.free_c[other]:
        return index.free_c[one] < index.free_c[other]
    return index.free_m[one] < index.free_m[other]


def count(index: HostIndex, placement: Placement, group: int, host: int, vms: int) -> None:
    """So many VMs of a group (1 or -1) come on a host."""
    unit, its_set = index.unit_of[host], placement.set_of[group]
    placement.in_unit[group * len(index.cluster) + unit] += vms
    if its_set >= 0:
        if placement.members[its_set] == 0:  # when a whole set is off, it may go anywhere next time
            placement.pinned[its_set] = index.cluster[unit]
        placement.members[its_set] += vms


def too_many_shapes() -> Fault:
    """What is wrong where `put` finds too many shapes of room."""
    return Fault(
        field="platform.placement",
        problem="the free room of a cluster's hosts comes in too many shapes for best-fit or worst-fit",
        hint='use placement = "first-fit"',
    )


RULES = (
    tree_find, tree_set, list_rank, list_find, list_enter, find, put, change, less_free, zone_row, cluster_of_set, choose, count, allows
)  # fmt: skip


def host_index(platform: Platform, policy: PlacementPolicy | None = None) -> HostIndex:
    """All hosts, empty, for the platform's policy or another one whose units are alike."""
    policy = policy or POLICIES[platform.placement]
    by_unit: dict[str, list[int]] = {
        name: [] for name in ("host_base", "hosts", "tree_base", "leaves", "zone", "cluster")
    }
    unit_of: list[int] = []
    free_c: list[int] = []
    free_m: list[int] = []
    nodes = 0
    for cluster, pool in enumerate(platform.hosts):
        for hosts in _units_of(pool, policy):
            leaves = 1 << (hosts - 1).bit_length()
            row = (len(unit_of), hosts, nodes, leaves, pool.zone or 0, cluster)
            for column, number in zip(by_unit.values(), row, strict=True):
                column.append(number)
            nodes += 2 * leaves
            unit_of += [len(by_unit["hosts"]) - 1] * hosts
            free_c += [pool.vcpus] * hosts
            free_m += [round(pool.memory_gib * MIB)] * hosts
    units, count = len(by_unit["hosts"]), len(unit_of)
    if policy.search != FIRST:
        nodes = 0
    lists = 0 if policy.search == FIRST else units * LISTS
    index = HostIndex(
        search=policy.search, spreads=policy.spreads, **by_unit, lists_used=[0] * units, unit_of=unit_of, free_c=free_c, free_m=free_m,
        list_of=[0] * count, tree_c=[-1] * nodes, tree_m=[-1] * nodes,
        order=[0] * lists, list_c=[0] * lists, list_m=[0] * lists, alike=empty_lists(lists, count),
    )  # fmt: skip
    # Backwards, so that of hosts that are alike the first is taken first.
    for host in reversed(range(count)):
        if policy.search == FIRST:
            tree_set(index, unit_of[host], host)
        else:
            list_enter(index, unit_of[host], host)
    return index


def _units_of(pool: HostPool, policy: PlacementPolicy) -> list[int]:
    """How many hosts each unit of a cluster has: its racks where VMs are spread over them."""
    if not policy.spreads:
        return [pool.count]
    racks = min(pool.racks, pool.count)
    return [pool.count // racks + (rack < pool.count % racks) for rack in range(racks)]


def new_placement(platform: Platform, index: HostIndex, groups: Sequence[GroupPlan]) -> Placement:
    """The groups of a fleet, none of their VMs on a host."""
    sets = sorted({(group.region, group.availability_set) for group in groups if group.availability_set})
    allowed: list[list[int]] = []
    allowed_row = []
    for group in groups:
        allowed_row.append(len(allowed))
        allowed += [_allowed_units(platform, index, group, zone) for zone in group.zones or (0,)]
    return Placement(
        vcpus=[group.vcpus for group in groups],
        memory=[round(group.memory_gib * MIB) for group in groups],
        set_of=[
            sets.index((group.region, group.availability_set)) if group.availability_set else -1 for group in groups
        ],
        zones=[len(group.zones) for group in groups],
        allowed_row=allowed_row,
        allowed_from=[sum(map(len, allowed[:row])) for row in range(len(allowed) + 1)],
        allowed=[unit for units in allowed for unit in units],
        in_unit=[0] * (len(groups) * len(index.hosts)),
        pinned=[0] * len(sets),
        members=[0] * len(sets),
    )


def _allowed_units(platform: Platform, index: HostIndex, group: GroupPlan, zone: int) -> list[int]:
    """The units that may hold a group's VMs of a zone (0: any): its dedicated clusters if it has some, else its region's common ones."""
    pools = [(place, pool) for place, pool in enumerate(platform.hosts) if pool.region == group.region]
    dedicated = {place for place, pool in pools if group.name in pool.only_groups}
    common = {place for place, pool in pools if not pool.only_groups}
    anywhere = {place for place, pool in pools if pool.holds}
    return [
        unit
        for unit, cluster in enumerate(index.cluster)
        if cluster in (dedicated or common) and (not zone or index.zone[unit] == zone or cluster in anywhere)
    ]
