"""`--markdown` of the commands that print reference tables: a table and nothing that Markdown would swallow."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from sim.cli.app import app, main


def printed(*words: str) -> str:
    """Standard output of a command that succeeds."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        ("states", "| Starting | PowerState/starting |"),
        ("sizes D4s_v5", "| Standard_D4s_v5 |"),
        ("regions", "| westeurope |"),
        ("prices show P10", "| westeurope | 21.68 |"),
        ("prices show Standard_D4s_v5", "| westeurope | linux | 0.23000 |"),
        ("metrics", "| hours.&lt;state> | &lt;state> hours | VM-h |"),
        ("causes", "| schedule | hours needed |"),
        ("keys group.schedule", "| group[].schedule.on | text | required |"),
        ("verify --case guest-crash", "| guest-crash |"),
    ],
)
def test_a_reference_table_in_markdown(words: str, holds: str) -> None:
    """Every row has the columns of the head, and no angle bracket opens a tag."""
    output = printed(*words.split(), "--markdown")
    assert holds in output
    rows = [line for line in output.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "<" not in output


def test_one_form_of_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """As with the commands that simulate."""
    with pytest.raises(SystemExit, match="2"):
        main(["metrics", "--json", "--markdown"])
    assert "--json and --markdown: give one of them" in capsys.readouterr().err
