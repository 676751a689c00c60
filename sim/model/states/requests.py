"""Requests from outside the automation: where each operation is accepted, and where it leads."""

from sim.errors import OperationNotAllowed
from sim.lifecycle.operations import OPERATION_NAMES, rows_for
from sim.lifecycle.power import PowerState
from sim.model.state_machine import Attempts, Delay, State, Transition
from sim.model.states.draft import Draft
from sim.model.states.operations import Outcomes, operate

ON_REQUEST = sorted(set(OPERATION_NAMES) - {"create"})


def add_requests(draft: Draft) -> dict[tuple[int, str], Transition]:
    """Transitions for requests from outside, by state and operation; a delete is accepted anywhere."""
    asks: dict[tuple[int, str], Transition] = {}
    waiting = list(draft.states)
    while waiting:
        state = waiting.pop(0)
        if state.power is None:
            if state is draft.known.get("retry.create") and draft.plan.demand.is_scaled:
                withdrawn = draft.transition(state, draft.to("gone"))
                withdrawn.ends_demand = True
                asks[state.index, "delete"] = withdrawn
            continue
        known = len(draft.states)
        for operation in ON_REQUEST:
            target = _accepted(draft, operation, state)
            if target is not None:
                ask = draft.transition(state, target, attempts=Attempts.RESET)
                ask.ends_demand = operation == "delete"
                asks[state.index, operation] = ask
        waiting += draft.states[known:]
    return asks


def _accepted(draft: Draft, operation: str, state: State) -> State | None:
    """The first state of an operation asked for in *state*; None where it isn't accepted."""
    if operation == "delete":
        already = state.operation == "delete" and not state.name.startswith(("replace@", "unwanted@"))
        return None if already else draft.to("delete", state.power, "delete")
    if state.operation is not None or state.closed:
        return None
    try:
        row = rows_for(operation, state.power)
    except OperationNotAllowed:
        return None
    after = state.power if row.ends_in is None else row.ends_in
    revives = operation == "restart" and state is draft.known.get("crashed")

    def done() -> State:
        stays = after is state.power and state.wait is not Delay.BACKOFF and not revives
        return state if stays else draft.to("held", after)

    def failed(left: PowerState | None) -> State:
        unwell = left is PowerState.RUNNING and not state.serving
        return state if unwell else draft.to("held_failed", left)

    outcomes = Outcomes(done=done, failed=failed)
    return operate(
        draft, operation, state.power, outcomes, key=f"asked.{operation} in {state.name}", serving=state.serving
    )
