"""The compiled walker: the same table as `sim.cloud.vm`, one whole life at a time, without an event queue.

A VM that shares nothing with others needs no queue: its life is a function of its keys. The kernel performs the very
expressions of the SimPy walker in the same order (`t + d`, `left - (t2 - t)`, `not t2 < horizon`), draws from the same
streams, and books in the same ticks, so its books are equal to the last bit. It knows no state, no operation and no
failure: those are numbers in the table.

This module is the only one that imports numba. Nothing here runs before it has been compiled (some seconds, once a
machine: the machine code is cached beside this file, or where NUMBA_CACHE_DIR says).
"""

from __future__ import annotations

import math

import numba

from sim.cloud.program import Attempts, Wait
from sim.sampling.laws import draw as _draw
from sim.sampling.streams import bits_u64 as _bits
from sim.sampling.streams import mix_array as _mix
from sim.units import TICKS_PER_SECOND
from sim.usage.ledger import TICKS_PER_HOUR

# Columns of the node table, of the arc table and of the chance table (see `sim.cloud.lowering`).
(WAIT, PURPOSE, LAW, NEXT, LATE, CHANCE_FROM, CHANCE_TO, CRASH, EVICT, LIFE, UP, DOWN, LEVEL, RUNS_CRASH, RUNS_EVICTION, ENDS,
 HAS_CLOCKS) = range(17)  # fmt: skip
TARGET, ATTEMPTS, SETS_LIFE, ENDS_DEMAND, REDRAWS_CRASH, REDRAWS_EVICTION, HAS_EFFECT = range(7)
CHANCE_PURPOSE, CHANCE_ARC, CHANCE_GIVES_UP, CHANCE_AT_DEADLINE = range(4)
# Settings of a group.
(FIRST_ARC, ARCS, ATTEMPTS_IN_ALL, CRASH_PURPOSE, EVICTION_PURPOSE, LIFETIME_PURPOSE, DEMAND, ON_PURPOSE, OFF_PURPOSE,
 WANTED_FIRST, START_TICKS, BIN_TICKS, FIRST_NODE) = range(13)  # fmt: skip
ALWAYS, CALENDAR, CYCLE = range(3)
# Columns of the move table.
BEFORE, AFTER, ON_HOST, RUN, ALIVE = range(5)
# What a walk reports: lifetimes (ticks), lines in the journal and in the peak log, the VM that moves for ever.
LIFETIMES, JOURNALED, PEAKED, STUCK_VM, STUCK_NODE = range(5)

_LAW, _BACKOFF, _REST = int(Wait.LAW), int(Wait.BACKOFF), int(Wait.REST)
_ADD, _RESET = int(Attempts.ADD), int(Attempts.RESET)
STUCK = 10_000
NEVER = math.inf
UNIT = 2.0**-52

jit = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)

draw = numba.njit(nogil=True, error_model="numpy", forceinline=True, _nrt=False)(_draw)
inlined = numba.njit(nogil=True, error_model="numpy", forceinline=True, _nrt=False)

bits = inlined(_bits)
mix = inlined(_mix)


@inlined
def _variate(p, keys, used, law_of, law_i, law_f, pool):  # type: ignore[no-untyped-def]
    """The next variate of purpose p."""
    k = used[p]
    used[p] = k + 1
    return draw(bits(keys[p], k), law_of[p], law_i, law_f, pool)


@inlined
def _next_edge(edge, wanted, settings, edges, keys, used, law_of, law_i, law_f, pool):  # type: ignore[no-untyped-def]
    """When demand turns after *edge*, being *wanted* until then; the place in the calendar is used[-1]."""
    p = settings[ON_PURPOSE]
    if settings[DEMAND] == CALENDAR:
        place = used[-1]
        if place >= len(edges):
            return NEVER
        used[-1] = place + 1
        if p < 0:
            return edges[place]
        return max(edges[place] + _variate(p, keys, used, law_of, law_i, law_f, pool), edge)
    if not wanted:
        p = settings[OFF_PURPOSE]
    return edge + _variate(p, keys, used, law_of, law_i, law_f, pool)


@inlined
def _book(
    t, move, vm, settings, start_s, moves, books, hits, report, bins, mask, peaks, journal_t, journal_i
):  # type: ignore[no-untyped-def]
    """One move: the rest of its clock hour and all later hours change columns."""
    q = int(t * TICKS_PER_SECOND + 0.5)
    if t >= start_s:
        hits[move] += 1
    if q < settings[START_TICKS]:
        q = settings[START_TICKS]
    hour = q // TICKS_PER_HOUR
    rest = (hour + 1) * TICKS_PER_HOUR - q
    before = moves[move, BEFORE]
    after = moves[move, AFTER]
    books[hour, before, 0] -= rest
    books[hour, before, 1] -= 1
    books[hour, after, 0] += rest
    books[hour, after, 1] += 1
    if moves[move, ALIVE] != 0:
        report[LIFETIMES] -= moves[move, ALIVE] * q  # the caller adds horizon x (births - deaths)
    on_host = moves[move, ON_HOST]
    run = moves[move, RUN]
    if on_host != 0 or run != 0:
        bin_ = q // settings[BIN_TICKS]
        if on_host != 0:
            bins[bin_, 0] += on_host
            if on_host > 0:
                bins[bin_, 1] += 1
        if run != 0:
            bins[bin_, 2] += run
            if run > 0:
                bins[bin_, 3] += 1
        if mask[bin_]:
            place = report[PEAKED]
            if place < len(peaks):
                peaks[place] = q * 16 + (on_host + 1) * 4 + (run + 1)
            report[PEAKED] = place + 1
    if len(journal_t) > 0:
        place = report[JOURNALED]
        if place < len(journal_t):
            journal_t[place] = t
            journal_i[place, 0] = move
            journal_i[place, 1] = vm
        report[JOURNALED] = place + 1


@jit
def walk(  # type: ignore[no-untyped-def]
    first_index, births, vm_keys, labels, settings, horizon_s, start_s, nodes, deadlines, arcs, chances, probabilities,
    backoffs, edges, moves, law_of, law_i, law_f, pool,
    keys, used, books, hits, report, bins, mask, peaks, journal_t, journal_i,
):  # fmt: skip
    """The lives of VMs `first_index ...`, born at *births*, one after the other, into the books.

    Returns nothing; `report` tells what is too long for its array (lines beyond the end are counted, not kept).
    """
    purposes = len(labels)
    demand = settings[DEMAND]
    on_purpose = settings[ON_PURPOSE]
    n_arcs = settings[ARCS]
    for i in range(len(births)):
        vm = first_index + i
        t = births[i]
        for p in range(purposes):
            keys[p] = mix(vm_keys[i] ^ labels[p])
            used[p] = 0
        used[purposes] = 0
        attempts = 0
        stuck = 0
        crash_left = NEVER
        eviction_left = NEVER
        dies = NEVER
        if settings[CRASH_PURPOSE] >= 0:
            p = settings[CRASH_PURPOSE]
            crash_left = _variate(p, keys, used, law_of, law_i, law_f, pool)
        if settings[EVICTION_PURPOSE] >= 0:
            p = settings[EVICTION_PURPOSE]
            eviction_left = _variate(p, keys, used, law_of, law_i, law_f, pool)
        # Demand at the first request.
        edge = NEVER
        wanted = 1
        if demand == CALENDAR:
            wanted = settings[WANTED_FIRST]
            edge = _next_edge(0.0, wanted, settings, edges, keys, used, law_of, law_i, law_f, pool)
            while edge <= t:
                wanted = 1 - wanted
                edge = _next_edge(edge, wanted, settings, edges, keys, used, law_of, law_i, law_f, pool)
        elif demand == CYCLE:
            edge = t + _variate(on_purpose, keys, used, law_of, law_i, law_f, pool)
        node = settings[FIRST_NODE]
        if wanted:
            _book(
                t,
                2 * (n_arcs + node),
                vm,
                settings,
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
        arc = settings[FIRST_ARC]
        while True:
            # The move.
            _book(
                t,
                2 * arc + wanted,
                vm,
                settings,
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
            node = arcs[arc, TARGET]
            if arcs[arc, HAS_EFFECT]:
                if arcs[arc, ATTEMPTS] == _RESET:
                    attempts = 0
                elif arcs[arc, ATTEMPTS] == _ADD:
                    attempts += 1
                if arcs[arc, SETS_LIFE]:
                    p = settings[LIFETIME_PURPOSE]
                    dies = t + draw(bits(keys[p], 0), law_of[p], law_i, law_f, pool)
                if arcs[arc, REDRAWS_CRASH]:
                    p = settings[CRASH_PURPOSE]
                    crash_left = _variate(p, keys, used, law_of, law_i, law_f, pool)
                if arcs[arc, REDRAWS_EVICTION]:
                    p = settings[EVICTION_PURPOSE]
                    eviction_left = _variate(p, keys, used, law_of, law_i, law_f, pool)
                if arcs[arc, ENDS_DEMAND]:
                    edge = NEVER
                    if wanted:
                        _book(
                            t,
                            2 * (n_arcs + node) + 1,
                            vm,
                            settings,
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
                p = nodes[node, PURPOSE]
                took = _variate(p, keys, used, law_of, law_i, law_f, pool)
                arc = nodes[node, NEXT]
                end = t + took
                if took > deadlines[node]:
                    arc = nodes[node, LATE]
                    end = t + deadlines[node]
            elif wait == _REST:
                arc = -1
                end = NEVER
            elif wait == _BACKOFF:
                arc = nodes[node, NEXT]
                end = t + backoffs[attempts - 1]
            else:
                arc = nodes[node, NEXT]
                end = t
            for c in range(nodes[node, CHANCE_FROM], nodes[node, CHANCE_TO]):
                p = chances[c, CHANCE_PURPOSE]
                u = (bits(keys[p], used[p]) + 0.5) * UNIT
                used[p] += 1
                if u < probabilities[c]:
                    arc = chances[c, CHANCE_ARC]
                    if attempts + 1 >= settings[ATTEMPTS_IN_ALL] and chances[c, CHANCE_GIVES_UP] >= 0:
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
                if nodes[node, LIFE] >= 0:
                    if dies < end:
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
                turned = False
                while edge <= until and edge < horizon_s:
                    turned = True
                    _book(
                        edge,
                        2 * (n_arcs + node) + wanted,
                        vm,
                        settings,
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
                    edge = _next_edge(edge, wanted, settings, edges, keys, used, law_of, law_i, law_f, pool)
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
                break
            stayed = wake - t
            if nodes[node, RUNS_CRASH]:
                crash_left -= stayed
            if nodes[node, RUNS_EVICTION]:
                eviction_left -= stayed
            if wake > t:
                stuck = 0
            else:
                stuck += 1
                if stuck > STUCK:
                    report[STUCK_VM] = vm + 1
                    report[STUCK_NODE] = node
                    return
            t = wake
