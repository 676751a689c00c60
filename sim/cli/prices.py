"""`vmfleet prices`: what the bundled catalogue knows, and catalogues from saved pages of the Retail Prices API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.cli import options


def add_to(app: typer.Typer) -> None:
    """Give the program its commands about prices, and those that rate and fit real data."""
    group = typer.Typer(
        name="prices", help="Price catalogues: import, show.", rich_markup_mode=None, no_args_is_help=True
    )
    group.command("import")(import_pages)
    group.command("show")(show)
    app.add_typer(group)


def import_pages(
    pages: Annotated[
        list[Path], typer.Argument(metavar="FILE.json ...", help="Saved pages, or folders of them.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="CATALOGUE", help="The catalogue to write.")],
    quiet: options.Quiet = False,
) -> None:
    """A price catalogue from saved pages of the Retail Prices API."""
    raise NotImplementedError


def show(
    size: Annotated[str, typer.Argument(metavar="SIZE", help="A machine size, e.g. Standard_D4s_v5.")],
    region: Annotated[str | None, typer.Option("--region", metavar="NAME", help="Only this region.")] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            "--catalogue", metavar="FILE", help="A catalogue of your own. [default: the bundled one]"
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Every price known of a machine size, by region and term, in USD per hour."""
    raise NotImplementedError
