"""Distributions made of data or of other distributions: quantiles, samples, mixtures, truncated ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from sim.arrays import Floats
from sim.distributions.base import Distribution, check, set_checked
from sim.distributions.bounded import Constant, Triangular, Uniform, piece_moment
from sim.distributions.families import Lognormal
from sim.units import format_duration

LEAST_MASS = 1e-9
"""A truncation that keeps less probability than this is taken for a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles(Distribution):
    """Known quantiles joined by straight lines: `p` from 0 to 1, and the durations `at` them."""

    p: tuple[float, ...]
    at: tuple[float, ...]

    def __post_init__(self) -> None:
        p = tuple(check(f"p[{i}]", value, high=1.0) for i, value in enumerate(self.p))
        at = tuple(check(f"at[{i}]", value) for i, value in enumerate(self.at))
        if len(p) != len(at) or len(p) < 2:
            raise ValueError(f"p has {len(p)} and at has {len(at)} values: they must have as many, and at least 2")
        if p[0] != 0 or p[-1] != 1:
            raise ValueError(f"p = {list(p)} must begin with 0 and end with 1")
        if any(later <= earlier for earlier, later in pairwise(p)):
            raise ValueError(f"p = {list(p)} must rise at every step")
        if any(later < earlier for earlier, later in pairwise(at)):
            raise ValueError(f"at = {list(at)} must not fall at any step")
        set_checked(self, p=p, at=at)

    @property
    def mean(self) -> float:
        return self.moment(1, -math.inf, math.inf)

    @property
    def variance(self) -> float:
        middle = self.mean
        pieces = self._pieces()
        # Around the mean, so that a narrow distribution keeps its digits: E[(X - m)^2] of a uniform piece.
        return sum(w * ((a - middle) ** 2 + (a - middle) * (b - middle) + (b - middle) ** 2) / 3 for w, a, b in pieces)

    @property
    def support(self) -> tuple[float, float]:
        return self.at[0], self.at[-1]

    def _pieces(self) -> list[tuple[float, float, float]]:
        """Weight, from, to."""
        steps = zip(pairwise(self.p), pairwise(self.at), strict=True)
        return [(after - before, start, end) for (before, after), (start, end) in steps]

    def quantile(self, u: Floats, q: Floats) -> Floats:  # noqa: ARG002
        return np.asarray(np.interp(u, self.p, self.at))

    def _cdf(self, x: Floats) -> Floats:
        total = np.zeros(np.shape(x))
        for weight, start, end in self._pieces():
            share = np.clip((x - start) / (end - start), 0, 1) if end > start else np.where(x >= start, 1.0, 0.0)
            total = total + weight * share
        return total

    def moment(self, order: int, low: float, high: float) -> float:
        return math.fsum(w * piece_moment(a, b, order, low, high) for w, a, b in self._pieces())

    def describe(self) -> str:
        steps = ", ".join(f"{100 * p:.4g} % {format_duration(at)}" for p, at in zip(self.p, self.at, strict=True))
        return f"quantiles, straight between: {steps}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples(Distribution):
    """Measured durations, each equally likely; kept sorted."""

    values: tuple[float, ...] = field(repr=False)

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        if values.ndim != 1 or not values.size:
            raise ValueError("samples: there must be at least one value")
        for i in np.flatnonzero(~((values >= 0) & (values < math.inf)))[:1]:
            check(f"samples[{i}]", float(values[i]))
        set_checked(self, values=tuple(np.sort(values).tolist()))

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    @property
    def variance(self) -> float:
        middle = self.mean
        return math.fsum((value - middle) ** 2 for value in self.values) / len(self.values)

    @property
    def support(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]

    def quantile(self, u: Floats, q: Floats) -> Floats:  # noqa: ARG002
        rank = (np.asarray(u) * len(self.values)).astype(np.int64)
        return np.asarray(self.values)[np.clip(rank, 0, len(self.values) - 1)]

    def _cdf(self, x: Floats) -> Floats:
        return np.asarray(np.searchsorted(np.asarray(self.values), x, side="right") / len(self.values))

    def moment(self, order: int, low: float, high: float) -> float:
        inside = (value**order for value in self.values if low <= value <= high)
        return math.fsum(inside) / len(self.values)

    def describe(self) -> str:
        low, high = self.support
        return f"one of {len(self.values)} samples, {format_duration(low)} to {format_duration(high)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture(Distribution):
    """One of several distributions, chosen by weight; weights are relative, whatever their sum."""

    weights: tuple[float, ...]
    of: tuple[Distribution, ...]

    def __post_init__(self) -> None:
        weights = [check(f"weights[{i}]", weight) for i, weight in enumerate(self.weights)]
        of = tuple(self.of)
        if len(weights) != len(of) or not of:
            raise ValueError(f"weights has {len(weights)} and of has {len(of)} entries: there must be as many, not 0")
        total = math.fsum(weights)
        if total <= 0:
            raise ValueError(f"weights = {weights} add up to 0: at least one must be above 0")
        set_checked(self, weights=tuple(weight / total for weight in weights), of=of)

    def flat(self) -> list[tuple[float, Distribution]]:
        """Weight and distribution of every component that can be chosen; mixtures among them are flattened."""
        parts: list[tuple[float, Distribution]] = []
        for weight, distribution in zip(self.weights, self.of, strict=True):
            plain = simplify(distribution)
            if isinstance(plain, Mixture):
                parts.extend((weight * inner, component) for inner, component in plain.flat())
            elif weight > 0:
                parts.append((weight, plain))
        return [part for part in parts if part[0] > 0]

    @property
    def mean(self) -> float:
        return math.fsum(weight * distribution.mean for weight, distribution in self.flat())

    @property
    def variance(self) -> float:
        middle = self.mean
        if math.isinf(middle):  # a user's own distribution may have no mean
            return math.inf
        return math.fsum(
            weight * (distribution.variance + (distribution.mean - middle) ** 2) for weight, distribution in self.flat()
        )

    @property
    def support(self) -> tuple[float, float]:
        ends = [distribution.support for _, distribution in self.flat()]
        return min(low for low, _ in ends), max(high for _, high in ends)

    def quantile(self, u: Floats, q: Floats) -> Floats:
        """By bisection on the probability below; draws use the tables of `samplers` instead."""
        u, q = np.broadcast_arrays(np.asarray(u, dtype=np.float64), np.asarray(q, dtype=np.float64))
        each = np.array([distribution.quantile(u, q) for _, distribution in self.flat()])
        low, high = each.min(axis=0), each.max(axis=0)
        for _ in range(200):
            middle = low + (high - low) / 2
            short = np.isfinite(middle) & (self._cdf(middle) < u)
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.asarray(high)

    def _cdf(self, x: Floats) -> Floats:
        return np.asarray(sum(weight * distribution.cdf(x) for weight, distribution in self.flat()))

    def moment(self, order: int, low: float, high: float) -> float:
        return math.fsum(weight * distribution.moment(order, low, high) for weight, distribution in self.flat())

    def describe(self) -> str:
        parts = (
            f"{100 * w:.4g} % {distribution.describe()}" for w, distribution in zip(self.weights, self.of, strict=True)
        )
        return "mixture of " + "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncated(Distribution):
    """Another distribution, on condition that the duration is between `low` and `high`."""

    of: Distribution
    low: float = 0.0
    high: float = math.inf

    def __post_init__(self) -> None:
        low = check("min", self.low)
        high = self.high if self.high == math.inf else check("max", self.high)
        if high < low:
            raise ValueError(f"max = {high!r} is below min = {low!r}")
        set_checked(self, low=low, high=high)
        mass = self.of.moment(0, low, high)
        if mass < LEAST_MASS:
            raise ValueError(
                f"min = {low!r} and max = {high!r} leave nothing of the distribution ({self.of.describe()}): "
                f"only {mass:.2g} of it lies between"
            )

    @property
    def mass(self) -> float:
        """Share of the whole distribution that lies inside."""
        return min(1.0, self.of.moment(0, self.low, self.high))

    @property
    def mean(self) -> float:
        low, high = self.support
        return min(max(self.of.moment(1, self.low, self.high) / self.mass, low), high)

    @property
    def variance(self) -> float:
        square = self.of.moment(2, self.low, self.high) / self.mass
        mean = self.mean
        return max(0.0, square - mean * mean) if math.isfinite(square) else math.inf

    @property
    def support(self) -> tuple[float, float]:
        low, high = self.of.support
        return max(low, self.low), min(high, self.high)

    @property
    def outside(self) -> tuple[float, float]:
        """Shares of the whole distribution below `low` and above `high`."""
        low, high = self.support
        return self.of.moment(0, 0.0, low) if low > self.of.support[0] else 0.0, (
            self.of.moment(0, high, math.inf) if high < self.of.support[1] else 0.0
        )

    def quantile(self, u: Floats, q: Floats) -> Floats:
        plain = simplify(self)
        if not isinstance(plain, Truncated):
            return plain.quantile(u, q)
        below, above = plain.outside
        mass = plain.mass
        return np.clip(plain.of.quantile(below + u * mass, above + q * mass), *plain.support)

    def _cdf(self, x: Floats) -> Floats:
        plain = simplify(self)
        if not isinstance(plain, Truncated):
            return plain.cdf(x)
        points = np.asarray(x, dtype=np.float64)
        below, _ = plain.outside
        if below < 0.5:
            return np.asarray((plain.of.cdf(points) - below) / plain.mass)
        # In an upper tail the difference would have no digits left.
        parts = [plain.of.moment(0, plain.low, float(point)) for point in points.ravel()]
        return (np.array(parts) / plain.mass).reshape(points.shape)

    def moment(self, order: int, low: float, high: float) -> float:
        a, b = max(low, self.low), min(high, self.high)
        return self.of.moment(order, a, b) / self.mass if a <= b else 0.0

    def describe(self) -> str:
        at_least = f"at least {format_duration(self.low)}" if self.low > 0 else ""
        at_most = f"at most {format_duration(self.high)}" if self.high < math.inf else ""
        return ", ".join(part for part in (self.of.describe(), at_least, at_most) if part)


def truncate(distribution: Distribution, low: float | None = None, high: float | None = None) -> Distribution:
    """The distribution on condition that it is from *low* to *high* seconds (None: no bound), in its simplest form."""
    if low is None and high is None:
        return distribution
    return simplify(
        Truncated(of=distribution, low=0.0 if low is None else low, high=math.inf if high is None else high)
    )


def simplify(distribution: Distribution) -> Distribution:
    """The same distribution in its simplest form: `Truncated` remains only where there is a formula and a real cut."""
    if (
        isinstance(distribution, (Lognormal, Triangular, Uniform, Quantiles, Samples))
        and distribution.support[0] == distribution.support[1]
    ):
        return Constant(value=distribution.support[0])
    if not isinstance(distribution, Truncated):
        return distribution
    of, low, high = distribution.of, distribution.low, distribution.high
    if isinstance(of, Truncated):
        return simplify(Truncated(of=of.of, low=max(low, of.low), high=min(high, of.high)))
    if low <= of.support[0] and high >= of.support[1]:
        return simplify(of)
    if distribution.support[0] == distribution.support[1]:
        return Constant(value=distribution.support[0])
    if isinstance(of, Uniform):
        return Uniform(low=distribution.support[0], high=distribution.support[1])
    if isinstance(of, Samples):
        return Samples(values=tuple(value for value in of.values if low <= value <= high))
    if isinstance(of, Quantiles):
        return _truncated_quantiles(of, low, high)
    if isinstance(of, Mixture):
        return _truncated_mixture(of.flat(), low, high)
    return distribution


def _truncated_mixture(parts: Sequence[tuple[float, Distribution]], low: float, high: float) -> Distribution:
    """A mixture cut keeps of each component what lies inside, and the weights follow."""
    kept = [(weight * distribution.moment(0, low, high), distribution) for weight, distribution in parts]
    inside = [(weight, distribution) for weight, distribution in kept if weight >= LEAST_MASS]
    return simplify(
        Mixture(
            weights=tuple(weight for weight, _ in inside),
            of=tuple(simplify(Truncated(of=distribution, low=low, high=high)) for _, distribution in inside),
        )
    )


def _truncated_quantiles(distribution: Quantiles, low: float, high: float) -> Distribution:
    p: list[float] = [0.0]
    at: list[float] = []
    for j, (weight, start, end) in enumerate(distribution._pieces()):
        share = weight * piece_moment(start, end, 0, low, high)
        if share > 0:
            a, b = max(start, low), min(end, high)
            if not at:
                at.append(a)
            elif at[-1] != a:
                raise AssertionError(f"quantile piece {j} doesn't join the one before")
            p.append(p[-1] + share)
            at.append(b)
    return simplify(Quantiles(p=(*(value / p[-1] for value in p[:-1]), 1.0), at=tuple(at)))
