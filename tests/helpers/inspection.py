"""An inspector who looks at every host after every event of a SimPy run, and says what can't be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sim.engines.group_setup import FleetRun
from sim.engines.shared.placement import MIB
from sim.engines.shared.quota import FAMILIES, REGIONAL, SPOT
from sim.engines.shared.room import UNIT_COLUMNS, UNIT_HELD
from sim.engines.simpy.fleet import Fleet
from sim.engines.simpy.platform import SharedPlatform
from sim.engines.simpy.vm import Vm
from sim.lifecycle.power import ON_HOST
from sim.model.plan import FleetPlan

# A fleet that is refused again and again has hundreds of thousands of events, and Hypothesis likes to try its like.
MOST_LOOKS = 10_000


def vcpus_of(vm: Vm) -> int:
    """What a VM takes of a host."""
    return vm.group.setup.plan.vcpus


def memory_of(vm: Vm) -> int:
    """What a VM takes of a host, in MiB."""
    return round(vm.group.setup.plan.memory_gib * MIB)


@dataclass(slots=True)
class Inspector:
    """Keeps its own record of which host each VM is on, from the states of the VMs, not from the index."""

    fleet: Fleet
    looked: int = 0
    last_s: float = 0.0
    was_on: dict[Vm, int] = field(default_factory=dict)  # the host on which a VM was last seen
    dead: set[Vm] = field(default_factory=set)  # their host has failed, whatever they show
    lost: set[Vm] = field(default_factory=set)  # their host has failed, or they had to leave it, and have no other

    @property
    def platform(self) -> SharedPlatform:
        """What the VMs share."""
        assert self.fleet.platform is not None
        return self.fleet.platform

    def vms(self) -> Iterator[Vm]:
        """All that are alive."""
        for group in self.fleet.groups.values():
            yield from group.vms.values()

    def look(self) -> None:
        """After an event: what holds even in the middle of an instant."""
        if self.fleet.env.now > self.last_s:
            raise AssertionError("an instant was left without a last look")
        self.looked += 1
        self._rooms()
        self._quota()

    def look_at_the_end_of(self, instant_s: float) -> None:
        """Before the clock goes on."""
        assert instant_s >= self.last_s, "time runs backwards"
        self._whereabouts()
        self._over_commitment()

    def _rooms(self) -> None:
        """What the index says is free is what the VMs on each host, and the reservations, leave of it."""
        platform = self.platform
        room, reserved = platform.room, platform.plan.reserved
        for host in range(len(room.down)):
            vms = platform.vms_on(host)
            if room.down[host]:
                self.dead |= {vm for vm, was in self.was_on.items() if was == host}
                assert not vms, f"host {host} is out of order and has VMs"
                assert (platform.index.free_c[host], platform.index.free_m[host]) == (-1, -1)
                continue
            pool = platform.plan.hosts[platform.index.cluster[platform.index.unit_of[host]]]
            held = [
                reserved[room.units[at + UNIT_HELD]]
                for at in range(0, len(room.units), UNIT_COLUMNS)
                if room.units[at] == host
            ]
            with_unit = {vm: name for vm in vms if (name := platform.reservation_of(vm))}
            taken_c = sum(vcpus_of(vm) for vm in vms if vm not in with_unit) + sum(r.vcpus for r in held)
            taken_m = sum(memory_of(vm) for vm in vms if vm not in with_unit) + sum(
                round(r.memory_gib * MIB) for r in held
            )
            leaving = room.leaving_c[host], room.leaving_m[host]  # and what those who go will leave
            assert room.leaving.first[host] >= 0 or not any(leaving), f"host {host}: no VM is left to go"
            assert min(leaving) >= 0, f"host {host}: more is promised than will be left"
            taken_c, taken_m = taken_c + leaving[0], taken_m + leaving[1]
            free = platform.index.free_c[host], platform.index.free_m[host]
            assert free == (pool.vcpus - taken_c, round(pool.memory_gib * MIB) - taken_m), f"host {host}"
            assert min(free) >= 0, f"host {host} is over-committed"
            slots = Counter(with_unit.values())
            assert not slots - Counter(one.name for one in held), (
                f"host {host}: more VMs on reserved room than there is"
            )
            for vm in vms:
                assert vm.host == host
                self.was_on[vm] = host
                self.dead.discard(vm)
                zone, group = vm.zone, vm.group.setup.plan
                assert not zone or pool.zone == zone, f"{vm.name} is in another zone"
                dedicated = {p.name for p in platform.plan.hosts if group.name in p.only_groups}
                assert (pool.name in dedicated) if dedicated else not pool.only_groups, f"{vm.name} on {pool.name}"
        for vm in self.vms():
            assert vm.host < 0 or vm in platform.vms_on(vm.host)
        clusters: dict[str, set[int]] = {}
        for vm in self.vms():
            if vm.host >= 0 and (name := vm.group.setup.plan.availability_set):
                clusters.setdefault(name, set()).add(platform.index.cluster[platform.index.unit_of[vm.host]])
        assert all(len(found) == 1 for found in clusters.values()), "an availability set is on two clusters"

    def _quota(self) -> None:
        """In use is what exists; never more than the limits allow."""
        use, limits = self.platform.quota, self.platform.plan.quota
        mine = [vm for vm in self.vms() if vm.has_quota and not self.platform.plan.is_dedicated(vm.group.setup.plan)]
        spot = sum(vcpus_of(vm) for vm in mine if vm.group.setup.plan.priority == "spot")
        regular = [vm for vm in mine if vm.group.setup.plan.priority != "spot"]
        assert use.in_use[SPOT] == spot
        if not self.platform.plan.reserved:
            assert use.in_use[REGIONAL] == sum(vcpus_of(vm) for vm in regular)
            assert use.in_use[REGIONAL] == sum(use.in_use[FAMILIES:])
        if limits is None:
            return
        assert limits.spot_vcpus is None or use.in_use[SPOT] <= limits.spot_vcpus
        if self.platform.plan.reserved:
            return  # a reservation holds its quota from the beginning, whatever the limits
        assert limits.regional_vcpus is None or use.in_use[REGIONAL] <= limits.regional_vcpus
        for family, limit in limits.families.items():
            taken = sum(vcpus_of(vm) for vm in regular if vm.group.setup.plan.family.lower() == family.lower())
            assert taken <= limit

    def _whereabouts(self) -> None:
        """A VM that shows a state on a host is on one, unless its host has failed or its room is reserved; no other VM is."""
        for vm in self.vms():
            exists = vm.state.power is not None or vm.state.operation == "create"
            assert vm.has_quota == exists or vm.state.operation == "create", vm.name
            if self.platform.plan.is_endless(vm.group.setup.plan.region):
                continue
            shows = vm.state.power in ON_HOST
            if vm.host >= 0:
                self.lost.discard(vm)
            elif (
                (vm in self.dead and not vm.state.serving)
                or vm.pending == "host_failed"
                or vm.state.name in ("healing", "unplaced")
            ):
                self.lost.add(vm)
            if shows:
                room_promised = vm.going is not None
                assert vm.host >= 0 or room_promised or vm in self.lost, f"{vm.name} is nowhere: {vm.state.name}"
            else:
                self.lost.discard(vm)
                assert vm.going is None, vm.name
                assert vm.host < 0 or vm.acquiring, f"{vm.name} holds host {vm.host}: {vm.state.name}"

    def _over_commitment(self) -> None:
        """VMs that are still going count where they are; VMs that wait for them don't yet."""
        taken_c: Counter[int] = Counter()
        taken_m: Counter[int] = Counter()
        for vm in self.vms():
            there = (vm.host >= 0 and not vm.acquiring) or vm.going is not None
            if vm.state.power in ON_HOST and there and vm not in self.dead:
                taken_c[self.was_on[vm]] += vcpus_of(vm)
                taken_m[self.was_on[vm]] += memory_of(vm)
        for host, vcpus in taken_c.items():
            pool = self.platform.plan.hosts[self.platform.index.cluster[self.platform.index.unit_of[host]]]
            assert vcpus <= pool.vcpus, f"host {host} is over-committed at {self.fleet.env.now} s"
            assert taken_m[host] <= round(pool.memory_gib * MIB), f"host {host} is short of memory"


def inspected(plan: FleetPlan, *, seed: int, replication: int = 0) -> tuple[FleetRun, Inspector]:
    """A SimPy run whose first `MOST_LOOKS` events are inspected."""
    fleet = Fleet(plan, seed, replication)
    inspector = Inspector(fleet)
    env = fleet.env
    run_on = env.run_until

    def run_until(until_s: float) -> None:
        while env.peek() < until_s and inspector.looked < MOST_LOOKS:
            if env.peek() != env.now:
                inspector.look_at_the_end_of(env.now)
            inspector.last_s = env.peek()
            env.step()
            inspector.look()
        run_on(until_s)

    env.run_until = run_until  # type: ignore[method-assign]
    return fleet.run(), inspector
