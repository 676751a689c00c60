"""One replication: a fleet is simulated over its horizon once, counted, and billed.

`replicate` is a pure function of (inputs, seed, number): in whatever process or order it is called, it gives the same
bits. Parallel runs, clusters and resuming follow from that alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.billing.daily_cost import NO_COST, DailyCost, cost_by_day
from sim.billing.meters import BillLine
from sim.billing.rating import Rating
from sim.billing.uptime import Uptime
from sim.engines.simulate import simulate
from sim.engines.stays import StayRecorder, can_be_down, power_of, reach_of
from sim.lifecycle.policy import get_policy
from sim.runs.event_writer import EventWriter
from sim.runs.metrics import FLEET, RatedUsage, metrics_of
from sim.runs.rate_replication import forgotten_costs, needs_stays, rate_replication, uptimes_of
from sim.runs.results import CommitmentHours
from sim.runs.simulation_input import SimulationInput
from sim.units import SECONDS_PER_HOUR
from sim.usage.ledger import GroupUsage, UsedTicks

READY_POINTS = 100  # of the time until k of n VMs are ready
TIMELINES_PER_GROUP = 12  # VMs whose states are kept for the figure of single VMs ...
TIMELINES_UNTIL_S = 7 * 86_400.0  # ... during the first week of replication 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """VMs of one group by state: the time average in each clock hour that is counted."""

    first_hour: int  # clock hour from that of t = 0 of the first row; the warm-up's hours are left out
    vms: NDArray[np.float64]  # shape (hours, states), states in the order of `PowerState`


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """What is kept of one replication: every metric of every group (the fleet is group ""), the bill, the timeline."""

    number: int
    engine: str
    engine_why: str = ""
    metrics: Mapping[str, Mapping[str, float]]
    bill: tuple[BillLine, ...]
    timeline: Mapping[str, Timeline]
    vm_timelines: tuple[tuple[str, float, str], ...] = ()  # (VM, seconds, state entered); "" = deleted
    ready_curve: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)  # by group: `ReadyTimes.curve`
    daily_cost: DailyCost = NO_COST
    used: Mapping[str, UsedTicks] = field(default_factory=dict)  # by group, without the fleet
    vms: int = 0  # requested in all, where there are timelines: these are of the first ones of each group
    uptimes: tuple[Uptime, ...] = ()  # empty where nothing in the plan can take a VM away from its user
    commitment_hours: tuple[CommitmentHours, ...] = ()  # of replication 0


def replicate(
    inputs: SimulationInput,
    seed: int,
    number: int,
    *,
    engine: str = "auto",
    events: Path | None = None,
    threads: int = 1,
) -> Replication:
    """Simulate and rate replication *number*, in so many threads; *events* names a Parquet file that gets every event."""
    powers = StayRecorder(power_of) if needs_stays(inputs) else None
    reach = StayRecorder(reach_of) if can_be_down(inputs.plan) else None
    with EventWriter(events, number) as writer:
        run = simulate(
            inputs.plan,
            seed=seed,
            replication=number,
            engine=engine,
            events=writer.take if events is not None else None,
            vm_timelines=TIMELINES_PER_GROUP if number == 0 else 0,
            threads=threads,
            listeners=[each.listen for each in (powers, reach) if each is not None],
        )
    policy = get_policy(inputs.billing_policy)
    horizon_s = inputs.plan.horizon_s
    rating = rate_replication(inputs, run.usages, powers.stays(horizon_s) if powers else None)
    uptimes = uptimes_of(inputs, rating, reach.stays(horizon_s)) if reach else None
    bill = rating.bill
    usages = {FLEET: run.fleet, **run.usages}
    forgotten = forgotten_costs(inputs, run.usages)
    metrics = {
        group: metrics_of(RatedUsage(usage, bill, policy, uptimes, forgotten)) for group, usage in usages.items()
    }
    return Replication(
        number=number,
        engine=run.engine,
        engine_why=run.why,
        metrics=metrics,
        bill=bill.lines,
        timeline={group: timeline_of(usage) for group, usage in run.usages.items()},
        ready_curve={group: usage.ready.curve(READY_POINTS) for group, usage in usages.items()},
        daily_cost=cost_by_day(rating, inputs.plan.start),
        used={group: usage.used(policy) for group, usage in run.usages.items()},
        vm_timelines=tuple(
            (vm, when_s, str(state))
            for vm, moves in run.vm_timelines
            for when_s, state in moves
            if when_s < TIMELINES_UNTIL_S
        ),
        vms=run.vms,
        uptimes=tuple(uptimes or ()),
        commitment_hours=commitment_hours(rating) if number == 0 else (),
    )


def commitment_hours(rating: Rating) -> tuple[CommitmentHours, ...]:
    """What was used of each commitment in each clock hour that is counted."""
    counted = np.flatnonzero(rating.window > 0.0)
    first = int(counted[0]) if len(counted) else 0
    return tuple(
        CommitmentHours(
            name=spent.commitment.name,
            unit=spent.unit,
            first_hour=first,
            used=spent.used[first:],
            bought=spent.bought[first:],
        )
        for spent in rating.allocation.commitments
    )


def timeline_of(usage: GroupUsage) -> Timeline:
    """Mean number of VMs in each state in each counted clock hour; an hour cut by the window is averaged over its part."""
    start_s, end_s = usage.start_s + usage.into_hour_s, usage.end_s + usage.into_hour_s
    first = int(start_s // SECONDS_PER_HOUR)
    hours = np.arange(len(usage.cells), dtype=np.float64)
    begins_h = np.maximum(hours, start_s / SECONDS_PER_HOUR)
    ends_h = np.minimum(hours + 1.0, end_s / SECONDS_PER_HOUR)
    return Timeline(first_hour=first, vms=usage.hourly_by_state[first:] / (ends_h - begins_h)[first:, None])
