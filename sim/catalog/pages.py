"""Saved pages of the Retail Prices API on disk: found, read, checked, and followed from page to page."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from sim.catalog.currencies import currencies
from sim.catalog.price_files import PriceDocument, read_documents
from sim.catalog.sizes import region_key
from sim.errors import CatalogueError

IN_FOLDERS = (".json", ".jsonl", ".csv", ".json.gz", ".csv.gz")  # names of the files that are read of a folder
PAGE_SIZES = (100, 1000)  # full pages of the API; only with these does $skip tell where a page begins


API = "https://prices.azure.com/api/retail/prices"
API_VERSION = "2023-01-01-preview"  # the version whose items have savings plans
FILTERS = {
    "VMs": "serviceName eq 'Virtual Machines'",
    "disks": "serviceName eq 'Storage' and contains(productName, 'Managed Disks')",
    "public IPs": "serviceName eq 'Virtual Network' and meterName eq 'Standard IPv4 Static Public IP'",
}


def page_addresses(region: str, currency: str = "USD") -> dict[str, str]:
    """The address of the first page of each list that an import reads; the answers name their next pages.

    >>> page_addresses("West Europe")["VMs"].endswith("armRegionName%20eq%20'westeurope'")
    True
    """
    key, code = region_key(region), currency.strip().upper()
    if not re.fullmatch(r"[a-z0-9]+", key):
        raise CatalogueError(f"{region!r} is not a region's name such as westeurope")
    if code not in currencies():
        raise CatalogueError(f"the price pages have no currency {currency!r}: they have {', '.join(currencies())}")
    head = f"{API}?api-version={API_VERSION}&currencyCode='{code}'&$filter="
    return {what: head + quote(f"{only} and armRegionName eq '{key}'", safe="'(),") for what, only in FILTERS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One saved answer of the API: its items, and the address of the page after it."""

    file: Path
    items: Sequence[Any]
    currency: str | None
    count: int | None
    next_link: str | None
    lines: Sequence[int] = ()  # of the items, where the file has an item a line

    def place(self, number: int) -> str:
        """Where an item stands."""
        return f"{self.file}:{self.lines[number]}" if self.lines else f"{self.file}: Items[{number}]"


def read_pages(paths: Iterable[str | Path]) -> tuple[list[Page], list[str]]:
    """Pages of files and folders, and notes on what looks incomplete; a gap in a folder is an error."""
    pages: list[Page] = []
    notes: list[str] = []
    seen: set[Path] = set()
    for path in map(Path, paths):
        is_folder = path.is_dir()
        files = sorted(file for end in IN_FOLDERS for file in path.glob(f"*{end}")) if is_folder else [path]
        if not files:
            raise CatalogueError(f"{path}: the folder has no .json files (nor {', '.join(IN_FOLDERS[1:])})")
        fresh = [file for file in files if file.resolve() not in seen]
        seen |= {file.resolve() for file in fresh}
        here = [page for file in fresh for page in (_page(file, one) for one in read_documents(file))]
        if is_folder and (gaps := _gaps(here)):
            raise CatalogueError(
                "\n".join(gaps) + "\nSave the missing page into the folder, or give the files one by one"
            )
        notes += [
            f"{page.file}: says Count {page.count} and holds {len(page.items)} items"
            for page in here
            if page.count is not None and page.count != len(page.items)
        ]
        pages += here
    if not pages:
        raise CatalogueError("no pages of the Retail Prices API were given")
    return pages, notes + _gaps(pages)  # of files given one by one, a part may be meant


def _page(file: Path, document: PriceDocument) -> Page:
    page = document.content
    items = page.get("Items", page.get("items"))
    if not isinstance(items, list):
        keys = ", ".join(str(key)[:40] for key in list(page)[:6]) or "none"
        raise CatalogueError(
            f"{file}: has no list of Items (its keys: {keys}), so it is no page of the Retail Prices API"
        )
    link, count, currency = page.get("NextPageLink"), page.get("Count"), page.get("BillingCurrency")
    if link is not None and not isinstance(link, str):
        raise CatalogueError(f"{file}: NextPageLink: {link!r} is neither an address nor null")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
        raise CatalogueError(f"{file}: Count: {count!r} is not a whole number")
    if currency is not None and not isinstance(currency, str):
        raise CatalogueError(f"{file}: BillingCurrency: {currency!r} is not a currency code")
    return Page(file=file, items=items, currency=currency, count=count, next_link=link or None, lines=document.lines)


def _gaps(pages: Sequence[Page]) -> list[str]:
    """What is missing: every query must end in a page without a link, and every link must lead to a page at hand.

    A last page doesn't say where it begins, so it passes for the one after the last link: that the page before the last
    is missing can't be seen.
    """
    queries: dict[str, list[tuple[int | None, Page]]] = defaultdict(list)
    for page in pages:
        if page.next_link:
            query, skip = _split(page.next_link)
            queries[query].append((skip, page))
    last_pages = sum(1 for page in pages if not page.next_link)
    gaps = []
    for linked in queries.values():
        begins = {
            skip - page.count for skip, page in linked if skip is not None and page.count in PAGE_SIZES and page.count
        }
        ends = max((skip for skip, _ in linked if skip is not None), default=None)
        if begins and 0 not in begins:
            gaps.append(f"{linked[0][1].file}: the first page of its query is not there")
        gaps += [
            f"{page.file}: its NextPageLink leads to a page that is not there ({page.next_link})"
            for skip, page in linked
            if begins and skip is not None and skip != ends and skip not in begins
        ]
    if last_pages < len(queries):
        gaps += [
            f"{linked[-1][1].file}: its NextPageLink leads to a page that is not there ({linked[-1][1].next_link})"
            for linked in [sorted(linked, key=lambda pair: pair[0] or 0) for linked in queries.values()][last_pages:]
        ]
    return gaps


def _split(link: str) -> tuple[str, int | None]:
    """A link's query without its place in the list, and that place."""
    rest, skip = [], None
    for key, value in parse_qsl(urlsplit(link).query, keep_blank_values=True):
        if key.lower() == "$skip" and value.isdigit():
            skip = int(value)
        elif key.lower() not in ("$skiptoken", "$top"):
            rest.append(f"{key}={value}")
    return "&".join(sorted(rest)), skip
