"""`vmfleet size` and `vmfleet sensitivity`: which value keeps a promise, and which assumption moves the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from sim.cli import options, terminal
from sim.cli.run import folder_for, kept, say_reused

Method = Literal["tornado", "morris", "sobol"]


def add_to(app: typer.Typer) -> None:
    """Give the program its commands that search."""
    app.command("size")(size)
    app.command("sensitivity")(sensitivity)


def size(
    scenario: options.ScenarioFile,
    vary: Annotated[
        str, typer.Option("--vary", metavar="PATH=LOW..HIGH", help="The value to find, and where to look.")
    ],
    keep: Annotated[
        str,
        typer.Option(
            "--keep",
            metavar="METRIC<=LIMIT",
            help="The promise: a mean (availability>=0.999), a quantile (p95(cost.total)<=50000) or a chance "
            "(P(cost.total>50000)<=0.05).",
        ),
    ],
    confidence: Annotated[float, typer.Option("--confidence", metavar="SHARE", help="How sure to be.")] = 0.95,
    largest: Annotated[bool, typer.Option("--largest", help="Find the largest value, not the smallest.")] = False,
    seed: options.Seed = None,
    replications: options.Replications = None,
    precision: options.Precision = None,
    jobs: options.Jobs = 1,
    cluster: options.Cluster = None,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    no_report: options.NoReport = False,
    resume: options.Resume = False,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """The smallest (or largest) value that keeps a promise."""
    from sim import load, workers_for
    from sim.studies.sizing import size as search

    loaded = load(scenario, overrides or ())
    folder = folder_for(out, loaded.name, "size", quiet=quiet)
    share = options.share_of(precision)
    with workers_for(jobs, cluster) as workers, kept(folder, resume=resume, no_cache=no_cache) as cache:
        with terminal.progress_bar("replications", quiet=quiet or as_json) as progress:
            found = search(
                loaded,
                vary,
                keep,
                largest=largest,
                confidence=confidence,
                replications=replications,
                seed=seed,
                engine=engine,
                precision=share,
                progress=progress,
                cache=cache,
                workers=workers,
            )
        found.write(folder)
    if not no_report:
        terminal.build_report(folder, quiet=quiet or as_json)
    summary = found.summary()
    if as_json:
        terminal.print_json(summary)
    elif not quiet:
        _print_evidence(summary)
        typer.echo(summary["words"])
        say_reused(cache)
        typer.echo(f"Written: {folder / ('size.json' if no_report else 'report.html')}")


def sensitivity(
    scenario: options.ScenarioFile,
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="PATH=LOW..HIGH", help="A value and its range; repeat for each factor."),
    ],
    method: Annotated[
        Method,
        typer.Option("--method", help="tornado: one at a time; morris: screens many; sobol: shares of variance."),
    ] = "tornado",
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="What is watched.")] = "cost.total",
    samples: Annotated[
        int | None, typer.Option("--samples", metavar="N", help="Trajectories (morris) or points (sobol).")
    ] = None,
    seed: options.Seed = None,
    replications: options.Replications = None,
    jobs: options.Jobs = 1,
    cluster: options.Cluster = None,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    no_report: options.NoReport = False,
    resume: options.Resume = False,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Which assumptions move the answer most."""
    from sim import load, workers_for
    from sim.studies.sensitivity import sensitivity as search

    loaded = load(scenario, overrides or ())
    folder = folder_for(out, loaded.name, "sensitivity", quiet=quiet)
    with workers_for(jobs, cluster) as workers, kept(folder, resume=resume, no_cache=no_cache) as cache:
        with terminal.progress_bar("replications", quiet=quiet or as_json) as progress:
            found = search(
                loaded,
                vary,
                method=method,
                metric=metric,
                samples=samples,
                replications=replications,
                seed=seed,
                engine=engine,
                progress=progress,
                cache=cache,
                workers=workers,
            )
        found.write(folder)
    if not no_report:
        terminal.build_report(folder, quiet=quiet or as_json)
    summary = found.summary()
    if as_json:
        terminal.print_json(summary)
    elif not quiet:
        _print_factors(summary)
        say_reused(cache)
        typer.echo(f"Written: {folder / ('sensitivity.json' if no_report else 'report.html')}")


def _print_evidence(summary: Mapping[str, Any]) -> None:
    """Each value that was tried, and what is known of the promise there."""
    rows = []
    for trial in summary["trials"]:
        low, high = trial["low"], trial["high"]
        between = "–" if low is None or high is None else f"{low:.6g} … {high:.6g}"
        estimate = "–" if trial["estimate"] is None else f"{trial['estimate']:.6g}"
        cost = terminal.money(trial["mean_cost_usd"])
        rows.append((str(trial["value"]), trial["answer"], estimate, between, str(trial["n"]), cost))
    terminal.print_table(
        f"{summary['scenario']}: does {summary['path']} keep {summary['keep']}? Seed {summary['seed']}",
        (
            summary["path"],
            "answer",
            "estimate",
            "bounds",
            "replications",
            terminal.in_currency("mean cost, USD", summary["currency"]),
        ),
        rows,
        left=2,
    )


def _print_factors(summary: Mapping[str, Any]) -> None:
    """A row a factor, the most important first."""
    factors = summary["factors"]
    columns = [name for name in factors[0] if not name.endswith(("_from", "_to"))] if factors else []
    terminal.print_table(
        f"{summary['scenario']}: what moves {summary['metric']} ({summary['method']}, {summary['points']} points, "
        f"{summary['replications']} replications each, seed {summary['seed']})",
        columns,
        [[_cell(factor[name]) for name in columns] for factor in factors],
    )


def _cell(value: object) -> str:
    return terminal.figure(value) if isinstance(value, float) else "–" if value is None else str(value)
