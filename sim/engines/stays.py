"""Moves become stays: what each VM of a replication was in, from when to when, as columns of arrays.

Listens to either engine. A move that changes nothing of what is recorded is dropped at once; any other takes 13 bytes
until the end of the replication, so this is for questions about single VMs: a bill by VM, whole minutes of each billed
stay, uptime. The ledger (`sim.usage`) needs none of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.engines.group_setup import GroupSetup
from sim.lifecycle.power import PowerState
from sim.model.plan import FleetPlan
from sim.model.state_machine import DEMANDS, State
from sim.usage.collector import ticks_of
from sim.usage.ledger import STATES, to_ticks

NOTHING = -1  # no stay to record
REACHABLE, DOWN = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStays:
    """The stays of one group: row i says that VM `vm[i]` was in `what[i]` from tick `start[i]` to tick `end[i]`.

    Rows are sorted by VM, then by time. A VM that was deleted and created again has several *lives*, each without gaps.
    """

    group: str
    vm: NDArray[np.int32]
    life: NDArray[np.int64]  # counted over the group, in the order of rows
    what: NDArray[np.int8]
    start: NDArray[np.int64]
    end: NDArray[np.int64]

    @property
    def lives(self) -> int:
        """How many lives there are in all."""
        return int(self.life[-1]) + 1 if len(self.life) else 0


Labels = Callable[[State], int]


def power_of(state: State) -> int:
    """The power state a VM shows here, by its place in the order of states."""
    return NOTHING if state.power is None else STATES.index(state.power)


def reach_of(state: State) -> int:
    """Whether a VM that its user wants Running can be reached here, as far as it is up to the platform."""
    if state.unreachable:
        return DOWN
    return REACHABLE if state.power is PowerState.RUNNING else NOTHING


def can_be_down(plan: FleetPlan) -> bool:
    """Whether anything in this plan may make the platform fail a VM."""
    shared = plan.platform
    return shared is not None and (shared.hosts_fail or shared.maintenance is not None)


@dataclass(slots=True)
class StayRecorder:
    """Records what each VM was in; *label* gives a number for a state, `NOTHING` where no stay is to be recorded."""

    label: Labels
    _labels: dict[int, tuple[NDArray[np.int8], NDArray[np.int8]]] = field(default_factory=dict)  # by transition
    _names: dict[int, str] = field(default_factory=dict)
    _heard: dict[int, list[tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int8]]]] = field(default_factory=dict)

    def listen(
        self, setup: GroupSetup, when: NDArray[np.float64], what: NDArray[np.int64], whom: NDArray[np.int64]
    ) -> None:
        """Take moves of one group; each VM's own are in order."""
        if setup.index not in self._labels:
            transitions = setup.state_machine.transitions
            self._labels[setup.index] = (
                np.array([self.label(transition.source) for transition in transitions], dtype=np.int8),
                np.array([self.label(transition.target) for transition in transitions], dtype=np.int8),
            )
            self._names[setup.index] = setup.plan.name
        before, after = self._labels[setup.index]
        transition = what // DEMANDS
        changed = before[transition] != after[transition]
        if changed.any():
            self._heard.setdefault(setup.index, []).append(
                (whom[changed].astype(np.int32), ticks_of(when[changed]), after[transition[changed]])
            )

    def stays(self, end_s: float) -> Mapping[str, GroupStays]:
        """The stays of every group that moved, those still open closed at *end_s*; drops the moves."""
        found = {}
        for index in sorted(self._heard):
            parts = self._heard.pop(index)
            vm, at, what = (np.concatenate(part) for part in zip(*parts, strict=True))
            found[self._names[index]] = _closed(self._names[index], vm, at, what, to_ticks(end_s))
        return found


def _closed(group: str, vm: NDArray[np.int32], at: NDArray[np.int64], what: NDArray[np.int8], end: int) -> GroupStays:
    """Stays from changes: each lasts until the same VM's next one."""
    order = np.argsort(vm, kind="stable")  # a VM's own changes keep their order
    vm, at, what = vm[order], at[order], what[order]
    first = np.ones(len(vm), dtype=bool)
    first[1:] = vm[1:] != vm[:-1]
    until = np.append(at[1:], end)
    until[:-1][first[1:]] = end
    begins = first.copy()
    begins[1:] |= what[:-1] == NOTHING
    there = what != NOTHING
    life = np.cumsum(begins & there) - 1
    there &= until > at  # a state that was passed through at once is no stay
    return GroupStays(
        group=group, vm=vm[there], life=_renumbered(life[there]), what=what[there], start=at[there], end=until[there]
    )


def _renumbered(life: NDArray[np.int64]) -> NDArray[np.int64]:
    """Without the numbers of lives that took no time at all."""
    if not len(life):
        return life
    new = np.ones(len(life), dtype=bool)
    new[1:] = life[1:] != life[:-1]
    return np.asarray(np.cumsum(new) - 1)
