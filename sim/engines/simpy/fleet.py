"""A fleet in SimPy: the model of record. Each VM is a process; custom processes may join and ask the control plane."""

import gc
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from simpy.events import Event

from sim.distributions import streams
from sim.engines.events import Noted
from sim.engines.group_setup import FleetRun, GroupSetup, MovesListener, set_up
from sim.engines.shared.room import use_of_hosts
from sim.engines.shared.work import work_figures
from sim.engines.simpy.autoscaling import autoscale
from sim.engines.simpy.environment import Environment
from sim.engines.simpy.faults import start_faults
from sim.engines.simpy.group_run import CONFLICT, GroupRun, VmRecord
from sim.engines.simpy.platform import SharedPlatform
from sim.engines.simpy.vm import start_vm
from sim.errors import OperationNotAllowed
from sim.fields.metrics import find_metric
from sim.fields.registry import name_of
from sim.lifecycle.operations import OPERATION_NAMES, rows_for
from sim.model.demand import Autoscale
from sim.model.plan import FleetPlan
from sim.model.state_machine import Transition
from sim.usage.collector import Accumulator, Peak, Window, ticks_of
from sim.usage.ledger import into_clock_hour_s, whole_fleet, with_more

FLUSHED_AT_ONCE = 65_536  # moves that a flush aims to find in the event buffers


@dataclass(slots=True)
class Fleet:
    """A fleet in SimPy: one process a VM. Custom processes may join it by `env.process` and ask the control plane."""

    plan: FleetPlan
    seed: int
    replication: int
    takes_requests: bool = False
    only: frozenset[str] | None = None  # groups simulated here; None: all
    listener: MovesListener | None = None
    on_flush: Callable[[float], None] | None = None  # called with the instant before which the listener has every move
    on_event: Callable[[Noted], None] | None = None  # called with what isn't a move of a VM
    peaks: tuple[Peak, Peak] | None = None  # on a host, running; given where another engine simulates the other groups
    env: Environment = field(init=False, default_factory=Environment)
    groups: dict[str, GroupRun] = field(init=False)
    accumulators: dict[str, Accumulator] = field(init=False)
    peak: tuple[Peak, Peak] = field(init=False)
    window: Window = field(init=False)
    platform: SharedPlatform | None = field(init=False)
    out_of_order: Counter[int] = field(
        init=False, default_factory=Counter
    )  # how often `fail_hosts` made each host fail

    def __post_init__(self) -> None:
        plan = self.plan
        self.takes_requests |= bool(plan.processes or (plan.platform and plan.platform.own_faults))
        setups = set_up(plan, seed=self.seed, replication=self.replication, takes_requests=self.takes_requests)
        self.window = Window(start_s=plan.warm_up_s, end_s=plan.horizon_s, into_hour_s=into_clock_hour_s(plan.start))
        self.platform = (
            SharedPlatform(plan, self.env, streams.replication_key(self.seed, self.replication))
            if plan.platform is not None
            else None
        )
        mine = [setup for setup in setups if self.only is None or setup.plan.name in self.only]
        self.groups = {
            s.plan.name: GroupRun(
                s,
                self.env,
                self.platform,
                start_vm=start_vm,
                warm_up_s=plan.warm_up_s,
                takes_requests=self.takes_requests or bool(s.plan.behaviours),
            )
            for s in mine
        }
        for group in self.groups.values():
            of = group.setup.plan
            if of.part_of and not of.demand.is_scaled:
                group.home = group.other = self.groups[of.part_of]
                group.other.other = group
        self.accumulators = {s.plan.name: s.accumulator(self.window) for s in mine}
        self.peak = self.peaks or new_peaks(len(setups), self.window)

    def run(self) -> FleetRun:
        """Simulate to the horizon; the usage, audited. Raises AuditError, LifecycleError."""
        self.run_until()
        setups = [group.setup for group in self.groups.values()]
        return close_ledgers(setups, self.accumulators, self.peak, self.counted(), engine="simpy")

    def counted(self) -> "Counted":
        """What was counted that isn't a move."""
        own: dict[str, dict[str, float]] = {}
        peak: dict[str, int] = {}
        if self.platform is not None:
            own, peak = use_of_hosts(self.platform.room, self.platform.plan, self.plan.groups)
        return Counted(
            counts={name: group.counts | work_figures(group.work)[0] for name, group in self.groups.items()},
            amounts={
                name: group.amounts | work_figures(group.work)[1] | own.get(name, {})
                for name, group in self.groups.items()
            },
            of_platform=(self.platform.counts if self.platform is not None else {}) | peak,
            amounts_of_platform=own.get("", {}),
        )

    def run_until(self) -> None:
        """Simulate to the horizon, and flush every move. Raises LifecycleError."""
        was_collecting = gc.isenabled()
        gc.disable()  # a fleet is many small objects in use; searching them for garbage would take most of the time
        try:
            if self.platform is not None:
                self.platform.on_event = self.on_event
            for group in self.groups.values():
                group.on_event = self.on_event
                if self.listener is not None:
                    group.whom = array("q")
                    group.on_move = _record
                if self.takes_requests:
                    group.on_move = _remember
                if not group.setup.plan.demand.is_scaled:
                    self.env.process(group.source())
                elif not group.setup.plan.part_of:
                    name = group.setup.plan.name
                    spot = [other for other in self.groups.values() if other.setup.plan.part_of == name]
                    self.env.process(autoscale([group, *spot], cast(Autoscale, group.setup.plan.demand)))
            for name, start in self._behaviours():
                self.env.join(name, start)
            if self.platform is not None:
                root = streams.replication_key(self.seed, self.replication)
                start_faults(self.plan, self.platform, self.env, root)
            self.env.process(self._flusher())
            self.env.run_until(self.plan.horizon_s)
            for group in self.groups.values():
                for vm in group.vms.values():
                    vm.close()
            self.flush(None)
        finally:
            if was_collecting:
                gc.enable()

    def _behaviours(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """The processes of plug-ins, with their names: of groups, of the platform, and passed in from Python."""
        for name, group in self.groups.items():
            for each in group.setup.plan.behaviours:
                yield name_of(each), partial(each.behave, self, name)
        for each in self.plan.platform.own_faults if self.plan.platform is not None else ():
            yield name_of(each), partial(each.behave, self)
        for each in self.plan.processes:
            yield each.name, partial(each.start, self)

    def _flusher(self) -> Generator[Event, Any, None]:
        """Flushes now and then, so that memory holds VMs, not their past."""
        pause_s = max(1.0, self.plan.horizon_s / 64)
        while True:
            yield self.env.timeout(pause_s)
            waiting = max((len(group.when) for group in self.groups.values()), default=0)
            self.flush(self.env.now)
            pause_s *= min(4.0, max(0.25, FLUSHED_AT_ONCE / max(1, waiting)))

    def flush(self, now_s: float | None) -> None:
        """Add the event buffers to the accumulators; every move before *now_s* (None: all) is known."""
        for name, group in self.groups.items():
            when, what = np.array(group.when, dtype=np.float64), np.array(group.what, dtype=np.int64)
            del group.when[:], group.what[:]
            if not len(when):
                continue
            self.accumulators[name].book(when, what)
            self.accumulators[name].waits.add(np.array(group.waits, dtype=np.int64))
            del group.waits[:]
            note_peaks(self.peak, group.setup, ticks_of(when), what)
            if self.listener is not None and group.whom is not None:
                moved = what < group.state_machine.moves
                self.listener(group.setup, when[moved], what[moved], np.array(group.whom, dtype=np.int64))
                del group.whom[:]
        if self.on_flush is not None and now_s is not None:
            self.on_flush(now_s)
        for peak in self.peak:
            peak.flush(None if now_s is None else int(ticks_of(np.array([now_s]))[0]))

    # -- the control plane, for custom processes --------------------------------------------------------------------

    def vms(self, group: str) -> list[str]:
        """The names of a group's VMs that exist now, in the order of their numbers."""
        return [vm.name for _, vm in sorted(self._group(group).vms.items())]

    def _group(self, name: str) -> GroupRun:
        if name not in self.groups:
            raise KeyError(f"there is no group {name!r} here: there are {', '.join(self.groups)}")
        return self.groups[name]

    def random(self, name: str) -> Random:
        """Random numbers for a process of that name: the same in every run of this seed and replication."""
        return Random(streams.entity_key(streams.replication_key(self.seed, self.replication), f"process {name}"))

    def count(self, group: str, metric: str) -> None:
        """Count something in a group, for a metric of that name (`sim.fields.metrics`); what comes in the warm-up isn't counted."""
        if find_metric(metric) is None:
            raise ValueError(f"no metric is called {metric!r}: add one of that name (`sim.fields.metrics.add_metrics`)")
        self._group(group).count(metric)

    @property
    def hosts(self) -> range:
        """The numbers of the hosts, through all clusters in the order of the file."""
        return range(len(self.platform.index.unit_of) if self.platform is not None else 0)

    def fail_hosts(self, hosts: Iterable[int]) -> None:
        """Hosts are out of order: their VMs are down until they are started on others. One that fails twice is repaired twice.

        Raises ValueError for a number that is not one of `hosts`; no host fails then.
        """
        platform, failing = self._hosts_of(hosts)
        self.out_of_order.update(failing)
        platform.fail(failing)

    def repair_hosts(self, hosts: Iterable[int]) -> None:
        """Hosts are back. Raises ValueError for one that `fail_hosts` hasn't made fail, or that was repaired since."""
        platform, repaired = self._hosts_of(hosts)
        left = self.out_of_order - Counter(repaired)
        if left.total() + len(repaired) != self.out_of_order.total():
            host = next(host for host, times in Counter(repaired).items() if times > self.out_of_order[host])
            raise ValueError(f"host {host} is to be repaired more often than it has failed by fail_hosts")
        self.out_of_order = left
        platform.repair(repaired)

    def _hosts_of(self, hosts: Iterable[int]) -> tuple[SharedPlatform, list[int]]:
        """The platform and these of its hosts. Raises ValueError."""
        if self.platform is None or not self.hosts:
            raise ValueError("the fleet has no hosts: there are none without [[platform.hosts]]")
        found: list[Any] = list(hosts)
        for host in found:
            if not isinstance(host, int | np.integer) or host not in self.hosts:
                raise ValueError(f"there is no host {host!r}: there are 0 to {self.hosts[-1]}")
        return self.platform, [int(host) for host in found]

    def vm(self, name: str) -> VmRecord:
        """A VM by its name. Raises KeyError: none such, or not yet; the fleet must be made with `takes_requests`."""
        group, _, number = name.rpartition("-")
        if not self.takes_requests and not (group in self.groups and self.groups[group].setup.plan.behaviours):
            raise KeyError(f"{name}: make the fleet with takes_requests=True to ask for its VMs")
        vms = self.groups[group].vms if group in self.groups else {}
        if not number.isdecimal() or int(number) not in vms:
            raise KeyError(f"{name} at {self.env.now / 3600:.3f} h: there is no such VM (not yet, or no longer)")
        return vms[int(number)]

    def request(self, name: str, operation: str) -> Event:
        """Ask for an operation on a VM; the event comes when it has ended, whichever way, with the VM's new state.

        Raises OperationNotAllowed (counted as rejected) while another operation runs, or where the power state
        doesn't accept it. A delete is always accepted: it ends what is under way, and joins a delete. ValueError: there is no
        such operation.
        """
        if operation not in OPERATION_NAMES:
            raise ValueError(f"there is no operation {operation!r}: there are {', '.join(OPERATION_NAMES)}")
        vm = self.vm(name)
        here = vm.pending_target or vm.state
        ask = None if vm.acquiring else vm.group.state_machine.asks.get((here.index, operation))
        done = self.env.event()
        if ask is None:
            if operation == "delete" and here.operation == "delete":
                return self._join(vm, done)
            vm.group.refuse(operation, CONFLICT, vm)
            if here.operation is not None:
                raise OperationNotAllowed(
                    f"{name} at {self.env.now / 3600:.3f} h: {operation} conflicts with {here.operation}, which is under way"
                )
            rows_for(operation, here.power)
            raise OperationNotAllowed(
                f"{name} at {self.env.now / 3600:.3f} h: {operation} is not accepted from {here.name}"
            )
        vm.request(operation, done)
        return done

    @staticmethod
    def _join(vm: VmRecord, done: Event) -> Event:
        """Wait with others for the delete that is under way already."""
        if vm.awaited is None:
            vm.awaited = done
        elif vm.awaited.callbacks is not None:
            vm.awaited.callbacks.append(done.trigger)
        return done


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted that isn't a move: by group, and of the platform."""

    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    amounts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    of_platform: Mapping[str, int] = field(default_factory=dict)
    amounts_of_platform: Mapping[str, float] = field(default_factory=dict)


def new_peaks(groups: int, window: Window) -> tuple[Peak, Peak]:
    """The most VMs on a host at once, and the most running at once."""
    return Peak(groups, window.start_ticks), Peak(groups, window.start_ticks)


def close_ledgers(
    setups: Sequence[GroupSetup],
    accumulators: Mapping[str, Accumulator],
    peaks: tuple[Peak, Peak],
    *counted: Counted,
    engine: str,
) -> FleetRun:
    """Every move is flushed: the audited usage of each group and of all, with what was counted that isn't a move.

    Raises AuditError.
    """
    for peak in peaks:
        peak.flush()
    usages = {}
    for setup in setups:
        name = setup.plan.name
        usages[name] = accumulators[name].usage(name, *(int(peak.most[setup.index]) for peak in peaks))
        for some in counted:
            usages[name] = with_more(usages[name], some.counts.get(name, {}), some.amounts.get(name, {}))
    whole = whole_fleet(
        list(usages.values()), peak_allocated=int(peaks[0].most[-1]), peak_running=int(peaks[1].most[-1])
    )
    for some in counted:
        whole = with_more(whole, some.of_platform, some.amounts_of_platform)
    return FleetRun(usages=usages, fleet=whole, engine=engine)


def _record(vm: VmRecord, _transition: Transition) -> None:
    assert vm.group.whom is not None
    vm.group.whom.append(vm.index)


def _remember(vm: VmRecord, transition: Transition) -> None:
    vm.past.append((vm.now_s, transition))
    if vm.group.whom is not None:
        vm.group.whom.append(vm.index)


def note_peaks(peaks: Sequence[Peak], setup: GroupSetup, ticks: NDArray[np.int64], what: NDArray[np.int64]) -> None:
    """Pass to the peaks the moves that take or give back a host, or begin or end running."""
    for peak, change in zip(peaks, (setup.table.on_host_change, setup.table.running_change), strict=True):
        changed = change[what]
        some = changed != 0
        peak.add(ticks[some], setup.index, changed[some])
