"""Whether a scenario gives the same bits twice: here, and in another process with other hashes. A plug-in might not."""

import base64
import os
import pickle
import subprocess
import sys
import tomllib
from dataclasses import replace

from sim.errors import MachineError, PlugInError
from sim.fields import plugins
from sim.runs.provenance import digest_of
from sim.runs.replication import Replication, replicate
from sim.runs.simulation_input import compile_scenario
from sim.scenario.scenario import Scenario, from_dict

ELSEWHERE = "from sim.runs.determinism import answer; answer()"
HASH_SEED = "4242"


def check_determinism(scenario: Scenario, seed: int | None = None, engine: str = "auto") -> str:
    """The digest of replication 0, which is the same twice here and once elsewhere. Raises PlugInError where it isn't.

    MachineError: the other process could not simulate it.
    """
    seed = scenario.seed if seed is None else seed
    first, second = (_digest_of(scenario, seed, engine) for _ in range(2))
    if first != second:
        raise PlugInError(
            f"{scenario.name}: replication 0 differs when it is simulated again in one process; {_suspects()}"
        )
    try:
        beside = base64.b64encode(pickle.dumps([each.start for each in scenario.processes])).decode()
    except (pickle.PicklingError, AttributeError, TypeError) as wrong:
        raise PlugInError(f"{scenario.name}: a process can't be sent to another process ({wrong})") from wrong
    asked = "\0".join((str(scenario.folder), str(seed), engine, beside, *plugins.modules(), "", scenario.to_toml()))
    path = os.pathsep.join(part for part in sys.path if part)
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=asked, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONHASHSEED": HASH_SEED, "PYTHONPATH": path},
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise MachineError(f"{scenario.name}: another process can't simulate it: {said[-1]}")
    if done.stdout.split()[-1:] != [first]:  # a plug-in may print
        raise PlugInError(f"{scenario.name}: replication 0 differs in another process with other hashes; {_suspects()}")
    return first


def answer() -> None:
    """The other process: reads what `check_determinism` asks, prints the digest."""
    folder, seed, engine, beside, *modules = sys.stdin.read().split("\0")
    *modules, _, document = modules
    plugins.import_again(modules)
    scenario = from_dict(tomllib.loads(document), folder=folder)
    scenario = scenario.with_processes(*pickle.loads(base64.b64decode(beside)))
    print(_digest_of(scenario, int(seed), engine))  # noqa: T201


def _digest_of(scenario: Scenario, seed: int, engine: str) -> str:
    return digest(replicate(compile_scenario(scenario), seed, 0, engine=engine))


def digest(replication: Replication) -> str:
    """SHA-256 over everything in a replication but the engine's name, floats to their last bit."""
    return digest_of(replace(replication, engine="", engine_why=""))


def _suspects() -> str:
    listed = ", ".join(plugins.modules())
    return f"look for sets, hashes, the clock or random numbers in {listed}" if listed else "that is a defect of ours"
