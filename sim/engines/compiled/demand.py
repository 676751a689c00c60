"""A VM's own clock in the compiled loops: draws, moves written down, demand that turns, timers that run.

Does what `sim.engines.simpy.demand` does.
"""

import math

from sim.distributions.samplers import draw as _draw
from sim.distributions.streams import bits_u64 as _bits
from sim.distributions.streams import mix_array as _mix
from sim.engines.compiled.compiler import compiled, inlined

# isort: off
from sim.engines.compiled.layout import (
    AFTER, ALIVE, ALWAYS, AWAITED_SINCE, BEFORE, CALENDAR, CHANGES, CRASH_LEFT, CYCLE, DEMAND, DIES, DRAWN, EDGE, EDGE_END, EDGE_NO, EDGES_FROM, EDGES_TO,
    EVENTS, EVICTION_LEFT, GROUP, GROUP_BITS, LIFE_TIMER, LISTED_AS, MARGIN, OF_GROUP, OFF_SAMPLER, OFF_STREAM, ON_HOST, ON_SAMPLER, ON_STREAM,
    OWN_EDGES, RUN, RUNNING, RUNS_CRASH, RUNS_EVICTION, STATE, T, WAIT_CHANGE, WAITS, WANTED, WANTED_FIRST, WORKED, Births, Fleet,
)  # fmt: skip

# isort: on
from sim.model.state_machine import DEMANDS, TURNS, LifeTimer
from sim.units import TICKS_PER_SECOND
from sim.usage.ledger import LEFT_ON, TICKS_PER_HOUR
from sim.usage.ready import AT_ONCE, BEGINS, GIVEN_UP
from sim.usage.ready import NEVER as NEVER_READY

WORKS = int(LifeTimer.WORKS)
NEVER = math.inf
WHOLE_BITS = 20  # of an hour's ticks that are zero: what is left to divide is small
assert TICKS_PER_HOUR % (1 << WHOLE_BITS) == 0
PLACE = 0x7FFFFFFF  # x & PLACE: an index that the compiler then knows not to count from the end, which saves a tenth

draw = inlined(_draw)
bits = inlined(_bits)
mix = inlined(_mix)


@inlined
def next_bits(slot: int, stream: int, fleet: Fleet) -> int:
    """The next random number of a stream, before it is a variate."""
    ints = fleet.vms.ints
    k = ints[slot, DRAWN + stream]
    ints[slot, DRAWN + stream] = k + 1
    return bits(fleet.vms.keys[slot, stream], k)  # type: ignore[no-any-return]


@inlined
def variate(slot: int, stream: int, sampler: int, fleet: Fleet) -> float:
    """The next variate of a stream."""
    samplers = fleet.samplers
    return draw(next_bits(slot, stream, fleet), sampler, samplers.ints, samplers.floats, samplers.pool)  # type: ignore[no-any-return]


@inlined
def is_full(fleet: Fleet) -> bool:
    """Whether a buffer has too few lines left for a VM to go on."""
    ledger, events = fleet.ledger, len(fleet.events.when_s)
    return bool(
        ledger.progress[CHANGES] + MARGIN > len(ledger.changes)
        or ledger.progress[WAITS] + MARGIN > len(ledger.waits)
        or (events > 0 and ledger.progress[EVENTS] + MARGIN > events)
    )


@compiled
def _note_wait(slot: int, t: float, change: int, group: int, fleet: Fleet) -> None:
    """A VM that is wanted is ready, or is no longer wanted: a line, as it is known now how long it was waited for."""
    floats, ledger = fleet.vms.floats, fleet.ledger
    since = t if change == AT_ONCE else floats[slot, AWAITED_SINCE]
    floats[slot, AWAITED_SINCE] = NEVER
    if since == NEVER or since < fleet.run.start_s:
        return
    wait = NEVER_READY if change == GIVEN_UP else int((t - since) * TICKS_PER_SECOND + 0.5)
    line = ledger.progress[WAITS]
    if line < len(ledger.waits):
        ledger.waits[line] = ((wait - NEVER_READY) << GROUP_BITS) + group
    ledger.progress[WAITS] = line + 1


@inlined
def record(slot: int, t: float, move: int, fleet: Fleet) -> None:
    """One move: the rest of its clock hour and all later hours change columns."""
    run, ledger, events, moves = fleet.run, fleet.ledger, fleet.events, fleet.tables.moves
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
    if moves[move, WAIT_CHANGE] == BEGINS:
        fleet.vms.floats[slot, AWAITED_SINCE] = t
    elif moves[move, WAIT_CHANGE] != 0:
        _note_wait(slot, t, moves[move, WAIT_CHANGE], moves[move, GROUP], fleet)
    if len(events.when_s) > 0 and fleet.vms.ints[slot, LISTED_AS] >= 0:
        line = ledger.progress[EVENTS]
        if line < len(events.when_s):
            events.when_s[line] = t
            events.moves[line, 0] = move
            events.moves[line, 1] = fleet.vms.ints[slot, LISTED_AS]
        ledger.progress[EVENTS] = line + 1


@inlined
def _next_edge(slot: int, edge: float, wanted: int, group: int, fleet: Fleet) -> float:
    """When demand turns after *edge*, being *wanted* until then (s)."""
    settings, ints = fleet.tables.settings, fleet.vms.ints
    stream, sampler = settings[group, ON_STREAM], settings[group, ON_SAMPLER]
    if settings[group, DEMAND] == ALWAYS:  # it turned because an autoscaler asked
        return NEVER
    if settings[group, DEMAND] != CYCLE:
        place = ints[slot, EDGE_NO]
        if place >= ints[slot, EDGE_END]:
            return NEVER
        ints[slot, EDGE_NO] = place + 1
        edge_s = fleet.tables.edges_s[place]
        if stream < 0:
            return edge_s  # type: ignore[no-any-return]
        return max(edge_s + variate(slot, stream, sampler, fleet), edge)  # type: ignore[no-any-return]
    if not wanted:
        stream, sampler = settings[group, OFF_STREAM], settings[group, OFF_SAMPLER]
    return edge + variate(slot, stream, sampler, fleet)  # type: ignore[no-any-return]


@inlined
def begin_demand(slot: int, group: int, birth: int, born_s: float, births: Births, fleet: Fleet) -> tuple[int, float]:
    """Whether demand wants a VM at its request, and when it turns next (s)."""
    settings, ints = fleet.tables.settings, fleet.vms.ints
    kind, wanted, edge = settings[group, DEMAND], 1, 0.0
    if kind == ALWAYS:
        return 1, NEVER
    ints[slot, EDGE_NO], ints[slot, EDGE_END] = settings[group, EDGES_FROM], settings[group, EDGES_TO]
    if kind == CYCLE:
        edge = born_s
    elif kind == CALENDAR:
        wanted = settings[group, WANTED_FIRST]
    else:
        ints[slot, EDGE_NO], ints[slot, EDGE_END] = births.edges[birth, 0], births.edges[birth, 1]
        wanted = 0
    while True:
        edge = _next_edge(slot, edge, wanted, group, fleet)
        if kind == CYCLE or edge > born_s:
            return wanted, edge
        if kind == CALENDAR:
            wanted = 1 - wanted
        else:
            wanted = 1 if fleet.tables.turns_to[ints[slot, EDGE_NO] - 1] == 1 else 0


@inlined
def turn_until(
    slot: int, state: int, wanted: int, edge: float, until_s: float, stops: bool, fleet: Fleet
) -> tuple[bool, int, float]:
    """Demand turns up to an instant (included; at the horizon excluded): whether it did, what it is then, and the next edge.

    It *stops* before an edge if a buffer has too few lines left.
    """
    group, turned, tables, run = fleet.vms.ints[slot, OF_GROUP], False, fleet.tables, fleet.run
    while edge <= until_s and edge < run.horizon_s and not (stops and is_full(fleet)):
        then = 1 - wanted
        if tables.settings[group, DEMAND] == OWN_EDGES:
            then = tables.turns_to[fleet.vms.ints[slot, EDGE_NO] - 1]
            if then == LEFT_ON and not tables.states[state, RUNNING]:
                then = 0  # only a Running VM can be left on
        if then != wanted:
            turned = True
            record(slot, edge, DEMANDS * (run.transitions + wanted) + TURNS * state + then, fleet)
            wanted = then
        edge = _next_edge(slot, edge, wanted, group, fleet)
    return turned, wanted, edge


@compiled
def pass_time(slot: int, until_s: float, fleet: Fleet) -> bool:
    """A VM stays where it is until an instant, whatever its stay's own end: demand turns, and its timers run.

    False: a buffer is full, and the rest has still to be done.
    """
    ints, floats, states = fleet.vms.ints, fleet.vms.floats, fleet.tables.states
    state = ints[slot, STATE]
    _, ints[slot, WANTED], floats[slot, EDGE] = turn_until(
        slot, state, ints[slot, WANTED], floats[slot, EDGE], until_s, True, fleet
    )
    if floats[slot, EDGE] <= until_s and floats[slot, EDGE] < fleet.run.horizon_s:
        return False
    stayed = until_s - floats[slot, T]
    if states[state, RUNS_CRASH]:
        floats[slot, CRASH_LEFT] -= stayed
    if states[state, RUNS_EVICTION]:
        floats[slot, EVICTION_LEFT] -= stayed
    if states[state, LIFE_TIMER] == WORKS:
        floats[slot, DIES] -= stayed
        floats[slot, WORKED] += stayed
    floats[slot, T] = until_s
    return True
