"""What a figure is made of: paths and words in points from the upper left corner, written as vectors (SVG) or as pixels (PNG)."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import matplotlib.backends.backend_agg as agg
import numpy as np
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sim.arrays import Floats

PNG_DPI = 200  # 1,600 pixels wide: sharp on a slide
LINE_HEIGHT = 1.2
HATCH_GAP = 5.0  # points between the lines of a hatch
TENTHS = 10.0  # points are written to a tenth
DASHES = MappingProxyType({"-": (), "--": (5.0, 2.5), ":": (1.2, 2.0), "-.": (6.0, 2.0, 1.2, 2.0)})
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One or many lines or areas that look the same; a point that is not known begins the next one."""

    points: Floats  # n x 2, points
    fill: str = ""
    hatch: str = ""
    stroke: str = ""
    width: float = 0.0
    dash: str = "-"
    opacity: float = 1.0
    clip: Box | None = None
    title: str = ""  # shown while the pointer rests on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A line of text; *x*, *y* is its start, middle or end on the base line."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    anchor: str = "start"  # start | middle | end
    bold: bool = False


Shape = Outline | Words


def _unknown(points: Floats) -> NDArray[np.bool_]:
    """Points without a place: where one outline ends and the next begins."""
    return np.asarray(~np.isfinite(points).all(axis=1))


@lru_cache(maxsize=64)
def _font(pixels: float, bold: bool) -> ImageFont.FreeTypeFont:
    """DejaVu Sans comes with matplotlib, so that pixels are the same everywhere."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(FilePath(mpl.get_data_path()) / "fonts" / "ttf" / name), pixels)


@lru_cache(maxsize=4096)
def width_of(text: str, size: float, bold: bool = False) -> float:
    """How wide a line of text is, points."""
    return float(_font(100.0, bold).getlength(text)) * size / 100.0


def wrap(text: str, size: float, most: float, bold: bool = False) -> list[str]:
    """The text in lines of at most so many points, where its words allow it."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width_of(longer, size, bold) > most:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


# --- vectors ----------------------------------------------------------------------------------------------------------


def to_svg(name: str, shapes: Sequence[Shape], size: tuple[float, float], title: str, describe: str) -> str:
    """The picture as SVG without a style sheet; colours are attributes, so that a page may give them other values."""
    clips: dict[Box | None, str] = {shape.clip: "" for shape in shapes if isinstance(shape, Outline) and shape.clip}
    hatches = {(shape.fill, shape.hatch): "" for shape in shapes if isinstance(shape, Outline) and shape.hatch}
    parts, defined = [], []
    for number, clip in enumerate(clips):
        clips[clip] = f"{name}-c{number}"
        left, top, right, bottom = map(_tenth, clip or (0.0, 0.0, 0.0, 0.0))
        outline = f"M{left} {top}H{right}V{bottom}H{left}Z"
        defined.append(f'<clipPath id="{clips[clip]}"><path d="{outline}"/></clipPath>')
    for number, (colour, hatch) in enumerate(hatches):
        hatches[colour, hatch] = f"{name}-h{number}"
        gap = f"{HATCH_GAP:g}"
        defined.append(
            f'<pattern id="{hatches[colour, hatch]}" patternUnits="userSpaceOnUse" width="{gap}" height="{gap}">'
            f'<path d="M0 0H{gap}V{gap}H0Z" fill="{colour}"/><path d="{_HATCHES[hatch]}" fill="none" stroke="#ffffff" stroke-width="0.7"/></pattern>'
        )
    for shape in shapes:
        parts.append(_svg_words(shape) if isinstance(shape, Words) else _svg_outline(shape, clips, hatches))
    wide, high = map(_tenth, size)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}pt" height="{high}pt" role="img" '
        f'aria-labelledby="{name}-title {name}-desc" font-family="DejaVu Sans, Verdana, Arial, sans-serif">'
        f'<title id="{name}-title">{_xml(title)}</title>\n<desc id="{name}-desc">{_xml(describe)}</desc>\n'
        + (f"<defs>{''.join(defined)}</defs>\n" if defined else "")
        + "\n".join(parts)
        + "\n</svg>\n"
    )


_HATCHES = MappingProxyType(
    {
        "//": "M-1 1L1 -1M-1 6L6 -1M4 6L6 4",
        "\\\\": "M-1 4L1 6M-1 -1L6 6M4 -1L6 1",
        "..": "M2 2.5H3.2",
        "xx": "M-1 6L6 -1M-1 -1L6 6",
        "--": "M0 2.5H5",
        "++": "M0 2.5H5M2.5 0V5",
        "oo": "M1.5 2.5a1 1 0 1 0 2 0a1 1 0 1 0 -2 0",
    }
)


def _tenth(value: float) -> str:
    return f"{round(value * TENTHS) / TENTHS:g}" if abs(value) < 1e5 else f"{value:.0f}"


def _svg_outline(shape: Outline, clips: dict[Box | None, str], hatches: dict[tuple[str, str], str]) -> str:
    fill = f"url(#{hatches[shape.fill, shape.hatch]})" if shape.hatch else shape.fill or "none"
    look = f' fill="{fill}"'
    if shape.stroke:
        look += f' stroke="{shape.stroke}" stroke-width="{shape.width:g}"'
        if DASHES[shape.dash]:
            look += f' stroke-dasharray="{" ".join(f"{each:g}" for each in DASHES[shape.dash])}"'
    if shape.opacity < 1.0:
        look += f' opacity="{shape.opacity:g}"'
    if shape.clip:
        look += f' clip-path="url(#{clips[shape.clip]})"'
    if not shape.fill and not shape.stroke:
        look += ' pointer-events="all"'
    path = f'<path d="{_path_data(shape.points, closed=bool(shape.fill) or not shape.stroke)}"{look}'
    return f"{path}><title>{_xml(shape.title)}</title></path>" if shape.title else f"{path}/>"


def _path_data(points: Floats, *, closed: bool) -> str:
    """Points to a tenth; one after another that are the same there are written once."""
    said: list[str] = []
    before: tuple[float, float] | None = None
    for (x, y), ends in zip((np.round(points * TENTHS) / TENTHS).tolist(), _unknown(points).tolist(), strict=True):
        if ends:
            said.append("Z" if closed and before else "")
            before = None
        elif before is None:
            said.append(f"M{x:g} {y:g}")
            before = x, y
        elif (x, y) != before:
            said.append(f"H{x:g}" if y == before[1] else f"V{y:g}" if x == before[0] else f"L{x:g} {y:g}")
            before = x, y
    return "".join(said) + ("Z" if closed and before else "")


_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _xml(text: str, *, quote: bool = True) -> str:
    """As XML may hold it."""
    return escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text), quote)


def _svg_words(words: Words) -> str:
    more = "" if words.anchor == "start" else f' text-anchor="{words.anchor}"'
    more += ' font-weight="bold"' if words.bold else ""
    place = f'x="{_tenth(words.x)}" y="{_tenth(words.y)}"'
    return (
        f'<text {place} font-size="{words.size:g}" fill="{words.colour}"{more}>{_xml(words.text, quote=False)}</text>'
    )


# --- pixels -----------------------------------------------------------------------------------------------------------

_ANCHORS = MappingProxyType({"start": "ls", "middle": "ms", "end": "rs"})  # Pillow's names; s is the base line


def to_png(shapes: Sequence[Shape], size: tuple[float, float]) -> bytes:
    """The same picture in pixels on white."""
    scale = PNG_DPI / 72.0
    wide, high = round(size[0] * scale), round(size[1] * scale)
    renderer: Any = agg.RendererAgg(wide, high, PNG_DPI)  # type: ignore[no-untyped-call]
    to_pixels = Affine2D().scale(scale, -scale).translate(0.0, high)  # Agg counts from below
    for shape in shapes:
        if isinstance(shape, Outline) and (shape.fill or shape.stroke):
            _draw_outline(renderer, shape, to_pixels, scale, high)
    image = Image.new("RGB", (wide, high), "white")
    pixels = Image.fromarray(np.asarray(renderer.buffer_rgba()))
    image.paste(pixels, mask=pixels)
    draw = ImageDraw.Draw(image)
    for shape in shapes:
        if isinstance(shape, Words):
            place, font = (shape.x * scale, shape.y * scale), _font(round(shape.size * scale, 1), shape.bold)
            draw.text(place, shape.text, fill=shape.colour, font=font, anchor=_ANCHORS[shape.anchor])
    written = io.BytesIO()
    image.save(written, format="png", compress_level=1)
    return written.getvalue()


def _draw_outline(renderer: Any, shape: Outline, to_pixels: Affine2D, scale: float, high: int) -> None:
    look = renderer.new_gc()
    look.set_linewidth(shape.width * scale if shape.stroke else 0.0)
    look.set_capstyle("butt")
    if shape.stroke:
        look.set_foreground(shape.stroke)
    if DASHES[shape.dash]:
        look.set_dashes(0.0, [each * scale for each in DASHES[shape.dash]])
    look.set_alpha(shape.opacity)
    if shape.clip:
        left, top, right, bottom = (each * scale for each in shape.clip)
        look.set_clip_rectangle(Bbox([[left, high - bottom], [right, high - top]]))
    if shape.hatch:
        look.set_hatch(shape.hatch)
        look.set_hatch_color("#ffffff")
        look.set_hatch_linewidth(0.7)
    begins = _unknown(shape.points)
    known = shape.points[~begins]
    if not len(known):
        return
    codes = np.full(len(known), Path.LINETO, dtype=Path.code_type)
    starts = np.flatnonzero(begins)
    at = np.concatenate([[0], starts - np.arange(len(starts))])
    codes[at[at < len(known)]] = Path.MOVETO
    colour = tuple(int(shape.fill[i : i + 2], 16) / 255 for i in (1, 3, 5)) if shape.fill else None
    renderer.draw_path(look, Path(known, codes), to_pixels, colour)
    look.restore()
