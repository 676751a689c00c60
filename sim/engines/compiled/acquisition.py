"""What a transition needs of the platform, and what becomes of it: a token, quota, a host; does what `sim.engines.simpy.acquisition` does."""

from __future__ import annotations

from numba.extending import register_jitable

# isort: off
from sim.engines.compiled.disruptions import (
    ADMITTING, ASKING_HOST, ASKING_QUOTA, GIVING, LEAVING, NOTHING, WAITING, await_departures, depart, note, strike_vm,
)  # fmt: skip
from sim.engines.compiled.layout import (
    ADMITTED, ANY_TOKEN, ASKS_HOST, ASKS_QUOTA, ATTEMPT, ATTEMPTS_IN_ALL, AVOIDS, BY_FAILURE, BY_PREEMPTION, EVICTIONS, FIRST_WAITER, GONE, HAS_QUOTA,
    INDEX, LISTED_AS, NEEDS_RESOURCE, NOT_STRUCK, NO_QUOTA, NO_QUOTA_GIVES_UP, NO_ROOM, NO_ROOM_GIVES_UP, NO_TOKEN, OFF_HOST, OF_GROUP, PAUSE, PENDING,
    REFUSED, RESTARTS, SEQUENCE, STATE, STRUCK, T, TOKEN, WAITS_FOR, WAKES, Events, Ledger, Longs, Notes, Platform, Queue, Run, SamplerTables, Tables,
    Vms,
)  # fmt: skip

# isort: on
from sim.engines.compiled.vm_loop import OPTIONS, compiled, gives_up_if_last, inlined, pass_time
from sim.engines.shared import quota, room, throttle
from sim.engines.shared.priorities import RANK_BITS, REQUESTS
from sim.engines.shared.room import EVICTED, HOST, LEAVES, LEAVES_AFTER, NOWHERE, TOO_MANY_SHAPES, VM_COLUMNS, WAITS
from sim.engines.shared.throttle import Buckets

for rule in (*quota.RULES, throttle.take_token):
    register_jitable(forceinline=True, **OPTIONS)(rule)

FAILED = -1  # instead of a stage: too many shapes of room


@inlined
def next_stage(slot: int, stage: int, transition: int, needs: Longs, ints: Longs, places: Longs, endless: bool) -> int:
    """What a transition still needs of the platform after *stage*; NOTHING: it can be taken."""
    if not needs[transition, NEEDS_RESOURCE]:
        return NOTHING
    row = slot * VM_COLUMNS
    if stage < ADMITTING and needs[transition, TOKEN] != NO_TOKEN:
        return ADMITTING
    if stage < GIVING:
        if needs[transition, OFF_HOST]:
            ints[slot, STRUCK] = NOT_STRUCK
            if places[row + HOST] >= 0 or places[row + LEAVES] != NOWHERE:
                return GIVING
        if needs[transition, GONE] and ints[slot, HAS_QUOTA]:
            return GIVING
    if stage < ASKING_QUOTA and needs[transition, ASKS_QUOTA] and not ints[slot, HAS_QUOTA]:
        return ASKING_QUOTA
    if stage < LEAVING and (
        needs[transition, ASKS_HOST] or (needs[transition, RESTARTS] and places[row + HOST] < 0 and not endless)
    ):
        ints[slot, AVOIDS] = places[row + HOST]
        return LEAVING if places[row + HOST] >= 0 else ASKING_HOST
    return ASKING_HOST if stage == LEAVING else NOTHING


@inlined
def _be_admitted(
    slot: int, now: float, transition: int, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events,
    buckets: Buckets, notes: Notes,
) -> float:  # fmt: skip
    """0 if the subscription's rate limit admits an operation; else when it may come back (s from now)."""
    bucket = tables.transitions[transition, TOKEN]
    if vms.floats[slot, WAKES] >= 0.0:
        pass_time(slot, now, tables, samplers, run, vms, ledger, events)
    retry_after_s = 0.0
    if bucket != NO_TOKEN and bucket != ANY_TOKEN:
        retry_after_s = throttle.take_token(buckets, bucket, now)
    if retry_after_s != 0.0 and now >= run.start_s:
        notes.refused[transition] += 1
    if retry_after_s != 0.0 or (bucket != NO_TOKEN and vms.ints[slot, LISTED_AS] >= 0):
        kind = ADMITTED if retry_after_s == 0.0 else REFUSED
        note(now, kind, vms.ints[slot, OF_GROUP], vms.ints[slot, INDEX], transition, 0, retry_after_s, notes)
    return retry_after_s


@inlined
def rank_of(slot: int, ints: Longs) -> int:
    """A VM's place among all VMs of the fleet, where several act at one instant."""
    return (ints[slot, OF_GROUP] << RANK_BITS) + ints[slot, INDEX]  # type: ignore[no-any-return]


@compiled
def _evict(
    slot: int, now: float, first: int, leaving_first: int, places: Longs, tables: Tables, vms: Vms, queue: Queue, notes: Notes
) -> None:  # fmt: skip
    """Spot VMs, the *first* and those that leave after it, have to go for a VM, which waits for all that leave its host."""
    ints = vms.ints
    while first >= 0:
        queue.progress[EVICTIONS] += 1
        ints[first, SEQUENCE] = queue.progress[EVICTIONS]
        ints[first, FIRST_WAITER] = -1
        strike_vm(first, BY_PREEMPTION, now, REQUESTS + rank_of(slot, ints), tables, vms, queue, notes)
        first = places[first * VM_COLUMNS + LEAVES_AFTER]
    if ints[slot, LISTED_AS] >= 0:
        note(now, WAITS_FOR, ints[slot, OF_GROUP], ints[slot, INDEX], 0, 0, 0.0, notes)
    await_departures(slot, leaving_first, queue.progress[EVICTIONS], vms)


@inlined
def acquire(
    slot: int, stage: int, now: float, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events,
    queue: Queue, platform: Platform, notes: Notes,
) -> int:  # fmt: skip
    """What a VM waited for in a stage comes about: the next stage of its transition (PENDING), which may be another one now."""
    ints, needs, hosts = vms.ints, tables.transitions, platform.room
    group, transition, row = ints[slot, OF_GROUP], ints[slot, PENDING], slot * VM_COLUMNS
    granted = True
    no, gives_up = NO_ROOM, NO_ROOM_GIVES_UP
    if stage == ADMITTING:
        retry_after_s = _be_admitted(
            slot, now, transition, tables, samplers, run, vms, ledger, events, platform.buckets, notes
        )
        if retry_after_s != 0.0:
            pause_s = vms.floats[slot, PAUSE]
            vms.floats[slot, WAKES] = vms.floats[slot, T] + max(pause_s, retry_after_s)
            vms.floats[slot, PAUSE] = min(pause_s * platform.pauses[group, 1], platform.pauses[group, 2])
            return ADMITTING
        return next_stage(slot, stage, transition, needs, ints, hosts.vms, platform.endless)  # type: ignore[no-any-return]
    if stage == GIVING or stage == LEAVING:
        if needs[transition, OFF_HOST] or stage == LEAVING:
            if (
                stage == GIVING
                and hosts.vms[row + LEAVES] != NOWHERE
                and not depart(slot, now, hosts, tables, samplers, run, vms, ledger, events, queue, notes)
            ):
                return FAILED
            if hosts.vms[row + HOST] >= 0 and not room.give_host(hosts, slot, group):
                return FAILED
        if stage == GIVING and needs[transition, GONE] and ints[slot, HAS_QUOTA]:
            ints[slot, HAS_QUOTA] = 0
            quota.give(platform.quota, group)
    elif stage == ASKING_QUOTA:
        granted = quota.ask(platform.quota, group)
        ints[slot, HAS_QUOTA] = granted
        no, gives_up = NO_QUOTA, NO_QUOTA_GIVES_UP
    elif not platform.endless:
        host = room.ask_host(hosts, slot, group, ints[slot, INDEX], ints[slot, AVOIDS])
        if host == TOO_MANY_SHAPES:
            return FAILED
        granted = host >= 0
        if granted:
            if ints[slot, STRUCK] == BY_FAILURE:
                ints[slot, STRUCK] = NOT_STRUCK  # that was the host before
            if hosts.answer[WAITS]:
                _evict(
                    slot, now, hosts.answer[EVICTED], hosts.leaving_first[host], hosts.vms, tables, vms, queue, notes
                )
                return WAITING
    state = ints[slot, STATE]
    if not granted and tables.states[state, no] >= 0:
        transition = gives_up_if_last(
            tables.states[state, no],
            tables.states[state, gives_up],
            ints[slot, ATTEMPT],
            tables.settings[group, ATTEMPTS_IN_ALL],
        )
        ints[slot, PENDING] = transition
        stage = NOTHING
    return next_stage(slot, stage, transition, needs, ints, hosts.vms, platform.endless)  # type: ignore[no-any-return]
