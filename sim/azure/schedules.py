"""Schedules found in edges: windows by weekday in local time, their jitter, days off, absences, and what is left on.

The edges of many VMs that are run alike are read together. An edge belongs to a window if it lies in the densest hour of its
weekday; a pool is on a schedule if most starts do.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from sim.azure.timelines import Timeline
from sim.units import SECONDS_PER_HOUR

MOST_SPREAD_S = 3600.0  # of one edge over the VMs
LEAST_IN_WINDOW = 0.75  # share of the starts
LEAST_OF_DAYS = 0.4  # share of VM-days of a weekday on which the VM starts, or is on already
LEAST_DAYS_ALIKE = 2.0  # weekdays for each window, on average: a habit repeats
LOOSE_SPREAD_S = 8 * 3600.0  # of starts by hand
SAME_S = 1200.0  # edges of weekdays nearer than this are one window's
GRID_S = 300.0  # people write times in five minutes
LATE_S = 3600.0  # after an edge: still this edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One line of a schedule: weekdays (Monday = 0), local wall times."""

    days: tuple[int, ...]
    on: time
    off: time


@dataclass(slots=True, kw_only=True)
class Schedule:
    """What was found. Counts stand beside each share, so that it can be said what it rests on."""

    windows: list[Window]
    time_zone: str
    jitter_s: float
    starts: int
    starts_inside: int
    stops: int
    stops_inside: int = 0
    absent: tuple[int, int] = (0, 0)  # VM-days absent, of all that could tell
    forgotten: tuple[int, int] = (0, 0)  # ends of windows, of all that could tell
    forgets: float = 0.0  # share of evenings that gives the hours that were on
    auto_off: time | None = None
    auto_off_seen: tuple[int, int] = (0, 0)
    days_off: list[date] = field(default_factory=list)
    by_hand: bool = False  # starts keep to weekdays, and to no hour


def find_schedule(vms: Sequence[Timeline], start: datetime, length_s: float, zone: str) -> Schedule | None:
    """The schedule that these VMs are on, if they are on one."""
    clock = _Clock(start, length_s, zone)
    starts = [clock.local(at) for vm in vms for at in vm.starts]
    stops = [clock.local(at) for vm in vms for at in vm.stops]
    if len(starts) < 4 or len(stops) < 4:
        return None
    on = _edges(starts)
    busy = {day: span for day, span in on.items() if _share(vms, clock, day, span) >= LEAST_OF_DAYS}
    inside = sum(
        busy[each.weekday()][0] <= _of_day(each) <= busy[each.weekday()][1] for each in starts if each.weekday() in busy
    )
    if not busy or inside < LEAST_IN_WINDOW * len(starts):
        return None
    known = {day: (span[0], off) for day, span in busy.items() if (off := _off_edge(stops, day, span)) is not None}
    if not known:
        return None
    windows, jitter_s = _windows(known, busy)
    if len(known) / len(windows) < LEAST_DAYS_ALIKE:
        return None
    found = Schedule(
        windows=windows, time_zone=zone, jitter_s=jitter_s, starts=len(starts), starts_inside=inside, stops=len(stops)
    )
    _habits(found, vms, clock)
    return found


def find_weekdays(
    vms: Sequence[Timeline], start: datetime, length_s: float, zone: str, *, most_days: int = 6
) -> Schedule | None:
    """VMs switched on by hand, at most once a day, on some weekdays: a window as long as they were on, with absences.

    The jitter is as wide as nine tenths of the starts; None where starts know no weekdays, or stays are longer than a day.
    """
    clock = _Clock(start, length_s, zone)
    starts = [clock.local(at) for vm in vms for at in vm.starts]
    days = sorted(
        day for day, count in Counter(each.weekday() for each in starts).items() if count > 0.05 * len(starts)
    )
    stays = [off - on for vm in vms for on, off in vm.on if on > 0 and off < length_s]
    if len(starts) < 2 * len(vms) or len(days) > most_days or not stays or max(stays) > 86_400:
        return None
    times = sorted(_of_day(each) for each in starts)
    first, last = times[round(0.05 * (len(times) - 1))], times[round(0.95 * (len(times) - 1))]
    if last - first > LOOSE_SPREAD_S or len(starts) > 1.05 * len(
        {(id(vm), clock.local(at).date()) for vm in vms for at in vm.starts}
    ):
        return None
    hours = sum(vm.on_h for vm in vms) / len(starts)
    on = _grid(first)
    begins = (clock.seconds(day, _wall(on)) for day in clock.days() if day.weekday() in days)
    possible = sum(0 <= at < length_s for at in begins) * len(vms)
    return Schedule(
        windows=[Window(days=tuple(days), on=_wall(on), off=_wall(on + hours * SECONDS_PER_HOUR))], time_zone=zone,
        jitter_s=_round(last - on, 60.0), starts=len(starts), starts_inside=sum(each.weekday() in days for each in starts),
        stops=len(stays), stops_inside=len(stays), absent=(max(0, possible - len(starts)), possible),
        by_hand=True,
    )  # fmt: skip


class _Clock:
    """Instants of the period in local time, and back."""

    def __init__(self, start: datetime, length_s: float, zone: str) -> None:
        self.start, self.length_s, self.zone = start, length_s, ZoneInfo(zone)
        self.origin = start.timestamp()

    def local(self, at: float) -> datetime:
        return datetime.fromtimestamp(self.origin + at, self.zone)

    def seconds(self, day: date, at: time) -> float:
        return datetime.combine(day, at, self.zone).timestamp() - self.origin

    def windows(self, window: Window, days: Iterable[date]) -> Iterator[tuple[date, float, float]]:
        """Each of some days on which a window begins, with its begin and its end."""
        for day in days:
            if day.weekday() in window.days:
                last = day if window.off > window.on else day + timedelta(days=1)
                yield day, self.seconds(day, window.on), self.seconds(last, window.off)

    def days(self) -> list[date]:
        first, last = self.local(0).date(), self.local(self.length_s - 1).date()
        return [first + timedelta(days=place) for place in range((last - first).days + 1)]


def _of_day(at: datetime) -> float:
    return at.hour * 3600.0 + at.minute * 60.0 + at.second + at.microsecond / 1e6


def _densest(times: Sequence[float]) -> tuple[float, float, int]:
    """The hour in which most of some times of day lie: its first and last of them, and how many."""
    ordered = sorted(times)
    best, right = (0, 0), 0
    for left, begin in enumerate(ordered):
        right = max(right, left)
        while right + 1 < len(ordered) and ordered[right + 1] - begin <= MOST_SPREAD_S:
            right += 1
        if right - left > best[1] - best[0]:
            best = (left, right)
    return ordered[best[0]], ordered[best[1]], best[1] - best[0] + 1


def _edges(moments: Sequence[datetime]) -> dict[int, tuple[float, float]]:
    """By weekday, the span in which most edges lie."""
    by_day: dict[int, list[float]] = {}
    for each in moments:
        by_day.setdefault(each.weekday(), []).append(_of_day(each))
    return {day: _densest(times)[:2] for day, times in by_day.items()}


def _share(vms: Sequence[Timeline], clock: _Clock, weekday: int, span: tuple[float, float]) -> float:
    """Of the VM-days of a weekday on which a VM was off before, the share that starts in the span, on days that are no holiday."""
    by_day: dict[date, list[bool]] = {}
    for day in clock.days():
        if day.weekday() != weekday:
            continue
        begin = clock.seconds(day, time()) + span[0]
        for vm in vms:
            if vm.exists[0] <= begin < vm.exists[1] and begin > 0 and not vm.is_on(begin - 60):
                by_day.setdefault(day, []).append(any(begin - 60 <= at <= begin + MOST_SPREAD_S for at in vm.starts))
    days = [each for several in by_day.values() if any(several) for each in several]
    return sum(days) / len(days) if days else 0.0


def _off_edge(stops: Sequence[datetime], weekday: int, span: tuple[float, float]) -> float | None:
    """When windows that begin on a weekday end, seconds from its midnight; beyond 24 h: the next day."""
    after = []
    for each in stops:
        for days_before in (0, 1):
            at = _of_day(each) + 86_400.0 * days_before
            if (each - timedelta(days=days_before)).weekday() == weekday and span[1] < at <= span[0] + 86_400.0:
                after.append(at)
    return _densest(after)[0] if after else None


def _windows(days: dict[int, tuple[float, float]], spans: dict[int, tuple[float, float]]) -> tuple[list[Window], float]:
    """Weekdays with like edges become one window; edges go down to five minutes, and the spread is the jitter."""
    together: list[list[int]] = []
    for day in sorted(days):
        for several in together:
            other = days[several[0]]
            if abs(days[day][0] - other[0]) < SAME_S and abs(days[day][1] - other[1]) < SAME_S:
                several.append(day)
                break
        else:
            together.append([day])
    windows = []
    jitters = []
    for several in together:
        on = _grid(min(days[day][0] for day in several))
        off = _grid(min(days[day][1] for day in several))
        windows.append(Window(days=tuple(several), on=_wall(on), off=_wall(off)))
        jitters += [max(0.0, spans[day][1] - on) for day in several]
    return windows, _round(median(jitters), 60.0)


def _grid(seconds: float) -> float:
    """The written time just before the first edge; an operation is logged some seconds after it was asked for."""
    return (seconds + 30.0) // GRID_S * GRID_S


def _round(seconds: float, step: float) -> float:
    return round(seconds / step) * step


def _wall(seconds: float) -> time:
    whole = round(seconds) % 86_400
    return time(whole // 3600, whole % 3600 // 60)


def _habits(found: Schedule, vms: Sequence[Timeline], clock: _Clock) -> None:
    """Days off, absences, what is forgotten and when it is put out."""
    seen: dict[date, list[tuple[str, Timeline, float]]] = {}
    for window in found.windows:
        for day, on, off in clock.windows(window, clock.days()):
            if on < 0 or off + found.jitter_s + LATE_S > clock.length_s:
                continue
            for vm in vms:
                if vm.exists[0] <= on and off <= vm.exists[1]:
                    seen.setdefault(day, []).append((_morning(vm, on, off, found.jitter_s), vm, off))
    found.days_off = [
        day for day, each in sorted(seen.items())
        if len(each) >= 3 and all(kind == "absent" for kind, *_ in each) and _is_rare(seen, day)
    ]  # fmt: skip
    days = [each for day, several in seen.items() if day not in found.days_off for each in several]
    kinds = Counter(kind for kind, *_ in days)
    found.absent = (kinds["absent"], kinds["absent"] + kinds["started"])
    ends = [_evening(vm, off, found.jitter_s) for kind, vm, off in days if kind == "started" and vm.is_on(off - 1)]
    left_on = [each for each in ends if each is not None]
    found.forgotten = (len(left_on), len(ends))
    found.stops_inside = sum(any(-900 <= at - off <= found.jitter_s + LATE_S for at in vm.stops) for _, vm, off in days)
    _auto_off(found, [clock.local(at) for at in left_on if at >= 0], len(left_on))
    found.forgets = _forgets(found, vms, clock)


def _all_days(found: Schedule, vms: Sequence[Timeline], clock: _Clock) -> float:
    """VM-days with a window in the whole period, those at its ends in part."""
    total = 0.0
    for on, off in _instants(found, clock):
        inside = max(0.0, min(off, clock.length_s) - max(on, 0.0)) / (off - on)
        total += inside * sum(vm.exists[0] <= on and off <= vm.exists[1] + 1 for vm in vms)
    return total


def _instants(found: Schedule, clock: _Clock, more_days: int = 0) -> list[tuple[float, float]]:
    """Begin and end of each window of the period, and of some days after it."""
    days = clock.days()
    days += [days[-1] + timedelta(days=1 + place) for place in range(more_days)]
    open_days = [day for day in days if day not in found.days_off]
    return sorted((on, off) for each in found.windows for _, on, off in clock.windows(each, open_days))


def _forgets(found: Schedule, vms: Sequence[Timeline], clock: _Clock) -> float:
    """The share of evenings forgotten at which VMs are on for as long as they were.

    Hours beyond the windows of VMs that weren't absent, over the hours that a forgotten evening lasts until the next window at
    which its VM is wanted (or until it is put out). Near the share that was counted, it is the better figure: evenings are few.
    """
    counted = found.forgotten[0] / found.forgotten[1] if found.forgotten[1] else 0.0
    here = 1.0 - (found.absent[0] / found.absent[1] if found.absent[1] else 0.0)
    windows = _instants(found, clock, more_days=14)
    lasts = []
    for place, (_, off) in enumerate(windows):
        if not 0 <= off < clock.length_s:
            continue
        put_out = _put_out(found, clock, off)
        gap, chance = 0.0, 1.0  # not wanted yet
        for begin, _ in windows[place + 1 :]:
            until = min(begin, put_out)
            gap, chance = gap + chance * here * (until - off), chance * (1.0 - here)
        lasts.append(gap / max(1e-9, 1.0 - chance))
    if not counted or not lasts:
        return counted
    wanted = here * _all_days(found, vms, clock)
    window_h = sum(off - on for on, off in windows[: len(lasts)]) / len(lasts) / SECONDS_PER_HOUR
    beyond_h = sum(vm.on_h for vm in vms) - wanted * window_h
    share = beyond_h / (wanted * sum(lasts) / len(lasts) / SECONDS_PER_HOUR)
    return min(max(share, counted / 2), counted * 2, 1.0)


def _put_out(found: Schedule, clock: _Clock, off: float) -> float:
    """When what is left on at an instant is put out by itself."""
    if found.auto_off is None:
        return float("inf")
    day = clock.local(off).date()
    at = clock.seconds(day, found.auto_off)
    return at if at >= off else clock.seconds(day + timedelta(days=1), found.auto_off)


def _is_rare(seen: dict[date, list[tuple[str, Timeline, float]]], day: date) -> bool:
    """Whether a day on which all are absent is too rare to be chance."""
    others = [kind for other, each in seen.items() if other != day for kind, *_ in each]
    share = sum(kind == "absent" for kind in others) / max(1, len(others))
    return bool(share ** len(seen[day]) < 0.01)


def _morning(vm: Timeline, on: float, off: float, jitter_s: float) -> str:
    """What a VM did at a window's begin: started, absent, or on already."""
    if vm.is_on(on - 300):
        return "on"
    return "started" if any(on - 900 <= at < off for at in vm.starts) or vm.is_on(on + jitter_s + 60) else "absent"


def _evening(vm: Timeline, off: float, jitter_s: float) -> float | None:
    """When a VM that was left on at a window's end was put out; None: it was put out in time, -1: not in the period."""
    if any(off - 900 <= at <= off + jitter_s + 900 for at in vm.stops) or not vm.is_on(off + jitter_s + 900):
        return None
    return min((at for at in vm.stops if at > off), default=-1.0)


def _auto_off(found: Schedule, ends: Sequence[datetime], forgotten: int) -> None:
    """A time of day at which most of what was forgotten is put out."""
    if not ends:
        return
    first, last, _ = _densest([_of_day(each) for each in ends])
    near = [each for each in ends if first <= _of_day(each) <= min(last, first + 900)]
    scheduled = {window.off for window in found.windows}
    at = _wall(_grid(first))
    is_round = len(near) > 1 or at.minute % 15 == 0  # one evening tells if it ends at a time that people write
    if len(near) >= 0.6 * forgotten and at not in scheduled and is_round:
        found.auto_off, found.auto_off_seen = at, (len(near), forgotten)
