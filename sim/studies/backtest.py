"""A scenario simulated over a past period, and set against the invoice of that period: how far off, and whether within the range.

Both sides are quantities at list prices, meter by meter and day by day, so that discounts and who got a commitment's benefit
don't blur the comparison. The range is a prediction interval for one period: what one period may bring, and how well the mean is
known from the period that the scenario was made from (Hahn and Meeker, Statistical Intervals, 1991, chapter 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sim.azure import charges
from sim.azure.identity import family
from sim.billing.calendar_months import hours_of_month
from sim.billing.classify import Meter
from sim.billing.disks import month_price, parse_disk
from sim.billing.export_rows import ExportRow, Scan, read_export, scan_export
from sim.billing.hours import RatedHours
from sim.billing.rating import Rating
from sim.catalog.catalogue import Catalogue
from sim.catalog.terms import Term
from sim.errors import Fault, UsageError
from sim.recognise import COST_EXPORT, Recognised, recognise
from sim.runs.atomic_write import new_folder
from sim.runs.digests import PROVENANCE
from sim.runs.provenance import program
from sim.runs.rate_replication import simulate_and_rate
from sim.runs.result_tables import write_json, write_table
from sim.runs.simulation_input import compile_scenario
from sim.scenario.scenario import Scenario, from_dict

Floats = NDArray[np.float64]

FILE = "backtest.json"
KINDS = ("compute", "license", "disk", "ip")
SETTLE_DAYS = 14  # simulated before the period, so that it begins as fleets are
MOST_SETTLE_DAYS = 120
ROUNDING = 1e-4  # of an amount: quantities on invoices are rounded
HOURS = 24


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
    def zeros(cls, days: int) -> Series:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """The answer: both sides by meter and day."""

    scenario: Scenario
    first: date
    last: date
    actual: Actual
    simulated: dict[MeterKey, list[Series]]  # by replication
    fit_days: float
    confidence: float
    replications: int
    seed: int
    currency: str
    warnings: tuple[str, ...] = ()

    @property
    def days(self) -> int:
        """Length of the period."""
        return (self.last - self.first).days + 1

    @property
    def keys(self) -> list[MeterKey]:
        """Every meter of either side."""
        return sorted({*self.actual.meters, *self.simulated}, key=lambda key: (KINDS.index(key.kind), *key))

    def side(self, key: MeterKey) -> tuple[Series, list[Series]]:
        """Both sides of a meter."""
        none = Series.zeros(self.days)
        return self.actual.meters.get(key, none), self.simulated.get(key) or [none] * self.replications

    def compared(self, keys: Sequence[MeterKey], day: int | None = None) -> dict[str, Any]:
        """Both sides of some meters together, over the period or on one day of it."""
        pick = slice(None) if day is None else slice(day, day + 1)
        sides = [self.side(key) for key in keys]
        quantity = math.fsum(float(a.quantity[pick].sum()) for a, _ in sides)
        value = math.fsum(float(a.value[pick].sum()) for a, _ in sides)
        quantities = [math.fsum(float(s[n].quantity[pick].sum()) for _, s in sides) for n in range(self.replications)]
        values = [math.fsum(float(s[n].value[pick].sum()) for _, s in sides) for n in range(self.replications)]
        mean = math.fsum(values) / len(values)
        low, high = prediction(values, 1 if day is not None else self.days, self.fit_days, self.confidence)
        slack = ROUNDING * max(abs(value), abs(mean)) + 1e-9
        return {
            "actual": {"quantity": quantity, "list": value},
            "simulated": {"quantity": math.fsum(quantities) / len(quantities), "list": mean},
            "interval": {"of": "list", "low": low, "high": high},
            "error": mean / value - 1.0 if value else None,
            "inside": None if low is None or high is None else bool(low - slack <= value <= high + slack),
        }  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """The content of `backtest.json`, and what `--json` prints."""
        keys = self.keys
        of_kind = {kind: [key for key in keys if key.kind == kind] for kind in KINDS}
        begin = datetime.combine(self.first, time(), UTC)
        return {
            "scenario": str(self.scenario.path or self.scenario.name), "actual": self.actual.files,
            "period": {"from": begin.isoformat(), "to": (begin + timedelta(days=self.days)).isoformat()},
            "currency": self.currency, "confidence": self.confidence, "replications": self.replications, "seed": self.seed,
            "fitted_on_days": self.fit_days,
            "meters": [
                {"kind": key.kind, "meter": key.meter, "region": key.region, "unit": key.unit, **self.compared([key])} for key in keys
            ],
            "totals": {kind: self.compared(own) for kind, own in of_kind.items()} | {"all": self.compared(keys)},
            "days": [
                {
                    "date": (self.first + timedelta(days=n)).isoformat(), "compute": self.compared(of_kind["compute"], n),
                    "all": self.compared(keys, n),
                }
                for n in range(self.days)
            ],
            "causes": causes(self),
            "not_compared": [
                {"what": what, "reason": reason, "rows": len(costs), "cost": math.fsum(costs)}
                for (what, reason), costs in sorted(self.actual.listed.items(), key=lambda each: -abs(math.fsum(each[1])))
            ],
            "warnings": list(self.warnings),
        }  # fmt: skip

    def write(self, folder: str | Path, summary: dict[str, Any] | None = None) -> Path:
        """Write the result folder: `backtest.json`, the days as a table, and provenance."""
        content = self.summary() if summary is None else summary
        rows = [
            (key.kind, key.meter, key.region, (self.first + timedelta(days=n)).isoformat(), number, float(each.quantity[n]), float(each.value[n]))
            for key in self.keys
            for number, each in enumerate([self.side(key)[0], *self.side(key)[1]], -1)  # -1: the invoice
            for n in range(self.days)
        ]  # fmt: skip
        with new_folder(folder) as place:
            write_json(place / FILE, content)
            write_json(
                place / PROVENANCE,
                {**program(), "study": "backtest", "seed": self.seed, "replications": self.replications},
            )
            write_table(place / "days", ("kind", "meter", "region", "day", "replication", "quantity", "list"), rows)
        return Path(folder)


def prediction(
    values: Sequence[float], days: float, fit_days: float, confidence: float
) -> tuple[float | None, float | None]:
    """A prediction interval for one period of *days*, from replications of it and a mean known from *fit_days*.

    The variance of one period is the replications' own; that of a mean fitted on n days is days / n of it, when days are alike
    and independent. Not less than 0. None with one replication.

    >>> prediction([10.0, 10.0, 10.0], 30, 30, 0.95)
    (10.0, 10.0)
    """
    if len(values) < 2:
        return None, None
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    half = (
        float(stats.t.ppf((1 + confidence) / 2, len(values) - 1))
        * sd
        * math.sqrt(1 + 1 / len(values) + days / fit_days)
    )
    return max(0.0, mean - half), mean + half


# --- what was invoiced


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
            raise UsageError(
                [
                    Fault(
                        field="--actual",
                        problem=f"this is {seen.words}",
                        hint="a back-test needs cost exports",
                        file=str(path),
                    )
                ]
            )
        scans.append((path, seen, scan_export(path, seen)))
    days = sorted({day for _, _, each in scans for _, day in each.days})
    if not days:
        raise UsageError([Fault(field="--actual", problem="it has no charges", file=str(paths[0]))])
    begin, end = first or days[0], last or days[-1]
    inside = [day for day in days if begin <= day <= end]
    if begin > end or not inside:
        raise UsageError(
            [
                Fault(
                    field="--from, --to",
                    problem=f"no charge is of the days from {begin} to {end}",
                    hint=f"the exports have {days[0]} to {days[-1]}",
                )
            ]
        )
    gone = (end - begin).days + 1 - len(inside)
    return (
        scans,
        begin,
        end,
        [f"the invoice has no charges on {gone} of the {(end - begin).days + 1} days"] if gone else [],
    )


def read_actual(scans: Sequence[Scanned], catalogue: Catalogue, region: str, first: date, last: date) -> Actual:
    """The charges of the period by meter and day, each once, whatever exports hold it."""
    reader, files = _Meters(catalogue, region, first, (last - first).days + 1), []
    for place in charges.order([(place, each.format) for place, (_, _, each) in enumerate(scans)]):
        path, seen, each = scans[place]
        if reader.fresh(each.days):
            reader.add(read_export(path, seen), path.name, lambda _: True, each.days)
            files.append(path.name)
    return Actual(reader.meters, reader.listed, reader.finish(), files, reader.prices)


# --- what is simulated


def backtest(
    scenario: Scenario, paths: Sequence[Path], *, first: date | None = None, last: date | None = None,
    replications: int | None = None, seed: int | None = None,
) -> Backtest:  # fmt: skip
    """Simulate a past period and compare it with its invoice; raises UsageError where there is no such invoice."""
    scans, begin, end, warnings = scan(paths, first, last)
    moved, before = over_period(scenario, begin, end)
    inputs, days = compile_scenario(moved), (end - begin).days + 1
    actual = read_actual(scans, inputs.catalogue, moved.prices.region, begin, end)
    if actual.found.currency != inputs.catalogue.currency:
        warnings.append(
            f"the invoice is in {actual.found.currency}: both sides are quantities at list prices in {inputs.catalogue.currency}"
        )
    count = scenario.replications if replications is None else replications
    chosen = scenario.seed if seed is None else seed
    found: dict[MeterKey, list[Series]] = {}
    for number in range(count):
        rating = simulate_and_rate(inputs, chosen, number).rating
        for key, series in by_meter(rating, inputs.catalogue, begin, before, days).items():
            own = found.setdefault(key, [Series.zeros(days) for _ in range(count)])
            own[number] = series
    own_start = scenario.start.astimezone(UTC).date()
    own_end = (scenario.start + timedelta(seconds=scenario.horizon_s)).astimezone(UTC).date()
    if own_start <= begin < own_end:
        warnings.append(
            "the period lies in the one that the scenario is of: if it was made from it, this shows the fit and no forecast"
        )
    return Backtest(
        scenario=scenario, first=begin, last=end, actual=actual, simulated=found, fit_days=max(1.0, scenario.horizon_s / 86_400),
        confidence=scenario.confidence, replications=count, seed=chosen, currency=inputs.catalogue.currency, warnings=tuple(warnings),
    )  # fmt: skip


def over_period(scenario: Scenario, first: date, last: date) -> tuple[Scenario, int]:
    """The scenario over another period, settled before it begins and without commitments; and the days of settling.

    Where the scenario's own start lies before the period it begins there, so that what it replays is where it was.
    """
    begin = datetime.combine(first, time(), UTC)
    start = scenario.start.astimezone(UTC)
    if not (start <= begin and begin - start <= timedelta(days=MOST_SETTLE_DAYS) and start.time() == time()):
        start = begin - timedelta(days=SETTLE_DAYS)
    document = scenario.document
    document |= {"start": start, "horizon": f"{(last - start.date()).days + 1}d"}
    for key in ("commitment", "warm_up"):
        document.pop(key, None)
    document.get("prices", {}).pop("discount", None)
    for group in document.get("group", []):
        if isinstance(group.get("trace", {}).get("origin"), datetime):
            group["trace"]["origin"] = start
    folder = scenario.path.parent if scenario.path else Path()
    return from_dict(document, folder=folder), (begin - start).days


def by_meter(rating: Rating, catalogue: Catalogue, first: date, before: int, days: int) -> dict[MeterKey, Series]:
    """A replication's hours by meter and day, at list."""
    found: dict[MeterKey, Series] = {}
    months = np.array(
        [hours_of_month(datetime.combine(first + timedelta(days=n), time(), UTC)) for n in range(days)],
        dtype=np.float64,
    )

    def add(key: MeterKey, quantity: Floats, price: float) -> None:
        series = found.setdefault(key, Series.zeros(days))
        series.quantity += quantity
        series.value += quantity * price

    for own in rating.hours:
        _add_group(own, catalogue, lambda hourly: _by_day(hourly, before, days), months, add)
    return found


def _add_group(own: RatedHours, catalogue: Catalogue, by_day: Any, months: Floats, add: Any) -> None:
    group = own.group
    if group.size:
        price = linux_price(catalogue, group.size, group.region, group.priority)
        add(
            MeterKey("compute", compute_name(group.size, group.priority), group.region, "VM hour"),
            by_day(own.billed.hourly),
            price,
        )
    if group.size and group.is_licensed:
        licence = catalogue.licence_per_h(group.size, group.region, priority=group.priority)
        add(
            MeterKey("license", f"license.windows.{group.size}", group.region, "VM hour"),
            by_day(own.licensed.hourly),
            licence,
        )
    existing = by_day(own.existing.hourly) + by_day(own.orphaned.hourly)
    for disk in group.disks:
        tier = catalogue.disk(parse_disk(disk), group.region).tier
        add(
            MeterKey("disk", f"disk.{tier}", group.region, "disk month"),
            existing / months,
            month_price(catalogue, disk, group.region),
        )
    if group.public_ip:
        add(
            MeterKey("ip", "network.public_ip", group.region, "address hour"),
            by_day(own.existing.hourly),
            catalogue.public_ip_per_h(group.region),
        )


def _by_day(hourly: Floats, before: int, days: int) -> Floats:
    inside = np.zeros(HOURS * days)
    part = hourly[HOURS * before : HOURS * (before + days)]
    inside[: len(part)] = part
    return np.asarray(inside.reshape(days, HOURS).sum(axis=1))


# --- why


def causes(found: Backtest) -> list[dict[str, Any]]:
    """What can be named: VMs that came or went, meters that one side doesn't have, prices that changed, days outside the range."""
    rows: list[dict[str, Any]] = [*_moved_vms(found)]
    for key in found.keys:
        actual, simulated = found.side(key)
        value, mean = float(actual.value.sum()), float(np.mean([each.value.sum() for each in simulated]))
        if value and not mean:
            rows.append({"cause": "not in the scenario", "what": f"{key.meter} in {key.region}", "list": value})
        elif mean and not value:
            rows.append({"cause": "not on the invoice", "what": f"{key.meter} in {key.region}", "list": -mean})
    for key, (theirs, ours) in sorted(found.actual.prices.items()):
        if found.actual.found.currency == found.currency and abs(theirs / ours - 1) > 0.005:
            what = f"{key.meter} in {key.region}: {theirs:g} on the invoice, {ours:g} in the list"
            rows.append({"cause": "another price", "what": what, "list": None})
    rows += _drift(found)
    return rows


def _moved_vms(found: Backtest) -> list[dict[str, Any]]:
    """VMs whose first hours lie in the period, those of one name but for its number together."""
    uses = found.actual.found.vms
    if min((day for use in uses.values() for day in use.hours), default=found.first) >= found.first:
        return []  # the exports begin with the period: nothing tells who was there before
    new: dict[str, list[float]] = {}
    for key, use in sorted(uses.items()):
        days = [day for day, hours in use.hours.items() if hours > 0]
        if days and found.first <= min(days) <= found.last:
            hours = math.fsum(hours for day, hours in use.hours.items() if found.first <= day <= found.last)
            new.setdefault(family(key.name), []).append(hours)
    return [
        {
            "cause": "VMs that did not exist before",
            "what": f"{len(hours)} named {name}...: {math.fsum(hours):,.1f} h", "list": None,
        }
        for name, hours in new.items()
    ]  # fmt: skip


def _drift(found: Backtest) -> list[dict[str, Any]]:
    """Days on which compute is outside its range."""
    keys = [key for key in found.keys if key.kind == "compute"]
    rows = []
    for n in range(found.days):
        each = found.compared(keys, n)
        if each["inside"] is False:
            day = found.first + timedelta(days=n)
            off = each["actual"]["list"] - each["simulated"]["list"]
            rows.append(
                {
                    "cause": "a day outside its range",
                    "what": f"{day:%a} {day}: compute {off:+,.2f} {found.currency} beside the simulated mean",
                    "list": off,
                }
            )
    return rows
