"""A pool's habit as a demand section: what the scenario format says it with, and what each number rests on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import fmean, median

from sim.azure.activity_log import DEALLOCATE, POWER_OFF
from sim.azure.facts import AutoShutdown
from sim.azure.habits import ALWAYS, BY_HAND, ELASTIC, ONCE, PARKED, SCHEDULE, STOPPED, Member, Pool
from sim.azure.scenario_text import ASSUMED, MEASURED, Setting, number, seconds, text
from sim.azure.schedules import Schedule, find_weekdays
from sim.azure.time_zones import holiday_country, region_zone
from sim.azure.timelines import Timeline
from sim.fields.types import DAYS
from sim.units import SECONDS_PER_HOUR

LOG = "activity-log"
MIDNIGHT = time()
FAR = timedelta(days=730)  # the end of a VM that was there when the period ended


@dataclass(slots=True)
class Demanded:
    """Keys of a group that say when its VMs are wanted."""

    kind: str
    settings: list[Setting] = field(default_factory=list)
    windows: list[list[Setting]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    has_count: bool = True
    count: int | None = None  # where it is not the number of VMs that were seen
    table: str = ""  # of a trace


def demand(pool: Pool, members: Sequence[Member], start: datetime, length_s: float, log: str) -> Demanded:
    """The demand of some VMs of a pool."""
    if pool.habit == SCHEDULE:
        assert pool.schedule is not None
        period = start.date(), (start + timedelta(seconds=length_s - 1)).date()
        return _schedule(pool, pool.schedule, members, period, log)
    if pool.habit == BY_HAND:
        return _by_hand(pool, members, length_s, log)
    if pool.habit == ELASTIC:
        return _by_day(members, start, length_s, log) or _arrivals(members, start, length_s, log)
    if pool.habit == ONCE:
        return _once(members, start, log)
    if pool.habit in (STOPPED, PARKED):
        return _parked(pool.habit, log)
    return Demanded(ALWAYS, _initial("running"), remarks=["always on"])


def _initial(state: str) -> list[Setting]:
    """VMs that were there before the period are not created in it; what they are wanted for is looked at at once."""
    return [Setting(key="initial", toml=text(state), rests_on="there before the period began", trust=MEASURED)]


# --- schedules


def _schedule(pool: Pool, found: Schedule, members: Sequence[Member], period: tuple[date, date], log: str) -> Demanded:
    """Windows, and what people make of them."""
    assumed = sorted({each.time.assumed for each in members if each.time.assumed})
    trust = ASSUMED if assumed else MEASURED
    basis = f"{found.starts_inside} of {found.starts} starts"
    zone = Setting(
        key="schedule.time_zone",
        toml=text(found.time_zone),
        rests_on=f"from {pool.zone_from}; the log's times are UTC",
        trust=ASSUMED,
    )
    made = Demanded("schedule")
    made.remarks += _people_in_words(found)
    if found.by_hand:
        made.remarks.append(
            "switched on by hand on these weekdays, at any time within the jitter; a window lasts as long as stays did"
        )
    if pool.shutdown is not None:
        made.remarks.append(_shutdown_in_words(pool.shutdown))
    several = [
        [
            Setting(key="schedule.days", toml=text(_days(each.days)), rests_on=basis, source=LOG, trust=trust),
            Setting(key="schedule.on", toml=f"{each.on:%H:%M:%S}", shown=f"{each.on:%H:%M} {found.time_zone}", rests_on=f"{basis} within {found.jitter_s / 60:.0f} min, {log}", source=LOG, trust=trust),
            Setting(key="schedule.off", toml=f"{each.off:%H:%M:%S}", shown=f"{each.off:%H:%M} {found.time_zone}", rests_on=f"{found.stops_inside} of {found.stops} stops, {log}", source=LOG, trust=trust),
            zone,
            *([_jitter(found, log)] if found.jitter_s else []),
        ]
        for each in found.windows
    ]  # fmt: skip
    made.settings += [_when_off(members, log), *_initial("deallocated")]
    if len(several) == 1:
        made.settings += several[0]
    else:
        made.windows = several
    made.settings += _people(found, log)
    if found.days_off:
        made.settings.append(_days_off(found, members[0].vm.region, period, log))
    return made


def _days_off(found: Schedule, region: str, period: tuple[date, date], log: str) -> Setting:
    """Days without demand: a country's public holidays where they are just these, else the dates."""
    basis = f"no VM was started on {len(found.days_off)} days, {log}"
    country = holiday_country(found.days_off, {day for each in found.windows for day in each.days}, region, period)
    if country:
        basis += f"; they are all the public holidays of {country} in the period"
        return Setting(key="calendar.holidays", toml=text(country), rests_on=basis, source=LOG, trust=ASSUMED)
    days = "[" + ", ".join(day.isoformat() for day in found.days_off) + "]"
    return Setting(key="calendar.except", toml=days, rests_on=basis, source=LOG, trust=MEASURED)


def _jitter(found: Schedule, log: str) -> Setting:
    toml = f'{{ dist = "uniform", low = "0s", high = {seconds(found.jitter_s)} }}'
    return Setting(
        key="schedule.jitter",
        toml=toml,
        rests_on=f"the spread of {found.starts_inside} starts, {log}",
        source=LOG,
        trust=MEASURED,
    )


def _people(found: Schedule, log: str) -> list[Setting]:
    rows = []
    if found.absent[0]:
        rows.append(
            Setting(
                key="people.absent",
                toml=number(_share(found.absent), 3),
                rests_on=f"{found.absent[0]} of {found.absent[1]} VM-days, {log}",
                source=LOG,
                trust=MEASURED,
            )
        )
    if found.forgotten[0]:
        rows.append(
            Setting(
                key="people.forgets",
                toml=number(found.forgets, 3),
                rests_on=f"{found.forgotten[0]} of {found.forgotten[1]} evenings, {log}; set so that hours are those that were on",
                source=LOG,
                trust=MEASURED,
            )
        )
        if found.auto_off is not None:
            seen, of = found.auto_off_seen
            rows.append(
                Setting(
                    key="people.auto_off",
                    toml=f"{found.auto_off:%H:%M:%S}",
                    rests_on=f"{seen} of {of} forgotten evenings end then, {log}",
                    source=LOG,
                    trust=MEASURED,
                )
            )
    return rows


def _people_in_words(found: Schedule) -> list[str]:
    words = [
        " and ".join(f"{_days(each.days)} {each.on:%H:%M}-{each.off:%H:%M}" for each in found.windows)
        + f" ({found.time_zone})"
    ]
    words += [
        f"absent on {found.absent[0]} of {found.absent[1]} VM-days; left on at {found.forgotten[0]} of {found.forgotten[1]} ends of a window"
    ]
    if found.auto_off is not None:
        words.append(
            f"what is left on is put out at {found.auto_off:%H:%M} ({found.auto_off_seen[0]} of {found.auto_off_seen[1]})"
        )
    if found.days_off:
        words.append("days off: " + ", ".join(day.isoformat() for day in found.days_off))
    return words


def _when_off(members: Sequence[Member], log: str) -> Setting:
    kinds = [kind for each in members for kind in each.time.stop_kinds]
    stops = kinds.count(POWER_OFF)
    way = "stop" if stops > len(kinds) / 2 else "deallocate"
    return Setting(
        key="when_off",
        toml=text(way),
        rests_on=f"{kinds.count(DEALLOCATE)} deallocations, {stops} stops, {log}",
        source=LOG,
        trust=MEASURED,
    )


def _days(days: Sequence[int]) -> str:
    """Weekdays as the scenario writes them."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs)


def _share(part: tuple[int, int]) -> float:
    return part[0] / part[1] if part[1] else 0.0


# --- by hand, with load, once, never


def _by_hand(pool: Pool, members: Sequence[Member], length_s: float, log: str) -> Demanded:
    """A renewal process with the stays that were seen; its mean share on is the one of the period."""
    stays = sorted(off - on for each in members for on, off in each.time.on if on > 0 and off < length_s)
    mean_s = max(60.0, fmean(stays) if stays else SECONDS_PER_HOUR)
    share = sum(each.time.on_h for each in members) / sum(each.time.exists_h for each in members)
    off_s = _off_mean(share, mean_s, length_s)
    made = Demanded("cycle", remarks=["switched on and off by hand, without a schedule that could be found"])
    if pool.shutdown is not None:
        made.remarks.append(_shutdown_in_words(pool.shutdown))
    made.settings = [
        _when_off(members, log),
        Setting(key="cycle.on", toml=_quantiles(stays), rests_on=f"{len(stays)} stays, {log}", source=LOG, trust=MEASURED),
        Setting(
            key="cycle.off", toml=f'{{ dist = "exponential", mean = {seconds(off_s)} }}',
            rests_on=f"so that a VM is on {100 * share:.1f} % of the time, as it was", source=LOG, trust=MEASURED,
        ),
    ]  # fmt: skip
    return made


def _shutdown_in_words(shutdown: AutoShutdown) -> str:
    return f"auto-shutdown at {shutdown.time} ({shutdown.time_zone}) by {shutdown.file}; it is in the stays below"


def _off_mean(share: float, on_s: float, length_s: float) -> float:
    """Mean time off at which a VM that is wanted from t = 0 is on for *share* of the period (alternating exponential stays)."""
    wanted = min(0.98, max(share, 1e-3)) * length_s
    low, high = 1.0, 1000 * length_s
    for _ in range(200):
        middle = math.sqrt(low * high)
        p, rate = on_s / (on_s + middle), 1 / on_s + 1 / middle
        expected = p * length_s + (1 - p) * (1 - math.exp(-rate * length_s)) / rate
        low, high = (middle, high) if expected > wanted else (low, middle)
    return low


def _quantiles(values: Sequence[float], steps: int = 10) -> str:
    """An empirical distribution with the sample's mean, in few points."""
    ordered = sorted(values)
    if len(ordered) < 5:
        return seconds(median(ordered) if ordered else SECONDS_PER_HOUR)
    p = [place / steps for place in range(steps + 1)]
    at = [ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] for share in p]
    mean = fmean((a + b) / 2 for a, b in pairwise(at))
    scale = fmean(ordered) / mean if mean > 0 else 1.0
    points = ", ".join(seconds(max(1.0, each * scale)) for each in at)
    return f'{{ dist = "quantiles", p = [{", ".join(f"{each:g}" for each in p)}], at = [{points}] }}'


def _by_day(members: Sequence[Member], start: datetime, length_s: float, log: str) -> Demanded | None:
    """VMs that come in the morning and are deleted in the evening, much the same number each day: rebuilt on a schedule."""
    places = _places(members, length_s)
    zone = region_zone(members[0].vm.region)
    found = find_weekdays(places, start, length_s, zone, most_days=7)
    if found is None or len(places) > len(members) / 3:
        return None
    words = f"{len(members)} VMs created, at most {len(places)} at a time, {log}"
    window = found.windows[0]
    made = Demanded("schedule", count=len(places), remarks=[f"VMs that are created and deleted each day: {words}"])
    made.settings = [
        Setting(key="when_off", toml=text("delete"), rests_on=words, source=LOG, trust=MEASURED),
        Setting(key="schedule.days", toml=text(_days(window.days)), rests_on=words, source=LOG, trust=MEASURED),
        Setting(
            key="schedule.on", toml=f"{window.on:%H:%M:%S}", rests_on=f"creations within {found.jitter_s / 60:.0f} min, {log}",
            source=LOG, trust=MEASURED,
        ),
        Setting(key="schedule.off", toml=f"{window.off:%H:%M:%S}", rests_on="a window lasts as long as they did", source=LOG, trust=MEASURED),
        Setting(key="schedule.time_zone", toml=text(zone), rests_on="from the region; the log's times are UTC", trust=ASSUMED),
        *([_jitter(found, log)] if found.jitter_s else []),
        *_people(found, log),
    ]  # fmt: skip
    return made


def _places(members: Sequence[Member], length_s: float) -> list[Timeline]:
    """VMs that follow one another, as if they were one VM that is switched on and off."""
    places: list[Timeline] = []
    for each in sorted(members, key=lambda each: each.time.exists[0]):
        begin, end = each.time.exists
        free = next((place for place in places if place.on[-1][1] <= begin), None)
        if free is None:
            free = Timeline((0.0, length_s))
            places.append(free)
        free.on.append((begin, min(end, begin + each.time.on_h * SECONDS_PER_HOUR)))
        free.starts.append(begin)
        free.stops.append(end)
    return places


def _arrivals(members: Sequence[Member], start: datetime, length_s: float, log: str) -> Demanded:
    """VMs that come and go: requests by hour of the week, and the lifetimes that were seen."""
    counts, hours = [0] * 168, [0.0] * 168
    for place in range(round(length_s / SECONDS_PER_HOUR)):
        at = start + timedelta(hours=place)
        hours[at.weekday() * 24 + at.hour] += 1
    for each in members:
        at = (start + timedelta(seconds=each.time.exists[0])).astimezone(UTC)
        counts[at.weekday() * 24 + at.hour] += 1
    rates = [count / of if of else 0.0 for count, of in zip(counts, hours, strict=True)]
    rows = [", ".join(number(rate, 3) for rate in rates[at : at + 24]) for at in range(0, 168, 24)]
    lifetimes = sorted(each.time.on_h * SECONDS_PER_HOUR for each in members)
    made = Demanded(
        "arrivals", has_count=False, remarks=["VMs that come and go with the load; hours of the week are UTC"]
    )
    made.settings = [
        Setting(key="arrivals.weekly", toml="[\n" + "".join(f"  {row},\n" for row in rows) + "]", shown=f"{len(members)} requests", rests_on=f"{len(members)} creations, {log}", source=LOG, trust=MEASURED),
        Setting(key="arrivals.lifetime", toml=_quantiles(lifetimes), rests_on=f"{len(lifetimes)} lifetimes, {log}", source=LOG, trust=MEASURED),
    ]  # fmt: skip
    return made


def keeps_disks(member: Member) -> bool:
    """Whether a VM's disks were there after it: it was only switched off."""
    return not member.time.deleted


def _once(members: Sequence[Member], start: datetime, log: str) -> Demanded:
    """VMs that came, went or changed once: replayed, each on for as long as it was."""
    made = Demanded(
        "trace", has_count=False, remarks=["came, went, or were switched once in the period: replayed as they were"]
    )
    rows = ["vm,size,created,deleted"]
    for each in members:
        time = each.time
        begin, on_s = (
            time.exists[0] if time.created else (time.on[0][0] if time.on else 0.0),
            time.on_h * SECONDS_PER_HOUR,
        )
        is_on = bool(time.on) and time.on[-1][1] >= time.exists[1] - 1 and not time.deleted
        if is_on:
            begin = max(0.0, time.exists[1] - on_s)
        born = start + timedelta(seconds=begin)
        gone = start + timedelta(seconds=time.exists[1]) + FAR if is_on else born + timedelta(seconds=max(60.0, on_s))
        rows.append(
            f"{each.vm.name},{each.vm.size},{born.isoformat(timespec='seconds')},{gone.isoformat(timespec='seconds')}"
        )
    made.table = "\n".join(rows) + "\n"
    if members[0].vm.disks and all(keeps_disks(each) for each in members):
        made.settings.append(
            Setting(key="keeps_disks", toml="true", rests_on="the VMs were not deleted", source=LOG, trust=MEASURED)
        )
    made.settings += [
        Setting(key="trace.format", toml=text("columns"), rests_on=f"{len(members)} VMs, {log}", source=LOG, trust=MEASURED),
        Setting(key="trace.origin", toml=f"{start.isoformat().replace('+00:00', 'Z')}"),
    ]  # fmt: skip
    return made


def _parked(habit: str, log: str) -> Demanded:
    """VMs that are not used: stopped and billed, or deallocated with their disks."""
    words = "stopped, but allocated and billed" if habit == STOPPED else "deallocated: only disks and addresses cost"
    state = "stopped" if habit == STOPPED else "deallocated"
    made = Demanded("parked", remarks=[f"{words} throughout"])
    made.settings = [
        Setting(key="initial", toml=text(state), rests_on=f"no start in the period, {log}", trust=MEASURED),
        Setting(key="wanted", toml="false", rests_on="no start in the period", trust=MEASURED),
    ]
    return made


def spot(members: Sequence[Member]) -> list[Setting]:
    """Evictions by hour of running, and how soon the automation asks again."""
    evictions = [each for member in members for each in member.time.evictions]
    hours = sum(member.time.on_h for member in members)
    if not evictions or hours <= 0:
        return []
    rate = 1.0 - math.exp(-len(evictions) / hours)
    back = [on - off for off, on in evictions if on is not None and on > off]
    found = [
        Setting(key="spot.eviction_per_hour", toml=number(rate), rests_on=f"{len(evictions)} evictions in {hours:,.0f} h", source=LOG, trust=MEASURED),
        Setting(key="spot.policy", toml=text(members[0].vm.policy or "deallocate"), rests_on=members[0].vm.files.get("policy", ""), trust=MEASURED),
    ]  # fmt: skip
    if back:
        found.append(
            Setting(key="spot.restart_after", toml=_quantiles(back), rests_on=f"{len(back)} starts after an eviction", source=LOG, trust=MEASURED)
        )  # fmt: skip
    return found
