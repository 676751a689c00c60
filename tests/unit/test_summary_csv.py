"""`summary.csv`: what a spreadsheet opens says the answer with labels, units and decimals of the registry."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import sim
from sim.fields.metrics import METRICS, Unit
from sim.runs.summary_csv import FILE, write_sheet


def rows_of(folder: Path) -> list[dict[str, str]]:
    """The rows, read as a spreadsheet does."""
    with (folder / FILE).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def study() -> sim.Study:
    """Two groups for a day, 22.08 USD each VM and month-part."""
    groups = [
        {"name": "web", "count": 3, "size": "Standard_D4s_v5"},
        {"name": "dev", "count": 4, "size": "Standard_D4s_v5"},
    ]
    prices = {"override": {"Standard_D4s_v5": {"linux": 0.23}}}
    made = {"name": "two", "horizon": "1d", "prices": prices, "group": groups}
    return sim.Study(scenario=sim.from_dict(made), replications=3)


def test_a_run_has_a_row_for_each_figure_of_fleet_and_groups(study: sim.Study, tmp_path: Path) -> None:
    """Labels and units are those of the registry; a share is in per cent; what is 0 is left out."""
    result = study.run()
    result.write(tmp_path / "run")
    rows = rows_of(tmp_path / "run")
    by = {(row["group"], row["figure"]): row for row in rows}
    assert {row["group"] for row in rows} == {"whole fleet", "web", "dev"}
    cost = by["whole fleet", METRICS["cost.total"].label]
    assert (cost["unit"], float(cost["mean"])) == ("USD", round(result.estimate("cost.total").mean or 0.0, 2))
    ready = by["web", METRICS["availability"].label]
    assert ready["unit"] == Unit.SHARE
    assert float(ready["mean"]) == pytest.approx(100 * (result.estimate("availability", "web").mean or 0.0), abs=0.01)
    assert not any(
        float(row["mean"]) == 0.0 and float(row["high (95 %)"]) == 0.0 for row in rows if row["unit"] == "USD"
    )
    assert (tmp_path / "run" / FILE).read_bytes().startswith(b"\xef\xbb\xbf")  # or a spreadsheet garbles its letters


def test_a_comparison_begins_with_the_cost_and_its_causes(study: sim.Study, tmp_path: Path) -> None:
    """Of each variant: cost a month, the causes that add up to its difference, then the figures that differ."""
    found = study.compare({"=HYPERLINK(1)": study.scenario.replace("group.web.count", 1)})
    found.write(tmp_path / "what-if")
    rows = rows_of(tmp_path / "what-if")
    assert {row["variant"] for row in rows} == {"'=HYPERLINK(1)"}  # a name, never a formula
    assert [row["figure"] for row in rows[:2]] == ["cost", "cost: number of VMs"]
    assert rows[0]["unit"] == "USD a month"
    causes = [float(row["difference"]) for row in rows if row["figure"].startswith("cost: ")]
    assert sum(causes) == pytest.approx(float(rows[0]["difference"]), abs=1e-9)
    assert max(causes, key=abs) == causes[0]
    assert float(rows[0]["two (base)"]) + float(rows[0]["difference"]) == pytest.approx(float(rows[0]["variant's"]))
    assert [row["figure"] for row in rows].count("cost") == 1
    by_figure = {row["figure"]: row for row in rows[2:]}
    days = by_figure["cost, simulated period"]
    assert (days["unit"], float(days["difference"])) == (
        "USD",
        pytest.approx(float(rows[0]["difference"]) * 24 / 730, abs=0.01),
    )
    assert {row["unit"] for row in rows if row["figure"] == "availability"} <= {"%; difference: points"}
    assert float(by_figure["billed hours"]["difference"]) == pytest.approx(-48, abs=0.1)
    assert by_figure["billed hours"]["verdict"] == "better"


def test_a_sweep_and_a_search_have_a_row_a_value(study: sim.Study, tmp_path: Path) -> None:
    """Settings under their paths, figures under label and unit."""
    table = study.sweep({"group.web.count": [1, 2]}, metrics=["cost.total", "availability"])
    table.write(tmp_path / "sweep")
    rows = rows_of(tmp_path / "sweep")
    assert [row["group.web.count"] for row in rows] == ["1", "2"]
    mean = table.estimate("cost.total", group__web__count=1).mean
    assert float(rows[0]["cost (USD)"]) == round(mean or 0.0, 2)
    assert set(rows[0]) >= {"availability (%)", "availability (%), low", "availability (%), high"}
    study.size("group.web.count=1..4", "cost.total<=35", largest=True).write(tmp_path / "size")
    rows = rows_of(tmp_path / "size")
    assert {row["keeps the target"] for row in rows} == {"feasible", "infeasible"}
    assert next(iter(rows[0])) == "group.web.count"


def test_every_row_has_every_column(tmp_path: Path) -> None:
    """What begins like a formula is text; numbers stay numbers."""
    write_sheet(tmp_path, (("a", "b"), [["+1", -1.5], ["@x", None]]))
    assert (tmp_path / FILE).read_text(encoding="utf-8-sig") == "a,b\n'+1,-1.5\n'@x,\n"


def test_an_interval_holds_the_mean_beside_it(tmp_path: Path) -> None:
    """Means of costs are rounded to add up: 618.236 and 78.633 to 618.23 and 78.63, as they make 696.869; the first spreads by less than a cent."""
    group = {"name": "vm", "count": 4, "size": "Standard_D4s_v5", "disks": ["P10"]}
    made = {"name": "cents", "horizon": "28d", "start": "2026-01-05T00:00:00Z", "group": [group]}
    sim.Study(scenario=sim.from_dict(made), replications=20).run().write(tmp_path / "run")
    rows = [row for row in rows_of(tmp_path / "run") if row["group"] == "whole fleet" and row["low (95 %)"]]
    assert any(row["figure"].startswith("cost of") for row in rows)
    for row in rows:
        assert float(row["low (95 %)"]) <= float(row["mean"]) <= float(row["high (95 %)"]), row
