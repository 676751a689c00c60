"""A behaviour as a SimPy process: the VMs of a group are always wanted, and restarted one after the other every so often."""

from collections.abc import Generator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from sim.engines.simpy.fleet import Fleet
from sim.errors import OperationNotAllowed
from sim.fields.types import PositiveSeconds
from sim.model.demand import DEMAND_KINDS, Demand, DemandSection
from sim.units import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingRestart(Demand):
    """Always wanted; a round of restarts begins *every_s* after the last one has ended."""

    behaves: ClassVar[bool] = True
    every_s: float

    def behave(self, fleet: Fleet, group: str) -> Generator[Any, Any, None]:
        """One VM at a time; one that is busy with something else is left out of the round."""
        while True:
            yield fleet.env.timeout(self.every_s)
            for name in fleet.vms(group):
                try:
                    yield fleet.request(name, "restart")
                except (OperationNotAllowed, KeyError):  # busy, or gone meanwhile
                    continue


@DEMAND_KINDS.register("rolling_restart")
class RollingRestartSection(DemandSection):
    """VMs are restarted one after the other, again and again."""

    key = "rolling_restart"
    demand = RollingRestart
    takes_when_off = False
    stand_ins = MappingProxyType({"every": "7d"})
    every: PositiveSeconds

    def to_demand(self) -> RollingRestart:
        """What the engine reads."""
        return RollingRestart(every_s=self.every)

    def describe(self, _group) -> str:
        """Its sentence in `vmfleet validate`."""
        return f"Always wanted; restarted one by one, every {format_duration(self.every)}."
