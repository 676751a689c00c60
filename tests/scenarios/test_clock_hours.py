"""Where hours matter: clock hours of commitments, months of disks, VMs at one instant, and an invoice of the run's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sim
from sim.billing.invoice import read_invoice
from sim.billing.usage_file import read_stays
from sim.catalog import load_bundled
from sim.runs.invoice import write_invoice

NOW = dict.fromkeys(("allocating", "starting", "stopping", "deallocating", "deleting"), "0s")
D4 = "Standard_D4s_v5"
engines = pytest.mark.parametrize("engine", ["simpy", "compiled"])


def scenario(
    start: str, horizon: str, *commitments: dict[str, Any], policy: str = "2018-08", **group: Any
) -> sim.Scenario:
    """One group whose operations take no time, at 0.2 USD an hour."""
    own = {"name": "jobs", "size": D4, "image": "specialized", "durations": NOW}
    return sim.from_dict(
        {
            "name": "hours", "start": start, "horizon": horizon, "replications": 1, "group": [own | group],
            "billing_policy": policy, "prices": {"override": {D4: {"linux": 0.2, "reservation_1y": 0.1}}}, "commitment": list(commitments),
        }
    )  # fmt: skip


def metrics(asked: sim.Scenario, engine: str = "auto") -> dict[str, float]:
    """Of the fleet in the one replication."""
    return dict(sim.run(asked, replications=1, engine=engine).replications[0].metrics[""])


QUARTERS = {"count": 20, "cycle": {"on": "15min", "off": "45min"}}


@engines
def test_a_unit_of_a_capacity_reservation_holds_one_vm_at_a_time(engine):
    """Twenty VMs for a quarter of each of ten hours: ten of them have a unit, so 2.5 of 10 unit hours are used.

    (20 x 0.25 + 10 - 2.5) x 0.2 USD in each hour.
    """
    room = {"name": "cr", "kind": "capacity-reservation", "size": D4, "quantity": 10}
    found = metrics(scenario("2026-01-05T00:00:00Z", "10h", room, **QUARTERS), engine)
    assert found["commitment.cr.used_fraction"] == pytest.approx(0.25)
    assert found["cost.total"] == pytest.approx(10 * (20 * 0.25 + 10 - 2.5) * 0.2)


@engines
def test_a_host_holds_only_what_runs_at_once(engine):
    """Room for ten VMs: the other ten pay as they go, though by the hour all twenty quarters would fit."""
    host = {"name": "own", "kind": "dedicated-host", "quantity": 1, "hourly": 4.0, "vcpus": 40, "groups": ["jobs"]}
    found = metrics(scenario("2026-01-05T00:00:00Z", "10h", host, **QUARTERS), engine)
    assert found["commitment.own.used_fraction"] == pytest.approx(0.25)
    assert found["cost.compute"] == pytest.approx(10 * 10 * 0.25 * 0.2)


@engines
def test_a_reservation_pools_within_the_clock_hour(engine):
    """Twenty quarters of an hour are five hours, however many run at once."""
    ri = {"name": "ri", "kind": "reservation", "size": D4, "quantity": 5, "term": "1y"}
    assert metrics(scenario("2026-01-05T00:00:00Z", "10h", ri, **QUARTERS), engine)["cost.compute"] == 0.0


@engines
def test_clock_hours_are_those_of_utc(engine):
    """From 00:30 on for an hour: 30 minutes are bought in each of two clock hours; two VMs in the first half hour use 0.5."""
    ri = {"name": "ri", "kind": "reservation", "size": D4, "quantity": 1, "term": "1y"}
    halves = {"count": 2, "cycle": {"on": "30min", "off": "30min"}}
    found = sim.run(scenario("2026-01-05T00:30:00Z", "1h", ri, **halves), replications=1, engine=engine).replications[0]
    (use,) = found.commitment_hours
    assert use.bought.tolist() == pytest.approx([0.5, 0.5])
    assert use.used.tolist() == pytest.approx([0.5, 0.0])
    assert found.metrics[""]["cost.compute"] == pytest.approx(0.5 * 0.2)
    other_zone = scenario("2026-01-05T05:00:00+05:30", "1h", ri, **halves)
    assert metrics(other_zone, engine)["commitment.ri.used_fraction"] == pytest.approx(0.5)


def test_a_list_of_stays_buys_whole_clock_hours(tmp_path: Path):
    """To 01:45, two hours of 1.5 units: 1.5 VM hours in the second cost nothing beside them."""
    ri = {"name": "ri", "kind": "reservation", "size": D4, "quantity": 1.5, "term": "1y"}
    rows = "".join(f"{vm},running,2026-01-05T01:00:00Z,2026-01-05T01:45:00Z,{D4}\n" for vm in "ab")
    (tmp_path / "stays.csv").write_text(f"vm,state,start,end,size\n{rows}", encoding="utf-8")
    asked = scenario("2026-01-05T00:00:00Z", "1h", ri)
    rating = read_stays(tmp_path / "stays.csv").rate(asked.catalogue(), "2018-08", asked.billed_commitments())
    assert rating.bill.cost("compute") == 0.0
    assert rating.bill.commitments["ri"].bought == 1.5


@engines
def test_a_disks_hour_is_its_months_price_over_the_hours_of_that_month(engine):
    """Twelve hours of January and twelve of February, split at midnight: a line for each unit price."""
    asked = scenario("2026-01-31T12:00:00Z", "24h", count=1, disks=["P10"])
    lines = [each for each in sim.run(asked, replications=1, engine=engine).replications[0].bill if each.kind == "disk"]
    price = load_bundled().disk("P10", "westeurope").per_month
    assert {(each.meter, each.quantity, each.unit_price) for each in lines} == {
        ("disk.P10", 12.0, price / 744), ("disk.P10", 12.0, price / 672),
    }  # fmt: skip
    half_past = scenario("2026-01-31T23:30:00Z", "1h", count=1, disks=["P10"])
    assert metrics(half_past, engine)["cost.disk"] == pytest.approx(price * (0.5 / 744 + 0.5 / 672), abs=1e-9)


def test_a_whole_month_of_a_disk_costs_the_months_price():
    """Of 28 days as of 31."""
    price = load_bundled().disk("P10", "westeurope").per_month
    for start, days in (("2026-02-01T00:00:00Z", 28), ("2026-03-01T00:00:00Z", 31)):
        assert metrics(scenario(start, f"{days}d", count=1, disks=["P10"]))["cost.disk"] == pytest.approx(price)


def test_meters_of_our_own_survive_the_invoice(tmp_path: Path):
    """The room that hibernation needs is priced from the tier that the disk was: the invoice rated again is the run's bill."""
    group = {"count": 1, "os": "windows", "disks": ["P10"], "when_off": "hibernate", "cycle": {"on": "1h", "off": "1h"}}
    asked = scenario("2026-01-05T06:00:00Z", "24h", policy="2023-10", **group)
    run = metrics(asked)
    assert "  disk.P15.hibernation (jobs)" in asked.describe()
    write_invoice(asked, tmp_path / "own.csv", total_usd=run["cost.total"])
    invoice = read_invoice(tmp_path / "own.csv", asked.catalogue())
    assert "disk.P15.hibernation" in {each.meter.name for each in invoice.rated}
    assert not invoice.listed
    for kind, invoiced, rated in invoice.differences(invoice.rate_hours()):
        assert rated == pytest.approx(invoiced, abs=1e-6), kind
    assert invoice.total == pytest.approx(run["cost.total"])


def test_a_partial_day_on_an_invoice_buys_no_whole_day(tmp_path: Path):
    """A run from 06:00 to 18:00: twelve hours are bought, as in the run."""
    ri = {"name": "ri", "kind": "reservation", "size": D4, "quantity": 1, "term": "1y"}
    asked = scenario("2026-01-05T06:00:00Z", "12h", ri, count=1)
    write_invoice(asked, tmp_path / "own.csv")
    rating = read_invoice(tmp_path / "own.csv", asked.catalogue()).rate_hours(asked.billed_commitments())
    assert rating.bill.commitments["ri"].bought == 12
    assert rating.bill.total == pytest.approx(metrics(asked)["cost.total"], abs=1e-6)


def test_a_flexible_reservation_without_a_group_is_warned_about():
    """A size of which the price list knows no flexibility group; bound to its own size it is no surprise."""
    catalogue = load_bundled()
    alone = next(
        n
        for n, size in catalogue.sizes.items()
        if size.flexibility_group is None and catalogue.find_price(n, "westeurope", "reservation_1y")
    )
    ri = {"name": "ri", "kind": "reservation", "size": alone, "quantity": 1, "term": "1y"}
    words = "\n".join(scenario("2026-01-05T00:00:00Z", "1h", ri, count=1).describe())
    assert f"knows no flexibility group of {alone}" in words
    bound = "\n".join(scenario("2026-01-05T00:00:00Z", "1h", ri | {"size_flexible": False}, count=1).describe())
    assert "knows no flexibility group" not in bound


def test_ratios_of_burstable_sizes():
    """Official: B4as_v2 has 15.96 and B2as_v2 has 8, so an hour of the one pays for two of the other, nearly."""
    sizes = load_bundled().sizes
    small, large = sizes["Standard_B2as_v2"], sizes["Standard_B4as_v2"]
    assert small.flexibility_group == large.flexibility_group
    assert (small.flexibility_ratio, large.flexibility_ratio) == (8.0, 15.96)


@pytest.mark.parametrize(
    ("written", "hours"),
    [
        ("VM running", 10),
        ("PowerState/running", 10),
        ("Stopped (deallocated)", 0),
        ("Stopped", 10),
        ("VM deallocated", 0),
    ],
)
def test_states_are_read_as_portal_and_cli_spell_them(tmp_path: Path, written: str, hours: int):
    """Besides the API's own codes."""
    row = f"a,{written},2026-10-25T00:00:00Z,2026-10-25T10:00:00Z,Standard_D2s_v5\n"
    (tmp_path / "s.csv").write_text("vm,state,start,end,size\n" + row, encoding="utf-8")
    rating = read_stays(tmp_path / "s.csv").rate(load_bundled(), "2018-08")
    assert rating.bill.lines[0].quantity == hours
