"""The difference of two groups' costs by cause, from hours and prices alone: every amount worked out by hand in the comments."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from sim.billing.causes import CausedCost, split_difference
from sim.billing.meters import BillLine, line
from sim.errors import AuditError
from sim.usage.ledger import TICKS_PER_HOUR, UsedTicks

FLEET = {"period": 0, "commitments": 0}  # of a fleet without commitments


def cost(vm_h: float, used_h: tuple[float, ...], *lines: BillLine) -> CausedCost:
    """A group's cost, from hours: of VMs; needed, then billed and licensed while needed, left on, neither."""
    used = UsedTicks(*(round(each * TICKS_PER_HOUR) for each in used_h))
    return CausedCost(vm_ticks=round(vm_h * TICKS_PER_HOUR), used=used, lines=lines)


def compute(hours: float, price: float, counts: str = "left") -> BillLine:
    """VM hours."""
    return line("a", "compute.x", hours, "VM hour", price, counts)


def licences(hours: float, price: float) -> BillLine:
    """Hours with a licence."""
    return line("a", "license.windows", hours, "VM hour", price, "licensed")


def disks(amount: float) -> BillLine:
    """What disks cost in all."""
    return line("a", "disk.P10", 1.0, "disk hour", amount, "existing")


def fleet(amount: float) -> CausedCost:
    """What a commitment costs in all; it belongs to no group."""
    return CausedCost(lines=(line("", "commitment.ri.used", 1.0, "reserved hour", amount),))


def split(
    base: dict[str, CausedCost], variant: dict[str, CausedCost], period: Fraction | int = 1
) -> dict[str, dict[str, int]]:
    """Micro-dollars by group and cause; all amounts here are whole ones."""
    found = split_difference(base, variant, Fraction(period))
    assert all(nanos % 1000 == 0 for parts in found.values() for nanos in parts.values())
    return {group: {cause: nanos // 1000 for cause, nanos in parts.items()} for group, parts in found.items()}


PLAIN = cost(20, (10, 8, 2, 3, 8, 2, 0), compute(13, 0.1), licences(10, 0.05), disks(1.0))
"""2 VMs for 10 hours, 5 hours of each needed: 1.30 + 0.50 + 1.00 USD."""


def test_all_causes_at_once_have_the_amounts_of_their_order() -> None:
    """3 VMs for 20 hours, 12 of each needed: 45 h at 0.20, 37 h of licences at 0.04, disks 4.00; in all 14.48 USD.

    period: 2.80 x (2 - 1); growth, half as many VMs more: 2.80 x 2 x 0.5; disks: 4.00 - 1.00 x 2 x 1.5. The base's hours are now
    24, 6 and 9 (licensed 24, 6 and 0), 30 needed and 30 not; 36 needed and 24 not make them 28.8, 4.8 and 7.2: 0.36 USD. Neither:
    12 h instead of 7.2 and 4 h of licences; left on: 6 instead of 4.8; needed: 27 instead of 28.8. Then 0.10 more for each of 45 h,
    0.01 less for each of 37.
    """
    variant = cost(60, (36, 27, 6, 12, 27, 6, 4), compute(45, 0.2), licences(37, 0.04), disks(4.0))
    parts = {
        "period": 2_800_000, "growth": 2_800_000, "disks": 1_000_000, "schedule": 360_000, "when_off": 680_000, "forgotten": 180_000,
        "failures": -270_000, "price": 4_500_000, "licences": -370_000,
    }  # fmt: skip
    assert split({"a": PLAIN}, {"a": variant}, 2) == {"a": parts, "": FLEET}
    assert sum(parts.values()) == 14_480_000 - 2_800_000


def test_a_group_that_only_one_of_two_has_is_growth_beyond_the_period() -> None:
    """2.80 USD in half the time are 1.40 more in the whole; the group itself is all that the period doesn't explain."""
    assert split({}, {"a": PLAIN}, 2) == {"a": {"period": 0, "growth": 2_800_000}, "": FLEET}
    assert split({"a": PLAIN}, {}, 2) == {"a": {"period": 2_800_000, "growth": -5_600_000}, "": FLEET}


def test_a_group_that_is_the_same_has_no_causes_unless_the_period_differs() -> None:
    """Only what commitments do is said of every fleet."""
    assert split({"a": PLAIN}, {"a": PLAIN}) == {"": FLEET}
    twice = cost(40, (20, 16, 4, 6, 16, 4, 0), compute(26, 0.1), licences(20, 0.05), disks(2.0))
    found = split({"a": PLAIN}, {"a": twice}, 2)["a"]
    assert {cause: part for cause, part in found.items() if part} == {"period": 2_800_000}


def test_a_commitment_is_its_cost_less_what_it_covers_at_the_price_of_the_others() -> None:
    """Of 13 hours at 0.10 it covers 5: worth 0.50. It costs 0.20 in the base and 0.70 in a variant three times as long.

    So the base gains 0.30; three times that is 0.90, of which 0.60 are the period's. In the variant 39 hours, 5 covered: 0.20 lost.
    """
    own = (10, 8, 2, 3, 0, 0, 0)
    base = cost(20, own, compute(8, 0.1), compute(5, 0.0, "covered.ri"))
    variant = cost(60, tuple(3 * each for each in own), compute(34, 0.1), compute(5, 0.0, "covered.ri"))
    found = split({"a": base, "": fleet(0.2)}, {"a": variant, "": fleet(0.7)}, 3)
    assert found[""] == {"period": -600_000, "commitments": 1_100_000}
    assert {cause: part for cause, part in found["a"].items() if part} == {"period": 2_600_000}


@pytest.mark.parametrize(
    ("paid", "covered"),
    [
        ([compute(6, 0.1, "left@0.1"), compute(2, 0.3, "left@0.3")], []),
        ([compute(6, 0.1, "left@0.1"), compute(2, 0.3, "left@0.3")], [compute(5, 0.0, "covered.ri")]),
    ],
)
def test_of_several_prices_the_mean_of_what_is_paid_is_the_price(paid: list[BillLine], covered: list[BillLine]) -> None:
    """6 h at 0.10 and 2 h at 0.30 are 0.15 an hour; hours that a commitment covers count in no mean."""
    hours = 8 + 5 * len(covered)
    base = cost(20, (10, hours, 0, 0, 0, 0, 0), *paid, *covered)
    variant = cost(20, (10, hours, 0, 0, 0, 0, 0), compute(hours, 0.25))
    found = split({"a": base}, {"a": variant})
    assert found["a"]["price"] == round(hours * (0.25 - 0.15) * 1e6)
    worth = 1_950_000 - 1_200_000  # of all 13 h at the mean, less what is paid
    assert found[""]["commitments"] == (worth if covered else 0)
    assert {cause for cause, part in found["a"].items() if part} == {"price"}


def test_several_prices_without_an_hour_are_none() -> None:
    """A spot group that never ran has a line for each price; what it costs once it runs at 0.20 is all the price's."""
    base = cost(10, (5, 0, 0, 0, 0, 0, 0), compute(0, 0.1, "left@0.1"), compute(0, 0.3, "left@0.3"))
    variant = cost(10, (5, 5, 0, 0, 0, 0, 0), compute(5, 0.2))
    found = split({"a": base}, {"a": variant})["a"]
    assert {cause: part for cause, part in found.items() if part} == {"price": 1_000_000}


def test_hours_cut_to_whole_minutes_are_shared_out_over_why() -> None:
    """8 h needed and 2 h left on are rated as 9 h: 7.2 and 1.8. Then 12 h needed are billed, as they are, and none left on."""
    base = cost(20, (16, 8, 2, 0, 0, 0, 0), compute(9, 0.1))
    variant = cost(20, (16, 12, 0, 0, 0, 0, 0), compute(12, 0.1))
    found = split({"a": base}, {"a": variant})["a"]
    assert {cause: part for cause, part in found.items() if part} == {"forgotten": -180_000, "failures": 480_000}


def test_a_tick_of_rounding_a_line_is_no_cut() -> None:
    """Two lines that a commitment shares may be a tick off each: the ticks are taken as they are, and their cost is exact."""
    tick = 1 / TICKS_PER_HOUR
    lines = compute(4 - tick, 1.0), compute(4 - tick, 0.0, "covered.ri")
    base = CausedCost(vm_ticks=8 * TICKS_PER_HOUR, used=UsedTicks(8 * TICKS_PER_HOUR, 8 * TICKS_PER_HOUR), lines=lines)
    variant = cost(8, (8, 8, 0, 0, 0, 0, 0), compute(8, 2.0))
    found = split_difference({"a": base}, {"a": variant}, Fraction(1))["a"]
    assert {cause: part for cause, part in found.items() if part} == {"price": 8_000_000_000}
    three = CausedCost(vm_ticks=base.vm_ticks, used=base.used, lines=(compute(8 - 3 * tick, 1.0),))
    assert split_difference({"a": three}, {"a": variant}, Fraction(1))["a"]["failures"] == round(3 * tick * 1e9)


def test_hours_of_a_kind_that_the_base_has_none_of_come_with_the_schedule() -> None:
    """VMs needed all the time have no other hours; with 4 h not needed, 3 h kept on are what the schedule brings."""
    base = cost(10, (10, 10, 0, 0, 0, 0, 0), compute(10, 0.1))
    variant = cost(10, (6, 6, 0, 3, 0, 0, 0), compute(9, 0.1))
    found = split({"a": base}, {"a": variant})["a"]
    assert {cause: part for cause, part in found.items() if part} == {"schedule": -100_000}


def test_what_rounding_leaves_is_with_the_largest_part() -> None:
    """An hour more, half of it left on: half a nano-dollar each is none. The price has the one that is left, beside its 18."""
    base = cost(3, (1, 1, 0, 0, 0, 0, 0), compute(1, 1e-9))
    variant = cost(3, (1, 1, 0.5, 0.5, 0, 0, 0), compute(2, 1e-8))
    found = split_difference({"a": base}, {"a": variant}, Fraction(1))
    assert {cause: part for cause, part in found["a"].items() if part} == {"price": 19}


def test_causes_that_leave_more_than_rounding_are_a_defect_in_words() -> None:
    """An hour that the lines rate and no VM had: 0.10 USD are left."""
    base = cost(1, (1, 1, 0, 0, 0, 0, 0), compute(1, 0.1))
    variant = cost(1, (1, 0, 0, 0, 0, 0, 0), compute(2, 0.1))
    words = "the causes of a difference in cost don't add up to it: 200000000 nano-dollars are left"
    with pytest.raises(AuditError, match=f"^{re.escape(words)}$"):
        split_difference({"a": base}, {"a": variant}, Fraction(1))


def test_rated_apart_and_joined_is_rated_together() -> None:
    """Hours and lines of both."""
    own = CausedCost(vm_ticks=5, used=UsedTicks(1, 2, 3, 4, 5, 6, 7), lines=(disks(1.0),))
    other = CausedCost(vm_ticks=7, used=UsedTicks(10, 20, 30, 40, 50, 60, 70), lines=(disks(2.0),))
    both = CausedCost(vm_ticks=12, used=UsedTicks(11, 22, 33, 44, 55, 66, 77), lines=(disks(1.0), disks(2.0)))
    assert own.joined(other) == both
