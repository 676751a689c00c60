"""Measures the speed targets of the project, side by side in one run, and keeps it in `docs/performance.json`.

    python -m tests.benchmarks.measure [--rounds 7] [--only NAME ...] [--date 2026-11-23]
    python -m tests.benchmarks.performance_page

Variants of one job take turns within each round, and a ratio is the median of the rounds' ratios, so other load on the
computer hits all of them. Work of one thread is timed by the processor time of the process; what runs in two threads, and what
a person waits for, by elapsed time. `tests.benchmarks.performance_page` makes the page and its figure.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import plain_simpy as plain
from tests.benchmarks import plain_simpy_hosts as hosted
from tests.benchmarks import works
from tests.benchmarks.processes import whole_processes
from tools.proof_page import commit, machine

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "performance.json"
DRAWS_PER_CHANGE = 5 / 4  # on, off, starting, deallocating, whether a start fails: for four changes of state

Job = Callable[[], float]  # does work, returns how much


def timed(job: Job, *, wall: bool = False) -> tuple[float, float]:
    """(work done, seconds)."""
    clock = time.perf_counter if wall else time.process_time
    began = clock()
    done = job()
    return done, clock() - began


def contest(variants: dict[str, Job], rounds: int) -> dict[str, dict[str, float]]:
    """Rates of all variants, which take turns; and ratios to the first of them."""
    rates: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, job in variants.items():
            done, seconds = timed(job)
            rates[name].append(done / seconds)
    first = next(iter(variants))
    return {
        name: {
            "per_s": statistics.median(found),
            "ratio": statistics.median(a / b for a, b in zip(found, rates[first], strict=True)),
        }
        for name, found in rates.items()
    }


def limit_loop() -> Callable[[int], float]:
    """Only the random number, the logarithm and the sum of so many draws, compiled."""
    import numba
    import numpy as np

    @numba.njit(nogil=True, error_model="numpy")
    def total(draws, key):  # type: ignore[no-untyped-def]
        t = 0.0
        for i in range(draws):
            z = key + np.uint64(i + 1) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
            t -= math.log((np.float64(z >> np.uint64(12)) + 0.5) * 2.0**-52)
        return t

    def changes(many: int) -> float:
        total(round(many * DRAWS_PER_CHANGE), np.uint64(1))
        return many

    changes(10)
    return changes


def transitions(rounds: int) -> dict[str, Any]:
    """Changes of state a second: plain SimPy, both engines, the limit."""
    limit = limit_loop()
    found = {}
    for alive, hours, many_hours in ((1_000, 672, 8_760), (10_000, 72, 1_440)):
        small, large = works.on_and_off(alive, hours), works.on_and_off(alive, many_hours)
        works.played(works.on_and_off(10, 24), "compiled")
        found[str(alive)] = contest(
            {
                "plain SimPy": lambda n=alive, h=hours: plain.on_and_off(n, h).transitions,
                "SimPy engine": lambda q=small: works.changes(works.played(q, "simpy")),
                "compiled engine": lambda q=large: works.changes(works.played(q, "compiled")),
                "limit loop": lambda: limit(20_000_000),
            },
            rounds,
        )
    return found


def lives(rounds: int) -> dict[str, Any]:
    """VMs a second, create to delete, unlimited hardware."""
    found = {}
    for alive in (1_000, 10_000):
        small, large = works.create_run_delete(30_000, alive), works.create_run_delete(1_000_000, alive)
        found[str(alive)] = contest(
            {
                "plain SimPy": lambda n=alive: plain.create_run_delete(30_000, n).lives,
                "SimPy engine": lambda q=small: works.played(q, "simpy")["vms.created"],
                "compiled engine": lambda q=large: works.played(q, "compiled")["vms.created"],
            },
            rounds,
        )
    return found


def lives_on_hosts(rounds: int) -> dict[str, Any]:
    """VMs a second, create to delete, on hosts: in the style of the real day, and the real day itself."""
    found: dict[str, Any] = {}
    works.played(
        works.create_run_delete(100, 10, hosts=10), "compiled"
    )  # compiled once per computer, which is not measured
    for alive in (1_000, 10_000):
        hosts = hosted.hosts_for(alive)
        small = works.create_run_delete(20_000, alive, hosts=hosts)
        day = works.create_run_delete(works.REAL_DAY + alive, alive, hosts=hosts)
        failing = works.create_run_delete(
            works.REAL_DAY + alive, alive, hosts=hosts, feature="host failures and healing"
        )
        found[str(alive)] = contest(
            {
                "plain SimPy with hosts": lambda n=alive: hosted.create_run_delete_on_hosts(20_000, n).lives,
                "SimPy engine": lambda q=small: works.played(q, "simpy")["vms.deleted"],
                "look-ahead engine": lambda q=day: works.played(q, "compiled")["vms.deleted"],
                "hosts fail": lambda q=failing: works.played(q, "compiled")["vms.deleted"],
            },
            rounds,
        )
    real = works.real_day()
    if real is not None:
        asked, requests, hosts = real
        found["real day"] = contest(
            {
                "plain SimPy with hosts": lambda: hosted.play(requests, hosts, until_s=86_400.0).lives,
                "look-ahead engine": lambda: works.played(asked, "compiled")["vms.deleted"],
            },
            max(1, rounds // 2),
        )
        found["real day"]["vms"], found["real day"]["hosts"] = len(requests), hosts
    return found


def allocation(rounds: int) -> dict[str, Any]:
    """Seconds a life where all hosts are nearly full, against how many hosts there are; by policy."""
    found: dict[str, Any] = {}
    works.played(works.create_run_delete(100, 10, hosts=10), "compiled")
    for placement in ("first-fit", "best-fit", "worst-fit"):
        row = {}
        for hosts in (100, 1_000, 10_000):
            alive = round(0.95 * hosts * hosted.HOST_VCPUS / hosted.VCPUS)
            asked = works.create_run_delete(max(200_000, 3 * alive), alive, hosts=hosts, placement=placement)
            free = works.create_run_delete(max(200_000, 3 * alive), alive, hosts=0)
            seconds, without = [], []
            for _ in range(max(1, rounds // 2)):
                for question, into in ((asked, seconds), (free, without)):
                    done, took = timed(lambda q=question: works.played(q, "compiled")["vms.created"])
                    into.append(took / done)
            row[str(hosts)] = {
                "s_per_life": statistics.median(seconds),
                "s_per_life_without_hosts": statistics.median(without),
            }
        found[placement] = row
    return found


def in_a_process_of_its_own(code: str) -> dict[str, float]:
    """What a program prints as JSON, with its peak memory."""
    tail = "\nprint(json.dumps({**measured, 'peak_mib': peak_kib() / 1024}))"
    done = subprocess.run(
        [sys.executable, "-c", PEAK + code + tail], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


# getrusage's peak is passed on from a large parent to its children; this one starts again with the program.
PEAK = """
import json, re
from pathlib import Path
def peak_kib(): return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""
BIG = """
import time
from concurrent.futures import ThreadPoolExecutor
from tests.benchmarks import works
works.played(works.office_hours(100, 1), "compiled")
began, cpu = time.perf_counter(), time.process_time()
{work}
measured = {{"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}}
"""
MONTH = 'works.played(works.office_hours(1_000_000, 30), "compiled", threads=2)'
YEARS = """asked = works.office_hours(10_000, 365)
with ThreadPoolExecutor(2) as pool:
    list(pool.map(lambda r: works.played(asked, "compiled", replication=r), range(20)))"""
MEMORY = """
from tests.benchmarks import works
def play(alive): works.played({work}, "{engine}")
play(1_000)
before = peak_kib()
play(100_000)
measured = {{"bytes_per_vm": 1024 * (peak_kib() - before) / 100_000}}
"""


def big(rounds: int) -> dict[str, Any]:
    """What a person waits for, in a fresh process, two threads."""
    found = {}
    for name, work in (("a million VMs, a month", MONTH), ("10,000 VMs, a year, 20 replications", YEARS)):
        runs = [in_a_process_of_its_own(BIG.format(work=work)) for _ in range(max(1, min(3, rounds // 2)))]
        found[name] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return found


def memory(_rounds: int) -> dict[str, Any]:
    """Bytes that a VM alive adds to the process, at 100,000 of them."""
    hosts = "hosts=round(alive / 19)"
    return {
        name: in_a_process_of_its_own(MEMORY.format(work=work, engine=engine))
        for name, work, engine in (
            ("SimPy engine", "works.on_and_off(alive, 24.0)", "simpy"),
            ("look-ahead engine, hosts", f"works.create_run_delete(4 * alive, alive, {hosts})", "compiled"),
        )
    }


def start_up(rounds: int) -> dict[str, Any]:
    """`--help`, and `demo` from a cold start (fonts unknown, nothing compiled): processor and wall time of a call."""
    found = {}
    for name in ("--help", "demo"):
        cpu_s, wall_s = [], []
        for _ in range(max(1, min(3, rounds))):
            with tempfile.TemporaryDirectory() as scratch:
                before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
                subprocess.run(
                    [sys.executable, "-m", "sim", name], cwd=scratch, check=True, stdout=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": str(ROOT), "MPLCONFIGDIR": f"{scratch}/fonts", "NUMBA_CACHE_DIR": f"{scratch}/numba"},
                )  # fmt: skip
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                wall_s.append(time.perf_counter() - began)
                cpu_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        found[name] = {"cpu_s": min(cpu_s), "wall_s": min(wall_s)}
    return found


def features(rounds: int) -> dict[str, Any]:
    """Seconds an operation with each thing that a platform may do to VMs, compiled, in SimPy, and compiled without it."""
    found: dict[str, Any] = {}
    works.played(works.on_hosts(10, 1), "compiled")  # compiled once per computer, which is not measured
    without = works.on_hosts(4_000, 28)
    for name in (*works.FEATURES, "spot", "reservations"):
        asked, small = works.on_hosts(4_000, 28, name), works.on_hosts(4_000, 2, name)
        found[name] = contest(
            {
                "SimPy engine": lambda q=small: works.operations(works.played(q, "simpy")),
                "compiled engine": lambda q=asked: works.operations(works.played(q, "compiled")),
                "without it": lambda: works.operations(works.played(without, "compiled")),
            },
            max(1, rounds // 2),
        )
    asked, small = works.autoscaled(1_200, 28), works.autoscaled(1_200, 2)
    found["autoscale"] = contest(
        {
            "SimPy engine": lambda: works.operations(works.played(small, "simpy")),
            "compiled engine": lambda: works.operations(works.played(asked, "compiled")),
        },
        max(1, rounds // 2),
    )
    return found


FAILING = """asked = works.on_hosts(10_000, 28, "host failures and healing")
for replication in range(5): works.played(asked, "compiled", replication=replication)"""
SCALING = """asked = works.autoscaled(1_200, 28)
for replication in range(20): works.played(asked, "compiled", replication=replication)"""


def disrupted(rounds: int) -> dict[str, Any]:
    """What a person waits for where hosts fail, and where an autoscaler follows a load, in a fresh process, one thread."""
    found = {}
    for name, work in (
        ("10,000 VMs, hosts that fail, 5 replications", FAILING),
        ("1,200 VMs, autoscale, 20 replications", SCALING),
    ):
        runs = [in_a_process_of_its_own(BIG.format(work=work)) for _ in range(max(1, min(3, rounds // 2)))]
        found[name] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return found


def growth(rounds: int) -> dict[str, Any]:
    """Processor seconds against VMs (four weeks) and against the horizon (1,000 VMs), office hours, one thread."""

    def seconds(machines: int, days: float, engine: str) -> float:
        asked = works.office_hours(machines, days)
        return statistics.median(
            timed(lambda: float(len(works.played(asked, engine))))[1] for _ in range(max(1, rounds // 2))
        )

    seconds(10, 1.0, "compiled")  # compiled once per computer, which is not measured
    return {
        "vms": {
            "compiled": {str(10**k): seconds(10**k, 28.0, "compiled") for k in range(2, 7)},
            "simpy": {str(10**k): seconds(10**k, 28.0, "simpy") for k in range(2, 5)},
        },
        "days": {
            "compiled": {str(days): seconds(1_000, days, "compiled") for days in (7, 28, 91, 364, 1820)},
            "simpy": {str(days): seconds(1_000, days, "simpy") for days in (7, 28, 91)},
        },
    }


def shares(rounds: int) -> dict[str, Any]:
    """Shares of the compiled loop and of the audit in the processor time: they explain a missed target."""
    from unittest.mock import patch

    from sim.engines.compiled import private_fleet, shared_fleet

    spent: dict[str, float] = {}

    def watched(part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return work(*given, **named)
            finally:
                spent[part] = spent.get(part, 0.0) + time.process_time() - began

        return call

    found = {}
    for name, asked in (
        ("1000", works.on_and_off(1_000, 8_760)),
        ("10000", works.on_and_off(10_000, 1_440)),
        ("hosts 1000", works.create_run_delete(works.REAL_DAY + 1_000, 1_000, hosts=hosted.hosts_for(1_000))),
    ):
        works.played(asked, "compiled")
        rows = []
        with (
            patch.object(private_fleet, "run_vms", watched("kernel", private_fleet.run_vms)),
            patch.object(shared_fleet, "run_events", watched("kernel", shared_fleet.run_events)),
            patch.object(private_fleet, "audit", watched("audit", private_fleet.audit)),
        ):
            for _ in range(rounds):
                spent.clear()
                _, whole_s = timed(lambda q=asked: float(len(works.played(q, "compiled"))))
                rows.append({part: spent.get(part, 0.0) / whole_s for part in ("kernel", "audit")})
        found[name] = {part: statistics.median(row[part] for row in rows) for part in ("kernel", "audit")}
    return found


def peers(rounds: int) -> dict[str, Any]:
    """Peers beside each other, by their own script."""
    call = [sys.executable, str(Path(__file__).parent / "peers" / "compare.py"), "--rounds", str(min(3, rounds))]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    return {"table": done.stdout.strip()}


PARTS: dict[str, Callable[[int], dict[str, Any]]] = {
    part.__name__: part
    for part in (
        transitions,
        lives,
        lives_on_hosts,
        allocation,
        big,
        memory,
        start_up,
        growth,
        shares,
        features,
        disrupted,
        peers,
        whole_processes,
    )
}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=7)
    asked.add_argument("--only", nargs="*", default=list(PARTS), choices=list(PARTS))
    asked.add_argument("--date", default=time.strftime("%Y-%m-%d"))
    asked.add_argument("--commit", default="", help="what is measured, where git can't say")
    options = asked.parse_args()
    whole = set(options.only) == set(PARTS)
    kept = json.loads(KEPT.read_text()) if KEPT.exists() and not whole else {}
    for part in kept.values():
        if isinstance(part, dict) and "load" in part:
            part.setdefault("date", kept["date"])
    kept |= {
        "one_run": whole,
        "commit": options.commit or commit(),
        "date": options.date,
        "rounds": options.rounds,
        "machine": machine(),
    }
    for name in options.only:
        began = time.perf_counter()
        kept[name] = {**PARTS[name](options.rounds), "load": os.getloadavg()[0], "date": options.date}
        print(f"{name}: {time.perf_counter() - began:.0f} s", json.dumps(kept[name]), flush=True)
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
