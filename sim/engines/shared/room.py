"""Room on hosts: who is on which, who has to leave one for others, and room that is reserved.

The functions work on flat sequences of whole numbers, as those of `placement` do: the SimPy engine calls them with lists, the
compiled engine compiles them for arrays. A VM is a row, which an engine chooses.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

from sim.engines.shared import linked_list, placement
from sim.engines.shared.linked_list import Cells, Links, empty_lists
from sim.engines.shared.placement import MIB, POLICIES, HostIndex, Placement
from sim.errors import Fault, ScenarioError
from sim.model.plan import GroupPlan, Platform, Reserved

# Columns of `Room.vms`. NOWHERE: on no host; it leaves none.
HOST, GROUP, UNIT, LEAVES = range(4)
VM_COLUMNS = 4
NOWHERE, FAILED = -1, -2  # FAILED: the host that the VM leaves has failed meanwhile
# Columns of `Room.units`, a row for each VM that room is reserved for.
UNIT_HOST, UNIT_HELD, UNIT_FREE = range(3)
UNIT_COLUMNS = 3
# What `ask_host` returns instead of a host.
NO_ROOM, TOO_MANY_SHAPES, ENDLESS = -1, -2, -3
AS_THE_POLICY_SAYS = -4  # instead of a host that is wanted
# Elements of `Room.answer`.
EVICTED, WAITS = range(2)
# Elements of `Room.use`: instants in `CLOCK` parts of a second; hosts in all, those that hold a VM now, and the most that did.
NOW, START, END, HOSTS, USED, MOST_USED = range(6)
CLOCK = 1024


class Room(NamedTuple):
    """Hosts, and the VMs on them."""

    hosts: HostIndex
    if_evicted: (
        HostIndex  # what would be free if every spot VM went: where a regular VM looks when nothing else is left
    )
    placement: Placement
    may_evict: bool  # there are regular VMs, and spot VMs
    is_tracked: bool  # it is known which VMs are on a host; else only how many
    # By group:
    spot: Cells
    endless: Cells  # hardware without end
    held_time: Cells  # vCPUs that its VMs hold of hosts, times the time that is counted
    # By host:
    all_c: Cells  # what is free while no VM is there
    all_m: Cells
    down: Cells  # how many failures it is out of order for
    vms_on: Cells
    on_host: Links  # VMs, in order of arrival
    leaving: Links  # evicted VMs that are still there; the last list is of hosts that have failed meanwhile
    leaving_c: Cells  # what they will leave that is reserved for none of those they make room for
    leaving_m: Cells
    units_from: Cells  # reserved room on it: place in `units_on`; one more than hosts
    units_on: Cells
    free: Links  # by reservation: room of it that no VM takes
    # Reservations that a group may use: from held_from[g] to held_from[g + 1] of `held`
    held_from: Cells
    held: Cells
    units: Cells
    vms: Cells
    use: Cells
    answer: (
        Cells  # first VM evicted by the last `ask_host`, or -1; whether the VM has to wait for all that leave its host
    )


def change_free(room: Room, host: int, vcpus: int, memory: int, spot: int) -> bool:
    """Add to what is free on a host, because of a spot VM or of another; False: too many shapes of room."""
    if not placement.change(room.hosts, host, vcpus, memory):
        return False
    if room.may_evict and not spot:
        change_if_evicted(room, host, vcpus, memory)
    return True


def set_clock(room: Room, now_s: float) -> None:
    """What happens next happens now."""
    room.use[NOW] = int(now_s * CLOCK + 0.5)


def count_use(room: Room, group: int, host: int, vms: int) -> None:
    """So many VMs of a group (1 or -1) come on a host now: what is in use of the hosts, from the end of the warm-up on."""
    use = room.use
    if host >= use[HOSTS]:  # a reservation by itself
        return
    room.held_time[group] += vms * room.placement.vcpus[group] * (use[END] - max(use[NOW], use[START]))
    if use[NOW] > use[START]:
        use[MOST_USED] = max(use[MOST_USED], use[USED])
    before = min(room.vms_on[host], 1)
    room.vms_on[host] += vms
    use[USED] += min(room.vms_on[host], 1) - before
    if use[NOW] >= use[START]:
        use[MOST_USED] = max(use[MOST_USED], use[USED])


def enter(room: Room, row: int, group: int, host: int, unit: int) -> None:
    """A VM comes on a host."""
    vms, at = room.vms, row * VM_COLUMNS
    vms[at + HOST] = host
    placement.count(room.hosts, room.placement, group, host, 1)
    count_use(room, group, host, 1)
    if room.is_tracked:
        vms[at + GROUP] = group
        vms[at + UNIT] = unit
        linked_list.append(room.on_host, host, row)


def leave(room: Room, row: int, group: int) -> None:
    """A VM is off its host; its room isn't free yet."""
    host = room.vms[row * VM_COLUMNS + HOST]
    if room.is_tracked:
        linked_list.remove(room.on_host, host, row)
    placement.count(room.hosts, room.placement, group, host, -1)
    count_use(room, group, host, -1)
    room.vms[row * VM_COLUMNS + HOST] = NOWHERE


def give_host(room: Room, row: int, group: int) -> bool:
    """A VM gives back its room; False: too many shapes of room."""
    at = row * VM_COLUMNS
    host = room.vms[at + HOST]
    leave(room, row, group)
    if room.is_tracked and room.vms[at + UNIT] >= 0:
        free_unit(room, room.vms[at + UNIT])
        room.vms[at + UNIT] = -1
        return True
    return change_free(room, host, room.placement.vcpus[group], room.placement.memory[group], room.spot[group])


def ask_host(room: Room, row: int, group: int, vm: int, avoid: int, is_refused: bool, wanted: int) -> int:
    """Put a VM on a host, evicting spot VMs for a regular one if need be: the host, NO_ROOM, TOO_MANY_SHAPES, or ENDLESS: on none.

    The host to *avoid* (-1: none) is taken only if no other has room. A VM that *is_refused* may take reserved room only. Evicted VMs are off the host, but still leaving it: until
    all of them have gone the room is reserved for this VM, but not free. A host that is *wanted* (NO_ROOM: none has room) is
    one that a plug-in has chosen.
    """
    room.answer[EVICTED] = -1
    room.answer[WAITS] = 0
    unit = take_unit(room, group, vm)
    if unit >= 0:
        enter(room, row, group, room.units[unit * UNIT_COLUMNS + UNIT_HOST], unit)
        return room.units[unit * UNIT_COLUMNS + UNIT_HOST]
    if is_refused:
        return NO_ROOM
    if room.endless[group]:
        return ENDLESS
    host = wanted
    if wanted == AS_THE_POLICY_SAYS:
        host = find_elsewhere(room, group, vm, avoid) if avoid >= 0 else NO_ROOM
        if host == NO_ROOM:
            host = placement.choose(room.hosts, room.placement, group, vm)
    if host >= 0:
        if not change_free(room, host, -room.placement.vcpus[group], -room.placement.memory[group], room.spot[group]):
            return TOO_MANY_SHAPES
    elif host == NO_ROOM and room.may_evict and not room.spot[group]:
        host = evict_for(room, group, vm)
    if host >= 0:
        enter(room, row, group, host, -1)
    return host


def put_free(room: Room, host: int, vcpus: int, memory: int) -> bool:
    """Set what is free on a host (negative: it is out of order, or hidden); False: too many shapes of room."""
    return placement.put(room.hosts, host, vcpus, memory)


def change_if_evicted(room: Room, host: int, vcpus: int, memory: int) -> None:
    """Add to what would be free on a host if every spot VM went."""
    placement.change(room.if_evicted, host, vcpus, memory)


def find_elsewhere(room: Room, group: int, vm: int, avoid: int) -> int:
    """A host other than one to avoid, or NO_ROOM, TOO_MANY_SHAPES."""
    free_c, free_m = room.hosts.free_c[avoid], room.hosts.free_m[avoid]
    if not put_free(room, avoid, -1, -1):
        return TOO_MANY_SHAPES
    host = placement.choose(room.hosts, room.placement, group, vm)
    put_free(room, avoid, free_c, free_m)
    return host


def evict_for(room: Room, group: int, vm: int) -> int:
    """A host that has room for a regular VM once its youngest spot VMs, which are evicted, have gone; or NO_ROOM, TOO_MANY_SHAPES.

    The VM takes what is free at once, and the rest is reserved for it of what the others leave behind. What they leave beyond
    that is free when all of them have gone.
    """
    host = placement.choose(room.if_evicted, room.placement, group, vm)
    if host < 0:
        return NO_ROOM
    vms, vcpus, memory = room.vms, room.placement.vcpus[group], room.placement.memory[group]
    now_c, now_m = min(vcpus, room.hosts.free_c[host]), min(memory, room.hosts.free_m[host])
    room.leaving_c[host] -= vcpus - now_c
    room.leaving_m[host] -= memory - now_m
    row = room.on_host.last[host]
    while room.leaving_c[host] < 0 or room.leaving_m[host] < 0:
        before, its_group = room.on_host.before[row], vms[row * VM_COLUMNS + GROUP]
        if room.spot[its_group]:
            leave(room, row, its_group)
            room.leaving_c[host] += room.placement.vcpus[its_group]
            room.leaving_m[host] += room.placement.memory[its_group]
            vms[row * VM_COLUMNS + LEAVES] = host
            linked_list.append(room.leaving, host, row)
            if room.answer[EVICTED] < 0:
                room.answer[EVICTED] = row
        row = before
    room.answer[WAITS] = 1
    change_if_evicted(room, host, -vcpus, -memory)
    if not put_free(room, host, room.hosts.free_c[host] - now_c, room.hosts.free_m[host] - now_m):
        return TOO_MANY_SHAPES
    return host


def has_gone(room: Room, row: int) -> bool:
    """An evicted VM is off its host for good; False: too many shapes of room."""
    host = room.vms[row * VM_COLUMNS + LEAVES]
    room.vms[row * VM_COLUMNS + LEAVES] = NOWHERE
    linked_list.remove(room.leaving, host if host >= 0 else len(room.down), row)
    if host < 0 or room.leaving.first[host] >= 0:
        return True
    vcpus, memory = room.leaving_c[host], room.leaving_m[host]
    room.leaving_c[host] = 0
    room.leaving_m[host] = 0
    return put_free(room, host, room.hosts.free_c[host] + vcpus, room.hosts.free_m[host] + memory)


# -- failures --------------------------------------------------------------------------------------------------------


def empty_host(room: Room, host: int, vcpus: int, memory: int) -> bool:
    """Set what is free on a host without VMs; False: too many shapes of room."""
    if room.may_evict:
        now = room.if_evicted
        change_if_evicted(room, host, vcpus - now.free_c[host], memory - now.free_m[host])
    return put_free(room, host, vcpus, memory)


def fail_host(room: Room, host: int) -> bool:
    """A host is out of order; its VMs have left it. False: too many shapes of room."""
    row = room.leaving.first[host]
    while row >= 0:
        room.vms[row * VM_COLUMNS + LEAVES] = FAILED
        row = room.leaving.after[row]
    room.leaving.first[host] = -1
    room.leaving.last[host] = -1
    room.leaving_c[host] = 0
    room.leaving_m[host] = 0
    for place in range(room.units_from[host], room.units_from[host + 1]):
        if room.units[room.units_on[place] * UNIT_COLUMNS + UNIT_FREE]:
            hide_unit(room, room.units_on[place])
    return empty_host(room, host, -1, -1)


def repair_host(room: Room, host: int) -> bool:
    """A host is back, empty but for the room that is reserved on it. False: too many shapes of room."""
    for place in range(room.units_from[host], room.units_from[host + 1]):
        free_unit(room, room.units_on[place])
    return empty_host(room, host, room.all_c[host], room.all_m[host])


# -- reserved room ---------------------------------------------------------------------------------------------------


def take_unit(room: Room, group: int, vm: int) -> int:
    """Reserved room for the VM of that number in its group, which is taken; or -1."""
    for place in range(room.held_from[group], room.held_from[group + 1]):
        unit = room.free.first[room.held[place]]
        while unit >= 0:
            if placement.allows(room.hosts, room.placement, group, vm, room.units[unit * UNIT_COLUMNS + UNIT_HOST]):
                hide_unit(room, unit)
                return unit
            unit = room.free.after[unit]
    return -1


def hide_unit(room: Room, unit: int) -> None:
    """Reserved room isn't free any more."""
    room.units[unit * UNIT_COLUMNS + UNIT_FREE] = 0
    linked_list.remove(room.free, room.units[unit * UNIT_COLUMNS + UNIT_HELD], unit)


def free_unit(room: Room, unit: int) -> None:
    """Reserved room is free: the last of its reservation to be taken again."""
    room.units[unit * UNIT_COLUMNS + UNIT_FREE] = 1
    linked_list.append(room.free, room.units[unit * UNIT_COLUMNS + UNIT_HELD], unit)


RULES = (
    *linked_list.RULES, *placement.RULES, set_clock, count_use, change_free, enter, leave, give_host, ask_host, put_free, change_if_evicted,
    find_elsewhere, evict_for, has_gone, empty_host, fail_host, repair_host, take_unit, hide_unit, free_unit,
)  # fmt: skip


def add_row(room: Room) -> None:
    """A row for one more VM, which is on no host."""
    room.vms.extend([NOWHERE] * VM_COLUMNS)
    for links in (room.on_host, room.leaving):
        links.before.append(-1)
        links.after.append(-1)


def use_of_hosts(
    room: Room, platform: Platform, groups: Sequence[GroupPlan]
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """At the horizon: each group's share of its region's vCPUs, and under "" that of all hosts; the most hosts that held a VM at once."""
    time = int(room.use[END] - room.use[START])
    held = {group.name: int(held) for group, held in zip(groups, room.held_time, strict=True)}
    parts = [(group.name, held[group.name], group.region) for group in groups] + [("", sum(held.values()), None)]
    shares = {}
    for name, mine, region in parts:
        pools = [pool for pool in platform.hosts if region in (None, pool.region) and not pool.holds]
        if vcpus := sum(pool.count * pool.vcpus for pool in pools):
            shares[name] = {"hosts.used_share": mine / (vcpus * time)}
    return shares, {"hosts.peak_used": int(max(room.use[MOST_USED], room.use[USED]))} if shares else {}


def new_room(
    platform: Platform, groups: Sequence[GroupPlan], *, is_tracked: bool = True, window_s: tuple[float, float] = (0.0, 1.0)
) -> Room:  # fmt: skip
    """The hosts of a platform without VMs, and what is reserved on them. Raises ScenarioError: they are too small for that."""
    index = placement.host_index(platform)
    hosts = len(index.unit_of)
    spot = [int(group.priority == "spot") for group in groups]
    policy = POLICIES[platform.placement]
    reserved = platform.reserved if hosts else ()
    usable = [[place for place, held in enumerate(reserved) if held.is_for(group)] for group in groups]
    room = Room(
        hosts=index,
        if_evicted=placement.host_index(platform, replace(policy, search=placement.FIRST)),
        placement=placement.new_placement(platform, index, groups),
        may_evict=bool(hosts) and any(spot) and not all(spot),
        is_tracked=is_tracked,
        spot=spot,
        endless=[int(platform.is_endless(group.region)) for group in groups], held_time=[0] * len(groups),
        all_c=[], all_m=[], down=[0] * hosts, vms_on=[0] * hosts, on_host=empty_lists(hosts), leaving=empty_lists(hosts + 1), leaving_c=[0] * hosts, leaving_m=[0] * hosts,
        units_from=[], units_on=[], free=empty_lists(len(reserved), sum(held.quantity for held in reserved)),
        held_from=[*accumulate(map(len, usable), initial=0)],
        held=[place for mine in usable for place in mine],
        units=[], vms=[], answer=[-1, 0],
        use=[0, *(int(at_s * CLOCK + 0.5) for at_s in window_s), sum(p.count for p in platform.hosts if not p.holds), 0, 0],
    )  # fmt: skip
    for place, held in enumerate(reserved):
        _reserve(room, platform, place, held)
    room.all_c.extend(index.free_c)
    room.all_m.extend(index.free_m)
    by_host: list[list[int]] = [[] for _ in range(hosts)]
    for unit in range(len(room.units) // UNIT_COLUMNS):
        by_host[room.units[unit * UNIT_COLUMNS + UNIT_HOST]].append(unit)
    room.units_from.extend(accumulate(map(len, by_host), initial=0))
    room.units_on.extend(unit for units in by_host for unit in units)
    return room


def _reserve(room: Room, platform: Platform, place: int, held: Reserved) -> None:
    """Find a host for each VM that room is reserved for."""
    memory, index = round(held.memory_gib * MIB), room.hosts
    by_itself = platform.is_endless(held.region)
    pools = [
        pool.region == held.region and (pool.holds == held.name if by_itself else not pool.only_groups)
        for pool in platform.hosts
    ]
    common = [unit for unit, cluster in enumerate(index.cluster) if pools[cluster]]
    for number in range(held.quantity):
        found = (placement.find(index, unit, held.vcpus, memory) for unit in common)
        host = next((host for host in found if host >= 0), -1)
        if host < 0:
            fault = Fault(
                field=f"commitment.{held.name}.quantity", value=held.quantity,
                problem=f"the hosts have room for {number} x {held.size} only",
                hint="reserve fewer, or give the platform more hosts",
            )  # fmt: skip
            raise ScenarioError([fault])
        if not change_free(room, host, -held.vcpus, -memory, 0):
            raise ScenarioError([placement.too_many_shapes()])
        unit = len(room.units) // UNIT_COLUMNS
        room.units.extend((host, place, 0))
        free_unit(room, unit)
