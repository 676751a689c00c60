"""Reference pages from the registries: keys of the scenario file, metrics, commands, Python names."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

import sim
from sim.cli.app import app
from sim.cli.examples import EXAMPLES
from sim.runs.metrics import metric_rows
from sim.scenario.keys import Key, key_rows
from sim.scenario.writing import toml_value

ROOT = Path(__file__).parents[2]
EXAMPLE_FILES = (
    ROOT / "sim/demo/office_hours.toml",
    *sorted((ROOT / "scenarios").glob("*.toml")),
    *sorted((ROOT / "tools/docs_site/examples").glob("*.toml")),
)
"""Scenarios from which the reference takes an example of each key, the first that sets it; tests load them all."""
LONGEST = 90  # characters of an example
SHOWN = 8  # values of a list


def keys() -> str:
    """Every key of the scenario file under the table that holds it."""
    sections, tables = key_sections(), key_tables()
    return "\n".join(line for path in sections for line in _section(path, sections, tables))


def key_sections() -> dict[str, list[Key]]:
    """The keys of each table of a scenario file, by the path of the table."""
    sections: dict[str, list[Key]] = {}
    for row in key_rows():
        sections.setdefault(row.path.rpartition(".")[0], []).append(row)
    return sections


def key_tables() -> dict[str, Key]:
    """What is said of tables themselves, by their paths without brackets at the end."""
    return {row.path.removesuffix("[]"): row for row in key_rows()}


def _section(path: str, sections: Mapping[str, list[Key]], tables: Mapping[str, Key]) -> Iterator[str]:
    yield f"## {heading(path)} {{ #{anchor(path) or 'top'} }}\n"
    own = tables.get(path.removesuffix("[]"))
    yield f"{sentence(own.definition)}\n" if own else ""
    below = [row for row in sections[path] if row.path in sections or f"{row.path}[]" in sections]
    for row in sections[path]:
        if row not in below:
            yield from _key(row)
    if below:
        links = ", ".join(
            f"[{heading(one)}](#{anchor(one)})"
            for row in below
            for one in (row.path, f"{row.path}[]")
            if one in sections
        )
        yield f"Tables in it: {links}.\n"


def heading(path: str) -> str:
    """A table as its header is written.

    >>> heading("group[].schedule"), heading("platform.hosts[]"), heading("dist.gamma")
    ('`[group.schedule]`', '`[[platform.hosts]]`', 'Distribution `gamma`')
    """
    if not path:
        return "Top of the file"
    if path.startswith("dist."):
        return f"Distribution `{path.removeprefix('dist.')}`"
    name = path.replace("[]", "").replace("<name>", '"NAME"')
    return f"`[[{name}]]`" if path.endswith("[]") else f"`[{name}]`"


def anchor(path: str) -> str:
    """Where a key or a table is on its page.

    >>> anchor("group[].schedule.on")
    'group.schedule.on'
    """
    return path.translate(str.maketrans("", "", "[]<>"))


def sentence(words: str) -> str:
    """With a full stop at the end."""
    return words if not words or words.endswith(".") else f"{words}."


def _key(row: Key) -> Iterator[str]:
    name = row.path.rpartition(".")[2]
    yield f"### `{name}` {{ #{anchor(row.path)} .key }}\n"
    default = f"`{row.default}`{f' ({row.unit})' if row.unit else ''}" if row.default else "none"
    facts = [row.type.replace("|", "or"), "**required**" if row.is_required else f"default {default}"]
    yield f"{sentence(row.definition)}\n"
    yield f"{'; '.join(facts)}\n{{ .facts }}\n"
    if row.source:
        yield f"Source: {row.source}\n{{ .facts }}\n"
    found = examples().get(row.path)
    if found is not None:
        line, file = found
        yield f"```toml\n{line}{'' if line.endswith(';') else '  #'} {file}\n```\n"


@cache
def examples() -> Mapping[str, tuple[str, str]]:
    """An example of each key, as a line of TOML, and the name of its scenario."""
    found: dict[str, tuple[str, str]] = {}
    for file in EXAMPLE_FILES:
        for path, name, value in settings(tomllib.loads(file.read_text(encoding="utf-8"))):
            line = f"{name} = {_short(value)}"
            before = found.get(path)
            if before is None or len(line) <= LONGEST < len(before[0]):
                found[path] = (line, file.name)
    return found


def _short(value: Any) -> str:
    """A value as TOML; of a long list the beginning."""
    if isinstance(value, list) and len(value) > SHOWN:
        return f"{toml_value(value[:SHOWN])}  # ... {len(value)} of them;"
    return toml_value(value)


def settings(table: Any, prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    """Each key of a parsed scenario: its path as `vmfleet keys` writes it, its name, its value."""
    if isinstance(table, list):
        for one in table:
            if isinstance(one, dict):
                yield from settings(one, prefix if "dist" in one else f"{prefix.removesuffix('.')}[].")
        return
    if not isinstance(table, dict):
        return
    inside = f"dist.{table['dist']}." if "dist" in table else prefix
    for name, value in table.items():
        path = f"{inside}{name}"
        if inside == "prices.override.":
            yield from settings(value, "prices.override.<name>.")
            yield "prices.override", f'override."{name}"', dict([*value.items()][:2])
        else:
            yield path, name, value
            yield from settings(value, f"{path}.")


def metrics() -> str:
    """Every metric: name, label, unit, direction, definition."""
    lines = ["| metric | label | unit | better | definition |", "|---|---|---|---|---|"]
    for row in metric_rows():
        name, label, words = _name(row.name), _cell(row.label), _cell(row.definition)
        lines.append(f'| <code id="{anchor(row.name)}">{name}</code> | {label} | {row.unit} | {row.better} | {words} |')
    return "\n".join(lines)


def commands() -> str:
    """Every command: what it does, its usage, options and worked examples, from the parser."""
    root: Any = get_command(app)
    return "\n".join(
        line
        for name, command in root.commands.items()
        for full, leaf in _leaves(name, command)
        for line in _command(full, leaf)
    )


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    yield from ((f"{name} {one}", leaf) for one, leaf in inner.items()) if inner else ((name, command),)


def _command(name: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=f"vmfleet {name}")
    yield f"## vmfleet {name} {{ #{name.replace(' ', '-')} }}\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    yield f"```text\n{' '.join(['vmfleet', name, *command.collect_usage_pieces(context)])}\n```\n"
    yield "| argument or option | meaning |\n|---|---|"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record:
            names, words = (_cell(text) for text in record)
            yield f"| <code>{names}</code> | {words} |"
    yield "\n```sh\n" + "\n".join(EXAMPLES[name]) + "\n```\n"


def _cell(text: str) -> str:
    """Plain text as a cell of a table: nothing in it is Markdown but code between backticks."""
    for sign in "&<|[]*_":
        text = text.replace(sign, f"&#{ord(sign)};")
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", " ".join(text.split()))


def _name(text: str) -> str:
    """A dotted name as a cell, which may be broken behind its dots."""
    return _cell(text).replace(".", ".<wbr>").replace("&#95;", "&#95;<wbr>")


def public_names() -> list[str]:
    """What `import sim` offers, functions first."""
    return sorted(sim.__all__, key=lambda name: (inspect.isclass(getattr(sim, name)), name.lower()))


def python() -> str:
    """Every public name of `sim`, functions first; mkdocstrings fills them in."""
    kinds = {True: "## Classes", False: "## Functions"}
    lines = []
    for name in public_names():
        title = kinds.pop(inspect.isclass(getattr(sim, name)), None)
        lines += [f"{title}\n"] if title else []
        lines.append(f"::: sim.{name}\n")
    return "\n".join(lines)


MAKERS: Mapping[str, Callable[[], str]] = {"keys": keys, "metrics": metrics, "commands": commands, "python": python}
