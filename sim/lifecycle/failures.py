"""How an operation fails or is refused: the codes that the platform reports, and at which stage.

Which operation can fail with which code, and what that leaves behind, stands in `operations`. Messages are in our
words, but for the one that the source document shows; `{vm}` stands for the VM's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from sim.lifecycle import sources

FailureStage = Literal[
    "validation", "conflict", "allocation", "network", "disk", "starting", "os_provisioning", "extensions", "hibernate",
    "redeploy", "any",
]  # fmt: skip
Trust = Literal["documented", "observed"]


@dataclass(frozen=True, slots=True)
class FailureFacts:
    """One row: a failure code, the stage that reports it, and what it tells the user."""

    stage: FailureStage
    message: str
    chance: str = ""  # what happens, where a scenario may give it a probability per attempt
    source: str = sources.ERROR_MESSAGES
    trust: Trust = "documented"


_NO_HARDWARE = "No hardware was found for the size of {vm}; ask again later, or for another size, zone or region."
_OVERCONSTRAINED = "No hardware meets all the constraints of {vm} together; drop one of them, or ask elsewhere."

FAILURES: Mapping[str, FailureFacts] = MappingProxyType(
    {
        "QuotaExceeded": FailureFacts(
            "validation",
            "{vm} would take the subscription above its vCPU quota in this region.",
            source=sources.FIELD,
            trust="observed",
        ),
        "TooManyRequests": FailureFacts(
            "validation",
            "The subscription has used up its rate limit for operations such as this one on {vm}; ask again later.",
            source=sources.THROTTLING,
        ),
        "SkuNotAvailable": FailureFacts(
            "validation",
            "The size of {vm} is not offered here; for a spot VM it may also mean that there is no spot capacity.",
            source=sources.SPOT_ERRORS,
        ),
        "SpotPriceGreaterThanProvidedMaxPrice": FailureFacts(
            "validation",
            "The current spot price is above the highest price given for {vm}.",
            source=sources.SPOT_ERRORS,
        ),
        "OperationNotAllowed": FailureFacts(
            "conflict",
            "The operation is not allowed on {vm} in the state it is in, or while another operation is in progress.",
        ),
        "OperationPreempted": FailureFacts(
            "conflict", "The operation on {vm} was overtaken by a newer one.", source=sources.FIELD, trust="observed"
        ),
        "AllocationFailed": FailureFacts(
            "allocation", _NO_HARDWARE, chance="No hardware is found.", source=sources.ALLOCATION_FAILURE
        ),
        "ZonalAllocationFailed": FailureFacts("allocation", _NO_HARDWARE, source=sources.ALLOCATION_FAILURE),
        "OverconstrainedAllocationRequest": FailureFacts(
            "allocation", _OVERCONSTRAINED, source=sources.FIELD, trust="observed"
        ),
        "OverconstrainedZonalAllocationRequest": FailureFacts(
            "allocation", _OVERCONSTRAINED, source=sources.FIELD, trust="observed"
        ),
        "OverconstrainedResumeFromHibernatedStateAllocationRequest": FailureFacts(
            "allocation",
            "No hardware can resume {vm}; a deallocation, which loses its memory image, makes it startable.",
            source=sources.HIBERNATE_TROUBLE,
        ),
        "NetworkingInternalOperationError": FailureFacts("network", "The network of {vm} could not be set up."),
        "DiskPreparationError": FailureFacts("disk", "A disk of {vm} could not be prepared."),
        "DiskProcessingError": FailureFacts(
            "disk", "Another disk of {vm} has failed, so its disks were not processed further."
        ),
        "DiskImageNotReady": FailureFacts("disk", "The disk image of {vm} is not ready."),
        "AcquireDiskLeaseFailed": FailureFacts("disk", "A disk of {vm} is already in use."),
        "StorageAccountTooBusy": FailureFacts("disk", "The storage account of {vm} is too busy."),
        "VMStartTimedOut": FailureFacts(
            "starting",
            "{vm} did not start in the allotted time; it may still start later, so look at its power state.",
            chance="The VM is not up in time.",
        ),
        "OSProvisioningTimedOut": FailureFacts(
            "os_provisioning",
            "The guest OS of {vm} was not provisioned in the allotted time; it may still succeed later.",
            chance="The guest does not report in time; the VM stays Running, and billed.",
        ),
        "OSProvisioningClientError": FailureFacts(
            "os_provisioning", "The guest OS of {vm} can't be provisioned: its image or settings are at fault."
        ),
        "OSProvisioningInternalError": FailureFacts(
            "os_provisioning", "The guest OS of {vm} was not provisioned, due to an internal error."
        ),
        "VMExtensionProvisioningError": FailureFacts(
            "extensions", "{vm} has reported that an extension failed.", chance="An extension fails."
        ),
        "VMExtensionHandlerNonTransientError": FailureFacts(
            "extensions", "An extension's handler on {vm} has failed for good."
        ),
        "VMExtensionManagementInternalError": FailureFacts(
            "extensions", "The extensions of {vm} were not processed, due to an internal error."
        ),
        "VMAgentStatusCommunicationError": FailureFacts(
            "extensions", "The agent of {vm} has not reported its own status or that of the extensions."
        ),
        "VMExtensionProvisioningTimeout": FailureFacts(
            "extensions", "The extensions of {vm} were not installed in the allotted time."
        ),
        "VMHibernateFailed": FailureFacts(
            "hibernate",
            "{vm} could not be hibernated; it stays as it is. Ask again in five minutes.",
            source=sources.HIBERNATE_TROUBLE,
        ),
        "VMHibernateNotSupported": FailureFacts(
            "hibernate",
            "{vm} can't be hibernated now; it may have booted too recently.",
            source=sources.HIBERNATE_TROUBLE,
        ),
        "VMRedeploymentFailed": FailureFacts("redeploy", "{vm} was not redeployed, due to an internal error."),
        "VMRedeploymentTimedOut": FailureFacts(
            "redeploy", "{vm} was not redeployed in the allotted time; it may still succeed later."
        ),
        "TooManyVMRedeploymentRequests": FailureFacts(
            "redeploy", "Too many redeployments of {vm} were asked for; ask again later."
        ),
        "InternalOperationError": FailureFacts(
            "any",
            "Operation abandoned due to internal error. Please try again later.",
            chance="Any operation fails at once.",
            source=sources.PROVISIONING_SECTION,
        ),
    }
)


def failure_message(code: str, *, vm: str) -> str:
    """What the platform tells the owner of *vm* when an operation failed with *code*."""
    return FAILURES[code].message.format(vm=vm)
