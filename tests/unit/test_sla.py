"""Monthly uptime and service credits against the documented examples."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sim.billing.sla import SERVICE_LEVELS, Deployment, deployment_of
from tests.helpers.monthly_uptime import monthly_uptime, service_credit

JUNE = datetime(2026, 6, 1, tzinfo=UTC)  # 30 days
MONTH_S = 30 * 86400.0


def month_with(deployment: Deployment, down_min: float):
    """One member deployed all June, down for so many minutes."""
    (month,) = monthly_uptime(deployment, JUNE, {"a": [(0.0, MONTH_S)]}, {"a": [(600.0, 600.0 + 60 * down_min)]})
    return month


@pytest.mark.parametrize(("down_min", "percent", "credit"), [(55, 99.87, 0.10), (15, 99.97, 0.0)])
def test_capacity_reservation_example(down_min, percent, credit):
    """The documented example: 55 minutes not available is 99.87 % and a 10 % credit, 15 minutes 99.97 % and none."""
    month = month_with(Deployment.CAPACITY_RESERVATION, down_min)
    assert round(100 * month.uptime, 2) == percent
    assert month.credit == credit


@pytest.mark.parametrize(
    ("deployment", "uptime", "credit"),
    [
        (Deployment.ZONES, 0.9999, 0.0),
        (Deployment.ZONES, 0.99989, 0.10),
        (Deployment.ZONES, 0.9899, 0.25),
        (Deployment.ZONES, 0.9499, 1.0),
        (Deployment.AVAILABILITY_SET, 0.9995, 0.0),
        (Deployment.AVAILABILITY_SET, 0.9994, 0.10),
        (Deployment.SINGLE_PREMIUM, 0.9989, 0.10),
        (Deployment.SINGLE_STANDARD_SSD, 0.996, 0.0),
        (Deployment.SINGLE_STANDARD_SSD, 0.949, 0.25),
        (Deployment.SINGLE_STANDARD_HDD, 0.93, 0.10),
        (Deployment.SINGLE_STANDARD_HDD, 0.919, 0.25),
        (Deployment.SPOT, 0.0, 0.0),
    ],
)
def test_credit_table(deployment, uptime, credit):
    """Thresholds are "below": exactly the SLA is no breach."""
    assert service_credit(deployment, uptime) == credit


def test_the_service_levels_are_those_of_the_agreements() -> None:
    """Typed from the agreements: percent of the month, and of the fee where it is below 1st, 2nd, 3rd threshold."""
    expected = {
        Deployment.ZONES: (99.99, {99.99: 10, 99: 25, 95: 100}),
        Deployment.AVAILABILITY_SET: (99.95, {99.95: 10, 99: 25, 95: 100}),
        Deployment.SINGLE_PREMIUM: (99.9, {99.9: 10, 99: 25, 95: 100}),
        Deployment.SINGLE_STANDARD_SSD: (99.5, {99.5: 10, 95: 25, 90: 100}),
        Deployment.SINGLE_STANDARD_HDD: (95, {95: 10, 92: 25, 90: 100}),
        Deployment.CAPACITY_RESERVATION: (99.9, {99.9: 10}),
        Deployment.SPOT: (None, {}),
    }
    assert set(SERVICE_LEVELS) == set(expected)
    for deployment, (percent, steps) in expected.items():
        level = SERVICE_LEVELS[deployment]
        assert level.uptime == (None if percent is None else pytest.approx(percent / 100))
        flat = [share for step in level.credits for share in step]
        assert flat == pytest.approx([share / 100 for step in steps.items() for share in step])
        assert level.source


def test_credits_begin_where_the_sla_is_missed():
    """A row whose first threshold is not its SLA would be a typing error; credits grow as uptime falls."""
    for level in SERVICE_LEVELS.values():
        if level.uptime is not None:
            assert level.credits[0][0] == level.uptime
            assert sorted(level.credits, reverse=True) == list(level.credits)
            assert sorted(credit for _, credit in level.credits) == [credit for _, credit in level.credits]


def test_a_single_vm_goes_by_its_slowest_disk():
    """All disks must be Premium for the Premium SLA."""
    assert deployment_of(["P10", "P30"]) is Deployment.SINGLE_PREMIUM
    assert deployment_of(["P10", "E10"]) is Deployment.SINGLE_STANDARD_SSD
    assert deployment_of(["P10"], vms=3, zones=3) is Deployment.ZONES
    assert deployment_of(["P10"], vms=3, availability_set=True) is Deployment.AVAILABILITY_SET
    assert deployment_of(["P10"], vms=3, zones=3, priority="spot") is Deployment.SPOT
    assert deployment_of([" s30"]) is deployment_of(["S:100", "E10"]) is Deployment.SINGLE_STANDARD_HDD
    assert deployment_of(["P10", " e:64 "]) is Deployment.SINGLE_STANDARD_SSD
    assert deployment_of([]) is Deployment.SINGLE_PREMIUM


@pytest.mark.parametrize(
    ("vms", "zones", "availability_set", "deployment"),
    [
        (1, 2, True, Deployment.SINGLE_PREMIUM),
        (2, 1, False, Deployment.SINGLE_PREMIUM),
        (2, 0, True, Deployment.AVAILABILITY_SET),
        (2, 2, True, Deployment.ZONES),
        (2, 2, False, Deployment.ZONES),
    ],
)
def test_two_vms_over_two_zones_or_in_a_set_are_the_fewest(
    vms: int, zones: int, availability_set: bool, deployment: Deployment
) -> None:
    """Both rows of the agreement ask for two or more instances; one alone is a single VM wherever it is."""
    assert deployment_of(["P10"], vms=vms, zones=zones, availability_set=availability_set) is deployment


def test_a_set_is_down_only_while_no_member_is_reachable():
    """Two members down 10 minutes each with 4 in common: 4 minutes; summing members would say 20."""
    all_month = [(0.0, MONTH_S)]
    (month,) = monthly_uptime(
        Deployment.AVAILABILITY_SET,
        JUNE,
        {"a": all_month, "b": all_month},
        {"a": [(0.0, 600.0)], "b": [(360.0, 960.0)]},
    )
    assert month.down_min == pytest.approx(4.0)
    assert month.deployed_min == pytest.approx(43200.0)


def test_a_stop_by_the_user_is_no_downtime():
    """Time in which the VM was stopped by its user is in neither the numerator nor the denominator."""
    on = [(0.0, 3600.0), (7200.0, 10800.0)]
    (month,) = monthly_uptime(Deployment.SINGLE_PREMIUM, JUNE, {"a": on}, {"a": [(3000.0, 7800.0)]})
    assert month.deployed_min == pytest.approx(120.0)
    assert month.down_min == pytest.approx(20.0)


def test_downtime_over_the_end_of_a_month_counts_in_both():
    """Months are calendar months in UTC: ten minutes before midnight, twenty after."""
    months = monthly_uptime(
        Deployment.SINGLE_PREMIUM, JUNE, {"a": [(0.0, MONTH_S + 86400.0)]}, {"a": [(MONTH_S - 600.0, MONTH_S + 1200.0)]}
    )
    assert [(m.month, round(m.down_min, 6)) for m in months] == [("2026-06", 10.0), ("2026-07", 20.0)]
