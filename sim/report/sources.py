"""Where the figures come from: assumptions in use, and everything it takes to make the figures again."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sim.fields.numbers import NO_NUMBER, compact
from sim.report.answer import Table
from sim.report.folder import Findings


def assumptions(findings: Findings) -> Table | None:
    """Every default that the run leans on, with its source and how far to trust it; assumptions marked."""
    defaults = findings.provenance.get("defaults")
    if not isinstance(defaults, Sequence) or not defaults:
        return None
    rows, marked = [], []
    for entry in defaults:
        users = entry.get("in_use_by", "")
        rows.append(
            [
                str(entry.get("key", "")),
                _value(entry.get("value")),
                str(entry.get("unit", "") or ""),
                str(entry.get("trust", "") or ""),
                str(entry.get("source", "") or ""),
                _users(users, findings),
            ]
        )
        marked.append("assum" in str(entry.get("trust", "")).lower())
    return Table(
        columns=["default in use", "value", "unit", "trust", "source", "used by"],
        rows=rows,
        words=6,
        marked=marked,
        note="What the scenario doesn't say was taken from here. Rows on a tinted ground are assumptions: no published figure is known.",
    )


def _users(names: object, findings: Findings, most: int = 3) -> str:
    """Which groups lean on a default, in a few words."""
    if not isinstance(names, list | tuple):
        return str(names or "")
    if len(findings.groups) > 1 and set(findings.groups) <= {str(name) for name in names}:
        return "all groups"
    shown = ", ".join(map(str, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def provenance(findings: Findings) -> Table:
    """Where these figures come from: enough to make them again."""
    told: list[list[str]] = [
        ["scenario", findings.name],
        ["seed", str(findings.seed)],
        ["replications", f"{findings.replications:,}"],
        ["horizon", f"{compact(findings.horizon_h)} h"],
        ["warm-up left out", f"{compact(findings.warm_up_h)} h"],
        ["billing policy", findings.policy],
        ["engine", findings.engine or NO_NUMBER],
    ]
    rest = pairs(findings.provenance, known={pair[0] for pair in told})
    return Table(columns=["", ""], rows=[*told, *rest], words=2)


def pairs(facts: Mapping[str, Any], known: Collection[str] = ()) -> list[list[str]]:
    """A provenance file as rows of a name and a value, but for the defaults, which have a table of their own."""
    made: list[list[str]] = []
    for key, value in facts.items():
        if key not in known and key != "defaults":
            made += _flat(key.replace("_", " "), value)
    return made


def _flat(key: str, value: object) -> list[list[str]]:
    if isinstance(value, Mapping):
        return [pair for inner, each in value.items() for pair in _flat(f"{key}: {inner}", each)]
    return [[key, _value(value)]]


def _value(value: object) -> str:
    if value is None:
        return NO_NUMBER
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return compact(value)
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, Mapping):
        if "dist" in value:
            rest = ", ".join(f"{key} {_value(each)}" for key, each in value.items() if key != "dist")
            return f"{value['dist']}: {rest}"
        return ", ".join(f"{key} {_value(each)}" for key, each in value.items())
    if isinstance(value, Sequence):
        return ", ".join(_value(each) for each in value)
    return json.dumps(value)
