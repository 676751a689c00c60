"""Commitments applied to a whole fleet: what each one covered, cost and left unused.

The order: VMs on dedicated hosts pay no compute; VMs take their places in capacity reservations, whose empty units are
billed as if they ran; then reservations, then savings plans cover VMs and empty units alike; the rest pays as it goes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from sim.billing.commitment_allocation import Demand, place, reserve, save
from sim.billing.commitments import CapacityReservation, Commitment, DedicatedHost, Reservation, SavingsPlan
from sim.billing.hours import Hourly, RatedHours
from sim.billing.levels import Instants
from sim.billing.meters import BillLine, CommitmentUse, line
from sim.billing.shares import share_of
from sim.billing.tariff import SizeTariff, reservation_price, size_tariff
from sim.catalog.catalogue import Catalogue
from sim.fields.numbers import MONEY

_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyUse:
    """One commitment hour by hour, in its own unit, at its own price."""

    commitment: Commitment
    used: Hourly
    bought: Hourly
    unit: str
    usd_per_unit: float
    wanting: tuple[Demand, ...] = ()  # all demands of the fleet, with what each commitment paid of them
    could_hold: tuple[str, ...] = ()  # of a capacity reservation: the groups whose VMs may be inside

    @property
    def own(self) -> list[Demand]:
        """The demands that it may cover."""
        return [each for each in self.wanting if self.commitment.name in each.covered]

    @property
    def worth(self) -> Hourly:
        """What it covered, as pay as you go."""
        paid = (each.covered[self.commitment.name] * each.tariff.payg_usd_per_h for each in self.own)
        return sum(paid, start=0.0 * self.bought)

    @property
    def covered(self) -> tuple[Hourly, Hourly]:
        """What it covered and what it could have: VM hours, or where it is bought as money, money at pay-as-you-go prices."""
        none = 0.0 * self.bought
        if isinstance(self.commitment, CapacityReservation):
            held = [each for each in self.wanting if each.name in self.could_hold and not each.is_unused_capacity]
            return self.used, sum((each.wanted for each in held), start=none)
        name, priced = self.commitment.name, self.unit == MONEY
        own = [(each, each.tariff.payg_usd_per_h if priced else 1.0) for each in self.own]
        return (
            sum((each.covered[name] * weight for each, weight in own), start=none),
            sum((each.wanted * weight for each, weight in own), start=none),
        )

    def use(self) -> CommitmentUse:
        """Over the whole window."""
        covered, could = self.covered
        bought, used = math.fsum(self.bought), math.fsum(self.used)
        empty = [each.left for each in self.wanting if each.is_unused_capacity and each.name == self.commitment.name]
        paid = math.fsum(empty[0]) if empty else bought  # VMs in a capacity reservation pay for themselves
        return CommitmentUse(
            name=self.commitment.name, bought=bought, used=used, unit=self.unit,
            covered=math.fsum(covered), could_cover=math.fsum(could), worth=math.fsum(self.worth), cost=paid * self.usd_per_unit,
        )  # fmt: skip

    def lines(self) -> list[BillLine]:
        """A line for what was used and one for what was unused; both are paid."""
        use = self.use()
        meter, price = f"commitment.{use.name}", self.usd_per_unit
        whole = line("", f"{meter}.used", use.bought, use.unit, price)
        unused = line("", f"{meter}.unused", max(0.0, use.bought - use.used), use.unit, price)
        rest_nano = whole.amount_nano - unused.amount_nano  # the two make the price of the whole
        return [replace(whole, quantity=use.used, amount_nano=rest_nano), unused]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Which commitment pays each VM hour of a fleet, and how far each commitment is used."""

    demands: Mapping[str, Demand]  # by group; spot groups have none
    empty_units: tuple[Demand, ...] = ()  # of capacity reservations
    commitments: tuple[HourlyUse, ...] = ()

    @property
    def wanting(self) -> tuple[Demand, ...]:
        """Everything that commitments could pay."""
        return (*self.demands.values(), *self.empty_units)

    @property
    def lines(self) -> list[BillLine]:
        """What the commitments themselves cost."""
        lines: list[BillLine] = []
        units = {demand.name: demand for demand in self.empty_units}
        for each in self.commitments:
            own = units.get(each.commitment.name)
            lines += each.lines() if own is None else _empty_unit_lines(own)
        return lines

    @property
    def uses(self) -> dict[str, CommitmentUse]:
        """Each commitment over the whole window."""
        return {each.commitment.name: each.use() for each in self.commitments}

    @property
    def cost(self) -> Hourly:
        """Compute and commitments together, hour by hour; spot apart."""
        empty = {each.name for each in self.empty_units}
        bought = sum(each.bought * each.usd_per_unit for each in self.commitments if each.commitment.name not in empty)
        left = (each.left * each.tariff.payg_usd_per_h for each in self.wanting)
        return np.asarray(bought + sum(left))


def allocate(
    hours: Sequence[RatedHours], window: Hourly, catalogue: Catalogue, commitments: Sequence[Commitment]
) -> Allocation:
    """Apply every commitment hour by hour and fleet-wide."""
    demands = {
        own.group.name: Demand(
            name=own.group.name, tariff=size_tariff(catalogue, own.group.size, own.group.region), left=own.billed.hourly
        )
        for own in hours
        if own.group.priority == "regular" and own.group.size and commitments
    }
    if not commitments:
        return Allocation(demands=demands)
    spent: dict[str, HourlyUse] = {}
    presence = _Presence(hours, demands, window)
    for host in _of(commitments, DedicatedHost):
        spent[host.name] = _place_on_hosts(host, demands, presence)
    empty: list[Demand] = []
    for capacity in _of(commitments, CapacityReservation):
        tariff = size_tariff(catalogue, capacity.size, capacity.region)
        spent[capacity.name], units = _fill_capacity(capacity, tariff, demands, presence)
        empty.append(units)
    wanting = [*demands.values(), *empty]
    reservations, plans = _of(commitments, Reservation), _of(commitments, SavingsPlan)
    tariffs = {r.name: size_tariff(catalogue, r.size, r.region) for r in reservations}
    for reservation, used in zip(reservations, reserve(reservations, wanting, tariffs, window), strict=True):
        spent[reservation.name] = HourlyUse(
            commitment=reservation,
            used=used,
            bought=reservation.quantity * window,
            unit="reserved hour",
            usd_per_unit=reservation_price(tariffs[reservation.name], reservation),
        )
    for plan, used in zip(plans, save(plans, wanting, window), strict=True):
        spent[plan.name] = HourlyUse(
            commitment=plan, used=used, bought=plan.hourly_usd * window, unit="USD", usd_per_unit=1.0
        )
    ordered = (replace(spent[commitment.name], wanting=tuple(wanting)) for commitment in commitments)
    return Allocation(demands=demands, empty_units=tuple(empty), commitments=tuple(ordered))


def _empty_unit_lines(units: Demand) -> list[BillLine]:
    """A capacity reservation costs what its empty units cost: a VM inside is billed as itself."""
    meter, price = f"commitment.{units.name}.unused", units.tariff.payg_usd_per_h
    lines = [line("", meter, math.fsum(units.left), "unit hour", price)]
    for name, part in units.covered.items():
        if part.any():
            lines.append(line("", f"{meter}.covered.{name}", math.fsum(part), "unit hour", 0.0))
    return lines


class _Presence:
    """VMs of some groups that hosts and capacity reservations may take: at each instant where stays tell, else by hour."""

    def __init__(self, hours: Sequence[RatedHours], demands: Mapping[str, Demand], window: Hourly) -> None:
        self.window = window
        self.left = {name: demand.left for name, demand in demands.items()}  # VM hours not taken yet
        levels = {own.group.name: own.level for own in hours if own.group.name in demands}
        self.instants: Instants | None = None
        self.number: dict[str, Hourly]  # VMs not taken yet, at each instant
        known = {name: level for name, level in levels.items() if level is not None}
        if known and len(known) == len(levels):
            self.instants = Instants.of(list(known.values()), len(window))
            self.number = dict(zip(known, self.instants.levels, strict=True))

    def take(self, room: float, size: Mapping[str, float]) -> tuple[dict[str, Hourly], Hourly]:
        """Take VMs of groups, each *size* large, as far as there is room; the share of each taken, and the room left empty.

        By hour where instants aren't known: that is the most that could fit.
        """
        if self.instants is None:
            fits, empty = place(room, [self.left[name] * each for name, each in size.items()], self.window)
            self.left |= {name: self.left[name] * (1.0 - fits) for name in size}
            return dict.fromkeys(size, fits), empty
        nothing = np.zeros(len(self.instants.long))
        present = sum((self.number[name] * each for name, each in size.items()), start=nothing)
        fits = np.minimum(1.0, np.divide(room, present, out=np.ones_like(present), where=present > room))
        empty = self.instants.hourly(np.maximum(room - present, 0.0))
        shares = {}
        for name in size:
            taken = self.instants.hourly(self.number[name] * fits)
            shares[name] = np.minimum(1.0, share_of(taken, self.left[name]))
            self.number[name] = self.number[name] * (1.0 - fits)
            self.left[name] = self.left[name] * (1.0 - shares[name])
        return shares, np.minimum(empty, room * self.window)


def _place_on_hosts(host: DedicatedHost, demands: Mapping[str, Demand], presence: _Presence) -> HourlyUse:
    """VMs on dedicated hosts appear at price 0, as far as the hosts have room for them at each instant."""
    tenants = [demands[name] for name in host.groups if name in demands]
    window = presence.window
    vcpus = {tenant.name: float(tenant.tariff.vcpus) for tenant in tenants}
    shares, empty = presence.take(host.quantity * host.vcpus, vcpus)
    for tenant in tenants:
        tenant.cover(host.name, shares[tenant.name], tenant.tariff.vcpus / host.vcpus)
    room = host.quantity * host.vcpus * window
    share_used = np.divide(room - empty, room, out=np.zeros_like(room), where=room > 0.0)
    bought = host.quantity * window
    return HourlyUse(
        commitment=host, used=share_used * bought, bought=bought, unit="host hour", usd_per_unit=host.usd_per_h
    )


def _fill_capacity(
    capacity: CapacityReservation, tariff: SizeTariff, demands: Mapping[str, Demand], presence: _Presence
) -> tuple[HourlyUse, Demand]:
    """VMs that name a capacity reservation take its units, one each; what stays empty is billed as if a VM ran there."""
    members = [
        name
        for name, demand in demands.items()
        if (demand.tariff.size, demand.tariff.region) == (tariff.size, tariff.region)
        and (not capacity.groups or name in capacity.groups)
    ]
    _, empty = presence.take(capacity.quantity, dict.fromkeys(members, 1.0))
    bought = capacity.quantity * presence.window
    spent = HourlyUse(
        commitment=capacity,
        used=bought - empty,
        bought=bought,
        unit="unit hour",
        usd_per_unit=tariff.payg_usd_per_h,
        could_hold=tuple(members),
    )
    return spent, Demand(name=capacity.name, tariff=tariff, left=empty, is_unused_capacity=True)


def _of(commitments: Sequence[Commitment], kind: type[_Kind]) -> list[_Kind]:
    return [commitment for commitment in commitments if isinstance(commitment, kind)]
