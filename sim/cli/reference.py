"""`vmfleet metrics`, `causes`, `keys` and `verify`: the reference tables, from the registries that every view reads, and the cases with known answers."""

from dataclasses import asdict
from typing import Annotated

import typer

from sim.cli import options, terminal
from sim.cli.conditions import MET


def metrics(as_json: options.Json = False) -> None:
    """The metrics of a result: name, label, unit, which direction is better, definition."""
    from sim.runs.metrics import metric_rows  # start-up: loads the billing and the collector

    columns = ("name", "label", "unit", "better", "definition")
    rows = [(row.name, row.label, str(row.unit), row.better, row.definition) for row in metric_rows()]
    if as_json:
        terminal.print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    terminal.print_table("Metrics", columns, rows, left=len(columns))


def causes(as_json: options.Json = False) -> None:
    """The causes by which `compare` splits a difference in cost, in the order in which they take effect."""
    from sim.billing.causes import CAUSES  # start-up: loads the billing

    if as_json:
        terminal.print_json([asdict(row) for row in CAUSES.values()])
        return
    rows = [(row.name, row.label, row.definition) for row in CAUSES.values()]
    terminal.print_table("Causes of a difference in cost", ("cause", "label", "definition"), rows, left=3)


def keys(
    path: Annotated[
        str, typer.Argument(metavar="[PATH]", help="One key and what is below it, such as group.schedule.")
    ] = "",
    as_json: options.Json = False,
) -> None:
    """The keys of the scenario file: type, default, meaning; with a PATH also unit, source and trust."""
    from sim.scenario.keys import key_rows, keys_at  # start-up: loads the file's model

    rows = keys_at(path) if path else key_rows()
    if as_json:
        terminal.print_json([asdict(row) for row in rows])
        return
    terminal.print_table(
        "Keys of the scenario file",
        ("key", "type", "default", "definition"),
        [(row.path, row.type, "required" if row.is_required else row.default, row.definition) for row in rows],
        left=4,
    )
    sourced = [row for row in rows if row.source] if path else []
    for row in sourced:
        typer.echo(f"{row.path}{f', in {row.unit}' if row.unit else ''}: {row.source}")


def verify(
    case: Annotated[list[str] | None, typer.Option("--case", metavar="NAME", help="Only this one; repeatable.")] = None,
    seed: options.Seed = None,
    as_json: options.Json = False,
) -> None:
    """Simulate cases whose exact answer is known; exit status 3 unless all hold."""
    from sim.studies.closed_forms import COLUMNS, table, verify  # start-up: loads the engines

    found = verify(case or (), seed=1 if seed is None else seed)
    rows = table(found)
    if as_json:
        terminal.print_json([asdict(each) for each in found])
    else:
        terminal.print_table("Cases with a known answer", COLUMNS, rows)
        typer.echo(f"{sum(each.holds for each in found)} of {len(found)} hold.")
    if not all(each.holds for each in found):
        raise typer.Exit(MET)
