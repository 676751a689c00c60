"""Commitments against a slow, plain rating of one hour after another, and invariants that hold for any usage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.billing import CapacityReservation, RatedGroup, Reservation, SavingsPlan, rate_in_full
from sim.billing.hours import CountedHours, RatedHours
from sim.catalog import load_bundled

REGION = "westeurope"
SIZES = ("Standard_D2s_v5", "Standard_D4s_v5", "Standard_E4s_v5")
CATALOGUE = load_bundled().with_overrides(
    REGION,
    {
        size: {"linux": price, "reservation_1y": 0.6 * price, "savings_plan_3y": rate}
        for size, price, rate in zip(SIZES, (0.1, 0.2, 0.3), (0.06, 0.11, 0.2), strict=True)
    },
)
HOURS = 6

usage = st.lists(
    st.tuples(st.sampled_from(SIZES), st.lists(st.floats(0, 9), min_size=HOURS, max_size=HOURS)), min_size=1, max_size=4
)
reservations = st.lists(st.tuples(st.sampled_from(SIZES), st.floats(0, 6), st.booleans()), max_size=3)
money = st.floats(0, 3)


def groups_of(used) -> list[RatedHours]:
    """Groups with these hourly VM hours."""
    none = CountedHours(hourly=np.zeros(HOURS), total_h=0.0)
    made = []
    for number, (size, hourly) in enumerate(used):
        run = CountedHours(hourly=np.array(hourly), total_h=float(sum(hourly)))
        group = RatedGroup(name=f"g{number}", size=size, region=REGION)
        made.append(RatedHours(group=group, billed=run, licensed=none, existing=none, orphaned=none))
    return made


def commitments_of(reserved, hourly_usd: float):
    """Reservations r0, r1 ... and one savings plan."""
    return [
        *(
            Reservation(name=f"r{i}", size=size, quantity=quantity, term="1y", region=REGION, size_flexible=flexible)
            for i, (size, quantity, flexible) in enumerate(reserved)
        ),
        SavingsPlan(name="sp", hourly_usd=hourly_usd, term="3y"),
    ]


def plain_hour(demand: dict[str, float], reserved, hourly_usd: float) -> float:
    """Pay as you go left in one hour, USD, by the rules written as a loop over sizes, no arrays, no sharing."""
    flexibility = {size: CATALOGUE.get_size(size) for size in SIZES}
    payg = {size: CATALOGUE.price_per_h(size, REGION, "linux") for size in SIZES}
    left = dict(demand)
    for own, quantity, flexible in sorted(reserved, key=lambda r: r[2]):
        has = flexibility[own]
        others = [
            size
            for size in SIZES
            if size != own and flexible and has.flexibility_group
            and flexibility[size].flexibility_group == has.flexibility_group
        ]  # fmt: skip
        others.sort(key=lambda size: -payg[size] / flexibility[size].flexibility_ratio)
        budget = quantity
        for size in (own, *others):
            weight = 1.0 if size == own else flexibility[size].flexibility_ratio / has.flexibility_ratio
            taken = min(left.get(size, 0.0), budget / weight)
            left[size] = left.get(size, 0.0) - taken
            budget -= taken * weight
    rates = {size: CATALOGUE.price_per_h(size, REGION, "savings_plan_3y") for size in SIZES}
    for size in sorted(SIZES, key=lambda size: rates[size] / payg[size]):
        taken = min(left.get(size, 0.0), hourly_usd / rates[size])
        left[size] = left.get(size, 0.0) - taken
        hourly_usd -= taken * rates[size]
    return sum(hours * payg[size] for size, hours in left.items())


@settings(max_examples=150)
@given(used=usage, reserved=reservations, hourly_usd=money)
def test_array_work_equals_a_plain_loop_over_hours(used, reserved, hourly_usd):
    """Coverage of groups that share a size is proportional, so the fleet pays what a loop over sizes says."""
    bill = rate_in_full(groups_of(used), np.ones(HOURS), CATALOGUE, commitments_of(reserved, hourly_usd)).bill
    expected = 0.0
    for hour in range(HOURS):
        demand: dict[str, float] = {}
        for size, hourly in used:
            demand[size] = demand.get(size, 0.0) + hourly[hour]
        expected += plain_hour(demand, reserved, hourly_usd)
    assert bill.cost("compute") == pytest.approx(expected, abs=1e-6)


@settings(max_examples=100)
@given(used=usage, reserved=reservations, hourly_usd=money)
def test_every_hour_is_paid_once_and_nothing_is_used_beyond_what_was_bought(used, reserved, hourly_usd):
    """Left plus covered is billed; used fractions lie in 0 to 1; amounts add up whatever happens."""
    hours = groups_of(used)
    bill = rate_in_full(hours, np.ones(HOURS), CATALOGUE, commitments_of(reserved, hourly_usd)).bill
    for own in hours:
        lines = [line for line in bill.lines if line.group == own.group.name and line.kind == "compute"]
        assert sum(line.quantity for line in lines) == pytest.approx(own.billed.total_h, abs=1e-9)
        assert all(line.quantity >= 0 for line in lines)
    assert all(0.0 <= use.used_fraction <= 1.0 + 1e-12 for use in bill.commitments.values())
    assert bill.amount_nano() == sum(line.amount_nano for line in bill.lines)


@settings(max_examples=60)
@given(used=usage, quantity=st.floats(0, 6))
def test_one_more_reservation_never_raises_pay_as_you_go(used, quantity):
    """And what it saves is at most what it covers at the list price."""
    size = SIZES[0]
    hours = groups_of(used)
    before = rate_in_full(hours, np.ones(HOURS), CATALOGUE, commitments_of([(size, quantity, True)], 0.0)).bill
    after = rate_in_full(hours, np.ones(HOURS), CATALOGUE, commitments_of([(size, quantity + 1, True)], 0.0)).bill
    saved = before.cost("compute") - after.cost("compute")
    dearest = max(CATALOGUE.price_per_h(s, REGION, "linux") / r for s, r in ((SIZES[0], 1.0), (SIZES[1], 2.0)))
    assert -1e-6 <= saved <= HOURS * dearest + 1e-6


@settings(max_examples=60)
@given(used=usage, quantity=st.floats(0, 20))
def test_a_capacity_reservation_never_costs_less_than_its_units_nor_less_than_the_vms(used, quantity):
    """An hour costs the larger of VMs and units, at the size's price: VMs replace empty units, never double."""
    size = SIZES[1]
    room = CapacityReservation(name="room", size=size, quantity=quantity, region=REGION)
    bill = rate_in_full(groups_of(used), np.ones(HOURS), CATALOGUE, [room]).bill
    price = CATALOGUE.price_per_h(size, REGION, "linux")
    inside = sum((np.array(hourly) for own, hourly in used if own == size), start=np.zeros(HOURS))
    others = sum(sum(hourly) * CATALOGUE.price_per_h(own, REGION, "linux") for own, hourly in used if own != size)
    assert bill.total == pytest.approx(price * np.maximum(inside, quantity).sum() + others, abs=1e-6)
