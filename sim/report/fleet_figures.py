"""Figures of the fleet in time: what state its VMs are in, how many run in each group, and timelines of single VMs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from sim.lifecycle.policy import BillingPolicy, get_policy
from sim.lifecycle.power import PowerState
from sim.report import clock, style
from sim.report.folder import Floats, ReportedRun
from sim.report.style import Drawn, Sheet
from sim.report.timeline import Band, Timeline
from sim.runs.results import VmTimeline

LEFT, RIGHT = 1.0, 0.45  # inches beside the axes
PANEL_IN, GAP_IN = 0.85, 0.42  # of the panels of single states
WEEK_H = 168.0
MOST_VMS = 24
LONG_H = 1 / 6  # a stay that ends the closer look
LASTING = frozenset({PowerState.RUNNING, PowerState.STOPPED, PowerState.DEALLOCATED, PowerState.HIBERNATED})
Stay = tuple[float, float, PowerState]  # from, to, in what


def footer(run: ReportedRun, name: str, remark: str = "") -> str:
    """Where a figure comes from, in one small line."""
    runs = "1 replication" if run.replications == 1 else f"{run.replications:,} replications"
    origin = (style.shorten(run.name, 40), f"seed {run.seed}", runs, f"billing policy {run.policy}")
    return "  \N{MIDDLE DOT}  ".join(part for part in (*origin, f"numbers in figures/{name}.csv", remark) if part)


def states_over_time(run: ReportedRun, timeline: Timeline) -> Drawn:
    """All states stacked, and below each on its own scale with the range over replications."""
    name = "vms_by_state"
    policy = get_policy(run.policy)
    # Billed states at the bottom, so that one line parts what is billed from what isn't.
    present = sorted(timeline.states, key=lambda state: (not policy.bills(state), list(PowerState).index(state)))
    rows = (len(present) + 1) // 2
    stack_top, stack_height = 0.85, 2.3
    panels_top = stack_top + stack_height + 1.15
    height = panels_top + rows * (PANEL_IN + GAP_IN) + 0.4
    every = "" if timeline.step_h == 1 else f"each step is the mean of {clock.length(timeline.step_h)}"
    sheet = Sheet("What are the VMs doing?", height, footer(run, name, every))
    width = style.WIDTH_IN - LEFT - RIGHT

    stack = sheet.axes(left=LEFT, top=stack_top, width=width, height=stack_height)
    below = np.zeros(len(timeline.edges_h) - 1)
    handles = []
    for state in present:
        above = below + timeline.states[state].mean
        style.fill_steps(stack, timeline.edges_h, below, above, *style.STATE_LOOK[state])
        handles.append(_swatch(state, policy))
        below = above
        if policy.bills(state):
            billed = above
    if any(policy.bills(state) for state in present):
        style.line_steps(stack, timeline.edges_h, billed, style.BLACK, 0.9)
    stack.set_ylabel("VMs (mean)")
    stack.set_ylim(0.0, _headroom(below))
    style.put_numbers(stack.yaxis)
    time = clock.time_axis(run.horizon_h, run.start, run.zone_name)
    style.put_time(stack, time, run.horizon_h)
    _mark_warm_up(stack, run, named=True)
    sheet.legend(handles, left=LEFT - 0.08)

    _panels(sheet, run, timeline, present, panels_top)
    header = ["from_h", "to_h"]
    columns: list[Floats] = [timeline.edges_h[:-1], timeline.edges_h[1:]]
    for state in present:
        _column(header, columns, str(state), timeline.states[state])
    return sheet.finish(
        name,
        alt=f"VMs in each of {len(present)} power states over {clock.length(run.horizon_h)}.",
        rows=[header, *np.column_stack(columns).tolist()],
    )


def _panels(
    sheet: Sheet, run: ReportedRun, timeline: Timeline, present: Sequence[PowerState], panels_top: float
) -> None:
    """A small panel for each state, two in a row."""
    words = "Each state on its own scale"
    if run.replications > 1:
        words += ": the mean and, in grey, the 5\N{EN DASH}95 % range of replications"
    sheet.figure.text(
        (LEFT - 0.06) / style.WIDTH_IN, 1 - (panels_top - 0.42) / sheet.height_in, words, size=9, color=style.INK
    )
    half = (style.WIDTH_IN - 2 * LEFT - RIGHT + 0.15) / 2
    small = clock.time_axis(run.horizon_h, run.start, run.zone_name, most_ticks=5)
    for i, state in enumerate(present):
        left, top = LEFT + (i % 2) * (half + LEFT - 0.15), panels_top + (i // 2) * (PANEL_IN + GAP_IN)
        axes = sheet.axes(left=left, top=top, width=half, height=PANEL_IN)
        _band(axes, timeline.edges_h, timeline.states[state], style.STATE_LOOK[state][0])
        axes.set_title(state.capitalize(), size=8.5, loc="left", pad=3)
        style.put_numbers(axes.yaxis, most=3)
        axes.set_ylabel("VMs", size=8)
        style.put_time(axes, small, run.horizon_h, labelled=False)
        if i >= len(present) - 2:
            axes.tick_params(labelbottom=True, labelsize=7.5)
        _mark_warm_up(axes, run)


def running_by_group(run: ReportedRun, timeline: Timeline) -> Drawn:
    """Running VMs of each group, one small panel a group."""
    name = "running_by_group"
    groups = list(timeline.running)
    panel_height, gap, top = 0.95, 0.35, 0.72
    height = top + len(groups) * (panel_height + gap) + 0.75
    left_out = len(run.groups) - len(groups)
    remark = f"{left_out:,} groups with fewer billed hours left out" if left_out else ""
    sheet = Sheet("How many VMs of each group are running?", height, footer(run, name, remark))
    time = clock.time_axis(run.horizon_h, run.start, run.zone_name)
    header = ["from_h", "to_h"]
    columns: list[Floats] = [timeline.edges_h[:-1], timeline.edges_h[1:]]
    for i, group in enumerate(groups):
        axes = sheet.axes(
            left=LEFT, top=top + i * (panel_height + gap), width=style.WIDTH_IN - LEFT - RIGHT, height=panel_height
        )
        _band(axes, timeline.edges_h, timeline.running[group], style.BLUE)
        words = " (mean and 5\N{EN DASH}95 % of replications)" if run.replications > 1 and i == 0 else ""
        axes.set_title(style.shorten(group, 60) + words, size=8.5, loc="left", pad=3)
        axes.set_ylabel("VMs")
        style.put_numbers(axes.yaxis, most=3)
        style.put_time(axes, time, run.horizon_h, labelled=i == len(groups) - 1)
        _mark_warm_up(axes, run)
        _column(header, columns, group, timeline.running[group])
    return sheet.finish(
        name,
        alt=f"Running VMs of {len(groups)} groups over {clock.length(run.horizon_h)}.",
        rows=[header, *np.column_stack(columns).tolist()],
    )


def single_vms(run: ReportedRun) -> Drawn:
    """One week of single VMs, a row a VM, coloured by state; and the first VM's first minutes."""
    name = "single_vms"
    end_h = min(WEEK_H, run.horizon_h)
    all_of_them = run.stored.vm_timelines
    number = min(len(all_of_them), MOST_VMS)
    timelines = [all_of_them[i * len(all_of_them) // number] for i in range(number)]  # evenly
    of = f"{number:,} of {run.stored.vms_in_all:,} VMs" if run.stored.vms_in_all else f"{number:,} VMs"
    remark = f"{of}, the first of each group (no sample), in replication 0; minutes are too thin to see"
    row, top, closer = 0.2, 0.92, 0.95
    tall = max(len(timelines), 2) * row
    height = top + tall + 0.95 + closer
    sheet = Sheet("Which states does a single VM pass through?", height, footer(run, name, remark))
    names = [style.shorten(vm.vm, 26) for vm in timelines]
    left = max(LEFT, 0.25 + 0.073 * max(len(each) for each in names))
    width = style.WIDTH_IN - left - RIGHT
    axes = sheet.axes(left=left, top=top, width=width, height=tall)
    stays = [(vm.vm, _stays(vm, end_h)) for vm in timelines]
    shown = _rows_of_states(axes, [stay for _, stay in stays])
    axes.set_yticks(range(len(timelines)), names)
    style.put_time(axes, clock.time_axis(end_h, run.start, run.zone_name), end_h)

    minutes = sheet.axes(left=left, top=top + tall + 0.95, width=width, height=0.26)
    _first_minutes(minutes, stays[0][1])
    minutes.set_yticks([0], [names[0]])
    minutes.set_title(f"A closer look: how {names[0]} begins", size=8.5, loc="left", pad=4)
    policy = get_policy(run.policy)
    sheet.legend([_swatch(s, policy) for s in shown])
    rows: list[list[object]] = [["vm", "from_h", "to_h", "state"]]
    rows += [[vm, from_h, to_h, str(state)] for vm, stay in stays for from_h, to_h, state in stay]
    return sheet.finish(name, alt=f"Power states of {len(timelines)} VMs over {clock.length(end_h)}.", rows=rows)


def _rows_of_states(axes: Axes, timelines: Sequence[Sequence[Stay]]) -> list[PowerState]:
    """Draw a row a vm, coloured by state; returns the states that occur."""
    boxes: dict[PowerState, list[list[tuple[float, float]]]] = {}
    for line, stays in enumerate(timelines):
        low, high = line - 0.36, line + 0.36
        for begin, end, state in stays:
            boxes.setdefault(state, []).append([(begin, low), (end, low), (end, high), (begin, high)])
    shown = [state for state in PowerState if state in boxes]
    # Short states last and with an edge of their own colour, so that they aren't painted over.
    for state in sorted(shown, key=lambda state: state in LASTING, reverse=True):
        colour, hatch = style.STATE_LOOK[state]
        drawn = PolyCollection(boxes[state], facecolors=colour, edgecolors=colour, linewidths=0.3)
        if hatch:
            drawn.set_hatch(hatch)
        style.rasterise(drawn, 4 * len(boxes[state]))
        axes.add_collection(drawn, autolim=False)
    axes.set_ylim(len(timelines) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    return shown


def _first_minutes(axes: Axes, stays: Sequence[Stay]) -> None:
    """The first stays of a vm until one lasts, in minutes, each named where there is room."""
    begin_h = stays[0][0] if stays else 0.0
    lasting = next((begin for begin, end, _ in stays if end - begin > LONG_H), None)
    until_h = (stays[-1][1] if lasting is None else lasting) if stays else 0.0
    span_min = min(60.0, max(2.0, (until_h - begin_h) * 60 * 1.25))
    early = [
        ((begin - begin_h) * 60, min((end - begin_h) * 60, span_min), state)
        for begin, end, state in stays
        if (begin - begin_h) * 60 < span_min
    ]
    _rows_of_states(axes, [early])
    for begin, end, state in early:
        if end - begin > span_min * 0.0105 * (len(state) + 1):
            dark = state in (PowerState.RUNNING, PowerState.STOPPED, PowerState.HIBERNATED)
            colour = "white" if dark else style.INK
            axes.text((begin + end) / 2, 0.0, str(state), ha="center", va="center", size=7.5, color=colour)
    axes.set_xlim(0.0, span_min)
    style.put_numbers(axes.xaxis, most=10)
    axes.set_xlabel("minutes since its create was accepted")


def _stays(vm: VmTimeline, end_h: float) -> list[Stay]:
    """The stretches a VM spent in each state until *end_h*; those of no length are left out."""
    closing = [at_s / 3600.0 for at_s, _ in vm.moves[1:]] + [end_h]
    return [
        (at_s / 3600.0, min(until_h, end_h), state)
        for (at_s, state), until_h in zip(vm.moves, closing, strict=True)
        if state is not None and at_s / 3600.0 < min(until_h, end_h)
    ]


def _swatch(state: PowerState, policy: BillingPolicy) -> Patch:
    return style.swatch(*style.STATE_LOOK[state], f"{state} {'(billed)' if policy.bills(state) else '(not billed)'}")


def _band(axes: Axes, edges: Floats, band: Band, colour: str) -> None:
    """The mean as a line over the paler range."""
    if band.low is not None and band.high is not None:
        style.fill_steps(axes, edges, band.low, band.high, style.RULE)
    pale = colour in (style.FAINT, style.YELLOW)
    style.line_steps(axes, edges, band.mean, style.INK if pale else colour, 1.1)
    axes.set_ylim(0.0, _headroom(band.mean if band.high is None else band.high))


def _headroom(values: Floats) -> float:
    return float(values.max()) * 1.06 or 1.0


def _mark_warm_up(axes: Axes, run: ReportedRun, *, named: bool = False) -> None:
    if run.warm_up_h > 0:
        axes.axvspan(0.0, run.warm_up_h, facecolor=style.FAINT, hatch="///", linewidth=0.0)
    if named and run.warm_up_h > 0.1 * run.horizon_h:
        axes.text(
            run.warm_up_h / 2, 0.5, "warm-up, left out", transform=axes.get_xaxis_transform(), ha="center", va="center",
            size=7, color=style.QUIET, clip_on=True,
        )  # fmt: skip


def _column(header: list[str], columns: list[Floats], name: str, band: Band) -> None:
    header.append(f"{name}_mean_vms")
    columns.append(band.mean)
    if band.low is not None and band.high is not None:
        header += [f"{name}_p05_vms", f"{name}_p95_vms"]
        columns += [band.low, band.high]
