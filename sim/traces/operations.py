"""Operations of VMs as a platform timed them: one a row, with what is needed to fit how long each kind takes.

The columns are `operation` and `seconds`; `os`, `status`, `target`, `started` and `source` if the file has them. Rows of
one source, one day and one guest OS are repeats of one experiment rather than independent of each other: one cluster.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sim.errors import TraceError
from sim.files import open_table, refusal
from sim.units import SECONDS_PER_HOUR

MEANINGS = {
    "operation": ("operation", "operation_name", "operationname", "action"),
    "seconds": ("seconds", "duration_s", "duration", "elapsed_s"),
    "os": ("os", "os_type", "ostype"),
    "status": ("status", "outcome", "result"),
    "target": ("target", "resource"),
    "started": ("started", "start", "start_time", "starttime", "date", "time"),
    "source": ("source", "test", "file"),
}
"""What a column may mean, and the headers that say so, whatever their case."""

SYSTEMS = {"": "", "linux": "linux", "windows": "windows", "unknown": ""}
STATUSES = {"succeeded": "succeeded", "success": "succeeded", "failed": "failed", "failure": "failed"}
TARGETS = {"": "vm", "vm": "vm", "virtual machine": "vm", "vmss": "vmss", "vmss-vm": "vmss-vm"}
LONGEST_S = 30 * 24 * SECONDS_PER_HOUR
"""The platform gives an operation up long before."""
CLOCK_S = 1e-3
"""What took less than the clock can tell took no time that could be fitted."""
SHORTEST_S = 1.0
"""An operation that took less had nothing to do; one that failed in less was refused."""
CAN_BE_EMPTY = frozenset(
    {"create", "start", "restart", "power_off", "deallocate", "delete", "update", "extension_create"}
)
"""Operations that the platform answers at once if there is nothing to do; any other time is a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation that was timed. If it failed, it would have taken longer than *seconds*."""

    name: str  # create, start, power_off ...
    seconds: float
    failed: bool = False
    os: str = ""  # linux | windows | "": not known
    target: str = "vm"  # vm | vmss | vmss-vm
    year: int | None = None
    cluster: str  # operations of one cluster may be alike


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What a file says of operations: those that count, and in words those that don't."""

    source: str
    operations: Sequence[Operation]
    rows: int
    notes: tuple[str, ...]


def read_operations(path: Path) -> Operations:
    """The operations in a CSV file with a header; TraceError names the line, the column and what would be right."""
    with open_table(path, TraceError) as (_, header, rows):
        at = _places(path, [name.strip() for name in header])
        found = [_read_row(path, line, cells, at) for line, cells in rows]
    if not found:
        raise refusal(TraceError, path, "no rows under the header")
    has_clusters = bool({"started", "source"} & at.keys())
    note = "the file says neither when nor where operations ran: each counts as independent of the others"
    return operations_of(path, found, () if has_clusters else (note,))


def operations_of(path: Path, found: Sequence[Operation | str], notes: Sequence[str]) -> Operations:
    """Those of a file that count; of the others the reason is given."""
    left = Counter(each for each in found if isinstance(each, str))
    said = [f"left out: {count:,} {reason}" for reason, count in sorted(left.items())]
    kept = [each for each in found if not isinstance(each, str)]
    return Operations(source=path.name, operations=kept, rows=len(found), notes=(*said, *notes))


def _places(path: Path, names: list[str]) -> dict[str, int]:
    lower = [name.lower() for name in names]
    at = {what: lower.index(name) for what, known in MEANINGS.items() for name in reversed(known) if name in lower}
    for needed in ("operation", "seconds"):
        if needed not in at:
            has = ", ".join(names[:20]) or "nothing"
            hint = f"name one {' or '.join(MEANINGS[needed])}; the header has {has}"
            raise refusal(TraceError, path, f"no column says the {needed} of a row", hint, line=1, field=needed)
    return at


def _read_row(path: Path, line: int, cells: list[str], at: dict[str, int]) -> Operation | str:
    """The operation in a row, or why the row doesn't count."""
    text = {what: cells[place].strip() if place < len(cells) else "" for what, place in at.items()}

    def refused(what: str, problem: str, hint: str) -> Exception:
        return refusal(TraceError, path, f"{text[what]!r} {problem}", hint, line=line, field=what)

    name = re.sub(r"[\s/-]+", "_", text["operation"].lower())
    if not re.fullmatch(r"[a-z][a-z_]{0,63}", name):
        raise refused("operation", "is no operation", "a name of letters, such as create or power_off")
    try:
        seconds = float(text["seconds"])
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_S:
        raise refused("seconds", "is no duration", f"a number of seconds from 0 to {LONGEST_S:,.0f}")
    read = {}
    for what, known in (("os", SYSTEMS), ("target", TARGETS)):
        read[what] = known.get(text.get(what, "").lower())
        if read[what] is None:
            raise refused(what, "is not known", f"one of {', '.join(sorted(word for word in known if word))}")
    day = _day(text.get("started", ""))
    if text.get("started") and day is None:
        raise refused("started", "is no date", "a date such as 2021-05-07, or an instant")
    status = "succeeded" if "status" not in text else STATUSES.get(text["status"].lower(), "")
    if why := why_left_out(name, status, seconds):
        return why
    place = (text.get("source", ""), "" if day is None else f"{day:%Y-%m-%d}", read["os"])
    return Operation(
        name={"poweroff": "power_off"}.get(name, name), seconds=seconds, failed=status == "failed", os=read["os"] or "",
        target=read["target"] or "vm", year=None if day is None else day.year,
        cluster="|".join(str(part) for part in place) if {"started", "source"} & text.keys() else str(line),
    )  # fmt: skip


def why_left_out(name: str, status: str, seconds: float) -> str:
    """Why an operation says nothing of how long its kind takes; "": it does."""
    if not status:
        return "without a final status (neither succeeded nor failed)"
    if status == "failed" and seconds < SHORTEST_S:
        return f"failed in under {SHORTEST_S:g} s: they were refused, not timed"
    if seconds < CLOCK_S or (seconds < SHORTEST_S and name in CAN_BE_EMPTY):
        return f"{name} in under {SHORTEST_S:g} s: they had nothing to do"
    return ""


def _day(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
