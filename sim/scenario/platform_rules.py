"""What hosts, quota and commitments must be to the groups, and to each other."""

from collections.abc import Iterator

from sim.catalog import Catalogue, Size
from sim.catalog.sizes import region_key
from sim.errors import CatalogueError
from sim.fields.issues import Issue, Path
from sim.fields.messages import close_match, list_words, show_value
from sim.scenario.commitments_section import DedicatedHostSection
from sim.scenario.file_model import ScenarioFile
from sim.scenario.platform_plan import families_of, pool_region, pools_in
from sim.scenario.platform_section import Hosts, Platform
from sim.scenario.resolved_groups import ResolvedGroup, ResolvedGroups
from sim.scenario.rules import unique_names

HOSTS: Path = ("platform", "hosts")


def check_room(file: ScenarioFile, catalogue: Catalogue, resolved: ResolvedGroups) -> Iterator[Issue]:
    """Every contradiction about room, limits and who shares them."""
    yield from _commitments(file, catalogue, resolved)
    platform = file.platform
    if platform is None:
        return
    yield from unique_names(HOSTS, [pool.name for pool in platform.hosts])
    for number, pool in enumerate(platform.hosts):
        for position, name in enumerate(pool.only_groups):
            place: Path = (*HOSTS, number, "only_groups", position)
            yield from _unknown_group(place, name, file)
            yield from _elsewhere(place, name, pool_region(pool, file), resolved)
        if pool.hourly is not None:
            yield from _priced_hosts((*HOSTS, number), pool, file, resolved)
    yield from _faults(platform)
    place = ("platform", "shortage")
    yield from unique_names(place, [shortage.name for shortage in platform.shortages])
    for number, shortage in enumerate(platform.shortages):
        yield from shortage.check(resolved.groups, (*place, number))
    yield from _quota(platform, catalogue, resolved)
    if not platform.hosts and "placement" in platform.model_fields_set:
        hint = "add [[platform.hosts]], or leave it out"
        problem = "it has no effect: there are no hosts to choose from"
        yield Issue(("platform", "placement"), problem, hint, related_paths=(HOSTS,))
    if platform.hosts:
        for member in resolved.groups:
            yield from _fits(member, file)
        yield from _held_room(file, catalogue)


# --- hosts ----------------------------------------------------------------------------------------------------------


def open_to(member: ResolvedGroup, file: ScenarioFile) -> tuple[Hosts, ...]:
    """Clusters of its region on which the VMs of a group may run: those dedicated to it, else those that are not dedicated."""
    names, here = {member.group.name, member.name}, pools_in(member.region, file)
    mine = tuple(pool for pool in here if names & set(pool.only_groups))
    return mine or tuple(pool for pool in here if not pool.only_groups)


def empty_zones(member: ResolvedGroup, file: ScenarioFile) -> tuple[int, ...]:
    """Zones of a group in which there is no host for it, though there are some in its region."""
    if not pools_in(member.region, file):
        return ()
    there = {pool.zone for pool in open_to(member, file)}
    return tuple(zone for zone in member.group.zones if zone not in there)


def _fits(member: ResolvedGroup, file: ScenarioFile) -> Iterator[Issue]:
    place: Path = ("group", member.number)
    group, size = member.group, member.size
    pools = open_to(member, file)
    if not pools_in(member.region, file):
        return  # hardware has no end in its region
    if not pools:
        problem = f"{show_value(group.name)}: all hosts are dedicated to other groups"
        hint = "name it in only_groups of one of them, or add [[platform.hosts]] for everybody"
        yield Issue((*place, "name"), problem, hint, value=group.name, related_paths=(HOSTS,))
        return
    if group.zones and len(empty_zones(member, file)) == len(group.zones):
        there = sorted({pool.zone for pool in pools if pool.zone is not None})
        has = f"there are hosts in zone {list_words(map(str, there), 'and')}" if there else "no host has a zone"
        yield Issue(
            (*place, "zones"),
            f"{show_value(list(group.zones))}: there is no host in {'these zones' if len(group.zones) > 1 else 'this zone'}",
            f"{has}; give [[platform.hosts]] a zone, or leave zones out",
            value=list(group.zones),
            related_paths=(HOSTS,),
        )
        return
    if not size.vcpus or not size.memory_gib:
        problem = f"{size.name}: its vCPUs and memory are not known, so no host can be found for it"
        hint = "take a size of the price list, or leave [[platform.hosts]] out"
        yield Issue(member.size_place, problem, hint, value=size.name, related_paths=(HOSTS,))
        return
    reachable = [pool for pool in pools if not group.zones or pool.zone in group.zones]
    if not any(_room_for(size, pool) for pool in reachable):
        largest = max(reachable, key=lambda pool: (pool.vcpus, pool.memory_gib))
        problem = f"{size.name} ({size.vcpus} vCPU, {size.memory_gib:g} GiB) fits on no host"
        hint = f"the largest it may use is {largest.name} with {largest.vcpus} vCPU and {largest.memory_gib:g} GiB"
        yield Issue(member.size_place, problem, hint, value=size.name, related_paths=(HOSTS, (*place, "zones")))


def _room_for(size: Size, pool: Hosts) -> int:
    """How many VMs of a size one host of a cluster has room for."""
    if not size.vcpus or not size.memory_gib:
        return 0
    return min(pool.vcpus // size.vcpus, int(pool.memory_gib / size.memory_gib))


def _elsewhere(place: Path, name: str, region: str, resolved: ResolvedGroups) -> Iterator[Issue]:
    """A group on hosts of another region."""
    for member in resolved.of(name)[:1]:
        if member.region != region:
            problem = f"{show_value(name)}: it is in {member.region}, and the hosts are in {region}"
            hint = "give the hosts the region of the group"
            yield Issue(place, problem, hint, value=name, related_paths=((*place[:3], "region"), ("prices", "region")))


def _unknown_group(place: Path, name: str, file: ScenarioFile) -> Iterator[Issue]:
    known = [group.name for group in file.groups]
    if name not in known:
        meant = close_match(name, known) or f"there is {list_words(known, 'and')}"
        yield Issue(
            place, f"{show_value(name)}: there is no such group", meant, value=name, related_paths=(("group",),)
        )


# --- faults of many at once -------------------------------------------------------------------------------------------


def _faults(platform: Platform) -> Iterator[Issue]:
    for fault in platform.faults:
        place = ("platform", fault.key)
        if fault.needs_hosts and not platform.hosts:
            problem = "there are no hosts that it could affect"
            hint = "add [[platform.hosts]], or leave it out"
            yield Issue(place, problem, hint, related_paths=(HOSTS,))
        yield from fault.check(platform, place)


# --- quota ----------------------------------------------------------------------------------------------------------


def _quota(platform: Platform, catalogue: Catalogue, resolved: ResolvedGroups) -> Iterator[Issue]:
    quota = platform.quota
    if quota is None:
        return
    place: Path = ("platform", "quota", "families")
    known = families_of(catalogue)
    seen: dict[str, str] = {}
    used = {member.size.family for member in resolved.groups if member.size.family}
    for name in quota.families:
        if name.lower() not in known:
            has = list_words((show_value(family) for family in sorted(used)), "and")
            problem = "there is no such quota family"
            hint = close_match(name, known.values()) or (f"the groups are of {has}" if has else "")
            yield Issue((*place, name), problem, hint, value=quota.families[name])
        elif name.lower() in seen:
            yield Issue(
                (*place, name), f"it is the same family as {seen[name.lower()]}", "give it once",
                value=quota.families[name], related_paths=((*place, seen[name.lower()]),),
            )  # fmt: skip
        seen.setdefault(name.lower(), name)
    for member in resolved.groups:
        if not member.size.vcpus:
            yield Issue(
                ("group", member.number, "size"),
                f"{member.size.name}: its vCPUs are not known, so it can't be held against the quota",
                "take a size of the price list, or leave [platform.quota] out",
                value=member.size.name,
                related_paths=(("platform", "quota"), HOSTS),
            )


# --- commitments ----------------------------------------------------------------------------------------------------


def _commitments(file: ScenarioFile, catalogue: Catalogue, resolved: ResolvedGroups) -> Iterator[Issue]:
    for number, section in enumerate(file.commitments):
        for position, name in enumerate(section.named_groups):
            place: Path = ("commitment", number, "groups", position)
            yield from _unknown_group(place, name, file)
            yield from _may_not(place, name, section.users, resolved)
            if section.held_room is not None:
                yield from _of_size(place, name, section.held_room[0], catalogue, resolved)


def _priced_hosts(place: Path, pool: Hosts, file: ScenarioFile, resolved: ResolvedGroups) -> Iterator[Issue]:
    """Hosts with a price are dedicated, and paid once: a commitment has neither their name nor their groups."""
    if not pool.only_groups:
        hint = "name the groups in only_groups, or leave hourly out: VMs on shared hosts pay for themselves"
        yield Issue((*place, "hourly"), f"the hosts of {pool.name} are for no group alone", hint, value=pool.hourly)
    for position, name in enumerate(pool.only_groups):
        yield from _may_not((*place, "only_groups", position), name, DedicatedHostSection.users, resolved)
    for number, section in enumerate(file.commitments):
        if section.name == pool.name or (section.kind == "dedicated-host" and {*section.groups} & {*pool.only_groups}):
            problem = f"commitment {show_value(section.name)} has {'its name' if section.name == pool.name else 'a price for its groups'}"
            hint = "rename it" if section.name == pool.name else "give the price once"
            yield Issue(
                (*place, "hourly"), problem, hint, value=pool.hourly, related_paths=(("commitment", number, "name"),)
            )


def _may_not(place: Path, name: str, what: str, resolved: ResolvedGroups) -> Iterator[Issue]:
    """VMs that the platform lets neither reserve capacity nor run on dedicated hosts."""
    mine = resolved.of(name)
    if not mine:
        return
    group, at = mine[0].group, ("group", mine[0].number)
    if any(member.priority == "spot" for member in mine):
        problem = f"{show_value(name)}: spot VMs cannot use {what}"
        hint = 'leave it out, or write priority = "regular"'
        yield Issue(place, problem, hint, value=name, related_paths=((*at, "priority"),))
    if group.when_off == "hibernate":
        problem = f"{show_value(name)}: VMs that use {what} cannot hibernate"
        hint = 'leave it out, or write when_off = "deallocate"'
        yield Issue(place, problem, hint, value=name, related_paths=((*at, "when_off"),))
    if group.availability_set is not None and what == "a capacity reservation":
        problem = f"{show_value(name)}: VMs in an availability set cannot use {what}"
        hint = "leave it out, or availability_set"
        yield Issue(place, problem, hint, value=name, related_paths=((*at, "availability_set"),))


def _of_size(place: Path, name: str, held: str, catalogue: Catalogue, resolved: ResolvedGroups) -> Iterator[Issue]:
    size = _size(held, catalogue)
    mine = resolved.of(name)
    if size is None or not mine or any(member.size.name == size.name for member in mine):
        return
    yield Issue(
        place,
        f"{show_value(name)}: its VMs are {mine[0].size.name}, and the reservation holds room for {size.name}",
        "a capacity reservation is for one size",
        value=name,
        related_paths=((*place[:2], "size"), ("group", mine[0].number, "size"), ("group", mine[0].number, "trace")),
    )


def _held_room(file: ScenarioFile, catalogue: Catalogue) -> Iterator[Issue]:
    """Room that can't be held because all hosts of its region together don't have it."""
    for number, section in enumerate(file.commitments):
        held, quantity = section.held_room or ("", 0)
        size = _size(held, catalogue) if quantity else None
        if size is None:
            continue
        pools = pools_in(region_key(section.own_region or file.prices.region), file)
        room = sum(_room_for(size, pool) * pool.count for pool in pools if not pool.only_groups)
        if pools and quantity > room:
            yield Issue(
                ("commitment", number, "quantity"),
                f"{quantity}: the hosts have room for {room} of {size.name} only",
                "reserve fewer, or give the platform more hosts",
                value=quantity,
                related_paths=(HOSTS, ("commitment", number, "size")),
            )


def _size(name: str, catalogue: Catalogue) -> Size | None:
    try:
        return catalogue.get_size(name)
    except CatalogueError:
        return None  # reported by `check_sizes`
