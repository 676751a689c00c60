"""The `[platform]` section: hosts, quota, and what befalls many VMs at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from sim.distributions.specs import Varying
from sim.fields.types import Name, Positive, PositiveSeconds, Seconds, Section, Text, Whole, Zone, default_field

MOST_HOSTS = 10_000_000
MOST_VCPUS = 100_000
MOST_QUOTA = 1_000_000_000

Limit = Annotated[Whole, Field(ge=0, le=MOST_QUOTA)]


class Hosts(Section):
    """A cluster of like hosts."""

    name: Name
    zone: Zone | None = Field(None, description="Availability zone it stands in; left out: in none.")
    count: Annotated[Whole, Field(ge=1, le=MOST_HOSTS)] = Field(description="How many hosts.")
    vcpus: Annotated[Whole, Field(ge=1, le=MOST_VCPUS)] = Field(description="vCPUs of one host.")
    memory_gib: Annotated[Positive, Field(le=1e6)] = Field(description="Memory of one host, GiB.")
    racks: Annotated[Whole, Field(ge=1, le=MOST_HOSTS)] = default_field(
        "platform.hosts.racks", "Racks the hosts are spread over; a rack is a fault domain."
    )
    only_groups: tuple[Text, ...] = Field((), description="Dedicated to these groups; left out: for everybody.")


class Quota(Section):
    """Limits of the subscription in this region, in vCPUs of whatever exists; left out: no limit."""

    regional_vcpus: Limit | None = Field(None, description="Regular VMs together.")
    spot_vcpus: Limit | None = Field(None, description="Spot VMs together; a pool of their own.")
    families: Mapping[str, Limit] = Field(
        default_factory=dict, description="Regular VMs of a family, such as standardDSv5Family."
    )


class HostFailures(Section):
    """Hosts fail, each by itself, and take their VMs with them."""

    time_between: Varying = Field(description="From one failure of a host to the next, repair not counted.")
    repair: Varying = default_field("platform.host_failures.repair", "Until it is back.")
    healing: Varying = default_field(
        "platform.host_failures.healing", "VMs of failed hosts: until they are started on another host."
    )


class RackFailures(Section):
    """Racks fail, with all their hosts."""

    time_between: Varying = Field(description="From one failure of a rack to the next, repair not counted.")
    repair: Varying = default_field("platform.rack_failures.repair", "Until it is back.")
    healing: Varying = default_field(
        "platform.rack_failures.healing", "VMs of failed hosts: until they are started on another host."
    )


class ZoneFailures(Section):
    """Zones fail, with all their hosts."""

    time_between: Varying = Field(description="From one failure of a zone to the next, repair not counted.")
    repair: Varying = default_field("platform.zone_failures.repair", "Until it is back.")
    healing: Varying = default_field(
        "platform.zone_failures.healing", "VMs of failed hosts: until they are started on another host."
    )


class Maintenance(Section):
    """Planned work on every host, one update domain after the other."""

    every: PositiveSeconds = Field(description="From one round to the next.")
    impact: Literal["freeze", "reboot", "redeploy"] = Field(description="What it does to VMs.")
    update_domains: Annotated[Whole, Field(ge=1, le=1000)] = default_field(
        "platform.maintenance.update_domains", "Parts that hosts are divided into."
    )
    between_domains: Seconds = default_field(
        "platform.maintenance.between_domains", "From one update domain to the next."
    )
    freeze: Varying = default_field("platform.maintenance.freeze", 'How long VMs pause with impact = "freeze".')


class Throttle(Section):
    """How many operations the subscription may ask for: a token bucket each for creates, updates and deletes."""

    burst: Annotated[Positive, Field(ge=1, le=1e9)] = default_field("platform.throttle.burst", "Operations at once.")
    refill_per_min: Annotated[Positive, Field(le=1e9)] = default_field(
        "platform.throttle.refill_per_min", "Operations per minute after that."
    )


class Platform(Section):
    """What VMs share. Left out: hardware without end, and no quota."""

    placement: Literal["first-fit", "best-fit", "worst-fit", "balanced"] = default_field(
        "platform.placement", "Which host with enough room a VM gets."
    )
    hosts: tuple[Hosts, ...] = Field((), description="Clusters of hosts: [[platform.hosts]]. None: without end.")
    quota: Quota | None = None
    host_failures: HostFailures | None = None
    rack_failures: RackFailures | None = None
    zone_failures: ZoneFailures | None = None
    maintenance: Maintenance | None = None
    throttle: Throttle | None = None


FAILING = ("host_failures", "rack_failures", "zone_failures")
"""Sections of the platform about failures of hosts, from single ones to whole zones."""
