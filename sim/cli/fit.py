"""`vmfleet fit`: real records become laws, without a simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli import terminal
from sim.errors import CatalogueError, Fault, InputError, TraceError

if TYPE_CHECKING:
    from sim.catalog import Catalogue
    from sim.traces import Trace


def add_to(app: typer.Typer) -> None:
    """Give the program its command that fits records."""
    app.command("fit")(fit)


Region = Annotated[str, typer.Option("--region", metavar="NAME", help="Where the file doesn't say.")]


def fit(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="Records of real machines, one a row.")],
    layout: Annotated[
        str, typer.Option("--format", metavar="NAME", help="azure-2017, azure-2019, azure-packing-2020 or columns.")
    ] = "columns",
    window: Annotated[
        str | None,
        typer.Option("--window", metavar="DURATION", help="How long was watched, where the file can't tell."),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", metavar="SIZE", help="Of the group to print. [default: the commonest]")
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the group to print.")] = "fitted",
    law: Annotated[
        str | None, typer.Option("--law", metavar="FAMILY", help="Of the lifetimes. [default: the best fit]")
    ] = None,
    region: Region = "westeurope",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the bootstrap.")] = 1,
    figures: Annotated[
        Path | None,
        typer.Option(
            "--figures",
            metavar="DIR",
            help="Draw the fit (SVG, PNG, CSV) into this folder. [default: results/fit-<trace>]",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the group section.")] = False,
) -> None:
    """Lifetimes and arrivals fitted to a trace, ready to paste."""
    from sim.report import figure_fit, style
    from sim.traces import open_trace
    from sim.traces.fit import fit as fit_trace
    from sim.traces.lifetimes import FAMILIES
    from sim.units import parse_duration

    if law is not None and law not in FAMILIES:
        raise InputError(f"--law {law}: the families of laws are {', '.join(FAMILIES)}")
    named = None if size is None else _catalogue(None).get_size(size).name
    try:
        window_s = None if window is None else parse_duration(window)
    except ValueError as wrong:
        raise InputError(f"--window {window}: {wrong}") from None
    try:
        opened = open_trace(trace, layout, window_s=window_s)
        with terminal.working(f"fitting {trace.name}", quiet=quiet):
            found = fit_trace(opened, seed=seed)
        section = found.toml(name=name, size=named or _commonest_size(opened, region), family=law)
    except ValueError as wrong:  # arguments that these functions refuse in words
        raise TraceError([Fault(field="", problem=str(wrong), file=str(trace))]) from None
    place = Path("results") / f"fit-{trace.name.partition('.')[0]}" if figures is None else figures
    with style.figure_style():
        drawn = figure_fit.draw(found)
    style.write(drawn, place)
    if not quiet:
        for line in found.describe():
            typer.echo(f"# {line}")
        typer.echo(f"# drawn: {place / drawn.name}.svg")
        typer.echo("")
    typer.echo(section)


def _catalogue(path: Path | None) -> Catalogue:
    from sim import catalog

    return catalog.load_bundled() if path is None else catalog.load(path)


def _commonest_size(trace: Trace, region: str) -> str:
    """The size of the catalogue that most of the trace's machines would have."""
    import numpy as np

    from sim.traces import map_sizes

    sizes = map_sizes(trace.shapes, _catalogue(None), region)
    if not sizes:
        raise CatalogueError(f"{trace.path}: no machine to find a size for; name one with --size")
    counts = np.zeros(len(sizes))
    for block in trace.blocks():
        counts += np.bincount(block["size"], minlength=len(sizes))
    return sizes[int(counts.argmax())]
