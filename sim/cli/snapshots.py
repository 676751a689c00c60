"""`vmfleet snapshot` and `vmfleet explain`: the fleet at one instant as the platform's API shows it; one VM's history in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli import options, terminal
from sim.errors import InputError, ScenarioError

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:
    from sim.lifecycle.instance_view import Json, VmMoment
    from sim.scenario.scenario import Scenario


def snapshot(
    scenario: options.ScenarioFile,
    at: Annotated[str, typer.Option("--at", metavar="DURATION", help="The instant, from the start: 36h, 2d, 90min.")],
    status_only: Annotated[
        bool, typer.Option("--status-only", help="Only the statuses: the list-all answer with statusOnly=true.")
    ] = False,
    vm: Annotated[str | None, typer.Option("--vm", metavar="NAME", help="Only this VM's instance view.")] = None,
    seed: options.Seed = None,
    replication: Annotated[int, typer.Option("--replication", metavar="N", help="Which one, from 0.")] = 0,
    overrides: options.Overrides = None,
) -> None:
    """The fleet at one instant, as the platform's JSON."""
    from sim import load
    from sim.lifecycle.instance_view import instance_view, list_all_status_only, statuses

    loaded = load(scenario, overrides or ())
    moments = _moments(loaded, at, loaded.seed if seed is None else seed, replication)
    answer: Json
    if vm is not None:
        one = _named(vm, moments, at)
        answer = {"statuses": statuses(one)} if status_only else instance_view(one)
    else:
        answer = list_all_status_only(moments)
        if not status_only:
            for item, moment in zip(answer["value"], moments, strict=True):  # type: ignore[call-overload]
                item["properties"]["instanceView"] = instance_view(moment)
    terminal.print_json(answer)


def explain(
    source: Annotated[
        Path,
        typer.Argument(metavar="SCENARIO_OR_RESULT", help="A scenario file, or a folder that `vmfleet run` wrote."),
    ],
    vm: Annotated[str, typer.Option("--vm", metavar="NAME", help="The VM, such as dev-0007.")],
    seed: options.Seed = None,
    replication: Annotated[int, typer.Option("--replication", metavar="N", help="Which one, from 0.")] = 0,
    overrides: options.Overrides = None,
    as_json: options.Json = False,
    as_markdown: options.Markdown = False,
) -> None:
    """One VM's history in words, each sentence one event."""
    from sim import load, read
    from sim.runs.history import explain

    options.one_form(as_json=as_json, as_markdown=as_markdown)
    folder = source if source.is_dir() else None
    if folder is not None:
        seed = int(read(source).summary["seed"]) if seed is None else seed
        source = source / "scenario.toml"
    try:
        scenario = load(source, overrides or ())
    except ScenarioError as wrong:
        if folder is None or "no file" not in str(wrong):
            raise
        hint = f"give its scenario file instead, with --seed {seed}"
        raise InputError(f"{folder}: its scenario names files that are not in the folder ({wrong}); {hint}") from None
    history = explain(scenario, vm, replication=replication, seed=seed)
    if as_json:
        events = [{"t_s": each.t_s, "at": each.at.isoformat(), "words": each.words} for each in history.events]
        terminal.print_json(
            {"vm": vm, "replication": replication, "seed": history.seed, "events": events, "hours": history.hours,
             "billed_hours": history.billed_hours}
        )  # fmt: skip
        return
    title = f"{vm} in replication {replication}, seed {history.seed}, times in UTC"
    said = [(f"{event.at:%a %d %b %Y %H:%M:%S}", event.words) for event in history.events]
    if as_markdown:
        with terminal.markdown(wanted=True):
            terminal.print_table(title, ("when", "what"), said, left=2)
            terminal.say(history.ending)
        return
    typer.echo(f"{title}:")
    for when, words in said:
        typer.echo(f"{when}  {words}")
    typer.echo(history.ending)


def _moments(scenario: Scenario, at: str, seed: int, replication: int) -> list[VmMoment]:
    """Every VM that exists at the instant, in the platform's terms."""
    from sim.engines.simpy.snapshot import snapshot as look
    from sim.lifecycle.instance_view import VmMoment
    from sim.units import parse_duration

    if replication < 0:
        raise InputError(f"--replication is {replication}; the first one is 0")
    try:
        views = look(scenario.fleet_plan(), seed, replication, parse_duration(at))
    except ValueError as wrong:  # the instant, said in words
        raise InputError(f"--at {at}: {wrong}") from None
    disks = {group.name: group.disks for group in scenario.rated_groups()}
    return [
        VmMoment(
            name=view.name,
            power=view.power,
            provisioning=view.provisioning,
            failure_code=view.failure_code or None,
            changed_at=scenario.start + timedelta(seconds=view.provisioning_since_s),
            location=scenario.prices.region,
            disks=tuple(f"{view.name}-disk-{number}" for number in range(len(disks.get(view.group, ())))),
        )
        for view in views
    ]


def _named(name: str, moments: Sequence[VmMoment], at: str) -> VmMoment:
    for moment in moments:
        if moment.name == name:
            return moment
    names = [moment.name for moment in moments]
    there = f"there are {names[0]} to {names[-1]}" if names else "there is none"
    raise InputError(f"--vm {name}: there is no such VM {at} after the start; {there}")
