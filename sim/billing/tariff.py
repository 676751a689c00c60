"""What one hour of a VM size costs under each term: the prices that commitments are rated with."""

from dataclasses import dataclass

from sim.billing.commitments import Reservation
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


def reservation_price(tariff: SizeTariff, reservation: Reservation) -> float:
    """USD per hour of one reserved unit; raises CatalogueError where no such reservation is sold."""
    price = tariff.reservation_usd_per_h(reservation.term)
    if price is None:
        raise CatalogueError(
            f"commitment {reservation.name}: the catalogue has no {reservation.term} reservation of {tariff.size} in "
            f'{tariff.region}; give it in [prices.override."{tariff.size}"] as reservation_{reservation.term}'
        )
    return price
