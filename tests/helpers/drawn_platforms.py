"""Fleets that share a platform, drawn at random: tight hardware, tight quota, and ties at one instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

from drawn_fleets import RECORDED, long_laws, schedules, short_laws
from fleets import MONDAY, always
from hypothesis import strategies as st

from sim.distributions.kinds import Exponential, Lognormal, Mixture
from sim.model.demand import AlwaysOn, Arrivals, Autoscale, Cycle, Demand, Replay, ScalingRule, Schedule
from sim.model.faults import Failing, FallBack, FallBackRule, Maintenance, Shortage, Spot, Throttle
from sim.model.plan import FleetPlan, GroupPlan, HostPool, Platform, Quota, Reserved, Retry
from tests.helpers.operation_rows import CHANCE_CODES, DURATION_KEYS

NEVER = float("inf")
POLICIES = ("first-fit", "best-fit", "worst-fit", "balanced")
# (size, family, vCPUs, memory in GiB): two of one family, and one that is short of memory before vCPUs.
SHAPES = (("D2", "fD", 2, 8.0), ("D4", "FD", 4, 16.0), ("E2", "fE", 2, 28.0), ("half", "fE", 1, 0.5))
HOSTS = ((4, 16.0), (8, 32.0), (7, 60.0), (16, 40.5))
TIED = always(5)  # every step the same: VMs meet at the same instants

tied_schedule = Schedule(days=(0, 1, 2, 3, 4, 5, 6), on=time(1), off=time(3), time_zone="UTC")
tight_cycles = st.builds(
    Cycle, on_s=st.sampled_from((always(600), Exponential(mean=3000.0))), off_s=st.sampled_from((always(600), Exponential(mean=2000.0))),
)  # fmt: skip


@st.composite
def replays(draw: st.DrawFn) -> Replay:
    """A recorded fleet: some asked for at one instant, some never deleted, some deleted before they run."""
    born = sorted(draw(st.lists(st.sampled_from((0.0, 10.0, 10.0, 500.5, 3600.0, 9999.25)), max_size=12)))
    lifetimes = tuple(draw(st.sampled_from((0.0, 7.0, 800.0, 5000.0, NEVER))) for _ in born)
    return Replay(born_s=tuple(born), lifetime_s=lifetimes)


@st.composite
def requests(draw: st.DrawFn) -> Arrivals:
    """More requests than the hardware holds."""
    sizes, weights = draw(st.sampled_from((((1,), (1.0,)), ((3,), (1.0,)), ((1, 5), (0.7, 0.3)))))
    lifetime = draw(st.sampled_from((always(1800), Exponential(mean=4000.0), Lognormal(median=1500.0, sigma=1.5))))
    return Arrivals(
        rate_per_h=(draw(st.sampled_from((2.0, 12.0))),), lifetime_s=lifetime, batch_sizes=sizes, batch_weights=weights,
        lifetime_counts=draw(st.sampled_from(("clock", "running"))), due_after_s=draw(st.sampled_from((NEVER, 2000.0))),
    )  # fmt: skip


demands: st.SearchStrategy[Demand] = st.one_of(
    st.just(AlwaysOn()), st.just(tied_schedule), schedules, tight_cycles, requests(), replays()
)
retries = st.builds(
    Retry,
    attempts=st.integers(1, 4),
    backoff_s=st.sampled_from((0.0, 5.0, 60.0)),
    multiplier=st.sampled_from((1.0, 2.0)),
    max_backoff_s=st.sampled_from((60.0, 3600.0)),
)


evictions = st.builds(
    Spot,
    lost_work_s=st.sampled_from((0.0, 900.0)),
    availability=st.sampled_from((None, None, RECORDED)),
    eviction_per_hour=st.sampled_from((0.0, 0.5)),
    policy=st.sampled_from(("deallocate", "delete")),
    notice_s=st.just(always(30)),
    restart_after_s=st.sampled_from((None, always(5), always(900))),
)


# Down and up again, while VMs are still being created or deleted.
steps = st.sampled_from(((), (), ((600.0, 0), (610.0, 5)), ((900.0, 1), (930.0, 4), (931.0, 0), (5000.0, 8))))


@st.composite
def sharing_groups(draw: st.DrawFn, name: str, priority: str) -> GroupPlan:
    """A group that meets others; in half of them every step takes the same time as everybody else's."""
    demand = draw(demands)
    size, family, vcpus, memory = draw(st.sampled_from(SHAPES))
    open_ended = isinstance(demand, Arrivals | Replay)
    tied = draw(st.booleans())
    return GroupPlan(
        name=name,
        count=0 if open_ended else draw(st.integers(0, 8)),
        count_steps=() if open_ended else draw(steps),
        create_over_s=draw(st.sampled_from((0.0, 0.0, 1800.0))),
        demand=demand,
        when_off=draw(st.sampled_from(("deallocate", "deallocate", "stop", "guest-shutdown", "hibernate", "keep"))),
        generalized=draw(st.booleans()),
        durations_s={key: TIED if tied else draw(short_laws) for key in DURATION_KEYS},
        failures=draw(st.sampled_from(({}, {}, dict.fromkeys(CHANCE_CODES, 0.1)))),
        reaction_s=always(700) if tied else draw(long_laws),
        retry=draw(retries),
        spot=draw(evictions) if priority == "spot" else None,
        size=size,
        family=family,
        vcpus=vcpus,
        memory_gib=memory,
        priority=priority,
        zones=draw(st.sampled_from(((), (), (1,), (1, 2, 3)))),
        availability_set=draw(st.sampled_from(("", "", "set"))),
    )


pools = st.builds(
    lambda number, count, shape, zone, racks, only: HostPool(
        name=f"p{number}", count=count, vcpus=shape[0], memory_gib=shape[1], zone=zone, racks=racks, only_groups=only
    ),
    number=st.integers(0, 9),
    count=st.integers(1, 4),
    shape=st.sampled_from(HOSTS),
    zone=st.sampled_from((None, 1, 2)),
    racks=st.integers(1, 3),
    only=st.sampled_from(((), (), (), ("a",), ("a", "b"))),
)
quotas = st.builds(
    Quota,
    regional_vcpus=st.sampled_from((None, 12, 30)),
    spot_vcpus=st.sampled_from((None, 5)),
    families=st.sampled_from(({}, {"fd": 10}, {"FE": 4, "fD": 100})),
)


@st.composite
def shared_fleets(draw: st.DrawFn, *, most_groups: int = 3, may_mix: bool = False) -> FleetPlan:
    """Groups on few hosts under a small quota, for hours; regular and spot together only if they *may_mix*."""
    names = ("a", "b", "c")[: draw(st.integers(1, most_groups))]
    hosts = tuple(draw(st.lists(pools, max_size=3, unique_by=lambda pool: pool.name)))
    one = draw(st.sampled_from(("regular", "regular", "spot")))
    priorities = st.sampled_from(("regular", "spot"))
    platform = Platform(
        placement=draw(st.sampled_from(POLICIES)), hosts=hosts, quota=draw(st.one_of(st.none(), quotas))
    )
    horizon_s = draw(st.sampled_from((600.0, 10_800.0, 20_000.5)))
    mixed = may_mix or not hosts
    return FleetPlan(
        start=MONDAY,
        horizon_s=horizon_s,
        warm_up_s=draw(st.sampled_from((0.0, 0.0, 0.4))) * horizon_s,
        groups=tuple(draw(sharing_groups(name, draw(priorities) if mixed else one)) for name in names),
        platform=platform,
    )


failing = st.builds(
    Failing,
    time_between_s=st.sampled_from((Exponential(mean=6000.0), always(3000))),
    repair_s=st.sampled_from((Exponential(mean=1500.0), always(600), Mixture(weights=(0.5, 0.5), of=(always(1), always(4000))))),
)  # fmt: skip


UPKEEP = Maintenance(every_s=4000.0, impact="reboot", update_domains=3, between_domains_s=600.0, freeze_s=always(9))


@st.composite
def shortages(draw: st.DrawFn, groups: tuple[str, ...]) -> tuple[Shortage, ...]:
    """None, one, or two that may overlap, of some groups and zones."""
    return tuple(
        Shortage(
            name=name,
            groups=tuple(sorted(draw(st.sets(st.sampled_from(groups), min_size=1)))),
            zones=draw(st.sampled_from(((), (), (1,), (2, 3)))),
            time_between_s=draw(st.sampled_from((always(1000), Exponential(mean=2000.0)))),
            lasts_s=draw(st.sampled_from((always(1000), Exponential(mean=1500.0)))),
            refuses=draw(st.sampled_from((0.0, 0.5, 1.0))),
        )
        for name in ("scarce", "scarcer")[: draw(st.integers(0, 2))]
    )


@st.composite
def short_fleets(draw: st.DrawFn) -> FleetPlan:
    """Hardware without end, but for a while, and room that is reserved."""
    plan = draw(shared_fleets())
    assert plan.platform is not None
    reserved = Reserved(name="r", size="D4", family="fD", vcpus=4, memory_gib=16.0, quantity=draw(st.integers(1, 3)))
    held = HostPool(name="r", count=1, vcpus=4 * reserved.quantity, memory_gib=16.0 * reserved.quantity, holds="r")
    alone = tuple(replace(group, availability_set="") for group in plan.groups)
    has_some = draw(st.booleans())
    short = draw(shortages(tuple(group.name for group in alone)))
    platform = replace(
        plan.platform, hosts=(held,) if has_some else (), reserved=(reserved,) if has_some else (), shortages=short
    )
    return replace(plan, groups=alone, platform=platform)


@st.composite
def regional_fleets(draw: st.DrawFn) -> FleetPlan:
    """A group in each of three regions, with pools of hosts of their own or none, under one quota and one rate limit of each region."""
    parts = {region: draw(shared_fleets(most_groups=1, may_mix=True)) for region in ("east", "north", "west")}
    first = parts["east"]
    assert first.platform is not None
    groups, hosts = [], []
    for region, part in parts.items():
        assert part.platform is not None
        groups.append(replace(part.groups[0], name=f"g-{region}", region=region))
        hosts += [
            replace(pool, name=f"{region}-{pool.name}", region=region, only_groups=()) for pool in part.platform.hosts
        ]
    platform = replace(
        first.platform,
        hosts=tuple(hosts),
        host_failures=draw(st.one_of(st.none(), failing)),
        zone_failures=draw(st.one_of(st.none(), failing)),
        healing_s=always(600),
        maintenance=draw(st.one_of(st.none(), st.just(UPKEEP))),
        throttle=draw(st.one_of(st.none(), st.just(Throttle(burst=3.0, refill_per_min=4.0)))),
        shortages=draw(shortages(tuple(group.name for group in groups))),
    )
    return replace(first, groups=tuple(groups), platform=platform)


rules = st.builds(
    ScalingRule,
    threshold=st.sampled_from((0.3, 0.6, 0.9)),
    by=st.integers(1, 4),
    cooldown_s=st.sampled_from((0.0, 60.0, 900.0)),
)


@st.composite
def autoscales(draw: st.DrawFn) -> Autoscale:
    """A load that jumps from hour to hour, and rules that follow it, or don't; in half of them scale-in keeps VMs."""
    minimum = draw(st.integers(0, 3))
    weekly = tuple(draw(st.lists(st.integers(0, 4), min_size=4, max_size=4))) * 42
    return Autoscale(
        load=tuple(draw(st.lists(st.sampled_from((0.0, 50.0, 120.0, 400.0)), min_size=24, max_size=24))),
        per_vm=draw(st.sampled_from((30.0, 100.0))),
        minimum=minimum,
        maximum=minimum + draw(st.integers(1, 12)),
        tick_s=draw(st.sampled_from((60.0, 61.5, 300.0, 5000.0))),
        scale_out=tuple(draw(st.lists(rules, max_size=2))),
        scale_in=tuple(draw(st.lists(rules, min_size=1, max_size=2))),
        minimum_weekly=draw(st.sampled_from(((), weekly))),
        keep_at_most=draw(st.sampled_from((0, 0, 1, 2, 20))),
        regular_base=draw(st.sampled_from((None, 0, 2))),
        regular_above_base=draw(st.sampled_from((0.0, 0.3, 1.0))),
    )


@st.composite
def follow_a_load(draw: st.DrawFn, group: GroupPlan) -> tuple[GroupPlan, ...]:
    """The group with an autoscaler; of a mix its regular and its spot VMs."""
    demand = draw(autoscales())
    scaled = replace(group, demand=demand, count=0, count_steps=(), create_over_s=0.0)
    if demand.regular_base is None:
        return (scaled,)
    spot = replace(scaled, name=f"{group.name}-spot", priority="spot", spot=draw(evictions), part_of=group.name)
    return replace(scaled, priority="regular", spot=None), spot


@st.composite
def may_fall_back(draw: st.DrawFn, group: GroupPlan) -> tuple[GroupPlan, ...]:
    """The group; requests of spot VMs may go on with regular ones, which are a group of their own."""
    if not isinstance(group.demand, Arrivals) or group.spot is None or draw(st.integers(0, 3)) == 0:
        return (group,)
    rule = FallBack(
        rule=draw(st.sampled_from(FallBackRule)),
        evictions=draw(st.integers(1, 2)),
        changeover_s=draw(st.sampled_from((0.0, 120.0, 900.0))),
    )
    due_after_s = draw(st.sampled_from((3000.0, 9000.0)))
    demand = replace(group.demand, lifetime_counts="running", due_after_s=due_after_s)
    spot = replace(group.spot, restart_after_s=group.spot.restart_after_s or always(60))
    falling = replace(group, demand=demand, spot=spot, fall_back=rule)
    return falling, replace(falling, name=f"{group.name}-regular", priority="regular", spot=None, part_of=group.name)


@st.composite
def disruptions(draw: st.DrawFn, plan: FleetPlan) -> FleetPlan:
    """The fleet with everything that a platform can do to VMs, all of it far too often."""
    assert plan.platform is not None
    some = st.booleans()
    reserved = Reserved(name="r", size="D4", family="fD", vcpus=4, memory_gib=16.0, quantity=draw(st.integers(1, 2)))
    roomy = HostPool(name="roomy", count=2, vcpus=16, memory_gib=64.0, racks=2)
    hosts = (*plan.platform.hosts, roomy)
    platform = replace(
        plan.platform,
        hosts=hosts,
        host_failures=draw(st.one_of(st.none(), failing)),
        rack_failures=draw(failing) if draw(some) else None,
        zone_failures=draw(failing) if draw(some) else None,
        healing_s=draw(st.sampled_from((always(600), Exponential(mean=300.0)))),
        maintenance=Maintenance(
            every_s=4000.0, impact=draw(st.sampled_from(("freeze", "reboot", "redeploy"))), update_domains=draw(st.integers(1, 3)),
            between_domains_s=600.0, freeze_s=always(9),
        ) if draw(some) else None,
        throttle=Throttle(burst=draw(st.sampled_from((1.0, 12.0))), refill_per_min=4.0) if draw(some) else None,
        reserved=(reserved,) if draw(some) else (),
        shortages=draw(shortages(tuple(group.name for group in plan.groups))),
    )  # fmt: skip
    return replace(plan, platform=platform)


@st.composite
def works(draw: st.DrawFn, group: GroupPlan) -> tuple[GroupPlan, ...]:
    """Requests of spot VMs in the group's place, that may go on with regular ones."""
    spot = replace(
        group,
        priority="spot",
        spot=draw(evictions),
        demand=draw(requests()),
        count=0,
        count_steps=(),
        create_over_s=0.0,
    )
    return draw(may_fall_back(spot))


@st.composite
def working_fleets(draw: st.DrawFn) -> FleetPlan:
    """Requests with work on spot VMs that may go on with regular ones, that share nothing."""
    plan = draw(shared_fleets())
    alone = (replace(group, zones=(), availability_set="") for group in plan.groups)
    return replace(plan, platform=None, groups=tuple(part for group in alone for part in draw(works(group))))


@st.composite
def working_fleets_on_hosts(draw: st.DrawFn) -> FleetPlan:
    """The same on hosts, where everything goes wrong; at times beside a regular group that wants their room."""
    plan = draw(shared_fleets(may_mix=True))
    parts = [part for group in plan.groups for part in draw(works(group))]
    if draw(st.booleans()):
        parts.append(draw(sharing_groups("other", "regular")))
    return draw(disruptions(replace(plan, groups=tuple(parts))))


@st.composite
def scaled_fleets(draw: st.DrawFn) -> FleetPlan:
    """Autoscaled groups, and one that isn't, that share nothing else."""
    plan = draw(shared_fleets())
    alone = tuple(replace(group, zones=(), availability_set="") for group in plan.groups)
    groups = [
        part
        for number, group in enumerate(alone)
        for part in (draw(follow_a_load(group)) if number == 0 or draw(st.booleans()) else (group,))
    ]
    return replace(plan, platform=None, groups=tuple(groups))


@st.composite
def disrupted_fleets(draw: st.DrawFn) -> FleetPlan:
    """The same with everything else that a platform can do to VMs, all of it far too often; some groups follow a load."""
    plan = draw(shared_fleets(may_mix=True))
    plan = replace(
        plan,
        groups=tuple(
            part
            for group in plan.groups
            for part in (draw(follow_a_load(group) if draw(st.integers(0, 3)) == 0 else may_fall_back(group)))
        ),
    )
    return draw(disruptions(plan))
