"""How fast this machine simulates and compiles: processor time, measured while it does, kept in the user's cache folder.

It only decides which engine is quicker, and how long a run will take; figures don't depend on it. What can't be read, or is no
plausible figure, is the first guess again; what can't be written isn't kept.
"""

import json
import platform
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from sim.engines.machine_code import user_cache_folder
from sim.files import write_whole

KERNELS = ("vm_loop", "event_loop")
FIRST_GUESS = {  # seconds; on the machine of docs/performance.md
    "import_s": 0.5,  # of numba: not measured, for it may have been imported before
    "load_s": 0.15,  # of kept machine code
    "vm_loop.compile_s": 8.0,
    "event_loop.compile_s": 25.0,
    "vm_loop.simpy_s_per_move": 6e-6,  # SimPy, for what the kernel could simulate: 4 to 15 us
    "event_loop.simpy_s_per_move": 10e-6,
}
PLAUSIBLE = 100.0  # times the first guess, or a part of it
MOST_WAITED_S = 1_000.0
MOST_BYTES = 4_096
NOTED_FROM_S = 0.5  # of simulation, before anything is written

unwritten: defaultdict[str, list[float]] = defaultdict(
    lambda: [0.0, 0.0]
)  # by kernel: seconds and moves not written yet


def speeds() -> dict[str, float]:
    """The figures of this machine: measured, or guessed; and the seconds spent in SimPy for lack of each kernel's machine code."""
    found = FIRST_GUESS | {f"{kernel}.waited_s": 0.0 for kernel in KERNELS}
    kept = _kept()
    for name, guess in found.items():
        value = kept.get(name)
        if isinstance(value, (int, float)) and (
            guess / PLAUSIBLE <= value <= guess * PLAUSIBLE if guess else 0.0 <= value <= MOST_WAITED_S
        ):
            found[name] = float(value)
    return found


def note_simpy(kernel: str, seconds: float, moves: float, *, compiled: bool) -> None:
    """SimPy has simulated what a kernel could have; not *compiled*: there was no machine code of it."""
    pending = unwritten[kernel]
    pending[0] += seconds
    pending[1] += moves
    if pending[0] < NOTED_FROM_S or not pending[1]:
        return
    seconds, moves = pending
    del unwritten[kernel]
    waited = f"{kernel}.waited_s"
    _keep({
        f"{kernel}.simpy_s_per_move": seconds / moves,
        waited: 0.0 if compiled else min(MOST_WAITED_S, speeds()[waited] + seconds),
    })  # fmt: skip


def note_compile(kernel: str, seconds: float) -> None:
    """A kernel was compiled."""
    _keep({f"{kernel}.compile_s": seconds, f"{kernel}.waited_s": 0.0})


def note_load(seconds: float) -> None:
    """Kept machine code was loaded."""
    _keep({"load_s": seconds})


def _file() -> Path | None:
    folder = user_cache_folder()
    return None if folder is None else folder / "speed.json"


def _kept() -> dict[str, object]:
    file = _file()
    if file is None:
        return {}
    try:
        with file.open("rb") as stream:
            found = json.loads(stream.read(MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("machine") == platform.node() else {}


def _keep(measured: dict[str, float]) -> None:
    """Write what was measured, halfway between what was kept and what is new: a busy moment doesn't count for ever."""
    file = _file()
    if file is None:
        return
    kept, known = _kept(), speeds()
    for name, value in measured.items():
        known[name] = (known[name] + value) / 2 if name in kept and name in FIRST_GUESS else value
    figures = {name: float(f"{value:.3g}") for name, value in known.items() if name in kept or name in measured}
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({"machine": platform.node(), **figures}, indent=1), sync=False)
