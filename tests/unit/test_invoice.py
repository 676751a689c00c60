"""A run's invoice by VM and day, and what only VM timelines can show on a bill: whole minutes, disks left behind."""

from __future__ import annotations

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from focus_validator import broken_rules, needs_2, needs_it, verdict_on

import sim
from sim.errors import AuditError, ResultError
from sim.runs.invoice import write_invoice

SIZE = "Standard_D4s_v5"


def scenario(**changes: Any) -> sim.Scenario:
    """Windows VMs on and off over a night and the end of a month, some replaced, a reservation too large for them."""
    group = {
        "name": "dev",
        "size": SIZE,
        "os": "windows",
        "count": 6,
        "disks": ["P10"],
        "public_ip": True,
        "cycle": {"on": {"dist": "exponential", "mean": "7h"}, "off": {"dist": "exponential", "mean": "5h"}},
        "failures": {"OSProvisioningTimedOut": 0.6},
    }
    return sim.from_dict(
        {
            "name": "invoiced",
            "start": "2026-01-30T07:20:00Z",
            "horizon": "3d",
            "warm_up": "2h",
            "replications": 2,
            "group": [group | changes.pop("group", {}), {"name": "web", "count": 2}],
            "commitment": [
                {"name": "ri", "kind": "reservation", "size": SIZE, "quantity": 5, "term": "1y"},
                {"name": "plan", "kind": "savings-plan", "hourly": 0.2, "term": "3y"},
            ],
            **changes,
        }
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a FOCUS file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_invoice_is_the_runs_bill_by_vm_day_and_meter(tmp_path: Path) -> None:
    """One row each, unused commitment in rows of its own, and both cost columns make up the bill to the last digit."""
    asked = scenario()
    run = sim.run(asked, replications=1)
    total = run.replications[0].metrics[""]["cost.total"]
    written = write_invoice(asked, tmp_path / "f.csv", total_usd=total)
    rows = rows_of(tmp_path / "f.csv")
    assert len(rows) == written
    for column in ("BilledCost", "EffectiveCost"):
        assert sum(Decimal(row[column]) for row in rows) == Decimal(f"{total:.9f}")
    keys = Counter(
        (
            row["ResourceId"],
            row["ChargePeriodStart"],
            row["SkuMeter"],
            row["ChargeCategory"],
            row["CommitmentDiscountStatus"],
        )
        for row in rows
    )
    assert set(keys.values()) == {1}
    vms = {row["ResourceId"] for row in rows if row["ResourceType"] == "Virtual machine"}
    assert vms == {*(f"dev-{i:04d}" for i in range(6)), "web-0000", "web-0001"}
    assert {row["ChargePeriodStart"][:10] for row in rows} == {"2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"}
    assert {row["BillingPeriodStart"][:7] for row in rows} == {"2026-01", "2026-02"}
    unused = [row for row in rows if row["CommitmentDiscountStatus"] == "Unused"]
    assert {row["CommitmentDiscountId"] for row in unused} >= {"ri"}
    assert not any(row["ChargePeriodEnd"] <= row["ChargePeriodStart"] for row in rows)


def test_either_engine_writes_the_same_bytes(tmp_path: Path) -> None:
    """The compiled engine reports transitions VM by VM, SimPy in order of time."""
    for engine in ("simpy", "compiled"):
        write_invoice(scenario(), tmp_path / f"{engine}.csv", engine=engine)
    assert (tmp_path / "simpy.csv").read_bytes() == (tmp_path / "compiled.csv").read_bytes()


def test_an_invoice_that_differs_from_the_bill_is_our_defect(tmp_path: Path) -> None:
    """By a nano-dollar: nothing is written."""
    total = sim.run(scenario(), replications=1).replications[0].metrics[""]["cost.total"]
    with pytest.raises(AuditError, match="one of them is wrong"):
        write_invoice(scenario(), tmp_path / "f.csv", total_usd=total + 1e-9)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """A folder that isn't there, and one in the file's place."""
    with pytest.raises(ResultError, match="there is no folder"):
        write_invoice(scenario(), tmp_path / "not" / "there.csv")
    with pytest.raises(ResultError, match="is a folder"):
        write_invoice(scenario(), tmp_path)


def test_minutes_are_cut_stretch_by_stretch() -> None:
    """A stretch of 6 min 45 s is billed as 6 min, in every one of so many; time in a state is reported in full."""
    cycle = {"on": "6min45s", "off": "1h"}
    steps = dict.fromkeys(("allocating", "starting", "os_provisioning", "extensions", "deallocating"), "0s")
    group = {"cycle": cycle, "failures": {}, "durations": steps, "image": "specialized", "count": 1}
    horizon = {"horizon": "10h", "warm_up": "0s", "start": "2026-01-05T00:00:00Z", "commitment": []}
    exact, cut = (
        sim.run(scenario(group=group, rounding=how, **horizon), replications=1) for how in ("exact", "floor-minute")
    )
    stretches = 9  # one every 66.75 minutes of 600, the last of them whole
    price = 0.23
    for run, minutes in ((exact, 6.75), (cut, 6.0)):
        assert run.estimate("cost.compute", "dev").mean == pytest.approx(stretches * minutes / 60 * price, abs=1e-6)
        assert run.estimate("billed_hours", "dev").mean == pytest.approx(stretches * 6.75 / 60)


def test_disks_that_outlive_their_vm_go_on_being_billed() -> None:
    """Each replaced VM leaves its disk behind; without `keeps_disks` the disk is deleted with it."""
    taken, kept = (
        sim.run(scenario(group={"keeps_disks": keeps}), replications=1).replications[0] for keeps in (False, True)
    )
    orphaned = [row for row in kept.bill if row.meter == "disk.P10.orphaned"]
    assert kept.metrics["dev"]["vms.deleted"] > 0
    assert [row.group for row in orphaned] == ["dev", "dev"]  # January's hour and February's
    assert {round(row.unit_price * hours, 9) for row, hours in zip(orphaned, (672, 744), strict=True)} == {21.68}
    more = sum(row.amount for row in orphaned)
    assert kept.metrics[""]["cost.disk"] - taken.metrics[""]["cost.disk"] == pytest.approx(more)
    assert not any("orphaned" in row.meter for row in taken.bill)


@pytest.mark.slow
@needs_it
@pytest.mark.parametrize("extra", [{}, {"rounding": "floor-minute", "group": {"keeps_disks": True}}])
def test_focus_validator_accepts_a_runs_invoice(tmp_path: Path, extra: dict[str, Any]) -> None:
    """What `vmfleet run --focus` writes, checked by the registry's own program."""
    write_invoice(scenario(**extra), tmp_path / "f.csv")
    assert "Validation succeeded" in verdict_on(tmp_path / "f.csv")


@pytest.mark.slow
@needs_2
@pytest.mark.parametrize("extra", [{}, {"rounding": "floor-minute", "group": {"keeps_disks": True}}])
def test_focus_validator_accepts_a_runs_invoice_by_the_rules_of_1_2(tmp_path: Path, extra: dict[str, Any]) -> None:
    """With all applicability criteria on."""
    write_invoice(scenario(**extra), tmp_path / "f.csv")
    assert broken_rules(tmp_path / "f.csv") == set()
