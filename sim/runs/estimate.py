"""What a run will take, said before it starts: events, seconds and memory, from the plan and the speed of this machine.

Right within a factor of three or so: enough to tell a coffee from a weekend, and a laptop from a data centre.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sim.engines.engine_selection import choose_engine, engine_asked_for, expected_moves, kernel_of, moves_for_kernel
from sim.engines.speed import speeds
from sim.errors import MachineError
from sim.fields.numbers import how_many
from sim.model.plan import FleetPlan
from sim.units import SECONDS_PER_HOUR, format_duration

MOST_S = 8 * SECONDS_PER_HOUR  # overnight: beyond it a run is asked about
FASTER = {"vm_loop": 30.0, "event_loop": 7.0}  # than SimPy; docs/performance.md
EACH_S = 2e-3  # of a replication, however small: metrics, bill, what is kept and written; it grows with the groups
BYTES_PER_VM = {"simpy": 5_000.0, "vm_loop": 200.0, "event_loop": 2_000.0}  # measured with 30,000 to 2 million VMs
BYTES_PER_HOUR = 300.0  # of each group: hours by state, counted and rated
BASE_BYTES = 200e6  # Python and its libraries


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkEstimate:
    """About what some replications take on this machine."""

    replications: int
    events: float
    seconds: float
    memory_bytes: float

    @property
    def words(self) -> str:
        """One line."""
        of = how_many(self.replications, "replication")
        took = "under a second" if self.seconds < 1 else f"about {format_duration(float(f'{self.seconds:.2g}'))}"
        return f"about {_rounded(self.events)} events in {of}: {took}, {_gib(self.memory_bytes)} of memory"

    @property
    def excess(self) -> str:
        """Why one should ask before it starts; empty: no reason."""
        has = available_bytes()
        if has is not None and self.memory_bytes > has:
            return f"this machine has {_gib(has)} of memory to spare"
        if self.seconds > MOST_S:
            return f"that is longer than {format_duration(MOST_S)}"
        return ""


def estimate(
    plans: Sequence[FleetPlan], replications: int, *, engine: str = "auto", processes: int = 1
) -> WorkEstimate:
    """What *replications* of each plan take on so many processes."""
    known = speeds()
    events = seconds = most_bytes = 0.0
    at_once = max(1, min(processes, replications * len(plans)))
    for plan in plans:
        choice = choose_engine(plan, replications=replications) if engine == "auto" else engine_asked_for(engine, plan)
        kernel = kernel_of(plan)
        simpy_s = known[f"{kernel}.simpy_s_per_move"]
        own_bytes, seconds = BASE_BYTES, seconds + EACH_S * replications
        for group in plan.groups:
            is_simpy = choice.engine == "simpy" or not group.demand.is_compiled
            moves = expected_moves(group, plan.horizon_s)
            events += moves * replications
            seconds += moves * replications * (simpy_s if is_simpy else simpy_s / FASTER[kernel])
            vms = group.demand.expected_vms(group.most_vms, plan.horizon_s)
            own_bytes += vms * BYTES_PER_VM["simpy" if is_simpy else kernel]
            own_bytes += plan.horizon_s / SECONDS_PER_HOUR * BYTES_PER_HOUR
        most_bytes = max(most_bytes, own_bytes)
    return WorkEstimate(
        replications=replications * len(plans),
        events=events,
        seconds=seconds / at_once,
        memory_bytes=most_bytes * at_once,
    )


def seconds_in_kernel(plan: FleetPlan) -> float:
    """About how long compiled code takes for a replication."""
    kernel = kernel_of(plan)
    return moves_for_kernel(plan) * speeds()[f"{kernel}.simpy_s_per_move"] / FASTER[kernel]


def refuse_excess(found: WorkEstimate) -> None:
    """Raise MachineError with the estimate where it exceeds the machine."""
    if found.excess:
        raise MachineError(f"expected: {found.words}; {found.excess}. Say --yes to start all the same")


def available_bytes() -> float | None:
    """Memory that this process may still get: of the machine, and of the container it runs in; None: not known."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found = float(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
            return None
        found = float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = float(Path("/sys/fs/cgroup/memory.max").read_text())
        used = float(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):  # no container, or no limit
        return found
    return min(found, limit - used)


def _gib(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.0f} MiB"


def _rounded(number: float) -> str:
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:,.3g} {name}"
    return f"{float(f'{number:.2g}'):,.0f}"
