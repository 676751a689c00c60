"""What `--events` costs: the same run with and without, whole processes, in turns."""

from __future__ import annotations

from pathlib import Path

import pytest
from processor_time import cpu_s

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]

EVENTS_RATIO = 3.0  # target; see docs/performance.md
FLEET = """
name = "events"
start = 2026-01-05T00:00:00Z
horizon = "28d"
replications = 1
[[group]]
name = "dev"
size = "Standard_D4s_v5"
count = 100_000
schedule = { days = "Mon-Fri", on = 08:00:00, off = 19:00:00, jitter = { dist = "uniform", low = "0s", high = "20min" } }
"""


def test_every_event_of_a_large_fleet_costs_at_most_thrice_the_run(tmp_path: Path) -> None:
    """25 million rows; a row at a time they would cost eighty times the run."""
    (tmp_path / "fleet.toml").write_text(FLEET)
    run = ("run", "fleet.toml", "--engine", "compiled", "--no-report", "--quiet")
    cpu_s(*run, folder=tmp_path, rounds=1)  # compiled code is there
    ratios = []
    for _ in range(3):
        without = cpu_s(*run, folder=tmp_path, rounds=1)
        ratios.append(cpu_s(*run, "--events", folder=tmp_path, rounds=1) / without)
    assert sorted(ratios)[1] <= EVENTS_RATIO
