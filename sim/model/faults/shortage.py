"""A region, a zone or a family that is short of hardware for a while: `[[platform.shortage]]`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from sim.catalog.sizes import region_key
from sim.distributions.kinds import Distribution
from sim.distributions.specs import Varying, to_distribution, varying_words
from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words, show_value
from sim.fields.numbers import percent
from sim.fields.recurring import MOST_KNOWN_BEFORE, Recurring
from sim.fields.types import Name, Section, Share, Text, Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Hardware is short now and again, at once for all VMs that it concerns."""

    name: str
    groups: tuple[str, ...]  # whose region and family it concerns
    zones: tuple[int, ...] = ()  # of these, VMs in these zones only; empty: all
    time_between_s: Distribution  # from the end of one to the begin of the next
    lasts_s: Distribution
    refuses: float  # probability that an attempt to find hardware is refused meanwhile


def _plain(name: object) -> str:
    """A region or a family, however it is spelt."""
    return region_key(str(name))


class SharingGroup(Protocol):
    """What a shortage must know of a group."""

    @property
    def name(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def zones(self) -> tuple[int, ...]: ...


class ShortageSection(Section):
    """A region, zone or family that is short of hardware now and again; shared by all VMs that it concerns."""

    name: Name = Field(description="Name of the shortage.")
    regions: tuple[Text, ...] = Field((), description="Regions that it concerns; left out: all.")
    zones: tuple[Zone, ...] = Field((), description="Zones that it concerns; left out: all, and VMs without a zone.")
    families: tuple[Text, ...] = Field(
        (), description="Quota families that it concerns, such as standardDSv5Family; left out: all."
    )
    time_between: Varying = Field(description="From the end of one to the begin of the next; none at t = 0.")
    lasts: Varying = Field(description="How long one lasts.")
    refuses: Share = Field(description="Probability that an attempt to find hardware is refused meanwhile.")

    def concerns(self, group: SharingGroup) -> bool:
        """Whether it concerns VMs of a group."""
        return (
            (not self.regions or _plain(group.region) in map(_plain, self.regions))
            and (not self.families or _plain(group.family) in map(_plain, self.families))
            and (not self.zones or bool(set(self.zones) & set(group.zones)))
        )

    def to_plan(self, groups: Sequence[SharingGroup]) -> Shortage:
        """The same for the engines."""
        return Shortage(
            name=self.name,
            groups=tuple(group.name for group in groups if self.concerns(group)),
            zones=tuple(sorted(set(self.zones))),
            time_between_s=to_distribution(self.time_between),
            lasts_s=to_distribution(self.lasts),
            refuses=self.refuses,
        )

    def describe(self, groups: Sequence[SharingGroup]) -> str:
        """Whom it concerns, how often, how long, and what it does."""
        where = [f"in {list_words(self.regions, 'and')}"] if self.regions else []
        where += [f"in zone {list_words(map(str, self.zones), 'and')}"] if self.zones else []
        where += [f"of {list_words(self.families, 'and')}"] if self.families else []
        whom = list_words([group.name for group in groups if self.concerns(group)], "and")
        return (
            f"Shortage {self.name} of hardware{' ' if where else ''}{' '.join(where)} ({whom}): begins after "
            f"{varying_words(self.time_between)}, lasts {varying_words(self.lasts)}; {percent(self.refuses)} of the attempts to "
            "find hardware are refused meanwhile, but none of VMs inside a capacity reservation."
        )

    @property
    def recurring(self) -> Recurring:
        """All shortages are worked out before a replication begins."""
        every_s = to_distribution(self.time_between).mean + to_distribution(self.lasts).mean
        return Recurring(keys=("time_between", "lasts"), every_s=every_s, most=MOST_KNOWN_BEFORE)

    def check(self, groups: Sequence[SharingGroup], place: Path) -> Iterator[Issue]:
        """It must concern a group, and take time."""
        for key, what in (("regions", "region"), ("zones", "zones"), ("families", "family")):
            given = getattr(self, key)
            of_group = [getattr(group, what) for group in groups]
            known = sorted({each for one in of_group for each in (one if what == "zones" else [one]) if each}, key=str)
            nowhere = [each for each in given or () if _plain(each) not in {_plain(one) for one in known}]
            if nowhere:
                there = f"the groups are in {list_words(map(str, known), 'and')}" if known else "no group names any"
                yield Issue(
                    (*place, key), f"{show_value(nowhere)}: it concerns no group, as none has any of these {key}", there,
                    value=nowhere, related_paths=(("group",), ("prices", "region")),
                )  # fmt: skip
                return
        if groups and not any(self.concerns(group) for group in groups):
            problem = f"{show_value(self.name)}: it concerns no group; its keys are joined by and"
            hint = "name regions, zones and families of one group at least, or leave some of them out"
            yield Issue((*place, "name"), problem, hint, value=self.name, related_paths=(("group",),))
        yield from self.recurring.check_time(place, "it would begin again without time passing")
