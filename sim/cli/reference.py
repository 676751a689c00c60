"""`vmfleet metrics`, `causes`, `keys` and `verify`: the reference tables, from the registries that every view reads, and the cases with known answers."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sim.cli import options, terminal
from sim.cli.conditions import MET
from sim.errors import InputError


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
    scenario: Annotated[
        Path | None,
        typer.Option(
            "--scenario",
            metavar="FILE.toml",
            help="Instead: whether this scenario gives the same bits twice here, and in another process. A plug-in might not.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Simulate cases whose exact answer is known; exit status 3 unless all hold."""
    if scenario is not None:
        _same_bits(scenario, case, seed, as_json=as_json)
        return
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


def _same_bits(scenario: Path, case: list[str] | None, seed: int | None, *, as_json: bool) -> None:
    from sim import check_determinism, load  # start-up: loads the engines
    from sim.fields.plugins import modules

    if case:
        raise InputError("--case and --scenario: give one of them; the cases have scenarios of their own")
    digest = check_determinism(load(scenario), seed)
    if as_json:
        terminal.print_json({"digest": digest, "plugins": modules()})
        return
    added = f"; plug-ins: {', '.join(modules())}" if modules() else ""
    typer.echo(
        f"Replication 0 has the same bits twice here, and in another process with other hashes: {digest}{added}."
    )
