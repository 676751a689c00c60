"""Hours from the start written as local dates: where the ticks of a time axis stand and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MOST_TICKS = 10
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeAxis:
    """Ticks of a time axis in hours from the start, and the axis label with its unit or time zone."""

    ticks_h: tuple[float, ...]
    labels: tuple[str, ...]
    label: str


def time_axis(horizon_h: float, start: datetime | None, zone_name: str, *, most_ticks: int = MOST_TICKS) -> TimeAxis:
    """Local midnights, Mondays, first days of months or hours, whichever are few enough to be read."""
    if start is None or horizon_h < 1.0:
        return _from_start(horizon_h, start, zone_name, most_ticks)
    if horizon_h <= 12:
        every = next(h for h in (1, 2, 3) if horizon_h / h <= most_ticks)
        return _hours(horizon_h, start, zone_name, every)
    if horizon_h <= 48:
        every = next((h for h in (3, 6, 12) if horizon_h / h <= most_ticks), 24)
        return _hours(horizon_h, start, zone_name, every)
    days = horizon_h / 24
    if days <= most_ticks:
        return _made(start, zone_name, horizon_h, _midnights(start, 1), "{weekday} {day} {month}")
    if days / 7 <= most_ticks:
        return _made(start, zone_name, horizon_h, _mondays(start), "{weekday} {day} {month}")
    for months in (1, 2, 3, 6, 12):
        if days / 30.4 / months <= most_ticks:
            return _made(start, zone_name, horizon_h, _months(start, months), "{day} {month}\n{year}")
    years = int(days / 365 / most_ticks) + 1
    return _made(start, zone_name, horizon_h, _months(start, 12 * years), "{day} {month}\n{year}")


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


def length(hours: float) -> str:
    """How long something lasts, in the unit a reader would use."""
    if hours >= 48 and hours % 24 == 0:
        return f"{hours / 24:,.0f} days"
    if hours >= 72:
        return f"{hours / 24:,.1f} days"
    if hours == round(hours):
        return "1 hour" if hours == 1 else f"{hours:,.0f} hours"
    if hours >= 1:
        return f"{hours:,.2f} hours"
    return f"{hours * 60:,.10g} minutes"


def _later(start: datetime, hours: float) -> datetime:
    """Elapsed time, not wall-clock time: an hour later stays an hour later over a clock change."""
    return (start.astimezone(UTC) + timedelta(hours=hours)).astimezone(start.tzinfo)


def _since(start: datetime, moment: datetime) -> float:
    return (moment.astimezone(UTC) - start.astimezone(UTC)).total_seconds() / 3600.0


def _from_start(horizon_h: float, start: datetime | None, zone_name: str, most_ticks: int) -> TimeAxis:
    unit, per_h = ("days", 1 / 24) if horizon_h > 72 else ("hours", 1.0) if horizon_h >= 2 else ("minutes", 60.0)
    length_u = horizon_h * per_h
    step = next(
        size * 10**power for power in range(-3, 12) for size in (1, 2, 5) if length_u / (size * 10**power) <= most_ticks
    )
    ticks = [i * step for i in range(int(length_u / step + 1e-9) + 1)]
    since = f" ({date(start)} {start:%H:%M}, {zone_name})" if start is not None else ""
    return TimeAxis(
        ticks_h=tuple(tick / per_h for tick in ticks),
        labels=tuple(f"{tick:,.6g}" for tick in ticks),
        label=f"{unit} from the start{since}",
    )


def _hours(horizon_h: float, start: datetime, zone_name: str, every: int) -> TimeAxis:
    ticks: list[float] = []
    labels: list[str] = []
    moment = start.replace(minute=0, second=0, microsecond=0)
    day = None
    while (at := _since(start, moment)) <= horizon_h + 1e-9:
        if at >= -1e-9 and moment.hour % every == 0:
            # The day stands below its first tick only.
            labels.append(
                f"{moment:%H:%M}"
                + (
                    f"\n{WEEKDAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]}"
                    if moment.date() != day
                    else ""
                )
            )
            ticks.append(at)
            day = moment.date()
        moment = _later(moment, 1.0)
    return TimeAxis(ticks_h=tuple(ticks), labels=tuple(labels), label=f"local time {start.year} ({zone_name})")


def _midnights(start: datetime, every: int) -> Iterator[datetime]:
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    while True:
        yield midnight
        midnight += timedelta(days=every)  # the same zone: wall-clock arithmetic, so it stays midnight


def _mondays(start: datetime) -> Iterator[datetime]:
    return _midnights(start - timedelta(days=start.weekday()), 7)


def _months(start: datetime, every: int) -> Iterator[datetime]:
    first = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    month = first.year * 12 + first.month - 1
    month -= month % every
    while True:
        yield first.replace(year=month // 12, month=month % 12 + 1)
        month += every


def _made(start: datetime, zone_name: str, horizon_h: float, moments: Iterator[datetime], form: str) -> TimeAxis:
    ticks: list[float] = []
    labels: list[str] = []
    for moment in moments:
        at = _since(start, moment)
        if at > horizon_h + 1e-9:
            break
        if at >= -0.01 * horizon_h:
            # A run that begins an hour after midnight still gets its first day named, at its edge.
            ticks.append(max(at, 0.0))
            labels.append(
                form.format(
                    weekday=WEEKDAYS[moment.weekday()], day=moment.day, month=MONTHS[moment.month - 1], year=moment.year
                )
            )
    years = sorted({start.year, _later(start, horizon_h).year})
    year = "" if "{year}" in form else " " + "\N{EN DASH}".join(str(year) for year in years)
    return TimeAxis(ticks_h=tuple(ticks), labels=tuple(labels), label=f"local date{year} ({zone_name})")
