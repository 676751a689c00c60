"""An invoice set against a price list, from a few charges: sums, periods, hours, and what is compared with what. Worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sim.billing.classify import COMMITMENT, OTHER, Key, Meter
from sim.billing.conversion import Conversion
from sim.billing.export_rows import Export, ExportRow, Sku
from sim.billing.invoice import Charge, Invoice, classify
from sim.billing.meters import RatedGroup
from sim.catalog import load_bundled

REGION, D4 = "westeurope", "Standard_D4s_v5"
CATALOGUE = load_bundled()
MARCH = datetime(2026, 3, 2, tzinfo=UTC)
VM = Key(REGION, D4)
EMPTY = dict.fromkeys(Sku._fields, "") | {"has_blocks": True, "is_spot": False, "charge": "usage"}


def charge(
    kind: str = "compute", cost: float = 5.0, begin_h: float = 0.0, hours: float = 1.0, *, listed: float | None = None, quantity: float = 0.0,
    key: Key | None = None, counts: tuple[str, ...] = ("billed",), reason: str = "", of: str = "usage", trusted: bool = True,
    unit: str = "VM hour", **row: Any,
) -> Charge:  # fmt: skip
    """A row that begins so many hours after midnight of 2 March, and its meter."""
    meter = Meter(kind=kind, name=kind, unit=unit, key=key, counts=counts, reason=reason, is_trusted=trusted)
    start = MARCH + timedelta(hours=begin_h)
    of_row = ExportRow(
        line=2, sku=Sku(**(EMPTY | {"charge": of})), cost=cost, start=start, end=start + timedelta(hours=hours), currency="USD",
        **({"effective": None, "quantity": quantity} | row),
    )  # fmt: skip
    return Charge(of_row, meter, quantity, None, listed)


def invoice(*charges: Charge, rate: float | None = 1.0) -> Invoice:
    """An invoice of these charges."""
    export = Export(path="a.csv", format="focus-1.0", currency="USD", cost_column="BilledCost", rows=())
    return Invoice(export=export, charges=charges, catalogue=CATALOGUE, conversion=Conversion(rate=rate, source=""))


def test_sums_are_over_what_is_known() -> None:
    """Cost of every row; effective and list cost where there is one; trusted is 4 of 6 at list, whatever isn't rated."""
    charges = (
        charge(cost=5.0, listed=4.0, effective=3.0), charge(cost=1.0, listed=2.0, trusted=False), charge(cost=2.0, reason="tax"),
        charge(cost=-1.0, reason="refund", effective=0.5),
    )  # fmt: skip
    found = invoice(*charges)
    assert (found.total, found.effective_total, found.list_total, found.trusted_share) == (7.0, 3.5, 6.0, 4 / 6)
    assert (found.rated, found.listed) == (list(charges[:2]), list(charges[2:]))
    unknown = invoice(*charges, rate=None)
    assert (unknown.total, unknown.list_total, unknown.trusted_share, unknown.rate) == (7.0, None, None, None)
    none = invoice(charges[2])
    assert (none.effective_total, none.list_total, none.trusted_share) == (None, 0.0, None)


def test_the_period_is_that_of_usage_where_there_is_any() -> None:
    """A year's purchase and a row with an unreadable date say nothing of it; without usage the purchase is all there is."""
    bought = charge(COMMITMENT, begin_h=-24, hours=365 * 24, of="purchase", reason="bought")
    lost = charge(COMMITMENT, begin_h=-48, hours=24, of="unused", reason="unused")
    broken = charge(begin_h=-9999, hours=1, problem="no period")
    usage = (
        charge(begin_h=5, hours=2),
        charge(begin_h=1, hours=3),
        charge(OTHER, begin_h=8, hours=1, reason="support"),
    )
    assert invoice(bought, lost, broken, *usage).period == (MARCH + timedelta(hours=1), MARCH + timedelta(hours=9))
    assert invoice(bought, lost).period == (MARCH - timedelta(hours=48), MARCH + timedelta(hours=364 * 24))
    assert invoice(broken).period is None


def test_the_clock_of_the_rated_usage_is_of_full_hours() -> None:
    """From 01:30 to 05:15: 01:00 to 06:00. Only rows with hours count."""
    rows = (
        charge(begin_h=1.5, hours=1, key=VM),
        charge(begin_h=2, hours=3.25, key=VM),
        charge(begin_h=-5, hours=90),
        charge(begin_h=-9, key=VM, reason="x"),
    )
    found = invoice(*rows)
    assert (found.start, found.end_s, found.longest_row_s) == (MARCH + timedelta(hours=1), 5 * 3600.0, 3.25 * 3600)
    whole = invoice(charge(begin_h=1, hours=2, key=VM))
    assert (whole.start, whole.end_s) == (MARCH + timedelta(hours=1), 7200.0)
    none = invoice(rows[2])
    assert (none.start, none.end_s, none.longest_row_s, none.rate_hours()) == (None, 0.0, 0.0, None)
    assert invoice(*rows, rate=None).rate_hours() is None


def test_hours_are_spread_evenly_over_their_row() -> None:
    """4 VM hours from 00:30 to 02:30 are 1, 2 and 1; a disk's tenth of March's 744 hours in two, 37.2 each; addresses beside them."""
    windows = Key(REGION, D4, "windows")
    rating = invoice(
        charge(begin_h=0.5, hours=2, quantity=4, key=VM), charge(begin_h=2, hours=1, quantity=0.5, key=VM),
        charge("compute", begin_h=0, hours=1, quantity=1, key=windows, counts=("billed", "licensed")),
        charge("disk", begin_h=0, hours=2, quantity=0.1, key=Key(REGION, disk="P10"), counts=("existing",), unit="disk month"),
        charge("ip", begin_h=1, hours=1, quantity=1, key=Key(REGION, address=True), counts=("existing",), unit="address hour"),
    ).rate_hours()  # fmt: skip
    assert rating is not None
    hours = {own.group.name: own for own in rating.hours}
    linux, licensed = f"{D4} {REGION} linux regular", f"{D4} {REGION} windows regular"
    assert list(hours) == [linux, licensed, f"P10 {REGION}", f"public IP {REGION}"]
    assert (hours[linux].billed.hourly.tolist(), hours[linux].billed.total_h) == ([1.0, 2.0, 1.5], 4.5)
    assert (hours[linux].licensed.total_h, hours[linux].existing.total_h, hours[linux].orphaned.total_h) == (
        0.0,
        0.0,
        0.0,
    )
    assert hours[licensed].licensed.hourly.tolist() == hours[licensed].billed.hourly.tolist() == [1.0, 0.0, 0.0]
    assert hours[f"P10 {REGION}"].existing.hourly == pytest.approx([37.2, 37.2, 0.0])
    assert hours[f"public IP {REGION}"].existing.hourly.tolist() == [0.0, 1.0, 0.0]
    assert [own.group for own in rating.hours[2:]] == [
        RatedGroup(name=f"P10 {REGION}", size="", region=REGION, disks=("P10",)),
        RatedGroup(name=f"public IP {REGION}", size="", region=REGION, public_ip=True),
    ]
    assert rating.window.tolist() == [1.0, 1.0, 1.0]
    assert rating.bill.cost("compute") == pytest.approx((4.5 + 1) * 0.23, abs=1e-8)


def test_a_tagged_group_has_its_name_if_its_vms_are_alike() -> None:
    """web is two of one kind; db has two kinds, so each has its words beside the name; a disk of web is none of its VMs."""
    spot = VM._replace(priority="spot")
    rating = invoice(
        charge(quantity=1, key=VM, group="web"), charge(quantity=1, key=VM, group="web"), charge(quantity=1, key=VM, group="db"),
        charge(quantity=1, key=spot, group="db"), charge("disk", quantity=1, key=Key(REGION, disk="P10"), counts=("existing",), group="web"),
    ).rate_hours()  # fmt: skip
    assert rating is not None
    names = {own.group.name: own.billed.total_h for own in rating.hours}
    words = {priority: f"db {D4} {REGION} linux {priority}" for priority in ("regular", "spot")}
    assert names == {"web": 2.0, words["regular"]: 1.0, words["spot"]: 1.0, f"web P10 {REGION}": 0.0}


BOUGHT = charge(COMMITMENT, 30.0, 0, 24, of="purchase", reason="bought", effective=0.0)
USED = charge(cost=0.0, effective=2.0, quantity=1, key=VM, is_used=True, listed=0.23)
PLAIN = charge(cost=0.3, effective=0.25, begin_h=1, quantity=1, key=VM, listed=0.23)


def differences(
    *charges: Charge, amortized: bool = False, rate: float | None = 1.0
) -> dict[str, tuple[float, float | None]]:
    """What was invoiced and rated of each kind that has any of it, and in all."""
    found = invoice(*charges, rate=rate)
    rows = found.differences(found.rate_hours(), amortized=amortized)
    assert rows[-1][0] == "total"
    return {
        kind: (pytest.approx(cost), None if rated is None else pytest.approx(rated))
        for kind, cost, rated in rows
        if cost or rated
    }  # type: ignore[misc]


def test_billed_cost_has_purchases_and_effective_cost_what_they_paid() -> None:
    """A day bought for 30 that paid an hour worth 2.00: as billed 30.30, amortized 2.25; the two VM hours are 0.46 at list."""
    assert differences(BOUGHT, USED, PLAIN) == {
        "compute": (0.3, 0.46),
        "commitment": (30.0, 0.0),
        "total": (30.3, 0.46),
    }
    assert differences(BOUGHT, USED, PLAIN, amortized=True) == {
        "compute": (0.25, 0.46),
        "commitment": (2.0, 0.0),
        "total": (2.25, 0.46),
    }
    unpriced = replace(PLAIN, row=replace(PLAIN.row, effective=None))
    assert differences(unpriced, amortized=True) == {"compute": (0.3, 0.23), "total": (0.3, 0.23)}


@pytest.mark.parametrize(("hours", "counts"), [(26, True), (26.5, False), (24, True), (24 * 365, False)])
def test_a_purchase_for_longer_than_the_usage_and_a_day_is_left_out(hours: float, counts: bool) -> None:
    """Of two hours of usage: a purchase for 26 hours counts. Amortized, its own cost of nothing does."""
    bought = replace(BOUGHT, row=replace(BOUGHT.row, end=BOUGHT.row.start + timedelta(hours=hours)))
    found = invoice(bought, USED, PLAIN)
    assert found.left_out(amortized=False) == ([] if counts else [bought])
    assert found.left_out(amortized=True) == []
    assert differences(bought, USED, PLAIN)["total"] == (30.3 if counts else 0.3, 0.46)


def test_other_purchases_and_those_without_any_usage_count() -> None:
    """A licence that was bought for a year is no commitment; without usage there is nothing to set a purchase against."""
    year = charge(OTHER, 40.0, 0, 24 * 365, of="purchase", reason="a purchase")
    assert invoice(year, PLAIN).left_out(amortized=False) == []
    long = replace(BOUGHT, row=replace(BOUGHT.row, end=BOUGHT.row.start + timedelta(days=365)))
    assert invoice(long).left_out(amortized=False) == []
    usage = charge(COMMITMENT, 1.0, 0, 24 * 365, reason="of a commitment")
    assert invoice(usage, PLAIN).left_out(amortized=False) == []


def test_kinds_stand_in_the_order_of_the_bill_then_by_name() -> None:
    """An address is network; kinds that the bill doesn't have come last, in alphabetical order; rows of nothing are there too."""
    rows = (
        charge("snapshot", 3.0, listed=2.0), charge("snapshot", 1.0, listed=None), charge("bandwidth", 4.0, reason="tiers"),
        charge("ip", 0.1, quantity=1, key=Key(REGION, address=True), counts=("existing",)),
    )  # fmt: skip
    found = invoice(*rows)
    assert found.differences(found.rate_hours()) == [
        ("compute", 0.0, 0.0), ("license", 0.0, 0.0), ("disk", 0.0, 0.0), ("network", 0.1, pytest.approx(0.005)), ("commitment", 0.0, 0.0),
        ("bandwidth", 4.0, 0.0), ("snapshot", 4.0, 2.0), ("total", pytest.approx(8.1), pytest.approx(2.005)),
    ]  # fmt: skip
    assert differences(*rows, rate=None) == {
        "network": (0.1, None), "bandwidth": (4.0, None), "snapshot": (4.0, None), "total": (8.1, None),
    }  # fmt: skip


def test_compute_and_licence_on_one_meter_are_one_row() -> None:
    """A Windows hour is invoiced as one; the list has two prices for it."""
    windows = charge(cost=0.5, quantity=1, key=Key(REGION, D4, "windows"), counts=("billed", "licensed"))
    found = invoice(windows)
    rows = found.differences(found.rate_hours())
    assert [kind for kind, _, _ in rows] == ["compute + license", "disk", "network", "commitment", "total"]
    assert rows[0] == ("compute + license", 0.5, pytest.approx(0.414))


def row(currency: str = "USD", **more: Any) -> ExportRow:
    """An hour of a D4s v5 as an export has it, ten to its unit."""
    sku = Sku(**(EMPTY | {"category": "Virtual Machines", "meter": "D4s v5", "unit": "10 Hours", "region": "EU West"}))
    fields = {
        "line": 2,
        "sku": sku,
        "cost": 1.0,
        "effective": None,
        "quantity": 0.1,
        "start": MARCH,
        "end": MARCH + timedelta(hours=1),
        "currency": currency,
    }
    return ExportRow(**(fields | more))


def test_rows_are_priced_by_the_list_in_the_currency_of_the_export() -> None:
    """Nothing is rated of a row that has a fault, or another currency; without a rate there is no price, and the hours stay."""
    rows = (row(), row(currency=""), row(currency="EUR"), row(problem="cost 'x' is no number"))
    export = Export(path="a.csv", format="focus-1.0", currency="USD", cost_column="BilledCost", rows=rows)
    charges = classify(export, CATALOGUE).charges
    assert [(each.meter.kind, each.meter.reason, each.quantity, each.unit_price, each.list_cost) for each in charges] == [
        ("compute", "", 1.0, 0.23, pytest.approx(0.23)), ("compute", "", 1.0, 0.23, pytest.approx(0.23)),
        (OTHER, "in EUR, not USD", 1.0, None, None), (OTHER, "cost 'x' is no number", 1.0, None, None),
    ]  # fmt: skip
    assert [each.meter.key for each in charges] == [VM, VM, None, None]
    (strange, other) = classify(replace(export, currency="XTS", rows=(row(currency="XTS"), row())), CATALOGUE).charges
    assert (strange.quantity, strange.unit_price, strange.list_cost, strange.is_rated) == (1.0, None, None, True)
    assert other.meter.reason == "in USD, not XTS"
    (given,) = classify(
        replace(export, currency="XTS", rows=(row(currency="XTS"),)), CATALOGUE, exchange_rate=2.0
    ).charges
    assert (given.unit_price, given.list_cost) == (0.46, pytest.approx(0.46))


def test_a_row_without_a_region_is_of_the_one_that_is_given() -> None:
    """West Europe unless the caller says so."""
    bare = row(sku=row().sku._replace(region=""))
    export = Export(path="a.csv", format="focus-1.0", currency="USD", cost_column="BilledCost", rows=(bare,))
    found = [classify(export, CATALOGUE, **how).charges[0].meter.key for how in ({}, {"region": "eastus"})]
    assert found == [Key(REGION, D4), Key("eastus", D4)]
