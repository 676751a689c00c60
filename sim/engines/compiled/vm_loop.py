"""VMs that share nothing, one after the other, from birth to horizon: no event queue.

Does what `sim.engines.simpy.vm` does, with the same expressions in the same order (`t + d`, `left - (t2 - t)`,
`not t2 < horizon`), the same streams and the same ticks, so the ledgers are equal to the last bit. It knows no state,
operation or failure: those are numbers in the tables of `layout`.

`advance` stops where a VM needs a shared resource (host, quota); `sim.engines.compiled.event_loop` goes on from there.

Only this package imports numba. The first call compiles (some seconds, once a machine: see `sim.engines.machine_code`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
from numba.extending import register_jitable

from sim.distributions.samplers import draw as _draw
from sim.distributions.streams import bits_u64 as _bits
from sim.distributions.streams import mix_array as _mix
from sim.engines.compiled.kernel_cache import KernelCache

# isort: off
from sim.engines.compiled.layout import (
    AFTER, ALIVE, ALWAYS, ASKED, ATTEMPT, ATTEMPTS, ATTEMPTS_IN_ALL, AWAITED_SINCE, BACKOFFS_FROM, BEFORE, CALENDAR, CHANCE_AT_DEADLINE, CHANCE_FROM,
    CHANCE_GIVES_UP, CHANCE_STREAM, CHANCE_TO, CHANCE_TRANSITION, CHANGES, CRASH, CRASH_LEFT, CRASH_SAMPLER, CRASH_STREAM, CYCLE,
    DEMAND, DIES, DOWN, DRAWN, EDGE, EDGE_END, EDGE_NO, EDGES_FROM, EDGES_TO, ENDS, ENDS_DEMAND, EVENTS, EVICT, EVICTION_LEFT, EVICTION_SAMPLER,
    EVICTION_STREAM, FIRST_STATE, FIRST_TRANSITION, GROUP, GROUP_BITS, HAS_EFFECT, HAS_QUOTA, HAS_RUN, HAS_TIMERS, HOST_FAILED, HOST_FAILED_GIVES_UP, INDEX, LATE, LATER_STATE, LATER_TRANSITION, LEVEL,
    LIFE, LIFE_CHANGE, LIFE_IS_WORK, LIFE_TIMER, LIFETIME_SAMPLER, LIFETIME_STREAM, LISTED_AS, NEEDS_RESOURCE, NEXT, NOT_STRUCK, OFF_SAMPLER, OFF_STREAM, OF_GROUP, ON_HOST, ON_SAMPLER,
    ON_STREAM, OWN_EDGES, PREEMPT, BY_FAILURE, RESAMPLES_CRASH, RESAMPLES_EVICTION, RUN, RUNNING, RUNS_CRASH, RUNS_EVICTION, SAMPLER, STAGE, STAMP, STATE, STAY_ENDS, STAY_NEXT, STRUCK, ROUND, STREAM, STREAMS,
    STUCK_AT, STUCK_STATE, STUCK_VM, T, TARGET, UP, WAIT, WAITS, WAIT_CHANGE, WAKES, WANTED, WANTED_FIRST, Births, Events, Floats, Ledger, Longs, Run,
    SamplerTables, Tables, Vms,
    CAPACITY_FIRST, CAPACITY_FROM, CAPACITY_TO, COMPLETES_WORK, DEADLINE_S, DUE, LOSES_WORK, LOST_WORK_S, NO_CAPACITY, NO_CAPACITY_GIVES_UP,
    NO_RECORD, WORKED,
)  # fmt: skip

# isort: on
from sim.engines.shared import work
from sim.engines.shared.work import capacity_until, late_ticks
from sim.model.state_machine import DEMANDS, STUCK, TURNS, Attempts, Delay, Life, LifeTimer
from sim.units import TICKS_PER_SECOND
from sim.usage.ledger import LEFT_ON, TICKS_PER_HOUR
from sim.usage.ready import AT_ONCE, BEGINS, GIVEN_UP
from sim.usage.ready import NEVER as NEVER_READY

# Instead of a transition: nothing before the horizon; nothing ever; a stay that something may end; going on with one.
OVER, ENDED, PARKED, RESUME = -1, -2, -3, -4
_SAMPLED, _BACKOFF, _REST = int(Delay.SAMPLED), int(Delay.BACKOFF), int(Delay.REST)
_ADD, _RESET = int(Attempts.ADD), int(Attempts.RESET)
_KEEP, _LOST = int(Life.KEEP), int(Life.LOST)
_CLOCK, _WORKS = int(LifeTimer.CLOCK), int(LifeTimer.WORKS)
NEVER = math.inf
UNIT = 2.0**-52
WHOLE_BITS = 20  # of an hour's ticks that are zero: what is left to divide is small
assert TICKS_PER_HOUR % (1 << WHOLE_BITS) == 0
PLACE = 0x7FFFFFFF  # x & PLACE: an index that the compiler then knows not to count from the end, which saves a tenth

# Counting references to arrays would cost ten times the loop itself. numba's switch for that (_nrt) is undocumented; with
# it, nothing here may allocate. The default tests compare engines bit for bit, so its loss would show as slowness only.
# Only kernels are called from Python: for the others, code that converts arguments would be a third of what is compiled.
KERNEL = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
OPTIONS = KERNEL | {"no_cpython_wrapper": True}
compiled = numba.njit(**OPTIONS)
inlined = numba.njit(forceinline=True, **OPTIONS)


def cached(function: Callable[..., Any]) -> Any:
    """A kernel: compiled at its first call, and kept on disk."""
    kernel = numba.njit(**KERNEL)(function)
    kernel._cache = KernelCache(function)
    return kernel


for rule in work.RULES:
    register_jitable(**OPTIONS)(rule)
draw = inlined(_draw)
bits = inlined(_bits)
mix = inlined(_mix)


@inlined
def _variate(slot: int, stream: int, sampler: int, samplers: SamplerTables, vms: Vms) -> float:
    """The next variate of a stream."""
    k = vms.ints[slot, DRAWN + stream]
    vms.ints[slot, DRAWN + stream] = k + 1
    return draw(bits(vms.keys[slot, stream], k), sampler, samplers.ints, samplers.floats, samplers.pool)  # type: ignore[no-any-return]


@inlined
def _next_edge(
    slot: int, edge: float, wanted: int, group: int, settings: Longs, edges_s: Floats, samplers: SamplerTables, vms: Vms
) -> float:  # fmt: skip
    """When demand turns after *edge*, being *wanted* until then (s)."""
    if settings[group, DEMAND] == ALWAYS:  # it turned because an autoscaler asked
        return NEVER
    stream = settings[group, ON_STREAM]
    sampler = settings[group, ON_SAMPLER]
    if settings[group, DEMAND] == CALENDAR or settings[group, DEMAND] == OWN_EDGES:
        place = vms.ints[slot, EDGE_NO]
        if place >= vms.ints[slot, EDGE_END]:
            return NEVER
        vms.ints[slot, EDGE_NO] = place + 1
        if stream < 0:
            return edges_s[place]  # type: ignore[no-any-return]
        return max(edges_s[place] + _variate(slot, stream, sampler, samplers, vms), edge)  # type: ignore[no-any-return]
    if not wanted:
        stream = settings[group, OFF_STREAM]
        sampler = settings[group, OFF_SAMPLER]
    return edge + _variate(slot, stream, sampler, samplers, vms)  # type: ignore[no-any-return]


@inlined
def _turns_to(slot: int, wanted: int, state: int, group: int, tables: Tables, vms: Vms) -> int:
    """What demand turns to at the edge that has come; only a Running VM can be left on."""
    if tables.settings[group, DEMAND] != OWN_EDGES:
        return 1 - wanted
    to = tables.turns_to[vms.ints[slot, EDGE_NO] - 1]
    return 0 if to == LEFT_ON and not tables.states[state, RUNNING] else to


@compiled
def _note_wait(
    slot: int, t: float, change: int, group: int, start_s: float, floats: Floats, waits: Longs, progress: Longs
) -> None:  # fmt: skip
    """A VM becomes wanted, ready, or is no longer wanted: a line once it is known how long it was waited for."""
    since = t if change == AT_ONCE else floats[slot, AWAITED_SINCE]
    floats[slot, AWAITED_SINCE] = t if change == BEGINS else NEVER
    if change == BEGINS or since == NEVER or since < start_s:
        return
    wait = NEVER_READY if change == GIVEN_UP else int((t - since) * TICKS_PER_SECOND + 0.5)
    line = progress[WAITS]
    if line < len(waits):
        waits[line] = ((wait - NEVER_READY) << GROUP_BITS) + group
    progress[WAITS] = line + 1


@inlined
def _record(
    slot: int, t: float, move: int, vm: int, moves: Longs, run: Run, vms: Vms, ledger: Ledger, events: Events
) -> None:  # fmt: skip
    """One move: the rest of its clock hour and all later hours change columns. Moves of VM -1 aren't listed as events."""
    q = int(t * TICKS_PER_SECOND + 0.5)
    move &= PLACE
    if t >= run.start_s:
        ledger.counts[move] += 1
    if q < run.start_ticks:
        q = run.start_ticks
    clock = q + run.into_hour_ticks
    hour = ((clock >> WHOLE_BITS) & PLACE) // (TICKS_PER_HOUR >> WHOLE_BITS)
    rest = (hour + 1) * TICKS_PER_HOUR - clock
    cells = ledger.cells
    before = moves[move, BEFORE] & PLACE
    after = moves[move, AFTER] & PLACE
    cells[hour, before, 0] -= rest
    cells[hour, before, 1] -= 1
    cells[hour, after, 0] += rest
    cells[hour, after, 1] += 1
    if moves[move, ALIVE] != 0:
        ledger.lifetimes[moves[move, GROUP]] -= moves[move, ALIVE] * q  # the reader adds horizon x (births - deaths)
    on_host = moves[move, ON_HOST]
    runs = moves[move, RUN]
    if on_host != 0 or runs != 0:
        bin_ = (q >> run.bin_shift) & PLACE
        if on_host != 0:
            ledger.bins[bin_, 0] += on_host
            if on_host > 0:
                ledger.bins[bin_, 1] += 1
        if runs != 0:
            ledger.bins[bin_, 2] += runs
            if runs > 0:
                ledger.bins[bin_, 3] += 1
        if ledger.mask[bin_]:
            line = ledger.progress[CHANGES]
            if line < len(ledger.changes):
                ledger.changes[line] = ((q * 16 + (on_host + 1) * 4 + (runs + 1)) << GROUP_BITS) + moves[move, GROUP]
            ledger.progress[CHANGES] = line + 1
    if moves[move, WAIT_CHANGE] != 0:
        _note_wait(
            slot,
            t,
            moves[move, WAIT_CHANGE],
            moves[move, GROUP],
            run.start_s,
            vms.floats,
            ledger.waits,
            ledger.progress,
        )
    if vm >= 0 and len(events.when_s) > 0:
        line = ledger.progress[EVENTS]
        if line < len(events.when_s):
            events.when_s[line] = t
            events.moves[line, 0] = move
            events.moves[line, 1] = vm
        ledger.progress[EVENTS] = line + 1


@compiled
def begin(
    slot: int, birth: int, births: Births, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events
) -> int:  # fmt: skip
    """A VM is requested: its timers and the demand for it; returns its first transition."""
    group, index, born_s, key = births.group[birth], births.vm[birth], births.born_s[birth], births.key[birth]
    settings, floats, ints = tables.settings, vms.floats, vms.ints
    for stream in range(settings[group, STREAMS]):
        vms.keys[slot, stream] = mix(key ^ tables.streams[group, stream])
        ints[slot, DRAWN + stream] = 0
    if len(births.lifetime_key) > 0 and settings[group, LIFETIME_STREAM] >= 0:
        stream = settings[group, LIFETIME_STREAM]
        vms.keys[slot, stream] = mix(births.lifetime_key[birth] ^ tables.streams[group, stream])
    ints[slot, EDGE_NO] = settings[group, EDGES_FROM]
    ints[slot, EDGE_END] = settings[group, EDGES_TO]
    floats[slot, T] = born_s
    floats[slot, CRASH_LEFT] = NEVER
    floats[slot, EVICTION_LEFT] = NEVER
    floats[slot, AWAITED_SINCE] = NEVER
    floats[slot, DUE] = NEVER
    floats[slot, WORKED] = 0.0
    due_s = born_s + tables.groups_s[group, DEADLINE_S]
    if due_s < run.horizon_s and born_s >= run.start_s:
        floats[slot, DUE] = due_s
        ledger.work[group, work.DUE] += 1
        ledger.work[group, work.LATE] += late_ticks(due_s, run.horizon_s)  # until it is done
    floats[slot, DIES] = born_s + (births.lifetime_s[birth] if len(births.lifetime_s) > 0 else NEVER)
    if settings[group, CRASH_STREAM] >= 0:
        floats[slot, CRASH_LEFT] = _variate(
            slot, settings[group, CRASH_STREAM], settings[group, CRASH_SAMPLER], samplers, vms
        )
    if settings[group, EVICTION_STREAM] >= 0:
        floats[slot, EVICTION_LEFT] = _variate(
            slot, settings[group, EVICTION_STREAM], settings[group, EVICTION_SAMPLER], samplers, vms
        )
    edge = NEVER
    wanted = 1
    if settings[group, DEMAND] == CALENDAR:
        wanted = settings[group, WANTED_FIRST]
        edge = _next_edge(slot, 0.0, wanted, group, settings, tables.edges_s, samplers, vms)
        while edge <= born_s:
            wanted = 1 - wanted
            edge = _next_edge(slot, edge, wanted, group, settings, tables.edges_s, samplers, vms)
    elif settings[group, DEMAND] == OWN_EDGES:
        ints[slot, EDGE_NO] = births.edges[birth, 0]
        ints[slot, EDGE_END] = births.edges[birth, 1]
        wanted = 0
        edge = _next_edge(slot, 0.0, wanted, group, settings, tables.edges_s, samplers, vms)
        while edge <= born_s:
            wanted = 1 if tables.turns_to[ints[slot, EDGE_NO] - 1] == 1 else 0
            edge = _next_edge(slot, edge, wanted, group, settings, tables.edges_s, samplers, vms)
    elif settings[group, DEMAND] == CYCLE:
        edge = _next_edge(slot, born_s, wanted, group, settings, tables.edges_s, samplers, vms)
    floats[slot, EDGE] = edge
    state = settings[group, FIRST_STATE] if born_s <= 0.0 else settings[group, LATER_STATE]
    ints[slot, STATE] = state
    ints[slot, WANTED] = wanted
    ints[slot, ATTEMPT] = 0
    ints[slot, STUCK_AT] = 0
    ints[slot, HAS_RUN] = 0
    ints[slot, INDEX] = index
    ints[slot, OF_GROUP] = group
    ints[slot, STAGE] = 0
    ints[slot, HAS_QUOTA] = 0
    ints[slot, STAMP] += 1
    ints[slot, STRUCK] = NOT_STRUCK
    ints[slot, ASKED] = -1
    ints[slot, ROUND] = -1
    listed_as = index if len(events.listed) == 0 else -1
    for line in range(len(events.listed)):
        if events.listed[line, 0] == group and events.listed[line, 1] == index:
            listed_as = index
    ints[slot, LISTED_AS] = listed_as
    if wanted:
        _record(
            slot, born_s, DEMANDS * run.transitions + TURNS * state + 1, listed_as, tables.moves, run, vms,
            ledger, events,
        )  # fmt: skip
    return settings[group, FIRST_TRANSITION] if born_s <= 0.0 else settings[group, LATER_TRANSITION]  # type: ignore[no-any-return]


@inlined
def gives_up_if_last(transition: int, gives_up: int, attempts: int, attempts_in_all: int) -> int:
    """The transition after a failed attempt: *gives_up*, if there is one and this attempt was the last."""
    if attempts + 1 >= attempts_in_all and gives_up >= 0:
        return gives_up
    return transition


@inlined
def _capacity_until(group: int, now_s: float, tables: Tables) -> float:
    """Until when there is spot capacity from now on (s); now, if there is none."""
    settings = tables.settings
    return capacity_until(
        tables.capacity_s,  # type: ignore[arg-type]
        settings[group, CAPACITY_FROM],
        settings[group, CAPACITY_TO],
        settings[group, CAPACITY_FIRST] == 1,
        now_s,
    )


@inlined
def _next_end(
    slot: int, state: int, group: int, t: float, attempts: int, dies: float, crash_left: float, eviction_left: float,
    tables: Tables, samplers: SamplerTables, vms: Vms,
) -> tuple[int, float]:  # fmt: skip
    """How the stay in *state* ends if demand leaves it alone, and when (s)."""
    states = tables.states
    wait = states[state, WAIT]
    transition = states[state, NEXT]
    end = t
    if wait == _SAMPLED:
        took = _variate(slot, states[state, STREAM], states[state, SAMPLER], samplers, vms)
        end = t + took
        if took > tables.deadlines_s[state]:
            transition = states[state, LATE]
            end = t + tables.deadlines_s[state]
    elif wait == _REST:
        transition = OVER
        end = NEVER
    elif wait == _BACKOFF:
        end = t + tables.backoffs_s[tables.settings[group, BACKOFFS_FROM] + attempts - 1]
    chances = tables.chances
    for c in range(states[state, CHANCE_FROM], states[state, CHANCE_TO]):
        stream = chances[c, CHANCE_STREAM]
        k = vms.ints[slot, DRAWN + stream]
        vms.ints[slot, DRAWN + stream] = k + 1
        u = (bits(vms.keys[slot, stream], k) + 0.5) * UNIT
        if u < tables.probabilities[c]:
            transition = gives_up_if_last(
                chances[c, CHANCE_TRANSITION],
                chances[c, CHANCE_GIVES_UP],
                attempts,
                tables.settings[group, ATTEMPTS_IN_ALL],
            )
            if chances[c, CHANCE_AT_DEADLINE]:
                end = t + tables.deadlines_s[state]
            break
    if (
        states[state, NO_CAPACITY] >= 0
        and transition == states[state, NEXT]
        and _capacity_until(group, end, tables) <= end
    ):
        transition = gives_up_if_last(
            states[state, NO_CAPACITY],
            states[state, NO_CAPACITY_GIVES_UP],
            attempts,
            tables.settings[group, ATTEMPTS_IN_ALL],
        )
    if states[state, HAS_TIMERS]:
        if states[state, CRASH] >= 0:
            expires = t + crash_left
            if expires < end:
                transition = states[state, CRASH]
                end = max(expires, t)
        if states[state, EVICT] >= 0:
            expires = t + eviction_left
            if tables.settings[group, CAPACITY_FIRST] != NO_RECORD:
                expires = min(expires, _capacity_until(group, t, tables))
            if expires < end:
                transition = states[state, EVICT]
                end = max(expires, t)
        if states[state, LIFE] >= 0:
            expires = dies
            if states[state, LIFE_TIMER] == _WORKS:
                expires = t + dies
            elif states[state, LIFE_TIMER] != _CLOCK:
                expires = t if dies <= 0.0 else NEVER
            if expires < end:
                transition = states[state, LIFE]
                end = max(expires, t)
    return transition, end


@inlined
def _lifetime(slot: int, t: float, group: int, settings: Longs, samplers: SamplerTables, vms: Vms) -> float:
    """The lifetime of a request that begins now, as its timer has it: what is left of the work, or the instant of its end."""
    first = bits(vms.keys[slot, settings[group, LIFETIME_STREAM]], 0)
    took = draw(first, settings[group, LIFETIME_SAMPLER], samplers.ints, samplers.floats, samplers.pool)
    return took if settings[group, LIFE_IS_WORK] else t + took  # type: ignore[no-any-return]


@inlined
def _turn_until(
    slot: int, state: int, wanted: int, edge: float, until_s: float, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms,
    ledger: Ledger, events: Events,
) -> tuple[bool, int, float]:  # fmt: skip
    """Demand turns up to an instant (included; at the horizon excluded): whether it did, what it is then, and the next edge."""
    group, turned = vms.ints[slot, OF_GROUP], False
    turns = DEMANDS * run.transitions + TURNS * state
    while edge <= until_s and edge < run.horizon_s:
        then = _turns_to(slot, wanted, state, group, tables, vms)
        if then != wanted:
            turned = True
            move = turns + DEMANDS * wanted + then
            _record(slot, edge, move, vms.ints[slot, LISTED_AS], tables.moves, run, vms, ledger, events)
            wanted = then
        edge = _next_edge(slot, edge, wanted, group, tables.settings, tables.edges_s, samplers, vms)
    return turned, wanted, edge


@inlined
def answer_to(what: int, state: int, attempts: int, attempts_in_all: int, states: Longs) -> int:
    """The transition that answers what the platform does to a VM in a state; -1: none does."""
    if what != BY_FAILURE:
        return states[state, PREEMPT]  # type: ignore[no-any-return]
    return gives_up_if_last(states[state, HOST_FAILED], states[state, HOST_FAILED_GIVES_UP], attempts, attempts_in_all)  # type: ignore[no-any-return]


@compiled
def pass_time(
    slot: int, until_s: float, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events
) -> None:  # fmt: skip
    """A VM stays where it is until an instant, whatever its stay's own end: demand turns, and its timers run."""
    state = vms.ints[slot, STATE]
    _, vms.ints[slot, WANTED], vms.floats[slot, EDGE] = _turn_until(
        slot, state, vms.ints[slot, WANTED], vms.floats[slot, EDGE], until_s, tables, samplers, run, vms, ledger, events
    )
    stayed = until_s - vms.floats[slot, T]
    if tables.states[state, RUNS_CRASH]:
        vms.floats[slot, CRASH_LEFT] -= stayed
    if tables.states[state, RUNS_EVICTION]:
        vms.floats[slot, EVICTION_LEFT] -= stayed
    if tables.states[state, LIFE_TIMER] == _WORKS:
        vms.floats[slot, DIES] -= stayed
        vms.floats[slot, WORKED] += stayed
    vms.floats[slot, T] = until_s


@compiled
def advance(
    slot: int, transition: int, granted: bool, bound_s: float, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms,
    ledger: Ledger, events: Events,
) -> int:  # fmt: skip
    """Go on from a transition until one needs a shared resource: returns that one, not yet taken, or OVER, ENDED or PARKED.

    *granted*: the first transition has what it needs. RESUME for a transition goes on with the stay that was parked. What comes
    at *bound_s* or later, and takes time, isn't done: the VM is parked in its stay, for something may end it.
    """
    group, vm = vms.ints[slot, OF_GROUP], vms.ints[slot, LISTED_AS]
    t, edge, dies = vms.floats[slot, T], vms.floats[slot, EDGE], vms.floats[slot, DIES]
    crash_left, eviction_left = vms.floats[slot, CRASH_LEFT], vms.floats[slot, EVICTION_LEFT]
    state, wanted = vms.ints[slot, STATE], vms.ints[slot, WANTED]
    attempts, stuck = vms.ints[slot, ATTEMPT], vms.ints[slot, STUCK_AT]
    settings, states, transitions = tables.settings, tables.states, tables.transitions
    struck, end = vms.ints[slot, STRUCK], vms.floats[slot, STAY_ENDS]
    resumes = transition == RESUME
    if resumes:
        transition = vms.ints[slot, STAY_NEXT]
    while True:
        if not resumes:
            if transitions[transition, NEEDS_RESOURCE] and not granted:
                break
            granted = False
            transition &= PLACE
            _record(slot, t, DEMANDS * transition + wanted, vm, tables.moves, run, vms, ledger, events)
            state = transitions[transition, TARGET] & PLACE
            if wanted == LEFT_ON and not states[state, RUNNING]:
                wanted = 0
            if transitions[transition, HAS_EFFECT]:
                if transitions[transition, ATTEMPTS] == _RESET:
                    attempts = 0
                elif transitions[transition, ATTEMPTS] == _ADD:
                    attempts += 1
                if transitions[transition, LIFE_CHANGE] != _KEEP and vms.ints[slot, HAS_RUN] == 0:
                    if transitions[transition, LIFE_CHANGE] == _LOST:
                        dies = 0.0
                    else:
                        vms.ints[slot, HAS_RUN] = 1
                        if settings[group, LIFETIME_STREAM] >= 0:
                            dies = _lifetime(slot, t, group, settings, samplers, vms)
                if transitions[transition, RESAMPLES_CRASH]:
                    crash_left = _variate(
                        slot, settings[group, CRASH_STREAM], settings[group, CRASH_SAMPLER], samplers, vms
                    )
                if transitions[transition, RESAMPLES_EVICTION]:
                    eviction_left = _variate(
                        slot, settings[group, EVICTION_STREAM], settings[group, EVICTION_SAMPLER], samplers, vms
                    )
                if transitions[transition, LOSES_WORK]:
                    lost = min(vms.floats[slot, WORKED], tables.groups_s[group, LOST_WORK_S])
                    dies += lost
                    vms.floats[slot, WORKED] = 0.0
                    if t >= run.start_s:
                        ledger.work[group, work.LOST_WORK] += int(lost * TICKS_PER_SECOND + 0.5)
                if transitions[transition, COMPLETES_WORK] and vms.ints[slot, HAS_RUN]:
                    due = vms.floats[slot, DUE]
                    if due < run.horizon_s:
                        ledger.work[group, work.IN_TIME] += t <= due
                        ledger.work[group, work.LATE] += late_ticks(due, t) - late_ticks(due, run.horizon_s)
                if transitions[transition, ENDS_DEMAND]:
                    edge = NEVER
                    if wanted:
                        turn = DEMANDS * run.transitions + TURNS * state + DEMANDS * wanted
                        _record(slot, t, turn, vm, tables.moves, run, vms, ledger, events)
                        wanted = 0
            if states[state, ENDS]:
                transition = ENDED
                break
            if struck != NOT_STRUCK:
                answer = answer_to(struck, state, attempts, settings[group, ATTEMPTS_IN_ALL], states)
                if answer >= 0:
                    struck = NOT_STRUCK
                    transition = answer
                    continue
            if states[state, LEVEL]:
                answer = states[state, UP] if wanted else states[state, DOWN]
                if answer >= 0:
                    transition = answer
                    continue
            transition, end = _next_end(
                slot, state, group, t, attempts, dies, crash_left, eviction_left, tables, samplers, vms
            )
        # Demand may turn meanwhile, and the state may answer.
        resumes = False
        up = states[state, UP]
        down = states[state, DOWN]
        answers = up >= 0 or down >= 0
        over = False
        while True:
            wake = edge if answers and edge <= end else end
            until = wake
            if wake >= bound_s and bound_s < run.horizon_s and wake > t:
                vms.ints[slot, STAY_NEXT], vms.floats[slot, STAY_ENDS] = transition, end
                vms.floats[slot, WAKES] = wake
                transition = PARKED
                over = True
                break
            if not wake < run.horizon_s:
                over = True
                until = run.horizon_s
            elif wake > t:
                stuck = 0
            else:
                stuck += 1
                if stuck > STUCK:
                    ledger.progress[STUCK_VM] = vms.ints[slot, INDEX] + 1
                    ledger.progress[STUCK_STATE] = state
                    over = True
                    break
            turned, wanted, edge = _turn_until(
                slot, state, wanted, edge, until, tables, samplers, run, vms, ledger, events
            )
            if over:
                transition = OVER
                break
            if turned:
                answer = up if wanted else down
                if answer >= 0:
                    transition = answer
                    break
            if wake >= end:
                break
        if over:
            break
        stayed = wake - t
        if states[state, RUNS_CRASH]:
            crash_left -= stayed
        if states[state, RUNS_EVICTION]:
            eviction_left -= stayed
        if states[state, LIFE_TIMER] == _WORKS:
            dies -= stayed
            vms.floats[slot, WORKED] += stayed
        t = wake
    vms.floats[slot, T], vms.floats[slot, EDGE], vms.floats[slot, DIES] = t, edge, dies
    vms.floats[slot, CRASH_LEFT], vms.floats[slot, EVICTION_LEFT] = crash_left, eviction_left
    vms.ints[slot, STATE], vms.ints[slot, WANTED] = state, wanted
    vms.ints[slot, ATTEMPT], vms.ints[slot, STUCK_AT], vms.ints[slot, STRUCK] = attempts, stuck, struck
    return transition


@cached
def run_vms(
    births: Births, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events
) -> None:
    """VMs that share nothing, one after the other, in the first row of *vms*.

    Lines beyond the end of a buffer are counted, not kept; a stuck VM (`Ledger.progress`) ends the loop.
    """
    for birth in range(len(births.born_s)):
        transition = begin(0, birth, births, tables, samplers, run, vms, ledger, events)
        advance(0, transition, False, NEVER, tables, samplers, run, vms, ledger, events)
        if ledger.progress[STUCK_VM] != 0:
            return
