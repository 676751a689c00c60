"""Spot: a VM is evicted by a hazard of its own, or when a regular VM needs its room."""

from sim.lifecycle.power import PowerState
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.state_machine import State
from sim.model.states.deletion import back_to_autoscaler, lifetime_may_end, may_move, without_vm
from sim.model.states.draft import Draft, Rows

RUNNING, STOPPED = PowerState.RUNNING, PowerState.STOPPED
DEALLOCATING, DEALLOCATED = PowerState.DEALLOCATING, PowerState.DEALLOCATED
SUCCEEDED, DELETING = ProvisioningState.SUCCEEDED, ProvisioningState.DELETING
SPOT = Rows()


def may_be_evicted(draft: Draft, state: State) -> None:
    """An eviction may strike here, with a notice first."""
    spot = draft.plan.spot
    if spot and (draft.platform or spot.may_evict):
        state.evict = draft.transition(state, draft.to("noticed"), "evictions")
        state.evict.resamples_eviction = True
        state.preempt = state.evict


def may_be_preempted(draft: Draft, state: State) -> None:
    """A spot VM whose guest can't hear a notice goes at once if a regular VM needs its room."""
    if draft.plan.spot and draft.platform and state.power in (RUNNING, STOPPED):
        state.preempt = draft.transition(state, draft.to("evict"), "evictions")


@SPOT.state("evicted.notice", RUNNING, SUCCEEDED, serving=True)
def noticed(draft: Draft, state: State) -> None:
    """The notice is out; the VM still serves."""
    assert draft.plan.spot
    draft.lasts(state, "notice", draft.plan.spot.notice_s)
    state.next = draft.transition(state, draft.to("evict"))
    if draft.hosts_fail:
        state.host_failed = draft.transition(state, draft.to("evict"))
    state.closed = True
    if draft.plan.demand.lifetime_is_work:
        lifetime_may_end(draft, state)


@SPOT.operation
def evict(draft: Draft) -> State:
    """Off its host, as the policy says."""
    return draft.to("evicting_and_deleting" if draft.deletes_evicted else "evicting")


@SPOT.state("evicted.going", DEALLOCATING, SUCCEEDED)
def evicting(draft: Draft, state: State) -> None:
    """Evicted and deallocated; its disks are kept."""
    draft.lasts(state, "deallocating", draft.plan.durations_s["deallocating"])
    state.closed = True
    state.next = draft.transition(state, draft.to("evicted"))


@SPOT.state("evicted.going", DEALLOCATING, DELETING)
def evicting_and_deleting(draft: Draft, state: State) -> None:
    """Evicted and deleted with its disks."""
    draft.lasts(state, "deleting", draft.plan.durations_s["deleting"])
    state.closed = True
    state.next = draft.transition(state, draft.to("evicted_and_deleted"), "vms.deleted")


@SPOT.state("evicted", DEALLOCATED, SUCCEEDED)
def evicted(draft: Draft, state: State) -> None:
    """Deallocated by an eviction: started again after a while, or once demand has turned off and on."""
    assert draft.plan.spot
    if draft.plan.spot.restart_after_s is not None:
        draft.lasts(state, "restart_after", draft.plan.spot.restart_after_s)
        state.next = draft.transition(state, draft.to("off", DEALLOCATED))
    state.level = True  # demand may have turned off since the notice
    state.down = draft.transition(state, draft.to("off", DEALLOCATED))
    if draft.plan.spot.restart_after_s is None:
        back_to_autoscaler(draft, state)
    lifetime_may_end(draft, state)
    may_move(draft, state)


@SPOT.state("evicted.deleted", None, None)
def evicted_and_deleted(draft: Draft, state: State) -> None:
    """Deleted by an eviction: created again after a while, or once demand has turned off and on."""
    assert draft.plan.spot
    if draft.plan.spot.restart_after_s is None:
        without_vm(draft, state)
        return
    draft.lasts(state, "restart_after", draft.plan.spot.restart_after_s)
    state.next = draft.transition(state, draft.to("create"))
    if draft.turns_off:
        state.level = True  # demand may have turned off since the notice
        state.down = draft.transition(state, draft.to("unwanted"))
    lifetime_may_end(draft, state)
    may_move(draft, state)


@SPOT.state("evicted.unwanted", None, None)
def unwanted(draft: Draft, state: State) -> None:
    """Deleted by an eviction, and not wanted: created when demand turns on."""
    without_vm(draft, state)
