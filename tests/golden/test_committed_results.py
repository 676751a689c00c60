"""The committed results are what their command makes today, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.cli import main

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "results" / "committed" / "demo"
COMPARED = ("scenario.toml", "bill.csv", "figures/cost_by_group.csv")


def differences(was: Any, now: Any, where: str = "summary") -> Iterator[str]:
    """What the committed object says otherwise than today's; a metric that is new today is no difference.

    The engine is none either: `auto` picks it by the speed of this machine, and both give the same bits.
    """
    if where == "summary.engine":
        return
    if isinstance(was, dict) and isinstance(now, dict):
        for name, value in was.items():
            yield from differences(value, now.get(name), f"{where}.{name}")
    elif was != now:
        yield f"{where}: {was} is now {now}"


def test_a_moved_figure_is_found() -> None:
    """The comparison must be able to fail."""
    was = {"a": 1.0, "b": {"c": 2.0}}
    assert list(differences(was, {"a": 1.0, "b": {"c": 2.0, "new": 1}})) == []
    assert list(differences(was, {"a": 1.0, "b": {"c": 2.0000000000000004}}))
    assert list(differences(was, {"a": 1.0}))
    assert not list(differences({"engine": "simpy"}, {"engine": "compiled"}))


def test_the_demo_gives_the_committed_figures(tmp_path: Path) -> None:
    """Anyone who quotes a figure must learn that it changed.

    If it changed on purpose: `vmfleet demo --out results/committed/demo`, and a [RESULTS] line in CHANGELOG.md.
    """
    with pytest.raises(SystemExit) as end:
        main(["demo", "--quiet", "--out", str(tmp_path / "demo")])
    assert not end.value.code
    for name in COMPARED:
        assert (tmp_path / "demo" / name).read_text() == (KEPT / name).read_text(), f"{name} differs"
    was = json.loads((KEPT / "summary.json").read_text())
    now = json.loads((tmp_path / "demo" / "summary.json").read_text())
    moved = list(differences(was, now))
    assert not moved, "\n".join(moved)


def test_every_committed_figure_has_its_numbers_beside_it() -> None:
    """A figure without numbers can't be checked."""
    figures = sorted((ROOT / "results" / "committed").rglob("*.svg"))
    assert figures
    for figure in figures:
        assert figure.with_suffix(".csv").exists(), figure
        assert (figure.parents[1] / "provenance.json").exists(), figure
