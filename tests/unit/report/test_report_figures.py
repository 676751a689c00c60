"""Figures where numbers are negative, rounded, small or unknown: bars, ticks and paths still show what they say."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from sim.report import folder, style
from sim.report.axes import Axes
from sim.report.ready import ready_curve
from sim.report.shapes import Outline, Words, to_png, to_svg
from sim.report.studies import Study
from sim.report.waterfall import steps, waterfall
from sim.studies.cost_words import cost_answer

SVG = "{http://www.w3.org/2000/svg}"


def compared(before: float, causes: dict[str, float]) -> dict[str, Any]:
    """The content of a comparison of one variant whose costs differ by these causes."""
    change = sum(causes.values())
    entry = {"mean": change, "relative": change / before, "low": change, "high": change, "verdict": "better"}
    return {
        "base": "today", "currency": "EUR", "confidence": 0.95, "differences": {"new": {"cost.total": entry}},
        "causes": {"new": [{"label": label, "mean": mean} for label, mean in causes.items()]},
        "base_metrics": {"cost.total": {"mean": before}}, "seed": 1, "replications": 2,
    }  # fmt: skip


def drawn_boxes(svg: str) -> list[tuple[float, float]]:
    """Left and right end of each bar that says what it is while the pointer rests on it, points."""
    ends = []
    for path in ET.fromstring(svg).iter(f"{SVG}path"):
        if path.find(f"{SVG}title") is not None:
            start, *moves = path.attrib["d"].replace("M", "").split("H")
            ends.append((float(start.split()[0]), float(moves[0].split("V")[0])))
    return ends


def test_a_waterfall_that_goes_below_nothing_shows_all_of_each_bar(tmp_path: Path) -> None:
    """Reservations that are then unused: 495, down by 789 to -294, and up by 789 again; both bars have the same length."""
    content = compared(495.0, {"reserved": -789.0, "unused": 789.5})
    study = Study(
        folder=tmp_path,
        content=content,
        provenance={},
        seed=1,
        replications=2,
        confidence=0.95,
        currency="EUR",
        title="t",
    )
    drawn = waterfall(study)
    assert drawn is not None
    bars = [abs(right - left) for left, right in drawn_boxes(drawn.svg)]
    assert bars[1] == pytest.approx(bars[2], abs=0.6)
    assert bars[1] / bars[0] == pytest.approx(789 / 495, rel=0.01)
    assert min(min(ends) for ends in drawn_boxes(drawn.svg)) > 0


def test_bars_of_a_waterfall_have_the_figures_of_the_table() -> None:
    """Three causes of -3.33 and a bit make -10.00 only if one is rounded the other way."""
    answer = cost_answer(compared(100.0, dict.fromkeys("abc", -10 / 3)))
    shown = [words.replace("\N{MINUS SIGN}", "-") for *_, words in steps(answer, 0, answer.scale)[1:-1]]
    table = answer.savings[0].rounded_causes(answer.scale)
    assert [float(words) for words in shown] == list(table.values())
    assert sum(float(words) for words in shown) == pytest.approx(-10.0)


@pytest.mark.parametrize("high", [0.003, 0.04, 0.15, 0.5, 1.0])
def test_labels_of_a_share_are_its_ticks(high: float) -> None:
    """A label that is rounded moves its line: steps of 2.5 % are not those of "0, 2, 5, 8"."""
    axes = Axes(100.0)
    axes.y.share, axes.y.low, axes.y.high = True, 0.0, high
    ticks, labels = axes.y.marks()
    assert [float(label.rstrip("\N{NO-BREAK SPACE}%")) for label in labels] == pytest.approx([100 * at for at in ticks])


@pytest.mark.parametrize("low", [0.0, 1e-9, 0.998, 9041.1])
@pytest.mark.parametrize("apart", [0.0, 1e-16, 1e-13])
def test_values_that_are_apart_by_rounding_alone_have_an_axis(low: float, apart: float) -> None:
    """Means of a metric without spread differ in their last bits: the axis shows one value, not its noise."""
    for share in (True, False):
        axes = Axes(100.0)
        axes.y.share, axes.y.margin = share, 0.12
        axes.y.see([low, low * (1 + apart)])
        ticks, labels = axes.y.marks()
        assert len(set(labels)) == len(ticks) > 1
        if low > 1e-9:
            assert ticks[-1] - ticks[0] > 0.05 * low


def test_a_gap_in_a_line_is_a_gap() -> None:
    """Unknown heights end a line like unknown places do, as vectors and as pixels."""
    points = np.asarray([(10, 10), (20, np.nan), (30, 10), (40, 10), (50, np.nan)])
    shapes = [Outline(points=points, stroke="#000000", width=2.0), Outline(points=points[1:2], stroke="#000000")]
    svg = to_svg("gap", shapes, (60, 20), "gap", "a gap")
    assert [path.attrib["d"] for path in ET.fromstring(svg).iter(f"{SVG}path")] == ["M10 10M30 10H40", ""]
    without = [Outline(points=np.asarray([(30.0, 10.0), (40.0, 10.0)]), stroke="#000000", width=2.0)]
    assert to_png(shapes, (60, 20)) == to_png(without, (60, 20)) != to_png([], (60, 20))


def test_what_xml_forbids_is_replaced_everywhere() -> None:
    """Names from a tag or a file may hold control characters; one in a title makes the whole picture unreadable."""
    bad = "a\x01b"
    box = Outline(points=np.asarray([(0.0, 0.0), (9.0, 0.0), (9.0, 9.0)]), fill="#000000", title=bad)
    root = ET.fromstring(to_svg("n", [box, Words(x=0, y=0, text=bad, size=9, colour="#000000")], (9, 9), bad, bad))
    assert [each.text for each in root.iter() if each.text and "a" in each.text] == ["a\N{REPLACEMENT CHARACTER}b"] * 4


def test_a_group_that_is_never_ready_has_a_line_at_nothing(result_folder: Callable[..., Path]) -> None:
    """It has no moment to be ready at, and the figure ends with the others."""
    run = folder.read(result_folder(groups=("dev", "web"), vms=4, replications=2))
    share, wait_s, none = np.asarray([0.5, 1.0]), np.asarray([60.0, 90.0]), np.asarray([])
    ready, never = ((share, wait_s),) * 2, ((none, none),) * 2
    vars(run.stored)["ready_curve"] = {"": ready, "dev": ready, "web": never}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = ready_curve(run)
    assert drawn is not None
    rows = [line.split(",") for line in drawn.csv.splitlines()[1:]]
    assert max(float(seconds) for _, seconds, _ in rows) == pytest.approx(1.1 * np.quantile(wait_s, 0.995))
    assert {float(part) for group, _, part in rows if group == "web"} == {0.0}


def test_page_and_figures_have_their_colours_from_one_table() -> None:
    """A colour that changes in the table changes on the page, too."""
    sheet = Path(style.__file__).with_name("page.css").read_text(encoding="utf-8").lower()
    mine = {style.INK, style.QUIET, style.RULE, style.WHITE}
    assert not [colour for colour in mine | {style.DARK[each] for each in mine} if colour.lower() in sheet]
    assert all(f"var(--{name})" in sheet for name in ("ink", "quiet", "rule", "paper"))
