"""What reaches VMs from outside in the compiled event loop: failures of hosts, maintenance, evictions for room.

Does what `sim.engines.simpy.faults`, `SharedPlatform.fail` and its siblings, and `VmRecord.disrupt` do.
"""

from sim.engines.compiled.compiler import compile_rules, compiled, inlined
from sim.engines.compiled.demand import NEVER, bits, draw, pass_time
from sim.engines.compiled.event_queue import push, push_vm

# isort: off
from sim.engines.compiled.layout import (
    ASKED, ATTEMPT, ATTEMPTS_IN_ALL, BETWEEN_DOMAINS_S, BY_FAILURE, DOMAIN, DOMAINS, DRAWN_BETWEEN, DRAWN_REPAIR, EVERY_S, FIRST_WAITER,
    HOSTS_FROM, HOSTS_TO, HOST_FAILS, HOST_FAILURES, HOST_IS_BACK, INDEX, INTERRUPTED, IS_DOWN, LAST_AWAITED, LISTED_AS, MAINTAINED,
    NEXT_WAITER, NOTES, NOTE_GROUP, NOTE_KEY, NOTE_KIND, NOTE_VM, NOTE_WHAT, OF_GROUP, ROUND, ROUNDS, ROUND_S, SAMPLER_BETWEEN,
    SAMPLER_REPAIR, SEQUENCE, STAGE, STATE, STRUCK, STRUCK_BY, WAITED, Faults, Notes, SharedFleet, Vms,
)  # fmt: skip

# isort: on
from sim.engines.compiled.vm_loop import answer_to
from sim.engines.shared import room
from sim.engines.shared.priorities import FAULTS, INTERRUPTS, MOVES
from sim.engines.shared.room import GROUP, UNIT, VM_COLUMNS

compile_rules(*room.RULES)

# Stages of a VM between two moves: in a stay, or with what a transition needs of the platform, in order.
NOTHING, ADMITTING, GIVING, ASKING_QUOTA, LEAVING, ASKING_HOST, WAITING = range(7)


@compiled
def note(when_s: float, kind: int, group: int, vm: int, what: int, key: int, value: float, notes: Notes) -> None:
    """What isn't a move."""
    line = notes.progress[NOTES]
    if line < len(notes.when_s):
        notes.when_s[line] = when_s
        notes.value[line] = value
        notes.lines[line, NOTE_KIND] = kind
        notes.lines[line, NOTE_GROUP] = group
        notes.lines[line, NOTE_VM] = vm
        notes.lines[line, NOTE_WHAT] = what
        notes.lines[line, NOTE_KEY] = key
    notes.progress[NOTES] = line + 1


@compiled
def note_of_vm(when_s: float, kind: int, slot: int, what: int, key: int, shared: SharedFleet) -> None:
    """What was done to a VM, if it is listed."""
    ints = shared.fleet.vms.ints
    if ints[slot, LISTED_AS] >= 0:
        note(when_s, kind, ints[slot, OF_GROUP], ints[slot, INDEX], what, key, 0.0, shared.notes)


@compiled
def interrupt(slot: int, transition: int, now: float, key: int, shared: SharedFleet) -> None:
    """Make a VM leave its state now, by a transition of it."""
    note_of_vm(now, INTERRUPTED, slot, transition, key, shared)
    shared.fleet.vms.ints[slot, ASKED] = transition
    push_vm(now, INTERRUPTS, slot, shared.fleet.vms.ints, shared.queue)


@compiled
def strike_vm(slot: int, what: int, now: float, key: int, shared: SharedFleet) -> None:
    """The platform strikes a VM: at once where its state answers, else as soon as one does."""
    ints, tables = shared.fleet.vms.ints, shared.fleet.tables
    attempts_in_all = tables.settings[ints[slot, OF_GROUP], ATTEMPTS_IN_ALL]
    answer = answer_to(what, ints[slot, STATE], ints[slot, ATTEMPT], attempts_in_all, tables.states)
    note_of_vm(now, STRUCK_BY, slot, what, key, shared)
    if answer < 0 or ints[slot, STAGE] >= GIVING or ints[slot, ASKED] >= 0:
        ints[slot, STRUCK] = what
        if ints[slot, STAGE] == NOTHING and ints[slot, ASKED] < 0:
            push_vm(now, MOVES, slot, ints, shared.queue)
    else:
        ints[slot, ASKED] = answer
        push_vm(now, INTERRUPTS, slot, ints, shared.queue)


@inlined
def next_strike(host: int, faults: Faults) -> float:
    """When something may reach the VMs of a host that is up (s)."""
    soonest = NEVER
    for place in range(faults.struck_from[host], faults.struck_from[host + 1]):
        soonest = min(soonest, faults.strikes_s[faults.struck_by[place]])
    if faults.maintenance[DOMAINS] > 0 and faults.domain_of[host] >= 0:
        soonest = min(soonest, faults.turn_s[faults.domain_of[host]])
    return soonest


@compiled
def _schedule(process: int, now: float, shared: SharedFleet) -> None:
    """When a process is due next, from now on."""
    faults, samplers = shared.faults, shared.fleet.samplers
    mine = faults.processes[process]
    drawn, sampler, stream = DRAWN_BETWEEN, SAMPLER_BETWEEN, 0
    if mine[IS_DOWN]:
        drawn, sampler, stream = DRAWN_REPAIR, SAMPLER_REPAIR, 1
    k = mine[drawn]
    mine[drawn] = k + 1
    due_s = now + draw(
        bits(faults.keys[process, stream], k), mine[sampler], samplers.ints, samplers.floats, samplers.pool
    )
    if not mine[IS_DOWN]:
        faults.strikes_s[process] = due_s
    if due_s < shared.fleet.run.horizon_s:
        push(due_s, FAULTS + process, process, shared.queue)


@compiled
def start_faults(shared: SharedFleet) -> None:
    """Every process gets its first instant."""
    faults = shared.faults
    for process in range(len(faults.processes)):
        _schedule(process, 0.0, shared)
    if faults.maintenance[DOMAINS] > 0 and faults.turn_s[0] < shared.fleet.run.horizon_s:
        push(faults.turn_s[0], FAULTS + len(faults.processes), len(faults.processes), shared.queue)


@compiled
def _maintain(process: int, now: float, shared: SharedFleet) -> None:
    """Planned work reaches the VMs of one update domain; the next one gets its instant."""
    faults, on_host = shared.faults, shared.platform.room.on_host
    plan, ints, states = faults.maintenance, shared.fleet.vms.ints, shared.fleet.tables.states
    domain, domains = plan[DOMAIN], plan[DOMAINS]
    if domain == 0:
        plan[ROUNDS] += 1
    for place in range(faults.domain_from[domain], faults.domain_from[domain + 1]):
        slot = on_host.first[faults.in_domains[place]]
        while slot >= 0:
            transition = states[ints[slot, STATE], MAINTAINED]
            if ints[slot, ASKED] < 0 and ints[slot, STAGE] < GIVING:
                if transition >= 0 and ints[slot, ROUND] != plan[ROUNDS]:
                    ints[slot, ROUND] = plan[ROUNDS]
                    interrupt(slot, transition, now, FAULTS + process, shared)
                elif ints[slot, STAGE] == NOTHING:  # it goes on, up to the next instant at which it may be reached
                    push_vm(now, MOVES, slot, ints, shared.queue)
            slot = on_host.after[slot]
    # A round that isn't over when the next is due delays it.
    before_s = faults.turn_s[domain - 1 if domain > 0 else domains - 1]
    if domain == 0:
        faults.maintenance_s[ROUND_S] += faults.maintenance_s[EVERY_S]
    due_s = faults.maintenance_s[ROUND_S] + domain * faults.maintenance_s[BETWEEN_DOMAINS_S]
    faults.turn_s[domain] = max(before_s, due_s)
    plan[DOMAIN] = (domain + 1) % domains
    if faults.turn_s[plan[DOMAIN]] < shared.fleet.run.horizon_s:
        push(faults.turn_s[plan[DOMAIN]], FAULTS + process, process, shared.queue)


@compiled
def run_fault(process: int, now: float, shared: SharedFleet) -> bool:
    """What a process does at its instant, and when it is due next; False: too many shapes of room."""
    faults, hosts, notes = shared.faults, shared.platform.room, shared.notes
    if process == len(faults.processes):
        _maintain(process, now, shared)
        return True
    key, mine = FAULTS + process, faults.processes[process]
    room.set_clock(hosts, now)
    for place in range(mine[HOSTS_FROM], mine[HOSTS_TO]):
        host = faults.hosts[place]
        if mine[IS_DOWN]:
            hosts.down[host] -= 1
            if hosts.down[host] == 0:
                note(now, HOST_IS_BACK, -1, host, 0, key, 0.0, notes)
                if not room.repair_host(hosts, host):
                    return False
            continue
        hosts.down[host] += 1
        if hosts.down[host] > 1:
            continue
        if now >= shared.fleet.run.start_s:
            notes.progress[HOST_FAILURES] += 1
        note(now, HOST_FAILS, -1, host, 0, key, 0.0, notes)
        while hosts.on_host.first[host] >= 0:  # its VMs are down until they have been started elsewhere
            slot = hosts.on_host.first[host]
            room.leave(hosts, slot, hosts.vms[slot * VM_COLUMNS + GROUP])
            hosts.vms[slot * VM_COLUMNS + UNIT] = -1
            strike_vm(slot, BY_FAILURE, now, key, shared)
        if not room.fail_host(hosts, host):
            return False
    mine[IS_DOWN] = 1 - mine[IS_DOWN]
    _schedule(process, now, shared)
    return True


@inlined
def await_departures(slot: int, first: int, last: int, vms: Vms) -> None:
    """A VM waits for the evicted VM *first*, and then for those that leave after it, up to the eviction of number *last*."""
    vms.ints[slot, LAST_AWAITED] = last
    vms.ints[slot, NEXT_WAITER] = vms.ints[first, FIRST_WAITER]
    vms.ints[first, FIRST_WAITER] = slot


@compiled
def waiters_wait_until(slot: int, now: float, shared: SharedFleet) -> bool:
    """Time passes for the VMs that wait for an evicted one; False: a buffer is full, and the rest has still to be done."""
    ints = shared.fleet.vms.ints
    waiter = ints[slot, FIRST_WAITER]
    while waiter >= 0:
        if not pass_time(waiter, now, shared.fleet):
            return False
        waiter = ints[waiter, NEXT_WAITER]
    return True


@compiled
def depart(slot: int, now: float, shared: SharedFleet) -> bool:
    """An evicted VM is off its host, and VMs that wait for its room may come; False: too many shapes of room."""
    ints, hosts = shared.fleet.vms.ints, shared.platform.room
    following = hosts.leaving.after[slot]
    waiter = ints[slot, FIRST_WAITER]
    while waiter >= 0:
        another = ints[waiter, NEXT_WAITER]
        waits_on = following >= 0 and ints[following, SEQUENCE] <= ints[waiter, LAST_AWAITED]
        note_of_vm(now, WAITED, waiter, int(waits_on), 0, shared)
        if waits_on:
            await_departures(waiter, following, ints[waiter, LAST_AWAITED], shared.fleet.vms)
        else:
            push_vm(now, MOVES, waiter, ints, shared.queue)
        waiter = another
    return room.has_gone(hosts, slot)
