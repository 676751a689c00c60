"""Runs code with the plug-ins of `scenarios/plugins`, each time in a process of its own: what is registered stays so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "scenarios" / "plugins"


def answered(code: str, folder: Path, **environment: str) -> Any:
    """What a process prints as JSON that has `scenarios/plugins` on its path."""
    paths = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(PLUGINS)!r}]; import json, math, sim\n"
    done = subprocess.run(
        [sys.executable, "-c", paths + code], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
