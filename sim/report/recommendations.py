"""The report of `vmfleet recommend`: what each way of buying saves, and what it still saves if demand falls."""

from pathlib import Path

from sim.fields.metrics import Form
from sim.fields.numbers import asked_percent, percent, plain
from sim.report import style
from sim.report.answer import Table
from sim.report.axes import Key, whisker_key
from sim.report.sections import Shown
from sim.report.studies import Study, read, sheet_of, write
from sim.report.style import Drawn
from sim.studies.recommend import told_apart


def build_recommendation(path: Path) -> Path:
    """The report of `vmfleet recommend`."""
    study = read(path, "recommend.json", ("options", "words", "seed", "replications"))
    content = study.content
    figures: list[Drawn] = []
    sections = [Shown(title="A month of 730 hours", figures=figures, tables=[_options(study)])]
    if any(each["bought"] for each in content["options"]):  # else the answer says all
        figures.append(savings(study))
        sections.append(Shown(title="What to buy", tables=[_bought(study)]))
    if content["without_price"]:
        rows = [[each["what"], each["reason"]] for each in content["without_price"]]
        sections.append(Shown(title="Without a price", tables=[Table(columns=["what", "why"], rows=rows, words=2)]))
    return write(
        study, figures, sections, kind="recommendation", name=study.title, each="of the scenario",
        answer=[f"{content['words']}."], warnings=list(content["warnings"]), file="recommend.json",
    )  # fmt: skip


def savings(study: Study) -> Drawn:
    """A bar for each way of buying, and a mark for what it saves with less demand."""
    options, form = study.content["options"], _form(study)
    sheet = sheet_of(study, "savings", "What does each way of buying save a month?")
    axes = sheet.axes(max(len(options), 2) * 28)
    rows: list[list[object]] = [["option", "saving_per_month", "low", "high", "if_demand_falls"]]
    for line, each in enumerate(options):
        saving, fallen = each["saving_per_month"], each["if_demand_falls"]["saving_per_month"]["mean"]
        title = f"{each['name']} saves {form.text(saving['mean'])} {study.currency}"
        axes.bar(line, saving["mean"], (style.BLUE, ""), title=title)
        axes.whisker(line, saving["low"], saving["high"])
        titles = [f"{each['name']}: {form.text(fallen)} with less demand"]
        axes.dots([fallen], [line], style.ORANGE, marker="D", size=6, titles=titles)
        axes.beside(line, form.text(saving["mean"]))
        rows.append([each["name"], saving["mean"], saving["low"], saving["high"], fallen])
    axes.name_lines([each["name"] for each in options])
    axes.rule(0.0, upright=True)
    axes.x.label = f"{study.currency} a month"
    fall = asked_percent(options[0]["if_demand_falls"]["by"])
    sheet.key(
        Key(label="saved", fill=style.BLUE),
        whisker_key(f"{percent(study.confidence, 0)} interval"),
        Key(label=f"if demand falls by {fall}", line=style.ORANGE, marker="D", dash="", size=6),
    )
    said = ", ".join(f"{each['name']} {form.text(each['saving_per_month']['mean'])}" for each in options)
    return sheet.finish(alt=f"Saving a month in {study.currency}: {said}.", rows=rows)


def _form(study: Study) -> Form:
    """How amounts of money are written."""
    return study.form("cost.total", *(each["saving_per_month"]["mean"] for each in study.content["options"]))


def _options(study: Study) -> Table:
    rows, form = [], _form(study)
    for each in study.content["options"]:
        saving, fallen = each["saving_per_month"], each["if_demand_falls"]
        means = each["cost_per_month"], fallen["saving_per_month"]["mean"], fallen["regret_per_month"]["mean"]
        found = [form.text(saving["mean"]), form.between(saving["low"], saving["high"]), *map(form.text, means)]
        rows.append([each["name"], *found, percent(each["fall_to_break_even"])])
    fall = asked_percent(study.content["options"][0]["if_demand_falls"]["by"])
    return Table(
        columns=[
            "buy", f"saves ({study.currency})", f"{percent(study.confidence, 0)} interval", "commits to", f"saves at {fall} less demand",
            "less than the best then", "demand may fall by",
        ],
        rows=rows,
        note="Less than the best then: what the best purchase for that demand would save besides (its regret). Demand may fall by: before nothing "
        "is saved.",
    )  # fmt: skip


def _bought(study: Study) -> Table:
    form = _form(study)
    rows = [
        [
            option["name"], f"{each['size']}, {each['region']}" if each["size"] else f"savings plan, {study.currency} an hour",
            plain(each["amount"], 0 if each["size"] else 2), f"{each['low']:g} to {each['high']:g}" if each["low"] < each["high"] else "",
            percent(each["utilisation"]), percent(each["break_even"]), percent(each["coverage"]), percent(each["effective_savings_rate"]),
            form.text(each["newsvendor"]["saving_per_month"]) if each["newsvendor"] else "",
        ]
        for option in told_apart(study.content["options"])
        for each in option["bought"]
    ]  # fmt: skip
    return Table(
        columns=[
            "buy", "what", "amount", "or", "utilisation", "pays from", "coverage", "effective savings rate", "saves at most",
        ],
        rows=rows, words=2,
        note="Or: amounts that can't be distinguished from it. Saves at most: the best amount of it by itself, if any fraction "
        "could be bought (the newsvendor bound); only where its units are worth the same.",
    )  # fmt: skip
