"""The duration laws that a scenario can name; every duration in seconds."""

from sim.sampling.base import Distribution
from sim.sampling.bounded import Constant, Triangular, Uniform
from sim.sampling.composites import Mixture, Quantiles, Samples, Truncated, simplify, truncate
from sim.sampling.families import Exponential, Gamma, Lognormal, Weibull

__all__ = [
    "Constant",
    "Distribution",
    "Exponential",
    "Gamma",
    "Lognormal",
    "Mixture",
    "Quantiles",
    "Samples",
    "Triangular",
    "Truncated",
    "Uniform",
    "Weibull",
    "simplify",
    "truncate",
]
