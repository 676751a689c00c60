"""Mutation testing: changes the program in one place at a time and asks whether a fast test fails.

    pip install mutmut pytest-timeout
    python -m tools.branches                            # once: which test runs which line
    python -m tools.mutation --seed 1 --count 400

The changes are those of mutmut (an operator swapped, a number one higher, a comparison or membership turned round, an argument dropped
or None, a value None, a string changed), also outside functions, where mutmut itself makes none: the tables are there. Left out are
prose (strings with a space), annotations, imports, decorators, and `strict=` of zip.

Every module has its share of the sample. A mutant stands in a copy of the checkout; the tests that run its line (the whole module's,
for a line that runs at import) run in a forked process, fast and specific ones first, until one fails. Numba doesn't compile here.
A mutant that no test sees is looked up in `tools/surviving_mutants.json`: whether it is equivalent, and why, or what was done.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import itertools
import json
import math
import multiprocessing
import os
import py_compile
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import libcst as cst
import pytest
from coverage import CoverageData
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

from tools.branches import MEASURED, ROOT, TESTS

PACKAGES = ("lifecycle", "usage", "billing", "engines/shared")
EXPLAINED = ROOT / "tools" / "surviving_mutants.json"
LONGEST_S = 12.0  # of all tests for one mutant, as they took under coverage; of one test, a quarter
PRELOADED = "hypothesis jinja2 joblib numba numpy pandas pyarrow.parquet pydantic rich.table scipy.stats simpy sybil tomlkit typer"
SKIPPED = (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of a file: a node, what stands there instead, and where tests can meet it."""

    file: str
    line: int
    lines: tuple[int, ...]  # of its statement; none: it runs when the module is imported
    tree: cst.Module
    node: cst.CSTNode
    changed: cst.CSTNode

    def text(self) -> str:
        """The file with the change."""
        return self.tree.deep_replace(self.node, self.changed).code  # type: ignore[attr-defined, no-any-return]

    def change(self) -> str:
        """The lines that change, before and after."""
        before, after = self.tree.code.splitlines(), self.text().splitlines()
        same = next(number for number, (a, b) in enumerate(zip([*before, ""], [*after, ""], strict=False)) if a != b)
        return f"{before[same].strip()} -> {after[same].strip()}"


class Places(cst.CSTVisitor):
    """Finds every node that may be changed, and into what."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, file: str, tree: cst.Module) -> None:
        super().__init__()
        self.file, self.tree = file, tree
        self.found: list[Mutant] = []
        self.statements: list[range] = []
        self.functions = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        """The changes of this node."""
        if isinstance(node, SKIPPED) or _is_strict(node):
            return False
        where = self.get_metadata(PositionProvider, node, None)
        own = range(where.start.line, where.end.line + 1) if where is not None else range(0)
        if isinstance(node, cst.SimpleStatementLine):
            self.statements.append(own)
        self.functions += isinstance(node, cst.FunctionDef | cst.Lambda)
        lines = tuple(self.statements[-1] if self.statements else own) if self.functions else ()
        self.found += [Mutant(self.file, own.start, lines, self.tree, node, changed) for changed in changes(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Its statement or function ends."""
        if isinstance(original_node, cst.SimpleStatementLine):
            self.statements.pop()
        self.functions -= isinstance(original_node, cst.FunctionDef | cst.Lambda)


def _is_strict(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Arg) and node.keyword is not None and node.keyword.value == "strict"


def changes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """What mutmut would put in the place of a node, without changes of prose and of `strict=`."""
    for kind, operator in mutation_operators:
        if not isinstance(node, kind):
            continue
        if operator is operator_string:
            if isinstance(node, cst.SimpleString) and not re.search(r"\s|://", node.value):
                yield from itertools.islice(operator(node), 1)  # and not again in upper and in lower case
            continue
        for changed in operator(node):
            if isinstance(node, cst.Call) and isinstance(changed, cst.Call) and node.func is changed.func:
                kept = [[arg for arg in call.args if not _is_strict(arg)] for call in (node, changed)]
                if len(kept[0]) == len(kept[1]) and all(a is b for a, b in zip(*kept, strict=True)):
                    continue
            yield changed


def all_mutants() -> list[Mutant]:
    """Every mutant of `PACKAGES`."""
    found = []
    for package in PACKAGES:
        for file in sorted((ROOT / "sim" / package).glob("*.py")):
            wrapper = MetadataWrapper(cst.parse_module(file.read_text(encoding="utf-8")))
            places = Places(str(file.relative_to(ROOT)), wrapper.module)
            wrapper.visit(places)
            found += places.found
    return found


def sample(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """So many mutants drawn at random, each module with its share of them."""
    chance = random.Random(seed)
    keys: list[tuple[float, Mutant]] = []
    for _, of_file in itertools.groupby(mutants, key=lambda mutant: mutant.file):
        drawn = list(of_file)
        chance.shuffle(drawn)
        keys += [((place + chance.random()) / len(drawn), mutant) for place, mutant in enumerate(drawn)]
    return [mutant for _, mutant in sorted(keys, key=lambda pair: pair[0])[:count]]


class Tests:
    """Which tests to run for a mutant."""

    def __init__(self) -> None:
        self.seconds = dict(json.loads(line) for line in TESTS.read_text(encoding="utf-8").splitlines())
        self.runs: dict[str, dict[int, set[str]]] = {}
        self.at_import: dict[str, set[int]] = {}
        data = CoverageData(str(MEASURED / "data"))
        data.read()
        self.sizes: Counter[str] = Counter()  # lines that each test runs
        for name in data.measured_files():
            contexts = data.contexts_by_lineno(name)
            runs = {line: set(tests) & self.seconds.keys() for line, tests in contexts.items()}
            self.sizes.update(itertools.chain.from_iterable(runs.values()))
            file = str(Path(name).relative_to(ROOT))
            self.runs[file] = runs
            self.at_import[file] = {line for line, tests in contexts.items() if "" in tests}
        self.texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in self.runs}

    def of(self, mutant: Mutant) -> list[str]:
        """Those that run its statement; for one that runs at import, those of its module and of the modules that import it."""
        runs = self.runs.get(mutant.file, {})
        found = Counter(itertools.chain.from_iterable(runs.get(line, ()) for line in mutant.lines))
        if not mutant.lines or any(line in self.at_import[mutant.file] for line in mutant.lines):
            dotted = mutant.file.removesuffix(".py").replace("/", ".")
            users = [name for name, text in self.texts.items() if f"from {dotted} import" in text]
            for name in (mutant.file, *users):
                found.update(itertools.chain.from_iterable(self.runs.get(name, {}).values()))
            # A test that reads a table runs no line of it: those whose file imports the module.
            found.update(
                {
                    test: self.sizes[test] + 1
                    for test in self.seconds
                    if f"from {dotted} import" in _text(test.split("::")[0])
                }
            )
        in_module = Counter(itertools.chain.from_iterable(runs.values()))
        cost = {
            test: (0.05 + self.seconds[test]) / (0.02 + (in_module[test] + found[test]) / max(self.sizes[test], 1))
            for test in found
        }
        ordered = sorted(found, key=lambda test: (cost[test], test))
        ordered = [test for test in ordered if self.seconds[test] <= LONGEST_S / 4]
        spent = itertools.accumulate(self.seconds[test] for test in ordered)
        return [test for test, seconds in zip(ordered, spent, strict=True) if seconds <= LONGEST_S]


@cache
def _text(file: str) -> str:
    """The text of a file of tests."""
    path = ROOT / file
    return path.read_text(encoding="utf-8") if path.is_file() else ""


class Only:
    """A pytest plugin: runs these tests in this order, each within its time, and keeps the name of the one that fails."""

    def __init__(self, tests: Mapping[str, float], failed: Path) -> None:
        self.tests, self.failed = tests, failed

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A change may do away with a parameter of a test: such tests don't run."""
        places = {test: place for place, test in enumerate(self.tests)}
        items[:] = sorted((item for item in items if item.nodeid in places), key=lambda item: places[item.nodeid])

    @pytest.hookimpl(tryfirst=True)  # before fixtures
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """A test that takes far too long ends the process."""
        self.failed.write_text(item.nodeid, encoding="utf-8")
        signal.alarm(15 + math.ceil(5 * self.tests[item.nodeid]))


def trial(tree: Path, text: Mapping[str, str], tests: Mapping[str, float]) -> tuple[str, str]:
    """Run tests in a copy of the checkout with these files changed: what came of it, and the test that failed."""
    failed, kept = tree.parent / f"{tree.name}.test", {name: (tree / name).read_text(encoding="utf-8") for name in text}
    failed.write_text("", encoding="utf-8")
    for name, changed in text.items():
        (tree / name).write_text(changed, encoding="utf-8")
        # A mutant of the same size and second would pass for its original.
        Path(importlib.util.cache_from_source(str(tree / name))).unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(120)
        os.chdir(tree)
        sys.path[:] = [str(tree), *(place for place in sys.path if Path(place).resolve() != ROOT)]
        sys.dont_write_bytecode = True
        os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        for stream in (1, 2):
            os.dup2(os.open(tree.parent / f"{tree.name}.out", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), stream)
        files = sorted({test.split("::")[0] for test in tests})
        os._exit(
            pytest.main(["-x", "-q", "-W", "ignore", "-p", "no:cacheprovider", *files], plugins=[Only(tests, failed)])
        )
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    for name, original in kept.items():
        (tree / name).write_text(original, encoding="utf-8")
        py_compile.compile(str(tree / name))
    code = os.waitstatus_to_exitcode(status)
    ends = {0: "survived", 1: "failed", 2: "not imported", 4: "not imported", 5: "survived"}
    return "took too long" if code < 0 else ends.get(code, f"pytest: {code}"), failed.read_text(encoding="utf-8")


class Judge:
    """One worker: judges mutants one by one in its copy of the checkout. The judge of a sample is made before its workers are forked."""

    def __init__(self, mutants: Sequence[Mutant], place: Path, until: float) -> None:
        self.mutants, self.place, self.until, self.tests = mutants, place, until, Tests()
        self.broken: set[str] = set()  # tests that fail without any change, too

    def tree(self) -> Path:
        """The copy of the checkout that this process changes, with its bytecode."""
        tree = self.place / str(os.getpid())
        if not tree.exists():
            tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
            for name in sorted({Path(name).parts[0] for name in tracked.splitlines()}):
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, tree / name)
                elif (ROOT / name).exists():
                    shutil.copy2(ROOT / name, tree / name)
        return tree

    def __call__(self, number: int) -> dict[str, Any] | None:
        """What comes of one mutant; None: the time is up."""
        mutant, began = self.mutants[number], time.monotonic()
        if began > self.until:
            return None
        tests = {test: self.tests.seconds[test] for test in self.tests.of(mutant) if test not in self.broken}
        end, test = trial(self.tree(), {mutant.file: mutant.text()}, tests) if tests else ("survived", "")
        took = {
            "tests": len(tests),
            "test": "" if end == "survived" else test,
            "seconds": round(time.monotonic() - began, 1),
        }
        return {
            "number": number,
            "file": mutant.file,
            "line": mutant.line,
            "change": mutant.change(),
            "end": end,
        } | took


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z, share = 1.959963984540054, hits / of
    middle, half = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def summary(results: Sequence[Mapping[str, Any]], seed: int, of: int) -> dict[str, Any]:
    """The figures of a sample, with each survivor and the reason for it."""
    known = {(each["file"], each["change"]): each for each in json.loads(EXPLAINED.read_text(encoding="utf-8"))}
    none = {"equivalent": False, "reason": ""}
    kept = [{key: each[key] for key in ("file", "line", "change")} for each in results if each["end"] == "survived"]
    survivors = [each | known.get((each["file"], each["change"]), none) for each in kept]
    packages = {}
    for package in PACKAGES:
        inside = [each for each in results if each["file"].startswith(f"sim/{package}/")]
        packages[package] = [len(inside), sum(each["end"] != "survived" for each in inside)]
    killed = len(results) - len(survivors)
    low, high = interval(killed, len(results))
    return {
        "seed": seed, "mutants": of, "drawn": len(results), "killed": killed, "interval": [round(low, 4), round(high, 4)],
        "equivalent": sum(each["equivalent"] for each in survivors), "ends": dict(Counter(each["end"] for each in results)),
        "packages": packages, "survivors": survivors,
    }  # fmt: skip


def main() -> None:
    """Draw, judge, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--minutes", type=float, default=60.0, help="of the sample, judge what there is time for")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="", help="only files whose path contains this")
    parser.add_argument("--record", action="store_true", help="publish the figures in docs/proof")
    given = parser.parse_args()
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    for module in PRELOADED.split():
        importlib.import_module(module)
    mutants = [mutant for mutant in all_mutants() if given.only in mutant.file]
    drawn = sample(mutants, given.count, given.seed)
    results: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        judge = Judge(drawn, Path(place), time.monotonic() + 60 * given.minutes)
        while todo := [
            number
            for number in range(len(drawn))
            if results.get(number, {}).get("test", "new") in {"new", *judge.broken}
        ]:
            with multiprocessing.get_context("fork").Pool(
                given.processes, initializer=_start, initargs=(judge,)
            ) as workers:
                found = [each for each in workers.imap_unordered(_judge, todo) if each is not None]
            results |= {each["number"]: each for each in found}
            if not found:
                break
            # Whatever failed must pass without a change, and in time; if not, its mutants are judged again without it.
            seen = {each["test"] for each in results.values() if each["test"]}
            failed = {test: judge.tests.seconds[test] for test in seen - judge.broken}
            while (end := trial(judge.tree(), {}, failed))[0] != "survived" and end[1]:
                judge.broken.add(end[1])
                failed.pop(end[1])
    figures = summary([results[number] for number in sorted(results)], given.seed, len(mutants))
    if given.record:
        from tools.proof_page import record  # not above: a mutant's process must load all of sim itself

        record("mutation", f"python -m tools.mutation --seed {given.seed} --count {given.count}", figures)
    for each in figures["survivors"]:
        print(f"{each['file']}:{each['line']} {each['change']} -- {each['reason'] or 'not explained'}")
    print(
        f"{figures['killed']} of {figures['drawn']} killed ({figures['interval'][0]:.1%} to {figures['interval'][1]:.1%})"
    )


_JUDGE: Judge


def _start(judge: Judge) -> None:
    global _JUDGE
    _JUDGE = judge


def _judge(number: int) -> dict[str, Any] | None:
    each = _JUDGE(number)
    if each is not None:
        print(
            f"{each['end']:13} {each['seconds']:5} s {each['file']}:{each['line']} {each['change']}  {each['test']}",
            flush=True,
        )
    return each


if __name__ == "__main__":
    main()
