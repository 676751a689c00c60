"""Programs as plain arrays, for a walker that knows only numbers; the other half of `sim.engines.compiled.vm_loop`.

The programs of several groups stand one behind the other, with one numbering of states, transitions and laws, so that one
kernel can play VMs of all of them. Purposes are numbered by group: a VM's streams stand side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.distributions.samplers import compile_samplers
from sim.engines.compiled import vm_loop as k
from sim.engines.group_setup import GroupSetup
from sim.lifecycle.power import ON_HOST
from sim.model.state_machine import Refusal, State, Transition
from sim.usage.collector import Window
from sim.usage.ledger import ABSENT, COLUMNS, column

BINS = 8_192  # stretches of time (or up to twice as many) for which the kernel notes how many VMs came and went
Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Everything the kernel reads, by the names of its parameters, and how to read what it wrote."""

    run: Longs
    horizon_s: float
    start_s: float
    labels: NDArray[np.uint64]  # (groups, streams)
    settings: Longs
    states: Longs
    deadlines: NDArray[np.float64]
    transitions: Longs
    chances: Longs
    probabilities: NDArray[np.float64]
    backoffs: NDArray[np.float64]
    edges: NDArray[np.float64]
    moves: Longs
    sampler_i: Longs
    sampler_f: NDArray[np.float64]
    pool: NDArray[np.float64]
    bins: int
    bin_ticks: int
    first_transition: tuple[int, ...]  # of each group, and one behind the last
    first_state: tuple[int, ...]

    @property
    def arrays(self) -> tuple[Any, ...]:
        """`run` to `pool`, in the order in which the kernel takes them."""
        return (
            self.run, self.horizon_s, self.start_s, self.labels, self.settings, self.states, self.deadlines, self.transitions,
            self.chances, self.probabilities, self.backoffs, self.edges, self.moves, self.sampler_i, self.sampler_f, self.pool,
        )  # fmt: skip

    def own_moves(self, group: int) -> Longs:
        """The kernel's numbers of one group's moves, in the order of that group's move table."""
        transitions = np.arange(2 * self.first_transition[group], 2 * self.first_transition[group + 1])
        states = np.arange(2 * self.first_state[group], 2 * self.first_state[group + 1]) + 2 * len(self.transitions)
        return np.concatenate([transitions, states])

    def room(self, vms: int) -> tuple[NDArray[np.uint64], NDArray[np.float64], Longs]:
        """Space for what is known of so many VMs between two stretches: `keys`, `state_f`, `state_i`."""
        stream_names = self.labels.shape[1]
        return (
            np.zeros((vms, stream_names), dtype=np.uint64),
            np.zeros((vms, k.EDGE + 1), dtype=np.float64),
            np.zeros((vms, k.USED + stream_names + 1), dtype=np.int64),
        )


def lower(setups: Sequence[GroupSetup], window: Window) -> Encoded:
    """Lay the groups' programs out for the kernel."""
    state_machines = [setup.state_machine for setup in setups]
    first_state = (0, *accumulate(len(state_machine.states) for state_machine in state_machines))
    first_transition = (0, *accumulate(len(state_machine.transitions) for state_machine in state_machines))
    with_law = [[law for law in state_machine.samplers if law is not None] for state_machine in state_machines]
    first_law = (0, *accumulate(len(samplers) for samplers in with_law))
    samplers = compile_samplers([law for samplers in with_law for law in samplers])
    backoffs = [np.array(state_machine.backoff_s, dtype=np.float64) for state_machine in state_machines]
    first_backoff = (0, *accumulate(len(part) for part in backoffs))
    edges = [np.array(s.calendar.edges_s if s.calendar else (), dtype=np.float64) for s in setups]
    first_edge = (0, *accumulate(len(part) for part in edges))
    chances: list[tuple[int, ...]] = []
    probabilities: list[float] = []
    states: list[list[int]] = []
    settings: list[list[int]] = []
    for place, (setup, state_machine) in enumerate(zip(setups, state_machines, strict=True)):
        transition0, state0 = first_transition[place], first_state[place]
        rows, law = [], first_law[place]
        for one in state_machine.samplers:
            rows.append(-1 if one is None else law)
            law += one is not None
        for state in state_machine.states:
            first_chance = len(chances)
            for chance in state.chances:
                chances.append(
                    (
                        chance.stream,
                        transition0 + chance.transition.index,
                        _index(chance.gives_up, transition0),
                        chance.at_deadline,
                    )
                )
                probabilities.append(chance.probability)
            states.append(
                _row(
                    {
                        **_state_columns(
                            state, transition0, state_machine.crash_stream >= 0, state_machine.eviction_stream >= 0
                        ),
                        k.LAW: rows[state.stream] if state.stream >= 0 else -1,
                        k.CHANCE_FROM: first_chance,
                        k.CHANCE_TO: len(chances),
                    }
                )
            )

        def sampler_of(stream: int, rows: list[int] = rows) -> int:
            return rows[stream] if stream >= 0 else -1

        on, off = state_machine.edge_streams
        settings.append(
            _row(
                {
                    k.FIRST_TRANSITION: transition0 + state_machine.first.index,
                    k.FIRST_STATE: state0 + state_machine.first.source.index,
                    k.ATTEMPTS_IN_ALL: state_machine.plan.retry.attempts,
                    k.CRASH_STREAM: state_machine.crash_stream,
                    k.CRASH_SAMPLER: sampler_of(state_machine.crash_stream),
                    k.EVICTION_STREAM: state_machine.eviction_stream,
                    k.EVICTION_SAMPLER: sampler_of(state_machine.eviction_stream),
                    k.LIFETIME_STREAM: state_machine.lifetime_stream,
                    k.LIFETIME_SAMPLER: sampler_of(state_machine.lifetime_stream),
                    k.DEMAND: k.CALENDAR if setup.calendar else k.CYCLE if on >= 0 else k.ALWAYS,
                    k.ON_STREAM: on,
                    k.ON_SAMPLER: sampler_of(on),
                    k.OFF_STREAM: off,
                    k.OFF_SAMPLER: sampler_of(off),
                    k.WANTED_FIRST: int(setup.calendar.wanted_first) if setup.calendar else 1,
                    k.EDGES_FROM: first_edge[place],
                    k.EDGES_TO: first_edge[place + 1],
                    k.BACKOFFS_FROM: first_backoff[place],
                    k.STREAMS: len(state_machine.stream_names),
                }
            )
        )  # fmt: skip
    bin_shift = max(0, (window.end_ticks // BINS).bit_length() - 1)
    return Encoded(
        run=np.array(
            _row({k.TRANSITIONS: first_transition[-1], k.START_TICKS: window.start_ticks, k.BIN_SHIFT: bin_shift})
        ),
        horizon_s=float(window.end_s),
        start_s=float(window.start_s),
        labels=_labels(setups),
        settings=np.array(settings, dtype=np.int64),
        states=np.array(states, dtype=np.int64),
        deadlines=np.array(
            [state.deadline_s for state_machine in state_machines for state in state_machine.states], dtype=np.float64
        ),
        transitions=np.array(
            [
                _transition_row(transition, first_state[place])
                for place, state_machine in enumerate(state_machines)
                for transition in state_machine.transitions
            ],
            dtype=np.int64,
        ),
        chances=np.array(chances, dtype=np.int64).reshape(-1, 4),
        probabilities=np.array(probabilities, dtype=np.float64),
        backoffs=np.concatenate(backoffs),
        edges=np.concatenate(edges),
        moves=_moves(setups, first_transition, first_state),
        sampler_i=samplers.sampler_i,
        sampler_f=samplers.sampler_f,
        pool=samplers.pool,
        bins=(window.end_ticks >> bin_shift) + 1,
        bin_ticks=1 << bin_shift,
        first_transition=first_transition,
        first_state=first_state,
    )


def _labels(setups: Sequence[GroupSetup]) -> NDArray[np.uint64]:
    """The streams' names as the numbers that streams are keyed with."""
    widest = max(len(setup.state_machine.stream_names) for setup in setups)
    labels = np.zeros((len(setups), widest), dtype=np.uint64)
    for place, setup in enumerate(setups):
        labels[place, : len(setup.state_machine.stream_names)] = [
            streams.label(stream) for stream in setup.state_machine.stream_names
        ]
    return labels


def _moves(setups: Sequence[GroupSetup], first_transition: Sequence[int], first_state: Sequence[int]) -> Longs:
    """What each move means to the books; the groups' columns stand side by side."""
    transitions = first_transition[-1]
    table = np.zeros((2 * (transitions + first_state[-1]), k.GROUP + 1), dtype=np.int64)
    first_absent = column(ABSENT, 0)
    for place, setup in enumerate(setups):
        move = setup.table
        alive = (move.after < first_absent).astype(np.int64) - (move.before < first_absent)
        base = place * COLUMNS
        rows = np.stack(
            [move.before + base, move.after + base, move.on_host_change, move.running_change, alive,
             np.full(len(alive), place)], axis=1,
        )  # fmt: skip
        own = 2 * len(setup.state_machine.transitions)
        table[2 * first_transition[place] : 2 * first_transition[place + 1]] = rows[:own]
        table[2 * (transitions + first_state[place]) : 2 * (transitions + first_state[place + 1])] = rows[own:]
    return table


def _index(transition: Transition | None, transition0: int) -> int:
    return -1 if transition is None else transition0 + transition.index


def _refusal(refusal: Refusal | None, transition0: int) -> tuple[int, int]:
    return (
        (-1, -1) if refusal is None else (transition0 + refusal.transition.index, _index(refusal.gives_up, transition0))
    )


def _row(columns: dict[int, Any]) -> list[int]:
    return [int(columns[i]) for i in range(len(columns))]


def _state_columns(state: State, transition0: int, crashes: bool, evicts: bool) -> dict[int, Any]:
    no_room, no_quota = _refusal(state.no_room, transition0), _refusal(state.no_quota, transition0)
    return {
        k.WAIT: state.wait,
        k.STREAM: state.stream,
        k.NEXT: _index(state.next, transition0),
        k.LATE: _index(state.late, transition0),
        k.CRASH: _index(state.crash, transition0),
        k.EVICT: _index(state.evict, transition0),
        k.LIFE: _index(state.life, transition0),
        k.UP: _index(state.up, transition0),
        k.DOWN: _index(state.down, transition0),
        k.LEVEL: state.level,
        k.RUNS_CRASH: state.runs_crash_timer and crashes,
        k.RUNS_EVICTION: state.runs_eviction_timer and evicts,
        k.ENDS: state.ends,
        k.HAS_TIMERS: state.has_timers,
        k.NO_ROOM: no_room[0],
        k.NO_ROOM_GIVES_UP: no_room[1],
        k.NO_QUOTA: no_quota[0],
        k.NO_QUOTA_GIVES_UP: no_quota[1],
    }


def _transition_row(transition: Transition, state0: int) -> list[int]:
    return _row(
        {
            k.TARGET: state0 + transition.target.index,
            k.ATTEMPTS: transition.attempts,
            k.SETS_LIFE: transition.sets_life,
            k.ENDS_DEMAND: transition.ends_demand,
            k.RESAMPLES_CRASH: transition.resamples_crash,
            k.RESAMPLES_EVICTION: transition.resamples_eviction,
            k.HAS_EFFECT: transition.has_effect,
            k.NEEDS_RESOURCE: transition.needs_resource,
            k.ASKS_HOST: transition.asks_host,
            k.ASKS_QUOTA: transition.asks_quota,
            k.OFF_HOST: transition.target.power not in ON_HOST,
            k.GONE: transition.target.power is None and transition.target.operation is None,
        }
    )
