"""A cluster's slots and its master, measured: `python -m tests.benchmarks.clusters`; the numbers stand in docs/shards.md.

Slots: local dask workers with replications that wait for a known time, which measures how the work is handed out also where there are
fewer cores than workers; and with real ones, for as many workers as there are cores. Master: what it does itself with a replication.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import sim
from sim.runs.blocks import MOST_IN_A_BLOCK, Block, pack
from sim.runs.cluster import Cluster
from sim.runs.executors import Parts, Task
from sim.runs.options import RunOptions
from sim.runs.replication import Replication
from sim.runs.replication_runner import ReplicationRunner

WAIT_S = 0.25
EACH = 80  # waits for each worker ...
REAL = 100  # ... and replications
OFFICE = {
    "name": "office", "horizon": "28d", "seed": 1,
    "group": [{"name": "web", "count": 100, "disks": ["P10"], "schedule": {"days": "mon-fri", "on": "08:00:00", "off": "19:00:00"}}],
}  # fmt: skip
MASTER = 100_000


class Waiting(Task):
    """Replications that take a known time, and no processor."""

    def run(self, part_s: float = 0.0) -> Iterator[Block]:
        time.sleep(WAIT_S * len(self.numbers))
        yield pack(made(range(self.numbers[0], self.numbers[-1] + 1)))


@cache
def some() -> Sequence[Replication]:
    """Days of the office."""
    return tuple(sim.run(sim.from_dict({**OFFICE, "horizon": "1d"}), replications=100, engine="simpy").replications)


def made(numbers: range) -> list[Replication]:
    """They under many numbers."""
    return [replace(some()[number % len(some())], number=number) for number in numbers]


@contextmanager
def local_dask(workers: int) -> Iterator[Cluster]:
    """So many worker processes of one thread each, which wait for nothing else."""
    from distributed import LocalCluster

    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parents[2]))
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50) as there,
        Cluster(there.scheduler_address.replace("tcp", "dask")) as joined,
    ):
        yield joined


def waits(workers: int) -> float:
    """How busy so many workers are: time waited for over time there was."""
    task = Waiting(inputs=None, seed=1, numbers=tuple(range(EACH * workers)), engine="simpy")  # type: ignore[arg-type]
    with local_dask(workers) as cluster:
        warm = Waiting(inputs=None, seed=1, numbers=tuple(range(workers)), engine="simpy")  # type: ignore[arg-type]
        cluster.run([warm], lambda _index, _block: None)  # every worker has loaded what it needs
        began = time.perf_counter()
        cluster.run([task], lambda _index, _block: None)
        return EACH * WAIT_S / (time.perf_counter() - began)


def real(workers: int) -> tuple[float, float]:
    """The same of real replications, a month of 100 VMs each; and replications a second.

    How busy workers are depends little on what else the machine does; how much they get done, on nothing else.
    """
    seconds: list[float] = []
    learn = Parts.learn

    def heard(parts: Parts, index: int, count: int, took_s: float) -> None:
        seconds.append(took_s)
        learn(parts, index, count, took_s)

    count = REAL * workers
    with local_dask(workers) as cluster, patch.object(Parts, "learn", heard):
        sim.run(sim.from_dict(OFFICE), replications=2 * workers, engine="simpy", workers=cluster)
        seconds.clear()
        began = time.perf_counter()
        sim.run(sim.from_dict(OFFICE), replications=count, engine="simpy", workers=cluster)
        took_s = time.perf_counter() - began
    return sum(seconds) / (workers * took_s), count / took_s


def master(count: int = MASTER) -> tuple[float, float, float, int, int]:
    """Milliseconds of processor time for each replication to keep it, to estimate every figure, and to write the result with them.

    And files that keep them, and their bytes.
    """
    step = MOST_IN_A_BLOCK
    with TemporaryDirectory() as place:
        runner = ReplicationRunner(
            sim.from_dict({**OFFICE, "horizon": "1d"}), RunOptions(seed=1, cache=sim.RunCache(Path(place)))
        )
        runner.look_up(count)
        keep_s = 0.0
        for first in range(0, count, step):
            block = pack(made(range(first, first + step)))
            began = time.process_time()
            runner.take(block)
            keep_s += time.process_time() - began
        began = time.process_time()
        runner.result().summary()
        summary_s = time.process_time() - began
        began = time.process_time()
        with TemporaryDirectory() as beside:
            runner.result().write(Path(beside) / "result")
        write_s = time.process_time() - began
        files = [path for path in Path(place).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        return 1e3 * keep_s / count, 1e3 * summary_s / count, 1e3 * write_s / count, len(files), size


if __name__ == "__main__":
    keep_ms, summary_ms, write_ms, files, size = master()
    print(
        f"| {MASTER:,} replications | {keep_ms:.3f} ms to keep | {summary_ms:.3f} ms to estimate | {write_ms:.3f} ms to estimate and write | "
        f"{files} files, {size / 2**20:,.0f} MB |"
    )
    for workers in (1, 2, 4):
        print(f"| {workers} workers, {EACH * workers} waits of {WAIT_S} s | {100 * waits(workers):.0f} % busy |")
    for workers in (1, 2):
        busy, rate = real(workers)
        print(
            f"| {workers} workers, {REAL * workers} months of 100 VMs | {100 * busy:.0f} % busy, {rate:.1f} replications a second |"
        )
