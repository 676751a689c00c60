"""How much of a commitment to buy: the quantity with the lowest mean bill over simulated hourly use.

The fleet is simulated once for each replication; every quantity rates the same hours. What a commitment saves is convex in
its quantity (each further unit is used in fewer hours than the one before), so bisection on the slope finds the least.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from joblib import Parallel, delayed

from sim.billing.commitments import Commitment, Reservation
from sim.billing.hours import Hourly, RatedHours
from sim.billing.newsvendor import best_quantity
from sim.billing.rating import rate_in_full
from sim.billing.tariff import reservation_price, size_tariff
from sim.engines.engine_selection import choose_engine
from sim.errors import InputError
from sim.runs.frames import DataFrame, frame
from sim.runs.options import RunOptions, StudyKeywords, no_progress, options_from
from sim.runs.rate_replication import simulate_and_rate
from sim.runs.run import loaded
from sim.runs.simulation_input import SimulationInput, compile_scenario
from sim.runs.warm_up import with_warm_ups
from sim.scenario.scenario import Scenario
from sim.statistics.intervals import Interval, mean_of, paired_interval
from sim.studies.answers import Answer
from sim.studies.convex_search import edge, least
from sim.units import SECONDS_PER_HOUR

STEPS = {"reservation": 1.0, "capacity-reservation": 1.0, "savings-plan": 0.01}
FIELD = {"reservation": "quantity", "capacity-reservation": "quantity", "savings-plan": "hourly"}
SIMULATED_AT_ONCE = 10

HoursOfReplication = tuple[tuple[RatedHours, ...], Hourly]
"""The hours of one replication, and the part of each clock hour that is billed."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Purchase(Answer):
    """The best quantity of one commitment, what it saves, and how sharp the answer is."""

    commitment: str
    path: str
    best: float
    low: float  # from here ...
    high: float  # ... to here no quantity is shown to cost more than the best
    saving: Interval  # mean saving of the best against buying none, over the horizon
    cost: Interval  # mean bill at the best
    single: tuple[float, ...]  # the best quantity for each replication's own hours
    costs: Mapping[float, float]  # mean bill at each quantity that was rated
    intervals: Mapping[float, Interval]  # and how well that mean is known
    currency: str  # of every amount
    newsvendor: float | None = None  # quantile of hourly use at 1 - reserved / pay as you go; None where sizes differ

    @property
    def words(self) -> str:
        return (
            f"{self.path} = {self.best:g} has the least mean bill ({self.low:g} to {self.high:g} can't be distinguished from it); "
            f"it saves {self.saving.mean:,.2f} {self.currency} against none"
        )

    def frame(self) -> DataFrame:
        """Mean bill and its interval by quantity, for a plot."""
        rows = [(quantity, each.mean, each.low, each.high) for quantity, each in sorted(self.intervals.items())]
        return frame(rows, ("quantity", "mean_cost_usd", "low", "high"))

    def summary(self) -> dict[str, Any]:
        """The answer as an object for JSON."""
        keys = ("commitment", "path", "currency", "words", "best", "low", "high")
        return {
            **{key: getattr(self, key) for key in keys},
            **{
                key: {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}
                for key, found in (("saving", self.saving), ("cost", self.cost))
            },
            "single": list(self.single),
            "costs": [{"quantity": quantity, "mean_cost_usd": cost} for quantity, cost in sorted(self.costs.items())],
        }


def best_commitment(
    scenario: Scenario | str | Path,
    name: str,
    *,
    most: float | None = None,
    show: Sequence[float] = (),
    **keywords: Unpack[StudyKeywords],
) -> Purchase:
    """Find how much of the scenario's commitment *name* to buy, from none up to *most*.

    Reservations are whole VMs, savings plans whole cents an hour. *most* defaults to the fleet's peak use; the quantities
    in *show* are rated too, for a curve. The hours of every replication stay in memory: no *cache* and no cluster is used.
    """
    asked = loaded(scenario)
    options = options_from(keywords, StudyKeywords, "best_commitment").seeded(asked)
    options = replace(options, cache=None, workers=None)
    sections = {commitment.name: commitment for commitment in asked.commitments}
    if name not in sections:
        there = f"there are {', '.join(sections)}" if sections else "the scenario has none"
        raise InputError(f"there is no commitment {name!r}; {there}")
    count = options.count(asked)
    if count < 2:
        raise InputError("a purchase needs at least 2 replications to be judged by")
    kind = sections[name].kind
    path, step = f"commitment.{name}.{FIELD[kind]}", STEPS[kind]
    (asked,) = with_warm_ups([asked], replace(options, progress=None))
    inputs = compile_scenario(asked)
    curve = _Curve(asked, inputs, path, step, _simulate(inputs, count, options))
    top = round((curve.peak() if most is None else most) / step)
    if top < 1:
        raise InputError(f"most is {most}; it is {step:g} or more")
    for quantity in show:
        curve.costs(round(quantity / step))
    return _purchase(curve, name, top)


def _purchase(curve: "_Curve", name: str, top: int) -> Purchase:
    """The best of 0 to *top* steps, and what it saves."""
    step, confidence, count = curve.step, curve.scenario.confidence, len(curve.replications)
    best = curve.least(range(count), top)
    none, bought = curve.costs(0), curve.costs(best)
    zero = [0.0] * count
    low, high = (edge(curve.costs, best, end, confidence) for end in (0, top))
    return Purchase(
        commitment=name,
        path=curve.path,
        best=round(best * step, 2),
        low=round(low * step, 2),
        high=round(high * step, 2),
        saving=paired_interval(none, bought, confidence),
        cost=paired_interval(bought, zero, confidence),
        single=tuple(round(curve.least([k], top) * step, 2) for k in range(count)),
        costs={round(index * step, 2): mean_of(costs) for index, costs in curve.rated.items()},
        intervals={
            round(index * step, 2): paired_interval(costs, zero, confidence) for index, costs in curve.rated.items()
        },
        currency=curve.scenario.prices.currency,
        newsvendor=_newsvendor(curve.scenario, name, curve.replications),
    )


def _newsvendor(scenario: Scenario, name: str, replications: Sequence[HoursOfReplication]) -> float | None:
    """The newsvendor quantile of hourly use, where every VM that can use the reservation is of its size."""
    bought = next(each for each in scenario.billed_commitments() if each.name == name)
    if not isinstance(bought, Reservation) or len(scenario.commitments) > 1:
        return None
    using = [own for hours, _ in replications for own in hours if own.group.priority == "regular"]
    if any(own.group.size != bought.size for own in using):
        return None
    counted = [window > 0.0 for _, window in replications]
    hourly = [
        sum((own.billed.hourly for own in hours if own.group.priority == "regular"), start=0.0 * window)[inside]
        for (hours, window), inside in zip(replications, counted, strict=True)
    ]
    tariff = size_tariff(scenario.catalogue(), bought.size, bought.region)
    return best_quantity(np.concatenate(hourly), reservation_price(tariff, bought), tariff.payg_usd_per_h)


@dataclass(frozen=True, slots=True)
class _Curve:
    """The bill of every replication as a function of the quantity, in steps; each is rated when it is needed."""

    scenario: Scenario
    inputs: SimulationInput
    path: str
    step: float
    replications: Sequence[HoursOfReplication]
    bought: dict[int, tuple[Commitment, ...]] = field(default_factory=dict)
    rated: dict[int, list[float]] = field(default_factory=dict)
    known: dict[tuple[int, int], float] = field(default_factory=dict)

    def cost(self, index: int, k: int) -> float:
        """The bill of replication *k* with *index* steps bought."""
        if (index, k) not in self.known:
            if index not in self.bought:
                amount = round(index * self.step, 2)
                value = int(amount) if amount == int(amount) else amount
                self.bought[index] = self.scenario.replace(self.path, value).billed_commitments()
            inputs, bought = self.inputs, self.bought[index]
            hours, window = self.replications[k]
            rated = rate_in_full(hours, window, inputs.catalogue, bought, inputs.spot_steps, start=inputs.plan.start)
            self.known[index, k] = rated.bill.total
        return self.known[index, k]

    def costs(self, index: int) -> list[float]:
        """The bill of every replication."""
        found = [self.cost(index, k) for k in range(len(self.replications))]
        self.rated[index] = found
        return found

    def least(self, which: Sequence[int], top: int) -> int:
        """The smallest quantity with the least mean bill over some replications."""

        def mean(index: int) -> float:
            return mean_of(
                [self.cost(index, k) for k in which] if len(which) < len(self.replications) else self.costs(index)
            )

        return least(mean, top)

    def peak(self) -> float:
        """More than can be used: VMs at the fleet's peak, or what they cost an hour at pay-as-you-go prices."""
        vms = max(sum(float(own.existing.hourly.max()) for own in hours) for hours, _ in self.replications)
        if self.step == 1.0:
            return max(1.0, vms)
        without = [self.cost(0, k) for k in range(len(self.replications))]
        plan = self.inputs.plan
        hours = (plan.horizon_s - plan.warm_up_s) / SECONDS_PER_HOUR
        return max(self.step, 4 * max(without) / hours)


def _simulate(inputs: SimulationInput, count: int, options: RunOptions) -> list[HoursOfReplication]:
    assert options.seed is not None
    progress, engine = options.progress or no_progress, options.engine
    if engine == "auto":
        engine = choose_engine(inputs.plan, replications=count).engine
    found: list[HoursOfReplication] = []
    progress(0, count)
    threads = options.threads or options.executor.threads(count)
    parallel = Parallel(n_jobs=options.executor.processes)
    for first in range(0, count, SIMULATED_AT_ONCE):
        numbers = range(first, min(first + SIMULATED_AT_ONCE, count))
        found += parallel(delayed(_hours)(inputs, options.seed, number, engine, threads) for number in numbers)
        progress(len(found), count)
    return found


def _hours(inputs: SimulationInput, seed: int, number: int, engine: str, threads: int) -> HoursOfReplication:
    """The hours of one replication: what a worker runs."""
    rating = simulate_and_rate(replace(inputs, commitments=()), seed, number, engine, threads=threads).rating
    return rating.hours, rating.window
