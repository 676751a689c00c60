"""A platform as the arrays that the compiled event loop works on: hosts, quota, tokens, and what fails."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.distributions.kinds import Distribution
from sim.engines.compiled import layout
from sim.engines.compiled.layout import Births, Faults, Notes, Queue, Scaled
from sim.engines.compiled.layout import Platform as PlatformArrays
from sim.engines.group_setup import GroupSetup
from sim.engines.shared.autoscale import ScalingRules, scaling_rules
from sim.engines.shared.faults import STREAMS, Union, unions_that_fail, update_domains_of
from sim.engines.shared.linked_list import Links
from sim.engines.shared.placement import HostIndex, Placement, host_index
from sim.engines.shared.quota import QuotaUse, quota_use
from sim.engines.shared.room import Room, new_room
from sim.engines.shared.shortages import Shortages, shortages_of
from sim.engines.shared.throttle import full_buckets
from sim.model.demand import Autoscale
from sim.model.faults import Throttle
from sim.model.plan import FleetPlan, GroupPlan, Platform

REALS = (
    "per_vm",
    "regular_above",
    "threshold",
    "cooldown_s",
)  # of the rules of autoscalers; the others are whole numbers
LOAD_LINES = 16_384  # of an autoscaled group, before they are added up
FLOATS = frozenset(("spared", "begins_s", "ends_s"))  # of `Shortages`

Rows = TypeVar("Rows", HostIndex, Placement, Links, QuotaUse, Room)


def new_platform(plan: FleetPlan, groups: Sequence[GroupPlan], root: int) -> PlatformArrays:
    """A platform without VMs. Raises ScenarioError where reserved room doesn't fit."""
    platform = plan.platform or Platform()
    room = new_room(platform, groups, window_s=(plan.warm_up_s, plan.horizon_s))
    shortages = shortages_of(replace(plan, groups=tuple(groups)), root)
    disturbed = platform.reserved or platform.maintenance or unions_of(platform)
    buckets = full_buckets(platform.throttle or Throttle(burst=0.0, refill_per_min=0.0), groups)
    return PlatformArrays(
        room=as_arrays(room._replace(is_tracked=bool(platform.hosts) and bool(disturbed or room.may_evict))),
        quota=as_arrays(quota_use(platform, groups)),
        buckets=buckets._replace(first=np.array(buckets.first), tokens=np.array(buckets.tokens), at_s=np.array(buckets.at_s)),  # type: ignore[arg-type]
        pauses=np.array(
            [(plan.retry.backoff_s, plan.retry.multiplier, plan.retry.max_backoff_s) for plan in groups], dtype=np.float64
        ),
        shortages=Shortages(
            *(np.array(part or [0], dtype=np.float64 if name in FLOATS else np.int64) for name, part in shortages._asdict().items())  # type: ignore[arg-type]
        ),
    )  # fmt: skip


def as_arrays(rows: Rows) -> Rows:
    """The same with arrays for lists; those that would be empty hold a zero that no one reads."""
    columns: list[Any] = []
    parts: Sequence[Any] = rows
    for part in parts:
        if isinstance(part, HostIndex | Placement | Links):
            columns.append(as_arrays(part))  # type: ignore[type-var]
        else:
            columns.append(np.array(part or [0], dtype=np.int64) if isinstance(part, list) else part)
    return type(rows)(*columns)


def unions_of(platform: Platform) -> list[Union]:
    """What may fail on a platform."""
    return unions_that_fail(platform, host_index(platform)) if platform.hosts else []


def samplers_of(unions: Sequence[Union]) -> list[Distribution]:
    """Times between failures and repairs of each."""
    return [law for union in unions for law in (union.failing.time_between_s, union.failing.repair_s)]


def new_faults(platform: Platform, room: Room, unions: Sequence[Union], root: int, first_sampler: int) -> Faults:
    """What fails on a platform; *first_sampler* is the number of its first sampler, *root* the replication's key."""
    keys: list[NDArray[np.uint64]] = [np.zeros((0, 2), dtype=np.uint64)]
    rows: list[tuple[int, ...]] = []
    hosts: list[int] = []
    struck_by: list[list[int]] = [[] for _ in room.down]
    for place, union in enumerate(unions):
        members = streams.member_keys(streams.entity_key(root, union.name), np.arange(len(union.members)))
        keys.append(np.stack([streams.stream_keys(members, name) for name in STREAMS], axis=1))
        sampler = first_sampler + 2 * place
        for members_hosts in union.members:
            for host in members_hosts:
                struck_by[host].append(len(rows))
            rows.append((0, 0, sampler, sampler + 1, len(hosts), len(hosts) + len(members_hosts), 0))
            hosts += members_hosts
    plan = platform.maintenance if platform.hosts else None
    domains = plan.update_domains if plan is not None else 0
    domain_of = np.array(update_domains_of(platform, room.hosts) if plan is not None else [], dtype=np.int64)
    in_domains = np.argsort(domain_of, kind="stable")
    every_s, between_s = (plan.every_s, plan.between_domains_s) if plan is not None else (0.0, 0.0)
    return Faults(
        keys=np.concatenate(keys),
        processes=np.array(rows, dtype=np.int64).reshape(-1, layout.IS_DOWN + 1),
        strikes_s=np.full(len(rows), np.inf),
        hosts=np.array(hosts, dtype=np.int64),
        struck_from=np.array([*accumulate(map(len, struck_by), initial=0)], dtype=np.int64),
        struck_by=np.array([process for mine in struck_by for process in mine], dtype=np.int64),
        maintenance=np.array([domains, 0, 0], dtype=np.int64),
        maintenance_s=np.array([every_s, between_s, every_s]),
        turn_s=np.array([every_s + domain * between_s for domain in range(domains)], dtype=np.float64),
        domain_of=domain_of,
        in_domains=in_domains,
        domain_from=np.searchsorted(domain_of[in_domains], np.arange(domains + 1)),
    )


def new_scaled(setups: Sequence[GroupSetup]) -> Scaled:
    """The autoscaled groups of a fleet, none of their VMs requested."""
    scaled = [(place, setup) for place, setup in enumerate(setups) if setup.plan.demand.is_scaled]
    plans = [cast(Autoscale, setup.plan.demand) for _, setup in scaled]
    names = [setup.plan.name for _, setup in scaled]
    loads = [[*plan.stretches(setup.start, setup.horizon_s)] for plan, (_, setup) in zip(plans, scaled, strict=True)]
    stretches = max(map(len, loads), default=0)
    until_s, load = np.full((len(plans), stretches + 1), np.inf), np.zeros((len(plans), stretches + 1))
    fewest = np.zeros((len(plans), stretches + 1), dtype=np.int64)
    groups = np.zeros((len(plans), layout.WITH_SPOT + 1), dtype=np.int64)
    groups[:, [layout.NEWEST, layout.OLDEST, layout.WITH_SPOT]] = -1
    for row, (parts, (place, setup)) in enumerate(zip(loads, scaled, strict=True)):
        until_s[row, : len(parts)] = [until for until, *_ in parts]
        for values, column in ((load, 1), (fewest, 2)):
            values[row] = [part[column] for part in (*parts, *(parts[-1],) * (stretches + 1 - len(parts)))]
        owner = names.index(setup.plan.part_of or setup.plan.name)
        groups[row, [layout.SCALED_GROUP, layout.OWNER]] = place, owner
        if owner != row:
            groups[owner, layout.WITH_SPOT] = row
    most = [
        max(least) + max((rule.by for rule in plan.scale_out), default=0)
        for plan, least in zip(plans, fewest.tolist(), strict=True)
    ]
    rules = scaling_rules(plans)
    one = np.zeros(1, dtype=np.int64)
    return Scaled(
        rules=ScalingRules(
            *(np.array(part or [0], dtype=np.float64 if name in REALS else np.int64)
              for name, part in rules._asdict().items())  # type: ignore[arg-type]
        ),
        groups=groups,
        groups_s=np.array([(plan.tick_s, 0.0, 0.0) for plan in plans], dtype=np.float64).reshape(-1, layout.METER_S + 1),
        keys=np.array([setup.group_key for _, setup in scaled], dtype=np.uint64),
        until_s=until_s,
        loads=load,
        fewest=fewest,
        lines=np.zeros((len(plans), LOAD_LINES + 2 * (stretches + layout.MARGIN), 3), dtype=np.int64),
        birth=Births(
            born_s=np.zeros(1), group=one.copy(), vm=one.copy(), lifetime_s=np.zeros(0), key=np.zeros(1, dtype=np.uint64),
            lifetime_key=np.zeros(0, dtype=np.uint64), edges=np.zeros((0, 2), dtype=np.int64),
            follows=one[:0], awaited_by=one[:0], gone_s=np.zeros(0),
        ),
        growth=max(most, default=0),
    )  # fmt: skip


def new_notes(lines: int, transitions: int) -> Notes:
    """Room for twice as many lines: the loop stops when half of them are full."""
    return Notes(
        when_s=np.zeros(2 * lines),
        value=np.zeros(2 * lines),
        lines=np.zeros((2 * lines, layout.NOTE_KEY + 1), dtype=np.int64),
        progress=np.zeros(layout.HOST_FAILURES + 1, dtype=np.int64),
        refused=np.zeros(transitions, dtype=np.int64),
    )


def new_queue(slots: int, processes: int) -> Queue:
    """An empty queue, with room for some entries of each VM."""
    entries = 2 * (slots + layout.MARGIN + processes)
    nothing = np.zeros(entries, dtype=np.int64)
    progress = np.zeros(layout.EVICTIONS + 1, dtype=np.int64)
    progress[layout.FREE] = slots
    return Queue(np.zeros(entries), nothing, nothing.copy(), np.arange(slots, dtype=np.int64)[::-1].copy(), progress)
