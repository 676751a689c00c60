"""Small fleets for tests: plans of constant durations, runs with all their output, and the comparison of two runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from sim.distributions.kinds import Constant, Distribution
from sim.engines.events import EventColumns
from sim.engines.group_setup import FleetRun
from sim.engines.simulate import simulate
from sim.lifecycle.power import PowerState
from sim.model.plan import FleetPlan, GroupPlan
from sim.runs.metrics import possible_metrics
from sim.units import SECONDS_PER_HOUR
from sim.usage.ledger import GroupUsage

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR, DAY = 3600.0, 86400.0
NAMES = frozenset(possible_metrics())  # a result can't be written with a count that has no row among them


def always(seconds: float) -> Distribution:
    """A duration that leaves nothing to chance."""
    return Constant(value=float(seconds))


# Each step takes a different time, so that a sum of times identifies the steps.
STEPS: dict[str, Distribution] = {
    "allocating": always(10),
    "starting": always(25),
    "os_provisioning": always(40),
    "extensions": always(5),
    "stopping": always(20),
    "deallocating": always(45),
    "restarting": always(30),
    "updating": always(35),
    "deleting": always(44),
}
BORN = 10.0 + 25 + 40 + 5  # from the request to Succeeded
STARTED = 10.0 + 25  # from the request of a start to Running, where hardware has to be found


def group(name: str = "g", **changes: Any) -> GroupPlan:
    """One VM, always on, that nothing happens to; *changes* replace fields, `steps` single durations."""
    steps = STEPS | changes.pop("steps", {})
    fields: dict[str, Any] = {"name": name, "count": 1, "durations_s": steps, "reaction_s": always(600)}
    return GroupPlan(**(fields | changes))


def fleet(*groups: GroupPlan, hours: float = 24.0, start: datetime = MONDAY, warm_up_s: float = 0.0, **changes: Any) -> FleetPlan:  # fmt: skip
    """A plan of those groups, or of one group of those *changes*."""
    return FleetPlan(
        start=start, horizon_s=hours * SECONDS_PER_HOUR, warm_up_s=warm_up_s, groups=groups or (group(**changes),)
    )


@dataclass(frozen=True, slots=True)
class RunOutput:
    """A run and all its output."""

    run: FleetRun
    events: tuple[tuple[Any, ...], ...]

    @property
    def usage(self) -> GroupUsage:
        """The ledger of the whole fleet."""
        return self.run.fleet

    def seconds(self, state: PowerState) -> float:
        """VM seconds in a state."""
        return self.usage.hours(state) * SECONDS_PER_HOUR

    def count(self, name: str) -> int:
        """How often something was counted; 0 if it was not."""
        return self.usage.counts.get(name, 0)

    def timeline(self, vm: str = "g-0000") -> list[tuple[float, str]]:
        """The power states that a VM entered, and when (s); "" is gone."""
        return list(dict(self.run.vm_timelines).get(vm, ()))

    def operations(self, vm: str = "g-0000") -> list[tuple[float, str, str]]:
        """What became of each operation on a VM: (s, operation, accepted or succeeded or the failure's code)."""
        return [
            (row[0], row[5], row[6] if row[4] == "failed" else row[4])
            for row in self.events
            if row[1] == vm and row[2] == "operation"
        ]

    def power(self) -> list[tuple[Any, ...]]:
        """Every move between power states, with its VM."""
        return [(row[0], row[1], row[3], row[4]) for row in self.events if row[2] == "power"]


def rows(events: EventColumns) -> list[tuple[Any, ...]]:
    """Events row by row: (t_s, vm, kind, from, to, operation, code)."""
    columns = [[None if place < 0 else values[place] for place in places] for places, values in events.columns]
    return list(zip(events.t_s.tolist(), *columns, strict=True))


def run_until(
    plan: FleetPlan, engine: str = "simpy", *, seed: int = 1, replication: int = 0, threads: int = 1
) -> RunOutput:
    """One replication, with events and VM timelines."""
    events: list[Any] = []
    run = simulate(
        plan, seed=seed, replication=replication, engine=engine, events=lambda some: events.extend(rows(some)),
        vm_timelines=10**6, threads=threads,
    )  # fmt: skip
    for usage in (*run.usages.values(), run.fleet):
        nameless = {*usage.counts, *usage.amounts} - NAMES
        assert not nameless, f"counted without a row in the registry of metrics: {nameless}"
    return RunOutput(run, tuple(events))


def differences(one: RunOutput, other: RunOutput) -> list[str]:
    """Where two runs differ in a bit of what a user may see: nothing, if they are the same."""
    found: list[str] = []
    names = sorted(one.run.usages.keys() | other.run.usages.keys())
    for name in (*names, ""):
        a = one.run.usages.get(name) if name else one.run.fleet
        b = other.run.usages.get(name) if name else other.run.fleet
        if a is None or b is None:
            found.append(f"group {name!r} is missing")
            continue
        if not np.array_equal(a.cells, b.cells):
            hour, column = np.argwhere(a.cells != b.cells)[0]
            found.append(f"{name!r}: hour {hour}, column {column}: {a.cells[hour, column]} != {b.cells[hour, column]}")
        if dict(a.counts) != dict(b.counts):
            unlike = {k: (a.counts.get(k), b.counts.get(k)) for k in {*a.counts, *b.counts}}
            found.append(f"{name!r}: counts { ({k: v for k, v in unlike.items() if v[0] != v[1]}) }")
        if dict(a.amounts) != dict(b.amounts):
            found.append(f"{name!r}: amounts {dict(a.amounts)} != {dict(b.amounts)}")
        waits = [[sorted(r.waits.tolist()), r.late, r.never] for r in (a.ready, b.ready)]
        if waits[0] != waits[1]:
            found.append(f"{name!r}: waits {waits[0]} != {waits[1]}")
        peaks = (a.peak_allocated, a.peak_running), (b.peak_allocated, b.peak_running)
        if peaks[0] != peaks[1]:
            found.append(f"{name!r}: peaks {peaks[0]} != {peaks[1]}")
    if one.events != other.events:
        at = next((i for i, (a, b) in enumerate(zip(one.events, other.events, strict=False)) if a != b), -1)
        found.append(f"events: {len(one.events)} and {len(other.events)}, first unlike is number {at}")
    if one.run.vm_timelines != other.run.vm_timelines:
        found.append("timelines")
    return found


def run_both(plan: FleetPlan, **how: Any) -> RunOutput:
    """The run, after both engines have agreed on it to the last bit."""
    one, other = run_until(plan, "simpy", **how), run_until(plan, "compiled", **how)
    assert not differences(one, other), differences(one, other)
    return one


def with_groups(plan: FleetPlan, *groups: GroupPlan) -> FleetPlan:
    """The same run of other groups."""
    return replace(plan, groups=groups)
