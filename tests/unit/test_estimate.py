"""What a run takes is said before it starts; what exceeds the machine is asked about, in well under a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import sim
from sim.cli.app import app
from sim.errors import MachineError
from sim.runs import estimate as module
from sim.runs.estimate import WorkEstimate, estimate, refuse_excess

DAY = {"name": "f", "horizon": "2d", "replications": 2}
HUGE: dict[str, tuple[str, dict[str, Any]]] = {
    "a billion VMs": ("2d", {"count": 10**9}),
    "a billion requests an hour": ("2d", {"arrivals": {"rate": 1e9, "lifetime": "1h"}}),
    "batches of a million": ("2d", {"arrivals": {"rate": 100.0, "lifetime": "1h", "batch": {"sizes": [10**6], "weights": [1]}}}),
}  # fmt: skip


def plan(group: dict[str, Any], horizon: str = "2d") -> Any:
    """The plan of one group."""
    return sim.from_dict({**DAY, "horizon": horizon, "group": [{"name": "g", **group}]}).fleet_plan()


@pytest.mark.parametrize("what", HUGE)
def test_what_exceeds_the_machine_is_refused_before_it_starts(what: str):
    """Each was accepted by `validate`, and then took gibibytes, or had no end."""
    horizon, group = HUGE[what]
    wanted = plan(group, horizon)
    found = estimate([wanted], 2)
    with pytest.raises(MachineError, match="--yes"):
        refuse_excess(found)


def test_an_ordinary_month_is_not_asked_about():
    """Four thousand VMs, a thousand replications."""
    wanted = plan({"count": 4000, "cycle": {"on": "8h", "off": "16h"}}, "28d")
    assert not estimate([wanted], 1000).excess


def test_the_estimate_grows_with_the_work_and_processes_share_the_time():
    """Events in proportion; two processes take half the time and twice the memory."""
    one = estimate([plan({"count": 2000})], 10, engine="simpy")
    more = estimate([plan({"count": 4000})], 10, engine="simpy")
    both = estimate([plan({"count": 2000})], 10, engine="simpy", processes=2)
    assert more.events == 2 * one.events == 4000 * 6 * 10
    assert both.seconds == pytest.approx(one.seconds / 2)
    assert both.memory_bytes == pytest.approx(2 * one.memory_bytes)
    assert estimate([plan({"count": 2000})] * 3, 10, engine="simpy").events == 3 * one.events


def test_the_events_are_right_within_a_factor_of_three(tmp_path: Path):
    """Against the moves of a run; a machine's speed is no matter of a test."""
    scenario = sim.from_dict({**DAY, "group": [{"name": "g", "count": 30, "cycle": {"on": "2h", "off": "2h"}}]})
    sim.run(scenario, replications=1, engine="simpy", events=True).write(tmp_path / "run")
    moves = pq.read_metadata(tmp_path / "run" / "events.parquet").num_rows
    assert moves / 3 < estimate([scenario.fleet_plan()], 1, engine="simpy").events < moves * 3


def test_run_and_studies_refuse_without_a_terminal_and_validate_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Exit status 2 with the estimate, nothing written; `--yes` starts it."""
    path = tmp_path / "f.toml"
    path.write_text(sim.from_dict({**DAY, "group": [{"name": "g", "count": 2}]}).to_toml())
    said = CliRunner().invoke(app, ["validate", str(path)])
    assert "Expected: about 24 events in 2 replications" in said.output
    monkeypatch.setattr(module, "available_bytes", lambda: 1e6)
    monkeypatch.chdir(tmp_path)
    for words in (["run"], ["sweep", "--vary", "group.g.count=1,2"], ["compare", str(path)]):
        command = [words[0], str(path), *words[1:], "--no-report", "--out", str(tmp_path / "out")]
        refused = CliRunner().invoke(app, command)
        assert isinstance(refused.exception, MachineError)
        assert "expected: about" in str(refused.exception)
        assert not (tmp_path / "out").exists()
    assert (
        CliRunner().invoke(app, ["run", str(path), "--no-report", "--out", str(tmp_path / "out"), "--yes"]).exit_code
        == 0
    )


@pytest.mark.parametrize(
    "events, seconds, size, words",
    [
        (24, 0.1, 2e8, "about 24 events in 2 replications: under a second, 191 MiB of memory"),
        (12_345_678, 5400.0, 3e9, "about 12.3 million events in 2 replications: about 1h 30min, 2.8 GiB of memory"),
        (2e12, 90.0, 2e12, "about 2 trillion events in 2 replications: about 1min 30s, 1,862.6 GiB of memory"),
    ],
)
def test_an_estimate_in_words(events: float, seconds: float, size: float, words: str):
    """Two digits are more than it is good for."""
    assert WorkEstimate(replications=2, events=events, seconds=seconds, memory_bytes=size).words == words
