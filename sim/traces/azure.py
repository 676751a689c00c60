"""The VM tables of the Azure Public Datasets V1 (2017) and V2 (2019): `vmtable.csv`, without a header.

Times are seconds of a window of 30 days, in steps of 5 minutes (Cortez et al., SOSP 2017). A VM created at 0 was there
before; one deleted at the last step, or never, was there afterwards.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from sim.traces.external_sort import ExternalSort
from sim.traces.formats import Content, Reading
from sim.traces.rows import RAW, VmSizeTable
from sim.traces.text import Lines, fault, open_text, read_lines

WINDOW_S = 30 * 86400.0
STAMP_S = 300.0
LAST_STAMPS = 2
"""VMs deleted at one of so many last stamps were alive when the observation ended: in 2017 at 2,591,400 s, which the
extract of `trace_generation_rnn` confirms by its censored lifetimes."""

SUBSCRIPTION, CREATED, DELETED, CORES, MEMORY = 1, 3, 4, 9, 10
NAMES_2017 = (
    "vmid", "subscriptionid", "deploymentid", "vmcreated", "vmdeleted", "maxcpu", "avgcpu", "p95maxcpu", "vmcategory",
    "vmcorecount", "vmmemory",
)  # fmt: skip
NAMES_2019 = (*NAMES_2017[:CORES], "vmcorecountbucket", "vmmemorybucket")

OPEN_BUCKETS = {CORES: ">24", MEMORY: ">64"}
"""The last buckets of 2019, which have no upper end."""


def read_2017(path: Path, reading: Reading, sorter: ExternalSort, vm_sizes: VmSizeTable) -> Content:
    """Rows with the number of vCPUs and the GiB of memory."""
    return _read(path, reading, sorter, vm_sizes, NAMES_2017, {})


def read_2019(path: Path, reading: Reading, sorter: ExternalSort, vm_sizes: VmSizeTable) -> Content:
    """Rows with buckets of vCPUs and memory."""
    stands_for = {CORES: reading.over_vcpus, MEMORY: reading.over_memory_gib}
    return _read(path, reading, sorter, vm_sizes, NAMES_2019, stands_for)


def _read(
    path: Path,
    reading: Reading,
    sorter: ExternalSort,
    vm_sizes: VmSizeTable,
    names: tuple[str, ...],
    stands_for: dict[int, float],
) -> Content:
    window_s = reading.window_s or WINDOW_S
    stamp_s = reading.stamp_s or STAMP_S
    origin_s = reading.origin_s or 0.0
    last_s = origin_s + window_s - LAST_STAMPS * stamp_s
    with open_text(path) as stream:
        wanted = (SUBSCRIPTION, CREATED, DELETED, CORES, MEMORY)
        for lines in read_lines(stream, path, names, wanted, line=1):
            created = lines.numbers(CREATED)
            deleted = lines.numbers(DELETED, empty=np.inf)
            lines.check(
                CREATED, created < 0, "is before the window", "seconds from the beginning of the 30 days, 0 or more"
            )
            lines.check(DELETED, deleted < created, "is before vmcreated", "a VM is deleted after it was created")
            alive = deleted >= last_s
            block = np.zeros(len(lines), dtype=RAW)
            block["created_s"] = created
            block["low_s"] = np.where(np.isinf(deleted), np.maximum(last_s - created, 0.0), deleted - created)
            block["high_s"] = np.where(alive, np.inf, deleted - created)
            block["seen_s"] = block["low_s"]
            block["tenant"] = tenants(lines.texts(SUBSCRIPTION))
            block["row"] = sorter.rows + np.arange(len(lines))
            vcpus = _amount(lines, CORES, stands_for.get(CORES))
            memory = _amount(lines, MEMORY, stands_for.get(MEMORY))
            block["size"] = vm_sizes.number(vcpus, memory, np.full(len(lines), "", dtype="U1"))
            block["alive_at_start"] = created <= origin_s
            sorter.append(block)
    if not sorter.rows:
        raise fault(path, "no rows", f"a row has {len(names)} columns: {', '.join(names)}")
    assumptions = tuple(
        f"VMs in the open bucket {OPEN_BUCKETS[column]} count as {value:g} {'vCPUs' if column == CORES else 'GiB'}"
        for column, value in stands_for.items()
    )
    return Content(
        origin_s=origin_s, window_s=window_s, follow_up_s=window_s, watched_s=window_s - LAST_STAMPS * stamp_s, stamp_s=stamp_s,
        assumptions=assumptions,
    )  # fmt: skip


def _amount(lines: Lines, column: int, stands_for: float | None) -> NDArray[np.float64]:
    """vCPUs or GiB; the open bucket by what stands for it."""
    if stands_for is not None:
        texts = lines.texts(column)
        closed = pa.array(np.where(texts == OPEN_BUCKETS[column], repr(stands_for), texts), pa.string())
        lines = replace(lines, cells={**lines.cells, column: closed})
    amount = lines.numbers(column)
    lines.check(column, amount <= 0, "is no room for a VM", "a number above 0 is needed")
    return amount


def tenants(names: NDArray[np.object_]) -> NDArray[np.uint64]:
    """A number for each name, the same one wherever it comes; 0 for none."""

    codes, unique = pd.factorize(names)
    numbers = pd.util.hash_array(np.asarray(unique, dtype=object), categorize=False)
    numbers[np.asarray(unique) == ""] = 0
    return np.asarray(numbers[codes], dtype=np.uint64)
