"""Plays one scenario's replications as they are asked for, each at most once, and remembers them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sim.errors import InputError
from sim.runs.executors import Executor, Task, Workers
from sim.runs.replication import Replication, compile_scenario
from sim.runs.run_result import RunResult, Stopping

if TYPE_CHECKING:
    from sim.runs.cache import RunCache
    from sim.scenario.scenario import Scenario

ENGINES = ("auto", "simpy", "compiled")

Progress = Callable[[int, int], None]
"""Hears (replications done, replications in all as far as known)."""


class ReplicationRunner:
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
        workers: Executor | None = None,
        cache: RunCache | None = None,
    ) -> None:
        if not 0 <= seed < 2**63:
            raise InputError(f"seed is {seed}; it is a whole number from 0 to 2**63 - 1")
        if engine not in ENGINES:
            raise InputError(f"engine is {engine!r}; it is one of {', '.join(ENGINES)}")
        if scenario.warm_up == "auto":
            raise AssertionError("a warm-up is found before a scenario is played: `sim.runs.warm_up.settled`")
        self.scenario = scenario
        self.seed = seed
        self.engine = engine
        self.events = events
        self.replications: list[Replication] = []
        self.workers = workers or Workers()
        self._waiting: dict[int, Replication] = {}  # came in since the last round
        self._question = compile_scenario(scenario)
        self._cache = cache
        self._shelf = cache.entry(self._question, seed, engine=engine, events=events) if cache is not None else None
        self._choice: tuple[str, str] | None = None  # engine that plays, and why
        self._scratch: TemporaryDirectory[str] | None = None
        self._played_s = 0.0

    def run_until(self, count: int, tell: Callable[[int], None] = lambda _: None) -> None:
        """Have at least the first *count* replications; *tell* hears how many there are as they come in."""
        run_together([self], count, tell)

    def look_up(self, count: int, alike: int = 1) -> Task | None:
        """Take what is kept of the first *count* replications, and say what is left to play.

        So many questions *alike* are asked at once: what an engine takes to get ready is then well spent.
        """
        wanted = range(len(self.replications), count)
        if self._shelf is not None:
            kept = ((number, self._shelf.get(number)) for number in wanted)
            self._waiting = {number: replication for number, replication in kept if replication is not None}
            if self._cache is not None:
                self._cache.reused += len(self._waiting)
        missing = tuple(number for number in wanted if number not in self._waiting)
        if not missing:
            return None
        engine, _ = self._chosen(next(iter(self._waiting.values()), None), count * alike)
        events_folder = self._events_folder() if self.events else None
        return Task(
            question=self._question, seed=self.seed, numbers=missing, engine=engine, events_folder=events_folder
        )

    def take(self, replication: Replication) -> None:
        """Keep one replication that came in, in whatever order."""
        if self._choice is not None:
            replication = replace(replication, engine_why=self._choice[1])
        if self._shelf is not None:
            replication = self._shelf.put(replication)
        self._waiting[replication.number] = replication

    def settle(self, count: int, run_s: float) -> None:
        """Put what came in in order; the first *count* are there."""
        self.replications.extend(self._waiting[number] for number in range(len(self.replications), count))
        self._waiting = {}
        self._played_s += run_s

    @cached_property
    def digest(self) -> str:
        """What is asked, as a digest: the same for the same question, however it is written."""
        from sim.runs.provenance import input_digest

        return input_digest(self._question)

    @property
    def have(self) -> int:
        """Replications that are there, those that just came in included."""
        return len(self.replications) + len(self._waiting)

    def result(self, stopping: Stopping | None = None, budget_usd: float | None = None) -> RunResult:
        """What the replications so far say."""
        return RunResult(
            scenario=self.scenario,
            seed=self.seed,
            replications=tuple(self.replications),
            engine_asked=self.engine,
            stopping=stopping,
            budget_usd=budget_usd,
            has_events=self.events,
            scratch=self._scratch,
            wall_s=self._played_s,
        )

    def _chosen(self, kept: Replication | None, count: int) -> tuple[str, str]:
        """One engine for the whole run, also for one that goes on from kept replications: it is told in the summary."""
        if self._choice is None:
            if kept is not None:
                self._choice = (kept.engine, kept.engine_why)
            else:
                from sim.engines.engine_selection import choose_engine, engine_asked_for

                plan = self._question.plan
                by_name = self.engine != "auto"
                choice = engine_asked_for(self.engine, plan) if by_name else choose_engine(plan, replications=count)
                self._choice = (choice.engine, choice.why)
        return self._choice

    def _events_folder(self) -> Path:
        if self._shelf is not None:
            self._shelf.folder.mkdir(parents=True, exist_ok=True)
            return self._shelf.folder
        if self._scratch is None:
            self._scratch = TemporaryDirectory(prefix="vmfleet-events-")
        return Path(self._scratch.name)


def run_together(
    runners: Sequence[ReplicationRunner], count: int, tell: Callable[[int], None] = lambda _: None
) -> None:
    """Have the first *count* replications of every player, the work of all shared out at once.

    *tell* hears how many replications there are in all. A question that two players ask is played once.
    """
    began = time.perf_counter()
    tasks: list[Task] = []
    owners: list[list[ReplicationRunner]] = []
    asked: dict[object, int] = {}
    for runner in runners:
        task = runner.look_up(count, alike=len(runners))
        if task is None:
            continue
        same = (runner.digest, task.seed, task.numbers, task.engine) if not runner.events else id(runner)
        if same in asked:
            owners[asked[same]].append(runner)
            continue
        asked[same] = len(tasks)
        tasks.append(task)
        owners.append([runner])
    tell(sum(runner.have for runner in runners))

    def finished(index: int, replication: Replication) -> None:
        for runner in owners[index]:
            runner.take(replication)
        tell(sum(runner.have for runner in runners))

    if tasks:
        runners[0].workers.play(tasks, finished)
    share_s = (time.perf_counter() - began) / max(1, len(runners))
    for runner in runners:
        runner.settle(count, share_s)


def no_progress(_done: int, _total: int) -> None:
    """Progress where nobody asked for it."""


def replications_asked(scenario: Scenario, replications: int | None) -> int:
    """How many replications to play: those asked for, or the scenario's own. Raises InputError below 1."""
    count = scenario.replications if replications is None else replications
    if count < 1:
        raise InputError(f"replications is {count}; at least 1 is needed, and 2 for an interval")
    return count
