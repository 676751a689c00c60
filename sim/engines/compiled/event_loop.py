"""VMs that share hosts and quota only: an event queue of nothing but the moments at which they need these.

Between two such moments a VM goes on by itself, in one call of `vm_loop.advance`. What is queued is what
`VmOnPlatform.acquire_resources` yields for, in the same order: at one instant what is given back before what is asked for, then by
group and number.
"""

from __future__ import annotations

from numba.extending import register_jitable

# isort: off
from sim.engines.compiled.layout import (
    ASKS_HOST, ASKS_QUOTA, ATTEMPT, ATTEMPTS_IN_ALL, BUFFERS_FULL, CHANGES, DONE, EVENTS, FREE, GONE, HAS_QUOTA, HOST, INDEX, MARGIN,
    NEEDS_RESOURCE, NEXT_BIRTH, NO_QUOTA, NO_QUOTA_GIVES_UP, NO_ROOM, NO_ROOM_GIVES_UP, NO_SLOTS, OFF_HOST, OF_GROUP, PENDING, QUEUED,
    STAGE, STATE, STATUS, VM_IS_STUCK, STUCK_VM, T, TOO_MANY_SHAPES, Births, Events, Ledger, Longs, Queue, Run, SamplerTables, Tables, Vms,
)  # fmt: skip

# isort: on
from sim.engines.compiled.vm_loop import ENDED, OPTIONS, OVER, advance, begin, cached, gives_up_if_last, inlined
from sim.engines.shared import placement, quota
from sim.engines.shared.placement import HostIndex, Placement
from sim.engines.shared.priorities import REQUESTS
from sim.engines.shared.quota import QuotaUse

NOTHING, GIVING, ASKING_QUOTA, ASKING_HOST = range(4)  # stages of a transition that needs a resource, in order
RANK_BITS = 32

for rule in (*placement.RULES, *quota.RULES):
    register_jitable(forceinline=True, **OPTIONS)(rule)


@inlined
def _push(t: float, key: int, slot: int, queue: Queue) -> None:
    """Into the queue: a heap by instant, then by key, of four branches: fewer steps than with two."""
    at = queue.progress[QUEUED]
    queue.progress[QUEUED] = at + 1
    while at > 0:
        above = (at - 1) >> 2
        if queue.t[above] < t or (queue.t[above] == t and queue.key[above] <= key):
            break
        queue.t[at] = queue.t[above]
        queue.key[at] = queue.key[above]
        queue.slot[at] = queue.slot[above]
        at = above
    queue.t[at] = t
    queue.key[at] = key
    queue.slot[at] = slot


@inlined
def _pop(queue: Queue) -> int:
    """The first of the queue leaves it; returns its slot."""
    slot = queue.slot[0]
    last = queue.progress[QUEUED] - 1
    queue.progress[QUEUED] = last
    t, key, moved = queue.t[last], queue.key[last], queue.slot[last]
    at = 0
    while True:
        below = 4 * at + 1
        if below >= last:
            break
        for other in range(below + 1, min(below + 4, last)):
            if queue.t[other] < queue.t[below] or (
                queue.t[other] == queue.t[below] and queue.key[other] < queue.key[below]
            ):
                below = other
        if t < queue.t[below] or (t == queue.t[below] and key <= queue.key[below]):
            break
        queue.t[at] = queue.t[below]
        queue.key[at] = queue.key[below]
        queue.slot[at] = queue.slot[below]
        at = below
    queue.t[at] = t
    queue.key[at] = key
    queue.slot[at] = moved
    return slot  # type: ignore[no-any-return]


@inlined
def _next_stage(slot: int, stage: int, transition: int, needs: Longs, ints: Longs) -> int:
    """What a transition still needs of the platform after *stage*; NOTHING: it can be taken."""
    if not needs[transition, NEEDS_RESOURCE]:
        return NOTHING
    if stage < GIVING and (
        (needs[transition, OFF_HOST] and ints[slot, HOST] >= 0) or (needs[transition, GONE] and ints[slot, HAS_QUOTA])
    ):
        return GIVING
    if stage < ASKING_QUOTA and needs[transition, ASKS_QUOTA] and not ints[slot, HAS_QUOTA]:
        return ASKING_QUOTA
    if stage < ASKING_HOST and needs[transition, ASKS_HOST]:
        return ASKING_HOST
    return NOTHING


@inlined
def _is_full(ledger: Ledger, events: Events) -> bool:
    """Whether a buffer has too few lines left for a VM to go on."""
    return ledger.progress[CHANGES] + MARGIN > len(ledger.changes) or (
        len(events.when_s) > 0 and ledger.progress[EVENTS] + MARGIN > len(events.when_s)
    )


@cached
def run_events(
    births: Births, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events, queue: Queue,
    hosts: HostIndex, placed: Placement, used: QuotaUse, endless: bool,
) -> None:  # fmt: skip
    """Births and requests in order of time, until all is over or a buffer is full (STATUS); may be called again."""
    progress, ints, needs = queue.progress, vms.ints, tables.transitions
    while True:
        if _is_full(ledger, events):
            progress[STATUS] = BUFFERS_FULL
            return
        birth = progress[NEXT_BIRTH]
        if birth < len(births.born_s) and (progress[QUEUED] == 0 or births.born_s[birth] <= queue.t[0]):
            if progress[FREE] == 0:
                progress[STATUS] = NO_SLOTS
                return
            progress[FREE] -= 1
            slot = queue.free_slots[progress[FREE]]
            progress[NEXT_BIRTH] = birth + 1
            transition = begin(slot, birth, births, tables, samplers, run, vms, ledger, events)
            stage = NOTHING
            acquiring = granted = False
        elif progress[QUEUED] > 0:
            slot = _pop(queue)
            transition = ints[slot, PENDING]
            stage = ints[slot, STAGE]
            acquiring = True
        else:
            progress[STATUS] = DONE
            return
        group = ints[slot, OF_GROUP]
        while True:
            if acquiring:
                host, vms_more, granted = -1, 1, True
                no, gives_up = NO_ROOM, NO_ROOM_GIVES_UP
                if stage == GIVING:
                    if needs[transition, OFF_HOST]:
                        host, vms_more = ints[slot, HOST], -1
                    if needs[transition, GONE] and ints[slot, HAS_QUOTA]:
                        ints[slot, HAS_QUOTA] = 0
                        quota.give(used, group)
                elif stage == ASKING_QUOTA:
                    granted = quota.ask(used, group)
                    ints[slot, HAS_QUOTA] = granted
                    no, gives_up = NO_QUOTA, NO_QUOTA_GIVES_UP
                elif not endless:
                    host = placement.choose(hosts, placed, group, ints[slot, INDEX])
                    granted = host >= 0
                if host >= 0:
                    ints[slot, HOST] = host if vms_more > 0 else -1
                    placement.count(hosts, placed, group, host, vms_more)
                    if not placement.change(
                        hosts, host, -vms_more * placed.vcpus[group], -vms_more * placed.memory[group]
                    ):
                        progress[STATUS] = TOO_MANY_SHAPES
                        return
                state = ints[slot, STATE]
                if not granted and tables.states[state, no] >= 0:
                    transition = gives_up_if_last(
                        tables.states[state, no],
                        tables.states[state, gives_up],
                        ints[slot, ATTEMPT],
                        tables.settings[group, ATTEMPTS_IN_ALL],
                    )
                    stage = NOTHING
            else:
                transition = advance(slot, transition, granted, tables, samplers, run, vms, ledger, events)
                stage = NOTHING
                if ledger.progress[STUCK_VM] != 0:
                    progress[STATUS] = VM_IS_STUCK
                    return
                if transition in (OVER, ENDED):
                    queue.free_slots[progress[FREE]] = slot
                    progress[FREE] += 1
                    break
            stage = _next_stage(slot, stage, transition, needs, ints)
            acquiring = stage != NOTHING
            granted = not acquiring
            if not acquiring:
                continue
            ints[slot, PENDING] = transition
            ints[slot, STAGE] = stage
            key = (group << RANK_BITS) + ints[slot, INDEX]
            if stage != GIVING:
                key += REQUESTS
            now = vms.floats[slot, T]
            birth = progress[NEXT_BIRTH]
            comes_first = (birth >= len(births.born_s) or births.born_s[birth] > now) and (
                progress[QUEUED] == 0 or now < queue.t[0] or (now == queue.t[0] and key < queue.key[0])
            )
            if not comes_first or _is_full(ledger, events):
                _push(now, key, slot, queue)
                break
