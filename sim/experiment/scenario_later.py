"""Keys of the scenario file that are promised and not yet played: refused by name, so that nobody waits for their effect.

Whoever brings one deletes its row here and adds the field to `scenario_model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.experiment.scenario_lines import Path

NOT_YET: tuple[tuple[tuple[str, ...], str], ...] = (
    (("group", "zones"), "leave it out: the deployment is regional"),
    (("group", "autoscale"), "leave it out and give `count`"),
    (("group", "trace"), "leave it out; `arrivals` with a `samples` lifetime replays measured lifetimes"),
    (("platform",), "leave it out: hardware is unlimited and there is no quota"),
)
"""Place (array positions left out) and what to do instead."""


def take_out_later(document: dict[str, Any]) -> list[tuple[Path, str]]:
    """Takes every key that is not supported yet out of a document; returns where each stood and what to do instead."""
    found: list[tuple[Path, str]] = []
    for names, instead in NOT_YET:
        for path, table in _tables(document, names[:-1]):
            if names[-1] in table:
                del table[names[-1]]
                found.append(((*path, names[-1]), instead))
    return found


def _tables(document: Any, names: tuple[str, ...]) -> list[tuple[Path, dict[str, Any]]]:
    places: list[tuple[Path, Any]] = [((), document)]
    for name in names:
        inner: list[tuple[Path, Any]] = []
        for path, table in places:
            value = table.get(name) if isinstance(table, Mapping) else None
            if isinstance(value, list):
                inner.extend(((*path, name, number), part) for number, part in enumerate(value))
            elif value is not None:
                inner.append(((*path, name), value))
        places = inner
    return [(path, table) for path, table in places if isinstance(table, dict)]
