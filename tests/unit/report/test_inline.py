"""Pictures in a notebook: the numbers are the answer's, they are drawn where the user says, and matplotlib stays as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import sim
from sim.errors import InputError


@pytest.fixture(scope="module")
def study() -> sim.Study:
    """Two groups of a day, one of which is switched off at night."""
    schedule = {"days": "Mon-Sun", "on": "08:00:00", "off": "19:00:00"}
    groups = [{"name": "web", "count": 3}, {"name": "dev", "count": 4, "schedule": schedule}]
    return sim.Study(scenario=sim.from_dict({"name": "two", "horizon": "1d", "group": groups}), replications=3)


@pytest.fixture(autouse=True)
def _agg() -> Iterator[None]:
    """No window; and nothing of matplotlib that a picture may leave changed."""
    mpl.use("agg")
    plt.close("all")  # figures of other tests
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before
    plt.close("all")


def bars(axes: Axes) -> dict[str, tuple[float, float]]:
    """Name of each line -> (from, to) of its bar."""
    names = [label.get_text() for label in axes.get_yticklabels()]
    return {name: (bar.get_x(), bar.get_x() + bar.get_width()) for name, bar in zip(names, axes.patches, strict=True)}


def test_a_run_is_drawn_by_group_onto_the_users_axes(study: sim.Study) -> None:
    """The axes are returned; a figure that isn't pyplot's stays so."""
    result = study.run()
    mine = Figure().subplots()
    assert result.plot(ax=mine) is mine
    assert plt.get_fignums() == []
    assert bars(mine) == {
        "whole fleet": (0.0, pytest.approx(result.estimate("cost.total").mean)),
        **{name: (0.0, pytest.approx(result.estimate("cost.total", name).mean)) for name in result.groups},
    }
    assert mine.get_xlabel() == "cost (USD in 24 hours)"
    assert words(mine) == [f"{result.estimate('cost.total', name).mean:,.2f}" for name in ("", *result.groups)]
    assert len(mine.lines) == 3
    share = result.plot("availability")
    assert plt.get_fignums() == [1]
    assert bars(share)["web"][1] == pytest.approx(100 * (result.estimate("availability", "web").mean or 0.0))


def words(axes: Axes) -> list[str]:
    """What stands beside the bars."""
    return [each.get_text() for each in axes.texts]


def test_what_belongs_to_no_group_has_a_bar_of_its_own(study: sim.Study) -> None:
    """Bars of groups and commitments add up to the fleet's; of hours nothing is left over."""
    bought = {"name": "base", "kind": "reservation", "size": "Standard_D2s_v5", "quantity": 2, "term": "1y"}
    scenario = sim.from_dict({**study.scenario.document, "commitment": [bought]})
    result = sim.run(scenario, replications=2)
    whole, *parts = (end for _, end in bars(result.plot()).values())
    assert sum(parts) == pytest.approx(whole)
    assert [*bars(result.plot())][-1] == "commitments"
    assert [*bars(result.plot("billed_hours"))] == ["whole fleet", "web", "dev"]


def test_titles_and_words_stay_inside_narrow_axes_and_a_title_is_replaced(study: sim.Study) -> None:
    """As drawn, side by side; `set_title` leaves no second title."""
    base = study.scenario
    found = study.compare({"a variant with a long name": base.replace("group.web.count", 5)})
    figure = Figure(figsize=(9, 4))
    for axes in figure.subplots(1, 2):
        found.plot("availability" if axes.get_subplotspec().colspan.start else "cost.total", ax=axes)
        figure.canvas.draw()
        box = axes.get_window_extent()
        assert axes.title.get_window_extent().width <= box.width
        assert all(each.get_window_extent().x1 <= box.x1 for each in axes.texts)
    axes.set_title("Mine")
    assert [axes.get_title(place) for place in ("left", "center", "right")] == ["", "Mine", ""]


def test_a_folder_that_was_read_is_drawn_as_the_run(study: sim.Study, tmp_path: Any) -> None:
    """A notebook of a later day shows the same."""
    result = study.run()
    result.write(tmp_path / "run")
    assert bars(sim.read(tmp_path / "run").plot("billed_hours")) == bars(result.plot("billed_hours"))


def test_a_comparison_is_drawn_as_a_waterfall_or_in_one_metric(study: sim.Study) -> None:
    """The best saving unless a variant or a metric is named; each bar begins where the one before it ends."""
    base = study.scenario
    found = study.compare({"more": base.replace("group.web.count", 5), "less": base.replace("group.web.count", 2)})
    drawn = bars(found.plot())
    assert [*drawn] == ["cost of two", "number of VMs", "cost of less"]
    assert drawn["number of VMs"] == (pytest.approx(drawn["cost of two"][1]), pytest.approx(drawn["cost of less"][1]))
    dollars = study.compare({"$a_b$ & <c>": base.replace("group.web.count", 2)}).plot()
    dollars.figure.canvas.draw()  # no formula
    assert "$a_b$ & <c>" in dollars.get_title()
    assert "cost of more" in bars(found.plot("more"))
    assert found.plot("more").get_xlabel() == "USD a month\nnot shown: less"
    saved = found.plot("less")
    assert saved.get_title() == "Why does less cost less?"
    assert words(saved)[1].startswith("\N{MINUS SIGN}")
    assert found.plot("availability").get_xlabel() == "availability (percentage points)"
    hours = bars(found.plot("billed_hours"))
    assert hours == {
        name: (0.0, pytest.approx(found.difference(name, "billed_hours").mean)) for name in ("more", "less")
    }
    with pytest.raises(InputError, match="no metric"):
        found.plot("cost.totl")
    page = found._repr_html_()
    assert "less saves" in page
    assert "number of VMs" in page
    assert len(page) < 3000


def test_every_other_answer_has_a_figure(study: sim.Study) -> None:
    """One line for each point, value, factor or variant, with the numbers of its summary."""
    counts = study.sweep({"group.web.count": [1, 2]})
    assert [*bars(counts.figure("billed_hours"))] == ["group.web.count = 1", "group.web.count = 2"]
    assert "<table>" in counts._repr_html_()
    sized = study.size("group.web.count=1..4", "cost.total<=100", largest=True)
    assert len(sized.figure().patches) == len(sized.trials)
    factors = ["group.web.count=1..4", "group.web.durations.starting=10s..60s"]
    moved = study.sensitivity(factors)
    assert len(moved.figure().patches) == 4
    assert len(study.sensitivity(factors, method="morris", samples=2).figure().patches) == 2
    assert len(study.sensitivity(factors, method="sobol", samples=4).figure().patches) == 2
    variants = {"two": study.scenario, "four": study.scenario.replace("group.web.count", 4)}
    assert "four" in bars(study.best_of(variants, indifference=5.0).figure())
    advice = study.recommend()
    assert len(advice.figure().patches) == len(advice.options)


def test_a_figure_is_drawn_without_pyplot_where_axes_are_given(
    study: sim.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that draws has no windows, and must not load what makes them."""
    result = study.run()
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    result.plot(ax=Figure().subplots())
