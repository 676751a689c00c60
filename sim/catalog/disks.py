"""Managed disk tiers: what P10, E15 or S40 holds, and which tier a size in GiB is rounded up to."""

import re
from types import MappingProxyType

# The ladder is the same for the three kinds; the number in a tier's name stands for its capacity.
TIER_GIB = MappingProxyType(
    {1: 4, 2: 8, 3: 16, 4: 32, 6: 64, 10: 128, 15: 256, 20: 512, 30: 1024, 40: 2048, 50: 4096, 60: 8192}
    | {70: 16384, 80: 32767}
)
DISK_KINDS = MappingProxyType({"P": "Premium SSD", "E": "Standard SSD", "S": "Standard HDD"})
SMALLEST_HDD = 4  # tiers 1 to 3 exist as SSD only


def tier_key(tier: str) -> str:
    """A disk tier as we write it: `p10`, `P10 LRS` and `P10` are `P10`; zone-redundant ones end in `_ZRS`.

    >>> tier_key("p10 zrs")
    'P10_ZRS'
    """
    key = re.sub(r"[\s_-]+", "_", tier.strip()).upper()
    return key.removesuffix("_LRS")


def tier_gib(tier: str) -> int | None:
    """Capacity of a tier in GiB, None if there is no such tier."""
    found = re.fullmatch(r"([PES])(\d{1,4})(_ZRS)?", tier_key(tier))
    if not found or (found[1] == "S" and (int(found[2]) < SMALLEST_HDD or found[3])):
        return None
    return TIER_GIB.get(int(found[2]))


def tier_for(gib: float, kind: str = "P", *, zone_redundant: bool = False) -> str:
    """The tier that a disk of so many GiB is billed as: the next one up (200 GiB of Standard SSD is E15).

    >>> tier_for(200, "E")
    'E15'
    """
    if kind not in DISK_KINDS:
        raise ValueError(f"disk kind {kind!r} is not one of {', '.join(DISK_KINDS)}")
    for number, capacity in TIER_GIB.items():
        if 0 < gib <= capacity and (kind != "S" or number >= SMALLEST_HDD):
            return f"{kind}{number}" + ("_ZRS" if zone_redundant else "")
    raise ValueError(f"a disk of {gib} GiB does not exist: more than 0, at most {max(TIER_GIB.values())} GiB")
