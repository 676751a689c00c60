"""What a result folder says about a fleet: read once, checked, and handed to figures and page as plain numbers."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from sim.errors import ResultError
from sim.fields.metrics import Forms
from sim.runs import results
from sim.runs.metrics import FLEET
from sim.runs.results import StoredResult
from sim.statistics.quantiles import replications_for
from sim.units import parse_duration

RANGE = (0.05, 0.95)  # the range of outcomes that is shown beside every interval of a mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One metric over the replications: its mean, the interval of that mean, and the range of single outcomes."""

    mean: float
    low: float | None = None
    high: float | None = None
    n: int = 1
    p05: float | None = None
    p95: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None

    def scaled(self, times: float) -> "Stat":
        """The same in another unit."""
        rest = (self.low, self.high, self.p05, self.p95, self.p50, self.p90, self.p99)
        low, high, p05, p95, p50, p90, p99 = (None if value is None else value * times for value in rest)
        return Stat(mean=self.mean * times, low=low, high=high, n=self.n, p05=p05, p95=p95, p50=p50, p90=p90, p99=p99)

    @property
    def has_interval(self) -> bool:
        """Whether more than one replication stands behind the mean."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """Everything the report may say; nothing here was computed from anything but the folder."""

    stored: StoredResult
    name: str  # of the scenario
    title: str  # what people call it: its title, else its name
    description: str
    seed: int
    replications: int
    horizon_h: float  # from the start to the end of the run
    warm_up_h: float  # at the beginning, left out of every figure
    policy: str  # the billing policy
    engine: str  # the one that ran
    confidence: float  # the level of every interval
    currency: str
    own_start: datetime | None  # as the scenario writes it
    start: datetime | None  # the same instant on the clocks of the fleet's users
    zone_name: str
    fleet: Mapping[str, Stat]
    groups: Mapping[str, Mapping[str, Stat]]

    @property
    def forms(self) -> Forms:
        """How the figures of this result are written."""
        return Forms(currency=self.currency, means={name: stat.mean for name, stat in self.fleet.items()})

    @property
    def counted_h(self) -> float:
        """The hours that every figure is of: without the warm-up."""
        return self.horizon_h - self.warm_up_h

    def mean(self, metric: str, group: str = FLEET) -> float:
        """A metric's mean, zero where the folder doesn't have it."""
        stat = (self.fleet if group == FLEET else self.groups[group]).get(metric)
        return stat.mean if stat is not None else 0.0

    def averaged(self, what: str) -> str:
        """The label of an axis; of several replications it says that they are averaged."""
        return f"{what} (mean over replications)" if self.replications > 1 else what

    def idle_compute(self, group: str) -> float:
        """What a group's idle hours cost in compute: it has one price, so its compute is parted as its billed hours are."""
        billed = self.mean("billed_hours", group)
        return self.mean("cost.compute", group) * self.mean("wasted_hours", group) / billed if billed else 0.0


def read(folder: Path) -> ReportedRun:
    """Read a result folder; only `summary.json` must be there, and what is missing is missing in the report."""
    stored = results.read(folder)
    summary, scenario = stored.summary, stored.scenario
    own_start = _start(summary, scenario, stored.provenance)
    start, zone_name = _on_local_clock(own_start, scenario)
    named = summary.get("scenario", "")
    name = str(named.get("name", "") if isinstance(named, Mapping) else named)
    horizon_h = float(summary["horizon_h"])
    if not 0.0 < horizon_h < math.inf:
        raise ResultError(f"{folder}: horizon_h in its summary.json is {horizon_h:g}; it is a number of hours above 0")
    return ReportedRun(
        stored=stored,
        name=name,
        title=str(scenario.get("title") or name),
        description=str(scenario.get("description") or "").strip(),
        seed=int(summary["seed"]),
        replications=int(summary["replications"]),
        horizon_h=horizon_h,
        warm_up_h=_warm_up_h(summary, scenario),
        policy=str(summary["billing_policy"]),
        engine=str(summary.get("engine", "")),
        confidence=float(summary.get("confidence", scenario.get("confidence", 0.95))),
        currency=str(summary.get("currency", scenario.get("prices", {}).get("currency", "USD"))),
        own_start=own_start,
        start=start,
        zone_name=zone_name,
        fleet=_stats(FLEET, summary["metrics"], stored),
        groups={
            str(group): _stats(str(group), entry["metrics"], stored)
            for group, entry in summary.get("groups", {}).items()
        },
    )


def _warm_up_h(summary: Mapping[str, Any], scenario: Mapping[str, Any]) -> float:
    if "warm_up_h" in summary:
        return float(summary["warm_up_h"])
    text = str(scenario.get("warm_up", "0s"))
    return 0.0 if text == "auto" else parse_duration(text) / 3600.0


def _start(summary: Mapping[str, Any], scenario: Mapping[str, Any], provenance: Mapping[str, Any]) -> datetime | None:
    """The wall-clock instant of t = 0; None in a folder that doesn't say."""
    said = summary.get("start") or provenance.get("start") or scenario.get("start")
    if said is None:
        return None
    start = said if isinstance(said, datetime) else datetime.fromisoformat(str(said))
    return start if start.tzinfo is not None else start.replace(tzinfo=UTC)


def _on_local_clock(start: datetime | None, scenario: Mapping[str, Any]) -> tuple[datetime | None, str]:
    """The start in the zone of the fleet's schedules if they agree on one, else in its own; and the zone's name."""
    if start is None:
        return None, ""
    zones = {
        str(group["schedule"].get("time_zone", "UTC"))
        for group in scenario.get("group", [])
        if isinstance(group.get("schedule"), Mapping)
    }
    if len(zones) == 1:
        name = zones.pop()
        with suppress(ZoneInfoNotFoundError, ValueError):
            return start.astimezone(ZoneInfo(name)), name
    return start, _offset_name(start)


def _offset_name(start: datetime) -> str:
    offset = start.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    if minutes == 0:
        return "UTC"
    return f"UTC{'+' if minutes > 0 else '-'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _number(entry: Mapping[str, Any], key: str) -> float | None:
    value = entry.get(key)
    return float(value) if value is not None and math.isfinite(float(value)) else None


def _stats(group: str, metrics: Mapping[str, Any], stored: StoredResult) -> dict[str, Stat]:
    made: dict[str, Stat] = {}
    for name, entry in metrics.items():
        mean = _number(entry, "mean")
        if mean is None:
            continue  # a share of nothing: there is no such number
        n = int(entry.get("n", 1))
        low, high = _number(entry, "p05"), _number(entry, "p95")
        values = None if "p05" in entry else stored.outcome(name, group)
        if values is not None and values.size >= replications_for(RANGE[0]) and np.isfinite(values).all():
            low, high = (float(bound) for bound in np.quantile(values, RANGE))
        of_one = {key: _number(entry, key) for key in ("p50", "p90", "p99")}
        of_several = {"low": _number(entry, "low"), "high": _number(entry, "high"), "p05": low, "p95": high}
        made[name] = Stat(mean=mean, n=n, **of_one, **(of_several if n > 1 else {}))
    return made
