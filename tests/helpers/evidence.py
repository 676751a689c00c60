"""Statistical checks with a stated false-alarm rate, so that a tolerance is derived and never chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FALSE_ALARM = 1e-6
"""How often a right simulator would fail one of these checks, if seeds were drawn anew at every run."""

Z = NormalDist().inv_cdf(1 - FALSE_ALARM / 2)


def z_of_mean(samples: ArrayLike, expected: float, *, sd: float | None = None) -> float:
    """Standard errors between the samples' mean and its expectation; *sd* where theory knows it."""
    values = np.asarray(samples, dtype=np.float64)
    spread = float(values.std(ddof=1)) if sd is None else sd
    return (float(values.mean()) - expected) / (spread / math.sqrt(len(values)))


def z_of_variance(samples: ArrayLike, expected: float) -> float:
    """Standard errors between the samples' variance and its expectation, by their fourth moment (Cramér, 27.4)."""
    values = np.asarray(samples, dtype=np.float64)
    n, variance = len(values), float(values.var(ddof=1))
    fourth = float(((values - values.mean()) ** 4).mean())
    return (variance - expected) / math.sqrt((fourth - variance**2) / n)


def z_of_share(hits: int, n: int, probability: float) -> float:
    """Standard errors between a share and its probability."""
    return (hits - n * probability) / math.sqrt(n * probability * (1 - probability))


def p_of_counts(observed: Sequence[int], expected: Sequence[float]) -> float:
    """Chance of counts at least as far from their expectations (Pearson's chi-square; none of them below 5)."""
    assert min(expected) >= 5
    return float(stats.chisquare(observed, expected).pvalue)


def held(z: float) -> bool:
    """Whether a deviation is within what the false-alarm rate allows."""
    return abs(z) <= Z


def refused(z: float) -> bool:
    """Whether a wrong model's expectation is refused beyond doubt: by twice what a right one may deviate."""
    return abs(z) > 2 * Z


Floats = NDArray[np.float64]
