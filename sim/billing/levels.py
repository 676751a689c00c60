"""How many VMs there are at each instant: a unit of a capacity reservation, and the room of a host, hold VMs one at a time.

Reservations and savings plans pool within the clock hour, so hours are enough for them; these two don't: twenty VMs of a
quarter of an hour each, all at once, fill ten units for that quarter and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Longs
from sim.usage.ledger import TICKS_PER_HOUR

Hourly = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The number of VMs from each tick to the next, the last one to the end; ticks from the clock hour of t = 0."""

    ticks: Longs
    number: Longs
    end: int

    @classmethod
    def of(cls, start: Longs, end: Longs, window: tuple[int, int]) -> Level:
        """From stretches of VMs inside a window."""
        ticks, place = np.unique(np.concatenate([start, end]), return_inverse=True)
        change = np.bincount(place[: len(start)], minlength=len(ticks)) - np.bincount(
            place[len(start) :], minlength=len(ticks)
        )
        if not len(ticks) or ticks[0] > window[0]:
            ticks, change = np.concatenate([[window[0]], ticks]), np.concatenate([[0], change])
        return cls(ticks=ticks.astype(np.int64), number=np.cumsum(change).astype(np.int64), end=window[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Instants:
    """Several levels on one set of instants: how long each lasts, and the clock hour that it is in."""

    hour: Longs
    long: Longs  # ticks
    levels: tuple[Hourly, ...]  # of each group
    hours: int

    @classmethod
    def of(cls, levels: Sequence[Level], hours: int) -> Instants:
        """Between two instants nothing changes, and no clock hour begins."""
        begin, end = int(levels[0].ticks[0]), levels[0].end
        full = np.arange(begin // TICKS_PER_HOUR + 1, -(-end // TICKS_PER_HOUR), dtype=np.int64) * TICKS_PER_HOUR
        edges = np.unique(np.concatenate([*(level.ticks for level in levels), full]))
        edges = edges[edges < end]
        number = tuple(
            level.number[np.searchsorted(level.ticks, edges, side="right") - 1].astype(np.float64) for level in levels
        )
        return cls(hour=edges // TICKS_PER_HOUR, long=np.diff(np.append(edges, end)), levels=number, hours=hours)

    def hourly(self, number: Hourly) -> Hourly:
        """VM hours in each clock hour."""
        ticks = np.bincount(self.hour, weights=number * self.long, minlength=self.hours)
        return np.asarray(ticks[: self.hours] / TICKS_PER_HOUR)
