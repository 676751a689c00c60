"""Simulates one scenario's replications as they are needed, each at most once, and keeps them."""

import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from sim.engines.engine_selection import choose_engine, engine_asked_for
from sim.runs.blocks import Block, meaning
from sim.runs.estimate import estimate
from sim.runs.executors import Task
from sim.runs.kept import Replications
from sim.runs.listeners import report
from sim.runs.options import RunOptions, no_progress
from sim.runs.provenance import input_digest
from sim.runs.run_result import RunResult, Stopping
from sim.runs.simulation_input import SimulationInput, compile_scenario
from sim.scenario.scenario import Scenario


class ReplicationRunner:
    """Replications 0, 1, 2 ... of one scenario under one seed, or from the first one of a shard on.

    *inputs* is the scenario compiled, where the caller has it already.
    """

    def __init__(self, scenario: Scenario, options: RunOptions, inputs: SimulationInput | None = None) -> None:
        if scenario.warm_up == "auto":
            raise AssertionError("find the warm-up before simulating: `sim.runs.warm_up.with_warm_ups`")
        self.scenario = scenario
        self.options = options.seeded(scenario)
        self.inputs = compile_scenario(scenario) if inputs is None else inputs
        self.shard = options.replications if isinstance(options.replications, range) else None
        self.first = self.shard.start if self.shard is not None else 0
        self._blocks: list[Block] = []
        self._wanted = range(self.first, self.first)  # of the rounds so far
        self.done = 0  # of the wanted ones
        self._heard = self.first  # by listeners, below
        self._entry = None
        if options.cache is not None:
            self._entry = options.cache.entry(
                self.inputs, self.seed, engine=options.engine, events=options.notes_events
            )
            self._blocks = [*self._entry.blocks()]
        self._choice: tuple[str, str] | None = None  # engine, and why
        self._scratch: TemporaryDirectory[str] | None = None
        self._wall_s = 0.0

    @property
    def seed(self) -> int:
        """Seed of every draw."""
        assert self.options.seed is not None
        return self.options.seed

    def run_until(self, count: int, total: int | None = None) -> None:
        """Have at least the replications below *count*; *total* is how many are expected in all, for the progress."""
        run_together([self], count, total)

    def look_up(self, count: int, runners: int = 1) -> Task | None:
        """Read the kept ones of the replications below *count*, and return what is left to simulate.

        *runners* have as many replications to simulate at once: an engine's loading time counts once for all.
        """
        new = range(self._wanted.stop, count)
        self._wanted = range(self.first, max(count, self._wanted.stop))
        there = [number for block in self._blocks for number in block.numbers.tolist() if number in new]
        missing = tuple(sorted({*new}.difference(there)))
        self.done += len(new) - len(missing)
        if self.options.cache is not None:
            self.options.cache.reused += len(new) - len(missing)
        if not missing:
            return None
        if self._choice is None:
            self._choice = self._choose_engine(len(self._wanted) * runners)
        return Task(
            inputs=self.inputs,
            seed=self.seed,
            numbers=missing,
            engine=self._choice[0],
            engine_why=self._choice[1],
            events_folder=self._events_folder() if self.options.notes_events else None,
            threads=self.options.threads or self.options.executor.threads(len(missing) * runners),
        )

    def take(self, block: Block) -> None:
        """Keep replications that came in, in whatever order."""
        self._blocks.append(block if self._entry is None else self._entry.put(block))
        self.done += len(block.numbers)

    def finish_round(self, wall_s: float) -> None:
        """What was asked for is there; listeners get its events."""
        if self.options.listeners:
            for events in Replications(self._blocks, range(self._heard, self._wanted.stop)).events():
                assert events is not None
                report(events, self.options.listeners)
            self._heard = self._wanted.stop
        self._wall_s += wall_s

    def send_kept(self) -> None:
        """Whether a round ended well or not: a store gets what came in."""
        if self._entry is not None:
            self._entry.send()

    @cached_property
    def digest(self) -> str:
        """Digest of the inputs: the same for two scenarios that mean the same, however they are written."""
        return input_digest(self.inputs)

    def result(self, stopping: Stopping | None = None) -> RunResult:
        """The result of the replications so far."""
        return RunResult(
            scenario=self.scenario,
            inputs=self.inputs,
            seed=self.seed,
            replications=Replications(self._blocks, self._wanted),
            engine_asked=self.options.engine,
            stopping=stopping,
            budget_usd=self.options.budget_usd,
            has_events=self.options.events,
            shard=self.shard,
            scratch=self._scratch,
            wall_s=self._wall_s,
        )

    def _choose_engine(self, count: int) -> tuple[str, str]:
        """One engine for the whole run, also for one that goes on from kept replications: the summary names it."""
        for block in self._blocks:
            kept = meaning(block.heads[0][0])
            return kept["engine"], kept["why"]
        plan, asked = self.inputs.plan, self.options.engine
        if asked == "auto":
            choice = choose_engine(plan, replications=count, jobs=min(count, self.options.executor.processes))
        else:
            choice = engine_asked_for(asked, plan)
        return choice.engine, choice.why

    def _events_folder(self) -> Path:
        if self._entry is not None:
            return self._entry.place
        if self._scratch is None:
            self._scratch = TemporaryDirectory(prefix="vmfleet-events-")
        return Path(self._scratch.name)


def run_together(runners: Sequence[ReplicationRunner], count: int, total: int | None = None) -> None:
    """Have the replications below *count* of every runner, the work of all shared out at once.

    Two runners with the same inputs are simulated once. *total* is how many replications are expected in all.
    """
    began = time.perf_counter()
    options = runners[0].options
    progress = options.progress or no_progress
    expected = sum(count - runner.first for runner in runners) if total is None else total
    tasks: list[Task] = []
    owners: list[list[ReplicationRunner]] = []
    place_of: dict[object, int] = {}
    for runner in runners:
        task = runner.look_up(count, len(runners))
        if task is None:
            continue
        key = id(runner) if options.notes_events else (runner.digest, task.seed, task.numbers, task.engine)
        if key in place_of:
            owners[place_of[key]].append(runner)
            continue
        place_of[key] = len(tasks)
        tasks.append(task)
        owners.append([runner])
    progress(sum(runner.done for runner in runners), expected)

    def finished(index: int, block: Block) -> None:
        for runner in owners[index]:
            runner.take(block)
        progress(sum(runner.done for runner in runners), expected)

    try:
        if tasks:
            if options.consent is not None:
                numbers = max(len(task.numbers) for task in tasks)
                plans = [task.inputs.plan for task in tasks]
                processes = options.executor.processes
                options.consent(estimate(plans, numbers, engine=options.engine, processes=processes))
            options.executor.run(tasks, finished)
    finally:
        for runner in runners:
            runner.send_kept()
    share_s = (time.perf_counter() - began) / len(runners)
    for runner in runners:
        runner.finish_round(share_s)
