"""What the page says in words and tables: the answer, the headline figures, and parts that add up to their totals."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.experiment.statistics import ratio_interval
from sim.lifecycle.failures import FAILURES
from sim.lifecycle.operations import OPERATION_NAMES
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.report import clock
from sim.report.folder import FLEET, Findings, Stat
from sim.report.numbers import NO_NUMBER, Scale, compact, count, money_scale, percent, plain
from sim.report.parts import METER_WORDS, METERS, MOST_GROUPS, HoursParts, MoneyParts, shares

MOST_BILL_LINES = 200
OUTCOMES = ("accepted", "succeeded", "failed", "rejected")
HAPPENINGS = {
    "allocation.attempts": "attempts to find hardware",
    "allocation.failures": "attempts that found none",
    "evictions": "spot evictions",
    "host_failures": "host failures",
    "guest_crashes": "guest OS crashes",
}
COUNTS = {
    "vms.created": "VMs created",
    "vms.deleted": "VMs deleted",
    "vms.peak_allocated": "peak of VMs on hosts",
    "vms.peak_running": "peak of VMs running",
}


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
    for name, top, bottom in (
        ("wasted_share", "wasted_hours", "billed_hours"),
        ("cost_per_served_hour", "cost.total", "served_hours"),
    ):
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
        first += f" on average; with {level} confidence that mean is between {_between(cost.low, cost.high, money, ' and ')}"
        if cost.p05 is not None and cost.p05 != cost.p95:
            first += f", and nine in ten such periods come to between {_between(cost.p05, cost.p95, money, ' and ')}"
        sentences = [f"{first}."]
    else:
        sentences = [f"{first} in the one replication played; more of them would tell how sure that is."]
    billed = told.hours.billed_total
    if billed > 0:
        share = stats.get(
            "wasted_share", Stat(mean=findings.mean("wasted_hours") / findings.mean("billed_hours"))
        )
        sure = (
            f" (\N{PLUS-MINUS SIGN}{_points(share)})"
            if share.has_interval and share.high != share.low
            else ""
        )
        sentences.append(
            f"It is billed for {in_use.text(billed)} VM-hours of compute. Of these, {percent(share.mean)}{sure} or "
            f"{in_use.with_unit(sum(told.hours.unserved))} are billed but not served: nobody wanted the VM then, or it was "
            f"not ready; {in_use.with_unit(sum(told.hours.served))} are served."
        )
    else:
        sentences.append("No compute hour is billed.")
    availability = stats.get("availability")
    if availability is not None:
        sentences.append(
            f"VMs serve in {percent(availability.mean, 2)} of the "
            f"{in_use.with_unit(findings.mean('wanted_hours'))} in which they are wanted."
        )
    return sentences


def _points(share: Stat) -> str:
    half = ((share.high or 0.0) - (share.low or 0.0)) / 2 * 100
    return f"{plain(half, 1 if half >= 0.1 else 2 if half >= 0.01 else 4)}\N{NO-BREAK SPACE}points"


def _between(low: float | None, high: float | None, scale: Scale, joined: str = " to ") -> str:
    """Two bounds and their unit, in as many more decimals as it takes to tell them apart; empty where there are none."""
    if low is None or high is None:
        return ""
    for decimals in range(scale.decimals, scale.decimals + 4):
        finer = replace(scale, decimals=decimals)
        if finer.text(low) != finer.text(high):
            return f"{finer.text(low)}{joined}{finer.with_unit(high)}"
    return scale.with_unit(low) if joined == " to " else f"{scale.text(low)}{joined}{scale.with_unit(high)}"


def _shown(stat: Stat, which: str, form: Form) -> str:
    low, high = (stat.low, stat.high) if which == "interval" else (stat.p05, stat.p95)
    if low is None or high is None:
        return ""
    return _between(low * form.times, high * form.times, replace(form.scale, unit="")).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one metric is written: its name in words, its scale, and what it is multiplied by first."""

    words: str
    scale: Scale
    times: float = 1.0


def _forms(told: Account) -> dict[str, Form]:
    money, hours = told.money.scale, replace(told.hours.scale, unit="VM-h")
    per_hour = told.stats.get("cost_per_served_hour", Stat(mean=1.0)).mean
    fine = replace(money_scale(per_hour, money.unit), unit=f"{money.unit}/h")

    def share(name: str, decimals: int) -> Scale:
        """Per cent, fine enough that something is not shown as nothing, nor almost all as all."""
        part = told.stats[name].mean if name in told.stats else 0.0
        while 0.0 < part < 1.0 and decimals < 6 and round(100 * part, decimals) in (0.0, 100.0):
            decimals += 1
        return Scale(unit="%", decimals=decimals)

    forms = {
        "cost.total": Form(words="cost", scale=money),
        "cost_per_served_hour": Form(words="cost of a served hour", scale=fine),
        "billed_hours": Form(words="billed hours", scale=hours),
        "served_hours": Form(words="served hours", scale=hours),
        "wasted_hours": Form(words="billed but not served", scale=hours),
        "wasted_share": Form(words="share billed but not served", scale=share("wasted_share", 1), times=100),
        "wanted_hours": Form(words="wanted hours", scale=hours),
        "availability": Form(words="availability", scale=share("availability", 2), times=100),
    }
    forms |= {
        name: Form(words=words, scale=Scale(unit="VMs", decimals=0 if _is_whole(told, name) else 1))
        for name, words in COUNTS.items()
    }
    forms |= {
        name: Form(
            words=f"use of {name.removeprefix('commitment.').removesuffix('.used_fraction')}, of bought",
            scale=share(name, 1),
            times=100,
        )
        for name in told.stats
        if name.startswith("commitment.") and name.endswith(".used_fraction")
    }
    return {name: form for name, form in forms.items() if name in told.stats}


def _is_whole(told: Account, name: str) -> bool:
    stat = told.stats.get(name)
    return stat is None or stat.mean == round(stat.mean)


def cards(told: Account) -> list[Card]:
    """The figures most readers come for."""
    forms = _forms(told)
    made = []
    for name, what in (
        ("cost.total", "Cost"),
        ("billed_hours", "Billed compute"),
        ("wasted_share", "Billed but not served"),
        ("availability", "Availability"),
    ):
        if name not in forms:
            continue
        stat, form = told.stats[name], forms[name]
        made.append(
            Card(
                what=what,
                value=form.scale.text(stat.mean * form.times),
                unit=form.scale.unit,
                sure=_shown(stat, "interval", form),
                range=_shown(stat, "range", form),
            )
        )
    return made


def headline(told: Account) -> Table:
    """The figures most asked for, with the interval of the mean and the range of outcomes in columns of their own."""
    several = told.findings.replications > 1
    rows = []
    for name, form in _forms(told).items():
        stat = told.stats[name]
        row = [form.words, form.scale.unit, form.scale.text(stat.mean * form.times)]
        if several:
            row += [_shown(stat, "interval", form), _shown(stat, "range", form)]
            row += [
                form.scale.text(p * form.times) if p is not None else ""
                for p in (stat.p50, stat.p90, stat.p99)
            ]
        rows.append(row)
    columns = ["", "unit", "mean" if several else "value"]
    if several:
        level = percent(told.findings.confidence, 0)
        columns += [
            f"{level} interval of the mean",
            "5\N{EN DASH}95 % range of outcomes",
            "P50",
            "P90",
            "P99",
        ]
    return Table(columns=columns, rows=rows, words=2)


def hours_table(told: Account) -> Table:
    """Hours by state in three columns that add up: billed and served, billed but not served, not billed."""
    parts = told.hours
    policy = get_policy(told.findings.policy)
    text = parts.scale.text
    share = shares([parts.of(i) for i in range(len(parts.states))])
    rows = []
    for i, state in enumerate(parts.states):
        bills = policy.bills(state)
        rows.append(
            [
                str(state),
                text(parts.served[i]) if state is PowerState.RUNNING else "",
                text(parts.unserved[i]) if bills else "",
                "" if bills else text(parts.unbilled[i]),
                text(parts.of(i)),
                share[i],
            ]
        )
    sums = [sum(parts.served), sum(parts.unserved), sum(parts.unbilled), parts.total]
    return Table(
        columns=[
            "state",
            "billed and served (h)",
            "billed, not served (h)",
            "not billed (h)",
            "all (h)",
            "share",
        ],
        rows=rows,
        totals=["all", *map(text, sums), "100.0\N{NO-BREAK SPACE}%"] if rows else (),
        note=f"VM-hours, mean over replications. Policy {policy.name}: {policy.title}.",
    )


def meter_table(told: Account) -> Table:
    """Money by meter, with how sure each part is; adds up to the bill."""
    money, findings = told.money, told.findings
    words = dict(zip(METERS, METER_WORDS, strict=True))
    share = [*shares(money.table.columns), "100.0\N{NO-BREAK SPACE}%" if money.table.total > 0 else ""]
    shown = [*zip(money.meters, money.table.columns, strict=True), ("total", money.table.total)]
    rows = []
    for (meter, amount), part in zip(shown, share, strict=True):
        stat = told.stats.get(f"cost.{meter}", Stat(mean=0.0))
        row = [words.get(meter, meter), money.scale.text(amount)]
        if findings.replications > 1:
            form = Form(words="", scale=money.scale)
            row += [_shown(stat, which, form) for which in ("interval", "range")]
            # What never varies is written once: the amount may be rounded the other way, for its column's sake.
            row[2:] = [row[1] if " " not in spread else spread for spread in row[2:]]
        rows.append([*row, part])
    columns = ["meter", f"mean ({money.scale.unit})" if findings.replications > 1 else money.scale.unit]
    if findings.replications > 1:
        columns += [
            f"{percent(findings.confidence, 0)} interval of the mean",
            "5\N{EN DASH}95 % range of outcomes",
        ]
    return Table(
        columns=[*columns, "share"],
        rows=rows[:-1],
        totals=rows[-1],
        note="Rounded so that the parts add up to the total.",
    )


def cost_table(told: Account) -> Table | None:
    """Money by group and meter; rows, columns and the bill's total add up as shown. None if there is one group."""
    money = told.money
    if len(money.groups) < 2:
        return None
    words = dict(zip(METERS, METER_WORDS, strict=True))
    text = money.scale.text
    return Table(
        columns=["group", *(words[meter] for meter in money.meters), f"total ({money.scale.unit})"],
        rows=[
            [name, *(text(cell) if cell else "" for cell in cells), text(total)]
            for name, cells, total in zip(money.groups, money.table.cells, money.table.rows, strict=True)
        ],
        totals=["total", *map(text, money.table.columns), text(money.table.total)],
        note=f"{money.scale.unit}, mean over replications, rounded so that rows and columns add up; what belongs to no single "
        "group, such as commitments, stands under whole fleet.",
    )


def group_table(told: Account) -> Table | None:
    """What each group uses and gets; None for a fleet of one group."""
    findings, money = told.findings, told.money.scale
    if len(findings.groups) < 2:
        return None
    rows = []
    by_cost = sorted(findings.groups, key=lambda group: -findings.mean("cost.total", group))
    shown = list(findings.groups) if len(by_cost) <= MOST_GROUPS else by_cost[:MOST_GROUPS]
    for group in shown:
        stats = findings.groups[group]
        cost, billed = stats.get("cost.total"), findings.mean("billed_hours", group)
        availability = stats.get("availability")
        rows.append(
            [
                group,
                money.text(cost.mean if cost else None),
                _shown(cost, "interval", Form(words="", scale=money)) if cost else "",
                told.hours.scale.text(billed),
                percent(findings.mean("wasted_hours", group) / billed if billed else None),
                percent(availability.mean if availability else None, 2),
                count(findings.mean("vms.created", group)),
            ]
        )
    level = percent(findings.confidence, 0)
    left_out = len(by_cost) - len(shown)
    return Table(
        columns=[
            "group",
            f"cost ({findings.currency})",
            f"{level} interval of the mean",
            "billed (h)",
            "billed, not served",
            "availability",
            "VMs created",
        ],
        rows=rows,
        note=f"The {len(shown)} most expensive groups; {left_out:,} others are in summary.json."
        if left_out
        else "",
    )


def invoice(told: Account) -> Table | None:
    """The mean invoice, line by line; adds up to the bill."""
    findings, money = told.findings, told.money.scale
    if not findings.bill:
        return None
    total = findings.mean("cost.total")
    lines = list(findings.bill)
    rest: list[Any] = []
    if len(lines) > MOST_BILL_LINES:
        by_amount = sorted(range(len(lines)), key=lambda i: -abs(lines[i].amount))
        kept = sorted(by_amount[:MOST_BILL_LINES])
        rest = [lines[i] for i in by_amount[MOST_BILL_LINES:]]
        lines = [lines[i] for i in kept]
    amounts = [line.amount for line in lines] + ([math.fsum(line.amount for line in rest)] if rest else [])
    shown = money.parts(amounts, total)
    rows = [
        [
            line.group or "whole fleet",
            line.meter,
            plain(line.quantity, 3),
            line.unit,
            compact(float(f"{line.unit_price:.8g}")),
            money.text(amount),
        ]
        for line, amount in zip(lines, shown, strict=False)
    ]
    if rest:
        rows.append([f"{len(rest):,} smaller lines", "", "", "", "", money.text(shown[-1])])
    return Table(
        columns=[
            "group",
            "meter",
            "quantity",
            "unit",
            f"{findings.currency} per unit",
            f"amount ({findings.currency})",
        ],
        rows=rows,
        totals=["total", "", "", "", "", money.text(total)],
        words=2,
        note="Mean over replications; each replication's own lines are in bill.csv. Prices per month are of 730 hours.",
    )


def operations_table(findings: Findings) -> Table | None:
    """How often each operation was asked for, and what came of it."""
    rows = []
    for operation in OPERATION_NAMES:
        means = [findings.mean(f"operations.{operation}.{outcome}") for outcome in OUTCOMES]
        if any(means):
            rows.append([operation.replace("_", " "), *map(count, means)])
    if not rows:
        return None
    return Table(
        columns=["operation", *OUTCOMES],
        rows=rows,
        note="Mean number per replication. Rejected requests were never accepted; what is still under way at the end has "
        "neither succeeded nor failed.",
    )


def failures_table(findings: Findings) -> Table | None:
    """Failures by the platform's code and other mishaps; None for a fleet in which nothing went wrong."""
    rows = []
    codes = sorted(
        (name for name in findings.fleet if name.startswith("failures.")),
        key=lambda name: -findings.mean(name),
    )
    for name in codes:
        stat = findings.fleet[name]
        if stat.mean == 0:
            continue
        code = name.removeprefix("failures.")
        message = FAILURES[code].message.replace("{vm}", "the VM") if code in FAILURES else ""
        rows.append([code, message[:1].upper() + message[1:], count(stat.mean), _counts(stat)])
    for name, what in HAPPENINGS.items():
        happened = findings.fleet.get(name)
        if happened is not None and happened.mean:
            rows.append([what, "", count(happened.mean), _counts(happened)])
    rate = findings.fleet.get("allocation.failure_rate")
    if rate is not None and rate.mean:
        rows.append(["share of attempts that found no hardware", "", percent(rate.mean, 2), ""])
    if all(row[0] == HAPPENINGS["allocation.attempts"] for row in rows):
        return None
    return Table(
        columns=["what", "in words", "mean per replication", "5\N{EN DASH}95 % range"], rows=rows, words=2
    )


def _counts(stat: Stat) -> str:
    if stat.p05 is None or stat.p95 is None:
        return ""
    return f"{count(stat.p05)} to {count(stat.p95)}" if stat.p05 != stat.p95 else count(stat.p05)


def assumptions(findings: Findings) -> Table | None:
    """Every default that the run leans on, with its source and how far to trust it; assumptions marked."""
    defaults = findings.provenance.get("defaults")
    if not isinstance(defaults, Sequence) or not defaults:
        return None
    rows, marked = [], []
    for entry in defaults:
        users = entry.get("in_use_by", "")
        rows.append(
            [
                str(entry.get("key", "")),
                _value(entry.get("value")),
                str(entry.get("unit", "") or ""),
                str(entry.get("trust", "") or ""),
                str(entry.get("source", "") or ""),
                _few(users) if isinstance(users, list | tuple) else str(users or ""),
            ]
        )
        marked.append("assum" in str(entry.get("trust", "")).lower())
    return Table(
        columns=["default in use", "value", "unit", "trust", "source", "used by"],
        rows=rows,
        words=6,
        marked=marked,
        note="What the scenario doesn't say was taken from here. Rows on a tinted ground are assumptions: no published figure is known.",
    )


def _few(names: Sequence[object], most: int = 3) -> str:
    shown = ", ".join(map(str, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def provenance(findings: Findings) -> Table:
    """Where these figures come from: enough to make them again."""
    told: list[list[str]] = [
        ["scenario", findings.name],
        ["seed", str(findings.seed)],
        ["replications", f"{findings.replications:,}"],
        ["horizon", f"{compact(findings.horizon_h)} h"],
        ["warm-up left out", f"{compact(findings.warm_up_h)} h"],
        ["billing policy", findings.policy],
        ["engine", findings.engine or NO_NUMBER],
    ]
    rest = pairs(findings.provenance, known={pair[0] for pair in told})
    return Table(columns=["", ""], rows=[*told, *rest], words=2)


def pairs(facts: Mapping[str, Any], known: Collection[str] = ()) -> list[list[str]]:
    """A provenance file as rows of a name and a value, but for the defaults, which have a table of their own."""
    made: list[list[str]] = []
    for key, value in facts.items():
        if key not in known and key != "defaults":
            made += _flat(key.replace("_", " "), value)
    return made


def _flat(key: str, value: object) -> list[list[str]]:
    if isinstance(value, Mapping):
        return [pair for inner, each in value.items() for pair in _flat(f"{key}: {inner}", each)]
    return [[key, _value(value)]]


def _value(value: object) -> str:
    if value is None:
        return NO_NUMBER
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return compact(value)
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Mapping):
        if "dist" in value:
            rest = ", ".join(f"{key} {_value(each)}" for key, each in value.items() if key != "dist")
            return f"{value['dist']}: {rest}"
        return ", ".join(f"{key} {_value(each)}" for key, each in value.items())
    if isinstance(value, Sequence):
        return ", ".join(_value(each) for each in value)
    return json.dumps(value)
