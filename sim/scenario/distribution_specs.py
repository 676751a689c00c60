"""Durations, numbers and distributions as a scenario file writes them, each checked where it is read.

A *varying* duration is a constant (`"90s"`) or a distribution (`{ dist = "exponential", mean = "8h" }`); `to_distribution`
turns either into a distribution of seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    Strict,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from sim.distributions import kinds as laws
from sim.scenario.defaults import default_value
from sim.scenario.samples import read_samples
from sim.units import SECONDS_PER, format_duration, parse_duration

LONGEST_S = 10_000 * 365 * 86400.0
"""No duration in a scenario is longer than ten thousand years: the clock's ticks must stay exact whole numbers."""

_OTHER_UNITS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "mins": "min", "minute": "min", "minutes": "min",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "week": "w", "weeks": "w",
    "millis": "ms", "milliseconds": "ms",
}  # fmt: skip


def read_seconds(value: object) -> float:
    """Seconds of a written duration; ValueError says what would be right."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError('this is not a duration; write a number and a unit in quotes, such as "90s" or "8h"')
    if not isinstance(value, str):
        example = f'"{value:g}s"' if 0 <= value < 1e9 else '"90s"'
        raise ValueError(f"a duration needs a unit and quotes; if seconds are meant write {example}")
    if value.strip().startswith("-"):
        raise ValueError('a duration is never negative; write "0s" or longer')
    seconds = _parse(value)
    if seconds > LONGEST_S:
        raise ValueError(f"this is longer than {format_duration(LONGEST_S)}, the longest duration in a scenario")
    return seconds


def _parse(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError:
        hint = 'write a number and a unit (ms, s, min, h, d, w), such as "90s", "15min", "8h", "30d" or "PT1H30M"'
        number, unit = re.fullmatch(r"\s*([0-9.]*)\s*(.*?)\s*", text, re.DOTALL).groups()  # type: ignore[union-attr]
        if number and not unit:
            hint = f'the unit is missing; did you mean "{number}s", "{number}min" or "{number}h"?'
        elif number and (right := _OTHER_UNITS.get(unit.lower()) or (unit.lower() in SECONDS_PER and unit.lower())):
            hint = f'did you mean "{number}{right}"?'
        elif unit.lower().startswith("month") or unit.lower().startswith("year"):
            hint = 'months and years have no fixed length; write days, such as "30d" or "365d"'
        raise ValueError(f"this is not a duration; {hint}") from None


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError('this must be longer than nothing, such as "1s"')
    return seconds


_DURATION_SCHEMA = {
    "type": "string",
    "pattern": r"^\s*(([0-9]+(\.[0-9]+)?\s*(ms|min|[wdhms])\s*)+|[Pp][0-9.WDTHMSwdthms]+)$",
    "examples": ["90s", "15min", "8h", "30d", "PT1H30M"],
}

Seconds = Annotated[float, BeforeValidator(read_seconds), WithJsonSchema(_DURATION_SCHEMA)]


def read_warm_up(value: object) -> float | str:
    """Seconds of a warm-up, or "auto"; ValueError says what would be right."""
    if value == "auto":
        return "auto"
    try:
        return read_seconds(value)
    except ValueError as error:
        raise ValueError(f'{error}; or "auto", to have it found') from None


WarmUp = Annotated[
    float | Literal["auto"],
    BeforeValidator(read_warm_up),
    WithJsonSchema({"anyOf": [_DURATION_SCHEMA, {"const": "auto"}]}),
]
PositiveSeconds = Annotated[
    float, BeforeValidator(read_seconds), AfterValidator(_positive), WithJsonSchema(_DURATION_SCHEMA)
]


def _listed(value: object) -> object:
    return [value] if isinstance(value, Mapping) else value


class OneOrMore:
    """Marks a list of tables that may be written as the one table it has."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(_listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        listed: dict[str, Any] = handler(schema)
        return {"anyOf": [listed["items"], listed]}


Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[float, Strict(), Field(allow_inf_nan=False, gt=0)]
NotNegative = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=0)]
Probability = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=0, le=1)]


def default_field(key: str, description: str, **more: Any) -> Any:
    """A field whose default is the one of the catalogue, read as if the user had written it."""
    return Field(default=default_value(key), validate_default=True, description=description, **more)


class Section(BaseModel):
    """A table of a scenario file: only its own keys, and never changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False, hide_input_in_errors=True)


class Spec(Section):
    """A distribution of a duration as the file writes it."""

    kind: ClassVar[str]

    min: Seconds | None = Field(None, description="Truncated below: no draw is shorter than this.")
    max: Seconds | None = Field(None, description="Truncated above: no draw is longer than this.")
    _folder: Path = PrivateAttr(default_factory=Path)  # where files named by the scenario lie
    _law: laws.Distribution | None = PrivateAttr(None)

    def _untruncated(self) -> laws.Distribution:
        raise NotImplementedError

    @model_validator(mode="after")
    def _build(self, info: ValidationInfo) -> Self:
        self._folder = (info.context or {}).get("folder", Path())
        if self.min is not None and self.max is not None:
            _check_order(min=self.min, max=self.max)
        try:
            law = laws.truncate(self._untruncated(), self.min, self.max)
            mean_s = law.mean
        except ArithmeticError:  # a parameter so extreme that the mean leaves the numbers
            mean_s = math.inf
        if not mean_s <= LONGEST_S:
            raise ValueError(
                "this distribution has no finite mean, or one beyond ten thousand years; cut it with `max`, or give it another shape"
            )
        self._law = law
        return self

    @property
    def law(self) -> laws.Distribution:
        """The distribution of seconds that was built when the file was read."""
        if self._law is None:
            raise AssertionError(f"{type(self).__name__} was made without validation")
        return self._law


class Exponential(Spec):
    """Exponential by its mean."""

    dist: Literal["exponential"]
    mean: PositiveSeconds

    def _untruncated(self) -> laws.Distribution:
        return laws.Exponential(mean=self.mean)


class Lognormal(Spec):
    """Lognormal by any two of median, mean, sigma (of the logarithm) and 95th percentile."""

    dist: Literal["lognormal"]
    median: PositiveSeconds | None = None
    mean: PositiveSeconds | None = None
    sigma: Positive | None = Field(None, description="Standard deviation of the natural logarithm.")
    p95: PositiveSeconds | None = Field(None, description="95th percentile.")

    def _untruncated(self) -> laws.Distribution:
        given = {
            name: value for name in ("median", "mean", "sigma", "p95") if (value := getattr(self, name)) is not None
        }
        if len(given) != 2:
            found = " and ".join(given) if given else "none"
            raise ValueError(f"a lognormal is fixed by exactly two of median, mean, sigma, p95; given: {found}")
        return laws.Lognormal.from_any_two(**given)


class Weibull(Spec):
    """Weibull by shape and scale."""

    dist: Literal["weibull"]
    shape: Positive
    scale: PositiveSeconds

    def _untruncated(self) -> laws.Distribution:
        return laws.Weibull(shape=self.shape, scale=self.scale)


class Gamma(Spec):
    """Gamma by shape and mean."""

    dist: Literal["gamma"]
    shape: Positive
    mean: PositiveSeconds

    def _untruncated(self) -> laws.Distribution:
        return laws.Gamma(shape=self.shape, mean=self.mean)


class Uniform(Spec):
    """Anything between low and high, equally likely."""

    dist: Literal["uniform"]
    low: Seconds
    high: Seconds

    def _untruncated(self) -> laws.Distribution:
        _check_order(low=self.low, high=self.high)
        return laws.Uniform(low=self.low, high=self.high)


class Triangular(Spec):
    """Between low and high, most likely around mode."""

    dist: Literal["triangular"]
    low: Seconds
    mode: Seconds
    high: Seconds

    def _untruncated(self) -> laws.Distribution:
        _check_order(low=self.low, mode=self.mode, high=self.high)
        return laws.Triangular(low=self.low, mode=self.mode, high=self.high)


class Quantiles(Spec):
    """Piecewise linear through measured quantiles: share p of all draws is at most `at`."""

    dist: Literal["quantiles"]
    p: tuple[Probability, ...] = Field(description="Rising from 0 to 1.")
    at: tuple[Seconds, ...] = Field(description="As many durations as p, rising.")

    def _untruncated(self) -> laws.Distribution:
        return laws.Quantiles(p=self.p, at=self.at)


class Samples(Spec):
    """Measured durations drawn again: one column of seconds in a CSV file beside the scenario."""

    dist: Literal["samples"]
    file: Text
    column: Text

    def _untruncated(self) -> laws.Distribution:
        return laws.Samples(values=read_samples(self._folder / self.file, self.column))


class Mixture(Spec):
    """One of several distributions, picked by weight."""

    dist: Literal["mixture"]
    weights: tuple[NotNegative, ...]
    of: tuple[Varying, ...] = Field(min_length=1)

    def _untruncated(self) -> laws.Distribution:
        if len(self.weights) != len(self.of):
            raise ValueError(
                f"there are {len(self.weights)} weights for {len(self.of)} distributions; give one for each"
            )
        return laws.Mixture(weights=shares(self.weights), of=tuple(to_distribution(part) for part in self.of))


Distributed = Annotated[
    Exponential | Lognormal | Weibull | Gamma | Uniform | Triangular | Quantiles | Mixture | Samples,
    Field(discriminator="dist"),
]

DURATION_TAG, DISTRIBUTION_TAG = ":duration", ":distribution"


def _which(value: object) -> str:
    return DISTRIBUTION_TAG if isinstance(value, (Mapping, Spec)) else DURATION_TAG


Varying = Annotated[
    Annotated[Seconds, Tag(DURATION_TAG)] | Annotated[Distributed, Tag(DISTRIBUTION_TAG)], Discriminator(_which)
]
"""A duration that may vary: constant seconds, or a distribution."""

Mixture.model_rebuild()

SPECS: Mapping[str, type[Spec]] = {
    "exponential": Exponential, "lognormal": Lognormal, "weibull": Weibull, "gamma": Gamma, "uniform": Uniform,
    "triangular": Triangular, "quantiles": Quantiles, "mixture": Mixture, "samples": Samples,
}  # fmt: skip
"""Every distribution of the scenario file by its `dist`."""


def to_distribution(varying: float | Spec) -> laws.Distribution:
    """The distribution of seconds behind a constant or a distribution of the file."""
    return varying.law if isinstance(varying, Spec) else laws.Constant(value=varying)


def varying_words(varying: float | Spec) -> str:
    """A varying duration as one says it."""
    law = to_distribution(varying)
    return format_duration(law.mean) if isinstance(law, laws.Constant) else law.describe()


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
