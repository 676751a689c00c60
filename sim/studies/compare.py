"""What-if: variants of a fleet compared with a base, on common random numbers.

Replication k of every variant draws from the same named streams (common random numbers), so its difference from
replication k of the base is mostly what the change did. Law, *Simulation Modeling and Analysis*, 10.2 and 11.2.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Unpack

from sim.errors import InputError
from sim.fields.metrics import hosts_sentence
from sim.fields.numbers import how_many
from sim.runs.atomic_write import COMPARISON
from sim.runs.frames import DataFrame, frame
from sim.runs.metrics import FLEET, HEADLINES, check_metric
from sim.runs.options import CAP, PreciseKeywords, options_from
from sim.runs.pictures import Pictured, html_rows
from sim.runs.replication_runner import ReplicationRunner, run_together
from sim.runs.run import loaded
from sim.runs.run_result import AS_ASKED, RunResult
from sim.runs.stopping import FIRST_ROUND, ROUND, look_ahead
from sim.runs.warm_up import with_warm_ups
from sim.scenario.scenario import Scenario
from sim.studies.causes import CAUSE_COLUMNS, CausedDifference, cause_rows, difference_by_cause
from sim.studies.cost_words import comparison_sheet, cost_answer
from sim.studies.differences import Difference, Paired, interval_of, judged, p_value_of, paired
from sim.studies.study_folders import hours_of, period_of, write_study

NO_GAIN = 1.05  # or less: independent streams would need no more replications to speak of


@dataclass(frozen=True, kw_only=True)
class Comparison(Pictured):
    """A base and its variants over the same replications."""

    base: RunResult
    variants: Mapping[str, RunResult]
    confidence: float
    stopped: str  # why there are as many replications as there are

    @property
    def n(self) -> int:
        """Pairs of replications."""
        return self.base.n

    @property
    def currency(self) -> str:
        """The unit of every amount: scenarios in different ones are not compared."""
        return self.base.scenario.prices.currency

    @cached_property
    def differences(self) -> Mapping[str, Mapping[str, Difference]]:
        """By variant and metric, for the whole fleet."""
        return judged({name: self._raw(name, FLEET) for name in self.variants}, FLEET, self.confidence)

    @cached_property
    def group_differences(self) -> Mapping[str, Mapping[str, Mapping[str, Difference]]]:
        """By group, variant and metric, for the groups that base and variant both have."""
        found = {}
        for group in self.base.groups:
            raw = {name: self._raw(name, group) for name, run in self.variants.items() if group in run.groups}
            if raw:
                found[group] = judged(raw, group, self.confidence)
        return found

    @cached_property
    def causes(self) -> Mapping[str, tuple[CausedDifference, ...]]:
        """Why the cost of each variant differs, by group and cause; of the whole fleet first (group "")."""
        return {name: difference_by_cause(self.base, run) for name, run in self.variants.items()}

    def difference(self, variant: str, metric: str = "cost.total", group: str = FLEET) -> Difference:
        """One difference; raises InputError for names that don't exist."""
        if variant not in self.variants:
            raise InputError(f"there is no variant {variant!r}; there are {', '.join(self.variants)}")
        by_metric = self.differences[variant] if group == FLEET else self.group_differences[group][variant]
        check_metric(metric, by_metric)
        return by_metric[metric]

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before relying on the differences."""
        runs = (self.base, *self.variants.values())
        hosts = dict.fromkeys(name for run in runs for name in run.scenario.unpriced_hosts())
        found = [hosts_sentence([*hosts])] if hosts else []
        for name, by_metric in self.differences.items():
            cost = by_metric["cost.total"]
            together = cost.correlation
            if together is None:
                continue
            if together <= 0.0:
                what = f"are not positively correlated ({together:.2f})"
            elif cost.gain is not None and cost.gain < NO_GAIN:
                what = f"are hardly correlated ({together:.2f})"
            else:
                continue
            found.append(
                f"{name}: the costs of base and variant {what}; common random numbers gain nothing here: independent "
                f"runs would do as well{_why(cost)}"
            )
        return found

    def summary(self) -> dict[str, Any]:
        """The content of `comparison.json`."""
        return {
            "base": self.base.scenario.name,
            "currency": self.currency,
            "variants": list(self.variants),
            "seed": self.base.seed,
            "replications": self.n,
            "confidence": self.confidence,
            **period_of([run.scenario for run in (self.base, *self.variants.values())]),
            "variant_hours": {name: hours_of(run.scenario) for name, run in self.variants.items()},
            "stopped": self.stopped,
            "warnings": self.warnings,
            "base_metrics": {name: estimate.as_dict() for name, estimate in self.base.metrics.items()},
            "causes": {
                name: [row for row in cause_rows(causes, self.confidence) if row["group"] == FLEET]
                for name, causes in self.causes.items()
            },
            "differences": _as_dicts(self.differences),
            "groups": {group: _as_dicts(by_variant) for group, by_variant in self.group_differences.items()},
        }

    def frame(self) -> DataFrame:
        """Every difference, tidy: variant, group, metric and the fields of `Difference`."""
        everywhere = {FLEET: self.differences, **self.group_differences}
        return frame(
            {"variant": variant, "group": group, "metric": metric, **difference.as_dict()}
            for group, by_variant in everywhere.items()
            for variant, by_metric in by_variant.items()
            for metric, difference in by_metric.items()
        )

    def write(self, folder: str | Path) -> Path:
        """Write comparison.json, the causes by group, every figure of every replication, and each scenario."""
        runs = {"base": self.base, **self.variants}
        causes = [
            (name, *row.values()) for name, found in self.causes.items() for row in cause_rows(found, self.confidence)
        ]
        summary = self.summary()
        return write_study(
            folder,
            (COMPARISON, summary),
            {name: run.scenario for name, run in runs.items()},
            [*runs.values()],
            [("causes", ("variant", *CAUSE_COLUMNS), causes)],
            figures=("variant", runs),
            sheet=comparison_sheet(summary),
            study="compare",
        )

    def __repr__(self) -> str:
        costs = ", ".join(f"{name}: {_signed(by_metric['cost.total'])}" for name, by_metric in self.differences.items())
        return f"<comparison with {self.base.scenario.name!r} over {how_many(self.n, 'replication')}, {self.currency}: {costs}>"

    def _repr_html_(self) -> str:
        """The answer and why, for notebooks."""
        answer = cost_answer(self.summary())
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in answer.sentences())
        return said + html_rows(*answer.table())

    def _raw(self, variant: str, group: str) -> dict[str, Paired]:
        run = self.variants[variant]
        return {
            metric: paired(run.values, self.base.values, metric, group)
            for metric in self.base.metric_names(group)
            if metric in run.metric_names(group)
        }


def _as_dicts(by_variant: Mapping[str, Mapping[str, Difference]]) -> dict[str, Any]:
    return {
        variant: {metric: difference.as_dict() for metric, difference in by_metric.items()}
        for variant, by_metric in by_variant.items()
    }


def compare(
    base: Scenario | str | Path,
    *variants: Scenario | str | Path | Mapping[str, Scenario],
    **keywords: Unpack[PreciseKeywords],
) -> Comparison:
    """Simulate a base and its variants on common random numbers and say what each change does to each metric.

    *seed* and *replications* default to the base's. With *precision*, rounds are added until every difference of a
    headline metric is known within that share of the base's figure, or its sign is decided (a difference near zero
    never meets a precision relative to itself). A mapping names the variants; otherwise their scenarios' names are used.
    """
    base = loaded(base)
    options = options_from(keywords, PreciseKeywords, "compare").seeded(base)
    named = _named(base, variants)
    _check_currency(base, named)
    runners = [ReplicationRunner(each, options) for each in with_warm_ups([base, *named.values()], options)]

    def run_until(upto: int, expected: int) -> Comparison:
        run_together(runners, upto, len(runners) * expected)
        runs = [runner.result() for runner in runners]
        return Comparison(
            base=runs[0], variants=dict(zip(named, runs[1:], strict=True)), confidence=base.confidence, stopped=AS_ASKED
        )

    precision, cap = options.precision, options.cap
    if precision is None:
        return run_until(options.count(base), options.count(base))
    upto, look, expected = min(FIRST_ROUND, cap), 1, cap
    while True:
        comparison = run_until(upto, expected)
        why = _why_stop(comparison, precision, look, cap)
        if why:
            return Comparison(**{**vars(comparison), "stopped": why})
        upto, look = min(upto + ROUND, cap), look + 1
        expected = max(upto, min(cap, _expected(comparison, precision)))


def _check_currency(base: Scenario, named: Mapping[str, Scenario]) -> None:
    for name, scenario in named.items():
        if scenario.prices.currency != base.prices.currency:
            raise InputError(
                f"{name} is priced in {scenario.prices.currency} and the base in {base.prices.currency}: "
                "amounts can't be compared; give both the same price list"
            )


def _why(cost: Difference) -> str:
    """Why two bills are uncorrelated, where one of them hardly varies at all."""
    if cost.sd_base is None or cost.sd_variant is None or cost.mean is None:
        return "."
    less, more = sorted((cost.sd_base, cost.sd_variant))
    if less > more / 5:
        return "."
    which = "base" if cost.sd_base == less else "variant"
    return (
        f". The bill of the {which} hardly varies (standard deviation {less:.3g} against {more:.3g}), so there is "
        "little variation to share."
    )


def _named(base: Scenario, variants: Sequence[Scenario | str | Path | Mapping[str, Scenario]]) -> dict[str, Scenario]:
    """Variants by unique names: the scenario's, the file's where scenarios share one, else with a number."""
    named: dict[str, Scenario] = {}
    plain: list[tuple[Scenario, str]] = []
    for given in variants:
        if isinstance(given, Scenario):
            plain.append((given, given.path.stem if given.path else given.name))
        elif isinstance(given, Mapping):
            named.update({name: loaded(scenario) for name, scenario in given.items()})
        else:
            plain.append((loaded(given), Path(given).stem))
    names = [scenario.name for scenario, _ in plain]
    for scenario, stem in plain:
        unique = names.count(scenario.name) == 1 and scenario.name not in named and scenario.name != base.name
        name = scenario.name if unique else stem
        number = 2
        while name in named:
            name, number = f"{stem} ({number})", number + 1
        named[name] = scenario
    if not named:
        raise InputError("nothing to compare with: give at least one variant beside the base")
    return named


def _why_stop(comparison: Comparison, precision: float, look: int, cap: int) -> str:
    """Why no further round is needed, or ""."""
    family = len(HEADLINES) * len(comparison.variants)
    level = (1 - comparison.confidence) / family
    ahead = look_ahead(comparison.n)
    undecided = []
    for variant, run in comparison.variants.items():
        for metric in HEADLINES:
            is_known = all(
                _is_known(_cut(run, comparison.base, metric, n), precision, level, look)
                for n in range(max(2, comparison.n - ahead), comparison.n + 1)
            )
            if not is_known:
                undecided.append(f"{variant}: {metric}")
    if not undecided:
        return f"every headline difference is within {precision:.3g} of the base's figure, or its sign is decided"
    if comparison.n >= cap:
        return f"the cap of {how_many(cap, 'replication')} was hit; still open: {', '.join(undecided)}"
    return ""


def _expected(comparison: Comparison, precision: float) -> int:
    """About how many replications it will take, for the time left: until the widest open difference is as narrow as asked."""
    most = float(comparison.n)
    for by_metric in comparison.differences.values():
        for metric in HEADLINES:
            found, base = by_metric[metric], comparison.base.estimate(metric).mean
            decided = found.low is not None and found.high is not None and (found.low > 0.0 or found.high < 0.0)
            if found.half_width and base and not decided:
                most = max(most, comparison.n * (found.half_width / (precision * abs(base))) ** 2)
    return math.ceil(min(most, CAP) / ROUND) * ROUND


def _cut(run: RunResult, base: RunResult, metric: str, n: int) -> Paired:
    return paired(lambda m, g: run.values(m, g)[:n], lambda m, g: base.values(m, g)[:n], metric, FLEET)


def _is_known(found: Paired, precision: float, level: float, look: int) -> bool:
    if found.mean is None or not any(found.differences):
        return True
    half = interval_of(found, 1 - level).half_width
    if half is None:
        return False
    if half <= precision * abs(found.base_mean or 0.0):
        return True
    # Repeated looks would decide some sign by chance: look k gets the share 6 / (pi k)^2 of the level.
    return p_value_of(found) <= level * 6 / (math.pi * look) ** 2


def _signed(difference: Difference) -> str:
    if difference.mean is None:
        return "–"
    within = "" if difference.half_width is None else f" ± {difference.half_width:,.6g}"
    return f"{difference.mean:+,.6g}{within}"
