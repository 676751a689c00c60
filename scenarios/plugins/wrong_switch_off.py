"""A fault of a group: now and then people switch off the wrong VM, notice, and start it again. With a metric of its own."""

from collections.abc import Generator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sim.engines.simpy.fleet import Fleet
from sim.errors import OperationNotAllowed
from sim.fields.metrics import LOWER, Metric, Unit, add_metrics
from sim.fields.types import PositiveSeconds
from sim.model.faults import GROUP_FAULTS, GroupFault
from sim.units import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongSwitchOff:
    """One mistake after the other; the times between are exponential."""

    every_s: float
    noticed_s: float

    def behave(self, fleet: Fleet, group: str) -> Generator[Any, Any, None]:
        """A VM that is busy, or off already, is not touched."""
        random = fleet.random(f"wrong switch-off {group}")
        while True:
            yield fleet.env.timeout(random.expovariate(1.0 / self.every_s))
            try:
                name = random.choice(fleet.vms(group) or [""])
                yield fleet.request(name, "power_off")
                fleet.count(group, "wrong_switch_offs")
                yield fleet.env.timeout(self.noticed_s)
                yield fleet.request(name, "start")
            except (OperationNotAllowed, KeyError):  # busy, on again already, or gone
                continue


@GROUP_FAULTS.register("wrong_switch_off")
class WrongSwitchOffSection(GroupFault):
    """People switch off the wrong VM."""

    key = "wrong_switch_off"
    stand_ins = MappingProxyType({"time_between": "30d", "noticed": "1h"})
    time_between: PositiveSeconds
    noticed: PositiveSeconds

    def to_plan(self) -> WrongSwitchOff:
        """What the engine reads."""
        return WrongSwitchOff(every_s=self.time_between, noticed_s=self.noticed)

    def words(self) -> str:
        """Its sentence in `vmfleet validate`."""
        return f"Every {format_duration(self.time_between)} a VM is switched off by mistake."


MISTAKES = "VMs switched off by mistake"
add_metrics(Metric(name="wrong_switch_offs", label=MISTAKES, unit=Unit.COUNT, section="events", better=LOWER, definition=MISTAKES,
                   compute=lambda rated: rated.count("wrong_switch_offs")))  # fmt: skip
