"""The report's time axes: local dates at their true places."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sim.fields.numbers import length
from sim.report.clock import span, time_axis

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def test_a_day_of_the_clock_change_is_an_hour_shorter() -> None:
    """On 29 March 2026 Amsterdam skips an hour: the next midnight comes after 23 hours, not 24."""
    axis = time_axis(96.0, datetime(2026, 3, 28, tzinfo=AMSTERDAM), "Europe/Amsterdam")
    assert axis.ticks_h[:4] == (0.0, 24.0, 47.0, 71.0)
    assert axis.labels[:3] == ("Sat 28 Mar", "Sun 29 Mar", "Mon 30 Mar")
    assert axis.label == "local time, 28 Mar 2026 00:00 to 1 Apr 2026 01:00 (Europe/Amsterdam)"


def test_a_month_is_marked_at_its_mondays() -> None:
    """Four weeks of office hours are read week by week."""
    axis = time_axis(672.0, datetime(2026, 1, 5, tzinfo=UTC), "UTC")
    assert axis.ticks_h == (0.0, 168.0, 336.0, 504.0, 672.0)
    assert axis.labels[1] == "Mon 12 Jan"
    assert axis.label == "time, 5 Jan 2026 to 1 Feb 2026 (UTC)"  # of groups in two zones: not local anywhere


@pytest.mark.parametrize("horizon_h", [0.25, 1.0, 6.0, 24.0, 48.0, 49.0, 168.0, 672.0, 8760.0, 17520.0, 175200.0])
@pytest.mark.parametrize(
    "start", [None, datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 10, 20, 13, 30, tzinfo=AMSTERDAM)]
)
def test_any_horizon_gets_a_readable_number_of_ticks_inside_it(horizon_h: float, start: datetime | None) -> None:
    """From a quarter of an hour to twenty years: at least one tick, at most a dozen, all on the axis and in order."""
    axis = time_axis(horizon_h, start, "UTC")
    assert 1 <= len(axis.ticks_h) <= 12
    assert len(axis.labels) == len(axis.ticks_h)
    assert list(axis.ticks_h) == sorted(set(axis.ticks_h))
    assert axis.ticks_h[0] >= 0
    assert axis.ticks_h[-1] <= horizon_h + 1e-6
    assert axis.label


def test_periods_are_written_in_words() -> None:
    """What the answer says about how long the run was, and when."""
    start = datetime(2026, 1, 5, tzinfo=UTC)
    assert [length(h) for h in (0.25, 1.0, 36.0, 672.0, 100.5)] == [
        "15 minutes",
        "1 hour",
        "36 hours",
        "28 days",
        "4.2 days",
    ]
    assert span(start, 672.0) == "5 Jan 2026 to 1 Feb 2026"
    assert span(start, 24.0) == "5 Jan 2026"
    assert span(start, 1.5) == "5 Jan 2026 00:00 to 5 Jan 2026 01:30"
    assert span(None, 24.0) == ""
