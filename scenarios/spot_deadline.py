"""A job of 48 hours on spot VMs must not be late: when should it go on with a regular VM?

Covers: work, lost work and deadlines, recorded spot capacity, `fall_back = "deadline"` (greedy) and `"uniform-progress"`.
Question: what does an hour of work cost under either rule, by deadline, and is any job late? And without a fall-back?
Expect: with both rules no job is late, because they leave time enough for a changeover. An hour of work costs between 4.25 cents
    (all of it on spot) and 23 cents (all of it on a regular VM). The greedy rule waits until the time left is only just enough, and
    then stays on a regular VM to the end, whatever capacity comes back; uniform progress uses a regular VM whenever it is behind and
    returns to spot when it is ahead, so it can use capacity that comes late: it is cheaper where the deadline is tight (Wu et al.,
    Can't Be Late, NSDI 2024). On the 17 traces of the paper that is so within 52, 60 and 72 hours, and within 96 only where there is
    capacity less than two thirds of the time (docs/spot-deadline.md says why; `python scenarios/spot_deadline.py runs.csv`).
"""

import csv
import math
import sys
from itertools import product
from pathlib import Path
from statistics import fmean, stdev

from sim import RunResult, load, plot, run

SCENARIO = Path(__file__).with_suffix(".toml")
RULES = ("deadline", "uniform-progress", "never")
DEADLINES_H = (52, 60, 72, 96)
REPLICATIONS, T_975 = 6, 2.5706  # of a trace; Student's t with 5 degrees of freedom
READINGS = (0, 1)  # which value means capacity: 0 in the authors' simulator, 1 on their page
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


def of_each_replication(result: RunResult) -> list[float]:
    """USD for an hour of work in each replication."""
    usd, served_h, lost_h = (result.values(name) for name in ("cost.compute", "served_hours", "lost_work_hours"))
    return [paid / (served - lost) for paid, served, lost in zip(usd, served_h, lost_h, strict=True)]


def all_traces(file: Path) -> None:
    """Every trace of a file, with both readings of its values: USD for an hour of work by the greedy rule, then what uniform
    progress costs against it; in brackets where the replications leave open which is cheaper (95 % interval of the difference).
    """
    with file.open(encoding="utf-8") as stream:
        rows = [
            (each["trace"], *(float(each[key]) for key in ("from_s", "to_s", "value")))
            for each in csv.DictReader(stream)
        ]
    least_in_time = 1.0
    print("| capacity is | trace | of the time |", " | ".join(f"{hours} h" for hours in DEADLINES_H), "|")
    for available, trace in product(READINGS, dict.fromkeys(row[0] for row in rows)):
        runs = [(to_s - from_s, value == available) for name, from_s, to_s, value in rows if name == trace]
        share = sum(long for long, is_there in runs if is_there) / sum(long for long, _ in runs)
        keys = {"file": str(file.resolve()), "trace": trace, "available": available}
        record = [f"group.job.spot.availability.{key}={value}" for key, value in keys.items()]
        cells = []
        for hours in DEADLINES_H:
            setting = [f"group.job.arrivals.deadline={hours}h", *record]
            both = (load(SCENARIO, [*setting, f"group.job.spot.fall_back={rule}"]) for rule in RULES[:2])
            results = [run(scenario, replications=REPLICATIONS) for scenario in both]
            least_in_time = min(least_in_time, *(min(result.values("deadline.met_share")) for result in results))
            greedy, uniform = map(of_each_replication, results)
            gains = [ours / theirs - 1 for ours, theirs in zip(uniform, greedy, strict=True)]
            is_known = abs(fmean(gains)) > T_975 * stdev(gains) / math.sqrt(REPLICATIONS)
            cells.append(f"{fmean(greedy):.3f} " + ("{:+.1%}" if is_known else "({:+.1%})").format(fmean(gains)))
        print(f"| {available} | {trace} | {share:.0%} | {' | '.join(cells)} |", flush=True)
    print(f"In time: {least_in_time:.2%} of the jobs or more, by either rule")


def main(
    replications: int | None = None, folder: Path | str = "results/spot-deadline"
) -> dict[tuple[str, int], tuple[float, float]]:
    """Simulate each rule with each deadline, and print the cost of an hour of work."""
    print("48 h of work; USD per hour of work (by hand in brackets), share in time")
    print(f"{'deadline':>8} " + " ".join(f"{rule:>26}" for rule in RULES))
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for hours in DEADLINES_H:
        cells = []
        for rule in RULES:
            setting = [f"group.job.arrivals.deadline={hours}h", f"group.job.spot.fall_back={rule}"]
            result = run(load(SCENARIO, setting), replications=replications)
            usd, in_time = cost_of_work(result), result.estimate("deadline.met_share").mean
            found[rule, hours] = usd, in_time
            cells.append(f"{usd:.4f} ({by_hand(result):.4f}) {in_time:>8.2%}")
        print(f"{hours:>6} h " + " ".join(f"{cell:>26}" for cell in cells))
    result.write(folder)
    lines = {rule: {hours: found[rule, hours][0] for hours in DEADLINES_H} for rule in RULES}
    lines["regular"] = dict.fromkeys(DEADLINES_H, REGULAR_USD_PER_H)
    plot(
        folder, "cost_of_work", "What does an hour of work with a deadline cost?", lines,
        x="deadline, hours after the request of 48 hours of work", y="USD per hour of work",
        note=f"{result.n} replications; without a fall-back jobs are late",
    )  # fmt: skip
    return found


if __name__ == "__main__":
    all_traces(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
