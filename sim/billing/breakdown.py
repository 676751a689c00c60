"""A bill's lines by resource and day: by group where only ledgers are known, by VM where stays are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.billing.calendar_months import SHARED
from sim.billing.hours import Hourly
from sim.billing.meters import COVERED, EXISTING, LEFT, LICENSED, ORPHANED, PRICED
from sim.billing.rating import Rating
from sim.billing.shares import HourlyShare, share_of
from sim.billing.stays import Stays, Stretches, times_by_kind
from sim.lifecycle.policy import BillingPolicy
from sim.units import SECONDS_PER_HOUR
from sim.usage.ledger import TICKS_PER_HOUR, into_clock_hour_s, to_ticks

Weights = NDArray[np.float64]  # hours, shape (resources, days)


@dataclass(frozen=True, kw_only=True)
class Days:
    """The UTC days that a window touches; day 0 is the one of t = 0."""

    start: datetime
    hours: int
    first_hour: int = 0  # that is billed at all: rows don't begin before it

    @classmethod
    def of(cls, rating: Rating, start: datetime) -> "Days":
        """The days of a bill."""
        billed = np.flatnonzero(rating.window > 0.0)
        return cls(start=start, hours=len(rating.window), first_hour=int(billed[0]) if len(billed) else 0)

    @property
    def midnight(self) -> datetime:
        """The beginning of day 0."""
        return self.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def clock(self) -> datetime:
        """The beginning of the clock hour of t = 0: hours are counted from there."""
        return self.start - timedelta(seconds=into_clock_hour_s(self.start))

    @property
    def offset_s(self) -> float:
        """How far into day 0 the clock starts."""
        return (self.start - self.midnight).total_seconds()

    @cached_property
    def of_hours(self) -> NDArray[np.int64]:
        """The day in which each clock hour begins."""
        begins = (self.clock - self.midnight).total_seconds() + np.arange(self.hours) * SECONDS_PER_HOUR
        return np.asarray((begins // (24 * SECONDS_PER_HOUR)).astype(np.int64))

    @property
    def count(self) -> int:
        """Days in all."""
        return int(self.of_hours[-1]) + 1 if self.hours else 1

    def begin(self, day: int) -> datetime:
        """Midnight at which a day begins."""
        return self.midnight + timedelta(days=day)

    def period(self, day: int) -> tuple[datetime, datetime]:
        """The whole clock hours of a day that are billed: the first and the last day may be cut."""
        begin, end = self.begin(day), self.begin(day + 1)
        begin = max(begin, (self.clock + timedelta(hours=self.first_hour)).astimezone(UTC))
        return begin, max(begin, min(end, (self.clock + timedelta(hours=self.hours)).astimezone(UTC)))

    def sums(self, hourly: Hourly) -> NDArray[np.float64]:
        """Per day."""
        return np.asarray(np.bincount(self.of_hours, weights=hourly, minlength=self.count), dtype=np.float64)


class Breakdown(Protocol):
    """The hours of a group by resource and day."""

    @property
    def days(self) -> Days:
        """The days of the window."""
        ...

    def weights(self, group: int, what: str) -> tuple[Sequence[str], Weights]:
        """Names of the group's resources, and their hours of one kind on each day."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupBreakdown:
    """One resource a group: all that a ledger can tell."""

    rating: Rating
    days: Days

    def weights(self, group: int, what: str) -> tuple[Sequence[str], Weights]:
        own = self.rating.hours[group]
        return [own.group.name], self.days.sums(_hourly(self.rating, group, what))[np.newaxis, :]


@dataclass(frozen=True, slots=True, kw_only=True)
class VmBreakdown:
    """One resource a VM, from its stays; one that was deleted and created again is the same resource."""

    rating: Rating
    days: Days
    stays: Stays
    policy: BillingPolicy
    window: tuple[int, int]  # ticks
    rounding: str = "exact"

    def weights(self, group: int, what: str) -> tuple[Sequence[str], Weights]:
        members = np.flatnonzero(self.stays.group_of == group)
        place: dict[str, int] = {}
        row_of = np.full(len(self.stays.vms), -1, dtype=np.int64)
        row_of[members] = [place.setdefault(self.stays.vms[member], len(place)) for member in members.tolist()]
        billed = self.rating.hours[group].billed.hourly
        paid = np.ones_like(billed)
        if _is_billed(what):
            paid = share_of(_hourly(self.rating, group, what), billed)
        elif SHARED in what:
            paid = (self.rating.months == int(what.partition(SHARED)[2])).astype(np.float64)
        kind = "billed" if _is_billed(what) else what.partition(SHARED)[0]
        share = HourlyShare.of([paid])
        into_hour = to_ticks(into_clock_hour_s(self.days.start))
        found = np.zeros((len(place), self.days.count))
        for part in self.stays.parts():
            time = times_by_kind(self.stays, part, self.policy, self.window, self.rounding)[kind]
            own = self.stays.group_of[time.vm] == group
            pieces, day = self._by_day(Stretches(vm=time.vm[own], start=time.start[own], end=time.end[own]))
            hours = share.hours(np.zeros_like(pieces.vm), pieces.start + into_hour, pieces.end + into_hour)
            cell = row_of[pieces.vm] * self.days.count + day
            found += np.bincount(cell, weights=hours, minlength=found.size).reshape(found.shape)
        return list(place), found

    def _by_day(self, time: Stretches) -> tuple[Stretches, NDArray[np.int64]]:
        """Stretches cut at midnight, and the day of each piece."""
        long, shift = 24 * TICKS_PER_HOUR, to_ticks(self.days.offset_s)
        first = (time.start + shift) // long
        # floor-minute may leave a stretch of no length: it is one piece of no length.
        pieces = np.maximum((time.end + shift - 1) // long, first) - first + 1
        row = np.repeat(np.arange(len(pieces)), pieces)
        day = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        start = np.maximum(time.start[row], day * long - shift)
        end = np.minimum(time.end[row], (day + 1) * long - shift)
        return Stretches(vm=time.vm[row], start=start, end=end), day


def _is_billed(what: str) -> bool:
    return what == LEFT or what.startswith((COVERED, PRICED))


def _hourly(rating: Rating, group: int, what: str) -> Hourly:
    own = rating.hours[group]
    demand = rating.allocation.demands.get(own.group.name)
    if demand is not None and what.startswith(COVERED):
        return demand.covered[what.removeprefix(COVERED)]
    if what.startswith(PRICED):
        at_price = rating.stepped[own.group.name] == float(what.removeprefix(PRICED))
        return np.asarray(own.billed.hourly * at_price, dtype=np.float64)
    if what == LEFT:
        return own.billed.hourly if demand is None else demand.left
    kind, _, length = what.partition(SHARED)
    hourly = {LICENSED: own.licensed, EXISTING: own.existing, ORPHANED: own.orphaned}[kind].hourly
    return np.asarray(hourly * (rating.months == int(length)), dtype=np.float64) if length else hourly
