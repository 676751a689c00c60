"""`vmfleet fit`: distributions fitted to real records, without a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli import options, terminal
from sim.errors import CatalogueError, Fault, InputError, TraceError
from sim.units import parse_duration

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:
    from sim.catalog import Catalogue
    from sim.traces import Trace
    from sim.traces.fit import Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the file doesn't say, and which fit to print."""

    layout: Annotated[
        str, typer.Option("--format", metavar="NAME", help="azure-2017, azure-2019, azure-packing-2020 or columns.")
    ] = "columns"
    window: Annotated[
        str | None, typer.Option("--window", metavar="DURATION", help="Observation time, where the file doesn't say.")
    ] = None
    size: Annotated[
        str | None, typer.Option("--size", metavar="SIZE", help="Of the group to print. [default: the most common]")
    ] = None
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the group to print.")] = "fitted"
    law: Annotated[
        str | None, typer.Option("--law", metavar="FAMILY", help="Of the lifetimes. [default: the best fit]")
    ] = None
    region: Annotated[str, typer.Option("--region", metavar="NAME", help="Where the file doesn't say.")] = "westeurope"
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the bootstrap.")] = 1


@options.expanded()
def fit(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="Records of real VMs, one a row.")],
    choices: Choices,
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
    """Fit lifetimes and arrivals to a trace, and print a group section of them."""
    from sim.report import figure_fit, style
    from sim.traces.to_toml import findings

    found, section = _fitted(trace, choices, quiet=quiet)
    place = Path("results") / f"fit-{trace.name.partition('.')[0]}" if figures is None else figures
    with style.figure_style():
        drawn = figure_fit.draw(found)
    style.write(drawn, place)
    if not quiet:
        for line in findings(found):
            typer.echo(f"# {line}")
        typer.echo(f"# drawn: {place / drawn.name}.svg")
        typer.echo("")
    typer.echo(section)


def _fitted(trace: Path, choices: Choices, *, quiet: bool) -> tuple[Fit, str]:
    """The fit, and the group section to print."""
    from sim.traces import open_trace
    from sim.traces.families import FAMILIES
    from sim.traces.fit import fit as fit_trace
    from sim.traces.to_toml import group_section

    law = choices.law
    if law is not None and law not in FAMILIES:
        raise InputError(f"--law {law}: the families of distributions are {', '.join(FAMILIES)}")
    named = None if choices.size is None else _catalogue().get_size(choices.size).name
    try:
        window_s = None if choices.window is None else parse_duration(choices.window)
    except ValueError as wrong:
        raise InputError(f"--window {choices.window}: {wrong}") from None
    try:
        opened = open_trace(trace, choices.layout, window_s=window_s)
        with terminal.working(f"fitting {trace.name}", quiet=quiet):
            found = fit_trace(opened, seed=choices.seed)
        size = named or _most_common_size(opened, choices.region)
        return found, group_section(found, name=choices.name, size=size, family=law)
    except ValueError as wrong:  # arguments that these functions refuse in words
        raise TraceError([Fault(field="", problem=str(wrong), file=str(trace))]) from None


def _catalogue() -> Catalogue:
    from sim.catalog import load_bundled

    return load_bundled()


def _most_common_size(trace: Trace, region: str) -> str:
    """The size of the catalogue that most of the trace's VMs would have."""
    import numpy as np

    from sim.traces import map_sizes

    sizes = map_sizes(trace.vm_sizes, _catalogue(), region)
    if not sizes:
        raise CatalogueError(f"{trace.path}: no VM to find a size for; name one with --size")
    counts = np.zeros(len(sizes))
    for block in trace.blocks():
        counts += np.bincount(block["size"], minlength=len(sizes))
    return sizes[int(counts.argmax())]
