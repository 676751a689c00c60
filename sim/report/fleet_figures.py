"""Figures of the fleet in time: what state its VMs are in, how many run in each group, and timelines of single VMs."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from sim.arrays import Floats
from sim.fields.messages import list_words
from sim.fields.numbers import count, how_many, length
from sim.lifecycle.policy import BillingPolicy, get_policy
from sim.lifecycle.power import PowerState
from sim.report import clock, style
from sim.report.axes import Axes, Key, Sheet
from sim.report.folder import ReportedRun
from sim.report.style import Drawn
from sim.report.timeline import Band, Timeline
from sim.runs.results import VmTimeline
from sim.units import WEEK_H

MOST_VMS = 16
MOST_LINES = len(style.SERIES)
MOST_TOGETHER = 3  # lines that are told apart in one plane; more get a plane each
MOST_HOVERS = 112  # stretches of time that tell their values while the pointer rests on them
ALIKE = 0.02  # groups whose running VMs differ by less than this part of their most, on average, share a line
LONG_H = 1 / 6  # a stay that ends the closer look
LASTING = frozenset({PowerState.RUNNING, PowerState.STOPPED, PowerState.DEALLOCATED, PowerState.HIBERNATED})
Stay = tuple[float, float, PowerState]  # from, to, in what


def sheet_of(run: ReportedRun, name: str, question: str, remark: str = "") -> Sheet:
    """A figure that says where it comes from."""
    runs = how_many(run.replications, "replication")
    origin = style.shorten(run.name, 40), f"seed {run.seed}", runs, f"billing policy {run.policy}"
    return Sheet(name, question, (*origin, f"numbers in figures/{name}.csv", remark))


def drawn_from(run: ReportedRun) -> str:
    """Which replications a figure over time is drawn from; empty: all."""
    drawn = len(run.stored.drawn)
    return f"drawn from the first {how_many(drawn, 'replication')}" if drawn < run.replications else ""


def states_over_time(run: ReportedRun, timeline: Timeline) -> Drawn:
    """All states stacked; a line parts what is billed from what isn't."""
    policy = get_policy(run.policy)
    # Billed states at the bottom, so that one line parts what is billed from what isn't.
    present = sorted(timeline.states, key=lambda state: (not policy.bills(state), list(PowerState).index(state)))
    every = "" if timeline.step_h == 1 else f"each step is the mean of {length(timeline.step_h)}"
    remark = "; ".join(filter(None, (every, drawn_from(run))))
    sheet = sheet_of(run, "vms_by_state", "What are the VMs doing?", remark)
    stack = sheet.axes(190)
    below = np.zeros(len(timeline.edges_h) - 1)
    billed = None
    for state in present:
        above = below + timeline.states[state].mean
        stack.step_area(timeline.edges_h, below, above, style.STATE_LOOK[state])
        sheet.key(_key(state, policy))
        below = above
        billed = above if policy.bills(state) else billed
    if billed is not None:
        stack.steps(timeline.edges_h, billed, style.BLACK, width=0.9)
        sheet.key(Key(label="all billed", line=style.BLACK, width=0.9))
    stack.y.label = run.averaged("VMs")
    stack.y.low, stack.y.high = 0.0, float(below.max()) * 1.06 or 1.0
    over_time(stack, run, timeline.edges_h, {str(state): timeline.states[state].mean for state in present})
    means = {
        str(state): float(np.average(timeline.states[state].mean, weights=np.diff(timeline.edges_h)))
        for state in present
    }
    return sheet.finish(
        alt=f"VMs by power state over {length(run.horizon_h)}; on average {_spelt(means)}, at most {count(round(float(below.max()), 1))} at once.",
        rows=_bands(timeline.edges_h, {str(state): timeline.states[state] for state in present}),
    )


def running_by_group(run: ReportedRun, timeline: Timeline) -> Drawn:
    """Running VMs of the groups; those that run alike share a line."""
    alike = _alike({group: band.mean for group, band in timeline.running.items()})
    shown = alike[:MOST_LINES]
    left_out = len(run.groups) - sum(map(len, shown))
    remark = f"left out: {how_many(left_out, 'group')} with fewer VMs" if left_out else ""
    if run.replications > 1:
        lines = "lines: mean, grey: 5\N{EN DASH}95 % of replications"
        remark = "; ".join(filter(None, (lines, drawn_from(run), remark)))
    sheet = sheet_of(run, "running_by_group", "How many VMs of each group are running?", remark)
    is_parted = len(shown) > MOST_TOGETHER
    means: dict[str, Floats] = {}
    axes = sheet.axes(44 if is_parted else 170, _label(shown[0]) if is_parted else "")
    for place, (groups, (colour, _)) in enumerate(zip(shown, style.SERIES, strict=False)):
        label, band = _label(groups), timeline.running[groups[0]]
        means[label] = band.mean
        if is_parted and place:
            axes = sheet.axes(44, label)
        if band.low is not None and band.high is not None:
            axes.step_area(timeline.edges_h, band.low, band.high, (style.RULE, ""))
        width = (
            1.4 if is_parted else max(1.1, 2.6 - 0.5 * place)
        )  # thick below thin: lines on top of one another are all seen
        axes.steps(timeline.edges_h, band.mean, colour, width=width)
        axes.y.low, axes.y.margin = 0.0, 0.06
        if is_parted:
            axes.y.most, axes.y.whole = 3, True
            is_last = place == len(shown) - 1
            over_time(axes, run, timeline.edges_h, {label: band.mean}, labelled=is_last)
            axes.y.label = "running VMs" if not place else ""
        else:
            sheet.key(Key(label=label, line=colour, width=width))
    if not is_parted:
        axes.y.label = "running VMs"
        over_time(axes, run, timeline.edges_h, means)
    most = {label: float(values.max()) for label, values in means.items()}
    return sheet.finish(
        alt=f"Running VMs over {length(run.horizon_h)}; at most {_spelt(most)}.",
        rows=_bands(timeline.edges_h, timeline.running),
    )  # fmt: skip


def _label(groups: Sequence[str]) -> str:
    """The groups of a line by their names."""
    label = list_words([style.shorten(group, 40) for group in groups[:4]], "and")
    label += f" and {len(groups) - 4:,} more" if len(groups) > 4 else ""
    return label + ", each" * (len(groups) > 1)


def _alike(curves: Mapping[str, Floats]) -> list[list[str]]:
    """Groups put together whose curves hardly differ, the one with the most VMs first."""
    made: list[list[str]] = []
    for group in sorted(curves, key=lambda group: -float(curves[group].max(initial=0.0))):
        for others in made:
            first = curves[others[0]]
            if np.abs(first - curves[group]).mean() <= ALIKE * first.max(initial=0.0):
                others.append(group)
                break
        else:
            made.append([group])
    return made


def over_time(
    axes: Axes, run: ReportedRun, edges_h: Floats, values: Mapping[str, Floats], *, labelled: bool = True
) -> None:
    """A time axis, the warm-up marked, and its values shown while the pointer rests on a stretch of it."""
    end_h = run.horizon_h
    axes.time(clock.time_axis(end_h, run.start, run.zone_name), end_h, labelled=labelled)
    if run.warm_up_h > 0:
        axes.y.see([0.0])
        low, high = axes.y.limits()
        axes.boxes([(0.0, low, min(run.warm_up_h, end_h), high)], (style.FAINT, "//"), title="warm-up, left out")
    starts = np.unique(np.linspace(0, len(edges_h) - 1, min(MOST_HOVERS, len(edges_h) - 1) + 1).astype(int))[:-1]
    weights = np.diff(edges_h)
    total = np.add.reduceat(weights, starts)
    means = {label: np.add.reduceat(each * weights, starts) / total for label, each in values.items()}
    edges = [*edges_h[starts].tolist(), float(edges_h[-1])]
    axes.hover(
        edges,
        [
            f"{clock.stretch(run.start, begin, end)}: {_spelt({label: each[place] for label, each in means.items()})}"
            for place, (begin, end) in enumerate(itertools.pairwise(edges))
        ],
    )


def _spelt(values: Mapping[str, float]) -> str:
    return ", ".join(f"{label} {count(round(float(value), 1))}" for label, value in values.items())


def single_vms(run: ReportedRun) -> Drawn:
    """One week of single VMs, a row a VM, coloured by state; and the first VM's first minutes."""
    end_h = min(float(WEEK_H), run.horizon_h)
    all_of_them = run.stored.vm_timelines
    number = min(len(all_of_them), MOST_VMS)
    timelines = [all_of_them[i * len(all_of_them) // number] for i in range(number)]  # evenly
    of = f"{number:,} of {how_many(run.stored.vms_in_all, 'VM')}" if run.stored.vms_in_all else how_many(number, "VM")
    chosen = "the first of each group" if number == len(all_of_them) else "evenly from the first of each group"
    remark = f"{of}, {chosen} (no random sample), in replication 0"
    sheet = sheet_of(run, "single_vms", "Which states does a single VM pass through?", remark)
    names = [style.shorten(vm.vm, 26) for vm in timelines]
    stays = [(vm.vm, _stays(vm, end_h)) for vm in timelines]
    axes = sheet.axes(max(len(timelines), 2) * 13)
    shown = _rows_of_states(axes, [stay for _, stay in stays], end_h * 0.0008)
    axes.name_lines(names)
    axes.time(clock.time_axis(end_h, run.start, run.zone_name), end_h)
    _first_minutes(sheet.axes(18, f"A closer look: how {names[0]} begins"), stays[0][1])
    policy = get_policy(run.policy)
    sheet.key(*(_key(state, policy) for state in shown))
    rows: list[list[object]] = [["vm", "from_h", "to_h", "state"]]
    rows += [[vm, from_h, to_h, str(state)] for vm, stay in stays for from_h, to_h, state in stay]
    return sheet.finish(alt=f"Power states of {how_many(len(timelines), 'VM')} over {length(end_h)}.", rows=rows)


def _rows_of_states(axes: Axes, timelines: Sequence[Sequence[Stay]], least: float) -> list[PowerState]:
    """Draw a row a VM, coloured by state, none too thin to be seen; returns the states that occur."""
    boxes: dict[PowerState, list[tuple[float, float, float, float]]] = {}
    for line, stays in enumerate(timelines):
        for begin, end, state in stays:
            boxes.setdefault(state, []).append((begin, line - 0.38, max(end, begin + least), line + 0.38))
    shown = [state for state in PowerState if state in boxes]
    for state in sorted(shown, key=lambda state: state in LASTING, reverse=True):  # short ones aren't painted over
        axes.boxes(boxes[state], style.STATE_LOOK[state], title=str(state))
    return shown


def _first_minutes(axes: Axes, stays: Sequence[Stay]) -> None:
    """The first stays of a VM until one lasts, in minutes, each named where there is room."""
    begin_h = stays[0][0] if stays else 0.0
    lasting = next((begin for begin, end, _ in stays if end - begin > LONG_H), None)
    until_h = (stays[-1][1] if lasting is None else lasting) if stays else 0.0
    span_min = min(60.0, max(2.0, (until_h - begin_h) * 60 * 1.25))
    early = [
        ((begin - begin_h) * 60, min((end - begin_h) * 60, span_min), state)
        for begin, end, state in stays
        if (begin - begin_h) * 60 < span_min
    ]
    _rows_of_states(axes, [early], 0.0)
    for begin, end, state in early:
        if end - begin > span_min * 0.0125 * (len(state) + 1):
            dark = state in (PowerState.RUNNING, PowerState.STOPPED, PowerState.HIBERNATED)
            axes.words((begin + end) / 2, 0.0, str(state), colour=style.WHITE if dark else style.INK)
    axes.y.ticks, axes.y.low, axes.y.high, axes.is_open = (), 0.4, -0.4, True
    axes.x.low, axes.x.high, axes.x.most = 0.0, span_min, 10
    axes.x.label = "minutes since its create was accepted"


def _stays(vm: VmTimeline, end_h: float) -> list[Stay]:
    """The stretches a VM spent in each state until *end_h*; those of no length are left out."""
    closing = [at_s / 3600.0 for at_s, _ in vm.moves[1:]] + [end_h]
    return [
        (at_s / 3600.0, min(until_h, end_h), state)
        for (at_s, state), until_h in zip(vm.moves, closing, strict=True)
        if state is not None and at_s / 3600.0 < min(until_h, end_h)
    ]


def _key(state: PowerState, policy: BillingPolicy) -> Key:
    colour, hatch = style.STATE_LOOK[state]
    return Key(label=f"{state}{'' if policy.bills(state) else ' (not billed)'}", fill=colour, hatch=hatch)


def _bands(edges_h: Floats, bands: Mapping[str, Band]) -> list[list[object]]:
    """Mean and range of each curve by step of time."""
    columns: dict[str, Floats] = {"from_h": edges_h[:-1], "to_h": edges_h[1:]}
    for name, band in bands.items():
        columns[f"{name}_mean_vms"] = band.mean
        if band.low is not None and band.high is not None:
            columns |= {f"{name}_p05_vms": band.low, f"{name}_p95_vms": band.high}
    return [list(columns), *np.column_stack(list(columns.values())).tolist()]
