"""Groups as they are played and rated: those of the file, and for a replayed record one for each size in it.

A record knows its VMs by room or by a name; here each gets a size of the price list, so that hours and money are counted
by size. Where a record has several kinds of VM, the groups made of it are named `<group>-<short size>`, spot VMs among
regular ones `<group>-<short size>-spot`; one kind keeps the group's name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from sim.catalog import Catalogue, Size
from sim.catalog.sizes import size_key
from sim.errors import CatalogueError, TraceError
from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words, show_value
from sim.model.plan import Replay
from sim.scenario.file_model import Group, ScenarioFile

if TYPE_CHECKING:
    from sim.scenario.trace_section import Trace as TraceSection
    from sim.traces.rows import Shape
    from sim.traces.trace import Trace

PRIORITIES = ("regular", "spot")  # as a trace numbers them
MOST_FAULTS = 5
"""Faults told of one record; a file of another kind would have one in every line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One group as it is played: a group of the file, or the VMs of one size of its record."""

    number: int  # of the group in the file
    group: Group
    name: str
    size: Size
    priority: str
    replay: Replay | None = None

    @property
    def vms(self) -> int | None:
        """How many VMs there are in all; None if they come and go by chance or by load."""
        if self.replay is not None:
            return len(self.replay.born_s)
        return self.group.count if self.group.is_counted else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was read of a group's record, in words and numbers."""

    number: int
    told: tuple[str, ...]
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """All groups as they are played, in the order of the file."""

    played: tuple[Member, ...] = ()
    records: tuple[Record, ...] = ()

    def of(self, group: str) -> tuple[Member, ...]:
        """What a group of the file is played as; also found by the name of one of its parts."""
        return tuple(member for member in self.played if group in (member.group.name, member.name))


def resolve_groups(
    file: ScenarioFile, catalogue: Catalogue, folder: FilePath, *, region_known: bool
) -> tuple[Members, list[Issue]]:
    """Groups as they are played, and what is wrong with records; groups of unknown size are left out."""
    played: list[Member] = []
    records: list[Record] = []
    found: list[Issue] = []
    for number, group in enumerate(file.groups):
        if group.trace is None:
            try:
                size = catalogue.get_size(group.size)
            except CatalogueError:
                continue  # told by `check_sizes`
            played.append(Member(number=number, group=group, name=group.name, size=size, priority=group.priority))
            continue
        try:
            trace = _open(group.trace, folder)
            records.append(_record(number, trace))
            if region_known:
                played += _parts(number, group, trace, catalogue, file.prices.region)
        except TraceError as error:
            found += _told(number, group.trace, folder, error)
        except _SizeFault as fault:
            found.append(
                Issue(("group", number, *fault.place), fault.problem, fault.hint, related_paths=_prices(number))
            )
    found += _clashes(file, played)
    return Members(played=tuple(played), records=tuple(records)), found


class _SizeFault(Exception):
    """A size of the scenario that can't stand for the VMs of a record."""

    def __init__(self, place: Path, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.place, self.problem, self.hint = place, problem, hint


def _prices(number: int) -> tuple[Path, ...]:
    return (
        ("group", number, "trace"), ("group", number, "size"), ("group", number, "os"), ("group", number, "priority"),
        ("prices",),
    )  # fmt: skip


def _open(section: TraceSection, folder: FilePath) -> Trace:
    from sim.traces.trace import open_trace

    given = {
        "window_s": section.window,
        "origin_s": section.origin,
        "columns": dict(section.columns),
        "machine_vcpus": section.machine_vcpus,
        "machine_memory_gib": section.machine_memory_gib,
        "over_vcpus": section.over_vcpus,
        "over_memory_gib": section.over_memory_gib,
    }
    said = {name: value for name, value in given.items() if value is not None}
    return open_trace(folder / section.file, section.format, **said)


def _record(number: int, trace: Trace) -> Record:
    told = trace.describe()
    if trace.start is not None:
        told.append(f"its first instant is {trace.start:%Y-%m-%d %H:%M} UTC; it is replayed from t = 0")
    return Record(number=number, told=tuple(told), window_s=trace.window_s)


def _told(number: int, section: TraceSection, folder: FilePath, error: TraceError) -> Iterator[Issue]:
    """Faults inside a record, told at the line of the scenario that names it."""
    place: Path = ("group", number, "trace")
    for fault in error.faults[:MOST_FAULTS]:
        if not (folder / section.file).exists():
            yield Issue(
                (*place, "file"),
                f"there is no file {folder / section.file}",
                "the path is relative to the scenario file",
                section.file,
                (place,),
            )
            return
        where = [f"line {fault.line}"] if fault.line is not None else []
        words = ": ".join(part for part in (*where, fault.field, fault.problem) if part)
        yield Issue((*place, "file"), f"{section.file}: {words}", fault.hint, section.file, (place,))


# --- the VMs of a record by size ------------------------------------------------------------------------------------


def _parts(number: int, group: Group, trace: Trace, catalogue: Catalogue, region: str) -> Iterator[Member]:
    """The VMs of a record, one group for each size and priority that is in it."""
    import numpy as np

    blocks = [block[["created_s", "lifetime_s", "size", "priority"]] for block in trace.blocks()]
    rows = np.concatenate(blocks)
    own = "priority" in group.model_fields_set
    priorities = np.full(len(rows), PRIORITIES.index(group.priority), dtype=np.int8) if own else rows["priority"]
    parts: dict[tuple[str, str], Any] = {}  # whose rows
    for code in np.unique(priorities).tolist():
        priority = PRIORITIES[code]
        mine = priorities == code
        kinds = np.unique(rows["size"][mine])
        shapes = [trace.shapes[kind] for kind in kinds.tolist()]
        sizes = _sizes_for(shapes, group, catalogue, region, priority)
        of_kind = np.full(len(trace.shapes), -1)
        names = sorted(set(sizes))
        of_kind[kinds] = [names.index(size) for size in sizes]
        of_row = np.where(mine, of_kind[rows["size"]], -1)
        for place, name in enumerate(names):
            parts[name, priority] = of_row == place
    _check_used(group, trace)
    for name, priority in sorted(parts, key=lambda part: _in_order(catalogue.get_size(part[0]), part[1])):
        part = rows[parts[name, priority]]
        suffix = "-spot" if priority == "spot" and not own else ""
        yield Member(
            number=number,
            group=group,
            # A record of one kind of VM keeps the group's name, and so its VMs the names that are promised.
            name=group.name if len(parts) == 1 else f"{group.name}-{short_size(name)}{suffix}",
            size=catalogue.get_size(name),
            priority=priority,
            replay=Replay(born_s=tuple(part["created_s"].tolist()), lifetime_s=tuple(part["lifetime_s"].tolist())),
        )


def short_size(name: str) -> str:
    """A size's name without the word that all have.

    >>> short_size("Standard_D4s_v5")
    'D4s_v5'
    """
    return name.removeprefix("Standard_").replace(" ", "_")


def _in_order(size: Size, priority: str) -> tuple[float, float, str, str]:
    return size.vcpus or 0, size.memory_gib or 0, size.name, priority


def _sizes_for(shapes: Sequence[Shape], group: Group, catalogue: Catalogue, region: str, priority: str) -> list[str]:
    """The size for each kind of VM: the group's, if it names one; else as `trace.sizes` says."""
    from sim.traces.vm_sizes import map_sizes

    assert group.trace is not None
    asked = group.trace.sizes
    if "size" in group.model_fields_set:
        try:
            return [catalogue.get_size(group.size).name] * len(shapes)
        except CatalogueError as error:
            raise _SizeFault(("size",), *_halves(str(error))) from None
    named: dict[int, str] = {}
    for place, shape in enumerate(shapes):
        wanted = _asked_for(shape, group.trace)
        if wanted is not None:
            try:
                named[place] = catalogue.get_size(wanted).name
            except CatalogueError as error:
                raise _SizeFault(("trace", "sizes"), *_halves(str(error))) from None
    rest = [shape for place, shape in enumerate(shapes) if place not in named]
    try:
        mapped = iter(
            map_sizes(rest, catalogue, region, os=group.os, priority=priority, pool=asked.pool) if rest else ()
        )
    except CatalogueError as error:
        raise _SizeFault(("trace", "sizes"), *_halves(str(error))) from None
    except TraceError as error:
        problem, hint = _halves(error.faults[0].problem)
        more = len(error.faults) - 1
        hint = hint or f'name a size for it: sizes = {{ "{_key(error.faults[0].value)}" = "Standard_D4s_v5" }}'
        raise _SizeFault(
            ("trace", "sizes"), problem + (f" (and {more} more kinds of VM)" if more else ""), hint
        ) from None
    return [named.get(place) or next(mapped) for place in range(len(shapes))]


def _key(shape: object) -> str:
    """A kind of VM as `trace.sizes` names it."""
    words = str(shape)
    return words.split(" (")[0] if not words[:1].isdigit() else words.replace(" vCPU, ", "/").replace(" GiB", "")


def _asked_for(shape: Shape, section: TraceSection) -> str | None:
    for name, size in section.sizes.by_name:
        if shape.size and size_key(shape.size) == size_key(name):
            return size
    for vcpus, memory_gib, size in section.sizes.by_room:
        if _is_like(shape, vcpus, memory_gib):
            return size
    return None


def _is_like(shape: Shape, vcpus: float, memory_gib: float) -> bool:
    # Shares of a machine have many digits; nobody writes them all.
    return math.isclose(shape.vcpus or 0, vcpus, rel_tol=1e-3) and math.isclose(
        shape.memory_gib or 0, memory_gib, rel_tol=1e-3
    )


def _check_used(group: Group, trace: Trace) -> None:
    """A kind of VM that the record hasn't is a slip of the pen."""
    assert group.trace is not None
    sizes = group.trace.sizes
    names = {size_key(shape.size) for shape in trace.shapes}
    lost = [
        f"{vcpus:g}/{gib:g}"
        for vcpus, gib, _ in sizes.by_room
        if not any(_is_like(shape, vcpus, gib) for shape in trace.shapes)
    ]
    lost += [name for name, _ in sizes.by_name if size_key(name) not in names]
    if lost:
        has = list_words((_key(shape) for shape in trace.shapes[:8]), "and")
        more = f" and {len(trace.shapes) - 8} more" if len(trace.shapes) > 8 else ""
        raise _SizeFault(("trace", "sizes"), f"{show_value(lost[0])}: the record has no such VM", f"it has {has}{more}")


def _halves(said: str) -> tuple[str, str]:
    problem, _, hint = said.partition(": ")
    return problem, hint


def _clashes(file: ScenarioFile, played: Sequence[Member]) -> Iterator[Issue]:
    """A group made of a record that is called as another group is."""
    taken = {group.name: number for number, group in enumerate(file.groups) if group.trace is None}
    for member in played:
        if member.replay is None:
            continue
        other = taken.setdefault(member.name, member.number)
        if other != member.number:
            yield Issue(
                ("group", member.number, "name"),
                f"{show_value(member.group.name)}: its VMs of {member.size.name} are the group {show_value(member.name)}, which is there already",
                "give one of them another name",
                member.group.name,
                (("group", other, "name"),),
            )
