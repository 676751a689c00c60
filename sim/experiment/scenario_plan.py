"""From a checked scenario to what the other rooms read: the plan of the fleet, the groups to rate, the commitments."""

from __future__ import annotations

from collections.abc import Sequence

from sim.billing.commitments import CapacityReservation, Commitment, Reservation, SavingsPlan
from sim.billing.meters import RatedGroup
from sim.catalog import Catalogue, get_default
from sim.cloud.plan import (
    AlwaysOn,
    Arrivals,
    Cycle,
    Demand,
    FleetPlan,
    GroupPlan,
    GuestCrash,
    Retry,
    Schedule,
    Spot,
)
from sim.experiment.scenario_model import (
    CapacityReservationSection,
    Durations,
    Failures,
    Group,
    ReservationSection,
    ScenarioFile,
)
from sim.experiment.scenario_quantities import read_seconds, shares, to_distribution

FAILURE_CODES = tuple(key for key in Failures.model_fields if key[0].isupper())
"""Codes that a scenario gives a probability; the other keys of the section are about time."""


def fleet_plan(file: ScenarioFile) -> FleetPlan:
    """What one replication plays."""
    return FleetPlan(
        start=file.start,
        horizon_s=file.horizon_s,
        warm_up_s=file.warm_up_s,
        groups=tuple(_group(group) for group in file.groups),
    )


def _group(group: Group) -> GroupPlan:
    failures = group.failures
    return GroupPlan(
        name=group.name,
        count=0 if group.arrivals is not None else group.count,
        create_over_s=group.create_over,
        demand=_demand(group),
        when_off=group.when_off,
        generalized=group.image == "generalized",
        durations_s={key: to_distribution(getattr(group.durations, key)) for key in Durations.model_fields},
        failures={
            code: probability for code in FAILURE_CODES if (probability := getattr(failures, code)) > 0
        },
        os_provisioning_timeout_s=os_provisioning_timeout_s(group),
        extensions_timeout_s=failures.extensions_timeout,
        reaction_s=to_distribution(failures.reaction),
        retry=Retry(
            attempts=group.retry.attempts,
            backoff_s=group.retry.backoff,
            multiplier=group.retry.multiplier,
            # A ceiling that nobody set never lies below the first step.
            max_backoff_s=max(group.retry.max_backoff, group.retry.backoff),
        ),
        guest_crash=_guest_crash(group),
        spot=_spot(group),
    )


def os_provisioning_timeout_s(group: Group) -> float:
    """When OS provisioning of this group is given up: as the file says, else by the guest OS."""
    given = group.failures.os_provisioning_timeout
    default = get_default("group.failures.os_provisioning_timeout", os=group.os)
    return read_seconds(default.value) if given is None else given


def _demand(group: Group) -> Demand:
    if (schedule := group.schedule) is not None:
        return Schedule(
            days=schedule.days,
            on=schedule.on,
            off=schedule.off,
            time_zone=schedule.time_zone,
            jitter_s=None if schedule.jitter is None else to_distribution(schedule.jitter),
        )
    if (cycle := group.cycle) is not None:
        return Cycle(on_s=to_distribution(cycle.on), off_s=to_distribution(cycle.off))
    if (arrivals := group.arrivals) is not None:
        batch = arrivals.batch
        return Arrivals(
            rate_per_h=arrivals.rates_per_h,
            lifetime_s=to_distribution(arrivals.lifetime),
            batch_sizes=batch.sizes if batch else (1,),
            batch_weights=shares(batch.weights) if batch else (1.0,),
            time_zone=arrivals.time_zone,
        )
    return AlwaysOn()


def _guest_crash(group: Group) -> GuestCrash | None:
    crash = group.guest_crash
    if crash is None:
        return None
    return GuestCrash(
        time_between_s=to_distribution(crash.time_between), detection_s=to_distribution(crash.detection)
    )


def _spot(group: Group) -> Spot | None:
    spot = group.spot
    # A regular VM is not evicted; the section may stand there for the day when priority is changed.
    if spot is None or group.priority != "spot":
        return None
    return Spot(
        eviction_per_hour=spot.eviction_per_hour,
        policy=spot.policy,
        notice_s=to_distribution(spot.notice),
        restart_after_s=None if spot.restart_after is None else to_distribution(spot.restart_after),
    )


def rated_groups(file: ScenarioFile, catalogue: Catalogue) -> tuple[RatedGroup, ...]:
    """The groups as the price list sees them, sizes and region spelt as it spells them."""
    return tuple(
        RatedGroup(
            name=group.name,
            size=catalogue.get_size(group.size).name,
            region=catalogue.get_region(file.prices.region),
            os=group.os,
            priority=group.priority,
            hybrid_benefit=group.hybrid_benefit,
            disks=tuple(catalogue.disk(tier, file.prices.region).tier for tier in group.disks),
            public_ip=group.public_ip,
            hibernates=group.when_off == "hibernate",
        )
        for group in file.groups
    )


def billed_commitments(file: ScenarioFile, catalogue: Catalogue) -> Sequence[Commitment]:
    """The commitments as billing rates them."""
    region = catalogue.get_region(file.prices.region)
    found: list[Commitment] = []
    for section in file.commitments:
        if isinstance(section, ReservationSection):
            size = catalogue.get_size(section.size).name
            found.append(
                Reservation(
                    name=section.name, size=size, quantity=section.quantity, term=section.term, region=region
                )
            )
        elif isinstance(section, CapacityReservationSection):
            size = catalogue.get_size(section.size).name
            found.append(
                CapacityReservation(name=section.name, size=size, quantity=section.quantity, region=region)
            )
        else:
            found.append(
                SavingsPlan(name=section.name, hourly_usd=section.hourly, term=section.term, region=region)
            )
    return tuple(found)
