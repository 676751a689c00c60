"""The best of several variants, chosen so that the choice is right with a stated probability.

Kim and Nelson (2001), "A fully sequential procedure for indifference-zone selection in simulation", ACM TOMACS 11(3):
variants are dropped as soon as they are beaten clearly enough; common random numbers make that sooner, and are allowed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any, Unpack

from sim.errors import InputError
from sim.fields.metrics import better_direction
from sim.runs.frames import DataFrame, frame
from sim.runs.metrics import RATIOS
from sim.runs.options import CAP, SharedKeywords, options_from
from sim.runs.replication_runner import ReplicationRunner, run_together
from sim.runs.run import loaded
from sim.runs.stopping import FIRST_ROUND, ROUND
from sim.runs.warm_up import with_warm_ups
from sim.scenario.scenario import Scenario
from sim.statistics.intervals import Estimate, mean_of, variance_of
from sim.studies.answers import Answer, check_metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """The systems left after r observations of each."""

    left: tuple[int, ...]
    r: int
    done: bool


@dataclass(frozen=True, kw_only=True, repr=False)
class Selection(Answer):
    """The variant chosen, how surely, and its figure on independent random numbers."""

    best: str
    metric: str
    indifference: float
    confidence: float
    dropped_at: Mapping[str, int]  # replications after which a variant was out
    means: Mapping[str, float]  # over the replications it took part in
    fresh: Estimate  # the winner under another seed: the mean that made it win is biased
    capped: bool  # the cap on replications was met before the choice was sure

    @property
    def words(self) -> str:
        if self.capped:
            return f"{self.best} looks best in {self.metric}, but the cap on replications was met before that was sure"
        return (
            f"{self.best} is chosen in {self.metric}: one that is best by {self.indifference:g} or more "
            f"is chosen with a probability of at least {self.confidence:.0%}"
        )

    def frame(self) -> DataFrame:
        """A row a variant: its mean, whether it was chosen, and after how many replications it was out."""
        rows = [
            (name, self.metric, mean, name == self.best, self.dropped_at.get(name)) for name, mean in self.means.items()
        ]
        columns = ("variant", "metric", "mean", "chosen", "dropped_at")
        return frame(rows, columns).astype({"dropped_at": "Int64"})

    def summary(self) -> dict[str, Any]:
        """The choice as an object for JSON."""
        keys = ("best", "words", "metric", "indifference", "confidence", "capped", "means", "dropped_at")
        return {**{key: getattr(self, key) for key in keys}, "fresh": self.fresh.as_dict()}


def kim_nelson(
    observe: Callable[[Sequence[int], int], Sequence[Sequence[float]]],
    systems: int,
    *,
    indifference: float,
    confidence: float,
    first: int = FIRST_ROUND,
    cap: int = CAP,
    dropped: Callable[[int, int], None] = lambda _system, _r: None,
) -> Screening:
    """Which system has the smallest mean; at least *confidence* sure where it is *indifference* ahead of the others.

    *observe(systems, n)* gives at least the first n observations of those systems. In the paper's letters: n0 = *first*,
    delta = *indifference*, c = 1, eta = ((2 alpha / (k - 1)) ** (-2 / (n0 - 1)) - 1) / 2, h2 = 2 eta (n0 - 1).
    """
    left = list(range(systems))
    eta = 0.5 * ((2 * (1 - confidence) / (systems - 1)) ** (-2 / (first - 1)) - 1)
    reach = 2 * eta * (first - 1) / indifference**2  # h2 / delta2
    start = observe(left, first)
    spread = {
        (i, j): variance_of([a - b for a, b in zip(start[i][:first], start[j][:first], strict=True)])
        for i, j in permutations(left, 2)
    }
    r = first
    while True:
        values = observe(left, r)
        means = {system: mean_of(values[place][:r]) for place, system in enumerate(left)}
        kept = [
            i
            for i in left
            if all(
                means[i] - means[j] <= max(0.0, indifference / (2 * r) * (reach * spread[i, j] - r))
                for j in left
                if j != i
            )
        ]
        for system in set(left) - set(kept):
            dropped(system, r)
        left = kept
        furthest = max((math.floor(reach * spread[pair]) for pair in permutations(left, 2)), default=0)
        if len(left) == 1 or r > furthest:
            return Screening(left=(min(left, key=lambda system: means[system]),), r=r, done=True)
        if r >= cap:
            return Screening(left=tuple(sorted(left, key=lambda system: means[system])), r=r, done=False)
        r += 1


def best_of(
    variants: Mapping[str, Scenario | str | Path],
    *,
    indifference: float,
    metric: str = "cost.total",
    confidence: float = 0.95,
    cap: int = CAP,
    **keywords: Unpack[SharedKeywords],
) -> Selection:
    """Choose the best of some variants in a metric; differences below *indifference* (in its unit) don't matter.

    *cap* is the most replications of a variant. The winner is simulated again under another seed, since the figures that
    made it win are biased in its favour.
    """
    scenarios = {name: loaded(scenario) for name, scenario in variants.items()}
    _check(scenarios, indifference, metric, confidence)
    options = options_from(keywords, SharedKeywords, "best_of").seeded(next(iter(scenarios.values())))
    runners = [ReplicationRunner(each, options) for each in with_warm_ups([*scenarios.values()], options)]
    sign = -1.0 if better_direction(metric) == "higher" else 1.0
    names, out = list(scenarios), dict[str, int]()

    def observe(systems: Sequence[int], n: int) -> list[list[float]]:
        upto = FIRST_ROUND if n <= FIRST_ROUND else FIRST_ROUND + -(-(n - FIRST_ROUND) // ROUND) * ROUND
        run_together([runners[i] for i in systems], min(upto, cap), cap * len(runners))
        found = [[sign * value for value in runners[i].result().values(metric)] for i in systems]
        for i, values in zip(systems, found, strict=True):
            if any(map(math.isnan, values)):
                raise InputError(f"{metric} isn't defined in every replication of {names[i]}; choose by another metric")
        return found

    found = kim_nelson(
        observe,
        len(runners),
        indifference=indifference,
        confidence=confidence,
        first=min(FIRST_ROUND, cap),
        cap=cap,
        dropped=lambda system, r: out.__setitem__(names[system], r),
    )
    best = found.left[0]
    winner = runners[best]
    other_seed = replace(options, seed=winner.seed ^ 0x5EED_0000, progress=None)
    again = ReplicationRunner(winner.scenario, other_seed, winner.inputs)
    again.run_until(winner.done)
    return Selection(
        best=names[best], metric=metric, indifference=indifference, confidence=confidence, dropped_at=out,
        means={name: mean_of(runner.result().values(metric)) for name, runner in zip(names, runners, strict=True)},
        fresh=again.result().estimate(metric), capped=not found.done,
    )  # fmt: skip


def _check(scenarios: Mapping[str, Scenario], indifference: float, metric: str, confidence: float) -> None:
    """Refuse what no choice can be made by."""
    if len(scenarios) < 2:
        raise InputError("a choice needs at least two variants")
    if not indifference > 0.0:
        raise InputError(f"indifference is {indifference}; it is an amount above 0, in the unit of {metric}")
    if not 0.5 < confidence < 1.0:
        raise InputError(f"confidence is {confidence}; it is above 0.5 and below 1")
    if metric in RATIOS:
        raise InputError(f"{metric} is a ratio of means, which this procedure can't choose by; take cost.total, say")
    for scenario in scenarios.values():
        check_metrics(scenario, metric)
