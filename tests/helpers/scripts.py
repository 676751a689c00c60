"""Modules outside the package: the scripts in `scenarios`, the programs in `tools`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"


def load_module(path: Path) -> ModuleType:
    """The module in a file."""
    name = f"{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def script(name: str) -> ModuleType:
    """One scenario script as a module."""
    return load_module(SCENARIOS / f"{name}.py")


def load_tool(name: str) -> ModuleType:
    """One program of `tools` as a module."""
    return load_module(ROOT / "tools" / f"{name}.py")
