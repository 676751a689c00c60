"""Cost against lateness over several variants: which of them no other beats."""

from collections.abc import Mapping
from typing import Any

from sim.report import style
from sim.report.answer import Table
from sim.report.axes import Key
from sim.report.studies import Study, known, sheet_of
from sim.report.style import Drawn

LATENESS = {"ready.late_share": False, "deadline.met_share": True}  # and whether it is the share in time
Entries = Mapping[str, Mapping[str, Any]]
"""Estimates of one variant by metric."""


def frontier(options: Mapping[str, tuple[float, float]]) -> list[str]:
    """The options, as (cost, lateness), that no other is as good as in both and better than in one; the cheapest first.

    >>> frontier({"a": (3.0, 0.0), "b": (1.0, 0.5), "c": (3.0, 0.4), "d": (1.0, 0.5)})
    ['b', 'd', 'a']
    """
    best = [name for name, mine in options.items() if beaten_by(mine, options) is None]
    return sorted(best, key=lambda name: options[name])


def beaten_by(mine: tuple[float, float], options: Mapping[str, tuple[float, float]]) -> str | None:
    """The cheapest option that is as good in both and better in one."""
    better = [name for name, other in options.items() if other != mine and other[0] <= mine[0] and other[1] <= mine[1]]
    return min(better, key=lambda name: options[name], default=None)


def cost_against_lateness(study: Study, variants: Mapping[str, Entries]) -> tuple[Drawn, Table] | None:
    """The figure and its table; None where lateness is not known of each variant, or the same for all."""
    for metric, is_in_time in LATENESS.items():
        given = {name: (of.get("cost.total"), of.get(metric)) for name, of in variants.items()}
        if all(known(cost) and known(late) for cost, late in given.values()):
            late = {name: _late(entry, is_in_time) for name, (_, entry) in given.items()}
            if len({each["mean"] for each in late.values()}) > 1:
                return _drawn(study, {name: (cost, late[name]) for name, (cost, _) in given.items()})  # type: ignore[misc]
    return None


def _late(entry: Mapping[str, Any] | None, is_in_time: bool) -> Mapping[str, Any]:
    entry = entry or {}
    if not is_in_time:
        return entry
    ends = {"mean": "mean", "low": "high", "high": "low"}
    return {end: None if (value := entry.get(of)) is None else 1.0 - value for end, of in ends.items()}


def _drawn(study: Study, variants: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]) -> tuple[Drawn, Table]:
    caption = "Cost against lateness"
    options = {each: (cost["mean"], late["mean"]) for each, (cost, late) in variants.items()}
    money = study.form("cost.total", *(cost for cost, _ in options.values()))
    share = study.form("ready.late_share", *(late for _, late in options.values()))
    sheet = sheet_of(
        study,
        "cost_against_lateness",
        "What does it cost to be ready on time?",
        "joined: the variants that no other beats",
    )
    axes = sheet.axes(185)
    ends = ("mean", "low", "high")
    rows: list[list[object]] = [["variant", *(f"{of}_{end}" for of in ("cost", "late") for end in ends), "better"]]
    table: list[list[str]] = []
    line = sorted((options[each][1] * share.times, options[each][0] * money.times) for each in frontier(options))
    axes.line([x for x, _ in line], [y for _, y in line], style.BLUE, dash="--", width=1.1)
    for each, (cost, late) in variants.items():
        by = beaten_by(options[each], options)
        words = [each, money.with_unit(cost["mean"]), share.with_unit(late["mean"])]
        y, x = cost["mean"] * money.times, late["mean"] * share.times
        of_cost = [None if cost.get(end) is None else cost[end] * money.times for end in ends[1:]]
        of_late = [None if late.get(end) is None else late[end] * share.times for end in ends[1:]]
        colour, marker = (style.QUIET, "D") if by else (style.BLUE, "o")
        axes.whisker(x, *of_cost, size=7, colour=colour, upright=True)
        axes.whisker(y, *of_late, size=7, colour=colour)
        axes.dots([x], [y], colour, marker=marker, size=6, titles=["{}: {}, {} late".format(*words)])
        axes.words(x, y, style.shorten(each, 30), up=7)
        rows.append([each, *(of.get(end) for of in (cost, late) for end in ends), by or ""])
        table.append([*words, by or "none"])
    axes.x.label, axes.y.label, axes.x.margin, axes.y.margin = "late (%)", money.title, 0.12, 0.12
    sheet.key(
        Key(label="no other is better", line=style.BLUE, marker="o", dash="--", size=6),
        Key(label="another costs no more and is no later", line=style.QUIET, marker="D", dash="", size=6),
    )
    said = "; ".join("{}: {}, {} late".format(*row) for row in table)
    columns = ["variant", money.title, "late (%)", "beaten by"]
    note = "Beaten: another costs no more and is no later, and is better in one of the two."
    return sheet.finish(alt=f"{caption}: {said}.", rows=rows), Table(columns=columns, rows=table, note=note)
