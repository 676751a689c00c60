"""Service level: monthly uptime of a deployment, and the service credit that too little of it is worth.

Sources: SLA for Virtual Machines v1.8 (2018-03), later rows from secondary texts; on-demand capacity reservations SLA v1.0
(2022-03). A credit is a share of that month's fee of the affected resources, and must be claimed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Deployment(StrEnum):
    """How VMs are deployed, as far as the SLA depends on it."""

    ZONES = "zones"  # two or more VMs over two or more zones
    AVAILABILITY_SET = "availability-set"  # two or more VMs in one set
    SINGLE_PREMIUM = "single-premium"  # all disks Premium SSD or Ultra
    SINGLE_STANDARD_SSD = "single-standard-ssd"
    SINGLE_STANDARD_HDD = "single-standard-hdd"
    CAPACITY_RESERVATION = "capacity-reservation"
    SPOT = "spot"  # no SLA


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """The SLA of one kind of deployment, and the credits for missing it."""

    uptime: float | None  # monthly uptime, a fraction; None: no SLA
    credits: tuple[tuple[float, float], ...] = ()  # (uptime below, credit), both fractions, largest uptime first
    source: str


_V18 = "SLA for Virtual Machines v1.8, 2018-03"
_SECONDARY = "secondary texts, 2022-2025; not confirmed in an official text"

SERVICE_LEVELS: Mapping[Deployment, ServiceLevel] = MappingProxyType(
    {
        Deployment.ZONES: ServiceLevel(
            uptime=0.9999, credits=((0.9999, 0.10), (0.99, 0.25), (0.95, 1.0)), source=f"{_V18}; credits: {_SECONDARY}"
        ),
        Deployment.AVAILABILITY_SET: ServiceLevel(
            uptime=0.9995, credits=((0.9995, 0.10), (0.99, 0.25), (0.95, 1.0)), source=f"{_V18}; credits: {_SECONDARY}"
        ),
        Deployment.SINGLE_PREMIUM: ServiceLevel(
            uptime=0.999, credits=((0.999, 0.10), (0.99, 0.25), (0.95, 1.0)), source=f"{_V18}; credits: {_SECONDARY}"
        ),
        Deployment.SINGLE_STANDARD_SSD: ServiceLevel(
            uptime=0.995, credits=((0.995, 0.10), (0.95, 0.25), (0.90, 1.0)), source=_SECONDARY
        ),
        Deployment.SINGLE_STANDARD_HDD: ServiceLevel(
            uptime=0.95, credits=((0.95, 0.10), (0.92, 0.25), (0.90, 1.0)), source=_SECONDARY
        ),
        Deployment.CAPACITY_RESERVATION: ServiceLevel(
            uptime=0.999, credits=((0.999, 0.10),), source="on-demand capacity reservations SLA v1.0, 2022-03"
        ),
        Deployment.SPOT: ServiceLevel(uptime=None, source="spot-vms.md, 2024-08-05"),
    }
)


def deployment_of(
    disks: Sequence[str], *, vms: int = 1, zones: int = 0, availability_set: bool = False, priority: str = "regular"
) -> Deployment:
    """Which SLA holds: the strongest one that the deployment fulfils; a single VM goes by its slowest disk.

    >>> deployment_of(["P10", "S30"])
    <Deployment.SINGLE_STANDARD_HDD: 'single-standard-hdd'>
    """
    if priority == "spot":
        return Deployment.SPOT
    if vms >= 2 and zones >= 2:
        return Deployment.ZONES
    if vms >= 2 and availability_set:
        return Deployment.AVAILABILITY_SET
    kinds = {disk.strip()[:1].upper() for disk in disks}
    if "S" in kinds:
        return Deployment.SINGLE_STANDARD_HDD
    return Deployment.SINGLE_STANDARD_SSD if "E" in kinds else Deployment.SINGLE_PREMIUM
