"""Fits of operations recover what the test put in, clustered and censored, and their intervals are as wide as they must be.

A wrong model stands beside each check: rows taken as independent, failures taken as ends, a split that keeps another sigma.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sim.distributions.kinds import Lognormal
from sim.traces.durations import CONFIDENCE, fit_durations, weighted
from sim.traces.estimate import estimate, pseudo_values, sandwich
from sim.traces.families import LOGNORMAL
from sim.traces.operations import Operation, Operations
from sim.traces.step_durations import SHARES, split

MEDIAN_S, BETWEEN, WITHIN = 80.0, 0.5, 0.3
SIGMA = math.hypot(BETWEEN, WITHIN)
CLUSTERS = 40


def clustered(rng: np.random.Generator, *, clusters: int = CLUSTERS, until_s: float = math.inf) -> list[Operation]:
    """Creates whose logarithms share a part with their cluster; those that aren't done by *until_s* fail then."""
    made = []
    for number, size in enumerate(rng.geometric(0.1, clusters)):
        shared = BETWEEN * rng.standard_normal()
        for own in WITHIN * rng.standard_normal(size):
            seconds = MEDIAN_S * math.exp(shared + own)
            made.append(
                Operation(name="create", seconds=min(seconds, until_s), failed=seconds > until_s, cluster=str(number))
            )
    return made


def fitted(rows: list[Operation]):
    """The lognormal of these creates."""
    (fit,) = fit_durations(Operations(source="made", operations=rows, rows=len(rows), notes=())).fits
    return fit.of_family("lognormal")


def within(found, symbol: str, truth: float) -> bool:
    """Whether the interval of a parameter holds the truth."""
    low, high = found.intervals[symbol]
    return low <= truth <= high


def test_a_cluster_counts_once_however_many_rows_it_has() -> None:
    """The same clusters with every row written three times over are the same data."""
    rows = clustered(np.random.default_rng(1))
    once, thrice = fitted(rows), fitted(rows * 3)
    assert thrice.parameters == pytest.approx(once.parameters, rel=1e-6)
    assert thrice.intervals["median_s"] == pytest.approx(once.intervals["median_s"], rel=1e-4)


def test_intervals_from_clusters_hold_the_truth_and_those_from_rows_are_too_narrow() -> None:
    """Repeats of one test say little more than one of them; who counts them as independent is wrong more often than stated."""
    runs = 40
    right, wrong = 0, 0
    for seed in range(runs):
        rows = clustered(np.random.default_rng(seed))
        right += within(fitted(rows), "median_s", MEDIAN_S)
        alone = [replace(row, cluster=f"{number}") for number, row in enumerate(rows)]
        wrong += within(fitted(alone), "median_s", MEDIAN_S)
    # Binomial(40, 0.95) is below 33 once in 700 times.
    assert CONFIDENCE == 0.95
    assert right >= 33
    assert wrong < 25


def test_both_parameters_are_recovered() -> None:
    """With many clusters the intervals are narrow, so that this could fail."""
    found = fitted(clustered(np.random.default_rng(3), clusters=600))
    assert found.parameters["median_s"] == pytest.approx(MEDIAN_S, rel=0.08)
    assert found.parameters["sigma"] == pytest.approx(SIGMA, rel=0.08)
    assert within(found, "median_s", MEDIAN_S)
    assert within(found, "sigma", SIGMA)


def test_operations_that_failed_are_censored_at_their_time() -> None:
    """A third is given up at 100 s; taken as ends they would make the operation look shorter and steadier."""
    rows = clustered(np.random.default_rng(4), clusters=400, until_s=100.0)
    assert 0.25 < np.mean([row.failed for row in rows]) < 0.45
    found = fitted(rows)
    assert within(found, "median_s", MEDIAN_S)
    assert within(found, "sigma", SIGMA)
    wrong = fitted([replace(row, failed=False) for row in rows])
    assert not within(wrong, "sigma", SIGMA)


def test_steps_have_the_mean_and_the_variance_of_their_total() -> None:
    """By simulation; steps that kept the total's own sigma would vary too little together."""
    rng = np.random.default_rng(5)
    total = Lognormal(median=80.0, sigma=0.6)
    steps = split(total.mean, total.variance, SHARES)
    n = 400_000
    drawn = sum(one.median * np.exp(one.sigma * rng.standard_normal(n)) for one in steps.values())
    assert drawn.mean() == pytest.approx(total.mean, rel=5 * math.sqrt(total.variance / n) / total.mean)
    assert drawn.var() == pytest.approx(total.variance, rel=0.05)
    means = [one.mean for one in steps.values()]
    assert [mean / means[0] for mean in means] == pytest.approx([1.0, 2.5, 4.0])
    kept = sum(Lognormal(median=mean / math.exp(0.18), sigma=0.6).variance for mean in means)
    assert kept < 0.6 * total.variance


def test_intervals_come_from_the_fits_without_each_cluster() -> None:
    """Of complete lognormal durations these fits are means and spreads of logarithms; their interval is wider than the sandwich's."""
    rows = clustered(np.random.default_rng(6), clusters=12)
    durations, cluster = weighted(rows)
    found, logs = estimate(LOGNORMAL, durations), np.log([row.seconds for row in rows])

    def fit_of(kept: np.ndarray) -> np.ndarray:
        middle = np.average(logs[kept], weights=durations.count[kept])
        return np.array([middle, 0.5 * np.log(np.average((logs[kept] - middle) ** 2, weights=durations.count[kept]))])

    whole = fit_of(cluster >= 0)
    by_hand = np.stack([12 * whole - 11 * fit_of(cluster != each) for each in range(12)])
    assert pseudo_values(found, durations, cluster) == pytest.approx(by_hand, abs=2e-3)
    scores = found.score(durations.low_s, durations.high_s) * durations.count[:, None]
    by_cluster = np.stack([np.bincount(cluster, weights=column) for column in scores.T], axis=-1)
    assert np.sqrt(np.diag(sandwich(found.information, by_cluster)))[1] < 0.95 * by_hand[:, 1].std(ddof=1) / math.sqrt(
        12
    )
