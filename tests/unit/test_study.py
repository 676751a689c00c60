"""The front door: what scripts use, and what it states about budgets and quantiles."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.errors import InputError


@pytest.fixture(scope="module")
def fleet() -> sim.Scenario:
    """VMs that fail often, so that months differ."""
    return sim.from_dict(
        {
            "name": "fleet",
            "horizon": "2d",
            "replications": 30,
            "group": [{"name": "web", "count": 3, "failures": {"OSProvisioningTimedOut": 0.4}}],
        }
    )


@pytest.fixture(scope="module")
def result(fleet: sim.Scenario) -> sim.RunResult:
    """Thirty replications of them."""
    return sim.run(fleet)


def test_every_name_of_the_front_door_opens():
    """A name that is listed and can't be had would be found by a user."""
    for name in sim.__all__:
        assert getattr(sim, name) is not None
    assert dir(sim) == sorted(sim.__all__)
    with pytest.raises(AttributeError, match="no 'rum'"):
        _ = sim.rum


def test_the_front_door_costs_nothing():
    """`import sim` and looking at the names load none of the heavy libraries; `vmfleet --help` depends on it."""
    program = (
        "import sys, sim; dir(sim); "
        "print([name for name in ('numpy', 'pandas', 'scipy', 'pyarrow', 'joblib', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_budget_has_a_chance_of_being_broken(fleet: sim.Scenario, result: sim.RunResult, tmp_path: Path):
    """The share of months above it with exact bounds; one that was never exceeded still has an upper bound above 0."""
    values = result.values("cost.total")
    middle = sorted(values)[14] + 1e-9
    share, low, high = result.probability_above("cost.total", middle)
    assert share == pytest.approx(15 / 30)
    assert low < share < high
    never, least, most = result.probability_above("cost.total", 1e9)
    assert (never, least) == (0.0, 0.0)
    assert most == pytest.approx(1 - 0.025 ** (1 / 30))
    sim.run(fleet, budget_usd=middle).write(tmp_path / "run")
    output = json.loads((tmp_path / "run" / "summary.json").read_text())["budget"]
    wilson = output.pop("wilson")
    assert output == {"usd": middle, "breach_probability": share, "replications_above": 15, "low": low, "high": high}
    assert low < wilson["low"] < share < wilson["high"] < high, "exact bounds are the cautious ones"


def test_quantiles_of_the_bill_have_bounds_where_they_can(result: sim.RunResult):
    """P50 of thirty months is bounded on both sides, P99 from above by none of them; the summary says the same."""
    value, low, high = result.quantile("cost.total", 0.5)
    assert value == pytest.approx(np.median(result.values("cost.total")))
    assert low is not None
    assert high is not None
    assert low <= value <= high
    assert result.quantile("cost.total", 0.99)[2] is None
    assert result.summary()["bill_quantiles"]["p50"] == {"value": value, "low": low, "high": high}
    with pytest.raises(InputError, match="a quantile lies"):
        result.quantile("cost.total", 95)


def test_a_result_gives_pandas_frames(result: sim.RunResult):
    """Every figure, tidy; every estimate, tidy; and they agree."""
    frame, table = result.frame(), result.table()
    assert list(frame.columns) == ["replication", "group", "metric", "value"]
    mine = frame[(frame.group == "") & (frame.metric == "cost.total")].value
    theirs = table[(table.group == "") & (table.metric == "cost.total")]["mean"]
    assert float(mine.mean()) == pytest.approx(float(theirs.iloc[0]))
    assert "<table" in result._repr_html_()
    assert "fleet" in repr(result)


def test_a_study_asks_many_questions_of_one_scenario(fleet: sim.Scenario, tmp_path: Path):
    """Each method gives what the function of that name gives, under the study's seed and replications."""
    study = sim.Study(scenario=fleet, seed=5, replications=4, cache=tmp_path / "cache")
    assert study.run().values("cost.total") == sim.run(fleet, seed=5, replications=4).values("cost.total")
    more = fleet.replace("group.web.count", 4)
    assert study.compare({"more": more}).difference("more").mean > 0
    assert study.sweep({"group.web.count": [1, 2]}).n == 4
    assert study.size("group.web.count=1..8", "cost.total<=40", largest=True).answer in ("feasible", "undecided")
    assert study.sensitivity(["group.web.count=1..3"]).rows[0]["factor"] == "group.web.count"
    assert study.best_of({"few": fleet, "more": more}, indifference=1.0).best == "few"
    assert study.changed({"group.web.count": 4}).run().values("cost.total") == (
        sim.run(more, seed=5, replications=4).values("cost.total")
    )
    steady = sim.Study(scenario=sim.from_dict({"name": "s", "horizon": "5d", "group": [{"name": "web"}]}))
    assert steady.with_warm_up().scenario.warm_up_s <= 86_400


def test_a_study_never_simulates_twice(fleet: sim.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The cache is shared by all its questions."""
    from sim.runs import executors as workers

    study = sim.Study(scenario=fleet, replications=3, cache=tmp_path / "cache")
    first = study.run()
    monkeypatch.setattr(workers, "replicate", None)
    assert study.run().values("cost.total") == first.values("cost.total")
    assert study.sweep({"group.web.count": [3]}).estimate("cost.total") == first.estimate("cost.total")


def test_every_answer_has_a_table_for_notebooks_and_a_frame(fleet: sim.Scenario, result: sim.RunResult, tmp_path: Path):
    """A notebook shows the last value of a cell: words and figures, not an address in memory; names are escaped."""
    study = sim.Study(scenario=fleet, replications=4)
    more = study.scenario.replace("group.web.count", 9)
    result.write(tmp_path / "run")
    answers: list[Any] = [
        study.run(),
        study.compare({"<more>": more}),
        study.sweep({"group.web.count": [1, 2]}),
        study.size("group.web.count=1..2", "cost.total<=1000", largest=True),
        study.sensitivity(["group.web.count=1..2"]),
        study.best_of({"a <b>": study.scenario, "<more>": more}, indifference=1.0, cap=20),
    ]
    for answer in answers:
        html = answer._repr_html_()
        assert "<table" in html
        assert "<b>" not in html
        assert "<more>" not in html
        assert not answer.frame().empty
        assert " object at 0x" not in repr(answer)
    assert "<table" in sim.read(tmp_path / "run")._repr_html_()
    for output in (study, study.scenario):
        assert "Group web" in output._repr_html_()
