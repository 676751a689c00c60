"""What keeps this code base readable, counted: `python tools/measures.py`; with `--check` it exits 1 where a limit is broken.

* import cycles inside packages and between them, over *all* imports: at the top, inside functions, for types only;
* long functions and long parameter lists (compiled functions may have more of both);
* `if TYPE_CHECKING` blocks, and imports inside functions, without a reason: a comment `# start-up: ...` on the line or above its
  block of imports, or one that begins a line of the module and so covers all of it;
* tests for the kind of a demand outside the modules of the kinds;
* lines of each package.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LIMITS: Mapping[str, int] = {
    "import cycles inside packages": 0,
    "import cycles between packages": 0,
    "functions over 60 lines": 0,
    "compiled functions over 120 lines": 0,
    "functions of more than 8 parameters": 0,
    "compiled functions of more than 12 parameters": 0,
    "TYPE_CHECKING blocks without a start-up reason": 0,
    "imports in functions without a start-up reason": 0,
    "tests for demand kinds outside their modules": 0,
    "lines of sim/": 29_000,
}
"""The most of each that `--check` accepts."""

REPORTED_ONLY = ("TYPE_CHECKING blocks with a reason", "imports in functions with a reason")
LONGEST, LONGEST_COMPILED = 60, 120
MOST_PARAMETERS, MOST_PARAMETERS_COMPILED = 8, 12
START_UP = "# start-up:"
DEMAND_HOME = "sim.model.demand"
DEMAND_BASES = {"Demand", "DemandSection"}  # what every kind has: to ask for these is no question of the kind

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """One source file of the package."""

    name: str
    tree: ast.Module
    lines: list[str]


@dataclass(slots=True)
class Measures:
    """The places found for each measure, and the lines of each package."""

    places: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in (*LIMITS, *REPORTED_ONLY)})
    lines: Counter[str] = field(default_factory=Counter)

    def value(self, name: str) -> int:
        """The number to compare with the limit."""
        return self.lines.total() if name == "lines of sim/" else len(self.places[name])

    def broken(self) -> list[str]:
        """The measures that are over their limit."""
        return [name for name, limit in LIMITS.items() if self.value(name) > limit]


def main(arguments: list[str] | None = None) -> int:
    """Print every measure; with `--check`, 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a limit is broken")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="folder that holds sim/")
    options = parser.parse_args(arguments)
    found = measure(options.root)
    for name in (*LIMITS, *REPORTED_ONLY):
        limit = f" (limit {LIMITS[name]:,})" if name in LIMITS else ""
        print(f"{'OVER ' if name in found.broken() else '     '}{name}: {found.value(name):,}{limit}")
        for place in found.places[name] if name in LIMITS else ():
            print(f"       {place}")
    print("     lines: " + ", ".join(f"{package} {count:,}" for package, count in sorted(found.lines.items())))
    return 1 if options.check and found.broken() else 0


def measure(root: Path) -> Measures:
    """All measures of the package `sim` in *root*."""
    modules = {module.name: module for module in _modules(root)}
    compiled = _compiled_functions(modules.values())
    found = Measures()
    kinds = set(_demand_kinds(modules.values()))
    imports: dict[str, set[str]] = {}
    for module in modules.values():
        found.lines[_package(module.name)] += len(module.lines)
        imports[module.name] = set(_imported(module, modules))
        _measure_functions(module, compiled, found)
        _measure_late_imports(module, found)
        _measure_demand_tests(module, kinds, found)
    for cycle in _cycles(imports):
        if len({_package(name) for name in cycle}) == 1:
            found.places["import cycles inside packages"].append(" <-> ".join(sorted(cycle)))
    for cycle in _cycles(_between_packages(imports)):
        found.places["import cycles between packages"].append(" <-> ".join(sorted(cycle)))
    return found


def _modules(root: Path) -> Iterator[Module]:
    for path in sorted((root / "sim").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        text = path.read_text(encoding="utf-8")
        yield Module(".".join(parts).removesuffix(".__init__"), ast.parse(text), text.splitlines())


def _package(module: str) -> str:
    """`sim.traces` for `sim.traces.text`; the modules at the top are packages of their own."""
    return ".".join(module.split(".")[:2])


# --- imports


def _imported(module: Module, modules: Mapping[str, Module]) -> Iterator[str]:
    """The modules of ours that a module imports, wherever the import stands."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.module in modules:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules else node.module


def _between_packages(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for module, targets in imports.items():
        inside = graph.setdefault(_package(module), set())
        inside |= {_package(target) for target in targets} - {_package(module)}
    return graph


def _cycles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Sets of nodes that can all reach each other (Tarjan's strongly connected components of more than one node)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        stack.append(node)
        for target in sorted(graph.get(node, ())):
            if target not in number:
                visit(target)
            if target in stack:
                lowest[node] = min(lowest[node], lowest[target])
        if lowest[node] == number[node]:
            component = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            if len(component) > 1:
                found.append(component)

    for node in sorted(graph):
        if node not in number:
            visit(node)
    return found


def _measure_late_imports(module: Module, found: Measures) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            kind = "TYPE_CHECKING blocks"
            _add_late(module, node.lineno, kind, found)
        elif isinstance(node, Function):
            for statement in _own_statements(node):
                if isinstance(statement, ast.Import | ast.ImportFrom):
                    _add_late(module, statement.lineno, "imports in functions", found)


def _add_late(module: Module, line: int, kind: str, found: Measures) -> None:
    reason = "with a reason" if _has_reason(module.lines, line) else "without a start-up reason"
    found.places[f"{kind} {reason}"].append(f"{module.name}:{line} {module.lines[line - 1].strip()}")


def _has_reason(lines: list[str], line: int) -> bool:
    """Whether this line, the comment above its block of imports, or a line of the module's own says `# start-up: ...`."""
    if START_UP in lines[line - 1] or any(text.startswith(START_UP) for text in lines):
        return True
    above = line - 2
    while above >= 0 and lines[above].strip().startswith(("import ", "from ", "#")):
        if START_UP in lines[above]:
            return True
        above -= 1
    return False


# --- functions


def _own_statements(function: Function) -> Iterator[ast.AST]:
    """Everything in a function but what stands in a function inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function):
            waiting.extend(ast.iter_child_nodes(node))


def _measure_functions(module: Module, compiled: set[str], found: Measures) -> None:
    for node in ast.walk(module.tree):
        if not isinstance(node, Function):
            continue
        is_compiled = node.name in compiled and _package(module.name) in (
            "sim.engines",
            "sim.distributions",
            "sim.model",
        )
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        parameters = _parameters(node)
        place = f"{module.name}:{node.lineno} {node.name}"
        if lines > (LONGEST_COMPILED if is_compiled else LONGEST):
            name = "compiled functions over 120 lines" if is_compiled else "functions over 60 lines"
            found.places[name].append(f"{place}: {lines} lines")
        if parameters > (MOST_PARAMETERS_COMPILED if is_compiled else MOST_PARAMETERS):
            most = "12" if is_compiled else "8"
            name = f"{'compiled functions' if is_compiled else 'functions'} of more than {most} parameters"
            found.places[name].append(f"{place}: {parameters} parameters")


def _parameters(function: Function) -> int:
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def _compiled_functions(modules: Iterable[Module]) -> set[str]:
    """Names of the functions that numba compiles: decorated with one of our compilers, or handed to one."""
    modules = list(modules)
    compilers: set[str] = set()
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith(("numba.njit", "njit(")):
                compilers |= {ast.unparse(target) for target in node.targets}
    for module in modules:  # functions of ours that hand theirs to one of these
        for node in ast.walk(module.tree):
            if isinstance(node, Function) and any(
                isinstance(call, ast.Call)
                and _last_name(call.func) in compilers
                and any(_last_name(argument) in {one.arg for one in node.args.args} for argument in call.args)
                for call in ast.walk(node)
            ):
                compilers.add(node.name)
    found: set[str] = set()
    original: dict[str, str] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                original |= {alias.asname: alias.name for alias in node.names if alias.asname}
            elif isinstance(node, Function):
                used = {_last_name(decorator) for decorator in node.decorator_list}
                found |= {node.name} if used & (compilers | {"njit"}) else set()
            elif isinstance(node, ast.Call) and _last_name(node.func) in compilers:
                found |= {_last_name(argument) for argument in node.args}
    return found | {original[name] for name in found if name in original}


def _last_name(node: ast.expr) -> str:
    """`draw` for `samplers.draw` and for `draw(...)`."""
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


# --- concepts


def _demand_kinds(modules: Iterable[Module]) -> Iterator[str]:
    """Names of the classes that are a kind of demand or its section of the scenario file."""
    for module in modules:
        for node in module.tree.body if module.name.startswith(DEMAND_HOME) else ():
            if isinstance(node, ast.ClassDef) and {_last_name(base) for base in node.bases} & DEMAND_BASES:
                yield node.name


def _measure_demand_tests(module: Module, kinds: set[str], found: Measures) -> None:
    if module.name.startswith(DEMAND_HOME):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _last_name(node.func) in ("isinstance", "issubclass") and len(node.args) == 2:
            named = {_last_name(part) for part in ast.walk(node.args[1]) if isinstance(part, ast.expr)}
        elif isinstance(node, ast.MatchClass):
            named = {_last_name(node.cls)}
        else:
            continue
        if named & kinds:
            place = f"{module.name}:{node.lineno} {module.lines[node.lineno - 1].strip()}"
            found.places["tests for demand kinds outside their modules"].append(place)


if __name__ == "__main__":
    sys.exit(main())
