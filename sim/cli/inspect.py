"""Commands that look without simulating much: `validate`, `states`, `schema`, `report`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sim.cli import options, terminal
from sim.errors import InputError

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy


def validate(scenario: options.ScenarioFile, overrides: options.Overrides = None, quiet: options.Quiet = False) -> None:
    """Check a scenario file and say in words what it will simulate, with every default and assumption in use."""
    from sim import load
    from sim.runs.estimate import estimate

    loaded = load(scenario, overrides or ())
    lines = loaded.describe()
    if quiet:
        return
    typer.echo("\n".join(lines))
    found = estimate([loaded.fleet_plan()], loaded.replications)
    typer.echo(f"\nExpected: {found.words}." + (f" Note: {found.excess}; `run` asks first." if found.excess else ""))


def report(
    folder: Annotated[
        Path, typer.Argument(parser=options.folder, metavar="RESULT_DIR", help="A folder that `vmfleet run` wrote.")
    ],
    quiet: options.Quiet = False,
) -> None:
    """Build report.html and the figures again from a result folder."""
    terminal.build_report(folder, quiet=quiet)
    if not quiet:
        typer.echo(f"Written: {terminal.address(folder, 'report.html')}")


def states(
    policy: Annotated[
        str, typer.Option("--policy", metavar="NAME", help="Billing policy: 2018-08 (the source document) or 2023-10.")
    ] = "2018-08",
    machine: Annotated[
        Path | None,
        typer.Option(
            "--machine", metavar="SCENARIO.toml", help="Instead, the state machine of a scenario's groups of VMs."
        ),
    ] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="With --machine: this group only. [default: all]")
    ] = None,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="With --machine: as a Mermaid state diagram, of one group.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """The lifecycle table: power state, code, display status, billed or not, on a host or not."""
    if machine is not None:
        _print_machines(machine, group, mermaid=mermaid, as_json=as_json)
        return
    if group is not None or mermaid:
        raise InputError(
            f"{'--mermaid' if mermaid else '--group'} belongs to --machine SCENARIO.toml, which is not given"
        )
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


def _print_machines(scenario: Path, group: str | None, *, mermaid: bool, as_json: bool) -> None:
    """The state machines of a scenario's groups, or of one. Raises InputError: there is no such group."""
    from sim import load
    from sim.engines.group_setup import set_up
    from sim.fields.messages import close_match
    from sim.model.machine_view import machine_lines, machine_rows, mermaid_lines

    plan = load(scenario).fleet_plan()
    found = {
        setup.plan.name: machine_rows(setup.state_machine)
        for setup in set_up(plan, seed=0, replication=0)
        if group in (None, setup.plan.name)
    }
    names = [one.name for one in plan.groups]
    if group is not None and not found:
        hint = close_match(group, names) or f"there are {', '.join(names)}"
        raise InputError(f"--group {group}: {scenario} has no such group ({hint})")
    if mermaid and len(found) > 1:
        raise InputError(f"--mermaid draws one group: choose it with --group ({', '.join(names)})")
    if as_json:
        terminal.print_json([{"group": name, "states": [asdict(row) for row in rows]} for name, rows in found.items()])
        return
    pages = [
        "\n".join(mermaid_lines(rows) if mermaid else (f"Group {name}", "", *machine_lines(rows)))
        for name, rows in found.items()
    ]
    typer.echo("\n\n".join(pages))


def schema() -> None:
    """The JSON Schema of the scenario file, for editors."""
    from sim.scenario.schema import json_schema

    terminal.print_json(json_schema())
