"""Which engine simulates a plan: by the features it supports, and by which answers sooner."""

from dataclasses import dataclass

from sim.engines.machine_code import is_compiled
from sim.engines.names import ENGINES
from sim.engines.shared.placement import POLICIES
from sim.engines.speed import speeds
from sim.errors import Fault, ScenarioError
from sim.model.plan import FleetPlan, GroupPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An engine, and why it was chosen."""

    engine: str
    why: str


def expected_moves(group: GroupPlan, horizon_s: float) -> float:
    """About how many moves the VMs of a group make up to the horizon."""
    moves = group.demand.expected_moves(group.most_vms, horizon_s)
    if group.guest_crash and not group.demand.is_open:
        moves += group.most_vms * 4.0 * horizon_s / max(1.0, group.guest_crash.time_between_s.mean)
    return moves


def moves_for_kernel(plan: FleetPlan) -> float:
    """About how many moves a replication has that a kernel could simulate."""
    return sum(expected_moves(group, plan.horizon_s) for group in plan.groups if _in_kernel(group))


def _in_kernel(group: GroupPlan) -> bool:
    own_policy = group.fall_back is not None and group.fall_back.policy is not None
    return group.demand.is_compiled and not group.behaviours and not own_policy


def kernel_of(plan: FleetPlan) -> str:
    """The kernel that simulates a plan's VMs: for private fleets, or for those that share a platform or an autoscaler."""
    shares = plan.platform is not None or any(group.shares for group in plan.groups)
    return "event_loop" if shares else "vm_loop"


def choose_engine(plan: FleetPlan, *, replications: int = 1, jobs: int = 1) -> Choice:
    """The engine that answers sooner: the compiled one for many moves, SimPy where loading that one would take longer.

    Without machine code, compiling counts as well, less the seconds that runs have spent in SimPy for lack of it: so a row of
    medium runs pays for one compilation. Groups that only SimPy supports don't keep the others from the compiled engine, unless
    all share a platform.
    """
    unknown = feature_for_simpy(plan)
    alone = groups_for_simpy(plan)
    if (alone and plan.platform is not None) or len(alone) == len(plan.groups):
        return Choice(engine="simpy", why=f"the compiled engine doesn't support {unknown}")
    kernel, speed = kernel_of(plan), speeds()
    moves = moves_for_kernel(plan) * replications
    simpy_s = moves * speed[f"{kernel}.simpy_s_per_move"] / max(1, jobs)
    ready_s = speed["import_s"] + speed["load_s"]
    if not is_compiled(kernel):
        ready_s += max(0.0, speed[f"{kernel}.compile_s"] - speed[f"{kernel}.waited_s"])
    about = f"about {moves:,.0f} moves would take SimPy some {simpy_s:,.1f} s"
    if simpy_s <= ready_s:
        return Choice(engine="simpy", why=f"{about}, less than it takes to have the compiled engine ready")
    if alone:
        return Choice(
            engine="compiled", why=f"{unknown} needs SimPy ({', '.join(sorted(alone))}); of the others, {about}"
        )
    return Choice(engine="compiled", why=f"VMs share {'a platform' if plan.platform else 'nothing'}, and {about}")


def engine_asked_for(engine: str, plan: FleetPlan) -> Choice:
    """The engine that was asked for by name. Raises ScenarioError where it can't simulate the plan."""
    if engine not in ENGINES or engine == "auto":
        raise ValueError(f"engine {engine!r}: there are {', '.join(ENGINES)}")
    unknown = feature_for_simpy(plan)
    if engine == "simpy" or not unknown:
        return Choice(engine=engine, why="asked for")
    if not any(map(_in_kernel, plan.groups)):
        fault = Fault(
            field="engine", value=engine, problem=f"the compiled engine doesn't support {unknown}", hint="ask for auto or simpy"
        )  # fmt: skip
        raise ScenarioError([fault])
    together = plan.platform is not None or plan.processes
    return Choice(engine="simpy" if together else "compiled", why=f"asked for; {unknown} needs SimPy")


def groups_for_simpy(plan: FleetPlan) -> frozenset[str]:
    """Names of the groups that need the SimPy engine: all of them, where they share a platform that needs it."""
    if plan.platform is not None or plan.processes:
        return frozenset(group.name for group in plan.groups) if feature_for_simpy(plan) else frozenset()
    return frozenset(group.name for group in plan.groups if not _in_kernel(group))


def feature_for_simpy(plan: FleetPlan) -> str:
    """The first feature of a plan that only the SimPy engine supports; empty: none."""
    if plan.processes:
        return f"process {plan.processes[0].name}"
    if plan.platform is not None and POLICIES[plan.platform.placement].chooser is not None:
        return f'placement "{plan.platform.placement}"'
    if plan.platform is not None and plan.platform.own_faults:
        return f"fault {type(plan.platform.own_faults[0]).__name__}"
    for group in plan.groups:
        if not _in_kernel(group):
            own = group.fall_back and group.fall_back.policy
            if own:
                return f"spot.fall_back {type(own).__name__}"
            if group.own_faults:
                return f"fault {type(group.own_faults[0]).__name__}"
            return type(group.demand).__name__.lower()
    return ""
