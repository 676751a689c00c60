"""The distributions of durations, one by one."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from sim.distributions.base import Distribution
from sim.distributions.kinds import (
    Constant,
    Exponential,
    Gamma,
    Lognormal,
    Mixture,
    Quantiles,
    Samples,
    Triangular,
    Truncated,
    Uniform,
    Weibull,
    simplify,
    truncate,
)
from sim.units import LONGEST_S

DISTRIBUTIONS = {  # ours, and scipy's of the same distribution
    "exponential": (Exponential(mean=10), stats.expon(scale=10)),
    "lognormal": (Lognormal(median=49, sigma=0.6), stats.lognorm(0.6, scale=49)),
    "weibull": (Weibull(shape=0.48, scale=30), stats.weibull_min(0.48, scale=30)),
    "gamma": (Gamma(shape=2.5, mean=40), stats.gamma(2.5, scale=16)),
    "uniform": (Uniform(low=30, high=90), stats.uniform(30, 60)),
    "triangular": (Triangular(low=5, mode=20, high=100), stats.triang(15 / 95, 5, 95)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_agrees_with_scipys(name):
    """Mean, variance, probabilities and quantiles, the latter from both ends."""
    ours, theirs = DISTRIBUTIONS[name]
    assert ours.mean == pytest.approx(theirs.mean(), rel=1e-12)
    assert ours.variance == pytest.approx(theirs.var(), rel=1e-10)
    x = np.array([0.0, 1.0, 12.0, 31.0, 55.0, 400.0])
    assert ours.cdf(x) == pytest.approx(theirs.cdf(x), rel=1e-12, abs=1e-15)
    u = np.array([1e-12, 1e-3, 0.2, 0.5, 0.8, 0.999])
    assert ours.ppf(u) == pytest.approx(theirs.ppf(u), rel=1e-9)
    assert ours.quantile(1.0 - u, u) == pytest.approx(theirs.isf(u), rel=1e-9)


@pytest.mark.parametrize("bounds", [(None, 60.0), (12.0, None), (12.0, 60.0), (35.0, 36.0)])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_truncated_distribution_is_the_conditional_one(name, bounds):
    """Probabilities are shares of the inside; moments are integrals of the survival function, done by scipy."""
    distribution, theirs = DISTRIBUTIONS[name]
    cut = truncate(distribution, *bounds)
    low = max(bounds[0] or 0.0, theirs.support()[0])
    high = min(bounds[1] or math.inf, theirs.support()[1])
    mass = theirs.cdf(high) - theirs.cdf(low)

    def survival(x: float) -> float:
        return float((theirs.cdf(high) - theirs.cdf(x)) / mass)

    # A heavy tail is integrated piece by piece.
    knots = [low, *(k for k in (20, 60, 1e3, 1e4) if low < k < high), min(high, 1e6)]
    pieces = list(pairwise(knots))
    mean = low + sum(integrate.quad(survival, a, b, limit=200)[0] for a, b in pieces)
    square = low**2 + sum(integrate.quad(lambda x: 2 * x * survival(x), a, b, limit=200)[0] for a, b in pieces)
    assert cut.support == (low, high)
    assert cut.mean == pytest.approx(mean, rel=1e-6)
    assert cut.variance == pytest.approx(square - mean**2, rel=1e-5)
    u = np.array([0.01, 0.4, 0.97])
    assert cut.cdf(cut.ppf(u)) == pytest.approx(u, abs=1e-10)
    assert mean != pytest.approx(distribution.mean, rel=1e-3) or name == "uniform"


def test_a_truncated_mixture_weighs_its_components_anew():
    """A mixture of a short and a long distribution, truncated to long durations, is nearly all the long one."""
    short, long = Exponential(mean=1), Exponential(mean=100)
    cut = truncate(Mixture(weights=(1, 1), of=(short, long)), 10, None)
    assert isinstance(cut, Mixture)
    share = math.exp(-10) / (math.exp(-10) + math.exp(-0.1))
    assert cut.weights == pytest.approx((share, 1 - share), rel=1e-9)
    assert cut.mean == pytest.approx(10 + share * 1 + (1 - share) * 100, rel=1e-9)


def test_nested_mixtures_are_opened_up():
    """A mixture of mixtures is one mixture of what is at the bottom; weights are shares of their sum."""
    inner = Mixture(weights=(30, 10), of=(Constant(value=1), Constant(value=2)))
    outer = Mixture(weights=(1, 1, 0), of=(inner, Constant(value=3), Constant(value=99)))
    assert [weight for weight, _ in outer.flat()] == pytest.approx([0.375, 0.125, 0.5])
    assert outer.mean == pytest.approx(0.375 + 0.25 + 1.5)
    assert outer.support == (1, 3)


TWO = [
    {"median": 49, "sigma": 0.6},
    {"median": 49, "mean": 60},
    {"median": 49, "p95": 113},
    {"mean": 60, "sigma": 0.6},
    {"mean": 60, "p95": 113},
    {"sigma": 0.6, "p95": 113},
]


@pytest.mark.parametrize("given", TWO)
def test_a_lognormal_has_the_two_figures_it_was_made_from(given):
    """Any two of median, mean, sigma, p95 fix it."""
    distribution = Lognormal.from_any_two(**given)
    has = {
        "median": distribution.median,
        "mean": distribution.mean,
        "sigma": distribution.sigma,
        "p95": float(distribution.ppf(0.95)),
    }
    for name, value in given.items():
        assert has[name] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"median": 1}, "given: median"),
        ({"median": 1, "mean": 2, "sigma": 1}, "given: median and mean and sigma"),
        ({"median": 2, "mean": 1}, "below the median"),
        ({"median": 2, "p95": 1}, "below the median"),
        ({"mean": 1, "p95": 100}, "fits no lognormal"),
        ({"median": 0, "sigma": 1}, "median = 0 is out of range"),
    ],
)
def test_a_lognormal_that_cannot_be_is_refused(given, says):
    """The message says which figure is wrong and what would be right."""
    with pytest.raises(ValueError, match=says):
        Lognormal.from_any_two(**given)


BAD = [
    (lambda: Constant(value=-1), "value = -1"),
    (lambda: Constant(value=math.nan), "value = nan"),
    (lambda: Constant(value=True), "value = True"),
    (lambda: Exponential(mean=0), "mean = 0 "),
    (lambda: Exponential(mean=math.inf), "mean = inf"),
    (lambda: Lognormal(median=1, sigma=-0.1), "sigma = -0.1"),
    (lambda: Weibull(shape=0, scale=1), "shape = 0 "),
    (lambda: Gamma(shape=1, mean="4h"), "mean = '4h'"),
    (lambda: Uniform(low=2, high=1), "high = 1 "),
    (lambda: Triangular(low=1, mode=5, high=4), "mode = 5"),
    (lambda: Quantiles(p=(0, 1), at=(1, 2, 3)), "as many"),
    (lambda: Quantiles(p=(0.1, 1), at=(1, 2)), "begin with 0"),
    (lambda: Quantiles(p=(0, 0.5, 0.5, 1), at=(1, 2, 3, 4)), "rise"),
    (lambda: Quantiles(p=(0, 0.5, 1), at=(1, 3, 2)), "not fall"),
    (lambda: Samples(values=()), "at least one"),
    (lambda: Samples(values=(1, -2)), r"samples\[1\] = -2"),
    (lambda: Mixture(weights=(0, 0), of=(Constant(value=1), Constant(value=2))), "add up to 0"),
    (lambda: Mixture(weights=(1,), of=()), "as many"),
    (lambda: Truncated(of=Exponential(mean=1), low=5, high=4), "below min"),
    (lambda: Truncated(of=Exponential(mean=1), low=100), "leave nothing"),
    (lambda: Truncated(of=Constant(value=3), low=4), "leave nothing"),
]


@pytest.mark.parametrize(("make", "says"), BAD)
def test_a_distribution_with_invalid_parameters_is_refused_when_made(make, says):
    """Naming parameter and value, so that the scenario's reader can pass it on."""
    with pytest.raises(ValueError, match=says):
        make()


def test_a_distribution_without_spread_is_a_constant():
    """So no table is built, and `is_zero` finds steps that take no time whichever way they are written."""
    for distribution in (Uniform(low=4, high=4), Lognormal(median=4, sigma=0), Samples(values=(4, 4))):
        assert simplify(distribution) == Constant(value=4.0)
        assert distribution.mean == 4
        assert distribution.variance == 0
    assert Uniform(low=0, high=0).is_zero
    assert not Exponential(mean=1).is_zero


def test_a_truncation_that_cuts_nothing_is_the_distribution_itself():
    """And one truncation of another is their overlap."""
    distribution = Uniform(low=4, high=8)
    assert truncate(distribution, 1, 10) == distribution
    assert truncate(truncate(Exponential(mean=9), 1, 20), 5, 30) == Truncated(of=Exponential(mean=9), low=5, high=20)
    assert truncate(Samples(values=(1, 2, 3, 4)), 2, 3) == Samples(values=(2, 3))


def test_a_moment_that_overflows_is_infinite():
    """The widest lognormal allowed says inf instead of raising."""
    wide = Lognormal(median=LONGEST_S, sigma=20)
    assert wide.variance == math.inf
    assert Truncated(of=wide, low=LONGEST_S).variance == math.inf


def test_a_distribution_describes_itself_with_units():
    """So that `vmfleet validate` can print it."""
    assert str(truncate(Exponential(mean=28800), 60, None)) == "exponential, mean 8h, at least 1min"
    assert str(Mixture(weights=(1, 3), of=(Constant(value=5), Uniform(low=30, high=90)))) == (
        "mixture of 25 % always 5s; 75 % uniform from 30s to 1min 30s"
    )


def test_what_has_no_spread_is_a_constant_in_every_respect():
    """A law whose ends are one duration is that duration: quantiles, probabilities and moments, without a division by 0."""
    for same in (
        Triangular(low=5, mode=5, high=5),
        Lognormal(median=5, sigma=0),
        Uniform(low=5, high=5),
        Quantiles(p=(0, 1), at=(5, 5)),
    ):
        assert same.ppf([0.0, 0.3, 1.0]).tolist() == [5, 5, 5]
        assert same.cdf([4.9, 5.0, 5.1]).tolist() == [0, 1, 1]
        assert [same.moment(order, 0, 9) for order in (0, 1, 2)] == [1, 5, 25]
        assert same.moment(1, 6, 9) == 0


def test_quantiles_rise_in_steps_and_jump_where_two_are_one_duration():
    """Half of the mass lies from 10 to 20, evenly, and half at 20; what is cut above 15 is that, and what was left."""
    law = Quantiles(p=(0, 0.5, 1), at=(10, 20, 20))
    assert law.cdf([10, 15, 19.99, 20]) == pytest.approx([0, 0.25, 0.4995, 1])
    assert law.ppf([0, 0.25, 0.5, 0.9]).tolist() == [10, 15, 20, 20]
    assert law.mean == pytest.approx(17.5)
    steps = Quantiles(p=(0, 0.25, 0.5, 1), at=(1, 2, 3, 5))
    cut = truncate(steps, 2.5, 4)
    assert cut == Quantiles(p=(0, 0.125 / 0.375, 1), at=(2.5, 3, 4))
    assert cut.cdf([2.5, 3, 3.5]) == pytest.approx([0, 1 / 3, 2 / 3])


def test_a_mixture_has_the_quantiles_of_its_probabilities():
    """Worked out by halves: the probability up to each is the one that was asked for; a heavy tail has no variance."""
    mixed = Mixture(weights=(1, 3), of=(Uniform(low=0, high=4), Exponential(mean=100)))
    u = np.array([0.001, 0.2, 0.5, 0.9, 0.9999])
    assert mixed.cdf(mixed.ppf(u)) == pytest.approx(u, abs=1e-12)
    assert mixed.ppf(np.array([0.0, 1.0])).tolist() == [0.0, math.inf]
    assert mixed.mean == pytest.approx(0.25 * 2 + 0.75 * 100)
    assert mixed.variance == pytest.approx(0.25 * (16 / 12 + 4) + 0.75 * 2 * 100**2 - mixed.mean**2)
    widest = Lognormal(median=LONGEST_S, sigma=20)
    assert Mixture(weights=(1, 1), of=(Constant(value=1), widest)).variance == math.inf


def test_a_truncation_answers_as_its_simplest_form():
    """Also before it is simplified."""
    cut = Truncated(of=Uniform(low=0, high=10), low=2, high=6)
    assert cut.ppf([0.25, 0.5]).tolist() == [3, 4]
    assert cut.cdf([3, 4]).tolist() == [0.25, 0.5]
    assert simplify(Truncated(of=Samples(values=(3, 5, 7)), low=5, high=5)) == Constant(value=5)


class Pareto(Distribution):
    """A user's own law with a tail so heavy that it has no mean: P(X > x) = 1 / sqrt(x) from 1 s on."""

    mean = variance = math.inf

    def quantile(self, u: np.ndarray, q: np.ndarray) -> np.ndarray:
        """From the upper end."""
        return np.asarray(q) ** -2.0

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        return 1 - np.maximum(x, 1.0) ** -0.5

    def moment(self, order: int, low: float, high: float) -> float:
        """Not needed here."""
        raise NotImplementedError

    def describe(self) -> str:
        """Its name."""
        return "pareto"


def test_a_mixture_with_an_endless_mean_has_an_endless_variance():
    """And not one that is no number, from the difference of two endless means."""
    assert Mixture(weights=(1, 3), of=(Pareto(), Pareto())).variance == math.inf
    assert Mixture(weights=(1, 3), of=(Constant(value=1), Pareto())).variance == math.inf
