"""The front of this room: one replication of a fleet, a pure function of plan, seed and replication number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.engines.engine_selection import asked_for, choose, needs_simpy
from sim.engines.events import EventRows, Lives, Row
from sim.engines.group_setup import FleetRun, GroupSetup, MovesListener, set_up
from sim.model.plan import FleetPlan
from sim.usage.collector import Peak, Tally, Window

if TYPE_CHECKING:
    from sim.engines.compiled.private_fleet import CompiledGroup

__all__ = ["TakesRows", "choose", "simulate"]


class TakesRows(Protocol):
    """Whatever events are told to: a list will do."""

    def extend(self, rows: Iterable[Row], /) -> None:
        """Take rows in order."""


class Hearing:
    """Who hears of the moves of a replication: rows of events, the first lives, others."""

    def __init__(self, events: TakesRows | None, lives: int, others: Sequence[MovesListener]) -> None:
        self.rows = EventRows(events.extend) if events is not None else None
        self.lives = Lives(lives) if lives else None
        self.others = tuple(others)

    def listener(self, *, with_lives: bool = True) -> MovesListener | None:
        """One who passes every move on to all of them; None if nobody listens."""
        parts = [self.rows, self.lives if with_lives else None]
        listeners = [*(part.listen for part in parts if part is not None), *self.others]
        if not listeners:
            return None

        def tell(
            setup: GroupSetup, when: NDArray[np.float64], what: NDArray[np.int64], whom: NDArray[np.int64]
        ) -> None:
            for listen in listeners:
                listen(setup, when, what, whom)

        return tell

    def settle(self, before_s: float | None = None) -> None:
        """Every move before an instant (None: all) is known."""
        if self.rows is not None:
            self.rows.settle(before_s)


def simulate(
    plan: FleetPlan,
    *,
    seed: int,
    replication: int,
    engine: str = "auto",
    events: TakesRows | None = None,
    lives: int = 0,
    threads: int = 1,
    listeners: Sequence[MovesListener] = (),
) -> FleetRun:
    """Play one replication of a fleet: a pure function, equal to the last bit whatever the engine and the threads.

    *events* gets every move as rows, in order of time; *lives* is how many VMs of each group to tell the states of;
    *listeners* hear of every move, each VM's own in order, the VMs in any.
    Raises ScenarioError where the engine asked for can't play the plan; AuditError or LifecycleError: a defect of ours.
    """
    choice = choose(plan) if engine == "auto" else asked_for(engine, plan)
    hearing = Hearing(events, lives, listeners)
    if choice.engine in ("simpy", "ahead"):
        run = _in_simpy(plan, seed, replication, hearing, ahead=choice.engine == "ahead")
    else:
        run = _compiled(plan, seed, replication, hearing, threads)
    hearing.settle()
    return replace(
        run, engine=choice.engine, why=choice.why, lives=hearing.lives.told() if hearing.lives else ()
    )


def _in_simpy(plan: FleetPlan, seed: int, replication: int, hearing: Hearing, *, ahead: bool) -> FleetRun:
    from sim.engines.simpy.fleet import Fleet

    return Fleet(
        plan, seed, replication, listener=hearing.listener(), settle=hearing.settle, ahead=ahead
    ).run()


def _compiled(plan: FleetPlan, seed: int, replication: int, hearing: Hearing, threads: int) -> FleetRun:
    """Groups that the kernel knows are walked; the others, if any, live in SimPy afterwards and join their books."""
    from sim.engines.simpy.fleet import Fleet, close_books, new_peaks

    window = Window(start_s=plan.warm_up_s, end_s=plan.horizon_s)
    setups = set_up(plan, seed=seed, replication=replication)
    peaks = new_peaks(len(setups), window)
    alone = needs_simpy(plan)
    walked = [setup for setup in setups if setup.plan.name not in alone]
    fleet = None
    if plan.platform is not None:
        from sim.engines.compiled.shared_fleet import SharedRun

        shared = SharedRun(plan, setups, window, seed=seed, replication=replication)
        shared.run(peaks, hearing.listener(), hearing.settle)
        shared.audit()
        tallies = {setup.plan.name: tally for setup, tally in zip(setups, shared.tallies, strict=True)}
    else:
        tallies = _walk(walked, window, peaks, hearing, seed, replication, threads, others_join=bool(alone))
        if alone:
            fleet = Fleet(
                plan, seed, replication, only=alone, listener=hearing.listener(), settle=hearing.settle, peaks=peaks
            )  # fmt: skip
            fleet.play()
            tallies |= fleet.tallies
    return close_books(setups, tallies, peaks, fleet, engine="compiled")


def _walk(
    setups: Sequence[GroupSetup], window: Window, peaks: tuple[Peak, Peak], hearing: Hearing, seed: int, replication: int,
    threads: int, *, others_join: bool,
) -> dict[str, Tally]:  # fmt: skip
    from sim.engines.audit import compare_with_simpy
    from sim.engines.compiled.private_fleet import walk_groups

    listener = hearing.listener(with_lives=False)
    groups = walk_groups(
        setups, window, peaks, threads=threads, listener=listener, keep_peak_lines=others_join
    )
    if hearing.lives:
        for group in groups:
            _watch(group, hearing.lives)
    compare_with_simpy(groups, seed=seed, replication=replication)
    return {group.setup.plan.name: group.tally for group in groups}


def _watch(group: CompiledGroup, lives: Lives) -> None:
    """Walk a group's first VMs again, with a journal."""
    for first, births in group.blocks():
        if first >= lives.vms:
            return
        part = births[: lives.vms - first]
        walked = group.walk(first, part, np.zeros(group.lowered.bins, dtype=np.bool_), journal=True)
        moved = walked.journal_i[:, 0] < 2 * len(group.setup.program.arcs)
        lives.listen(
            group.setup, walked.journal_t[moved], walked.journal_i[moved, 0], walked.journal_i[moved, 1]
        )
