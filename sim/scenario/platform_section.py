"""The `[platform]` section: hosts, quota, and faults of many VMs at once."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from sim.engines.shared.placement import POLICIES
from sim.fields.types import Name, Positive, Price, Section, Text, Whole, Zone, add_field, default_field
from sim.model import plan
from sim.model.faults import PLATFORM_FAULTS, PlatformFault, ShortageSection

MOST_HOSTS = 10_000_000
MOST_VCPUS = 100_000
MOST_QUOTA = 1_000_000_000

Limit = Annotated[Whole, Field(ge=0, le=MOST_QUOTA)]


class Hosts(Section):
    """A cluster of like hosts."""

    name: Name = Field(description="Name of the cluster of hosts.")
    region: Text | None = Field(None, description="Region it stands in; left out: that of [prices].")
    zone: Zone | None = Field(None, description="Availability zone it stands in; left out: in none.")
    count: Annotated[Whole, Field(ge=1, le=MOST_HOSTS)] = Field(description="How many hosts.")
    vcpus: Annotated[Whole, Field(ge=1, le=MOST_VCPUS)] = Field(description="vCPUs of one host.")
    memory_gib: Annotated[Positive, Field(le=1e6)] = Field(description="Memory of one host, GiB.")
    racks: Annotated[Whole, Field(ge=1, le=MOST_HOSTS)] = default_field(
        "platform.hosts.racks", "Racks the hosts are spread over; a rack is a fault domain."
    )
    only_groups: tuple[Text, ...] = Field((), description="Dedicated to these groups; left out: for all.")

    hourly: Price | None = Field(
        None,
        description="What one host costs an hour, in the currency of [prices]; VMs of only_groups pay no compute on it. Left out: VMs pay for themselves.",
    )

    def to_plan(self, region: str, only_groups: tuple[str, ...]) -> plan.HostPool:
        """The cluster in a region, dedicated to groups as they are simulated."""
        return plan.HostPool(
            name=self.name, count=self.count, vcpus=self.vcpus, memory_gib=self.memory_gib, region=region, zone=self.zone,
            racks=self.racks, only_groups=only_groups,
        )  # fmt: skip


class Quota(Section):
    """Limits of the subscription in each region, in vCPUs of whatever exists; left out: no limit."""

    regional_vcpus: Limit | None = Field(None, description="Regular VMs together.")
    spot_vcpus: Limit | None = Field(None, description="Spot VMs together; a pool of their own.")
    families: Mapping[str, Limit] = Field(
        default_factory=dict, description="Regular VMs of a family, such as standardDSv5Family."
    )

    def to_plan(self, spelt: Mapping[str, str]) -> plan.Quota:
        """The limits, with families as *spelt* by the price list."""
        families = {spelt.get(name.lower(), name): limit for name, limit in self.families.items()}
        return plan.Quota(regional_vcpus=self.regional_vcpus, spot_vcpus=self.spot_vcpus, families=families)


class Platform(Section):
    """What VMs share. Left out: hardware without end, and no quota."""

    placement: Text  # by `admit_policies`
    hosts: tuple[Hosts, ...] = Field((), description="Clusters of hosts: [[platform.hosts]]. None: without end.")
    quota: Quota | None = None
    shortages: tuple[ShortageSection, ...] = Field(
        (), alias="shortage", description="Regions, zones or families short of hardware: [[platform.shortage]]."
    )

    @property
    def faults(self) -> list[PlatformFault]:
        """The tables about faults of many VMs at once, in the order of the keys."""
        return [section for key in PLATFORM_FAULTS if (section := getattr(self, key)) is not None]

    @property
    def is_idle(self) -> bool:
        """Whether it changes nothing for VMs: hardware is endless and nothing is limited."""
        limited = self.quota is not None or any(not fault.needs_hosts for fault in self.faults)
        return not self.hosts and not self.shortages and not limited


def admit_policies() -> None:
    """Give the platform the placement policies that are registered."""
    names: Any = Literal[tuple(POLICIES)]
    field = default_field("platform.placement", "Which host with enough room a VM gets.")
    add_field(Platform, "placement", names, field, before="hosts")
