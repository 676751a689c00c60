"""What a small run loads: nothing that takes longer to load than the run takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LARGE = ("scipy", "pandas", "numba", "matplotlib", "jinja2", "joblib", "dask", "SALib")
RUN = """
import json, sys
from pathlib import Path
import sim
office = sim.load(sys.argv[1])
result = sim.run(office, replications=12, engine="simpy", events=True)
result.write(sys.argv[2])
assert sim.read(sys.argv[2]).mean("cost.total") == result.estimate("cost.total").mean
print(json.dumps(sorted(sys.modules)))
"""
ONE_VM = Path(__file__).parents[2] / "scenarios" / "one_vm_one_day.toml"


def modules_after(code: str, *arguments: str) -> set[str]:
    """The top-level modules that a program has loaded when it ends."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_a_run_in_simpy_with_its_folder_loads_no_large_library(tmp_path: Path):
    """Intervals, percentiles, tables of quantiles, Parquet tables and events need none of them."""
    loaded = modules_after(RUN, str(ONE_VM), str(tmp_path / "result"))
    assert {"numpy", "simpy", "pyarrow"} <= loaded
    assert loaded.isdisjoint(LARGE)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_loads_no_library_but_that_of_the_command_line(arguments: list[str]):
    """A user who asks how to start has not decided to wait."""
    code = (
        "import json, sys\nfrom sim.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\nprint()\nprint(json.dumps(sorted(sys.modules)))"
    )
    assert modules_after(code).isdisjoint({*LARGE, "numpy", "pyarrow", "simpy", "rich"})
