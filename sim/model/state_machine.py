"""A group's whole life as one table: states (where a VM may be) and transitions (how it goes on), ready for any walker.

The facts come from the operation rows of `sim.lifecycle`; what is added here is the automation around them: who starts
and stops the VM when demand changes, retries, replaces what failed, restarts what crashed, asks again after an
eviction. Two walkers perform the table: a SimPy process step by step (`sim.engines.simpy.vm`) and a compiled kernel
(`sim.engines.compiled.vm_loop`). Neither knows a special case.

How a VM passes through a state, entered at instant t:

1. A *level* state looks at demand first: where a transition answers what is wanted now, that transition is taken at once.
2. Its own end: t + a drawn time (`LAW`), t + the next back-off (`BACKOFF`), t (`INSTANT`), or never (`REST`). A drawn
   time past the state's deadline ends at the deadline, on the `late` transition.
3. Chances in their order: the first that strikes replaces the transition, and the end too if it lasts until the deadline.
4. Clocks that ring here (guest crash, eviction, end of life): an earlier one replaces both.
5. Edges of demand up to then (an edge at the very end included) turn `wanted`; an answering transition replaces both.
6. Whatever is not before the horizon doesn't happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from sim.distributions.kinds import Constant, Distribution, Exponential
from sim.errors import LifecycleError
from sim.lifecycle.operations import Operation, Stage, StageFailure, rows_for
from sim.lifecycle.power import POWER, PowerState
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.plan import Arrivals, Autoscale, Cycle, GroupPlan, Platform, Replay, Retry, Schedule
from sim.units import LONGEST_S, SECONDS_PER_HOUR
from sim.usage.ledger import MoveTable, column, slot_of

RUNNING, STOPPED = PowerState.RUNNING, PowerState.STOPPED
DEALLOCATED, DEALLOCATING = PowerState.DEALLOCATED, PowerState.DEALLOCATING
LOOKS_FOR_ROOM_EVERY_S = 60.0  # the platform, for a VM whose host is lost and that no other has room for (assumption)
SUCCEEDED, FAILED = ProvisioningState.SUCCEEDED, ProvisioningState.FAILED

# What `when_off` asks for; "keep" asks for nothing.
OFF_OPERATION: Mapping[str, str] = {
    "deallocate": "deallocate",
    "stop": "power_off",
    "guest-shutdown": "guest_shutdown",
    "hibernate": "hibernate",
}


class Delay(IntEnum):
    """How a state ends of its own accord."""

    LAW = 0
    BACKOFF = 1
    REST = 2
    INSTANT = 3


class Attempts(IntEnum):
    """What a transition does to the count of failed attempts."""

    KEEP = 0
    ADD = 1
    RESET = 2


@dataclass(slots=True, eq=False)
class State:
    """A place in a VM's life: what it shows there, how long it stays, and what may call it away."""

    index: int
    name: str
    power: PowerState | None  # None: there is no VM
    provisioning: ProvisioningState | None
    serving: bool = False  # Running, the last create or start has succeeded, and the guest is well
    operation: str | None = None  # under way
    wait: Delay = Delay.REST
    stream: int = -1  # stream, and law, of the drawn time
    next: Transition | None = None
    deadline_s: float = float("inf")
    late: Transition | None = None
    chances: tuple[Chance, ...] = ()
    crash: Transition | None = None
    evict: Transition | None = None
    preempt: Transition | None = None  # the platform wants the room of a spot VM, running or not
    life: Transition | None = None
    up: Transition | None = None  # demand turns on
    down: Transition | None = None  # demand turns off
    level: bool = False  # looks at demand on entry, not only at its edges
    host_failed: Transition | None = None  # the host fails
    maintained: Transition | None = None  # planned work on the host
    no_room: Refusal | None = None  # hardware is asked for at the end, and there is none
    no_quota: Refusal | None = None  # a create is asked for from here, and there is no quota
    begins: bool = False  # first state of an operation: entering it is being accepted
    needs_hardware: bool = False
    closed: bool = False  # the control plane takes nothing but a delete here
    ends: bool = False  # nothing happens to this VM any more
    # What a walker in Python would ask at every step, asked once (see `_Builder.build`):
    fixed_s: float | None = None  # the drawn time, where the law leaves no chance
    has_timers: bool = False
    runs_timers: bool = False
    answers: bool = False  # to demand
    turns: int = -1  # row of the move table for demand that turns on here

    @property
    def slot(self) -> int:
        """Where the ledger books a VM that is here."""
        return slot_of(self.power, self.serving)

    @property
    def runs_crash_timer(self) -> bool:
        """Whether the time here wears the guest out."""
        return self.serving

    @property
    def runs_eviction_timer(self) -> bool:
        """Whether the time here is exposed to eviction."""
        return self.power is RUNNING


@dataclass(slots=True, eq=False)
class Transition:
    """A way from one state to another, and what it means to the books."""

    index: int
    source: State
    target: State
    counts: tuple[str, ...] = ()
    code: str = ""  # failure that this transition is
    attempts: Attempts = Attempts.KEEP
    sets_life: bool = False  # the lifetime of an arrival begins
    ends_demand: bool = False
    resamples_crash: bool = False
    resamples_eviction: bool = False
    has_effect: bool = False  # asked once, as above
    asks_host: bool = False
    asks_quota: bool = False
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
    """Where a VM goes that is refused; *gives_up* when the attempts are used up."""

    transition: Transition
    gives_up: Transition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMachine:
    """The table of one group. `laws[p]` is the time law of stream p, or None where p only decides chances."""

    plan: GroupPlan
    states: tuple[State, ...]
    transitions: tuple[Transition, ...]
    first: Transition  # from no VM into the first create
    stream_names: tuple[str, ...]
    samplers: tuple[Distribution | None, ...]
    backoff_s: tuple[float, ...]  # after the 1st, 2nd, ... failed attempt
    crash_stream: int
    eviction_stream: int
    lifetime_stream: int
    edge_streams: tuple[int, int]  # jitter of a schedule (both alike), or a cycle's on and off
    asks: Mapping[tuple[int, str], Transition]  # (state, operation) -> transition, where the outside may ask

    def move(self, transition: Transition, wanted: int) -> int:
        """The row of the move table for taking *transition* while demand is *wanted*."""
        return 2 * transition.index + wanted

    def turn(self, state: State, wanted: int) -> int:
        """The row of the move table for demand turning from *wanted* while the VM is in *state*."""
        return state.turns + wanted

    def move_table(self) -> MoveTable:
        """What every move means to the books, in the order of `move` and `turn`."""
        before, after, counts = [], [], []
        for transition in self.transitions:
            for wanted in (0, 1):
                before.append(column(transition.source.slot, wanted))
                after.append(column(transition.target.slot, wanted))
                counts.append(transition.counts)
        for state in self.states:
            for wanted in (0, 1):
                before.append(column(state.slot, wanted))
                after.append(column(state.slot, 1 - wanted))
                counts.append(())
        return MoveTable(
            before=np.array(before, dtype=np.int64), after=np.array(after, dtype=np.int64), counts=tuple(counts)
        )


def compile_state_machine(
    plan: GroupPlan, platform: Platform | None = None, *, asked_from_outside: bool = False
) -> StateMachine:
    """Lay out the life of a group's VMs as a table.

    With *asked_from_outside*, every place also knows which operations somebody else may ask for there.
    Raises LifecycleError where a transition would be an illegal move: a defect of the rows or of this module.
    """
    return _Builder(plan, platform).build(asked_from_outside=asked_from_outside)


@dataclass(slots=True)
class _Builder:
    plan: GroupPlan
    platform: Platform | None = None
    states: list[State] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    known: dict[str, State] = field(default_factory=dict)
    stream_names: dict[str, int] = field(default_factory=dict)
    samplers: list[Distribution | None] = field(default_factory=list)

    # -- the pieces ------------------------------------------------------------------------------------------------

    def stream(self, name: str, law: Distribution | None = None) -> int:
        if name not in self.stream_names:
            self.stream_names[name] = len(self.samplers)
            self.samplers.append(law)
        return self.stream_names[name]

    def state(self, name: str, fill: Callable[[State], None], power: PowerState | None, provisioning: ProvisioningState | None,
             *, serving: bool = False) -> State:  # fmt: skip
        """The state of that name; *fill* draws its transitions the first time it is asked for."""
        if name not in self.known:
            made = State(len(self.states), name, power, provisioning, serving)
            self.known[name] = made
            self.states.append(made)
            fill(made)
        return self.known[name]

    def transition(
        self, source: State, target: State, *counts: str, code: str = "", attempts: Attempts = Attempts.KEEP
    ) -> Transition:
        if source.power is not target.power:
            self._check(source, target)
        if target.begins and target.operation in _COUNTED:
            counts += (f"operations.{target.operation}.accepted",)
        if target.needs_hardware:
            counts += ("allocation.attempts",)
        made = Transition(len(self.transitions), source, target, counts, code, attempts)
        self.transitions.append(made)
        return made

    def _check(self, source: State, target: State) -> None:
        if source.power is None:
            legal = target.power is PowerState.CREATING
        elif target.power is None:
            legal = POWER[source.power].may_vanish
        else:
            legal = target.power in POWER[source.power].goes_to
        if not legal:
            raise LifecycleError(
                f"group {self.plan.name!r}: {source.name} -> {target.name} would move power from "
                f"{source.power} to {target.power}, which the power table doesn't know"
            )

    def probability(self, code: str) -> float:
        return self.plan.failures.get(code, 0.0)

    # -- operations ------------------------------------------------------------------------------------------------

    def operate(
        self,
        operation: str,
        origin: PowerState | None,
        *,
        key: str,
        done: Callable[[], State],
        retried: Callable[[PowerState | None], State] | None = None,
        given_up: Callable[[PowerState | None], State] | None = None,
        failed: Callable[[PowerState | None], State] | None = None,
        serving: bool = False,
    ) -> State:
        """The first state of an operation's row as it goes from *origin*.

        *done* is where success leads; *retried* and *given_up* where a failure that the automation retries leads;
        *failed* where any other failure leads. Each gets the power state that the failure leaves behind. *serving*:
        whether the VM served before, and goes on doing so while its power is unchanged.
        """
        row = rows_for(operation, origin)
        stages = row.stages_for(generalized=self.plan.generalized)
        name = f"{key}@{origin or 'absent'}"
        counted = row.control_plane

        def fail(source: State, failure: StageFailure, shown_as: str = "") -> tuple[Transition, Transition | None]:
            left = origin if failure.leaves is None else failure.leaves
            code = shown_as or failure.code
            counts = (f"operations.{row.name}.failed",) * counted + (f"failures.{code}",)
            if failure.code == "AllocationFailed":
                counts += ("allocation.failures",)
            if failure.answered_by == "retry" and retried and given_up:
                return (
                    self.transition(source, retried(left), *counts, code=code, attempts=Attempts.ADD),
                    self.transition(source, given_up(left), *counts, code=code, attempts=Attempts.RESET),
                )
            if failed is None:
                raise LifecycleError(f"nobody answers {failure.code} of {name}")
            return self.transition(source, failed(left), *counts, code=code, attempts=Attempts.RESET), None

        def chance(source: State, failure: StageFailure) -> Chance:
            # An error that may strike any operation has one stream each, so that operations don't share their luck.
            stream = f"failure.{failure.code}" + (f".{row.name}" if failure.lasts == "nothing" else "")
            transition, gives_up = fail(source, failure)
            return Chance(
                self.probability(failure.code), self.stream(stream), transition, gives_up, failure.lasts == "timeout"
            )

        def stage_state(position: int) -> State:
            stage = stages[position]
            return self.state(
                f"{name}.{stage.name}",
                lambda state: fill_stage(state, stage, position),
                origin if stage.power is None else stage.power,
                stage.provisioning or SUCCEEDED,
                serving=serving and stage.power is None,
            )

        def fill_stage(state: State, stage: Stage, position: int) -> None:
            state.operation = row.name
            state.begins = position == 0 and not at_once
            state.needs_hardware = stage.needs_hardware
            state.wait = Delay.LAW
            state.stream = self.stream(stage.name, self.plan.durations_s[stage.name])
            if position + 1 < len(stages):
                following = stage_state(position + 1)
                state.next = self.transition(state, following)
                state.next.sets_life = (
                    operation == "create" and state.power is not RUNNING and following.power is RUNNING
                )
            else:
                state.next = finish(state, row)
            if stage.needs_hardware and self.platform is not None:
                state.next.asks_host = True
                no_room = next(f for f in stage.fails if f.code == "AllocationFailed")
                state.no_room = Refusal(*fail(state, no_room, "ZonalAllocationFailed" if self.plan.zones else ""))
            self._deadline(state, stage, fail)
            state.chances = tuple(chance(state, f) for f in stage.fails if f.by_chance and self.probability(f.code) > 0)

        def finish(state: State, row: Operation) -> Transition:
            counts: tuple[str, ...] = (f"operations.{row.name}.succeeded",) * counted
            counts += ("vms.created",) * (row.name == "create") + ("vms.deleted",) * row.removes
            return self.transition(state, done(), *counts, attempts=Attempts.RESET)

        error = row.fails_at_once
        at_once = error is not None and self.probability(error.code) > 0

        def fill_accepted(state: State) -> None:
            assert error is not None
            state.operation, state.begins, state.wait = row.name, True, Delay.INSTANT
            state.next = self.transition(state, stage_state(0))
            state.chances = (chance(state, error),)

        if not at_once:
            return stage_state(0)
        # A create that is abandoned at once leaves no VM, so none is shown before its first stage.
        return self.state(f"{name}.accepted", fill_accepted, origin, row.shows or SUCCEEDED, serving=serving)

    def _deadline(self, state: State, stage: Stage, fail: Callable[..., tuple[Transition, Transition | None]]) -> None:
        for failure in stage.fails:
            if failure.by_deadline:
                state.deadline_s = {
                    "os_provisioning_timeout": self.plan.os_provisioning_timeout_s,
                    "extensions_timeout": self.plan.extensions_timeout_s,
                }[failure.timeout_key or ""]
                state.late = fail(state, failure)[0]

    # -- the automation around them --------------------------------------------------------------------------------

    @property
    def _off_operation(self) -> str | None:
        turns_off = isinstance(self.plan.demand, Schedule | Cycle)
        return OFF_OPERATION.get(self.plan.when_off) if turns_off else None

    @property
    def _has_life(self) -> bool:
        return isinstance(self.plan.demand, Arrivals | Replay)

    @property
    def _goes_away(self) -> bool:
        """Whether demand for a VM that was lost goes with it: an arrival leaves, the autoscaler adds another."""
        return self._has_life or isinstance(self.plan.demand, Autoscale)

    def create(self) -> State:
        return self.operate("create", None, key="create", done=self.on, retried=lambda _: self.create_again(),
                            given_up=lambda _: self.lost(), failed=self.failed)  # fmt: skip

    def create_again(self) -> State:
        def fill(state: State) -> None:
            state.wait, state.next = Delay.BACKOFF, self.transition(state, self.create())

        return self.state("retry.create", fill, None, None)

    def lost(self) -> State:
        """The attempts of a create are used up: there is no VM, and an arrival goes away."""

        def fill(state: State) -> None:
            if self._goes_away:
                state.wait = Delay.INSTANT
                state.next = self.transition(state, self.gone())
                state.next.ends_demand = True
            else:
                state.up = self.transition(state, self.create())

        return self.state("lost", fill, None, None)

    def gone(self) -> State:
        def fill(state: State) -> None:
            state.ends = True

        return self.state("gone", fill, None, None)

    def on(self) -> State:
        """In service: Running, the operation done, the guest well."""

        def fill(state: State) -> None:
            state.level = True
            if self._off_operation:
                state.down = self.transition(state, self.switch_off())
            self._fallible(state)
            self._expose(state)
            self._endanger(state)
            self._mortal(state)

        return self.state("on", fill, RUNNING, SUCCEEDED, serving=True)

    def switch_off(self) -> State:
        assert self._off_operation
        row = rows_for(self._off_operation, RUNNING)
        return self.operate(self._off_operation, RUNNING, key=self._off_operation, done=lambda: self.off(_power(row.ends_in)),
                            failed=lambda power: self.held(power, failed=True), serving=True)  # fmt: skip

    def off(self, power: PowerState) -> State:
        def fill(state: State) -> None:
            state.level = True
            state.up = self.transition(state, self.start(power))
            self._yield_room(state)
            self._mortal(state)

        return self.state(f"off.{power}", fill, power, SUCCEEDED)

    def start(self, power: PowerState | None) -> State:
        return self.operate("start", power, key="start", done=self.on, retried=self.start_again, given_up=self.given_up_start)  # fmt: skip

    def start_again(self, power: PowerState | None) -> State:
        def fill(state: State) -> None:
            state.wait, state.next = Delay.BACKOFF, self.transition(state, self.start(power))
            state.level = True  # demand may have turned off while the attempt ran
            state.down = self._settle(state, _power(power))
            self._yield_room(state)
            self._mortal(state)

        return self.state(f"retry.start@{power}", fill, power, FAILED)

    def given_up_start(self, power: PowerState | None) -> State:
        """The attempts of a start are used up. Whoever restarts evicted VMs asks again after the same pause."""
        spot = self.plan.spot
        asks_again = spot is not None and spot.restart_after_s is not None and spot.policy != "delete"
        return self.evicted() if asks_again and power is DEALLOCATED else self.unstarted(power)

    def unstarted(self, power: PowerState | None) -> State:
        """The attempts of a start are used up: as it is until it is wanted anew, which is after it was unwanted."""

        def fill(state: State) -> None:
            state.level = True
            state.down = self._settle(state, _power(power))
            self._yield_room(state)
            self._mortal(state)

        return self.state(f"unstarted.{power}", fill, power, FAILED)

    def _settle(self, state: State, power: PowerState) -> Transition:
        """Off hours begin while the VM is off, or half off, already: go where `when_off` wants it."""
        release = power is STOPPED and self.plan.when_off in ("deallocate", "hibernate")
        target = self.release() if release else self.off(power)
        return self.transition(state, target, attempts=Attempts.RESET)

    def release(self) -> State:
        return self.operate("deallocate", STOPPED, key="deallocate", done=lambda: self.off(DEALLOCATED),
                            failed=lambda power: self.held(power, failed=True))  # fmt: skip

    def held(self, power: PowerState | None, *, failed: bool) -> State:
        """As it is until demand changes: an operation was given up, or somebody else's has ended."""
        power = _power(power)

        def fill(state: State) -> None:
            if power is RUNNING:
                state.up = self.transition(state, self.on())
                state.down = self.transition(state, self.on())
                self._fallible(state)
                self._expose(state)
                self._endanger(state)
            else:
                state.up = self.transition(state, self.start(power))
                state.down = self._settle(state, power)
                self._yield_room(state)
            self._mortal(state)

        name = f"held.{power}" + (".failed" if failed else "")
        return self.state(name, fill, power, FAILED if failed else SUCCEEDED, serving=power is RUNNING)

    def _fallible(self, state: State) -> None:
        """The guest may crash here."""
        if self.plan.guest_crash:
            state.crash = self.transition(state, self.crashed(), "guest_crashes")
            state.crash.resamples_crash = True

    def crashed(self) -> State:
        """The guest is dead, the VM still Running and billed, and nobody knows yet."""
        crash = self.plan.guest_crash
        assert crash

        def fill(state: State) -> None:
            state.wait, state.stream = Delay.LAW, self.stream("detection", crash.detection_s)
            state.next = self.transition(state, self.restart())
            self._endanger(state)
            self._yield_room(state)
            if self._off_operation in ("deallocate", "power_off"):  # the others need a guest that answers
                state.down = self.transition(state, self.switch_off_dead("crashed", self.crashed))
            self._mortal(state)

        return self.state("crashed", fill, RUNNING, SUCCEEDED)

    def switch_off_dead(self, how: str, still: Callable[[], State]) -> State:
        """Switch off a VM that serves nobody; *still* is where it stays if that fails."""
        assert self._off_operation
        row = rows_for(self._off_operation, RUNNING)
        return self.operate(self._off_operation, RUNNING, key=f"{self._off_operation}.{how}",
                            done=lambda: self.off(_power(row.ends_in)), failed=lambda _: still())  # fmt: skip

    def restart(self) -> State:
        return self.operate("restart", RUNNING, key="restart", done=self.on, failed=lambda _: self.crashed())

    def failed(self, power: PowerState | None) -> State:
        """A create has failed and left a VM, billed where its state is, until somebody reacts."""
        power = _power(power)

        def fill(state: State) -> None:
            state.wait, state.stream = Delay.LAW, self.stream("reaction", self.plan.reaction_s)
            state.next = self.transition(state, self.delete(power, replacing=True))
            self._yield_room(state)
            if power is RUNNING:
                self._mortal(state)

        return self.state(f"failed.{power}", fill, power, FAILED)

    def delete(self, power: PowerState | None, *, replacing: bool) -> State:
        key = "replace" if replacing else "delete"
        return self.operate("delete", power, key=key, done=self.replaced if replacing else self.gone,
                            retried=lambda _: self.delete_again(power, replacing=replacing),
                            given_up=lambda _: self.undeleted(power, replacing=replacing))  # fmt: skip

    def delete_again(self, power: PowerState | None, *, replacing: bool) -> State:
        def fill(state: State) -> None:
            state.wait, state.next = (Delay.BACKOFF, self.transition(state, self.delete(power, replacing=replacing)))
            state.closed = True

        return self.state(f"retry.{'replace' if replacing else 'delete'}@{power}", fill, power, FAILED)

    def undeleted(self, power: PowerState | None, *, replacing: bool) -> State:
        """A delete was given up; somebody notices, and deletes again."""

        def fill(state: State) -> None:
            state.wait, state.stream = Delay.LAW, self.stream("reaction", self.plan.reaction_s)
            state.next = self.transition(state, self.delete(power, replacing=replacing))

        return self.state(f"undeleted.{power}.{'replace' if replacing else 'delete'}", fill, power, FAILED)

    def replaced(self) -> State:
        def fill(state: State) -> None:
            state.wait, state.next = Delay.INSTANT, self.transition(state, self.create())

        return self.state("replaced", fill, None, None)

    def _mortal(self, state: State) -> None:
        """An arrival's lifetime may end here."""
        if self._has_life:
            state.life = self.transition(state, self.delete(state.power, replacing=False))
            state.life.ends_demand = True

    # -- hosts fail, and are worked on -----------------------------------------------------------------------------

    def _endanger(self, state: State) -> None:
        """The host may fail here, or be maintained."""
        if self.platform is None:
            return
        if any((self.platform.host_failures, self.platform.rack_failures, self.platform.zone_failures)):
            state.host_failed = self.transition(state, self.healing(), "service_healings")
        if self.platform.maintenance is not None:
            impact = {"freeze": self.frozen, "reboot": self.rebooted, "redeploy": self.redeployed}
            state.maintained = self.transition(state, impact[self.platform.maintenance.impact](), "maintenance_impacts")

    def healing(self) -> State:
        """The host is lost. The VM shows Running, as last known, and serves nobody until it is started elsewhere."""
        assert self.platform
        assert self.platform.healing_s

        def fill(state: State) -> None:
            assert self.platform
            assert self.platform.healing_s
            state.wait, state.stream = Delay.LAW, self.stream("healing", self.platform.healing_s)
            self._start_elsewhere(state)

        return self.state("healing", fill, RUNNING, SUCCEEDED)

    def _start_elsewhere(self, state: State) -> None:
        state.next = self.transition(state, self.started_elsewhere(), "allocation.attempts")
        state.next.asks_host = True
        state.no_room = Refusal(
            self.transition(state, self.unplaced(), "allocation.attempts", "allocation.failures"), None
        )

    def unplaced(self, *, abandoned: bool = False) -> State:
        """No other host has room; the platform looks again and again. *abandoned*: so was the attempt to switch it off."""

        def fill(state: State) -> None:
            state.wait, state.stream = Delay.LAW, self.stream("room", Constant(value=LOOKS_FOR_ROOM_EVERY_S))
            self._start_elsewhere(state)
            if self._off_operation in ("deallocate", "power_off"):
                state.down = self.transition(
                    state, self.switch_off_dead("unplaced", lambda: self.unplaced(abandoned=True))
                )
                state.level = not abandoned  # demand may have turned off since the host was lost
            self._mortal(state)

        return self.state("unplaced.abandoned" if abandoned else "unplaced", fill, RUNNING, SUCCEEDED)

    def started_elsewhere(self) -> State:
        return self.operate("service_healing", RUNNING, key="healing", done=self.on)

    def frozen(self) -> State:
        """Memory is kept, the VM pauses; power state and bill don't notice."""
        assert self.platform
        assert self.platform.maintenance

        def fill(state: State) -> None:
            assert self.platform
            assert self.platform.maintenance
            state.wait, state.stream = Delay.LAW, self.stream("freeze", self.platform.maintenance.freeze_s)
            state.next = self.transition(state, self.on())

        return self.state("maintenance.frozen", fill, RUNNING, SUCCEEDED)

    def rebooted(self) -> State:
        def fill(state: State) -> None:
            state.wait, state.stream = (Delay.LAW, self.stream("restarting", self.plan.durations_s["restarting"]))
            state.next = self.transition(state, self.on())

        return self.state("maintenance.reboot", fill, RUNNING, SUCCEEDED)

    def redeployed(self) -> State:
        def fill(state: State) -> None:
            state.wait = Delay.INSTANT
            self._start_elsewhere(state)

        return self.state("maintenance.redeploy", fill, RUNNING, SUCCEEDED)

    # -- spot ------------------------------------------------------------------------------------------------------

    def _expose(self, state: State) -> None:
        """An eviction may strike here."""
        if self.plan.spot and (self.platform or self.plan.spot.eviction_per_hour > 0):
            state.evict = self.transition(state, self.noticed(), "evictions")
            state.evict.resamples_eviction = True
            state.preempt = state.evict

    def _yield_room(self, state: State) -> None:
        """A spot VM whose guest can't hear a notice goes at once if a regular one needs its room."""
        if self.plan.spot and self.platform and state.power in (RUNNING, STOPPED):
            state.preempt = self.transition(state, self.evicting(), "evictions")

    def noticed(self) -> State:
        """The notice is out; the VM still serves."""
        spot = self.plan.spot
        assert spot

        def fill(state: State) -> None:
            state.wait, state.stream = Delay.LAW, self.stream("notice", spot.notice_s)
            state.next = self.transition(state, self.evicting())
            state.closed = True

        return self.state("evicted.notice", fill, RUNNING, SUCCEEDED, serving=True)

    def evicting(self) -> State:
        spot = self.plan.spot
        assert spot
        stage = "deleting" if spot.policy == "delete" else "deallocating"

        def fill(state: State) -> None:
            state.wait, state.stream = Delay.LAW, self.stream(stage, self.plan.durations_s[stage])
            deletes = spot.policy == "delete"
            state.closed = True
            state.next = self.transition(state, self.evicted(), *(("vms.deleted",) if deletes else ()))

        shown = ProvisioningState.DELETING if spot.policy == "delete" else SUCCEEDED
        return self.state("evicted.going", fill, DEALLOCATING, shown)

    def evicted(self) -> State:
        spot = self.plan.spot
        assert spot
        deletes = spot.policy == "delete"

        def fill(state: State) -> None:
            if spot.restart_after_s is not None:
                state.wait, state.stream = Delay.LAW, self.stream("restart_after", spot.restart_after_s)
                state.next = self.transition(state, self.create() if deletes else self.off(DEALLOCATED))
            elif deletes:
                if self._goes_away:
                    state.wait, state.next = Delay.INSTANT, self.transition(state, self.gone())
                    state.next.ends_demand = True
                else:
                    state.up = self.transition(state, self.create())
            if not deletes:
                state.level = True  # demand may have turned off since the notice
                state.down = self.transition(state, self.off(DEALLOCATED))
                self._mortal(state)

        return self.state("evicted", fill, None if deletes else DEALLOCATED, None if deletes else SUCCEEDED)

    # -- the whole -------------------------------------------------------------------------------------------------

    def build(self, *, asked_from_outside: bool) -> StateMachine:
        unborn = self.state("unborn", lambda _: None, None, None)
        first = self.transition(unborn, self.create())
        asks = self._asks() if asked_from_outside else {}
        plan, demand = self.plan, self.plan.demand
        crash = self.stream("guest_crash", plan.guest_crash.time_between_s) if plan.guest_crash else -1
        eviction = -1
        if plan.spot and plan.spot.eviction_per_hour > 0:
            eviction = self.stream("eviction", _hazard(plan.spot.eviction_per_hour))
        lifetime = self.stream("lifetime", demand.lifetime_s) if isinstance(demand, Arrivals) else -1
        assert not isinstance(demand, Autoscale) or asked_from_outside, "the autoscaler asks for deletes"
        edges = (-1, -1)
        if isinstance(demand, Cycle):
            edges = (self.stream("cycle.on", demand.on_s), self.stream("cycle.off", demand.off_s))
        elif isinstance(demand, Schedule) and demand.jitter_s is not None:
            edges = (self.stream("jitter", demand.jitter_s),) * 2
        for state in self.states:
            law = self.samplers[state.stream] if state.wait is Delay.LAW else None
            state.fixed_s = law.support[0] if law is not None and law.support[0] == law.support[1] else None
            state.has_timers = not (state.crash is state.evict is state.life is None)
            state.runs_timers = (crash >= 0 and state.runs_crash_timer) or (eviction >= 0 and state.runs_eviction_timer)
        if self.platform is not None:
            self._mark_resource_needs()
        counted = any(transition.attempts is Attempts.ADD for transition in self.transitions)
        for transition in self.transitions:
            transition.sets_life = transition.sets_life and lifetime >= 0
            transition.resamples_eviction = transition.resamples_eviction and eviction >= 0
            transition.has_effect = (
                bool(transition.code) or (counted and transition.attempts is Attempts.RESET) or transition.sets_life or transition.ends_demand
                or transition.resamples_crash or transition.resamples_eviction
            )  # fmt: skip
        for state in self.states:
            state.answers = state.up is not None or state.down is not None
            state.turns = 2 * (len(self.transitions) + state.index)
        return StateMachine(
            plan=plan,
            states=tuple(self.states),
            transitions=tuple(self.transitions),
            first=first,
            stream_names=tuple(self.stream_names),
            samplers=tuple(self.samplers),
            backoff_s=_backoffs(plan.retry),
            crash_stream=crash,
            eviction_stream=eviction,
            lifetime_stream=lifetime,
            edge_streams=edges,
            asks=asks,
        )

    def _mark_resource_needs(self) -> None:
        """Where VMs meet others: each transition that asks for something, or may give it back."""
        place = 0
        while place < len(self.transitions):  # refusals lead to places that may be asked from in turn
            transition = self.transitions[place]
            place += 1
            source, target = transition.source, transition.target
            if target.operation == "create" and source.operation != "create":
                transition.asks_quota = True
                if source.no_quota is None:
                    counts: tuple[str, ...] = ("operations.create.rejected", "failures.QuotaExceeded")
                    source.no_quota = self._refusal(source, self.create_again(), self.lost(), counts, "QuotaExceeded")
            if source.power is STOPPED and target.power is PowerState.STARTING and source.no_room is None:
                # A stopped VM keeps its host; it needs another one only if that host has failed meanwhile.
                counts = (
                    "operations.start.failed",
                    "failures.AllocationFailed",
                    "allocation.attempts",
                    "allocation.failures",
                )
                if source.operation is None:
                    counts = ("operations.start.accepted", *counts)
                source.no_room = self._refusal(
                    source, self.start_again(STOPPED), self.unstarted(STOPPED), counts, "AllocationFailed"
                )
        for transition in self.transitions:
            transition.needs_resource = (
                transition.asks_host or transition.asks_quota
                or (transition.source.power in _ON_HOST and transition.target.power not in _ON_HOST)
                or (transition.target.power is None and transition.target.operation is None)
                or (transition.source.power is STOPPED and transition.target.power is PowerState.STARTING)  # its host may be lost
                or (transition.target.begins and self.platform is not None and self.platform.throttle is not None)
            )  # fmt: skip

    def _refusal(self, source: State, again: State, never: State, counts: tuple[str, ...], code: str) -> Refusal:
        return Refusal(
            self.transition(source, again, *counts, code=code, attempts=Attempts.ADD),
            self.transition(source, never, *counts, code=code, attempts=Attempts.RESET),
        )

    def _asks(self) -> dict[tuple[int, str], Transition]:
        """Transitions for operations that somebody outside the automation asks for; a delete is accepted anywhere."""
        asks: dict[tuple[int, str], Transition] = {}
        waiting = list(self.states)
        while waiting:
            state = waiting.pop(0)
            if state.power is None:
                if state is self.known.get("retry.create") and isinstance(self.plan.demand, Autoscale):
                    withdrawn = self.transition(state, self.gone())
                    withdrawn.ends_demand = True
                    asks[state.index, "delete"] = withdrawn
                continue
            known = len(self.states)
            for operation in sorted(_COUNTED - {"create"}):
                target = self._asked(operation, state)
                if target is not None:
                    ask = self.transition(state, target, attempts=Attempts.RESET)
                    ask.ends_demand = operation == "delete"
                    asks[state.index, operation] = ask
            waiting += self.states[known:]
        return asks

    def _asked(self, operation: str, state: State) -> State | None:
        if operation == "delete":
            already = state.operation == "delete" and not state.name.startswith("replace@")
            return None if already else self.delete(state.power, replacing=False)
        if state.operation is not None or state.closed:
            return None
        from sim.errors import OperationNotAllowed

        try:
            row = rows_for(operation, state.power)
        except OperationNotAllowed:
            return None
        after = state.power if row.ends_in is None else row.ends_in
        revives = operation == "restart" and state is self.known.get("crashed")

        def done() -> State:
            stays = after is state.power and state.wait is not Delay.BACKOFF and not revives
            return state if stays else self.held(after, failed=False)

        def failed(left: PowerState | None) -> State:
            ill = left is RUNNING and not state.serving
            return state if ill else self.held(left, failed=True)

        return self.operate(operation, state.power, key=f"asked.{operation} in {state.name}", done=done, failed=failed,
                            retried=None, serving=state.serving)  # fmt: skip


from sim.lifecycle.operations import OPERATION_NAMES  # noqa: E402

_COUNTED = frozenset(OPERATION_NAMES)
_ON_HOST = frozenset(state for state, facts in POWER.items() if facts.on_host)


def _power(power: PowerState | None) -> PowerState:
    if power is None:
        raise LifecycleError("a VM that is held, off or failed shows a power state")
    return power


def _backoffs(retry: Retry) -> tuple[float, ...]:
    """How long the automation waits (s) after the 1st, 2nd, ... failed attempt."""
    grown_s, waits = retry.backoff_s, []
    for _ in range(max(1, retry.attempts - 1)):
        waits.append(min(grown_s, retry.max_backoff_s))
        grown_s *= retry.multiplier  # past the largest float it is infinite, and capped all the same
    return tuple(waits)


def _hazard(eviction_per_hour: float) -> Distribution:
    """Time to eviction from its probability within one hour of running: a constant hazard, exponential times.

    At probability 1 the hazard is infinite: the VM is evicted at once. Beyond the longest time that a law may have,
    nobody will notice the difference.
    """
    if eviction_per_hour >= 1:
        return Constant(value=0.0)
    return Exponential(mean=min(SECONDS_PER_HOUR / -float(np.log1p(-eviction_per_hour)), LONGEST_S))
