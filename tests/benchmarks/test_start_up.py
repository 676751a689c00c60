"""What a newcomer waits for: the help, and the demo from a cold start."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark

HELP_CPU_S = 0.3
DEMO_CPU_S = 5.0


def cpu_s(*arguments: str, folder: Path, rounds: int = 3) -> float:
    """Least processor time of a few calls of `python -m sim`; other programs' load doesn't count."""
    spent = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "sim", *arguments],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "MPLCONFIGDIR": str(folder / "fonts-unknown")},
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def test_help_answers_at_once(tmp_path: Path) -> None:
    """Heavy libraries must wait for a command that needs them."""
    assert cpu_s("--help", folder=tmp_path) < HELP_CPU_S


def test_the_demo_is_done_before_patience_is(tmp_path: Path) -> None:
    """Simulation, result folder, figures and report from a cold start."""
    assert cpu_s("demo", folder=tmp_path, rounds=1) < DEMO_CPU_S
