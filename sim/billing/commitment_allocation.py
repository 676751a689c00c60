"""Who pays for each VM hour: commitments applied hour by hour, fleet-wide, in the platform's order.

Reservations come first, then savings plans (3-year before 1-year, the deepest discount first), then pay as you go.
A *demand* is something to be covered in each clock hour: the VMs of a group, or the unused units of a capacity
reservation. Where a commitment can't cover all demands of one rank, they share it in proportion. Everything is array
work over the hours; a year is 8,760 numbers a demand.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.billing.commitments import Reservation, SavingsPlan
from sim.billing.hours import Hourly
from sim.billing.tariff import SizeTariff


@dataclass(slots=True)
class Demand:
    """VM hours of one size to be paid, and what is left of them to pay as you go."""

    name: str  # of the group, or of the capacity reservation
    tariff: SizeTariff
    left: Hourly
    is_unused_capacity: bool = False
    covered: dict[str, Hourly] = field(default_factory=dict)  # VM hours, by commitment
    takes: dict[str, float] = field(default_factory=dict)  # what one VM hour takes of each, in its own unit

    @property
    def wanted(self) -> Hourly:
        """All of it, covered or not."""
        return sum(self.covered.values(), start=self.left)

    def cover(self, commitment: str, share: Hourly, takes: float) -> None:
        """Let a commitment pay this share of what is left, hour by hour."""
        self.takes[commitment] = takes
        taken = self.left * share
        # A full share leaves nothing: 1 - share is exactly 0 then, so no rounding dust remains to be billed.
        self.left = self.left * (1.0 - share)
        self.covered[commitment] = self.covered.get(commitment, 0.0) + taken


_Weight = Callable[[Demand], float | None]  # budget taken by one VM hour; None: not covered
_Rank = Callable[[Demand], tuple[Any, ...]]


def reserve(
    reservations: Sequence[Reservation], demands: Sequence[Demand], tariffs: dict[str, SizeTariff], window: Hourly
) -> list[Hourly]:
    """Apply reservations; returns the hours used of each (in their order), in hours of its own size.

    Those bound to one size go first: what they leave, the flexible ones can still cover. A flexible one covers its own
    size first, then the size whose price per ratio is highest. VMs come before unused capacity.
    """
    used: dict[str, Hourly] = {}
    for reservation in sorted(reservations, key=lambda r: r.size_flexible):
        own = tariffs[reservation.name]
        budget = reservation.quantity * window

        def weight(demand: Demand, reservation: Reservation = reservation, own: SizeTariff = own) -> float | None:
            return ratio_between(demand.tariff, own, reservation.size_flexible)

        def rank(demand: Demand, own: SizeTariff = own) -> tuple[Any, ...]:
            tariff = demand.tariff
            per_ratio = tariff.payg_usd_per_h / (tariff.ratio or 1.0)
            return demand.is_unused_capacity, tariff.size != own.size, -per_ratio, tariff.size

        used[reservation.name] = _spend(reservation.name, budget, demands, weight, rank)
    return [used[reservation.name] for reservation in reservations]


def save(plans: Sequence[SavingsPlan], demands: Sequence[Demand], window: Hourly) -> list[Hourly]:
    """Apply savings plans to what reservations left; returns the dollars used of each (in their order), by hour.

    Three-year plans come before one-year plans, those of one region before those of all; in each the usage with the
    deepest discount comes first.
    """
    used: dict[str, Hourly] = {}
    for plan in sorted(plans, key=lambda p: (p.term != "3y", p.region == "")):

        def weight(demand: Demand, plan: SavingsPlan = plan) -> float | None:
            elsewhere = plan.region not in ("", demand.tariff.region)
            return None if elsewhere else demand.tariff.savings_plan_usd_per_h(plan.term)

        def rank(demand: Demand, plan: SavingsPlan = plan) -> tuple[Any, ...]:
            rate = demand.tariff.savings_plan_usd_per_h(plan.term) or 0.0
            payg = demand.tariff.payg_usd_per_h
            discount = 1.0 - rate / payg if payg > 0.0 else 0.0
            return -round(discount, 12), demand.is_unused_capacity, demand.tariff.size, demand.tariff.region

        used[plan.name] = _spend(plan.name, plan.hourly_usd * window, demands, weight, rank)
    return [used[plan.name] for plan in plans]


def ratio_between(wants: SizeTariff, has: SizeTariff, flexible: bool) -> float | None:
    """How much of a reservation of one size an hour of another takes: 1 for its own, by ratio in its group, else None."""
    if wants.region != has.region:
        return None
    if wants.size == has.size:
        return 1.0
    same_group = flexible and has.flexibility_group is not None and wants.flexibility_group == has.flexibility_group
    if not same_group or not wants.ratio or not has.ratio:
        return None
    return wants.ratio / has.ratio


def _spend(name: str, budget: Hourly, demands: Iterable[Demand], weight: _Weight, rank: _Rank) -> Hourly:
    """Spend an hourly budget on demands in order of rank; equals share in proportion. Returns what was spent."""
    spent = np.zeros_like(budget)
    wanting = sorted((demand for demand in demands if weight(demand)), key=rank)
    for equals in [list(tier) for _, tier in itertools.groupby(wanting, key=rank)]:
        weights = [weight(demand) or 0.0 for demand in equals]
        need = sum((w * d.left for w, d in zip(weights, equals, strict=True)), start=np.zeros_like(budget))
        rest = budget - spent
        enough = need <= rest
        share = np.where(enough, 1.0, np.divide(rest, need, out=np.zeros_like(need), where=~enough))
        share[need <= 0.0] = 0.0
        # The last tier reached takes the rest whole, so that a full hour is spent to the last bit.
        spent = np.where(enough, spent + need, budget)
        for demand, takes in zip(equals, weights, strict=True):
            demand.cover(name, share, takes)
    return spent


def place(quantity: float, inside: Sequence[Hourly], window: Hourly) -> tuple[Hourly, Hourly]:
    """Put VMs into a capacity reservation; returns the share of them that fits, and the unit hours that stay empty.

    >>> fits, empty = place(10, [np.array([6.0])], np.array([1.0]))
    >>> fits.tolist(), empty.tolist()
    ([1.0], [4.0])
    """
    units = quantity * window
    present = sum(inside, start=np.zeros_like(window))
    with np.errstate(over="ignore"):  # a last bit of a VM fits a hundred times over
        fits = np.minimum(1.0, np.divide(units, present, out=np.ones_like(units), where=present > 0.0))
    return fits, np.maximum(units - present, 0.0)
