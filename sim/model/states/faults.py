"""Faults: the guest crashes, the host fails or is maintained, and the platform starts the VM on another host."""

from sim.distributions.kinds import Constant
from sim.lifecycle.power import PowerState
from sim.lifecycle.provisioning import ProvisioningState
from sim.model.state_machine import Attempts, Delay, Refusal, State
from sim.model.states.deletion import lifetime_may_end
from sim.model.states.draft import Draft, Rows
from sim.model.states.operations import Outcomes, operate
from sim.model.states.spot import may_be_preempted

LOOKS_FOR_ROOM_EVERY_S = 60.0  # the platform, for a VM whose host is lost and that no other has room for (assumption)
NEEDS_NO_GUEST = ("deallocate", "power_off")  # the other ways to switch off need a guest that answers

RUNNING, SUCCEEDED = PowerState.RUNNING, ProvisioningState.SUCCEEDED
FAULTS = Rows()


# -- the guest -------------------------------------------------------------------------------------------------------


def guest_may_crash(draft: Draft, state: State) -> None:
    """The guest may crash here."""
    if draft.plan.guest_crash:
        state.crash = draft.transition(state, draft.to("crashed"), "guest_crashes")
        state.crash.resamples_crash = True


@FAULTS.state("crashed", RUNNING, SUCCEEDED)
def crashed(draft: Draft, state: State) -> None:
    """The guest is dead, the VM still Running and billed, and the crash not yet detected."""
    crash = draft.plan.guest_crash
    assert crash
    draft.lasts(state, "detection", crash.detection_s)
    state.next = draft.transition(state, draft.to("restart"))
    host_may_fail(draft, state)
    may_be_preempted(draft, state)
    if draft.off_operation in NEEDS_NO_GUEST:
        state.down = draft.transition(state, draft.to("switch_off_unserving", "crashed", "crashed"))
    lifetime_may_end(draft, state)


@FAULTS.operation
def restart(draft: Draft) -> State:
    """From `crashed` to `on`."""
    return operate(draft, "restart", RUNNING, Outcomes(
        done=lambda: draft.to("on"),
        failed=lambda _: draft.to("crashed"),
    ))  # fmt: skip


# -- the host --------------------------------------------------------------------------------------------------------


def host_may_fail(draft: Draft, state: State) -> None:
    """The host may fail here, or be maintained."""
    platform = draft.platform
    if platform is None:
        return
    is_healed(draft, state)
    if platform.maintenance is not None:
        impact = {"freeze": "frozen", "reboot": "rebooted", "redeploy": "redeployed"}[platform.maintenance.impact]
        state.maintained = draft.transition(state, draft.to(impact), "maintenance_impacts")


def is_healed(draft: Draft, state: State, *counts: str, code: str = "") -> None:
    """If the host fails here, the platform starts the VM on another one; what is under way ends."""
    if draft.hosts_fail:
        healed = draft.transition(
            state, draft.to("healing"), "service_healings", *counts, code=code, attempts=Attempts.RESET
        )
        state.host_failed = healed


@FAULTS.state("healing", RUNNING, SUCCEEDED)
def healing(draft: Draft, state: State) -> None:
    """The host is lost. The VM shows Running, as last known, and doesn't serve until it is started elsewhere."""
    assert draft.platform
    assert draft.platform.healing_s
    state.unreachable = True
    draft.lasts(state, "healing", draft.platform.healing_s)
    _start_elsewhere(draft, state)
    lifetime_may_end(draft, state)


def _start_elsewhere(draft: Draft, state: State, *, again: bool = False) -> None:
    """The platform looks for room; the first look for a VM is an attempt to find a host, looking *again* is not."""
    attempt, refused = ((), ()) if again else (("allocation.attempts",), ("allocation.failures",))
    state.next = draft.transition(state, draft.to("started_elsewhere"), *attempt, "allocation.platform_looks")
    state.next.asks_host = True
    no_room = draft.transition(state, draft.to("unplaced"), *attempt, *refused, "allocation.platform_looks")
    state.no_room = Refusal(no_room, None)


@FAULTS.operation
def started_elsewhere(draft: Draft) -> State:
    """Service healing: the platform starts the VM on another host."""
    state = operate(draft, "service_healing", RUNNING, Outcomes(done=lambda: draft.to("on")), key="healing")
    state.unreachable = True
    return state


@FAULTS.state("unplaced", RUNNING, SUCCEEDED)
def unplaced(draft: Draft, state: State) -> None:
    """No other host has room; the platform looks again and again."""
    _look_for_room(draft, state)
    state.level = state.down is not None  # demand may have turned off since the host was lost
    lifetime_may_end(draft, state)


@FAULTS.state("unplaced.abandoned", RUNNING, SUCCEEDED)
def unplaced_abandoned(draft: Draft, state: State) -> None:
    """The same, after an attempt to switch the VM off has failed."""
    _look_for_room(draft, state)
    lifetime_may_end(draft, state)


def _look_for_room(draft: Draft, state: State) -> None:
    state.unreachable = True
    draft.lasts(state, "room", Constant(value=LOOKS_FOR_ROOM_EVERY_S))
    _start_elsewhere(draft, state, again=True)
    if draft.off_operation in NEEDS_NO_GUEST:
        state.down = draft.transition(state, draft.to("switch_off_unserving", "unplaced", "unplaced_abandoned"))


@FAULTS.state("maintenance.frozen", RUNNING, SUCCEEDED)
def frozen(draft: Draft, state: State) -> None:
    """Memory is kept, the VM pauses; power state and bill are unchanged."""
    assert draft.platform
    assert draft.platform.maintenance
    state.unreachable = state.keeps_memory = True
    draft.lasts(state, "freeze", draft.platform.maintenance.freeze_s)
    state.next = draft.transition(state, draft.to("on"))
    is_healed(draft, state)


@FAULTS.state("maintenance.reboot", RUNNING, SUCCEEDED)
def rebooted(draft: Draft, state: State) -> None:
    """The host is updated, and the VM reboots."""
    state.unreachable = True
    draft.lasts(state, "restarting", draft.plan.durations_s["restarting"])
    state.next = draft.transition(state, draft.to("on"))
    is_healed(draft, state)


@FAULTS.state("maintenance.redeploy", RUNNING, SUCCEEDED)
def redeployed(draft: Draft, state: State) -> None:
    """The host is taken out of service, and the VM started on another at once."""
    state.unreachable = True
    state.wait = Delay.INSTANT
    _start_elsewhere(draft, state)
