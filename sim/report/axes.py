"""Figures laid out: axes one below the other under a question and a key, above a line that says where the numbers come from.

Marks are given in the units of the data and placed when all of them are known; lengths on the sheet are points.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as of_each

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from sim.arrays import Floats
from sim.fields.numbers import compact, percent
from sim.report import shapes, style
from sim.report.clock import TimeAxis
from sim.report.shapes import Box, Outline, Shape, Words, width_of
from sim.report.style import Drawn, Look

WIDTH, NARROW = 576.0, 290.0  # of every sheet, and of its shape for a phone, points
TITLE, TEXT, TICK = 12.0, 9.5, 9.0  # sizes of text
EDGE, GAP = 6.0, 14.0
CHARACTER = 5.6  # about what one takes, points
MARKERS = {  # outline of a marker of size 1
    "o": [(0.5 * math.cos(a), 0.5 * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 13)[:-1]],
    "s": [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)],
    "D": [(0, -0.6), (0.6, 0), (0, 0.6), (-0.6, 0)],
    "^": [(0, -0.55), (0.55, 0.45), (-0.55, 0.45)],
    "v": [(0, 0.55), (0.55, -0.45), (-0.55, -0.45)],
    "X": [(-0.5, -0.2), (-0.2, -0.5), (0, -0.3), (0.2, -0.5), (0.5, -0.2), (0.3, 0), (0.5, 0.2), (0.2, 0.5), (0, 0.3), (-0.2, 0.5), (-0.5, 0.2), (-0.3, 0)],
    "|": [(-0.1, -0.5), (0.1, -0.5), (0.1, 0.5), (-0.1, 0.5)],
    "_": [(-0.5, -0.1), (0.5, -0.1), (0.5, 0.1), (-0.5, 0.1)],
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a colour, a hatch or a line means."""

    label: str
    fill: str = ""
    hatch: str = ""
    line: str = ""
    width: float = 1.4
    dash: str = "-"
    marker: str = ""
    size: float = 5.0


def whisker_key(label: str, *, width: float = 1.4, size: float = 8.0, colour: str = style.BLACK) -> Key:
    """What an interval with marked ends means."""
    return Key(label=label, line=colour, width=width, marker="|", size=size)


@dataclass(slots=True)
class _Axis:
    """One direction: limits that hold what was drawn, unless given; and ticks."""

    seen: list[float] = of_each(default_factory=list)
    low: float | None = None
    high: float | None = None
    margin: float = 0.0  # beyond what was seen, in parts of its extent
    log: bool = False
    ticks: Sequence[float] | None = None
    labels: Sequence[str] = ()
    most: int = 6
    whole: bool = False
    share: bool = False  # per cent
    grid: bool = True
    label: str = ""
    room: float = 1e6  # points that it is long

    def see(self, values: ArrayLike) -> None:
        known = np.asarray(values, dtype=float)
        known = known[np.isfinite(known)]
        if known.size:
            self.seen += [float(known.min()), float(known.max())]

    def limits(self) -> tuple[float, float]:
        low, high = min(self.seen, default=0.0), max(self.seen, default=1.0)
        is_flat = math.isclose(low, high, rel_tol=1e-9)  # apart by rounding at most
        beyond = self.margin * ((abs(high) or 1.0) if is_flat else high - low)
        low, high = low - beyond if self.low is None else self.low, high + beyond if self.high is None else self.high
        return (low - 0.5, high + 0.5) if math.isclose(low, high, rel_tol=1e-9) else (low, high)

    def marks(self) -> tuple[Sequence[float], Sequence[str]]:
        low, high = sorted(self.limits())
        if self.ticks is not None:
            inside = [(at, words) for at, words in zip(self.ticks, self.labels, strict=True) if low <= at <= high]
            return [at for at, _ in inside], [words for _, words in inside]
        most = max(2, min(self.most, int(self.room / 45)))
        steps = MaxNLocator(nbins=most, integer=self.whole, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        slack = 1e-9 * (high - low)
        ticks = [float(at) for at in steps if low - slack <= at <= high + slack]
        step = 100 * (steps[1] - steps[0])
        decimals = next((n for n in range(16) if math.isclose(round(step, n), step, rel_tol=1e-3)), 16)
        return ticks, [percent(at, decimals) if self.share else compact(at) for at in ticks]


Place = Callable[[ArrayLike, ArrayLike], Floats]


class Axes:
    """A plane with ticks: what is drawn first lies below."""

    def __init__(self, height: float, title: str = "") -> None:
        self.height = height
        self.title = title
        self.x, self.y = _Axis(), _Axis()
        self.is_open = False  # without the line at the left
        self.sheet_width = WIDTH
        self._marks: list[Callable[[Place, Box], Iterable[Shape]]] = []
        self._beside: list[tuple[float, str]] = []

    # --- marks

    def area(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, look: Look, *, opacity: float = 1.0) -> None:
        """Between two curves."""
        x, low, high = (np.asarray(each, dtype=float) for each in (x, low, high))
        self.x.see(x)
        self.y.see(low)
        self.y.see(high)
        around = np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]])
        self._outline(*around, fill=look[0], hatch=look[1], opacity=opacity)

    def step_area(self, edges: Floats, low: Floats, high: Floats, look: Look) -> None:
        """Between two step curves."""
        self.area(np.repeat(edges, 2)[1:-1], np.repeat(low, 2), np.repeat(high, 2), look)

    def line(
        self, x: ArrayLike, y: ArrayLike, colour: str, *, width: float = 1.4, dash: str = "-", title: str = ""
    ) -> None:
        """Points joined."""
        self.x.see(x)
        self.y.see(y)
        self._outline(x, y, stroke=colour, width=width, dash=dash, title=title)

    def steps(self, edges: Floats, values: Floats, colour: str, *, width: float = 1.1) -> None:
        """A step curve, without drops to zero at its ends."""
        self.line(np.repeat(edges, 2)[1:-1], np.repeat(values, 2), colour, width=width)

    def dots(
        self,
        x: ArrayLike,
        y: ArrayLike,
        colour: str,
        *,
        marker: str = "o",
        size: float = 5.0,
        titles: Sequence[str] = (),
    ) -> None:
        """A marker at each point."""
        self.x.see(x)
        self.y.see(y)
        outline = np.asarray([*MARKERS[marker], (np.nan, np.nan)]) * size

        def draw(place: Place, box: Box) -> Iterable[Shape]:
            at = place(x, y)
            beyond = (at < (box[0] - 0.5, box[1] - 0.5)) | (at > (box[2] + 0.5, box[3] + 0.5)) | ~np.isfinite(at)
            inside = np.asarray(~beyond.any(axis=1))
            each = at[:, None, :] + outline[None, :, :]
            if not titles and inside.any():
                yield Outline(points=each[inside].reshape(-1, 2)[:-1], fill=colour)
            for points, is_inside, title in zip(each, inside, titles, strict=False):
                if is_inside:
                    yield Outline(points=points[:-1], fill=colour, title=title)

        self._marks.append(draw)

    def boxes(self, boxes: Sequence[Box], look: Look, *, title: str = "") -> None:
        """Rectangles, each from x to x and from y to y, that look the same."""
        corners = np.asarray([[(a, c), (b, c), (b, d), (a, d), (np.nan, np.nan)] for a, c, b, d in boxes]).reshape(
            -1, 2
        )[:-1]
        self.x.see(corners[:, 0])
        self.y.see(corners[:, 1])
        self._outline(corners[:, 0], corners[:, 1], fill=look[0], hatch=look[1], title=title)

    def bar(
        self, line: float, amount: float, look: Look, *, left: float = 0.0, height: float = 0.62, title: str = ""
    ) -> None:
        """One part of a horizontal bar."""
        self.boxes([(left, line - height / 2, left + amount, line + height / 2)], look, title=title)

    def whisker(
        self, line: float, low: float | None, high: float | None, *, width: float = 1.4, size: float = 8.0,
        colour: str = style.BLACK, upright: bool = False,
    ) -> None:  # fmt: skip
        """An interval with marked ends, along a line or upright; nothing where there is none."""
        if low is not None and high is not None:
            ends, at = [low, high], [line, line]
            x, y = (at, ends) if upright else (ends, at)
            self.line(x, y, colour, width=width)
            self.dots(x, y, colour, marker="_" if upright else "|", size=size)

    def rule(self, at: float, *, upright: bool = False, dash: str = "-", width: float = 1.1) -> None:
        """A line through the whole plane."""
        (self.x if upright else self.y).see([at])

        def draw(place: Place, box: Box) -> Iterable[Shape]:
            x, y = place([at, at], [at, at]).T
            ends = [(x[0], box[1]), (x[0], box[3])] if upright else [(box[0], y[0]), (box[2], y[0])]
            yield Outline(points=np.asarray(ends), stroke=style.INK, width=width, dash=dash)

        self._marks.append(draw)

    def words(self, x: float, y: float, text: str, *, colour: str = style.INK, up: float = 0.0) -> None:
        """Text in the middle of a point, and so many points above it."""

        def draw(place: Place, _: Box) -> Iterable[Shape]:
            at = place([x], [y])[0]
            yield Words(x=at[0], y=at[1] + TICK * 0.35 - up, text=text, size=TICK, colour=colour, anchor="middle")

        self._marks.append(draw)

    def beside(self, line: float, text: str) -> None:
        """Words at the right of the axes, at one of its lines."""
        self._beside.append((line, text))

    def hover(self, edges: ArrayLike, titles: Sequence[str]) -> None:
        """What is shown while the pointer rests between two edges, anywhere from top to bottom."""

        def draw(place: Place, box: Box) -> Iterable[Shape]:
            x = place(edges, np.zeros(len(titles) + 1))[:, 0]
            for left, right, title in zip(x, x[1:], titles, strict=False):
                corners = [(left, box[1]), (right, box[1]), (right, box[3]), (left, box[3])]
                yield Outline(points=np.asarray(corners), title=title)

        self._marks.append(draw)

    def _outline(self, x: ArrayLike, y: ArrayLike, **look: object) -> None:
        if np.size(x):
            self._marks.append(lambda place, box: [Outline(points=place(x, y), clip=box, **look)])  # type: ignore[arg-type]

    # --- axes

    def name_lines(self, names: Sequence[str]) -> None:
        """Make the vertical axis a list of names from above, without grid."""
        self.y.ticks, self.y.labels, self.y.grid = range(len(names)), names, False
        self.y.low, self.y.high = max(len(names), 2) - 0.5, -0.5
        self.is_open = True

    def time(self, axis: TimeAxis, end_h: float, *, labelled: bool = True) -> None:
        """Make the horizontal axis one of local time from the start to the end."""
        self.x.low, self.x.high, self.x.ticks = 0.0, end_h, axis.ticks_h
        self.x.labels = axis.labels if labelled else [""] * len(axis.labels)
        self.x.label = axis.label if labelled else ""

    # --- layout

    @property
    def left(self) -> float:
        """Room for the labels of the vertical axis."""
        return max((width_of(label, TICK) for label in self.y.marks()[1]), default=0.0) + 6.0

    @property
    def right(self) -> float:
        """Room for the words beside."""
        return max((width_of(text, TICK) + 8.0 for _, text in self._beside), default=10.0)

    @property
    def above(self) -> float:
        """Room for its title."""
        return 15.0 if self.title or self.y.label else 3.0

    @property
    def below(self) -> float:
        """Room for ticks and label of the horizontal axis."""
        rows = max((label.count("\n") + 1 for label in self.x.marks()[1] if label), default=0)
        return rows * TICK * shapes.LINE_HEIGHT + (5.0 if rows else 3.0) + TEXT * 1.4 * len(self._x_label)

    @property
    def _x_label(self) -> list[str]:
        """Lines of the horizontal axis' label."""
        return shapes.wrap(self.x.label, TEXT, self.sheet_width - 2 * EDGE) if self.x.label else []

    def draw(self, box: Box) -> Iterable[Shape]:
        """Everything in these axes, whose plane is *box*."""
        left, top, right, bottom = box
        x_axis, y_axis = self.x, self.y

        def along(axis: _Axis, values: ArrayLike, begin: float, end: float) -> Floats:
            low, high = axis.limits()
            known = np.asarray(values, dtype=float)
            if axis.log:
                known, low, high = np.log(known), math.log(low), math.log(high)
            return begin + (known - low) / (high - low) * (end - begin)

        def place(x: ArrayLike, y: ArrayLike) -> Floats:
            return np.column_stack([along(x_axis, x, left, right), along(y_axis, y, bottom, top)])

        (x_ticks, x_words), (y_ticks, y_words) = x_axis.marks(), y_axis.marks()
        at_x, at_y = along(x_axis, x_ticks, left, right), along(y_axis, y_ticks, bottom, top)
        grid = [[(x, top), (x, bottom), (np.nan, np.nan)] for x in at_x if x_axis.grid]
        grid += [[(left, y), (right, y), (np.nan, np.nan)] for y in at_y if y_axis.grid]
        if grid:
            yield Outline(points=np.asarray(grid).reshape(-1, 2)[:-1], stroke=style.PALE, width=0.8)
        for mark in self._marks:
            yield from mark(place, box)
        frame = [(left, bottom), (right, bottom)] if self.is_open else [(left, top), (left, bottom), (right, bottom)]
        yield Outline(points=np.asarray(frame), stroke=style.QUIET, width=0.8)
        yield from self._labels(box, (at_x, x_words), (at_y, y_words))
        for line, text in self._beside:
            y = along(y_axis, [line], bottom, top)[0]
            yield Words(x=right + 6.0, y=y + TICK * 0.35, text=text, size=TICK, colour=style.INK)

    def _labels(self, box: Box, x: tuple[Floats, Sequence[str]], y: tuple[Floats, Sequence[str]]) -> Iterable[Shape]:
        left, top, right, bottom = box
        width = self.sheet_width
        taken = 0.0
        for at, label in zip(*x, strict=True):
            wide = max(width_of(line, TICK) for line in label.split("\n")) / 2
            centre = min(max(float(at), EDGE + wide), width - EDGE - wide)
            if centre - wide < taken:
                continue  # would lie on the one before
            taken = centre + wide + 4.0
            for row, text in enumerate(label.split("\n") if label else ()):
                y_of = bottom + 4.0 + TICK * shapes.LINE_HEIGHT * (row + 1) - 2.0
                yield Words(x=centre, y=y_of, text=text, size=TICK, colour=style.INK, anchor="middle")
        for at, label in zip(*y, strict=True):
            yield Words(x=left - 5.0, y=float(at) + TICK * 0.35, text=label, size=TICK, colour=style.INK, anchor="end")
        base = bottom + self.below - 3.0 - TEXT * 1.4 * (len(self._x_label) - 1)
        for row, line in enumerate(self._x_label):
            half = width_of(line, TEXT) / 2
            centre = max(min((left + right) / 2, width - EDGE - half), EDGE + half)
            y_of = base + TEXT * 1.4 * row
            yield Words(x=centre, y=y_of, text=line, size=TEXT, colour=style.QUIET, anchor="middle")
        words = _parted(self.title, self.y.label)
        if words:
            words = style.shorten(words, int((width - 2 * EDGE) / CHARACTER))
            at = max(EDGE, min(left, width - EDGE - width_of(words, TEXT)))
            yield Words(x=at, y=top - 5.0, text=words, size=TEXT, colour=style.INK)


def _parted(*parts: str) -> str:
    """Those that say something, in one line."""
    return "  \N{MIDDLE DOT}  ".join(filter(None, parts))


class Sheet:
    """A figure: its question, its key, its axes one below the other, and its origin small at the foot."""

    def __init__(self, name: str, question: str, origin: Iterable[str]) -> None:
        self.name, self.question = name, question
        self._footer = _parted(*origin)
        self._axes: list[Axes] = []
        self._keys: list[Key] = []

    def axes(self, height: float, title: str = "") -> Axes:
        """New axes below those that there are, so many points high."""
        self._axes.append(Axes(height, title))
        return self._axes[-1]

    def key(self, *keys: Key) -> None:
        """What colours and lines mean, above all axes, read row by row."""
        self._keys += keys

    def finish(self, *, alt: str, rows: Sequence[Sequence[object]]) -> Drawn:
        """The picture as vectors, for a wide and for a narrow page, and as pixels; its numbers (the first row names the columns)."""
        drawn, size = self._laid_out(WIDTH)
        small, small_size = self._laid_out(NARROW)
        small = [
            shape for shape in small if isinstance(shape, Words) or shape.fill or shape.stroke
        ]  # nothing hovers over a phone
        return Drawn(
            name=self.name, title=self.question, alt=alt, svg=shapes.to_svg(self.name, drawn, size, self.question, alt),
            narrow=shapes.to_svg(f"{self.name}-narrow", small, small_size, self.question, alt),
            png=shapes.to_png(drawn, size), csv=style.csv_text(rows),
        )  # fmt: skip

    def _laid_out(self, width: float) -> tuple[list[Shape], tuple[float, float]]:
        """Every shape of a sheet of this width, and its size."""
        drawn: list[Shape] = []
        y = EDGE
        for line in shapes.wrap(self.question, TITLE, width - 2 * EDGE, bold=True):
            y += TITLE * shapes.LINE_HEIGHT
            drawn.append(Words(x=EDGE, y=y - 3.0, text=line, size=TITLE, colour=style.INK, bold=True))
        y = self._draw_keys(drawn, y + 4.0, width)
        left = EDGE + max((axes.left for axes in self._axes), default=0.0)
        right = width - max((axes.right for axes in self._axes), default=0.0)
        for axes in self._axes:
            axes.sheet_width, axes.x.room = width, right - left
            y += axes.above
            drawn += axes.draw((left, y, right, y + axes.height))
            y += axes.height + axes.below + 6.0
        for line in shapes.wrap(self._footer, TICK, width - 2 * EDGE):
            y += TICK * shapes.LINE_HEIGHT
            drawn.append(Words(x=EDGE, y=y, text=line, size=TICK, colour=style.QUIET))
        return drawn, (width, math.ceil(y + EDGE))

    def _draw_keys(self, drawn: list[Shape], y: float, width: float) -> float:
        x, high = EDGE, TEXT * 1.5
        for key in self._keys:
            wide = 24.0 + width_of(key.label, TICK) + GAP
            if x > EDGE and x + wide - GAP > width - EDGE:
                x, y = EDGE, y + high
            middle = y + high / 2
            if key.fill:
                corners = [(x, middle - 4), (x + 18, middle - 4), (x + 18, middle + 4), (x, middle + 4)]
                drawn.append(Outline(points=np.asarray(corners), fill=key.fill, hatch=key.hatch))
            if key.line and key.dash:
                ends = np.asarray([(x, middle), (x + 18, middle)])
                drawn.append(Outline(points=ends, stroke=key.line, width=key.width, dash=key.dash))
            if key.marker:
                centres = [x, x + 18] if key.marker == "|" else [x + 9]
                outline = np.asarray(MARKERS[key.marker]) * key.size
                drawn += [Outline(points=outline + np.array([centre, middle]), fill=key.line) for centre in centres]
            drawn.append(Words(x=x + 23, y=middle + TICK * 0.35, text=key.label, size=TICK, colour=style.INK))
            x += wide
        return y + (high + 3.0 if self._keys else 0.0)
