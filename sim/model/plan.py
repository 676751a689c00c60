"""What a run simulates: frozen plans, free of files, money and statistics.

The scenario model (`sim.scenario.scenario`) builds these; the engines (`sim.engines`) read nothing else. Times are
seconds from the start of the run, durations are distributions of seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sim.distributions.kinds import Distribution
from sim.fields.defaults import default_value
from sim.fields.types import default_seconds
from sim.model.demand import AlwaysOn, Demand
from sim.model.faults import Failing, FallBack, GuestCrash, Maintenance, Shortage, Spot, Throttle
from sim.model.processes import Process
from sim.model.when_off import DEFAULT_WHEN_OFF, WhenOff


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The automation's answer to a failed operation: attempts in all, the first one counted."""

    attempts: int = default_value("group.retry.attempts")
    backoff_s: float = default_seconds("group.retry.backoff")
    multiplier: float = default_value("group.retry.multiplier")
    max_backoff_s: float = default_seconds("group.retry.max_backoff")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """One group of like VMs: how many, who wants them on and when, how long each step takes, what goes wrong."""

    name: str
    count: int = 0  # created from t = 0 on; 0 with Arrivals
    ready_within_s: float = default_seconds("group.ready.within")  # a VM that takes longer is late
    initial: str = ""  # power state in which the VMs exist at t = 0; empty: they are created then
    count_steps: tuple[tuple[float, int], ...] = ()  # (s, VMs from then on), after t = 0, in order
    create_over_s: float = 0.0  # VM i is requested at i * create_over / count
    demand: Demand = field(default_factory=AlwaysOn)
    part_of: str = ""  # the group whose autoscaler, or whose requests, these VMs are for, too
    fall_back: FallBack | None = None  # when requests go on with VMs of the other priority
    when_off: WhenOff = DEFAULT_WHEN_OFF
    generalized: bool = True  # an image with OS provisioning
    durations_s: Mapping[str, Distribution]  # allocating starting os_provisioning extensions stopping deallocating
    #                                          restarting updating deleting
    failures: Mapping[str, float] = field(default_factory=dict)  # platform code -> probability per attempt
    os_provisioning_timeout_s: float = default_seconds("group.failures.os_provisioning_timeout")
    extensions_timeout_s: float = default_seconds("group.failures.extensions_timeout")
    reaction_s: Distribution
    retry: Retry = field(default_factory=Retry)
    guest_crash: GuestCrash | None = None
    spot: Spot | None = None
    own_faults: tuple[Any, ...] = ()  # of kinds that plug-ins add
    # What the platform needs to know of a VM; read only where there is one.
    region: str = ""  # plans of one region need not name it
    size: str = ""
    family: str = ""
    vcpus: int = 0
    memory_gib: float = 0.0
    priority: str = "regular"  # regular | spot
    zones: tuple[int, ...] = ()  # round robin over the VMs; empty: regional
    availability_set: str = ""  # its VMs stay on one cluster while any of them is on a host

    @property
    def behaviours(self) -> tuple[Any, ...]:
        """What has a process of its own, beside those of the VMs: `behave(fleet, group)`."""
        return (*((self.demand,) if self.demand.behaves else ()), *self.own_faults)

    @property
    def shares(self) -> bool:
        """Whether its VMs depend on others, whatever the platform: on an autoscaler, or on the VMs that a request had before."""
        return self.demand.is_scaled or self.fall_back is not None

    @property
    def most_vms(self) -> int:
        """The most VMs that are asked for at once; `count`, where it takes no steps."""
        return max([self.count, *(count for _, count in self.count_steps)])


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPool:
    """A cluster of like hosts."""

    name: str
    count: int
    vcpus: int
    memory_gib: float
    region: str = ""
    zone: int | None = None
    racks: int = default_value(
        "platform.hosts.racks"
    )  # hosts are spread over them round robin; a rack is also a fault domain
    only_groups: tuple[str, ...] = ()  # dedicated to these; empty: not dedicated
    holds: str = ""  # a reservation whose room is all that is known of the hosts where hardware has no end otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Limits of a subscription in each region; None or absent: no limit."""

    regional_vcpus: int | None = None
    spot_vcpus: int | None = None
    families: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """Room on hosts, where these are modelled, and quota, held for VMs of one size, used or not."""

    name: str
    size: str
    family: str
    vcpus: int
    memory_gib: float
    quantity: int
    region: str = ""
    groups: tuple[str, ...] = ()  # that name it; empty: every regular group of the size

    def is_for(self, group: GroupPlan) -> bool:
        """Whether the group's VMs may use the room and the quota."""
        named = not self.groups or group.name in self.groups
        return (group.size, group.region) == (self.size, self.region) and group.priority != "spot" and named


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What VMs share: hardware, quota, and faults of many at once."""

    placement: str = default_value("platform.placement")  # first-fit | best-fit | worst-fit | balanced
    hosts: tuple[HostPool, ...] = ()  # empty: hardware without end
    quota: Quota | None = None
    host_failures: Failing | None = None
    rack_failures: Failing | None = None
    zone_failures: Failing | None = None
    healing_s: Distribution | None = None  # until a failed host's VM is started elsewhere
    maintenance: Maintenance | None = None
    throttle: Throttle | None = None
    own_faults: tuple[Any, ...] = ()  # of kinds that plug-ins add, with `behave(fleet)`
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # tables that plug-ins add
    reserved: tuple[Reserved, ...] = ()
    shortages: tuple[Shortage, ...] = ()

    @property
    def hosts_fail(self) -> bool:
        """Whether a host may fail under a VM."""
        return any((self.host_failures, self.rack_failures, self.zone_failures, self.own_faults))

    def is_endless(self, region: str) -> bool:
        """Whether there is hardware without end in a region, beside what is reserved."""
        return not any(pool.region == region and not pool.holds for pool in self.hosts)

    def is_dedicated(self, group: GroupPlan) -> bool:
        """Whether the group's VMs are on hosts of their own."""
        return any(group.name in pool.only_groups for pool in self.hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """Everything one replication simulates, besides its seed and number."""

    start: datetime  # aware; wall-clock instant of t = 0
    horizon_s: float
    warm_up_s: float = 0.0
    groups: tuple[GroupPlan, ...]
    platform: Platform | None = None
    processes: tuple[Process, ...] = ()  # passed in from Python
