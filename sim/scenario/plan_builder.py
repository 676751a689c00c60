"""From a checked scenario to what the other rooms read: the plan of the fleet, the groups to rate, the commitments."""

from collections.abc import Mapping, Sequence
from typing import Any

from sim.billing.commitments import Commitment, DedicatedHost
from sim.billing.disks import parse_disk
from sim.billing.meters import RatedGroup
from sim.catalog import Catalogue
from sim.distributions.specs import Spec, to_distribution
from sim.fields.tables import GROUP_TABLES, own_values
from sim.fields.types import default_seconds
from sim.model.faults import GROUP_FAULTS, Circumstances
from sim.model.plan import FleetPlan, GroupPlan, Retry
from sim.scenario.commitments_section import CommitmentContext
from sim.scenario.file_model import Durations, Group, ScenarioFile
from sim.scenario.platform_plan import platform_plan, resolved_names, split_own
from sim.scenario.resolved_groups import ResolvedGroup, ResolvedGroups


def fleet_plan(file: ScenarioFile, catalogue: Catalogue, resolved: ResolvedGroups) -> FleetPlan:
    """What one replication simulates."""
    platform = platform_plan(file, catalogue, resolved)
    return FleetPlan(
        start=file.start,
        horizon_s=file.horizon_s,
        warm_up_s=file.warm_up_s,
        groups=tuple(
            _group(
                member,
                file,
                shares_platform=platform is not None,
                has_hosts=platform is not None and not platform.is_endless(member.region),
            )
            for member in resolved.groups
        ),
        platform=platform,
    )


def _group(member: ResolvedGroup, file: ScenarioFile, *, shares_platform: bool, has_hosts: bool) -> GroupPlan:
    group = member.group
    failures = group.failures
    circumstances = Circumstances(priority=member.priority, has_hosts=has_hosts)
    faults: dict[str, Any] = {key: kind.plan_of(group.fault(key), circumstances) for key, kind in GROUP_FAULTS.items()}
    own = split_own(faults, GroupPlan, GROUP_FAULTS)
    durations_s = {key: to_distribution(varying) for key, varying in durations_of(group).items()}
    generalized = group.image == "generalized"
    rules = (
        fault.fall_back_plan(durations_s, generalized=generalized)
        for key in GROUP_FAULTS
        if (fault := group.fault(key))
    )
    # Without a platform it does not matter what a VM is, and plans that simulate alike are equal.
    size = member.size if shares_platform else None
    count, steps = group.counts(file.start, file.horizon_s)
    return GroupPlan(
        name=member.name,
        count=count if group.is_counted else 0,
        count_steps=steps if group.is_counted else (),
        ready_within_s=group.ready.within,
        initial=group.initial or "",
        create_over_s=group.create_over,
        demand=member.demand,
        part_of=member.part_of,
        fall_back=next(filter(None, rules), None) if group.has_spot else None,
        when_off=group.when_off,
        generalized=generalized,
        durations_s=durations_s,
        failures=failures.probabilities,
        os_provisioning_timeout_s=failures.os_provisioning_timeout,
        extensions_timeout_s=failures.extensions_timeout,
        reaction_s=to_distribution(failures.reaction),
        retry=Retry(
            attempts=group.retry.attempts,
            backoff_s=group.retry.backoff,
            multiplier=group.retry.multiplier,
            # A default ceiling never lies below the first step.
            max_backoff_s=max(group.retry.max_backoff, group.retry.backoff),
        ),
        **faults,
        own_faults=own,
        region=member.region if shares_platform else "",
        size=size.name if size else "",
        family=(size.family if size else None) or "",
        vcpus=(size.vcpus if size else None) or 0,
        memory_gib=(size.memory_gib if size else None) or 0.0,
        priority=member.priority if shares_platform else "regular",
        zones=group.zones,
        availability_set=group.availability_set or "",
    )


def durations_of(group: Group) -> Mapping[str, float | Spec]:
    """How long each step takes; the demand kind may have another default (hours of a replayed trace hold every step)."""
    steps = {key: getattr(group.durations, key) for key in Durations.model_fields}
    section = group.demand_section
    if section is None or not section.default_durations:
        return steps
    default_s = default_seconds(section.default_durations)
    return {key: step if key in group.durations.model_fields_set else default_s for key, step in steps.items()}


def rated_groups(catalogue: Catalogue, resolved: ResolvedGroups) -> tuple[RatedGroup, ...]:
    """The groups as the price list sees them, sizes and region spelt as it spells them."""
    return tuple(
        RatedGroup(
            name=member.name, size=member.size.name, region=member.region, os=member.group.os, priority=member.priority,
            hybrid_benefit=member.group.hybrid_benefit,
            disks=tuple(catalogue.disk(parse_disk(disk), member.region).tier for disk in member.group.disks),
            own=own_values(member.group, GROUP_TABLES), public_ip=member.group.public_ip, keeps_disks=member.group.keeps_disks,
            reattaches_disks=member.group.keeps_disks and (member.group.when_off == "delete" or member.group.has_steps),
            hibernates=member.group.when_off == "hibernate" or member.group.initial == "hibernated",
        )
        for member in resolved.groups
    )  # fmt: skip


def billed_commitments(file: ScenarioFile, catalogue: Catalogue, resolved: ResolvedGroups) -> Sequence[Commitment]:
    """The commitments as billing rates them."""
    context = CommitmentContext(
        catalogue=catalogue, region=file.prices.region, resolved_names=lambda groups: resolved_names(groups, resolved)
    )
    hosts = (
        DedicatedHost(
            name=pool.name, quantity=pool.count, usd_per_h=pool.hourly, vcpus=pool.vcpus,
            groups=resolved_names(pool.only_groups, resolved),
        )
        for pool in (file.platform.hosts if file.platform else ())
        if pool.hourly is not None
    )  # fmt: skip
    return (*(section.to_commitment(context) for section in file.commitments), *hosts)
