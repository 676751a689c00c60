"""How long operations take: a distribution for each kind, fitted to operations that were timed.

Each row weighs 1 / (rows of its cluster), so that a cluster counts once however many repeats it holds, and intervals come
from the estimates without each cluster (the jackknife), with Student's t for their number. An operation that failed
is censored at its time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from sim.arrays import Floats
from sim.distributions.kinds import Distribution
from sim.fields.defaults import SYSTEMS
from sim.traces.estimate import Estimate, estimate, pseudo_values
from sim.traces.families import FAMILIES, LOGNORMAL, MIXTURE
from sim.traces.goodness import Goodness, judge
from sim.traces.lifetimes import Lifetimes, widened
from sim.traces.operations import Operation, Operations
from sim.traces.turnbull import Empirical, turnbull

FEWEST_CLUSTERS = 8
"""Fewer clusters than this fit nothing of their own."""
CONFIDENCE = 0.95
FOREVER_S = 1e9
TRIED = tuple(name for name in FAMILIES if name != MIXTURE.name)
"""Families that are fitted to operations: some tens of clusters tell no mixture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One family's best distribution of an operation's durations, with its errors and its goodness of fit."""

    family: str
    distribution: Distribution
    parameters: dict[str, float]
    intervals: dict[str, tuple[float, float]]  # at `CONFIDENCE`, from clusters
    bic: float
    goodness: Goodness


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Consecutive years with enough clusters, and the lognormal median in them."""

    years: tuple[int, int]  # the first and the last
    rows: int
    clusters: int
    median_s: float
    interval_s: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationFit:
    """What was found for one operation; *os* "" means all rows together."""

    target: str
    operation: str
    os: str
    rows: int
    clusters: int
    failed: int
    years: tuple[int, int] | None  # the first and the last
    candidates: tuple[Candidate, ...]  # least BIC first
    empirical: Empirical
    periods: tuple[Period, ...]  # latest first; none if they aren't two or more

    def of_family(self, family: str) -> Candidate:
        """The distribution of a family."""
        return next(one for one in self.candidates if one.family == family)


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationFits:
    """All that was found in a file, by target and operation, and in words what wasn't fitted."""

    source: str
    rows: int
    fits: tuple[DurationFit, ...]
    notes: tuple[str, ...]

    def of(self, operation: str, os: str, *, target: str = "vm") -> DurationFit | None:
        """The fit that holds for an operation under a guest OS: its own, else that of all rows together."""
        mine = [one for one in self.fits if (one.target, one.operation) == (target, operation)]
        return next((one for one in mine if one.os == os), next((one for one in mine if not one.os), None))


def fit_durations(found: Operations, *, since: int | None = None, seed: int = 1) -> DurationFits:
    """Fits each operation, of the years from *since* on: by guest OS where both have `FEWEST_CLUSTERS`, else together.

    ValueError if no operation has so many clusters.
    """
    fits, notes = [], list(found.notes)
    if since is not None:
        late = [one for one in found.operations if one.year is not None and one.year >= since]
        notes.append(f"left out: {len(found.operations) - len(late):,} that aren't known to be of {since} or later")
        found = replace(found, operations=late)
    for target, name in sorted({(one.target, one.name) for one in found.operations}):
        rows = [one for one in found.operations if (one.target, one.name) == (target, name)]
        parts = {os: [one for one in rows if one.os == os] for os in SYSTEMS}
        if all(_ends(part) >= FEWEST_CLUSTERS for part in parts.values()):
            if unknown := sum(not one.os for one in rows):
                notes.append(f"left out: {unknown} {name} ({target}) whose guest OS isn't known")
        elif _ends(rows) >= FEWEST_CLUSTERS:
            parts = {"": rows}
        else:
            clusters = len({one.cluster for one in rows})
            notes.append(
                f"not fitted: {name} ({target}), {len(rows)} in {clusters} clusters; {FEWEST_CLUSTERS} are needed"
            )
            continue
        fits += [_fit(part, os, seed) for os, part in parts.items()]
    if not fits:
        raise ValueError(f"no operation has {FEWEST_CLUSTERS} clusters of rows that succeeded: too little to fit")
    return DurationFits(source=found.source, rows=found.rows, fits=tuple(fits), notes=tuple(notes))


def _ends(rows: Sequence[Operation]) -> int:
    """Clusters with an operation that succeeded."""
    return len({one.cluster for one in rows if not one.failed})


def _fit(rows: Sequence[Operation], os: str, seed: int) -> DurationFit:
    durations, cluster = weighted(rows)
    seen = turnbull(durations)
    fits = [estimate(FAMILIES[family], durations) for family in TRIED]
    candidates = [_candidate(one, durations, cluster, seen, seed) for one in fits]
    years = [one.year for one in rows if one.year is not None]
    return DurationFit(
        target=rows[0].target, operation=rows[0].name, os=os, rows=len(rows), clusters=durations.total,
        failed=sum(one.failed for one in rows), years=(min(years), max(years)) if years else None,
        candidates=tuple(sorted(candidates, key=lambda one: one.bic)), empirical=seen, periods=_periods(rows),
    )  # fmt: skip


def _periods(rows: Sequence[Operation]) -> tuple[Period, ...]:
    """The years, latest first, each together with those before it until there are enough clusters."""
    parts: list[list[Operation]] = [[]]
    for year in sorted({one.year for one in rows if one.year is not None}, reverse=True):
        if _ends(parts[-1]) >= FEWEST_CLUSTERS:
            parts.append([])
        parts[-1] += [one for one in rows if one.year == year]
    if len(parts) > 1 and _ends(parts[-1]) < FEWEST_CLUSTERS:  # the earliest years join those after them
        earliest = parts.pop()
        parts[-1] += earliest
    return tuple(_period(part) for part in parts) if len(parts) > 1 else ()


def _period(rows: Sequence[Operation]) -> Period:
    durations, cluster = weighted(rows)
    found = estimate(LOGNORMAL, durations)
    low, middle, high = (
        float(found.family.values(theta)[0]) for theta in clustered_interval(found, durations, cluster)
    )
    years = [one.year for one in rows if one.year is not None]
    return Period(
        years=(min(years), max(years)),
        rows=len(rows),
        clusters=durations.total,
        median_s=middle,
        interval_s=(low, high),
    )


def weighted(rows: Sequence[Operation]) -> tuple[Lifetimes, NDArray[np.intp]]:
    """The durations, each weighing 1 / (rows of its cluster), and the cluster of each."""
    _, cluster = np.unique([one.cluster for one in rows], return_inverse=True)
    size = np.bincount(cluster)
    seconds = np.array([one.seconds for one in rows])
    high = np.where([one.failed for one in rows], np.inf, widened(seconds))
    followed = np.array([float(len(size))])
    found = Lifetimes(
        low_s=seconds, high_s=high, count=1 / size[cluster], follow_s=np.array([FOREVER_S]), followed=followed
    )
    return found, cluster


def clustered_interval(
    found: Estimate, durations: Lifetimes, cluster: NDArray[np.intp]
) -> tuple[Floats, Floats, Floats]:
    """Low, middle and high of each parameter on its scale without bounds, at `CONFIDENCE`: what a cluster shares counts once."""
    values = pseudo_values(found, durations, cluster)
    clusters = len(values)
    half = float(student.ppf((1 + CONFIDENCE) / 2, clusters - 1)) * values.std(axis=0, ddof=1) / math.sqrt(clusters)
    return values.mean(axis=0) - half, found.theta, values.mean(axis=0) + half


def _candidate(
    found: Estimate, durations: Lifetimes, cluster: NDArray[np.intp], seen: Empirical, seed: int
) -> Candidate:
    low, values, high = (found.family.values(theta).tolist() for theta in clustered_interval(found, durations, cluster))
    symbols = found.family.symbols
    return Candidate(
        family=found.family.name, distribution=found.family.distribution(found.theta),
        parameters=dict(zip(symbols, values, strict=True)),
        intervals=dict(zip(symbols, zip(low, high, strict=True), strict=True)),
        bic=len(found.theta) * float(np.log(durations.total)) - 2 * found.log_likelihood,
        goodness=judge(found, durations, seen, seed=seed),
    )  # fmt: skip
