"""Moves as the rows of `events.parquet`, in order of time, group, VM, and the VM's own order."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sim.engines.group_setup import GroupSetup
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.state_machine import DEMANDS, State, StateMachine, Transition

Row = tuple[float, str, str, str | None, str | None, str | None, str | None]
"""(t_s, vm, kind, from, to, operation, code); a kind is a member of `KINDS`. Of a host, `vm` is the host's name."""

Words = tuple[str, str | None, str | None, str | None, str | None]
KINDS_COUNTED = MappingProxyType({  # by what a move is counted as
    "evictions": "eviction", "guest_crashes": "guest_crash", "service_healings": "service_healing",
    "maintenance_impacts": "maintenance",
})  # fmt: skip
OF_HOSTS = HOST_FAILURE, HOST_REPAIR = "host_failure", "host_repair"
KINDS = ("operation", "power", "provisioning", *KINDS_COUNTED.values(), *OF_HOSTS)
OUTCOMES = ("succeeded", "failed", "rejected", "accepted")  # order within one move: the old operation's outcome first


def words_of(transition: Transition) -> tuple[Words, ...]:
    """The rows of a move: every column but the instant and the VM."""
    rows: list[Words] = []
    code = transition.code or None
    for outcome in OUTCOMES:
        for name in transition.counts:
            kind, _, rest = name.partition(".")
            operation, _, came_to = rest.partition(".")
            if kind == "operations" and came_to == outcome:
                rows.append(
                    ("operation", None, outcome, operation, code if outcome in ("failed", "rejected") else None)
                )
    rows += [(kind, None, None, None, None) for counted, kind in KINDS_COUNTED.items() if counted in transition.counts]
    operation_now = transition.target.operation or transition.source.operation
    if transition.source.power is not transition.target.power:
        rows.append(("power", transition.source.power, transition.target.power, operation_now, code))
    before, after = _provisioning(transition.source, ""), _provisioning(transition.target, transition.code)
    if before != after:
        rows.append(("provisioning", before, after, operation_now, code))
    return tuple(rows)


def _provisioning(state: State, code: str) -> str | None:
    if state.power is None or state.provisioning is None:
        return None
    return f"failed/{code}" if state.provisioning is ProvisioningState.FAILED and code else state.provisioning.value


Noted = tuple[float, int, int, str, Words]
"""A row and its place: t_s, number of the group (-1: of hosts), number of the VM or host, its name."""


def _place(noted: Noted) -> tuple[float, int, int]:
    return noted[:3]


@dataclass(slots=True)
class EventRows:
    """Collects moves of all groups and passes them on as sorted rows; `flush` says up to when they are complete."""

    take: Callable[[Iterable[Row]], None]
    words: dict[int, tuple[tuple[Words, ...], ...]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    pending: list[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = field(
        default_factory=list
    )
    notes: list[Noted] = field(default_factory=list)

    def note(self, noted: Noted) -> None:
        """Take what isn't a move."""
        self.notes.append(noted)

    def listen(
        self, setup: GroupSetup, when: NDArray[np.float64], what: NDArray[np.int64], whom: NDArray[np.int64]
    ) -> None:
        """Take moves of one group (rows of its move table); each VM's own are in order."""
        if setup.index not in self.words:
            self.words[setup.index] = _all_words(setup.state_machine)
            self.names[setup.index] = setup.plan.name
        self.pending.append((when, np.full(len(when), setup.index), whom, what // DEMANDS))

    def flush(self, before_s: float | None = None) -> None:
        """Pass on every row before an instant (None: all)."""
        moves = self._moves(before_s) if self.pending else iter(())
        if self.notes:
            self.notes.sort(key=_place)
            end = len(self.notes) if before_s is None else bisect_left(self.notes, before_s, key=lambda noted: noted[0])
            moves = heapq.merge(moves, self.notes[:end], key=_place)
            self.notes = self.notes[end:]
        self.take((t_s, name, *words) for t_s, _, _, name, words in moves)

    def _moves(self, before_s: float | None) -> Iterator[Noted]:
        """Every row of a move before an instant, in order; at once, so that what is left may be added to."""
        when, group, whom, transitions = (np.concatenate(part) for part in zip(*self.pending, strict=True))
        order = np.lexsort((whom, group, when))  # stable: a VM's moves at one instant keep their order
        when, group, whom, transitions = when[order], group[order], whom[order], transitions[order]
        end = len(when) if before_s is None else int(np.searchsorted(when, before_s, side="left"))
        self.pending = [(when[end:], group[end:], whom[end:], transitions[end:])] if end < len(when) else []
        return (
            (t_s, g, vm, f"{self.names[g]}-{vm:04d}", words)
            for t_s, g, vm, transition in zip(
                when[:end].tolist(), group[:end].tolist(), whom[:end].tolist(), transitions[:end].tolist(), strict=True
            )
            for words in self.words[g][transition]
        )


def _all_words(state_machine: StateMachine) -> tuple[tuple[Words, ...], ...]:
    return tuple(words_of(transition) for transition in state_machine.transitions)


@dataclass(slots=True)
class VmTimelines:
    """The power states of each group's first VMs over time, for figures of single VMs."""

    vms: int
    entered: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    heard_of: dict[int, int] = field(
        default_factory=dict
    )  # by group: VMs of which there were moves, the last one's number + 1

    def listen(
        self, setup: GroupSetup, when: NDArray[np.float64], what: NDArray[np.int64], whom: NDArray[np.int64]
    ) -> None:
        """Take moves of one group."""
        self.heard_of[setup.index] = max(self.heard_of.get(setup.index, 0), int(whom.max(initial=-1)) + 1)
        mine = whom < self.vms
        for t_s, move, vm in zip(when[mine].tolist(), what[mine].tolist(), whom[mine].tolist(), strict=True):
            transition = setup.state_machine.transitions[move // DEMANDS]
            if transition.source.power is not transition.target.power:
                name = f"{setup.plan.name}-{vm:04d}"
                self.entered.setdefault(name, []).append(
                    (t_s, transition.target.power.value if transition.target.power else "")
                )

    def timelines(self) -> tuple[tuple[str, tuple[tuple[float, str], ...]], ...]:
        """(VM, ((instant in s, state entered; "" = gone), ...)), in order of names."""
        return tuple((name, tuple(moves)) for name, moves in sorted(self.entered.items()))
