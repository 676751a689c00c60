"""How many reservations are worth having: the newsvendor's quantile of hourly use.

One more reservation costs its price in every hour and saves the pay-as-you-go price in the hours that would use it. So cost
against quantity is convex, and the best quantity is the largest that is used in at least reserved / pay-as-you-go of the
hours: the (1 - reserved / payg) quantile of hourly use (Nahmias, *Production and Operations Analysis*, ch. 5).
"""

import numpy as np

from sim.billing.hours import Hourly


def best_quantity(use: Hourly, reserved_usd_per_h: float, payg_usd_per_h: float) -> float:
    """The quantity whose cost is least for this use (VM hours in each clock hour); 0 if reserving never pays.

    >>> best_quantity(np.array([0.0, 2.0, 4.0, 4.0]), 0.6, 1.0)
    2.0
    """
    if reserved_usd_per_h >= payg_usd_per_h or not len(use):
        return 0.0
    ordered = np.sort(use)[::-1]
    # The smallest number of hours that makes a reservation pay; a tie costs the same either way.
    hours = max(1, int(np.ceil(len(use) * reserved_usd_per_h / payg_usd_per_h - 1e-9)))
    return float(ordered[hours - 1])
