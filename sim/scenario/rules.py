"""What the keys of a scenario must be to each other: rules over a file whose every single value is sound.

A rule names the places it looked at, so that nothing is said of a place that is already known to be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from sim.distributions.specs import shares, to_distribution
from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words, show_value
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import PowerState
from sim.scenario.file_model import Group, ScenarioFile
from sim.scenario.plan_builder import durations_of
from sim.units import format_duration

DEMANDS = ("schedule", "cycle", "arrivals", "trace")
OPEN_DEMANDS = ("cycle", "arrivals", "trace")
"""Demands that leave nothing for a load to decide; a schedule beside `autoscale` waits, as `count` does."""
SHORTEST_CYCLE_S = 1.0
LONGEST_HORIZON_S = 100 * 365.25 * 86400
MOST_RETRIES_AT_ONCE = 100
CERTAIN = 0.999  # a probability so high that what answers it at once hardly ever ends
_STEPS_OF_A_REPLACEMENT = ("allocating", "starting", "deleting")


def check_file(file: ScenarioFile) -> Iterator[Issue]:
    """Everything that two or more keys of the file contradict each other in."""
    yield from _clock(file)
    yield from unique_names(("group",), [group.name for group in file.groups])
    yield from unique_names(("commitment",), [commitment.name for commitment in file.commitments])
    for number, group in enumerate(file.groups):
        place: Path = ("group", number)
        yield from _demand(group, place)
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


def unique_names(section: Path, names: list[str]) -> Iterator[Issue]:
    """Tables of one list that have the name of an earlier one."""
    header = f"[[{'.'.join(str(part) for part in section)}]]"
    for number, name in enumerate(names):
        if name in names[:number]:
            first = names.index(name) + 1
            yield Issue(
                (*section, number, "name"),
                f"{show_value(name)}: {header} number {first} has this name already",
                "every name is given once",
                related_paths=((*section, first - 1, "name"),),
            )


def _demand(group: Group, place: Path) -> Iterator[Issue]:
    given = [key for key in DEMANDS if getattr(group, key) is not None]
    if len(given) > 1:
        yield Issue(
            (*place, given[1]),
            f"{given[0]} and {given[1]} contradict each other",
            "a group has at most one of schedule, cycle, arrivals, trace",
        )
    has_count = "count" in group.model_fields_set
    for key, how in (("arrivals", "by arrivals"), ("trace", "from the record")):
        if getattr(group, key) is not None and has_count and group.count > 0:
            yield Issue(
                (*place, "count"),
                f"{group.count}: count and {key} contradict each other",
                f"leave count out: VMs come {how}; or make the VMs of t = 0 a group of their own",
                related_paths=((*place, key),),
            )
    if group.is_counted and group.count == 0:
        yield Issue(
            (*place, "count"),
            "0: the group is empty",
            "give it 1 VM or more, or arrivals",
            related_paths=((*place, "arrivals"), (*place, "trace"), (*place, "autoscale")),
        )
    if group.arrivals is not None:
        yield from _arrivals(group, (*place, "arrivals"))
    if group.autoscale is not None:
        yield from _autoscale(group, place)
    if group.trace is not None:
        yield from _trace(group, place)
    if group.cycle is not None:
        mean_s = to_distribution(group.cycle.on).mean + to_distribution(group.cycle.off).mean
        if mean_s < SHORTEST_CYCLE_S:
            yield Issue(
                (*place, "cycle"),
                f"on and off take {format_duration(mean_s)} together on average, so the cycle would turn without time passing",
                f"make them {format_duration(SHORTEST_CYCLE_S)} or longer together",
                related_paths=((*place, "cycle", "on"), (*place, "cycle", "off")),
            )


def _arrivals(group: Group, place: Path) -> Iterator[Issue]:
    arrivals = group.arrivals
    assert arrivals is not None
    given = [key for key in ("rate", "hourly", "weekly") if getattr(arrivals, key) is not None]
    keys = tuple((*place, key) for key in ("rate", "hourly", "weekly"))
    if len(given) != 1:
        found = " and ".join(given) if given else "none"
        problem = f"exactly one of rate, hourly, weekly is needed; given: {found}"
        yield Issue(place, problem, "", related_paths=() if given else keys)
    elif sum(arrivals.rates_per_h) == 0:
        yield Issue((*place, given[0]), "no VM would ever arrive: the group is empty", "give a rate above 0")
    batch = arrivals.batch
    if batch is None:
        return
    if len(batch.sizes) != len(batch.weights):
        yield Issue(
            (*place, "batch"),
            f"there are {len(batch.sizes)} sizes and {len(batch.weights)} weights",
            "give one weight for each size",
            related_paths=((*place, "batch", "sizes"), (*place, "batch", "weights")),
        )
    else:
        try:
            shares(batch.weights)
        except ValueError as error:
            problem, _, hint = str(error).partition("; ")
            yield Issue((*place, "batch", "weights"), problem, hint)


def _autoscale(group: Group, place: Path) -> Iterator[Issue]:
    scaled = group.autoscale
    assert scaled is not None
    here: Path = (*place, "autoscale")
    for key in OPEN_DEMANDS:
        if getattr(group, key) is not None:
            yield Issue(
                here,
                f"{key} and autoscale contradict each other",
                f"the number of VMs follows the load: leave {key} out, or make it a group of its own",
                related_paths=((*place, key),),
            )
    if scaled.min > scaled.max:
        yield Issue(
            (*here, "min"),
            f"{scaled.min} is above max = {scaled.max}",
            "right is min <= max",
            related_paths=((*here, "max"),),
        )
    if not scaled.scale_out and not scaled.scale_in:
        yield Issue(
            here,
            "there is no rule, so the number of VMs would never change",
            "give scale_out, such as { above = 0.7, by = 1 }, and scale_in",
            related_paths=((*here, "scale_out"), (*here, "scale_in")),
        )
    if scaled.scale_out and scaled.scale_in:
        # One scale-out rule is enough, all scale-in rules are needed.
        out, into = min(rule.above for rule in scaled.scale_out), min(rule.below for rule in scaled.scale_in)
        if into >= out:
            yield Issue(
                (*here, "scale_in"),
                f"below = {into:g} is not under above = {out:g} of scale_out, so VMs would be added and deleted in turn",
                "keep the thresholds apart, such as above = 0.7 and below = 0.3",
                related_paths=((*here, "scale_out"),),
            )


def _trace(group: Group, place: Path) -> Iterator[Issue]:
    trace = group.trace
    assert trace is not None
    if "size" in group.model_fields_set and "sizes" in trace.model_fields_set:
        yield Issue(
            (*place, "trace", "sizes"),
            f"size = {show_value(group.size)} and sizes contradict each other",
            "size makes every VM of the record one size: leave one of them out",
            related_paths=((*place, "size"),),
        )
    if trace.columns and trace.format != "columns":
        yield Issue(
            (*place, "trace", "columns"),
            f'the columns of format = "{trace.format}" are known',
            'leave columns out, or write format = "columns"',
            related_paths=((*place, "trace", "format"),),
        )
    if group.create_over > 0:
        yield Issue(
            (*place, "create_over"),
            "create_over and trace contradict each other",
            "leave create_over out: the record says when VMs are created",
        )


def _what_it_is(group: Group, place: Path, file: ScenarioFile) -> Iterator[Issue]:
    if group.hybrid_benefit and group.os != "windows":
        yield Issue(
            (*place, "hybrid_benefit"),
            f'true: there is no Windows licence to bring with os = "{group.os}"',
            'write os = "windows", or leave hybrid_benefit out',
            related_paths=((*place, "os"),),
        )
    if len(set(group.zones)) < len(group.zones):
        yield Issue((*place, "zones"), f"{show_value(list(group.zones))}: a zone is given twice", "give each zone once")
    yield from _availability_set(group, place)
    if group.when_off != "hibernate":
        return
    if PowerState.HIBERNATED not in BILLING_POLICIES[file.billing_policy].knows:
        knowing = [name for name, policy in BILLING_POLICIES.items() if PowerState.HIBERNATED in policy.knows]
        yield Issue(
            (*place, "when_off"),
            f'"hibernate": billing policy "{file.billing_policy}" does not know Hibernated',
            f'write billing_policy = "{knowing[0]}", or when_off = "deallocate"',
            related_paths=(("billing_policy",),),
        )
    if group.priority == "spot":
        yield Issue(
            (*place, "when_off"),
            '"hibernate": spot VMs cannot hibernate',
            'write when_off = "deallocate", or priority = "regular"',
            related_paths=((*place, "priority"),),
        )


def _availability_set(group: Group, place: Path) -> Iterator[Issue]:
    if group.availability_set is None:
        return
    here: Path = (*place, "availability_set")
    if group.zones:
        yield Issue(
            here,
            "zones and availability_set contradict each other",
            "an availability set stays on one cluster: leave one of them out",
            related_paths=((*place, "zones"),),
        )
    if group.priority == "spot":
        yield Issue(
            here,
            "spot VMs cannot be in an availability set",
            'leave it out, or write priority = "regular"',
            related_paths=((*place, "priority"),),
        )
    if group.when_off == "hibernate":
        yield Issue(
            here,
            "VMs in an availability set cannot hibernate",
            'leave it out, or write when_off = "deallocate"',
            related_paths=((*place, "when_off"),),
        )


def _timing(group: Group, place: Path) -> Iterator[Issue]:
    retry = group.retry
    both_given = {"backoff", "max_backoff"} <= retry.model_fields_set
    if both_given and retry.max_backoff < retry.backoff:
        yield Issue(
            (*place, "retry", "max_backoff"),
            f"{format_duration(retry.max_backoff)} is below backoff = {format_duration(retry.backoff)}",
            "write a max_backoff of at least the backoff",
            related_paths=((*place, "retry", "backoff"),),
        )
    if retry.attempts > MOST_RETRIES_AT_ONCE and not (retry.backoff > 0 and retry.max_backoff > 0):
        yield Issue(
            (*place, "retry", "backoff"),
            f'"0s": {retry.attempts} attempts would follow each other without time passing',
            'write a backoff such as "1min"',
            related_paths=((*place, "retry", "attempts"), (*place, "retry", "max_backoff")),
        )
    crash = group.guest_crash
    if crash is not None and to_distribution(crash.time_between).mean < SHORTEST_CYCLE_S:
        yield Issue(
            (*place, "guest_crash", "time_between"),
            "the guest would crash again without time passing",
            f"make it {format_duration(SHORTEST_CYCLE_S)} or longer",
        )
    yield from _endless_failure(group, place)


def _endless_failure(group: Group, place: Path) -> Iterator[Issue]:
    """Failures that are certain, and answered so fast that the clock stands still between one and the next."""
    failures, durations = group.failures, durations_of(group)
    at_once = to_distribution(failures.reaction).is_zero
    steps = [durations[step] for step in _STEPS_OF_A_REPLACEMENT]
    for code in ("VMStartTimedOut", "VMExtensionProvisioningError"):
        if getattr(failures, code) >= CERTAIN and at_once and all(to_distribution(s).is_zero for s in steps):
            yield Issue(
                (*place, "failures", "reaction"),
                f"a VM that fails with {code} would be replaced for ever without time passing",
                f'give reaction or one of {list_words(_STEPS_OF_A_REPLACEMENT)} some time, such as "1s"',
                related_paths=tuple((*place, "durations", step) for step in _STEPS_OF_A_REPLACEMENT),
            )
    if failures.InternalOperationError < CERTAIN:
        return
    related: tuple[Path, ...] = ((*place, "failures", "InternalOperationError"),)
    if at_once and (group.retry.attempts == 1 or group.retry.backoff == 0):
        yield Issue(
            (*place, "failures", "reaction"),
            "a delete that always fails would be asked for again for ever without time passing",
            'give reaction some time, such as "1s"',
            related_paths=(*related, (*place, "retry")),
        )
    if group.guest_crash is not None and to_distribution(group.guest_crash.detection).is_zero:
        yield Issue(
            (*place, "guest_crash", "detection"),
            "a restart that always fails would be asked for again for ever without time passing",
            'give detection some time, such as "1s"',
            related_paths=related,
        )
