"""VMs whose number follows a load: `[group.autoscale]`."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words
from sim.fields.numbers import how_many
from sim.fields.recurring import Recurring
from sim.fields.samples import read_samples
from sim.fields.types import (
    NotNegative,
    OneOrMore,
    Positive,
    PositiveSeconds,
    Seconds,
    Section,
    Share,
    Text,
    Threshold,
    TimeZone,
    Whole,
    default_field,
)
from sim.model.demand.base import (
    DEMAND_KINDS,
    MOVES_PER_ROUND,
    Demand,
    DemandSection,
    GroupFacts,
    RequestContext,
    by_local_hour,
)
from sim.units import SECONDS_PER_HOUR, format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRule:
    """When the load per VM passes a threshold (a share of what one VM serves), change the number of VMs."""

    threshold: float
    by: int
    cooldown_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscale(Demand):
    """The number of VMs follows a load; an engine looks at it every tick."""

    is_open: ClassVar[bool] = True
    is_scaled: ClassVar[bool] = True
    load: tuple[float, ...]  # by hour of day (24) or of week (168, from Monday), in the unit of `per_vm`
    per_vm: float  # load that one VM serves
    minimum: int
    maximum: int
    tick_s: float
    scale_out: tuple[ScalingRule, ...]  # any of them true: the largest resulting number
    scale_in: tuple[ScalingRule, ...]  # all of them true, and no scale-out: the smallest reduction
    time_zone: str = "UTC"
    minimum_weekly: tuple[int, ...] = ()  # besides `minimum`, by hour of the week (168, from Monday); empty: none
    keep_at_most: int = 0  # deallocated VMs; scale-in deletes what is beyond
    regular_base: int | None = None  # of a mix: as many VMs are regular first ...
    regular_above_base: float = 0.0  # ... and this share of what is above; None: VMs are all of one kind

    @property
    def sets_aside(self) -> bool:
        """Whether scale-in deallocates VMs, as long as there is room for them."""
        return self.keep_at_most > 0

    def stretches(self, start: datetime, horizon_s: float) -> Iterator[tuple[float, float, int]]:
        """Stretches of the run, by their end (s), the load, and the fewest VMs."""
        loads = by_local_hour(self.load, start, horizon_s, self.time_zone)
        fewest = by_local_hour(self.minimum_weekly or (0,) * 24, start, horizon_s, self.time_zone)
        for (_, until_s, load), (*_, least) in zip(loads, fewest, strict=True):
            yield until_s, load, max(self.minimum, int(least))

    def request_times(self, context: RequestContext) -> Iterator[NDArray[np.float64]]:
        """None is known before the run: the autoscaler requests VMs."""
        return iter(())

    @property
    def repeats_h(self) -> int:
        """As many hours as the load, or the least number, has."""
        return max(len(self.load), len(self.minimum_weekly))

    def expected_moves(self, count: int, horizon_s: float) -> float:
        """The autoscaler's looks, and a life a day for each VM that the load needs."""
        return horizon_s / self.tick_s + MOVES_PER_ROUND * self.expected_vms(count, horizon_s)

    def expected_vms(self, count: int, horizon_s: float) -> float:
        """As many as the highest load needs, anew each day."""
        most = min(float(self.maximum), 2.0 * float(max(self.load)) / self.per_vm)
        return most * math.ceil(horizon_s / (24 * SECONDS_PER_HOUR))


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
            file = (info.context or {}).get("folder", FilePath()) / self.file
            self._by_hour = read_samples(file, self.column, what="a load")
            if len(self._by_hour) not in HOURS_OF:
                raise ValueError(
                    f"{file} has {how_many(len(self._by_hour), 'row')}; a load has a row for each of the 24 hours of a day or the 168 of a week"
                )
        return self

    @property
    def by_hour(self) -> tuple[float, ...]:
        """24 or 168 numbers, in the unit of `per_vm`."""
        return self._by_hour


By = Annotated[Whole, Field(ge=1, le=MOST_SCALED)]


class ScaleOut(Section):
    """When to add VMs."""

    above: Threshold = Field(description="Load per VM as a share of what one VM serves; above it VMs are added.")
    by: By = default_field("group.autoscale.scale_out.by", "VMs added at once.")
    cooldown: Seconds = default_field(
        "group.autoscale.scale_out.cooldown", "Until the next change, in either direction."
    )


class ScaleIn(Section):
    """When to delete VMs."""

    below: Threshold = Field(description="Load per VM as a share of what one VM serves; below it VMs are deleted.")
    by: By = default_field("group.autoscale.scale_in.by", "VMs deleted at once.")
    cooldown: Seconds = default_field(
        "group.autoscale.scale_in.cooldown", "Until the next change, in either direction."
    )


@DEMAND_KINDS.register("autoscale")
class AutoscaleSection(DemandSection):
    """The number of VMs follows a load; it replaces `count`."""

    key = "autoscale"
    demand = Autoscale
    takes_when_off = False
    stand_ins = MappingProxyType(
        {
            "load": {"hourly": [0.0] * 24},
            "per_vm": 1.0,
            "min": 1,
            "max": MOST_SCALED,
            "scale_out.above": 1.0,
            "scale_in.below": 5e-324,
        }
    )

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
    time_zone: TimeZone = default_field("group.autoscale.time_zone", "Whose hours the load and min_weekly mean.")
    min_weekly: tuple[Annotated[Whole, Field(ge=0, le=MOST_SCALED)], ...] = Field(
        (), min_length=168, max_length=168, description="Fewest VMs by hour of the week from Monday 00:00, besides min."
    )
    when_off: Literal["delete", "deallocate"] = default_field(
        "group.autoscale.when_off", "What scale-in does: deallocated VMs keep their disks and their quota."
    )
    keep_at_most: Annotated[Whole, Field(ge=1, le=MOST_SCALED)] | None = Field(
        None, description="Deallocated VMs that are kept; scale-in deletes what is beyond. Left out: as many as max."
    )
    regular_base: Annotated[Whole, Field(ge=0, le=MOST_SCALED)] | None = Field(
        None,
        description="Of a mix of regular and spot VMs: as many are regular first. Left out beside regular_above_base: 0.",
    )
    regular_above_base: Share | None = Field(
        None,
        description='Of a mix: share of regular VMs, rounded up, above regular_base; such as "30 %". Left out beside it: 0.',
    )

    @property
    def sets_aside(self) -> bool:
        """Whether scale-in deallocates VMs."""
        return self.when_off == "deallocate"

    @property
    def is_mixed(self) -> bool:
        """Whether some VMs are regular and some are spot."""
        return self.regular_base is not None or self.regular_above_base is not None

    def priorities(self, group: GroupFacts) -> Mapping[str, str]:
        """Of a mix the spot VMs are counted apart."""
        return {"": "regular", "-spot": "spot"} if self.is_mixed else {"": group.priority}

    @property
    def recurring(self) -> Recurring:
        """Looks at the load."""
        return Recurring(keys=("tick",), every_s=self.tick)

    def unused_defaults(self, group: GroupFacts) -> set[str]:
        """A mix has both priorities."""
        return {"group.priority"} if self.is_mixed else set()

    def to_demand(self) -> Autoscale:
        """The load and the rules."""
        return Autoscale(
            load=self.load.by_hour,
            per_vm=self.per_vm,
            minimum=self.min,
            maximum=self.max,
            tick_s=self.tick,
            scale_out=tuple(ScalingRule(threshold=r.above, by=r.by, cooldown_s=r.cooldown) for r in self.scale_out),
            scale_in=tuple(ScalingRule(threshold=r.below, by=r.by, cooldown_s=r.cooldown) for r in self.scale_in),
            time_zone=self.time_zone,
            minimum_weekly=self.min_weekly,
            keep_at_most=(self.keep_at_most or self.max) if self.sets_aside else 0,
            regular_base=(self.regular_base or 0) if self.is_mixed else None,
            regular_above_base=self.regular_above_base or 0.0,
        )

    def describe(self, group: GroupFacts) -> str:
        """The load, the rules, what they can't serve, and what of the group is not used."""
        load = self.load.by_hour
        out = (f"+{r.by} above {r.above:g} (then {format_duration(r.cooldown)} of rest)" for r in self.scale_out)
        into = (f"-{r.by} below {r.below:g} (then {format_duration(r.cooldown)} of rest)" for r in self.scale_in)
        rules = "; ".join(filter(None, (list_words(out, "or"), list_words(into, "and"))))
        words = (
            f"{self.min} to {self.max} VMs follow a load of {min(load):g} to {max(load):g} by hour {HOURS_OF[len(load)]} "
            f"({self.time_zone}), {self.per_vm:g} a VM, looked at every {format_duration(self.tick)}: {rules}."
        )
        if self.min_weekly:
            words += f" At least {min(self.min_weekly)} to {max(self.min_weekly)} of them by hour of the week."
        if self.sets_aside:
            words += (
                f" Scale-in deallocates the newest, of which {self.keep_at_most or self.max} at most are kept, and deletes what is"
                " beyond; scale-out starts those first."
            )
        if self.is_mixed:
            words += (
                f" The first {self.regular_base or 0} VMs are regular, and {100 * (self.regular_above_base or 0):g} % of those above;"
                " the others are spot."
            )
        if max(load) > self.max * self.per_vm:
            words += f" At most {how_many(self.max, 'VM')}: for a load of {self.max * self.per_vm:g}."
        waiting = (key for key, kind in DEMAND_KINDS.items() if kind.waits_for_autoscale)
        unused = [key for key in ("count", "create_over", *waiting) if key in group.model_fields_set]
        if unused:
            words += f" Not used beside autoscale: {list_words(unused, 'and')}."
        return words

    def warn(self) -> list[str]:
        """Rules that never change the number."""
        warnings, most = [], max(self.load.by_hour)
        least = max(self.min, min(self.min_weekly, default=0))
        if least == 0 and not any(self.min_weekly):
            warnings.append("min = 0: while no VM serves there is no load per VM to compare, so none is ever added.")
        elif self.scale_out and most <= least * self.per_vm * min(rule.above for rule in self.scale_out):
            warnings.append(f"The load of {most:g} at most never takes the {least} VMs of min above a scale_out rule.")
        return warnings

    def _check_kept_and_mixed(self, group: GroupFacts, place: Path) -> Iterator[Issue]:
        """What `min_weekly`, `keep_at_most` and a mix contradict."""
        most = max(self.min_weekly, default=0)
        if most > self.max:
            hour, problem = self.min_weekly.index(most), f"{most} is above max = {self.max}"
            yield Issue((*place, "min_weekly", hour), problem, "right is at most max", related_paths=((*place, "max"),))
        if self.keep_at_most is not None and not self.sets_aside:
            problem = f'{self.keep_at_most} has no effect: with when_off = "{self.when_off}" no VM is kept'
            hint = 'write when_off = "deallocate" beside it, or leave it out'
            yield Issue((*place, "keep_at_most"), problem, hint, related_paths=((*place, "when_off"),))
        if self.is_mixed and "priority" in group.model_fields_set:
            key = "regular_base" if self.regular_base is not None else "regular_above_base"
            problem = (
                f'"{group.priority}" and {key} contradict each other: of a mix some VMs are regular and some are spot'
            )
            hint = f"leave priority out, or {key}"
            yield Issue((*place[:-1], "priority"), problem, hint, related_paths=((*place, key),))

    def check(self, group: GroupFacts, place: Path) -> Iterator[Issue]:
        """Bounds in order, a rule at least, and thresholds apart."""
        if self.min > self.max:
            problem = f"{self.min} is above max = {self.max}"
            hint = "right is min <= max"
            yield Issue((*place, "min"), problem, hint, related_paths=((*place, "max"),))
        yield from self._check_kept_and_mixed(group, place)
        if not self.scale_out and not self.scale_in:
            problem = "there is no rule, so the number of VMs would never change"
            hint = "give scale_out, such as { above = 0.7, by = 1 }, and scale_in"
            yield Issue(place, problem, hint, related_paths=((*place, "scale_out"), (*place, "scale_in")))
        if self.scale_out and self.scale_in:
            # One scale-out rule is enough, all scale-in rules are needed.
            out, into = min(rule.above for rule in self.scale_out), min(rule.below for rule in self.scale_in)
            if into >= out:
                yield Issue(
                    (*place, "scale_in"),
                    f"below = {into:g} is not under above = {out:g} of scale_out, so VMs would be added and deleted in turn",
                    "keep the thresholds apart, such as above = 0.7 and below = 0.3",
                    related_paths=((*place, "scale_out"),),
                )
