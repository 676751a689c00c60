"""The compiled walker: the same table as `sim.engines.simpy.vm`, one whole life at a time, without an event queue.

A VM that shares nothing with others needs no queue: its life is a function of its keys. The kernel performs the very
expressions of the SimPy walker in the same order (`t + d`, `left - (t2 - t)`, `not t2 < horizon`), draws from the same
streams, and books in the same ticks, so its books are equal to the last bit. It knows no state, no operation and no
failure: those are numbers in the table.

The walker stops where a VM meets others (hardware, quota), and goes on when it is told what came of it: `vm_loop_run` plays VMs
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
from sim.model.state_machine import Attempts, Delay
from sim.units import TICKS_PER_SECOND
from sim.usage.ledger import TICKS_PER_HOUR

# Columns of the state table, of the transition table and of the chance table (see `sim.engines.compiled.encode`).
(WAIT, STREAM, LAW, NEXT, LATE, CHANCE_FROM, CHANCE_TO, CRASH, EVICT, LIFE, UP, DOWN, LEVEL, RUNS_CRASH, RUNS_EVICTION, ENDS,
 HAS_TIMERS, NO_ROOM, NO_ROOM_GIVES_UP, NO_QUOTA, NO_QUOTA_GIVES_UP) = range(21)  # fmt: skip
(TARGET, ATTEMPTS, SETS_LIFE, ENDS_DEMAND, RESAMPLES_CRASH, RESAMPLES_EVICTION, HAS_EFFECT, NEEDS_RESOURCE, ASKS_HOST, ASKS_QUOTA, OFF_HOST,
 GONE) = range(12)  # fmt: skip
CHANCE_STREAM, CHANCE_TRANSITION, CHANCE_GIVES_UP, CHANCE_AT_DEADLINE = range(4)
# Settings of a group.
(FIRST_TRANSITION, FIRST_STATE, ATTEMPTS_IN_ALL, CRASH_STREAM, CRASH_SAMPLER, EVICTION_STREAM, EVICTION_SAMPLER, LIFETIME_STREAM, LIFETIME_SAMPLER,
 DEMAND, ON_STREAM, ON_SAMPLER, OFF_STREAM, OFF_SAMPLER, WANTED_FIRST, EDGES_FROM, EDGES_TO, BACKOFFS_FROM,
 STREAMS) = range(19)  # fmt: skip
# Settings of the run: transitions of all groups, first tick that is booked, and how many ticks a bin has (as a power of two).
TRANSITIONS, START_TICKS, BIN_SHIFT = range(3)
ALWAYS, CALENDAR, CYCLE = range(3)
# Columns of the move table.
BEFORE, AFTER, ON_HOST, RUN, ALIVE, GROUP = range(6)
# What a walk reports: lines in the journal and in the peak log, the VM that moves for ever. Then, by group, lifetimes (ticks).
JOURNALED, PEAKED, STUCK_VM, STUCK_STATE, LIFETIMES = range(5)
# What is known of a VM between two stretches: numbers with and without a fraction, the latter followed by its place in
# each stream and in the calendar.
T, CRASH_LEFT, EVICTION_LEFT, DIES, EDGE = range(5)
STATE, WANTED, TRIED, STUCK_AT, INDEX, OF_GROUP, STAGE, PENDING, HOST, HAS_QUOTA, TOLD_OF, USED = range(12)
OVER, ENDED, HALTED = (-1, -2, -3)  # instead of a transition: nothing before the horizon; nothing ever; enough lines

GROUP_BITS = 11  # of a line in the peak log: tick, changes, group
_LAW, _BACKOFF, _REST = int(Delay.SAMPLED), int(Delay.BACKOFF), int(Delay.REST)
_ADD, _RESET = int(Attempts.ADD), int(Attempts.RESET)
STUCK = 10_000
NO_LIMIT = 1 << 62
NEVER = math.inf
UNIT = 2.0**-52
WHOLE_BITS = 20  # of an hour's ticks that are zero: what is left to divide is small
assert TICKS_PER_HOUR % (1 << WHOLE_BITS) == 0
PLACE = (
    0x7FFFFFFF  # x & PLACE: a place that the compiler then knows not to be counted from the end, which saves a tenth
)

# Reference counts of arrays would cost ten times the walk itself. numba's switch for that is not documented; with it,
# nothing here may allocate. The default tests compare engines bit for bit, so its loss would be seen as slowness only.
plain = numba.njit(nogil=True, error_model="numpy", _nrt=False)
inlined = numba.njit(nogil=True, error_model="numpy", forceinline=True, _nrt=False)
cached = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)

draw = inlined(_draw)
bits = inlined(_bits)
mix = inlined(_mix)


@inlined
def _variate(slot, p, law, keys, state_i, sampler_i, sampler_f, pool):  # type: ignore[no-untyped-def]
    """The next variate of stream p."""
    k = state_i[slot, USED + p]
    state_i[slot, USED + p] = k + 1
    return draw(bits(keys[slot, p], k), law, sampler_i, sampler_f, pool)


@inlined
def _next_edge(slot, edge, wanted, g, settings, edges, keys, state_i, sampler_i, sampler_f, pool):  # type: ignore[no-untyped-def]
    """When demand turns after *edge*, being *wanted* until then; the place in the calendar stands behind the streams."""
    p = settings[g, ON_STREAM]
    law = settings[g, ON_SAMPLER]
    if settings[g, DEMAND] == CALENDAR:
        here = USED + settings[g, STREAMS]
        place = settings[g, EDGES_FROM] + state_i[slot, here]
        if place >= settings[g, EDGES_TO]:
            return NEVER
        state_i[slot, here] += 1
        if p < 0:
            return edges[place]
        return max(edges[place] + _variate(slot, p, law, keys, state_i, sampler_i, sampler_f, pool), edge)
    if not wanted:
        p = settings[g, OFF_STREAM]
        law = settings[g, OFF_SAMPLER]
    return edge + _variate(slot, p, law, keys, state_i, sampler_i, sampler_f, pool)


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
        report[LIFETIMES + moves[move, GROUP]] -= moves[move, ALIVE] * q  # the caller adds horizon x (births - deaths)
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
    slot, g, index, born, lives, vm_key, run, start_s, labels, settings, edges, moves, sampler_i, sampler_f, pool,
    keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
):  # fmt: skip
    """A VM is asked for: its clocks and the demand for it; returns its first transition. *lives* (s) ends it, if not inf."""
    stream_names = settings[g, STREAMS]
    for p in range(stream_names):
        keys[slot, p] = mix(vm_key ^ labels[g, p])
        state_i[slot, USED + p] = 0
    state_i[slot, USED + stream_names] = 0
    state_f[slot, T] = born
    state_f[slot, CRASH_LEFT] = NEVER
    state_f[slot, EVICTION_LEFT] = NEVER
    state_f[slot, DIES] = born + lives
    if settings[g, CRASH_STREAM] >= 0:
        state_f[slot, CRASH_LEFT] = _variate(
            slot, settings[g, CRASH_STREAM], settings[g, CRASH_SAMPLER], keys, state_i, sampler_i, sampler_f, pool
        )
    if settings[g, EVICTION_STREAM] >= 0:
        state_f[slot, EVICTION_LEFT] = _variate(
            slot, settings[g, EVICTION_STREAM], settings[g, EVICTION_SAMPLER], keys, state_i, sampler_i, sampler_f, pool
        )
    edge = NEVER
    wanted = 1
    if settings[g, DEMAND] == CALENDAR:
        wanted = settings[g, WANTED_FIRST]
        edge = _next_edge(slot, 0.0, wanted, g, settings, edges, keys, state_i, sampler_i, sampler_f, pool)
        while edge <= born:
            wanted = 1 - wanted
            edge = _next_edge(slot, edge, wanted, g, settings, edges, keys, state_i, sampler_i, sampler_f, pool)
    elif settings[g, DEMAND] == CYCLE:
        edge = _next_edge(slot, born, wanted, g, settings, edges, keys, state_i, sampler_i, sampler_f, pool)
    state_f[slot, EDGE] = edge
    state_i[slot, STATE] = settings[g, FIRST_STATE]
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
            2 * (run[TRANSITIONS] + settings[g, FIRST_STATE]),
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
    return settings[g, FIRST_TRANSITION]


@plain
def advance(  # type: ignore[no-untyped-def]
    slot, transition, told, run, horizon_s, start_s, settings, states, deadlines, transitions, chances, probabilities, backoffs, edges, moves,
    sampler_i, sampler_f, pool, keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, limit,
):  # fmt: skip
    """Live on from a transition until the VM meets others: returns that transition, not yet taken, or OVER or ENDED.

    *told*: what came of the meeting is this very transition, so take it. Stops (HALTED) in a state as soon as the journal has
    *limit* lines.
    """
    n_transitions = run[TRANSITIONS]
    g = state_i[slot, OF_GROUP]
    vm = state_i[slot, TOLD_OF]
    t = state_f[slot, T]
    edge = state_f[slot, EDGE]
    dies = state_f[slot, DIES]
    crash_left = state_f[slot, CRASH_LEFT]
    eviction_left = state_f[slot, EVICTION_LEFT]
    state = state_i[slot, STATE]
    wanted = state_i[slot, WANTED]
    tried = state_i[slot, TRIED]
    stuck = state_i[slot, STUCK_AT]
    while True:
        if transitions[transition, NEEDS_RESOURCE] and not told:
            break
        told = False
        transition &= PLACE
        # The move.
        _book(
            t,
            2 * transition + wanted,
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
        state = transitions[transition, TARGET] & PLACE
        if transitions[transition, HAS_EFFECT]:
            if transitions[transition, ATTEMPTS] == _RESET:
                tried = 0
            elif transitions[transition, ATTEMPTS] == _ADD:
                tried += 1
            if transitions[transition, SETS_LIFE]:
                dies = t + draw(
                    bits(keys[slot, settings[g, LIFETIME_STREAM]], 0),
                    settings[g, LIFETIME_SAMPLER],
                    sampler_i,
                    sampler_f,
                    pool,
                )
            if transitions[transition, RESAMPLES_CRASH]:
                crash_left = _variate(
                    slot,
                    settings[g, CRASH_STREAM],
                    settings[g, CRASH_SAMPLER],
                    keys,
                    state_i,
                    sampler_i,
                    sampler_f,
                    pool,
                )
            if transitions[transition, RESAMPLES_EVICTION]:
                eviction_left = _variate(
                    slot,
                    settings[g, EVICTION_STREAM],
                    settings[g, EVICTION_SAMPLER],
                    keys,
                    state_i,
                    sampler_i,
                    sampler_f,
                    pool,
                )
            if transitions[transition, ENDS_DEMAND]:
                edge = NEVER
                if wanted:
                    _book(
                        t,
                        2 * (n_transitions + state) + 1,
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
        if states[state, ENDS]:
            transition = ENDED
            break
        if report[JOURNALED] >= limit:
            transition = HALTED
            break
        up = states[state, UP]
        down = states[state, DOWN]
        if states[state, LEVEL]:
            answer = up if wanted else down
            if answer >= 0:
                transition = answer
                continue
        # How the stay ends if demand leaves it alone.
        wait = states[state, WAIT]
        if wait == _LAW:
            took = _variate(slot, states[state, STREAM], states[state, LAW], keys, state_i, sampler_i, sampler_f, pool)
            transition = states[state, NEXT]
            end = t + took
            if took > deadlines[state]:
                transition = states[state, LATE]
                end = t + deadlines[state]
        elif wait == _REST:
            transition = OVER
            end = NEVER
        elif wait == _BACKOFF:
            transition = states[state, NEXT]
            end = t + backoffs[settings[g, BACKOFFS_FROM] + tried - 1]
        else:
            transition = states[state, NEXT]
            end = t
        for c in range(states[state, CHANCE_FROM], states[state, CHANCE_TO]):
            p = chances[c, CHANCE_STREAM]
            k = state_i[slot, USED + p]
            state_i[slot, USED + p] = k + 1
            u = (bits(keys[slot, p], k) + 0.5) * UNIT
            if u < probabilities[c]:
                transition = chances[c, CHANCE_TRANSITION]
                if tried + 1 >= settings[g, ATTEMPTS_IN_ALL] and chances[c, CHANCE_GIVES_UP] >= 0:
                    transition = chances[c, CHANCE_GIVES_UP]
                if chances[c, CHANCE_AT_DEADLINE]:
                    end = t + deadlines[state]
                break
        if states[state, HAS_TIMERS]:
            if states[state, CRASH] >= 0:
                expires = t + crash_left
                if expires < end:
                    transition = states[state, CRASH]
                    end = max(expires, t)
            if states[state, EVICT] >= 0:
                expires = t + eviction_left
                if expires < end:
                    transition = states[state, EVICT]
                    end = max(expires, t)
            if states[state, LIFE] >= 0 and dies < end:
                transition = states[state, LIFE]
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
                    report[STUCK_STATE] = state
                    over = True
                    break
            turned = False
            while edge <= until and edge < horizon_s:
                turned = True
                _book(
                    edge,
                    2 * (n_transitions + state) + wanted,
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
                edge = _next_edge(slot, edge, wanted, g, settings, edges, keys, state_i, sampler_i, sampler_f, pool)
            if over:
                break
            if turned:
                answer = up if wanted else down
                if answer >= 0:
                    transition = answer
                    break
            if wake >= end:
                break
        if over:
            transition = OVER
            break
        stayed = wake - t
        if states[state, RUNS_CRASH]:
            crash_left -= stayed
        if states[state, RUNS_EVICTION]:
            eviction_left -= stayed
        t = wake
    state_f[slot, T] = t
    state_f[slot, EDGE] = edge
    state_f[slot, DIES] = dies
    state_f[slot, CRASH_LEFT] = crash_left
    state_f[slot, EVICTION_LEFT] = eviction_left
    state_i[slot, STATE] = state
    state_i[slot, WANTED] = wanted
    state_i[slot, TRIED] = tried
    state_i[slot, STUCK_AT] = stuck
    return transition


@cached
def vm_loop_run(  # type: ignore[no-untyped-def]
    first_index, births, lives, vm_keys, run, horizon_s, start_s, labels, settings, states, deadlines, transitions, chances, probabilities,
    backoffs, edges, moves, sampler_i, sampler_f, pool, keys, state_f, state_i,
    books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
):  # fmt: skip
    """The lives of VMs `first_index ...` that meet nobody, born at *births*, one after the other, into the books.

    Returns nothing; `report` tells what is too long for its array (lines beyond the end are counted, not kept).
    """
    for i in range(len(births)):
        lifetime = lives[i] if len(lives) > 0 else NEVER
        transition = begin(
            0, 0, first_index + i, births[i], lifetime, vm_keys[i], run, start_s, labels, settings, edges, moves, sampler_i, sampler_f, pool,
            keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
        )  # fmt: skip
        advance(
            0, transition, False, run, horizon_s, start_s, settings, states, deadlines, transitions, chances, probabilities, backoffs, edges, moves,
            sampler_i, sampler_f, pool, keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, NO_LIMIT,
        )  # fmt: skip
        if report[STUCK_VM] != 0:
            return


@cached
def born(  # type: ignore[no-untyped-def]
    seat, index, at_s, lifetime, vm_key, run, horizon_s, start_s, labels, settings, states, deadlines, transitions, chances, probabilities,
    backoffs, edges, moves, sampler_i, sampler_f, pool, keys, state_f, state_i,
    books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
):  # fmt: skip
    """`begin`, for a VM of a group by itself that somebody else looks after."""
    report[JOURNALED] = 0
    return begin(
        seat, 0, index, at_s, lifetime, vm_key, run, start_s, labels, settings, edges, moves, sampler_i, sampler_f, pool,
        keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
    )  # fmt: skip


@cached
def stretch(  # type: ignore[no-untyped-def]
    seat, again, transition, told, until_s, limit, moved, run, horizon_s, start_s, labels, settings, states, deadlines, transitions, chances,
    probabilities, backoffs, edges, moves, sampler_i, sampler_f, pool, keys, state_f, state_i,
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
        seat, transition, told, run, until_s, start_s, settings, states, deadlines, transitions, chances, probabilities, backoffs, edges, moves,
        sampler_i, sampler_f, pool, keys, state_f, state_i, books, hits, report, bins, mask, peaks, journal_t, journal_i, limit,
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
    seat, until_s, run, horizon_s, start_s, labels, settings, states, deadlines, transitions, chances, probabilities,
    backoffs, edges, moves, sampler_i, sampler_f, pool, keys, state_f, state_i,
    books, hits, report, bins, mask, peaks, journal_t, journal_i, watch,
):  # fmt: skip
    """Such a VM stays in its state up to an instant (`Vm._pass`): demand may turn, clocks run on."""
    report[JOURNALED] = 0
    state = state_i[seat, STATE]
    while state_f[seat, EDGE] <= until_s and state_f[seat, EDGE] < horizon_s:
        wanted = state_i[seat, WANTED]
        _book(
            state_f[seat, EDGE], 2 * (run[TRANSITIONS] + state) + wanted, state_i[seat, TOLD_OF], run, start_s, moves, books, hits, report,
            bins, mask, peaks, journal_t, journal_i,
        )  # fmt: skip
        state_i[seat, WANTED] = 1 - wanted
        state_f[seat, EDGE] = _next_edge(
            seat, state_f[seat, EDGE], 1 - wanted, 0, settings, edges, keys, state_i, sampler_i, sampler_f, pool
        )
    stayed = until_s - state_f[seat, T]
    if states[state, RUNS_CRASH]:
        state_f[seat, CRASH_LEFT] -= stayed
    if states[state, RUNS_EVICTION]:
        state_f[seat, EVICTION_LEFT] -= stayed
    state_f[seat, T] = until_s
