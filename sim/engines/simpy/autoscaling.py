"""The number of VMs follows the load: ticks, any-out / all-in rules, one cooldown for both directions, no flapping.

Rules and their order: Microsoft, Autoscale: understand settings (2026-08-05), and Autoscale flapping (2024-11-01).
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from simpy.events import Event

from sim.engines.simpy.group_run import NEVER, GroupRun, VmRecord
from sim.model.demand import Autoscale, ScalingRule
from sim.model.demand.base import by_local_hour
from sim.model.state_machine import Transition
from sim.usage.ledger import TICKS_PER_HOUR, to_ticks


def decide(
    plan: Autoscale, load: float, existing: int, serving: int, now_s: float, quiet_until_s: float
) -> tuple[int, ScalingRule | None]:
    """The number of VMs that the rules want, and the rule that says so (None: leave it).

    *load* is shared by the *serving* VMs: new ones bring capacity only once they have booted. A scale-out rule that is
    true wins with the largest number; a scale-in needs all its rules true, and takes only as many VMs as leave every
    scale-out rule false.
    """
    if now_s < quiet_until_s or serving <= 0:  # while none serves, there is nothing to measure
        return existing, None
    use = _use(plan, load, serving)
    out = [rule for rule in plan.scale_out if use > rule.threshold]
    if out:
        rule = max(out, key=lambda rule: rule.by)
        wanted = min(existing + rule.by, plan.maximum)
        return (wanted, rule) if wanted > existing else (existing, None)
    if plan.scale_in and all(use < rule.threshold for rule in plan.scale_in):
        rule = min(plan.scale_in, key=lambda rule: rule.by)
        for fewer in range(min(rule.by, existing - plan.minimum), 0, -1):
            after = _use(plan, load, serving - fewer)
            if all(after <= other.threshold for other in plan.scale_out):
                return existing - fewer, rule
    return existing, None


def _use(plan: Autoscale, load: float, serving: int) -> float:
    """Load per VM as a share of what one VM serves; for none any load would be too much."""
    if serving <= 0:
        return float("inf") if load > 0 else 0.0
    return load / (serving * plan.per_vm)


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
        """Load times hours, offered and served, and the hours in which there was more of it than VMs could serve."""
        parts = [(load, serving * self.per_vm, ticks / TICKS_PER_HOUR) for (load, serving), ticks in self.ticks.items()]
        return {
            "load.offered": math.fsum(load * hours for load, _, hours in parts),
            "load.served": math.fsum(min(load, served) * hours for load, served, hours in parts),
            "load.overload_hours": math.fsum(hours for load, served, hours in parts if load > served),
        }


def autoscale(group: GroupRun, plan: Autoscale) -> Generator[Event, Any, None]:
    """The process: look at the load every tick, request VMs or delete the newest; measure how the load is served."""
    env, meter = group.env, LoadMeter(plan, group)
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
        yield env.at(now_s)
        if now_s == last_s:
            meter.advance(group.horizon_s)
            group.amounts.update(meter.amounts())
            return
        meter.advance(now_s)
        grow(max(0, plan.minimum - len(newest)))  # if some were lost: no rule fires, no cooldown holds it up
        wanted, rule = decide(plan, meter.load, len(newest), meter.serving, now_s, quiet_until_s)
        if rule is None:
            continue
        quiet_until_s = now_s + rule.cooldown_s
        if wanted > len(newest):
            group.count("autoscale.out")
            grow(wanted - len(newest))
        else:
            group.count("autoscale.in")
            _shrink(group, newest, len(newest) - wanted)


def _shrink(group: GroupRun, newest: dict[int, None], by: int) -> None:
    """Delete the newest VMs, of those that can be deleted now."""
    for index in reversed(list(newest)):
        if by <= 0:
            return
        vm = group.vms[index]
        ask = group.state_machine.asks.get((vm.state.index, "delete"))
        if ask is not None and vm.pending_target is None and not vm.acquiring:
            vm.interrupt(ask)
            del newest[index]
            by -= 1
