"""What a transition needs of the platform, and what becomes of it: a token, quota, a host; does what `sim.engines.simpy.acquisition` does."""

from sim.engines.compiled.compiler import compile_rules, compiled, inlined
from sim.engines.compiled.demand import next_bits, pass_time

# isort: off
from sim.engines.compiled.disruptions import (
    ADMITTING, ASKING_HOST, ASKING_QUOTA, GIVING, LEAVING, NOTHING, WAITING, await_departures, depart, note, note_of_vm, strike_vm,
    waiters_wait_until,
)  # fmt: skip
from sim.engines.compiled.layout import (
    ADMITTED, ANY_TOKEN, ASKS_HOST, ASKS_QUOTA, ATTEMPT, ATTEMPTS_IN_ALL, AVOIDS, BY_FAILURE, BY_PREEMPTION, EVICTIONS, FIRST_WAITER, GONE, HAS_QUOTA,
    INDEX, LISTED_AS, NEEDS_RESOURCE, NOT_STRUCK, NO_QUOTA, NO_QUOTA_GIVES_UP, NO_ROOM, NO_ROOM_GIVES_UP, NO_TOKEN, OFF_HOST, OF_GROUP, PAUSE, PENDING,
    REFUSED, RESTARTS, SEQUENCE, SHORTAGE_STREAM, STATE, STRUCK, T, TOKEN, WAITS_FOR, WAKES, Longs, SharedFleet,
)  # fmt: skip

# isort: on
from sim.engines.compiled.vm_loop import UNIT, gives_up_if_last
from sim.engines.shared import quota, room, shortages, throttle
from sim.engines.shared.priorities import RANK_BITS, REQUESTS
from sim.engines.shared.room import (
    AS_THE_POLICY_SAYS,
    EVICTED,
    HOST,
    LEAVES,
    NOWHERE,
    TOO_MANY_SHAPES,
    VM_COLUMNS,
    WAITS,
)
from sim.engines.shared.room import NO_ROOM as NO_HOST

compile_rules(*quota.RULES, *shortages.RULES, throttle.take_token)

FAILED, AGAIN = -1, -2  # instead of a stage: too many shapes of room; a buffer is full, and it has still to be done


@inlined
def next_stage(slot: int, stage: int, transition: int, shared: SharedFleet) -> int:
    """What a transition still needs of the platform after *stage*; NOTHING: it can be taken."""
    needs, ints = shared.fleet.tables.transitions, shared.fleet.vms.ints
    if not needs[transition, NEEDS_RESOURCE]:
        return NOTHING
    places = shared.platform.room.vms
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
        needs[transition, ASKS_HOST]
        or (
            needs[transition, RESTARTS]
            and places[row + HOST] < 0
            and not shared.platform.room.endless[ints[slot, OF_GROUP]]
        )
    ):
        ints[slot, AVOIDS] = places[row + HOST]
        return LEAVING if places[row + HOST] >= 0 else ASKING_HOST
    return ASKING_HOST if stage == LEAVING else NOTHING


@compiled
def _be_admitted(slot: int, now: float, transition: int, shared: SharedFleet) -> float:
    """0 if the subscription's rate limit admits an operation; else when it may come back (s from now)."""
    vms, notes, buckets = shared.fleet.vms, shared.notes, shared.platform.buckets
    bucket = shared.fleet.tables.transitions[transition, TOKEN]
    retry_after_s = 0.0
    if bucket != NO_TOKEN and bucket != ANY_TOKEN:
        retry_after_s = throttle.take_token(buckets, buckets.first[vms.ints[slot, OF_GROUP]] + bucket, now)
    if retry_after_s != 0.0 and now >= shared.fleet.run.start_s:
        notes.refused[transition] += 1
    if retry_after_s != 0.0 or (bucket != NO_TOKEN and vms.ints[slot, LISTED_AS] >= 0):
        kind = ADMITTED if retry_after_s == 0.0 else REFUSED
        note(now, kind, vms.ints[slot, OF_GROUP], vms.ints[slot, INDEX], transition, 0, retry_after_s, notes)
    return retry_after_s


@compiled
def _is_refused(slot: int, now: float, shared: SharedFleet) -> bool:
    """Whether an attempt to find hardware comes in a shortage, and is refused."""
    fleet, ints = shared.fleet, shared.fleet.vms.ints
    group = ints[slot, OF_GROUP]
    stream = fleet.tables.settings[group, SHORTAGE_STREAM]
    chance = shortages.refusal(shared.platform.shortages, group, ints[slot, INDEX], now) if stream >= 0 else 0.0
    return bool(chance > 0.0 and (next_bits(slot, stream, fleet) + 0.5) * UNIT < chance)


@inlined
def rank_of(slot: int, ints: Longs) -> int:
    """A VM's place among all VMs of the fleet, where several act at one instant."""
    return (ints[slot, OF_GROUP] << RANK_BITS) + ints[slot, INDEX]  # type: ignore[no-any-return]


@compiled
def _evict(slot: int, now: float, host: int, shared: SharedFleet) -> None:
    """Spot VMs, the first that `ask_host` chose and those that leave after it, have to go for a VM, which waits for all that leave."""
    ints, hosts, progress = shared.fleet.vms.ints, shared.platform.room, shared.queue.progress
    first = hosts.answer[EVICTED]
    while first >= 0:
        progress[EVICTIONS] += 1
        ints[first, SEQUENCE] = progress[EVICTIONS]
        ints[first, FIRST_WAITER] = -1
        strike_vm(first, BY_PREEMPTION, now, REQUESTS + rank_of(slot, ints), shared)
        first = hosts.leaving.after[first]
    note_of_vm(now, WAITS_FOR, slot, 0, 0, shared)
    await_departures(slot, hosts.leaving.first[host], progress[EVICTIONS], shared.fleet.vms)


@compiled
def acquire(slot: int, stage: int, now: float, shared: SharedFleet) -> int:
    """What a VM waited for in a stage comes about: the next stage of its transition (PENDING), which may be another one now."""
    floats, ints, tables = shared.fleet.vms.floats, shared.fleet.vms.ints, shared.fleet.tables
    hosts, pauses, needs = shared.platform.room, shared.platform.pauses, tables.transitions
    group, transition, row = ints[slot, OF_GROUP], ints[slot, PENDING], slot * VM_COLUMNS
    granted = True
    room.set_clock(hosts, now)
    no, gives_up = NO_ROOM, NO_ROOM_GIVES_UP
    if stage == ADMITTING:
        if floats[slot, WAKES] >= 0.0 and not pass_time(slot, now, shared.fleet):
            return AGAIN
        retry_after_s = _be_admitted(slot, now, transition, shared)
        if retry_after_s != 0.0:
            pause_s = floats[slot, PAUSE]
            floats[slot, WAKES] = floats[slot, T] + max(pause_s, retry_after_s)
            floats[slot, PAUSE] = min(pause_s * pauses[group, 1], pauses[group, 2])
            return ADMITTING
        return next_stage(slot, stage, transition, shared)  # type: ignore[no-any-return]
    if stage == GIVING or stage == LEAVING:
        if needs[transition, OFF_HOST] or stage == LEAVING:
            if stage == GIVING and hosts.vms[row + LEAVES] != NOWHERE:
                if not waiters_wait_until(slot, now, shared):
                    return AGAIN
                if not depart(slot, now, shared):
                    return FAILED
            if hosts.vms[row + HOST] >= 0 and not room.give_host(hosts, slot, group):
                return FAILED
        if stage == GIVING and needs[transition, GONE] and ints[slot, HAS_QUOTA]:
            ints[slot, HAS_QUOTA] = 0
            quota.give(shared.platform.quota, group)
    elif stage == ASKING_QUOTA:
        granted = quota.ask(shared.platform.quota, group)
        ints[slot, HAS_QUOTA] = granted
        no, gives_up = NO_QUOTA, NO_QUOTA_GIVES_UP
    else:
        is_refused = _is_refused(slot, now, shared)
        host = room.ask_host(hosts, slot, group, ints[slot, INDEX], ints[slot, AVOIDS], is_refused, AS_THE_POLICY_SAYS)
        if host == TOO_MANY_SHAPES:
            return FAILED
        granted = host != NO_HOST
        if host >= 0:
            if ints[slot, STRUCK] == BY_FAILURE:
                ints[slot, STRUCK] = NOT_STRUCK  # that was the host before
            if hosts.answer[WAITS]:
                _evict(slot, now, host, shared)
                return WAITING
    states, state = tables.states, ints[slot, STATE]
    if not granted and states[state, no] >= 0:
        attempts_in_all = tables.settings[group, ATTEMPTS_IN_ALL]
        transition = gives_up_if_last(states[state, no], states[state, gives_up], ints[slot, ATTEMPT], attempts_in_all)
        ints[slot, PENDING] = transition
        stage = NOTHING
    return next_stage(slot, stage, transition, shared)  # type: ignore[no-any-return]
