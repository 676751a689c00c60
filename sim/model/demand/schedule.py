"""VMs that are wanted in a weekly window of local wall-clock time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from sim.distributions.kinds import Distribution
from sim.model.demand.base import HOURS_PER_WEEK, Calendar, Demand, hardly_ready
from sim.units import SECONDS_PER_HOUR

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Demand):
    """Wanted in a weekly window of local wall-clock time; an `off` not after `on` is on the next day."""

    turns_off: ClassVar[bool] = True
    days: tuple[int, ...]  # weekdays on which a window begins, Monday = 0
    on: time
    off: time
    time_zone: str
    jitter_s: Distribution | None = None  # added to each edge of each window, drawn per VM and edge

    def calendar(self, start: datetime, horizon_s: float) -> Calendar:
        """The windows between *start* and the horizon, daylight saving respected.

        Windows that touch or overlap are one. An instant that a clock change skips is read as the platform's clocks do:
        with the offset in force before the change.
        """
        return Calendar.of_windows(((on, off) for _, on, off in self.windows(start, horizon_s)), horizon_s)

    def windows(self, start: datetime, horizon_s: float) -> Iterator[tuple[date, float, float]]:
        """The local day on which each window begins, its beginning and its end (s from *start*), in order."""
        zone = ZoneInfo(self.time_zone)
        for day in _local_days(zone, start, horizon_s):
            if day.weekday() in self.days:
                off_day = day if self.off > self.on else day + DAY
                on = _seconds(datetime.combine(day, self.on, zone), start)
                off = _seconds(datetime.combine(off_day, self.off, zone), start)
                if off > on:
                    yield day, on, off

    @property
    def edge_delays(self) -> tuple[tuple[str, Distribution], tuple[str, Distribution]] | None:
        """The jitter of each edge."""
        return None if self.jitter_s is None else (("jitter", self.jitter_s),) * 2

    @property
    def repeats_h(self) -> int:
        """A day if it is the same every day, else a week."""
        return 24 if len(self.days) == 7 else HOURS_PER_WEEK

    def unlikely(self, start: datetime, horizon_s: float, ready_s: float) -> Iterator[str]:
        """Windows shorter than a start, or than their jitter, or none before the horizon."""
        on, off = (timedelta(hours=each.hour, minutes=each.minute, seconds=each.second) for each in (self.on, self.off))
        wanted_s = (off - on if off > on else off - on + DAY).total_seconds()
        yield from hardly_ready(wanted_s, ready_s)
        if self.jitter_s is not None and self.jitter_s.mean > wanted_s:
            yield "jitter is longer than the windows that it moves"
        calendar = self.calendar(start, horizon_s)
        if not calendar.wanted_first and not calendar.edges_s:
            yield "no window of its schedule lies within the horizon: its VMs are never needed"

    def expected_rounds(self, horizon_s: float) -> float:
        """One a window."""
        return len(self.days) * horizon_s / SECONDS_PER_HOUR / HOURS_PER_WEEK


def daily_instants(at: time, time_zone: str, start: datetime, horizon_s: float) -> Iterator[float]:
    """The instants (s from *start*) of one local wall-clock time on every day around a run, in order."""
    zone = ZoneInfo(time_zone)
    for day in _local_days(zone, start, horizon_s):
        yield _seconds(datetime.combine(day, at, zone), start)


def _local_days(zone: ZoneInfo, start: datetime, horizon_s: float) -> Iterator[date]:
    day = start.astimezone(zone).date() - 2 * DAY
    last = (start + timedelta(seconds=horizon_s)).astimezone(zone).date() + DAY
    while day <= last:
        yield day
        day += DAY


def _seconds(when: datetime, start: datetime) -> float:
    return (when.astimezone(UTC) - start.astimezone(UTC)).total_seconds()
