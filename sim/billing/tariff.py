"""What one hour of a VM size costs under each term: the prices that commitments are rated with."""

from collections.abc import Mapping
from dataclasses import dataclass

from sim.billing.commitments import Reservation
from sim.catalog.catalogue import Catalogue
from sim.catalog.terms import Term
from sim.errors import CatalogueError

INFRASTRUCTURE = frozenset(Term) - {Term.WINDOWS, Term.SPOT_LINUX, Term.SPOT_WINDOWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeTariff:
    """One size in one region: the infrastructure part, which commitments can cover. USD per hour."""

    size: str
    region: str
    per_h: Mapping[str, float]  # by term, those that are sold; pay as you go is always
    vcpus: int = 1
    flexibility_group: str | None = None
    ratio: float | None = None  # within the flexibility group

    @property
    def payg_usd_per_h(self) -> float:
        """Pay as you go, without a licence."""
        return self.per_h[Term.LINUX]

    def savings_plan_usd_per_h(self, term: str) -> float | None:
        """What an hour takes from a savings plan; None where the plan doesn't cover the size."""
        return self.per_h.get(f"savings_plan_{term}")


def size_tariff(catalogue: Catalogue, size: str, region: str) -> SizeTariff:
    """The prices of one size in one region; raises CatalogueError where it is not sold."""
    known = catalogue.get_size(size)
    catalogue.price_per_h(known.name, region, Term.LINUX)
    found = {term: catalogue.find_price(known.name, region, term) for term in INFRASTRUCTURE}
    return SizeTariff(
        size=known.name, region=catalogue.get_region(region), per_h={term: price.per_h for term, price in found.items() if price},
        vcpus=known.vcpus or 1, flexibility_group=known.flexibility_group, ratio=known.flexibility_ratio,
    )  # fmt: skip


def reservation_price(tariff: SizeTariff, reservation: Reservation) -> float:
    """USD per hour of one reserved unit; raises CatalogueError where no such reservation is sold."""
    price = tariff.per_h.get(f"reservation_{reservation.term}")
    if price is None:
        raise CatalogueError(
            f"commitment {reservation.name}: the catalogue has no {reservation.term} reservation of {tariff.size} in "
            f'{tariff.region}; give it in [prices.override."{tariff.size}"] as reservation_{reservation.term}'
        )
    return price
