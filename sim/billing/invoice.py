"""A cost export against the price list: each row rated or listed, the hours that they used, and the bill of these hours.

What a row used is spread evenly over its charge period, so hourly rows rate commitments exactly and daily rows on average.
Costs are kept as *billed* and, where the file has it, as *effective* (amortized: what a commitment paid stands at its use).
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.billing.calendar_months import hours_of_month
from sim.billing.classify import COMMITMENT, OTHER, Classifier, Key, Meter
from sim.billing.commitments import Commitment
from sim.billing.conversion import Conversion, conversion, converted
from sim.billing.export_rows import PURCHASE, UNUSED, Export, ExportRow, Sku, read_export
from sim.billing.hours import CountedHours, RatedHours
from sim.billing.meter_kinds import METERS
from sim.billing.meters import Bill, RatedGroup
from sim.billing.rating import Rating, rate_in_full
from sim.catalog.catalogue import Catalogue
from sim.errors import UsageError
from sim.files import refusal
from sim.recognise import COST_EXPORT, READS, Recognised, recognise
from sim.units import SECONDS_PER_HOUR

TOTAL = "total"
_RATING_KIND = {"ip": "network"}  # kinds of an invoice that the bill calls otherwise
Beside = tuple[str, float, float | None]
"""Kind of meter, invoiced, rated (None where no price could be converted)."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A row and the meter that it is of. *list_cost*: quantity times list price; None where it isn't rated or converted."""

    row: ExportRow
    meter: Meter
    quantity: float
    unit_price: float | None
    list_cost: float | None

    @property
    def is_rated(self) -> bool:
        """Whether the row's meter and cells are known."""
        return self.meter.is_rated


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """A cost export set against a price list."""

    export: Export
    charges: tuple[Charge, ...]
    catalogue: Catalogue  # in the export's currency where it could be converted
    conversion: Conversion

    @property
    def rate(self) -> float | None:
        """Units of the export's currency per one of the list's; None where it isn't known."""
        return self.conversion.rate

    @property
    def rated(self) -> list[Charge]:
        """Rows that the list has a price for."""
        return [each for each in self.charges if each.is_rated]

    @property
    def listed(self) -> list[Charge]:
        """The other rows, each with its reason."""
        return [each for each in self.charges if not each.is_rated]

    @property
    def total(self) -> float:
        """The sum of the cost column."""
        return math.fsum(each.row.cost for each in self.charges)

    @property
    def effective_total(self) -> float | None:
        """The sum of the column of amortized costs; None where there is none."""
        known = [each.row.effective for each in self.charges if each.row.effective is not None]
        return math.fsum(known) if known else None

    @property
    def list_total(self) -> float | None:
        """The rated rows at list price."""
        return None if self.rate is None else math.fsum(each.list_cost or 0.0 for each in self.charges)

    @property
    def trusted_share(self) -> float | None:
        """The share of `list_total` at trusted prices; None where nothing could be priced."""
        if not self.list_total:
            return None
        trusted = (each.list_cost or 0.0 for each in self.charges if each.meter.is_trusted)
        return math.fsum(trusted) / self.list_total

    @property
    def period(self) -> tuple[datetime, datetime] | None:
        """From the first to the last instant of usage; of all charges where there is none."""
        rows = [each.row for each in self.charges if not each.row.problem]
        rows = [row for row in rows if row.sku.charge not in (PURCHASE, UNUSED)] or rows
        return (min(row.start for row in rows), max(row.end for row in rows)) if rows else None

    @cached_property
    def _used(self) -> list[Charge]:
        return [each for each in self.charges if each.is_rated and each.meter.key is not None]

    @cached_property
    def start(self) -> datetime | None:
        """The full hour at which the rated usage begins: t = 0 of its clock."""
        if not self._used:
            return None
        return min(each.row.start for each in self._used).replace(minute=0, second=0, microsecond=0)

    @cached_property
    def end_s(self) -> float:
        """When the rated usage ends, to the full clock hour, in seconds from its start."""
        if self.start is None:
            return 0.0
        end_s = (max(each.row.end for each in self._used) - self.start).total_seconds()
        return math.ceil(end_s / SECONDS_PER_HOUR) * SECONDS_PER_HOUR

    @property
    def longest_row_s(self) -> float:
        """The longest charge period; beyond an hour, hourly use is known on average only."""
        return max(((each.row.end - each.row.start).total_seconds() for each in self._used), default=0.0)

    def rate_hours(self, commitments: Sequence[Commitment] = ()) -> Rating | None:
        """The bill of the rated hours, with commitments; None where no row has any or no price could be converted."""
        if self.start is None or self.rate is None:
            return None
        hours = tuple(_count_hours(self._used, self.start, round(self.end_s / SECONDS_PER_HOUR)))
        window = np.ones(len(hours[0].billed.hourly))
        return rate_in_full(hours, window, self.catalogue, commitments, start=self.start)

    def differences(self, rating: Rating | None, *, amortized: bool = False) -> list[Beside]:
        """Invoiced and rated by kind; the last row is the total.

        *amortized*: what commitments paid counts at its effective cost, as theirs; their purchases don't count. Otherwise a
        purchase counts if its period doesn't reach beyond the usage: a month's purchase is not set against two days.
        Kinds that the file invoices on one meter are one row, `compute + license`.
        """
        said: dict[str, list[float]] = {}
        for each in self.charges:
            cost, kind = self._cost(each, amortized), _RATING_KIND.get(each.meter.kind, each.meter.kind)
            if amortized and each.row.is_used and each.row.effective is not None:
                kind = COMMITMENT
            if cost is not None:
                said.setdefault(kind, []).append(cost)
        found = self._rated_by_kind(rating)
        none = None if self.rate is None else 0.0
        together = ("compute", "license") if any(len(each.meter.counts) > 1 for each in self._used) else ()
        kinds = [kind for kind in (*METERS, *sorted(said.keys() - METERS.keys())) if kind not in together]
        rows: list[Beside] = [
            (" + ".join(each), math.fsum(c for kind in each for c in said.get(kind, [])), _sum(found.get(kind, none) for kind in each))
            for each in ([together] if together else []) + [(kind,) for kind in kinds]
        ]  # fmt: skip
        return [*rows, (TOTAL, math.fsum(cost for _, cost, _ in rows), _sum(rated for _, _, rated in rows))]

    def _rated_by_kind(self, rating: Rating | None) -> dict[str, float]:
        """The bill of the rated hours by kind, and the rows that only the list knows."""
        if self.rate is None:
            return {}
        bill = Bill(lines=()) if rating is None else rating.bill
        found = {kind: bill.cost(kind) for kind in METERS}
        for each in self.charges:
            if each.is_rated and each.meter.key is None:
                found[each.meter.kind] = found.get(each.meter.kind, 0.0) + (each.list_cost or 0.0)
        return found

    def left_out(self, *, amortized: bool) -> list[Charge]:
        """Charges that no comparison counts: purchases for longer than the usage."""
        return [each for each in self.charges if self._cost(each, amortized) is None]

    def _cost(self, charge: Charge, amortized: bool) -> float | None:
        row = charge.row
        if amortized and row.effective is not None:
            return row.effective
        purchase = row.sku.charge == PURCHASE and charge.meter.kind == COMMITMENT
        used = self.start is None or (row.end - row.start).total_seconds() <= self.end_s + 24 * SECONDS_PER_HOUR
        return None if purchase and not used else row.cost


def _sum(parts: Iterable[float | None]) -> float | None:
    known = list(parts)
    numbers = [part for part in known if part is not None]
    return math.fsum(numbers) if len(numbers) == len(known) else None


def read_invoice(
    path: Path,
    catalogue: Catalogue,
    *,
    region: str = "westeurope",
    exchange_rate: float | None = None,
    seen: Recognised | None = None,
) -> Invoice:
    """Read a cost export and classify its rows; raises UsageError where the file is something else, and says what."""
    seen = recognise(path) if seen is None else seen
    if seen.kind != COST_EXPORT:
        raise refusal(UsageError, path, f"this is {seen.words}", READS)
    return classify(read_export(path, seen), catalogue, region=region, exchange_rate=exchange_rate)


def classify(
    export: Export, catalogue: Catalogue, *, region: str = "westeurope", exchange_rate: float | None = None
) -> Invoice:
    """Find the meter of each row. *region*: where a row names none; *exchange_rate*: instead of the bundled one."""
    how = conversion(catalogue.currency, export.currency, exchange_rate)
    priced = catalogue if how.rate is None else converted(catalogue, export.currency, how.rate)
    classifier = Classifier(priced, region, how.per_usd)
    known: dict[Sku, Meter] = {}
    charges = []
    for row in export.rows:
        meter = known.get(row.sku)
        if meter is None:
            meter = known.setdefault(row.sku, classifier.meter(row.sku))
        if row.problem:
            meter = replace(meter, kind=OTHER, reason=row.problem, price=None, key=None)
        elif meter.is_rated and row.currency not in ("", export.currency):
            meter = replace(meter, kind=OTHER, reason=f"in {row.currency}, not {export.currency}", price=None, key=None)
        charges.append(_charge(row, meter, has_rate=how.rate is not None))
    return Invoice(export=export, charges=tuple(charges), catalogue=priced, conversion=how)


def _charge(row: ExportRow, meter: Meter, *, has_rate: bool) -> Charge:
    quantity = row.quantity * meter.scale
    price = meter.price
    if price is not None and meter.per_month:
        price /= hours_of_month(row.start)
    if price is None or not has_rate:
        return Charge(row, meter, quantity, None, None)
    return Charge(row, meter, quantity, price, quantity * price)


def _count_hours(charges: Sequence[Charge], start: datetime, hours: int) -> Iterator[RatedHours]:
    counters: dict[Key, dict[str, NDArray[np.float64]]] = {}
    for each in charges:
        row, meter = each.row, each.meter
        assert meter.key is not None
        key = meter.key._replace(group=row.group)
        used_h = each.quantity * (hours_of_month(row.start) if meter.unit == "disk month" else 1.0)
        begin = (row.start - start).total_seconds() / SECONDS_PER_HOUR
        end = (row.end - start).total_seconds() / SECONDS_PER_HOUR
        first, last = int(begin), min(hours, math.ceil(end))
        edges = np.clip(np.arange(first, last + 1), begin, end)
        part = np.diff(edges) * (used_h / (end - begin))
        kinds = counters.setdefault(key, {name: np.zeros(hours) for name in ("billed", "licensed", "existing")})
        for name in meter.counts:
            kinds[name][first:last] += part
    sizes = Counter(key.group for key in counters if key.size)
    for key, kinds in counters.items():
        billed, licensed, existing = (
            CountedHours(hourly=kinds[name], total_h=math.fsum(kinds[name]))
            for name in ("billed", "licensed", "existing")
        )
        none = CountedHours(hourly=np.zeros(hours), total_h=0.0)
        group = _group(key, alone=sizes[key.group] == 1)
        yield RatedHours(group=group, billed=billed, licensed=licensed, existing=existing, orphaned=none)


def _group(key: Key, *, alone: bool) -> RatedGroup:
    """The VMs of a tagged group that are all alike carry its name, by which commitments know them."""
    words = [key.size, key.region, key.os, key.priority] if key.size else [key.disk or "public IP", key.region]
    return RatedGroup(
        name=key.group if key.group and key.size and alone else " ".join([key.group, *words]).strip(),
        size=key.size,
        region=key.region,
        os=key.os,
        priority=key.priority,
        disks=(key.disk,) if key.disk else (),
        public_ip=key.address,
    )
