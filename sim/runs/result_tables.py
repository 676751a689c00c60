"""Writes the files of a result folder: JSON objects, tables as CSV and Parquet, timelines."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sim.billing.sla import SERVICE_LEVELS
from sim.lifecycle.power import PowerState
from sim.runs import arrow
from sim.runs.replication import Replication
from sim.runs.results import CommitmentHours

ROWS_AT_ONCE = 1_000_000  # of a table, per row group ...
CSV_ROWS_AT_ONCE = 20_000  # ... and as objects of Python
WORD = pa.dictionary(pa.int32(), pa.string())
TYPES = {"text": pa.string(), "word": WORD, "day": pa.date32(), **arrow.TYPES}
# Of each table that has rows of all replications: its columns. Texts are written out, words as places in a list.
FIGURES = {"replication": "int64", "group": "text", "metric": "text", "value": "float64"}
BILL = {
    "replication": "int64", "group": "text", "meter": "text", "quantity": "float64", "unit": "text", "unit_price": "float64", "amount": "float64",
}  # fmt: skip
MONTHS = {"replication": "int64", "group": "text", "month": "text", "kind": "text", "amount": "float64"}
UPTIMES = {
    "replication": "int64", "month": "text", "name": "text", "deployment": "text", "deployments": "int64", "promised": "float64",
    "deployed_min": "float64", "down_min": "float64", "uptime": "float64", "worst": "float64", "breaches": "int64", "credit": "float64",
}  # fmt: skip
READY = {"replication": "int32", "group": "text", "k": "int64", "n": "int64", "wait_s": "float64"}
DAYS = {"replication": "int32", "group": "word", "day": "day", "kind": "word", "amount": "float64"}
HOURS = {"replication": "int32", "group": "word", "hour": "int32", "state": "word", "vms": "float64"}
HOURS_WRITTEN: Mapping[str, Any] = MappingProxyType({  # millions of rows: no statistics, nor a dictionary of times
    "write_statistics": False, "use_dictionary": ["group", "state"],
    "column_encoding": dict.fromkeys(("replication", "hour"), "DELTA_BINARY_PACKED"),
})  # fmt: skip
METRIC_COLUMNS = tuple(FIGURES)


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


class _Table(AbstractContextManager["_Table"]):
    """A table of which some rows are held at a time: Parquet, and the same as CSV where *as_csv* (NaN is an empty cell)."""

    def __init__(self, path: Path, types: Mapping[str, str], *, as_csv: bool = False, **how: Any) -> None:
        self._types, self._rows = types, 0
        self._held: dict[str, list[NDArray[Any]]] = {name: [] for name in types}
        self._places: dict[str, dict[str, int]] = {name: {} for name, kind in types.items() if kind in ("text", "word")}
        self._schema = pa.schema([(name, TYPES[kind]) for name, kind in types.items()])
        self._parquet = pq.ParquetWriter(path.with_suffix(".parquet"), self._schema, compression="zstd", **how)
        self._csv = path.with_suffix(".csv").open("w", encoding="utf-8", newline="") if as_csv else None
        self._lines = csv.writer(self._csv, lineterminator="\n") if self._csv else None
        if self._lines:
            self._lines.writerow(types)

    def add(self, number: int, **columns: Any) -> None:
        """Rows of one replication: texts, numbers."""
        count = len(next(iter(columns.values())))
        for name, kind in self._types.items():
            if name == "replication":
                values: Any = np.full(count, number, dtype=kind)
            elif name in self._places and not isinstance(columns[name], np.ndarray):
                values = self.places(name, columns[name])
            else:
                values = np.asarray(columns[name], dtype=kind if kind in arrow.TYPES else np.int32)
            self._held[name].append(values)
        self._rows += count
        if self._rows >= ROWS_AT_ONCE:
            self._flush()

    def places(self, name: str, texts: Iterable[str]) -> NDArray[np.int32]:
        """What a column of texts holds for these."""
        known = self._places[name]
        return np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int32)

    def _flush(self) -> None:
        columns = {name: np.concatenate(held) for name, held in self._held.items() if held}
        if not self._rows:
            return
        self._held, self._rows = {name: [] for name in self._types}, 0
        arrays = [self._array(name, values) for name, values in columns.items()]
        self._parquet.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=len(arrays[0]))
        for start in range(0, len(arrays[0]) if self._lines else 0, CSV_ROWS_AT_ONCE):
            assert self._lines is not None
            cells = [self._cells(name, own[start : start + CSV_ROWS_AT_ONCE]) for name, own in columns.items()]
            self._lines.writerows(zip(*cells, strict=True))

    def _array(self, name: str, values: NDArray[Any]) -> pa.Array:
        kind = self._types[name]
        if kind in ("text", "word"):
            return (arrow.words if kind == "word" else arrow.texts_of)(values, [*self._places[name]])
        known = ~np.isnan(values) if self._csv and kind == "float64" else None
        return (
            arrow.numbers(values, known).cast(TYPES[kind]) if kind != "day" else arrow.numbers(values).view(TYPES[kind])
        )

    def _cells(self, name: str, values: NDArray[Any]) -> Sequence[Any]:
        if name in self._places:
            words = [*self._places[name]]
            return [words[place] for place in values.tolist()]
        return _defined(values.tolist())

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        self._parquet.close()
        if self._csv:
            self._csv.close()


def write_replications(place: Path, replications: Iterable[Replication]) -> None:
    """The tables of a run: every figure, bill, timeline and commitment of its replications, which are looked at once."""
    moves: list[tuple[str, float, str]] = []
    bought: list[CommitmentHours] = []
    vms = 0
    with ExitStack() as stack:

        def table(name: str, types: Mapping[str, str], **how: Any) -> _Table:
            return stack.enter_context(_Table(place / name, types, **how))

        figures, bill = (table(name, types, as_csv=True) for name, types in (("replications", FIGURES), ("bill", BILL)))
        months, ready = table("cost_by_month", MONTHS, as_csv=True), table("ready_curve", READY)
        days, hours = table("cost_timeline", DAYS), table("timeline", HOURS, **HOURS_WRITTEN)
        uptimes = None
        for each in replications:
            _add_figures(figures, each)
            _add_bill(bill, each)
            _add_costs(days, months, each)
            _add_ready_curves(ready, each)
            _add_timelines(hours, each)
            if each.uptimes:
                uptimes = uptimes or table("sla", UPTIMES, as_csv=True)
                _add_uptimes(uptimes, each)
            moves += each.vm_timelines
            bought += each.commitment_hours
            vms += each.vms
    _write_vm_timelines(place, moves, vms)
    _write_commitments(place, bought)


def _add_figures(table: _Table, each: Replication) -> None:
    table.add(
        each.number,
        group=[group for group, own in each.metrics.items() for _ in own],
        metric=[metric for own in each.metrics.values() for metric in own],
        value=[value for own in each.metrics.values() for value in own.values()],
    )


def _add_bill(table: _Table, each: Replication) -> None:
    rows = [(line.group, line.meter, line.quantity, line.unit, line.unit_price, line.amount) for line in each.bill]
    if rows:
        table.add(each.number, **dict(zip([*BILL][1:], zip(*rows, strict=True), strict=True)))


def _add_costs(days: _Table, months: _Table, each: Replication) -> None:
    """What each day and each calendar month (UTC) costs, by group (or commitment) and kind of meter."""
    cost = each.daily_cost
    rows, width = cost.amounts.shape
    if not rows:
        return
    groups, kinds = zip(*cost.keys, strict=True)
    first = (cost.first_day - date(1970, 1, 1)).days
    days.add(
        each.number,
        group=np.repeat(days.places("group", groups), width),
        kind=np.repeat(days.places("kind", kinds), width),
        day=np.tile(np.arange(first, first + width, dtype=np.int32), rows),
        amount=cost.amounts.reshape(-1),
    )
    for month, amounts in cost.by_month().items():
        months.add(each.number, group=groups, kind=kinds, month=[month] * rows, amount=amounts)


def _add_ready_curves(table: _Table, each: Replication) -> None:
    """How long it takes until k of n VMs are ready after they are needed; group "": all of them."""
    if each.ready_curve:
        curves = np.concatenate([*each.ready_curve.values()])
        groups = table.places("group", each.ready_curve)
        points = [len(own) for own in each.ready_curve.values()]
        table.add(each.number, group=np.repeat(groups, points), k=curves[:, 0], n=curves[:, 1], wait_s=curves[:, 2])


def _add_timelines(table: _Table, each: Replication) -> None:
    states = table.places("state", map(str, PowerState))
    for group, own in each.timeline.items():
        count, width = own.vms.shape
        table.add(
            each.number,
            group=np.repeat(table.places("group", [group]), own.vms.size),
            hour=np.repeat(np.arange(own.first_hour, own.first_hour + count, dtype=np.int32), width),
            state=np.tile(states, count),
            vms=own.vms.reshape(-1),
        )


def _add_uptimes(table: _Table, each: Replication) -> None:
    rows = [
        (
            row.month, row.name, str(row.deployment), row.deployments, SERVICE_LEVELS[row.deployment].uptime, row.deployed_min,
            row.down_min, row.uptime, row.worst, row.breaches, math.fsum(row.credit_usd.values()),
        )
        for row in each.uptimes
    ]  # fmt: skip
    table.add(each.number, **dict(zip([*UPTIMES][1:], zip(*rows, strict=True), strict=True)))


def _write_vm_timelines(place: Path, moves: Sequence[tuple[str, float, str]], vms: int) -> None:
    _write_parquet(
        place / "vm_timelines",
        {
            "vm": arrow.texts([vm for vm, _, _ in moves]),
            "t_s": arrow.numbers(np.array([entered_s for _, entered_s, _ in moves], dtype=np.float64)),
            "state": arrow.texts([state for _, _, state in moves]),
        },
        {"vms": str(len({vm for vm, *_ in moves})), "vms_in_all": str(vms)},
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


def _write_commitments(place: Path, bought: Sequence[CommitmentHours]) -> None:
    """Commitments hour by hour in replication 0, if there are any."""
    if bought:
        columns = {
            "commitment": arrow.texts([each.name for each in bought for _ in each.used]),
            "hour": arrow.numbers(np.concatenate([each.first_hour + np.arange(len(each.used)) for each in bought])),
            "unit": arrow.texts([each.unit for each in bought for _ in each.used]),
            "bought": arrow.numbers(np.concatenate([each.bought for each in bought])),
            "used": arrow.numbers(np.concatenate([each.used for each in bought])),
        }
        _write_parquet(place / "commitments", columns)
