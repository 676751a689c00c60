"""Compiled code on disk: fresh whenever a source changes, whole or not used, and never in the way."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import sim
from sim.engines import engine_selection, machine_code, speed
from sim.engines.compiled.kernel_cache import KernelCache
from sim.engines.engine_selection import choose_engine, engine_asked_for, moves_for_kernel
from sim.runs.simulation_input import compile_scenario

PACKAGE = machine_code.PACKAGE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder for machine code."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "codes"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    speed.unwritten.clear()  # what earlier runs of this process have left to write
    return machine_code.folders()[0]


def doubled() -> Any:
    """A kernel of one line, anew: what a new process has."""

    def double(x: float) -> float:
        return x + x

    kernel = numba.njit(double)
    kernel._cache = KernelCache(double)
    return kernel


def kept(folder: Path) -> Path:
    """The one file of machine code."""
    (file,) = folder.iterdir()
    return file


def cache_hits(kernel: Any) -> int:
    """How often machine code was loaded."""
    return sum(kernel.stats.cache_hits.values())


def test_machine_code_is_compiled_once_and_then_loaded(folder: Path):
    """In a folder that NUMBA_CACHE_DIR names; the time it took is known afterwards."""
    assert not machine_code.is_compiled("test_machine_code")
    first = doubled()
    assert (first(2.0), cache_hits(first)) == (4.0, 0)
    assert machine_code.is_compiled("test_machine_code")
    second = doubled()
    assert (second(2.0), cache_hits(second)) == (4.0, 1)


def test_a_change_of_any_source_makes_machine_code_stale(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also of a file that only the cached function's callees stand in: numba's own cache looks at one file only."""
    copied = tmp_path / "sim"
    for name in machine_code.SOURCES:
        (copied / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / name, copied / name)
    monkeypatch.setattr(machine_code, "PACKAGE", copied)
    seen = set()
    for name in machine_code.SOURCES:
        machine_code.stamp.cache_clear()
        doubled()(2.0)
        assert machine_code.is_compiled("test_machine_code")
        seen.add(machine_code.stamp())
        with (copied / name).open("a") as stream:
            stream.write("# changed\n")
        machine_code.stamp.cache_clear()
        assert not machine_code.is_compiled("test_machine_code"), name
    doubled()(2.0)
    assert len(seen) == len(machine_code.SOURCES)
    assert len(list(machine_code.folders()[0].iterdir())) == 1  # older code is removed
    (copied / machine_code.SOURCES[0]).unlink()
    machine_code.stamp.cache_clear()
    assert machine_code.stamp() is None  # a package without sources: nothing is kept, everything runs
    assert doubled()(3.0) == 6.0
    assert not machine_code.is_compiled("test_machine_code")
    monkeypatch.undo()
    machine_code.stamp.cache_clear()


def test_every_source_of_the_kernels_is_among_those_that_count():
    """Each function that a kernel calls, and each constant that a counted source imports, stands in a counted source."""
    counted = {str(PACKAGE / name) for name in machine_code.SOURCES}
    todo: list[Callable[..., Any]] = [
        import_module(f"sim.engines.compiled.{name}").__dict__[kernel].py_func
        for name, kernel in (("vm_loop", "run_vms"), ("event_loop", "run_events"))
    ]
    seen: set[str] = set()
    while todo:
        function = todo.pop()
        if function.__qualname__ in seen:
            continue
        seen.add(function.__qualname__)
        assert function.__code__.co_filename in counted, function
        for name in function.__code__.co_names:
            value = function.__globals__.get(name)
            value = getattr(value, "py_func", value)
            if getattr(value, "__module__", "").startswith("sim.") and hasattr(value, "__code__"):
                todo.append(value)
    assert {"advance", "draw", "bits_u64"} <= seen
    for path in counted:
        for node in ast.walk(ast.parse(Path(path).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sim."):
                module = import_module(node.module or "")
                for name in (alias.name for alias in node.names):
                    if isinstance(getattr(module, name), (int, float, tuple, np.ndarray)):
                        assert module.__file__ in counted, f"{path} imports {name}"


@pytest.mark.parametrize("harm", ["empty", "cut", "flipped", "rubbish"])
def test_damaged_machine_code_is_compiled_again_and_said(folder: Path, harm: str):
    """It was an UnpicklingError, a RuntimeError, or "interrupted"; and flipped bits in machine code would be executed."""
    doubled()(2.0)
    file = kept(folder)
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 16]) + whole[middle + 1 :]
    file.write_bytes({"empty": b"", "cut": whole[:middle], "flipped": flipped, "rubbish": b"\x80\x05." * 40}[harm])
    again = doubled()
    with pytest.warns(RuntimeWarning, match="damaged: compiled again"):
        assert again(2.0) == 4.0
    assert cache_hits(again) == 0
    healed = doubled()
    assert (healed(2.0), cache_hits(healed)) == (4.0, 1)


def test_whole_files_that_this_compiler_cannot_read_are_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Written by another numba under the same name, say."""
    doubled()(2.0)
    monkeypatch.setattr(machine_code, "read", lambda *_: (b"no pickle", False))
    with pytest.warns(RuntimeWarning, match="compiled again"):
        assert doubled()(2.0) == 4.0


def test_without_numbas_variable_the_package_comes_first_and_the_users_cache_second(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A package whose folder can't be written keeps its code in the user's cache; without that too, it isn't kept."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    beside, user = machine_code.folders()
    assert beside == PACKAGE / "engines" / "compiled" / "__pycache__"
    assert user.is_relative_to(tmp_path)
    obstacle = tmp_path / "file"
    obstacle.write_text("no folder can be made below this")
    monkeypatch.setattr(machine_code, "folders", lambda: (obstacle / "beside", user))
    doubled()(2.0)
    assert kept(user).suffix == machine_code.SUFFIX
    assert machine_code.is_compiled("test_machine_code")
    monkeypatch.setattr(machine_code, "folders", lambda: (obstacle / "beside", obstacle / "user"))
    assert doubled()(2.0) == 4.0
    assert not machine_code.is_compiled("test_machine_code")
    assert not machine_code.write("vm_loop", "key", b"code")


@pytest.mark.slow
def test_a_read_only_package_with_an_unwritable_home_runs(tmp_path: Path):
    """A file stands where each folder would be: not even root can write there."""
    shutil.copytree(PACKAGE, tmp_path / "sim", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "sim" / "engines" / "compiled" / "__pycache__").write_text("")
    home = tmp_path / "home"
    home.write_text("")
    program = (
        "import sim; s = sim.from_dict({'name': 'f', 'horizon': '1d', 'group': [{'name': 'a', 'count': 1}]})\n"
        "r = sim.run(s, engine='compiled', replications=1); print(r.engine, sim.__file__)"
    )
    env = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=env | {"HOME": str(home), "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["compiled", str(tmp_path / "sim" / "__init__.py")]
    assert "Traceback" not in done.stderr


# --- what is known of the machine -------------------------------------------------------------------------------------


def test_speeds_are_guessed_until_they_are_measured_and_then_kept(folder: Path):
    """A busy moment counts by half; seconds spent for lack of machine code add up until it is there."""
    assert speed.speeds()["vm_loop.compile_s"] == 8.0
    speed.note_compile("vm_loop", 12.0)
    assert speed.speeds()["vm_loop.compile_s"] == 12.0
    speed.note_compile("vm_loop", 6.0)
    assert speed.speeds()["vm_loop.compile_s"] == 9.0
    speed.note_simpy("vm_loop", 0.4, 100_000.0, compiled=False)  # too short to be written ...
    assert speed.speeds()["vm_loop.waited_s"] == 0.0
    speed.note_simpy("vm_loop", 0.6, 100_000.0, compiled=False)  # ... with the next
    assert (speed.speeds()["vm_loop.waited_s"], speed.speeds()["vm_loop.simpy_s_per_move"]) == (1.0, 5e-6)
    speed.note_simpy("vm_loop", 2.0, 400_000.0, compiled=False)
    assert speed.speeds()["vm_loop.waited_s"] == 3.0
    speed.note_compile("vm_loop", 9.0)
    assert speed.speeds()["vm_loop.waited_s"] == 0.0


@pytest.mark.parametrize(
    "content",
    ["", "{", "[" * 4000, "null", "[1]", '{"machine": "another", "load_s": 3}', "{}" * 9999, '{"load_s": NaN}'],
)
def test_a_damaged_file_of_speeds_is_no_obstacle(folder: Path, tmp_path: Path, content: str):
    """First guesses again, and the next measurement mends it."""
    file = tmp_path / "home" / "vmfleet" / "speed.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert {name: speed.speeds()[name] for name in speed.FIRST_GUESS} == speed.FIRST_GUESS
    speed.note_load(0.5)
    assert speed.speeds()["load_s"] == 0.5
    assert file.stat().st_size < speed.MOST_BYTES


def test_implausible_speeds_are_guessed(folder: Path):
    """An hour for a compilation is a suspended machine, not a figure."""
    speed.note_compile("event_loop", 86_400.0)
    assert speed.speeds()["event_loop.compile_s"] == speed.FIRST_GUESS["event_loop.compile_s"]


def test_speeds_that_cannot_be_kept_are_guessed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A home that can't be written, and none at all."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    speed.note_load(0.5)
    assert speed.speeds()["load_s"] == speed.FIRST_GUESS["load_s"]
    monkeypatch.setattr(speed, "user_cache_folder", lambda: None)
    speed.note_load(0.5)
    assert speed.speeds()["load_s"] == speed.FIRST_GUESS["load_s"]


def test_a_row_of_medium_runs_pays_for_one_compilation(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """5 s of SimPy are less than 8 s of compiling, the first time; with 5 s waited already, they are not."""
    plan = compile_scenario(medium()).plan
    moves = moves_for_kernel(plan)
    guess = {**speed.FIRST_GUESS, "vm_loop.simpy_s_per_move": 5.0 / moves, "vm_loop.waited_s": 0.0}
    monkeypatch.setattr(engine_selection, "speeds", lambda: guess)
    assert choose_engine(plan).engine == "simpy"
    assert choose_engine(plan, replications=2).engine == "compiled"
    assert choose_engine(plan, replications=2, jobs=2).engine == "simpy"
    guess["vm_loop.waited_s"] = 5.0
    assert choose_engine(plan).engine == "compiled"
    guess["vm_loop.waited_s"] = 0.0
    monkeypatch.setattr(engine_selection, "is_compiled", lambda kernel: kernel == "vm_loop")
    assert choose_engine(plan).engine == "compiled"
    guess["vm_loop.simpy_s_per_move"] = 0.6 / moves  # less than 0.65 s of loading
    assert choose_engine(plan).engine == "simpy"


def test_a_run_in_simpy_measures_itself(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """So the next choice knows this machine."""
    monkeypatch.setattr(speed, "NOTED_FROM_S", 0.0)
    sim.run(medium(), engine="simpy", replications=1)
    measured = speed.speeds()
    assert measured["vm_loop.waited_s"] > 0.0
    assert measured["vm_loop.simpy_s_per_move"] != speed.FIRST_GUESS["vm_loop.simpy_s_per_move"]


def test_there_are_the_engines_of_one_list():
    """What ran in part in SimPy is no engine to ask for."""
    plan = compile_scenario(medium()).plan
    for name in ("mixed", "auto", "Simpy"):
        with pytest.raises(ValueError, match="auto, simpy, compiled"):
            engine_asked_for(name, plan)
    assert engine_asked_for("compiled", plan).engine == "compiled"


def medium() -> sim.Scenario:
    """Twenty VMs that come and go."""
    group = {"name": "a", "count": 20, "cycle": {"on": "2h", "off": "2h"}}
    return sim.from_dict({"name": "f", "horizon": "20d", "group": [group]})
