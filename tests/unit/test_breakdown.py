"""A bill by VM and day, by hand: two VMs from 22:30 on 31 January to 01:30, and half a reservation.

a runs from 22:30 to 23:30, b from 23:00 to 01:30. By clock hour that is 0.5, 1.5, 1 and 0.5 VM hours; the reservation pays 0.25, 0.5,
0.5 and 0.25 of them, so what is left to pay as you go is a half, two thirds, a half and a half.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from sim.billing import RatedGroup, Reservation
from sim.billing.breakdown import Days, GroupBreakdown, VmBreakdown
from sim.billing.daily_cost import FLEET_COST, NO_COST, cost_by_day
from sim.billing.rating import Rating, rate_stays
from sim.billing.stays import Stay, Stays, stays_of
from sim.catalog import load_bundled
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.usage.ledger import to_ticks

REGION, D4 = "westeurope", "Standard_D4s_v5"
CATALOGUE = load_bundled().with_overrides(REGION, {D4: {"reservation_1y": 0.1}})
START = datetime(2026, 1, 31, 22, 30, tzinfo=UTC)
HALF = Reservation(name="ri", size=D4, quantity=0.5, term="1y", region=REGION)


def stays(**group: Any) -> Stays:
    """Those of a and b."""
    web = RatedGroup(**({"name": "web", "size": D4, "region": REGION} | group))
    lives = (("a", 0.0, 1.0), ("b", 0.5, 3.0))
    rows = [
        (web.name, Stay(vm=vm, state=PowerState.RUNNING, start_s=3600 * on, end_s=3600 * off)) for vm, on, off in lives
    ]
    return stays_of([web], rows)


def rate(of: Stays, first_h: float = 0.0, **how: Any) -> Rating:
    """Their bill, from so many hours after the start on."""
    return rate_stays(of, CATALOGUE, "2018-08", (HALF,), window_s=(3600 * first_h, 3 * 3600.0), start=START, **how)


def by_vm(of: Stays, rating: Rating, **how: Any) -> VmBreakdown:
    """That bill by VM."""
    window = 0, to_ticks(3 * 3600.0)
    return VmBreakdown(
        rating=rating, days=Days.of(rating, START), stays=of, policy=get_policy("2018-08"), window=window, **how
    )


def test_days_are_those_of_utc_and_their_hours_those_of_the_clock() -> None:
    """Half past ten is in the clock hour of ten; the first day has two clock hours and the second two."""
    days = Days.of(rate(stays()), START)
    assert (days.start, days.hours, days.first_hour, days.count) == (START, 4, 0, 2)
    assert (days.midnight, days.clock, days.offset_s) == (
        datetime(2026, 1, 31, tzinfo=UTC),
        START.replace(minute=0),
        22.5 * 3600,
    )
    assert days.of_hours.tolist() == [0, 0, 1, 1]
    assert days.sums(np.array([1.0, 2.0, 3.0, 5.0])).tolist() == [3.0, 8.0]
    assert [days.begin(day) for day in (0, 1, 2)] == [datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)]  # fmt: skip
    first, second = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 1, 2, tzinfo=UTC)
    assert (days.period(0), days.period(1)) == ((START.replace(minute=0), first), (first, second))


def test_the_same_days_wherever_the_clock_hangs() -> None:
    """04:00 at five and a half hours ahead of UTC is 22:30 of the day before."""
    there = Days(start=START.astimezone(timezone(timedelta(hours=5, minutes=30))), hours=4)
    here = Days(start=START, hours=4)
    assert (there.midnight, there.clock, there.offset_s, there.of_hours.tolist()) == (here.midnight, here.clock, here.offset_s, [0, 0, 1, 1])  # fmt: skip
    assert [there.period(day) for day in (0, 1)] == [here.period(day) for day in (0, 1)]


def test_hours_before_the_first_that_is_billed_are_in_no_period() -> None:
    """Billed from midnight on: the first day is empty, and the second whole."""
    days = Days.of(rate(stays(), 1.5), START)
    midnight = datetime(2026, 2, 1, tzinfo=UTC)
    assert days.first_hour == 2
    assert (days.period(0), days.period(1)) == ((midnight, midnight), (midnight, midnight + timedelta(hours=2)))
    none = replace(rate(stays()), window=np.zeros(4))
    assert (Days.of(none, START).first_hour, Days(start=START, hours=0).count) == (0, 1)


def test_what_each_vm_pays_of_each_day() -> None:
    """Of a's half hours a half and two thirds are left; b's whole hour in January, and its hour and a half in February."""
    of = stays(os="windows", disks=("P10",))
    rating = rate(of)
    found = {what: by_vm(of, rating).weights(0, what) for what in ("left", "covered.ri", "licensed", "existing", "existing@744", "existing@672", "orphaned")}  # fmt: skip
    assert {tuple(names) for names, _ in found.values()} == {("a", "b")}
    expected = {
        "left": [[0.25 + 1 / 3, 0], [2 / 3, 0.75]], "covered.ri": [[0.25 + 1 / 6, 0], [1 / 3, 0.75]], "licensed": [[1, 0], [1, 1.5]],
        "existing": [[1, 0], [1, 1.5]], "existing@744": [[1, 0], [1, 0]], "existing@672": [[0, 0], [0, 1.5]], "orphaned": [[0, 0], [0, 0]],
    }  # fmt: skip
    for what, hours in expected.items():
        assert found[what][1] == pytest.approx(np.array(hours)), what
    for what, hours in expected.items():
        names, own = GroupBreakdown(rating=rating, days=Days.of(rating, START)).weights(0, what)
        assert (names, own.shape) == (["web"], (1, 2))
        assert own[0] == pytest.approx(np.array(hours).sum(axis=0)), what


def test_a_vm_that_is_created_again_is_the_same_resource() -> None:
    """Two lives of one name are one row."""
    of = replace(stays(), vms=("a", "a"))
    names, hours = by_vm(of, rate(of)).weights(0, "existing")
    assert (list(names), hours.tolist()) == (["a"], [[2.0, 1.5]])


def test_spare_seconds_are_dropped_of_each_stretch() -> None:
    """An hour and 30 s are an hour on the bill; what exists is not cut."""
    of = stays_of([RatedGroup(name="web", size=D4, region=REGION)], [("web", Stay(vm="a", state=PowerState.RUNNING, start_s=0.0, end_s=3630.0))])  # fmt: skip
    cut = by_vm(of, rate(of, rounding="floor-minute"), rounding="floor-minute")
    both = [sum(cut.weights(0, what)[1].sum() for what in each) for each in (("left", "covered.ri"), ("existing",))]
    assert both == [pytest.approx(1.0), pytest.approx(3630 / 3600)]
    short = stays_of([RatedGroup(name="web", size=D4, region=REGION)], [("web", Stay(vm="a", state=PowerState.RUNNING, start_s=0.0, end_s=30.0))])  # fmt: skip
    assert by_vm(short, rate(short, rounding="floor-minute"), rounding="floor-minute").weights(0, "left")[
        1
    ].tolist() == [[0.0, 0.0]]


def test_what_each_day_costs_by_group_kind_and_commitment() -> None:
    """0.23 an hour for what is left, 0.10 for each of 0.75 units bought a day; a disk's month is 744 and 672 hours."""
    of = stays(disks=("P10",))
    cost = cost_by_day(rate(of), START)
    assert (cost.first_day, cost.keys) == (
        date(2026, 1, 31),
        (("web", "compute"), ("web", "disk"), ("ri", "commitment")),
    )
    assert cost.amounts == pytest.approx(
        np.array([[1.25 * 0.23, 0.75 * 0.23], [2 * 21.68 / 744, 1.5 * 21.68 / 672], [0.075, 0.075]]), abs=2e-9
    )
    months = cost.by_month()
    assert list(months) == ["2026-01", "2026-02"]
    assert [months["2026-01"], months["2026-02"]] == [cost.amounts[:, 0].tolist(), cost.amounts[:, 1].tolist()]


def test_days_of_the_warm_up_cost_nothing_and_are_left_out() -> None:
    """Billed from midnight on: b's hour and a half, of which the reservation pays the half."""
    cost = cost_by_day(rate(stays(), 1.5), START)
    assert (cost.first_day, cost.keys) == (date(2026, 2, 1), (("web", "compute"), ("ri", "commitment")))
    assert cost.amounts == pytest.approx(np.array([[0.75 * 0.23], [0.075]]), abs=1e-9)
    assert (NO_COST.keys, NO_COST.amounts.shape, NO_COST.by_month()) == ((), (0, 0), {})


def test_what_belongs_to_no_group_and_no_commitment_is_the_fleets() -> None:
    """Shared out by the billed hours: 1.5 of 3 on each day; a line of no money is no row, and hours that were free share nothing."""
    rating = rate(stays())
    (compute, *_) = rating.bill.lines
    other = replace(compute, group="", meter="support.plan", counts="", amount_nano=3_000_000_000)
    free = replace(compute, counts="orphaned", amount_nano=2_000_000_000)
    cost = cost_by_day(
        replace(rating, bill=replace(rating.bill, lines=(other, free, replace(free, meter="disk.P10", amount_nano=0)))),
        START,
    )
    assert cost.keys == ((FLEET_COST, "support"), ("web", "compute"))
    assert cost.amounts.tolist() == [[1.5, 1.5], [1.0, 1.0]]
