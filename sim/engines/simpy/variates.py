"""The random numbers of a group's VMs, drawn many at a time and handed out one by one.

Streams are counter-based, so a block may be made at any time, for any VMs, and thrown away: nothing about a draw
depends on when it was made. A process in plain Python would spend most of its time drawing; in a block of thousands, one costs
a hundredth a draw.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.distributions.samplers import Samplers, compile_samplers, evaluate
from sim.model.state_machine import StateMachine

COHORT = 256  # VMs whose draws are made together
LATER = 16  # draws a block holds for each VM, after the first block
KEPT = 4096  # blocks kept for VMs that haven't come for theirs; others are made again

Draw = Callable[[], float]


def samplers_of(state_machine: StateMachine) -> tuple[Samplers, tuple[int, ...]]:
    """The state machine's time laws as one table, and each stream's row in it (-1: it has none)."""
    with_law = [law for law in state_machine.samplers if law is not None]
    rows: list[int] = []
    for law in state_machine.samplers:
        rows.append(-1 if law is None else sum(row >= 0 for row in rows))
    return compile_samplers(with_law), tuple(rows)


@dataclass(slots=True)
class Variates:
    """Draws for every VM and stream of one group in one replication."""

    group_key: int
    stream_names: Sequence[str]
    samplers: Samplers
    sampler_rows: Sequence[int]
    first: int = 8  # draws in a VM's first block: few where VMs are many and short-lived
    members: int | None = None  # VMs in the group, where it is known
    alone: bool = False  # one VM by itself: its draws in long blocks
    blocks: dict[tuple[int, int], tuple[int, NDArray[np.float64]]] = field(default_factory=dict)

    def column(self, index: int, stream: int, block: int) -> Draw:
        """A callable that gives VM *index*'s draws of one block in turn, then raises StopIteration."""
        if self.alone or (self.members is not None and index >= self.members):  # a later life of a VM
            return self._iterator(self._make(index, index + 1, stream, block)[0])
        cohort, place = divmod(index, COHORT)
        have = self.blocks.get((cohort, stream))
        if have is None or have[0] < block:
            low = cohort * COHORT
            high = low + COHORT if self.members is None else min(low + COHORT, self.members)
            have = (block, self._make(low, high, stream, block))
            self.blocks.pop((cohort, stream), None)
            self.blocks[cohort, stream] = have
            if len(self.blocks) > KEPT:
                self.blocks.pop(next(iter(self.blocks)))
        if have[0] == block:
            values = have[1][place]
        else:  # the others have gone on to later blocks
            values = self._make(index, index + 1, stream, block)[0]
        return self._iterator(values)

    @staticmethod
    def _iterator(values: NDArray[np.float64]) -> Draw:
        return iter(array("d", values.tobytes())).__next__

    def _make(self, low: int, high: int, stream: int, block: int) -> NDArray[np.float64]:
        later = COHORT if self.alone else LATER
        start, size = (0, self.first) if block == 0 else (self.first + (block - 1) * later, later)
        keys = streams.member_keys(self.group_key, np.arange(low, high))
        keys = streams.stream_keys(keys, self.stream_names[stream])[:, None]
        n = streams.bits(keys, np.arange(start, start + size)[None, :])
        row = self.sampler_rows[stream]
        if row < 0:
            return np.asarray((n + 0.5) * 2.0**-52)
        return evaluate(self.samplers, row, n.reshape(-1)).reshape(n.shape)
