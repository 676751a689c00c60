"""A soak tells a process that leaks from one that doesn't."""

from __future__ import annotations

import sys

import pytest

from tools.soak import WORKS, Watched, Work, done, watch

LEAKS = """
import time
kept = [bytearray(b"x" * 2**26)]
for step in range(100):
    block = bytearray(b"x" * 2**19)
    if {leaks}:
        kept.append(block)
    time.sleep(0.03)
"""


@pytest.mark.parametrize("leaks", [False, True])
def test_a_leak_is_noticed(leaks: bool) -> None:
    """64 MiB from the start, and half a MiB in each of 100 steps that is kept, or isn't.

    What a step takes for a moment (its text, two blocks) stays below the 5 % that `is_flat` allows; what is kept is 12 % a quarter.
    """
    found = watch([sys.executable, "-c", LEAKS.format(leaks=leaks)], pause_s=0.01)
    assert found.code == 0
    assert found.is_flat is not leaks, found.quarters


def test_flat_needs_samples_and_a_steady_middle() -> None:
    """Start-up may take what it needs; what grows afterwards, also while tables are written, is no steady state."""
    assert Watched([1.0] * 10 + [5.0] * 30, [9.0] * 10, 0).is_flat
    assert Watched([5.0] * 40, [9.0] * 40, 0).is_flat
    assert not Watched([5.0] * 40, [float(k) for k in range(40)], 0).is_flat
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
