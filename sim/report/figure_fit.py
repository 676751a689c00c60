"""The figure of a fit: the share of VMs gone by age, as a trace shows it and as each distribution has it."""

from collections.abc import Sequence

import numpy as np

from sim.fields.numbers import how_many
from sim.report import style
from sim.report.axes import Axes, Key, Sheet
from sim.report.style import Drawn
from sim.traces.fit import Fit
from sim.units import format_duration

NAME = "lifetime_fit"
AGES_S = (1, 10, 60, 300, 900, 3600, 4 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400)
"""Ages that people know by name, for the axis."""

LINES: tuple[tuple[str, str, float], ...] = (
    (style.BLUE, "-", 2.0),
    (style.ORANGE, "--", 1.4),
    (style.GREEN, "-.", 1.4),
    (style.PURPLE, ":", 1.4),
)
"""Colour, dashes and width of the distributions, the best first."""


def draw(fit: Fit) -> Drawn:
    """Which distribution do the lifetimes of this trace follow?"""
    curve = fit.curve()
    question = f"Which distribution do the lifetimes of {style.shorten(fit.source, 40)} follow?"
    step = f"clock in steps of {format_duration(fit.stamp_s)}" if fit.stamp_s else ""
    alive = f"{how_many(fit.vms, 'VM')}, {fit.censored:,} still alive at the end"
    sheet = Sheet(NAME, question, (alive, step, f"numbers in {NAME}.csv"))
    axes = sheet.axes(190)
    put_shares(axes, AGES_S, float(curve.at_s[0]), float(curve.at_s[-1]))
    axes.dots(curve.seen_s, curve.seen, style.BLACK, size=3.0)
    sheet.key(Key(label="as seen (Turnbull's estimate)", line=style.BLACK, marker="o", dash="", size=3.0))
    for distribution, (colour, dash, width) in zip(fit.distributions, LINES, strict=False):
        axes.line(curve.at_s, curve.distributions[distribution.family], colour, dash=dash, width=width)
        label = f"{distribution.family}: off by at most {100 * distribution.goodness.distance:.1f} %"
        sheet.key(Key(label=label, line=colour, dash=dash, width=width))
    axes.x.label = "age since creation (logarithmic)"
    axes.y.label = "VMs gone"
    return sheet.finish(alt=_alt(fit), rows=_rows(fit))


def put_shares(axes: Axes, ticks_s: Sequence[float], low_s: float, high_s: float) -> None:
    """Make the axes those of shares by time, which is logarithmic from *low_s* to *high_s* and has ticks that people know."""
    axes.x.log, axes.x.low, axes.x.high = True, low_s, high_s
    axes.x.ticks, axes.x.labels = ticks_s, [format_duration(tick) for tick in ticks_s]
    axes.y.low, axes.y.high, axes.y.share = 0.0, 1.02, True


def _alt(fit: Fit) -> str:
    best = fit.best
    return (
        f"Share of VMs gone by age, as seen and by {len(fit.distributions)} distributions. The best is the {best.family}, "
        f"off by at most {100 * best.goodness.distance:.1f} % of the VMs."
    )


def _rows(fit: Fit) -> list[list[object]]:
    """At each age that the trace knows: the share seen and that of each distribution."""
    curve = fit.curve()
    rows: list[list[object]] = [["age_s", "seen", *(one.family.replace(" ", "_") for one in fit.distributions)]]
    distributions = np.column_stack([distribution.distribution.cdf(curve.seen_s) for distribution in fit.distributions])
    for age, seen, shares in zip(curve.seen_s, curve.seen, distributions, strict=True):
        rows.append([float(age), float(seen), *(float(share) for share in shares)])
    return rows
