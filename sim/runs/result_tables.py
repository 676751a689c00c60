"""Writes the files of a result folder: JSON objects, tables as CSV and Parquet, timelines."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import date
from functools import lru_cache
from io import StringIO
from itertools import pairwise, repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sim.arrays import Floats, Longs
from sim.billing.daily_cost import DailyCost
from sim.billing.sla import SERVICE_LEVELS, Deployment
from sim.lifecycle.power import PowerState
from sim.runs import arrow
from sim.runs.blocks import UPTIME_NUMBERS, Arrays, commitments_of, dollars_of, meaning, rest_of
from sim.runs.kept import Replications
from sim.runs.replication import Replication
from sim.runs.results import CommitmentHours

ROWS_AT_ONCE = 250_000  # of a table: held, and in a row group
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
    by_column = [_defined(values) for values in [*zip(*rows, strict=True)] or [()] * len(columns)]
    with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*by_column, strict=True))
    _write_parquet(path, dict(zip(columns, map(_column, by_column), strict=True)))


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
        if self._csv:
            self._csv.write(",".join(types) + "\n")

    def add(self, numbers: Longs, **columns: NDArray[Any]) -> None:
        """Rows of replications: a column with one dimension is the same in each, one with two has a row for each."""
        count = next(iter(columns.values())).shape[-1]
        step = max(1, ROWS_AT_ONCE // max(1, count))
        for first in range(0, len(numbers) if count else 0, step):
            own = numbers[first : first + step]
            some = {name: each if each.ndim == 1 else each[first : first + step] for name, each in columns.items()}
            if self._csv:
                self._csv.writelines(self._lines(own, some))
            self._hold("replication", np.repeat(own, count))
            for name, each in some.items():
                self._hold(name, np.tile(each, len(own)) if each.ndim == 1 else each.reshape(-1))
            self._rows += len(own) * count
            while self._rows >= ROWS_AT_ONCE:
                self._flush()

    def places(self, name: str, texts: Iterable[str]) -> NDArray[np.int32]:
        """What a column of texts holds for these."""
        known = self._places[name]
        return np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int32)

    def _hold(self, name: str, values: NDArray[Any]) -> None:
        kind = self._types[name]
        self._held[name].append(values.astype(kind if kind in arrow.TYPES else np.int32, copy=False))

    def _flush(self) -> None:
        """Write a row group of what is held."""
        rows = min(self._rows, ROWS_AT_ONCE)
        arrays = []
        for name in self._types:
            values = np.concatenate(self._held[name])
            arrays.append(self._array(name, values[:rows]))
            self._held[name] = [values[rows:].copy()]
        self._parquet.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=rows)
        self._rows -= rows

    def _array(self, name: str, values: NDArray[Any]) -> pa.Array:
        kind = self._types[name]
        if kind in ("text", "word"):
            return (arrow.words if kind == "word" else arrow.texts_of)(values, [*self._places[name]])
        known = ~np.isnan(values) if self._csv and kind == "float64" else None
        return arrow.numbers(values, known) if kind != "day" else arrow.numbers(values).view(TYPES[kind])

    def _lines(self, numbers: Longs, columns: Arrays) -> Iterator[str]:
        """The lines of each replication as one text: most of their cells are made once for all of them."""
        names = [*self._types]
        at = names.index("replication")
        before = "".join(f"{self._cells(name, columns[name])[0]}," for name in names[:at])  # the same in all rows
        cells = [self._cells(name, columns[name]) for name in names[at + 1 :]]
        lines: list[str] = []
        own: dict[int, list[str]] = {}  # by place: a line that differs, for each replication
        for place, row in enumerate(zip(*cells, strict=True)):
            if any(isinstance(cell, list) for cell in row):
                each = zip(*(cell if isinstance(cell, list) else repeat(cell) for cell in row), strict=False)
                own[place] = [f",{','.join(parts)}\n" for parts in each]
            lines.append("" if place in own else f",{','.join(row)}\n")
        for index, number in enumerate(numbers.tolist()):
            for place, texts in own.items():
                lines[place] = texts[index]
            start = f"{before}{number}"
            yield start + start.join(lines)

    def _cells(self, name: str, values: NDArray[Any]) -> list[Any]:
        """The cells of a column as a CSV file has them, where it isn't the same in each replication a list of each one's."""
        if name in self._places:
            words = [*self._places[name]]
            return [_quoted(words[place]) for place in values.tolist()]
        if values.ndim == 1 or len(values) == 1:
            return _texts(values.reshape(-1))
        found: list[Any] = _texts(values[0])
        for row in np.flatnonzero((values.view(np.int64) != values[0].view(np.int64)).any(axis=0)).tolist():
            found[row] = _texts(values[:, row])
        return found

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._rows:
            self._flush()
        self._parquet.close()
        if self._csv:
            self._csv.close()


def _texts(values: NDArray[Any]) -> list[str]:
    return [repr(value) if value == value else "" for value in values.tolist()]


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """A text as a cell of a CSV file."""
    cell = StringIO()
    csv.writer(cell, lineterminator="\n").writerow((text, ""))
    return cell.getvalue().removesuffix(",\n")


def write_replications(place: Path, replications: Replications) -> None:
    """The tables of a run: every figure, bill, timeline and commitment of its replications."""
    moves: list[tuple[str, float, str]] = []
    bought: list[CommitmentHours] = []
    vms = 0
    write_figures(place, {"": replications})
    with ExitStack() as stack:

        def table(name: str, types: Mapping[str, str], **how: Any) -> _Table:
            return stack.enter_context(_Table(place / name, types, **how))

        bill, months = table("bill", BILL, as_csv=True), table("cost_by_month", MONTHS, as_csv=True)
        ready, days, hours = (
            table("ready_curve", READY),
            table("cost_timeline", DAYS),
            table("timeline", HOURS, **HOURS_WRITTEN),
        )
        uptimes = None
        for words, numbers, rows in replications.rest():
            said = meaning(words)
            own = rest_of(said, rows)
            _add_bill(bill, numbers, said["bill"], own)
            _add_costs(days, months, numbers, said["daily_cost"], own["costs"])
            _add_ready_curves(ready, numbers, said["ready_curve"], own["ready"])
            _add_timelines(hours, numbers, said["timeline"], own["timeline"])
            if said["uptimes"]:
                uptimes = uptimes or table("sla", UPTIMES, as_csv=True)
                _add_uptimes(uptimes, numbers, said["uptimes"], own)
            moves += len(numbers) * said["vm_timelines"]
            vms += len(numbers) * said["vms"]
            if said["commitments"]:
                bought += [each for hours in own["commitments"] for each in commitments_of(said, hours)]
    _write_vm_timelines(place, moves, vms)
    _write_commitments(place, bought)


def write_figures(place: Path, runs: Mapping[Any, Replications], key: str = "") -> None:
    """Every figure of every replication of some runs, which a first column *key* tells apart: numbers, or texts."""
    kind = "int64" if all(isinstance(name, int) for name in runs) else "text"
    with _Table(place / "replications", {**({key: kind} if key else {}), **FIGURES}, as_csv=True) as table:
        for name, replications in runs.items():
            for words, numbers, rows in replications.figures():
                metrics = meaning(words)["metrics"]
                which = (
                    {key: np.repeat(table.places(key, [name]) if kind == "text" else name, rows.shape[1])}
                    if key
                    else {}
                )
                table.add(
                    numbers,
                    **which,
                    group=np.repeat(table.places("group", metrics), [len(own) for own in metrics.values()]),
                    metric=table.places("metric", [metric for own in metrics.values() for metric in own]),
                    value=rows,
                )


def _add_bill(table: _Table, numbers: Longs, lines: Sequence[Sequence[str]], own: Arrays) -> None:
    group, meter, unit = ([line[place] for line in lines] for place in range(3))
    quantity, price = own["prices"][:, :, 0], own["prices"][:, :, 1]
    table.add(
        numbers, group=table.places("group", group), meter=table.places("meter", meter), quantity=quantity,
        unit=table.places("unit", unit), unit_price=price, amount=dollars_of(own["nanos"]),
    )  # fmt: skip


def _add_costs(days: _Table, months: _Table, numbers: Longs, said: Sequence[Any], costs: Floats) -> None:
    """What each day and each calendar month (UTC) costs, by group (or commitment) and kind of meter."""
    first_day, keys = date.fromisoformat(said[0]), [*map(tuple, said[1])]
    width = costs.shape[2]
    if not keys:
        return
    groups, kinds = zip(*keys, strict=True)
    first = (first_day - date(1970, 1, 1)).days
    days.add(
        numbers,
        group=np.repeat(days.places("group", groups), width),
        kind=np.repeat(days.places("kind", kinds), width),
        day=np.tile(np.arange(first, first + width, dtype=np.int32), len(keys)),
        amount=costs.reshape(len(numbers), -1),
    )
    by_month = DailyCost(first_day=first_day, keys=tuple(keys), amounts=costs.reshape(-1, width)).by_month()
    amounts = np.array([*by_month.values()]).reshape(len(by_month), len(numbers), len(keys))
    months.add(
        numbers,
        group=np.tile(months.places("group", groups), len(by_month)),
        kind=np.tile(months.places("kind", kinds), len(by_month)),
        month=np.repeat(months.places("month", by_month), len(keys)),
        amount=amounts.transpose(1, 0, 2).reshape(len(numbers), -1),
    )


def _add_ready_curves(table: _Table, numbers: Longs, points: Mapping[str, int], curves: Floats) -> None:
    """How long it takes until k of n VMs are ready after they are needed; group "": all of them."""
    group = np.repeat(table.places("group", points), [*points.values()])
    table.add(numbers, group=group, k=curves[:, :, 0], n=curves[:, :, 1], wait_s=curves[:, :, 2])


def _add_timelines(table: _Table, numbers: Longs, said: Mapping[str, tuple[int, int]], vms: Floats) -> None:
    """Every group's hours; where one replication has more rows than are held at a time, group by group."""
    states, groups = table.places("state", map(str, PowerState)), table.places("group", said)
    is_long = vms[0].size > ROWS_AT_ONCE
    spans = [*pairwise(range(len(said) + 1))] if is_long else [(0, len(said))]
    for own in [slice(place, place + 1) for place in range(len(numbers))] if is_long else [slice(None)]:
        at = 0
        for first, last in spans:
            hours = [np.arange(begin, begin + count) for begin, count in [*said.values()][first:last]]
            hour = np.concatenate([*hours, np.zeros(0, dtype=np.int64)])
            table.add(
                numbers[own],
                group=np.repeat(groups[first:last], [len(each) * len(states) for each in hours]),
                hour=np.repeat(hour, len(states)),
                state=np.tile(states, len(hour)),
                vms=vms[own, at : at + len(hour)].reshape(len(numbers[own]), -1),
            )
            at += len(hour)


def _add_uptimes(table: _Table, numbers: Longs, said: Sequence[Sequence[Any]], own: Arrays) -> None:
    month, name, kinds, groups = zip(*said, strict=True)
    widths = [UPTIME_NUMBERS + len(each) for each in groups]
    at = np.cumsum([0, *widths[:-1]])
    deployed, down, worst = (own["uptimes"][:, at + place] for place in range(UPTIME_NUMBERS))
    credit = [
        [
            math.fsum(row[first + UPTIME_NUMBERS : first + width])
            for first, width in zip(at.tolist(), widths, strict=True)
        ]
        for row in own["uptimes"].tolist()
    ]
    promised = [SERVICE_LEVELS[Deployment(kind)].uptime for kind in kinds]
    table.add(
        numbers, month=table.places("month", month), name=table.places("name", name),
        deployment=table.places("deployment", kinds), deployments=own["counts"][:, :, 0],
        promised=np.array(promised, dtype=np.float64), deployed_min=deployed, down_min=down,
        uptime=1.0 - np.divide(down, deployed, out=np.zeros_like(down), where=deployed > 0.0), worst=worst, breaches=own["counts"][:, :, 1], credit=np.array(credit),
    )  # fmt: skip


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
