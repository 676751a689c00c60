"""What a file from a user's cloud is, recognised by its content: a name may say anything."""

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import InputError, UsageError
from sim.files import open_bytes, open_table, open_text, parse_json, read_text

COST_EXPORT, STAYS, PRICE_PAGE, UNKNOWN = "cost-export", "stays", "price-page", "unknown"
READS = "`vmfleet bill` reads lists of stays and cost exports (FOCUS, Azure actual and amortized)"
_DELIMITERS = ",;\t"
BEGINNING = 2**15  # characters that tell what a file is: an event begins with long claims
_SOME_ROWS = 2000  # by which an amortized export is known

# Columns that one version of FOCUS has and the versions before it have not, newest first.
_FOCUS_VERSIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("1.3", frozenset({"allocatedmethodid", "contractapplied", "hostprovidername", "serviceprovidername"})),
    ("1.2", frozenset({"invoiceid", "pricingcurrency", "pricingcurrencyeffectivecost"})),
    ("1.1", frozenset({"skumeter", "skupricedetails", "servicesubcategory", "capacityreservationid", "commitmentdiscountquantity"})),
    ("1.0", frozenset()),
)  # fmt: skip
_COSTS = {"cost", "costinbillingcurrency", "pretaxcost"}

_SHEETS = (  # columns that tell a price sheet, and its name
    ({"unitprice", "billingprofileid"}, "a price sheet of a Microsoft Customer Agreement"),
    ({"unitprice", "partnumber"}, "a price sheet of an Enterprise Agreement"),
    ({"unitprice", "enrollmentnumber"}, "a price sheet of an Enterprise Agreement"),
    ({"metercategory", "unitprice"}, "a price sheet by meters"),
    ({"meterid", "unitprice"}, "a price sheet by meters"),
)

_MAGIC = (
    (b"PAR1", "a Parquet file"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "an SQLite database"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What a file is: its kind, the format where a kind has several, and the two in words."""

    kind: str  # cost-export | stays | vm-list | resource-graph | activity-log | activity-log-csv | terraform | ... | unknown
    words: str
    format: str = ""
    delimiter: str = ","
    columns: tuple[str, ...] = ()  # of a table, as `column_key` writes them
    is_named: bool = True  # whether the words say more than JSON, table or text


def column_key(head: str) -> str:
    """A column's name whatever its case, blanks and language: `Deutscher Name (EnglishName)` is `englishname`.

    >>> column_key("Zählerkategorie (MeterCategory)"), column_key("Billing Currency")
    ('metercategory', 'billingcurrency')
    """
    inside = re.fullmatch(r".*\(\s*([A-Za-z][\w ]*?)\s*\)\s*", head.strip())
    return re.sub(r"[\s\-]+", "", (inside[1] if inside else head).strip()).lower()


def recognise(path: Path, error: type[InputError] = UsageError) -> Recognised:
    """What a file is; raises *error* only where it can't be read at all."""
    with open_bytes(path, error) as content:
        begin: bytes = content.peek(64)[:64]  # type: ignore[attr-defined]
    for magic, words in _MAGIC:
        if begin.startswith(magic):
            return Recognised(kind=UNKNOWN, words=words)
    with open_text(path, error, most_line=None) as text:
        first = text.read(BEGINNING).lstrip()
    if first[:1] in ("{", "["):
        if re.search(r'"eventTimestamp"\s*:', first) and '"correlationId"' in first:  # tens of thousands of events
            return Recognised(kind="activity-log", words="an Activity Log (JSON)")
        found = _of_json(path, first, error)
        if found is not None:
            return found
    return _of_table(path, first, error)


def _of_json(path: Path, first: str, error: type[InputError]) -> Recognised | None:
    try:
        return of_value(parse_json(read_text(path, error)))
    except ValueError:
        lines = first.startswith("{") and "\n{" in first
        return Recognised(kind=UNKNOWN, words="JSON lines", is_named=False) if lines else None


def of_value(value: Any) -> Recognised:
    """What a JSON value is, by the keys that only one command writes."""
    if isinstance(value, Mapping):
        keys = {str(key).lower() for key in value}
        if "terraform_version" in keys or {"planned_values", "resource_changes"} & keys:
            return Recognised(kind="terraform", words="a Terraform plan or state (`terraform show -json`)")
        if "items" in keys and keys & {"billingcurrency", "nextpagelink"}:
            return Recognised(kind=PRICE_PAGE, words="a page of the Retail Prices API")
        inner = next((value[key] for key in value if str(key).lower() in ("value", "data")), None)
        if isinstance(inner, list):
            found = _of_items(inner)
            if str(next(iter(value))).lower() != "value" and found.kind == "vm-list":
                return Recognised(kind="resource-graph", words="an answer of Azure Resource Graph")
            return found
        return _of_items([value])
    return _of_items(value if isinstance(value, list) else [])


def _of_items(items: list[Any]) -> Recognised:
    keys = {str(key).lower() for item in items[:50] if isinstance(item, Mapping) for key in item}
    if keys & {"eventtimestamp", "operationname"} and keys & {"eventtimestamp", "correlationid"}:
        return Recognised(kind="activity-log", words="an Activity Log (JSON)")
    if {"armskuname", "retailprice"} & keys:
        return Recognised(kind=PRICE_PAGE, words="items of the Retail Prices API")
    if {"hardwareprofile", "powerstate", "vmid"} & keys:
        return Recognised(kind="vm-list", words="a list of VMs (`az vm list`)")
    if "type" in keys and "properties" in keys:
        return Recognised(kind="resource-graph", words="an answer of Azure Resource Graph")
    return Recognised(kind=UNKNOWN, words="JSON of another kind", is_named=False)


def _of_table(path: Path, first: str, error: type[InputError]) -> Recognised:
    if re.search(r"^\s*\[\[?\s*group\b", first, re.MULTILINE):
        return Recognised(kind="scenario", words="a scenario file")
    line = first.splitlines()[0] if first else ""
    delimiter = max(_DELIMITERS, key=line.count)
    with open_table(path, error, delimiter=delimiter) as (_, header, rows):
        columns = tuple(map(column_key, header))
        kind, words, form = _of_columns(set(columns))
        if form == "azure-actual" and _is_amortized(columns, [row for _, row in itertools.islice(rows, _SOME_ROWS)]):
            words, form = "an Azure amortized cost export", "azure-amortized"
    return Recognised(
        kind=kind, words=words, format=form, delimiter=delimiter, columns=columns, is_named=kind != UNKNOWN
    )


def _is_amortized(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether what a commitment paid stands at its use: actual exports have the whole price at the purchase."""
    place = {name: columns.index(name) for name in ("chargetype", "pricingmodel", *_COSTS) if name in columns}
    for row in rows:
        cells = {name: row[at].strip().lower() for name, at in place.items() if at < len(row)}
        if cells.get("chargetype", "").startswith("unused"):
            return True
        if cells.get("pricingmodel") in ("reservation", "savingsplan") and cells.get("chargetype") in ("usage", ""):
            return any(cells.get(name, "").strip("0.,") for name in _COSTS)
    return False


def _of_columns(names: Collection[str]) -> tuple[str, str, str]:
    names = set(names)
    if "chargeperiodstart" in names and names & {"billedcost", "effectivecost", "consumedquantity"}:
        version = next(version for version, new in _FOCUS_VERSIONS if not new or new & names)
        return COST_EXPORT, f"a FOCUS {version} export", f"focus-{version}"
    if names & _COSTS and names & {"metercategory", "metername", "meterid", "meter"}:
        return COST_EXPORT, "an Azure cost export", "azure-actual"
    if {"correlationid", "operationname"} <= names:
        return "activity-log-csv", "an Activity Log (the portal's CSV)", ""
    if {"vm", "state", "start"} <= names:
        return STAYS, "a list of stays", ""
    if {"armskuname", "armregionname"} <= names and names & {"retailprice", "unitprice"}:
        return PRICE_PAGE, "items of the Retail Prices API", ""
    for telling, sheet in _SHEETS:
        if telling <= names:
            return "price-sheet", sheet, ""
    if {"vmid", "resourcegroup"} <= names or {"name", "subscription", "resourcegroup"} <= names:
        return "vm-list", "a list of resources (the portal's CSV)", ""
    return UNKNOWN, "a table of another kind" if len(names) > 1 else "text of another kind", ""
