"""A trace of any provenance: a CSV file with a header that names when each VM was created, how it ended, and its room.

Times are seconds, or instants like 2026-01-05T08:00:00Z. A lifetime is given by `deleted`, by `lifetime` in seconds, or by an
interval `life_lo_s`..`life_hi_s`; a row without its end, or marked `censored`, was alive when the observation ended.
"""

import csv
import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.arrays import Floats
from sim.traces.azure import tenants
from sim.traces.external_sort import ExternalSort
from sim.traces.formats import Content, Reading
from sim.traces.rows import MOST_VM_SIZES, RAW, VmSizeTable
from sim.traces.text import Lines, fault, open_text, read_lines
from sim.units import SECONDS_PER_HOUR

MEANINGS: dict[str, tuple[str, ...]] = {
    "created": ("created", "created_s", "created_at", "creation_time", "vmcreated", "start", "start_s", "starttime", "start_time"),
    "deleted": ("deleted", "deleted_s", "deleted_at", "deletion_time", "vmdeleted", "end", "end_s", "endtime", "end_time"),
    "lifetime": ("lifetime", "lifetime_s", "life", "life_s", "duration", "duration_s"),
    "life_low": ("life_lo_s", "life_low_s", "lifetime_lo_s", "lifetime_low_s"),
    "life_high": ("life_hi_s", "life_high_s", "lifetime_hi_s", "lifetime_high_s"),
    "censored": ("censored", "still_alive", "alive"),
    "vcpus": ("vcpus", "vcpu", "cpus", "cpu", "cores", "core_count", "vmcorecount"),
    "memory": ("memory_gib", "memory", "mem_gib", "mem", "ram_gib", "ram", "memory_gb", "mem_gb", "ram_gb", "vmmemory"),
    "memory_mib": ("memory_mib", "mem_mib", "ram_mib", "memory_mb", "mem_mb", "ram_mb"),
    "priority": ("priority",),
    "size": ("size", "vm_size", "vmsize", "instance_type", "sku"),
    "tenant": ("tenant", "tenant_id", "tenantid", "batch", "batch_id", "batch_in_bin", "deployment", "deploymentid",
               "subscription", "subscriptionid", "user", "user_id", "owner"),
    "name": ("name", "vm", "vm_name", "vmid", "vm_id", "id"),
}  # fmt: skip
"""What a column may mean, and the headers that say so, whatever their case."""

PRIORITIES = {"": 0, "regular": 0, "high": 0, "on-demand": 0, "0": 0, "spot": 1, "low": 1, "preemptible": 1, "1": 1}
PRIORITY_HINT = f"one of {', '.join(word for word in PRIORITIES if word)}"
MARKS = dict.fromkeys(("1", "true", "yes", "y", "t"), 1) | dict.fromkeys(("", "0", "false", "no", "n", "f"), 0)

FEWEST_FOR_A_STAMP = 50
"""Below so many rows a common divisor of all times says nothing about the clock that took them."""


@dataclass(slots=True)
class _Seen:
    """What is known of the whole file only at its end."""

    first_s: float = math.inf
    last_s: float = -math.inf  # the fleet was observed until then at least
    latest_s: float = math.inf  # and until then at most, by the bins of the censored
    instants: bool | None = None
    divisor: int | None = 0  # of all times, 0: none yet, None: they are not whole
    intervals: bool = False


def read_columns(path: Path, reading: Reading, sorter: ExternalSort, vm_sizes: VmSizeTable) -> Content:
    """Rows by the columns that the header names."""
    seen = _Seen()
    with open_text(path) as stream:
        header = next(csv.reader([stream.readline()]), [])
        names = [name.strip() for name in header]
        at = _meanings(path, names, reading)
        for lines in read_lines(stream, path, names, sorted(set(at.values())), line=2):
            _append(lines, at, sorter, vm_sizes, seen)
            if len(vm_sizes.numbers) > MOST_VM_SIZES:
                hint = "are vcpus, memory and size the right columns?"
                raise fault(path, f"more than {MOST_VM_SIZES} kinds of VM", hint)
    if not sorter.rows:
        raise fault(path, "no rows under the header")
    return _content(path, reading, sorter, seen)


def _content(path: Path, reading: Reading, sorter: ExternalSort, seen: _Seen) -> Content:
    # t = 0 is on the whole hour, so that hours of the clock and hours of the replay are the same.
    whole_hour_s = math.floor(seen.first_s / SECONDS_PER_HOUR) * SECONDS_PER_HOUR
    origin_s = whole_hour_s if reading.origin_s is None else reading.origin_s
    ended_s = max(seen.last_s, seen.latest_s) if math.isfinite(seen.latest_s) else seen.last_s
    window_s = reading.window_s or ended_s - origin_s
    if window_s <= 0:
        raise fault(path, "nothing happens after t = 0", "give the window that was watched, or another origin")
    stamp_s = reading.stamp_s
    if stamp_s is None:
        stamp_s = float(seen.divisor or 0) if sorter.rows >= FEWEST_FOR_A_STAMP else 0.0
    assumptions = [] if reading.window_s else ["the observation ended at the last instant in the file"]
    if seen.intervals:
        assumptions.append("a lifetime known to an interval is replayed by the interval's middle")
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=origin_s) if seen.instants else None
    times = {"origin_s": origin_s, "window_s": window_s, "follow_up_s": window_s, "stamp_s": stamp_s}
    return Content(**times, start=start, assumptions=tuple(assumptions))


# --- the header


def _meanings(path: Path, names: Sequence[str], reading: Reading) -> dict[str, int]:
    """The position of each meaning in the file."""
    folded = [name.lower().replace(" ", "_").replace("-", "_") for name in names]
    at: dict[str, int] = {}
    for meaning, wanted in reading.columns.items():
        if meaning not in MEANINGS:
            raise fault(path, f"columns.{meaning} is no meaning of a column", f"there are {', '.join(MEANINGS)}")
        if wanted not in names:
            near = difflib.get_close_matches(wanted, names, n=1)
            right = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names)}"
            raise fault(path, f"the header has no column {wanted!r} for {meaning}", right, line=1)
        at[meaning] = names.index(wanted)
    for meaning, synonyms in MEANINGS.items():
        found = [folded.index(name) for name in synonyms if name in folded]
        if meaning not in at and found:
            at[meaning] = found[0]
    _check_meanings(path, names, at)
    at.pop("name", None)  # the VMs of a group are named in order of creation, whatever the file calls them
    return at


def _check_meanings(path: Path, names: Sequence[str], at: dict[str, int]) -> None:
    has = f"it has {', '.join(names) or 'nothing'}"
    if "created" not in at:
        right = f"call it one of {', '.join(MEANINGS['created'])}"
        raise fault(path, f"the header has no column for created: {has}", right, line=1)
    if not {"deleted", "lifetime", "life_low"} & at.keys():
        right = f"call it one of {', '.join(MEANINGS['deleted'][:3] + MEANINGS['lifetime'][:2])}"
        raise fault(path, f"the header has no column for deleted or lifetime: {has}", right, line=1)
    if ("life_low" in at) != ("life_high" in at):
        right = "life_lo_s and life_hi_s are needed"
        raise fault(path, "the header has one end of the lifetime's interval only", right, line=1)
    missing = [
        word
        for word, known in (("vCPUs", ("vcpus",)), ("memory", ("memory", "memory_mib")))
        if not at.keys() & set(known)
    ]
    if missing and "size" not in at:
        names = (
            [*MEANINGS["vcpus"][:3], *MEANINGS["memory"][:3]]
            if len(missing) == 2
            else MEANINGS["vcpus" if "vCPUs" in missing else "memory"]
        )
        right = f"columns such as {', '.join(names[:6])}; or size"
        raise fault(path, f"the header has no column for {' and '.join(missing)}, nor for size: {has}", right, line=1)


# --- the rows


def _append(lines: Lines, at: dict[str, int], sorter: ExternalSort, vm_sizes: VmSizeTable, seen: _Seen) -> None:
    if not len(lines):
        return
    created = _times(lines, at["created"], seen)
    low, high, seen_s, known = _lives(lines, at, created, seen)
    binned = np.isinf(high) & np.isfinite(seen_s)
    block = np.zeros(len(lines), dtype=RAW)
    block["created_s"], block["low_s"], block["high_s"], block["seen_s"] = created, low, high, seen_s
    block["tenant"] = tenants(lines.texts(at["tenant"])) if "tenant" in at else 0
    block["row"] = sorter.rows + np.arange(len(lines))
    block["priority"] = _as_listed(lines, at.get("priority"), PRIORITIES, "is no priority", PRIORITY_HINT)
    block["size"] = vm_sizes.number(*_rooms(lines, at))
    sorter.append(block)
    seen.first_s = min(seen.first_s, float(created.min()))
    seen.last_s = max(seen.last_s, float((created + known).max()))
    seen.latest_s = min(seen.latest_s, float((created + seen_s)[binned].min(initial=math.inf)))
    _find_divisor(seen, created)
    _find_divisor(seen, low)


def _lives(lines: Lines, at: dict[str, int], created: Floats, seen: _Seen) -> tuple[Floats, Floats, Floats, Floats]:
    """Shortest and longest lifetime of each VM, up to which age it was seen at most, and how long it was watched at least."""
    marks = _as_listed(lines, at.get("censored"), MARKS, "is neither yes nor no", "1 or 0, true or false, yes or no")
    marked = marks.astype(bool)
    if "life_low" in at:
        low, high = (lines.numbers(at[name], empty=np.nan) for name in ("life_low", "life_high"))
        lines.check(at["life_low"], low < 0, "is below 0", "a lifetime is 0 s or more")
        lines.check(
            at["life_high"], high < low, "is below the interval's low end", "the high end is not below the low one"
        )
        lines.check(at["life_low"], np.isnan(low) & ~marked, "is no lifetime", "only a censored row may leave it out")
        missing = np.isnan(low)
        low = np.nan_to_num(low)
        high = np.where(np.isnan(high), low, high)
        seen.intervals |= bool((~marked & (high > low)).any())
    elif "lifetime" in at:
        column = at["lifetime"]
        low = lines.numbers(column, empty=np.nan)
        lines.check(column, low < 0, "is below 0", "a lifetime is 0 s or more; leave it empty if the VM is still alive")
        missing = np.isnan(low)
        low = high = np.nan_to_num(low)
    else:
        column = at["deleted"]
        deleted = _times(lines, column, seen, may_be_empty=True)
        lines.check(
            column, deleted < created, "is before the VM was created", "leave it empty if the VM is still alive"
        )
        missing = np.isnan(deleted)
        low = high = np.nan_to_num(deleted - created)
    marked |= missing
    # The interval of a censored lifetime is where the observation ended; without one the VM outlived it.
    return low, np.where(marked, np.inf, high), np.where(missing, np.inf, high), low


def _as_listed(lines: Lines, column: int | None, meanings: dict[str, int], problem: str, hint: str) -> NDArray[np.int8]:
    """What the words of a column mean, 0 where there is no such column; refuses other words."""
    if column is None:
        return np.zeros(len(lines), dtype=np.int8)
    which, words = lines.words(column)
    wrong = np.array([word not in meanings for word in words], dtype=bool)
    lines.check(column, wrong[which], problem, hint)
    return np.array([meanings[word] for word in words], dtype=np.int8)[which]


def _times(lines: Lines, column: int, seen: _Seen, *, may_be_empty: bool = False) -> Floats:
    """Seconds on the file's clock, or since 1970 if it gives instants; a file does one or the other."""
    if seen.instants is None:
        first = next((text.strip() for text in lines.texts(column) if text.strip()), "0")
        seen.instants = not _is_number(first)
    if not seen.instants:
        seconds = lines.numbers(column, empty=np.nan if may_be_empty else None)
        lines.check(column, np.abs(seconds) > 1e12, "is too far away", "times are seconds, not milliseconds")
        return seconds

    cells = pd.Series(lines.texts(column), dtype=object).str.strip()
    instants = pd.to_datetime(cells.where(cells != ""), format="ISO8601", utc=True, errors="coerce")
    wrong = np.asarray(instants.isna()) & ~(may_be_empty & np.asarray(cells == ""))
    years = instants.dt.year
    lines.check(column, np.asarray((years < 1970) | (years > 2199)), "is no instant of a cloud VM", "years run from 1970 to 2199")  # fmt: skip
    lines.check(column, wrong, "is not an instant", "write it like 2026-01-05T08:00:00Z, as in the rows before")
    return np.asarray((instants - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1), dtype=np.float64)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rooms(lines: Lines, at: dict[str, int]) -> tuple[Floats, Floats, NDArray[np.str_]]:
    nothing = np.full(len(lines), np.nan)
    empty = np.nan if "size" in at else None
    vcpus = lines.numbers(at["vcpus"], empty=empty) if "vcpus" in at else nothing
    column = at.get("memory", at.get("memory_mib"))
    memory = lines.numbers(column, empty=empty) if column is not None else nothing
    for position, amount in ((at.get("vcpus"), vcpus), (column, memory)):
        if position is not None:
            lines.check(position, amount <= 0, "is no room for a VM", "a number above 0 is needed")
    if "memory" not in at and column is not None:
        memory = memory / 1024
    sizes = np.char.strip(lines.texts(at["size"]).astype(str)) if "size" in at else np.full(len(lines), "")
    if "size" in at:
        missing = (sizes == "") & (np.isnan(vcpus) | np.isnan(memory))
        lines.check(at["size"], missing, "is no size", "a row needs a size, or both vCPUs and memory")
    return vcpus, memory, sizes


def _find_divisor(seen: _Seen, seconds: Floats) -> None:
    """The greatest whole number of seconds of which all times so far are multiples."""
    if seen.divisor is None:
        return
    whole = np.rint(seconds)
    if (np.abs(whole - seconds) > 1e-6).any():
        seen.divisor = None
        return
    seen.divisor = math.gcd(seen.divisor, int(np.gcd.reduce(whole.astype(np.int64))))
