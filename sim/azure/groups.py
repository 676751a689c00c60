"""Groups of the scenario: VMs of one size that are run alike, with their demand and what each number rests on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sim.azure import demands
from sim.azure.facts import EXPORT
from sim.azure.fleet import Vm
from sim.azure.habits import ELASTIC, ONCE, OUTSIDE, Member, Pool
from sim.azure.identity import family
from sim.azure.measures import Measures
from sim.azure.scenario_text import ASSUMED, DEFAULT, MEASURED, Block, Setting, text

DEFAULT_SIZE = "Standard_D4s_v5"  # the default of `group.size`


@dataclass(slots=True)
class Group:
    """A group of the scenario, and the table that its demand needs beside it (file name ending -> content)."""

    name: str
    demand: str
    members: list[Member]
    block: Block
    table: str = ""

    def as_object(self) -> dict[str, Any]:
        """As the JSON answer has it."""
        first = self.members[0].vm
        return {
            "name": self.name, "count": len(self.members), "size": first.size, "region": first.region, "os": first.os,
            "priority": first.priority or "regular", "demand": self.demand,
            "evidence": [each.evidence() for each in (*self.block.settings, *(s for w in self.block.windows for s in w))],
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Context:
    """What groups are written with."""

    region: str  # of the scenario
    length_s: float
    start: Any
    measures: Measures
    log: str  # the file that the edges are from, in words
    stem: str  # of the scenario file
    names: set[str] = field(default_factory=set)


def make_groups(pools: Sequence[Pool], context: Context) -> list[Group]:
    """One group for each pool, size, operating system, licence, disks and address."""
    found = []
    for pool in pools:
        alike: dict[tuple[object, ...], list[Member]] = {}
        for each in pool.members:
            vm = each.vm
            alike.setdefault(
                (vm.size, vm.os, vm.own_licence, vm.disks, vm.public_ip, bool(vm.zones), *_once(pool, each)), []
            ).append(each)
        stem = _stem(pool)
        sizes = {members[0].vm.size for members in alike.values()}
        for members in sorted(alike.values(), key=lambda each: each[0].vm.name):
            found.append(
                _group(pool, members, stem if len(sizes) == 1 else f"{stem}-{_short(members[0].vm.size)}", context)
            )
    return found


def _once(pool: Pool, member: Member) -> tuple[object, ...]:
    """Whether disks outlive the VM, which is said of a group."""
    return (demands.keeps_disks(member),) if pool.habit == ONCE else ()


def _group(pool: Pool, members: list[Member], name: str, context: Context) -> Group:
    name = _free(name, context.names)
    vm = members[0].vm
    own = [Setting(key="name", toml=text(name), rests_on=_names(members))]
    own.append(_of(vm, "size", text(vm.size)))
    if vm.region != context.region:
        own.append(_of(vm, "region", text(vm.region)))
    own.append(_of(vm, "os", text(vm.os)))
    if vm.own_licence:
        own.append(
            Setting(key="hybrid_benefit", toml="true", rests_on="no Windows licence is invoiced", trust=MEASURED)
        )
    if vm.priority == "spot":
        own.append(_of(vm, "priority", text("spot")))
    demand = demands.demand(pool, members, context.start, context.length_s, context.log)
    if demand.has_count:
        own.append(
            Setting(
                key="count",
                toml=str(demand.count or len(members)),
                rests_on=f"{len(members)} VMs" + (", never more at a time" if demand.count else ""),
                trust=MEASURED,
                source="/".join(vm.seen_in),
            )
        )
    zones = sorted({zone for each in members for zone in each.vm.zones})
    if zones:
        own.append(_of(vm, "zones", str(zones)))
    if vm.disks:
        own.append(
            Setting(
                key="disks",
                toml="[" + ", ".join(text(each) for each in vm.disks) + "]",
                rests_on="as listed or billed",
                trust=MEASURED,
            )
        )
    if vm.public_ip:
        own.append(
            Setting(
                key="public_ip",
                toml="true",
                rests_on=vm.files.get("public_ip") or "its address is invoiced",
                trust=MEASURED,
            )
        )
    settings = own + demand.settings
    if vm.priority == "spot":
        settings += demands.spot(members)
    settings += context.measures.settings(vm.os)
    block = Block("[[group]]", settings, remarks=_remarks(pool, members, demand.remarks), windows=demand.windows)
    table = ""
    if demand.table:
        table = demand.table
        file = f"{context.stem}.{name}.csv"
        settings.append(Setting(key="trace.file", toml=text(file), rests_on="written beside this file", trust=MEASURED))
    return Group(name, demand.kind, members, block, table)


def _of(vm: Vm, key: str, toml: str) -> Setting:
    """A fact of a VM, and the file it is from."""
    file = vm.files.get(key, "")
    if not file and vm.use is not None and key in ("size", "region", "os", "priority"):
        file = vm.use.file
    if not file:
        return Setting(key=key, toml=toml, rests_on="no file says", trust=ASSUMED if key == "os" else DEFAULT)
    return Setting(key=key, toml=toml, rests_on=file, trust=MEASURED, source=vm.kinds.get(file, EXPORT))


def _remarks(pool: Pool, members: Sequence[Member], own: Sequence[str]) -> list[str]:
    hours = sum(each.time.on_h for each in members)
    billed = sum(each.time.billed_h is not None for each in members)
    basis = "invoiced" if billed == len(members) else "by the log or the lists" if not billed else "invoiced in part"
    notes = [note for each in members for note in each.vm.notes]
    assumed = sorted({each.time.assumed for each in members if each.time.assumed})
    where = members[0].vm.resource_group
    lines = [f"--- {where}: {len(members)} VMs, {hours:,.1f} h on in the period ({basis})"]
    return lines + list(own) + pool.notes + notes + [f"assumed: {each}" for each in assumed]


def _names(members: Sequence[Member]) -> str:
    names = [each.vm.name for each in members]
    return names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"


def _stem(pool: Pool) -> str:
    """What its VMs' names have in common; else the resource group."""
    names = [each.vm.name.lower() for each in pool.members]
    first, last = min(names), max(names)
    common = first[: next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]
    stem = pool.family if pool.habit == ELASTIC else re.sub(r"[-_\d]+$", "", common)
    if len(stem) < 2:
        stem = pool.members[0].vm.resource_group.lower() or "vms"
    return re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:40] or "vms"


def _short(size: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", size.removeprefix("Standard_").lower())


def _free(name: str, taken: set[str]) -> str:
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}-{count}"
    taken.add(found)
    return found


def complete(vms: Sequence[Vm], end: float, region: str, warnings: list[str]) -> None:
    """Fill in what no file says, where that can be assumed; a VM whose size stays unknown gets its reason."""
    sizes: dict[tuple[str, str], Vm] = {}
    for vm in vms:
        if vm.size:
            sizes.setdefault((vm.resource_group.lower(), family(vm.name)), vm)
    nothing = not sizes
    for vm in vms:
        like = sizes.get((vm.resource_group.lower(), family(vm.name)))
        if vm.operations and vm.operations[0].begun >= end and vm.use is None and not vm.size:
            vm.reason = OUTSIDE
        elif not vm.size and like is not None:
            vm.size, vm.region, vm.disks = like.size, vm.region or like.region, vm.disks or like.disks
            vm.notes.append(f"{vm.name}: size and disks are not known; assumed as those of {like.name}")
        elif not vm.size and nothing:
            vm.size = DEFAULT_SIZE
            vm.notes.append(f"{vm.name}: its size is not known; {DEFAULT_SIZE} stands for it")
        elif not vm.size:
            named = " and ".join(vm.seen_in)
            vm.reason = f"its size is not known: only the {named} names it; save `az vm list -d` or a cost export too"
        vm.region = vm.region or region
    if nothing and vms:
        warnings.append(
            f"no file says of what size the VMs are: {DEFAULT_SIZE} stands for all; costs are those of this size"
        )


def priced(vms: Sequence[Vm], price: Mapping[tuple[str, str, str, str], str]) -> None:
    """Give VMs without a price their reason. *price*: size, region, os, priority -> why there is none, or ""."""
    for vm in vms:
        if not vm.reason:
            vm.reason = price.get((vm.size, vm.region, vm.os, vm.priority or "regular"), "")
