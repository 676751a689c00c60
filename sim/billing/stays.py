"""Stays of VMs as rows: who, in which power state, from when to when. A bill can be made of them without a simulation.

Rows are columns of numpy arrays, sorted by VM and then by start, in ticks (1/65,536 s) as in the ledger, so that counting
them by clock hour is integer arithmetic. A year of 10,000 VMs (88 million VM hours) is rated in seconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Longs
from sim.billing.hours import CountedHours, RatedHours
from sim.billing.levels import Level
from sim.billing.meters import RatedGroup
from sim.errors import InputError
from sim.lifecycle.policy import BillingPolicy
from sim.lifecycle.power import PowerState
from sim.units import TICKS_PER_MINUTE, TICKS_PER_SECOND
from sim.usage.ledger import STATES, TICKS_PER_HOUR, to_ticks

ROUNDINGS = ("exact", "floor-minute")
# What VM time can pay: compute, licence, disks and address, disks alone.
HOUR_KINDS = ("billed", "licensed", "existing", "orphaned")
ROWS_AT_ONCE = 1_000_000  # bounds the memory of intermediate arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One VM in one power state for a while; seconds from the start of the window's clock."""

    vm: str
    state: PowerState
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """Stays of many VMs. Row i: VM `vm[i]` was in state `state[i]` from tick `start[i]` to tick `end[i]`."""

    groups: tuple[RatedGroup, ...]
    vms: Sequence[str]
    group_of: NDArray[np.int32]  # of each VM
    vm: NDArray[np.int32]
    state: NDArray[np.int8]  # position in the order of `PowerState`
    start: Longs
    end: Longs
    again: NDArray[np.bool_] | None = None  # of each VM: whether the next one is the same, created again

    def __post_init__(self) -> None:
        """Rows are in order, and no VM is in two states at once."""
        for at in range(0, len(self.vm), ROWS_AT_ONCE):
            part = slice(at, at + ROWS_AT_ONCE + 1)
            vm, start, end = self.vm[part], self.start[part], self.end[part]
            if (end < start).any():
                row = at + int(np.argmax(end < start))
                raise InputError(f"{self._describe(row)}: it ends before it starts")
            overlap = (vm[1:] < vm[:-1]) | ((vm[1:] == vm[:-1]) & (start[1:] < end[:-1]))
            if overlap.any():
                row = at + 1 + int(np.argmax(overlap))
                raise InputError(
                    f"{self._describe(row)}: it begins before the stay before it, {self._describe(row - 1)}, is over"
                )

    def _describe(self, row: int) -> str:
        hours = [f"{int(ticks) / TICKS_PER_HOUR:.6g} h" for ticks in (self.start[row], self.end[row])]
        return f"VM {self.vms[self.vm[row]]}, {STATES[self.state[row]]} from {hours[0]} to {hours[1]}"

    @property
    def end_s(self) -> float:
        """When the last stay ends."""
        return int(self.end.max()) / TICKS_PER_SECOND if len(self.end) else 0.0

    def parts(self) -> Iterator[slice]:
        """Runs of rows that are small enough to work on at once and never split the stays of a VM."""
        at = 0
        while at < len(self.vm):
            upto = min(at + ROWS_AT_ONCE, len(self.vm))
            if upto < len(self.vm):
                # A VM with more rows than a part is taken whole.
                first_of_last = int(np.searchsorted(self.vm, self.vm[upto], side="left"))
                past_last = int(np.searchsorted(self.vm, self.vm[upto], side="right"))
                upto = first_of_last if first_of_last > at else past_last
            yield slice(at, upto)
            at = upto


def stays_of(groups: Sequence[RatedGroup], rows: Sequence[tuple[str, Stay]]) -> Stays:
    """Columns from rows of (group name, stay), in any order. Raises InputError for overlapping stays of a VM."""
    by_name = {group.name: number for number, group in enumerate(groups)}
    vm_group: dict[str, int] = {}
    for group, stay in rows:
        if vm_group.setdefault(stay.vm, by_name[group]) != by_name[group]:
            raise InputError(f"VM {stay.vm} is in two groups, {groups[vm_group[stay.vm]].name} and {group}")
    names = list(vm_group)
    number = {name: i for i, name in enumerate(names)}
    vm = np.array([number[stay.vm] for _, stay in rows], dtype=np.int32)
    start = np.array([to_ticks(stay.start_s) for _, stay in rows], dtype=np.int64)
    end = np.array([to_ticks(stay.end_s) for _, stay in rows], dtype=np.int64)
    state = np.array([STATES.index(stay.state) for _, stay in rows], dtype=np.int8)
    order = np.lexsort((end, start, vm))
    return Stays(
        groups=tuple(groups),
        vms=names,
        group_of=np.array(list(vm_group.values()), dtype=np.int32),
        vm=vm[order],
        state=state[order],
        start=start[order],
        end=end[order],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """Time of some VMs without gaps: what is left of stays when only one question is asked of them."""

    vm: NDArray[np.int32]
    start: Longs
    end: Longs


def stretches(
    stays: Stays, part: slice, states: frozenset[PowerState], window: tuple[int, int], rounding: str = "exact"
) -> Stretches:
    """Contiguous time in any of some states, clipped to a window of ticks.

    `floor-minute` drops the spare seconds of each stretch (6 min 45 s is 6 min); `exact` keeps every tick. Never up.
    """
    member = np.array([state in states for state in STATES])[stays.state[part]]
    vm = stays.vm[part][member]
    start = np.maximum(stays.start[part][member], window[0])
    end = np.minimum(stays.end[part][member], window[1])
    there = end > start
    if not there.all():
        vm, start, end = vm[there], start[there], end[there]
    begins = np.ones(len(vm), dtype=bool)
    begins[1:] = (vm[1:] != vm[:-1]) | (start[1:] != end[:-1])
    ends = np.ones(len(vm), dtype=bool)
    ends[:-1] = begins[1:]
    vm, start, end = vm[begins], start[begins], end[ends]
    if rounding == "floor-minute":
        end = start + (end - start) // TICKS_PER_MINUTE * TICKS_PER_MINUTE
    elif rounding != "exact":
        raise InputError(f"rounding {rounding!r} is unknown; it is one of {', '.join(ROUNDINGS)}")
    return Stretches(vm=vm, start=start, end=end)


def existence(stays: Stays, part: slice, window: tuple[int, int]) -> Stretches:
    """From the first state of each VM to the end of its last one: disks and addresses are there all the while."""
    vm = stays.vm[part]
    first = np.ones(len(vm), dtype=bool)
    first[1:] = vm[1:] != vm[:-1]
    last = np.ones(len(vm), dtype=bool)
    last[:-1] = first[1:]
    start = np.maximum(stays.start[part][first], window[0])
    end = np.minimum(stays.end[part][last], window[1])
    there = end > start
    return Stretches(vm=vm[first][there], start=start[there], end=end[there])


def orphans(stays: Stays, part: slice, window: tuple[int, int]) -> Stretches:
    """From the deletion of each VM of a group that keeps its disks to the end of the window, or until it is created again."""
    vm = stays.vm[part]
    last = np.ones(len(vm), dtype=bool)
    last[:-1] = vm[1:] != vm[:-1]
    rows = part.start + np.flatnonzero(last)
    group = stays.group_of[stays.vm[rows]]
    rows = rows[np.array([group.keeps_disks for group in stays.groups])[group]]
    start, end = np.maximum(stays.end[rows], window[0]), np.full(len(rows), window[1])
    if stays.again is not None:
        group = stays.group_of[stays.vm[rows]]
        attached = stays.again[stays.vm[rows]] & np.array([group.reattaches_disks for group in stays.groups])[group]
        end[attached] = np.minimum(stays.start[rows[attached] + 1], window[1])  # the next row is of the next VM
    there = start < end
    return Stretches(vm=stays.vm[rows][there], start=start[there], end=end[there])


def times_by_kind(
    stays: Stays, part: slice, policy: BillingPolicy, window: tuple[int, int], rounding: str
) -> dict[str, Stretches]:
    """Time of some VMs by what it pays: `billed`, `licensed`, `existing`, `orphaned`."""
    return {
        "billed": stretches(stays, part, policy.compute, window, rounding),
        "licensed": stretches(stays, part, policy.license, window, rounding),
        "existing": existence(stays, part, window),
        "orphaned": orphans(stays, part, window),
    }


class HourCounter:
    """VM ticks by group and clock hour while they are being added up."""

    def __init__(self, groups: int, hours: int) -> None:
        self._shape = (groups, hours + 2)
        # For a change at a tick: what is left of its clock hour, and one for every hour after it.
        self._rest = np.zeros(self._shape, dtype=np.int64)
        self._step = np.zeros(self._shape, dtype=np.int64)

    def add(self, group: NDArray[np.int32], time: Stretches, into_hour: int = 0) -> None:
        """Count stretches under their VMs' groups."""
        for ticks, sign in ((time.start + into_hour, 1), (time.end + into_hour, -1)):
            hour = ticks // TICKS_PER_HOUR
            cell = group * self._shape[1] + hour
            # Sums of a part stay far below 2**53, so that float weights are exact.
            rest = np.bincount(cell, weights=(hour + 1) * TICKS_PER_HOUR - ticks, minlength=self._rest.size)
            self._rest += sign * rest[: self._rest.size].astype(np.int64).reshape(self._shape)
            step = np.bincount(cell + 1, minlength=self._step.size)
            self._step += sign * step[: self._step.size].reshape(self._shape)

    def ticks(self) -> Longs:
        """Ticks, shape (groups, hours)."""
        cells = self._rest + np.cumsum(self._step, axis=1) * TICKS_PER_HOUR
        return cells[:, : self._shape[1] - 2]


def hours_of_stays(
    stays: Stays,
    policy: BillingPolicy,
    window: tuple[int, int],
    rounding: str = "exact",
    into_hour: int = 0,
    *,
    levels: bool = False,
) -> list[RatedHours]:
    """Stays under a billing policy: hours by group and clock hour, as from a ledger.

    *into_hour*: ticks of its clock hour that are over at t = 0. *levels*: also how many VMs were billed at each instant.
    """
    hours = max(1, -(-(window[1] + into_hour) // TICKS_PER_HOUR))
    counters = {name: HourCounter(len(stays.groups), hours) for name in HOUR_KINDS}
    billed: list[Stretches] = []
    for part in stays.parts():
        times = times_by_kind(stays, part, policy, window, rounding)
        if levels:
            billed.append(times["billed"])
        for name, time in times.items():
            counters[name].add(stays.group_of[time.vm], time, into_hour)
    ticks = {name: counter.ticks() for name, counter in counters.items()}
    return [
        RatedHours(
            group=group,
            level=_level(stays, number, billed, window, into_hour) if levels else None,
            **{
                name: CountedHours(hourly=of[number] / TICKS_PER_HOUR, total_h=int(of[number].sum()) / TICKS_PER_HOUR)
                for name, of in ticks.items()
            },
        )
        for number, group in enumerate(stays.groups)
    ]


def _level(stays: Stays, group: int, billed: Sequence[Stretches], window: tuple[int, int], into_hour: int) -> Level:
    mine = [stays.group_of[time.vm] == group for time in billed]
    none = np.zeros(0, dtype=np.int64)
    start = np.concatenate([none, *(time.start[own] for time, own in zip(billed, mine, strict=True))])
    end = np.concatenate([none, *(time.end[own] for time, own in zip(billed, mine, strict=True))])
    return Level.of(start + into_hour, end + into_hour, (window[0] + into_hour, window[1] + into_hour))
