"""The random numbers of a group's VMs, drawn many at a time and handed out one by one.

Streams are counter-based, so a block may be made at any time, for any VMs, and thrown away: nothing about a draw
depends on when it was made. A walker in plain Python would spend most of its time drawing; a block of thousands costs
a hundredth a draw.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.distributions.samplers import Laws, compile_laws, evaluate
from sim.model.state_machine import Program

COHORT = 256  # VMs whose draws are made together
LATER = 16  # draws a block holds for each VM, after the first block
KEPT = 4096  # blocks kept for VMs that haven't come for theirs; others are made again

Draw = Callable[[], float]


def program_laws(program: Program) -> tuple[Laws, tuple[int, ...]]:
    """The program's time laws as one table, and each purpose's row in it (-1: it has none)."""
    with_law = [law for law in program.laws if law is not None]
    rows: list[int] = []
    for law in program.laws:
        rows.append(-1 if law is None else sum(row >= 0 for row in rows))
    return compile_laws(with_law), tuple(rows)


@dataclass(slots=True)
class Variates:
    """Draws for every VM and purpose of one group in one replication."""

    group_key: int
    purposes: Sequence[str]
    laws: Laws
    law_rows: Sequence[int]
    first: int = 8  # draws in a VM's first block: few where VMs are many and short-lived
    members: int | None = None  # VMs in the group, where it is known
    alone: bool = False  # one VM by itself: its draws in long blocks
    blocks: dict[tuple[int, int], tuple[int, NDArray[np.float64]]] = field(default_factory=dict)

    def column(self, index: int, purpose: int, block: int) -> Draw:
        """A callable that gives VM *index*'s draws of one block in turn, then raises StopIteration."""
        if self.alone:
            return self._iterator(self._make(index, index + 1, purpose, block)[0])
        cohort, place = divmod(index, COHORT)
        have = self.blocks.get((cohort, purpose))
        if have is None or have[0] < block:
            low = cohort * COHORT
            high = low + COHORT if self.members is None else min(low + COHORT, self.members)
            have = (block, self._make(low, high, purpose, block))
            self.blocks.pop((cohort, purpose), None)
            self.blocks[cohort, purpose] = have
            if len(self.blocks) > KEPT:
                self.blocks.pop(next(iter(self.blocks)))
        if have[0] == block:
            values = have[1][place]
        else:  # the others have gone on to later blocks
            values = self._make(index, index + 1, purpose, block)[0]
        return self._iterator(values)

    @staticmethod
    def _iterator(values: NDArray[np.float64]) -> Draw:
        return iter(array("d", values.tobytes())).__next__

    def _make(self, low: int, high: int, purpose: int, block: int) -> NDArray[np.float64]:
        later = COHORT if self.alone else LATER
        start, size = (0, self.first) if block == 0 else (self.first + (block - 1) * later, later)
        keys = streams.member_keys(self.group_key, np.arange(low, high))
        keys = streams.purpose_keys(keys, self.purposes[purpose])[:, None]
        n = streams.bits(keys, np.arange(start, start + size)[None, :])
        row = self.law_rows[purpose]
        if row < 0:
            return np.asarray((n + 0.5) * 2.0**-52)
        return evaluate(self.laws, row, n.reshape(-1)).reshape(n.shape)
