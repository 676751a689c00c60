"""Reports of comparisons and sweeps: their figures are the folder's numbers, and verdicts are shown unchanged."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sim.errors import ResultError
from sim.report.build import build_report
from sim.report.pareto import beaten_by, frontier


def stat(mean: float, half: float) -> dict[str, float | int]:
    """An estimate as sweep.json and comparison.json write it."""
    return {
        "mean": mean,
        "low": mean - half,
        "high": mean + half,
        "half_width": half,
        "n": 8,
        "p05": mean - 2 * half,
        "p95": mean + 2 * half,
    }


def difference(mean: float, half: float, verdict: str, p_better: float) -> dict[str, Any]:
    """A difference as comparison.json writes it."""
    return stat(mean, half) | {
        "relative": mean / 1000,
        "p_better": p_better,
        "gain": 7.25,
        "correlation": 0.875,
        "sd_base": 12.345,
        "sd_variant": 11.0,
        "verdict": verdict,
    }


@pytest.fixture
def comparison(tmp_path: Path) -> Path:
    """A base, a variant that certainly costs more, and an undecided one."""
    content = {
        "base": "base <0>",
        "variants": ["keep & pay", "maybe"],
        "seed": 4,
        "replications": 8,
        "confidence": 0.95,
        "warnings": ["mind the <gap>"],
        "base_metrics": {"cost.total": stat(1000.0, 5.0), "availability": stat(0.99, 0.001)},
        "differences": {
            "keep & pay": {
                "cost.total": difference(250.0, 10.0, "worse", 0.0),
                "availability": difference(0.005, 0.001, "better", 1.0),
            },
            "maybe": {
                "cost.total": difference(-1.0, 5.0, "undecided", 0.66),
                "availability": difference(0.0, 0.0, "same", 0.5),
            },
        },
    }
    (tmp_path / "comparison.json").write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two axes, one of numbers and one of words."""
    counts, habits = [10, 20, 40], ["keep", "stop <now>"]
    points = [
        {
            "settings": {"group.dev.count": n, "group.dev.when_off": habit},
            "metrics": {
                "cost.total": stat(n * (3.0 if habit == "keep" else 2.0), 0.5),
                "availability": stat(0.999999, 0.0),
            },
        }
        for n in counts
        for habit in habits
    ]
    content = {
        "scenario": "dev",
        "seed": 4,
        "replications": 8,
        "confidence": 0.95,
        "axes": [
            {"paths": ["group.dev.count"], "values": [[n] for n in counts]},
            {"paths": ["group.dev.when_off"], "values": [[habit] for habit in habits]},
        ],
        "metrics": ["cost.total", "availability"],
        "points": points,
    }
    (tmp_path / "sweep.json").write_text(json.dumps(content))
    return tmp_path


def trial(value: int, answer: str, estimate: float) -> dict[str, object]:
    """What a search knows of one value."""
    return {
        "value": value,
        "answer": answer,
        "estimate": estimate,
        "low": estimate - 0.02,
        "high": estimate + 0.02,
        "n": 40,
        "mean_cost_usd": 100.0 * value,
    }


def size_folder(folder: Path, keep: str, limit: float) -> Path:
    """A search that three values were tried in."""
    folder.mkdir(exist_ok=True)
    content = {
        "scenario": "dev",
        "path": "group.dev.count",
        "keep": keep,
        "limit": limit,
        "confidence": 0.95,
        "answer": "feasible",
        "words": f"group.dev.count = 4 is the largest that keeps {keep}",
        "seed": 4,
        "trials": [
            trial(1, "feasible", limit - 0.1), trial(4, "feasible", limit - 0.05), trial(5, "undecided", limit),
            trial(8, "infeasible", limit + 0.1),
        ],
    }  # fmt: skip
    (folder / "size.json").write_text(json.dumps(content))
    return folder


SENSITIVITIES = {
    "tornado": {
        "base": 90.0, "at_low": -5.0, "at_low_from": -6.0, "at_low_to": -4.0, "at_low_verdict": "better",
        "at_high": None, "at_high_from": None, "at_high_to": None, "at_high_verdict": "undefined", "swing": 5.0,
    },
    "morris": {"mu": -3.0, "mu_star": 4.0, "mu_star_half_width": 1.0, "sigma": 2.0},
    "sobol": {
        "first_order": 0.4, "first_order_from": 0.3, "first_order_to": None, "total": None, "total_from": None,
        "total_to": None,
    },
}  # fmt: skip


def sensitivity_folder(folder: Path, method: str) -> Path:
    """Two factors, of which one isn't known in all ways."""
    factor = {"factor": "group.<dev>.count", "low": 2, "high": 4, **SENSITIVITIES[method]}
    content = {
        "scenario": "dev",
        "method": method,
        "metric": "cost.total",
        "seed": 4,
        "replications": 8,
        "points": 5,
        "factors": [factor, {**factor, "factor": "horizon", "low": "1d", "high": "2d"}],
    }
    (folder / "sensitivity.json").write_text(json.dumps(content))
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    """A figure's numbers."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_comparison_says_what_is_decided_and_what_is_not(comparison: Path) -> None:
    """The sentence a decision rests on must carry sign, size, interval and doubt."""
    text = build_report(comparison).read_text(encoding="utf-8")
    assert "keep &amp; pay costs 250 USD more than base &lt;0&gt; (25" in text
    assert "interval 240 to 260): 1,250 instead of 1,000" in text
    assert "Whether maybe saves money is undecided: it costs 999 instead of 1,000 USD" in text
    assert "7.2 times as many replications" in text
    assert "mind the &lt;gap&gt;" in text
    assert "Gain from common random numbers" in text
    assert "0.875" in text
    shown = rows_of(comparison / "figures" / "differences.csv")
    assert [
        (r["variant"], r["metric"], float(r["base"]), float(r["variant_mean"]), float(r["mean"]), r["verdict"])
        for r in shown
    ] == [
        ("keep & pay", "cost.total", 1000.0, 1250.0, 250.0, "worse"),
        ("maybe", "cost.total", 1000.0, 999.0, -1.0, "undecided"),
        ("keep & pay", "availability", 0.99, 0.995, 0.005, "better"),
        ("maybe", "availability", 0.99, 0.99, 0.0, "same"),
    ]


def test_the_waterfall_leads_from_the_base_to_the_variant(comparison: Path) -> None:
    """Each bar begins where the one before ends, the last one is the variant's cost, and a cause that changes nothing has none."""
    file = comparison / "comparison.json"
    content = json.loads(file.read_text())
    parts = [("hours needed", 300.0), ("boots and failures", 1e-9), ("price of compute", -50.0)]
    content["causes"] = {"keep & pay": [{"label": label, "mean": mean} for label, mean in parts]}
    file.write_text(json.dumps(content))
    build_report(comparison)
    assert [
        (r["variant"], r["cause"], float(r["from"]), float(r["to"]))
        for r in rows_of(comparison / "figures" / "causes.csv")
    ] == [
        ("keep & pay", "cost of base <0>", 0.0, 1000.0),
        ("keep & pay", "hours needed", 1000.0, 1300.0),
        ("keep & pay", "price of compute", 1300.0, 1250.0),
        ("keep & pay", "cost of keep & pay", 0.0, 1250.0),
    ]


def test_cost_stands_against_lateness_where_both_are_known(comparison: Path) -> None:
    """Base 1,000 and 8 % late; one at 1,250 and never late; one at 999 and 9 % late: none beats another, until one is 10 % late at 1,250."""
    file = comparison / "comparison.json"
    content = json.loads(file.read_text())
    content["base_metrics"]["ready.late_share"] = stat(0.08, 0.01)
    late = {"keep & pay": -0.08, "maybe": 0.01}
    for variant, change in late.items():
        content["differences"][variant]["ready.late_share"] = difference(change, 0.001, "better", 1.0)
    file.write_text(json.dumps(content))
    build_report(comparison)
    with (comparison / "figures" / "cost_against_lateness.csv").open() as stream:
        rows = {row["variant"]: row for row in csv.DictReader(stream)}
    assert {name: float(row["cost_mean"]) for name, row in rows.items()} == {
        "base <0>": 1000,
        "keep & pay": 1250,
        "maybe": 999,
    }
    assert {name: float(row["late_mean"]) for name, row in rows.items()} == pytest.approx(
        {"base <0>": 0.08, "keep & pay": 0.0, "maybe": 0.09}
    )
    assert {row["better"] for row in rows.values()} == {""}
    page = (comparison / "report.html").read_text()
    assert "Cost against lateness" in page
    assert "beaten by" in page
    content["differences"]["keep & pay"]["ready.late_share"] = difference(0.02, 0.001, "worse", 0.0)
    file.write_text(json.dumps(content))
    build_report(comparison)
    with (comparison / "figures" / "cost_against_lateness.csv").open() as stream:
        assert [row["better"] for row in csv.DictReader(stream)] == ["", "maybe", ""]


def test_no_other_option_beats_those_of_the_frontier() -> None:
    """As cheap and earlier, or cheaper and no later, is better; two that are alike are both of it."""
    options = {"dear": (9.0, 0.0), "cheap": (1.0, 0.5), "same": (1.0, 0.5), "late": (1.0, 0.6), "waste": (9.0, 0.1)}
    assert frontier(options) == ["cheap", "same", "dear"]
    assert [name for name, mine in options.items() if beaten_by(mine, options)] == ["late", "waste"]
    assert beaten_by(options["waste"], options) == "dear"


def test_common_random_numbers_that_gained_nothing_are_reported(comparison: Path) -> None:
    """A gain of 1 is none; where the difference never varies no number of replications would do as well."""
    file = comparison / "comparison.json"
    content = json.loads(file.read_text())
    content["differences"]["keep & pay"]["cost.total"] |= {"gain": 0.99, "correlation": -0.3}
    content["differences"]["maybe"]["cost.total"]["gain"] = None
    file.write_text(json.dumps(content))
    text = build_report(comparison).read_text(encoding="utf-8")
    assert "Common random numbers gained nothing for the cost here." in text
    assert "constant" in text
    assert "\N{MINUS SIGN}0.300" in text


def test_a_sweep_shows_every_point(sweep: Path) -> None:
    """One figure a metric, one row a point, and a share of 99.9999 % isn't shown as all."""
    text = build_report(sweep).read_text(encoding="utf-8")
    assert (
        "Number of VMs of dev = 10, action when off of dev = stop &lt;now&gt; is the cheapest of the 6 tried: 20 USD ("
        in text
    )
    assert "99.999" in text
    assert "100.000" not in text
    shown = rows_of(sweep / "figures" / "sweep_cost_total.csv")
    assert sorted(float(row["mean"]) for row in shown) == [20.0, 30.0, 40.0, 60.0, 80.0, 120.0]
    assert (sweep / "figures" / "sweep_availability.svg").exists()


@pytest.mark.parametrize(
    ("keep", "limit", "says", "target"),
    [
        ("cost.total@dev<=400", 400.0, "cost of dev (USD)", "keeps cost of dev at most 400 USD"),
        ("p95(cost.total)<=400", 0.95, "probability that cost &lt;= 400 USD (%)", "400 USD at least 95 %"),
        ("P(availability<0.99)<=0.05", 0.05, "probability that availability &lt; 99 % (%)", "&lt; 99 % at most 5 %"),
    ],
)
def test_a_search_shows_its_evidence(tmp_path: Path, keep: str, limit: float, says: str, target: str) -> None:
    """The target, what is known at each value, and the resulting answer."""
    folder = size_folder(tmp_path, keep, limit)
    text = build_report(folder).read_text(encoding="utf-8")
    assert ">Number of VMs of dev = 4 is the largest that keeps" in text
    assert "group.dev.count" not in text
    assert target in text.replace("\N{NO-BREAK SPACE}", " ")
    assert says in text
    assert "undecided" in text
    shown = rows_of(folder / "figures" / "size_evidence.csv")
    assert [(row["value"], row["answer"]) for row in shown] == [
        ("1", "feasible"), ("4", "feasible"), ("5", "undecided"), ("8", "infeasible"),
    ]  # fmt: skip
    assert float(shown[2]["estimate"]) == limit


def test_a_search_draws_an_estimate_without_bounds(tmp_path: Path) -> None:
    """Where one replication alone defines the metric there is a mean, and no interval."""
    folder = size_folder(tmp_path, "cost.total<=3", 3.0)
    content = json.loads((folder / "size.json").read_text())
    content["trials"][0] |= {"estimate": 3.0, "low": None, "high": None, "n": 1}
    (folder / "size.json").write_text(json.dumps(content))
    build_report(folder)
    shown = rows_of(folder / "figures" / "size_evidence.csv")[0]
    assert (shown["estimate"], shown["low"], shown["high"]) == ("3.0", "", "")


@pytest.mark.parametrize("method", SENSITIVITIES)
def test_a_sensitivity_names_what_matters_most(tmp_path: Path, method: str) -> None:
    """Whatever isn't known is left out, not drawn as nothing and not a failure."""
    text = build_report(sensitivity_folder(tmp_path, method)).read_text(encoding="utf-8")
    assert "cost depends most on number of VMs of &lt;dev&gt;" in text
    shown = rows_of(tmp_path / "figures" / f"{method}.csv")
    assert {row["factor"] for row in shown} == {"group.<dev>.count", "horizon"}


def test_reports_of_studies_have_the_same_bytes_each_time(comparison: Path, sweep: Path) -> None:
    """Both studies lie in one folder here; the comparison goes first, again and again."""
    first = build_report(comparison).read_bytes()
    assert build_report(comparison).read_bytes() == first


def test_a_study_folder_that_lacks_its_parts_is_refused(comparison: Path) -> None:
    """The message names the file and what it lacks."""
    (comparison / "comparison.json").write_text("{}")
    with pytest.raises(ResultError, match="no 'base'"):
        build_report(comparison)


def test_a_caption_says_shaded_only_where_something_is(sweep: Path) -> None:
    """Along numbers there are ranges; along words there are none."""
    build_report(sweep)
    drawn = {
        figure.stem: "shaded" in " ".join(re.findall(r">([^<]*)</text>", figure.read_text(encoding="utf-8")))
        for figure in (sweep / "figures").glob("sweep_cost*.svg")
    }
    assert drawn == {"sweep_cost_total": True, "sweep_cost_total_by_group_dev_when_off": False}
