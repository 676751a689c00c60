"""The price list of one size, term by term: what `vmfleet prices show` prints."""

from __future__ import annotations

from dataclasses import dataclass

from sim.catalog.catalogue import Catalogue
from sim.catalog.terms import Term
from sim.units import HOURS_PER_MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """One term of one size in one region, with what it saves against pay-as-you-go and where the figure is from."""

    size: str
    region: str
    term: Term
    per_h: float | None  # None: the catalogue doesn't know
    per_month: float | None  # 730 hours
    saving: float | None  # share of the pay-as-you-go price with the same licence; None for pay-as-you-go itself
    currency: str
    trust: str
    source: str
    read: str
    note: str


def show(catalogue: Catalogue, size: str, region: str | None = None) -> list[PriceRow]:
    """Every term of a size in a region, known or not; without a region, in every region that sells the size."""
    name = catalogue.get_size(size).name
    if region is None:
        regions = [r for r in catalogue.regions if name in catalogue.sizes_in(r)]
    else:
        regions = [catalogue.get_region(region)]
    return [_row(catalogue, name, place, term) for place in regions for term in Term]


def _row(catalogue: Catalogue, name: str, region: str, term: Term) -> PriceRow:
    found = catalogue.find_price(name, region, term)
    regular = catalogue.find_price(name, region, Term.WINDOWS if term is Term.SPOT_WINDOWS else Term.LINUX)
    saving = None
    if found and regular and regular.per_h > 0 and term not in (Term.LINUX, Term.WINDOWS):
        saving = 1 - found.per_h / regular.per_h
    return PriceRow(
        size=name,
        region=region,
        term=term,
        per_h=found.per_h if found else None,
        per_month=found.per_h * HOURS_PER_MONTH if found else None,
        saving=saving,
        currency=catalogue.currency,
        trust=str(found.provenance.trust) if found else "unknown",
        source=found.provenance.source if found else "",
        read=found.provenance.read if found else "",
        note=found.provenance.note if found else "",
    )
