"""Mutated inputs of every kind: each is read, or refused in words; never a traceback, never exit status 1, never without end."""

from __future__ import annotations

import faulthandler
import random
import resource
import shutil
import signal
import traceback
from pathlib import Path
from types import FrameType

import fuzz_targets as targets
import pytest

SECONDS_EACH = 30  # of the processor: the machine may be busy with other things
WAITING_S = 600  # for something that never comes
MOST_FAILURES = 20


class TooSlow(Exception):
    """An input took longer than it may."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise TooSlow


@pytest.mark.slow
def test_no_input_ends_in_a_traceback(pytestconfig: pytest.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`pytest tests/fuzz -m slow --fuzz-inputs N --fuzz-first SEED`: the seed of a failure plays it again."""
    monkeypatch.setattr("sim.runs.estimate.MOST_S", 1.0)  # what would take long is refused
    monkeypatch.chdir(tmp_path)
    count, first = pytestconfig.getoption("--fuzz-inputs"), pytestconfig.getoption("--fuzz-first")
    failures: list[str] = []
    before = {number: signal.signal(number, _stop) for number in (signal.SIGALRM, signal.SIGPROF)}
    faulthandler.enable()
    try:
        for target, seed in targets.inputs(count, first):
            folder = tmp_path / "input"
            folder.mkdir()
            signal.alarm(WAITING_S)
            signal.setitimer(signal.ITIMER_PROF, SECONDS_EACH)
            try:
                target(random.Random(seed), folder)
            except Exception as wrong:  # noqa: BLE001  every kind of failure is counted
                said = (
                    str(wrong) if isinstance(wrong, targets.Broken) else "".join(traceback.format_exception(wrong)[-6:])
                )
                failures.append(f"--- {target.__name__}, --fuzz-first {seed} --fuzz-inputs 1\n{said}")
            finally:
                signal.alarm(0)
                signal.setitimer(signal.ITIMER_PROF, 0)
                shutil.rmtree(folder)
            if len(failures) >= MOST_FAILURES:
                break
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert not failures, "\n".join(failures)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3 * 2**20  # KiB
