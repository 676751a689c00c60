"""One real day, 87,550 VMs: do the fitted distributions reproduce it, how many hosts does it need, and what does it cost?

Covers: arrivals by hour in batches, lifetimes as mixtures, several sizes, hosts and refusals; figures of a public trace.
Question: are there as many VMs in each hour as on the day itself? Which share is refused on 350 ... 550 hosts?
Expect: about 87,550 VMs (rates times mean batch), with a standard deviation of 3,300 between such days, because batches
    of up to 676 arrive as one: variance over mean is 123. The hours follow from the rates and the limited means of the lifetime
    distributions: 221,393. The day itself had 208,267, which is outside the intervals: VMs of one batch have similar lifetimes there
    (two of them are in the same of 40 intervals of lifetime in 58 % of cases, any two VMs in 6 %), and here each VM draws its own.
    In the afternoon nearly 40,000 vCPUs are in use on hosts of 96: 420 full hosts.
Source: Azure Public Dataset V1, 2017 (Cortez et al., SOSP 2017), CC-BY 4.0; see the scenario file.
"""

import math
import tomllib
from pathlib import Path

from sim import RunResult, load, plot, run, sweep

SCENARIO = Path(__file__).with_suffix(".toml")
HOSTS, LEVELS = "platform.hosts.cluster.count", (350, 400, 450, 500, 550)
REFUSED = "allocation.failure_rate"
DAY_CREATED, DAY_HOURS = 87_550, 208_267  # in the trace
DAY_BY_HOUR = (1186, 2288, 2605, 2980, 3476, 3593, 4316, 4756, 5101, 6292, 7327, 7686, 8028, 9076, 10706, 12714, 13648,
               13868, 14490, 14606, 15480, 15687, 14594, 13764)  # VMs in the trace, mean of each hour  # fmt: skip


def limited_mean_h(mixture: dict, until_h: float) -> float:
    """Limited mean (h) of a lognormal mixture: E[min(lifetime, *until_h*)]."""
    total = 0.0
    for weight, part in zip(mixture["weights"], mixture["of"], strict=True):
        median_h, sigma = float(part["median"].rstrip("s")) / 3600, part["sigma"]
        z = math.log(until_h / median_h) / sigma
        below, beyond = (0.5 * math.erfc(-at / math.sqrt(2)) for at in (z - sigma, z))
        total += weight * (median_h * math.exp(sigma**2 / 2) * below + until_h * (1 - beyond))
    return total


def by_hand(arrivals: dict) -> tuple[float, float]:
    """Mean number of VMs created, and mean of their hours."""
    batch = arrivals["batch"]
    mean_batch = sum(size * w for size, w in zip(*batch.values(), strict=True)) / sum(batch["weights"])
    middles_h = [(step + 0.5) / 20 for step in range(20)]  # midpoints of the twentieths of an hour
    hours = sum(
        rate * sum(limited_mean_h(arrivals["lifetime"], 24 - hour - at) for at in middles_h) / 20
        for hour, rate in enumerate(arrivals["hourly"])
    )
    return mean_batch * sum(arrivals["hourly"]), mean_batch * hours


def main(
    replications: int | None = None, folder: Path | str = "results/real-fleet-day"
) -> tuple[RunResult, dict[int, float]]:
    """Simulate such days, compare them with the real one, and try fewer hosts."""
    day = run(load(SCENARIO), replications=replications, engine="compiled")
    print(f"{day.n} days like the real one (95 % interval); expected values in brackets")
    print(f"{'':>8} {'created':>9} {'':>10} {'hours':>9} {'interval':>20} {'':>10} {'USD':>10}")
    for group in tomllib.loads(SCENARIO.read_text())["group"]:
        created, hours, usd = (
            day.estimate(name, group["name"]) for name in ("vms.created", "hours.running", "cost.compute")
        )
        hand, hand_h = by_hand(group["arrivals"])
        print(
            f"{group['name']:>8} {created.mean:>9,.0f} {f'({hand:,.0f})':>10} {hours.mean:>9,.0f}"
            f" {hours.low:>9,.0f}..{hours.high:>9,.0f} {f'({hand_h:,.0f})':>10} {usd.mean:>10,.2f}"
        )
    created, hours, usd = map(day.estimate, ("vms.created", "hours.running", "cost.compute"))
    print(
        f"{'all':>8} {created.mean:>9,.0f} {'':>10} {hours.mean:>9,.0f} {hours.low:>9,.0f}..{hours.high:>9,.0f} {'':>10} {usd.mean:>10,.2f}"
    )
    print(f"{'real day':>8} {DAY_CREATED:>9,} {'':>10} {DAY_HOURS:>9,}")
    found = sweep(SCENARIO, {HOSTS: LEVELS}, metrics=[REFUSED], replications=day.n, engine="compiled")
    refused = {n: found.estimate(REFUSED, **{HOSTS: n}) for n in LEVELS}
    print("refused: " + ", ".join(f"{share.mean:.1%} on {n} hosts" for n, share in refused.items()))
    day.write(folder)
    plot(
        folder,
        "vms_by_hour",
        "Do the fitted distributions reproduce the real day?",
        {"simulated": dict(enumerate(day.hourly("running"))), "real day": dict(enumerate(DAY_BY_HOUR))},
        x="hour of the day",
        y="VMs",
        note=f"{day.n} days, 95 % intervals; the fleet starts empty",
    )
    plot(
        folder,
        "refused",
        "How many hosts does such a day need?",
        {"simulated": refused},
        x="hosts of 96 vCPU",
        y="VMs refused",
        percent=True,
        note=f"{day.n} days, 95 % intervals",
    )
    return day, {n: share.mean for n, share in refused.items()}


if __name__ == "__main__":
    main()
