"""Simulates the bundled scenarios with other versions of Python: every figure must have the same bits.

    python -m tools.reproduce python3.11 python3.12 /opt/python3.13/bin/python3

For each interpreter: an environment of its own with the pinned libraries and the package installed; replication 0 of every scenario in
both engines; and `tests/golden`, which makes the committed results again.
*--environments DIR* keeps the environments there, *--record* writes the figures to docs/proof.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools.proof_page import record

ROOT = Path(__file__).parents[1]
NEEDED = ("conftest.py", "pyproject.toml", "tests", "tools", "scenarios", "results", "docs")
LARGE = ("real_fleet_day",)  # a minute and more in SimPy
DIGESTS = """
import json, sys
from pathlib import Path
from sim import load
from sim.runs.determinism import digest
from sim.runs.replication import replicate
from sim.runs.simulation_input import compile_scenario
found = {}
for file in sorted(Path("scenarios").glob("*.toml")):
    inputs = compile_scenario(load(file))
    for engine in ("compiled", "simpy"):
        if engine == "compiled" or file.stem not in sys.argv[1:]:
            found[f"{file.stem}, {engine}"] = digest(replicate(inputs, 1, 0, engine=engine))
print(json.dumps(found))
"""


def answered(python: str, environments: Path) -> tuple[str, dict[str, str], bool]:
    """Version of an interpreter, the digest of each scenario and engine, and whether the committed results are the same."""
    version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    environment = environments / version.replace(" ", "-")
    own = str(environment / "bin" / "python")
    if not environment.exists():
        subprocess.run([python, "-m", "venv", str(environment)], check=True)
    constraints = str(ROOT / "constraints.txt")
    subprocess.run([own, "-m", "pip", "install", "--quiet", f"{ROOT}[test]", "-c", constraints], check=True)
    with (
        tempfile.TemporaryDirectory() as place
    ):  # outside the checkout, so that the installed package is what is tested
        for name in NEEDED:
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, Path(place) / name)
        done = subprocess.run([own, "-c", DIGESTS, *LARGE], cwd=place, stdout=subprocess.PIPE, text=True, check=True)
        golden = subprocess.run(
            [own, "-m", "pytest", "-q", "-m", "slow or not slow", "tests/golden"], cwd=place, check=False
        )
    return version, json.loads(done.stdout), golden.returncode == 0


def main() -> None:
    """Every interpreter named, one after the other; exit status 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="+", help="An interpreter, 3.11 or newer.")
    parser.add_argument("--environments", type=Path, help="Where to keep the environments. [default: nowhere]")
    parser.add_argument("--record", action="store_true", help="Write the figures to docs/proof.md.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = [answered(python, asked.environments or Path(place)) for python in asked.python]
    versions = {version: compared(digests, found[0][1], is_golden) for version, digests, is_golden in found}
    print(json.dumps(versions, indent=1))
    if asked.record:
        names = " ".join(Path(python).name for python in asked.python)
        record("reproducibility", f"python -m tools.reproduce {names} --record", {"versions": versions})
    alike = [each["committed_same"] and not each["unlike"] + each["engines_differ"] for each in versions.values()]
    sys.exit(0 if all(alike) else 1)


def compared(digests: dict[str, str], first: dict[str, str], is_golden: bool) -> dict[str, Any]:
    """Which scenarios have other bits than with the first interpreter, and which in the two engines."""
    pairs = {name: name.replace("simpy", "compiled") for name in digests if name.endswith("simpy")}
    return {
        "replications": len(digests),
        "unlike": [name for name, digest in digests.items() if digest != first[name]],
        "engines_differ": [name for name, other in pairs.items() if digests[name] != digests[other]],
        "committed_same": is_golden,
    }


if __name__ == "__main__":
    main()
