"""VM sizes: what a name like `Standard_D4s_v5` means in vCPUs, memory, quota family and flexibility group."""

import difflib
import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A VM size as the platform sells it; what no source states is None."""

    name: str  # "Standard_D4s_v5"
    family: str | None  # "standardDSv5Family", as the quota API spells it; compare without regard to case
    vcpus: int | None
    memory_gib: float | None
    flexibility_group: str | None = None  # sizes among which a reservation is shared
    flexibility_ratio: float | None = None  # footprint of one VM inside that group
    flexibility_basis: str = ""  # "documented" | "by vCPU" | "by reservation price" | "" (fits this size alone)


@lru_cache(maxsize=4096)  # every price of every replication is asked for by name
def size_key(name: str) -> str:
    """A size's name with the freedom of spelling taken out: case, blanks, underscores, the word Standard.

    >>> size_key("d4s v5") == size_key("Standard_D4s_v5")
    True
    """
    key = re.sub(r"[\s_]+", "", name).lower()
    return key.removeprefix("standard")


def is_like(name: str, pattern: str) -> bool:
    """Whether a size's name fits a pattern; `*` in the place of the number is a number, so that it names a series.

    >>> [name for name in ("Standard_D4s_v5", "Standard_D4as_v5", "Standard_D16s_v5") if is_like(name, "Standard_D*s_v5")]
    ['Standard_D4s_v5', 'Standard_D16s_v5']
    >>> is_like("Standard_D4as_v5", "Standard_D*")
    True
    """
    parts = [fnmatch.translate(part)[4:-3] for part in re.split(r"(?<=[a-z])\*(?=.)", pattern.lower())]
    return re.fullmatch(r"\d+(?:-\d+)?".join(parts), name.lower()) is not None


def arm_name(meter: str) -> str:
    """The resource manager's name of a size from its meter or short name; sizes of the Basic tier keep theirs.

    >>> arm_name("NC4as T4 v3"), arm_name("basic_A4")
    ('Standard_NC4as_T4_v3', 'Basic_A4')
    """
    name = re.sub(r"[\s_]+", "_", meter.strip())
    tier, _, rest = name.partition("_")
    if tier.lower() in ("standard", "basic") and rest:
        return f"{tier.capitalize()}_{rest}"
    return f"Standard_{name}"


@lru_cache(maxsize=256)
def region_key(name: str) -> str:
    """A region's name as the API writes it: `West Europe` is `westeurope`."""
    return re.sub(r"[\s_-]+", "", name).lower()


def close_sizes(wanted: str, known: Iterable[str], *, count: int = 5) -> list[str]:
    """Known sizes nearest to a misspelt one: the same size of other versions first, then like-sounding ones."""

    key = size_key(wanted)
    names = {size_key(name): name for name in known}
    stem, version = _split_version(key)
    same = [(abs(_split_version(other)[1] - version), other) for other in names if _split_version(other)[0] == stem]
    near = [other for _, other in sorted(same)]
    near += [other for other in difflib.get_close_matches(key, names, n=2 * count, cutoff=0.6) if other not in near]
    return [names[other] for other in near[:count]]


def _split_version(key: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.+?)v(\d{1,4})", key)
    return (found[1], int(found[2])) if found else (key, 1)
