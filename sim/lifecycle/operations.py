"""What can be asked of a VM: each operation as a row of stages, with what each failure leaves behind.

A row needs no special case: each stage shows its states and takes its time, then fails or leads to the next stage; the
last one leads to `ends_in` (or removes the VM). Sources stand per row; the failures' own facts are in `failures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from sim.errors import OperationNotAllowed
from sim.lifecycle import sources
from sim.lifecycle.power import STATE_ORDER, PowerState
from sim.lifecycle.provisioning import PROVISIONING, ProvisioningState

Lasts = Literal["nothing", "drawn", "timeout"]
Answer = Literal["retry", "reaction", "none"]
TimeoutKey = Literal["os_provisioning_timeout", "extensions_timeout"]


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
    source: str

    def stages_for(self, *, generalized: bool) -> tuple[Stage, ...]:
        """The stages that a VM from such an image goes through, with what is shown for it.

        A specialized image has no OS provisioning, so its VM never shows the substates: it shows their parent.
        """
        if generalized:
            return self.stages
        return tuple(_without_substate(stage) for stage in self.stages if not stage.generalized_only)


def _without_substate(stage: Stage) -> Stage:
    parent = None if stage.provisioning is None else PROVISIONING[stage.provisioning].substate_of
    return stage if parent is None else replace(stage, provisioning=parent)


def _internal_error(answered_by: Answer) -> StageFailure:
    """The platform abandons the operation as soon as it has begun, and everything stays as it was."""
    return StageFailure(code="InternalOperationError", leaves=None, lasts="nothing", answered_by=answered_by)


_ALLOCATION_FAILED = StageFailure(code="AllocationFailed", leaves=None, lasts="drawn", answered_by="retry")


def _start_timed_out(answered_by: Answer) -> StageFailure:
    # No document says where such a VM stands. Hardware was found, so it is held: stopped on its host (assumption).
    return StageFailure(code="VMStartTimedOut", leaves=PowerState.STOPPED, lasts="drawn", answered_by=answered_by)


def _single(stage: str, power: PowerState | None, shows: ProvisioningState | None) -> tuple[Stage, ...]:
    """An operation of one step, which can fail in no way of its own."""
    return (Stage(name=stage, power=power, provisioning=shows),)


def _starting(answered_by: Answer, shows: ProvisioningState) -> Stage:
    return Stage(name="starting", power=PowerState.STARTING, provisioning=shows, fails=(_start_timed_out(answered_by),))


CREATE = Operation(
    row="create",
    name="create",
    accepted_from=frozenset({None}),
    shows=ProvisioningState.CREATING,
    stages=(
        Stage(
            name="allocating",
            power=PowerState.CREATING,
            provisioning=ProvisioningState.CREATING,
            fails=(_ALLOCATION_FAILED,),
            needs_hardware=True,
        ),
        _starting("reaction", ProvisioningState.CREATING),
        Stage(
            name="os_provisioning",
            power=PowerState.RUNNING,
            provisioning=ProvisioningState.OS_IN_PROGRESS,
            fails=(
                StageFailure(
                    code="OSProvisioningTimedOut",
                    leaves=PowerState.RUNNING,  # and billed: the note under OSProvisioningComplete
                    lasts="timeout",
                    answered_by="reaction",
                    by_deadline=True,
                    timeout_key="os_provisioning_timeout",
                ),
            ),
            generalized_only=True,
        ),
        Stage(
            name="extensions",
            power=PowerState.RUNNING,
            provisioning=ProvisioningState.OS_COMPLETE,
            fails=(
                StageFailure(
                    code="VMExtensionProvisioningError",
                    leaves=PowerState.RUNNING,
                    lasts="drawn",
                    answered_by="reaction",
                ),
                StageFailure(
                    code="VMExtensionProvisioningTimeout",
                    leaves=PowerState.RUNNING,
                    lasts="timeout",
                    answered_by="reaction",
                    by_chance=False,
                    by_deadline=True,
                    timeout_key="extensions_timeout",
                ),
            ),
        ),
    ),
    ends_in=PowerState.RUNNING,
    fails_at_once=_internal_error("retry"),
    source=f"{sources.PROVISIONING_SECTION}; order of power states: {sources.STATES_2023}",
)

START_FROM_STOPPED = Operation(
    row="start_from_stopped",
    name="start",
    accepted_from=frozenset({PowerState.STOPPED}),
    shows=ProvisioningState.UPDATING,
    stages=(_starting("retry", ProvisioningState.UPDATING),),
    ends_in=PowerState.RUNNING,
    fails_at_once=_internal_error("retry"),
    source=f"{sources.PROVISIONING_SECTION} (a start is an update); {sources.POWER_SECTION} (a stopped VM is on its host)",
)

START_FROM_DEALLOCATED = Operation(
    row="start_from_deallocated",
    name="start",
    accepted_from=frozenset({PowerState.DEALLOCATED, PowerState.HIBERNATED}),
    shows=ProvisioningState.UPDATING,
    stages=(
        Stage(
            name="allocating",
            power=None,
            provisioning=ProvisioningState.UPDATING,
            fails=(_ALLOCATION_FAILED,),
            needs_hardware=True,
        ),
        _starting("retry", ProvisioningState.UPDATING),
    ),
    ends_in=PowerState.RUNNING,
    fails_at_once=_internal_error("retry"),
    source=f"{sources.PROVISIONING_SECTION} (a start is an update); hardware anew: {sources.ALLOCATION_FAILURE}",
)

RESTART = Operation(
    row="restart",
    name="restart",
    accepted_from=frozenset({PowerState.RUNNING}),
    shows=ProvisioningState.UPDATING,
    stages=_single("restarting", PowerState.RUNNING, ProvisioningState.UPDATING),
    ends_in=PowerState.RUNNING,
    fails_at_once=_internal_error("none"),
    source=f"{sources.PROVISIONING_SECTION} (a restart is an update); needs a running VM: {sources.ERROR_MESSAGES}",
)

POWER_OFF = Operation(
    row="power_off",
    name="power_off",
    accepted_from=frozenset({PowerState.RUNNING}),
    shows=ProvisioningState.UPDATING,
    stages=_single("stopping", PowerState.STOPPING, ProvisioningState.UPDATING),
    ends_in=PowerState.STOPPED,
    fails_at_once=_internal_error("none"),
    source=f"{sources.POWER_SECTION}; shown as an update: {sources.STATES_2023}",
)

GUEST_SHUTDOWN = Operation(
    row="guest_shutdown",
    name="guest_shutdown",
    accepted_from=frozenset({PowerState.RUNNING}),
    shows=None,
    stages=_single("stopping", PowerState.STOPPING, None),
    ends_in=PowerState.STOPPED,
    control_plane=False,
    source=f"{sources.POWER_SECTION} (shut down from within the guest OS)",
)

SERVICE_HEALING = Operation(
    row="service_healing",
    name="service_healing",
    accepted_from=frozenset({PowerState.RUNNING}),
    shows=None,
    stages=(Stage(name="starting", power=PowerState.STARTING, provisioning=None),),
    ends_in=PowerState.RUNNING,
    control_plane=False,
    source=f"{sources.SERVICE_HEALING}; the states it shows meanwhile are an assumption",
)

DEALLOCATE = Operation(
    row="deallocate",
    name="deallocate",
    accepted_from=frozenset({PowerState.RUNNING, PowerState.STOPPED}),
    shows=ProvisioningState.UPDATING,
    stages=_single("deallocating", PowerState.DEALLOCATING, ProvisioningState.UPDATING),
    ends_in=PowerState.DEALLOCATED,
    fails_at_once=_internal_error("none"),
    source=f"{sources.PROVISIONING_SECTION} (a deallocation is an update); {sources.POWER_SECTION}",
)

DEALLOCATE_FROM_HIBERNATED = Operation(
    row="deallocate_from_hibernated",
    name="deallocate",
    accepted_from=frozenset({PowerState.HIBERNATED}),
    shows=ProvisioningState.UPDATING,
    stages=_single("deallocating", None, ProvisioningState.UPDATING),
    ends_in=PowerState.DEALLOCATED,
    fails_at_once=_internal_error("none"),
    source=f"{sources.HIBERNATE} (a deallocation discards the memory image)",
)

HIBERNATE = Operation(
    row="hibernate",
    name="hibernate",
    accepted_from=frozenset({PowerState.RUNNING}),
    shows=ProvisioningState.UPDATING,
    stages=_single("deallocating", PowerState.DEALLOCATING, ProvisioningState.UPDATING),
    ends_in=PowerState.HIBERNATED,
    fails_at_once=_internal_error("none"),
    source=sources.HIBERNATE,
)

UPDATE = Operation(
    row="update",
    name="update",
    accepted_from=frozenset({PowerState.RUNNING, PowerState.STOPPED, PowerState.DEALLOCATED}),
    shows=ProvisioningState.UPDATING,
    stages=_single("updating", None, ProvisioningState.UPDATING),
    ends_in=None,
    fails_at_once=_internal_error("none"),
    source=f"{sources.PROVISIONING_SECTION}; not while hibernated: {sources.HIBERNATE}",
)

DELETE_FROM_HOST = Operation(
    row="delete_from_host",
    name="delete",
    accepted_from=frozenset(
        {PowerState.STARTING, PowerState.RUNNING, PowerState.STOPPING, PowerState.STOPPED, PowerState.DEALLOCATING}
    ),
    shows=ProvisioningState.DELETING,
    stages=_single("deleting", PowerState.DEALLOCATING, ProvisioningState.DELETING),
    ends_in=None,
    removes=True,
    fails_at_once=_internal_error("retry"),
    source=f"{sources.PROVISIONING_SECTION}; accepted at any time: {sources.ERROR_MESSAGES}",
)

DELETE_OFF_HOST = Operation(
    row="delete_off_host",
    name="delete",
    accepted_from=frozenset({PowerState.CREATING, PowerState.DEALLOCATED, PowerState.HIBERNATED}),
    shows=ProvisioningState.DELETING,
    stages=_single("deleting", None, ProvisioningState.DELETING),
    ends_in=None,
    removes=True,
    fails_at_once=_internal_error("retry"),
    source=f"{sources.PROVISIONING_SECTION}; accepted at any time: {sources.ERROR_MESSAGES}",
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        operation.row: operation
        for operation in (
            CREATE,
            START_FROM_STOPPED,
            START_FROM_DEALLOCATED,
            RESTART,
            POWER_OFF,
            GUEST_SHUTDOWN,
            SERVICE_HEALING,
            DEALLOCATE,
            DEALLOCATE_FROM_HIBERNATED,
            HIBERNATE,
            UPDATE,
            DELETE_FROM_HOST,
            DELETE_OFF_HOST,
        )
    }
)

# Control-plane operations in the order of the table above, which is the order of the metrics.
OPERATION_NAMES: tuple[str, ...] = tuple(
    dict.fromkeys(operation.name for operation in OPERATIONS.values() if operation.control_plane)
)

# Every key of a duration that some row draws, in order of first use.
DURATION_KEYS: tuple[str, ...] = tuple(
    dict.fromkeys(stage.name for operation in OPERATIONS.values() for stage in operation.stages)
)

# Codes that a scenario may give a probability per attempt.
CHANCE_CODES: tuple[str, ...] = tuple(
    dict.fromkeys(
        failure.code
        for operation in OPERATIONS.values()
        for failure in (
            *(f for stage in operation.stages for f in stage.fails),
            *((operation.fails_at_once,) if operation.fails_at_once else ()),
        )
        if failure.by_chance
    )
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
