"""Which size of the catalogue stands for a VM of a trace: the one named, or the nearest that is not smaller."""

import math
import re
from collections.abc import Iterable, Sequence

from sim.catalog import Catalogue, Size, Term
from sim.catalog.sizes import is_like
from sim.errors import CatalogueError, Fault, TraceError
from sim.traces.rows import VmSize

SLACK = 1e-3
"""A size that is too small by no more than this share still counts: traces round their shares of a machine."""


def map_sizes(
    vm_sizes: Sequence[VmSize], catalogue: Catalogue, region: str, *, os: str = "linux", priority: str = "regular",
    pool: Sequence[str] = (),
) -> tuple[str, ...]:  # fmt: skip
    """The size for each kind of VM: by name if it has one, else the nearest of *pool* that is not smaller.

    Nearest is the least product of room given for room wanted, vCPUs times memory; between equals the cheaper price of
    *os* and *priority* decides, then the name. *pool* holds names or patterns (`"Standard_D*s_v5"`); empty, it is every size
    with that price in the region but those that need another image or bring an accelerator (Arm and N series).
    """
    candidates = _candidates(catalogue, region, _term(os, priority), pool)
    faults: list[Fault] = []
    found: list[str] = []
    for vm_size in vm_sizes:
        try:
            found.append(_named(vm_size, catalogue) if vm_size.size else _nearest(vm_size, candidates, region))
        except CatalogueError as error:
            faults.append(Fault(field="size", problem=str(error), value=str(vm_size)))
    if faults:
        raise TraceError(faults[:10])
    return tuple(found)


def is_ordinary(name: str) -> bool:
    """Whether a size runs any image and is no accelerator: not of the N series, not Arm (a `p` among its features).

    >>> is_ordinary("Standard_D4s_v5"), is_ordinary("Standard_D4ps_v6"), is_ordinary("Standard_NC4as_T4_v3")
    (True, False, False)
    """
    parts = re.fullmatch(r"Standard_([A-Z]+)\d+(?:-\d+)?([a-z]*).*", name)
    return parts is not None and not parts[1].startswith("N") and "p" not in parts[2]


def _candidates(catalogue: Catalogue, region: str, term: Term, pool: Sequence[str]) -> list[tuple[float, str, Size]]:
    priced: list[tuple[float, str, Size]] = []
    for name in _pool(catalogue, region, pool):
        size, price = catalogue.get_size(name), catalogue.find_price(name, region, term)
        if price is not None and size.vcpus and size.memory_gib:
            priced.append((price.per_h, size.name, size))
    if not priced:
        raise CatalogueError(
            f"no size to stand for the trace's VMs has a {term} price in {region}: give other sizes or a price list"
        )
    return sorted(priced, key=lambda one: one[:2])


def _pool(catalogue: Catalogue, region: str, pool: Sequence[str]) -> Iterable[str]:
    known = catalogue.sizes_in(region)
    if not pool:
        return [name for name in known if is_ordinary(name)]
    chosen: dict[str, None] = {}
    for pattern in pool:
        if any(sign in pattern for sign in "*?["):
            matching = [name for name in known if is_like(name, pattern)]
            if not matching:
                raise CatalogueError(f"no size in {region} is like {pattern!r}: a pattern looks like Standard_D*s_v5")
            chosen.update(dict.fromkeys(matching))
        else:
            chosen[catalogue.get_size(pattern).name] = None
    return chosen


def _term(os: str, priority: str) -> Term:
    return Term(f"spot_{os}" if priority == "spot" else os)


def _named(vm_size: VmSize, catalogue: Catalogue) -> str:
    return catalogue.get_size(vm_size.size).name


def _nearest(vm_size: VmSize, candidates: Sequence[tuple[float, str, Size]], region: str) -> str:
    if vm_size.vcpus is None or vm_size.memory_gib is None:
        raise CatalogueError(f"a VM without a size needs both vCPUs and memory: {vm_size}")
    best: tuple[float, float, str] | None = None
    for price, name, size in candidates:
        vcpus, memory = float(size.vcpus or 0), float(size.memory_gib or 0)
        if vcpus < vm_size.vcpus * (1 - SLACK) or memory < vm_size.memory_gib * (1 - SLACK):
            continue
        # Rounded, so that equals stay equal whatever the order of the products.
        given = round(math.log(vcpus / vm_size.vcpus) + math.log(memory / vm_size.memory_gib), 9)
        if best is None or (given, price, name) < best:
            best = (given, price, name)
    if best is None:
        most = max(candidates, key=lambda one: (one[2].vcpus or 0, one[2].memory_gib or 0))[2]
        raise CatalogueError(
            f"no size in {region} has room for {vm_size}; the largest is {most.name} ({most.vcpus} vCPU, {most.memory_gib:g} GiB)"
        )
    return best[2]
