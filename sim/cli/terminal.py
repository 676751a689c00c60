"""What a person sees: tables on standard output, progress on standard error and only on a terminal."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sim.cli.streams import printable
from sim.fields.metrics import Form, Forms
from sim.fields.numbers import NO_NUMBER, general, how_many, length, money
from sim.lifecycle.failures import FAILURES
from sim.scenario.month import Month, month_in

# start-up: rich and the report are loaded when something is shown
if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[int, int], None]  # (done, in all)


UNFOLDED = 100_000  # columns: a pipe gets each row in a line, for grep and copying
BETWEEN = 2  # columns between two cells of a table


def console(least: int = 0) -> Console:
    """Standard output as a person's page of at least so many columns; a pipe gets plain text and no row is folded."""
    from rich.console import Console

    # Names are the user's: "[bold]" in one is no markup.
    page = Console(highlight=False, markup=False, emoji=False, soft_wrap=False)
    page.width = max(page.width, least) if sys.stdout.isatty() else UNFOLDED
    return page


def print_json(content: object) -> None:
    """One JSON value on standard output."""
    narrow = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=narrow, allow_nan=False, default=str) + "\n")


_AS_MARKDOWN: ContextVar[bool] = ContextVar("as_markdown", default=False)


@contextmanager
def markdown(*, wanted: bool) -> Iterator[None]:
    """Tables in Markdown while the block lasts."""
    before = _AS_MARKDOWN.set(wanted)
    try:
        yield
    finally:
        _AS_MARKDOWN.reset(before)


def _print_markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> None:
    rule = [":--" if place < left else "--:" for place in range(len(columns))]
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in row) + " |"
        for row in (columns, rule, *rows)
    ]
    sys.stdout.write("\n".join(["", f"### {title}", "", *lines, "", ""]))


def say(*sentences: str, style: str = "") -> None:
    """Sentences of the answer, a line each; in Markdown a paragraph each, whatever names hold."""
    for sentence in sentences:
        if _AS_MARKDOWN.get():
            words = re.sub(r"([\\`*_|#\[\]])", r"\\\1", sentence).replace("<", "&lt;")
            sys.stdout.write(f"{words}\n\n")
        else:
            console().print(printable(sentence), style=style or None)


def note(words: str) -> None:
    """What to know beside the answer, on standard error."""
    typer.echo(f"note: {words}", err=True)


def _widths(cells: Sequence[Sequence[str]], page: int) -> list[int]:
    """Widths of columns that fit on a page: the widest give way first, down to their longest word."""
    from rich.cells import cell_len

    widths = [max(cell_len(cell) for cell in column) for column in cells]
    least = [max(cell_len(word) for cell in column for word in cell.split(" ")) for column in cells]
    while sum(widths) + BETWEEN * len(widths) > page:
        widest = max(range(len(widths)), key=lambda index: widths[index] - least[index] and widths[index])
        if widths[widest] == least[widest]:
            break
        widths[widest] -= 1
    return widths


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """A table with its first `left` columns of words and the others of figures. A word is never split."""
    if _AS_MARKDOWN.get():
        _print_markdown(title, columns, rows, left)
        return
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    kept = "\N{NO-BREAK SPACE}"  # a sign stays with its figure
    shown = [[printable(cell.replace(" %", f"{kept}%").replace(" …", f"{kept}…")) for cell in row] for row in rows]
    cells = [[printable(column), *(row[index] for row in shown)] for index, column in enumerate(columns)]
    page = console(
        sum(max(cell_len(word) for cell in column for word in cell.split(" ")) + BETWEEN for column in cells)
    )
    for index, width in enumerate(_widths(cells, page.width)):
        table.add_column(columns[index], justify="left" if index < left else "right", width=width)
    for row in shown:
        table.add_row(*row)
    with page.capture() as captured:
        page.print(printable(title), style="bold", soft_wrap=not sys.stdout.isatty())
        page.print(table)
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().split("\n")))


@contextmanager
def progress_bar(what: str, *, quiet: bool) -> Iterator[Progress]:
    """A bar with the time left, while the block lasts; silent unless standard error is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    timed = MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), *timed)
    from sim.engines.progress import progress_to  # start-up: for a terminal only

    with Progress(*columns, console=Console(stderr=True), transient=True) as bar, _on_the_terminal(bar):
        task = bar.add_task(what, total=None)
        finished = 0

        def show(done: int, total: int) -> None:
            nonlocal finished
            finished = done
            bar.update(task, completed=done, total=total)

        # Of a replication under way, the part that is simulated; the next report of a whole one overrides it.
        with progress_to(lambda share: bar.update(task, completed=finished + 0.99 * share)):
            yield show


_bars: list[Any] = []  # the bar on the terminal


@contextmanager
def _on_the_terminal(bar: Any) -> Iterator[None]:
    _bars.append(bar)
    try:
        yield
    finally:
        _bars.remove(bar)


def confirm(question: str) -> bool:
    """Ask on standard error. A bar goes away meanwhile: it would take `[y/N]` for a style, and be drawn over the question."""
    for bar in _bars:
        bar.stop()
    try:
        return typer.confirm(question, err=True)
    finally:
        for bar in _bars:
            bar.start()


@contextmanager
def working(what: str, *, quiet: bool) -> Iterator[None]:
    """Say what is done while the block lasts, where no one can know how long; on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{what} ..."):
        yield


def address(folder: Path, file: str = "") -> str:
    """A result folder, or a file in it, as a message names it: here, or in a store."""
    from sim.runs.remote import shown

    return str(Path(said) / file) if "://" not in (said := shown(folder)) else f"{said}/{file}".rstrip("/")


def build_report(folder: Path, *, quiet: bool) -> None:
    """Draw a result folder's figures and write its page."""
    from sim.report.build import build_report

    with working("drawing the report", quiet=quiet):
        build_report(folder)


SUMMARY = (
    "vms.created", "hours.running", "billed_hours", "served_hours", "wasted_hours", "availability",
    "load.served_share", "load.overload_hours", "ready.late_share", "ready.never",
    "deadline.met_share", "deadline.missed", "deadline.late_mean_s", "forgotten_hours", "evictions", "lost_work_hours",
    *(f"failures.{code}" for code in FAILURES),
    "cost.compute", "cost.license", "cost.disk", "cost.network", "cost.commitment", "cost.total", "cost.per_month", "forgotten_cost",
)  # fmt: skip
"""Metrics that a run's table shows, where they are not 0."""
ALWAYS_SHOWN = frozenset({"vms.created", "billed_hours", "cost.total"})
BY_GROUP = ("billed_hours", "served_hours", "wasted_hours", "availability", "cost.total")


def forms(metrics: Mapping[str, Any], currency: str) -> Forms:
    """How the figures of one result are written, from its metrics in a summary."""
    return Forms(currency=currency, means={name: metric["mean"] for name, metric in metrics.items()})


def interval(form: Form, low: float | None, high: float | None) -> str:
    """Two bounds in a cell."""
    return form.between(low, high, " … ") or NO_NUMBER


def _shown(metrics: Mapping[str, Any], month: Month) -> list[str]:
    """The summary's metrics, the utilisation of commitments, and uptime where the platform failed."""
    names = [*SUMMARY, *(name for name in metrics if name.endswith(".used_fraction"))]
    uptime = metrics.get("sla.uptime", {}).get("mean")
    if uptime is not None and uptime < 1.0:
        names += ["sla.uptime", "sla.credit"]
    some = [name for name in names if name in metrics and not month.hides(name)]
    return [name for name in some if metrics[name]["mean"] or name in ALWAYS_SHOWN]


def print_summary(summary: Mapping[str, Any]) -> None:
    """The answer of a run on one screen: each headline with its interval and its range, then a row for each group."""
    from sim.runs.answer_words import answer_words, stopping_words
    from sim.runs.group_costs import bounds_shown, costs_shown, mean_in  # start-up: loads the billing
    from sim.statistics.quantiles import replications_for

    metrics, count = summary["metrics"], summary["replications"]
    costs = costs_shown(mean_in(summary))
    written = forms(metrics, summary.get("currency", "USD"))
    rows = []
    for name in _shown(metrics, month_in(summary)):
        metric = metrics[name]
        form = written.of(name, *(metric[key] for key in ("mean", "low", "high")))
        mean = costs.get(name, metric["mean"])
        around = interval(form, *bounds_shown(mean, metric["low"], metric["high"]))
        high = (form.text(metric[p]) for p in ("p50", "p90", "p99"))
        rows.append((form.title, form.text(mean), around, *high))
    say(*answer_words(summary))
    title = (
        f"{summary['scenario']}: {length(summary['horizon_h'])}, {how_many(count, 'replication')}, "
        f"seed {summary['seed']}, engine {summary['engine']}, billing {summary['billing_policy']}"
    )
    level = f"{_confidence(summary)} interval of the mean"
    print_table(title, ("whole fleet", "mean", level, "P50", "P90", "P99"), rows)
    few = [f"P{100 * p:.0f} {replications_for(p)}" for p in (0.9, 0.99) if 1 < count < replications_for(p)]
    if feature := summary.get("needs_simpy"):
        say(f"Not all is simulated in the compiled engine: {feature} needs SimPy.")
    if few:
        say(f"replications needed: {', '.join(few)}", style="dim")
    if summary.get("warm_up_found"):
        say(f"left out: a start-up of {general(summary['warm_up_h'])} h, found in a pilot (MSER-5)")
    stopping = summary.get("stopping")
    if stopping is not None:
        say(stopping_words(stopping["precision"], stopping["waited_for"], stopping["reached"]), style="bold")
    if summary.get("budget") is not None:
        _print_budget(summary)
    if len(summary["groups"]) > 1:
        _print_groups(summary, written)


def _confidence(summary: Mapping[str, Any]) -> str:
    return f"{100 * summary.get('confidence', 0.95):g} %"


def _print_budget(summary: Mapping[str, Any]) -> None:
    """The probability that a bill exceeds the budget, with its bounds."""
    budget, count = summary["budget"], summary["replications"]
    asked = f"{money(budget['usd'])} {summary.get('currency', 'USD')}"
    wilson, exact = (f"{100 * each['low']:.1f} … {100 * each['high']:.1f} %" for each in (budget["wilson"], budget))
    risk = f"{100 * budget['breach_probability']:.1f} %"
    say(f"The bill exceeds {asked} with a probability of {risk}", style="bold")
    say(
        f"  {budget['replications_above']:,} of {count:,} replications; {_confidence(summary)} interval {wilson} (Wilson); "
        f"to decide by, exact bounds {exact}"
    )


def _print_groups(summary: Mapping[str, Any], written: Forms) -> None:
    """A row for each group: means; costs add up to the fleet's as shown, with what belongs to no group."""
    from sim.runs.group_costs import OF_NO_GROUP, group_costs, mean_in  # start-up: loads the billing

    groups = summary["groups"]
    costs = group_costs(mean_in(summary), [(group,) for group in groups])
    names = [*groups, *([OF_NO_GROUP] if costs.has_rest else [])]
    means: dict[str, Sequence[float | None]] = {
        name: [group["metrics"].get(name, {}).get("mean") for group in groups.values()] for name in BY_GROUP
    }
    means = {name: [*found, *[None] * costs.has_rest] for name, found in means.items()}
    means["cost.total"] = costs.table.rows
    columns = [(written.of(name, *found), found) for name, found in means.items()]
    rows = [(name, *(form.text(found[place]) for form, found in columns)) for place, name in enumerate(names)]
    print_table("By group (means)", ("group", *(form.title for form, _ in columns)), rows)
