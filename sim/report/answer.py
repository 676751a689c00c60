"""The top of the page: the answer in words, and the headline figures with their intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sim.fields.metrics import LOWER, Form, Metric, Unit
from sim.fields.numbers import Scale, between, count, length, money_decimals, percent, plain
from sim.fields.rounding import rounded_parts
from sim.report.folder import RANGE, ReportedRun, Stat
from sim.report.totals import HoursParts, MoneyParts
from sim.runs.answer_words import answer_words, stopping_words
from sim.scenario.month import month_in, said_of
from sim.statistics.intervals import estimate_ratio
from sim.statistics.quantiles import replications_for

LEAST_IDLE = 0.005  # of the billed hours; less is hardly any
MOST_NAMED = 6  # groups that the answer names one by one
TABLED = (
    "cost.per_month", "cost.total", "cost.compute", "cost.license", "cost.disk", "cost.network", "cost.commitment",
    "cost_per_served_hour", "billed_hours", "served_hours", "wasted_hours", "wasted_share", "wanted_hours",
    "availability", "vms.created", "vms.deleted", "vms.peak_allocated", "vms.peak_running",
)  # fmt: skip
OWN_RATIOS = {
    row.name: row
    for row in (
        Metric(
            name="wasted_share", label="share billed but idle", unit=Unit.SHARE, section="ratios", better=LOWER,
            definition="hours billed but idle over billed hours", ratio_of=("wasted_hours", "billed_hours"),
        ),
        Metric(
            name="cost_per_served_hour", label="cost of an hour ready while needed", unit=Unit.MONEY, section="ratios",
            better=LOWER, definition="cost over hours ready while needed", ratio_of=("cost.total", "served_hours"),
        ),
    )
}  # fmt: skip
"""Ratios that only this page shows: they can be had from any result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the page: cells are words already; *totals* is a last row, set apart."""

    caption: str = ""  # what it shows; empty: the heading above says it
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    totals: Sequence[str] = ()
    words: int = 1  # so many first columns are words, the others numbers
    note: str = ""
    marked: Sequence[bool] = ()  # rows that deserve attention


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A headline figure: what, how much, and a few words on it."""

    what: str
    value: str
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageData:
    """What was found, and its hours and money as shown: what every table of one page is made from."""

    run: ReportedRun
    stats: Mapping[str, Stat]  # of the fleet, ratios included
    hours: HoursParts
    money: MoneyParts


def page_data(run: ReportedRun, hours: HoursParts, money: MoneyParts) -> PageData:
    """Everything the tables need; hours and amounts that are parts of a whole are those that add up as shown."""
    stats = with_ratios(run)
    for name, shown in (
        ("billed_hours", hours.billed_total),
        ("served_hours", sum(hours.served)),
        ("wasted_hours", sum(hours.unserved)),
        *((f"cost.{meter}", amount) for meter, amount in zip(money.meters, money.table.columns, strict=True)),
    ):
        if name in stats:
            stats[name] = replace(stats[name], mean=shown)
    return PageData(run=run, stats=stats, hours=hours, money=money)


def with_ratios(run: ReportedRun) -> dict[str, Stat]:
    """The fleet's metrics and two ratios of means: the share billed but idle, and the cost of an hour ready while needed."""
    made = dict(run.fleet)
    for name, row in OWN_RATIOS.items():
        top, bottom = row.ratio_of or ("", "")
        tops, bottoms = run.stored.outcome(top), run.stored.outcome(bottom)
        if tops is not None and bottoms is not None:
            around = estimate_ratio(tops.tolist(), bottoms.tolist(), run.confidence, row.domain)
            if around.mean is not None and math.isfinite(around.mean):
                made[name] = Stat(mean=around.mean, low=around.low, high=around.high, n=around.n)
        elif run.mean(bottom) > 0:
            made[name] = Stat(mean=run.mean(top) / run.mean(bottom))
    return made


def brief(amount: float, currency: str) -> Scale:
    """Money as a decision needs it: no cents from a thousand on, and only cents from one on."""
    return Scale(unit=currency, decimals=max(0, money_decimals(amount)))


def answer(data: PageData) -> list[str]:
    """The main result in a few sentences: money a month first, then what it pays for."""
    run, stats, in_use = data.run, data.stats, data.hours.scale
    cost = stats.get("cost.total", Stat(mean=0.0))
    money = brief(cost.mean, run.currency)
    period = length(run.counted_h)
    bills = None if cost.p05 is None or cost.p95 is None else (cost.p05, cost.p95)
    sentences = answer_words(run.stored.summary, bills)
    billed = data.hours.billed_total
    if billed > 0:
        sentences.append(_idle_words(data, in_use.with_unit(billed), in_use.with_unit(sum(data.hours.unserved))))
    else:
        sentences.append("No compute hours are billed.")
    if 2 <= len(run.groups) <= MOST_NAMED:
        amounts = dict(zip(data.money.groups, rounded_parts(money, data.money.table.rows, cost.mean), strict=True))
        dearest = sorted(amounts, key=lambda group: -amounts[group])
        each = [f"{group} {money.with_unit(amounts[group])}" for group in dearest]
        sentences.append(f"By group, for {period}: {', '.join(each)}.")
    availability = stats.get("availability")
    if availability is not None:
        sentences.append(f"VMs were ready {percent(availability.mean, 2)} of the time they were needed.")
    sentences += _odds(run, data.money.scale)
    if adjusted := run.stored.provenance.get("catalogue", {}).get("adjusted"):
        sentences.append(f"Prices of the list were {adjusted}.")
    return sentences


def _idle_words(data: PageData, billed: str, idle: str) -> str:
    """What part of the billed hours was idle, and what that costs a month."""
    share = _idle_share(data)
    if share < LEAST_IDLE:
        return f"Almost none of the {billed} billed were idle ({idle})."
    words = f"{percent(share, 0 if share >= 0.1 else 1)} of the billed hours were idle ({idle} of {billed})"
    paid = idle_cost(data)
    per = " a month" if month_in(data.run.stored.summary).is_known else ""
    return (
        f"{words}; that is {brief(paid, data.run.currency).with_unit(paid)} of compute{per}." if paid else f"{words}."
    )


def _idle_share(data: PageData) -> float:
    return data.stats["wasted_share"].mean if "wasted_share" in data.stats else 0.0


def a_month(data: PageData) -> Stat:
    """The cost of 730 hours, or of the period where it says nothing of a month."""
    times, _ = said_of(data.run.stored.summary, data.run.counted_h)
    return data.run.fleet.get("cost.total", Stat(mean=0.0)).scaled(times)


def idle_cost(data: PageData) -> float | None:
    """What idle hours cost in compute, a month as `a_month` has it; None where commitments pay for hours, too: no one knows for which."""
    run = data.run
    if run.mean("cost.commitment") or not run.mean("cost.total"):
        return None
    return math.fsum(map(run.idle_compute, run.groups)) * a_month(data).mean / run.mean("cost.total")


def _odds(run: ReportedRun, money: Scale) -> list[str]:
    """The probability of exceeding a budget, and whether the precision was reached."""
    sentences = []
    budget = run.stored.summary.get("budget")
    if budget is not None:
        # Wilson's interval to show, Clopper and Pearson's to decide by: it never claims too much.
        shown = budget.get("wilson", budget)
        words = (
            f"It exceeds {money.with_unit(budget['usd'])} with a probability of {percent(budget['breach_probability'])}"
        )
        if "replications_above" in budget:
            words += f" ({budget['replications_above']:,} of {run.replications:,} replications)"
        words += f"; with {percent(run.confidence, 0)} confidence that is {percent(shown['low'])} to {percent(shown['high'])}"
        sentences.append(
            f"{words}; the exact bounds, to decide by, are {percent(budget['low'])} to {percent(budget['high'])}."
        )
    stopping = run.stored.summary.get("stopping")
    if stopping is not None:
        sentences.append(stopping_words(stopping["precision"], stopping["waited_for"], stopping["reached"]))
    return sentences


def needs(p: float, n: int) -> str:
    """In place of a quantile: what it takes, where *n* replications are too few; else it has none (a ratio of means)."""
    least = replications_for(p)
    return f"needs {least}" if n < least else "\N{EN DASH}"


def shown(stat: Stat, which: str, form: Form) -> str:
    """The interval of the mean or the range of outcomes, in the form of its metric."""
    if which == "range" and stat.has_interval and stat.p05 is None:
        return needs(RANGE[0], stat.n)
    return form.between(*((stat.low, stat.high) if which == "interval" else (stat.p05, stat.p95)))


def _forms(data: PageData) -> dict[str, Form]:
    """The forms of those of `TABLED` that there are, and of the use of commitments."""
    stats, made = data.stats, {}
    month = month_in(data.run.stored.summary)
    for name in (*TABLED, *(name for name in stats if name.endswith(".used_fraction"))):
        stat = None if month.hides(name) else stats.get(name)
        if stat is None or (name.startswith("cost.") and not stat.mean and name != "cost.total"):
            continue
        figures = (stat.mean, stat.low, stat.high)
        made[name] = (
            OWN_RATIOS[name].form(figures, data.run.currency)
            if name in OWN_RATIOS
            else data.run.forms.of(name, *figures)
        )
    if "cost_per_served_hour" in made:
        form = made["cost_per_served_hour"]
        made["cost_per_served_hour"] = replace(form, scale=replace(form.scale, unit=f"{form.unit}/h"))
    return made


def cards(data: PageData) -> list[Card]:
    """The headline figures."""
    run, stats, month = data.run, data.stats, a_month(data)
    money, is_month = brief(month.mean, run.currency), month_in(run.stored.summary).is_known
    period = f"for {length(run.counted_h)}"
    what, note = ("Cost a month", "of 730 hours") if is_month else ("Cost", period)
    made = [Card(what=what, value=money.text(month.mean), unit=run.currency, note=note)]
    if (idle := _idle_share(data)) >= LEAST_IDLE:
        words = f"{percent(idle, 0 if idle >= 0.1 else 1)} of the billed hours"
        if paid := idle_cost(data):
            about = {
                "value": brief(paid, run.currency).text(paid),
                "unit": run.currency,
                "note": f"{'a month' if is_month else period}; {words}",
            }
            made.append(Card(what="Paid for idle hours", **about))
        else:
            made.append(Card(what="Billed but idle", value=plain(100 * idle, 0), unit="%", note="of the billed hours"))
    if "availability" in stats:
        form = data.run.forms.of("availability", stats["availability"].mean)
        made.append(
            Card(what="Ready while needed", value=form.text(stats["availability"].mean), unit="%", note="of the time")
        )
    if "vms.peak_allocated" in stats:
        most = stats["vms.peak_allocated"].mean
        made.append(Card(what="VMs on hosts", value=count(most), unit="VMs", note="at most at once"))
    return made


def quantile_table(data: PageData) -> Table | None:
    """How high a single bill may be: quantiles over the replications with distribution-free bounds."""
    quantiles = data.run.stored.summary.get("bill_quantiles")
    stat = data.stats.get("cost.total")
    if not quantiles or stat is None or data.run.replications < 2 or stat.low == stat.high:
        return None
    scale = data.money.scale
    rows = []
    for name, found in quantiles.items():
        p = float(name.removeprefix("p"))
        value = needs(p / 100, data.run.replications) if found["value"] is None else scale.text(found["value"])
        bounds = ["none yet" if found[end] is None else scale.text(found[end]) for end in ("low", "high")]
        rows.append([name.upper(), f"{100 - p:g}\N{NO-BREAK SPACE}%", value, *bounds])
    level = percent(data.run.confidence, 0)
    return Table(
        caption="How high a single bill may be",
        columns=["quantile", "of bills are higher", f"bill ({scale.unit})", f"{level}: at least", "at most"],
        rows=rows,
        words=1,
        note="Distribution-free bounds from order statistics. None yet: too few replications for a bound; use more with -n.",
    )


def precision_note(data: PageData) -> Table | None:
    """How precise the mean of the bill is, as a row: what a figure would only repeat."""
    run, cost = data.run, data.stats.get("cost.total")
    if cost is None or run.replications == 1:
        return None
    scale = data.money.scale
    error = ((cost.high or 0.0) - (cost.low or 0.0)) / 2
    bills = run.stored.outcome("cost.total")
    rows = [
        ["mean", scale.with_unit(cost.mean)],
        ["simulation error of the mean", f"\N{PLUS-MINUS SIGN}{scale.with_unit(error)}"],
    ]
    if bills is not None and bills.size:
        rows.append(["all replications", between(float(bills.min()), float(bills.max()), scale)])
    return Table(caption="The bill over replications", columns=["what", "bill"], rows=rows)


def headline(data: PageData) -> Table:
    """The figures most asked for, with the interval of the mean and the range of outcomes in columns of their own."""
    several = data.run.replications > 1
    rows = []
    for name, form in _forms(data).items():
        stat = data.stats[name]
        row = [form.label, form.unit, form.text(stat.mean)]
        if several:
            row += [shown(stat, "interval", form), shown(stat, "range", form)]
            percentiles = ((0.5, stat.p50), (0.9, stat.p90), (0.99, stat.p99))
            row += [needs(p, stat.n) if value is None else form.text(value) for p, value in percentiles]
        rows.append(row)
    columns = ["metric", "unit", "mean" if several else "value"]
    if several:
        level = percent(data.run.confidence, 0)
        columns += [f"{level} interval of the mean", "5\N{EN DASH}95 % range of outcomes", "P50", "P90", "P99"]
    note = "" if several else "One replication: there is no interval. Run more replications (-n) to get intervals."
    return Table(caption="Headline figures", columns=columns, rows=rows, words=2, note=note)
