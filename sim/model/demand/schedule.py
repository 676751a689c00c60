"""VMs that are wanted in a weekly window of local wall-clock time: `[group.schedule]`."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from types import MappingProxyType
from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field

from sim.distributions.kinds import Distribution
from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.messages import list_words
from sim.fields.types import DAYS, Days, TimeOfDay, TimeZone, default_field
from sim.model.demand.base import DEMAND_KINDS, HOURS_PER_WEEK, Calendar, Demand, DemandSection, GroupFacts, otherwise
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
        zone = ZoneInfo(self.time_zone)
        windows: list[tuple[float, float]] = []
        day = start.astimezone(zone).date() - 2 * DAY
        last = (start + timedelta(seconds=horizon_s)).astimezone(zone).date() + DAY
        while day <= last:
            if day.weekday() in self.days:
                off_day = day if self.off > self.on else day + DAY
                on = _seconds(datetime.combine(day, self.on, zone), start)
                off = _seconds(datetime.combine(off_day, self.off, zone), start)
                if windows and on <= windows[-1][1]:
                    windows[-1] = (windows[-1][0], max(windows[-1][1], off))
                elif off > on:
                    windows.append((on, off))
            day += DAY
        edges = [edge for window in windows for edge in window]
        gone = bisect_right(edges, 0.0) if not (edges and 0.0 in edges) else edges.index(0.0)
        return Calendar(wanted_first=gone % 2 == 1, edges_s=tuple(edge for edge in edges[gone:] if edge < horizon_s))

    @property
    def edge_delays(self) -> tuple[tuple[str, Distribution], tuple[str, Distribution]] | None:
        """The jitter of each edge."""
        return None if self.jitter_s is None else (("jitter", self.jitter_s),) * 2

    @property
    def repeats_h(self) -> int:
        """A day if it is the same every day, else a week."""
        return 24 if len(self.days) == 7 else HOURS_PER_WEEK

    def expected_rounds(self, horizon_s: float) -> float:
        """One a window."""
        return len(self.days) * horizon_s / SECONDS_PER_HOUR / HOURS_PER_WEEK


def _seconds(when: datetime, start: datetime) -> float:
    return (when.astimezone(UTC) - start.astimezone(UTC)).total_seconds()


@DEMAND_KINDS.register("schedule")
class ScheduleSection(DemandSection):
    """VMs are wanted in a weekly window of local wall-clock time, daylight saving respected."""

    key = "schedule"
    demand = Schedule
    waits_for_autoscale = True
    stand_ins = MappingProxyType({"days": "Mon-Sun", "on": time(8), "off": time(19)})

    days: Days = Field(description="Days on which a window begins.")
    on: TimeOfDay = Field(description="Wall-clock time at which a window begins.")
    off: TimeOfDay = Field(description="Wall-clock time at which it ends; not after `on`: the next day.")
    time_zone: TimeZone = default_field("group.schedule.time_zone", "IANA time zone, such as Europe/Amsterdam.")
    jitter: Varying | None = Field(None, description="Added to each edge of each window, drawn for each VM.")

    def to_demand(self) -> Schedule:
        """The window, and the jitter as a distribution."""
        return Schedule(
            days=self.days,
            on=self.on,
            off=self.off,
            time_zone=self.time_zone,
            jitter_s=None if self.jitter is None else to_distribution(self.jitter),
        )

    def describe(self, group: GroupFacts) -> str:
        """Days, times and zone, and what is done outside them."""
        days = list_words((DAYS[day] for day in self.days), "and")
        jitter = f", each edge later by {varying_words(self.jitter)}" if self.jitter is not None else ""
        end = f"{self.off:%H:%M}" + (" the next day" if self.off <= self.on else "")
        return f"Wanted on {days} from {self.on:%H:%M} to {end} ({self.time_zone}){jitter}; {otherwise(group)}."
