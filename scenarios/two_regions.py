"""60 VMs do not fit into the quota of one region: what does it cost to run some of them in another?

Covers: `region` of a group, prices and quota by region, VMs refused for lack of quota.
Question: how many of the 60 VMs must be in East US so that all of them are created, and what do four weeks cost then?
Expect: a region's quota of 200 vCPUs admits 50 VMs of 4 vCPUs, so 10 to 50 VMs must be in East US. A VM is billed for 672 hours less
    the 35 s until it is Running, at 0.23 USD in West Europe and 0.192 in East US: each VM that is moved saves 25.54 USD.
    Two groups in two regions share nothing: each costs what it costs alone.
"""

from pathlib import Path

from sim import RunResult, load, plot, run

SCENARIO = Path(__file__).with_suffix(".toml")
MOVED = (1, 5, 10, 20, 30, 40, 50, 55, 59)
VMS, FIT, HOURS = 60, 50, 672 - 35 / 3600
PRICES = {"europe": 0.23, "america": 0.192}  # USD per hour, Standard_D4s_v5, Linux, list of 2026-08-22


def by_hand(moved: int) -> tuple[int, float]:
    """How many VMs are created, and what they cost, if so many are in East US."""
    made = {"europe": min(FIT, VMS - moved), "america": min(FIT, moved)}
    return sum(made.values()), sum(vms * HOURS * PRICES[region] for region, vms in made.items())


def main(replications: int | None = None, folder: Path | str = "results/two-regions") -> dict[int, RunResult]:
    """Move more and more VMs, and print how many are created and what they cost."""
    found = {
        moved: run(
            load(SCENARIO, [f"group.europe.count={VMS - moved}", f"group.america.count={moved}"]),
            replications=replications,
        )
        for moved in MOVED
    }
    print(f"{'in East US':>10} {'created':>8} {'by hand':>8} {'USD':>11} {'by hand':>11}")
    for moved, result in found.items():
        created, cost = by_hand(moved)
        simulated = [result.estimate(name).mean for name in ("vms.created", "cost.total")]
        print(f"{moved:>10} {simulated[0]:>8.0f} {created:>8} {simulated[1]:>11,.2f} {cost:>11,.2f}")
    plot(
        folder,
        "vms_created",
        "How many of the VMs are created, if some are in another region?",
        {
            "simulated": {moved: result.estimate("vms.created") for moved, result in found.items()},
            "by hand": {moved: by_hand(moved)[0] for moved in MOVED},
        },
        x="VMs in East US, of 60",
        y="VMs created",
        note="200 vCPUs of quota in each region",
    )
    return found


if __name__ == "__main__":
    main()
