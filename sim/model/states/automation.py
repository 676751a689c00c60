"""The automation around a VM: it creates the VM, switches it on and off as demand turns, and retries what failed.

Each row says what the VM shows (power state, provisioning state); its function says how the VM leaves the state.
"""

from sim.lifecycle.operations import rows_for
from sim.lifecycle.power import PowerState
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.state_machine import Attempts, Delay, State, Transition
from sim.model.states.deletion import back_to_autoscaler, lifetime_may_end, may_move, without_vm
from sim.model.states.draft import Draft, Power, Rows
from sim.model.states.faults import guest_may_crash, host_may_fail
from sim.model.states.operations import Outcomes, operate
from sim.model.states.spot import may_be_evicted, may_be_preempted

RUNNING, STOPPED, DEALLOCATED = PowerState.RUNNING, PowerState.STOPPED, PowerState.DEALLOCATED
SUCCEEDED, FAILED = ProvisioningState.SUCCEEDED, ProvisioningState.FAILED
AUTOMATION = Rows()


# -- create ----------------------------------------------------------------------------------------------------------


@AUTOMATION.operation
def create(draft: Draft) -> State:
    """From no VM to `on`."""
    return operate(draft, "create", None, Outcomes(
        done=lambda: draft.to("on"),
        retried=lambda _: draft.to("create_again"),
        given_up=lambda _: draft.to("give_up_create"),
        failed=lambda left: draft.to("failed", left),
    ))  # fmt: skip


@AUTOMATION.state("retry.create", None, None)
def create_again(draft: Draft, state: State) -> None:
    """A create has failed and left no VM: back off, then create."""
    state.wait, state.next = Delay.BACKOFF, draft.transition(state, draft.to("create"))
    if draft.deletes_unwanted:
        state.level = True
        state.down = draft.transition(state, draft.to("not_there"))
    lifetime_may_end(draft, state)
    may_move(draft, state)


@AUTOMATION.operation
def give_up_create(draft: Draft) -> State:
    """The attempts of a create are used up. An automation that restarts evicted VMs requests it again after the same pause."""
    goes_on = draft.deletes_evicted or draft.plan.fall_back is not None
    asks_again = draft.restarts_evicted and goes_on and not draft.plan.demand.is_scaled
    return draft.to("evicted_and_deleted" if asks_again else "lost")


@AUTOMATION.state("lost", None, None)
def lost(draft: Draft, state: State) -> None:
    """The attempts of a create are used up: there is no VM. An arrival that never ran leaves at once (`Life.LOST`)."""
    without_vm(draft, state)


@AUTOMATION.state("failed.{0}", Power.GIVEN, FAILED)
def failed(draft: Draft, state: State, power: PowerState) -> None:
    """A create has failed and left a VM, billed as its power state is, until someone reacts and replaces it."""
    draft.lasts(state, "reaction", draft.plan.reaction_s)
    state.next = draft.transition(state, draft.to("delete", power, "replace"))
    may_be_preempted(draft, state)
    lifetime_may_end(draft, state)


@AUTOMATION.state("not_there", None, None)
def not_there(draft: Draft, state: State) -> None:
    """There is no VM while none is wanted: it is created each time demand turns on."""
    state.level = True
    without_vm(draft, state)


# -- on and off ------------------------------------------------------------------------------------------------------


@AUTOMATION.state("on", RUNNING, SUCCEEDED, serving=True)
def on(draft: Draft, state: State) -> None:
    """In service: Running, the operation done, the guest well."""
    state.level = True
    if draft.off_operation:
        state.down = draft.transition(state, draft.to("switch_off"))
    guest_may_crash(draft, state)
    may_be_evicted(draft, state)
    host_may_fail(draft, state)
    lifetime_may_end(draft, state)
    may_move(draft, state, returns=True)


@AUTOMATION.operation
def switch_off(draft: Draft) -> State:
    """From `on` to wherever `when_off` leads."""
    assert draft.off_operation
    if draft.deletes_unwanted:
        return draft.to("remove", RUNNING)
    row = rows_for(draft.off_operation, RUNNING)
    return operate(draft, draft.off_operation, RUNNING, Outcomes(
        done=lambda: draft.to("off", row.ends_in),
        retried=lambda _: draft.to("switch_off_again"),
        given_up=lambda left: draft.to("held_failed", left),
    ), serving=True)  # fmt: skip


@AUTOMATION.state("retry.switch_off", RUNNING, FAILED, serving=True)
def switch_off_again(draft: Draft, state: State) -> None:
    """Switching off has failed: back off, then switch off, unless demand has turned on meanwhile."""
    state.wait, state.next = Delay.BACKOFF, draft.transition(state, draft.to("switch_off"))
    state.level = True
    state.up = draft.transition(state, draft.to("on"))
    guest_may_crash(draft, state)
    may_be_evicted(draft, state)
    host_may_fail(draft, state)
    lifetime_may_end(draft, state)


@AUTOMATION.operation
def switch_off_unserving(draft: Draft, how: str, still: str) -> State:
    """Switch off a VM that doesn't serve; *how* is the row to which it returns if it is wanted, *still* if that fails."""
    assert draft.off_operation
    row = rows_for(draft.off_operation, RUNNING)
    return operate(draft, draft.off_operation, RUNNING, Outcomes(
        done=lambda: draft.to("not_there") if draft.deletes_unwanted else draft.to("off", row.ends_in),
        retried=lambda _: draft.to("switch_off_unserving_again", how, still),
        given_up=lambda _: draft.to(still),
    ), key=f"{draft.off_operation}.{how}")  # fmt: skip


@AUTOMATION.state("retry.switch_off.{0}", RUNNING, FAILED)
def switch_off_unserving_again(draft: Draft, state: State, how: str, still: str) -> None:
    """Switching off a VM that doesn't serve has failed: back off, then switch off, unless it is wanted again."""
    state.wait = Delay.BACKOFF
    state.next = draft.transition(state, draft.to("switch_off_unserving", how, still))
    state.level = True
    state.up = draft.transition(state, draft.to(how))
    state.unreachable = draft.to(how).unreachable
    may_be_preempted(draft, state)
    lifetime_may_end(draft, state)


@AUTOMATION.state("off.{0}", Power.GIVEN, SUCCEEDED)
def off(draft: Draft, state: State, power: PowerState) -> None:
    """Switched off until demand turns on."""
    state.level = True
    if draft.deletes_unwanted:
        state.down = draft.transition(state, draft.to("remove", power))
    state.up = draft.transition(state, draft.to("start", power))
    may_be_preempted(draft, state)
    lifetime_may_end(draft, state)


def rest_unwanted(draft: Draft, state: State, power: PowerState) -> Transition:
    """Demand turns off while the VM is off, or stopped, already: go where `when_off` wants it."""
    if draft.deletes_unwanted:
        return draft.transition(state, draft.to("remove", power), attempts=Attempts.RESET)
    releases_host = power is STOPPED and draft.when_off in ("deallocate", "hibernate")
    target = draft.to("release") if releases_host else draft.to("off", power)
    return draft.transition(state, target, attempts=Attempts.RESET)


@AUTOMATION.operation
def release(draft: Draft) -> State:
    """From stopped to deallocated."""
    return operate(draft, "deallocate", STOPPED, Outcomes(
        done=lambda: draft.to("off", DEALLOCATED),
        retried=lambda _: draft.to("release_again"),
        given_up=lambda left: draft.to("held_failed", left),
    ))  # fmt: skip


@AUTOMATION.operation
def remove(draft: Draft, power: PowerState) -> State:
    """Delete an unwanted VM, on or off."""
    return operate(draft, "delete", power, Outcomes(
        done=lambda: draft.to("not_there"),
        retried=lambda _: draft.to("switch_off_again") if power is RUNNING else draft.to("remove_again", power),
        given_up=lambda left: draft.to("held_failed", left),
    ), key="unwanted", serving=power is RUNNING)  # fmt: skip


@AUTOMATION.state("retry.unwanted@{0}", Power.GIVEN, FAILED)
def remove_again(draft: Draft, state: State, power: PowerState) -> None:
    """A delete of an unwanted VM that is off has failed: back off, then delete, unless demand has turned on meanwhile."""
    state.wait, state.next = Delay.BACKOFF, draft.transition(state, draft.to("remove", power))
    state.level = True
    state.up = draft.transition(state, draft.to("start", power))
    may_be_preempted(draft, state)
    lifetime_may_end(draft, state)


@AUTOMATION.state("retry.deallocate@stopped", STOPPED, FAILED)
def release_again(draft: Draft, state: State) -> None:
    """A deallocation of a stopped VM has failed: back off, then deallocate, unless demand has turned on meanwhile."""
    state.wait, state.next = Delay.BACKOFF, draft.transition(state, draft.to("release"))
    state.level = True
    state.up = draft.transition(state, draft.to("start", STOPPED))
    may_be_preempted(draft, state)
    lifetime_may_end(draft, state)


# -- start -----------------------------------------------------------------------------------------------------------


@AUTOMATION.operation
def start(draft: Draft, power: PowerState) -> State:
    """From stopped, deallocated or hibernated to `on`."""
    return operate(draft, "start", power, Outcomes(
        done=lambda: draft.to("on"),
        retried=lambda left: draft.to("start_again", left),
        given_up=lambda left: draft.to("give_up_start", left),
    ))  # fmt: skip


@AUTOMATION.state("retry.start@{0}", Power.GIVEN, FAILED)
def start_again(draft: Draft, state: State, power: PowerState) -> None:
    """A start has failed: back off, then start, unless demand has turned off meanwhile."""
    state.wait, state.next = Delay.BACKOFF, draft.transition(state, draft.to("start", power))
    state.level = True
    state.down = rest_unwanted(draft, state, power)
    may_be_preempted(draft, state)
    lifetime_may_end(draft, state)
    may_move(draft, state)


@AUTOMATION.operation
def give_up_start(draft: Draft, power: PowerState) -> State:
    """The attempts of a start are used up. An automation that restarts evicted VMs requests it again after the same pause."""
    asks_again = draft.restarts_evicted and not draft.deletes_evicted
    return draft.to("evicted") if asks_again and power is DEALLOCATED else draft.to("unstarted", power)


@AUTOMATION.state("unstarted.{0}", Power.GIVEN, FAILED)
def unstarted(draft: Draft, state: State, power: PowerState) -> None:
    """The attempts of a start are used up: as it is until demand has turned off, and on again."""
    state.level = True
    state.down = rest_unwanted(draft, state, power)
    back_to_autoscaler(draft, state)
    may_be_preempted(draft, state)
    lifetime_may_end(draft, state)


# -- held ------------------------------------------------------------------------------------------------------------


@AUTOMATION.state("held.{0}", Power.GIVEN, SUCCEEDED, serving=True)
def held(draft: Draft, state: State, power: PowerState) -> None:
    """As it is until demand changes: an operation that was asked for from outside has ended."""
    if power is RUNNING:
        state.up = draft.transition(state, draft.to("on"))
        state.down = draft.transition(state, draft.to("on"))
        guest_may_crash(draft, state)
        may_be_evicted(draft, state)
        host_may_fail(draft, state)
    else:
        state.up = draft.transition(state, draft.to("start", power))
        state.down = rest_unwanted(draft, state, power)
        may_be_preempted(draft, state)
    lifetime_may_end(draft, state)


@AUTOMATION.state("held.{0}.failed", Power.GIVEN, FAILED, serving=True)
def held_failed(draft: Draft, state: State, power: PowerState) -> None:
    """As it is until demand changes: an operation has failed, and its attempts are used up."""
    held(draft, state, power)
