"""The quantile function of a smooth distribution as a table of polynomials, fitted once for each distribution.

The bulk, u from 1/32 to 31/32, is cut into equal segments. Each tail is cut into octaves of the distance to its end, and
each octave into equal segments, down to the last of the 52 bits. So no segment is wider than a fixed share of its distance
to the end, where a quantile function may be singular, and a quintic is good to `RELATIVE_ERROR`. How many segments an
octave needs is found for each distribution: 8 for nearly all, and then the bulk, where 15 of 16 draws fall, is 11 KiB and each tail
17 KiB. The polynomials run in t from 0 to 1 over a segment of the bulk, and away from the end over one of a tail.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

from sim.arrays import Floats
from sim.distributions.base import Distribution
from sim.distributions.streams import BITS, END, UNIT

COEFFICIENTS = 6
"""Of each polynomial, lowest power first."""

RELATIVE_ERROR = 1e-9
"""A drawn duration is within this share of the exact quantile, or within `least_error_s`, whichever is more."""


def least_error_s(distribution: Distribution) -> float:
    """An error in seconds that does not matter: a picosecond in a mean of one second, at most a nanosecond."""
    return min(1e-12 * distribution.mean, 1e-9)


TAIL_BITS = 5  # of n, all equal in a tail
FEWEST, MOST = 3, 6  # binary logarithm of the segments in an octave

_NODES = COEFFICIENTS + 1


@dataclass(frozen=True, slots=True)
class QuantileTable:
    """Polynomials over the segments: the bulk's, then the lower tail's, then the upper tail's."""

    rows: Floats  # (segments in all, COEFFICIENTS)
    shift: int  # low bits of n that are the place inside a segment of the bulk
    low_tail: int  # first row of the lower tail; the octave of shift s and segment j is row s * segments + j
    high_tail: int
    error: float  # largest error found, in units of what is allowed

    @property
    def segments(self) -> int:
        """Segments of the bulk's width in a tail's share; also of an octave."""
        return 1 << (BITS - TAIL_BITS - self.shift)


@lru_cache(maxsize=256)
def quantile_table(distribution: Distribution) -> QuantileTable:
    """The table of a distribution that is continuous and has a formula, with as few segments as its shape allows."""
    for bits in range(FEWEST, MOST):
        if _fit(distribution, *_probes(bits))[1] <= 1:
            table = _table(distribution, bits)
            if table.error <= 1:
                return table
    return _table(distribution, MOST)


def _table(distribution: Distribution, bits: int) -> QuantileTable:
    segments, shift = 1 << bits, BITS - TAIL_BITS - bits
    places = np.arange(segments, ((1 << TAIL_BITS) - 1) * segments, dtype=np.int64)
    octaves = np.arange(shift, dtype=np.int64)
    # Octave s holds segments j from `segments` to twice that; the innermost one holds those before, too.
    tail_octaves = np.concatenate([np.zeros(segments, dtype=np.int64), np.repeat(octaves, segments)])
    tail_places = np.concatenate([np.arange(segments), np.tile(np.arange(segments, 2 * segments), shift)])
    tail = tail_places << tail_octaves, tail_octaves
    bulk = places << shift, np.full(places.size, shift)
    rows, error = _fit(distribution, bulk, tail, tail)
    return QuantileTable(rows, shift, len(places), len(places) + len(tail_octaves), error)


Segments = tuple[NDArray[np.int64], NDArray[np.int64]]
"""First draw of each segment (counted from the tip, in a tail), and how many bits of draws it holds."""


def _probes(bits: int) -> tuple[Segments, Segments, Segments]:
    """A few segments which tell whether the others will be good: one of each octave, and some of the bulk."""
    shift = BITS - TAIL_BITS - bits
    edges = np.array([1, 2, 4, 8, 16, 24, 30], dtype=np.int64) << bits
    octaves = np.arange(1, shift, dtype=np.int64)
    tail = np.int64(1 << bits) << octaves, octaves
    return (edges << shift, np.full(len(edges), shift)), tail, tail


def _fit(distribution: Distribution, bulk: Segments, low_tail: Segments, high_tail: Segments) -> tuple[Floats, float]:
    """Polynomials over these segments, and the largest error in units of what is allowed."""
    values = np.concatenate(
        [
            distribution.quantile(*_distances(*bulk)),
            distribution.quantile(*_distances(*low_tail)),
            distribution.quantile(*_distances(*high_tail)[::-1]),
        ]
    )
    # Sums in a written order, not a matrix product: the table must not depend on a library's threads.
    chebyshev = [sum(weight * values[:, j] for j, weight in enumerate(row)) for row in _TO_CHEBYSHEV]
    allowed = RELATIVE_ERROR * np.abs(values).min(axis=1) + least_error_s(distribution)
    # The nodes fix one power more than is kept; what is dropped is the error, but for what is smaller still.
    error = float(np.max(np.abs(chebyshev[COEFFICIENTS]) / allowed))
    rows = np.stack(
        [sum(row[i] * chebyshev[i] for i in range(k, COEFFICIENTS)) for k, row in enumerate(_TO_POWERS)], axis=1
    )
    return np.ascontiguousarray(rows), error


def _distances(first: NDArray[np.int64], octave: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Probability from one end, and from the other, at the nodes of each segment."""
    # Inside an octave of single draws there is no way to go: the polynomial is the value.
    wide = np.where(octave > 0, 2.0**octave, 0.0)
    n = first.astype(np.float64)[:, None] + wide[:, None] * _T
    return (n + 0.5) * UNIT, (END - n - 0.5) * UNIT


_ANGLES = [math.pi * (2 * j + 1) / (2 * _NODES) for j in range(_NODES)]
_T = np.array([(1 + math.cos(angle)) / 2 for angle in _ANGLES])
_TO_CHEBYSHEV = [
    [(2 if k else 1) / _NODES * math.cos(k * angle) for angle in _ANGLES] for k in range(_NODES)
]  # coefficient of T_k(2t - 1) from the values at the nodes


_SHIFTED = [Chebyshev.basis(i, domain=[0, 1]).convert(kind=Polynomial).coef.tolist() for i in range(COEFFICIENTS)]
_TO_POWERS = [
    [p[k] if k < len(p) else 0.0 for p in _SHIFTED] for k in range(COEFFICIENTS)
]  # row k: what each T_i(2t - 1) adds to the coefficient of t**k
