"""Money as whole nano-dollars: the parts of a bill add up to its total to the last digit, on every level.

An amount is rounded once, where a line is born; every sum after that is a sum of integers. Prices are read as the
decimal number that was written (`0.23`, not the nearest binary fraction).
"""

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError

NANO_PER_USD = 1_000_000_000
MOST_NANO = 2**62  # of a line that is shared out


@lru_cache(maxsize=4096)
def exact_price(usd: float) -> Fraction:
    """A price as the decimal number as it was written.

    >>> exact_price(0.1) * 3 == Fraction(3, 10)
    True
    """
    return Fraction(repr(float(usd)))


def to_nano(quantity: float | Fraction, price_usd: float) -> int:
    """What a quantity costs at a price, in whole nano-dollars (half to even).

    >>> to_nano(20, 0.23)
    4600000000
    """
    return round(Fraction(quantity) * exact_price(price_usd) * NANO_PER_USD)


def to_usd(nano: int) -> float:
    """Nano-dollars as the dollars nearest to them."""
    return nano / NANO_PER_USD


def split(total_nano: int, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """An amount shared out by weights in whole nano-dollars, nothing lost: each share ends where the running sum rounds.

    >>> split(100, np.array([1.0, 1.0, 1.0])).tolist()
    [33, 34, 33]
    """
    running = np.cumsum(weights, dtype=np.float64)
    if not len(running) or not running[-1] > 0.0:
        raise ValueError(f"can't share out {total_nano} nano-dollars: the weights sum to zero")
    if abs(total_nano) > MOST_NANO:
        problem = f"one line of the bill is {total_nano / NANO_PER_USD:,.0f}; its parts by VM and day are exact up to 4.6 billion only"
        raise InputError(f"{problem}: choose a smaller quantity or price, or leave out the export")
    upto = np.rint(running / running[-1] * total_nano).astype(np.int64)
    upto[running >= running[-1]] = total_nano  # the last share that weighs anything takes what rounding left
    return np.asarray(np.diff(upto, prepend=0), dtype=np.int64)
