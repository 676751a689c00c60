"""A fault of the platform: a power feed fails, and takes a share of all hosts with it, wherever they are, until it is repaired."""

from collections.abc import Generator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sim.engines.simpy.fleet import Fleet
from sim.fields.types import PositiveSeconds, Share
from sim.model.faults import PLATFORM_FAULTS, PlatformFault
from sim.units import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFeed:
    """The times between failures are exponential; each strikes hosts chosen anew."""

    every_s: float
    repair_s: float
    share: float

    def behave(self, fleet: Fleet) -> Generator[Any, Any, None]:
        """Down together, and back together."""
        random = fleet.random("power feed")
        while True:
            yield fleet.env.timeout(random.expovariate(1.0 / self.every_s))
            struck = sorted(random.sample(fleet.hosts, round(self.share * len(fleet.hosts))))
            fleet.fail_hosts(struck)
            yield fleet.env.timeout(self.repair_s)
            fleet.repair_hosts(struck)


@PLATFORM_FAULTS.register("power_feed")
class PowerFeedSection(PlatformFault):
    """A power feed fails, with a share of all hosts."""

    key = "power_feed"
    stand_ins = MappingProxyType({"time_between": "90d", "repair": "4h", "share": 0.5})
    time_between: PositiveSeconds
    repair: PositiveSeconds
    share: Share

    def to_plan(self) -> PowerFeed:
        """What the engine reads."""
        return PowerFeed(every_s=self.time_between, repair_s=self.repair, share=self.share)

    def describe(self, _platform) -> list[str]:
        """Its sentence in `vmfleet validate`."""
        return [
            f"Every {format_duration(self.time_between)} a power feed fails, with {100 * self.share:g} % of the hosts."
        ]
