"""A study that is killed anywhere, as a power cut would, goes on and ends with the bytes of an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sim

KILLS = 8
COMMANDS = {
    "sweep": ["sweep", "fleet.toml", "--vary", "group.web.count=2,4,6", "-n", "30"],
    "size": ["size", "fleet.toml", "--vary", "group.web.count=1..30", "--keep", "cost.total<=400", "--largest"],
}


def _start(words: list[str], folder: Path) -> subprocess.Popen[bytes]:
    program = "import sys; from sim.cli import main; print('ready', flush=True); main(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", program, *words, "--quiet", "--no-report"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def _tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".csv", ".parquet")}


@pytest.mark.slow
@pytest.mark.parametrize("cache", [[], ["--no-cache"]], ids=["cache", "no-cache"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_study_resumes_to_the_same_bytes(tmp_path: Path, command: str, cache: list[str]):
    """SIGKILL at random moments: each time the folder is absent or whole; what was finished is not simulated again."""
    fleet = {"name": "fleet", "horizon": "14d", "group": [{"name": "web", "count": 3, "cycle": {"on": "2h", "off": "2h"}}]}  # fmt: skip
    words = [*COMMANDS[command], *cache]
    for place in ("whole", "cut"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "fleet.toml").write_text(sim.from_dict(fleet).to_toml())
    began = time.monotonic()
    assert _start([*words, "--out", "out/found"], tmp_path / "whole").wait() == 0
    lasts = time.monotonic() - began
    chance = random.Random(17)
    for kill in range(KILLS):
        running = _start([*words, "--out", f"out/found-{kill // 4}", "--resume"], tmp_path / "cut")
        assert running.stdout is not None
        running.stdout.readline()
        time.sleep(chance.uniform(0.0, lasts))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        found = tmp_path / "cut" / "out" / f"found-{kill // 4}"
        assert not found.exists() or _tables(found) == _tables(tmp_path / "whole" / "out" / "found")
    for number in range(KILLS // 4):
        out = f"out/found-{number}"
        assert _start([*words, "--out", out, "--resume"], tmp_path / "cut").wait() == 0
        assert _tables(tmp_path / "cut" / out) == _tables(tmp_path / "whole" / "out" / "found")
    assert not [path for path in (tmp_path / "cut" / "out").iterdir() if path.name.startswith(".found")]
