"""Mistakes in a scenario file. Distributions."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_scenarios import STARTING, Bad, bad, check_mistake, starting

MISTAKES: dict[str, Bad] = {
    "one parameter of a lognormal": bad(
        STARTING,
        starting('{ dist = "lognormal", median = "25s" }'),
        "group.dev.durations.starting",
        "exactly two of median, mean, sigma, p95",
    ),
    "three parameters of a lognormal": bad(
        STARTING,
        starting('{ dist = "lognormal", median = "25s", mean = "30s", sigma = 1.0 }'),
        "group.dev.durations.starting",
        "exactly two",
    ),
    "a lognormal whose mean is below its median": bad(
        STARTING,
        starting('{ dist = "lognormal", median = "25s", mean = "20s" }'),
        "group.dev.durations.starting",
        "mean",
    ),
    "no finite mean": bad(
        STARTING,
        starting('{ dist = "lognormal", median = "1h", sigma = 20.0 }'),
        "group.dev.durations.starting",
        "no finite mean",
        "`max`",
    ),
    "a mean of ages": bad(
        STARTING,
        starting('{ dist = "weibull", shape = 0.05, scale = "1h" }'),
        "group.dev.durations.starting",
        "no finite mean",
    ),
    "a shape of zero": bad(
        STARTING,
        starting('{ dist = "gamma", shape = 0.0, mean = "1h" }'),
        "group.dev.durations.starting.shape",
        "0.0",
        "more than 0",
    ),
    "low above high": bad(
        STARTING,
        starting('{ dist = "uniform", low = "90s", high = "30s" }'),
        "group.dev.durations.starting",
        "low = 1min 30s, high = 30s",
        "low <= high",
    ),
    "a mode outside": bad(
        STARTING,
        starting('{ dist = "triangular", low = "30s", mode = "10s", high = "5min" }'),
        "group.dev.durations.starting",
        "low <= mode <= high",
    ),
    "quantiles that fall": bad(
        STARTING,
        starting('{ dist = "quantiles", p = [0, 0.5, 1], at = ["5s", "49s", "13s"] }'),
        "group.dev.durations.starting",
        "must not fall",
    ),
    "quantiles that don't end at 1": bad(
        STARTING,
        starting('{ dist = "quantiles", p = [0, 0.5], at = ["5s", "49s"] }'),
        "group.dev.durations.starting",
        "end with 1",
    ),
    "a mixture with a weight too few": bad(
        STARTING,
        starting('{ dist = "mixture", weights = [1.0], of = ["5s", "6s"] }'),
        "group.dev.durations.starting",
        "1 weights for 2 distributions",
    ),
    "a mixture of nothing": bad(
        STARTING,
        starting('{ dist = "mixture", weights = [], of = [] }'),
        "group.dev.durations.starting.of",
        "0 values",
    ),
    "a mistake inside a mixture": bad(
        STARTING,
        starting('{ dist = "mixture", weights = [0.5, 0.5], of = ["5s", { dist = "exponential", mean = "6" }] }'),
        "group.dev.durations.starting.of[2].mean",
        '"6"',
        "unit is missing",
    ),
    "min above max": bad(
        STARTING,
        starting('{ dist = "exponential", mean = "8h", min = "2h", max = "1h" }'),
        "group.dev.durations.starting",
        "min <= max",
    ),
    "nothing left between min and max": bad(
        STARTING,
        starting('{ dist = "uniform", low = "1s", high = "2s", min = "1h" }'),
        "group.dev.durations.starting",
        "leave nothing",
    ),
    "a samples file that is not there": bad(
        STARTING,
        starting('{ dist = "samples", file = "none.csv", column = "seconds" }'),
        "group.dev.durations.starting",
        "there is no file",
        "none.csv",
        "relative to the scenario file",
    ),
    "a share in per cent": bad("seed = 1", "confidence = 95 #!", "confidence", "95: out of range", "write 0.95 for 95 %"),
    "a probability in per cent": bad(
        "OSProvisioningTimedOut = 0.01",
        "OSProvisioningTimedOut = 2.5 #!",
        "group.dev.failures.OSProvisioningTimedOut",
        "write 0.025 for 2.5 %",
    ),
    "a length that differs by a second": bad(
        'horizon = "28d"', 'warm_up = "8h1s" #!\nhorizon = "8h"', "warm_up", "8h 1s leaves nothing of the horizon of 8h"
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_reported_once_with_its_place_and_what_would_be_right(mistake: Bad, tmp_path: Path) -> None:
    """One mistake is one fault of one line, at the line and field of the mistake, with the words that help."""
    check_mistake(mistake, tmp_path)
