"""Eviction of spot VMs: `[group.spot]`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field

from sim.distributions.kinds import Distribution
from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.defaults import default_value
from sim.fields.issues import Issue, Path
from sim.fields.types import PositiveSeconds, Share, default_field
from sim.model.faults.availability import Availability, AvailabilitySection
from sim.model.faults.base import GROUP_FAULTS, Circumstances, FaultyGroup, GroupFault
from sim.units import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Eviction as a hazard per hour of running time."""

    eviction_per_hour: float
    policy: str = default_value("group.spot.policy")  # deallocate | delete
    notice_s: Distribution
    restart_after_s: Distribution | None = None  # None: no one requests it again
    lost_work_s: float = 0.0  # of work, at each eviction, or what was done since the last one
    availability: Availability | None = None  # None: there is always capacity

    @property
    def may_evict(self) -> bool:
        """Whether a VM is evicted without another needing its room."""
        return self.eviction_per_hour > 0 or self.availability is not None


@GROUP_FAULTS.register("spot")
class SpotSection(GroupFault):
    """Eviction of spot VMs, as a hazard per hour of running time."""

    key = "spot"

    eviction_per_hour: Annotated[Share, Field(lt=1)] = default_field(
        "group.spot.eviction_per_hour", "Probability of eviction within one hour of running."
    )
    policy: Literal["deallocate", "delete"] = default_field("group.spot.policy", "What eviction does.")
    notice: Varying = default_field("group.spot.notice", "From the notice to the eviction.")
    restart_after: Varying | None = Field(None, description="Until the automation asks again; left out: never.")
    lost_work: PositiveSeconds | None = Field(
        None, description="Work since the last checkpoint, lost at each eviction and made up; left out: none."
    )
    availability: AvailabilitySection | None = Field(
        None, description="Recorded spot capacity: VMs are evicted where it goes, and none is allocated without it."
    )

    @classmethod
    def plan_of(cls, section: Self | None, circumstances: Circumstances) -> Spot | None:
        """None for regular VMs, which are not evicted; the section may stand there for the day when priority is changed."""
        if circumstances.priority != "spot":
            return None
        # On hosts a regular VM may need the room even if chance never evicts.
        spot = section or (cls() if circumstances.has_hosts else None)
        if spot is None:
            return None
        return Spot(
            eviction_per_hour=spot.eviction_per_hour,
            policy=spot.policy,
            notice_s=to_distribution(spot.notice),
            restart_after_s=None if spot.restart_after is None else to_distribution(spot.restart_after),
            lost_work_s=spot.lost_work or 0.0,
            availability=None if spot.availability is None else spot.availability.plan,
        )

    @classmethod
    def warn(cls, section: Self | None, circumstances: Circumstances) -> list[str]:
        """Evicted VMs that nothing brings back."""
        spot = cls.plan_of(section, circumstances)
        never_evicted = spot is None or (not spot.may_evict and not circumstances.has_hosts)
        if spot is None or never_evicted or spot.restart_after_s is not None:
            return []
        demand = circumstances.demand
        if demand.is_scaled and circumstances.sets_aside:
            return []
        if demand.is_scaled and spot.policy == "deallocate":
            stays = "Evicted VMs stay deallocated for ever, and the autoscaler counts them among its VMs"
            return [f'{stays}, so it asks for no others: give spot.restart_after, or policy = "delete".']
        if circumstances.has_work:
            return ["Work that an eviction interrupts is never finished: give spot.restart_after."]
        if not (demand.is_open or demand.turns_off):
            return ["Evicted VMs never come back, though they are wanted to the horizon: give spot.restart_after."]
        return []

    def check(self, group: FaultyGroup, place: Path) -> Iterator[Issue]:
        """It means nothing for regular VMs; where `priority` is written, it waits for the day when that is changed."""
        if not (group.has_spot or group.has_own_sizes or "priority" in group.model_fields_set):
            problem = "it has no effect: the VMs are regular, and never evicted"
            hint = 'write priority = "spot"; or priority = "regular", to keep it for a what-if'
            yield Issue(place, problem, hint, related_paths=((*place[:-1], "priority"),))
        if self.lost_work is not None and not group.has_work:
            problem = "it has no effect: only work is made up"
            hint = 'leave it out, or give the group arrivals with lifetime_counts = "running"'
            yield Issue((*place, "lost_work"), problem, hint, related_paths=((*place[:-1], "arrivals"),))

    @classmethod
    def describe(cls, section: Self | None, circumstances: Circumstances) -> list[str]:
        """Who is evicted, how often and why, and what follows."""
        if circumstances.priority != "spot":
            return ['[group.spot] is not used: priority is "regular".'] if section is not None else []
        if section is not None:
            again = "never" if section.restart_after is None else f"after {varying_words(section.restart_after)}"
            hazard = f"Evicted with probability {section.eviction_per_hour:g} per hour of running ({section.policy})"
            room = " and when regular VMs need the room" if circumstances.has_hosts else ""
            lines = [f"{hazard}{room}; requested again: {again}."]
            if section.availability is not None:
                lines.append(section.availability.describe())
            if section.lost_work is not None:
                lost = format_duration(section.lost_work)
                lines.append(
                    f"An eviction loses the work since the one before, at most {lost} of it, which is made up."
                )
            return lines
        if circumstances.has_hosts:
            return ["Evicted when regular VMs need the room, never by chance; not requested again."]
        return ["Spot prices, but no evictions: there is no [group.spot]."]
