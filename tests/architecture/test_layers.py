"""Who may import whom, and how little the command line may load before it knows what is asked."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sim

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "scipy", "pandas", "pyarrow", "matplotlib", "pydantic", "simpy", "numba", "joblib", "jinja2", "rich")
NETWORK = ("socket", "urllib.request", "http.client", "requests")


def lint_imports(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """import-linter as CI calls it."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def test_packages_import_downwards_only() -> None:
    """A change in a high package must not break a low one."""
    done = lint_imports()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("package", "statement", "broken"),
    [
        ("lifecycle", "import sim.cli.app", "A package imports only packages below it"),
        ("billing", "import simpy", "Only the engines have processes"),
        ("studies", "import matplotlib", "Only the report draws"),
        ("usage", "import rich", "Only the command line talks to a terminal"),
    ],
)
def test_a_wrong_import_is_refused(tmp_path: Path, package: str, statement: str, broken: str) -> None:
    """The rules would be worth nothing if they let everything pass: plant one wrong import in a copy of the packages."""
    _copy_of_the_packages(tmp_path)
    assert lint_imports(folder=tmp_path).returncode == 0, "the copy without the wrong import must pass"
    (tmp_path / "sim" / package / "planted.py").write_text(statement + "\n")
    done = lint_imports(folder=tmp_path)
    assert done.returncode == 1
    assert broken in done.stdout


def test_a_circle_is_refused_even_where_no_import_runs(tmp_path: Path) -> None:
    """An import inside a function, and one for types only, close a circle as well as any other."""
    _copy_of_the_packages(tmp_path)
    (tmp_path / "sim" / "usage" / "one.py").write_text("def f():\n    import sim.usage.two\n")
    two = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import sim.usage.one\n"
    (tmp_path / "sim" / "usage" / "two.py").write_text(two)
    done = lint_imports(folder=tmp_path)
    assert done.returncode == 1
    assert "No cycles are allowed in sim.usage" in done.stdout


def _copy_of_the_packages(folder: Path) -> None:
    """What the contracts name, without its modules, and the contracts."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    names = re.findall(r"sim\.(\w+)", " ".join(layers))
    packages = [name for name in names if (ROOT / "sim" / name).is_dir()]
    for name in ["sim", *(f"sim/{name}" for name in packages)]:
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    for module in [*(name for name in names if name not in packages), "cli/app"]:
        (folder / "sim" / f"{module}.py").touch()
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())


def modules_after(statement: str) -> set[str]:
    """What a fresh interpreter has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split("\n"))


@pytest.mark.parametrize("statement", ["import sim", "import sim.cli"])
def test_start_up_loads_nothing_heavy(statement: str) -> None:
    """`vmfleet --help` answers at once only if the libraries wait until a command needs them."""
    loaded = modules_after(statement)
    assert "sim" in loaded
    assert not loaded.intersection(HEAVY)


def test_front_door_names_exist_and_scripts_use_no_others() -> None:
    """A script that reaches behind the front door breaks with the next tidying."""
    for name in sim.__all__:
        assert getattr(sim, name) is not None
    scripts = sorted((ROOT / "scenarios").glob("*.py"))
    assert scripts
    for script in scripts:
        for node in ast.walk(ast.parse(script.read_text())):
            if isinstance(node, ast.Import):
                assert not any(alias.name.split(".")[0] == "sim" for alias in node.names), script
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sim":
                assert node.module == "sim", f"{script}: imports from {node.module}"
                for alias in node.names:
                    assert alias.name in sim.__all__, f"{script}: the front door has no {alias.name}"


def test_scripts_say_what_they_cover_ask_and_expect() -> None:
    """A scenario without a question is a demonstration of nothing."""
    for script in sorted((ROOT / "scenarios").glob("*.py")):
        header = ast.get_docstring(ast.parse(script.read_text())) or ""
        for part in ("Covers:", "Question:", "Expect:"):
            assert part in header, f"{script.name} has no {part}"
        assert len(script.read_text().splitlines()) <= 110, f"{script.name} is too long to be read at once"


def test_what_a_package_exports_is_there() -> None:
    """A name in `__all__` that doesn't exist fails only where someone imports everything."""
    for found in pkgutil.walk_packages(sim.__path__, "sim."):
        if not found.name.endswith("__main__"):
            module = importlib.import_module(found.name)
            assert [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)] == [], found.name
