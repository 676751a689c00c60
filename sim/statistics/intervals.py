"""Estimates with their intervals, from a few replications.

One observation per replication; nothing here knows what was simulated. Sums are exact (`math.fsum`), so that a figure
doesn't depend on the order or the machine it was added on. Sources: Law, *Simulation Modeling and Analysis* (5th ed.),
sections 4.5, 9.4, 10.2; Nelson, *Foundations and Methods of Stochastic Simulation*, chapter 7.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from importlib.resources import files
from operator import attrgetter
from typing import Any

from sim.statistics.quantiles import percentile, replications_for

# start-up: scipy.special takes as long to load as a small run takes, so what every run needs does without it

Domain = tuple[float, float]
NO_BOUNDS: Domain = (-math.inf, math.inf)
NOT_NEGATIVE: Domain = (0.0, math.inf)
LARGEST_EXPONENT = 700.0  # e to the power of more is no float
SKEWED = 0.5  # sample skewness from which the long tail's bound is looked at
LEAST_FOR_SKEWNESS = 5  # observations; fewer say nothing of their skewness
JACKKNIFE_BELOW = 30  # replications; from there on the delta method is as good for a ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure and the confidence interval around it; without bounds where one observation can't give them."""

    mean: float
    low: float | None
    high: float | None
    half_width: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One metric in `summary.json`: the mean with its interval, and the spread of outcomes.

    `mean`, `low`, `high` and `half_width` answer "what is the average, and how well is it known"; `sd` and the
    percentiles answer "what can one month be". `None` where the observations can't say (one replication, nothing wanted, too few
    for a percentile: see `replications_for`). `half_width` is the distance to the farther bound.
    """

    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    half_width: float | None
    n: int
    p05: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None

    def as_dict(self) -> dict[str, float | int | None]:
        """The object that stands in `summary.json`."""
        return dict(zip(_FIELDS, _FIGURES(self), strict=True))

    @property
    def interval(self) -> Interval:
        """Mean and bounds alone."""
        return Interval(
            mean=math.nan if self.mean is None else self.mean,
            low=self.low,
            high=self.high,
            half_width=self.half_width,
            n=self.n,
        )

    @property
    def complement(self) -> Interval:
        """1 minus the estimate, with its bounds."""
        here = self.interval
        return Interval(
            mean=1.0 - here.mean,
            low=None if here.high is None else 1.0 - here.high,
            high=None if here.low is None else 1.0 - here.low,
            half_width=here.half_width,
            n=here.n,
        )


_FIELDS = tuple(field.name for field in fields(Estimate))
_FIGURES = attrgetter(*_FIELDS)


def t_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t with *degrees* degrees of freedom.

    >>> round(t_quantile(0.975, 9), 6)
    2.262157
    """
    kept = _t_quantiles().get(repr(probability), ())
    if 1 <= degrees <= len(kept) and degrees == int(degrees):
        return kept[int(degrees) - 1]
    from scipy import special

    return float(special.stdtrit(degrees, probability))


@cache
def _t_quantiles() -> Mapping[str, Sequence[float]]:
    """By probability: the quantiles for 1, 2, 3 ... degrees that `tools/t_quantiles.py` had scipy compute."""
    found: Mapping[str, Sequence[float]] = json.loads(files("sim.statistics").joinpath("t_quantiles.json").read_text())
    return found


def mean_of(values: Sequence[float]) -> float:
    """Arithmetic mean, from the exact sum.

    >>> mean_of([0.1] * 10)
    0.1
    """
    return math.fsum(values) / len(values)


def variance_of(values: Sequence[float]) -> float:
    """Sample variance with n - 1; needs two observations. Equal observations give exactly zero."""
    if len(values) < 2:
        raise ValueError(f"a variance needs at least 2 observations, got {len(values)}")
    if min(values) == max(values):
        return 0.0
    middle = mean_of(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)


def t_interval(
    middle: float, influences: Sequence[float], confidence: float = 0.95, variance: float | None = None
) -> Interval:
    """Student's t interval of a figure, on n - 1 degrees (Law, 4.5); one replication gives no bounds.

    *influences*: what each replication adds to the figure: of a mean the observations, of a ratio `ratio_influences`; *variance*:
    theirs, if it is known.
    """
    n = len(influences)
    if n < 2:
        return Interval(mean=middle, low=None, high=None, half_width=None, n=n)
    error = math.sqrt((variance_of(influences) if variance is None else variance) / n)
    half = 0.0 if error == 0.0 else t_quantile(0.5 + confidence / 2, n - 1) * error
    return Interval(mean=middle, low=middle - half, high=middle + half, half_width=half, n=n)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean of independent replications with Student's t interval.

    >>> ten_days = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]  # Law, example 4.26
    >>> round(mean_interval(ten_days, 0.90).half_width, 2)
    0.24
    """
    return t_interval(mean_of(values), values, confidence)


def inside(interval: Interval, domain: Domain, values: Sequence[float]) -> Interval:
    """The interval, on another scale where it would leave the domain of its figure: hours below 0, a share above 1.

    Not negative: the delta method on the logarithm, mean e^(-h/mean) to mean e^(h/mean) with the half-width h of the t
    interval; a share: on the logit, h / (mean (1 - mean)) (Agresti, *Categorical Data Analysis*, 3.1, 16.1). Such a t interval comes
    from few, skewed observations, and covers too rarely; this one covers less rarely. Two observations give no better scale than the
    t interval cut off. A figure that an observation shows to have no such domain (a credit) keeps its own.
    """
    low, high, middle = interval.low, interval.high, interval.mean
    smallest, largest = domain
    if low is None or high is None or interval.half_width is None or (low >= smallest and high <= largest):
        return interval
    if min(values) < smallest or max(values) > largest or not smallest < middle < largest:
        return interval
    if len(values) == 2:
        low, high = max(low, smallest), min(high, largest)
    elif largest == math.inf:
        factor = math.exp(min(LARGEST_EXPONENT, interval.half_width / middle))
        low, high = middle / factor, middle * factor
    else:
        odds, factor = (
            middle / (1 - middle),
            math.exp(min(LARGEST_EXPONENT, interval.half_width / (middle * (1 - middle)))),
        )
        low, high = odds / (odds + factor), odds * factor / (1 + odds * factor)
    return Interval(mean=middle, low=low, high=high, half_width=max(middle - low, high - middle), n=interval.n)


def skewness_of(values: Sequence[float], variance: float | None = None) -> float:
    """Sample skewness (adjusted Fisher-Pearson); needs three observations. Equal observations have none.

    >>> skewness_of([1.0, 2.0, 3.0]), round(skewness_of([0.0, 0.0, 1.0]), 6)
    (0.0, 1.732051)
    """
    n, variance = len(values), variance_of(values) if variance is None else variance
    if variance == 0.0:
        return 0.0
    middle, sd = mean_of(values), math.sqrt(variance)
    return n / ((n - 1) * (n - 2)) * math.fsum(((value - middle) / sd) ** 3 for value in values)


def visible_skewness(values: Sequence[float], variance: float) -> float:
    """`skewness_of`, or 0 where observations are too few or too even to speak of a long tail."""
    skewness = skewness_of(values, variance) if len(values) >= LEAST_FOR_SKEWNESS else 0.0
    return skewness if abs(skewness) > SKEWED else 0.0


def with_long_tail(
    interval: Interval,
    influences: Sequence[float],
    confidence: float = 0.95,
    domain: Domain = NO_BOUNDS,
    variance: float | None = None,
) -> Interval:
    """The interval, its bound on the side of the long tail moved out to that of Hall's transformed t where observations are skewed.

    *influences* are the observations of a mean, or `ratio_influences`. A t interval of few skewed observations ends too early on
    that side: of 10 exponential ones 90 % of the 95 % intervals cover the mean, with this bound 95 % (P. Hall, *On the removal of
    skewness by transformation*, J. R. Statist. Soc. B 54, 1992: a cubic that is its own inverse's cube root). No bound moves inwards.
    """
    low, high, n = interval.low, interval.high, len(influences)
    if low is None or high is None or n < 2:
        return interval
    variance = variance_of(influences) if variance is None else variance
    skewness = visible_skewness(influences, variance)
    if skewness == 0.0:
        return interval
    tail, a = math.copysign(1.0, skewness), skewness / 3
    y = -tail * t_quantile(0.5 + confidence / 2, n - 1) / math.sqrt(n) - skewness / (6 * n)
    bound = interval.mean - math.sqrt(variance) * (math.cbrt(1 + 3 * a * y) - 1) / a
    if domain[0] <= bound <= domain[1]:
        low, high = min(low, bound), max(high, bound)
    half_width = max(interval.mean - low, high - interval.mean)
    return Interval(mean=interval.mean, low=low, high=high, half_width=half_width, n=interval.n)


def ratio_influences(tops: Sequence[float], bottoms: Sequence[float]) -> list[float]:
    """The influence of each pair on a ratio of means; their variance over n is the ratio's.

    Below 30 pairs the jackknife's pseudo-values less the ratio, from there on the delta method's residuals.
    """
    n = len(tops)
    top, bottom = math.fsum(tops), math.fsum(bottoms)
    ratio = top / bottom
    without = [bottom - b for b in bottoms]
    if 1 < n < JACKKNIFE_BELOW and all(rest > 0.0 for rest in without):
        return [(n - 1) * (ratio - (top - t) / rest) for t, rest in zip(tops, without, strict=True)]
    return [(t - ratio * b) / (bottom / n) for t, b in zip(tops, bottoms, strict=True)]


def bounded(
    middle: float,
    influences: Sequence[float],
    confidence: float = 0.95,
    domain: Domain = NO_BOUNDS,
    values: Sequence[float] = (),
    variance: float | None = None,
) -> Interval:
    """`t_interval`, inside the domain of the figure unless its *values* leave it, and as far as a long tail asks for."""
    interval = inside(t_interval(middle, influences, confidence, variance), domain, values)
    return with_long_tail(interval, influences, confidence, domain, variance)


def bounded_mean(
    values: Sequence[float], confidence: float = 0.95, domain: Domain = NO_BOUNDS, variance: float | None = None
) -> Interval:
    """Mean of independent replications with its interval; *variance*: if it is known."""
    return bounded(mean_of(values), values, confidence, domain, values, variance)


def bounded_ratio(
    tops: Sequence[float], bottoms: Sequence[float], confidence: float = 0.95, domain: Domain = NO_BOUNDS
) -> Interval | None:
    """Ratio of two means (availability = served / wanted), never the mean of the ratios, with its interval.

    The standard error is the jackknife's below 30 replications, the delta method's from there on (Law, 9.4.2 calls it
    the classical ratio interval); the interval is centred on the ratio. `None` where the bottoms sum to zero.
    """
    if len(tops) != len(bottoms):
        raise ValueError(f"a ratio needs pairs, got {len(tops)} tops and {len(bottoms)} bottoms")
    top, bottom = math.fsum(tops), math.fsum(bottoms)
    if bottom == 0.0:
        return None
    each = [top / bottom for top, bottom in zip(tops, bottoms, strict=True) if bottom != 0.0]
    return bounded(top / bottom, ratio_influences(tops, bottoms), confidence, domain, each)


def estimate_mean(values: Sequence[float], confidence: float = 0.95, domain: Domain = NO_BOUNDS) -> Estimate:
    """One metric over the replications in which it is defined: mean with t interval, and its percentiles."""
    if values and (values[0] or math.copysign(1.0, values[0]) > 0.0) and values.count(values[0]) == len(values):
        return _constant_estimate(values[0], len(values), confidence, domain)
    variance = variance_of(values) if len(values) > 1 else None
    return _estimate(
        bounded_mean(values, confidence, domain, variance) if values else None, values, len(values), variance
    )


@lru_cache(maxsize=4096, typed=True)
def _constant_estimate(value: float, n: int, confidence: float, domain: Domain) -> Estimate:
    """Of a metric that is the same in every replication: most are, in each of many groups."""
    values = [value] * n
    return _estimate(bounded_mean(values, confidence, domain), values, n)


def estimate_ratio(
    tops: Sequence[float], bottoms: Sequence[float], confidence: float = 0.95, domain: Domain = NO_BOUNDS
) -> Estimate:
    """A ratio metric over all replications: ratio of means; spread and percentiles over the replications that have one."""
    each = [top / bottom for top, bottom in zip(tops, bottoms, strict=True) if bottom != 0.0]
    return _estimate(bounded_ratio(tops, bottoms, confidence, domain), each, len(tops))


def _estimate(interval: Interval | None, values: Sequence[float], n: int, variance: float | None = None) -> Estimate:
    if interval is None:
        nothing: dict[str, Any] = dict.fromkeys(_FIELDS)
        return Estimate(**nothing | {"n": n})
    values = sorted(values)
    constant = len(values) >= 2 and values[0] == values[-1]  # every quantile that is seen is the same

    def quantile(p: float) -> float | None:
        return percentile(values, p) if constant or p == 0.5 or len(values) >= replications_for(p) else None

    sd = math.sqrt(variance_of(values) if variance is None else variance) if len(values) >= 2 else None
    quantiles = {f"p{100 * p:02.0f}": quantile(p) for p in (0.05, 0.5, 0.9, 0.95, 0.99)}
    bounds = {"low": interval.low, "high": interval.high, "half_width": interval.half_width}
    return Estimate(mean=interval.mean, sd=sd, n=n, **bounds, **quantiles)
