"""How every figure looks, and how it is written: vector and pixel picture with its numbers beside it, the same bytes each time."""

import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib import rc_context, rcParams, rcParamsDefault
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.fields.numbers import compact
from sim.files import write_whole
from sim.lifecycle.power import PowerState
from sim.report.clock import TimeAxis
from sim.report.folder import Floats

# Okabe and Ito's palette, which people with any colour vision can tell apart; hatches and line styles say it once more.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
INK, QUIET, RULE, FAINT, PALE = "#1f2933", "#52606d", "#cbd2d9", "#d9dfe5", "#e4e7eb"

STATE_LOOK: Mapping[PowerState, tuple[str, str]] = MappingProxyType(
    {  # colour, hatch
        PowerState.CREATING: (YELLOW, ""),
        PowerState.STARTING: (SKY, ""),
        PowerState.RUNNING: (BLUE, ""),
        PowerState.STOPPING: (ORANGE, ""),
        PowerState.STOPPED: (VERMILLION, "//"),
        PowerState.DEALLOCATING: (PURPLE, ""),
        PowerState.DEALLOCATED: (FAINT, ""),
        PowerState.HIBERNATED: (GREEN, "\\\\"),
    }
)
SERIES: Sequence[tuple[str, str]] = (
    (BLUE, ""), (ORANGE, "//"), (GREEN, ".."), (PURPLE, "\\\\"), (SKY, "xx"), (VERMILLION, "--"), (QUIET, "++"),
)  # fmt: skip
WIDTH_IN = 10.0
PNG_DPI = 100
SVG_DPI = 160  # of the parts of a vector picture that have too many points to be drawn as vectors
MOST_VECTOR_POINTS = 2000

_STYLE: Any = MappingProxyType(  # matplotlib's stubs know every key by name
    {
        "svg.hashsalt": "vmfleet",
        "svg.fonttype": "none",  # text stays text: searchable, and sharp at any size
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that pixels are the same everywhere
        "font.size": 9.0,
        "text.color": INK,
        "text.parse_math": False,  # a group may be called "$a_b$"
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.labelsize": 9.0,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": PALE,
        "grid.linewidth": 0.8,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "hatch.linewidth": 0.6,
        "hatch.color": "#ffffff",
        "path.simplify": True,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One finished figure: its picture, and the numbers that it shows."""

    name: str
    title: str  # the question that it answers
    alt: str  # what a reader who can't see it should know
    svg: str
    png: bytes
    csv: str


@contextmanager
def figure_style() -> Iterator[None]:
    """Our look whatever the user's matplotlibrc says, and the user's own look again afterwards."""
    with rc_context():
        rcParams.update({key: rcParamsDefault[key] for key in rcParamsDefault if not key.startswith("backend")})
        rcParams.update(dict(_STYLE))
        yield


class Sheet:
    """An empty figure with its question above and its origin small below; axes are placed in inches from the top left."""

    def __init__(self, question: str, height_in: float, footer: str) -> None:
        self.height_in = height_in
        self.question = question
        self.figure = Figure(figsize=(WIDTH_IN, height_in), facecolor="white")
        FigureCanvasAgg(self.figure)
        self.figure.text(
            0.1 / WIDTH_IN, 1 - 0.12 / height_in, question, size=11.5, weight="bold", va="top", ha="left", color=INK
        )
        self.figure.text(0.1 / WIDTH_IN, 0.08 / height_in, footer, size=7, va="bottom", ha="left", color=QUIET)

    def axes(self, *, left: float, top: float, width: float, height: float, share_x: Axes | None = None) -> Axes:
        """Axes of that size, *left* and *top* measured from the sheet's upper left corner, all in inches."""
        box = (left / WIDTH_IN, 1 - (top + height) / self.height_in, width / WIDTH_IN, height / self.height_in)
        return self.figure.add_axes(box, sharex=share_x)

    def legend(self, handles: Sequence[Artist], *, left: float = 0.1, columns: int = 4) -> None:
        """What colours and lines mean, above all axes, read row by row."""
        columns = min(columns, len(handles))
        if not columns:
            return
        rows = math.ceil(len(handles) / columns)
        # matplotlib fills column by column.
        down = [handles[r * columns + c] for c in range(columns) for r in range(rows) if r * columns + c < len(handles)]
        self.figure.legend(
            handles=down, loc="upper left", bbox_to_anchor=(left / WIDTH_IN, 1 - 0.36 / self.height_in),
            ncols=columns, columnspacing=1.4, handlelength=1.6, borderpad=0.0, labelspacing=0.35,
        )  # fmt: skip

    def finish(self, name: str, *, alt: str, rows: Iterable[Sequence[object]]) -> Drawn:
        """Write the picture twice and its numbers once (the first row names the columns)."""
        svg, png = io.StringIO(), io.BytesIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        self.figure.savefig(svg, format="svg", dpi=SVG_DPI, metadata=nothing)
        self.figure.savefig(
            png, format="png", dpi=PNG_DPI, metadata={"Software": None}, pil_kwargs={"compress_level": 3}
        )
        table = "".join(",".join(_csv(cell) for cell in row) + "\n" for row in rows)
        picture = _plain_svg(svg.getvalue(), name)
        return Drawn(name=name, title=self.question, alt=alt, svg=picture, png=png.getvalue(), csv=table)


def fill_steps(axes: Axes, edges: Floats, low: Floats, high: Floats, colour: str, hatch: str = "") -> None:
    """The area between two step curves. (`Axes.stairs` does the same, but spends seconds on finding data limits.)"""
    x = np.repeat(edges, 2)[1:-1]
    outline = np.column_stack(
        [np.concatenate([x, x[::-1]]), np.concatenate([np.repeat(low, 2), np.repeat(high, 2)[::-1]])]
    )
    area = PolyCollection([outline], facecolors=colour, edgecolors="none", linewidths=0.0)
    if hatch:
        area.set_hatch(hatch)
    rasterise(area, len(outline))
    axes.add_collection(area, autolim=False)


def line_steps(axes: Axes, edges: Floats, values: Floats, colour: str, width: float) -> None:
    """A step curve, without drops to zero at its ends."""
    line = Line2D(np.repeat(edges, 2)[1:-1], np.repeat(values, 2), color=colour, linewidth=width)
    rasterise(line, 2 * len(values))
    axes.add_artist(line)


def rasterise(artist: Artist, points: int) -> None:
    """Draw an artist of very many points as pixels, which a vector picture can hold as well."""
    if points > MOST_VECTOR_POINTS:
        artist.set_rasterized(True)


def swatch(colour: str, hatch: str, label: str) -> Patch:
    """What a filled area means, for the legend."""
    return Patch(facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0, label=label)


def bar(axes: Axes, line: float, amount: float, look: tuple[str, str], *, left: float = 0.0, **more: Any) -> None:
    """One part of a horizontal bar, in a colour and a hatch."""
    colour, hatch = look
    how: dict[str, Any] = {"height": 0.62, "edgecolor": "white", "linewidth": 0.5} | more
    axes.barh(line, amount, left=left, facecolor=colour, hatch=hatch, **how)


def whisker(
    axes: Axes, line: float, low: float | None, high: float | None, *, width: float, size: float, colour: str = BLACK
) -> None:
    """A horizontal interval with marked ends; nothing where there is none."""
    if low is not None and high is not None:
        axes.plot([low, high], [line, line], color=colour, linewidth=width, marker="|", markersize=size)


def whisker_key(label: str, *, width: float = 1.4, size: float = 8, colour: str = BLACK) -> Line2D:
    """What such an interval means, for the legend."""
    return Line2D([], [], color=colour, linewidth=width, marker="|", markersize=size, label=label)


def name_lines(axes: Axes, names: Sequence[str]) -> None:
    """Make the vertical axis a list of names from above, without ticks or grid."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 2) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def put_beside(axes: Axes, line: float, words: str) -> None:
    """Words to the right of the axes, at one of its lines."""
    axes.text(1.02, line, words, transform=axes.get_yaxis_transform(), va="center", size=8.5)


def put_time(axes: Axes, time: TimeAxis, end_h: float, *, labelled: bool = True) -> None:
    """Make the horizontal axis one of local time from the start to the end."""
    axes.set_xlim(0.0, end_h)
    axes.set_xticks(time.ticks_h, time.labels)
    for text in axes.get_xticklabels():
        text.set_linespacing(1.1)
    if labelled:
        axes.set_xlabel(time.label)
    else:
        axes.tick_params(labelbottom=False)


def put_numbers(axis: Any, *, most: int = 6, whole: bool = False) -> None:
    """Round tick labels with thousands separated, on one axis."""
    axis.set_major_locator(MaxNLocator(nbins=most, integer=whole, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: compact(float(f"{value:.10g}"))))


def shorten(text: str, most: int) -> str:
    """A name cut to a length that fits, with an ellipsis in the middle so that both ends can be recognised."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (most - 1 - head) :]}"


def write(drawn: Drawn, folder: Path) -> None:
    """Put one figure's three files into the folder, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    for form, content in (("svg", drawn.svg.encode()), ("png", drawn.png), ("csv", drawn.csv.encode())):
        write_whole(folder / f"{drawn.name}.{form}", content, sync=False)


def _csv(cell: object) -> str:
    text = "" if cell is None else repr(float(cell)) if isinstance(cell, float) else str(cell)
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"\n\r') else text


_FONTS = re.compile(r"font-family: ?[^;\"]*sans-serif;? ?")
_IDS = re.compile(r'\b(id="|url\(#|href="#)')


def _plain_svg(svg: str, name: str) -> str:
    """The picture without prolog or foreign addresses, its ids made its own, so that many can stand in one page."""
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r" xmlns:xlink=\"[^\"]*\"", "", svg).replace("xlink:href=", "href=")
    svg = _FONTS.sub("", svg)
    svg = _IDS.sub(lambda found: f"{found.group(1)}{name}-", svg)
    svg = re.sub(r"<style type=\"text/css\">.*?</style>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*</defs>\s*", "", svg, count=1)
    return svg.replace(
        "<svg ",
        '<svg font-family="DejaVu Sans, Verdana, Arial, sans-serif" stroke-linejoin="round" stroke-linecap="butt" ',
        1,
    )
