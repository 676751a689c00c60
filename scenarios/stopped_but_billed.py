"""The classic mistake: VMs that are shut down but not deallocated are still billed. What does that cost, by state?

Covers: every habit at the end of the day, hours in each state, the meters that run in it: compute, licence, disks, address.
Question: a hundred Windows VMs are idle for sixteen hours a day: what do those hours cost in each state?
Expect: while it runs, an idle VM costs 0.230 USD an hour for its cores and 0.184 for Windows. Stopped, it still costs the cores
    (the mistake: some 11,000 USD a month here); Deallocated or Hibernated, it costs neither. Disk and address cost
    the same in every state, but a VM that hibernates needs the next larger OS disk, which must also hold its memory.
"""

import sys
from pathlib import Path

from sim import RunResult, load, run

SCENARIO = Path(__file__).with_suffix(".toml")
HABITS = {
    "keep": "running",
    "guest-shutdown": "stopped",
    "stop": "stopped",
    "deallocate": "deallocated",
    "hibernate": "hibernated",
}
VMS, DAYS = 100, 30
CORES_USD_PER_H, WINDOWS_USD_PER_H = 0.230, 0.184  # Standard_D4s_v5, westeurope
IDLE_H = VMS * DAYS * 16


def main(replications: int | None = None) -> dict[str, RunResult]:
    """Simulate every habit with common random numbers, and print what the idle hours cost."""
    print(f"{VMS} x Standard_D4s_v5 with Windows, used 8 h and idle 16 h a day, {DAYS} days; USD")
    print(
        f"{'habit':>15} {'idle hours are':>15} {'compute':>10} {'licence':>10} {'disk, net':>10} {'total':>10} {'the mistake':>12}"
    )
    found = {
        habit: run(load(SCENARIO, [f"group.test.when_off={habit}"]), replications=replications) for habit in HABITS
    }
    best = found["deallocate"].estimate("cost.total").mean
    for habit, result in found.items():
        compute, licence, disk, network, total = (
            result.estimate(f"cost.{kind}").mean for kind in ("compute", "license", "disk", "network", "total")
        )
        print(
            f"{habit:>15} {HABITS[habit]:>15} {compute:>10,.2f} {licence:>10,.2f} {disk + network:>10,.2f} {total:>10,.2f}"
            f" {total - best:>12,.2f}"
        )
    stopped_h = found["stop"].estimate("hours.stopped").mean
    print(f"Stopped for {stopped_h:,.0f} h with the cores still billed: {stopped_h * CORES_USD_PER_H:,.2f} USD wasted.")
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
