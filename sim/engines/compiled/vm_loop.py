"""The compiled walker: the same table as `sim.engines.simpy.vm`, one whole life at a time, without an event queue.

A VM that shares nothing with others needs no queue: its life is a function of its keys. The kernel performs the very
expressions of the SimPy walker in the same order (`t + d`, `left - (t2 - t)`, `not t2 < horizon`), draws from the same
streams, and books in the same ticks, so its books are equal to the last bit. It knows no state, no operation and no
failure: those are numbers in the table.

The walker stops where a VM meets others (hardware, quota), and goes on when it is told what came of it: `walk` plays VMs
that meet nobody, `sim.engines.compiled.event_loop` queues the meetings of those that do.

This module and `lookahead` are the only ones that import numba. Nothing here runs before it has been compiled (some seconds, once a
machine: the machine code is cached beside this file, or where NUMBA_CACHE_DIR says).
"""

from __future__ import annotations

import math

import numba

from sim.distributions.samplers import draw as _draw
from sim.distributions.streams import bits_u64 as _bits
from sim.distributions.streams import mix_array as _mix
from sim.model.state_machine import Attempts, Wait
from sim.units import TICKS_PER_SECOND
from sim.usage.ledger import TICKS_PER_HOUR

# Columns of the node table, of the arc table and of the chance table (see `sim.engines.compiled.encode`).
(WAIT, PURPOSE, LAW, NEXT, LATE, CHANCE_FROM, CHANCE_TO, CRASH, EVICT, LIFE, UP, DOWN, LEVEL, RUNS_CRASH, RUNS_EVICTION, ENDS,
 HAS_CLOCKS, NO_ROOM, NO_ROOM_GIVES_UP, NO_QUOTA, NO_QUOTA_GIVES_UP) = range(21)  # fmt: skip
(TARGET, ATTEMPTS, SETS_LIFE, ENDS_DEMAND, REDRAWS_CRASH, REDRAWS_EVICTION, HAS_EFFECT, MEETS, ASKS_HOST, ASKS_QUOTA, OFF_HOST,
 GONE) = range(12)  # fmt: skip
CHANCE_PURPOSE, CHANCE_ARC, CHANCE_GIVES_UP, CHANCE_AT_DEADLINE = range(4)
# Settings of a group.
(FIRST_ARC, FIRST_NODE, ATTEMPTS_IN_ALL, CRASH_PURPOSE, CRASH_LAW, EVICTION_PURPOSE, EVICTION_LAW, LIFETIME_PURPOSE, LIFETIME_LAW,
 DEMAND, ON_PURPOSE, ON_LAW, OFF_PURPOSE, OFF_LAW, WANTED_FIRST, EDGES_FROM, EDGES_TO, BACKOFFS_FROM,
 PURPOSES) = range(19)  # fmt: skip
# Settings of the run: arcs of all groups, first tick that is booked, and how many ticks a bin has (as a power of two).
ARCS, START_TICKS, BIN_SHIFT = range(3)
ALWAYS, CALENDAR, CYCLE = range(3)
# Columns of the move table.
BEFORE, AFTER, ON_HOST, RUN, ALIVE, GROUP = range(6)
# What a walk reports: lines in the journal and in the peak log, the VM that moves for ever. Then, by group, lifetimes (ticks).
JOURNALED, PEAKED, STUCK_VM, STUCK_NODE, LIFETIMES = range(5)
# What is known of a VM between two stretches: numbers with and without a fraction, the latter followed by its place in
# each stream and in the calendar.
T, CRASH_LEFT, EVICTION_LEFT, DIES, EDGE = range(5)
NODE, WANTED, TRIED, STUCK_AT, INDEX, OF_GROUP, STAGE, PENDING, HOST, HAS_QUOTA, TOLD_OF, USED = range(12)
OVER, ENDED, HALTED = -1, -2, -3  # instead of an arc: nothing before the horizon; nothing ever; enough lines

GROUP_BITS = 11  # of a line in the peak log: tick, changes, group
_LAW, _BACKOFF, _REST = int(Wait.LAW), int(Wait.BACKOFF), int(Wait.REST)
_ADD, _RESET = int(Attempts.ADD), int(Attempts.RESET)
STUCK = 10_000
NO_LIMIT = 1 << 62
NEVER = math.inf
UNIT = 2.0**-52
WHOLE_BITS = 20  # of an hour's ticks that are zero: what is left to divide is small
assert TICKS_PER_HOUR % (1 << WHOLE_BITS) == 0
PLACE = 0x7FFFFFFF  # x & PLACE: a place that the compiler then knows not to be counted from the end, which saves a tenth

# Reference counts of arrays would cost ten times the walk itself. numba's switch for that is not documented; with it,
# nothing here may allocate. The default tests compare engines bit for bit, so its loss would be seen as slowness only.
plain = numba.njit(nogil=True, error_model="numpy", _nrt=False)
inlined = numba.njit(nogil=True, error_model="numpy", forceinline=True, _nrt=False)
cached = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)

draw = inlined(_draw)
bits = inlined(_bits)
mix = inlined(_mix)


@inlined
def _variate(slot, p, law, keys, state_i, law_i, law_f, pool):  # type: ignore[no-untyped-def]
    """The next variate of purpose p."""
    k = state_i[slot, USED + p]
    state_i[slot, USED + p] = k + 1
    return draw(bits(keys[slot, p], k), law, law_i, law_f, pool)


@inlined
def _next_edge(slot, edge, wanted, g, settings, edges, keys, state_i, law_i, law_f, pool):  # type: ignore[no-untyped-def]
    """When demand turns after *edge*, being *wanted* until then; the place in the calendar stands behind the streams."""
    p = settings[g, ON_PURPOSE]
    law = settings[g, ON_LAW]
    if settings[g, DEMAND] == CALENDAR:
        here = USED + settings[g, PURPOSES]
        place = settings[g, EDGES_FROM] + state_i[slot, here]
        if place >= settings[g, EDGES_TO]:
            return NEVER
        state_i[slot, here] += 1
        if p < 0:
            return edges[place]
        return max(edges[place] + _variate(slot, p, law, keys, state_i, law_i, law_f, pool), edge)
    if not wanted:
        p = settings[g, OFF_PURPOSE]
        law = settings[g, OFF_LAW]
    return edge + _variate(slot, p, law, keys, state_i, law_i, law_f, pool)


@inlined
def _book(t, move, vm, run, start_s, moves, books, hits, report, bins, mask, peaks, journal_t, journal_i):  # type: ignore[no-untyped-def]
    """One move: the rest of its clock hour and all later hours change columns. Of VM -1 the journal doesn't tell."""
    q = int(t * TICKS_PER_SECOND + 0.5)
    move &= PLACE
    if t >= start_s:
        hits[move] += 1
    if q < run[START_TICKS]:
        q = run[START_TICKS]
    hour = ((q >> WHOLE_BITS) & PLACE) // (TICKS_PER_HOUR >> WHOLE_BITS)
    rest = (hour + 1) * TICKS_PER_HOUR - q
    before = moves[move, BEFORE] & PLACE
    after = moves[move, AFTER] & PLACE
    books[hour, before, 0] -= rest
    books[hour, before, 1] -= 1
    books[hour, after, 0] += rest
    books[hour, after, 1] += 1
    if moves[move, ALIVE] != 0:
        report[LIFETIMES + moves[move, GROUP]] -= (
            moves[move, ALIVE] * q
        )  # the caller adds horizon x (births - deaths)
    on_host = moves[move, ON_HOST]
    runs = moves[move, RUN]
    if on_host != 0 or runs != 0:
        bin_ = (q >> run[BIN_SHIFT]) & PLACE
        if on_host != 0:
            bins[bin_, 0] += on_host
            if on_host > 0:
                bins[bin_, 1] += 1
        if runs != 0:
            bins[bin_, 2] += runs
            if runs > 0:
                bins[bin_, 3] += 1
        if mask[bin_]:
            place = report[PEAKED]
            if place < len(peaks):
                peaks[place] = ((q * 16 + (on_host + 1) * 4 + (runs + 1)) << GROUP_BITS) + moves[move, GROUP]
            report[PEAKED] = place + 1
    if vm >= 0 and len(journal_t) > 0:
        place = report[JOURNALED]
        if place < len(journal_t):
            journal_t[place] = t
            journal_i[place, 0] = move
            journal_i[place, 1] = vm
        report[JOURNALED] = place + 1


@plain
def begin(  # type: ignore[no-untyped-def]
    slot, g, index, born, lives, vm_key, run, start_s, labels, settings, edges, moves, law_i, law_f, pool,
    keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
):  # fmt: skip
    """A VM is asked for: its clocks and the demand for it; returns its first arc. *lives* (s) ends it, if not inf."""
    purposes = settings[g, PURPOSES]
    for p in range(purposes):
        keys[slot, p] = mix(vm_key ^ labels[g, p])
        state_i[slot, USED + p] = 0
    state_i[slot, USED + purposes] = 0
    state_f[slot, T] = born
    state_f[slot, CRASH_LEFT] = NEVER
    state_f[slot, EVICTION_LEFT] = NEVER
    state_f[slot, DIES] = born + lives
    if settings[g, CRASH_PURPOSE] >= 0:
        state_f[slot, CRASH_LEFT] = _variate(
            slot, settings[g, CRASH_PURPOSE], settings[g, CRASH_LAW], keys, state_i, law_i, law_f, pool
        )
    if settings[g, EVICTION_PURPOSE] >= 0:
        state_f[slot, EVICTION_LEFT] = _variate(
            slot, settings[g, EVICTION_PURPOSE], settings[g, EVICTION_LAW], keys, state_i, law_i, law_f, pool
        )
    edge = NEVER
    wanted = 1
    if settings[g, DEMAND] == CALENDAR:
        wanted = settings[g, WANTED_FIRST]
        edge = _next_edge(slot, 0.0, wanted, g, settings, edges, keys, state_i, law_i, law_f, pool)
        while edge <= born:
            wanted = 1 - wanted
            edge = _next_edge(slot, edge, wanted, g, settings, edges, keys, state_i, law_i, law_f, pool)
    elif settings[g, DEMAND] == CYCLE:
        edge = _next_edge(slot, born, wanted, g, settings, edges, keys, state_i, law_i, law_f, pool)
    state_f[slot, EDGE] = edge
    state_i[slot, NODE] = settings[g, FIRST_NODE]
    state_i[slot, WANTED] = wanted
    state_i[slot, TRIED] = 0
    state_i[slot, STUCK_AT] = 0
    state_i[slot, INDEX] = index
    state_i[slot, OF_GROUP] = g
    state_i[slot, STAGE] = 0
    state_i[slot, HOST] = -1
    state_i[slot, HAS_QUOTA] = 0
    # The journal tells of every VM, or of those on the watch list.
    told_of = index if len(watch) == 0 else -1
    for w in range(len(watch)):
        if watch[w, 0] == g and watch[w, 1] == index:
            told_of = index
    state_i[slot, TOLD_OF] = told_of
    if wanted:
        _book(
            born,
            2 * (run[ARCS] + settings[g, FIRST_NODE]),
            told_of,
            run,
            start_s,
            moves,
            books,
            hits,
            report,
            bins,
            mask,
            peaks,
            journal_t,
            journal_i,
        )
    return settings[g, FIRST_ARC]


@plain
def advance(  # type: ignore[no-untyped-def]
    slot, arc, told, run, horizon_s, start_s, settings, nodes, deadlines, arcs, chances, probabilities, backoffs, edges, moves,
    law_i, law_f, pool, keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, limit,
):  # fmt: skip
    """Live on from an arc until the VM meets others: returns that arc, not yet taken, or OVER or ENDED.

    *told*: what came of the meeting is this very arc, so take it. Stops (HALTED) in a node as soon as the journal has
    *limit* lines.
    """
    n_arcs = run[ARCS]
    g = state_i[slot, OF_GROUP]
    vm = state_i[slot, TOLD_OF]
    t = state_f[slot, T]
    edge = state_f[slot, EDGE]
    dies = state_f[slot, DIES]
    crash_left = state_f[slot, CRASH_LEFT]
    eviction_left = state_f[slot, EVICTION_LEFT]
    node = state_i[slot, NODE]
    wanted = state_i[slot, WANTED]
    tried = state_i[slot, TRIED]
    stuck = state_i[slot, STUCK_AT]
    while True:
        if arcs[arc, MEETS] and not told:
            break
        told = False
        arc &= PLACE
        # The move.
        _book(
            t,
            2 * arc + wanted,
            vm,
            run,
            start_s,
            moves,
            books,
            hits,
            report,
            bins,
            mask,
            peaks,
            journal_t,
            journal_i,
        )
        node = arcs[arc, TARGET] & PLACE
        if arcs[arc, HAS_EFFECT]:
            if arcs[arc, ATTEMPTS] == _RESET:
                tried = 0
            elif arcs[arc, ATTEMPTS] == _ADD:
                tried += 1
            if arcs[arc, SETS_LIFE]:
                dies = t + draw(
                    bits(keys[slot, settings[g, LIFETIME_PURPOSE]], 0),
                    settings[g, LIFETIME_LAW],
                    law_i,
                    law_f,
                    pool,
                )
            if arcs[arc, REDRAWS_CRASH]:
                crash_left = _variate(
                    slot,
                    settings[g, CRASH_PURPOSE],
                    settings[g, CRASH_LAW],
                    keys,
                    state_i,
                    law_i,
                    law_f,
                    pool,
                )
            if arcs[arc, REDRAWS_EVICTION]:
                eviction_left = _variate(
                    slot,
                    settings[g, EVICTION_PURPOSE],
                    settings[g, EVICTION_LAW],
                    keys,
                    state_i,
                    law_i,
                    law_f,
                    pool,
                )
            if arcs[arc, ENDS_DEMAND]:
                edge = NEVER
                if wanted:
                    _book(
                        t,
                        2 * (n_arcs + node) + 1,
                        vm,
                        run,
                        start_s,
                        moves,
                        books,
                        hits,
                        report,
                        bins,
                        mask,
                        peaks,
                        journal_t,
                        journal_i,
                    )
                    wanted = 0
        if nodes[node, ENDS]:
            arc = ENDED
            break
        if report[JOURNALED] >= limit:
            arc = HALTED
            break
        up = nodes[node, UP]
        down = nodes[node, DOWN]
        if nodes[node, LEVEL]:
            answer = up if wanted else down
            if answer >= 0:
                arc = answer
                continue
        # How the stay ends if demand leaves it alone.
        wait = nodes[node, WAIT]
        if wait == _LAW:
            took = _variate(slot, nodes[node, PURPOSE], nodes[node, LAW], keys, state_i, law_i, law_f, pool)
            arc = nodes[node, NEXT]
            end = t + took
            if took > deadlines[node]:
                arc = nodes[node, LATE]
                end = t + deadlines[node]
        elif wait == _REST:
            arc = OVER
            end = NEVER
        elif wait == _BACKOFF:
            arc = nodes[node, NEXT]
            end = t + backoffs[settings[g, BACKOFFS_FROM] + tried - 1]
        else:
            arc = nodes[node, NEXT]
            end = t
        for c in range(nodes[node, CHANCE_FROM], nodes[node, CHANCE_TO]):
            p = chances[c, CHANCE_PURPOSE]
            k = state_i[slot, USED + p]
            state_i[slot, USED + p] = k + 1
            u = (bits(keys[slot, p], k) + 0.5) * UNIT
            if u < probabilities[c]:
                arc = chances[c, CHANCE_ARC]
                if tried + 1 >= settings[g, ATTEMPTS_IN_ALL] and chances[c, CHANCE_GIVES_UP] >= 0:
                    arc = chances[c, CHANCE_GIVES_UP]
                if chances[c, CHANCE_AT_DEADLINE]:
                    end = t + deadlines[node]
                break
        if nodes[node, HAS_CLOCKS]:
            if nodes[node, CRASH] >= 0:
                rings = t + crash_left
                if rings < end:
                    arc = nodes[node, CRASH]
                    end = max(rings, t)
            if nodes[node, EVICT] >= 0:
                rings = t + eviction_left
                if rings < end:
                    arc = nodes[node, EVICT]
                    end = max(rings, t)
            if nodes[node, LIFE] >= 0 and dies < end:
                arc = nodes[node, LIFE]
                end = max(dies, t)
        # Demand may turn meanwhile, and call the VM away.
        answers = up >= 0 or down >= 0
        over = False
        while True:
            wake = edge if answers and edge <= end else end
            until = wake
            if not wake < horizon_s:
                over = True
                until = horizon_s
            elif wake > t:
                stuck = 0
            else:
                stuck += 1
                if stuck > STUCK:
                    report[STUCK_VM] = state_i[slot, INDEX] + 1
                    report[STUCK_NODE] = node
                    over = True
                    break
            turned = False
            while edge <= until and edge < horizon_s:
                turned = True
                _book(
                    edge,
                    2 * (n_arcs + node) + wanted,
                    vm,
                    run,
                    start_s,
                    moves,
                    books,
                    hits,
                    report,
                    bins,
                    mask,
                    peaks,
                    journal_t,
                    journal_i,
                )
                wanted = 1 - wanted
                edge = _next_edge(slot, edge, wanted, g, settings, edges, keys, state_i, law_i, law_f, pool)
            if over:
                break
            if turned:
                answer = up if wanted else down
                if answer >= 0:
                    arc = answer
                    break
            if wake >= end:
                break
        if over:
            arc = OVER
            break
        stayed = wake - t
        if nodes[node, RUNS_CRASH]:
            crash_left -= stayed
        if nodes[node, RUNS_EVICTION]:
            eviction_left -= stayed
        t = wake
    state_f[slot, T] = t
    state_f[slot, EDGE] = edge
    state_f[slot, DIES] = dies
    state_f[slot, CRASH_LEFT] = crash_left
    state_f[slot, EVICTION_LEFT] = eviction_left
    state_i[slot, NODE] = node
    state_i[slot, WANTED] = wanted
    state_i[slot, TRIED] = tried
    state_i[slot, STUCK_AT] = stuck
    return arc


@cached
def walk(  # type: ignore[no-untyped-def]
    first_index, births, lives, vm_keys, run, horizon_s, start_s, labels, settings, nodes, deadlines, arcs, chances, probabilities,
    backoffs, edges, moves, law_i, law_f, pool, keys, state_f, state_i,
    books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
):  # fmt: skip
    """The lives of VMs `first_index ...` that meet nobody, born at *births*, one after the other, into the books.

    Returns nothing; `report` tells what is too long for its array (lines beyond the end are counted, not kept).
    """
    for i in range(len(births)):
        lifetime = lives[i] if len(lives) > 0 else NEVER
        arc = begin(
            0, 0, first_index + i, births[i], lifetime, vm_keys[i], run, start_s, labels, settings, edges, moves, law_i, law_f, pool,
            keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
        )  # fmt: skip
        advance(
            0, arc, False, run, horizon_s, start_s, settings, nodes, deadlines, arcs, chances, probabilities, backoffs, edges, moves,
            law_i, law_f, pool, keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, NO_LIMIT,
        )  # fmt: skip
        if report[STUCK_VM] != 0:
            return


@cached
def born(  # type: ignore[no-untyped-def]
    seat, index, at_s, lifetime, vm_key, run, horizon_s, start_s, labels, settings, nodes, deadlines, arcs, chances, probabilities,
    backoffs, edges, moves, law_i, law_f, pool, keys, state_f, state_i,
    books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
):  # fmt: skip
    """`begin`, for a VM of a group by itself that somebody else looks after."""
    report[JOURNALED] = 0
    return begin(
        seat, 0, index, at_s, lifetime, vm_key, run, start_s, labels, settings, edges, moves, law_i, law_f, pool,
        keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
    )  # fmt: skip


@cached
def stretch(  # type: ignore[no-untyped-def]
    seat, again, arc, told, until_s, limit, moved, run, horizon_s, start_s, labels, settings, nodes, deadlines, arcs, chances,
    probabilities, backoffs, edges, moves, law_i, law_f, pool, keys, state_f, state_i,
    books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
):  # fmt: skip
    """`advance`, for such a VM, as if the horizon were at *until_s*; *again*: from where the last stretch began.

    Returns what came of it, how many lines were written (instants in `journal_t`, moves in *moved*), when it ended (s),
    and whether the VM is stuck.
    """
    # The state at the beginning of a stretch is kept in the other half of the room.
    kept = seat + len(state_f) // 2
    source, target = (kept, seat) if again else (seat, kept)
    for column in range(state_f.shape[1]):
        state_f[target, column] = state_f[source, column]
    for column in range(state_i.shape[1]):
        state_i[target, column] = state_i[source, column]
    report[JOURNALED] = 0
    came = advance(
        seat, arc, told, run, until_s, start_s, settings, nodes, deadlines, arcs, chances, probabilities, backoffs, edges, moves,
        law_i, law_f, pool, keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, limit,
    )  # fmt: skip
    count = report[JOURNALED]
    for line in range(min(count, len(moved))):
        moved[line] = journal_i[line, 0]
    ended = NEVER
    if came >= 0 or came == HALTED:
        ended = state_f[seat, T]
    elif came == ENDED:
        ended = journal_t[count - 1]
    return came, count, ended, report[STUCK_VM] != 0


@cached
def stay(  # type: ignore[no-untyped-def]
    seat, until_s, run, horizon_s, start_s, labels, settings, nodes, deadlines, arcs, chances, probabilities,
    backoffs, edges, moves, law_i, law_f, pool, keys, state_f, state_i,
    books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
):  # fmt: skip
    """Such a VM stays in its node up to an instant (`Vm._pass`): demand may turn, clocks run on."""
    report[JOURNALED] = 0
    node = state_i[seat, NODE]
    while state_f[seat, EDGE] <= until_s and state_f[seat, EDGE] < horizon_s:
        wanted = state_i[seat, WANTED]
        _book(
            state_f[seat, EDGE], 2 * (run[ARCS] + node) + wanted, state_i[seat, TOLD_OF], run, start_s, moves, books, hits, report,
            bins, mask, peaks, journal_t, journal_i,
        )  # fmt: skip
        state_i[seat, WANTED] = 1 - wanted
        state_f[seat, EDGE] = _next_edge(
            seat, state_f[seat, EDGE], 1 - wanted, 0, settings, edges, keys, state_i, law_i, law_f, pool
        )
    stayed = until_s - state_f[seat, T]
    if nodes[node, RUNS_CRASH]:
        state_f[seat, CRASH_LEFT] -= stayed
    if nodes[node, RUNS_EVICTION]:
        state_f[seat, EVICTION_LEFT] -= stayed
    state_f[seat, T] = until_s
