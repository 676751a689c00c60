"""The provisioning state of a VM: the status of the last control-plane operation, apart from its power state.

The codes that Failed is shown with are rows of `failures`.
"""

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
    display_status: str
    description: str
    level: Level = Level.INFO
    substate_of: ProvisioningState | None = None  # only seen with an OS image that is not specialized
    source: str = sources.PROVISIONING_SECTION


_NEW = ProvisioningState.CREATING
PROVISIONING: Mapping[ProvisioningState, ProvisioningFacts] = MappingProxyType(
    {
        state: ProvisioningFacts(code=f"ProvisioningState/{state}", display_status=shown, description=words, **more)
        for state, shown, words, more in (
            (_NEW, "Creating", "The VM is being created.", {}),
            (ProvisioningState.OS_IN_PROGRESS, "OS Provisioning In progress",
             "The VM is running, and installation of guest OS is in progress.", {"substate_of": _NEW}),
            (ProvisioningState.OS_COMPLETE, "OS Provisioning Complete",
             "The guest OS is installed; short-lived unless extensions are to be installed.", {"substate_of": _NEW}),
            (ProvisioningState.UPDATING, "Updating",
             "The model is being updated, or the VM is being started, restarted, powered off or deallocated.", {}),
            (ProvisioningState.DELETING, "Deleting", "The VM is being deleted.", {}),
            (ProvisioningState.SUCCEEDED, "Provisioning succeeded", "The user-initiated actions have completed.", {}),
            (ProvisioningState.FAILED, "Provisioning failed", "The operation failed; the code says how.", {"level": Level.ERROR}),
        )
    }
)  # fmt: skip


def model_state(state: ProvisioningState) -> str:
    """The `provisioningState` of a VM's model, which is written otherwise and has no substates.

    >>> model_state(ProvisioningState.OS_IN_PROGRESS)
    'Creating'
    """
    return str(PROVISIONING[state].substate_of or state).capitalize()
