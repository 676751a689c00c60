"""A soak tells a process that leaks from one that doesn't."""

from __future__ import annotations

import sys

import pytest

from tools.soak import WORKS, Watched, Work, done, watch

LEAKS = """
import time
kept = [bytearray(b"x" * 2**26)]
for step in range(100):
    block = bytearray(b"x" * 2**21)
    if {leaks}:
        kept.append(block)
    time.sleep(0.02)
"""


@pytest.mark.parametrize("leaks", [False, True])
def test_a_leak_is_noticed(leaks: bool) -> None:
    """64 MiB from the start, and 2 MiB in each of 100 steps that are kept, or aren't."""
    found = watch([sys.executable, "-c", LEAKS.format(leaks=leaks)], pause_s=0.01)
    assert found.code == 0
    assert found.is_flat is not leaks, found.quarters


def test_flat_needs_samples_and_a_steady_middle() -> None:
    """Start-up and writing may take what they need; what grows in between is no steady state."""
    assert Watched([1.0] * 10 + [5.0] * 30, [9.0] * 10, 0).is_flat
    assert not Watched([float(k) for k in range(40)], [], 0).is_flat
    assert not Watched([5.0] * 8, [], 0).is_flat


@pytest.mark.slow
def test_a_small_soak_runs_to_its_end() -> None:
    """The scenario of every work can be simulated, here with fewer VMs and days."""
    assert all(work.replications >= 3 for work in WORKS.values())
    found = done(Work(20, 7, 4, "small"))
    assert found.code == 0
    assert found.quarters[3] > 0.0
    assert found.after, "the tables were never seen"
