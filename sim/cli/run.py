"""`vmfleet run` and `vmfleet demo`: simulate a fleet, show the answer, write the result folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli import options, terminal
from sim.cli.conditions import conditions_of
from sim.cli.folders import folder_for, keep_other_result, print_answer
from sim.fields.numbers import how_many

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:
    from sim.runs.results import StoredResult
    from sim.scenario.scenario import Scenario


@options.expanded(
    "seed", "replications", "precision", "budget", "jobs", "threads", "cluster", "out", "overrides", "engine", "events", "focus",
    "focus_version", "no_report", "resume", "fail_if", "yes", "quiet", "as_json", "as_markdown",
)  # fmt: skip
def run(scenario: options.ScenarioFile, shared: options.Shared) -> None:
    """Simulate a scenario: summary table, result folder, report."""
    from sim import load

    _simulate(load(scenario, shared.overrides or ()), shared)


@options.expanded(
    "seed", "replications", "jobs", "out", "overrides", "engine", "resume", "quiet", "as_json", "as_markdown"
)
def demo(shared: options.Shared) -> None:
    """The main job on a bundled scenario of four teams.

    They leave their VMs on at night, shut them down from inside, stop them, or deallocate them: which costs what?
    """
    from importlib.resources import as_file, files

    from sim import load

    with as_file(files("sim").joinpath("demo", "office_hours.toml")) as bundled:
        scenario = load(bundled, shared.overrides or ())
    _simulate(scenario, shared)


@options.expanded("out", "no_report", "quiet", "as_json", "as_markdown")
def merge(
    shards: Annotated[
        list[Path],
        typer.Argument(
            parser=options.folder, metavar="RESULT ...", help="Result folders of `run --replications FIRST..LAST`."
        ),
    ],
    shared: options.Shared,
    replications: Annotated[
        str | None,
        typer.Option(
            "--replications", "-n", metavar="N", help="How many the whole run has. [default: at least the scenario's]"
        ),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option("--files", metavar="DIR", help="Where the trace or price list lies that the scenario names."),
    ] = None,
) -> None:
    """Put shards of one run together: the bytes of one run."""
    from sim.runs.atomic_write import check_folder
    from sim.runs.options import whole_run
    from sim.runs.results import read
    from sim.runs.shards import check_goal, merge

    count = options.replications_of(replications)
    with terminal.working(f"merging {how_many(len(shards), 'shard')}", quiet=shared.silent):
        result = merge(shards, None if count is None else whole_run(count), files)
        folder = folder_for(shared, result.scenario.name, "run")
        check_folder(folder)
        check_goal(folder, shards)
        keep_other_result(folder, "run", shared)
        result.write(folder)
    _show(read(folder), shared)


def _simulate(scenario: Scenario, shared: options.Shared) -> None:
    """Run, write, show: in this order, so that what is on the screen is also on the disk."""
    from sim.runs.cluster import workers_for
    from sim.runs.invoice import check_file
    from sim.runs.run import run_to_folder

    if not shared.quiet:
        for words in scenario.warnings():
            terminal.note(words)
    folder = folder_for(shared, scenario.name, "run")
    asked = options.run_options(shared)
    check = conditions_of(shared.fail_if, [scenario])
    options.focus_version(shared.focus_version, shared.focus)
    if shared.focus is not None:
        check_file(shared.focus)
    with (
        workers_for(shared.jobs, shared.cluster) as workers,
        terminal.progress_bar("replications", quiet=shared.silent) as progress,
    ):
        stored = run_to_folder(
            scenario,
            folder,
            before_writing=lambda: keep_other_result(folder, "run", shared),
            options=replace(asked, workers=workers, progress=progress),
        )
    if shared.focus is not None:
        _write_invoice(scenario, stored, shared)
    _show(stored, shared)
    check({scenario.name: (stored, scenario.confidence)})


def _show(stored: StoredResult, shared: options.Shared) -> None:
    """Draw the report of a result folder, and print its answer."""
    folder = stored.folder
    if not shared.no_report:
        try:
            terminal.build_report(folder, quiet=shared.silent)
        except KeyboardInterrupt:
            said = terminal.address(folder)
            typer.echo(f"{said} lacks only its report: `vmfleet report {said}` builds it", err=True)
            raise
    if print_answer(stored.summary, terminal.print_summary, shared):
        typer.echo(f"Written: {terminal.address(folder, 'summary.json' if shared.no_report else 'report.html')}")
        if shared.focus is not None:
            typer.echo(f"Written: {shared.focus}")


def _write_invoice(scenario: Scenario, stored: StoredResult, shared: options.Shared) -> None:
    """Replication 0's invoice by VM; it must come to what the result folder says."""
    from sim.runs.invoice import write_invoice
    from sim.runs.warm_up import with_stored_warm_up

    assert shared.focus is not None
    scenario = with_stored_warm_up(scenario, stored.summary)
    total_usd = stored.values("cost.total")[0]
    write_invoice(
        scenario, shared.focus, seed=stored.summary["seed"], engine=shared.engine, total_usd=total_usd,
        version=shared.focus_version or "1.2",
    )  # fmt: skip
