"""`vmfleet fit`: distributions fitted to real records, without a simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli import options, terminal
from sim.cli.options import option
from sim.errors import CatalogueError, InputError, TraceError
from sim.files import refusal
from sim.units import parse_duration

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:
    from sim.catalog import Catalogue
    from sim.report.style import Drawn
    from sim.traces import Trace

OPERATIONS = "operations"
"""The format of files with one timed operation a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the file doesn't say, and which fit to print."""

    layout: str = option(
        "columns",
        "--format",
        metavar="NAME",
        help="azure-2017, azure-2019, azure-packing-2020, columns, or operations.",
    )
    columns: list[str] | None = option(
        None, "--column", metavar="MEANING=NAME", help="Of the format columns: which column it is; repeatable."
    )
    window: str | None = option(
        None, "--window", metavar="DURATION", help="Observation time, where the file doesn't say."
    )
    size: str | None = option(None, "--size", metavar="SIZE", help="Of the group to print. [default: the most common]")
    name: str = option("fitted", "--name", metavar="NAME", help="Of the group to print.")
    law: str | None = option(
        None, "--law", metavar="FAMILY", help="Of what is fitted. [default: the best fit; of operations: lognormal]"
    )
    region: str = option("westeurope", "--region", metavar="NAME", help="Where the file doesn't say.")
    seed: int = option(1, "--seed", metavar="N", help="Of the bootstrap.")
    since: int | None = option(
        None, "--since", metavar="YEAR", help="Of operations: only those of this year and later."
    )


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
    """Fit what was recorded of VMs (lifetimes and arrivals, or how long operations took), and print it as a group."""
    from sim.report import style
    from sim.runs.remote import here

    if choices.layout == OPERATIONS:
        found = _fitted_operations(trace, choices, quiet=quiet)
    else:
        found = _fitted_trace(trace, choices, quiet=quiet)
    place = Path("results") / f"fit-{trace.name.partition('.')[0]}" if figures is None else here(figures)
    drawn = found.draw()
    for figure in drawn:
        style.write(figure, place)
    if not quiet:
        for line in found.findings:
            typer.echo(f"# {line}")
        for figure in drawn:
            typer.echo(f"# drawn: {place / figure.name}.svg")
        typer.echo("")
    typer.echo(found.section)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What a fit prints and draws."""

    findings: list[str]
    section: str
    draw: Callable[[], list[Drawn]]


def _fitted_operations(file: Path, choices: Choices, *, quiet: bool) -> _Found:
    """How long operations take, and a group for each guest OS with it."""
    from sim.azure.timed_operations import read_timed_operations
    from sim.report import figure_durations
    from sim.traces import step_durations
    from sim.traces.durations import TRIED, fit_durations
    from sim.traces.operations import read_operations

    for flag, value in (("--size", choices.size), ("--window", choices.window), ("--column", choices.columns)):
        if value is not None:
            raise InputError(f"{flag}: says nothing about operations; leave it out with --format {OPERATIONS}")
    law = choices.law or step_durations.FAMILY
    if law not in TRIED:
        raise InputError(f"--law {law}: of operations it is one of {', '.join(TRIED)}")
    with _refused_in_words(file):
        with terminal.working(f"fitting {file.name}", quiet=quiet):
            operations = read_timed_operations(file) or read_operations(file)
            found = fit_durations(operations, since=choices.since, seed=choices.seed)
        section = step_durations.group_sections(found, name=choices.name, family=law)
    findings = step_durations.findings(found, law)
    return _Found(findings=findings, section=section, draw=lambda: figure_durations.draw(found))


def _fitted_trace(trace: Path, choices: Choices, *, quiet: bool) -> _Found:
    """The fit of a trace, and the group section to print."""
    from sim.report import figure_fit
    from sim.traces import open_trace
    from sim.traces.families import FAMILIES
    from sim.traces.fit import fit as fit_trace
    from sim.traces.to_toml import findings, group_section

    if choices.since is not None:
        raise InputError(f"--since: is for --format {OPERATIONS}; a trace is fitted whole")
    law = choices.law
    if law is not None and law not in FAMILIES:
        raise InputError(f"--law {law}: the families of distributions are {', '.join(FAMILIES)}")
    named = None if choices.size is None else _catalogue().get_size(choices.size).name
    try:
        window_s = None if choices.window is None else parse_duration(choices.window)
    except ValueError as wrong:
        raise InputError(f"--window {choices.window}: {wrong}") from None
    if choices.columns and choices.layout != "columns":
        raise InputError(f"--column: is for --format columns; {choices.layout} has columns of its own")
    columns = dict(map(_column, choices.columns or ()))
    with _refused_in_words(trace):
        opened = open_trace(trace, choices.layout, window_s=window_s, columns=columns)
        with terminal.working(f"fitting {trace.name}", quiet=quiet):
            found = fit_trace(opened, seed=choices.seed)
        size = named or _most_common_size(opened, choices.region)
        section = group_section(found, name=choices.name, size=size, family=law)
    return _Found(findings=findings(found), section=section, draw=lambda: [figure_fit.draw(found)])


def _column(words: str) -> tuple[str, str]:
    """Meaning and name of a column."""
    meaning, equals, name = (part.strip() for part in words.partition("="))
    if not (meaning and equals and name):
        raise InputError(f"--column {words}: write MEANING=NAME, such as created=start_time")
    return meaning, name


@contextmanager
def _refused_in_words(file: Path) -> Iterator[None]:
    """Arguments and files that the functions of a fit refuse are the user's to mend."""
    try:
        yield
    except ValueError as wrong:
        raise refusal(TraceError, file, str(wrong)) from None


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
