"""Rows of a FOCUS export with every cell, worked out by hand: what a VM, each kind of commitment and empty units come to.

Two clock hours, the last of January and the first of February 2026. D4s v5 costs 0.23 USD, reserved 0.10, under a plan 0.12.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from sim.billing import CapacityReservation, DedicatedHost, RatedGroup, Reservation, SavingsPlan, rate_in_full
from sim.billing.focus import effective_shares, exact_decimal, focus_rows
from sim.billing.hours import CountedHours, RatedHours
from sim.billing.rating import Rating
from sim.catalog import load_bundled

REGION, D4 = "westeurope", "Standard_D4s_v5"
CATALOGUE = load_bundled().with_overrides(REGION, {D4: {"reservation_1y": 0.1, "savings_plan_3y": 0.12}})
START = datetime(2026, 1, 31, 23, tzinfo=UTC)
JANUARY = {
    "ChargePeriodStart": "2026-01-31T23:00:00Z", "ChargePeriodEnd": "2026-02-01T00:00:00Z",
    "BillingPeriodStart": "2026-01-01T00:00:00Z", "BillingPeriodEnd": "2026-02-01T00:00:00Z",
}  # fmt: skip
FEBRUARY = {
    "ChargePeriodStart": "2026-02-01T00:00:00Z", "ChargePeriodEnd": "2026-02-01T01:00:00Z",
    "BillingPeriodStart": "2026-02-01T00:00:00Z", "BillingPeriodEnd": "2026-03-01T00:00:00Z",
}  # fmt: skip
ACCOUNT = {
    "BillingAccountId": "vmfleet-simulation", "BillingAccountName": "Simulated by vmfleet", "BillingAccountType": "Billing Account",
    "SubAccountId": "vmfleet-simulation", "SubAccountName": "Simulated by vmfleet", "SubAccountType": "Subscription",
    "InvoiceIssuerName": "Microsoft", "ProviderName": "Microsoft", "PublisherName": "Microsoft",
    "BillingCurrency": "USD", "PricingCurrency": "USD",
}  # fmt: skip
VM = {
    "ServiceCategory": "Compute", "ServiceSubcategory": "Virtual Machines", "ServiceName": "Virtual Machines",
    "ResourceType": "Virtual machine",
}  # fmt: skip
COMMITMENT = VM | {"ResourceType": "Commitment"}
USAGE = {"ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based"}
HOURS = {"PricingUnit": "Hours", "ConsumedUnit": "Hours"}
NO_HOURS = {"PricingUnit": "Hours"}
HERE = {"RegionId": REGION, "RegionName": REGION}
NOWHERE = dict.fromkeys(("RegionId", "RegionName"))
RESERVED = {
    "CommitmentDiscountCategory": "Usage", "CommitmentDiscountId": "ri", "CommitmentDiscountName": "ri",
    "CommitmentDiscountType": "Reservation", "CommitmentDiscountUnit": "Hours",
}  # fmt: skip
PLANNED = {
    "CommitmentDiscountCategory": "Spend", "CommitmentDiscountId": "plan", "CommitmentDiscountName": "plan",
    "CommitmentDiscountType": "Savings Plan", "CommitmentDiscountUnit": "USD",
}  # fmt: skip


def sku(meter: str, details: str | None, price: float) -> dict[str, Any]:
    """A meter at its price; list and contract prices are the same."""
    prices = (
        "ListUnitPrice",
        "ContractedUnitPrice",
        "PricingCurrencyListUnitPrice",
        "PricingCurrencyContractedUnitPrice",
    )
    return {
        "SkuId": meter,
        "SkuMeter": meter,
        "SkuPriceId": meter,
        "SkuPriceDetails": details,
        **dict.fromkeys(prices, price),
    }


def amounts(
    name: str, quantity: float, billed: str, effective: str, listed: str, committed: float | None = None
) -> dict[str, Any]:
    """A resource's quantity and money; nothing of it was consumed unless the caller says so."""
    return {
        "ResourceId": name, "ResourceName": name, "PricingQuantity": pytest.approx(quantity), "ConsumedQuantity": None,
        "BilledCost": billed, "EffectiveCost": effective, "PricingCurrencyEffectiveCost": effective, "ListCost": listed,
        "ContractedCost": listed, "CommitmentDiscountQuantity": None if committed is None else pytest.approx(committed),
    }  # fmt: skip


def rated(vms: tuple[float, float], *commitments: Any, **group: Any) -> Rating:
    """A group web of so many VMs in each hour."""
    hourly = np.array(vms)
    run, none = CountedHours(hourly=hourly, total_h=sum(vms)), CountedHours(hourly=np.zeros(2), total_h=0.0)
    own = RatedGroup(name="web", size=D4, region=REGION, **group)
    hours = RatedHours(group=own, billed=run, licensed=run, existing=run, orphaned=none)
    return rate_in_full([hours], np.ones(2), CATALOGUE, commitments, start=START)


def rows_of(rating: Rating, **how: Any) -> list[dict[str, Any]]:
    """Its rows."""
    return list(focus_rows(rating, START, **how))


WEB = ACCOUNT | VM | USAGE | HOURS | HERE | {"Tags": '{"group": "web"}'}
LINUX = f'{{"InstanceType": "{D4}", "OperatingSystem": "Linux"}}'


def test_a_group_s_hours_of_a_day_are_a_row_with_these_cells() -> None:
    """One VM hour in January and two in February, at 0.23."""
    meter = f"compute.{D4}.linux.regular"
    same = WEB | sku(meter, LINUX, 0.23) | {"PricingCategory": "Standard", "ChargeDescription": f"{meter} of web"}
    assert rows_of(rated((1.0, 2.0))) == [
        same | JANUARY | amounts("web", 1.0, "0.230000000", "0.230000000", "0.230000000") | {"ConsumedQuantity": pytest.approx(1.0)},
        same | FEBRUARY | amounts("web", 2.0, "0.460000000", "0.460000000", "0.460000000") | {"ConsumedQuantity": pytest.approx(2.0)},
    ]  # fmt: skip


def test_a_day_without_any_is_no_row() -> None:
    """Hours in February alone."""
    assert [row["ChargePeriodStart"] for row in rows_of(rated((0.0, 2.0)))] == ["2026-02-01T00:00:00Z"]


def test_what_a_reservation_pays_is_bought_used_and_unused() -> None:
    """Two reserved, one VM and then three: 0.40 USD bought, 0.30 of it used, 0.10 unused in January; one VM hour pays as it goes."""
    found = rows_of(rated((1.0, 3.0), Reservation(name="ri", size=D4, quantity=2, term="1y", region=REGION)))
    left, covered = f"compute.{D4}.linux.regular", f"compute.{D4}.linux.covered.ri"
    as_it_goes = WEB | sku(left, LINUX, 0.23) | {"PricingCategory": "Standard", "ChargeDescription": f"{left} of web"}
    used = WEB | sku(covered, LINUX, 0.23) | RESERVED | {"PricingCategory": "Committed", "CommitmentDiscountStatus": "Used", "ChargeDescription": f"{covered} of web"}  # fmt: skip
    itself = (
        ACCOUNT
        | COMMITMENT
        | sku("commitment.ri", None, 0.1)
        | HERE
        | RESERVED
        | NO_HOURS
        | {"PricingCategory": "Committed"}
    )
    bought = itself | {"ChargeCategory": "Purchase", "ChargeFrequency": "Recurring", "CommitmentDiscountStatus": None, "ChargeDescription": "ri: bought"}  # fmt: skip
    unused = itself | USAGE | {"CommitmentDiscountStatus": "Unused", "ChargeDescription": "ri: unused"}
    assert found == [
        as_it_goes | FEBRUARY | amounts("web", 1.0, "0.230000000", "0.230000000", "0.230000000") | {"ConsumedQuantity": pytest.approx(1.0)},
        used | JANUARY | amounts("web", 1.0, "0.000000000", "0.100000000", "0.230000000", 1.0) | {"ConsumedQuantity": pytest.approx(1.0)},
        used | FEBRUARY | amounts("web", 2.0, "0.000000000", "0.200000000", "0.460000000", 2.0) | {"ConsumedQuantity": pytest.approx(2.0)},
        bought | JANUARY | amounts("ri", 2.0, "0.200000000", "0.000000000", "0.200000000", 2.0),
        bought | FEBRUARY | amounts("ri", 2.0, "0.200000000", "0.000000000", "0.200000000", 2.0),
        unused | JANUARY | amounts("ri", 1.0, "0.000000000", "0.100000000", "0.000000000", 1.0),
    ]  # fmt: skip


def test_a_plan_is_bought_and_used_in_the_currency_of_the_list() -> None:
    """0.12 an hour pays one VM hour each; in January there is none, so 0.12 are lost. Of Windows, the licence is paid beside it."""
    plan = SavingsPlan(name="plan", hourly_usd=0.12, term="3y")
    found = rows_of(rated((0.0, 1.0), plan), currency="EUR")
    euro = {"BillingCurrency": "EUR", "PricingCurrency": "EUR"}
    covered = f"compute.{D4}.linux.covered.plan"
    itself = ACCOUNT | COMMITMENT | sku("commitment.plan", None, 1.0) | NOWHERE | PLANNED | {"PricingCategory": "Committed", "PricingUnit": "EUR", "CommitmentDiscountUnit": "EUR"} | euro  # fmt: skip
    bought = itself | {"ChargeCategory": "Purchase", "ChargeFrequency": "Recurring", "CommitmentDiscountStatus": None, "ChargeDescription": "plan: bought"}  # fmt: skip
    used = WEB | euro | sku(covered, LINUX, 0.23) | PLANNED | {"CommitmentDiscountUnit": "EUR", "PricingCategory": "Committed", "CommitmentDiscountStatus": "Used", "ChargeDescription": f"{covered} of web"}  # fmt: skip
    unused = itself | USAGE | {"CommitmentDiscountStatus": "Unused", "ChargeDescription": "plan: unused"}
    assert found == [
        used | FEBRUARY | amounts("web", 1.0, "0.000000000", "0.120000000", "0.230000000", 0.12) | {"ConsumedQuantity": pytest.approx(1.0)},
        bought | JANUARY | amounts("plan", 0.12, "0.120000000", "0.000000000", "0.120000000", 0.12),
        bought | FEBRUARY | amounts("plan", 0.12, "0.120000000", "0.000000000", "0.120000000", 0.12),
        unused | JANUARY | amounts("plan", 0.12, "0.000000000", "0.120000000", "0.000000000", 0.12),
    ]  # fmt: skip


def test_a_commitment_that_is_used_whole_has_no_unused_row() -> None:
    """One reserved, one VM."""
    found = rows_of(rated((1.0, 1.0), Reservation(name="ri", size=D4, quantity=1, term="1y", region=REGION)))
    assert {row.get("CommitmentDiscountStatus") for row in found} == {"Used", None}


def test_empty_units_are_paid_as_vms_are_or_by_a_reservation() -> None:
    """Three units, one VM: two stand empty. Two reservations pay the VM and one of them; the other costs 0.23 an hour."""
    room = CapacityReservation(name="room", size=D4, quantity=3, region=REGION)
    found = rows_of(rated((1.0, 1.0), room, Reservation(name="ri", size=D4, quantity=2, term="1y", region=REGION)))
    same = ACCOUNT | COMMITMENT | USAGE | NO_HOURS | HERE | sku("commitment.room.unused", f'{{"InstanceType": "{D4}"}}', 0.23) | {
        "ChargeDescription": "room: empty units", "CapacityReservationId": "room", "CapacityReservationStatus": "Unused",
    }  # fmt: skip
    plain = same | {"PricingCategory": "Standard"}
    by_ri = same | RESERVED | {"PricingCategory": "Committed", "CommitmentDiscountStatus": "Used"}
    assert [row for row in found if row["ChargeDescription"] == "room: empty units"] == [
        plain | JANUARY | amounts("room", 1.0, "0.230000000", "0.230000000", "0.230000000"),
        plain | FEBRUARY | amounts("room", 1.0, "0.230000000", "0.230000000", "0.230000000"),
        by_ri | JANUARY | amounts("room", 1.0, "0.000000000", "0.100000000", "0.230000000", 1.0),
        by_ri | FEBRUARY | amounts("room", 1.0, "0.000000000", "0.100000000", "0.230000000", 1.0),
    ]


def test_a_dedicated_host_is_usage_and_its_vms_are_free() -> None:
    """5 USD an hour; nothing of it is shared out, and the VMs on it are at price 0."""
    host = DedicatedHost(name="host", quantity=1, usd_per_h=5.0, vcpus=64, groups=("web",))
    rating = rated((1.0, 1.0), host)
    assert effective_shares(rating) == {}
    meter = f"compute.{D4}.linux.covered.host"
    on_it = WEB | sku(meter, LINUX, 0.23) | {"PricingCategory": "Other", "ChargeDescription": f"{meter} of web"}
    itself = ACCOUNT | COMMITMENT | USAGE | HOURS | NOWHERE | sku("commitment.host", None, 5.0) | {"PricingCategory": "Standard", "ChargeDescription": "host: bought"}  # fmt: skip
    assert rows_of(rating) == [
        same | period | amounts(name, 1.0, cost, cost, listed) | {"ConsumedQuantity": pytest.approx(1.0)}
        for same, name, cost, listed in (
            (on_it, "web", "0.000000000", "0.230000000"),
            (itself, "host", "5.000000000", "5.000000000"),
        )
        for period in (JANUARY, FEBRUARY)
    ]


def test_the_used_part_of_a_price_is_shared_by_what_each_took_of_it() -> None:
    """Of 0.20 USD for two hours the VM took one hour and the empty unit one; of nothing used there is nothing to share."""
    room, ri = CapacityReservation(name="room", size=D4, quantity=1, region=REGION), Reservation(name="ri", size=D4, quantity=1, term="1y", region=REGION)  # fmt: skip
    assert effective_shares(rated((1.0, 0.0), room, ri)) == {("ri", "web"): 100_000_000, ("ri", "room"): 100_000_000}
    assert effective_shares(rated((0.0, 0.0), ri)) == {}


def test_what_a_free_reservation_pays_costs_nothing() -> None:
    """At a price of 0 it is bought and used all the same: a row for the VM and one for the empty unit of each hour, of no cost."""
    catalogue = CATALOGUE.with_overrides(REGION, {D4: {"reservation_3y": 0.0}})
    room, ri = CapacityReservation(name="room", size=D4, quantity=2, region=REGION), Reservation(name="ri", size=D4, quantity=2, term="3y", region=REGION)  # fmt: skip
    rating = rate_in_full(rated((1.0, 1.0)).hours, np.ones(2), catalogue, (room, ri), start=START)
    used = [row for row in rows_of(rating) if row.get("CommitmentDiscountStatus") == "Used"]
    assert [(row["ResourceId"], row["EffectiveCost"], row["ListCost"]) for row in used] == [
        ("web", "0.000000000", "0.230000000"), ("web", "0.000000000", "0.230000000"),
        ("room", "0.000000000", "0.230000000"), ("room", "0.000000000", "0.230000000"),
    ]  # fmt: skip
    assert effective_shares(rating) == {}


@pytest.mark.parametrize(
    ("nano", "written"),
    [(0, "0.000000000"), (-1, "-0.000000001"), (1_000_000_000, "1.000000000"), (-12_345_678_901, "-12.345678901")],
)
def test_money_is_written_with_nine_places(nano: int, written: str) -> None:
    """A nano-dollar below zero too."""
    assert exact_decimal(nano) == written
