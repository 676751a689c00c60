"""A job of 48 hours on spot VMs must not be late: when should it go on with a regular VM?

Covers: work, lost work and deadlines, recorded spot capacity, `fall_back = "deadline"` (greedy) and `"uniform-progress"`.
Question: what does an hour of work cost under either rule, by deadline, and is any job late? And without a fall-back?
Expect: with both rules no job is late, because they leave time enough for a changeover. An hour of work costs between 4.25 cents
    (all of it on spot) and 23 cents (all of it on a regular VM). The greedy rule waits until the time left is only just enough, and
    then stays on a regular VM to the end, whatever capacity comes back; uniform progress uses a regular VM whenever it is behind and
    returns to spot when it is ahead, so it can use capacity that comes late. It is cheaper where the deadline is tight (Wu et al.,
    Can't Be Late, NSDI 2024).
    The ordering is that of the paper, on its own traces, too (`python scenarios/spot_deadline.py runs.csv` with a file of columns
    trace, from_s, to_s, value). Where there was capacity 47 % of the time (us-east-1c, February 2023), an hour of work costs
    0.211, 0.165 and 0.125 USD by the greedy rule and 0.189, 0.142 and 0.119 by uniform progress, with 52, 72 and 96 hours. Where
    there was capacity 88 % of the time (us-west-2a) it is 0.122 and 0.099 with 52 hours, but 0.0515 and 0.0531 with 72: with so much
    time few jobs need a regular VM in the end, and those that were a little behind for a while have used one.
"""

import csv
import sys
from pathlib import Path

from sim import RunResult, load, plot, run

SCENARIO = Path(__file__).with_suffix(".toml")
RULES = ("deadline", "uniform-progress", "never")
DEADLINES_H = (52, 60, 72, 96)
SPOT_USD_PER_H, REGULAR_USD_PER_H = 0.04250, 0.23  # Standard_D4s_v5, Linux, westeurope, read 2026-08-22


def cost_of_work(result: RunResult) -> float:
    """USD for an hour of work that is done for good."""
    usd, served_h, lost_h = (result.estimate(name).mean for name in ("cost.compute", "served_hours", "lost_work_hours"))
    return usd / (served_h - lost_h)


def by_hand(result: RunResult) -> float:
    """The same from the hours on either kind of VM and their prices."""
    spot_h = result.estimate("billed_hours", "job").mean
    regular_h = result.estimate("billed_hours").mean - spot_h
    work_h = result.estimate("served_hours").mean - result.estimate("lost_work_hours").mean
    return (spot_h * SPOT_USD_PER_H + regular_h * REGULAR_USD_PER_H) / work_h


def main(
    replications: int | None = None, folder: Path | str = "results/spot-deadline", file: str = "", trace: str = ""
) -> dict[tuple[str, int], tuple[float, float]]:
    """Simulate each rule with each deadline, and print the cost of an hour of work."""
    record = [f"group.job.spot.availability.file={file}"] * bool(file)
    record += [f"group.job.spot.availability.trace={trace}"] * bool(trace)
    print(
        f"48 h of work, {trace or 'spot_deadline_runs.csv'}; USD per hour of work (by hand in brackets), share in time"
    )
    print(f"{'deadline':>8} " + " ".join(f"{rule:>26}" for rule in RULES))
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for hours in DEADLINES_H:
        cells = []
        for rule in RULES:
            setting = [f"group.job.arrivals.deadline={hours}h", f"group.job.spot.fall_back={rule}", *record]
            result = run(load(SCENARIO, setting), replications=replications)
            usd, in_time = cost_of_work(result), result.estimate("deadline.met_share").mean
            found[rule, hours] = usd, in_time
            cells.append(f"{usd:.4f} ({by_hand(result):.4f}) {in_time:>8.2%}")
        print(f"{hours:>6} h " + " ".join(f"{cell:>26}" for cell in cells))
    result.write(folder)
    lines = {rule: {hours: found[rule, hours][0] for hours in DEADLINES_H} for rule in RULES}
    lines["regular"] = dict.fromkeys(DEADLINES_H, REGULAR_USD_PER_H)
    plot(
        folder,
        "cost_of_work",
        "What does an hour of work with a deadline cost?",
        lines,
        x="deadline, hours after the request of 48 hours of work",
        y="USD per hour of work",
        note=f"{result.n} replications; without a fall-back jobs are late",
    )
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with Path(sys.argv[1]).open(encoding="utf-8") as stream:
            traces = dict.fromkeys(row["trace"] for row in csv.DictReader(stream))
        for name in traces:
            main(4, f"results/spot-deadline/{name.replace('/', '-')}", str(Path(sys.argv[1]).resolve()), name)
    else:
        main()
