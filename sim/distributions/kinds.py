"""The distributions that a scenario can name; every duration in seconds."""

from sim.distributions.base import Distribution
from sim.distributions.bounded import Constant, Triangular, Uniform
from sim.distributions.composites import Mixture, Quantiles, Samples, Truncated, simplify, truncate
from sim.distributions.families import Exponential, Gamma, Lognormal, Weibull

__all__ = [
    "Constant", "Distribution", "Exponential", "Gamma", "Lognormal", "Mixture", "Quantiles", "Samples", "Triangular",
    "Truncated", "Uniform", "Weibull", "simplify", "truncate",
]  # fmt: skip
