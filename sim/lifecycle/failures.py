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
    "validation",
    "conflict",
    "allocation",
    "network",
    "disk",
    "starting",
    "os_provisioning",
    "extensions",
    "hibernate",
    "redeploy",
    "any",
]
Trust = Literal["documented", "observed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFacts:
    """One row: a failure code, the stage that reports it, and what it tells the user."""

    stage: FailureStage
    message: str
    http: int | None = None  # of a refusal; None: accepted and failed later, or the status is not documented
    chance: str = ""  # what happens, where a scenario may give it a probability per attempt
    source: str = sources.ERROR_MESSAGES
    trust: Trust = "documented"

    @property
    def refused(self) -> bool:
        """Nothing was begun: the request itself was turned down."""
        return self.stage in ("validation", "conflict")


_NO_HARDWARE = "No hardware was found for the size of {vm}; ask again later, or for another size, zone or region."
_OVERCONSTRAINED = "No hardware meets all the constraints of {vm} together; drop one of them, or ask elsewhere."

FAILURES: Mapping[str, FailureFacts] = MappingProxyType(
    {
        "QuotaExceeded": FailureFacts(
            stage="validation",
            message="{vm} would take the subscription above its vCPU quota in this region.",
            source=sources.FIELD,
            trust="observed",
        ),
        "SkuNotAvailable": FailureFacts(
            stage="validation",
            message="The size of {vm} is not offered here; for a spot VM it may also mean that there is no spot capacity.",
            source=sources.SPOT_ERRORS,
        ),
        "SpotPriceGreaterThanProvidedMaxPrice": FailureFacts(
            stage="validation",
            message="The current spot price is above the highest price given for {vm}.",
            source=sources.SPOT_ERRORS,
        ),
        "OperationNotAllowed": FailureFacts(
            stage="conflict",
            message="The operation is not allowed on {vm} in the state it is in, or while another operation is in progress.",
            http=409,
        ),
        "OperationPreempted": FailureFacts(
            stage="conflict",
            message="The operation on {vm} was overtaken by a newer one.",
            source=sources.FIELD,
            trust="observed",
        ),
        "AllocationFailed": FailureFacts(
            stage="allocation", message=_NO_HARDWARE, chance="No hardware is found.", source=sources.ALLOCATION_FAILURE
        ),
        "ZonalAllocationFailed": FailureFacts(
            stage="allocation", message=_NO_HARDWARE, source=sources.ALLOCATION_FAILURE
        ),
        "OverconstrainedAllocationRequest": FailureFacts(
            stage="allocation", message=_OVERCONSTRAINED, source=sources.FIELD, trust="observed"
        ),
        "OverconstrainedZonalAllocationRequest": FailureFacts(
            stage="allocation", message=_OVERCONSTRAINED, source=sources.FIELD, trust="observed"
        ),
        "OverconstrainedResumeFromHibernatedStateAllocationRequest": FailureFacts(
            stage="allocation",
            message="No hardware can resume {vm}; a deallocation, which loses its memory image, makes it startable.",
            source=sources.HIBERNATE_TROUBLE,
        ),
        "NetworkingInternalOperationError": FailureFacts(
            stage="network", message="The network of {vm} could not be set up."
        ),
        "DiskPreparationError": FailureFacts(stage="disk", message="A disk of {vm} could not be prepared."),
        "DiskProcessingError": FailureFacts(
            stage="disk", message="Another disk of {vm} has failed, so its disks were not processed further."
        ),
        "DiskImageNotReady": FailureFacts(stage="disk", message="The disk image of {vm} is not ready."),
        "AcquireDiskLeaseFailed": FailureFacts(stage="disk", message="A disk of {vm} is already in use."),
        "StorageAccountTooBusy": FailureFacts(stage="disk", message="The storage account of {vm} is too busy."),
        "VMStartTimedOut": FailureFacts(
            stage="starting",
            message="{vm} did not start in the allotted time; it may still start later, so look at its power state.",
            chance="The VM is not up in time.",
        ),
        "OSProvisioningTimedOut": FailureFacts(
            stage="os_provisioning",
            message="The guest OS of {vm} was not provisioned in the allotted time; it may still succeed later.",
            chance="The guest does not report in time; the VM stays Running, and billed.",
        ),
        "OSProvisioningClientError": FailureFacts(
            stage="os_provisioning",
            message="The guest OS of {vm} can't be provisioned: its image or settings are at fault.",
        ),
        "OSProvisioningInternalError": FailureFacts(
            stage="os_provisioning", message="The guest OS of {vm} was not provisioned, due to an internal error."
        ),
        "VMExtensionProvisioningError": FailureFacts(
            stage="extensions", message="{vm} has reported that an extension failed.", chance="An extension fails."
        ),
        "VMExtensionHandlerNonTransientError": FailureFacts(
            stage="extensions", message="An extension's handler on {vm} has failed for good."
        ),
        "VMExtensionManagementInternalError": FailureFacts(
            stage="extensions", message="The extensions of {vm} were not processed, due to an internal error."
        ),
        "VMAgentStatusCommunicationError": FailureFacts(
            stage="extensions", message="The agent of {vm} has not reported its own status or that of the extensions."
        ),
        "VMExtensionProvisioningTimeout": FailureFacts(
            stage="extensions", message="The extensions of {vm} were not installed in the allotted time."
        ),
        "VMHibernateFailed": FailureFacts(
            stage="hibernate",
            message="{vm} could not be hibernated; it stays as it is. Ask again in five minutes.",
            source=sources.HIBERNATE_TROUBLE,
        ),
        "VMHibernateNotSupported": FailureFacts(
            stage="hibernate",
            message="{vm} can't be hibernated now; it may have booted too recently.",
            source=sources.HIBERNATE_TROUBLE,
        ),
        "VMRedeploymentFailed": FailureFacts(
            stage="redeploy", message="{vm} was not redeployed, due to an internal error."
        ),
        "VMRedeploymentTimedOut": FailureFacts(
            stage="redeploy", message="{vm} was not redeployed in the allotted time; it may still succeed later."
        ),
        "TooManyVMRedeploymentRequests": FailureFacts(
            stage="redeploy", message="Too many redeployments of {vm} were asked for; ask again later."
        ),
        "InternalOperationError": FailureFacts(
            stage="any",
            message="Operation abandoned due to internal error. Please try again later.",
            chance="Any operation fails at once.",
            source=sources.PROVISIONING_SECTION,
        ),
    }
)


def failure_message(code: str, *, vm: str) -> str:
    """What the platform tells the owner of *vm* when an operation failed with *code*."""
    return FAILURES[code].message.format(vm=vm)
