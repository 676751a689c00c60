"""Ready on time: how long after it is needed a VM is ready; the figure and the table of it."""

from collections.abc import Mapping, Sequence

import numpy as np

from sim.arrays import Floats
from sim.fields.numbers import count, how_many, percent, plain
from sim.report import style
from sim.report.answer import PageData, Table
from sim.report.axes import Key
from sim.report.fleet_figures import drawn_from, sheet_of
from sim.report.folder import ReportedRun
from sim.report.style import Drawn
from sim.runs.metrics import FLEET

SHARES = np.arange(1, 101) / 100
LISTED = (0.5, 0.9, 0.95, 0.99, 1.0)
MOST_GROUPS = len(style.SERIES)
NEARLY_ALL = 0.995  # of the VMs: the figure ends a little after they are ready in half of the replications
POINTS = 301


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
    """The share of VMs that is ready so long after they are needed, mean over replications; None where no VM is waited for."""
    curves = {group: run.stored.ready_curve[group] for group in ready_after(run)}
    longest = {
        group: max((float(wait_s.max(initial=0.0)) for _, wait_s in each), default=0.0)
        for group, each in curves.items()
    }
    if not any(longest.values()):
        return None
    shown = [group for group in curves if group != FLEET] or [FLEET]
    shown = sorted(shown, key=lambda group: -longest[group])[:MOST_GROUPS]
    left_out = len(curves) - 1 - len(shown)
    remark = f"left out: {how_many(left_out, 'group')}, ready sooner" if left_out > 0 else ""
    remark = "; ".join(filter(None, (drawn_from(run), remark)))
    sheet = sheet_of(run, "ready_curve", "How long after they are needed are VMs ready?", remark)
    axes = sheet.axes(150)
    ends_s = [[float(np.quantile(w, NEARLY_ALL)) for _, w in curves[group] if w.size] for group in shown]
    until_s = max((float(np.median(each)) for each in ends_s if each), default=0.0)
    at_s = np.linspace(0.0, 1.1 * until_s or max(longest.values()), POINTS)
    found = {group: np.mean([_ready_by(at_s, *each) for each in curves[group]], axis=0) for group in shown}
    for group, (colour, _) in zip(shown, style.SERIES, strict=False):
        axes.line(at_s, found[group], colour)
        sheet.key(Key(label=style.shorten(group, 40) or "all VMs", line=colour))
    axes.x.low, axes.y.low, axes.y.high, axes.y.share = 0.0, 0.0, 1.02, True
    axes.x.label = run.averaged("seconds after the VM is needed")
    axes.y.label = "VMs ready"
    edges = at_s[::5]
    words = [
        ", ".join(f"{group or 'all VMs'} {percent(found[group][5 * place], 0)}" for group in shown)
        for place in range(len(edges))
    ]
    axes.hover(
        edges, [f"after {edge:,.3g} s: {each}" for edge, each in zip(edges[1:].tolist(), words[1:], strict=True)]
    )
    last = ", ".join(f"{group or 'all VMs'} {percent(float(found[group][-1]))}" for group in shown)
    rows: list[list[object]] = [["group", "seconds", "share_ready"]]
    rows += [[group, *pair] for group in shown for pair in zip(at_s.tolist(), found[group].tolist(), strict=True)]
    return sheet.finish(
        alt=f"Share of VMs ready by the time since they were needed; after {at_s[-1]:,.3g} s: {last}.", rows=rows
    )


def _ready_by(at_s: Floats, share: Floats, wait_s: Floats) -> Floats:
    """The share of the VMs of one replication that is ready by each of these times."""
    found: Floats = np.append(0.0, share)[np.searchsorted(wait_s, at_s, side="right")]
    return found


def ready_table(data: PageData) -> Table | None:
    """Time until shares of the VMs are ready, late and never; None where no VM is waited for."""
    run, found = data.run, ready_after(data.run)
    first = f" of the first {len(run.stored.drawn):,}" if drawn_from(run) else ""
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
        note=f"From the moment a VM is needed, mean over replications{first}; a dash where some replication never gets there. Late: "
        "longer than the group's ready.within, or never.",
    )
