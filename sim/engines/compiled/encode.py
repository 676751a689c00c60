"""Programs as plain arrays, for a walker that knows only numbers; the other half of `sim.engines.compiled.vm_loop`.

The programs of several groups stand one behind the other, with one numbering of nodes, arcs and laws, so that one
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
from sim.distributions.samplers import compile_laws
from sim.engines.compiled import vm_loop as k
from sim.engines.group_setup import GroupSetup
from sim.lifecycle.power import ON_HOST
from sim.model.plan import Cycle
from sim.model.state_machine import Arc, Node, Refusal
from sim.usage.collector import Window
from sim.usage.ledger import ABSENT, COLUMNS, column

BINS = (
    8_192  # stretches of time (or up to twice as many) for which the kernel notes how many VMs came and went
)
Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """Everything the kernel reads, by the names of its parameters, and how to read what it wrote."""

    run: Longs
    horizon_s: float
    start_s: float
    labels: NDArray[np.uint64]  # (groups, purposes)
    settings: Longs
    nodes: Longs
    deadlines: NDArray[np.float64]
    arcs: Longs
    chances: Longs
    probabilities: NDArray[np.float64]
    backoffs: NDArray[np.float64]
    edges: NDArray[np.float64]
    moves: Longs
    law_i: Longs
    law_f: NDArray[np.float64]
    pool: NDArray[np.float64]
    bins: int
    bin_ticks: int
    first_arc: tuple[int, ...]  # of each group, and one behind the last
    first_node: tuple[int, ...]

    @property
    def arrays(self) -> tuple[Any, ...]:
        """`run` to `pool`, in the order in which the kernel takes them."""
        return (
            self.run, self.horizon_s, self.start_s, self.labels, self.settings, self.nodes, self.deadlines, self.arcs,
            self.chances, self.probabilities, self.backoffs, self.edges, self.moves, self.law_i, self.law_f, self.pool,
        )  # fmt: skip

    def own_moves(self, group: int) -> Longs:
        """The kernel's numbers of one group's moves, in the order of that group's move table."""
        arcs = np.arange(2 * self.first_arc[group], 2 * self.first_arc[group + 1])
        nodes = np.arange(2 * self.first_node[group], 2 * self.first_node[group + 1]) + 2 * len(self.arcs)
        return np.concatenate([arcs, nodes])

    def room(self, vms: int) -> tuple[NDArray[np.uint64], NDArray[np.float64], Longs]:
        """Space for what is known of so many VMs between two stretches: `keys`, `state_f`, `state_i`."""
        purposes = self.labels.shape[1]
        return (
            np.zeros((vms, purposes), dtype=np.uint64),
            np.zeros((vms, k.EDGE + 1), dtype=np.float64),
            np.zeros((vms, k.USED + purposes + 1), dtype=np.int64),
        )


def lower(setups: Sequence[GroupSetup], window: Window) -> Lowered:
    """Lay the groups' programs out for the kernel."""
    programs = [setup.program for setup in setups]
    first_node = (0, *accumulate(len(program.nodes) for program in programs))
    first_arc = (0, *accumulate(len(program.arcs) for program in programs))
    with_law = [[law for law in program.laws if law is not None] for program in programs]
    first_law = (0, *accumulate(len(laws) for laws in with_law))
    laws = compile_laws([law for laws in with_law for law in laws])
    backoffs = [np.array(program.backoff_s, dtype=np.float64) for program in programs]
    first_backoff = (0, *accumulate(len(part) for part in backoffs))
    edges = [np.array(s.calendar.edges_s if s.calendar else (), dtype=np.float64) for s in setups]
    first_edge = (0, *accumulate(len(part) for part in edges))
    chances: list[tuple[int, ...]] = []
    probabilities: list[float] = []
    nodes: list[list[int]] = []
    settings: list[list[int]] = []
    for place, (setup, program) in enumerate(zip(setups, programs, strict=True)):
        arc0, node0 = first_arc[place], first_node[place]
        rows, law = [], first_law[place]
        for one in program.laws:
            rows.append(-1 if one is None else law)
            law += one is not None
        for node in program.nodes:
            first_chance = len(chances)
            for chance in node.chances:
                chances.append(
                    (
                        chance.purpose,
                        arc0 + chance.arc.index,
                        _index(chance.gives_up, arc0),
                        chance.at_deadline,
                    )
                )
                probabilities.append(chance.probability)
            nodes.append(
                _row(
                    {
                        **_node_columns(
                            node, arc0, program.crash_purpose >= 0, program.eviction_purpose >= 0
                        ),
                        k.LAW: rows[node.purpose] if node.purpose >= 0 else -1,
                        k.CHANCE_FROM: first_chance,
                        k.CHANCE_TO: len(chances),
                    }
                )
            )

        def law_of(purpose: int, rows: list[int] = rows) -> int:
            return rows[purpose] if purpose >= 0 else -1

        on, off = program.edge_purposes
        settings.append(
            _row(
                {
                    k.FIRST_ARC: arc0 + program.first.index,
                    k.FIRST_NODE: node0 + program.first.source.index,
                    k.ATTEMPTS_IN_ALL: program.plan.retry.attempts,
                    k.CRASH_PURPOSE: program.crash_purpose,
                    k.CRASH_LAW: law_of(program.crash_purpose),
                    k.EVICTION_PURPOSE: program.eviction_purpose,
                    k.EVICTION_LAW: law_of(program.eviction_purpose),
                    k.LIFETIME_PURPOSE: program.lifetime_purpose,
                    k.LIFETIME_LAW: law_of(program.lifetime_purpose),
                    k.DEMAND: k.CALENDAR if setup.calendar else k.CYCLE if isinstance(program.plan.demand, Cycle) else k.ALWAYS,
                    k.ON_PURPOSE: on,
                    k.ON_LAW: law_of(on),
                    k.OFF_PURPOSE: off,
                    k.OFF_LAW: law_of(off),
                    k.WANTED_FIRST: int(setup.calendar.wanted_first) if setup.calendar else 1,
                    k.EDGES_FROM: first_edge[place],
                    k.EDGES_TO: first_edge[place + 1],
                    k.BACKOFFS_FROM: first_backoff[place],
                    k.PURPOSES: len(program.purposes),
                }
            )
        )  # fmt: skip
    bin_shift = max(0, (window.end_ticks // BINS).bit_length() - 1)
    return Lowered(
        run=np.array(
            _row({k.ARCS: first_arc[-1], k.START_TICKS: window.start_ticks, k.BIN_SHIFT: bin_shift})
        ),
        horizon_s=float(window.end_s),
        start_s=float(window.start_s),
        labels=_labels(setups),
        settings=np.array(settings, dtype=np.int64),
        nodes=np.array(nodes, dtype=np.int64),
        deadlines=np.array(
            [node.deadline_s for program in programs for node in program.nodes], dtype=np.float64
        ),
        arcs=np.array(
            [
                _arc_row(arc, first_node[place])
                for place, program in enumerate(programs)
                for arc in program.arcs
            ],
            dtype=np.int64,
        ),
        chances=np.array(chances, dtype=np.int64).reshape(-1, 4),
        probabilities=np.array(probabilities, dtype=np.float64),
        backoffs=np.concatenate(backoffs),
        edges=np.concatenate(edges),
        moves=_moves(setups, first_arc, first_node),
        law_i=laws.law_i,
        law_f=laws.law_f,
        pool=laws.pool,
        bins=(window.end_ticks >> bin_shift) + 1,
        bin_ticks=1 << bin_shift,
        first_arc=first_arc,
        first_node=first_node,
    )


def _labels(setups: Sequence[GroupSetup]) -> NDArray[np.uint64]:
    """The purposes' names as the numbers that streams are keyed with."""
    widest = max(len(setup.program.purposes) for setup in setups)
    labels = np.zeros((len(setups), widest), dtype=np.uint64)
    for place, setup in enumerate(setups):
        labels[place, : len(setup.program.purposes)] = [
            streams.label(purpose) for purpose in setup.program.purposes
        ]
    return labels


def _moves(setups: Sequence[GroupSetup], first_arc: Sequence[int], first_node: Sequence[int]) -> Longs:
    """What each move means to the books; the groups' columns stand side by side."""
    arcs = first_arc[-1]
    table = np.zeros((2 * (arcs + first_node[-1]), k.GROUP + 1), dtype=np.int64)
    first_absent = column(ABSENT, 0)
    for place, setup in enumerate(setups):
        move = setup.table
        alive = (move.after < first_absent).astype(np.int64) - (move.before < first_absent)
        base = place * COLUMNS
        rows = np.stack(
            [move.before + base, move.after + base, move.on_host_change, move.running_change, alive,
             np.full(len(alive), place)], axis=1,
        )  # fmt: skip
        own = 2 * len(setup.program.arcs)
        table[2 * first_arc[place] : 2 * first_arc[place + 1]] = rows[:own]
        table[2 * (arcs + first_node[place]) : 2 * (arcs + first_node[place + 1])] = rows[own:]
    return table


def _index(arc: Arc | None, arc0: int) -> int:
    return -1 if arc is None else arc0 + arc.index


def _refusal(refusal: Refusal | None, arc0: int) -> tuple[int, int]:
    return (-1, -1) if refusal is None else (arc0 + refusal.arc.index, _index(refusal.gives_up, arc0))


def _row(columns: dict[int, Any]) -> list[int]:
    return [int(columns[i]) for i in range(len(columns))]


def _node_columns(node: Node, arc0: int, crashes: bool, evicts: bool) -> dict[int, Any]:
    no_room, no_quota = _refusal(node.no_room, arc0), _refusal(node.no_quota, arc0)
    return {
        k.WAIT: node.wait,
        k.PURPOSE: node.purpose,
        k.NEXT: _index(node.next, arc0),
        k.LATE: _index(node.late, arc0),
        k.CRASH: _index(node.crash, arc0),
        k.EVICT: _index(node.evict, arc0),
        k.LIFE: _index(node.life, arc0),
        k.UP: _index(node.up, arc0),
        k.DOWN: _index(node.down, arc0),
        k.LEVEL: node.level,
        k.RUNS_CRASH: node.runs_crash_clock and crashes,
        k.RUNS_EVICTION: node.runs_eviction_clock and evicts,
        k.ENDS: node.ends,
        k.HAS_CLOCKS: node.has_clocks,
        k.NO_ROOM: no_room[0],
        k.NO_ROOM_GIVES_UP: no_room[1],
        k.NO_QUOTA: no_quota[0],
        k.NO_QUOTA_GIVES_UP: no_quota[1],
    }


def _arc_row(arc: Arc, node0: int) -> list[int]:
    return _row(
        {
            k.TARGET: node0 + arc.target.index,
            k.ATTEMPTS: arc.attempts,
            k.SETS_LIFE: arc.sets_life,
            k.ENDS_DEMAND: arc.ends_demand,
            k.REDRAWS_CRASH: arc.redraws_crash,
            k.REDRAWS_EVICTION: arc.redraws_eviction,
            k.HAS_EFFECT: arc.has_effect,
            k.MEETS: arc.meets,
            k.ASKS_HOST: arc.asks_host,
            k.ASKS_QUOTA: arc.asks_quota,
            k.OFF_HOST: arc.target.power not in ON_HOST,
            k.GONE: arc.target.power is None and arc.target.operation is None,
        }
    )
