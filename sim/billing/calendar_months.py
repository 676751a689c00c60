"""Calendar months (UTC) in clock hours: a disk's hour is its month's price over the hours of that month."""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from sim.units import HOURS_PER_MONTH

SHARED = "@"
"""In `BillLine.counts`: of the hours named before it, those of months with as many hours as stand after it."""


def month_of(at: datetime) -> tuple[datetime, datetime]:
    """The calendar month (UTC) of an instant: its beginning, and that of the next one."""
    begin = at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return begin, begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)


def hours_of_month(at: datetime) -> int:
    """Hours of the calendar month of an instant.

    >>> hours_of_month(datetime(2028, 2, 29, tzinfo=UTC))
    696
    """
    begin, end = month_of(at)
    return (end - begin) // timedelta(hours=1)


def months_between(begin: datetime, end: datetime) -> float:
    """How many calendar months (UTC) a stretch of time is, each by its own hours.

    >>> months_between(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 15, tzinfo=UTC))
    1.5
    """
    months, begin = 0.0, begin.astimezone(UTC)
    while begin < end:
        month, following = month_of(begin)
        months += (min(end, following) - begin) / (following - month)
        begin = following
    return months


def month_numbers(start: datetime, hours: int) -> NDArray[np.datetime64]:
    """The calendar month (UTC) in which each clock hour begins, counted from that of *start*."""
    begin = np.datetime64(start.astimezone(UTC).replace(tzinfo=None), "h")
    return (begin + np.arange(hours)).astype("datetime64[M]")


def month_hours(start: datetime | None, hours: int) -> NDArray[np.int64]:
    """For each clock hour from *start* the hours of its calendar month; without a date, of a mean month (730).

    >>> month_hours(datetime(2026, 1, 31, 22, tzinfo=UTC), 4).tolist()
    [744, 744, 672, 672]
    """
    if start is None:
        return np.full(hours, HOURS_PER_MONTH, dtype=np.int64)
    months = month_numbers(start, hours)
    lengths = (months + 1).astype("datetime64[h]") - months.astype("datetime64[h]")
    return np.asarray(lengths.astype(np.int64))
