"""Commitments hour by hour: the worked examples of Microsoft's pages, and the order in which they apply.

Sources: understand-vm-reservation-charges.md, reserved-vm-instance-size-flexibility.md, savings-plan/discount-application.md,
capacity-reservation-overview.md, dedicated-hosts.md.
"""

from __future__ import annotations

import numpy as np
import pytest

from sim.billing import CapacityReservation, DedicatedHost, RatedGroup, Reservation, SavingsPlan, rate_in_full
from sim.billing.commitment_allocation import Demand, place, reserve, save
from sim.billing.hours import CountedHours, RatedHours, window_hourly
from sim.billing.tariff import SizeTariff
from sim.catalog import load_bundled
from sim.errors import CatalogueError

REGION = "westeurope"
D2, D4, D8 = "Standard_D2s_v5", "Standard_D4s_v5", "Standard_D8s_v5"
CATALOGUE = load_bundled().with_overrides(
    REGION,
    {
        D4: {"reservation_1y": 0.1, "reservation_3y": 0.08, "savings_plan_1y": 0.16, "savings_plan_3y": 0.12},
        "Standard_E4s_v5": {"savings_plan_1y": 0.24, "savings_plan_3y": 0.2},
    },
)
PAYG = CATALOGUE.price_per_h(D4, REGION, "linux")


def hours(name: str, billed: list[float], **changes: object) -> RatedHours:
    """A group that ran so many VM hours in each clock hour."""
    group = RatedGroup(**{"name": name, "size": D4, "region": REGION, **changes})
    run = CountedHours(hourly=np.array(billed, dtype=float), total_h=float(sum(billed)))
    none = CountedHours(hourly=np.zeros(len(billed)), total_h=0.0)
    return RatedHours(group=group, billed=run, licensed=run, existing=run, orphaned=none)


def reservation(quantity: float = 1, size: str = D4, **changes: object) -> Reservation:
    """One-year reservations named ri."""
    return Reservation(**{"name": "ri", "size": size, "quantity": quantity, "term": "1y", "region": REGION, **changes})


def bill(groups: list[RatedHours], *commitments: object):
    """Their bill over whole clock hours."""
    return rate_in_full(groups, np.ones(len(groups[0].billed.hourly)), CATALOGUE, commitments).bill


@pytest.mark.parametrize(
    ("first", "second", "payg_h"),
    [(0.75, 0.5, 0.25), (1.0, 1.0, 1.0), (0.5, 1.0, 0.5), (0.5, 0.5, 0.0), (0.2, 0.3, 0.0)],
)
def test_one_reservation_covers_one_hour_of_all_vms_together(first, second, payg_h):
    """The documented examples: usage of two VMs within the clock hour shares one reservation, fractions and all."""
    made = bill([hours("a", [first]), hours("b", [second])], reservation())
    assert made.cost("compute") == pytest.approx(payg_h * PAYG, abs=2e-9)
    assert made.cost("commitment") == pytest.approx(0.1, abs=1e-9)
    assert made.commitments["ri"].used_fraction == pytest.approx(min(1.0, first + second))


def test_what_an_hour_does_not_use_is_lost():
    """Two VMs in one hour and none in the next is not one VM in each: averaging over the month would cover all."""
    made = bill([hours("a", [2.0, 0.0])], reservation())
    assert made.cost("compute") == pytest.approx(PAYG, abs=1e-9)
    assert made.commitments["ri"].used_fraction == 0.5
    assert made.cost("commitment") == pytest.approx(0.2, abs=1e-9)
    even = bill([hours("a", [1.0, 1.0])], reservation())
    assert even.cost("compute") == 0.0


DSV2 = {f"DS{number}_v2": ratio for number, ratio in zip(range(1, 6), (1, 2, 4, 8, 16), strict=True)}


def tariff(size: str, group: str | None = "DSv2", ratio: float | None = None) -> SizeTariff:
    """A size whose price follows its ratio."""
    ratio = ratio or DSV2[size]
    return SizeTariff(size=size, region=REGION, per_h={"linux": 0.07 * ratio}, flexibility_group=group, ratio=ratio)


@pytest.mark.parametrize(
    ("vms", "left"),
    [
        ({"DS1_v2": 8}, {"DS1_v2": 0}),
        ({"DS2_v2": 2, "DS3_v2": 1}, {"DS2_v2": 0, "DS3_v2": 0}),
        ({"DS5_v2": 1}, {"DS5_v2": 0.5}),
        ({"DS1_v2": 9}, {"DS1_v2": 1}),
    ],
)
def test_one_ds4_reservation_covers_its_ratio(vms, left):
    """8 DS1, or 2 DS2 and a DS3, or half a DS5: the documented ratios 1, 2, 4, 8, 16."""
    demands = [Demand(name=size, tariff=tariff(size), left=np.array([float(count)])) for size, count in vms.items()]
    reserve([reservation(size="DS4_v2")], demands, {"ri": tariff("DS4_v2")}, np.ones(1))
    assert {demand.name: demand.left[0] for demand in demands} == pytest.approx(left)


def test_without_flexibility_or_outside_its_group_a_reservation_covers_its_own_size_alone():
    """D and DS are different groups; a reservation bound to its size doesn't reach even its own group."""
    for own, other in [
        (reservation(size="DS4_v2", size_flexible=False), tariff("DS1_v2")),
        (reservation(size="DS4_v2"), tariff("D1_v2", group="Dv2", ratio=1)),
        (reservation(size="DS4_v2"), SizeTariff(size="X", region=REGION, per_h={"linux": 1.0})),
    ]:
        demand = Demand(name="a", tariff=other, left=np.array([3.0]))
        used = reserve([own], [demand], {"ri": tariff("DS4_v2")}, np.ones(1))
        assert demand.left[0] == 3.0
        assert used[0][0] == 0.0


def test_a_reservation_serves_its_own_size_before_others_of_its_group():
    """One D4 reservation, one D4 and one D8: the D4 is free and the D8 pays in full."""
    made = bill([hours("big", [1.0], size=D8), hours("own", [1.0])], reservation())
    assert made.cost("compute", group="own") == 0.0
    assert made.cost("compute", group="big") == pytest.approx(CATALOGUE.price_per_h(D8, REGION, "linux"), abs=1e-9)


def test_spot_and_other_regions_do_not_use_a_reservation():
    """A reservation is for regular VMs of its region."""
    made = bill([hours("cheap", [1.0], priority="spot"), hours("far", [1.0], region="northeurope")], reservation())
    assert made.commitments["ri"].used_fraction == 0.0


def test_the_windows_licence_stays_on_a_reserved_vm():
    """A reservation covers infrastructure only; hybrid benefit is what removes the licence."""
    made = bill([hours("win", [1.0], os="windows")], reservation())
    licence = CATALOGUE.price_per_h(D4, REGION, "windows") - PAYG
    assert made.cost("compute") == 0.0
    assert made.cost("license") == pytest.approx(licence, abs=1e-9)
    assert bill([hours("win", [1.0], os="windows", hybrid_benefit=True)], reservation()).cost("license") == 0.0


def test_a_savings_plan_pays_the_deepest_discount_first():
    """1 USD an hour at rates D4 0.12 (payg 0.23: -48 %) and E4 0.2: D4 first, then E4 with the rest, then pay as you go."""
    e4 = "Standard_E4s_v5"
    e4_payg = CATALOGUE.price_per_h(e4, REGION, "linux")
    assert 0.2 / e4_payg > 0.12 / PAYG  # the premise
    plan = SavingsPlan(name="sp", hourly_usd=1.0, term="3y")
    made = bill([hours("e", [5.0], size=e4), hours("d", [5.0])], plan)
    assert made.cost("compute", group="d") == 0.0
    covered_e = (1.0 - 5 * 0.12) / 0.2
    assert made.cost("compute", group="e") == pytest.approx((5 - covered_e) * e4_payg, abs=2e-9)
    assert made.commitments["sp"].used_fraction == pytest.approx(1.0)
    assert made.cost("commitment") == pytest.approx(1.0)


def test_the_three_year_plan_is_spent_before_the_one_year_plan_whatever_the_file_says():
    """0.12 an hour of three-year money covers the only VM: the one-year plan is lost."""
    plans = [SavingsPlan(name="one", hourly_usd=0.16, term="1y"), SavingsPlan(name="three", hourly_usd=0.12, term="3y")]
    made = bill([hours("d", [1.0])], *plans)
    assert made.commitments["three"].used_fraction == pytest.approx(1.0)
    assert made.commitments["one"].used_fraction == pytest.approx(0.0, abs=1e-12)


def test_reservations_come_before_savings_plans():
    """One VM, both commitments, the plan written first: the reservation is used and the plan lost."""
    plan = SavingsPlan(name="sp", hourly_usd=0.12, term="3y")
    made = bill([hours("d", [1.0])], plan, reservation())
    assert made.commitments["ri"].used_fraction == 1.0
    assert made.commitments["sp"].used_fraction == 0.0
    rest = bill([hours("d", [2.0])], plan, reservation())
    assert rest.cost("compute") == 0.0
    assert rest.cost("commitment") == pytest.approx(0.22, abs=1e-9)


def test_ten_reserved_units_with_six_vms_are_six_vms_and_four_empty_units():
    """The documented 10 / 6 / 2: two reservations zero two of the ten, here two of the VMs."""
    room = CapacityReservation(name="room", size=D4, quantity=10, region=REGION)
    plain = bill([hours("d", [6.0])], room)
    assert plain.cost("compute") == pytest.approx(6 * PAYG, abs=1e-9)
    assert plain.cost("commitment") == pytest.approx(4 * PAYG, abs=1e-9)
    assert plain.commitments["room"].used_fraction == pytest.approx(0.6)
    helped = bill([hours("d", [6.0])], room, reservation(quantity=2))
    assert helped.cost("compute") == pytest.approx(4 * PAYG, abs=1e-9)
    assert helped.total == pytest.approx(8 * PAYG + 2 * 0.1, abs=1e-9)


def test_reservations_cover_empty_units_after_vms():
    """Eight reservations for six VMs and four empty units: six and two; never double. Two have nothing left to cover."""
    room = CapacityReservation(name="room", size=D4, quantity=10, region=REGION)
    idle = reservation(name="late", quantity=1, size=D8, size_flexible=False)
    made = bill([hours("d", [6.0])], room, reservation(quantity=8), idle)
    assert made.cost("compute") == 0.0
    late = CATALOGUE.find_price(D8, REGION, "reservation_1y").per_h
    assert made.total == pytest.approx(2 * PAYG + 8 * 0.1 + late, abs=1e-9)
    units = [
        (line.group, line.meter, line.quantity, line.unit, line.unit_price, line.counts)
        for line in made.lines if line.meter.startswith("commitment.room")
    ]  # fmt: skip
    assert units == [
        ("", "commitment.room.unused", pytest.approx(2.0), "unit hour", PAYG, ""),
        ("", "commitment.room.unused.covered.ri", pytest.approx(2.0), "unit hour", 0.0, ""),
    ]


def test_a_unit_that_is_there_for_a_part_of_an_hour_is_that_part_of_a_unit():
    """Ten units for half an hour are five unit hours: three VM hours leave two, eight don't all fit, none leave all five."""
    half = np.array([0.5])
    for present, fits, empty in ((3.0, 1.0, 2.0), (8.0, 5 / 8, 0.0), (0.0, 1.0, 5.0)):
        assert place(10, [np.array([present])], half) == (pytest.approx(fits), pytest.approx(empty))
    assert place(10, [np.array([1.0]), np.array([1.5])], half)[1] == pytest.approx(2.5)
    assert place(10, [], half)[1] == pytest.approx(5.0)


def test_overallocation_of_a_capacity_reservation_costs_only_the_vms():
    """Twelve VMs in ten units: twelve VM hours, no empty unit, and the reservation is used whole."""
    room = CapacityReservation(name="room", size=D4, quantity=10, region=REGION)
    made = bill([hours("d", [12.0])], room)
    assert made.total == pytest.approx(12 * PAYG, abs=1e-9)
    assert made.commitments["room"].used_fraction == 1.0


def test_what_a_savings_plan_covers_is_money_at_pay_as_you_go_prices():
    """0.24 USD an hour at 0.12 pays for two of six VM hours: a third of what it could have covered."""
    use = bill([hours("d", [6.0])], SavingsPlan(name="plan", hourly_usd=0.24, term="3y")).commitments["plan"]
    assert (use.covered, use.could_cover) == (pytest.approx(2 * PAYG), pytest.approx(6 * PAYG))
    assert (use.worth, use.cost) == (pytest.approx(2 * PAYG), pytest.approx(0.24))


def test_two_capacity_reservations_do_not_hold_the_same_vm():
    """Six VMs fill the first five units, and one of the second five."""
    rooms = [CapacityReservation(name=name, size=D4, quantity=5, region=REGION) for name in ("a", "b")]
    made = bill([hours("d", [6.0])], *rooms)
    assert made.commitments["a"].used_fraction == 1.0
    assert made.commitments["b"].used_fraction == pytest.approx(0.2)
    assert made.total == pytest.approx(10 * PAYG, abs=1e-9)


def test_a_dedicated_host_is_billed_for_existence_and_its_vms_are_free():
    """One host of 64 vCPUs, four D4: a quarter used, host paid whole, compute 0, the licence as usual."""
    host = DedicatedHost(name="host", quantity=1, usd_per_h=5.0, vcpus=64, groups=("win",))
    made = bill([hours("win", [4.0], os="windows"), hours("free", [1.0])], host)
    assert made.cost("compute", group="win") == 0.0
    assert made.cost("license", group="win") > 0.0
    assert made.cost("commitment") == pytest.approx(5.0)
    assert made.commitments["host"].used_fraction == pytest.approx(0.25)
    assert made.cost("compute", group="free") == pytest.approx(PAYG, abs=1e-9)


@pytest.mark.parametrize("window", [1.0, 0.01])
def test_a_host_is_used_as_far_as_its_vcpus_are_however_short_the_window(window):
    """Four D4 on 64 vCPUs: a quarter of the host, in an hour and in 36 seconds."""
    host = DedicatedHost(name="host", quantity=1, usd_per_h=5.0, vcpus=64, groups=("d",))
    made = rate_in_full([hours("d", [4.0 * window])], np.array([window]), CATALOGUE, [host]).bill
    use = made.commitments["host"]
    assert (use.bought, use.used, use.unit) == (pytest.approx(window), pytest.approx(window / 4), "host hour")
    assert (use.covered, use.could_cover) == (pytest.approx(4 * window), pytest.approx(4 * window))
    assert made.cost("compute") == 0.0


def test_a_commitment_in_half_an_hour_is_half_a_commitment():
    """A window that ends inside a clock hour buys, and can use, only the part of it that lies inside."""
    window = window_hourly(0.0, 5400.0, 2)
    made = rate_in_full([hours("d", [1.0, 0.5])], window, CATALOGUE, [reservation()]).bill
    assert made.cost("compute") == 0.0
    assert made.cost("commitment") == pytest.approx(0.15, abs=1e-9)
    assert made.commitments["ri"].used_fraction == 1.0


def test_used_and_unused_make_the_whole_price_to_the_last_digit():
    """However the hour is split, the two lines are what the commitment costs."""
    made = bill([hours("d", [1 / 3, 0.7, 1.9])], reservation(quantity=1.5))
    lines = {line.meter: line for line in made.lines if line.kind == "commitment"}
    assert lines["commitment.ri.used"].amount_nano + lines["commitment.ri.unused"].amount_nano == 450_000_000
    assert sum(line.quantity for line in lines.values()) == pytest.approx(4.5)


def test_a_reservation_that_is_not_sold_is_refused_in_words():
    """The message names the commitment and how to give the price."""
    with pytest.raises(CatalogueError, match=r"ri: .*prices\.override"):
        rate_in_full(
            [hours("a", [1.0])],
            np.ones(1),
            load_bundled().with_overrides("northeurope", {}),
            [reservation(size="Standard_NC4as_T4_v3", region="northeurope", term="3y")],
        )


def test_two_plans_share_what_a_savings_plan_leaves():
    """What one plan can't pay, the next does; the fleet's hours are never paid twice."""
    demand = Demand(
        name="d",
        tariff=SizeTariff(
            size="s", region=REGION, per_h={"linux": 1.0, "savings_plan_1y": 0.8, "savings_plan_3y": 0.5}
        ),
        left=np.array([4.0]),
    )
    plans = [SavingsPlan(name="a", hourly_usd=1.0, term="3y"), SavingsPlan(name="b", hourly_usd=0.8, term="1y")]
    used = save(plans, [demand], np.ones(1))
    assert demand.left[0] == pytest.approx(4 - 2 - 1)
    assert [u[0] for u in used] == pytest.approx([1.0, 0.8])
