"""What a newcomer waits for: the help, and the demo from a cold start."""

from __future__ import annotations

from pathlib import Path

import pytest
from processor_time import cpu_s

pytestmark = pytest.mark.benchmark

HELP_CPU_S = 0.3
DEMO_CPU_S = 5.0


def test_help_answers_at_once(tmp_path: Path) -> None:
    """Heavy libraries must wait for a command that needs them."""
    assert cpu_s("--help", folder=tmp_path) < HELP_CPU_S


def test_the_demo_is_done_before_patience_is(tmp_path: Path) -> None:
    """Simulation, result folder, figures and report from a cold start."""
    assert cpu_s("demo", folder=tmp_path, rounds=1) < DEMO_CPU_S
