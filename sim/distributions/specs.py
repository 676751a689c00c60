"""Distributions as a scenario file writes them.

A *varying* duration is a constant (`"90s"`) or a distribution (`{ dist = "exponential", mean = "8h" }`); `to_distribution`
turns either into a distribution of seconds.
"""

import math
from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import Discriminator, Field, PrivateAttr, Tag, ValidationInfo, model_validator

from sim.distributions import kinds
from sim.distributions.from_quantiles import check_quantiles
from sim.errors import PlugInError
from sim.fields.registry import Registry
from sim.fields.samples import read_samples
from sim.fields.types import NotNegative, Positive, PositiveSeconds, Seconds, Section, Share, Text, rebuild_sections
from sim.units import LONGEST_S, format_duration


class Spec(Section):
    """A distribution of a duration as the file writes it."""

    min: Seconds | None = Field(None, description="Truncated below: no draw is shorter than this.")
    max: Seconds | None = Field(None, description="Truncated above: no draw is longer than this.")
    _folder: Path = PrivateAttr(default_factory=Path)  # where files named by the scenario lie
    _distribution: kinds.Distribution | None = PrivateAttr(None)

    made: ClassVar[Callable[..., kinds.Distribution]]
    """Makes the distribution of the parameters, which have the names of the keys."""
    is_ordered: ClassVar[bool] = False
    """Whether no parameter is below the one before it."""

    def _untruncated(self) -> kinds.Distribution:
        parameters = {key: getattr(self, key) for key in type(self).model_fields.keys() - Spec.model_fields - {"dist"}}
        if self.is_ordered:
            _check_order(**{key: parameters[key] for key in type(self).model_fields if key in parameters})
        made: object = type(self).made(**parameters)
        if not isinstance(made, kinds.Distribution):
            raise PlugInError(
                f"distribution {type(self).__module__}.{type(self).__name__}: made(...) gave {made!r}; it gives a Distribution"
            )
        return made

    @model_validator(mode="after")
    def _build(self, info: ValidationInfo) -> Self:
        self._folder = (info.context or {}).get("folder", Path())
        if self.min is not None and self.max is not None:
            _check_order(min=self.min, max=self.max)
        try:
            distribution = self._untruncated()
            check_quantiles(distribution)
            distribution = kinds.truncate(distribution, self.min, self.max)
            mean_s = distribution.mean
        except ArithmeticError:  # a parameter so extreme that the mean leaves the numbers
            mean_s = math.inf
        if not mean_s <= LONGEST_S:
            raise ValueError(
                "this distribution has no finite mean, or one beyond ten thousand years; cut it with `max`, or give it another shape"
            )
        self._distribution = distribution
        return self

    @property
    def distribution(self) -> kinds.Distribution:
        """The distribution of seconds that was built when the file was read."""
        if self._distribution is None:
            raise AssertionError(f"{type(self).__name__} was made without validation")
        return self._distribution


AnySpec = TypeVar("AnySpec", bound=Spec)
SPECS: Registry[type[Spec]] = Registry("distribution", base=Spec, own=("made",))
"""Every distribution of the scenario file by its `dist`."""


def add_distribution(spec: type[AnySpec]) -> type[AnySpec]:
    """A decorator that registers a distribution under the word that its key `dist` takes."""
    words = get_args(spec.model_fields["dist"].annotation) if "dist" in spec.model_fields else ()
    if len(words) != 1:
        raise PlugInError(f'distribution {spec.__module__}.{spec.__name__}: it needs a field `dist: Literal["name"]`')
    (name,) = words
    SPECS.add(name, spec)
    return spec


@add_distribution
class Exponential(Spec):
    """Exponential by its mean."""

    made = kinds.Exponential
    dist: Literal["exponential"]
    mean: PositiveSeconds = Field(description="Mean.")


@add_distribution
class Lognormal(Spec):
    """Lognormal by any two of median, mean, sigma (of the logarithm) and 95th percentile."""

    made = kinds.Lognormal.from_any_two
    dist: Literal["lognormal"]
    median: PositiveSeconds | None = Field(None, description="Median.")
    mean: PositiveSeconds | None = Field(None, description="Mean.")
    sigma: Positive | None = Field(None, description="Standard deviation of the natural logarithm.")
    p95: PositiveSeconds | None = Field(None, description="95th percentile.")


_SHAPE = Field(description="Shape; 1 is exponential, below 1 short and very long values are more frequent.")


@add_distribution
class Weibull(Spec):
    """Weibull by shape and scale."""

    made = kinds.Weibull
    dist: Literal["weibull"]
    shape: Positive = _SHAPE
    scale: PositiveSeconds = Field(description="Scale: 63.2 % of values are shorter.")


@add_distribution
class Gamma(Spec):
    """Gamma by shape and mean."""

    made = kinds.Gamma
    dist: Literal["gamma"]
    shape: Positive = _SHAPE
    mean: PositiveSeconds = Field(description="Mean.")


@add_distribution
class Uniform(Spec):
    """Anything between low and high, equally likely."""

    made = kinds.Uniform
    is_ordered = True
    dist: Literal["uniform"]
    low: Seconds = Field(description="Shortest value.")
    high: Seconds = Field(description="Longest value.")


@add_distribution
class Triangular(Spec):
    """Between low and high, most likely around mode."""

    made = kinds.Triangular
    is_ordered = True
    dist: Literal["triangular"]
    low: Seconds = Field(description="Shortest value.")
    mode: Seconds = Field(description="Most likely value.")
    high: Seconds = Field(description="Longest value.")


@add_distribution
class Quantiles(Spec):
    """Piecewise linear through measured quantiles: share p of all draws is at most `at`."""

    made = kinds.Quantiles
    dist: Literal["quantiles"]
    p: tuple[Share, ...] = Field(description="Rising from 0 to 1.")
    at: tuple[Seconds, ...] = Field(description="As many durations as p, rising.")


@add_distribution
class Samples(Spec):
    """Measured durations drawn again: one column of seconds in a CSV file beside the scenario."""

    dist: Literal["samples"]
    file: Text = Field(description="CSV file; beside the scenario file.")
    column: Text = Field(description="Column of the file, in seconds.")

    def _untruncated(self) -> kinds.Distribution:
        return kinds.Samples(values=read_samples(self._folder / self.file, self.column))


@add_distribution
class Mixture(Spec):
    """One of several distributions, picked by weight."""

    dist: Literal["mixture"]
    weights: tuple[NotNegative, ...] = Field(description="Weight of each part.")
    of: "tuple[Varying, ...]" = Field(min_length=1, description="The parts: as many as weights.")

    def _untruncated(self) -> kinds.Distribution:
        if len(self.weights) != len(self.of):
            raise ValueError(
                f"there are {len(self.weights)} weights for {len(self.of)} distributions; give one for each"
            )
        return kinds.Mixture(weights=shares(self.weights), of=tuple(to_distribution(part) for part in self.of))


class _OneOfSpecs:
    """Any distribution that is registered when a table is built."""

    def __get_pydantic_core_schema__(self, _source: Any, handler: Any) -> Any:
        every: Any = reduce(or_, SPECS.values())
        return handler.generate_schema(Annotated[every, Field(discriminator="dist")])


Distributed = Annotated[Spec, _OneOfSpecs()]

DURATION_TAG, DISTRIBUTION_TAG = ":duration", ":distribution"


def _which(value: object) -> str:
    return DISTRIBUTION_TAG if isinstance(value, (Mapping, Spec)) else DURATION_TAG


Varying = Annotated[
    Annotated[Seconds, Tag(DURATION_TAG)] | Annotated[Distributed, Tag(DISTRIBUTION_TAG)], Discriminator(_which)
]
"""A duration that may vary: constant seconds, or a distribution."""

Mixture.model_rebuild()

SPECS.watch(lambda *_: rebuild_sections())


def to_distribution(varying: float | Spec) -> kinds.Distribution:
    """The distribution of seconds behind a constant or a distribution of the file."""
    return varying.distribution if isinstance(varying, Spec) else kinds.Constant(value=varying)


def varying_words(varying: float | Spec) -> str:
    """A varying duration in words."""
    distribution = to_distribution(varying)
    if isinstance(distribution, kinds.Constant):
        return format_duration(distribution.mean)
    return distribution.describe()


def shares(weights: tuple[float, ...]) -> tuple[float, ...]:
    """Weights as shares that sum to 1; ValueError when nothing has weight."""
    whole = math.fsum(weights)
    if not 0 < whole < math.inf:
        raise ValueError("the weights sum to nothing; at least one must be above 0")
    return weights if whole == 1.0 else tuple(weight / whole for weight in weights)


def _check_order(**bounds: float) -> None:
    names, values = tuple(bounds), tuple(bounds.values())
    if list(values) != sorted(values):
        said = ", ".join(f"{name} = {format_duration(value)}" for name, value in bounds.items())
        raise ValueError(f"{said}; right is {' <= '.join(names)}")
