"""What paired replications say of two variants: p values, adjusted for a family of metrics, and how much they vary together."""

import math
from collections.abc import Sequence

from sim.statistics.intervals import mean_of, variance_of, visible_skewness


def p_value_of_statistic(estimate: float, standard_error: float, degrees: float) -> float:
    """Two-sided p value of "the figure is zero" for a figure with a standard error, by Student's t."""
    if standard_error == 0.0:
        return 1.0 if estimate == 0.0 else 0.0
    from scipy import special  # start-up: 0.1 s, and a run needs none of it

    return 2.0 * float(special.stdtr(degrees, -abs(estimate) / standard_error))


def p_value_of_mean(mean: float, influences: Sequence[float]) -> float:
    """Two-sided p value of "the mean is zero": the larger one of Student's t and of the transformed t of `with_long_tail`.

    *influences* are the observations, or what each adds to another figure (`ratio_influences`).
    """
    n, variance = len(influences), variance_of(influences)
    p_value = p_value_of_statistic(mean, math.sqrt(variance / n), n - 1)
    skewness = visible_skewness(influences, variance)
    if skewness * mean >= 0.0:  # no tail reaches towards zero
        return p_value
    a = skewness / 3
    y = ((1 + a * mean / math.sqrt(variance)) ** 3 - 1) / (3 * a)  # the bound at zero, solved for its t
    t = math.copysign(math.sqrt(n), mean) * (y + skewness / (6 * n))
    return max(p_value, p_value_of_statistic(max(0.0, t), 1.0, n - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the given order: each may be held against the level of the whole family.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Pearson correlation; `None` where one of the two doesn't vary."""
    if len(a) < 2 or min(a) == max(a) or min(b) == max(b):
        return None
    mean_a, mean_b = mean_of(a), mean_of(b)
    across = math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (len(a) - 1)
    return max(-1.0, min(1.0, across / math.sqrt(variance_of(a) * variance_of(b))))
