"""Commands that look without simulating much: `validate`, `states`, `snapshot`, `schema`, `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.cli import options, terminal
from sim.cli.studies import not_here_yet


def add_to(app: typer.Typer) -> None:
    """Give the program its commands that read, check and explain."""
    app.command("validate")(validate)
    app.command("report")(report)
    app.command("states")(states)
    app.command("snapshot")(snapshot)
    app.command("schema")(schema)


def validate(
    scenario: options.ScenarioFile, overrides: options.Overrides = None, quiet: options.Quiet = False
) -> None:
    """Check a scenario file and say in words what it will simulate, with every default and assumption in use."""
    from sim import load

    lines = load(scenario, overrides or ()).describe()
    if not quiet:
        typer.echo("\n".join(lines))


def report(
    folder: Annotated[Path, typer.Argument(metavar="RESULT_DIR", help="A folder that `vmfleet run` wrote.")],
    quiet: options.Quiet = False,
) -> None:
    """Build report.html and the figures again from a result folder."""
    from sim.report import build

    build(folder)
    if not quiet:
        typer.echo(f"Written: {folder / 'report.html'}")


def states(
    policy: Annotated[
        str,
        typer.Option(
            "--policy", metavar="NAME", help="Billing policy: 2018-08 (the source document) or 2023-10."
        ),
    ] = "2018-08",
    as_json: options.Json = False,
) -> None:
    """The lifecycle table: power state, code, display status, billed or not, on a host or not."""
    from sim.lifecycle.table import lifecycle_table

    rows = lifecycle_table(policy)
    if as_json:
        terminal.print_json(rows)
        return
    terminal.print_table(
        f"Power states under billing policy {policy}",
        ("power state", "code", "display status", "billed", "on host"),
        [
            [str(row[name]) for name in ("state", "code", "display_status", "billed", "on_host")]
            for row in rows
        ],
        left=5,
    )


def snapshot(
    scenario: options.ScenarioFile,
    at: Annotated[
        str, typer.Option("--at", metavar="DURATION", help="The instant, from the start: 36h, 2d, 90min.")
    ],
    status_only: Annotated[
        bool, typer.Option("--status-only", help="The list-all shape with status only.")
    ] = False,
    vm: Annotated[
        str | None, typer.Option("--vm", metavar="NAME", help="One machine's instance view.")
    ] = None,
    seed: options.Seed = None,
    overrides: options.Overrides = None,
) -> None:
    """The fleet at one instant as the platform's JSON: instance views, or the list-all shape."""
    not_here_yet("snapshot", "run with --events and read the moves up to that instant")


def schema() -> None:
    """The JSON Schema of the scenario file, for editors."""
    from sim.experiment.scenario import json_schema

    terminal.print_json(json_schema())
