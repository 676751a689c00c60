"""The report of a sweep: how each figure moves with the settings that were varied."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.fields.messages import capital, list_words
from sim.fields.numbers import compact, how_many, percent
from sim.report import style
from sim.report.answer import Table
from sim.report.axes import Key
from sim.report.pareto import cost_against_lateness
from sim.report.sections import Shown
from sim.report.studies import Study, known, read, sheet_of, write
from sim.report.style import Drawn
from sim.studies.axes import label_of
from sim.studies.sweep_words import forms_of, settings_words, sweep_sentences

MOST_LINES = 7
DASHES = ("-", "--", "-.", ":")


def build_sweep(path: Path) -> Path:
    """The report of `vmfleet sweep`: one plot and one column a metric."""
    study = read(path, "sweep.json", ("axes", "metrics", "points", "seed", "replications"))
    axes = study.content["axes"]
    worth = [place for place, axis in enumerate(axes) if len(axis["values"]) > 1] or [0]
    figures = [sweep_lines(study, metric, along) for metric in study.content["metrics"] for along in worth]
    paths = [path for axis in study.content["axes"] for path in axis["paths"]]
    points = study.content["points"]
    over = f"{how_many(len(points), 'point')} over {list_words([label_of(path) for path in paths], 'and')}"
    sections = [Shown(title=capital(over), figures=figures, tables=[_sweep_table(study, paths)])]
    if (
        trade := cost_against_lateness(study, {settings_words(point): point["metrics"] for point in points})
    ) is not None:
        sections.append(Shown(title="Cost against lateness", figures=trade[:1], tables=trade[1:]))
        figures = [*figures, trade[0]]
    return write(
        study, figures, sections, kind="sweep", name=study.title, each="at each point, with common random numbers",
        answer=sweep_sentences(study.content), file="sweep.json",
    )  # fmt: skip


def sweep_lines(study: Study, metric: str, which: int = 0) -> Drawn:
    """A metric along one axis, a line for each setting of the others."""
    form = forms_of(study.content)[metric]
    name = "sweep_" + "".join(letter if letter.isalnum() else "_" for letter in metric)
    axis = study.content["axes"][which]
    others = [each for place, each in enumerate(study.content["axes"]) if place != which]
    along = axis["paths"][0]
    if which:
        name += "_by_" + "".join(letter if letter.isalnum() else "_" for letter in along)
    steps = [step[0] for step in axis["values"]]
    numeric = all(isinstance(step, int | float) and not isinstance(step, bool) for step in steps)
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for point in study.content["points"]:
        rest = [f"{label_of(p)} = {point['settings'][p]}" for other in others for p in other["paths"]]
        lines.setdefault(", ".join(rest), []).append(point)
    ranges = [point["metrics"].get(metric, {}).get("p05") is not None for point in study.content["points"]]
    is_shaded = numeric and study.replications > 1 and any(ranges)
    level = f"{percent(study.confidence, 0)} intervals and, shaded, 5\N{EN DASH}95 % of replications"
    remark = level if is_shaded else ""
    sheet = sheet_of(study, name, f"How does {form.label} depend on the {label_of(along)}?", remark)
    axes = sheet.axes(170)
    rows: list[list[Any]] = [
        [*(p for a in study.content["axes"] for p in a["paths"]), "mean", "low", "high", "p05", "p95"]
    ]
    for i, (label, points) in enumerate(lines.items()):
        colour, _ = style.SERIES[i % len(style.SERIES)]
        found = [p for p in points if known(p["metrics"].get(metric))]
        for point in found:
            entry = point["metrics"][metric]
            rows.append([*point["settings"].values(), *(entry.get(k) for k in ("mean", "low", "high", "p05", "p95"))])
        if i >= MOST_LINES:
            continue
        # Side by side where places are words: intervals would hide each other.
        aside = 0.0 if numeric else 0.06 * (i - (min(len(lines), MOST_LINES) - 1) / 2)
        at = [p["settings"][along] if numeric else steps.index(p["settings"][along]) + aside for p in found]
        entries = [p["metrics"][metric] for p in found]
        means = [entry["mean"] * form.times for entry in entries]
        if numeric and all(entry.get("p05") is not None for entry in entries) and study.replications > 1:
            low, high = ([entry[k] * form.times for entry in entries] for k in ("p05", "p95"))
            axes.area(at, low, high, (colour, ""), opacity=0.16)
        # Thick below thin, so that lines on top of one another are all seen; between words there is nothing to join.
        dash, width = DASHES[i % len(DASHES)] if numeric else "", max(1.2, 3.0 - 0.6 * i)
        if numeric:
            axes.line(at, means, colour, dash=dash, width=width)
        titles = [f"{form.with_unit(p['metrics'][metric]['mean'])} at {settings_words(p)}" for p in found]
        axes.dots(at, means, colour, titles=titles)
        for x, entry in zip(at, entries, strict=True):
            ends = [None if entry.get(k) is None else entry[k] * form.times for k in ("low", "high")]
            axes.whisker(x, *ends, size=7, colour=colour, upright=True)
        if len(lines) > 1:
            sheet.key(Key(label=style.shorten(label, 60), line=colour, marker="o", dash=dash, width=width))
    if not numeric:
        axes.x.margin, axes.x.ticks = 0.15, range(len(steps))
        axes.x.labels = [style.shorten(str(step), 16) for step in steps]
    axes.x.most, axes.x.label, axes.y.label, axes.y.margin = 10, label_of(along), form.title, 0.08
    axes.x.margin = axes.x.margin or 0.03
    said = "; ".join(
        f"{form.with_unit(row[-5])} at {', '.join(map(str, row[:-5]))}" for row in rows[1 : style.MOST_SAID + 1]
    )
    return sheet.finish(alt=f"{form.label} over {label_of(along)}: {said}.", rows=rows)


def _sweep_table(study: Study, paths: Sequence[str]) -> Table:
    rows, forms = [], forms_of(study.content)
    columns = [label_of(path) for path in paths]
    for form in forms.values():
        columns += [form.title, f"{percent(study.confidence, 0)} interval"]
    for point in study.content["points"]:
        row = [value if isinstance(value, str) else compact(value) for value in point["settings"].values()]
        for metric, form in forms.items():
            entry = point["metrics"].get(metric, {})
            row += [form.text(entry.get("mean")), form.between(entry.get("low"), entry.get("high"))]
        rows.append(row)
    return Table(caption="Every point", columns=columns, rows=rows, words=len(paths))
