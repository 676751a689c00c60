"""The page that people read: one HTML file that holds all it shows and asks nothing of the network."""

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sim.errors import ResultError
from sim.fields.messages import capital
from sim.fields.numbers import how_many, length
from sim.report import answer, clock, sections, style
from sim.report.folder import ReportedRun
from sim.report.sections import Shown
from sim.report.style import Drawn
from sim.report.totals import HoursParts, MoneyParts
from sim.runs.atomic_write import drawing_in

HERE = Path(__file__).parent


def render(run: ReportedRun, figures: Sequence[Drawn], hours: HoursParts, money: MoneyParts) -> str:
    """The whole page of a run."""
    data = answer.page_data(run, hours, money)
    facts = [length(run.counted_h), clock.span(run.own_start, run.horizon_h)]
    facts.append(f"warm-up of {length(run.warm_up_h)} left out" if run.warm_up_h else "")
    facts.append(how_many(run.replications, "replication"))
    facts += [f"seed {run.seed}", f"billing policy {run.policy}"]
    return fill(
        title=f"{run.title}: what the fleet did and what it cost",
        kind="report",
        name=run.title,
        description=run.description,
        facts=[fact for fact in facts if fact],
        answer=answer.answer(data),
        cards=answer.cards(data),
        sections=sections.shown(data, figures),
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


def fill(*, sections: Sequence[Shown], description: str = "", warnings: Sequence[str] = (), **said: Any) -> str:
    """The page filled in; every word from the folder is escaped, only our own pictures, style and script are markup.

    A name that the template misspells is an error. Style and script run because the page names their digests, and no other does.
    """
    templates = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # An inline picture needs no namespace; its text was escaped when it was drawn.
    templates.filters["inline"] = lambda svg: Markup(svg.replace(' xmlns="http://www.w3.org/2000/svg"', "", 1))
    templates.filters["capital"] = capital
    looks, script = _style_sheet(), (HERE / "page.js").read_text(encoding="utf-8")
    return templates.get_template("page.html.j2").render(
        sections=sections, description=description, warnings=warnings, style=Markup(looks), style_hash=_digest(looks),
        script=Markup(script), script_hash=_digest(script), **said,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _style_sheet() -> str:
    """The page's style, its colours that figures have too, and what becomes of theirs on a dark page."""
    shared = {"ink": style.INK, "quiet": style.QUIET, "rule": style.RULE, "paper": style.WHITE}
    light, dark = (
        "".join(f" --{name}: {of.get(colour, colour)};" for name, colour in shared.items()) for of in ({}, style.DARK)
    )
    figures = "\n".join(
        f'  figure [{kind}="{colour}"] {{ {kind}: {on_dark}; }}'
        for colour, on_dark in style.DARK.items()
        for kind in ("fill", "stroke")
    )
    return (
        f"{(HERE / 'page.css').read_text(encoding='utf-8')}:root {{{light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{\n  :root {{{dark} }}\n{figures}\n}}\n"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
