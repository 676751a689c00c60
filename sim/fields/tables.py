"""Tables of the scenario file that plug-ins add, with keys of their own: `[group.<key>]` and `[platform.<key>]`.

A meter reads those of a group from `RatedGroup.own`, a placement policy those of the platform from `Platform.own`: by the key of the
table, its values by their names, durations in seconds.
"""

from collections.abc import Mapping
from typing import Any

from sim.fields.registry import Registry
from sim.fields.types import Section

GROUP_TABLES: Registry[type[Section]] = Registry("table of a group", base=Section)
PLATFORM_TABLES: Registry[type[Section]] = Registry("table of the platform", base=Section)


def own_values(section: Section, tables: Registry[type[Section]]) -> Mapping[str, Mapping[str, Any]]:
    """The values of the tables of plug-ins that a group, or the platform, has."""
    return {key: dict(table) for key in tables if (table := getattr(section, key)) is not None}


def own_words(section: Section, tables: Registry[type[Section]]) -> list[str]:
    """The same in words, a line each."""
    return [
        f"{key}: {', '.join(f'{name} = {value}' for name, value in values.items())}."
        for key, values in own_values(section, tables).items()
    ]
