"""Who plays the replications: this process, or worker processes side by side. The figures are the same bits.

Each replication is a pure function of its number, so how the numbers are shared out shows in nothing but the time;
what comes back is in the order that was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from sim.errors import InputError, VmfleetError
from sim.experiment.replicate import Question, Replication, replicate_many

CHUNK = 5  # replications sent to a worker at a time, at most: a round of 10 still keeps two workers busy
TRIES = 3  # of a chunk whose worker was killed (by the machine running out of memory, say)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """So many processes on this machine; 1 means this process itself, -1 every core."""

    jobs: int = 1

    def __post_init__(self) -> None:
        if self.jobs < 1 and self.jobs != -1:
            raise InputError(
                f"jobs is {self.jobs}; it is a number of processes from 1 up, or -1 for every core"
            )

    @property
    def processes(self) -> int:
        """How many processes that is here."""
        return self.jobs if self.jobs > 0 else available_cores()

    def play(
        self,
        question: Question,
        seed: int,
        numbers: Sequence[int],
        engine: str,
        events_folder: Path | None,
        finished: Callable[[Replication], None],
    ) -> None:
        """Play the replications *numbers*; *finished* gets each as it comes in, in that order."""
        if self.processes == 1 or len(numbers) == 1:
            for number in numbers:
                for replication in replicate_many(question, seed, (number,), engine, events_folder):
                    finished(replication)
            return
        left = list(numbers)
        for attempt in range(1, TRIES + 1):
            try:
                for replication in self._side_by_side(question, seed, left, engine, events_folder):
                    finished(replication)
                    left.remove(replication.number)
                return
            except BrokenProcessPool:
                if attempt == TRIES:
                    raise VmfleetError(
                        f"worker processes were killed {TRIES} times while playing replications {left[0]} and on; "
                        "the machine may be short of memory: try fewer --jobs"
                    ) from None

    def _side_by_side(
        self, question: Question, seed: int, numbers: Sequence[int], engine: str, events_folder: Path | None
    ) -> Iterator[Replication]:
        from joblib import Parallel, delayed

        size = min(CHUNK, -(-len(numbers) // self.processes))
        chunks = [tuple(numbers[i : i + size]) for i in range(0, len(numbers), size)]
        parallel = Parallel(n_jobs=self.processes, backend="loky", return_as="generator", batch_size=1)
        for chunk in parallel(
            delayed(replicate_many)(question, seed, c, engine, events_folder) for c in chunks
        ):
            yield from chunk


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
