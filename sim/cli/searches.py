"""`vmfleet size` and `vmfleet sensitivity`: which value keeps a target, and which assumption moves the answer."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

from sim.cli import options, terminal
from sim.cli.folders import run_study
from sim.fields.numbers import general, money

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy

Method = Literal["tornado", "morris", "sobol"]


@options.expanded(*options.STUDY)
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
            help="The target: a mean (availability>=0.999), a quantile (p95(cost.total)<=50000) or a probability "
            "(P(cost.total>50000)<=0.05).",
        ),
    ],
    shared: options.Shared,
    confidence: Annotated[
        float, typer.Option("--confidence", metavar="SHARE", help="Confidence of the answer.")
    ] = 0.95,
    largest: Annotated[bool, typer.Option("--largest", help="Find the largest value, not the smallest.")] = False,
) -> None:
    """The smallest (or largest) value that keeps a target."""
    from sim import load, size

    loaded = load(scenario, shared.overrides or ())
    run_study(
        "size",
        loaded.name,
        shared,
        lambda asked: size(loaded, vary, keep, largest=largest, confidence=confidence, options=asked),
        _print_evidence,
    )


@options.expanded(*(name for name in options.STUDY if name != "precision"))
def sensitivity(
    scenario: options.ScenarioFile,
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="PATH=LOW..HIGH", help="A value and its range; repeat for each factor."),
    ],
    shared: options.Shared,
    method: Annotated[
        Method,
        typer.Option("--method", help="tornado: one at a time; morris: screens many; sobol: shares of variance."),
    ] = "tornado",
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="The metric to explain.")] = "cost.total",
    samples: Annotated[
        int | None, typer.Option("--samples", metavar="N", help="Trajectories (morris) or points (sobol).")
    ] = None,
) -> None:
    """Which assumptions move the answer most."""
    from sim import load, sensitivity

    loaded = load(scenario, shared.overrides or ())
    run_study(
        "sensitivity",
        loaded.name,
        shared,
        lambda asked: sensitivity(loaded, vary, method=method, metric=metric, samples=samples, options=asked),
        _print_factors,
    )


def _print_evidence(summary: Mapping[str, Any]) -> None:
    """Each value that was tried, with its evidence, and the answer in a sentence."""
    rows = []
    for trial in summary["trials"]:
        low, high = trial["low"], trial["high"]
        between = "–" if low is None or high is None else f"{low:.6g} … {high:.6g}"
        estimate = "–" if trial["estimate"] is None else f"{trial['estimate']:.6g}"
        cost = money(trial["mean_cost_usd"])
        rows.append((str(trial["value"]), trial["answer"], estimate, between, str(trial["n"]), cost))
    terminal.print_table(
        f"{summary['scenario']}: does {summary['path']} keep {summary['keep']}? Seed {summary['seed']}",
        (summary["path"], "answer", "estimate", "bounds", "replications", f"mean cost ({summary['currency']})"),
        rows,
        left=2,
    )
    typer.echo(summary["words"])


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
    return general(value) if isinstance(value, float) or value is None else str(value)
