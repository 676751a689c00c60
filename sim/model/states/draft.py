"""A state machine while it is compiled: its states, transitions and streams, and the rows that describe its states."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from sim.distributions.kinds import Distribution
from sim.errors import LifecycleError
from sim.lifecycle.operations import OPERATION_NAMES
from sim.lifecycle.power import PowerState, is_legal
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.plan import GroupPlan, Platform
from sim.model.state_machine import Attempts, Delay, State, Transition
from sim.model.when_off import WHEN_OFF, WhenOff

Exits = TypeVar("Exits", bound=Callable[..., None])
FirstState = TypeVar("FirstState", bound=Callable[..., State])


class Power(Enum):
    """What a row says of power where it names no single state."""

    GIVEN = 0  # the row's first argument


@dataclass(slots=True)
class Draft:
    """The state machine of one group under construction."""

    plan: GroupPlan
    platform: Platform | None
    rows: Mapping[str, Callable[..., State]]
    states: list[State] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    known: dict[str, State] = field(default_factory=dict)
    streams: dict[str, int] = field(default_factory=dict)
    samplers: list[Distribution | None] = field(default_factory=list)

    def to(self, row: str, *given: object) -> State:
        """The state that a row describes; made the first time it is asked for."""
        return self.rows[row](self, *given)

    def stream(self, name: str, sampler: Distribution | None = None) -> int:
        """The number of a stream; made the first time it is asked for."""
        if name not in self.streams:
            self.streams[name] = len(self.samplers)
            self.samplers.append(sampler)
        return self.streams[name]

    def state(
        self,
        name: str,
        power: PowerState | None,
        provisioning: ProvisioningState | None,
        exits: Callable[[State], None],
        *,
        serving: bool = False,
    ) -> State:
        """The state of that name; *exits* adds its transitions the first time it is asked for."""
        if name not in self.known:
            made = State(len(self.states), name, power, provisioning, serving)
            self.known[name] = made
            self.states.append(made)
            exits(made)
        return self.known[name]

    def lasts(self, state: State, stream: str, sampler: Distribution) -> None:
        """A stay in *state* takes a time drawn from a stream."""
        state.wait, state.stream = Delay.SAMPLED, self.stream(stream, sampler)

    def transition(
        self,
        source: State,
        target: State,
        *counts: str,
        code: str = "",
        attempts: Attempts = Attempts.KEEP,
        is_found: bool = False,
    ) -> Transition:
        """A new transition; *is_found*: the VM is found in the state, and not moved there.

        Raises LifecycleError where it would be an illegal move: a defect of the rows.
        """
        if not is_found and source.power is not target.power and not is_legal(source.power, target.power):
            raise LifecycleError(
                f"group {self.plan.name!r}: {source.name} -> {target.name} would move power from "
                f"{source.power} to {target.power}, which the power table doesn't allow"
            )
        if target.begins and target.operation in OPERATION_NAMES:
            counts += (f"operations.{target.operation}.accepted",)
        if target.needs_hardware:
            counts += ("allocation.attempts",)
        made = Transition(len(self.transitions), source, target, counts, code, attempts)
        self.transitions.append(made)
        return made

    # -- what the plan asks for ------------------------------------------------------------------------------------

    @property
    def turns_off(self) -> bool:
        """Whether demand for a VM turns off and on again."""
        return self.plan.demand.turns_off or self.plan.demand.sets_aside

    @property
    def when_off(self) -> WhenOff:
        """What is done with an unwanted VM."""
        return "deallocate" if self.plan.demand.sets_aside else self.plan.when_off

    @property
    def off_operation(self) -> str | None:
        """The operation that switches an unwanted VM off; None: it is kept on, or demand never turns off."""
        return WHEN_OFF[self.when_off].operation if self.turns_off else None

    @property
    def deletes_unwanted(self) -> bool:
        """Whether an unwanted VM is deleted, and created anew each time it is wanted."""
        return self.off_operation == "delete"

    @property
    def has_lifetime(self) -> bool:
        """Whether a VM is deleted when its lifetime is over."""
        return self.plan.demand.has_lifetime or bool(self.plan.count_steps)

    @property
    def restarts_evicted(self) -> bool:
        """Whether evicted VMs are requested again."""
        return self.plan.spot is not None and self.plan.spot.restart_after_s is not None

    @property
    def deletes_evicted(self) -> bool:
        """Whether an eviction deletes the VM."""
        return self.plan.spot is not None and self.plan.spot.policy == "delete"

    @property
    def hosts_fail(self) -> bool:
        """Whether a host may fail under a VM."""
        return self.platform is not None and self.platform.hosts_fail


class Rows(dict[str, Callable[..., State]]):
    """The rows of one concern, by name: what each state shows, and a function that adds its exits."""

    def state(
        self,
        name: str,
        power: PowerState | Power | None,
        provisioning: ProvisioningState | None,
        *,
        serving: bool = False,
    ) -> Callable[[Exits], Exits]:
        """Register a state; *name* may contain the row's arguments, *serving* holds while the VM is Running."""

        def register(exits: Exits) -> Exits:
            def to(draft: Draft, *given: object) -> State:
                shown = given[0] if power is Power.GIVEN else power
                if (shown is not None and not isinstance(shown, PowerState)) or (shown is None and power is not None):
                    raise LifecycleError(f"{name}: a VM in this state shows a power state, not {shown!r}")
                return draft.state(
                    name.format(*given), shown, provisioning, lambda state: exits(draft, state, *given),
                    serving=serving and shown is PowerState.RUNNING,
                )  # fmt: skip

            self[exits.__name__] = to
            return exits

        return register

    def operation(self, first: FirstState) -> FirstState:
        """Register a function that makes an operation and returns its first state."""
        self[first.__name__] = first
        return first
