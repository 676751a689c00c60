"""What a run's answer says first, on a terminal, in Markdown and in a report alike: the cost, how sure it is, and who was late."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim.fields.metrics import hosts_sentence, trace_sentence, trust_sentence
from sim.fields.numbers import asked_percent, count, length, money_decimals, percent, rounded
from sim.scenario.month import month_in
from sim.units import HOURS_PER_MONTH

Range = tuple[float, float] | None
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
READY = ("ready.moments", "ready.late_share", "ready.never")
WORK = ("deadline.due", "deadline.missed", "deadline.late_mean_s")
FEW = 5  # replications
LEAST_LATE = 0.0005  # of the times needed; less is not worth a sentence that no one asked for
WORTH_SAYING = 0.005  # of the mean; bills that differ by less don't differ in practice


def answer_words(summary: Mapping[str, Any], range_of_bills: Range = None) -> list[str]:
    """The cost, what its prices are, and readiness: first, if the scenario limits it, and late work before it; *range_of_bills* holds nine bills in ten."""
    share = summary["metrics"].get("cost.trusted_share", {}).get("mean")
    said = [
        _cost(summary, range_of_bills),
        month_in(summary).words,
        trust_sentence(share),
        hosts_sentence(summary.get("unpriced_hosts", ())),
        trace_sentence(summary.get("trace_sizes", {})),
    ]
    said.insert(0 if summary.get("ready_limit") else len(said), ready_words(summary))
    said.insert(0, work_words(summary))
    return [*filter(None, [*said, few_words(summary["replications"])])]


def counted_h(summary: Mapping[str, Any]) -> float:
    """The hours that its figures are of."""
    return float(summary["horizon_h"]) - float(summary.get("warm_up_h", 0.0))


def _cost(summary: Mapping[str, Any], bills: Range) -> str:
    """The cost a month, if the period says it, with its simulation error, and that of the period."""
    total, currency = summary["metrics"]["cost.total"], summary.get("currency", "USD")
    hours, half = counted_h(summary), total.get("half_width")
    period = length(hours)
    if month_in(summary).is_known and hours > 0:
        amount = f"{_amount(total['mean'], half, currency, HOURS_PER_MONTH / hours)} a month"
        amount += f" ({rounded(total['mean'], money_decimals(total['mean'], half))} {currency} for {period})"
    else:
        amount = f"{_amount(total['mean'], half, currency)} for {period}"
    if bills is None or bills[1] - bills[0] <= WORTH_SAYING * abs(total["mean"]):
        return f"Estimated cost: {amount}."
    decimals = money_decimals(bills[1], (bills[1] - bills[0]) / 10)
    low, high = (rounded(each, decimals) for each in bills)
    chance = "by chance alone, with prices and assumptions as they are"
    return f"Estimated cost: {amount}; nine in ten such periods cost {low} to {high}, {chance}."


def _amount(mean: float, half: float | None, currency: str, times: float = 1.0) -> str:
    """An amount and its error, rounded to what the error lets be known."""
    decimals = money_decimals(mean * times, None if half is None else half * times)
    error = 0.0 if half is None else round(half * times, decimals)
    words = rounded(mean * times, decimals)
    return f"{words} {PLUS_MINUS} {rounded(error, decimals)} {currency}" if error else f"{words} {currency}"


def few_words(replications: int) -> str:
    """That intervals of very few replications say little: Student's t with so few degrees of freedom, of figures that need not be normal."""
    if not 1 < replications < FEW:
        return ""
    return f"Intervals from {replications} replications say little: take at least {FEW} (-n {FEW}), better the default of 20."


def stopping_words(precision: float, waited_for: Sequence[str], reached: bool | None) -> str:
    """Why there are no more replications, where a *precision* of some figures was asked for."""
    asked = f"half-widths within {asked_percent(precision)} of {', '.join(waited_for)}"
    if reached:
        return f"Replications went on until {asked}."
    return f"The cap on replications came before the precision that was asked for ({asked})."


def ready_words(summary: Mapping[str, Any]) -> str:
    """How often a VM was not ready in time, and how often of these never; empty where no one asked and hardly any was late."""
    metrics = summary["metrics"]
    moments, late, never = (metrics.get(name, {}).get("mean") or 0.0 for name in READY)
    hardly = late < LEAST_LATE or late * moments < 1.0
    if not moments or (hardly and not summary.get("ready_limit")):
        return ""
    often = f"In {length(counted_h(summary))} VMs were needed {times(moments)}"
    if not late:
        return f"{often}, and always ready in time."
    slow = max(0.0, late * moments - never)
    how = f"{times(slow)} too late, {times(never)} not at all while needed"
    return f"{often} and were not ready in time {times(late * moments)} ({percent(late)}): {how}."


def work_words(summary: Mapping[str, Any]) -> str:
    """How much of the work with a deadline was late, and by how much; empty where none was due."""
    metrics = summary["metrics"]
    due, missed, late_s = (metrics.get(name, {}).get("mean") or 0.0 for name in WORK)
    if not due:
        return ""
    of = f"In {length(counted_h(summary))} work was due {times(due)}"
    if not missed:
        return f"{of}, and always done in time."
    late = length(round(late_s / 60) / 60) if late_s >= 60 else "less than a minute"
    return f"{of} and was late or not done {times(missed)} ({percent(missed / due)}), by {late} on average."


def times(number: float) -> str:
    """How often, on average: whole from ten on."""
    shown = count(round(number) if number >= 10 else round(number, 2))
    return f"{shown} time{'' if shown == '1' else 's'}"
