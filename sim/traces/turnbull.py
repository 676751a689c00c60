"""The share of VMs gone by each age without assuming any distribution: Turnbull's estimate, Kaplan-Meier's where ends are exact.

Mass can only lie in innermost intervals, which begin where some lifetime may begin to end and end where some must have
ended (Turnbull, Journal of the Royal Statistical Society B 38, 1976). When the intervals of the data are bins side by
side, the product of survivals over the bins is the estimate already; else it is where self-consistency begins.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats
from sim.traces.lifetimes import Lifetimes

MOST_STEPS = 3000
GOOD_ENOUGH = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Empirical:
    """Share of VMs gone, known at the ages `at_s` (and nowhere else: in between it rises somehow)."""

    at_s: Floats
    gone: Floats

    def read(self, at_s: Floats) -> Floats:
        """The share gone at ages that are among the known ones, or the one known before."""
        number = np.searchsorted(self.at_s, at_s, side="right")
        return np.concatenate([[0.0], self.gone])[number]


def turnbull(lifetimes: Lifetimes) -> Empirical:
    """The estimate for lifetimes of any mix of intervals."""
    lows, highs = _innermost(lifetimes.low_s, lifetimes.high_s)
    # Each lifetime covers the innermost intervals from `first` up to before `last`.
    first = np.searchsorted(lows, lifetimes.low_s, side="left")
    last = np.searchsorted(highs, lifetimes.high_s, side="right")
    mass = _product_limit(first, np.isinf(lifetimes.high_s), lifetimes.count, len(lows))
    for _ in range(MOST_STEPS):
        after = _consistent(mass, first, last, lifetimes.count)
        done = np.abs(after - mass).max() < GOOD_ENOUGH
        mass = after
        if done:
            break
    # Where the longest-watched survivors were lost sight of, it is unknown how much of the rest ended there.
    survived_s = lifetimes.low_s[np.isinf(lifetimes.high_s)].max(initial=-np.inf)
    known = np.isfinite(highs) & ~((lows <= survived_s) & (survived_s < highs))
    return Empirical(at_s=highs[known], gone=np.minimum(np.cumsum(mass)[known], 1.0))


def _innermost(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Beginnings that are followed by an end before another beginning; at one age ends come first."""
    lows, highs = np.unique(low), np.unique(high)
    ages = np.concatenate([lows, highs])
    begins = np.concatenate([np.ones(len(lows), dtype=bool), np.zeros(len(highs), dtype=bool)])
    order = np.lexsort((begins, ages))
    ages, begins = ages[order], begins[order]
    pair = begins[:-1] & ~begins[1:]
    return ages[:-1][pair], ages[1:][pair]


def _product_limit(first: NDArray[np.intp], censored: NDArray[np.bool_], count: Floats, atoms: int) -> Floats:
    """As if every lifetime ended in the first innermost interval where it can."""
    ended = np.bincount(first[~censored], weights=count[~censored], minlength=atoms)
    left = np.bincount(first[censored], weights=count[censored], minlength=atoms + 1)[: atoms + 1]
    # A lifetime that was lost sight of before an innermost interval is not at risk in it.
    at_risk = count.sum() - np.concatenate([[0.0], np.cumsum(ended)[:-1]]) - np.cumsum(left)[:atoms]
    hazard = np.divide(ended, at_risk, out=np.zeros(atoms), where=at_risk > 0)
    surviving = np.cumprod(1 - hazard)
    mass = -np.diff(surviving, prepend=1.0)
    mass[-1] += surviving[-1]
    # What began at nothing would stay there for ever.
    mass = np.maximum(mass, 1e-15)
    return np.asarray(mass / mass.sum())


def _consistent(mass: Floats, first: NDArray[np.intp], last: NDArray[np.intp], count: Floats) -> Floats:
    """Each lifetime shared out over the intervals where it can have ended, by the masses there."""
    total = np.concatenate([[0.0], np.cumsum(mass)])
    weight = count / np.maximum(total[last] - total[first], 1e-300)
    covering = np.zeros(len(mass) + 1)
    np.add.at(covering, first, weight)
    np.add.at(covering, last, -weight)
    after = mass * np.cumsum(covering)[:-1]
    return np.asarray(after / after.sum())
