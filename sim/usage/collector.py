"""Moves become hours: streamed, vectorised, in any order of groups and threads.

An engine buffers (instant, move) pairs; the accumulator adds them to integer cells. Memory is bounded by the
clock hours of the horizon, not by the number of moves.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.units import SECONDS_PER_HOUR, TICKS_PER_SECOND
from sim.usage.ledger import ABSENT, COLUMNS, TICKS_PER_HOUR, GroupUsage, MoveTable, Ticks, audit, column, to_ticks
from sim.usage.ready import Waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that is counted: from the end of the warm-up to the horizon."""

    start_s: float
    end_s: float
    into_hour_s: float = 0.0  # how far t = 0 is into its clock hour

    @property
    def hours(self) -> int:
        """Clock hours from that of t = 0 that the window reaches into."""
        return max(1, math.ceil((self.end_s + self.into_hour_s) / SECONDS_PER_HOUR))

    @property
    def into_hour_ticks(self) -> int:
        """The ticks of its clock hour that are over at t = 0."""
        return to_ticks(self.into_hour_s)

    @property
    def start_ticks(self) -> int:
        """First tick that is counted."""
        return to_ticks(self.start_s)

    @property
    def end_ticks(self) -> int:
        """First tick that isn't counted any more."""
        return to_ticks(self.end_s)


@dataclass(slots=True)
class Accumulator:
    """One group's usage while moves are being added.

    `rest` gets, for a move at tick q, what is left of q's clock hour; `step` gets the whole hours after it. Both are
    differences: `usage` sums them up once.
    """

    window: Window
    table: MoveTable
    late_after_s: float = math.inf
    waits: Waits = field(init=False)
    rest: Ticks = field(init=False)  # (hours + 2, COLUMNS)
    step: Ticks = field(init=False)
    hits: NDArray[np.int64] = field(init=False)  # moves of each kind inside the window
    lifetimes_ticks: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        shape = (self.window.hours + 2, COLUMNS)  # a move just before the horizon may round to its very tick
        self.rest = np.zeros(shape, dtype=np.int64)
        self.step = np.zeros(shape, dtype=np.int64)
        self.hits = np.zeros(len(self.table.before), dtype=np.int64)
        self.waits = Waits(to_ticks(min(self.late_after_s, self.window.end_s)))

    def book(self, when_s: NDArray[np.float64], what: NDArray[np.int64]) -> None:
        """Add moves: their instants (s, before the horizon) and kinds (rows of the table)."""
        inside = when_s >= self.window.start_s
        self.hits += np.bincount(what[inside] if not inside.all() else what, minlength=len(self.hits))
        ticks = np.maximum(ticks_of(when_s), self.window.start_ticks)
        clock = ticks + self.window.into_hour_ticks
        hour = clock // TICKS_PER_HOUR
        rest = (hour + 1) * TICKS_PER_HOUR - clock
        before, after = self.table.before[what], self.table.after[what]
        for where, sign in ((before, -1), (after, 1)):
            np.add.at(self.rest.reshape(-1), hour * COLUMNS + where, sign * rest)
            np.add.at(self.step.reshape(-1), (hour + 1) * COLUMNS + where, sign)
        self.lifetimes_ticks += self._lifetimes(before, after, ticks)

    def _lifetimes(self, before: NDArray[np.int64], after: NDArray[np.int64], ticks: Ticks) -> int:
        left = self.window.end_ticks - ticks
        first_absent = column(ABSENT, 0)
        born = (before >= first_absent) & (after < first_absent)
        gone = (before < first_absent) & (after >= first_absent)
        return int(left[born].sum()) - int(left[gone].sum())

    def usage(self, group: str, peak_allocated: int, peak_running: int) -> GroupUsage:
        """The usage up to the horizon, audited. Raises AuditError."""
        hours = self.window.hours
        counts_at_start = np.cumsum(self.step, axis=0)
        cells = self.rest + counts_at_start * TICKS_PER_HOUR
        at_end = counts_at_start[hours]  # VMs in each column when the last clock hour is over
        cells[hours - 1] -= at_end * (hours * TICKS_PER_HOUR - self.window.end_ticks - self.window.into_hour_ticks)
        usage = GroupUsage(
            group=group,
            start_s=self.window.start_s,
            end_s=self.window.end_s,
            into_hour_s=self.window.into_hour_s,
            cells=np.ascontiguousarray(cells[:hours]),
            counts=self._counts(),
            peak_allocated=peak_allocated,
            peak_running=peak_running,
            ready=self.waits.times(),
        )
        audit(usage, self.lifetimes_ticks)
        return usage

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for names, hits in zip(self.table.counts, self.hits.tolist(), strict=True):
            for name in names:
                counts[name] = counts.get(name, 0) + hits
        return counts


def ticks_of(when_s: NDArray[np.float64]) -> Ticks:
    """`to_ticks` for many instants at once."""
    return (when_s * TICKS_PER_SECOND + 0.5).astype(np.int64)


@dataclass(slots=True)
class Peak:
    """The largest number of VMs that were in some condition at once, for each group and for all together.

    Changes come as (tick, group, change); `flush` adds up those that no earlier change can join any more. Changes at one
    tick are one change: what counts is the number after all of them.
    """

    groups: int
    start_ticks: int
    now: NDArray[np.int64] = field(init=False)  # by group; the last is the fleet
    most: NDArray[np.int64] = field(init=False)
    pending: list[tuple[Ticks, NDArray[np.int64], NDArray[np.int64]]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.now = np.zeros(self.groups + 1, dtype=np.int64)
        self.most = np.zeros(self.groups + 1, dtype=np.int64)

    def add(self, ticks: Ticks, group: NDArray[np.int64] | int, change: NDArray[np.int64]) -> None:
        """Take changes, in any order."""
        if len(ticks):
            groups = np.full(len(ticks), group, dtype=np.int64) if isinstance(group, int) else group
            self.pending.append((np.maximum(ticks, self.start_ticks), groups, change))

    def flush(self, before_tick: int | None = None) -> None:
        """Add up every pending change before *before_tick* (all of them if None)."""
        if not self.pending:
            return
        ticks, groups, change = (np.concatenate(part) for part in zip(*self.pending, strict=True))
        order = np.argsort(ticks)  # within a tick any order will do
        ticks, groups, change = ticks[order], groups[order], change[order]
        end = len(ticks) if before_tick is None else int(np.searchsorted(ticks, before_tick, side="left"))
        self.pending = [(ticks[end:], groups[end:], change[end:])] if end < len(ticks) else []
        ticks, groups, change = ticks[:end], groups[:end], change[:end]
        fleet = np.full(len(ticks), self.groups)
        few = self.groups <= np.iinfo(np.int16).max  # these are sorted in one pass over their digits
        by_group = np.argsort(groups.astype(np.int16) if few else groups, kind="stable")
        self._fold(fleet, ticks, change)
        self._fold(groups[by_group], ticks[by_group], change[by_group])

    def _fold(self, groups: NDArray[np.int64], ticks: Ticks, change: NDArray[np.int64]) -> None:
        """Add up changes in order of groups, then of time."""
        if not len(ticks):
            return
        ends = np.flatnonzero(np.append(groups[1:] != groups[:-1], True))
        owners, first = groups[ends], np.append(0, ends[:-1] + 1)
        level = np.cumsum(change)
        before = np.append(0, level[ends[:-1]])  # of the groups before
        level += np.repeat(self.now[owners] - before, np.diff(first, append=len(level)))
        self.now[owners] = level[ends]
        within = np.append((ticks[1:] == ticks[:-1]) & (groups[1:] == groups[:-1]), False)
        level[within] = np.iinfo(np.int64).min  # what counts is the number after all changes of a tick
        self.most[owners] = np.maximum(self.most[owners], np.maximum.reduceat(level, first))
