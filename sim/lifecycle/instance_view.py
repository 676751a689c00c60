"""What the platform would answer about a VM: instance view and list-all with status only, in its JSON shape.

Pure functions from one `VmMoment` each. The provisioning entry comes first and alone carries a time (that of the last
operation's last change); the power entry follows without one, and a hibernated VM has a third entry. A VM whose create
was only just accepted has no power entry. Shape: Compute REST API 2024-07-01.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sim.lifecycle.failures import failure_message
from sim.lifecycle.power import POWER, Level, PowerState
from sim.lifecycle.provisioning import PROVISIONING, ProvisioningState, model_state

Json = dict[str, object]

NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"  # a simulated fleet belongs to none


@dataclass(frozen=True, slots=True, kw_only=True)
class VmMoment:
    """One VM at one instant, as its owner could ask about it."""

    name: str
    power: PowerState
    provisioning: ProvisioningState
    failure_code: str | None = None  # given exactly when provisioning is Failed
    changed_at: datetime  # when the provisioning state last changed; aware
    location: str = ""
    disks: tuple[str, ...] = ()  # names

    def __post_init__(self) -> None:
        if (self.provisioning is ProvisioningState.FAILED) != (self.failure_code is not None):
            raise ValueError(
                f"{self.name}: {self.provisioning} with failure code {self.failure_code!r}; "
                "a failure code belongs to Failed, and to nothing else"
            )
        if self.changed_at.tzinfo is None:
            raise ValueError(f"{self.name}: {self.changed_at} has no time zone; the platform's times have one")


def provisioning_status(vm: VmMoment) -> Json:
    """The status entry of the last operation; a failure appends its code and tells its message."""
    facts = PROVISIONING[vm.provisioning]
    entry: Json = {"code": facts.code, "level": str(facts.level), "displayStatus": facts.display_status}
    if vm.failure_code is not None:
        entry["code"] = f"{facts.code}/{vm.failure_code}"
        entry["message"] = failure_message(vm.failure_code, vm=vm.name)
    entry["time"] = vm.changed_at.isoformat()
    return entry


def power_status(power: PowerState) -> tuple[Json, ...]:
    """The power entry, and the hibernation entry after it; none for a VM that has no power state yet."""
    facts = POWER[power]
    if facts.code is None:
        return ()
    entries: list[Json] = [{"code": facts.code, "level": str(facts.level), "displayStatus": facts.display_status}]
    if facts.also_shows is not None:
        also = facts.also_shows
        entries.append({"code": also.code, "level": str(also.level), "displayStatus": also.display_status})
    return tuple(entries)


def statuses(vm: VmMoment) -> list[Json]:
    """The status list of a VM, in the platform's order."""
    return [provisioning_status(vm), *power_status(vm.power)]


def instance_view(vm: VmMoment) -> Json:
    """The answer of the instance view API; what the simulation doesn't know (domains, versions) is left out."""
    view: Json = {}
    if vm.power is PowerState.RUNNING:
        view["computerName"] = vm.name
        view["vmAgent"] = _vm_agent(vm)
    view["disks"] = [{"name": disk, "statuses": [_disk_status(vm)]} for disk in vm.disks]
    view["statuses"] = statuses(vm)
    return view


def list_all_status_only(
    vms: Iterable[VmMoment], *, subscription: str = NO_SUBSCRIPTION, resource_group: str = "vmfleet"
) -> Json:
    """The answer of the list-all API with `statusOnly=true`, in one page."""
    kind = "Microsoft.Compute/virtualMachines"
    root = f"/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/{kind}"
    return {
        "value": [
            {
                "id": f"{root}/{vm.name}",
                "name": vm.name,
                "type": kind,
                "location": vm.location,
                "properties": {
                    "provisioningState": model_state(vm.provisioning),
                    "instanceView": {"statuses": statuses(vm)},
                },
            }
            for vm in vms
        ]
    }


def _vm_agent(vm: VmMoment) -> Json:
    """The guest agent of a running VM: it reports once the guest OS has been set up."""
    time = vm.changed_at.isoformat()
    os_failed = vm.failure_code is not None and vm.failure_code.startswith("OSProvisioning")
    if vm.provisioning is ProvisioningState.OS_IN_PROGRESS or os_failed:
        return {
            "vmAgentVersion": "Unknown",
            "statuses": [
                {
                    "code": "ProvisioningState/Unavailable",
                    "level": str(Level.WARNING),
                    "displayStatus": "Not Ready",
                    "message": "VM status blob is found but not yet populated.",
                    "time": time,
                }
            ],
        }
    return {
        "statuses": [
            {
                "code": PROVISIONING[ProvisioningState.SUCCEEDED].code,
                "level": str(Level.INFO),
                "displayStatus": "Ready",
                "message": "GuestAgent is running and processing the extensions.",
                "time": time,
            }
        ]
    }


def _disk_status(vm: VmMoment) -> Json:
    """A disk is there as soon as its VM is: it never fails by itself here."""
    facts = PROVISIONING[ProvisioningState.SUCCEEDED]
    return {
        "code": facts.code,
        "level": str(facts.level),
        "displayStatus": facts.display_status,
        "time": vm.changed_at.isoformat(),
    }
