"""Who plays the replications: this process, or worker processes side by side. The figures are the same bits.

Each replication is a pure function of its number, so how the numbers are shared out shows in nothing but the time;
what comes back is in the order that was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sim.errors import InputError
from sim.experiment.replicate import Question, Replication, replicate_many

CHUNK = 5  # replications sent to a worker at a time, at most: a round of 10 still keeps two workers busy


def worker_count(jobs: int) -> int:
    """How many processes *jobs* asks for: itself, or every core for -1."""
    if jobs == -1:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if jobs < 1:
        raise InputError(f"jobs is {jobs}; it is a number of processes from 1 up, or -1 for every core")
    return jobs


def play(
    question: Question,
    seed: int,
    numbers: Sequence[int],
    *,
    engine: str = "auto",
    jobs: int = 1,
    events_folder: Path | None = None,
    finished: Callable[[Replication], None] = lambda _: None,
) -> list[Replication]:
    """Play the replications *numbers*, in that order; *finished* hears of each as it comes in."""
    played: list[Replication] = []
    for replication in _stream(question, seed, numbers, engine, worker_count(jobs), events_folder):
        played.append(replication)
        finished(replication)
    return played


def _stream(
    question: Question, seed: int, numbers: Sequence[int], engine: str, jobs: int, events_folder: Path | None
) -> Iterator[Replication]:
    if jobs == 1 or len(numbers) <= 1:
        for number in numbers:
            yield from replicate_many(question, seed, (number,), engine, events_folder)
        return
    from joblib import Parallel, delayed

    size = min(CHUNK, -(-len(numbers) // jobs))
    chunks = [tuple(numbers[i : i + size]) for i in range(0, len(numbers), size)]
    parallel = Parallel(n_jobs=jobs, backend="loky", return_as="generator", batch_size=1)
    for chunk in parallel(delayed(replicate_many)(question, seed, c, engine, events_folder) for c in chunks):
        yield from chunk
