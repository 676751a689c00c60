"""A fleet that grows and shrinks with the day: how many VMs should be reserved for a year?

Covers: reservations applied per clock hour over the whole fleet, the search for the best quantity, its interval, the newsvendor
    formula.
Question: what is the bill for each number of reservations, and which number is the cheapest?
Expect: the cost falls, then rises, convex. One more reservation pays off if it is used in more than reserved price / pay-as-you-go
    price (0.136 / 0.230 = 59 %) of the hours: the cheapest number is the 41 % quantile of the VMs running in an hour, not
    their mean or their peak.
"""

import sys
from pathlib import Path

from sim import Purchase, best_commitment

SCENARIO = Path(__file__).with_suffix(".toml")
SHOWN = range(0, 61, 5)  # reservations


def main(replications: int | None = None) -> Purchase:
    """Rate the same hours with each quantity, and print the cost by quantity."""
    found = best_commitment(SCENARIO, "ri", show=SHOWN, replications=replications)
    print("Two weeks of a web shop, Standard_D4s_v5, westeurope, reserved for one year; USD (95 % interval)")
    print(f"{'reserved':>9} {'mean bill':>12} {'interval':>26}")
    for quantity in sorted({*SHOWN, found.best}):
        bill = found.intervals[quantity]
        mark = "  <- lowest" if quantity == found.best else ""
        print(f"{quantity:>9.0f} {bill.mean:>12,.2f} {f'{bill.low:,.2f} .. {bill.high:,.2f}':>26}{mark}")
    print(f"{found.words}; the newsvendor quantile is {found.newsvendor:.2f}")
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
