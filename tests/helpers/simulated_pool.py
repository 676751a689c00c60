"""A cluster with a clock of its own: slots that work through parts, without processes. Blocks are what `block` makes."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from sim.runs.dispatch import Finished
from sim.runs.executors import Task


@dataclass
class SimulatedPool:
    """Each part waits for a slot, and takes *seconds* (number of a replication, slot) for each of its replications."""

    slots: int
    seconds: Callable[[int, int], float]
    block: Callable[[tuple[int, ...]], Any]
    now_s: float = 0.0
    workers: bool = True
    busy_s: float = 0.0
    sent: list[tuple[int, ...]] = field(default_factory=list)
    ended: list[tuple[float, int, Task]] = field(default_factory=list)
    failure: Callable[[Task], BaseException | None] = lambda _task: None
    _waiting: deque[tuple[int, Task]] = field(default_factory=deque)
    _running: list[tuple[float, int, int, float, Task]] = field(default_factory=list)
    _free: list[int] = field(default_factory=list)
    _handles: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._free = list(range(self.slots))[::-1]

    def clock(self) -> float:
        """Now, in its own time."""
        return self.now_s

    def submit(self, task: Task) -> Hashable:
        """Queue a part."""
        handle = next(self._handles)
        self.sent.append(task.numbers)
        self._waiting.append((handle, task))
        self._start()
        return int(handle)

    def _start(self) -> None:
        while self._waiting and self._free:
            (handle, task), slot = self._waiting.popleft(), self._free.pop()
            took_s = sum(self.seconds(number, slot) for number in task.numbers)
            heapq.heappush(self._running, (self.now_s + took_s, handle, slot, took_s, task))

    def wait(self, timeout_s: float) -> list[tuple[Hashable, Finished]]:
        """Go on to the next end of a part, or for as long."""
        until_s = self.now_s + timeout_s
        if not self._running or self._running[0][0] > until_s:
            self.now_s = until_s
            return []
        self.now_s = max(self.now_s, self._running[0][0])
        answers: list[tuple[Hashable, Finished]] = []
        while self._running and self._running[0][0] <= self.now_s:
            _, handle, slot, took_s, task = heapq.heappop(self._running)
            self._free.append(slot)
            self.busy_s += took_s
            failure = self.failure(task)
            answers.append(
                (handle, Finished(failure=failure))
                if failure is not None
                else (handle, Finished([self.block(task.numbers)], took_s))
            )
        self._start()
        return answers

    def has_workers(self) -> bool:
        """Whether anyone is there."""
        return self.workers

    @property
    def busy_share(self) -> float:
        """Of its slots' time so far."""
        return self.busy_s / (self.slots * self.now_s)
