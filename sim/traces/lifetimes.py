"""Lifetimes as a trace knows them: each an interval, with a count.

A lifetime lies in [low, high): its end was seen between two stamps of the clock, or in a bin, or not at all (high = inf, censored
on the right).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats
from sim.traces.rows import Rows

MOST_INTERVALS = 20_000
"""Beyond so many different intervals their ends are rounded to a share of `COARSE`, so that memory stays bounded."""
COARSE = 2e-3

NARROW = 1e-4
"""An end known more exactly than this share of the lifetime (or a millisecond) is taken as known to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """Different intervals and how many VMs have each; and how long VMs were followed, by classes of that."""

    low_s: Floats
    high_s: Floats  # inf: censored
    count: Floats
    follow_s: Floats  # a class of VMs was followed for (at least) so long
    followed: Floats  # and has so many VMs

    @property
    def total(self) -> int:
        return round(float(self.count.sum()))

    @property
    def censored(self) -> int:
        return round(float(self.count[np.isinf(self.high_s)].sum()))


def intervals(block: Rows, stamp_s: float) -> tuple[Floats, Floats]:
    """[low, high) of each VM of a block: from a stamp to the next one, since a VM seen at one is gone by the next."""
    low, high = block["low_s"].copy(), block["high_s"].copy()
    seen = np.isfinite(high)
    high[seen] = widened(high[seen]) if stamp_s == 0 else high[seen] + stamp_s
    return low, high


def widened(seconds: Floats) -> Floats:
    """The upper ends of intervals about times that are known exactly."""
    return np.asarray(seconds + np.maximum(1e-3, NARROW * seconds))


def gather(blocks: Iterable[Rows], *, stamp_s: float, follow_up_s: float) -> Lifetimes:
    """The lifetimes of all VMs of a trace whose beginning was seen."""
    table = np.empty((0, 2))
    count = np.empty(0)
    follow = np.empty((0, 1))
    followed = np.empty(0)
    coarse = 0.0
    for block in blocks:
        block = block[~block["alive_at_start"]]
        low, high = intervals(block, stamp_s)
        pairs = np.column_stack([low, high])
        table, count = _tally(table, count, _rounded(pairs, coarse))
        while len(table) > MOST_INTERVALS:
            coarse = max(COARSE, 2 * coarse)
            table, count = _tally(np.empty((0, 2)), np.empty(0), _rounded(table, coarse), count)
        watched = follow_up_s - block["created_s"]
        # A censored VM was followed as long as it was seen.
        watched = np.where(np.isinf(high), np.minimum(watched, low), watched)
        follow, followed = _tally(follow, followed, _down(watched, 0.01)[:, None])
    return Lifetimes(low_s=table[:, 0], high_s=table[:, 1], count=count, follow_s=follow[:, 0], followed=followed)


def _tally(table: Floats, count: Floats, more: Floats, more_count: Floats | None = None) -> tuple[Floats, Floats]:
    """The same with more rows counted in."""
    rows = np.concatenate([table, more])
    weights = np.concatenate([count, np.ones(len(more)) if more_count is None else more_count])
    unique, which = np.unique(rows, axis=0, return_inverse=True)
    return unique, np.bincount(np.ravel(which), weights=weights, minlength=len(unique)).astype(np.float64)


def _down(seconds: Floats, share: float) -> Floats:
    """Rounded down to a grid whose steps are this share of the number."""
    with np.errstate(divide="ignore"):
        steps = np.floor(np.log(np.maximum(seconds, 1e-3)) / math.log1p(share) + 1e-9)
    return np.minimum(np.exp(steps * math.log1p(share)), seconds)


def _rounded(pairs: Floats, share: float) -> Floats:
    if not share:
        return pairs
    low, high = pairs[:, 0], pairs[:, 1]
    wide = np.where(np.isinf(high), high, _down(np.where(np.isinf(high), 1.0, high), share) * (1 + share))
    return np.column_stack([np.where(low > 0, _down(low, share), 0.0), wide])
