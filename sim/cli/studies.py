"""`vmfleet compare` and `vmfleet sweep`: what-if studies of several scenarios on common random numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.cli import options, terminal
from sim.cli.conditions import conditions_of
from sim.cli.folders import run_study
from sim.errors import InputError
from sim.fields.numbers import how_many, probability, relative

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy


@options.expanded(*options.STUDY, "metrics", "fail_if")
def compare(
    base: Annotated[Path, typer.Argument(metavar="BASE.toml", help="What the others are compared with.")],
    shared: options.Shared,
    variants: Annotated[
        list[Path] | None, typer.Argument(metavar="VARIANT.toml ...", help="Files that are compared with it.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            metavar="'NAME: PATH=VALUE'",
            help="The base with one change, or several after commas, e.g. 'stop: group.*.when_off=stop'; repeatable.",
        ),
    ] = None,
) -> None:
    """Paired what-if on common random numbers."""
    from sim import compare, load
    from sim.studies.answers import check_metrics

    overrides = shared.overrides or ()
    scenarios = [load(path, overrides) for path in (base, *(variants or ()))]
    changed = {name: load(base, (*overrides, *paths)) for name, paths in map(change_of, changes or ())}
    if len(changed) < len(changes or ()):
        raise InputError("--variant: two have the same name; each needs its own")
    for each in (*scenarios, *changed.values()):
        check_metrics(each, *shared.metrics or ())
    check = conditions_of(shared.fail_if, [*scenarios, *changed.values()])
    found = run_study(
        "compare",
        scenarios[0].name,
        shared,
        lambda asked: compare(*scenarios, *([changed] if changed else []), options=asked),
        lambda summary: _print_comparison(summary, shared.metrics),
    )
    check({name: (result, found.confidence) for name, result in found.variants.items()})


def change_of(words: str) -> tuple[str, list[tuple[str, object]]]:
    """Name and overrides of `NAME: PATH=VALUE, PATH=VALUE`; a comma inside a value stays."""
    from sim.scenario.paths import parse_override
    from sim.studies.axes import split_outside

    name, colon, rest = (part.strip() for part in words.partition(":"))
    paths: list[str] = []
    for part in filter(None, (part.strip() for part in split_outside(rest, ","))):
        if "=" in part or not paths:
            paths.append(part)
        else:  # a comma inside a plain value
            paths[-1] += f",{part}"
    if not (name and colon) or not paths or not all("=" in path for path in paths):
        raise InputError(f"--variant {words}: write 'NAME: PATH=VALUE', such as 'stop: group.dev.when_off=stop'")
    try:
        return name, [parse_override(path) for path in paths]
    except ValueError as error:
        raise InputError(f"--variant {words}: {error}") from None


@options.expanded(*options.STUDY, "metrics")
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
    shared: options.Shared,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="METRIC<=LIMIT",
            help="A target as of `size`: name the cheapest that keeps it; repeatable.",
        ),
    ] = None,
) -> None:
    """Every combination of some values, in one table."""
    from sim import load, sweep
    from sim.runs.metrics import HEADLINES
    from sim.studies.constraints import parse_constraint

    for reading in filter(None, [parse_constraint(words).note for words in keep or ()]):
        terminal.note(reading)

    loaded, metrics = load(scenario, shared.overrides or ()), shared.metrics or HEADLINES
    run_study(
        "sweep",
        loaded.name,
        shared,
        lambda asked: sweep(loaded, vary, metrics=metrics, keep=keep or (), options=asked),
        _print_sweep,
    )


def _print_comparison(summary: Mapping[str, Any], metrics: list[str] | None) -> None:
    """For each variant its differences from the base, with their confidence."""
    from sim.runs.run_result import AS_ASKED
    from sim.scenario.month import month_in
    from sim.studies.cost_words import cost_answer, verdict_words

    answer = cost_answer(summary)
    terminal.say(*answer.sentences())
    title, columns, lines = answer.table()
    terminal.print_table(title, columns, lines)
    base = summary["base_metrics"]
    written = terminal.forms(base, summary["currency"])
    month = month_in(summary)
    for metric in metrics or ():
        if metric not in base:
            terminal.note(f"--metric {metric}: {summary['base']} has no value of it")
    for variant, differences in summary["differences"].items():
        rows = []
        for name in metrics or terminal.SUMMARY:
            found = None if month.hides(name) else differences.get(name)
            if found is None or (not metrics and not found["mean"] and not base.get(name, {}).get("mean")):
                continue
            form = written.of(name, base[name]["mean"], found["mean"], found["low"], found["high"])
            change = form.signed(found["mean"]), relative(found["relative"])
            around, sure = terminal.interval(form, found["low"], found["high"]), probability(found["p_better"])
            verdict = verdict_words(name, found, base)
            rows.append((form.title, form.text(base[name]["mean"]), *change, around, sure, verdict))
        level = f"{100 * summary['confidence']:g} % interval"
        terminal.print_table(
            f"{variant} minus {summary['base']}: {summary['replications']} paired replications, seed {summary['seed']}",
            ("metric", "base", "difference", "relative", level, "P(better)", ""),
            rows,
        )
    if summary["stopped"] != AS_ASKED:
        terminal.say(f"{how_many(summary['replications'], 'replication')}: {summary['stopped']}")
    for warning in summary["warnings"]:
        terminal.say(f"Note: {warning}")


KEEPS = {"feasible": "yes", "infeasible": "no", "undecided": "undecided"}


def _print_sweep(summary: Mapping[str, Any]) -> None:
    """One row a point: its settings, then each metric with its half-width."""
    from sim.studies.axes import value_words
    from sim.studies.sweep_words import forms_of, sweep_sentences

    terminal.say(*sweep_sentences(summary))
    keeps = summary.get("keep", [])
    paths = [path for axis in summary["axes"] for path in axis["paths"]]
    forms, rows = forms_of(summary), []
    for point in summary["points"]:
        cells = [value_words(path, point["settings"][path]) for path in paths]
        for name, form in forms.items():
            each = point["metrics"][name]
            around = terminal.interval(form, each["low"], each["high"])  # of a share it ends at 0 and 100 %
            with_bounds = (
                f"{form.text(each['mean'])} ({around})"
                if form.times != 1.0
                else f"{form.text(each['mean'])} ± {form.text(each['half_width'])}"
            )
            cells.append(form.text(each["mean"]) if each["half_width"] is None else with_bounds)
        rows.append([*cells, *(KEEPS[point["keeps"][words]] for words in keeps)])
    terminal.print_table(
        f"{summary['scenario']}: {how_many(summary['replications'], 'replication')} a point, seed {summary['seed']}",
        (*paths, *(form.title for form in forms.values()), *(f"keeps {words}" for words in keeps)),
        rows,
        left=len(paths),
    )
