"""Lines of each kind of meter, by hand: which hours at which price; and what a plug-in's meter gives wrongly.

D4s v5: 0.23 USD an hour, with Windows 0.414. Two clock hours, the last of January (744 hours) and the first of February (672).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from sim.billing import METERS, MeterKind, RatedGroup, Reservation, add_meter, rate_in_full
from sim.billing.hours import CountedHours, RatedHours
from sim.billing.meter_kinds import group_prices, running_cost
from sim.billing.meters import BillLine
from sim.billing.spot_prices import SpotSteps
from sim.catalog import load_bundled
from sim.errors import PlugInError
from sim.fields.metrics import METRICS

REGION, D4 = "westeurope", "Standard_D4s_v5"
CATALOGUE = load_bundled().with_overrides(REGION, {D4: {"reservation_1y": 0.1}})
START = datetime(2026, 1, 31, 23, tzinfo=UTC)
SPOT = {os: CATALOGUE.price_per_h(D4, REGION, f"spot_{os}") for os in ("linux", "windows")}


def group(**changes: Any) -> RatedGroup:
    """A group of D4s v5."""
    return RatedGroup(**({"name": "web", "size": D4, "region": REGION} | changes))


def counted(*hourly: float) -> CountedHours:
    """VM hours in each clock hour."""
    return CountedHours(hourly=np.array(hourly), total_h=sum(hourly))


def lines(
    own: RatedGroup, *commitments: Any, dated: bool = True, orphaned: tuple[float, float] = (0.0, 0.0), **how: Any
) -> list[tuple[Any, ...]]:
    """The lines of a group that ran one VM hour and then two, existed for three and four, and had licences for one and one."""
    hours = RatedHours(
        group=own, billed=counted(1, 2), licensed=counted(1, 1), existing=counted(3, 4), orphaned=counted(*orphaned)
    )
    bill = rate_in_full([hours], np.ones(2), CATALOGUE, commitments, start=START if dated else None, **how).bill
    return [
        (each.meter, each.quantity, each.unit, each.unit_price, each.counts)
        for each in bill.lines
        if each.group == "web"
    ]


def test_each_group_pays_these_meters() -> None:
    """Compute without its licence, the licence, a disk in each month, an address from creation to deletion."""
    own = group(os="windows", disks=("P10", "E:200"), public_ip=True)
    e15 = CATALOGUE.disk("E15", REGION).per_month
    assert lines(own) == [
        (f"compute.{D4}.windows.regular", 3.0, "VM hour", 0.23, "left"),
        (f"license.windows.{D4}", 2.0, "VM hour", 0.184, "licensed"),
        ("disk.P10", 4.0, "disk hour", 21.68 / 672, "existing@672"),
        ("disk.P10", 3.0, "disk hour", 21.68 / 744, "existing@744"),
        ("disk.E15", 4.0, "disk hour", e15 / 672, "existing@672"),
        ("disk.E15", 3.0, "disk hour", e15 / 744, "existing@744"),
        ("network.public_ip", 7.0, "address hour", 0.005, "existing"),
    ]


def test_disks_that_outlive_their_vm_have_lines_of_their_own() -> None:
    """Half an hour in January and a quarter in February; without a date a month has 730 hours."""
    own = group(disks=("P10",))
    both = [each for each in lines(own, orphaned=(0.5, 0.25)) if each[0].startswith("disk")]
    assert [each[:2] + each[4:] for each in both] == [
        ("disk.P10", 4.0, "existing@672"), ("disk.P10", 3.0, "existing@744"),
        ("disk.P10.orphaned", 0.25, "orphaned@672"), ("disk.P10.orphaned", 0.5, "orphaned@744"),
    ]  # fmt: skip
    undated = lines(own, dated=False, orphaned=(0.5, 0.25))[1:]
    assert undated == [
        ("disk.P10", 7.0, "disk hour", 21.68 / 730, "existing@730"), ("disk.P10.orphaned", 0.75, "disk hour", 21.68 / 730, "orphaned@730"),
    ]  # fmt: skip


def test_room_for_hibernation_is_a_disk_of_its_own() -> None:
    """127 GiB of Windows and 16 GiB of memory don't fit on the 128 GiB of a P10: what a P15 costs more. Linux with its 30 GiB does."""
    windows, linux = (group(os=os, disks=("P10", "P10"), hibernates=True) for os in ("windows", "linux"))
    step = CATALOGUE.disk("P15", REGION).per_month - 21.68
    assert [detail for detail, _ in group_prices(CATALOGUE, windows)["disk"]] == ["P10", "P10", "P15.hibernation"]
    assert group_prices(CATALOGUE, windows)["disk"][2][1] == pytest.approx(step, abs=1e-9)
    assert [detail for detail, _ in group_prices(CATALOGUE, linux)["disk"]] == ["P10", "P10"]
    assert group_prices(CATALOGUE, group(hibernates=True))["disk"] == []
    assert group_prices(CATALOGUE, group(os="windows", disks=("P10",)))["disk"] == [("P10", 21.68)]


def test_disks_without_a_vm_have_no_compute() -> None:
    """As a list of stays, or an invoice, may have them."""
    alone = RatedGroup(name="web", size="", region=REGION, os="windows", disks=("P10",), hibernates=True)
    assert {
        kind: [name for name, _ in prices] for kind, prices in group_prices(CATALOGUE, alone).items() if prices
    } == {"disk": ["P10"]}


def test_hours_that_a_commitment_pays_stand_beside_what_is_left() -> None:
    """One reserved: one of one and one of two. One VM hour is left; with two reserved there is exactly nothing left."""
    for quantity, left, covered in ((1.0, 1.0, 2.0), (2.0, 0.0, 3.0)):
        ri = Reservation(name="ri", size=D4, quantity=quantity, term="1y", region=REGION)
        assert lines(group(), ri) == [
            (f"compute.{D4}.linux.regular", left, "VM hour", 0.23, "left"),
            (f"compute.{D4}.linux.covered.ri", covered, "VM hour", 0.0, "covered.ri"),
        ]
    idle = Reservation(name="idle", size="Standard_E4s_v5", quantity=1, term="1y", region="polandcentral")
    assert [each[0] for each in lines(group(), idle)] == [f"compute.{D4}.linux.regular"]


def test_each_price_of_spot_has_a_line_in_the_order_in_which_they_came() -> None:
    """Twice the list price in January and the list price in February; both have a line even without an hour."""
    own, steps = group(priority="spot"), SpotSteps(start=START, factors=(2.0, 1.0))
    dear, cheap = 2 * SPOT["linux"], SPOT["linux"]
    meter = f"compute.{D4}.linux.spot"
    assert lines(own, spot_steps=steps) == [
        (meter, 1.0, "VM hour", pytest.approx(dear), f"left@{dear!r}"), (meter, 2.0, "VM hour", cheap, f"left@{cheap!r}"),
    ]  # fmt: skip
    assert lines(group(), spot_steps=steps) == [(f"compute.{D4}.linux.regular", 3.0, "VM hour", 0.23, "left")]
    none = RatedHours(
        group=own, billed=counted(0, 0), licensed=counted(0, 0), existing=counted(0, 0), orphaned=counted(0, 0)
    )
    bill = rate_in_full([none], np.array([0.0, 1.0]), CATALOGUE, (), steps, start=START).bill
    assert [(each.meter, each.counts) for each in bill.lines] == [(meter, f"left@{cheap!r}")], (
        "January is not billed at all"
    )


def test_what_running_costs_as_it_goes() -> None:
    """One hour in January and two in February, with Windows; spot at twice the price in January, its licence at the same."""
    hourly, steps = np.array([1.0, 2.0]), SpotSteps(start=START, factors=(2.0, 1.0))
    windows = group(os="windows", disks=("P10",), public_ip=True)
    spot = group(os="windows", priority="spot")
    licence = SPOT["windows"] - SPOT["linux"]
    for own, prices, cost in (
        (windows, None, 3 * 0.414), (windows, steps, 3 * 0.414), (group(), steps, 3 * 0.23),
        (spot, None, 3 * SPOT["windows"]), (spot, steps, (2 + 2) * SPOT["linux"] + 3 * licence),
    ):  # fmt: skip
        assert running_cost(CATALOGUE, own, hourly, prices) == pytest.approx(cost, abs=1e-9)


def test_each_kind_has_its_unit() -> None:
    """As they stand on a bill; a price by size and system is that of compute and licences alone."""
    assert {name: (kind.kind, kind.label, kind.unit, kind.has_size) for name, kind in METERS.items()} == {
        "compute": ("compute", "compute", "VM hour", True), "license": ("license", "software licences", "VM hour", True),
        "disk": ("disk", "disks", "disk hour", False), "network": ("network", "network", "address hour", False),
        "commitment": ("commitment", "commitments", "", False),
    }  # fmt: skip


@pytest.fixture
def odd() -> Iterator[Any]:
    """A meter of a plug-in whose prices and lines a test chooses."""
    given: dict[str, Any] = {"prices": [("x", 1)], "lines": []}
    kind = MeterKind(
        kind="odd", label="odd ones", unit="hour", prices=lambda *_: given["prices"], lines=lambda *_: given["lines"],
        service=METERS["disk"].service,
    )  # fmt: skip
    add_meter(kind)
    yield given
    METERS.remove("odd")
    METRICS.remove("cost.odd")


@pytest.mark.parametrize("wrong", [[("x", "1.0")], [(1, 1.0)], [("x", 1.0, 2.0)], [["x", 1.0]], [("x", 1.0), None]])
def test_a_price_that_is_none_is_the_plug_ins_mistake(odd: Any, wrong: list[Any]) -> None:
    """Whole numbers are prices too; the message names the meter, who wrote it, and what it gave."""
    assert lines(group())[-1][0] == f"compute.{D4}.linux.regular"
    odd["prices"] = wrong
    with pytest.raises(PlugInError) as caught:
        lines(group())
    assert (
        str(caught.value)
        == f"meter odd of {METERS.origins['odd']}: prices(...) gave {wrong!r}; it gives a list of (detail, USD per unit from 0 on)"
    )


def test_a_line_that_is_none_is_the_plug_ins_mistake(odd: Any) -> None:
    """One that is one is taken as it is."""
    right = BillLine(group="web", meter="odd.x", quantity=2.0, unit="hour", unit_price=1.0, amount_nano=5)
    odd["lines"] = [right]
    assert lines(group())[-1] == ("odd.x", 2.0, "hour", 1.0, "")
    odd["lines"] = [right, ("odd.x", 2.0)]
    with pytest.raises(PlugInError) as caught:
        lines(group())
    assert (
        str(caught.value)
        == f"meter odd of {METERS.origins['odd']}: lines(...) gave {odd['lines']!r}; it gives a list of BillLine"
    )
