"""Writes the files of a result folder: JSON objects, tables as CSV and Parquet, timelines."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sim.billing.sla import SERVICE_LEVELS
from sim.lifecycle.power import PowerState
from sim.runs import arrow
from sim.runs.replication import Replication, Timeline

ROWS_AT_ONCE = 1_000_000  # of the timeline, per row group
METRIC_COLUMNS = ("replication", "group", "metric", "value")
BILL_COLUMNS = ("replication", "group", "meter", "quantity", "unit", "unit_price", "amount")
MONTH_COLUMNS = ("replication", "group", "month", "kind", "amount")
UPTIME_COLUMNS = (
    "replication", "month", "name", "deployment", "deployments", "promised", "deployed_min", "down_min", "uptime",
    "worst", "breaches", "credit",
)  # fmt: skip


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON object, the same bytes for the same content; NaN is refused, it is no JSON."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_json_parts(content, "\n"))
        file.write("\n")


_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_FLAT = frozenset({str, int, float, bool, type(None)})


def _json_parts(content: Any, line_end: str) -> Iterator[str]:
    """JSON in pieces; what holds no other object or list stands on one line, so that a metric is a line."""
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    if _FLAT.issuperset(map(type, parts)) or not any(isinstance(part, dict | list | tuple) for part in parts):
        yield _JSON.encode(content)
        return
    opening, closing = "{}" if isinstance(content, dict) else "[]"
    names = [_JSON.encode(str(name)) + ": " for name in content] if isinstance(content, dict) else None
    for place, part in enumerate(parts):
        yield f"{',' if place else opening}{line_end}  {names[place] if names else ''}"
        yield from _json_parts(part, line_end + "  ")
    yield line_end + closing


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The same table as CSV and as Parquet; a number that isn't defined is an empty cell."""
    write_columns(path, dict(zip(columns, [*zip(*rows, strict=True)] or [()] * len(columns), strict=True)))


def write_columns(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """The same of columns."""
    by_column = [_defined(values) for values in columns.values()]
    with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*by_column, strict=True))
    _write_parquet(path, {name: _column(values) for name, values in zip(columns, by_column, strict=True)})


def _defined(values: Sequence[Any]) -> Sequence[Any]:
    """A column with None for numbers that aren't defined; NaN alone is not equal to itself."""
    return [None if value != value else value for value in values] if float in set(map(type, values)) else values


def write_replications(place: Path, groups: Sequence[str], replications: Sequence[Replication]) -> None:
    """The tables of a run: every figure, bill, timeline and commitment of its replications."""
    groups_of = [(each.number, group, found) for each in replications for group, found in each.metrics.items()]
    figures: dict[str, Sequence[Any]] = {
        "replication": [number for number, _, found in groups_of for _ in found],
        "group": [group for _, group, found in groups_of for _ in found],
        "metric": [metric for _, _, found in groups_of for metric in found],
        "value": [value for _, _, found in groups_of for value in found.values()],
    }
    write_columns(place / "replications", figures)
    bills = (
        (each.number, row.group, row.meter, row.quantity, row.unit, row.unit_price, row.amount)
        for each in replications
        for row in each.bill
    )
    write_table(place / "bill", BILL_COLUMNS, bills)
    _write_timeline(place / "timeline.parquet", groups, replications)
    _write_daily_cost(place / "cost_timeline.parquet", replications)
    write_table(place / "cost_by_month", MONTH_COLUMNS, _month_rows(replications))
    _write_ready_curve(place / "ready_curve", replications)
    moves = [move for each in replications for move in each.vm_timelines]
    _write_parquet(
        place / "vm_timelines",
        {
            "vm": arrow.texts([vm for vm, _, _ in moves]),
            "t_s": arrow.numbers(np.array([entered_s for _, entered_s, _ in moves], dtype=np.float64)),
            "state": arrow.texts([state for _, _, state in moves]),
        },
        {"vms": str(len({vm for vm, *_ in moves})), "vms_in_all": str(sum(each.vms for each in replications))},
    )
    _write_commitments(place, replications)
    if any(replication.uptimes for replication in replications):
        write_table(place / "sla", UPTIME_COLUMNS, _uptime_rows(replications))


def _write_ready_curve(path: Path, replications: Sequence[Replication]) -> None:
    """How long it takes until k of n VMs are ready after they are needed; group "": all of them."""
    groups = list(dict.fromkeys(group for each in replications for group in each.ready_curve))
    place = {group: index for index, group in enumerate(groups)}
    owners = [(each.number, place[group], len(own)) for each in replications for group, own in each.ready_curve.items()]
    number, group, points = np.array(owners, dtype=np.int32).reshape(-1, 3).T
    curves = np.concatenate([np.zeros((0, 3)), *(own for each in replications for own in each.ready_curve.values())])
    _write_parquet(
        path,
        {
            "replication": arrow.numbers(np.repeat(number, points)),
            "group": arrow.texts_of(np.repeat(group, points), groups),
            "k": arrow.numbers(curves[:, 0].astype(np.int64)),
            "n": arrow.numbers(curves[:, 1].astype(np.int64)),
            "wait_s": arrow.numbers(curves[:, 2]),
        },
    )


def metric_rows(replications: Iterable[Replication]) -> Iterator[tuple[int, str, str, float]]:
    """Every figure of every replication: replication, group, metric, value."""
    for replication in replications:
        for group, metrics in replication.metrics.items():
            for metric, value in metrics.items():
                yield replication.number, group, metric, value


def _write_parquet(path: Path, columns: Mapping[str, Any], facts: Mapping[str, str] | None = None) -> None:
    """A table; *facts* are kept as metadata of the file."""
    table = pa.Table.from_arrays([*columns.values()], names=[*columns], metadata=facts and dict(facts))
    pq.write_table(table, path.with_suffix(".parquet"), compression="zstd")


def _column(values: Sequence[Any]) -> pa.Array:
    """A column as numbers or texts; one that holds both (a setting may) as texts."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds and kinds <= {int, float}:
        known = np.array([value is not None for value in values])
        kind = np.float64 if float in kinds else np.int64
        return arrow.numbers(np.array([0 if value is None else value for value in values], dtype=kind), known)
    if kinds == {bool}:
        return pa.array(values)
    if not kinds:
        return pa.nulls(len(values))
    texts = values if kinds == {str} else [None if value is None else str(value) for value in values]
    place = {text: index for index, text in enumerate(dict.fromkeys(texts))}
    places = np.fromiter(map(place.__getitem__, texts), dtype=np.int32, count=len(texts))
    return arrow.texts_of(places, [*place])


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
    how: dict[str, Any] = {  # millions of rows: no statistics, nor a dictionary of times
        "write_statistics": False, "use_dictionary": ["group", "state"],
        "column_encoding": dict.fromkeys(("replication", "hour"), "DELTA_BINARY_PACKED"),
    }  # fmt: skip
    with pq.ParquetWriter(path, schema, compression="zstd", **how) as writer:
        held: list[tuple[int, int, Timeline]] = []
        rows = 0
        for each in replications:
            for index, timeline in enumerate(each.timeline.values()):
                held.append((each.number, index, timeline))
                rows += timeline.vms.size
                if rows >= ROWS_AT_ONCE:
                    writer.write_table(_timeline_table(held, groups, schema))
                    held, rows = [], 0
        if held:
            writer.write_table(_timeline_table(held, groups, schema))


def _timeline_table(held: Sequence[tuple[int, int, Timeline]], groups: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Timelines of some replications and groups, one after the other."""
    states = [str(state) for state in PowerState]
    numbers, indices, timelines = zip(*held, strict=True)
    rows, width = [timeline.vms.size for timeline in timelines], len(states)
    hours = [np.arange(each.first_hour, each.first_hour + len(each.vms), dtype=np.int32) for each in timelines]
    columns = [
        arrow.numbers(np.repeat(np.array(numbers, dtype=np.int32), rows)),
        arrow.words(np.repeat(np.array(indices, dtype=np.int32), rows), groups),
        arrow.numbers(np.repeat(np.concatenate(hours), width)),
        arrow.words(np.tile(np.arange(width, dtype=np.int32), sum(rows) // width), states),
        arrow.numbers(np.concatenate([timeline.vms.reshape(-1) for timeline in timelines])),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _write_daily_cost(path: Path, replications: Sequence[Replication]) -> None:
    """What each day costs, by group (or commitment) and kind of meter."""
    word = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [("replication", pa.int32()), ("group", word), ("day", pa.date32()), ("kind", word), ("amount", pa.float64())]
    )
    keys = [key for each in replications for key in each.daily_cost.keys]
    groups, kinds = (list(dict.fromkeys(words)) for words in (zip(*keys, strict=True) if keys else ((), ())))
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for each in replications:
            cost = each.daily_cost
            rows, width = cost.amounts.shape
            first = (cost.first_day - date(1970, 1, 1)).days
            columns = [
                arrow.numbers(np.full(rows * width, each.number, dtype=np.int32)),
                arrow.words(_places(cost.keys, 0, groups, width), groups),
                arrow.numbers(np.tile(np.arange(first, first + width, dtype=np.int32), rows)).view(pa.date32()),
                arrow.words(_places(cost.keys, 1, kinds, width), kinds),
                arrow.numbers(cost.amounts.reshape(-1)),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _places(keys: Sequence[tuple[str, str]], part: int, words: Sequence[str], times: int) -> NDArray[np.int32]:
    """Where one part of each key stands among the words, so many times."""
    place = {word: index for index, word in enumerate(words)}
    return np.repeat(np.array([place[key[part]] for key in keys], dtype=np.int32), times)


def _month_rows(replications: Sequence[Replication]) -> Iterator[tuple[object, ...]]:
    """What each calendar month (UTC) costs, by group (or commitment) and kind of meter."""
    for each in replications:
        cost = each.daily_cost
        for month, amounts in cost.by_month().items():
            for (group, kind), amount in zip(cost.keys, amounts, strict=True):
                yield each.number, group, month, kind, amount


def _write_commitments(place: Path, replications: Sequence[Replication]) -> None:
    """Commitments hour by hour in replication 0, if there are any."""
    bought = [each for replication in replications for each in replication.commitment_hours]
    if bought:
        columns = {
            "commitment": arrow.texts([each.name for each in bought for _ in each.used]),
            "hour": arrow.numbers(np.concatenate([each.first_hour + np.arange(len(each.used)) for each in bought])),
            "unit": arrow.texts([each.unit for each in bought for _ in each.used]),
            "bought": arrow.numbers(np.concatenate([each.bought for each in bought])),
            "used": arrow.numbers(np.concatenate([each.used for each in bought])),
        }
        _write_parquet(place / "commitments", columns)
