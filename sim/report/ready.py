"""Ready on time: how long after it is needed a VM is ready; the figure and the table of it."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from sim.fields.numbers import count, percent, plain
from sim.report import style
from sim.report.answer import PageData, Table
from sim.report.fleet_figures import LEFT, RIGHT, footer
from sim.report.folder import FLEET, Floats, ReportedRun
from sim.report.style import Drawn, Sheet

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
    sheet = Sheet("How long after they are needed are VMs ready?", 4.2, footer(run, name, remark))
    axes = sheet.axes(left=LEFT, top=0.85, width=style.WIDTH_IN - LEFT - RIGHT, height=2.6)
    handles = []
    rows: list[list[object]] = [["group", "share_ready", "mean_s"]]
    for group, (colour, _) in zip(shown, style.SERIES, strict=False):
        axes.plot(found[group], SHARES, color=colour, linewidth=1.4, drawstyle="steps-post")
        handles.append(Line2D([], [], color=colour, linewidth=1.4, label=group or "all VMs"))
        rows += [[group, share, wait_s] for share, wait_s in zip(SHARES.tolist(), found[group].tolist(), strict=True)]
    axes.set_xlim(left=0.0)
    axes.set_ylim(0.0, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    style.put_numbers(axes.xaxis)
    axes.set_xlabel("seconds after the VM is needed" + (" (mean over replications)" if run.replications > 1 else ""))
    axes.set_ylabel("VMs ready")
    sheet.legend(handles)
    return sheet.finish(name, alt="Share of VMs ready, by the time since they were needed.", rows=rows)


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
        columns=["group", *(f"{share:.0%} ready after (s)" for share in LISTED), "late", "never ready"],
        rows=rows,
        note="From the moment a VM is needed, mean over replications; a dash where some replication never gets there. Late: "
        "longer than the group's ready.within, or never.",
    )
