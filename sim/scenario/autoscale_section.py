"""The section of a group whose number of VMs follows a load: `[group.autoscale]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from sim.fields.samples import read_samples
from sim.fields.types import (
    NotNegative,
    OneOrMore,
    Positive,
    PositiveSeconds,
    Seconds,
    Section,
    Text,
    TimeZone,
    Whole,
    default_field,
)

MOST_SCALED = 1_000_000
HOURS_OF = {24: "of the day", 168: "of the week from Monday 00:00"}


class Load(Section):
    """What is asked of the VMs together, by hour. Exactly one of hourly, weekly, file."""

    hourly: tuple[NotNegative, ...] | None = Field(
        None, min_length=24, max_length=24, description="Load by hour of the day."
    )
    weekly: tuple[NotNegative, ...] | None = Field(
        None, min_length=168, max_length=168, description="Load by hour of the week from Monday 00:00."
    )
    file: Text | None = Field(None, description="CSV file beside the scenario, a row for each of 24 or 168 hours.")
    column: Text = Field("load", description="Column of the file.")
    _by_hour: tuple[float, ...] = PrivateAttr(())

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        self._by_hour = self.hourly or self.weekly or ()
        given = [key for key in ("hourly", "weekly", "file") if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none"
            raise ValueError(f"exactly one of hourly, weekly, file is needed; given: {found}")
        if self.file is None and "column" in self.model_fields_set:
            raise ValueError("column names a column of a file, and there is no file; leave it out")
        if self.file is not None:
            file = (info.context or {}).get("folder", Path()) / self.file
            self._by_hour = read_samples(file, self.column, what="a load")
            if len(self._by_hour) not in HOURS_OF:
                raise ValueError(
                    f"{file} has {len(self._by_hour)} rows; a load has a row for each of the 24 hours of a day or the 168 of a week"
                )
        return self

    @property
    def by_hour(self) -> tuple[float, ...]:
        """24 or 168 numbers, in the unit of `per_vm`."""
        return self._by_hour


By = Annotated[Whole, Field(ge=1, le=MOST_SCALED)]


class ScaleOut(Section):
    """When to add VMs."""

    above: Positive = Field(description="Load per VM as a share of what one VM serves; above it VMs are added.")
    by: By = default_field("group.autoscale.scale_out.by", "VMs added at once.")
    cooldown: Seconds = default_field(
        "group.autoscale.scale_out.cooldown", "Until the next change, in either direction."
    )


class ScaleIn(Section):
    """When to delete VMs."""

    below: Positive = Field(description="Load per VM as a share of what one VM serves; below it VMs are deleted.")
    by: By = default_field("group.autoscale.scale_in.by", "VMs deleted at once.")
    cooldown: Seconds = default_field(
        "group.autoscale.scale_in.cooldown", "Until the next change, in either direction."
    )


class Autoscale(Section):
    """The number of VMs follows a load; it replaces `count`."""

    load: Load = Field(description="What is asked of the VMs together, by hour.")
    per_vm: Positive = Field(description="Load that one VM serves.")
    min: Annotated[Whole, Field(ge=0, le=MOST_SCALED)] = Field(description="Fewest VMs; as many at t = 0.")
    max: Annotated[Whole, Field(ge=1, le=MOST_SCALED)] = Field(description="Most VMs.")
    tick: PositiveSeconds = default_field("group.autoscale.tick", "How often the engine looks.")
    scale_out: Annotated[tuple[ScaleOut, ...], OneOrMore()] = Field(
        (), description="One rule or several: any of them true adds VMs."
    )
    scale_in: Annotated[tuple[ScaleIn, ...], OneOrMore()] = Field(
        (), description="One rule or several: all of them true delete VMs."
    )
    time_zone: TimeZone = default_field("group.autoscale.time_zone", "Whose hours the load means.")
