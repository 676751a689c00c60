"""Pictures of answers on matplotlib axes of the user's, for notebooks and papers; figures of reports are `sim.report.axes`.

Every answer becomes lines of a bar chart (what, how much, between which bounds) under one question; a difference in cost becomes a
waterfall. The numbers are those of the answer's `summary()`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes

from sim.fields.messages import list_words
from sim.fields.metrics import Form, Forms, Unit, find_metric
from sim.fields.numbers import Scale, length
from sim.report import style
from sim.report.waterfall import LESS, MORE, WHOLE, steps
from sim.runs.answer_words import counted_h
from sim.runs.group_costs import OF_NO_GROUP, mean_in
from sim.runs.metrics import FLEET, check_metric
from sim.runs.results import StoredResult
from sim.runs.run_result import RunResult
from sim.studies.compare import Comparison
from sim.studies.cost_words import cost_answer
from sim.studies.recommend import Recommendation
from sim.studies.selection import Selection
from sim.studies.sensitivity import Sensitivity, importance
from sim.studies.sizing import Sizing
from sim.studies.sweep import Sweep

COST = "cost.total"
WORDS_PT = 9.0  # size of the words beside bars
LETTER = 0.6  # mean width of a letter, of the size of its font
Line = tuple[str, float | None, float | None, float | None]  # what, figure, bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is drawn of an answer: lines from above, each with its figure and bounds, in the unit of *form*."""

    title: str
    label: str  # of the horizontal axis
    times: float
    lines: Sequence[Line]
    words: Sequence[str]  # beside each bar
    whole: Mapping[int, float] | None = None  # of a waterfall: where each bar begins; None: at 0
    note: str = ""  # below the axis


def draw(answer: object, *what: str, ax: Axes | None = None) -> Axes:
    """Draw an answer onto *ax*, or onto new axes."""
    picture = picture_of(answer, *what)
    if ax is None:
        from matplotlib import pyplot as plt  # start-up: only where a figure of its own is asked for

        height = 1.2 + 0.34 * len(picture.lines)
        ax = plt.subplots(figsize=(7.0, height), layout="constrained")[1]
    last = len(picture.lines) - 1
    for place, (_, figure, low, high) in enumerate(picture.lines):
        if figure is None:
            continue
        amount, begin = figure * picture.times, 0.0
        colour, hatch = (style.BLUE, "")
        if picture.whole is not None:
            begin = picture.whole[place] * picture.times
            colour, hatch = WHOLE if place in (0, last) else LESS if amount < 0 else MORE
        ax.barh(place, amount, left=begin, height=0.62, facecolor=colour, hatch=hatch, edgecolor="white", linewidth=0.5)
        ends = [begin, begin + amount]
        if low is not None and high is not None:
            bounds = [low * picture.times, high * picture.times]
            ax.plot(bounds, [place, place], color=style.BLACK, marker="|")
            ends += bounds
        is_left = picture.whole is None and amount < 0
        ax.annotate(
            picture.words[place], (min(ends) if is_left else max(ends), place), (-4 if is_left else 4, 0),
            textcoords="offset points", fontsize=WORDS_PT, va="center", ha="right" if is_left else "left", parse_math=False,
        )  # fmt: skip
    width_pt = ax.get_window_extent().width / ax.figure.dpi * 72
    beside = (max(map(len, picture.words), default=0) * WORDS_PT * LETTER + 10) / width_pt  # part of the axis
    ax.margins(x=beside / (1 - min(beside, 0.5)))
    ax.set_yticks(range(len(picture.lines)), [style.shorten(line[0], 40) for line in picture.lines], parse_math=False)
    ax.set_ylim(max(last, 1) + 0.6, -0.6)
    ax.set_xlabel("\n".join(filter(None, (picture.label, picture.note))), parse_math=False)
    title = ax.set_title("", parse_math=False)  # the one that `set_title` replaces
    letters = max(12, int(width_pt / (float(title.get_fontsize()) * LETTER)))
    title.set_text("\n".join(wrap(picture.title, letters, break_on_hyphens=False)))
    return ax


@singledispatch
def picture_of(answer: object, *_what: str) -> Picture:
    """What is drawn of each kind of answer."""
    raise TypeError(f"{type(answer).__name__} has no picture")


def _picture(title: str, form: Form, lines: Sequence[Line], hours: float | None = None, **more: Any) -> Picture:
    """Of a metric; a cost says how long the period is that it is of."""
    label = form.title
    if hours and form.label.startswith("cost") and "month" not in form.label:
        label = f"{form.label} ({form.unit} in {length(hours)})"
    words = [form.text(figure) for _, figure, *_ in lines]
    return Picture(**{"title": title, "label": label, "times": form.times, "lines": lines, "words": words, **more})


def _line(name: str, entry: Mapping[str, Any]) -> Line:
    return name, entry["mean"], entry.get("low"), entry.get("high")


def _form(metric: str, currency: str, lines: Sequence[Line]) -> Form:
    return Forms(currency=currency).of(metric, *(line[1] for line in lines))


@picture_of.register(RunResult)
@picture_of.register(StoredResult)
def _of_run(answer: RunResult | StoredResult, metric: str = COST) -> Picture:
    """A metric of the fleet and of its groups."""
    summary = answer.summary() if isinstance(answer, RunResult) else answer.summary
    check_metric(metric, summary["metrics"])
    of = {"whole fleet": summary["metrics"], **{name: each["metrics"] for name, each in summary["groups"].items()}}
    lines = [_line(name, metrics[metric]) for name, metrics in of.items() if metric in metrics]
    form = _form(metric, summary.get("currency", "USD"), lines)
    row, mean = find_metric(metric), mean_in(summary)
    rest = mean(metric, FLEET) - math.fsum(mean(metric, group) for group in summary["groups"])
    if row is not None and row.unit is Unit.MONEY and form.scale.rounded(rest):
        lines.append((OF_NO_GROUP, rest, None, None))
    elif len(of) == 2:  # its only group is the fleet
        lines = lines[:1]
    return _picture(f"{summary['scenario']}: {form.label}", form, lines, counted_h(summary))


@picture_of.register
def _of_comparison(answer: Comparison, what: str = "") -> Picture:
    """The waterfall of the variant that saves most, or of the one named; or the differences in a metric."""
    summary = answer.summary()
    money = cost_answer(summary)
    names = [each.variant for each in money.savings]
    if what and what not in names:
        check_metric(what, [*summary["base_metrics"], *names])
        lines = [_line(name, by_metric[what]) for name, by_metric in summary["differences"].items()]
        form = _form(what, answer.currency, lines)
        title = f"{form.label}: variants minus {summary['base']}"
        words = [form.signed(line[1]) for line in lines]
        if form.times == 100.0:  # a difference of shares
            return _picture(title, form, lines, label=f"{form.label} (percentage points)", words=words)
        return _picture(title, form, lines, summary["hours"], words=words)
    place = names.index(what) if what else 0
    bars = steps(money, place, money.scale)
    others = list_words((name for name in names if name != names[place]), "and")
    return Picture(
        title=f"Why does {names[place]} cost {'less' if money.savings[place].change < 0 else 'more'}?",
        label=f"{money.currency} {money.period}".rstrip(), times=1.0, note=f"not shown: {others}" if others else "",
        lines=[(name, end - begin, None, None) for name, begin, end, _ in bars], words=[words for *_, words in bars],
        whole={line: begin for line, (_, begin, *_) in enumerate(bars)},
    )  # fmt: skip


@picture_of.register
def _of_sweep(answer: Sweep, metric: str = "") -> Picture:
    """A metric at each point; the first of those asked for unless another is named."""
    summary = answer.summary()
    metric = metric or summary["metrics"][0]
    check_metric(metric, summary["metrics"])
    lines = [
        _line(", ".join(f"{path} = {value}" for path, value in point["settings"].items()), point["metrics"][metric])
        for point in summary["points"]
    ]
    form = _form(metric, summary["currency"], lines)
    return _picture(f"{summary['scenario']}: {form.label}", form, lines, summary["hours"])


@picture_of.register
def _of_size(answer: Sizing) -> Picture:
    """The estimate and its bounds at each value that was tried."""
    summary = answer.summary()
    lines = [
        (f"{summary['path']} = {each['value']}: {each['answer']}", each["estimate"], each["low"], each["high"])
        for each in summary["trials"]
    ]
    form = replace(answer.form, label=summary["keep"])
    return _picture(f"Which {summary['path']} keeps {summary['keep']}?", form, lines, label=form.title)


@picture_of.register
def _of_sensitivity(answer: Sensitivity) -> Picture:
    """What each factor moves: both ends of a tornado, or its measure of importance."""
    summary = answer.summary()
    form = _form(summary["metric"], summary["currency"], [])
    title = f"What moves {form.label}?"
    rows = summary["factors"]
    if summary["method"] == "tornado":
        lines = [
            (f"{row['factor']} = {row[end]}", row[f"at_{end}"], row[f"at_{end}_from"], row[f"at_{end}_to"])
            for row in rows
            for end in ("low", "high")
        ]
        return _picture(title, form, lines)
    lines = [(row["factor"], *importance(row)) for row in rows]
    if summary["method"] == "morris":
        return _picture(title, form, lines)
    share = Form(label="share of the variance, with all others", scale=Scale(unit="%", decimals=1), times=100.0)
    return _picture(title, share, lines)


@picture_of.register
def _of_selection(answer: Selection) -> Picture:
    """The mean of each variant, and of the winner with new random numbers."""
    lines: list[Line] = [(name, mean, None, None) for name, mean in answer.means.items()]
    lines.append(_line(f"{answer.best}, again", answer.fresh.as_dict()))
    return _picture(f"Which is best? {answer.best}", _form(answer.metric, "", lines), lines)


@picture_of.register
def _of_recommendation(answer: Recommendation) -> Picture:
    """What each way of buying saves a month."""
    lines = [_line(each["name"], each["saving_per_month"]) for each in answer.summary()["options"]]
    currency = answer.scenario.prices.currency
    label = f"saved, {currency} a month"
    return _picture("What does each way of buying save?", _form(COST, currency, lines), lines, label=label)
