"""The trace of a real fleet: read once, sorted by creation, and iterated in blocks any number of times."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.errors import TraceError
from sim.fields.numbers import how_many
from sim.files import near_file, refusal
from sim.traces.external_sort import ExternalSort
from sim.traces.formats import Content, Reading, get_reader
from sim.traces.rows import ROW, Rows, VmSize, VmSizeTable
from sim.units import SECONDS_PER_HOUR, format_duration

ROWS_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The VMs of a real fleet and the window in which they were watched; times in seconds from t = 0."""

    path: Path
    format: str
    reading: Reading
    content: Content
    vm_sizes: tuple[VmSize, ...]  # kinds of VM; a row's `size` is an index into these
    rows: int
    still_alive: int  # at the end of the window
    alive_at_start: int
    left_out: int  # gone before t = 0, or created after the window
    ended_early: int  # alive when the watch over them ended, before the window did
    vm_h: float  # VM-hours inside the window
    _external_sort: ExternalSort

    def __reduce__(self) -> tuple[object, ...]:
        # Another process reads the file itself: the rows don't travel.
        return _open, (self.path, self.format, self.reading)

    @property
    def window_s(self) -> float:
        """How long the fleet was watched, from t = 0."""
        return self.content.window_s

    @property
    def stamp_s(self) -> float:
        """Its times are whole multiples of this; 0: as fine as they are written."""
        return self.content.stamp_s

    @property
    def start(self) -> datetime | None:
        """The instant of t = 0, if the file tells."""
        return self.content.start

    def blocks(self, rows_each: int = ROWS_AT_ONCE) -> Iterator[Rows]:
        """Its VMs in order of creation as arrays of `ROW`, in batches; may be asked for again and again."""
        for raw in self._external_sort.blocks(rows_each):
            block = _rows(raw, self.content, self.reading, self.vm_sizes)
            if len(block):
                yield block

    def describe(self) -> list[str]:
        """What was read and what was assumed, in words."""
        content = self.content
        lines = [
            f"{self.path.name} ({self.format}): {how_many(self.rows, 'VM')} in {format_duration(content.window_s)}, {self.vm_h:,.1f} VM-hours",
            f"{self.alive_at_start:,} {'was' if self.alive_at_start == 1 else 'were'} there at the start, {self.still_alive:,} still at the end; {how_many(len(self.vm_sizes), 'kind of VM')}",
        ]
        if content.stamp_s:
            lines.append(f"times in steps of {format_duration(content.stamp_s)}")
        if self.ended_early:
            lines.append(f"last seen alive before the end, and replayed until then: {self.ended_early:,}")
        if self.left_out:
            lines.append(f"left out, as they lie outside the window: {self.left_out:,}")
        return [*lines, *(f"assumed: {one}" for one in content.assumptions)]


def open_trace(path: Path | str, format: str, **reading: object) -> Trace:  # noqa: A002 - the scenario file's own word
    """Reads a trace; keywords are those of `Reading`. What is wrong with it raises TraceError.

    The same file, unchanged, is read once in a process, however often it is opened.
    """
    try:
        how = Reading(**reading)  # type: ignore[arg-type]
        get_reader(format)
    except (ValueError, TypeError) as error:
        raise refusal(TraceError, path, str(error)) from None
    return _open(Path(path), format, how)


opened_traces: dict[tuple[object, ...], Trace] = {}
MOST_OPEN = 4


def _open(path: Path, format_name: str, reading: Reading) -> Trace:
    try:
        state = path.stat()
    except (OSError, ValueError) as error:
        problem = f"it can't be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        raise refusal(TraceError, path, problem, near_file(path)) from None
    key = (str(path.absolute()), state.st_mtime_ns, state.st_size, format_name, reading)
    if key not in opened_traces:
        trace = _read(path, format_name, reading)
        while len(opened_traces) >= MOST_OPEN:
            opened_traces.pop(next(iter(opened_traces)))
        opened_traces[key] = trace
    return opened_traces[key]


def _read(path: Path, format_name: str, reading: Reading) -> Trace:
    sorter, vm_sizes = ExternalSort(), VmSizeTable()
    content = get_reader(format_name)(path, reading, sorter, vm_sizes)
    sorter = sorter.sorted(ROWS_AT_ONCE)
    rows = still_alive = alive_at_start = early = 0
    hours: list[float] = []
    for raw in sorter.blocks(ROWS_AT_ONCE):
        block = _rows(raw, content, reading, vm_sizes.vm_sizes)
        rows += len(block)
        still_alive += int(np.isinf(block["lifetime_s"]).sum())
        alive_at_start += int(block["alive_at_start"].sum())
        early += int((np.isinf(block["high_s"]) & np.isfinite(block["lifetime_s"])).sum())
        inside_s = np.minimum(block["lifetime_s"], content.window_s - block["created_s"])
        hours.append(math.fsum(inside_s.tolist()) / SECONDS_PER_HOUR)
    if not rows:
        raise refusal(TraceError, path, "no VM lies inside the window", "check window and origin")
    return Trace(
        path=path, format=format_name, reading=reading, content=content, vm_sizes=vm_sizes.vm_sizes, rows=rows,
        still_alive=still_alive, alive_at_start=alive_at_start, left_out=sorter.rows - rows, ended_early=early, vm_h=math.fsum(hours), _external_sort=sorter,
    )  # fmt: skip


def ended_early(created: NDArray[np.float64], raw: Rows, content: Content) -> NDArray[np.bool_]:
    """Which rows were alive when the watch over them ended, before that of the whole fleet did; *created* from t = 0."""
    watched_until = created + np.maximum(raw["seen_s"], raw["low_s"])
    until_s = content.window_s if content.watched_s is None else content.watched_s
    early: NDArray[np.bool_] = np.isinf(raw["high_s"]) & (watched_until < until_s)
    return early


def _rows(raw: Rows, content: Content, reading: Reading, vm_sizes: tuple[VmSize, ...]) -> Rows:
    """Rows of the file's clock as rows of the window."""
    created = raw["created_s"] - content.origin_s
    low, high = raw["low_s"], raw["high_s"]
    # A lifetime known to an interval ended before the observation did, else the row would say that it went on.
    longest = np.minimum(high, np.maximum(content.follow_up_s - created, low))
    own = ended_early(created, raw, content)
    middle = np.where(
        own, (low + np.maximum(raw["seen_s"], low)) / 2, np.where(np.isinf(high), np.inf, (low + longest) / 2)
    )
    # A row may be said to be there at t = 0, but not one whose end before that was seen.
    there = (created >= 0) | (created + middle > 0) | raw["alive_at_start"] & (created + high > 0)
    kept = (created < content.window_s) & there
    raw, created, low, high, middle, own = raw[kept], created[kept], low[kept], high[kept], middle[kept], own[kept]
    watched = content.follow_up_s - created

    block = np.empty(len(raw), dtype=ROW)
    block["created_s"] = np.maximum(created, 0.0)
    ended = created + middle
    # With a window of the user's own, a VM deleted at its end was alive when it ended; so it was when it ended later.
    beyond = (ended >= content.window_s) & (reading.window_s is not None) | (ended > content.window_s)
    block["lifetime_s"] = np.where(beyond, np.inf, np.maximum(ended - block["created_s"], 0.0))
    unseen = own | beyond & (ended >= content.follow_up_s)
    block["low_s"] = np.where(unseen, np.minimum(np.clip(watched, low, np.maximum(raw["seen_s"], low)), watched), low)
    block["high_s"] = np.where(unseen, np.inf, high)
    block["vcpus"] = np.array([shape.vcpus or np.nan for shape in vm_sizes])[raw["size"]]
    block["memory_gib"] = np.array([shape.memory_gib or np.nan for shape in vm_sizes])[raw["size"]]
    for name in ("size", "row", "tenant", "priority"):
        block[name] = raw[name]
    block["alive_at_start"] = raw["alive_at_start"] | (created < 0)
    return block
