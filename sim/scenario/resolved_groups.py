"""Groups as they are simulated and rated: those of the file, and for VMs of several sizes one for each size."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path as FilePath

from sim.catalog import Catalogue, Size
from sim.errors import CatalogueError, PlugInError
from sim.fields.issues import Issue, Path
from sim.fields.messages import show_value
from sim.model.demand import AlwaysOn, Demand, Parked
from sim.model.demand.base import Split, SplitContext
from sim.scenario.file_model import Group, ScenarioFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedGroup:
    """One group as it is simulated: a group of the file, or its VMs of one size or priority."""

    number: int  # of the group in the file
    group: Group
    name: str
    size: Size
    priority: str
    region: str  # as the price list spells it
    years: range  # calendar years that the run reaches into
    most_vms: int = 0  # at once, of a group with a count
    part_of: str = ""  # of spot VMs of a mix: the group whose autoscaler requests them
    recorded: Demand | None = None  # where the file of the group's VMs was read

    @property
    def size_place(self) -> Path:
        """Where the file says of what size its VMs are."""
        return ("group", self.number, *(("trace", "sizes") if self.group.has_own_sizes else ("size",)))

    @property
    def family(self) -> str:
        """The quota family of its VMs; empty: not known."""
        return self.size.family or ""

    @property
    def zones(self) -> tuple[int, ...]:
        """The zones that its VMs take in turn."""
        return self.group.zones

    @property
    def demand(self) -> Demand:
        """What the engines simulate."""
        section = self.group.demand_section
        if not self.group.wanted:
            return Parked()
        if self.recorded or section is None:
            return self.recorded or AlwaysOn()
        made: object = section.demand_of(self.group, self.years)
        if not isinstance(made, Demand):
            raise PlugInError(
                f"demand kind {section.key!r} of {type(section).__module__}: to_demand() gave {made!r}; it gives a Demand"
            )
        return made

    @property
    def vms(self) -> int | None:
        """How many VMs there are in all (of a number that changes, the most at once); None if they come and go by chance or by load."""
        return self.most_vms if self.group.is_counted else len(self.demand.recorded_lifetimes_s) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedGroups:
    """All groups as they are simulated, in the order of the file."""

    groups: tuple[ResolvedGroup, ...] = ()
    splits: Mapping[int, Split] = field(default_factory=dict)  # by number of the group in the file

    def parts(self, number: int) -> tuple[ResolvedGroup, ...]:
        """What the group of this number in the file is simulated as."""
        return tuple(each for each in self.groups if each.number == number)

    def of(self, group: str) -> tuple[ResolvedGroup, ...]:
        """What a group of the file is simulated as; also found by the name of one of its parts."""
        return tuple(each for each in self.groups if group in (each.group.name, each.name))


def resolve_groups(
    file: ScenarioFile, catalogue: Catalogue, folder: FilePath, *, regions_known: bool
) -> tuple[ResolvedGroups, list[Issue]]:
    """Groups as they are simulated, and what is wrong with files that list VMs; groups of unknown size are left out."""
    resolved: list[ResolvedGroup] = []
    splits: dict[int, Split] = {}
    found: list[Issue] = []
    for number, group in enumerate(file.groups):
        region = group.region or file.prices.region
        if regions_known:
            region = catalogue.get_region(region)
        make = partial(ResolvedGroup, number=number, group=group, region=region, years=file.years)
        section = group.demand_section
        if section is not None and section.has_own_sizes:
            place = ("group", number, section.key)
            context = SplitContext(catalogue=catalogue, region=region if regions_known else None, folder=folder)
            split = section.split(group, place, context)
            found += split.issues
            splits[number] = split
            resolved += [
                make(name=group.name + part.suffix, size=part.size, priority=part.priority, recorded=part.demand)
                for part in split.parts
            ]
            continue
        try:
            size = catalogue.get_size(group.size)
        except CatalogueError:
            continue  # reported by `check_sizes`
        most_vms = group.most_vms(file.start, file.horizon_s)
        for suffix, priority in group.priorities.items():
            name, part_of = group.name + suffix, group.name if suffix else ""
            resolved.append(make(name=name, size=size, priority=priority, most_vms=most_vms, part_of=part_of))
    found += _clashes(file, resolved)
    return ResolvedGroups(groups=tuple(resolved), splits=splits), found


def _clashes(file: ScenarioFile, resolved: Sequence[ResolvedGroup]) -> Iterator[Issue]:
    """A group made of some VMs of another that has the name of a third."""
    taken = {group.name: number for number, group in enumerate(file.groups) if not group.has_own_sizes}
    for member in resolved:
        if not member.group.has_own_sizes and not member.part_of:
            continue
        other = taken.setdefault(member.name, member.number)
        if other != member.number:
            yield Issue(
                ("group", member.number, "name"),
                f"{show_value(member.group.name)}: its {'spot VMs' if member.part_of else f'VMs of {member.size.name}'} are the group {show_value(member.name)}, which is there already",
                "give one of them another name",
                member.group.name,
                (("group", other, "name"),),
            )
