"""The speed targets of the engines, as ratios to plain SimPy programs interleaved with them in one run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks are programs, too: `python -m tests.benchmarks.measure`

from tests.benchmarks import measure

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]
ROUNDS = 3


def test_the_compiled_engine_is_fifty_times_as_fast_as_plain_simpy() -> None:
    """With ledger and bill; 10,000 VMs, so that set-up hardly counts."""
    assert measure.transitions(ROUNDS)["10000"]["compiled engine"]["ratio"] >= 50


def test_a_whole_life_in_simpy_takes_at_most_three_times_as_long_as_in_the_plain_program() -> None:
    """Though states, hours, operations, demand and the bill are kept."""
    found = measure.lives(ROUNDS)
    assert min(found[alive]["SimPy engine"]["ratio"] for alive in ("1000", "10000")) >= 1 / 3


def test_vms_on_hosts_are_faster_than_in_the_fastest_other_simulators() -> None:
    """45,000 a second with 1,000 VMs alive, 30,000 with 10,000; and 20 times a plain program with 10,000."""
    found = measure.lives_on_hosts(ROUNDS)
    assert found["1000"]["look-ahead engine"]["per_s"] >= 45_000
    assert found["10000"]["look-ahead engine"]["per_s"] >= 30_000
    assert found["10000"]["look-ahead engine"]["ratio"] >= 20


def test_a_vm_alive_in_the_simpy_engine_takes_less_than_three_kib() -> None:
    """100,000 of them must fit beside whatever else a laptop does."""
    assert measure.memory(1)["SimPy engine"]["bytes_per_vm"] < 3 * 1024
