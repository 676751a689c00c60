"""Machines come and go, and hardware is finite: how many hosts keep the promise that 99 of 100 requests find room?

Covers: hosts, placement, capacity refusals, a search for the smallest number that keeps a promise (`size`).
Question: how many hosts, for twelve machines each, refuse at most 1 % of the requests? And does it matter how lifetimes
    scatter?
Expect: Erlang's loss formula. 60 requests an hour hold a place for 3.32 h each (start, a lifetime of 3.30 h, deletion), so
    199 places are asked for at once in the mean; 18 hosts would refuse 1.5 %, 19 refuse 0.4 %. The formula needs the
    mean of the lifetimes only: constant or exponential ones of the same mean are refused as often.
"""

import math
from pathlib import Path

from sim import Sizing, load, plot, run, size

SCENARIO = Path(__file__).with_suffix(".toml")
HOSTS = "platform.hosts.cluster.count"
PROMISE = "allocation.failure_rate<=1%"
PER_HOST = 12  # machines of 4 vCPU on hosts of 48
REQUESTS_PER_H = 60.0
LIFETIME_H = 2 * math.exp(1.0**2 / 2)
HELD_H = LIFETIME_H + (25 * math.exp(0.5**2 / 2) + 44 * math.exp(0.7**2 / 2)) / 3600  # started, lived, deleted
LAWS = {
    "lognormal": '{ dist = "lognormal", median = "2h", sigma = 1.0 }',
    "exponential": f'{{ dist = "exponential", mean = "{LIFETIME_H}h" }}',
    "constant": f"{LIFETIME_H}h",
}


def erlang_b(hosts: int) -> float:
    """Share of requests refused by so many hosts (Erlang 1917)."""
    load, refused = REQUESTS_PER_H * HELD_H, 1.0
    for places in range(1, hosts * PER_HOST + 1):
        refused = load * refused / (places + load * refused)
    return refused


def main(
    replications: int = 200, folder: Path | str = "results/hosts-for-a-promise"
) -> tuple[Sizing, dict[str, float]]:
    """Search, print the evidence beside the formula, and try other laws of lifetimes at the answer."""
    found = size(SCENARIO, f"{HOSTS}=14..26", PROMISE, replications=replications, engine="compiled")
    print(found.words)
    print(f"{'hosts':>6} {'refused':>8} {'interval':>18} {'Erlang B':>9} {'runs':>5} answer")
    refused = {}
    for trial in found.trials:
        told = trial.run.estimate("allocation.failure_rate")
        refused[trial.value] = told
        print(
            f"{trial.value:>6} {told.mean:>8.3%} {told.low:>8.3%} .. {told.high:>6.3%} {erlang_b(trial.value):>9.3%}"
            f" {told.n:>5} {trial.evidence.answer}"
        )
    print(f"one host less, {found.next_value} hosts, by law of the lifetimes (95 % interval):")
    laws = {}
    for name, law in LAWS.items():
        other = load(SCENARIO, [f"{HOSTS}={found.next_value}", f"group.jobs.arrivals.lifetime={law}"])
        told = run(other, replications=min(20, replications), engine="compiled").estimate("allocation.failure_rate")
        laws[name] = told.mean
        print(f"{name:>15}: {told.mean:.3%} ({told.low:.3%} .. {told.high:.3%})")
    found.write(folder)
    plot(
        folder,
        "refused",
        "How many hosts refuse at most one request in a hundred?",
        {
            "simulated": refused,
            "Erlang's formula": {hosts: erlang_b(hosts) for hosts in range(14, 27)},
            "promise": dict.fromkeys(refused, 0.01),
        },
        x="hosts of twelve machines each",
        y="requests refused",
        percent=True,
        note="95 % intervals",
    )
    return found, laws


if __name__ == "__main__":
    main()
