"""Executors of replications: this process, or worker processes side by side. The figures are the same bits.

Each replication is a pure function of its number, so how the numbers are shared out changes nothing but the time.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from sim.engines.engine_selection import feature_for_simpy
from sim.errors import InputError, MachineError
from sim.fields import plugins
from sim.runs.blocks import MOST_IN_A_BLOCK, Block, in_blocks
from sim.runs.estimate import EACH_S, seconds_in_kernel
from sim.runs.orphans import end_with
from sim.runs.replication import Replication, replicate
from sim.runs.simulation_input import SimulationInput

PART_S = 1.0  # of work in a part
SENT_AHEAD = 2  # parts for each slot: the one it works on, and the next
WORTH_PROCESSES_S = 5.0  # of work; they take a second or two to start
TRIES = 3  # of a chunk whose worker was killed (by the machine running out of memory, say)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Replications of one scenario to simulate, as they are sent to a worker."""

    inputs: SimulationInput
    seed: int
    numbers: tuple[int, ...]
    engine: str
    engine_why: str = ""
    events_folder: Path | None = None
    threads: int = 1  # of each replication
    plugins: tuple[str, ...] = field(default_factory=plugins.modules)  # to be imported where it is simulated

    def part(self, numbers: tuple[int, ...]) -> Task:
        """The same inputs, other numbers."""
        return replace(self, numbers=numbers)

    @property
    def without_inputs(self) -> Task:
        """What a worker needs that has the inputs."""
        return replace(self, inputs=None)  # type: ignore[arg-type]

    @property
    def is_compiled(self) -> bool:
        """Whether no group is simulated in SimPy."""
        return self.engine == "compiled" and not feature_for_simpy(self.inputs.plan)

    def run(self, part_s: float = math.inf) -> Iterator[Block]:
        """Simulate them here, and pack what so many seconds have made; also what was made before an interruption."""
        if self.plugins != plugins.modules():
            plugins.import_again(self.plugins)
        held: list[tuple[Replication, Path | None]] = []
        since = time.perf_counter()
        try:
            for number in self.numbers:
                held.append(self._simulated(number))
                if time.perf_counter() - since >= part_s or len(held) == MOST_IN_A_BLOCK:
                    now, held = held, []
                    yield from in_blocks(now)
                    since = time.perf_counter()
        finally:
            yield from in_blocks(held)

    def _simulated(self, number: int) -> tuple[Replication, Path | None]:
        events = self.events_folder and self.events_folder / f"events-{number:06d}.parquet"
        found = replicate(self.inputs, self.seed, number, engine=self.engine, threads=self.threads, events=events)
        return replace(found, engine_why=self.engine_why), events


@dataclass(slots=True)
class Parts:
    """Cuts tasks into parts by time: a second or so of work each, and smaller towards the end (guided self-scheduling)."""

    tasks: Sequence[Task]
    _left: list[deque[int]] = field(init=False)
    _seconds: list[float | None] = field(init=False)  # that a replication of each task takes

    def __post_init__(self) -> None:
        self._left = [deque(task.numbers) for task in self.tasks]
        self._seconds = [None for _ in self.tasks]

    @property
    def left(self) -> int:
        """Replications that are in no part yet."""
        return sum(map(len, self._left))

    def next(self, slots: int) -> tuple[int, Task] | None:
        """A part for one of so many slots, with its task's index; None: all are out."""
        for index, left in enumerate(self._left):
            if left:
                fair = -(-self.left // (SENT_AHEAD * slots))  # of what is left: all slots end at about the same time
                each_s = self._seconds[index]
                wanted = 1 if each_s is None else round(PART_S / max(each_s, PART_S / MOST_IN_A_BLOCK))
                size = max(1, min(wanted, fair, len(left)))
                return index, self.tasks[index].part(tuple(left.popleft() for _ in range(size)))
        return None

    def learn(self, index: int, count: int, seconds: float) -> None:
        """So many replications of a task took so long."""
        before, each_s = self._seconds[index], seconds / count
        self._seconds[index] = each_s if before is None else (before + each_s) / 2

    def seconds(self, index: int) -> float | None:
        """What a replication of a task takes; None: no one knows yet."""
        return self._seconds[index]


Taken = Callable[[int, Block], None]
"""Gets finished replications, with the index of their task."""


class Executor(Protocol):
    """Runs tasks: processes here, or a cluster."""

    @property
    def processes(self) -> int:
        """How many replications run at a time."""

    def threads(self, replications: int) -> int:
        """Threads for each of so many replications, where no number was asked for."""

    def run(self, tasks: Sequence[Task], finished: Taken) -> None:
        """Simulate every replication of every task; *finished* gets them in blocks, in any order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Processes on this machine: 1 means this process itself, -1 one for every core."""

    jobs: int = 1

    def __post_init__(self) -> None:
        if self.jobs < 1 and self.jobs != -1:
            raise InputError(f"jobs is {self.jobs}; it is a number of processes from 1 up, or -1 for every core")

    @property
    def processes(self) -> int:
        """How many processes that is here."""
        return self.jobs if self.jobs > 0 else available_cores()

    def threads(self, replications: int) -> int:
        """The cores that replications side by side leave to each."""
        return max(1, available_cores() // min(self.processes, replications))

    def run(self, tasks: Sequence[Task], finished: Taken) -> None:
        """Simulate every replication of every task; *finished* gets them in blocks, in any order."""
        if self.processes == 1 or sum(len(task.numbers) for task in tasks) == 1:
            for index, task in enumerate(tasks):
                for block in task.run(PART_S):
                    finished(index, block)
            return
        left = [set(task.numbers) for task in tasks]
        for attempt in range(1, TRIES + 1):
            try:
                parts = [task.part(tuple(sorted(own))) for task, own in zip(tasks, left, strict=True)]
                for index, block in self._side_by_side(parts):
                    left[index].difference_update(block.numbers.tolist())
                    finished(index, block)
                return
            except BrokenProcessPool:
                if attempt == TRIES:
                    raise MachineError(
                        f"worker processes were killed {TRIES} times while {sum(map(len, left))} replications were left; "
                        "the machine may be short of memory: try fewer --jobs"
                    ) from None

    def _side_by_side(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Block]]:
        from joblib import Parallel, delayed  # start-up: takes as long to load as numpy

        parts, count = Parts(tasks), sum(len(task.numbers) for task in tasks)
        backend = backend_for(tasks)
        options: dict[str, Any] = {"initializer": end_with, "initargs": (os.getpid(),)} if backend == "loky" else {}
        slots = max(1, min(self.processes, count))
        parallel = Parallel(
            n_jobs=slots, backend=backend, return_as="generator_unordered", batch_size=1, pre_dispatch=SENT_AHEAD * slots,
            **options,
        )  # fmt: skip
        for index, blocks, seconds in parallel(
            delayed(_timed)(*part) for part in iter(lambda: parts.next(slots), None)
        ):
            parts.learn(index, sum(len(block.numbers) for block in blocks), seconds)
            for block in blocks:
                yield index, block


def backend_for(tasks: Sequence[Task]) -> str:
    """Threads where most is compiled code, which releases the interpreter lock: no process to start, nothing to pickle.

    Processes for what SimPy simulates, and for so many small replications that what Python does for each takes longer.
    """
    if not all(task.is_compiled for task in tasks):
        return "loky"
    python_s = sum(len(task.numbers) for task in tasks) * EACH_S
    compiled_s = sum(len(task.numbers) * seconds_in_kernel(task.inputs.plan) for task in tasks)
    return "loky" if python_s > max(WORTH_PROCESSES_S, compiled_s) else "threading"


def _timed(index: int, part: Task) -> tuple[int, list[Block], float]:
    began = time.perf_counter()
    return index, list(part.run()), time.perf_counter() - began


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
