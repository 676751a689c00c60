"""The options that several commands share, each told once."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from sim.errors import Fault, InputError, ScenarioError

Engine = Literal["auto", "simpy", "compiled"]


def _from(least: int, name: str, *, but: int | None = None) -> Callable[[int | None], int | None]:
    """A check that a number is at least *least*, or is *but*; said with the value, before anything is written."""

    def check(value: int | None) -> int | None:
        if value is not None and value < least and value != but:
            also = "" if but is None else f", or {but} for all there are"
            raise InputError(f"{name} is {value}; it is a whole number from {least} up{also}")
        return value

    return check


def _amount(name: str) -> Callable[[float | None], float | None]:
    """A check that a sum of money is one."""

    def check(value: float | None) -> float | None:
        if value is not None and not 0.0 <= value < math.inf:
            raise InputError(f"{name} is {value}; it is an amount of money from 0 up")
        return value

    return check


SCENARIO = typer.Argument(metavar="SCENARIO.toml", help="The fleet, its demand and its failures, as a TOML file.")

ScenarioFile = Annotated[Path, SCENARIO]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", callback=_from(0, "--seed"), metavar="N", help="Seed of every draw. [default: the scenario's]"
    ),
]
Replications = Annotated[
    int | None,
    typer.Option(
        "--replications",
        "-n",
        callback=_from(1, "--replications"),
        metavar="N",
        help="Independent repetitions. [default: the scenario's]",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="SHARE",
        help="Replicate until the half-width of every headline metric is below this share of it, e.g. 1%.",
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        callback=_from(1, "--jobs", but=-1),
        metavar="N",
        help="Processes side by side; -1 for every core.",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Play on a running cluster instead: dask://host:port, ray://auto or ray://host:port.",
    ),
]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget", metavar="AMOUNT", callback=_amount("--budget"), help="Tell how likely the bill exceeds this."
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="DIR", help="Result folder. [default: results/<scenario name>]")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change one value of the scenario, e.g. group.dev.count=300; repeatable."
    ),
]
EngineChoice = Annotated[
    Engine, typer.Option("--engine", help="simpy: the model of record; compiled: the same bits, faster; auto: picks.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="The summary as JSON on standard output, and nothing else there.")]
Events = Annotated[bool, typer.Option("--events", help="Also write every move of every VM (events.parquet).")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from what an interrupted run of the same question has finished.")
]
NoCache = Annotated[
    bool,
    typer.Option("--no-cache", help="Play every replication anew, and keep none for later studies in .vmfleet-cache."),
]
NoReport = Annotated[
    bool, typer.Option("--no-report", help="Skip figures and report.html; `vmfleet report` makes them.")
]


Prices = Annotated[
    Path | None, typer.Option("--catalogue", metavar="FILE", help="A catalogue of your own. [default: the bundled one]")
]
Focus = Annotated[
    Path | None,
    typer.Option(
        "--focus",
        metavar="FILE.csv",
        help="Also write replication 0's invoice as FOCUS 1.2 rows: one for each VM, day and meter.",
    ),
]


def share_of(text: str | None) -> float | None:
    """A precision as people write it, `1%` or `0.01`, as a share of the metric."""
    if text is None:
        return None
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100.0 if number.endswith("%") else 1.0)
    except ValueError:
        share = float("nan")
    if not 0.0 < share < 1.0:
        raise ScenarioError(
            [Fault(field="--precision", problem=f"{text!r} is no share", hint="say 1% or 0.01, above 0 and below 1")]
        )
    return share
