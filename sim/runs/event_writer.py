"""Writes the events of one replication: a list that flushes itself into a Parquet file as it grows.

Memory stays bounded however many events there are; the part files of all replications become `events.parquet`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_HELD = 100_000  # some 20 MB of tuples

Event = tuple[float, str, str, str | None, str | None, str | None, str | None]
"""(t_s, vm, kind, from, to, operation, code), as the engines report it."""


def event_schema() -> pa.Schema:
    """The columns of `events.parquet`."""
    word = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("replication", pa.int32()),
            ("t_s", pa.float64()),
            ("vm", word),
            ("kind", word),
            ("from", word),
            ("to", word),
            ("operation", word),
            ("code", word),
        ]
    )


class EventRows(list[Event]):
    """A list of events that flushes itself whenever it holds many."""

    def __init__(self, writer: EventWriter) -> None:
        super().__init__()
        self._target = writer

    def append(self, event: Event, /) -> None:
        """Take one event."""
        super().append(event)
        if len(self) >= ROWS_HELD:
            self._target.flush()

    def extend(self, events: Iterable[Event], /) -> None:
        """Take many events."""
        waiting = iter(events)
        while True:
            free = ROWS_HELD - len(self)
            super().extend(islice(waiting, free))
            if len(self) < ROWS_HELD:
                return
            self._target.flush()


class EventWriter:
    """The part file of one replication's events; writes nothing without a path. Complete once the block has ended well."""

    def __init__(self, path: Path | None, replication: int) -> None:
        self.path = path
        self.replication = replication
        self.rows = EventRows(self)
        self._writer: Any = None

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
        """Write what is held as one row group and forget it."""
        if self.path is None:
            self.rows.clear()
            return
        schema = event_schema()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._unfinished(self.path), schema, compression="zstd")
        if not self.rows:
            return
        columns = list(zip(*self.rows, strict=True))
        arrays = [pa.array([self.replication] * len(self.rows), pa.int32()), pa.array(columns[0], pa.float64())]
        arrays += [pa.array(words, pa.string()).dictionary_encode() for words in columns[1:]]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        self.rows.clear()

    @staticmethod
    def _unfinished(path: Path) -> Path:
        return path.with_suffix(".unfinished")


def merge(parts: Iterable[Path], target: Path) -> None:
    """Put the part files one after the other into *target*, a batch at a time."""
    schema = event_schema()
    words = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for part in parts:
            with pq.ParquetFile(part, read_dictionary=words) as source:
                for index in range(source.num_row_groups):
                    writer.write_table(source.read_row_group(index).cast(schema))
