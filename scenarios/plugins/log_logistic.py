"""A distribution: log-logistic, whose tail is longer than a lognormal's, as those of repairs and of answers by people often are.

By its median and its shape; with a shape of 1 or less it has no mean, and is refused unless `max` cuts it.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from sim.arrays import Floats
from sim.distributions.from_quantiles import FromQuantiles
from sim.distributions.specs import Spec, add_distribution
from sim.fields.types import Positive, PositiveSeconds
from sim.units import format_duration


@dataclass(frozen=True, kw_only=True)
class LogLogistic(FromQuantiles):
    """Half of all durations are below *median*; the odds grow with the power *shape* of the duration."""

    median: float  # s
    shape: float

    def quantile(self, u: Floats, q: Floats) -> Floats:
        """The duration with the share *u* below it and *q* above."""
        return self.median * (u / q) ** (1.0 / self.shape)

    def describe(self) -> str:
        """Its words in `vmfleet validate`."""
        return f"log-logistic, median {format_duration(self.median)}, shape {self.shape:g}"


@add_distribution
class LogLogisticSpec(Spec):
    """Log-logistic by median and shape."""

    made = LogLogistic
    dist: Literal["log-logistic"]
    median: PositiveSeconds = Field(description="Median.")
    shape: Positive = Field(description="The larger, the shorter the tail; above 1 there is a mean.")
