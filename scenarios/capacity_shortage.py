"""A region is short of hardware now and again: how many capacity reservations keep the mornings going?

Covers: `[[platform.shortage]]`, capacity reservations, VMs that are late (`ready.late_share`), percentiles over replications, `size`.
Question: how many capacity reservations so that 99 % of mornings work? And what hides an average that says 3 %?
Expect: hardware is short 1 day in 31 in the long run, and on a morning t after the start with probability 3/93 (1 - exp(-t (1/90 +
    1/3))), t in days; a shortage that is over within 51 minutes costs no morning, so 2.7 % of the mornings are lost without reservations.
    A reservation saves its VM's mornings: of 100 VMs 64 must have one. A shortage strikes all VMs at once: three months in
    four lose nothing, one in a hundred more than a third of its mornings. If each VM failed by itself, by chance and as
    often, not one month in a hundred would lose more than 5 %.
"""

import math
from pathlib import Path

from sim import RunResult, Sizing, load, plot, run, size

SCENARIO = Path(__file__).with_suffix(".toml")
ROOM = "commitment.room.quantity"
TARGET = "ready.late_share<=1%"
VMS, BETWEEN_D, LASTS_D = 100, 90.0, 3.0
RESERVED = (0, 20, 40, 60, 80)
MORNINGS_D = [day + 8 / 24 for day in range(28) if day % 7 < 5]
GRACE_D = 51 / (24 * 60)  # attempts at 0, 10, ... 50 minutes, each with the seconds that it takes


def lost() -> float:
    """The share of mornings on which hardware is short, and still is at the last attempt in time."""
    rate = 1 / BETWEEN_D + 1 / LASTS_D
    short = [LASTS_D / (BETWEEN_D + LASTS_D) * (1 - math.exp(-rate * t)) for t in MORNINGS_D]
    return math.fsum(short) / len(short) * math.exp(-GRACE_D / LASTS_D)


def late(reserved: int) -> float:
    """The share of VM-mornings that is late with so many reservations."""
    return (1 - reserved / VMS) * lost()


def main(
    replications: int | None = None, folder: Path | str = "results/capacity-shortage"
) -> tuple[dict[int, RunResult], RunResult, Sizing]:
    """Simulate several numbers of reservations, and VMs that fail by themselves as often; search for the smallest number."""
    found = {
        reserved: run(load(SCENARIO, [f"{ROOM}={reserved}"]), replications=replications, engine="compiled")
        for reserved in RESERVED
    }
    print(f"{VMS} VMs, {found[0].n} months: mornings lost (95 % interval)")
    print(f"{'reserved':>9} {'lost':>7} {'interval':>16} {'by hand':>8} {'95 %':>7} {'99 %':>7} {'USD':>8}")
    for reserved, result in found.items():
        share, cost = result.estimate("ready.late_share"), result.estimate("cost.total").mean
        tail = [result.quantile("ready.late_share", p)[0] for p in (0.95, 0.99)]
        print(
            f"{reserved:>9} {share.mean:>7.2%} {share.low:>7.2%} .. {share.high:>5.2%} {late(reserved):>8.2%} "
            f"{tail[0]:>7.2%} {tail[1]:>7.2%} {cost:>8,.0f}"
        )
    alone = [f"group.dev.failures.AllocationFailed={lost()}", "group.dev.retry.attempts=1", "platform=none"]
    by_chance = run(load(SCENARIO, alone), replications=replications, engine="compiled")
    tail = [by_chance.quantile("ready.late_share", p)[0] for p in (0.95, 0.99)]
    print(
        f"each VM by itself: {by_chance.estimate('ready.late_share').mean:.2%}, 95 % {tail[0]:.2%}, 99 % {tail[1]:.2%}"
    )
    needed = size(SCENARIO, f"{ROOM}=0..100:10", TARGET, replications=replications, engine="compiled")
    print(needed.words)
    plot(
        folder,
        "mornings_lost",
        "How many capacity reservations keep the mornings going?",
        {
            "simulated": {reserved: result.estimate("ready.late_share") for reserved, result in found.items()},
            "by hand": {reserved: late(reserved) for reserved in RESERVED},
        },
        x="reserved VMs, of 100",
        y="mornings lost",
        percent=True,
        note=f"{found[0].n} months, 95 % intervals",
    )
    return found, by_chance, needed


if __name__ == "__main__":
    main()
