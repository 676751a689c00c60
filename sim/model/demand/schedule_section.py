"""`[group.schedule]`, one window or a list of them, refined by `[group.calendar]` and `[group.people]`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from itertools import combinations
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words
from sim.fields.types import DAYS, Days, TimeOfDay, TimeZone, default_field
from sim.model.demand.base import DEMAND_KINDS, REFINEMENTS, Demand, DemandSection, GroupFacts, otherwise
from sim.model.demand.schedule import Schedule
from sim.model.demand.windows import EVERYONE, MOST_WINDOWS, Windows

DAY_MIN = 24 * 60.0


@DEMAND_KINDS.register("schedule")
class ScheduleSection(DemandSection):
    """VMs are wanted in a weekly window of local wall-clock time, daylight saving respected, or in several."""

    key = "schedule"
    demand = Schedule
    is_list = True
    waits_for_autoscale = True
    refined_by: ClassVar[tuple[str, ...]] = tuple(REFINEMENTS)
    stand_ins = MappingProxyType({"days": "Mon-Sun", "on": time(8), "off": time(19)})

    days: Days = Field(description="Days on which a window begins.")
    on: TimeOfDay = Field(description="Wall-clock time at which a window begins.")
    off: TimeOfDay = Field(description="Wall-clock time at which it ends; not after `on`: the next day.")
    time_zone: TimeZone = default_field("group.schedule.time_zone", "IANA time zone, such as Europe/Amsterdam.")
    jitter: Varying | None = Field(None, description="Added to each edge of each window, drawn for each VM.")
    _windows: tuple[ScheduleSection, ...] = PrivateAttr(())  # of a list: all of them

    def joined(self, tables: tuple[Any, ...]) -> ScheduleSection:
        """The same section, knowing all windows of the list."""
        first = self.model_copy()
        first._windows = tables
        return first

    @property
    def windows(self) -> tuple[ScheduleSection, ...]:
        """Every window of the list."""
        return self._windows or (self,)

    def to_demand(self) -> Schedule:
        """The window, and its jitter as a distribution."""
        return Schedule(
            days=self.days,
            on=self.on,
            off=self.off,
            time_zone=self.time_zone,
            jitter_s=None if self.jitter is None else to_distribution(self.jitter),
        )

    def demand_of(self, group: GroupFacts, years: range) -> Demand:
        """One window by itself, or all of them with days without demand and people."""
        if len(self.windows) == 1 and group.calendar is None and group.people is None:
            return self.to_demand()
        return Windows(
            schedules=tuple(window.to_demand() for window in self.windows),
            closed=frozenset() if group.calendar is None else group.calendar.closed(years),
            people=EVERYONE if group.people is None else group.people.to_people(),
        )

    def describe(self, group: GroupFacts) -> str:
        """Days, times and zones, and what is done outside them."""
        said = list_words((window._words() for window in self.windows), "and")
        return f"Needed {said}; {otherwise(group)}."

    def _words(self) -> str:
        days = list_words((DAYS[day] for day in self.days), "and")
        jitter = f", each edge later by {varying_words(self.jitter)}" if self.jitter is not None else ""
        end = f"{self.off:%H:%M}" + (" the next day" if self.off <= self.on else "")
        return f"on {days} from {self.on:%H:%M} to {end} ({self.time_zone}){jitter}"

    def refinements(self, group: GroupFacts, years: range) -> str:
        """Days without demand, and what people do."""
        said = [] if group.calendar is None else [group.calendar.describe(years)]
        return " ".join([*said, *([] if group.people is None else [group.people.describe()])])

    def check(self, group: GroupFacts, place: Path) -> Iterator[Issue]:
        """Windows that add nothing, and what the tables beside it contradict."""
        if len(self.windows) > MOST_WINDOWS:
            yield Issue(place, f"{len(self.windows)} windows are more than {MOST_WINDOWS}", "make it fewer")
        for (first, one), (second, other) in combinations(enumerate(self.windows), 2):
            outer, inner = (first, one), (second, other)
            day = other._inside(one)
            if day is None:
                outer, inner = inner, outer
                day = one._inside(other)
            if day is not None:
                yield Issue(
                    (*place, inner[0]),
                    f"on {DAYS[day]} the window from {inner[1].on:%H:%M} to {inner[1].off:%H:%M} lies within that from "
                    f"{outer[1].on:%H:%M} to {outer[1].off:%H:%M} of window {outer[0] + 1}, so it would have no effect",
                    f"take {DAYS[day]} out of the days of one of them",
                    related_paths=((*place, outer[0]),),
                )
        if group.calendar is not None:
            yield from group.calendar.check((*place[:-1], "calendar"))
        if group.people is not None:
            yield from group.people.check(group.when_off, (*place[:-1], "people"))

    def _inside(self, other: ScheduleSection) -> int | None:
        """The first day on which this window lies within another of the same time zone."""
        (on, off), (other_on, other_off) = self._minutes(), other._minutes()
        common = sorted({*self.days} & {*other.days})
        within = other_on <= on and off <= other_off and self.time_zone == other.time_zone
        return common[0] if within and common else None

    def _minutes(self) -> tuple[float, float]:
        on, off = (at.hour * 60 + at.minute + (at.second + at.microsecond / 1e6) / 60 for at in (self.on, self.off))
        return on, off if off > on else off + DAY_MIN
