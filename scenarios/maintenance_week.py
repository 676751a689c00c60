"""A week with maintenance: how many hours are lost, what is still billed, and how many VMs are down at once?

Covers: planned maintenance with the impacts freeze, reboot and redeploy, update domains, billing during maintenance.
Question: 240 VMs, each affected once: how many hours are lost under each impact, and which share is down at once with
    1 ... 12 update domains?
Expect: every VM loses the time of the impact: 10 s frozen, 90 s for a reboot, 50 s to start on other hardware, which adds up to
    0.67, 6.00 and 3.33 hours. Frozen and rebooting VMs stay Running and billed; a redeployed VM shows
    Starting, which `2018-08` does not bill. With n update domains, 1/n of the VMs are down at once.
"""

from pathlib import Path

from sim import RunResult, load, plot, run, sweep

SCENARIO = Path(__file__).with_suffix(".toml")
VMS, WEEK_H = 240, 7 * 24 - 1  # the first hour is not counted
LOST_S = {"freeze": 10, "reboot": 90, "redeploy": 50}  # as in the scenario file
UNBILLED_S = {"freeze": 0, "reboot": 0, "redeploy": 50}
DOMAINS = (1, 2, 3, 4, 6, 12)  # these divide the twelve hosts evenly
FIRST_SECONDS = ["platform.maintenance.every=96h", "warm_up=96h", "horizon=345610s"]  # 10 s from the first wave on


def main(folder: Path | str = "results/maintenance-week") -> tuple[dict[str, RunResult], dict[int, float]]:
    """Simulate the week under each impact, then the worst ten seconds for each number of update domains."""
    print(f"{VMS} VMs, one week, every host maintained once")
    print(
        f"{'impact':>9} {'affected':>8} {'lost h':>8} {'by hand':>8} {'unbilled h':>11} {'by hand':>8} {'available':>10}"
    )
    weeks = {}
    for impact, lost_s in LOST_S.items():
        week = weeks[impact] = run(load(SCENARIO, [f"platform.maintenance.impact={impact}"]))
        wanted, served, billed, affected = (
            week.estimate(name).mean for name in ("wanted_hours", "served_hours", "billed_hours", "maintenance_impacts")
        )
        print(
            f"{impact:>9} {affected:>8.0f} {wanted - served:>8.4f} {VMS * lost_s / 3600:>8.4f}"
            f" {wanted - billed:>11.4f} {VMS * UNBILLED_S[impact] / 3600:>8.4f} {served / wanted:>10.5%}"
        )
    domains = "platform.maintenance.update_domains"
    found = sweep(load(SCENARIO, FIRST_SECONDS), {domains: list(DOMAINS)}, metrics=["availability"])
    found.write(folder)
    down = {n: found.estimate("availability", **{domains: n}).complement for n in DOMAINS}
    print("down at once: " + ", ".join(f"{share.mean:.1%} with {n} domains" for n, share in down.items()))
    plot(
        folder,
        "down_at_once",
        "Which share of the VMs is down for maintenance at once?",
        {"simulated": down, "one part in n": {n: 1 / n for n in DOMAINS}},
        x="update domains",
        y="VMs down at once",
        percent=True,
        note="impact reboot",
    )
    return weeks, {n: share.mean for n, share in down.items()}


if __name__ == "__main__":
    main()
