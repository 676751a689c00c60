"""Spot prices that change from month to month: factors on the price list's spot price, by calendar month (UTC)."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from sim.billing.calendar_months import month_numbers
from sim.billing.hours import Hourly
from sim.billing.money import exact_price


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotSteps:
    """One factor for each calendar month from the month of `start` (the instant of t = 0); the last one goes on."""

    start: datetime
    factors: tuple[float, ...]

    def hourly(self, price_usd_per_h: float, hours: int) -> Hourly:
        """The price in each clock hour from that of t = 0: that of the month in which the hour begins. USD per hour.

        >>> from datetime import UTC
        >>> SpotSteps(start=datetime(2026, 1, 31, 22, tzinfo=UTC), factors=(1.0, 0.5)).hourly(0.2, 4).tolist()
        [0.2, 0.2, 0.1, 0.1]
        """
        # Prices and factors are decimals, and so is their product.
        prices = [float(exact_price(price_usd_per_h) * exact_price(factor)) for factor in self.factors]
        months = month_numbers(self.start, hours).astype(np.int64)
        return np.asarray(np.array(prices)[np.minimum(months - months[:1], len(prices) - 1)])
