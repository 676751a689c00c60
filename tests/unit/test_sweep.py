"""Sweeps: the axes mean what they say, and no point is simulated twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.errors import InputError, ScenarioError
from sim.runs import executors as workers
from sim.runs import replication_runner
from sim.runs.cache import RunCache
from sim.studies.axes import axes_of, parse_axis, points_of, split_outside


@pytest.fixture(scope="module")
def fleet() -> sim.Scenario:
    """Two groups over six hours."""
    return sim.from_dict(
        {
            "name": "fleet",
            "horizon": "6h",
            "replications": 2,
            "group": [{"name": "a", "count": 1}, {"name": "b", "count": 1, "disks": ["P10"]}],
        }
    )


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("group.a.count=1,2,5", [1, 2, 5]),
        ("group.a.count=100..500:100", [100, 200, 300, 400, 500]),
        ("group.a.count=3..5", [3, 4, 5]),
        ("group.a.count=1..6:2,9", [1, 3, 5, 9]),
        ("group.a.spot.eviction_per_hour=0..0.3:0.1", [0, 0.1, 0.2, 0.3]),
        ("group.a.spot.eviction_per_hour=0..1/5", [0, 0.25, 0.5, 0.75, 1]),
        ("horizon=7d..21d:7d", ["7d", "14d", "21d"]),
        ("warm_up=500ms..1s:250ms", ["500ms", "750ms", "1s"]),
        ("group.a.durations.starting=30s,{ dist = \"uniform\", low = \"1s\", high = \"9s\" }",
         ["30s", {"dist": "uniform", "low": "1s", "high": "9s"}]),
        ("group.a.when_off=stop,deallocate", ["stop", "deallocate"]),
        ("group.a.disks=[\"P10\"],[\"P10\", \"P20\"]", [["P10"], ["P10", "P20"]]),
        ("group.a.public_ip=true,false", [True, False]),
        ("group.a.autoscale.regular_above_base=0%..100%:25%", [0, 0.25, 0.5, 0.75, 1]),
        ("group.a.autoscale.regular_above_base=0..1:50 %", [0, 0.5, 1]),
        ("commitment.ri.quantity=0..2", [0, 1, 2]),
    ],
)  # fmt: skip
def test_an_axis_is_read_as_it_is_written(words: str, values: list[object]):
    """Lists, ranges of numbers and durations, spreads, tables: exactly, so that 0.1 + 0.2 is 0.3 here."""
    axis = parse_axis(words)
    from sim.units import parse_duration

    for (found,), wanted in zip(axis.values, values, strict=True):
        if isinstance(wanted, str) and wanted[0].isdigit():
            assert parse_duration(str(found)) == parse_duration(wanted)
        else:
            assert found == wanted
            assert type(found) is type(wanted)


def test_places_in_step_are_one_axis():
    """Two counts that grow together are three points, not nine."""
    axis = parse_axis("group.a.count+group.b.count=1+2,2+4,3+6")
    assert axis.paths == ("group.a.count", "group.b.count")
    assert axis.values == ((1, 2), (2, 4), (3, 6))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("group.a.count", "write PATH=V1,V2"),
        ("group.a.count=", "write PATH=V1,V2"),
        ("group.a.count=1,,2", "empty value"),
        ("group.a.count=5..1", "goes up"),
        ("group.a.count=1..5:0", "step above 0"),
        ("group.a.x=0.5..1.5", "say the step"),
        ("horizon=1d..9d", "say the step"),
        ("group.a.count=1..9999999", "more than"),
        ("group.a.count=a..b:1", "a..b"),
        ("a+b=1,2", "1 values for 2 places"),
        ("group.a.count=1..9/1", "spreads 2 values or more from LOW up to HIGH"),
        ("group.a.count=9..1/3", "spreads 2 values or more from LOW up to HIGH"),
        ("group.a.autoscale.regular_above_base=0..1", "is a share; say the step, as in 0..1:5%"),
        ("group.*.people.forgets=0 %..20 %", "is a share; say the step"),
        ("commitment.plan.hourly=0..1", "takes any number, so say the step"),
    ],
)
def test_a_wrong_axis_says_what_would_be_right(words: str, says: str):
    """The user's words stand in the message."""
    with pytest.raises(InputError, match=says) as caught:
        parse_axis(words)
    assert words in str(caught.value)


def test_axes_that_contradict_are_refused():
    """A place can't take its values from two axes, and nothing is no axis."""
    with pytest.raises(InputError, match="given twice"):
        axes_of(["group.a.count=1,2", "group.a.count=3"])
    with pytest.raises(InputError, match="nothing varies"):
        axes_of([])
    with pytest.raises(InputError, match="take a tuple each"):
        axes_of({("a", "b"): [1]})
    with pytest.raises(InputError, match="combinations are more"):
        axes_of({"a": range(1000), "b": range(1000)})
    with pytest.raises(InputError, match="--vary a: no values; give some, such as a=1,2,3"):
        axes_of({"a": []})


@given(st.text(alphabet="ab,[]{}\"'", max_size=20))
def test_splitting_loses_nothing(text: str):
    """Whatever stands between separators, joined it is the text again."""
    assert ",".join(split_outside(text, ",")) == text


def test_points_are_every_combination_in_order(fleet: sim.Scenario):
    """The last axis changes fastest; each scenario is changed in just those places."""
    points = points_of(fleet, axes_of({"group.a.count": [1, 2], "horizon": ["3h", "6h"]}))
    assert [tuple(point.settings.values()) for point in points] == [(1, "3h"), (1, "6h"), (2, "3h"), (2, "6h")]
    assert [(p.scenario.groups[0].count, p.scenario.horizon_s) for p in points][2] == (2, 10_800.0)


def test_settings_are_shown_as_they_are_written(fleet: sim.Scenario):
    """A text alone is one axis; a key left out is none, a table is one line, a number has no binary tail."""
    one, none, table, number = (
        points_of(fleet, axes_of(vary))[0]
        for vary in (
            "group.a.count=3",
            {"group.a.create_over": [None]},
            {"group.a.cycle": [{"on": "1h", "off": {"dist": "exponential", "mean": "2h"}}]},
            {"prices.discount": [0.1 + 0.2]},
        )
    )
    assert one.label == "group.a.count=3"
    assert none.label == "group.a.create_over=none"
    assert table.label == "group.a.cycle={ on = 1h, off = { dist = exponential, mean = 2h } }"
    assert number.label == "prices.discount=0.3"


def test_every_wrong_setting_is_reported_at_once(fleet: sim.Scenario):
    """The second issue must not wait until after an hour of simulation."""
    with pytest.raises(ScenarioError) as caught:
        sim.sweep(fleet, {"group.a.count": [1, -1], "group.b.size": ["Standard_D4s_v5", "Standard_Nope"]})
    assert "-1" in str(caught.value)
    assert "Standard_Nope" in str(caught.value)


def test_a_sweep_gives_the_figures_of_single_runs(fleet: sim.Scenario):
    """A point is a run of the changed scenario, to the last bit."""
    found = sim.sweep(fleet, {"group.a.count": [1, 3]})
    alone = sim.run(fleet.replace("group.a.count", 3))
    assert found.estimate("cost.total", group__a__count=3) == alone.estimate("cost.total")
    with pytest.raises(InputError, match="2 points"):
        found.estimate("cost.total")


def test_the_table_is_tidy(fleet: sim.Scenario, tmp_path: Path):
    """One row a point, group and metric; settings in columns of their own; the same in CSV, Parquet and pandas."""
    import pandas as pd

    found = sim.sweep(fleet, ["group.a.count=1,2", 'group.b.disks=["P10"],[]'], metrics=["cost.disk"])
    found.write(tmp_path / "sweep")
    frame = pd.read_parquet(tmp_path / "sweep" / "sweep.parquet")
    assert list(frame.columns[:5]) == ["point", "group.a.count", "group.b.disks", "group", "metric"]
    assert len(frame.drop_duplicates(["point", "group", "metric"])) == len(frame)
    disks = frame[(frame.metric == "cost.disk") & (frame.group == "")].set_index("point")["mean"]
    assert disks[1] == disks[3] == 0.0
    assert disks[0] == disks[2] > 0.0
    summary = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert [point["settings"]["group.a.count"] for point in summary["points"]] == [1, 1, 2, 2]
    assert list(summary["points"][0]["metrics"]) == ["cost.disk"]
    with_text = pd.read_csv(tmp_path / "sweep" / "sweep.csv", keep_default_na=False)
    assert len(with_text) == len(frame)


def test_an_unknown_metric_is_refused_before_anything_is_simulated(
    fleet: sim.Scenario, monkeypatch: pytest.MonkeyPatch
):
    """Not after an hour."""
    monkeypatch.setattr(workers, "replicate", None)
    with pytest.raises(InputError, match=r"cost\.total"):
        sim.sweep(fleet, {"group.a.count": [1]}, metrics=["cost.totall"])


def _counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    real, ran = workers.replicate, []

    def counted(question: Any, seed: int, number: int, **more: Any) -> Any:
        ran.append(number)
        return real(question, seed, number, **more)

    monkeypatch.setattr(workers, "replicate", counted)
    return ran


def test_identical_points_are_simulated_once(fleet: sim.Scenario, monkeypatch: pytest.MonkeyPatch):
    """60 min is 1 h: the fleet, not the words, decides."""
    ran = _counting(monkeypatch)
    found = sim.sweep(fleet, {"horizon": ["1h", "60min", "3600s"]})
    assert ran == [0, 1]
    assert len({run.estimate("cost.total").mean for run in found.runs}) == 1


def test_a_resumed_sweep_simulates_only_what_is_missing(
    fleet: sim.Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Other points, more replications, another order: whatever was simulated before is read, with the same bits."""
    cache = RunCache(tmp_path / "cache")
    ran = _counting(monkeypatch)
    first = sim.sweep(fleet, {"group.a.count": [1, 2]}, cache=cache)
    assert len(ran) == 4
    ran.clear()
    more = sim.sweep(fleet, {"group.a.count": [3, 2, 1]}, replications=3, cache=cache)
    assert len(ran) == 3 + 1 + 1
    fresh = sim.sweep(fleet, {"group.a.count": [3, 2, 1]}, replications=3)
    assert list(more.rows()) == list(fresh.rows())
    ran.clear()
    assert list(sim.sweep(fleet, {"group.a.count": [1, 2]}, cache=cache).rows()) == list(first.rows())
    assert ran == []


def test_workers_change_no_point(fleet: sim.Scenario):
    """The work of all points is shared out at once, and nothing shows of it."""
    vary = {"group.a.count": [1, 2, 3]}
    assert list(sim.sweep(fleet, vary, jobs=2).rows()) == list(sim.sweep(fleet, vary).rows())


def test_a_sweep_runs_until_every_point_is_precise_enough(fleet: sim.Scenario):
    """All points alike, so that they stay paired; and a cap that comes first is said."""
    loose = sim.sweep(fleet, ["group.a.count=1,2"], precision=0.05)
    assert (loose.n, loose.reached, loose.summary()["reached"]) == (20, True, True)
    capped = sim.sweep(fleet, ["group.a.count=1,2"], precision=1e-6, replications=30)
    assert (capped.n, capped.reached) == (30, False)
    assert "precision" not in sim.sweep(fleet, ["group.a.count=1,2"]).summary()
    with pytest.raises(InputError, match="precision is 2"):
        sim.sweep(fleet, ["group.a.count=1,2"], precision=2)


def test_a_sweep_beside_an_autoscaled_group_says_which_engine_ran_and_why(tmp_path: Path):
    """The same bits in both engines, and the folder says which one ran."""
    fleet = sim.from_dict(
        {
            "name": "fleet",
            "horizon": "1d",
            "group": [
                {"name": "web", "count": 2},
                {"name": "api", "autoscale": {"load": {"hourly": [1.0] * 12 + [5.0] * 12}, "per_vm": 1.0, "min": 1, "max": 8, "scale_out": {"above": 0.7, "by": 1}, "scale_in": {"below": 0.3, "by": 1}}},
            ],
        }
    )  # fmt: skip
    how: dict[str, Any] = {"vary": {"group.web.count": [1, 2]}, "replications": 4}
    found = {engine: sim.sweep(fleet, engine=engine, jobs=2, **how) for engine in ("compiled", "simpy")}
    assert list(found["compiled"].rows()) == list(found["simpy"].rows())
    found["compiled"].write(tmp_path / "swept")
    output = json.loads((tmp_path / "swept" / "provenance.json").read_text())["engine"]
    assert (output["played"], output["asked"]) == ("compiled", "compiled")
    assert output["why"]["compiled"] == "asked for"


def test_many_points_make_an_engine_worth_its_start(fleet: sim.Scenario, monkeypatch: pytest.MonkeyPatch):
    """The time to load the compiled code is spent once for a whole sweep, so the choice counts every point's moves."""
    asked: list[int] = []
    choose_engine = replication_runner.choose_engine

    def listening(plan: Any, *, replications: int, jobs: int) -> Any:
        asked.append(replications)
        return choose_engine(plan, replications=replications, jobs=jobs)

    monkeypatch.setattr(replication_runner, "choose_engine", listening)
    sim.sweep(fleet, {"group.a.count": [1, 2, 3]}, replications=2)
    assert asked == [6, 6, 6]
