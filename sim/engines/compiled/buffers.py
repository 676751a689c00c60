"""The buffers that the compiled loops write to, and how their content goes into ledgers and peaks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engines.compiled import layout
from sim.engines.compiled.encode import Encoded
from sim.engines.compiled.layout import Events, Ledger, Longs
from sim.engines.group_setup import GroupSetup
from sim.engines.shared.work import LOST_WORK
from sim.errors import LifecycleError
from sim.usage.collector import Accumulator, Peak, Window
from sim.usage.ledger import COLUMNS
from sim.usage.ready import NEVER


@dataclass(slots=True)
class Buffers:
    """A ledger buffer and an event buffer for some groups."""

    setups: Sequence[GroupSetup]
    window: Window
    encoded: Encoded
    ledger: Ledger
    events: Events

    @classmethod
    def blank(
        cls, setups: Sequence[GroupSetup], window: Window, encoded: Encoded, room: Sequence[int],
        listed: Sequence[tuple[int, int]] = (),
    ) -> "Buffers":  # fmt: skip
        """Empty buffers with room for so many changes of the numbers of VMs, waits, and events (of the VMs listed, if any are)."""
        changes, waits, events = room
        return cls(
            setups=setups, window=window, encoded=encoded,
            ledger=Ledger(
                cells=np.zeros((window.hours + 1, len(setups) * COLUMNS, 2), dtype=np.int64),
                counts=np.zeros(len(encoded.tables.moves), dtype=np.int64),
                work=np.zeros((len(setups), LOST_WORK + 1), dtype=np.int64),
                lifetimes=np.zeros(len(setups), dtype=np.int64),
                progress=np.zeros(layout.STUCK_STATE + 1, dtype=np.int64),
                bins=np.zeros((encoded.bins, 4), dtype=np.int64),
                changes=np.empty(changes, dtype=np.int64),
                waits=np.empty(waits, dtype=np.int64),
                mask=np.ones(encoded.bins, dtype=np.bool_),
            ),
            events=Events(
                when_s=np.empty(events, dtype=np.float64),
                moves=np.empty((events, 2), dtype=np.int64),
                listed=np.array(listed, dtype=np.int64).reshape(-1, 2),
            ),
        )  # fmt: skip

    def clear(self) -> None:
        """Empty them again; memory that is touched for the first time costs as much as the loop itself."""
        for array in (
            self.ledger.cells,
            self.ledger.counts,
            self.ledger.work,
            self.ledger.lifetimes,
            self.ledger.progress,
            self.ledger.bins,
        ):
            array.fill(0)

    @property
    def lines(self) -> list[int]:
        """How many changes, waits and events there were, lost ones included."""
        return [int(self.ledger.progress[place]) for place in (layout.CHANGES, layout.WAITS, layout.EVENTS)]

    @property
    def room(self) -> tuple[int, int, int]:
        """How many of each there is room for."""
        return len(self.ledger.changes), len(self.ledger.waits), len(self.events.when_s)

    @property
    def changes(self) -> Longs:
        """The lines of changes that were written (see `add_changes`)."""
        return self.ledger.changes[: self.lines[0]]

    @property
    def moves(self) -> tuple[NDArray[np.float64], Longs, Longs]:
        """The events that were written: instants (s), moves, VMs."""
        lines = self.lines[2]
        return self.events.when_s[:lines], self.events.moves[:lines, 0], self.events.moves[:lines, 1]

    @property
    def are_too_small(self) -> bool:
        """Whether lines were lost."""
        return any(lines > room for lines, room in zip(self.lines, self.room, strict=True))

    def check(self) -> None:
        """Raises LifecycleError for a VM that moves for ever at one instant."""
        if self.ledger.progress[layout.STUCK_VM]:
            stuck = int(self.ledger.progress[layout.STUCK_STATE])
            group = next(g for g in range(len(self.setups)) if stuck < self.encoded.first_state[g + 1])
            state_machine = self.setups[group].state_machine
            raise LifecycleError(
                f"{self.setups[group].plan.name}-{self.ledger.progress[layout.STUCK_VM] - 1:04d} moves for ever at one instant: "
                f"{state_machine.states[stuck - self.encoded.first_state[group]].name}"
            )

    def take_waits(self, accumulators: Sequence[Accumulator]) -> None:
        """Pass the waits to the ledgers of their groups, and take them off the buffer."""
        waits = self.ledger.waits[: self.lines[1]]
        group = waits & ((1 << layout.GROUP_BITS) - 1) if len(accumulators) > 1 else None
        for place, accumulator in enumerate(accumulators):
            mine = waits if group is None else waits[group == place]
            ticks = mine >> layout.GROUP_BITS
            ticks += NEVER
            accumulator.waits.add(ticks)
        self.ledger.progress[layout.WAITS] = 0

    def add_to(self, accumulator: Accumulator, group: int) -> None:
        """Add what the buffer holds of one group to its ledger."""
        hours, ledger = self.window.hours, self.ledger
        cells = ledger.cells[:, group * COLUMNS : (group + 1) * COLUMNS]
        accumulator.rest[: hours + 1] += cells[:, :, 0]
        accumulator.step[1 : hours + 2] += cells[:, :, 1]
        accumulator.hits += ledger.counts[self.encoded.own_moves(group)]
        # VMs x time: births less deaths, times the horizon, less their instants; all columns but those of absence.
        born_less_gone = int(cells[:, :-2, 1].sum())
        accumulator.lifetimes_ticks += int(ledger.lifetimes[group]) + born_less_gone * self.window.end_ticks


def ticks_of_changes(changes: Longs) -> Longs:
    """The tick of each line of changes."""
    return changes >> (layout.GROUP_BITS + 4)


def add_changes(peaks: tuple[Peak, Peak], changes: Longs, groups: Sequence[int]) -> None:
    """Report lines of changes to the peaks of VMs on hosts and of VMs running; *groups*: their numbers in the fleet."""
    group = np.array(groups, dtype=np.int64)[changes & ((1 << layout.GROUP_BITS) - 1)]
    ticks = ticks_of_changes(changes)
    on_host, running = (changes >> (layout.GROUP_BITS + 2)) & 3, (changes >> layout.GROUP_BITS) & 3
    for peak, change in zip(peaks, (on_host - 1, running - 1), strict=True):
        some = change != 0
        peak.add(ticks[some], group[some], change[some])
