"""The VMs of all files together: each once, with what every file knows of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date

from sim.azure.activity_log import Log, Operation, merged
from sim.azure.charges import Charges, ResourceUse, VmUse
from sim.azure.facts import EXPORT, LOG, LOG_CSV, Described, DiskFacts, Inventory, VmFacts
from sim.azure.identity import Directory, Key
from sim.catalog.disks import tier_for, tier_key
from sim.catalog.sizes import arm_name
from sim.fields.numbers import how_many

_DISK_NAME = re.compile(r"(.+?)[_-](?:os_?disk|data_?disk|disk|lun|data|os)(?![a-z])", re.IGNORECASE)
_ADDRESS_NAME = re.compile(r"(.+?)[_-]?(?:pip|public-?ip|ip)\d*", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Vm(Described):
    """One VM, with what all files say of it. *files* names the file that each fact is from."""

    disks: tuple[str, ...] = ()
    public_ip: bool = False
    seen_in: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)  # fact -> file
    kinds: dict[str, str] = field(default_factory=dict)  # file -> kind of input
    use: VmUse | None = None
    disk_days: tuple[date, date] | None = None  # on which a disk of it was invoiced
    operations: list[Operation] = field(default_factory=list)
    health: list[tuple[float, str]] = field(default_factory=list)
    reason: str = ""  # why it isn't in the scenario
    notes: list[str] = field(default_factory=list)

    def saw(self, source: str) -> None:
        """Note a kind of file that names it."""
        if source not in self.seen_in:
            self.seen_in.append(source)


@dataclass(slots=True)
class Fleet:
    """The VMs, and disks and addresses that belong to none of them."""

    vms: dict[Key, Vm]
    operations: list[Operation]
    loose: list[ResourceUse] = field(default_factory=list)


def together(
    inventory: Inventory, log: Log, charges: Charges, directory: Directory, log_kinds: Mapping[str, str]
) -> Fleet:
    """Bring all files together. *log_kinds*: kind of each log file."""
    vms: dict[Key, Vm] = {}
    disks: dict[Key, list[DiskFacts]] = {}
    for facts in inventory.vms:
        key = directory.key(facts.key)
        vm = vms.setdefault(key, Vm(key=key))
        _merge(vm, facts)
        vm.saw(facts.source)
        disks[key] = disks.get(key) or facts.disks
    for key, use in charges.vms.items():
        _from_use(vms.setdefault(key, Vm(key=key)), use)
    named = {each[0] for each in log.operations} | {each[0] for each in log.health}
    keys = {vm: directory.key(vm) for vm in sorted(named)}
    operations = merged(log, keys)
    for each in operations:
        vm = vms.setdefault(each.vm, Vm(key=each.vm))
        vm.operations.append(each)
    for (vm_key, at), title in sorted(log.health.items(), key=lambda each: (each[0][1], not each[1])):
        health = vms.setdefault(keys[vm_key], Vm(key=keys[vm_key])).health
        if title or not any(abs(at - other) <= 1 for other, _ in health[-3:]):  # the portal's CSV has no titles
            health.append((float(at), title))
    for each in log.operations.values():
        vms[keys.get(each.vm, each.vm)].saw(log_kinds.get(each.file, LOG))
    for key in keys.values():
        if not {LOG, LOG_CSV} & set(vms[key].seen_in):
            vms[key].saw(LOG)
    for vm in vms.values():
        vm.name, vm.resource_group = vm.name or vm.key.name, vm.resource_group or vm.key.resource_group
        vm.os = vm.os or "linux"
    loose = _attach(vms, disks, inventory.disks, charges)
    return Fleet(vms, operations, loose)


def _merge(vm: Vm, facts: VmFacts) -> None:
    """Take what is not known yet: the first file that says something is right."""
    vm.kinds[facts.file] = facts.source
    for name in (each.name for each in fields(Described)):
        if not getattr(vm, name) and getattr(facts, name):
            setattr(vm, name, getattr(facts, name))
            vm.files[name] = facts.file
    vm.size = arm_name(vm.size)
    if facts.public_ip is not None:
        vm.public_ip = vm.public_ip or facts.public_ip
        vm.files.setdefault("public_ip", facts.file)


def _from_use(vm: Vm, use: VmUse) -> None:
    vm.saw(EXPORT)
    if not use.file:  # a licence row only
        return
    vm.use = use
    vm.id, vm.region, vm.tags = vm.id or use.id, vm.region or use.region, vm.tags or use.tags
    most = max(use.sizes, key=lambda size: use.sizes[size])
    if len(use.sizes) > 1:
        shares = ", ".join(f"{hours:,.1f} h as {size}" for size, hours in sorted(use.sizes.items()))
        vm.notes.append(f"{vm.name or vm.key.name} changed its size: {shares}; taken as {most}")
    if vm.size.lower() != most.lower():
        vm.size, vm.files["size"] = most, use.file
    if use.spot_h > 0.5 * sum(use.hours.values()):
        vm.priority = "spot"
    if not vm.os:
        vm.os, vm.files["os"] = ("windows" if use.is_windows else "linux"), use.file
    if vm.os == "windows" and not use.licensed:
        vm.own_licence = True


def _attach(
    vms: Mapping[Key, Vm], attached: Mapping[Key, Sequence[DiskFacts]], listed: Iterable[DiskFacts], charges: Charges
) -> list[ResourceUse]:
    """Give each VM its disks and addresses; the answer is what belongs to none."""
    by_key = {each.key: each for each in listed if each.key}
    owner: dict[Key, Key] = {each.key: each.vm for each in by_key.values() if each.key and each.vm}
    for vm, found in attached.items():
        for each in found:
            if each.key:
                owner.setdefault(each.key, vm)
    names = _Names(vms)
    for key in charges.disks:
        if key not in owner and (named := names.find(key, _DISK_NAME)) is not None:
            owner[key] = named
    tiers: dict[Key, list[str]] = {}
    for disk, vm in owner.items():
        if vm in vms:
            facts = next((each for each in attached.get(vm, ()) if each.key == disk), None)
            use = charges.disks.get(disk)
            tiers.setdefault(vm, []).append(_tier(by_key.get(disk), use, facts))
            if use is not None and use.days:
                known_days = vms[vm].disk_days or (date.max, date.min)
                vms[vm].disk_days = min(known_days[0], *use.days), max(known_days[1], *use.days)
    for vm, found in attached.items():
        tiers.setdefault(vm, []).extend(_tier(None, None, each) for each in found if not each.key)
    for key, found_tiers in tiers.items():
        known = sorted(tier for tier in found_tiers if tier)
        if len(known) < len(found_tiers):
            vms[key].notes.append(
                f"{vms[key].name}: {how_many(len(found_tiers) - len(known), 'disk')} of unknown kind or size left out"
            )
        vms[key].disks = tuple(known)
    loose = [use for key, use in charges.disks.items() if owner.get(key) not in vms]
    for key, use in charges.addresses.items():
        named = names.find(key, _ADDRESS_NAME)
        if named is None:
            loose.append(use)
        elif not vms[named].public_ip:
            vms[named].public_ip = True
            vms[named].files.setdefault("public_ip", "")
    return loose


class _Names:
    """VMs by what their disks and addresses are usually called."""

    def __init__(self, vms: Mapping[Key, Vm]) -> None:
        self.by_place = {(key.resource_group, key.name): key for key in vms}
        self.by_name = {key.name: key for key in vms}

    def find(self, resource: Key, form: re.Pattern[str]) -> Key | None:
        found = form.match(resource.name)
        while found:
            name = found[1]
            key = self.by_place.get((resource.resource_group, name)) or self.by_name.get(name)
            if key is not None:
                return key
            found = form.match(resource.name, 0, len(name)) if len(name) > 1 else None
        return None


def _tier(graph: DiskFacts | None, use: ResourceUse | None, facts: DiskFacts | None) -> str:
    """The tier that a disk is billed as; what was billed goes first."""
    if use is not None and use.tier:
        return use.tier
    if graph is not None and graph.tier:
        return tier_key(graph.tier + (" zrs" if graph.kind.endswith("_ZRS") else ""))
    for each in (graph, facts):
        if each is not None and each.kind and each.gib:
            try:
                return tier_for(each.gib, each.kind[0], zone_redundant=each.kind.endswith("_ZRS"))
            except ValueError:
                continue
    return ""
