"""Hours that were simulated, by meter and day, at list prices: the other side of what was invoiced."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from sim.arrays import Floats
from sim.billing.calendar_months import hours_of_month
from sim.billing.disks import month_price, parse_disk
from sim.billing.hours import RatedHours
from sim.catalog.catalogue import Catalogue
from sim.studies.invoiced_meters import MeterKey, Series, compute_name, linux_price

HOURS = 24  # of a day


@dataclass(frozen=True, slots=True)
class Period:
    """The days that are compared, in a simulation that begins *before* days earlier, at a list's prices."""

    catalogue: Catalogue
    first: date
    before: int
    days: int

    def by_day(self, hourly: Floats) -> Floats:
        """Hours of each day, from hours of each clock hour of the simulation."""
        inside = np.zeros(HOURS * self.days)
        part = hourly[HOURS * self.before : HOURS * (self.before + self.days)]
        inside[: len(part)] = part
        return np.asarray(inside.reshape(self.days, HOURS).sum(axis=1))

    def month_hours(self) -> Floats:
        """For each day the hours of its calendar month."""
        days = (datetime.combine(self.first + timedelta(days=n), time(), UTC) for n in range(self.days))
        return np.array([hours_of_month(day) for day in days], dtype=np.float64)


def by_meter(hours: Sequence[RatedHours], period: Period) -> dict[MeterKey, Series]:
    """Hours of groups by meter and day, at list."""
    found: dict[MeterKey, Series] = {}
    for own in hours:
        for kind, meter, unit, quantity, price in _meters(own, period):
            series = found.setdefault(MeterKey(kind, meter, own.group.region, unit), Series.zeros(period.days))
            series.quantity += quantity
            series.value += quantity * price
    return found


def _meters(own: RatedHours, period: Period) -> Iterator[tuple[str, str, str, Floats, float]]:
    """Kind, name, unit, quantity by day and price of each meter of a group."""
    group, catalogue, by_day = own.group, period.catalogue, period.by_day
    if group.size:
        price = linux_price(catalogue, group.size, group.region, group.priority)
        yield "compute", compute_name(group.size, group.priority), "VM hour", by_day(own.billed.hourly), price
    if group.size and group.is_licensed:
        licence = catalogue.licence_per_h(group.size, group.region, priority=group.priority)
        yield "license", f"license.windows.{group.size}", "VM hour", by_day(own.licensed.hourly), licence
    existing = by_day(own.existing.hourly) + by_day(own.orphaned.hourly)
    for disk in group.disks:
        tier, price = catalogue.disk(parse_disk(disk), group.region).tier, month_price(catalogue, disk, group.region)
        yield "disk", f"disk.{tier}", "disk month", existing / period.month_hours(), price
    if group.public_ip:
        price = catalogue.public_ip_per_h(group.region)
        yield "ip", "network.public_ip", "address hour", by_day(own.existing.hourly), price
