"""The command line in tests: called, or only parsed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import typer

from sim.cli.app import app, main

EXPANSION = re.compile(r"\$\(\(.*?\)\)|\$\w+")  # what a shell puts there is taken for a 1
GROUP: Any = typer.main.get_command(app)


def commands() -> dict[str, Any]:
    """Every command under its full name, those of `prices` included."""
    return {
        name if inner is None else f"{name} {inner}": command if inner is None else command.commands[inner]
        for name, command in GROUP.commands.items()
        for inner in getattr(command, "commands", {None: None})
    }


def check_arguments(words: Sequence[str]) -> None:
    """Parse `vmfleet ...` up to the call. Raises typer.TyperException: it takes no such arguments."""
    assert words[0] == "vmfleet", words
    name = " ".join(words[1:3]) if " ".join(words[1:3]) in commands() else words[1]
    commands()[name].make_context(name, list(words[1 + len(name.split()) :]), parent=None)


def calls(text: str) -> list[list[str]]:
    """The calls of `vmfleet` in a shell script, each as its words; redirections and pipes end one."""
    found: list[list[str]] = []
    for line in EXPANSION.sub("1", text).splitlines():
        reader = shlex.shlex(line, posix=True, punctuation_chars=True)
        reader.whitespace_split = True
        words: list[str] = []
        for word in [*reader, ";"]:
            if set(word) <= set("|&;<>()"):
                found += [words] if words[:1] == ["vmfleet"] else []
                words = []
            else:
                words.append(word)
    return found


def run_command(arguments: Sequence[object]) -> int:
    """The exit status of one call of `vmfleet`."""
    try:
        main([str(each) for each in arguments])
    except SystemExit as end:
        return int(end.code or 0)
