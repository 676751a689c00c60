"""What stands in the result folder of a run, written and read back with clear complaints."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.errors import ResultError
from sim.lifecycle.power import PowerState
from sim.runs.atomic_write import PROVENANCE, SUMMARY, check_folder, new_folder, unfinished_folder
from sim.runs.event_writer import merge
from sim.runs.provenance import PROGRAM, provenance_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from sim.runs.run_result import RunResult

__all__ = ["StoredResult", "check_folder", "read", "unfinished_folder", "write", "write_json", "write_table"]

SHOWN = ("cost.total", "billed_hours", "served_hours", "wasted_hours", "availability")  # in a notebook
ROWS_AT_ONCE = 1_000_000  # of the timeline, per row group


def write(result: RunResult, folder: str | Path) -> Path:
    """Write the result folder of one run and return where it stands. Raises ResultError; then nothing is half written."""
    with new_folder(folder) as place:
        write_json(place / SUMMARY, result.summary())
        write_json(place / PROVENANCE, provenance_of(result))
        (place / "scenario.toml").write_text(result.scenario.to_toml(), encoding="utf-8")
        write_table(place / "replications", ("replication", "group", "metric", "value"), _metric_rows(result))
        write_table(
            place / "bill",
            ("replication", "group", "meter", "quantity", "unit", "unit_price", "amount"),
            _bill_rows(result),
        )
        _write_timeline(place / "timeline.parquet", result)
        _write_lives(place / "lives.parquet", result)
        _write_commitments(place, result)
        if result.has_events:
            merge((each.events for each in result.replications if each.events is not None), place / "events.parquet")
    return Path(folder)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON object, the same bytes for the same content; NaN is refused, it is no JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The same table as CSV and as Parquet; a number that isn't defined is an empty cell."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = [tuple(None if isinstance(v, float) and math.isnan(v) else v for v in row) for row in rows]
    with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(kept)
    by_column = list(zip(*kept, strict=True)) if kept else [()] * len(columns)
    table = pa.table({name: _column(values) for name, values in zip(columns, by_column, strict=True)})
    pq.write_table(table, path.with_suffix(".parquet"), compression="zstd")


def _column(values: Sequence[object]) -> pa.Array:
    """A column as numbers or texts; one that holds both (a setting may) as texts."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or len(kinds) <= 1:
        return pa.array(values, pa.float64() if kinds == {int, float} else None)
    return pa.array([None if value is None else str(value) for value in values])


def _metric_rows(result: RunResult) -> Iterator[tuple[int, str, str, float]]:
    for replication in result.replications:
        for group, metrics in replication.metrics.items():
            for metric, value in metrics.items():
                yield replication.number, group, metric, value


def _bill_rows(result: RunResult) -> Iterator[tuple[object, ...]]:
    for each in result.replications:
        for row in each.bill:
            yield each.number, row.group, row.meter, row.quantity, row.unit, row.unit_price, row.amount


def _write_timeline(path: Path, result: RunResult) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    word = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [("replication", pa.int32()), ("group", word), ("hour", pa.int32()), ("state", word), ("vms", pa.float64())]
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        held: list[pa.Table] = []
        for table in _timeline_tables(result, schema):
            held.append(table)
            if sum(each.num_rows for each in held) >= ROWS_AT_ONCE:
                writer.write_table(pa.concat_tables(held).combine_chunks())
                held.clear()
        if held:
            writer.write_table(pa.concat_tables(held).combine_chunks())


def _timeline_tables(result: RunResult, schema: pa.Schema) -> Iterator[pa.Table]:
    import numpy as np
    import pyarrow as pa

    states = pa.array([str(state) for state in PowerState])
    groups = pa.array(result.groups)
    for each in result.replications:
        for index, group in enumerate(result.groups):
            timeline = each.timeline[group]
            hours, width = timeline.vms.shape
            rows = hours * width
            columns = [
                pa.array(np.full(rows, each.number, dtype=np.int32)),
                pa.DictionaryArray.from_arrays(np.full(rows, index, dtype=np.int32), groups),
                pa.array(np.repeat(np.arange(timeline.first_hour, timeline.first_hour + hours, dtype=np.int32), width)),
                pa.DictionaryArray.from_arrays(np.tile(np.arange(width, dtype=np.int32), hours), states),
                pa.array(timeline.vms.reshape(-1)),
            ]
            yield pa.Table.from_arrays(columns, schema=schema)


def _write_lives(path: Path, result: RunResult) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lives = [move for each in result.replications for move in each.lives]
    table = pa.table(
        {
            "vm": pa.array([vm for vm, _, _ in lives], pa.string()),
            "t_s": pa.array([when_s for _, when_s, _ in lives], pa.float64()),
            "state": pa.array([state for _, _, state in lives], pa.string()),
        }
    )
    pq.write_table(table, path, compression="zstd")


def _write_commitments(place: Path, result: RunResult) -> None:
    """What was promised: commitments hour by hour in replication 0, uptime month by month; only where there are any."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    bought = [each for replication in result.replications for each in replication.commitment_hours]
    if bought:
        table = pa.table(
            {
                "commitment": pa.array([each.name for each in bought for _ in each.used], pa.string()),
                "hour": np.concatenate([each.first_hour + np.arange(len(each.used)) for each in bought]),
                "unit": pa.array([each.unit for each in bought for _ in each.used], pa.string()),
                "bought": np.concatenate([each.bought for each in bought]),
                "used": np.concatenate([each.used for each in bought]),
            }
        )
        pq.write_table(table, place / "commitments.parquet", compression="zstd")
    if any(replication.uptimes for replication in result.replications):
        write_table(place / "sla", UPTIME_COLUMNS, _uptime_rows(result))


UPTIME_COLUMNS = (
    "replication",
    "month",
    "name",
    "deployment",
    "deployments",
    "promised",
    "deployed_min",
    "down_min",
    "uptime",
    "worst",
    "breaches",
    "credit",
)


def _uptime_rows(result: RunResult) -> Iterator[tuple[object, ...]]:
    from sim.billing.sla import SERVICE_LEVELS

    for each in result.replications:
        for row in each.uptimes:
            promised = SERVICE_LEVELS[row.deployment].uptime
            yield (
                each.number, row.month, row.name, str(row.deployment), row.deployments, promised, row.deployed_min,
                row.down_min, row.uptime, row.worst, row.breaches, math.fsum(row.credit_usd.values()),
            )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StoredResult:
    """A result folder as it lies on the disk; tables are read when asked for."""

    folder: Path
    summary: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @cached_property
    def replications(self) -> pd.DataFrame:
        """replication, group, metric, value; group "" is the whole fleet."""
        return self._table("replications")

    @cached_property
    def bill(self) -> pd.DataFrame:
        """replication, group, meter, quantity, unit, unit_price, amount."""
        return self._table("bill")

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """replication, group, hour, state, vms."""
        return self._table("timeline")

    @cached_property
    def events(self) -> pd.DataFrame:
        """replication, t_s, vm, kind, from, to, operation, code; only of runs that kept them."""
        return self._table("events")

    def __repr__(self) -> str:
        told = self.summary
        return f"<result of {told['scenario']!r} in {self.folder}: {told['replications']} replications>"

    def _repr_html_(self) -> str:
        """A small table for notebooks."""
        from html import escape

        shown = {name: self.summary["metrics"][name] for name in SHOWN if name in self.summary["metrics"]}
        columns = ("mean", "low", "high", "p50", "p95")
        rows = "".join(
            f"<tr><td>{name}</td>"
            + "".join(
                f"<td style='text-align:right'>{'–' if of.get(each) is None else format(of[each], ',.6g')}</td>"
                for each in columns
            )
            + "</tr>"
            for name, of in shown.items()
        )
        head = "".join(f"<th>{each}</th>" for each in ("metric", *columns))
        caption = f"{escape(str(self.summary['scenario']))}: {self.summary['replications']} replications"
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>"

    def mean(self, metric: str, group: str = "") -> float | None:
        """A metric's mean over the replications."""
        metrics = self.summary["metrics"] if group == "" else self.summary["groups"][group]["metrics"]
        value = metrics[metric]["mean"]
        return None if value is None else float(value)

    def _table(self, name: str) -> pd.DataFrame:
        import pandas as pd
        import pyarrow as pa

        path = self.folder / f"{name}.parquet"
        if not path.exists():
            hint = "; it is written with --events" if name == "events" else "; run the scenario again"
            raise ResultError(f"{path}: is not there{hint}")
        try:
            return pd.read_parquet(path)
        except (OSError, pa.ArrowException) as error:
            raise ResultError(f"{path}: can't be read: {error}; run the scenario again") from error


def read(folder: str | Path) -> StoredResult:
    """A result folder that `vmfleet run` wrote. Raises ResultError saying what is missing or broken."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ResultError(f"{folder}: no such folder; give the one that `{PROGRAM} run` wrote")
    summary = _read_object(folder / SUMMARY, ("scenario", "seed", "replications", "horizon_h", "metrics", "groups"))
    return StoredResult(folder=folder, summary=summary, provenance=_read_object(folder / PROVENANCE, ("program",)))


def _read_object(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultError(f"{path}: is not there; give the folder that `{PROGRAM} run` wrote") from error
    except OSError as error:
        raise ResultError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ResultError(f"{path}: is not text: {error}") from error
    except json.JSONDecodeError as error:
        raise ResultError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from error
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise ResultError(f"{path}: has no {', '.join(map(repr, missing))}; was it written by `{PROGRAM} run`?")
    assert isinstance(content, dict)
    return content
