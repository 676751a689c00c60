"""A scenario written as TOML again, so that what was run can be kept and run once more."""

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any


def to_toml(document: Mapping[str, Any]) -> str:
    """TOML text of a document; a TOML reader gives the same document back."""
    return "\n".join(_table(document, ())).strip() + "\n"


def _table(table: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    """Plain keys first, then sub-tables and arrays of tables under headers of their own."""
    lines: list[str] = []
    inner: list[str] = []
    for key, value in table.items():
        here = (*names, key)
        header = ".".join(_key(name) for name in here)
        if _is_section(value, len(here)):
            inner += ["", f"[{header}]", *_table(value, here)]
        elif isinstance(value, list) and value and len(here) <= 2 and all(isinstance(part, Mapping) for part in value):
            for part in value:
                inner += ["", f"[[{header}]]", *_table(part, here)]
        else:
            lines.append(f"{_key(key)} = {toml_value(value)}")
    return lines + inner


def _is_section(value: object, depth: int) -> bool:
    # A distribution reads better in one line; a section of nothing but one key is a section all the same.
    return isinstance(value, Mapping) and "dist" not in value and depth <= 3


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def toml_value(value: object) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (int, float)):
        return repr(value)  # the shortest text that reads back as the same number; nan and inf as in TOML
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {toml_value(part)}" for key, part in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(part) for part in value) + "]"
    raise TypeError(f"TOML has no form for {type(value).__name__}")


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(letter if letter.isprintable() else f"\\U{ord(letter):08X}" for letter in escaped) + '"'
