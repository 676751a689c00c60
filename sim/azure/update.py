"""A second import into a file that somebody has edited: what they changed stays, the rest is the new import's.

What the import wrote last time lies beside the file (`<name>.imported.toml`): a value that differs from it is the user's. Groups and
commitments are known by their names.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from sim.errors import UsageError
from sim.files import read_text, refusal

LISTS = ("group", "commitment")


def base_of(out: Path) -> Path:
    """Where the text of the last import is kept."""
    return out.with_name(f"{out.stem}.imported.toml")


def updated(out: Path, text: str) -> tuple[str, list[str]]:
    """The new import with the edits of the file that is there, and which edits those are."""
    mine = read_text(out, UsageError)
    base_file = base_of(out)
    before = read_text(base_file, UsageError) if base_file.exists() else ""
    if mine == before:
        return text, []
    try:
        document, new, base = tomlkit.parse(mine), tomlkit.parse(text), tomllib.loads(before)
    except (TOMLKitError, tomllib.TOMLDecodeError) as wrong:
        raise refusal(UsageError, out, f"it is no TOML: {wrong}", "mend it, or import into another file") from None
    kept: list[str] = []
    remarks = _cut_remarks(new) | _cut_remarks(document)
    _merge(document, new, base, "", kept)
    _put_remarks(document, remarks)
    _take_head(document, new, before)
    return tomlkit.dumps(document), kept


def _merge(mine: Any, new: Any, base: Mapping[str, Any], where: str, kept: list[str]) -> None:
    """Bring one table up to date, in place."""
    for key in LISTS:
        if isinstance(new.get(key, mine.get(key)), AoT):
            _merge_list(mine, new, base, key, kept)
    for key in [*new]:
        place = f"{where}{key}"
        if key in LISTS:
            continue
        if key not in mine:
            if key in base:
                kept.append(f"{place} stays left out")
            else:
                _add(mine, key, new[key])
        elif isinstance(new[key], Table) and isinstance(mine[key], Table):
            _merge(mine[key], new[key], _table(base.get(key)), f"{place}.", kept)
        elif key in base and plain(mine[key]) == base[key]:
            if plain(new[key]) != base[key]:
                mine[key] = new[key]
        elif plain(mine[key]) != plain(new[key]):
            kept.append(f"{place} = {_shown(mine[key])} (the import has {_shown(new[key])})")
    for key in [*mine]:
        if key in new or key in LISTS:
            continue
        if key in base and plain(mine[key]) == base[key]:
            del mine[key]
        else:
            kept.append(f"{where}{key} is yours")


def _add(mine: Any, key: str, item: Any) -> None:
    """Put a new key after the last one of a table, not after the remarks that follow that."""
    body, indent, is_table = _lines_of(mine), item.trivia.indent, isinstance(item, AoT | Table)
    below = next((each for _, each in body if isinstance(each, AoT | Table)), None)
    above = "" if below is None else below.trivia.indent
    mine[key] = item
    item.trivia.indent = f"\n{indent}" if is_table else indent  # the library indents once more
    if below is not None:
        below.trivia.indent = above  # and parts a table from its remarks
    if is_table:
        return
    at = first = next(place for place, (known, _) in enumerate(body) if known is not None and known.key == key)
    while first and body[first - 1][0] is None:
        first -= 1
    if first:  # what the library knows of places is out of date then; nothing asks for the key again
        body[first : at + 1] = [body[at], *body[first:at]]


Remarks = dict[int, list[Any]]
"""By `id` of a table the remarks above it, which a TOML reader counts to the table before it; under 0 those at the end."""


def _cut_remarks(document: Any) -> Remarks:
    """Take the remarks above all tables but the first out of a file: they are of the table that follows, and go where it goes."""
    tables, found = _tables(document), Remarks()
    for place, each in enumerate(tables):
        body = _end_of(each)
        end = next((at for at in range(len(body), 0, -1) if body[at - 1][0] is not None), 0)
        found[id(tables[place + 1]) if place + 1 < len(tables) else 0] = body[end:]
        del body[end:]
    return found


def _put_remarks(document: Any, remarks: Remarks) -> None:
    """Put the remarks above the tables that are left, and those that are new."""
    tables = _tables(document)
    for before, each in zip(tables, [*tables[1:], None], strict=True):
        _end_of(before).extend(remarks.get(0 if each is None else id(each), ()))


def _tables(document: Any) -> list[Any]:
    """The tables of a file in their order, those of lists one by one."""
    found: list[Any] = []
    for _, item in document.body:
        found += item.body if isinstance(item, AoT) else [item] if isinstance(item, Table) else []
    return found


def _end_of(table: Any) -> list[Any]:
    """The lines with which a table ends: its own, or those of the last table in it."""
    body = _lines_of(table)
    last = next((item for key, item in reversed(body) if key is not None), None)
    if isinstance(last, AoT | Table):
        return _end_of(last.body[-1] if isinstance(last, AoT) else last)
    return body


def _lines_of(table: Any) -> list[Any]:
    lines: list[Any] = (table.value if isinstance(table, Table) else table).body
    return lines


def _merge_list(mine: Any, new: Any, base: Mapping[str, Any], key: str, kept: list[str]) -> None:
    """Groups or commitments, by name."""
    old = {str(each.get("name")): each for each in base.get(key, [])}
    theirs = {str(each["name"]): each for each in new.get(key, [])}
    if key not in mine:
        mine[key] = tomlkit.aot()
    own = {str(each.get("name")): each for each in mine[key]}
    for name, each in theirs.items():
        if name in own:
            _merge(own[name], each, old.get(name, {}), f"{key}.{name}.", kept)
        elif name in old:
            kept.append(f"{key}.{name} stays left out")
        else:
            mine[key].append(each)
            each.trivia.indent = ""  # its remarks come with the empty line before them
    for place in range(len(mine[key]) - 1, -1, -1):
        each = mine[key][place]
        name = str(each.get("name"))
        if name in theirs:
            continue
        if name in old and plain(each) == old[name]:
            del mine[key][place]
        else:
            kept.append(f"{key}.{name} is yours")
    if not mine[key]:
        del mine[key]


def _take_head(mine: Any, new: Any, before: str) -> None:
    """The remarks at the top: the new ones, unless they were edited."""
    heads = [_head(each.splitlines()) for each in (tomlkit.dumps(mine), tomlkit.dumps(new), before)]
    if heads[0] != heads[2]:
        return
    first, fresh = (next((at for at, (key, _) in enumerate(each.body) if key is not None), 0) for each in (mine, new))
    for place in range(min(first, fresh)):
        mine.body[place] = new.body[place]


def _head(lines: list[str]) -> list[str]:
    end = next((place for place, line in enumerate(lines) if line and not line.startswith("#")), len(lines))
    return lines[:end]


def plain(item: Any) -> Any:
    """A value without its layout."""
    return item.unwrap() if hasattr(item, "unwrap") else item


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _shown(item: Any) -> str:
    shown = str(plain(item))
    return shown if len(shown) <= 60 else shown[:57] + "..."
