"""Where each key of a TOML file stands, so that a fault can name its line.

`tomllib` checks the text and gives the values; this index reads the same text again and only notes positions.
It may therefore trust that the text is sound TOML.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from sim.fields.issues import Path

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|(?!""").)*"{3,5}' + r"|'''(?:(?!''').)*'{3,5}" + r'|"(?:\\.|[^"\\])*"' + r"|'[^']*'", re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def index_lines(text: str) -> dict[Path, int]:
    r"""Line (from 1) of every key, array element and table header of a sound TOML text, by its path.

    >>> index_lines('name = "a"\n[[group]]\nname = "dev"\n[group.retry]\nattempts = 3')[("group", 0, "retry", "attempts")]
    5
    """
    return _Walk(text.replace("\r\n", "\n")).all()


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Line of the place itself, or of the nearest thing around it that has one."""
    for length in range(len(path), 0, -1):
        if (line := lines.get(path[:length])) is not None:
            return line
    return None


class _Walk:
    """One pass over a text: where we are, in which table, and what was seen."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.lines: dict[Path, int] = {}
        self.last: dict[Path, int] = {}  # array of tables -> position of its last table

    def all(self) -> dict[Path, int]:
        table: Path = ()
        while self._blank():
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._key_and_value(table)
        return self.lines

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the table that the following keys belong to."""
        is_array = self.text.startswith("[[", self.at)
        line = self.line
        self._skip(2 if is_array else 1)
        names = self._dotted_key()
        self._skip(2 if is_array else 1)
        table: Path = ()
        for name in names[:-1]:
            table = self._into_last((*table, name))
        table = (*table, names[-1])
        if is_array:
            self.lines.setdefault(table, line)
            self.last[table] = self.last.get(table, -1) + 1
        table = self._into_last(table)
        self.lines.setdefault(table, line)
        return table

    def _into_last(self, path: Path) -> Path:
        return (*path, self.last[path]) if path in self.last else path

    def _key_and_value(self, table: Path) -> None:
        line = self.line
        path = table
        for name in self._dotted_key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._skip(1)  # =
        self._take(_SPACE)
        self._value(path)

    def _dotted_key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._take(_SPACE)
            found = self._take(_BARE_KEY)
            names.append(found or _unquote(self._take(_STRING)))
            self._take(_SPACE)
            if not self.text.startswith(".", self.at):
                return names
            self._skip(1)

    def _value(self, path: Path) -> None:
        opening = self.text[self.at]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        elif opening in "\"'":
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        self._skip(1)
        element = 0
        while self._blank() and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self._skip(1)
                continue
            self.lines[(*path, element)] = self.line
            self._value((*path, element))
            element += 1
        self._skip(1)

    def _inline_table(self, path: Path) -> None:
        self._skip(1)
        while self._blank() and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self._skip(1)
                continue
            self._key_and_value(path)
        self._skip(1)

    def _blank(self) -> bool:
        """Pass over blanks, line ends and comments; whether anything follows."""
        self._take(_BLANK)
        return self.at < len(self.text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.line += found[0].count("\n")
        self.at = found.end()
        return found[0]

    def _skip(self, characters: int) -> None:
        self.at += characters


def _unquote(text: str) -> str:
    """A quoted key as TOML reads it."""
    document: dict[str, Any] = tomllib.loads(f"key = {text}")
    return str(document["key"])
