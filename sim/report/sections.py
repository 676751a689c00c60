"""The sections of a run's page: what was modelled is shown, and what doesn't move the bill is folded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sim.fields.metrics import find_metric
from sim.fields.numbers import count
from sim.report import answer, commitment_figures, ready, sources, tables
from sim.report.answer import PageData, Table
from sim.report.style import Drawn
from sim.runs.metrics import FLEET

PRACTICAL = 0.001  # part of the bill, or of all attempts, below which something is folded
MOST_COLUMNS = 8  # groups that get a column of their own
Maker = Callable[[PageData], Table | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One question of the page: which figures and tables answer it, and when it is open from the start."""

    title: str
    figures: Sequence[str] = ()
    tables: Sequence[Maker] = ()
    metrics: Sequence[str] = ()  # shown in a table, by group, where any of them isn't 0
    is_open: Callable[[PageData], bool] = lambda _: True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A section with what there is to show."""

    title: str
    figures: Sequence[Drawn] = ()
    tables: Sequence[Table] = ()
    words: Sequence[str] = ()
    is_open: bool = True
    note: str = ""


def _folded(_: PageData) -> bool:
    return False


def _share(part: str, whole: str) -> Callable[[PageData], bool]:
    """Whether one metric is a part of another that matters in practice."""
    return lambda data: data.run.mean(part) > PRACTICAL * data.run.mean(whole)


def _any(*metrics: str) -> Callable[[PageData], bool]:
    return lambda data: any(data.run.mean(metric) > 0 for metric in metrics)


SECTIONS = (
    Section(
        title="The bill", figures=("cost_by_group", "cost_by_day"),
        tables=(tables.meter_table, tables.cost_table, tables.month_table),
    ),
    Section(
        title="The mean invoice, line by line", figures=("cost_by_meter",), tables=(tables.invoice,),
        is_open=_folded,
    ),
    Section(
        title="Commitments and reservations", figures=("commitment_use",), tables=(commitment_figures.commitment_table,),
        is_open=_any("cost.commitment"),
    ),
    Section(
        title="What the VMs do", figures=("hours_by_state", "vms_by_state", "running_by_group"),
        tables=(tables.hours_table, tables.group_table),
    ),
    Section(
        title="Left on by people", metrics=("forgotten_hours", "forgotten_cost"),
        is_open=_share("forgotten_cost", "cost.total"),
    ),
    Section(
        title="Load and autoscaling",
        metrics=("load.offered", "load.served", "load.served_share", "load.overload_hours", "autoscale.out", "autoscale.in"),
    ),
    Section(
        title="Room on hosts, and hardware that was not found",
        metrics=(
            "hosts.used_share", "hosts.peak_used", "allocation.failures", "allocation.failure_rate",
        ),
        is_open=_any("allocation.failures", "hosts.used_share"),
    ),
    Section(
        title="Ready on time", figures=("ready_curve",), tables=(ready.ready_table,),
        is_open=_any("ready.late_share", "ready.never"),
    ),
    Section(
        title="Evictions and lost work",
        metrics=("evictions", "lost_work_hours", "deadline.due", "deadline.missed", "deadline.met_share", "deadline.late_mean_s"),
    ),
    Section(
        title="Service level", tables=(commitment_figures.uptime_table,),
        is_open=lambda data: any(row.promised is not None and row.uptime < row.promised for row in data.run.stored.uptimes),
    ),
    Section(
        title="Failures and operations", tables=(tables.failures_table, tables.operations_table),
        is_open=lambda data: any(data.run.mean(name) > 0 for name in data.run.fleet if name.startswith("failures.")),
    ),
    Section(title="Single VMs", figures=("single_vms",), is_open=_folded),
    Section(
        title="Statistics", figures=("bill_distribution",),
        tables=(answer.headline, answer.quantile_table, answer.precision_note),
    ),
    Section(title="Assumptions in use", tables=(lambda data: sources.assumptions(data.run),), is_open=_folded),
    Section(
        title="Where these figures come from", tables=(lambda data: sources.provenance(data.run),),
        is_open=_folded,
        note=f"{sources.FILES}; all metrics of all groups in summary.json, each replication's in replications.csv.",
    ),
)  # fmt: skip


def shown(data: PageData, figures: Sequence[Drawn]) -> list[Shown]:
    """The sections that have anything to show."""
    drawn = {figure.name: figure for figure in figures}
    made = []
    for section in SECTIONS:
        pictures = [drawn[name] for name in section.figures if name in drawn]
        found = [table for table in (make(data) for make in section.tables) if table is not None and table.rows]
        if (facts := metrics_table(data, section)) is not None:
            found.insert(0, facts)
        if pictures or found:
            about = {"title": section.title, "note": section.note}
            made.append(Shown(figures=pictures, tables=found, is_open=section.is_open(data), **about))
    return made


def metrics_table(data: PageData, section: Section) -> Table | None:
    """The metrics of a section, of the fleet and of each group; None where all are 0."""
    run = data.run
    names = [name for name in section.metrics if name in run.fleet and find_metric(name) is not None]
    if not any(run.mean(name) for name in names):
        return None
    groups = list(run.groups) if 2 <= len(run.groups) <= MOST_COLUMNS else []
    columns = [FLEET, *(group for group in groups if any(run.mean(name, group) for name in names))]
    rows = []
    for name in names:
        found = [(run.fleet if group == FLEET else run.groups[group]).get(name) for group in columns]
        form = run.forms.of(name, *(stat.mean for stat in found if stat is not None))
        texts = ["" if stat is None else form.text(stat.mean) if form.unit else count(stat.mean) for stat in found]
        rows.append([form.title, *texts])
    return Table(
        caption=section.title,
        columns=["metric", *(group or "whole fleet" for group in columns)],
        rows=rows,
        note="Mean over replications." if run.replications > 1 else "",
    )
