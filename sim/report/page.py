"""The page that people read: one HTML file that holds all it shows and asks nothing of the network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sim.errors import ResultError
from sim.report import answer, clock, commitment_figures, ready, sources, style, tables
from sim.report.folder import ReportedRun
from sim.report.style import Drawn
from sim.report.totals import HoursParts, MoneyParts
from sim.runs.atomic_write import drawing_in


def render(run: ReportedRun, figures: Sequence[Drawn], hours: HoursParts, money: MoneyParts) -> str:
    """The whole page of a run."""
    data = answer.page_data(run, hours, money)
    return fill(
        "page.html.j2",
        figures,
        title=f"{run.title}: what the fleet did and what it cost",
        name=run.title,
        period=clock.span(run.own_start, run.horizon_h),
        run=run,
        length=clock.length(run.horizon_h - run.warm_up_h),
        warm_up=clock.length(run.warm_up_h) if run.warm_up_h else "",
        answer=answer.answer(data),
        cards=answer.cards(data),
        headline=answer.headline(data),
        quantiles=answer.quantile_table(data),
        hours=tables.hours_table(data),
        meters=tables.meter_table(data),
        cost=tables.cost_table(data),
        months=tables.month_table(data),
        groups=tables.group_table(data),
        invoice=tables.invoice(data),
        commitments=commitment_figures.commitment_table(data),
        uptime=commitment_figures.uptime_table(data),
        ready=ready.ready_table(data),
        operations=tables.operations_table(run),
        failures=tables.failures_table(run),
        assumptions=sources.assumptions(run),
        provenance=sources.provenance(run),
    )


def write(place: Path, figures: Sequence[Drawn], text: str) -> Path:
    """Put figures and page into a result folder; the answer is where the page stands."""
    page_path = place / "report.html"
    try:
        with drawing_in(place) as made:
            for drawn in figures:
                style.write(drawn, made / "figures")
            (made / page_path.name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResultError(f"{place}: the report can't be written here: {error.strerror}") from error
    return page_path


def fill(template: str, figures: Sequence[Drawn], **said: Any) -> str:
    """One of our templates filled in; every word from the folder is escaped, only our own pictures are markup.

    A name that the template misspells is an error.
    """
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # An inline picture needs no namespace; its text was escaped when it was drawn.
    svg = {each.name: each.svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1) for each in figures}
    pictures = {each.name: (each, Markup(svg[each.name])) for each in figures}
    return templates.get_template(template).render(pictures=pictures, **said)
