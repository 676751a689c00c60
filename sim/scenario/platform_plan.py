"""From the `[platform]` section to the plan of what VMs share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from sim.catalog import Catalogue
from sim.distributions.specs import to_distribution
from sim.model import plan
from sim.scenario.commitments_section import CapacityReservationSection
from sim.scenario.file_model import ScenarioFile
from sim.scenario.platform_section import FAILING, HostFailures, Platform, RackFailures, ZoneFailures
from sim.scenario.resolved_groups import ResolvedGroups

AnyFailures = HostFailures | RackFailures | ZoneFailures


def platform_plan(file: ScenarioFile, catalogue: Catalogue, resolved: ResolvedGroups) -> plan.Platform | None:
    """What VMs share; None where there is nothing to share."""
    section = file.platform
    if section is None or is_idle(section):
        return None
    healing = healing_of(section)
    return plan.Platform(
        placement=section.placement,
        hosts=tuple(
            plan.HostPool(
                name=pool.name,
                count=pool.count,
                vcpus=pool.vcpus,
                memory_gib=pool.memory_gib,
                zone=pool.zone,
                racks=pool.racks,
                only_groups=played_names(pool.only_groups, resolved),
            )
            for pool in section.hosts
        ),
        quota=_quota(section, catalogue),
        host_failures=_failing(section.host_failures),
        rack_failures=_failing(section.rack_failures),
        zone_failures=_failing(section.zone_failures),
        healing_s=None if healing is None else to_distribution(healing.healing),
        maintenance=_maintenance(section),
        throttle=_throttle(section),
        reserved=tuple(_reserved(file, catalogue)) if section.hosts else (),
    )


def is_idle(section: Platform) -> bool:
    """Whether a platform says nothing that VMs could meet: hardware is endless and nothing is limited."""
    return not section.hosts and section.quota is None and section.throttle is None


def healing_of(section: Platform) -> AnyFailures | None:
    """The failures whose `healing` counts: those that say one, else the first; VMs are healed alike whatever failed."""
    given = [failures for key in FAILING if (failures := getattr(section, key)) is not None]
    return next((failures for failures in given if "healing" in failures.model_fields_set), None) or next(
        iter(given), None
    )


def played_names(groups: Iterable[str], resolved: ResolvedGroups) -> tuple[str, ...]:
    """Groups of the file by the names they are played under."""
    return tuple(dict.fromkeys(member.name for group in groups for member in resolved.of(group)))


def families_of(catalogue: Catalogue) -> Mapping[str, str]:
    """Quota families as the catalogue spells them, by their name in small letters."""
    return MappingProxyType({size.family.lower(): size.family for size in catalogue.sizes.values() if size.family})


def _quota(section: Platform, catalogue: Catalogue) -> plan.Quota | None:
    quota = section.quota
    if quota is None:
        return None
    spelt = families_of(catalogue)
    return plan.Quota(
        regional_vcpus=quota.regional_vcpus,
        spot_vcpus=quota.spot_vcpus,
        families={spelt.get(name.lower(), name): limit for name, limit in quota.families.items()},
    )


def _failing(section: AnyFailures | None) -> plan.Failing | None:
    if section is None:
        return None
    return plan.Failing(time_between_s=to_distribution(section.time_between), repair_s=to_distribution(section.repair))


def _maintenance(section: Platform) -> plan.Maintenance | None:
    work = section.maintenance
    if work is None:
        return None
    return plan.Maintenance(
        every_s=work.every,
        impact=work.impact,
        update_domains=work.update_domains,
        between_domains_s=work.between_domains,
        freeze_s=to_distribution(work.freeze),
    )


def _throttle(section: Platform) -> plan.Throttle | None:
    throttle = section.throttle
    if throttle is None:
        return None
    return plan.Throttle(burst=throttle.burst, refill_per_min=throttle.refill_per_min)


def _reserved(file: ScenarioFile, catalogue: Catalogue) -> Iterator[plan.Reserved]:
    """Room that capacity reservations hold on the hosts."""
    for section in file.commitments:
        if isinstance(section, CapacityReservationSection) and section.quantity:
            size = catalogue.get_size(section.size)
            yield plan.Reserved(
                name=section.name,
                size=size.name,
                family=size.family or "",
                vcpus=size.vcpus or 0,
                memory_gib=size.memory_gib or 0.0,
                quantity=section.quantity,
                groups=tuple(section.groups),
            )
