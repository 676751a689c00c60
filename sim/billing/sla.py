"""Service level: monthly uptime of a deployment, and the service credit that too little of it is worth.

Sources: SLA for Virtual Machines v1.8 (2018-03), later rows from secondary texts; on-demand capacity reservations SLA v1.0
(2022-03). A credit is a share of that month's fee of the affected resources, and must be claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType


class Deployment(StrEnum):
    """How VMs are deployed, as far as the SLA depends on it."""

    ZONES = "zones"  # two or more VMs over two or more zones
    AVAILABILITY_SET = "availability-set"  # two or more VMs in one set
    SINGLE_PREMIUM = "single-premium"  # all disks Premium SSD or Ultra
    SINGLE_STANDARD_SSD = "single-standard-ssd"
    SINGLE_STANDARD_HDD = "single-standard-hdd"
    CAPACITY_RESERVATION = "capacity-reservation"
    SPOT = "spot"  # no SLA


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """The SLA of one kind of deployment, and the credits for missing it."""

    uptime: float | None  # monthly uptime, a fraction; None: no SLA
    credits: tuple[tuple[float, float], ...] = ()  # (uptime below, credit), both fractions, largest uptime first
    source: str


_V18 = "SLA for Virtual Machines v1.8, 2018-03"
_SECONDARY = "secondary texts, 2022-2025; not confirmed in an official text"

SERVICE_LEVELS: Mapping[Deployment, ServiceLevel] = MappingProxyType(
    {
        Deployment.ZONES: ServiceLevel(
            uptime=0.9999, credits=((0.9999, 0.10), (0.99, 0.25), (0.95, 1.0)), source=f"{_V18}; credits: {_SECONDARY}"
        ),
        Deployment.AVAILABILITY_SET: ServiceLevel(
            uptime=0.9995, credits=((0.9995, 0.10), (0.99, 0.25), (0.95, 1.0)), source=f"{_V18}; credits: {_SECONDARY}"
        ),
        Deployment.SINGLE_PREMIUM: ServiceLevel(
            uptime=0.999, credits=((0.999, 0.10), (0.99, 0.25), (0.95, 1.0)), source=f"{_V18}; credits: {_SECONDARY}"
        ),
        Deployment.SINGLE_STANDARD_SSD: ServiceLevel(
            uptime=0.995, credits=((0.995, 0.10), (0.95, 0.25), (0.90, 1.0)), source=_SECONDARY
        ),
        Deployment.SINGLE_STANDARD_HDD: ServiceLevel(
            uptime=0.95, credits=((0.95, 0.10), (0.92, 0.25), (0.90, 1.0)), source=_SECONDARY
        ),
        Deployment.CAPACITY_RESERVATION: ServiceLevel(
            uptime=0.999, credits=((0.999, 0.10),), source="on-demand capacity reservations SLA v1.0, 2022-03"
        ),
        Deployment.SPOT: ServiceLevel(uptime=None, source="spot-vms.md, 2024-08-05"),
    }
)


def deployment_of(
    disks: Sequence[str], *, vms: int = 1, zones: int = 0, availability_set: bool = False, priority: str = "regular"
) -> Deployment:
    """Which SLA holds: the strongest one that the deployment fulfils; a single VM goes by its slowest disk.

    >>> deployment_of(["P10", "S30"])
    <Deployment.SINGLE_STANDARD_HDD: 'single-standard-hdd'>
    """
    if priority == "spot":
        return Deployment.SPOT
    if vms >= 2 and zones >= 2:
        return Deployment.ZONES
    if vms >= 2 and availability_set:
        return Deployment.AVAILABILITY_SET
    kinds = {disk.strip()[:1].upper() for disk in disks}
    if "S" in kinds:
        return Deployment.SINGLE_STANDARD_HDD
    return Deployment.SINGLE_STANDARD_SSD if "E" in kinds else Deployment.SINGLE_PREMIUM


def service_credit(deployment: Deployment, uptime: float) -> float:
    """The share of the month's fee that an uptime is worth as a credit.

    >>> service_credit(Deployment.ZONES, 0.985)
    0.25
    """
    return max((credit for below, credit in SERVICE_LEVELS[deployment].credits if uptime < below), default=0.0)


Interval = tuple[float, float]  # seconds from the start, end excluded


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyUptime:
    """One deployment in one calendar month (UTC)."""

    month: str  # "2026-01"
    deployment: Deployment
    deployed_min: float  # at least one member existed and wasn't stopped by its user
    down_min: float  # of these, no such member was reachable

    @property
    def uptime(self) -> float:
        """Fraction of the deployed minutes; 1 in a month without any."""
        return 1.0 - self.down_min / self.deployed_min if self.deployed_min > 0.0 else 1.0

    @property
    def credit(self) -> float:
        """Share of the month's fee."""
        return service_credit(self.deployment, self.uptime)


def monthly_uptime(
    deployment: Deployment,
    start: datetime,
    deployed: Mapping[str, Sequence[Interval]],
    down: Mapping[str, Sequence[Interval]],
) -> list[MonthlyUptime]:
    """Uptime of one deployment month by month.

    *deployed* is when each VM should be reachable (not while its user has it stopped), *down* when the platform failed
    it. A deployment of several VMs is down only while none of those that should be reachable is.
    """
    found: dict[str, list[float]] = {}
    for begin, end, should, failed in _levels(deployed, down):
        if should == 0:
            continue
        for month, seconds in _by_month(start, begin, end):
            minutes = found.setdefault(month, [0.0, 0.0])
            minutes[0] += seconds / 60.0
            minutes[1] += seconds / 60.0 if failed >= should else 0.0
    return [
        MonthlyUptime(month=month, deployment=deployment, deployed_min=minutes[0], down_min=minutes[1])
        for month, minutes in sorted(found.items())
    ]


def _levels(
    deployed: Mapping[str, Sequence[Interval]], down: Mapping[str, Sequence[Interval]]
) -> Iterable[tuple[float, float, int, int]]:
    """Spans of time with how many VMs should be reachable and how many of these are down."""
    changes: list[tuple[float, int, int]] = []
    for vm, spans in deployed.items():
        for begin, end in spans:
            changes += [(begin, 1, 0), (end, -1, 0)]
            for down_from, down_to in down.get(vm, ()):
                # Down while the user has it stopped is no downtime.
                if max(begin, down_from) < min(end, down_to):
                    changes += [(max(begin, down_from), 0, 1), (min(end, down_to), 0, -1)]
    should = failed = 0
    before = 0.0
    for at, more_should, more_failed in sorted(changes):
        if at > before:
            yield before, at, should, failed
        should, failed, before = should + more_should, failed + more_failed, at


def _by_month(start: datetime, begin_s: float, end_s: float) -> Iterable[tuple[str, float]]:
    """A span cut at the calendar months (UTC): (month, seconds)."""
    at, end = (start.astimezone(UTC) + timedelta(seconds=s) for s in (begin_s, end_s))
    while at < end:
        following = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
        upto = min(end, following)
        yield f"{at:%Y-%m}", (upto - at).total_seconds()
        at = upto
