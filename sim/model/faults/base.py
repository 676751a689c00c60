"""What a fault kind is: a table of the platform or of a group about what goes wrong, and its part of the plan.

A kind is one module: the frozen parameters that the engines read, and a section with its keys, rules, words and stand-ins,
registered in `PLATFORM_FAULTS` or `GROUP_FAULTS`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self

from sim.distributions.kinds import Distribution
from sim.fields.issues import Issue, Path
from sim.fields.recurring import Recurring
from sim.fields.registry import Registry
from sim.fields.types import Section
from sim.model.demand import AlwaysOn, Demand, DemandSection
from sim.model.faults.fall_back import FallBack

CERTAIN = 0.999
"""A probability so high that a chain of attempts that follow each other at once hardly ever ends."""


class FaultSection(Section):
    """A table about something that goes wrong."""

    key: ClassVar[str]
    stand_ins: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Sound values for keys that the table can't do without, to find out whether the rest agrees; never simulated."""


class HostsFacts(Protocol):
    """What a fault kind may know of a cluster of hosts."""

    @property
    def zone(self) -> int | None: ...
    @property
    def count(self) -> int: ...
    @property
    def racks(self) -> int: ...


class PlatformFacts(Protocol):
    """What a fault kind may know of the platform whose table it is."""

    @property
    def hosts(self) -> Sequence[HostsFacts]: ...
    @property
    def faults(self) -> "Sequence[PlatformFault]": ...


class PlatformFault(FaultSection):
    """A table of the platform about a fault of many VMs at once: `[platform.<key>]`."""

    needs_hosts: ClassVar[bool] = True
    """Whether it means something only where there are hosts."""

    def to_plan(self) -> object:
        """The parameters that the engines read, under the same key; those of a plug-in have `behave(fleet)`."""
        raise NotImplementedError

    def describe(self, platform: PlatformFacts) -> list[str]:
        """What happens, a sentence a line."""
        raise NotImplementedError

    def check(self, platform: PlatformFacts, place: Path) -> Iterator[Issue]:
        """What its keys contradict each other or the platform in."""
        return iter(())

    def recurring(self, platform: PlatformFacts) -> Recurring | None:
        """How often it comes by itself."""
        return None

    def unused_defaults(self, platform: PlatformFacts) -> set[str]:
        """Keys of the table whose defaults mean nothing here."""
        return set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What decides whether a fault can strike a group."""

    priority: str
    has_hosts: bool  # VMs share hosts with others
    demand: type[Demand] = AlwaysOn
    has_work: bool = False  # a lifetime is work (`Demand.lifetime_is_work`)
    sets_aside: bool = False  # an autoscaler keeps VMs deallocated (`Demand.sets_aside`)


class FailuresFacts(Protocol):
    """What a fault kind may know of operations that fail."""

    def probability(self, code: str) -> float: ...


class FaultyGroup(Protocol):
    """What a fault kind may know of the group whose table it is."""

    @property
    def failures(self) -> FailuresFacts: ...
    @property
    def has_spot(self) -> bool: ...
    @property
    def has_own_sizes(self) -> bool: ...
    @property
    def has_work(self) -> bool: ...
    @property
    def demand_section(self) -> DemandSection | None: ...
    @property
    def model_fields_set(self) -> set[str]: ...


class GroupFault(FaultSection):
    """A table of a group about what goes wrong with each of its VMs: `[group.<key>]`."""

    @classmethod
    def plan_of(cls, section: Self | None, circumstances: Circumstances) -> Any:
        """The parameters that the engines read, under the same key; None: it never happens.

        Those of a plug-in have `behave(fleet, group)`, as a demand kind may have.
        """
        return None if section is None else section.to_plan()

    def to_plan(self) -> Any:
        """The same for a table that is there."""
        raise NotImplementedError

    @classmethod
    def describe(cls, section: Self | None, circumstances: Circumstances) -> list[str]:
        """What happens, a sentence a line."""
        return [] if section is None else [section.words()]

    def words(self) -> str:
        """What happens, in a sentence, where the table is there."""
        raise NotImplementedError

    @classmethod
    def warn(cls, section: Self | None, circumstances: Circumstances) -> list[str]:
        """What is allowed, and so unlikely to be meant that a reader must know of it; a sentence a line."""
        return []

    @property
    def stand_in_priorities(self) -> Mapping[str, str]:
        """Priorities of VMs that requests may go on with, by what follows the group's name in results."""
        return {}

    @property
    def recurring(self) -> Recurring | None:
        """How often it comes by itself, to one VM or to all at once."""
        return None

    def fall_back_plan(self, durations_s: Mapping[str, Distribution], *, generalized: bool) -> FallBack | None:
        """When requests go on with these; None: never."""
        return None

    def check(self, group: FaultyGroup, place: Path) -> Iterator[Issue]:
        """What its keys contradict each other in."""
        return iter(())


PLATFORM_FAULTS: Registry[type[PlatformFault]] = Registry(
    "fault of the platform", base=PlatformFault, own=("key", "to_plan", "describe")
)
GROUP_FAULTS: Registry[type[GroupFault]] = Registry(
    "fault of a group", base=GroupFault, own=("key", "to_plan", "words")
)
