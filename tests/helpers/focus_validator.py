"""The registry's validator of FOCUS files, which is installed in a separate environment: `FOCUS_VALIDATOR` names its program."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = os.environ.get("FOCUS_VALIDATOR") or shutil.which("focus-validator")

needs_it = pytest.mark.skipif(
    PROGRAM is None, reason="focus-validator isn't installed (it needs an environment of its own)"
)


def verdict_on(path: Path) -> str:
    """All that it says of a file, judged by the newest rules it has."""
    program = Path(str(PROGRAM)).absolute()
    home = subprocess.run(
        [str(program.parent / "python"), "-c", "import importlib.util as u; print(u.find_spec('focus_validator').origin)"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    # It looks for its list of currencies beside the directory it is started in.
    output = subprocess.run(
        [str(program), "--data-file", str(path.absolute()), "--validate-version", "1.0"],
        cwd=Path(home).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    return output.stdout + output.stderr
