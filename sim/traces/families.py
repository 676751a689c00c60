"""The families of distributions that a fit tries, with parameters on scales without bounds."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import ndtr

from sim.arrays import Floats
from sim.distributions.kinds import Distribution, Exponential, Lognormal, Mixture, Weibull


@dataclass(frozen=True, slots=True)
class Family:
    """A family of distributions with its parameters on scales without bounds."""

    name: str
    symbols: tuple[str, ...]
    below: Callable[[Floats, Floats], Floats]  # P(lifetime <= x) for (theta, x)
    above: Callable[[Floats, Floats], Floats]  # P(lifetime > x)
    distribution: Callable[[Floats], Distribution]
    values: Callable[[Floats], Floats]  # the parameters as people write them, in the order of symbols
    guess: Callable[[Floats, Floats], Sequence[Floats]]  # starts from (typical lifetimes, their weights)

    def mass(self, theta: Floats, low: Floats, high: Floats) -> Floats:
        """P(low <= lifetime < high), subtracted on the side where the digits are."""
        below, above = self.below(theta, low), self.above(theta, low)
        part = np.where(below < 0.5, self.below(theta, high) - below, above - self.above(theta, high))
        return np.maximum(part, 1e-300)


def log(x: Floats) -> Floats:
    """The natural logarithm; -inf at 0, without a warning."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def _normal(z: Floats) -> Floats:
    return np.asarray(ndtr(z))


def _lognormal_guess(x: Floats, w: Floats) -> list[Floats]:
    logs = np.log(x)
    middle = float(np.average(logs, weights=w))
    return [np.array([middle, 0.5 * math.log(max(float(np.average((logs - middle) ** 2, weights=w)), 1e-4))])]


def _weibull_guess(x: Floats, w: Floats) -> list[Floats]:
    middle, spread = _lognormal_guess(x, w)[0]
    # The logarithm of a Weibull has standard deviation pi / sqrt(6) / shape and mean log scale - 0.5772 / shape.
    shape = math.pi / math.sqrt(6) / math.exp(spread)
    return [np.array([math.log(shape), middle + 0.5772 / shape])]


EXPONENTIAL = Family(
    "exponential",
    ("mean_s",),
    lambda t, x: -np.expm1(-x / math.exp(t[0])),
    lambda t, x: np.exp(-x / math.exp(t[0])),
    lambda t: Exponential(mean=math.exp(t[0])),
    lambda t: np.exp(t),
    lambda x, w: [np.array([math.log(np.average(x, weights=w))])],
)
LOGNORMAL = Family(
    "lognormal",
    ("median_s", "sigma"),
    lambda t, x: _normal((log(x) - t[0]) / math.exp(t[1])),
    lambda t, x: _normal((t[0] - log(x)) / math.exp(t[1])),
    lambda t: Lognormal(median=math.exp(t[0]), sigma=math.exp(t[1])),
    lambda t: np.exp(t),
    _lognormal_guess,
)
WEIBULL = Family(
    "weibull",
    ("shape", "scale_s"),
    lambda t, x: -np.expm1(-((x / math.exp(t[1])) ** math.exp(t[0]))),
    lambda t, x: np.exp(-((x / math.exp(t[1])) ** math.exp(t[0]))),
    lambda t: Weibull(shape=math.exp(t[0]), scale=math.exp(t[1])),
    lambda t: np.exp(t),
    _weibull_guess,
)


def _share(t: Floats) -> float:
    return 1.0 / (1.0 + math.exp(-t[0]))


def _mixture_values(t: Floats) -> Floats:
    return np.array([_share(t), *np.exp(t[1:3]), 1 - _share(t), *np.exp(t[3:5])])


def _mixture_law(t: Floats) -> Distribution:
    weight, median, sigma, other, longer, wider = (float(value) for value in _mixture_values(t))
    of = (Lognormal(median=median, sigma=sigma), Lognormal(median=longer, sigma=wider))
    return Mixture(weights=(weight, other), of=of)


def _mixture_guess(x: Floats, w: Floats) -> list[Floats]:
    """Halves, and shorter and longer thirds, each as a lognormal."""
    order = np.argsort(x)
    x, w = x[order], w[order]
    rank = np.cumsum(w) / w.sum()
    starts = []
    for cut in (0.35, 0.5, 0.65):
        split = int(np.clip(np.searchsorted(rank, cut), 1, len(x) - 1))
        short, long = _lognormal_guess(x[:split], w[:split])[0], _lognormal_guess(x[split:], w[split:])[0]
        starts.append(np.array([math.log(cut / (1 - cut)), *short, *long]))
    # One narrow and one wide distribution about the same middle is what two modes apart can't become.
    one = _lognormal_guess(x, w)[0]
    starts.append(np.array([0.0, one[0], one[1] - 0.7, one[0], one[1] + 0.3]))
    return starts


MIXTURE = Family(
    "lognormal mixture",
    ("weight", "median_s", "sigma", "other_weight", "other_median_s", "other_sigma"),
    lambda t, x: _share(t) * LOGNORMAL.below(t[1:3], x) + (1 - _share(t)) * LOGNORMAL.below(t[3:5], x),
    lambda t, x: _share(t) * LOGNORMAL.above(t[1:3], x) + (1 - _share(t)) * LOGNORMAL.above(t[3:5], x),
    _mixture_law,
    _mixture_values,
    _mixture_guess,
)

FAMILIES: Mapping[str, Family] = MappingProxyType({one.name: one for one in (EXPONENTIAL, WEIBULL, LOGNORMAL, MIXTURE)})
"""Families that a fit tries, by name."""
