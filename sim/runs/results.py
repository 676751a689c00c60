"""Reads the result folder of a run: the one reader, used by scripts, the report and `vmfleet bill`.

`summary.json` must be there; tables are read when needed, and a missing one is empty (None for the timeline).
"""

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sim import files
from sim.billing.meters import BillLine
from sim.billing.money import NANO_PER_USD
from sim.errors import ResultError
from sim.lifecycle.power import PowerState
from sim.runs import arrow, remote
from sim.runs.atomic_write import SUMMARY
from sim.runs.digests import PROVENANCE
from sim.runs.frames import DataFrame
from sim.runs.metrics import FLEET, RATIOS, check_metric, html_table
from sim.runs.pictures import Pictured
from sim.runs.workplace import PROGRAM

Floats = NDArray[np.float64]
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

    @cached_property
    def outcomes(self) -> Mapping[tuple[str, str], Floats]:
        """(group, metric) -> its value in each replication."""
        stated = int(self.summary["replications"])
        if len(self.numbers) != stated:
            raise ResultError(
                f"{self.folder}: replications.parquet holds {len(self.numbers)} replications, "
                f"summary.json says {stated}"
            )
        found: dict[tuple[str, str], list[Floats]] = {}
        for table in row_groups(self.folder / "replications.parquet", "replication", "group", "metric", "value"):
            (group, groups), (metric, metrics) = coded(table, "group"), coded(table, "metric")
            value = column(table, "value").astype(np.float64)
            key = group.astype(np.int64) * len(metrics) + metric
            order = np.lexsort((column(table, "replication"), key))
            for rows in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
                found.setdefault((groups[group[rows[0]]], metrics[metric[rows[0]]]), []).append(value[rows])
        return {key: np.concatenate(values) for key, values in found.items()}

    @property
    def n(self) -> int:
        """Replications in the folder."""
        return len(self.numbers)

    def has(self, metric: str, group: str = FLEET) -> bool:
        """Whether the metric is defined in any replication."""
        return metric in RATIOS or (group, metric) in self.outcomes

    def values(self, metric: str, group: str = FLEET) -> list[float]:
        """The metric in each replication; NaN where it isn't defined."""
        check_metric(metric, [name for its_group, name in self.outcomes if its_group == group])
        return [float(value) for value in self.outcomes[group, metric]]

    @cached_property
    def mean_bill(self) -> tuple[BillLine, ...]:
        """The bill averaged over the replications, in the order of the rating; absent lines count as zero."""
        table = self.table("bill", "group", "meter", "quantity", "unit", "unit_price", "amount")
        if table is None:
            return ()
        (group, groups), (meter, meters), (unit, units) = (coded(table, name) for name in ("group", "meter", "unit"))
        prices, price = np.unique(column(table, "unit_price"), return_inverse=True)
        keys = np.stack([group, meter, unit, price], axis=1)
        lines, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        quantity, amount = (
            np.bincount(of.ravel(), weights=column(table, name), minlength=len(lines)) / self.summary["replications"]
            for name in ("quantity", "amount")
        )
        return tuple(
            BillLine(
                group=groups[lines[i][0]],
                meter=meters[lines[i][1]],
                unit=units[lines[i][2]],
                unit_price=float(prices[lines[i][3]]),
                quantity=float(quantity[i]),
                amount_nano=round(float(amount[i]) * NANO_PER_USD),
            )
            for i in np.argsort(first, kind="stable")
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
        table = self.table(file, by, "kind", "amount")
        if table is None or table.num_rows == 0:
            return {}
        (when, times), (kind, kinds) = coded(table, by), coded(table, "kind")  # Arrow's group_by would import pandas
        cells = np.bincount(
            when.astype(np.int64) * len(kinds) + kind, weights=column(table, "amount"), minlength=len(times) * len(kinds)
        ).reshape(len(times), len(kinds)) / self.summary["replications"]  # fmt: skip
        return {
            time: dict(zip(kinds[:-1], row, strict=False))
            for time, row in sorted(zip(times[:-1], cells.tolist(), strict=False))
        }

    @cached_property
    def ready_curve(self) -> Mapping[str, Sequence[tuple[Floats, Floats]]]:
        """Group -> of each replication: shares of the VMs, and the time until they are ready (s); empty in older folders."""
        table = self.table("ready_curve", "replication", "group", "k", "n", "wait_s")
        if table is None or table.num_rows == 0:
            return {}
        (group, groups), wait_s = coded(table, "group"), column(table, "wait_s").astype(np.float64)
        share = column(table, "k") / column(table, "n")
        key = column(table, "replication").astype(np.int64) * len(groups) + group
        found: dict[str, list[tuple[Floats, Floats]]] = {}
        for rows in np.split(np.arange(len(key)), np.flatnonzero(np.diff(key)) + 1):
            found.setdefault(groups[group[rows[0]]], []).append((share[rows], wait_s[rows]))
        return found

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
        table = self.table("sla", *words, *numbers)
        if table is None:
            return ()
        columns = table.to_pydict()
        rows_of: dict[tuple[str, ...], list[int]] = {}
        for row, key in enumerate(zip(*(columns[word] for word in words), strict=True)):
            rows_of.setdefault(key, []).append(row)
        count = self.summary["replications"]
        found = []
        for (month, name, deployment), own in rows_of.items():
            sums = {each: math.fsum(columns[each][i] for i in own) for each in numbers if each != "promised"}
            found.append(
                UptimeRow(
                    month=month,
                    name=name,
                    deployment=deployment,
                    deployments=sums["deployments"] / count,
                    promised=columns["promised"][own[0]],
                    uptime=1.0 - sums["down_min"] / sums["deployed_min"],
                    worst=min(columns["worst"][i] for i in own),
                    breaches=sums["breaches"] / count,
                    credit=sums["credit"] / count,
                )
            )
        return tuple(sorted(found, key=lambda each: (each.month, each.name)))

    def mean(self, metric: str, group: str = FLEET) -> float | None:
        """A metric's mean over the replications."""
        metrics = self.summary["metrics"] if group == FLEET else self.summary["groups"][group]["metrics"]
        value = metrics[metric]["mean"]
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
        return f"<result of {said['scenario']!r} in {self.folder}: {said['replications']} replications>"

    def _repr_html_(self) -> str:
        """A small table for notebooks."""
        caption = f"{self.summary['scenario']}: {self.summary['replications']} replications"
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


def row_groups(path: Path, *columns: str) -> Iterator[Any]:
    """The same a row group at a time; nothing where there is no such file, or it has no rows."""
    if path.exists():
        with _opened(path, columns) as file:
            for place in range(file.num_row_groups):
                if (table := file.read_row_group(place, columns=list(columns))).num_rows:
                    yield table


@contextmanager
def _opened(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    try:
        # Not `pq.read_table`: it imports pyarrow.dataset, which takes longer than the rest of the reading.
        with pq.ParquetFile(path) as file:
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
