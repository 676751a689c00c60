"""`[defaults]`: keys of a group that hold where a group is silent.

Tables merge key by key; lists and distributions are replaced whole, and a group's own demand section, or `wanted = false`,
puts the default's aside. A default that doesn't fit a group, because a check objects to it there, is left out of that group; one that fits no group is
refused.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from sim.fields.issues import Issue, Path
from sim.model.demand import DEMAND_KINDS

KEY = "defaults"

Unfit = set[tuple[int, str]]
"""Group by its number, and the key of a default that doesn't fit it."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A document whose groups hold the defaults too, and where each of those came from."""

    document: dict[str, Any]
    sources: Mapping[Path, Path] = field(default_factory=dict)  # place in a group -> place in [defaults]

    def tried(self) -> Iterator[tuple[int, str]]:
        """Each group that took something of a default, with the default's key."""
        for place in self.sources:
            yield int(place[1]), str(place[2])

    def from_default(self, issue: Issue) -> tuple[int, str] | None:
        """The group and the key of the default that an issue is about; None: it is about the group's own words."""
        for end in range(len(issue.path), 2, -1):
            if issue.path[:end] in self.sources:
                return int(issue.path[1]), str(issue.path[2])
        return None


def merge(document: Mapping[str, Any], unfit: Iterable[tuple[int, str]] = ()) -> Merged:
    """The groups with the defaults, those that are *unfit* for a group left out; `[defaults]` itself is taken away."""
    merged = deepcopy(dict(document))
    given, groups = merged.pop(KEY, None), merged.get("group")
    if not isinstance(given, dict) or not isinstance(groups, list):
        return Merged(merged)
    sources: dict[Path, Path] = {}
    left_out = set(unfit)
    for number, group in enumerate(groups):
        if not isinstance(group, dict):
            continue
        own_demand = [key for key in DEMAND_KINDS if key in group] or ["wanted"] * (group.get("wanted") is False)
        for key, value in given.items():
            aside = key in DEMAND_KINDS and own_demand and key not in own_demand
            if key != "name" and not aside and (number, key) not in left_out:
                _fill(group, key, value, ("group", number), (KEY,), sources)
    return Merged(merged, sources)


def _fill(table: dict[str, Any], key: str, value: Any, place: Path, source: Path, sources: dict[Path, Path]) -> None:
    """Give a table what a default says and it doesn't."""
    here, there = (*place, key), (*source, key)
    if key not in table:
        table[key] = deepcopy(value)
        sources[here] = there
        return
    own = table[key]
    if isinstance(own, dict) and isinstance(value, dict) and "dist" not in own and "dist" not in value:
        for inner, more in value.items():
            _fill(own, inner, more, here, there, sources)


def check_table(document: Mapping[str, Any]) -> list[Issue]:
    """What is wrong with `[defaults]` whatever the groups are."""
    given = document.get(KEY)
    if given is None:
        return []
    if not isinstance(given, dict):
        return [Issue((KEY,), "this is not a table", "write [defaults], and keys of a group below it", given)]
    if "name" in given:
        return [Issue((KEY, "name"), "every group has a name of its own", "leave it out", given["name"])]
    return []


def at_defaults(merged: Merged, issues: Iterable[Issue]) -> list[Issue]:
    """Issues at their place in `[defaults]`, each once."""
    found: dict[tuple[Path, str], Issue] = {}
    for issue in issues:
        for end in range(len(issue.path), 2, -1):
            source = merged.sources.get(issue.path[:end])
            if source is not None:
                path = (*source, *issue.path[end:])
                found.setdefault((path, issue.problem), replace(issue, path=path))
                break
    return list(found.values())
