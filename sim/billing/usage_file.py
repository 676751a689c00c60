"""A list of stays, rated without a simulation.

It has the columns `vm, state, start, end` and, per VM, what the price list must know: `size, region, os,
priority, hybrid_benefit, disks, public_ip, keeps_disks, group`. Columns that are left out take the defaults given.
Instants are ISO 8601 (UTC where nothing else is said) or seconds; an empty `end` means still in that state at the end.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sim.billing.commitments import Commitment, hold_vms
from sim.billing.meters import RatedGroup
from sim.billing.rating import Rating, rate_in_full
from sim.billing.stays import Stay, Stays, hours_of_stays, stays_of
from sim.catalog.catalogue import Catalogue
from sim.errors import Fault, InputError, UsageError
from sim.files import open_table, refusal
from sim.lifecycle.policy import BillingPolicy, get_policy
from sim.lifecycle.power import PowerState
from sim.recognise import READS, STAYS, UNKNOWN, recognise
from sim.units import SECONDS_PER_HOUR
from sim.usage.ledger import to_ticks

STAY_COLUMNS = ("vm", "state", "start", "end")
VM_COLUMNS = ("size", "region", "os", "priority", "hybrid_benefit", "disks", "public_ip", "keeps_disks", "group")
FIRST_YEAR, LAST_YEAR = 1970, 2199  # of an instant; a year 0206 is a typing error
MOST_SECONDS = 100 * 366 * 86_400.0
# As the portal, the CLI and the documents spell states, besides "PowerState/..." and "VM ...".
_SPELLINGS = {
    "stopped (deallocated)": "deallocated", "stopped (allocated)": "stopped", "poweredoff": "stopped",
    "hibernated (deallocated)": "hibernated", "deallocated (hibernated)": "hibernated",
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_FAULTS = 20  # a file with the wrong column everywhere needn't say so on every line


@dataclass(frozen=True, slots=True, kw_only=True)
class StayFile:
    """What a list of stays says."""

    path: str
    start: datetime | None  # of t = 0, a full hour; None where the file counts in seconds
    end_s: float
    stays: Stays

    def rate(
        self,
        catalogue: Catalogue,
        policy: BillingPolicy | str,
        commitments: Sequence[Commitment] = (),
        *,
        rounding: str = "exact",
    ) -> Rating:
        """The file's bill. Commitments are bought for whole clock hours, from the one of the first to the one of the last use."""
        rules = get_policy(policy)
        ticks = (0, to_ticks(self.end_s))
        hours = hours_of_stays(self.stays, rules, ticks, rounding, levels=hold_vms(commitments))
        whole = np.ones(len(hours[0].billed.hourly))
        return rate_in_full(hours, whole, catalogue, commitments, start=self.start)


def read_stays(
    path: Path, *, size: str | None = None, region: str = "westeurope", os: str = "linux", disks: Sequence[str] = ()
) -> StayFile:
    """Read a list of stays; raises UsageError with file, line, field and what would be right."""
    seen = recognise(path)
    if seen.kind not in (STAYS, UNKNOWN) or (seen.kind == UNKNOWN and not seen.columns):
        raise refusal(UsageError, path, f"this is {seen.words}", READS)
    with open_table(path, UsageError, delimiter=seen.delimiter) as (head_line, header, table):
        columns = tuple(head.strip().lower() for head in header)
        rows = ((line, dict(zip(columns, row, strict=False))) for line, row in table)
        defaults = {"size": size or "", "region": region, "os": os, "disks": ";".join(disks)}
        return _read_stays(str(path), (head_line, columns), rows, defaults)


def _read_stays(
    path: str, head: tuple[int, Sequence[str]], rows: Iterator[tuple[int, dict[str, str]]], defaults: Mapping[str, str]
) -> StayFile:
    """*head*: the line of the column names, and these; *rows*: each with the line on which it begins."""
    head_line, columns = head
    missing = [name for name in STAY_COLUMNS if name not in columns]
    if "size" not in columns and not defaults["size"]:
        missing.append("size")
    if missing:
        known = ", ".join((*STAY_COLUMNS, *VM_COLUMNS))
        hint = f"a list of stays has {known}; a FOCUS export has ChargePeriodStart, ConsumedQuantity, SkuMeter ..."
        raise UsageError(
            [Fault(field=name, problem="no such column", hint=hint, file=path, line=head_line) for name in missing]
        )
    faults: list[Fault] = []
    read: list[tuple[RatedGroup, str, PowerState, float, float | None]] = []
    dated: set[bool] = set()
    for line, row in rows:
        try:
            start, is_date = _instant(row, "start")
            end, end_is_date = _instant(row, "end") if (row.get("end") or "").strip() else (None, is_date)
            dated |= {is_date, end_is_date}
            read.append((_group_of(row, defaults), _text(row, "vm"), _state(row), start, end))
        except _WrongCell as wrong:
            faults.append(replace(wrong.fault, file=path, line=line))
            if len(faults) >= _MOST_FAULTS:
                break
    if not faults and not read:
        faults.append(Fault(field="", problem="has no rows", hint="one stay a row", file=path, line=head_line + 1))
    if not faults and len(dated) > 1:
        faults.append(Fault(field="start, end", problem="some are dates and some are seconds", file=path))
    if faults:
        raise UsageError(faults)
    zero = min(start for *_, start, _ in read)
    is_dated = True in dated
    # Billing hours are clock hours: the clock of a dated file starts on a full hour.
    zero = zero // SECONDS_PER_HOUR * SECONDS_PER_HOUR if is_dated else 0.0
    end_s = max(end if end is not None else start for *_, start, end in read) - zero
    groups = {group.name: group for group, *_ in read}
    different = {group.name for group, *_ in read if groups[group.name] != group}
    if different:
        names = ", ".join(sorted(different))
        raise refusal(UsageError, path, f"{names}: its VMs aren't alike in size, region, os ...", field="group")
    rows_of = [
        (group.name, Stay(vm=vm, state=state, start_s=start - zero, end_s=end_s if end is None else end - zero))
        for group, vm, state, start, end in read
    ]
    try:
        stays = stays_of(list(groups.values()), rows_of)
    except InputError as wrong:
        raise refusal(UsageError, path, str(wrong), field="start, end") from None
    start_at = datetime.fromtimestamp(zero, tz=UTC) if is_dated else None
    return StayFile(path=path, start=start_at, end_s=end_s, stays=stays)


class _WrongCell(Exception):
    def __init__(self, field: str, problem: str, hint: str, value: object) -> None:
        self.fault = Fault(field=field, problem=problem, hint=hint, value=value)
        super().__init__(problem)


def _text(row: Mapping[str, str], field: str, default: str = "") -> str:
    text = (row.get(field) or default).strip()
    if not text:
        raise _WrongCell(field, "is empty", "give one", text)
    return text


def _instant(row: Mapping[str, str], field: str) -> tuple[float, bool]:
    """Seconds since 1970 and True for a date, seconds since t = 0 and False for a number."""
    text = _text(row, field)
    if re.fullmatch(r"\d+(\.\d+)?([eE][+-]?\d+)?", text):
        seconds = float(text)
        if seconds > MOST_SECONDS:
            raise _WrongCell(field, f"{text} s is too long", f"at most {MOST_SECONDS:.0f} s, a hundred years", text)
        return seconds, False
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        hint = "ISO 8601 like 2026-01-05T08:00:00Z, or seconds"
        raise _WrongCell(field, f"{text!r} is no instant", hint, text) from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        hint = f"years run from {FIRST_YEAR} to {LAST_YEAR}"
        raise _WrongCell(field, f"{text!r} is no instant of a cloud VM", hint, text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - _EPOCH).total_seconds(), True


def _state(row: Mapping[str, str]) -> PowerState:
    text = _text(row, "state")
    words = text.lower().removeprefix("powerstate/").removeprefix("vm ")
    try:
        return PowerState(_SPELLINGS.get(words, words))
    except ValueError:
        raise _WrongCell("state", f"{text!r} is no power state", f"one of {', '.join(PowerState)}", text) from None


def _flag(row: Mapping[str, str], field: str) -> bool:
    text = (row.get(field) or "").strip().lower()
    if text in ("true", "yes", "1"):
        return True
    if text in ("false", "no", "0", ""):
        return False
    raise _WrongCell(field, f"{text!r} is neither true nor false", "true or false", text)


def _group_of(row: Mapping[str, str], defaults: Mapping[str, str]) -> RatedGroup:
    size, region, os = (_text(row, name, defaults[name]) for name in ("size", "region", "os"))
    priority = (row.get("priority") or "regular").strip().lower()
    disks = tuple(disk.strip() for disk in (row.get("disks") or defaults["disks"]).split(";") if disk.strip())
    flags: dict[str, Any] = {name: _flag(row, name) for name in ("hybrid_benefit", "public_ip", "keeps_disks")}
    alike = [size, region, os, priority, *disks, *(name for name, on in flags.items() if on)]
    try:
        name, os = (row.get("group") or "").strip() or " ".join(alike), os.lower()
        return RatedGroup(name=name, size=size, region=region, os=os, priority=priority, disks=disks, **flags)
    except ValueError as wrong:
        raise _WrongCell("os, priority", str(wrong), "os: linux or windows; priority: regular or spot", row) from None
