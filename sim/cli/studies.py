"""`vmfleet compare` and `vmfleet sweep`: what-if questions over several scenarios that share their luck."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.cli import options, terminal
from sim.cli.run import folder_for, kept, say_reused

Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", metavar="NAME", help="A metric to show; repeatable. [default: the headlines]"),
]


def add_to(app: typer.Typer) -> None:
    """Give the program its commands that set scenarios side by side."""
    app.command("compare")(compare)
    app.command("sweep")(sweep)


def compare(
    base: Annotated[Path, typer.Argument(metavar="BASE.toml", help="What the others are compared with.")],
    variants: Annotated[list[Path], typer.Argument(metavar="VARIANT.toml ...", help="One change or more beside it.")],
    seed: options.Seed = None,
    replications: options.Replications = None,
    precision: options.Precision = None,
    jobs: options.Jobs = 1,
    cluster: options.Cluster = None,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    metrics: Metrics = None,
    no_report: options.NoReport = False,
    resume: options.Resume = False,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Paired what-if on common random numbers."""
    from sim import compare as play
    from sim import load, workers_for

    scenarios = [load(path, overrides or ()) for path in (base, *variants)]
    folder = folder_for(out, scenarios[0].name, "compare", quiet=quiet)
    share = options.share_of(precision)
    with workers_for(jobs, cluster) as workers, kept(folder, resume=resume, no_cache=no_cache) as cache:
        with terminal.progress_bar("replications", quiet=quiet or as_json) as progress:
            comparison = play(
                *scenarios,
                replications=replications,
                seed=seed,
                engine=engine,
                precision=share,
                progress=progress,
                cache=cache,
                workers=workers,
            )
        comparison.write(folder)
    if not no_report:
        terminal.build_report(folder, quiet=quiet or as_json)
    if as_json:
        terminal.print_json(comparison.summary())
    elif not quiet:
        _print_comparison(comparison.summary(), metrics)
        say_reused(cache)
        typer.echo(f"Written: {folder / ('comparison.json' if no_report else 'report.html')}")


def sweep(
    scenario: options.ScenarioFile,
    vary: Annotated[
        list[str],
        typer.Option(
            "--vary",
            metavar="PATH=V1,V2,...",
            help="Values to try (or LOW..HIGH:STEP); repeat for every combination, PATH+PATH=V+W,... for both in step.",
        ),
    ],
    seed: options.Seed = None,
    replications: options.Replications = None,
    precision: options.Precision = None,
    jobs: options.Jobs = 1,
    cluster: options.Cluster = None,
    out: options.Out = None,
    overrides: options.Overrides = None,
    engine: options.EngineChoice = "auto",
    metrics: Metrics = None,
    no_report: options.NoReport = False,
    resume: options.Resume = False,
    no_cache: options.NoCache = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Every combination of some values, in one table."""
    from sim import load, workers_for
    from sim import sweep as play
    from sim.runs.metrics import HEADLINES

    loaded = load(scenario, overrides or ())
    folder = folder_for(out, loaded.name, "sweep", quiet=quiet)
    share = options.share_of(precision)
    with workers_for(jobs, cluster) as workers, kept(folder, resume=resume, no_cache=no_cache) as cache:
        with terminal.progress_bar("replications", quiet=quiet or as_json) as progress:
            swept = play(
                loaded,
                vary,
                metrics=metrics or HEADLINES,
                replications=replications,
                seed=seed,
                engine=engine,
                precision=share,
                progress=progress,
                cache=cache,
                workers=workers,
            )
        swept.write(folder)
    if not no_report:
        terminal.build_report(folder, quiet=quiet or as_json)
    if as_json:
        terminal.print_json(swept.summary())
    elif not quiet:
        _print_sweep(swept.summary())
        say_reused(cache)
        typer.echo(f"Written: {folder / ('sweep.csv' if no_report else 'report.html')}")


def _print_comparison(summary: Mapping[str, Any], metrics: list[str] | None) -> None:
    """For each variant its differences from the base, with how sure one may be."""
    from sim.runs.metrics import check_metric
    from sim.studies.compare import AS_ASKED

    base = summary["base_metrics"]
    for metric in metrics or ():
        check_metric(metric, base)
    for variant, differences in summary["differences"].items():
        rows = []
        for name in metrics or terminal.HEADLINES:
            found = differences.get(name)
            if found is None or (not metrics and not found["mean"] and not base.get(name, {}).get("mean")):
                continue
            words, write = terminal.HEADLINES.get(name, (name, terminal.figure))
            words = terminal.in_currency(words, summary["currency"])
            interval = "–" if found["low"] is None else f"{write(found['low'])} … {write(found['high'])}"
            relative = terminal.percent_change(found["relative"])
            sure = "" if found["p_better"] is None else _sureness(found["p_better"])
            rows.append(
                (words, write(base[name]["mean"]), write(found["mean"]), relative, interval, sure, found["verdict"])
            )
        terminal.print_table(
            f"{variant} minus {summary['base']}: {summary['replications']} paired replications, seed {summary['seed']}",
            (
                "metric",
                "base",
                "difference",
                "relative",
                f"{100 * summary['confidence']:g} % interval",
                "P(better)",
                "",
            ),
            rows,
        )
    if summary["stopped"] != AS_ASKED:
        typer.echo(f"{summary['replications']} replications: {summary['stopped']}")
    for warning in summary["warnings"]:
        typer.echo(f"Note: {warning}")


def _sureness(probability: float) -> str:
    """A probability that was estimated: beyond a thousandth its digits say nothing, and it is never none or certain."""
    if probability < 0.001:
        return "< 0.001"
    return "> 0.999" if probability > 0.999 else f"{probability:.3f}"


def _print_sweep(summary: Mapping[str, Any]) -> None:
    """One row a point: its settings, then each metric with its half-width."""
    metrics = summary["metrics"]
    paths = [path for axis in summary["axes"] for path in axis["paths"]]
    rows = []
    for point in summary["points"]:
        cells = [str(point["settings"][path]) for path in paths]
        for name in metrics:
            _, write = terminal.HEADLINES.get(name, (name, terminal.figure))
            found = point["metrics"][name]
            around = "" if found["half_width"] is None else f" ± {write(found['half_width'])}"
            cells.append(write(found["mean"]) + around)
        rows.append(cells)
    terminal.print_table(
        f"{summary['scenario']}: {summary['replications']} replications a point, seed {summary['seed']}",
        (*paths, *metrics),
        rows,
        left=len(paths),
    )
    if "precision" in summary:
        how = "reached" if summary["reached"] else "NOT reached before the cap"
        typer.echo(f"half-widths within {summary['precision']:.3g} of each metric at every point: {how}")
