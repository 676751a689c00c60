"""The smallest (or largest) value of a setting that keeps a target, with the evidence.

Bisection on common random numbers (`sim.studies.size_search`): replications are added at the values that matter, until the answer is
decided or a cap is met, and the whole answer is wrong with at most the stated probability. What the replications can't decide is
reported as undecided. The target must get easier in one direction of the value.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Unpack

from sim.errors import InputError
from sim.fields.metrics import Form
from sim.runs.frames import DataFrame, frame
from sim.runs.options import PreciseKeywords, RunOptions, options_from
from sim.runs.replication_runner import ReplicationRunner
from sim.runs.run import loaded
from sim.runs.summary_csv import Sheet
from sim.runs.summary_csv import shown as shown_cells
from sim.runs.warm_up import with_warm_ups
from sim.scenario.scenario import Scenario
from sim.studies.answers import Answer
from sim.studies.axes import axes_of, changed, value_words
from sim.studies.constraints import FEASIBLE, INFEASIBLE, UNDECIDED, Constraint, parse_constraint
from sim.studies.size_search import Runner, Search, Trial, find
from sim.studies.study_folders import doubt_in, period_of, table_of, write_study
from sim.studies.sweep import column_value


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
    step: str  # from one candidate to the next, where the key takes any number
    answer: str
    value: object | None  # the best that is shown to keep the target; None: none is
    next_value: object | None  # its neighbour on the way towards the harder end, where there is one
    next_answer: str | None  # of that neighbour; infeasible: `value` is exactly the bound
    other_end: object  # the end of the range that should keep the target most easily
    other_end_answer: str
    least: float  # replications of one value without which the target can't be shown to be kept; 0: a mean
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
                        f", and the other end, {self._shown(self.other_end)}, breaks it: the target gets harder that way, so "
                        f"ask for {other}"
                    )
                elif self.candidates > 1 and self.other_end_answer == FEASIBLE:
                    edge += ", and the other end keeps it too"
            step = (
                f", in steps of {self.step}: {len(self.trials)} of {self.candidates} values tried" if self.step else ""
            )
            return f"{self.path} = {self._shown(self.value)} is the {kind} that keeps {self.constraint.words} ({sure}{step}){edge}"
        if self.value is None:
            ends = {self._shown(trial.value): trial.evidence.answer for trial in self.trials}
            open_values = " and ".join(value for value, answer in ends.items() if answer == UNDECIDED)
            broken = [value for value, answer in ends.items() if answer == INFEASIBLE]
            known = f"{self.path} = {broken[0]} breaks {self.constraint.words}, but " if broken else ""
            whether = "does too" if broken else f"keeps {self.constraint.words}"
            return f"undecided: {known}{self.cap} replications can't tell whether {self.path} = {open_values} {whether}"
        return (
            f"undecided: {self.path} = {self._shown(self.value)} keeps {self.constraint.words} ({sure}), but "
            f"{self.cap} replications can't tell whether {self._shown(self.next_value)} does too"
        )

    def _shown(self, value: object) -> str:
        return value_words(self.path, value)

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
        shares = [doubt_in(trial.run).get("trusted_share", 1.0) for trial in self.trials]
        return {
            "scenario": self.scenario.name,
            "currency": self.scenario.prices.currency,
            **period_of([trial.run.scenario for trial in self.trials], {self.path}),
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
            "least_replications": self.least if math.isfinite(self.least) else None,
            **({"unpriced_hosts": hosts} if (hosts := self.scenario.unpriced_hosts()) else {}),
            "trials": list(self.rows()),
            **({"trusted_share": min(shares)} if min(shares) < 1.0 else {}),
        }

    def write(self, folder: str | Path) -> Path:
        """Write size.json, the evidence as a table, and every figure of every replication."""
        runs = {str(index): trial.run for index, trial in enumerate(self.trials)}
        tables = [table_of("size", self.rows())]
        summary = ("size.json", self.summary())
        return write_study(
            folder,
            summary,
            {"scenario": self.scenario},
            [*runs.values()],
            tables,
            figures=("trial", runs),
            sheet=self._sheet(),
            study="size",
        )

    @property
    def form(self) -> Form:
        """How the estimates are written."""
        return self.constraint.form(self.scenario.prices.currency, self.rows())

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
    axes = axes_of([vary] if isinstance(vary, str) else {vary[0]: vary[1]}, searches=True)
    if len(axes[0].paths) != 1:
        raise InputError(f"--vary {vary}: size searches along one place")
    path, values = axes[0].paths[0], [value for (value,) in axes[0].values]
    ends = [changed(asked, {path: value}) for value in (values[0], values[-1])]  # reports faults before any run
    if asked.warm_up == "auto":  # one for all values: the longest that either end needs
        end, *_ = with_warm_ups(ends, options)
        asked = asked.with_warm_up_found(end.warm_up_s)
    search = Search(
        values, constraint, 1 - confidence, options,
        lambda value, each: ReplicationRunner(changed(asked, {path: value}), each),
    )  # fmt: skip
    # Indices from the value that should keep the target to the one that shouldn't.
    way = list(range(len(values))) if largest else list(range(len(values)))[::-1]
    found = find(search, way)
    after = None if found.best is None or found.best + 1 == len(way) else values[way[found.best + 1]]
    return Sizing(
        scenario=asked, path=path, constraint=constraint, largest=largest, confidence=confidence, cap=search.cap,
        candidates=len(way), step=axes[0].step, answer=found.answer, value=None if found.best is None else values[way[found.best]],
        next_value=after, next_answer=found.next_answer, other_end=values[way[0]], other_end_answer=found.other_end,
        least=search.least, trials=search.trials(),
    )  # fmt: skip


def _checked(keep: str | Constraint, scenario: Scenario) -> Constraint:
    """The constraint, whose metric and group the scenario has."""
    constraint = keep if isinstance(keep, Constraint) else parse_constraint(keep)
    constraint.check("--keep", scenario)
    return constraint


def least_replications(vary: str, keep: str, confidence: float, options: RunOptions) -> tuple[float, int]:
    """Replications of one value without which the target can't be shown to be kept, and how many there may be.

    0 for a target on a mean: two may do. Infinite for one that no number shows, such as a probability of 0.
    """
    axes = axes_of([vary], searches=True)
    search = Search(axes[0].values, parse_constraint(keep), 1 - confidence, options, _no_runner)
    return search.least, search.cap


def _no_runner(_value: object, _options: RunOptions) -> Runner:
    raise AssertionError("nothing is simulated to know how many replications it takes")
