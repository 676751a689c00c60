"""VMs that share hosts and quota only, played by the kernel: nothing is queued but the moments at which they meet.

Between two meetings a VM's life is its own, and `kernel.advance` walks it at once. What is queued is what `Vm._meet`
yields for, in the same order: at one instant what is given back before what is asked for, then by group and number.
"""

from __future__ import annotations

import math

from sim.engines.compiled.vm_loop import (
    ASKS_HOST,
    ASKS_QUOTA,
    ATTEMPTS_IN_ALL,
    ENDED,
    GONE,
    HAS_QUOTA,
    HOST,
    INDEX,
    JOURNALED,
    NEEDS_RESOURCE,
    NO_LIMIT,
    NO_QUOTA,
    NO_QUOTA_GIVES_UP,
    NO_ROOM,
    NO_ROOM_GIVES_UP,
    OF_GROUP,
    OFF_HOST,
    OVER,
    PEAKED,
    PENDING,
    STAGE,
    STATE,
    STUCK_VM,
    TRIED,
    T,
    advance,
    begin,
    cached,
    inlined,
    plain,
)
from sim.engines.shared import placement
from sim.engines.shared.placement import (
    BALANCED,
    BEST_FIT,
    CLUSTER,
    FIRST_FIT,
    HOST_BASE,
    LEAVES,
    LIST_BASE,
    LISTS_USED,
    TREE_BASE,
    WORST_FIT,
)

# What a VM shares, by group.
VCPUS, MEMORY, FAMILY, IS_SPOT, SET, ZONES, ALLOWED_ROW = range(7)
# Quota in use and its limit (columns) of the region, of spot, and of each family (rows from FAMILIES on).
IN_USE, LIMIT = range(2)
REGIONAL, SPOT_POOL, FAMILIES = range(3)
# An availability set: the cluster that it is pinned to, and how many of its VMs are on a host.
PINNED, MEMBERS = range(2)
# State of the loop: lines in the queue, the next birth, free slots, why it stopped.
QUEUED, NEXT_BIRTH, FREE, STATUS = range(4)
DONE, PAGES_FULL, NO_SLOTS, TOO_MANY_SHAPES, STUCK = range(5)
# Stages of a meeting.
NOTHING, GIVING, ASKING_QUOTA, ASKING_HOST = range(4)
RANK_BITS = 32
REQUESTS = 1 << 62  # at one instant: what is given back comes first
MARGIN = 4096  # lines that must be left before a stretch
NEVER = math.inf

tree_find, tree_set = plain(placement.tree_find), plain(placement.tree_set)
list_rank, list_find = plain(placement.list_rank), plain(placement.list_find)
list_leave, list_enter = plain(placement.list_leave), plain(placement.list_enter)


@inlined
def _push(t, key, slot, loop, queue_t, queue_k, queue_s):  # type: ignore[no-untyped-def]
    """Into the queue: a heap by instant, then by key, of four branches: fewer steps than with two."""
    at = loop[QUEUED]
    loop[QUEUED] = at + 1
    while at > 0:
        above = (at - 1) >> 2
        if queue_t[above] < t or (queue_t[above] == t and queue_k[above] <= key):
            break
        queue_t[at] = queue_t[above]
        queue_k[at] = queue_k[above]
        queue_s[at] = queue_s[above]
        at = above
    queue_t[at] = t
    queue_k[at] = key
    queue_s[at] = slot


@inlined
def _pop(loop, queue_t, queue_k, queue_s):  # type: ignore[no-untyped-def]
    """The first of the queue leaves it; returns its slot."""
    slot = queue_s[0]
    last = loop[QUEUED] - 1
    loop[QUEUED] = last
    t = queue_t[last]
    key = queue_k[last]
    moved = queue_s[last]
    at = 0
    while True:
        below = 4 * at + 1
        if below >= last:
            break
        for other in range(below + 1, min(below + 4, last)):
            if queue_t[other] < queue_t[below] or (
                queue_t[other] == queue_t[below] and queue_k[other] < queue_k[below]
            ):
                below = other
        if t < queue_t[below] or (t == queue_t[below] and key <= queue_k[below]):
            break
        queue_t[at] = queue_t[below]
        queue_k[at] = queue_k[below]
        queue_s[at] = queue_s[below]
        at = below
    queue_t[at] = t
    queue_k[at] = key
    queue_s[at] = moved
    return slot


@plain
def _find(unit, policy, vcpus, memory, units, tree_c, tree_m, order, list_c, list_m, head):  # type: ignore[no-untyped-def]
    """A unit's host for that shape, or -1: `HostIndex.find`."""
    if policy in (FIRST_FIT, BALANCED):
        place = tree_find(units[unit, TREE_BASE], units[unit, LEAVES], vcpus, memory, tree_c, tree_m)
        return place if place < 0 else units[unit, HOST_BASE] + place
    base, used = units[unit, LIST_BASE], units[unit, LISTS_USED]
    rank = list_rank(base, used, vcpus, 0, order, list_c, list_m)
    it = list_find(base, used, rank, vcpus, memory, policy == WORST_FIT, order, list_c, list_m, head)
    return it if it < 0 else head[it]


@plain
def _change(  # type: ignore[no-untyped-def]
    host,
    vcpus,
    memory,
    policy,
    units,
    unit_of,
    free_c,
    free_m,
    tree_c,
    tree_m,
    order,
    list_c,
    list_m,
    head,
    at,
    following,
    before,
):
    """Add to (or take from) what is free on a host: `HostIndex.change`; False if there are too many shapes."""
    free_c[host] += vcpus
    free_m[host] += memory
    unit = unit_of[host]
    if policy in (FIRST_FIT, BALANCED):
        tree_set(
            units[unit, TREE_BASE],
            units[unit, LEAVES],
            host - units[unit, HOST_BASE],
            free_c[host],
            free_m[host],
            tree_c,
            tree_m,
        )
        return True
    list_leave(host, at, head, following, before)
    base, used = units[unit, LIST_BASE], units[unit, LISTS_USED]
    rank = list_rank(base, used, free_c[host], free_m[host], order, list_c, list_m)
    used = list_enter(
        base, used, rank, host, free_c[host], free_m[host], order, list_c, list_m, head, at, following, before
    )
    if used < 0:
        return False
    units[unit, LISTS_USED] = used
    return True


@plain
def _choose(  # type: ignore[no-untyped-def]
    g, index, policy, shares, allowed, allowed_n, sets, in_unit, tried_unit,
    units, free_c, free_m, tree_c, tree_m, order, list_c, list_m, head,
):  # fmt: skip
    """The host for a VM, or -1: `SharedPlatform._find`."""
    vcpus, memory, pinned = shares[g, VCPUS], shares[g, MEMORY], shares[g, SET]
    row = shares[g, ALLOWED_ROW]
    if shares[g, ZONES] > 0:
        row += index % shares[g, ZONES]
    cluster = -1
    if pinned >= 0 and sets[pinned, MEMBERS] > 0:
        cluster = sets[pinned, PINNED]
    best = -1
    for i in range(allowed_n[row]):
        tried_unit[i] = 0
    for i in range(allowed_n[row]):
        choice = i
        if policy == BALANCED:  # the unit with the fewest of the group's VMs, of those not tried yet
            choice = -1
            for j in range(allowed_n[row]):
                if tried_unit[j] == 0 and (
                    choice < 0 or in_unit[g, allowed[row, j]] < in_unit[g, allowed[row, choice]]
                ):
                    choice = j
            tried_unit[choice] = 1
        unit = allowed[row, choice]
        if cluster >= 0 and units[unit, CLUSTER] != cluster:
            continue
        host = _find(unit, policy, vcpus, memory, units, tree_c, tree_m, order, list_c, list_m, head)
        if host < 0:
            continue
        if policy in (FIRST_FIT, BALANCED):
            return host
        if best < 0:
            best = host
        elif policy == BEST_FIT:
            if free_c[host] < free_c[best] or (free_c[host] == free_c[best] and free_m[host] < free_m[best]):
                best = host
        elif free_c[host] > free_c[best] or (free_c[host] == free_c[best] and free_m[host] > free_m[best]):
            best = host
    return best


@inlined
def _ask_quota(g, shares, quota):  # type: ignore[no-untyped-def]
    """Room under every limit for one more VM of the group, counted if so: `QuotaUse.ask`."""
    vcpus = shares[g, VCPUS]
    if shares[g, IS_SPOT]:
        if quota[SPOT_POOL, IN_USE] + vcpus > quota[SPOT_POOL, LIMIT]:
            return False
        quota[SPOT_POOL, IN_USE] += vcpus
        return True
    family = FAMILIES + shares[g, FAMILY]
    if quota[REGIONAL, IN_USE] + vcpus > quota[REGIONAL, LIMIT] or quota[family, IN_USE] + vcpus > quota[family, LIMIT]:
        return False
    quota[REGIONAL, IN_USE] += vcpus
    quota[family, IN_USE] += vcpus
    return True


@inlined
def _give_quota(g, shares, quota):  # type: ignore[no-untyped-def]
    """One VM of the group is gone: `QuotaUse.give`."""
    vcpus = shares[g, VCPUS]
    if shares[g, IS_SPOT]:
        quota[SPOT_POOL, IN_USE] -= vcpus
    else:
        quota[REGIONAL, IN_USE] -= vcpus
        quota[FAMILIES + shares[g, FAMILY], IN_USE] -= vcpus


@cached
def run_until(  # type: ignore[no-untyped-def]
    births, born_of, born_index, lives, vm_keys, run, horizon_s, start_s, labels, settings, states, deadlines, transitions, chances,
    probabilities, backoffs, edges, moves, sampler_i, sampler_f, pool, keys, state_f, state_i,
    books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
    loop, free_slots, queue_t, queue_k, queue_s, shares, quota, sets, allowed, allowed_n, in_unit, tried_unit, policy, endless,
    units, unit_of, free_c, free_m, tree_c, tree_m, order, list_c, list_m, head, at, following, before,
):  # fmt: skip
    """Births and meetings in order of time, until all is over or a page is full (`loop[STATUS]`); may be called again."""
    while True:
        if report[PEAKED] + MARGIN > len(peaks) or (len(journal_t) > 0 and report[JOURNALED] + MARGIN > len(journal_t)):
            loop[STATUS] = PAGES_FULL
            return
        birth = loop[NEXT_BIRTH]
        if birth < len(births) and (loop[QUEUED] == 0 or births[birth] <= queue_t[0]):
            if loop[FREE] == 0:
                loop[STATUS] = NO_SLOTS
                return
            loop[FREE] -= 1
            slot = free_slots[loop[FREE]]
            loop[NEXT_BIRTH] = birth + 1
            g = born_of[birth]
            lifetime = lives[birth] if len(lives) > 0 else NEVER
            transition = begin(
                slot, g, born_index[birth], births[birth], lifetime, vm_keys[birth], run, start_s, labels, settings, edges, moves,
                sampler_i, sampler_f, pool, keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
            )  # fmt: skip
            told = False
            stage = NOTHING
            acquiring = False
        elif loop[QUEUED] > 0:
            slot = _pop(loop, queue_t, queue_k, queue_s)
            g = state_i[slot, OF_GROUP]
            transition = state_i[slot, PENDING]
            stage = state_i[slot, STAGE]
            acquiring = True
            told = False
        else:
            loop[STATUS] = DONE
            return
        while True:
            refused = -1
            if acquiring:
                if stage == GIVING:
                    host = state_i[slot, HOST]
                    if transitions[transition, OFF_HOST] and host >= 0:
                        state_i[slot, HOST] = -1
                        in_unit[g, unit_of[host]] -= 1
                        pinned = shares[g, SET]
                        if pinned >= 0:
                            sets[pinned, MEMBERS] -= 1
                        if not _change(
                            host, shares[g, VCPUS], shares[g, MEMORY], policy, units, unit_of, free_c, free_m, tree_c, tree_m,
                            order, list_c, list_m, head, at, following, before,
                        ):  # fmt: skip
                            loop[STATUS] = TOO_MANY_SHAPES
                            return
                    if transitions[transition, GONE] and state_i[slot, HAS_QUOTA]:
                        state_i[slot, HAS_QUOTA] = 0
                        _give_quota(g, shares, quota)
                elif stage == ASKING_QUOTA:
                    if _ask_quota(g, shares, quota):
                        state_i[slot, HAS_QUOTA] = 1
                    else:
                        state = state_i[slot, STATE]
                        refused = states[state, NO_QUOTA]
                        if (
                            state_i[slot, TRIED] + 1 >= settings[g, ATTEMPTS_IN_ALL]
                            and states[state, NO_QUOTA_GIVES_UP] >= 0
                        ):
                            refused = states[state, NO_QUOTA_GIVES_UP]
                elif not endless:
                    host = _choose(
                        g, state_i[slot, INDEX], policy, shares, allowed, allowed_n, sets, in_unit, tried_unit,
                        units, free_c, free_m, tree_c, tree_m, order, list_c, list_m, head,
                    )  # fmt: skip
                    if host >= 0:
                        state_i[slot, HOST] = host
                        in_unit[g, unit_of[host]] += 1
                        pinned = shares[g, SET]
                        if pinned >= 0:
                            if sets[pinned, MEMBERS] == 0:
                                sets[pinned, PINNED] = units[unit_of[host], CLUSTER]
                            sets[pinned, MEMBERS] += 1
                        if not _change(
                            host, -shares[g, VCPUS], -shares[g, MEMORY], policy, units, unit_of, free_c, free_m, tree_c, tree_m,
                            order, list_c, list_m, head, at, following, before,
                        ):  # fmt: skip
                            loop[STATUS] = TOO_MANY_SHAPES
                            return
                    else:
                        state = state_i[slot, STATE]
                        refused = states[state, NO_ROOM]
                        if (
                            state_i[slot, TRIED] + 1 >= settings[g, ATTEMPTS_IN_ALL]
                            and states[state, NO_ROOM_GIVES_UP] >= 0
                        ):
                            refused = states[state, NO_ROOM_GIVES_UP]
                if refused >= 0:
                    transition = refused
                    stage = NOTHING
            else:
                transition = advance(
                    slot, transition, told, run, horizon_s, start_s, settings, states, deadlines, transitions, chances, probabilities, backoffs,
                    edges, moves, sampler_i, sampler_f, pool, keys, state_f, state_i, books, hits, report, bins, mask, peaks,
                    journal_t, journal_i, NO_LIMIT,
                )  # fmt: skip
                stage = NOTHING
                if report[STUCK_VM] != 0:
                    loop[STATUS] = STUCK
                    return
                if transition in (OVER, ENDED):
                    free_slots[loop[FREE]] = slot
                    loop[FREE] += 1
                    break
            # What the transition still needs: the next thing that the platform is to be asked.
            waits = -1
            if transitions[transition, NEEDS_RESOURCE]:
                gives = (transitions[transition, OFF_HOST] and state_i[slot, HOST] >= 0) or (
                    transitions[transition, GONE] and state_i[slot, HAS_QUOTA]
                )
                if stage < GIVING and gives:
                    waits = GIVING
                elif stage < ASKING_QUOTA and transitions[transition, ASKS_QUOTA] and not state_i[slot, HAS_QUOTA]:
                    waits = ASKING_QUOTA
                elif stage < ASKING_HOST and transitions[transition, ASKS_HOST]:
                    waits = ASKING_HOST
            if waits < 0:
                told = True
                acquiring = False
                continue
            state_i[slot, PENDING] = transition
            state_i[slot, STAGE] = waits
            key = (g << RANK_BITS) + state_i[slot, INDEX]
            if waits != GIVING:
                key += REQUESTS
            now = state_f[slot, T]
            birth = loop[NEXT_BIRTH]
            if (
                (birth >= len(births) or births[birth] > now)
                and (loop[QUEUED] == 0 or now < queue_t[0] or (now == queue_t[0] and key < queue_k[0]))
                and report[PEAKED] + MARGIN <= len(peaks)
                and (len(journal_t) == 0 or report[JOURNALED] + MARGIN <= len(journal_t))
            ):  # it would be the first of the queue, and come out at once
                stage = waits
                acquiring = True
                told = False
                continue
            _push(now, key, slot, loop, queue_t, queue_k, queue_s)
            break
