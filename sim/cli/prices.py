"""`vmfleet prices`, `sizes`, `regions`: what a catalogue holds, and catalogues from saved pages of the Retail Prices API."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.cli import options, terminal
from sim.errors import CatalogueError
from sim.fields.defaults import default_value
from sim.fields.numbers import NO_NUMBER

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy


def import_pages(
    pages: Annotated[
        list[Path],
        typer.Argument(metavar="FILE ...", help="Saved pages, items, JSON lines or CSV; or folders of them."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="CATALOGUE", help="The catalogue to write.")],
    read: Annotated[
        datetime | None,
        typer.Option("--read", metavar="DATE", formats=["%Y-%m-%d"], help="When they were saved. [default: today]"),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """A price catalogue from saved pages of the Retail Prices API; of several prices the one in force on that day.

    Example: vmfleet prices import pages/ --out my-prices.json
    """
    from sim import catalog

    if out.is_dir() or not out.parent.is_dir():
        raise CatalogueError(f"{out}: can't be written; give the name of a file in a folder that exists")
    found = catalog.import_pages(pages, read=None if read is None else read.date())
    catalog.save(found.catalogue, out)
    if quiet:
        return
    typer.echo(f"{found.taken} items of {found.pages} pages taken; written: {out}")
    for reason, count in found.left_out.items():
        typer.echo(f"left out, {reason}: {count}")
    for note in found.notes:
        typer.echo(f"note: {note}")


def show(
    size: Annotated[
        str, typer.Argument(metavar="SIZE", help="A VM size such as Standard_D4s_v5, or a disk tier such as P10.")
    ],
    region: Annotated[str | None, typer.Option("--region", metavar="NAME", help="Only this region.")] = None,
    catalogue: options.Prices = None,
    as_json: options.Json = False,
) -> None:
    """Every term's price of a VM size, or the month's price of a disk tier, by region, with its source."""
    from sim import catalog

    prices = catalog.load(catalogue)
    if catalog.tier_gib(size) is not None:
        _show_disk(catalog.show_disk(prices, size, region), as_json=as_json)
        return
    rows = catalog.show(prices, size, region)
    if as_json:
        terminal.print_json([asdict(row) for row in rows])
        return
    facts = prices.get_size(size)
    shown = []
    for row in rows:
        per_h = "unknown" if row.per_h is None else f"{row.per_h:.5f}"
        per_month = "" if row.per_month is None else f"{row.per_month:,.2f}"
        saving = "" if row.saving is None else f"{100 * row.saving:.1f} %"
        shown.append((row.region, row.term, per_h, per_month, saving, row.trust))
    title = f"{facts.name}: {facts.vcpus} vCPU, {facts.memory_gib} GiB; {prices.currency} per hour"
    terminal.print_table(title, ("region", "term", "per hour", "per 730 h", "saves", "trust"), shown, left=2)
    for source, read in dict.fromkeys((row.source, row.read) for row in rows if row.source):
        typer.echo(f"Source: {source}" + (f", read {read}" if read else ""))


def _show_disk(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """What a disk tier costs a month, by region."""
    if as_json:
        terminal.print_json([{**row, "provenance": {k: str(v) for k, v in row["provenance"].items()}} for row in rows])
        return
    first = rows[0]
    title = f"{first['tier']}: {first['gib']:,} GiB; {first['currency']} per month"
    lines = [(row["region"], f"{row['per_month']:,.2f}", str(row["provenance"]["trust"])) for row in rows]
    terminal.print_table(title, ("region", "per month", "trust"), lines)
    for source, read in dict.fromkeys((row["provenance"]["source"], row["provenance"]["read"]) for row in rows):
        typer.echo(f"Source: {source}" + (f", read {read}" if read else ""))


def url(
    region: Annotated[str, typer.Argument(metavar="REGION", help="A region, e.g. westeurope.")],
    currency: Annotated[str, typer.Option("--currency", metavar="CODE", help="Of the prices, e.g. EUR.")] = "USD",
    as_json: options.Json = False,
) -> None:
    """The addresses of the price pages to save for `vmfleet prices import`; nothing is fetched.

    Example: vmfleet prices url westeurope --currency EUR
    """
    from sim import catalog

    addresses = catalog.page_addresses(region, currency)
    if as_json:
        terminal.print_json(addresses)
        return
    for what, address in addresses.items():
        typer.echo(f"{what}: {address}")
    typer.echo("Save each answer as a file, and the pages that its NextPageLink leads to; then import the folder.")


def sizes(
    pattern: Annotated[
        str, typer.Argument(metavar="[PATTERN]", help="A part of a name, or a pattern: 'D*s_v5'.")
    ] = "*",
    region: Annotated[
        str | None, typer.Option("--region", metavar="NAME", help="Of the price. [default: that of scenarios]")
    ] = None,
    catalogue: options.Prices = None,
    as_json: options.Json = False,
) -> None:
    """VM sizes: vCPUs, memory, quota family, reservation group, the regions with a price, and the one of Linux as you go.

    Example: vmfleet sizes 'D*s_v5'
    """
    from sim import catalog

    prices = catalog.load(catalogue)
    usual = default_value("prices.region")
    place = prices.get_region(region or (usual if usual in prices.regions else prices.regions[0]))
    rows = catalog.list_sizes(prices, pattern, place)
    if as_json:
        terminal.print_json(rows)
        return
    shown = []
    for row in rows:
        figures = (row[key] for key in ("flexibility_ratio", "vcpus", "memory_gib"))
        where = "all" if set(row["regions"]) == set(prices.regions) else ", ".join(row["regions"])
        words = row["name"], row["family"] or "unknown", row["flexibility_group"] or "", where
        per_h = NO_NUMBER if row["linux_per_h"] is None else f"{row['linux_per_h']:.4f}"
        shown.append((*words, *("" if figure is None else f"{figure:g}" for figure in figures), per_h))
    price = f"{prices.currency} per hour, {place}"
    columns = ("size", "quota family", "reservation group", "regions", "ratio", "vCPUs", "GiB", price)
    terminal.print_table("Sizes", columns, shown, left=4)


def regions(catalogue: options.Prices = None, as_json: options.Json = False) -> None:
    """Regions with prices: which prices, from where, read when, and how far to trust them.

    Example: vmfleet regions --json
    """
    from sim import catalog

    rows = catalog.list_regions(catalog.load(catalogue))
    if as_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        "Regions",
        ("region", "prices", "trust", "read", "rows"),
        [
            (row["region"], part["prices"], part["trust"], part["read"], f"{part['rows']}")
            for row in rows
            for part in row["prices"]
        ],
        left=4,
    )
