"""Whole processes in turns: what a person waits for when a run is small, when every event is kept, when groups are many, and in studies.

VMFLEET_BEFORE names the root of an older checkout (`git worktree add /tmp/before f8da326`): the studies are then run by it, too.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RATIOS = {  # (work, beside what): target
    ("small", "plain"): 1.5,
    ("events", "no events"): 3.0,
    ("many groups", "one group"): 3.0,
    ("compare", "compare before"): 0.5,
    ("sweep", "sweep before"): 0.5,
}
RATIO_WORDS = {
    (
        "small",
        "plain",
    ): "1,000 VMs on and off, a month, one replication, `--no-report`: whole process against plain SimPy's",
    ("events", "no events"): "`--events`, 100,000 VMs, 28 days, against the run without",
    ("many groups", "one group"): "500 groups of 20 VMs, 10 replications, against one group of 10,000",
    ("compare", "compare before"): "compare of 4 variants x 100 replications, 200 VMs, against version 0.1 (f8da326)",
    ("sweep", "sweep before"): "sweep of 50 points x 10 replications, against version 0.1 (f8da326)",
}
WHY_MISSED = {
    "small": "to load Python, numpy, Arrow, the types of a scenario and the engine takes longer than the whole plain program",
    "small with report": "a good part of it is to load matplotlib's renderer, and to write each figure as SVG and as PNG",
    "demo": "a good part of it is to load matplotlib's renderer, and to write each figure as SVG and as PNG",
    "--help": "most of it is to load Python and the parser of the command line",
    "events": "ten million moves are sorted, and 25 million rows of eight columns encoded",
    "many groups": "metrics, bill, ledger and 12 MB of tables for each of 5,000 groups and replications",
    "compare": "metrics, bill and tables of 400 replications; the loop itself is a small part",
    "sweep": "metrics, bill and tables of 500 replications; the loop itself is a small part",
}
SECONDS = {"small with report": 2.0, "demo": 2.0, "--help": 0.15}  # of processor time, warm
HEAD = 'name = "{name}"\nstart = 2026-01-05T00:00:00Z\nhorizon = "{days}d"\nreplications = {replications}\n'
OFFICE = """[[group]]
name = "team-{number}"
size = "Standard_D4s_v5"
count = {count}
disks = ["P10"]
schedule = {{ days = "Mon-Fri", on = 08:00:00, off = 19:00:00, jitter = {{ dist = "uniform", low = "0s", high = "20min" }} }}
"""
ON_AND_OFF = """[[group]]
name = "vm"
size = "Standard_D4s_v5"
image = "specialized"
count = 1000
when_off = "deallocate"
cycle = { on = { dist = "exponential", mean = "8h" }, off = { dist = "exponential", mean = "16h" } }
"""
VARIANTS = ("deallocate", "stop", "guest-shutdown", "keep")
STUDY = ("--engine", "compiled", "--no-cache", "--no-report", "--quiet")
LONG = frozenset({"events", "many groups", "compare", "sweep", "sweep before"})
BEFORE = os.environ.get("VMFLEET_BEFORE", "")
QUIET = ("--quiet", "--no-report")
PLAIN = "from tests.benchmarks.plain_simpy import on_and_off; print(on_and_off(1_000, 720.0).bill_usd)"
CALLS = {
    "plain": ("-c", PLAIN),
    "small": ("-m", "sim", "run", "small.toml", *QUIET),
    "small with report": ("-m", "sim", "run", "small.toml", "--quiet"),
    "demo": ("-m", "sim", "demo"),
    "--help": ("-m", "sim", "--help"),
    "no events": ("-m", "sim", "run", "large.toml", "--engine", "compiled", *QUIET),
    "events": ("-m", "sim", "run", "large.toml", "--engine", "compiled", *QUIET, "--events"),
    "one group": ("-m", "sim", "run", "one.toml", "--engine", "compiled", *QUIET),
    "many groups": ("-m", "sim", "run", "many.toml", "--engine", "compiled", *QUIET),
    "compare": ("-m", "sim", "compare", *(f"{name}.toml" for name in VARIANTS), *STUDY),
    "sweep": ("-m", "sim", "sweep", "deallocate.toml", "--vary", "group.team-0.count=10..500:10", "-n", "10", *STUDY),
}
CALLS |= {f"{name} before": CALLS[name] for name in ("compare", "sweep") if BEFORE}


def cpu_s(name: str, folder: Path) -> float:
    """Processor time of one call of Python; its bytecode is kept, as it is where the package is installed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    root = BEFORE if name.endswith(" before") else str(ROOT)
    environment |= {"PYTHONPATH": root, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    shutil.rmtree(folder / "results", ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *CALLS[name]], cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_fleets(folder: Path) -> None:
    """The scenario files that the calls name."""
    fleets = {
        "small": HEAD.format(name="small", days=30, replications=1) + ON_AND_OFF,
        "large": HEAD.format(name="large", days=28, replications=1) + OFFICE.format(number=0, count=100_000),
    }
    for name, groups in (("one", 1), ("many", 500)):
        sections = (OFFICE.format(number=number, count=10_000 // groups) for number in range(groups))
        fleets[name] = HEAD.format(name=name, days=28, replications=10) + "".join(sections)
    for name in VARIANTS:
        head = HEAD.format(name=name, days=28, replications=100)
        fleets[name] = head + OFFICE.format(number=0, count=200) + f'when_off = "{name}"\n'
    for name, text in fleets.items():
        (folder / f"{name}.toml").write_text(text)


def whole_processes(rounds: int, only: tuple[str, ...] = tuple(CALLS)) -> dict[str, Any]:
    """Least processor time of each call, and the ratios of those that belong together (median of the rounds)."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_fleets(folder)
        for name in only:  # bytecode and compiled code are there; others of these calls see to it for the long ones
            if name not in LONG or len(only) <= 2:
                cpu_s(name, folder)
        spent = [{name: cpu_s(name, folder) for name in only} for _ in range(max(1, min(3, rounds)))]
    return {
        "cpu_s": {name: min(each[name] for each in spent) for name in only},
        "ratios": {
            " / ".join(pair): statistics.median(each[pair[0]] / each[pair[1]] for each in spent)
            for pair in RATIOS
            if set(pair) <= set(only)
        },
    }
