"""Planned work on hosts: `[platform.maintenance]`."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from sim.distributions.kinds import Distribution
from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.defaults import default_value
from sim.fields.issues import Issue, Path
from sim.fields.recurring import Recurring
from sim.fields.types import PositiveSeconds, Seconds, Whole, default_field, default_seconds
from sim.model.faults.base import PLATFORM_FAULTS, PlatformFacts, PlatformFault
from sim.units import format_duration

_IMPACT = {"reboot": "VMs are rebooted", "redeploy": "VMs are started again on another host"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """Planned work on every host, one update domain after the other."""

    every_s: float
    impact: str  # freeze | reboot | redeploy
    update_domains: int = default_value("platform.maintenance.update_domains")
    between_domains_s: float = default_seconds("platform.maintenance.between_domains")
    freeze_s: Distribution


@PLATFORM_FAULTS.register("maintenance")
class MaintenanceSection(PlatformFault):
    """Planned work on every host, one update domain after the other."""

    key = "maintenance"
    stand_ins = MappingProxyType({"every": "1000h", "impact": "freeze"})

    every: PositiveSeconds = Field(description="From one round to the next.")
    impact: Literal["freeze", "reboot", "redeploy"] = Field(description="What it does to VMs.")
    update_domains: Annotated[Whole, Field(ge=1, le=1000)] = default_field(
        "platform.maintenance.update_domains", "Parts that hosts are divided into."
    )
    between_domains: Seconds = default_field(
        "platform.maintenance.between_domains", "From one update domain to the next."
    )
    freeze: Varying = default_field("platform.maintenance.freeze", 'How long VMs pause with impact = "freeze".')

    def to_plan(self) -> Maintenance:
        """Rounds, update domains and impact."""
        return Maintenance(
            every_s=self.every,
            impact=self.impact,
            update_domains=self.update_domains,
            between_domains_s=self.between_domains,
            freeze_s=to_distribution(self.freeze),
        )

    def describe(self, platform: PlatformFacts) -> list[str]:
        """How often, in how many parts, and what happens to VMs."""
        what = _IMPACT.get(self.impact) or f"VMs pause for {varying_words(self.freeze)}"
        return [
            (
                f"Maintenance every {format_duration(self.every)} in {self.update_domains} update domains, "
                f"{format_duration(self.between_domains)} apart: {what}."
            )
        ]

    def check(self, platform: PlatformFacts, place: Path) -> Iterator[Issue]:
        """A round must end before the next begins."""
        takes_s = (self.update_domains - 1) * self.between_domains
        if takes_s >= self.every:
            yield Issue(
                (*place, "every"),
                f"{format_duration(self.every)}: a round takes {format_duration(takes_s)}, so the next would begin before it has ended",
                "make it longer, or between_domains shorter",
                related_paths=((*place, "update_domains"), (*place, "between_domains")),
            )

    def recurring(self, platform: PlatformFacts) -> Recurring:
        """One update domain after the other, each round."""
        return Recurring(keys=("every",), every_s=self.every, members=self.update_domains)

    def unused_defaults(self, platform: PlatformFacts) -> set[str]:
        """The pause is that of a freeze."""
        return set() if self.impact == "freeze" else {"freeze"}
