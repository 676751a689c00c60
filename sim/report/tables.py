"""Tables of the page: hours, money, groups, operations and failures; parts add up to their totals as shown."""

import math
from collections.abc import Sequence

from sim.billing.meter_kinds import METERS
from sim.fields.messages import capital
from sim.fields.numbers import compact, count, in_currency, percent, plain
from sim.fields.rounding import RoundedTable, rounded_table
from sim.lifecycle.failures import FAILURES
from sim.lifecycle.operations import OPERATION_NAMES
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.report.answer import PageData, Table, shown
from sim.report.totals import MOST_GROUPS, MoneyParts, shares
from sim.runs.group_costs import OF_NO_GROUP

MOST_BILL_LINES = 200
OUTCOMES = ("accepted", "succeeded", "failed", "rejected")
HAPPENINGS = ("host_failures", "guest_crashes", "service_healings", "maintenance_impacts")


def hours_table(data: PageData) -> Table:
    """Hours by state in three columns that add up: billed and ready while needed, billed but idle, not billed."""
    parts = data.hours
    policy = get_policy(data.run.policy)
    text = parts.scale.text
    share = shares([parts.of(i) for i in range(len(parts.states))])
    rows = []
    for i, state in enumerate(parts.states):
        served = text(parts.served[i]) if state is PowerState.RUNNING else ""
        by_bill = [text(parts.unserved[i]), ""] if policy.bills(state) else ["", text(parts.unbilled[i])]
        rows.append([str(state), served, *by_bill, text(parts.of(i)), share[i]])
    sums = [sum(parts.served), sum(parts.unserved), sum(parts.unbilled), parts.total]
    return Table(
        caption="Hours by state",
        columns=[
            "state", "billed, ready while needed (h)", "billed but idle (h)", "not billed (h)", "all (h)", "share",
        ],
        rows=rows,
        totals=["all", *map(text, sums), "100.0\N{NO-BREAK SPACE}%"] if rows else (),
        note=f"VM-hours, mean over replications. Policy {policy.name}: {policy.title}.",
    )  # fmt: skip


def meter_table(data: PageData) -> Table:
    """Money by meter; adds up to the bill."""
    money = data.money
    share = [*shares(money.table.columns), "100.0\N{NO-BREAK SPACE}%" if money.table.total > 0 else ""]
    amounts = [*zip(money.meters, money.table.columns, strict=True), ("total", money.table.total)]
    rows = [
        [METERS[meter].label if meter in METERS else meter, money.scale.text(amount), part]
        for (meter, amount), part in zip(amounts, share, strict=True)
    ]
    return Table(
        caption="Cost by meter",
        columns=["meter", money.scale.unit, "share"],
        rows=rows[:-1],
        totals=rows[-1],
        note="Rounded so that the parts add up to the total.",
    )


def cost_table(data: PageData) -> Table | None:
    """Money by group and meter; rows, columns and the bill's total add up as shown. None if there is one group."""
    money = data.money
    if len(money.groups) < 2:
        return None
    note = (
        f"{money.scale.unit}, mean over replications, rounded so that rows and columns add up; commitments "
        "belong to no single group."
    )
    return _money_by_meter(money, "group", money.groups, money.table, note)


def month_table(data: PageData) -> Table | None:
    """Money by calendar month and meter; None for a run within one month."""
    money = data.money
    by_month = {month: own for month, own in data.run.stored.cost_by_month.items() if any(own.values())}
    if len(by_month) < 2:
        return None
    cells = [[own.get(meter, 0.0) for meter in money.meters] for own in by_month.values()]
    table = rounded_table(money.scale, cells, math.fsum(map(math.fsum, cells)))
    note = "Mean over replications; the days are in cost_timeline.parquet."
    return _money_by_meter(money, "month (UTC)", [*by_month], table, note)


def _money_by_meter(money: MoneyParts, what: str, names: Sequence[str], table: RoundedTable, note: str) -> Table:
    """A row for each name, a column for each meter, and the totals of both."""
    text = money.scale.text
    return Table(
        caption=f"Cost by {what}",
        columns=[what, *(METERS[meter].label for meter in money.meters), f"total ({money.scale.unit})"],
        rows=[
            [name, *(text(cell) if cell else "" for cell in cells), text(total)]
            for name, cells, total in zip(names, table.cells, table.rows, strict=True)
        ],
        totals=["total", *map(text, table.columns), text(table.total)],
        note=note,
    )


def group_table(data: PageData) -> Table | None:
    """What each group uses and gets; None for a fleet of one group."""
    run, money = data.run, data.money.scale
    if len(run.groups) < 2:
        return None
    rows = []
    by_cost = sorted(run.groups, key=lambda group: -run.mean("cost.total", group))
    listed = list(run.groups) if len(by_cost) <= MOST_GROUPS else by_cost[:MOST_GROUPS]
    for group in listed:
        cost, availability = (run.groups[group].get(name) for name in ("cost.total", "availability"))
        billed = run.mean("billed_hours", group)
        paid = money.text(cost.mean if cost else None)
        idle = percent(run.mean("wasted_hours", group) / billed if billed else None)
        served, created = percent(availability.mean if availability else None, 2), count(run.mean("vms.created", group))
        rows.append([group, paid, data.hours.scale.text(billed), idle, served, created])
    left_out = len(by_cost) - len(listed)
    return Table(
        caption="What each group uses",
        columns=[
            "group", f"cost ({run.currency})", "billed (h)", "billed but idle",
            "availability", "VMs created",
        ],
        rows=rows,
        note=f"The {len(listed)} most expensive groups; {left_out:,} others are in summary.json." if left_out else "",
    )  # fmt: skip


def invoice(data: PageData) -> Table | None:
    """The mean invoice, line by line; adds up to the bill."""
    run, money = data.run, data.money.scale
    if not run.stored.mean_bill:
        return None
    amounts = data.money.lines(run)
    by_amount = sorted(range(len(amounts)), key=lambda i: -abs(run.stored.mean_bill[i].amount))
    kept, rest = sorted(by_amount[:MOST_BILL_LINES]), by_amount[MOST_BILL_LINES:]
    rows = []
    for i in kept:
        line = run.stored.mean_bill[i]
        unit, price = in_currency(line.unit, run.currency), compact(float(f"{line.unit_price:.8g}"))
        row = [line.group or OF_NO_GROUP, line.meter, plain(line.quantity, 3), unit, price]
        rows.append([*row, money.text(amounts[i])])
    if rest:
        smaller = math.fsum(amounts[i] for i in rest)
        rows.append([f"{len(rest):,} smaller lines", "", "", "", "", money.text(smaller)])
    return Table(
        caption="The mean invoice",
        columns=["group", "meter", "quantity", "unit", f"{run.currency} per unit", f"amount ({run.currency})"],
        rows=rows,
        totals=["total", "", "", "", "", money.text(data.money.table.total)],
        words=2,
        note="Mean over replications, rounded so that the lines make up the meters and groups above; each replication's own "
        "lines are in bill.csv. What a commitment covers is listed at price 0.",
    )


def operations_table(data: PageData) -> Table | None:
    """How often each operation was asked for, and what came of it."""
    run = data.run
    rows = []
    for operation in OPERATION_NAMES:
        means = [run.mean(f"operations.{operation}.{outcome}") for outcome in OUTCOMES]
        if any(means):
            rows.append([operation.replace("_", " "), *map(count, means)])
    if not rows:
        return None
    return Table(
        caption="Operations",
        columns=["operation", *OUTCOMES],
        rows=rows,
        note="Mean number per replication. Rejected requests were never accepted; what is still under way at the end has "
        "neither succeeded nor failed.",
    )


def failures_table(data: PageData) -> Table | None:
    """Failures by the platform's code and other mishaps; None for a fleet in which nothing went wrong."""
    run = data.run
    rows = []
    codes = sorted((name for name in run.fleet if name.startswith("failures.")), key=lambda name: -run.mean(name))
    for name in codes:
        stat = run.fleet[name]
        if stat.mean == 0:
            continue
        code = name.removeprefix("failures.")
        message = FAILURES[code].message.replace("{vm}", "the VM") if code in FAILURES else ""
        form = run.forms.of(name, stat.mean)
        rows.append([code, capital(message), form.text(stat.mean), shown(stat, "range", form)])
    for name in HAPPENINGS:
        event = run.fleet.get(name)
        if event is None or not event.mean:
            continue
        form = run.forms.of(name, event.mean)
        rows.append([form.label, "", form.with_unit(event.mean), shown(event, "range", form)])
    if not rows:
        return None
    return Table(
        caption="Failures",
        columns=["what", "in words", "mean per replication", "5\N{EN DASH}95 % range"],
        rows=rows,
        words=2,
    )
