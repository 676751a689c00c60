"""The top of the page: the answer in words, and the headline figures with their intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sim.fields.metrics import LOWER, Form, Forms, Metric, Unit, trust_sentence
from sim.fields.numbers import Scale, between, percent, plain
from sim.report import clock
from sim.report.folder import FLEET, RANGE, ReportedRun, Stat
from sim.report.totals import HoursParts, MoneyParts
from sim.statistics.intervals import estimate_ratio, replications_for

MOST_NAMED = 6  # groups that the answer names one by one
HEADLINES = (
    "cost.total", "cost_per_served_hour", "billed_hours", "served_hours", "wasted_hours", "wasted_share", "wanted_hours",
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

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    totals: Sequence[str] = ()
    words: int = 1  # so many first columns are words, the others numbers
    note: str = ""
    marked: Sequence[bool] = ()  # rows that deserve attention


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A headline figure: what, how much, its interval and range."""

    what: str
    value: str
    unit: str
    sure: str
    range: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageData:
    """What was found, and its hours and money as shown: what every table of one page is made from."""

    run: ReportedRun
    stats: Mapping[str, Stat]  # of the fleet, ratios included
    hours: HoursParts
    money: MoneyParts

    @property
    def forms(self) -> Forms:
        """How the figures of this page are written."""
        return self.run.forms


def page_data(run: ReportedRun, hours: HoursParts, money: MoneyParts) -> PageData:
    """Everything the tables need; hours that are parts of a whole are those that add up as shown."""
    stats = with_ratios(run)
    for name, shown in (
        ("billed_hours", hours.billed_total),
        ("served_hours", sum(hours.served)),
        ("wasted_hours", sum(hours.unserved)),
    ):
        if name in stats:
            stats[name] = replace(stats[name], mean=shown)
    return PageData(run=run, stats=stats, hours=hours, money=money)


def with_ratios(run: ReportedRun) -> dict[str, Stat]:
    """The fleet's metrics and two ratios of means: the share billed but idle, and the cost of an hour ready while needed."""
    made = dict(run.fleet)
    for name, row in OWN_RATIOS.items():
        top, bottom = row.ratio_of or ("", "")
        tops, bottoms = run.stored.outcomes.get((FLEET, top)), run.stored.outcomes.get((FLEET, bottom))
        if tops is not None and bottoms is not None:
            around = estimate_ratio(tops.tolist(), bottoms.tolist(), run.confidence, row.domain)
            if around.mean is not None and math.isfinite(around.mean):
                made[name] = Stat(mean=around.mean, low=around.low, high=around.high, n=around.n)
        elif run.mean(bottom) > 0:
            made[name] = Stat(mean=run.mean(top) / run.mean(bottom))
    return made


def answer(data: PageData) -> list[str]:
    """The main result in a few sentences."""
    run, stats = data.run, data.stats
    money, in_use = data.money.scale, data.hours.scale
    cost = stats.get("cost.total", Stat(mean=0.0))
    period = clock.length(run.horizon_h - run.warm_up_h)
    first = f"Estimated cost: {money.with_unit(cost.mean)} for {period}"
    if "cost.per_month" in stats:  # not in an older folder
        first += f", {money.with_unit(stats['cost.per_month'].mean)} a month of 730 hours"
    if cost.has_interval and cost.low == cost.high:
        sentences = [f"{first}, the same in all {run.replications:,} replications."]
    elif cost.has_interval:
        bounds = between(cost.low, cost.high, money)
        first += f"; {percent(run.confidence, 0)} confidence interval of the mean: {bounds}"
        if cost.p05 is not None and cost.p05 != cost.p95:
            first += f"; nine in ten such periods cost {between(cost.p05, cost.p95, money)}"
        sentences = [f"{first}."]
    else:
        sentences = [f"{first}, from one replication; run more replications to get an interval."]
    if sentence := trust_sentence(stats["cost.trusted_share"].mean if "cost.trusted_share" in stats else None):
        sentences.append(sentence)
    sentences += _odds(run, money)
    billed = data.hours.billed_total
    if billed > 0:
        share = stats.get("wasted_share", Stat(mean=run.mean("wasted_hours") / run.mean("billed_hours")))
        sentences.append(
            f"Billed compute: {in_use.text(billed)} VM-hours. {share_with_points(share)} of them, "
            f"{in_use.with_unit(sum(data.hours.unserved))}, were billed but idle; in {in_use.with_unit(sum(data.hours.served))} "
            "VMs were ready while needed."
        )
    else:
        sentences.append("No compute hours are billed.")
    if 2 <= len(run.groups) <= MOST_NAMED:
        amounts = dict(zip(data.money.groups, data.money.table.rows, strict=True))
        dearest = sorted(amounts, key=lambda group: -amounts[group])
        each = [f"{group} {money.with_unit(amounts[group])}" for group in dearest]
        sentences.append(f"By group: {', '.join(each)}.")
    availability = stats.get("availability")
    if availability is not None:
        sentences.append(
            f"VMs were ready {percent(availability.mean, 2)} of the time they were needed "
            f"({in_use.with_unit(run.mean('wanted_hours'))})."
        )
    return sentences


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
        asked = f"half-widths within {percent(stopping['precision'], 2)} of {', '.join(stopping['waited_for'])}"
        sentences.append(
            f"Replications went on until {asked}."
            if stopping["reached"]
            else f"The cap on replications came before the precision that was asked for ({asked})."
        )
    return sentences


def share_with_points(share: Stat) -> str:
    """A share and how sure it is, both to the first digit of the half-width: 0.17 % (±0.02 points)."""
    if not share.has_interval or share.high == share.low:
        return percent(share.mean)
    half = ((share.high or 0.0) - (share.low or 0.0)) / 2 * 100
    decimals = min(max(1, math.ceil(-math.log10(half))), 6)
    return f"{percent(share.mean, decimals)} (\N{PLUS-MINUS SIGN}{plain(half, decimals)}\N{NO-BREAK SPACE}points)"


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
    """The forms of the headline metrics that there are."""
    stats, made = data.stats, {}
    for name in (*HEADLINES, *(name for name in stats if name.endswith(".used_fraction"))):
        stat = stats.get(name)
        if stat is None:
            continue
        figures = (stat.mean, stat.low, stat.high)
        made[name] = (
            OWN_RATIOS[name].form(figures, data.run.currency) if name in OWN_RATIOS else data.forms.of(name, *figures)
        )
    if "cost_per_served_hour" in made:
        form = made["cost_per_served_hour"]
        made["cost_per_served_hour"] = replace(form, scale=replace(form.scale, unit=f"{form.unit}/h"))
    return made


def cards(data: PageData) -> list[Card]:
    """The headline figures."""
    forms = _forms(data)
    made = []
    for name in ("cost.total", "billed_hours", "wasted_share", "availability"):
        if name not in forms:
            continue
        stat, form = data.stats[name], forms[name]
        sure, spread = (shown(stat, which, form) for which in ("interval", "range"))
        what = form.label[:1].upper() + form.label[1:]
        made.append(Card(what=what, value=form.text(stat.mean), unit=form.unit, sure=sure, range=spread))
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
        columns=["quantile", "of bills are higher", f"bill ({scale.unit})", f"{level}: at least", "at most"],
        rows=rows,
        words=1,
        note="Distribution-free bounds from order statistics. None yet: too few replications for a bound; use more with -n.",
    )


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
    columns = ["", "unit", "mean" if several else "value"]
    if several:
        level = percent(data.run.confidence, 0)
        columns += [f"{level} interval of the mean", "5\N{EN DASH}95 % range of outcomes", "P50", "P90", "P99"]
    return Table(columns=columns, rows=rows, words=2)
