"""A price list in another currency: every price times one rate, which is stated wherever its figures are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sim.catalog.catalogue import Catalogue, PriceBlock
from sim.catalog.currencies import per_usd
from sim.catalog.terms import PAY_AS_YOU_GO, Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What the list is multiplied by for an invoice. *rate* is None where no rate is known."""

    rate: float | None
    source: str
    per_usd: float = 1.0  # units of the invoice's currency per USD, for prices of ours; 1 where unknown


def conversion(listed: str, wanted: str, given: float | None = None) -> Conversion:
    """From the list's currency to an invoice's: at the rate given, else at the bundled one."""
    source, target = per_usd(listed), per_usd(wanted)
    if given is not None:
        return Conversion(rate=given, source="given", per_usd=given)
    if listed == wanted:
        return Conversion(rate=1.0, source="", per_usd=1.0 if target is None else _number(target.value))
    if source is None or target is None:
        return Conversion(rate=None, source=f"no rate for {wanted if target is None else listed} is bundled")
    return Conversion(
        rate=_number(target.value) / _number(source.value), source=target.source, per_usd=_number(target.value)
    )


def converted(catalogue: Catalogue, currency: str, rate: float, discount: float = 0.0, adjusted: str = "") -> Catalogue:
    """The same catalogue with every price times *rate*, and those of pay as you go times 1 - *discount* besides.

    These are compute and licences of regular VMs, disks, addresses and other meters; spot, reservations and savings plans have no
    negotiated discount.
    """
    if currency == catalogue.currency and rate == 1.0 and not discount:
        return catalogue
    paid = 1.0 - discount
    by_term = {term: paid if term in PAY_AS_YOU_GO["regular"].values() else 1.0 for term in Term}

    def times(prices: Mapping[str, float]) -> dict[str, float]:
        return {name: price * rate * paid for name, price in prices.items()}

    def priced(block: PriceBlock) -> PriceBlock:
        factors = [by_term[term] for term in block.terms]
        per_h = {
            name: [None if price is None else price * rate * factor for price, factor in zip(row, factors, strict=True)]
            for name, row in block.per_h.items()
        }
        return replace(block, per_h=per_h)

    return replace(
        catalogue,
        currency=currency,
        adjusted=adjusted,
        price_blocks=tuple(map(priced, catalogue.price_blocks)),
        disk_blocks=tuple(replace(block, per_month=times(block.per_month)) for block in catalogue.disk_blocks),
        address_blocks=tuple(replace(block, per_h=block.per_h * rate * paid) for block in catalogue.address_blocks),
        meter_blocks=tuple(replace(block, per_unit=times(block.per_unit)) for block in catalogue.meter_blocks),
    )


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
