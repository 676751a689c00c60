"""The figure of a script's answer: what was found along one setting, with its intervals, beside what was expected."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from sim.errors import InputError
from sim.fields import numbers
from sim.report import style
from sim.report.axes import Axes, Key, Sheet
from sim.runs.remote import here

EXPECTED_DASHES = ("--", ":", "-.")


class Known(Protocol):
    """Whatever has a mean and, perhaps, an interval: an estimate or a difference."""

    @property
    def mean(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


Line = Mapping[Any, "Known | float"]


def plot(
    folder: str | Path,
    name: str,
    question: str,
    lines: Mapping[str, Line],
    *,
    x: str,
    y: str,
    percent: bool = False,
    note: str = "",
) -> Path:
    """Draw a figure into `figures` of a result folder: SVG, PNG and its numbers as CSV; returns the PNG's path.

    Each of *lines* maps places on the horizontal axis (numbers, or words for things that have no order) to what is
    there: an estimate is a dot with its interval, a bare number was worked out and belongs to a broken line without
    dots. Dots are joined only where there is no such line to compare them with. *x* and *y* name the axes with their units; *percent* shows shares of one as percent.
    """
    if not lines or not all(lines.values()):
        raise InputError(f"the figure {name!r} has a line without points")
    places = list(dict.fromkeys(place for line in lines.values() for place in line))
    numeric = all(isinstance(place, int | float) for place in places)
    sheet = Sheet(name, question, (note, f"numbers in figures/{name}.csv"))
    axes = sheet.axes(185)
    rows: list[list[object]] = [["line", x, y, "low", "high"]]
    form = numbers.percent if percent else numbers.general
    found = expected = 0
    joined = numeric and not any(_is_worked_out(line) for line in lines.values())
    for label, line in lines.items():
        at = [_at(places, place, numeric) for place in line]
        if _is_worked_out(line):
            sheet.key(_draw_expected(axes, line, at, label, EXPECTED_DASHES[expected % len(EXPECTED_DASHES)], numeric))
            expected += 1
        else:
            # Side by side where places are words: intervals would hide each other.
            aside = [place + (0.0 if numeric else 0.06 * found) for place in at]
            colour = style.SERIES[found % len(style.SERIES)][0]
            titles = [f"{label}, {place}: {form(_numbers(value)[0])}" for place, value in line.items()]
            sheet.key(_draw_found(axes, line, aside, label, colour, titles, joined))
            found += 1
        rows += [[label, place, *_numbers(value)] for place, value in line.items()]
    axes.x.most, axes.x.margin = 10, 0.03 if numeric else 0.15
    if not numeric:
        axes.x.ticks, axes.x.labels = range(len(places)), [style.shorten(str(place), 24) for place in places]
    axes.y.share, axes.y.margin = percent, 0.05
    low, high = axes.y.limits()
    means = (_numbers(value)[0] for line in lines.values() for value in line.values())
    least = min((mean for mean in means if math.isfinite(mean)), default=-math.inf)
    if least >= 0 and (low < 0 or least < 0.5 * high):
        axes.y.low = 0.0  # a share or a sum is judged against nothing at all
    axes.x.label, axes.y.label = x, y
    said = "; ".join(f"{row[0]}, {row[1]}: {form(row[2])}" for row in rows[1 : style.MOST_SAID + 1])  # type: ignore[arg-type]
    drawn = sheet.finish(alt=f"{y} by {x}: {said}.", rows=rows)
    place = here(folder) / "figures"
    style.write(drawn, place)
    return place / f"{name}.png"


def _draw_found(
    axes: Axes, line: Line, at: list[float], label: str, colour: str, titles: list[str], joined: bool
) -> Key:
    means, lows, highs = zip(*map(_numbers, line.values()), strict=True)
    for place, low, high in zip(at, lows, highs, strict=True):
        axes.whisker(place, low, high, size=7, width=1.6, colour=colour, upright=True)
    if joined:
        axes.line(at, means, colour, width=1.2)
    axes.dots(at, means, colour, titles=titles)
    return Key(label=label, line=colour, marker="o", dash="-" if joined else "", width=1.2)


def _draw_expected(axes: Axes, line: Line, at: list[float], label: str, dash: str, numeric: bool) -> Key:
    means = [_numbers(value)[0] for value in line.values()]
    if numeric:
        axes.line(at, means, style.BLACK, dash=dash, width=1.1)
        return Key(label=label, line=style.BLACK, dash=dash, width=1.1)
    axes.dots(at, means, style.BLACK, marker="_", size=22)
    return Key(label=label, line=style.BLACK, marker="_", dash="", size=12)


def _numbers(value: Known | float) -> tuple[float, float | None, float | None]:
    if isinstance(value, int | float):
        return float(value), None, None
    return math.nan if value.mean is None else value.mean, value.low, value.high


def _is_worked_out(line: Line) -> bool:
    return all(isinstance(value, int | float) for value in line.values())


def _at(places: list[Any], place: Any, numeric: bool) -> float:
    return float(place) if numeric else float(places.index(place))
