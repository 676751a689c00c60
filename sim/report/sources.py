"""Where the figures come from: assumptions in use, and everything it takes to make the figures again."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sim.fields.numbers import NO_NUMBER, compact
from sim.report.answer import Table
from sim.report.folder import ReportedRun

FILES = "Every figure is available as SVG, PNG and CSV in figures/ beside this page"


def assumptions(run: ReportedRun) -> Table | None:
    """Every default that the run uses, with its source and trust; assumptions marked."""
    defaults = run.stored.provenance.get("defaults")
    if not isinstance(defaults, Sequence) or not defaults:
        return None
    rows, marked = [], []
    for entry in defaults:
        rest = [str(entry.get(name) or "") for name in ("unit", "trust", "source")]
        rows.append(
            [str(entry.get("key", "")), _value(entry.get("value")), *rest, _users(entry.get("in_use_by", ""), run)]
        )
        marked.append("assum" in rest[1].lower())
    return Table(
        caption="Defaults used",
        columns=["default in use", "value", "unit", "trust", "source", "used by"],
        rows=rows,
        words=6,
        marked=marked,
        note="Defaults used. Shaded rows are our assumptions: no published figure is known.",
    )


def _users(names: object, run: ReportedRun, most: int = 3) -> str:
    """Which groups use a default, in a few words."""
    if not isinstance(names, list | tuple):
        return str(names or "")
    if len(run.groups) > 1 and set(run.groups) <= {str(name) for name in names}:
        return "all groups"
    shown = ", ".join(map(str, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def provenance(run: ReportedRun) -> Table:
    """Where these figures come from: enough to make them again."""
    rows: list[list[str]] = [
        ["scenario", run.name],
        ["seed", str(run.seed)],
        ["replications", f"{run.replications:,}"],
        ["horizon", f"{compact(run.horizon_h)} h"],
        ["warm-up left out", f"{compact(run.warm_up_h)} h"],
        ["billing policy", run.policy],
        ["engine", run.engine or NO_NUMBER],
    ]
    rest = pairs(run.stored.provenance, known={pair[0] for pair in rows})
    return facts([*rows, *rest])


def facts(rows: Sequence[Sequence[str]]) -> Table:
    """Pairs of a name and a value as a table."""
    return Table(caption="Origin", columns=["what", "value"], rows=rows, words=2)


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
    assert isinstance(value, Sequence)  # JSON has nothing else
    return ", ".join(_value(each) for each in value)
