"""What the keys of a scenario must be to each other: rules over a file whose every single value is sound.

A rule names the places it looked at, so that no rule reports on a place that is already known to be wrong.
"""

from collections.abc import Iterator

from sim.distributions.specs import to_distribution
from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words, show_value
from sim.fields.recurring import Recurring
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import PowerState
from sim.model.demand import DEMAND_KINDS, REFINEMENTS, DemandSection
from sim.model.faults import GROUP_FAULTS
from sim.model.faults.base import CERTAIN, GroupFault
from sim.scenario.file_model import MOST_VMS, Group, ScenarioFile
from sim.scenario.plan_builder import durations_of
from sim.units import format_duration

LONGEST_HORIZON_S = 100 * 365.25 * 86400
MOST_RETRIES_AT_ONCE = 100
_STEPS_OF_A_REPLACEMENT = ("allocating", "starting", "deleting")


def check_file(file: ScenarioFile) -> Iterator[Issue]:
    """Everything that two or more keys of the file contradict each other in."""
    yield from _clock(file)
    yield from _recurring(file)
    yield from unique_names(("group",), [group.name for group in file.groups])
    yield from unique_names(("commitment",), [commitment.name for commitment in file.commitments])
    for number, group in enumerate(file.groups):
        place: Path = ("group", number)
        yield from _demand(group, place)
        yield from _without_effect(group, place, file)
        yield from _what_it_is(group, place, file)
        yield from _timing(group, place)


def _clock(file: ScenarioFile) -> Iterator[Issue]:
    if file.horizon_s > LONGEST_HORIZON_S:
        yield Issue(("horizon",), f"{format_duration(file.horizon_s)} is longer than a hundred years", "simulate less")
    if file.warm_up_s >= file.horizon_s:
        yield Issue(
            ("warm_up",),
            f"{format_duration(file.warm_up_s)} leaves nothing of the horizon of {format_duration(file.horizon_s)}",
            "the warm-up must end before the horizon",
            related_paths=(("horizon",),),
        )


def _recurring(file: ScenarioFile) -> Iterator[Issue]:
    """What comes again and again by itself, at most so often."""
    found: list[tuple[Path, Recurring | None]] = []
    for number, group in enumerate(file.groups):
        faults = (fault for key in GROUP_FAULTS if (fault := group.fault(key)) is not None)
        tables: list[DemandSection | GroupFault] = [*group.demand_sections, *faults]
        found += [(("group", number, table.key), table.recurring) for table in tables]
    if (platform := file.platform) is not None:
        found += [(("platform", fault.key), fault.recurring(platform)) for fault in platform.faults]
        found += [(("platform", "shortage", number), each.recurring) for number, each in enumerate(platform.shortages)]
    for place, recurring in found:
        if recurring is not None:
            yield from recurring.check(place, file.horizon_s)


def unique_names(section: Path, names: list[str]) -> Iterator[Issue]:
    """Tables of one list that have the name of an earlier one."""
    header = f"[[{'.'.join(str(part) for part in section)}]]"
    for number, name in enumerate(names):
        if name in names[:number]:
            first = names.index(name) + 1
            problem = f"{show_value(name)}: {header} number {first} has this name already"
            hint = "every name is given once"
            yield Issue((*section, number, "name"), problem, hint, related_paths=((*section, first - 1, "name"),))


def _demand(group: Group, place: Path) -> Iterator[Issue]:
    given = [section.key for section in group.demand_sections if not section.demand.is_scaled]
    exclusive = [key for key, kind in DEMAND_KINDS.items() if not kind.demand.is_scaled]
    if len(given) > 1:
        problem = f"{given[0]} and {given[1]} contradict each other"
        hint = f"a group has at most one of {', '.join(exclusive)}"
        yield Issue((*place, given[1]), problem, hint)
    for section in group.demand_sections:
        if section.count_words and "count" in group.model_fields_set and group.count > 0:
            problem = f"{group.count}: count and {section.key} contradict each other"
            hint = f"leave count out: VMs come {section.count_words}; or make the VMs of t = 0 a group of their own"
            yield Issue((*place, "count"), problem, hint, related_paths=((*place, section.key),))
    if group.is_counted and group.count == 0 and not any(step.count for step in group.count_steps):
        yield Issue(
            (*place, "count"),
            "0: the group is empty",
            "give it 1 VM or more, or arrivals",
            related_paths=tuple((*place, key) for key, kind in DEMAND_KINDS.items() if kind.demand.is_open),
        )
    for section in group.demand_sections:
        if section.demand.is_scaled:
            yield from _beside_autoscale(group, place, section)
        yield from section.check(group, (*place, section.key))


def _without_effect(group: Group, place: Path, file: ScenarioFile) -> Iterator[Issue]:
    """Keys that would be ignored beside the others: a user who wrote them expects something of them.

    What a what-if may turn on and off (`priority` beside [group.spot], `attempts` beside `backoff`) stays where it is.
    """
    given, sections = group.model_fields_set, group.demand_sections
    always_on = not sections and group.when_off == "keep"  # says so itself
    turns_off = not group.wanted or any(section.demand.turns_off for section in sections)
    if "when_off" in given and not always_on and not turns_off:
        kinds = [key for key, kind in DEMAND_KINDS.items() if kind.demand.turns_off]
        why = f"with {sections[0].key} they are deleted then" if sections else "these are always needed"
        hint = f"leave it out, or give the group a {' or a '.join(kinds)}"
        if any(section.demand.is_scaled for section in sections):
            why, hint = "an autoscaler has its own", "leave it out, or write it under [group.autoscale]"
        problem = f'"{group.when_off}" has no effect: it is for VMs that are not needed for a while, and {why}'
        yield Issue((*place, "when_off"), problem, hint, related_paths=tuple((*place, key) for key in DEMAND_KINDS))
    yield from _initial(group, place)
    yield from _steps(group, place, file)
    for key in REFINEMENTS:
        section = group.demand_section
        if getattr(group, key) is not None and (section is None or key not in section.refined_by):
            refined = list_words(kind.key for kind in DEMAND_KINDS.values() if key in kind.refined_by)
            problem = f"it has no effect: it is about the windows of a {refined}, and the group has none"
            hint = f"leave it out, or give the group a {refined}"
            yield Issue((*place, key), problem, hint, related_paths=tuple((*place, kind) for kind in DEMAND_KINDS))
    if group.keeps_disks and not group.disks:
        problem = "true has no effect: the VMs have no disks"
        hint = 'give them disks, such as disks = ["P10"], or leave it out'
        yield Issue((*place, "keeps_disks"), problem, hint, related_paths=((*place, "disks"),))


def _initial(group: Group, place: Path) -> Iterator[Issue]:
    """VMs that exist at t = 0, and those that no one wants."""
    sections = group.demand_sections
    if not group.wanted and sections:
        problem = f"false: {sections[0].key} says when the VMs are needed"
        hint = f"leave wanted out, or {sections[0].key}"
        yield Issue((*place, "wanted"), problem, hint, related_paths=((*place, sections[0].key),))
    if group.initial is None:
        if not group.wanted and group.when_off == "delete":
            problem = 'false with when_off = "delete": no VM would ever exist'
            hint = 'give initial, such as "stopped", or another when_off'
            yield Issue((*place, "wanted"), problem, hint, related_paths=((*place, "when_off"),))
        return
    if not group.is_counted:
        key = next(section.key for section in sections if section.demand.is_open)
        problem = f'"{group.initial}" and {key} contradict each other: the VMs of {key} come after t = 0'
        hint = "leave it out, or make the VMs of t = 0 a group of their own"
        yield Issue((*place, "initial"), problem, hint, related_paths=((*place, key),))
    if group.create_over > 0:
        problem = f'it has no effect beside initial = "{group.initial}": the VMs exist at t = 0'
        yield Issue((*place, "create_over"), problem, "leave it out", related_paths=((*place, "initial"),))


def _steps(group: Group, place: Path, file: ScenarioFile) -> Iterator[Issue]:
    """What a changing number of VMs contradicts."""
    if not group.has_steps:
        return
    key = "count_steps" if group.count_steps else "growth_per_month"
    if group.count_steps and group.growth_per_month is not None:
        problem = "count_steps and growth_per_month contradict each other"
        yield Issue((*place, "growth_per_month"), problem, "give one of them", related_paths=((*place, "count_steps"),))
    most = group.most_vms(file.start, file.horizon_s)
    if most > MOST_VMS:
        yield Issue((*place, key), f"the group would have {most:,} VMs", f"make it {MOST_VMS:,} or fewer")
    seen: dict[object, int] = {}
    for number, step in enumerate(group.count_steps):
        first = seen.setdefault(step.at, number)
        if first != number:
            problem = f"{step.at:%Y-%m-%dT%H:%M:%SZ}: step {first + 1} is at this instant already"
            here: Path = (*place, "count_steps", number, "at")
            yield Issue(
                here, problem, "give one number for each instant", related_paths=((*place, "count_steps", first),)
            )
    if not group.is_counted:
        other = next(section.key for section in group.demand_sections if section.demand.is_open)
        problem = f"{key} and {other} contradict each other: {other} says when VMs come and go"
        yield Issue((*place, key), problem, "leave one of them out", related_paths=((*place, other),))


def _beside_autoscale(group: Group, place: Path, scaled: DemandSection) -> Iterator[Issue]:
    """The number of VMs follows the load: what else would decide it contradicts that."""
    for other in group.demand_sections:
        if other is not scaled and not other.waits_for_autoscale:
            problem = f"{other.key} and {scaled.key} contradict each other"
            hint = f"the number of VMs follows the load: leave {other.key} out, or make it a group of its own"
            yield Issue((*place, scaled.key), problem, hint, related_paths=((*place, other.key),))


def _what_it_is(group: Group, place: Path, file: ScenarioFile) -> Iterator[Issue]:
    if group.hybrid_benefit and group.os != "windows":
        problem = f'true: there is no Windows licence to bring with os = "{group.os}"'
        hint = 'write os = "windows", or leave hybrid_benefit out'
        yield Issue((*place, "hybrid_benefit"), problem, hint, related_paths=((*place, "os"),))
    if len(set(group.zones)) < len(group.zones):
        yield Issue((*place, "zones"), f"{show_value(list(group.zones))}: a zone is given twice", "give each zone once")
    yield from _availability_set(group, place)
    for key, value, instead in (("when_off", "hibernate", "deallocate"), ("initial", "hibernated", "deallocated")):
        if getattr(group, key) != value:
            continue
        if PowerState.HIBERNATED not in BILLING_POLICIES[file.billing_policy].knows:
            knowing = [name for name, policy in BILLING_POLICIES.items() if PowerState.HIBERNATED in policy.knows]
            problem = f'"{value}": billing policy "{file.billing_policy}" does not know Hibernated'
            hint = f'write billing_policy = "{knowing[0]}", or {key} = "{instead}"'
            yield Issue((*place, key), problem, hint, related_paths=(("billing_policy",),))
        if group.has_spot:
            problem = f'"{value}": spot VMs cannot hibernate'
            hint = f'write {key} = "{instead}", or priority = "regular"'
            yield Issue((*place, key), problem, hint, related_paths=((*place, "priority"),))


def _availability_set(group: Group, place: Path) -> Iterator[Issue]:
    if group.availability_set is None:
        return
    here: Path = (*place, "availability_set")
    if group.zones:
        problem = "zones and availability_set contradict each other"
        hint = "an availability set stays on one cluster: leave one of them out"
        yield Issue(here, problem, hint, related_paths=((*place, "zones"),))
    if group.has_spot:
        problem = "spot VMs cannot be in an availability set"
        hint = 'leave it out, or write priority = "regular"'
        yield Issue(here, problem, hint, related_paths=((*place, "priority"),))
    if group.when_off == "hibernate":
        problem = "VMs in an availability set cannot hibernate"
        hint = 'leave it out, or write when_off = "deallocate"'
        yield Issue(here, problem, hint, related_paths=((*place, "when_off"),))


def _timing(group: Group, place: Path) -> Iterator[Issue]:
    retry = group.retry
    both_given = {"backoff", "max_backoff"} <= retry.model_fields_set
    if both_given and retry.max_backoff < retry.backoff:
        problem = f"{format_duration(retry.max_backoff)} is below backoff = {format_duration(retry.backoff)}"
        hint = "write a max_backoff of at least the backoff"
        yield Issue((*place, "retry", "max_backoff"), problem, hint, related_paths=((*place, "retry", "backoff"),))
    if retry.attempts > MOST_RETRIES_AT_ONCE and not (retry.backoff > 0 and retry.max_backoff > 0):
        yield Issue(
            (*place, "retry", "backoff"),
            f'"0s": {retry.attempts} attempts would follow each other without time passing',
            'write a backoff such as "1min"',
            related_paths=((*place, "retry", "attempts"), (*place, "retry", "max_backoff")),
        )
    for key in GROUP_FAULTS:
        if (fault := group.fault(key)) is not None:
            yield from fault.check(group, (*place, key))
    yield from _endless_failure(group, place)


def _endless_failure(group: Group, place: Path) -> Iterator[Issue]:
    """Failures that are certain, and answered so fast that the clock stands still between one and the next."""
    failures, durations = group.failures, durations_of(group)
    at_once = to_distribution(failures.reaction).is_zero
    steps = [durations[step] for step in _STEPS_OF_A_REPLACEMENT]
    for code in ("VMStartTimedOut", "VMExtensionProvisioningError"):
        if failures.probability(code) >= CERTAIN and at_once and all(to_distribution(s).is_zero for s in steps):
            yield Issue(
                (*place, "failures", "reaction"),
                f"a VM that fails with {code} would be replaced for ever without time passing",
                f'give reaction or one of {list_words(_STEPS_OF_A_REPLACEMENT)} some time, such as "1s"',
                related_paths=tuple((*place, "durations", step) for step in _STEPS_OF_A_REPLACEMENT),
            )
    if failures.probability("InternalOperationError") < CERTAIN:
        return
    related: tuple[Path, ...] = ((*place, "failures", "InternalOperationError"),)
    if at_once and (group.retry.attempts == 1 or group.retry.backoff == 0):
        problem = "a delete that always fails would be requested again for ever without time passing"
        hint = 'give reaction some time, such as "1s"'
        yield Issue((*place, "failures", "reaction"), problem, hint, related_paths=(*related, (*place, "retry")))
