"""What every engine starts from, and what it returns."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.engines.count_steps import SteppedRequests, stepped_requests
from sim.errors import PlugInError
from sim.fields.registry import is_ours, name_of
from sim.model.demand import Calendar, Demand, EdgeContext, RequestContext
from sim.model.demand.base import OwnEdges
from sim.model.plan import FleetPlan, GroupPlan
from sim.model.state_machine import StateMachine
from sim.model.states.compile import compile_state_machine
from sim.usage.collector import Accumulator, Window
from sim.usage.ledger import LEFT_ON, GroupUsage, MoveTable

BLOCK = 64  # VMs whose edges are made at once where VMs come one by one
# (replication's moves of one group: instants, rows of the move table, VM indices) -> None; in order of time
MovesListener = Callable[["GroupSetup", NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]], None]


@dataclass(slots=True)
class EdgesByVm:
    """When demand for each VM of a group turns, where no two VMs need have the same edges; made for many VMs at once."""

    demand: Demand
    context: EdgeContext
    vms: int
    made: tuple[int, OwnEdges] | None = None  # the block made last

    def of(self, first: int, count: int) -> OwnEdges:
        """The edges of some VMs."""
        made = self.demand.own_edges(self.context, np.arange(first, first + count, dtype=np.int64))
        return made if is_ours(type(self.demand).__module__) else _checked_edges(self.demand, made, count)

    def of_vm(self, index: int) -> Iterator[tuple[float, int]]:
        """(instant in s, what demand turns to) of each edge of one VM."""
        block = index // BLOCK
        if self.made is None or self.made[0] != block:
            self.made = block, self.of(block * BLOCK, min(BLOCK, self.vms - block * BLOCK))
        edges, place = self.made[1], index % BLOCK
        own = slice(edges.first[place], edges.first[place + 1])
        return iter(list(zip(edges.edges_s[own].tolist(), edges.turns_to[own].tolist(), strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSetup:
    """What an engine needs of one group, made once a replication."""

    index: int
    plan: GroupPlan
    state_machine: StateMachine
    table: MoveTable
    calendar: Calendar | None
    own_edges: EdgesByVm | None
    capacity: Calendar | None = None  # of spot VMs, where it comes and goes as recorded
    stepped: SteppedRequests | None = None  # where the number of VMs takes steps
    lifetime_owners: NDArray[np.int64] | None = None  # the VM whose draw is each one's lifetime; None: its own
    group_key: int
    start: datetime
    horizon_s: float
    kept: dict[str, Any]  # what an engine keeps from one replication to the next, for it depends on the plan alone

    def accumulator(self, window: Window) -> Accumulator:
        """An empty ledger for the group."""
        return Accumulator(window, self.table, self.plan.ready_within_s)

    @property
    def lifetimes_s(self) -> NDArray[np.float64]:
        """Each VM's time from request to deletion (s) where it is known; empty where it is drawn, or there is none."""
        if self.stepped is not None:
            return self.stepped.lifetime_s
        return np.array(self.plan.demand.recorded_lifetimes_s, dtype=np.float64)

    def vms(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers of the VMs of these births."""
        return rows if self.stepped is None else self.stepped.vm[rows]

    def members(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers with which the streams of these births are keyed."""
        return rows if self.stepped is None else self.stepped.member[rows]

    def earlier(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many births of the same VM come before each of these, which are the rows before it."""
        return np.zeros_like(rows) if self.stepped is None else self.stepped.earlier[rows]

    def has_one_birth(self, row: int) -> bool:
        """Whether the VM of this birth has no other."""
        return self.stepped is None or int((self.stepped.vm == self.stepped.vm[row]).sum()) == 1

    def births(self) -> Iterator[NDArray[np.float64]]:
        """When each VM is requested (s), block by block, in order, but VM by VM where their number takes steps; all before the horizon."""
        return iter((self.stepped.born_s,)) if self.stepped is not None else self.requests()

    def births_in_time(self) -> Iterator[tuple[int, float]]:
        """(row, when its VM is requested) in order of time, then of VM."""
        if self.stepped is not None:
            order = np.argsort(self.stepped.born_s, kind="stable")
            return zip(order.tolist(), self.stepped.born_s[order].tolist(), strict=True)
        return enumerate(born_s for block in self.births() for born_s in block.tolist())

    def requests(self) -> Iterator[NDArray[np.float64]]:
        """The births that demand asks for, without later steps of the number of VMs."""
        if self.plan.part_of:
            return iter(())  # they are requested in the run
        demand = self.plan.demand
        if is_ours(type(demand).__module__):
            return demand.request_times(self.request_context)
        return _checked_requests(demand, self.request_context)

    @property
    def expected_vms(self) -> float:
        """About how many VMs there will be."""
        return self.plan.demand.expected_vms(self.plan.most_vms, self.horizon_s)

    @property
    def request_context(self) -> RequestContext:
        """What requests depend on."""
        plan = self.plan
        return RequestContext(
            start=self.start,
            horizon_s=self.horizon_s,
            group_key=self.group_key,
            count=plan.count,
            create_over_s=plan.create_over_s,
        )


class _Same:
    """A plan as the key of a cache: the very same object."""

    def __init__(self, plan: FleetPlan) -> None:
        self.plan = plan

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.plan is self.plan

    def __hash__(self) -> int:
        return id(self.plan)


@lru_cache(maxsize=1)
def _of_every_replication(same: _Same, takes_requests: bool) -> list[dict[str, Any]]:
    """The fields of `GroupSetup` that depend on the plan alone, by group; made once for all replications of it."""
    plan, found = same.plan, []
    for index, group in enumerate(plan.groups):
        machine = compile_state_machine(
            group, plan.platform, takes_requests=takes_requests or group.demand.is_scaled or bool(group.behaviours)
        )
        calendar = _checked_calendar(group.demand, group.demand.calendar(plan.start, plan.horizon_s))
        found.append({
            "index": index, "plan": group, "state_machine": machine, "table": machine.move_table(),
            "calendar": calendar, "start": plan.start, "horizon_s": plan.horizon_s, "kept": {},
        })  # fmt: skip
    return found


def _checked_calendar(demand: Demand, calendar: object) -> Calendar | None:
    """What `Demand.calendar` returned. Raises PlugInError where it isn't what it is to be: an engine would wait for ever for NaN."""
    where = f"{name_of(demand)}: calendar(...) returned"
    if not isinstance(calendar, Calendar | None):
        raise PlugInError(f"{where} {calendar!r}; it returns a Calendar, or None")
    if calendar is not None and not _are_instants(np.array(calendar.edges_s)):
        shown = f"{calendar.edges_s[:6]!r}{' ...' if len(calendar.edges_s) > 6 else ''}"
        raise PlugInError(f"{where} the edges {shown}; they are seconds from 0 on, in order")
    return calendar


def _checked_edges(demand: Demand, made: object, vms: int) -> OwnEdges:
    """What `Demand.own_edges` of a plug-in returned, which both engines take as it is. Raises PlugInError."""
    where = f"{name_of(demand)}: own_edges(...) returned"
    if not isinstance(made, OwnEdges):
        raise PlugInError(f"{where} {made!r}; it returns OwnEdges")
    first, edges_s, turns_to = made.first, made.edges_s, made.turns_to
    columns: tuple[tuple[str, Any, str], ...] = (
        ("first", first, "int64"),
        ("edges_s", edges_s, "float64"),
        ("turns_to", turns_to, "int64"),
    )
    for name, column, kind in columns:
        if not isinstance(column, np.ndarray) or column.ndim != 1 or column.dtype != kind:
            raise PlugInError(f"{where} {name} = {column!r}; it is an array ({kind}) with one axis")
    if len(first) != vms + 1 or first[0] or first[-1] != len(edges_s) or (np.diff(first) < 0).any():
        raise PlugInError(
            f"{where} first = {first!r} for {len(edges_s)} edges; it has {vms + 1} numbers, one more than VMs asked for, from 0 to the "
            "number of edges, in order"
        )
    if len(turns_to) != len(edges_s) or not np.isin(turns_to, (0, 1, LEFT_ON)).all():
        raise PlugInError(
            f"{where} turns_to = {turns_to!r}; it has 0, 1 or {LEFT_ON} for each of the {len(edges_s)} edges"
        )
    is_wrong = ~((edges_s >= 0.0) & (edges_s < math.inf))
    is_wrong[1:] |= np.diff(edges_s) < 0.0
    begins = first[:-1][np.diff(first) > 0]
    is_wrong[begins] = ~(
        (edges_s[begins] >= 0.0) & (edges_s[begins] < math.inf)
    )  # a VM's first edge comes after no other
    if is_wrong.any():
        vm = int(np.searchsorted(first, is_wrong.argmax(), side="right")) - 1
        own_s = edges_s[first[vm] : first[vm + 1]]
        raise PlugInError(f"{where} the edges {own_s!r} for the VM at place {vm}; they are seconds from 0 on, in order")
    return made


def _are_instants(found: NDArray[Any], horizon_s: float = math.inf) -> bool:
    """Whether these are seconds from 0 on, finite and before the horizon, in order."""
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iuf"):
        return False
    return bool(((found >= 0.0) & (found < horizon_s)).all() and (np.diff(found) >= 0.0).all())


def _checked_requests(demand: Demand, context: RequestContext) -> Iterator[NDArray[np.float64]]:
    """What `Demand.request_times` of a plug-in yields, which both engines take as it is. Raises PlugInError."""
    last_s = 0.0
    blocks: Iterator[Any] = demand.request_times(context)
    for block in blocks:
        is_block = isinstance(block, np.ndarray) and block.dtype == np.float64
        if not is_block or not _are_instants(np.append(last_s, block), context.horizon_s):
            raise PlugInError(
                f"{name_of(demand)}: request_times(...) gave {block!r}; it gives arrays (float64) of seconds from 0 on, "
                f"before the horizon of {context.horizon_s:g} s, in order"
            )
        last_s = float(block[-1]) if len(block) else last_s
        yield block


def set_up(plan: FleetPlan, *, seed: int, replication: int, takes_requests: bool = False) -> list[GroupSetup]:
    """State machines, calendars and stream keys of a fleet's groups."""
    root = streams.replication_key(seed, replication)
    setups = []
    for group, fields in zip(plan.groups, _of_every_replication(_Same(plan), takes_requests), strict=True):
        group_key = streams.entity_key(root, group.name)
        edges = EdgeContext(start=plan.start, horizon_s=plan.horizon_s, group_key=group_key)
        spot_of = group if group.spot else next((each for each in plan.groups if each.name == group.part_of), group)
        availability = spot_of.spot.availability if spot_of.spot else None
        setup = GroupSetup(
            **fields,
            own_edges=EdgesByVm(group.demand, edges, group.most_vms) if group.demand.has_own_edges else None,
            capacity=availability.calendar(streams.entity_key(root, spot_of.name), plan.horizon_s)
            if availability
            else None,
            group_key=group_key,
        )
        if not group.part_of and (owners := group.demand.lifetime_owners(setup.request_context)) is not None:
            setup = replace(setup, lifetime_owners=owners)
        if group.count_steps:
            first_s = np.concatenate([np.zeros(0), *setup.requests()])
            steps = [(at_s, count) for at_s, count in group.count_steps if at_s < plan.horizon_s]
            setup = replace(setup, stepped=stepped_requests(first_s, steps))
        setups.append(setup)
    return setups


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRun:
    """What one replication came to."""

    usages: dict[str, GroupUsage]
    fleet: GroupUsage
    engine: str
    why: str = ""
    vm_timelines: tuple[tuple[str, tuple[tuple[float, str], ...]], ...] = ()
    vms: int = 0  # requested in all; counted where there are timelines, which are of the first ones only
