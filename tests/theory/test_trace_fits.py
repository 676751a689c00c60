"""Fits of lifetimes and arrivals recover what the test put into a trace, and reject distributions that it does not follow.

Tolerances are `Z` standard errors; Z = 4.5 is passed by chance once in 147,000 times, and a test here compares fewer than
20 numbers. The errors are closed forms where there are any, else the inverse of the observed information.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import surpyval
from scipy.stats import kstest, kstwobign

from sim.traces import open_trace
from sim.traces.arrivals import fit_arrivals
from sim.traces.estimate import estimate
from sim.traces.families import EXPONENTIAL, LOGNORMAL, MIXTURE, WEIBULL
from sim.traces.fit import fit
from sim.traces.goodness import judge
from sim.traces.lifetimes import Lifetimes, gather
from sim.traces.mixture import climb, step
from sim.traces.rows import ROW
from sim.traces.turnbull import turnbull

Z = 4.5
WINDOW_S = 100_000.0


def rows(created, lifetime_s, *, window_s=WINDOW_S, stamp_s=0.0, tenant=None):
    """Rows of a trace that was watched for a window by a clock with steps, as a reader would hand them out."""
    created = np.asarray(created, dtype=float)
    block = np.zeros(len(created), dtype=ROW)
    block["created_s"] = created
    known = np.floor(lifetime_s / stamp_s) * stamp_s if stamp_s else np.asarray(lifetime_s, dtype=float)
    alive = created + known >= window_s
    block["low_s"] = np.where(alive, window_s - created, known)
    block["high_s"] = np.where(alive, np.inf, known)
    block["lifetime_s"] = block["high_s"]
    block["tenant"] = 0 if tenant is None else tenant
    block["row"] = np.arange(len(created))
    return block


def lives_of(block, *, stamp_s=0.0, window_s=WINDOW_S) -> Lifetimes:
    """What the fit makes of such rows."""
    return gather([block], stamp_s=stamp_s, follow_up_s=window_s)


def near(found, symbol, truth, error=None):
    """Whether a parameter is within Z errors of the truth."""
    covariance = np.linalg.inv(found.information)
    number = {"exponential": ["mean_s"], "lognormal": ["median_s", "sigma"], "weibull": ["shape", "scale_s"]}
    names = number.get(found.family.name, list(MIXTURE.symbols))
    value = found.family.values(found.theta)[names.index(symbol)]
    at = (
        names.index(symbol)
        if found.family is not MIXTURE
        else {"weight": 0, "median_s": 1, "sigma": 2, "other_median_s": 3, "other_sigma": 4}[symbol]
    )
    error = math.sqrt(covariance[at, at]) if error is None else error
    if symbol == "weight":  # its scale is the logit
        return abs(math.log(value / (1 - value)) - math.log(truth / (1 - truth))) <= Z * error
    return abs(math.log(value / truth)) <= Z * error


def uniform_creations(rng, n):
    """Creations at any time of the window, in order."""
    return np.sort(rng.uniform(0, WINDOW_S, n))


# --- lifetimes


def test_the_exponential_is_total_time_over_ends():
    """Maximum likelihood of censored exponential lifetimes has this closed form (Meeker and Escobar, section 7.6)."""
    rng = np.random.default_rng(1)
    created = uniform_creations(rng, 3000)
    block = rows(created, rng.exponential(30_000, 3000))
    ended = np.isfinite(block["high_s"])
    exact = block["low_s"].sum() / ended.sum()
    found = estimate(EXPONENTIAL, lives_of(block))
    assert math.exp(found.theta[0]) == pytest.approx(exact, rel=1e-4)
    assert math.sqrt(1 / found.information[0, 0]) == pytest.approx(1 / math.sqrt(ended.sum()), rel=1e-2)
    assert abs(math.log(exact / 30_000)) <= Z / math.sqrt(ended.sum())
    # The wrong way: as if those still alive had ended when they were last seen.
    assert abs(math.log(block["low_s"].mean() / 30_000)) > Z / math.sqrt(ended.sum())


def test_the_lognormal_is_recovered_under_censoring_and_its_errors_are_right():
    """Without censoring the errors are sigma / sqrt(n) and 1 / sqrt(2 n) on the log scales."""
    rng = np.random.default_rng(2)
    n = 4000
    life = 1200 * np.exp(0.9 * rng.standard_normal(n))
    whole = estimate(LOGNORMAL, lives_of(rows(np.zeros(n), life, window_s=math.inf), window_s=1e9))
    assert np.sqrt(np.diag(np.linalg.inv(whole.information))) == pytest.approx(
        [0.9 / math.sqrt(n), 1 / math.sqrt(2 * n)], rel=5 * 1 / math.sqrt(2 * n)
    )
    created = np.sort(rng.uniform(WINDOW_S - 3000, WINDOW_S, n))
    block = rows(created, life)
    assert np.isinf(block["high_s"]).mean() > 0.3
    found = estimate(LOGNORMAL, lives_of(block))
    assert near(found, "median_s", 1200)
    assert near(found, "sigma", 0.9)
    # The wrong way: only those whose end was seen, who are the short ones.
    seen = block[np.isfinite(block["high_s"])]
    wrong = estimate(LOGNORMAL, lives_of(seen))
    assert not near(wrong, "median_s", 1200)


def test_the_weibull_is_recovered_under_censoring():
    """Heavy censoring, falling hazard."""
    rng = np.random.default_rng(3)
    n = 4000
    found = estimate(WEIBULL, lives_of(rows(uniform_creations(rng, n), 50_000 * rng.weibull(0.6, n))))
    assert near(found, "shape", 0.6)
    assert near(found, "scale_s", 50_000)
    assert not near(found, "shape", 0.75)


def test_a_coarse_clock_does_no_harm_when_its_steps_are_known():
    """Time stamps of 5 minutes on lifetimes of 10: as intervals they give the true values, as exact numbers they do not."""
    rng = np.random.default_rng(4)
    n = 5000
    created = np.floor(uniform_creations(rng, n) / 300) * 300
    block = rows(created, 600 * np.exp(0.7 * rng.standard_normal(n)), stamp_s=300)
    found = estimate(LOGNORMAL, lives_of(block, stamp_s=300))
    assert near(found, "median_s", 600)
    assert near(found, "sigma", 0.7)
    assert not near(estimate(LOGNORMAL, lives_of(block, stamp_s=1)), "sigma", 0.7)


@pytest.mark.parametrize(
    ("family", "oracle", "ours_of_theirs"),
    [
        (EXPONENTIAL, surpyval.Exponential, lambda rate: [1 / rate]),
        (WEIBULL, surpyval.Weibull, lambda scale, shape: [shape, scale]),
        (LOGNORMAL, surpyval.LogNormal, lambda mu, sigma: [math.exp(mu), sigma]),
    ],
    ids=["exponential", "weibull", "lognormal"],
)
def test_a_library_of_survival_analysis_finds_the_same_fit(family, oracle, ours_of_theirs):
    """The likelihood of lifetimes that are censored on the right or known to an interval is another author's here."""
    rng = np.random.default_rng(8)
    lifetime = 4000 * rng.weibull(0.7, 600)
    followed = rng.uniform(2000, 20_000, 600)
    censored = lifetime >= followed
    low = np.where(censored, followed, np.floor(lifetime / 300) * 300)
    high = np.where(censored, np.inf, low + 300)
    assert 0.1 < censored.mean() < 0.5
    lifetimes = Lifetimes(
        low_s=low, high_s=high, count=np.ones(600), follow_s=np.array([9.0]), followed=np.array([600.0])
    )
    ours = estimate(family, lifetimes)
    theirs = oracle.fit(xl=np.maximum(low, 1e-9), xr=high)
    assert family.values(ours.theta) == pytest.approx(ours_of_theirs(*theirs.params), rel=1e-4)
    assert ours.log_likelihood == pytest.approx(-theirs.neg_ll(), abs=1e-4)
    shifted = oracle.fit(
        xl=np.maximum(low, 1e-9), xr=np.where(censored, low + 300, high)
    )  # as if all had been seen to end
    assert family.values(ours.theta) != pytest.approx(ours_of_theirs(*shifted.params), rel=1e-2)


def test_a_mixture_of_two_lognormals_is_recovered():
    """The shape that real fleets have: many short lifetimes and a long tail, here on a clock of 5 minutes."""
    rng = np.random.default_rng(5)
    n = 20_000
    short = rng.random(n) < 0.5
    z = rng.standard_normal(n)
    life = np.where(short, 1100 * np.exp(0.6 * z), 10_000 * np.exp(2.0 * z))
    block = rows(np.floor(uniform_creations(rng, n) / 300) * 300, life, stamp_s=300)
    lifetimes = lives_of(block, stamp_s=300)
    found = estimate(MIXTURE, lifetimes)
    for symbol, truth in (
        ("weight", 0.5),
        ("median_s", 1100),
        ("sigma", 0.6),
        ("other_median_s", 10_000),
        ("other_sigma", 2.0),
    ):
        assert near(found, symbol, truth), symbol
    assert not near(found, "sigma", 0.8)
    assert judge(found, lifetimes, turnbull(lifetimes)).p > 0.001
    one = estimate(LOGNORMAL, lifetimes)
    assert judge(one, lifetimes, turnbull(lifetimes)).p == pytest.approx(1 / 500)
    # Bayes' criterion by its definition sees it, too.
    assert 5 * math.log(n) - 2 * found.log_likelihood < 2 * math.log(n) - 2 * one.log_likelihood


def test_no_step_of_the_maximisation_lowers_the_likelihood():
    """The theorem of Dempster, Laird and Rubin; the last step finds a slope of zero."""
    rng = np.random.default_rng(6)
    life = np.where(rng.random(3000) < 0.3, 500 * np.exp(0.5 * rng.standard_normal(3000)), rng.exponential(9000, 3000))
    lifetimes = lives_of(rows(uniform_creations(rng, 3000), life, stamp_s=60), stamp_s=60)
    with np.errstate(divide="ignore"):
        low, high = np.log(lifetimes.low_s), np.log(lifetimes.high_s)

    def likelihood(theta):
        return float(lifetimes.count @ np.log(MIXTURE.mass(theta, lifetimes.low_s, lifetimes.high_s)))

    theta = np.array([1.0, 5.0, 0.5, 10.0, 0.2])
    before = likelihood(theta)
    for _ in range(50):
        theta = step(theta, lifetimes, low, high)
        assert likelihood(theta) >= before - 1e-9 * abs(before)
        before = likelihood(theta)
    top = estimate(MIXTURE, lifetimes)
    assert likelihood(climb(theta, lifetimes, 400)) <= top.log_likelihood + 1e-6 * abs(top.log_likelihood)
    score = lifetimes.count @ top.score(lifetimes.low_s, lifetimes.high_s)
    assert np.abs(np.linalg.solve(top.information, score)).max() < 1e-3


# --- the estimate without a distribution


def test_turnbull_is_kaplan_and_meier_where_ends_are_exact():
    """A textbook's six patients: ends at 1, 3, 4; lost at 2, 4+, 5 (product of 1 - d/r)."""
    lifetimes = Lifetimes(
        low_s=np.array([1.0, 2.0, 3.0, 4.0, 4.5, 5.0]), high_s=np.array([1.001, np.inf, 3.001, 4.001, np.inf, np.inf]),
        count=np.ones(6), follow_s=np.array([9.0]), followed=np.array([6.0]),
    )  # fmt: skip
    found = turnbull(lifetimes)
    assert found.at_s == pytest.approx([1.001, 3.001, 4.001])
    survival = np.array([5 / 6, 5 / 6 * 3 / 4, 5 / 6 * 3 / 4 * 2 / 3])
    assert found.gone == pytest.approx(1 - survival, abs=1e-7)


def test_turnbull_puts_mass_only_where_intervals_meet():
    """(0, 2] and (1, 3] can both be explained by (1, 2]; a third one in (2.5, 3] takes a third."""
    lifetimes = Lifetimes(
        low_s=np.array([0.0, 1.0, 2.5]), high_s=np.array([2.0, 3.0, 3.0]), count=np.ones(3),
        follow_s=np.array([9.0]), followed=np.array([3.0]),
    )  # fmt: skip
    found = turnbull(lifetimes)
    assert found.at_s.tolist() == [2.0, 3.0]
    # Likelihood p * 1 * (1 - p): the middle interval is sure, so half is likeliest.
    assert found.gone == pytest.approx([0.5, 1.0], abs=1e-6)


def test_nothing_is_said_of_ages_beyond_the_observation():
    """A bin in which the last survivors were lost sight of may hold any share of them."""
    lifetimes = Lifetimes(
        low_s=np.array([0.0, 100.0, 150.0]), high_s=np.array([100.0, 200.0, np.inf]), count=np.array([5.0, 2.0, 3.0]),
        follow_s=np.array([150.0]), followed=np.array([10.0]),
    )  # fmt: skip
    assert turnbull(lifetimes).at_s.tolist() == [100.0]


# --- goodness of fit


def test_a_true_distribution_is_kept_and_a_wrong_one_refused():
    """With 2,000 lifetimes; the wrong one is the closest of its family."""
    rng = np.random.default_rng(7)
    n = 2000
    lifetimes = lives_of(rows(uniform_creations(rng, n), 20_000 * rng.weibull(0.7, n)))
    assert judge(estimate(WEIBULL, lifetimes), lifetimes, turnbull(lifetimes)).p > 0.01
    for family in (LOGNORMAL, EXPONENTIAL):
        assert judge(estimate(family, lifetimes), lifetimes, turnbull(lifetimes)).p <= 0.01


@pytest.mark.slow
def test_the_p_value_of_a_true_distribution_is_uniform():
    """Which is what makes it a p-value; false alarms of this test: once in 10,000.

    The wrong way is Kolmogorov's own table, which is for a distribution that was known before the data were seen.
    """
    ps, from_the_table = [], []
    for seed in range(200):
        rng = np.random.default_rng([8, seed])
        created = np.floor(uniform_creations(rng, 600) / 300) * 300
        life = 9000 * np.exp(1.2 * rng.standard_normal(600))
        lifetimes = lives_of(rows(created, life, stamp_s=300), stamp_s=300)
        found = judge(estimate(LOGNORMAL, lifetimes), lifetimes, turnbull(lifetimes), seed=seed, bootstraps=199)
        ps.append(found.p)
        from_the_table.append(kstwobign.sf(found.distance * math.sqrt(600)))
    assert kstest(ps, "uniform").pvalue > 1e-4
    assert kstest(from_the_table, "uniform").pvalue < 1e-4


@pytest.mark.slow
def test_errors_by_hours_cover_the_truth_where_vms_of_an_hour_are_alike():
    """Lifetimes of an hour share a factor: errors of independent VMs are far too small, those by hours are right."""
    inside = {"standard": 0, "robust": 0}
    trials = 100
    for seed in range(trials):
        rng = np.random.default_rng([9, seed])
        hour = np.sort(rng.integers(0, 200, 3000))
        log_life = 7 + 0.5 * rng.standard_normal(200)[hour] + 0.8 * rng.standard_normal(3000)
        block = rows(hour * 3600.0, np.exp(log_life), window_s=1e9)
        found = fit(_Held(block, 1e9), families=("lognormal",)).best
        off = abs(math.log(found.parameters["median_s"]) - 7)
        inside["standard"] += off <= 1.96 * found.standard_errors["median_s"] / found.parameters["median_s"]
        inside["robust"] += off <= 1.96 * found.robust_errors["median_s"] / found.parameters["median_s"]
    # 95 of 100 are expected; binomial, 4 standard deviations of 2.2.
    assert inside["robust"] >= 95 - 4 * 2.2
    assert inside["standard"] < 95 - 4 * 2.2


class _Held:
    """A trace that is a block in memory."""

    def __init__(self, block, window_s):
        from sim.traces.formats import Content
        from sim.traces.rows import VmSize

        self._block, self.window_s, self.stamp_s, self.start = block, window_s, 0.0, None
        self.content = Content(origin_s=0.0, window_s=window_s, follow_up_s=window_s, stamp_s=0.0)
        self.path = Path("held.csv")
        self.vm_sizes, self.alive_at_start = (VmSize(vcpus=1.0, memory_gib=1.0),), 0

    def blocks(self):
        yield self._block


# --- arrivals


def made_arrivals(seed, days=20):
    """Poisson requests with a daily wave, batches of 1, 2 or 40; returns rows, hourly rates."""
    rng = np.random.default_rng(seed)
    rates = 30 + 20 * np.sin(np.arange(24) * 2 * np.pi / 24)
    created, tenant = [], []
    for hour in range(24 * days):
        for _ in range(rng.poisson(rates[hour % 24])):
            size = rng.choice([1, 2, 40], p=[0.6, 0.35, 0.05])
            created += [hour * 3600 + math.floor(rng.uniform(0, 3600) / 300) * 300] * size
            tenant += [len(tenant) + 1] * size
    order = np.argsort(created, kind="stable")
    window_s = days * 86400.0
    return rows(
        np.array(created)[order], np.full(len(order), 600.0), window_s=window_s, tenant=np.array(tenant)[order]
    ), rates


def test_requests_by_hour_and_batches_are_recovered():
    """Each hour's rate within its Poisson error, each share within its binomial one; as many VMs as came."""
    days = 20
    block, rates = made_arrivals(10)
    halves = [block[: len(block) // 2], block[len(block) // 2 :]]  # a request must not be cut in two by blocks
    found = fit_arrivals(halves, stamp_s=300.0, window_s=days * 86400.0)
    assert found.profile == "weekly"
    daily = np.array(found.requests_per_h).reshape(7, 24).mean(axis=0)
    z = (daily - rates) / np.sqrt(rates / days)
    assert np.abs(z).max() <= Z
    assert np.abs((daily - rates[::-1]) / np.sqrt(rates / days)).max() > Z
    assert found.batch_sizes == (1, 2, 40)
    for share, truth in zip(found.batch_weights, (0.6, 0.35, 0.05), strict=True):
        assert abs(share - truth) <= Z * math.sqrt(truth * (1 - truth) / found.requests)
    assert found.vms_per_h == pytest.approx(len(block) / (24 * days))
    mean_square = 0.6 + 0.35 * 4 + 0.05 * 1600
    assert found.fitted_dispersion == pytest.approx(mean_square / 3.3, rel=0.1)


def test_dispersion_distinguishes_a_poisson_process_from_an_uneven_one():
    """Around its hourly rates the index is 1, with error sqrt(2 / bins); doubling every other request is seen."""
    block, _ = made_arrivals(11)
    bins = 20 * 288 - 168
    found = fit_arrivals([block], stamp_s=300.0, window_s=20 * 86400.0)
    # Counts of about 2.5 a bin add 1 / mean to the variance of (n - m)^2 / m.
    error = math.sqrt((2 + 1 / 2.5) / bins)
    assert abs(found.dispersion_requests - 1) <= Z * error
    twice = np.sort(np.concatenate([block, block]), order=["created_s", "row"])
    twice["tenant"] = np.where(np.arange(len(twice)) % 2, twice["tenant"], twice["tenant"] + 10**9)
    assert abs(fit_arrivals([twice], stamp_s=300.0, window_s=20 * 86400.0).dispersion_requests - 1) > Z * error


def test_a_csv_file_is_fitted_end_to_end(tmp_path):
    """Read, fitted, judged: the distribution with the lowest BIC is the one that made the file."""
    rng = np.random.default_rng(12)
    created = np.sort(rng.integers(0, 200_000, 3000))
    life = np.floor(3000 * rng.weibull(0.5, 3000))  # as a clock of whole seconds shows it
    ended = created + life
    lines = [f"{c},{'' if e >= 200_000 else int(e)},2,4\n" for c, e in zip(created, ended, strict=True)]
    file = tmp_path / "t.csv"
    file.write_text("created,deleted,vcpus,memory\n" + "".join(lines))
    found = fit(open_trace(file, "columns", window_s=200_000))
    assert found.best.family == "weibull"
    assert found.best.goodness.p > 0.001
    assert found.censored == int((ended >= 200_000).sum())
    distribution = found.best
    for symbol, truth in (("shape", 0.5), ("scale_s", 3000)):
        assert abs(distribution.parameters[symbol] - truth) <= Z * distribution.standard_errors[symbol]
    assert distribution.bic == pytest.approx(2 * math.log(3000) - 2 * distribution.log_likelihood)
    assert all(found.of_family(family).goodness.p < 0.01 for family in ("exponential", "lognormal"))
