"""Reports of studies that play many scenarios: what a change makes different, and how a figure moves with a setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sim.errors import ResultError
from sim.report import answers, folder, look, page
from sim.report.answers import Table
from sim.report.look import Drawn, Sheet
from sim.report.numbers import compact, percent, plain

HEADLINES = ("cost.total", "billed_hours", "wasted_hours", "availability")
MOST_LINES = 7
VERDICTS = {  # colour and marker, so that no colour has to be told apart
    "better": (look.BLUE, "o"),
    "worse": (look.VERMILLION, "^"),
    "lower": (look.SKY, "v"),
    "higher": (look.ORANGE, "s"),
    "undecided": (look.QUIET, "D"),
    "same": (look.BLACK, "|"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A comparison or a sweep as its folder tells it."""

    folder: Path
    content: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def seed(self) -> int:
        """The seed that all variants share."""
        return int(self.content["seed"])

    @property
    def replications(self) -> int:
        """Replications of each variant."""
        return int(self.content["replications"])

    @property
    def confidence(self) -> float:
        """The level of every interval."""
        return float(self.content.get("confidence", 0.95))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How a metric is shown: its unit and what it is multiplied by."""

    words: str
    unit: str
    times: float = 1.0


def measure_of(metric: str, currency: str = "USD") -> Measure:
    """Words and unit of any metric, from its name."""
    if metric.startswith("cost."):
        kind = metric.removeprefix("cost.")
        return Measure(words="cost" if kind == "total" else f"cost of {kind}", unit=currency)
    if metric == "availability" or metric.endswith(("failure_rate", ".used_fraction")):
        words = "availability" if metric == "availability" else metric.replace("_", " ")
        return Measure(words=words, unit="%", times=100.0)
    if metric.startswith("hours."):
        return Measure(words=f"hours {metric.removeprefix('hours.')}", unit="VM-h")
    if metric.endswith("_hours"):
        words = "billed but not served" if metric == "wasted_hours" else metric.replace("_", " ")
        return Measure(words=words, unit="VM-h")
    return Measure(
        words=metric.replace("_", " "), unit="VMs" if metric.startswith("vms.") else "per replication"
    )


def build_comparison(path: Path) -> Path:
    """The report of `vmfleet compare`: each difference with its interval, and what may be believed."""
    study = _read(path, "comparison.json", ("base", "differences", "seed", "replications"))
    with look.style():
        figures = [drawn] if (drawn := differences(study)) is not None else []
    base = str(study.content["base"])
    return _write(
        study,
        figures,
        kind="comparison",
        name=f"{base} and {_and(list(study.content['differences']))}",
        each="of each, under the same luck",
        answer=_verdicts(study),
        warnings=[str(each) for each in study.content.get("warnings", [])],
        tables=[
            (f"{variant} instead of {base}", _difference_table(study, variant))
            for variant in study.content["differences"]
        ],
        file="comparison.json",
    )


def build_sweep(path: Path) -> Path:
    """The report of `vmfleet sweep`: one plot and one column a metric."""
    study = _read(path, "sweep.json", ("axes", "metrics", "points", "seed", "replications"))
    with look.style():
        figures = [sweep_lines(study, metric) for metric in study.content["metrics"]]
    paths = [path for axis in study.content["axes"] for path in axis["paths"]]
    points = study.content["points"]
    return _write(
        study,
        figures,
        kind="sweep",
        name=str(study.content.get("scenario", "")),
        each="at each point, under the same luck",
        answer=_extremes(study),
        warnings=[],
        tables=[(f"{len(points):,} points over {_and(paths)}", _sweep_table(study, paths))],
        file="sweep.json",
    )


def differences(study: Study) -> Drawn | None:
    """Variant minus base in the headline metrics: the mean, its interval, and a line at no difference."""
    name = "differences"
    of = study.content["differences"]
    metrics = [m for m in HEADLINES if any(_known(of[v].get(m)) for v in of)]
    if not metrics:
        return None
    row, top = 0.34, 0.85
    tall = max(len(of), 2) * row
    rows_of_panels = math.ceil(len(metrics) / 2)
    height = top + rows_of_panels * (tall + 0.95) + 0.2
    sheet = Sheet(
        f"What is different from {look.shorten(str(study.content['base']), 50)}?",
        height,
        _footer(study, name, f"bars: {percent(study.confidence, 0)} interval of the mean difference"),
    )
    names = [look.shorten(str(variant), 22) for variant in of]
    left = 0.3 + 0.075 * max(map(len, names))
    width = (look.WIDTH_IN - 2 * left - 0.5) / 2
    rows: list[list[object]] = [["variant", "metric", "mean", "low", "high", "verdict"]]
    seen: dict[str, None] = {}
    for i, metric in enumerate(metrics):
        measure = measure_of(metric)
        axes = sheet.axes(
            left=left + (i % 2) * (width + left),
            top=top + (i // 2) * (tall + 0.95),
            width=width,
            height=tall,
        )
        axes.axvline(0.0, color=look.INK, linewidth=0.9)
        for line, (variant, by_metric) in enumerate(of.items()):
            entry = by_metric.get(metric)
            if not _known(entry):
                continue
            verdict = str(entry.get("verdict", "undecided"))
            seen[verdict] = None
            _point(axes, line, entry, measure.times, *VERDICTS.get(verdict, VERDICTS["undecided"]))
            rows.append([variant, metric, entry["mean"], entry["low"], entry["high"], verdict])
        axes.set_ylim(max(len(of), 2) - 0.5, -0.5)
        axes.set_yticks(range(len(of)), names)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.12)
        look.put_numbers(axes.xaxis, most=4)
        axes.set_xlabel(f"{measure.words} ({'points of ' if measure.times != 1 else ''}{measure.unit})")
    sheet.legend(
        [
            Line2D([], [], color=VERDICTS[v][0], marker=VERDICTS[v][1], linewidth=1.6, label=v)
            for v in VERDICTS
            if v in seen
        ],
        columns=6,
    )
    return sheet.finish(name, alt="Differences from the base with their intervals.", rows=rows)


def _point(axes: Axes, line: float, entry: Mapping[str, Any], times: float, colour: str, marker: str) -> None:
    if entry.get("low") is not None and entry.get("high") is not None:
        axes.plot([entry["low"] * times, entry["high"] * times], [line, line], color=colour, linewidth=2.2)
    axes.plot([entry["mean"] * times], [line], color=colour, marker=marker, markersize=6)


def sweep_lines(study: Study, metric: str) -> Drawn:
    """A metric along the first axis, a line for each setting of the others."""
    measure = measure_of(metric)
    name = "sweep_" + "".join(letter if letter.isalnum() else "_" for letter in metric)
    axis, *others = study.content["axes"]
    along = axis["paths"][0]
    steps = [step[0] for step in axis["values"]]
    numeric = all(isinstance(step, int | float) and not isinstance(step, bool) for step in steps)
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for point in study.content["points"]:
        rest = [f"{p} = {point['settings'][p]}" for other in others for p in other["paths"]]
        lines.setdefault(", ".join(rest), []).append(point)
    sheet = Sheet(
        f"How does {measure.words} depend on {along}?",
        4.4 + 0.17 * ((len(lines) - 1) // 3),
        _footer(study, name),
    )
    top = 0.75 + 0.17 * ((min(len(lines), MOST_LINES) - 1) // 3)
    axes = sheet.axes(left=1.15, top=top, width=look.WIDTH_IN - 1.6, height=2.75)
    rows: list[list[object]] = [
        [*(p for a in study.content["axes"] for p in a["paths"]), "mean", "low", "high", "p05", "p95"]
    ]
    handles = []
    styles: Any = ("-", "--", "-.", ":")
    for i, (label, points) in enumerate(lines.items()):
        colour, _ = look.SERIES[i % len(look.SERIES)]
        found = [p for p in points if _known(p["metrics"].get(metric))]
        for point in found:
            entry = point["metrics"][metric]
            rows.append(
                [*point["settings"].values(), *(entry.get(k) for k in ("mean", "low", "high", "p05", "p95"))]
            )
        if i >= MOST_LINES:
            continue
        at = [p["settings"][along] if numeric else _place(steps, p["settings"][along]) for p in found]
        entries = [p["metrics"][metric] for p in found]
        means = [entry["mean"] * measure.times for entry in entries]
        if all(entry.get("p05") is not None for entry in entries) and study.replications > 1:
            low, high = ([entry[k] * measure.times for entry in entries] for k in ("p05", "p95"))
            axes.fill_between(at, low, high, color=colour, alpha=0.16, linewidth=0)
        style = styles[i // 2 % len(styles)]
        axes.plot(at, means, color=colour, linestyle=style, marker="o", markersize=4)
        for x, entry in zip(at, entries, strict=True):
            if entry.get("low") is not None:
                ends = [entry["low"] * measure.times, entry["high"] * measure.times]
                axes.plot([x, x], ends, color=colour, linewidth=1.4, marker="_", markersize=7)
        handles.append(
            Line2D(
                [], [], color=colour, linestyle=style, marker="o", markersize=4, label=look.shorten(label, 44)
            )
        )
    if numeric:
        look.put_numbers(axes.xaxis, most=10)
    else:
        axes.set_xticks(range(len(steps)), [look.shorten(str(step), 16) for step in steps])
    look.put_numbers(axes.yaxis)
    axes.set_xlabel(along)
    axes.set_ylabel(f"{measure.words} ({measure.unit})")
    if len(lines) > 1:
        sheet.legend(handles, columns=3)
    return sheet.finish(name, alt=f"{measure.words} over {along}.", rows=rows)


def _place(steps: Sequence[object], value: object) -> int:
    return next(i for i, step in enumerate(steps) if step == value)


def _known(entry: Mapping[str, Any] | None) -> bool:
    return entry is not None and entry.get("mean") is not None


def _footer(study: Study, name: str, remark: str = "") -> str:
    sure = f"{percent(study.confidence, 0)} intervals and, shaded, 5\N{EN DASH}95 % of replications"
    return "  \N{MIDDLE DOT}  ".join(
        (
            f"seed {study.seed}",
            f"{study.replications:,} replications",
            f"numbers in figures/{name}.csv",
            remark or (sure if study.replications > 1 else "no intervals from one replication"),
        )
    )


def _verdicts(study: Study) -> list[str]:
    """One sentence a variant: what it does to the bill, and how sure that is."""
    told = []
    for variant, by_metric in study.content["differences"].items():
        cost = by_metric.get("cost.total")
        if not _known(cost):
            continue
        mean = cost["mean"]
        if mean == 0 and not cost.get("low"):
            told.append(f"{variant} costs the same as {study.content['base']}.")
            continue
        words = f"{variant} costs {plain(abs(mean), 2)} USD {'less' if mean < 0 else 'more'} than {study.content['base']}"
        if cost.get("relative") is not None:
            words += f" ({_signed(cost['relative'] * 100, 1)} %)"
        if cost.get("low") is not None:
            bounds = f"{_signed(cost['low'], 2)} to {_signed(cost['high'], 2)} USD"
            words += f"; with {percent(study.confidence, 0)} confidence the difference is {bounds}"
        if cost.get("verdict") == "undecided":
            words += ", so which of the two is cheaper is undecided"
        told.append(f"{words}.")
    gains = [
        by["cost.total"].get("gain") for by in study.content["differences"].values() if "cost.total" in by
    ]
    known = [gain for gain in gains if gain is not None and math.isfinite(gain)]
    if known:
        told.append(
            "Without shared luck, the same certainty about cost would take "
            + (
                f"{plain(min(known), 1)} to {plain(max(known), 1)}"
                if min(known) != max(known)
                else plain(known[0], 1)
            )
            + " times as many replications."
        )
    return told or ["Nothing that can be compared was found."]


def _difference_table(study: Study, variant: str) -> Table:
    """Every metric that differs, headline metrics first."""
    by_metric = study.content["differences"][variant]
    base = study.content.get("base_metrics", {})
    order = [m for m in HEADLINES if m in by_metric] + [m for m in by_metric if m not in HEADLINES]
    rows = []
    same = 0
    for metric in order:
        entry = by_metric[metric]
        if not _known(entry) or (entry["mean"] == 0 and metric not in HEADLINES):
            same += 1
            continue
        measure = measure_of(metric)
        start = base.get(metric, {}).get("mean")
        places = 3 if measure.unit == "%" else 2
        low, high = entry.get("low"), entry.get("high")
        bounds = ""
        if low is not None and high is not None:
            ends = [_signed(end * measure.times, places) for end in (low, high)]
            bounds = " to ".join(ends) if low != high else "always the same"
        sure = entry.get("p_better")
        rows.append(
            [
                measure.words,
                measure.unit,
                _amount(start, measure),
                _signed(entry["mean"] * measure.times, places),
                bounds,
                _probability(sure),
                str(entry.get("verdict", "")),
            ]
        )
    return Table(
        columns=[
            "",
            "unit",
            "base",
            "difference",
            f"{percent(study.confidence, 0)} interval",
            "P(better)",
            "verdict",
        ],
        rows=rows,
        words=2,
        note=f"{same:,} other metrics are the same or undefined. Each interval holds for its own metric; a verdict holds for all of them together (Holm).",
    )


def _extremes(study: Study) -> list[str]:
    """Where each metric asked for is lowest and highest."""
    told = []
    for metric in study.content["metrics"]:
        measure = measure_of(metric)
        found = [p for p in study.content["points"] if _known(p["metrics"].get(metric))]
        if not found:
            continue
        least = min(found, key=lambda p: p["metrics"][metric]["mean"])
        most = max(found, key=lambda p: p["metrics"][metric]["mean"])
        words = measure.words[:1].upper() + measure.words[1:]
        told.append(f"{words} goes from {_told(least, metric, measure)} to {_told(most, metric, measure)}.")
    return told or ["No point has a figure that could be shown."]


def _told(point: Mapping[str, Any], metric: str, measure: Measure) -> str:
    settings = ", ".join(f"{path} = {value}" for path, value in point["settings"].items())
    return f"{_amount(point['metrics'][metric]['mean'], measure)} {measure.unit} at {settings}"


def _sweep_table(study: Study, paths: Sequence[str]) -> Table:
    rows = []
    columns = list(paths)
    for metric in study.content["metrics"]:
        measure = measure_of(metric)
        columns += [f"{measure.words} ({measure.unit})", f"{percent(study.confidence, 0)} interval"]
    for point in study.content["points"]:
        row = [value if isinstance(value, str) else compact(value) for value in point["settings"].values()]
        for metric in study.content["metrics"]:
            measure, entry = measure_of(metric), point["metrics"].get(metric, {})
            mean, low, high = (_amount(entry.get(key), measure) for key in ("mean", "low", "high"))
            row += [mean, "" if entry.get("low") is None else f"{low} to {high}" if low != high else low]
        rows.append(row)
    return Table(columns=columns, rows=rows, words=len(paths))


def _probability(p: float | None) -> str:
    """A probability that was estimated: beyond a thousandth its digits say nothing."""
    if p is None:
        return ""
    if p < 0.001 or p > 0.999:
        return (
            "<\N{NO-BREAK SPACE}0.1\N{NO-BREAK SPACE}%"
            if p < 0.5
            else ">\N{NO-BREAK SPACE}99.9\N{NO-BREAK SPACE}%"
        )
    return percent(p, 1)


def _amount(value: float | None, measure: Measure) -> str:
    """A figure without its unit; a share that isn't all is never shown as all."""
    if value is None:
        return plain(None, 0)
    if measure.unit == "%":
        return percent(value, 3).removesuffix("\N{NO-BREAK SPACE}%")
    return plain(value * measure.times, 2)


def _signed(value: float, decimals: int) -> str:
    text = plain(value, decimals)
    return f"+{text}" if value > 0 and float(f"{value:.{decimals}f}") != 0 else text


def _and(names: Sequence[object]) -> str:
    words = [str(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _read(path: Path, file: str, keys: Sequence[str]) -> Study:
    content = folder.read_json(path / file) or {}
    for key in keys:
        if key not in content:
            raise ResultError(f"{path / file}: no {key!r}; was it written by vmfleet?")
    return Study(folder=path, content=content, provenance=folder.read_json(path / "provenance.json") or {})


def _write(study: Study, figures: Sequence[Drawn], **said: Any) -> Path:
    pairs = answers.pairs(study.provenance)
    text = page.render_study(study, figures, provenance=Table(columns=["", ""], rows=pairs, words=2), **said)
    return page.write(study.folder, figures, text)
