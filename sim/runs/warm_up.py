"""Long-run means: where the start-up ends (MSER-5), and the interval of one long run (batch means).

White (1997), "An effective truncation heuristic for bias reduction in simulation output", Simulation 69(6), with batches
of five (MSER-5); applied to the average over replications, as Law's reading of Welch advises (Law, 9.5.1). Batch means:
Law, 9.5.3.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.lifecycle.power import PowerState
from sim.runs.metrics import FLEET
from sim.runs.options import RunOptions, SharedKeywords, options_from
from sim.runs.replication_runner import ReplicationRunner, run_together
from sim.runs.run_result import RunResult
from sim.scenario.scenario import Scenario
from sim.statistics.intervals import Interval, mean_interval, mean_of, variance_of
from sim.units import DAY_H, SECONDS_PER_HOUR, WEEK_H

BATCH = 5  # observations a batch of MSER-5
FEWEST_TO_CUT = 4  # batches; half of fewer is nothing
PILOT = 10  # replications over which the average is taken
FEWEST_BATCHES = 10  # of batch means; fewer give no useful variance


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncation:
    """Where a series settles: this many observations belong to the start-up."""

    observations: int
    settled: bool  # False: the best cut is at the very middle, so the series may not have settled at all


def mser(series: Sequence[float], batch: int) -> Truncation:
    """Cut a series where the standard error of what is left is smallest, in its first half: MSER-5 in batches of five.

    Other batches are the day or week after which demand repeats.

    >>> mser([9.0] * 10 + [1.0, 2.0] * 45, BATCH).observations
    10
    """
    batches = [mean_of(series[i : i + batch]) for i in range(0, len(series) - batch + 1, batch)]
    if len(batches) < FEWEST_TO_CUT:
        raise InputError(
            f"a start-up can't be found in {len(series)} hours; at least {FEWEST_TO_CUT * batch} are needed: "
            "lengthen the horizon"
        )
    errors = []  # standard error squared of what each cut leaves
    for cut in range(len(batches) // 2 + 1):
        left, middle = batches[cut:], mean_of(batches[cut:])
        errors.append(math.fsum((value - middle) ** 2 for value in left) / len(left) ** 2)
    best = min(range(len(errors)), key=lambda cut: (errors[cut], cut))
    return Truncation(observations=best * batch, settled=best < len(batches) // 2)


def warm_up_found(scenario: Scenario, **keywords: Unpack[SharedKeywords]) -> float:
    """The warm-up (s) that a scenario needs: MSER-5 on the running VMs of each clock hour, averaged over a pilot.

    The longest that any group needs, in whole days or weeks where its demand repeats after those. Raises InputError if
    a group doesn't settle in the first half of the horizon.
    """
    (pilot,) = _pilots([scenario], options_from(keywords, SharedKeywords, "warm_up_found"))
    return _settled_after_s(pilot)


def with_warm_up(scenario: Scenario, **keywords: Unpack[SharedKeywords]) -> Scenario:
    """The scenario with the warm-up that MSER-5 finds in a pilot of ten replications; see `warm_up_found`."""
    return scenario.with_warm_up_found(warm_up_found(scenario, **keywords))


def with_warm_ups(scenarios: Sequence[Scenario], options: RunOptions) -> list[Scenario]:
    """The scenarios with every `warm_up = "auto"` found: one for all, the longest, so that all count the same hours.

    With one each, a fleet would look cheaper for having settled later.
    """
    missing = [scenario for scenario in scenarios if scenario.warm_up == "auto"]
    if not missing:
        return list(scenarios)
    longest_s = max(map(_settled_after_s, _pilots(missing, options)))
    return [each.with_warm_up_found(longest_s) if each.warm_up == "auto" else each for each in scenarios]


def with_stored_warm_up(scenario: Scenario, summary: Mapping[str, Any]) -> Scenario:
    """The scenario as a stored run of it was simulated: with the warm-up that its pilot found, if it had one."""
    if not summary.get("warm_up_found"):
        return scenario
    return scenario.with_warm_up_found(summary["warm_up_h"] * SECONDS_PER_HOUR)


def _pilots(scenarios: Sequence[Scenario], options: RunOptions) -> list[RunResult]:
    """A few replications of each, counted from the very start."""
    options = replace(options, events=False, listeners=(), replications=None)
    runners = [ReplicationRunner(each.replace("warm_up", "0s"), options) for each in scenarios]
    run_together(runners, PILOT)
    return [runner.result() for runner in runners]


def _settled_after_s(pilot: RunResult) -> float:
    """Seconds after which every group has settled."""
    longest_h = 0
    for group in pilot.inputs.plan.groups:
        hourly = hourly_mean(pilot, PowerState.RUNNING, group.name).tolist()
        where = f'{pilot.scenario.name}: warm_up = "auto": group {group.name}'
        try:
            cut = mser(hourly, _batch_h(group.demand.repeats_h, len(hourly)))
        except InputError as error:
            raise InputError(f"{where}: {error}, or give the warm-up") from None
        if not cut.settled:
            raise InputError(
                f"{where} has not settled in the first half of the horizon; lengthen the horizon, or give the warm-up"
            )
        longest_h = max(longest_h, cut.observations)
    return float(longest_h * SECONDS_PER_HOUR)


def _batch_h(repeats: int, hours: int) -> int:
    """Hours of a batch: the period of the demand, since a cut inside a day or a week would compare night with day."""
    if repeats == WEEK_H and hours < FEWEST_TO_CUT * WEEK_H:
        repeats = DAY_H  # the best that so short a horizon allows
    return max(BATCH, repeats)


def hourly_mean(result: RunResult, state: PowerState, group: str) -> NDArray[np.float64]:
    """VMs of a group in a state in each clock hour, averaged over the replications."""
    place = list(PowerState).index(state)
    hourly: NDArray[np.float64] = np.mean([each.timeline[group].vms[:, place] for each in result.replications], axis=0)
    return hourly


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMeans:
    """The long-run mean from one long run, with an interval from batches that look independent."""

    interval: Interval
    batches: int
    batch_hours: int
    independent: bool  # neighbouring batches show no correlation at the 5 % level

    @property
    def words(self) -> str:
        """One sentence for a reader."""
        caution = (
            "" if self.independent else "; neighbouring batches are correlated, so run longer before relying on it"
        )
        return f"{self.interval.mean:.6g} ± {self.interval.half_width:.3g} from {self.batches} batches{caution}"


def batch_means(series: Sequence[float], confidence: float = 0.95) -> BatchMeans:
    """The mean of one long series of equal steps with its interval, in the most batches that look independent.

    Batches are lengthened (320, 160, ... 10 of them) until von Neumann's ratio sees no correlation between neighbours.
    """
    if len(series) < 2 * FEWEST_BATCHES:
        raise InputError(
            f"batch means need at least {2 * FEWEST_BATCHES} hours after the warm-up, there are {len(series)}"
        )
    count = 320
    while True:
        count = min(count, len(series) // 2)
        length = len(series) // count
        # What doesn't fill the last batch is left out at the start, where the run is youngest.
        start = len(series) - count * length
        means = [mean_of(series[start + i * length : start + (i + 1) * length]) for i in range(count)]
        independent = _looks_independent(means)
        if independent or count <= FEWEST_BATCHES:
            return BatchMeans(
                interval=mean_interval(means, confidence), batches=count, batch_hours=length, independent=independent
            )
        count = max(FEWEST_BATCHES, count // 2)


def _looks_independent(values: Sequence[float]) -> bool:
    """Von Neumann's ratio of neighbouring differences to variance, near 2 for independent values (one-sided, 5 %)."""
    n, spread = len(values), variance_of(values)
    if spread == 0.0:
        return True
    steps = math.fsum((b - a) ** 2 for a, b in itertools.pairwise(values))
    ratio = steps / ((n - 1) * spread)
    return (ratio - 2) / math.sqrt(4 * (n - 2) / (n * n - 1)) > -1.645


def long_run(
    result: RunResult, state: PowerState | str = PowerState.RUNNING, group: str = FLEET, confidence: float | None = None
) -> BatchMeans:
    """The long-run mean number of VMs in a state, from the first replication alone, by batch means."""
    if str(state) not in [str(each) for each in PowerState]:
        raise InputError(f"there is no state {state!r}; there are {', '.join(PowerState)}")
    place = [str(each) for each in PowerState].index(str(state))
    groups = result.groups if group == FLEET else (group,)
    first = result.replications[0]
    hourly = sum(first.timeline[name].vms[:, place] for name in groups)
    return batch_means([float(value) for value in hourly], confidence or result.confidence)  # type: ignore[union-attr]
