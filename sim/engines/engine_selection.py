"""Which engine simulates a plan: by the features it supports, and by which answers sooner."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sim.errors import Fault, ScenarioError
from sim.model.plan import FleetPlan, GroupPlan

# Rough figures (seconds, this order of machine; measured by tests/benchmarks) that only decide which engine is quicker.
SIMPY_S_PER_MOVE = 2.5e-6
LOAD_S = 1.5  # import of numba and of cached machine code
COMPILE_S = 20.0  # the first time on a machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An engine, and why it was chosen."""

    engine: str
    why: str


def expected_moves(group: GroupPlan, horizon_s: float) -> float:
    """About how many moves the VMs of a group make up to the horizon."""
    moves = group.demand.expected_moves(group.count, horizon_s)
    if group.guest_crash and not group.demand.is_open:
        moves += group.count * 4.0 * horizon_s / max(1.0, group.guest_crash.time_between_s.mean)
    return moves


def choose_engine(plan: FleetPlan, *, replications: int = 1, jobs: int = 1) -> Choice:
    """The engine that answers sooner: the compiled one for many moves, SimPy where loading that one would take longer.

    Groups that only SimPy supports don't keep the others from the compiled engine, unless all share a platform.
    """
    unknown = feature_for_simpy(plan)
    alone = groups_for_simpy(plan)
    simulated = [group for group in plan.groups if group.demand.is_compiled]
    moves = sum(expected_moves(group, plan.horizon_s) for group in simulated) * replications
    simpy_s = moves * SIMPY_S_PER_MOVE / max(1, jobs)
    about = f"about {moves:,.0f} moves would take SimPy some {simpy_s:,.1f} s"
    if not simulated or (alone and plan.platform is not None):
        return Choice(engine="simpy", why=f"the compiled engine doesn't support {unknown}")
    module = "vm_loop" if plan.platform is None else "event_loop"
    if simpy_s <= (LOAD_S if _is_compiled(module) else COMPILE_S):
        return Choice(engine="simpy", why=f"{about}, less than it takes to load the compiled engine")
    if alone:
        rest = ", ".join(sorted(alone))
        return Choice(engine="mixed", why=f"{unknown} needs SimPy ({rest}); of the others, {about}")
    shares = "hosts and quota at most" if plan.platform else "nothing"
    return Choice(engine="compiled", why=f"VMs share {shares}, and {about}")


def engine_asked_for(engine: str, plan: FleetPlan) -> Choice:
    """The engine that was asked for by name. Raises ScenarioError where it can't simulate the plan."""
    if engine not in ("simpy", "compiled", "mixed"):
        raise ValueError(f"engine {engine!r}: there are auto, simpy and compiled")
    unknown = feature_for_simpy(plan)
    if engine == "compiled" and unknown:
        if not any(group.demand.is_compiled for group in plan.groups):
            fault = Fault(
                field="engine", value=engine, problem=f"the compiled kernel doesn't know of {unknown}",
                hint="ask for auto or simpy",
            )  # fmt: skip
            raise ScenarioError([fault])
        return Choice(engine="simpy" if plan.platform else "mixed", why=f"asked for; {unknown} needs SimPy")
    return Choice(engine=engine, why="asked for")


def groups_for_simpy(plan: FleetPlan) -> frozenset[str]:
    """Names of the groups that need the SimPy engine: all of them, where they share a platform that needs it."""
    if plan.platform is not None:
        return frozenset(group.name for group in plan.groups) if feature_for_simpy(plan) else frozenset()
    return frozenset(group.name for group in plan.groups if not group.demand.is_compiled)


def feature_for_simpy(plan: FleetPlan) -> str:
    """The first feature of a plan that only the SimPy engine supports; empty: none."""
    for group in plan.groups:
        if not group.demand.is_compiled:
            return type(group.demand).__name__.lower()
    platform = plan.platform
    if platform is None:
        return ""
    for name in ("host_failures", "rack_failures", "zone_failures", "maintenance", "throttle", "reserved"):
        if getattr(platform, name):
            return name.replace("_", " ")
    if platform.hosts and len({group.priority for group in plan.groups}) > 1:
        return "regular VMs that may evict spot VMs"
    return ""


def _is_compiled(module: str) -> bool:
    """Whether machine code of a module of kernels is on disk (stale code costs one compilation)."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(__file__).parent / "compiled")
    return any(folder.rglob(f"{module}.*.nbc"))
