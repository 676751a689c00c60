"""VMs that are never wanted: the demand of a group with `wanted = false`."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sim.model.demand.base import Calendar, Demand
from sim.model.when_off import WHEN_OFF, WhenOff


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked(Demand):
    """Never wanted; `when_off` is done with those that are on."""

    turns_off: ClassVar[bool] = True

    def calendar(self, start: datetime, horizon_s: float) -> Calendar:
        """No edge at all."""
        return Calendar(wanted_first=False, edges_s=())


def words(when_off: WhenOff) -> str:
    """The same as a sentence."""
    if when_off == "delete":
        return "Never needed; the VMs are deleted at once."
    return f"Never needed; a VM that is on is {WHEN_OFF[when_off].words}."
