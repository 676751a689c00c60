"""Sends the parts of a run to the slots of a cluster as results come back: no round waits for its slowest part.

Parts are cut by time (`Parts`): Polychronopoulos and Kuck (1987), IEEE Trans. Computers C-36. Each slot has one part waiting behind
the one it works on. A part that is out far longer than others is sent once more, and the first answer counts: replications are pure
functions of their numbers.
"""

import time
import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sim.errors import MachineError, VmfleetWarning
from sim.runs.blocks import Block
from sim.runs.executors import SENT_AHEAD, Parts, Taken, Task
from sim.runs.simulation_input import SimulationInput

SLOW = 10.0  # times as long as its work should take, and a part is sent once more


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a part: its replications, and how long they took; or what went wrong."""

    blocks: Sequence[Block] = ()
    seconds: float = 0.0
    failure: BaseException | None = None


class Pool(Protocol):
    """What is asked of a cluster."""

    @property
    def slots(self) -> int:
        """How many parts are worked on at a time."""

    def submit(self, task: Task) -> Hashable:
        """Send a part; returns what `wait` will name it by."""

    def wait(self, timeout_s: float) -> list[tuple[Hashable, Finished]]:
        """Parts that have ended since the last call; none after the time is up."""

    def has_workers(self) -> bool:
        """Whether anyone is there to work on them."""


def run_part(inputs: SimulationInput, task: Task) -> tuple[list[Block], float]:
    """A part on a worker, and its seconds."""
    began = time.perf_counter()
    return list(replace(task, inputs=inputs).run()), time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class _Sent:
    index: int
    numbers: tuple[int, ...]
    at_s: float

    @property
    def part(self) -> tuple[int, int]:
        return self.index, self.numbers[0]


@dataclass(slots=True)
class Dispatch:
    """Sends tasks to a pool; *limit_s* is how long a pool may have no workers, and the least age of a slow part."""

    tasks: Sequence[Task]
    pool: Pool
    limit_s: float
    clock: Callable[[], float] = time.monotonic
    _parts: Parts = field(init=False)
    _out: dict[Hashable, _Sent] = field(init=False, default_factory=dict)
    _copies: dict[tuple[int, int], int] = field(init=False, default_factory=dict)  # of each part without an answer
    _again: set[tuple[int, int]] = field(init=False, default_factory=set)  # parts sent twice

    def __post_init__(self) -> None:
        self._parts = Parts(self.tasks)

    def run(self, finished: Taken) -> None:
        """Simulate every replication; *finished* gets them in blocks, with their task's index, as they come.

        Raises MachineError where no worker is left, and what a replication raised.
        """
        seen_s = self.clock()
        while self._parts.left or self._copies:
            self._send()
            for handle, answer in self.pool.wait(min(1.0, self.limit_s / 4)):
                self._take(handle, answer, finished)
            if self.pool.has_workers():
                seen_s = self.clock()
            elif self.clock() - seen_s > self.limit_s:
                raise MachineError(f"no worker for {self.limit_s:g} s")

    def _take(self, handle: Hashable, answer: Finished, finished: Taken) -> None:
        sent = self._out.pop(handle)
        if sent.part not in self._copies:
            return  # it was sent twice, and the other one has answered
        if answer.failure is not None:
            self._copies[sent.part] -= 1
            if not self._copies[sent.part]:
                raise answer.failure
            return  # the other one may yet
        del self._copies[sent.part]
        self._parts.learn(sent.index, len(sent.numbers), answer.seconds)
        for block in answer.blocks:
            finished(sent.index, block)

    def _send(self) -> None:
        """Fill the slots, and what waits behind them."""
        slots = max(1, self.pool.slots)
        while len(self._out) < SENT_AHEAD * slots and (part := self._parts.next(slots)) is not None:
            self._submit(*part)
        if not self._parts.left and len(self._out) < slots:
            self._send_slow_ones_again()

    def _send_slow_ones_again(self) -> None:
        """With nothing else to do: parts that a hung or very slow worker may never finish."""
        now_s = self.clock()
        for sent in list(self._out.values()):
            each_s = self._parts.seconds(sent.index)
            if each_s is None or sent.part not in self._copies or sent.part in self._again:
                continue
            expected_s = len(sent.numbers) * each_s
            if now_s - sent.at_s > max(self.limit_s, SLOW * expected_s):
                shown = f"replications {sent.numbers[0]} to {sent.numbers[-1]}"
                warnings.warn(
                    f"a worker has had {shown} for {now_s - sent.at_s:.0f} s, and they should take {expected_s:.0f} s: they are "
                    "sent to another one; the first answer counts",
                    VmfleetWarning,
                    stacklevel=2,
                )
                self._again.add(sent.part)
                self._submit(sent.index, self.tasks[sent.index].part(sent.numbers))

    def _submit(self, index: int, part: Task) -> None:
        sent = _Sent(index, part.numbers, self.clock())
        self._copies[sent.part] = self._copies.get(sent.part, 0) + 1
        self._out[self.pool.submit(part)] = sent
