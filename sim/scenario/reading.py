"""From a file, or a mapping, to a checked `ScenarioFile` with its catalogue: every fault found, all reported at once."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from sim.catalog import Catalogue
from sim.errors import Fault, ScenarioError
from sim.fields.defaults import default_value
from sim.fields.issues import Issue, Path
from sim.fields.messages import fault_at, merged_faults
from sim.files import check_regular, near_file
from sim.model.demand import DEMAND_KINDS
from sim.model.faults import GROUP_FAULTS, PLATFORM_FAULTS
from sim.scenario import group_defaults
from sim.scenario.file_model import ScenarioFile
from sim.scenario.issues import exists, look_up, translate
from sim.scenario.paths import field_name, one_or_more, when_off_homes
from sim.scenario.platform_rules import check_room
from sim.scenario.price_list import open_catalogue
from sim.scenario.price_rules import check_overrides, check_prices, check_sizes
from sim.scenario.resolved_groups import ResolvedGroups, resolve_groups
from sim.scenario.rules import check_file
from sim.scenario.toml_positions import index_lines, line_of

MOST_BYTES = 16 * 2**20  # of a scenario file
MOST_ROUNDS = 50
"""Times that wrong parts are taken out to see whether the rest agrees; each round takes out at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a document came from: names the file, line or override in every fault about it."""

    file: str = ""
    folder: FilePath = field(default_factory=FilePath)
    lines: Mapping[Path, int] = field(default_factory=dict)
    asked: Mapping[Path, str] = field(default_factory=dict)  # place -> the override that set it
    warm_up_found: bool = False  # the warm-up is what a pilot run found

    def fault(self, found: Issue, document: Mapping[str, Any]) -> Fault:
        """A fault at its place in the file, or at the override that put it there."""
        line = line_of(found.path, self.lines)
        override = next((words for place, words in self.asked.items() if _is_inside(found.path, place)), "")
        if not override and found.path not in self.lines:  # it may have come with something an override set inside it
            override = next((words for place, words in self.asked.items() if _is_inside(place, found.path)), "")
        return fault_at(
            field=field_name(found.path, document),
            problem=found.problem,
            hint=found.hint,
            value=found.value,
            file=override or self.file,
            line=None if override else line or (1 if self.lines else None),
        )


def read_document(path: FilePath) -> tuple[dict[str, Any], Origin]:
    """The TOML document in a file, and where everything stands in it."""
    text = _read_text(path)
    try:
        document = tomllib.loads(text)
        lines = index_lines(text)
    except RecursionError:
        raise _unreadable(path, "the values are nested too deeply") from None
    except ValueError as error:
        raise _syntax_error(path, text, str(error)) from None
    origin = Origin(file=str(path), folder=path.parent, lines=lines)
    return document, origin


def _read_text(path: FilePath) -> str:
    try:
        check_regular(path, ScenarioError, most=MOST_BYTES)
        # Some editors begin a file with a byte order mark, which TOML does not know.
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise _unreadable(path, "there is no such file", near_file(path)) from None
    except IsADirectoryError:
        raise _unreadable(path, "this is a folder", "name the .toml file in it") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise _unreadable(path, "this is not UTF-8 text", "save the file as UTF-8", line=line) from None
    except ValueError:
        raise _unreadable(path, "this is not a file name") from None
    except OSError as error:
        raise _unreadable(path, f"the file can't be read: {error.strerror}") from None


def _unreadable(path: FilePath, problem: str, hint: str = "", *, line: int | None = None) -> ScenarioError:
    return ScenarioError([fault_at(file=str(path), line=line, field="", problem=problem, hint=hint)])


def _syntax_error(path: FilePath, text: str, said: str) -> ScenarioError:
    """A TOML syntax error with its line, and the usual reason where the line gives it away."""
    found = re.search(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)", said)
    line = int(found[1]) if found and found[1] else len(text.rstrip("\n").split("\n"))
    problem = said[: found.start()] if found else said
    lines = [each.strip() for each in text.replace("\r\n", "\n").split("\n")[:line]]
    twice, hint = _given_twice(problem, lines)
    return _unreadable(path, f"TOML syntax: {twice or problem}", hint or _syntax_hint(lines[-1]), line=line)


def _given_twice(problem: str, lines: Sequence[str]) -> tuple[str, str]:
    """What the last line gives again, and where it was given first; empty if it is not about that."""
    if not any(word in problem for word in ("overwrite", "twice", "mutate", "Duplicate")):
        return "", ""
    once = "every key and table is given once; more groups are more [[group]]"
    inline = re.search(r"Duplicate inline table key '(.*)'", problem)
    header = re.match(r"\[+[^\]]*\]+", lines[-1])
    key = re.match(r"""("[^"]*"|'[^']*'|[\w.-]+(?:\s*\.\s*[\w-]+)*)\s*=""", lines[-1])
    if inline or not (header or key):
        return (f"{inline[1]} is given twice" if inline else "", once)
    if header:
        before = [number for number, each in enumerate(lines[:-1], 1) if each.startswith(header[0])]
        name = header[0]
    else:
        assert key is not None
        name, before = key[1], []
        for number in range(len(lines) - 1, 0, -1):  # upwards, as far as the table's header
            if re.match(rf"{re.escape(name)}\s*=", lines[number - 1]):
                before.append(number)
            if lines[number - 1].startswith("["):
                break
    first = f"first on line {before[0]}; " if before else ""
    return f"{name} is given twice", first + once


def _syntax_hint(shown: str) -> str:
    """The usual reason for a syntax error on a line; "" where it gives none away."""
    for clock in re.finditer(r"(?<![\w-])([\w-]{1,64})\s{0,9}=\s{0,9}(\d{1,2}):(\d\d)(:\d\d)?(?=[\s,}]|$)", shown):
        if int(clock[2]) > 23 or int(clock[3]) > 59:
            return f"hours go from 00 to 23 and minutes to 59; midnight is {clock[1]} = 00:00:00"
        if clock[4] is None or len(clock[2]) == 1:
            return f"a time of day has two digits each, and seconds: {clock[1]} = {clock[2].zfill(2)}:{clock[3]}{clock[4] or ':00'}"
    key = re.match(r"""([\w."'-]+)\s*=\s*([^"'\[{\s#][^#]*)""", shown)
    if key is None:
        return ""
    value = key[2].strip()
    if value.startswith("="):
        return f"one = is enough: {key[1]} = {value.lstrip('= ')}".removesuffix(f": {key[1]} = ")
    if value.lower() in ("true", "false"):
        return f"write {value.lower()}"
    return f'a text or a duration stands in quotes: {key[1]} = "{value}"'


Checked = TypeVar("Checked", bound=ScenarioFile)


def check_document(
    model: type[Checked], document: Mapping[str, Any], origin: Origin
) -> tuple[Checked, Catalogue, ResolvedGroups, dict[str, Any]]:
    """The checked scenario of a document, its catalogue, its groups as they are simulated, and the document put in order.

    ScenarioError has all faults.
    """
    ordered = deepcopy(dict(document))
    found, moved = _lift_when_off(ordered)
    origin = replace(
        origin,
        lines={**{home: origin.lines[old] for home, old in moved.items() if old in origin.lines}, **origin.lines},
    )
    found += group_defaults.check_table(ordered)
    unfit: group_defaults.Unfit = set()
    refused: dict[tuple[int, str], list[Issue]] = {}  # what a check said of a default in a group
    tried = set(group_defaults.merge(ordered).tried())
    while True:
        merged = group_defaults.merge(ordered, unfit)
        checked = _check(model, merged.document, origin.folder, found)
        mine = [(merged.from_default(issue), issue) for issue in checked.issues]
        if all(taken is None for taken, _ in mine):
            break
        for taken, issue in mine:
            if taken is not None:
                unfit.add(taken)
                refused.setdefault(taken, []).extend(group_defaults.at_defaults(merged, [issue]))
    found += checked.issues
    fits = {key for _, key in tried - unfit}
    for (_, key), issues in refused.items():
        said = {(issue.path, issue.problem) for issue in found}
        found += [issue for issue in issues if key not in fits and (issue.path, issue.problem) not in said]
    if found or checked.file is None or checked.catalogue is None:
        faults = [origin.fault(fault, ordered) for fault in found]
        by_line = sorted(enumerate(faults), key=lambda item: (item[1].line or 0, item[0]))
        raise ScenarioError(merged_faults(fault for _, fault in by_line))
    return checked.file, checked.catalogue, checked.resolved, ordered


@dataclass(frozen=True, slots=True)
class _Found(Generic[Checked]):
    """What the checks of one document came to."""

    file: Checked | None
    catalogue: Catalogue | None
    resolved: ResolvedGroups
    issues: list[Issue]


def _check(model: type[Checked], document: dict[str, Any], folder: FilePath, known: Sequence[Issue]) -> _Found[Checked]:
    """All checks; *known* is what is wrong already."""
    file, issues = _validate(model, document, folder)
    if file is None:
        return _Found(None, None, ResolvedGroups(), issues)
    catalogue, resolved, errors = _check_whole(file, folder, [*known, *issues])
    return _Found(file, catalogue, resolved, [*issues, *errors])


def _check_whole(
    file: ScenarioFile, folder: FilePath, known: Iterable[Issue]
) -> tuple[Catalogue | None, ResolvedGroups, list[Issue]]:
    """What sound values contradict each other in, the price list, and the traces that the groups replay."""
    wrong = {touched for fault in known for touched in (fault.path, *fault.related_paths)}
    found = _still_fair(check_file(file), wrong)
    catalogue, errors = open_catalogue(file, folder)
    found += _still_fair(errors, wrong)
    if catalogue is None:
        return None, ResolvedGroups(), found
    wrong |= {fault.path for fault in (*found, *errors)}
    found += _still_fair((*check_sizes(file, catalogue), *check_overrides(file, catalogue)), wrong)
    resolved, unread = resolve_groups(file, catalogue, folder, regions_known=not errors)
    found += _still_fair(unread, wrong)
    if not errors:
        found += _still_fair(check_prices(file, catalogue, resolved), wrong)
        found += _still_fair(check_room(file, catalogue, resolved), wrong)
    return catalogue, resolved, found


def _lift_when_off(document: dict[str, Any]) -> tuple[list[Issue], dict[Path, Path]]:
    """Moves `when_off` to its group from a sub-table that it follows: TOML gives a key to the last header above it."""
    found: list[Issue] = []
    moved: dict[Path, Path] = {}
    groups = document.get("group")
    for number, group in enumerate(groups if isinstance(groups, list) else []):
        if not isinstance(group, dict):
            continue
        for home in when_off_homes():
            inner = next((table for table in one_or_more(group.get(home)) if "when_off" in table), None)
            if inner is None:
                continue
            value = inner.pop("when_off")
            place: Path = ("group", number, "when_off")
            tables = group[home]
            old = (*place[:2], home, *([tables.index(inner)] if isinstance(tables, list) else []), "when_off")
            if "when_off" in group and group["when_off"] != value:
                found.append(
                    Issue(old, "when_off is given twice, with different values", "give it once, in [[group]]", value)
                )
            elif "when_off" not in group:
                group["when_off"] = value
                moved[place] = old
    return found, moved


# --- the values, and whether the rest agrees ------------------------------------------------------------------------


def _validate(model: type[Checked], document: dict[str, Any], folder: FilePath) -> tuple[Checked | None, list[Issue]]:
    """The faults of single values, and the file without them (None if the rest can't be checked)."""
    found: list[Issue] = []
    remaining = deepcopy(document)
    for number in range(MOST_ROUNDS):
        try:
            return model.model_validate(remaining, context={"folder": folder}), found
        except ValidationError as error:
            faults = translate(error.errors(include_url=False), remaining)
        # Faults after the first round come from the taking out, not from the user.
        found = found if number else faults
        for fault in faults:
            _take_out(remaining, fault.path)
    return None, found


def _take_out(document: dict[str, Any], path: Path) -> None:
    """Removes a wrong value, so that its default holds; what can't be missing gets a stand-in."""
    if not exists(document, path[:-1]):
        return
    if not exists(document, path):
        stand_in = _stand_in(".".join(part for part in path if isinstance(part, str)))
        if stand_in is not None:
            look_up(document, path[:-1])[path[-1]] = deepcopy(stand_in)
            return
        path = path[:-1]  # the table that needs it goes
    while isinstance(path[-1], int) and len(path) != 2:  # an element goes with its list
        path = path[:-1]
    around = look_up(document, path[:-1])
    beside = _stand_in_beside(".".join(part for part in path if isinstance(part, str)))
    if beside is not None and isinstance(around, dict) and around.get(path[-1]) != beside:
        around[path[-1]] = deepcopy(beside)
    elif isinstance(path[-1], int) and isinstance(around, list):
        # Positions of the others must not move, or later faults would name the wrong table.
        around[path[-1]] = {"name": f"stand-in-{path[-1]}", **_STAND_IN_TABLES.get(path[0], {})}
    elif isinstance(around, dict):  # if it is neither, it went with something taken out before
        around.pop(path[-1], None)


_STAND_INS: Mapping[str, Any] = {
    "name": "stand-in",
    "horizon": "36500d",
    "group": [{}],
    "platform.hosts.name": "stand-in",
    "platform.hosts.count": 1,
    "platform.hosts.vcpus": 1,
    "platform.hosts.memory_gib": 1.0,
    "platform.shortage.name": "stand-in",
    "platform.shortage.time_between": "1000h",
    "platform.shortage.lasts": "1h",
    "platform.shortage.refuses": 0.5,
    "commitment.name": "stand-in",
    "commitment": [],
    "commitment.kind": "savings-plan",
    "commitment.size": default_value("group.size"),
    "commitment.quantity": 0,
    "commitment.hourly": 0,
    "commitment.term": "1y",
    "commitment.vcpus": 1,
    "commitment.groups": ["stand-in"],
}
"""Sound values for what a table can't do without, to find out whether the rest agrees; never simulated."""


_STAND_IN_TABLES: Mapping[str | int, Any] = {"commitment": {"kind": "savings-plan", "hourly": 0, "term": "1y"}}
"""What a whole table needs beside its name to be sound."""


def _stand_in(key: str) -> Any:
    """The sound value for a key that its table needs; None if there is none."""
    if key in _STAND_INS:
        return _STAND_INS[key]
    around, table, inner = (*key.split(".", 2), "", "")[:3]
    for home, kinds in (("group", DEMAND_KINDS), ("group", GROUP_FAULTS), ("platform", PLATFORM_FAULTS)):
        if around == home and table in kinds:
            return kinds[table].stand_ins.get(inner)
    return None


def _stand_in_beside(key: str) -> Any:
    """The sound value for a key that excludes another; None if there is none."""
    _, table, inner = (*key.split(".", 2), "", "")[:3]
    return (
        DEMAND_KINDS[table].stand_ins_beside.get(inner) if key.startswith("group.") and table in DEMAND_KINDS else None
    )


def _still_fair(found: Iterable[Issue], wrong: set[Path]) -> list[Issue]:
    """Rules' faults, without those about something that is known to be wrong already."""
    return [
        fault
        for fault in found
        if not any(_is_inside(fault.path, bad) for bad in wrong)
        and not any(_is_inside(place, bad) or _is_inside(bad, place) for place in fault.related_paths for bad in wrong)
    ]


def _is_inside(place: Path, around: Path) -> bool:
    return place[: len(around)] == around
