"""The difference in cost of two runs by cause, replication by replication (`sim.billing.causes`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from sim.billing.causes import CAUSES, CausedCost, split_difference
from sim.billing.money import to_usd
from sim.engines.group_setup import GroupSetup, set_up
from sim.runs.metrics import FLEET
from sim.runs.replication import Replication
from sim.runs.run_result import RunResult
from sim.statistics.intervals import NO_BOUNDS, Interval, estimate_mean
from sim.usage.ledger import to_ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class CausedDifference:
    """What one cause changes in the cost of one group: nano-dollars in each replication."""

    group: str
    cause: str
    nanos: tuple[int, ...]

    def interval(self, confidence: float) -> Interval:
        """The mean in the price list's currency, with its interval."""
        return estimate_mean([to_usd(nano) for nano in self.nanos], confidence, NO_BOUNDS).interval


def difference_by_cause(base: RunResult, variant: RunResult) -> tuple[CausedDifference, ...]:
    """Variant minus base in `cost.total`, by group (group "" first: the whole fleet) and cause; what changes nothing is left out.

    In each replication the causes of the fleet add up to the difference to the last nano-dollar; of a group, to that of its lines.
    """
    times = [_window_ticks(run) for run in (base, variant)]
    period = Fraction(times[1], times[0]) if times[0] else Fraction(1)
    found: dict[tuple[str, str], list[int]] = {}
    for place, pair in enumerate(zip(base.replications, variant.replications, strict=True)):
        split = split_difference(_costs(base, pair[0]), _costs(variant, pair[1]), period)
        for group, parts in split.items():
            for cause, nano in parts.items():
                # Commitments belong to the fleet alone.
                for key in {(FLEET, cause), (group, cause)}:
                    found.setdefault(key, [0] * base.n)[place] += nano
    ordered = sorted(found, key=lambda key: (key[0] != FLEET, [*CAUSES].index(key[1])))
    return tuple(
        CausedDifference(group=group, cause=cause, nanos=tuple(found[group, cause]))
        for group, cause in ordered
        if any(found[group, cause])
    )


CAUSE_COLUMNS = ("group", "cause", "label", "mean", "low", "high")


def cause_rows(causes: tuple[CausedDifference, ...], confidence: float) -> Iterator[dict[str, Any]]:
    """A row for each group and cause, for tables."""
    for each in causes:
        found = each.interval(confidence)
        cells = each.group, each.cause, CAUSES[each.cause].label, found.mean, found.low, found.high
        yield dict(zip(CAUSE_COLUMNS, cells, strict=True))


def _window_ticks(run: RunResult) -> int:
    plan = run.inputs.plan
    return to_ticks(plan.horizon_s) - to_ticks(plan.warm_up_s)


def _costs(run: RunResult, replication: Replication) -> Mapping[str, CausedCost]:
    """What each group's cost comes from; VMs of a group that are simulated apart (spot beside regular) are one."""
    plan = run.inputs.plan
    lines: dict[str, list[Any]] = {}
    for line in replication.bill:
        lines.setdefault(line.group, []).append(line)
    found = {FLEET: CausedCost(lines=tuple(lines.get(FLEET, ())))}
    setups: list[GroupSetup] = []
    for place, group in enumerate(plan.groups):
        used = replication.used[group.name]
        if group.demand.is_scaled or group.part_of:
            vm_ticks = used.needed
        elif group.count or group.count_steps:
            vm_ticks = _counted_ticks(group.count, group.count_steps, plan.warm_up_s, plan.horizon_s)
        else:
            setups = setups or set_up(plan, seed=run.seed, replication=replication.number)
            born = sum(int(np.count_nonzero(block >= plan.warm_up_s)) for block in setups[place].births())
            vm_ticks = born * _window_ticks(run)
        own = CausedCost(vm_ticks=vm_ticks, used=used, lines=tuple(lines.get(group.name, ())))
        name = group.part_of or group.name
        found[name] = found[name].joined(own) if name in found else own
    return found


def _counted_ticks(count: int, steps: tuple[tuple[float, int], ...], start_s: float, end_s: float) -> int:
    """Number of VMs times time, from the end of the warm-up to the horizon."""
    total, since = 0, 0.0
    for at_s, following in (*steps, (end_s, 0)):
        total += count * max(0, to_ticks(at_s) - max(to_ticks(since), to_ticks(start_s)))
        since, count = at_s, following
    return total
