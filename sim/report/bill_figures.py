"""Figures of hours and money: what is billed, which meters cost how much, cost by day, and how bills are distributed."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from sim.arrays import Floats
from sim.billing.meter_kinds import METERS
from sim.fields.numbers import Scale, how_many, length, percent
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.report import style
from sim.report.axes import Axes, Key, whisker_key
from sim.report.fleet_figures import over_time, sheet_of
from sim.report.folder import ReportedRun, Stat
from sim.report.style import Drawn
from sim.report.totals import HoursParts, MoneyParts, shares
from sim.runs.answer_words import WORTH_SAYING
from sim.runs.group_costs import OF_NO_GROUP
from sim.runs.metrics import FLEET

MOST_SERIES = 6
LEAST_SEEN = 0.006  # of the axis: the marked ends of a shorter interval would lie on one another
ROW = 26.0  # of a bar, points
BILLED_READY, BILLED_IDLE, NOT_BILLED = "billed, ready while needed", "billed but idle", "not billed"
LOOKS = {BILLED_READY: (style.BLUE, ""), BILLED_IDLE: (style.VERMILLION, "//"), NOT_BILLED: (style.RULE, "")}
METER_LOOK = {
    "compute": (style.BLUE, ""),
    "license": (style.PURPLE, "\\\\"),
    "disk": (style.QUIET, ""),
    "network": (style.GREEN, ".."),
    "commitment": (style.ORANGE, "//"),
}
OTHER_LOOK = (style.SKY, "xx")
FEW = 30  # replications below which every single bill is shown as a dot


def hours_by_state(run: ReportedRun, parts: HoursParts) -> Drawn:
    """Hours in each state: billed and ready while needed, billed but idle, not billed."""
    policy = get_policy(run.policy)
    hours = {s: run.mean(f"hours.{s}") for s in PowerState if run.mean(f"hours.{s}") > 0}
    share = shares([parts.of(line) for line in range(len(parts.states))])
    served = run.mean("served_hours")
    period = length(run.counted_h)
    sheet = sheet_of(
        run, "hours_by_state", f"How long are the VMs in each state in {period}, and which hours are billed?"
    )
    axes = sheet.axes(max(len(hours), 2) * ROW * 0.85)
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
            title = f"{state}, {look}: {parts.scale.with_unit(part)}"
            axes.bar(line, part, LOOKS[look], left=left, title=title)
            left += part
        whiskers(axes, line, stat, largest)
        axes.beside(line, f"{parts.scale.with_unit(parts.of(line))} ({share[line]})")
    horizontal(axes, largest, list(hours))
    axes.x.label = run.averaged("VM-hours")
    sheet.key(*(Key(label=label, fill=fill, hatch=hatch) for label, (fill, hatch) in LOOKS.items()))
    sheet.key(*whisker_keys(run, [run.fleet[f"hours.{state}"] for state in hours], largest))
    said = ", ".join(f"{state} {parts.scale.with_unit(parts.of(line))}" for line, state in enumerate(parts.states))
    return sheet.finish(alt=f"VM-hours by power state: {said}.", rows=rows)


def cost_by_meter(run: ReportedRun, parts: MoneyParts) -> Drawn:
    """What each kind of meter costs, split by group if there are several."""
    currency, shown = run.currency, parts.meters
    share = shares(parts.table.columns)
    series = _series(run)
    sheet = sheet_of(run, "cost_by_meter", f"What costs how much in {length(run.counted_h)}?")
    axes = sheet.axes(max(len(shown), 2) * ROW)
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
                title = f"{METERS[meter].label}, {label}: {parts.scale.with_unit(part)}"
                axes.bar(line, part, style.SERIES[i], left=left, title=title)
            if len(series) > 1:
                rows.append([meter, label, part, None, None, None, None])
            left += part
        whiskers(axes, line, stat, largest)
        words = f" ({share[line]})" if share[line] else ""
        axes.beside(line, parts.scale.with_unit(parts.table.columns[line]) + words)
    horizontal(axes, largest, [METERS[meter].label for meter in shown])
    axes.x.label = run.averaged(currency)
    labels = [style.shorten(label, 24) for label, _ in series] if len(series) > 1 else []
    sheet.key(
        *(Key(label=label, fill=fill, hatch=hatch) for label, (fill, hatch) in zip(labels, style.SERIES, strict=False))
    )
    sheet.key(*whisker_keys(run, [_cost(run, meter) for meter in shown], largest))
    amounts = zip(shown, parts.table.columns, strict=True)
    said = ", ".join(f"{METERS[meter].label} {parts.scale.with_unit(amount)}" for meter, amount in amounts)
    return sheet.finish(alt=f"Cost by meter: {said}.", rows=rows)


def _cost(run: ReportedRun, meter: str) -> Stat:
    return run.fleet.get(f"cost.{meter}", Stat(mean=0.0))


def cost_by_day(run: ReportedRun, scale: Scale) -> Drawn | None:
    """What each day costs, by meter; None where a day is like the other, or the folder doesn't say."""
    days = run.stored.cost_by_day
    if len(days) < 2 or run.start is None or run.own_start is None:
        return None
    meters = [meter for meter in METERS if any(own.get(meter) for own in days.values())]
    costs = {meter: np.array([own.get(meter, 0.0) for own in days.values()]) for meter in meters}
    # Days of the bill are days of UTC; the first and the last one may be cut by the run.
    begins = [datetime.combine(day, datetime.min.time(), UTC) for day in days]
    ends = [*begins[1:], begins[-1] + timedelta(days=1)]
    edges_h = np.array([(each - run.own_start).total_seconds() / 3600.0 for each in [*begins, ends[-1]]])
    edges_h = edges_h.clip(run.warm_up_h, run.horizon_h)
    total = sum(costs.values())
    if not isinstance(total, np.ndarray) or not differ(total[1:-1] if len(total) > 3 else total, WORTH_SAYING):
        return None
    sheet = sheet_of(run, "cost_by_day", "What does each day cost?", "days are those of UTC, the bill's clock")
    axes = sheet.axes(150)
    below = np.zeros(len(days))
    for meter, amounts in costs.items():
        fill, hatch = METER_LOOK.get(meter, OTHER_LOOK)
        axes.step_area(edges_h, below, below + amounts, (fill, hatch))
        sheet.key(Key(label=METERS[meter].label, fill=fill, hatch=hatch))
        below = below + amounts
    axes.y.label, axes.y.low, axes.y.margin = f"{run.currency} a day", 0.0, 0.06
    over_time(axes, run, edges_h, {METERS[meter].label: each for meter, each in costs.items()})
    words = f"from {scale.with_unit(float(total.min()))} to {scale.with_unit(float(total.max()))}"
    rows: list[list[object]] = [["day", *meters]]
    rows += [[str(day), *row] for day, row in zip(days, np.column_stack(list(costs.values())).tolist(), strict=True)]
    return sheet.finish(alt=f"Cost of each of {how_many(len(days), 'day')}, {words}.", rows=rows)


def differ(values: Floats, by: float = 1e-9) -> bool:
    """Whether figures differ by more than a part of the largest."""
    return float(values.max() - values.min()) > by * float(np.abs(values).max())


def bill_distribution(run: ReportedRun, scale: Scale) -> Drawn | None:
    """What the whole bill came to in each replication; None where they hardly differ, or the folder doesn't say."""
    bills = run.stored.outcome("cost.total")
    stat = run.fleet.get("cost.total")
    if bills is None or stat is None or not np.isfinite(bills).all() or not differ(bills, WORTH_SAYING):
        return None
    sheet = sheet_of(run, "bill_distribution", "How much may the bill differ from one such period to the next?")
    axes = sheet.axes(105)
    marks = [("P50", stat.p50), ("P90", stat.p90), ("P99", stat.p99)]
    edges, counts = _draw_bills(axes, bills)
    for (label, value), dash in zip(marks, ("-", "--", ":"), strict=True):
        if value is not None:
            axes.rule(value, upright=True, dash=dash)
            sheet.key(Key(label=f"{label} {scale.with_unit(value)}", line=style.INK, dash=dash, width=1.1))
    strip = sheet.axes(34)
    strip.name_lines(["mean", "outcomes"])
    spans = (
        (1, stat.p05, stat.p95, style.QUIET, 2.0, "5\N{EN DASH}95 % range of outcomes"),
        (0, stat.low, stat.high, style.BLACK, 5.0, f"{percent(run.confidence, 0)} interval of the mean"),
    )
    for line, low, high, colour, width, label in spans:
        if low is not None and high is not None:
            title = f"{label}: {scale.text(low)} to {scale.with_unit(high)}"
            strip.line([low, high], [line] * 2, colour, width=width, title=title)
            sheet.key(Key(label=label, line=colour, width=width))
    strip.dots([stat.mean], [0], style.VERMILLION, marker="D", titles=[f"mean: {scale.with_unit(stat.mean)}"])
    sheet.key(Key(label="mean", line=style.VERMILLION, marker="D", dash=""))
    margin = float(bills.max() - bills.min()) * 0.06
    for each in (axes, strip):
        each.x.low, each.x.high, each.x.most = float(bills.min()) - margin, float(bills.max()) + margin, 8
    axes.x.ticks = ()
    strip.x.label = f"total bill of {length(run.counted_h)} ({run.currency})"
    rows: list[list[object]] = [["what", "from", "to", "value"]]
    rows += [["replication", None, None, float(bill)] for bill in bills]
    rows += [["bin", a, b, n] for a, b, n in zip(edges, edges[1:], counts, strict=False)]
    rows += [[label, None, None, value] for label, value in [("mean", stat.mean), *marks]]
    rows += [["interval of the mean", stat.low, stat.high, None], ["5-95 % range", stat.p05, stat.p95, None]]
    words = f"from {scale.with_unit(float(bills.min()))} to {scale.with_unit(float(bills.max()))}"
    alt = f"Total bills of {how_many(len(bills), 'replication')}, {words}, mean {scale.with_unit(stat.mean)}."
    return sheet.finish(alt=alt, rows=rows)


def _draw_bills(axes: Axes, bills: Floats) -> tuple[Sequence[float], Sequence[float]]:
    """Few bills as dots, many as a histogram; returns the histogram's edges and counts."""
    if len(bills) < FEW:
        low, high = float(bills.min()), float(bills.max())
        stacked: dict[int, int] = {}  # those that would cover each other
        places = []
        for value in sorted(bills.tolist()):
            cell = int((value - low) / (high - low) * 55)
            stacked[cell] = stacked.get(cell, 0) + 1
            places.append((value, stacked[cell] - 0.5))
        x, y = np.array(places).T
        axes.dots(x, y, style.BLUE, size=6.0, titles=[f"{value:,.2f}" for value, _ in places])
        axes.y.ticks, axes.y.low, axes.y.high, axes.is_open = (), 0.0, max(4.0, max(stacked.values()) + 1.0), True
        axes.y.label = "each dot is one replication"
        return (), ()
    counts, bounds = np.histogram(bills, bins=min(40, max(8, int(len(bills) ** 0.5))))
    for number, begin, end in zip(counts.tolist(), bounds, bounds[1:], strict=False):
        edge = (end - begin) * 0.06
        axes.boxes(
            [(begin + edge, 0.0, end - edge, number)], (style.SKY, ""), title=f"{begin:,.2f} to {end:,.2f}: {number}"
        )
    axes.y.label, axes.y.most, axes.y.whole = "replications", 4, True
    axes.y.low, axes.y.high = 0.0, float(counts.max()) * 1.1
    return bounds.tolist(), counts.tolist()


def _series(run: ReportedRun) -> list[tuple[str, tuple[str, ...]]]:
    """The groups a bar is made of: the most expensive ones, the others together, and what belongs to no group."""
    names = sorted(run.groups, key=lambda group: -run.mean("cost.total", group))
    if len(names) <= 1:
        return [("whole fleet", (FLEET,))]
    shared = run.mean("cost.total") - math.fsum(run.mean("cost.total", group) for group in names)
    whole: list[tuple[str, tuple[str, ...]]] = (
        [(OF_NO_GROUP, (FLEET,))] if abs(shared) > 1e-6 * max(1.0, run.mean("cost.total")) else []
    )
    room = MOST_SERIES - len(whole)
    if len(names) > room:
        rest = tuple(names[room - 1 :])
        return [*((name, (name,)) for name in names[: room - 1]), (f"{len(rest):,} others", rest), *whole]
    return [*((name, (name,)) for name in names), *whole]


def whiskers(axes: Axes, line: int, stat: Stat, largest: float) -> None:
    """Interval and range at the end of a bar, where they are long enough to be seen and the bar is."""
    if stat.mean < 0.01 * largest:
        return
    if _is_seen(stat.p05, stat.p95, largest):
        axes.whisker(line + 0.2, stat.p05, stat.p95, width=1.2, size=4, colour=style.QUIET)
    if _is_seen(stat.low, stat.high, largest):
        axes.whisker(line, stat.low, stat.high, width=1.6, size=9)


def _is_seen(low: float | None, high: float | None, largest: float) -> bool:
    return low is not None and high is not None and high - low > LEAST_SEEN * largest


def whisker_keys(run: ReportedRun, stats: Sequence[Stat], largest: float) -> list[Key]:
    """What the whiskers mean that are long enough to be seen."""
    keys = []
    if any(_is_seen(stat.low, stat.high, largest) for stat in stats):
        keys.append(whisker_key(f"{percent(run.confidence, 0)} interval of the mean", width=1.6, size=9))
    if any(_is_seen(stat.p05, stat.p95, largest) for stat in stats):
        keys.append(whisker_key("5\N{EN DASH}95 % of replications", width=1.2, size=4, colour=style.QUIET))
    return keys


def horizontal(axes: Axes, largest: float, names: Sequence[str]) -> None:
    """Axes of horizontal bars: amounts along, names without ticks."""
    axes.name_lines(names)
    axes.x.low, axes.x.high = 0.0, largest * 1.04 or 1.0
