"""The registry's validators of FOCUS files, each in an environment of its own.

`FOCUS_VALIDATOR` names the program of version 1.0.0 (rules of FOCUS 1.0), `FOCUS_VALIDATOR_2` that of 2.2 or newer, which has the
rules of FOCUS 1.2 and needs Python 3.12.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM_2 = os.environ.get("FOCUS_VALIDATOR_2")
PROGRAM = os.environ.get("FOCUS_VALIDATOR") or shutil.which("focus-validator")

needs_it = pytest.mark.skipif(
    PROGRAM is None, reason="focus-validator isn't installed (it needs an environment of its own)"
)

needs_2 = pytest.mark.skipif(PROGRAM_2 is None, reason="focus-validator 2.2 isn't installed (it needs Python 3.12)")

# Rules of model 1.2.0.1 that no file can keep, as validator 2.2.1 reads them.
CONTRADICTIONS = {
    "InvoiceId-C-005-C": "has no condition: never null, where C-004 asks for null if there is no invoice",
    "CapacityReservationStatus-C-003-C": "its condition is not applied: always null ...",
    "CapacityReservationStatus-C-004-C": "... and so is this one's: never null",
    "CommitmentDiscountStatus-C-004-C": "its condition is turned round: not null where there is no commitment, against C-003",
}


def broken_rules(path: Path) -> set[str]:
    """The rules of FOCUS 1.2, all criteria on, that a file breaks, but for contradictions and rules that only add others up."""
    program = Path(str(PROGRAM_2)).absolute()
    call = [str(program), "--data-file", str(path.absolute()), "--validate-version", "1.2", "--block-download"]
    call += ["--applicability-criteria", "ALL", "--output-type", "console"]
    output = subprocess.run(call, cwd=_home(program), capture_output=True, text=True, check=False)
    assert "Total:" in output.stdout, output.stdout + output.stderr
    failed = [line for line in output.stdout.splitlines() if ": FAIL " in line and "AND failed" not in line]
    return {line.split(":")[0].split()[-1] for line in failed} - CONTRADICTIONS.keys()


def _home(program: Path) -> Path:
    """Where it must be started: it looks for its list of currencies from there."""
    ask = "import importlib.util as u; print(u.find_spec('focus_validator').origin)"
    call = [str(program.parent / "python"), "-c", ask]
    found = subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()
    return Path(found).parents[1]


def verdict_on(path: Path) -> str:
    """All that it says of a file, judged by the newest rules it has."""
    program = Path(str(PROGRAM)).absolute()
    output = subprocess.run(
        [str(program), "--data-file", str(path.absolute()), "--validate-version", "1.0"],
        cwd=_home(program), capture_output=True, text=True, check=False,
    )  # fmt: skip
    return output.stdout + output.stderr
