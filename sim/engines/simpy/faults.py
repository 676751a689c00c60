"""Failures of single hosts, racks and zones, and planned maintenance: a SimPy process for each."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from simpy.events import Event

from sim.distributions import streams
from sim.distributions.samplers import compile_samplers
from sim.engines.shared.priorities import DISRUPTS
from sim.engines.simpy.environment import Environment
from sim.engines.simpy.group_run import VmRecord
from sim.engines.simpy.platform import SharedPlatform
from sim.engines.simpy.variates import Variates
from sim.model.faults import Maintenance
from sim.model.plan import FleetPlan

BETWEEN, REPAIR = 0, 1


def start_faults(plan: FleetPlan, platform: SharedPlatform, env: Environment, root: int) -> None:
    """Start a process for everything that may fail, and one for maintenance; *root* is the replication's key."""
    assert plan.platform is not None
    if platform.endless:
        return
    names = [pool.name for pool in plan.platform.hosts]
    single = [[[host] for host in hosts] for hosts in clusters_of(platform)]
    zones = zones_of(platform)
    for kind, failing, unions in (
        ("host", plan.platform.host_failures, dict(zip(names, single, strict=True))),
        ("rack", plan.platform.rack_failures, dict(zip(names, racks_of(platform), strict=True))),
        ("zone", plan.platform.zone_failures, {str(zone): [hosts] for zone, hosts in sorted(zones.items())}),
    ):
        if failing is None:
            continue
        samplers = compile_samplers([failing.time_between_s, failing.repair_s])
        for name, members in unions.items():
            variates = Variates(
                streams.entity_key(root, f"{kind} {name}"), ("time_between", "repair"), samplers, (0, 1),
                members=len(members),
            )  # fmt: skip
            for number, hosts in enumerate(members):
                env.process(_fails(platform, env, variates, number, hosts))
    if plan.platform.maintenance is not None:
        env.process(_maintenance(plan.platform.maintenance, platform, env))


def clusters_of(platform: SharedPlatform) -> list[list[int]]:
    """Hosts of each cluster."""
    found: list[list[int]] = [[] for _ in platform.plan.hosts]
    for host, unit in enumerate(platform.index.unit_of):
        found[platform.index.cluster[unit]].append(host)
    return found


def racks_of(platform: SharedPlatform) -> list[list[list[int]]]:
    """Hosts of each rack of each cluster; a rack's hosts are neighbours, as in `placement`."""
    racks = []
    for pool, hosts in zip(platform.plan.hosts, clusters_of(platform), strict=True):
        parts = min(pool.racks, pool.count)
        sizes = [pool.count // parts + (rack < pool.count % parts) for rack in range(parts)]
        starts = [sum(sizes[:rack]) for rack in range(parts)]
        racks.append([hosts[start : start + size] for start, size in zip(starts, sizes, strict=True)])
    return racks


def zones_of(platform: SharedPlatform) -> dict[int, list[int]]:
    """Hosts of each zone; a cluster without a zone is in none."""
    by_zone: dict[int, list[int]] = {}
    for pool, hosts in zip(platform.plan.hosts, clusters_of(platform), strict=True):
        if pool.zone:
            by_zone.setdefault(pool.zone, []).extend(hosts)
    return by_zone


def _fails(
    platform: SharedPlatform, env: Environment, variates: Variates, number: int, hosts: Sequence[int]
) -> Generator[Event, Any, None]:
    """Up for a while, out of order for a while, for ever."""
    draws: list[Any] = [None, None]
    blocks = [0, 0]

    def draw(stream: int) -> float:
        while True:
            try:
                if draws[stream] is not None:
                    return float(draws[stream]())
            except StopIteration:
                pass
            draws[stream] = variates.column(number, stream, blocks[stream])
            blocks[stream] += 1

    now_s = 0.0
    while True:
        now_s += draw(BETWEEN)
        yield env.at(now_s, DISRUPTS)
        platform.fail(hosts)
        now_s += draw(REPAIR)
        yield env.at(now_s, DISRUPTS)
        platform.repair(hosts)


def _maintenance(plan: Maintenance, platform: SharedPlatform, env: Environment) -> Generator[Event, Any, None]:
    """Every so often, one update domain after the other."""

    reached: set[int] = set()  # in this round: a VM that moves to a host whose turn is still to come has had its own

    def reach(vm: VmRecord) -> None:
        transition = vm.state.maintained
        if transition is not None and not vm.acquiring and vm.pending_target is None and vm.rank not in reached:
            reached.add(vm.rank)
            vm.interrupt(transition)

    round_s = 0.0
    while True:
        round_s += plan.every_s
        reached.clear()
        for domain in range(plan.update_domains):
            # A round that isn't over when the next is due delays it.
            yield env.at(max(env.now, round_s + domain * plan.between_domains_s), DISRUPTS)
            platform.maintain(range(domain, len(platform.vms_on), plan.update_domains), reach)
