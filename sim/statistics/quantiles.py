"""Quantiles of single outcomes and probabilities, with their bounds, from a few replications.

Source: Nelson, *Foundations and Methods of Stochastic Simulation*, chapter 7.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

from sim.distributions import normal

# start-up: scipy.special takes as long to load as a small run takes, so what every run needs does without it


def percentile(values: Sequence[float], p: float) -> float:
    """The p-quantile of the observations, linear between order statistics (Hyndman and Fan's type 7).

    >>> percentile([3.0, 1.0, 2.0], 0.5), percentile([1.0, 2.0], 0.25)
    (2.0, 1.25)
    """
    ordered = sorted(values)
    place = p * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    low, high = ordered[below], ordered[above]
    return low if low == high else low + (place - below) * (high - low)


def replications_for(p: float) -> int:
    """How many observations the p-quantile needs: as many as it takes for one to be expected beyond it.

    >>> [replications_for(p) for p in (0.05, 0.5, 0.9, 0.95, 0.99)]
    [20, 2, 10, 20, 100]
    """
    return math.ceil(round(1 / min(p, 1 - p), 9))


def quantile_interval(values: Sequence[float], p: float, confidence: float = 0.95) -> tuple[float | None, float | None]:
    """Distribution-free bounds of the p-quantile from order statistics, by the binomial; `None` = not reached by n.

    The number of observations below the quantile is Binomial(n, p); the bounds are the order statistics that leave at
    most (1 - confidence) / 2 outside on either side (Nelson, 7.3). 20 months can't bound a P99 from above.
    """
    ordered = sorted(values)
    low, high = _quantile_ranks(len(ordered), p, confidence)
    return (ordered[low - 1] if low >= 1 else None, ordered[high - 1] if high <= len(ordered) else None)


@lru_cache(maxsize=256)
def _quantile_ranks(n: int, p: float, confidence: float) -> tuple[int, int]:
    """Ranks from 1 of the order statistics that bound the p-quantile; 0 and n + 1: not reached."""
    tail, at_most, low, high = (1 - confidence) / 2, 0.0, 0, n + 1
    whole = math.lgamma(n + 1)
    for k in range(n):  # at_most: P(Binomial(n, p) <= k), the chance that at most k observations lie below the quantile
        ways = whole - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        at_most += math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))
        if at_most <= tail:
            low = k + 1
        if at_most >= 1 - tail:
            high = k + 1
            break
    return low, high


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of a probability, to be shown: Wilson's score interval. 0 of n has an upper bound above 0."""
    z = normal.quantile(0.5 + confidence / 2)
    share, spread = successes / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return (0.0 if successes == 0 else middle - half, 1.0 if successes == n else middle + half)


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of a probability, to decide by: never less than the stated confidence, whatever the probability.

    >>> low, high = clopper_pearson(0, 20)
    >>> low, round(high, 4)
    (0.0, 0.1684)
    """
    from scipy import special

    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high
