"""Every command shows examples under its help, and every example is one that the command line takes."""

import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sim.cli.app import app
from sim.cli.examples import EXAMPLES
from tests.helpers.command_line import check_arguments, commands


def test_every_command_has_an_example_and_no_other_has():
    """Also the commands of `prices`."""
    assert set(EXAMPLES) == set(commands())


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_help_shows_each_example_in_a_line(command: str):
    """Unbroken, so that it can be copied."""
    shown = CliRunner().invoke(app, [*command.split(), "--help"]).stdout
    for line in EXAMPLES[command]:
        assert f"  {line}\n" in shown


@pytest.mark.parametrize(
    ("command", "line"), [(command, line) for command, lines in EXAMPLES.items() for line in lines]
)
def test_the_command_line_takes_the_example(command: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Parsed, not played: an option that is gone or misspelt is refused here."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line.partition(" > ")[0])
    assert words[: 1 + len(command.split())] == ["vmfleet", *command.split()]
    check_arguments(words)


def test_an_option_that_is_not_there_is_refused():
    """The check above can fail."""
    with pytest.raises(typer.TyperException):
        check_arguments(["vmfleet", "run", "dev.toml", "--presicion", "1%"])
