"""The number of VMs follows the load: ticks, any-out / all-in rules, one cooldown for both directions, no flapping.

Rules and their order: Microsoft, Autoscale: understand settings (2026-08-05), and Autoscale flapping (2024-11-01).
"""

from __future__ import annotations

import math
from collections.abc import Generator
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from simpy.events import Event

from sim.engines.simpy.group_run import GroupRun
from sim.model.demand import Autoscale, ScalingRule
from sim.units import SECONDS_PER_HOUR


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


def load_at(plan: Autoscale, group: GroupRun, t_s: float) -> float:
    """The load at an instant (s): of that hour of the local day or week."""
    local = (group.setup.start + timedelta(seconds=t_s)).astimezone(ZoneInfo(plan.time_zone))
    return plan.load[local.hour + (24 * local.weekday() if len(plan.load) == 168 else 0)]


def autoscale(group: GroupRun, plan: Autoscale) -> Generator[Event, Any, None]:
    """The process: look at the load every tick, request VMs or delete the newest; measure how the load was served."""
    env = group.env
    newest: list[int] = []
    made = 0
    quiet_until_s = 0.0
    offered = served = overloaded_h = 0.0

    def grow(by: int) -> None:
        nonlocal made
        for _ in range(by):
            group.add_vm(made, env.now)
            newest.append(made)
            made += 1

    grow(plan.minimum)
    now_s = 0.0
    last_s = math.nextafter(group.horizon_s, 0.0)  # what is open at the horizon is closed there, and counted
    while True:
        next_s = min(now_s + plan.tick_s, last_s)
        yield env.at(next_s)
        tick_h, now_s = (next_s - now_s) / SECONDS_PER_HOUR, next_s
        load = load_at(plan, group, now_s)
        serving = sum(group.vms[index].state.serving for index in newest if index in group.vms)
        if now_s > group.warm_up_s:
            offered += load * tick_h
            served += min(load, serving * plan.per_vm) * tick_h
            overloaded_h += tick_h * (load > serving * plan.per_vm)
            group.amounts.update({"load.offered": offered, "load.served": served, "load.overload_hours": overloaded_h})
        if now_s == last_s:
            return
        newest[:] = [index for index in newest if index in group.vms]
        grow(max(0, plan.minimum - len(newest)))  # if some were lost: no rule fires, no cooldown holds it up
        wanted, rule = decide(plan, load, len(newest), serving, now_s, quiet_until_s)
        if rule is None:
            continue
        quiet_until_s = now_s + rule.cooldown_s
        if wanted > len(newest):
            group.count("autoscale.out")
            grow(wanted - len(newest))
        else:
            group.count("autoscale.in")
            _shrink(group, newest, len(newest) - wanted)


def _shrink(group: GroupRun, newest: list[int], by: int) -> None:
    """Delete the newest VMs, of those that can be deleted now."""
    for index in reversed(newest.copy()):
        vm = group.vms[index]
        ask = group.state_machine.asks.get((vm.state.index, "delete"))
        if by > 0 and ask is not None and vm.pending_target is None and not vm.acquiring:
            vm.interrupt(ask)
            newest.remove(index)
            by -= 1
