"""Rows in order of creation, by an external merge sort that holds a few blocks in memory, whatever the size of the trace.

Each block is sorted and written as one run; unless the runs are in order already, they are merged.
(Knuth, The Art of Computer Programming, volume 3, section 5.4.)
"""

import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np

from sim.traces.rows import RAW, Rows

IN_MEMORY_BYTES = 32 << 20
"""Fewer bytes than this stay in memory."""


class ExternalSort:
    """Rows in a temporary file that is deleted with this object."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - open as long as the sorter
        self._runs: list[tuple[int, int]] = []  # first row and the row after the last
        self._last_s = -np.inf
        self._in_order = True
        self.rows = 0

    def append(self, block: Rows) -> None:
        """One more run, sorted by creation; rows of one instant keep their order."""
        if not len(block):
            return
        block = block[np.argsort(block["created_s"], kind="stable")]
        self._in_order &= bool(block["created_s"][0] >= self._last_s)
        self._last_s = float(block["created_s"][-1])
        self._file.seek(self.rows * RAW.itemsize)
        self._file.write(block.tobytes())
        self._runs.append((self.rows, self.rows + len(block)))
        self.rows += len(block)

    def read(self, first: int, last: int) -> Rows:
        """Rows first..last as they lie in the file."""
        self._file.seek(first * RAW.itemsize)
        return np.frombuffer(self._file.read((last - first) * RAW.itemsize), dtype=RAW)

    def blocks(self, rows_each: int) -> Iterator[Rows]:
        """All rows as they lie in the file, in batches."""
        for first in range(0, self.rows, rows_each):
            yield self.read(first, min(first + rows_each, self.rows))

    def sorted(self, rows_each: int) -> "ExternalSort":
        """The rows in order of creation, then of the file: this object, or a new one."""
        if self._in_order:
            return self
        merged = ExternalSort()
        for block in _merge([self._run(first, last, rows_each) for first, last in self._runs]):
            merged.append(block)
        return merged

    def _run(self, first: int, last: int, rows_each: int) -> Iterator[Rows]:
        step = max(1024, rows_each // len(self._runs))
        return (self.read(at, min(at + step, last)) for at in range(first, last, step))


def _merge(runs: Iterable[Iterator[Rows]]) -> Iterator[Rows]:
    """One sorted stream of several: repeatedly the rows that precede everything still unread."""
    sources = list(runs)
    buffers = [next(source) for source in sources]
    unread = [True] * len(sources)
    while any(unread):
        ends = [buffer["created_s"][-1] if more else np.inf for buffer, more in zip(buffers, unread, strict=True)]
        cut = min(ends)
        # Rows at the cut itself wait, since more of that instant may follow in their run.
        splits = [int(np.searchsorted(buffer["created_s"], cut, side="left")) for buffer in buffers]
        ready = np.concatenate([buffer[:split] for buffer, split in zip(buffers, splits, strict=True)])
        buffers = [buffer[split:] for buffer, split in zip(buffers, splits, strict=True)]
        for number, end in enumerate(ends):
            if unread[number] and end == cut:
                more = next(sources[number], None)
                unread[number] = more is not None
                if more is not None:
                    buffers[number] = np.concatenate([buffers[number], more])
        if len(ready):
            yield ready[np.lexsort((ready["row"], ready["created_s"]))]
    rest = np.concatenate(buffers)
    yield rest[np.lexsort((rest["row"], rest["created_s"]))]
