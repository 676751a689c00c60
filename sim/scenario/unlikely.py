"""What a scenario may say and hardly means: demand that is never met, limits that admit nothing, keys that touch nothing.

Each is a sentence of `vmfleet validate`; nothing here refuses a file, since a what-if may pass through such values.
"""

from collections.abc import Callable, Iterator

import numpy as np

from sim.catalog.catalogue import Catalogue
from sim.catalog.sizes import size_key
from sim.distributions.specs import to_distribution
from sim.model.demand.base import RequestContext
from sim.scenario.commitments_section import CapacityReservationSection, ReservationSection, SavingsPlanSection
from sim.scenario.file_model import ScenarioFile
from sim.scenario.plan_builder import durations_of
from sim.scenario.resolved_groups import ResolvedGroup, ResolvedGroups
from sim.units import format_duration

MUCH = 0.5  # share beyond which an event is the rule, not the exception
MOST_LATE = 0.9  # share of a trace after the horizon beyond which its times are hardly in seconds
SHORTEST_LIFE_S = 1.0  # half of the VMs live longer, or their times are hardly in seconds
MANY, SHORTEST_TRACE = 10, 0.005  # so many requests all within this part of the horizon are hardly in seconds either
MOST_WARM_UP = 0.9  # share of the horizon that a warm-up may leave out without a word

Check = Callable[[ScenarioFile, ResolvedGroups, Catalogue], Iterator[str]]


def unlikely(file: ScenarioFile, resolved: ResolvedGroups, catalogue: Catalogue) -> list[str]:
    """A sentence for each thing that is allowed and unlikely to be meant."""
    return [f"{sentence}." for check in CHECKS for sentence in check(file, resolved, catalogue)]


def _clock(file: ScenarioFile, _resolved: ResolvedGroups, _catalogue: Catalogue) -> Iterator[str]:
    if file.warm_up != "auto" and file.warm_up_s > MOST_WARM_UP * file.horizon_s:
        counted = format_duration(file.horizon_s - file.warm_up_s)
        yield f"warm_up leaves out {format_duration(file.warm_up_s)} of {format_duration(file.horizon_s)}: only {counted} is counted"
    if file.replications == 1:
        yield "one replication gives no interval: nothing says how far its figures are chance"


def _demand(file: ScenarioFile, resolved: ResolvedGroups, _catalogue: Catalogue) -> Iterator[str]:
    """Windows that end before a VM is ready, or that never come."""
    for member in resolved.groups:
        group, name, demand = member.group, member.name, member.demand
        durations = durations_of(group)
        ready_s = sum(to_distribution(durations[step]).mean for step in ("allocating", "starting"))
        if group.is_counted and to_distribution(group.create_over).mean >= file.horizon_s:
            yield f"group {name}: create_over is not shorter than the horizon: some of its VMs are never created"
        if ready_s >= file.horizon_s:
            yield f"group {name}: a start takes {format_duration(ready_s)}, longer than the horizon: no VM is ever ready"
        for words in demand.unlikely(file.start, file.horizon_s, ready_s):
            yield f"group {name}: {words}"


def _traces(file: ScenarioFile, resolved: ResolvedGroups, _catalogue: Catalogue) -> Iterator[str]:
    """Which VMs of a file are not simulated, and times that are hardly in seconds."""
    for number, split in resolved.splits.items():
        name, context = file.groups[number].name, RequestContext(start=file.start, horizon_s=file.horizon_s)
        lives_s = [each for part in split.parts for each in part.demand.recorded_lifetimes_s]
        blocks = [block for part in split.parts for block in part.demand.request_times(context)]
        born_s = np.concatenate([np.zeros(0), *blocks])
        late, read = len(lives_s) - len(born_s), len(lives_s) + split.left_out
        if late + split.left_out:
            after = f"{late:,} {'is' if late == 1 else 'are'} requested after the horizon" if late else ""
            outside = f"{split.left_out:,} outside its window" if split.left_out else ""
            why = " and ".join(filter(None, (after, outside)))
            yield f"group {name}: {len(born_s):,} of the {read:,} VMs of its trace are simulated; {why}"
        short = len(lives_s) and float(np.median(lives_s)) < SHORTEST_LIFE_S
        if late >= MOST_LATE * read:
            yield f"group {name}: nearly all of its trace lies after the horizon; its times are read as seconds, and look like milliseconds"
        elif short or (len(np.unique(born_s)) >= MANY and float(np.ptp(born_s)) < SHORTEST_TRACE * file.horizon_s):
            yield f"group {name}: its trace is over at once; its times are read as seconds, and look like minutes, hours or days"


def _failures(file: ScenarioFile, _resolved: ResolvedGroups, _catalogue: Catalogue) -> Iterator[str]:
    """Events that are the rule, answers that come too late."""
    for group in file.groups:
        for code, chance in group.failures.probabilities.items():
            if MUCH < chance < 1.0:
                yield f"group {group.name}: {code} = {chance:g}: most attempts fail"
        if group.retry.attempts > 1 and group.retry.backoff >= file.horizon_s:
            yield f"group {group.name}: retry.backoff is not shorter than the horizon: nothing is tried a second time"
        if to_distribution(group.failures.reaction).mean >= file.horizon_s and any(
            group.failures.probabilities.values()
        ):
            yield f"group {group.name}: failures.reaction is not shorter than the horizon: a failed VM stays failed"
        timeout_s = group.failures.os_provisioning_timeout
        if group.image == "generalized" and timeout_s is not None:
            takes_s = to_distribution(durations_of(group)["os_provisioning"]).mean
            if takes_s > timeout_s:
                yield (
                    f"group {group.name}: os_provisioning takes {format_duration(takes_s)} on average, and times out after "
                    f"{format_duration(timeout_s)}: most creates fail"
                )
        crash = group.fault("guest_crash")
        if crash is not None:
            between_s, noticed_s = to_distribution(crash.time_between).mean, to_distribution(crash.detection).mean  # type: ignore[attr-defined]
            if noticed_s > between_s:
                yield f"group {group.name}: a guest crash is noticed later than the next one would come: it is down most of the time"
    failures = None if file.platform is None else getattr(file.platform, "host_failures", None)
    if failures is not None:
        up_s, down_s = to_distribution(failures.time_between).mean, to_distribution(failures.repair).mean
        if down_s > up_s:
            yield "platform.host_failures: a repair takes longer than a host lasts: most hosts are down"


def _room(file: ScenarioFile, resolved: ResolvedGroups, _catalogue: Catalogue) -> Iterator[str]:
    """Quota and hosts that don't admit the VMs of the groups with a count."""
    if file.platform is None:
        return
    quota, counted = file.platform.quota, [member for member in resolved.groups if member.vms and member.size.vcpus]
    housed = {name for pool in file.platform.hosts for name in pool.only_groups}
    for region in dict.fromkeys(member.region for member in counted):
        here = [member for member in counted if member.region == region and member.group.name not in housed]
        for key, priority in (("regional_vcpus", "regular"), ("spot_vcpus", "spot")):
            limit = getattr(quota, key, None)
            needed = sum((m.size.vcpus or 0) * (m.vms or 0) for m in here if m.priority == priority)
            if limit is not None and needed > limit:
                yield f"platform.quota.{key} = {limit} admits not all of the {needed:g} vCPUs of the groups with a count in {region}"


def _commitments(file: ScenarioFile, resolved: ResolvedGroups, catalogue: Catalogue) -> Iterator[str]:
    """Commitments that nothing can use, or not whole."""
    for section in file.commitments:
        if getattr(section, "quantity", None) == 0:
            yield f"commitment {section.name}: quantity = 0 buys nothing"
            continue
        if isinstance(section, SavingsPlanSection):
            yield from _plan(section, resolved, catalogue)
        if not isinstance(section, ReservationSection | CapacityReservationSection):
            continue
        size = catalogue.get_size(section.size)
        flexible = isinstance(section, ReservationSection) and section.size_flexible
        group = size.flexibility_group if flexible else None
        region = catalogue.get_region(section.own_region or file.prices.region)
        users = [
            member
            for member in resolved.groups
            if member.priority == "regular"
            and member.region == region
            and (member.size.name == size.name or (group is not None and member.size.flexibility_group == group))
        ]
        if not users:
            what = f"of {size.name}" + (f" or another size of its group {group}" if group else "")
            yield f"commitment {section.name}: no regular group {what} in {region} can use it"
        elif all(member.vms is not None for member in users):
            units = sum((member.vms or 0) * _units(member, size.flexibility_ratio) for member in users)
            if section.quantity > units:
                yield f"commitment {section.name}: {section.quantity:g} units, and the groups that can use it have {units:g} at most"


def _plan(section: SavingsPlanSection, resolved: ResolvedGroups, catalogue: Catalogue) -> Iterator[str]:
    """A plan for more than all VMs cost as they go."""
    members = [member for member in resolved.groups if member.priority == "regular"]
    prices = [catalogue.find_price(member.size.name, member.region, "linux") for member in members]
    if any(member.vms is None for member in members) or None in prices:
        return
    most = sum((member.vms or 0) * price.per_h for member, price in zip(members, prices, strict=True) if price)
    if section.hourly > most:
        yield f"commitment {section.name}: {section.hourly:g} an hour, and all regular VMs together cost {most:.4g} as they go"


def _units(member: ResolvedGroup, reserved: float | None) -> float:
    ratio = member.size.flexibility_ratio
    return ratio / reserved if ratio and reserved else 1.0


def _prices(file: ScenarioFile, resolved: ResolvedGroups, _catalogue: Catalogue) -> Iterator[str]:
    """Prices of nothing, and prices that nothing pays."""
    used = {size_key(member.size.name) for member in resolved.groups}
    used |= {size_key(section.priced_at[0]) for section in file.commitments if section.priced_at is not None}
    for size, prices in file.prices.override.items():
        if size_key(size) not in used:
            yield f"prices.override of {size} has no effect: no group and no commitment is of that size"
        free = [key for key in type(prices).model_fields if getattr(prices, key) == 0]
        if free:
            yield f"prices.override of {size}: {', '.join(free)} = 0: it costs nothing"
    disks = {disk.strip().upper() for group in file.groups for disk in group.disks}
    for tier in file.prices.override_disks:
        if tier.strip().upper() not in disks and not any(":" in disk for disk in disks):
            yield f"prices.override_disks of {tier} has no effect: no group has such a disk"


def _load(file: ScenarioFile, _resolved: ResolvedGroups, _catalogue: Catalogue) -> Iterator[str]:
    """Load that the largest number of VMs can't serve."""
    for group in file.groups:
        scaled = next((section for section in group.demand_sections if section.key == "autoscale"), None)
        if scaled is None or scaled.load.by_hour is None:  # type: ignore[attr-defined]
            continue
        most, needed = max(scaled.load.by_hour), scaled.per_vm  # type: ignore[attr-defined]
        if most > needed * scaled.max:  # type: ignore[attr-defined]
            yield (
                f"group {group.name}: its load reaches {most:g}, and max = {scaled.max} VMs serve {scaled.max * needed:g}: "  # type: ignore[attr-defined]
                "it is overloaded then"
            )
        rules = [*scaled.scale_out, *scaled.scale_in]  # type: ignore[attr-defined]
        if any(to_distribution(rule.cooldown).mean >= file.horizon_s for rule in rules):
            yield f"group {group.name}: a cooldown is not shorter than the horizon: that rule acts once"


CHECKS: tuple[Check, ...] = (_clock, _demand, _traces, _failures, _room, _commitments, _prices, _load)
