"""The provisioning state of a VM: the status of the last control-plane operation, apart from its power state.

The codes that Failed is shown with are rows of `failures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sim.lifecycle import sources
from sim.lifecycle.power import Level


class ProvisioningState(StrEnum):
    """What the platform says of the last operation that it accepted; values are its own code words."""

    CREATING = "creating"
    OS_IN_PROGRESS = "creating/OSProvisioningInprogress"
    OS_COMPLETE = "creating/OSProvisioningComplete"
    UPDATING = "updating"
    DELETING = "deleting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # shown with the failure's code appended


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningFacts:
    """One row of the provisioning table: how the instance view shows the state."""

    code: str  # of Failed: up to where the failure's own code is appended
    level: Level
    display_status: str
    final: bool  # the operation is over
    substate_of: ProvisioningState | None = None  # only seen with an OS image that is not specialized
    description: str
    source: str = sources.PROVISIONING_SECTION


def _row(
    state: ProvisioningState,
    display_status: str,
    description: str,
    *,
    level: Level = Level.INFO,
    final: bool = False,
    substate_of: ProvisioningState | None = None,
) -> tuple[ProvisioningState, ProvisioningFacts]:
    return state, ProvisioningFacts(
        code=f"ProvisioningState/{state}",
        level=level,
        display_status=display_status,
        final=final,
        substate_of=substate_of,
        description=description,
    )


PROVISIONING: Mapping[ProvisioningState, ProvisioningFacts] = MappingProxyType(
    dict(
        (
            _row(ProvisioningState.CREATING, "Creating", "The VM is being created."),
            _row(
                ProvisioningState.OS_IN_PROGRESS,
                "OS Provisioning In progress",
                "The VM is running, and installation of guest OS is in progress.",
                substate_of=ProvisioningState.CREATING,
            ),
            _row(
                ProvisioningState.OS_COMPLETE,
                "OS Provisioning Complete",
                "The guest OS is installed; short-lived unless extensions are to be installed.",
                substate_of=ProvisioningState.CREATING,
            ),
            _row(
                ProvisioningState.UPDATING,
                "Updating",
                "The model is being updated, or the VM is being started, restarted, powered off or deallocated.",
            ),
            _row(ProvisioningState.DELETING, "Deleting", "The VM is being deleted."),
            _row(
                ProvisioningState.SUCCEEDED,
                "Provisioning succeeded",
                "The user-initiated actions have completed.",
                final=True,
            ),
            _row(
                ProvisioningState.FAILED,
                "Provisioning failed",
                "The operation failed; the code says how.",
                level=Level.ERROR,
                final=True,
            ),
        )
    )
)

OS_SUBSTATES: frozenset[ProvisioningState] = frozenset(
    state for state, facts in PROVISIONING.items() if facts.substate_of is not None
)


def model_state(state: ProvisioningState) -> str:
    """The `provisioningState` of a VM's model, which is written otherwise and has no substates.

    >>> model_state(ProvisioningState.OS_IN_PROGRESS)
    'Creating'
    """
    return str(PROVISIONING[state].substate_of or state).capitalize()
