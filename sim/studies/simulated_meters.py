"""Hours that were simulated, by meter and day, at list prices: the other side of what was invoiced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from sim.billing.calendar_months import hours_of_month
from sim.billing.disks import month_price, parse_disk
from sim.billing.hours import RatedHours
from sim.catalog.catalogue import Catalogue
from sim.studies.invoiced_meters import Floats, MeterKey, Series, compute_name, linux_price

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

    def add(key: MeterKey, quantity: Floats, price: float) -> None:
        series = found.setdefault(key, Series.zeros(period.days))
        series.quantity += quantity
        series.value += quantity * price

    for own in hours:
        _add_group(own, period, add)
    return found


def _add_group(own: RatedHours, period: Period, add: Callable[[MeterKey, Floats, float], None]) -> None:
    group, catalogue, by_day = own.group, period.catalogue, period.by_day
    if group.size:
        price = linux_price(catalogue, group.size, group.region, group.priority)
        add(
            MeterKey("compute", compute_name(group.size, group.priority), group.region, "VM hour"),
            by_day(own.billed.hourly),
            price,
        )
    if group.size and group.is_licensed:
        licence = catalogue.licence_per_h(group.size, group.region, priority=group.priority)
        add(
            MeterKey("license", f"license.windows.{group.size}", group.region, "VM hour"),
            by_day(own.licensed.hourly),
            licence,
        )
    existing = by_day(own.existing.hourly) + by_day(own.orphaned.hourly)
    for disk in group.disks:
        tier = catalogue.disk(parse_disk(disk), group.region).tier
        add(
            MeterKey("disk", f"disk.{tier}", group.region, "disk month"),
            existing / period.month_hours(),
            month_price(catalogue, disk, group.region),
        )
    if group.public_ip:
        add(
            MeterKey("ip", "network.public_ip", group.region, "address hour"),
            by_day(own.existing.hourly),
            catalogue.public_ip_per_h(group.region),
        )
