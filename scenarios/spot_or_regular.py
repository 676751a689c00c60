"""Spot VMs cost a fifth but can be evicted: what does an hour of work cost on spot and on regular VMs?

Covers: spot prices, eviction as a hazard per hour of running, notice, restart by the automation, disks that are always billed.
Question: up to which eviction rate is a spot worker cheaper, and for which share of the time is it available?
Expect: at an eviction probability p per hour a worker runs -1/ln(1-p) hours on average and is then away for 17 minutes (58 s to
    deallocate, 15 min until the restart, 38 s to start): at 20 % it is available 94.1 % of the time. An hour served costs
    4.25 cents plus a share of the disk, 7.4 at most, against 26.0 on a regular VM. An eviction also loses the work since the last
    checkpoint. A job of 12 hours without checkpoints starts again until it gets 12 hours without an eviction, which takes
    (exp(12 r) - 1) / r hours on average at r evictions an hour. That makes spot more expensive from about 16 % on.
"""

import math
from pathlib import Path

from sim import load, plot, run, sweep

SCENARIO = Path(__file__).with_suffix(".toml")
RATE = "group.worker.spot.eviction_per_hour"
RATES = (0.001, 0.025, 0.05, 0.10, 0.15, 0.20)  # bands of eviction rates end at 5, 10, 15 and 20 % an hour
SPOT_USD_PER_H, REGULAR_USD_PER_H = 0.04250, 0.23  # Standard_D4s_v5, Linux, westeurope, read 2026-08-22
# P10, westeurope, read 2026-08-22; 27 of the 28 days are in January (744 h), one is in February (672 h).
DISK_USD_PER_H = 21.68 * (27 / 744 + 1 / 672) / 28
NOTICE_H = 30 / 3600
AWAY_H = (45 * math.exp(0.7**2 / 2) + 900 + 10 + 25 * math.exp(0.5**2 / 2)) / 3600
JOB_H = 12.0  # of work without a checkpoint


def by_hand(rate: float) -> tuple[float, float]:
    """Share of the time that a spot worker is available, and USD per hour of it (an alternating renewal process)."""
    up_h = -1 / math.log(1 - rate) + NOTICE_H
    share = up_h / (up_h + AWAY_H)
    return share, SPOT_USD_PER_H + DISK_USD_PER_H / share


def hours_per_useful_hour(rate: float) -> float:
    """Hours worked per hour of a job that starts again at each eviction."""
    evictions = -math.log(1 - rate) * JOB_H
    return math.expm1(evictions) / evictions


def main(
    replications: int | None = None, folder: Path | str = "results/spot-or-regular"
) -> dict[float, tuple[float, float]]:
    """Simulate each eviction rate and the regular fleet, and print the cost of an hour served."""
    found = sweep(SCENARIO, {RATE: list(RATES)}, metrics=["cost.total", "availability"], replications=replications)
    regular = run(
        load(SCENARIO, ["group.worker.priority=regular", "group.worker.spot=none"]), replications=found.n
    ).ratio("cost.total", "served_hours")
    print(f"50 x Standard_D4s_v5, westeurope, four weeks, {found.n} replications (95 % interval)")
    print(f"regular: {regular.mean:.4f} USD per hour served; by hand {REGULAR_USD_PER_H + DISK_USD_PER_H:.4f}")
    print(
        f"{'evicted/h':>9} {'available':>9} {'by hand':>8} {'USD/h':>7} {'interval':>17} {'by hand':>8} {'USD/h of long job':>19}"
    )
    costs, useful, expected, figures = {}, {}, {}, {}
    for rate, one in zip(RATES, found.runs, strict=True):
        available, cost = one.estimate("availability"), one.ratio("cost.total", "served_hours")
        share, usd = by_hand(rate)
        costs[100 * rate], expected[100 * rate] = cost, usd
        useful[100 * rate] = cost.mean * hours_per_useful_hour(rate)
        figures[rate] = available.mean, cost.mean
        print(
            f"{rate:>9.1%} {available.mean:>9.3%} {share:>8.3%} {cost.mean:>7.4f} {cost.low:>7.4f} .. {cost.high:.4f} {usd:>8.4f}"
            f" {useful[100 * rate]:>19.4f}"
        )
    found.write(folder)
    lines = {
        "spot, an hour served": costs,
        f"spot, an hour of a {JOB_H:.0f} h job without checkpoints": useful,
        "regular": dict.fromkeys(costs, regular.mean),
    }
    plot(
        folder,
        "cost_of_an_hour",
        "What does an hour of work cost on spot and on regular VMs?",
        lines,
        x="evicted within an hour, %",
        y="USD per hour",
        note=f"{found.n} replications, 95 % intervals",
    )
    return figures


if __name__ == "__main__":
    main()
