"""What a comparison says of money: a sentence a variant, the best saving first, per month of 730 hours."""

from collections.abc import Mapping
from typing import Any

from sim.fields.numbers import percent, plain, signed
from sim.units import HOURS_PER_MONTH

PRACTICAL = 0.001  # of the base's cost; a smaller difference is called none in practice


def cost_sentences(content: Mapping[str, Any]) -> list[str]:
    """The sentences of a `comparison.json`; of an older one, without its hours, for the period that was simulated."""
    costs = {variant: by_metric.get("cost.total") for variant, by_metric in content["differences"].items()}
    known = {variant: cost for variant, cost in costs.items() if cost and cost.get("mean") is not None}
    return [
        _sentence(content, variant, known[variant]) for variant in sorted(known, key=lambda name: known[name]["mean"])
    ]


def _sentence(content: Mapping[str, Any], variant: str, cost: Mapping[str, Any]) -> str:
    base, currency = content["base"], content.get("currency", "USD")
    share = cost.get("relative")
    if cost["mean"] == 0 and not cost.get("low"):
        return f"{variant} costs the same as {base}."
    each, period = (HOURS_PER_MONTH / content["hours"], " a month") if content.get("hours") else (1.0, "")
    change = abs(cost["mean"]) * each
    words = (
        f"{variant} costs {plain(change, 2)} {currency}{period} {'less' if cost['mean'] < 0 else 'more'} than {base}"
    )
    if share is not None:
        words += f" ({signed(share * 100, 1)} %)"
        before = abs(cost["mean"] / share) * each if share else 0.0
        if before:
            words += f": {plain(before + cost['mean'] * each, 2)} instead of {plain(before, 2)}"
    if share is not None and abs(share) < PRACTICAL:
        return f"{words}. That is no difference in practice."
    if cost.get("low") is not None and signed(cost["low"] * each, 2) != signed(cost["high"] * each, 2):
        bounds = f"{signed(cost['low'] * each, 2)} to {signed(cost['high'] * each, 2)} {currency}"
        words += f"; with {percent(content['confidence'], 0)} confidence the difference is {bounds}"
    if cost.get("verdict") == "undecided":
        words += ", so which of the two is cheaper is undecided"
    return f"{words}."
