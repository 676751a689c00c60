"""Whether what a simulated period costs may be said of a month: the one place that decides it.

A month is 730 h of a fleet whose demand repeats every day or week, so it takes whole days or weeks: five days of Monday to Friday
times 730 / 120 would have weekends cost as much as working days. A small part more or less of one moves it little.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sim.fields.numbers import length
from sim.units import HOURS_PER_MONTH, SECONDS_PER_HOUR, WEEK_H, format_duration

MOST_APART = 0.1  # of the period, from whole weeks: working days then count for at most 4 % too much or too little
PER_MONTH = "cost.per_month"
WORTH_SAYING = 0.01  # of the period; less, such as the hour of a warm-up, moves nothing that is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Whether a cost a month may be given, and what a reader must know of it."""

    is_known: bool = True
    words: str = ""

    def hides(self, metric: str) -> bool:
        """Whether a metric is not shown, since it would be wrong."""
        return metric == PER_MONTH and not self.is_known

    def as_dict(self) -> dict[str, Any]:
        """For the summary of a result: nothing where there is nothing to say."""
        return {"month": asdict(self)} if self.words else {}


def month_of(repeats_h: Iterable[int], counted_s: float, warm_up_s: float = 0.0) -> Month:
    """For groups whose demand repeats after so many hours each (1: it doesn't), counted for so long after a warm-up."""
    every_h = max(repeats_h, default=1)
    if every_h <= 1:
        return Month()
    every_s = every_h * SECONDS_PER_HOUR
    wholes = max(1, round(counted_s / every_s))
    apart = abs(counted_s - wholes * every_s) / counted_s if counted_s else 1.0
    if apart <= WORTH_SAYING:
        return Month()
    unit = "week" if every_h == WEEK_H else "day"
    horizon = format_duration(warm_up_s + max(1, -(-counted_s // every_s)) * every_s).replace(" ", "")
    period = length(counted_s / SECONDS_PER_HOUR)
    if apart <= MOST_APART:
        return Month(
            words=f"The cost a month is about right: {period} are not whole {unit}s; --set horizon={horizon} makes it exact."
        )
    others = "weekends would cost what these days do" if unit == "week" else "a night would cost what a day does"
    return Month(
        is_known=False,
        words=f"{period} say nothing of a month: they are not whole {unit}s, and {others}. --set horizon={horizon} gives a month.",
    )


def month_in(content: Mapping[str, Any]) -> Month:
    """What the summary of a result or of a study says of it; an older one says nothing."""
    return Month(**content["month"]) if content.get("month") else Month()


def said_of(content: Mapping[str, Any], hours: float | None) -> tuple[float, str]:
    """What costs of so many hours are multiplied by, and what they are of then: a month, or the period; "" where it isn't known."""
    if not hours:
        return 1.0, ""
    return (HOURS_PER_MONTH / hours, "a month") if month_in(content).is_known else (1.0, f"in {length(hours)}")
