"""Intervals against textbooks, against scipy's own, and against their stated coverage."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim.statistics.intervals import (
    clopper_pearson,
    correlation,
    estimate_mean,
    estimate_ratio,
    holm,
    mean_interval,
    p_value_of_mean,
    paired_interval,
    percentile,
    quantile_interval,
    ratio_interval,
    ratio_standard_error,
    variance_of,
    welch_interval,
    wilson_interval,
)

LAW_4_26 = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]


def test_the_t_interval_is_the_one_of_the_textbook():
    """Law's example 4.26 gives 1.34 +- 0.24 at 90 %."""
    found = mean_interval(LAW_4_26, 0.90)
    assert found.mean == pytest.approx(1.343, abs=1e-9)
    assert round(found.half_width, 2) == 0.24


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_t_interval_agrees_with_scipy(values: list[float], confidence: float):
    """A second implementation says the same."""
    found = mean_interval(values, confidence)
    if variance_of(values) < 1e-12:
        return
    low, high = stats.t.interval(confidence, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert found.low == pytest.approx(low, rel=1e-9, abs=1e-6)
    assert found.high == pytest.approx(high, rel=1e-9, abs=1e-6)


def test_one_replication_has_a_mean_and_no_interval():
    """Nothing is known of the spread: null in the summary, not zero and not NaN."""
    found = estimate_mean([3.0])
    assert (found.mean, found.n, found.p50) == (3.0, 1, 3.0)
    assert (found.sd, found.low, found.high, found.half_width) == (None, None, None, None)


def test_what_never_varies_has_an_interval_of_no_width():
    """Three disks cost the same every month, to the last bit, whatever rounding does to 0.1."""
    found = estimate_mean([0.1] * 7)
    assert (found.low, found.high, found.half_width, found.sd) == (0.1, 0.1, 0.0, 0.0)


def test_welch_agrees_with_scipy():
    """Unequal variances and sizes."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(5, 1, 12).tolist(), rng.normal(3, 4, 30).tolist()
    found = welch_interval(a, b, 0.95)
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_pairs_are_worth_more_than_two_samples():
    """Common random numbers cancel: the paired interval is far narrower; refusing to pair would lose it."""
    randomness = np.random.default_rng(2).normal(0, 10, 20)
    base, variant = randomness.tolist(), (randomness + 1 + 0.1 * np.sin(randomness)).tolist()
    paired, independent = paired_interval(variant, base), welch_interval(variant, base)
    assert paired.mean == pytest.approx(independent.mean)
    assert paired.half_width < independent.half_width / 20
    assert paired.excludes_zero
    assert not independent.excludes_zero


def test_a_ratio_is_of_means_and_not_a_mean_of_ratios():
    """A month of 1 wanted hour must not weigh as much as one of 1,000."""
    served, wanted = [1.0, 900.0], [1.0, 1000.0]
    found = estimate_ratio(served, wanted)
    assert found.mean == pytest.approx(901 / 1001)
    assert found.mean != pytest.approx(np.mean([1.0, 0.9]))


def test_a_ratio_of_nothing_is_not_defined():
    """No VM was wanted: the availability is null, not 0, not 1 and not an error."""
    found = estimate_ratio([0.0, 0.0], [0.0, 0.0])
    assert (found.mean, found.low, found.p50, found.n) == (None, None, None, 2)


def test_jackknife_and_delta_method_meet_where_one_takes_over():
    """At 30 replications the two standard errors differ by little, so the switch is not visible in a report."""
    rng = np.random.default_rng(3)
    bottoms = rng.uniform(90, 110, 30)
    tops = bottoms * 0.99 + rng.normal(0, 0.2, 30)
    delta = ratio_standard_error(tops.tolist(), bottoms.tolist())
    ratio = tops.sum() / bottoms.sum()
    left_out = (tops.sum() - tops) / (bottoms.sum() - bottoms)
    jackknife = math.sqrt(29 / 30 * ((left_out - left_out.mean()) ** 2).sum())
    assert delta == pytest.approx(math.sqrt(((tops - ratio * bottoms) ** 2).sum() / 29 / 30) / bottoms.mean())
    assert delta == pytest.approx(jackknife, rel=0.05)


def test_percentiles_are_those_of_numpy():
    """Type 7, which numpy, pandas and spreadsheets use, so that a reader can check them."""
    values = np.random.default_rng(4).lognormal(size=37).tolist()
    for p in (0.05, 0.5, 0.9, 0.95, 0.99):
        assert percentile(values, p) == pytest.approx(np.quantile(values, p), rel=1e-12)


def test_twenty_months_cannot_bound_a_p99_from_above():
    """The bound isn't reached, and that is said instead of the largest value seen."""
    low, high = quantile_interval(list(range(20)), 0.99)
    assert high is None
    assert low is not None
    assert quantile_interval(list(range(1000)), 0.99)[1] is not None


@pytest.mark.parametrize(("n", "p"), [(20, 0.5), (50, 0.9), (200, 0.95)])
def test_a_quantile_interval_has_its_stated_coverage(n: int, p: float):
    """Exactly: the binomial chance that the ranks enclose the quantile is at least 95 %, and a rank less would not do."""
    low, high = quantile_interval([float(rank) for rank in range(1, n + 1)], p, 0.95)
    assert low is not None
    assert high is not None
    below = stats.binom(n, p)  # observations below the true quantile
    assert below.cdf(low - 1) <= 0.025 < below.cdf(low)  # the next rank up would miss too often
    assert 1 - below.cdf(high - 1) <= 0.025 < 1 - below.cdf(high - 2)


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (3, 20), (20, 20), (17, 400)])
def test_probabilities_agree_with_scipy(successes: int, n: int):
    """Clopper-Pearson and Wilson, edges included: 0 of 20 has an upper bound."""
    theirs = stats.binomtest(successes, n)
    exact, wilson = theirs.proportion_ci(method="exact"), theirs.proportion_ci(method="wilson")
    assert clopper_pearson(successes, n) == pytest.approx((exact.low, exact.high), abs=1e-12)
    assert wilson_interval(successes, n) == pytest.approx((wilson.low, wilson.high), abs=1e-12)


def test_holm_is_the_textbook_case():
    """Holm (1979): ordered p values times what is left of the family, never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_p_value_is_scipys():
    """And its edges: nothing varies and nothing differs; nothing varies and something does."""
    values = LAW_4_26
    assert p_value_of_mean(values) == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)
    assert p_value_of_mean([0.0, 0.0]) == 1.0
    assert p_value_of_mean([2.0, 2.0]) == 0.0
    assert p_value_of_mean([2.0]) == 1.0


def test_correlation_is_numpys_and_silent_where_nothing_varies():
    """A constant metric has no correlation; that is None, not a warning and NaN."""
    rng = np.random.default_rng(5)
    a = rng.normal(size=30)
    b = a + rng.normal(size=30)
    assert correlation(a.tolist(), b.tolist()) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert correlation([1.0, 1.0], [1.0, 2.0]) is None


def _covered(interval: Callable[[np.ndarray], tuple[float, float]], truth: float, studies: int, n: int) -> int:
    rng = np.random.default_rng(20260105)
    hits = 0
    for _ in range(studies):
        low, high = interval(np.stack([rng.exponential(1.0, n), rng.normal(0.0, 1.0, n)]))
        hits += low <= truth <= high
    return hits


def _ratio(sample: np.ndarray) -> tuple[float, float]:
    bottoms = 10 + sample[0]
    found = ratio_interval((0.9 * bottoms + 0.1 * sample[1]).tolist(), bottoms.tolist())
    assert found is not None
    return found.low, found.high


def _too_narrow(sample: np.ndarray) -> tuple[float, float]:
    found_low, found_high = _ratio(sample)
    middle, half = (found_low + found_high) / 2, (found_high - found_low) / 2
    return middle - 0.85 * half, middle + 0.85 * half


@pytest.mark.parametrize("n", [10, 40])
def test_a_ratio_interval_covers_the_true_ratio(n: int):
    """95 % of 2,000 studies, within the binomial band at a false-alarm rate of 1e-4; one 15 % too narrow is refused.

    Given the bottoms, the residuals are normal, for which t is made: any miss beyond the band is the method's.
    """
    studies = 2000
    low = stats.binom.ppf(1e-4, studies, 0.95)
    assert _covered(_ratio, 0.9, studies, n) >= low
    assert _covered(_too_narrow, 0.9, studies, n) < low
