"""What the platform would answer about a VM: instance view and list-all with status only, in its JSON shape.

Pure functions from one `VmMoment` each. The provisioning entry comes first and alone carries a time (that of the last
operation's last change); the power entry follows without one, and a hibernated VM has a third entry. A VM whose create
was only just accepted has no power entry. Shape: Compute REST API 2024-07-01.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sim.lifecycle.failures import failure_message
from sim.lifecycle.power import POWER, Level, PowerState, ShownStatus
from sim.lifecycle.provisioning import PROVISIONING, ProvisioningFacts, ProvisioningState, model_state

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


def _entry(shown: ShownStatus | ProvisioningFacts, **more: str) -> Json:
    return {"code": shown.code, "level": str(shown.level), "displayStatus": shown.display_status, **more}


def provisioning_status(vm: VmMoment) -> Json:
    """The status entry of the last operation; a failure appends its code and tells its message."""
    facts, time = PROVISIONING[vm.provisioning], vm.changed_at.isoformat()
    if vm.failure_code is None:
        return _entry(facts, time=time)
    message = failure_message(vm.failure_code, vm=vm.name)
    return {**_entry(facts, message=message, time=time), "code": f"{facts.code}/{vm.failure_code}"}


def statuses(vm: VmMoment) -> list[Json]:
    """The status list of a VM, in the platform's order."""
    return [provisioning_status(vm), *map(_entry, POWER[vm.power].shows)]


def instance_view(vm: VmMoment) -> Json:
    """The answer of the instance view API; what the simulation doesn't know (domains, versions) is left out."""
    view: Json = {}
    if vm.power is PowerState.RUNNING:
        view["computerName"] = vm.name
        view["vmAgent"] = _vm_agent(vm)
    # A disk is there as soon as its VM is: it never fails by itself here.
    there = _entry(PROVISIONING[ProvisioningState.SUCCEEDED], time=vm.changed_at.isoformat())
    view["disks"] = [{"name": disk, "statuses": [there]} for disk in vm.disks]
    view["statuses"] = statuses(vm)
    return view


def list_all_status_only(vms: Iterable[VmMoment]) -> Json:
    """The answer of the list-all API with `statusOnly=true`, in one page."""
    kind = "Microsoft.Compute/virtualMachines"
    root = f"/subscriptions/{NO_SUBSCRIPTION}/resourceGroups/vmfleet/providers/{kind}"
    found = []
    for vm in vms:
        shown = {"provisioningState": model_state(vm.provisioning), "instanceView": {"statuses": statuses(vm)}}
        place = {"id": f"{root}/{vm.name}", "name": vm.name, "type": kind, "location": vm.location}
        found.append({**place, "properties": shown})
    return {"value": found}


def _vm_agent(vm: VmMoment) -> Json:
    """The guest agent of a running VM: it reports once the guest OS has been set up."""
    time = vm.changed_at.isoformat()
    os_failed = vm.failure_code is not None and vm.failure_code.startswith("OSProvisioning")
    if vm.provisioning is ProvisioningState.OS_IN_PROGRESS or os_failed:
        waiting = ShownStatus("ProvisioningState/Unavailable", Level.WARNING, "Not Ready")
        message = "VM status blob is found but not yet populated."
        return {"vmAgentVersion": "Unknown", "statuses": [_entry(waiting, message=message, time=time)]}
    ready = ShownStatus(PROVISIONING[ProvisioningState.SUCCEEDED].code, Level.INFO, "Ready")
    message = "GuestAgent is running and processing the extensions."
    return {"statuses": [_entry(ready, message=message, time=time)]}
