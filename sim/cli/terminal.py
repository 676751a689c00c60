"""What a person sees: tables on standard output, progress on standard error and only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[int, int], None]  # (done, in all)


def console() -> Console:
    """Standard output as a person's page; a pipe gets plain text, wide enough that no row is folded."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 110)


def print_json(content: object) -> None:
    """One JSON value on standard output."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
    """A table with its first `left` columns of words and the others of figures."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)


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

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def working(what: str, *, quiet: bool) -> Iterator[None]:
    """Say what is done while the block lasts, where nobody can know how long; on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{what} ..."):
        yield


def build_report(folder: Path, *, quiet: bool) -> None:
    """Draw a result folder's figures and write its page."""
    from sim.report.build import build

    with working("drawing the report", quiet=quiet):
        build(folder)


def figure(value: float | None, unit: str = "") -> str:
    """A number as a reader wants it: four or five digits that matter, thousands apart, its unit."""
    if value is None:
        return "–"
    size = abs(value)
    digits = 0 if size >= 10_000 or value == int(value) else 1 if size >= 100 else 2 if size >= 1 else 4
    return f"{value:z,.{digits}f}" + (f" {unit}" if unit else "")


def money(value: float | None) -> str:
    """An amount of money; cents only where they can be seen beside the amount."""
    if value is None:
        return "–"
    return f"{value:z,.0f}" if abs(value) >= 10_000 else f"{value:z,.2f}"


def percent(value: float | None) -> str:
    """A share as a percentage; what is not all is never shown as all, nor something as nothing."""
    if value is None:
        return "–"
    decimals = 3
    while decimals < 7 and value not in (0.0, 1.0) and round(100 * abs(value), decimals) in (0.0, 100.0):
        decimals += 1
    return f"{100 * value:z.{decimals}f} %"


def percent_change(value: float | None) -> str:
    """A relative difference as a percentage; beyond tenfold a percentage says nothing any more."""
    return "" if value is None or abs(value) > 10 else f"{100 * value:+z.2f} %"


HEADLINES: Mapping[str, tuple[str, Callable[[float | None], str]]] = {
    "vms.created": ("VMs created", figure),
    "hours.running": ("hours running", figure),
    "billed_hours": ("hours billed", figure),
    "served_hours": ("hours served", figure),
    "wasted_hours": ("hours wasted (billed, not served)", figure),
    "availability": ("availability (served / wanted)", percent),
    "cost.compute": ("compute, USD", money),
    "cost.license": ("licences, USD", money),
    "cost.disk": ("disks, USD", money),
    "cost.network": ("network, USD", money),
    "cost.commitment": ("commitments, USD", money),
    "cost.total": ("total, USD", money),
}
ALWAYS_SHOWN = frozenset({"vms.created", "billed_hours", "cost.total"})


def _commitment_tables(metrics: Mapping[str, Any]) -> Mapping[str, tuple[str, Callable[[float | None], str]]]:
    """Headlines of what was promised: commitments' use, and uptime where the platform has failed anybody."""
    found: dict[str, tuple[str, Callable[[float | None], str]]] = {}
    for name in metrics:
        if name.startswith("commitment.") and name.endswith(".used_fraction"):
            found[name] = (f"used of {name.removeprefix('commitment.').removesuffix('.used_fraction')}", percent)
    uptime = metrics.get("sla.uptime", {}).get("mean")
    if uptime is not None and uptime < 1.0:
        found["sla.uptime"] = ("uptime of deployments", percent)
        found["sla.credit"] = ("service credits to claim, USD", money)
    return found


def in_currency(words: str, currency: str) -> str:
    """A headline's words with the price list's own currency for US dollars."""
    return words.replace("USD", currency)


def print_summary(summary: Mapping[str, Any]) -> None:
    """The answer of a run on one screen: each headline with its interval and its range, then a row for each group."""
    metrics = summary["metrics"]
    currency = summary.get("currency", "USD")
    confidence = f"{100 * summary.get('confidence', 0.95):g} %"
    rows = []
    for name, (words, write) in {**HEADLINES, **_commitment_tables(metrics)}.items():
        metric = metrics.get(name)
        if metric is None or (not metric["mean"] and name not in ALWAYS_SHOWN):
            continue
        interval = "–" if metric["low"] is None else f"{write(metric['low'])} … {write(metric['high'])}"
        rows.append(
            (
                in_currency(words, currency),
                write(metric["mean"]),
                interval,
                write(metric["p50"]),
                write(metric["p90"]),
                write(metric["p99"]),
            )
        )
    count = summary["replications"]
    title = (
        f"{summary['scenario']}: {figure(summary['horizon_h'])} h, {count} replication{'s' * (count != 1)}, "
        f"seed {summary['seed']}, engine {summary['engine']}, billing {summary['billing_policy']}"
    )
    print_table(title, ("whole fleet", "mean", f"{confidence} interval of the mean", "P50", "P90", "P99"), rows)
    if summary.get("warm_up_found"):
        console().print(f"left out: a start-up of {figure(summary['warm_up_h'])} h, found in a pilot (MSER-5)")
    stopping = summary.get("stopping")
    if stopping is not None:
        asked = f"half-widths within {stopping['precision']:.3g} of {', '.join(stopping['waited_for'])}"
        console().print(f"{asked}: {'reached' if stopping['reached'] else 'NOT reached before the cap'}", style="bold")
    budget = summary.get("budget")
    if budget is not None:
        words = f"The bill exceeds {money(budget['usd'])} {currency} with a probability of {100 * budget['breach_probability']:.1f} %"
        wilson, exact = (
            f"{100 * bounds['low']:.1f} … {100 * bounds['high']:.1f} %" for bounds in (budget["wilson"], budget)
        )
        console().print(words, style="bold")
        console().print(
            f"  {budget['replications_above']:,} of {count:,} replications; {confidence} interval {wilson} (Wilson); "
            f"to decide by, exact bounds {exact}"
        )
    groups = summary["groups"]
    if len(groups) > 1:
        shown = ("billed_hours", "served_hours", "wasted_hours", "availability", "cost.total")
        print_table(
            "By group (means)",
            ("group", *(in_currency(HEADLINES[name][0], currency) for name in shown)),
            [
                (group, *(HEADLINES[name][1](content["metrics"].get(name, {}).get("mean")) for name in shown))
                for group, content in groups.items()
            ],
        )
