"""How far a fitted distribution is from the lifetimes it was fitted to, and how often chance alone would take it that far.

The distance is Kolmogorov and Smirnov's: the largest difference between the share of VMs gone by the distribution and by
Turnbull's estimate. Its distribution under the hypothesis comes from a parametric bootstrap (Stute, Gonzales Manteiga and Presedo
Quindimil, Metrika 40, 1993): lifetimes are drawn from the fitted distribution, followed as long as the real ones were, and the distribution is
fitted again, by one step of Fisher scoring, which is as good as the whole climb from so near (van der Vaart, Asymptotic
Statistics, section 5.7). Only the numbers of ends in cells matter, and they are multinomial.

VMs are taken as independent. In real traces those of one batch are not, so a small p there says less than it seems;
the distance is what to read.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats
from sim.traces.estimate import Estimate, gradient
from sim.traces.lifetimes import Lifetimes
from sim.traces.turnbull import Empirical

MOST_CELLS = 60
FEWEST_CELLS = 6
BOOTSTRAPS = 499
SMALLEST_MASS = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodness:
    """Distance of a distribution from the data, where it is, and the share of bootstraps at least as far; None: unknown."""

    distance: float
    at_s: float
    p: float | None


def judge(
    fitted: Estimate, lifetimes: Lifetimes, empirical: Empirical, *, seed: int = 1, bootstraps: int = BOOTSTRAPS
) -> Goodness:
    """The goodness of one fitted distribution."""
    ages = empirical.at_s
    if not len(ages):
        return Goodness(distance=0.0, at_s=0.0, p=None)
    gaps = np.abs(empirical.gone - fitted.family.below(fitted.theta, ages))
    worst = int(np.argmax(gaps))
    edges = grid(lifetimes, empirical)
    p = None
    if len(edges) >= FEWEST_CELLS:
        # The same ages for the data and for the bootstraps: the grid's.
        distance = float(np.abs(empirical.read(edges) - fitted.family.below(fitted.theta, edges)).max())
        drawn = _distances(fitted, lifetimes, edges, np.random.default_rng(seed), bootstraps)
        p = None if drawn is None else float((1 + (drawn >= distance).sum()) / (1 + bootstraps))
    return Goodness(distance=float(gaps[worst]), at_s=float(ages[worst]), p=p)


def grid(lifetimes: Lifetimes, empirical: Empirical) -> Floats:
    """Ages that no lifetime's interval straddles, at most `MOST_CELLS`, about evenly in probability."""
    seen = np.isfinite(lifetimes.high_s)
    ages = np.unique(lifetimes.high_s[seen])
    ages = ages[(ages > 0) & (ages <= lifetimes.follow_s.max(initial=0.0) * (1 + 1e-12))]
    lows, highs = np.sort(lifetimes.low_s[seen]), np.sort(lifetimes.high_s[seen])
    # Begun before the age, and not ended by it.
    inside = np.searchsorted(lows, ages, side="left") - np.searchsorted(highs, ages, side="right")
    ages = ages[inside == 0]
    if len(ages) <= MOST_CELLS:
        return np.asarray(ages)
    gone = empirical.read(ages)
    wanted = np.linspace(gone[0], gone[-1], MOST_CELLS)
    return np.asarray(ages[np.unique(np.minimum(np.searchsorted(gone, wanted), len(ages) - 1))])


def _distances(
    fitted: Estimate, lifetimes: Lifetimes, edges: Floats, rng: np.random.Generator, bootstraps: int
) -> Floats | None:
    """The distance in each bootstrap."""
    family, theta = fitted.family, fitted.theta
    bounds = np.concatenate([[0.0], edges])
    mass = family.mass(theta, bounds[:-1], bounds[1:])
    beyond = family.above(theta, edges)
    slopes = gradient(lambda t: family.mass(t, bounds[:-1], bounds[1:]), theta)
    tails = gradient(lambda t: family.above(t, edges), theta)
    followed, cells = _classes(lifetimes, edges)

    classes, information = [], np.zeros((len(theta), len(theta)))
    for number, upto in zip(followed, cells, strict=True):
        if upto == 0:
            continue
        p = np.maximum(np.append(mass[:upto], beyond[upto - 1]), SMALLEST_MASS)
        dp = np.vstack([slopes[:upto], -slopes[:upto].sum(axis=0) if upto == len(edges) else tails[upto - 1]])
        information += number * (dp / p[:, None]).T @ dp
        classes.append((int(number), upto, p / p.sum(), dp / p[:, None]))
    if not classes or not np.isfinite(information).all() or np.linalg.cond(information) > 1e13:
        return None

    ended = np.zeros((bootstraps, len(edges)))
    lost = np.zeros((bootstraps, len(edges) + 1))
    score = np.zeros((bootstraps, len(theta)))
    for number, upto, p, d_log in classes:
        counts = rng.multinomial(number, p, size=bootstraps)
        ended[:, :upto] += counts[:, :upto]
        lost[:, upto] += counts[:, upto]
        score += counts @ d_log
    step = np.linalg.solve(information, score.T).T
    at_risk = ended.sum(axis=1, keepdims=True) + lost.sum(axis=1, keepdims=True)
    at_risk = at_risk - np.cumsum(ended, axis=1) + ended - np.cumsum(lost, axis=1)[:, :-1]
    hazard = np.divide(ended, at_risk, out=np.zeros_like(ended), where=at_risk > 0)
    gone = 1 - np.cumprod(1 - hazard, axis=1)
    distribution = (1 - beyond) - step @ tails.T
    differences: Floats = np.abs(gone - distribution).max(axis=1)
    return differences


def _classes(lifetimes: Lifetimes, edges: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """How many VMs were followed through how many whole cells."""
    cells = np.searchsorted(edges, lifetimes.follow_s * (1 + 1e-12), side="right")
    number = np.bincount(cells, weights=lifetimes.followed).astype(np.float64)
    kept = np.flatnonzero(number)
    return number[kept], kept
