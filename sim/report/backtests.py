"""The report of a back-test: the predicted band and the actual line by day, and both sides of every meter."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.fields.numbers import how_many, in_currency, money, percent, relative
from sim.report import style
from sim.report.answer import Table
from sim.report.axes import Key
from sim.report.sections import Shown
from sim.report.studies import Study, read, sheet_of, write
from sim.report.style import Drawn

LABELS = {"compute": "compute", "all": "everything compared"}


def build_backtest(path: Path) -> Path:
    """The report of `vmfleet backtest`."""
    study = read(path, "backtest.json", ("totals", "meters", "days", "seed", "replications"))
    content = study.content
    figures = [_days(study, which) for which in ("compute", "all")]
    begin, end = content["period"]["from"][:10], content["period"]["to"][:10]
    meters = [(f"{each['meter']}, {each['region']}", each) for each in content["meters"]]
    causes = [[each["cause"], each["what"]] for each in content["causes"]]
    left = [
        [each["what"], each["reason"], f"{each['rows']:,}", money(each["cost"])] for each in content["not_compared"]
    ]
    named = Table(columns=["cause", "what"], rows=causes, words=2)
    not_compared = Table(columns=["what", "reason", "rows", "invoiced"], rows=left, words=2)
    sections = [
        Shown(title="Totals", figures=figures, tables=[_table(study, [*content["totals"].items()])]),
        Shown(title="Meters", tables=[_table(study, meters)]),
        *([Shown(title="Known causes", tables=[named])] if causes else []),
        Shown(title="Not compared", tables=[not_compared]),
    ]
    return write(
        study, figures, sections, kind="back-test", name=f"{Path(content['scenario']).stem}, {begin} to {end}", each="of the period",
        answer=_answer(study), warnings=list(content["warnings"]), file="backtest.json",
    )  # fmt: skip


def _answer(study: Study) -> list[str]:
    """The error of the whole, and how often the range held."""
    content = study.content
    whole, days = content["totals"]["compute"], content["days"]
    held = [each["compute"]["inside"] for each in days if each["compute"]["inside"] is not None]
    said = []
    if whole["error"] is not None:
        said.append(
            f"Compute at list prices: {money(whole['simulated']['list'])} {study.currency} simulated, "
            f"{money(whole['actual']['list'])} on the invoice: {relative(whole['error'])}."
        )
    if held:
        share = f"within its {percent(study.confidence, 0)} range: {sum(held)} of {how_many(len(held), 'day')}"
        where = {True: "inside", False: "outside", None: "without"}[whole["inside"]]
        said.append(f"The period's total is {where} its range; {share}.")
    return said or ["The invoice has no compute to compare."]


def _days(study: Study, which: str) -> Drawn:
    days: Sequence[Mapping[str, Any]] = study.content["days"]
    found = [each[which] for each in days]
    remark = f"{percent(study.confidence, 0)} prediction intervals"
    sheet = sheet_of(study, f"days_{which}", f"Was {LABELS[which]} what was predicted, day by day?", remark)
    axes = sheet.axes(160)
    at = list(range(len(days)))
    actual, simulated = ([each[side]["list"] for each in found] for side in ("actual", "simulated"))
    low, high = ([each["interval"][end] for each in found] for end in ("low", "high"))
    if None not in low:
        axes.area(at, low, high, (style.BLUE, ""), opacity=0.18)
    axes.line(at, simulated, style.BLUE, dash="--")
    axes.line(at, actual, style.VERMILLION)
    titles = [
        f"{each['date']}: actual {money(a)}, simulated {money(s)}"
        for each, a, s in zip(days, actual, simulated, strict=True)
    ]
    axes.dots(at, actual, style.VERMILLION, titles=titles)
    step = max(1, -(-len(days) // 10))
    axes.x.ticks, axes.x.labels = at[::step], [each["date"][5:] for each in days][::step]
    axes.y.low, axes.y.label = 0.0, f"{study.currency} a day, at list"
    sheet.key(
        Key(label="actual", line=style.VERMILLION, marker="o"),
        Key(label="simulated, mean", line=style.BLUE, dash="--"),
        Key(label="predicted range", fill=style.BLUE),
    )
    dates, inside = [day["date"] for day in days], [each["inside"] for each in found]
    rows = [["date", "actual", "simulated", "low", "high", "inside"]]
    rows += [[*row] for row in zip(dates, actual, simulated, low, high, inside, strict=True)]
    said = f"from {days[0]['date']} to {days[-1]['date']}; {sum(map(bool, inside))} of {len(days)} inside the range"
    return sheet.finish(alt=f"Actual and predicted {LABELS[which]} by day, {said}.", rows=rows)


def _table(study: Study, entries: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    unit = in_currency("USD", study.currency)
    rows = []
    for name, each in entries:
        low, high = each["interval"]["low"], each["interval"]["high"]
        rows.append(
            [
                name, f"{each['actual']['quantity']:,.1f}", f"{each['simulated']['quantity']:,.1f}", money(each["actual"]["list"]),
                money(each["simulated"]["list"]), "" if each["error"] is None else relative(each["error"]),
                "" if low is None else f"{money(low)} to {money(high)}", {True: "inside", False: "outside", None: ""}[each["inside"]],
            ]
        )  # fmt: skip
    at_list, level = f"{unit} at list, actual", f"{percent(study.confidence, 0)} range"
    columns = ["what", "quantity, actual", "simulated", at_list, "simulated", "error", level, "in range?"]
    return Table(columns=columns, rows=rows, words=1)
