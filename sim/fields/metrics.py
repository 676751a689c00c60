"""Metrics: what each figure of a result is called, means, is measured in and is written like; one row a metric.

Every view (terminal, report, notebook, comparison, sweep, documentation) reads the row, so a figure looks the same everywhere.
A row may stand for many metrics: `hours.<state>` is a pattern, and what stands in its place is part of the label. Rows are
registered where their figures are computed: `sim.runs.metrics` for usage and events, `sim.billing.meters` for costs.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sim.fields.messages import list_words
from sim.fields.numbers import Scale, between, hours_scale, money_scale, percent, plain, signed
from sim.fields.registry import DOTTED, Registry

LOWER, HIGHER = "lower", "higher"  # which direction of a metric is better
NEARLY = 0.001  # of a share to 0 or 1
_PLACEHOLDER = re.compile(r"<(\w+)>")


class Unit(StrEnum):
    """What a metric is measured in; it decides how the figure is written."""

    MONEY = "money"  # of the price list's currency
    VM_HOURS = "VM-h"
    HOURS = "h"
    SECONDS = "s"
    LOAD_HOURS = "load-h"  # load times hours
    SHARE = "%"  # stored between 0 and 1
    VMS = "VMs"
    COUNT = "count"


SECTIONS = ("usage", "ready on time", "cost", "commitments", "service level", "VMs", "events", "load", "ratios")
"""Of a metric table, in this order; also the order of metrics in a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How the figures of one metric are written in one table: label, unit, decimals; shares in per cent."""

    label: str
    scale: Scale
    times: float = 1.0  # what a figure is multiplied by first

    @property
    def unit(self) -> str:
        """The unit beside the figure."""
        return self.scale.unit

    @property
    def title(self) -> str:
        """Label and unit, for the head of a column or the label of an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def text(self, value: float | None) -> str:
        """The figure without its unit; what is not all is never shown as all, nor something as nothing."""
        if value is None:
            return plain(None, 0)
        if self.times == 100.0:
            return percent(value, self.scale.decimals).removesuffix("\N{NO-BREAK SPACE}%")
        return self.scale.text(value * self.times)

    def with_unit(self, value: float | None) -> str:
        """The figure and its unit."""
        return f"{self.text(value)}\N{NO-BREAK SPACE}{self.unit}" if self.unit else self.text(value)

    def signed(self, value: float | None) -> str:
        """A difference without its unit."""
        return signed(None if value is None else value * self.times, self.scale.decimals)

    def between(self, low: float | None, high: float | None, joined: str = " to ") -> str:
        """Two bounds without their unit; empty where there are none."""
        if low is None or high is None:
            return ""
        if self.times == 100.0 and min(low, high) >= 0.0:
            ends = self.text(low), self.text(high)
            return ends[0] if ends[0] == ends[1] and joined == " to " else joined.join(ends)
        return between(low * self.times, high * self.times, replace(self.scale, unit=""), joined)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row: a metric, or a pattern of metrics such as `hours.<state>`."""

    name: str
    label: str  # may hold the pattern's placeholder
    unit: Unit
    definition: str
    section: str  # one of `SECTIONS`
    better: str = ""  # LOWER, HIGHER, or "" where neither is for us to say
    ratio_of: tuple[str, str] | None = None  # the metrics above and below the line
    is_signed: bool = False  # a share that may be negative
    compute: Callable[[Any], float | Mapping[str, float] | None] | None = None
    """From one group of a rated replication (`sim.runs.metrics.RatedUsage`); a pattern gives one figure for each word that
    takes the placeholder's place. None: a ratio. A figure that is None isn't there."""

    def __post_init__(self) -> None:
        if self.section not in SECTIONS:
            raise ValueError(f"metric {self.name}: section is {self.section!r}; it is one of {', '.join(SECTIONS)}")

    @property
    def where(self) -> str:
        """The module that computes it."""
        return "sim.fields.metrics" if self.compute is None else str(self.compute.__module__)

    @property
    def domain(self) -> tuple[float, float]:
        """Least and largest value that there is: a share lies between 0 and 1, all else is not negative."""
        most = 1.0 if self.unit is Unit.SHARE else math.inf
        return (-math.inf if self.is_signed else 0.0, most)

    @property
    def family(self) -> str:
        """The name up to a placeholder: metrics of one family stand together, word by word."""
        return self.name.partition("<")[0]

    @property
    def is_pattern(self) -> bool:
        """Whether the row stands for many metrics."""
        return "<" in self.name

    def of(self, word: str) -> str:
        """The name of the metric in which a word takes the placeholder's place."""
        return _filled(self.name, word)

    def word_in(self, name: str) -> str | None:
        """What stands in the placeholder's place in a metric's name; None if the name is of another row."""
        before, _, rest = self.name.partition("<")
        after = rest.partition(">")[2]
        long_enough = len(name) > len(before) + len(after)
        fits = long_enough and name.startswith(before) and name.endswith(after)
        return name[len(before) : len(name) - len(after)] if fits else None

    def form(self, values: Iterable[float | None], currency: str = "USD") -> Form:
        """How these figures of the metric are written side by side."""
        some = [value for value in values if value is not None]
        largest = max(map(abs, some), default=0.0)
        if self.unit is Unit.MONEY:
            return Form(label=self.label, scale=money_scale(largest, currency))
        if self.unit in (Unit.VM_HOURS, Unit.HOURS, Unit.LOAD_HOURS):
            return Form(label=self.label, scale=replace(hours_scale(largest), unit=str(self.unit)))
        if self.unit is Unit.SECONDS:
            return Form(label=self.label, scale=Scale(unit="s", decimals=1))
        if self.unit is Unit.SHARE:
            # Three decimals where one is nearly nothing or all, as an availability of three nines.
            decimals = 3 if any(0.0 < share < NEARLY or 1.0 - NEARLY < share < 1.0 for share in some) else 2
            return Form(label=self.label, scale=Scale(unit="%", decimals=decimals), times=100.0)
        decimals = 0 if all(value == round(value) for value in some) else 1 if largest >= 10 else 2
        return Form(label=self.label, scale=Scale(unit="VMs" if self.unit is Unit.VMS else "", decimals=decimals))


METRICS = Registry[Metric]("metric", base=Metric, names=DOTTED, texts=("label",))
PRETAX = "list prices are without tax"
"""Microsoft, *Azure rate card resources* (Partner Center): all rates are pretax."""


def add_metrics(*rows: Metric) -> None:
    """Register rows under their names."""
    for row in rows:
        METRICS.add(row.name, row)


def find_metric(name: str) -> Metric | None:
    """The row of a metric, its label filled in; None where no row stands for it.

    >>> find_metric("no such metric") is None
    True
    """
    return _found(name, METRICS.version)


@lru_cache(maxsize=4096)
def _filled(pattern: str, word: str) -> str:
    return _PLACEHOLDER.sub(lambda _: word, pattern)


@lru_cache(maxsize=4096)
def _found(name: str, _version: int) -> Metric | None:
    if name in METRICS:
        return METRICS[name]
    for row in METRICS.values():
        word = row.word_in(name) if row.is_pattern else None
        if word is not None:
            label = _PLACEHOLDER.sub(lambda _, word=word: word.replace("_", " "), row.label)  # type: ignore[misc]
            ratio = row.ratio_of and (_filled(row.ratio_of[0], word), _filled(row.ratio_of[1], word))
            return replace(row, name=name, label=label, ratio_of=ratio)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """How the figures of one result are written: all its money like the total, all its VM-hours like their sum."""

    currency: str
    means: Mapping[str, float | None] = field(default_factory=dict)  # of the whole fleet

    def of(self, name: str, *values: float | None) -> Form:
        """The form of a metric's figures that stand side by side; without a row (a newer folder): under its own name."""
        row = find_metric(name) or Metric(name=name, label=name, unit=Unit.COUNT, definition="", section="events")
        if row.unit is Unit.MONEY:
            return row.form([*values, self.means.get("cost.total")], self.currency)
        if row.unit is Unit.VM_HOURS:
            return row.form([*values, sum(h or 0.0 for name, h in self.means.items() if name.startswith("hours."))])
        return row.form(values, self.currency)


def domain_of(name: str) -> tuple[float, float]:
    """Least and largest value of a metric."""
    row = find_metric(name)
    return (0.0, math.inf) if row is None else row.domain


def hosts_sentence(hosts: Sequence[str]) -> str:
    """What a bill leaves out: clusters of hosts without a price; "" where there are none."""
    if not hosts:
        return ""
    return f"The hosts of {list_words(hosts, 'and')} have no price here (platform.hosts.hourly): VMs on them pay for themselves."


def trace_sentence(sizes: Mapping[str, str], most: int = 8) -> str:
    """Which sizes were taken for the VMs of traces, by group; "" where there are none."""
    if not sizes:
        return ""
    named = [f"{size} for {group}" for group, size in [*sizes.items()][:most]]
    rest = [f"{len(sizes) - most:,} more"] if len(sizes) > most else []
    return f"Sizes taken for VMs of traces: {list_words([*named, *rest], 'and')}."


def trust_sentence(share: float | None, of: str = "the cost") -> str:
    """How far the prices of a result may be believed, from its `cost.trusted_share`; "" where it has none (an older folder)."""
    if share is None:
        return ""
    if share >= 1.0:
        return f"All of {of} is at list prices, imported prices or your own; {PRETAX}."
    return (
        f"{percent(share)} of {of} is at list, imported or your own prices, the rest estimated or a stand-in; {PRETAX}."
    )


def better_direction(name: str) -> str:
    """LOWER or HIGHER, or "" where neither is for us to say."""
    row = find_metric(name)
    return "" if row is None else row.better


def order_metrics(rows: Iterable[Metric]) -> list[Metric]:
    """Rows by section, families together, otherwise as they were registered."""
    rows = list(rows)
    first = {row.family: place for place, row in reversed(list(enumerate(rows)))}
    return sorted(rows, key=lambda row: (SECTIONS.index(row.section), first[row.family]))
