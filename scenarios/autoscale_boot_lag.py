"""Autoscale in the morning: what does it cost when new VMs take minutes to boot?

Covers: autoscale rules with thresholds, steps and a cooldown; boot lag; metrics of load served and overload.
Question: the load jumps from 1,000 to 4,000 requests a second at 09:00. For how long is it more than the VMs can take, if they
    boot in 2 ... 21 minutes and the group grows by 4 or 8 at a time? How many VMs are there in the end?
Expect: 15 VMs are ready at 09:00 and 40 are needed. Autoscale adds a step every 5 minutes: 7 steps of 4, so 30 minutes
    plus the boot lag. It counts only VMs that are ready, so it goes on adding while others boot: 59 VMs would bring the use
    down to the 70 % threshold, and each 5 minutes of boot lag add another step that is not needed.
"""

import math
from pathlib import Path

from sim import load, plot, run

SCENARIO = Path(__file__).with_suffix(".toml")
BOOTS_MIN = (1, 5, 10, 15, 20)  # OS provisioning; 40 s go before it
STEPS = (4, 8)  # VMs added at once
BEFORE, NEEDED, WANTED = 15, 40, 58  # VMs: at night, for 4,000 at 100 each, and for 70 % use
COOLDOWN_MIN = 5
JUMP, OFFERED = 4000 - 15 * 100, 14 * 1000 + 9 * 4000  # load above capacity at 09:00; load times hours


def by_hand(boot_min: int, step: int) -> tuple[float, float, int]:
    """Minutes of overload, share of the load served, most VMs."""
    lag_min = boot_min + 40 / 60
    waves = math.ceil((NEEDED - BEFORE) / step)
    without = sum(JUMP - 100 * step * wave for wave in range(1, waves)) * COOLDOWN_MIN + JUMP * lag_min
    asked = math.ceil((WANTED - BEFORE) / step) + math.floor(lag_min / COOLDOWN_MIN)
    return COOLDOWN_MIN * (waves - 1) + lag_min, 1 - without / 60 / OFFERED, BEFORE + step * asked


def main(folder: Path | str = "results/autoscale-boot-lag") -> dict[tuple[int, int], tuple[float, float, float]]:
    """Simulate the day for each boot time and step, and print the overload."""
    print("one day, load x 4 at 09:00; values worked out by hand in brackets")
    print(f"{'step':>4} {'boot min':>8} {'overload min':>15} {'load served':>19} {'most VMs':>15} {'USD':>8}")
    found, lines = {}, {}
    for step in STEPS:
        for boot_min in BOOTS_MIN:
            setting = [f"group.web.durations.os_provisioning={boot_min}min", f"group.web.autoscale.scale_out.by={step}"]
            day = run(load(SCENARIO, setting))
            overload, share, most, usd = (
                day.estimate(name)
                for name in ("load.overload_hours", "load.served_share", "vms.peak_allocated", "cost.total")
            )
            hand_min, hand_share, hand_most = by_hand(boot_min, step)
            found[step, boot_min] = 60 * overload.mean, share.mean, most.mean
            lines.setdefault(f"steps of {step}", {})[boot_min] = share.complement
            lines.setdefault(f"by hand, {step}", {})[boot_min] = 1 - hand_share
            print(
                f"{step:>4} {boot_min:>8} {60 * overload.mean:>8.1f} ({hand_min:>4.1f}) {share.mean:>9.3%} ({hand_share:.3%})"
                f" {most.mean:>9.0f} ({hand_most:>3}) {usd.mean:>8.2f}"
            )
    day.write(folder)
    plot(
        folder,
        "load_turned_away",
        "Which share of the day's load is not served, by boot time?",
        lines,
        x="OS provisioning, minutes",
        y="load not served",
        percent=True,
        note="all durations are constant",
    )
    return found


if __name__ == "__main__":
    main()
