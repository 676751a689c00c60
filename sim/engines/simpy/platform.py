"""What VMs share: hosts and the room on them, quota, rate limits, reserved room; and failures of hosts.

VMs come here when they need hardware or quota, give it back, or ask for an operation. At one instant, what is given back
comes before what is asked for, and VMs come in the order of groups and numbers (see `VmOnPlatform.acquire_resources`), so the
outcome doesn't depend on the history of the event queue. What is decided by a rule that the compiled engine has too
stands in `sim.engines.shared`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from simpy.events import Event

from sim.engines.events import HOST_FAILURE, HOST_REPAIR, Noted
from sim.engines.shared import placement, quota
from sim.engines.shared.placement import MIB, HostIndex
from sim.engines.shared.throttle import BUCKET_OF, full_buckets, take_token
from sim.engines.simpy.environment import Environment
from sim.engines.simpy.group_run import VmRecord
from sim.errors import Fault, ScenarioError
from sim.model.plan import FleetPlan, Platform, Reserved


@dataclass(slots=True)
class Leaving:
    """Spot VMs that leave a host for regular ones, and what they will leave behind that is reserved for none of these."""

    vcpus: int = 0
    memory_mib: int = 0
    vms: dict[VmRecord, Event] = field(default_factory=dict)  # and what comes when each has gone


class SharedPlatform:
    """The platform of one run."""

    def __init__(self, plan: FleetPlan, env: Environment) -> None:
        assert plan.platform is not None
        self.plan: Platform = plan.platform
        self.warm_up_s = plan.warm_up_s
        self.env = env
        self.endless = not plan.platform.hosts
        self.index: HostIndex = placement.host_index(plan.platform)
        self.placement = placement.new_placement(plan.platform, self.index, plan.groups)
        self.quota = quota.quota_use(plan.platform, plan.groups)
        self.throttled = plan.platform.throttle is not None
        self.buckets = full_buckets(plan.platform.throttle) if plan.platform.throttle is not None else None
        hosts = len(self.index.unit_of)
        self.vms_on: list[dict[VmRecord, None]] = [{} for _ in range(hosts)]  # in order of arrival
        self.down = [0] * hosts  # how many failures a host is out of order for
        self.leaving: dict[int, Leaving] = {}  # by host
        self.counts: dict[str, int] = {}
        self.on_event: Callable[[Noted], None] | None = None
        self.slots: dict[str, list[int]] = {}  # by reservation: hosts with free room of it
        self.slots_of: list[list[Reserved]] = [[] for _ in range(hosts)]
        # What would be free if every spot VM went: where a regular VM may look when nothing else is left.
        self.vacatable: HostIndex | None = None
        if any(group.priority == "spot" for group in plan.groups) and plan.platform.hosts:
            policy = placement.POLICIES[plan.platform.placement]
            self.vacatable = placement.host_index(plan.platform, replace(policy, search=placement.FIRST))
        for held in plan.platform.reserved:
            self._hold(held)

    def ask_quota(self, vm: VmRecord) -> bool:
        """Whether every limit leaves room for a VM, which is counted then."""
        return quota.ask(self.quota, vm.group.setup.index)

    def give_quota(self, vm: VmRecord) -> None:
        """A VM is gone."""
        quota.give(self.quota, vm.group.setup.index)

    def throttles(self, operation: str) -> float:
        """0 if the subscription may ask for an operation now, and a token is gone; else when to come back (s from now)."""
        if self.buckets is None or operation not in BUCKET_OF:
            return 0.0
        return take_token(self.buckets, BUCKET_OF[operation], self.env.now)

    # -- room --------------------------------------------------------------------------------------------------------

    def ask_host(self, vm: VmRecord, avoid: int = -1) -> list[Event] | None:
        """Put a VM on a host, evicting spot VMs for a regular one if need be; None: there is no room.

        The events are the departures of the evicted VMs: until then the room is reserved for this VM, but not free. The
        host to *avoid* is taken only if no other has room.
        """
        if self.endless:
            return []
        spot = vm.group.setup.plan.priority == "spot"
        going: list[Event] = []
        host = self._reserved_slot(vm)
        if host < 0:
            host = self._find_elsewhere(vm, avoid) if avoid >= 0 else self._find(vm, self.index)
            if host >= 0:
                self._change(host, -vm.vcpus, -vm.memory_mib, spot=spot)
            elif self.vacatable is not None and not spot:
                host, going = self._preempt(vm, self.vacatable)
            if host < 0:
                return None
        vm.host = host
        self.vms_on[host][vm] = None
        placement.count(self.index, self.placement, vm.group.setup.index, host, 1)
        return going

    def _find(self, vm: VmRecord, index: HostIndex) -> int:
        return placement.choose(index, self.placement, vm.group.setup.index, vm.index)

    def _find_elsewhere(self, vm: VmRecord, avoid: int) -> int:
        free = self.index.free_c[avoid], self.index.free_m[avoid]
        self._put(avoid, -1, -1)
        host = self._find(vm, self.index)
        self._put(avoid, *free)
        return host if host >= 0 else self._find(vm, self.index)

    def give_host(self, vm: VmRecord) -> None:
        """A VM is off its host."""
        host = vm.host
        self._take_off(vm)
        if vm.slot:
            self.slots[vm.slot].append(host)
            vm.slot = ""
        else:
            self._change(host, vm.vcpus, vm.memory_mib, spot=vm.group.setup.plan.priority == "spot")

    def _take_off(self, vm: VmRecord) -> None:
        del self.vms_on[vm.host][vm]
        placement.count(self.index, self.placement, vm.group.setup.index, vm.host, -1)
        vm.host = -1

    def _put(self, host: int, vcpus: int, memory_mib: int) -> None:
        if not placement.put(self.index, host, vcpus, memory_mib):
            raise ScenarioError([placement.too_many_shapes()])

    def _change(self, host: int, vcpus: int, memory_mib: int, *, spot: bool) -> None:
        self._put(host, self.index.free_c[host] + vcpus, self.index.free_m[host] + memory_mib)
        if self.vacatable is not None and not spot:
            placement.change(self.vacatable, host, vcpus, memory_mib)

    def _preempt(self, vm: VmRecord, vacatable: HostIndex) -> tuple[int, list[Event]]:
        """A host that has room for a regular VM once its youngest spot VMs, which are evicted, have gone; and their departures.

        The VM takes what is free at once, and the rest is reserved for it of what the others leave behind. What they
        leave beyond that is free when all of them have gone.
        """
        host = self._find(vm, vacatable)
        if host < 0:
            return -1, []
        now_c = min(vm.vcpus, self.index.free_c[host])
        now_m = min(vm.memory_mib, self.index.free_m[host])
        leaving = self.leaving.setdefault(host, Leaving())
        leaving.vcpus -= vm.vcpus - now_c
        leaving.memory_mib -= vm.memory_mib - now_m
        spots = [other for other in self.vms_on[host] if other.group.setup.plan.priority == "spot"]
        while leaving.vcpus < 0 or leaving.memory_mib < 0:
            spot = spots.pop()
            self._take_off(spot)
            leaving.vcpus += spot.vcpus
            leaving.memory_mib += spot.memory_mib
            leaving.vms[spot] = spot.going = self.env.event()
            spot.disrupt("preempt")
        self._change(host, -now_c, -now_m, spot=True)
        placement.change(vacatable, host, -vm.vcpus, -vm.memory_mib)
        return host, list(leaving.vms.values())

    def has_gone(self, spot: VmRecord) -> None:
        """An evicted VM is off its host, and the VM that waits for its room may come."""
        assert spot.going is not None
        spot.going.succeed()
        spot.going = None
        for host, leaving in self.leaving.items():  # few: hosts with evictions under way
            if spot in leaving.vms:
                del leaving.vms[spot]
                if not leaving.vms:
                    del self.leaving[host]
                    self._change(host, leaving.vcpus, leaving.memory_mib, spot=True)
                return

    # -- reserved room ---------------------------------------------------------------------------------------------

    def _hold(self, held: Reserved) -> None:
        if self.endless:
            return
        hosts = self.slots.setdefault(held.name, [])
        memory = round(held.memory_gib * MIB)
        common = [unit for unit, cluster in enumerate(self.index.cluster) if not self.plan.hosts[cluster].only_groups]
        for number in range(held.quantity):
            found = (placement.find(self.index, unit, held.vcpus, memory) for unit in common)
            host = next((host for host in found if host >= 0), -1)
            if host < 0:
                raise ScenarioError(
                    [
                        Fault(
                            field=f"commitment.{held.name}.quantity", value=held.quantity,
                            problem=f"the hosts have room for {number} x {held.size} only",
                            hint="reserve fewer, or give the platform more hosts",
                        )
                    ]
                )  # fmt: skip
            self._change(host, -held.vcpus, -memory, spot=False)
            hosts.append(host)
            self.slots_of[host].append(held)

    def _reserved_slot(self, vm: VmRecord) -> int:
        """A host with reserved room for the VM, which is taken, or -1."""
        group = vm.group.setup.plan
        for held in self.plan.reserved:
            hosts = self.slots.get(held.name)
            if not hosts or not held.is_for(group):
                continue
            for place, host in enumerate(hosts):
                if not self.down[host] and placement.allows(
                    self.index, self.placement, vm.group.setup.index, vm.index, host
                ):
                    del hosts[place]
                    vm.slot = held.name
                    return host
        return -1

    # -- host failures and maintenance -----------------------------------------------------------------------------

    def fail(self, hosts: Iterable[int]) -> None:
        """Hosts are out of order; their VMs are down until they have been started elsewhere."""
        for host in hosts:
            self.down[host] += 1
            if self.down[host] > 1:
                continue
            if self.env.now >= self.warm_up_s:
                self.counts["host_failures"] = self.counts.get("host_failures", 0) + 1
            self._report(host, HOST_FAILURE)
            victims = sorted(self.vms_on[host], key=lambda vm: vm.rank)
            for vm in victims:
                self._take_off(vm)
                vm.slot = ""
                vm.disrupt("host_failed")
            self.leaving.pop(host, None)  # their room goes with the host
            self._put_empty(host, -1, -1)
            for held in self.slots_of[host]:
                while host in self.slots[held.name]:
                    self.slots[held.name].remove(host)

    def _report(self, host: int, kind: str) -> None:
        """Something has happened to a host, which is named `<pool>/0007`."""
        if self.on_event is not None:
            cluster = self.index.cluster[self.index.unit_of[host]]
            first = sum(pool.count for pool in self.plan.hosts[:cluster])
            name = f"{self.plan.hosts[cluster].name}/{host - first:04d}"
            self.on_event((self.env.now, -1, host, name, (kind, None, None, None, None)))

    def _put_empty(self, host: int, vcpus: int, memory_mib: int) -> None:
        """What is free on a host without VMs, spot VMs included."""
        self._put(host, vcpus, memory_mib)
        if self.vacatable is not None:
            placement.put(self.vacatable, host, vcpus, memory_mib)

    def repair(self, hosts: Iterable[int]) -> None:
        """Hosts are back, empty but for the room that is reserved on them."""
        for host in hosts:
            self.down[host] -= 1
            if self.down[host]:
                continue
            self._report(host, HOST_REPAIR)
            pool = self.plan.hosts[self.index.cluster[self.index.unit_of[host]]]
            held = self.slots_of[host]
            free = (
                pool.vcpus - sum(r.vcpus for r in held),
                round(pool.memory_gib * MIB) - sum(round(r.memory_gib * MIB) for r in held),
            )
            self._put_empty(host, *free)
            for one in held:
                self.slots[one.name].append(host)

    def maintain(self, hosts: Iterable[int], tell: Callable[[VmRecord], None]) -> None:
        """Planned work reaches the VMs of these hosts."""
        for vm in sorted((vm for host in hosts for vm in self.vms_on[host]), key=lambda vm: vm.rank):
            tell(vm)
