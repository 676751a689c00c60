"""Calendars of local wall-clock windows, and arrivals at rates that follow the clock."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sim.distributions.kinds import Constant
from sim.model.demand import Arrivals, Calendar, RequestContext, Schedule

HOUR = 3600.0
DAY = 24 * HOUR
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)


def windows(on: time, off: time, *, days: tuple[int, ...] = EVERY_DAY, zone: str = "UTC", start: datetime = MONDAY, hours: float = 48.0) -> Calendar:  # fmt: skip
    """The calendar of one schedule."""
    return Schedule(days=days, on=on, off=off, time_zone=zone).calendar(start, hours * HOUR)


def in_hours(made: Calendar) -> list[float]:
    """Its edges in hours."""
    return [edge / HOUR for edge in made.edges_s]


def test_a_window_of_office_hours_turns_demand_on_and_off_each_day() -> None:
    """The plain case, in UTC."""
    made = windows(time(8), time(19))
    assert not made.wanted_first
    assert in_hours(made) == [8, 19, 32, 43]


def test_days_name_the_day_on_which_a_window_begins() -> None:
    """Mon and Wed only; the week begins on a Monday."""
    assert in_hours(windows(time(8), time(19), days=(0, 2), hours=168)) == [8, 19, 56, 67]


def test_a_window_whose_off_is_not_after_its_on_ends_the_next_day() -> None:
    """A night shift; the one that began on Sunday evening is open at t = 0."""
    made = windows(time(22), time(6))
    assert made.wanted_first
    assert in_hours(made) == [6, 22, 30, 46]


def test_a_night_shift_on_friday_ends_on_saturday() -> None:
    """`days` names the day it begins, not the day it ends."""
    made = windows(time(22), time(6), days=(4,), hours=168)
    assert not made.wanted_first
    assert in_hours(made) == [4 * 24 + 22, 5 * 24 + 6]


def test_a_window_of_a_whole_day_every_day_never_ends() -> None:
    """On = off is 24 hours; windows that touch are one, and there is no edge between them."""
    made = windows(time(8), time(8))
    assert made.wanted_first
    assert made.edges_s == ()


def test_windows_that_touch_at_midnight_are_one() -> None:
    """Monday and Tuesday 00:00-24:00 are one stretch of 48 hours."""
    made = windows(time(0), time(0), days=(0, 1), hours=168)
    assert not made.wanted_first, "the edge at t = 0 itself turns demand on"
    assert in_hours(made) == [0, 48]


def test_a_window_that_opens_at_the_very_start_is_an_edge_at_zero() -> None:
    """So that its jitter counts, as any other edge's."""
    made = windows(time(0), time(6))
    assert not made.wanted_first
    assert in_hours(made) == [0, 6, 24, 30]


def test_a_window_that_closes_at_the_very_start_is_an_edge_at_zero() -> None:
    """Open until then, closed from then."""
    made = windows(time(18), time(0))
    assert made.wanted_first
    assert in_hours(made) == [0, 18, 24, 42]


def test_a_window_that_is_open_at_the_start_counts_from_the_start() -> None:
    """A run that starts at noon is inside office hours."""
    made = windows(time(8), time(19), start=MONDAY.replace(hour=12))
    assert made.wanted_first
    assert in_hours(made) == [7, 20, 31, 44]


def test_edges_at_or_after_the_horizon_are_left_out() -> None:
    """Nothing happens at the horizon or after."""
    assert in_hours(windows(time(8), time(19), hours=19)) == [8]


def test_local_time_is_not_utc() -> None:
    """Amsterdam is an hour ahead in winter, India five and a half all year."""
    assert in_hours(windows(time(8), time(19), zone="Europe/Amsterdam", hours=24)) == [7, 18]
    assert in_hours(windows(time(8), time(19), zone="Asia/Kolkata", hours=24)) == [2.5, 13.5]


def test_a_start_given_with_an_offset_is_an_instant() -> None:
    """Midnight in New York is 05:00 UTC; t = 0 is there."""
    start = datetime.fromisoformat("2026-01-05T00:00:00-05:00")
    assert in_hours(windows(time(8), time(19), start=start, hours=24)) == [3, 14]


@pytest.mark.parametrize(
    ("zone", "start", "on", "off", "expected"),
    [
        # Europe, 29 March 2026, 01:00 UTC: 02:00 becomes 03:00.
        ("Europe/Amsterdam", datetime(2026, 3, 28, 23, tzinfo=UTC), time(8), time(19), [7, 18]),
        ("Europe/Amsterdam", datetime(2026, 3, 28, 23, tzinfo=UTC), time(1), time(4), [1, 3]),
        # 02:30 doesn't exist; with the offset before the change it is 01:30 UTC, 03:30 by the new clock.
        ("Europe/Amsterdam", datetime(2026, 3, 28, 23, tzinfo=UTC), time(2, 30), time(4), [2.5, 3]),
        # Europe, 25 October 2026, 01:00 UTC: 03:00 becomes 02:00.
        ("Europe/Amsterdam", datetime(2026, 10, 24, 22, tzinfo=UTC), time(8), time(19), [9, 20]),
        ("Europe/Amsterdam", datetime(2026, 10, 24, 22, tzinfo=UTC), time(1), time(4), [1, 5]),
        # 02:30 comes twice; the first is meant.
        ("Europe/Amsterdam", datetime(2026, 10, 24, 22, tzinfo=UTC), time(2, 30), time(4), [2.5, 5]),
        # United States, 8 March and 1 November 2026.
        ("America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC), time(1), time(4), [1, 3]),
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), time(1, 30), time(4), [1.5, 5]),
        # Lord Howe changes by half an hour: 5 April 2026, 02:00 becomes 01:30.
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 13, tzinfo=UTC), time(1), time(4), [1, 4.5]),
    ],
)
def test_the_hour_that_a_clock_change_takes_or_gives_is_taken_or_given(
    zone: str, start: datetime, on: time, off: time, expected: list[float]
) -> None:
    """t = 0 is local midnight of the day of the change; edges are hours that pass, not hours on the dial."""
    day = start.astimezone(ZoneInfo(zone)).weekday()
    assert in_hours(windows(on, off, zone=zone, start=start, hours=24, days=(day,))) == expected


def test_a_window_inside_the_hour_that_is_skipped_is_no_longer_than_the_dial_says() -> None:
    """02:10-02:50 is read an hour later, by the offset before the change: forty minutes all the same."""
    start = datetime(2026, 3, 28, 23, tzinfo=UTC)
    made = windows(time(2, 10), time(2, 50), zone="Europe/Amsterdam", start=start, hours=24, days=(6,))
    assert made.edges_s[1] - made.edges_s[0] == 40 * 60


def test_a_window_whose_end_the_skipped_hour_puts_before_its_beginning_is_not_there() -> None:
    """02:30 is read as 03:30, after its end at 03:00: no window, and no negative one."""
    start = datetime(2026, 3, 28, 23, tzinfo=UTC)
    made = windows(time(2, 30), time(3), zone="Europe/Amsterdam", start=start, hours=24, days=(6,))
    assert made.edges_s == ()


# --- arrivals ---------------------------------------------------------------------------------------------------------


def born(hours: float, start: datetime = MONDAY, key: int = 7, **changes: Any) -> np.ndarray:
    """When VMs are requested (s)."""
    plan = Arrivals(lifetime_s=Constant(value=60.0), **({"rate_per_h": (12.0,)} | changes))
    blocks = list(plan.request_times(RequestContext(start=start, horizon_s=hours * HOUR, group_key=key)))
    return np.concatenate(blocks) if blocks else np.empty(0)


def test_requests_come_in_order_before_the_horizon() -> None:
    """In blocks, each of which goes on where the last one ended."""
    times = born(2000.0)
    assert len(times) > 3 * 4096
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0
    assert times[-1] < 2000 * HOUR


def test_there_are_no_arrivals_in_hours_without_a_rate() -> None:
    """Office hours of UTC days."""
    rates = tuple(10.0 if 8 <= hour < 19 else 0.0 for hour in range(24))
    hour_of_day = (born(24.0 * 60, rate_per_h=rates) % DAY) / HOUR
    assert len(hour_of_day) > 5000
    assert hour_of_day.min() >= 8
    assert hour_of_day.max() < 19


def test_a_rate_of_zero_gives_no_arrivals() -> None:
    """And does not hang."""
    assert len(born(1000.0, rate_per_h=(0.0,) * 24)) == 0
    assert len(born(1000.0, rate_per_h=(0.0,))) == 0


def test_hours_of_the_week_begin_on_monday() -> None:
    """Only the last hour of the week has a rate; the run starts on a Wednesday afternoon."""
    rates = (0.0,) * 167 + (50.0,)
    start = datetime(2026, 1, 7, 15, 20, tzinfo=UTC)
    times = born(24.0 * 28, start, rate_per_h=rates)
    hour_of_week = ((times + 2 * DAY + 15 * HOUR + 20 * 60) % (7 * DAY)) / HOUR
    assert len(times) > 100
    assert hour_of_week.min() >= 167


def test_rates_follow_local_time_over_a_clock_change() -> None:
    """08:00-09:00 in Amsterdam is 07:00 UTC before 29 March 2026, 06:00 UTC from then on."""
    rates = tuple(200.0 if hour == 8 else 0.0 for hour in range(24))
    start = datetime(2026, 3, 28, tzinfo=UTC)
    times = born(48.0, start, rate_per_h=rates, time_zone="Europe/Amsterdam")
    first, second = times[times < DAY] / HOUR, times[times >= DAY] / HOUR - 24
    assert 7 <= first.min() <= first.max() < 8
    assert 6 <= second.min() <= second.max() < 7


def test_an_hour_that_comes_twice_has_its_rate_twice() -> None:
    """25 October 2026: 02:00-03:00 in Amsterdam lasts from 00:00 to 02:00 UTC; on 29 March it isn't there at all."""
    rates = tuple(200.0 if hour == 2 else 0.0 for hour in range(24))
    autumn = born(24.0, datetime(2026, 10, 25, tzinfo=UTC), rate_per_h=rates, time_zone="Europe/Amsterdam")
    assert 0 <= autumn.min() / HOUR < 1 < autumn.max() / HOUR < 2
    spring = born(23.0, datetime(2026, 3, 28, 23, tzinfo=UTC), rate_per_h=rates, time_zone="Europe/Amsterdam")
    assert len(spring) == 0


def test_the_vms_of_a_batch_are_asked_for_at_one_instant() -> None:
    """Sizes 2 and 5 only: every instant comes that often."""
    times = born(500.0, batch_sizes=(2, 5), batch_weights=(0.5, 0.5))
    _, together = np.unique(times, return_counts=True)
    assert set(together.tolist()) == {2, 5}


def test_batches_leave_the_instants_of_requests_as_they_are() -> None:
    """Sizes have a stream of their own."""
    assert (np.unique(born(500.0, batch_sizes=(2, 5), batch_weights=(0.5, 0.5))) == born(500.0)).all()


@pytest.mark.parametrize("rates", [(7.3,), tuple(float(hour % 5) for hour in range(24))])
def test_a_longer_horizon_moves_no_request_by_a_bit(rates: tuple[float, ...]) -> None:
    """Otherwise the same seed would give another result, and comparisons of horizons would lose their common random numbers."""
    long = born(1000.0, rate_per_h=rates)
    for hours in (1.0, 99.7, 333.33):
        assert (born(hours, rate_per_h=rates) == long[long < hours * HOUR]).all()


def test_another_key_is_another_crowd() -> None:
    """Streams belong to the group."""
    assert born(10.0, key=1)[0] != born(10.0, key=2)[0]
