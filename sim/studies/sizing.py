"""The smallest (or largest) value of a setting that keeps a target, with the evidence.

Bisection on common random numbers. Each value is judged at a share of the error level, split over all the values and
looks that the search may take, so that the whole answer is wrong with at most the stated probability. What the
replications can't decide is reported as undecided. The target must get easier in one direction of the value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Unpack

from sim.errors import InputError
from sim.fields.metrics import Form, Forms
from sim.runs.frames import DataFrame, frame
from sim.runs.metrics import HEADLINES
from sim.runs.options import PreciseKeywords, RunOptions, no_progress, options_from
from sim.runs.replication_runner import ReplicationRunner
from sim.runs.run import loaded
from sim.runs.run_result import RunResult
from sim.runs.stopping import FIRST_ROUND, is_precise
from sim.runs.summary_csv import Sheet
from sim.runs.summary_csv import shown as shown_cells
from sim.runs.warm_up import with_warm_ups
from sim.scenario.scenario import Scenario
from sim.studies.answers import Answer
from sim.studies.axes import axes_of, changed, shown
from sim.studies.constraints import FEASIBLE, INFEASIBLE, UNDECIDED, Constraint, Evidence, parse_constraint
from sim.studies.study_folders import hours_of, replications_table, table_of, write_study
from sim.studies.sweep import column_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One value that was tried."""

    value: object
    evidence: Evidence
    run: RunResult


@dataclass(frozen=True, kw_only=True, repr=False)
class Sizing(Answer):
    """The answer of a search: `answer` is feasible (`value` is the one), infeasible (none keeps it), or undecided."""

    scenario: Scenario
    path: str
    constraint: Constraint
    largest: bool
    confidence: float
    cap: int
    candidates: int
    answer: str
    value: object | None  # the best that is shown to keep the target; None: none is
    next_value: object | None  # its neighbour on the way towards the harder end, where there is one
    next_answer: str | None  # of that neighbour; infeasible: `value` is exactly the bound
    other_end: object  # the end of the range that should keep the target most easily
    other_end_answer: str
    trials: tuple[Trial, ...]  # in the order of the values

    @property
    def words(self) -> str:
        kind = "largest" if self.largest else "smallest"
        sure = f"at {self.confidence:.0%} confidence"
        if self.answer == INFEASIBLE:
            return (
                f"no value of {self.path} keeps {self.constraint.words}: both ends of the range break it ({sure}), and what "
                "lies between is taken to lie between in this too"
            )
        if self.answer == FEASIBLE:
            edge = ""
            if self.next_value is None:
                edge = "; it is the end of the range"
                if self.other_end_answer == INFEASIBLE:
                    other = "the smallest, without --largest" if self.largest else "--largest"
                    edge += (
                        f", and the other end, {shown(self.other_end)}, breaks it: the target gets harder that way, so "
                        f"ask for {other}"
                    )
                elif self.candidates > 1 and self.other_end_answer == FEASIBLE:
                    edge += ", and the other end keeps it too"
            return f"{self.path} = {shown(self.value)} is the {kind} that keeps {self.constraint.words} ({sure}){edge}"
        if self.value is None:
            ends = {shown(trial.value): trial.evidence.answer for trial in self.trials}
            open_values = " and ".join(value for value, answer in ends.items() if answer == UNDECIDED)
            broken = [value for value, answer in ends.items() if answer == INFEASIBLE]
            known = f"{self.path} = {broken[0]} breaks {self.constraint.words}, but " if broken else ""
            whether = "does too" if broken else f"keeps {self.constraint.words}"
            return f"undecided: {known}{self.cap} replications can't tell whether {self.path} = {open_values} {whether}"
        return (
            f"undecided: {self.path} = {shown(self.value)} keeps {self.constraint.words} ({sure}), but "
            f"{self.cap} replications can't tell whether {shown(self.next_value)} does too"
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """The evidence, a row a value tried."""
        for trial in self.trials:
            yield {
                "value": column_value(trial.value),
                **asdict(trial.evidence),
                "mean_cost_usd": trial.run.estimate("cost.total").mean,
            }

    def frame(self) -> DataFrame:
        return frame(self.rows())

    def summary(self) -> dict[str, Any]:
        """The content of `size.json`."""
        return {
            "scenario": self.scenario.name,
            "currency": self.scenario.prices.currency,
            "hours": hours_of(self.scenario, {self.path}),
            "path": self.path,
            "keep": self.constraint.words,
            "limit": self.constraint.quantile if self.constraint.quantile is not None else self.constraint.limit,
            "largest": self.largest,
            "confidence": self.confidence,
            "answer": self.answer,
            "value": None if self.value is None else column_value(self.value),
            "next_value": None if self.next_value is None else column_value(self.next_value),
            "next_answer": self.next_answer,
            "other_end": column_value(self.other_end),
            "other_end_answer": self.other_end_answer,
            "words": self.words,
            "seed": self.trials[0].run.seed,
            "trials": list(self.rows()),
        }

    def write(self, folder: str | Path) -> Path:
        """Write size.json, the evidence as a table, and every figure of every replication."""
        runs = {str(index): trial.run for index, trial in enumerate(self.trials)}
        tables = [table_of("size", self.rows()), replications_table("trial", runs)]
        summary = ("size.json", self.summary())
        return write_study(
            folder, summary, {"scenario": self.scenario}, [*runs.values()], tables, sheet=self._sheet(), study="size"
        )

    @property
    def form(self) -> Form:
        """How the estimates are written; a probability as any share."""
        metric = "availability" if self.constraint.is_share_of_replications else self.constraint.metric
        some = (getattr(trial.evidence, key) for trial in self.trials for key in ("estimate", "low", "high"))
        return Forms(currency=self.scenario.prices.currency).of(metric, *some)

    def _sheet(self) -> Sheet:
        """A row a value that was tried, and whether it keeps the target."""
        form, currency = self.form, self.scenario.prices.currency
        label = f"{self.constraint.words}: estimate" + (f" ({form.unit})" if form.unit else "")
        columns = (self.path, "keeps the target", label, "low", "high", "replications", f"mean cost ({currency})")
        rows = [
            [
                column_value(trial.value), trial.evidence.answer,
                *shown_cells(form, trial.evidence.estimate, trial.evidence.low, trial.evidence.high), trial.evidence.n,
                round(trial.run.estimate("cost.total").mean or 0.0, 2),
            ]
            for trial in self.trials
        ]  # fmt: skip
        return columns, rows


def size(
    scenario: Scenario | str | Path,
    vary: str | tuple[str, Sequence[object]],
    keep: str | Constraint,
    *,
    largest: bool = False,
    confidence: float = 0.95,
    **keywords: Unpack[PreciseKeywords],
) -> Sizing:
    """Find the smallest value that keeps a target (or the *largest*).

    *vary* is `PATH=LOW..HIGH` (with `:STEP` where the values aren't whole numbers) or a path and its values from low to
    high. Smallest supposes that the target is kept from some value on, largest that it is kept up to some value.
    *replications* caps those at one value; with *precision* a value that is decided is replicated further until its
    headline metrics are known within that share. Raises InputError for a target or a range that can't be read.
    """
    asked = loaded(scenario)
    options = options_from(keywords, PreciseKeywords, "size").seeded(asked)
    constraint = _checked(keep, asked)
    if not 0.5 <= confidence < 1.0:
        raise InputError(f"confidence is {confidence}; it is from 0.5 up and below 1")
    axes = axes_of([vary] if isinstance(vary, str) else {vary[0]: vary[1]})
    if len(axes[0].paths) != 1:
        raise InputError(f"--vary {vary}: size searches along one place")
    path, values = axes[0].paths[0], [value for (value,) in axes[0].values]
    ends = [changed(asked, {path: value}) for value in (values[0], values[-1])]  # reports faults before any run
    if asked.warm_up == "auto":  # one for all values: the longest that either end needs
        end, *_ = with_warm_ups(ends, options)
        asked = asked.with_warm_up_found(f"{end.warm_up_s:.0f}s")
    search = Search(asked, path, values, constraint, 1 - confidence, options)
    # Indices from the value that should keep the target to the one that shouldn't.
    way = list(range(len(values))) if largest else list(range(len(values)))[::-1]
    return bisect(search, way, largest=largest, confidence=confidence)


def _checked(keep: str | Constraint, scenario: Scenario) -> Constraint:
    """The constraint, whose metric and group the scenario has."""
    constraint = keep if isinstance(keep, Constraint) else parse_constraint(keep)
    constraint.check("--keep", scenario)
    return constraint


def bisect(search: Search, way: Sequence[int], *, largest: bool, confidence: float) -> Sizing:
    """Go from the end that should keep the target towards the end that shouldn't; both ends are always tried."""
    first, last = 0, len(way) - 1
    best: int | None = None
    if search.answer(way[last]) == FEASIBLE:
        best = last  # nothing lies beyond it, whatever the other end does
    elif search.answer(way[first]) == FEASIBLE:
        best, beyond = first, last  # beyond: the nearest value not shown to keep it
        while beyond - best > 1:
            middle = (best + beyond) // 2
            if search.answer(way[middle]) == FEASIBLE:
                best = middle
            else:
                beyond = middle
    other_end = search.answer(way[first])
    neighbour = None if best is None or best == last else way[best + 1]
    next_answer = None if neighbour is None else search.answer(neighbour)
    if best is not None:
        answer = FEASIBLE if next_answer in (None, INFEASIBLE) else UNDECIDED
    else:
        ends = {other_end, search.answer(way[last])}
        answer = INFEASIBLE if ends == {INFEASIBLE} else UNDECIDED
    return Sizing(
        scenario=search.scenario, path=search.path, constraint=search.constraint, largest=largest,
        confidence=confidence, cap=search.cap, candidates=len(way), answer=answer,
        value=None if best is None else search.values[way[best]],
        next_value=None if neighbour is None else search.values[neighbour], next_answer=next_answer,
        other_end=search.values[way[first]], other_end_answer=other_end, trials=search.trials(),
    )  # fmt: skip


class Search:
    """The values tried so far, each judged once."""

    def __init__(
        self,
        scenario: Scenario,
        path: str,
        values: Sequence[object],
        constraint: Constraint,
        level: float,
        options: RunOptions,
    ) -> None:
        self.cap = options.cap
        if self.cap < 2:
            raise InputError(f"replications is {self.cap}; a search needs at least 2")
        self.scenario, self.path, self.values, self.constraint = scenario, path, list(values), constraint
        self.precision, self.progress = options.precision, options.progress or no_progress
        self.options = replace(options, progress=self._report)
        self.rounds = looks_until(self.cap)
        self.most_trials = 2 + math.ceil(math.log2(max(2, len(values))))
        self.level = level / (self.most_trials * len(self.rounds))
        self.tried: dict[int, Trial] = {}
        self.finished = 0  # replications of the values tried

    def answer(self, index: int) -> str:
        """The answer for one value, from as many rounds as it takes, or the cap allows."""
        if index not in self.tried:
            self.tried[index] = self._try(index)
        return self.tried[index].evidence.answer

    def trials(self) -> tuple[Trial, ...]:
        """Everything tried, in the order of the values."""
        return tuple(self.tried[index] for index in sorted(self.tried))

    def _try(self, index: int) -> Trial:
        value = self.values[index]
        runner = ReplicationRunner(changed(self.scenario, {self.path: value}), self.options)
        evidence: Evidence | None = None
        for upto in self.rounds:
            runner.run_until(upto)
            run = runner.result()
            look = self.constraint.judge(run, self.level)
            # What one look has decided no later one takes back: the level is split over all of them, so a second verdict
            # would be a second chance to err. Finer figures for the same answer are welcome.
            if evidence is None or evidence.answer in (UNDECIDED, look.answer):
                evidence = look
            if evidence.answer != UNDECIDED and self.is_known(run):
                break
        assert evidence is not None
        self.finished += run.n
        return Trial(value=value, evidence=evidence, run=run)

    def _report(self, done: int, upto: int) -> None:
        """Progress of the whole search: the values still to come are expected to take as many as those so far."""
        each = (self.finished + upto) / (len(self.tried) + 1)
        to_come = self.most_trials - len(self.tried) - 1
        self.progress(self.finished + done, self.finished + upto + round(max(0, to_come) * each))

    def is_known(self, run: RunResult) -> bool:
        """Whether the headline metrics have the precision asked for."""
        if self.precision is None:
            return True
        return all(is_precise(run.estimate(metric), self.precision) for metric in HEADLINES)


def looks_until(cap: int) -> list[int]:
    """When to look: after 20 replications, then after each doubling, so that few looks share the error level.

    >>> looks_until(1000)
    [20, 40, 80, 160, 320, 640, 1000]
    """
    looks = [min(FIRST_ROUND, cap)]
    while looks[-1] < cap:
        looks.append(min(2 * looks[-1], cap))
    return looks
