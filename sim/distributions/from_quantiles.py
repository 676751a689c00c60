"""Distributions that are given by their quantile function alone, as those of plug-ins are; the rest follows from it.

Draws go through the table of `quantile_tables`, made once for each distribution, so that both engines have the same bits and
no code of a plug-in runs while they simulate.
"""

import math
from abc import abstractmethod

import numpy as np

from sim.arrays import Floats
from sim.distributions.base import Distribution
from sim.distributions.quantile_tables import quantile_table
from sim.distributions.streams import BITS
from sim.errors import PlugInError

HALVINGS = 200  # of an interval, until it is as short as numbers allow
NODES = 24  # of the quadrature in each octave of the distance to an end
LEAST_P = 2.0 ** -(BITS + 1)  # of a draw
BELOW_ONE = 1.0 - LEAST_P


class FromQuantiles(Distribution):
    """A distribution by its quantile function: a subclass is a frozen dataclass with `quantile` and `describe`.

    `quantile(u, q)` gives the duration with the share *u* of durations below it and *q* = 1 - *u* above: a pure function on arrays
    of numbers above 0 and below 1; finite, not negative, not falling, and smooth: where it has a jump or a kink, mix several.
    Near the longest durations use *q*, near the shortest *u*: 1 - *u* and 1 - *q* have no digits left there.
    """

    __slots__ = ()

    @abstractmethod
    def quantile(self, u: Floats, q: Floats) -> Floats:
        """The duration with *u* of the probability below it and *q* above."""

    @property
    def mean(self) -> float:
        return self.moment(1, 0.0, math.inf)

    @property
    def variance(self) -> float:
        square = self.moment(2, 0.0, math.inf)
        return square - self.mean**2 if math.isfinite(square) else math.inf

    @property
    def support(self) -> tuple[float, float]:
        """The shortest and longest draw."""
        return float(self._at(True, np.array([LEAST_P]))[0]), float(self._at(False, np.array([LEAST_P]))[0])

    def _at(self, lower: bool, p: Floats) -> Floats:
        other = np.minimum(1.0 - p, BELOW_ONE)
        return np.asarray(self.quantile(p, other) if lower else self.quantile(other, p), dtype=np.float64)

    def _cdf(self, x: Floats) -> Floats:
        points = np.ravel(np.asarray(x, dtype=np.float64))
        upper = points > self._at(True, np.array([0.5]))[0]
        found = np.where(upper, 1.0 - self._beyond(points, lower=False), self._beyond(points, lower=True))
        return found.reshape(np.shape(x))

    def _beyond(self, x: Floats, *, lower: bool) -> Floats:
        """Probability below *x* if that is at most a half, or above it: by halving; no digits cancel."""
        low, high = np.zeros_like(x), np.full_like(x, 0.5)
        for _ in range(HALVINGS):
            middle = np.maximum((low + high) / 2, LEAST_P / 2)
            at = self._at(lower, middle)
            outside = at <= x if lower else at > x
            low, high = np.where(outside, middle, low), np.where(outside, high, middle)
        return np.asarray(high)

    def moment(self, order: int, low: float, high: float) -> float:
        """Quadrature over the probability; inf where what is beyond the last draw would count."""
        middle = float(self._at(True, np.array([0.5]))[0])
        bounds = np.array([low, high], dtype=np.float64)
        below = np.where(bounds >= middle, 0.5, self._beyond(bounds, lower=True)).tolist()
        above = np.where(bounds < middle, 0.5, self._beyond(bounds, lower=False)).tolist()
        return self._part(order, below[0], below[1], lower=True) + self._part(order, above[1], above[0], lower=False)

    def _part(self, order: int, start: float, end: float, *, lower: bool) -> float:
        """Between two distances from one end, octave by octave; what is left beyond the draws is a power law's rest."""
        parts: list[float] = []
        edge = 0.5
        while edge > LEAST_P:
            a, b = max(start, edge / 2), min(end, edge)
            if a < b:
                values = self._at(lower, a + (b - a) * _T)
                parts.append(
                    (b - a) * math.fsum(w * value**order for w, value in zip(_WEIGHTS, values.tolist(), strict=True))
                )
            edge /= 2
        if start > LEAST_P or len(parts) < 2 or not parts[-1]:
            return math.fsum(parts)
        ratio = parts[-1] / parts[-2]
        return math.fsum(parts) + parts[-1] * ratio / (1.0 - ratio) if ratio < 1.0 - 1e-9 else math.inf


_ANGLES = [math.pi * (2 * j + 1) / (2 * NODES) for j in range(NODES)]
_T = np.array([(1 - math.cos(angle)) / 2 for angle in _ANGLES])
_WEIGHTS = [  # Fejer's first rule (Math. Z. 37, 1933), for an interval of length 1
    (1 - 2 * math.fsum(math.cos(2 * k * angle) / (4 * k * k - 1) for k in range(1, NODES // 2 + 1))) / NODES
    for angle in _ANGLES
]


def check_quantiles(distribution: Distribution) -> None:
    """Raise PlugInError where a plug-in's quantile function breaks its contract; ValueError: with these parameters."""
    if not isinstance(distribution, FromQuantiles):
        return
    name = f"{type(distribution).__module__}.{type(distribution).__qualname__}"
    p = 2.0 ** -np.arange(1.0, BITS + 2)
    u, q = np.concatenate([p[::-1], 1.0 - p]), np.concatenate([1.0 - p[::-1], p])
    try:
        at, again = (np.asarray(distribution.quantile(u, q)) for _ in range(2))
        hash(distribution)
    except (OverflowError, FloatingPointError):  # of these parameters
        raise
    except Exception as wrong:
        raise PlugInError(
            f"distribution {name}: {type(wrong).__name__}: {wrong}; it is a frozen dataclass, and quantile(u, q) takes arrays"
        ) from wrong
    if at.shape != u.shape or at.dtype != np.float64:
        raise PlugInError(
            f"distribution {name}: quantile(u, q) returned {at.dtype} of shape {at.shape}; it gets float64 of shape {u.shape}, and returns so"
        )
    if not np.array_equal(at, again, equal_nan=True):
        raise PlugInError(
            f"distribution {name}: quantile(u, q) returned other durations when it was asked again; it is a pure function"
        )
    if not (np.isfinite(at) & (at >= 0.0)).all() or (np.diff(at) < 0.0).any():
        raise ValueError(
            "its quantile function is not finite, is negative, or falls; take other parameters, or cut it with `max`"
        )
    if quantile_table(distribution).error > 1.0:
        raise ValueError(
            "its quantile function has a jump or a kink, is too steep, or loses digits near an end (u near 0 where it is computed "
            "from q, q near 0 from u), and can't be drawn; mix several distributions, or use the smaller of u and q"
        )
