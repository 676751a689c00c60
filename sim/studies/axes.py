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
from sim.scenario.keys import SHARE, kind_at
from sim.scenario.paths import guest_first, parse_value
from sim.scenario.scenario import Scenario
from sim.units import format_duration, parse_duration

MOST_POINTS = 100_000
WHOLE = "whole number"
MOST_DIGITS, MOST_EXPONENT = 400, 300  # of a number in a range: within those of a float

Vary = Mapping[str | tuple[str, ...], Sequence[object]]
"""Path -> values; or paths that go in step -> tuples of values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Settings that vary together, and their values."""

    paths: tuple[str, ...]
    values: tuple[tuple[object, ...], ...]  # one tuple a step, one value a path
    step: str = ""  # of a range of a key that takes any number, as people write it

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


WORDS = {
    "count": "number of VMs", "hosts.count": "number of hosts", "when_off": "action when off", "os": "guest OS",
    "autoscale.regular_above_base": "share of regular VMs above the base", "autoscale.regular_base": "regular VMs first",
    "spot.eviction_per_hour": "probability of eviction in an hour", "people.forgets": "share of evenings forgotten",
}  # fmt: skip
"""Of settings whose key says too little by itself."""


def label_of(path: str) -> str:
    """A setting as people call it, from its path in the scenario file.

    >>> label_of("group.dev.schedule.off"), label_of("platform.hosts.ours.count"), label_of("group.*.count")
    ('schedule off of dev', 'number of hosts of ours', 'number of VMs of all groups')
    """
    section, *rest = path.removeprefix("platform.").split(".")
    if section not in ("group", "hosts", "commitment", "shortage") or len(rest) < 2:
        return path.replace(".", " ").replace("_", " ")
    name, key = rest[0], ".".join(rest[1:])
    words = WORDS.get(f"{section}.{key}", WORDS.get(key, key.replace(".", " ").replace("_", " ")))
    return f"{words} of {'all groups' if name == '*' else name}"


def value_words(path: str, value: object) -> str:
    """A value of a setting as people read it: a share in per cent."""
    if isinstance(value, float | int) and not isinstance(value, bool) and kind_at(path).startswith(SHARE):
        return f"{float(f'{100 * value:.10g}'):g} %"
    return shown(value)


def axes_of(vary: Vary | Sequence[str], *, searches: bool = False) -> list[Axis]:
    """Axes from text or from a mapping; raises InputError saying what would be right.

    Where one value is searched a share without a step has one of 1 %.
    """
    if isinstance(vary, str):
        vary = [vary]
    axes = [parse_axis(words, searches=searches) for words in vary] if not isinstance(vary, Mapping) else [
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


def parse_axis(words: str, *, searches: bool = False) -> Axis:
    """An axis from `PATH=VALUES`, as the command line gives it."""
    path, equals, values = words.partition("=")
    if not equals or not path.strip() or not values.strip():
        raise InputError(f"--vary {words}: write PATH=V1,V2,... or PATH=LOW..HIGH:STEP")
    paths = tuple(each.strip() for each in path.split("+"))
    parts = [part.strip() for part in split_outside(values, ",")]
    step = ""
    if len(paths) == 1 and len(parts) == 1 and (found := _RANGE.match(parts[0])) and "+" not in parts[0]:
        step = _step_of(paths[0], found, words, searches=searches)
        parts = [f"{parts[0]}:{step.replace(' ', '')}"] if step and not found[3] else parts
    steps = [step for part in parts for step in _expanded(part, words)]
    if len(paths) == 1:
        return Axis(paths=paths, values=tuple((step,) for step in steps), step=step)
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


def _step_of(path: str, found: re.Match[str], words: str, *, searches: bool) -> str:
    """The step of a range of a key that takes any number; empty where it takes whole numbers, or the range says how many."""
    low, high, sign, by = found.groups()
    if sign:
        return str(by) if sign == ":" and WHOLE not in kind_at(path) else ""
    kind = kind_at(path)
    if kind.startswith(SHARE):
        if searches:
            return "1 %"
        raise InputError(f"--vary {words}: {path} is a share; say the step, as in {low}..{high}:5%")
    try:
        ends = _number(low, is_time=False), _number(high, is_time=False)
    except ValueError:
        return ""
    if WHOLE in kind or not kind or any(end.denominator > 1 for end in ends):
        return ""
    if ends[1] - ends[0] <= 1:
        raise InputError(f"--vary {words}: {path} takes any number, so say the step, as in {low}..{high}:0.1")
    return "1"


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
    if text.rstrip().endswith("%"):
        return _number(text.rstrip()[:-1].rstrip(), is_time=False) / 100
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
