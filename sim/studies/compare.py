"""What-if: variants of a fleet beside a base, played under the same luck.

Replication k of every variant draws from the same named streams (common random numbers), so its difference from
replication k of the base is mostly what the change did. Law, *Simulation Modeling and Analysis*, 10.2 and 11.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.errors import InputError
from sim.runs.executors import Executor, Workers
from sim.runs.metrics import FLEET, HEADLINES, check_metric
from sim.runs.replication_runner import Progress, ReplicationRunner, no_progress, replications_asked, run_together
from sim.runs.run import loaded
from sim.runs.run_result import RunResult
from sim.runs.stopping import CAP, FIRST_ROUND, ROUND, check_precision, look_ahead
from sim.runs.warm_up import settled
from sim.statistics.intervals import t_quantile
from sim.studies.differences import Difference, Paired, judged, p_value_of, paired

if TYPE_CHECKING:
    import pandas as pd

    from sim.runs.cache import RunCache
    from sim.scenario.scenario import Scenario


AS_ASKED = "as many replications as were asked for"
NO_GAIN = 1.05  # or less: independent streams would need no more replications to speak of


@dataclass(frozen=True, kw_only=True)
class Comparison:
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

    def difference(self, variant: str, metric: str = "cost.total", group: str = FLEET) -> Difference:
        """One difference; raises InputError for names that don't exist."""
        if variant not in self.variants:
            raise InputError(f"there is no variant {variant!r}; there are {', '.join(self.variants)}")
        by_metric = self.differences[variant] if group == FLEET else self.group_differences[group][variant]
        check_metric(metric, by_metric)
        return by_metric[metric]

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before believing the differences."""
        told = []
        for name, by_metric in self.differences.items():
            cost = by_metric["cost.total"]
            together = cost.correlation
            if together is None:
                continue
            if together <= 0.0:
                what = f"are not positively correlated ({together:.2f})"
            elif cost.gain is not None and cost.gain < NO_GAIN:
                what = f"have hardly any luck in common (correlation {together:.2f})"
            else:
                continue
            told.append(
                f"{name}: the costs of base and variant {what}; common streams gained nothing here: independent runs "
                f"would do as well{_why(cost)}"
            )
        return told

    def summary(self) -> dict[str, Any]:
        """The content of `comparison.json`."""
        return {
            "base": self.base.scenario.name,
            "currency": self.currency,
            "variants": list(self.variants),
            "seed": self.base.seed,
            "replications": self.n,
            "confidence": self.confidence,
            "stopped": self.stopped,
            "warnings": self.warnings,
            "base_metrics": {name: estimate.as_dict() for name, estimate in self.base.metrics.items()},
            "differences": {
                variant: {metric: difference.as_dict() for metric, difference in by_metric.items()}
                for variant, by_metric in self.differences.items()
            },
            "groups": {
                group: {
                    variant: {metric: difference.as_dict() for metric, difference in by_metric.items()}
                    for variant, by_metric in by_variant.items()
                }
                for group, by_variant in self.group_differences.items()
            },
        }

    def frame(self) -> pd.DataFrame:
        """Every difference, tidy: variant, group, metric and the fields of `Difference`."""
        import pandas as pd

        everywhere = {FLEET: self.differences, **self.group_differences}
        return pd.DataFrame(
            [
                {"variant": variant, "group": group, "metric": metric, **difference.as_dict()}
                for group, by_variant in everywhere.items()
                for variant, by_metric in by_variant.items()
                for metric, difference in by_metric.items()
            ]
        )

    def write(self, folder: str | Path) -> Path:
        """Write comparison.json, the runs and their scenarios; see `sim.studies.study_folders`."""
        from sim.studies.study_folders import write_comparison

        return write_comparison(self, folder)

    def __repr__(self) -> str:
        told = ", ".join(f"{name}: {_signed(by_metric['cost.total'])}" for name, by_metric in self.differences.items())
        return f"<comparison with {self.base.scenario.name!r} over {self.n} replications, {self.currency}: {told}>"

    def _repr_html_(self) -> str:
        """A small table for notebooks."""
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{metric}</td><td>{_signed(by_metric[metric])}</td>"
            f"<td>{by_metric[metric].verdict}</td></tr>"
            for name, by_metric in self.differences.items()
            for metric in HEADLINES
        )
        head = "<tr><th>variant</th><th>metric</th><th>difference</th><th>verdict</th></tr>"
        return f"<table><caption>against {escape(self.base.scenario.name)}</caption>{head}{rows}</table>"

    def _raw(self, variant: str, group: str) -> dict[str, Paired]:
        run = self.variants[variant]
        return {
            metric: paired(run.values, self.base.values, metric, group)
            for metric in self.base.metric_names(group)
            if metric in run.metric_names(group)
        }


def compare(
    base: Scenario | str | Path,
    *variants: Scenario | str | Path | Mapping[str, Scenario],
    replications: int | None = None,
    seed: int | None = None,
    jobs: int = 1,
    engine: str = "auto",
    precision: float | None = None,
    progress: Progress | None = None,
    cache: RunCache | None = None,
    workers: Executor | None = None,
) -> Comparison:
    """Play a base and its variants under the same luck and say what each change does to each metric.

    *seed* and *replications* default to the base's. With *precision*, rounds are added until every difference of a
    headline metric is known within that share of the base's figure, or its sign is decided (a difference near zero
    never meets a precision relative to itself). A mapping names the variants; else they are called by their scenarios.
    """
    base = loaded(base)
    named = _named(base, variants)
    _check_currency(base, named)
    check_precision(precision)
    count = replications_asked(base, replications)
    executor = workers or Workers(jobs=jobs)
    tell = progress or no_progress
    seed = base.seed if seed is None else seed
    how: dict[str, Any] = {"seed": seed, "engine": engine, "workers": executor, "cache": cache}
    scenarios = settled([base, *named.values()], progress=tell, **how)
    runners = [ReplicationRunner(scenario, **how) for scenario in scenarios]

    def run_until(upto: int, expected: int) -> Comparison:
        run_together(runners, upto, lambda done: tell(done, len(runners) * expected))
        runs = [runner.result() for runner in runners]
        return Comparison(
            base=runs[0], variants=dict(zip(named, runs[1:], strict=True)), confidence=base.confidence, stopped=AS_ASKED
        )

    if precision is None:
        return run_until(count, count)
    cap = CAP if replications is None else replications
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
    """Why two bills have no luck in common, where one of them has hardly any at all."""
    if cost.sd_base is None or cost.sd_variant is None or cost.mean is None:
        return "."
    less, more = sorted((cost.sd_base, cost.sd_variant))
    if less > more / 5:
        return "."
    which = "base" if cost.sd_base == less else "variant"
    return (
        f". The bill of the {which} hardly varies (standard deviation {less:.3g} against {more:.3g}), so there is little "
        "luck to share."
    )


def _named(base: Scenario, variants: Sequence[Scenario | str | Path | Mapping[str, Scenario]]) -> dict[str, Scenario]:
    """Variants by a name of their own: the scenario's, the file's where scenarios share one, a number if all else fails."""
    from sim.scenario.scenario import Scenario

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
    open_still = []
    for variant, run in comparison.variants.items():
        for metric in HEADLINES:
            settled = all(
                _settled(_cut(run, comparison.base, metric, n), precision, level, look)
                for n in range(max(2, comparison.n - ahead), comparison.n + 1)
            )
            if not settled:
                open_still.append(f"{variant}: {metric}")
    if not open_still:
        return f"every headline difference is within {precision:.3g} of the base's figure, or its sign is decided"
    if comparison.n >= cap:
        return f"the cap of {cap} replications was hit; still open: {', '.join(open_still)}"
    return ""


def _expected(comparison: Comparison, precision: float) -> int:
    """About how many replications it will take, for the time left: until the widest open difference is as narrow as asked."""
    most = float(comparison.n)
    for by_metric in comparison.differences.values():
        for metric in HEADLINES:
            found, base = by_metric[metric], comparison.base.estimate(metric).mean
            if found.half_width and base and not _is_decided(found):
                most = max(most, comparison.n * (found.half_width / (precision * abs(base))) ** 2)
    return math.ceil(min(most, CAP) / ROUND) * ROUND


def _is_decided(found: Difference) -> bool:
    return found.low is not None and found.high is not None and (found.low > 0.0 or found.high < 0.0)


def _cut(run: RunResult, base: RunResult, metric: str, n: int) -> Paired:
    return paired(lambda m, g: run.values(m, g)[:n], lambda m, g: base.values(m, g)[:n], metric, FLEET)


def _settled(found: Paired, precision: float, level: float, look: int) -> bool:
    if found.mean is None or not any(found.differences):
        return True
    if found.standard_error is None:
        return False
    half = found.standard_error and t_quantile(1 - level / 2, found.n - 1) * found.standard_error
    if half <= precision * abs(found.base_mean or 0.0):
        return True
    # Looking again and again would decide some sign by luck: look k gets the share 6 / (pi k)^2 of the level.
    return p_value_of(found) <= level * 6 / (math.pi * look) ** 2


def _signed(difference: Difference) -> str:
    if difference.mean is None:
        return "–"
    within = "" if difference.half_width is None else f" ± {difference.half_width:,.6g}"
    return f"{difference.mean:+,.6g}{within}"
