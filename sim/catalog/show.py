"""A catalogue as tables: the terms of one size, its sizes, its regions; what `vmfleet prices show`, `sizes` and `regions` print."""

from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from sim.catalog.catalogue import Catalogue
from sim.catalog.disks import tier_key
from sim.catalog.sizes import close_sizes, size_key
from sim.catalog.terms import Term
from sim.errors import CatalogueError
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


def show_disk(catalogue: Catalogue, tier: str, region: str | None = None) -> list[dict[str, Any]]:
    """What a managed disk tier costs a month, in a region or in every one that has it; raises CatalogueError where none has."""
    sold = {place for block in catalogue.disk_blocks if tier_key(tier) in block.per_month for place in block.regions}
    regions = [catalogue.get_region(region)] if region else [each for each in catalogue.regions if each in sold]
    return [asdict(catalogue.disk(tier, each)) for each in regions or catalogue.regions]  # nowhere: refused there


def list_sizes(catalogue: Catalogue, pattern: str = "*", region: str | None = None) -> list[dict[str, Any]]:
    """The facts of each size whose name fits a pattern (`D*s_v5`; without a wildcard: contains it), and where it is sold.

    With a *region* also its price per hour there, Linux as you go; None where it has none.
    """
    sold: dict[str, list[str]] = {}
    for each in catalogue.regions:
        for name in catalogue.sizes_in(each):
            sold.setdefault(name, []).append(each)

    def price_of(name: str) -> float | None:
        found = catalogue.find_price(name, catalogue.get_region(region or ""), Term.LINUX)
        return None if found is None else found.per_h

    key = size_key(pattern)
    key = key if any(mark in key for mark in "*?[") else f"*{key}*"
    rows = [
        asdict(size) | {"regions": sold.get(name, [])} | ({"linux_per_h": price_of(name)} if region else {})
        for name, size in catalogue.sizes.items()
        if fnmatchcase(size_key(name), key)
    ]
    if not rows:
        near = close_sizes(pattern, catalogue.sizes)
        hint = f"did you mean {', '.join(near)}?" if near else "write a part of a name, or a pattern such as D*s_v5"
        raise CatalogueError(f"no size in {catalogue.name} is like {pattern!r}; {hint}")
    return rows


def list_regions(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Each region's number of sizes and, block by block, which prices it has, from where, read when and how far to trust."""
    rows = []
    for region in catalogue.regions:
        blocks = [
            (", ".join(b.terms), len(b.per_h), b.provenance) for b in catalogue.price_blocks if b.region == region
        ]
        blocks += [("disks", len(b.per_month), b.provenance) for b in catalogue.disk_blocks if region in b.regions]
        blocks += [("public IP", 1, b.provenance) for b in catalogue.address_blocks if region in b.regions]
        blocks += [
            (", ".join(b.per_unit), len(b.per_unit), b.provenance)
            for b in catalogue.meter_blocks
            if region in b.regions
        ]
        facts = ("trust", "read", "source", "note")
        prices = [
            {"prices": what, "rows": count} | {fact: str(getattr(source, fact)) for fact in facts}
            for what, count, source in blocks
        ]
        here = len(catalogue.sizes_in(region))
        rows.append({"region": region, "sizes": here, "currency": catalogue.currency, "prices": prices})
    return rows


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
        **{fact: str(getattr(found and found.provenance, fact, "")) for fact in ("source", "read", "note")},
        trust=str(found.provenance.trust) if found else "unknown",
    )
