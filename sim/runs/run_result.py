"""The result of one scenario: its replications, and every figure computed from them."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engines.engine_selection import feature_for_simpy
from sim.errors import InputError
from sim.fields.metrics import domain_of
from sim.fields.numbers import how_many
from sim.lifecycle.power import PowerState
from sim.runs.answer_words import stopping_words
from sim.runs.atomic_write import SUMMARY, new_folder
from sim.runs.cache import keep_parts
from sim.runs.digests import PROVENANCE
from sim.runs.event_writer import merge
from sim.runs.frames import DataFrame, frame
from sim.runs.kept import Replications
from sim.runs.metrics import FLEET, RATIOS, check_metric, html_table
from sim.runs.pictures import Pictured
from sim.runs.provenance import catalogue_facts, closed_days, input_digest, program, timing
from sim.runs.result_tables import METRIC_COLUMNS, metric_rows, write_json, write_replications
from sim.runs.simulation_input import SimulationInput
from sim.runs.summary_csv import run_sheet, write_sheet
from sim.scenario.scenario import Scenario
from sim.statistics.intervals import NOT_NEGATIVE, Estimate, estimate_mean, estimate_ratio
from sim.statistics.quantiles import clopper_pearson, percentile, quantile_interval, replications_for, wilson_interval
from sim.units import SECONDS_PER_HOUR

PARTS = "parts"  # the folder in which a shard keeps its replications
AS_ASKED = "as many replications as were asked for"


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """Why a run ended after as many replications as it did, where a precision was asked for."""

    precision: float  # relative half-width that was asked for
    reached: bool
    capped: bool  # the cap came before the precision
    waited_for: tuple[str, ...]  # the metrics that had to reach it


@dataclass(frozen=True, kw_only=True)
class RunResult(Pictured):
    """One scenario, replicated: estimates, frames, the result folder.

    Groups have their names; the whole fleet is the group "".
    """

    scenario: Scenario
    inputs: SimulationInput = field(compare=False, repr=False)
    seed: int
    replications: Replications
    engine_asked: str
    engine_why_said: str = ""  # instead of the reasons of all replications
    stopping: Stopping | None = None
    budget_usd: float | None = None  # the summary reports how likely the bill exceeds it
    wall_s: float = field(default=0.0, compare=False)
    has_events: bool = False
    shard: range | None = None  # only these numbers of a run's replications
    scratch: TemporaryDirectory[str] | None = field(default=None, compare=False, repr=False)  # holds event parts

    @property
    def n(self) -> int:
        """Replications simulated."""
        return len(self.replications)

    @property
    def confidence(self) -> float:
        """Level of every interval."""
        return self.scenario.confidence

    @property
    def engine(self) -> str:
        """The engine that ran: `simpy`, `compiled`, or both names if replications differ."""
        return "+".join(sorted({head["engine"] for head in self.replications.heads}))

    @property
    def engine_why(self) -> str:
        """Why that engine ran."""
        said = "; ".join(sorted({head["why"] for head in self.replications.heads if head["why"]}))
        return self.engine_why_said or said or "as asked for"

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups, in the scenario's order, without the fleet."""
        return tuple(group for group in self.replications.names if group != FLEET)

    def metric_names(self, group: str = FLEET) -> tuple[str, ...]:
        """Every metric of a group, in the order of the result folder."""
        if group not in self.replications.names:
            raise InputError(f"there is no group {group!r}; there are {', '.join(self.groups)} and '' for the fleet")
        return self.replications.names[group]

    def has(self, metric: str, group: str = FLEET) -> bool:
        """Whether the metric is defined in any replication."""
        return metric in RATIOS or metric in self.metric_names(group)

    def values(self, metric: str, group: str = FLEET) -> list[float]:
        """The metric in each replication; NaN where it isn't defined."""
        found: list[float] = self._column(metric, group).tolist()
        return found

    def _column(self, metric: str, group: str) -> NDArray[np.float64]:
        if metric not in self.replications.names.get(group, ()):
            check_metric(metric, self.metric_names(group))
        return self.replications.values(metric, group)

    def estimate(self, metric: str, group: str = FLEET) -> Estimate:
        """The metric over all replications: mean with its interval, spread, percentiles."""
        return estimate_of(self._column, metric, group, self.confidence)

    def ratio(self, top: str, bottom: str, group: str = FLEET) -> Estimate:
        """One metric per unit of another, such as `cost.total` per `served_hours`: a ratio of means."""
        return estimate_ratio(self.values(top, group), self.values(bottom, group), self.confidence, NOT_NEGATIVE)

    def hourly(self, state: str, group: str = FLEET) -> list[Estimate]:
        """VMs in a power state in each counted clock hour (its mean over the hour), in order."""
        column = list(PowerState).index(PowerState(state))
        groups = self.groups if group == FLEET else (group,)
        by_replication = [
            [math.fsum(hour) for hour in zip(*(each.timeline[name].vms[:, column] for name in groups), strict=True)]
            for each in self.replications
        ]
        return [estimate_mean(hour, self.confidence, NOT_NEGATIVE) for hour in zip(*by_replication, strict=True)]

    def cost_by_month(self) -> dict[str, Estimate]:
        """What each calendar month (UTC, "2026-01") costs; a month that the run cuts, its part."""
        months = [each.daily_cost.by_month() for each in self.replications]
        return {
            month: estimate_mean([math.fsum(own[month]) for own in months], self.confidence, NOT_NEGATIVE)
            for month in months[0]
        }

    def quantile(self, metric: str, p: float, group: str = FLEET) -> tuple[float, float | None, float | None]:
        """The p-quantile over the replications, and bounds from order statistics; None where so few can't give one.

        The P95 bill is exceeded by one month in twenty.
        """
        if not 0.0 < p < 1.0:
            raise InputError(f"p is {p}; a quantile lies above 0 and below 1")
        values = [value for value in self.values(metric, group) if not math.isnan(value)]
        if not values:
            return math.nan, None, None
        return percentile(values, p), *quantile_interval(values, p, self.confidence)

    def probability_above(self, metric: str, limit: float, group: str = FLEET) -> tuple[float, float, float]:
        """The share of replications in which the metric exceeded *limit*, with Clopper-Pearson bounds.

        The probability that a month exceeds its budget, and how well so many months show it: 0 of 20 still allows 17 %.
        """
        values = self.values(metric, group)
        above = sum(value > limit for value in values)
        low, high = clopper_pearson(above, len(values), self.confidence)
        return above / len(values), low, high

    @cached_property
    def metrics(self) -> Mapping[str, Estimate]:
        """Every metric of the fleet."""
        return {name: self.estimate(name) for name in self.metric_names()}

    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        summary: dict[str, Any] = {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "replications": self.n,
            **({"shard": {"first": self.shard.start, "last": self.shard.stop - 1}} if self.shard is not None else {}),
            "start": self.scenario.start.isoformat(),
            "horizon_h": self.scenario.horizon_s / SECONDS_PER_HOUR,
            "warm_up_h": self.scenario.warm_up_s / SECONDS_PER_HOUR,
            **self.scenario.month.as_dict(),
            **({"ready_limit": True} if any(g.ready.model_fields_set for g in self.scenario.groups) else {}),
            **({"warm_up_found": True} if self.scenario.warm_up_found else {}),
            "engine": self.engine,
            **({"needs_simpy": feature} if (feature := feature_for_simpy(self.inputs.plan)) else {}),
            "billing_policy": self.scenario.billing_policy,
            "currency": self.scenario.prices.currency,
            "confidence": self.confidence,
            **({"trace_sizes": sizes} if (sizes := self.scenario.trace_sizes()) else {}),
            **({"unpriced_hosts": hosts} if (hosts := self.scenario.unpriced_hosts()) else {}),
        }
        if self.stopping is not None:
            summary["stopping"] = asdict(self.stopping)
        if self.budget_usd is not None:
            share, low, high = self.probability_above("cost.total", self.budget_usd)
            wilson = wilson_interval(round(share * self.n), self.n, self.confidence)
            summary["budget"] = {
                "usd": self.budget_usd,
                "breach_probability": share,
                "replications_above": round(share * self.n),
                "low": low,
                "high": high,
                "wilson": dict(zip(("low", "high"), wilson, strict=True)),
            }
        summary["bill_quantiles"] = {
            f"p{100 * p:.0f}": {
                **dict(zip(("value", "low", "high"), self.quantile("cost.total", p), strict=True)),
                **({} if self.n >= replications_for(p) else {"value": None}),
            }
            for p in (0.5, 0.9, 0.95, 0.99)
        }
        summary["metrics"] = {name: estimate.as_dict() for name, estimate in self.metrics.items()}
        summary["groups"] = {
            group: {"metrics": {name: self.estimate(name, group).as_dict() for name in self.metric_names(group)}}
            for group in self.groups
        }
        return summary

    def frame(self) -> DataFrame:
        """Every figure of every replication, tidy: replication, group, metric, value."""
        return frame(metric_rows(self.replications), METRIC_COLUMNS)

    def table(self) -> DataFrame:
        """Every estimate, tidy: group, metric, mean, sd, low, high, half_width, n and percentiles."""
        return frame(
            {"group": group, "metric": metric, **self.estimate(metric, group).as_dict()}
            for group in (FLEET, *self.groups)
            for metric in self.metric_names(group)
        )

    def provenance(self) -> dict[str, Any]:
        """The content of `provenance.json`."""
        why = self.stopping
        return {
            **program(),
            "scenario": {"name": self.scenario.name, "digest": input_digest(self.inputs)},
            **({"processes": [each.name for each in beside]} if (beside := self.inputs.plan.processes) else {}),
            "seed": self.seed,
            "replications": self.n,
            "engine": {"played": self.engine, "asked": self.engine_asked, "why": self.engine_why},
            "stopping": AS_ASKED if why is None else stopping_words(why.precision, why.waited_for, why.reached),
            "catalogue": catalogue_facts(self.inputs),
            **({"closed_days": days} if (days := closed_days(self.inputs)) else {}),
            "defaults": [asdict(each) for each in self.scenario.defaults_in_use()],
            "timing": timing(self.wall_s),
        }

    def write(self, folder: str | Path) -> Path:
        """Write the result folder of one run. Raises ResultError; then nothing is half written."""
        with new_folder(folder) as place:
            summary = self.summary()
            write_json(place / SUMMARY, summary)
            write_sheet(place, run_sheet(summary))
            write_json(place / PROVENANCE, self.provenance())
            (place / "scenario.toml").write_text(self.scenario.to_toml(), encoding="utf-8")
            write_replications(place, self.replications)
            if self.shard is not None:
                keep_parts(place / PARTS, self.replications)  # with their events
            elif self.has_events:
                merge((each for each in self.replications.events() if each is not None), place / "events.parquet")
        return Path(folder)

    def __repr__(self) -> str:
        cost = self.estimate("cost.total")
        within = "" if cost.half_width is None else f" ± {cost.half_width:,.2f}"
        return f"<run of {self.scenario.name!r}: {how_many(self.n, 'replication')}, {self.scenario.prices.currency} {cost.mean:,.2f}{within}>"

    def _repr_html_(self) -> str:
        """A small table for notebooks."""
        metrics = {name: self.estimate(name).as_dict() for name in self.metric_names()}
        caption = f"{self.scenario.name}: {how_many(self.n, 'replication')}, seed {self.seed}"
        return html_table(caption, metrics, self.scenario.prices.currency)


def estimate_of(values: Any, metric: str, group: str, confidence: float) -> Estimate:
    """A metric's estimate from a function (metric, group) -> one value a replication; ratios as ratios of means."""
    if metric in RATIOS:
        top, bottom = (np.asarray(values(each, group)).tolist() for each in RATIOS[metric])
        return estimate_ratio(top, bottom, confidence, domain_of(metric))
    found = np.asarray(values(metric, group), dtype=np.float64)
    return estimate_mean(found[~np.isnan(found)].tolist(), confidence, domain_of(metric))


def write(result: RunResult, folder: str | Path) -> Path:
    """Write the result folder of one run and return its path; see `RunResult.write`."""
    return result.write(folder)
