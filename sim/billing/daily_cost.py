"""What each day (UTC) of a bill costs, by group and kind of meter: its lines shared out by their hours, nothing lost."""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from sim.billing.breakdown import Days, GroupBreakdown
from sim.billing.money import MOST_NANO, NANO_PER_USD, split
from sim.billing.rating import Rating

FLEET_COST = "fleet"  # the group of what belongs to no group and to no commitment


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCost:
    """Amounts by day: row i belongs to `keys[i]`, a group (or a commitment's name) and a kind of meter."""

    first_day: date
    keys: tuple[tuple[str, str], ...]
    amounts: NDArray[np.float64]  # shape (keys, days)

    def by_month(self) -> dict[str, list[float]]:
        """What each key costs in each calendar month ("2026-01"), in order."""
        names = [f"{self.first_day + timedelta(days=day):%Y-%m}" for day in range(self.amounts.shape[1])]
        own = {name: [day for day, of in enumerate(names) if of == name] for name in dict.fromkeys(names)}
        return {name: [math.fsum(row) for row in self.amounts[:, days].tolist()] for name, days in own.items()}


NO_COST = DailyCost(first_day=date(1970, 1, 1), keys=(), amounts=np.zeros((0, 0)))


def cost_by_day(rating: Rating, start: datetime) -> DailyCost:
    """The bill day by day; *start* is the instant of t = 0. Days before the end of the warm-up are left out."""
    days = Days.of(rating, start)
    breakdown = GroupBreakdown(rating=rating, days=days)
    place = {own.group.name: number for number, own in enumerate(rating.hours)}
    found: dict[tuple[str, str], NDArray[np.float64]] = {}
    for line in rating.bill.lines:
        if line.amount_nano == 0:
            continue
        if line.group in place:
            group, weights = line.group, breakdown.weights(place[line.group], line.counts)[1][0]
        else:
            group, weights = _of_the_fleet(rating, days, line.meter)
        if not weights.any():
            weights = days.sums(rating.window)
        sums = found.setdefault((group, line.kind), np.zeros(days.count))
        if abs(line.amount_nano) > MOST_NANO:
            sums += line.amount * weights / weights.sum()
        else:
            sums += split(line.amount_nano, weights) / NANO_PER_USD
    first = int(days.of_hours[days.first_hour]) if days.hours else 0
    amounts = np.array(list(found.values())).reshape(len(found), days.count)[:, first:]
    return DailyCost(first_day=days.begin(first).date(), keys=tuple(found), amounts=amounts)


def _of_the_fleet(rating: Rating, days: Days, meter: str) -> tuple[str, NDArray[np.float64]]:
    """The commitment that a line belongs to, and what it bought, or left empty, on each day."""
    for units in rating.allocation.empty_units:
        if meter.startswith(f"commitment.{units.name}."):
            return units.name, days.sums(units.left)
    for use in rating.allocation.commitments:
        if meter.startswith(f"commitment.{use.commitment.name}."):
            return use.commitment.name, days.sums(use.bought)
    return FLEET_COST, days.sums(rating.window)
