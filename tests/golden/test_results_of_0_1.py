"""Result folders that version 0.1.0 wrote (commit f8da326, `scenarios/one_vm_one_day.toml`): read and drawn."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import sim
from sim.errors import ResultError
from sim.report.build import build_report

OLD = Path(__file__).with_name("results_of_0_1")
FOLDERS = ("run", "compare", "sweep", "size", "sensitivity")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_report_is_built_from_every_kind_of_folder(name: str, tmp_path: Path) -> None:
    """A report of an old folder says what it holds, with no hole where a newer version would have a figure."""
    folder = shutil.copytree(OLD / name, tmp_path / name)
    page = build_report(folder).read_text()
    assert "one-vm-one-day" in page
    assert "None" not in page.split("<body")[1]


def test_a_run_is_read_with_its_tables() -> None:
    """One D4s_v5 that is wanted for ten hours: billed from when it runs, 10 + 50 s later, to when it is deallocated."""
    result = sim.read(OLD / "run")
    frame = result.replications
    billed = frame[(frame.metric == "billed_hours") & (frame.group == "")].value
    assert billed.to_list() == pytest.approx(2 * [10 - 60 / 3600])
    assert result.summary["replications"] == 2 == result.bill.replication.nunique()
    assert result.timeline.vms.sum() == pytest.approx(2 * 24, rel=1e-3)


def test_a_folder_without_what_it_needs_is_refused_in_words(tmp_path: Path) -> None:
    """The file that is missing is named."""
    folder = shutil.copytree(OLD / "run", tmp_path / "run")
    (folder / "summary.json").unlink()
    with pytest.raises(ResultError, match=r"no summary\.json here"):
        sim.read(folder)
