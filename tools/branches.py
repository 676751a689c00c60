"""Measures which branches of sim/ the fast tests take: `python -m tools.branches`, with coverage >= 7.10 installed.

The tests run once under coverage.py, in Python also where they usually run compiled (NUMBA_DISABLE_JIT=1), for coverage.py can't see
into machine code. Large samples and the examples of pages are left out, and a test that takes too long ends: CI takes more branches than this shows. Processes that tests start count too. Each test is a context, so `tools.mutation` knows who runs which line.
Everything measured is kept in `.coverage-by-test/`; *--again* only counts it again. The figures go to docs/proof.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MEASURED = ROOT / ".coverage-by-test"
TESTS = MEASURED / "tests.jsonl"  # a line a test that passed: its id and its seconds
REASONS = ROOT / "tools" / "untaken_branches.json"
LEFT_OUT = (
    "browser",
    "benchmarks",
    "theory",
)  # of tests/, as the examples of docs/: minutes each without the compiled engine
SUITES = [
    each for each in sorted((ROOT / "tests").iterdir()) if each.is_dir() and each.name not in (*LEFT_OUT, "__pycache__")
]
FAST = ["sim", "README.md", *map(str, SUITES)]
LIMIT_S = 45  # for a test
SETTINGS = f"""[run]
branch = true
source = {ROOT / "sim"}
parallel = true
patch = subprocess, _exit
sigterm = true
data_file = {MEASURED / "data"}
context = ${{TEST_CONTEXT-}}
disable_warnings = no-data-collected, module-not-imported
[report]
exclude_also =
    if __name__ == .__main__.:
    @overload
    raise NotImplementedError
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """While a test runs, its name is the context: of this process, and of those that it starts."""
    import coverage

    running = coverage.Coverage.current()
    for context in (item.nodeid, ""):
        os.environ["TEST_CONTEXT"] = context
        if running is not None:
            running.switch_context(context)
        if context:
            result = yield
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what each test took, if it passed without the compiled engine."""
    if report.when == "call" and report.passed and "PYTEST_XDIST_WORKER" not in os.environ:
        with TESTS.open("a", encoding="utf-8") as kept:
            kept.write(json.dumps([report.nodeid, round(report.duration, 3)]) + "\n")


def measure(tests: list[str]) -> str:
    """Run the fast tests under coverage; returns pytest's last line."""
    MEASURED.mkdir(exist_ok=True)
    for old in MEASURED.iterdir():
        old.unlink()
    settings = MEASURED / "settings"
    settings.write_text(SETTINGS, encoding="utf-8")
    call = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-q", "-n", os.environ.get("N", "2"), "-p", "tools.branches"]  # fmt: skip
    call += ["-W", "ignore", f"--timeout={LIMIT_S}", *(tests or FAST)]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    (MEASURED / "output.txt").write_text(ran.stdout + ran.stderr, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "coverage", "combine", f"--rcfile={settings}", "-q"], cwd=ROOT, check=True)
    return _counted()


def _counted() -> str:
    """How many tests pytest ran, and how many of them show nothing."""
    said = (MEASURED / "output.txt").read_text(encoding="utf-8")
    found = {
        what: int(count)
        for count, what in re.findall(r"(\d+) (passed|failed)", said.rpartition(" passed")[0] + " passed")
    }
    return f"{found['passed']:,} tests passed; {found.get('failed', 0)} need compiled code or more than {LIMIT_S} s, and count as far as they came"


def functions(file: Path) -> dict[int, str]:
    """The name of the innermost function or class around each line of a file."""
    around: dict[int, str] = {}

    def visit(node: ast.AST, names: tuple[str, ...]) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = (*names, node.name)
            around.update(dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), ".".join(names)))
        for child in ast.iter_child_nodes(node):
            visit(child, names)

    visit(ast.parse(file.read_text(encoding="utf-8")), ())
    return around


def count() -> dict[str, Any]:
    """Lines and branches by package, and the branches that no test takes, with the reason where one is known."""
    report = MEASURED / "report.json"
    call = [sys.executable, "-m", "coverage", "json", f"--rcfile={MEASURED / 'settings'}", "-q", "-o", str(report)]
    subprocess.run(call, cwd=ROOT, check=True)
    reasons = json.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}
    keys = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    packages: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    untaken: list[dict[str, Any]] = []
    for name, found in sorted(json.loads(report.read_text(encoding="utf-8"))["files"].items()):
        file = Path(name)
        package = file.parts[1] if len(file.parts) > 2 else "top level"
        packages[package] = [a + found["summary"][key] for a, key in zip(packages[package], keys, strict=True)]
        around = functions(ROOT / file)
        missing: dict[str, list[int]] = defaultdict(list)
        for line, _ in found["missing_branches"]:
            missing[around.get(line, "module")].append(line)
        for function, lines in missing.items():
            place = f"{file.relative_to('sim')} {function}"
            untaken.append({"place": place, "branches": lines, "reason": reasons.get(place, "")})
    return {"packages": dict(sorted(packages.items())), "untaken": untaken}


def main() -> None:
    """Measure, count, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="count what was measured before")
    parser.add_argument("tests", nargs="*", help="only these tests (nothing is kept in docs/proof then)")
    given = parser.parse_args()
    if not given.again:
        print(measure(given.tests))
    found = count()
    if not given.tests:
        from tools.proof_page import record  # not above: it loads sim, which a plugin of the tests must not

        record("branches", "python -m tools.branches", found | {"tests": _counted()})
    for name, (_, _, branches, taken) in found["packages"].items():
        print(f"{name:15} {taken:5} of {branches:5} branches, {taken / max(branches, 1):.1%}")
    print(f"{sum(len(each['branches']) for each in found['untaken'])} branches not taken")


if __name__ == "__main__":
    main()
