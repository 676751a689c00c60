"""Plays one scenario's replications as they are asked for, each at most once, and remembers them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sim.errors import InputError
from sim.experiment.replicate import Replication, question_of
from sim.experiment.run_result import RunResult, Stopping
from sim.experiment.workers import Workers

if TYPE_CHECKING:
    from sim.experiment.cache import RunCache
    from sim.experiment.scenario import Scenario

ENGINES = ("auto", "simpy", "compiled")

Progress = Callable[[int, int], None]
"""Hears (replications done, replications in all as far as known)."""


class Player:
    """One scenario under one seed: replications 0, 1, 2 ... as many as anybody asked for.

    *workers* share the work; what *cache* holds is read instead of played.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int,
        engine: str = "auto",
        events: bool = False,
        workers: Workers | None = None,
        cache: RunCache | None = None,
    ) -> None:
        if not 0 <= seed < 2**63:
            raise InputError(f"seed is {seed}; it is a whole number from 0 to 2**63 - 1")
        if engine not in ENGINES:
            raise InputError(f"engine is {engine!r}; it is one of {', '.join(ENGINES)}")
        self.scenario = scenario
        self.seed = seed
        self.engine = engine
        self.events = events
        self.replications: list[Replication] = []
        self._workers = workers or Workers()
        self._question = question_of(scenario)
        self._shelf = (
            cache.shelf(self._question, seed, engine=engine, events=events) if cache is not None else None
        )
        self._choice: tuple[str, str] | None = None  # engine that plays, and why
        self._scratch: TemporaryDirectory[str] | None = None
        self._played_s = 0.0

    def play_until(self, count: int, tell: Callable[[int], None] = lambda _: None) -> None:
        """Have at least the first *count* replications; *tell* hears how many there are as they come in."""
        began = time.perf_counter()
        wanted = range(len(self.replications), count)
        have: dict[int, Replication] = {}
        if self._shelf is not None:
            for number in wanted:
                kept = self._shelf.get(number)
                if kept is not None:
                    have[number] = kept
        tell(len(self.replications) + len(have))

        def finished(replication: Replication) -> None:
            have[replication.number] = (
                self._shelf.put(replication) if self._shelf is not None else replication
            )
            tell(len(self.replications) + len(have))

        missing = [number for number in wanted if number not in have]
        if missing:
            engine, why = self._chosen(next(iter(have.values()), None), count)

            def played(replication: Replication) -> None:
                finished(replace(replication, engine_why=why))

            events_folder = self._events_folder() if self.events else None
            self._workers.play(self._question, self.seed, missing, engine, events_folder, played)
        self.replications.extend(have[number] for number in wanted)
        self._played_s += time.perf_counter() - began

    def result(self, stopping: Stopping | None = None) -> RunResult:
        """What the replications so far say."""
        return RunResult(
            scenario=self.scenario,
            seed=self.seed,
            replications=tuple(self.replications),
            engine_asked=self.engine,
            stopping=stopping,
            has_events=self.events,
            scratch=self._scratch,
            wall_s=self._played_s,
        )

    def _chosen(self, kept: Replication | None, count: int) -> tuple[str, str]:
        """One engine for the whole run, also for one that goes on from kept replications: it is told in the summary."""
        if self._choice is None:
            if self.engine != "auto":
                self._choice = (self.engine, "asked for")
            elif kept is not None:
                self._choice = (kept.engine, kept.engine_why)
            else:
                from sim.cloud.fleet import choose

                choice = choose(self._question.plan, replications=count)
                self._choice = (choice.engine, choice.why)
        return self._choice

    def _events_folder(self) -> Path:
        if self._shelf is not None:
            self._shelf.folder.mkdir(parents=True, exist_ok=True)
            return self._shelf.folder
        if self._scratch is None:
            self._scratch = TemporaryDirectory(prefix="vmfleet-events-")
        return Path(self._scratch.name)


def replications_asked(scenario: Scenario, replications: int | None) -> int:
    """How many replications to play: those asked for, or the scenario's own. Raises InputError below 1."""
    count = scenario.replications if replications is None else replications
    if count < 1:
        raise InputError(f"replications is {count}; at least 1 is needed, and 2 for an interval")
    return count
