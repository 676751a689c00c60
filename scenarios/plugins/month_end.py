"""A demand process: VMs that are wanted on the last days of each month only, as for closing the books."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field

from sim.fields.defaults import Sourced, Trust
from sim.fields.types import Whole, default_field
from sim.model.demand import DEMAND_KINDS, Calendar, Demand, DemandSection
from sim.model.demand.base import otherwise

DAY = timedelta(days=1)
ROW = Sourced(value=3, unit="days", source="a common close of the books", trust=Trust.CONVENTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthEnd(Demand):
    """Wanted from midnight (UTC) of the first of so many last days on, to the end of the month."""

    turns_off: ClassVar[bool] = True
    days: int

    def calendar(self, start: datetime, horizon_s: float) -> Calendar:
        """The windows of every month that the run reaches into."""
        windows, end = [], start + timedelta(seconds=horizon_s)
        first = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        while first < end:
            first = (first + 31 * DAY).replace(day=1)  # of the next month
            windows.append(((first - self.days * DAY - start).total_seconds(), (first - start).total_seconds()))
        return Calendar.of_windows(windows, horizon_s)

    def expected_rounds(self, horizon_s: float) -> float:
        """A round a month."""
        return horizon_s / (30 * DAY.total_seconds())


@DEMAND_KINDS.register("month_end")
class MonthEndSection(DemandSection):
    """VMs are wanted on the last days of each month (UTC)."""

    key = "month_end"
    demand = MonthEnd
    stand_ins = MappingProxyType({"days": 3})
    days: Annotated[Whole, Field(ge=1, le=27)] = default_field("group.month_end.days", "How many.", row=ROW)

    def to_demand(self) -> MonthEnd:
        """What the engines read."""
        return MonthEnd(days=self.days)

    def describe(self, group) -> str:
        """Its sentence in `vmfleet validate`."""
        return f"Wanted on the last {self.days} days of each month; {otherwise(group)}."
