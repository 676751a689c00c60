"""The machine's refusals, and arguments that once hung, are reported as what they are: status 2 (or 0), never 1."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sim
from sim.errors import InputError, MachineError
from sim.runs.executors import Workers
from sim.studies.axes import parse_axis
from sim.studies.constraints import parse_constraint
from sim.studies.sensitivity import parse_factor

FLEET = {"name": "f", "horizon": "2d", "replications": 4, "group": [{"name": "x", "count": 2, "cycle": {"on": "2h", "off": "2h"}}]}  # fmt: skip


def vmfleet(command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """The program as a shell runs it; *command* may redirect."""
    return subprocess.run(
        command.replace("vmfleet", f"{sys.executable} -m sim"),
        shell=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(sim.__file__).parents[1]), **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A folder with a small scenario."""
    (tmp_path / "f.toml").write_text(sim.from_dict(FLEET).to_toml())
    return tmp_path


@pytest.mark.parametrize(
    "command, status, said",
    [
        ("vmfleet states >&-", 2, "standard output is closed"),
        ("vmfleet states --json > /dev/full", 2, "No space left on device"),
        ("bash -c 'vmfleet states | true; exit ${PIPESTATUS[0]}'", 0, ""),
        ("vmfleet run f.toml --no-report --quiet >&-", 0, ""),
        ("ulimit -f 1; vmfleet run f.toml --no-report", 2, "larger than the system allows"),
    ],
    ids=["closed", "full", "no reader", "closed but quiet", "file size"],
)
def test_standard_output_and_disk_as_they_may_be(fleet: Path, command: str, status: int, said: str):
    """Each was called a defect of ours."""
    done = vmfleet(command, fleet)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr
    assert said in done.stderr


def test_an_encoding_without_our_characters_loses_no_answer(fleet: Path):
    """Nor does JSON become something else."""
    done = vmfleet("vmfleet run f.toml --no-report", fleet, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert r"\u2026" in done.stdout
    assert (
        '"scenario": "f"' in vmfleet("vmfleet run f.toml --no-report --json", fleet, PYTHONIOENCODING="latin-1").stdout
    )


def test_a_name_is_neither_markup_nor_an_order_to_the_terminal(tmp_path: Path):
    """`[/bold]x` was an error of the terminal library; an escape sequence would have set the window's title."""
    rows = "".join(f"v{n},running,0,3600,Standard_D4s_v5,{name}\n" for n, name in enumerate(("[/bold]x", "[red]y", "\x1b]0;title\x07")))  # fmt: skip
    (tmp_path / "use.csv").write_text(f"vm,state,start,end,size,group\n{rows}")
    done = vmfleet("vmfleet bill use.csv", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "[/bold]x" in done.stdout
    assert "[red]y" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "text", ["1..1e100000000", "1..1e9999999", '"a"1,2', "0..1e999/5", "1..2:1e-999999999", f"1..{'9' * 5000}"]
)
def test_a_range_out_of_bounds_is_refused_at_once(text: str):
    """Such numbers filled the memory, digit by digit."""
    for parse in (parse_axis, parse_factor):
        if parse is parse_axis or ".." in text:
            with pytest.raises(InputError, match=r"--vary"):
                parse(f"group.dev.count={text}")


@pytest.mark.parametrize("limit", ["1e999999999999", "1e999", "-1e999999999999"])
def test_a_limit_out_of_bounds_is_refused_at_once(limit: str):
    """Decimals overflow in a way of their own."""
    with pytest.raises(InputError, match="is no number"):
        parse_constraint(f"cost.total<={limit}")


def test_a_billion_replications_are_refused_at_once():
    """Looking for each in the cache took minutes, before anything was estimated."""
    with pytest.raises(InputError, match="at most 1,000,000"):
        sim.run(sim.from_dict(FLEET), replications=999_999_999)


def test_no_more_processes_than_parts_of_work(monkeypatch: pytest.MonkeyPatch):
    """24 jobs for 4 replications started 24 processes."""
    asked = []

    class Stop(Exception):
        pass

    def parallel(**options: object) -> None:
        asked.append(options["n_jobs"])
        raise Stop

    monkeypatch.setattr("joblib.Parallel", parallel)
    with pytest.raises(Stop):
        sim.run(sim.from_dict(FLEET), replications=4, workers=Workers(jobs=24), engine="simpy")
    assert asked == [4]


def test_workers_that_are_killed_again_and_again_are_the_machines_refusal(monkeypatch: pytest.MonkeyPatch):
    """Short of memory, most likely: nothing that a report of a defect would mend."""
    from concurrent.futures.process import BrokenProcessPool

    monkeypatch.setattr("sim.runs.executors.Workers._side_by_side", lambda *_: (_ for _ in ()).throw(BrokenProcessPool))
    with pytest.raises(MachineError, match="try fewer --jobs"):
        sim.run(sim.from_dict(FLEET), replications=4, jobs=2, engine="simpy")


def _children(parent: int) -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == parent and words[0] != "Z":
            found.add(int(entry.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(fleet: Path, by: signal.Signals):
    """They went on computing for no one."""
    words = [
        sys.executable,
        "-m",
        "sim",
        "run",
        "f.toml",
        "-n",
        "100000",
        "--jobs",
        "2",
        "--engine",
        "simpy",
        "--yes",
        "--quiet",
    ]
    run = subprocess.Popen(words, cwd=fleet, env={**os.environ, "PYTHONPATH": str(Path(sim.__file__).parents[1])}, stderr=subprocess.DEVNULL)  # fmt: skip
    until = time.monotonic() + 60
    while len(workers := _children(run.pid)) < 2 and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)
    workers |= _children(run.pid)
    run.send_signal(by)
    run.wait()
    until = time.monotonic() + 20
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(workers) >= 2
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]
