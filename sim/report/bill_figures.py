"""Figures of hours and money: what is billed, which meters cost how much, and how bills are distributed."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sim.billing.meter_kinds import METERS
from sim.fields.numbers import Scale, percent
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.report import clock, style
from sim.report.fleet_figures import footer
from sim.report.folder import FLEET, Floats, ReportedRun, Stat
from sim.report.style import Drawn, Sheet
from sim.report.totals import HoursParts, MoneyParts, shares

MOST_SERIES = 6
LEFT_IN = 1.1  # beside the axes of the distribution
BILLED_READY, BILLED_IDLE, NOT_BILLED = "billed, ready while needed", "billed but idle", "not billed"
LOOKS = {BILLED_READY: (style.BLUE, ""), BILLED_IDLE: (style.VERMILLION, "//"), NOT_BILLED: (style.RULE, "")}
FEW = 30  # replications below which every single bill is shown as a dot


def hours_by_state(run: ReportedRun, parts: HoursParts) -> Drawn:
    """Hours in each state: billed and ready while needed, billed but idle, not billed."""
    name = "hours_by_state"
    policy = get_policy(run.policy)
    hours = {s: run.mean(f"hours.{s}") for s in PowerState if run.mean(f"hours.{s}") > 0}
    share = shares([parts.of(line) for line in range(len(parts.states))])
    served = run.mean("served_hours")
    top, row = 0.85, 0.36
    height = top + max(len(hours), 2) * row + 0.85
    period = clock.length(run.horizon_h - run.warm_up_h)
    question = f"How long are the VMs in each state in {period}, and which hours are billed?"
    sheet = Sheet(question, height, footer(run, name))
    axes = sheet.axes(left=1.25, top=top, width=6.6, height=max(len(hours), 2) * row)
    rows: list[list[object]] = [
        ["state", "billed", "hours_mean", "low", "high", "p05", "p95", "billed_served_hours", "billed_unserved_hours"]
    ]
    largest = max([*hours.values(), *(run.fleet[f"hours.{s}"].p95 or 0.0 for s in hours)], default=0.0)
    for line, (state, mean) in enumerate(hours.items()):
        stat = run.fleet[f"hours.{state}"]
        bills = policy.bills(state)
        useful = min(served, mean) if state is PowerState.RUNNING else 0.0
        rows.append([str(state), bills, mean, stat.low, stat.high, stat.p05, stat.p95])
        rows[-1] += [useful, mean - useful] if bills else [0.0, 0.0]
        parts_of_bar = [(useful, BILLED_READY), (mean - useful, BILLED_IDLE)] if bills else [(mean, NOT_BILLED)]
        left = 0.0
        for part, look in parts_of_bar:
            style.bar(axes, line, part, LOOKS[look], left=left, linewidth=0)
            left += part
        whiskers(axes, line, stat, largest)
        style.put_beside(axes, line, f"{parts.scale.with_unit(parts.of(line))}  ({share[line]})")
    horizontal(axes, largest, list(hours))
    axes.set_xlabel("VM-hours (mean over replications)" if run.replications > 1 else "VM-hours")
    handles = [style.swatch(*look, label) for label, look in LOOKS.items()]
    sheet.legend([*handles, *whisker_keys(run)], columns=5)
    return sheet.finish(name, alt="VM-hours by power state, billed and not billed.", rows=rows)


def cost_by_meter(run: ReportedRun, parts: MoneyParts) -> Drawn:
    """What each kind of meter costs, split by group if there are several."""
    name = "cost_by_meter"
    currency = run.currency
    shown = parts.meters
    share = shares(parts.table.columns)
    series = _series(run)
    top, row = (0.95 if len(series) > 1 or run.replications > 1 else 0.6), 0.42
    height = top + max(len(shown), 2) * row + 0.85
    sheet = Sheet(f"What costs how much in {clock.length(run.horizon_h - run.warm_up_h)}?", height, footer(run, name))
    axes = sheet.axes(left=1.35, top=top, width=6.5, height=max(len(shown), 2) * row)
    rows: list[list[object]] = [["meter", "group", f"mean_{currency}", "low", "high", "p05", "p95"]]
    largest = max(max(s.mean, s.p95 or 0.0) for s in (_cost(run, meter) for meter in shown))
    for line, meter in enumerate(shown):
        metric, stat = f"cost.{meter}", _cost(run, meter)
        rows.append([meter, "whole fleet", stat.mean, stat.low, stat.high, stat.p05, stat.p95])
        left = 0.0
        for i, (label, members) in enumerate(series):
            part = math.fsum(run.mean(metric, group) for group in members)
            if members == (FLEET,):
                part = stat.mean - left
            if part > 0:
                style.bar(axes, line, part, style.SERIES[i], left=left)
            if len(series) > 1:
                rows.append([meter, label, part, None, None, None, None])
            left += part
        whiskers(axes, line, stat, largest)
        words = f"  ({share[line]})" if share[line] else ""
        style.put_beside(axes, line, parts.scale.with_unit(parts.table.columns[line]) + words)
    horizontal(axes, largest, [METERS[meter].label for meter in shown])
    axes.set_xlabel(f"{currency} (mean over replications)" if run.replications > 1 else currency)
    labels = [style.shorten(label, 24) for label, _ in series] if len(series) > 1 else []
    handles = [style.swatch(*look, label) for label, look in zip(labels, style.SERIES, strict=False)]
    sheet.legend([*handles, *whisker_keys(run)], columns=5)
    return sheet.finish(name, alt="Cost by meter.", rows=rows)


def _cost(run: ReportedRun, meter: str) -> Stat:
    return run.fleet.get(f"cost.{meter}", Stat(mean=0.0))


def differ(values: Floats) -> bool:
    """Whether replications came to different figures, rounding errors apart."""
    return float(values.max() - values.min()) > 1e-9 * float(np.abs(values).max())


def bill_distribution(run: ReportedRun, scale: Scale) -> Drawn | None:
    """What the whole bill came to in each replication; None if all were the same, or the folder doesn't say."""
    name = "bill_distribution"
    bills = run.stored.outcomes.get((FLEET, "cost.total"))
    stat = run.fleet.get("cost.total")
    if bills is None or stat is None or not np.isfinite(bills).all() or not differ(bills):
        return None
    currency = run.currency
    sheet = Sheet("How much may the bill differ from one such period to the next?", 3.9, footer(run, name))
    axes = sheet.axes(left=LEFT_IN, top=1.05, width=style.WIDTH_IN - LEFT_IN - 0.35, height=1.55)
    low, high = float(bills.min()), float(bills.max())
    marks = [("P50", stat.p50), ("P90", stat.p90), ("P99", stat.p99)]
    edges, counts = _draw_bills(axes, bills)
    strip = _draw_strip(sheet, axes, stat, run.confidence)
    axes.tick_params(labelbottom=False)
    style.put_numbers(strip.xaxis, most=8)
    strip.set_xlabel(f"total bill of {clock.length(run.horizon_h - run.warm_up_h)} ({currency})")
    margin = (high - low) * 0.06
    axes.set_xlim(low - margin, high + margin)
    _mark_percentiles(axes, marks, scale, low - margin, high + margin)
    sheet.legend(strip.get_legend_handles_labels()[0], columns=5)
    rows: list[list[object]] = [["what", "from", "to", "value"]]
    rows += [["replication", None, None, float(bill)] for bill in bills]
    rows += [["bin", a, b, n] for a, b, n in zip(edges, edges[1:], counts, strict=False)]
    rows += [[label, None, None, value] for label, value in [("mean", stat.mean), *marks]]
    rows += [["interval of the mean", stat.low, stat.high, None], ["5-95 % range", stat.p05, stat.p95, None]]
    return sheet.finish(name, alt="Distribution of the total bill over replications.", rows=rows)


def _draw_bills(axes: Axes, bills: Floats) -> tuple[Sequence[float], Sequence[float]]:
    """Few bills as dots, many as a histogram; returns the histogram's edges and counts."""
    if len(bills) < FEW:
        heights = _dots(axes, bills)
        axes.set_ylim(0.0, max(4.0, heights + 1.0))
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylabel("each dot is\none replication", rotation=0, ha="right", va="center", size=8)
        return (), ()
    counts, bounds = np.histogram(bills, bins=min(40, max(8, int(len(bills) ** 0.5))))
    axes.bar(bounds[:-1], counts, np.diff(bounds), align="edge", facecolor=style.SKY, edgecolor="white", linewidth=0.8)
    axes.set_ylabel("replications")
    style.put_numbers(axes.yaxis, most=4, whole=True)
    axes.set_ylim(0.0, float(counts.max()) * 1.1)
    return bounds.tolist(), counts.tolist()


def _draw_strip(sheet: Sheet, axes: Axes, stat: Stat, confidence: float) -> Axes:
    """The interval of the mean and the range of outcomes: two lines, because they answer different questions."""
    strip = sheet.axes(left=LEFT_IN, top=2.66, width=style.WIDTH_IN - LEFT_IN - 0.35, height=0.5, share_x=axes)
    strip.set_ylim(-0.6, 1.6)
    strip.set_yticks([1, 0], ["mean", "outcomes"])
    strip.tick_params(axis="y", length=0)
    strip.spines["left"].set_visible(False)
    spans = (
        (0, stat.p05, stat.p95, style.QUIET, 2.0, "5\N{EN DASH}95 % range of outcomes"),
        (1, stat.low, stat.high, style.BLACK, 5.0, f"{percent(confidence, 0)} interval of the mean"),
    )
    for line, low, high, colour, width, label in spans:
        if low is not None and high is not None:
            strip.plot([low, high], [line] * 2, color=colour, linewidth=width, solid_capstyle="butt", label=label)
    strip.plot([stat.mean], [1], marker="D", markersize=5, color=style.VERMILLION, linestyle="none", label="mean")
    return strip


def _mark_percentiles(
    axes: Axes, marks: Sequence[tuple[str, float | None]], scale: Scale, low: float, high: float
) -> None:
    """Vertical lines with their values above; labels that would touch move up a row."""
    ends = [-1.0, -1.0, -1.0]  # where the last label of each row ends, in parts of the width
    styles = {"P50": "-", "P90": "--", "P99": ":"}
    for label, value in marks:
        if value is None:
            continue
        axes.axvline(value, color=style.INK, linewidth=1.1, linestyle=styles[label])
        words = f"{label}  {scale.text(value)}"
        at, wide = (value - low) / (high - low), 0.0085 * len(words)
        left = min(max(at - wide / 2, 0.0), 1.0 - wide)
        level = next((i for i, end in enumerate(ends) if left > end), 0)
        ends[level] = left + wide + 0.01
        axes.text(
            left + wide / 2, 1.02 + 0.1 * level, words, transform=axes.transAxes, ha="center", va="bottom", size=8
        )


def _dots(axes: Axes, values: Floats) -> float:
    """Every value a dot; those that would cover each other are stacked. Returns the height reached."""
    low, high = float(values.min()), float(values.max())
    cells = np.floor((values - low) / (high - low) * 55)
    height: dict[float, int] = {}
    for value, cell in sorted(zip(values.tolist(), cells.tolist(), strict=True)):
        height[cell] = height.get(cell, 0) + 1
        axes.plot([value], [height[cell] - 0.5], "o", markersize=6, color=style.SKY, markeredgecolor=style.BLUE)
    return float(max(height.values()))


def _series(run: ReportedRun) -> list[tuple[str, tuple[str, ...]]]:
    """The groups a bar is made of: the most expensive ones, the others together, and what belongs to no group."""
    names = sorted(run.groups, key=lambda group: -run.mean("cost.total", group))
    if len(names) <= 1:
        return [("whole fleet", (FLEET,))]
    shared = run.mean("cost.total") - math.fsum(run.mean("cost.total", group) for group in names)
    whole: list[tuple[str, tuple[str, ...]]] = (
        [("whole fleet", (FLEET,))] if abs(shared) > 1e-6 * max(1.0, run.mean("cost.total")) else []
    )
    room = MOST_SERIES - len(whole)
    if len(names) > room:
        rest = tuple(names[room - 1 :])
        return [*((name, (name,)) for name in names[: room - 1]), (f"{len(rest):,} others", rest), *whole]
    return [*((name, (name,)) for name in names), *whole]


def whiskers(axes: Axes, line: int, stat: Stat, largest: float) -> None:
    """Interval and range at the end of a bar; for a bar too short to be seen they would hide it."""
    if stat.mean < 0.01 * largest:
        return
    style.whisker(axes, line + 0.2, stat.p05, stat.p95, width=1.2, size=4, colour=style.QUIET)
    style.whisker(axes, line, stat.low, stat.high, width=1.6, size=9)


def whisker_keys(run: ReportedRun) -> list[Line2D]:
    """What the two whiskers mean; nothing for one replication, which has none."""
    if run.replications == 1:
        return []
    return [
        style.whisker_key(f"{percent(run.confidence, 0)} interval of the mean", width=1.6, size=9),
        style.whisker_key("5\N{EN DASH}95 % of replications", width=1.2, size=4, colour=style.QUIET),
    ]


def horizontal(axes: Axes, largest: float, names: Sequence[str]) -> None:
    """Axes of horizontal bars: amounts along, names without ticks."""
    style.name_lines(axes, names)
    axes.set_xlim(0.0, largest * 1.04 or 1.0)
    style.put_numbers(axes.xaxis, most=6)
