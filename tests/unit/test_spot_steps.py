"""Spot prices that change from month to month: which hours cost what, and that nothing else moves."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.billing.spot_prices import SpotSteps
from sim.runs.invoice import write_invoice

SIZE = "Standard_D4s_v5"


def scenario(steps: list[float] | None, start: str = "2026-01-31T20:00:00Z", **changes: Any) -> sim.Scenario:
    """Ten spot VMs and two regular ones, running over the end of January, at prices that are easy to multiply."""
    always = {"durations": dict.fromkeys(("allocating", "starting", "os_provisioning"), "0s")}
    spot = {"size": SIZE, "priority": "spot", "count": 10, "create_over": "0s", "disks": ["P10"], **always}
    prices = {"override": {SIZE: {"linux": 0.2, "windows": 0.3, "spot": 0.04}}}
    return sim.from_dict(
        {
            "name": "steps",
            "start": start,
            "horizon": "10h",
            "replications": 1,
            "prices": prices | ({} if steps is None else {"spot_steps": steps}),
            "group": [
                {"name": "cheap", **spot, **changes.pop("group", {})},
                {"name": "web", "size": SIZE, "count": 2, "create_over": "0s", **always},
            ],
            **changes,
        }
    )


def bill_of(asked: sim.Scenario) -> list[Any]:
    """The bill of the one replication."""
    return list(sim.run(asked).replications[0].bill)


def compute_of(asked: sim.Scenario, group: str = "cheap") -> list[tuple[float, float, float]]:
    """Quantity, price and amount of a group's lines of compute."""
    own = [row for row in bill_of(asked) if row.group == group and row.meter.startswith("compute.")]
    assert len({row.meter for row in own}) == 1
    return [(row.quantity, row.unit_price, row.amount) for row in own]


def test_each_month_has_its_price():
    """By hand: 10 VMs are 4 h in January at 0.04 and 6 h in February at 0.04 x 0.92 = 0.0368 USD."""
    assert compute_of(scenario([1.0, 0.92, 1.05])) == [(40.0, 0.04, 1.6), (60.0, 0.0368, 2.208)]
    assert compute_of(scenario(None)) == [(100.0, 0.04, 4.0)]


def test_months_of_one_price_are_one_line_and_the_last_step_goes_on():
    """A line is a price, not a month; a list shorter than the run is no mistake."""
    assert compute_of(scenario([0.5])) == [(100.0, 0.02, 2.0)]
    long = scenario([1.0, 2.0, 1.0], horizon="60d")  # 4 h of January, February whole, March from then on
    hours = [10 * 24 * 28.0, 10 * (60 * 24 - 24 * 28.0)]
    assert [(quantity, price) for quantity, price, _ in compute_of(long)] == [(hours[1], 0.04), (hours[0], 0.08)]


@pytest.mark.parametrize("rounding", ["exact", "floor-minute"])
def test_doubled_steps_double_spot_compute_and_nothing_else(rounding: str):
    """The licence, disks and regular VMs keep their price, whether hours come from the ledger or from stays."""
    changes = {"group": {"os": "windows"}, "rounding": rounding}
    once, twice = (
        {(row.group, row.meter, row.quantity, n): row.amount for n, row in enumerate(bill_of(asked))}
        for asked in (scenario([1.0, 0.9], **changes), scenario([2.0, 1.8], **changes))
    )
    assert once.keys() == twice.keys()
    doubled = {key for key in once if twice[key] == 2 * once[key] > 0.0}
    assert doubled == {key for key in once if key[0] == "cheap" and key[1].startswith("compute.")}
    assert len(doubled) == 2
    assert all(twice[key] == once[key] for key in once.keys() - doubled)


def test_an_hour_costs_what_the_month_in_which_it_begins_says():
    """Clock hours are counted from the start, which need not be a full hour: 23:30 is January's to 00:30."""
    steps = SpotSteps(start=datetime(2026, 1, 31, 22, 30, tzinfo=UTC), factors=(1.0, 3.0))
    assert steps.hourly(0.1, 4).tolist() == [0.1, 0.1, 0.3, 0.3]
    east = timezone(timedelta(hours=2))
    already = SpotSteps(start=datetime(2026, 2, 1, 1, tzinfo=east), factors=(1.0, 3.0))  # 23:00 UTC in January
    assert already.hourly(0.1, 3).tolist() == [0.1, 0.3, 0.3]
    over_new_year = SpotSteps(start=datetime(2025, 12, 31, 23, tzinfo=UTC), factors=(1.0, 2.0, 4.0))
    prices = over_new_year.hourly(0.25, 1 + 31 * 24 + 1).tolist()
    assert (prices[0], prices[1], prices[-2], prices[-1]) == (0.25, 0.5, 0.5, 1.0)


@pytest.mark.parametrize("start", ["2026-01-31T20:00:00Z", "2026-01-31T20:20:00Z"])
def test_the_invoice_carries_the_price_of_its_month(tmp_path: Path, start: str):
    """The rows make up the bill to the last digit and each is quantity times price, in whichever month it lies."""
    cycle = {"on": {"dist": "exponential", "mean": "3h"}, "off": {"dist": "exponential", "mean": "1h"}}
    asked = scenario([1.0, 0.5], start, group={"cycle": cycle})
    total = sim.run(asked).replications[0].metrics[""]["cost.total"]
    write_invoice(asked, tmp_path / "f.csv", total_usd=total)
    with (tmp_path / "f.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(f"{total:.9f}")
    spot = [row for row in rows if row["SkuMeter"].endswith(".spot")]
    assert {row["ListUnitPrice"] for row in spot} == {"0.04", "0.02"}
    for row in spot:
        paid = float(row["PricingQuantity"]) * float(row["ListUnitPrice"])
        # Shares of a line end where the running sum rounds: a nano-dollar at either end.
        assert float(row["BilledCost"]) == pytest.approx(paid, abs=3e-9)


def test_validate_says_what_the_steps_do():
    """The reader sees factors and first month, and hears when nothing is spot."""
    output = "\n".join(scenario([1.0, 0.92]).describe())
    assert "costs 1, 0.92 times the list's price, month by month from 2026-01" in output
    unused = scenario([1.0, 0.92], group={"priority": "regular"})
    assert "spot_steps is not used" in "\n".join(unused.describe())
