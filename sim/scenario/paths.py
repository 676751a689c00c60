"""Places in a scenario by name: `group.dev.durations.starting`, as faults show them and `--set` takes them.

Arrays of tables are entered by the `name` of a table, never by a number, so that a path means the same in every variant.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, TypeVar

from sim.errors import Fault, ScenarioError
from sim.fields.defaults import DEFAULTS, default_key, default_value, to_plain
from sim.fields.issues import Path
from sim.fields.messages import close_match, fault_at, list_words, show_value
from sim.model.demand import DEMAND_KINDS, REFINEMENTS

NAMED_TABLES: tuple[tuple[str, ...], ...] = (
    ("group",),
    ("commitment",),
    ("platform", "hosts"),
    ("platform", "shortage"),
)
"""Arrays of tables whose tables have names."""

EVERY = "*"
"""In the place of a table's name: all tables of the array."""
LEFT_OUT = "none"
"""`--set PATH=none` takes the key away, so that its default holds."""

T = TypeVar("T")

_PART = re.compile(r'\s*(?:"([^"]+)"|([^."=\s]+))\s*(\.|$)')


def when_off_homes() -> list[str]:
    """Tables of a group after which `when_off` may stand: TOML then reads it as theirs, and we as the group's."""
    return [*(key for key, kind in DEMAND_KINDS.items() if kind.takes_when_off), *REFINEMENTS]


def parse_path(text: str) -> tuple[str, ...]:
    """The names of a dotted path; a part with dots in it is quoted.

    >>> parse_path('prices.override."Standard_D4s_v5".linux')
    ('prices', 'override', 'Standard_D4s_v5', 'linux')
    """
    names: list[str] = []
    at = 0
    while at < len(text) or not names:
        found = _PART.match(text, at)
        if found is None:
            raise ValueError(f'"{text}" is not a path; write names with dots between, such as group.dev.count')
        names.append(found[1] or found[2])
        at = found.end()
        if found[3] and at >= len(text):
            raise ValueError(f'"{text}" ends in a dot; write names with dots between, such as group.dev.count')
    return tuple(names)


def parse_value(text: str) -> object:
    """The value of an override: TOML if it is TOML, else the text itself; `none` leaves the key out.

    >>> parse_value("300"), parse_value("7d"), parse_value('{ dist = "exponential", mean = "40s" }')
    (300, '7d', {'dist': 'exponential', 'mean': '40s'})
    """
    text = text.strip()
    if text == LEFT_OUT:
        return None
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError) as error:
        if text[:1] in ("{", "[", '"', "'"):
            raise ValueError(f"{text} is not a TOML value: {str(error).splitlines()[0]}") from None
        return text
    return document["value"] if len(document) == 1 else text


def parse_override(text: str) -> tuple[str, object]:
    """`PATH=VALUE` as path and value; ValueError says what would be right."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise ValueError(f'"{text}" is not an override; write PATH=VALUE, such as group.dev.count=300')
    return path.strip(), parse_value(value)


def field_name(path: Path, document: Mapping[str, Any]) -> str:
    """A place as people name it: `group.dev.disks[1]`; a table without a name is counted from 1.

    >>> field_name(("group", 0, "count"), {"group": [{"name": "dev"}]})
    'group.dev.count'
    """
    words = ""
    node: Any = document
    for part in path:
        node = _child(node, part)
        if isinstance(part, str):
            words += ("." if words else "") + _shown(part)
        elif isinstance(node, Mapping) and isinstance(node.get("name"), str):
            words += f".{_shown(node['name'])}"
        else:
            words += f"[{part + 1}]"
    return words


def _shown(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else show_value(name)


def _child(node: Any, part: str | int) -> Any:
    if isinstance(part, int):
        return node[part] if isinstance(node, (list, tuple)) and 0 <= part < len(node) else None
    return node.get(part) if isinstance(node, Mapping) else None


def _names(tables: object) -> list[str]:
    """The names of the tables of an array."""
    every = tables if isinstance(tables, list) else []
    return [str(_child(table, "name") or DEFAULTS["group.name"].value) for table in every]


def find_path(names: tuple[str, ...], document: Mapping[str, Any]) -> Path:
    """The place in a document that dotted names mean; ValueError if a named table is not there."""
    path: Path = ()
    node: Any = document
    spoken: tuple[str, ...] = ()
    for name in names:
        if spoken in NAMED_TABLES:
            known = _names(node)
            if name not in known:
                what = ".".join(spoken)
                meant = close_match(name, known) or (
                    f"there is {list_words(known, 'and')}" if known else "there is none"
                )
                raise ValueError(f'there is no {what} named "{name}"; {meant}')
            part: str | int = known.index(name)
        else:
            part = name
        path = (*path, part)
        node = _child(node, part)
        spoken = (*spoken, name)
    return path


def set_value(document: Mapping[str, Any], names: tuple[str, ...], value: object) -> tuple[dict[str, Any], Path]:
    """A copy of the document with one place set (None: taken away), and where that place is.

    A part of a default is set by writing the rest of the default around it: `group.dev.durations.starting.median` works
    whether or not the file says anything about `starting`.
    """
    changed = deepcopy(dict(document))
    path = find_path(names, changed)
    if len(path) == 1 and value is None:
        changed.pop(str(path[0]), None)
        return changed, path
    if not all(isinstance(part, str) for part in path[-1:]):
        raise ValueError("this names a whole table; name one of its keys, such as group.dev.count")
    node: Any = changed
    for depth, part in enumerate(path[:-1], start=1):
        if isinstance(part, str) and isinstance(node, dict):
            node = node.setdefault(part, _default_table(path[:depth], changed))
        else:
            node = _child(node, part)
        if not isinstance(node, (dict, list)):
            around = field_name(path[:depth], changed)
            raise ValueError(f"{around} is not a table, so it has no key {path[depth]}; set {around} itself")
    if not isinstance(node, dict):
        raise ValueError("this names a place in a list; set the whole list")
    if value is None:
        node.pop(path[-1], None)
    else:
        node[path[-1]] = to_plain(value)
    return changed, path


def _default_table(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    names = [part for part in path if isinstance(part, str)]
    if names[0] in ("group", "defaults"):
        own: Any = document.get("defaults")
        for part in names[1:]:
            own = _child(own, part)
        if names[0] == "group" and isinstance(own, dict):
            return deepcopy(own)
        names[0] = "group"
    group = _child(_child(document, "group"), path[1]) if path[0] == "group" and len(path) > 1 else None
    os = _child(group, "os") or _child(document.get("defaults"), "os") or default_value("group.os")
    key = default_key(".".join(names), os=str(os))
    value = default_value(key) if key else None
    return value if isinstance(value, dict) else {}


def guest_first(settings: Iterable[T], place: Callable[[T], str]) -> list[T]:
    """Settings in the order in which they may be applied: a group's guest OS before what depends on it."""
    return sorted(settings, key=lambda one: not re.fullmatch(r"\s*(group\..*|defaults)\.\s*os\s*", place(one)))


def apply_overrides(
    document: Mapping[str, Any], overrides: list[tuple[str, object, str]]
) -> tuple[dict[str, Any], dict[Path, str]]:
    """The document with each (path, value, how it was asked for) set in turn, and which override set what.

    All overrides that have no place are reported at once.
    """
    changed = dict(document)
    asked: dict[Path, str] = {}
    faults: list[Fault] = []
    for dotted, value, words in guest_first(overrides, lambda one: one[0]):
        try:
            for names in _each(parse_path(dotted), changed):
                homes = "when_off", *when_off_homes()  # an autoscaler has a when_off of its own
                if names[0] == "group" and names[-1] == "when_off" and any(home in names[2:3] for home in homes):
                    names = (*names[:2], "when_off")
                    changed = _without_other_homes(changed, find_path(names[:2], changed))
                changed, path = set_value(changed, names, value)
                asked[path] = words
        except ValueError as error:
            faults.append(fault_at(file=words, field=dotted, problem=str(error), value=value))
    if faults:
        raise ScenarioError(faults)
    return changed, asked


def _each(names: tuple[str, ...], document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The paths that `group.*.count` means: one for each group."""
    for depth, name in enumerate(names):
        if name == EVERY and names[:depth] in NAMED_TABLES:
            node: Any = document
            for part in names[:depth]:
                node = _child(node, part)
            return [
                each for own in _names(node) for each in _each((*names[:depth], own, *names[depth + 1 :]), document)
            ]
    return [names]


def one_or_more(table: object) -> list[dict[str, Any]]:
    """The tables of a place that holds one, or a list of them; none where it holds neither."""
    return [each for each in (table if isinstance(table, list) else [table]) if isinstance(each, dict)]


def _without_other_homes(document: Mapping[str, Any], group: Path) -> dict[str, Any]:
    """The document without the `when_off` of a group that stands under one of its sub-tables."""
    changed = deepcopy(dict(document))
    table = _child(changed.get("group"), group[-1])
    for home in when_off_homes():
        for inner in one_or_more(_child(table, home)):
            inner.pop("when_off", None)
    return changed
