"""Processor time of whole processes, for benchmarks."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path


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
