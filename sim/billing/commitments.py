"""Commitments that lower the price: reservations, savings plans, capacity reservations, dedicated hosts.

All are rated per clock hour and fleet-wide: what is not used in its hour is lost. Sources: azure-docs
understand-vm-reservation-charges.md (2023-07-27), reserved-vm-instance-size-flexibility.md (2021-04-06),
savings-plan/discount-application.md (2025-01-07), capacity-reservation-overview.md (2026-02-17), dedicated-hosts.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass

TERMS = ("1y", "3y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """So many VMs of one size paid for a term, hour by hour, used or not; stopped VMs use it, spot VMs can't."""

    name: str
    size: str
    quantity: float
    term: str  # 1y | 3y
    region: str
    size_flexible: bool = True  # covers its whole flexibility group, by ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingsPlan:
    """So many dollars of compute bought every hour, spent at the plan's rates on whatever saves most."""

    name: str
    hourly_usd: float
    term: str  # 1y | 3y
    region: str = ""  # "" covers every region (a savings plan is not bound to one)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityReservation:
    """Room held for so many VMs of one size, billed as if they ran; a VM inside takes the place of an unused unit."""

    name: str
    size: str
    quantity: float
    region: str
    groups: tuple[str, ...] = ()  # whose VMs name it; () = every regular group of this size and region


@dataclass(frozen=True, slots=True, kw_only=True)
class DedicatedHost:
    """Whole hosts, billed while they exist; VMs on them pay no compute (licences, disks, network as usual)."""

    name: str
    quantity: float
    usd_per_h: float
    vcpus: int  # of one host
    groups: tuple[str, ...]  # whose VMs run on it


Commitment = Reservation | SavingsPlan | CapacityReservation | DedicatedHost


def hold_vms(commitments: Iterable[Commitment]) -> bool:
    """Whether any of them holds VMs one at a time: then hours aren't enough to rate them, the stays of VMs are needed."""
    return any(isinstance(each, CapacityReservation | DedicatedHost) for each in commitments)
