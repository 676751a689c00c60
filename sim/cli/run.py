"""`vmfleet run` and `vmfleet demo`: simulate a fleet, show the answer, write the result folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sim.cli import options, terminal
from sim.errors import InputError

if TYPE_CHECKING:
    from sim.runs.cache import RunCache
    from sim.runs.results import StoredResult
    from sim.scenario.scenario import Scenario

RESULTS = Path("results")  # where result folders go unless --out says otherwise
MAIN_FILES = {
    "run": "summary.json",
    "compare": "comparison.json",
    "sweep": "sweep.json",
    "size": "size.json",
    "sensitivity": "sensitivity.json",
}


def add_to(app: typer.Typer) -> None:
    """Give the program its commands that simulate one scenario."""
    app.command("run")(run)
    app.command("demo")(demo)


def run(
    scenario: options.ScenarioFile,
    seed: options.Seed = None,
    replications: options.Replications = None,
    precision: options.Precision = None,
    budget: options.Budget = None,
    jobs: options.Jobs = 1,
    cluster: options.Cluster = None,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    events: options.Events = False,
    focus: options.Focus = None,
    no_report: options.NoReport = False,
    resume: options.Resume = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Simulate a scenario: summary table, result folder, report."""
    from sim import load

    _simulate(
        load(scenario, overrides or ()),
        seed=seed,
        replications=replications,
        precision=options.share_of(precision),
        budget_usd=budget,
        jobs=jobs,
        cluster=cluster,
        out=out,
        engine=engine,
        events=events,
        focus=focus,
        report=not no_report,
        resume=resume,
        quiet=quiet,
        as_json=as_json,
    )


def demo(
    seed: options.Seed = None,
    replications: options.Replications = None,
    jobs: options.Jobs = 1,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    resume: options.Resume = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """The main job on a bundled scenario of four teams.

    They leave their machines on at night, shut them down from inside, stop them, or deallocate them: which costs what?
    """
    from importlib.resources import as_file, files

    from sim import load

    with as_file(files("sim").joinpath("demo", "office_hours.toml")) as bundled:
        scenario = load(bundled, overrides or ())
    _simulate(
        scenario,
        seed=seed,
        replications=replications,
        precision=None,
        budget_usd=None,
        jobs=jobs,
        cluster=None,
        out=out,
        engine=engine,
        events=False,
        focus=None,
        report=True,
        resume=resume,
        quiet=quiet,
        as_json=as_json,
    )


def _simulate(
    scenario: Scenario,
    *,
    seed: int | None,
    replications: int | None,
    precision: float | None,
    budget_usd: float | None,
    jobs: int,
    cluster: str | None,
    out: Path | None,
    engine: options.Engine,
    events: bool,
    focus: Path | None,
    report: bool,
    resume: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run, write, show: in this order, so that what is on the screen is also on the disk."""
    from sim.runs.cluster import workers_for
    from sim.runs.run import run_to_folder

    folder = folder_for(out, scenario.name, "run", quiet=quiet)
    if focus is not None:
        from sim.runs.invoice import check_file

        check_file(focus)
    with (
        workers_for(jobs, cluster) as workers,
        terminal.progress_bar("replications", quiet=quiet or as_json) as progress,
    ):
        stored = run_to_folder(
            scenario,
            folder,
            seed=seed,
            replications=replications,
            precision=precision,
            engine=engine,
            events=events,
            budget_usd=budget_usd,
            progress=progress,
            resume=resume,
            workers=workers,
        )
    if focus is not None:
        if scenario.warm_up == "auto":
            scenario = scenario.with_warm_up_found(f"{stored.summary['warm_up_h'] * 3600:.0f}s")
        _write_invoice(scenario, stored, focus, engine)
    if report:
        try:
            terminal.build_report(folder, quiet=quiet or as_json)
        except KeyboardInterrupt:
            typer.echo(f"{folder} lacks only its report: `vmfleet report {folder}` builds it", err=True)
            raise
    if as_json:
        terminal.print_json(stored.summary)
    elif not quiet:
        terminal.print_summary(stored.summary)
        typer.echo(f"Written: {folder / ('report.html' if report else 'summary.json')}")
        if focus is not None:
            typer.echo(f"Written: {focus}")


def _write_invoice(scenario: Scenario, stored: StoredResult, file: Path, engine: options.Engine) -> None:
    """Replication 0's invoice by VM; it must come to what the result folder says."""
    from sim.runs.invoice import write_invoice

    figures = stored.replications
    asked = (figures["replication"] == 0) & (figures["group"] == "") & (figures["metric"] == "cost.total")
    write_invoice(
        scenario, file, seed=stored.summary["seed"], engine=engine, total_usd=float(figures.loc[asked, "value"].item())
    )


def folder_for(out: Path | None, name: str, command: str, *, quiet: bool) -> Path:
    """Where a result goes; what another command has left in its place is replaced, so say so first."""
    if out is not None:
        return out
    folder = RESULTS / name
    for other, file in MAIN_FILES.items():
        if other != command and not quiet and (folder / file).exists():
            typer.echo(f"note: replaces the result of `vmfleet {other}` in {folder}; --out keeps both", err=True)
    return folder


@contextmanager
def kept(folder: Path, *, resume: bool, no_cache: bool = False) -> Iterator[RunCache]:
    """What a study has played is kept: for later studies, or, without a cache, until this one is written."""
    from sim.runs.atomic_write import check_folder, full_disk_explained, unfinished_folder
    from sim.runs.cache import RunCache, cache_beside

    is_new = not folder.parent.exists()
    check_folder(folder)
    # Not where `run` keeps its own: a study of the same folder must not take what an interrupted run has finished.
    unfinished = RunCache(unfinished_folder(folder.with_name(f"{folder.name}.study")))
    if no_cache and not resume:
        unfinished.forget()
    # What was begun without a cache goes on without one.
    cache = unfinished if no_cache or (resume and unfinished.folder.exists()) else cache_beside(folder)
    try:
        with full_disk_explained(folder):
            yield cache
    except InputError:
        if is_new:  # a question that can't be asked leaves nothing behind
            with suppress(OSError):  # unless there is something to keep
                folder.parent.rmdir()
        raise
    finally:
        if cache is not unfinished:
            cache.sign()
    if cache is unfinished:
        cache.forget()
    else:
        cache.trim()


def say_reused(cache: RunCache) -> None:
    """Tell a person that some figures come from an earlier study."""
    if cache.reused:
        typer.echo(
            f"{cache.reused:,} replications were read from {cache.folder}, not played again (--no-cache plays them)"
        )
