"""What transitions need of the platform: quota for a create, a host for a start, a token for an operation."""

from sim.lifecycle.power import ON_HOST, PowerState
from sim.model.state_machine import Attempts, Refusal, State, Transition
from sim.model.states.draft import Draft

START_REFUSED = ("operations.start.failed", "failures.AllocationFailed", "allocation.attempts", "allocation.failures")


def add_refusals(draft: Draft) -> None:
    """Where a create may find no quota, and a start from stopped no host, say where the refusal leads."""
    place = 0
    while place < len(draft.transitions):  # a refusal may lead to states that ask in turn
        transition = draft.transitions[place]
        place += 1
        source, target = transition.source, transition.target
        if target.operation == "create" and source.operation != "create":
            transition.asks_quota = True
            if source.no_quota is None:
                counts: tuple[str, ...] = ("operations.create.rejected", "failures.QuotaExceeded")
                again, never = draft.to("create_again"), draft.to("give_up_create")
                source.no_quota = _refusal(draft, source, again, never, counts, "QuotaExceeded")
        if _restarts_on_its_host(transition) and source.no_room is None:
            counts = START_REFUSED if source.operation else ("operations.start.accepted", *START_REFUSED)
            again, never = draft.to("start_again", PowerState.STOPPED), draft.to("unstarted", PowerState.STOPPED)
            source.no_room = _refusal(draft, source, again, never, counts, "AllocationFailed")


def _refusal(draft: Draft, source: State, again: State, never: State, counts: tuple[str, ...], code: str) -> Refusal:
    return Refusal(
        draft.transition(source, again, *counts, code=code, attempts=Attempts.ADD),
        draft.transition(source, never, *counts, code=code, attempts=Attempts.RESET),
    )


def _restarts_on_its_host(transition: Transition) -> bool:
    """A stopped VM keeps its host; it needs another one only if that host has failed meanwhile."""
    return transition.source.power is PowerState.STOPPED and transition.target.power is PowerState.STARTING


def needs_resource(transition: Transition, *, throttled: bool) -> bool:
    """Whether the transition asks the platform for something, or may give something back to it."""
    source, target = transition.source, transition.target
    return (
        transition.asks_host
        or transition.asks_quota
        or (source.power in ON_HOST and target.power not in ON_HOST)
        or (target.power is None and target.operation is None)
        or _restarts_on_its_host(transition)
        or (target.begins and throttled)
    )
