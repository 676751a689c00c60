"""The report of a comparison: the differences that a change makes, with their confidence."""

from pathlib import Path

from sim.fields.messages import list_words
from sim.fields.numbers import general, how_many, percent, plain, probability
from sim.report import style
from sim.report.answer import Card, Table
from sim.report.axes import Key
from sim.report.pareto import cost_against_lateness
from sim.report.sections import Shown
from sim.report.studies import Study, known, read, sheet_of, write
from sim.report.style import Drawn
from sim.report.waterfall import waterfall
from sim.runs.run_result import AS_ASKED
from sim.scenario.month import month_in
from sim.studies.compare import NO_GAIN
from sim.studies.cost_words import NOT_PRACTICAL, CostAnswer, cost_answer, verdict_words

COMPARED = ("cost.total", "billed_hours", "wasted_hours", "availability")
VERDICTS = {  # colour and marker, so that no colour has to be sentences apart
    "better": (style.BLUE, "o"),
    "worse": (style.VERMILLION, "^"),
    "lower": (style.SKY, "v"),
    "higher": (style.ORANGE, "s"),
    NOT_PRACTICAL: (style.QUIET, "o"),
    "undecided": (style.QUIET, "D"),
    "same": (style.BLACK, "|"),
}


def build_comparison(path: Path) -> Path:
    """The report of `vmfleet compare`: each difference with its interval, and the verdicts."""
    study = read(path, "comparison.json", ("base", "differences", "seed", "replications"))
    figures = [drawn for drawn in (waterfall(study), differences(study)) if drawn is not None]
    base = str(study.content["base"])
    variants = study.content["differences"]
    trade = cost_against_lateness(study, {base: study.content.get("base_metrics", {}), **_variants(study)})
    money = cost_answer(study.content)
    title, columns, rows = money.table()
    before_and_after = Table(caption=title, columns=["what", *columns[1:]], rows=rows)
    gains, why = common_random_numbers_table(study), study.content.get("stopped", AS_ASKED)
    stopped = [] if why == AS_ASKED else [f"There are {how_many(study.replications, 'replication')}: {why}."]
    sections = [
        Shown(title="Before and after", tables=[before_and_after] if money.savings else [], figures=figures),
        *([Shown(title="Cost against lateness", figures=trade[:1], tables=trade[1:])] if trade else []),
        Shown(title="Every difference", tables=[_difference_table(study, each) for each in variants], is_open=False),
        Shown(
            title="Statistics", tables=[gains] if gains is not None else [],
            words=[*_gain_words(study), *stopped, *(str(each) for each in study.content.get("warnings", []))],
        ),
    ]  # fmt: skip
    return write(
        study, [*figures, *(trade or ())[:1]], sections, kind="comparison", name=f"{list_words(variants, 'and')} instead of {base}",
        each="of each, with common random numbers", answer=money.sentences() or ["Nothing that can be compared was found."],
        cards=_cards(money), file="comparison.json",
    )  # fmt: skip


def _variants(study: Study) -> dict[str, dict[str, dict[str, float]]]:
    """The mean of each metric of each variant: that of the base, and the difference."""
    base = study.content.get("base_metrics", {})
    return {
        str(variant): {
            metric: {"mean": base[metric]["mean"] + entry["mean"]}
            for metric, entry in of.items()
            if known(entry) and known(base.get(metric))
        }
        for variant, of in study.content["differences"].items()
    }


def _cards(money: CostAnswer) -> list[Card]:
    """Before, after and saved of the variant that saves most."""
    if not money.savings:
        return []
    best, each = money.savings[0], money.period or "in the period"
    share = f" ({words})" if (words := best.share_words(1)) else ""
    return [
        Card(what=style.shorten(what, 40), value=best.money(amount), unit=money.currency, note=note)
        for what, amount, note in (
            (f"Before: {money.base}", best.before, each),
            (f"After: {best.variant}", best.after, each),
            ("Saved" if best.change <= 0 else "Costs more", abs(best.change), f"{each}{share}"),
        )
    ]


def differences(study: Study) -> Drawn | None:
    """Variant minus base in the headline metrics: the mean, its interval, and a line at no difference."""
    of, base = study.content["differences"], study.content.get("base_metrics", {})
    metrics = [m for m in COMPARED if any(known(of[v].get(m)) for v in of)]
    if not metrics:
        return None
    sheet = sheet_of(
        study,
        "differences",
        f"What is different from {style.shorten(str(study.content['base']), 50)}?",
        f"bars: {percent(study.confidence, 0)} interval of the mean difference",
    )
    names = [style.shorten(str(variant), 30) for variant in of]
    rows: list[list[object]] = [["variant", "metric", "base", "variant_mean", "mean", "low", "high", "verdict"]]
    seen: dict[str, None] = {}
    said = []
    for metric in metrics:
        entries = [(line, variant, of[variant].get(metric)) for line, variant in enumerate(of)]
        form = study.form(metric, *(entry["mean"] for _, _, entry in entries if known(entry)))
        axes = sheet.axes(max(len(of), 2) * 20, form.title.replace("(%)", "(percentage points)"))
        axes.name_lines(names)
        axes.rule(0.0, upright=True, width=0.9)
        for line, variant, entry in entries:
            if not known(entry):
                continue
            verdict = verdict_words(metric, entry, base) or "undecided"
            seen[verdict] = None
            colour, marker = VERDICTS.get(verdict, VERDICTS["undecided"])
            words = f"{variant}, {form.label}: {form.signed(entry['mean'])} {form.unit} ({verdict})"
            said.append(words)
            if entry.get("low") is not None and entry.get("high") is not None:
                axes.line([entry["low"] * form.times, entry["high"] * form.times], [line, line], colour, width=2.2)
            axes.dots([entry["mean"] * form.times], [line], colour, marker=marker, size=7, titles=[words])
            axes.beside(line, form.signed(entry["mean"]))
            start = base.get(metric, {}).get("mean")
            means = [start, None if start is None else start + entry["mean"]]
            rows.append([variant, metric, *means, entry["mean"], entry["low"], entry["high"], verdict])
        axes.x.margin = 0.12
    sheet.key(
        *(Key(label=label, line=look[0], marker=look[1], size=6) for label, look in VERDICTS.items() if label in seen)
    )
    return sheet.finish(alt=f"Differences from the base: {'; '.join(said)}.", rows=rows)


def _gain_words(study: Study) -> list[str]:
    """What common random numbers gained, in a sentence."""
    costs = {variant: by.get("cost.total") for variant, by in study.content["differences"].items()}
    gains = {variant: each["gain"] for variant, each in costs.items() if each and each.get("gain") is not None}
    worth = [gain for gain in gains.values() if gain > NO_GAIN]
    sentences = ""
    if worth:
        low, high = times(min(worth)), times(max(worth))
        sentences = f"Without common random numbers, the same precision of cost would take {low if low == high else f'{low} to {high}'} times as many replications"
    none = [variant for variant, gain in gains.items() if gain <= NO_GAIN]
    if none:
        sentences += (
            f"; for {list_words(none, 'and')} they gained nothing"
            if sentences
            else "Common random numbers gained nothing for the cost here"
        )
    return [f"{sentences}."] if sentences else []


def times(gain: float) -> str:
    """How many times as many, with the digits that an estimate from so few has."""
    return plain(gain, 1 if gain < 10 else 0) if gain < 1e6 else "more than a million"


def common_random_numbers_table(study: Study) -> Table | None:
    """How alike base and variant fared, replication by replication, and how many replications that saved."""
    rows = []
    for variant, by_metric in study.content["differences"].items():
        for metric in COMPARED:
            entry = by_metric.get(metric)
            if not known(entry) or entry.get("sd_base") is None:
                continue
            form, gain = study.form(metric, entry["sd_base"], entry["sd_variant"]), entry.get("gain")
            spreads = (general(entry[sd] * form.times, 3) for sd in ("sd_base", "sd_variant"))
            found = [plain(entry.get("correlation"), 3), "constant" if gain is None else times(gain)]
            rows.append([str(variant), form.label, form.unit, *spreads, *found])
    if not rows:
        return None
    return Table(
        caption="Gain from common random numbers",
        columns=["variant", "metric", "unit", "spread of the base", "spread of the variant", "correlation", "gain"],
        rows=rows,
        words=3,
        note="Spread: standard deviation over replications. Gain: how many independent replications "
        "one paired replication is worth, measured on these. It is 1 where one of the two hardly varies, and large where "
        "both vary alike.",
    )


def _difference_table(study: Study, variant: str) -> Table:
    """Every metric that differs, headline metrics first."""
    by_metric = study.content["differences"][variant]
    base = study.content.get("base_metrics", {})
    order = [m for m in COMPARED if m in by_metric] + [m for m in by_metric if m not in COMPARED]
    rows, same, month = [], 0, month_in(study.content)
    for metric in order:
        entry = by_metric[metric]
        if month.hides(metric):
            continue
        if not known(entry) or (entry["mean"] == 0 and metric not in COMPARED):
            same += 1
            continue
        start, low, high = base.get(metric, {}).get("mean"), entry.get("low"), entry.get("high")
        form = study.form(metric, start, entry["mean"], low, high)
        bounds = ""
        if low is not None and high is not None:
            bounds = f"{form.signed(low)} to {form.signed(high)}" if low != high else "always the same"
        sure, verdict = probability(entry.get("p_better")), verdict_words(metric, entry, base)
        rows.append([form.label, form.unit, form.text(start), form.signed(entry["mean"]), bounds, sure, verdict])
    return Table(
        caption=f"{variant} instead of {study.content['base']}",
        columns=[
            "metric",
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
