"""The figures of operations that were timed: the share done by each duration, as seen and as the lognormal has it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from sim.fields.numbers import how_many
from sim.report import style
from sim.report.axes import Key, Sheet
from sim.report.figure_fit import put_shares
from sim.report.style import Drawn
from sim.traces.durations import DurationFit, DurationFits
from sim.traces.families import LOGNORMAL
from sim.traces.step_durations import years_words

TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
LOOKS: Mapping[str, tuple[str, str, str, str]] = MappingProxyType(
    {  # colour, marker, dashes, in words
        "linux": (style.BLUE, "o", "-", "Linux"),
        "windows": (style.ORANGE, "s", "--", "Windows"),
        "": (style.BLACK, "o", "-", "any guest OS"),
    }
)
SHARES = np.linspace(0.02, 0.98, 49)
"""At most so many points of what was seen: a figure shows shares, not every row."""


def draw(fits: DurationFits) -> list[Drawn]:
    """A figure for each operation that was fitted."""
    kinds = dict.fromkeys((fit.target, fit.operation) for fit in fits.fits)
    return [
        _draw([fit for fit in fits.fits if (fit.target, fit.operation) == kind], fits.source) for kind in kinds
    ]  # fmt: skip


def _draw(fits: Sequence[DurationFit], source: str) -> Drawn:
    first = fits[0]
    what = first.operation.replace("_", " ")
    on = {"vm": "", "vmss": " of a scale set", "vmss-vm": " of a scale set's VM"}[first.target]
    name = "_".join(("duration", *first.target.split("-"), first.operation)).replace("duration_vm_", "duration_", 1)
    sheet = Sheet(name, f'How long does "{what}"{on} take?', _footer(fits, source, name))
    axes = sheet.axes(180)
    ends = []
    for fit in fits:
        colour, marker, dash, words = LOOKS[fit.os]
        law = fit.of_family(LOGNORMAL.name)
        at_s, seen = _seen(fit)
        ends += [float(law.distribution.quantile(np.array([u]), np.array([1 - u]))[0]) for u in (0.004, 0.996)]
        ends += [float(at_s[0]), float(at_s[-1])]
        curve_s = np.geomspace(min(ends[-4:]), max(ends[-4:]), 200)
        axes.line(curve_s, law.distribution.cdf(curve_s), colour, dash=dash, width=1.6)
        axes.dots(at_s, seen, colour, marker=marker, size=3.2)
        found = f"median {law.parameters['median_s']:.3g} s, sigma {law.parameters['sigma']:.2f}"
        label = f"{words}: {found}; off by at most {100 * law.goodness.distance:.0f} %"
        sheet.key(Key(label=label, line=colour, marker=marker, size=3.2, dash=dash, width=1.6))
    put_shares(axes, TICKS_S, min(ends) / 1.1, max(ends) * 1.1)
    axes.x.label = "time from the operation's start to its end (logarithmic)"
    axes.y.label = "operations done"
    return sheet.finish(alt=_alt(fits, what + on), rows=_rows(fits))


def _seen(fit: DurationFit) -> tuple[np.ndarray, np.ndarray]:
    """Durations at which some share was done, and the share."""
    known, gone = fit.empirical.at_s, fit.empirical.gone
    at = np.unique(np.minimum(np.searchsorted(gone, SHARES), len(known) - 1))
    return known[at], gone[at]


def _footer(fits: Sequence[DurationFit], source: str, name: str) -> list[str]:
    parts = [f"{LOOKS[fit.os][3]}: {how_many(fit.rows, 'row')}, {how_many(fit.clusters, 'cluster')}" for fit in fits]
    years = [year for fit in fits for year in fit.years or ()]
    if years:
        parts.append(years_words((min(years), max(years))))
    return [*parts, style.shorten(source, 40), "each cluster weighs one", f"numbers in {name}.csv"]


def _alt(fits: Sequence[DurationFit], what: str) -> str:
    medians = [f"{fit.of_family(LOGNORMAL.name).parameters['median_s']:.3g} s ({LOOKS[fit.os][3]})" for fit in fits]
    return (
        f"Share of operations {what} done by duration, as seen and by a lognormal with median {' and '.join(medians)}."
    )


def _rows(fits: Sequence[DurationFit]) -> list[list[object]]:
    """The points, and the lognormal there."""
    rows: list[list[object]] = [["os", "seconds", "seen", "lognormal"]]
    for fit in fits:
        at_s, seen = _seen(fit)
        by_law = fit.of_family(LOGNORMAL.name).distribution.cdf(at_s)
        rows += [[fit.os or "any", *map(float, row)] for row in zip(at_s, seen, by_law, strict=True)]
    return rows
