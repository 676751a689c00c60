"""Hours to be rated: one group's usage by clock hour, whatever it was counted from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.billing.levels import Level
from sim.billing.meters import RatedGroup
from sim.lifecycle.policy import BillingPolicy
from sim.units import SECONDS_PER_HOUR
from sim.usage.ledger import STATES, GroupUsage

Hourly = NDArray[np.float64]  # one number per clock hour from t = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedHours:
    """VM hours of one kind: by clock hour, and their exact sum."""

    hourly: Hourly
    total_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedHours:
    """VM hours of one group, by what they pay."""

    group: RatedGroup
    billed: CountedHours  # compute
    licensed: CountedHours  # the software licence
    existing: CountedHours  # disks and addresses: from creation to deletion
    orphaned: CountedHours  # disks that outlived their deleted VM; one VM's set of disks counted once
    level: Level | None = None  # of VMs billed at once, where stays tell and a commitment asks


def hours_of(group: RatedGroup, usage: GroupUsage, policy: BillingPolicy) -> RatedHours:
    """What a group's ledger means under a billing policy."""
    licensed = [state for state in STATES if state in policy.license]
    return RatedHours(
        group=group,
        billed=CountedHours(hourly=usage.billed_hourly(policy), total_h=usage.billed_h(policy)),
        licensed=CountedHours(hourly=usage.hourly_in(licensed), total_h=usage.hours_in(licensed)),
        existing=CountedHours(hourly=usage.existing_hourly, total_h=usage.existing_h),
        orphaned=CountedHours(
            hourly=np.zeros(len(usage.cells)), total_h=0.0
        ),  # a ledger doesn't tell who was deleted when
    )


def window_hourly(start_s: float, end_s: float, hours: int) -> Hourly:
    """The part of each clock hour that lies in the window: 1 inside, less at its edges, 0 outside.

    >>> window_hourly(1800.0, 9000.0, 4).tolist()
    [0.5, 1.0, 0.5, 0.0]
    """
    edges = np.arange(hours + 1, dtype=np.float64) * SECONDS_PER_HOUR
    inside = np.minimum(edges[1:], end_s) - np.maximum(edges[:-1], start_s)
    return np.asarray(np.maximum(inside, 0.0) / SECONDS_PER_HOUR)
