"""What a demand kind is: frozen parameters that the engines read, and a table of a group in the scenario file.

A kind is one module: a `Demand` (its parameters, flags and arithmetic) and a `DemandSection` (its keys, rules, words and
stand-ins), registered in `DEMAND_KINDS`. Nothing else in the project names it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sim.catalog import Catalogue, Size
from sim.distributions.kinds import Distribution
from sim.fields.issues import Issue, Path
from sim.fields.recurring import Recurring
from sim.fields.registry import Registry
from sim.fields.types import Section
from sim.model.demand.closed_days import CalendarSection
from sim.model.demand.people import PeopleSection
from sim.model.when_off import WHEN_OFF, WhenOff
from sim.units import SECONDS_PER_HOUR, format_duration

MOVES_PER_VM = 6.0  # about: create, run, end
MOVES_PER_ROUND = 7.0  # about: off and on again, or a whole short life
HOURS_PER_WEEK = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The edges of a window in a run: demand is `wanted_first` at t = 0 and turns at each instant (s, >= 0)."""

    wanted_first: bool
    edges_s: tuple[float, ...]

    @classmethod
    def of_windows(cls, windows: Iterable[tuple[float, float]], horizon_s: float) -> Calendar:
        """The edges between t = 0 and the horizon of windows (s, begin and end) in order; those that touch or overlap are one."""
        joined: list[tuple[float, float]] = []
        for on_s, off_s in windows:
            if joined and on_s <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], off_s))
            else:
                joined.append((on_s, off_s))
        edges = [edge for window in joined for edge in window]
        gone = sum(edge < 0.0 for edge in edges)
        return cls(wanted_first=gone % 2 == 1, edges_s=tuple(edge for edge in edges[gone:] if edge < horizon_s))


def by_local_hour(
    values: Sequence[float], start: datetime, horizon_s: float, time_zone: str
) -> Iterator[tuple[float, float, float]]:
    """Stretches (from, to, both s) of one value each: 24 by hour of the local day, 168 by hour of the week from Monday.

    The last one is a whole hour, too: where the horizon lies must not move a bound by a bit.
    """
    zone, begins_s = ZoneInfo(time_zone), 0.0
    while begins_s < horizon_s:
        local = (start + timedelta(seconds=begins_s)).astimezone(zone)
        hour = local.hour + (24 * local.weekday() if len(values) == HOURS_PER_WEEK else 0)
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        ends_s = begins_s + SECONDS_PER_HOUR - into.total_seconds()
        yield begins_s, ends_s, values[hour]
        begins_s = ends_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """What the instants at which the VMs of a group are requested may depend on."""

    start: datetime
    horizon_s: float
    group_key: int = 0  # of the group's random streams in this replication
    count: int = 0
    create_over_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeContext:
    """What the edges of demand for single VMs may depend on."""

    start: datetime
    horizon_s: float
    group_key: int  # of the group's random streams in this replication


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEdges:
    """When demand for each of some VMs turns: VM i has the edges from `first[i]` to `first[i + 1]`, in order.

    Each VM is unwanted before its first edge. `turns_to` is 1 (wanted), 0 (not wanted) or 2: not wanted, and left on by
    people if it is Running then (`sim.usage.ledger.LEFT_ON`).
    """

    first: NDArray[np.int64]  # (VMs + 1)
    edges_s: NDArray[np.float64]
    turns_to: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Who wants the VMs of a group on, and when. The base is demand that is always there."""

    turns_off: ClassVar[bool] = False
    """Whether demand turns off and on again, and `when_off` says what is done then."""
    has_lifetime: ClassVar[bool] = False
    """Whether a VM is deleted at the end of a lifetime, recorded or drawn."""
    is_open: ClassVar[bool] = False
    """Whether VMs come and go: demand for a VM that is lost goes with it, and `count` means nothing."""
    is_scaled: ClassVar[bool] = False
    """Whether an autoscaler creates VMs and asks for deletes."""
    is_compiled: ClassVar[bool] = True
    """Whether the compiled engine simulates it."""
    behaves: ClassVar[bool] = False
    """Whether a process of its own asks for operations (`behave`); its group is simulated in SimPy then."""

    def behave(self, fleet: Any, group: str) -> Generator[Any, Any, None]:
        """A SimPy process beside the VMs of a group, which asks the `sim.engines.simpy.fleet.Fleet` for operations on them."""
        raise NotImplementedError

    @property
    def sets_aside(self) -> bool:
        """Whether an autoscaler deallocates VMs that it does not need, and starts them again."""
        return False

    def request_times(self, context: RequestContext) -> Iterator[NDArray[np.float64]]:
        """When each VM is requested (s), in order, block by block; all before the horizon."""
        if context.count:
            times = np.arange(context.count, dtype=np.float64) * (context.create_over_s / context.count)
            yield times[times < context.horizon_s]

    def calendar(self, start: datetime, horizon_s: float) -> Calendar | None:
        """When demand turns, where that is the same for all VMs of the group."""
        return None

    def unlikely(self, start: datetime, horizon_s: float, ready_s: float) -> Iterator[str]:
        """What of it is allowed and hardly meant, in words; a start takes *ready_s*."""
        yield from ()

    @property
    def closed_days(self) -> frozenset[date]:
        """Local days on which no window begins."""
        return frozenset()

    @property
    def has_own_edges(self) -> bool:
        """Whether each VM has edges of its own (`own_edges`)."""
        return False

    def own_edges(self, context: EdgeContext, members: NDArray[np.int64]) -> OwnEdges:
        """The edges of the VMs of these numbers: a pure function of its arguments."""
        raise NotImplementedError

    @property
    def edge_delays(self) -> tuple[tuple[str, Distribution], tuple[str, Distribution]] | None:
        """Streams and distributions for turning off and on: added to the calendar's edges, or, without one, from edge to edge."""
        return None

    def lifetime_owners(self, context: RequestContext) -> NDArray[np.int64] | None:
        """For each VM the number of the VM whose draw is its lifetime, too; None: each has its own."""
        return None

    @property
    def drawn_lifetime_s(self) -> Distribution | None:
        """From the first Running until the VM's deletion is requested, drawn once for each request."""
        return None

    @property
    def lifetime_is_work(self) -> bool:
        """Whether the drawn lifetime is work, which is done only while the VM serves; else it passes by the clock."""
        return False

    @property
    def deadline_s(self) -> float:
        """Until when the work of a request is due, from the request; infinite: there is no deadline."""
        return math.inf

    @property
    def recorded_lifetimes_s(self) -> tuple[float, ...]:
        """From the request of each VM until its deletion, where that was recorded."""
        return ()

    @property
    def repeats_h(self) -> int:
        """Hours after which demand repeats; 1: it knows no day or week."""
        return 1

    def expected_moves(self, count: int, horizon_s: float) -> float:
        """About how many moves the VMs make up to the horizon."""
        return count * (MOVES_PER_VM + MOVES_PER_ROUND * self.expected_rounds(horizon_s))

    def expected_vms(self, count: int, horizon_s: float) -> float:
        """About how many VMs there are up to the horizon."""
        return self.expected_moves(count, horizon_s) / MOVES_PER_ROUND if self.is_open else count

    def expected_rounds(self, horizon_s: float) -> float:
        """About how often demand for one VM turns off and on up to the horizon."""
        return 0.0


class GroupFacts(Protocol):
    """What a demand kind may know of the group whose table it is."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> str: ...
    @property
    def os(self) -> str: ...
    @property
    def create_over(self) -> float: ...
    @property
    def priority(self) -> str: ...
    @property
    def calendar(self) -> CalendarSection | None: ...
    @property
    def people(self) -> PeopleSection | None: ...
    @property
    def when_off(self) -> WhenOff: ...
    @property
    def model_fields_set(self) -> set[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """VMs of a group that are of one size and priority."""

    suffix: str  # of the group's name
    size: Size
    priority: str
    demand: Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitContext:
    """Where sizes and files are looked up."""

    catalogue: Catalogue
    region: str | None  # None: not known
    folder: FilePath


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A group by the sizes of its VMs, and what is known of the file that names them."""

    parts: tuple[Part, ...] = ()
    words: tuple[str, ...] = ()
    known_until_s: float = float("inf")
    left_out: int = 0  # VMs of the file outside the time that it is read for
    issues: tuple[Issue, ...] = ()


class DemandSection(Section):
    """A table of a group that says who wants its VMs on, and when: `[group.<key>]`."""

    key: ClassVar[str]
    demand: ClassVar[type[Demand]]
    takes_when_off: ClassVar[bool] = True
    """Whether `when_off` may stand under this header, and means the group's."""
    waits_for_autoscale: ClassVar[bool] = False
    """Whether it may stand beside autoscale, unused."""
    count_words: ClassVar[str] = ""
    """Where the VMs come from, where that contradicts `count`."""
    is_list: ClassVar[bool] = False
    """Whether it may be given as a list of tables."""
    stand_ins: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Sound values for keys that the table can't do without, to find out whether the rest agrees; never simulated."""
    stand_ins_beside: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """The same for keys that exclude each other: that two were given is reported even if one of them is wrong in itself."""
    refined_by: ClassVar[tuple[str, ...]] = ()
    """Keys of the tables of the group that refine it (of `REFINEMENTS`)."""
    has_own_sizes: ClassVar[bool] = False
    """Whether its VMs have sizes of their own unless the group names one (see `split`)."""
    default_durations: ClassVar[str] = ""
    """Key of the default for steps without a duration; empty: those of `group.durations`."""

    @property
    def has_work(self) -> bool:
        """Whether a lifetime is work (`Demand.lifetime_is_work`)."""
        return False

    @property
    def sets_aside(self) -> bool:
        """Whether an autoscaler keeps VMs deallocated (`Demand.sets_aside`)."""
        return False

    @property
    def recurring(self) -> Recurring | None:
        """How often demand turns, or is looked at, by itself."""
        return None

    def priorities(self, group: GroupFacts) -> Mapping[str, str]:
        """The priorities of the group's VMs, by what follows the group's name in results; the first is the autoscaler's."""
        return {"": group.priority}

    def joined(self, tables: tuple[Any, ...]) -> DemandSection:
        """The first of a list of tables, standing for all of them."""
        return self

    def to_demand(self) -> Demand:
        """The demand that the engines simulate."""
        raise NotImplementedError

    def demand_of(self, group: GroupFacts, years: range) -> Demand:
        """The same, with the tables of the group that refine it; *years* are the calendar years of the run."""
        return self.to_demand()

    def describe(self, group: GroupFacts) -> str:
        """The demand in one sentence."""
        raise NotImplementedError

    def refinements(self, group: GroupFacts, years: range) -> str:
        """What the group's tables that refine the demand say, in sentences."""
        return ""

    def warn(self) -> list[str]:
        """What is allowed, and so unlikely to be meant that a reader must know of it; a sentence a line."""
        return []

    def check(self, group: GroupFacts, place: Path) -> Iterator[Issue]:
        """What the keys of the table, at *place* + key, contradict each other or the group in."""
        return iter(())

    def unused_defaults(self, group: GroupFacts) -> set[str]:
        """Keys whose defaults mean nothing for this group."""
        return set()

    # Where VMs have sizes of their own:

    def size_patterns(self, group: GroupFacts) -> tuple[str, ...]:
        """Names and patterns of the sizes that its VMs may have."""
        return ()

    def split(self, group: GroupFacts, place: Path, context: SplitContext) -> Split:
        """The group by the sizes of its VMs; without a region only what is known without prices."""
        raise NotImplementedError


def otherwise(group: GroupFacts) -> str:
    """What is done with a VM that is not wanted, in words."""
    return f"otherwise {WHEN_OFF[group.when_off].words}"


REFINEMENTS: Mapping[str, type[Section]] = MappingProxyType({"calendar": CalendarSection, "people": PeopleSection})
"""Tables of a group that refine a demand kind, by key."""


def hardly_ready(wanted_s: float, ready_s: float) -> Iterator[str]:
    """A word on VMs that are wanted no longer than they take to start."""
    if wanted_s <= ready_s:
        how = f"needed for {format_duration(wanted_s)} at a time, and a start takes {format_duration(ready_s)}"
        yield f"{how}: its VMs are hardly ever ready"


DEMAND_KINDS: Registry[type[DemandSection]] = Registry(
    "demand kind", base=DemandSection, own=("key", "demand", "to_demand", "describe")
)
"""Every demand kind by the key of its table; a group without such a table is wanted always."""
