"""Which disk tier a VM's disk is billed as; the ladder of tiers itself is the catalogue's.

A managed disk pays its tier's monthly price over the hours of the calendar month, whatever is on it and whatever the VM's
power state (disks-understand-billing.md, 2025-10-28).
"""

import re

from sim.billing.money import exact_price
from sim.catalog.catalogue import Catalogue
from sim.catalog.disks import DISK_KINDS, tier_for, tier_gib, tier_key
from sim.errors import CatalogueError

# What the platform's own images put on the OS disk, GiB: the room that a hibernating VM's memory comes on top of.
IMAGE_GIB = {"linux": 30, "windows": 127}


def parse_disk(text: str) -> str:
    """The tier named by a tier ("P10") or by a kind and a size in GiB ("E:200").

    >>> parse_disk("E:200"), parse_disk("p10")
    ('E15', 'P10')
    """
    if tier_gib(text) is not None:
        return tier_key(text)
    sized = re.fullmatch(r"\s*([A-Za-z])\s*:\s*(\d+(?:\.\d+)?)\s*(?:GiB)?\s*", text)
    if sized and sized[1].upper() in DISK_KINDS:
        try:
            return tier_for(float(sized[2]), sized[1].upper())
        except ValueError as wrong:
            raise CatalogueError(f"disk {text!r}: {wrong}") from None
    kinds = ", ".join(f"{kind} ({name})" for kind, name in DISK_KINDS.items())
    raise CatalogueError(
        f'disk {text!r} is unknown; write a tier ("P10", "E15", "S30") or a kind and GiB ("E:200"); kinds: {kinds}'
    )


def hibernation_tier(os_disk: str, memory_gib: float, os: str) -> str:
    """The tier of an OS disk that must hold its image and, while hibernated, the VM's memory; never a smaller one.

    >>> hibernation_tier("P10", 16, "linux"), hibernation_tier("P10", 16, "windows")
    ('P10', 'P15')
    """
    tier = parse_disk(os_disk)
    needed = IMAGE_GIB[os] + memory_gib
    if needed <= (tier_gib(tier) or 0):
        return tier
    return tier_for(needed, tier[0], zone_redundant=tier.endswith("_ZRS"))


def month_price(catalogue: Catalogue, disk: str, region: str) -> float:
    """What a disk costs a month; written `P10>P15`, what the second tier costs more than the first."""
    base, _, tier = disk.rpartition(">")
    price = exact_price(catalogue.disk(parse_disk(tier), region).per_month)
    return float(price - exact_price(catalogue.disk(parse_disk(base), region).per_month)) if base else float(price)
