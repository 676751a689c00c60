"""Hosts, racks and zones that fail, and the healing of their VMs: `[platform.host_failures]` and its siblings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from pydantic import Field

from sim.distributions.kinds import Distribution
from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.issues import Issue, Path
from sim.fields.types import default_field
from sim.model.faults.base import PLATFORM_FAULTS, PlatformFacts, PlatformFault
from sim.units import SHORTEST_CYCLE_S, format_duration

TIME_BETWEEN = "From one failure of a {} to the next, repair not counted."
REPAIR = "Until it is back."
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
            healing = healing_of(platform)
            words.append(f"VMs of a failed host are started on another one after {varying_words(healing)}.")
        return words

    def check(self, platform: PlatformFacts, place: Path) -> Iterator[Issue]:
        """A round must take time, and there is one healing."""
        mean_s = to_distribution(self.time_between).mean + to_distribution(self.repair).mean
        if mean_s < SHORTEST_CYCLE_S:
            yield Issue(
                (*place, "time_between"),
                "it would fail again without time passing",
                f"make it {format_duration(SHORTEST_CYCLE_S)} or longer",
                related_paths=((*place, "repair"),),
            )
        first = next((other for other in _given(platform) if "healing" in other.model_fields_set), self)
        if "healing" in self.model_fields_set and self.healing != first.healing:
            yield Issue(
                (*place, "healing"),
                f"it is not the healing of {first.key}",
                "VMs are healed alike whatever failed: give healing once",
                related_paths=((*place[:-1], first.key, "healing"),),
            )

    def unused_defaults(self, platform: PlatformFacts) -> set[str]:
        """One healing counts: the one that is written, else the first."""
        given = _given(platform)
        written = any("healing" in other.model_fields_set for other in given)
        return {"healing"} if written or self is not given[0] else set()


def _given(platform: PlatformFacts) -> list[_Failures]:
    return [fault for fault in platform.faults if isinstance(fault, _Failures)]


def healing_of(platform: PlatformFacts) -> Varying:
    """Until the VMs of a failed host are started on another, whatever failed: as written, else the first default."""
    given = _given(platform)
    return next((fault for fault in given if "healing" in fault.model_fields_set), given[0]).healing


def healing_plan(platform: PlatformFacts) -> Distribution | None:
    """The same for the plan; None where no host fails."""
    return to_distribution(healing_of(platform)) if _given(platform) else None


@PLATFORM_FAULTS.register("host_failures")
class HostFailures(_Failures):
    """Hosts fail, each by itself, and take their VMs with them."""

    key = "host_failures"
    what = "host"
    time_between: Varying = Field(description=TIME_BETWEEN.format("host"))
    repair: Varying = default_field("platform.host_failures.repair", REPAIR)
    healing: Varying = default_field("platform.host_failures.healing", HEALING)


@PLATFORM_FAULTS.register("rack_failures")
class RackFailures(_Failures):
    """Racks fail, with all their hosts."""

    key = "rack_failures"
    what = "rack"
    time_between: Varying = Field(description=TIME_BETWEEN.format("rack"))
    repair: Varying = default_field("platform.rack_failures.repair", REPAIR)
    healing: Varying = default_field("platform.rack_failures.healing", HEALING)


@PLATFORM_FAULTS.register("zone_failures")
class ZoneFailures(_Failures):
    """Zones fail, with all their hosts."""

    key = "zone_failures"
    what = "zone"
    time_between: Varying = Field(description=TIME_BETWEEN.format("zone"))
    repair: Varying = default_field("platform.zone_failures.repair", REPAIR)
    healing: Varying = default_field("platform.zone_failures.healing", HEALING)

    def check(self, platform: PlatformFacts, place: Path) -> Iterator[Issue]:
        """There must be a zone to fail."""
        if platform.hosts and not any(pool.zone for pool in platform.hosts):
            hosts = (*place[:-1], "hosts")
            yield Issue(place, "no host is in a zone", "give [[platform.hosts]] a zone", related_paths=(hosts,))
        yield from super().check(platform, place)
