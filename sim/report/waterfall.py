"""From the base's cost to that of each variant, cause by cause."""

from sim.fields.numbers import Scale, how_many, signed
from sim.report import style
from sim.report.axes import Key
from sim.report.studies import Study, sheet_of
from sim.report.style import Drawn, Look
from sim.studies.cost_words import CostAnswer, cost_answer

MOST_PANELS = 4
LESS: Look = (style.BLUE, "")
MORE: Look = (style.VERMILLION, "//")
WHOLE: Look = (style.FAINT, "")


def steps(answer: CostAnswer, place: int, scale: Scale) -> list[tuple[str, float, float, str]]:
    """(what, from, to, amount as the table has it) of each bar: the base's cost, what each cause adds, the variant's cost."""
    saving = answer.savings[place]
    found = [(f"cost of {answer.base}", 0.0, saving.before, scale.text(saving.before))]
    at = saving.before
    for label, part in saving.rounded_causes(scale).items():
        if part:
            found.append((label, at, at + saving.causes[label], signed(part, scale.decimals)))
            at += saving.causes[label]
    return [*found, (f"cost of {saving.variant}", 0.0, saving.after, scale.text(saving.after))]


def waterfall(study: Study) -> Drawn | None:
    """The causes of the difference in cost, a panel for each variant, the best saving first."""
    answer = cost_answer(study.content)
    shown = [place for place, each in enumerate(answer.savings[:MOST_PANELS]) if each.causes]
    if not shown:
        return None
    left_out = len(answer.savings) - MOST_PANELS
    remark = "mean over replications" + (
        f"; {how_many(left_out, 'variant')} more in causes.csv" if left_out > 0 else ""
    )
    sheet = sheet_of(study, "causes", "Why does the cost differ?", remark)
    said: list[str] = []
    rows: list[list[object]] = [["variant", "cause", "from", "to"]]
    unit = f"{answer.currency} {answer.period}".rstrip()
    for place in shown:
        saving = answer.savings[place]
        bars = steps(answer, place, answer.scale)
        axes = sheet.axes(20 * len(bars), saving.variant)
        axes.name_lines([style.shorten(what, 34) for what, *_ in bars])
        for line, (what, begin, end, words) in enumerate(bars):
            is_whole = line in (0, len(bars) - 1)
            axes.bar(
                line, end - begin, WHOLE if is_whole else LESS if end < begin else MORE, left=begin, title=f"{what}: {words} {unit}"
            )  # fmt: skip
            axes.beside(line, words)
            rows.append([saving.variant, what, begin, end])
            said.append(f"{saving.variant}, {what}: {words} {unit}")
        axes.x.low, axes.x.margin, axes.x.label = min(0.0, *(end for _, _, end, _ in bars)), 0.03, unit
    sheet.key(
        *(Key(label=label, fill=look[0], hatch=look[1]) for label, look in (("less", LESS), ("more", MORE)))
    )  # fmt: skip
    return sheet.finish(alt=f"{'; '.join(said)}.", rows=rows)
