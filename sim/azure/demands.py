"""A pool's habit as a demand section: what the scenario format says it with, and what each number rests on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import fmean, median

from sim.azure.activity_log import DEALLOCATE, POWER_OFF
from sim.azure.facts import GRAPH, LOG, EvictionBand
from sim.azure.habits import ALWAYS, BY_HAND, ELASTIC, ONCE, PARKED, SCHEDULE, STOPPED, Member, Pool
from sim.azure.scenario_text import ASSUMED, MEASURED, Setting, assumed, logged, measured, number, seconds
from sim.azure.schedules import Schedule, find_weekdays
from sim.azure.time_zones import holiday_country, region_zone
from sim.azure.timelines import Timeline
from sim.fields.numbers import how_many
from sim.fields.types import DAYS
from sim.scenario.writing import toml_value
from sim.units import SECONDS_PER_HOUR

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
    return [measured("initial", toml_value(state), "there before the period began")]


# --- schedules


def _schedule(pool: Pool, found: Schedule, members: Sequence[Member], period: tuple[date, date], log: str) -> Demanded:
    """Windows, and what people make of them."""
    trust = ASSUMED if any(each.time.assumed for each in members) else MEASURED
    basis = f"{found.starts_inside} of {how_many(found.starts, 'start')}"
    zone = assumed("schedule.time_zone", toml_value(found.time_zone), f"from {pool.zone_from}; the log's times are UTC")
    made = Demanded("schedule", remarks=_in_words(pool, found))
    several = [
        [
            Setting("schedule.days", toml_value(_days(each.days)), basis, source=LOG, trust=trust),
            Setting("schedule.on", f"{each.on:%H:%M:%S}", f"{basis} within {found.jitter_s / 60:.0f} min, {log}", source=LOG, trust=trust, shown=f"{each.on:%H:%M} {found.time_zone}"),
            Setting("schedule.off", f"{each.off:%H:%M:%S}", f"{found.stops_inside} of {found.stops} stops, {log}", source=LOG, trust=trust, shown=f"{each.off:%H:%M} {found.time_zone}"),
            zone,
            *([_jitter(found, log)] if found.jitter_s else []),
        ]
        for each in found.windows
    ]  # fmt: skip
    made.windows = several if len(several) > 1 else []
    only = several[0] if len(several) == 1 else []
    made.settings = [_when_off(members, log), *_initial("deallocated"), *only, *_people(found, log)]
    if found.days_off:
        made.settings.append(_days_off(found, members[0].vm.region, period, log))
    return made


def _days_off(found: Schedule, region: str, period: tuple[date, date], log: str) -> Setting:
    """Days without demand: a country's public holidays where they are just these, else the dates."""
    basis = f"no VM was started on {how_many(len(found.days_off), 'day')}, {log}"
    country = holiday_country(found.days_off, {day for each in found.windows for day in each.days}, region, period)
    if country:
        basis += f"; they are all the public holidays of {country} in the period"
        return assumed("calendar.holidays", toml_value(country), basis, source=LOG)
    days = "[" + ", ".join(day.isoformat() for day in found.days_off) + "]"
    return logged("calendar.except", days, basis)


def _jitter(found: Schedule, log: str) -> Setting:
    toml = f'{{ dist = "uniform", low = "0s", high = {seconds(found.jitter_s)} }}'
    return logged("schedule.jitter", toml, f"the spread of {how_many(found.starts_inside, 'start')}, {log}")


def _people(found: Schedule, log: str) -> list[Setting]:
    (absent, days), (forgotten, evenings) = found.absent, found.forgotten
    rows = []
    if absent:
        rows.append(logged("people.absent", number(absent / days, 3), f"{absent} of {days} VM-days, {log}"))
    if forgotten:
        basis = f"{forgotten} of {evenings} evenings, {log}; set so that hours are those that were on"
        rows.append(logged("people.forgets", number(found.forgets, 3), basis))
        if found.auto_off is not None:
            basis = "{} of {} forgotten evenings end then, {}".format(*found.auto_off_seen, log)
            rows.append(logged("people.auto_off", f"{found.auto_off:%H:%M:%S}", basis))
    return rows


def _in_words(pool: Pool, found: Schedule) -> list[str]:
    """The schedule, and what people make of it."""
    windows = " and ".join(f"{_days(each.days)} {each.on:%H:%M}-{each.off:%H:%M}" for each in found.windows)
    words = [
        f"{windows} ({found.time_zone})",
        "absent on {} of {} VM-days; left on at {} of {} ends of a window".format(*found.absent, *found.forgotten),
    ]
    if found.auto_off is not None:
        words.append("what is left on is put out at {:%H:%M} ({} of {})".format(found.auto_off, *found.auto_off_seen))
    if found.days_off:
        words.append("days off: " + ", ".join(day.isoformat() for day in found.days_off))
    if found.by_hand:
        words.append(
            "switched on by hand on these weekdays, at any time within the jitter; a window lasts as long as stays did"
        )
    return words + _shutdown_in_words(pool)


def _when_off(members: Sequence[Member], log: str) -> Setting:
    kinds = [kind for each in members for kind in each.time.stop_kinds]
    stops = kinds.count(POWER_OFF)
    way = "stop" if stops > len(kinds) / 2 else "deallocate"
    return logged("when_off", toml_value(way), f"{kinds.count(DEALLOCATE)} deallocations, {stops} stops, {log}")


def _days(days: Sequence[int]) -> str:
    """Weekdays as the scenario writes them."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs)


# --- by hand, with load, once, never


def _by_hand(pool: Pool, members: Sequence[Member], length_s: float, log: str) -> Demanded:
    """A renewal process with the stays that were seen; its mean share on is the one of the period."""
    stays = sorted(off - on for each in members for on, off in each.time.on if on > 0 and off < length_s)
    mean_s = max(60.0, fmean(stays) if stays else SECONDS_PER_HOUR)
    share = sum(each.time.on_h for each in members) / sum(each.time.exists_h for each in members)
    off_s = _off_mean(share, mean_s, length_s)
    made = Demanded("cycle", remarks=["switched on and off by hand, without a schedule that could be found"])
    made.remarks += _shutdown_in_words(pool)
    made.settings = [
        _when_off(members, log),
        logged("cycle.on", _quantiles(stays), f"{how_many(len(stays), 'stay')}, {log}"),
        logged("cycle.off", f'{{ dist = "exponential", mean = {seconds(off_s)} }}', f"so that a VM is on {100 * share:.1f} % of the time, as it was"),
    ]  # fmt: skip
    return made


def _shutdown_in_words(pool: Pool) -> list[str]:
    at = pool.shutdown
    return [f"auto-shutdown at {at.time} ({at.time_zone}) by {at.file}; it is in the stays below"] if at else []


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
    words = f"{how_many(len(members), 'VM')} created, at most {len(places)} at a time, {log}"
    window = found.windows[0]
    made = Demanded("schedule", count=len(places), remarks=[f"VMs that are created and deleted each day: {words}"])
    made.settings = [
        logged("when_off", toml_value("delete"), words),
        logged("schedule.days", toml_value(_days(window.days)), words),
        logged("schedule.on", f"{window.on:%H:%M:%S}", f"creations within {found.jitter_s / 60:.0f} min, {log}"),
        logged("schedule.off", f"{window.off:%H:%M:%S}", "a window lasts as long as they did"),
        assumed("schedule.time_zone", toml_value(zone), "from the region; the log's times are UTC"),
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
    remarks = ["VMs that come and go with the load; hours of the week are UTC"]
    return Demanded("arrivals", has_count=False, remarks=remarks, settings=[
        logged("arrivals.weekly", "[\n" + "".join(f"  {row},\n" for row in rows) + "]", f"{how_many(len(members), 'creation')}, {log}", shown=how_many(len(members), "request")),
        logged("arrivals.lifetime", _quantiles(lifetimes), f"{len(lifetimes)} lifetimes, {log}"),
    ])  # fmt: skip


def outlived(member: Member, start: datetime) -> tuple[datetime, datetime] | None:
    """From when to when a disk of a deleted VM was still invoiced, to the day; less than a day is how days are written."""
    if not member.time.deleted or member.vm.disk_days is None:
        return None
    gone = start + timedelta(seconds=member.time.exists[1])
    last = datetime.combine(member.vm.disk_days[1] + timedelta(days=1), datetime.min.time(), UTC)
    return (gone, last) if last - gone > timedelta(days=1) else None


def keeps_disks(member: Member, start: datetime) -> bool:
    """Whether a VM's disks were there after it: it was only switched off, or they were left when it was deleted."""
    return not member.time.deleted or outlived(member, start) is not None


def _once(members: Sequence[Member], start: datetime, log: str) -> Demanded:
    """VMs that came, went or changed once: replayed, each on for as long as it was."""
    remarks = ["came, went, or were switched once in the period: replayed as they were"]
    made = Demanded("trace", has_count=False, remarks=remarks)
    rows = ["vm,size,created,deleted"]
    for each in members:
        time, on_s = each.time, each.time.on_h * SECONDS_PER_HOUR
        begin = time.exists[0] if time.created else (time.on[0][0] if time.on else 0.0)
        is_on = bool(time.on) and time.on[-1][1] >= time.exists[1] - 1 and not time.deleted
        if is_on:
            begin = max(0.0, time.exists[1] - on_s)
        born = start + timedelta(seconds=begin)
        gone = start + timedelta(seconds=time.exists[1]) + FAR if is_on else born + timedelta(seconds=max(60.0, on_s))
        rows.append(f"{each.vm.name},{each.vm.size},{born:%Y-%m-%dT%H:%M:%S}+00:00,{gone:%Y-%m-%dT%H:%M:%S}+00:00")
    made.table = "\n".join(rows) + "\n"
    if members[0].vm.disks and all(keeps_disks(each, start) for each in members):
        made.settings.append(logged("keeps_disks", "true", "disks were there after the VMs"))
    made.settings += [
        logged("trace.format", toml_value("columns"), f"{how_many(len(members), 'VM')}, {log}"),
        Setting("trace.origin", f"{start.isoformat().replace('+00:00', 'Z')}"),
    ]  # fmt: skip
    return made


def _parked(habit: str, log: str) -> Demanded:
    """VMs that are not used: stopped and billed, or deallocated with their disks."""
    words = "stopped, but allocated and billed" if habit == STOPPED else "deallocated: only disks and addresses cost"
    return Demanded(
        "parked",
        settings=[
            measured(
                "initial",
                toml_value("stopped" if habit == STOPPED else "deallocated"),
                f"no start in the period, {log}",
            ),
            measured("wanted", "false", "no start in the period"),
        ],
        remarks=[f"{words} throughout"],
    )


def spot(members: Sequence[Member], known: EvictionBand | None = None) -> list[Setting]:
    """Evictions by hour of running, and how soon an evicted VM is requested again; without evictions, what the platform says."""
    evictions = [each for member in members for each in member.time.evictions]
    hours = sum(member.time.on_h for member in members)
    if not evictions or hours <= 0:
        words = f"the platform says {known.words} % an hour of its size and region; {known.file}" if known else ""
        return [assumed("spot.eviction_per_hour", number(known.per_hour), words, source=GRAPH)] if known else []
    rate = 1.0 - math.exp(-len(evictions) / hours)
    back = [on - off for off, on in evictions if on is not None and on > off]
    found = [
        logged("spot.eviction_per_hour", number(rate), f"{len(evictions)} evictions in {hours:,.0f} h"),
        measured("spot.policy", toml_value(members[0].vm.policy or "deallocate"), members[0].vm.files.get("policy", "")),
    ]  # fmt: skip
    if back:
        found.append(
            logged("spot.restart_after", _quantiles(back), f"{how_many(len(back), 'start')} after an eviction")
        )  # fmt: skip
    return found
