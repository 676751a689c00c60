"""The scripts in `scenarios` as modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def script(name: str) -> ModuleType:
    """One scenario script as a module."""
    spec = importlib.util.spec_from_file_location(f"scenario_{name}", SCENARIOS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
