"""Deletes: at the end of an arrival's lifetime, when asked for, and of a failed VM, which is then replaced.

The *reason* of a delete is "delete" (the VM is gone), "replace" (it is created again), or "move" (its work goes on elsewhere).
"""

from sim.lifecycle.power import PowerState
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.state_machine import Delay, State
from sim.model.states.draft import Draft, Power, Rows
from sim.model.states.operations import Outcomes, operate

FAILED = ProvisioningState.FAILED
DELETION = Rows()


def lifetime_may_end(draft: Draft, state: State) -> None:
    """An arrival's lifetime may end here: it is no longer wanted, and a VM that exists is deleted."""
    if draft.has_lifetime:
        over = draft.to("gone") if state.power is None else draft.to("delete", state.power, "delete")
        state.life = draft.transition(state, over)
        state.life.ends_demand = True


def without_vm(draft: Draft, state: State) -> None:
    """There is no VM until demand turns on; demand for it goes on, unless the autoscaler requests another one instead."""
    if draft.plan.demand.is_scaled:
        state.wait, state.next = Delay.INSTANT, draft.transition(state, draft.to("gone"))
        state.next.ends_demand = True
    elif not draft.plan.demand.is_open:
        state.up = draft.transition(state, draft.to("create"))
    lifetime_may_end(draft, state)


def back_to_autoscaler(draft: Draft, state: State) -> None:
    """No one brings the VM back: an autoscaler that keeps deallocated VMs has one more of them, and one less asked for."""
    if draft.plan.demand.sets_aside:
        assert state.down is not None
        state.wait, state.next = Delay.INSTANT, state.down
        state.next.ends_demand = True


@DELETION.operation
def delete(draft: Draft, power: PowerState, reason: str) -> State:
    """Accepted from any power state."""
    return operate(draft, "delete", power, Outcomes(
        done=lambda: draft.to({"replace": "replaced", "move": "moved"}.get(reason, "gone")),
        retried=lambda _: draft.to("delete_again", power, reason),
        given_up=lambda _: draft.to("undeleted", power, reason),
    ), key=reason)  # fmt: skip


@DELETION.state("retry.{1}@{0}", Power.GIVEN, FAILED)
def delete_again(draft: Draft, state: State, power: PowerState, reason: str) -> None:
    """A delete has failed: back off, then delete."""
    state.wait, state.next = Delay.BACKOFF, draft.transition(state, draft.to("delete", power, reason))
    state.closed = True


@DELETION.state("undeleted.{0}.{1}", Power.GIVEN, FAILED)
def undeleted(draft: Draft, state: State, power: PowerState, reason: str) -> None:
    """The attempts of a delete are used up; someone notices, and deletes again."""
    draft.lasts(state, "reaction", draft.plan.reaction_s)
    state.next = draft.transition(state, draft.to("delete", power, reason))
    if reason == "replace":
        lifetime_may_end(draft, state)


@DELETION.state("replaced", None, None)
def replaced(draft: Draft, state: State) -> None:
    """A failed VM is deleted, and created again at once, or when it is wanted."""
    again = draft.to("not_there" if draft.deletes_unwanted else "create")
    state.wait, state.next = Delay.INSTANT, draft.transition(state, again)
    lifetime_may_end(draft, state)


def may_move(draft: Draft, state: State, *, returns: bool = False) -> None:
    """Work may go on with a VM of the other priority: from spot VMs, or where it *returns*, to them."""
    plan = draft.plan
    if plan.fall_back is None or returns != (plan.spot is None) or (returns and not plan.fall_back.returns):
        return
    state.moves = draft.transition(
        state, draft.to("moved") if state.power is None else draft.to("delete", state.power, "move")
    )


@DELETION.state("moved", None, None)
def moved(_draft: Draft, state: State) -> None:
    """Deleted, for a VM of the other priority to go on."""
    state.ends = state.moves_on = True


@DELETION.state("gone", None, None)
def gone(_draft: Draft, state: State) -> None:
    """Deleted for good."""
    state.ends = True
