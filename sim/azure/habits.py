"""How VMs are run: always, on a schedule, by hand, coming and going with load, once, or not at all."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sim.azure.facts import AutoShutdown
from sim.azure.fleet import Vm
from sim.azure.identity import Key, family
from sim.azure.schedules import Schedule, find_schedule, find_weekdays
from sim.azure.time_zones import region_zone
from sim.azure.timelines import Timeline, timeline
from sim.units import SECONDS_PER_HOUR

ALWAYS, SCHEDULE, BY_HAND, ELASTIC, ONCE, STOPPED, PARKED = (
    "always", "schedule", "cycle", "arrivals", "trace", "stopped", "parked",
)  # fmt: skip
OUTSIDE = "it was not there in the period"
NEARLY = 0.97  # share of the time that counts as all of it
MOSTLY = 0.9  # the same where only the hours of each day are known
FEW_EDGES = 4  # fewer are single events, no habit
FAMILY = 3  # VMs that come and go under one name


@dataclass(slots=True)
class Member:
    """A VM and its time in the period."""

    vm: Vm
    time: Timeline


@dataclass(slots=True)
class Pool:
    """VMs that are run alike."""

    habit: str
    members: list[Member]
    schedule: Schedule | None = None
    zone_from: str = ""  # where its time zone comes from
    shutdown: AutoShutdown | None = None
    family: str = ""
    notes: list[str] = field(default_factory=list)


def pools(
    vms: Sequence[Vm], start: datetime, length_s: float, *, has_log: bool, shutdowns: Mapping[Key, AutoShutdown]
) -> list[Pool]:
    """The VMs by how they are run; those that were not there get their reason, and are in none."""
    members = []
    for vm in vms:
        zone = _zone(vm, shutdowns)[0]
        time = timeline(vm, start, length_s, has_log=has_log, zone=zone)
        if time is None or time.exists_h <= 0:
            vm.reason = OUTSIDE
        else:
            members.append(Member(vm, time))
    families, names = _families(members), Counter(_place(each.vm) for each in members)
    found: dict[tuple[object, ...], Pool] = {}
    run: dict[tuple[object, ...], list[Member]] = {}
    for each in members:
        habit = _habit(each, families)
        if habit in ("", BY_HAND):
            run.setdefault(_alike(each.vm, names), []).append(each)
            continue
        stem = family(each.vm.name) if habit == ELASTIC else ""
        pool = found.setdefault((habit, *_alike(each.vm, names)), Pool(habit, [], family=stem))
        pool.members.append(each)
    for several in run.values():
        for pool in _run(several, start, length_s, shutdowns):
            found[len(found), pool.habit] = pool
    return list(found.values())


def _habit(member: Member, families: Counter[tuple[str, str]]) -> str:
    """The habit that a VM shows by itself; "" where its edges must be read together with others'."""
    vm, time = member.vm, member.time
    if time.created or time.deleted:
        comes = time.created and time.deleted and families[_place(vm)] >= FAMILY
        return ELASTIC if comes else ONCE
    share = time.on_h / time.exists_h
    edges = len(time.starts) + len(time.stops)
    if time.assumed and share >= MOSTLY:
        vm.notes.append(f"{vm.name}: on for {100 * share:.1f} % of the time; when it was off is not known")
        return ALWAYS
    if edges >= FEW_EDGES:
        return ""
    if share >= NEARLY or (vm.priority == "spot" and time.evictions):
        return STOPPED if time.stopped_s > 0.5 * time.exists_h * SECONDS_PER_HOUR else ALWAYS
    if share <= 1 - NEARLY:
        return PARKED
    return ONCE


def _run(members: list[Member], start: datetime, length_s: float, shutdowns: Mapping[Key, AutoShutdown]) -> list[Pool]:
    """VMs that are switched on and off, alike in name: on one schedule, on several, by hand on some weekdays, or by hand."""
    zone, zone_from = _zone(members[0].vm, shutdowns)
    pool = scheduled(members, start, length_s, zone, zone_from)
    if pool is not None:
        return [pool]
    apart: dict[tuple[object, ...], list[Member]] = {}
    for each in members:
        own = find_schedule([each.time], start, length_s, zone)
        apart.setdefault(() if own is None else tuple(own.windows), []).append(each)
    found = []
    for windows, several in apart.items():
        pool = scheduled(several, start, length_s, zone, zone_from) if windows else None
        if pool is None:
            shutdown = shutdowns.get(several[0].vm.key)
            loose = find_weekdays([each.time for each in several], start, length_s, zone)
            pool = Pool(BY_HAND if loose is None else SCHEDULE, several, loose, zone_from, shutdown)
        found.append(pool)
    return found


def scheduled(members: list[Member], start: datetime, length_s: float, zone: str, zone_from: str) -> Pool | None:
    """One schedule for all; in UTC where edges keep to that over a change of the clocks."""
    times = [each.time for each in members]
    schedule = find_schedule(times, start, length_s, zone)
    unmoved = find_schedule(times, start, length_s, "UTC") if zone != "UTC" else None
    if unmoved is not None and (schedule is None or unmoved.jitter_s < schedule.jitter_s / 2):
        return Pool(SCHEDULE, members, unmoved, "edges that keep to UTC when the clocks change")
    return None if schedule is None else Pool(SCHEDULE, members, schedule, zone_from)


def _alike(vm: Vm, names: Mapping[tuple[str, str], int]) -> tuple[object, ...]:
    """What VMs of one pool share: where they are and their name but for its number; their tags where names are all different.

    A tag that somebody forgot on one VM of ten makes it no other VM.
    """
    kind: object = family(vm.name) if names[_place(vm)] > 1 else tuple(sorted(vm.tags.items()))
    return (vm.resource_group.lower(), kind, vm.region, vm.priority or "regular")


def _place(vm: Vm) -> tuple[str, str]:
    return vm.resource_group.lower(), family(vm.name)


def _zone(vm: Vm, shutdowns: Mapping[Key, AutoShutdown]) -> tuple[str, str]:
    """The likely time zone of the people behind a VM, and where it is from."""
    shutdown = shutdowns.get(vm.key)
    here = region_zone(vm.region)
    if shutdown is not None and shutdown.time_zone:
        return shutdown.time_zone, f"the auto-shutdown in {shutdown.file}"
    return here, f"the region {vm.region or '(not known)'}"


def _families(members: Sequence[Member]) -> Counter[tuple[str, str]]:
    """VMs that came and went in the period, by family."""
    return Counter(_place(each.vm) for each in members if each.time.created and each.time.deleted)
