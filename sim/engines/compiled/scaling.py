"""Autoscalers in the compiled event loop: looks at the load, VMs requested and deleted, and the meter of the load.

Does what `sim.engines.simpy.autoscaling` does.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from sim.distributions.streams import GOLDEN

# isort: off
from sim.engines.compiled.disruptions import GIVING, interrupt
from sim.engines.compiled.event_queue import push, push_vm
from sim.engines.compiled.layout import (
    ASKED, COOLS_UNTIL_S, DELETED, EXISTING, FREE, IN_SERVICE, LOAD_LINES, MADE, METER_S, NEWER, NEWEST, NOT_SCALED, OLDER,
    SCALED_GROUP, SERVING, T, SCALED_IN, SCALED_OUT, STAGE, STATE, STRETCH, TICK_S, Events, Ledger, Notes, Queue, Run, SamplerTables, Scaled,
    Tables, Vms,
)  # fmt: skip

# isort: on
from sim.engines.compiled.vm_loop import OPTIONS, begin, compiled, inlined, mix
from sim.engines.shared import autoscale
from sim.engines.shared.autoscale import NO_RULE
from sim.engines.shared.priorities import INTERRUPTS, TICKS
from sim.engines.shared.room import HOST, LEAVES, NOWHERE, UNIT, VM_COLUMNS
from sim.units import TICKS_PER_SECOND

for rule in autoscale.RULES:
    register_jitable(**OPTIONS)(rule)

_GOLDEN = np.uint64(GOLDEN)


@inlined
def _ticks(seconds: float) -> int:
    return int(seconds * TICKS_PER_SECOND + 0.5)


@inlined
def _pass(place: int, to_s: float, scaled: Scaled, run: Run) -> None:
    """The load and the VMs in service have been what they are up to an instant."""
    ints, meter_s = scaled.groups[place], scaled.groups_s[place, METER_S]
    ticks = _ticks(max(to_s, run.start_s)) - _ticks(max(meter_s, run.start_s))
    if ticks != 0:
        line = ints[LOAD_LINES]
        last = line - 1
        lines = scaled.lines[place]
        if line > 0 and lines[last, 0] == ints[STRETCH] and lines[last, 1] == ints[IN_SERVICE]:
            lines[last, 2] += ticks
        else:
            lines[line, 0] = ints[STRETCH]
            lines[line, 1] = ints[IN_SERVICE]
            lines[line, 2] = ticks
            ints[LOAD_LINES] = line + 1
    scaled.groups_s[place, METER_S] = to_s


@compiled
def meter_load(place: int, to_s: float, scaled: Scaled, run: Run) -> None:
    """Time has passed; the load is that of the instant then."""
    ints = scaled.groups[place]
    while scaled.until_s[place, ints[STRETCH]] <= to_s:
        _pass(place, scaled.until_s[place, ints[STRETCH]], scaled, run)
        ints[STRETCH] += 1
    _pass(place, to_s, scaled, run)


@inlined
def lines_left(scaled: Scaled) -> int:
    """How many more stretches of one load and one number of VMs in service can be written down, of any group."""
    left = scaled.lines.shape[1]
    for place in range(len(scaled.groups)):
        left = min(left, scaled.lines.shape[1] - scaled.groups[place, LOAD_LINES])
    return left  # type: ignore[no-any-return]


@inlined
def unlink_newest(slot: int, place: int, scaled: Scaled, vms: Vms) -> None:
    """A VM doesn't count any more among those that an autoscaler has."""
    ints, groups = vms.ints, scaled.groups
    older, newer = ints[slot, OLDER], ints[slot, NEWER]
    if newer == NOT_SCALED:
        return
    if newer >= 0:
        ints[newer, OLDER] = older
    else:
        groups[place, NEWEST] = older
    if older >= 0:
        ints[older, NEWER] = newer
    ints[slot, NEWER] = NOT_SCALED
    groups[place, EXISTING] -= 1


@compiled
def meter_vm(
    slot: int, place: int, served: int, ended: bool, scaled: Scaled, tables: Tables, run: Run, vms: Vms
) -> None:
    """A VM has moved, at one instant: it may have come into service, or left it, or ended."""
    change = tables.states[vms.ints[slot, STATE], SERVING] - served
    if change != 0:
        meter_load(place, vms.floats[slot, T], scaled, run)
        scaled.groups[place, IN_SERVICE] += change
    if ended:
        unlink_newest(slot, place, scaled, vms)


@compiled
def _grow(
    place: int, more: int, now: float, scaled: Scaled, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger,
    events: Events, queue: Queue, places: np.ndarray,
) -> None:  # fmt: skip
    """So many VMs are requested now."""
    ints, groups, birth = vms.ints, scaled.groups, scaled.birth
    for _ in range(more):
        index = groups[place, MADE]
        groups[place, MADE] = index + 1
        birth.born_s[0] = now
        birth.group[0] = groups[place, SCALED_GROUP]
        birth.vm[0] = index
        birth.key[0] = mix(scaled.keys[place] + _GOLDEN * np.uint64(index + 1))
        queue.progress[FREE] -= 1
        slot = queue.free_slots[queue.progress[FREE]]
        row = slot * VM_COLUMNS
        places[row + HOST] = NOWHERE
        places[row + UNIT] = -1
        places[row + LEAVES] = NOWHERE
        ints[slot, ASKED] = begin(slot, 0, birth, tables, samplers, run, vms, ledger, events)
        newest = groups[place, NEWEST]
        ints[slot, OLDER] = newest
        ints[slot, NEWER] = -1
        if newest >= 0:
            ints[newest, NEWER] = slot
        groups[place, NEWEST] = slot
        groups[place, EXISTING] += 1
        push_vm(now, INTERRUPTS, slot, ints, queue)


@compiled
def _shrink(
    place: int, by: int, now: float, scaled: Scaled, tables: Tables, vms: Vms, queue: Queue, notes: Notes
) -> None:
    """Delete the newest VMs, of those that can be deleted now."""
    ints, slot = vms.ints, scaled.groups[place, NEWEST]
    while by > 0 and slot >= 0:
        older, transition = ints[slot, OLDER], tables.states[ints[slot, STATE], DELETED]
        if transition >= 0 and ints[slot, ASKED] < 0 and ints[slot, STAGE] < GIVING:
            interrupt(slot, transition, now, TICKS + scaled.groups[place, SCALED_GROUP], vms, queue, notes)
            unlink_newest(slot, place, scaled, vms)
            by -= 1
        slot = older


@compiled
def start_scaling(scaled: Scaled, queue: Queue) -> None:
    """Every autoscaler requests its first VMs at the beginning."""
    for place in range(len(scaled.groups)):
        push(0.0, TICKS + scaled.groups[place, SCALED_GROUP], place, queue)


@compiled
def look(
    place: int, now: float, scaled: Scaled, tables: Tables, samplers: SamplerTables, run: Run, vms: Vms, ledger: Ledger, events: Events,
    queue: Queue, notes: Notes, places: np.ndarray,
) -> None:  # fmt: skip
    """An autoscaler looks at its load, and requests VMs or deletes the newest."""
    ints, rules = scaled.groups[place], scaled.rules
    meter_load(place, now, scaled, run)
    missing = max(0, rules.minimum[place] - ints[EXISTING])  # if some were lost: no rule fires, no cooldown holds it up
    _grow(place, missing, now, scaled, tables, samplers, run, vms, ledger, events, queue, places)
    if now > 0.0:
        existing, load = ints[EXISTING], scaled.loads[place, ints[STRETCH]]
        quiet_until_s = scaled.groups_s[place, COOLS_UNTIL_S]
        wanted, rule = autoscale.decide(rules, place, load, existing, ints[IN_SERVICE], now, quiet_until_s)
        if rule != NO_RULE:
            scaled.groups_s[place, COOLS_UNTIL_S] = now + rules.cooldown_s[rule]
            counted = SCALED_OUT if wanted > existing else SCALED_IN
            if now >= run.start_s:
                ints[counted] += 1
            if wanted > existing:
                more = wanted - existing
                _grow(place, more, now, scaled, tables, samplers, run, vms, ledger, events, queue, places)
            else:
                _shrink(place, existing - wanted, now, scaled, tables, vms, queue, notes)
    due_s = now + scaled.groups_s[place, TICK_S]
    if due_s < np.nextafter(run.horizon_s, 0.0):
        push(due_s, TICKS + ints[SCALED_GROUP], place, queue)
