"""VMs come and go, and hardware is finite: how many hosts keep refusals below one request in a hundred?

Covers: hosts, placement, capacity refusals, a search for the smallest number that meets a target (`size`).
Question: how many hosts, for twelve VMs each, refuse at most 1 % of the requests? Does the spread of lifetimes matter?
Expect: Erlang's loss formula. 60 requests an hour hold a place for 3.32 h each (start, a lifetime of 3.30 h, deletion), so
    199 places are requested at once on average; 18 hosts refuse 1.5 %, 19 hosts 0.4 %. The formula depends on the
    mean lifetime only: constant and exponential lifetimes of the same mean are refused as often.
"""

import math
from pathlib import Path

from sim import Sizing, load, plot, run, size

SCENARIO = Path(__file__).with_suffix(".toml")
HOSTS = "platform.hosts.cluster.count"
TARGET = "allocation.failure_rate<=1%"
PER_HOST = 12  # VMs of 4 vCPUs on hosts of 48
REQUESTS_PER_H = 60.0
LIFETIME_H = 2 * math.exp(1.0**2 / 2)
HELD_H = LIFETIME_H + (25 * math.exp(0.5**2 / 2) + 44 * math.exp(0.7**2 / 2)) / 3600  # start, lifetime, deletion
LIFETIMES = {
    "lognormal": '{ dist = "lognormal", median = "2h", sigma = 1.0 }',
    "exponential": f'{{ dist = "exponential", mean = "{LIFETIME_H}h" }}',
    "constant": f"{LIFETIME_H}h",
}


def erlang_b(hosts: int) -> float:
    """Share of requests that this number of hosts refuses (Erlang 1917)."""
    load, refused = REQUESTS_PER_H * HELD_H, 1.0
    for places in range(1, hosts * PER_HOST + 1):
        refused = load * refused / (places + load * refused)
    return refused


def main(
    replications: int = 200, folder: Path | str = "results/hosts-for-a-service-level"
) -> tuple[Sizing, dict[str, float]]:
    """Search, print the evidence beside the formula, and try other lifetime distributions near the answer."""
    found = size(SCENARIO, f"{HOSTS}=14..26", TARGET, replications=replications, engine="compiled")
    print(found.words)
    print(f"{'hosts':>6} {'refused':>8} {'interval':>18} {'Erlang B':>9} {'runs':>5} answer")
    refused = {}
    for trial in found.trials:
        estimate = trial.run.estimate("allocation.failure_rate")
        refused[trial.value] = estimate
        print(
            f"{trial.value:>6} {estimate.mean:>8.3%} {estimate.low:>8.3%} .. {estimate.high:>6.3%} {erlang_b(trial.value):>9.3%}"
            f" {estimate.n:>5} {trial.evidence.answer}"
        )
    print(f"one host fewer, {found.next_value} hosts, by lifetime distribution (95 % interval):")
    by_lifetime = {}
    for name, lifetime in LIFETIMES.items():
        other = load(SCENARIO, [f"{HOSTS}={found.next_value}", f"group.jobs.arrivals.lifetime={lifetime}"])
        estimate = run(other, replications=min(20, replications), engine="compiled").estimate("allocation.failure_rate")
        by_lifetime[name] = estimate.mean
        print(f"{name:>15}: {estimate.mean:.3%} ({estimate.low:.3%} .. {estimate.high:.3%})")
    found.write(folder)
    plot(
        folder,
        "refused",
        "How many hosts refuse at most one request in a hundred?",
        {
            "simulated": refused,
            "Erlang's formula": {hosts: erlang_b(hosts) for hosts in range(14, 27)},
            "target": dict.fromkeys(refused, 0.01),
        },
        x="hosts, for twelve VMs each",
        y="requests refused",
        percent=True,
        note="95 % intervals",
    )
    return found, by_lifetime


if __name__ == "__main__":
    main()
