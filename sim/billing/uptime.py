"""A fleet's monthly uptime and service credits, from when its VMs should have been reachable and when they weren't.

Which SLA holds follows from how VMs are deployed: a group spread over zones and an availability set are one
deployment each, down only while none of its VMs that should be reachable is; any other VM is a deployment by itself.
A credit is a share of that month's fee: what the group's compute and licences cost (commitments at what they cost), shared
out by the time its VMs should have been reachable. Credits must be claimed, so no bill is lowered by them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Longs
from sim.billing.calendar_months import month_of
from sim.billing.meters import RatedGroup
from sim.billing.sla import SERVICE_LEVELS, Deployment, deployment_of
from sim.units import TICKS_PER_MINUTE, TICKS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoredGroup:
    """One group's VMs: row i says that VM `vm[i]` should be reachable from tick `start[i]` to `end[i]`, and whether it was."""

    group: RatedGroup
    zones: int = 0  # it is spread over
    availability_set: str = ""
    fee_usd: float = 0.0  # of the whole window
    vm: NDArray[np.int32]
    down: NDArray[np.bool_]
    start: Longs
    end: Longs


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptime:
    """One group that is its own deployment, one availability set, or all single VMs of a group, in one calendar month (UTC)."""

    month: str  # "2026-01"
    name: str  # of the group or the set
    deployment: Deployment
    deployments: int  # 1, or the number of single VMs
    deployed_min: float  # of all deployments
    down_min: float
    worst: float  # lowest uptime of any of them
    breaches: int  # how many of them missed the SLA
    credit_usd: Mapping[str, float]  # by group

    @property
    def uptime(self) -> float:
        """Fraction of the deployed minutes."""
        return 1.0 - self.down_min / self.deployed_min if self.deployed_min > 0.0 else 1.0


def fleet_uptime(fleet: Sequence[MonitoredGroup], start: datetime, window: tuple[int, int]) -> list[Uptime]:
    """Uptime and credits of every deployment, month by month; months in which nothing was deployed are left out."""
    months = list(_months(start, window))
    found: list[Uptime] = []
    for name, members in _together(fleet).items():
        vms = sum(len(np.unique(member.vm)) for member in members)
        first, own = members[0], members[0].group
        in_set = bool(first.availability_set)
        kind = deployment_of(own.disks, vms=vms, zones=first.zones, availability_set=in_set, priority=own.priority)
        if kind in (Deployment.ZONES, Deployment.AVAILABILITY_SET):
            found += _as_one(name, kind, members, months)
        else:
            for member in members:
                found += _one_by_one(member, kind, months)
    return sorted(found, key=lambda each: (each.month, each.name))


def _together(fleet: Sequence[MonitoredGroup]) -> dict[str, list[MonitoredGroup]]:
    """Groups that are one deployment: those that name the same availability set."""
    found: dict[str, list[MonitoredGroup]] = {}
    for watched in fleet:
        shares = watched.availability_set and watched.zones < 2 and watched.group.priority != "spot"
        found.setdefault(watched.availability_set if shares else watched.group.name, []).append(watched)
    return found


def _months(start: datetime, window: tuple[int, int]) -> Iterator[tuple[str, int, int]]:
    """The calendar months (UTC) that a window reaches into: (month, first tick, tick after the last)."""
    zero = start.astimezone(UTC)
    at = zero + timedelta(seconds=window[0] / TICKS_PER_SECOND)
    while True:
        at, following = month_of(at)
        begin, end = (round((edge - zero).total_seconds() * TICKS_PER_SECOND) for edge in (at, following))
        if begin >= window[1]:
            return
        yield f"{at:%Y-%m}", max(begin, window[0]), min(end, window[1])
        at = following


def _minutes(start: Longs, end: Longs, begin: int, until: int) -> Floats:
    """How much of each stretch lies in a month."""
    inside = np.minimum(end, until) - np.maximum(start, begin)
    return np.asarray(np.maximum(inside, 0) / TICKS_PER_MINUTE)


def _one_by_one(member: MonitoredGroup, kind: Deployment, months: Sequence[tuple[str, int, int]]) -> Iterator[Uptime]:
    names, vm = np.unique(member.vm, return_inverse=True)
    parts = [_minutes(member.start, member.end, begin, until) for _, begin, until in months]
    whole = sum(float(part.sum()) for part in parts)
    for (month, _, _), minutes in zip(months, parts, strict=True):
        deployed = np.bincount(vm, weights=minutes, minlength=len(names))
        down = np.bincount(vm, weights=minutes * member.down, minlength=len(names))
        there = deployed > 0.0
        if not there.any():
            continue
        deployed, down = deployed[there], down[there]
        name, uptime = member.group.name, 1.0 - down / deployed
        share, broken = _credits(kind, uptime)
        yield Uptime(
            month=month, name=name, deployment=kind, deployments=len(uptime), deployed_min=float(deployed.sum()),
            down_min=float(down.sum()), worst=float(uptime.min()), breaches=broken,
            credit_usd={name: member.fee_usd * float((share * deployed).sum()) / whole},
        )  # fmt: skip


def _as_one(
    name: str, kind: Deployment, members: Sequence[MonitoredGroup], months: Sequence[tuple[str, int, int]]
) -> Iterator[Uptime]:
    start, end, is_down = _levels(members)
    whole = {
        each.group.name: sum(float(_minutes(each.start, each.end, begin, until).sum()) for _, begin, until in months)
        for each in members
    }
    for month, begin, until in months:
        minutes = _minutes(start, end, begin, until)
        deployed, down = float(minutes.sum()), float(minutes[is_down].sum())
        if deployed <= 0.0:
            continue
        uptime = 1.0 - down / deployed
        shares, broken = _credits(kind, np.array([uptime]))
        credit_usd = {}
        for each in members:
            own = float(_minutes(each.start, each.end, begin, until).sum())
            credit_usd[each.group.name] = float(shares[0]) * each.fee_usd * own / (whole[each.group.name] or 1.0)
        yield Uptime(
            month=month, name=name, deployment=kind, deployments=1, deployed_min=deployed, down_min=down, worst=uptime,
            breaches=broken, credit_usd=credit_usd,
        )  # fmt: skip


def _levels(members: Sequence[MonitoredGroup]) -> tuple[Longs, Longs, NDArray[np.bool_]]:
    """Stretches in which any VM of a deployment should be reachable, and whether none was."""
    start = np.concatenate([member.start for member in members])
    end = np.concatenate([member.end for member in members])
    failed = np.concatenate([member.down for member in members]).astype(np.int64)
    at = np.concatenate([start, end])
    order = np.argsort(at, kind="stable")
    should = np.cumsum(np.concatenate([np.ones_like(failed), -np.ones_like(failed)])[order])
    down = np.cumsum(np.concatenate([failed, -failed])[order])
    at = at[order]
    begin, until = at[:-1], at[1:]
    some = (until > begin) & (should[:-1] > 0)
    return begin[some], until[some], (down >= should)[:-1][some]


def _credits(kind: Deployment, uptime: Floats) -> tuple[Floats, int]:
    """The credit that each uptime is worth, and how many are below the SLA."""
    level = SERVICE_LEVELS[kind]
    share = np.zeros_like(uptime)
    for below, credit in level.credits:
        share = np.where(uptime < below, np.maximum(share, credit), share)
    broken = 0 if level.uptime is None else int((uptime < level.uptime).sum())
    return share, broken
