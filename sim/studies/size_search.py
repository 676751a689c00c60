"""Looking for the value from which on a target is kept: which value is simulated next, how often each is judged, at which level.

The error of the whole search is split over values and looks (Bonferroni), so that looking again, or at another value, gives no further
chance to err beyond what is stated. A value is judged by both bounds, each at the whole level of the look: only one of the two verdicts can
be wrong. Replications are added where they matter: at the two neighbours between which the target seems to change.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sim.errors import InputError
from sim.runs.metrics import HEADLINES
from sim.runs.options import RunOptions, no_progress
from sim.runs.run_result import RunResult
from sim.runs.stopping import FIRST_ROUND, is_precise
from sim.studies.constraints import FEASIBLE, INFEASIBLE, UNDECIDED, Constraint, Evidence

USUAL = 0.9  # of the error level, for as many values as a bisection takes; the rest is for those beyond


class Runner(Protocol):
    """Simulates the replications of one value."""

    def run_until(self, count: int) -> None:
        """Have at least so many."""

    def result(self) -> RunResult:
        """What they came to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One value that was tried."""

    value: object
    evidence: Evidence
    run: RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where the search ended, as places on the way from the end that should keep the target to the one that shouldn't."""

    best: int | None  # the farthest that is shown to keep it
    next_answer: str | None  # of the place after it, where there is one
    answer: str
    other_end: str  # answer of the first place


class Search:
    """The values tried so far, each judged after its own replications."""

    def __init__(
        self, values: Sequence[object], constraint: Constraint, level: float, options: RunOptions,
        runner_of: Callable[[object, RunOptions], Runner],
    ) -> None:  # fmt: skip
        self.cap = options.cap
        if self.cap < 2:
            raise InputError(f"replications is {self.cap}; a search needs at least 2")
        self.values, self.constraint, self.level, self.precision = list(values), constraint, level, options.precision
        self.progress = options.progress or no_progress
        self.options = replace(options, progress=self._report)
        self.runner_of = runner_of
        self.usual = 2 + math.ceil(math.log2(max(2, len(values))))  # values that a bisection tries
        self.rounds = looks_until(self.cap)
        self.rounds = looks_until(self.cap, self.least)
        self.tried: dict[int, Trial] = {}
        self._runners: dict[int, Runner] = {}
        self._looks: dict[int, int] = {}
        self._finished = 0  # replications of the other values tried, during a look

    @property
    def least(self) -> int | float:
        """Replications of one value without which the target can't be shown to be kept, whatever they come to."""
        return self.constraint.least_replications(2 * self._level_of(0))

    def look(self, index: int) -> str:
        """Simulate a further round of a value, and judge it."""
        if index not in self._runners:
            self._runners[index] = self.runner_of(self.values[index], self.options)
        runner, level = self._runners[index], self._level_of([*self._runners].index(index))
        self._finished = sum(trial.run.n for place, trial in self.tried.items() if place != index)
        runner.run_until(self.rounds[self._looks.get(index, 0)])
        self._looks[index] = self._looks.get(index, 0) + 1
        run, before = runner.result(), self.tried.get(index)
        evidence = self.constraint.judge(run, min(1.0, 2 * level))
        # What one look has decided no later one takes back: the level is split over all of them, so a second verdict
        # would be a second chance to err. Finer figures for the same answer are welcome.
        if before is not None and before.evidence.answer not in (UNDECIDED, evidence.answer):
            evidence = before.evidence
        self.tried[index] = Trial(value=self.values[index], evidence=evidence, run=run)
        return evidence.answer

    def answer(self, index: int) -> str:
        """The answer for one value, from as many rounds as it takes, or the cap allows."""
        while self.is_open(index):
            self.look(index)
        return self.tried[index].evidence.answer

    def is_open(self, index: int) -> bool:
        """Whether a further round could decide the value."""
        trial = self.tried.get(index)
        return trial is None or (trial.evidence.answer == UNDECIDED and self._has_rounds(index))

    def seems_kept(self, index: int) -> bool:
        """Whether a value keeps the target as far as is known; one that can't be decided doesn't."""
        evidence = self.tried[index].evidence
        return evidence.answer == FEASIBLE or (evidence.holds and self.is_open(index))

    def refine(self) -> None:
        """Simulate each value that was tried until its headline metrics have the precision asked for, if one is."""
        for index, trial in self.tried.items():
            while self._has_rounds(index) and not self.is_known(trial.run):
                self.look(index)
                trial = self.tried[index]

    def is_known(self, run: RunResult) -> bool:
        """Whether the headline metrics have the precision asked for."""
        return self.precision is None or all(is_precise(run.estimate(name), self.precision) for name in HEADLINES)

    def trials(self) -> tuple[Trial, ...]:
        """Everything tried, in the order of the values."""
        return tuple(self.tried[index] for index in sorted(self.tried))

    def _has_rounds(self, index: int) -> bool:
        return self._looks.get(index, 0) < len(self.rounds)

    def _level_of(self, order: int) -> float:
        """The error level of one look at the value that is tried as number *order*; all of them add up to the level."""
        beyond = order - self.usual
        share = USUAL / self.usual if beyond < 0 else (1 - USUAL) * 6 / (math.pi * (beyond + 1)) ** 2
        return self.level * share / len(self.rounds)

    def _report(self, done: int, upto: int) -> None:
        """Progress of the whole search: the values still to come are expected to take one round."""
        to_come = max(0, self.usual - len(self._runners)) * self.rounds[0]
        self.progress(self._finished + done, self._finished + upto + to_come)


def find(search: Search, way: Sequence[int]) -> Found:
    """Go along *way* (indices of values, from the end that should keep the target) to where it stops being kept."""
    last = len(way) - 1
    for end in {last: None, 0: None}:
        search.look(way[end])
    while True:
        tried = [place for place, index in enumerate(way) if index in search.tried]
        kept = max((place for place in tried if search.seems_kept(way[place])), default=-1)
        beyond = min((place for place in tried if place > kept), default=last + 1)
        if kept >= 0 and beyond - kept > 1:
            search.look(way[(kept + beyond) // 2])
            continue
        # Of the two neighbours, or where no value seems to keep it, of both ends.
        deciding = [place for place in ((0, last) if kept < 0 else (kept, beyond)) if 0 <= place <= last]
        still_open = [way[place] for place in deciding if search.is_open(way[place])]
        if not still_open:
            break
        search.look(min(still_open, key=lambda index: search.tried[index].run.n))
    if kept in (-1, last):
        search.answer(way[0])  # the answer says how the other end does
    search.refine()
    answers = {place: search.tried[way[place]].evidence.answer for place in tried}
    if kept < 0:
        answer = INFEASIBLE if set(answers.values()) == {INFEASIBLE} else UNDECIDED
        return Found(best=None, next_answer=None, answer=answer, other_end=answers[0])
    after = None if kept == last else answers[kept + 1]
    answer = FEASIBLE if after in (None, INFEASIBLE) else UNDECIDED
    return Found(best=kept, next_answer=after, answer=answer, other_end=search.tried[way[0]].evidence.answer)


def looks_until(cap: int, least: float = 0) -> list[int]:
    """When to look: after 20 replications, then after each doubling, so that few looks share the error level.

    From the second look on there are at least so many that the target can be shown to be kept.

    >>> looks_until(1000)
    [20, 40, 80, 160, 320, 640, 1000]
    >>> looks_until(1000, 145)
    [20, 145, 290, 580, 1000]
    """
    looks = [min(FIRST_ROUND, cap)]
    while looks[-1] < cap:
        following = 2 * looks[-1]
        looks.append(int(min(max(following, least) if len(looks) == 1 else following, cap)))
    return looks
