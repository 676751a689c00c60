"""How an operation fails or is refused: the codes that the platform reports, and at which stage.

Which operation can fail with which code, and what that leaves behind, stands in `operations`. Messages are in our
words, but for the one that the source document shows; `{vm}` stands for the VM's name.
"""

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
    chance: str  # what happens, where a scenario may give it a probability per attempt
    source: str
    trust: Trust


_NO_HARDWARE = "No hardware was found for the size of {vm}; ask again later, or for another size, zone or region."
_OVERCONSTRAINED = "No hardware meets all the constraints of {vm} together; drop one of them, or ask elsewhere."

_CHANCES = {  # what happens, where a scenario may give a code a probability per attempt
    "AllocationFailed": "No hardware is found.",
    "VMStartTimedOut": "The VM is not up in time.",
    "OSProvisioningTimedOut": "The guest does not report in time; the VM stays Running, and billed.",
    "VMExtensionProvisioningError": "An extension fails.",
    "InternalOperationError": "Any operation fails at once.",
}
# Each code with its message, by the stage and the source that they share.
_BY_STAGE: tuple[tuple[FailureStage, str, Trust, Mapping[str, str]], ...] = (
    ("validation", sources.FIELD, "observed", {
        "QuotaExceeded": "{vm} would take the subscription above its vCPU quota in this region.",
    }),
    ("validation", sources.THROTTLING, "documented", {
        "TooManyRequests":
            "The subscription has used up its rate limit for operations such as this one on {vm}; ask again later.",
    }),
    ("validation", sources.SPOT_ERRORS, "documented", {
        "SkuNotAvailable":
            "The size of {vm} is not offered here; for a spot VM it may also mean that there is no spot capacity.",
        "SpotPriceGreaterThanProvidedMaxPrice": "The current spot price is above the highest price given for {vm}.",
    }),
    ("conflict", sources.ERROR_MESSAGES, "documented", {
        "OperationNotAllowed":
            "The operation is not allowed on {vm} in the state it is in, or while another operation is in progress.",
    }),
    ("conflict", sources.FIELD, "observed", {
        "OperationPreempted": "The operation on {vm} was overtaken by a newer one.",
    }),
    ("allocation", sources.ALLOCATION_FAILURE, "documented", {
        "AllocationFailed": _NO_HARDWARE,
        "ZonalAllocationFailed": _NO_HARDWARE,
    }),
    ("allocation", sources.FIELD, "observed", {
        "OverconstrainedAllocationRequest": _OVERCONSTRAINED,
        "OverconstrainedZonalAllocationRequest": _OVERCONSTRAINED,
    }),
    ("allocation", sources.HIBERNATE_TROUBLE, "documented", {
        "OverconstrainedResumeFromHibernatedStateAllocationRequest":
            "No hardware can resume {vm}; a deallocation, which loses its memory image, makes it startable.",
    }),
    ("network", sources.ERROR_MESSAGES, "documented", {
        "NetworkingInternalOperationError": "The network of {vm} could not be set up.",
    }),
    ("disk", sources.ERROR_MESSAGES, "documented", {
        "DiskPreparationError": "A disk of {vm} could not be prepared.",
        "DiskProcessingError": "Another disk of {vm} has failed, so its disks were not processed further.",
        "DiskImageNotReady": "The disk image of {vm} is not ready.",
        "AcquireDiskLeaseFailed": "A disk of {vm} is already in use.",
        "StorageAccountTooBusy": "The storage account of {vm} is too busy.",
    }),
    ("starting", sources.ERROR_MESSAGES, "documented", {
        "VMStartTimedOut":
            "{vm} did not start in the allotted time; it may still start later, so look at its power state.",
    }),
    ("os_provisioning", sources.ERROR_MESSAGES, "documented", {
        "OSProvisioningTimedOut":
            "The guest OS of {vm} was not provisioned in the allotted time; it may still succeed later.",
        "OSProvisioningClientError": "The guest OS of {vm} can't be provisioned: its image or settings are at fault.",
        "OSProvisioningInternalError": "The guest OS of {vm} was not provisioned, due to an internal error.",
    }),
    ("extensions", sources.ERROR_MESSAGES, "documented", {
        "VMExtensionProvisioningError": "{vm} has reported that an extension failed.",
        "VMExtensionHandlerNonTransientError": "An extension's handler on {vm} has failed for good.",
        "VMExtensionManagementInternalError": "The extensions of {vm} were not processed, due to an internal error.",
        "VMAgentStatusCommunicationError":
            "The agent of {vm} has not reported its own status or that of the extensions.",
        "VMExtensionProvisioningTimeout": "The extensions of {vm} were not installed in the allotted time.",
    }),
    ("hibernate", sources.HIBERNATE_TROUBLE, "documented", {
        "VMHibernateFailed": "{vm} could not be hibernated; it stays as it is. Ask again in five minutes.",
        "VMHibernateNotSupported": "{vm} can't be hibernated now; it may have booted too recently.",
    }),
    ("redeploy", sources.ERROR_MESSAGES, "documented", {
        "VMRedeploymentFailed": "{vm} was not redeployed, due to an internal error.",
        "VMRedeploymentTimedOut": "{vm} was not redeployed in the allotted time; it may still succeed later.",
        "TooManyVMRedeploymentRequests": "Too many redeployments of {vm} were asked for; ask again later.",
    }),
    ("any", sources.PROVISIONING_SECTION, "documented", {
        "InternalOperationError": "Operation abandoned due to internal error. Please try again later.",
    }),
)  # fmt: skip

FAILURES: Mapping[str, FailureFacts] = MappingProxyType(
    {
        code: FailureFacts(stage, message, _CHANCES.get(code, ""), source, trust)
        for stage, source, trust, messages in _BY_STAGE
        for code, message in messages.items()
    }
)


def failure_message(code: str, *, vm: str) -> str:
    """What the platform tells the owner of *vm* when an operation failed with *code*."""
    return FAILURES[code].message.format(vm=vm)
