"""Commands as they are called seldom: what they print without a word too many, and what they refuse."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import run_command

import sim
from sim.cli import main

FLEET = {
    "name": "one",
    "horizon": "1d",
    "replications": 2,
    "group": [{"name": "vm", "count": 2, "disks": ["P10"]}],
}  # fmt: skip
TRACE = "created,deleted,vcpus,memory_gib\n" + "".join(f"{60 * n},{60 * n + 900 + 40 * n},4,16\n" for n in range(12))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a scenario and a trace."""
    monkeypatch.chdir(tmp_path)
    Path("one.toml").write_text(sim.from_dict(FLEET).to_toml(), encoding="utf-8")
    Path("trace.csv").write_text(TRACE, encoding="utf-8")


class Terminal(io.StringIO):
    """A stream that says it is a terminal; what is read from it was typed."""

    def isatty(self) -> bool:
        """Always."""
        return True


REFUSED = [
    ("--seed -1", "run one.toml --seed -1", "--seed is -1; it is a whole number from 0 up"),
    ("--jobs 0", "run one.toml --jobs 0", "--jobs is 0; it is a whole number from 1 up, or -1 for all there are"),
    ("--budget -1", "run one.toml --budget -1", "--budget is -1.0; it is an amount of money from 0 up"),
    ("--precision 2", "run one.toml --precision 2", "--precision: '2' is no share"),
    ("-n 0", "run one.toml -n 0", "--replications is 0"),
    ("a value that the parser changes", "bill one.toml --exchange-rate 1e99", "(given: 1e99)"),
    ("the same, joined", "bill one.toml --exchange-rate=-3", "(given: -3)"),
    ("prices and scenario", "bill one.toml --scenario one.toml --catalogue c.json", "--catalogue and --scenario: give one of them"),
    ("a fit of a trace since a year", "fit trace.csv --since 2020", "--since: is for --format operations"),
    ("columns of another format", "fit trace.csv --format azure-2017 --column created=x", "azure-2017 has columns of its own"),
    ("a column without a name", "fit trace.csv --column created=", "--column created=: write MEANING=NAME"),
    ("a column without a meaning", "fit trace.csv --column =x", "write MEANING=NAME"),
    ("a window without a unit", "fit trace.csv --window soon", "--window soon: "),
    ("a law that is none", "fit trace.csv --law bell", "--law bell: the families of distributions are "),
    ("a case of a scenario", "verify --case erlang-loss --scenario one.toml", "--case and --scenario: give one of them"),
    ("a replication before the first", "snapshot one.toml --at 1h --replication -1", "--replication is -1; the first one is 0"),
    ("an instant that is none", "snapshot one.toml --at noon", "--at noon: "),
    ("a VM that is not there", "snapshot one.toml --at 1h --vm x", "--vm x: there is no such VM 1h after the start; there are vm-0000 to vm-0001"),
    ("a scenario that is not there", "explain nowhere.toml --vm x", "nowhere.toml"),
    ("prices into a folder", "prices import trace.csv --out .", ".: can't be written; give the name of a file in a folder that exists"),
    ("prices into no folder", "prices import trace.csv --out a/b.json", "can't be written"),
    ("a scenario into no folder", "from-azure trace.csv --out a/b.toml", "make it first"),
    ("a day that is none", "from-azure trace.csv --from monday", "--from: 'monday' is no day"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_what_is_refused_says_why(call: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, the option and its value, nothing on standard output, nothing left behind."""
    before = sorted(Path().iterdir())
    assert run_command(call.split()) == 2
    out, err = capsys.readouterr()
    assert words in err
    assert out == ""
    assert sorted(Path().iterdir()) == before


PRINTED = [
    ("", 2, "Usage: vmfleet"),
    ("validate one.toml --quiet", 0, ""),
    ("causes", 0, "Causes of a difference in cost"),
    ("keys group.schedule.on", 0, "Wall-clock time at which a window begins."),
    ("metrics", 0, "Metrics"),
    ("verify --scenario one.toml", 0, "Replication 0 has the same bits twice here, and in another process with other hashes: "),
    ("states --policy 2023-10", 0, "Power states under billing policy 2023-10"),
    ("explain one.toml --vm vm-0001", 0, "vm-0001 in replication 0, seed "),
    ("explain one.toml --vm vm-0001 --markdown", 0, "### vm-0001 in replication 0, seed "),
    ("fit trace.csv --window 1d --size Standard_D4s_v5", 0, 'size = "Standard_D4s_v5"'),
    ("run one.toml --no-report --precision 1%", 0, "half-widths within 1\N{NO-BREAK SPACE}% of "),
    ("sweep one.toml --vary group.vm.count=1,2 --no-report --precision 50% --metric cost.total", 0, "Replications went on until half-widths within 50\N{NO-BREAK SPACE}% of each metric at every point."),
]  # fmt: skip


@pytest.mark.parametrize(("call", "status", "words"), PRINTED, ids=[each[0] or "nothing" for each in PRINTED])
def test_what_is_printed(call: str, status: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The answer, on standard output."""
    assert run_command(call.split()) == status
    out = capsys.readouterr().out
    assert words in out if words else out == ""


def test_tables_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same figures as the tables have."""

    def answer(call: str) -> Any:
        assert run_command(call.split()) == 0
        return json.loads(capsys.readouterr().out)

    causes = answer("causes --json")
    assert [each["name"] for each in causes][:3] == ["period", "growth", "schedule"]
    digest = answer("verify --scenario one.toml --json")
    assert digest == answer("verify --scenario one.toml --json")
    views = answer("snapshot one.toml --at 1h")["value"]
    assert [view["properties"]["instanceView"]["statuses"][1]["code"] for view in views] == ["PowerState/running"] * 2
    one = answer("snapshot one.toml --at 1h --vm vm-0001 --status-only")
    assert one == {"statuses": views[1]["properties"]["instanceView"]["statuses"]}


def test_numbers_that_can_be_meant_in_two_ways_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A share above half a per cent: how it is read, in each command that takes a target."""
    for call in (
        "run one.toml --no-report -q --fail-if P(cost.total>1)>0.5",
        "sweep one.toml --vary group.vm.count=1,2 --no-report -q --keep P(cost.total>1)<=0.5",
        "size one.toml --vary group.vm.count=1..2 --no-report --keep P(cost.total>1)<=0.5 -n 20",
    ):
        assert run_command(call.split()) in (0, 3), call
        assert "0.5 is read as 50 %" in capsys.readouterr().err, call


def test_quiet_says_nothing_of_what_it_moves(capsys: pytest.CaptureFixture[str]) -> None:
    """The result of another command goes out of the way; with --quiet without a word."""
    for call, words in (
        ("run one.toml", ""),
        ("compare one.toml --variant a:group.vm.count=1", ""),
        ("run one.toml", ""),
    ):
        assert run_command([*call.split(), "--no-report", "--quiet"]) == 0, call
        out, err = capsys.readouterr()
        assert (out, err) == (words, words)
    assert sorted(
        each.name for each in Path("results").iterdir() if each.is_dir() and not each.name.startswith(".")
    ) == ["one", "one-compare", "one-run"]
    assert run_command(["report", "results/one", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert Path("results/one/report.html").exists()


@pytest.mark.parametrize(
    ("typed", "count"), [(["3", "", "", "", ""], 3), (["", "", "", "", "8:00", "18:00", "", "", "stop"], 10)]
)
def test_new_asks_on_a_terminal(typed: Sequence[str], count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty answer is the default; of a day only where there is one."""
    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{each}\n" for each in typed)))
    assert run_command(["new", "asked"]) == 0
    (group,) = sim.load("asked.toml").document["group"]
    assert (group["count"], group.get("when_off")) == (count, "stop" if len(typed) > 5 else None)


def test_a_narrow_terminal_folds_words_and_splits_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The widest columns give way; where even words don't fit, the page is wider than the terminal."""
    pages = []
    for columns in (200, 60, 10):
        monkeypatch.setenv("COLUMNS", str(columns))
        page = Terminal()
        with contextlib.redirect_stdout(page):
            assert run_command(["causes"]) == 0
        pages.append(re.sub(r"\x1b\[\d+m", "", page.getvalue()))
    assert max(map(len, pages[1].splitlines())) <= 60
    assert len(pages[0].splitlines()) < len(pages[1].splitlines()) <= len(pages[2].splitlines())
    words = [set(page.split()) for page in pages]
    assert words[0] - {"─"} >= {word for word in words[2] if word.isalpha()}


def test_a_terminal_is_told_what_is_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error, and it is gone when it is done."""
    errors = Terminal()
    monkeypatch.setattr(sys, "stderr", errors)
    assert run_command(["run", "one.toml", "--out", "out"]) == 0
    assert "drawing the report ..." in errors.getvalue()
    assert "replications" in errors.getvalue()


def test_the_shell_completes_commands() -> None:
    """As bash asks."""
    asked = {"_VMFLEET_COMPLETE": "complete_bash", "COMP_WORDS": "vmfleet ver", "COMP_CWORD": "1"}
    call = [sys.executable, "-c", "from sim.cli import main; main([])"]
    found = subprocess.run(call, capture_output=True, text=True, env=os.environ | asked, check=False)
    assert (found.returncode, found.stdout.split()) == (0, ["verify"])


@pytest.mark.skipif(os.name != "posix", reason="a shell closes streams")
def test_a_closed_standard_error_loses_no_answer() -> None:
    """Nor does what would go there fail the command."""
    call = f"\"{sys.executable}\" -c \"from sim.cli import main; main(['verify', '--case', 'erlang-loss', '--json'])\" 2>&-"
    found = subprocess.run(["sh", "-c", call], capture_output=True, text=True, env=os.environ, check=False)
    assert (found.returncode, json.loads(found.stdout)[0]["holds"]) == (0, True)


def test_streams_of_another_kind_take_an_answer() -> None:
    """A notebook's or a test's stream knows no encoding."""
    page = io.StringIO()
    with contextlib.redirect_stdout(page), pytest.raises(SystemExit) as end:
        main(["schema"])
    assert (end.value.code, json.loads(page.getvalue())["type"]) == (0, "object")
