"""Fits a trace: distributions of its lifetimes, its arrivals, and the shares of its VM sizes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from sim.arrays import Floats
from sim.distributions.kinds import Distribution
from sim.fields.numbers import how_many
from sim.traces.arrivals import ArrivalFit, fit_arrivals
from sim.traces.estimate import Estimate, estimate, inverse, sandwich
from sim.traces.families import FAMILIES, MIXTURE
from sim.traces.goodness import Goodness, judge
from sim.traces.lifetimes import Lifetimes, gather, intervals
from sim.traces.rows import Rows, VmSize
from sim.traces.trace import Trace
from sim.traces.turnbull import Empirical, turnbull
from sim.units import SECONDS_PER_HOUR, format_duration

FEWEST = 10
"""Fewer ends than this fit anything."""
CURVE_POINTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionFit:
    """The best distribution of one family, its errors and its goodness of fit."""

    family: str
    distribution: Distribution
    parameters: dict[str, float]
    standard_errors: dict[str, float]  # if VMs were independent of each other
    robust_errors: dict[str, float]  # if only hours were: VMs created within one hour of the clock may be alike
    log_likelihood: float
    bic: float
    goodness: Goodness


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Share of VMs gone by age: as seen, and by each distribution."""

    seen_s: Floats  # ages at which the share is known
    seen: Floats
    at_s: Floats  # ages of the distributions' curves
    distributions: dict[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """All that was found; `best` is the distribution with the least BIC."""

    source: str
    vms: int  # whose beginning was seen, so that their lifetimes count
    censored: int
    stamp_s: float
    window_s: float
    start: datetime | None
    distributions: tuple[DistributionFit, ...]  # best first
    empirical: Empirical
    arrivals: ArrivalFit
    vm_sizes: tuple[tuple[VmSize, float], ...]  # most frequent first, with their share
    notes: tuple[str, ...]

    @property
    def best(self) -> DistributionFit:
        """The distribution to take: the least BIC."""
        return self.distributions[0]

    def of_family(self, family: str) -> DistributionFit:
        """The distribution of a family."""
        return next(one for one in self.distributions if one.family == family)

    def curve(self) -> Curve:
        """Points to draw: the share of VMs gone by age, as seen and by distribution."""
        ages = self.empirical.at_s
        longest = float(ages[-1]) if len(ages) else self.window_s
        shortest = max(min(float(ages[0]) if len(ages) else 1.0, longest / 10), 1e-3)
        at_s = np.geomspace(shortest / 4, longest * 1.5, CURVE_POINTS)
        distributions = {one.family: np.asarray(one.distribution.cdf(at_s)) for one in self.distributions}
        return Curve(seen_s=ages, seen=self.empirical.gone, at_s=at_s, distributions=distributions)


def fit(trace: Trace, *, families: Sequence[str] = tuple(FAMILIES), seed: int = 1) -> Fit:
    """Fits lifetimes and arrivals. *seed* is the bootstrap's.

    ValueError if there is too little to fit.
    """
    unknown = [family for family in families if family not in FAMILIES]
    if unknown or not families:
        raise ValueError(
            f"{', '.join(unknown) or 'no family'}: the families of distributions are {', '.join(FAMILIES)}"
        )

    def blocks() -> Iterator[Rows]:
        return (block[~block["alive_at_start"]] for block in trace.blocks())

    content = trace.content
    lifetimes = gather(blocks(), stamp_s=trace.stamp_s, follow_up_s=content.follow_up_s)
    ended = lifetimes.total - lifetimes.censored
    if ended < FEWEST:
        raise ValueError(
            f"{how_many(ended, 'VM')} began and ended in the window of {trace.path.name}: a fit takes {FEWEST} or more"
        )
    seen = turnbull(lifetimes)
    fits = [estimate(FAMILIES[family], lifetimes) for family in families]
    errors = _robust(fits, blocks, trace.stamp_s)
    distributions = [
        _distribution_fit(one, lifetimes, seen, robust, seed) for one, robust in zip(fits, errors, strict=True)
    ]
    arrivals = fit_arrivals(blocks(), stamp_s=trace.stamp_s, window_s=trace.window_s, start=trace.start)
    assert arrivals is not None
    return Fit(
        source=trace.path.name, vms=lifetimes.total, censored=lifetimes.censored, stamp_s=trace.stamp_s, window_s=trace.window_s,
        start=trace.start, distributions=tuple(sorted(distributions, key=lambda one: one.bic)), empirical=seen, arrivals=arrivals,
        vm_sizes=_shares(trace, blocks()), notes=_notes(trace, arrivals),
    )  # fmt: skip


def _distribution_fit(
    found: Estimate, lifetimes: Lifetimes, seen: Empirical, robust: Floats, seed: int
) -> DistributionFit:
    symbols, size = found.family.symbols, len(found.theta)
    values = found.family.values(found.theta)
    return DistributionFit(
        family=found.family.name,
        distribution=found.family.distribution(found.theta),
        parameters=dict(zip(symbols, values.tolist(), strict=True)),
        standard_errors=_natural(found, np.diag(inverse(found.information))),
        robust_errors=_natural(found, np.diag(robust)),
        log_likelihood=found.log_likelihood,
        bic=size * float(np.log(lifetimes.total)) - 2 * found.log_likelihood,
        goodness=judge(found, lifetimes, seen, seed=seed),
    )


def _natural(found: Estimate, variances: Floats) -> dict[str, float]:
    """Standard errors on the scales people write, by the delta method."""
    sd = np.sqrt(np.maximum(variances, 0.0))
    values = found.family.values(found.theta)
    if found.family is MIXTURE:
        share = values[0] * values[3]  # derivative of the weight by its logit
        steps = np.array([share * sd[0], *(values[1:3] * sd[1:3]), share * sd[0], *(values[4:6] * sd[3:5])])
    else:
        steps = values * sd
    return dict(zip(found.family.symbols, steps.tolist(), strict=True))


def _robust(fits: Sequence[Estimate], blocks: Callable[[], Iterator[Rows]], stamp_s: float) -> list[Floats]:
    """Covariances with scores added up by hour of creation (Huber's sandwich)."""
    sums: list[dict[int, Floats]] = [{} for _ in fits]
    for block in blocks():
        low, high = intervals(block, stamp_s)
        unique, which = np.unique(np.column_stack([low, high]), axis=0, return_inverse=True)
        hours, hour = np.unique((block["created_s"] // SECONDS_PER_HOUR).astype(np.int64), return_inverse=True)
        for found, into in zip(fits, sums, strict=True):
            score = found.score(unique[:, 0], unique[:, 1])[np.ravel(which)]
            added = np.stack([np.bincount(hour, weights=column, minlength=len(hours)) for column in score.T], axis=-1)
            for number, one in zip(hours.tolist(), added, strict=True):
                into[number] = into.get(number, 0.0) + one
    return [
        sandwich(found.information, np.array(list(table.values()))) for found, table in zip(fits, sums, strict=True)
    ]


def _shares(trace: Trace, blocks: Iterator[Rows]) -> tuple[tuple[VmSize, float], ...]:
    numbers = np.zeros(len(trace.vm_sizes))
    for block in blocks:
        numbers += np.bincount(block["size"], minlength=len(trace.vm_sizes))
    order = np.argsort(-numbers, kind="stable")
    return tuple((trace.vm_sizes[one], float(numbers[one] / numbers.sum())) for one in order if numbers[one])


def _notes(trace: Trace, arrivals: ArrivalFit) -> tuple[str, ...]:
    notes = [f"assumed: {line}" for line in trace.content.assumptions]
    if trace.alive_at_start:
        notes.append(
            f"VMs that were there at the start ({trace.alive_at_start:,}) are left out here: of their lifetimes a part is seen"
        )
    if not arrivals.batches_known:
        step = format_duration(trace.stamp_s)
        notes.append(
            f"the file doesn't say who asked, and its clock has steps of {step}: every VM counts as a request of its own"
        )
    if trace.start is None and arrivals.profile != "rate":
        first = "midnight" if arrivals.profile == "hourly" else "Monday 00:00"
        notes.append(f"the file doesn't say what time it was: its beginning is taken for {first}")
    return tuple(notes)
