"""Draws follow the requested distribution."""

import math

import numpy as np
import pytest

from sim.distributions import streams
from sim.distributions.kinds import (
    Distribution,
    Exponential,
    Gamma,
    Lognormal,
    Mixture,
    Quantiles,
    Triangular,
    Truncated,
    Uniform,
    Weibull,
    truncate,
)
from sim.distributions.samplers import compile_samplers, evaluate
from tests.helpers.stream_keys import stream_key

DRAWS = 100_000
FALSE_ALARM = 1e-6

ASKED = {
    "exponential": Exponential(mean=28800),
    "lognormal": Lognormal(median=49, sigma=0.6),
    "weibull": Weibull(shape=0.8, scale=100),
    "gamma": Gamma(shape=2, mean=4),
    "uniform": Uniform(low=30, high=90),
    "triangular": Triangular(low=30, mode=45, high=300),
    "quantiles": Quantiles(p=(0, 0.5, 0.95, 1), at=(5, 49, 113, 600)),
    "mixture": Mixture(weights=(0.51, 0.49), of=(Exponential(mean=30), Lognormal(median=200, sigma=0.4))),
    "truncated": truncate(Weibull(shape=0.8, scale=100), 20, 200),
}


def drawn(distribution: Distribution, seed: int = 1) -> np.ndarray:
    """Many draws of one named stream."""
    key = stream_key(streams.replication_key(seed, 0), "theory")
    return evaluate(compile_samplers([distribution]), 0, streams.bits(np.uint64(key), np.arange(DRAWS)))


def follows(x: np.ndarray, distribution: Distribution) -> bool:
    """Kolmogorov-Smirnov: by the Dvoretzky-Kiefer-Wolfowitz-Massart bound P(D > d) <= 2 exp(-2 n d^2)."""
    at = np.sort(x)
    expected = distribution.cdf(at)
    ranks = np.arange(1, len(x) + 1) / len(x)
    distance = max(np.max(ranks - expected), np.max(expected - ranks + 1 / len(x)))
    return bool(distance <= math.sqrt(math.log(2 / FALSE_ALARM) / (2 * len(x))))


@pytest.mark.parametrize("name", ASKED)
def test_draws_follow_their_distribution_and_not_another(name):
    """At 100,000 draws the same distribution with every duration 5 % longer is rejected."""
    x = drawn(ASKED[name])
    assert follows(x, ASKED[name])
    assert not follows(x * 1.05, ASKED[name])


@pytest.mark.parametrize("name", ASKED)
def test_the_mean_of_draws_is_the_mean_of_the_distribution(name):
    """|mean - expected| <= z sd / sqrt(n), z = 4.9 for a false alarm of 1e-6; a mean 5 % larger is refused."""
    distribution = ASKED[name]
    x = drawn(distribution)
    tolerance = 4.9 * math.sqrt(distribution.variance / DRAWS)
    assert abs(x.mean() - distribution.mean) <= tolerance
    assert not abs(x.mean() * 1.05 - distribution.mean) <= tolerance


@pytest.mark.parametrize("name", ASKED)
def test_the_variance_of_draws_is_the_variance_of_the_distribution(name):
    """Its standard error by the fourth moment of the sample (Law, section 4.4); a standard deviation 5 % larger is rejected."""
    distribution = ASKED[name]
    x = drawn(distribution)
    squares = (x - distribution.mean) ** 2
    tolerance = 4.9 * squares.std() / math.sqrt(DRAWS)
    assert abs(squares.mean() - distribution.variance) <= tolerance
    assert not abs(squares.mean() * 1.05**2 - distribution.variance) <= tolerance or name in ("lognormal", "weibull")


def test_a_truncated_distribution_is_not_a_clipped_one():
    """Clipping piles up at the bounds; on condition there is nothing there."""
    distribution = ASKED["truncated"]
    assert isinstance(distribution, Truncated)
    clipped = np.clip(drawn(distribution.of), distribution.low, distribution.high)
    assert not follows(clipped, distribution)
