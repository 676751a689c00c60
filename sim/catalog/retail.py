"""Import of the public price list: saved pages of the Retail Prices API become a catalogue of our own form.

What is taken: VM consumption, Linux and Windows distinguished by the product's name; spot as spot prices, never as
pay-as-you-go; reservations divided by the hours of their term; savings-plan rates (API 2023-01-01-preview); managed disks
and public IPv4 addresses if the pages have them. What is left out is counted by reason.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from sim.catalog.catalogue import AddressBlock, Catalogue, DiskBlock, PriceBlock, Provenance
from sim.catalog.disks import tier_gib, tier_key
from sim.catalog.form import load_bundled
from sim.catalog.pages import Page, read_pages
from sim.catalog.sizes import Size, arm_name, size_key
from sim.catalog.terms import TERM_HOURS, Term
from sim.errors import CatalogueError
from sim.fields.defaults import Trust
from sim.fields.numbers import how_many
from sim.units import MOST_PRICE

RESERVATION = {"1 Year": Term.RESERVATION_1Y, "3 Years": Term.RESERVATION_3Y}
SAVINGS_PLAN = {"1 Year": Term.SAVINGS_PLAN_1Y, "3 Years": Term.SAVINGS_PLAN_3Y}
_Block = TypeVar("_Block", DiskBlock, AddressBlock)
FEW = 5  # names shown of a longer list


@dataclass(frozen=True, slots=True, kw_only=True)
class RetailImport:
    """What an import made: the catalogue, how many items went into it, which were left out and why, and notes to read."""

    catalogue: Catalogue
    pages: int
    taken: int
    left_out: Mapping[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Figure:
    """A price as one item states it, with what decides between two items about the same thing."""

    price: float
    primary: bool
    effective: str  # from when; "" where the item doesn't say
    ends: str
    where: str


_Key = tuple[str, str, str]  # region, size or tier, term


class _Ledger:
    """The figures in force on a day; of two items about the same thing the primary, then the later effective one holds."""

    def __init__(self, day: date) -> None:
        self.day = day.isoformat()
        self.figures: dict[_Key, _Figure] = {}
        self.announced: dict[_Key, _Figure] = {}  # the next price of each thing

    def book(self, key: _Key, figure: _Figure) -> str:
        """Take a figure, or say why not."""
        if figure.effective[:10] > self.day:
            following = self.announced.setdefault(key, figure)
            if (figure.primary, following.effective) > (following.primary, figure.effective):
                self.announced[key] = figure
            return "announced, not yet in force"
        if figure.ends and figure.ends <= f"{self.day}T00:00:00Z":
            return "no longer in force"
        other = self.figures.get(key)
        if other is None or (figure.primary, figure.effective) > (other.primary, other.effective):
            self.figures[key] = figure
        elif (figure.primary, figure.effective) == (other.primary, other.effective) and figure.price != other.price:
            region, what, term = key
            raise CatalogueError(
                f"{figure.where}: {what} in {region} has a second {term} price, {figure.price}; {other.where} says {other.price}"
            )
        return ""

    def announcements(self, currency: str) -> list[str]:
        """What will cost something else, and from when on."""
        return [
            f"{what} in {region}, {term}: {figure.price:g} {currency} from {figure.effective[:10]} on"
            + (f" (now {now.price:g})" if (now := self.figures.get((region, what, term))) else "")
            for (region, what, term), figure in sorted(self.announced.items())
        ]


class _Item:
    """One item of a page; every question it can't answer is an error that names file and item."""

    def __init__(self, page: Page, number: int) -> None:
        self.raw: Mapping[str, Any] = {}
        self.where = page.place(number)
        raw = page.items[number]
        if not isinstance(raw, Mapping):
            raise CatalogueError(f"{self.where}: an item is an object, found {type(raw).__name__}")
        self.raw = raw
        name = raw.get("meterName") or raw.get("skuName") or raw.get("armSkuName")
        self.where += f" ({name})" if name else ""

    def text(self, key: str, *, needed: bool = True) -> str:
        value = self.raw.get(key)
        if value is None and not needed:
            return ""
        if not isinstance(value, str):
            found = "is missing" if value is None else f"{value!r} is not text"
            raise CatalogueError(f"{self.where}: {key}: {found}")
        return value.strip()

    def price(self, raw: Mapping[str, Any] | None = None, *, place: str = "") -> float:
        source = self.raw if raw is None else raw
        key = "retailPrice" if source.get("retailPrice") is not None else "unitPrice"
        value = source.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_PRICE:
            found = "is missing" if value is None else f"{value!r} is not a price: a number from 0 to {MOST_PRICE:,.0f}"
            raise CatalogueError(f"{self.where}: {place}{'retailPrice' if value is None else key}: {found}")
        return float(value)

    def per_hour(self) -> float:
        """The price of one hour, whatever number of hours the unit is."""
        unit = self.text("unitOfMeasure")
        found = re.fullmatch(r"(\d{1,6}) Hours?", unit)
        if not found or int(found[1]) == 0:
            raise CatalogueError(f"{self.where}: unitOfMeasure: {unit!r} is not a number of hours such as '1 Hour'")
        return self.price() / int(found[1])

    def figure(self, price: float) -> _Figure:
        begins, ends = self._date("effectiveStartDate"), self._date("effectiveEndDate")
        return _Figure(price, self.raw.get("isPrimaryMeterRegion") is not False, begins, ends, self.where)

    def _date(self, key: str) -> str:
        written = self.text(key, needed=False)
        if written and not re.match(r"\d{4}-\d{2}-\d{2}", written):
            raise CatalogueError(f"{self.where}: {key}: {written!r} is not a date such as 2026-08-01T00:00:00Z")
        return written


def import_pages(
    paths: Iterable[str | Path], *, name: str = "imported prices", read: date | None = None
) -> RetailImport:
    """A catalogue from saved pages: files, or folders whose pages lead to one another by NextPageLink.

    *read* is the day the pages were fetched, if known: the prices in force on it are taken, else those of today. Sizes' vCPUs and memory are not in the pages: they come from the
    bundled catalogue or stay unknown.
    """
    pages, notes = read_pages(paths)
    day = read or date.today()  # noqa: DTZ011 - the user's own calendar
    ledgers = {kind: _Ledger(day) for kind in ("vm", "disk", "ip")}
    left_out: Counter[str] = Counter()
    currencies: dict[str, str] = {}
    taken = 0
    for page in pages:
        for number in range(len(page.items)):
            item = _Item(page, number)
            currency = item.text("currencyCode", needed=page.currency is None) or page.currency or ""
            reason = _book(item, ledgers)
            if reason:
                left_out[reason] += 1
                continue
            taken += 1
            currencies.setdefault(currency, item.where)
            if len(currencies) > 1:
                (first, there), (second, here) = currencies.items()
                raise CatalogueError(
                    f"{here}: currency {second} beside {first} of {there}; a catalogue has one currency"
                )
    if not ledgers["vm"].figures:
        why = "; ".join(f"{reason}: {count}" for reason, count in left_out.most_common()) or "they have no items"
        raise CatalogueError(f"{pages[0].file}: no VM prices in {len(pages)} pages ({why})")
    currency = next(iter(currencies))
    catalogue, more = _catalogue(ledgers, name=name, currency=currency, pages=len(pages), read=read)
    announced = [line for ledger in ledgers.values() for line in ledger.announcements(currency)]
    if announced:
        notes.append(f"announced prices are left out: {_some(announced, '; ')}")
    return RetailImport(
        catalogue=catalogue, pages=len(pages), taken=taken, left_out=dict(left_out.most_common()), notes=(*notes, *more)
    )


def _book(item: _Item, ledgers: Mapping[str, _Ledger]) -> str:
    """Book an item where it belongs; or say why it is left out."""
    service, product, kind = item.text("serviceName"), item.text("productName"), item.text("type")
    region = item.text("armRegionName", needed=False).lower()
    if kind == "DevTestConsumption":
        return "dev/test price"
    if kind not in ("Consumption", "Reservation"):
        return f"type {kind}"
    if not region:
        return "no region"
    if item.raw.get("tierMinimumUnits"):
        return "volume tier"
    if service == "Virtual Machines":
        return _book_vm(item, ledgers["vm"], region, product, kind)
    if kind == "Consumption" and service == "Storage" and product.endswith("Managed Disks"):
        return _book_disk(item, ledgers["disk"], region)
    if (
        kind == "Consumption"
        and service == "Virtual Network"
        and item.text("meterName") == "Standard IPv4 Static Public IP"
    ):
        return ledgers["ip"].book((region, "public IP", "hour"), item.figure(item.per_hour()))
    return f"service {service}"


def _book_vm(item: _Item, ledger: _Ledger, region: str, product: str, kind: str) -> str:
    names = f"{item.text('skuName', needed=False)} {item.text('meterName', needed=False)}"
    if "CloudServices" in product.replace(" ", "") or "CloudServices" in names.replace(" ", ""):
        return "Cloud Services"
    if re.search(r"dedicated ?host", product, re.IGNORECASE):
        return "dedicated host"
    if re.search(r"low priority", names, re.IGNORECASE):
        return "low priority"
    if re.search(r"\bexpired\b", names, re.IGNORECASE):
        return "expired"
    sku = item.text("armSkuName", needed=False)
    if not sku:
        return "no size"
    size = arm_name(sku)
    windows = re.search(r"\bwin(dows)?$", product, re.IGNORECASE) is not None
    spot = re.search(r"\bspot\b", names, re.IGNORECASE) is not None
    if kind == "Reservation":
        return _book_reservation(item, ledger, region, size, unusable="Windows" if windows else "spot" if spot else "")
    price = item.per_hour()
    if price == 0:
        return "price 0"
    term = {(0, 0): Term.LINUX, (1, 0): Term.WINDOWS, (0, 1): Term.SPOT_LINUX, (1, 1): Term.SPOT_WINDOWS}[windows, spot]
    reason = ledger.book((region, size, term), item.figure(price))
    if term is Term.LINUX:  # a Windows item's plan rates hold the licence, which no plan covers
        _book_savings_plans(item, ledger, region, size)
    return reason


def _book_reservation(item: _Item, ledger: _Ledger, region: str, size: str, *, unusable: str) -> str:
    """A reservation's price is the whole term's, though its unit says one hour."""
    if unusable:
        return f"{unusable} reservation"
    term = item.text("reservationTerm")
    if term not in RESERVATION:
        return f"reservation of {term}"
    total = item.price()
    if total == 0:
        return "price 0"
    return ledger.book((region, size, RESERVATION[term]), item.figure(total / TERM_HOURS[term]))


def _book_savings_plans(item: _Item, ledger: _Ledger, region: str, size: str) -> None:
    plans = item.raw.get("savingsPlan")
    if plans is None:
        return
    if not isinstance(plans, Sequence) or isinstance(plans, str):
        raise CatalogueError(f"{item.where}: savingsPlan: {plans!r} is not a list")
    for number, plan in enumerate(plans):
        place = f"savingsPlan[{number}]"
        if not isinstance(plan, Mapping) or not isinstance(plan.get("term"), str):
            raise CatalogueError(f"{item.where}: {place}: {plan!r} is not an object with a term and a price")
        if plan["term"] in SAVINGS_PLAN:
            ledger.book((region, size, SAVINGS_PLAN[plan["term"]]), item.figure(item.price(plan, place=f"{place}.")))


def _book_disk(item: _Item, ledger: _Ledger, region: str) -> str:
    found = re.fullmatch(r"([PES]\d{1,4})(?: (LRS|ZRS))? Disks?", item.text("meterName"))
    if not found or item.text("unitOfMeasure") != "1/Month":
        return "disk meter other than a tier's month"
    redundancy = found[2] or ("ZRS" if item.text("skuName", needed=False).endswith("ZRS") else "LRS")
    tier = tier_key(f"{found[1]} {redundancy}")
    if tier_gib(tier) is None:
        return f"disk tier {tier}"
    return ledger.book((region, tier, "month"), item.figure(item.price()))


def _catalogue(
    ledgers: Mapping[str, _Ledger], *, name: str, currency: str, pages: int, read: date | None
) -> tuple[Catalogue, list[str]]:
    bundled = load_bundled()
    notes: list[str] = []
    spelling = {size_key(size): size for size in bundled.sizes}
    figures: dict[str, dict[str, dict[Term, float]]] = defaultdict(lambda: defaultdict(dict))
    for (region, size, term), figure in sorted(ledgers["vm"].figures.items()):
        figures[region][spelling.setdefault(size_key(size), size)][Term(term)] = figure.price
    provenance = _provenance(ledgers["vm"], pages, read)
    blocks = tuple(
        PriceBlock(
            region=region,
            provenance=provenance,
            terms=tuple(Term),
            per_h={size: [row.get(term) for term in Term] for size, row in rows.items()},
        )
        for region, rows in figures.items()
    )
    named = dict.fromkeys(size for rows in figures.values() for size in rows)
    unknown = [size for size in named if size not in bundled.sizes]
    if unknown:
        notes.append(f"vCPUs and memory unknown for {how_many(len(unknown), 'size')}: {_some(unknown)}")
    no_linux = [f"{size} in {r}" for r, rows in figures.items() for size, row in rows.items() if Term.LINUX not in row]
    if no_linux:
        notes.append(f"no Linux pay-as-you-go price for {how_many(len(no_linux), 'size')}: {_some(no_linux)}")
    own_disks = _disk_blocks(ledgers["disk"], _provenance(ledgers["disk"], pages, read))
    own_ips = [
        AddressBlock(regions=(region,), provenance=_provenance(ledgers["ip"], pages, read), per_h=figure.price)
        for (region, _, _), figure in sorted(ledgers["ip"].figures.items())
    ]
    disks, more_disks = _with_lent("disk", own_disks, bundled.disk_blocks, tuple(figures), currency)
    ips, more_ips = _with_lent("public IP", own_ips, bundled.address_blocks, tuple(figures), currency)
    catalogue = Catalogue(
        name=name,
        currency=currency,
        sizes={n: bundled.sizes.get(n) or Size(name=n, family=None, vcpus=None, memory_gib=None) for n in named},
        price_blocks=blocks,
        disk_blocks=disks,
        address_blocks=ips,
    )
    return catalogue, notes + more_disks + more_ips


def _disk_blocks(ledger: _Ledger, provenance: Provenance) -> list[DiskBlock]:
    months: dict[str, dict[str, float]] = defaultdict(dict)
    for (region, tier, _), figure in sorted(ledger.figures.items()):
        months[region][tier] = figure.price
    return [DiskBlock(regions=(r,), provenance=provenance, per_month=rows) for r, rows in months.items()]


def _with_lent(
    what: str, own: Sequence[_Block], bundled: Sequence[_Block], regions: Sequence[str], currency: str
) -> tuple[tuple[_Block, ...], list[str]]:
    """The pages' blocks, and for regions without one the bundled catalogue's; with notes on which these are."""
    missing = [region for region in regions if all(region not in block.regions for block in own)]
    lent: list[_Block] = [block for block in bundled if currency == "USD" and set(block.regions) & set(missing)]
    has = {region for block in lent for region in block.regions}
    taken = [region for region in missing if region in has]
    none = [region for region in missing if region not in has]
    notes = (
        [f"no {what} prices in the pages for {_some(taken)}: those of the bundled catalogue are used"] if taken else []
    )
    blocks: list[_Block] = list(own)
    return tuple(blocks + lent), notes + ([f"no {what} prices for {_some(none)}"] if none else [])


def _provenance(ledger: _Ledger, pages: int, read: date | None) -> Provenance:
    dates = sorted(figure.effective[:10] for figure in ledger.figures.values() if figure.effective)
    return Provenance(
        source=f"Retail Prices API, {pages} saved {'page' if pages == 1 else 'pages'}",
        read=read.isoformat() if read else "",
        licence="public price list",
        trust=Trust.IMPORTED,
        note=f"effective from {dates[0]} (oldest figure) to {dates[-1]} (newest)" if dates else "",
    )


def _some(names: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return between.join(names[:FEW]) + more
