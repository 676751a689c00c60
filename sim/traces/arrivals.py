"""When the VMs of a trace were asked for: requests by hour, VMs in a request, and how unlike a plain Poisson process.

A request is what one tenant asks for at one instant of the trace's clock. VMs that existed at the start say nothing about
arrivals.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats
from sim.traces.rows import Rows
from sim.units import DAY_H, SECONDS_PER_HOUR, WEEK_H

COUNTING_S = 300.0
"""Width of the bins in which VMs are counted for the index of dispersion, unless the trace's clock is coarser."""
SAME_INSTANT_S = 1.0
"""Without tenants, VMs of one instant are one request if the clock is at least as fine as this."""

SINGLY = 8
"""Batches up to so many VMs are kept as they are; larger ones are gathered."""
CLASSES_A_DECADE = 8  # of lifetimes that are alike
FEWEST_IN_BATCHES = 40  # VMs; fewer say nothing of what a batch's VMs share
GATHERED = 1.6
"""Ratio between the ends of a class of larger batches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalFit:
    """Requests an hour, VMs a request, and what tells a real fleet from a plain Poisson process."""

    vms: int
    requests: int
    span_s: float  # in which they came
    profile: str  # "rate" | "hourly" | "weekly"
    requests_per_h: tuple[float, ...]  # 1, 24 or 168 numbers
    batch_sizes: tuple[int, ...]
    batch_weights: tuple[float, ...]
    largest_batch: int
    alone: float  # share of requests for one VM
    batch_p90: int
    batch_p99: int
    counting_s: float
    dispersion_vms: float  # variance over mean of VMs in bins of counting_s; 1 for a plain Poisson process
    dispersion_requests: float  # the same for requests, around their hourly rates
    batches_known: bool  # False: every VM counts as a request of its own
    shared_lifetime: float = 0.0  # probability that the VMs of a batch have one lifetime

    @property
    def vms_per_h(self) -> float:
        """VMs asked for in an hour, on average."""
        return self.vms * SECONDS_PER_HOUR / self.span_s

    @property
    def mean_batch(self) -> float:
        """VMs a request, on average."""
        return self.vms / self.requests

    @property
    def fitted_dispersion(self) -> float:
        """Variance over mean of VMs in a short bin under the fitted process: E[B^2] / E[B]."""
        mean = math.fsum(size * weight for size, weight in zip(self.batch_sizes, self.batch_weights, strict=True))
        square = math.fsum(size**2 * weight for size, weight in zip(self.batch_sizes, self.batch_weights, strict=True))
        return square / mean


@dataclass(slots=True)
class _Counts:
    """What is added up over the blocks."""

    batches: Counter[int] = field(default_factory=Counter)
    vms_in_bin: Counter[int] = field(default_factory=Counter)
    requests_in_bin: Counter[int] = field(default_factory=Counter)
    last_s: float = 0.0
    lifetimes: Counter[int] = field(default_factory=Counter)  # VMs of batches whose end was seen, by class of lifetime
    alike: float = 0.0  # of their VMs, the share that has the class of another VM of its batch, times VMs

    @property
    def shared_lifetime(self) -> float:
        """q where two VMs of a batch have lifetimes of one class with probability q + (1 - q) p, and any two with p."""
        vms = sum(self.lifetimes.values())
        if vms < FEWEST_IN_BATCHES:
            return 0.0
        by_chance = math.fsum((number / vms) ** 2 for number in self.lifetimes.values())
        return max(0.0, (self.alike / vms - by_chance) / (1.0 - by_chance)) if by_chance < 1.0 else 0.0


def fit_arrivals(
    blocks: Iterable[Rows], *, stamp_s: float, window_s: float, start: datetime | None = None
) -> ArrivalFit | None:
    """The arrivals of a trace; None if no VM came."""
    counting_s = max(COUNTING_S, stamp_s)
    counts = _Counts()
    batches_known = False
    waiting: Rows | None = None
    for block in blocks:
        block = block[~block["alive_at_start"]]
        if not len(block):
            continue
        batches_known |= bool(block["tenant"].any()) or stamp_s <= SAME_INSTANT_S
        held = block if waiting is None else np.concatenate([waiting, block])
        # The last instant may go on in the next block.
        cut = int(np.searchsorted(held["created_s"], held["created_s"][-1], side="left"))
        _count(held[:cut], counts, counting_s, together=stamp_s <= SAME_INSTANT_S)
        waiting = held[cut:]
    if waiting is None:
        return None
    _count(waiting, counts, counting_s, together=stamp_s <= SAME_INSTANT_S)
    span_s = min(window_s, counts.last_s + max(stamp_s, 1.0))
    return _fit(counts, counting_s, span_s, start, batches_known=batches_known)


def _count(rows: Rows, counts: _Counts, counting_s: float, *, together: bool) -> None:
    if not len(rows):
        return
    key = np.empty(len(rows), dtype=[("created_s", "f8"), ("tenant", "u8"), ("row", "i8")])
    key["created_s"], key["tenant"] = rows["created_s"], rows["tenant"]
    # A VM without a tenant is a request of its own, unless the clock is fine enough to tell.
    key["row"] = np.where((rows["tenant"] == 0) & (not together), rows["row"], -1)
    requests, which, vms = np.unique(key, return_inverse=True, return_counts=True)
    _count_alike(rows, np.ravel(which), counts)
    counts.batches.update(vms.tolist())
    for times, into in ((rows["created_s"], counts.vms_in_bin), (requests["created_s"], counts.requests_in_bin)):
        into.update(np.floor(times / counting_s).astype(np.int64).tolist())
    counts.last_s = float(rows["created_s"][-1])


def _count_alike(rows: Rows, batch: NDArray[np.int_], counts: _Counts) -> None:
    """Add up which VMs of a batch have lifetimes of one class: an eighth of a decade."""
    seen = np.isfinite(rows["high_s"])
    middle_s = np.maximum(1.0, (rows["low_s"][seen] + rows["high_s"][seen]) / 2)
    classes = np.floor(CLASSES_A_DECADE * np.log10(middle_s)).astype(np.int64)
    own, place, together = np.unique(batch[seen], return_inverse=True, return_counts=True)
    several = together[np.ravel(place)] > 1
    if not several.any():
        return
    cells, number = np.unique(np.stack([own[np.ravel(place)][several], classes[several]]), axis=1, return_counts=True)
    in_batch = together[np.searchsorted(own, cells[0])]
    counts.alike += float((number * (number - 1) / (in_batch - 1)).sum())
    counts.lifetimes.update(classes[several].tolist())


def _fit(
    counts: _Counts, counting_s: float, span_s: float, start: datetime | None, *, batches_known: bool
) -> ArrivalFit:
    bins = max(1, math.ceil(span_s / counting_s - 1e-9))
    vms, requests = (_filled(table, bins) for table in (counts.vms_in_bin, counts.requests_in_bin))
    covered_s = np.minimum(counting_s, span_s - counting_s * np.arange(bins))
    profile, hours = _profile(span_s)
    offset = 0 if start is None else (start.hour + DAY_H * start.weekday()) % hours  # of t = 0, from Monday
    hour = ((np.arange(bins) * counting_s // SECONDS_PER_HOUR).astype(np.int64) + offset) % hours
    came = np.bincount(hour, weights=requests, minlength=hours)
    watched_h = np.bincount(hour, weights=covered_s, minlength=hours) / SECONDS_PER_HOUR
    rates = np.divide(came, watched_h, out=np.zeros(hours), where=watched_h > 0)
    expected = rates[hour] * covered_s / SECONDS_PER_HOUR
    known = expected > 0
    spread = float(((requests[known] - expected[known]) ** 2 / expected[known]).sum()) / max(
        1, int(known.sum()) - hours
    )

    sizes = np.array(sorted(counts.batches))
    numbers = np.array([counts.batches[size] for size in sizes.tolist()])
    total_vms, total_requests = int((sizes * numbers).sum()), int(numbers.sum())
    kept_sizes, kept_weights = gathered(sizes, numbers)
    # Gathering rounds the sizes; the rates make up for it, so that as many VMs come as came.
    kept_mean = math.fsum(size * weight for size, weight in zip(kept_sizes, kept_weights, strict=True))
    scale = total_vms / total_requests / kept_mean
    ranks = np.cumsum(numbers) / total_requests
    return ArrivalFit(
        vms=total_vms, requests=total_requests, span_s=span_s, profile=profile,
        requests_per_h=tuple(float(rate) * scale for rate in rates),
        batch_sizes=kept_sizes, batch_weights=kept_weights, largest_batch=int(sizes[-1]),
        alone=counts.batches.get(1, 0) / total_requests,
        batch_p90=int(sizes[np.searchsorted(ranks, 0.9)]), batch_p99=int(sizes[np.searchsorted(ranks, 0.99)]),
        counting_s=counting_s, dispersion_vms=float(vms.var(ddof=1) / vms.mean()) if len(vms) > 1 and vms.any() else math.nan,
        dispersion_requests=spread, batches_known=batches_known, shared_lifetime=counts.shared_lifetime if batches_known else 0.0,
    )  # fmt: skip


def _filled(table: dict[int, int], bins: int) -> Floats:
    counts = np.zeros(bins)
    counts[np.minimum(list(table), bins - 1)] = list(table.values())
    return counts


def _profile(span_s: float) -> tuple[str, int]:
    """Weekly when every hour of the week came twice, hourly when every hour of the day came."""
    hours = span_s / SECONDS_PER_HOUR
    if hours >= 2 * WEEK_H - 1e-6:
        return "weekly", WEEK_H
    return ("hourly", DAY_H) if hours >= DAY_H - 1e-6 else ("rate", 1)


def gathered(sizes: NDArray[np.int_], numbers: NDArray[np.int_]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Small batch sizes as they are, larger ones in classes that stand for their mean; weights are shares.

    >>> gathered(np.array([1, 2, 100, 110]), np.array([6, 2, 1, 1]))
    ((1, 2, 105), (0.6, 0.2, 0.2))
    """
    kept: dict[int, int] = {}
    at = 0
    while at < len(sizes):
        end = at + 1
        if sizes[at] > SINGLY:
            end = int(np.searchsorted(sizes, sizes[at] * GATHERED, side="right"))
        number = int(numbers[at:end].sum())
        size = round(float((sizes[at:end] * numbers[at:end]).sum() / number))
        kept[size] = kept.get(size, 0) + number
        at = end
    whole = sum(kept.values())
    return tuple(kept), tuple(number / whole for number in kept.values())
