"""The figure of a script's answer: what was found along one setting, with its intervals, beside what was expected."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from sim.errors import InputError
from sim.report import style
from sim.report.style import Sheet

TOP_IN, PANEL_IN, BELOW_IN = 0.85, 2.9, 0.8
EXPECTED_STYLES: Any = ("--", ":", "-.")


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
    footer = "  \N{MIDDLE DOT}  ".join(part for part in (note, f"numbers in figures/{name}.csv") if part)
    with style.figure_style():
        sheet = Sheet(question, TOP_IN + PANEL_IN + BELOW_IN, footer)
        axes = sheet.axes(left=1.0, top=TOP_IN, width=style.WIDTH_IN - 1.4, height=PANEL_IN)
        handles, rows = _draw_lines(axes, lines, places, numeric)
        rows.insert(0, ["line", x, y, "low", "high"])
        if numeric:
            style.put_numbers(axes.xaxis, most=10)
        else:
            axes.set_xticks(range(len(places)), [style.shorten(str(place), 24) for place in places])
            axes.margins(x=0.15)
        if percent:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        else:
            style.put_numbers(axes.yaxis)
        low, high = axes.get_ylim()
        least = min(_numbers(value)[0] for line in lines.values() for value in line.values())
        if least >= 0 and (low < 0 or least < 0.5 * high):
            axes.set_ylim(bottom=0.0)  # a share or a sum is judged against nothing at all
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        sheet.legend(handles)
        drawn = sheet.finish(name, alt=f"{y} by {x}: {', '.join(lines)}.", rows=rows)
    style.write(drawn, Path(folder) / "figures")
    return Path(folder) / "figures" / f"{name}.png"


def _draw_lines(
    axes: Axes, lines: Mapping[str, Line], places: list[Any], numeric: bool
) -> tuple[list[Line2D], list[list[object]]]:
    """Draw every line; returns their keys and the numbers shown."""
    handles = []
    rows: list[list[object]] = []
    found = expected = 0
    joined = numeric and not any(_is_worked_out(line) for line in lines.values())
    for label, line in lines.items():
        if not _is_worked_out(line):
            colour, _ = style.SERIES[found % len(style.SERIES)]
            # Side by side where places are words: intervals would hide each other.
            shift = 0.0 if numeric else 0.06 * found
            found += 1
            at = [_at(places, place, numeric) + shift for place in line]
            handle = _draw_found(axes, line, colour, at, joined)
        else:
            line_style = EXPECTED_STYLES[expected % len(EXPECTED_STYLES)]
            expected += 1
            handle = _draw_expected(axes, line, line_style, [_at(places, p, numeric) for p in line], numeric)
        handle.set_label(label)
        handles.append(handle)
        for place, value in line.items():
            rows.append([label, place, *_numbers(value)])
    return handles, rows


def _draw_found(axes: Axes, line: Line, colour: str, at: list[float], joined: bool) -> Line2D:
    means, lows, highs = zip(*map(_numbers, line.values()), strict=True)
    for place, low, high in zip(at, lows, highs, strict=True):
        if low is not None and high is not None:
            axes.plot([place, place], [low, high], color=colour, linewidth=1.6, marker="_", markersize=7)
    line_style: Any = "-" if joined else ""
    axes.plot(at, means, color=colour, marker="o", markersize=4.5, linestyle=line_style, linewidth=1.2)
    return Line2D([], [], color=colour, marker="o", markersize=4.5, linestyle=line_style, linewidth=1.2)


def _draw_expected(axes: Axes, line: Line, line_style: Any, at: list[float], numeric: bool) -> Line2D:
    means = [_numbers(value)[0] for value in line.values()]
    how: dict[str, Any] = {"color": style.BLACK, "linewidth": 1.1}
    how |= {"linestyle": line_style} if numeric else {"linestyle": "", "marker": "_", "markersize": 22}
    axes.plot(at, means, zorder=1, **how)
    return Line2D([], [], **how | ({} if numeric else {"markersize": 12}))


def _numbers(value: Known | float) -> tuple[float, float | None, float | None]:
    if isinstance(value, int | float):
        return float(value), None, None
    return math.nan if value.mean is None else value.mean, value.low, value.high


def _is_worked_out(line: Line) -> bool:
    return all(isinstance(value, int | float) for value in line.values())


def _at(places: list[Any], place: Any, numeric: bool) -> float:
    return float(place) if numeric else float(places.index(place))
