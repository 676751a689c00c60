"""A run with two processes, killed at random moments: nothing finished is lost, no process stays, and it ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import sim
from sim.errors import VmfleetWarning
from sim.runs.cache import CacheEntry

FLEET = {"name": "fleet", "horizon": "14d", "group": [{"name": "web", "count": 20, "cycle": {"on": "2h", "off": "2h"}}]}
RUN = [
    "run",
    "fleet.toml",
    "-n",
    "40",
    "--jobs",
    "2",
    "--engine",
    "simpy",
    "--quiet",
    "--no-report",
    "--resume",
    "--events",
]


def start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    """The command in a process that has loaded everything when it says so; what it starts inherits its mark."""
    program = (
        "import sys; from sim.cli import main; import sim.runs.run; print('ready', flush=True); main(sys.argv[1:])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *RUN, "--out", out],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(sim.__file__).parents[1]), "VMFLEET_KILLED": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def alive(folder: Path) -> list[str]:
    """Command lines of the processes that carry the mark."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"VMFLEET_KILLED={folder}".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()[-200:])
        except OSError:
            continue
    return found


def finished(folder: Path) -> set[int]:
    """The replications that are kept beside the result folder, their events too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VmfleetWarning)
        entries = [CacheEntry(folder=each) for each in folder.glob(".out.unfinished/*/*")]
        return {number for entry in entries for block in entry.blocks() for number in block.numbers}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")
def test_kills_at_random_moments_lose_nothing_and_leave_no_process(pytestconfig: pytest.Config, tmp_path: Path):
    """`pytest tests/fuzz/test_kills.py -m slow --kills 60`."""
    chance, kills = random.Random(5), pytestconfig.getoption("--kills")
    (tmp_path / "fleet.toml").write_text(sim.from_dict(FLEET).to_toml())
    began = time.monotonic()
    assert start(tmp_path, "whole").wait() == 0
    lasts = time.monotonic() - began
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir() if path.name != "provenance.json"}
    for _ in range(kills):
        before = finished(tmp_path)
        running = start(tmp_path, "out")
        assert running.stdout is not None
        running.stdout.readline()
        time.sleep(chance.uniform(0.0, lasts * 0.7))
        running.send_signal(chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))
        running.wait()
        done = (tmp_path / "out").exists()
        assert done or before <= finished(tmp_path)
        if done:
            found = {
                path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.name != "provenance.json"
            }
            assert found == wanted
            for path in sorted((tmp_path / "out").iterdir()):
                path.unlink()
            (tmp_path / "out").rmdir()
    until = time.monotonic() + 30
    while alive(tmp_path) and time.monotonic() < until:
        time.sleep(0.2)
    assert not alive(tmp_path)
    assert start(tmp_path, "out").wait() == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.name != "provenance.json"} == wanted  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fleet.toml", "out", "whole"]
