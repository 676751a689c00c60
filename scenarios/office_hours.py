"""200 developer VMs, wanted in office hours only: what does each habit at night cost?

Covers: schedules in local time, guest shutdown, stop, deallocate, disks that are always billed, intervals over replications.
Question: keep them running, shut down from inside, stop, or deallocate at night: what do four weeks cost?
Expect: keeping, shutting down and stopping cost the same compute, because a stopped VM is still billed; deallocating
    costs about a third of it (220 of 672 hours); the disks cost the same under every habit.
"""

import sys
from pathlib import Path

from sim import RunResult, load, run

SCENARIO = Path(__file__).with_suffix(".toml")
HABITS = ("keep", "guest-shutdown", "stop", "deallocate")
VMS = 200  # as in the scenario file


def simulate(habit: str, replications: int | None = None) -> RunResult:
    """Four weeks under one habit; all habits use common random numbers."""
    return run(load(SCENARIO, [f"group.dev.when_off={habit}"]), replications=replications)


def main(replications: int | None = None) -> dict[str, RunResult]:
    """Simulate each habit and print its cost."""
    print(f"{VMS} x Standard_D4s_v5, westeurope, four weeks, USD (95 % interval of the mean)")
    print(f"{'habit':>15} {'billed h':>12} {'compute':>12} {'disks':>9} {'total':>12} {'interval':>24} {'served':>8}")
    found = {}
    for habit in HABITS:
        result = found[habit] = simulate(habit, replications)
        billed, compute, disk, total, availability = (
            result.estimate(name)
            for name in ("billed_hours", "cost.compute", "cost.disk", "cost.total", "availability")
        )
        interval = f"{total.low:,.2f} .. {total.high:,.2f}" if total.low is not None else "one replication"
        print(
            f"{habit:>15} {billed.mean:>12,.1f} {compute.mean:>12,.2f} {disk.mean:>9,.2f} {total.mean:>12,.2f}"
            f" {interval:>24} {availability.mean:>8.4%}"
        )
    kept, given_back = (found[habit].estimate("cost.total").mean for habit in ("keep", "deallocate"))
    print(f"Deallocating at night saves {1 - given_back / kept:.1%} of the bill; stopping saves none of the compute.")
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
