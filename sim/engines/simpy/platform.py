"""What VMs share: hosts and the room on them, quota, rate limits, reserved room; and failures of hosts.

VMs come here when they need hardware or quota, give it back, or ask for an operation. At one instant, what is given back
comes before what is asked for, and VMs come in the order of groups and numbers (see `VmOnPlatform.acquire_resources`), so the
outcome doesn't depend on the history of the event queue. What is decided by a rule that the compiled engine has too
stands in `sim.engines.shared`.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from simpy.events import Event

from sim.engines.events import HOST_FAILURE, HOST_REPAIR, Noted, of_host
from sim.engines.shared import quota, room
from sim.engines.shared.linked_list import Links
from sim.engines.shared.placement import POLICIES, HostChooser, VmToPlace, hosts_with_room, too_many_shapes
from sim.engines.shared.room import LEAVES, NOWHERE, UNIT, VM_COLUMNS
from sim.engines.shared.shortages import refusal, shortages_of
from sim.engines.shared.throttle import BUCKET_OF, full_buckets, take_token
from sim.engines.simpy.environment import Environment
from sim.engines.simpy.group_run import VmRecord
from sim.errors import PlugInError, ScenarioError
from sim.model.plan import FleetPlan, Platform
from sim.units import SECONDS_PER_HOUR


class SharedPlatform:
    """The platform of one run."""

    def __init__(self, plan: FleetPlan, env: Environment, root: int) -> None:
        assert plan.platform is not None
        self.plan: Platform = plan.platform
        self.warm_up_s = plan.warm_up_s
        self.env = env
        self.room = room.new_room(plan.platform, plan.groups, window_s=(plan.warm_up_s, plan.horizon_s))
        self.index = self.room.hosts
        self.chooser = _new_chooser(plan.platform)
        self.shortages = shortages_of(plan, root)
        self.quota = quota.quota_use(plan.platform, plan.groups)
        self.throttled = plan.platform.throttle is not None
        self.buckets = full_buckets(plan.platform.throttle, plan.groups) if plan.platform.throttle is not None else None
        self.rows: list[VmRecord] = []  # of `Room.vms`; a VM has one while it is on a host or leaves one
        self.free_rows: list[int] = []
        self.counts: dict[str, int] = {}
        self.on_event: Callable[[Noted], None] | None = None

    def is_endless(self, vm: VmRecord) -> bool:
        """Whether there is hardware without end for a VM."""
        return bool(self.room.endless[vm.group.setup.index])

    def ask_quota(self, vm: VmRecord) -> bool:
        """Whether every limit leaves room for a VM, which is counted then."""
        return quota.ask(self.quota, vm.group.setup.index)

    def give_quota(self, vm: VmRecord) -> None:
        """A VM is gone."""
        quota.give(self.quota, vm.group.setup.index)

    def throttles(self, operation: str, vm: VmRecord) -> float:
        """0 if the subscription may ask for an operation now, and a token is gone; else when to come back (s from now)."""
        if self.buckets is None or operation not in BUCKET_OF:
            return 0.0
        bucket = self.buckets.first[vm.group.setup.index] + BUCKET_OF[operation]
        return take_token(self.buckets, bucket, self.env.now)

    # -- room --------------------------------------------------------------------------------------------------------

    def ask_host(self, vm: VmRecord, avoid: int = -1) -> list[Event] | None:
        """Put a VM on a host, evicting spot VMs for a regular one if need be; None: there is no room.

        The events are the departures of the evicted VMs: until then the room is reserved for this VM, but not free. The
        host to *avoid* is taken only if no other has room.
        """
        is_refused = self._is_refused(vm)
        if not self.plan.hosts:
            return None if is_refused else []
        if vm.host_row < 0:
            self._give_row_to(vm)
        room.set_clock(self.room, self.env.now)
        wanted = room.AS_THE_POLICY_SAYS if self.chooser is None else self._chosen(vm, avoid)
        host = room.ask_host(self.room, vm.host_row, vm.group.setup.index, vm.index, avoid, is_refused, wanted)
        if host == room.TOO_MANY_SHAPES:
            raise ScenarioError([too_many_shapes()])
        if host < 0:
            self._take_row_of(vm)
            return None if host == room.NO_ROOM else []
        vm.host = host
        if self.chooser is not None:
            self._asked(vm, "placed", _to_place(vm), host)
        for spot in self._chain(self.room.answer[room.EVICTED], self.room.leaving):
            self._off_host(spot, host)
            spot.going = self.env.event()
            spot.disrupt("preempt")
        if not self.room.answer[room.WAITS]:
            return []
        return [
            spot.going
            for spot in self._chain(self.room.leaving.first[host], self.room.leaving)
            if spot.going is not None
        ]

    def _chosen(self, vm: VmRecord, avoid: int) -> int:
        """The host that a plug-in chooses, or NO_ROOM."""
        with_room = hosts_with_room(self.index, self.room.placement, vm.group.setup.index, vm.index)
        hosts = [host for host in with_room if host != avoid] or with_room
        if not hosts:
            return room.NO_ROOM
        host = self._asked(vm, "choose", _to_place(vm), [*hosts])  # which it may change
        if isinstance(host, bool) or not isinstance(host, int | np.integer) or host not in hosts:
            raise PlugInError(
                f'placement "{self.plan.placement}" chose host {host!r} {self._when(vm)}; '
                f"it was to be one of {hosts[:10]}{' ...' if len(hosts) > 10 else ''}"
            )
        return int(host)

    def _asked(self, vm: VmRecord, method: str, *about: object) -> Any:
        """What a plug-in's policy answers. Raises PlugInError."""
        try:
            return getattr(self.chooser, method)(*about)
        except Exception as wrong:
            said = f"{method} failed {self._when(vm)} ({type(wrong).__name__}: {wrong})"
            raise PlugInError(f'placement "{self.plan.placement}": {said}') from wrong

    def _when(self, vm: VmRecord) -> str:
        return f"for {vm.name} at {self.env.now / SECONDS_PER_HOUR:.3f} h"

    def _off_host(self, vm: VmRecord, host: int) -> None:
        vm.host = NOWHERE
        if self.chooser is not None and host >= 0:
            self._asked(vm, "left", vm.group.setup.plan.name, vm.index, host)

    def _is_refused(self, vm: VmRecord) -> bool:
        """Whether an attempt to find hardware comes in a shortage, and is refused."""
        stream = vm.group.state_machine.shortage_stream
        chance = refusal(self.shortages, vm.group.setup.index, vm.index, self.env.now) if stream >= 0 else 0.0
        return chance > 0.0 and vm.draw(stream) < chance

    def give_host(self, vm: VmRecord) -> None:
        """A VM is off its host."""
        room.set_clock(self.room, self.env.now)
        self._must(room.give_host(self.room, vm.host_row, vm.group.setup.index))
        self._off_host(vm, vm.host)
        self._take_row_of(vm)

    def has_gone(self, spot: VmRecord) -> None:
        """An evicted VM is off its host, and the VM that waits for its room may come."""
        assert spot.going is not None
        spot.going.succeed()
        spot.going = None
        self._must(room.has_gone(self.room, spot.host_row))
        self._take_row_of(spot)

    def vms_on(self, host: int) -> list[VmRecord]:
        """The VMs on a host, in order of arrival."""
        return list(self._chain(self.room.on_host.first[host], self.room.on_host))

    def reservation_of(self, vm: VmRecord) -> str:
        """The reservation whose room a VM on a host takes, or an empty string."""
        unit = self.room.vms[vm.host_row * VM_COLUMNS + UNIT]
        return self.plan.reserved[self.room.units[unit * room.UNIT_COLUMNS + room.UNIT_HELD]].name if unit >= 0 else ""

    def _chain(self, row: int, links: Links) -> Iterator[VmRecord]:
        while row >= 0:
            yield self.rows[row]
            row = links.after[row]

    def _give_row_to(self, vm: VmRecord) -> None:
        if self.free_rows:
            vm.host_row = self.free_rows.pop()
            self.rows[vm.host_row] = vm
        else:
            vm.host_row = len(self.rows)
            self.rows.append(vm)
            room.add_row(self.room)

    def _take_row_of(self, vm: VmRecord) -> None:
        """Unless the VM is on a host still, or leaves one."""
        if vm.host < 0 and self.room.vms[vm.host_row * VM_COLUMNS + LEAVES] == NOWHERE:
            self.free_rows.append(vm.host_row)
            vm.host_row = -1

    def _must(self, done: bool) -> None:
        if not done:
            raise ScenarioError([too_many_shapes()])

    # -- host failures and maintenance -----------------------------------------------------------------------------

    def fail(self, hosts: Iterable[int]) -> None:
        """Hosts are out of order; their VMs are down until they have been started elsewhere."""
        for host in hosts:
            self.room.down[host] += 1
            if self.room.down[host] > 1:
                continue
            if self.env.now >= self.warm_up_s:
                self.counts["host_failures"] = self.counts.get("host_failures", 0) + 1
            self._report(host, HOST_FAILURE)
            room.set_clock(self.room, self.env.now)
            for vm in self.vms_on(host):
                room.leave(self.room, vm.host_row, vm.group.setup.index)
                self._off_host(vm, host)
                self._take_row_of(vm)
                vm.disrupt("host_failed")
            self._must(room.fail_host(self.room, host))

    def _report(self, host: int, kind: str) -> None:
        """Something has happened to a host."""
        if self.on_event is not None:
            self.on_event(of_host(self.plan, host, self.env.now, kind))

    def repair(self, hosts: Iterable[int]) -> None:
        """Hosts are back, empty but for the room that is reserved on them."""
        for host in hosts:
            self.room.down[host] -= 1
            if not self.room.down[host]:
                self._report(host, HOST_REPAIR)
                self._must(room.repair_host(self.room, host))


def _new_chooser(platform: Platform) -> HostChooser | None:
    """What a plug-in's policy makes for a replication; None: the policy is a built-in one. Raises PlugInError."""
    make, policy = POLICIES[platform.placement].chooser, f'placement "{platform.placement}"'
    if make is None:
        return None
    try:
        chooser = make(platform)
    except Exception as wrong:
        raise PlugInError(f"{policy}: chooser(platform) failed ({type(wrong).__name__}: {wrong})") from wrong
    lacks = [each for each in ("choose", "placed", "left") if not callable(getattr(chooser, each, None))]
    if lacks:
        raise PlugInError(f"{policy}: {chooser!r} lacks {', '.join(lacks)}")
    return chooser


def _to_place(vm: VmRecord) -> VmToPlace:
    """A VM as the policy of a plug-in sees it."""
    group, drawn = vm.group.setup.plan, vm.group.setup.plan.demand.drawn_lifetime_s
    recorded_s = vm.group.setup.plan.demand.recorded_lifetimes_s
    lifetime_s = math.inf
    if vm.group.lifetime_stream >= 0:
        lifetime_s = vm.group.lifetime_s(vm.index)
    elif len(recorded_s):
        lifetime_s = float(recorded_s[vm.index])
    return VmToPlace(
        group=group.name, number=vm.index, vcpus=group.vcpus, memory_gib=group.memory_gib, priority=str(group.priority),
        now_s=vm.group.env.now, lifetime_s=lifetime_s, mean_lifetime_s=drawn.mean if drawn is not None else lifetime_s,
    )  # fmt: skip
