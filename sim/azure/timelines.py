"""When a VM was there, on, and billed in a period, and the edges of that: from the log, else from the hours of each day.

Rules: a start that failed is no start; a write on a VM that existed is an update; a start of a VM thought to run tells that it had
been off; a VM powered off keeps its host and is billed. Times are seconds from the period's begin.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sim.azure.activity_log import DEALLOCATE, DELETE, FAILED, POWER_OFF, RESTART, START, WRITE, Operation
from sim.azure.facts import DEALLOCATED, RUNNING, STOPPED
from sim.azure.fleet import Vm
from sim.units import SECONDS_PER_HOUR

DAY_S = 86_400.0
DAY_IS_FULL_H = 23.5
ASSUMED_ON = time(8)
GUEST = "guest"  # shut down from inside
GUEST_TITLES = ("Stopped by user or process",)  # of resource health
_Step = tuple[float, str, Operation | None]


@dataclass(slots=True)
class Timeline:
    """One VM in the period. *starts*, *stops*: edges that somebody asked for; *evictions*: off, and on again if it came."""

    exists: tuple[float, float]
    created: bool = False
    deleted: bool = False
    on: list[tuple[float, float]] = field(default_factory=list)
    stopped_s: float = 0.0  # of the time on, in which it was powered off and kept its host
    starts: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    evictions: list[tuple[float, float | None]] = field(default_factory=list)
    stop_kinds: list[str] = field(default_factory=list)
    assumed: str = ""
    billed_h: float | None = None  # as invoiced

    @property
    def on_h(self) -> float:
        """Hours on: as invoiced where that is known, else by the edges."""
        return sum(off - on for on, off in self.on) / SECONDS_PER_HOUR if self.billed_h is None else self.billed_h

    @property
    def exists_h(self) -> float:
        """Hours from creation to deletion in the period."""
        return (self.exists[1] - self.exists[0]) / SECONDS_PER_HOUR

    def is_on(self, at: float) -> bool:
        """Whether it was on at an instant."""
        return any(on <= at < off for on, off in self.on)


def timeline(vm: Vm, start: datetime, length_s: float, *, has_log: bool, zone: str) -> Timeline | None:
    """The VM in the period; None where it was not there."""
    origin = start.timestamp()
    days = [] if vm.use is None else sorted(day for day, hours in vm.use.hours.items() if hours > 0)
    walk = _Walk(vm, origin, length_s)
    if has_log and (vm.operations or vm.health):
        found = walk.events()
    elif days and not (has_log and _never_switched(vm, length_s)):
        found = _from_hours(vm, start, length_s, zone)
        if has_log:
            found.assumed = "the log doesn't name it: the hours of each day are invoiced, when they begin is assumed"
    else:
        found = walk.still()
    if found is None:
        return None
    if vm.use is not None:
        found.billed_h = sum(vm.use.hours.values())
    return found


def _never_switched(vm: Vm, length_s: float) -> bool:
    """Whether the invoice has all hours of the period, or none."""
    assert vm.use is not None
    share = sum(vm.use.hours.values()) * SECONDS_PER_HOUR / length_s
    return not 0.01 < share < 0.99


def _utc_day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()


class _Walk:
    """Goes through a VM's operations, and keeps the state."""

    def __init__(self, vm: Vm, origin: float, length_s: float) -> None:
        self.vm, self.origin, self.length_s = vm, origin, length_s
        self.made = Timeline((0.0, length_s))
        self.since: float | None = None  # on since; None: off
        self.stopped_since: float | None = None

    def still(self) -> Timeline | None:
        """Without any event: as it was found. A VM that was created later is not there."""
        created = None if self.vm.created is None else self.vm.created.timestamp() - self.origin
        if created is not None and created >= self.length_s:
            return None
        made = self.made
        if created is not None and created > 0:
            made.created, made.exists = True, (created, self.length_s)
        used = self.vm.use is not None and sum(self.vm.use.hours.values()) > 0
        if self.vm.power == DEALLOCATED and not used:
            return made
        made.on = [made.exists]
        if self.vm.power == STOPPED:
            made.stopped_s = made.exists[1] - made.exists[0]
        if not self.vm.power and not used:
            made.assumed = "no file says whether it runs: taken as always on"
        return made

    def events(self) -> Timeline | None:
        """By its operations, and the evictions that resource health tells of."""
        steps: list[_Step] = [
            (each.begun - self.origin, each.kind, each) for each in self.vm.operations if each.outcome != FAILED
        ]
        unasked, titles = ("preempted", ("Preempted", "")) if self.vm.priority == "spot" else (GUEST, GUEST_TITLES)
        steps += [(at - self.origin, unasked, None) for at, title in self.vm.health if title in titles]
        steps.sort(key=lambda each: each[0])
        steps = [each for each in steps if each[1] != WRITE or self._creates(each[2], steps)]
        self._begin(steps)
        if steps and steps[0][1] == WRITE and steps[0][0] >= self.length_s:
            return None
        for at, kind, _ in steps:
            if at < self.length_s:  # what comes later only tells how it began
                self._step(at, kind)
        if self.since is not None:
            self._off(self.length_s)
        return self.made if self.made.exists[1] > 0 else None

    def _begin(self, steps: Sequence[_Step]) -> None:
        """The state before the first event: what that event needs."""
        first = steps[0] if steps else None
        if first is None:
            if self.vm.power in (RUNNING, STOPPED, ""):
                self.since = -1.0
            if self.vm.power == STOPPED:
                self.stopped_since = -1.0
            return
        if first[1] not in (START, WRITE):
            self.since = -1.0
        elif first[1] == START and self.vm.use is not None and self.vm.priority != "spot":
            # Invoiced before it was started: it was allocated, and stopped by its guest.
            day = _utc_day(self.origin + first[0])
            earlier = [hours for each, hours in self.vm.use.hours.items() if each < day]
            if earlier and min(earlier) > DAY_IS_FULL_H:
                self.since = self.stopped_since = -1.0

    def _creates(self, operation: Operation | None, steps: Sequence[_Step]) -> bool:
        """Whether a write made the VM: the platform says so, or nothing shows that it was there before."""
        if operation is None:
            return False
        if operation.creates:
            return True
        if self.vm.created is not None:
            return abs(self.vm.created.timestamp() - operation.begun) < SECONDS_PER_HOUR
        before = any(at < operation.begun - self.origin for at, _, _ in steps)
        used = self.vm.use is not None and min(self.vm.use.hours, default=date.max) < _utc_day(operation.begun)
        return not before and not used and not {"vm-list", "resource-graph"} & set(self.vm.seen_in)

    def _step(self, at: float, kind: str) -> None:
        made = self.made
        inside = at >= 0
        if kind == WRITE:
            if not (made.deleted and made.exists[1] > 0):  # else it was made again under its name: off in between
                made.exists, made.created = (max(0.0, at), self.length_s), inside
                made.on.clear()
            made.exists, made.deleted, self.since = (made.exists[0], self.length_s), False, at
        elif kind == START:
            self._start(at, inside=inside)
        elif kind == RESTART:
            self.since = at if self.since is None else self.since
            self._run(at)
        elif kind in (POWER_OFF, GUEST) and self.since is not None and self.stopped_since is None:
            self.stopped_since = at
            if inside and kind == POWER_OFF:
                made.stops.append(at)
                made.stop_kinds.append(POWER_OFF)
        elif kind in (DEALLOCATE, DELETE, "preempted") and self.since is not None:
            self._off(at)
            if inside and kind == DEALLOCATE:
                made.stops.append(at)
                made.stop_kinds.append(DEALLOCATE)
            elif inside and kind == "preempted":
                made.evictions.append((at, None))
        if kind == DELETE:
            made.exists, made.deleted = (made.exists[0], at), True

    def _start(self, at: float, *, inside: bool) -> None:
        made = self.made
        if made.evictions and made.evictions[-1][1] is None and self.since is None:
            made.evictions[-1] = (made.evictions[-1][0], at)
            self.since = at
            return
        if self.since is not None and self.vm.priority == "spot" and inside and self.stopped_since is None:
            made.evictions.append((at, at))  # it had been off, unseen
            return
        self._run(at)
        if self.since is None:
            self.since = at
            if inside:
                made.starts.append(at)

    def _run(self, at: float) -> None:
        if self.stopped_since is not None:
            self.made.stopped_s += max(0.0, at - max(0.0, self.stopped_since))
            self.stopped_since = None

    def _off(self, at: float) -> None:
        assert self.since is not None
        self._run(at)
        on = max(0.0, self.since)
        if at > on:
            self.made.on.append((on, at))
        self.since = None


def _from_hours(vm: Vm, start: datetime, length_s: float, zone: str) -> Timeline:
    """By the hours of each day: a part of a day is taken to begin at 08:00 local."""
    assert vm.use is not None
    local, made, origin = ZoneInfo(zone), Timeline((0.0, length_s)), start.timestamp()
    made.assumed = f"no log: hours of each day are invoiced, that they begin at {ASSUMED_ON:%H:%M} is assumed"
    days = round(length_s / DAY_S)
    for place in range(days):
        day = (start + timedelta(days=place)).date()
        hours = min(24.0, vm.use.hours.get(day, 0.0))
        if hours <= 0.02:
            continue
        begin = place * DAY_S
        if hours < DAY_IS_FULL_H:
            begin = max(begin, datetime.combine(day, ASSUMED_ON, local).timestamp() - origin)
            begin = min(begin, (place + 1) * DAY_S - hours * SECONDS_PER_HOUR)
        end = min(begin + hours * SECONDS_PER_HOUR, length_s) if hours < DAY_IS_FULL_H else (place + 1) * DAY_S
        if made.on and begin - made.on[-1][1] < 60:
            made.on[-1] = (made.on[-1][0], end)
        else:
            made.on.append((begin, end))
    made.starts = [on for on, _ in made.on if on > 0]
    made.stops = [off for _, off in made.on if off < length_s]
    made.stop_kinds = [DEALLOCATE] * len(made.stops)
    created = None if vm.created is None else vm.created.timestamp() - origin
    if created is not None and 0 < created < length_s:
        made.created, made.exists = True, (created, length_s)
    _bounds(made, vm, start, length_s)
    return made


def _bounds(made: Timeline, vm: Vm, start: datetime, length_s: float) -> None:
    """When a VM without events came and went: with its disks; where those aren't known, with its hours."""
    if vm.disk_days is not None:
        first, last = ((day - start.date()).days * DAY_S for day in vm.disk_days)
        last += DAY_S
    elif {"vm-list", "resource-graph"} & set(vm.seen_in) or not made.on:
        return
    else:
        first, last = made.on[0][0], made.on[-1][1]
    if made.on and first >= DAY_S and not made.created:
        made.created, made.exists = True, (made.on[0][0], made.exists[1])
    if made.on and last <= length_s - DAY_S:
        made.deleted, made.exists = True, (made.exists[0], made.on[-1][1])
