"""What a result folder says about a fleet: read once, checked, and handed to figures and page as plain numbers."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from sim.errors import ResultError
from sim.lifecycle.power import PowerState
from sim.report.columns import column, read_table
from sim.report.commitment_data import CommitmentUse, UptimeRow, read_commitments, read_uptimes

Floats = npt.NDArray[np.float64]
FLEET = ""  # the group name under which tables keep the whole fleet
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

    @property
    def has_interval(self) -> bool:
        """Whether more than one replication stands behind the mean."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line of the mean invoice."""

    group: str
    meter: str
    quantity: float
    unit: str
    unit_price: float
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What one VM was in, and from when, in the first replication; state None: it doesn't exist."""

    vm: str
    moves: tuple[tuple[float, PowerState | None], ...]  # seconds from start


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything the report may say; nothing here was computed from anything but the folder."""

    folder: Path
    summary: Mapping[str, Any]
    scenario: Mapping[str, Any]  # the scenario file's own keys, empty when the folder has none
    provenance: Mapping[str, Any]
    own_start: datetime | None  # as the scenario writes it
    start: datetime | None  # the same instant on the clocks of the fleet's users
    zone_name: str
    fleet: Mapping[str, Stat]
    groups: Mapping[str, Mapping[str, Stat]]
    outcomes: Mapping[tuple[str, str], Floats]  # (group, metric): one value a replication
    numbers: npt.NDArray[np.int64]  # of the replications played; an interrupted run may lack some
    bill: tuple[BillLine, ...]
    lives: tuple[Life, ...]
    commitments: tuple[CommitmentUse, ...] = ()
    uptimes: tuple[UptimeRow, ...] = ()

    @property
    def name(self) -> str:
        """The scenario's name."""
        scenario = self.summary.get("scenario", "")
        return str(scenario.get("name", "")) if isinstance(scenario, Mapping) else str(scenario)

    @property
    def seed(self) -> int:
        """The seed all replications derive from."""
        return int(self.summary["seed"])

    @property
    def replications(self) -> int:
        """How many independent months were played."""
        return int(self.summary["replications"])

    @property
    def horizon_h(self) -> float:
        """Hours from the start to the end of the run."""
        return float(self.summary["horizon_h"])

    @property
    def warm_up_h(self) -> float:
        """Hours at the beginning that are left out of every figure."""
        if "warm_up_h" in self.summary:
            return float(self.summary["warm_up_h"])
        from sim.units import parse_duration

        text = str(self.scenario.get("warm_up", "0s"))
        return 0.0 if text == "auto" else parse_duration(text) / 3600.0

    @property
    def policy(self) -> str:
        """The billing policy the hours were billed under."""
        return str(self.summary["billing_policy"])

    @property
    def engine(self) -> str:
        """Which walker played the lives."""
        return str(self.summary.get("engine", ""))

    @property
    def confidence(self) -> float:
        """The level of every interval."""
        return float(self.summary.get("confidence", self.scenario.get("confidence", 0.95)))

    @property
    def currency(self) -> str:
        """The unit of money."""
        prices = self.scenario.get("prices", {})
        return str(self.summary.get("currency", prices.get("currency", "USD")))

    def mean(self, metric: str, group: str = FLEET) -> float:
        """A metric's mean, zero where the folder doesn't have it."""
        stat = (self.fleet if group == FLEET else self.groups[group]).get(metric)
        return stat.mean if stat is not None else 0.0


def read(folder: Path) -> Findings:
    """Read a result folder; only `summary.json` must be there, and what is missing is missing in the report."""
    summary = read_json(folder / "summary.json")
    if summary is None:
        raise ResultError(f"{folder}: no summary.json here; give the folder that `vmfleet run` wrote")
    for key in ("seed", "replications", "horizon_h", "billing_policy", "metrics"):
        if key not in summary:
            raise ResultError(f"{folder / 'summary.json'}: no {key!r}; was it written by `vmfleet run`?")
    provenance = read_json(folder / "provenance.json") or {}
    scenario = _read_scenario(folder)
    outcomes, numbers = _read_outcomes(folder, int(summary["replications"]))
    groups = {
        str(group): _stats(str(group), entry["metrics"], outcomes) for group, entry in summary.get("groups", {}).items()
    }
    own_start = _start(summary, scenario, provenance)
    start, zone_name = _on_local_clock(own_start, scenario)
    return Findings(
        folder=folder,
        summary=summary,
        scenario=scenario,
        provenance=provenance,
        own_start=own_start,
        start=start,
        zone_name=zone_name,
        fleet=_stats(FLEET, summary["metrics"], outcomes),
        groups=groups,
        outcomes=outcomes,
        numbers=numbers,
        bill=_read_bill(folder, int(summary["replications"])),
        lives=_read_lives(folder),
        commitments=read_commitments(folder),
        uptimes=read_uptimes(folder, int(summary["replications"])),
    )


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object of the folder; None when there is no such file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultError(f"{path}: can't be read: {error.strerror}") from error
    try:
        made = json.loads(text)
    except json.JSONDecodeError as error:
        raise ResultError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    if not isinstance(made, dict):
        raise ResultError(f"{path}: a JSON object is expected, this is a {type(made).__name__}")
    return made


def _read_scenario(folder: Path) -> dict[str, Any]:
    path = folder / "scenario.toml"
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ResultError(f"{path}: not TOML: {error}") from error


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
        try:
            return start.astimezone(ZoneInfo(name)), name
        except (ZoneInfoNotFoundError, ValueError):
            return start, _offset_name(start)
    return start, _offset_name(start)


def _offset_name(start: datetime) -> str:
    offset = start.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    if minutes == 0:
        return "UTC"
    return f"UTC{'+' if minutes > 0 else '-'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _number(entry: Mapping[str, Any], key: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    return float(value) if math.isfinite(float(value)) else None


def _stats(group: str, metrics: Mapping[str, Any], outcomes: Mapping[tuple[str, str], Floats]) -> dict[str, Stat]:
    made: dict[str, Stat] = {}
    for name, entry in metrics.items():
        mean = _number(entry, "mean")
        if mean is None:
            continue  # a share of nothing: there is no such number
        several = int(entry.get("n", 1)) > 1
        low, high = _number(entry, "p05"), _number(entry, "p95")
        values = outcomes.get((group, name))
        if low is None and values is not None and values.size > 1 and np.isfinite(values).all():
            low, high = (float(bound) for bound in np.quantile(values, RANGE))
        made[name] = Stat(
            mean=mean,
            low=_number(entry, "low") if several else None,
            high=_number(entry, "high") if several else None,
            n=int(entry.get("n", 1)),
            p05=low if several else None,
            p95=high if several else None,
            p50=_number(entry, "p50"),
            p90=_number(entry, "p90"),
            p99=_number(entry, "p99"),
        )
    return made


def _read_outcomes(folder: Path, replications: int) -> tuple[dict[tuple[str, str], Floats], npt.NDArray[np.int64]]:
    table = read_table(folder / "replications.parquet", ("replication", "group", "metric", "value"))
    if table is None or table.num_rows == 0:
        return {}, np.arange(replications)
    replication = np.asarray(column(table, "replication"), dtype=np.int64)
    numbers = np.unique(replication)
    if len(numbers) != replications:
        raise ResultError(
            f"{folder}: replications.parquet holds {len(numbers)} replications, summary.json says {replications}"
        )
    group, group_names = column(table, "group")
    metric, metric_names = column(table, "metric")
    value = np.asarray(column(table, "value"), dtype=np.float64)
    key = np.asarray(group, dtype=np.int64) * len(metric_names) + metric
    order = np.lexsort((replication, key))
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    starts = np.concatenate(([0], cuts))
    made = {
        (str(group_names[group[rows[0]]]), str(metric_names[metric[rows[0]]])): value[rows]
        for rows in np.split(order, starts[1:])
    }
    return made, numbers


def _read_bill(folder: Path, replications: int) -> tuple[BillLine, ...]:
    """The mean invoice: quantities and amounts of a line averaged over all replications, absent ones counted as zero."""
    names = ("group", "meter", "quantity", "unit", "unit_price", "amount")
    table = read_table(folder / "bill.parquet", names)
    if table is None:
        return ()
    coded = {name: column(table, name) for name in names}
    price = np.asarray(coded["unit_price"], dtype=np.float64)
    prices, price_code = np.unique(price, return_inverse=True)
    keys = np.stack([coded[name][0] for name in ("group", "meter", "unit")] + [price_code], axis=1)
    lines, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    quantity = np.bincount(of.ravel(), weights=coded["quantity"], minlength=len(lines)) / replications
    amount = np.bincount(of.ravel(), weights=coded["amount"], minlength=len(lines)) / replications
    return tuple(
        BillLine(
            group=str(coded["group"][1][lines[i][0]]),
            meter=str(coded["meter"][1][lines[i][1]]),
            unit=str(coded["unit"][1][lines[i][2]]),
            unit_price=float(prices[lines[i][3]]),
            quantity=float(quantity[i]),
            amount=float(amount[i]),
        )
        for i in np.argsort(first, kind="stable")  # in the order in which the rating wrote them
    )


def _read_lives(folder: Path) -> tuple[Life, ...]:
    table = read_table(folder / "lives.parquet", ("vm", "t_s", "state"))
    if table is None:
        return ()
    vm, vm_names = column(table, "vm")
    state, state_names = column(table, "state")
    t_s = np.asarray(column(table, "t_s"), dtype=np.float64)
    known = {str(each): each for each in PowerState}
    moves: dict[str, list[tuple[float, PowerState | None]]] = {}
    for i in range(len(t_s)):  # row order is the order of the moves, also within one instant
        moves.setdefault(str(vm_names[vm[i]]), []).append((float(t_s[i]), known.get(str(state_names[state[i]]))))
    return tuple(Life(vm=name, moves=tuple(story)) for name, story in moves.items())
