"""One replication of a fleet: a pure function of plan, seed and replication number."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.engines.engine_selection import (
    choose_engine,
    engine_asked_for,
    feature_for_simpy,
    groups_for_simpy,
    kernel_of,
    moves_for_kernel,
)  # fmt: skip
from sim.engines.events import EventColumns, EventRows, VmTimelines
from sim.engines.group_setup import FleetRun, GroupSetup, MovesListener, set_up
from sim.engines.machine_code import is_compiled
from sim.engines.progress import report_progress
from sim.engines.shared.work import work_figures
from sim.engines.speed import note_simpy
from sim.model.plan import FleetPlan
from sim.usage.collector import Accumulator, Peak, Window
from sim.usage.ledger import into_clock_hour_s

TakesEvents = Callable[[EventColumns], None]


class Listeners:
    """Those that get the moves of a replication: rows of events, timelines of the first VMs, others."""

    def __init__(
        self, horizon_s: float, events: TakesEvents | None, vm_timelines: int, others: Sequence[MovesListener]
    ) -> None:
        self.horizon_s = horizon_s
        self.rows = EventRows(events) if events is not None else None
        self.timelines = VmTimelines(vm_timelines) if vm_timelines else None
        self.others = tuple(others)
        self.note = self.rows.note if self.rows is not None else None

    def listener(self, *, with_timelines: bool = True) -> MovesListener | None:
        """A listener that passes every move on to all of them; None if there are none."""
        parts = [self.rows, self.timelines if with_timelines else None]
        listeners = [*(part.listen for part in parts if part is not None), *self.others]
        if not listeners:
            return None

        def pass_on(
            setup: GroupSetup, when: NDArray[np.float64], what: NDArray[np.int64], whom: NDArray[np.int64]
        ) -> None:
            for listen in listeners:
                listen(setup, when, what, whom)

        return pass_on

    def flush(self, before_s: float = np.inf) -> None:
        """Every move before an instant is known."""
        if self.rows is not None:
            self.rows.flush(before_s)
        if before_s < np.inf:
            report_progress(before_s / self.horizon_s)


def simulate(
    plan: FleetPlan,
    *,
    seed: int,
    replication: int,
    engine: str = "auto",
    events: TakesEvents | None = None,
    vm_timelines: int = 0,
    threads: int = 1,
    listeners: Sequence[MovesListener] = (),
) -> FleetRun:
    """Simulate one replication of a fleet: equal to the last bit whatever the engine and the threads.

    *events* gets the rows of every move, in order of time, in batches; *vm_timelines* is how many VMs of each group get a timeline;
    *listeners* get every move, each VM's own in order, the VMs in any.
    Raises ScenarioError where the engine asked for can't simulate the plan; AuditError or LifecycleError: a defect of ours.
    """
    choice = choose_engine(plan) if engine == "auto" else engine_asked_for(engine, plan)
    listeners_of_run = Listeners(plan.horizon_s, events, vm_timelines, listeners)
    if choice.engine == "simpy":
        began = time.thread_time()  # other programs on the machine don't count
        run = _in_simpy(plan, seed, replication, listeners_of_run)
        if events is None and not feature_for_simpy(plan):
            kernel = kernel_of(plan)
            note_simpy(kernel, time.thread_time() - began, moves_for_kernel(plan), compiled=is_compiled(kernel))
    else:
        run = _compiled(plan, seed, replication, listeners_of_run, threads)
    listeners_of_run.flush()
    timelines = listeners_of_run.timelines
    return replace(
        run,
        engine=choice.engine,
        why=choice.why,
        vm_timelines=timelines.timelines() if timelines else (),
        vms=_requested(set_up(plan, seed=seed, replication=replication), timelines) if timelines else 0,
    )


def _requested(setups: Sequence[GroupSetup], timelines: VmTimelines) -> int:
    """How many VMs were requested: as demand says, or, where an autoscaler requests them, those that moved."""
    return sum(
        timelines.heard_of.get(setup.index, 0)
        if setup.plan.demand.is_scaled
        else setup.stepped.vms
        if setup.stepped is not None
        else sum(len(born_s) for born_s in setup.births())
        for setup in setups
    )


def _in_simpy(plan: FleetPlan, seed: int, replication: int, listeners_of_run: Listeners) -> FleetRun:
    from sim.engines.simpy.fleet import Fleet  # start-up: the other engine may be asked for

    return Fleet(
        plan,
        seed,
        replication,
        listener=listeners_of_run.listener(),
        on_flush=listeners_of_run.flush,
        on_event=listeners_of_run.note,
    ).run()


def _compiled(plan: FleetPlan, seed: int, replication: int, listeners_of_run: Listeners, threads: int) -> FleetRun:
    """The compiled engine first; groups that need SimPy, if any, follow in SimPy, and their usage is added."""
    from sim.engines.simpy.fleet import Counted, Fleet, close_ledgers, new_peaks  # start-up: as above

    window = Window(start_s=plan.warm_up_s, end_s=plan.horizon_s, into_hour_s=into_clock_hour_s(plan.start))
    setups = set_up(plan, seed=seed, replication=replication)
    peaks = new_peaks(len(setups), window)
    alone = groups_for_simpy(plan)
    together = [] if alone and plan.platform else [s for s in setups if plan.platform or s.plan.shares]
    simulated = [setup for setup in setups if setup.plan.name not in alone and setup not in together]
    counted: list[Counted] = []
    accumulators: dict[str, Accumulator] = {}
    listener = listeners_of_run.listener()
    if simulated:
        private = _simulate_private(
            simulated, window, peaks, listeners_of_run, seed, replication, threads, others_join=bool(alone or together)
        )
        accumulators |= {setup.plan.name: accumulator for setup, accumulator, _ in private}
        figures = {setup.plan.name: work_figures(work.tolist()) for setup, _, work in private}
        counted.append(
            Counted(
                counts={name: counts for name, (counts, _) in figures.items()},
                amounts={name: amounts for name, (_, amounts) in figures.items()},
            )
        )
    if together:
        from sim.engines.compiled.shared_fleet import SharedRun  # start-up: imports numba

        shared = SharedRun(plan, together, window, seed=seed, replication=replication)
        # What others have done by then is not known before these have run.
        shared.run(peaks, listener, None if alone else listeners_of_run.flush, listeners_of_run.note)
        shared.audit()
        counted.append(shared.counted)
        accumulators |= shared.accumulators
    if alone:
        fleet = Fleet(
            plan, seed, replication, only=alone, listener=listener, on_flush=listeners_of_run.flush,
            on_event=listeners_of_run.note, peaks=peaks,
        )  # fmt: skip
        fleet.run_until()
        accumulators |= fleet.accumulators
        counted.append(fleet.counted())
    return close_ledgers(setups, accumulators, peaks, *counted, engine="compiled")


def _simulate_private(
    setups: Sequence[GroupSetup], window: Window, peaks: tuple[Peak, Peak], listeners_of_run: Listeners, seed: int, replication: int,
    threads: int, *, others_join: bool,
) -> list[tuple[GroupSetup, Accumulator, NDArray[np.int64]]]:  # fmt: skip
    """The ledger of each group, and what is counted of it."""
    from sim.engines.compiled.private_fleet import audit, simulate_groups  # start-up: imports numba
    from sim.engines.compiled.small_groups import are_small, simulate_small_groups  # start-up: as above

    if are_small(setups):
        found = simulate_small_groups(setups, window, peaks, threads=threads, listener=listeners_of_run.listener())
        audit(setups, window, seed=seed, replication=replication)
        return found
    listener = listeners_of_run.listener(with_timelines=False)
    groups = simulate_groups(setups, window, peaks, threads=threads, listener=listener, keep_all_changes=others_join)
    timelines = listeners_of_run.timelines
    if timelines is not None:  # the first VMs again, with their moves
        for group in groups:
            stepped, rows = group.setup.stepped, timelines.vms
            if stepped is not None:
                rows = int(np.searchsorted(stepped.vm, timelines.vms))
            for first, births in group.blocks():
                if first >= rows:
                    break
                group.report(timelines.listen, group.moves(first, births[: rows - first]))
    audit(setups, window, seed=seed, replication=replication)
    return [(group.setup, group.accumulator, group.work) for group in groups]
