"""A scenario, replicated: as often as was asked for, or until its headline figures are known well enough."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sim.runs.executors import Executor, Workers
from sim.runs.replication_runner import Progress, ReplicationRunner, no_progress, replications_asked
from sim.runs.run_result import RunResult
from sim.runs.stopping import CAP, FIRST_ROUND, ROUND, check_precision, expected_replications, stopping_after

if TYPE_CHECKING:
    from sim.runs.cache import RunCache
    from sim.runs.results import StoredResult
    from sim.scenario.scenario import Scenario


def run(
    scenario: Scenario | str | Path,
    *,
    replications: int | None = None,
    seed: int | None = None,
    jobs: int = 1,
    engine: str = "auto",
    precision: float | None = None,
    headlines: Sequence[str] | None = None,
    events: bool = False,
    budget_usd: float | None = None,
    progress: Progress | None = None,
    cache: RunCache | None = None,
    workers: Executor | None = None,
) -> RunResult:
    """Replicate a scenario and read its figures.

    *replications* and *seed* default to the scenario's own. With *precision* (0.01 = 1 %) rounds of replications are
    added until the half-width of every headline metric is within that share of it, or a cap is met; *replications* is
    then the cap. A `warm_up` of "auto" is found first, in a pilot. *jobs* processes share the work (-1: every core); the figures don't depend on it. *events* keeps every
    move for `events.parquet`. With *budget_usd* the summary tells how likely the bill exceeds it. What *cache* holds isn't
    played again; *workers* may be a cluster. Raises InputError for wrong arguments.
    """
    asked = loaded(scenario)
    count = replications_asked(asked, replications)
    check_precision(precision)
    seed = asked.seed if seed is None else seed
    executor, tell = workers or Workers(jobs=jobs), progress or no_progress
    if asked.warm_up == "auto":
        from sim.runs.warm_up import settled

        (asked,) = settled([asked], seed=seed, workers=executor, engine=engine, cache=cache, progress=tell)
    runner = ReplicationRunner(asked, seed=seed, engine=engine, events=events, workers=executor, cache=cache)
    if precision is None:
        runner.run_until(count, lambda done: tell(done, count))
        return runner.result(budget_usd=budget_usd)
    cap = CAP if replications is None else replications
    upto, expected = min(FIRST_ROUND, cap), cap
    while True:
        runner.run_until(upto, partial(_tell, tell, expected))
        stopping = stopping_after(runner.result(), precision, headlines, cap)
        if stopping is not None:
            return runner.result(stopping, budget_usd)
        expected = expected_replications(runner.result(), precision, headlines, cap)
        upto = min(upto + ROUND, cap)


def _tell(tell: Progress, total: int, done: int) -> None:
    tell(done, total)


def run_to_folder(
    scenario: Scenario | str | Path,
    folder: str | Path,
    *,
    replications: int | None = None,
    seed: int | None = None,
    jobs: int = 1,
    engine: str = "auto",
    precision: float | None = None,
    events: bool = False,
    budget_usd: float | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    workers: Executor | None = None,
) -> StoredResult:
    """Run a scenario and write its result folder; finished replications outlive an interruption.

    They are kept beside the folder until it is written. With *resume* they aren't played again, and the folder ends up
    with the bits of an undisturbed run. Raises ResultError before anything is played if the folder can't be written.
    """
    from sim.runs.atomic_write import check_folder, full_disk_explained, unfinished_folder
    from sim.runs.cache import RunCache
    from sim.runs.results import read, write

    check_folder(folder)
    cache = RunCache(unfinished_folder(folder))
    if not resume:
        cache.forget()
    with full_disk_explained(folder):
        result = run(
            scenario,
            replications=replications,
            seed=seed,
            jobs=jobs,
            engine=engine,
            precision=precision,
            events=events,
            budget_usd=budget_usd,
            progress=progress,
            cache=cache,
            workers=workers,
        )
    write(result, folder)
    cache.forget()
    return read(folder)


def loaded(scenario: Scenario | str | Path) -> Scenario:
    """A scenario, or the one a path names."""
    if isinstance(scenario, str | Path):
        from sim.scenario.scenario import load

        return load(scenario)
    return scenario
