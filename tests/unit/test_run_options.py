"""The options of a run: one object for every study, and the words for a keyword that doesn't exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.engines.group_setup import FleetRun
from sim.errors import InputError
from sim.runs import executors, replication
from sim.runs.options import RunOptions


@pytest.fixture
def fleet() -> sim.Scenario:
    """One VM for a day."""
    return sim.from_dict({"name": "one", "horizon": "1d", "group": [{"name": "web", "count": 1}]})


def test_a_wrong_keyword_is_refused_with_the_one_that_was_meant(fleet: sim.Scenario) -> None:
    """A typing error must not run with defaults, and each function knows which options it takes."""
    with pytest.raises(InputError, match=r"run\(\) has no option 'sed'; did you mean seed\?"):
        sim.run(fleet, sed=1)  # type: ignore[call-arg]
    with pytest.raises(InputError, match=r"compare\(\) has no option 'events'"):
        sim.compare(fleet, {"same": fleet}, events=True)  # type: ignore[call-arg]
    with pytest.raises(InputError, match=r"best_of\(\) has no option 'replications'"):
        sim.best_of({"a": fleet, "b": fleet}, indifference=1.0, replications=5)  # type: ignore[call-arg]


def test_keywords_override_the_options_they_are_given_with(fleet: sim.Scenario) -> None:
    """`options=` gives several at once; a keyword beside it wins."""
    options = RunOptions(replications=3, seed=7)
    assert [sim.run(fleet, options=options).n, sim.run(fleet, options=options, replications=2).n] == [3, 2]
    assert sim.run(fleet, options=options).seed == 7
    assert sim.run(fleet, options=RunOptions(replications=2)).seed == fleet.seed


@pytest.mark.parametrize(
    "wrong", [{"replications": 0}, {"seed": -1}, {"engine": "fast"}, {"precision": 1.0}, {"jobs": 0}, {"threads": 0},
              {"threads": 2, "engine": "simpy"}],
)  # fmt: skip
def test_a_value_that_cannot_be_is_refused_when_the_options_are_made(wrong: dict[str, object]) -> None:
    """Before anything runs, whichever study they are for."""
    with pytest.raises(InputError, match=next(iter(wrong))):
        RunOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "used"), [({"threads": 3}, 3), ({}, 8), ({"jobs": 2}, 4), ({"jobs": 2, "replications": 1}, 8), ({"jobs": -1}, 1)]
)  # fmt: skip
def test_threads_reach_the_engine(
    fleet: sim.Scenario, monkeypatch: pytest.MonkeyPatch, asked: dict[str, int], used: int
) -> None:
    """Replications side by side share the cores; a run that is not parallel takes them all."""
    threads: list[int] = []

    def simulate(*arguments: object, **named: Any) -> FleetRun:
        threads.append(named["threads"])
        return engine(*arguments, **named)

    engine = replication.simulate
    monkeypatch.setattr(replication, "simulate", simulate)
    monkeypatch.setattr(executors, "available_cores", lambda: 8)
    sim.run(fleet, engine="compiled", **({"replications": 8} | asked))
    assert set(threads) == {used}


def test_threads_change_no_bit() -> None:
    """Blocks of VMs that run side by side are added up in order, and peaks are exact."""
    cycle = {"on": {"dist": "exponential", "mean": "20min"}, "off": {"dist": "exponential", "mean": "20min"}}
    group = {"name": "web", "count": 4_000, "cycle": cycle, "when_off": "stop"}  # some three blocks
    fleet = sim.from_dict({"name": "cores", "horizon": "3d", "group": [group]})
    one, three = (sim.run(fleet, replications=1, engine="compiled", threads=threads) for threads in (1, 3))
    assert one.summary() == three.summary()
    assert np.array_equal(one.replications[0].timeline["web"].vms, three.replications[0].timeline["web"].vms)


def test_the_plan_is_compiled_once_a_run(fleet: sim.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulating, rating, provenance and the result folder use one compilation."""
    compiled: list[str] = []
    plan_of = sim.Scenario.fleet_plan
    monkeypatch.setattr(sim.Scenario, "fleet_plan", lambda self: (compiled.append(self.name), plan_of(self))[1])
    sim.run(fleet, replications=3).write(tmp_path / "result")
    assert compiled == ["one"]


def test_a_folder_of_version_0_1_is_read(fleet: sim.Scenario, tmp_path: Path) -> None:
    """VM timelines were called lives.parquet then."""
    folder = sim.run(fleet, replications=1).write(tmp_path / "result")
    timelines = sim.read(folder).vm_timelines
    assert [each.vm for each in timelines] == ["web-0000"]
    (folder / "vm_timelines.parquet").rename(folder / "lives.parquet")
    assert sim.read(folder).vm_timelines == timelines
