"""`vmfleet backtest`: a past period simulated, and set against its invoice."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.cli import options, terminal
from sim.cli.azure import day_of
from sim.cli.folders import RESULTS, folder_for, keep_other_result, print_answer
from sim.errors import InputError
from sim.fields.numbers import how_many, money, relative

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy

SHOWN = 10  # causes and charges left out, on a terminal


@options.expanded("seed", "replications", "out", "overrides", "no_report", "quiet", "as_json", "as_markdown")
def backtest(
    scenario: Annotated[
        Path,
        typer.Argument(
            metavar="SCENARIO",
            help="A scenario file; or a folder of saved files, from which one is made of the days before --from.",
        ),
    ],
    actual: Annotated[
        list[Path], typer.Option("--actual", metavar="EXPORT", help="A cost export of the period; several may follow.")
    ],
    shared: options.Shared,
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[EXPORT ...]", help="More exports.", show_default=False)
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="First day of the period (UTC). [default: what the exports cover]"),
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last day, included.")] = None,
) -> None:
    """Simulate a past period and compare it with the invoice, meter by meter."""
    from sim import load
    from sim.report.build import build_report
    from sim.runs.options import whole_run
    from sim.studies.backtest import backtest as simulate

    replications = options.replications_of(shared.replications)
    count = None if replications is None else whole_run(replications)
    period = day_of(first, "--from"), day_of(last, "--to")
    with _fitted(scenario, period[0], shared) as scenario_file:
        loaded = load(scenario_file, shared.overrides or ())
        with terminal.working(f"simulating {loaded.name}", quiet=shared.silent):
            exports, asked = [*actual, *(more or ())], {"replications": count, "seed": shared.seed}
            found = simulate(loaded, exports, first=period[0], last=period[1], **asked)
    summary = found.summary()
    folder = folder_for(shared, loaded.name, "backtest")
    keep_other_result(folder, "backtest", shared)
    found.write(folder, summary)
    if not shared.no_report:
        build_report(folder)
    for warning in summary["warnings"]:  # first: they say what the figures are worth
        terminal.note(warning)
    if print_answer(summary, _print, shared):
        typer.echo(f"Wrote {folder}")


@contextmanager
def _fitted(folder: Path, first: date | None, shared: options.Shared) -> Iterator[Path]:
    """A scenario of the days before *first*, beside the result; files that it makes are gone if the input is wrong. A file is itself."""
    from sim.azure.answer import from_azure, safe_stem

    if not folder.is_dir():
        yield folder
        return
    if first is None:
        raise InputError(
            f"{folder}: give --from DAY: the scenario is made from the days before it, and tried on those from it on"
        )
    place = (shared.out or RESULTS / safe_stem(folder)).with_name(f"{safe_stem(shared.out or folder)}-fit.toml")
    place.parent.mkdir(parents=True, exist_ok=True)
    before = {*place.parent.iterdir()}
    try:
        from_azure([folder], place, last=first - timedelta(days=1))
        yield place
    except InputError:
        for path in {*place.parent.glob(f"{place.stem}.*")} - before:
            path.unlink()
        raise
    if not shared.silent:
        typer.echo(f"Wrote {place}: the days before {first}")


def print_sides(summary: Mapping[str, Any]) -> None:
    """The invoice and the simulation, kind by kind and meter by meter."""
    period = f"{summary['period']['from'][:10]} to {summary['period']['to'][:10]}"
    terminal.print_table(
        f"Invoice and simulation, {period}, at list prices, {summary['currency']}",
        ("", "actual", "simulated", "error", f"{100 * summary['confidence']:g} % range", "inside"),
        [
            *(_row(name, each) for name, each in summary["totals"].items()),
            *(_row(f"{each['meter']} {each['region']}", each) for each in summary["meters"]),
        ],
    )


def _print(summary: Mapping[str, Any]) -> None:
    print_sides(summary)
    for each in summary["causes"][:SHOWN]:
        terminal.say(f"{each['cause']}: {each['what']}")
    if len(summary["causes"]) > SHOWN:
        terminal.say(f"and {how_many(len(summary['causes']) - SHOWN, 'cause')} more, in backtest.json")
    left_out = summary["not_compared"]
    if left_out:
        cost = sum(each["cost"] for each in left_out)
        rows = how_many(sum(each["rows"] for each in left_out), "row")
        terminal.say(f"Not compared: {money(cost)} invoiced in {rows}, each kind with its reason in backtest.json")


def _row(name: str, each: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = each["interval"]["low"], each["interval"]["high"]
    return (
        name, money(each["actual"]["list"]), money(each["simulated"]["list"]),
        "–" if each["error"] is None else relative(each["error"]),
        "–" if low is None else f"{money(low)} … {money(high)}", {True: "yes", False: "no", None: "–"}[each["inside"]],
    )  # fmt: skip
