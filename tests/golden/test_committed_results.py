"""The committed results are what their command makes today, to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.cli import main

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "results" / "committed" / "demo"
COMPARED = ("summary.json", "scenario.toml", "bill.csv", "figures/single_vms.csv")


def test_the_demo_gives_the_committed_figures(tmp_path: Path) -> None:
    """A moved figure is news for everybody who quotes it.

    If it moved on purpose: `vmfleet demo --out results/committed/demo`, and a [RESULTS] line in CHANGELOG.md.
    """
    with pytest.raises(SystemExit) as end:
        main(["demo", "--quiet", "--out", str(tmp_path / "demo")])
    assert not end.value.code
    for name in COMPARED:
        assert (tmp_path / "demo" / name).read_text() == (KEPT / name).read_text(), f"{name} differs"


def test_every_committed_figure_has_its_numbers_beside_it() -> None:
    """A figure without numbers can't be checked."""
    figures = sorted((ROOT / "results" / "committed").rglob("*.svg"))
    assert figures
    for figure in figures:
        assert figure.with_suffix(".csv").exists(), figure
        assert (figure.parents[1] / "provenance.json").exists(), figure
