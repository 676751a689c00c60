"""Recorded times at which there was spot capacity: `availability` of `[group.spot]`."""

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Self

import numpy as np
from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from sim.distributions import streams
from sim.fields.messages import close_match, list_words
from sim.fields.samples import find_column, number_in, open_record
from sim.fields.types import Number, Section, Text, default_field
from sim.model.demand.base import Calendar
from sim.units import SHORTEST_CYCLE_S, format_duration

MOST_NAMED = 5  # traces of a file, in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """When there was capacity in a record that is repeated for ever, from an instant of it that is drawn for each replication."""

    length_s: float
    runs_s: tuple[tuple[float, float], ...]  # with capacity, in order

    def calendar(self, group_key: int, horizon_s: float) -> Calendar:
        """When capacity comes and goes in a run."""
        key = streams.stream_keys(np.array([group_key], dtype=np.uint64), "spot.availability")
        offset_s = float(streams.uniforms(streams.bits(key, 0))[0]) * self.length_s
        rounds = range(int((horizon_s + offset_s) / self.length_s) + 1)
        windows = (
            (begin_s + turn * self.length_s - offset_s, end_s + turn * self.length_s - offset_s)
            for turn in rounds
            for begin_s, end_s in self.runs_s
        )
        return Calendar.of_windows(windows, horizon_s)


class AvailabilitySection(Section):
    """Spot capacity as it was recorded: a CSV file with a row for each run of one value, in columns from_s, to_s and the value's."""

    file: Text = Field(description="CSV file beside the scenario.")
    trace: Text | None = Field(None, description="Which record, by the column `trace`, where the file holds several.")
    column: Text = default_field("group.spot.availability.column", "Column of the value.")
    available: Number = default_field("group.spot.availability.available", "The value with which there is capacity.")
    _plan: Availability | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        self._plan = self._of_rows((info.context or {}).get("folder", FilePath()) / self.file)
        return self

    def _of_rows(self, file: FilePath) -> Availability:
        runs: list[tuple[float, float]] = []
        first_s, last_s, seen = -1.0, 0.0, dict.fromkeys([self.trace] if self.trace else [], 0)
        with open_record(file) as (header, rows):
            begins, ends, value = (find_column(header, name, file) for name in ("from_s", "to_s", self.column))
            named = [name.strip() for name in header].index("trace") if "trace" in [n.strip() for n in header] else None
            if named is None and self.trace is not None:
                find_column(header, "trace", file)
            for line, row in rows:
                name = row[named].strip() if named is not None and named < len(row) else ""
                seen[name] = seen.get(name, 0) + 1
                if name != (self.trace if self.trace is not None else next(iter(seen))):
                    continue  # of another trace
                begin_s, end_s = (number_in(row, at, line, file, "a number of seconds") for at in (begins, ends))
                if end_s <= begin_s or (first_s >= 0.0 and begin_s < last_s):
                    raise ValueError(
                        f"row {line} of {file}: a run ends after it begins, and begins after the one before; {begin_s:g} to {end_s:g}"
                    )
                first_s, last_s = (begin_s if first_s < 0.0 else first_s), end_s
                if number_in(row, value, line, file, "a value") == self.available:
                    runs.append((begin_s - first_s, end_s - first_s))
        self._check_names(seen, file)
        if not runs:
            raise ValueError(f"{file}: there is never capacity; no row has {self.column} = {self.available:g}")
        if last_s - first_s < SHORTEST_CYCLE_S:
            raise ValueError(
                f"{file}: the record lasts {last_s - first_s:g} s and is repeated for ever; make it {format_duration(SHORTEST_CYCLE_S)} or longer"
            )
        return Availability(length_s=last_s - first_s, runs_s=tuple(runs))

    def _check_names(self, seen: dict[str, int], file: FilePath) -> None:
        if self.trace is not None and not seen[self.trace]:
            others = list_words([name for name in seen if name != self.trace][:MOST_NAMED], "and")
            meant = close_match(self.trace, [name for name in seen if name != self.trace]) or f"there are {others}"
            raise ValueError(f'{file} has no trace "{self.trace}"; {meant}')
        if self.trace is None and len(seen) > 1:
            raise ValueError(
                f"{file} has {len(seen)} traces, so one must be named; trace is one of {list_words(list(seen)[:MOST_NAMED], 'and')}"
            )

    @property
    def plan(self) -> Availability:
        """The record."""
        assert self._plan is not None
        return self._plan

    def describe(self) -> str:
        """How often there is capacity."""
        plan = self.plan
        share = sum(end_s - begin_s for begin_s, end_s in plan.runs_s) / plan.length_s
        return f"Spot capacity as recorded in {self.trace or self.file}, {100 * share:.3g} % of the time, from an instant drawn for each replication."
