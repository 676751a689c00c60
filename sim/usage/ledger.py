"""The usage of a fleet: VM hours by power state, clock hour, demand and service, kept as whole ticks.

A tick is 1/65,536 s. Instants are rounded to ticks once, when they are recorded, and everything after that is integer
arithmetic: sums don't depend on their order, parts add up to totals exactly, and two engines or any number of threads
record the same usage to the last bit.

A VM is at any instant in one *column*: a slot (a power state; Running has three: a VM that serves, one that doesn't, and
one that people left on when it was no longer wanted) and a flag (wanted or not). A move from one column to another at tick q takes the rest of q's clock hour, and every later
hour, from the one and gives it to the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.errors import AuditError
from sim.lifecycle.policy import BillingPolicy
from sim.lifecycle.power import ON_HOST, STATE_ORDER, PowerState
from sim.units import SECONDS_PER_HOUR, TICKS_PER_SECOND
from sim.usage.ready import AT_ONCE, BEGINS, GIVEN_UP, IS_READY, ReadyTimes, joined

TICKS_PER_HOUR = int(SECONDS_PER_HOUR) * TICKS_PER_SECOND

STATES = STATE_ORDER
IN_SERVICE = len(STATES)  # slot of a Running VM whose last create or start has succeeded and whose guest is well
FORGOTTEN = IN_SERVICE + 1  # slot of a Running VM that is left on though it is no longer wanted
ABSENT = FORGOTTEN + 1  # slot of a VM that doesn't exist (not yet, no longer, or lost) though demand may want it
SLOTS = ABSENT + 1
LEFT_ON = 2  # demand for a Running VM that people forgot to switch off
COLUMNS = 2 * SLOTS

Ticks = NDArray[np.int64]
_Number = TypeVar("_Number", int, float)


def column(slot: int, wanted: int) -> int:
    """The ledger column of a VM in *slot* while demand wants it on (1) or not (0), or has left it on (2)."""
    if wanted == LEFT_ON:
        slot, wanted = (FORGOTTEN if slot in RUNNING_SLOTS else slot), 0
    return 2 * slot + wanted


def slot_of(power: PowerState | None, serving: bool) -> int:
    """The slot of a VM that shows *power* (None: it doesn't exist)."""
    if power is None:
        return ABSENT
    return IN_SERVICE if serving else STATES.index(power)


def slots_of(state: PowerState) -> tuple[int, ...]:
    """Every slot whose VMs show *state*."""
    own = (STATES.index(state),)
    return (*own, IN_SERVICE, FORGOTTEN) if state is PowerState.RUNNING else own


@cache
def columns_of(state: PowerState) -> tuple[int, ...]:
    """Every column whose VMs show *state*."""
    return tuple(column(slot, wanted) for slot in slots_of(state) for wanted in (0, 1))


ON_HOST_SLOTS = frozenset(slot for state in ON_HOST for slot in slots_of(state))
RUNNING_SLOTS = frozenset(slots_of(PowerState.RUNNING))


def into_clock_hour_s(start: datetime) -> float:
    """How far into its clock hour (UTC) an instant is, in seconds: hours are counted from the beginning of that one.

    >>> into_clock_hour_s(datetime.fromisoformat("2026-01-05T10:00:00+05:30"))
    1800.0
    """
    at = start.astimezone(UTC)
    return (at - at.replace(minute=0, second=0, microsecond=0)).total_seconds()


def to_ticks(seconds: float) -> int:
    """The tick nearest to *seconds* (>= 0); the rounding of every recorded instant."""
    return int(seconds * TICKS_PER_SECOND + 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTable:
    """What each kind of move changes in the ledger, row by row: all that the collector knows of a state machine."""

    before: NDArray[np.int64]  # column left
    after: NDArray[np.int64]  # column entered
    counts: tuple[tuple[str, ...], ...]  # metric names that go up by one

    @property
    def on_host_change(self) -> NDArray[np.int64]:
        """+1 where the move takes a host, -1 where it gives one back."""
        return self._change(ON_HOST_SLOTS)

    @property
    def running_change(self) -> NDArray[np.int64]:
        """+1 where the move enters Running, -1 where it leaves."""
        return self._change(RUNNING_SLOTS)

    @property
    def wait_change(self) -> NDArray[np.int64]:
        """What each move does to the time that a VM is waited for; 0: nothing."""
        was, is_ = self.before % 2, self.after % 2
        served, serves = self.before // 2 == IN_SERVICE, self.after // 2 == IN_SERVICE
        change = np.where(is_ > was, np.where(serves, AT_ONCE, BEGINS), np.where(is_ < was, GIVEN_UP, 0))
        change[(was == 1) & (is_ == 1) & serves & ~served] = IS_READY
        return change.astype(np.int64)

    def _change(self, slots: frozenset[int]) -> NDArray[np.int64]:
        member = np.array([int(slot in slots) for slot in range(SLOTS) for _ in (0, 1)], dtype=np.int64)
        return member[self.after] - member[self.before]


class UsedTicks(NamedTuple):
    """What one group used, in ticks, by why: VMs are needed, left on by people, or neither."""

    needed: int = 0  # demand asks for the VM, there or not
    billed_needed: int = 0
    billed_left_on: int = 0
    billed_unneeded: int = 0
    licensed_needed: int = 0
    licensed_left_on: int = 0
    licensed_unneeded: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUsage:
    """What one group used in one replication, from the end of the warm-up to the horizon.

    `cells` holds ticks, shape (clock hours from that of t = 0, COLUMNS). `counts` is keyed by metric name.
    """

    group: str
    start_s: float
    end_s: float
    cells: Ticks
    into_hour_s: float = 0.0  # how far t = 0 is into its clock hour
    counts: Mapping[str, int] = field(default_factory=dict)
    peak_allocated: int = 0
    peak_running: int = 0
    amounts: Mapping[str, float] = field(default_factory=dict)  # by metric name: neither a count nor a time in a state
    ready: ReadyTimes = field(default_factory=ReadyTimes)

    _totals: tuple[int, ...] = field(init=False, repr=False, compare=False)  # ticks of each column

    def __post_init__(self) -> None:
        # Column sums of a long horizon can pass 2**63, and a float sum would depend on its order: Python's integers do neither.
        high, low = (self.cells >> 32).sum(axis=0).tolist(), (self.cells & 0xFFFFFFFF).sum(axis=0).tolist()
        totals = tuple(upper * 2**32 + lower for upper, lower in zip(high, low, strict=True))
        object.__setattr__(self, "_totals", totals)

    def _sum_h(self, columns: Sequence[int]) -> float:
        return sum(self._totals[c] for c in columns) / TICKS_PER_HOUR

    def _hourly(self, columns: Sequence[int]) -> NDArray[np.float64]:
        ticks = sum((self.cells[:, place] for place in columns), start=np.zeros(len(self.cells), dtype=np.int64))
        return np.asarray(ticks / TICKS_PER_HOUR, dtype=np.float64)

    def hours(self, state: PowerState) -> float:
        """VM hours in *state*."""
        return self._sum_h(columns_of(state))

    def hourly(self, state: PowerState) -> NDArray[np.float64]:
        """VM hours in *state* in each clock hour from t = 0, shape (hours,)."""
        return self._hourly(columns_of(state))

    @property
    def hourly_by_state(self) -> NDArray[np.float64]:
        """VM hours in each clock hour from t = 0 by state, shape (hours, states)."""
        slots = self.cells[:, 0::2] + self.cells[:, 1::2]
        ticks = slots[:, : len(STATES)]
        ticks[:, STATES.index(PowerState.RUNNING)] += slots[:, IN_SERVICE] + slots[:, FORGOTTEN]
        return np.asarray(ticks / TICKS_PER_HOUR, dtype=np.float64)

    def hours_in(self, states: Sequence[PowerState]) -> float:
        """VM hours in any of some states."""
        return self._sum_h([c for state in states for c in columns_of(state)])

    def hourly_in(self, states: Sequence[PowerState]) -> NDArray[np.float64]:
        """VM hours in any of some states in each clock hour, shape (hours,)."""
        return self._hourly([c for state in states for c in columns_of(state)])

    @property
    def existing_h(self) -> float:
        """VM hours in which the VM existed, whatever its state."""
        return self._sum_h(range(column(ABSENT, 0)))

    @property
    def existing_hourly(self) -> NDArray[np.float64]:
        """VM hours of existing VMs in each clock hour, shape (hours,)."""
        return self._hourly(range(column(ABSENT, 0)))

    @property
    def wanted_h(self) -> float:
        """Hours in which demand asked for a VM, there or not."""
        return self._sum_h(range(1, COLUMNS, 2))

    @property
    def forgotten_h(self) -> float:
        """Hours in which a VM ran only because people had left it on."""
        return self._sum_h([column(FORGOTTEN, 0)])

    @property
    def forgotten_hourly(self) -> NDArray[np.float64]:
        """The same in each clock hour, shape (hours,)."""
        return self._hourly([column(FORGOTTEN, 0)])

    @property
    def served_h(self) -> float:
        """Wanted hours in which the VM ran, its last create or start had succeeded, and its guest was well."""
        return self._sum_h([column(IN_SERVICE, 1)])

    def billed_states(self, policy: BillingPolicy) -> tuple[PowerState, ...]:
        """The states whose hours this policy bills as compute."""
        return tuple(state for state in STATES if policy.bills(state))

    def billed_h(self, policy: BillingPolicy) -> float:
        """VM hours billed for compute."""
        return self.hours_in(self.billed_states(policy))

    def billed_hourly(self, policy: BillingPolicy) -> NDArray[np.float64]:
        """VM hours billed for compute in each clock hour, shape (hours,)."""
        return self.hourly_in(self.billed_states(policy))

    def wasted_h(self, policy: BillingPolicy) -> float:
        """Billed hours in which the VM didn't serve."""
        columns = {c for state in self.billed_states(policy) for c in columns_of(state)}
        return self._sum_h(sorted(columns - {column(IN_SERVICE, 1)}))

    def used(self, policy: BillingPolicy) -> UsedTicks:
        """What this policy bills and licenses, by whether the VM was needed."""
        left_on = {column(FORGOTTEN, 0)}
        needed = {*range(1, COLUMNS, 2)}
        parts = [sum(self._totals[c] for c in needed)]
        for states in (policy.compute, policy.license):
            own = {c for state in states for c in columns_of(state)}
            parts += [
                sum(self._totals[c] for c in some) for some in (own & needed, own & left_on, own - needed - left_on)
            ]
        return UsedTicks(*parts)


def with_more(usage: GroupUsage, counts: Mapping[str, int], amounts: Mapping[str, float] | None = None) -> GroupUsage:
    """The same usage with further counts (added to those of the same name) and amounts."""
    return replace(usage, counts=_summed([usage.counts, counts]), amounts={**usage.amounts, **(amounts or {})})


def _summed(tables: Iterable[Mapping[str, _Number]]) -> dict[str, _Number]:
    """The sums of figures of one name."""
    found: dict[str, _Number] = {}
    for table in tables:
        for name, number in table.items():
            found[name] = found.get(name, 0) + number
    return found


def whole_fleet(usages: Sequence[GroupUsage], *, peak_allocated: int, peak_running: int) -> GroupUsage:
    """The usage of all groups together; peaks of a sum aren't sums of peaks, so they are given."""
    return GroupUsage(
        group="",
        amounts=_summed(usage.amounts for usage in usages),
        start_s=usages[0].start_s,
        end_s=usages[0].end_s,
        into_hour_s=usages[0].into_hour_s,
        cells=sum((usage.cells for usage in usages[1:]), start=usages[0].cells.copy()),
        counts=_summed(usage.counts for usage in usages),
        peak_allocated=peak_allocated,
        peak_running=peak_running,
        ready=joined([usage.ready for usage in usages]),
    )


def audit(usage: GroupUsage, lifetimes_ticks: int) -> None:
    """Check that a group's hours add up; *lifetimes_ticks* is the VMs' time counted from creations and deletions alone.

    Raises AuditError: time was lost or invented, or a column went negative.
    """
    existing = sum(usage._totals[: column(ABSENT, 0)])
    if existing != lifetimes_ticks:
        raise AuditError(
            f"group {usage.group!r}: hours over states ({existing / TICKS_PER_HOUR!r} h) are not VMs x time "
            f"({lifetimes_ticks / TICKS_PER_HOUR!r} h)"
        )
    if (usage.cells[:, : column(ABSENT, 0)] < 0).any():
        hour, where = np.argwhere(usage.cells[:, : column(ABSENT, 0)] < 0)[0]
        raise AuditError(f"group {usage.group!r}: negative time in column {where} of clock hour {hour}")
    total = sum(usage.hours(state) for state in STATES)
    if abs(total - usage.existing_h) > 1e-9 * max(1.0, total):
        raise AuditError(f"group {usage.group!r}: states add up to {total!r} h, not {usage.existing_h!r} h")
