"""What people save of a subscription, small and odd: each file as the platform writes it, and what the scenario makes of it."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sim import load
from sim.azure.answer import as_object, scenario_text, write
from sim.azure.importing import Imported, import_fleet
from sim.azure.update import base_of, updated
from sim.billing.commitments import Reservation, SavingsPlan
from sim.errors import InputError, UsageError

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers"
VMS = f"{GROUP}/Microsoft.Compute/virtualMachines"
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
EDGES = ("2026-03-02T00:00:00Z", "2026-03-29T23:59:59Z")  # of a log of four weeks
Row = Mapping[str, object]


def vm(name: str, **more: Any) -> dict[str, Any]:
    """A VM as `az vm list -d` has it; None takes a key out."""
    row = {
        "id": f"{VMS}/{name}", "name": name, "resourceGroup": "rg", "location": "westeurope", "powerState": "VM running",
        "hardwareProfile": {"vmSize": "Standard_D4s_v5"}, "storageProfile": {"osDisk": {"osType": "Linux"}},
        "timeCreated": "2025-01-01T00:00:00+00:00",
    }  # fmt: skip
    return {key: value for key, value in (row | more).items() if value is not None}


def event(name: str, kind: str, at: datetime | str, status: str = "Succeeded", **more: Any) -> dict[str, Any]:
    """An event of the Activity Log as REST has it; its correlation id is of VM, kind and instant."""
    at = at if isinstance(at, str) else at.isoformat()
    return {
        "eventTimestamp": at, "operationName": {"value": f"Microsoft.Compute/virtualMachines/{kind}"}, "status": {"value": status},
        "resourceId": f"{VMS}/{name}", "correlationId": f"{name}{kind}{at}", "subStatus": {"value": ""},
    } | more  # fmt: skip


def log(*events: dict[str, Any]) -> dict[str, Any]:
    """A log of the four weeks."""
    return {"value": [*(event("nobody", "read", at, resourceId="") for at in EDGES), *events]}


def at(day: float, hour: float = 0.0) -> datetime:
    """An instant, by days and hours from Monday."""
    return MONDAY + timedelta(days=day, hours=hour)


def charge(day: int, **more: object) -> dict[str, object]:
    """A row of a FOCUS export: a day of a D4s v5 called web-1."""
    return {
        "ChargePeriodStart": at(day).isoformat(), "ChargePeriodEnd": at(day + 1).isoformat(), "ChargeCategory": "Usage",
        "BillingCurrency": "USD", "BilledCost": 5.52, "EffectiveCost": 5.52, "ListUnitPrice": 0.23, "ContractedUnitPrice": 0.23,
        "PricingQuantity": 24, "PricingUnit": "1 Hour", "x_SkuMeterCategory": "Virtual Machines", "x_SkuMeterName": "D4s v5",
        "x_SkuDetails": json.dumps({"ServiceType": "Standard_D4s_v5"}), "RegionId": "westeurope", "ResourceId": f"{VMS}/web-1",
        "SubAccountId": SUBSCRIPTION,
    } | more  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """Rows as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def imported(
    folder: Path, files: Mapping[str, Any], *, first: date | None = None, last: date | None = None
) -> Imported:
    """The folder with these files: text as it is, everything else as JSON."""
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return import_fleet([folder], first=first, last=last, stem="fleet")


def text_of(found: Imported) -> str:
    """The scenario, with single spaces."""
    return " ".join(scenario_text(found, "fleet").split())


def values_of(found: Imported, name: str) -> dict[str, str]:
    """What the scenario says of a VM's group, but for its name, how many are in it, and how it is run."""
    group = next(each for each in found.groups if name in [member.vm.name for member in each.members])
    rows = {row["key"]: row["value"] for row in group.as_object()["evidence"]}
    return {key: value for key, value in rows.items() if key not in ("name", "count", "initial")}


# --- inventories

PLAN = {
    "planned_values": {"root_module": {
        "resources": [
            {"type": "azurerm_linux_virtual_machine", "values": {
                "name": "web-1", "resource_group_name": "rg", "size": "Standard_D2s_v5", "location": "West Europe", "zone": "2",
                "os_disk": [{"storage_account_type": "Premium_LRS", "disk_size_gb": 128}],
            }},
            {"type": "azurerm_resource_group", "values": {"name": "rg"}},
        ],
        "child_modules": [{"resources": [
            {"type": "azurerm_windows_virtual_machine", "values": {
                "name": "win-1", "resource_group_name": "rg", "size": "Standard_D2s_v5", "location": "westeurope",
                "license_type": "Windows_Server", "id": f"{VMS}/win-1",
                "os_disk": [{"storage_account_type": "StandardSSD_LRS", "disk_size_gb": 128}],
            }},
            {"type": "azurerm_virtual_machine", "values": {
                "name": "old-1", "resource_group_name": "rg", "vm_size": "Standard_D2s_v5", "location": "eastus",
                "storage_os_disk": [{"os_type": "Linux", "managed_disk_type": "Standard_LRS", "disk_size_gb": 32}],
            }},
            {"type": "azurerm_dev_test_global_vm_shutdown_schedule", "values": {
                "virtual_machine_id": f"{VMS}/win-1", "daily_recurrence_time": "1900", "timezone": "W. Europe Standard Time",
            }},
            {"type": "azurerm_dev_test_global_vm_shutdown_schedule", "values": {
                "virtual_machine_id": f"{VMS}/gone-1", "daily_recurrence_time": "1900", "timezone": "UTC",
            }},
            {"type": "azurerm_dev_test_global_vm_shutdown_schedule", "values": {"daily_recurrence_time": "1900"}},
            {"type": "azurerm_linux_virtual_machine_scale_set", "values": {"name": "vmss", "instances": 3, "sku": "Standard_D2s_v5"}},
        ]}],
    }},
}  # fmt: skip


def test_a_terraform_plan_is_a_fleet_that_does_not_exist_yet(tmp_path: Path) -> None:
    """Modules within modules, three kinds of resources, zones, disks and licences; a scale set is named."""
    found = imported(tmp_path, {"plan.json": PLAN})
    assert {name: values_of(found, name) for name in ("web-1", "win-1", "old-1")} == {
        "web-1": {"os": "linux", "zones": "[2]", "disks": '["P10"]', "size": "Standard_D2s_v5"},
        "win-1": {"os": "windows", "hybrid_benefit": "true", "disks": '["E10"]', "size": "Standard_D2s_v5"},
        "old-1": {"os": "linux", "region": "eastus", "disks": '["S4"]', "size": "Standard_D2s_v5"},
    }
    left_out = {each["name"]: each["reason"] for each in as_object(found, "fleet.toml")["vms"] if not each["placed"]}
    assert list(left_out) == ["gone-1"]  # that only its shutdown names
    assert [each.split(": they")[0] for each in found.warnings[:2]] == [
        "plan.json: an auto-shutdown at 1900 names no VM that exists: left out",
        "plan.json: scale set vmss of 3 VMs of size Standard_D2s_v5 is no list of VMs",
    ]
    assert text_of(found).count('horizon = "30d" # assumed (no file has dates)') == 1
    assert "plan.json: a Terraform plan or state (`terraform show -json`), 8 rows, used" in text_of(found)


def graph(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """A row of Resource Graph."""
    space = "Microsoft.Network" if kind == "publicIPAddresses" else "Microsoft.Compute"
    full = f"{space}/{kind}"
    return {"type": full.lower(), "id": f"{GROUP}/{full}/{name}", "name": name, "resourceGroup": "rg", "location": "westeurope", "properties": {}} | more  # fmt: skip


def test_resource_graph_knows_the_disks_of_vms_that_are_off(tmp_path: Path) -> None:
    """By tier, by kind and size, redundant by zone; what has neither is left out and said; a row of another kind is passed over."""
    system = {"osType": "Windows", "managedDisk": {"id": f"{GROUP}/Microsoft.Compute/disks/a"}}
    profile = {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}, "storageProfile": {"osDisk": system}}
    state = {"extended": {"instanceView": {"powerState": {"displayStatus": "VM deallocated"}}}}
    rows = [
        graph("virtualMachines", "off-1", properties=profile | state | {"timeCreated": "2025-01-01T00:00:00"}),
        graph("disks", "a", managedBy=f"{VMS}/off-1", sku={"name": "Premium_ZRS"}, properties={"tier": "P20"}),
        graph("disks", "b", managedBy=f"{VMS}/off-1", sku={"name": "StandardSSD_LRS"}, properties={"diskSizeGB": 60}),
        graph("disks", "c", managedBy=f"{VMS}/off-1", sku={"name": "UltraSSD_LRS"}, properties={"diskSizeGB": 60}),
        graph("disks", "d", managedBy=f"{VMS}/another", sku={"name": "Premium_LRS"}, properties={"diskSizeGB": 60}),
        graph("publicIPAddresses", "web-ip", properties={"ipAddress": "192.0.2.1"}),
        graph("networkInterfaces", "nic"),
        "no row",
    ]
    found = imported(tmp_path, {"graph.json": {"count": 8, "data": rows}})
    assert found.inputs[0].rows == 7
    text = text_of(found)
    assert 'initial = "deallocated"' in text
    assert 'os = "windows"' in text
    assert 'disks = ["E6", "P20_ZRS"]' in text
    assert "off-1: 1 disk of unknown kind or size left out" in text


@pytest.mark.parametrize(
    ("content", "rows", "reason"),
    [
        (vm("web-1"), 1, ""),  # `az vm show`
        ({"value": [vm("web-1"), {"powerState": "VM running"}]}, 1, ""),
        ([vm("web-1", id=None), "x"], 1, ""),
        ([vm("web-1"), vm("web-1", hardwareProfile={"vmSize": "Standard_D2s_v5"})], 2, ""),
        ({"value": [], "powerState": ""}, 0, "this is JSON of another kind"),
        ([{"vmId": "1"}], 0, "nothing is in it"),
        ([{"powerState": "VM running", "name": "a", "tags": "b"}], 0, "it has another shape than a list of VMs (`az vm list`)"),
        ("NAME,SUBSCRIPTION,RESOURCE GROUP\nweb-1,s,rg\n", 0, "a list of resources from the portal has no sizes"),
    ],
)  # fmt: skip
def test_a_list_of_vms_in_any_spelling(tmp_path: Path, content: Any, rows: int, reason: str) -> None:
    """One VM or many; the first that names a VM is right; what can't be used says why."""
    files = {"a.txt": content} if reason == "" else {"a.txt": content, "b.json": [vm("other-1")]}
    found = imported(tmp_path, files)
    assert (found.inputs[0].rows, found.inputs[0].used) == (rows, not reason)
    assert found.inputs[0].reason.startswith(reason)
    if not reason:
        assert [(each.name, each.size) for each in found.vms] == [("web-1", "Standard_D4s_v5")]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "the folder is empty"),
        ({"notes.txt": "x"}, "no file names VMs: notes.txt: this is text of another kind"),
        ({"vms.json": [vm("a", location="mars")]}, "of 1 VM none can be simulated: "),
    ],
)
def test_folders_of_which_nothing_can_be_made(tmp_path: Path, files: dict[str, Any], words: str) -> None:
    """Refused, with what was found."""
    with pytest.raises(UsageError, match=words):
        imported(tmp_path, files)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Before anything is read."""
    with pytest.raises(UsageError, match="there is no such file or folder"):
        import_fleet([tmp_path / "nothing.json"], first=None, last=None, stem="fleet")


# --- the period


@pytest.mark.parametrize(
    ("days", "first", "last", "expected"),
    [
        ((0, 27), None, None, ("2026-03-02", "2026-03-30", "")),
        ((0, 27), date(2026, 3, 10), date(2026, 3, 12), ("2026-03-10", "2026-03-13", "")),
        ((0, 40), None, date(2026, 4, 5), ("2026-03-02", "2026-04-06", "")),
        ((40, 41), None, None, ("2026-04-11", "2026-04-13", "have no day in common: the invoice's days are taken")),
        ((0, 3), None, date(2026, 4, 20), ("2026-03-02", "2026-04-21", "no file covers all days from 2026-03-02 to 2026-04-20")),
        ((3, 5, 9), None, None, ("2026-03-05", "2026-03-12", "the invoice has no usage on 4 days of the period, the first is 2026-03-06")),
    ],
)  # fmt: skip
def test_days_that_log_and_invoice_cover(
    tmp_path: Path, days: tuple[int, ...], first: date | None, last: date | None, expected: tuple[str, str, str]
) -> None:
    """Both, else the invoice's; what the user says goes before; days that nothing covers are said."""
    days = days if len(days) > 2 else tuple(range(days[0], days[1] + 1))
    files = {"focus.csv": table([charge(day) for day in days]), "log.json": log()}
    found = imported(tmp_path, files, first=first, last=last)
    assert found.period is not None
    assert tuple(each.date().isoformat() for each in found.period) == expected[:2]
    assert expected[2] in " ".join(found.warnings)
    assert ("no day in common" in " ".join(found.warnings)) == ("no day in common" in expected[2])


@pytest.mark.parametrize(
    ("files", "first", "last", "words"),
    [
        ({"log.json": log(event("a", "start/action", at(1)))}, date(2026, 3, 9), date(2026, 3, 8), "the period from 2026-03-09 to 2026-03-08 has no day"),
        ({"log.json": log(event("a", "start/action", at(1)))}, date(2026, 5, 1), None, "the files cover 2026-03-02 to 2026-03-29"),
        ({"vms.json": [vm("a")]}, date(2026, 3, 9), date(2026, 3, 8), "the period from 2026-03-09 to 2026-03-08 has no day"),
        ({"vms.json": [vm("a")]}, date(2026, 3, 9), None, "no file has dates (give both, or none)"),
        ({"vms.json": [vm("a")]}, None, date(2026, 3, 9), "no file has dates (give both, or none)"),
    ],
)  # fmt: skip
def test_periods_without_a_day_are_refused(
    tmp_path: Path, files: dict[str, Any], first: date | None, last: date | None, words: str
) -> None:
    """With what the files cover."""
    with pytest.raises(UsageError) as refused:
        imported(tmp_path, files, first=first, last=last)
    assert words in str(refused.value)


# --- when VMs were on


def stretches(found: Imported, name: str) -> list[tuple[float, float]]:
    """When a VM was on: days from Monday."""
    members = [each for group in found.groups for each in group.members]
    time = next(each.time for each in members if each.vm.name == name)
    return [(round(on / 86_400, 3), round(off / 86_400, 3)) for on, off in time.on]


LIVES: list[tuple[str, list[tuple[str, float]], list[tuple[float, float]], float, str]] = [
    # what happened, its operations, when it was on, hours stopped, demand
    ("restarted only", [("restart/action", 3)], [(0, 28)], 0, "always"),
    ("powered off, and on again", [("powerOff/action", 2), ("start/action", 5)], [(0, 28)], 72, "always"),
    ("powered off, and restarted", [("powerOff/action", 2), ("restart/action", 5)], [(0, 28)], 72, "always"),
    ("powered off for good", [("powerOff/action", 2)], [(0, 28)], 624, "parked"),
    ("powered off until after the period", [("powerOff/action", 2), ("start/action", 100)], [(0, 28)], 624, "parked"),
    ("powered off, then deallocated", [("powerOff/action", 2), ("deallocate/action", 3)], [(0, 3)], 24, "trace"),
    ("off, and restarted", [("deallocate/action", 2), ("restart/action", 5)], [(0, 2), (5, 28)], 0, "trace"),
    ("off twice", [("deallocate/action", 2), ("deallocate/action", 5)], [(0, 2)], 0, "trace"),
    ("deleted", [("delete", 4)], [(0, 4)], 0, "trace"),
    ("made again", [("delete", 4), ("write", 6)], [(0, 4), (6, 28)], 0, "trace"),
    ("made again after the period", [("delete", 4), ("write", 60)], [(0, 4)], 0, "trace"),
    ("deleted after the period", [("restart/action", 3), ("delete", 60), ("write", 61)], [(0, 28)], 0, "always"),
    ("deleted before, made in the period", [("delete", -4), ("write", 6)], [(6, 28)], 0, "trace"),
    ("off before the period", [("start/action", -3), ("deallocate/action", 2)], [(0, 2)], 0, "trace"),
    ("updated", [("restart/action", 1), ("update", 6)], [(0, 28)], 0, "always"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operations", "on", "stopped_h", "demand"), [each[1:] for each in LIVES], ids=[each[0] for each in LIVES]
)
def test_operations_tell_when_a_vm_was_on(
    tmp_path: Path, operations: list[tuple[str, float]], on: list[tuple[float, float]], stopped_h: float, demand: str
) -> None:
    """Also where they begin before the period and end after it; a VM powered off keeps its host."""
    events = [
        event("web-1", "write" if kind == "update" else kind, at(day), subStatus={"value": "Created" if kind == "write" else "OK"})
        for kind, day in operations
    ]  # fmt: skip
    files = {"vms.json": [vm("web-1", timeCreated="2020-01-01T00:00:00Z")], "log.json": log(*events)}
    found = imported(tmp_path, files, first=date(2026, 3, 2), last=date(2026, 3, 29))
    assert stretches(found, "web-1") == on
    assert found.groups[0].members[0].time.stopped_s == pytest.approx(3600 * stopped_h)
    assert found.groups[0].demand == demand


@pytest.mark.parametrize(
    ("facts", "events", "on", "stopped_h"),
    [
        ({"powerState": "VM stopped"}, [], [(0, 28)], 672),
        ({"powerState": "VM stopped", "timeCreated": at(8).isoformat()}, [], [(8, 28)], 480),
        ({"powerState": "VM deallocated"}, [], [], 0),
        ({"powerState": None}, [], [(0, 28)], 0),
        ({"powerState": "VM stopped"}, [("write", 3)], [(0, 28)], 672),
        ({"powerState": "VM deallocated"}, [("write", 3)], [], 0),
        ({"powerState": None}, [("write", 3)], [(0, 28)], 0),
        ({"timeCreated": at(3, 0.2).isoformat()}, [("write", 3)], [(3, 28)], 0),
    ],
)
def test_lists_tell_of_vms_without_an_operation(
    tmp_path: Path,
    facts: dict[str, Any],
    events: list[tuple[str, float]],
    on: list[tuple[float, float]],
    stopped_h: float,
) -> None:
    """As they were found; a write on a VM that existed tells nothing."""
    files = {
        "vms.json": [vm("web-1", **facts)],
        "log.json": log(*(event("web-1", kind, at(day)) for kind, day in events)),
    }
    found = imported(tmp_path, files)
    assert stretches(found, "web-1") == on
    assert found.groups[0].members[0].time.stopped_s == pytest.approx(3600 * stopped_h)


def health(name: str, day: float, title: str) -> dict[str, Any]:
    """What resource health says."""
    operation = {"value": "Microsoft.Resourcehealth/healthevent/Activated/action"}
    return event(name, title, at(day), "Active", operationName=operation, properties=json.dumps({"title": title}))


def test_resource_health_tells_of_evictions_and_of_guests(tmp_path: Path) -> None:
    """A spot VM is evicted, or was off unseen; another VM's guest stopped, which keeps the host; other titles tell nothing."""
    events = [
        health("spot-1", 3, "Preempted"), event("spot-1", "start/action", at(4)), event("spot-1", "start/action", at(9)),
        health("spot-1", 20, "Preempted"),
        health("web-1", 3, "Stopped by user or process"), event("web-1", "start/action", at(4)), health("web-1", 6, "Degraded"),
    ]  # fmt: skip
    csv = [{"Time": at(3).isoformat(), "Correlation id": "", "Operation name": "Health Event Activated", "Event category": "Resource Health",
            "Resource type": "Microsoft.Compute/virtualMachines", "Resource": "spot-1", "Resource group": "rg", "Subscription": SUBSCRIPTION}]  # fmt: skip
    files = {
        "vms.json": [vm("spot-1", priority="Spot"), vm("web-1")],
        "log.json": log(*events),
        "portal.csv": table(csv),
    }
    found = imported(tmp_path, files)
    assert stretches(found, "spot-1") == [(0, 3), (4, 20)]
    spot = next(group.members[0].time for group in found.groups if group.members[0].vm.name == "spot-1")
    assert [(off / 86_400, on and on / 86_400) for off, on in spot.evictions] == [(3, 4), (9, 9), (20, None)]
    values = values_of(found, "spot-1")
    assert (values["spot.policy"], values["spot.restart_after"]) == ("deallocate", "86400s")
    web = next(group.members[0].time for group in found.groups if group.members[0].vm.name == "web-1")
    assert web.stopped_s == 86_400


def test_a_portal_log_has_neither_ids_nor_codes(tmp_path: Path) -> None:
    """Subscriptions by name, other resources, lines without a time, operations that tell nothing."""
    rows = [
        {"Correlation id": str(number), "Operation name": name, "Status": status, "Event category": category, "Time": when,
         "Subscription": "My subscription", "Resource type": kind, "Resource group": "rg", "Resource": resource}
        for number, (name, status, category, when, kind, resource) in enumerate([
            ("Deallocate Virtual Machine", "Succeeded", "Administrative", at(5).isoformat(), "Microsoft.Compute/virtualMachines", "web-1"),
            ("List Keys", "Succeeded", "Administrative", at(0).isoformat(), "Microsoft.Storage/storageAccounts", "web-1"),
            ("Run Command", "Succeeded", "Administrative", at(27.9).isoformat(), "Microsoft.Compute/virtualMachines", "web-1"),
            ("Start Virtual Machine", "Succeeded", "Administrative", "yesterday", "Microsoft.Compute/virtualMachines", "web-1"),
            ("Health Event Activated", "Active", "Resource Health", at(6).isoformat(), "Microsoft.Compute/virtualMachines", "spot-1"),
        ])
    ]  # fmt: skip
    files = {"vms.json": [vm("web-1"), vm("spot-1", priority="Spot"), vm("web-2")], "log.csv": table(rows)}
    found = imported(tmp_path, files)
    assert sorted(each.name for each in found.vms) == ["spot-1", "web-1", "web-2"]
    assert stretches(found, "web-1") == [(0, 5)]
    assert stretches(found, "spot-1") == [(0, 6)]
    assert [each.rows for each in found.inputs] == [5, 3]


def test_durations_and_failures_of_operations(tmp_path: Path) -> None:
    """Twelve starts of 30 s each, three that failed: two codes have a key, what has none is named; an end alone has no length."""
    events = []
    for day in range(12):
        began = at(day, 8)
        both = {"correlationId": f"start{day}"}
        events += [
            event("web-1", "start/action", began, "Started", **both),
            event("web-1", "start/action", began + timedelta(seconds=30), **both),
        ]
        events += [event("web-1", "deallocate/action", at(day, 18))]
    failed: list[Any] = [json.dumps({"error": {"code": "AllocationFailed"}}), json.dumps({"error": "x"}), "{no object"]
    events += [
        event("web-1", "start/action", at(day, 7), "Failed", properties={"statusMessage": words, "statusCode": "Conflict"})
        for day, words in enumerate(failed)
    ]  # fmt: skip
    events += [
        event("web-1", "start/action", "no instant"),
        event("web-1", "start/action", at(1), resourceId="/x"),
        {"value": 1},
    ]
    events += [
        event("web-1", "start/action", at(1), operationName=None),
        event("web-1", "start/action", at(2, 9).isoformat()[:19] + ".1234567Z", "Accepted"),
    ]
    found = imported(tmp_path, {"vms.json": [vm("web-1")], "log.json": log(*events)})
    values = values_of(found, "web-1")
    assert values["failures.AllocationFailed"] == "0.0625"  # 1 of 16
    allocating, starting = (float(values[f"durations.{key}"].rstrip("s")) for key in ("allocating", "starting"))
    assert allocating + starting == pytest.approx(30, abs=1)
    assert "3 of 16 start operations failed: 2 Conflict, 1 AllocationFailed" in text_of(found)
    assert values["schedule.days"] == "Mon-Sun"


def test_no_file_says_of_what_size(tmp_path: Path) -> None:
    """A log alone: one size stands for all. With others of its name, it is theirs; without, a VM is left out."""
    alone = imported(tmp_path, {"log.json": log(event("web-1", "restart/action", at(3)))})
    assert values_of(alone, "web-1")["size"] == "Standard_D4s_v5"
    assert alone.warnings[0].startswith("no file says of what size the VMs are: Standard_D4s_v5 stands for all")
    both = log(event("web-2", "restart/action", at(3)), event("db-1", "restart/action", at(3)))
    found = imported(
        tmp_path, {"log.json": both, "vms.json": [vm("web-1", hardwareProfile={"vmSize": "Standard_D8s_v5"})]}
    )
    assert values_of(found, "web-2")["size"] == "Standard_D8s_v5"
    assert "web-2: size and disks are not known; assumed as those of web-1" in text_of(found)
    assert (
        "left out: db-1 (rg): its size is not known: activity-log doesn't say it; save `az vm list -d` or a cost export too"
        in text_of(found)
    )


# --- cost exports


def charged(folder: Path, *rows: Row, **files: Any) -> Imported:
    """Four weeks of one VM, and these rows."""
    return imported(folder, {"focus.csv": table([*(charge(day) for day in range(28)), *rows]), **files})


def others(found: Imported) -> dict[str, tuple[str, int, float]]:
    """Charges that are no part of the scenario: what, why, how many rows, cost."""
    rows = as_object(found, "fleet.toml")["not_in_the_scenario"]
    return {row["what"]: (row["reason"], row["rows"], round(row["cost"], 2)) for row in rows}


def test_charges_of_every_kind_are_used_or_named(tmp_path: Path) -> None:
    """Disks and addresses by their names, licences, scale sets, corrections, rows without a resource, cells that can't be read."""
    disk = {
        "x_SkuMeterCategory": "Storage",
        "x_SkuMeterName": "P10 LRS Disk",
        "PricingUnit": "1/Month",
        "x_SkuDetails": "",
        "PricingQuantity": 0.5,
    }
    address = {
        "x_SkuMeterCategory": "Virtual Network",
        "x_SkuMeterName": "Standard IPv4 Static Public IP",
        "x_SkuDetails": "",
    }
    licence = {
        "x_SkuMeterCategory": "Virtual Machines Licenses",
        "x_SkuMeterName": "4 vCPU VM License",
        "x_SkuMeterSubcategory": "Windows Server",
    }
    disks, addresses = f"{GROUP}/Microsoft.Compute/disks", f"{GROUP}/Microsoft.Network/publicIPAddresses"
    found = charged(
        tmp_path,
        charge(0, **disk, ResourceId=f"{disks}/web-1_OsDisk_1_ab"),
        charge(0, **disk, ResourceId=f"{disks}/orphan"),
        charge(0, **disk, ResourceId=f"{disks}/nobody-data-1"),
        charge(0, **address, ResourceId=f"{addresses}/web-1-pip"),
        charge(1, **address, ResourceId=f"{addresses}/web-1-ip2"),
        charge(0, **address, ResourceId=f"{addresses}/front"),
        charge(0, **licence, ResourceId=f"{VMS}/web-1"),
        charge(0, **licence, ResourceId=f"{VMS}/licensed"),
        charge(0, ResourceId=f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/shop"),
        charge(0, ResourceId=f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/shop/virtualMachines/3"),
        charge(3, PricingQuantity=-3, BilledCost=-0.69, x_SkuDescription="credit"),
        charge(4, PricingQuantity=6, BilledCost=1.38, x_SkuDescription="twice"),
        charge(4, PricingQuantity=-6, BilledCost=-1.38, x_SkuDescription="credit"),
        charge(0, ResourceId="", BilledCost=7, x_SkuDescription="no resource"),
        charge(0, BilledCost="much", x_SkuDescription="unreadable"),
        charge(0, ResourceId=f"{VMS}/web-1", x_SkuMeterCategory="Bandwidth", x_SkuMeterName="Standard Data Transfer Out", BilledCost=2, x_SkuDescription="out"),
    )  # fmt: skip
    assert others(found) == {
        "credit": ("a correction of a charge: hours are as first invoiced", 2, -2.07),
        "no resource": ("it names no resource", 1, 7.0),
        "out": ("transfer is priced in tiers by zone, which the list doesn't have", 1, 2.0),
        "unreadable": ("cost 'much' is no number", 1, 0.0),
    }
    assert (
        "# Invoiced, but no part of the scenario: 6.93 USD # no resource: 7.00 in 1 row (it names no resource)"
        in text_of(found)
    )
    web = next(each for each in found.vms if each.name == "web-1")
    assert (web.disks, web.public_ip) == (("P10",), True)
    assert web.use is not None
    assert (web.use.licensed, sum(web.use.hours.values())) == (True, 28 * 24)  # a day has 24 h, whatever was corrected
    assert {each.name: each.reason for each in found.vms} == {
        "licensed": "its size is not known: cost-export doesn't say it; save `az vm list -d` too", "shop_3": "", "web-1": "",
    }  # fmt: skip
    notes = " ".join(found.warnings)
    assert "3 disks and addresses belong to no VM" in notes
    assert "orphan, nobody-data-1, front" in notes
    assert "scale set shop: 24.0 VM hours are invoiced for all instances together" in notes


def test_a_vm_that_changed_its_size_runs_windows_and_has_tags(tmp_path: Path) -> None:
    """The size of most hours; an own licence where none is invoiced; tags with or without braces, or none that can be read."""
    other = {
        "x_SkuMeterName": "D8s v5",
        "x_SkuDetails": json.dumps({"ServiceType": "Standard_D8s_v5", "ImageType": "Windows Server"}),
    }
    rows = [charge(day, **(other if day > 9 else {}), Tags='"team": "a"') for day in range(28)]
    rows += [
        charge(day, ResourceId=f"{VMS}/{name}", Tags=tags)
        for day in range(28)
        for name, tags in (("db-1", "{}"), ("app-1", '{"a": 1}'), ("odd-1", "team;a"), ("list-1", '{"a"'))
    ]
    found = imported(tmp_path, {"focus.csv": table(rows)})
    assert values_of(found, "web-1") == {"size": "Standard_D8s_v5", "os": "windows", "hybrid_benefit": "true"}
    assert (
        "web-1 changed its size: 240.0 h as Standard_D4s_v5, 432.0 h as Standard_D8s_v5; taken as Standard_D8s_v5"
        in text_of(found)
    )
    assert {each.name: dict(each.tags) for each in found.vms} == {
        "web-1": {"team": "a"}, "db-1": {}, "app-1": {"a": "1"}, "odd-1": {}, "list-1": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "paid", "lines"),
    [
        ("USD", 0.23, []),
        (
            "USD",
            0.207,
            ["discount = 0.1 # measured (USD 139.10 paid for 154.56 at list, without commitments and spot)"],
        ),
        ("EUR", 0.23, ['currency = "EUR" # measured (the invoice\'s; list prices times the bundled, dated rate)']),
        ("XTS", 0.23, ["# the invoice is in XTS; the scenario is in USD, the list's currency"]),
    ],
)
def test_money_of_the_invoice(tmp_path: Path, currency: str, paid: float, lines: list[str]) -> None:
    """A discount off list; currencies with a known rate, and without one."""
    found = imported(
        tmp_path,
        {"focus.csv": table([charge(day, BillingCurrency=currency, ContractedUnitPrice=paid) for day in range(28)])},
    )
    scenario_text(found, "fleet")  # what it says of the currency is a note
    text = text_of(found)
    assert [line for line in lines if line not in text] == []
    assert ("discount" in text.split("[[group]]")[0].split("[prices]")[1]) == (paid < 0.23)


RESERVED = {
    "CommitmentDiscountId": "/ri/1",
    "CommitmentDiscountType": "Reservation",
    "CommitmentDiscountName": "ri",
    "PricingCategory": "Committed",
}
BOUGHT = RESERVED | {
    "ChargeCategory": "Purchase",
    "ResourceId": "",
    "PricingQuantity": 2,
    "BilledCost": 200,
    "x_SkuDescription": "Reserved VM Instance, Standard_D4s_v5, EU West, 3 Years",
}
UNUSED = RESERVED | {
    "CommitmentDiscountStatus": "Unused",
    "ResourceId": "",
    "BilledCost": 0,
    "x_SkuDescription": "Standard_D4s_v5",
}
PLAN_PAID = {"CommitmentDiscountId": "/sp/1", "CommitmentDiscountType": "Savings Plan", "CommitmentDiscountName": "sp"}
PLAN_BOUGHT = PLAN_PAID | {
    "ChargeCategory": "Purchase",
    "ResourceId": "",
    "BilledCost": 730,
    "x_SkuTerm": "12",
    "ChargeFrequency": "Recurring",
}


@pytest.mark.parametrize(
    ("rows", "expected", "words"),
    [
        ([charge(0, **BOUGHT)], ("Standard_D4s_v5", 2, None, "3y"), "purchase row of 2 March, focus.csv"),
        ([charge(0, **BOUGHT), charge(27, **BOUGHT)], ("Standard_D4s_v5", 4, None, "3y"), "purchase row of 29 March, focus.csv"),
        ([charge(-20, **BOUGHT), charge(0, **BOUGHT)], ("Standard_D4s_v5", 2, None, "3y"), "purchase row of 2 March, focus.csv"),
        ([charge(0, **BOUGHT), charge(1, **RESERVED, x_SkuDescription="Virtual Machines Dsv5 Series - D4s v5 - EU West")],
         ("Standard_D4s_v5", 2, None, "3y"), "purchase row of 2 March, focus.csv"),
        ([charge(day, **RESERVED, x_SkuDescription="Virtual Machines Dsv3 Series - D4s v3 - US West 3") for day in range(28)]
         + [charge(0, **UNUSED, PricingQuantity=24, EffectiveCost=5.52)], ("Standard_D4s_v5", 1, None, "1y"), "used and unused hours of 28 days, focus.csv"),
        ([charge(day, **RESERVED, PricingQuantity=48, EffectiveCost="") for day in range(28)] + [charge(0, **UNUSED, PricingQuantity=0)],
         ("Standard_D4s_v5", 2, None, "1y"), "used hours of 28 days, focus.csv: at least"),
        ([charge(day, **PLAN_PAID, EffectiveCost=12) for day in range(28)], (None, None, 0.5, "1y"), "used and unused money of 28 days, focus.csv"),
        ([charge(0, **BOUGHT | {"RegionId": ""})], ("Standard_D4s_v5", 2, None, "3y"), "purchase row of 2 March, focus.csv"),
        ([charge(0, **PLAN_BOUGHT)], (None, None, 1.0, "1y"), "a purchase for a month (730 h), focus.csv"),
        ([charge(-20, **PLAN_BOUGHT), charge(0, **PLAN_BOUGHT)], (None, None, 1.0, "1y"), "a purchase for a month (730 h), focus.csv"),
        ([charge(0, **PLAN_BOUGHT | {"ChargeFrequency": "One-Time", "BilledCost": 26280, "x_SkuTerm": "36 Months"})], (None, None, 1.0, "3y"),
         "a purchase for a term of 3y (26280 h), focus.csv"),
        ([charge(0, **PLAN_BOUGHT | {"BilledCost": 0})], None, "commitment sp: how much of it was bought is not in focus.csv: left out"),
        ([charge(0, **UNUSED, PricingQuantity=0, EffectiveCost=1)], None, "commitment ri: how much of it was bought is not in focus.csv: left out"),
        ([charge(0, **RESERVED)], None, "reservation ri: its size is not in focus.csv (only rows that it pays): left out"),
    ],
)  # fmt: skip
def test_commitments_as_their_rows_show_them(
    tmp_path: Path, rows: list[Row], expected: tuple[str | None, float | None, float | None, str] | None, words: str
) -> None:
    """By their purchase, else by what was used and unused; monthly payments are of one commitment; the scenario can be loaded."""
    plain = [charge(day) for day in range(-20, 28)]
    found = imported(tmp_path, {"focus.csv": table([*plain, *rows])})
    if expected is None:
        assert found.commitments == []
        assert words in found.warnings
        return
    (one,) = as_object(found, "fleet.toml")["commitments"]
    assert (one["size"], one["quantity"], one["hourly"], one["term"]) == (
        *expected[:2],
        expected[2] and pytest.approx(expected[2]),
        expected[3],
    )
    assert one["rests_on"] == words
    write(found, tmp_path / "fleet.toml", scenario_text(found, "fleet"))
    kind = Reservation if expected[0] else SavingsPlan
    assert [type(each) for each in load(tmp_path / "fleet.toml").billed_commitments()] == [kind]


# --- how VMs are run


def days_on(name: str, spans: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Starts and deallocations: days from Monday."""
    return [
        event(name, kind, at(day))
        for span in spans
        for kind, day in zip(("start/action", "deallocate/action"), span, strict=True)
    ]


def office(on_h: float, off_h: float, days: Sequence[int] = range(5), weeks: int = 4) -> list[tuple[float, float]]:
    """Hours of some weekdays, UTC."""
    return [(7 * week + day + on_h / 24, 7 * week + day + off_h / 24) for week in range(weeks) for day in days]


NIGHTS = [(day + (day * 7919 % 20) / 24, day + (day * 7919 % 20 + 2 + day % 3) / 24) for day in range(0, 28, 2)]
HABITS: list[tuple[str, dict[str, Sequence[tuple[float, float]]], dict[str, str]]] = [
    # of which VMs, when each was on, what the scenario says of the first
    ("two schedules under one name", {"dev-1": office(8, 17), "dev-2": office(19, 23)}, {"schedule.on": "08:00 Europe/Amsterdam", "schedule.off": "17:00 Europe/Amsterdam"}),
    ("a schedule beside one by hand", {"dev-1": office(8, 17), "dev-2": NIGHTS}, {"schedule.days": "Mon-Fri"}),
    ("by hand", {"dev-1": NIGHTS}, {"when_off": "deallocate"}),
    ("by hand, and few", {"dev-1": [(1, 3), (8, 10.5)]}, {"cycle.on": "194400s"}),
    ("holidays", {f"dev-{n}": [each for each in office(8, 17) if not 4 <= each[0] < 5] for n in range(4)}, {"calendar.except": "[2026-03-06]"}),
    ("two windows", {f"dev-{n}": office(8, 17, (0, 1, 2)) + office(10, 14, (3, 4)) for n in range(2)}, {"schedule.days": "Thu-Fri"}),
    ("one weekday only", {"dev-1": office(8, 17, (2,))}, {"schedule.days": "Wed"}),
    ("over midnight", {"dev-1": office(20, 29)}, {"schedule.on": "20:00 Europe/Amsterdam", "schedule.off": "05:00 Europe/Amsterdam"}),
]  # fmt: skip


@pytest.mark.parametrize(("lives", "expected"), [each[1:] for each in HABITS], ids=[each[0] for each in HABITS])
def test_habits_are_found_in_operations(
    tmp_path: Path, lives: dict[str, Sequence[tuple[float, float]]], expected: dict[str, str]
) -> None:
    """As people keep them, on the region's clock; what is written can be run."""
    events = [
        each
        for name, spans in lives.items()
        for each in days_on(name, [(on - 1 / 24, off - 1 / 24) for on, off in spans])
    ]
    files = {"vms.json": [vm(name, powerState="VM deallocated") for name in lives], "log.json": log(*events)}
    found = imported(tmp_path, files, last=date(2026, 3, 28))  # a day before the clocks change
    values = values_of(found, next(iter(lives)))
    assert {key: values.get(key) for key in expected} == expected
    write(found, tmp_path / "fleet.toml", scenario_text(found, "fleet"))
    assert [each.name for each in load(tmp_path / "fleet.toml").groups] == [each.name for each in found.groups]


def test_vms_that_come_with_load_are_arrivals(tmp_path: Path) -> None:
    """Created and deleted at any hour: requests by hour of the week, and lifetimes."""
    events = []
    for number in range(30):
        born = number * 0.9
        events += [event(f"vmss-shop_{number:06x}", "write", at(born), subStatus={"value": "Created"}),
                   event(f"vmss-shop_{number:06x}", "delete", at(born + 0.1 + number % 7 / 10))]  # fmt: skip
    found = imported(tmp_path, {"log.json": log(*events)})
    assert [(group.name, group.demand, len(group.members)) for group in found.groups] == [("vmss-shop", "arrivals", 30)]
    values = values_of(found, "vmss-shop_000000")
    assert values["arrivals.weekly"] == "30 requests"
    write(found, tmp_path / "fleet.toml", scenario_text(found, "fleet"))
    (group,) = load(tmp_path / "fleet.toml").fleet_plan().groups
    assert type(group.demand).__name__ == "Arrivals"


def test_hours_of_each_day_tell_of_vms_that_no_operation_names(tmp_path: Path) -> None:
    """Without a log: from 08:00 local; from its creation on; a VM that no list has came and went with its hours, or its disk."""
    disk = {
        "x_SkuMeterCategory": "Storage",
        "x_SkuMeterName": "P10 LRS Disk",
        "PricingUnit": "1/Month",
        "x_SkuDetails": "",
    }
    rows = [charge(day, ResourceId=f"{VMS}/{name}", PricingQuantity=hours) for name, days, hours in (
        ("part-1", range(28), 6), ("born-1", range(5, 28), 24), ("gone-1", range(4, 10), 24), ("once-1", range(4, 10), 24), ("listed-1", range(4, 10), 24),
    ) for day in days]  # fmt: skip
    rows += [
        charge(day, **disk, PricingQuantity=1 / 28, ResourceId=f"{GROUP}/Microsoft.Compute/disks/once-1_disk1")
        for day in range(28)
    ]
    vms = [vm("part-1"), vm("born-1", timeCreated=at(5).isoformat()), vm("listed-1")]
    found = imported(tmp_path, {"focus.csv": table(rows), "vms.json": vms})
    times = {member.vm.name: member.time for group in found.groups for member in group.members}
    assert stretches(found, "part-1")[0] == (round(7 / 24, 3), round(13 / 24, 3))  # 08:00 in Amsterdam
    assert {name: (time.created, time.deleted, [each / 86_400 for each in time.exists]) for name, time in times.items()} == {
        "part-1": (False, False, [0, 28]), "born-1": (True, False, [5, 28]), "gone-1": (True, True, [4, 10]), "once-1": (False, False, [0, 28]),
        "listed-1": (False, False, [0, 28]),
    }  # fmt: skip


def test_a_vm_that_is_invoiced_before_its_start_was_stopped_by_its_guest(tmp_path: Path) -> None:
    """All hours of the days before: it kept its host. Fewer: it was off."""
    rows = [
        charge(day, ResourceId=f"{VMS}/{name}", PricingQuantity=hours)
        for day in range(28)
        for name, hours in (("a-1", 24), ("b-1", 10))
    ]
    events = [event(name, "start/action", at(6)) for name in ("a-1", "b-1")]
    found = imported(tmp_path, {"focus.csv": table(rows), "log.json": log(*events)})
    assert (stretches(found, "a-1"), stretches(found, "b-1")) == ([(0, 28)], [(6, 28)])
    stopped = {member.vm.name: member.time.stopped_s for group in found.groups for member in group.members}
    assert stopped == {"a-1": 6 * 86_400, "b-1": 0}


def test_days_off_that_are_holidays_are_called_by_their_country(tmp_path: Path) -> None:
    """The first of January in the Netherlands."""
    names = [f"dev-{n}" for n in range(4)]
    spans = [
        (on - 63, off - 63) for on, off in office(8, 17) if int(on) != 3
    ]  # Monday is 29 December, Thursday the first of January
    events = [each for name in names for each in days_on(name, [(on - 1 / 24, off - 1 / 24) for on, off in spans])]
    edges = [event("nobody", "read", at(-63 + day), resourceId="") for day in (0, 27.99)]
    found = imported(
        tmp_path, {"vms.json": [vm(name, powerState="VM deallocated") for name in names], "log.json": [*edges, *events]}
    )
    values = values_of(found, "dev-0")
    assert (values.get("calendar.holidays"), values.get("calendar.except")) == ("NL", None)


# --- what is written


def test_edits_of_every_kind_stay(tmp_path: Path) -> None:
    """Keys, tables, groups and commitments that were changed, added or taken out; what nobody touched follows the new import."""

    def fleet(**more: dict[str, Any]) -> list[dict[str, Any]]:
        return [vm(f"{name}-1", tags={"for": name}, **facts) for name, facts in more.items()]

    address, disk = (
        {"publicIps": "192.0.2.1"},
        {"osDisk": {"managedDisk": {"storageAccountType": "Premium_LRS"}, "diskSizeGb": 128}},
    )
    rows = [charge(day) for day in range(28)]
    out = tmp_path / "fleet.toml"
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    vms = fleet(web=address, db={}, app={}, gone={}, own=address)
    found = imported(tmp_path / "a", {"vms.json": vms, "focus.csv": table([*rows, charge(0, **BOUGHT)])})
    write(found, out, scenario_text(found, "fleet"))
    mine = out.read_text(encoding="utf-8")
    mine = mine.replace("# Written by", "# My fleet.\n# Written by").replace("public_ip = true", "# none", 1)
    mine = mine.replace('title = "Imported fleet fleet"\n', "").replace(
        'billing_policy = "2023-10"', 'seed = 3\nbilling_policy = "2018-08"'
    )
    blocks = re.split(r"(?=^# --- |^\[\[commitment\]\])", mine, flags=re.MULTILINE)
    out.write_text("".join(each for each in blocks if 'name = "app"' not in each), encoding="utf-8")
    vms = fleet(web=address | {"storageProfile": disk}, db={"zones": ["1"]}, app={}, own={}, new={})
    found = imported(tmp_path / "b", {"vms.json": vms, "focus.csv": table(rows)})
    kept = write(found, out, scenario_text(found, "fleet"), update=True)
    assert kept == [
        "group.web.public_ip stays left out", "group.app stays left out", "title stays left out",
        "billing_policy = 2018-08 (the import has 2023-10)", "seed is yours",
    ]  # fmt: skip
    again = tomllib.loads(out.read_text(encoding="utf-8"))
    assert {each["name"]: (each.get("zones"), each.get("disks"), each.get("public_ip")) for each in again["group"]} == {
        "web": (None, ["P10"], None), "db": ([1], None, None), "own": (None, None, None), "new": (None, None, None),
    }  # fmt: skip
    assert "commitment" not in again
    assert out.read_text(encoding="utf-8").startswith("# My fleet.")
    found = imported(tmp_path / "c", {"vms.json": vms, "focus.csv": table([*rows, charge(0, **BOUGHT)])})
    write(found, out, scenario_text(found, "fleet"), update=True)
    assert [each["name"] for each in tomllib.loads(out.read_text(encoding="utf-8"))["commitment"]] == ["ri"]


BEFORE = """# head

name = "fleet"

# in euros
[prices]
region = "westeurope"

# Group a: two VMs
[[group]]
name = "a"  # of the tag
count = 2
# looked at in May

  # by hand
  [group.durations]
  starting = "20s"

# Group b: gone
[[group]]
name = "b"

# Group c: four VMs
[[group]]
name = "c"
count = 4
# The end.
"""
AGAIN = """# head

name = "fleet"
title = "t"  # new

[prices]
region = "westeurope"
currency = "EUR"

# Group a: two VMs
[[group]]
name = "a"
count = 2
size = "s"  # measured

  [group.durations]
  starting = "20s"
  stopping = "3s"

  [group.failures]
  AllocationFailed = 0.1

# Group new: one VM
[[group]]
name = "new"

# Group c: four VMs
[[group]]
name = "c"
count = 4
size = "k"

[[commitment]]
name = "ri"
"""
UPDATED = """# my head

name = "fleet"
title = "t"  # new

# in euros
[prices]
region = "westeurope"
currency = "EUR"

# Group a: two VMs
[[group]]
name = "a"  # of the tag
count = 2
size = "s"  # measured
# looked at in May

  # by hand
  [group.durations]
  starting = "20s"
  stopping = "3s"

  [group.failures]
  AllocationFailed = 0.1

# Group c: four VMs
[[group]]
name = "c"
count = 4
size = "k"

# Group new: one VM
[[group]]
name = "new"

[[commitment]]
name = "ri"
# The end.
"""


def test_what_is_new_stands_with_its_table_and_remarks_with_theirs(tmp_path: Path) -> None:
    """A new key came after the remarks of the next group, which then stood in the middle; those of a group that went stayed."""
    out = tmp_path / "fleet.toml"
    base_of(out).write_text(BEFORE, encoding="utf-8")
    out.write_text(BEFORE.replace("# head", "# my head"), encoding="utf-8")
    text, kept = updated(out, AGAIN)
    assert (text, kept) == (UPDATED, [])


def test_what_is_said_to_be_missing_is_missing(tmp_path: Path) -> None:
    """An export without charges of the period is one; without a log, hours aren't those of the log."""
    old = charge(-300)
    found = imported(
        tmp_path,
        {"vms.json": [vm("web-1")], "focus.csv": table([old]), "log.json": log()},
        first=MONDAY.date(),
        last=date(2026, 3, 29),
    )
    assert (
        "the cost export charges nothing of the period: hours are those of the log, prices are list prices"
        in " ".join(found.warnings)
    )
    (tmp_path / "focus.csv").unlink()
    (tmp_path / "log.json").unlink()
    found = imported(tmp_path, {})
    assert "no cost export: hours are assumed, prices are list prices" in " ".join(found.warnings)


@pytest.mark.parametrize(
    ("edit", "words"), [("name = ", "it is no TOML: "), ('name = "fleet"\nhorizon = "1 parsec"\n', "horizon")]
)
def test_an_edited_file_that_cannot_be_read_is_the_users_to_mend(tmp_path: Path, edit: str, words: str) -> None:
    """Refused with what is wrong, no defect of ours."""
    out = tmp_path / "fleet.toml"
    out.write_text(edit, encoding="utf-8")
    (tmp_path / "in").mkdir()
    found = imported(tmp_path / "in", {"vms.json": [vm("web-1")]})
    with pytest.raises(InputError, match=words):
        write(found, out, scenario_text(found, "fleet"), update=True)


def test_long_lists_are_cut_in_the_file_and_whole_in_the_answer(tmp_path: Path) -> None:
    """Of VMs that are left out, and of charges."""
    vms = [vm("web-1"), *(vm(f"odd-{n}", hardwareProfile={"vmSize": "Standard_Z9"}) for n in range(203))]
    rows = [charge(0, ResourceId="", BilledCost=n + 1, x_SkuDescription=f"thing {n}") for n in range(43)]
    found = imported(tmp_path, {"vms.json": vms, "focus.csv": table([charge(0), *rows])})
    text = text_of(found)
    assert "# VMs: 1 of 204 are in the groups below." in text
    assert "# and 3 more, in the answer of --json" in text
    assert "# and 3 kinds more: 6.00" in text
    answer = as_object(found, "fleet.toml")
    assert (answer["counts"], len(answer["not_in_the_scenario"])) == ({"vms": 204, "placed": 1, "listed": 203}, 43)
