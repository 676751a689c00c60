"""What a sweep answers, in sentences: which of the values tried is the cheapest (and keeps the targets), at what cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim.fields.messages import capital, list_words
from sim.fields.metrics import Form, Forms
from sim.fields.numbers import count, how_many, money_decimals, percent, rounded
from sim.runs.answer_words import few_words, stopping_words
from sim.scenario.month import PER_MONTH, month_in, said_of
from sim.studies.axes import label_of, value_words
from sim.studies.constraints import FEASIBLE, UNDECIDED, parse_constraint

Point = Mapping[str, Any]
COSTS = (PER_MONTH, "cost.total")  # by what a point is the cheapest


def sweep_sentences(content: Mapping[str, Any]) -> list[str]:
    """From a `sweep.json`: the answer first, at the end whether the precision was reached."""
    points, said = content["points"], []
    cost = next((name for name in COSTS if name in content["metrics"]), "")
    kept = [point for point in points if all(answer == FEASIBLE for answer in point.get("keeps", {}).values())]
    if content.get("keep"):
        said.append(_kept(content, kept, cost))
    elif cost:
        said.append(_cheapest(content, points, cost))
    if not said or (not cost and not content.get("keep")):
        said += [_extremes(content, name) for name in content["metrics"]]
    if any(name.startswith("cost.") for name in content["metrics"]):
        said += [month_in(content).words, _doubt(points)]
    said = [*filter(None, [*said, few_words(content["replications"])])] or [
        "No point has a figure that could be shown."
    ]
    if "precision" in content:
        everywhere = ["each metric at every point"]
        said.append(stopping_words(content["precision"], everywhere, content.get("reached")))
    return said


def _doubt(points: Sequence[Point]) -> str:
    """That costs rest on prices that are no list prices: at the point where most of it does."""
    worst = min(points, key=lambda point: point.get("trusted_share", 1.0), default=None)
    if worst is None or "trusted_share" not in worst:
        return ""
    return f"{percent(1 - worst['trusted_share'])} of the cost at {settings_words(worst)} rests on estimated prices or stand-ins."


def settings_words(point: Point) -> str:
    """The settings of a point as people call them."""
    return ", ".join(f"{label_of(path)} = {value_words(path, value)}" for path, value in point["settings"].items())


def _kept(content: Mapping[str, Any], kept: Sequence[Point], cost: str) -> str:
    """The cheapest point that keeps every target, or that none is shown to."""
    points = content["points"]
    currency = content.get("currency", "USD")
    target = list_words([parse_constraint(words).plain_words(currency) for words in content["keep"]], "and")
    undecided = [p for p in points if UNDECIDED in p["keeps"].values() and p not in kept]
    doubt = f"{count(len(undecided))} of {len(points)} can't be decided by {how_many(content['replications'], 'replication')} (more: -n)"
    if not kept:
        return f"None of the {len(points)} tried is shown to keep {target}{f'; {doubt}' if undecided else ''}."
    if not cost:
        which = list_words([settings_words(point) for point in kept], "and")
        return f"{capital(which)}: {len(kept)} of the {len(points)} tried keep {target}{f'; {doubt}' if undecided else ''}."
    best = min(kept, key=lambda point: _mean(point, cost))
    words = f"{capital(settings_words(best))} is the cheapest of the {len(points)} tried that keeps {target}: {_amount(content, best, cost)}"
    cheaper = [settings_words(p) for p in undecided if _mean(p, cost) < _mean(best, cost)]
    doubt = f"; whether {list_words(cheaper, 'or')} does for less is undecided" if cheaper else ""
    return f"{words}{doubt}."


def _cheapest(content: Mapping[str, Any], points: Sequence[Point], cost: str) -> str:
    """The cheapest point, with the other figures there, and what the dearest costs."""
    found = [point for point in points if point["metrics"].get(cost, {}).get("mean") is not None]
    if not found:
        return ""
    best, worst = (pick(found, key=lambda point: _mean(point, cost)) for pick in (min, max))
    beside = [
        f"{form.label} {form.with_unit(best['metrics'][name]['mean'])}"
        for name, form in forms_of(content).items()
        if name not in COSTS and best["metrics"][name]["mean"] is not None
    ]
    there = f" ({', '.join(beside)})" if beside else ""
    words = f"{capital(settings_words(best))} is the cheapest of the {len(points)} tried: {_amount(content, best, cost)}{there}"
    return words + (
        f"; the dearest is {settings_words(worst)}: {_amount(content, worst, cost)}." if worst is not best else "."
    )


def _extremes(content: Mapping[str, Any], metric: str) -> str:
    """Where a metric is lowest and highest."""
    found = [p for p in content["points"] if p["metrics"].get(metric, {}).get("mean") is not None]
    form = forms_of(content)[metric]
    if not found:
        return ""
    ends = (pick(found, key=lambda point: _mean(point, metric)) for pick in (min, max))
    least, most = (f"{form.with_unit(_mean(point, metric))} at {settings_words(point)}" for point in ends)
    return f"{capital(form.label)} goes from {least} to {most}."


def _mean(point: Point, metric: str) -> float:
    return float(point["metrics"][metric]["mean"])


def forms_of(content: Mapping[str, Any]) -> dict[str, Form]:
    """How each metric is written, at all points alike."""
    forms = Forms(currency=content.get("currency", "USD"))
    points = content["points"]
    return {
        name: forms.of(name, *(point["metrics"].get(name, {}).get("mean") for point in points))
        for name in content["metrics"]
    }


def _amount(content: Mapping[str, Any], point: Point, cost: str) -> str:
    """What a point costs a month, or in the period where that says nothing of a month."""
    times, period = (1.0, "a month") if cost == PER_MONTH else said_of(content, content.get("hours"))
    mean, half = _mean(point, cost) * times, point["metrics"][cost].get("half_width")
    decimals = money_decimals(mean, None if half is None else half * times)
    return f"{rounded(mean, decimals)} {content.get('currency', 'USD')} {period}".rstrip()
