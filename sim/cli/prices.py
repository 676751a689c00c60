"""`vmfleet prices`: the prices of a size, and catalogues from saved pages of the Retail Prices API."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sim.cli import options, terminal
from sim.errors import CatalogueError

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy


def add_to(app: typer.Typer) -> None:
    """Add the commands about prices."""
    group = typer.Typer(name="prices", help="Price catalogues: import, show.", rich_markup_mode=None)
    group.command("import")(import_pages)
    group.command("show")(show)
    app.add_typer(group)


def import_pages(
    pages: Annotated[
        list[Path],
        typer.Argument(metavar="FILE ...", help="Saved pages, items, JSON lines or CSV; or folders of them."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="CATALOGUE", help="The catalogue to write.")],
    quiet: options.Quiet = False,
) -> None:
    """A price catalogue from saved pages of the Retail Prices API."""
    from sim import catalog

    if out.is_dir() or not out.parent.is_dir():
        raise CatalogueError(f"{out}: can't be written; give the name of a file in a folder that exists")
    found = catalog.import_pages(pages)
    catalog.save(found.catalogue, out)
    if quiet:
        return
    typer.echo(f"{found.taken} items of {found.pages} pages taken; written: {out}")
    for reason, count in found.left_out.items():
        typer.echo(f"left out, {reason}: {count}")
    for note in found.notes:
        typer.echo(f"note: {note}")


def show(
    size: Annotated[str, typer.Argument(metavar="SIZE", help="A VM size, e.g. Standard_D4s_v5.")],
    region: Annotated[str | None, typer.Option("--region", metavar="NAME", help="Only this region.")] = None,
    catalogue: options.Prices = None,
    as_json: options.Json = False,
) -> None:
    """Every term's price of a VM size, by region, with its source."""
    from sim import catalog

    prices = catalog.load(catalogue) if catalogue is not None else catalog.load_bundled()
    rows = catalog.show(prices, size, region)
    if as_json:
        terminal.print_json([asdict(row) for row in rows])
        return
    facts = prices.get_size(size)
    terminal.print_table(
        f"{facts.name}: {facts.vcpus} vCPU, {facts.memory_gib} GiB; {prices.currency} per hour",
        ("region", "term", "per hour", "per 730 h", "saves", "trust"),
        [
            (
                row.region,
                row.term,
                "unknown" if row.per_h is None else f"{row.per_h:.5f}",
                "" if row.per_month is None else f"{row.per_month:,.2f}",
                "" if row.saving is None else f"{100 * row.saving:.1f} %",
                row.trust,
            )
            for row in rows
        ],
        left=2,
    )
    for source, read in dict.fromkeys((row.source, row.read) for row in rows if row.source):
        typer.echo(f"Source: {source}" + (f", read {read}" if read else ""))
