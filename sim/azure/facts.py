"""What files say of a VM, as they say it: nothing is decided here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sim.azure.identity import Key

VM_LIST, GRAPH, TERRAFORM = "vm-list", "resource-graph", "terraform"
LOG, LOG_CSV, EXPORT = "activity-log", "activity-log-csv", "cost-export"
RUNNING, STOPPED, DEALLOCATED = "running", "stopped", "deallocated"


@dataclass(slots=True, kw_only=True)
class DiskFacts:
    """A managed disk; *vm* is the one it is attached to."""

    key: Key | None
    kind: str = ""  # P, E, S; empty where not said
    gib: float | None = None
    tier: str = ""
    vm: Key | None = None


@dataclass(slots=True, kw_only=True)
class Described:
    """A VM as files describe it; empty or None is not said."""

    key: Key
    id: str = ""
    name: str = ""
    resource_group: str = ""
    size: str = ""
    region: str = ""
    os: str = ""
    priority: str = ""
    policy: str = ""  # of spot evictions
    zones: tuple[int, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    own_licence: bool = False
    power: str = ""
    created: datetime | None = None


@dataclass(slots=True, kw_only=True)
class VmFacts(Described):
    """One VM as one file names it."""

    file: str
    source: str
    disks: list[DiskFacts] = field(default_factory=list)
    public_ip: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionBand:
    """How often the platform says that spot VMs of a size are evicted in a region: a band, per hour of running."""

    words: str  # 0-5, ..., 15-20, 20+
    file: str

    @property
    def per_hour(self) -> float:
        """The middle of the band, as a probability; of the last, which has no end, its begin."""
        ends = [float(end) for end in self.words.rstrip("+").split("-")]
        return sum(ends) / len(ends) / 100.0


@dataclass(slots=True, kw_only=True)
class AutoShutdown:
    """A daily shutdown by the platform: local wall time, and the zone it is meant in."""

    vm: Key
    time: str  # HH:MM
    time_zone: str
    file: str


@dataclass(slots=True)
class Inventory:
    """What the lists and plans hold together."""

    vms: list[VmFacts] = field(default_factory=list)
    disks: list[DiskFacts] = field(default_factory=list)
    shutdowns: list[AutoShutdown] = field(default_factory=list)
    evicted: dict[tuple[str, str], EvictionBand] = field(default_factory=dict)  # by size and region, as keys
    notes: list[str] = field(default_factory=list)
