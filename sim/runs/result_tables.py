"""Writes the files of a result folder: JSON objects, tables as CSV and Parquet, timelines."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sim.billing.sla import SERVICE_LEVELS
from sim.lifecycle.power import PowerState
from sim.runs.replication import Replication

ROWS_AT_ONCE = 1_000_000  # of the timeline, per row group
METRIC_COLUMNS = ("replication", "group", "metric", "value")
BILL_COLUMNS = ("replication", "group", "meter", "quantity", "unit", "unit_price", "amount")
UPTIME_COLUMNS = (
    "replication", "month", "name", "deployment", "deployments", "promised", "deployed_min", "down_min", "uptime",
    "worst", "breaches", "credit",
)  # fmt: skip


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON object, the same bytes for the same content; NaN is refused, it is no JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The same table as CSV and as Parquet; a number that isn't defined is an empty cell."""
    kept = [tuple(None if isinstance(v, float) and math.isnan(v) else v for v in row) for row in rows]
    with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(kept)
    by_column = list(zip(*kept, strict=True)) if kept else [()] * len(columns)
    _write_parquet(path, {name: _column(values) for name, values in zip(columns, by_column, strict=True)})


def write_replications(place: Path, groups: Sequence[str], replications: Sequence[Replication]) -> None:
    """The tables of a run: every figure, bill, timeline and commitment of its replications."""
    write_table(place / "replications", METRIC_COLUMNS, metric_rows(replications))
    bills = (
        (each.number, row.group, row.meter, row.quantity, row.unit, row.unit_price, row.amount)
        for each in replications
        for row in each.bill
    )
    write_table(place / "bill", BILL_COLUMNS, bills)
    _write_timeline(place / "timeline.parquet", groups, replications)
    moves = [move for each in replications for move in each.vm_timelines]
    types = {"vm": pa.string(), "t_s": pa.float64(), "state": pa.string()}
    _write_parquet(
        place / "vm_timelines",
        {name: pa.array([move[i] for move in moves], kind) for i, (name, kind) in enumerate(types.items())},
        {"vms": str(len({vm for vm, *_ in moves})), "vms_in_all": str(sum(each.vms for each in replications))},
    )
    _write_commitments(place, replications)
    if any(replication.uptimes for replication in replications):
        write_table(place / "sla", UPTIME_COLUMNS, _uptime_rows(replications))


def metric_rows(replications: Iterable[Replication]) -> Iterator[tuple[int, str, str, float]]:
    """Every figure of every replication: replication, group, metric, value."""
    for replication in replications:
        for group, metrics in replication.metrics.items():
            for metric, value in metrics.items():
                yield replication.number, group, metric, value


def _write_parquet(path: Path, columns: Mapping[str, Any], facts: Mapping[str, str] | None = None) -> None:
    """A table; *facts* are kept as metadata of the file."""
    table = pa.table(dict(columns)).replace_schema_metadata(facts and dict(facts))
    pq.write_table(table, path.with_suffix(".parquet"), compression="zstd")


def _column(values: Sequence[object]) -> pa.Array:
    """A column as numbers or texts; one that holds both (a setting may) as texts."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or len(kinds) <= 1:
        return pa.array(values, pa.float64() if kinds == {int, float} else None)
    return pa.array([None if value is None else str(value) for value in values])


def _uptime_rows(replications: Sequence[Replication]) -> Iterator[tuple[object, ...]]:
    for each in replications:
        for row in each.uptimes:
            promised = SERVICE_LEVELS[row.deployment].uptime
            yield (
                each.number, row.month, row.name, str(row.deployment), row.deployments, promised, row.deployed_min,
                row.down_min, row.uptime, row.worst, row.breaches, math.fsum(row.credit_usd.values()),
            )  # fmt: skip


def _write_timeline(path: Path, groups: Sequence[str], replications: Sequence[Replication]) -> None:
    word = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [("replication", pa.int32()), ("group", word), ("hour", pa.int32()), ("state", word), ("vms", pa.float64())]
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        held: list[pa.Table] = []
        for table in _timeline_tables(groups, replications, schema):
            held.append(table)
            if sum(each.num_rows for each in held) >= ROWS_AT_ONCE:
                writer.write_table(pa.concat_tables(held).combine_chunks())
                held.clear()
        if held:
            writer.write_table(pa.concat_tables(held).combine_chunks())


def _timeline_tables(
    groups: Sequence[str], replications: Sequence[Replication], schema: pa.Schema
) -> Iterator[pa.Table]:
    states, names = pa.array([str(state) for state in PowerState]), pa.array(groups)
    for each in replications:
        for index, group in enumerate(groups):
            timeline = each.timeline[group]
            hours, width = timeline.vms.shape
            rows = hours * width
            columns = [
                pa.array(np.full(rows, each.number, dtype=np.int32)),
                pa.DictionaryArray.from_arrays(np.full(rows, index, dtype=np.int32), names),
                pa.array(np.repeat(np.arange(timeline.first_hour, timeline.first_hour + hours, dtype=np.int32), width)),
                pa.DictionaryArray.from_arrays(np.tile(np.arange(width, dtype=np.int32), hours), states),
                pa.array(timeline.vms.reshape(-1)),
            ]
            yield pa.Table.from_arrays(columns, schema=schema)


def _write_commitments(place: Path, replications: Sequence[Replication]) -> None:
    """Commitments hour by hour in replication 0, if there are any."""
    bought = [each for replication in replications for each in replication.commitment_hours]
    if bought:
        columns = {
            "commitment": pa.array([each.name for each in bought for _ in each.used], pa.string()),
            "hour": np.concatenate([each.first_hour + np.arange(len(each.used)) for each in bought]),
            "unit": pa.array([each.unit for each in bought for _ in each.used], pa.string()),
            "bought": np.concatenate([each.bought for each in bought]),
            "used": np.concatenate([each.used for each in bought]),
        }
        _write_parquet(place / "commitments", columns)
