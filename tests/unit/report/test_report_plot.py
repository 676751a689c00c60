"""The figure that a script draws of its answer."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sim import InputError, plot
from sim.statistics.intervals import estimate_mean


def test_a_plot_leaves_picture_and_numbers_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    """Found and worked-out lines lie in one figure; what it shows can be read beside it."""
    output = {1: estimate_mean([0.1, 0.2, 0.3]), 2: estimate_mean([0.2, 0.3])}
    for name in ("a", "b"):
        png = plot(
            tmp_path / name, "late", "Who is late?", {"found": output, "by hand": {1: 0.2, 2: 0.25}},
            x="hosts", y="late", percent=True,
        )  # fmt: skip
        assert png == tmp_path / name / "figures" / "late.png"
    for form in ("svg", "png", "csv"):
        one, two = (tmp_path / name / "figures" / f"late.{form}" for name in ("a", "b"))
        assert one.read_bytes() == two.read_bytes()
    rows = list(csv.reader((tmp_path / "a" / "figures" / "late.csv").open()))
    assert rows[0] == ["line", "hosts", "late", "low", "high"]
    assert [row[:2] for row in rows[1:]] == [["found", "1"], ["found", "2"], ["by hand", "1"], ["by hand", "2"]]
    assert float(rows[1][3]) == pytest.approx(output[1].low)
    assert rows[3][3:] == ["", ""]
    svg = (tmp_path / "a" / "figures" / "late.svg").read_text()
    assert all(word in svg for word in ("Who is late?", "found", "by hand", "hosts"))


def test_places_may_be_words_and_a_lone_estimate_has_no_interval(tmp_path: Path) -> None:
    """Impacts have no order on a number line, and one replication has no bounds."""
    plot(tmp_path, "lost", "What is lost?", {"found": {"freeze": estimate_mean([1.0])}}, x="impact", y="hours lost")
    assert "freeze" in (tmp_path / "figures" / "lost.svg").read_text()


@pytest.mark.parametrize("order", [(1, 2, 3), (2, 1, 3), (3, 1, 2)])
def test_a_point_without_a_mean_is_a_gap_wherever_it_stands(tmp_path: Path, order: tuple[int, ...]) -> None:
    """A metric that no replication defines leaves no point, and the axis begins at 0 as without it."""
    known = {1: estimate_mean([0.4, 0.6]), 2: estimate_mean([]), 3: estimate_mean([4.0, 6.0])}
    plot(tmp_path, "gap", "What?", {"found": {place: known[place] for place in order}}, x="x", y="y")
    svg = (tmp_path / "figures" / "gap.svg").read_text()
    assert "nan" not in svg
    assert ">0</text>" in svg


def test_a_line_without_points_is_refused(tmp_path: Path) -> None:
    """An empty line is a script's mistake; an empty picture would hide it."""
    with pytest.raises(InputError, match="without points"):
        plot(tmp_path, "none", "What?", {"found": {}}, x="x", y="y")
