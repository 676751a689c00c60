"""Differences between fleets on common random numbers: paired figures, and their confidence.

Law, *Simulation Modeling and Analysis*, 10.2; Holm (1979), "A simple sequentially rejective multiple test procedure".
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sim.fields.metrics import better_direction
from sim.runs.metrics import HEADLINES, RATIOS
from sim.statistics.comparing import correlation, holm, p_value_of_mean
from sim.statistics.intervals import Interval, bounded, mean_of, ratio_influences, variance_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Variant minus base in one metric, over paired replications.

    The interval holds for this metric alone; `p_value` is Holm's over the whole family of comparisons, and `verdict`
    rests on it: better, worse (higher, lower where neither is better), undecided, or same (equal in every replication).
    """

    metric: str
    group: str
    mean: float | None
    low: float | None
    high: float | None
    half_width: float | None
    n: int
    p_better: float | None
    """Probability that the variant's mean is the better one; None where neither direction is better."""
    relative: float | None  # mean difference over the base's mean
    share_better: float | None  # in how many of the replications it was
    correlation: float | None  # of variant and base over replications, which common random numbers raise
    gain: float | None  # replications that independent runs would need for one paired; None: it never varies
    sd_base: float | None  # spread of the base over replications ...
    sd_variant: float | None  # ... and of the variant: where one of them hardly varies, pairing gains nothing
    p_value: float | None
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """The object that stands in `comparison.json`."""
        found = asdict(self)
        del found["metric"], found["group"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """The paired figures of one metric before verdicts."""

    mean: float | None
    n: int
    base_mean: float | None
    differences: tuple[float, ...]  # of single replications, where both are defined
    influences: tuple[float, ...] = ()
    """Of each replication on the mean difference; none where there is one replication."""
    together: float | None = None
    gain: float | None = None
    sd_base: float | None = None
    sd_variant: float | None = None


UNDEFINED = Paired(mean=None, n=0, base_mean=None, differences=())
"""Such as an availability where nothing was needed."""
MOST_GAIN = 1e12  # beyond it the difference varies by rounding alone

Values = Callable[[str, str], list[float]]
"""(metric, group) -> one value a replication."""


def paired(variant: Values, base: Values, metric: str, group: str) -> Paired:
    """Variant minus base in one metric, replication by replication; ratios as differences of ratios of means."""
    both = zip(variant(metric, group), base(metric, group), strict=True)
    defined = [(a, b) for a, b in both if not math.isnan(a - b)]
    after, before = [a for a, _ in defined], [b for _, b in defined]
    each = tuple(a - b for a, b in defined)
    if metric in RATIOS:
        top, bottom = RATIOS[metric]
        tops, bottoms = variant(top, group), variant(bottom, group)
        base_tops, base_bottoms = base(top, group), base(bottom, group)
        if not math.fsum(bottoms) or not math.fsum(base_bottoms):
            return UNDEFINED
        after, before = ratio_influences(tops, bottoms), ratio_influences(base_tops, base_bottoms)
        base_mean = math.fsum(base_tops) / math.fsum(base_bottoms)
        mean = math.fsum(tops) / math.fsum(bottoms) - base_mean
    elif each:
        mean, base_mean = mean_of(each), mean_of(before)
    else:
        return UNDEFINED
    n = len(after)
    if n < 2:
        return Paired(mean=mean, n=n, base_mean=base_mean, differences=each)
    influences = tuple(a - b for a, b in zip(after, before, strict=True))
    spread = variance_of(influences)
    apart = variance_of(after) + variance_of(before)
    return Paired(
        mean=mean, n=n, base_mean=base_mean, differences=each,
        influences=influences, together=correlation(after, before), gain=apart / spread if apart < MOST_GAIN * spread else None,
        sd_base=math.sqrt(variance_of(before)), sd_variant=math.sqrt(variance_of(after)),
    )  # fmt: skip


def judged(raw: Mapping[str, Mapping[str, Paired]], group: str, confidence: float) -> dict[str, dict[str, Difference]]:
    """Intervals for every metric, and verdicts by Holm over two families: the headlines of all variants, and the rest."""
    level = 1 - confidence
    adjusted: dict[tuple[str, str], float] = {}
    for headline in (True, False):
        family = [
            (variant, metric)
            for variant, by_metric in raw.items()
            for metric, found in by_metric.items()
            if (metric in HEADLINES) is headline and found.influences and any(found.differences)
        ]
        p_values = [p_value_of(raw[variant][metric]) for variant, metric in family]
        adjusted.update(zip(family, holm(p_values), strict=True))
    return {
        variant: {
            metric: _difference(metric, group, found, confidence, adjusted.get((variant, metric)), level)
            for metric, found in by_metric.items()
        }
        for variant, by_metric in raw.items()
    }


def interval_of(found: Paired, confidence: float) -> Interval:
    """The paired t interval, as far as a long tail of the differences asks for; without bounds: one replication, or undefined."""
    return bounded(math.nan if found.mean is None else found.mean, found.influences, confidence)


def p_value_of(found: Paired) -> float:
    """Two-sided p value of "no difference": below 1 - confidence where `interval_of` excludes 0."""
    assert found.mean is not None
    return p_value_of_mean(found.mean, found.influences)


def _difference(
    metric: str, group: str, found: Paired, confidence: float, p_value: float | None, level: float
) -> Difference:
    interval = interval_of(found, confidence)
    mean, wanted = found.mean, better_direction(metric)
    sign = {"lower": -1.0, "higher": 1.0}.get(wanted)
    better = [sign * value > 0.0 for value in found.differences] if sign is not None else []
    return Difference(
        metric=metric, group=group, mean=mean, low=interval.low, high=interval.high, half_width=interval.half_width, n=found.n,
        relative=None if mean is None or not found.base_mean else mean / abs(found.base_mean),
        p_better=None if sign is None else _probability_of_sign(found, sign),
        share_better=sum(better) / len(better) if better else None, correlation=found.together, gain=found.gain,
        sd_base=found.sd_base, sd_variant=found.sd_variant, p_value=p_value,
        verdict=_verdict(found, sign, p_value, level),
    )  # fmt: skip


def _probability_of_sign(found: Paired, sign: float) -> float | None:
    """Probability that the true mean difference has this sign (a flat prior)."""
    if found.mean is None or not found.influences:
        return None
    other = p_value_of(found) / 2
    return 1.0 - other if sign * found.mean > 0.0 else other


def _verdict(found: Paired, sign: float | None, p_value: float | None, level: float) -> str:
    if found.mean is None:
        return "undefined"
    if not any(found.differences) and found.mean == 0.0:
        return "same"
    if p_value is None or p_value > level:
        return "undecided"
    if sign is None:
        return "higher" if found.mean > 0.0 else "lower"
    return "better" if sign * found.mean > 0.0 else "worse"
