"""The section of a group that replays a real fleet: `[group.trace]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from sim.fields.messages import close_match
from sim.fields.types import Positive, PositiveSeconds, Section, Text, default_field, read_seconds
from sim.traces.formats import FORMATS

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
        if value.tzinfo is None:
            raise ValueError(f"the offset from UTC is missing; write {value.isoformat()}Z if UTC is meant")
        return (value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return read_seconds(value)


SIZES_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ],
    "examples": [AUTO, ["Standard_D*s_v5"], {"1/1.75": "Standard_B1ms"}],
}


class Trace(Section):
    """A real fleet replayed: one VM a row, asked for when it was created and deleted when it was deleted."""

    file: Text = Field(description="The record, plain or gzip; beside the scenario file.")
    format: Annotated[Text, AfterValidator(_format), WithJsonSchema({"type": "string", "enum": list(FORMATS)})] = Field(
        description="What its columns are."
    )
    sizes: Annotated[Sizes, BeforeValidator(_sizes), WithJsonSchema(SIZES_SCHEMA)] = default_field(
        "group.trace.sizes", "Sizes that stand for its VMs: auto, a list to choose from, or a table by kind of VM."
    )
    window: PositiveSeconds | None = Field(
        None, description="How long the fleet was watched; left out: as the format says."
    )
    origin: Annotated[float, BeforeValidator(_origin), WithJsonSchema({"type": "string"})] | None = Field(
        None, description="What its clock shows at t = 0; left out: as the format says."
    )
    columns: Mapping[str, Text] = Field(
        default_factory=dict, description='With format = "columns": meaning -> name in the header.'
    )
    machine_vcpus: Positive | None = Field(
        None, description="vCPUs of a whole machine, where the record has shares of one."
    )
    machine_memory_gib: Positive | None = Field(
        None, description="Memory of a whole machine, where the record has shares of one."
    )
    over_vcpus: Positive | None = Field(None, description='vCPUs that stand for the bucket ">24".')
    over_memory_gib: Positive | None = Field(None, description='GiB that stand for the bucket ">64".')
