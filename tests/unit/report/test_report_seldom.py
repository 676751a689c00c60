"""Reports of folders that say less, or more, than most: older ones, and those in which a figure isn't defined."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim.errors import ResultError
from sim.fields.numbers import NO_NUMBER
from sim.report import tables
from sim.report.axes import Axes
from sim.report.build import build_report
from sim.report.folder import read
from sim.report.plot import plot
from sim.report.sources import pairs
from sim.runs.answer_words import stopping_words
from sim.statistics.intervals import estimate_mean
from sim.studies.cost_words import cost_answer
from sim.studies.sweep_words import sweep_sentences

Make = Callable[..., Path]


def shown(folder: Path) -> str:
    """Its page, with plain blanks."""
    return build_report(folder).read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")


def changed(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """A JSON file with something else in it."""
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


# --- a run


@pytest.mark.parametrize(
    ("start", "said"), [("2026-01-05T00:00:00+05:30", "UTC+05:30"), ("2026-01-05T00:00:00-03:30", "UTC-03:30")]
)
def test_a_clock_of_no_zone_is_named_by_its_offset(result_folder: Make, start: str, said: str) -> None:
    """Hours of the page are those of the scenario's own clock."""
    folder = result_folder(replications=2, horizon_h=24.0, time_zone=None, start=start)
    assert said in shown(folder)


@pytest.mark.parametrize(("line", "hours"), [("", 0.0), ('warm_up = "6h"\n', 6.0), ('warm_up = "auto"\n', 0.0)])
def test_the_warm_up_of_an_older_folder_is_its_scenarios(result_folder: Make, line: str, hours: float) -> None:
    """Its summary doesn't say; what was found by "auto" is not known any more."""
    folder = result_folder(replications=2, horizon_h=24.0)
    changed(folder / "summary.json", lambda summary: summary.pop("warm_up_h"))
    scenario = folder / "scenario.toml"
    scenario.write_text(line + scenario.read_text())
    assert read(folder).warm_up_h == hours


def test_the_range_of_an_older_folder_comes_from_its_replications(result_folder: Make) -> None:
    """Its summary has no quantiles of 5 and 95 %: with enough replications they are those of the outcomes."""
    folder = result_folder(replications=40, horizon_h=24.0, spread=0.1)
    before = read(folder).fleet["cost.total"]

    def forget(summary: dict[str, Any]) -> None:
        for entry in (summary, *summary["groups"].values()):
            for stat in entry["metrics"].values():
                del stat["p05"], stat["p95"]

    changed(folder / "summary.json", forget)
    after = read(folder).fleet["cost.total"]
    assert (after.p05, after.p95) == pytest.approx((before.p05, before.p95))


def test_a_probability_without_its_counts_is_shown_without_them(result_folder: Make) -> None:
    """An older folder says the share of replications above the budget alone."""
    folder = result_folder(replications=20, horizon_h=24.0)
    budget = {"usd": 100.0, "breach_probability": 0.25, "low": 0.1, "high": 0.5}
    changed(folder / "summary.json", lambda summary: summary.update(budget=budget))
    assert "with a probability of 25.0 %; with 95 % confidence that is 10.0 % to 50.0 %" in shown(folder)
    changed(folder / "summary.json", lambda summary: summary["budget"].update(replications_above=5))
    assert "with a probability of 25.0 % (5 of 20 replications)" in shown(folder)


@pytest.mark.parametrize("reached", [True, False, None])
def test_why_there_are_no_more_replications(reached: bool | None) -> None:
    """The precision was reached, or the cap came first."""
    said = stopping_words(0.0125, ("cost.total", "availability"), reached)
    asked = "half-widths within 1.25\N{NO-BREAK SPACE}% of cost.total, availability"
    before = "The cap on replications came before the precision that was asked for"
    assert said == (f"Replications went on until {asked}." if reached else f"{before} ({asked}).")


def test_small_lines_of_an_invoice_are_added_up(result_folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table still adds up to the bill."""
    monkeypatch.setattr(tables, "MOST_BILL_LINES", 2)
    text = shown(result_folder(replications=2, horizon_h=24.0, groups=("dev", "web", "db")))
    assert "smaller lines" in text


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("state", "flying", "a state that no VM can be in; known: "),
        ("hour", -100, "a replication, hour or state lies outside"),
    ],
)
def test_a_timeline_of_what_cannot_be_is_refused(result_folder: Make, column: str, value: object, says: str) -> None:
    """Instead of a figure of something else."""
    folder = result_folder(replications=2, horizon_h=24.0)
    table = pq.read_table(folder / "timeline.parquet")
    kind = table.schema.field(column).type
    values = pa.array([value, *table[column].to_pylist()[1:]], kind)
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, values), folder / "timeline.parquet")
    with pytest.raises(ResultError, match=f"timeline.parquet: .*{says}"):
        build_report(folder)


def test_facts_of_every_kind_are_words() -> None:
    """As provenance.json has them."""
    facts = {"git_commit": None, "was": True, "argv": ["run", 2, 0.5], "of": {"inner": {"dist": "uniform", "low": 1}}}
    assert pairs(facts) == [
        ["git commit", NO_NUMBER], ["was", "yes"], ["argv", "run, 2, 0.5"], ["of: inner: dist", "uniform"], ["of: inner: low", "1"],
    ]  # fmt: skip


# --- comparisons


def stat(mean: float | None, half: float | None = None) -> dict[str, Any]:
    """An estimate, or that there is none."""
    if mean is None or half is None:
        return {"mean": mean, "low": None, "high": None, "half_width": None, "n": 1}
    return {"mean": mean, "low": mean - half, "high": mean + half, "half_width": half, "n": 8}


def comparison(folder: Path, differences: dict[str, Any], base: dict[str, Any]) -> Path:
    """A folder of one with these figures."""
    content = {
        "base": "now", "variants": [*differences], "seed": 4, "replications": 8, "confidence": 0.95, "base_metrics": base,
        "differences": differences,
    }  # fmt: skip
    (folder / "comparison.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_the_cost_before_is_found_where_an_older_folder_has_only_the_change() -> None:
    """A change of -250 that is a quarter of it: it was 1,000."""
    change = stat(-250.0, 5.0) | {"relative": -0.25, "verdict": "better"}
    content = {
        "base": "now",
        "confidence": 0.95,
        "differences": {"less": {"cost.total": change}, "none": {"cost.total": stat(None)}},
    }
    (only,) = cost_answer(content).savings
    assert (only.before, only.after, only.change) == (1000.0, 750.0, -250.0)


def test_a_comparison_of_one_replication_has_no_intervals(tmp_path: Path) -> None:
    """Its differences are shown without bounds, and nothing is decided."""
    change = stat(-250.0) | {"relative": -0.25, "verdict": "undecided"}
    folder = comparison(
        tmp_path, {"less": {"cost.total": change}, "unknown": {"cost.total": stat(None)}}, {"cost.total": stat(1000.0)}
    )
    text = shown(folder)
    assert "undecided" in text
    assert "Gain from common random numbers" not in text
    assert "saved, 95 % interval" not in text


def test_a_comparison_in_which_nothing_is_defined_has_no_figure(tmp_path: Path) -> None:
    """Neither a card nor bars of nothing."""
    shown(comparison(tmp_path, {"unknown": {"cost.total": stat(None)}}, {}))
    assert not list((tmp_path / "figures").glob("differences*"))


# --- sweeps


def sweep(points: list[dict[str, Any]], metrics: list[str], **more: Any) -> dict[str, Any]:
    """The content of a sweep over a count."""
    counts = [[point["settings"]["group.dev.count"]] for point in points]
    return {
        "scenario": "dev", "seed": 4, "replications": 8, "confidence": 0.95, "metrics": metrics, "points": points,
        "axes": [{"paths": ["group.dev.count"], "values": counts}],
    } | more  # fmt: skip


def point(count: int, **metrics: Any) -> dict[str, Any]:
    """One of its points."""
    return {
        "settings": {"group.dev.count": count},
        "metrics": {name.replace("__", "."): value for name, value in metrics.items()},
    }


def test_a_sweep_shows_cost_against_lateness_and_why_it_stopped(tmp_path: Path) -> None:
    """Where both are known, and where a precision was asked for."""
    points = [point(n, cost__total=stat(10.0 * n, 1.0), ready__late_share=stat(0.1 / n, 0.01)) for n in (1, 2, 4)]
    content = sweep(points, ["cost.total"], precision=0.02, reached=True)
    (tmp_path / "sweep.json").write_text(json.dumps(content), encoding="utf-8")
    text = shown(tmp_path)
    assert "Cost against lateness" in text
    assert "Replications went on until half-widths within 2 % of each metric at every point" in text
    assert (tmp_path / "figures" / "cost_against_lateness.svg").exists()


def test_a_sweep_in_which_nothing_is_defined_says_so() -> None:
    """No cheapest point, no lowest and highest figure."""
    points = [point(n, cost__total=stat(None), availability=stat(None)) for n in (1, 2)]
    (said, *_) = sweep_sentences(sweep(points, ["availability"]))
    assert "goes from" not in said
    assert not any("cheapest" in words for words in sweep_sentences(sweep(points, ["cost.total"])))


def test_points_that_keep_a_target_are_named_where_their_cost_is_not_known() -> None:
    """The cheapest of them can't be."""
    keep = "availability>=0.99"
    points = [
        point(n, availability=stat(0.98 + n / 100, 0.001)) | {"keeps": {keep: "feasible" if n else "infeasible"}}
        for n in (0, 1)
    ]
    (said, *_) = sweep_sentences(sweep(points, ["availability"], keep=[keep]))
    assert said.startswith("Number of VMs of dev = 1: 1 of the 2 tried keep ")


# --- figures


@pytest.mark.parametrize("places", [(1, 2), ("few", "many")])
def test_expected_values_stand_beside_what_was_found(tmp_path: Path, places: tuple[Any, ...]) -> None:
    """Over numbers as a line, over words as marks; the numbers beside the figure are those given."""
    found = estimate_mean([1.0, 2.0, 3.0])
    lines = {"found": dict.fromkeys(places, found), "expected": dict(zip(places, (2.5, 3.5), strict=True))}
    picture = plot(tmp_path, "law", "Is it so?", lines, x="n", y="m")
    assert picture.exists()
    rows = picture.with_suffix(".csv").read_text().splitlines()
    assert [row.split(",")[2] for row in rows[1:]] == ["2.0", "2.0", "2.5", "3.5"]


@pytest.mark.parametrize("values", [[], [float("nan")]])
def test_an_axis_that_saw_nothing_goes_from_0_to_1(values: list[float]) -> None:
    """A figure of nothing has axes all the same."""
    axes = Axes(100.0)
    axes.area(values, values, values, ("#000000", ""))
    nothing = Axes(100.0)
    assert axes.y.limits() == nothing.y.limits()
