"""VMs that share a platform: an event queue of nothing but the moments at which something may depend on others.

Between two such moments a VM goes on by itself, in one call of `vm_loop.advance`. What is queued is what
`VmOnPlatform.acquire_resources` yields for, in the same order, and faults. A VM on a host goes on up to the instant at which
that host may fail, or is maintained, and waits there in its stay; one that may have to leave for another VM at any instant is
queued from stay to stay.
"""

import numpy as np

from sim.distributions.streams import EARLIER_BITS, GOLDEN
from sim.engines.compiled.acquisition import AGAIN, FAILED, acquire, next_stage, rank_of
from sim.engines.compiled.compiler import by_reference, cached, compiled, inlined
from sim.engines.compiled.demand import NEVER, is_full, mix, pass_time

# isort: off
from sim.engines.compiled.disruptions import (
    ADMITTING, GIVING, LEAVING, NOTHING, WAITING, next_strike, run_fault, start_faults,
)  # fmt: skip
from sim.engines.compiled.event_queue import begin_in_slot, pop, push_vm
from sim.engines.compiled.layout import (
    ALWAYS_QUEUED, ASKED, BIRTH, BUFFERS_FULL, DONE, FREE, MARGIN, NEXT_BIRTH, NOTES, NO_SLOTS, OF_GROUP, OWNER, PAUSE, PENDING, QUEUED, QUEUE_FULL,
    SERVING, SLOT_BITS, STAGE, STATE, STAMP, STARTED, STATUS, STUCK_VM, T, TOO_MANY_SHAPES, VM_IS_STUCK, WAKES, Births, SharedFleet,
    AWAITED_SINCE, DIES, DUE, EVICTED, HAS_RUN, INDEX, MOVED, MOVES_ON, MOVING_SINCE, OTHER, REQUESTED, WORK,
)  # fmt: skip

# isort: on
from sim.engines.compiled.scaling import lines_left, look, meter_load, meter_vm, start_scaling
from sim.engines.compiled.vm_loop import ENDED, FULL, PARKED, RESUME, advance, begin, begin_work
from sim.engines.shared.priorities import INTERRUPTS, MOVES, RELEASES, REQUESTS, TICKS
from sim.engines.shared.room import HOST, LEAVES, NOWHERE, UNIT, VM_COLUMNS

SLOT_MASK = (1 << SLOT_BITS) - 1
AT_BIRTH = -1  # instead of a key
_GOLDEN = np.uint64(GOLDEN)


@inlined
def _is_queued(slot: int, shared: SharedFleet) -> bool:
    """Whether something may reach a VM where it is at any instant, so that it is queued from stay to stay."""
    group, hosts = shared.fleet.vms.ints[slot, OF_GROUP], shared.platform.room
    return bool(
        shared.fleet.tables.settings[group, ALWAYS_QUEUED]
        or (hosts.may_evict and hosts.spot[group] and hosts.vms[slot * VM_COLUMNS + HOST] >= 0)
    )


@inlined
def _bound(slot: int, shared: SharedFleet) -> float:
    """The instant from which on something may reach a VM on a host, if it is on one (s)."""
    host = shared.platform.room.vms[slot * VM_COLUMNS + HOST]
    return next_strike(host, shared.faults) if shared.platform.room.is_tracked and host >= 0 else NEVER


@compiled
def _move_on(slot: int, shared: SharedFleet) -> int:
    """The request goes on with a VM of the other priority, under its number: its first transition."""
    fleet, birth, places, row = shared.fleet, shared.scaled.birth, shared.platform.room.vms, slot * VM_COLUMNS
    floats, ints, tables = fleet.vms.floats, fleet.vms.ints, fleet.tables
    group = tables.settings[ints[slot, OF_GROUP], OTHER]
    requested, work, left, due = floats[slot, REQUESTED], floats[slot, WORK], floats[slot, DIES], floats[slot, DUE]
    moved, has_run, evicted, since = (
        ints[slot, MOVED] + 1,
        ints[slot, HAS_RUN],
        ints[slot, EVICTED],
        floats[slot, MOVING_SINCE],
    )
    birth.born_s[0] = floats[slot, T]
    birth.group[0] = group
    birth.vm[0] = ints[slot, INDEX]
    birth.key[0] = mix(tables.group_keys[group] + _GOLDEN * np.uint64(ints[slot, INDEX] + 1 + (moved << EARLIER_BITS)))
    row_of_birth = ints[slot, BIRTH]
    transition = begin(slot, 0, floats[slot, T], birth, fleet)
    ints[slot, BIRTH] = row_of_birth
    floats[slot, REQUESTED], floats[slot, WORK], floats[slot, DIES], floats[slot, DUE] = requested, work, left, due
    ints[slot, MOVED], ints[slot, HAS_RUN], ints[slot, EVICTED], floats[slot, AWAITED_SINCE] = (
        moved,
        has_run,
        evicted,
        since,
    )
    places[row + HOST] = NOWHERE
    places[row + UNIT] = -1
    places[row + LEAVES] = NOWHERE
    return transition  # type: ignore[no-any-return]


@inlined
def _leave_slot(slot: int, transition: int, shared: SharedFleet) -> None:
    """Nothing more happens to a VM; its slot is free, unless others still find it on its host."""
    ints, hosts, queue, row = shared.fleet.vms.ints, shared.platform.room, shared.queue, slot * VM_COLUMNS
    ints[slot, STAGE] = NOTHING
    is_there = hosts.is_tracked and (hosts.vms[row + HOST] >= 0 or hosts.vms[row + LEAVES] != NOWHERE)
    if transition == ENDED or not is_there:
        ints[slot, OF_GROUP] = -1
        queue.free_slots[queue.progress[FREE]] = slot
        queue.progress[FREE] += 1


@inlined
def _has_to_wait(birth: int, now: float, births: Births) -> bool:
    """Whether the VM that had this one's name before is still there; it is requested when that is gone."""
    if len(births.follows) == 0 or births.follows[birth] < 0 or births.gone_s[births.follows[birth]] <= now:
        return False
    births.awaited_by[births.follows[birth]] = birth
    return True


@compiled
def _begin_next(birth: int, now: float, shared: SharedFleet) -> None:
    """A VM is gone; the next of its name that waits for that is requested now, unless it is no longer wanted."""
    births = shared.fleet.births
    births.gone_s[birth] = now
    birth = births.awaited_by[birth]
    while birth >= 0:
        if births.born_s[birth] + births.lifetime_s[birth] > now:
            slot = begin_in_slot(birth, now, births, ASKED, shared)
            push_vm(now, INTERRUPTS, slot, shared.fleet.vms.ints, shared.queue)
            return
        births.gone_s[birth] = now
        birth = births.awaited_by[birth]


@compiled
def _close(shared: SharedFleet) -> bool:
    """Demand turns up to the horizon for VMs that wait, and loads are metered; False: a buffer is full."""
    fleet = shared.fleet
    for place in range(len(shared.scaled.groups)):
        if shared.scaled.groups[place, OWNER] == place:
            meter_load(place, fleet.run.horizon_s, shared.scaled, fleet.run)
    for slot in range(len(fleet.vms.ints)):
        if fleet.vms.ints[slot, OF_GROUP] >= 0 and not pass_time(slot, fleet.run.horizon_s, fleet):
            return False
    return True


@inlined
def _what_is_full(shared: SharedFleet) -> int:
    """A STATUS: why the loop has to stop before it goes on; DONE: it need not."""
    notes, queue = shared.notes, shared.queue
    if is_full(shared.fleet) or 2 * notes.progress[NOTES] > len(notes.when_s):
        return BUFFERS_FULL
    if lines_left(shared.scaled) < shared.scaled.until_s.shape[1] + MARGIN:
        return BUFFERS_FULL
    return QUEUE_FULL if queue.progress[QUEUED] + len(shared.fleet.vms.ints) + MARGIN > len(queue.t) else DONE


@inlined
def _comes_first(now: float, key: int, shared: SharedFleet) -> bool:
    """Whether nothing is born or queued before an instant and a key."""
    born_s, queue, birth = shared.fleet.births.born_s, shared.queue, shared.queue.progress[NEXT_BIRTH]
    return bool(
        (birth >= len(born_s) or born_s[birth] > now)
        and (queue.progress[QUEUED] == 0 or now < queue.t[0] or (now == queue.t[0] and key < queue.key[0]))
    )


@cached
def run_events(arrays: SharedFleet) -> None:
    """Births and entries of the queue in order of time, until all is over or something is full (STATUS); may be called again."""
    shared = by_reference(arrays)
    fleet, queue, platform, births = shared.fleet, shared.queue, shared.platform, shared.fleet.births
    progress, ints, floats, tables = queue.progress, fleet.vms.ints, fleet.vms.floats, fleet.tables
    if not progress[STARTED]:
        progress[STARTED] = 1
        start_faults(shared)
        start_scaling(shared)
    while True:
        progress[STATUS] = _what_is_full(shared)
        if progress[STATUS] != DONE:
            return
        birth = progress[NEXT_BIRTH]
        if birth < len(births.born_s) and (progress[QUEUED] == 0 or births.born_s[birth] <= queue.t[0]):
            if progress[FREE] == 0:
                progress[STATUS] = NO_SLOTS
                return
            progress[NEXT_BIRTH] = birth + 1
            now, key, stage = births.born_s[birth], AT_BIRTH, NOTHING
            if _has_to_wait(birth, now, births):
                continue
            slot = begin_in_slot(birth, now, births, PENDING, shared)
            begin_work(slot, births.group[birth], now, fleet)
        elif progress[QUEUED] > 0:
            now, key = queue.t[0], queue.key[0]
            if TICKS <= key < INTERRUPTS and progress[FREE] < shared.scaled.growth:
                progress[STATUS] = NO_SLOTS
                return
            entry = pop(queue)
            if TICKS <= key < INTERRUPTS:
                look(entry, now, shared)
                continue
            if key < INTERRUPTS:
                if not run_fault(entry, now, shared):
                    progress[STATUS] = TOO_MANY_SHAPES
                    return
                continue
            slot = entry & SLOT_MASK
            if ints[slot, STAMP] != entry >> SLOT_BITS:
                continue
            stage = ints[slot, STAGE]
        else:
            progress[STATUS] = DONE if _close(shared) else BUFFERS_FULL
            return
        while True:
            was, transition = stage, ints[slot, PENDING]
            if key == AT_BIRTH:
                stage = next_stage(slot, NOTHING, transition, shared)
            elif key == INTERRUPTS:
                if not pass_time(slot, now, fleet):
                    stage = AGAIN
                else:
                    transition = ints[slot, ASKED]
                    ints[slot, ASKED] = -1
                    ints[slot, PENDING] = transition
                    was = NOTHING
                    if stage == NOTHING:
                        stage = next_stage(slot, NOTHING, transition, shared)
            elif key == MOVES:
                if stage == NOTHING:
                    transition = RESUME
                stage = NOTHING
            else:
                stage = acquire(slot, stage, now, shared)
                transition = ints[slot, PENDING]
            if stage == FAILED:
                progress[STATUS] = TOO_MANY_SHAPES
                return
            if stage == AGAIN:
                push_vm(now, key, slot, ints, queue)
                break
            is_queued = False
            while stage == NOTHING:
                is_queued = _is_queued(slot, shared)
                bound_s = np.nextafter(now, NEVER) if is_queued else _bound(slot, shared)
                scaler = tables.settings[ints[slot, OF_GROUP], ALWAYS_QUEUED]
                served = tables.states[ints[slot, STATE], SERVING]
                transition = advance(slot, transition, transition != RESUME, bound_s, True, fleet)
                if scaler > 0:
                    meter_vm(slot, scaler - 1, served, transition == ENDED, shared)
                if fleet.ledger.progress[STUCK_VM] != 0:
                    progress[STATUS] = VM_IS_STUCK
                    return
                if transition == ENDED and tables.states[ints[slot, STATE], MOVES_ON]:
                    transition = _move_on(slot, shared)
                if transition < 0:
                    break
                was = NOTHING
                ints[slot, PENDING] = transition
                stage = next_stage(slot, NOTHING, transition, shared)
            ints[slot, STAGE] = stage
            now = floats[slot, T]
            key = REQUESTS + rank_of(slot, ints)
            if stage == NOTHING:
                if transition != PARKED and transition != FULL:
                    _leave_slot(slot, transition, shared)
                    if transition == ENDED and len(births.follows) > 0 and ints[slot, BIRTH] >= 0:
                        _begin_next(ints[slot, BIRTH], now, shared)
                    break
                now, key = floats[slot, WAKES], MOVES
                if transition == PARKED and (not is_queued or now >= fleet.run.horizon_s):
                    break  # a fault of its host comes first, if anything does
            elif stage == WAITING:
                break
            elif stage == ADMITTING:
                if was == ADMITTING:  # it was refused
                    now = floats[slot, WAKES]
                    if now >= fleet.run.horizon_s:
                        break
                else:
                    floats[slot, PAUSE] = platform.pauses[ints[slot, OF_GROUP], 0]
                    floats[slot, WAKES] = -1.0
            elif stage == GIVING or stage == LEAVING:
                key += RELEASES - REQUESTS
            if not _comes_first(now, key, shared) or is_full(fleet):
                push_vm(now, key, slot, ints, queue)
                break
