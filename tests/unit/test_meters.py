"""The registry of meters: a kind of meter is one row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

import sim
from sim.billing import METERS, MeterKind, add_meter
from sim.billing.focus import focus_rows
from sim.billing.meter_kinds import Service, existing_lines
from sim.billing.meters import Bill, CommitmentUse
from sim.fields.metrics import METRICS, find_metric
from sim.report.build import build_report
from sim.runs.metrics import possible_metrics
from sim.runs.rate_replication import simulate_and_rate
from sim.runs.simulation_input import compile_scenario

SCENARIO = sim.from_dict(
    {
        "name": "backed-up",
        "horizon": "2d",
        "replications": 2,
        "group": [{"name": "dev", "size": "Standard_D4s_v5", "os": "windows", "count": 3, "disks": ["P10"]}],
    }
)


@pytest.fixture
def backup() -> Iterator[MeterKind]:
    """A meter that vmfleet doesn't have, as a plug-in would add it: one row."""
    kind = MeterKind(
        kind="backup", label="backups", unit="VM hour", prices=lambda _catalogue, _group: [("snapshot", 0.01)],
        lines=existing_lines,
        service=Service(category="Storage", subcategory="Backup Storage", name="Backup", resource="Snapshot"),
    )  # fmt: skip
    add_meter(kind)
    yield kind
    METERS.remove("backup")
    METRICS.remove("cost.backup")


def test_one_row_adds_a_meter(backup: MeterKind, tmp_path: Path) -> None:
    """It is rated, summed up as a metric, part of the total, exported as FOCUS and shown in the report."""
    result = sim.run(SCENARIO, engine="simpy")
    hours = sum(result.estimate(f"hours.{state}").mean for state in ("starting", "running", "creating"))
    cost = result.estimate("cost.backup").mean
    assert cost == pytest.approx(0.01 * hours, rel=1e-6)
    others = sum(result.estimate(f"cost.{kind}").mean for kind in METERS if kind != "backup")
    assert result.estimate("cost.total").mean == pytest.approx(others + cost, abs=1e-9)
    assert "cost.backup" in possible_metrics()
    row = find_metric("cost.backup")
    assert row is not None
    assert (row.label, row.better) == ("cost of backups", "lower")

    rating = simulate_and_rate(compile_scenario(SCENARIO), 1, 0, "simpy").rating
    exported = [
        row for row in focus_rows(rating, datetime(2026, 1, 5, tzinfo=UTC)) if row["SkuMeter"] == "backup.snapshot"
    ]
    assert {(row["ServiceCategory"], row["ServiceName"]) for row in exported} == {("Storage", "Backup")}
    assert sum(float(str(row["BilledCost"])) for row in exported) == pytest.approx(rating.bill.cost("backup"), abs=1e-9)

    page = build_report(result.write(tmp_path / "out")).read_text(encoding="utf-8")
    assert "<td>backups</td>" in page.replace('<td class="word">', "<td>") or ">backups<" in page


def test_commitments_belong_to_the_whole_fleet_and_to_no_group() -> None:
    """A plan of 100 USD that was used for 60 and covered 80 of 160 USD: every figure of it, and none for a group."""
    use = CommitmentUse(
        name="plan", bought=100.0, used=60.0, unit="USD", covered=80.0, could_cover=160.0, worth=90.0, cost=100.0
    )
    bill = Bill(lines=(), commitments={"plan": use})
    figures = {
        "used_fraction": 0.6, "unused_fraction": 0.4, "utilisation": 0.6, "covered": 80.0, "could_cover": 160.0, "saved": -10.0, "worth": 90.0,
    }  # fmt: skip
    for name, figure in figures.items():
        compute = METRICS[f"commitment.<name>.{name}"].compute
        assert compute is not None
        assert compute(SimpleNamespace(bill=bill, bill_group=None)) == {"plan": pytest.approx(figure)}
        assert compute(SimpleNamespace(bill=bill, bill_group="web")) == {}
    assert (use.coverage, use.effective_savings_rate) == (0.5, pytest.approx(1 - 100 / 90))
    ratios = {name: METRICS[f"commitment.<name>.{name}"].ratio_of for name in ("coverage", "effective_savings_rate")}
    assert ratios == {
        "coverage": ("commitment.<name>.covered", "commitment.<name>.could_cover"),
        "effective_savings_rate": ("commitment.<name>.saved", "commitment.<name>.worth"),
    }


def test_a_commitment_of_which_nothing_was_bought_has_no_shares() -> None:
    """Nor has one that had nothing to cover a coverage, nor one without use a rate."""
    none = CommitmentUse(name="plan", bought=0.0, used=0.0, unit="USD")
    assert (none.used_fraction, none.unused_fraction, none.coverage, none.effective_savings_rate, none.saved) == (
        0.0,
        0.0,
        None,
        None,
        0.0,
    )


def test_every_kind_of_meter_says_what_an_export_must_know() -> None:
    """A label, a cost metric, and the service of a FOCUS export."""
    for name, kind in METERS.items():
        assert kind.label
        assert find_metric(f"cost.{name}") is not None
        assert all((kind.service.category, kind.service.subcategory, kind.service.name, kind.service.resource))
