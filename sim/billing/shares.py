"""Whose hours those were: a group's lines shared out to its VMs and days.

A commitment covers the same share of every VM hour of a group in one clock hour. So what a VM pays over a stretch is the
integral of a function that is constant within each clock hour, and needs two look-ups a stretch, not one an hour.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.billing.hours import Hourly
from sim.usage.ledger import TICKS_PER_HOUR


@dataclass(frozen=True, slots=True)
class HourlyShare:
    """A share of each VM hour of each group, constant in each clock hour; integrates over ticks."""

    share: NDArray[np.float64]  # (groups, hours)
    before: NDArray[np.float64]  # hours of it before each clock hour, (groups, hours)

    @classmethod
    def of(cls, rows: list[Hourly]) -> "HourlyShare":
        """From one row of shares a group."""
        # One hour more, so that the end of the window has a clock hour to lie in.
        share = np.array([np.append(row, 0.0) for row in rows])
        before = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(share, axis=1)[:, :-1]], axis=1)
        return cls(share, before)

    def hours(self, group: NDArray[np.int32], start: NDArray[np.int64], end: NDArray[np.int64]) -> Hourly:
        """VM hours of this share in each stretch from *start* to *end*."""
        return self._upto(group, end) - self._upto(group, start)

    def _upto(self, group: NDArray[np.int32], ticks: NDArray[np.int64]) -> Hourly:
        hour, rest = np.divmod(ticks, TICKS_PER_HOUR)
        cell = group * self.share.shape[1] + hour
        return np.asarray(self.before.ravel()[cell] + self.share.ravel()[cell] * (rest / TICKS_PER_HOUR))


def share_of(part: Hourly, whole: Hourly) -> Hourly:
    """Part over whole where there is any, else 0."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0.0)
