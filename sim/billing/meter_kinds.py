"""The meters of a bill: for each kind its unit, prices, quantity and place in a FOCUS export; one row a kind.

A kind that is added here (or by a plug-in) is rated, exported, summed up as `cost.<kind>` and shown in the report.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.billing.calendar_months import SHARED
from sim.billing.commitment_allocation import Demand
from sim.billing.disks import hibernation_tier, month_price, parse_disk
from sim.billing.hours import Hourly, RatedHours
from sim.billing.meters import (
    COVERED,
    EXISTING,
    LEFT,
    LICENSED,
    ORPHANED,
    PRICED,
    BillLine,
    RatedGroup,
    cost_metric,
    line,
)
from sim.billing.money import exact_price
from sim.billing.spot_prices import SpotSteps
from sim.catalog.catalogue import Catalogue
from sim.catalog.terms import PAY_AS_YOU_GO
from sim.errors import PlugInError
from sim.fields.metrics import add_metrics
from sim.fields.registry import Registry
from sim.usage.ledger import TICKS_PER_HOUR

Prices = Sequence[tuple[str, float]]  # (detail of the meter, USD per unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a FOCUS export calls the service behind a meter."""

    category: str
    subcategory: str
    name: str
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """One group's hours and prices of one kind, and what commitments and spot price steps make of them."""

    hours: RatedHours
    prices: Prices
    window: Hourly  # the part of each clock hour that is billed
    demand: Demand | None = None  # None where no commitment may cover the group
    stepped: Hourly | None = None  # USD per hour by clock hour, where the price changes
    months: NDArray[np.int64] | None = None  # for each clock hour the hours of its calendar month


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterKind:
    """One kind of meter. Its lines are named `<kind>.<detail>`."""

    kind: str
    label: str
    unit: str
    prices: Callable[[Catalogue, RatedGroup], Prices]  # empty where a group has no such meter
    lines: "Callable[[MeterKind, Metered], list[BillLine]]"
    service: Service
    also: str = ""  # what else its metric holds, where its label doesn't say so
    has_size: bool = False  # its price is of a VM size and an operating system; spot VMs have another

    def line(self, metered: Metered, detail: str, hours: float, price: float, counts: str) -> BillLine:
        """A line of this kind: *counts* says which of the group's hours it counts."""
        return line(metered.hours.group.name, f"{self.kind}.{detail}", hours, self.unit, price, counts)


def existing_lines(kind: MeterKind, metered: Metered) -> list[BillLine]:
    """A line for each price: paid from creation to deletion, whatever the power state."""
    own = metered.hours.existing.total_h
    return [kind.line(metered, detail, own, price, EXISTING) for detail, price in metered.prices]


def _compute_prices(catalogue: Catalogue, group: RatedGroup) -> Prices:
    if not group.size:
        return []
    price = catalogue.price_per_h(group.size, group.region, PAY_AS_YOU_GO[group.priority]["linux"])
    return [(f"{group.size}.{group.os}", price)]


def _compute_lines(kind: MeterKind, metered: Metered) -> list[BillLine]:
    """What is left to pay as you go, and beside it, at price 0, the hours that a commitment pays for."""
    own, demand = metered.hours, metered.demand
    lines: list[BillLine] = []
    for detail, price in metered.prices:
        if metered.stepped is not None:
            return _stepped_lines(kind, metered, metered.stepped, detail)
        covered = {} if demand is None else {name: math.fsum(part) for name, part in demand.covered.items()}
        left_h = own.billed.total_h
        if any(covered.values()) and demand is not None:
            # Nothing left is exactly nothing: the difference of two sums could leave dust.
            left_h = max(0.0, own.billed.total_h - math.fsum(covered.values())) if demand.left.any() else 0.0
        lines.append(kind.line(metered, f"{detail}.{own.group.priority}", left_h, price, LEFT))
        lines += [
            kind.line(metered, f"{detail}.covered.{name}", part_h, 0.0, COVERED + name)
            for name, part_h in covered.items()
            if part_h > 0.0
        ]
    return lines


def _stepped_lines(kind: MeterKind, metered: Metered, stepped: Hourly, detail: str) -> list[BillLine]:
    """Compute whose price changes in the window: a line for each price, in the order in which they came.

    A price has its line even if no hour was used at it, so that all replications have the same lines.
    """
    own = metered.hours
    return [
        kind.line(
            metered, f"{detail}.{own.group.priority}", _ticked_h(own.billed.hourly[stepped == price]), price,
            f"{PRICED}{price!r}",
        )
        for price in dict.fromkeys(stepped[metered.window > 0.0].tolist())
    ]  # fmt: skip


def _license_prices(catalogue: Catalogue, group: RatedGroup) -> Prices:
    """What Windows costs beyond the same VM without it."""
    if not group.is_licensed or not group.size:
        return []
    terms = PAY_AS_YOU_GO[group.priority].values()
    without, with_license = (exact_price(catalogue.price_per_h(group.size, group.region, term)) for term in terms)
    # Prices are decimals: their difference is taken as decimals too, so that 0.3 - 0.1 is 0.2.
    return [(f"windows.{group.size}", float(with_license - without))]


def _license_lines(kind: MeterKind, metered: Metered) -> list[BillLine]:
    own = metered.hours.licensed.total_h
    return [kind.line(metered, detail, own, price, LICENSED) for detail, price in metered.prices]


def _disk_prices(catalogue: Catalogue, group: RatedGroup) -> Prices:
    """USD per month of each disk."""
    priced = [(_disk_detail(disk), month_price(catalogue, disk, group.region)) for disk in group.disks]
    memory_gib = catalogue.get_size(group.size).memory_gib if group.size else None
    if group.hibernates and group.disks and memory_gib:
        own = parse_disk(group.disks[0])
        grown = hibernation_tier(own, memory_gib, group.os)
        if grown != own:
            # Its own line: the room on the OS disk that only hibernation needs.
            step = f"{own}>{grown}"
            priced.append((_disk_detail(step), month_price(catalogue, step, group.region)))
    return priced


def _disk_detail(disk: str) -> str:
    base, _, tier = disk.rpartition(">")
    return f"{parse_disk(tier)}.hibernation" if base else parse_disk(tier)


def _disk_lines(kind: MeterKind, metered: Metered) -> list[BillLine]:
    """Each disk while its VM exists and, where it outlives the VM, afterwards; a line for each month's unit price."""
    assert metered.months is not None
    own = metered.hours
    counted = [("", EXISTING, own.existing)] + ([(".orphaned", ORPHANED, own.orphaned)] if own.orphaned.total_h else [])
    lengths = np.unique(metered.months[metered.window > 0.0]).tolist()
    lines = []
    for detail, per_month in metered.prices:
        for ending, counts, hours in counted:
            for length in lengths:
                part_h = hours.total_h if len(lengths) == 1 else _ticked_h(hours.hourly[metered.months == length])
                lines.append(
                    kind.line(metered, detail + ending, part_h, per_month / length, f"{counts}{SHARED}{length}")
                )
    return lines


def _ticked_h(hourly: Hourly) -> float:
    """The exact sum of hours that are whole ticks."""
    return int(np.rint(hourly * TICKS_PER_HOUR).astype(np.int64).sum()) / TICKS_PER_HOUR


def _address_prices(catalogue: Catalogue, group: RatedGroup) -> Prices:
    return [("public_ip", catalogue.public_ip_per_h(group.region))] if group.public_ip else []


METERS = Registry[MeterKind]("kind of meter", base=MeterKind, texts=("label", "unit"))
METERS.watch(lambda _, kind: add_metrics(cost_metric(kind.kind, kind.label, kind.also)))


def add_meter(kind: MeterKind) -> None:
    """Register a kind of meter under its name."""
    METERS.add(kind.kind, kind)


_VM = "Virtual machine"
add_meter(
    MeterKind(
        kind="compute", label="compute", unit="VM hour", prices=_compute_prices, lines=_compute_lines, has_size=True,
        service=Service(category="Compute", subcategory="Virtual Machines", name="Virtual Machines", resource=_VM),
    )
)  # fmt: skip
add_meter(
    MeterKind(
        kind="license", label="software licences", unit="VM hour", prices=_license_prices, lines=_license_lines,
        has_size=True,
        service=Service(
            category="Compute", subcategory="Virtual Machines", name="Virtual Machines Licenses", resource=_VM
        ),
    )
)  # fmt: skip
add_meter(
    MeterKind(
        kind="disk", label="disks", unit="disk hour", prices=_disk_prices, lines=_disk_lines,
        service=Service(category="Storage", subcategory="Block Storage", name="Storage", resource="Disk"),
    )
)  # fmt: skip
add_meter(
    MeterKind(
        kind="network", label="network", unit="address hour", prices=_address_prices, lines=existing_lines,
        service=Service(
            category="Networking", subcategory="Other (Networking)", name="Virtual Network", resource="Public IP address"
        ),
    )
)  # fmt: skip
add_meter(
    MeterKind(  # its lines are those of `sim.billing.commitment_use`: commitments belong to no group
        kind="commitment", label="commitments", unit="", prices=lambda _catalogue, _group: [], lines=lambda _, _metered: [],
        also="dedicated hosts", service=Service(
            category="Compute", subcategory="Virtual Machines", name="Virtual Machines", resource="Commitment"
        ),
    )
)  # fmt: skip


def running_cost(catalogue: Catalogue, group: RatedGroup, hourly: Hourly, spot_steps: SpotSteps | None) -> float:
    """What Running for these hours costs in all, as you go: the meters that count them (compute and licence). USD."""
    paid = []
    steps = spot_steps if group.priority == "spot" else None
    for kind in METERS.values():
        for _, price in kind.prices(catalogue, group) if kind.has_size else ():
            if steps is not None and kind.kind == "compute":
                paid.append(math.fsum(hourly * steps.hourly(price, len(hourly))))
            else:
                paid.append(_ticked_h(hourly) * price)
    return math.fsum(paid)


def group_prices(catalogue: Catalogue, group: RatedGroup) -> Mapping[str, Prices]:
    """The prices of one group by kind of meter; raises CatalogueError for a price that the catalogue lacks."""
    found = {name: kind.prices(catalogue, group) for name, kind in METERS.items()}
    for name, prices in found.items():
        if not isinstance(prices, list | tuple) or not all(map(_is_price, prices)):
            raise _broken(name, "prices", prices, "(detail, USD per unit from 0 on)")
    return found


def _is_price(price: object) -> bool:
    if not isinstance(price, tuple) or len(price) != 2 or not isinstance(price[0], str):
        return False
    return isinstance(price[1], float | int) and 0.0 <= price[1] < math.inf


def checked_lines(kind: MeterKind, metered: Metered) -> list[BillLine]:
    """The lines of a kind. Raises PlugInError where a plug-in gives something else."""
    lines: Any = kind.lines(kind, metered)
    if not isinstance(lines, list) or not all(isinstance(each, BillLine) for each in lines):
        raise _broken(kind.kind, "lines", lines, "BillLine")
    for each in lines:
        if each.kind != kind.kind or not 0.0 <= each.quantity < math.inf:
            raise _broken(kind.kind, "lines", each, f"lines {kind.kind}.<detail>, each of a quantity from 0 on")
    return lines


def _broken(kind: str, what: str, found: object, of: str) -> PlugInError:
    return PlugInError(f"meter {kind} of {METERS.origins[kind]}: {what}(...) gave {found!r}; it gives a list of {of}")
