"""The platform began to bill Starting: whose bill changes?

Covers: the billing policies `2018-08` and `2023-10` applied to the same simulation, arrivals with short lifetimes, hours by state.
Question: what do build agents and servers cost under each policy?
Expect: the difference is exactly the hours in Starting. An agent runs for 11 minutes on average and starts for 28 s, so its
    bill grows by 4.3 %; a server starts once, and its bill changes by less than 0.1 %.
"""

import math
import sys
from pathlib import Path

from sim import RunResult, load, run

SCENARIO = Path(__file__).with_suffix(".toml")
POLICIES = ("2018-08", "2023-10")
STARTING_S = 25 * math.exp(0.5**2 / 2)  # mean, as in the scenario file
LIFETIME_S = 8 * 60 * math.exp(0.8**2 / 2)
GROWTH = STARTING_S / LIFETIME_S


def main(replications: int | None = None) -> dict[str, RunResult]:
    """Rate the same simulation under both policies."""
    found = {
        policy: run(load(SCENARIO, [f"billing_policy={policy}"]), replications=replications) for policy in POLICIES
    }
    print("100 agents an hour for a week beside 100 servers, Standard_D4s_v5, westeurope; USD")
    print(f"{'group':>8} {'2018-08':>12} {'2023-10':>12} {'difference':>11} {'change':>8} {'hours starting':>15}")
    for group in ("agents", "servers"):
        before, after = (found[policy].estimate("cost.compute", group).mean for policy in POLICIES)
        starting_h = found["2018-08"].estimate("hours.starting", group).mean
        print(
            f"{group:>8} {before:>12,.2f} {after:>12,.2f} {after - before:>11,.2f} {after / before - 1:>8.3%} {starting_h:>15,.2f}"
        )
    print(f"Expected for agents: {STARTING_S:.1f} s of Starting per {LIFETIME_S:.0f} s of lifetime, {GROWTH:.2%}")
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
