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

from sim import Sweep, recommend, sweep

SCENARIO = Path(__file__).with_suffix(".toml")
QUANTITY = "commitment.ri.quantity"
SHOWN = range(0, 61, 5)  # reservations


def main(replications: int | None = None) -> tuple[Sweep, float]:
    """Find the best quantity, print the cost by quantity on the same random numbers, and the newsvendor quantile."""
    options = recommend(SCENARIO, replications=replications).options
    (best,) = next(each for each in options if each.name == "reservations, 1y").bought
    assert best.offer.newsvendor is not None  # None only where VMs of several prices could use it
    quantile, _ = best.offer.newsvendor
    found = sweep(SCENARIO, {QUANTITY: sorted({*SHOWN, int(best.amount)})}, replications=replications)
    print("Two weeks of a web shop, Standard_D4s_v5, westeurope, reserved for one year; USD (95 % interval)")
    print(f"{'reserved':>9} {'mean bill':>12} {'interval':>26}")
    for point, run in zip(found.points, found.runs, strict=True):
        quantity, bill = point.settings[QUANTITY], run.estimate("cost.total")
        mark = "  <- lowest" if quantity == best.amount else ""
        print(f"{quantity:>9} {bill.mean:>12,.2f} {f'{bill.low:,.2f} .. {bill.high:,.2f}':>26}{mark}")
    print(f"{best.low:g} to {best.high:g} can't be distinguished; the newsvendor quantile is {quantile:.2f}")
    return found, quantile


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
