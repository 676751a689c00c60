"""Units of time in the simulated world, and the durations that people write in a scenario."""

import math
import re
from itertools import pairwise
from types import MappingProxyType

SECONDS_PER_HOUR = 3600
"""Seconds of the clock in one hour of counted usage."""

LONGEST_S = 10_000 * 365 * 86400.0
"""The longest duration, ten thousand years: the ticks of the clock must stay exact whole numbers."""

SHORTEST_CYCLE_S = 1.0
"""What repeats for ever must take at least this long on average, or the clock would stand still."""

TICKS_PER_SECOND = 65536
TICKS_PER_MINUTE = 60 * TICKS_PER_SECOND
"""Ticks in one second: usage is added up in whole ticks, so that its order cannot change a sum."""

DAY_H, WEEK_H = 24, 168
"""Hours of a day and of a week."""

HOURS_PER_MONTH = 730
HOURS_PER_YEAR = 8760
"""Hours in the month by which the price list turns monthly into hourly prices."""

MOST_PRICE = 1e9
"""The highest price, in a currency's units per hour or month: in the smallest currencies still tens of thousands of dollars."""

SECONDS_PER = MappingProxyType(
    {"w": 604800.0, "d": 86400.0, "h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0, "ms": 0.001}
)
"""Seconds in each unit a duration may be written in; `m` means minutes, as in `2h30m`."""

WHAT_A_DURATION_IS = 'a duration such as "90s", "15min", "8h", "30d", "1h30min" or "PT1H30M"'

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PART = re.compile(rf"\s*({_NUMBER})\s*(ms|min|[wdhms])")
_ISO = re.compile(
    rf"P(?=[\dT])(?:({_NUMBER})W)?(?:({_NUMBER})D)?"
    rf"(?:T(?=\d)(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?",
    re.IGNORECASE,
)
_ISO_UNITS = ("w", "d", "h", "min", "s")


def parse_duration(text: object) -> float:
    """Seconds in a written duration: a number with a unit, several of them, or ISO 8601 without months and years.

    Raises ValueError, with what would be right, for anything else. Zero is a duration; a negative one is not.

    >>> parse_duration("90s"), parse_duration("1h30min"), parse_duration("PT1H30M"), parse_duration("500ms")
    (90.0, 5400.0, 5400.0, 0.5)
    """
    if not isinstance(text, str):
        problem = f"{text!r} is not a duration: write {WHAT_A_DURATION_IS}, in quotes and with its unit"
        raise ValueError(problem)
    stripped = text.strip()
    parts = _iso_parts(stripped) if stripped[:1] in ("P", "p") else _plain_parts(stripped)
    if not parts:
        never = ", which is never negative" if stripped.startswith(("-", "\N{MINUS SIGN}")) else ""
        raise ValueError(f"{text!r} is not a duration{never}: write {WHAT_A_DURATION_IS}")
    seconds = math.fsum(float(number) * SECONDS_PER[unit] for number, unit in parts)
    if not math.isfinite(seconds):
        raise ValueError(f"{text!r} is longer than a number can say: write {WHAT_A_DURATION_IS}")
    return seconds


def _iso_parts(text: str) -> list[tuple[str, str]]:
    found = _ISO.fullmatch(text)
    if found is None:
        return []
    return [(number, unit) for number, unit in zip(found.groups(), _ISO_UNITS, strict=True) if number is not None]


def _plain_parts(text: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = _PART.match(text, at)
        if found is None:
            return []
        parts.append((found[1], found[2]))
        at = found.end()
    sizes = [SECONDS_PER[unit] for _, unit in parts]
    # "30min 1h" and "1h 1h" are typing errors more often than intended.
    falling = all(larger > smaller for larger, smaller in pairwise(sizes))
    return parts if falling else []


def format_duration(seconds: float) -> str:
    """A duration as people write it: whole seconds exactly, since they were chosen; others in the two largest units.

    >>> format_duration(5400), format_duration(28801), format_duration(28 * 86400), format_duration(0.25)
    ('1h 30min', '8h 1s', '28d', '250ms')
    >>> format_duration(28801.4)  # a mean, or a measurement
    '8h'
    """
    if math.isnan(seconds):
        return "nan"
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if math.isinf(seconds):
        return "for ever"
    if seconds < 1:
        return "0s" if seconds == 0 else f"{_short(seconds * 1000)}ms" if seconds < 0.9995 else "1s"
    if seconds >= 60 and seconds == int(seconds):
        return _all_units(int(seconds))
    if seconds < 59.95:
        return f"{_short(round(seconds, 1 if seconds >= 10 else 2))}s"
    for unit, below in (("min", "s"), ("h", "min"), ("d", "h")):
        steps = round(SECONDS_PER[unit] / SECONDS_PER[below])
        whole, rest = divmod(round(seconds / SECONDS_PER[below]), steps)
        # Rounding may carry into the next unit (59min 59.7s is 1h), so the largest unit is asked last.
        if unit == "d" or whole * SECONDS_PER[unit] < _LARGER[unit]:
            return f"{whole}{unit} {rest}{below}" if rest else f"{whole}{unit}"
    raise AssertionError("a day has no larger unit")


def _all_units(seconds: int) -> str:
    words = []
    for unit in ("d", "h", "min", "s"):
        whole, seconds = divmod(seconds, int(SECONDS_PER[unit]))
        words += [f"{whole}{unit}"] if whole else []
    return " ".join(words)


_LARGER = MappingProxyType({"min": 3600.0, "h": 86400.0})


def _short(number: float) -> str:
    return f"{number:.4g}"
