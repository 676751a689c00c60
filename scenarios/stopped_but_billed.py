"""The classic mistake: machines that are shut down, not deallocated, and go on being billed. What does it cost, by state?

Covers: every habit at the end of the day, hours in each state, meters that go on in it: compute, licence, disks, address.
Question: a hundred Windows machines idle for sixteen hours a day: what do those hours cost in each state?
Expect: an idle machine costs 0.230 USD an hour for its cores and 0.184 for Windows while it runs; Stopped it costs the cores
    still (the mistake: some 11,000 USD a month here); Deallocated or Hibernated neither. Disk and address cost
    the same always, but a machine that hibernates needs the next larger OS disk, which must hold its memory too.
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
MACHINES, DAYS = 100, 30
CORES_USD_PER_H, WINDOWS_USD_PER_H = 0.230, 0.184  # Standard_D4s_v5, westeurope
IDLE_H = MACHINES * DAYS * 16


def main(replications: int | None = None) -> dict[str, RunResult]:
    """Play every habit on the same luck, and print what the idle hours cost."""
    print(f"{MACHINES} x Standard_D4s_v5 with Windows, used 8 h and idle 16 h a day, {DAYS} days; USD")
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
    print(
        f"Stopped for {stopped_h:,.0f} h, cores billed all the while: {stopped_h * CORES_USD_PER_H:,.2f} USD for nothing."
    )
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
