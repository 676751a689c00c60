"""Fifty Windows servers: what are licences worth that you already own, with and without reservations?

Covers: the licence as a separate meter, hybrid benefit, a reservation that covers compute but never the licence.
Question: what do four weeks cost with the platform's licences and with your own, on demand and reserved?
Expect: your own licences lower the price to that of Linux (0.230 instead of 0.414 USD an hour, 44 % less). A reservation takes
    63 % off compute and nothing off the licence, so the licence is more than two thirds of a reserved bill.
"""

import sys
from pathlib import Path

from sim import RunResult, load, run

SCENARIO = Path(__file__).with_suffix(".toml")
SERVERS, VCPUS, WEEKS = 50, 4, 4
CASES = {
    "platform's, on demand": ("false", 0),
    "own, on demand": ("true", 0),
    "platform's, reserved": ("false", SERVERS),
    "own, reserved": ("true", SERVERS),
}


def main(replications: int | None = None) -> dict[str, RunResult]:
    """Simulate the four cases, and print what a licence of your own is worth."""
    print(f"{SERVERS} x Standard_D4s_v5 with Windows, westeurope, {WEEKS} weeks, reserved for three years; USD")
    print(f"{'licences':>22} {'compute':>10} {'commitment':>11} {'licence':>10} {'total':>11}")
    found = {}
    for case, (own, reserved) in CASES.items():
        scenario = load(SCENARIO, [f"group.servers.hybrid_benefit={own}", f"commitment.ri.quantity={reserved}"])
        result = found[case] = run(scenario, replications=replications)
        compute, committed, licence, total = (
            result.estimate(f"cost.{kind}").mean for kind in ("compute", "commitment", "license", "total")
        )
        print(f"{case:>22} {compute:>10,.2f} {committed:>11,.2f} {licence:>10,.2f} {total:>11,.2f}")
    saved = (
        found["platform's, on demand"].estimate("cost.total").mean - found["own, on demand"].estimate("cost.total").mean
    )
    core_year = saved / (SERVERS * VCPUS) * 52 / WEEKS
    print(f"A licence of your own is worth up to {core_year:,.0f} USD a year for each vCPU that is always on.")
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
