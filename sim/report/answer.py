"""What the page says first: the answer in words, the few figures most readers come for, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sim.fields.metrics import LOWER, Form, Forms, Metric, Unit
from sim.fields.numbers import Scale, between, percent, plain
from sim.report import clock
from sim.report.folder import FLEET, Findings, Stat
from sim.report.totals import HoursParts, MoneyParts
from sim.statistics.intervals import ratio_interval

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
    """One of the few figures on top: what, how much, how sure."""

    what: str
    value: str
    unit: str
    sure: str
    range: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What was found, and its hours and money as shown: what every table of one page is made from."""

    findings: Findings
    stats: Mapping[str, Stat]  # of the fleet, ratios included
    hours: HoursParts
    money: MoneyParts

    @property
    def forms(self) -> Forms:
        """How the figures of this page are written."""
        return self.findings.forms


def account(findings: Findings, hours: HoursParts, money: MoneyParts) -> Account:
    """Everything the tables need; hours that are parts of a whole are those that add up as shown."""
    stats = with_ratios(findings)
    for name, shown in (
        ("billed_hours", hours.billed_total),
        ("served_hours", sum(hours.served)),
        ("wasted_hours", sum(hours.unserved)),
    ):
        if name in stats:
            stats[name] = replace(stats[name], mean=shown)
    return Account(findings=findings, stats=stats, hours=hours, money=money)


def with_ratios(findings: Findings) -> dict[str, Stat]:
    """The fleet's metrics and two ratios of means: the share billed for nothing, and the price of a served hour."""
    made = dict(findings.fleet)
    for name, row in OWN_RATIOS.items():
        top, bottom = row.ratio_of or ("", "")
        tops, bottoms = findings.outcomes.get((FLEET, top)), findings.outcomes.get((FLEET, bottom))
        if tops is not None and bottoms is not None:
            around = ratio_interval(tops.tolist(), bottoms.tolist(), findings.confidence)
            if around is not None and math.isfinite(around.mean):
                made[name] = Stat(mean=around.mean, low=around.low, high=around.high, n=around.n)
        elif findings.mean(bottom) > 0:
            made[name] = Stat(mean=findings.mean(top) / findings.mean(bottom))
    return made


def answer(told: Account) -> list[str]:
    """The main result in a few sentences."""
    findings, stats = told.findings, told.stats
    money, in_use = told.money.scale, told.hours.scale
    cost = stats.get("cost.total", Stat(mean=0.0))
    period = clock.length(findings.horizon_h - findings.warm_up_h)
    first = f"In {period} the fleet costs {money.with_unit(cost.mean)}"
    if cost.has_interval and cost.low == cost.high:
        sentences = [f"{first} in every one of {findings.replications:,} replications."]
    elif cost.has_interval:
        level = percent(findings.confidence, 0)
        first += (
            f" on average; with {level} confidence that mean is between {between(cost.low, cost.high, money, ' and ')}"
        )
        if cost.p05 is not None and cost.p05 != cost.p95:
            first += f", and nine in ten such periods come to between {between(cost.p05, cost.p95, money, ' and ')}"
        sentences = [f"{first}."]
    else:
        sentences = [f"{first} in the one replication played; more of them would tell how sure that is."]
    sentences += _odds(findings, money)
    billed = told.hours.billed_total
    if billed > 0:
        share = stats.get("wasted_share", Stat(mean=findings.mean("wasted_hours") / findings.mean("billed_hours")))
        sentences.append(
            f"It is billed for {in_use.text(billed)} VM-hours of compute. Of these, {_share_with_points(share)} or "
            f"{in_use.with_unit(sum(told.hours.unserved))} are billed but not served: nobody wanted the VM then, or it was "
            f"not ready; {in_use.with_unit(sum(told.hours.served))} are served."
        )
    else:
        sentences.append("No compute hour is billed.")
    if 2 <= len(findings.groups) <= MOST_NAMED:
        amounts = dict(zip(told.money.groups, told.money.table.rows, strict=True))
        dearest = sorted(amounts, key=lambda group: -amounts[group])
        each = [f"{group} {money.with_unit(amounts[group])}" for group in dearest]
        sentences.append(f"By group: {', '.join(each)}.")
    availability = stats.get("availability")
    if availability is not None:
        sentences.append(
            f"VMs serve in {percent(availability.mean, 2)} of the "
            f"{in_use.with_unit(findings.mean('wanted_hours'))} in which they are wanted."
        )
    return sentences


def _odds(findings: Findings, money: Scale) -> list[str]:
    """What was asked beyond the mean: the chance of breaking a budget, and whether a precision was reached."""
    sentences = []
    budget = findings.summary.get("budget")
    if budget is not None:
        # Wilson's interval to show, Clopper and Pearson's to decide by: it never promises too much.
        shown = budget.get("wilson", budget)
        words = (
            f"It exceeds {money.with_unit(budget['usd'])} with a probability of {percent(budget['breach_probability'])}"
        )
        if "replications_above" in budget:
            words += f" ({budget['replications_above']:,} of {findings.replications:,} replications)"
        words += f"; with {percent(findings.confidence, 0)} confidence that is {percent(shown['low'])} to {percent(shown['high'])}"
        sentences.append(
            f"{words}; the exact bounds, to decide by, are {percent(budget['low'])} to {percent(budget['high'])}."
        )
    stopping = findings.summary.get("stopping")
    if stopping is not None:
        asked = f"half-widths within {percent(stopping['precision'], 2)} of {', '.join(stopping['waited_for'])}"
        sentences.append(
            f"Replications went on until {asked}."
            if stopping["reached"]
            else f"The cap on replications came before the precision that was asked for ({asked})."
        )
    return sentences


def _share_with_points(share: Stat) -> str:
    """A share and how sure it is, both to the first digit of the half-width: 0.17 % (±0.02 points)."""
    if not share.has_interval or share.high == share.low:
        return percent(share.mean)
    half = ((share.high or 0.0) - (share.low or 0.0)) / 2 * 100
    decimals = min(max(1, math.ceil(-math.log10(half))), 6)
    return f"{percent(share.mean, decimals)} (\N{PLUS-MINUS SIGN}{plain(half, decimals)}\N{NO-BREAK SPACE}points)"


def shown(stat: Stat, which: str, form: Form) -> str:
    """The interval of the mean or the range of outcomes, in the form of its metric."""
    return form.between(*((stat.low, stat.high) if which == "interval" else (stat.p05, stat.p95)))


def _forms(told: Account) -> dict[str, Form]:
    """The forms of the headline metrics that there are."""
    stats, made = told.stats, {}
    for name in (*HEADLINES, *(name for name in stats if name.endswith(".used_fraction"))):
        stat = stats.get(name)
        if stat is None:
            continue
        figures = (stat.mean, stat.low, stat.high)
        made[name] = (
            OWN_RATIOS[name].form(figures, told.findings.currency)
            if name in OWN_RATIOS
            else told.forms.of(name, *figures)
        )
    if "cost_per_served_hour" in made:
        form = made["cost_per_served_hour"]
        made["cost_per_served_hour"] = replace(form, scale=replace(form.scale, unit=f"{form.unit}/h"))
    return made


def cards(told: Account) -> list[Card]:
    """The figures most readers come for."""
    forms = _forms(told)
    made = []
    for name in ("cost.total", "billed_hours", "wasted_share", "availability"):
        if name not in forms:
            continue
        stat, form = told.stats[name], forms[name]
        made.append(
            Card(
                what=form.label[:1].upper() + form.label[1:],
                value=form.text(stat.mean),
                unit=form.unit,
                sure=shown(stat, "interval", form),
                range=shown(stat, "range", form),
            )
        )
    return made


def quantile_table(told: Account) -> Table | None:
    """How high a single bill may be: quantiles over the replications with distribution-free bounds."""
    quantiles = told.findings.summary.get("bill_quantiles")
    stat = told.stats.get("cost.total")
    if not quantiles or stat is None or told.findings.replications < 2 or stat.p05 == stat.p95:
        return None
    scale = told.money.scale
    rows = []
    for name, found in quantiles.items():
        exceeded = 100 - float(name.removeprefix("p"))
        low, high = found["low"], found["high"]
        rows.append(
            [
                name.upper(),
                f"{exceeded:g}\N{NO-BREAK SPACE}%",
                scale.text(found["value"]),
                "no bound yet" if low is None else scale.text(low),
                "no bound yet" if high is None else scale.text(high),
            ]
        )
    level = percent(told.findings.confidence, 0)
    return Table(
        columns=["quantile", "of bills are higher", f"bill ({scale.unit})", f"{level}: at least", "at most"],
        rows=rows,
        words=1,
        note="Bounds from order statistics, whatever the shape of the distribution. Where there is no bound yet, more "
        "replications give one.",
    )


def headline(told: Account) -> Table:
    """The figures most asked for, with the interval of the mean and the range of outcomes in columns of their own."""
    several = told.findings.replications > 1
    rows = []
    for name, form in _forms(told).items():
        stat = told.stats[name]
        row = [form.label, form.unit, form.text(stat.mean)]
        if several:
            row += [shown(stat, "interval", form), shown(stat, "range", form)]
            row += [form.text(p) if p is not None else "" for p in (stat.p50, stat.p90, stat.p99)]
        rows.append(row)
    columns = ["", "unit", "mean" if several else "value"]
    if several:
        level = percent(told.findings.confidence, 0)
        columns += [f"{level} interval of the mean", "5\N{EN DASH}95 % range of outcomes", "P50", "P90", "P99"]
    return Table(columns=columns, rows=rows, words=2)
