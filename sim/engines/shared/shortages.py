"""When hardware is short, and for whom: the same for every VM, whatever VMs do.

A shortage goes on and off by itself, so its times are known when a replication begins. Each attempt to find hardware is then
refused with a probability that depends on the instant, the group and the VM's zone alone.
"""

from collections.abc import Iterator, MutableSequence, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from sim.distributions import streams
from sim.distributions.samplers import compile_samplers, evaluate
from sim.engines.shared.linked_list import Cells
from sim.model.faults.shortage import Shortage
from sim.model.plan import FleetPlan

STREAMS = ("time_between", "lasts")
AT_ONCE = 64  # spells drawn together

Numbers = MutableSequence[float]


class Shortages(NamedTuple):
    """The shortages of one replication."""

    # By group: those that concern it have rows `of[of_from[g]] ... `; the zones that its VMs take in turn, as bits
    of_from: Cells
    of: Cells
    zones_from: Cells
    zone_of: Cells
    # By shortage: the zones that it concerns, as bits (0: all); spells from `spells_from[s]` on
    zones: Cells
    spells_from: Cells
    spared: Numbers  # probability that an attempt isn't refused
    begins_s: Numbers
    ends_s: Numbers


def refusal(shortages: Shortages, group: int, vm: int, now_s: float) -> float:
    """The probability that the VM of that number in its group is refused hardware now."""
    spared = 1.0
    first, zones = shortages.zones_from[group], shortages.zones_from[group + 1] - shortages.zones_from[group]
    zone = shortages.zone_of[first + vm % zones] if zones > 0 else 0
    for place in range(shortages.of_from[group], shortages.of_from[group + 1]):
        row = shortages.of[place]
        if shortages.zones[row] != 0 and shortages.zones[row] & zone == 0:
            continue
        low, high = shortages.spells_from[row], shortages.spells_from[row + 1]
        while low < high:  # the spells that have begun
            middle = (low + high) >> 1
            if shortages.begins_s[middle] <= now_s:
                low = middle + 1
            else:
                high = middle
        if low > shortages.spells_from[row] and now_s < shortages.ends_s[low - 1]:
            spared *= shortages.spared[row]
    return 1.0 - spared


RULES = (refusal,)


def shortages_of(plan: FleetPlan, root: int) -> Shortages:
    """The shortages of a replication, whose key is *root*, up to the horizon."""
    every = plan.platform.shortages if plan.platform is not None else ()
    concerned = [[row for row, one in enumerate(every) if group.name in one.groups] for group in plan.groups]
    spells = [list(_spells(one, root, plan.horizon_s)) for one in every]
    return Shortages(
        of_from=[*accumulate(map(len, concerned), initial=0)],
        of=[row for rows in concerned for row in rows],
        zones_from=[*accumulate((len(group.zones) for group in plan.groups), initial=0)],
        zone_of=[1 << zone for group in plan.groups for zone in group.zones],
        zones=[sum(1 << zone for zone in one.zones) for one in every],
        spells_from=[*accumulate(map(len, spells), initial=0)],
        spared=[1.0 - one.refuses for one in every],
        begins_s=[begin for own in spells for begin, _ in own],
        ends_s=[end for own in spells for _, end in own],
    )


def _spells(shortage: Shortage, root: int, horizon_s: float) -> Iterator[tuple[float, float]]:
    """(begin, end) of each time that hardware is short (s)."""
    member = streams.member_keys(streams.entity_key(root, f"shortage {shortage.name}"), np.zeros(1, dtype=np.int64))
    keys = [streams.stream_keys(member, name) for name in STREAMS]
    samplers = compile_samplers([shortage.time_between_s, shortage.lasts_s])
    now_s, drawn = 0.0, 0
    while True:
        n = np.arange(drawn, drawn + AT_ONCE)
        columns: Sequence[list[float]] = [
            evaluate(samplers, row, streams.bits(key, n)).tolist() for row, key in enumerate(keys)
        ]
        for between_s, lasts_s in zip(*columns, strict=True):
            begin_s = now_s + between_s
            if begin_s >= horizon_s:
                return
            now_s = begin_s + lasts_s
            yield begin_s, now_s
        drawn += AT_ONCE
