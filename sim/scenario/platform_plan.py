"""From the `[platform]` section to the plan of what VMs share."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from sim.catalog import Catalogue
from sim.catalog.sizes import region_key
from sim.errors import PlugInError
from sim.fields.registry import Registry
from sim.fields.tables import PLATFORM_TABLES, own_values
from sim.model import plan
from sim.model.faults import PLATFORM_FAULTS
from sim.model.faults.failing import healing_plan
from sim.scenario.file_model import ScenarioFile
from sim.scenario.platform_section import Hosts
from sim.scenario.resolved_groups import ResolvedGroups


def platform_plan(file: ScenarioFile, catalogue: Catalogue, resolved: ResolvedGroups) -> plan.Platform | None:
    """What VMs share; None where there is nothing to share."""
    section = file.platform
    if section is None or section.is_idle:
        return None
    faults: dict[str, Any] = {fault.key: fault.to_plan() for fault in section.faults}
    own = split_own(faults, plan.Platform, PLATFORM_FAULTS)
    reserved = tuple(_reserved(file, catalogue, resolved))
    regions = [pool_region(pool, file) for pool in section.hosts]
    return plan.Platform(
        placement=section.placement,
        hosts=(
            *(
                pool.to_plan(region, resolved_names(pool.only_groups, resolved))
                for pool, region in zip(section.hosts, regions, strict=True)
            ),
            *(_held(one) for one in reserved if one.region not in regions and (section.shortages or section.hosts)),
        ),
        quota=None if section.quota is None else section.quota.to_plan(families_of(catalogue)),
        healing_s=healing_plan(section),
        **faults,
        own_faults=own,
        own=own_values(section, PLATFORM_TABLES),
        reserved=reserved if section.hosts or section.quota or section.shortages else (),
        shortages=tuple(shortage.to_plan(resolved.groups) for shortage in section.shortages),
    )


def split_own(faults: dict[str, Any], of: type, kinds: Registry[Any]) -> tuple[Any, ...]:
    """Take out of the parameters of faults those of plug-ins, which a plan has no field for. Raises PlugInError."""
    own = {key: faults.pop(key) for key in [*faults] if key not in {each.name for each in fields(of)}}
    for key, fault in own.items():
        if fault is not None and not callable(getattr(fault, "behave", None)):
            raise PlugInError(
                f"{kinds.kind} {key!r} of {kinds.origins[key]} came to {fault!r}, which has no method behave"
            )
    return tuple(fault for fault in own.values() if fault is not None)


def _held(reserved: plan.Reserved) -> plan.HostPool:
    """The room of a reservation by itself, where hosts aren't modelled."""
    vcpus, memory_gib = reserved.quantity * reserved.vcpus, reserved.quantity * reserved.memory_gib
    return plan.HostPool(
        name=reserved.name, count=1, vcpus=vcpus, memory_gib=memory_gib, region=reserved.region, holds=reserved.name
    )


def pool_region(pool: Hosts, file: ScenarioFile) -> str:
    """The region that a pool of hosts stands in, as price lists spell it."""
    return region_key(pool.region or file.prices.region)


def pools_in(region: str, file: ScenarioFile) -> tuple[Hosts, ...]:
    """The pools of hosts in a region; none: hardware has no end there."""
    return tuple(pool for pool in (file.platform.hosts if file.platform else ()) if pool_region(pool, file) == region)


def resolved_names(groups: Iterable[str], resolved: ResolvedGroups) -> tuple[str, ...]:
    """Groups of the file by the names they are simulated under."""
    return tuple(dict.fromkeys(member.name for group in groups for member in resolved.of(group)))


def families_of(catalogue: Catalogue) -> Mapping[str, str]:
    """Quota families as the catalogue spells them, by their name in small letters."""
    return MappingProxyType({size.family.lower(): size.family for size in catalogue.sizes.values() if size.family})


def _reserved(file: ScenarioFile, catalogue: Catalogue, resolved: ResolvedGroups) -> Iterator[plan.Reserved]:
    """Room on hosts and quota that capacity reservations hold."""
    for section in file.commitments:
        name, quantity = section.held_room or ("", 0)
        if quantity:
            size = catalogue.get_size(name)
            yield plan.Reserved(
                name=section.name, size=size.name, family=size.family or "", vcpus=size.vcpus or 0,
                memory_gib=size.memory_gib or 0.0, quantity=quantity,
                region=catalogue.get_region(section.own_region or file.prices.region),
                groups=resolved_names(section.named_groups, resolved),
            )  # fmt: skip
