"""The documentation names only what exists: paths, links, commands, options and public names."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import sim
from sim.cli.app import app
from sim.engines.shared.placement import POLICIES
from tests.helpers.doc_blocks import blocks_of

ROOT = Path(__file__).parents[2]
SKIPPED = {".venv", ".git", "node_modules", ".pytest_cache", ".hypothesis"}
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part in SKIPPED or part.startswith(".venv") for part in page.relative_to(ROOT).parts)
)
PATH_IN_PROSE = re.compile(r"`((?:sim|tests|scenarios|docs|results|\.ci)/[\w./*-]*|[\w-]+\.(?:md|toml|txt))`")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)|src=\"([^\":]+)\"")
COMMAND = re.compile(r"vmfleet ([a-z]+(?:-[a-z]+)*)\b")
WRITTEN_BY_A_RUN = re.compile(r"results/(?!committed|README)")
RESULT_FILES = {"scenario.toml"}  # named in prose as parts of a result folder


def commands() -> set[str]:
    """Every command of `vmfleet`."""
    return set(get_command(app).commands)  # type: ignore[attr-defined]


def test_there_are_pages_to_check() -> None:
    """An empty list would pass every check below."""
    assert ROOT / "README.md" in PAGES
    assert len(PAGES) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_named_in_prose_exist(page: Path) -> None:
    """A reader who follows a path must find something there."""
    text = page.read_text(encoding="utf-8")
    of_the_reader = "".join(
        block.title + block.text for _, _, block in blocks_of(text)
    )  # files that the page's commands make
    for name in PATH_IN_PROSE.findall(text):
        if WRITTEN_BY_A_RUN.match(name) or name in RESULT_FILES or ("/" not in name and name in of_the_reader):
            continue
        place = name.rstrip("/")
        beside = [*ROOT.glob(place), *page.parent.glob(place)]
        assert beside, f"{page.name} names {name}, which does not exist"
    for match in LINK.findall(text):
        target = match[0] or match[1]
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_named_in_prose_exist(page: Path) -> None:
    """A command named in the documentation must exist."""
    known = commands()
    for line in re.findall(r"`([^`\n]*vmfleet [^`\n]*)`", page.read_text(encoding="utf-8")):
        for name in COMMAND.findall(line):
            assert name in known, f"{page.name} names `vmfleet {name}`"


def options_of(command: str | None = None) -> set[str]:
    """The options of one command, or of all together."""
    root: Any = get_command(app)
    known: dict[str, Any] = root.commands
    chosen = known.values() if command is None else [known[command]]
    inner = [leaf for each in chosen for leaf in (each, *getattr(each, "commands", {}).values())]
    return {"--help"} | {name for each in (root, *inner) for param in each.params for name in param.opts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_named_in_prose_exist(page: Path) -> None:
    """An option must belong to the command named with it, or to any command if none is named."""
    for code in re.findall(r"`([^`\n]*)`", page.read_text(encoding="utf-8")):
        if code.startswith(("pip ", "python", ".venv/bin/python", "git ", "pytest", "az ", "terraform ")):
            continue
        command = COMMAND.search(code)
        known = options_of(command[1] if command else None)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", code):
            assert option in known, f"{page.name} names {option} in `{code}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_of_the_front_door_in_prose_exist(page: Path) -> None:
    """A reader must be able to import `sim.Study` and the other names."""
    modules = {path.stem for path in (ROOT / "sim").iterdir()}
    for name in re.findall(r"`sim\.(\w+)", page.read_text(encoding="utf-8")):
        assert name in {*sim.__all__, "__version__"} | modules, f"{page.name} names sim.{name}"


def test_the_options_of_the_interface_are_there() -> None:
    """The options that users and scripts rely on, for commands that simulate and for the others."""
    shared = {"--seed", "--replications", "--precision", "--jobs", "--out", "--set", "--engine", "--quiet", "--json"}
    for command in ("run", "compare", "sweep", "size"):
        assert shared | {"--resume", "--cluster"} <= options_of(command), command
    for command, own in {
        "run": {"--events", "--focus", "--budget"},
        "sweep": {"--vary"},
        "size": {"--vary", "--keep", "--confidence", "--largest"},
        "states": {"--policy", "--machine", "--group", "--mermaid"},
        "snapshot": {"--at", "--status-only", "--vm"},
        "prices": {"--out"},
    }.items():
        assert own <= options_of(command), command


def test_the_interface_has_all_its_commands() -> None:
    """The names that users and scripts rely on."""
    documented = {
        "run",
        "compare",
        "sweep",
        "size",
        "validate",
        "report",
        "states",
        "snapshot",
        "prices",
        "schema",
        "demo",
    }
    assert documented <= commands()


def test_the_placement_policies_are_those_of_the_registry() -> None:
    """A policy that is added or described anew stands in docs/platform.md, in the registry's words."""
    rows = re.findall(
        r"^\| `([\w-]+)` \| (.+?) \|$", (ROOT / "docs" / "platform.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name: policy.words for name, policy in POLICIES.items()}.items() <= dict(rows).items()


def test_the_two_commands_of_the_readme_set_up_what_they_need() -> None:
    """Each must work alone in a fresh checkout; .ci/run uses the second one word for word."""
    lines = [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    found = [line for line in lines if line.startswith("python3 -m venv .venv && ")]
    assert len(found) == 2
    demo, tests = found
    assert demo.endswith(".venv/bin/vmfleet demo")
    assert "-m pytest" in tests
    for line in found:
        assert "-c constraints.txt" in line


def test_the_readme_describes_the_demo_as_it_is() -> None:
    """Its first words are the question of the demo and its figure is the answer: their numbers must be the demo's."""
    demo = tomllib.loads((ROOT / "sim" / "demo" / "office_hours.toml").read_text(encoding="utf-8"))
    assert [(group["when_off"], group["count"]) for group in demo["group"]] == [
        ("keep", 10), ("guest-shutdown", 10), ("stop", 10), ("deallocate", 10),
    ]  # fmt: skip
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "forty developer VMs" in text
    assert text.count(" ten ") + text.count(" Ten ") >= 4
    summary = json.loads((ROOT / "results/committed/demo/summary.json").read_text(encoding="utf-8"))
    cost = {name: group["metrics"]["cost.total"]["mean"] for name, group in summary["groups"].items()}
    assert max(cost.values()) - min(cost["keep"], cost["stop"], cost["guest-shutdown"]) < 1.0
    assert cost["deallocate"] < 0.5 * cost["keep"], "only deallocating saves"


def test_constraints_hold_plain_pins_without_addresses() -> None:
    """A lock file with addresses would tie the project to one computer's registry."""
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    names = set()
    for line in pins:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*( ; python_version < \"3\.\d+\")?", line), line
        names.add(line.split("==")[0])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [each for extra in project["optional-dependencies"].values() for each in extra]
    for requirement in wanted:
        name = re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")  # type: ignore[index]
        assert name in {*names, "vmfleet"}, f"{name} has no pin in constraints.txt"


def test_no_file_names_a_path_of_one_computer() -> None:
    """The project must work elsewhere; `../shared` is the only path outside it, and optional."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        files = [ROOT / name for name in listed.stdout.splitlines()]
    else:  # a copy without git, as CI makes it: nothing else lies there but environments and caches
        inside = (path for path in ROOT.rglob("*") if not path.relative_to(ROOT).parts[0].startswith(".venv"))
        files = [path for path in inside if not SKIPPED.intersection(path.relative_to(ROOT).parts)]
    assert ROOT / "README.md" in files
    home = re.compile(r"(?<![\w.])/(?:work|root|home|farm)/[A-Za-z._]|file:///|pypi\.org/simple")
    for file in files:
        if file == Path(__file__) or not file.is_file():
            continue
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = home.search(text)
        assert found is None, f"{file} names {text[found.start() : found.start() + 40]!r}"
