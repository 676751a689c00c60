"""VMs of a real fleet, replayed from a trace: `[group.trace]`.

A trace knows its VMs by room or by a name; here each gets a size of the price list, so that hours and money are counted
by size. Where a trace has several kinds of VM, the groups made of it are named `<group>-<short size>`, spot VMs among
regular ones `<group>-<short size>-spot`; one kind keeps the group's name.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from sim.catalog import Catalogue
from sim.catalog.sizes import size_key
from sim.errors import CatalogueError, TraceError
from sim.fields.issues import Issue, Path
from sim.fields.messages import close_match, list_words, show_value
from sim.fields.numbers import how_many
from sim.fields.types import Positive, PositiveSeconds, Text, default_field, in_utc, read_seconds
from sim.model.demand.base import (
    DEMAND_KINDS,
    HOURS_PER_WEEK,
    MOVES_PER_ROUND,
    Demand,
    DemandSection,
    GroupFacts,
    Part,
    RequestContext,
    Split,
    SplitContext,
)
from sim.traces.formats import FORMATS
from sim.traces.rows import VmSize
from sim.traces.trace import Trace, open_trace
from sim.traces.vm_sizes import map_sizes

PRIORITIES = ("regular", "spot")  # as a trace numbers them
MOST_FAULTS = 5
"""Faults reported of one trace; a file of another kind would have one in every line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay(Demand):
    """A recorded fleet: each VM requested at its instant, and its deletion a lifetime later (inf: never)."""

    has_lifetime: ClassVar[bool] = True
    is_open: ClassVar[bool] = True
    born_s: tuple[float, ...]  # ascending
    lifetime_s: tuple[float, ...]  # from the request on

    def request_times(self, context: RequestContext) -> Iterator[NDArray[np.float64]]:
        """The recorded instants before the horizon."""
        born = np.array(self.born_s, dtype=np.float64)
        yield born[: np.searchsorted(born, context.horizon_s, side="left")]

    @property
    def recorded_lifetimes_s(self) -> tuple[float, ...]:
        """As the trace has them."""
        return self.lifetime_s

    @property
    def repeats_h(self) -> int:
        """A real fleet knows weeks."""
        return HOURS_PER_WEEK

    def expected_moves(self, count: int, horizon_s: float) -> float:
        """A whole life for each VM."""
        return MOVES_PER_ROUND * len(self.born_s)


# --- the section ----------------------------------------------------------------------------------------------------

AUTO = "auto"

_ROOM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:vCPUs?)?\s*[/,x]\s*(\d+(?:\.\d+)?)\s*(?:GiB)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Which sizes stand for the VMs of a trace: those named for a kind of VM, for the others the nearest of a pool."""

    pool: tuple[str, ...] = ()  # names or patterns; empty: the whole price list
    by_room: tuple[tuple[float, float, str], ...] = ()  # vCPUs, GiB, size
    by_name: tuple[tuple[str, str], ...] = ()  # the file's own word for a size, size


def _sizes(value: object) -> Sizes:
    """`"auto"`, `["Standard_D*s_v5"]`, or `{ "1/1.75" = "Standard_B1ms", "m5.large" = "Standard_D2s_v5" }`."""
    if value == AUTO:
        return Sizes()
    if isinstance(value, str):
        value = [value]
    if isinstance(value, (list, tuple)):
        if not value or not all(isinstance(name, str) and name.strip() for name in value):
            raise ValueError('sizes are names or patterns in quotes; write ["Standard_D*s_v5"] or "auto"')
        return Sizes(pool=tuple(value))
    if not isinstance(value, Mapping):
        raise ValueError('this is neither "auto" nor a list of sizes nor a table; write ["Standard_D*s_v5"]')
    by_room: list[tuple[float, float, str]] = []
    by_name: list[tuple[str, str]] = []
    for kind, size in value.items():
        if not isinstance(size, str):
            raise ValueError(f'the size for "{kind}" is not a text; write "{kind}" = "Standard_D4s_v5"')
        room = _ROOM.fullmatch(kind)
        if room:
            by_room.append((float(room[1]), float(room[2]), size))
        else:
            by_name.append((kind, size))
    return Sizes(by_room=tuple(by_room), by_name=tuple(by_name))


def _format(text: str) -> str:
    if text not in FORMATS:
        meant = close_match(text, FORMATS)
        raise ValueError(f"there is no such format of traces; {meant or 'there are ' + ', '.join(FORMATS)}")
    return text


def _origin(value: object) -> float:
    """Seconds on the file's own clock; an instant counts from 1970, as in the file."""
    if isinstance(value, datetime):
        return in_utc(value).timestamp()
    return read_seconds(value)


SIZES_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ],
    "examples": [AUTO, ["Standard_D*s_v5"], {"1/1.75": "Standard_B1ms"}],
}


@DEMAND_KINDS.register("trace")
class TraceSection(DemandSection):
    """A real fleet replayed: one VM a row, requested when it was created and deleted when it was deleted."""

    key = "trace"
    demand = Replay
    count_words = "from the trace"
    has_own_sizes = True
    default_durations = "group.trace.durations"
    stand_ins = MappingProxyType({"file": "stand-in", "format": "columns"})

    file: Text = Field(description="The trace, plain or gzip; beside the scenario file.")
    format: Annotated[Text, AfterValidator(_format), WithJsonSchema({"type": "string", "enum": list(FORMATS)})] = Field(
        description="What its columns are."
    )
    sizes: Annotated[Sizes, BeforeValidator(_sizes), WithJsonSchema(SIZES_SCHEMA)] = default_field(
        "group.trace.sizes", "Sizes that stand for its VMs: auto, a list to choose from, or a table by kind of VM."
    )
    window: PositiveSeconds | None = Field(
        None, description="How long the fleet was observed; left out: as the format says."
    )
    origin: Annotated[float, BeforeValidator(_origin), WithJsonSchema({"type": "string"})] | None = Field(
        None, description="What its clock shows at t = 0; left out: as the format says."
    )
    columns: Mapping[str, Text] = Field(
        default_factory=dict, description='With format = "columns": meaning -> name in the header.'
    )
    machine_vcpus: Positive | None = Field(
        None, description="vCPUs of a whole machine, where the trace has shares of one."
    )
    machine_memory_gib: Positive | None = Field(
        None, description="Memory of a whole machine, where the trace has shares of one."
    )
    over_vcpus: Positive | None = Field(None, description='vCPUs that stand for the bucket ">24".')
    over_memory_gib: Positive | None = Field(None, description='GiB that stand for the bucket ">64".')

    def describe(self, group: GroupFacts) -> str:
        """What is replayed of each VM."""
        return "Each is requested when it was created, and deleted when it was deleted."

    def check(self, group: GroupFacts, place: Path) -> Iterator[Issue]:
        """What the trace holds must not be written again."""
        around = place[:-1]
        if "size" in group.model_fields_set and "sizes" in self.model_fields_set:
            problem = f"size = {show_value(group.size)} and sizes contradict each other"
            hint = "size makes every VM of the trace one size: leave one of them out"
            yield Issue((*place, "sizes"), problem, hint, related_paths=((*around, "size"),))
        if self.columns and self.format != "columns":
            problem = f'the columns of format = "{self.format}" are known'
            hint = 'leave columns out, or write format = "columns"'
            yield Issue((*place, "columns"), problem, hint, related_paths=((*place, "format"),))
        if group.create_over > 0:
            problem = "create_over and trace contradict each other"
            hint = "leave create_over out: the trace says when VMs are created"
            yield Issue((*around, "create_over"), problem, hint)

    def unused_defaults(self, group: GroupFacts) -> set[str]:
        """Size and priority are the trace's; its hours hold every step."""
        own_size = {"group.trace.sizes"} if "size" in group.model_fields_set else set()
        return {"group.size", "group.priority"} | own_size

    def size_patterns(self, group: GroupFacts) -> tuple[str, ...]:
        """The group's size, if it names one, and those that may stand for kinds of VM."""
        own = [group.size] if "size" in group.model_fields_set else []
        named = [size for *_, size in self.sizes.by_room] + [size for _, size in self.sizes.by_name]
        return (*own, *named, *self.sizes.pool)

    def split(self, group: GroupFacts, place: Path, context: SplitContext) -> Split:
        """The VMs of the trace, one part for each size and priority that is in it."""
        around = place[:-1]
        try:
            trace = self._open(context.folder)
            words, until_s = tuple(trace.describe()), trace.window_s
            if trace.start is not None:
                words += (f"its first instant is {trace.start:%Y-%m-%d %H:%M} UTC; it is replayed from t = 0",)
            parts = (
                () if context.region is None else tuple(_parts(self, group, trace, context.catalogue, context.region))
            )
        except TraceError as error:
            return Split(issues=tuple(self._faults(place, context.folder, error)))
        except _SizeFault as fault:
            related = (place, *((*around, key) for key in ("size", "os", "priority")), ("prices",))
            issue = Issue((*around, *fault.place), fault.problem, fault.hint, related_paths=related)
            return Split(words=words, known_until_s=until_s, issues=(issue,))
        return Split(parts=parts, words=words, known_until_s=until_s, left_out=trace.left_out)

    def _open(self, folder: FilePath) -> Trace:
        same = ("machine_vcpus", "machine_memory_gib", "over_vcpus", "over_memory_gib")
        given = {"window_s": self.window, "origin_s": self.origin, "columns": dict(self.columns)}
        given |= {name: getattr(self, name) for name in same}
        known = {name: value for name, value in given.items() if value is not None}
        return open_trace(folder / self.file, self.format, **known)

    def _faults(self, place: Path, folder: FilePath, error: TraceError) -> Iterator[Issue]:
        """Faults inside a trace, reported at the line of the scenario that names it."""
        if not (folder / self.file).exists():
            hint = "the path is relative to the scenario file"
            yield Issue((*place, "file"), f"there is no file {folder / self.file}", hint, self.file, (place,))
            return
        for fault in error.faults[:MOST_FAULTS]:
            where = [f"line {fault.line}"] if fault.line is not None else []
            words = ": ".join(part for part in (*where, fault.field, fault.problem) if part)
            yield Issue((*place, "file"), f"{self.file}: {words}", fault.hint, self.file, (place,))


# --- the VMs of a trace by size -------------------------------------------------------------------------------------


class _SizeFault(Exception):
    """A size of the scenario that can't stand for the VMs of a trace."""

    def __init__(self, place: Path, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.place, self.problem, self.hint = place, problem, hint


def _parts(section: TraceSection, group: GroupFacts, trace: Trace, catalogue: Catalogue, region: str) -> Iterator[Part]:
    """The VMs of a trace, one part for each size and priority that is in it."""
    blocks = [block[["created_s", "lifetime_s", "size", "priority"]] for block in trace.blocks()]
    rows = np.concatenate(blocks)
    own = "priority" in group.model_fields_set
    priorities = np.full(len(rows), PRIORITIES.index(group.priority), dtype=np.int8) if own else rows["priority"]
    parts: dict[tuple[str, str], Any] = {}  # whose rows
    for code in np.unique(priorities).tolist():
        priority = PRIORITIES[code]
        mine = priorities == code
        kinds = np.unique(rows["size"][mine])
        vm_sizes = [trace.vm_sizes[kind] for kind in kinds.tolist()]
        sizes = _sizes_for(vm_sizes, section, group, catalogue, region, priority)
        of_kind = np.full(len(trace.vm_sizes), -1)
        names = sorted(set(sizes))
        of_kind[kinds] = [names.index(size) for size in sizes]
        of_row = np.where(mine, of_kind[rows["size"]], -1)
        for place, name in enumerate(names):
            parts[name, priority] = of_row == place
    _check_used(section, trace)
    sized = [(catalogue.get_size(name), priority) for name, priority in parts]
    for size, priority in sorted(sized, key=lambda of: (of[0].vcpus or 0, of[0].memory_gib or 0, of[0].name, of[1])):
        name = size.name
        part = rows[parts[name, priority]]
        suffix = "-spot" if priority == "spot" and not own else ""
        yield Part(
            # A trace of one kind of VM keeps the group's name, and so its VMs the usual names.
            suffix="" if len(parts) == 1 else f"-{short_size(name)}{suffix}",
            size=size,
            priority=priority,
            demand=Replay(born_s=tuple(part["created_s"].tolist()), lifetime_s=tuple(part["lifetime_s"].tolist())),
        )


def short_size(name: str) -> str:
    """A size's name without the word that all have.

    >>> short_size("Standard_D4s_v5")
    'D4s_v5'
    """
    return name.removeprefix("Standard_").replace(" ", "_")


def _sizes_for(
    vm_sizes: Sequence[VmSize],
    section: TraceSection,
    group: GroupFacts,
    catalogue: Catalogue,
    region: str,
    priority: str,
) -> list[str]:
    """The size for each kind of VM: the group's, if it names one; else as `trace.sizes` says."""
    if "size" in group.model_fields_set:
        with _refused_at("size"):
            return [catalogue.get_size(group.size).name] * len(vm_sizes)
    with _refused_at("trace", "sizes"):
        asked = {place: _asked_for(shape, section) for place, shape in enumerate(vm_sizes)}
        named = {place: catalogue.get_size(size).name for place, size in asked.items() if size is not None}
        rest = [shape for place, shape in enumerate(vm_sizes) if place not in named]
        pool = section.sizes.pool
        mapped = iter(map_sizes(rest, catalogue, region, os=group.os, priority=priority, pool=pool) if rest else ())
    return [named.get(place) or next(mapped) for place in range(len(vm_sizes))]


@contextmanager
def _refused_at(*place: str) -> Iterator[None]:
    """What the price list has no size for, as a fault of the key that asks for it."""
    try:
        yield
    except CatalogueError as error:
        raise _SizeFault(place, *_halves(str(error))) from None
    except TraceError as error:
        first, more = error.faults[0], len(error.faults) - 1
        problem, hint = _halves(first.problem)
        hint = hint or f'name a size for it: sizes = {{ "{_key(first.value)}" = "Standard_D4s_v5" }}'
        raise _SizeFault(
            place, problem + (f" (and {how_many(more, 'kind of VM')} more)" if more else ""), hint
        ) from None


def _key(shape: object) -> str:
    """A kind of VM as `trace.sizes` names it."""
    words = str(shape)
    return words.split(" (")[0] if not words[:1].isdigit() else words.replace(" vCPU, ", "/").replace(" GiB", "")


def _asked_for(shape: VmSize, section: TraceSection) -> str | None:
    for name, size in section.sizes.by_name:
        if shape.size and size_key(shape.size) == size_key(name):
            return size
    for vcpus, memory_gib, size in section.sizes.by_room:
        if _is_like(shape, vcpus, memory_gib):
            return size
    return None


def _is_like(shape: VmSize, vcpus: float, memory_gib: float) -> bool:
    # Shares of a machine have many digits, and few are written.
    return math.isclose(shape.vcpus or 0, vcpus, rel_tol=1e-3) and math.isclose(
        shape.memory_gib or 0, memory_gib, rel_tol=1e-3
    )


def _check_used(section: TraceSection, trace: Trace) -> None:
    """A kind of VM that the trace doesn't have is a typing error."""
    sizes = section.sizes
    names = {size_key(shape.size) for shape in trace.vm_sizes}
    lost = [
        f"{vcpus:g}/{gib:g}"
        for vcpus, gib, _ in sizes.by_room
        if not any(_is_like(shape, vcpus, gib) for shape in trace.vm_sizes)
    ]
    lost += [name for name, _ in sizes.by_name if size_key(name) not in names]
    if lost:
        has = list_words((_key(shape) for shape in trace.vm_sizes[:8]), "and")
        more = f" and {len(trace.vm_sizes) - 8} more" if len(trace.vm_sizes) > 8 else ""
        raise _SizeFault(("trace", "sizes"), f"{show_value(lost[0])}: the trace has no such VM", f"it has {has}{more}")


def _halves(said: str) -> tuple[str, str]:
    problem, _, hint = said.partition(": ")
    return problem, hint
