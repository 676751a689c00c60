"""What the keys of a scenario must be to each other: rules over a file whose every single value is sound.

A rule names the places it looked at, so that nothing is said of a place that is already known to be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from sim.catalog import Catalogue, Term, tier_gib
from sim.catalog.disks import TIER_GIB
from sim.errors import CatalogueError
from sim.experiment.scenario_faults import Found
from sim.experiment.scenario_lines import Path
from sim.experiment.scenario_model import (
    Group,
    ReservationSection,
    SavingsPlanSection,
    ScenarioFile,
)
from sim.experiment.scenario_quantities import shares, to_distribution
from sim.experiment.scenario_wording import list_words, show_value
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import PowerState
from sim.units import format_duration

DEMANDS = ("schedule", "cycle", "arrivals")
SHORTEST_CYCLE_S = 1.0
LONGEST_HORIZON_S = 100 * 365.25 * 86400
MOST_RETRIES_AT_ONCE = 100
CERTAIN = 0.999  # a probability so high that what answers it at once hardly ever ends
_STEPS_OF_A_REPLACEMENT = ("allocating", "starting", "deleting")


def check_file(file: ScenarioFile) -> Iterator[Found]:
    """Everything that two or more keys of the file contradict each other in."""
    yield from _clock(file)
    yield from _unique_names("group", [group.name for group in file.groups])
    yield from _unique_names("commitment", [commitment.name for commitment in file.commitments])
    for number, group in enumerate(file.groups):
        place: Path = ("group", number)
        yield from _demand(group, place)
        yield from _what_it_is(group, place, file)
        yield from _timing(group, place)


def _clock(file: ScenarioFile) -> Iterator[Found]:
    if file.horizon_s > LONGEST_HORIZON_S:
        yield _found(
            ("horizon",), f"{format_duration(file.horizon_s)} is longer than a hundred years", "simulate less"
        )
    if file.warm_up_s >= file.horizon_s:
        yield _found(
            ("warm_up",),
            f"{format_duration(file.warm_up_s)} leaves nothing of the horizon of {format_duration(file.horizon_s)}",
            "the warm-up must end before the horizon",
            about=(("horizon",),),
        )


def _unique_names(section: str, names: list[str]) -> Iterator[Found]:
    for number, name in enumerate(names):
        if name in names[:number]:
            first = names.index(name) + 1
            yield _found(
                (section, number, "name"),
                f"{show_value(name)}: [[{section}]] number {first} has this name already",
                "every name is given once",
                about=((section, first - 1, "name"),),
            )


def _demand(group: Group, place: Path) -> Iterator[Found]:
    given = [key for key in DEMANDS if getattr(group, key) is not None]
    if len(given) > 1:
        yield _found(
            (*place, given[1]),
            f"{given[0]} and {given[1]} contradict each other",
            "a group has at most one of schedule, cycle, arrivals, trace",
        )
    has_count = "count" in group.model_fields_set
    if group.arrivals is not None and has_count and group.count > 0:
        yield _found(
            (*place, "count"),
            f"{group.count}: count and arrivals contradict each other",
            "leave count out: VMs come by arrivals; or make the VMs of t = 0 a group of their own",
        )
    if group.arrivals is None and group.count == 0:
        yield _found((*place, "count"), "0: the group is empty", "give it 1 VM or more, or arrivals")
    if group.arrivals is not None:
        yield from _arrivals(group, (*place, "arrivals"))
    if group.cycle is not None:
        mean_s = to_distribution(group.cycle.on).mean + to_distribution(group.cycle.off).mean
        if mean_s < SHORTEST_CYCLE_S:
            yield _found(
                (*place, "cycle"),
                f"on and off take {format_duration(mean_s)} together on average, so the cycle would turn without time passing",
                f"make them {format_duration(SHORTEST_CYCLE_S)} or longer together",
                about=((*place, "cycle", "on"), (*place, "cycle", "off")),
            )


def _arrivals(group: Group, place: Path) -> Iterator[Found]:
    arrivals = group.arrivals
    assert arrivals is not None
    given = [key for key in ("rate", "hourly", "weekly") if getattr(arrivals, key) is not None]
    keys = tuple((*place, key) for key in ("rate", "hourly", "weekly"))
    if len(given) != 1:
        found = " and ".join(given) if given else "none"
        yield _found(place, f"exactly one of rate, hourly, weekly is needed; given: {found}", "", about=keys)
    elif sum(arrivals.rates_per_h) == 0:
        yield _found((*place, given[0]), "no VM would ever arrive: the group is empty", "give a rate above 0")
    batch = arrivals.batch
    if batch is None:
        return
    if len(batch.sizes) != len(batch.weights):
        yield _found(
            (*place, "batch"),
            f"there are {len(batch.sizes)} sizes and {len(batch.weights)} weights",
            "give one weight for each size",
            about=((*place, "batch", "sizes"), (*place, "batch", "weights")),
        )
    else:
        try:
            shares(batch.weights)
        except ValueError as error:
            yield _found((*place, "batch", "weights"), *str(error).split("; ", 1))


def _what_it_is(group: Group, place: Path, file: ScenarioFile) -> Iterator[Found]:
    if group.hybrid_benefit and group.os != "windows":
        yield _found(
            (*place, "hybrid_benefit"),
            f'true: there is no Windows licence to bring with os = "{group.os}"',
            'write os = "windows", or leave hybrid_benefit out',
            about=((*place, "os"),),
        )
    if group.when_off != "hibernate":
        return
    if PowerState.HIBERNATED not in BILLING_POLICIES[file.billing_policy].knows:
        knowing = [name for name, policy in BILLING_POLICIES.items() if PowerState.HIBERNATED in policy.knows]
        yield _found(
            (*place, "when_off"),
            f'"hibernate": billing policy "{file.billing_policy}" does not know Hibernated',
            f'write billing_policy = "{knowing[0]}", or when_off = "deallocate"',
            about=(("billing_policy",),),
        )
    if group.priority == "spot":
        yield _found(
            (*place, "when_off"),
            '"hibernate": spot VMs cannot hibernate',
            'write when_off = "deallocate", or priority = "regular"',
            about=((*place, "priority"),),
        )


def _timing(group: Group, place: Path) -> Iterator[Found]:
    retry = group.retry
    both_given = {"backoff", "max_backoff"} <= retry.model_fields_set
    if both_given and retry.max_backoff < retry.backoff:
        yield _found(
            (*place, "retry", "max_backoff"),
            f"{format_duration(retry.max_backoff)} is below backoff = {format_duration(retry.backoff)}",
            "write a max_backoff of at least the backoff",
            about=((*place, "retry", "backoff"),),
        )
    if retry.attempts > MOST_RETRIES_AT_ONCE and not (retry.backoff > 0 and retry.max_backoff > 0):
        yield _found(
            (*place, "retry", "backoff"),
            f'"0s": {retry.attempts} attempts would follow each other without time passing',
            'write a backoff such as "1min"',
            about=((*place, "retry", "attempts"), (*place, "retry", "max_backoff")),
        )
    crash = group.guest_crash
    if crash is not None and to_distribution(crash.time_between).mean < SHORTEST_CYCLE_S:
        yield _found(
            (*place, "guest_crash", "time_between"),
            "the guest would crash again without time passing",
            f"make it {format_duration(SHORTEST_CYCLE_S)} or longer",
        )
    yield from _endless_failure(group, place)


def _endless_failure(group: Group, place: Path) -> Iterator[Found]:
    """Failures that are certain, and answered so fast that the clock stands still between one and the next."""
    failures, durations = group.failures, group.durations
    at_once = to_distribution(failures.reaction).is_zero
    steps = [getattr(durations, step) for step in _STEPS_OF_A_REPLACEMENT]
    for code in ("VMStartTimedOut", "VMExtensionProvisioningError"):
        if getattr(failures, code) >= CERTAIN and at_once and all(to_distribution(s).is_zero for s in steps):
            yield _found(
                (*place, "failures", "reaction"),
                f"a VM that fails with {code} would be replaced for ever without time passing",
                f'give reaction or one of {list_words(_STEPS_OF_A_REPLACEMENT)} some time, such as "1s"',
                about=tuple((*place, "durations", step) for step in _STEPS_OF_A_REPLACEMENT),
            )
    if failures.InternalOperationError < CERTAIN:
        return
    about: tuple[Path, ...] = ((*place, "failures", "InternalOperationError"),)
    if at_once and (group.retry.attempts == 1 or group.retry.backoff == 0):
        yield _found(
            (*place, "failures", "reaction"),
            "a delete that always fails would be asked for again for ever without time passing",
            'give reaction some time, such as "1s"',
            about=(*about, (*place, "retry")),
        )
    if group.guest_crash is not None and to_distribution(group.guest_crash.detection).is_zero:
        yield _found(
            (*place, "guest_crash", "detection"),
            "a restart that always fails would be asked for again for ever without time passing",
            'give detection some time, such as "1s"',
            about=about,
        )


# --- against the price list -----------------------------------------------------------------------------------------


_LIST: tuple[Path, ...] = (("prices", "catalogue"), ("prices", "override"))


def check_sizes(file: ScenarioFile, catalogue: Catalogue) -> Iterator[Found]:
    """Every size the catalogue does not know, wherever the fleet is."""
    for place, size in _sizes(file):
        if (unknown := _ask(catalogue.get_size, size)) is not None:
            yield _found(place, *unknown, value=size, about=_LIST)


def check_prices(file: ScenarioFile, catalogue: Catalogue) -> Iterator[Found]:
    """Every price the file takes that the catalogue does not have; the region is known to be there."""
    region = file.prices.region
    about = (*_LIST, ("prices", "region"))
    for number, group in enumerate(file.groups):
        place: Path = ("group", number)
        what = (*about, (*place, "os"), (*place, "priority"), (*place, "hybrid_benefit"))
        yield from _unpriced((*place, "size"), group.size, _terms(group), region, catalogue, what)
        for position, tier in enumerate(group.disks):
            if tier_gib(tier) is None:
                yield _found(
                    (*place, "disks", position),
                    f"{show_value(tier)}: there is no such disk tier",
                    _tiers_near(tier),
                    value=tier,
                )
            elif (unknown := _ask(catalogue.disk, tier, region)) is not None:
                yield _found((*place, "disks", position), *unknown, value=tier, about=about)
        if group.public_ip and (unknown := _ask(catalogue.public_ip, region)) is not None:
            yield _found((*place, "public_ip"), *unknown, value=True, about=about)
    for number, commitment in enumerate(file.commitments):
        if not isinstance(commitment, SavingsPlanSection):
            place = ("commitment", number)
            term = (
                f"reservation_{commitment.term}" if isinstance(commitment, ReservationSection) else Term.LINUX
            )
            what = (*about, (*place, "term"), (*place, "kind"))
            yield from _unpriced((*place, "size"), commitment.size, (term,), region, catalogue, what)


def _sizes(file: ScenarioFile) -> Iterator[tuple[Path, str]]:
    for number, group in enumerate(file.groups):
        yield ("group", number, "size"), group.size
    for number, commitment in enumerate(file.commitments):
        if not isinstance(commitment, SavingsPlanSection):
            yield ("commitment", number, "size"), commitment.size


def _unpriced(
    place: Path, size: str, terms: Iterable[str], region: str, catalogue: Catalogue, about: tuple[Path, ...]
) -> Iterator[Found]:
    if _ask(catalogue.get_size, size) is not None:
        return  # told by `check_sizes`
    for term in terms:
        if (missing := _ask(catalogue.price, size, region, term)) is not None:
            yield _found(place, *missing, value=size, about=about)
            return


def _tiers_near(tier: str) -> str:
    """Tiers below and above one that does not exist."""
    found = re.fullmatch(r"([PES])(\d+)", tier.strip().upper())
    if found is None:
        return "tiers are P1 to P80, E1 to E80 and S4 to S80"
    numbers = [n for n in TIER_GIB if tier_gib(f"{found[1]}{n}") is not None]
    near = [
        max((n for n in numbers if n < int(found[2])), default=None),
        min((n for n in numbers if n > int(found[2])), default=None),
    ]
    return "did you mean " + list_words(f'"{found[1]}{n}"' for n in near if n is not None) + "?"


def _terms(group: Group) -> Iterable[str]:
    """Prices that rating this group takes."""
    spot = "spot_" if group.priority == "spot" else ""
    return (
        (f"{spot}linux", f"{spot}windows")
        if group.os == "windows" and not group.hybrid_benefit
        else (f"{spot}linux",)
    )


def _ask(question: Callable[..., object], *about: str) -> tuple[str, str] | None:
    """The catalogue's objection as problem and hint; None if it has the answer."""
    try:
        question(*about)
    except CatalogueError as error:
        problem, _, hint = str(error).partition(": ")
        return problem, hint
    return None


def _found(
    path: Path, problem: str, hint: str = "", *, value: object = None, about: tuple[Path, ...] = ()
) -> Found:
    return Found(path, problem, hint, value, about)
