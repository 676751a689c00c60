"""Hours from the start written as local dates: where the ticks of a time axis stand and what they say."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import matplotlib.dates
from matplotlib.ticker import MaxNLocator

from sim.units import HOURS_PER_MONTH

dates: Any = matplotlib.dates  # without type hints of its own
MOST_TICKS = 10
FORMATS = ("%Y", "%b", "%a %d %b", "%H:%M", "%H:%M", "%S")  # of years, months, days, hours, minutes, seconds
FIRST_FORMATS = ("%Y", "%b\n%Y", "%a %d %b", "%H:%M\n%a %d %b", "%H:%M", "%S")  # of January, midnight ...
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeAxis:
    """Ticks of a time axis in hours from the start, and the axis label with its unit or time zone."""

    ticks_h: tuple[float, ...]
    labels: tuple[str, ...]
    label: str


def time_axis(horizon_h: float, start: datetime | None, zone_name: str, *, most_ticks: int = MOST_TICKS) -> TimeAxis:
    """Local hours, midnights, Mondays, first days of months or years, whichever are few enough to be read.

    Time from the start where its date is unknown or the run lasts minutes.
    """
    if start is None or horizon_h < 1.0:
        return _from_start(horizon_h, start, zone_name, most_ticks)
    locator = _locator(horizon_h, start.tzinfo, most_ticks)
    slack_h = 0.01 * horizon_h  # a run that begins a little after midnight still gets its first day named, at its edge
    ticks = locator.tick_values(_later(start, -slack_h), _later(start, horizon_h))
    days = [day for day in ticks if -slack_h <= _since(start, day) <= horizon_h]
    formatter = dates.ConciseDateFormatter(
        locator, start.tzinfo, FORMATS, zero_formats=FIRST_FORMATS, show_offset=False
    )
    return TimeAxis(
        ticks_h=tuple(max(_since(start, day), 0.0) for day in days),
        labels=tuple(formatter.format_ticks(days)),
        label=f"{'local time' if '/' in zone_name else 'time'}, {span(start, horizon_h)} ({zone_name})",
    )


def _locator(horizon_h: float, zone: tzinfo | None, most_ticks: int) -> Any:
    """The finest of matplotlib's locators with few enough ticks."""
    for every in (1, 2, 3, 6):
        if horizon_h / every <= most_ticks:
            return dates.HourLocator(range(0, 24, every), tz=zone)
    if horizon_h / 24 <= most_ticks:
        return dates.DayLocator(tz=zone)
    if horizon_h / 168 <= most_ticks:
        return dates.WeekdayLocator(dates.MO, tz=zone)
    for months in (1, 2, 3, 6):
        if horizon_h / HOURS_PER_MONTH / months <= most_ticks:
            return dates.MonthLocator(range(1, 13, months), tz=zone)
    return dates.YearLocator(int(horizon_h / 8766 / most_ticks) + 1, tz=zone)


def span(start: datetime | None, horizon_h: float) -> str:
    """From when to when the run goes, as dates; empty when the start is unknown."""
    if start is None:
        return ""
    end = _later(start, horizon_h)
    if horizon_h >= 14 * 24:
        return f"{date(start)} to {date(_later(start, horizon_h - 1e-6))}"
    if (start.hour, start.minute) == (end.hour, end.minute) == (0, 0) and horizon_h >= 24:
        last = end - timedelta(days=1)  # an end at midnight is the end of the day before
        return date(start) if last.date() == start.date() else f"{date(start)} to {date(last)}"
    return f"{date(start)} {start:%H:%M} to {date(end)} {end:%H:%M}"


def date(moment: datetime) -> str:
    """A date as people write it, whatever the locale of the process."""
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def stretch(start: datetime | None, begin_h: float, end_h: float) -> str:
    """From when to when, as short as is clear; hours from the start where its date is unknown."""
    if start is None:
        return f"{begin_h:,.4g} h to {end_h:,.4g} h"
    begin, end = _later(start, begin_h), _later(start, end_h)
    day = f"{DAYS[begin.weekday()]} {begin.day} {MONTHS[begin.month - 1]}"
    if end_h - begin_h >= 24.0:
        return f"{day} {begin.year} to {DAYS[end.weekday()]} {end.day} {MONTHS[end.month - 1]}"
    return f"{day} {begin:%H:%M} to {end:%H:%M}"


def _later(start: datetime, hours: float) -> datetime:
    """Elapsed time, not wall-clock time: an hour later stays an hour later over a clock change."""
    return (start.astimezone(UTC) + timedelta(hours=hours)).astimezone(start.tzinfo)


def _since(start: datetime, day: float) -> float:
    """Hours from the start to an instant in matplotlib's days; ticks are whole seconds."""
    return round(float((dates.num2date(day) - start).total_seconds())) / 3600.0


def _from_start(horizon_h: float, start: datetime | None, zone_name: str, most_ticks: int) -> TimeAxis:
    unit, per_h = ("days", 1 / 24) if horizon_h > 72 else ("hours", 1.0) if horizon_h >= 2 else ("minutes", 60.0)
    length_u = horizon_h * per_h
    ticks = [
        tick for tick in MaxNLocator(most_ticks, steps=[1, 2, 5, 10]).tick_values(0.0, length_u) if tick <= length_u
    ]
    since = f" ({date(start)} {start:%H:%M}, {zone_name})" if start is not None else ""
    return TimeAxis(
        ticks_h=tuple(float(tick) / per_h for tick in ticks),
        labels=tuple(f"{tick:,.6g}" for tick in ticks),
        label=f"{unit} from the start{since}",
    )
