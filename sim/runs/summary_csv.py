"""`summary.csv` of a result folder: the answer for a spreadsheet, with labels, units and decimals of the registry of metrics."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.fields.metrics import Form, Forms, find_metric
from sim.runs.group_costs import bounds_shown, costs_shown, mean_in
from sim.scenario.month import month_in

FILE = "summary.csv"
Sheet = tuple[Sequence[str], Iterable[Sequence[object]]]
"""Columns, rows."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_sheet(folder: Path, sheet: Sheet) -> None:
    """Write it so that spreadsheets read its letters right, and take no name for a formula."""
    columns, rows = sheet
    with (folder / FILE).open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerows([[_cell(cell) for cell in row] for row in (columns, *rows)])


def _cell(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def shown(form: Form, *values: float | None) -> list[float | None]:
    """Figures in the unit of their form, with its decimals, and two at least (shares: four), to calculate with; a sign of nothing is dropped."""
    decimals = max(form.scale.decimals, 4 if form.times == 100.0 else 2)
    return [None if value is None else round(value * form.times, decimals) + 0.0 for value in values]


def run_sheet(summary: Mapping[str, Any]) -> Sheet:
    """Every metric that is not 0, of the fleet and of each group."""
    forms = Forms(currency=summary["currency"], means={name: each["mean"] for name, each in summary["metrics"].items()})
    level = f"{100 * summary['confidence']:g} %"
    columns = ("group", "section", "figure", "unit", "mean", f"low ({level})", f"high ({level})", "P50", "P90", "P99")
    keys = ("mean", "low", "high", "p50", "p90", "p99")
    groups = {"whole fleet": summary["metrics"], **{name: own["metrics"] for name, own in summary["groups"].items()}}
    rows = []
    costs = costs_shown(mean_in(summary), 2)
    month = month_in(summary)
    for group, metrics in groups.items():
        for name, found in metrics.items():
            row = find_metric(name)
            if found["mean"] and row is not None and not month.hides(name):
                form = forms.of(name, *(found[key] for key in keys))
                cells = shown(form, *(found[key] for key in keys))
                if group == "whole fleet" and name in costs:
                    cells[:3] = costs[name], *bounds_shown(costs[name], *cells[1:3])
                rows.append([group, row.section, form.label, form.unit, *cells])
    return columns, rows
