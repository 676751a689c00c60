"""Which inputs matter: one at a time (tornado), Morris to screen many factors, Sobol indices for few.

All points share their random numbers, so that differences come from the factors. Morris (1991), "Factorial
sampling plans for preliminary computational experiments", Technometrics 33; Saltelli et al. (2010), "Variance based
sensitivity analysis of model output", Comput. Phys. Commun. 181.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, Unpack

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sim.errors import InputError
from sim.fields.numbers import how_many
from sim.runs.frames import DataFrame, frame
from sim.runs.metrics import FLEET
from sim.runs.options import RunOptions, StudyKeywords, options_from
from sim.runs.pictures import Pictured
from sim.runs.replication_runner import ReplicationRunner, run_together
from sim.runs.run import loaded
from sim.runs.run_result import RunResult
from sim.runs.warm_up import with_warm_ups
from sim.scenario.scenario import Scenario
from sim.statistics.intervals import mean_interval, variance_of
from sim.studies.answers import check_metrics
from sim.studies.axes import bounds_of, changed, format_exact, label_of
from sim.studies.compare import compare
from sim.studies.study_folders import table_of, write_study

METHODS = ("tornado", "morris", "sobol")
LEVELS = 4  # of Morris' grid
LUMPS = 1_000  # a setting is rounded to this many steps of its range, so that near-equal points are one


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A place of the scenario and the range it may lie in."""

    path: str
    low: Fraction
    high: Fraction
    is_time: bool
    whole: bool  # only whole numbers make sense

    @property
    def row(self) -> dict[str, Any]:
        """The columns that every method's table begins with."""
        return {"factor": self.path, "low": self.at(0.0), "high": self.at(1.0)}

    def at(self, share: float) -> object:
        """The setting at a share of the range: 0 is the low end, 1 the high one."""
        step = Fraction(round(share * LUMPS), LUMPS)
        number = self.low + step * (self.high - self.low)
        if self.is_time:
            return format_exact(number)
        return round(number) if self.whole else float(number)


def parse_factor(words: str) -> Factor:
    """A factor from `PATH=LOW..HIGH`; raises InputError saying what would be right.

    >>> parse_factor("group.dev.count=100..300").at(0.5)
    200
    """
    path, equals, span = words.partition("=")
    low, dots, high = span.partition("..")
    if not (equals and dots and path.strip() and low.strip() and high.strip()):
        raise InputError(f"--vary {words}: write PATH=LOW..HIGH")
    try:
        least, most, is_time = bounds_of(low.strip(), high.strip())
    except ValueError as error:
        raise InputError(f"--vary {words}: {error}") from None
    if least >= most:
        raise InputError(f"--vary {words}: the low end must be below the high end")
    whole = not is_time and least.denominator == most.denominator == 1 and "." not in low + high.replace("..", "")
    return Factor(path=path.strip(), low=least, high=most, is_time=is_time, whole=whole)


@dataclass(frozen=True, kw_only=True)
class Sensitivity(Pictured):
    """What each factor does to a metric, most important first; the columns depend on the method."""

    scenario: Scenario
    method: str
    metric: str
    replications: int
    seed: int
    points: int  # scenarios that were simulated
    rows: tuple[Mapping[str, Any], ...]
    runs: tuple[RunResult, ...]  # one a point, the scenario itself first where it is one

    def frame(self) -> DataFrame:
        """A row a factor."""
        return frame(dict(row) for row in self.rows)

    def summary(self) -> dict[str, Any]:
        """The content of `sensitivity.json`."""
        return {
            "scenario": self.scenario.name,
            "currency": self.scenario.prices.currency,
            "method": self.method,
            "metric": self.metric,
            "seed": self.seed,
            "replications": self.replications,
            "points": self.points,
            "confidence": self.scenario.confidence,
            "factors": [dict(row) for row in self.rows],
        }

    def write(self, folder: str | Path) -> Path:
        """Write sensitivity.json, and a row a factor as a table."""
        tables, study = [table_of("sensitivity", self.rows)], f"sensitivity ({self.method})"
        summary, scenarios = ("sensitivity.json", self.summary()), {"scenario": self.scenario}
        return write_study(folder, summary, scenarios, self.runs, tables, study=study, points=self.points)

    def __repr__(self) -> str:
        first = self.rows[0]["factor"]
        return f"<{self.method} of {self.metric} over {how_many(len(self.rows), 'setting')}: {first} moves it most>"

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        html: str = self.frame().to_html(index=False)
        return html


def sensitivity(
    scenario: Scenario | str | Path,
    vary: Sequence[str],
    *,
    method: str = "tornado",
    metric: str = "cost.total",
    samples: int | None = None,
    **keywords: Unpack[StudyKeywords],
) -> Sensitivity:
    """Say which of some settings a metric depends on most; *vary* gives each its range, `PATH=LOW..HIGH`.

    `tornado` sets one at a time to either end (paired intervals); `morris` follows *samples* trajectories (default
    10) through the ranges; `sobol` splits the metric's variance over uniform settings, from *samples* (default 64, a power
    of 2) times (factors + 2) points.
    """
    asked = loaded(scenario)
    factors = [parse_factor(words) for words in vary]
    if not factors:
        raise InputError("nothing varies: give at least one --vary PATH=LOW..HIGH")
    if method not in METHODS:
        raise InputError(f"method is {method!r}; it is one of {', '.join(METHODS)}")
    check_metrics(asked, metric)
    options = options_from(keywords, StudyKeywords, "sensitivity").seeded(asked)
    options = replace(options, replications=options.count(asked), precision=None)
    if asked.warm_up == "auto":  # one for all points: the longest that the scenario or either corner needs
        corners = [changed(asked, {factor.path: factor.at(share) for factor in factors}) for share in (0.0, 1.0)]
        asked, *_ = with_warm_ups([asked, *corners], options)
    if method == "tornado":
        rows, runs = _tornado(asked, factors, metric, options)
    else:
        model = _FleetModel(asked, factors, metric, options)
        assert options.seed is not None
        if method == "morris":
            rows = elementary_effects(model, samples or 10, options.seed, asked.confidence)
        else:
            rows = sobol_indices(model, samples or 64, options.seed, asked.confidence)
        runs = model.runs
    return Sensitivity(
        scenario=asked, method=method, metric=metric, replications=options.count(asked), seed=runs[0].seed,
        points=len(runs), rows=tuple(rows), runs=tuple(runs),
    )  # fmt: skip


def _tornado(
    asked: Scenario, factors: Sequence[Factor], metric: str, options: RunOptions
) -> tuple[list[dict[str, Any]], list[RunResult]]:
    """One factor at a time at either end of its range, against the scenario as it is."""
    variants = {
        f"{factor.path} {end}": changed(asked, {factor.path: factor.at(share)})
        for factor in factors
        for end, share in (("low", 0.0), ("high", 1.0))
    }
    found = compare(asked, variants, options=options)
    rows = []
    for factor in factors:
        ends = {end: found.difference(f"{factor.path} {end}", metric) for end in ("low", "high")}
        row = {**factor.row, "base": found.base.estimate(metric).mean}
        for end, difference in ends.items():
            row |= {
                f"at_{end}": difference.mean,
                f"at_{end}_from": difference.low,
                f"at_{end}_to": difference.high,
                f"at_{end}_verdict": difference.verdict,
            }
        row["swing"] = abs((ends["high"].mean or 0.0) - (ends["low"].mean or 0.0))
        rows.append(row)
    return sorted(rows, key=lambda row: -row["swing"]), [found.base, *found.variants.values()]


class Model(Protocol):
    """A function of shares of the factors' ranges, whose sensitivity is analysed."""

    @property
    def factors(self) -> Sequence[Factor]:
        """What the columns of shares stand for."""

    def __call__(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at rows of shares, shape (points, factors) -> (points,)."""


@dataclass(frozen=True, slots=True)
class _FleetModel:
    """The metric's mean as a function of shares of the factors' ranges; each point is simulated once."""

    scenario: Scenario
    factors: Sequence[Factor]
    metric: str
    options: RunOptions
    known: dict[tuple[object, ...], float] = field(default_factory=dict)
    runs: list[RunResult] = field(default_factory=list)

    def __call__(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean of the metric at each point."""
        keys = [
            tuple(factor.at(float(share)) for factor, share in zip(self.factors, row, strict=True)) for row in shares
        ]
        new = [key for key in dict.fromkeys(keys) if key not in self.known]
        paths = [factor.path for factor in self.factors]
        points = [changed(self.scenario, dict(zip(paths, key, strict=True))) for key in new]
        runners = [ReplicationRunner(point, self.options) for point in points]
        if runners:
            run_together(runners, self.options.count(self.scenario))
        for key, runner in zip(new, runners, strict=True):
            self.runs.append(runner.result())
            mean = self.runs[-1].estimate(self.metric, FLEET).mean
            if mean is None:
                raise InputError(f"{self.metric} isn't defined at {key}; choose another metric")
            self.known[key] = mean
        return np.array([self.known[key] for key in keys])


def elementary_effects(model: Model, trajectories: int, seed: int, confidence: float = 0.95) -> list[dict[str, Any]]:
    """Elementary effects: `mu_star` is how much a factor matters, `sigma` how nonlinear it is or interacts with others.

    Trajectories are independent, so the half-width of `mu_star` is Student's: a bootstrap of ten would be a fifth too narrow.
    """
    try:
        from SALib.sample import morris as plan  # start-up: SALib is optional
    except ImportError:
        raise InputError("the Morris method needs the library SALib: pip install SALib") from None
    if trajectories < 2:
        raise InputError(f"samples is {trajectories}; the Morris method needs 2 trajectories or more, such as 10")
    count = len(model.factors)
    problem = {"num_vars": count, "names": [factor.path for factor in model.factors], "bounds": [[0.0, 1.0]] * count}
    shares = plan.sample(problem, trajectories, num_levels=LEVELS, seed=seed)
    moved = np.diff(shares.reshape(-1, count + 1, count), axis=1)  # one factor in each step
    risen = np.diff(model(shares).reshape(-1, count + 1), axis=1)[:, :, np.newaxis]
    effects = np.divide(risen, moved, out=np.zeros_like(moved), where=moved != 0.0).sum(axis=1)
    rows = []
    for factor, each in zip(model.factors, effects.T, strict=True):
        size = mean_interval(np.abs(each).tolist(), confidence)
        spread = {"mu_star_half_width": size.half_width, "sigma": math.sqrt(variance_of(each.tolist()))}
        rows.append({**factor.row, "mu": float(np.mean(each)), "mu_star": size.mean, **spread})
    return sorted(rows, key=lambda row: -float(str(row["mu_star"])))


def importance(row: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """What factors are ordered by, with its bounds: Morris' mu*, Sobol's total index; None of a tornado, ordered by two ends."""
    if "mu_star" in row:
        middle, half = row["mu_star"], row["mu_star_half_width"]
        return middle, middle - half, middle + half
    return row.get("total"), row.get("total_from"), row.get("total_to")


def most_important(factors: Sequence[Mapping[str, Any]], label: str) -> str:
    """Which setting a metric, called *label*, depends on most, and whether that is sure; the factors of a `sensitivity.json`."""
    first, *others = factors
    words = f"In the ranges given, {label} depends most on {label_of(first['factor'])}"
    low, high = importance(first)[1], importance(others[0])[2] if others else None
    if low is not None and high is not None and low < high:
        return f"{words}, though {label_of(others[0]['factor'])} might matter as much: their intervals overlap."
    return f"{words}."


def sobol_indices(model: Model, samples: int, seed: int, confidence: float) -> list[dict[str, Any]]:
    """Shares of the metric's variance: `first_order` a factor's own, `total` with its interactions."""
    if samples < 2 or samples & (samples - 1):
        raise InputError(f"samples is {samples}; Sobol's points come in powers of 2, such as 64")

    def function(points: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = points.reshape(len(model.factors), -1).T
        return model(flat).reshape((1, *points.shape[1:]))

    rng = np.random.default_rng(seed)
    values: list[NDArray[np.float64]] = []  # the model's, of the designs A, B and AB: points last

    def indices(f_A: Any, f_B: Any, f_AB: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        values[:] = f_A, f_B, f_AB
        return _saltelli(*values)

    uniform: Any = [stats.uniform()] * len(model.factors)  # as scipy documents it; the stubs are narrower
    stats.sobol_indices(func=function, n=samples, dists=uniform, rng=rng, method=indices)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a factor that does nothing has no interval: shown as none
        # The library's own bootstrap of the indices takes no seed.
        spread: Any = stats.bootstrap(
            [np.arange(samples)], lambda chosen: np.array(_saltelli(*(each[..., chosen] for each in values))), method="BCa",
            n_resamples=999, confidence_level=confidence, rng=rng,
        ).confidence_interval  # fmt: skip
    rows = []
    for index, factor in enumerate(model.factors):
        row = factor.row
        for order, (name, found) in enumerate(zip(("first_order", "total"), _saltelli(*values), strict=True)):
            row[name] = _finite(found, index)
            row[f"{name}_from"], row[f"{name}_to"] = (
                _finite(spread.low[order], index),
                _finite(spread.high[order], index),
            )
        rows.append(row)
    return sorted(rows, key=lambda row: -(row["total"] or 0.0))


def _saltelli(
    a: NDArray[np.float64], b: NDArray[np.float64], ab: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First-order and total indices (Saltelli et al. 2010, table 2: b and f), from values at designs A, B and AB."""
    variance = np.var([a, b], axis=(0, -1))
    return np.mean(b * (ab - a), axis=-1).T / variance, 0.5 * np.mean((a - ab) ** 2, axis=-1).T / variance


def _finite(values: Any, index: int) -> float | None:
    value = float(values.reshape(-1)[index])
    return value if math.isfinite(value) else None
