"""Which inputs matter: tornado for people, Morris to screen many factors, Sobol indices for few.

All points share their streams, so that what is seen is the factors' doing and not luck's. Morris (1991), "Factorial
sampling plans for preliminary computational experiments", Technometrics 33; Saltelli et al. (2010), "Variance based
sensitivity analysis of model output", Comput. Phys. Commun. 181.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.errors import InputError
from sim.runs.executors import Executor, Workers
from sim.runs.metrics import FLEET, check_metric, possible_metrics
from sim.runs.replication_runner import Progress, ReplicationRunner, no_progress, replications_asked, run_together
from sim.runs.run import loaded
from sim.runs.warm_up import settled
from sim.studies.axes import bounds_of, changed, format_exact
from sim.studies.compare import compare

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from sim.runs.cache import RunCache
    from sim.runs.run_result import RunResult
    from sim.scenario.scenario import Scenario

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
class Sensitivity:
    """What each factor does to a metric, most important first; the columns depend on the method."""

    scenario: Scenario
    method: str
    metric: str
    replications: int
    seed: int
    points: int  # scenarios that were played
    rows: tuple[Mapping[str, Any], ...]
    runs: tuple[RunResult, ...]  # one a point, the scenario itself first where it is one
    wall_s: float

    def frame(self) -> pd.DataFrame:
        """A row a factor."""
        import pandas as pd

        return pd.DataFrame([dict(row) for row in self.rows])

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
        """Write sensitivity.json and the table; see `sim.studies.study_folders`."""
        from sim.studies.study_folders import write_sensitivity

        return write_sensitivity(self, folder)

    def __repr__(self) -> str:
        first = self.rows[0]["factor"]
        return f"<{self.method} of {self.metric} over {len(self.rows)} settings: {first} moves it most>"

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
    replications: int | None = None,
    seed: int | None = None,
    jobs: int = 1,
    engine: str = "auto",
    progress: Progress | None = None,
    cache: RunCache | None = None,
    workers: Executor | None = None,
) -> Sensitivity:
    """Say which of some settings a metric depends on most; *vary* gives each its range, `PATH=LOW..HIGH`.

    `tornado` sets one at a time to either end (paired intervals); `morris` walks *samples* trajectories (default 10)
    through the ranges; `sobol` splits the metric's variance over uniform settings, from *samples* (default 64, a power
    of 2) times (factors + 2) points.
    """
    asked = loaded(scenario)
    factors = [parse_factor(words) for words in vary]
    if not factors:
        raise InputError("nothing varies: give at least one --vary PATH=LOW..HIGH")
    if method not in METHODS:
        raise InputError(f"method is {method!r}; it is one of {', '.join(METHODS)}")
    check_metric(metric, possible_metrics([commitment.name for commitment in asked.commitments]))
    count = replications_asked(asked, replications)
    seed = asked.seed if seed is None else seed
    executor, tell = workers or Workers(jobs=jobs), progress or no_progress
    began = time.perf_counter()
    if asked.warm_up == "auto":  # one for all points: the longest that the scenario or either corner needs
        corners = [changed(asked, {factor.path: factor.at(share) for factor in factors}) for share in (0.0, 1.0)]
        asked, *_ = settled([asked, *corners], seed=seed, workers=executor, engine=engine, cache=cache, progress=tell)
    if method == "tornado":
        rows, runs = _tornado(asked, factors, metric, count, seed, executor, engine, tell, cache)
    else:
        model = _Model(asked, factors, metric, count, seed, executor, engine, tell, cache)
        rows = _morris(model, samples or 10) if method == "morris" else _sobol(model, samples or 64)
        runs = model.runs
    return Sensitivity(
        scenario=asked,
        method=method,
        metric=metric,
        replications=count,
        seed=seed,
        points=len(runs),
        rows=tuple(rows),
        runs=tuple(runs),
        wall_s=time.perf_counter() - began,
    )


def _tornado(
    asked: Scenario,
    factors: Sequence[Factor],
    metric: str,
    count: int,
    seed: int,
    workers: Executor,
    engine: str,
    tell: Progress,
    cache: RunCache | None,
) -> tuple[list[dict[str, Any]], list[RunResult]]:
    """One factor at a time at either end of its range, against the scenario as it is."""
    variants = {
        f"{factor.path} {end}": changed(asked, {factor.path: factor.at(share)})
        for factor in factors
        for end, share in (("low", 0.0), ("high", 1.0))
    }
    found = compare(
        asked, variants, replications=count, seed=seed, workers=workers, engine=engine, progress=tell, cache=cache
    )
    rows = []
    for factor in factors:
        ends = {end: found.difference(f"{factor.path} {end}", metric) for end in ("low", "high")}
        row: dict[str, Any] = {"factor": factor.path, "low": factor.at(0.0), "high": factor.at(1.0)}
        row["base"] = found.base.estimate(metric).mean
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


class _Model:
    """The metric's mean as a function of shares of the factors' ranges; each point is played once."""

    def __init__(
        self,
        scenario: Scenario,
        factors: Sequence[Factor],
        metric: str,
        count: int,
        seed: int,
        workers: Executor,
        engine: str,
        tell: Progress,
        cache: RunCache | None,
    ) -> None:
        self.scenario, self.factors, self.metric, self.count = scenario, list(factors), metric, count
        self.seed, self.workers, self.engine, self.tell, self.cache = seed, workers, engine, tell, cache
        self.known: dict[tuple[object, ...], float] = {}
        self.runs: list[RunResult] = []

    def __call__(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means at rows of shares, shape (points, factors) -> (points,)."""
        import numpy as np

        keys = [
            tuple(factor.at(float(share)) for factor, share in zip(self.factors, row, strict=True)) for row in shares
        ]
        new = [key for key in dict.fromkeys(keys) if key not in self.known]
        runners = [
            ReplicationRunner(
                changed(self.scenario, dict(zip((factor.path for factor in self.factors), key, strict=True))),
                seed=self.seed,
                engine=self.engine,
                workers=self.workers,
                cache=self.cache,
            )
            for key in new
        ]
        if runners:
            run_together(runners, self.count, lambda done: self.tell(done, self.count * len(runners)))
        for key, runner in zip(new, runners, strict=True):
            self.runs.append(runner.result())
            mean = self.runs[-1].estimate(self.metric, FLEET).mean
            if mean is None:
                raise InputError(f"{self.metric} isn't defined at {key}; choose another metric")
            self.known[key] = mean
        return np.array([self.known[key] for key in keys])


def _morris(model: _Model, trajectories: int) -> list[dict[str, Any]]:
    """Elementary effects: `mu_star` is how much a factor matters, `sigma` how much it bends or meddles with others."""
    try:
        from SALib.analyze import morris as analysis
        from SALib.sample import morris as plan
    except ImportError:
        raise InputError("the Morris method needs the library SALib: pip install SALib") from None
    problem = {
        "num_vars": len(model.factors),
        "names": [factor.path for factor in model.factors],
        "bounds": [[0.0, 1.0]] * len(model.factors),
    }
    shares = plan.sample(problem, trajectories, num_levels=LEVELS, seed=model.seed)
    found = analysis.analyze(problem, shares, model(shares), num_levels=LEVELS, seed=model.seed)
    rows = [
        {
            "factor": factor.path,
            "low": factor.at(0.0),
            "high": factor.at(1.0),
            "mu": float(found["mu"][index]),
            "mu_star": float(found["mu_star"][index]),
            "mu_star_half_width": float(found["mu_star_conf"][index]),
            "sigma": float(found["sigma"][index]),
        }
        for index, factor in enumerate(model.factors)
    ]
    return sorted(rows, key=lambda row: -float(str(row["mu_star"])))


def _sobol(model: _Model, samples: int) -> list[dict[str, Any]]:
    """Shares of the metric's variance: `first_order` a factor's own, `total` with all it does together with others."""
    import numpy as np
    from scipy import stats

    if samples < 2 or samples & (samples - 1):
        raise InputError(f"samples is {samples}; Sobol's points come in powers of 2, such as 64")

    def function(points: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = points.reshape(len(model.factors), -1).T
        return model(flat).reshape((1, *points.shape[1:]))

    uniform: Any = [stats.uniform()] * len(model.factors)  # has all that is asked of it, whatever the stubs say
    found = stats.sobol_indices(func=function, n=samples, dists=uniform, rng=np.random.default_rng(model.seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a factor that does nothing has no interval: shown as none
        reliability = found.bootstrap(confidence_level=model.scenario.confidence, n_resamples=999)
    rows = []
    for index, factor in enumerate(model.factors):
        row: dict[str, Any] = {"factor": factor.path, "low": factor.at(0.0), "high": factor.at(1.0)}
        for name, values, spread in (
            ("first_order", found.first_order, reliability.first_order.confidence_interval),
            ("total", found.total_order, reliability.total_order.confidence_interval),
        ):
            row[name] = _finite(values, index)
            row[f"{name}_from"], row[f"{name}_to"] = _finite(spread.low, index), _finite(spread.high, index)
        rows.append(row)
    return sorted(rows, key=lambda row: -(row["total"] or 0.0))


def _finite(values: Any, index: int) -> float | None:
    value = float(values.reshape(-1)[index])
    return value if math.isfinite(value) else None
