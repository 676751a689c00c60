"""The arrays that the compiled loops read and write: which there are, and what each column holds.

`encode` fills the read-only ones, `vm_loop` and `event_loop` work on them, `buffers` reads the results. A group of arrays
that belong together is a NamedTuple, which the compiler takes as one argument.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.engines.shared.autoscale import ScalingRules
from sim.engines.shared.quota import QuotaUse
from sim.engines.shared.room import Room
from sim.engines.shared.shortages import Shortages
from sim.engines.shared.throttle import Buckets

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]

# Columns of `Tables.states`. Transitions are row numbers, -1: there is none.
(WAIT, STREAM, SAMPLER, NEXT, LATE, CHANCE_FROM, CHANCE_TO, CRASH, EVICT, LIFE, UP, DOWN, LEVEL, RUNS_CRASH, RUNS_EVICTION, ENDS,
 HAS_TIMERS, LIFE_TIMER, NO_ROOM, NO_ROOM_GIVES_UP, NO_QUOTA, NO_QUOTA_GIVES_UP,
 RUNNING, HOST_FAILED, HOST_FAILED_GIVES_UP, PREEMPT, MAINTAINED, SERVING, REMOVED, SET_ASIDE, NO_CAPACITY, NO_CAPACITY_GIVES_UP, MOVES, MOVES_ON) = range(34)  # fmt: skip
# Columns of `Tables.transitions`.
(TARGET, ATTEMPTS, LIFE_CHANGE, ENDS_DEMAND, RESAMPLES_CRASH, RESAMPLES_EVICTION, HAS_EFFECT, NEEDS_RESOURCE, ASKS_HOST, ASKS_QUOTA, OFF_HOST,
 GONE, RESTARTS, TOKEN, EVICTS, COMPLETES_WORK, STARTS_WORK) = range(17)  # fmt: skip
NO_TOKEN, ANY_TOKEN = -1, 3  # in TOKEN instead of a bucket: admission isn't asked for; it is always given
# Columns of `Tables.chances`.
CHANCE_STREAM, CHANCE_TRANSITION, CHANCE_GIVES_UP, CHANCE_AT_DEADLINE = range(4)
# Columns of `Tables.settings`, one row a group.
(FIRST_TRANSITION, FIRST_STATE, ATTEMPTS_IN_ALL, CRASH_STREAM, CRASH_SAMPLER, EVICTION_STREAM, EVICTION_SAMPLER, LIFETIME_STREAM, LIFETIME_SAMPLER,
 LIFE_IS_WORK, DEMAND, ON_STREAM, ON_SAMPLER, OFF_STREAM, OFF_SAMPLER, WANTED_FIRST, EDGES_FROM, EDGES_TO, BACKOFFS_FROM,
 STREAMS, ALWAYS_QUEUED, LATER_TRANSITION, LATER_STATE, CAPACITY_FROM, CAPACITY_TO, CAPACITY_FIRST, SHORTAGE_STREAM,
 FALL_BACK, EVICTIONS_AT_MOST, IS_SPOT, HOME, OTHER) = range(32)  # fmt: skip
ALWAYS, CALENDAR, CYCLE, OWN_EDGES = range(4)  # kinds of DEMAND
NO_RECORD = -1  # in CAPACITY_FIRST: there is always capacity
# Columns of `Tables.groups_s`.
DEADLINE_S, LOST_WORK_S, CHANGEOVER_S = range(3)
# Columns of `Tables.moves`. BEFORE and AFTER are columns of the ledger; the next three say what changes by +1, 0 or -1.
# WAIT_CHANGE: what it does to the time that a VM is waited for (`sim.usage.ready`).
BEFORE, AFTER, ON_HOST, RUN, ALIVE, GROUP, WAIT_CHANGE = range(7)
# Columns of `Vms.floats` and `Vms.ints`; EDGE_NO, EDGE_END: places in `Tables.edges_s`; from DRAWN on: draws
# taken of each stream.
T, CRASH_LEFT, EVICTION_LEFT, DIES, EDGE = range(5)
# End of the present stay, what may come before, the pause after a refused admission, and since when the VM is waited for.
STAY_ENDS, WAKES, PAUSE, AWAITED_SINCE = range(5, 9)
# Of a request that may fall back: when it was made, its work, and since when it is waited for while it moves on.
REQUESTED, WORK, MOVING_SINCE = range(11, 14)
DUE, WORKED = range(
    9, 11
)  # when work is due, if that is before the horizon, and what was done since the guest last came up
(STATE, WANTED, ATTEMPT, STUCK_AT, HAS_RUN, INDEX, OF_GROUP, STAGE, PENDING, HAS_QUOTA, LISTED_AS, EDGE_NO, EDGE_END,
 STAY_NEXT, STAMP, STRUCK, ASKED, ROUND, AVOIDS, SEQUENCE, LAST_AWAITED, FIRST_WAITER, NEXT_WAITER, OLDER, NEWER,
 IS_KEPT, BIRTH, EVICTED, MOVED, DRAWN) = range(30)  # fmt: skip
# Elements of `Ledger.progress`: lines of the event buffer, of `changes` and of `waits` (those that found no room are counted too); the
# VM that never leaves an instant, plus 1, and its state.
EVENTS, CHANGES, WAITS, STUCK_VM, STUCK_STATE = range(5)
# Elements of `Queue.progress`: entries, the next birth, free slots, why the loop stopped, whether it began, evictions so far.
QUEUED, NEXT_BIRTH, FREE, STATUS, STARTED, EVICTIONS = range(6)
DONE, BUFFERS_FULL, NO_SLOTS, TOO_MANY_SHAPES, VM_IS_STUCK, QUEUE_FULL = range(6)
SLOT_BITS = 32  # of an entry of the queue; the rest is the stamp of the VM's latest entry: older ones count for nothing
# What a platform does to a VM, in STRUCK while no state has answered it.
NOT_STRUCK, BY_FAILURE, BY_PREEMPTION = range(3)
# Columns of `Faults.processes` and `Faults.maintenance`.
DRAWN_BETWEEN, DRAWN_REPAIR, SAMPLER_BETWEEN, SAMPLER_REPAIR, HOSTS_FROM, HOSTS_TO, IS_DOWN = range(7)
DOMAINS, DOMAIN, ROUNDS = range(3)
EVERY_S, BETWEEN_DOMAINS_S, ROUND_S = range(3)
# Columns of `Notes.lines`, and their kinds; a line of a host has its number for a VM's.
NOTE_KIND, NOTE_GROUP, NOTE_VM, NOTE_WHAT, NOTE_KEY = range(5)
HOST_FAILS, HOST_IS_BACK, REFUSED, STRUCK_BY, INTERRUPTED, WAITS_FOR, WAITED, ADMITTED = range(8)
# Columns of `Scaled.groups` and `Scaled.groups_s`; OLDER and NEWER link the VMs that an autoscaler has, in order of their requests.
# Of a mix, the row of the regular VMs has the autoscaler, and the row of the spot VMs in WITH_SPOT (-1: none); a row's own in OWNER.
(
    SCALED_GROUP,
    MADE,
    EXISTING,
    KEPT,
    IN_SERVICE,
    NEWEST,
    OLDEST,
    STRETCH,
    LOAD_LINES,
    SCALED_OUT,
    SCALED_IN,
    OWNER,
    WITH_SPOT,
) = range(13)
TICK_S, COOLS_UNTIL_S, METER_S = range(3)
NOT_SCALED = -2  # in NEWER: the VM isn't linked
# Elements of `Notes.progress`.
NOTES, HOST_FAILURES = range(2)

GROUP_BITS = 11  # of a line of `Ledger.changes`: tick, change on hosts + 1 (2 bits), change running + 1 (2 bits), group
MARGIN = 16_384  # lines that must be left in a buffer before a VM goes on; more than `STUCK`


class Tables(NamedTuple):
    """The state machines of all groups, one behind the other, with one numbering of states, transitions and samplers."""

    streams: NDArray[np.uint64]  # keys of the stream names: (groups, streams)
    settings: Longs
    states: Longs
    deadlines_s: Floats  # by state
    transitions: Longs
    chances: Longs
    probabilities: Floats  # by chance
    backoffs_s: Floats
    groups_s: Floats
    group_keys: NDArray[np.uint64]
    capacity_s: Floats  # at which spot capacity comes and goes, by group
    edges_s: Floats  # at which demand turns, by group, or by VM (`Births.edges`)
    turns_to: Longs  # 0, 1 or 2 for each of these; read for edges of single VMs only
    moves: Longs  # as `StateMachine.move` and `.turn` number them: the moves of all groups, then the turns of demand


class SamplerTables(NamedTuple):
    """Distributions, as `sim.distributions.samplers.draw` takes them."""

    ints: Longs
    floats: Floats
    pool: Floats


class Run(NamedTuple):
    """Settings of the replication."""

    horizon_s: float
    start_s: float  # end of the warm-up
    start_ticks: int
    bin_shift: int  # a bin has two to this power ticks
    transitions: int  # of all groups
    into_hour_ticks: int  # of its clock hour that are over at t = 0


class Births(NamedTuple):
    """The VMs in order of birth."""

    born_s: Floats
    group: Longs
    vm: Longs  # its number in the group
    lifetime_s: Floats  # empty where it is sampled, or there is none
    key: NDArray[np.uint64]
    lifetime_key: NDArray[np.uint64]  # of the VM whose draw is its lifetime; empty where each has its own
    edges: Longs  # (VMs, 2): where its own edges begin and end in `Tables.edges_s`; empty where no VM has any
    # Where VMs come back under their names (else empty): the birth of the name before this one, or -1; the one that waits for its VM
    # to be gone, or -1; and when that was.
    follows: Longs
    awaited_by: Longs
    gone_s: Floats


class Vms(NamedTuple):
    """What is known of each VM alive between two calls of `advance`, a row each."""

    keys: NDArray[np.uint64]  # of each stream
    floats: Floats
    ints: Longs

    @classmethod
    def blank(cls, vms: int, streams: int) -> "Vms":
        """Room for so many VMs."""
        return cls(
            keys=np.zeros((vms, streams), dtype=np.uint64),
            floats=np.zeros((vms, MOVING_SINCE + 1), dtype=np.float64),
            ints=np.zeros((vms, DRAWN + streams), dtype=np.int64),
        )


class Ledger(NamedTuple):
    """The ledger buffer: hours by column, counts of moves, and how many VMs came and went."""

    cells: Longs  # (hours + 1, columns of all groups, rest of the hour in ticks | whole hours after it)
    counts: Longs  # by move
    work: Longs  # by group: what is counted of its work (`shared.work`)
    lifetimes: Longs  # by group: minus the ticks of births, plus those of deaths
    progress: Longs
    bins: Longs  # by bin: net change on hosts, of it upwards; net change running, of it upwards
    changes: Longs  # one coded line for each change of the number on hosts or running
    waits: Longs  # for each moment at which a VM became wanted: ticks until it was ready less `NEVER`, then the group
    mask: NDArray[np.bool_]  # bins whose changes are listed


class Events(NamedTuple):
    """The event buffer: a line for each move."""

    when_s: Floats
    moves: Longs  # (move, VM)
    listed: Longs  # (group, VM) whose moves are listed; empty: all


class Queue(NamedTuple):
    """A heap of entries, by instant and key (`shared.priorities`); and the free rows of `Vms`."""

    t: Floats
    key: Longs
    entry: Longs  # slot and stamp of a VM; the number of a fault's process, or of a group
    free_slots: Longs
    progress: Longs


class Faults(NamedTuple):
    """What fails, and maintenance; its process comes behind those that fail."""

    keys: NDArray[np.uint64]  # (processes, 2): of the streams of times between failures, and of repairs
    processes: Longs
    strikes_s: Floats  # when each fails next, while its hosts are up
    hosts: Longs  # of the processes, one behind the other
    struck_from: Longs  # by host, and one more: its processes are from here on in `struck_by`
    struck_by: Longs
    maintenance: Longs  # no domains: there is none
    maintenance_s: Floats
    turn_s: Floats  # when each update domain is maintained next
    domain_of: Longs  # by host; -1: it is never maintained
    in_domains: Longs  # hosts, those of one update domain after those of the one before
    domain_from: Longs  # by update domain, and one more: its hosts are from here on in `in_domains`


class Notes(NamedTuple):
    """What isn't a move: failures and repairs of hosts, refused operations, and what was done to VMs that are audited."""

    when_s: Floats
    value: Floats  # of a refusal: when to come back (s from then)
    lines: Longs
    progress: Longs
    refused: Longs  # operations refused admission, by transition


class Scaled(NamedTuple):
    """Autoscaled groups: their rules, their loads, and what their autoscalers know."""

    rules: ScalingRules
    groups: Longs
    groups_s: Floats
    keys: NDArray[np.uint64]  # of the groups
    until_s: Floats  # (groups, stretches): end of each stretch of one load
    loads: Floats
    fewest: Longs  # (groups, stretches): VMs
    lines: Longs  # (groups, lines, 3): stretch, VMs in service, ticks
    birth: Births  # of the VM that is being requested
    growth: int  # VMs that a look may request at most


class Platform(NamedTuple):
    """What VMs share."""

    room: Room
    quota: QuotaUse
    buckets: Buckets
    pauses: Floats  # (groups, 3): pause after a refused admission (s), its growth, its maximum (s)
    shortages: Shortages


class Fleet(NamedTuple):
    """VMs and all that they need if they share nothing."""

    births: Births
    tables: Tables
    samplers: SamplerTables
    run: Run
    vms: Vms
    ledger: Ledger
    events: Events


class SharedFleet(NamedTuple):
    """VMs that share a platform or an autoscaler."""

    fleet: Fleet
    queue: Queue
    platform: Platform
    faults: Faults
    scaled: Scaled
    notes: Notes
