"""How long VMs are waited for: from each moment at which a VM becomes wanted until it is ready, in whole ticks.

A VM that is ready at that moment counts with 0; one that is no longer wanted before it is ready was *never* ready; one that is
still awaited at the horizon is left out, and so are moments of the warm-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.units import TICKS_PER_SECOND

NEVER = -1  # instead of a wait
MOST_KEPT = 8_000_000  # waits of a group; if there are more, all are rounded down to so many significant bits
KEPT_BITS = 12
ROUNDED_AT_ONCE = 500_000

# What a move does to the time that a VM is waited for (`sim.usage.ledger.MoveTable.wait_change`).
BEGINS, AT_ONCE, IS_READY, GIVEN_UP = range(1, 5)

Ticks = NDArray[np.int64]
_NONE: Ticks = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class ReadyTimes:
    """The waits of one replication, of a group or of a fleet."""

    waits: Ticks = field(default_factory=_NONE.copy)  # in any order
    times: Ticks | None = None  # how often each; None: once
    total_ticks: int = 0
    late: int = 0  # longer than the group's limit
    never: int = 0

    @cached_property
    def ready(self) -> int:
        """Moments at which the VM was ready in the end."""
        return len(self.waits) if self.times is None else int(self.times.sum())

    @property
    def moments(self) -> int:
        """Moments at which a VM was needed."""
        return self.ready + self.never

    @property
    def mean_s(self) -> float:
        """Mean wait of those (s); there must be one."""
        return self.total_ticks / self.ready / TICKS_PER_SECOND

    @property
    def late_share(self) -> float:
        """The share of moments that were late, or never ready; 0 if there is none."""
        return (self.late + self.never) / self.moments if self.moments else 0.0

    def percentile_s(self, percent: int) -> float:
        """The wait of rank ceil(percent / 100 x n), in order of length (s)."""
        return float(self.waits_s(np.array([-(-percent * self.ready // 100)]))[0])

    def curve(self, points: int) -> NDArray[np.float64]:
        """(k, n, time until k of n are ready in s) for about so many k, the last one included; n counts those that never were.

        Shape (points, 3), without points where there is no n; k = 0 where none was.
        """
        n = self.moments
        if not self.ready:
            return np.array([(0, n, 0)] if n else [], dtype=np.float64).reshape(-1, 3)
        ranks = np.unique(np.minimum(-(-np.arange(1, points + 1) * n // points), self.ready))
        return np.stack([ranks, np.full_like(ranks, n), self.waits_s(ranks)], axis=1)

    def waits_s(self, ranks: Ticks) -> NDArray[np.float64]:
        """The waits of some ranks from 1 on, in order of length (s)."""
        waits, upto = self._in_order
        places = ranks - 1 if upto is None else np.searchsorted(upto, ranks)
        return np.asarray(waits[places] / TICKS_PER_SECOND, dtype=np.float64)

    @cached_property
    def _in_order(self) -> tuple[Ticks, Ticks | None]:
        """The waits in order of length, and how many there are up to each; None: one by one."""
        if self.times is None:
            return np.sort(self.waits), None
        order = np.argsort(self.waits)
        return self.waits[order], np.cumsum(self.times[order])


def joined(parts: Sequence[ReadyTimes]) -> ReadyTimes:
    """The waits of several groups together; those of one are its own, put in order once."""
    if len(parts) == 1:
        return parts[0]
    some = [part for part in parts if len(part.waits)]
    counted = any(part.times is not None for part in some)
    return ReadyTimes(
        _together([part.waits for part in some]),
        _together([np.ones_like(p.waits) if p.times is None else p.times for p in some]) if counted else None,
        sum(part.total_ticks for part in parts),
        sum(part.late for part in parts),
        sum(part.never for part in parts),
    )


def _together(parts: Sequence[Ticks]) -> Ticks:
    """Several arrays as one; one by itself isn't copied."""
    return parts[0] if len(parts) == 1 else np.concatenate([_NONE, *parts])


@dataclass(slots=True)
class Waits:
    """One group's waits while they come in, in any order; those of millions of VMs take bounded room."""

    late_after_ticks: int
    found: ReadyTimes = field(init=False, default_factory=ReadyTimes)  # its waits are those before the pending ones
    pending: list[Ticks] = field(init=False, default_factory=list)
    kept: int = field(init=False, default=0)
    rounds: bool = field(init=False, default=False)

    def add(self, ticks: Ticks) -> None:
        """Take waits, or `NEVER` for each that had no end."""
        if not len(ticks):
            return
        ended = ticks if ticks.min() > NEVER else ticks[ticks != NEVER]
        self.found = replace(
            self.found,
            total_ticks=self.found.total_ticks + int(ended.sum()),
            late=self.found.late + int(np.count_nonzero(ended > self.late_after_ticks)),
            never=self.found.never + len(ticks) - len(ended),
        )
        self.pending.append(ended)
        self.kept += len(ended)
        if self.kept > MOST_KEPT:
            self.rounds = True
            self.times()

    def times(self) -> ReadyTimes:
        """All of them."""
        both = joined([self.found, *(ReadyTimes(waits) for waits in self.pending)])
        self.pending = []
        self.found = _rounded(both) if self.rounds else both
        self.kept = len(self.found.waits)
        return self.found


def _rounded(found: ReadyTimes) -> ReadyTimes:
    """Waits rounded down, and counted; in batches, for what they are counted with takes many times their room."""
    values, counts = [_NONE], [_NONE]
    for first in range(0, len(found.waits), ROUNDED_AT_ONCE):
        some = slice(first, first + ROUNDED_AT_ONCE)
        surplus = np.maximum(np.frexp(found.waits[some].astype(np.float64))[1].astype(np.int64) - KEPT_BITS, 0)
        waits, place = np.unique(found.waits[some] >> surplus << surplus, return_inverse=True)
        values.append(waits)
        weights = None if found.times is None else found.times[some]
        counts.append(np.bincount(place, weights=weights, minlength=len(waits)))
    waits, place = np.unique(np.concatenate(values), return_inverse=True)
    times = np.bincount(place, weights=np.concatenate(counts), minlength=len(waits)).astype(np.int64)
    return replace(found, waits=waits, times=times)
