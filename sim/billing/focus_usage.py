"""Usage rows of a FOCUS export become hours to be rated: ours, or the platform's own.

Only rows that are usage of something we rate count: VM hours, licences, managed disks, public addresses. Purchases and unused
commitment are no usage (commitments are given to the rating apart); every cost in the file is kept as *invoiced*. What
a row used is spread evenly over its charge period, so hourly rows rate commitments exactly and daily rows on average.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.billing.hours import CountedHours, RatedHours
from sim.billing.meter_kinds import METERS
from sim.billing.meters import RatedGroup
from sim.errors import Fault, UsageError
from sim.files import parse_json
from sim.units import HOURS_PER_MONTH, SECONDS_PER_HOUR

NEEDED = (
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ConsumedQuantity",
    "BilledCost",
    "ServiceCategory",
    "RegionId",
)
OTHER = "other"  # kind of what is invoiced and not rated here
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusUsage:
    """Hours by group, and what the file's rows cost, by kind of meter."""

    start: datetime
    end_s: float
    hours: tuple[RatedHours, ...]
    invoiced: Mapping[str, float]
    one_meter: bool = False  # Windows VMs and their licences were invoiced together
    longest_row_s: float = 0.0


class _Key(NamedTuple):
    """What makes VMs, disks or addresses alike."""

    region: str
    size: str = ""
    os: str = "linux"
    priority: str = "regular"
    disk: str = ""
    address: bool = False
    group: str = ""  # by the tag of this name, which our own export writes


@dataclass(slots=True)
class _Row:
    start: datetime
    end: datetime
    key: _Key | None  # None: not rated
    hours: float
    what: tuple[str, ...]  # of "billed", "licensed", "existing"
    kind: str
    cost: float


def read_focus_rows(path: str, columns: Sequence[str], rows: Iterator[dict[str, str]]) -> FocusUsage:
    """Read a FOCUS export; raises UsageError with file, line and column."""
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        hint = "a FOCUS cost and usage export has it"
        raise UsageError(
            [Fault(field=name, problem="no such column", hint=hint, file=path, line=1) for name in missing]
        )
    found: list[_Row] = []
    faults: list[Fault] = []
    for line, row in enumerate(rows, start=2):
        try:
            found.append(_read(row))
        except _Wrong as wrong:
            faults.append(Fault(field=wrong.column, problem=f"{wrong.text!r} is no {wrong.what}", file=path, line=line))
            if len(faults) >= _MOST_FAULTS:
                break
    if not faults and not any(row.key for row in found):
        hint = "VM rows need SkuPriceDetails with InstanceType, or a SkuMeter or x_SkuMeterName that is a size"
        faults.append(
            Fault(field="SkuMeter", problem="no row is usage of a VM, a disk or an address", hint=hint, file=path)
        )
    if faults:
        raise UsageError(faults)
    used = [row for row in found if row.key]
    start = min(row.start for row in used).replace(minute=0, second=0, microsecond=0)
    end_s = (max(row.end for row in used) - start).total_seconds()
    invoiced: dict[str, list[float]] = {}
    for each in found:
        invoiced.setdefault(each.kind, []).append(each.cost)
    return FocusUsage(
        start=start,
        end_s=end_s,
        hours=tuple(_count_hours(used, start, math.ceil(end_s / SECONDS_PER_HOUR))),
        invoiced={kind: math.fsum(costs) for kind, costs in invoiced.items()},
        one_meter=any(len(row.what) > 1 for row in used),
        longest_row_s=max((row.end - row.start).total_seconds() for row in used),
    )


class _Wrong(Exception):
    def __init__(self, column: str, text: str, what: str) -> None:
        self.column, self.text, self.what = column, text, what
        super().__init__(text)


def _read(row: Mapping[str, str]) -> _Row:
    start, end = _instant(row, "ChargePeriodStart"), _instant(row, "ChargePeriodEnd")
    if end <= start:
        raise _Wrong("ChargePeriodEnd", row["ChargePeriodEnd"], "instant after ChargePeriodStart")
    cost = _number(row, "BilledCost")
    meter = _text(row, "SkuMeter") or _text(row, "x_SkuMeterName")
    own_kind = meter.split(".", 1)[0]
    kind = own_kind if own_kind in METERS else _kind_of(_text(row, "ServiceCategory"))
    unused = "Unused" in (_text(row, "CommitmentDiscountStatus"), _text(row, "CapacityReservationStatus"))
    if _text(row, "ChargeCategory") != "Usage" or own_kind == "commitment" or unused:
        is_commitment = bool(_text(row, "CommitmentDiscountId")) or own_kind == "commitment" or unused
        return _Row(start, end, None, 0.0, (), "commitment" if is_commitment else OTHER, cost)
    key, what = _meaning(row, meter)
    if key is None:
        return _Row(start, end, None, 0.0, (), OTHER, cost)
    hours = _number(row, "ConsumedQuantity")
    if "month" in _text(row, "ConsumedUnit").lower():
        hours *= HOURS_PER_MONTH
    return _Row(start, end, key._replace(group=_tagged_group(row)), hours, what, kind, cost)


def _kind_of(category: str) -> str:
    """The first kind of meter of a service category; what belongs to none is invoiced as compute."""
    return next((name for name, kind in METERS.items() if kind.service.category == category), "compute")


def _meaning(row: Mapping[str, str], meter: str) -> tuple[_Key | None, tuple[str, ...]]:
    """What a usage row is of, and which hours it counts; None for what isn't rated here."""
    region = _text(row, "RegionId").lower().replace(" ", "")
    details = _object(row, "SkuPriceDetails")
    size = details.get("InstanceType", "")
    own = meter.split(".")
    if own[0] in ("compute", "license") and size:
        os = details.get("OperatingSystem", "Linux").lower()
        priority = "spot" if own[-1] == "spot" or _text(row, "PricingCategory") == "Dynamic" else "regular"
        return _Key(region, size, os, priority), ("billed",) if own[0] == "compute" else ("licensed",)
    disk = re.match(r"(?:disk\.)?([PES]\d+)(?:$|[ .])", meter)
    if disk and ("Disk" in meter or own[0] == "disk"):
        return _Key(region, disk=disk[1]), ("existing",)
    if own[0] == "network" or "Public IP" in meter:
        return _Key(region, address=True), ("existing",)
    product = " ".join(
        (_text(row, "x_SkuMeterSubcategory"), _text(row, "ChargeDescription"), _text(row, "x_SkuDescription"))
    )
    if _text(row, "ServiceCategory") != "Compute" or "Virtual Machine" not in product + _text(row, "ServiceName"):
        return None, ()
    # The platform's own meter is the size's short name: "D4s v5", "D4s v5 Spot"; one meter covers VM and licence.
    words = f"{meter} {product}"
    named = re.sub(r"\s*(Spot|Low Priority)\b", "", meter).split("/")[0].strip()
    if not size and not named:
        return None, ()
    os = "windows" if "Windows" in words or details.get("OperatingSystem", "").lower() == "windows" else "linux"
    key = _Key(region, size or named, os, "spot" if "Spot" in words else "regular")
    return key, ("billed", "licensed") if os == "windows" else ("billed",)


def _object(row: Mapping[str, str], column: str) -> dict[str, str]:
    text = _text(row, column)
    if not text:
        return {}
    try:
        read = parse_json(text)
    except ValueError:
        raise _Wrong(column, text, "JSON object") from None
    return {str(key): str(value) for key, value in read.items()} if isinstance(read, dict) else {}


def _tagged_group(row: Mapping[str, str]) -> str:
    try:
        return _object(row, "Tags").get("group", "").strip()
    except _Wrong:  # tags are people's own: what can't be read names no group
        return ""


def _count_hours(rows: Sequence[_Row], start: datetime, hours: int) -> Iterator[RatedHours]:
    counters: dict[_Key, dict[str, NDArray[np.float64]]] = {}
    for row in rows:
        if row.key is None:
            continue
        begin = (row.start - start).total_seconds() / SECONDS_PER_HOUR
        end = (row.end - start).total_seconds() / SECONDS_PER_HOUR
        first, last = int(begin), min(hours, math.ceil(end))
        edges = np.clip(np.arange(first, last + 1, dtype=np.float64), begin, end)
        part = np.diff(edges) * (row.hours / (end - begin))
        kinds = counters.setdefault(row.key, {name: np.zeros(hours) for name in ("billed", "licensed", "existing")})
        for name in row.what:
            kinds[name][first:last] += part
    sizes = Counter(key.group for key in counters if key.size)
    for key, kinds in counters.items():
        counted = {name: CountedHours(hourly=hourly, total_h=math.fsum(hourly)) for name, hourly in kinds.items()}
        yield RatedHours(
            group=_group(key, alone=sizes[key.group] == 1),
            orphaned=CountedHours(hourly=np.zeros(hours), total_h=0.0),
            **counted,
        )


def _group(key: _Key, *, alone: bool) -> RatedGroup:
    """The VMs of a tagged group that are all alike carry its name, by which commitments know them."""
    words = [key.size, key.region, key.os, key.priority] if key.size else [key.disk or "public IP", key.region]
    return RatedGroup(
        name=key.group if key.group and key.size and alone else " ".join([key.group, *words]).strip(),
        size=key.size,
        region=key.region,
        os=key.os,
        priority=key.priority,
        disks=(key.disk,) if key.disk else (),
        public_ip=key.address,
    )


def _text(row: Mapping[str, str], column: str) -> str:
    return (row.get(column) or "").strip()


def _number(row: Mapping[str, str], column: str) -> float:
    text = _text(row, column)
    try:
        number = float(text)
    except ValueError:
        raise _Wrong(column, text, "number") from None
    if not math.isfinite(number):
        raise _Wrong(column, text, "finite number")
    return number


def _instant(row: Mapping[str, str], column: str) -> datetime:
    text = _text(row, column)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _Wrong(column, text, "instant like 2026-01-05T00:00:00Z") from None
    if not 1970 <= at.year <= 2199:  # beyond, offsets overflow, and hours fill the memory
        raise _Wrong(column, text, "instant between 1970 and 2199")
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
