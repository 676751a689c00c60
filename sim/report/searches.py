"""Reports of searches: which value meets a target, with the evidence; and which settings move the answer most."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sim.fields.messages import capital
from sim.fields.metrics import Form, trust_sentence
from sim.fields.numbers import Scale, compact, estimate, general, how_many, percent, plain
from sim.report import style
from sim.report.answer import Table, brief
from sim.report.axes import Axes, Key, Sheet, whisker_key
from sim.report.sections import Shown
from sim.report.studies import Study, read, sheet_of, write
from sim.report.style import Drawn
from sim.scenario.month import month_in
from sim.studies.axes import label_of, value_words
from sim.studies.constraints import FEASIBLE, INFEASIBLE, SIGNS, UNDECIDED, Constraint, parse_constraint
from sim.studies.sensitivity import importance, most_important

MOST_BARS = 25
NBSP = "\N{NO-BREAK SPACE}"
ANSWER_LOOK = {  # words, colour, marker
    FEASIBLE: ("meets it", style.BLUE, "o"),
    INFEASIBLE: ("misses it", style.VERMILLION, "X"),
    UNDECIDED: ("undecided", style.QUIET, "D"),
}
Row = Mapping[str, Any]


def build_size(path: Path) -> Path:
    """The report of `vmfleet size`: the answer, and what is known at every value tried."""
    study = read(path, "size.json", ("path", "keep", "trials", "words", "seed"))
    figures = [evidence(study)]
    words = str(study.content["words"]).replace(str(study.content["path"]), label_of(str(study.content["path"])))
    words = words.replace(str(study.content["keep"]), _target_words(study, parse_constraint(study.content["keep"])))
    return write(
        study, figures, [Shown(title="What was tried", figures=figures, tables=[_trials_table(study)])], kind="size",
        name=study.title, each="at most at each value, with common random numbers",
        answer=[f"{capital(words)}.", *_cost_of_answer(study)], file="size.json",
    )  # fmt: skip


def _cost_of_answer(study: Study) -> list[str]:
    """What the value found costs a month, where there is one."""
    value = study.content.get("value")
    cost = next((trial["mean_cost_usd"] for trial in study.content["trials"] if trial["value"] == value), None)
    if value is None or cost is None:
        return []
    times, period = study.said_of
    words = f"It costs {brief(cost * times, study.currency).with_unit(cost * times)} {period}."
    doubt = trust_sentence(study.content["trusted_share"]) if "trusted_share" in study.content else ""
    return [words, *filter(None, [month_in(study.content).words, doubt])]


def evidence(study: Study) -> Drawn:
    """What is known at each value tried, against the target."""
    content, constraint = study.content, parse_constraint(study.content["keep"])
    trials: Sequence[Row] = content["trials"]
    form = _form_of(study, constraint)
    numeric = all(_is_number(trial["value"]) for trial in trials)
    at = [trial["value"] if numeric else place for place, trial in enumerate(trials)]
    remark = f"bars: bounds that hold together for all values and interim analyses at {content['confidence']:.0%}"
    question = f"Which {label_of(content['path'])} keeps {_target_words(study, constraint)}?"
    sheet = sheet_of(study, "size_evidence", question, remark)
    axes = sheet.axes(170)
    rows: list[list[Any]] = [["value", "answer", "estimate", "low", "high", "n"]]
    for place, trial in zip(at, trials, strict=True):
        rows.append([trial[key] for key in ("value", "answer", "estimate", "low", "high", "n")])
        if trial["estimate"] is None:
            continue
        _, colour, marker = ANSWER_LOOK[trial["answer"]]
        low, high = (None if trial[end] is None else trial[end] * form.times for end in ("low", "high"))
        axes.whisker(place, low, high, colour=colour, upright=True)
        title = f"{value_words(content['path'], trial['value'])}: {form.with_unit(trial['estimate'])}, {ANSWER_LOOK[trial['answer']][0]}"
        axes.dots([place], [trial["estimate"] * form.times], colour, marker=marker, size=7, titles=[title])
    limit = content["limit"] * form.times
    axes.rule(limit, dash="--")
    axes.x.margin, axes.y.margin = 0.06, 0.12
    if numeric:
        axes.x.most, axes.x.whole = 10, all(float(value).is_integer() for value in at)
    else:
        axes.x.ticks, axes.x.labels = at, [style.shorten(str(trial["value"]), 16) for trial in trials]
    axes.x.label, axes.y.label = label_of(content["path"]), form.title
    seen = {trial["answer"] for trial in trials}
    sheet.key(
        *(Key(label=words, line=c, marker=m, size=6) for each, (words, c, m) in ANSWER_LOOK.items() if each in seen)
    )
    target = f"target: {compact(limit)} {form.unit}"
    sheet.key(Key(label=target, line=style.INK, dash="--"))
    said = "; ".join(
        f"{value_words(content['path'], row[0])}: {form.with_unit(row[2])}, {ANSWER_LOOK[str(row[1])][0]}"
        for row in rows[1:]
    )
    return sheet.finish(alt=f"{form.label} at each {label_of(content['path'])} tried: {said}.", rows=rows)


def _form_of(study: Study, constraint: Constraint) -> Form:
    """What is estimated at each value: a mean, or the chance of an event."""
    of = f" of {constraint.group}" if constraint.group else ""
    mean = study.form(constraint.metric, *(trial["estimate"] for trial in study.content["trials"]))
    if constraint.quantile is None and constraint.event is None:
        return replace(mean, label=f"{mean.label}{of}")
    sign, bound = constraint.event or (constraint.sign, constraint.limit)
    shown = f"{compact(bound * mean.times)} {mean.unit}"
    return Form(
        label=f"probability that {mean.label}{of} {sign} {shown}", scale=Scale(unit="%", decimals=1), times=100.0
    )


def _target_words(study: Study, constraint: Constraint) -> str:
    """The target as people say it."""
    form = _form_of(study, constraint)
    sign = "at least" if constraint.quantile is not None else SIGNS[constraint.sign]
    limit = compact(study.content["limit"] * form.times)
    return f"{form.label} {sign} {limit}{NBSP}{form.unit}".rstrip(NBSP)


def _trials_table(study: Study) -> Table:
    constraint = parse_constraint(study.content["keep"])
    form, (times, period) = _form_of(study, constraint), study.said_of
    rows = []
    for trial in study.content["trials"]:
        found = [
            value_words(study.content["path"], trial["value"]),
            ANSWER_LOOK[trial["answer"]][0],
            form.text(trial["estimate"]),
            form.between(trial["low"], trial["high"]),
        ]
        rows.append([*found, plain(trial["n"], 0), estimate(trial["mean_cost_usd"] * times)])
    columns = [label_of(study.content["path"]), "answer", form.title, "bounds", "replications"]
    columns.append(f"cost {period} ({study.currency})")
    return Table(caption="Every value tried", columns=columns, rows=rows, words=2)


def build_sensitivity(path: Path) -> Path:
    """The report of `vmfleet sensitivity`: a bar a factor, the most important first."""
    study = read(path, "sensitivity.json", ("method", "metric", "factors", "seed", "replications", "points"))
    draw = {"tornado": tornado, "morris": morris, "sobol": sobol}[study.content["method"]]
    figures = [draw(study)]
    form = study.form(study.content["metric"])
    return write(
        study, figures, [Shown(title="Every setting", figures=figures, tables=[_factors_table(study)])],
        kind="sensitivity", name=study.title, each=f"at each of {how_many(study.content['points'], 'point')}, with common random numbers",
        answer=[most_important(study.content["factors"], form.label)], file="sensitivity.json",
    )  # fmt: skip


def tornado(study: Study) -> Drawn:
    """How far the metric moves if one factor at a time goes to either end of its range."""
    form = study.form(study.content["metric"])
    factors = study.content["factors"][:MOST_BARS]
    sheet, axes = _bars(
        study, f"How far does {form.label} move if one setting goes to either end of its range?", "tornado"
    )
    rows: list[list[object]] = [["factor", "end", "setting", "difference", "from", "to"]]
    for line, factor in enumerate(factors):
        for end, look in (("low", (style.SKY, "")), ("high", (style.ORANGE, "//"))):
            moved, begin, stop = _with_bounds(factor, f"at_{end}")
            rows.append([factor["factor"], end, factor[end], moved, begin, stop])
            if moved is not None:
                title = f"{label_of(factor['factor'])} = {_shown(factor[end])}: {form.signed(moved)} {form.unit}"
                axes.bar(line, moved * form.times, look, title=title)
                _interval(axes, line, begin, stop, form.times)
    axes.rule(0.0, upright=True)
    base = study.form(study.content["metric"], factors[0]["base"]).with_unit(factors[0]["base"])
    axes.x.label = f"difference from {base} ({form.unit})"
    sheet.key(
        Key(label="at the low end", fill=style.SKY), Key(label="at the high end", fill=style.ORANGE, hatch="//"), whisker_key("paired interval")
    )  # fmt: skip
    return sheet.finish(alt=f"Tornado of {form.label}, the most important setting first: {_names(factors)}.", rows=rows)


def morris(study: Study) -> Drawn:
    """How much each factor matters anywhere in the ranges, and how much of that depends on the others."""
    form = study.form(study.content["metric"])
    factors = study.content["factors"][:MOST_BARS]
    sheet, axes = _bars(study, f"Which settings matter to {form.label}, anywhere in their ranges?", "morris")
    rows: list[list[object]] = [["factor", "mu", "mu_star", "mu_star_half_width", "sigma"]]
    for line, factor in enumerate(factors):
        rows.append([factor[key] for key in ("factor", "mu", "mu_star", "mu_star_half_width", "sigma")])
        matters, low, high = importance(factor)
        title = f"{label_of(factor['factor'])}: {_figure(matters, form.times)} {form.unit}"
        axes.bar(line, matters * form.times, (style.BLUE, ""), title=title)
        _interval(axes, line, low, high, form.times)
        axes.dots([factor["sigma"] * form.times], [line], style.ORANGE, marker="D")
    axes.x.label = f"change of {form.label} over the whole range ({form.unit})"
    spread = "their spread (sigma): non-linear, or interacting with others"
    sheet.key(
        Key(label="mean size of its effects (mu*)", fill=style.BLUE), whisker_key("interval"),
        Key(label=spread, line=style.ORANGE, marker="D", dash=""),
    )  # fmt: skip
    return sheet.finish(alt=f"Effects on {form.label}, the largest first: {_names(factors)}.", rows=rows)


def sobol(study: Study) -> Drawn:
    """Which part of the metric's variance over the ranges is each factor's."""
    form = study.form(study.content["metric"])
    factors = study.content["factors"][:MOST_BARS]
    sheet, axes = _bars(study, f"Which settings explain the variance of {form.label} over the ranges?", "sobol")
    keys = [f"{kind}{ending}" for kind in ("first_order", "total") for ending in ("", "_from", "_to")]
    rows: list[list[object]] = [["factor", *keys]]
    kinds = (("first_order", -0.17, (style.BLUE, "")), ("total", 0.17, (style.ORANGE, "//")))
    for line, factor in enumerate(factors):
        rows.append([factor["factor"], *(factor[key] for key in keys)])
        for kind, shift, look in kinds:
            share, begin, stop = _with_bounds(factor, kind)
            if share is not None:
                axes.bar(
                    line + shift,
                    100 * share,
                    look,
                    height=0.32,
                    title=f"{label_of(factor['factor'])}: {plain(100 * share, 1)} %",
                )
                _interval(axes, line + shift, begin, stop, 100)
    axes.x.label = "share of the variance (%)"
    parts = Key(label="its own", fill=style.BLUE), Key(label="with its interactions", fill=style.ORANGE, hatch="//")
    sheet.key(*parts, whisker_key("interval"))
    return sheet.finish(alt=f"Shares of the variance of {form.label}, the largest first: {_names(factors)}.", rows=rows)


def _bars(study: Study, question: str, name: str) -> tuple[Sheet, Axes]:
    """A sheet with a line for each factor, the most important above, its range beside its name."""
    factors = study.content["factors"]
    shown = factors[:MOST_BARS]
    left_out = len(factors) - len(shown)
    remark = f"{left_out:,} settings that matter less left out" if left_out else "bars: the most important first"
    sheet = sheet_of(study, name, question, remark)
    axes = sheet.axes(max(len(shown), 2) * 28)
    axes.name_lines(
        [
            f"{style.shorten(label_of(each['factor']), 40)}, {_shown(each['low'])} \N{HORIZONTAL ELLIPSIS} {_shown(each['high'])}"
            for each in shown
        ]
    )
    return sheet, axes


def _names(factors: Sequence[Row]) -> str:
    return ", ".join(label_of(each["factor"]) for each in factors)


def _interval(axes: Axes, line: float, begin: float | None, stop: float | None, times: float = 1.0) -> None:
    if begin is not None and stop is not None:
        axes.whisker(line, begin * times, stop * times)


def _factors_table(study: Study) -> Table:
    """A row a factor: its range, and what the method found, each figure with its bounds in one cell."""
    form = study.form(study.content["metric"])
    method, factors = study.content["method"], study.content["factors"]
    unit, level = form.unit, percent(study.confidence, 0)
    rows = []
    for factor in factors:
        over = f"{_shown(factor['low'])} to {_shown(factor['high'])}".replace(" ", NBSP)
        rows.append([label_of(factor["factor"]), over, *CELLS[method](factor, form)])
    columns = ["setting", "range", *(each.format(unit=unit, level=level) for each in COLUMNS[method])]
    return Table(caption="Every setting", columns=columns, rows=rows, words=2, note=NOTES[method])


def _with_bounds(factor: Row, key: str) -> tuple[Any, Any, Any]:
    """A figure of a factor, and the ends of its interval; None where there is none."""
    return factor.get(key), factor.get(f"{key}_from"), factor.get(f"{key}_to")


def _tornado_cells(factor: Row, form: Form) -> list[str]:
    cells = []
    for end in ("low", "high"):
        moved, begin, stop = _with_bounds(factor, f"at_{end}")
        cells += [_figure(moved, form.times), _bounds(begin, stop, form.times), str(factor[f"at_{end}_verdict"])]
    return cells


def _morris_cells(factor: Row, form: Form) -> list[str]:
    around = f"{_figure(factor['mu_star'], form.times)} ± {_figure(factor['mu_star_half_width'], form.times)}"
    return [around, *(_figure(factor[key], form.times) for key in ("mu", "sigma"))]


def _sobol_cells(factor: Row, _form: Form) -> list[str]:
    cells = []
    for kind in ("first_order", "total"):
        share, begin, stop = _with_bounds(factor, kind)
        bounds = "" if begin is None or stop is None else f"{plain(100 * begin, 1)} to {plain(100 * stop, 1)}"
        cells += [plain(None if share is None else 100 * share, 1), bounds]
    return cells


CELLS = {"tornado": _tornado_cells, "morris": _morris_cells, "sobol": _sobol_cells}
COLUMNS = {
    "tornado": (
        "at the low end ({unit})",
        "{level} interval",
        "verdict",
        "at the high end ({unit})",
        "{level} interval",
        "verdict",
    ),
    "morris": ("mean size of effects, mu* ({unit})", "mean effect, mu ({unit})", "spread, sigma ({unit})"),
    "sobol": ("its own (%)", "{level} interval", "with interactions (%)", "{level} interval"),
}
NOTES = {
    "tornado": "Each setting alone goes to either end, against the scenario as it is, with common random numbers; verdicts hold "
    "for all of them together (Holm).",
    "morris": "Effects over the whole range, from many places in the ranges of the others. mu* far above mu: the "
    "direction changes. sigma near mu* or above: it is non-linear or interacts with others.",
    "sobol": "Shares of the metric's variance where every setting is uniform over its range. Estimates of a share may lie "
    "a little below 0 or above 100 %; more samples narrow their intervals.",
}


def _figure(value: float | None, times: float) -> str:
    return general(None if value is None else value * times, 4)


def _bounds(low: float | None, high: float | None, times: float) -> str:
    return "" if low is None or high is None else f"{_figure(low, times)} to {_figure(high, times)}"


def _shown(value: object) -> str:
    return general(value, 6) if value is None or isinstance(value, int | float) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
