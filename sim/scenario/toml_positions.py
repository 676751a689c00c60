"""Where each key of a TOML file stands, so that a fault can name its line.

`tomllib` checks the text and gives the values; this index reads the same text again and only notes positions.
It may therefore trust that the text is sound TOML.
"""

import re
import tomllib
from collections.abc import Mapping

from sim.fields.issues import Path

_TOKEN = re.compile(
    r'''"""(?:\\.|(?!""").)*"{3,5}'''
    r"|'''(?:(?!''').)*'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"  # up to here strings
    r"|[\[\]{},=.\n]|#[^\n]*|[ \t]+"
    r"""|[^\s\[\]{},=.#"']+""",
    re.DOTALL,
)


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
        self.tokens: list[tuple[str, int]] = []  # with the line that each begins on, blanks and comments left out
        line = 1
        for found in _TOKEN.finditer(text):
            if found[0][0] not in "# \t":
                self.tokens.append((found[0], line))
            line += found[0].count("\n")
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.last: dict[Path, int] = {}  # array of tables -> position of its last table

    def all(self) -> dict[Path, int]:
        table: Path = ()
        while next_token := self._next_after_line_ends():
            if next_token == "[":
                table = self._header()
            else:
                self._key_and_value(table)
        return self.lines

    @property
    def token(self) -> str:
        """The token that comes next; empty at the end."""
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    @property
    def line(self) -> int:
        return self.tokens[self.at][1]

    def _next_after_line_ends(self) -> str:
        while self.token == "\n":
            self.at += 1
        return self.token

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`: the table that the following keys belong to."""
        line = self.line
        self.at += 1
        is_array = self.token == "["
        self.at += is_array
        *around, name = self._names_until("]")
        self.at += is_array
        table: Path = ()
        for each in around:
            table = self._into_last((*table, each))
        table = (*table, name)
        if is_array:
            self.lines.setdefault(table, line)
            self.last[table] = self.last.get(table, -1) + 1
        table = self._into_last(table)
        self.lines.setdefault(table, line)
        return table

    def _into_last(self, path: Path) -> Path:
        return (*path, self.last[path]) if path in self.last else path

    def _names_until(self, end: str) -> list[str]:
        """The names of a dotted key, whose quotes are taken away as TOML does it."""
        names: list[str] = []
        while (token := self.token) != end:
            if token != ".":
                names.append(tomllib.loads(f"key = {token}")["key"] if token[0] in "\"'" else token)
            self.at += 1
        self.at += 1
        return names

    def _key_and_value(self, table: Path) -> None:
        line, path = self.line, table
        for name in self._names_until("="):
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self.token
        if opening not in ("[", "{"):
            while self.token and self.token not in (",", "]", "}", "\n"):
                self.at += 1
            return
        self.at += 1
        element = 0
        while (token := self._next_after_line_ends()) not in ("]", "}"):
            if token == ",":
                self.at += 1
            elif opening == "{":
                self._key_and_value(path)
            else:
                self.lines[(*path, element)] = self.line
                self._value((*path, element))
                element += 1
        self.at += 1
