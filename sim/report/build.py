"""From a result folder to its figures and its page: reads, draws each figure once, writes each file whole."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pyarrow import ArrowException

from sim.errors import ResultError
from sim.report import (
    bill_figures,
    commitment_figures,
    fleet_figures,
    folder,
    group_figures,
    page,
    ready,
    timeline,
    totals,
)
from sim.report.folder import ReportedRun
from sim.report.style import Drawn
from sim.report.totals import HoursParts, MoneyParts
from sim.runs.digests import check_files
from sim.runs.remote import copy_of, shown

MOST_PANELS = 12
STUDIES = {
    "comparison.json": ("comparisons", "build_comparison"),
    "sweep.json": ("sweeps", "build_sweep"),
    "size.json": ("searches", "build_size"),
    "sensitivity.json": ("searches", "build_sensitivity"),
    "backtest.json": ("backtests", "build_backtest"),
    "recommend.json": ("recommendations", "build_recommendation"),
}
"""Which module and function here builds the report of a study, by the file that its folder has; loaded when there is one."""


def build_report(path: str | Path) -> Path:
    """Draw the figures of a result folder, of a run or of a study, and write `report.html`; returns its path.

    Raises ResultError if the folder can't be read, or a file is not as it was written.
    """
    path = copy_of(path)
    if check_files(path):
        return _build(path)
    try:  # made elsewhere, or by version 0.1: nothing vouches for what stands in it
        return _build(path)
    except ResultError as wrong:
        named = str(path) in str(wrong) or shown(path) in str(wrong)
        raise (wrong if named else ResultError(f"{shown(path)}: {wrong}")) from None
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
        ArrowException,
    ) as wrong:
        said = f"{type(wrong).__name__}: {wrong}"
        raise ResultError(
            f"{shown(path)}: holds what vmfleet doesn't write ({said}); run the scenario again"
        ) from wrong


def _build(path: Path) -> Path:
    for file, (module, function) in STUDIES.items():
        if (path / file).exists():
            page_path: Path = getattr(import_module(f"sim.report.{module}"), function)(path)
            return page_path
    run = folder.read(path)
    hours, money = totals.hours_parts(run), totals.money_parts(run)
    figures = draw(run, hours, money)
    return page.write(path, figures, page.render(run, figures, hours, money))


def draw(run: ReportedRun, shown_hours: HoursParts, shown_money: MoneyParts) -> Sequence[Drawn]:
    """Every figure that this folder has numbers for, in the order of the page."""
    figures: list[Drawn | None] = []
    several = run.groups if len(run.groups) > 1 else {}
    shown = sorted(several, key=lambda group: -run.mean("billed_hours", group))[:MOST_PANELS]
    hours = timeline.read(
        run.stored.folder / "timeline.parquet",
        horizon_h=run.horizon_h,
        numbers=run.stored.drawn,
        groups=[group for group in several if group in shown],
    )
    if hours is not None and hours.states:
        figures.append(fleet_figures.states_over_time(run, hours))
        if hours.running:
            figures.append(fleet_figures.running_by_group(run, hours))
    if shown_hours.states:
        figures.append(bill_figures.hours_by_state(run, shown_hours))
    if shown_money.table.total:
        if several:
            figures.append(group_figures.cost_by_group(run, shown_money))
        figures.append(bill_figures.cost_by_meter(run, shown_money))
        figures.append(bill_figures.cost_by_day(run, shown_money.scale))
        figures.append(bill_figures.bill_distribution(run, shown_money.scale))
    figures.append(commitment_figures.commitment_use(run))
    figures.append(ready.ready_curve(run))
    if run.stored.vm_timelines:
        figures.append(fleet_figures.single_vms(run))
    return [drawn for drawn in figures if drawn is not None]
