"""Hosts, racks and zones that fail, and the healing of their VMs: `[platform.host_failures]` and its siblings."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field, create_model

from sim.distributions.kinds import Distribution
from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.issues import Issue, Path
from sim.fields.recurring import Recurring
from sim.fields.types import default_field
from sim.model.faults.base import PLATFORM_FAULTS, PlatformFacts, PlatformFault

HEALING = "VMs of failed hosts: until they are started on another host."


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """Something that fails now and again: hosts, racks or zones, each by itself."""

    time_between_s: Distribution
    repair_s: Distribution


class _Failures(PlatformFault):
    stand_ins = MappingProxyType({"time_between": "1000h"})
    what: ClassVar[str]
    time_between: Varying
    repair: Varying
    healing: Varying

    def to_plan(self) -> Failing:
        """Time between failures, and repair."""
        return Failing(time_between_s=to_distribution(self.time_between), repair_s=to_distribution(self.repair))

    def describe(self, platform: PlatformFacts) -> list[str]:
        """How often, how long; and after the last of them, the healing that they share."""
        words = [
            f"Each {self.what} fails after {varying_words(self.time_between)}, back after {varying_words(self.repair)}."
        ]
        if self is _given(platform)[-1]:
            healing = varying_words(_healer(platform).healing)
            words.append(f"VMs of a failed host are started on another one after {healing}.")
        return words

    def check(self, platform: PlatformFacts, place: Path) -> Iterator[Issue]:
        """There must be a zone to fail, a round must take time, and there is one healing."""
        if self.what == "zone" and platform.hosts and not any(pool.zone for pool in platform.hosts):
            hosts = (*place[:-1], "hosts")
            yield Issue(place, "no host is in a zone", "give [[platform.hosts]] a zone", related_paths=(hosts,))
        yield from self.recurring(platform).check_time(place, "it would fail again without time passing")
        first = _healer(platform)
        if "healing" in self.model_fields_set and self.healing != first.healing:
            problem = f"it is not the healing of {first.key}"
            hint = "VMs are healed alike whatever failed: give healing once"
            yield Issue((*place, "healing"), problem, hint, related_paths=((*place[:-1], first.key, "healing"),))

    def recurring(self, platform: PlatformFacts) -> Recurring:
        """Every host, rack or zone fails by itself; zones of two regions that have one number are counted once."""
        members = {
            "host": sum(pool.count for pool in platform.hosts),
            "rack": sum(min(pool.racks, pool.count) for pool in platform.hosts),
            "zone": len({pool.zone for pool in platform.hosts if pool.zone}),
        }
        every_s = to_distribution(self.time_between).mean + to_distribution(self.repair).mean
        return Recurring(keys=("time_between", "repair"), every_s=every_s, members=members[self.what])

    def unused_defaults(self, platform: PlatformFacts) -> set[str]:
        """One healing counts: the one that is written, else the first."""
        first = _healer(platform)
        return {"healing"} if self is not first or "healing" in first.model_fields_set else set()


def _given(platform: PlatformFacts) -> list[_Failures]:
    return [fault for fault in platform.faults if isinstance(fault, _Failures)]


def _healer(platform: PlatformFacts) -> _Failures:
    """The table whose healing counts, whatever failed: the first that writes it, else the first."""
    given = _given(platform)
    return next((fault for fault in given if "healing" in fault.model_fields_set), given[0])


def healing_plan(platform: PlatformFacts) -> Distribution | None:
    """Until the VMs of a failed host are started on another; None where no host fails. Where only plug-ins make them fail: the default."""
    if _given(platform):
        return to_distribution(_healer(platform).healing)
    if not any(hasattr(fault.to_plan(), "behave") for fault in platform.faults):
        return None
    default: Any = PLATFORM_FAULTS["host_failures"].model_validate(dict(_Failures.stand_ins))
    return to_distribution(default.healing)


for _what, _doc in (
    ("host", "Hosts fail, each by itself, and take their VMs with them."),
    ("rack", "Racks fail, with all their hosts."),
    ("zone", "Zones fail, with all their hosts."),
):
    _section = create_model(
        f"{_what.capitalize()}Failures",
        __base__=_Failures,
        __doc__=_doc,
        time_between=(Varying, Field(description=f"From one failure of a {_what} to the next, repair not counted.")),
        repair=(Varying, default_field(f"platform.{_what}_failures.repair", "Until it is back.")),
        healing=(Varying, default_field(f"platform.{_what}_failures.healing", HEALING)),
    )
    _section.what, _section.key = _what, f"{_what}_failures"
    PLATFORM_FAULTS.add(_section.key, _section)
