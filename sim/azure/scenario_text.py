"""The scenario as a commented file: every number with what it rests on; keys that this version doesn't know are comments."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

MEASURED, DEFAULT, ASSUMED, STATED = "measured", "default", "assumed", "stated"
WIDTH = 44  # where comments begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of the file: where it stands, its value as TOML, and what it rests on."""

    key: str  # dotted, below its group, commitment or the file
    toml: str
    rests_on: str = ""
    source: str = ""  # kind of input
    trust: str = STATED
    shown: str = ""  # the value in words, where it is not the TOML

    def evidence(self) -> dict[str, str]:
        """As the JSON answer has it."""
        value = self.shown or self.toml.strip('"')
        return {"key": self.key, "value": value, "rests_on": self.rests_on, "source": self.source, "trust": self.trust}

    def comment(self) -> str:
        """What stands behind the value."""
        if self.trust == STATED and not self.rests_on:
            return ""
        if self.trust == STATED:
            return self.rests_on
        return f"{self.trust} ({self.rests_on})" if self.rests_on else self.trust


@dataclass(slots=True)
class Block:
    """A table of the file: its header, its keys, and remarks above it."""

    header: str  # [[group]], [prices], ...
    settings: list[Setting] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    windows: list[list[Setting]] = field(default_factory=list)  # [[group.schedule]] tables


@cache
def knows(path: str) -> bool:
    """Whether the scenario format of this version has a key, such as `group.people.forgets`."""
    from sim.scenario.schema import json_schema  # start-up: the schema of every section takes a moment

    schema = json_schema()
    return _find(schema, schema, path.split("."))


def _find(schema: Mapping[str, Any], node: Mapping[str, Any], parts: Sequence[str]) -> bool:
    if not parts:
        return True
    return any(
        parts[0] in each.get("properties", {}) and _find(schema, each["properties"][parts[0]], parts[1:])
        for each in _forms(schema, node)
    )


def _forms(schema: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A node of the schema, what it refers to, its alternatives, and the items of a list."""
    if "$ref" in node:
        return _forms(schema, schema["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    found = [node]
    for key in ("anyOf", "oneOf", "allOf"):
        for each in node.get(key, ()):
            found += _forms(schema, each)
    if isinstance(node.get("items"), Mapping):
        found += _forms(schema, node["items"])
    return found


@cache
def takes_lists(path: str) -> bool:
    """Whether a table may be given as a list of tables."""
    from sim.scenario.schema import json_schema  # start-up: as above

    schema = json_schema()
    nodes: list[Mapping[str, Any]] = [schema]
    for part in path.split("."):
        nodes = [
            form for node in nodes for each in _forms(schema, node) if part in each.get("properties", {})
            for form in _plain(schema, each["properties"][part])
        ]  # fmt: skip
    return any(node.get("type") == "array" for node in nodes)


def _plain(schema: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [node, *(each for each in _forms(schema, node))]


def render(remarks: Sequence[str], blocks: Sequence[Block]) -> str:
    """The whole file."""
    lines = [f"# {line}".rstrip() for line in remarks]
    for block in blocks:
        lines.append("")
        lines += [f"# {line}" for line in block.remarks]
        lines += _block(block)
    return "\n".join(lines).lstrip("\n") + "\n"


def _block(block: Block) -> list[str]:
    root = block.header.strip("[]")
    lines = [block.header] if block.header else []
    tables: dict[str, list[Setting]] = {}
    for each in block.settings:
        table, _, _ = each.key.rpartition(".")
        tables.setdefault(table, []).append(each)
    for table, settings in tables.items():
        names = ".".join(part for part in (root, table) if part)
        indent = "  " if table else ""
        known = [each for each in settings if knows(_path(root, each.key))]
        if table:
            head = f"[{names}]"
            lines += ["", indent + (head if known else f"# {head}   (not yet known to this version)")]
        for each in settings:
            lines += _setting(each, each.key.rpartition(".")[2], indent, is_known=each in known)
    for window in block.windows:
        lines += ["", f"  [[{root}.schedule]]"]
        for each in window:
            lines += _setting(each, each.key.rpartition(".")[2], "  ", is_known=True)
    return lines


def _path(root: str, key: str) -> str:
    return f"{root}.{key}" if root else key


def _setting(each: Setting, name: str, indent: str, *, is_known: bool) -> list[str]:
    said = each.comment()
    if not is_known:
        note = f"   # {said}" if said else ""
        return [f"{indent}# {name} = {each.toml}{note}"]
    if "\n" in each.toml:
        above = [f"{indent}# {said}"] if said else []
        return [*above, *(indent + line for line in f"{name} = {each.toml}".split("\n"))]
    line = f"{indent}{name} = {each.toml}"
    return [f"{line:<{WIDTH}}  # {said}" if said else line]


def text(value: str) -> str:
    """A TOML string."""
    return json.dumps(value, ensure_ascii=False)


def number(value: float, digits: int = 4) -> str:
    """A TOML float."""
    shown = f"{value:.{digits}g}"
    return shown if any(mark in shown for mark in ".e") else shown + ".0"


def seconds(value: float) -> str:
    """A duration of so many seconds."""
    return f'"{value:.0f}s"' if value >= 10 else f'"{value:.3g}s"'
