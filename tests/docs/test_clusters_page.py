"""The program of the page on clusters, with local workers in the place of SLURM's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sim
from tests.helpers.doc_blocks import blocks_of

ROOT = Path(__file__).parents[2]
JOBQUEUE = """
from distributed import LocalCluster
class SLURMCluster(LocalCluster):
    def __init__(self, *, queue, cores, processes, memory, walltime):
        super().__init__(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50)
    def scale(self, n=None, *, jobs=None):
        super().scale(2 if n is None else n)
    def wait_for_workers(self, n_workers):
        super().wait_for_workers(2)
"""


@pytest.mark.slow
def test_the_program_for_slurm_runs_on_local_workers(tmp_path: Path) -> None:
    """As it stands on the page but for the number of replications; the result is that of one process."""
    pytest.importorskip("distributed")
    text = (ROOT / "docs" / "how-to" / "cluster.md").read_text(encoding="utf-8")
    (program,) = (block.text for _, _, block in blocks_of(text) if "SLURMCluster" in block.text)
    assert "replications=10_000" in program
    (tmp_path / "on_slurm.py").write_text(program.replace("replications=10_000", "replications=12"))
    (tmp_path / "dask_jobqueue.py").write_text(JOBQUEUE)
    fleet = {"name": "dev", "horizon": "2d", "group": [{"name": "dev", "count": 3, "cycle": {"on": "2h", "off": "1h"}}]}
    (tmp_path / "dev.toml").write_text(sim.from_dict(fleet).to_toml())
    path = os.pathsep.join([str(tmp_path), str(ROOT), *(part for part in sys.path if part)])
    done = subprocess.run(
        [sys.executable, "on_slurm.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    there, here = sim.read(tmp_path / "results" / "dev"), sim.run(sim.from_dict(fleet), replications=12)
    assert there.values("cost.total") == here.values("cost.total")
