"""The GitHub Action: its steps run here as GitHub runs them, on a small repository and with a `gh` that only notes what it is asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".github" / "actions" / "vmfleet-compare"
ACTION: dict[str, Any] = yaml.safe_load((HOME / "action.yml").read_text(encoding="utf-8"))
SCENARIO = 'name = "{name}"\nhorizon = "4h"\nreplications = 2\n[[group]]\nname = "web"\ncount = {count}\n'
BOT = "github-actions[bot]"
MARK = re.compile("<!-- vmfleet compare [0-9a-f]{40} -->")
GH = """#!{python}
import json, sys
from pathlib import Path
log = Path({log!r})
if {fails!r} in sys.argv:
    sys.exit("HTTP 403: Resource not accessible by integration")
if "graphql" in sys.argv:
    print("github-actions[bot]")
    sys.exit()
body = [Path(word.partition("@")[2]).read_text() for word in sys.argv if word.startswith("body=@")]
with log.open("a") as file:
    file.write(json.dumps([sys.argv[1:], *body]) + "\\n")
if "--jq" in sys.argv:
    for number, (who, begin) in enumerate({existing!r}, 70):
        print(number, who, begin, sep="\\t")
"""


class Forge:
    """A repository with a base commit and a pull request, and the runner of its checks."""

    def __init__(self, place: Path) -> None:
        self.place, self.repo, self.log = place, place / "repo", place / "gh.log"
        self.repo.mkdir()
        (place / "bin").mkdir()
        self.program("vmfleet", f'#!/bin/bash\nexec "{sys.executable}" -m sim "$@"\n')
        self.program("python", f'#!/bin/bash\nprintf "%s\\n" "$@" >> "{place / "pip.log"}"\n')
        self.gh()
        self.git("init", "--quiet", "--initial-branch=main")
        self.write(fleet=("fleet", 2), other=("other", 1), gone=("gone", 1))
        self.base = self.commit()
        self.merged = ""
        self.outputs: dict[str, str] = {}
        self.error = ""

    def program(self, name: str, text: str) -> None:
        """A program that is found first."""
        file = self.place / "bin" / name
        file.write_text(text)
        file.chmod(0o755)

    def gh(self, *existing: tuple[str, str], fails: str = "") -> None:
        """What the forge answers: comments by author and first line; an error where a word is asked for."""
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
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        known = {
            "github.event.pull_request.base.sha": self.base,
            "github.token": "t",
            "github.event.pull_request.number": "5",
        }
        known |= {f"inputs.{name}": self.filled(value, known) for name, value in given.items()}
        for step in ACTION["runs"]["steps"]:
            if step["name"] == "Install" and not given["install"]:
                continue
            output = self.place / "output"
            output.write_text("")
            env = {
                "PATH": f"{self.place / 'bin'}:{os.environ['PATH']}", "HOME": str(self.place), "PYTHONPATH": str(ROOT),
                "GITHUB_ACTION_PATH": str(HOME), "GITHUB_OUTPUT": str(output), "GITHUB_REPOSITORY": "me/it",
                "GITHUB_STEP_SUMMARY": str(self.place / "page.md"), "RUNNER_TEMP": str(self.place),
                "GITHUB_EVENT_NAME": "pull_request", "GITHUB_SHA": self.merged,
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
    assert MARK.fullmatch(body.splitlines()[0])
    assert re.findall(r"^## `(.*)`$", body, re.MULTILINE) == ["fleet.toml", "gone.toml", "new.toml"]
    assert re.search(r"fleet costs [\d.,]+ USD a month more than \S+ \(50\s%", body)
    assert "| cost of fleet |" in body
    assert "|   number of VMs |" in body
    assert "Removed." in body
    assert (forge.place / "page.md").read_text() == body
    assert "worktree" not in forge.git("worktree", "list", "--porcelain").replace("worktree ", "", 1)


def test_an_earlier_comment_is_replaced(forge: Forge) -> None:
    """One comment a use and a pull request, however often it is pushed to: not another use's, nor a person's that quotes ours."""
    forge.write(fleet=("fleet", 3))
    forge.commit()
    assert forge.check(replications="1", scenarios="fleet.toml\n") == 0, forge.error
    mark = forge.asked[-1][1].splitlines()[0]
    assert forge.check(replications="1", scenarios="other.toml\n") == 0, forge.error
    other = forge.asked[-1][1].splitlines()[0]
    assert forge.check(replications="2", scenarios="fleet.toml\n") == 0, forge.error
    assert len({mark, other, forge.asked[-1][1].splitlines()[0]}) == 3
    forge.gh(("ann", mark), (BOT, other), (BOT, "hello"), (BOT, mark), (BOT, mark))
    assert forge.check(replications="1", scenarios="fleet.toml\n") == 0, forge.error
    assert forge.asked[-1][0][:4] == ["api", "--method", "PATCH", "repos/me/it/issues/comments/73"]
    assert "1 paired replications" in forge.asked[-1][1]
    forge.gh(("ann", mark), (BOT, other))
    assert forge.check(replications="1", scenarios="fleet.toml\n") == 0, forge.error
    assert "POST" in forge.asked[-1][0]


@pytest.mark.parametrize("fails", ["graphql", "--paginate"])
def test_without_the_list_of_comments_none_is_written(forge: Forge, fails: str) -> None:
    """A second comment would be wrong for ever."""
    forge.gh(fails=fails)
    assert forge.check() == 0, forge.error
    assert "::warning::" in forge.error
    assert not forge.log.exists() or "--method" not in forge.log.read_text()


def test_a_comment_that_is_too_long_is_cut_at_a_line_and_says_so(forge: Forge) -> None:
    """In whole characters; a block of code is closed."""
    report = forge.place / "long.md"
    report.write_text("<!-- mark -->\n```text\n" + ("é" * 999 + "\n") * 60 + "```\n", encoding="utf-8")
    env = {
        "PATH": f"{forge.place / 'bin'}:{os.environ['PATH']}",
        "REPORT": str(report),
        "NUMBER": "5",
        "GITHUB_REPOSITORY": "me/it",
    }
    subprocess.run(["bash", str(HOME / "comment.sh")], env=env, check=True)
    lines = forge.asked[-1][1].splitlines()
    assert lines[:3] == ["<!-- mark -->", "```text", "é" * 999]
    assert set(lines[2:-3]) == {"é" * 999}
    assert lines[-3:] == ["```", "", "This comment is cut; the summary of the job has the whole answer."]


def test_the_action_installs_the_vmfleet_it_belongs_to(forge: Forge) -> None:
    """Not what a registry has under that name; or what the user says."""
    assert forge.check() == 0, forge.error
    own, _, constraints = (forge.place / "pip.log").read_text().splitlines()[-3:]
    assert Path(own).resolve() == ROOT
    assert Path(constraints).resolve() == ROOT / "constraints.txt"
    assert forge.check(install="vmfleet==9") == 0, forge.error
    assert (forge.place / "pip.log").read_text().splitlines()[-1] == "vmfleet==9"


def test_a_change_of_a_price_list_compares_every_scenario(forge: Forge) -> None:
    """The scenario files are as they were; what they read isn't."""
    catalogue = json.loads(files("sim").joinpath("catalog", "bundled", "catalogue.json").read_text(encoding="utf-8"))
    (forge.repo / "prices.json").write_text(json.dumps(catalogue))
    for file in ("fleet", "other"):
        with (forge.repo / f"{file}.toml").open("a") as out:
            out.write('[prices]\ncatalogue = "prices.json"\n')
    forge.base = forge.commit()
    for block in catalogue["prices"]:
        if "linux" in block["terms"] and (per_h := block["per_h"].get("Standard_D4s_v5")):
            per_h[block["terms"].index("linux")] *= 2
    (forge.repo / "prices.json").write_text(json.dumps(catalogue))
    forge.commit()
    assert forge.check(scenarios="fleet.toml\nother.toml\n") == 0, forge.error
    assert "No scenario file was changed." in forge.asked[-1][1]
    assert forge.check(inputs="*.csv\nprices.*\n", scenarios="fleet.toml\nother.toml\n") == 0, forge.error
    body = forge.asked[-1][1]
    assert re.findall(r"^## `(.*)`$", body, re.MULTILINE) == ["fleet.toml", "other.toml"]
    assert re.search(r"fleet costs [\d.,]+ USD a month more than \S+ \(", body)


def test_without_a_base_the_input_is_named(forge: Forge) -> None:
    """A push has no pull request."""
    forge.base = ""
    assert forge.check() == 2
    assert "::error::the input `base` is empty" in forge.error


def test_the_base_is_what_the_pull_request_is_merged_into(forge: Forge) -> None:
    """The base of the event may be older than the merge commit: what others merged since is not this pull request's."""
    forge.git("checkout", "--quiet", "-b", "mine")
    forge.write(fleet=("fleet", 3))
    forge.commit()
    forge.git("checkout", "--quiet", "main")
    forge.write(other=("other", 5))
    forge.commit()
    forge.git("merge", "--quiet", "--no-ff", "-m", "x", "mine")
    forge.merged = forge.git("rev-parse", "HEAD").strip()
    assert forge.check(replications="1") == 0, forge.error
    assert re.findall(r"^## `(.*)`$", forge.asked[-1][1], re.MULTILINE) == ["fleet.toml"]


def test_the_base_may_be_a_branch_that_a_shallow_clone_lacks(forge: Forge) -> None:
    """It is fetched by its name; a shallow clone knows the name of the merge commit's parent, too."""
    forge.git("checkout", "--quiet", "-b", "mine")
    forge.write(fleet=("fleet", 3))
    forge.commit()
    forge.git("checkout", "--quiet", "main")
    forge.git("merge", "--quiet", "--no-ff", "-m", "x", "mine")
    forge.git("branch", "old", forge.base)
    forge.merged = forge.git("rev-parse", "HEAD").strip()
    forge.git("clone", "--quiet", "--depth=1", f"file://{forge.repo}", str(forge.place / "shallow"))
    forge.repo = forge.place / "shallow"
    for base in ("old", ""):
        assert forge.check(replications="1", base=base) == 0, forge.error
        assert re.findall(r"^## `(.*)`$", forge.asked[-1][1], re.MULTILINE) == ["fleet.toml"]


def test_a_warning_is_in_the_answer_and_a_name_is_no_option(forge: Forge) -> None:
    """What the program says on standard error matters also where it succeeds."""
    forge.program("vmfleet", '#!/bin/bash\necho "$@"\necho "note: prices are estimates" >&2\n')
    forge.write(**{"-q": ("q", 1)})
    forge.commit()
    assert forge.check() == 0, forge.error
    assert "run ./-q.toml" in forge.asked[-1][1]
    assert "```text\nnote: prices are estimates\n```" in forge.asked[-1][1]


def test_the_how_to_has_every_input() -> None:
    """Its table is that of action.yml."""
    text = (ROOT / "docs" / "how-to" / "pull-request.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]*)` \| (.*) \|$", text, re.MULTILINE)
    assert rows == [(name, each["description"]) for name, each in ACTION["inputs"].items()]


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
    assert re.search(r"fleet costs \S+ USD (a month )?more", body)


def test_without_the_right_to_comment_the_summary_has_the_answer(forge: Forge) -> None:
    """The token of a pull request from a fork can't write: a warning, not a failure."""
    forge.write(fleet=("fleet", 3))
    forge.commit()
    forge.gh(fails="--method")
    assert forge.check() == 0
    assert "::warning::" in forge.error
    assert re.search(r"fleet costs \S+ USD (a month )?more", (forge.place / "page.md").read_text())


def test_nothing_changed_is_said(forge: Forge) -> None:
    """A pull request that changes no scenario."""
    (forge.repo / "notes.md").write_text("x")
    forge.commit()
    assert forge.check() == 0, forge.error
    assert "No scenario file was changed." in forge.asked[-1][1]


def test_no_input_is_pasted_into_a_script() -> None:
    """A title or a pattern of an attacker would be run: inputs reach the scripts as variables only. Every variable is read."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], step["name"]
        assert step["shell"] == "bash"
        scripts = step["run"] + "".join(file.read_text() for file in HOME.glob("*.sh") if file.name in step["run"])
        for name in step["env"]:
            assert name == "GH_TOKEN" or f"${name}" in scripts or f"${{{name}" in scripts, name
