"""`vmfleet bill` as a reconciliation: what commitments came to, invoice beside simulation, and what idle costs."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripts import load_tool
from typer.testing import CliRunner

from sim.azure.charges import ResourceUse
from sim.azure.demands import keeps_disks
from sim.azure.fleet import Vm
from sim.azure.habits import Member
from sim.azure.identity import Key
from sim.azure.idle import idle_costs
from sim.azure.timelines import Timeline
from sim.billing.invoice import read_invoice
from sim.billing.savings import savings_of
from sim.catalog import load_bundled
from sim.cli.app import app
from sim.errors import InputError

D4, DETAILS = 0.23, json.dumps({"ServiceType": "Standard_D4s_v5", "ImageType": "Canonical"})
HEAD = [
    "BilledCost",
    "EffectiveCost",
    "BillingCurrency",
    "ChargeCategory",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountType",
    "CommitmentDiscountStatus",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "RegionId",
    "x_SkuDetails",
    "x_SkuMeterCategory",
    "x_SkuMeterName",
    "x_SkuMeterSubcategory",
]
DAYS = 28


def row(billed: float, effective: float, hours: float, *, status: str = "") -> list[Any]:
    """A day of a D4s v5; *status*: Used or Unused of a reservation."""
    commitment = ["/ri/1", "ri", "Reservation", status] if status else [""] * 4
    return [
        billed, effective, "USD", "Usage", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", *commitment,
        "Committed" if status else "Standard", hours, "Hours", "westeurope", DETAILS, "Virtual Machines", "D4s v5", "Dsv5 Series",
    ]  # fmt: skip


def write(path: Path, rows: list[list[Any]], head: list[str] = HEAD) -> Path:
    """The rows as a FOCUS export."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic tenant, and the scenario of it."""
    folder = tmp_path_factory.mktemp("tenant")
    load_tool("make_tenant").make_tenant(folder, days=DAYS, seed=1)
    made = CliRunner().invoke(app, ["from-azure", str(folder / "in"), "--out", str(folder / "fleet.toml"), "--quiet"])
    assert made.exit_code == 0, made.output
    return folder


def test_commitments_on_an_invoice_by_hand(tmp_path: Path) -> None:
    """16 h paid by a reservation that cost 2.00 there and 1.00 where no VM used it, 24 h as pay as you go."""
    rows = [row(0, 2.0, 16, status="Used"), row(24 * D4, 24 * D4, 24), row(0, 1.0, 7, status="Unused")]
    every, own = (
        each.as_object() for each in savings_of(read_invoice(write(tmp_path / "a.csv", rows), load_bundled()))
    )
    assert every["list"] == pytest.approx(40 * D4)
    assert every["coverage"] == pytest.approx(16 / 40)
    assert every["utilisation"] == own["utilisation"] == pytest.approx(2 / 3)
    assert every["effective_savings_rate"] == pytest.approx(1 - (3.0 + 24 * D4) / (40 * D4))
    assert own["effective_savings_rate"] == pytest.approx(1 - 3.0 / (16 * D4))
    # Without its unused part, a wrong model, the reservation would look better than it was.
    assert own["effective_savings_rate"] < 1 - 2.0 / (16 * D4)


def test_without_effective_costs_only_coverage_is_known(tmp_path: Path) -> None:
    """An export of billed costs says which hours were paid by a commitment, not what they cost; none at all says nothing."""
    place = HEAD.index("EffectiveCost")
    rows = [row(0, 0, 16, status="Used"), row(24 * D4, 0, 24)]
    bare = [[*each[:place], *each[place + 1 :]] for each in rows]
    head = [name for name in HEAD if name != "EffectiveCost"]
    every = savings_of(read_invoice(write(tmp_path / "a.csv", bare, head), load_bundled()))[0].as_object()
    assert every["coverage"] == pytest.approx(16 / 40)
    assert every["utilisation"] is None
    assert every["effective_savings_rate"] is None
    assert savings_of(read_invoice(write(tmp_path / "b.csv", rows[1:]), load_bundled())) == []


def test_invoice_simulation_and_idle_of_a_tenant(tenant: Path) -> None:
    """The stopped VM costs all its hours; compute is simulated within 3 % of what was used; the parts of the bill stay as they were."""
    export = str(tenant / "in" / "focus.csv")
    asked = ["bill", export, "--scenario", str(tenant / "fleet.toml"), "--inventory", str(tenant / "in")]
    answer = CliRunner().invoke(app, [*asked, "--json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["rated"]["cost"] + found["listed"]["cost"] == pytest.approx(found["total"])
    compute = found["simulation"]["totals"]["compute"]
    listed = sum(each["list"] for each in found["meters"] if each["kind"] == "compute")
    assert compute["actual"]["list"] == pytest.approx(listed)
    assert compute["error"] == pytest.approx(0, abs=0.03)
    (stopped,) = (each for each in found["idle"] if each["why"] == "stopped but allocated")
    price = load_bundled().price_per_h("Standard_B2ms", "westeurope", "linux")
    assert (stopped["name"], stopped["hours"]) == ("old-01", 24 * DAYS)
    assert stopped["list"] == pytest.approx(24 * DAYS * price)
    written = CliRunner().invoke(app, [*asked, "--markdown"])
    assert written.exit_code == 0, written.output
    assert "| stopped but allocated | old-01 | 672.0 |" in written.stdout
    assert "### Invoice and simulation" in written.stdout


def test_each_kind_of_idle_by_hand() -> None:
    """From 2 March, 744 h, to 2 April, 720 h. A spot VM stopped for 10 h; a deleted VM whose disk was invoiced for two days more; a parked VM; a disk of no VM.

    A VM deleted at noon whose disk is invoiced for that day left nothing behind: days are all that an invoice knows.
    """

    def member(name: str, exists: tuple[float, float], **more: Any) -> Member:
        known = {"priority": "regular", "disks": ("P10",), "disk_days": None} | more.pop("vm", {})
        key = Key("", "rg", "vm", name)
        vm = Vm(
            key=key, name=name, resource_group="rg", size="Standard_D4s_v5", region="westeurope", os="linux", **known
        )
        return Member(vm, Timeline((exists[0] * 3600, exists[1] * 3600), **more))

    days = date(2026, 3, 2), date(2026, 3, 4)
    members = [
        member("stopped", (0, 744), on=[(0, 744 * 3600)], stopped_s=36_000, vm={"priority": "spot"}),
        member("left", (0, 48), deleted=True, on=[(0, 3600)], vm={"disk_days": (days[0], date(2026, 3, 5))}),
        member("clean", (0, 60), deleted=True, on=[(0, 3600)], vm={"disk_days": days}),
        member("parked", (0, 744)),
    ]
    loose = ResourceUse(key=Key("", "rg", "disk", "disk-1"), list_cost=7.0, days={days[0]: 0.1})
    start = datetime(2026, 3, 2, tzinfo=UTC)
    found = SimpleNamespace(
        fleet=SimpleNamespace(loose=[loose]), groups=[SimpleNamespace(members=members)], start=start
    )
    catalogue = load_bundled()
    rows = {each["name"]: (each["why"], each["hours"], each["list"]) for each in idle_costs(found, catalogue, 2.0)}  # type: ignore[arg-type]
    spot = catalogue.price_per_h("Standard_D4s_v5", "westeurope", "spot_linux")
    p10 = 21.68
    assert rows == {
        "stopped": ("stopped but allocated", 10, pytest.approx(10 * spot)),
        "left": ("disks left by a VM that was deleted", 48, pytest.approx(48 * p10 / 744)),
        "parked": ("disks of a VM that never ran", 744, pytest.approx((720 / 744 + 24 / 720) * p10)),
        "disk-1": ("disk or address of no VM", 24, 14.0),
    }
    assert keeps_disks(members[1], start)
    assert not keeps_disks(members[2], start)


def test_a_scenario_of_other_days_lends_its_prices_only(tenant: Path, tmp_path: Path) -> None:
    """Nothing is simulated; without an inventory nothing is said of idle."""
    text = (tenant / "fleet.toml").read_text(encoding="utf-8").replace("start = 2026-03-02", "start = 2027-03-01")
    (tenant / "later.toml").write_text(text, encoding="utf-8")
    export = str(tenant / "in" / "focus.csv")
    answer = CliRunner().invoke(app, ["bill", export, "--scenario", str(tenant / "later.toml"), "--json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["simulation"] is None
    assert found["idle"] is None


def test_stays_need_no_inventory(tenant: Path, tmp_path: Path) -> None:
    """They say themselves what was stopped: refused."""
    (tmp_path / "stays.csv").write_text("vm,state,start,end\na,running,0,3600\n", encoding="utf-8")
    refused = CliRunner().invoke(
        app, ["bill", str(tmp_path / "stays.csv"), "--size", "Standard_D4s_v5", "--inventory", str(tenant / "in")]
    )
    assert isinstance(refused.exception, InputError)
    assert "no cost export" in str(refused.exception)
