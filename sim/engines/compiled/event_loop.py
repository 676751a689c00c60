"""VMs that share a platform: an event queue of nothing but the moments at which something may depend on others.

Between two such moments a VM goes on by itself, in one call of `vm_loop.advance`. What is queued is what
`VmOnPlatform.acquire_resources` yields for, in the same order, and faults. A VM on a host goes on up to the instant at which
that host may fail, or is maintained, and waits there in its stay; one that may have to leave for another VM at any instant is
queued from stay to stay.
"""

from __future__ import annotations

import numpy as np

# isort: off
from sim.engines.compiled.acquisition import FAILED, acquire, next_stage, rank_of
from sim.engines.compiled.disruptions import (
    ADMITTING, GIVING, LEAVING, NOTHING, WAITING, next_strike, run_fault, start_faults,
)  # fmt: skip
from sim.engines.compiled.event_queue import pop, push_vm
from sim.engines.compiled.layout import (
    ALWAYS_QUEUED, ASKED, BUFFERS_FULL, CHANGES, DONE, EVENTS, FREE, MARGIN, NEXT_BIRTH, NOTES, NO_SLOTS, OF_GROUP, OWNER, PAUSE, PENDING, QUEUED,
    QUEUE_FULL, SERVING, SLOT_BITS, STAGE, STATE, STAMP, STARTED, STATUS, STUCK_VM, T, TOO_MANY_SHAPES, VM_IS_STUCK, WAITS, WAKES, Births, Events, Faults, Ledger,
    Longs, Notes, Platform, Queue, Run, SamplerTables, Scaled, Tables, Vms,
)  # fmt: skip

# isort: on
from sim.engines.compiled.scaling import lines_left, look, meter_load, meter_vm, start_scaling
from sim.engines.compiled.vm_loop import (
    ENDED,
    NEVER,
    PARKED,
    RESUME,
    advance,
    begin,
    cached,
    compiled,
    inlined,
    pass_time,
)
from sim.engines.shared.priorities import INTERRUPTS, MOVES, RELEASES, REQUESTS, TICKS
from sim.engines.shared.room import HOST, LEAVES, NOWHERE, UNIT, VM_COLUMNS

SLOT_MASK = (1 << SLOT_BITS) - 1
BIRTH = -1  # instead of a key


@inlined
def _is_full(ledger: Ledger, events: Events, notes: Notes) -> bool:
    """Whether a buffer has too few lines left for a VM to go on."""
    return bool(
        ledger.progress[CHANGES] + MARGIN > len(ledger.changes)
        or ledger.progress[WAITS] + MARGIN > len(ledger.waits)
        or (len(events.when_s) > 0 and ledger.progress[EVENTS] + MARGIN > len(events.when_s))
        or 2 * notes.progress[NOTES] > len(notes.when_s)
    )


@inlined
def _is_queued(slot: int, settings: Longs, ints: Longs, may_evict: bool, spot: Longs, places: Longs) -> bool:
    """Whether something may reach a VM where it is at any instant, so that it is queued from stay to stay."""
    group = ints[slot, OF_GROUP]
    return bool(settings[group, ALWAYS_QUEUED] or (may_evict and spot[group] and places[slot * VM_COLUMNS + HOST] >= 0))


@inlined
def _bound(host: int, is_tracked: bool, faults: Faults) -> float:
    """The instant from which on something may reach a VM on a host, if it is on one (s)."""
    return next_strike(host, faults) if is_tracked and host >= 0 else NEVER


@inlined
def _begin(
    birth: int, births: Births, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events, queue: Queue,
    places: Longs,
) -> int:  # fmt: skip
    """A VM is requested, in a free slot, which is returned; its first transition is PENDING."""
    queue.progress[FREE] -= 1
    slot = queue.free_slots[queue.progress[FREE]]
    row = slot * VM_COLUMNS
    places[row + HOST] = NOWHERE
    places[row + UNIT] = -1
    places[row + LEAVES] = NOWHERE
    vms.ints[slot, PENDING] = begin(slot, birth, births, tables, samplers, run, vms, ledger, events)
    return slot  # type: ignore[no-any-return]


@inlined
def _leave_slot(slot: int, transition: int, vms: Vms, queue: Queue, places: Longs, is_tracked: bool) -> None:
    """Nothing more happens to a VM; its slot is free, unless others still find it on its host."""
    row = slot * VM_COLUMNS
    vms.ints[slot, STAGE] = NOTHING
    if transition == ENDED or not is_tracked or (places[row + HOST] < 0 and places[row + LEAVES] == NOWHERE):
        vms.ints[slot, OF_GROUP] = -1
        queue.free_slots[queue.progress[FREE]] = slot
        queue.progress[FREE] += 1


@compiled
def _close(
    tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events, notes: Notes, scaled: Scaled
) -> bool:  # fmt: skip
    """Demand turns up to the horizon for VMs that wait, and loads are metered; False: a buffer is full."""
    for place in range(len(scaled.groups)):
        if scaled.groups[place, OWNER] == place:
            meter_load(place, run.horizon_s, scaled, run)
    for slot in range(len(vms.ints)):
        if vms.ints[slot, OF_GROUP] >= 0:
            if _is_full(ledger, events, notes):
                return False
            pass_time(slot, run.horizon_s, tables, samplers, run, vms, ledger, events)
    return True


@cached
def run_events(
    births: Births, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events, queue: Queue,
    platform: Platform, faults: Faults, scaled: Scaled, notes: Notes,
) -> None:  # fmt: skip
    """Births and entries of the queue in order of time, until all is over or something is full (STATUS); may be called again."""
    progress, ints, needs, hosts, places = (
        queue.progress,
        vms.ints,
        tables.transitions,
        platform.room,
        platform.room.vms,
    )
    if not progress[STARTED]:
        progress[STARTED] = 1
        start_faults(faults, samplers, run, queue)
        start_scaling(scaled, queue)
    while True:
        if _is_full(ledger, events, notes) or lines_left(scaled) < scaled.until_s.shape[1] + MARGIN:
            progress[STATUS] = BUFFERS_FULL
            return
        if progress[QUEUED] + len(ints) + MARGIN > len(queue.t):
            progress[STATUS] = QUEUE_FULL
            return
        birth = progress[NEXT_BIRTH]
        if birth < len(births.born_s) and (progress[QUEUED] == 0 or births.born_s[birth] <= queue.t[0]):
            progress[NEXT_BIRTH] = birth + 1
            if progress[FREE] == 0:
                progress[NEXT_BIRTH] = birth
                progress[STATUS] = NO_SLOTS
                return
            slot = _begin(birth, births, tables, samplers, run, vms, ledger, events, queue, places)
            now, key, stage = births.born_s[birth], BIRTH, NOTHING
        elif progress[QUEUED] > 0:
            now, key = queue.t[0], queue.key[0]
            if TICKS <= key < INTERRUPTS and progress[FREE] < scaled.growth:
                progress[STATUS] = NO_SLOTS
                return
            entry = pop(queue)
            if TICKS <= key < INTERRUPTS:
                look(entry, now, scaled, tables, samplers, run, vms, ledger, events, queue, notes, places)
                continue
            if key < INTERRUPTS:
                if not run_fault(entry, now, faults, platform.room, tables, samplers, run, vms, queue, notes):
                    progress[STATUS] = TOO_MANY_SHAPES
                    return
                continue
            slot = entry & SLOT_MASK
            if ints[slot, STAMP] != entry >> SLOT_BITS:
                continue
            stage = ints[slot, STAGE]
        else:
            progress[STATUS] = BUFFERS_FULL
            if _close(tables, samplers, run, vms, ledger, events, notes, scaled):
                progress[STATUS] = DONE
            return
        while True:
            was, transition = stage, ints[slot, PENDING]
            if key == BIRTH:
                stage = next_stage(slot, NOTHING, transition, needs, ints, places, platform.endless)
            elif key == INTERRUPTS:
                pass_time(slot, now, tables, samplers, run, vms, ledger, events)
                transition = ints[slot, ASKED]
                ints[slot, ASKED] = -1
                ints[slot, PENDING] = transition
                was = NOTHING
                if stage == NOTHING:
                    stage = next_stage(slot, NOTHING, transition, needs, ints, places, platform.endless)
            elif key == MOVES:
                if stage == NOTHING:
                    transition = RESUME
                stage = NOTHING
            else:
                stage = acquire(slot, stage, now, tables, samplers, run, vms, ledger, events, queue, platform, notes)
                if stage == FAILED:
                    progress[STATUS] = TOO_MANY_SHAPES
                    return
                transition = ints[slot, PENDING]
            is_queued = False
            while stage == NOTHING:
                is_queued = _is_queued(slot, tables.settings, ints, hosts.may_evict, hosts.spot, places)
                bound_s = (
                    np.nextafter(now, NEVER)
                    if is_queued
                    else _bound(places[slot * VM_COLUMNS + HOST], hosts.is_tracked, faults)
                )
                scaler, served = (
                    tables.settings[ints[slot, OF_GROUP], ALWAYS_QUEUED],
                    tables.states[ints[slot, STATE], SERVING],
                )
                transition = advance(
                    slot, transition, transition != RESUME, bound_s, tables, samplers, run, vms, ledger, events
                )
                if scaler > 0:
                    meter_vm(slot, scaler - 1, served, transition == ENDED, scaled, tables, run, vms)
                if ledger.progress[STUCK_VM] != 0:
                    progress[STATUS] = VM_IS_STUCK
                    return
                if transition < 0:
                    break
                was = NOTHING
                ints[slot, PENDING] = transition
                stage = next_stage(slot, NOTHING, transition, needs, ints, places, platform.endless)
            ints[slot, STAGE] = stage
            now = vms.floats[slot, T]
            key = REQUESTS + rank_of(slot, ints)
            if stage == NOTHING:
                if transition != PARKED:
                    _leave_slot(slot, transition, vms, queue, places, hosts.is_tracked)
                    break
                now, key = vms.floats[slot, WAKES], MOVES
                if not is_queued or now >= run.horizon_s:
                    break  # a fault of its host comes first, if anything does
            elif stage == WAITING:
                break
            elif stage == ADMITTING:
                if was == ADMITTING:  # it was refused
                    now = vms.floats[slot, WAKES]
                    if now >= run.horizon_s:
                        break
                else:
                    vms.floats[slot, PAUSE] = platform.pauses[ints[slot, OF_GROUP], 0]
                    vms.floats[slot, WAKES] = -1.0
            elif stage == GIVING or stage == LEAVING:
                key += RELEASES - REQUESTS
            birth = progress[NEXT_BIRTH]
            comes_first = (birth >= len(births.born_s) or births.born_s[birth] > now) and (
                progress[QUEUED] == 0 or now < queue.t[0] or (now == queue.t[0] and key < queue.key[0])
            )
            if not comes_first or _is_full(ledger, events, notes):
                push_vm(now, key, slot, ints, queue)
                break
