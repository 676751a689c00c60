"""What can be asked of a VM: each operation as a row of stages, with what each failure leaves behind.

A row needs no special case: each stage shows its states and takes its time, then fails or leads to the next stage; the
last one leads to `ends_in` (or removes the VM). Sources stand per row; the failures' own facts are in `failures`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from sim.errors import OperationNotAllowed
from sim.lifecycle import sources
from sim.lifecycle.power import ON_HOST, STATE_ORDER, PowerState
from sim.lifecycle.provisioning import PROVISIONING, ProvisioningState

Lasts = Literal["nothing", "drawn", "timeout"]
Answer = Literal["retry", "reaction", "none"]
TimeoutKey = Literal["os_provisioning_timeout", "extensions_timeout"]
HostLost = Literal["goes on", "fails", "healed"]
"""It needs no host to end; it fails, and its own answer to failures follows; it ends, and the platform heals the VM."""
ABANDONED = "InternalOperationError"  # assumption: no document says how an operation ends whose host has failed


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFailure:
    """One way in which a stage fails: how it strikes, how long it takes to show, and what it leaves behind."""

    code: str
    leaves: PowerState | None  # None: as the VM was before the operation (before a create: no VM)
    lasts: Lasts  # the stage's drawn time, the timeout, or no time at all
    answered_by: Answer  # the automation's retry, someone's reaction, or none
    by_chance: bool = True  # strikes with a probability per attempt
    by_deadline: bool = False  # strikes whenever the stage's drawn time passes the timeout
    timeout_key: TimeoutKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of an operation: what is shown while it lasts, and how it may fail."""

    name: str  # the key of its duration
    power: PowerState | None  # None: unchanged
    provisioning: ProvisioningState | None  # None: unchanged, since the control plane doesn't take part
    fails: tuple[StageFailure, ...] = ()
    needs_hardware: bool = False
    generalized_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row: an operation as it goes from the states that accept it."""

    row: str  # unique
    name: str  # as it is asked for and counted; several rows may share it
    accepted_from: frozenset[PowerState | None]  # None: no VM yet
    shows: ProvisioningState | None  # as soon as it is accepted; None: unchanged
    stages: tuple[Stage, ...]
    ends_in: PowerState | None  # None: unchanged, or gone if it removes the VM
    removes: bool = False
    control_plane: bool = True  # False: happens inside the guest; not counted, never refused with a conflict
    fails_at_once: StageFailure | None = None  # strikes when it is accepted, before its first stage
    host_lost: HostLost = "goes on"  # what becomes of it if the VM's host fails meanwhile
    source: str

    def stages_for(self, *, generalized: bool) -> tuple[Stage, ...]:
        """The stages that a VM from such an image goes through, with what is shown for it.

        A specialized image has no OS provisioning, so its VM never shows the substates: it shows their parent.
        """
        if generalized:
            return self.stages
        shown = {state: facts.substate_of or state for state, facts in PROVISIONING.items()}
        return tuple(
            replace(stage, provisioning=stage.provisioning and shown[stage.provisioning])
            for stage in self.stages
            if not stage.generalized_only
        )


def _requested(
    row: str,
    *accepted_from: PowerState | None,
    stages: tuple[Stage, ...],
    ends_in: PowerState | None,
    source: str,
    shows: ProvisioningState = ProvisioningState.UPDATING,
    answered_by: Answer = "retry",
    host_lost: HostLost = "goes on",
    name: str = "",
) -> Operation:
    """An operation of the control plane: the platform may abandon it as soon as it has begun, and all stays as it was."""
    error = StageFailure(code=ABANDONED, leaves=None, lasts="nothing", answered_by=answered_by)
    return Operation(
        row=row, name=name or row, accepted_from=frozenset(accepted_from), shows=shows, stages=stages, ends_in=ends_in,
        removes=shows is ProvisioningState.DELETING, fails_at_once=error, host_lost=host_lost, source=source,
    )  # fmt: skip


def _unasked(row: str, stage: Stage, *, ends_in: PowerState, source: str, host_lost: HostLost = "goes on") -> Operation:
    """What happens to a running VM without the control plane."""
    return Operation(
        row=row, name=row, accepted_from=frozenset({PowerState.RUNNING}), shows=None, stages=(stage,), ends_in=ends_in,
        control_plane=False, host_lost=host_lost, source=source,
    )  # fmt: skip


def _single(
    stage: str, power: PowerState | None, shows: ProvisioningState = ProvisioningState.UPDATING
) -> tuple[Stage, ...]:
    """An operation of one step, which can fail in no way of its own."""
    return (Stage(name=stage, power=power, provisioning=shows),)


def _allocating(power: PowerState | None, shows: ProvisioningState) -> Stage:
    failed = StageFailure(code="AllocationFailed", leaves=None, lasts="drawn", answered_by="retry")
    return Stage(name="allocating", power=power, provisioning=shows, fails=(failed,), needs_hardware=True)


def _starting(answered_by: Answer, shows: ProvisioningState) -> Stage:
    # No document says where such a VM stands. Hardware was found, so it is held: stopped on its host (assumption).
    late = StageFailure(code="VMStartTimedOut", leaves=PowerState.STOPPED, lasts="drawn", answered_by=answered_by)
    return Stage(name="starting", power=PowerState.STARTING, provisioning=shows, fails=(late,))


def _late(code: str, key: TimeoutKey, *, by_chance: bool) -> StageFailure:
    """A stage of a running VM that passes its timeout; the VM stays billed (the note under OSProvisioningComplete)."""
    return StageFailure(
        code=code, leaves=PowerState.RUNNING, lasts="timeout", answered_by="reaction", by_chance=by_chance,
        by_deadline=True, timeout_key=key,
    )  # fmt: skip


_EXTENSION_FAILED = StageFailure(
    code="VMExtensionProvisioningError", leaves=PowerState.RUNNING, lasts="drawn", answered_by="reaction"
)
_DELETE_SOURCE = f"{sources.PROVISIONING_SECTION}; accepted at any time: {sources.ERROR_MESSAGES}"

CREATE = _requested(
    "create",
    None,
    shows=ProvisioningState.CREATING,
    stages=(
        _allocating(PowerState.CREATING, ProvisioningState.CREATING),
        _starting("reaction", ProvisioningState.CREATING),
        Stage(
            name="os_provisioning",
            power=PowerState.RUNNING,
            provisioning=ProvisioningState.OS_IN_PROGRESS,
            fails=(_late("OSProvisioningTimedOut", "os_provisioning_timeout", by_chance=True),),
            generalized_only=True,
        ),
        Stage(
            name="extensions",
            power=PowerState.RUNNING,
            provisioning=ProvisioningState.OS_COMPLETE,
            fails=(_EXTENSION_FAILED, _late("VMExtensionProvisioningTimeout", "extensions_timeout", by_chance=False)),
        ),
    ),
    ends_in=PowerState.RUNNING,
    host_lost="fails",
    source=f"{sources.PROVISIONING_SECTION}; order of power states: {sources.STATES_2023}",
)
START_FROM_STOPPED = _requested(
    "start_from_stopped",
    PowerState.STOPPED,
    name="start",
    stages=(_starting("retry", ProvisioningState.UPDATING),),
    ends_in=PowerState.RUNNING,
    host_lost="fails",
    source=f"{sources.PROVISIONING_SECTION} (a start is an update); {sources.POWER_SECTION} (a stopped VM is on its host)",
)
START_FROM_DEALLOCATED = _requested(
    "start_from_deallocated",
    PowerState.DEALLOCATED,
    PowerState.HIBERNATED,
    name="start",
    stages=(_allocating(None, ProvisioningState.UPDATING), _starting("retry", ProvisioningState.UPDATING)),
    ends_in=PowerState.RUNNING,
    host_lost="fails",
    source=f"{sources.PROVISIONING_SECTION} (a start is an update); hardware anew: {sources.ALLOCATION_FAILURE}",
)

_ROWS = (
    CREATE,
    START_FROM_STOPPED,
    START_FROM_DEALLOCATED,
    _requested(
        "restart", PowerState.RUNNING, stages=_single("restarting", PowerState.RUNNING), ends_in=PowerState.RUNNING,
        answered_by="none", host_lost="healed",
        source=f"{sources.PROVISIONING_SECTION} (a restart is an update); needs a running VM: {sources.ERROR_MESSAGES}",
    ),
    _requested(
        "power_off", PowerState.RUNNING, stages=_single("stopping", PowerState.STOPPING), ends_in=PowerState.STOPPED,
        source=f"{sources.POWER_SECTION}; shown as an update: {sources.STATES_2023}",
    ),
    _unasked(
        "guest_shutdown",
        Stage(name="stopping", power=PowerState.STOPPING, provisioning=None),
        ends_in=PowerState.STOPPED,
        source=f"{sources.POWER_SECTION} (shut down from within the guest OS)",
    ),
    _unasked(
        "service_healing",
        Stage(name="starting", power=PowerState.STARTING, provisioning=None),
        ends_in=PowerState.RUNNING,
        host_lost="healed",
        source=f"{sources.SERVICE_HEALING}; the states it shows meanwhile are an assumption",
    ),
    _requested(
        "deallocate", PowerState.RUNNING, PowerState.STOPPED, stages=_single("deallocating", PowerState.DEALLOCATING),
        ends_in=PowerState.DEALLOCATED,
        source=f"{sources.PROVISIONING_SECTION} (a deallocation is an update); {sources.POWER_SECTION}",
    ),
    _requested(
        "deallocate_from_hibernated", PowerState.HIBERNATED, name="deallocate", stages=_single("deallocating", None),
        ends_in=PowerState.DEALLOCATED, source=f"{sources.HIBERNATE} (a deallocation discards the memory image)",
    ),
    _requested(
        "hibernate", PowerState.RUNNING, stages=_single("deallocating", PowerState.DEALLOCATING),
        ends_in=PowerState.HIBERNATED, source=sources.HIBERNATE,
    ),
    _requested(
        "update", PowerState.RUNNING, PowerState.STOPPED, PowerState.DEALLOCATED, stages=_single("updating", None),
        ends_in=None, answered_by="none", host_lost="healed",
        source=f"{sources.PROVISIONING_SECTION}; not while hibernated: {sources.HIBERNATE}",
    ),
    _requested(
        "delete_from_host", *(state for state in STATE_ORDER if state in ON_HOST), name="delete",
        shows=ProvisioningState.DELETING,
        stages=_single("deleting", PowerState.DEALLOCATING, ProvisioningState.DELETING), ends_in=None,
        source=_DELETE_SOURCE,
    ),
    _requested(
        "delete_off_host", *(state for state in STATE_ORDER if state not in ON_HOST), name="delete",
        shows=ProvisioningState.DELETING, stages=_single("deleting", None, ProvisioningState.DELETING), ends_in=None,
        source=_DELETE_SOURCE,
    ),
)  # fmt: skip

OPERATIONS: Mapping[str, Operation] = MappingProxyType({operation.row: operation for operation in _ROWS})

# Control-plane operations in the order of the table above, which is the order of the metrics.
OPERATION_NAMES: tuple[str, ...] = tuple(
    dict.fromkeys(operation.name for operation in OPERATIONS.values() if operation.control_plane)
)

_ROW_BY_ASK: Mapping[tuple[str, PowerState | None], Operation] = MappingProxyType(
    {(row.name, power): row for row in OPERATIONS.values() for power in row.accepted_from}
)


def rows_for(operation: str, power: PowerState | None) -> Operation:
    """The row that an operation follows from *power* (None: no VM yet).

    Raises `OperationNotAllowed`, as the platform does, where no row accepts it.

    >>> rows_for("start", PowerState.STOPPED).row
    'start_from_stopped'
    """
    row = _ROW_BY_ASK.get((operation, power))
    if row is not None:
        return row
    if operation not in {name for name, _ in _ROW_BY_ASK}:
        raise OperationNotAllowed(f"no operation is named {operation!r}; there are {', '.join(OPERATION_NAMES)}")
    accepting = [state or "no VM" for state in (None, *STATE_ORDER) if (operation, state) in _ROW_BY_ASK]
    now = "there is no VM yet" if power is None else f"the VM is {power}"
    raise OperationNotAllowed(f"{operation}: {now}; it is accepted from {', '.join(accepting)}")
