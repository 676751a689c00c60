"""How often each interval that vmfleet prints holds the truth, on cases whose truth is known.

    python -m tools.interval_coverage --record

Each case makes so many independent studies, gives each to the function that the program itself uses, and counts how many of its
intervals hold the truth. With a stated share of 95 % that number is binomial: outside the band that 1e-4 of such counts leave on
either side, an interval is wrong. Beside it stands a wrong interval from the same numbers, which the check must refuse. Cases that cover
less than stated, and are known to, are marked (`is_short`). Exit status 1 where a case does what is not said of it.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import signal, special, stats

import sim
from sim.runs.metrics import HEADLINES, RATIOS
from sim.runs.warm_up import batch_means
from sim.statistics.intervals import LEAST_FOR_SKEWNESS, NOT_NEGATIVE, estimate_mean, estimate_ratio
from sim.statistics.quantiles import clopper_pearson, quantile_interval, wilson_interval
from sim.studies.backtest import prediction
from sim.studies.differences import judged, paired
from sim.studies.sensitivity import elementary_effects, parse_factor, sobol_indices
from sim.traces.durations import clustered_interval, weighted
from sim.traces.estimate import estimate, inverse
from sim.traces.families import LOGNORMAL
from sim.traces.operations import Operation
from tools.proof_page import kept, record
from tools.validate_size import TARGETS, WRONG, count_errors

Rng = np.random.Generator
Bounds = tuple[float | None, float | None]
BAND = 1e-4  # on either side
SHARE = (0.0, 1.0)


class Case(NamedTuple):
    """One interval on one kind of observations: `study` says whether ours holds the truth, and whether the wrong one does."""

    interval: str
    observations: str
    n: int
    wrong: str
    study: Callable[[Rng], tuple[bool, bool | None]]
    is_short: bool = False  # known to cover less than stated
    is_wide: bool = False  # made to cover at least as much as stated
    stated: float = 0.95


def holds(bounds: Bounds, truth: float) -> bool:
    """Whether the truth is inside; a bound that isn't there excludes nothing."""
    low, high = bounds
    return bool((low is None or low <= truth) and (high is None or truth <= high))


def around(values: Any, quantile: float) -> tuple[float, float]:
    """Mean plus or minus so many standard errors."""
    half = quantile * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


# --- one run ----------------------------------------------------------------------------------------------------------

GAMMA = 0.5  # shape
LAWS: dict[str, tuple[Callable[[Rng, int], Any], float, tuple[float, float]]] = {  # observations, their mean, their domain
    "normal": (lambda rng, n: rng.normal(10.0, 1.0, n), 10.0, NOT_NEGATIVE),
    "exponential": (lambda rng, n: rng.exponential(1.0, n), 1.0, NOT_NEGATIVE),
    "lognormal, sigma 0.5": (lambda rng, n: rng.lognormal(0.0, 0.5, n), math.exp(0.125), NOT_NEGATIVE),
    "gamma, shape 0.5": (lambda rng, n: rng.gamma(GAMMA, 1.0, n), GAMMA, NOT_NEGATIVE),
    "lognormal, sigma 1": (lambda rng, n: rng.lognormal(0.0, 1.0, n), math.exp(0.5), NOT_NEGATIVE),
    "shares near 1": (lambda rng, n: rng.beta(9.0, 0.5, n), 9.0 / 9.5, SHARE),
}  # fmt: skip
SMALL, HEAVY = (3, 5, 7, 10, 20, 50), "lognormal, sigma 1"


def means() -> Iterator[Case]:
    """Of every metric: Student's t, its long tail's bound after Hall, in the domain of the figure."""
    for law, (draw, truth, domain) in LAWS.items():
        for n in SMALL:
            normal = law == "normal"
            wrong = "normal quantile for t" if normal else "Student's t alone"
            refuses = n <= 7 if normal else None  # beyond it the wrong one is hardly narrower

            def study(
                rng: Rng, draw: Any = draw, n: int = n, truth: float = truth, domain: Any = domain, refuses: Any = refuses, normal: bool = normal
            ) -> tuple[bool, bool | None]:  # fmt: skip
                values = draw(rng, n)
                found = estimate_mean(values.tolist(), domain=domain)
                other = around(values, stats.norm.ppf(0.975) if normal else float(special.stdtrit(n - 1, 0.975)))
                return holds((found.low, found.high), truth), None if refuses is False else holds(other, truth)

            yield Case(
                "mean", law, n, wrong, study, is_short=not normal and n <= (20 if law == HEAVY else 5), is_wide=True
            )


def ratios() -> Iterator[Case]:
    """Availability, cost per hour: a ratio of means."""

    def study(n: int, skewed: bool, rng: Rng) -> tuple[bool, bool | None]:
        if skewed:
            tops, bottoms, truth = rng.exponential(2.0, n), rng.gamma(4.0, 0.25, n), 2.0
        else:
            bottoms = 10.0 + rng.exponential(1.0, n)
            tops, truth = 0.9 * bottoms + rng.normal(0.0, 0.1, n), 0.9
        found = estimate_ratio(tops.tolist(), bottoms.tolist())
        each = around(tops / bottoms, float(special.stdtrit(n - 1, 0.975)))  # the mean of the ratios
        return holds((found.low, found.high), truth), holds(each, truth) if skewed and n >= 10 else None

    for skewed, words in ((False, "normal residuals"), (True, "exponential over gamma")):
        for n in SMALL:
            yield Case(
                "ratio of means",
                words,
                n,
                "mean of the ratios",
                partial(study, n, skewed),
                is_short=skewed and n <= 5,
                is_wide=True,
            )


def quantiles() -> Iterator[Case]:
    """Of the bill: order statistics by the binomial."""

    def study(n: int, p: float, rng: Rng) -> tuple[bool, bool | None]:
        values, truth = rng.lognormal(0.0, 1.0, n), math.exp(float(special.ndtri(p)))
        found = quantile_interval(values.tolist(), p)
        middle, half = np.quantile(values, p), 1.96 * np.std(values) / math.sqrt(n)  # as if it were a mean
        return holds(found, truth), holds((float(middle - half), float(middle + half)), truth) if p != 0.5 else None

    for n, p in ((5, 0.5), (20, 0.5), (20, 0.9), (100, 0.9), (100, 0.95), (500, 0.99)):
        wrong = "standard error of a mean"
        yield Case(f"P{100 * p:.0f}", "lognormal, sigma 1", n, wrong, partial(study, n, p), is_wide=True)


def probabilities() -> Iterator[Case]:
    """Of a budget: Clopper-Pearson to decide, Wilson to show."""

    def study(n: int, p: float, ours: Any, rng: Rng) -> tuple[bool, bool | None]:
        times = int(rng.binomial(n, p))
        half = 1.96 * math.sqrt(times / n * (1 - times / n) / n)  # Wald's
        return holds(ours(times, n), p), holds((times / n - half, times / n + half), p)

    for n, p in ((5, 0.3), (20, 0.05), (20, 0.3), (100, 0.05)):
        wrong = "Wald's"
        yield Case(
            "probability, to decide", f"p = {p:g}", n, wrong, partial(study, n, p, clopper_pearson), is_wide=True
        )
        yield Case("probability, to show", f"p = {p:g}", n, wrong, partial(study, n, p, wilson_interval), is_short=(n, p) == (20, 0.05), is_wide=True)  # fmt: skip


def budgets_and_forecasts() -> Iterator[Case]:
    """The range that `backtest` states for a period: of one outcome, not of a mean."""

    def study(n: int, rng: Rng) -> tuple[bool, bool | None]:
        days, fit_days = 9.0, 21.0
        fitted = rng.normal(100.0, 5.0 * math.sqrt(days / fit_days))  # what the fit took the mean for
        values, outcome = rng.normal(fitted, 5.0, n), rng.normal(100.0, 5.0)
        without = prediction(values.tolist(), days, math.inf, 0.95)
        return holds(prediction(values.tolist(), days, fit_days, 0.95), outcome), holds(without, outcome)

    for n in (5, 20, 50):
        yield Case(
            "range of a back-test", "normal", n, "without the fit's own error", partial(study, n), is_wide=n < 20
        )


# --- two runs, many comparisons ---------------------------------------------------------------------------------------

METRICS = [
    metric for metric in HEADLINES if metric not in RATIOS
]  # one family of Holm's; the other metrics are another


def differences() -> Iterator[Case]:
    """`compare`: paired differences, and verdicts by Holm over all variants and metrics."""

    def pair(n: int, skewed: bool, rng: Rng) -> tuple[bool, bool | None]:
        shared = rng.exponential(5.0, n)
        more = rng.exponential(1.0, n) if skewed else rng.normal(1.0, 1.0, n)
        raw = _paired((shared + more).tolist(), shared.tolist())
        found = judged({"variant": {"cost.total": raw}}, "", 0.95)["variant"]["cost.total"]
        if skewed:
            other = around(more, float(special.stdtrit(n - 1, 0.975)))
        else:  # as if the runs were independent
            half = 1.96 * math.sqrt((np.var(shared + more, ddof=1) + np.var(shared, ddof=1)) / n)
            other = float(np.mean(more)) - half, float(np.mean(more)) + half
        same = skewed and n < LEAST_FOR_SKEWNESS  # no other interval
        return holds((found.low, found.high), 1.0), None if same else holds(other, 1.0)

    for skewed in (False, True):
        for n in (3, 5, 10, 20, 50):
            law = "exponential differences" if skewed else "normal differences"
            wrong = "Student's t alone" if skewed else "unpaired"
            yield Case("paired difference", law, n, wrong, partial(pair, n, skewed), is_short=skewed and n <= 5)

    def family(n: int, rng: Rng) -> tuple[bool, bool | None]:
        base = {metric: rng.normal(100.0, 5.0, n) for metric in METRICS}
        raw = {
            f"variant {k}": {metric: _paired((base[metric] + rng.normal(0.0, 1.0, n)).tolist(), base[metric].tolist()) for metric in METRICS}
            for k in range(4)
        }  # fmt: skip
        each = [found for by_metric in judged(raw, "", 0.95).values() for found in by_metric.values()]
        alone = all(found.low is not None and found.high is not None and found.low <= 0.0 <= found.high for found in each)  # fmt: skip
        return all(found.verdict == "undecided" for found in each), alone

    for n in (5, 20):
        yield Case("verdicts of 4 variants, no difference", "normal", n, "each interval alone", partial(family, n), is_wide=True)  # fmt: skip


def _paired(after: list[float], before: list[float]) -> Any:
    return paired(lambda _metric, _group: after, lambda _metric, _group: before, "cost.total", "")


# --- sensitivity, long runs -------------------------------------------------------------------------------------------


class Known:
    """A model with known indices in place of a fleet."""

    def __init__(self, function: Callable[[Any], Any], factors: int) -> None:
        self.factors = [parse_factor(f"x{index}=0..1.0") for index in range(factors)]
        self.function = function

    def __call__(self, shares: Any) -> Any:
        """Its values at rows of shares."""
        return self.function(shares)


def sensitivities() -> Iterator[Case]:
    """Morris' mu*, whose true value is that of all trajectories, and Sobol's indices."""
    product = Known(lambda x: x[:, 0] * x[:, 1] + x[:, 2] ** 2, 3)  # mu* of x0: the mean of x1 on the grid, 0.5

    def morris(n: int, rng: Rng) -> tuple[bool, bool | None]:
        rows = elementary_effects(product, n, int(rng.integers(2**31)))
        row = next(row for row in rows if row["factor"] == "x0")
        half = row["mu_star_half_width"]
        return abs(row["mu_star"] - 0.5) <= half, abs(row["mu_star"] - 0.5) <= half / 2

    for n in (5, 10, 20):
        yield Case("Morris: mu*", "product and square", n, "half as wide", partial(morris, n))
    sums = Known(lambda x: x @ np.array([1.0, 2.0, 3.0]), 3)
    truth = 9.0 / 14.0  # of x2: its own variance of all, first order and total

    def sobol(order: str, n: int, rng: Rng) -> tuple[bool, bool | None]:
        rows = sobol_indices(sums, n, int(rng.integers(2**31)), 0.95)
        row = next(row for row in rows if row["factor"] == "x2")
        low, high, middle = row[f"{order}_from"], row[f"{order}_to"], row[order]
        return holds((low, high), truth), holds((middle - (middle - low) / 8, middle + (high - middle) / 8), truth)

    for order in ("first_order", "total"):
        words = f"Sobol: {order.replace('_', ' ')}"
        yield Case(words, "weighted sum", 16, "an eighth as wide", partial(sobol, order, 16), is_wide=True)


def long_runs() -> Iterator[Case]:
    """`long_run`: batch means of one long correlated series."""

    def study(phi: float, n: int, rng: Rng) -> tuple[bool, bool | None]:
        series = signal.lfilter([1.0], [1.0, -phi], rng.normal(0.0, 1.0, n + 200))[200:]
        found = batch_means(series.tolist()).interval
        return holds((found.low, found.high), 0.0), holds(around(series, 1.96), 0.0) if phi else None

    for phi, n in ((0.0, 1000), (0.5, 2000), (0.9, 5000)):
        yield Case("batch means", f"autoregressive, {phi:g}", n, "every hour independent", partial(study, phi, n))


# --- fits of operations ------------------------------------------------------------------------------------------------

MEDIAN_S, BETWEEN, WITHIN = 80.0, 0.5, 0.3  # of the logarithms: what the rows of a cluster share, and what each adds


def fits() -> Iterator[Case]:
    """`fit`: the parameters of a lognormal, from clusters of operations that were timed together; some are given up."""

    def study(symbol: int, truth: float, n: int, until_s: float, rng: Rng) -> tuple[bool, bool | None]:
        rows = []
        for number in range(n):
            shared, size = BETWEEN * rng.standard_normal(), int(rng.geometric(0.25))
            for seconds in MEDIAN_S * np.exp(shared + WITHIN * rng.standard_normal(size)):
                took, failed = min(float(seconds), until_s), bool(seconds > until_s)
                rows.append(Operation(name="create", seconds=took, failed=failed, cluster=str(number)))
        durations, cluster = weighted(rows)
        low, _, high = clustered_interval(estimate(LOGNORMAL, durations), durations, cluster)
        alone = estimate(LOGNORMAL, replace(durations, count=np.ones(len(rows))))
        half = 1.96 * np.sqrt(np.diag(inverse(alone.information)))
        ours, wrong = ([LOGNORMAL.values(end)[symbol] for end in ends] for ends in ((low, high), (alone.theta - half, alone.theta + half)))  # fmt: skip
        return holds((ours[0], ours[1]), truth), holds((wrong[0], wrong[1]), truth)

    for words, until_s, sizes in (("all succeed", math.inf, (12, 40)), ("a fifth given up", 130.0, (20,))):
        for symbol, truth in enumerate((MEDIAN_S, math.hypot(BETWEEN, WITHIN))):
            for n in sizes:
                which = partial(study, symbol, truth, n, until_s)
                name = f"`fit`: {LOGNORMAL.symbols[symbol]}"
                yield Case(name, words, n, "each row alone", which, is_short=name.endswith("sigma") and n < 20)


# --- through whole simulations ----------------------------------------------------------------------------------------


VMS = 250  # groups of a fleet: each is a study


def fleet(longest: str, vms: int = VMS) -> sim.Scenario:
    """Groups of one VM that takes a uniform time to start and then runs to the end of the hour; starting isn't billed in 2018."""
    durations = {"allocating": "0s", "starting": {"dist": "uniform", "low": "0s", "high": longest}, "extensions": "0s"}
    groups = [{"name": f"vm{k}", "image": "specialized", "durations": durations} for k in range(vms)]
    return sim.from_dict({"name": "fleet", "horizon": "1h", "group": groups})


def simulations() -> Iterator[Case]:
    """Billed hours are uniform on 0.1 to 1 (mean 0.55), with half the start-up on 0.55 to 1: on average 0.225 more."""
    slow, fast = fleet("54min"), fleet("27min")

    def runs(n: int) -> Iterator[Any]:
        for seed in itertools.count(1):
            found = sim.run(slow, replications=n, seed=seed)
            yield from (found.estimate("billed_hours", group) for group in found.groups)

    def comparisons(n: int) -> Iterator[Any]:
        for seed in itertools.count(1):
            found = sim.compare(slow, {"fast": fast}, replications=n, seed=seed)
            yield from (found.difference("fast", "billed_hours", group) for group in slow.group_names)

    def study(found: Iterator[Any], truth: float, wrong: Callable[[Any], float], _: Rng) -> tuple[bool, bool | None]:
        each = next(found)
        return holds((each.low, each.high), truth), abs(each.mean - truth) <= wrong(each)

    for n in (5, 10):
        wrong = "the standard deviation over n"
        yield Case("simulated: mean", "billed hours", n, wrong, partial(study, runs(n), 0.55, lambda each: 1.96 * each.sd / each.n))  # fmt: skip
    yield Case("simulated: difference", "billed hours", 10, "unpaired", partial(study, comparisons(10), 0.225, lambda each: 1.96 * math.hypot(each.sd_base, each.sd_variant) / math.sqrt(each.n)))  # fmt: skip


def stopped_runs() -> Iterator[Case]:
    """`--precision`: runs that stop when their interval is narrow enough."""
    one = fleet("54min", 1)

    def study(rng: Rng) -> tuple[bool, bool | None]:
        found = sim.run(one, seed=int(rng.integers(2**31)), precision=0.2, headlines=["billed_hours"])
        each = found.estimate("billed_hours")
        return holds((each.low, each.high), 0.55), abs(each.mean - 0.55) <= 0.75 * each.half_width

    yield Case("simulated: mean, stopped by --precision", "billed hours", 20, "a quarter narrower", study, is_wide=True)


# --- counting ---------------------------------------------------------------------------------------------------------

KINDS = (means, ratios, quantiles, probabilities, budgets_and_forecasts, differences, sensitivities, long_runs, fits, simulations, stopped_runs)  # fmt: skip


def cases() -> list[Case]:
    """All of them."""
    return [case for kind in KINDS for case in kind()]


def band(studies: int, stated: float) -> tuple[int, int]:
    """The fewest and the most studies of so many that may hold the truth."""
    return int(stats.binom.ppf(BAND, studies, stated)), int(stats.binom.ppf(1 - BAND, studies, stated))


def counted(case: Case, studies: int, seed: int = 1) -> dict[str, Any]:
    """The shares of studies in which ours and the wrong interval hold the truth, and what that shows."""
    rng = np.random.default_rng([seed, *f"{case.interval}, {case.observations}, {case.n}".encode()])
    each = [case.study(rng) for _ in range(studies)]
    ours, wrong = sum(own for own, _ in each), [other for _, other in each if other is not None]
    low, high = band(studies, case.stated)
    found = "short" if ours < low else "wide" if ours > high else "holds"
    as_said = found == "holds" or (found == "short" and case.is_short) or (found == "wide" and case.is_wide)
    return {
        "interval": case.interval, "observations": case.observations, "n": case.n, "studies": studies, "covered": ours / studies,
        "found": found, "as_said": as_said, "wrong": case.wrong, "wrong_covered": sum(wrong) / len(wrong) if wrong else None,
        "refused": None if not wrong else sum(wrong) < low or (sum(wrong) > high and not case.is_wide),
    }  # fmt: skip


def size_verdicts(target: str, studies: int, error: float = 0.05) -> dict[str, Any]:
    """Whole searches: the share of answers that aren't wrong, ours and of every look taken as if it were the only one."""
    found = count_errors(target, studies, error, 1)
    right, wrong = (1 - found.wrong[rule] / studies for rule in ("ours", WRONG))
    is_right, is_refused = bool(found.holds("ours")), not found.holds(WRONG)
    return {
        "interval": "`size`: right or undecided", "observations": target, "n": math.ceil(found.replications / studies), "studies": studies,
        "covered": right, "found": "wide" if is_right else "short", "as_said": is_right, "wrong": WRONG,
        "wrong_covered": wrong, "refused": is_refused,
    }  # fmt: skip


def _case(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["interval"], row["observations"], row["n"]


def main() -> None:
    """Every case, a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="of each case")
    parser.add_argument(
        "--only", default="", help="cases whose name begins so; with --record the others stay as they are"
    )
    parser.add_argument("--record", action="store_true", help="Write the figures to docs/proof.md.")
    asked = parser.parse_args()
    tasks = [partial(counted, case, asked.studies) for case in cases() if case.interval.startswith(asked.only)]
    tasks += [partial(size_verdicts, target, asked.studies) for target in TARGETS if "`size`".startswith(asked.only)]
    rows: list[dict[str, Any]] = []
    for task in tasks:
        row = task()
        rows.append(row)
        other = "" if row["wrong_covered"] is None else f"{row['wrong_covered']:8.1%} {row['wrong']}: {'refused' if row['refused'] else 'NOT REFUSED'}"  # fmt: skip
        print(f"{row['interval']:38}{row['observations']:26}{row['n']:>5}{row['covered']:8.1%} {row['found']:6}{'' if row['as_said'] else ' NOT AS SAID'}{other}", flush=True)  # fmt: skip
    if asked.record:
        before = kept().get("interval_coverage", {}).get("cases", []) if asked.only else []
        new = {_case(row): row for row in rows}
        rows = [new.pop(_case(row), row) for row in before] + [*new.values()]
        low, high = band(asked.studies, 0.95)
        record("interval_coverage", "python -m tools.interval_coverage --record",
               {"stated": 0.95, "band": [low / asked.studies, high / asked.studies], "beyond": BAND, "cases": rows})  # fmt: skip
    sys.exit(0 if all(row["as_said"] for row in rows) else 1)


if __name__ == "__main__":
    main()
