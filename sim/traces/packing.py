"""Azure Traces for Packing 2020: requests of one zone in a sqlite file (Hadary et al., OSDI 2020).

Times are days from the beginning of a window of 14; VMs that were there before have negative ones, and ends are known
up to day 90 (NULL: later). Rooms are shares of a machine, so that the machine's size is for the reader to say.
"""

import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from sim.traces.external_sort import ExternalSort
from sim.traces.formats import Content, Reading
from sim.traces.rows import RAW, VmSizeTable
from sim.traces.text import fault, open_bytes

DAY_S = 86400.0
WINDOW_S = 14 * DAY_S
FOLLOW_UP_S = 90 * DAY_S
ROWS_AT_ONCE = 100_000

WANTED = {
    "vm": ("vmId", "tenantId", "vmTypeId", "priority", "starttime", "endtime"),
    "vmType": ("vmTypeId", "machineId", "core", "memory"),
}

# rowid order is the file's order; the sort by creation is the sorter's, which doesn't ask for an index.
_VMS = "SELECT rowid, tenantId, vmTypeId, priority, starttime, endtime FROM vm ORDER BY rowid"
_TYPES = "SELECT vmTypeId, machineId, core, memory FROM vmType ORDER BY vmTypeId, machineId"


def read_packing(path: Path, reading: Reading, sorter: ExternalSort, vm_sizes: VmSizeTable) -> Content:
    """Requests with the room of their type on the first machine that offers it."""
    origin_s = reading.origin_s or 0.0
    window_s = reading.window_s or WINDOW_S
    with _opened(path) as base:
        _check_tables(path, base)
        types = _rooms(path, base, reading)
        cursor = base.execute(_VMS)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            for row in rows:
                _check_row(path, row, types)
            _, tenant, kind, priority, start, end = zip(*rows, strict=True)
            created = np.array(start, dtype=np.float64) * DAY_S
            ended = np.array([np.inf if one is None else one for one in end], dtype=np.float64) * DAY_S
            block = np.zeros(len(rows), dtype=RAW)
            block["created_s"] = created
            alive = np.isinf(ended)
            block["low_s"] = np.where(alive, FOLLOW_UP_S, ended) - created
            block["high_s"] = ended - created
            block["seen_s"] = block["low_s"]
            block["tenant"] = [hash_of(one) for one in tenant]
            block["row"] = sorter.rows + np.arange(len(rows))
            rooms = np.array([types[one] for one in kind], dtype=np.float64)
            block["size"] = vm_sizes.number(rooms[:, 0], rooms[:, 1], np.full(len(rows), "", dtype="U1"))
            block["priority"] = priority
            block["alive_at_start"] = created < origin_s
            sorter.append(block)
    if not sorter.rows:
        raise fault(path, "no rows in the table vm")
    room = f"{reading.machine_vcpus:g} vCPUs and {reading.machine_memory_gib:g} GiB"
    return Content(
        origin_s=origin_s, window_s=window_s, follow_up_s=max(FOLLOW_UP_S - origin_s, window_s),
        stamp_s=reading.stamp_s or 0.0,
        assumptions=(f"shares of a machine are shares of {room}", "a type's room is its share of its first machine"),
    )  # fmt: skip


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The data base, read only; a packed one by way of a temporary file, since sqlite must jump about in it."""
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as unpacked:
        file = _plain(path, unpacked)
        try:
            with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as base:
                yield base
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # a text of the file is no UTF-8
            raise fault(
                path, f"not a sqlite file that can be read: {error}", "azure-packing-2020 is the unzipped .sqlite"
            ) from None


def _plain(path: Path, unpacked: IO[bytes]) -> Path:
    with open_bytes(path) as content:
        head = content.read(16)
        if head[:4] == b"PK\x03\x04":
            raise fault(path, "this is a zip archive", "unzip it and give the .sqlite file in it")
        if not head.startswith(b"SQLite format 3"):
            raise fault(path, "this is not a sqlite file", "azure-packing-2020 is the .sqlite file of the data set")
        with path.open("rb") as raw:
            if raw.read(2) != b"\x1f\x8b":
                return path
        unpacked.write(head)
        shutil.copyfileobj(content, unpacked, 1 << 20)
    unpacked.flush()
    return Path(unpacked.name)


def _check_tables(path: Path, base: sqlite3.Connection) -> None:
    kinds = dict(base.execute("SELECT lower(name), type FROM sqlite_master"))
    for table, wanted in WANTED.items():
        if kinds.get(table.lower(), "table") != "table":  # a view may compute rows without end
            raise fault(path, f"{table} is a {kinds[table.lower()]}, not a table")
        found = {name.lower() for _, name, *_ in base.execute(f"PRAGMA table_info({table})")}
        missing = [name for name in wanted if name.lower() not in found]
        if missing:
            has = f"it has {', '.join(sorted(found))}" if found else "there is no such table"
            raise fault(
                path, f"table {table} has no {', '.join(missing)}: {has}", f"{table}({', '.join(wanted)}) is needed"
            )


def _rooms(path: Path, base: sqlite3.Connection, reading: Reading) -> dict[object, tuple[float, float]]:
    rooms: dict[object, tuple[float, float]] = {}
    for kind, machine, core, memory in base.execute(_TYPES):
        for name, share in (("core", core), ("memory", memory)):
            if not isinstance(share, int | float) or not 0 < share <= 1:
                field = f"vmType.{name} (vmTypeId {kind}, machineId {machine})"
                raise fault(
                    path, f"{share!r} is no share of a machine", "a number above 0, at most 1", field=field, value=share
                )
        # The shares are rounded in the file; six digits are what they are good for.
        rooms.setdefault(kind, (round(core * reading.machine_vcpus, 4), round(memory * reading.machine_memory_gib, 4)))
    return rooms


def hash_of(tenant: object) -> int:
    """A whole number of 64 bits for a tenant; ids of the data set are small numbers already."""
    if isinstance(tenant, int) and 0 <= tenant < 2**63:
        return tenant + 1

    return 0 if tenant is None else zlib.crc32(str(tenant).encode()) + 2**63


def _check_row(path: Path, row: tuple[object, ...], types: dict[object, tuple[float, float]]) -> None:
    number, _, kind, priority, start, end = row
    wrong: tuple[str, object, str] | None = None
    if not isinstance(start, int | float):
        wrong = ("starttime", start, "days from the beginning of the window")
    elif end is not None and not isinstance(end, int | float):
        wrong = ("endtime", end, "days from the beginning of the window, or NULL")
    elif end is not None and end < start:
        wrong = ("endtime", end, f"not before starttime, {start}")
    elif priority not in (0, 1):
        wrong = ("priority", priority, "0 (high) or 1 (low)")
    elif kind not in types:
        wrong = ("vmTypeId", kind, "a vmTypeId of the table vmType")
    if wrong is not None:
        field, value, right = wrong
        raise fault(
            path, f"{value!r} is wrong", f"right is {right}", line=int(str(number)), field=f"vm.{field}", value=value
        )
