"""What VMs share: hosts and the room on them, quota, throttled operations, reserved room, and what befalls many at once.

VMs come here at the moments at which they meet: when hardware is asked for or given back, when quota is, when an
operation is asked for. At one instant, what is given back comes before what is asked for, and VMs come in the order of
groups and numbers (see `Vm.meet`), so the outcome doesn't depend on the history of the event queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from simpy.events import Event

from sim.engines.shared import placement
from sim.engines.shared.placement import CLUSTER, MIB, HostIndex, host_index
from sim.engines.simpy.environment import Environment
from sim.engines.simpy.group_run import VmRecord
from sim.errors import Fault, ScenarioError
from sim.model.plan import FleetPlan, GroupPlan, Platform, Reserved

# The classes of operations that have a token bucket each (Microsoft: Compute throttling limits, 2024-05-27).
THROTTLE_CLASS = {
    "create": "create", "start": "update", "restart": "update", "power_off": "update", "hibernate": "update",
    "update": "update", "deallocate": "delete", "delete": "delete",
}  # fmt: skip
LAST_BITS = 1e-9  # of a token: a refill that is due at this instant has come, however its fractions were rounded


@dataclass(slots=True)
class Bucket:
    """Tokens for one class of operations; they refill evenly."""

    tokens: float
    burst: float
    refill_per_s: float
    at_s: float = 0.0

    def take(self, now_s: float) -> float:
        """Take a token, if there is one: 0. Else how long it will be until there is one (s)."""
        self.tokens = min(self.burst, self.tokens + (now_s - self.at_s) * self.refill_per_s)
        self.at_s = now_s
        if self.tokens < 1 - LAST_BITS:
            return (1 - self.tokens) / self.refill_per_s if self.refill_per_s > 0 else float("inf")
        self.tokens -= 1
        return 0.0


@dataclass(slots=True)
class Leaving:
    """Spot VMs that leave a host for regular ones, and what they will leave behind that nobody is promised."""

    vcpus: int = 0
    memory_mib: int = 0
    vms: dict[VmRecord, Event] = field(default_factory=dict)  # and what comes when each has gone


@dataclass(slots=True)
class QuotaUse:
    """vCPUs in use against the limits of a subscription: whatever exists counts, on or off."""

    platform: Platform
    regional: int = 0
    spot: int = 0
    families: dict[str, int] = field(default_factory=dict)
    # VMs alive, by the reservations that hold quota for them already (all names; none: by size)
    alive: dict[tuple[str, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for held in self.platform.reserved:
            self._add(held.family, held.vcpus * held.quantity)

    def _add(self, family: str, vcpus: int) -> None:
        self.regional += vcpus
        self.families[family.lower()] = self.families.get(family.lower(), 0) + vcpus

    def _held_for(self, group: GroupPlan) -> tuple[tuple[str, ...], int]:
        """The reservations that hold quota for a group's VMs, and for how many."""
        held = [one for one in self.platform.reserved if one.is_for(group)]
        return tuple(one.name for one in held) or ("", group.size), sum(one.quantity for one in held)

    def ask(self, group: GroupPlan) -> bool:
        """Room under every limit for one more VM of the group; counted if so."""
        limits = self.platform.quota
        if group.priority == "spot":
            if limits and limits.spot_vcpus is not None and self.spot + group.vcpus > limits.spot_vcpus:
                return False
            self.spot += group.vcpus
            return True
        key, held = self._held_for(group)
        alive = self.alive.get(key, 0) + 1
        more = group.vcpus if alive > held else 0
        family = group.family.lower()
        if limits is not None:
            limit = {name.lower(): number for name, number in limits.families.items()}.get(family)
            if limits.regional_vcpus is not None and self.regional + more > limits.regional_vcpus:
                return False
            if limit is not None and self.families.get(family, 0) + more > limit:
                return False
        self.alive[key] = alive
        self._add(family, more)
        return True

    def give(self, group: GroupPlan) -> None:
        """One VM of the group is gone."""
        if group.priority == "spot":
            self.spot -= group.vcpus
            return
        key, held = self._held_for(group)
        alive = self.alive[key]
        self._add(group.family.lower(), -group.vcpus if alive > held else 0)
        self.alive[key] = alive - 1


class SharedPlatform:
    """The platform of one run."""

    def __init__(self, plan: FleetPlan, env: Environment) -> None:
        assert plan.platform is not None
        self.plan: Platform = plan.platform
        self.warm_up_s = plan.warm_up_s
        self.env = env
        self.endless = not plan.platform.hosts
        self.index: HostIndex = host_index(plan.platform)
        self.throttled = plan.platform.throttle is not None
        self.quota = QuotaUse(plan.platform)
        self.vms_on: list[dict[VmRecord, None]] = [{} for _ in self.index.unit_of]  # in order of arrival
        self.down = [0] * len(self.index.unit_of)  # how many failures a host is out of order for
        self.leaving: dict[int, Leaving] = {}  # by host
        self.counts: dict[str, int] = {}
        self.in_unit: dict[tuple[str, int], int] = {}
        self.sets: dict[str, tuple[int, int]] = {}  # availability set -> (cluster, members on a host)
        self.slots: dict[str, list[int]] = {}  # by reservation: hosts with free room of it
        self.slots_of: list[list[Reserved]] = [[] for _ in self.index.unit_of]
        self.allowed: dict[tuple[str, int], list[int]] = {}
        throttle = plan.platform.throttle
        self.buckets = {
            name: Bucket(throttle.burst, throttle.burst, throttle.refill_per_min / 60)
            for name in dict.fromkeys(THROTTLE_CLASS.values())
            if throttle is not None
        }
        # What would be free if every spot VM went: where a regular VM may look when nothing else is left.
        has_spot = any(group.priority == "spot" for group in plan.groups)
        self.vacatable: HostIndex | None = None
        if has_spot and plan.platform.hosts:
            from dataclasses import replace

            # The same units as `index` has, so that a place in the one is a place in the other.
            policy = "balanced" if plan.platform.placement == "balanced" else "first-fit"
            self.vacatable = host_index(replace(plan.platform, placement=policy))
        for held in plan.platform.reserved:
            self._hold(held)

    def ask_quota(self, vm: VmRecord) -> bool:
        """Whether every limit leaves room for a VM, which is counted then."""
        return self.quota.ask(vm.group.setup.plan)

    def give_quota(self, vm: VmRecord) -> None:
        """A VM is gone."""
        self.quota.give(vm.group.setup.plan)

    # -- quota and throttling --------------------------------------------------------------------------------------

    def throttles(self, operation: str) -> float:
        """0 if the subscription may ask for an operation now, and a token is gone; else when to come back (s from now)."""
        if not self.buckets or operation not in THROTTLE_CLASS:
            return 0.0
        return self.buckets[THROTTLE_CLASS[operation]].take(self.env.now)

    # -- room --------------------------------------------------------------------------------------------------------

    def ask_host(self, vm: VmRecord, avoid: int = -1) -> list[Event] | None:
        """Put a VM on a host, evicting spot VMs for a regular one if need be; None: there is no room.

        The events are the evicted VMs' going: until then the room is promised, but not free. The host to *avoid* is
        taken only if no other has room.
        """
        if self.endless:
            return []
        group = vm.group.setup.plan
        going: list[Event] = []
        host = self._reserved_slot(vm)
        if host < 0:
            host = self._find_elsewhere(vm, avoid) if avoid >= 0 else self._find(vm, self.index)
            if host >= 0:
                self._change(host, -vm.vcpus, -vm.memory_mib, spot=group.priority == "spot")
            elif self.vacatable is not None and group.priority != "spot":
                host, going = self._preempt(vm, self.vacatable)
            if host < 0:
                return None
        vm.host = host
        self.vms_on[host][vm] = None
        unit = self.index.unit_of[host]
        self.in_unit[group.name, unit] = self.in_unit.get((group.name, unit), 0) + 1
        if group.availability_set:
            cluster, members = self.sets.get(group.availability_set, (self.index.units[unit][CLUSTER], 0))
            self.sets[group.availability_set] = (cluster, members + 1)
        return going

    def _find_elsewhere(self, vm: VmRecord, avoid: int) -> int:
        free = self.index.free_c[avoid], self.index.free_m[avoid]
        self.index.put(avoid, -1, -1)
        host = self._find(vm, self.index)
        self.index.put(avoid, *free)
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
        group = vm.group.setup.plan
        del self.vms_on[vm.host][vm]
        self.in_unit[group.name, self.index.unit_of[vm.host]] -= 1
        if group.availability_set:
            cluster, members = self.sets[group.availability_set]
            if members == 1:
                del self.sets[group.availability_set]  # the whole set is off: it may go anywhere next time
            else:
                self.sets[group.availability_set] = (cluster, members - 1)
        vm.host = -1

    def _change(self, host: int, vcpus: int, memory_mib: int, *, spot: bool) -> None:
        self.index.change(host, vcpus, memory_mib)
        if self.vacatable is not None and not spot:
            self.vacatable.change(host, vcpus, memory_mib)

    def _units(self, vm: VmRecord) -> Iterable[int]:
        group = vm.group.setup.plan
        known = self.allowed.get((group.name, vm.zone))
        if known is None:
            known = placement.allowed_units(self.plan, self.index, group.name, vm.zone)
            self.allowed[group.name, vm.zone] = known
        if group.availability_set in self.sets and group.availability_set:
            cluster, _ = self.sets[group.availability_set]
            return [unit for unit in known if self.index.units[unit][CLUSTER] == cluster]
        return known

    def _find(self, vm: VmRecord, index: HostIndex) -> int:
        units = self._units(vm)
        name = vm.group.setup.plan.name
        if index.policy == placement.BALANCED:
            units = sorted(units, key=lambda unit: (self.in_unit.get((name, unit), 0), unit))
        best, best_key = -1, None
        for unit in units:
            host = index.find(unit, vm.vcpus, vm.memory_mib)
            if host < 0:
                continue
            if index.by_tree:
                return host
            free = index.free_c[host], index.free_m[host]
            key = free if index.policy == placement.BEST_FIT else (-free[0], -free[1])
            if best_key is None or key < best_key:
                best, best_key = host, key
        return best

    def _preempt(self, vm: VmRecord, vacatable: HostIndex) -> tuple[int, list[Event]]:
        """A host that has room for a regular VM once its youngest spot VMs, who are told to, have gone; and their going.

        The VM takes what is free at once, and is promised the rest of what those who go leave behind. What they leave
        and nobody is promised is free when all of them have gone.
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
        self.index.change(host, -now_c, -now_m)
        vacatable.change(host, -vm.vcpus, -vm.memory_mib)
        return host, list(leaving.vms.values())

    def has_gone(self, spot: VmRecord) -> None:
        """A VM that was told to go is off its host, and whoever waits for its room may come."""
        assert spot.going is not None
        spot.going.succeed()
        spot.going = None
        for host, leaving in self.leaving.items():  # few: hosts that are being vacated at this moment
            if spot in leaving.vms:
                del leaving.vms[spot]
                if not leaving.vms:
                    del self.leaving[host]
                    self.index.change(host, leaving.vcpus, leaving.memory_mib)
                return

    # -- reserved room ---------------------------------------------------------------------------------------------

    def _hold(self, held: Reserved) -> None:
        if self.endless:
            return
        hosts = self.slots.setdefault(held.name, [])
        memory = round(held.memory_gib * MIB)
        for number in range(held.quantity):
            found = (self.index.find(unit, held.vcpus, memory) for unit, row in enumerate(self.index.units)
                     if not self.plan.hosts[row[CLUSTER]].only_groups)  # fmt: skip
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
            units = set(self._units(vm))
            for place, host in enumerate(hosts):
                if self.index.unit_of[host] in units and not self.down[host]:
                    del hosts[place]
                    vm.slot = held.name
                    return host
        return -1

    # -- what befalls many at once ---------------------------------------------------------------------------------

    def fail(self, hosts: Iterable[int]) -> None:
        """Hosts are out of order; their VMs are down until they have been started elsewhere."""
        for host in hosts:
            self.down[host] += 1
            if self.down[host] > 1:
                continue
            if self.env.now >= self.warm_up_s:
                self.counts["host_failures"] = self.counts.get("host_failures", 0) + 1
            victims = sorted(self.vms_on[host], key=lambda vm: vm.rank)
            for vm in victims:
                self._take_off(vm)
                vm.slot = ""
                vm.disrupt("host_failed")
            self.leaving.pop(host, None)  # their room goes with the host
            self.index.put(host, -1, -1)
            if self.vacatable is not None:
                self.vacatable.put(host, -1, -1)
            for held in self.slots_of[host]:
                while host in self.slots[held.name]:
                    self.slots[held.name].remove(host)

    def repair(self, hosts: Iterable[int]) -> None:
        """Hosts are back, empty but for the room that is reserved on them."""
        for host in hosts:
            self.down[host] -= 1
            if self.down[host]:
                continue
            pool = self.plan.hosts[self.index.units[self.index.unit_of[host]][CLUSTER]]
            held = self.slots_of[host]
            free = (
                pool.vcpus - sum(r.vcpus for r in held),
                round(pool.memory_gib * MIB) - sum(round(r.memory_gib * MIB) for r in held),
            )
            self.index.put(host, *free)
            if self.vacatable is not None:
                self.vacatable.put(host, *free)
            for one in held:
                self.slots[one.name].append(host)

    def maintain(self, hosts: Iterable[int], tell: Callable[[VmRecord], None]) -> None:
        """Planned work reaches the VMs of these hosts."""
        for vm in sorted((vm for host in hosts for vm in self.vms_on[host]), key=lambda vm: vm.rank):
            tell(vm)
