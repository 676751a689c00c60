"""The forms in which people save the public price list: whole pages, bare items, JSON lines, CSV; other files are named."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import CatalogueError
from sim.files import open_table, open_text, parse_json, read_text, refusal
from sim.recognise import PRICE_PAGE, recognise

_DELIMITERS = ",;\t"
_ITEM_KEYS = ("armSkuName", "retailPrice", "unitPrice", "meterName", "productName")
_COLUMNS = {  # of the API's items, by their names without case and blanks
    key.lower(): key
    for key in (
        "currencyCode", "tierMinimumUnits", "reservationTerm", "retailPrice", "unitPrice", "armRegionName", "location",
        "effectiveStartDate", "effectiveEndDate", "meterId", "meterName", "productId", "skuId", "productName", "skuName",
        "serviceName", "serviceId", "serviceFamily", "unitOfMeasure", "type", "isPrimaryMeterRegion", "armSkuName",
        "savingsPlan",
    )
}  # fmt: skip
_NUMBERS = ("tierMinimumUnits", "retailPrice", "unitPrice")
_HINT = (
    "save pages of the Retail Prices API (`vmfleet prices url REGION` says their addresses); negotiated prices go into "
    "[prices.override] of a scenario"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDocument:
    """An answer of the API, or items without one; *lines* are those of the items where the file has an item a line."""

    content: Mapping[str, Any]
    lines: Sequence[int] = ()


def read_documents(file: Path) -> list[PriceDocument]:
    """What a file holds: pages of the API as they are; bare items, JSON lines and CSV rows as one page without a count.

    A file of another kind is refused by its name: a cost export, an Activity Log, a Terraform plan, a price sheet.
    """
    seen = recognise(file, CatalogueError)
    if seen.is_named and seen.kind != PRICE_PAGE:
        raise refusal(CatalogueError, file, f"this is {seen.words}; it makes no catalogue", _HINT)
    with open_text(file, CatalogueError, most_line=None) as stream:
        first = stream.read(4096).lstrip()
    if not first:
        raise refusal(CatalogueError, file, "it is empty, not a page of the Retail Prices API")
    if first[0] in "{[" or not any(mark in first for mark in _DELIMITERS):
        return _of_json(file, read_text(file, CatalogueError))
    return [_of_table(file, first.splitlines()[0])]


def _of_json(file: Path, text: str) -> list[PriceDocument]:
    try:
        values: Any = parse_json(text)
    except ValueError as whole:
        pairs = list(_json_lines(file, text, whole))
        values, lines = [value for _, value in pairs], [line for line, _ in pairs]
    else:
        values, lines = values if isinstance(values, list) else [values], []
        if not values:
            raise refusal(CatalogueError, file, "it is an empty list, not a page of the Retail Prices API")
    for value in values:
        if not isinstance(value, Mapping):
            problem = f"a page of the Retail Prices API is an object with Items, found {type(value).__name__}"
            raise refusal(CatalogueError, file, problem)
    if all(not {"Items", "items"} & value.keys() and any(key in value for key in _ITEM_KEYS) for value in values):
        return [PriceDocument(content={"Items": values}, lines=lines)]
    return [PriceDocument(content=value) for value in values]


def _json_lines(file: Path, text: str, whole: ValueError) -> Iterator[tuple[int, Any]]:
    """The values of JSON lines; where the first line is no value, the fault of the whole text holds."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield number, parse_json(line)
        except ValueError as wrong:
            if text[: text.find(line)].strip():
                raise refusal(CatalogueError, file, f"it is not a line of JSON: {wrong}", line=number) from None
            problem = f"it is not JSON: {whole}"
            raise refusal(CatalogueError, file, problem, "is it a whole page of the Retail Prices API?") from None


def _of_table(file: Path, head: str) -> PriceDocument:
    delimiter = max(_DELIMITERS, key=head.count)
    items: list[Mapping[str, Any]] = []
    lines: list[int] = []
    with open_table(file, CatalogueError, delimiter=delimiter) as (_, heads, rows):
        columns = [_COLUMNS.get(re.sub(r"[\s_]+", "", name).lower()) for name in heads]
        missing = [key for key in ("armSkuName", "armRegionName") if key not in columns]
        missing += [] if {"retailPrice", "unitPrice"} & set(columns) else ["retailPrice"]
        if missing:
            problem = f"this is no table of Retail Prices API items: it has no column {', '.join(missing)}"
            raise refusal(CatalogueError, file, problem, _HINT)
        for line, row in rows:
            cells = {key: cell.strip() for key, cell in zip(columns, row, strict=False) if key}
            items.append({key: _cell(key, cell, delimiter) for key, cell in cells.items() if cell not in ("", "NULL")})
            lines.append(line)
    return PriceDocument(content={"Items": items}, lines=lines)


def _cell(key: str, cell: str, delimiter: str) -> Any:
    """A cell as JSON has it; what is no number stays text, and is refused where the item is read."""
    if key in _NUMBERS:
        decimal = delimiter != "," and re.fullmatch(r"\d+,\d+", cell)
        try:
            return float(cell.replace(",", ".") if decimal else cell)
        except ValueError:
            return cell
    if key == "isPrimaryMeterRegion":
        return cell.lower() not in ("false", "0")
    if key == "savingsPlan":
        try:
            return parse_json(cell.replace("'", '"'))  # a Python list written by pandas differs by its quotes only
        except ValueError:
            return cell
    return cell
