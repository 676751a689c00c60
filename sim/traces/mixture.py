"""Two lognormal distributions in one: expectation and maximisation in turn, for lifetimes known to intervals.

Given the distributions, each interval is shared out between them, with the mean and mean square of the logarithm that each would
have in there; given the shares, the distributions are the weighted moments (Dempster, Laird and Rubin, 1977; McLachlan and Jones,
Biometrics 44, 1988, for grouped and truncated data). The likelihood never falls.
"""

import math

import numpy as np
from scipy.special import ndtr

from sim.arrays import Floats
from sim.traces.families import LOGNORMAL, log
from sim.traces.lifetimes import Lifetimes

GOOD_ENOUGH = 1e-7
NARROWEST_LOG = math.log(0.02)
"""No component gets narrower: a distribution of one single lifetime would have an endless likelihood."""


def climb(theta: Floats, lifetimes: Lifetimes, steps: int) -> Floats:
    """Where so many steps from *theta* lead: logit of the weight, then log median and log sigma of each distribution."""
    low, high = log(lifetimes.low_s), log(lifetimes.high_s)
    for _ in range(steps):
        after = step(theta, lifetimes, low, high)
        if np.abs(after - theta).max() < GOOD_ENOUGH:
            return after
        theta = after
    return theta


def step(theta: Floats, lifetimes: Lifetimes, low: Floats, high: Floats) -> Floats:
    """One expectation and one maximisation; *low* and *high* are logarithms."""
    weight = 1 / (1 + math.exp(-theta[0]))
    weights = (weight, 1 - weight)
    masses = [
        w * LOGNORMAL.mass(theta[at : at + 2], lifetimes.low_s, lifetimes.high_s)
        for w, at in zip(weights, (1, 3), strict=True)
    ]
    whole = masses[0] + masses[1]
    shares: list[float] = []
    distributions: list[float] = []
    for mass, at in zip(masses, (1, 3), strict=True):
        belongs = lifetimes.count * mass / whole
        mean, square = _moments(theta[at], math.exp(theta[at + 1]), low, high)
        share = max(float(belongs.sum()), 1e-12)
        centre = float(belongs @ mean) / share
        spread = float(belongs @ (square - 2 * centre * mean + centre**2)) / share
        shares.append(share)
        distributions += [centre, max(0.5 * math.log(max(spread, 1e-12)), NARROWEST_LOG)]
    return np.array([math.log(shares[0] / shares[1]), *distributions])


def _moments(mu: float, sigma: float, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Mean and mean square of a normal variable that is known to lie between *low* and *high*."""
    a, b = (low - mu) / sigma, (high - mu) / sigma
    # On the upper side the mirrored interval has the digits.
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    mass = ndtr(b) - ndtr(a)
    density_a, density_b = _density(a), _density(b)
    thin = mass < 1e-12
    safe = np.where(thin, 1.0, mass)
    mean = (density_a - density_b) / safe
    with np.errstate(invalid="ignore"):
        edge_a = np.where(np.isinf(a), 0.0, a * density_a)
        edge_b = np.where(np.isinf(b), 0.0, b * density_b)
    square = 1 + (edge_a - edge_b) / safe
    # So far out that there is no mass to speak of, all of it is at the end nearer to the middle.
    near = np.where(np.isinf(b), np.where(np.isinf(a), 0.0, a), b)
    mean, square = np.where(thin, near, mean), np.where(thin, near**2, square)
    mean = np.where(flip, -mean, mean)
    return mu + sigma * mean, mu**2 + 2 * mu * sigma * mean + sigma**2 * square


def _density(z: Floats) -> Floats:
    return np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
