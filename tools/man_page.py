"""Writes the man page `tools/vmfleet.1` from the parser of the command line: `python tools/man_page.py`; the wheel installs it.

Options stand under each command's --help, which is made from the same parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from sim.cli.app import app
from sim.cli.examples import EXAMPLES
from sim.files import write_whole

PAGE = Path(__file__).parent / "vmfleet.1"
STATUS = {
    0: "Done.", 1: "A defect of vmfleet.", 2: "The input is wrong; the message says where, and what would be right.",
    3: "A condition of --fail-if is true, or a case of verify does not hold.", 130: "Interrupted; --resume goes on.",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text in roff: no line of it is a request, and hyphens can be copied."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", plain)


def commands() -> Iterator[tuple[str, str]]:
    """Name and first sentence of every command, those of groups too."""

    def of(command: Any, name: str) -> Iterator[tuple[str, str]]:
        below = getattr(command, "commands", None)
        if below is None:
            yield name, " ".join((command.help or "").split("\n\n")[0].split())
        for word, each in (below or {}).items():
            yield from of(each, f"{name} {word}".strip())

    yield from of(get_command(app), "")


def page() -> str:
    """The whole page."""
    lines = [
        '.TH VMFLEET 1 "" "vmfleet" "User Commands"', ".SH NAME", "vmfleet \\- " + escaped(str(app.info.help)).split(":")[0],
        ".SH SYNOPSIS", ".B vmfleet", ".I COMMAND", "[OPTIONS] [ARGUMENTS]", ".SH DESCRIPTION", escaped(str(app.info.help)),
        ".PP", escaped("`vmfleet COMMAND --help` explains the options of a command."), ".SH COMMANDS",
    ]  # fmt: skip
    for name, says in commands():
        lines += [".TP", f".B {escaped(name)}", escaped(says)]
        for example in EXAMPLES[name][:1]:
            lines += [".br", f".I {escaped(example)}"]
    lines.append(".SH EXIT STATUS")
    for status, says in STATUS.items():
        lines += [".TP", f".B {status}", escaped(says)]
    files = "The result of a run or a study: summary.json, summary.csv, report.html, tables and figures."
    lines += [".SH FILES", ".TP", ".I results/NAME/", escaped(files)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_whole(PAGE, page())
