"""What a simulated VM answers, read by hand and by Microsoft's own client."""

from __future__ import annotations

import io
import itertools
import json
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from sim.lifecycle.failures import FAILURES
from sim.lifecycle.instance_view import VmMoment, instance_view, list_all_status_only, statuses
from sim.lifecycle.power import POWER, PowerState
from sim.lifecycle.provisioning import PROVISIONING, ProvisioningState

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def moment(
    power: PowerState = PowerState.RUNNING,
    provisioning: ProvisioningState = ProvisioningState.SUCCEEDED,
    code: str | None = None,
    name: str = "dev-0000",
) -> VmMoment:
    """One VM at noon."""
    return VmMoment(
        name=name,
        power=power,
        provisioning=provisioning,
        failure_code=code,
        changed_at=NOON,
        location="westeurope",
        disks=(f"{name}-os",),
    )


def every_moment() -> list[VmMoment]:
    """Every pair of power and provisioning state, and every failure code once."""
    pairs = [
        moment(power, provisioning, "InternalOperationError" if provisioning is ProvisioningState.FAILED else None)
        for power, provisioning in itertools.product(PowerState, ProvisioningState)
    ]
    return pairs + [moment(code=code, provisioning=ProvisioningState.FAILED) for code in FAILURES]


def test_a_running_vm_answers_with_provisioning_first_and_power_second() -> None:
    """The platform's order; only the first entry has a time."""
    assert statuses(moment()) == [
        {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Provisioning succeeded",
            "time": "2026-01-05T12:00:00+00:00",
        },
        {"code": "PowerState/running", "level": "Info", "displayStatus": "VM running"},
    ]


def test_a_failed_vm_may_be_running_and_shows_code_and_message() -> None:
    """Failed is no power state: the form of the document, beside the power entry."""
    first, second = statuses(moment(provisioning=ProvisioningState.FAILED, code="OSProvisioningTimedOut"))
    assert first["code"] == "ProvisioningState/failed/OSProvisioningTimedOut"
    assert first["level"] == "Error"
    assert "dev-0000" in str(first["message"])
    assert second["code"] == "PowerState/running"


def test_a_hibernated_vm_has_a_third_entry_and_a_creating_one_no_power_entry() -> None:
    """Hibernated is a variant of deallocated; before hardware is found there is no power state to show."""
    assert [entry["code"] for entry in statuses(moment(PowerState.HIBERNATED))] == [
        "ProvisioningState/succeeded",
        "PowerState/deallocated",
        "HibernationState/Hibernated",
    ]
    assert [entry["code"] for entry in statuses(moment(PowerState.CREATING, ProvisioningState.CREATING))] == [
        "ProvisioningState/creating"
    ]


def test_the_agent_is_ready_once_the_guest_is_set_up() -> None:
    """While the guest OS installs, the agent is unknown; a VM that isn't running shows none."""
    waiting: Any = instance_view(moment(provisioning=ProvisioningState.OS_IN_PROGRESS))
    assert waiting["vmAgent"]["vmAgentVersion"] == "Unknown"
    assert waiting["vmAgent"]["statuses"][0]["level"] == "Warning"
    ready: Any = instance_view(moment())
    assert ready["vmAgent"]["statuses"][0]["displayStatus"] == "Ready"
    assert "vmAgent" not in instance_view(moment(PowerState.STOPPED))


def test_a_failure_code_belongs_to_failed_and_to_nothing_else() -> None:
    """A moment that no VM can be in is refused where it is made."""
    with pytest.raises(ValueError, match="belongs to Failed"):
        moment(code="AllocationFailed")
    with pytest.raises(ValueError, match="belongs to Failed"):
        moment(provisioning=ProvisioningState.FAILED)
    with pytest.raises(ValueError, match="no time zone"):
        VmMoment(
            name="dev-0000",
            power=PowerState.RUNNING,
            provisioning=ProvisioningState.SUCCEEDED,
            changed_at=NOON.replace(tzinfo=None),
        )


def test_every_answer_is_json_and_keeps_its_instant() -> None:
    """Another zone, the same instant; nothing in the answer needs our classes."""
    for vm in every_moment():
        view: Any = json.loads(json.dumps(instance_view(vm)))
        assert view == instance_view(vm)
        assert datetime.fromisoformat(view["statuses"][0]["time"]) == NOON
    amsterdam = NOON.astimezone(timezone(timedelta(hours=1)))
    shifted = VmMoment(
        name="a", power=PowerState.RUNNING, provisioning=ProvisioningState.SUCCEEDED, changed_at=amsterdam
    )
    assert datetime.fromisoformat(str(statuses(shifted)[0]["time"])) == NOON


AT_NOON = "2026-01-05T12:00:00+00:00"


def entry(code: str, level: str, shown: str, **more: str) -> dict[str, str]:
    """One entry of a status list."""
    return {"code": code, "level": level, "displayStatus": shown, **more}


def test_the_whole_answer_has_the_names_and_words_of_the_api() -> None:
    """Written after the examples of the Compute REST API, key by key: a script reads it by these names."""
    succeeded = entry("ProvisioningState/succeeded", "Info", "Provisioning succeeded", time=AT_NOON)
    words = "GuestAgent is running and processing the extensions."
    ready = entry("ProvisioningState/succeeded", "Info", "Ready", message=words, time=AT_NOON)
    assert instance_view(moment()) == {
        "computerName": "dev-0000",
        "vmAgent": {"statuses": [ready]},
        "disks": [{"name": "dev-0000-os", "statuses": [succeeded]}],
        "statuses": [succeeded, entry("PowerState/running", "Info", "VM running")],
    }
    words = "VM status blob is found but not yet populated."
    waiting = entry("ProvisioningState/Unavailable", "Warning", "Not Ready", message=words, time=AT_NOON)
    unknown = {"vmAgentVersion": "Unknown", "statuses": [waiting]}
    assert instance_view(moment(provisioning=ProvisioningState.OS_IN_PROGRESS))["vmAgent"] == unknown
    for code, agent in (("OSProvisioningTimedOut", unknown), ("VMExtensionProvisioningError", {"statuses": [ready]})):
        assert instance_view(moment(provisioning=ProvisioningState.FAILED, code=code))["vmAgent"] == agent


def test_the_list_of_all_vms_has_the_names_of_the_api() -> None:
    """A page is a `value`; a VM's identity is a path, and its states are under `properties`."""
    subscription = "/subscriptions/00000000-0000-0000-0000-000000000000"
    path = f"{subscription}/resourceGroups/vmfleet/providers/Microsoft.Compute/virtualMachines"
    creating = entry(
        "ProvisioningState/creating/OSProvisioningInprogress", "Info", "OS Provisioning In progress", time=AT_NOON
    )
    running = entry("PowerState/running", "Info", "VM running")
    assert list_all_status_only([moment(provisioning=ProvisioningState.OS_IN_PROGRESS)]) == {
        "value": [
            {
                "id": f"{path}/dev-0000",
                "name": "dev-0000",
                "type": "Microsoft.Compute/virtualMachines",
                "location": "westeurope",
                "properties": {"provisioningState": "Creating", "instanceView": {"statuses": [creating, running]}},
            }
        ]
    }


def client_of(answer: object, asked: list[str] | None = None) -> Any:
    """Microsoft's compute client, wired to a platform that answers everything with *answer*, and to no network."""
    compute = pytest.importorskip("azure.mgmt.compute", reason="azure-mgmt-compute isn't installed")
    import requests
    from azure.core.pipeline.transport import RequestsTransport

    class Platform(requests.adapters.BaseAdapter):
        def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
            if asked is not None:
                asked.append(str(request.url))
            response = requests.Response()
            response.status_code = 200
            response.headers["Content-Type"] = "application/json"
            response.raw = io.BytesIO(json.dumps(answer).encode())
            return response

        def close(self) -> None: ...

    session = requests.Session()
    session.mount("https://", Platform())
    token = SimpleNamespace(token="none", expires_on=2**40, refresh_on=None, token_type="Bearer")
    credential = SimpleNamespace(get_token=lambda *_, **__: token, get_token_info=lambda *_, **__: token)
    return compute.ComputeManagementClient(
        credential, "simulated", transport=RequestsTransport(session=session, session_owner=False)
    )


def test_microsoft_s_client_reads_our_instance_view() -> None:
    """Scripts written against the platform can be tried against a simulated fleet."""
    for vm in every_moment():
        read = client_of(instance_view(vm)).virtual_machines.instance_view("vmfleet", vm.name)
        first, *rest = read.statuses
        facts = PROVISIONING[vm.provisioning]
        assert first.code == facts.code + (f"/{vm.failure_code}" if vm.failure_code else "")
        assert (first.level, first.display_status, first.time) == (facts.level, facts.display_status, NOON)
        assert [entry.code for entry in rest] == [shown.code for shown in POWER[vm.power].shows]
        assert all(entry.time is None for entry in rest)
        assert [disk.name for disk in read.disks] == ["dev-0000-os"]


def test_microsoft_s_client_reads_our_list_of_all_vms() -> None:
    """With status only, each item has its id and its statuses."""
    fleet = [moment(power, name=f"dev-{i:04}") for i, power in enumerate(PowerState)]
    asked: list[str] = []
    client = client_of(list_all_status_only(fleet), asked)
    read = list(client.virtual_machines.list_all(status_only="true"))
    assert [vm.name for vm in read] == [vm.name for vm in fleet]
    assert all(vm.id.endswith(f"/virtualMachines/{vm.name}") for vm in read)
    assert [vm.instance_view.statuses[0].code for vm in read] == ["ProvisioningState/succeeded"] * len(fleet)
    assert [vm.provisioning_state for vm in read] == ["Succeeded"] * len(fleet)
    assert "statusOnly=true" in asked[0]


def test_the_client_would_notice_another_shape() -> None:
    """The test above can fail: statuses one level too high are not found."""
    answer: Any = list_all_status_only([moment()])
    answer["value"][0]["statuses"] = answer["value"][0]["properties"].pop("instanceView")["statuses"]
    (read,) = client_of(answer).virtual_machines.list_all()
    assert read.instance_view is None
