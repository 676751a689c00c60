"""Calendar months (UTC) in hours, by the calendar on the wall; and prices that change with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from sim.billing.calendar_months import hours_of_month, month_hours, month_numbers, month_of, months_between
from sim.billing.newsvendor import best_quantity
from sim.billing.spot_prices import SpotSteps

EAST = timezone(timedelta(hours=5, minutes=30))


def at(*fields: int) -> datetime:
    """An instant (UTC)."""
    return datetime(*fields, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "begin", "following", "hours"),
    [
        (at(2026, 1, 1), at(2026, 1, 1), at(2026, 2, 1), 744),
        (at(2026, 2, 28, 23, 59, 59, 999999), at(2026, 2, 1), at(2026, 3, 1), 672),
        (at(2028, 2, 29), at(2028, 2, 1), at(2028, 3, 1), 696),
        (at(2026, 11, 30, 12), at(2026, 11, 1), at(2026, 12, 1), 720),
        (at(2026, 12, 31, 12), at(2026, 12, 1), at(2027, 1, 1), 744),
        (datetime(2026, 3, 1, 5, 29, tzinfo=EAST), at(2026, 2, 1), at(2026, 3, 1), 672),
        (datetime(2026, 3, 1, 5, 30, tzinfo=EAST), at(2026, 3, 1), at(2026, 4, 1), 744),
    ],
)
def test_an_instant_is_in_this_month(instant: datetime, begin: datetime, following: datetime, hours: int) -> None:
    """To the microsecond, in UTC wherever the clock hangs."""
    assert month_of(instant) == (begin, following)
    assert hours_of_month(instant) == hours


@pytest.mark.parametrize(
    ("begin", "end", "months"),
    [
        (at(2026, 1, 1), at(2026, 1, 1), 0.0),
        (at(2026, 1, 1), at(2027, 1, 1), 12.0),
        (at(2026, 4, 10), at(2026, 4, 16), 6 / 30),
        (at(2026, 12, 31), at(2027, 2, 15), 1 / 31 + 1 + 14 / 28),
        (datetime(2026, 2, 1, 5, 30, tzinfo=EAST), at(2026, 3, 1), 1.0),
    ],
)
def test_a_stretch_of_time_is_so_many_months(begin: datetime, end: datetime, months: float) -> None:
    """Each month by its own hours."""
    assert months_between(begin, end) == pytest.approx(months, abs=1e-12)


def test_each_clock_hour_has_the_hours_of_the_month_in_which_it_begins() -> None:
    """The clock hour of t = 0 begins before it: 23:20 on the last of January is January's hour. Without a date a month has 730."""
    found = month_hours(at(2026, 1, 31, 23, 20), 3)
    assert (found.tolist(), found.dtype) == ([744, 672, 672], np.int64)
    assert month_hours(datetime(2026, 4, 1, 4, 0, tzinfo=EAST), 3).tolist() == [744, 744, 720]
    none = month_hours(None, 2)
    assert (none.tolist(), none.dtype) == ([730, 730], np.int64)
    assert month_numbers(at(2026, 12, 31, 23), 2).astype(str).tolist() == ["2026-12", "2027-01"]


def test_spot_prices_step_with_the_month_and_the_last_factor_goes_on() -> None:
    """From 22:30 on 31 January: an hour and a half of January, February, then March, for which there is no factor."""
    steps = SpotSteps(start=at(2026, 1, 31, 22, 30), factors=(1.0, 0.3))
    hourly = steps.hourly(0.1, 2 + 672 + 2)
    assert hourly.tolist() == [0.1] * 2 + [0.03] * 674  # 0.1 x 0.3 is 0.03 exactly, not 0.03 and dust
    assert SpotSteps(start=at(2026, 1, 31), factors=(2.0,)).hourly(0.1, 30).tolist() == [0.2] * 30


@pytest.mark.parametrize(
    ("use", "reserved", "payg", "best"),
    [
        ([4.0, 0.0, 2.0, 4.0], 0.6, 1.0, 2.0),  # worth it if used in 2.4 of 4 hours: in three
        ([4.0, 0.0, 2.0, 4.0], 0.5, 1.0, 4.0),  # in exactly two: a tie, and the larger costs no more
        ([4.0, 0.0, 2.0, 4.0], 0.76, 1.0, 0.0),  # in all four
        ([4.0, 1.0, 2.0, 5.0], 0.01, 1.0, 5.0),  # in one
        ([4.0, 1.0, 2.0, 5.0], 0.0, 1.0, 5.0),  # for nothing
        ([4.0, 1.0, 2.0, 5.0], 1.0, 1.0, 0.0),  # never: no cheaper
        ([4.0, 1.0, 2.0, 5.0], 0.3, 0.4, 2.0),  # in three of four
        ([], 0.5, 1.0, 0.0),
    ],
)
def test_the_best_quantity_is_used_in_as_many_hours_as_make_it_pay(
    use: list[float], reserved: float, payg: float, best: float
) -> None:
    """One more costs its price in every hour and saves the other price in the hours that use it."""
    assert best_quantity(np.array(use), reserved, payg) == best
    cost = [sum(reserved * q + payg * max(0.0, u - q) for u in use) for q in (best, *use)]
    assert cost[0] <= min(cost) + 1e-12
