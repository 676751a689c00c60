"""Writes the events of one replication into a Parquet file as they come.

Memory stays bounded however many events there are; the part files of all replications become `events.parquet`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sim.arrays import Floats, Ints
from sim.engines.events import COLUMNS, EventColumns
from sim.runs import arrow

ROWS_HELD = 500_000  # about: 16 MB
HOW_WRITTEN: Mapping[str, Any] = MappingProxyType({  # an instant repeats little, and least and largest words tell no one anything
    "compression": "zstd", "use_dictionary": ["replication", *COLUMNS], "write_statistics": ["replication", "t_s"],
})  # fmt: skip


def event_schema() -> pa.Schema:
    """The columns of `events.parquet`."""
    word = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([("replication", pa.int32()), ("t_s", pa.float64()), *((name, word) for name in COLUMNS)])


class EventWriter:
    """The part file of one replication's events; writes nothing without a path. Complete once the block has ended well."""

    def __init__(self, path: Path | None, replication: int) -> None:
        self.path = path
        self.replication = replication
        self.rows = 0  # held, not written yet
        self._held: list[tuple[Floats, list[Ints]]] = []
        self._places: list[dict[str, int]] = [{} for _ in COLUMNS]  # of the values held
        self._writer: Any = None

    def take(self, events: EventColumns) -> None:
        """Take rows; write those that are held where they are many."""
        if not self._held and len(events.t_s) >= ROWS_HELD:
            self._write(events.t_s, events.columns)
            return
        places = []
        for (column, values), known in zip(events.columns, self._places, strict=True):
            place = np.array([*(known.setdefault(value, len(known)) for value in values), -1], dtype=np.int32)
            places.append(place[column])
        self._held.append((events.t_s, places))
        self.rows += len(events.t_s)
        if self.rows >= ROWS_HELD:
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path is None:
            return
        if kind is None:
            self.flush()
        if self._writer is not None:
            self._writer.close()
        if kind is None:
            self._unfinished(self.path).replace(self.path)
        else:
            self._unfinished(self.path).unlink(missing_ok=True)

    def flush(self) -> None:
        """Write what is held and forget it."""
        held = self._held or [(np.zeros(0), [np.zeros(0, dtype=np.int32)] * len(COLUMNS))]
        columns = [np.concatenate(column) for column in zip(*(places for _, places in held), strict=True)]
        self._write(
            np.concatenate([t_s for t_s, _ in held]),
            [(column, list(known)) for column, known in zip(columns, self._places, strict=True)],
        )
        self._held.clear()
        for known in self._places:
            known.clear()
        self.rows = 0

    def _write(self, t_s: Floats, columns: Sequence[tuple[Ints, Sequence[str]]]) -> None:
        """Write rows as one row group; no rows, and there is a file."""
        assert self.path is not None
        schema, rows = event_schema(), len(t_s)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._unfinished(self.path), schema, **HOW_WRITTEN)
        if rows:
            replications = np.full(rows, self.replication, dtype=np.int32)
            arrays = [arrow.numbers(replications), arrow.numbers(t_s), *(arrow.words(*column) for column in columns)]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=rows)

    @staticmethod
    def _unfinished(path: Path) -> Path:
        return path.with_suffix(".unfinished")


def merge(parts: Iterable[Path | memoryview], target: Path) -> None:
    """Put part files (or the bytes of some) one after the other into *target*; small ones share a row group."""
    left = iter(parts)
    first, second = next(left), next(left, None)
    if second is None:
        target.write_bytes(first.read_bytes() if isinstance(first, Path) else first)
        return
    schema, rows = event_schema(), 0
    held: list[pa.Table] = []
    with pq.ParquetWriter(target, schema, **HOW_WRITTEN) as writer:
        for table in _row_groups(chain((first, second), left)):
            if rows + table.num_rows > ROWS_HELD:
                _write_together(writer, held)
                held, rows = [], 0
            held.append(table.cast(schema))
            rows += table.num_rows
        _write_together(writer, held)


def _row_groups(parts: Iterable[Path | memoryview]) -> Iterator[pa.Table]:
    for part in parts:
        with pq.ParquetFile(readable(part), read_dictionary=list(COLUMNS)) as source:
            for index in range(source.num_row_groups):
                yield source.read_row_group(index, use_threads=False)


def _write_together(writer: pq.ParquetWriter, held: Sequence[pa.Table]) -> None:
    if held:
        table = pa.concat_tables(held).unify_dictionaries().combine_chunks()
        writer.write_table(table, row_group_size=table.num_rows)


def readable(part: Path | memoryview) -> Any:
    """A part file, or the bytes of one, as a library of Parquet files takes it."""
    return part if isinstance(part, Path) else pa.BufferReader(pa.py_buffer(part))
