"""Eviction of spot VMs: `[group.spot]`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field

from sim.distributions.kinds import Distribution
from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.defaults import default_value
from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words
from sim.fields.recurring import MOST_KNOWN_BEFORE, Recurring
from sim.fields.types import PositiveSeconds, Share, default_field
from sim.model.faults.availability import Availability, AvailabilitySection
from sim.model.faults.base import GROUP_FAULTS, Circumstances, FaultyGroup, GroupFault
from sim.model.faults.fall_back import FALL_BACKS, NEVER, RULES, FallBack, FallBackKey, FallBackRule
from sim.units import format_duration

FALL_BACK_WORDS = {
    "deadline": "Work goes on with a regular VM when the time left is only just enough.",
    "uniform-progress": "Work goes on with a regular VM when less of it is done than of the time is over, and with a spot VM again"
    " once it is ahead.",
}


BANDS = "The platform shows account holders a rate by size and region, from 0-5 to 20+ % per hour (Resource Graph, SpotResources)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Eviction as a hazard per hour of running time."""

    eviction_per_hour: float
    policy: str = default_value("group.spot.policy")  # deallocate | delete
    notice_s: Distribution
    restart_after_s: Distribution | None = None  # None: no one requests it again
    lost_work_s: float = 0.0  # of work, at each eviction, or what was done since the last start
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
    restart_after: Varying | None = Field(
        None, description="From the end of an eviction until the VM is requested again; left out: never."
    )
    lost_work: PositiveSeconds | None = Field(
        None,
        description="Work since the last checkpoint, lost at each eviction and made up (what was done since the last start, at most); left out: none.",
    )
    fall_back: FallBackKey = default_field(
        "group.spot.fall_back",
        "When work goes on with a regular VM: never; after so many evictions; deadline: when the time left is only just enough; "
        "uniform-progress: when less of the work is done than of the time is over, and back once it is ahead.",
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
            return ["Evicted VMs never come back, though they are needed to the horizon: give spot.restart_after."]
        return []

    @property
    def stand_in_priorities(self) -> Mapping[str, str]:
        """The regular VMs of requests that fall back are counted apart."""
        return {} if self.fall_back == NEVER else {"-regular": "regular"}

    @property
    def recurring(self) -> Recurring | None:
        """Recorded capacity comes and goes; the times are worked out before a replication begins."""
        if self.availability is None:
            return None
        record = self.availability.plan
        return Recurring(
            keys=("availability",),
            every_s=record.length_s,
            members=len(record.runs_s),
            most=MOST_KNOWN_BEFORE,
            words="the record",
        )

    def fall_back_plan(self, durations_s: Mapping[str, Distribution], *, generalized: bool) -> FallBack | None:
        """The rule, and what a changeover takes: a delete, unless evictions do that, a create, and work that is lost."""
        if self.fall_back == NEVER:
            return None
        policy = FALL_BACKS.get(self.fall_back)
        steps = [
            "allocating",
            "starting",
            "extensions",
            *["os_provisioning"] * generalized,
            *["deleting"] * (self.policy == "deallocate"),
        ]
        return FallBack(
            rule=FallBackRule.PLUG_IN if policy is not None else RULES.get(self.fall_back, FallBackRule.AFTER),
            policy=policy,
            evictions=self.fall_back if isinstance(self.fall_back, int) else 0,
            changeover_s=math.fsum(durations_s[step].mean for step in steps) + (self.lost_work or 0.0),
        )

    def _check_fall_back(self, group: FaultyGroup, place: Path) -> Iterator[Issue]:
        if self.fall_back == NEVER:
            return
        here = (*place, "fall_back")
        if not group.has_work:
            hint = 'leave it out, or give the group arrivals with lifetime_counts = "running"'
            yield Issue(
                here,
                "it has no effect: only work goes on with another VM",
                hint,
                related_paths=((*place[:-1], "arrivals"),),
            )
            return
        section = group.demand_section
        if not isinstance(self.fall_back, int) and section is not None and section.to_demand().deadline_s == math.inf:
            problem, hint = f'"{self.fall_back}": the work has no deadline', 'give arrivals a deadline, such as "12h"'
            yield Issue(here, problem, hint, related_paths=((*place[:-1], "arrivals"),))
        if self.restart_after is None:
            problem, hint = "no one asks for a spot VM again after an eviction", 'give restart_after, such as "5min"'
            yield Issue(here, problem, hint, related_paths=((*place, "restart_after"),))

    def check(self, group: FaultyGroup, place: Path) -> Iterator[Issue]:
        """It means nothing for regular VMs; where `priority` is written, it waits for the day when that is changed."""
        if not (group.has_spot or group.has_own_sizes or "priority" in group.model_fields_set):
            problem = "it has no effect: the VMs are regular, and never evicted"
            hint = 'write priority = "spot"; or priority = "regular", to keep it for a what-if'
            yield Issue(place, problem, hint, related_paths=((*place[:-1], "priority"),))
        at_once = self.restart_after is not None and to_distribution(self.restart_after).is_zero
        if self.availability is not None and at_once:
            problem = "where there is no capacity, a VM would be asked for again for ever without time passing"
            hint = 'give it some time, such as "5min"'
            yield Issue((*place, "restart_after"), problem, hint, related_paths=((*place, "availability"),))
        yield from self._check_fall_back(group, place)
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
            causes = [f"with probability {section.eviction_per_hour:g} per hour of running"] * (
                section.eviction_per_hour > 0
            )
            causes += ["where the recorded capacity goes"] * (section.availability is not None)
            causes += ["when regular VMs need the room"] * circumstances.has_hosts
            lines = [
                f"Evicted {list_words(causes, 'and')} ({section.policy}); requested again: {again}."
                if causes
                else f"Never evicted: eviction_per_hour is 0. {BANDS}"
            ]
            if section.availability is not None:
                lines.append(section.availability.describe())
            if section.fall_back != NEVER:
                after = f"After {section.fall_back} evictions work goes on with a regular VM."
                policy = FALL_BACKS.get(section.fall_back)
                lines.append(policy.words if policy is not None else FALL_BACK_WORDS.get(section.fall_back, after))
            if section.lost_work is not None:
                lost = format_duration(section.lost_work)
                lines.append(
                    f"An eviction loses the work done since the VM last started, at most {lost} of it, which is made up."
                )
            return lines
        if circumstances.has_hosts:
            return ["Evicted when regular VMs need the room, never by chance; not requested again."]
        return [f"Spot prices, but no evictions: there is no [group.spot]. {BANDS}"]
