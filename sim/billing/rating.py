"""RATING: hours become money. Reads usage and prices; the simulation is not needed.

`rate` takes the ledgers of a run, `rate_stays` lives of VMs, `rate_hours` hours from anywhere. Commitments are applied per clock hour and
fleet-wide (`sim.billing.commitment_allocation`), then every meter is one line: quantity times price, rounded once to nano-dollars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.billing.commitment_allocation import Demand
from sim.billing.commitment_use import Coverage, apply
from sim.billing.commitments import Commitment
from sim.billing.hours import Hourly, RatedHours, hours_of, window_hourly
from sim.billing.meters import Bill, BillLine, RatedGroup, line
from sim.billing.spot_prices import SpotSteps
from sim.billing.stays import Stays, hours_of_stays
from sim.billing.tariff import GroupTariff, group_tariff
from sim.catalog.catalogue import Catalogue
from sim.lifecycle.policy import BillingPolicy, get_policy
from sim.usage.ledger import TICKS_PER_HOUR, GroupUsage, to_ticks


def rate(
    groups: Sequence[RatedGroup],
    usages: Mapping[str, GroupUsage],
    catalogue: Catalogue,
    policy: BillingPolicy | str,
    commitments: Sequence[Commitment] = (),
    spot_steps: SpotSteps | None = None,
) -> Bill:
    """The bill of one replication: what its groups used, at the catalogue's prices, under a billing policy."""
    return rate_run(groups, usages, catalogue, policy, commitments, spot_steps).bill


def rate_run(
    groups: Sequence[RatedGroup],
    usages: Mapping[str, GroupUsage],
    catalogue: Catalogue,
    policy: BillingPolicy | str,
    commitments: Sequence[Commitment] = (),
    spot_steps: SpotSteps | None = None,
) -> Rating:
    """`rate` with its working, which a FOCUS export needs."""
    if not groups:
        raise ValueError("nothing to rate: no groups")
    rules = get_policy(policy) if isinstance(policy, str) else policy
    hours = [hours_of(group, usages[group.name], rules) for group in groups]
    some = usages[groups[0].name]
    window = window_hourly(some.start_s, some.end_s, len(hours[0].billed.hourly))
    return rate_in_full(hours, window, catalogue, commitments, spot_steps)


def rate_hours(
    hours: Sequence[RatedHours],
    window: Hourly,
    catalogue: Catalogue,
    commitments: Sequence[Commitment] = (),
    spot_steps: SpotSteps | None = None,
) -> Bill:
    """The bill of hours counted by group and clock hour; *window* is the part of each clock hour that is billed."""
    return rate_in_full(hours, window, catalogue, commitments, spot_steps).bill


def rate_stays(
    stays: Stays,
    catalogue: Catalogue,
    policy: BillingPolicy | str,
    commitments: Sequence[Commitment] = (),
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    rounding: str = "exact",
    spot_steps: SpotSteps | None = None,
) -> Rating:
    """The bill of lives of VMs, without a simulation, and what is needed to share it out to VMs and days.

    *rounding* is `exact`, or `floor-minute`: the spare seconds of each contiguous billed stretch are dropped.
    """
    rules = get_policy(policy) if isinstance(policy, str) else policy
    end_s = stays.end_s if end_s is None else end_s
    hours = hours_of_stays(stays, rules, (to_ticks(start_s), to_ticks(end_s)), rounding)
    window = window_hourly(start_s, end_s, len(hours[0].billed.hourly))
    return rate_in_full(hours, window, catalogue, commitments, spot_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """A bill with its working: the hours it was made of, and which commitment covered what in each of them."""

    bill: Bill
    hours: tuple[RatedHours, ...]
    window: Hourly
    coverage: Coverage
    tariffs: Mapping[str, GroupTariff]  # by group
    stepped: Mapping[str, Hourly]  # USD per hour of compute by clock hour, of groups whose price changes


def rate_in_full(
    hours: Sequence[RatedHours],
    window: Hourly,
    catalogue: Catalogue,
    commitments: Sequence[Commitment] = (),
    spot_steps: SpotSteps | None = None,
) -> Rating:
    """`rate_hours` with its working."""
    coverage = apply(hours, window, catalogue, commitments)
    tariffs = {own.group.name: group_tariff(catalogue, own.group) for own in hours}
    stepped = {
        own.group.name: spot_steps.hourly(tariffs[own.group.name].compute, len(window))
        for own in hours
        if spot_steps is not None and own.group.priority == "spot" and own.group.size
    }
    lines: list[BillLine] = []
    for own in hours:
        tariff, prices = tariffs[own.group.name], stepped.get(own.group.name)
        if prices is not None:
            lines += _stepped_lines(own, prices, window)
        elif own.group.size:
            lines += _compute_lines(own, coverage.demands.get(own.group.name), tariff)
        lines += _other_lines(own, tariff)
    bill = Bill(lines=(*lines, *coverage.lines), commitments=coverage.uses)
    return Rating(bill=bill, hours=tuple(hours), window=window, coverage=coverage, tariffs=tariffs, stepped=stepped)


def _other_lines(own: RatedHours, tariff: GroupTariff) -> list[BillLine]:
    """Everything but compute."""
    group = own.group
    lines: list[BillLine] = []
    if group.is_licensed:
        lines.append(line(group.name, f"license.windows.{group.size}", own.licensed.total_h, "VM hour", tariff.license))
    for meter, price in tariff.disks:
        lines.append(line(group.name, f"disk.{meter}", own.existing.total_h, "disk hour", price))
        if own.orphaned.total_h:
            lines.append(line(group.name, f"disk.{meter}.orphaned", own.orphaned.total_h, "disk hour", price))
    if group.public_ip:
        lines.append(line(group.name, "network.public_ip", own.existing.total_h, "address hour", tariff.public_ip))
    return lines


def _compute_lines(own: RatedHours, demand: Demand | None, tariff: GroupTariff) -> list[BillLine]:
    """What is left to pay as you go, and beside it, at price 0, the hours that a commitment pays for."""
    group = own.group
    meter = f"compute.{group.size}.{group.os}"
    covered = {} if demand is None else {name: math.fsum(part) for name, part in demand.covered.items()}
    left_h = own.billed.total_h
    if any(covered.values()) and demand is not None:
        # Nothing left is exactly nothing: the difference of two sums could leave dust.
        left_h = max(0.0, own.billed.total_h - math.fsum(covered.values())) if demand.left.any() else 0.0
    return [
        line(group.name, f"{meter}.{group.priority}", left_h, "VM hour", tariff.compute),
        *(
            line(group.name, f"{meter}.covered.{name}", part_h, "VM hour", 0.0)
            for name, part_h in covered.items()
            if part_h > 0.0
        ),
    ]


def _stepped_lines(own: RatedHours, prices: Hourly, window: Hourly) -> list[BillLine]:
    """Compute whose price changes in the window: a line for each price, in the order in which they came.

    A price has its line even if no hour was used at it, so that all replications have the same lines.
    """
    group = own.group
    ticks = np.rint(own.billed.hourly * TICKS_PER_HOUR).astype(np.int64)  # sums of these are exact
    return [
        line(
            group.name,
            f"compute.{group.size}.{group.os}.{group.priority}",
            int(ticks[prices == price].sum()) / TICKS_PER_HOUR,
            "VM hour",
            price,
        )
        for price in dict.fromkeys(prices[window > 0.0].tolist())
    ]
