"""What a person waits for: targets of whole processes (`processes` has the work)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks are programs, too: `python -m tests.benchmarks.measure`

from tests.benchmarks.processes import CALLS, RATIOS, SECONDS, whole_processes

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]


@pytest.mark.parametrize("pair", RATIOS)
def test_a_process_costs_at_most_so_much_of_another(pair: tuple[str, str]) -> None:
    """Small runs beside a plain program, runs with events beside those without, many groups beside one."""
    if not set(pair) <= set(CALLS):
        pytest.skip("VMFLEET_BEFORE names no older checkout")
    (found,) = whole_processes(3, pair)["ratios"].values()
    assert found <= RATIOS[pair]


@pytest.mark.parametrize("name", SECONDS)
def test_a_small_process_is_done_at_once(name: str) -> None:
    """Processor time, so that other programs' load doesn't count."""
    assert whole_processes(3, (name,))["cpu_s"][name] <= SECONDS[name]
