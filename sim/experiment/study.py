"""A scenario, replicated: as often as was asked for, or until its headline figures are known well enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sim.errors import InputError
from sim.experiment.replicate import Replication, question_of
from sim.experiment.run_result import RunResult
from sim.experiment.stopping import CAP, FIRST_ROUND, ROUND, stopping_after
from sim.experiment.workers import play

if TYPE_CHECKING:
    from sim.experiment.scenario import Scenario

ENGINES = ("auto", "simpy", "compiled")

Progress = Callable[[int, int], None]  # (replications done, replications in all as far as known)


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
    progress: Progress | None = None,
) -> RunResult:
    """Replicate a scenario and read its figures.

    *replications* and *seed* default to the scenario's own. With *precision* (0.01 = 1 %) rounds of replications are
    added until the half-width of every headline metric is within that share of it, or a cap is met; *replications* is
    then the cap. *jobs* processes share the work (-1: every core); the figures don't depend on it. *events* keeps every
    move for `events.parquet`. Raises InputError for wrong arguments.
    """
    asked = loaded(scenario)
    seed = asked.seed if seed is None else seed
    count = _checked(asked, replications, seed, engine, precision)
    tell = progress or _nobody_listens
    began = time.perf_counter()
    question = question_of(asked)
    scratch = TemporaryDirectory(prefix="vmfleet-events-") if events else None
    events_folder = Path(scratch.name) if scratch is not None else None
    played: list[Replication] = []

    def play_until(upto: int, expected: int) -> None:
        done = len(played)

        def finished(replication: Replication) -> None:
            tell(replication.number + 1, expected)

        played.extend(
            play(
                question,
                seed,
                range(done, upto),
                engine=engine,
                jobs=jobs,
                events_folder=events_folder,
                finished=finished,
            )
        )

    def result() -> RunResult:
        return RunResult(
            scenario=asked,
            seed=seed,
            replications=tuple(played),
            engine_asked=engine,
            has_events=events,
            scratch=scratch,
            wall_s=time.perf_counter() - began,
        )

    tell(0, count)
    if precision is None:
        play_until(count, count)
        return result()
    cap = CAP if replications is None else replications
    play_until(min(FIRST_ROUND, cap), cap)
    while True:
        stopping = stopping_after(result(), precision, headlines, cap)
        if stopping is not None:
            return RunResult(**{**vars(result()), "stopping": stopping})
        play_until(min(len(played) + ROUND, cap), cap)


def _nobody_listens(_done: int, _total: int) -> None:
    """Progress where nobody asked for it."""


def loaded(scenario: Scenario | str | Path) -> Scenario:
    """A scenario, or the one a path names."""
    if isinstance(scenario, str | Path):
        from sim.experiment.scenario import load

        return load(scenario)
    return scenario


def _checked(
    scenario: Scenario, replications: int | None, seed: int, engine: str, precision: float | None
) -> int:
    count = scenario.replications if replications is None else replications
    if count < 1:
        raise InputError(f"replications is {count}; at least 1 is needed, and 2 for an interval")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed}; it is a whole number from 0 to 2**63 - 1")
    if engine not in ENGINES:
        raise InputError(f"engine is {engine!r}; it is one of {', '.join(ENGINES)}")
    if precision is not None and not 0.0 < precision < 1.0:
        raise InputError(f"precision is {precision}; it is a share above 0 and below 1, such as 0.01 for 1 %")
    return count
