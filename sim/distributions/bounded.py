"""Distributions between two ends: constant, uniform, triangular."""

import math
from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats
from sim.distributions.base import Distribution, check_fields
from sim.units import LONGEST_S, format_duration

DURATION = (0.0, LONGEST_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Distribution):
    """Always the same duration."""

    value: float

    def __post_init__(self) -> None:
        check_fields(self, value=DURATION)

    @property
    def mean(self) -> float:
        return self.value

    @property
    def variance(self) -> float:
        return 0.0

    @property
    def support(self) -> tuple[float, float]:
        return self.value, self.value

    def quantile(self, u: Floats, q: Floats) -> Floats:  # noqa: ARG002
        return np.full(np.shape(u), self.value)

    def _cdf(self, x: Floats) -> Floats:
        return np.where(x >= self.value, 1.0, 0.0)

    def moment(self, order: int, low: float, high: float) -> float:
        return self.value**order if low <= self.value <= high else 0.0

    def describe(self) -> str:
        return f"always {format_duration(self.value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform(Distribution):
    """Every duration between two is equally likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check_fields(self, low=DURATION)
        check_fields(self, high=(self.low, LONGEST_S))

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    @property
    def variance(self) -> float:
        return (self.high - self.low) ** 2 / 12

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def quantile(self, u: Floats, q: Floats) -> Floats:  # noqa: ARG002
        return np.asarray(self.low + u * (self.high - self.low))

    def _cdf(self, x: Floats) -> Floats:
        wide = self.high - self.low
        return np.asarray((x - self.low) / wide if wide else np.ones_like(x))

    def moment(self, order: int, low: float, high: float) -> float:
        return piece_moment(self.low, self.high, order, low, high)

    def describe(self) -> str:
        return f"uniform from {format_duration(self.low)} to {format_duration(self.high)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Triangular(Distribution):
    """By its least, most likely and greatest value, as people estimate."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        check_fields(self, low=DURATION)
        check_fields(self, high=(self.low, LONGEST_S))
        check_fields(self, mode=(self.low, self.high))

    @property
    def mean(self) -> float:
        return (self.low + self.mode + self.high) / 3

    @property
    def variance(self) -> float:
        low, mode, high = self.low, self.mode, self.high
        return ((high - low) ** 2 - (mode - low) * (high - mode)) / 18

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def quantile(self, u: Floats, q: Floats) -> Floats:
        low, mode, high = self.low, self.mode, self.high
        if low == high:
            return np.full(np.shape(u), low)
        rising = low + np.sqrt(u * (high - low) * (mode - low))
        falling = high - np.sqrt(q * (high - low) * (high - mode))
        return np.where(u * (high - low) < mode - low, rising, falling)

    def _cdf(self, x: Floats) -> Floats:
        low, mode, high = self.low, self.mode, self.high
        with np.errstate(divide="ignore", invalid="ignore"):
            rising = (x - low) ** 2 / ((high - low) * (mode - low))
            falling = 1 - (high - x) ** 2 / ((high - low) * (high - mode))
        return np.where(x < mode, rising, falling)

    def moment(self, order: int, low: float, high: float) -> float:
        if self.low == self.high:
            return self.low**order if low <= self.low <= high else 0.0
        total = 0.0
        for start, end, zero in ((self.low, self.mode, self.low), (self.mode, self.high, self.high)):
            a, b = max(low, start), min(high, end)
            if a < b:
                peak = 2 / (self.high - self.low)
                # Two Gauss points are exact for the cubic x**2 * density.
                for point in (-1 / math.sqrt(3), 1 / math.sqrt(3)):
                    x = (a + b) / 2 + point * (b - a) / 2
                    total += (b - a) / 2 * x**order * peak * abs(x - zero) / (end - start)
        return total

    def describe(self) -> str:
        return f"triangular from {format_duration(self.low)} over {format_duration(self.mode)} to {format_duration(self.high)}"


def piece_moment(start: float, end: float, order: int, low: float, high: float) -> float:
    """Moment between *low* and *high* of a duration uniform from *start* to *end* (a point if they are equal)."""
    if start == end:
        return start**order if low <= start <= high else 0.0
    a, b = max(low, start), min(high, end)
    if a >= b:
        return 0.0
    powers = sum(a**i * b ** (order - i) for i in range(order + 1)) / (order + 1)
    return (b - a) / (end - start) * powers
