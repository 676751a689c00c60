"""Commitments bought and used, and the uptime of deployments against their SLA."""

import numpy as np

from sim.arrays import Floats
from sim.fields.numbers import MONEY, how_many, in_currency, length, percent, plain
from sim.report import clock, style
from sim.report.answer import PageData, Table
from sim.report.axes import Key
from sim.report.fleet_figures import sheet_of
from sim.report.folder import ReportedRun
from sim.report.style import Drawn
from sim.report.timeline import step_h
from sim.report.totals import shares
from sim.runs.results import CommitmentHours

MOST_PANELS = 8
MOST_ROWS = 60
DEPLOYMENT_WORDS = {
    "zones": "over zones",
    "availability-set": "availability set",
    "single-premium": "single VMs, Premium SSD",
    "single-standard-ssd": "single VMs, Standard SSD",
    "single-standard-hdd": "single VMs, Standard HDD",
    "capacity-reservation": "capacity reservation",
    "spot": "spot VMs",
}


def commitment_table(data: PageData) -> Table | None:
    """Each commitment: what was bought, used and lost, and what both cost; adds up to the bill's commitments as shown."""
    run, money = data.run, data.money
    names = [
        name.removeprefix("commitment.").removesuffix(".used_fraction")
        for name in run.fleet
        if name.startswith("commitment.") and name.endswith(".used_fraction")
    ]
    if not names or not run.stored.mean_bill:
        return None
    amounts, text = money.lines(run), money.scale.text
    rows, costs = [], []
    for name in names:
        own = {
            line.meter.removeprefix(f"commitment.{name}."): (line, amount)
            for line, amount in zip(run.stored.mean_bill, amounts, strict=True)
            if line.meter.startswith(f"commitment.{name}.")
        }
        used, unused = own.get("used"), own.get("unused")
        empty = sum(line.quantity for part, (line, _) in own.items() if part.startswith("unused"))
        paid = [each[1] if each else 0.0 for each in (used, unused)]
        costs.append(paid)
        unit = next((in_currency(line.unit, run.currency) for line, _ in own.values()), "")
        hours, cost = (plain(used[0].quantity, 1), text(paid[0])) if used else ("", "")
        share = percent(run.mean(f"commitment.{name}.used_fraction"))
        rows.append([name, unit, hours, plain(empty, 1), share, cost, text(paid[1]), text(sum(paid))])
    sums, unit = [sum(column) for column in zip(*costs, strict=True)], money.scale.unit
    return Table(
        caption="What was bought and used",
        columns=[
            "commitment", "unit", "used", "unused", "utilisation", f"used ({unit})", f"unused ({unit})", f"all ({unit})",
        ],
        rows=rows,
        totals=["all", "", "", "", "", text(sums[0]), text(sums[1]), text(sum(sums))],
        words=2,
        note="Mean over replications. What isn't used in its clock hour is lost, and paid. Of a capacity reservation and of its "
        "VMs only empty units are listed here: a VM inside is billed as itself.",
    )  # fmt: skip


def commitment_use(run: ReportedRun) -> Drawn | None:
    """How much of each commitment was used over time, hour by hour or, over a long time, on average of longer steps."""
    held = [use for use in run.stored.commitments if use.bought.any()]
    if not held:
        return None
    shown = held[:MOST_PANELS]
    step = step_h(run.horizon_h)
    remark = "replication 0" + ("" if step == 1 else f", each step the mean of {length(step)}")
    left_out = len(held) - len(shown)
    remark += f", {how_many(left_out, 'commitment')} more in commitments.parquet" if left_out else ""
    sheet = sheet_of(run, "commitment_use", "How much of what was bought is used in each hour?", remark)
    time = clock.time_axis(run.horizon_h, run.start, run.zone_name)
    per_hour = {MONEY: f"{run.currency} an hour", "host hour": "hosts", "unit hour": "units"}
    said: list[str] = []
    rows: list[list[object]] = [["commitment", "unit", "from_h", "to_h", "bought_per_h", "used_per_h"]]
    for place, use in enumerate(shown):
        axes = sheet.axes(82)
        edges, bought, used = _steps(use, step, run.horizon_h)
        axes.step_area(edges, used, bought, (style.VERMILLION, "//"))
        axes.step_area(edges, np.zeros_like(used), used, (style.BLUE, ""))
        axes.steps(edges, bought, style.BLACK, width=0.9)
        share = shares([float(use.used.sum()), float(use.bought.sum() - use.used.sum())])[0]
        axes.title = f"{style.shorten(use.name, 60)}: {share} used" if share else style.shorten(use.name, 60)
        said.append(axes.title)
        axes.y.label, axes.y.most = per_hour.get(use.unit, "VMs"), 4
        axes.y.low, axes.y.high = 0.0, float(bought.max(initial=0.0)) * 1.08 or 1.0
        axes.time(time, run.horizon_h, labelled=place == len(shown) - 1)
        rows += [
            [use.name, in_currency(use.unit, run.currency), *numbers]
            for numbers in zip(edges[:-1].tolist(), edges[1:].tolist(), bought.tolist(), used.tolist(), strict=True)
        ]
    sheet.key(Key(label="used", fill=style.BLUE), Key(label="bought and lost", fill=style.VERMILLION, hatch="//"))
    return sheet.finish(alt=f"Use of what was bought over time: {', '.join(said)}.", rows=rows)


def _steps(use: CommitmentHours, step: int, horizon_h: float) -> tuple[Floats, Floats, Floats]:
    """Edges of the steps (h), and what was bought and used per hour in each."""
    place = np.arange(len(use.used)) + use.first_hour
    first = use.first_hour // step
    number = place // step - first
    ends = np.minimum(place + 1.0, horizon_h)
    long = np.bincount(number, weights=ends - place)
    bought, used = (np.bincount(number, weights=each) / long for each in (use.bought, use.used))
    edges = np.minimum((np.arange(len(long) + 1) + first) * float(step), horizon_h)
    return edges, bought, used


def uptime_table(data: PageData) -> Table | None:
    """Uptime by month and deployment against its SLA; None where nothing can take a VM away from its user."""
    run, money = data.run, data.money.scale
    if not run.stored.uptimes:
        return None
    listed = run.stored.uptimes
    if len(listed) > MOST_ROWS:
        listed = tuple(sorted(listed, key=lambda each: each.uptime)[:MOST_ROWS])
    rows = []
    for row in listed:
        promised = "none" if row.promised is None else percent(row.promised, 2)
        breaches = plain(row.breaches, 0 if row.breaches == round(row.breaches) else 2)
        found = [promised, percent(row.uptime, 3), percent(row.worst, 3), breaches, money.text(row.credit)]
        rows.append([row.month, row.name, DEPLOYMENT_WORDS.get(row.deployment, row.deployment), *found])
    left_out = len(run.stored.uptimes) - len(listed)
    return Table(
        caption="Uptime of deployments",
        columns=[
            "month", "group or set", "deployment", "SLA", "uptime", "worst", "below the SLA",
            f"credit ({money.unit})",
        ],
        rows=rows,
        words=3,
        marked=[row.promised is not None and row.uptime < row.promised for row in listed],
        note="Per replication: mean uptime, the worst deployment of all replications, how many deployments got less than "
        "promised, and what that is worth as a service credit. A credit must be claimed: no bill here is lowered by it. "
        "What a user stops is no downtime."
        + (f" The {len(listed)} worst; {left_out:,} others are in sla.csv." if left_out else ""),
    )  # fmt: skip
