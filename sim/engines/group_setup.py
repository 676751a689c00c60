"""What every engine starts from, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.model.demand import Calendar, RequestContext
from sim.model.plan import FleetPlan, GroupPlan
from sim.model.state_machine import StateMachine
from sim.model.states.compile import compile_state_machine
from sim.usage.ledger import GroupUsage, MoveTable

# (replication's moves of one group: instants, rows of the move table, VM indices) -> None; in order of time
MovesListener = Callable[["GroupSetup", NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSetup:
    """What an engine needs of one group, made once a replication."""

    index: int
    plan: GroupPlan
    state_machine: StateMachine
    table: MoveTable
    calendar: Calendar | None
    group_key: int
    start: datetime
    horizon_s: float

    @property
    def lifetimes_s(self) -> NDArray[np.float64]:
        """Each VM's time from request to deletion (s) where it was recorded; empty where it is drawn, or there is none."""
        return np.array(self.plan.demand.recorded_lifetimes_s, dtype=np.float64)

    def births(self) -> Iterator[NDArray[np.float64]]:
        """When each VM is requested (s), in order, block by block; all before the horizon."""
        plan = self.plan
        context = RequestContext(
            start=self.start,
            horizon_s=self.horizon_s,
            group_key=self.group_key,
            count=plan.count,
            create_over_s=plan.create_over_s,
        )
        return plan.demand.request_times(context)


def set_up(plan: FleetPlan, *, seed: int, replication: int, asked_from_outside: bool = False) -> list[GroupSetup]:
    """Programs, calendars and keys of a fleet's groups."""
    root = streams.replication_key(seed, replication)
    setups = []
    for index, group in enumerate(plan.groups):
        state_machine = compile_state_machine(
            group, plan.platform, asked_from_outside=asked_from_outside or group.demand.is_scaled
        )
        setups.append(
            GroupSetup(
                index=index,
                plan=group,
                state_machine=state_machine,
                table=state_machine.move_table(),
                calendar=group.demand.calendar(plan.start, plan.horizon_s),
                group_key=streams.entity_key(root, group.name),
                start=plan.start,
                horizon_s=plan.horizon_s,
            )
        )
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
