"""What every distribution of a duration offers, and how its parameters are checked."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from sim.arrays import Floats
from sim.units import LONGEST_S

SHORTEST_SCALE_S = 1e-9
"""A distribution with a scale below a nanosecond is a constant zero, and should be written as one."""

SCALE = (SHORTEST_SCALE_S, LONGEST_S)
"""Range of the parameters that are durations."""


class Distribution(ABC):
    """The distribution of a duration in seconds, never negative. Frozen, hashable, and checked when it is made."""

    __slots__ = ()

    @property
    @abstractmethod
    def mean(self) -> float:
        """Expected duration in seconds; may be inf. A subclass may have a field of this name: `mean: float = field()`."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """Variance in seconds squared; may be inf."""

    @property
    def support(self) -> tuple[float, float]:
        """Shortest and longest possible duration; the longest may be inf."""
        return 0.0, math.inf

    @property
    def is_zero(self) -> bool:
        """Whether every duration is zero."""
        return self.support == (0.0, 0.0)

    def cdf(self, x: ArrayLike) -> Floats:
        """Probability of a duration of at most *x* seconds."""
        low, high = self.support
        at = np.asarray(x, dtype=np.float64)
        inside = self._cdf(np.clip(at, low, high))
        return np.asarray(np.where(at < low, 0.0, np.where(at >= high, 1.0, inside)))

    def ppf(self, u: ArrayLike) -> Floats:
        """The duration that is not exceeded with probability *u*."""
        below = np.asarray(u, dtype=np.float64)
        return self.quantile(below, 1.0 - below)

    @abstractmethod
    def quantile(self, u: Floats, q: Floats) -> Floats:
        """The duration with *u* of the probability below it and *q* above; the smaller of the two is used, for its precision."""

    @abstractmethod
    def _cdf(self, x: Floats) -> Floats:
        """Probability of at most *x*, for *x* inside the support."""

    @abstractmethod
    def moment(self, order: int, low: float, high: float) -> float:
        """E[X**order; low <= X <= high]: the part of a moment that lies between; order 0 is the probability."""

    @abstractmethod
    def describe(self) -> str:
        """The distribution in words, with units."""

    def __str__(self) -> str:
        return self.describe()


def check(name: str, value: object, *, low: float = 0.0, high: float = LONGEST_S) -> float:
    """*value* as a float if it is a number of low..high, else a ValueError naming parameter, value and range."""
    number = float(value) if isinstance(value, (int, float, np.integer, np.floating)) else np.nan
    if isinstance(value, (bool, np.bool_)) or not low <= number <= high:
        raise ValueError(f"{name} = {value!r} is out of range: it must be a number from {low:g} to {high:g}")
    return number


def set_checked(distribution: Distribution, **values: object) -> None:
    """Put checked values into a frozen distribution, from its `__post_init__`."""
    for name, value in values.items():
        object.__setattr__(distribution, name, value)


def check_fields(distribution: Distribution, **ranges: tuple[float, float]) -> None:
    """Check fields of a frozen distribution by their ranges, from its `__post_init__`, and make them floats."""
    for name, (low, high) in ranges.items():
        set_checked(distribution, **{name: check(name, getattr(distribution, name), low=low, high=high)})


def part_between(below: Callable[[float], float], above: Callable[[float], float], low: float, high: float) -> float:
    """Probability between two points, subtracted on the side where fewer digits cancel."""
    part = above(low) - above(high) if below(low) > 0.5 else below(high) - below(low)
    return max(0.0, float(part))
