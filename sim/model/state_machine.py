"""The state machine of a group's VMs as a table: states, and the transitions between them, ready for any engine.

`sim.model.states` compiles the table from the operation rows of `sim.lifecycle` and from the plan: who starts and stops
the VM when demand changes, retries, replaces a failed VM, restarts a crashed one. Two engines run it: a SimPy process step
by step (`sim.engines.simpy.vm`) and a compiled kernel (`sim.engines.compiled.vm_loop`). Neither knows a special case.

How a VM passes through a state, entered at instant t:

1. A *level* state looks at demand first: where a transition answers the present demand, that transition is taken at once.
2. Its own end: t + a drawn time (`SAMPLED`), t + the next back-off (`BACKOFF`), t (`INSTANT`), or never (`REST`). A drawn
   time past the state's deadline ends at the deadline, on the `late` transition.
3. Chances in their order: the first that strikes replaces the transition, and the end too if it lasts until the deadline.
4. Timers that expire here (guest crash, eviction, end of life): an earlier one replaces both.
5. Edges of demand up to then (an edge at the very end included) turn `wanted`; an answering transition replaces both. A VM
   that is left on (only a Running one can be) answers as a wanted one does, until its power state is no longer Running.
6. Whatever is not before the horizon doesn't happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from sim.distributions.kinds import Distribution
from sim.lifecycle.power import PowerState
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.plan import GroupPlan
from sim.usage.ledger import MoveTable, column, slot_of

DEMANDS = 3  # values of demand for a VM: not wanted (0), wanted (1), not wanted and left on by people (`LEFT_ON`)
TURNS = DEMANDS**2  # rows of the move table for demand that turns in one state
STUCK = 10_000  # moves of one VM at one instant that can only be a defect


class Delay(IntEnum):
    """How a state ends of its own accord."""

    SAMPLED = 0
    BACKOFF = 1
    REST = 2
    INSTANT = 3


class Attempts(IntEnum):
    """What a transition does to the count of failed attempts."""

    KEEP = 0
    ADD = 1
    RESET = 2


class Life(IntEnum):
    """What a transition does to the lifetime of a request."""

    KEEP = 0
    BEGIN = 1  # unless it has begun: once for a request, however often its VM is replaced
    LOST = 2  # over at once, unless it has begun: the VM that was requested never ran


class LifeTimer(IntEnum):
    """How the lifetime passes in a state."""

    CLOCK = 0  # by the clock: the timer is the instant at which it ends
    WORKS = 1  # work is done here: the timer is what is left of it
    WAITS = 2  # work waits here


@dataclass(slots=True, eq=False)
class State:
    """A state of a VM: what it shows, how long it lasts, and what may end it."""

    index: int
    name: str
    power: PowerState | None  # None: there is no VM
    provisioning: ProvisioningState | None
    serving: bool = False  # Running, the last create or start has succeeded, and the guest is well
    operation: str | None = None  # under way
    wait: Delay = Delay.REST
    stream: int = -1  # stream, and sampler, of the drawn time
    next: Transition | None = None
    deadline_s: float = float("inf")
    late: Transition | None = None
    chances: tuple[Chance, ...] = ()
    crash: Transition | None = None
    evict: Transition | None = None
    preempt: Transition | None = None  # the platform wants the room of a spot VM, running or not
    life: Transition | None = None  # the lifetime of an arrival is over
    life_timer: LifeTimer = LifeTimer.CLOCK
    moves: Transition | None = None  # the request goes on with a VM of the other priority
    moves_on: bool = False  # it does: the end of this VM
    up: Transition | None = None  # demand turns on
    down: Transition | None = None  # demand turns off
    level: bool = False  # looks at demand on entry, not only at its edges
    host_failed: Transition | None = None
    host_failed_gives_up: Transition | None = None  # instead, if that was the last attempt of the operation under way
    maintained: Transition | None = None  # planned work on the host
    no_room: Refusal | None = None  # hardware is asked for at the end, and there is none
    no_capacity: Refusal | None = None  # hardware is found at the end, unless the spot capacity is gone
    no_quota: Refusal | None = None  # a create is asked for from here, and there is no quota
    removed: Transition | None = None  # scale-in deletes the VM, or gives up a create that waits
    set_aside: Transition | None = None  # scale-in that keeps VMs: `down`, else `removed`
    unreachable: bool = False  # Running as far as its user knows, and the platform lets no one reach it
    keeps_memory: bool = False  # what the guest had in memory is there when it serves again
    begins: bool = False  # first state of an operation: entering it is being accepted
    needs_hardware: bool = False
    closed: bool = False  # the control plane accepts nothing but a delete here
    ends: bool = False  # nothing happens to this VM any more
    # Derived by `compile_state_machine`, so that an engine need not ask at every step:
    fixed_s: float | None = None  # the drawn time, where the distribution is a constant
    has_timers: bool = False
    runs_timers: bool = False
    answers: bool = False  # to demand
    turns: int = -1  # first row of the move table for demand that turns here

    @property
    def slot(self) -> int:
        """The ledger's slot for a VM that is here."""
        return slot_of(self.power, self.serving)

    @property
    def runs_crash_timer(self) -> bool:
        """Whether time in this state counts towards a guest crash."""
        return self.serving

    @property
    def is_running(self) -> bool:
        """Whether the VM is Running; that time counts towards an eviction."""
        return self.power is PowerState.RUNNING


@dataclass(slots=True, eq=False)
class Transition:
    """A way from one state to another, and what is counted when it is taken."""

    index: int
    source: State
    target: State
    counts: tuple[str, ...] = ()
    code: str = ""  # of the failure that this transition is
    attempts: Attempts = Attempts.KEEP
    life: Life = Life.KEEP
    ends_demand: bool = False
    resamples_crash: bool = False
    resamples_eviction: bool = False
    evicts: bool = False  # and what was done since the last checkpoint is lost
    starts_work: bool = False  # the guest has come up: its work goes on from a checkpoint
    completes_work: bool = False  # of a request with a deadline
    asks_host: bool = False
    asks_quota: bool = False
    # Derived by `compile_state_machine`:
    has_effect: bool = False
    needs_resource: bool = False  # something is asked of the platform, or may be given back to it


@dataclass(frozen=True, slots=True)
class Chance:
    """A failure that strikes with a probability per attempt; *gives_up* is taken when the attempts are used up."""

    probability: float
    stream: int
    transition: Transition
    gives_up: Transition | None
    at_deadline: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Where a refused request leads; *gives_up* is taken when the attempts are used up."""

    transition: Transition
    gives_up: Transition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMachine:
    """The table of one group. `samplers[p]` is the distribution of stream p, or None where p only decides chances."""

    plan: GroupPlan
    states: tuple[State, ...]
    transitions: tuple[Transition, ...]
    first: Transition  # from no VM into the first create, or into the state in which it is found at t = 0
    later: Transition  # the same for VMs that come later; they are created
    stream_names: tuple[str, ...]
    samplers: tuple[Distribution | None, ...]
    backoff_s: tuple[float, ...]  # after the 1st, 2nd, ... failed attempt
    crash_stream: int
    eviction_stream: int
    lifetime_stream: int
    shortage_stream: int  # of attempts to find hardware while it is short
    edge_streams: tuple[int, int]  # jitter of a schedule (both alike), or a cycle's on and off
    asks: Mapping[tuple[int, str], Transition]  # (state, operation) -> transition, where requests from outside may come

    def first_of(self, born_s: float) -> Transition:
        """The first transition of a VM that is requested at an instant."""
        return self.first if born_s <= 0.0 else self.later

    def move(self, transition: Transition, wanted: int) -> int:
        """The row of the move table for taking *transition* while demand is *wanted*."""
        return DEMANDS * transition.index + wanted

    def turn(self, state: State, wanted: int, then: int) -> int:
        """The row of the move table for demand turning from *wanted* to *then* while the VM is in *state*."""
        return state.turns + DEMANDS * wanted + then

    @property
    def moves(self) -> int:
        """The number of the first row of the move table that is a turn of demand, not a move of the VM."""
        return DEMANDS * len(self.transitions)

    def move_table(self) -> MoveTable:
        """What every move changes in the ledger, in the order of `move` and `turn`."""
        before, after, counts = [], [], []
        for transition in self.transitions:
            for wanted in range(DEMANDS):
                before.append(column(transition.source.slot, wanted))
                after.append(column(transition.target.slot, wanted))
                counts.append(transition.counts)
        for state in self.states:
            for turn in range(TURNS):
                before.append(column(state.slot, turn // DEMANDS))
                after.append(column(state.slot, turn % DEMANDS))
                counts.append(())
        return MoveTable(
            before=np.array(before, dtype=np.int64), after=np.array(after, dtype=np.int64), counts=tuple(counts)
        )
