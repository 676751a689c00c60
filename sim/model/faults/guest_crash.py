"""Guest operating systems that crash: `[group.guest_crash]`."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import Field

from sim.distributions.kinds import Distribution
from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.issues import Issue, Path
from sim.fields.recurring import Recurring
from sim.fields.types import default_field
from sim.model.faults.base import CERTAIN, GROUP_FAULTS, FaultyGroup, GroupFault


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCrash:
    """The guest OS crashes after some running time; the monitoring notices, then asks for a restart."""

    time_between_s: Distribution
    detection_s: Distribution


@GROUP_FAULTS.register("guest_crash")
class GuestCrashSection(GroupFault):
    """The guest OS dies now and then; the monitoring notices and asks for a restart."""

    key = "guest_crash"
    stand_ins = MappingProxyType({"time_between": "1000h"})

    time_between: Varying = Field(description="Running time from one crash to the next.")
    detection: Varying = default_field("group.guest_crash.detection", "Until it is noticed.")

    def to_plan(self) -> GuestCrash:
        """Both times."""
        return GuestCrash(
            time_between_s=to_distribution(self.time_between), detection_s=to_distribution(self.detection)
        )

    def words(self) -> str:
        """Both times."""
        between, detection = varying_words(self.time_between), varying_words(self.detection)
        return f"The guest crashes after {between} of running, noticed after {detection}."

    @property
    def recurring(self) -> Recurring:
        """Each guest, while it runs."""
        return Recurring(keys=("time_between",), every_s=to_distribution(self.time_between).mean)

    def check(self, group: FaultyGroup, place: Path) -> Iterator[Issue]:
        """A crash must leave time to run, and a restart that always fails must take some."""
        yield from self.recurring.check_time(place, "the guest would crash again without time passing")
        if group.failures.probability("InternalOperationError") >= CERTAIN and to_distribution(self.detection).is_zero:
            yield Issue(
                (*place, "detection"),
                "a restart that always fails would be requested again for ever without time passing",
                'give detection some time, such as "1s"',
                related_paths=((*place[:-1], "failures", "InternalOperationError"),),
            )
