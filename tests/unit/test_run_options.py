"""The options of a run: one object for every study, and the words for a keyword that doesn't exist."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim
from sim.errors import InputError
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
    "wrong", [{"replications": 0}, {"seed": -1}, {"engine": "fast"}, {"precision": 1.0}, {"jobs": 0}]
)
def test_a_value_that_cannot_be_is_refused_when_the_options_are_made(wrong: dict[str, object]) -> None:
    """Before anything runs, whichever study they are for."""
    with pytest.raises(InputError, match=next(iter(wrong))):
        RunOptions(**wrong)  # type: ignore[arg-type]


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
