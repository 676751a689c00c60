"""What a study varies: a setting of the scenario and its values, or several settings in step.

As text: `group.dev.count=100,200,300`, `group.dev.count=100..500:100` (low..high:step), `horizon=7d..28d:7d`,
`group.dev.spot.eviction_per_hour=0..0.1/5` (so many values, evenly spread), and in step with `+`:
`group.a.count+group.b.count=10+20,20+40`.
"""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sim.errors import Fault, InputError, ScenarioError
from sim.scenario.paths import guest_first
from sim.scenario.scenario import Scenario, parse_value
from sim.units import format_duration, parse_duration

MOST_POINTS = 100_000
MOST_DIGITS, MOST_EXPONENT = 400, 300  # of a number in a range: within those of a float

Vary = Mapping[str | tuple[str, ...], Sequence[object]]
"""Path -> values; or paths that go in step -> tuples of values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Settings that vary together, and their values."""

    paths: tuple[str, ...]
    values: tuple[tuple[object, ...], ...]  # one tuple a step, one value a path

    def __post_init__(self) -> None:
        name = "+".join(self.paths)
        if not self.values:
            raise InputError(f"--vary {name}: no values; give some, such as {name}=1,2,3")
        uneven = [value for value in self.values if len(value) != len(self.paths)]
        if uneven:
            raise InputError(
                f"--vary {name}: {len(self.paths)} places go in step, but {uneven[0]!r} has {len(uneven[0])} values"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One combination: what each path is set to, and the scenario that makes."""

    settings: Mapping[str, object]
    scenario: Scenario

    @property
    def label(self) -> str:
        """The settings as text."""
        return ", ".join(f"{path}={shown(value)}" for path, value in self.settings.items())


def shown(value: object) -> str:
    """A value as an axis and a table show it."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {shown(part)}" for key, part in value.items()) + " }"
    return str(value)


def axes_of(vary: Vary | Sequence[str]) -> list[Axis]:
    """Axes from text or from a mapping; raises InputError saying what would be right."""
    if isinstance(vary, str):
        vary = [vary]
    axes = [parse_axis(words) for words in vary] if not isinstance(vary, Mapping) else [
        Axis(paths=(path,), values=tuple((value,) for value in values))
        if isinstance(path, str)
        else Axis(paths=tuple(path), values=tuple(_in_step(path, value) for value in values))
        for path, values in vary.items()
    ]  # fmt: skip
    if not axes:
        raise InputError("nothing varies: give at least one --vary PATH=V1,V2,...")
    paths = [path for axis in axes for path in axis.paths]
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise InputError(f"--vary {twice[0]}: is given twice; a place takes its values from one axis")
    number = math.prod(len(axis.values) for axis in axes)
    if number > MOST_POINTS:
        raise InputError(f"{number:,} combinations are more than {MOST_POINTS:,}; vary less at a time")
    return axes


def points_of(scenario: Scenario, axes: Sequence[Axis]) -> list[Point]:
    """Every combination of the axes, the last one changing fastest; all settings that don't fit are reported at once."""
    points: list[Point] = []
    faults: list[Fault] = []
    for steps in itertools.product(*(axis.values for axis in axes)):
        settings = {
            path: value
            for axis, step in zip(axes, steps, strict=True)
            for path, value in zip(axis.paths, step, strict=True)
        }
        try:
            points.append(Point(settings=settings, scenario=changed(scenario, settings)))
        except ScenarioError as error:
            faults += [fault for fault in error.faults if str(fault) not in {str(known) for known in faults}]
    if faults:
        raise ScenarioError(faults)
    return points


def changed(scenario: Scenario, settings: Mapping[str, object]) -> Scenario:
    """The scenario with every setting applied; the order of settings doesn't matter."""
    for path in guest_first(settings, str):
        scenario = scenario.replace(path, settings[path])
    return scenario


def parse_axis(words: str) -> Axis:
    """An axis from `PATH=VALUES`, as the command line gives it."""
    path, equals, values = words.partition("=")
    if not equals or not path.strip() or not values.strip():
        raise InputError(f"--vary {words}: write PATH=V1,V2,... or PATH=LOW..HIGH:STEP")
    paths = tuple(each.strip() for each in path.split("+"))
    steps = [step for part in split_outside(values, ",") for step in _expanded(part.strip(), words)]
    if len(paths) == 1:
        return Axis(paths=paths, values=tuple((step,) for step in steps))
    return Axis(paths=paths, values=tuple(_zipped(step, paths, words) for step in steps))


def _zipped(step: object, paths: Sequence[str], words: str) -> tuple[object, ...]:
    parts = [_value(part, words) for part in split_outside(str(step), "+")]
    if len(parts) != len(paths):
        raise InputError(f"--vary {words}: {step!r} has {len(parts)} values for {len(paths)} places; join them with +")
    return tuple(parts)


def _value(part: str, words: str) -> object:
    try:
        return parse_value(part)
    except ValueError as wrong:
        raise InputError(f"--vary {words}: {wrong}") from None


def _in_step(paths: tuple[str, ...], value: object) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise InputError(f"--vary {'+'.join(paths)}: {value!r} is one value; places in step take a tuple each")
    return tuple(value)


def split_outside(text: str, separator: str) -> list[str]:
    """Parts of a text between separators that stand in no brackets and no quotes.

    >>> split_outside('1, { dist = "uniform", low = "1s" }, [1,2]', ",")
    ['1', ' { dist = "uniform", low = "1s" }', ' [1,2]']
    """
    parts, depth, quote, began = [], 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{(":
            depth += 1
        elif letter in "]})":
            depth -= 1
        elif letter == separator and depth == 0:
            parts.append(text[began:place])
            began = place + 1
    return [*parts, text[began:]]


_RANGE = re.compile(r"^([^{\[\"']+?)\.\.([^:/]+)(?:(:|/)(.+))?$")


def _expanded(part: str, words: str) -> list[object]:
    """The values of one part of a list: itself, or every step of a range."""
    if not part:
        raise InputError(f"--vary {words}: an empty value between commas")
    found = _RANGE.match(part)
    if found is None or "+" in part:
        return [part if "+" in part.lstrip("+") else _value(part, words)]
    low_text, high_text, how, by = (piece.strip() if piece else "" for piece in found.groups())
    try:
        low, high, is_time = bounds_of(low_text, high_text)
        if how == "/":
            count = int(by)
            if not 2 <= count <= MOST_POINTS or high <= low:
                raise ValueError("LOW..HIGH/COUNT spreads 2 values or more from LOW up to HIGH")
            numbers = [low + index * (high - low) / (count - 1) for index in range(count)]
        else:
            whole = low.denominator == high.denominator == 1 and not is_time
            if not by and not whole:
                raise ValueError(f"say the step, as in {low_text}..{high_text}:STEP")
            numbers = _stepped(low, high, _number(by, is_time=is_time) if by else Fraction(1))
    except ValueError as error:
        raise InputError(f"--vary {words}: {part!r}: {error}") from None
    return [format_exact(each) if is_time else int(each) if each.denominator == 1 else float(each) for each in numbers]


def bounds_of(low: str, high: str) -> tuple[Fraction, Fraction, bool]:
    """Two ends of a range, exactly, and whether they are durations (then seconds); ValueError if they are neither."""
    try:
        return _number(low, is_time=False), _number(high, is_time=False), False
    except TooLarge:
        raise
    except ValueError:
        return _number(low, is_time=True), _number(high, is_time=True), True


class TooLarge(ValueError):
    """A number that no float holds."""


def _number(text: str, *, is_time: bool) -> Fraction:
    if is_time:
        return Fraction(str(parse_duration(text)))
    exponent = re.search(r"[eE]([+-]?\d+)$", text)
    if len(text) > MOST_DIGITS or (exponent and (len(exponent[1]) > 4 or abs(int(exponent[1])) > MOST_EXPONENT)):
        raise TooLarge(f"{text[:40]!r} is too large or too small a number")
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is no number") from None


def _stepped(low: Fraction, high: Fraction, step: Fraction) -> list[Fraction]:
    if step <= 0 or high < low:
        raise ValueError("a range goes up: LOW..HIGH:STEP with a step above 0")
    count = (high - low) // step + 1
    if count > MOST_POINTS:
        raise ValueError(f"{count:,} values are more than {MOST_POINTS:,}; take a longer step")
    return [low + index * step for index in range(count)]


def format_exact(seconds: Fraction) -> str:
    """A duration that reads back as these very seconds."""
    words = format_duration(float(seconds)).replace(" ", "")
    return words if parse_duration(words) == float(seconds) else f"{float(seconds)!r}s"
