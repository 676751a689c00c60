"""Long and large runs whose memory must stay flat: `python -m tools.soak --record`.

Each work is one `vmfleet run` in a process of its own, whose resident memory (and that of its children) is sampled ten times a second.
Flat: the peak of the third quarter of the samples is at most 5 % above that of the second quarter, while it simulates (the first has the
start-up, the last reads all replications for the summary) and, where that takes long enough, while it writes. Exit status 1 where a work
is not flat, or fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tools.proof_page import ROOT, kept, record

GROWTH = 1.05  # of the peak from the second quarter to the third
LEAST = 40  # samples that show something
PAUSE_S = 0.1
MIB = 2**20


class Work(NamedTuple):
    """A fleet in office hours with a disk each, so long, so often."""

    vms: int
    days: int
    replications: int
    words: str

    def scenario(self) -> str:
        """Its file."""
        return f"""
name = "soak"
start = 2026-01-05T00:00:00Z
horizon = "{self.days}d"
[[group]]
name = "dev"
count = {self.vms}
disks = ["P10"]
when_off = "deallocate"
  [group.schedule]
  days = "Mon-Fri"
  on = 08:00:00
  off = 19:00:00
  jitter = {{ dist = "uniform", low = "0s", high = "20min" }}
  [group.failures]
  AllocationFailed = 0.01
"""


WORKS: Mapping[str, Work] = {
    "fleet": Work(1_000_000, 30, 6, "a million VMs for a month"),
    "years": Work(1_000, 3_652, 12, "a thousand VMs for ten years"),
    "replications": Work(10, 7, 10_000, "ten VMs for a week, 10,000 replications"),
    "many": Work(10, 7, 100_000, "ten VMs for a week, 100,000 replications"),
}


class Watched(NamedTuple):
    """How a process used memory."""

    samples: list[float]  # MiB, at equal distances of time, up to `until`
    after: list[float]  # MiB, from then on
    code: int  # exit status

    @property
    def quarters(self) -> list[float]:
        """The peak of each quarter of the samples (MiB)."""
        return _quarters(self.samples)

    @property
    def is_flat(self) -> bool:
        """Whether each third quarter's peak is hardly above the second's; fewer than forty samples show nothing."""
        phases = [self.samples, *([self.after] if len(self.after) >= LEAST else [])]
        return len(self.samples) >= LEAST and all(
            quarters[2] <= GROWTH * quarters[1] for quarters in map(_quarters, phases)
        )


def _quarters(samples: Sequence[float]) -> list[float]:
    n = len(samples)
    return [max(samples[k * n // 4 : max(k * n // 4 + 1, (k + 1) * n // 4)]) for k in range(4)]


def watch(command: Sequence[str], until: Callable[[], bool] = lambda: False, pause_s: float = PAUSE_S) -> Watched:
    """Run a command to its end, and sample its memory; what comes after *until* is kept apart."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    found = Watched([], [], 0)
    while process.poll() is None:
        (found.after if found.after or until() else found.samples).append(resident_mib(process.pid))
        time.sleep(pause_s)
    return found._replace(code=process.returncode)


def resident_mib(pid: int) -> float:
    """Resident memory of a process and its children; 0 where it has just ended."""
    try:
        process = psutil.Process(pid)
        return sum(float(each.memory_info().rss) for each in (process, *process.children(recursive=True))) / MIB
    except psutil.NoSuchProcess:
        return 0.0


def done(work: Work) -> Watched:
    """One work, simulated and written."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "soak.toml"
        file.write_text(work.scenario(), encoding="utf-8")
        options = ("--engine", "compiled", "--no-report", "--quiet", "--out", f"{place}/out")
        command = [sys.executable, "-m", "sim", "run", str(file), "-n", str(work.replications), *options]
        return watch(command, until=lambda: any(Path(place).rglob("summary.json")))  # the first table that is written


def main() -> None:
    """The works asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="*", default=list(WORKS), choices=list(WORKS), help="the others stay as they are"
    )
    parser.add_argument("--record", action="store_true", help="Write the figures to docs/proof.md.")
    asked = parser.parse_args()
    words = {work.words for work in WORKS.values()}
    figures: dict[str, Any] = {
        name: each for name, each in kept().get("soak", {}).get("works", {}).items() if name in words
    }
    for name in asked.only:
        work, found = WORKS[name], done(WORKS[name])
        figures[work.words] = {
            "replications": work.replications, "samples": len(found.samples), "quarters_mib": [round(peak, 1) for peak in found.quarters], "writing_mib": round(max(found.after, default=0.0), 1),
            "is_flat": found.is_flat, "exit_status": found.code,
        }  # fmt: skip
        print(work.words, figures[work.words], flush=True)
    if asked.record:
        record("soak", "python -m tools.soak --record", {"growth": GROWTH, "works": figures})
    sys.exit(0 if all(each["is_flat"] and each["exit_status"] == 0 for each in figures.values()) else 1)


if __name__ == "__main__":
    main()
