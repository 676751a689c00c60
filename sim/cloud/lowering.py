"""A program as plain arrays, for a walker that knows only numbers; the other half of `sim.cloud.kernel`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.cloud import kernel as k
from sim.cloud.plan import Cycle
from sim.cloud.program import Arc, Node, Program
from sim.cloud.setup import GroupSetup
from sim.cloud.variates import program_laws
from sim.sampling import streams
from sim.usage.collector import Window
from sim.usage.ledger import ABSENT, column

BINS = 32_768  # stretches of time for which the kernel notes how many VMs came and went (see `peaks`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """Everything `kernel.walk` reads, in the order it takes it; `settings` to `pool`."""

    arrays: tuple[Any, ...]
    bins: int
    bin_ticks: int


def lower(setup: GroupSetup, window: Window) -> Lowered:
    """Lay one group's program out for the kernel."""
    program = setup.program
    laws, rows = program_laws(program)
    chances = [(node, chance) for node in program.nodes for chance in node.chances]
    demand = k.CALENDAR if setup.calendar else k.CYCLE if isinstance(program.plan.demand, Cycle) else k.ALWAYS
    bin_ticks = max(1, -(-window.end_ticks // BINS))
    settings = {
        k.FIRST_ARC: program.first.index,
        k.ARCS: len(program.arcs),
        k.ATTEMPTS_IN_ALL: program.plan.retry.attempts,
        k.CRASH_PURPOSE: program.crash_purpose,
        k.EVICTION_PURPOSE: program.eviction_purpose,
        k.LIFETIME_PURPOSE: program.lifetime_purpose,
        k.DEMAND: demand,
        k.ON_PURPOSE: program.edge_purposes[0],
        k.OFF_PURPOSE: program.edge_purposes[1],
        k.WANTED_FIRST: int(setup.calendar.wanted_first) if setup.calendar else 1,
        k.START_TICKS: window.start_ticks,
        k.BIN_TICKS: bin_ticks,
        k.FIRST_NODE: program.first.source.index,
    }
    first_absent = column(ABSENT, 0)
    before, after = setup.table.before, setup.table.after
    alive = (after < first_absent).astype(np.int64) - (before < first_absent)
    return Lowered(
        arrays=(
            np.array([settings[i] for i in range(len(settings))], dtype=np.int64),
            float(setup.horizon_s),
            float(window.start_s),
            np.array([_node_row(node, program, rows) for node in program.nodes], dtype=np.int64),
            np.array([node.deadline_s for node in program.nodes], dtype=np.float64),
            np.array([_arc_row(arc) for arc in program.arcs], dtype=np.int64),
            np.array(
                [(c.purpose, c.arc.index, _index(c.gives_up), c.at_deadline) for _, c in chances],
                dtype=np.int64,
            ).reshape(-1, 4),
            np.array([chance.probability for _, chance in chances], dtype=np.float64),
            np.array(program.backoff_s, dtype=np.float64),
            np.array(setup.calendar.edges_s if setup.calendar else (), dtype=np.float64),
            np.stack(
                [before, after, setup.table.on_host_change, setup.table.running_change, alive], axis=1
            ).astype(np.int64),
            np.array(rows, dtype=np.int64),
            laws.law_i,
            laws.law_f,
            laws.pool,
        ),
        bins=window.end_ticks // bin_ticks + 1,
        bin_ticks=bin_ticks,
    )


def labels(program: Program) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The purposes' names as the numbers that streams are keyed with."""
    return np.array([streams.label(purpose) for purpose in program.purposes], dtype=np.uint64)


def _index(arc: Arc | None) -> int:
    return -1 if arc is None else arc.index


def _node_row(node: Node, program: Program, rows: tuple[int, ...]) -> list[int]:
    first_chance = sum(len(earlier.chances) for earlier in program.nodes[: node.index])
    row = {
        k.WAIT: int(node.wait),
        k.PURPOSE: node.purpose,
        k.LAW: rows[node.purpose] if node.purpose >= 0 else -1,
        k.NEXT: _index(node.next),
        k.LATE: _index(node.late),
        k.CHANCE_FROM: first_chance,
        k.CHANCE_TO: first_chance + len(node.chances),
        k.CRASH: _index(node.crash),
        k.EVICT: _index(node.evict),
        k.LIFE: _index(node.life),
        k.UP: _index(node.up),
        k.DOWN: _index(node.down),
        k.LEVEL: node.level,
        k.RUNS_CRASH: node.runs_crash_clock and program.crash_purpose >= 0,
        k.RUNS_EVICTION: node.runs_eviction_clock and program.eviction_purpose >= 0,
        k.ENDS: node.ends,
        k.HAS_CLOCKS: node.has_clocks,
    }
    return [int(row[i]) for i in range(len(row))]


def _arc_row(arc: Arc) -> list[int]:
    row = {
        k.TARGET: arc.target.index,
        k.ATTEMPTS: int(arc.attempts),
        k.SETS_LIFE: arc.sets_life,
        k.ENDS_DEMAND: arc.ends_demand,
        k.REDRAWS_CRASH: arc.redraws_crash,
        k.REDRAWS_EVICTION: arc.redraws_eviction,
        k.HAS_EFFECT: arc.has_effect,
    }
    return [int(row[i]) for i in range(len(row))]
