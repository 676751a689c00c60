"""RATING: hours become money. Reads usage and prices; the simulation is not needed.

`rate_run` takes the ledgers of a run, `rate_stays` stays of VMs, `rate_in_full` hours from anywhere. Commitments are applied per clock hour and
fleet-wide (`sim.billing.commitment_allocation`), then every meter is one line: quantity times price, rounded once to nano-dollars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sim.billing.calendar_months import month_hours
from sim.billing.commitment_use import Allocation, allocate
from sim.billing.commitments import Commitment, hold_vms
from sim.billing.hours import Hourly, RatedHours, hours_of, window_hourly
from sim.billing.meter_kinds import METERS, Metered, checked_lines, group_prices
from sim.billing.meters import Bill, BillLine, RatedGroup
from sim.billing.spot_prices import SpotSteps
from sim.billing.stays import Stays, hours_of_stays
from sim.billing.trust import mark_untrusted
from sim.catalog.catalogue import Catalogue
from sim.lifecycle.policy import BillingPolicy, get_policy
from sim.usage.ledger import GroupUsage, into_clock_hour_s, to_ticks


def rate_run(
    groups: Sequence[RatedGroup],
    usages: Mapping[str, GroupUsage],
    catalogue: Catalogue,
    policy: BillingPolicy | str,
    commitments: Sequence[Commitment] = (),
    spot_steps: SpotSteps | None = None,
    *,
    start: datetime | None = None,
) -> Rating:
    """The bill of one replication with its working: what its groups used, at the catalogue's prices, under a billing policy."""
    rules = get_policy(policy)
    hours = [hours_of(group, usages[group.name], rules) for group in groups]
    some = usages[groups[0].name]
    window = window_hourly(some.start_s + some.into_hour_s, some.end_s + some.into_hour_s, len(hours[0].billed.hourly))
    return rate_in_full(hours, window, catalogue, commitments, spot_steps, start=start)


def rate_stays(
    stays: Stays,
    catalogue: Catalogue,
    policy: BillingPolicy | str,
    commitments: Sequence[Commitment] = (),
    *,
    window_s: tuple[float, float] | None = None,
    rounding: str = "exact",
    spot_steps: SpotSteps | None = None,
    start: datetime | None = None,
) -> Rating:
    """The bill of stays of VMs, without a simulation, and what is needed to share it out to VMs and days.

    *window_s* is from t = 0 to the end of the last stay unless it is given. *rounding* is `exact`, or `floor-minute`: the
    spare seconds of each contiguous billed stretch are dropped. *start* is the instant of t = 0.
    """
    rules = get_policy(policy)
    start_s, end_s = (0.0, stays.end_s) if window_s is None else window_s
    into_hour_s = 0.0 if start is None else into_clock_hour_s(start)
    ticks = to_ticks(start_s), to_ticks(end_s)
    hours = hours_of_stays(stays, rules, ticks, rounding, to_ticks(into_hour_s), levels=hold_vms(commitments))
    window = window_hourly(start_s + into_hour_s, end_s + into_hour_s, len(hours[0].billed.hourly))
    return rate_in_full(hours, window, catalogue, commitments, spot_steps, start=start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A bill with its working: the hours it was made of, and which commitment covered what in each of them."""

    bill: Bill
    hours: tuple[RatedHours, ...]
    window: Hourly
    allocation: Allocation
    stepped: Mapping[str, Hourly]  # USD per hour of compute by clock hour, of groups whose price changes
    months: NDArray[np.int64]  # for each clock hour the hours of its calendar month


def rate_in_full(
    hours: Sequence[RatedHours],
    window: Hourly,
    catalogue: Catalogue,
    commitments: Sequence[Commitment] = (),
    spot_steps: SpotSteps | None = None,
    *,
    start: datetime | None = None,
) -> Rating:
    """The bill, with its working, of hours counted by group and clock hour.

    *window* is the part of each clock hour that is billed; *start* the instant of t = 0, without which a month has 730 hours.
    """
    allocation = allocate(hours, window, catalogue, commitments)
    prices = {own.group.name: group_prices(catalogue, own.group) for own in hours}
    stepped = {
        own.group.name: spot_steps.hourly(price, len(window))
        for own in hours
        if spot_steps is not None and own.group.priority == "spot"
        for _, price in prices[own.group.name]["compute"]
    }
    months = month_hours(start, len(window))
    lines: list[BillLine] = []
    for own in hours:
        name = own.group.name
        for kind in METERS.values():
            metered = Metered(
                hours=own, prices=prices[name][kind.kind], window=window,
                demand=allocation.demands.get(name), stepped=stepped.get(name), months=months,
            )  # fmt: skip
            lines += checked_lines(kind, metered)
    marked = mark_untrusted((*lines, *allocation.lines), [own.group for own in hours], catalogue, commitments)
    bill = Bill(lines=marked, commitments=allocation.uses)
    return Rating(bill=bill, hours=tuple(hours), window=window, allocation=allocation, stepped=stepped, months=months)
