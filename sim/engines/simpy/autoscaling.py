"""The number of VMs follows the load: the autoscaler of a group as a SimPy process, and the meter of its load."""

import math
from collections.abc import Generator, Sequence
from typing import Any

from simpy.events import Event

from sim.engines.shared.autoscale import NO_RULE, decide, load_amounts, regular_change, scaling_rules
from sim.engines.shared.priorities import TICKS
from sim.engines.simpy.group_run import NEVER, GroupRun, VmRecord
from sim.model.demand import Autoscale
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
        self.stretches = plan.stretches(group.setup.start, group.horizon_s)
        self.until_s, self.load, self.fewest = next(self.stretches)

    def advance(self, to_s: float) -> None:
        """Time has passed; the load is that of the instant then, and so is the fewest number of VMs."""
        while self.until_s <= to_s:
            self._pass(self.until_s)
            self.until_s, self.load, self.fewest = next(self.stretches, (NEVER, self.load, self.fewest))
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


class ScaledVms:
    """The VMs of one kind, regular or spot, that an autoscaler has: asked for, or kept deallocated."""

    def __init__(self, group: GroupRun, meter: LoadMeter) -> None:
        self.group = group
        self.meter = meter
        self.numbers: dict[int, None] = {}  # rising
        self.kept: set[int] = set()
        self.made = 0
        self.listener = group.on_move
        group.on_move = self.on_move

    @property
    def asked_for(self) -> int:
        """VMs that are not kept deallocated."""
        return len(self.numbers) - len(self.kept)

    def on_move(self, vm: VmRecord, transition: Transition) -> None:
        """A VM has moved: it may be gone, or be no longer asked for because no one brings it back."""
        self.meter.move(vm, transition)
        if transition.target.ends:
            self.numbers.pop(vm.index, None)
            self.kept.discard(vm.index)
        elif transition.ends_demand and vm.index in self.numbers:
            self.kept.add(vm.index)
        if self.listener is not None:
            self.listener(vm, transition)

    def grow(self, by: int) -> None:
        """Start VMs that are kept, the lowest number first; then create others."""
        for index in sorted(self.kept):
            vm = self.group.vms[index]
            if by > 0 and vm.state.up is not None and vm.may_be_scaled:
                vm.interrupt(vm.state.up)
                self.kept.discard(index)
                by -= 1
        for _ in range(by):
            self.group.add_vm(self.made, self.group.env.now)
            self.numbers[self.made] = None
            self.made += 1

    def shrink(self, by: int, room: int) -> int:
        """Deallocate the newest VMs as long as there is *room* for kept ones, else delete them; how much room is left."""
        for index in reversed([number for number in self.numbers if number not in self.kept]):
            vm = self.group.vms[index]
            transition = vm.state.set_aside if room > 0 else vm.state.removed
            if by == 0:
                break
            if transition is None or not vm.may_be_scaled:
                continue
            by -= 1
            if transition is vm.state.down:
                self.kept.add(index)
                room -= 1
            else:
                del self.numbers[index]
            vm.interrupt(transition)
        return room


def autoscale(groups: Sequence[GroupRun], plan: Autoscale) -> Generator[Event, Any, None]:
    """The process: look at the load every tick, request VMs or take the newest away; measure how the load is served.

    *groups*: the VMs, or of a mix the regular and the spot ones.
    """
    group, env = groups[0], groups[0].env
    meter, rules = LoadMeter(plan, group), scaling_rules([plan])
    kinds = [ScaledVms(each, meter) for each in groups]

    def scale(existing: int, wanted: int) -> None:
        regular = regular_change(rules, 0, kinds[0].asked_for, existing, wanted)
        room = rules.keep_at_most[0] - sum(len(kind.kept) for kind in kinds)
        for kind, change in zip(kinds, (regular, wanted - existing - regular), strict=False):
            kind.grow(max(0, change))
            room = kind.shrink(max(0, -change), room)

    scale(0, meter.fewest)
    now_s, quiet_until_s = 0.0, 0.0
    last_s = math.nextafter(group.horizon_s, 0.0)  # what is open at the horizon is closed there, and counted
    while True:
        now_s = min(now_s + plan.tick_s, last_s)
        yield env.at(now_s, TICKS + group.setup.index)
        if now_s == last_s:
            meter.advance(group.horizon_s)
            group.amounts.update(meter.amounts())
            return
        meter.advance(now_s)
        existing = sum(kind.asked_for for kind in kinds)
        if existing < meter.fewest:  # some were lost, or more are needed now: no rule fires, no cooldown holds it up
            scale(existing, meter.fewest)
            existing = meter.fewest
        wanted, rule = decide(rules, 0, meter.load, meter.fewest, existing, meter.serving, now_s, quiet_until_s)
        if rule != NO_RULE:
            quiet_until_s = now_s + rules.cooldown_s[rule]
            group.count("autoscale.out" if wanted > existing else "autoscale.in")
            scale(existing, wanted)
