"""Finding room: an index over the free vCPUs and memory of hosts, whose cost hardly grows with their number.

A *unit* is what a policy chooses among: a cluster, or for `balanced` one rack of a cluster. Inside a unit:

* first-fit: a tree over the hosts in order, each node with the most free vCPUs and the most free memory below it;
* best-fit and worst-fit: hosts that are alike (same free vCPUs, same free memory) stand in one list, lists in order of
  what is free. There are few lists, however many hosts.

The functions work on flat sequences of whole numbers (memory in MiB) and import nothing: the SimPy walker calls them
with lists, the kernel compiles them for arrays, and both put every VM on the same host.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from dataclasses import dataclass, field

from sim.model.plan import HostPool, Platform

MIB = 1024  # in a GiB
LISTS = 4096  # lists a unit may need; one for each different pair of free vCPUs and free memory
FIRST_FIT, BEST_FIT, WORST_FIT, BALANCED = range(4)
POLICIES = {"first-fit": FIRST_FIT, "best-fit": BEST_FIT, "worst-fit": WORST_FIT, "balanced": BALANCED}
# Columns of the unit table.
HOST_BASE, HOSTS, TREE_BASE, LEAVES, LIST_BASE, LISTS_USED, ZONE, CLUSTER = range(8)
UNIT_COLUMNS = 8

Cells = MutableSequence[int]  # a list, or an array


def tree_find(base: int, leaves: int, vcpus: int, memory: int, tree_c: Cells, tree_m: Cells) -> int:
    """The first host of a unit with that much free, or -1; base is where the unit's tree begins."""
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
            # One host below has the vCPUs, another the memory: on to the next subtree that promises both.
            while node & 1 or tree_c[base + node + 1] < vcpus or tree_m[base + node + 1] < memory:
                node >>= 1
                if node <= 1:
                    return -1
            node += 1
            # A leaf may be reached from here as well: the loop looks again.
    return node - leaves


def tree_set(base: int, leaves: int, host: int, vcpus: int, memory: int, tree_c: Cells, tree_m: Cells) -> None:
    """Tell the tree what is free on a host."""
    node = leaves + host
    tree_c[base + node] = vcpus
    tree_m[base + node] = memory
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


def list_rank(base: int, used: int, vcpus: int, memory: int, order: Cells, list_c: Cells, list_m: Cells) -> int:
    """Where in the order of lists a shape stands, or would stand."""
    low = 0
    high = used
    while low < high:
        middle = (low + high) >> 1
        it = order[base + middle]
        if list_c[it] < vcpus or (list_c[it] == vcpus and list_m[it] < memory):
            low = middle + 1
        else:
            high = middle
    return low


def list_find(
    base: int,
    used: int,
    rank: int,
    vcpus: int,
    memory: int,
    worst: bool,
    order: Cells,
    list_c: Cells,
    list_m: Cells,
    head: Cells,
) -> int:
    """The list of the host with the least (from *rank* on) or the most free that has enough, or -1."""
    if worst:
        rank = used - 1
        while rank >= 0 and list_c[order[base + rank]] >= vcpus:
            it = order[base + rank]
            if head[it] >= 0 and list_m[it] >= memory:
                return it
            rank -= 1
        return -1
    while rank < used:
        it = order[base + rank]
        if head[it] >= 0 and list_m[it] >= memory:
            return it
        rank += 1
    return -1


def list_leave(host: int, at: Cells, head: Cells, following: Cells, before: Cells) -> None:
    """Take a host out of its list."""
    it = at[host]
    if before[host] >= 0:
        following[before[host]] = following[host]
    else:
        head[it] = following[host]
    if following[host] >= 0:
        before[following[host]] = before[host]


def list_enter(
    base: int,
    used: int,
    rank: int,
    host: int,
    vcpus: int,
    memory: int,
    order: Cells,
    list_c: Cells,
    list_m: Cells,
    head: Cells,
    at: Cells,
    following: Cells,
    before: Cells,
) -> int:
    """Put a host at the head of the list of its shape, which stands or is to stand at *rank*.

    Returns how many lists the unit has then, or -1 if they would be too many.
    """
    if rank < used and list_c[order[base + rank]] == vcpus and list_m[order[base + rank]] == memory:
        it = order[base + rank]
    else:
        if used >= LISTS:
            return -1
        for place in range(used, rank, -1):
            order[base + place] = order[base + place - 1]
        it = base + used
        order[base + rank] = it
        list_c[it] = vcpus
        list_m[it] = memory
        head[it] = -1
        used += 1
    at[host] = it
    before[host] = -1
    following[host] = head[it]
    if head[it] >= 0:
        before[head[it]] = host
    head[it] = host
    return used


@dataclass(slots=True)
class HostIndex:
    """Every host of a platform, and where there is room. Hosts are numbered through all units."""

    policy: int
    units: list[list[int]]
    free_c: list[int]
    free_m: list[int]
    tree_c: list[int]
    tree_m: list[int]
    order: list[int]
    list_c: list[int]
    list_m: list[int]
    head: list[int]
    at: list[int]
    following: list[int]
    before: list[int]
    unit_of: list[int] = field(default_factory=list)

    @property
    def by_tree(self) -> bool:
        """Whether hosts are found in order, not by what is free."""
        return self.policy in (FIRST_FIT, BALANCED)

    def find(self, unit: int, vcpus: int, memory: int) -> int:
        """The unit's host for a VM of that shape, or -1."""
        row = self.units[unit]
        if self.by_tree:
            place = tree_find(row[TREE_BASE], row[LEAVES], vcpus, memory, self.tree_c, self.tree_m)
            return place if place < 0 else row[HOST_BASE] + place
        base, used = row[LIST_BASE], row[LISTS_USED]
        rank = list_rank(base, used, vcpus, 0, self.order, self.list_c, self.list_m)
        worst = self.policy == WORST_FIT
        it = list_find(base, used, rank, vcpus, memory, worst, self.order, self.list_c, self.list_m, self.head)
        return it if it < 0 else self.head[it]

    def change(self, host: int, vcpus: int, memory: int) -> None:
        """Add to (or take from) what is free on a host."""
        self.put(host, self.free_c[host] + vcpus, self.free_m[host] + memory)

    def put(self, host: int, vcpus: int, memory: int) -> None:
        """What is free on a host; negative while it is out of order."""
        self.free_c[host], self.free_m[host] = vcpus, memory
        row = self.units[self.unit_of[host]]
        if self.by_tree:
            tree_set(row[TREE_BASE], row[LEAVES], host - row[HOST_BASE], vcpus, memory, self.tree_c, self.tree_m)
            return
        list_leave(host, self.at, self.head, self.following, self.before)
        self._enter(row, host, vcpus, memory)

    def _enter(self, row: list[int], host: int, vcpus: int, memory: int) -> None:
        rank = list_rank(row[LIST_BASE], row[LISTS_USED], vcpus, memory, self.order, self.list_c, self.list_m)
        used = list_enter(
            row[LIST_BASE], row[LISTS_USED], rank, host, vcpus, memory,
            self.order, self.list_c, self.list_m, self.head, self.at, self.following, self.before,
        )  # fmt: skip
        if used < 0:
            raise ValueError(f"more than {LISTS} different shapes of free room in one cluster: use placement first-fit")
        row[LISTS_USED] = used


def host_index(platform: Platform) -> HostIndex:
    """All hosts, empty."""
    policy = POLICIES[platform.placement]
    units: list[list[int]] = []
    shapes: list[tuple[int, int]] = []
    unit_of: list[int] = []
    tree_base = 0
    for cluster, pool in enumerate(platform.hosts):
        for hosts in _units_of(pool, policy):
            leaves = 1
            while leaves < hosts:
                leaves *= 2
            row = [0] * UNIT_COLUMNS
            row[HOST_BASE], row[HOSTS], row[TREE_BASE], row[LEAVES] = len(unit_of), hosts, tree_base, leaves
            row[LIST_BASE], row[ZONE], row[CLUSTER] = len(units) * LISTS, pool.zone or 0, cluster
            tree_base += 2 * leaves
            unit_of += [len(units)] * hosts
            shapes += [(pool.vcpus, round(pool.memory_gib * MIB))] * hosts
            units.append(row)
    by_tree = policy in (FIRST_FIT, BALANCED)
    lists = 0 if by_tree else len(units) * LISTS
    count = len(unit_of)
    index = HostIndex(
        policy=policy, units=units, unit_of=unit_of,
        free_c=[c for c, _ in shapes], free_m=[m for _, m in shapes],
        tree_c=[-1] * tree_base if by_tree else [], tree_m=[-1] * tree_base if by_tree else [],
        order=[0] * lists, list_c=[0] * lists, list_m=[0] * lists, head=[-1] * lists,
        at=[0] * count, following=[-1] * count, before=[-1] * count,
    )  # fmt: skip
    # Backwards, so that of hosts that are alike the first is taken first.
    for host in reversed(range(count)):
        row = units[unit_of[host]]
        if by_tree:
            tree_set(row[TREE_BASE], row[LEAVES], host - row[HOST_BASE], *shapes[host], index.tree_c, index.tree_m)
        else:
            index._enter(row, host, *shapes[host])
    return index


def _units_of(pool: HostPool, policy: int) -> list[int]:
    """How many hosts each unit of a cluster has: its racks where VMs are balanced over them."""
    if policy != BALANCED:
        return [pool.count]
    racks = min(pool.racks, pool.count)
    return [pool.count // racks + (rack < pool.count % racks) for rack in range(racks)]


def allowed_units(platform: Platform, index: HostIndex, group: str, zone: int) -> list[int]:
    """The units that may hold a group's VMs of a zone (0: any): its dedicated clusters if it has some, else the common."""
    dedicated = {place for place, pool in enumerate(platform.hosts) if group in pool.only_groups}
    common = {place for place, pool in enumerate(platform.hosts) if not pool.only_groups}
    return [
        unit
        for unit, row in enumerate(index.units)
        if row[CLUSTER] in (dedicated or common) and (not zone or row[ZONE] == zone)
    ]
