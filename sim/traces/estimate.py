"""Maximum likelihood: the distribution of a family under which the lifetimes of a trace are likeliest.

The likelihood of a distribution F is the product of F(high) - F(low) over the lifetimes (Meeker and Escobar, Statistical Methods
for Reliability Data, chapter 2.4; chapter 8 for the errors).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from sim.arrays import Floats
from sim.traces.families import MIXTURE, Family
from sim.traces.lifetimes import Lifetimes
from sim.traces.mixture import climb

MOST_GROUPS = 50
"""Groups of clusters that are left out in turn."""
FEW_STEPS, MANY_STEPS = 30, 150
"""Steps of the expectation-maximisation from each start, and from the best of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A family's best distribution for some lifetimes."""

    family: Family
    theta: Floats  # on the scales without bounds
    information: Floats  # minus the second derivative of the log-likelihood there
    log_likelihood: float

    def score(self, low: Floats, high: Floats) -> Floats:
        """d log P(low <= lifetime < high) / d theta: one row an interval, one column a parameter."""
        return gradient(lambda t: np.log(self.family.mass(t, low, high)), self.theta)


def gradient(function: Callable[[Floats], Floats], theta: Floats, step: float = 1e-5) -> Floats:
    """Central differences by each parameter, as columns."""
    columns = []
    for number in range(len(theta)):
        move = np.zeros(len(theta))
        move[number] = step
        columns.append((function(theta + move) - function(theta - move)) / (2 * step))
    return np.stack(columns, axis=-1)


class _Loss:
    """Minus the mean log-likelihood of a family's parameters."""

    def __init__(self, family: Family, lifetimes: Lifetimes) -> None:
        self.family, self.count = family, lifetimes.count
        self.ends = lifetimes.low_s, lifetimes.high_s
        self.total = float(self.count.sum())

    def __call__(self, theta: Floats) -> float:
        if np.abs(theta).max() > 60:
            return math.inf
        return float(-(self.count @ np.log(self.family.mass(theta, *self.ends))) / self.total)

    def slope(self, theta: Floats) -> Floats:
        """By each parameter."""
        rows = gradient(lambda t: np.log(self.family.mass(t, *self.ends)), theta)
        return np.asarray(-(self.count @ rows) / self.total)

    def least(self, starts: Sequence[Floats], curvature: Floats | None = None) -> Floats:
        """The parameters of the least loss that is found from any start; with the inverse of the curvature there it takes few steps."""
        options: Any = {"gtol": 1e-8} if curvature is None else {"gtol": 1e-6, "hess_inv0": curvature}
        found = min(
            (minimize(self, start, jac=self.slope, method="BFGS", options=options) for start in starts),
            key=lambda one: one.fun,
        )
        return np.asarray(found.x if found.fun <= self(starts[0]) else starts[0])


def estimate(family: Family, lifetimes: Lifetimes) -> Estimate:
    """The distribution of a family under which the lifetimes are likeliest."""
    low, high, count = lifetimes.low_s, lifetimes.high_s, lifetimes.count
    typical = np.where(
        np.isinf(high), np.maximum(low, 1e-3), np.sqrt(np.maximum(low, high / 4) * np.where(np.isinf(high), 1, high))
    )
    loss, starts = _Loss(family, lifetimes), family.guess(typical, count)
    if family is MIXTURE:
        # A few steps tell which hill is the highest; its top is for the quicker climber.
        nearer = min((climb(start, lifetimes, FEW_STEPS) for start in starts), key=loss)
        starts = [climb(nearer, lifetimes, MANY_STEPS)]
    theta = loss.least(starts)
    if family is MIXTURE and theta[1] > theta[3]:
        theta = np.array([-theta[0], *theta[3:5], *theta[1:3]])  # the shorter one is named first
    information = loss.total * gradient(loss.slope, theta, 1e-4)
    information = (information + information.T) / 2
    return Estimate(family=family, theta=theta, information=information, log_likelihood=-loss(theta) * loss.total)


def sandwich(information: Floats, scores: Floats) -> Floats:
    """Covariance of an estimate from scores added up over what is independent, one row each (White, Econometrica 50, 1982)."""
    bread = inverse(information)
    few = len(scores) / max(1, len(scores) - 1)  # as few as a day's hours need the correction
    return np.asarray(few * bread @ (scores.T @ scores) @ bread)


def pseudo_values(found: Estimate, lifetimes: Lifetimes, cluster: NDArray[np.intp]) -> Floats:
    """The jackknife's values of each parameter, one row a group of clusters: independent, without the estimate's bias.

    A spread is estimated too small from a few tens of clusters, and its sandwich is too narrow (Miller, Biometrika 61, 1974).
    More than `MOST_GROUPS` clusters are left out several at a time.
    """
    groups = min(lifetimes.total, MOST_GROUPS)
    near = inverse(found.information) * lifetimes.count.sum()
    near = (near + near.T) / 2
    start = near if np.isfinite(near).all() and np.linalg.eigvalsh(near).min() > 0.0 else None
    counts = (np.where(cluster % groups == each, 0.0, lifetimes.count) for each in range(groups))
    without = [_Loss(found.family, replace(lifetimes, count=count)).least([found.theta], start) for count in counts]
    return np.asarray(groups * found.theta - (groups - 1) * np.stack(without))


def inverse(matrix: Floats) -> Floats:
    """The inverse; nan where nothing tells the parameters apart, as with two components that are the same distribution."""
    try:
        return np.asarray(np.linalg.inv(matrix))
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)
