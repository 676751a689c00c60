"""Spot prices that change from month to month: factors on the price list's spot price, by calendar month (UTC)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from sim.billing.hours import Hourly
from sim.billing.money import exact_price


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotSteps:
    """One factor for each calendar month from the month of `start` (the instant of t = 0); the last one goes on."""

    start: datetime
    factors: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.factors:
            raise ValueError("spot price steps need at least one factor")

    def hourly(self, price_usd_per_h: float, hours: int) -> Hourly:
        """The price in each clock hour from that of t = 0: that of the month in which the hour begins. USD per hour.

        >>> SpotSteps(start=datetime(2026, 1, 31, 22, tzinfo=UTC), factors=(1.0, 0.5)).hourly(0.2, 4).tolist()
        [0.2, 0.2, 0.1, 0.1]
        """
        start = self.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)  # hours are clock hours
        # Prices and factors are decimals, and so is their product.
        prices = [float(exact_price(price_usd_per_h) * exact_price(factor)) for factor in self.factors]
        found = np.full(hours, prices[-1])
        begun = 0
        month = start.year * 12 + start.month - 1
        for number, price in enumerate(prices[:-1], start=1):
            year, place = divmod(month + number, 12)
            left = datetime(year, place + 1, 1, tzinfo=UTC) - start
            # The first clock hour that begins in the next month, or at its very beginning.
            ended = min(hours, -(-left // timedelta(hours=1)))
            found[begun:ended] = price
            begun = ended
            if ended == hours:
                break
        return found
