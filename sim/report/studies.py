"""What reports of studies of many scenarios share: how their folders are read, and how any metric is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import ResultError
from sim.fields.metrics import Form, Forms
from sim.fields.numbers import percent
from sim.report import page, sources
from sim.report.answer import Table
from sim.report.style import Drawn
from sim.runs.results import read_json


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

    def form(self, metric: str, *values: float | None) -> Form:
        """How figures of a metric are written, given some of them."""
        return Forms(currency=self.currency).of(metric, *values)


def known(entry: Mapping[str, Any] | None) -> bool:
    """Whether an estimate or difference has a figure at all."""
    return entry is not None and entry.get("mean") is not None


def footer(study: Study, name: str, remark: str = "") -> str:
    """Where a figure comes from, in one small line."""
    sure = f"{percent(study.confidence, 0)} intervals and, shaded, 5\N{EN DASH}95 % of replications"
    return "  \N{MIDDLE DOT}  ".join(
        (
            f"seed {study.seed}",
            f"{study.replications:,} replications",
            f"numbers in figures/{name}.csv",
            remark or (sure if study.replications > 1 else "no intervals from one replication"),
        )
    )


def read(path: Path, file: str, keys: Sequence[str]) -> Study:
    """A study's folder. Raises ResultError naming what its file lacks."""
    content = read_json(path / file) or {}
    for key in keys:
        if key not in content:
            raise ResultError(f"{path / file}: no {key!r}; was it written by vmfleet?")
    return Study(
        folder=path,
        content=content,
        provenance=read_json(path / "provenance.json") or {},
        seed=int(content["seed"]),
        replications=int(content.get("replications") or max(trial["n"] for trial in content["trials"])),
        confidence=float(content.get("confidence", 0.95)),
        currency=str(content.get("currency", "USD")),  # a folder that doesn't say is older than any other currency
    )


def write(study: Study, figures: Sequence[Drawn], **said: Any) -> Path:
    """Put figures and page into the study's folder."""
    text = page.fill(
        "study.html.j2",
        figures,
        title=f"{said['name']}: {said['kind']}",
        study=study,
        provenance=Table(columns=["", ""], rows=sources.pairs(study.provenance), words=2),
        **said,
    )
    return page.write(study.folder, figures, text)
