"""Where a VM begins: in its first create, or, if it exists at t = 0, in the power state in which it was found."""

from sim.lifecycle.power import ON_HOST, PowerState
from sim.model.state_machine import Attempts, Refusal, State, Transition
from sim.model.states.draft import Draft

FAILED_TO_PLACE = ("allocation.attempts", "allocation.failures", "failures.AllocationFailed")


def first_transitions(draft: Draft) -> tuple[Transition, Transition]:
    """From no VM into its first state: of VMs of t = 0, and of those that come later."""
    unborn = draft.state("unborn", None, None, lambda _: None)
    if not draft.plan.initial:
        return (_created(draft, unborn),) * 2
    first = _exists(draft, unborn)
    if not draft.plan.count_steps:
        return first, first
    return first, _created(draft, draft.state("unborn.later", None, None, lambda _: None))


def _created(draft: Draft, unborn: State) -> Transition:
    return draft.transition(unborn, draft.to("not_there" if draft.deletes_unwanted else "create"))


def _exists(draft: Draft, unborn: State) -> Transition:
    """Into the state in which the VM is found, which counts nothing."""
    power = PowerState(draft.plan.initial)
    first = draft.transition(unborn, _found(draft, power), is_found=True)
    if draft.platform is not None:
        _needs_room(draft, unborn, first)
    return first


def _found(draft: Draft, power: PowerState) -> State:
    return draft.to("on") if power is PowerState.RUNNING else draft.to("off", power)


def _needs_room(draft: Draft, unborn: State, first: Transition) -> None:
    """The VM holds quota and, while it is on a host, room: without quota there is none, without room it is deallocated."""
    first.asks_quota = True
    lost = draft.transition(unborn, draft.to("lost"), "failures.QuotaExceeded", code="QuotaExceeded")
    unborn.no_quota = Refusal(lost, None)
    if first.target.power in ON_HOST:
        first.asks_host = True
        off = draft.transition(
            unborn, draft.to("off", PowerState.DEALLOCATED), *FAILED_TO_PLACE, code="AllocationFailed",
            attempts=Attempts.RESET, is_found=True,
        )  # fmt: skip
        unborn.no_room = Refusal(off, None)
