"""How every figure looks: its colours by light and dark, and what is written of it; the same bytes each time."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sim.files import write_whole
from sim.lifecycle.power import PowerState

# Okabe and Ito's palette, which people with any colour vision can tell apart; hatches and dashes say it once more.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
INK, QUIET, RULE, FAINT, PALE, WHITE = "#1f2933", "#52606d", "#cbd2d9", "#d9dfe5", "#e4e7eb", "#ffffff"
DARK: Mapping[str, str] = MappingProxyType(
    {  # what a colour of a figure becomes on a dark page; a colour that isn't here stays
        BLACK: "#ffffff",
        INK: "#e4e7eb",
        QUIET: "#a9b4c0",
        RULE: "#4a5663",
        FAINT: "#3d4854",
        PALE: "#2c343d",
        WHITE: "#161b21",
        BLUE: "#2b8fd0",
        GREEN: "#12ab80",
        VERMILLION: "#e8702a",
    }
)
Look = tuple[str, str]  # colour, hatch
MOST_SAID = 24  # points in the words that replace the figure for a screen reader
STATE_LOOK: Mapping[PowerState, Look] = MappingProxyType(
    {
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
SERIES: Sequence[Look] = (
    (BLUE, ""), (ORANGE, "//"), (GREEN, ".."), (PURPLE, "\\\\"), (SKY, "xx"), (VERMILLION, "--"), (QUIET, "++"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One finished figure: its picture, and the numbers that it shows."""

    name: str
    title: str  # the question that it answers
    alt: str  # what a reader who can't see it should know
    svg: str
    narrow: str  # the same for a phone
    png: bytes
    csv: str


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


def csv_text(rows: Sequence[Sequence[object]]) -> str:
    """The numbers of a figure; the first row names the columns."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()
