"""The files of a result folder: JSON that people can open, and timelines of many groups."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import sim
from sim.lifecycle.power import PowerState
from sim.runs.result_tables import write_json


def test_json_has_a_metric_a_line(tmp_path: Path) -> None:
    """Thousands of groups must not make millions of lines; what is read again is the same."""
    metric = {"mean": 0.1 + 0.2, "low": None, "n": 2}
    content = {
        "name": "dév \N{SNOWMAN}",
        "metrics": {"a": metric, "b": metric},
        "empty": {},
        "rows": [[1, 2], {"of": [3]}],
    }
    write_json(tmp_path / "x.json", content)
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert '    "a": {"mean": 0.30000000000000004, "low": null, "n": 2},\n' in text
    assert text.endswith("}\n")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "y.json", {"metrics": {"a": {"mean": float("nan")}}})


def test_timelines_of_many_groups_are_written_as_they_were_counted(tmp_path: Path) -> None:
    """Row by row: replication, group, hour, state; also from what an interrupted run has kept on disk."""
    groups = [
        {
            "name": f"team-{i}",
            "count": 1 + i,
            "schedule": {"days": "Mon-Fri", "on": f"{10 + i}:00:00", "off": "19:00:00"},
        }
        for i in range(3)
    ]
    fleet = sim.from_dict({"name": "teams", "horizon": "2d", "group": groups})
    kept = sim.RunCache(tmp_path / "cache")
    sim.run(fleet, replications=2, cache=kept)
    for result in (sim.run(fleet, replications=2), sim.run(fleet, replications=2, cache=kept)):
        folder = result.write(tmp_path / f"result-{kept.reused}-{id(result)}")
        table = pq.read_table(folder / "timeline.parquet").to_pydict()
        vms = np.array(table["vms"]).reshape(2, 3, 48, len(PowerState))
        for number, replication in enumerate(result.replications):
            for index, group in enumerate(result.groups):
                assert np.array_equal(vms[number, index], replication.timeline[group].vms)
        assert table["group"][:: 48 * len(PowerState)] == [*result.groups] * 2
        assert table["state"][: len(PowerState)] == [str(state) for state in PowerState]
        assert table["hour"][:: len(PowerState)] == [*range(48)] * 6
    assert kept.reused == 2


def test_a_result_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    """Every file that a run writes is known as ours: else the second run of a scenario would be refused."""
    disks = {"name": "web", "count": 2, "disks": ["P10"]}
    result = sim.run(sim.from_dict({"name": "again", "horizon": "40d", "group": [disks]}), replications=2, events=True)
    first = {file.name for file in result.write(tmp_path / "result").iterdir()}
    assert {file.name for file in result.write(tmp_path / "result").iterdir()} == first
