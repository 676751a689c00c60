"""`vmfleet compare`, `sweep`, `size` and `sensitivity`: what-if questions over several scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from sim.cli import options
from sim.errors import InputError


def add_to(app: typer.Typer) -> None:
    """Give the program its commands that compare scenarios."""
    app.command("compare")(compare)
    app.command("sweep")(sweep)
    app.command("size")(size)
    app.command("sensitivity")(sensitivity)


def not_here_yet(command: str, instead: str) -> NoReturn:
    """Say that a command of the interface has no back end in this version, and what does the job meanwhile."""
    raise InputError(f"`vmfleet {command}` is not in this version yet; {instead}")


def compare(
    base: Annotated[Path, typer.Argument(metavar="BASE.toml")],
    variants: Annotated[list[Path], typer.Argument(metavar="VARIANT.toml ...")],
    seed: options.Seed = None,
    replications: options.Replications = None,
    precision: options.Precision = None,
    jobs: options.Jobs = 1,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    resume: options.Resume = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Paired what-if on common random numbers: each metric's difference, its interval, and how sure."""
    not_here_yet(
        "compare",
        "run both scenarios with the same --seed: they share their luck, replication by replication",
    )


def sweep(
    scenario: options.ScenarioFile,
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="PATH=V1,V2,...", help="Values to try; repeat for every combination."),
    ],
    seed: options.Seed = None,
    replications: options.Replications = None,
    precision: options.Precision = None,
    jobs: options.Jobs = 1,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    resume: options.Resume = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Every combination of the values asked for: one result table, one plot per metric."""
    not_here_yet("sweep", "run the scenario once per value with --set PATH=VALUE and its own --out")


def size(
    scenario: options.ScenarioFile,
    vary: Annotated[
        str, typer.Option("--vary", metavar="PATH=LOW..HIGH", help="The value to find, and where to look.")
    ],
    keep: Annotated[str, typer.Option("--keep", metavar="METRIC<=LIMIT", help="The promise to keep.")],
    confidence: Annotated[
        float, typer.Option("--confidence", min=0.5, max=0.9999, help="How sure to be.")
    ] = 0.95,
    largest: Annotated[
        bool, typer.Option("--largest", help="Find the largest value instead of the smallest.")
    ] = False,
    seed: options.Seed = None,
    replications: options.Replications = None,
    precision: options.Precision = None,
    jobs: options.Jobs = 1,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    resume: options.Resume = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """The smallest (or largest) value that keeps a promise, with the evidence."""
    not_here_yet(
        "size", "run the scenario once per value with --set PATH=VALUE and read the metric's interval"
    )


def sensitivity(
    scenario: options.ScenarioFile,
    vary: Annotated[
        list[str], typer.Option("--vary", metavar="PATH=LOW..HIGH", help="A value and its range; repeatable.")
    ],
    seed: options.Seed = None,
    replications: options.Replications = None,
    jobs: options.Jobs = 1,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Which assumptions move the answer most."""
    not_here_yet("sensitivity", "run the scenario at each end of a value's range with --set PATH=VALUE")
