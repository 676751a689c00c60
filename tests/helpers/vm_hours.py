"""Hours of each VM by what they pay, from its stays: what a bill by VM must come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.billing.hours import Hourly, RatedHours
from sim.billing.shares import HourlyShare, share_of
from sim.billing.stays import HOUR_KINDS, Stays, times_by_kind
from sim.lifecycle.policy import BillingPolicy
from sim.usage.ledger import TICKS_PER_HOUR


def vm_hours(
    stays: Stays,
    policy: BillingPolicy,
    window: tuple[int, int],
    hours: Sequence[RatedHours],
    left: Mapping[str, Hourly],
    rounding: str = "exact",
) -> Mapping[str, NDArray[np.float64]]:
    """Hours of each VM by what they pay: `billed` (those left to pay as you go), `licensed`, `existing`, `orphaned`.

    *left* holds, by group, the VM hours that commitments don't pay; groups that aren't in it pay all.
    """
    shares = HourlyShare.of([share_of(left.get(own.group.name, own.billed.hourly), own.billed.hourly) for own in hours])
    found = {name: np.zeros(len(stays.vms)) for name in HOUR_KINDS}
    for part in stays.parts():
        for name, time in times_by_kind(stays, part, policy, window, rounding).items():
            if name == "billed":
                weight = shares.hours(stays.group_of[time.vm], time.start, time.end)
            else:
                weight = (time.end - time.start) / TICKS_PER_HOUR
            if len(time.vm):
                # Only the VMs of this part: they are neighbours.
                first, last = int(time.vm[0]), int(time.vm[-1])
                found[name][first : last + 1] += np.bincount(time.vm - first, weights=weight)
    return found
