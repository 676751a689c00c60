"""What a cost export has of a period, by meter and day, at list prices; and what can't be compared, with the reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sim.arrays import Floats
from sim.azure import charges
from sim.billing.classify import Meter
from sim.billing.export_rows import ExportRow, Scan, read_export, scan_export
from sim.catalog.catalogue import Catalogue
from sim.catalog.terms import Term
from sim.errors import UsageError
from sim.files import refusal
from sim.recognise import COST_EXPORT, Recognised, recognise

KINDS = ("compute", "license", "disk", "ip")


class MeterKey(NamedTuple):
    """A meter in a region."""

    kind: str
    meter: str
    region: str
    unit: str


@dataclass(slots=True)
class Series:
    """A meter by day: quantity, and cost at list."""

    quantity: Floats
    value: Floats

    @classmethod
    def zeros(cls, days: int) -> "Series":
        """Nothing on any day."""
        return cls(np.zeros(days), np.zeros(days))


@dataclass(slots=True)
class Actual:
    """What the invoice has of the period, and what can't be compared."""

    meters: dict[MeterKey, Series]
    listed: dict[tuple[str, str], list[float]]
    found: charges.Charges
    files: list[str]
    prices: dict[MeterKey, tuple[float, float]]  # list price on the invoice, and here


class _Meters(charges.Reader):
    """Adds rows up by meter and day besides by VM; days outside the period tell only when VMs were there."""

    def __init__(self, catalogue: Catalogue, region: str, first: date, days: int) -> None:
        super().__init__(catalogue, region, lambda key: key)
        self.first, self.days = first, days
        self.meters: dict[MeterKey, Series] = {}
        self.listed: dict[tuple[str, str], list[float]] = {}
        self.prices: dict[MeterKey, tuple[float, float]] = {}

    def metered(self, row: ExportRow, meter: Meter, day: date) -> None:
        place = (day - self.first).days
        if not 0 <= place < self.days:
            return
        reason = meter.reason
        if not reason and meter.kind not in KINDS:
            reason = f"{meter.kind} is no part of a simulation"
        elif not reason and row.quantity < 0:
            reason = "a correction of a charge: what was used stays as first invoiced"
        if reason or meter.price is None:
            self.listed.setdefault((row.sku.product or meter.name, reason or "no list price"), []).append(row.cost)
            return
        quantity = row.quantity * meter.scale
        for key, price in self._parts(meter):
            series = self.meters.setdefault(key, Series.zeros(self.days))
            series.quantity[place] += quantity
            series.value[place] += quantity * price
        if row.list_price and meter.kind == "compute" and len(meter.counts) == 1:
            self.prices[self._parts(meter)[0][0]] = (row.list_price / meter.scale, meter.price)

    def _parts(self, meter: Meter) -> list[tuple[MeterKey, float]]:
        """The meters that a row pays, and their list prices: a Windows hour is the VM's and the licence's."""
        assert meter.price is not None
        if meter.kind != "compute":
            return [(MeterKey(meter.kind, meter.name, meter.region, meter.unit), meter.price)]
        assert meter.key is not None
        key = MeterKey("compute", compute_name(meter.key.size, meter.key.priority), meter.region, meter.unit)
        if len(meter.counts) == 1:
            return [(key, meter.price)]
        licence = MeterKey("license", f"license.windows.{meter.key.size}", meter.region, meter.unit)
        bare = linux_price(self.classifier.catalogue, meter.key.size, meter.region, meter.key.priority)
        return [(key, bare), (licence, meter.price - bare)]


def compute_name(size: str, priority: str) -> str:
    """A size's meter; the machine costs the same whatever runs on it, licences are meters of their own."""
    return f"compute.{size}.linux.{priority}"


def linux_price(catalogue: Catalogue, size: str, region: str, priority: str) -> float:
    """An hour without a licence."""
    return catalogue.price_per_h(size, region, Term.SPOT_LINUX if priority == "spot" else Term.LINUX)


Scanned = tuple[Path, Recognised, Scan]


def scan(paths: Sequence[Path], first: date | None, last: date | None) -> tuple[list[Scanned], date, date, list[str]]:
    """What the exports are of; the period is what they cover unless it is given."""
    scans: list[Scanned] = []
    for path in paths:
        seen = recognise(path)
        if seen.kind != COST_EXPORT:
            raise refusal(UsageError, path, f"this is {seen.words}", "a back-test needs cost exports", field="--actual")
        scans.append((path, seen, scan_export(path, seen)))
    days = sorted({day for _, _, each in scans for _, day in each.days})
    if not days:
        raise refusal(UsageError, paths[0], "it has no charges", field="--actual")
    begin, end = first or days[0], last or days[-1]
    inside = [day for day in days if begin <= day <= end]
    if begin > end or not inside:
        problem, hint = f"no charge is of the days from {begin} to {end}", f"the exports have {days[0]} to {days[-1]}"
        raise refusal(UsageError, "", problem, hint, field="--from, --to")
    return scans, begin, end, [*_without_charges(begin, end, days, inside)]


def _without_charges(begin: date, end: date, days: Sequence[date], inside: Sequence[date]) -> Iterator[str]:
    """Days of the period that would count as free: before the first charge of all, after the last one, and between."""
    before, after = (days[0] - begin).days, (end - days[-1]).days
    for gone, first, last, hint in (
        (before, begin, days[0] - timedelta(days=1), f"--from {days[0]}"),
        (after, days[-1] + timedelta(days=1), end, f"--to {days[-1]}"),
    ):
        if gone > 0:
            what = f"{first}" if gone == 1 else f"{first} to {last}"
            yield f"the exports have no charges of {what}, and what is simulated of then counts as error; {hint} leaves it out"
    every = (min(end, days[-1]) - max(begin, days[0])).days + 1
    if gone := every - len(inside):
        yield f"the invoice has no charges on {gone} of the {every} days that it covers"


def read_actual(scans: Sequence[Scanned], catalogue: Catalogue, region: str, first: date, last: date) -> Actual:
    """The charges of the period by meter and day, each once, whatever exports hold it."""
    reader, files = _Meters(catalogue, region, first, (last - first).days + 1), []
    for place in charges.order([(place, each.format) for place, (_, _, each) in enumerate(scans)]):
        path, seen, each = scans[place]
        if reader.fresh(each.days):
            reader.add(read_export(path, seen), path.name, lambda _: True, each.days)
            files.append(path.name)
    return Actual(reader.meters, reader.listed, reader.finish(), files, reader.prices)
