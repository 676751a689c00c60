"""What one hour costs: the few prices of the catalogue that a group or a commitment is rated with."""

from __future__ import annotations

from dataclasses import dataclass

from sim.billing.commitments import Reservation
from sim.billing.disks import hibernation_tier, parse_disk
from sim.billing.meters import RatedGroup
from sim.billing.money import exact_price
from sim.catalog.catalogue import Catalogue
from sim.catalog.terms import Term
from sim.errors import CatalogueError


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeTariff:
    """One size in one region: the infrastructure part, which commitments can cover. USD per hour."""

    size: str
    region: str
    payg_usd_per_h: float
    reservation_1y: float | None = None
    reservation_3y: float | None = None
    savings_plan_1y: float | None = None
    savings_plan_3y: float | None = None
    vcpus: int = 1
    flexibility_group: str | None = None
    ratio: float | None = None  # within the flexibility group

    def reservation_usd_per_h(self, term: str) -> float | None:
        """Of one reserved unit; None where no such reservation is sold."""
        return self.reservation_3y if term == "3y" else self.reservation_1y

    def savings_plan_usd_per_h(self, term: str) -> float | None:
        """What an hour takes from a savings plan; None where the plan doesn't cover the size."""
        return self.savings_plan_3y if term == "3y" else self.savings_plan_1y


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTariff:
    """What an hour of one VM of a group costs, meter by meter. USD per hour."""

    compute: float  # the infrastructure: pay as you go, or the spot price
    license: float  # 0 without a licence sold by the platform
    disks: tuple[tuple[str, float], ...]  # (meter, price), one entry a disk
    public_ip: float  # 0 without one


def size_tariff(catalogue: Catalogue, size: str, region: str) -> SizeTariff:
    """The prices of one size in one region; raises CatalogueError where it is not sold."""
    known = catalogue.get_size(size)

    def optional(term: Term) -> float | None:
        found = catalogue.find_price(known.name, region, term)
        return None if found is None else found.per_h

    return SizeTariff(
        size=known.name,
        region=catalogue.get_region(region),
        payg_usd_per_h=catalogue.price_per_h(known.name, region, Term.LINUX),
        reservation_1y=optional(Term.RESERVATION_1Y),
        reservation_3y=optional(Term.RESERVATION_3Y),
        savings_plan_1y=optional(Term.SAVINGS_PLAN_1Y),
        savings_plan_3y=optional(Term.SAVINGS_PLAN_3Y),
        vcpus=known.vcpus or 1,
        flexibility_group=known.flexibility_group,
        ratio=known.flexibility_ratio,
    )


def group_tariff(catalogue: Catalogue, group: RatedGroup) -> GroupTariff:
    """The prices of one group's meters; raises CatalogueError for a price that nobody knows."""
    if not group.size:
        return GroupTariff(
            compute=0.0, license=0.0, disks=tuple(_disks(catalogue, group)), public_ip=_address(catalogue, group)
        )
    spot = group.priority == "spot"
    compute = catalogue.price_per_h(group.size, group.region, Term.SPOT_LINUX if spot else Term.LINUX)
    with_license = compute
    if group.is_licensed:
        with_license = catalogue.price_per_h(group.size, group.region, Term.SPOT_WINDOWS if spot else Term.WINDOWS)
    return GroupTariff(
        compute=compute,
        # Prices are decimals: their difference is taken as decimals too, so that 0.3 - 0.1 is 0.2.
        license=float(exact_price(with_license) - exact_price(compute)),
        disks=tuple(_disks(catalogue, group)),
        public_ip=_address(catalogue, group),
    )


def reservation_price(tariff: SizeTariff, reservation: Reservation) -> float:
    """USD per hour of one reserved unit; raises CatalogueError where no such reservation is sold."""
    price = tariff.reservation_usd_per_h(reservation.term)
    if price is None:
        raise CatalogueError(
            f"commitment {reservation.name}: the catalogue has no {reservation.term} reservation of {tariff.size} in "
            f'{tariff.region}; give it in [prices.override."{tariff.size}"] as reservation_{reservation.term}'
        )
    return price


def _address(catalogue: Catalogue, group: RatedGroup) -> float:
    return catalogue.public_ip_per_h(group.region) if group.public_ip else 0.0


def _disks(catalogue: Catalogue, group: RatedGroup) -> list[tuple[str, float]]:
    tiers = [parse_disk(disk) for disk in group.disks]
    priced = [(tier, catalogue.disk(tier, group.region).per_h) for tier in tiers]
    memory_gib = catalogue.get_size(group.size).memory_gib if group.size else None
    if group.hibernates and tiers and memory_gib:
        grown = hibernation_tier(tiers[0], memory_gib, group.os)
        if grown != tiers[0]:
            # Its own line: the room on the OS disk that only hibernation needs.
            more = exact_price(catalogue.disk(grown, group.region).per_h) - exact_price(priced[0][1])
            priced.append((f"{grown}.hibernation", float(more)))
    return priced
