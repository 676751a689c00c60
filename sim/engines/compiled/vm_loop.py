"""VMs that share nothing, one after the other, from birth to horizon: no event queue.

Does what `sim.engines.simpy.vm` does, with the same expressions in the same order (`t + d`, `left - (t2 - t)`,
`not t2 < horizon`), the same streams and the same ticks, so the ledgers are equal to the last bit. It knows no state,
operation or failure: those are numbers in the tables of `layout`.

`advance` stops where a VM needs a shared resource (host, quota); `sim.engines.compiled.event_loop` goes on from there.
"""

from sim.engines.compiled.compiler import by_reference, cached, compile_rules, compiled, inlined
from sim.engines.compiled.demand import (
    NEVER,
    PLACE,
    WORKS,
    begin_demand,
    bits,
    draw,
    is_full,
    mix,
    next_bits,
    record,
    turn_until,
    variate,
)

# isort: off
from sim.engines.compiled.layout import (
    ASKED, ATTEMPT, ATTEMPTS, ATTEMPTS_IN_ALL, AWAITED_SINCE, BACKOFFS_FROM, BIRTH, BY_FAILURE, CHANCE_AT_DEADLINE, CHANCE_FROM, CHANCE_GIVES_UP, CHANCE_STREAM,
    CHANCE_TO, CHANCE_TRANSITION, CRASH, CRASH_LEFT, CRASH_SAMPLER, CRASH_STREAM, DIES, DOWN, DRAWN, EDGE, ENDS, ENDS_DEMAND, EVICT,
    EVICTION_LEFT, EVICTION_SAMPLER, EVICTION_STREAM, FIRST_STATE, FIRST_TRANSITION, HAS_EFFECT, HAS_QUOTA, HAS_RUN, HAS_TIMERS, HOST_FAILED,
    HOST_FAILED_GIVES_UP, INDEX, LATE, LATER_STATE, LATER_TRANSITION, LEVEL, LIFE, LIFE_CHANGE, LIFE_IS_WORK, LIFE_TIMER, LIFETIME_SAMPLER,
    LIFETIME_STREAM, LISTED_AS, NEEDS_RESOURCE, NEXT, NOT_STRUCK, OF_GROUP, PREEMPT, RESAMPLES_CRASH, RESAMPLES_EVICTION, ROUND, RUNNING,
    RUNS_CRASH, RUNS_EVICTION, SAMPLER, STAGE, STAMP, STATE, STAY_ENDS, STAY_NEXT, STREAM, STREAMS, STRUCK, STUCK_AT, STUCK_STATE, STUCK_VM, T,
    TARGET, UP, WAIT, WAKES, WANTED, Births, Fleet, Longs,
    CAPACITY_FIRST, CAPACITY_FROM, CAPACITY_TO, COMPLETES_WORK, DEADLINE_S, DUE, EVICTS, LOST_WORK_S, NO_CAPACITY, NO_CAPACITY_GIVES_UP,
    NO_RECORD, STARTS_WORK, WORKED,
    CHANGEOVER_S, EVICTED, EVICTIONS_AT_MOST, FALL_BACK, HOME, IS_SPOT, MOVED, MOVES, MOVES_ON, MOVING_SINCE, REQUESTED, WORK,
)  # fmt: skip

# isort: on
from sim.engines.shared import work
from sim.engines.shared.work import capacity_until, late_ticks
from sim.model.faults.fall_back import Request
from sim.model.state_machine import DEMANDS, STUCK, TURNS, Attempts, Delay, Life, LifeTimer
from sim.units import TICKS_PER_SECOND
from sim.usage.ledger import LEFT_ON

compile_rules(*work.RULES)

# Instead of a transition: nothing before the horizon; nothing ever; a stay that something may end; going on with one; a full buffer.
OVER, ENDED, PARKED, RESUME, FULL = -1, -2, -3, -4, -5
_SAMPLED, _BACKOFF, _REST = int(Delay.SAMPLED), int(Delay.BACKOFF), int(Delay.REST)
_ADD, _RESET = int(Attempts.ADD), int(Attempts.RESET)
_KEEP, _LOST = int(Life.KEEP), int(Life.LOST)
_CLOCK = int(LifeTimer.CLOCK)
UNIT = 2.0**-52


@inlined
def begin_work(slot: int, group: int, born_s: float, fleet: Fleet) -> None:
    """A request is made: it may be due at some time before the horizon."""
    floats, run, counted = fleet.vms.floats, fleet.run, fleet.ledger.work
    due_s = born_s + fleet.tables.groups_s[group, DEADLINE_S]
    if due_s < run.horizon_s and born_s >= run.start_s:
        floats[slot, DUE] = due_s
        counted[group, work.DUE] += 1
        counted[group, work.LATE] += late_ticks(due_s, run.horizon_s)  # until it is done


@inlined
def _complete_work(slot: int, group: int, t: float, fleet: Fleet) -> None:
    """A VM's work is done."""
    due_s, run, counted = fleet.vms.floats[slot, DUE], fleet.run, fleet.ledger.work
    if fleet.vms.ints[slot, HAS_RUN] and due_s < run.horizon_s:
        home, late = fleet.tables.settings[group, HOME], late_ticks(due_s, t)
        counted[home, work.IN_TIME] += late == 0
        counted[home, work.LATE] += late - late_ticks(due_s, run.horizon_s)


@inlined
def _lose_work(slot: int, group: int, t: float, fleet: Fleet) -> float:
    """A VM loses work by an eviction: how much (s)."""
    fleet.vms.ints[slot, EVICTED] += 1
    lost = min(fleet.vms.floats[slot, WORKED], fleet.tables.groups_s[group, LOST_WORK_S])
    if t >= fleet.run.start_s:
        fleet.ledger.work[group, work.LOST_WORK] += int(lost * TICKS_PER_SECOND + 0.5)
    return lost  # type: ignore[no-any-return]


@inlined
def _lifetime(slot: int, t: float, group: int, fleet: Fleet) -> float:
    """The lifetime of a request that begins now, as its timer has it: what is left of the work, or the instant of its end."""
    settings, samplers = fleet.tables.settings, fleet.samplers
    first = bits(fleet.vms.keys[slot, settings[group, LIFETIME_STREAM]], 0)
    took = draw(first, settings[group, LIFETIME_SAMPLER], samplers.ints, samplers.floats, samplers.pool)
    return took if settings[group, LIFE_IS_WORK] else t + took  # type: ignore[no-any-return]


@compiled
def begin(slot: int, birth: int, born_s: float, births: Births, fleet: Fleet) -> int:
    """A VM is requested, at its birth or later: its timers and the demand for it; returns its first transition."""
    group, index, key = births.group[birth], births.vm[birth], births.key[birth]
    settings, floats, ints, streams = fleet.tables.settings, fleet.vms.floats, fleet.vms.ints, fleet.tables.streams
    for stream in range(settings[group, STREAMS]):
        fleet.vms.keys[slot, stream] = mix(key ^ streams[group, stream])
        ints[slot, DRAWN + stream] = 0
    if len(births.lifetime_key) > 0 and settings[group, LIFETIME_STREAM] >= 0:
        stream = settings[group, LIFETIME_STREAM]
        fleet.vms.keys[slot, stream] = mix(births.lifetime_key[birth] ^ streams[group, stream])
    floats[slot, T] = born_s
    floats[slot, CRASH_LEFT], floats[slot, EVICTION_LEFT], floats[slot, AWAITED_SINCE] = NEVER, NEVER, NEVER
    floats[slot, DUE], floats[slot, WORKED], floats[slot, REQUESTED] = NEVER, 0.0, born_s
    ints[slot, EVICTED], ints[slot, MOVED] = 0, 0
    floats[slot, DIES] = births.born_s[birth] + births.lifetime_s[birth] if len(births.lifetime_s) > 0 else NEVER
    if settings[group, FALL_BACK] != 0:
        floats[slot, WORK] = floats[slot, DIES] = _lifetime(slot, born_s, group, fleet)
    if settings[group, CRASH_STREAM] >= 0:
        floats[slot, CRASH_LEFT] = variate(slot, settings[group, CRASH_STREAM], settings[group, CRASH_SAMPLER], fleet)
    if settings[group, EVICTION_STREAM] >= 0:
        floats[slot, EVICTION_LEFT] = variate(
            slot, settings[group, EVICTION_STREAM], settings[group, EVICTION_SAMPLER], fleet
        )
    wanted, floats[slot, EDGE] = begin_demand(slot, group, birth, born_s, births, fleet)
    state = settings[group, FIRST_STATE] if born_s <= 0.0 else settings[group, LATER_STATE]
    ints[slot, STATE] = state
    ints[slot, WANTED] = wanted
    ints[slot, ATTEMPT] = 0
    ints[slot, STUCK_AT] = 0
    ints[slot, HAS_RUN] = 0
    ints[slot, INDEX] = index
    ints[slot, OF_GROUP] = group
    ints[slot, STAGE] = 0
    ints[slot, BIRTH] = birth
    ints[slot, HAS_QUOTA] = 0
    ints[slot, STAMP] += 1
    ints[slot, STRUCK] = NOT_STRUCK
    ints[slot, ASKED] = -1
    ints[slot, ROUND] = -1
    listed = fleet.events.listed
    listed_as = index if len(listed) == 0 else -1
    for line in range(len(listed)):
        if listed[line, 0] == group and listed[line, 1] == index:
            listed_as = index
    ints[slot, LISTED_AS] = listed_as
    if wanted:
        record(slot, born_s, DEMANDS * fleet.run.transitions + TURNS * state + 1, fleet)
    return settings[group, FIRST_TRANSITION] if born_s <= 0.0 else settings[group, LATER_TRANSITION]  # type: ignore[no-any-return]


@inlined
def gives_up_if_last(transition: int, gives_up: int, attempts: int, attempts_in_all: int) -> int:
    """The transition after a failed attempt: *gives_up*, if there is one and this attempt was the last."""
    if attempts + 1 >= attempts_in_all and gives_up >= 0:
        return gives_up
    return transition


@inlined
def _capacity_until(group: int, now_s: float, fleet: Fleet) -> float:
    """Until when there is spot capacity from now on (s); now, if there is none."""
    mine, edges_s = fleet.tables.settings[group], fleet.tables.capacity_s
    return capacity_until(edges_s, mine[CAPACITY_FROM], mine[CAPACITY_TO], mine[CAPACITY_FIRST] != 0, now_s)  # type: ignore[arg-type]


@compiled
def _moves_s(slot: int, group: int, t: float, left_s: float, fleet: Fleet) -> float:
    """When the request goes on with a VM of the other priority, if the VM stays where it is."""
    mine, seconds, edges_s = fleet.tables.settings[group], fleet.tables.groups_s[group], fleet.tables.capacity_s
    floats, changeover_s = fleet.vms.floats, seconds[CHANGEOVER_S]
    request = Request(floats[slot, REQUESTED], seconds[DEADLINE_S], floats[slot, WORK], left_s)
    known = work.Record(edges_s, mine[CAPACITY_FROM], mine[CAPACITY_TO], mine[CAPACITY_FIRST] != 0)  # type: ignore[arg-type]
    if not mine[IS_SPOT]:
        return work.returns_at(t, request, changeover_s, known)
    enough = fleet.vms.ints[slot, EVICTED] >= mine[EVICTIONS_AT_MOST]
    return work.falls_back_at(mine[FALL_BACK], enough, t, request, changeover_s, known)


@inlined
def _next_end(
    slot: int, state: int, group: int, t: float, attempts: int, dies: float, crash_left: float, eviction_left: float, fleet: Fleet
) -> tuple[int, float]:  # fmt: skip
    """How the stay in *state* ends if demand leaves it alone, and when (s)."""
    tables = fleet.tables
    states, chances = tables.states, tables.chances
    wait = states[state, WAIT]
    transition = states[state, NEXT]
    end = t
    if wait == _SAMPLED:
        took = variate(slot, states[state, STREAM], states[state, SAMPLER], fleet)
        end = t + took
        if took > tables.deadlines_s[state]:
            transition = states[state, LATE]
            end = t + tables.deadlines_s[state]
    elif wait == _REST:
        transition = OVER
        end = NEVER
    elif wait == _BACKOFF:
        end = t + tables.backoffs_s[tables.settings[group, BACKOFFS_FROM] + attempts - 1]
    for c in range(states[state, CHANCE_FROM], states[state, CHANCE_TO]):
        u = (next_bits(slot, chances[c, CHANCE_STREAM], fleet) + 0.5) * UNIT
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
        and _capacity_until(group, end, fleet) <= end
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
                expires = min(expires, _capacity_until(group, t, fleet))
            if expires < end:
                transition = states[state, EVICT]
                end = max(expires, t)
        if states[state, LIFE] >= 0:
            expires = dies
            if states[state, LIFE_TIMER] == WORKS:
                expires = t + dies
            elif states[state, LIFE_TIMER] != _CLOCK:
                expires = t if dies <= 0.0 else NEVER
            if expires < end:
                transition = states[state, LIFE]
                end = max(expires, t)
        if states[state, MOVES] >= 0:
            expires = _moves_s(slot, group, t, dies, fleet)
            if expires < end:
                transition = states[state, MOVES]
                end = max(expires, t)
    return transition, end


@inlined
def answer_to(what: int, state: int, attempts: int, attempts_in_all: int, states: Longs) -> int:
    """The transition that answers what the platform does to a VM in a state; -1: none does."""
    if what != BY_FAILURE:
        return states[state, PREEMPT]  # type: ignore[no-any-return]
    return gives_up_if_last(states[state, HOST_FAILED], states[state, HOST_FAILED_GIVES_UP], attempts, attempts_in_all)  # type: ignore[no-any-return]


@compiled
def advance(slot: int, transition: int, granted: bool, bound_s: float, stops: bool, fleet: Fleet) -> int:
    """Go on from a transition until one needs a shared resource: returns that one, not yet taken, or OVER, ENDED, PARKED or FULL.

    *granted*: the first transition has what it needs. RESUME goes on with the stay that was parked. At *bound_s*, and where it *stops* at
    a FULL buffer, the VM is PARKED in a stay that takes time, for something may end it.
    """
    ints, floats, run = fleet.vms.ints, fleet.vms.floats, fleet.run
    states, transitions = fleet.tables.states, fleet.tables.transitions
    group, t, edge, dies = ints[slot, OF_GROUP], floats[slot, T], floats[slot, EDGE], floats[slot, DIES]
    crash_left, eviction_left = floats[slot, CRASH_LEFT], floats[slot, EVICTION_LEFT]
    state, wanted = ints[slot, STATE], ints[slot, WANTED]
    attempts, stuck, struck = ints[slot, ATTEMPT], ints[slot, STUCK_AT], ints[slot, STRUCK]
    end, mine = floats[slot, STAY_ENDS], fleet.tables.settings[group]
    over, resumes = False, transition == RESUME
    if resumes:
        transition = ints[slot, STAY_NEXT]
    while not over:
        if not resumes:
            if transitions[transition, NEEDS_RESOURCE] and not granted:
                break
            granted = False
            transition &= PLACE
            record(slot, t, DEMANDS * transition + wanted, fleet)
            state = transitions[transition, TARGET] & PLACE
            if wanted == LEFT_ON and not states[state, RUNNING]:
                wanted = 0
            if transitions[transition, HAS_EFFECT]:
                if transitions[transition, ATTEMPTS] == _RESET:
                    attempts = 0
                elif transitions[transition, ATTEMPTS] == _ADD:
                    attempts += 1
                if transitions[transition, LIFE_CHANGE] != _KEEP and ints[slot, HAS_RUN] == 0:
                    if transitions[transition, LIFE_CHANGE] == _LOST:
                        dies = 0.0
                    else:
                        ints[slot, HAS_RUN] = 1
                        if mine[LIFETIME_STREAM] >= 0 and not mine[FALL_BACK]:  # else its work is known already
                            dies = _lifetime(slot, t, group, fleet)
                if transitions[transition, RESAMPLES_CRASH]:
                    crash_left = variate(slot, mine[CRASH_STREAM], mine[CRASH_SAMPLER], fleet)
                if transitions[transition, RESAMPLES_EVICTION]:
                    eviction_left = variate(slot, mine[EVICTION_STREAM], mine[EVICTION_SAMPLER], fleet)
                if transitions[transition, STARTS_WORK]:
                    floats[slot, WORKED] = 0.0
                if transitions[transition, EVICTS]:
                    dies += _lose_work(slot, group, t, fleet)
                if transitions[transition, COMPLETES_WORK]:
                    _complete_work(slot, group, t, fleet)
                if transitions[transition, ENDS_DEMAND]:
                    edge = NEVER
                    if states[state, MOVES_ON]:  # it is waited for still
                        floats[slot, MOVING_SINCE], floats[slot, AWAITED_SINCE] = floats[slot, AWAITED_SINCE], NEVER
                    if wanted:
                        record(slot, t, DEMANDS * (run.transitions + wanted) + TURNS * state, fleet)
                        wanted = 0
            if states[state, ENDS]:
                transition = ENDED
                break
            if struck != NOT_STRUCK:
                answer = answer_to(struck, state, attempts, mine[ATTEMPTS_IN_ALL], states)
                if answer >= 0:
                    struck, transition = NOT_STRUCK, answer
                    continue
            if states[state, LEVEL]:
                answer = states[state, UP] if wanted else states[state, DOWN]
                if answer >= 0:
                    transition = answer
                    continue
            transition, end = _next_end(slot, state, group, t, attempts, dies, crash_left, eviction_left, fleet)
        # Demand may turn meanwhile, and the state may answer.
        resumes = False
        up, down = states[state, UP], states[state, DOWN]
        answers = up >= 0 or down >= 0
        while True:
            wake = edge if answers and edge <= end else end
            until = min(wake, run.horizon_s)
            if wake > t:
                is_bound = wake >= bound_s and bound_s < run.horizon_s
                if is_bound or (stops and wake < run.horizon_s and is_full(fleet)):
                    ints[slot, STAY_NEXT], floats[slot, STAY_ENDS], floats[slot, WAKES] = transition, end, wake
                    transition, over = PARKED if is_bound else FULL, True
                    break
                stuck = 0
            else:
                stuck += 1
                if stuck > STUCK:
                    progress, over = fleet.ledger.progress, True
                    progress[STUCK_VM], progress[STUCK_STATE] = ints[slot, INDEX] + 1, state
                    break
            turned, wanted, edge = turn_until(slot, state, wanted, edge, until, stops and not answers, fleet)
            if stops and edge <= until and edge < run.horizon_s:
                ints[slot, STAY_NEXT], floats[slot, STAY_ENDS], floats[slot, WAKES] = transition, end, edge
                transition, over = FULL, True
                break
            if not wake < run.horizon_s:
                transition, over = OVER, True
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
        if states[state, LIFE_TIMER] == WORKS:
            dies -= stayed
            floats[slot, WORKED] += stayed
        t = wake
    floats[slot, T], floats[slot, EDGE], floats[slot, DIES] = t, edge, dies
    floats[slot, CRASH_LEFT], floats[slot, EVICTION_LEFT] = crash_left, eviction_left
    ints[slot, STATE], ints[slot, WANTED] = state, wanted
    ints[slot, ATTEMPT], ints[slot, STUCK_AT], ints[slot, STRUCK] = attempts, stuck, struck
    return transition


# What its one caller passes is constant, and goes out of the code: a tenth of the time.
_advance_alone = inlined(getattr(advance, "py_func", advance))


@cached
def run_vms(arrays: Fleet) -> None:
    """VMs that share nothing, one after the other, in the first row of *vms*.

    Lines beyond the end of a buffer are counted, not kept; a stuck VM (`Ledger.progress`) ends the loop.
    """
    fleet = by_reference(arrays)
    births = fleet.births
    for birth in range(len(births.born_s)):
        born_s = births.born_s[birth]
        if len(births.follows) > 0 and births.follows[birth] >= 0:
            gone_s = births.gone_s[births.follows[birth]]
            if gone_s > born_s and born_s + births.lifetime_s[birth] <= gone_s:
                births.gone_s[birth] = gone_s
                continue
            born_s = max(born_s, gone_s)
        transition = begin(0, birth, born_s, births, fleet)
        begin_work(0, births.group[birth], born_s, fleet)
        transition = _advance_alone(0, transition, False, NEVER, False, fleet)
        if fleet.ledger.progress[STUCK_VM] != 0:
            return
        if len(births.follows) > 0:
            births.gone_s[birth] = fleet.vms.floats[0, T] if transition == ENDED else NEVER
