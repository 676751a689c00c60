"""The platform in words: hosts, limits, faults, and where each group may run."""

from sim.engines.shared.placement import POLICIES
from sim.fields.messages import list_words
from sim.fields.numbers import how_many
from sim.fields.registry import checked_sentences
from sim.fields.tables import PLATFORM_TABLES, own_words
from sim.scenario.file_model import ScenarioFile
from sim.scenario.platform_plan import pools_in
from sim.scenario.platform_rules import empty_zones
from sim.scenario.platform_section import Hosts, Platform
from sim.scenario.resolved_groups import ResolvedGroups


def where_it_runs(number: int, file: ScenarioFile, resolved: ResolvedGroups) -> list[str]:
    """Zones and availability set of a group, and what it can't have there."""
    group = file.groups[number]
    lines: list[str] = []
    if group.availability_set is not None:
        lines.append(f"In availability set {group.availability_set}: on one cluster of hosts.")
    if group.zones:
        lines.append(
            f"In zone{'s' * (len(group.zones) > 1)} {_numbers(group.zones)}{', in turn' * (len(group.zones) > 1)}."
        )
    mine = resolved.parts(number)
    if file.platform is not None and file.platform.hosts and mine:
        without = empty_zones(mine[0], file)
        if without:
            lines.append(
                f"There are no hosts for it in zone{'s' * (len(without) > 1)} {_numbers(without)}: VMs there get ZonalAllocationFailed."
            )
    return lines


def describe_platform(file: ScenarioFile, resolved: ResolvedGroups) -> list[str]:
    """What VMs share, line by line; nothing where hardware is endless and nothing is limited."""
    platform = file.platform
    if platform is None:
        return []
    if platform.is_idle:
        return ["", "Platform: hardware without end, no quota."]
    lines = [
        *_hosts(file, platform, resolved),
        *_quota(platform, len({member.region for member in resolved.groups}) > 1),
    ]
    for fault in sorted(platform.faults, key=lambda fault: fault.needs_hosts):
        lines += checked_sentences(fault.describe(platform), fault)
    lines += [shortage.describe(resolved.groups) for shortage in platform.shortages]
    lines += own_words(platform, PLATFORM_TABLES)
    return ["", "Platform:", *(f"  {line}" for line in lines)]


def _hosts(file: ScenarioFile, platform: Platform, resolved: ResolvedGroups) -> list[str]:
    if not platform.hosts:
        return ["Hardware without end."]
    lines = [_pool(pool, file.prices.currency) for pool in platform.hosts]
    vcpus = sum(pool.count * pool.vcpus for pool in platform.hosts)
    regions = dict.fromkeys(member.region for member in resolved.groups)
    endless = [region for region in regions if not pools_in(region, file)]
    counted = [member for member in resolved.groups if member.group.is_counted and member.region not in endless]
    asked = sum((member.vms or 0) * (member.size.vcpus or 0) for member in counted)
    share = f"; groups with a count ask for {asked:,} ({asked / vcpus:.0%})" if counted else ""
    lines.append(f"{vcpus:,} vCPU in all{share}; a VM gets {POLICIES[platform.placement].words}.")
    return lines + [f"Hardware without end in {list_words(endless, 'and')}."] * bool(endless)


def _pool(pool: Hosts, currency: str) -> str:
    where = f" in {pool.region}" if pool.region is not None else ""
    where += f" in zone {pool.zone}" if pool.zone is not None else ""
    racks = f" in {pool.racks} racks" if pool.racks > 1 else ""
    whose = f", for {list_words(pool.only_groups, 'and')} only" if pool.only_groups else ""
    whose += f", each {pool.hourly:g} {currency} an hour" if pool.hourly is not None else ""
    return f"{pool.name}: {how_many(pool.count, 'host')} of {pool.vcpus} vCPU and {pool.memory_gib:g} GiB{where}{racks}{whose}."


def _quota(platform: Platform, several: bool) -> list[str]:
    lines: list[str] = []
    if (quota := platform.quota) is not None:
        limits = [f"{quota.regional_vcpus:,} regional"] if quota.regional_vcpus is not None else []
        limits += [f"{limit:,} of {family}" for family, limit in quota.families.items()]
        limits += [f"{quota.spot_vcpus:,} spot"] if quota.spot_vcpus is not None else []
        lines.append(
            f"Quota in vCPU{' of each region for itself' * several}: {list_words(limits, 'and') or 'none'}; what exists counts, on or off."
        )
    return lines


def _numbers(zones: tuple[int, ...]) -> str:
    return list_words(map(str, zones), "and")
