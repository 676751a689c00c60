"""The front of this room: one replication of a fleet, a pure function of plan, seed and replication number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.cloud.events import EventRows, Lives, Row
from sim.cloud.plan import Arrivals, Autoscale, Cycle, FleetPlan, GroupPlan, Replay, Schedule
from sim.cloud.setup import FleetRun, GroupSetup, MovesListener, set_up
from sim.usage.collector import Peak, Window
from sim.usage.ledger import whole_fleet

# Rough figures (seconds, this order of machine; measured by tests/benchmarks) that only decide which engine is quicker.
SIMPY_S_PER_MOVE = 2.5e-6
LOAD_S = 1.5  # import of numba and of cached machine code
COMPILE_S = 20.0  # the first time on a machine


class TakesRows(Protocol):
    """Whatever events are told to: a list will do."""

    def extend(self, rows: Iterable[Row], /) -> None:
        """Take rows in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An engine, and why it was chosen."""

    engine: str
    why: str


def expected_moves(group: GroupPlan, horizon_s: float) -> float:
    """About how many moves the VMs of a group make up to the horizon."""
    demand = group.demand
    hours = horizon_s / 3600
    if isinstance(demand, Arrivals):
        batch = float(np.dot(demand.batch_sizes, demand.batch_weights))
        return 7.0 * batch * float(np.mean(demand.rate_per_h)) * hours
    if isinstance(demand, Replay):
        return 7.0 * len(demand.born_s)
    per_vm = 6.0
    if isinstance(demand, Schedule):
        per_vm += 7.0 * len(demand.days) * hours / 168
    elif isinstance(demand, Cycle):
        per_vm += 7.0 * horizon_s / max(1.0, demand.on_s.mean + demand.off_s.mean)
    if group.guest_crash:
        per_vm += 4.0 * horizon_s / max(1.0, group.guest_crash.time_between_s.mean)
    return per_vm * group.count


def choose(plan: FleetPlan, *, replications: int = 1, jobs: int = 1) -> Choice:
    """The engine that answers sooner: the kernel where there is much to walk, SimPy where loading it would take longer."""
    moves = sum(expected_moves(group, plan.horizon_s) for group in plan.groups)
    simpy_s = moves * replications * SIMPY_S_PER_MOVE / max(1, jobs)
    about = f"about {moves * replications:,.0f} moves would take SimPy some {simpy_s:,.1f} s"
    unknown = what_needs_simpy(plan)
    if unknown:
        return Choice(engine="simpy", why=f"{unknown}: the compiled kernel doesn't know of it")
    wait_s = LOAD_S if _is_compiled() else COMPILE_S
    if simpy_s > wait_s:
        shares = "hosts and quota at most" if plan.platform else "nothing"
        return Choice(engine="compiled", why=f"VMs share {shares}, and {about}")
    return Choice(engine="simpy", why=f"{about}, less than the compiled kernel takes to get ready")


def what_needs_simpy(plan: FleetPlan) -> str:
    """What of a plan only the SimPy engine plays; empty: nothing."""
    platform = plan.platform
    if any(isinstance(group.demand, Autoscale) for group in plan.groups):
        return "autoscale"
    if platform is None:
        return ""
    for name in ("host_failures", "rack_failures", "zone_failures", "maintenance", "throttle", "reserved"):
        if getattr(platform, name):
            return name.replace("_", " ")
    if platform.hosts and len({group.priority for group in plan.groups}) > 1:
        return "regular VMs that may evict spot VMs"
    return ""


def _is_compiled() -> bool:
    """Whether machine code of the kernel lies on disk (it may be stale; then compiling costs its time once)."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parent / "__pycache__")
    return any(folder.rglob("kernel.walk-*.nbc"))


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
    Raises AuditError or LifecycleError: a defect of ours.
    """
    choice = choose(plan) if engine == "auto" else Choice(engine=engine, why="asked for")
    watched = Lives(lives) if lives else None
    rows = EventRows(events.extend) if events is not None else None
    if choice.engine == "simpy":
        run = _in_simpy(plan, seed, replication, rows, watched, listeners)
    elif choice.engine == "compiled":
        run = _compiled(plan, seed, replication, rows, watched, threads, listeners)
    else:
        raise ValueError(f"engine {engine!r}: there are auto, simpy and compiled")
    return FleetRun(
        usages=run.usages,
        fleet=run.fleet,
        engine=choice.engine,
        why=choice.why,
        lives=watched.told() if watched else (),
    )


def _in_simpy(
    plan: FleetPlan,
    seed: int,
    replication: int,
    rows: EventRows | None,
    watched: Lives | None,
    others: Sequence[MovesListener],
) -> FleetRun:
    from sim.cloud.simpy_fleet import Fleet

    fleet = Fleet(
        plan,
        seed,
        replication,
        listener=_all(rows, watched, others),
        settle=rows.settle if rows else None,
    )
    run = fleet.run()
    if rows:
        rows.settle()
    return run


def _compiled(
    plan: FleetPlan,
    seed: int,
    replication: int,
    rows: EventRows | None,
    watched: Lives | None,
    threads: int,
    others: Sequence[MovesListener],
) -> FleetRun:
    window = Window(start_s=plan.warm_up_s, end_s=plan.horizon_s)
    setups = set_up(plan, seed=seed, replication=replication)
    peaks = (Peak(len(setups), window.start_ticks), Peak(len(setups), window.start_ticks))
    if plan.platform is not None:
        from sim.cloud.sharing import SharedRun

        shared = SharedRun(plan, setups, window)
        shared.run(peaks, _all(rows, watched, others), rows.settle if rows else None)
        tallies = shared.tallies
    else:
        from sim.cloud.audit import compare_with_simpy
        from sim.cloud.compiled import walk_groups

        groups = walk_groups(setups, window, peaks, threads=threads, listener=_all(rows, None, others))
        tallies = [group.tally for group in groups]
        if watched:
            for group in groups:
                _watch(group, watched)
        compare_with_simpy(groups, seed=seed, replication=replication)
    for peak in peaks:
        peak.settle()
    if rows:
        rows.settle()
    usages = {
        setup.plan.name: tally.usage(setup.plan.name, *(int(peak.most[setup.index]) for peak in peaks))
        for setup, tally in zip(setups, tallies, strict=True)
    }
    fleet = whole_fleet(
        list(usages.values()), peak_allocated=int(peaks[0].most[-1]), peak_running=int(peaks[1].most[-1])
    )
    return FleetRun(usages=usages, fleet=fleet, engine="compiled")


def _watch(group, watched: Lives) -> None:  # type: ignore[no-untyped-def]
    for first, births in group.blocks():
        if first >= watched.vms:
            return
        part = births[: watched.vms - first]
        walked = group.walk(first, part, np.zeros(group.lowered.bins, dtype=np.bool_), journal=True)
        moved = walked.journal_i[:, 0] < 2 * len(group.setup.program.arcs)
        watched.listen(
            group.setup, walked.journal_t[moved], walked.journal_i[moved, 0], walked.journal_i[moved, 1]
        )


def _all(
    rows: EventRows | None, watched: Lives | None, others: Sequence[MovesListener]
) -> MovesListener | None:
    listeners = [*(part.listen for part in (rows, watched) if part is not None), *others]
    if not listeners:
        return None

    def tell(
        setup: GroupSetup, when: NDArray[np.float64], what: NDArray[np.int64], whom: NDArray[np.int64]
    ) -> None:
        for listen in listeners:
            listen(setup, when, what, whom)

    return tell
