"""The keys of a scenario file, a row each, read from its JSON Schema and the catalogue of defaults."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.errors import InputError
from sim.fields.defaults import DEFAULTS, SYSTEMS, default_key, to_plain
from sim.fields.messages import close_match
from sim.scenario import group_defaults
from sim.scenario.paths import NAMED_TABLES, parse_path
from sim.scenario.schema import REFERENCE, json_schema

Schema = Mapping[str, Any]
GROUP_WHEN_OFF = "group[].when_off"
SHARE = "share"
PERCENT = r"%\s*$"  # what the pattern of a share ends in: a percentage may stand there
LARGE = 1e6  # a bound from here on only keeps out typing errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the scenario file and what may stand there."""

    path: str  # dotted; [] for each table of a list, <name> for a name of the user's own
    type: str
    is_required: bool  # of a table that is there, whatever its kind
    default: str  # as a JSON value; "" where the key is required, or nothing happens without it
    unit: str  # of the default, where it has one
    source: str  # of the default, with how far to trust it
    definition: str
    kind: str = ""  # of the table, where it is one of several that name their kind and have keys of their own


def key_rows() -> list[Key]:
    """Every key of the scenario file, in the order of the file; the keys of distributions under `dist.<name>`."""
    schema = json_schema()
    sections = schema["$defs"]
    rows = [*_rows(schema, sections, "")]
    for law in filter(_is_distribution, sections.values()):
        rows += _rows(law, sections, f"dist.{law['properties']['dist']['const']}.")
    found: dict[str, list[Key]] = {}
    for row in rows:  # tables that name their kind share some keys
        found.setdefault(row.path, []).append(row)
    tables = {path.rpartition(".")[0]: len(own) for path, own in found.items() if path.endswith(".kind")}
    return [_together(own, tables.get(path.rpartition(".")[0], 1)) for path, own in found.items()]


def _together(rows: Sequence[Key], tables: int) -> Key:
    """One key of as many tables, of which those that differ are named: who has it, who must, and what it means there."""
    first = rows[0]
    is_required = len(rows) >= tables and all(row.is_required for row in rows)
    said: dict[tuple[str, bool], list[str]] = {}
    for row in rows:
        said.setdefault((row.definition, row.is_required and not is_required), []).append(row.kind)
    definition = " | ".join(
        text if not all(kinds) or len(kinds) == tables else f"{'required of ' * must}{', '.join(kinds)}: {text}"
        for (text, must), kinds in said.items()
    )
    kinds = dict.fromkeys(one for row in rows for one in row.type.split(" | "))
    return replace(first, type=" | ".join(kinds), is_required=is_required, definition=definition, kind="")


def keys_at(path: str) -> list[Key]:
    """The rows of a key and of what is below it; `group.schedule` finds `group[].schedule`. Raises InputError: there is none."""
    rows = key_rows()
    found = [row for row in rows if f"{_plain(row.path)}.".startswith(f"{_plain(path)}.")]
    if not found:
        hint = close_match(_plain(path), [_plain(row.path) for row in rows]) or "`vmfleet keys` lists all"
        raise InputError(f"keys {path}: the scenario file has no such key ({hint})")
    return found


def kind_at(path: str) -> str:
    """What may stand at a dotted path, names of groups and others in it, in words; empty where no such key is known.

    >>> kind_at("group.dev.count"), kind_at("group.dev.autoscale.regular_above_base"), kind_at("no.such")
    ('whole number from 0', 'share', '')
    """
    try:
        names = parse_path(path)
    except ValueError:
        return ""
    for table in NAMED_TABLES:
        if names[: len(table)] == table:
            names = (*table, *names[len(table) + 1 :])
    rows = ((_plain(row.path).split("."), row.type) for row in key_rows())
    fit = (
        kind
        for parts, kind in rows
        if len(parts) == len(names) and all(a in (b, "<name>") for a, b in zip(parts, names, strict=True))
    )
    return next(fit, "")


def _plain(path: str) -> str:
    return path.replace("[]", "")


def _rows(table: Schema, sections: Mapping[str, Schema], prefix: str) -> Iterator[Key]:
    """The rows of a table and of the tables in it."""
    for name, field in table.get("properties", {}).items():
        path, kinds = prefix + name, list(_kinds(field, sections))
        if name == "dist" or (path != GROUP_WHEN_OFF and field == sections["Group"]["properties"]["when_off"]):
            continue  # the law's name; a group's own key, which may also stand below a table's header
        own = table["properties"].get("kind", {}).get("const", "")
        yield replace(_row(path, field, kinds, is_required=name in table.get("required", ())), kind=own)
        for kind in () if path == group_defaults.KEY else kinds:
            yield from () if _is_distribution(kind) else _rows(kind, sections, f"{path}.")
            for inner in _kinds(kind.get("items", {}), sections) if len(kinds) == 1 else ():
                yield from () if _is_distribution(inner) else _rows(inner, sections, f"{path}[].")
            for inner in _kinds(kind.get("additionalProperties") or {}, sections):
                yield from _rows(inner, sections, f"{path}.<name>.")


def _kinds(field: Schema, sections: Mapping[str, Schema]) -> Iterator[Schema]:
    """The schemas of what may stand in a field, references followed."""
    if "$ref" in field:
        yield from _kinds(sections[field["$ref"].removeprefix(REFERENCE)], sections)
    elif "anyOf" in field or "oneOf" in field:
        for one in field.get("anyOf", field.get("oneOf")):
            yield from _kinds(one, sections)
    elif field.get("type") != "null":
        yield field


def _is_distribution(kind: Schema) -> bool:
    return "const" in kind.get("properties", {}).get("dist", {})


def _row(path: str, field: Schema, kinds: list[Schema], *, is_required: bool) -> Key:
    sourced = [DEFAULTS[key] for key in dict.fromkeys(default_key(_plain(path), os=os) for os in SYSTEMS) if key]
    default = field.get("default")
    values = [to_plain(one.value) for one in sourced] or ([default] if default not in (None, [], {}) else [])
    return Key(
        path=path,
        type=" or ".join(dict.fromkeys(_words(kind) for kind in kinds)),
        is_required=is_required,
        default=" or ".join(sorted(json.dumps(value, ensure_ascii=False) for value in values)),
        unit=next((one.unit for one in sourced if one.unit != "duration"), ""),
        source="; ".join(sorted(f"{one.source} ({one.trust})" for one in sourced)),
        definition=field.get("description", "") or next((kind.get("description", "") for kind in kinds), ""),
    )


def _words(kind: Schema) -> str:
    """What may stand there, in words.

    >>> _words({"type": "integer", "minimum": 0, "maximum": 3})
    'whole number from 0 to 3'
    >>> _words({"type": "array", "items": {"type": "string"}})
    'list'
    """
    if "const" in kind or "enum" in kind:
        return " | ".join(json.dumps(one) for one in kind.get("enum", [kind.get("const")]))
    if _is_distribution(kind):
        return "distribution"
    if kind.get("pattern", "").endswith("[0-9.WDTHMSwdthms]+)$"):
        return "duration"
    if kind.get("pattern", "").endswith(PERCENT):
        return SHARE
    name = kind.get("format", kind.get("type", "value"))
    if not isinstance(name, str):
        return " or ".join(_words({"type": one}) for one in name)
    bounds = [
        f" {word} {kind[key]}"
        for key, word in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("exclusiveMaximum", "below"),
        )
        if key in kind and abs(kind[key]) < LARGE
    ]
    return _WORDS.get(name, name) + "".join(bounds)


_WORDS = {"boolean": "true | false", "integer": "whole number", "array": "list", "object": "table", "string": "text"}
