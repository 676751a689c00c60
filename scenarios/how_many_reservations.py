"""A fleet that breathes with the day: how many machines are worth reserving for a year?

Covers: reservations applied per clock hour and fleet-wide, the search for the best quantity, its interval, the newsvendor.
Question: what does the bill come to with each number of reservations, and which number is the cheapest?
Expect: cost falls, then rises, convex. One more reservation pays as long as it is used in more than reserved / pay as you go
    (0.136 / 0.230 = 59 %) of the hours: the cheapest number is the 41 % quantile of the machines running in an hour, neither
    their mean nor their peak.
"""

import sys
from pathlib import Path

from sim import Purchase, best_commitment

SCENARIO = Path(__file__).with_suffix(".toml")
SHOWN = range(0, 61, 5)  # reservations


def main(replications: int | None = None) -> Purchase:
    """Rate the same hours with many quantities, and print cost against quantity."""
    found = best_commitment(SCENARIO, "ri", show=SHOWN, replications=replications)
    print("Two weeks of a web shop, Standard_D4s_v5, westeurope, reserved for one year; USD (95 % interval)")
    print(f"{'reserved':>9} {'mean bill':>12} {'interval':>26}")
    for quantity in sorted({*SHOWN, found.best}):
        bill = found.intervals[quantity]
        mark = "  <- least" if quantity == found.best else ""
        print(f"{quantity:>9.0f} {bill.mean:>12,.2f} {f'{bill.low:,.2f} .. {bill.high:,.2f}':>26}{mark}")
    print(f"{found.words}; the newsvendor's quantile is {found.newsvendor:.2f}")
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
