"""The man page names what the parser has, and is roff."""

from __future__ import annotations

import tomllib
from pathlib import Path

from scripts import load_tool

man_page = load_tool("man_page")
ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_parser_says_today() -> None:
    """If a command or its first sentence changed: `python tools/man_page.py`."""
    assert man_page.PAGE.read_text(encoding="utf-8") == man_page.page()


def test_every_line_is_a_known_request_or_text() -> None:
    """A help text that begins with a dot, or holds a backslash, must not become a request."""
    lines = man_page.page().splitlines()
    assert {line.split()[0] for line in lines if line.startswith(".")} == {
        ".TH",
        ".SH",
        ".B",
        ".I",
        ".PP",
        ".TP",
        ".br",
    }
    assert [line for line in lines if line.startswith(".B compare")] == [".B compare"]
    assert man_page.escaped(".SH \\x\n'a --b") == "\\&.SH \\ex\n\\&'a \\-\\-b"


def test_the_wheel_installs_it() -> None:
    """Where `man` looks."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert build["shared-data"] == {str(man_page.PAGE.relative_to(ROOT)): "share/man/man1/vmfleet.1"}
