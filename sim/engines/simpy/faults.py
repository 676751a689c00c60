"""Failures of single hosts, racks and zones, and planned maintenance: a SimPy process for each."""

from collections.abc import Generator, Sequence
from typing import Any

from simpy.events import Event

from sim.distributions import streams
from sim.distributions.samplers import compile_samplers
from sim.engines.shared.faults import BETWEEN, REPAIR, STREAMS, unions_that_fail, update_domains_of
from sim.engines.shared.priorities import FAULTS
from sim.engines.simpy.environment import Environment
from sim.engines.simpy.group_run import VmRecord
from sim.engines.simpy.platform import SharedPlatform
from sim.engines.simpy.variates import Variates
from sim.model.faults import Maintenance
from sim.model.plan import FleetPlan


def start_faults(plan: FleetPlan, platform: SharedPlatform, env: Environment, root: int) -> None:
    """Start a process for everything that may fail, and one for maintenance; *root* is the replication's key."""
    assert plan.platform is not None
    if not plan.platform.hosts:
        return
    priority = FAULTS
    for union in unions_that_fail(plan.platform, platform.index):
        samplers = compile_samplers([union.failing.time_between_s, union.failing.repair_s])
        key = streams.entity_key(root, union.name)
        variates = Variates(key, STREAMS, samplers, (0, 1), members=len(union.members))
        for number, hosts in enumerate(union.members):
            env.process(_fails(platform, env, variates, number, hosts, priority))
            priority += 1
    if plan.platform.maintenance is not None:
        domains = update_domains_of(plan.platform, platform.index)
        by_domain = [
            [host for host, its in enumerate(domains) if its == domain]
            for domain in range(plan.platform.maintenance.update_domains)
        ]
        env.process(_maintenance(plan.platform.maintenance, by_domain, platform, env, priority))


def _fails(
    platform: SharedPlatform, env: Environment, variates: Variates, number: int, hosts: Sequence[int], priority: int
) -> Generator[Event, Any, None]:
    """Up for a while, out of order for a while, for ever."""
    draws: list[Any] = [None, None]
    blocks = [0, 0]

    def draw(name: str) -> float:
        stream = STREAMS.index(name)
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
        yield env.at(now_s, priority)
        platform.fail(hosts)
        now_s += draw(REPAIR)
        yield env.at(now_s, priority)
        platform.repair(hosts)


def _maintenance(
    plan: Maintenance, domains: Sequence[Sequence[int]], platform: SharedPlatform, env: Environment, priority: int
) -> Generator[Event, Any, None]:
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
        for domain, hosts in enumerate(domains):
            # A round that isn't over when the next is due delays it.
            yield env.at(max(env.now, round_s + domain * plan.between_domains_s), priority)
            for host in hosts:
                for vm in platform.vms_on(host):
                    reach(vm)
