"""The GitHub Action: its steps run here as GitHub runs them, on a small repository and with a `gh` that only notes what it is asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".github" / "actions" / "vmfleet-compare"
ACTION: dict[str, Any] = yaml.safe_load((HOME / "action.yml").read_text(encoding="utf-8"))
SCENARIO = 'name = "{name}"\nhorizon = "4h"\nreplications = 2\n[[group]]\nname = "web"\ncount = {count}\n'
GH = """#!{python}
import json, sys
from pathlib import Path
log = Path({log!r})
if {fails!r} and "--method" in sys.argv:
    sys.exit("HTTP 403: Resource not accessible by integration")
body = [Path(word.partition("@")[2]).read_text() for word in sys.argv if word.startswith("body=@")]
with log.open("a") as file:
    file.write(json.dumps([sys.argv[1:], *body]) + "\\n")
if "--jq" in sys.argv and {existing!r}:
    print(77)
"""


class Forge:
    """A repository with a base commit and a pull request, and the runner of its checks."""

    def __init__(self, place: Path) -> None:
        self.place, self.repo, self.log = place, place / "repo", place / "gh.log"
        self.repo.mkdir()
        (place / "bin").mkdir()
        self.program("vmfleet", f'#!/bin/bash\nexec "{sys.executable}" -m sim "$@"\n')
        self.gh()
        self.git("init", "--quiet", "--initial-branch=main")
        self.write(fleet=("fleet", 2), other=("other", 1), gone=("gone", 1))
        self.base = self.commit()
        self.outputs: dict[str, str] = {}
        self.error = ""

    def program(self, name: str, text: str) -> None:
        """A program that is found first."""
        file = self.place / "bin" / name
        file.write_text(text)
        file.chmod(0o755)

    def gh(self, *, existing: bool = False, fails: bool = False) -> None:
        """What the forge answers."""
        self.program("gh", GH.format(python=sys.executable, log=str(self.log), existing=existing, fails=fails))

    def write(self, **scenarios: tuple[str, int]) -> None:
        """Scenarios by file: name and count."""
        for file, (name, count) in scenarios.items():
            (self.repo / f"{file}.toml").write_text(SCENARIO.format(name=name, count=count))

    def git(self, *words: str) -> str:
        """In the repository, as somebody."""
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *who, *words], cwd=self.repo, check=True, capture_output=True, text=True).stdout

    def commit(self) -> str:
        """Everything as it is."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "x")
        return self.git("rev-parse", "HEAD").strip()

    def check(self, **inputs: str) -> int:
        """Run the steps of action.yml, expressions filled in; the first exit status that is not 0 ends it."""
        given = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
        given |= {"install": ""} | {name.replace("_", "-"): value for name, value in inputs.items()}
        known = {
            "github.event.pull_request.base.sha": self.base,
            "github.token": "t",
            "github.event.pull_request.number": "5",
        }
        known |= {f"inputs.{name}": self.filled(value, known) for name, value in given.items()}
        for step in ACTION["runs"]["steps"]:
            if step["name"] == "Install":  # there is nothing to install
                continue
            output = self.place / "output"
            output.write_text("")
            env = {
                "PATH": f"{self.place / 'bin'}:{os.environ['PATH']}", "HOME": str(self.place), "PYTHONPATH": str(ROOT),
                "GITHUB_ACTION_PATH": str(HOME), "GITHUB_OUTPUT": str(output), "GITHUB_REPOSITORY": "me/it",
                "GITHUB_STEP_SUMMARY": str(self.place / "page.md"), "RUNNER_TEMP": str(self.place),
            }  # fmt: skip
            env |= {name: self.filled(value, known) for name, value in step["env"].items()}
            ran = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.repo, env=env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            self.error += ran.stdout + ran.stderr
            if ran.returncode:
                return ran.returncode
            self.outputs |= dict(line.split("=", 1) for line in output.read_text().splitlines())
            known |= {f"steps.{step.get('id')}.outputs.{name}": value for name, value in self.outputs.items()}
        return 0

    @staticmethod
    def filled(text: str, known: dict[str, str]) -> str:
        """Expressions replaced; one that nothing defines is an error."""
        return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: known[found[1]], text)

    @property
    def asked(self) -> list[Any]:
        """What `gh` was asked for."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """Three scenarios."""
    return Forge(tmp_path)


def test_a_change_of_a_scenario_is_commented_with_its_cost(forge: Forge) -> None:
    """Changed, new and removed scenarios, each under its name; one that is as it was isn't simulated. It begins with the mark."""
    forge.write(fleet=("fleet", 3), new=("new", 1))
    (forge.repo / "gone.toml").unlink()
    (forge.repo / "notes.md").write_text("no scenario")
    forge.commit()
    assert forge.check() == 0, forge.error
    request, body = forge.asked[-1]
    assert request[:4] == ["api", "--method", "POST", "repos/me/it/issues/5/comments"]
    assert body.startswith("<!-- vmfleet compare -->\n")
    assert re.findall(r"^## `(.*)`$", body, re.MULTILINE) == ["fleet.toml", "gone.toml", "new.toml"]
    assert re.search(r"fleet costs [\d.,]+ USD more a month \(50\s%", body)
    assert "| cost of fleet |" in body
    assert "|   number of VMs |" in body
    assert "Removed." in body
    assert (forge.place / "page.md").read_text() == body
    assert "worktree" not in forge.git("worktree", "list", "--porcelain").replace("worktree ", "", 1)


def test_an_earlier_comment_is_replaced(forge: Forge) -> None:
    """One comment a pull request, however often it is pushed to."""
    forge.write(fleet=("fleet", 3))
    forge.commit()
    forge.gh(existing=True)
    assert forge.check(replications="1", scenarios="fleet.toml\n") == 0, forge.error
    assert forge.asked[-1][0][:4] == ["api", "--method", "PATCH", "repos/me/it/issues/comments/77"]
    assert "1 paired replications" in forge.asked[-1][1]


def test_a_condition_that_is_met_fails_after_the_comment(forge: Forge) -> None:
    """The comment says which; one that isn't met changes nothing."""
    forge.write(fleet=("fleet", 3))
    forge.commit()
    assert forge.check(fail_if="cost.total>1000000\n") == 0, forge.error
    assert forge.check(fail_if="cost.total>1000000\nvms.created>2.5\n") == 3
    assert "vms.created>2.5" in forge.asked[-1][1]
    assert forge.outputs["status"] == "3"


def test_a_scenario_that_is_wrong_fails_and_the_others_are_compared(forge: Forge) -> None:
    """A typing error in one file must not hide what the other costs."""
    forge.write(fleet=("fleet", 3))
    (forge.repo / "other.toml").write_text("nmae = 1\n")
    forge.commit()
    assert forge.check(fail_if="vms.created>2.5") == 2
    body = forge.asked[-1][1]
    assert "nmae" in body
    assert re.search(r"fleet costs \S+ USD more", body)


def test_without_the_right_to_comment_the_summary_has_the_answer(forge: Forge) -> None:
    """The token of a pull request from a fork can't write: a warning, not a failure."""
    forge.write(fleet=("fleet", 3))
    forge.commit()
    forge.gh(fails=True)
    assert forge.check() == 0
    assert "::warning::" in forge.error
    assert re.search(r"fleet costs \S+ USD more", (forge.place / "page.md").read_text())


def test_nothing_changed_is_said(forge: Forge) -> None:
    """A pull request that changes no scenario."""
    (forge.repo / "notes.md").write_text("x")
    forge.commit()
    assert forge.check() == 0, forge.error
    assert "No scenario was changed." in forge.asked[-1][1]


def test_no_input_is_pasted_into_a_script() -> None:
    """A title or a pattern of an attacker would be run: inputs reach the scripts as variables only. Every variable is read."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], step["name"]
        assert step["shell"] == "bash"
        scripts = step["run"] + "".join(file.read_text() for file in HOME.glob("*.sh") if file.name in step["run"])
        for name in step["env"]:
            assert name == "GH_TOKEN" or f"${name}" in scripts or f"${{{name}" in scripts, name
