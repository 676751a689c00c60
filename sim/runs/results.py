"""Reads the result folder of a run: the one reader, used by scripts, the report and `vmfleet bill`.

`summary.json` must be there; tables are read when needed, and a missing one is empty (None for the timeline).
"""

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sim import files
from sim.arrays import Floats
from sim.billing.meters import BillLine
from sim.billing.money import NANO_PER_USD
from sim.errors import ResultError
from sim.fields.numbers import how_many
from sim.lifecycle.power import PowerState
from sim.runs import arrow, remote
from sim.runs.atomic_write import SUMMARY
from sim.runs.digests import PROVENANCE
from sim.runs.frames import DataFrame
from sim.runs.metrics import FLEET, RATIOS, check_metric, html_table
from sim.runs.pictures import Pictured
from sim.runs.workplace import PROGRAM

MOST_DRAWN = 1_000  # replications behind a figure over time: more don't move what it shows
BILL_COLUMNS = ("group", "meter", "unit", "unit_price", "quantity", "amount")
NEEDED = ("scenario", "seed", "replications", "horizon_h", "billing_policy", "metrics")  # in summary.json


@dataclass(frozen=True, slots=True, kw_only=True)
class VmTimeline:
    """The power states of one VM in replication 0, each with the second in which it began; None: it doesn't exist."""

    vm: str
    moves: tuple[tuple[float, PowerState | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentHours:
    """One commitment in replication 0, by clock hour, in its own unit: what was bought, and what of it was used."""

    name: str
    unit: str
    first_hour: int  # as in `Timeline`
    bought: Floats
    used: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class UptimeRow:
    """One deployment (or all single VMs of a group) in one month: means over the replications, and the worst of them."""

    month: str
    name: str
    deployment: str
    deployments: float
    promised: float | None
    uptime: float
    worst: float
    breaches: float
    credit: float


@dataclass(frozen=True, kw_only=True)
class StoredResult(Pictured):
    """A result folder on the disk; tables are read when needed."""

    folder: Path
    summary: Mapping[str, Any]
    provenance: Mapping[str, Any]
    _outcomes: dict[tuple[str, str], Floats | None] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def replications(self) -> DataFrame:
        """replication, group, metric, value; group "" is the whole fleet."""
        return self._frame("replications")

    def frame(self) -> DataFrame:
        """The same, under the name that every answer has for it."""
        return self.replications

    @cached_property
    def bill(self) -> DataFrame:
        """replication, group, meter, quantity, unit, unit_price, amount."""
        return self._frame("bill")

    @cached_property
    def timeline(self) -> DataFrame:
        """replication, group, hour, state, vms."""
        return self._frame("timeline")

    @cached_property
    def events(self) -> DataFrame:
        """replication, t_s, vm, kind, from, to, operation, code; only of runs that kept them."""
        return self._frame("events")

    @cached_property
    def scenario(self) -> Mapping[str, Any]:
        """The scenario file as a TOML reader gives it; empty if the folder has none."""
        path = self.folder / "scenario.toml"
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ResultError(f"{path}: not TOML: {error}") from error

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Numbers of the replications in the folder."""
        tables = row_groups(self.folder / "replications.parquet", "replication")
        found = [np.unique(column(table, "replication").astype(np.int64)) for table in tables]
        return np.unique(np.concatenate(found)) if found else np.arange(int(self.summary["replications"]))

    def outcome(self, metric: str, group: str = FLEET) -> Floats | None:
        """The metric in each replication, without the other metrics; None where the folder doesn't have it."""
        if (group, metric) in self._outcomes:
            return self._outcomes[group, metric]
        stated, found = int(self.summary["replications"]), []
        if len(self.numbers) != stated:
            raise ResultError(
                f"{self.folder}: replications.parquet holds {how_many(len(self.numbers), 'replication')}, "
                f"summary.json says {stated}"
            )
        path, words = self.folder / "replications.parquet", ("group", "metric")
        for table in row_groups(path, "replication", *words, "value", words=words):
            (of, groups), (what, metrics) = (coded(table, word) for word in words)
            if group in groups and metric in metrics:
                rows = np.flatnonzero((of == groups.index(group)) & (what == metrics.index(metric)))
                rows = rows[np.argsort(column(table, "replication")[rows], kind="stable")]
                found.append(column(table, "value")[rows].astype(np.float64))
        self._outcomes[group, metric] = np.concatenate(found) if any(map(len, found)) else None
        return self._outcomes[group, metric]

    @property
    def n(self) -> int:
        """Replications in the folder."""
        return len(self.numbers)

    def has(self, metric: str, group: str = FLEET) -> bool:
        """Whether the metric is defined in any replication."""
        return metric in RATIOS or metric in self._metrics(group)

    def values(self, metric: str, group: str = FLEET) -> list[float]:
        """The metric in each replication; NaN where it isn't defined."""
        check_metric(metric, self._metrics(group))
        found = self.outcome(metric, group)
        return [] if found is None else found.tolist()

    def _metrics(self, group: str) -> Mapping[str, Any]:
        own = self.summary if group == FLEET else self.summary.get("groups", {}).get(group, {})
        found: Mapping[str, Any] = own.get("metrics", {})
        return found

    @cached_property
    def mean_bill(self) -> tuple[BillLine, ...]:
        """The bill averaged over the replications, in the order of the rating; absent lines count as zero."""
        sums: dict[tuple[str, str, str, float], Floats] = {}  # by group, meter, unit and price: quantity, amount
        for table in row_groups(self.folder / "bill.parquet", *BILL_COLUMNS):
            (group, groups), (meter, meters), (unit, units) = (coded(table, name) for name in BILL_COLUMNS[:3])
            prices, price = np.unique(column(table, "unit_price"), return_inverse=True)
            keys = np.stack([group, meter, unit, price], axis=1)
            lines, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
            own = [np.bincount(of.ravel(), weights=column(table, name)) for name in BILL_COLUMNS[4:]]
            for i in np.argsort(first, kind="stable"):
                g, m, u, p = lines[i]
                key = (groups[g], meters[m], units[u], float(prices[p]))
                sums[key] = sums.get(key, np.zeros(2)) + [each[i] for each in own]
        return tuple(
            BillLine(
                group=group,
                meter=meter,
                unit=unit,
                unit_price=price,
                quantity=quantity,
                amount_nano=round(amount * NANO_PER_USD),
            )
            for (group, meter, unit, price), own in sums.items()
            for quantity, amount in ((own / self.summary["replications"]).tolist(),)
        )

    @cached_property
    def cost_by_month(self) -> Mapping[str, Mapping[str, float]]:
        """Calendar month (UTC, "2026-01") -> kind of meter -> its cost, mean over the replications; empty in older folders."""
        return self._cost_over_time("cost_by_month", "month")

    @cached_property
    def cost_by_day(self) -> Mapping[date, Mapping[str, float]]:
        """Day (UTC) -> kind of meter -> its cost, mean over the replications; empty in older folders."""
        return self._cost_over_time("cost_timeline", "day")

    def _cost_over_time(self, file: str, by: str) -> Mapping[Any, Mapping[str, float]]:
        sums: dict[tuple[Any, str], float] = {}
        for table in row_groups(self.folder / f"{file}.parquet", by, "kind", "amount"):
            (when, times), (kind, kinds) = coded(table, by), coded(table, "kind")
            places = when.astype(np.int64) * len(kinds) + kind  # Arrow's group_by would import pandas
            cells = np.bincount(places, weights=column(table, "amount"))
            for place in np.unique(places).tolist():
                key = times[place // len(kinds)], kinds[place % len(kinds)]
                sums[key] = sums.get(key, 0.0) + float(cells[place])
        every, count = dict.fromkeys(kind for _, kind in sums), self.summary["replications"]
        return {
            time: {kind: sums.get((time, kind), 0.0) / count for kind in every}
            for time in sorted({time for time, _ in sums})
        }

    @cached_property
    def ready_curve(self) -> Mapping[str, Sequence[tuple[Floats, Floats]]]:
        """Group -> of each of the first replications (`drawn`): shares of the VMs, and the time until they are ready (s).

        Empty in older folders.
        """
        parts = []
        for part in row_groups(self.folder / "ready_curve.parquet", "replication", "group", "k", "n", "wait_s"):
            rows = int(np.searchsorted(column(part, "replication"), self.drawn[-1], side="right"))
            parts.append(part.slice(0, rows))
            if rows < part.num_rows:
                break
        if not parts:
            return {}
        table = pa.concat_tables(parts)
        (group, groups), wait_s = coded(table, "group"), column(table, "wait_s").astype(np.float64)
        share = column(table, "k") / column(table, "n")
        key = column(table, "replication").astype(np.int64) * len(groups) + group
        found: dict[str, list[tuple[Floats, Floats]]] = {}
        for own in np.split(np.arange(len(key)), np.flatnonzero(np.diff(key)) + 1):
            found.setdefault(groups[group[own[0]]], []).append((share[own], wait_s[own]))
        return found

    @property
    def drawn(self) -> NDArray[np.int64]:
        """Numbers of the replications that figures over time are drawn from: of the first ones, where there are many."""
        return self.numbers[:MOST_DRAWN]

    @cached_property
    def vm_timelines(self) -> tuple[VmTimeline, ...]:
        """The first VMs of each group during the first week of replication 0."""
        old = (self.folder / "lives.parquet").exists()  # its name in version 0.1
        table = self.table("lives" if old else "vm_timelines", "vm", "t_s", "state")
        if table is None:
            return ()
        (vm, vms), (state, states) = coded(table, "vm"), coded(table, "state")
        known = {str(each): each for each in PowerState}
        moves: dict[str, list[tuple[float, PowerState | None]]] = {}
        for name, when_s, entered in zip(vm, column(table, "t_s"), state, strict=True):  # in order, also in one instant
            moves.setdefault(vms[name], []).append((float(when_s), known.get(states[entered])))
        return tuple(VmTimeline(vm=name, moves=tuple(own)) for name, own in moves.items())

    @cached_property
    def vms_in_all(self) -> int:
        """How many VMs were requested in replication 0, of which `vm_timelines` has the first; 0 where that isn't known."""
        table = self.table("vm_timelines", "vm")
        said = ((table.schema.metadata if table is not None else None) or {}).get(b"vms_in_all", b"")
        return int(said) if said.isdigit() else 0

    @cached_property
    def commitments(self) -> tuple[CommitmentHours, ...]:
        """Every commitment in replication 0, in the order of the bill."""
        table = self.table("commitments", "commitment", "hour", "unit", "bought", "used")
        if table is None:
            return ()
        (name, names), (unit, units) = coded(table, "commitment"), coded(table, "unit")
        hour, bought, used = (column(table, each) for each in ("hour", "bought", "used"))
        return tuple(
            CommitmentHours(
                name=names[code],
                unit=units[unit[own][0]],
                first_hour=int(hour[own].min()),
                bought=bought[own].astype(np.float64),
                used=used[own].astype(np.float64),
            )
            for code in dict.fromkeys(name.tolist())
            for own in (name == code,)
        )

    @cached_property
    def uptimes(self) -> tuple[UptimeRow, ...]:
        """Uptime by month and deployment; replications with nothing deployed in a month don't count for its uptime."""
        words = ("month", "name", "deployment")
        numbers = ("deployments", "promised", "deployed_min", "down_min", "worst", "breaches", "credit")
        parts_of: dict[tuple[str, ...], list[Floats]] = {}
        for table in row_groups(self.folder / "sla.parquet", *words, *numbers):
            named = [coded(table, word) for word in words]
            keys, of, counts = np.unique(
                np.stack([codes for codes, _ in named]), axis=1, return_inverse=True, return_counts=True
            )
            values = np.array([column(table, name).astype(np.float64) for name in numbers])
            rows = np.split(np.argsort(of.ravel(), kind="stable"), np.cumsum(counts)[:-1])
            for key, own in zip(keys.T.tolist(), rows, strict=True):
                texts = tuple(words[code] for code, (_, words) in zip(key, named, strict=True))
                parts_of.setdefault(texts, []).append(values[:, own])
        count = self.summary["replications"]
        found = []
        for (month, name, deployment), parts in parts_of.items():
            columns = dict(zip(numbers, np.concatenate(parts, axis=1).tolist(), strict=True))
            sums = {each: math.fsum(columns[each]) for each in numbers if each != "promised"}
            promised = columns["promised"][0]
            found.append(
                UptimeRow(
                    month=month,
                    name=name,
                    deployment=deployment,
                    deployments=sums["deployments"] / count,
                    promised=None if math.isnan(promised) else promised,
                    uptime=1.0 - sums["down_min"] / sums["deployed_min"],
                    worst=min(columns["worst"]),
                    breaches=sums["breaches"] / count,
                    credit=sums["credit"] / count,
                )
            )
        return tuple(sorted(found, key=lambda each: (each.month, each.name)))

    def mean(self, metric: str, group: str = FLEET) -> float | None:
        """A metric's mean over the replications."""
        value = self._metrics(group)[metric]["mean"]
        return None if value is None else float(value)

    def table(self, name: str, *columns: str) -> Any | None:
        """Columns of a table of the folder (all if none is named); None when the folder has no such table."""
        return read_table(self.folder / f"{name}.parquet", columns)

    def _frame(self, name: str) -> DataFrame:
        table = self.table(name)
        if table is None:
            hint = "it is written with --events" if name == "events" else "run the scenario again"
            raise ResultError(f"{self.folder / name}.parquet: is not there; {hint}")
        found: DataFrame = table.to_pandas()
        return found

    def __repr__(self) -> str:
        said = self.summary
        return f"<result of {said['scenario']!r} in {self.folder}: {how_many(said['replications'], 'replication')}>"

    def _repr_html_(self) -> str:
        """A small table for notebooks."""
        caption = f"{self.summary['scenario']}: {how_many(self.summary['replications'], 'replication')}"
        return html_table(caption, self.summary["metrics"], self.summary.get("currency", "USD"))


def read(folder: str | Path) -> StoredResult:
    """A result folder that `vmfleet run` wrote. Raises ResultError saying what is missing or broken."""
    said, folder = remote.shown(folder), remote.copy_of(folder)
    if not folder.is_dir():
        raise ResultError(f"{said}: no such folder; give the one that `{PROGRAM} run` wrote")
    summary = read_json(folder / SUMMARY)
    if summary is None:
        raise ResultError(f"{said}: no {SUMMARY} here; give the folder that `{PROGRAM} run` wrote")
    missing = [key for key in NEEDED if key not in summary]
    if missing:
        raise ResultError(
            f"{folder / SUMMARY}: has no {', '.join(map(repr, missing))}; was it written by `{PROGRAM} run`?"
        )
    return StoredResult(folder=folder, summary=summary, provenance=read_json(folder / PROVENANCE) or {})


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object of a result folder; None when there is no such file."""
    if not path.exists():
        return None
    content = files.read_json(path, ResultError)
    if not isinstance(content, dict):
        raise ResultError(f"{path}: is no JSON object but a {type(content).__name__}")
    return content


def read_table(path: Path, columns: Sequence[str] = ()) -> Any | None:
    """Columns of a Parquet file as an Arrow table (all if none is named); None when there is no such file."""
    if not path.exists():
        return None
    with _opened(path, columns) as file:
        return file.read(columns=list(columns) or None)


def row_groups(path: Path, *columns: str, words: Sequence[str] = ()) -> Iterator[Any]:
    """The same a row group at a time; nothing where there is no such file, or it has no rows. *words*: columns of few texts."""
    if path.exists():
        with _opened(path, columns, words) as file:
            for place in range(file.num_row_groups):
                if (table := file.read_row_group(place, columns=list(columns))).num_rows:
                    yield table


@contextmanager
def _opened(path: Path, columns: Sequence[str], words: Sequence[str] = ()) -> Iterator[Any]:
    try:
        # Not `pq.read_table`: it imports pyarrow.dataset, which takes longer than the rest of the reading.
        with pq.ParquetFile(path, read_dictionary=[*words]) as file:
            missing = [name for name in columns if name not in file.schema_arrow.names]
            if missing:
                raise ResultError(f"{path}: has no column {', '.join(missing)}")
            yield file
    except (pa.ArrowException, OSError) as error:
        raise ResultError(f"{path}: can't be read: {error}; run the scenario again") from error


def column(table: Any, name: str) -> NDArray[Any]:
    """A column of numbers of an Arrow table."""
    return arrow.as_numbers(table.column(name).combine_chunks())


def coded(table: Any, name: str) -> tuple[NDArray[Any], list[str]]:
    """A column of texts of an Arrow table as codes and the texts that they stand for."""
    return arrow.as_words(table.column(name).combine_chunks())
