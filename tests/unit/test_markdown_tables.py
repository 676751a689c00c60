"""Tables in Markdown: a table and nothing that Markdown would swallow."""

from __future__ import annotations

import re

import pytest

from sim.cli import terminal
from sim.cli.app import main


def test_names_in_a_table_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Every row has the columns of the head, and no angle bracket opens a tag."""
    with terminal.markdown(wanted=True):
        terminal.print_table("Names", ("name", "a|b"), [("hours.<state>", "x|y")])
    output = capsys.readouterr().out
    assert "| hours.&lt;state> | x\\|y |" in output
    rows = [line for line in output.splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [3, 3, 3]
    assert "<" not in output


def test_one_form_of_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has one."""
    with pytest.raises(SystemExit, match="2"):
        main(["explain", "fleet.toml", "--vm", "dev-0000", "--json", "--markdown"])
    assert "--json and --markdown: give one of them" in capsys.readouterr().err
