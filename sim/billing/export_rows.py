"""Rows of cost exports, FOCUS or Azure's own, brought to one form: what was charged, for how much of which meter, from when.

Nothing is interpreted here but spelling: names of columns, dates, numbers, and NULL as text. A cell that can't be read is
the row's `problem`; it stops nothing.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sim.billing.german_cells import GERMAN, english
from sim.errors import UsageError
from sim.files import open_table, parse_json
from sim.recognise import Recognised

# Our name for a cell: what FOCUS calls it, then what Azure's exports do (EA, MCA, pay as you go), the first that is there.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "start": ("chargeperiodstart", "date", "usagedatetime", "usagedate"),
    "end": ("chargeperiodend",),
    "charge": ("chargecategory", "chargetype"),
    "currency": ("billingcurrency", "billingcurrencycode", "currency", "currencycode"),
    "quantity": ("pricingquantity", "quantity", "usagequantity"),
    "unit": ("x_pricingunitdescription", "pricingunit", "unitofmeasure"),
    "consumed": ("consumedquantity",),
    "consumed_unit": ("consumedunit",),
    "category": ("x_skumetercategory", "metercategory"),
    "subcategory": ("x_skumetersubcategory", "metersubcategory"),
    "meter": ("skumeter", "x_skumetername", "metername"),
    "product": ("x_skudescription", "chargedescription", "productname", "product"),
    "details": ("skupricedetails", "x_skudetails", "additionalinfo"),
    "region": ("regionid", "resourcelocation", "location", "regionname", "meterregion"),
    "service": ("servicename", "consumedservice"),
    "discount": ("commitmentdiscounttype", "pricingmodel"),
    "discount_id": ("commitmentdiscountid", "benefitid", "reservationid"),
    "status": ("commitmentdiscountstatus",),
    "room": ("capacityreservationstatus",),
    "pricing": ("pricingcategory", "pricingmodel"),
    "publisher": ("x_publishercategory", "publishertype"),
    "publisher_name": ("publishername",),
    "tags": ("tags",),
    "resource": ("resourceid", "instanceid", "instancename"),
    "name": ("commitmentdiscountname", "benefitname", "reservationname"),
    "term": ("x_skuterm", "term"),
    "frequency": ("chargefrequency", "frequency"),
    "list_price": ("listunitprice", "paygprice"),
    "price": ("contractedunitprice", "unitprice"),
}
COSTS = ("billedcost", "costinbillingcurrency", "cost", "pretaxcost")
EFFECTIVE = "effectivecost"
_WRITTEN = {"billedcost": "BilledCost", "costinbillingcurrency": "CostInBillingCurrency", "cost": "Cost"} | {
    "pretaxcost": "PreTaxCost", "effectivecost": "EffectiveCost",
}  # fmt: skip

USAGE, PURCHASE, UNUSED, TAX, REFUND = "usage", "purchase", "unused", "tax", "refund"
_CHARGES = {
    "": USAGE, "usage": USAGE, "purchase": PURCHASE, "unusedreservation": UNUSED, "unusedsavingsplan": UNUSED, "tax": TAX,
}  # fmt: skip
_MOST_NUMBER = 1e12  # of units, or of money: beyond it, a cell is damaged
_FAR = timedelta(days=3 * 366)
_DATES = ("%m/%d/%Y", "%d.%m.%Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p")


class Sku(NamedTuple):
    """What a row is of: equal for all rows that are charged alike."""

    category: str
    subcategory: str
    meter: str
    product: str
    unit: str
    has_blocks: bool  # the quantity is in the price's blocks, not in single units
    size: str
    image: str
    base: str  # of a meter of ours: the disk that it is an extra of
    region: str
    service: str
    charge: str  # usage | purchase | unused | tax | refund | ...
    commitment: str  # "" | reservation | savings plan
    is_spot: bool
    publisher: str  # "" where it is the platform itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """One charge. `problem` names a cell that can't be read, and such a row is rated by nothing."""

    line: int
    sku: Sku
    cost: float
    effective: float | None
    quantity: float
    start: datetime
    end: datetime
    currency: str
    group: str = ""  # the tag of this name, which our own export writes
    is_used: bool = False  # a commitment pays it
    resource: str = ""  # its id
    tags: str = ""  # as they are written
    commitment: str = ""  # its name, else its id
    term: str = ""
    frequency: str = ""
    list_price: float | None = None  # of a unit, as the export has it
    price: float | None = None  # after the discount that was negotiated
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A cost export as it was read."""

    path: str
    format: str
    currency: str
    cost_column: str
    rows: tuple[ExportRow, ...]


def read_export(path: Path, seen: Recognised) -> Export:
    """Read a cost export; raises UsageError where there is no table, never for a row."""
    with open_table(path, UsageError, delimiter=seen.delimiter) as (_, _, lines):
        place = {
            name: [seen.columns.index(each) for each in each_of if each in seen.columns]
            for name, each_of in COLUMNS.items()
        }
        cost = next((name for name in (*COSTS, EFFECTIVE) if name in seen.columns), "")
        reader = _Reader(seen, place, cost)
        rows = tuple(_with_strays([reader.row(line, cells) for line, cells in lines]))
    currencies = [row.currency for row in rows if row.currency]
    return Export(
        path=str(path),
        format=_format(seen, spread=any(map(_is_spread, rows))),
        currency=max(set(currencies), key=currencies.count) if currencies else "USD",
        cost_column=_WRITTEN.get(cost, cost),
        rows=rows,
    )


class Scan(NamedTuple):
    """What a cost export is of, without its charges."""

    rows: int
    start: datetime | None
    end: datetime | None
    days: frozenset[tuple[str, date]]  # subscription and day of each charge
    format: str


def scan_export(path: Path, seen: Recognised) -> Scan:
    """Which charges a cost export has, read as fast as it goes; raises UsageError where there is no table."""
    names = {name: i for i, name in reversed(list(enumerate(seen.columns)))}
    places = [
        [names[each] for each in wanted if each in names]
        for wanted in (COLUMNS["start"], COLUMNS["end"], ("subaccountid", "subscriptionid", "subscriptionguid"), COLUMNS["charge"],
                       COLUMNS["discount_id"], COSTS)
    ]  # fmt: skip
    rows, ends, found, spread = 0, set(), set(), False
    with open_table(path, UsageError, delimiter=seen.delimiter) as (_, _, lines):
        for _, cells in lines:
            rows += 1
            start, end, subscription, charge, benefit, cost = (_first(cells, each) for each in places)
            found.add((subscription.lower().rsplit("/", 1)[-1], start))
            ends.add(end)
            is_usage = _CHARGES.get(charge.lower()) == USAGE and benefit and cost not in ("", "0")
            spread = spread or bool(is_usage) or _CHARGES.get(charge.lower()) == UNUSED
    starts = [at for _, start in found if (at := _instant(start))]
    last = [at for end in ends if (at := _instant(end))] or [at + timedelta(days=1) for at in starts]
    days = frozenset((of, at.date()) for of, start in found if (at := _instant(start)))
    return Scan(rows, min(starts, default=None), max(last, default=None), days, _format(seen, spread=spread))


def _with_strays(rows: list[ExportRow]) -> list[ExportRow]:
    """Rows years away from the others, or longer than any charge, have a date that can't be right."""
    readable = sorted(row.start for row in rows if not row.problem)
    if not readable:
        return rows
    middle = readable[len(readable) // 2]
    return [
        replace(row, problem="its period is not near those of the other rows")
        if not row.problem and (abs(row.start - middle) > _FAR or row.end - row.start > _FAR)
        else row
        for row in rows
    ]


def _is_spread(row: ExportRow) -> bool:
    return row.sku.charge == UNUSED or (row.is_used and row.sku.charge == USAGE and row.cost != 0.0)


def _format(seen: Recognised, *, spread: bool) -> str:
    """Azure's is amortized where the price of commitments stands at what they paid, actual where it stands at their purchase."""
    if not seen.format.startswith("azure"):
        return seen.format
    return "azure-amortized" if spread else "azure-actual"


class _Reader:
    """Reads the rows of one table: where which cell stands."""

    def __init__(self, seen: Recognised, place: Mapping[str, list[int]], cost: str) -> None:
        self.place = place
        self.is_focus = seen.format.startswith("focus")
        self.decimal_comma = seen.delimiter == ";"
        self.cost_at = [seen.columns.index(cost)] if cost else []
        self.effective_at = [seen.columns.index(EFFECTIVE)] if EFFECTIVE in seen.columns else []

    def row(self, line: int, cells: Sequence[str]) -> ExportRow:
        """One row of the table."""
        problems: list[str] = []
        text = {name: _first(cells, places) for name, places in self.place.items()}
        text |= {name: _english(name, text[name]) for name in GERMAN}
        cost = self._number(_first(cells, self.cost_at), problems, "cost")
        effective = _first(cells, self.effective_at)
        start = _instant(text["start"])
        end = _instant(text["end"]) if text["end"] else None
        if start is None or (text["end"] and end is None):
            problems.append(f"{text['start']!r} to {text['end']!r} is no period")
        start = start or datetime(1970, 1, 1, tzinfo=UTC)
        end = end if end is not None and end > start else start + timedelta(days=1)
        unit, quantity, blocks = self._quantity(text, problems)
        sku = self._sku(text, unit, blocks)
        return ExportRow(
            line=line, sku=sku, cost=cost, effective=self._number(effective, problems, "EffectiveCost") if effective else None,
            quantity=quantity, start=start, end=end, currency=text["currency"].upper(), group=_details(text["tags"]).get("group", "").strip() if "group" in text["tags"].lower() else "",
            is_used=sku.commitment != "" and sku.charge == USAGE, problem=problems[0] if problems else "",
            resource=text["resource"], tags=text["tags"], commitment=text["name"] or text["discount_id"], term=text["term"],
            frequency=text["frequency"], list_price=self._price(text["list_price"]), price=self._price(text["price"]),
        )  # fmt: skip

    def _quantity(self, text: Mapping[str, str], problems: list[str]) -> tuple[str, float, bool]:
        """Unit, quantity, and whether it counts the price's blocks: of what was priced, else of what was consumed."""
        if text["quantity"]:
            return text["unit"], self._number(text["quantity"], problems, "quantity"), True
        if text["consumed"]:
            unit = text["consumed_unit"] or text["unit"]
            return unit, self._number(text["consumed"], problems, "ConsumedQuantity"), False
        return text["unit"], 0.0, True

    def _sku(self, text: Mapping[str, str], unit: str, blocks: bool) -> Sku:
        details = _details(text["details"])
        charge = _CHARGES.get(text["charge"].lower(), text["charge"].lower())
        if text["status"].lower() == "unused" or text["room"].lower() == "unused":
            charge = UNUSED
        publisher = _publisher(text["publisher"].lower(), text["publisher_name"])
        discount = text["discount"].lower().replace(" ", "").replace("_", "")
        commitment = "reservation" if "reserv" in discount else "savings plan" if "savingsplan" in discount else ""
        if not commitment and text["discount_id"] and self.is_focus:
            commitment = "reservation"
        return Sku(
            category=text["category"], subcategory=text["subcategory"], meter=text["meter"], product=text["product"], unit=unit,
            has_blocks=blocks, size=_detail(details, "servicetype", "instancetype"), base=_detail(details, "basetier"),
            image=_detail(details, "operatingsystem", "imagetype"), region=text["region"], service=text["service"], charge=charge,
            commitment=commitment, is_spot=text["pricing"].lower() in ("dynamic", "spot"), publisher=publisher,
        )  # fmt: skip

    def _price(self, text: str) -> float | None:
        problems: list[str] = []
        number = self._number(text, problems, "price") if text else None
        return None if problems else number

    def _number(self, text: str, problems: list[str], what: str) -> float:
        if self.decimal_comma and "," in text:
            text = text.replace(".", "").replace(",", ".")
        try:
            number = float(text or "0")
        except ValueError:
            number = math.nan
        if abs(number) <= _MOST_NUMBER:
            return number
        problems.append(f"{what} {text[:40]!r} is " + ("too large" if abs(number) > _MOST_NUMBER else "no number"))
        return 0.0


def _publisher(category: str, name: str) -> str:
    """Who else sells what was charged; "" for the platform itself."""
    if category:
        return (name or "the marketplace") if category in ("vendor", "marketplace") else ""
    return "" if re.search("microsoft|azure|^$", name, re.IGNORECASE) else name


def _first(cells: Sequence[str], places: Sequence[int]) -> str:
    """The first of some cells that says anything; NULL as text says nothing."""
    for place in places:
        text = cells[place].strip() if place < len(cells) else ""
        if text and text.upper() != "NULL":
            return text
    return ""


_english = lru_cache(maxsize=65536)(english)


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime | None:
    """An instant, UTC where nothing else is said; None for what is none of the years of a cloud."""
    for form in ("", *_DATES):
        try:
            at = datetime.strptime(text, form).replace(tzinfo=UTC) if form else datetime.fromisoformat(text)
        except ValueError:
            continue
        if not 1990 <= at.year <= 2199:
            return None
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return None


@lru_cache(maxsize=65536)
def _details(text: str) -> Mapping[str, str]:
    """A JSON object's values by key, in small letters, without the prefix of a provider's own keys."""
    if not text:
        return {}
    try:
        read = parse_json(text if text.lstrip().startswith("{") else "{" + text + "}")
    except ValueError:
        return {}
    return {re.sub(r"^x_", "", str(key).lower()): str(value) for key, value in read.items() if value is not None}


def _detail(details: Mapping[str, str], *names: str) -> str:
    return next((details[name] for name in names if details.get(name)), "")
