"""A reservation saves more, a savings plan is more flexible: which is cheaper, and when?

Covers: reservations bound to a size, savings plans spent on whatever runs, both per clock hour, the unused part of each.
Question: three years committed, for twenty VMs always on, and for work that moves from D4s by day to E4s by night.
Expect: always on, the reservation is cheaper (63 % discount against 45 %). Where the work moves, the reservation is idle for half of
    the hours: it costs 37 % of the list price for 24 hours to cover 12, which is 74 %; the plan stays at 47 to 55 %.
"""

import sys
from pathlib import Path

from sim import RunResult, from_dict, load, run

SCENARIO = Path(__file__).with_suffix(".toml")
CASES = {"always on": ("steady",), "moving": ("day", "night")}  # the groups of each case
D4_PLAN_USD = 20 * 0.1265  # twenty D4s for an hour at the three-year plan's rate
RESERVATION = {"name": "ri", "kind": "reservation", "size": "Standard_D4s_v5", "quantity": 20, "term": "3y"}
PLAN = {"name": "plan", "kind": "savings-plan", "hourly": D4_PLAN_USD, "term": "3y"}
OFFERS = {"none": [], "reservation": [RESERVATION], "savings plan": [PLAN]}


def simulate(case: str, offer: str, replications: int | None = None) -> RunResult:
    """Four weeks of one case under one commitment."""
    document = load(SCENARIO).document
    groups = [group for group in document["group"] if group["name"] in CASES[case]]
    return run(from_dict({**document, "group": groups, "commitment": OFFERS[offer]}), replications=replications)


def main(replications: int | None = None) -> dict[tuple[str, str], RunResult]:
    """Try every commitment on both cases."""
    print("Twenty VMs, westeurope, four weeks, committed for three years; USD")
    print(f"{'work':>10} {'commitment':>13} {'pay as you go':>14} {'committed':>10} {'total':>10} {'utilisation':>11}")
    found = {}
    for case in CASES:
        for offer, bought in OFFERS.items():
            result = found[case, offer] = simulate(case, offer, replications)
            compute, committed, total = (
                result.estimate(f"cost.{kind}").mean for kind in ("compute", "commitment", "total")
            )
            names = [f"commitment.{each['name']}.used_fraction" for each in bought]
            used = [f"{result.estimate(name).mean:.1%}" for name in names]
            print(f"{case:>10} {offer:>13} {compute:>14,.2f} {committed:>10,.2f} {total:>10,.2f} {''.join(used):>11}")
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
