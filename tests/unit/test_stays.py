"""VM timelines rated without a simulation: rounding, disks that outlive their VM, and errors in the input."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from sim.billing import RatedGroup, Reservation, SavingsPlan
from sim.billing.breakdown import EXISTING, LEFT, Days, VmBreakdown
from sim.billing.disks import parse_disk
from sim.billing.rating import rate_stays
from sim.billing.stays import Stay, hours_of_stays, stays_of
from sim.catalog import load_bundled
from sim.errors import CatalogueError, InputError
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.usage.ledger import to_ticks
from tests.helpers.vm_hours import vm_hours

REGION, D4 = "westeurope", "Standard_D4s_v5"
CATALOGUE = load_bundled().with_overrides(REGION, {D4: {"reservation_1y": 0.1, "savings_plan_3y": 0.12}})
RUNNING, STOPPED, DEALLOCATED = PowerState.RUNNING, PowerState.STOPPED, PowerState.DEALLOCATED


def group(**changes: object) -> RatedGroup:
    """A group of D4s_v5."""
    return RatedGroup(**{"name": "dev", "size": D4, "region": REGION, **changes})


def recorded(*stays: tuple[str, PowerState, float, float], of: RatedGroup | None = None):
    """Stays of one group, in seconds."""
    rated = of or group()
    rows = [(rated.name, Stay(vm=vm, state=state, start_s=start, end_s=end)) for vm, state, start, end in stays]
    return stays_of([rated], rows)


def quantity(stays, meter: str, **how: object) -> float:
    """How much of a meter the stays used."""
    bill = rate_stays(stays, CATALOGUE, "2018-08", **how).bill
    return sum(line.quantity for line in bill.lines if line.meter.startswith(meter))


def test_six_minutes_forty_five_are_six_minutes_when_spare_seconds_are_dropped():
    """The pricing FAQ's example; exact keeps the 45 s, and nothing is ever rounded up to hours."""
    stay = recorded(("a", RUNNING, 0.0, 405.0))
    assert quantity(stay, "compute", rounding="floor-minute") == pytest.approx(6 / 60)
    assert quantity(stay, "compute") == pytest.approx(405 / 3600)


def test_minutes_are_dropped_once_per_contiguous_billed_stretch():
    """Running then stopped is one stretch: 90 s + 90 s are three minutes, not one and one; a gap makes two stretches."""
    joined = recorded(("a", RUNNING, 0.0, 90.0), ("a", STOPPED, 90.0, 180.0))
    assert quantity(joined, "compute", rounding="floor-minute") == pytest.approx(3 / 60)
    parted = recorded(("a", RUNNING, 0.0, 90.0), ("a", DEALLOCATED, 90.0, 100.0), ("a", RUNNING, 100.0, 190.0))
    assert quantity(parted, "compute", rounding="floor-minute") == pytest.approx(2 / 60)
    two = recorded(("a", RUNNING, 0.0, 90.0), ("b", RUNNING, 90.0, 180.0))
    assert quantity(two, "compute", rounding="floor-minute") == pytest.approx(2 / 60)


def test_an_e10_deleted_after_twenty_hours_pays_twenty_hours():
    """Prorated by the hour, whatever the VM's state: the documented example."""
    vm = recorded(("a", RUNNING, 0.0, 36000.0), ("a", DEALLOCATED, 36000.0, 72000.0), of=group(disks=("E10",)))
    bill = rate_stays(vm, CATALOGUE, "2018-08", window_s=(0.0, 30 * 86400.0)).bill
    assert bill.cost("disk") == pytest.approx(20 * CATALOGUE.disk("E10", REGION).per_month / 730, abs=1e-9)


def test_a_disk_kept_after_the_delete_pays_on():
    """A delete that keeps disks leaves an orphan until the end of the window."""
    vm = recorded(("a", RUNNING, 0.0, 72000.0), of=group(disks=("E10",), keeps_disks=True))
    assert quantity(vm, "disk.E10.orphaned", window_s=(0.0, 108000.0)) == pytest.approx(10.0)
    assert quantity(vm, "disk", window_s=(0.0, 108000.0)) == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("written", "tier"), [("E:200", "E15"), ("P:512", "P20"), ("S:1024", "S30"), ("P:3072", "P50"), ("p10", "P10")]
)
def test_disks_are_rounded_up_to_the_next_tier(written, tier):
    """200 GiB of Standard SSD is E15: the documented example, and the others its page names."""
    assert parse_disk(written) == tier


@pytest.mark.parametrize("written", ["S:0", "E:40000", "Q:10", "P11", "S3", ""])
def test_disks_that_do_not_exist_are_refused(written):
    """Not rounded to something else."""
    with pytest.raises(CatalogueError):
        parse_disk(written)


def test_two_states_at_once_are_refused():
    """A VM that is running and deallocated at one instant would be billed twice."""
    with pytest.raises(InputError, match=r"VM b, deallocated .*begins before the stay before it, VM b, running"):
        recorded(("a", RUNNING, 0.0, 100.0), ("b", RUNNING, 0.0, 100.0), ("b", DEALLOCATED, 99.0, 200.0))
    with pytest.raises(InputError, match=r"VM b, running from 1 h to 0\.5 h: it ends before it starts"):
        recorded(("a", RUNNING, 0.0, 3600.0), ("b", RUNNING, 3600.0, 1800.0))


def random_lives(seed: int, vms: int = 40, of: tuple[RatedGroup, ...] = ()):
    """Many VM timelines over ten days."""
    groups = of or (group(), group(name="win", os="windows", disks=("P10",)))
    random = np.random.default_rng(seed)
    rows = []
    for vm in range(vms):
        at = float(random.random() * 50000)
        while at < 10 * 86400:
            end = at + float(random.exponential(20000))
            state = PowerState(random.choice([RUNNING, STOPPED, DEALLOCATED]))
            rows.append((groups[vm % len(groups)].name, Stay(vm=f"v{vm}", state=state, start_s=at, end_s=end)))
            at = end + float(random.choice([0.0, 500.0]))
    return stays_of(groups, rows), rows


def test_counting_by_clock_hour_equals_cutting_every_stay_by_hand():
    """The differences of `HourCounter` against a plain loop over stays and hours."""
    stays, rows = random_lives(1)
    end_s = 8 * 86400.0 + 1234.5
    (hours, _) = hours_of_stays(stays, get_policy("2018-08"), (to_ticks(600.0), to_ticks(end_s)))
    by_hand = np.zeros(len(hours.billed.hourly))
    for name, stay in rows:
        if name == "dev" and stay.state is not DEALLOCATED:
            for hour in range(len(by_hand)):
                inside = min(stay.end_s, 3600.0 * (hour + 1), end_s) - max(stay.start_s, 3600.0 * hour, 600.0)
                by_hand[hour] += max(0.0, inside) / 3600
    assert hours.billed.hourly == pytest.approx(by_hand, abs=1e-6)  # a tick of rounding at each of ~1,000 edges
    assert hours.billed.total_h == pytest.approx(float(by_hand.sum()), abs=1e-5)


def test_stays_as_levels_are_counted_from_their_clock_hour():
    """From 20 to 100 minutes, 10 minutes into the clock hour: one VM from 50 to 90 minutes, 60 to 100 of its clock, else none."""
    stays = recorded(("a", RUNNING, 3000.0, 5400.0), ("a", DEALLOCATED, 5400.0, 9000.0))
    (hours,) = hours_of_stays(
        stays, get_policy("2018-08"), (to_ticks(1200.0), to_ticks(6000.0)), into_hour=to_ticks(600.0), levels=True
    )
    level = hours.level
    assert (level.ticks.tolist(), level.number.tolist(), level.end) == (
        [to_ticks(each) for each in (1800.0, 3600.0, 6000.0)], [0, 1, 0], to_ticks(6600.0),
    )  # fmt: skip
    assert hours.billed.hourly.tolist() == [0.0, pytest.approx(2 / 3)]
    assert hours_of_stays(stays, get_policy("2018-08"), (0, to_ticks(9000.0)))[0].level is None


COMMITMENTS = (
    Reservation(name="ri", size=D4, quantity=7, term="1y", region=REGION),
    SavingsPlan(name="sp", hourly_usd=0.4, term="3y"),
)


def test_what_vms_pay_adds_up_to_what_their_groups_pay():
    """Two look-ups a stretch against the hourly coverage: no VM hour is lost or paid twice."""
    stays, _ = random_lives(2)
    end_s = 10 * 86400.0
    rating = rate_stays(stays, CATALOGUE, "2018-08", COMMITMENTS, window_s=(0.0, end_s))
    left = {name: demand.left for name, demand in rating.allocation.demands.items()}
    mine = vm_hours(stays, get_policy("2018-08"), (0, to_ticks(end_s)), rating.hours, left)
    for number, own in enumerate(rating.hours):
        members = stays.group_of == number
        assert mine["billed"][members].sum() == pytest.approx(left[own.group.name].sum(), rel=1e-9)
        assert mine["existing"][members].sum() == pytest.approx(own.existing.total_h, rel=1e-12)


def test_days_of_vms_add_up_to_days_of_groups():
    """Cut at midnight UTC although the clock starts at 07:30; the sum over VMs is the group's own day."""
    stays, _ = random_lives(3)
    end_s = 10 * 86400.0
    rating = rate_stays(stays, CATALOGUE, "2018-08", COMMITMENTS, window_s=(0.0, end_s))
    days = Days(start=datetime(2026, 1, 5, 7, tzinfo=UTC), hours=len(rating.window))
    spread = VmBreakdown(
        rating=rating, days=days, stays=stays, policy=get_policy("2018-08"), window=(0, to_ticks(end_s))
    )
    names, hours = spread.weights(0, LEFT)
    assert len(names) == 20
    assert hours.sum(axis=0) == pytest.approx(days.sums(rating.allocation.demands["dev"].left), abs=1e-9)
    assert spread.weights(0, EXISTING)[1].max() <= 24.0 + 1e-9


def test_parts_of_a_bill_of_stays_are_exact():
    """Decimal sums of the lines are the total."""
    stays, _ = random_lives(4)
    bill = rate_stays(stays, CATALOGUE, "2018-08", COMMITMENTS, window_s=(0.0, 864000.0)).bill
    assert sum(Decimal(line.amount_nano) for line in bill.lines) == bill.amount_nano()


def test_small_parts_change_nothing(monkeypatch):
    """Work is cut into parts to bound memory; where the cuts fall must not matter."""
    stays, _ = random_lives(5)
    whole = rate_stays(stays, CATALOGUE, "2018-08", COMMITMENTS, rounding="floor-minute").bill
    monkeypatch.setattr("sim.billing.stays.ROWS_AT_ONCE", 7)
    assert rate_stays(stays, CATALOGUE, "2018-08", COMMITMENTS, rounding="floor-minute").bill == whole
