"""Moves as the rows of `events.parquet`, in order of time, group, VM, and the VM's own order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Ints
from sim.engines.group_setup import GroupSetup
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.plan import Platform
from sim.model.state_machine import DEMANDS, State, Transition

Words = tuple[str, str | None, str | None, str | None, str | None]
"""(kind, from, to, operation, code); a kind is a member of `KINDS`."""

COLUMNS = ("vm", "kind", "from", "to", "operation", "code")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class EventColumns:
    """Rows in order, as columns. Of a host, `vm` is its name."""

    t_s: NDArray[np.float64]
    columns: Sequence[tuple[Ints, Sequence[str]]]  # of `COLUMNS`: the place of each row's value (-1: none); the values


class Moves(NamedTuple):
    """Moves and notes as columns: instants (s), groups (-1: of hosts), VMs or hosts, places in `EventRows.says`."""

    when_s: NDArray[np.float64]
    group: Ints
    whom: Ints
    entry: Ints

    def only(self, chosen: Any) -> Moves:
        """Some of them."""
        return Moves(*(column[chosen] for column in self))


def of_host(platform: Platform, host: int, now_s: float, kind: str) -> Noted:
    """What has happened to a host, which is named `<pool>/0007`."""
    first = 0
    for pool in platform.hosts:
        if host < first + pool.count:
            break
        first += pool.count
    return now_s, -1, host, f"{pool.name}/{host - first:04d}", (kind, None, None, None, None)


def of_refusal(setup: GroupSetup, vm: int, now_s: float, operation: str, code: str) -> Noted:
    """The control plane has rejected an operation on a VM."""
    name = f"{setup.plan.name}-{vm:04d}"
    return now_s, setup.index, vm, name, ("operation", None, "rejected", operation, code)


@dataclass(slots=True)
class EventRows:
    """Collects moves of all groups and passes them on as sorted rows; `flush` says up to when they are complete."""

    take: Callable[[EventColumns], None]
    says: list[tuple[Words, ...]] = field(default_factory=list)  # the rows of each transition, and of each kind of note
    first_of: dict[int, int] = field(default_factory=dict)  # by group: the place of its first transition there
    names: dict[int, str] = field(default_factory=dict)
    vms: dict[int, int] = field(default_factory=dict)  # by group: the largest number of a VM that moved, and 1
    pending: list[Moves] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    _noted: dict[Words, int] = field(default_factory=dict)

    def note(self, noted: Noted) -> None:
        """Take what isn't a move."""
        self.notes.append(noted)

    def listen(
        self, setup: GroupSetup, when: NDArray[np.float64], what: NDArray[np.int64], whom: NDArray[np.int64]
    ) -> None:
        """Take moves of one group (rows of its move table); each VM's own are in order."""
        group = setup.index
        if group not in self.first_of:
            self.first_of[group], self.names[group] = len(self.says), setup.plan.name
            self.says += [words_of(transition) for transition in setup.state_machine.transitions]
        self.vms[group] = max(self.vms.get(group, 0), int(whom.max(initial=-1)) + 1)
        entry = (what // DEMANDS + self.first_of[group]).astype(np.int32)
        self.pending.append(Moves(when, np.full(len(when), group, np.int32), whom.astype(np.int32), entry))

    def flush(self, before_s: float = np.inf) -> None:
        """Pass on every row before an instant; notes come after the moves of the same VM at the same instant."""
        due = [noted for noted in self.notes if noted[0] < before_s]
        self.notes = [noted for noted in self.notes if noted[0] >= before_s] if len(due) < len(self.notes) else []
        moves = _together([_NOTHING, *self.pending])
        self.pending.clear()
        if before_s < np.inf:
            early = moves.when_s < before_s
            if not early.all():
                self.pending.append(moves.only(~early))
                moves = moves.only(early)
        if due:
            moves = _together([moves, self._as_moves(due)])
        order, notes_from = _order(moves), len(moves.when_s) - len(due)
        names, rows = _Names(self.names, self.vms, [noted[3] for noted in due]), _Rows.of(self.says)
        for start in range(0, len(order), MOVES_AT_ONCE):
            chosen = order[start : start + MOVES_AT_ONCE]
            some = moves.only(chosen)
            self.take(rows.columns(some, *names.of(some, chosen - notes_from)))

    def _as_moves(self, due: Sequence[Noted]) -> Moves:
        when, group, whom, _, said = zip(*due, strict=True)
        for words in said:
            if words not in self._noted:
                self._noted[words] = len(self.says)
                self.says.append((words,))
        entry = [self._noted[words] for words in said]
        return Moves(np.array(when), *(np.array(column, dtype=np.int32) for column in (group, whom, entry)))


MOVES_AT_ONCE = 524_288  # in a block of rows
_NOTHING = Moves(np.zeros(0), *(np.zeros(0, dtype=np.int32) for _ in range(3)))


def _together(parts: Sequence[Moves]) -> Moves:
    columns: Any = zip(*parts, strict=True)
    return Moves(*map(np.concatenate, columns))


def _order(moves: Moves) -> NDArray[np.int64]:
    """By instant, group and VM; a VM's moves at one instant keep their order."""
    vm = (moves.group.astype(np.int64) << 32) + moves.whom
    if (vm[1:] >= vm[:-1]).all():
        return np.argsort(moves.when_s, kind="stable")
    return np.lexsort((vm, moves.when_s))


class _Names:
    """The names of all VMs that moved, group by group, and those of notes."""

    def __init__(self, groups: Mapping[int, str], vms: Mapping[int, int], notes: Sequence[str]) -> None:
        self.groups, self.notes = groups, notes
        self.ends: NDArray[np.int64] = np.cumsum([0, *(vms.get(group, 0) for group in range(max(vms, default=0) + 1))])
        self.all: list[str] = []

    def of(self, moves: Moves, note: NDArray[np.int64]) -> tuple[Ints, Sequence[str]]:
        """The place of each one's name, and the names; *note*: which note it is, below 0 for a move."""
        moved = note < 0
        keys: NDArray[np.int64] = self.ends[moves.group[moved]] + moves.whom[moved]
        if self.ends[-1] <= len(note):  # as many names as moves at most: each name is made once
            self.all = self.all or self._named(np.arange(self.ends[-1]))
            place, names = keys, self.all
        else:
            used, place = np.unique(keys, return_inverse=True)
            names = self._named(used)
        if not moved.all():
            found = np.empty(len(note), dtype=np.int64)
            found[moved], found[~moved] = place, len(names) + note[~moved]
            place, names = found, [*names, *self.notes]
        return place.astype(np.int32), names

    def _named(self, keys: NDArray[np.int64]) -> list[str]:
        cuts = np.searchsorted(keys, self.ends)
        return [
            f"{name}-{vm:04d}"
            for group, name in sorted(self.groups.items())
            for vm in (keys[cuts[group] : cuts[group + 1]] - self.ends[group]).tolist()
        ]


class _Rows(NamedTuple):
    """What moves say, as tables: how many rows of each entry, its first row, and each row's words as places in the values."""

    many: NDArray[np.int64]
    first: NDArray[np.int64]
    words: Sequence[tuple[Ints, list[str]]]

    @classmethod
    def of(cls, says: Sequence[tuple[Words, ...]]) -> _Rows:
        many = np.array([len(rows) for rows in says], dtype=np.int64)
        words = []
        for column in zip(*(row for rows in says for row in rows), strict=True):
            values = list(dict.fromkeys(word for word in column if word is not None))
            place = {word: index for index, word in enumerate(values)} | {None: -1}
            words.append((np.array([place[word] for word in column], dtype=np.int32), values))
        return cls(many, np.cumsum(many) - many, words)

    def columns(self, moves: Moves, name: Ints, names: Sequence[str]) -> EventColumns:
        many = self.many[moves.entry]
        move = np.repeat(np.arange(len(many)), many)
        row = self.first[moves.entry][move] + np.arange(len(move)) - (np.cumsum(many) - many)[move]
        return EventColumns(
            t_s=moves.when_s[move],
            columns=[(name[move], names), *((places[row], values) for places, values in self.words)],
        )


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
        shown = [(each.source.power, each.target.power) for each in setup.state_machine.transitions]
        changes = np.array([before is not after for before, after in shown], dtype=np.bool_)
        states = [str(after or "") for _, after in shown]
        transition = what // DEMANDS
        own = np.flatnonzero((whom < self.vms) & changes[transition])
        for t_s, move, vm in zip(when[own].tolist(), transition[own].tolist(), whom[own].tolist(), strict=True):
            self.entered.setdefault(f"{setup.plan.name}-{vm:04d}", []).append((t_s, states[move]))

    def timelines(self) -> tuple[tuple[str, tuple[tuple[float, str], ...]], ...]:
        """(VM, ((instant in s, state entered; "" = gone), ...)), in order of names."""
        return tuple((name, tuple(moves)) for name, moves in sorted(self.entered.items()))
