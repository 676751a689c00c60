"""The number of VMs follows the load: the autoscaler of a group as a SimPy process, and the meter of its load."""

from __future__ import annotations

import math
from collections.abc import Generator
from itertools import islice
from typing import Any

from simpy.events import Event

from sim.engines.shared.autoscale import NO_RULE, decide, load_amounts, scaling_rules
from sim.engines.shared.priorities import TICKS
from sim.engines.simpy.group_run import NEVER, GroupRun, VmRecord
from sim.model.demand import Autoscale
from sim.model.demand.base import by_local_hour
from sim.model.state_machine import Transition
from sim.usage.ledger import to_ticks


class LoadMeter:
    """The load of a group against its VMs in service, both constant from one event to the next."""

    def __init__(self, plan: Autoscale, group: GroupRun) -> None:
        self.per_vm = plan.per_vm
        self.from_s = group.warm_up_s  # nothing is counted before
        self.now_s = 0.0
        self.serving = 0
        self.ticks: dict[tuple[float, int], int] = {}  # by load and VMs in service
        self.stretches = by_local_hour(plan.load, group.setup.start, group.horizon_s, plan.time_zone)
        _, self.until_s, self.load = next(self.stretches)

    def advance(self, to_s: float) -> None:
        """Time has passed; the load is that of the instant then."""
        while self.until_s <= to_s:
            self._pass(self.until_s)
            _, self.until_s, self.load = next(self.stretches, (0.0, NEVER, self.load))
        self._pass(to_s)

    def _pass(self, to_s: float) -> None:
        ticks = to_ticks(max(to_s, self.from_s)) - to_ticks(max(self.now_s, self.from_s))
        if ticks:
            here = self.load, self.serving
            self.ticks[here] = self.ticks.get(here, 0) + ticks
        self.now_s = to_s

    def move(self, vm: VmRecord, transition: Transition) -> None:
        """A VM comes into service, or leaves it."""
        change = transition.target.serving - transition.source.serving
        if change:
            self.advance(vm.now_s)
            self.serving += change

    def amounts(self) -> dict[str, float]:
        """Load times hours, offered and served, and hours of overload."""
        return load_amounts(self.ticks, self.per_vm)


def autoscale(group: GroupRun, plan: Autoscale) -> Generator[Event, Any, None]:
    """The process: look at the load every tick, request VMs or delete the newest; measure how the load is served."""
    env, meter, rules = group.env, LoadMeter(plan, group), scaling_rules([plan])
    newest: dict[int, None] = {}
    made = 0
    quiet_until_s = 0.0
    listener = group.on_move

    def on_move(vm: VmRecord, transition: Transition) -> None:
        meter.move(vm, transition)
        if transition.target.ends:
            newest.pop(vm.index, None)
        if listener is not None:
            listener(vm, transition)

    def grow(by: int) -> None:
        nonlocal made
        for _ in range(by):
            group.add_vm(made, env.now)
            newest[made] = None
            made += 1

    group.on_move = on_move
    grow(plan.minimum)
    now_s = 0.0
    last_s = math.nextafter(group.horizon_s, 0.0)  # what is open at the horizon is closed there, and counted
    while True:
        now_s = min(now_s + plan.tick_s, last_s)
        yield env.at(now_s, TICKS + group.setup.index)
        if now_s == last_s:
            meter.advance(group.horizon_s)
            group.amounts.update(meter.amounts())
            return
        meter.advance(now_s)
        grow(max(0, plan.minimum - len(newest)))  # if some were lost: no rule fires, no cooldown holds it up
        wanted, rule = decide(rules, 0, meter.load, len(newest), meter.serving, now_s, quiet_until_s)
        if rule == NO_RULE:
            continue
        quiet_until_s = now_s + rules.cooldown_s[rule]
        if wanted > len(newest):
            group.count("autoscale.out")
            grow(wanted - len(newest))
        else:
            group.count("autoscale.in")
            _shrink(group, newest, len(newest) - wanted)


def _shrink(group: GroupRun, newest: dict[int, None], by: int) -> None:
    """Delete the newest VMs, of those that can be deleted now."""
    may_go = (
        index
        for index in reversed(newest)
        if (group.vms[index].state.index, "delete") in group.state_machine.asks
        and group.vms[index].pending_target is None
        and not group.vms[index].acquiring
    )
    for index in list(islice(may_go, by)):
        vm = group.vms[index]
        vm.interrupt(group.state_machine.asks[vm.state.index, "delete"])
        del newest[index]
