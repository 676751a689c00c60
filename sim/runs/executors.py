"""Executors of replications: this process, or worker processes side by side. The figures are the same bits.

Each replication is a pure function of its number, so how the numbers are shared out changes nothing but the time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from sim.engines.engine_selection import feature_for_simpy
from sim.errors import InputError, MachineError
from sim.fields import plugins
from sim.runs.orphans import end_with
from sim.runs.replication import Replication, replicate
from sim.runs.simulation_input import SimulationInput

CHUNK = 5  # replications sent to a worker at a time, at most: a round of 10 still keeps two workers busy
TRIES = 3  # of a chunk whose worker was killed (by the machine running out of memory, say)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Replications of one scenario to simulate, as they are sent to a worker."""

    inputs: SimulationInput
    seed: int
    numbers: tuple[int, ...]
    engine: str
    events_folder: Path | None = None
    threads: int = 1  # of each replication
    plugins: tuple[str, ...] = field(default_factory=plugins.modules)  # to be imported where it is simulated

    def part(self, numbers: tuple[int, ...]) -> Task:
        """The same inputs, other numbers."""
        return replace(self, numbers=numbers)

    @property
    def without_inputs(self) -> tuple[int, tuple[int, ...], str, int, tuple[str, ...]]:
        """What a worker that has the inputs needs: seed, numbers, engine, threads, plug-ins."""
        return self.seed, self.numbers, self.engine, self.threads, self.plugins

    @property
    def is_compiled(self) -> bool:
        """Whether no group is simulated in SimPy."""
        return self.engine == "compiled" and not feature_for_simpy(self.inputs.plan)

    def run(self) -> list[Replication]:
        """Simulate them here."""
        if self.plugins != plugins.modules():
            plugins.import_again(self.plugins)
        folder = self.events_folder
        return [
            replicate(
                self.inputs, self.seed, number, engine=self.engine, threads=self.threads,
                events=folder / f"events-{number:06d}.parquet" if folder is not None else None,
            )
            for number in self.numbers
        ]  # fmt: skip


class Executor(Protocol):
    """Runs tasks: processes here, or a cluster."""

    @property
    def processes(self) -> int:
        """How many replications run at a time."""

    def threads(self, replications: int) -> int:
        """Threads for each of so many replications, where no number was asked for."""

    def run(self, tasks: Sequence[Task], finished: Callable[[int, Replication], None]) -> None:
        """Simulate every replication of every task; *finished* gets each with its task's index, in any order."""


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

    def run(self, tasks: Sequence[Task], finished: Callable[[int, Replication], None]) -> None:
        """Simulate every replication of every task; *finished* gets each with its task's index, in order."""
        left = [(index, number) for index, task in enumerate(tasks) for number in task.numbers]
        if self.processes == 1 or len(left) == 1:
            for index, number in left:
                for replication in tasks[index].part((number,)).run():
                    finished(index, replication)
            return
        for attempt in range(1, TRIES + 1):
            try:
                for index, replication in self._side_by_side(tasks, left):
                    finished(index, replication)
                    left.remove((index, replication.number))
                return
            except BrokenProcessPool:
                if attempt == TRIES:
                    raise MachineError(
                        f"worker processes were killed {TRIES} times while {len(left)} replications were left; "
                        "the machine may be short of memory: try fewer --jobs"
                    ) from None

    def _side_by_side(
        self, tasks: Sequence[Task], left: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, Replication]]:
        from joblib import Parallel, delayed  # start-up: takes as long to load as numpy

        parts = chunks(left, size=min(CHUNK, -(-len(left) // self.processes)))
        # Compiled code releases the interpreter lock, so threads do: no process to start, nothing to pickle.
        backend = "threading" if all(task.is_compiled for task in tasks) else "loky"
        options: dict[str, Any] = {"initializer": end_with, "initargs": (os.getpid(),)} if backend == "loky" else {}
        parallel = Parallel(
            n_jobs=min(self.processes, len(parts)), backend=backend, return_as="generator", batch_size=1, **options
        )
        done = parallel(delayed(Task.run)(tasks[index].part(numbers)) for index, numbers in parts)
        for (index, _), replications in zip(parts, done, strict=True):
            for replication in replications:
                yield index, replication


def chunks(left: Sequence[tuple[int, int]], size: int) -> list[tuple[int, tuple[int, ...]]]:
    """Replications to simulate, (task, number), in parts of at most *size* of one task each.

    >>> chunks([(0, 7), (0, 8), (0, 9), (1, 0)], size=2)
    [(0, (7, 8)), (0, (9,)), (1, (0,))]
    """
    parts: list[tuple[int, tuple[int, ...]]] = []
    for index, number in left:
        if parts and parts[-1][0] == index and len(parts[-1][1]) < size:
            parts[-1] = (index, (*parts[-1][1], number))
        else:
            parts.append((index, (number,)))
    return parts


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
