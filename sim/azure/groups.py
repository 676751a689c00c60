"""Groups of the scenario: VMs of one size that are run alike, with their demand and what each number rests on."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sim.azure import demands
from sim.azure.facts import EXPORT, VM_LIST, EvictionBand
from sim.azure.fleet import Vm
from sim.azure.habits import ELASTIC, ONCE, OUTSIDE, Member, Pool
from sim.azure.identity import family
from sim.azure.measures import Measures
from sim.azure.scenario_text import ASSUMED, DEFAULT, Block, Setting, measured
from sim.catalog.sizes import region_key, size_key
from sim.fields.numbers import how_many
from sim.scenario.writing import toml_value

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
    evicted: Mapping[tuple[str, str], EvictionBand] = field(default_factory=dict)  # by size and region
    names: set[str] = field(default_factory=set)


def make_groups(pools: Sequence[Pool], context: Context) -> list[Group]:
    """One group for each pool, size, operating system, licence, disks and address."""
    found = []
    for pool in pools:
        alike: dict[tuple[object, ...], list[Member]] = {}
        for each in pool.members:
            vm = each.vm
            keeps_disks = pool.habit == ONCE and demands.keeps_disks(each, context.start)
            kind = (vm.size, vm.os, vm.own_licence, vm.disks, vm.public_ip, bool(vm.zones), keeps_disks)
            alike.setdefault(kind, []).append(each)
        one_size = len({members[0].vm.size for members in alike.values()}) == 1
        for members in sorted(alike.values(), key=lambda each: each[0].vm.name):
            size = re.sub(r"[^a-z0-9]+", "", members[0].vm.size.removeprefix("Standard_").lower())
            found.append(_group(pool, members, _stem(pool) if one_size else f"{_stem(pool)}-{size}", context))
    return found


def _group(pool: Pool, members: list[Member], name: str, context: Context) -> Group:
    name = _free(name, context.names)
    vm = members[0].vm
    names = [each.vm.name for each in members]
    own = [Setting("name", toml_value(name), names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}")]
    own.append(_of(vm, "size", toml_value(vm.size)))
    if vm.region != context.region:
        own.append(_of(vm, "region", toml_value(vm.region)))
    own.append(_of(vm, "os", toml_value(vm.os)))
    if vm.own_licence:
        own.append(measured("hybrid_benefit", "true", "no Windows licence is invoiced"))
    if vm.priority == "spot":
        own.append(_of(vm, "priority", toml_value("spot")))
    demand = demands.demand(pool, members, context.start, context.length_s, context.log)
    if demand.has_count:
        words = how_many(len(members), "VM") + (", never more at a time" if demand.count else "")
        own.append(measured("count", str(demand.count or len(members)), words, source="/".join(vm.seen_in)))
    zones = sorted({zone for each in members for zone in each.vm.zones})
    if zones:
        own.append(_of(vm, "zones", str(zones)))
    if vm.disks:
        own.append(measured("disks", toml_value(vm.disks), "as listed or billed"))
    if vm.public_ip:
        own.append(measured("public_ip", "true", vm.files.get("public_ip") or "its address is invoiced"))
    settings = own + demand.settings
    if vm.priority == "spot":
        settings += demands.spot(members, context.evicted.get((size_key(vm.size), region_key(vm.region))))
    settings += context.measures.settings(vm.os)
    block = Block("[[group]]", settings, remarks=_remarks(pool, members, demand.remarks), windows=demand.windows)
    if demand.table:
        settings.append(measured("trace.file", toml_value(f"{context.stem}.{name}.csv"), "written beside this file"))
    return Group(name, demand.kind, members, block, demand.table)


def _of(vm: Vm, key: str, toml: str) -> Setting:
    """A fact of a VM, and the file it is from."""
    file = vm.files.get(key, "")
    if not file and vm.use is not None and key in ("size", "region", "os", "priority"):
        file = vm.use.file
    if not file:
        return Setting(key, toml, "no file says", trust=ASSUMED if key == "os" else DEFAULT)
    return measured(key, toml, file, source=vm.kinds.get(file, EXPORT))


def _remarks(pool: Pool, members: Sequence[Member], own: Sequence[str]) -> list[str]:
    hours = sum(each.time.on_h for each in members)
    billed = sum(each.time.billed_h is not None for each in members)
    basis = "invoiced" if billed == len(members) else "by the log or the lists" if not billed else "invoiced in part"
    notes = [note for each in members for note in each.vm.notes]
    assumed = sorted({each.time.assumed for each in members if each.time.assumed})
    where = members[0].vm.resource_group
    lines = [f"--- {where}: {how_many(len(members), 'VM')}, {hours:,.1f} h on in the period ({basis})"]
    return lines + list(own) + pool.notes + notes + [f"assumed: {each}" for each in assumed]


def _stem(pool: Pool) -> str:
    """What its VMs' names have in common; else the resource group."""
    names = [each.vm.name.lower() for each in pool.members]
    same = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = "".join(letter for letter, *_ in same)
    stem = pool.family if pool.habit == ELASTIC else re.sub(r"[-_\d]+$", "", common)
    if len(stem) < 2:
        stem = pool.members[0].vm.resource_group.lower() or "vms"
    return re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:40] or "vms"


def _free(name: str, taken: set[str]) -> str:
    found = next(each for n in itertools.count(1) if (each := name if n == 1 else f"{name}-{n}") not in taken)
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
            tell = (VM_LIST, "`az vm list -d`"), (EXPORT, "a cost export")
            lacking = " or ".join(words for source, words in tell if source not in vm.seen_in)
            vm.reason = f"its size is not known: {named} doesn't say it{lacking and f'; save {lacking} too'}"
        vm.region = vm.region or region
    if nothing and vms:
        warnings.append(
            f"no file says of what size the VMs are: {DEFAULT_SIZE} stands for all; costs are those of this size"
        )
