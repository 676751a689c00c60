"""A target for a fleet as people write it (`--keep`, `--fail-if`), and whether replications show that it is kept.

`cost.total<=50000` is about the mean, `p95(cost.total)<=50000` about a quantile, `P(cost.total>50000)<=0.05` about a
probability; `availability@dev>=99.9%` about one group. The answer has three values: feasible, infeasible, undecided.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from types import MappingProxyType
from typing import Any, Protocol

from sim.errors import InputError
from sim.fields.metrics import LOWER, Form, Forms, Unit, domain_of, find_metric
from sim.fields.numbers import compact
from sim.runs.metrics import FLEET, RATIOS
from sim.scenario.scenario import Scenario
from sim.statistics.intervals import bounded_mean, bounded_ratio
from sim.statistics.quantiles import clopper_pearson
from sim.studies.answers import check_metrics

LIKELY_PERCENT = 0.1  # from here on a limit of what should be rare may be meant in per cent
FEASIBLE, INFEASIBLE, UNDECIDED = "feasible", "infeasible", "undecided"

_COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt}
)
SIGNS = MappingProxyType({"<": "below", "<=": "at most", ">": "above", ">=": "at least"})
_METRIC = r"(?P<metric>[A-Za-z_][\w.\- ]*?)(?:@(?P<group>[\w.\-]+))?"
_SIGN, _NUMBER = r"(?P<sign><=|>=|<|>)", r"(?P<limit>[-+0-9.eE_]+\s*%?)"
_MEAN_OF = re.compile(r"^mean\(\s*([^()]*?)\s*\)")
_MEAN = re.compile(rf"^{_METRIC}\s*{_SIGN}\s*{_NUMBER}$")
_QUANTILE = re.compile(rf"^[pP](?P<p>\d{{1,2}}(?:\.\d+)?)\(\s*{_METRIC}\s*\)\s*{_SIGN}\s*{_NUMBER}$")
_CHANCE = re.compile(
    rf"^P\(\s*{_METRIC}\s*(?P<inner><=|>=|<|>)\s*(?P<bound>[-+0-9.eE_]+\s*%?)\s*\)\s*{_SIGN}\s*{_NUMBER}$"
)


class Replicated(Protocol):
    """Figures of replications: of a run, or of a result folder."""

    @property
    def n(self) -> int:
        """Replications."""

    def has(self, metric: str, group: str = FLEET) -> bool:
        """Whether the metric has a value in any of them."""

    def values(self, metric: str, group: str = FLEET) -> Sequence[float]:
        """The metric in each replication; NaN where it isn't defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the replications show of a target at a level: the answer, and the figures it rests on."""

    answer: str
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    holds: bool = False  # for the estimate itself, whatever its interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """`subject sign limit`, where the subject is the mean of a metric, one of its quantiles, or the probability of an event."""

    words: str
    metric: str
    group: str
    sign: str
    limit: float
    quantile: float | None = None  # of the metric over replications
    event: tuple[str, float] | None = None  # whose probability is limited: (sign, bound) of the metric
    note: str = ""  # how a number was read that might be meant otherwise

    @property
    def is_share_of_replications(self) -> bool:
        """Whether its estimate is a share of replications, not a mean of the metric."""
        return self.quantile is not None or self.event is not None

    def form(self, currency: str, trials: Iterable[Mapping[str, Any]]) -> Form:
        """How its estimates and their bounds are written: a share of replications as any share."""
        written_as = "availability" if self.is_share_of_replications else self.metric
        figures = (trial[key] for trial in trials for key in ("estimate", "low", "high"))
        return Forms(currency=currency).of(written_as, *figures)

    def plain_words(self, currency: str) -> str:
        """The target as people say it; of a share of replications as it is written."""
        if self.is_share_of_replications:
            return self.words
        form = Forms(currency=currency).of(self.metric, self.limit)
        limit = f"{compact(self.limit * form.times)} {form.unit}".rstrip()
        return f"{form.label}{f' of {self.group}' if self.group else ''} {SIGNS[self.sign]} {limit}"

    def least_replications(self, level: float) -> float:
        """Replications without which it can't be shown to be kept with an error of *level*, even if all come out well.

        0 for a mean. If all n are within, Clopper and Pearson's lower bound of the probability of being so is (level / 2)^(1/n).
        """
        if not self.is_share_of_replications:
            return 0.0
        share = self.quantile
        if share is None:
            share = self.limit if self.sign.startswith(">") else 1.0 - self.limit
        if share <= 0.0:
            return 2.0
        return math.inf if share >= 1.0 else math.ceil(math.log(level / 2) / math.log(share))

    def judge(self, result: Replicated, level: float) -> Evidence:
        """Whether the replications so far show it kept, or broken, with an error of at most *level*."""
        if self.quantile is not None:
            # The p-quantile is within a bound exactly if the probability of being within it is at least p.
            inner = (self.sign, self.limit)
            return self._of_probability(result, inner, ">=", self.quantile, level)
        if self.event is not None:
            return self._of_probability(result, self.event, self.sign, self.limit, level)
        domain = domain_of(self.metric)
        if self.metric in RATIOS:
            top, bottom = RATIOS[self.metric]
            pairs = list(zip(result.values(top, self.group), result.values(bottom, self.group), strict=True))
            found = bounded_ratio([one for one, _ in pairs], [other for _, other in pairs], 1 - level, domain)
        else:
            values = [value for value in result.values(self.metric, self.group) if not math.isnan(value)]
            found = bounded_mean(values, 1 - level, domain) if values else None
        if found is None or math.isnan(found.mean):
            return Evidence(answer=UNDECIDED, estimate=None, low=None, high=None, n=result.n)
        if found.low is None or found.high is None:  # one replication
            holds = _COMPARE[self.sign](found.mean, self.limit)
            return Evidence(answer=UNDECIDED, estimate=found.mean, low=None, high=None, n=result.n, holds=holds)
        return self.evidence(self.sign, self.limit, found.mean, found.low, found.high, result.n)

    def _of_probability(
        self, result: Replicated, event: tuple[str, float], sign: str, limit: float, level: float
    ) -> Evidence:
        happens, bound = _COMPARE[event[0]], event[1]
        values = [value for value in result.values(self.metric, self.group) if not math.isnan(value)]
        if not values:
            return Evidence(answer=UNDECIDED, estimate=None, low=None, high=None, n=result.n)
        times = sum(happens(value, bound) for value in values)
        low, high = clopper_pearson(times, len(values), 1 - level)
        return self.evidence(sign, limit, times / len(values), low, high, len(values))

    @staticmethod
    def evidence(sign: str, limit: float, estimate: float, low: float, high: float, n: int) -> Evidence:
        """Whether an estimate with its interval keeps to a limit: only if both ends do."""
        kept = _COMPARE[sign]
        both = (kept(low, limit), kept(high, limit))
        answer = FEASIBLE if all(both) else INFEASIBLE if not any(both) else UNDECIDED
        return Evidence(answer=answer, estimate=estimate, low=low, high=high, n=n, holds=kept(estimate, limit))

    def check(self, option: str, scenario: Scenario) -> None:
        """Raises InputError, naming the option, unless the scenario has the metric and the group."""
        check_metrics(scenario, self.metric)
        if self.group and self.group not in scenario.group_names:
            there = ", ".join(scenario.group_names)
            raise InputError(f"{option} {self.words}: there is no group {self.group!r}; there are {there}")


def parse_constraint(words: str, option: str = "--keep") -> Constraint:
    """A constraint from its text; raises InputError, naming the option, saying what would be right.

    >>> constraint = parse_constraint("p95(cost.total) <= 50000")
    >>> constraint.metric, constraint.quantile, constraint.sign, constraint.limit
    ('cost.total', 0.95, '<=', 50000.0)
    """
    text = words.strip()
    found = _CHANCE.match(text) or _QUANTILE.match(text) or _MEAN.match(_MEAN_OF.sub(r"\1", text))
    if found is None:
        raise InputError(
            f"{option} {words}: is no condition; write METRIC<=LIMIT, such as cost.total<=50000, availability>=99.9%, "
            "p95(cost.total)<=50000 or P(cost.total>50000)<=5%"
        )
    row = find_metric(found["metric"])
    is_share = row is not None and row.unit is Unit.SHARE
    notes: list[str] = []

    def number(part: str, *, of_a_share: bool, is_bad: bool) -> float:
        value = _value(found[part], words, option)
        if of_a_share:
            notes.extend(_reading(found[part].strip(), value, f"{option} {words}", is_bad=is_bad))
        return value

    is_chance = found.re is _CHANCE
    of_a_share, is_bad = (True, True) if is_chance else (is_share, row is not None and row.better == LOWER)
    limit, quantile, event = number("limit", of_a_share=of_a_share, is_bad=is_bad), None, None
    if is_chance:
        if not 0.0 <= limit <= 1.0:
            raise InputError(f"{option} {words}: a probability is from 0 to 1 (or 0 % to 100 %), not {limit:g}")
        event = (found["inner"], number("bound", of_a_share=is_share, is_bad=row is not None and row.better == LOWER))
    elif found.re is _QUANTILE:
        share = float(found["p"]) / 100
        if not 0.0 < share < 1.0:
            raise InputError(f"{option} {words}: a quantile is above p0 and below p100")
        quantile = share if found["sign"].startswith("<") else 1 - share
    return Constraint(
        words=text, metric=found["metric"], group=found["group"] or FLEET, sign=found["sign"], limit=limit,
        quantile=quantile, event=event, note="; ".join(notes),
    )  # fmt: skip


def _reading(text: str, value: float, where: str, *, is_bad: bool) -> Iterator[str]:
    """How a share without a per cent sign was read, where the same number is likely in per cent: of what should be rare (*is_bad*).

    Raises InputError for one above 1, which is no share.
    """
    if text.endswith("%"):
        return
    if value > 1.0:
        raise InputError(f"{where}: a share is at most 1; write {value:g}% or {value / 100:g} for {value:g} %")
    if is_bad and value >= LIKELY_PERCENT:
        yield f"{where}: {text} is read as {100 * value:g} %; write {value:g}% for {value:g} %"


def _value(text: str, words: str, option: str) -> float:
    try:
        # In decimals: 99.9 % is 0.999 to the last bit.
        number = float(Decimal(text.removesuffix("%").strip()) / (100 if text.endswith("%") else 1))
    except (DecimalException, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{option} {words}: {text!r} is no number")
    return number
