"""The check of coverage refuses wrong intervals, and the page shows what it found.

`python -m tools.interval_coverage` makes 2,000 studies of each case.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from tools.interval_coverage import Case, band, cases, counted, holds
from tools.proof_page import KEPT

FOUND = json.loads((KEPT / "interval_coverage.json").read_text(encoding="utf-8"))["cases"]
QUICK = [case for case in cases() if case.n in (5, 20) and not case.interval.startswith("simulated")]


@pytest.mark.slow
@pytest.mark.parametrize("case", QUICK, ids=lambda case: f"{case.interval}, {case.observations}, {case.n}")
def test_an_interval_covers_as_is_said_of_it(case: Case) -> None:
    """400 studies of each case that takes no long simulation, within the binomial's band."""
    assert counted(case, 400)["as_said"]


def test_a_wrong_interval_is_refused() -> None:
    """An interval too narrow is short, one too wide is wide, and neither is as is said of an exact method."""
    for factor, found in ((0.5, "short"), (3.0, "wide")):

        def study(rng: np.random.Generator, factor: float = factor) -> tuple[bool, None]:
            middle = float(rng.normal())
            return holds((middle - 1.96 * factor, middle + 1.96 * factor), 0.0), None

        row = counted(Case("too narrow or too wide", "normal", 1, "none", study), 400)
        assert (row["found"], row["as_said"]) == (found, False)
    low, high = band(2000, 0.95)
    assert 0.93 < low / 2000 < 0.95 < high / 2000 < 0.97


def test_every_case_was_counted_and_is_as_said() -> None:
    """2,000 studies of each at least; of each kind of interval, a wrong one is refused somewhere."""
    assert {(row["interval"], row["observations"], row["n"]) for row in FOUND} >= {(case.interval, case.observations, case.n) for case in cases()}  # fmt: skip
    assert all(row["studies"] >= 2000 and row["as_said"] for row in FOUND)
    for interval in {row["interval"] for row in FOUND} - {"P50"}:
        assert any(row["refused"] for row in FOUND if row["interval"] == interval), interval
