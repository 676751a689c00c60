"""Sends the parts of a run to the slots of a cluster as results come back: no round waits for its slowest part.

Parts are cut by time: a second or so of work each, however long a replication takes, and smaller towards the end (guided
self-scheduling: Polychronopoulos and Kuck (1987), IEEE Trans. Computers C-36). Each slot has one part waiting behind the one it
works on. A part that is out far longer than others is sent once more, and the first answer counts: replications are pure
functions of their numbers.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sim.errors import MachineError, VmfleetWarning
from sim.runs.executors import Task
from sim.runs.replication import Replication
from sim.runs.simulation_input import SimulationInput

PART_S = 1.0  # of work in a part
MOST_IN_A_PART = 500  # replications
SENT_AHEAD = 2  # parts for each slot: the one it works on, and the next
SLOW = 10.0  # times as long as its work should take, and a part is sent once more


@dataclass(frozen=True, slots=True)
class Finished:
    """What came of a part: its replications, and how long they took; or what went wrong."""

    replications: Sequence[Replication] = ()
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


def run_part(
    inputs: SimulationInput, seed: int, numbers: tuple[int, ...], engine: str, threads: int, plugins: tuple[str, ...]
) -> tuple[list[Replication], float]:
    """A part on a worker, and its seconds."""
    began = time.perf_counter()
    task = Task(inputs=inputs, seed=seed, numbers=numbers, engine=engine, threads=threads, plugins=plugins)
    return task.run(), time.perf_counter() - began


@dataclass(slots=True)
class _Work:
    """A task, and what is left of it."""

    left: deque[int]
    seconds: float | None = None  # that a replication takes


@dataclass(frozen=True, slots=True)
class _Sent:
    index: int
    numbers: tuple[int, ...]
    at_s: float


@dataclass(slots=True)
class Dispatch:
    """Sends tasks to a pool; *limit_s* is how long a pool may have no workers, and the least age of a slow part."""

    tasks: Sequence[Task]
    pool: Pool
    limit_s: float
    clock: Callable[[], float] = time.monotonic
    _works: list[_Work] = field(init=False)
    _out: dict[Hashable, _Sent] = field(init=False, default_factory=dict)
    _missing: set[tuple[int, int]] = field(init=False)  # (task, number) without an answer
    _again: set[tuple[int, int]] = field(init=False, default_factory=set)  # sent twice

    def __post_init__(self) -> None:
        self._works = [_Work(left=deque(task.numbers)) for task in self.tasks]
        self._missing = {(index, number) for index, task in enumerate(self.tasks) for number in task.numbers}

    def run(self, finished: Callable[[int, Replication], None]) -> None:
        """Simulate every replication; *finished* gets each with its task's index as it comes.

        Raises MachineError where no worker is left, and what a replication raised.
        """
        seen_s = self.clock()
        while self._missing:
            self._send()
            for handle, answer in self.pool.wait(min(1.0, self.limit_s / 4)):
                self._take(handle, answer, finished)
            if self.pool.has_workers():
                seen_s = self.clock()
            elif self.clock() - seen_s > self.limit_s:
                raise MachineError(f"no worker for {self.limit_s:g} s")

    def _take(self, handle: Hashable, answer: Finished, finished: Callable[[int, Replication], None]) -> None:
        sent = self._out.pop(handle)
        if answer.failure is not None:
            elsewhere = {(other.index, number) for other in self._out.values() for number in other.numbers}
            if self._missing.intersection((sent.index, number) for number in sent.numbers) - elsewhere:
                raise answer.failure
            return  # it was sent twice, and the other one has answered, or may yet
        work, each_s = self._works[sent.index], answer.seconds / len(sent.numbers)
        work.seconds = each_s if work.seconds is None else (work.seconds + each_s) / 2
        for replication in answer.replications:
            if (sent.index, replication.number) in self._missing:
                self._missing.remove((sent.index, replication.number))
                finished(sent.index, replication)

    def _send(self) -> None:
        """Fill the slots, and what waits behind them."""
        slots = max(1, self.pool.slots)
        left = sum(len(work.left) for work in self._works)
        for index, work in enumerate(self._works):
            while work.left and len(self._out) < SENT_AHEAD * slots:
                fair = -(-left // (SENT_AHEAD * slots))  # of what is left: all slots end at about the same time
                wanted = 1 if work.seconds is None else round(PART_S / max(work.seconds, PART_S / MOST_IN_A_PART))
                size = max(1, min(wanted, fair, len(work.left)))
                left -= size
                self._submit(index, tuple(work.left.popleft() for _ in range(size)))
        if not left and len(self._out) < slots:
            self._send_slow_ones_again()

    def _send_slow_ones_again(self) -> None:
        """With nothing else to do: parts that a hung or very slow worker may never finish."""
        now_s = self.clock()
        for sent in list(self._out.values()):
            each_s = self._works[sent.index].seconds
            if each_s is None:
                continue  # no one knows how long they take
            expected_s = len(sent.numbers) * each_s
            keys = {(sent.index, number) for number in sent.numbers}
            if now_s - sent.at_s > max(self.limit_s, SLOW * expected_s) and keys <= self._missing - self._again:
                shown = f"replications {sent.numbers[0]} to {sent.numbers[-1]}"
                warnings.warn(
                    f"a worker has had {shown} for {now_s - sent.at_s:.0f} s, and they should take {expected_s:.0f} s: they are "
                    "sent to another one; the first answer counts",
                    VmfleetWarning,
                    stacklevel=2,
                )
                self._again |= keys
                self._submit(sent.index, sent.numbers)

    def _submit(self, index: int, numbers: tuple[int, ...]) -> None:
        self._out[self.pool.submit(self.tasks[index].part(numbers))] = _Sent(index, numbers, self.clock())
