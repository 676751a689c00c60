"""A number of VMs that changes: given step by step (`count_steps`), or by a rate of growth (`growth_per_month`)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from sim.fields.types import Number, Section, Whole, in_utc, read_percentage

Steps = Sequence[tuple[datetime, int]]
"""(instant, VMs from then on), in order."""

_WHEN_SCHEMA = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}], "examples": ["2026-02-01"]}


def _when(value: object) -> object:
    """An instant; a date is its midnight in UTC."""
    if isinstance(value, str):
        with suppress(ValueError):  # what is no date at all is refused below
            value = datetime.fromisoformat(value) if "T" in value or " " in value else date.fromisoformat(value)
    if isinstance(value, datetime):
        return in_utc(value)
    if not isinstance(value, date):
        raise ValueError("this is not a date; write it without quotes, such as 2026-02-01")
    return datetime.combine(value, time(), UTC)


When = Annotated[datetime, BeforeValidator(_when), WithJsonSchema(_WHEN_SCHEMA)]
Growth = Annotated[
    Number,
    BeforeValidator(read_percentage),
    Field(gt=-1, le=10),
    WithJsonSchema({"type": ["number", "string"], "examples": ["3 %", 0.03, "-1 %"]}),
]
"""Growth as a share of what there is; negative: it shrinks."""


class CountStep(Section):
    """From an instant on the group has another number of VMs."""

    at: When = Field(description="Date (00:00 UTC) or instant with its offset.")
    count: Annotated[Whole, Field(ge=0)] = Field(description="VMs from then on.")


def grown(count: int, per_month: float, start: datetime, end: datetime) -> Steps:
    """Steps at 00:00 UTC on the first of each calendar month after *start* and before *end*.

    After k months there are count x (1 + g)^k, compounded unrounded, a half rounded up.
    """
    factor = 1 + Fraction(str(per_month))
    month = start.astimezone(UTC).year * 12 + start.astimezone(UTC).month  # the one after that of the start
    steps, exact = [], Fraction(count)
    while (at := datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)) < end:
        exact *= factor
        steps.append((at, int(exact + Fraction(1, 2))))
        month += 1
    return steps


def from_start(
    count: int, steps: Steps, start: datetime, horizon_s: float
) -> tuple[int, tuple[tuple[float, int], ...]]:
    """The number of VMs at t = 0, and the steps between then and the horizon (s); the last step before t = 0 holds there."""
    later = []
    for at, vms in sorted(steps):
        at_s = (at - start).total_seconds()
        if at_s <= 0:
            count = vms
        elif at_s < horizon_s:
            later.append((at_s, vms))
    return count, tuple(later)
