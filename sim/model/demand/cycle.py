"""VMs that are wanted for a while, then not, for ever: `[group.cycle]`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from sim.distributions.kinds import Distribution
from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.issues import Issue, Path
from sim.fields.recurring import Recurring
from sim.model.demand.base import DEMAND_KINDS, Demand, DemandSection, GroupFacts, hardly_ready, otherwise
from sim.units import SHORTEST_CYCLE_S, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle(Demand):
    """Wanted for `on_s`, then unwanted for `off_s`, for ever; starts wanted."""

    turns_off: ClassVar[bool] = True
    on_s: Distribution
    off_s: Distribution

    @property
    def edge_delays(self) -> tuple[tuple[str, Distribution], tuple[str, Distribution]]:
        """Each stretch is drawn."""
        return ("cycle.on", self.on_s), ("cycle.off", self.off_s)

    def unlikely(self, start: datetime, horizon_s: float, ready_s: float) -> Iterator[str]:
        """It is wanted for less than a start takes."""
        yield from hardly_ready(self.on_s.mean, ready_s)

    def expected_rounds(self, horizon_s: float) -> float:
        """The horizon over the mean of a round."""
        return horizon_s / max(1.0, self.on_s.mean + self.off_s.mean)


@DEMAND_KINDS.register("cycle")
class CycleSection(DemandSection):
    """VMs are wanted for `on`, then unwanted for `off`, for ever."""

    key = "cycle"
    demand = Cycle
    stand_ins = MappingProxyType({"on": "8h", "off": "16h"})

    on: Varying = Field(description="How long a VM is needed.")
    off: Varying = Field(description="How long it is then not needed.")

    def to_demand(self) -> Cycle:
        """Both stretches as distributions."""
        return Cycle(on_s=to_distribution(self.on), off_s=to_distribution(self.off))

    def describe(self, group: GroupFacts) -> str:
        """Both stretches, and what is done in the second."""
        return (
            f"Needed for {varying_words(self.on)}, then not needed for {varying_words(self.off)}, for ever; "
            f"{otherwise(group)}."
        )

    @property
    def recurring(self) -> Recurring:
        """The rounds of one VM."""
        every_s = to_distribution(self.on).mean + to_distribution(self.off).mean
        return Recurring(keys=("on", "off"), every_s=every_s)

    def check(self, group: GroupFacts, place: Path) -> Iterator[Issue]:
        """A round must take time."""
        mean_s = self.recurring.every_s
        if mean_s < SHORTEST_CYCLE_S:
            yield Issue(
                place,
                f"on and off take {format_duration(mean_s)} together on average, so the cycle would turn without time passing",
                f"make them {format_duration(SHORTEST_CYCLE_S)} or longer together",
                related_paths=((*place, "on"), (*place, "off")),
            )
