"""Intervals against textbooks, against scipy's own, and against their stated coverage."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from sim.distributions import normal
from sim.statistics.comparing import correlation, holm, p_value_of_mean
from sim.statistics.intervals import (
    NO_BOUNDS,
    NOT_NEGATIVE,
    Interval,
    bounded_mean,
    estimate_mean,
    estimate_ratio,
    inside,
    mean_interval,
    mean_of,
    ratio_influences,
    skewness_of,
    t_interval,
    t_quantile,
    variance_of,
    with_long_tail,
)
from sim.statistics.quantiles import clopper_pearson, percentile, quantile_interval, wilson_interval

SHARE = (0.0, 1.0)

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


def test_pairs_are_worth_more_than_two_samples():
    """Common random numbers cancel: the paired interval is far narrower; refusing to pair would lose it."""
    randomness = np.random.default_rng(2).normal(0, 10, 20)
    base, variant = randomness.tolist(), (randomness + 1 + 0.1 * np.sin(randomness)).tolist()
    paired = bounded_mean([after - before for after, before in zip(variant, base, strict=True)])
    independent = stats.ttest_ind(variant, base, equal_var=False).confidence_interval(0.95)
    assert paired.mean == pytest.approx((independent.low + independent.high) / 2)
    assert paired.half_width < (independent.high - independent.low) / 40
    assert paired.low > 0
    assert independent.low < 0 < independent.high


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
    delta = np.std(ratio_influences(tops.tolist(), bottoms.tolist()), ddof=1) / math.sqrt(30)
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


def _plain_ratio(tops: list[float], bottoms: list[float]) -> Interval:
    return t_interval(math.fsum(tops) / math.fsum(bottoms), ratio_influences(tops, bottoms))


def _ratio(sample: np.ndarray) -> tuple[float, float]:
    bottoms = 10 + sample[0]
    found = _plain_ratio((0.9 * bottoms + 0.1 * sample[1]).tolist(), bottoms.tolist())
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


# --- figures stay inside their domain ---------------------------------------------------------------------------------


def test_an_interval_inside_its_domain_is_the_t_interval():
    """Nothing changes where the t interval is right already."""
    plain, bounded = (estimate_mean([9.0, 10.0, 12.0], domain=domain) for domain in (NO_BOUNDS, NOT_NEGATIVE))
    assert plain == bounded


def test_hours_are_never_negative():
    """One VM-hour in one of twenty months: mean 0.05, t half-width 0.1047; on the logarithm 0.05 e^(-+2.093)."""
    found = estimate_mean([0.0] * 19 + [1.0], domain=NOT_NEGATIVE)
    factor = math.exp(t_quantile(0.975, 19))  # standard error = mean here
    assert (found.low, found.high) == pytest.approx((0.05 / factor, 0.05 * factor))
    assert found.half_width == found.high - found.mean
    assert estimate_mean([0.0, 0.0, 0.0], domain=NOT_NEGATIVE).high == 0.0
    two = estimate_mean([0.0, 1.0], domain=NOT_NEGATIVE)  # two observations: the t interval, cut off
    assert (two.low, two.high) == (0.0, 0.5 + t_quantile(0.975, 1) * 0.5)
    certain = mean_interval([0.0, 0.0, 1.0], 1 - 1e-9)
    assert math.isfinite(inside(certain, NOT_NEGATIVE, [0.0, 0.0, 1.0]).high)


def test_shares_lie_between_nothing_and_all():
    """Availability 0.99 on average, with a half-width that reaches beyond 1: the logit's interval does not."""
    served, wanted = [100.0, 100.0, 97.0], [100.0, 100.0, 100.0]
    plain = estimate_ratio(served, wanted)
    found = estimate_ratio(served, wanted, domain=SHARE)
    assert plain.high > 1.0 > found.high > found.mean > found.low > 0.0
    middle, h = plain.mean, plain.half_width
    logit = math.log(middle / (1 - middle))
    assert math.log(found.high / (1 - found.high)) == pytest.approx(logit + h / (middle * (1 - middle)))
    assert math.log(found.low / (1 - found.low)) == pytest.approx(logit - h / (middle * (1 - middle)))


def test_a_figure_that_may_be_negative_keeps_its_interval():
    """A credit: an observation shows that the domain is another."""
    assert estimate_mean([-1.0, 0.0, 2.0], domain=NOT_NEGATIVE) == estimate_mean([-1.0, 0.0, 2.0])


def test_percentiles_stand_only_where_there_are_replications_for_them():
    """A P99 of twenty months is their largest; it says nothing of one month in a hundred."""
    for n, there in ((9, ("p50",)), (10, ("p50", "p90")), (20, ("p05", "p50", "p90", "p95")), (99, ("p05", "p50", "p90", "p95")), (100, ("p05", "p50", "p90", "p95", "p99"))):  # fmt: skip
        found = estimate_mean([float(i) for i in range(n)]).as_dict()
        assert tuple(key for key in ("p05", "p50", "p90", "p95", "p99") if found[key] is not None) == there
    assert estimate_mean([3.0, 3.0]).p99 == 3.0  # nothing varies


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "mean", "domain", "n"),
    [
        (lambda rng, shape: rng.exponential(1.0, shape), 1.0, NOT_NEGATIVE, 3),
        (lambda rng, shape: rng.gamma(2.0, 0.5, shape), 1.0, NOT_NEGATIVE, 3),
        (lambda rng, shape: rng.beta(20.0, 2.0, shape), 20 / 22, SHARE, 3),
        (lambda rng, shape: rng.beta(2.0, 20.0, shape), 2 / 22, SHARE, 3),
    ],
    ids=["exponential", "gamma", "share near 1", "share near 0"],
)
def test_transformed_intervals_cover_where_the_t_interval_does_not(
    draw: Callable[..., Any], mean: float, domain: tuple[float, float], n: int
):
    """95 % intervals of the mean of three skewed observations, 4,000 times: inside the binomial band (z = 3.3), and the t
    interval, which leaves the domain, is outside of it.
    """
    trials, band = 4_000, 3.3 * math.sqrt(0.95 * 0.05 / 4_000)
    hits = dict.fromkeys(("t", "inside"), 0)
    for values in draw(np.random.default_rng(7), (trials, n)).tolist():
        plain = mean_interval(values)
        bounded = inside(plain, domain, values)
        assert domain[0] <= bounded.low <= bounded.high <= domain[1]
        hits["t"] += plain.low <= mean <= plain.high
        hits["inside"] += bounded.low <= mean <= bounded.high
    assert abs(hits["inside"] / trials - 0.95) <= band
    assert hits["t"] / trials < 0.95 - band


def test_the_long_tails_bound_is_halls():
    """By the formula itself: a cubic of the t statistic whose skewness cancels has its root at Hall's bound."""
    values = [0.1, 0.2, 0.2, 0.5, 0.6, 0.9, 4.0]
    n, plain = len(values), mean_interval(values)
    found = with_long_tail(plain, values)
    g, sd = stats.skew(values, bias=False), np.std(values, ddof=1)
    assert skewness_of(values) == pytest.approx(g)
    w = (found.mean - found.high) / sd
    cubic = w + g / 3 * w**2 + g**2 / 27 * w**3 + g / (6 * n)
    assert cubic * math.sqrt(n) == pytest.approx(-t_quantile(0.975, n - 1))
    assert (found.low, found.mean) == (plain.low, plain.mean)
    assert found.half_width == found.high - found.mean > plain.half_width
    mirrored = [-value for value in values]
    other = with_long_tail(mean_interval(mirrored), mirrored)
    assert (other.low, other.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("shift", [-1.2, -0.6, 0.0, 0.4])
def test_a_p_value_is_the_level_at_which_the_interval_reaches_zero(sign: float, shift: float):
    """With a long tail towards zero, away from it, and where both p values are near; Student's p value alone is another one."""
    draws = np.random.default_rng(3).exponential(1.0, 12) + shift
    values = [sign * float(value) for value in draws]
    p_value = p_value_of_mean(mean_of(values), values)

    def excludes_zero(confidence: float) -> bool:
        found = with_long_tail(mean_interval(values, confidence), values, confidence)
        return not found.low <= 0.0 <= found.high

    assert excludes_zero(1 - p_value * 1.001)
    assert not excludes_zero(1 - p_value * 0.999)
    student = float(stats.ttest_1samp(values, 0.0).pvalue)
    towards_zero = mean_of(values) * sign < 0.0
    assert (p_value > 1.05 * student) if towards_zero else p_value == pytest.approx(student)


def test_samples_without_a_long_tail_keep_the_t_interval():
    """Few observations, equal ones, those that are alike on both sides; and a share's bound never leaves its domain."""
    for values in ([0.0, 0.0, 0.0, 9.0], [3.0] * 9, [1.0, 2.0, 3.0, 4.0, 5.0]):
        assert with_long_tail(mean_interval(values), values) == mean_interval(values)
    shares = [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    found = estimate_mean(shares, domain=SHARE)
    assert 0.0 < found.low < found.mean < found.high < 1.0


LONG_TAILED = {
    "exponential": (lambda rng, shape: rng.exponential(1.0, shape), 1.0, NOT_NEGATIVE),
    "lognormal": (lambda rng, shape: rng.lognormal(0.0, 0.5, shape), math.exp(0.125), NOT_NEGATIVE),
    "gamma": (lambda rng, shape: rng.gamma(0.5, 1.0, shape), 0.5, NOT_NEGATIVE),
    "long to the left": (lambda rng, shape: 10.0 - rng.exponential(1.0, shape), 9.0, NO_BOUNDS),
}


STATED_APART = {("gamma", 7): 0.93}  # docs/model.md names it


@pytest.mark.slow
@pytest.mark.parametrize(("n", "least"), [(5, 0.93), (7, 0.94), (10, 0.94), (20, 0.94)])
@pytest.mark.parametrize("kind", LONG_TAILED)
def test_skewed_observations_are_covered_as_stated(kind: str, n: int, least: float):
    """95 % intervals of 5 to 20 skewed observations, 4,000 times: at least what docs/model.md says, within z = 3.3, at most 97 %.

    The wrong model, Student's t, covers 83 to 93 % of the means, and is refused.
    """
    draw, mean, domain = LONG_TAILED[kind]
    least = STATED_APART.get((kind, n), least)
    trials = 4_000
    band = 3.3 * math.sqrt(least * (1 - least) / trials)
    hits = dict.fromkeys(("t", "ours"), 0)
    for values in draw(np.random.default_rng(11), (trials, n)).tolist():
        plain, ours = mean_interval(values), estimate_mean(values, domain=domain)
        hits["t"] += plain.low <= mean <= plain.high
        hits["ours"] += ours.low <= mean <= ours.high
    assert least - band <= hits["ours"] / trials <= 0.97
    assert hits["t"] / trials < 0.95 - 3.3 * math.sqrt(0.95 * 0.05 / trials)


@pytest.mark.slow
def test_a_ratio_of_skewed_parts_is_covered_as_stated():
    """Cost per served hour of ten months: exponential costs over gamma hours, ratio 2; the plain interval covers too rarely."""
    trials, band = 4_000, 3.3 * math.sqrt(0.95 * 0.05 / 4_000)
    rng = np.random.default_rng(12)
    hits = dict.fromkeys(("t", "ours"), 0)
    for tops, bottoms in zip(
        rng.exponential(20.0, (trials, 10)).tolist(), rng.gamma(25.0, 0.4, (trials, 10)).tolist(), strict=True
    ):
        plain, ours = _plain_ratio(tops, bottoms), estimate_ratio(tops, bottoms, domain=NOT_NEGATIVE)
        hits["t"] += plain.low <= 2.0 <= plain.high
        hits["ours"] += ours.low <= 2.0 <= ours.high
    assert 0.95 - band <= hits["ours"] / trials <= 0.97
    assert hits["t"] / trials < 0.95 - band


def test_kept_quantiles_of_student_are_those_of_scipy():
    """Runs read them instead of loading scipy; a figure must not depend on which of the two was at hand."""
    for confidence in (0.9, 0.95, 0.99):
        for degrees in (*range(1, 1_100), 2.5, 17.25):
            assert t_quantile(0.5 + confidence / 2, degrees) == special.stdtrit(degrees, 0.5 + confidence / 2)


def test_the_normal_quantile_has_the_bits_of_scipy():
    """Every quantile table of a lognormal is built from it: the centre, both branches of the tail, and the ends."""
    random = np.random.default_rng(1)
    p = np.concatenate([random.random(100_000) / 2, 10.0 ** -(1 + 319 * random.random(100_000)), [0.0, 5e-324, 0.5]])
    assert np.array_equal(normal.below_median(p), special.ndtri(p))
    assert [normal.quantile(each) for each in (0.0, 0.2, 0.8, 1.0)] == [
        special.ndtri(each) for each in (0.0, 0.2, 0.8, 1.0)
    ]


@pytest.mark.parametrize("n", [1, 2, 5, 10, 20, 99, 1_000, 20_000])
def test_the_ranks_of_a_quantile_are_those_of_the_binomial(n: int):
    """The bounds leave at most half of what the confidence leaves, on either side, and are the nearest that do."""
    values = [float(rank) for rank in range(1, n + 1)]
    for p in (0.5, 0.9, 0.95, 0.99):
        low, high = quantile_interval(values, p)
        at_most = special.bdtr(np.arange(n), n, p)
        assert (low or 0) == np.count_nonzero(at_most <= (1 - 0.95) / 2)
        assert (high or n + 1) == np.count_nonzero(at_most < 1 - (1 - 0.95) / 2) + 1
