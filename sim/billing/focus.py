"""FOCUS 1.2 export: one row per resource, day and meter, as the FinOps Open Cost and Usage Specification writes a bill.

A resource is a VM where stays are known, else a group. `BilledCost` is what the invoice says (a commitment is bought, and
what it covers is free), `EffectiveCost` shares the commitment's price out to what used it, and unused commitment stands in
rows of its own. Both columns add up to the bill, to the last digit.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.billing.breakdown import Breakdown, Days, GroupBreakdown
from sim.billing.calendar_months import month_of
from sim.billing.commitment_allocation import Demand
from sim.billing.commitment_use import HourlyUse
from sim.billing.commitments import CapacityReservation, Commitment, DedicatedHost, Reservation
from sim.billing.disks import parse_disk
from sim.billing.meter_kinds import METERS
from sim.billing.meters import COVERED, BillLine, RatedGroup
from sim.billing.money import NANO_PER_USD, split, to_nano
from sim.billing.rating import Rating
from sim.files import writing_whole

COLUMNS = (
    "AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "CapacityReservationId", "CapacityReservationStatus", "ChargeCategory",
    "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus", "CommitmentDiscountType", "CommitmentDiscountUnit", "ConsumedQuantity", "ConsumedUnit",
    "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost", "ListUnitPrice",
    "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId",
    "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory",
    "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip

# What the registry's focus-validator (1.0.0, rules of FOCUS 1.0) still asks for by older names, and what it is called now.
VALIDATOR_COLUMNS = {
    "ChargeType": "ChargeCategory",
    "InvoiceIssuer": "InvoiceIssuerName",
    "Provider": "ProviderName",
    "Publisher": "PublisherName",
    "ResourceID": "ResourceId",
}

ACCOUNT = "vmfleet-simulation"
_ALWAYS = {
    "BillingAccountId": ACCOUNT,
    "BillingAccountName": "Simulated by vmfleet",
    "BillingAccountType": "Billing Account",
    "ChargeFrequency": "Usage-Based",
    "InvoiceIssuerName": "Microsoft",
    "ProviderName": "Microsoft",
    "PublisherName": "Microsoft",
    "SubAccountId": ACCOUNT,
    "SubAccountName": "Simulated by vmfleet",
    "SubAccountType": "Subscription",
}
Nanos = NDArray[np.int64]
Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Charge:
    """One line of the bill breakdown over resources and days: what is the same in all its rows, and what isn't."""

    same: Mapping[str, Cell]
    names: Sequence[str]
    quantity: NDArray[np.float64]  # (resources, days)
    billed: Nanos
    effective: Nanos
    listed: Nanos
    committed: NDArray[np.float64] | None = None  # in the commitment's own unit
    consumed: bool = True  # a resource used it; else the quantity is only priced

    def rows(self, days: Days) -> Iterator[dict[str, Cell]]:
        """The rows that have anything in them."""
        some = (self.quantity > 0.0) | (self.billed != 0) | (self.effective != 0)
        where = np.argwhere(some)
        periods = [_period(*days.period(day)) for day in range(days.count)]
        columns = [
            [None] * len(where) if each is None else each[some].tolist()
            for each in (self.quantity, self.billed, self.effective, self.listed, self.committed)
        ]
        for (resource, day), quantity, billed_nano, effective_nano, listed_nano, committed in zip(
            where.tolist(), *columns, strict=True
        ):
            effective, listed = exact_decimal(effective_nano), exact_decimal(listed_nano)
            name = self.names[resource]
            yield {
                **self.same,
                **periods[day],
                "ResourceId": name,
                "ResourceName": name,
                "BilledCost": exact_decimal(billed_nano),
                "EffectiveCost": effective,
                "PricingCurrencyEffectiveCost": effective,
                "ListCost": listed,
                "ContractedCost": listed,
                "PricingQuantity": quantity,
                "ConsumedQuantity": quantity if self.consumed else None,
                "CommitmentDiscountQuantity": committed,
            }


def focus_rows(
    rating: Rating, start: datetime, breakdown: Breakdown | None = None, *, currency: str = "USD"
) -> Iterator[dict[str, Cell]]:
    """The rows of a bill, day by day within each line; *start* is the instant of t = 0.

    Without a *breakdown*, one resource a group (`GroupBreakdown`); with a `VmBreakdown`, one a VM.
    """
    days = Days.of(rating, start)
    breakdown = GroupBreakdown(rating=rating, days=days) if breakdown is None else breakdown
    money = {"BillingCurrency": currency, "PricingCurrency": currency}
    for charge in _charges(rating, breakdown):
        units = {each: currency for each in _UNITS if charge.same.get(each) == "USD"}
        yield from replace(charge, same={**_ALWAYS, **money, **charge.same, **units}).rows(days)


def write_focus(
    path: Path, rows: Iterable[Mapping[str, Cell]], *, columns: Sequence[str] = COLUMNS, validator_columns: bool = True
) -> int:
    """Write rows as CSV, the whole file or none; returns how many.

    *validator_columns*: also under the older names that focus-validator asks for.
    """
    older = VALIDATOR_COLUMNS if validator_columns else {}
    sources = [*columns, *older.values()]
    written = 0
    with writing_whole(path) as content:
        file = io.TextIOWrapper(content, encoding="utf-8", newline="")
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*columns, *older])
        for row in rows:
            get = row.get
            out.writerow([get(column) for column in sources])
            written += 1
        file.flush()
        file.detach()  # the file is closed, and put in its place, by its own block
    return written


def _charges(rating: Rating, breakdown: Breakdown) -> Iterator[_Charge]:
    shares = effective_shares(rating)
    for number, own in enumerate(rating.hours):
        for line in rating.bill.lines:
            if line.group == own.group.name and line.quantity > 0.0:
                yield _group_charge(rating, breakdown, number, line, shares)
    for use in rating.allocation.commitments:
        yield from _commitment_charges(rating, breakdown.days, use, shares)


def _group_charge(
    rating: Rating, breakdown: Breakdown, number: int, line: BillLine, shares: Mapping[tuple[str, str], int]
) -> _Charge:
    group = rating.hours[number].group
    what = line.counts
    names, hours = breakdown.weights(number, what)
    same = _described(group, line)
    if not what.startswith(COVERED):
        paid = _shared(line.amount_nano, hours)
        return _Charge(same=same, names=names, quantity=hours, billed=paid, effective=paid, listed=paid)
    name = what.removeprefix(COVERED)
    demand = rating.allocation.demands[group.name]
    use = next(each for each in rating.allocation.commitments if each.commitment.name == name)
    price = demand.tariff.payg_usd_per_h
    nothing = np.zeros(hours.shape, dtype=np.int64)
    category = "Committed" if _is_discount(use) else "Other"  # a dedicated host's VMs appear at price 0
    same |= {"PricingCategory": category, **_prices(price), **_commitment(use, "Used")}
    return _Charge(
        same=same,
        names=names,
        quantity=hours,
        billed=nothing,
        effective=_shared(shares.get((name, group.name), 0), hours),
        listed=_shared(to_nano(line.quantity, price), hours),
        committed=hours * demand.takes[name] if _is_discount(use) else None,
    )


def _commitment_charges(
    rating: Rating, days: Days, use: HourlyUse, shares: Mapping[tuple[str, str], int]
) -> Iterator[_Charge]:
    """What a commitment itself costs: bought, and where something of it was lost, unused."""
    name = use.commitment.name
    empty = next((units for units in rating.allocation.empty_units if units.name == name), None)
    if empty is not None:
        yield from _empty_charges(rating, days, empty, shares)
        return
    amount = {line.meter: line.amount_nano for line in rating.bill.lines if line.kind == "commitment"}
    used, unused = amount[f"commitment.{name}.used"], amount[f"commitment.{name}.unused"]
    bought = days.sums(use.bought)[np.newaxis, :]
    same = {
        **_service("commitment"),
        **_sku(f"commitment.{name}", {}),
        **_prices(use.usd_per_unit),
        **dict.fromkeys(("RegionId", "RegionName"), getattr(use.commitment, "region", None) or None),
        "PricingCategory": "Committed",
        "PricingUnit": _unit(use.unit),
        "ChargeDescription": f"{name}: bought",
    }
    whole = _shared(used + unused, bought)
    nothing = np.zeros_like(whole)
    if isinstance(use.commitment, DedicatedHost):
        # Hosts are usage of their own: VMs on them appear at price 0, and nothing is amortised.
        same |= {"ChargeCategory": "Usage", "PricingCategory": "Standard", "ConsumedUnit": _unit(use.unit)}
        yield _Charge(same=same, names=[name], quantity=bought, billed=whole, effective=whole, listed=whole)
        return
    purchase = {**same, **_commitment(use, None), "ChargeCategory": "Purchase", "ChargeFrequency": "Recurring"}
    yield _Charge(
        same=purchase, names=[name], quantity=bought, billed=whole, effective=nothing, listed=whole, committed=bought,
        consumed=False,
    )  # fmt: skip
    # Money, not hours, is what isn't used of it: fractions of a nano-dollar are no row.
    lost = days.sums(np.maximum(use.bought - use.used, 0.0))[np.newaxis, :]
    if unused:
        same |= {**_commitment(use, "Unused"), "ChargeCategory": "Usage", "ChargeDescription": f"{name}: unused"}
        yield _Charge(
            same=same, names=[name], quantity=lost, billed=nothing, effective=_shared(unused, lost), listed=nothing,
            committed=lost, consumed=False,
        )  # fmt: skip


def _empty_charges(
    rating: Rating, days: Days, units: Demand, shares: Mapping[tuple[str, str], int]
) -> Iterator[_Charge]:
    """Empty units of a capacity reservation: paid as they go, or by another commitment."""
    price = units.tariff.payg_usd_per_h
    same = {
        **_service("commitment"),
        **_sku(f"commitment.{units.name}.unused", {"InstanceType": units.tariff.size}),
        **_prices(price),
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{units.name}: empty units",
        "RegionId": units.tariff.region,
        "RegionName": units.tariff.region,
        "PricingCategory": "Standard",
        "PricingUnit": "Hours",
        "CapacityReservationId": units.name,
        "CapacityReservationStatus": "Unused",
    }
    line = next(line for line in rating.bill.lines if line.meter == f"commitment.{units.name}.unused")
    left = days.sums(units.left)[np.newaxis, :]
    paid = _shared(line.amount_nano, left)
    yield _Charge(
        same=same, names=[units.name], quantity=left, billed=paid, effective=paid, listed=paid, consumed=False
    )
    for use in rating.allocation.commitments:
        name = use.commitment.name
        if name in units.covered and units.covered[name].any():
            hours = days.sums(units.covered[name])[np.newaxis, :]
            yield _Charge(
                same={**same, "PricingCategory": "Committed", **_commitment(use, "Used")},
                names=[units.name],
                quantity=hours,
                billed=np.zeros(hours.shape, dtype=np.int64),
                effective=_shared(shares.get((name, units.name), 0), hours),
                listed=_shared(to_nano(float(hours.sum()), price), hours),
                committed=hours * units.takes[name],
                consumed=False,
            )


def effective_shares(rating: Rating) -> dict[tuple[str, str], int]:
    """The used part of each commitment's price, shared out to who used it: (commitment, demand) -> nano-dollars."""
    found: dict[tuple[str, str], int] = {}
    users = [*rating.allocation.demands.values(), *rating.allocation.empty_units]
    for use in rating.allocation.commitments:
        name = use.commitment.name
        paid = next((line.amount_nano for line in rating.bill.lines if line.meter == f"commitment.{name}.used"), 0)
        if isinstance(use.commitment, DedicatedHost) or not paid:
            continue
        takes = [
            (user.name, float(user.covered[name].sum()) * user.takes[name]) for user in users if name in user.covered
        ]
        weights = np.array([weight for _, weight in takes])
        if weights.sum() > 0.0:
            for (user, _), nano in zip(takes, split(paid, weights).tolist(), strict=True):
                found[name, user] = nano
    return found


def _described(group: RatedGroup, line: BillLine) -> dict[str, Cell]:
    """What all rows of a group's line have in common."""
    has_size = METERS[line.kind].has_size
    details = {"InstanceType": group.size, "OperatingSystem": "Windows" if group.is_licensed else "Linux"}
    return {
        **_service(line.kind),
        **_sku(line.meter, details if has_size else _disk_details(group, line)),
        **_prices(line.unit_price),
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{line.meter} of {group.name}",
        "RegionId": group.region,
        "RegionName": group.region,
        "PricingCategory": "Dynamic" if group.priority == "spot" and has_size else "Standard",
        "PricingUnit": "Hours",
        "ConsumedUnit": "Hours",
        "Tags": json.dumps({"group": group.name}),
    }


def _disk_details(group: RatedGroup, line: BillLine) -> dict[str, str]:
    """A disk's own price needs no more than its tier; what one grew by is priced from the tier that it was."""
    if not line.meter.endswith(".hibernation") and ".hibernation." not in line.meter:
        return {}
    return {"BaseTier": parse_disk(group.disks[0].rpartition(">")[0] or group.disks[0])}


def _service(kind: str) -> dict[str, Cell]:
    service = METERS[kind].service
    names: dict[str, Cell] = {"ServiceCategory": service.category, "ServiceSubcategory": service.subcategory}
    return names | {"ServiceName": service.name, "ResourceType": service.resource}


def _sku(meter: str, details: Mapping[str, str]) -> dict[str, Cell]:
    ids = dict.fromkeys(("SkuId", "SkuMeter", "SkuPriceId"), meter)
    return {**ids, "SkuPriceDetails": json.dumps(dict(details)) if details else None}


def _prices(usd: float) -> dict[str, Cell]:
    columns = ("ListUnitPrice", "ContractedUnitPrice")
    return dict.fromkeys((*columns, *(f"PricingCurrency{column}" for column in columns)), usd)


def _commitment(use: HourlyUse, status: str | None) -> dict[str, Cell]:
    commitment = use.commitment
    if not _is_discount(use):
        return {}
    category, kind = kind_of_discount(commitment)
    return {
        "CommitmentDiscountCategory": category,
        "CommitmentDiscountId": commitment.name,
        "CommitmentDiscountName": commitment.name,
        "CommitmentDiscountStatus": status,
        "CommitmentDiscountType": kind,
        "CommitmentDiscountUnit": _unit(use.unit),
    }


def kind_of_discount(commitment: Commitment) -> tuple[str, str]:
    """FOCUS's category and the platform's type of a reservation or a savings plan."""
    return ("Usage", "Reservation") if isinstance(commitment, Reservation) else ("Spend", "Savings Plan")


def _is_discount(use: HourlyUse) -> bool:
    return not isinstance(use.commitment, CapacityReservation | DedicatedHost)


_UNITS = ("PricingUnit", "ConsumedUnit", "CommitmentDiscountUnit")
"""Columns that may hold a unit of money; inside, a plan's unit is USD whatever the price list is in."""


def _unit(unit: str) -> str:
    return "USD" if unit == "USD" else "Hours"


def _shared(nano: int, hours: NDArray[np.float64]) -> Nanos:
    if not hours.any():
        return np.zeros(hours.shape, dtype=np.int64)
    return split(nano, hours.ravel()).reshape(hours.shape)


def exact_decimal(nano: int) -> str:
    """Nano-dollars as a decimal, never a rounded binary fraction."""
    whole, rest = divmod(abs(nano), NANO_PER_USD)
    return f"{'-' if nano < 0 else ''}{whole}.{rest:09d}"


def _period(begin: datetime, end: datetime) -> dict[str, Cell]:
    month, following = month_of(begin)
    edges = {"ChargePeriodStart": begin, "ChargePeriodEnd": end}
    edges |= {"BillingPeriodStart": month, "BillingPeriodEnd": following}
    return {column: f"{at:%Y-%m-%dT%H:%M:%SZ}" for column, at in edges.items()}
