"""The catalogue file: our own JSON form; reading reports every error, and writing puts one row on a line, so that diffs are readable."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from sim.catalog.catalogue import OTHER_METERS, AddressBlock, Catalogue, DiskBlock, MeterBlock, PriceBlock, Provenance
from sim.catalog.disks import tier_gib
from sim.catalog.sizes import Size, region_key, size_key
from sim.catalog.terms import Term
from sim.errors import CatalogueError
from sim.fields.defaults import Trust
from sim.files import read_json, write_whole
from sim.units import MOST_PRICE

FORMAT = "vmfleet-catalogue"
VERSION = 1
BUNDLED = Path(__file__).parent / "bundled" / "catalogue.json"


@cache
def load_bundled() -> Catalogue:
    """The catalogue that comes with the package: dated list prices of six regions."""
    return load(BUNDLED, name="the bundled catalogue")


def load(path: str | Path | None, *, name: str | None = None) -> Catalogue:
    """A catalogue from a file that `vmfleet prices import` wrote, or one of the same form; None: the bundled one."""
    if path is None:
        return load_bundled()
    path = Path(path)
    return from_document(read_json(path, CatalogueError), name=name or str(path))


def from_document(document: object, *, name: str) -> Catalogue:
    """A catalogue from the parsed JSON of its file; *name* is used in messages."""
    top = _Place(name, "").mapping(document)
    if top.get("format") != FORMAT:
        raise CatalogueError(
            f"{name}: is not a catalogue ({FORMAT!r} expected as its format, found {top.get('format')!r}); "
            "pages of the Retail Prices API become one with `vmfleet prices import`"
        )
    if top.get("version") != VERSION:
        raise CatalogueError(f"{name}: version: {top.get('version')!r} is not known, only {VERSION}")
    currency = top.get("currency")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
        raise CatalogueError(f"{name}: currency: {currency!r} is not a three-letter currency code")
    sizes = _sizes(_Place(name, "sizes"), top.get("sizes"))
    prices = tuple(_prices(place, block, sizes) for place, block in _Place(name, "prices").items(top.get("prices")))
    if not prices:
        raise CatalogueError(f"{name}: prices: there are none")
    _refuse_twice(name, prices)
    disks: list[DiskBlock] = []
    for place, block in _Place(name, "disks").items(top.get("disks", [])):
        disks.append(_disks(place, block, disks))
    return Catalogue(
        name=name,
        currency=currency,
        sizes=sizes,
        price_blocks=prices,
        disk_blocks=tuple(disks),
        address_blocks=tuple(
            AddressBlock(
                regions=_regions(p, b), provenance=_provenance(p, b), per_h=p.at("per_h").price(b.get("per_h"))
            )
            for p, b in _Place(name, "public_ip").items(top.get("public_ip", []))
        ),
        meter_blocks=tuple(_meters(p, b) for p, b in _Place(name, "meters").items(top.get("meters", []))),
    )


def save(catalogue: Catalogue, path: str | Path) -> None:
    """Write a catalogue as a file that `load` reads back as it was."""
    write_whole(Path(path), one_row_a_line(to_document(catalogue)))


def to_document(catalogue: Catalogue) -> dict[str, Any]:
    """The JSON form of a catalogue."""
    always = ("family", "vcpus", "memory_gib")
    facts = {
        name: {key: value for key, value in asdict(size).items() if key != "name"}
        for name, size in catalogue.sizes.items()
    }
    sizes = {
        name: {key: value for key, value in row.items() if value not in (None, "") or key in always}
        for name, row in facts.items()
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "currency": catalogue.currency,
        "sizes": sizes,
        "prices": [
            {"region": block.region, **_head(block.provenance), "terms": list(block.terms)}
            | {"per_h": {name: list(row) for name, row in block.per_h.items()}}
            for block in catalogue.price_blocks
        ],
        "disks": [
            {"regions": list(block.regions), **_head(block.provenance), "per_month": dict(block.per_month)}
            for block in catalogue.disk_blocks
        ],
        "public_ip": [
            {"regions": list(block.regions), **_head(block.provenance), "per_h": block.per_h}
            for block in catalogue.address_blocks
        ],
        "meters": [
            {"regions": list(block.regions), **_head(block.provenance), "per_unit": dict(block.per_unit)}
            for block in catalogue.meter_blocks
        ],
    }


class _Place:
    """A place in a catalogue file, for messages: file and dotted path."""

    __slots__ = ("file", "path")

    def __init__(self, file: str, path: str) -> None:
        self.file, self.path = file, path

    def at(self, key: object) -> _Place:
        return _Place(self.file, f"{self.path}[{key}]" if isinstance(key, int) else f"{self.path}.{key}")

    def fault(self, problem: str) -> CatalogueError:
        return CatalogueError(f"{self.file}: {self.path + ': ' if self.path else ''}{problem}")

    def mapping(self, value: object) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.fault(f"an object is needed, found {_kind(value)}")
        return value

    def items(self, value: object) -> list[tuple[_Place, Mapping[str, Any]]]:
        if not isinstance(value, list):
            raise self.fault(f"a list is needed, found {_kind(value)}")
        return [(self.at(i), self.at(i).mapping(item)) for i, item in enumerate(value)]

    def text(self, value: object, key: str, *, needed: bool = True) -> str:
        if value is None and not needed:
            return ""
        if not isinstance(value, str):
            raise self.at(key).fault(f"text is needed, found {_kind(value)}")
        return value

    def price(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_PRICE:
            raise self.fault(f"{value!r} is not a price: a number from 0 to {MOST_PRICE:,.0f}")
        return float(value)


def _sizes(place: _Place, value: object) -> dict[str, Size]:
    sizes: dict[str, Size] = {}
    keys: dict[str, str] = {}
    for name, row in place.mapping(value).items():
        facts = place.at(name).mapping(row)
        twin = keys.setdefault(size_key(name), name)
        if twin != name:
            raise place.at(name).fault(f"is the same size as {twin}")
        unknown = facts.keys() - Size.__dataclass_fields__.keys()
        if unknown:
            raise place.at(name).fault(f"{', '.join(sorted(unknown))} is not known of a size")
        for key in ("vcpus", "memory_gib", "flexibility_ratio"):
            figure = facts.get(key)
            if figure is not None and (
                isinstance(figure, bool) or not isinstance(figure, int | float) or not 0 < figure < 1e9
            ):
                raise place.at(name).at(key).fault(f"{figure!r} is not a number above 0")
        for key in ("family", "flexibility_group", "flexibility_basis"):
            place.at(name).text(facts.get(key), key, needed=False)
        known: dict[str, Any] = {"family": None, "vcpus": None, "memory_gib": None, **facts, "name": name}
        sizes[name] = Size(**known)
    return sizes


def _prices(place: _Place, block: Mapping[str, Any], sizes: Mapping[str, Size]) -> PriceBlock:
    region = place.text(block.get("region"), "region")
    if region != region_key(region) or not region:
        raise place.at("region").fault(f"{region!r} is written {region_key(region)!r}")
    listed = block.get("terms")
    if (
        not isinstance(listed, list)
        or not listed
        or not all(term in list(Term) for term in listed)
        or len(set(listed)) < len(listed)
    ):
        raise place.at("terms").fault(f"{listed!r} must be some of {', '.join(Term)}, each once")
    terms = tuple(Term(term) for term in listed)
    rows: Mapping[str, Sequence[float | None]] = place.at("per_h").mapping(block.get("per_h"))
    for name, row in rows.items():
        if name not in sizes:
            raise place.at("per_h").at(name).fault("this size is not among the file's sizes")
        if not isinstance(row, list) or len(row) != len(terms):
            raise (
                place.at("per_h").at(name).fault(f"{row!r} must be a list of {len(terms)} prices, null where unknown")
            )
        for figure in row:
            # The fast test first: a bundled catalogue has thousands of figures and must load in milliseconds.
            if figure is not None and not (type(figure) is float and 0.0 <= figure <= MOST_PRICE):
                place.at("per_h").at(name).price(figure)
    return PriceBlock(region=region, provenance=_provenance(place, block), terms=terms, per_h=rows)


def _disks(place: _Place, block: Mapping[str, Any], before: Sequence[DiskBlock]) -> DiskBlock:
    regions, provenance = _regions(place, block), _provenance(place, block)
    if "same_as" in block:
        for other in before:
            if block["same_as"] in other.regions:
                return DiskBlock(regions=regions, provenance=provenance, per_month=other.per_month)
        raise place.at("same_as").fault(f"no earlier block of disk prices is for {block['same_as']!r}")
    months = place.at("per_month").mapping(block.get("per_month"))
    for tier, figure in months.items():
        if tier_gib(tier) is None:
            raise place.at("per_month").at(tier).fault("is not a disk tier such as P10, E15 or S40")
        place.at("per_month").at(tier).price(figure)
    return DiskBlock(regions=regions, provenance=provenance, per_month=months)


def _meters(place: _Place, block: Mapping[str, Any]) -> MeterBlock:
    prices = place.at("per_unit").mapping(block.get("per_unit"))
    for name, figure in prices.items():
        if name not in OTHER_METERS:
            raise place.at("per_unit").at(name).fault(f"is none of {', '.join(OTHER_METERS)}")
        place.at("per_unit").at(name).price(figure)
    return MeterBlock(regions=_regions(place, block), provenance=_provenance(place, block), per_unit=prices)


def _regions(place: _Place, block: Mapping[str, Any]) -> tuple[str, ...]:
    regions = block.get("regions")
    if not isinstance(regions, list) or not all(isinstance(r, str) and r == region_key(r) for r in regions):
        raise place.at("regions").fault(f"{regions!r} must be a list of regions such as westeurope")
    return tuple(regions)


def _provenance(place: _Place, block: Mapping[str, Any]) -> Provenance:
    trust = block.get("trust")
    if not isinstance(trust, str) or trust not in set(Trust):
        raise place.at("trust").fault(f"{trust!r} must be one of {', '.join(Trust)}")
    read = place.text(block.get("read"), "read", needed=False)
    if read and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", read):
        raise place.at("read").fault(f"{read!r} is not a date such as 2026-08-22")
    return Provenance(
        source=place.text(block.get("source"), "source"),
        read=read,
        licence=place.text(block.get("licence"), "licence", needed=False),
        trust=Trust(trust),
        note=place.text(block.get("note"), "note", needed=False),
    )


def _refuse_twice(name: str, blocks: Sequence[PriceBlock]) -> None:
    """A figure stands once: two blocks of a region may not both know a size's price under one term."""
    for i, later in enumerate(blocks):
        for earlier in blocks[:i]:
            shared = set(earlier.terms) & set(later.terms) if earlier.region == later.region else set()
            for term in shared:
                a, b = earlier.terms.index(term), later.terms.index(term)
                for size in earlier.per_h.keys() & later.per_h.keys():
                    if earlier.per_h[size][a] is not None and later.per_h[size][b] is not None:
                        raise CatalogueError(f"{name}: prices: {size} in {later.region} has two {term} prices")


def _head(provenance: Provenance) -> dict[str, str]:
    return {key: str(value) for key, value in asdict(provenance).items() if value}


def one_row_a_line(document: Mapping[str, Any]) -> str:
    """JSON text with one size, price row or tier a line."""
    text = json.dumps(document, indent=1, allow_nan=False)
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r",\s+", ", ", m[1]) + "]", text)
    return re.sub(r"\{\s+(\"family\"[^{}]*?)\s+\}", lambda m: "{" + re.sub(r",\s+", ", ", m[1]) + "}", text) + "\n"


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}
    return "nothing" if value is None else kinds.get(type(value), type(value).__name__)
