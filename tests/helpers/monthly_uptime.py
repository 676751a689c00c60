"""Monthly uptime of one deployment, interval by interval: the plain rule that `sim.billing.uptime` says with arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sim.billing.sla import SERVICE_LEVELS, Deployment


def service_credit(deployment: Deployment, uptime: float) -> float:
    """The share of the month's fee that an uptime is worth as a credit."""
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
