"""Distributions without an upper end: exponential, lognormal, Weibull, gamma."""

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from sim.arrays import Floats
from sim.distributions import normal
from sim.distributions.base import SCALE, Distribution, check, check_fields, part_between
from sim.units import format_duration

# start-up: scipy.special, which takes a tenth of a second to load, is imported by the functions that use it.

Z95 = 1.6448536269514722
"""The 95 % quantile of the standard normal."""

LARGEST_SIGMA = 20.0
SHAPE = (0.05, 1e6)
"""Range of a shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential(Distribution):
    """Memoryless: the probability to end in the next second does not depend on the age."""

    mean: float = field()

    def __post_init__(self) -> None:
        check_fields(self, mean=SCALE)

    @property
    def variance(self) -> float:
        return self.mean**2

    def quantile(self, u: Floats, q: Floats) -> Floats:
        return self.mean * _hazard(u, q)

    def _cdf(self, x: Floats) -> Floats:
        return np.asarray(-np.expm1(-x / self.mean))

    def moment(self, order: int, low: float, high: float) -> float:
        return _gamma_moment(1.0, self.mean, order, low, high)

    def describe(self) -> str:
        return f"exponential, mean {format_duration(self.mean)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lognormal(Distribution):
    """Its logarithm is normal: the usual distribution of the time that a platform operation or a repair takes."""

    median: float
    sigma: float

    def __post_init__(self) -> None:
        check_fields(self, median=SCALE, sigma=(0.0, LARGEST_SIGMA))

    @classmethod
    def from_any_two(
        cls,
        *,
        median: float | None = None,
        mean: float | None = None,
        sigma: float | None = None,
        p95: float | None = None,
    ) -> Self:
        """The lognormal with two of these given: median, mean, sigma, 95 % quantile (durations in seconds).

        Mean and p95 fit two lognormals or none; the one with the smaller sigma is taken.
        """
        named = {"median": median, "mean": mean, "sigma": sigma, "p95": p95}
        given = {name: value for name, value in named.items() if value is not None}
        if len(given) != 2:
            found = " and ".join(given) or "none"
            raise ValueError(f"a lognormal is fixed by exactly two of median, mean, sigma, p95; given: {found}")
        for name, value in given.items():
            low, high = (0.0, LARGEST_SIGMA) if name == "sigma" else SCALE
            check(name, value, low=low, high=high)
        if sigma is None:
            sigma = _lognormal_sigma(median, mean, p95)
        if median is None:
            # The mean alone would overflow for a large sigma, so the factor goes to the other side.
            median = mean * math.exp(-(sigma**2) / 2) if mean is not None else (p95 or 0.0) * math.exp(-Z95 * sigma)
        return cls(median=median, sigma=sigma)

    @property
    def mean(self) -> float:
        return self.median * math.exp(self.sigma**2 / 2)

    @property
    def variance(self) -> float:
        return self.mean * self.mean * math.expm1(self.sigma**2)  # a product may be inf, a power would raise

    @property
    def support(self) -> tuple[float, float]:
        return (0.0, math.inf) if self.sigma else (self.median, self.median)

    def quantile(self, u: Floats, q: Floats) -> Floats:
        z = np.where(u < 0.5, normal.below_median(np.minimum(u, 0.5)), -normal.below_median(np.minimum(q, 0.5)))
        # sigma = 0 with z = inf would be nan, so the ends stay just inside.
        return np.asarray(self.median * np.exp(self.sigma * (z if self.sigma else np.zeros_like(z))))

    def _cdf(self, x: Floats) -> Floats:
        from scipy.special import ndtr

        if not self.sigma:
            return np.where(x >= self.median, 1.0, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(ndtr(np.log(x / self.median) / self.sigma))

    def moment(self, order: int, low: float, high: float) -> float:
        from scipy.special import ndtr

        if not self.sigma:
            return self.median**order if low <= self.median <= high else 0.0

        def z(x: float) -> float:
            return (math.log(x / self.median) / self.sigma if x > 0 else -math.inf) - order * self.sigma

        exponent = order**2 * self.sigma**2 / 2
        whole = self.median**order * (math.exp(exponent) if exponent < 700 else math.inf)
        return whole * part_between(lambda x: float(ndtr(z(x))), lambda x: float(ndtr(-z(x))), low, high)

    def describe(self) -> str:
        return f"lognormal, median {format_duration(self.median)}, sigma {self.sigma:.4g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weibull(Distribution):
    """A time to failure whose hazard falls (shape below 1) or grows (above 1) with age."""

    shape: float
    scale: float

    def __post_init__(self) -> None:
        check_fields(self, shape=SHAPE, scale=SCALE)

    @property
    def mean(self) -> float:
        return self.scale * math.gamma(1 + 1 / self.shape)

    @property
    def variance(self) -> float:
        from scipy.special import gammaln

        # Gamma(1+2/k) - Gamma(1+1/k)^2, by a ratio, so that a narrow distribution keeps its digits.
        return float(self.mean**2 * np.expm1(gammaln(1 + 2 / self.shape) - 2 * gammaln(1 + 1 / self.shape)))

    def quantile(self, u: Floats, q: Floats) -> Floats:
        return np.asarray(self.scale * _hazard(u, q) ** (1 / self.shape))

    def _cdf(self, x: Floats) -> Floats:
        return np.asarray(-np.expm1(-((x / self.scale) ** self.shape)))

    def moment(self, order: int, low: float, high: float) -> float:
        from scipy.special import gammainc, gammaincc

        a = 1 + order / self.shape

        def h(x: float) -> float:
            try:
                return float((x / self.scale) ** self.shape)
            except OverflowError:
                return math.inf

        part = part_between(lambda x: float(gammainc(a, h(x))), lambda x: float(gammaincc(a, h(x))), low, high)
        return self.scale**order * math.gamma(a) * part

    def describe(self) -> str:
        return f"Weibull, shape {self.shape:.4g}, scale {format_duration(self.scale)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gamma(Distribution):
    """For a whole shape, a sum of that many exponential steps of the same mean."""

    shape: float
    mean: float = field()

    def __post_init__(self) -> None:
        check_fields(self, shape=SHAPE, mean=SCALE)

    @property
    def scale(self) -> float:
        """Mean of one of the steps, in seconds."""
        return self.mean / self.shape

    @property
    def variance(self) -> float:
        return self.mean**2 / self.shape

    def quantile(self, u: Floats, q: Floats) -> Floats:
        from scipy.special import gammainccinv, gammaincinv

        u, q = np.broadcast_arrays(np.asarray(u, dtype=np.float64), np.asarray(q, dtype=np.float64))
        x = np.empty(u.shape)
        lower = u < 0.5
        x[lower] = gammaincinv(self.shape, u[lower])
        x[~lower] = gammainccinv(self.shape, q[~lower])
        return x * self.scale

    def _cdf(self, x: Floats) -> Floats:
        from scipy.special import gammainc

        return np.asarray(gammainc(self.shape, x / self.scale))

    def moment(self, order: int, low: float, high: float) -> float:
        return _gamma_moment(self.shape, self.scale, order, low, high)

    def describe(self) -> str:
        return f"gamma, shape {self.shape:.4g}, mean {format_duration(self.mean)}"


def _hazard(u: Floats, q: Floats) -> Floats:
    """-log of the probability above, computed from the smaller of the two probabilities."""
    with np.errstate(divide="ignore"):
        return np.where(u < 0.5, -np.log1p(-np.minimum(u, 0.5)), -np.log(np.minimum(q, 0.5)))


def _gamma_moment(shape: float, scale: float, order: int, low: float, high: float) -> float:
    from scipy.special import gammainc, gammaincc

    a = shape + order
    whole = scale**order * math.prod(shape + i for i in range(order))
    return whole * part_between(
        lambda x: float(gammainc(a, x / scale)), lambda x: float(gammaincc(a, x / scale)), low, high
    )


def _lognormal_sigma(median: float | None, mean: float | None, p95: float | None) -> float:
    """Sigma from two of the three durations."""
    if mean is None:
        assert median is not None
        assert p95 is not None
        if p95 < median:
            raise ValueError(f"p95 = {p95!r} is below the median = {median!r}: it must be at least the median")
        sigma = math.log(p95 / median) / Z95
    elif p95 is None:
        assert median is not None
        if mean < median:
            raise ValueError(f"mean = {mean!r} is below the median = {median!r}: a lognormal's mean never is")
        sigma = math.sqrt(2 * math.log(mean / median))
    else:
        # ln(p95 / mean) = Z95 sigma - sigma^2 / 2
        ratio = math.log(p95 / mean)
        if not 0 <= ratio <= Z95**2 / 2:
            least, most = mean, mean * math.exp(Z95**2 / 2)
            raise ValueError(
                f"p95 = {p95!r} fits no lognormal of mean = {mean!r}: it must be from {least:g} to {most:g}"
            )
        sigma = 2 * ratio / (Z95 + math.sqrt(Z95**2 - 2 * ratio))
    return check("sigma that follows", sigma, high=LARGEST_SIGMA)
