"""Reading an invoice takes work in proportion to its rows: counted in function calls, which no busy machine changes."""

import cProfile
import pstats
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app


def calls(rows: list[str], folder: Path) -> int:
    """Function calls that `vmfleet bill` makes for an invoice of these lines."""
    file = folder / "invoice.csv"
    file.write_text("\n".join(rows) + "\n")
    profile = cProfile.Profile()
    profile.enable()
    found = CliRunner().invoke(app, ["bill", str(file), "--json"])
    profile.disable()
    assert found.exit_code == 0, found.exception
    return pstats.Stats(profile).total_calls


def test_four_times_the_rows_take_four_times_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The start of an invoice was once looked for in all rows, for each of them: 20,000 rows took minutes."""
    monkeypatch.chdir(tmp_path)
    fleet = {"name": "f", "horizon": "10d", "group": [{"name": "vm", "count": 40, "disks": ["P10"]}]}
    Path("f.toml").write_text(sim.from_dict(fleet).to_toml())
    assert (
        CliRunner()
        .invoke(app, ["run", "f.toml", "-n", "1", "--no-report", "--engine", "simpy", "--focus", "i.csv"])
        .exit_code
        == 0
    )
    head, *rows = Path("i.csv").read_text().splitlines()
    assert len(rows) >= 800
    calls([head, *rows[:50]], tmp_path)  # what is loaded once
    few, many = (calls([head, *rows[:count]], tmp_path) for count in (200, 800))
    assert many <= 4 * few
