"""Commands that look without simulating much: `validate`, `states`, `schema`, `report`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sim.cli import options, terminal


def add_to(app: typer.Typer) -> None:
    """Give the program its commands that read, check and explain."""
    app.command("validate")(validate)
    app.command("report")(report)
    app.command("states")(states)
    app.command("schema")(schema)


def validate(scenario: options.ScenarioFile, overrides: options.Overrides = None, quiet: options.Quiet = False) -> None:
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
    terminal.build_report(folder, quiet=quiet)
    if not quiet:
        typer.echo(f"Written: {folder / 'report.html'}")


def states(
    policy: Annotated[
        str, typer.Option("--policy", metavar="NAME", help="Billing policy: 2018-08 (the source document) or 2023-10.")
    ] = "2018-08",
    as_json: options.Json = False,
) -> None:
    """The lifecycle table: power state, code, display status, billed or not, on a host or not."""
    from sim.lifecycle.policy import get_policy
    from sim.lifecycle.table import lifecycle_table

    rules = get_policy(policy)
    rows = lifecycle_table(rules)
    if as_json:
        terminal.print_json([asdict(row) for row in rows])
        return
    terminal.print_table(
        f"Power states under billing policy {policy}",
        ("power state", "code", "display status", "billed", "on host"),
        [(row.name, row.code, row.display_status, row.billed_words, "yes" if row.on_host else "no") for row in rows],
        left=5,
    )
    terminal.console().print(f"* {rules.footnote}")


def schema() -> None:
    """The JSON Schema of the scenario file, for editors."""
    from sim.scenario.scenario import json_schema

    terminal.print_json(json_schema())
