"""One VM, one day, every duration constant: a bill that can be worked out by hand.

Covers: create, a schedule, deallocate and start, hours by state, the policy `2018-08` compared with `2023-10`.
Question: how many hours of the day are billed, and what do they cost?
Expect: the VM is created at midnight (10 s allocating, 50 s starting), runs, and is deallocated at once because it is not wanted
    before 08:00 (60 s deallocating). At 08:00 it is started (10 s allocating, 50 s starting), runs until 18:00, and is
    deallocated. So it runs for 10 h less 60 s, which `2018-08` bills; `2023-10` also bills 50 s of Starting, twice.
"""

from pathlib import Path

from sim import load, run

SCENARIO = Path(__file__).with_suffix(".toml")
PRICE_USD_PER_H = 0.23  # Standard_D4s_v5, Linux, westeurope, pay as you go
RUNNING_H = 10 - 60 / 3600
STARTING_H = 2 * 50 / 3600
BY_HAND = {"2018-08": RUNNING_H, "2023-10": RUNNING_H + STARTING_H}  # billed hours


def main() -> dict[str, float]:
    """Simulate the day under both billing policies and compare with the result worked out by hand."""
    found = {}
    for policy, by_hand_h in BY_HAND.items():
        result = run(load(SCENARIO, [f"billing_policy={policy}"]))
        found[policy] = result.estimate("billed_hours").mean
        print(
            f"{policy}: billed {found[policy]:.6f} h, {result.estimate('cost.compute').mean:.6f} USD; "
            f"by hand {by_hand_h:.6f} h, {by_hand_h * PRICE_USD_PER_H:.6f} USD"
        )
    for state in ("creating", "starting", "running", "deallocating", "deallocated"):
        print(f"{state:>13} {result.estimate(f'hours.{state}').mean:>10.6f} h")
    return found


if __name__ == "__main__":
    main()
