"""Ready on time: how long after it is needed a VM is ready; the figure and the table of it."""

from collections.abc import Mapping, Sequence

import numpy as np

from sim.fields.numbers import count, percent, plain
from sim.report import style
from sim.report.answer import PageData, Table
from sim.report.axes import Key, Sheet
from sim.report.fleet_figures import footer
from sim.report.folder import FLEET, Floats, ReportedRun
from sim.report.style import Drawn

SHARES = np.arange(1, 101) / 100
LISTED = (0.5, 0.9, 0.95, 0.99, 1.0)
MOST_GROUPS = len(style.SERIES)


def ready_after(run: ReportedRun) -> Mapping[str, Floats]:
    """By group (of one, the fleet): seconds until each of `SHARES` is ready, mean over replications; NaN where one never is."""
    groups = [FLEET, *(run.groups if len(run.groups) > 1 else ())]
    made = {}
    for group in groups:
        curves = run.stored.ready_curve.get(group, ())
        waits = [np.append(wait_s, np.nan)[np.searchsorted(share, SHARES - 1e-12)] for share, wait_s in curves]
        if waits:
            made[group] = np.mean(waits, axis=0)
    return made


def ready_curve(run: ReportedRun) -> Drawn | None:
    """The share of VMs that is ready so long after they are needed; None where no VM is waited for."""
    name = "ready_curve"
    found = ready_after(run)
    if not any(np.nanmax(waits, initial=0.0) > 0.0 for waits in found.values()):
        return None
    shown = [group for group in found if group != FLEET] or [FLEET]
    shown = sorted(shown, key=lambda group: -np.nanmax(found[group], initial=0.0))[:MOST_GROUPS]
    left_out = len(found) - 1 - len(shown)
    remark = f"{left_out:,} groups that are ready sooner left out" if left_out > 0 else ""
    sheet = Sheet("How long after they are needed are VMs ready?", footer(run, name, remark))
    axes = sheet.axes(150)
    rows: list[list[object]] = [["group", "share_ready", "mean_s"]]
    for group, (colour, _) in zip(shown, style.SERIES, strict=False):
        axes.line(np.repeat(found[group], 2)[1:], np.repeat(SHARES, 2)[:-1], colour)
        sheet.key(Key(label=style.shorten(group, 40) or "all VMs", line=colour))
        rows += [[group, share, wait_s] for share, wait_s in zip(SHARES.tolist(), found[group].tolist(), strict=True)]
    axes.x.low, axes.y.low, axes.y.high, axes.y.share = 0.0, 0.0, 1.02, True
    axes.x.label = "seconds after the VM is needed" + (" (mean over replications)" if run.replications > 1 else "")
    axes.y.label = "VMs ready"
    edges = np.linspace(0.0, max(float(np.nanmax(found[group], initial=0.0)) for group in shown), 61)
    shares = {group or "all VMs": [float((found[group] <= edge).mean()) for edge in edges[1:]] for group in shown}
    axes.hover(
        edges,
        [
            f"after {edge:,.3g} s: " + ", ".join(f"{group} {percent(each[place], 0)}" for group, each in shares.items())
            for place, edge in enumerate(edges[1:].tolist())
        ],
    )
    half = ", ".join(f"{group or 'all VMs'} {plain(float(found[group][49]), 1)} s" for group in shown)
    return sheet.finish(
        name, alt=f"Share of VMs ready by the time since they were needed; half of them after: {half}.", rows=rows
    )


def ready_table(data: PageData) -> Table | None:
    """Time until shares of the VMs are ready, late and never; None where no VM is waited for."""
    run, found = data.run, ready_after(data.run)
    if not any(np.nanmax(waits, initial=0.0) > 0.0 for waits in found.values()):
        return None
    places = [int(np.searchsorted(SHARES, share - 1e-12)) for share in LISTED]
    rows: list[Sequence[str]] = [
        [
            group or "all VMs",
            *(plain(float(waits[place]), 1) for place in places),
            percent(run.mean("ready.late_share", group), 2),
            count(run.mean("ready.never", group)),
        ]
        for group, waits in found.items()
    ]
    return Table(
        caption="Time until VMs are ready",
        columns=["group", *(f"{share:.0%} ready after (s)" for share in LISTED), "late", "never ready"],
        rows=rows,
        note="From the moment a VM is needed, mean over replications; a dash where some replication never gets there. Late: "
        "longer than the group's ready.within, or never.",
    )
