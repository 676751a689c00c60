"""A rollout in which some guests never report back: what do the failed VMs cost before anyone reacts?

Covers: OS provisioning from a generalized image, `OSProvisioningTimedOut`, a failed VM that is Running and billed,
    the reaction time until it is deleted and created again, wasted hours.
Question: of a rollout of 1,000 VMs, how many fail, and how many billed hours are wasted on them?
Expect: about 2 % of creates fail. Each failed VM is billed for the 20 minutes of the time-out and for the reaction
    (lognormal, median 2 h, sigma 1, mean 3.30 h), during which it is of no use.
"""

import math
from pathlib import Path

from sim import load, run

SCENARIO = Path(__file__).with_suffix(".toml")
VMS = 1000
FAILING = 0.02
TIMEOUT_H = 20 / 60
REACTION_H = 2.0 * math.exp(1.0**2 / 2)
FAILURES = VMS * FAILING / (1 - FAILING)  # a VM that is created again may fail again
WASTED_H = FAILURES * (TIMEOUT_H + REACTION_H)  # besides the OS provisioning that succeeds


def main(replications: int | None = None) -> dict[str, float]:
    """Simulate the rollout, and print expected and simulated values."""
    result = run(load(SCENARIO), replications=replications)
    without = run(load(SCENARIO, ["group.rollout.failures.OSProvisioningTimedOut=0"]), replications=replications)
    failures = result.estimate("failures.OSProvisioningTimedOut")
    wasted_h = result.estimate("wasted_hours").mean - without.estimate("wasted_hours").mean
    usd = result.estimate("cost.compute").mean - without.estimate("cost.compute").mean
    print(f"{VMS} VMs, {result.n} replications, 48 h")
    print(f"failed creates: {failures.mean:.1f} ({failures.low:.1f} .. {failures.high:.1f}), expected {FAILURES:.1f}")
    print(f"wasted: {wasted_h:.1f} billed hours more than without failures, expected about {WASTED_H:.1f} h")
    print(f"compute cost compared with a rollout without failures: {usd:+,.2f} USD")
    return {"failures": failures.mean, "wasted_h": wasted_h}


if __name__ == "__main__":
    main()
