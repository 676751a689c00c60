"""The figure that compares groups: what each costs, and how much of it pays for idle hours."""

import math
from collections.abc import Sequence

from sim.billing.meter_kinds import METERS
from sim.fields.numbers import how_many
from sim.fields.rounding import rounded_parts
from sim.report import style
from sim.report.answer import brief
from sim.report.axes import Key
from sim.report.bill_figures import METER_LOOK, OTHER_LOOK, ROW, horizontal, whisker_keys, whiskers
from sim.report.fleet_figures import sheet_of
from sim.report.folder import ReportedRun, Stat
from sim.report.style import Drawn
from sim.report.totals import MoneyParts
from sim.runs.metrics import FLEET
from sim.scenario.month import said_of

MOST_BARS = 12
SERVED, UNSERVED = "compute, ready while needed", "compute, billed but idle"
PART_LOOK = {SERVED: (style.BLUE, ""), UNSERVED: (style.VERMILLION, "//")} | {
    METERS[meter].label: look for meter, look in METER_LOOK.items()
}
Part = tuple[str, float]  # what for, mean amount


def cost_by_group(run: ReportedRun, money: MoneyParts) -> Drawn:
    """What each group costs a month (of other than whole weeks: in the period), by meter; compute split into ready while needed and idle."""
    rows = list(zip(money.groups, money.members, money.table.rows, strict=True))
    by_cost = sorted(rows, key=lambda row: -row[2])
    shown = by_cost[:MOST_BARS]
    left_out = len(rows) - len(shown)
    times, period = said_of(run.stored.summary, run.counted_h)
    total = run.mean("cost.total") * times
    scale = brief(total, run.currency)
    whole = math.fsum(row[2] for row in by_cost)  # as shown in tables: rounded
    parts = [row[2] * total / whole if whole else 0.0 for row in by_cost]
    words = [scale.with_unit(part) for part in rounded_parts(scale, parts, total)]
    is_parted = not run.mean("cost.commitment")
    question = f"Which group costs what of {scale.with_unit(total)} {period}?" + " What part is idle?" * is_parted
    remark = f"left out: {how_many(left_out, 'group')} of lower cost" if left_out else ""
    sheet = sheet_of(run, "cost_by_group", question, remark)
    axes = sheet.axes(max(len(shown), 2) * ROW)
    currency = run.currency
    table: list[list[object]] = [["group", "part", f"mean_{currency}", "low", "high", "p05", "p95"]]
    stats = [_total(run, members).scaled(times) for _, members, _ in shown]
    largest = max(max(stat.mean, stat.p95 or 0.0) for stat in stats)
    seen: list[str] = []
    for line, ((group, members, _), stat) in enumerate(zip(shown, stats, strict=True)):
        table.append([group, "total", stat.mean, stat.low, stat.high, stat.p05, stat.p95])
        begin = 0.0
        for what, amount in _parts(run, money, members, is_parted=is_parted):
            part = amount * times
            table.append([group, what, part, None, None, None, None])
            if part <= 0:
                continue
            seen.append(what)
            title = f"{group}, {what}: {scale.with_unit(part)}"
            axes.bar(line, part, PART_LOOK.get(what, OTHER_LOOK), left=begin, title=title)
            begin += part
        whiskers(axes, line, stat, largest)
        axes.beside(line, words[line])
    horizontal(axes, largest, [style.shorten(group, 26) for group, _, _ in shown])
    axes.x.label = run.averaged(f"{currency} {period}")
    looks = {what: PART_LOOK.get(what, OTHER_LOOK) for what in dict.fromkeys([*PART_LOOK, *seen]) if what in seen}
    sheet.key(
        *(Key(label=what, fill=fill, hatch=hatch) for what, (fill, hatch) in looks.items()),
        *whisker_keys(run, stats, largest),
    )
    said = ", ".join(f"{group} {each}" for (group, *_), each in zip(shown, words, strict=False))
    alt = f"Cost by group {period}, {scale.with_unit(total)} in all, the most expensive first: {said}."
    return sheet.finish(alt=alt, rows=table)


def _parts(run: ReportedRun, money: MoneyParts, members: Sequence[str], *, is_parted: bool) -> Sequence[Part]:
    """A bar's parts from left to right; a group has one price, so its compute is parted as its billed hours are."""
    parts: list[Part] = []
    for meter in money.meters:
        if meter != "compute" or not is_parted:
            parts.append((METERS[meter].label, math.fsum(_own(run, f"cost.{meter}", each) for each in members)))
            continue
        amount = math.fsum(_own(run, "cost.compute", each) for each in members)
        idle = math.fsum(run.idle_compute(group) for group in members if group != FLEET)
        parts += [(SERVED, amount - idle), (UNSERVED, idle)]
    return parts


def _own(run: ReportedRun, metric: str, group: str) -> float:
    """A mean of a group; for the fleet, what belongs to no group."""
    if group != FLEET:
        return run.mean(metric, group)
    return run.mean(metric) - math.fsum(run.mean(metric, each) for each in run.groups)


def _total(run: ReportedRun, members: Sequence[str]) -> Stat:
    """The cost of a bar; several groups together, or what belongs to none, have no interval of their own here."""
    if len(members) == 1 and members[0] != FLEET:
        stat = run.groups[members[0]].get("cost.total")
        if stat is not None:
            return stat
    return Stat(mean=math.fsum(_own(run, "cost.total", each) for each in members))
