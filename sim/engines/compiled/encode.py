"""State machines as plain arrays (`layout.Tables`), for loops that know only numbers.

The state machines of several groups stand one behind the other, with one numbering of states, transitions and samplers.
Streams are numbered by group.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.distributions.kinds import Distribution
from sim.distributions.samplers import compile_samplers
from sim.engines.compiled import layout
from sim.engines.compiled.layout import Longs, Run, SamplerTables, Tables, Vms
from sim.engines.group_setup import GroupSetup
from sim.engines.shared.throttle import BUCKET_OF
from sim.lifecycle.power import ON_HOST, PowerState
from sim.model.plan import GroupPlan
from sim.model.state_machine import DEMANDS, TURNS, Refusal, State, Transition
from sim.usage.collector import Window
from sim.usage.ledger import ABSENT, COLUMNS, column

BINS = 8_192  # stretches of time (or up to twice as many) for which it is noted how many VMs came and went


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Everything that the loops only read, and how to read what they write."""

    tables: Tables
    samplers: SamplerTables
    run: Run
    bins: int
    first_transition: tuple[int, ...]  # of each group, and one behind the last
    first_state: tuple[int, ...]
    own_samplers: int  # of the groups; the others come behind

    @property
    def bin_ticks(self) -> int:
        """Ticks of a bin."""
        return 1 << self.run.bin_shift

    def own_moves(self, group: int) -> Longs:
        """The numbers of one group's moves, in the order of that group's move table."""
        return np.concatenate([np.arange(low, high) for low, high in self.move_ranges(group)])

    def move_ranges(self, group: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where one group's moves begin and end among the moves of all, and its turns of demand."""
        return _move_ranges(self.first_transition, self.first_state, group)

    def vms(self, count: int) -> Vms:
        """Rows for so many VMs."""
        return Vms.blank(count, self.tables.streams.shape[1])


@dataclass(frozen=True, slots=True)
class _Group:
    """A group, and where its parts begin in the tables of all."""

    setup: GroupSetup
    transition: int
    state: int
    sampler: int
    backoff: int
    edge: int
    capacity: int

    def sampler_of(self, stream: int) -> int:
        """The row of a stream's sampler, or -1."""
        samplers = self.setup.state_machine.samplers
        if stream < 0 or samplers[stream] is None:
            return -1
        return self.sampler + sum(sampler is not None for sampler in samplers[:stream])

    def row_of(self, transition: Transition | None) -> int:
        """The row of a transition, or -1."""
        return -1 if transition is None else self.transition + transition.index

    def refusal(self, refusal: Refusal | None) -> tuple[int, int]:
        """The rows of the transitions after a refusal: to try again, and to give up."""
        return (-1, -1) if refusal is None else (self.row_of(refusal.transition), self.row_of(refusal.gives_up))


def encode(
    setups: Sequence[GroupSetup], window: Window, more_samplers: Sequence[Distribution] = (), *, throttled: bool = False
) -> Encoded:
    """Lay out the groups' state machines for the loops; *more_samplers* come behind those of the groups."""
    machines = [setup.state_machine for setup in setups]
    samplers = [[sampler for sampler in machine.samplers if sampler is not None] for machine in machines]
    backoffs = [np.array(machine.backoff_s, dtype=np.float64) for machine in machines]
    edges, capacity = (
        [np.array(calendar.edges_s if calendar else (), dtype=np.float64) for calendar in calendars]
        for calendars in ([setup.calendar for setup in setups], [setup.capacity for setup in setups])
    )
    first = [
        (0, *accumulate(len(part) for part in parts))
        for parts in ([m.transitions for m in machines], [m.states for m in machines], samplers, backoffs, edges, capacity)
    ]  # fmt: skip
    groups = [_Group(setup, *starts) for setup, *starts in zip(setups, *first, strict=False)]
    chances = [
        (group, state, chance)
        for group in groups
        for state in group.setup.state_machine.states
        for chance in state.chances
    ]
    are_scaled = [int(machine.plan.demand.is_scaled) for machine in machines]
    scalers = [scaled * number for scaled, number in zip(are_scaled, accumulate(are_scaled), strict=True)]
    names, parts = [machine.plan.name for machine in machines], [machine.plan.part_of for machine in machines]
    sampled = compile_samplers([*(sampler for own in samplers for sampler in own), *more_samplers])
    first_transition, first_state, *_ = first
    bin_shift = max(0, (window.end_ticks // BINS).bit_length() - 1)
    return Encoded(
        tables=Tables(
            streams=_stream_keys(setups),
            settings=_table(_settings(group, scaler, names, parts) for group, scaler in zip(groups, scalers, strict=True)),
            states=_states(groups),
            deadlines_s=np.array([state.deadline_s for machine in machines for state in machine.states], dtype=np.float64),
            transitions=_table(
                _transition(one, group.state, throttled=throttled) for group in groups for one in group.setup.state_machine.transitions
            ),
            chances=np.array(
                [(c.stream, group.row_of(c.transition), group.row_of(c.gives_up), c.at_deadline) for group, _, c in chances],
                dtype=np.int64,
            ).reshape(-1, 4),
            probabilities=np.array([chance.probability for *_, chance in chances], dtype=np.float64),
            backoffs_s=np.concatenate(backoffs),
            groups_s=np.array([_seconds(setup.plan) for setup in setups], dtype=np.float64),
            group_keys=np.array([setup.group_key for setup in setups], dtype=np.uint64),
            capacity_s=np.concatenate(capacity),
            edges_s=np.concatenate(edges),
            turns_to=np.zeros(0, dtype=np.int64),
            moves=_moves(setups, first_transition, first_state),
        ),
        samplers=SamplerTables(sampled.sampler_i, sampled.sampler_f, sampled.pool),
        run=Run(float(window.end_s), float(window.start_s), window.start_ticks, bin_shift, first_transition[-1], window.into_hour_ticks),
        bins=(window.end_ticks >> bin_shift) + 1,
        first_transition=first_transition,
        first_state=first_state,
        own_samplers=sum(map(len, samplers)),
    )  # fmt: skip


def encoded_once(setups: Sequence[GroupSetup], window: Window) -> Encoded:
    """The layout of groups that share no platform, made once for all replications."""
    if any(setup.capacity is not None for setup in setups):
        return encode(setups, window)  # recorded capacity differs between replications
    kept, name = setups[0].kept, f"{len(setups)} encoded"
    if name not in kept:
        kept[name] = encode(setups, window)
    return kept[name]  # type: ignore[no-any-return]


def _table(rows: Iterable[dict[int, Any]]) -> Longs:
    """Rows whose columns are named by `layout`."""
    return np.array([[int(row[column]) for column in range(len(row))] for row in rows], dtype=np.int64)


def _settings(group: _Group, scaler: int, names: Sequence[str], parts: Sequence[str]) -> dict[int, Any]:
    rule, name = group.setup.plan.fall_back, group.setup.plan.name
    other = (
        names.index(group.setup.plan.part_of)
        if group.setup.plan.part_of
        else parts.index(name)
        if name in parts
        else -1
    )
    setup, machine = group.setup, group.setup.state_machine
    on, off = machine.edge_streams
    return {
        layout.FIRST_TRANSITION: group.row_of(machine.first),
        layout.FIRST_STATE: group.state + machine.first.source.index,
        layout.LATER_TRANSITION: group.row_of(machine.later),
        layout.LATER_STATE: group.state + machine.later.source.index,
        layout.ATTEMPTS_IN_ALL: machine.plan.retry.attempts,
        layout.CRASH_STREAM: machine.crash_stream,
        layout.CRASH_SAMPLER: group.sampler_of(machine.crash_stream),
        layout.EVICTION_STREAM: machine.eviction_stream,
        layout.EVICTION_SAMPLER: group.sampler_of(machine.eviction_stream),
        layout.LIFETIME_STREAM: machine.lifetime_stream,
        layout.LIFETIME_SAMPLER: group.sampler_of(machine.lifetime_stream),
        layout.LIFE_IS_WORK: machine.plan.demand.lifetime_is_work,
        layout.DEMAND: _demand(setup),
        layout.ON_STREAM: on,
        layout.ON_SAMPLER: group.sampler_of(on),
        layout.OFF_STREAM: off,
        layout.OFF_SAMPLER: group.sampler_of(off),
        layout.WANTED_FIRST: setup.calendar.wanted_first if setup.calendar else 1,
        layout.EDGES_FROM: group.edge,
        layout.EDGES_TO: group.edge + (len(setup.calendar.edges_s) if setup.calendar else 0),
        layout.BACKOFFS_FROM: group.backoff,
        layout.STREAMS: len(machine.stream_names),
        layout.ALWAYS_QUEUED: scaler,
        layout.FALL_BACK: rule.rule if rule else 0,
        layout.EVICTIONS_AT_MOST: rule.evictions if rule else 0,
        layout.IS_SPOT: machine.plan.spot is not None,
        layout.HOME: other if machine.plan.part_of else names.index(name),
        layout.OTHER: other,
        layout.CAPACITY_FROM: group.capacity,
        layout.CAPACITY_TO: group.capacity + (len(setup.capacity.edges_s) if setup.capacity else 0),
        layout.CAPACITY_FIRST: setup.capacity.wanted_first if setup.capacity else layout.NO_RECORD,
        layout.SHORTAGE_STREAM: machine.shortage_stream,
    }  # fmt: skip


def _seconds(plan: GroupPlan) -> tuple[float, float, float]:
    changeover_s = plan.fall_back.changeover_s if plan.fall_back else 0.0
    return plan.demand.deadline_s, plan.spot.lost_work_s if plan.spot else 0.0, changeover_s


def _demand(setup: GroupSetup) -> int:
    if setup.own_edges is not None:
        return layout.OWN_EDGES
    if setup.calendar is not None:
        return layout.CALENDAR
    return layout.CYCLE if setup.state_machine.edge_streams[0] >= 0 else layout.ALWAYS


def _states(groups: Sequence[_Group]) -> Longs:
    rows, chances = [], 0
    for group in groups:
        for state in group.setup.state_machine.states:
            rows.append(
                {**_state(state, group), layout.CHANCE_FROM: chances, layout.CHANCE_TO: chances + len(state.chances)}
            )
            chances += len(state.chances)
    return _table(rows)


def _state(state: State, group: _Group) -> dict[int, Any]:
    machine = group.setup.state_machine
    no_room, no_quota = group.refusal(state.no_room), group.refusal(state.no_quota)
    no_capacity = group.refusal(state.no_capacity)
    return {
        layout.WAIT: state.wait,
        layout.STREAM: state.stream,
        layout.SAMPLER: group.sampler_of(state.stream),
        layout.NEXT: group.row_of(state.next),
        layout.LATE: group.row_of(state.late),
        layout.CRASH: group.row_of(state.crash),
        layout.EVICT: group.row_of(state.evict),
        layout.LIFE: group.row_of(state.life),
        layout.UP: group.row_of(state.up),
        layout.DOWN: group.row_of(state.down),
        layout.LEVEL: state.level,
        layout.RUNS_CRASH: state.runs_crash_timer and machine.crash_stream >= 0,
        layout.RUNS_EVICTION: state.is_running and machine.eviction_stream >= 0,
        layout.RUNNING: state.is_running,
        layout.ENDS: state.ends,
        layout.HAS_TIMERS: state.has_timers,
        layout.LIFE_TIMER: state.life_timer,
        layout.NO_ROOM: no_room[0],
        layout.NO_ROOM_GIVES_UP: no_room[1],
        layout.NO_QUOTA: no_quota[0],
        layout.NO_QUOTA_GIVES_UP: no_quota[1],
        layout.HOST_FAILED: group.row_of(state.host_failed),
        layout.HOST_FAILED_GIVES_UP: group.row_of(state.host_failed_gives_up),
        layout.PREEMPT: group.row_of(state.preempt),
        layout.MAINTAINED: group.row_of(state.maintained),
        layout.SERVING: state.serving,
        layout.MOVES: group.row_of(state.moves),
        layout.MOVES_ON: state.moves_on,
        layout.NO_CAPACITY: no_capacity[0],
        layout.NO_CAPACITY_GIVES_UP: no_capacity[1],
        layout.REMOVED: group.row_of(state.removed),
        layout.SET_ASIDE: group.row_of(state.set_aside),
    }


def _transition(transition: Transition, first_state: int, *, throttled: bool) -> dict[int, Any]:
    return {
        layout.TARGET: first_state + transition.target.index,
        layout.ATTEMPTS: transition.attempts,
        layout.LIFE_CHANGE: transition.life,
        layout.ENDS_DEMAND: transition.ends_demand,
        layout.RESAMPLES_CRASH: transition.resamples_crash,
        layout.RESAMPLES_EVICTION: transition.resamples_eviction,
        layout.HAS_EFFECT: transition.has_effect,
        layout.NEEDS_RESOURCE: transition.needs_resource,
        layout.ASKS_HOST: transition.asks_host,
        layout.ASKS_QUOTA: transition.asks_quota,
        layout.OFF_HOST: transition.target.power not in ON_HOST,
        layout.EVICTS: transition.evicts,
        layout.COMPLETES_WORK: transition.completes_work,
        layout.STARTS_WORK: transition.starts_work,
        layout.GONE: transition.target.power is None and transition.target.operation is None,
        layout.RESTARTS: transition.source.power is PowerState.STOPPED
        and transition.target.power is PowerState.STARTING,
        layout.TOKEN: BUCKET_OF.get(transition.target.operation or "", layout.ANY_TOKEN)
        if throttled and transition.target.begins
        else layout.NO_TOKEN,
    }


def _stream_keys(setups: Sequence[GroupSetup]) -> NDArray[np.uint64]:
    """The streams' names as the numbers that streams are keyed with."""
    names = [setup.state_machine.stream_names for setup in setups]
    keys = np.zeros((len(setups), max(map(len, names))), dtype=np.uint64)
    for row, own in zip(keys, names, strict=True):
        row[: len(own)] = [streams.label(name) for name in own]
    return keys


def _moves(setups: Sequence[GroupSetup], first_transition: Sequence[int], first_state: Sequence[int]) -> Longs:
    """What each move means to the ledger; the groups' columns stand side by side."""
    transitions = first_transition[-1]
    table = np.zeros((DEMANDS * transitions + TURNS * first_state[-1], layout.WAIT_CHANGE + 1), dtype=np.int64)
    first_absent = column(ABSENT, 0)
    for place, setup in enumerate(setups):
        move = setup.table
        alive = (move.after < first_absent).astype(np.int64) - (move.before < first_absent)
        base = place * COLUMNS
        rows = np.stack(
            [move.before + base, move.after + base, move.on_host_change, move.running_change, alive,
             np.full(len(alive), place), move.wait_change], axis=1,
        )  # fmt: skip
        own = setup.state_machine.moves
        (low, high), (first_turn, end) = _move_ranges(first_transition, first_state, place)
        table[low:high], table[first_turn:end] = rows[:own], rows[own:]
    return table


def _move_ranges(
    first_transition: Sequence[int], first_state: Sequence[int], group: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    turns = DEMANDS * first_transition[-1]
    return (
        (DEMANDS * first_transition[group], DEMANDS * first_transition[group + 1]),
        (turns + TURNS * first_state[group], turns + TURNS * first_state[group + 1]),
    )
