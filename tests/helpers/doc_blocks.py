"""Fenced blocks of a page of documentation: what each of them does when the page is tested.

`sh` is run by bash, `python` is executed, and what they print is compared with the block `text title="Output"` behind them, in
which `...` stands for anything. A block with a file name as its title (`toml title="fleet.toml"`) writes that file, so that the
page's commands find what a reader has saved. `<!-- skip: next -->` leaves a block out.
"""

from __future__ import annotations

import doctest
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from sybil import Document, Example, Region
from sybil.evaluators.python import pad

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"\n]+)")?\n(?P<text>.*?)^```$'
    r'(?:\n\n```text title="Output"\n(?P<output>.*?)^```$)?',
    re.MULTILINE | re.DOTALL,
)
CHANGES = (  # what depends on the computer
    (re.compile(r"engine (simpy|compiled)"), "engine ..."),
    (re.compile(r"[\d,]+ MiB"), "... MiB"),
    (re.compile(r"(under a second|about [\d.,]+ (s|min)\b)"), "..."),
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block and the output that is shown behind it."""

    language: str
    title: str
    text: str
    output: str | None
    place: tuple[int, int]  # of the shown output


def blocks_of(text: str) -> Iterator[tuple[int, int, Block]]:
    """Every block of a page with where it begins and ends."""
    for found in BLOCK.finditer(text):
        language, title, inside, output = found["language"], found["title"] or "", found["text"], found["output"]
        yield found.start(), found.end(), Block(language, title, inside, output, found.span("output"))


def parse_blocks(document: Document) -> Iterator[Region]:
    """A parser for sybil."""
    for start, end, block in blocks_of(document.text):
        if block.title != "Output" and (block.title or block.language in ("sh", "python")):
            yield Region(start, end, block, evaluate)


def evaluate(example: Example) -> None:
    """Do what the block says in the current folder. Raises AssertionError: what it printed is not what is shown."""
    block: Block = example.parsed
    if block.title:
        Path(block.title).parent.mkdir(parents=True, exist_ok=True)
        Path(block.title).write_text(block.text, encoding="utf-8")
        return
    printed = _shell(block.text) if block.language == "sh" else _python(example, block)
    if block.output is None:
        return
    printed = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines()) + "\n"
    if doctest.OutputChecker().check_output(block.output, printed, doctest.ELLIPSIS):
        return
    corrections = example.namespace.get("corrections")
    if corrections is None:
        raise AssertionError(f"{example.path}:{example.line}: shown:\n{block.output}\nprinted:\n{printed}")
    for pattern, instead in CHANGES:
        printed = pattern.sub(instead, printed)
    corrections.append((block.place, printed))


def _shell(text: str) -> str:
    tools = Path("bin").absolute()
    if not tools.is_dir():
        tools.mkdir()
        for name, arguments in (("vmfleet", "-m sim"), ("python", "")):
            program = tools / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', encoding="utf-8")
            program.chmod(0o755)
    path = os.pathsep.join([str(tools), os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment |= {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}
    command = ["bash", "-e", "-o", "pipefail", "-c", text]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, f"{text}\nexit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def _python(example: Example, block: Block) -> str:
    printed = io.StringIO()
    code = compile(pad(block.text, example.line), example.path, "exec", dont_inherit=True)
    with redirect_stdout(printed):
        exec(code, example.namespace)  # the page's own code
    return printed.getvalue()
