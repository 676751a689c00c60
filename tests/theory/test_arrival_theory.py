"""VMs that come and go: Poisson processes, batches, and how many are there at once."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from evidence import FALSE_ALARM, Floats, held, p_of_counts, refused, z_of_mean, z_of_variance
from fleets import HOUR, fleet
from scipy import integrate, stats

from sim.distributions import streams
from sim.distributions.kinds import Constant, Distribution, Exponential, Lognormal, Uniform
from sim.engines.simulate import simulate
from sim.model.demand import Arrivals, RequestContext

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
MEAN_LIFE_S = 4 * HOUR
RATE_PER_H = 6.0
ABOUT_S = 10.0 + 25 + 44  # allocating and starting before Running, deleting after the lifetime
DISTRIBUTIONS: dict[str, Distribution] = {
    "exponential": Exponential(mean=MEAN_LIFE_S),
    "lognormal": Lognormal(median=MEAN_LIFE_S / math.exp(1.5**2 / 2), sigma=1.5),
    "uniform": Uniform(low=HOUR, high=7 * HOUR),
    "constant": Constant(value=MEAN_LIFE_S),
}


def requests(plan: Arrivals, hours: float, n: int) -> list[Floats]:
    """When VMs are requested (s), in independent runs."""
    keys = (streams.entity_key(streams.replication_key(5, r), "g") for r in range(n))
    return [
        np.concatenate(
            [np.empty(0), *plan.request_times(RequestContext(start=MONDAY, horizon_s=hours * HOUR, group_key=key))]
        )
        for key in keys
    ]


def alive_at(distribution: Distribution, hours: float, n: int) -> Floats:
    """VMs that exist at an instant, counted in independent runs that began with none: requested less gone."""
    demand = Arrivals(rate_per_h=(RATE_PER_H,), lifetime_s=distribution)
    # From a specialized image without extensions a VM is ready as soon as it runs, so any lifetime lasts as drawn.
    plan = fleet(hours=hours, count=0, demand=demand, generalized=False, steps={"extensions": Constant(value=0.0)})
    counts = []
    for r in range(n):
        output = simulate(plan, seed=5, replication=r, engine="compiled").fleet.counts
        counts.append(output["operations.create.accepted"] - output["vms.deleted"])
    return np.array(counts, dtype=np.float64)


def expected_alive(distribution: Distribution, hours: float) -> float:
    """M/G/infinity from empty: rate times the integral of P(life > u) over the time since then (Ross, example 2.3(B))."""

    def still_there(u_s: float) -> float:
        return 1.0 - float(distribution.cdf(max(u_s - ABOUT_S, -1.0)))

    kinks = [ABOUT_S + edge for edge in distribution.support if math.isfinite(edge) and ABOUT_S + edge < hours * HOUR]
    there_s, _ = integrate.quad(still_there, 0, hours * HOUR, points=kinks or None, limit=500)
    return RATE_PER_H / HOUR * there_s


@pytest.mark.parametrize("name", ["constant", *(pytest.param(name, marks=pytest.mark.slow) for name in DISTRIBUTIONS if name != "constant")])  # fmt: skip
def test_vms_alive_soon_after_the_start_are_poisson_with_the_mean_of_m_g_infinity(name: str) -> None:
    """After five hours, not long enough to forget the empty beginning: mean and variance are the same number."""
    mean = expected_alive(DISTRIBUTIONS[name], 5.0)
    counts = alive_at(DISTRIBUTIONS[name], 5.0, 200)
    assert held(z_of_mean(counts, mean, sd=math.sqrt(mean)))
    dispersion = float(((counts - mean) ** 2).sum()) / mean
    assert FALSE_ALARM / 2 < stats.chi2.cdf(dispersion, len(counts)) < 1 - FALSE_ALARM / 2


def test_early_on_the_distribution_of_lifetimes_matters() -> None:
    """The wrong model, M/M/infinity for lifetimes that aren't exponential, is refused; so is the long-run mean."""
    counts = alive_at(DISTRIBUTIONS["constant"], 4.0, 80)
    assert held(z_of_mean(counts, expected_alive(DISTRIBUTIONS["constant"], 4.0)))
    assert refused(z_of_mean(counts, expected_alive(DISTRIBUTIONS["exponential"], 4.0)))
    assert refused(z_of_mean(alive_at(DISTRIBUTIONS["lognormal"], 5.0, 80), RATE_PER_H * MEAN_LIFE_S / HOUR))


@pytest.mark.parametrize("name", ["uniform", *(pytest.param(name, marks=pytest.mark.slow) for name in ("exponential", "constant"))])  # fmt: skip
def test_in_the_long_run_only_the_mean_lifetime_matters(name: str) -> None:
    """Insensitivity: rate x mean lifetime (Little), whatever the distribution."""
    mean = RATE_PER_H / HOUR * (MEAN_LIFE_S + ABOUT_S)
    assert expected_alive(DISTRIBUTIONS[name], 60.0) == pytest.approx(mean, rel=1e-5)
    counts = alive_at(DISTRIBUTIONS[name], 60.0, 80)
    assert held(z_of_mean(counts, mean, sd=math.sqrt(mean)))
    assert refused(z_of_mean(counts, RATE_PER_H * 2 * MEAN_LIFE_S / HOUR))


def test_batches_have_a_compound_poisson_mean_and_variance() -> None:
    """Mean rate E[B] t, variance rate E[B^2] t (Ross, section 2.5); a Poisson variance is refused."""
    plan = Arrivals(
        rate_per_h=(4.0,), lifetime_s=Constant(value=1.0), batch_sizes=(1, 2, 10), batch_weights=(0.6, 0.3, 0.1)
    )
    counts = np.array([len(times) for times in requests(plan, 24.0, 1500)])
    mean = 4.0 * 24 * (0.6 + 2 * 0.3 + 10 * 0.1)
    variance = 4.0 * 24 * (0.6 + 4 * 0.3 + 100 * 0.1)
    assert held(z_of_mean(counts, mean, sd=math.sqrt(variance)))
    assert held(z_of_variance(counts, variance))
    assert refused(z_of_variance(counts, mean))


def test_requests_of_each_hour_of_the_day_follow_its_rate() -> None:
    """Two hundred days of an hourly profile; a flat profile of the same sum is refused."""
    rates = tuple(1.0 + 3.0 * (8 <= hour < 19) + hour / 10 for hour in range(24))
    plan = Arrivals(rate_per_h=rates, lifetime_s=Constant(value=1.0))
    times = requests(plan, 200 * 24.0, 1)[0]
    observed = np.bincount((times % (24 * HOUR) // HOUR).astype(int), minlength=24)
    expected = 200 * np.array(rates)
    assert held((len(times) - expected.sum()) / math.sqrt(expected.sum()))
    shape = expected / expected.sum() * len(times)
    assert p_of_counts(observed, shape) > FALSE_ALARM
    assert p_of_counts(observed, np.full(24, len(times) / 24)) < FALSE_ALARM**2


def test_gaps_between_requests_at_a_constant_rate_are_exponential() -> None:
    """Kolmogorov-Smirnov; times on a grid, or evenly spread, are refused."""
    times = requests(Arrivals(rate_per_h=(30.0,), lifetime_s=Constant(value=1.0)), 400.0, 1)[0]
    gaps = np.diff(times)
    assert stats.kstest(gaps, "expon", args=(0, 120.0)).pvalue > FALSE_ALARM
    assert stats.kstest(np.round(gaps, -2), "expon", args=(0, 120.0)).pvalue < FALSE_ALARM**2
    even = np.diff(np.sort(stats.qmc.Halton(1, seed=1).random(len(times)).ravel())) * 400 * HOUR
    assert stats.kstest(even, "expon", args=(0, 120.0)).pvalue < FALSE_ALARM**2
