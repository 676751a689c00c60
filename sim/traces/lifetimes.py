"""Lifetimes as a trace knows them, each an interval with a count, and the laws fitted to them by maximum likelihood.

A VM's life is known to lie in [low, high): its end was seen between two stamps of the clock, or in a bin, or not at all
(high = inf, censored on the right). The likelihood of a law F is the product of F(high) - F(low) (Meeker and Escobar,
Statistical Methods for Reliability Data, chapter 2.4; chapter 8 for the errors).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sim.distributions.kinds import Distribution, Exponential, Lognormal, Mixture, Weibull
from sim.traces.rows import Rows

Floats = NDArray[np.float64]

MOST_INTERVALS = 20_000
"""Beyond so many different intervals their ends are rounded to a share of `COARSE`, so that memory stays bounded."""
COARSE = 2e-3

FEW_STEPS, MANY_STEPS = 30, 150
"""Steps of the expectation-maximisation from each start, and from the best of them."""

NARROW = 1e-4
"""An end known more exactly than this share of the life (or a millisecond) is taken as known to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """Different intervals and how many VMs have each; and how long VMs were followed, by classes of that."""

    low_s: Floats
    high_s: Floats  # inf: censored
    count: Floats
    follow_s: Floats  # a class of VMs was followed for (at least) so long
    followed: Floats  # and has so many VMs

    @property
    def total(self) -> int:
        return int(self.count.sum())

    @property
    def censored(self) -> int:
        return int(self.count[np.isinf(self.high_s)].sum())


def intervals(block: Rows, stamp_s: float) -> tuple[Floats, Floats]:
    """[low, high) of each VM of a block: from a stamp to the next one, since a VM seen at one is gone by the next."""
    low, high = block["low_s"].copy(), block["high_s"].copy()
    seen = np.isfinite(high)
    width = np.maximum(1e-3, NARROW * high[seen]) if stamp_s == 0 else stamp_s
    high[seen] += width
    return low, high


def gather(blocks: Iterable[Rows], *, stamp_s: float, follow_up_s: float) -> Lives:
    """The lives of all VMs of a trace whose beginning was seen."""
    table = np.empty((0, 2))
    count = np.empty(0)
    follow = np.empty((0, 1))
    followed = np.empty(0)
    coarse = 0.0
    for block in blocks:
        block = block[~block["alive_at_start"]]
        low, high = intervals(block, stamp_s)
        pairs = np.column_stack([low, high])
        table, count = _tally(table, count, _rounded(pairs, coarse))
        while len(table) > MOST_INTERVALS:
            coarse = max(COARSE, 2 * coarse)
            table, count = _tally(np.empty((0, 2)), np.empty(0), _rounded(table, coarse), count)
        watched = follow_up_s - block["created_s"]
        # A censored VM was followed as long as it was seen.
        watched = np.where(np.isinf(high), np.minimum(watched, low), watched)
        follow, followed = _tally(follow, followed, _down(watched, 0.01)[:, None])
    return Lives(low_s=table[:, 0], high_s=table[:, 1], count=count, follow_s=follow[:, 0], followed=followed)


def _tally(table: Floats, count: Floats, more: Floats, more_count: Floats | None = None) -> tuple[Floats, Floats]:
    """The same with more rows counted in."""
    rows = np.concatenate([table, more])
    weights = np.concatenate([count, np.ones(len(more)) if more_count is None else more_count])
    unique, which = np.unique(rows, axis=0, return_inverse=True)
    return unique, np.bincount(np.ravel(which), weights=weights, minlength=len(unique)).astype(np.float64)


def _down(seconds: Floats, share: float) -> Floats:
    """Rounded down to a grid whose steps are this share of the number."""
    with np.errstate(divide="ignore"):
        steps = np.floor(np.log(np.maximum(seconds, 1e-3)) / math.log1p(share) + 1e-9)
    return np.minimum(np.exp(steps * math.log1p(share)), seconds)


def _rounded(pairs: Floats, share: float) -> Floats:
    if not share:
        return pairs
    low, high = pairs[:, 0], pairs[:, 1]
    wide = np.where(np.isinf(high), high, _down(np.where(np.isinf(high), 1.0, high), share) * (1 + share))
    return np.column_stack([np.where(low > 0, _down(low, share), 0.0), wide])


# --- the laws


@dataclass(frozen=True, slots=True)
class Family:
    """A family of laws with its parameters on scales without bounds."""

    name: str
    symbols: tuple[str, ...]
    below: Callable[[Floats, Floats], Floats]  # P(life <= x) for (theta, x)
    above: Callable[[Floats, Floats], Floats]  # P(life > x)
    law: Callable[[Floats], Distribution]
    values: Callable[[Floats], Floats]  # the parameters as people write them, in the order of symbols
    guess: Callable[[Floats, Floats], Sequence[Floats]]  # starts from (typical lives, their weights)

    def mass(self, theta: Floats, low: Floats, high: Floats) -> Floats:
        """P(low <= life < high), subtracted on the side where the digits are."""
        below, above = self.below(theta, low), self.above(theta, low)
        part = np.where(below < 0.5, self.below(theta, high) - below, above - self.above(theta, high))
        return np.maximum(part, 1e-300)


def _log(x: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(x)


def _normal(z: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(z))


def _exponential_guess(x: Floats, w: Floats) -> list[Floats]:
    return [np.array([math.log(np.average(x, weights=w))])]


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
    _exponential_guess,
)
LOGNORMAL = Family(
    "lognormal",
    ("median_s", "sigma"),
    lambda t, x: _normal((_log(x) - t[0]) / math.exp(t[1])),
    lambda t, x: _normal((t[0] - _log(x)) / math.exp(t[1])),
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
    # One narrow and one wide law about the same middle is what two modes apart can't become.
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


# --- maximum likelihood


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A family's best law for some lives."""

    family: Family
    theta: Floats  # on the scales without bounds
    information: Floats  # minus the second derivative of the log-likelihood there
    log_likelihood: float

    def score(self, low: Floats, high: Floats) -> Floats:
        """d log P(low <= life < high) / d theta: one row an interval, one column a parameter."""
        return gradient(lambda t: np.log(self.family.mass(t, low, high)), self.theta)


def gradient(function: Callable[[Floats], Floats], theta: Floats, step: float = 1e-5) -> Floats:
    """Central differences by each parameter, as columns."""
    columns = []
    for number in range(len(theta)):
        move = np.zeros(len(theta))
        move[number] = step
        columns.append((function(theta + move) - function(theta - move)) / (2 * step))
    return np.stack(columns, axis=-1)


def estimate(family: Family, lives: Lives) -> Estimate:
    """The law of a family under which the lives are likeliest."""
    from scipy.optimize import minimize

    low, high, count = lives.low_s, lives.high_s, lives.count
    total = count.sum()

    def loss(theta: Floats) -> float:
        if np.abs(theta).max() > 60:
            return math.inf
        return float(-(count @ np.log(family.mass(theta, low, high))) / total)

    def slope(theta: Floats) -> Floats:
        return np.asarray(-(count @ gradient(lambda t: np.log(family.mass(t, low, high)), theta)) / total)

    typical = np.where(
        np.isinf(high), np.maximum(low, 1e-3), np.sqrt(np.maximum(low, high / 4) * np.where(np.isinf(high), 1, high))
    )
    starts = family.guess(typical, count)
    if family is MIXTURE:
        from sim.traces.mixture import climb

        # A few steps tell which hill is the highest; its top is for the quicker climber.
        nearer = min((climb(start, lives, FEW_STEPS) for start in starts), key=loss)
        starts = [climb(nearer, lives, MANY_STEPS)]
    found = min(
        (minimize(loss, start, jac=slope, method="BFGS", options={"gtol": 1e-8}) for start in starts),
        key=lambda one: one.fun,
    )
    theta = np.asarray(found.x if found.fun <= loss(starts[0]) else starts[0])
    if family is MIXTURE and theta[1] > theta[3]:
        theta = np.array([-theta[0], *theta[3:5], *theta[1:3]])  # the shorter one is named first
    information = total * gradient(slope, theta, 1e-4)
    information = (information + information.T) / 2
    return Estimate(family=family, theta=theta, information=information, log_likelihood=float(-loss(theta) * total))
