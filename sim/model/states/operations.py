"""An operation row of the lifecycle as states: one for each stage, with the failures that the row lists."""

from collections.abc import Callable
from dataclasses import dataclass

from sim.errors import LifecycleError
from sim.lifecycle.operations import ABANDONED, Answer, Operation, Stage, StageFailure, rows_for
from sim.lifecycle.power import PowerState
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.state_machine import Attempts, Chance, Delay, Life, Refusal, State, Transition
from sim.model.states.draft import Draft

AfterFailure = Callable[[PowerState | None], State]
"""Where a failure leads, by the power state that it leaves behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Where an operation leads: success; a failure that the automation retries, and the last of these; any other."""

    done: Callable[[], State]
    retried: AfterFailure | None = None
    given_up: AfterFailure | None = None
    failed: AfterFailure | None = None


def operate(
    draft: Draft, operation: str, origin: PowerState | None, outcomes: Outcomes, *, key: str = "", serving: bool = False
) -> State:
    """The first state of an operation from *origin*; *serving*: the VM serves until its power state changes."""
    row = rows_for(operation, origin)
    return _Compiled(draft, row, origin, outcomes, f"{key or operation}@{origin or 'absent'}", serving).first_state()


@dataclass(frozen=True, slots=True)
class _Compiled:
    """One row as it goes from one power state."""

    draft: Draft
    row: Operation
    origin: PowerState | None
    outcomes: Outcomes
    name: str
    serving: bool

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self.row.stages_for(generalized=self.draft.plan.generalized)

    @property
    def abandoned_at_once(self) -> StageFailure | None:
        """The failure that may strike when the operation is accepted."""
        error = self.row.fails_at_once
        return error if error is not None and self._probability(error) > 0 else None

    def first_state(self) -> State:
        error = self.abandoned_at_once
        if error is None:
            return self._stage(0)

        def exits(state: State) -> None:
            state.operation, state.begins, state.wait = self.row.name, True, Delay.INSTANT
            state.next = self.draft.transition(state, self._stage(0))
            state.chances = (self._chance(state, error),)

        # A create that is abandoned at once leaves no VM, so none is shown before its first stage.
        shown = self.row.shows or ProvisioningState.SUCCEEDED
        return self.draft.state(f"{self.name}.accepted", self.origin, shown, exits, serving=self.serving)

    def _stage(self, position: int) -> State:
        stage = self.stages[position]
        return self.draft.state(
            f"{self.name}.{stage.name}",
            self.origin if stage.power is None else stage.power,
            stage.provisioning or ProvisioningState.SUCCEEDED,
            lambda state: self._stage_exits(state, stage, position),
            serving=self.serving and stage.power is None,
        )

    def _stage_exits(self, state: State, stage: Stage, position: int) -> None:
        draft = self.draft
        state.operation = self.row.name
        state.begins = position == 0 and self.abandoned_at_once is None
        state.needs_hardware = stage.needs_hardware
        draft.lasts(state, stage.name, draft.plan.durations_s[stage.name])
        if position + 1 < len(self.stages):
            following = self._stage(position + 1)
            state.next = draft.transition(state, following)
            comes_to_running = state.power is not PowerState.RUNNING and following.power is PowerState.RUNNING
            if self.row.name == "create" and comes_to_running:
                state.next.life = Life.BEGIN
        else:
            state.next = self._success(state)
        is_recorded = draft.plan.spot is not None and draft.plan.spot.availability is not None
        if stage.needs_hardware and (draft.platform is not None or is_recorded):
            no_room = next(failure for failure in stage.fails if failure.code == "AllocationFailed")
            refusal = Refusal(*self._failure(state, no_room, "ZonalAllocationFailed" if draft.plan.zones else ""))
            if draft.platform is not None:
                state.next.asks_host, state.no_room = True, refusal
            if is_recorded:
                state.no_capacity = refusal
        for failure in stage.fails:
            if failure.by_deadline:
                state.deadline_s = {
                    "os_provisioning_timeout": draft.plan.os_provisioning_timeout_s,
                    "extensions_timeout": draft.plan.extensions_timeout_s,
                }[failure.timeout_key or ""]
                state.late = self._failure(state, failure)[0]
        self._host_may_fail(state)
        state.chances = tuple(
            self._chance(state, failure)
            for failure in stage.fails
            if failure.by_chance and self._probability(failure) > 0
        )

    def _host_may_fail(self, state: State) -> None:
        """What becomes of the operation if the host fails in this stage; the VM has one from the first stage with power on."""
        draft, what = self.draft, self.row.host_lost
        if not draft.hosts_fail or state.power not in (PowerState.STARTING, PowerState.RUNNING):
            return
        if what == "fails":
            left = PowerState.STOPPED if state.power is PowerState.STARTING else PowerState.RUNNING
            by: Answer = "reaction" if self.row.name == "create" else "retry"
            lost = StageFailure(code=ABANDONED, leaves=left, lasts="nothing", answered_by=by)
            state.host_failed, state.host_failed_gives_up = self._failure(state, lost)
        elif what == "healed":
            failed = (f"operations.{self.row.name}.failed", f"failures.{ABANDONED}") * self.row.control_plane
            healed = draft.transition(
                state, draft.to("healing"), "service_healings", *failed,
                code=ABANDONED if failed else "", attempts=Attempts.RESET,
            )  # fmt: skip
            state.host_failed = healed

    def _success(self, state: State) -> Transition:
        counts: tuple[str, ...] = (f"operations.{self.row.name}.succeeded",) * self.row.control_plane
        counts += ("vms.created",) * (self.row.name == "create") + ("vms.deleted",) * self.row.removes
        return self.draft.transition(state, self.outcomes.done(), *counts, attempts=Attempts.RESET)

    def _failure(
        self, source: State, failure: StageFailure, shown_as: str = ""
    ) -> tuple[Transition, Transition | None]:
        """The transition of a failure, and the one that is taken instead when the attempts are used up."""
        left = self.origin if failure.leaves is None else failure.leaves
        code = shown_as or failure.code
        counts = (f"operations.{self.row.name}.failed",) * self.row.control_plane + (f"failures.{code}",)
        if failure.code == "AllocationFailed":
            counts += ("allocation.failures",)
        transition, to = self.draft.transition, self.outcomes
        if failure.answered_by == "retry" and to.retried and to.given_up:
            return (
                transition(source, to.retried(left), *counts, code=code, attempts=Attempts.ADD),
                transition(source, to.given_up(left), *counts, code=code, attempts=Attempts.RESET),
            )
        if to.failed is None:
            raise LifecycleError(f"no transition handles {failure.code} of {self.name}")
        return transition(source, to.failed(left), *counts, code=code, attempts=Attempts.RESET), None

    def _chance(self, source: State, failure: StageFailure) -> Chance:
        # An error that may strike any operation has one stream for each, so that operations share no random numbers.
        stream = f"failure.{failure.code}" + (f".{self.row.name}" if failure.lasts == "nothing" else "")
        transition, gives_up = self._failure(source, failure)
        return Chance(
            self._probability(failure), self.draft.stream(stream), transition, gives_up, failure.lasts == "timeout"
        )

    def _probability(self, failure: StageFailure) -> float:
        return self.draft.plan.failures.get(failure.code, 0.0)
