"""What reports of studies of many scenarios share: how their folders are read, and how any metric is written."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import ResultError
from sim.fields.metrics import Form, Forms
from sim.fields.numbers import how_many, percent
from sim.report import page, sources
from sim.report.axes import Sheet
from sim.report.sections import Shown
from sim.report.style import Drawn
from sim.runs.results import read_json
from sim.scenario.month import said_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A comparison or a sweep as its folder tells it."""

    folder: Path
    content: Mapping[str, Any]
    provenance: Mapping[str, Any]
    seed: int  # all variants share it
    replications: int  # of each variant
    confidence: float  # the level of every interval
    currency: str
    title: str  # what people call the scenario

    @property
    def said_of(self) -> tuple[float, str]:
        """What its costs are multiplied by, and what they are of then: a month, or the period."""
        times, period = said_of(self.content, self.content.get("hours"))
        return times, period or "in the period"

    def form(self, metric: str, *values: float | None) -> Form:
        """How figures of a metric are written, given some of them."""
        return Forms(currency=self.currency).of(metric, *values)


def known(entry: Mapping[str, Any] | None) -> bool:
    """Whether an estimate or difference has a figure at all."""
    return entry is not None and entry.get("mean") is not None


def sheet_of(study: Study, name: str, question: str, remark: str = "") -> Sheet:
    """A figure that says where it comes from."""
    sure = (
        f"{percent(study.confidence, 0)} intervals" if study.replications > 1 else "no intervals from one replication"
    )
    origin = f"seed {study.seed}", how_many(study.replications, "replication"), f"numbers in figures/{name}.csv"
    return Sheet(name, question, (*origin, remark or sure))


def read(path: Path, file: str, keys: Sequence[str]) -> Study:
    """A study's folder. Raises ResultError naming what its file lacks."""
    content = read_json(path / file) or {}
    for key in keys:
        if key not in content:
            raise ResultError(f"{path / file}: no {key!r}; was it written by vmfleet?")
    first = path / "scenarios" / ("000-base.toml" if file == "comparison.json" else "000-scenario.toml")
    try:
        title = tomllib.loads(first.read_text(encoding="utf-8")).get("title")
    except (OSError, ValueError):  # older, or not to be read: its name does
        title = None
    return Study(
        folder=path,
        title=str(title or content.get("scenario", content.get("base", ""))),
        content=content,
        provenance=read_json(path / "provenance.json") or {},
        seed=int(content["seed"]),
        replications=int(content.get("replications") or max(trial["n"] for trial in content["trials"])),
        confidence=float(content.get("confidence", 0.95)),
        currency=str(content.get("currency", "USD")),  # a folder that doesn't say is older than any other currency
    )


def write(
    study: Study,
    figures: Sequence[Drawn],
    sections: Sequence[Shown],
    *,
    kind: str,
    name: str,
    each: str,
    file: str,
    **said: Any,
) -> Path:
    """Put figures and page into the study's folder."""
    origin = Shown(
        title="Where these figures come from", tables=[sources.facts(sources.pairs(study.provenance))], is_open=False,
        note=f"{sources.FILES}; all figures of all groups in {file}.",
    )  # fmt: skip
    runs = f"{how_many(study.replications, 'replication')} {each}"
    said = {"cards": []} | said
    text = page.fill(
        title=f"{name}: {kind}", kind=kind, name=name, facts=[runs, f"seed {study.seed}"],
        sections=[*(each for each in sections if each.figures or each.tables or each.words), origin], **said,
    )  # fmt: skip
    return page.write(study.folder, figures, text)
