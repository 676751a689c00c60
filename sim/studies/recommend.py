"""How much of which commitment to buy: reservations, savings plans and both together, over simulated hourly use.

What a purchase costs is convex in its quantities (each further unit is used in fewer hours than the one before). Quantities of
reservations are found one by one until none moves, each with the savings plan that is best beside it where both are bought:
less of the one makes room for more of the other.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from sim.billing.commitments import TERMS
from sim.errors import InputError
from sim.fields.messages import capital, list_words
from sim.fields.numbers import asked_percent, money, money_decimals, percent, plain, rounded
from sim.runs.frames import DataFrame, frame
from sim.runs.options import StudyKeywords, options_from
from sim.runs.run import loaded, run_with
from sim.runs.run_result import RunResult
from sim.scenario.scenario import Scenario
from sim.statistics.intervals import Interval, mean_interval, mean_of
from sim.studies.answers import Answer
from sim.studies.commitment_offers import FleetHours, Offer, offers
from sim.studies.convex_search import Costs, edge, least
from sim.studies.study_folders import table_of, write_study
from sim.units import HOURS_PER_MONTH, HOURS_PER_YEAR

FALL = 0.2  # of demand, for which the regret is stated unless another is asked for
MOST_SWEEPS = 20
WAYS = {"reservations": ("reservation",), "savings plan": ("savings-plan",), "both": ("reservation", "savings-plan")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """One commitment of an option: how much, how far it is used, and when it would no longer pay."""

    offer: Offer
    amount: float  # VMs; of a savings plan money an hour
    low: float  # from here ...
    high: float  # ... to here no amount is shown to cost more, the others as they are
    cost_per_month: float
    utilisation: float
    coverage: float | None
    effective_savings_rate: float | None
    break_even: float | None  # the utilisation below which pay as you go is cheaper

    def row(self) -> dict[str, Any]:
        """For JSON and tables."""
        commitment, bound = self.offer.commitment, self.offer.newsvendor
        figures = {key: value for key, value in asdict(self).items() if key != "offer"}
        return {
            "kind": self.offer.kind, "size": getattr(commitment, "size", None), "region": commitment.region or None,
            "term": commitment.term, **figures, "trusted_price": self.offer.trusted, "takes": {**self.offer.takes},
            "newsvendor": None if bound is None else {"amount": bound[0], "saving_per_month": bound[1] * HOURS_PER_MONTH},
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What one way of buying comes to, a month of 730 hours."""

    way: str  # reservations | savings plan | both
    term: str
    bought: tuple[Bought, ...]
    saving: Interval
    fall: float  # share of demand that is lost in every hour in the next two
    saving_fallen: Interval  # the same purchase where demand is lower
    regret_fallen: Interval  # what it then costs more than the best purchase for that demand
    fall_to_break_even: float | None  # by which demand may fall before nothing is saved; None: it saves nothing

    @property
    def name(self) -> str:
        """As people call it."""
        return f"{self.way}, {self.term}"

    @property
    def words(self) -> str:
        """What to buy."""
        return list_words([_words(each) for each in self.bought], "and") if self.bought else "nothing"

    def row(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name, "way": self.way, "term": self.term, "words": self.words,
            "saving_per_month": asdict(self.saving),
            "cost_per_month": sum(each.cost_per_month for each in self.bought),
            "if_demand_falls": {
                "by": self.fall, "saving_per_month": asdict(self.saving_fallen), "regret_per_month": asdict(self.regret_fallen),
            },
            "fall_to_break_even": self.fall_to_break_even, "bought": [each.row() for each in self.bought],
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True, repr=False)
class Recommendation(Answer):
    """Every way of buying, the best of each term, and what has no price."""

    run: RunResult
    options: tuple[Option, ...]
    payg: Interval  # compute a month without any purchase, what is held already included
    lacking: Sequence[Mapping[str, str]]
    warnings: tuple[str, ...]

    @property
    def scenario(self) -> Scenario:
        """What was simulated."""
        return self.run.scenario

    @property
    def best(self) -> dict[str, Option]:
        """Of each term, the option that saves most."""
        terms = dict.fromkeys(each.term for each in self.options)
        return {
            term: max((each for each in self.options if each.term == term), key=lambda each: each.saving.mean)
            for term in terms
        }

    @property
    def words(self) -> str:
        currency, said = self.scenario.prices.currency, []
        for term, best in self.best.items():
            if not best.bought:
                said.append(f"for {term} nothing pays off")
                continue
            saving, fallen = _rounded(best.saving), _rounded(best.saving_fallen)
            share = percent(best.saving.mean / self.payg.mean, 0) if self.payg.mean else ""
            then = f"saves {fallen}" if best.saving_fallen.mean >= 0 else f"loses {fallen}"
            said.append(
                f"for {term} buy {best.words}: it saves {saving} {currency} a month, {share} of compute, "
                f"and {then} if demand falls by {asked_percent(best.fall)}"
            )
        return capital("; ".join(said))

    def frame(self) -> DataFrame:
        return frame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """A row for each commitment of each option; an option that buys nothing has one without."""
        empty = dict.fromkeys(("kind", "size", "region", "amount", "low", "high", "cost_per_month", "utilisation", "coverage",
                               "effective_savings_rate", "break_even"))  # fmt: skip
        return [
            {"option": option.name, "saving_per_month": option.saving.mean, **{key: row.get(key) for key in empty}}
            for option in self.options
            for row in [each.row() for each in option.bought] or [empty]
        ]

    def summary(self) -> dict[str, Any]:
        """The content of `recommend.json`."""
        return {
            "scenario": self.scenario.name, "currency": self.scenario.prices.currency, "seed": self.run.seed,
            "replications": self.run.n, "confidence": self.run.confidence, "words": self.words,
            "compute_per_month": asdict(self.payg), "best": {term: each.name for term, each in self.best.items()},
            "options": [each.row() for each in self.options], "without_price": [*self.lacking], "warnings": [*self.warnings],
        }  # fmt: skip

    def write(self, folder: str | Path) -> Path:
        """Write recommend.json, its purchases as a table, and every figure of every replication."""
        tables = [table_of("recommend", self.rows())]
        summary = ("recommend.json", self.summary())
        return write_study(
            folder,
            summary,
            {"scenario": self.scenario},
            [self.run],
            tables,
            figures=("scenario", {self.scenario.name: self.run}),
            study="recommend",
        )


def recommend(
    scenario: Scenario | str | Path, *, fall: float = FALL, **keywords: Unpack[StudyKeywords]
) -> Recommendation:
    """Find how much of which commitment to buy for a scenario, beside those that it has already.

    *fall* is the share of demand, above 0 and below 1, at whose loss each purchase is tried, too. Raises InputError for another
    share, and where nothing has a price, with the keys that would help.
    """
    if not 0.0 < fall < 1.0:
        raise InputError(f"fall: {fall!r}: demand falls by a share above 0 and below 1, such as {FALL}")
    asked = loaded(scenario)
    options = options_from(keywords, StudyKeywords, "recommend").seeded(asked)
    if options.count(asked) < 2:
        raise InputError("a purchase needs at least 2 replications to be judged by")
    if not asked.month.is_known:
        raise InputError(f"a commitment is paid for in every hour. {asked.month.words}")
    result = run_with(asked, options)
    fleet = FleetHours.of(result)
    offered, lacking = offers(fleet)
    if not offered:
        reasons = [f"{each['what']}: {each['reason']}" for each in lacking] or ["no VM is billed as pay as you go"]
        raise InputError("\n".join(["there is nothing to buy:", *reasons]))
    found = []
    for term in TERMS:
        for way, kinds in WAYS.items():
            own = [each for each in offered if each.commitment.term == term and each.kind in kinds]
            if {each.kind for each in own} == set(kinds):
                found.append(_option(fleet, way, term, own, fall, result.confidence))
    return Recommendation(
        run=result, options=tuple(found), payg=_a_month(fleet, fleet.costs(()), result.confidence), lacking=lacking,
        warnings=tuple(_warnings(asked, fleet, found)),
    )  # fmt: skip


@dataclass
class _Search:
    """The cost of every purchase of some offers, each rated once."""

    fleet: FleetHours
    offered: Sequence[Offer]  # reservations, then a savings plan if there is one
    known: dict[tuple[int, ...], list[float]] = field(default_factory=dict)
    near: int = 0  # steps of the plan that were best last

    def costs(self, steps: Sequence[int]) -> list[float]:
        """Of each replication; what isn't named is not bought."""
        key = (*steps, *[0] * (len(self.offered) - len(steps)))
        if key not in self.known:
            bought = [offer.times(n) for offer, n in zip(self.offered, key, strict=True) if n]
            self.known[key] = self.fleet.costs(bought)
        return self.known[key]

    def mean(self, steps: Sequence[int]) -> float:
        """Over the replications."""
        return mean_of(self.costs(steps))

    def along(self, steps: Sequence[int], place: int) -> Costs:
        """Costs where one quantity varies."""
        before, after = steps[:place], steps[place + 1 :]
        return lambda number: self.costs([*before, number, *after])

    def with_plan(self, reserved: Sequence[int]) -> list[int]:
        """These reservations and the plan that is best beside them, if one is offered."""
        if len(self.offered) == len(reserved):
            return [*reserved]
        self.near = least(lambda number: self.mean([*reserved, number]), self.offered[-1].most, self.near)
        return [*reserved, self.near]

    def sweep(self, start: Sequence[int], cost: Callable[[Sequence[int]], float]) -> list[int]:
        """Each reservation the best for the others, over and over until none moves."""
        found = [*start]
        for _ in range(MOST_SWEEPS):
            before = [*found]
            for place in range(len(found)):
                before_it, after_it = found[:place], found[place + 1 :]

                def along(number: int, first: list[int] = before_it, rest: list[int] = after_it) -> float:
                    return cost([*first, number, *rest])

                found[place] = least(along, self.offered[place].most, found[place])
            if found == before or len(found) == 1:
                break
        return found

    @cached_property
    def best(self) -> list[int]:
        """The steps of each offer that cost least together."""
        none = [0 for each in self.offered if each.kind == "reservation"]
        alone = self.sweep(none, self.mean)
        # A plan makes room for itself where there are fewer reservations, so it is found anew for each number of them. It may take
        # less of two reservations at once to make room for a plan that both would use: the search starts from both sides.
        starts = (alone, none) if len(self.offered) > len(none) > 0 else (alone,)
        found = (self.sweep(start, lambda reserved: self.mean(self.with_plan(reserved))) for start in starts)
        return min((self.with_plan(each) for each in found), key=self.mean)


def _option(fleet: FleetHours, way: str, term: str, own: Sequence[Offer], fall: float, confidence: float) -> Option:
    """The best purchase of some offers, what each part came to, and what happens if demand falls."""
    search, fallen = _Search(fleet, own), _Search(fleet.fallen(fall), own)
    steps = search.best
    with_it, with_it_fallen = search.costs(steps), fallen.costs(steps)
    none = [0] * len(steps)

    def monthly(more: Sequence[float], less: Sequence[float]) -> Interval:
        return _a_month(fleet, [a - b for a, b in zip(more, less, strict=True)], confidence)

    return Option(
        way=way, term=term, fall=fall, bought=tuple(_bought(search, steps, confidence)),
        saving=monthly(search.costs(none), with_it),
        saving_fallen=monthly(fallen.costs(none), with_it_fallen),
        regret_fallen=monthly(with_it_fallen, fallen.costs(fallen.best)),
        fall_to_break_even=_fall_to_break_even(search, steps),
    )  # fmt: skip


def _bought(search: _Search, steps: Sequence[int], confidence: float) -> Iterator[Bought]:
    """Each commitment of a purchase."""
    named = {offer.commitment.name: place for place, offer in enumerate(search.offered) if steps[place]}
    allocation = search.fleet.with_bought([search.offered[place].times(steps[place]) for place in named.values()])
    months = search.fleet.hours * search.fleet.replications / HOURS_PER_MONTH
    for name, use in allocation.uses.items():
        if name not in named:
            continue
        place = named[name]
        offer, along = search.offered[place], search.along(steps, place)
        low, high = (edge(along, steps[place], end, confidence) for end in (0, offer.most))
        yield Bought(
            offer=offer, amount=round(steps[place] * offer.step, 2), low=round(low * offer.step, 2),
            high=round(high * offer.step, 2), cost_per_month=use.cost / months, utilisation=use.used_fraction,
            coverage=use.coverage, effective_savings_rate=use.effective_savings_rate,
            break_even=use.used_fraction * use.cost / use.worth if use.worth else None,
        )  # fmt: skip


def _fall_to_break_even(search: _Search, steps: Sequence[int]) -> float | None:
    """The share by which demand may fall before the purchase saves nothing, to a thousandth."""
    bought = [offer.times(n) for offer, n in zip(search.offered, steps, strict=True) if n]

    def saves(thousandths: int) -> bool:
        fleet = search.fleet.fallen(thousandths / 1000)
        return mean_of(fleet.costs(())) > mean_of(fleet.costs(bought))

    if not bought or not saves(0):
        return None
    low, high = 0, 1000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if saves(middle) else (low, middle)
    return low / 1000


def _a_month(fleet: FleetHours, amounts: Sequence[float], confidence: float) -> Interval:
    """The mean over replications, for a month of 730 hours."""
    return mean_interval([amount * HOURS_PER_MONTH / fleet.hours for amount in amounts], confidence)


def _warnings(scenario: Scenario, fleet: FleetHours, options: Sequence[Option]) -> Iterator[str]:
    """What the answer rests on and leaves out."""
    bought = (each.offer for option in options for each in option.bought)
    if doubtful := dict.fromkeys(offer.words for offer in bought if not offer.trusted):
        yield (
            f"estimates or stand-ins, not list prices of the region: {list_words(doubtful, 'and')}; what they save is as sure as "
            "their prices ([prices.override] takes yours)"
        )
    if fleet.hours < HOURS_PER_YEAR - 24:
        yield (
            f"{fleet.hours / 24:,.0f} days are taken for every day of the term: growth and seasons after them are not seen "
            "(--set horizon=365d simulates a year)"
        )
    if fleet.held:
        names = list_words([each.name for each in fleet.held], "and")
        yield f"what the scenario has already ({names}) stays, and is used first"
    if scenario.rounding != "exact":
        yield f"hours are counted to the second, not by {scenario.rounding}"


def told_apart(options: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The options of a `recommend.json` without those that buy both kinds and chose one: they repeat another."""
    return [each for each in options if each["way"] != "both" or len({one["kind"] for one in each["bought"]}) == 2]


def _rounded(amount: Interval) -> str:
    """Its size without a sign, as far as its interval lets it be known."""
    half = None if amount.low is None or amount.high is None else (amount.high - amount.low) / 2
    return rounded(abs(amount.mean), money_decimals(amount.mean, half))


def _words(bought: Bought) -> str:
    commitment = bought.offer.commitment
    if bought.offer.kind == "reservation":
        takes = list_words([f"a {size} takes {units:g}" for size, units in bought.offer.takes.items()], "and")
        what = f"{plain(bought.amount, 0)} x {getattr(commitment, 'size', '')} in {commitment.region} reserved"
        return f"{what} ({takes})" if takes else what
    return f"a savings plan of {money(bought.amount)} an hour"
