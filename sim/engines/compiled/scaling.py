"""Autoscalers in the compiled event loop: looks at the load, VMs requested and deleted, and the meter of the load.

Does what `sim.engines.simpy.autoscaling` does.
"""

import numpy as np

from sim.distributions.streams import GOLDEN
from sim.engines.compiled.compiler import compile_rules, compiled, inlined
from sim.engines.compiled.demand import mix

# isort: off
from sim.engines.compiled.disruptions import GIVING, interrupt
from sim.engines.compiled.event_queue import begin_in_slot, push, push_vm
from sim.engines.compiled.layout import (
    ASKED, BIRTH, COOLS_UNTIL_S, DOWN, EDGE, EXISTING, IN_SERVICE, IS_KEPT, KEPT, LOAD_LINES, MADE, METER_S, NEWER, NEWEST, NOT_SCALED, OLDER,
    OLDEST, OWNER, REMOVED, SCALED_GROUP, SCALED_IN, SCALED_OUT, SERVING, SET_ASIDE, STAGE, STATE, STRETCH, T, TICK_S, UP, WANTED, WITH_SPOT,
    Run, Scaled, SharedFleet, Vms,
)  # fmt: skip

# isort: on
from sim.engines.shared import autoscale
from sim.engines.shared.autoscale import NO_RULE
from sim.engines.shared.priorities import INTERRUPTS, TICKS
from sim.units import TICKS_PER_SECOND

compile_rules(*autoscale.RULES)

_GOLDEN = np.uint64(GOLDEN)


@inlined
def _ticks(seconds: float) -> int:
    return int(seconds * TICKS_PER_SECOND + 0.5)


@compiled
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


@compiled
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
    else:
        groups[place, OLDEST] = newer
    ints[slot, NEWER] = NOT_SCALED
    groups[place, KEPT if ints[slot, IS_KEPT] else EXISTING] -= 1


@inlined
def _keep(slot: int, place: int, is_kept: int, scaled: Scaled, vms: Vms) -> None:
    """A VM counts among those that are kept deallocated, or among those that are asked for."""
    vms.ints[slot, IS_KEPT] = is_kept
    scaled.groups[place, KEPT] += 2 * is_kept - 1
    scaled.groups[place, EXISTING] -= 2 * is_kept - 1


@inlined
def _may_be_scaled(slot: int, shared: SharedFleet) -> bool:
    """Whether an autoscaler may make a VM leave its state now."""
    ints = shared.fleet.vms.ints
    return bool(ints[slot, ASKED] < 0 and ints[slot, STAGE] < GIVING)


@compiled
def meter_vm(slot: int, place: int, served: int, ended: bool, shared: SharedFleet) -> None:
    """A VM has moved, at one instant: it may have come into service, or left it, or ended, or be no longer asked for."""
    vms, scaled, run = shared.fleet.vms, shared.scaled, shared.fleet.run
    ints, owner = vms.ints, scaled.groups[place, OWNER]
    change = shared.fleet.tables.states[ints[slot, STATE], SERVING] - served
    if change != 0:
        meter_load(owner, vms.floats[slot, T], scaled, run)
        scaled.groups[owner, IN_SERVICE] += change
    if ended:
        unlink_newest(slot, place, scaled, vms)
    elif not ints[slot, WANTED] and not ints[slot, IS_KEPT] and ints[slot, NEWER] != NOT_SCALED:
        _keep(slot, place, 1, scaled, vms)


@compiled
def _scale(slot: int, transition: int, place: int, now: float, shared: SharedFleet) -> None:
    """A VM leaves its state now; by a transition that answers demand, demand turns."""
    vms, states, groups = shared.fleet.vms, shared.fleet.tables.states, shared.scaled.groups
    state = vms.ints[slot, STATE]
    if transition == states[state, UP] or transition == states[state, DOWN]:
        vms.floats[slot, EDGE] = now
    interrupt(slot, transition, now, TICKS + groups[groups[place, OWNER], SCALED_GROUP], shared)


@compiled
def _grow(place: int, more: int, now: float, shared: SharedFleet) -> None:
    """So many VMs are requested now: those that are kept are started, the lowest number first; then others are created."""
    scaled, vms, states = shared.scaled, shared.fleet.vms, shared.fleet.tables.states
    ints, groups, birth, slot = vms.ints, scaled.groups, scaled.birth, scaled.groups[place, OLDEST]
    while more > 0 and slot >= 0 and groups[place, KEPT] > 0:
        transition = states[ints[slot, STATE], UP]
        if ints[slot, IS_KEPT] and transition >= 0 and _may_be_scaled(slot, shared):
            _scale(slot, transition, place, now, shared)
            _keep(slot, place, 0, scaled, vms)
            more -= 1
        slot = ints[slot, NEWER]
    for _ in range(more):
        index = groups[place, MADE]
        groups[place, MADE] = index + 1
        birth.born_s[0] = now
        birth.group[0] = groups[place, SCALED_GROUP]
        birth.vm[0] = index
        birth.key[0] = mix(scaled.keys[place] + _GOLDEN * np.uint64(index + 1))
        slot = begin_in_slot(0, now, birth, ASKED, shared)
        ints[slot, BIRTH] = -1  # none of the rows of births: nothing follows it
        newest = groups[place, NEWEST]
        ints[slot, OLDER] = newest
        ints[slot, NEWER] = -1
        ints[slot, IS_KEPT] = 0
        if newest >= 0:
            ints[newest, NEWER] = slot
        else:
            groups[place, OLDEST] = slot
        groups[place, NEWEST] = slot
        groups[place, EXISTING] += 1
        push_vm(now, INTERRUPTS, slot, ints, shared.queue)


@compiled
def _shrink(place: int, by: int, room: int, now: float, shared: SharedFleet) -> int:
    """Deallocate the newest VMs as long as there is *room* for kept ones, else delete them; how much room is left."""
    scaled, vms, states = shared.scaled, shared.fleet.vms, shared.fleet.tables.states
    ints, slot = vms.ints, scaled.groups[place, NEWEST]
    while by > 0 and slot >= 0:
        older, state = ints[slot, OLDER], ints[slot, STATE]
        transition = states[state, SET_ASIDE if room > 0 else REMOVED]
        if not ints[slot, IS_KEPT] and transition >= 0 and _may_be_scaled(slot, shared):
            _scale(slot, transition, place, now, shared)
            if transition == states[state, DOWN]:
                _keep(slot, place, 1, scaled, vms)
                room -= 1
            else:
                unlink_newest(slot, place, scaled, vms)
            by -= 1
        slot = older
    return room


@compiled
def _change(place: int, existing: int, wanted: int, now: float, shared: SharedFleet) -> None:
    """From so many VMs to as many as are wanted, of a mix some regular and some spot."""
    scaled, groups = shared.scaled, shared.scaled.groups
    spot = groups[place, WITH_SPOT]
    change = autoscale.regular_change(scaled.rules, place, groups[place, EXISTING], existing, wanted)
    room = scaled.rules.keep_at_most[place] - groups[place, KEPT] - (groups[spot, KEPT] if spot >= 0 else 0)
    row = place
    while row >= 0:
        _grow(row, change, now, shared)
        room = _shrink(row, -change, room, now, shared)
        change = wanted - existing - change
        row = spot if row == place else -1


@compiled
def start_scaling(shared: SharedFleet) -> None:
    """Every autoscaler requests its first VMs at the beginning."""
    groups = shared.scaled.groups
    for place in range(len(groups)):
        if groups[place, OWNER] == place:
            push(0.0, TICKS + groups[place, SCALED_GROUP], place, shared.queue)


@compiled
def look(place: int, now: float, shared: SharedFleet) -> None:
    """An autoscaler looks at its load, and requests VMs or takes the newest away."""
    scaled, run = shared.scaled, shared.fleet.run
    ints, rules = scaled.groups[place], scaled.rules
    meter_load(place, now, scaled, run)
    existing, fewest = ints[EXISTING], scaled.fewest[place, ints[STRETCH]]
    if ints[WITH_SPOT] >= 0:
        existing += scaled.groups[ints[WITH_SPOT], EXISTING]
    if existing < fewest:  # some were lost, or more are needed now: no rule fires, no cooldown holds it up
        _change(place, existing, fewest, now, shared)
        existing = fewest
    if now > 0.0:
        load, quiet_until_s = scaled.loads[place, ints[STRETCH]], scaled.groups_s[place, COOLS_UNTIL_S]
        wanted, rule = autoscale.decide(rules, place, load, fewest, existing, ints[IN_SERVICE], now, quiet_until_s)
        if rule != NO_RULE:
            scaled.groups_s[place, COOLS_UNTIL_S] = now + rules.cooldown_s[rule]
            counted = SCALED_OUT if wanted > existing else SCALED_IN
            if now >= run.start_s:
                ints[counted] += 1
            _change(place, existing, wanted, now, shared)
    due_s = now + scaled.groups_s[place, TICK_S]
    if due_s < np.nextafter(run.horizon_s, 0.0):
        push(due_s, TICKS + ints[SCALED_GROUP], place, shared.queue)
