"""Inventories: `az vm list`, Resource Graph and `terraform show -json`, each to the same facts."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sim.azure.facts import (
    DEALLOCATED,
    GRAPH,
    RUNNING,
    STOPPED,
    TERRAFORM,
    VM_LIST,
    AutoShutdown,
    DiskFacts,
    EvictionBand,
    Inventory,
    VmFacts,
)
from sim.azure.identity import ADDRESS, DISK, VM, Key, parse_id
from sim.azure.time_zones import iana_zone, instant_of
from sim.catalog.sizes import region_key, size_key

EVICTION_RATE = "microsoft.compute/skuspotevictionrate/location"
_DISK_KINDS = {"premium": "P", "standardssd": "E", "standard": "S"}
_POWER = {"running": RUNNING, "starting": RUNNING, "stopped": STOPPED, "stopping": STOPPED, "deallocated": DEALLOCATED,
          "deallocating": DEALLOCATED}  # fmt: skip


def read_vm_list(items: Iterable[Any], file: str, into: Inventory) -> int:
    """`az vm list`, with or without `-d`; the answer is the number of VMs."""
    before = len(into.vms)
    for item in items:
        if isinstance(item, Mapping) and (item.get("name") or item.get("id")):
            into.vms.append(_vm(_low(item), _low(item), file, VM_LIST))
    return len(into.vms) - before


def read_graph(items: Iterable[Any], file: str, into: Inventory) -> int:
    """Rows of Resource Graph: VMs, disks, addresses and eviction rates; the answer is the number of rows."""
    rows = 0
    addresses: list[str] = []
    for item in items:
        if not isinstance(item, Mapping):
            continue
        rows += 1
        row = _low(item)
        kind, inner = str(row.get("type") or VM).lower(), _low(row.get("properties") or {})
        if kind == VM and (row.get("name") or row.get("id")):
            into.vms.append(_vm(row, inner, file, GRAPH))
        elif kind == DISK:
            sku = _low(row.get("sku") or {})
            into.disks.append(
                DiskFacts(
                    key=parse_id(str(row.get("id") or "")), kind=_disk_kind(str(sku.get("name") or "")),
                    gib=_number(inner.get("disksizegb")), tier=str(inner.get("tier") or ""),
                    vm=parse_id(str(row.get("managedby") or "")),
                )
            )  # fmt: skip
        elif kind == EVICTION_RATE:
            size = _low(row.get("sku") or {}).get("name") or inner.get("skuname") or ""
            words = str(inner.get("evictionrate") or "")
            if re.fullmatch(r"\d+(\+|-\d+)", words):
                place = (size_key(str(size)), region_key(str(row.get("location") or "")))
                into.evicted[place] = EvictionBand(words=words, file=file)
        elif kind == ADDRESS:
            addresses.append(str(inner.get("ipaddress") or ""))
    return rows


def _vm(row: Mapping[str, Any], inner: Mapping[str, Any], file: str, source: str) -> VmFacts:
    """A VM; *inner* has its properties, which `az vm list` writes beside the others."""
    given = str(row.get("id") or "")
    name = str(row.get("name") or given.rsplit("/", 1)[-1])
    key = parse_id(given) or Key("", str(row.get("resourcegroup") or "").lower(), VM, name.lower())
    storage, hardware = _low(inner.get("storageprofile") or {}), _low(inner.get("hardwareprofile") or {})
    system = _low(storage.get("osdisk") or {})
    addresses = inner.get("publicips")
    extended = _low(_low(inner.get("extended") or {}).get("instanceview") or {})
    state = _low(extended.get("powerstate") or {})
    power = str(inner.get("powerstate") or state.get("displaystatus") or state.get("code") or "").lower()
    licence = str(inner.get("licensetype") or "")
    is_windows = str(system.get("ostype") or "").lower() == "windows"
    return VmFacts(
        key=key, file=file, source=source, id=given, name=name, resource_group=str(row.get("resourcegroup") or key.resource_group),
        size=str(hardware.get("vmsize") or ""), region=region_key(str(row.get("location") or "")),
        os=str(system.get("ostype") or "").lower(),
        priority="" if "priority" not in inner else "spot" if str(inner["priority"] or "").lower() in ("spot", "low") else "regular",
        policy=str(inner.get("evictionpolicy") or "").lower(), zones=_zones(row.get("zones")),
        tags={str(k): str(v) for k, v in (row.get("tags") or {}).items()},
        own_licence=is_windows and "windows" in licence.lower(),
        disks=[_attached(each, key) for each in (system, *(storage.get("datadisks") or ())) if each],
        public_ip=None if addresses is None else bool(addresses), power=next((of for word, of in reversed(_POWER.items()) if word in power), ""),
        created=instant_of(str(inner.get("timecreated") or row.get("timecreated"))),
    )  # fmt: skip


def _attached(disk: Mapping[str, Any], vm: Key) -> DiskFacts:
    disk = _low(disk)
    managed = _low(disk.get("manageddisk") or {})
    return DiskFacts(
        key=parse_id(str(managed.get("id") or "")), kind=_disk_kind(str(managed.get("storageaccounttype") or "")),
        gib=_number(disk.get("disksizegb")), vm=vm,
    )  # fmt: skip


# --- Terraform


_VMS = {
    "azurerm_linux_virtual_machine": "linux",
    "azurerm_windows_virtual_machine": "windows",
    "azurerm_virtual_machine": "",
}


def read_terraform(document: Mapping[str, Any], file: str, into: Inventory) -> int:
    """A plan or state of `terraform show -json`; the answer is the number of resources."""
    values = document.get("planned_values") or document.get("values") or {}
    rows = 0
    for resource in _resources(values.get("root_module") or {}):
        rows += 1
        kind, inner = str(resource.get("type") or ""), resource.get("values") or {}
        if kind in _VMS:
            into.vms.append(_planned(inner, _VMS[kind], file))
        elif kind == "azurerm_dev_test_global_vm_shutdown_schedule" and inner.get("enabled", True):
            vm, at = parse_id(str(inner.get("virtual_machine_id") or "")), str(inner.get("daily_recurrence_time") or "")
            zone = iana_zone(str(inner.get("timezone") or "UTC"))
            if vm and len(at) == 4 and at.isdigit():
                into.shutdowns.append(AutoShutdown(vm=vm, time=f"{at[:2]}:{at[2:]}", time_zone=zone, file=file))
            else:
                into.notes.append(f"{file}: an auto-shutdown at {at or 'no time'} names no VM that exists: left out")
        elif kind.endswith("virtual_machine_scale_set"):
            into.notes.append(
                f"{file}: scale set {inner.get('name')} of {inner.get('instances')} VMs of size {inner.get('sku') or inner.get('sku_name')} "
                "is no list of VMs: they are taken from the log and the invoice"
            )
    return rows


def _planned(inner: Mapping[str, Any], os: str, file: str) -> VmFacts:
    name, group = str(inner.get("name") or ""), str(inner.get("resource_group_name") or "")
    given = str(inner.get("id") or "")
    disks = [*(inner.get("os_disk") or inner.get("storage_os_disk") or ()), *(inner.get("storage_data_disk") or ())]
    system = str((disks[0] if disks else {}).get("os_type") or "").lower()
    zone = inner.get("zone")
    licence = str(inner.get("license_type") or "")
    return VmFacts(
        key=parse_id(given) or Key("", group.lower(), VM, name.lower()), file=file, source=TERRAFORM, id=given, name=name,
        resource_group=group, size=str(inner.get("size") or inner.get("vm_size") or ""), region=region_key(str(inner.get("location") or "")),
        os=os or system, priority=str(inner.get("priority") or "regular").lower(), policy=str(inner.get("eviction_policy") or "").lower(),
        zones=_zones([zone] if zone else None), tags=inner.get("tags") or {}, own_licence="windows" in licence.lower(),
        disks=[
            DiskFacts(
                key=None, kind=_disk_kind(str(each.get("storage_account_type") or each.get("managed_disk_type") or "")),
                gib=_number(each.get("disk_size_gb")),
            )
            for each in disks
        ],
    )  # fmt: skip


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources") or ()
    for child in module.get("child_modules") or ():
        yield from _resources(child)


# --- spelling


def _low(table: Any) -> Mapping[str, Any]:
    return {str(key).lower(): value for key, value in table.items()} if isinstance(table, Mapping) else {}


def _disk_kind(words: str) -> str:
    """P, E or S for `Premium_LRS`, `StandardSSD_ZRS`, `Standard_LRS`; a `_ZRS` at the end is kept for the tier."""
    first, _, rest = words.lower().partition("_")
    return _DISK_KINDS.get(first, "") + ("_ZRS" if rest.endswith("zrs") and first != "standard" else "")


def _zones(given: Any) -> tuple[int, ...]:
    return tuple(int(each) for each in given or () if str(each).isdigit()) if isinstance(given, list) else ()


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def tags_of(text: str) -> Mapping[str, str]:
    """Tags as cost exports write them: an object, with or without its braces; none where they can't be read."""
    text = text.strip()
    try:
        read = json.loads(text if text.startswith("{") else "{" + text + "}") if text else {}
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in read.items()} if isinstance(read, dict) else {}
