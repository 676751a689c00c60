"""A scenario simulated over a past period, and set against the invoice of that period: how far off, and whether within the range.

Both sides are quantities at list prices, meter by meter and day by day, so that discounts and who got a commitment's benefit
don't blur the comparison. The range is a prediction interval for one period: what one period may bring, and how well the mean is
known from the period that the scenario was made from (Hahn and Meeker, Statistical Intervals, 1991, chapter 4).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from sim.azure.identity import family
from sim.billing.hours import RatedHours
from sim.model.plan import FleetPlan
from sim.runs.atomic_write import new_folder
from sim.runs.digests import PROVENANCE
from sim.runs.provenance import program
from sim.runs.rate_replication import simulate_and_rate
from sim.runs.result_tables import write_json, write_table
from sim.runs.simulation_input import compile_scenario
from sim.scenario.scenario import Scenario, from_dict
from sim.studies.invoiced_meters import KINDS, Actual, MeterKey, Series, read_actual, scan
from sim.studies.simulated_meters import HOURS, Period, by_meter
from sim.units import SECONDS_PER_HOUR

FILE = "backtest.json"
SETTLE_DAYS = 14  # simulated before the period, so that it begins as fleets are
MOST_SETTLE_DAYS = 120
ROUNDING = 1e-4  # of an amount: quantities on invoices are rounded


@dataclass(frozen=True, slots=True)
class Replayed:
    """A group whose VMs are replayed one by one: how many of them are in the period, and how often some came or went before it."""

    count: int
    changes: int
    uses: dict[MeterKey, Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """The answer: both sides by meter and day."""

    scenario: Scenario
    first: date
    last: date
    actual: Actual
    simulated: dict[MeterKey, list[Series]]  # by replication
    replayed: Mapping[str, Replayed]  # by group
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
        low, high = prediction(
            values,
            1 if day is not None else self.days,
            self.fit_days,
            self.confidence,
            self._chance_of_change(keys, day),
        )
        slack = ROUNDING * max(abs(value), abs(mean)) + 1e-9
        return {
            "actual": {"quantity": quantity, "list": value},
            "simulated": {"quantity": math.fsum(quantities) / len(quantities), "list": mean},
            "interval": {"of": "list", "low": low, "high": high},
            "error": mean / value - 1.0 if value else None,
            "inside": None if low is None or high is None else bool(low - slack <= value <= high + slack),
        }  # fmt: skip

    def _chance_of_change(self, keys: Sequence[MeterKey], day: int | None) -> float:
        """The variance that replications don't show: VMs that are replayed one by one come and go for reasons that no file says.

        They are taken to go on coming and going as often as in the period that the scenario is of, a Poisson process: by the
        middle of day n each of the expected changes counts as one VM's use of a day, over the whole period as a third of the
        square of one VM's use (changes at uniform instants).
        """
        pick = slice(None) if day is None else slice(day, day + 1)
        times = self.days / 3 if day is None else day + 0.5
        total = 0.0
        for each in self.replayed.values():
            value = math.fsum(float(each.uses[key].value[pick].sum()) for key in keys if key in each.uses)
            total += each.changes / self.fit_days * times * (value / each.count) ** 2
        return total

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
            write_table(place / "backtest", ("kind", "meter", "region", "day", "replication", "quantity", "list"), rows)
        return Path(folder)


def prediction(
    values: Sequence[float], days: float, fit_days: float, confidence: float, more: float = 0.0
) -> tuple[float | None, float | None]:
    """A prediction interval for one period of *days*, from replications of it and a mean known from *fit_days*.

    The variance of one period is the replications' own; that of a mean fitted on n days is days / n of it, when days are alike
    and independent; *more* is what replications don't show. Not less than 0. None with one replication.

    >>> prediction([10.0, 10.0, 10.0], 30, 30, 0.95)
    (10.0, 10.0)
    """
    if len(values) < 2:
        return None, None
    mean, variance = float(np.mean(values)), float(np.var(values, ddof=1))
    sd = math.sqrt(variance * (1 + 1 / len(values) + days / fit_days) + more)
    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * sd
    return max(0.0, mean - half), mean + half


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
    period = Period(inputs.catalogue, begin, before, days)
    replayed: Mapping[str, Replayed] = {}
    for number in range(count):
        rating = simulate_and_rate(inputs, chosen, number).rating
        for key, series in by_meter(rating.hours, period).items():
            own = found.setdefault(key, [Series.zeros(days) for _ in range(count)])
            own[number] = series
        if not number:  # each replication has the same
            replayed = _replayed(inputs.plan, rating.hours, scenario.horizon_s, period)
    own_start = scenario.start.astimezone(UTC).date()
    own_end = (scenario.start + timedelta(seconds=scenario.horizon_s)).astimezone(UTC).date()
    if own_start <= begin < own_end:
        warnings.append(
            "the period lies in the one that the scenario is of: if it was made from it, this shows the fit and no forecast"
        )
    return Backtest(
        scenario=scenario, first=begin, last=end, actual=actual, simulated=found, replayed=replayed, fit_days=max(1.0, scenario.horizon_s / 86_400),
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


def _replayed(plan: FleetPlan, hours: Sequence[RatedHours], own_end_s: float, in_period: Period) -> dict[str, Replayed]:
    """Groups whose VMs are replayed one by one; *own_end_s*: how long the fleet was watched, from t = 0."""
    found = {}
    for group, own in zip(plan.groups, hours, strict=True):
        lives = group.demand.recorded_lifetimes_s
        born = getattr(group.demand, "born_s", ())
        begin_s = SECONDS_PER_HOUR * HOURS * in_period.before
        count = sum(b < plan.horizon_s and b + life > begin_s for b, life in zip(born, lives, strict=True))
        changes = sum(b > 0 for b in born) + sum(b + life < own_end_s for b, life in zip(born, lives, strict=True))
        if count and lives:
            found[group.name] = Replayed(count, changes, by_meter([own], in_period))
    return found


# --- why


def causes(found: Backtest) -> list[dict[str, Any]]:
    """Known causes: VMs that came or went, meters that one side doesn't have, prices that changed, days outside the range."""
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
    return rows + _unpriced(found) + _drift(found)


def _unpriced(found: Backtest) -> list[dict[str, Any]]:
    """VMs of sizes that the list doesn't have: their hours are not compared, their disks and addresses are."""
    known = found.scenario.catalogue().sizes
    rows = []
    for key, use in sorted(found.actual.found.vms.items()):
        hours = math.fsum(hours for day, hours in use.hours.items() if found.first <= day <= found.last)
        if hours and use.sizes and not set(use.sizes) & known.keys():
            what = f"{key.name} ({', '.join(use.sizes)}): its disks and addresses are on the invoice alone"
            rows.append({"cause": "a VM without a list price", "what": what, "list": None})
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
