"""What a scenario needs of the price list: every size, price, disk and address that it takes is there."""

import re
from collections.abc import Callable, Iterable, Iterator

from sim.billing.disks import parse_disk
from sim.catalog import Catalogue, tier_gib
from sim.catalog.disks import TIER_GIB
from sim.catalog.sizes import is_like, size_key
from sim.catalog.terms import PAY_AS_YOU_GO
from sim.errors import CatalogueError
from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words, show_value
from sim.model.demand import DEMAND_KINDS
from sim.scenario.file_model import ScenarioFile
from sim.scenario.resolved_groups import ResolvedGroups

_LIST: tuple[Path, ...] = (("prices", "catalogue"), ("prices", "override"))


def check_sizes(file: ScenarioFile, catalogue: Catalogue) -> Iterator[Issue]:
    """Every size the catalogue does not know, wherever the fleet is."""
    for place, size in _sizes(file):
        if (unknown := _ask(catalogue.get_size, size)) is not None:
            yield Issue(place, *unknown, value=size, related_paths=_LIST)


def takes_size(file: ScenarioFile, size: str) -> bool:
    """Whether a group, a trace's VMs or a commitment may be of a size, whatever its spelling."""
    key = size_key(size)
    if any(size_key(other) == key for _, other in _sizes(file)):
        return True
    for group in file.groups:
        section = group.demand_section
        if section is not None and any(is_like(key, size_key(other)) for other in section.size_patterns(group)):
            return True
    return False


def check_overrides(file: ScenarioFile, catalogue: Catalogue) -> Iterator[Issue]:
    """Own prices for a size that no list has and nothing is of: most likely another one was meant."""
    related: tuple[Path, ...] = (
        _LIST[0],
        *(("group", number, key) for number in range(len(file.groups)) for key in ("size", *DEMAND_KINDS)),
        *(("commitment", number, "size") for number in range(len(file.commitments))),
    )
    for size in file.prices.override:
        if not takes_size(file, size) and (unknown := _ask(catalogue.get_size, size)) is not None:
            problem = f"{unknown[0]}, and no group and no commitment is of it"
            yield Issue(("prices", "override", size), problem, unknown[1], value=size, related_paths=related)


def check_prices(file: ScenarioFile, catalogue: Catalogue, resolved: ResolvedGroups) -> Iterator[Issue]:
    """Every price the file takes that the catalogue does not have; the region is known to be there."""
    listed = (*_LIST, ("prices", "region"))
    for member in resolved.groups:
        place: Path = ("group", member.number)
        what = (*listed, *((*place, key) for key in ("region", "os", "priority", "hybrid_benefit")))
        terms = PAY_AS_YOU_GO[member.priority]
        both = member.group.os == "windows" and not member.group.hybrid_benefit
        priced = terms.values() if both else (terms["linux"],)
        yield from _unpriced(member.size_place, member.size.name, priced, member.region, catalogue, what)
    for number, group in enumerate(file.groups):
        place, region = ("group", number), group.region or file.prices.region
        related = (*listed, (*place, "region"))
        for position, disk in enumerate(group.disks):
            yield from _disk((*place, "disks", position), disk, region, catalogue, related)
        if group.public_ip and (unknown := _ask(catalogue.public_ip, region)) is not None:
            yield Issue((*place, "public_ip"), *unknown, value=True, related_paths=related)
    for number, commitment in enumerate(file.commitments):
        if commitment.priced_at is not None:
            place = ("commitment", number)
            size, term = commitment.priced_at
            what = (*listed, *((*place, key) for key in ("region", "term", "kind")))
            region = commitment.own_region or file.prices.region
            yield from _unpriced((*place, "size"), size, (term,), region, catalogue, what)


def _sizes(file: ScenarioFile) -> Iterator[tuple[Path, str]]:
    for number, group in enumerate(file.groups):
        # The VMs of a trace have sizes of their own, unless the group names one for all.
        if not group.has_own_sizes:
            yield ("group", number, "size"), group.size
    for number, commitment in enumerate(file.commitments):
        if commitment.priced_at is not None:
            yield ("commitment", number, "size"), commitment.priced_at[0]


def _disk(place: Path, disk: str, region: str, catalogue: Catalogue, related: tuple[Path, ...]) -> Iterator[Issue]:
    try:
        tier = parse_disk(disk)
    except CatalogueError as error:
        if ":" in disk:
            problem = str(error).split("; ", 1)[0].removeprefix(f"disk {disk!r}").lstrip(": ")
            problem, hint = (f"{show_value(disk)}: {problem}", 'a kind and GiB look like "E:200"; kinds are P, E and S')
        else:
            problem, hint = f"{show_value(disk)}: there is no such disk tier", _tiers_near(disk)
        yield Issue(place, problem, hint, value=disk)
        return
    if (unknown := _ask(catalogue.disk, tier, region)) is not None:
        yield Issue(place, *unknown, value=disk, related_paths=related)


def _unpriced(
    place: Path, size: str, terms: Iterable[str], region: str, catalogue: Catalogue, related: tuple[Path, ...]
) -> Iterator[Issue]:
    if _ask(catalogue.get_size, size) is not None:
        return  # reported by `check_sizes`
    for term in terms:
        if (missing := _ask(catalogue.price, size, region, term)) is not None:
            yield Issue(place, *missing, value=size, related_paths=related)
            return


def _tiers_near(tier: str) -> str:
    """Tiers below and above one that does not exist."""
    found = re.fullmatch(r"([PES])(\d{1,4})", tier.strip().upper())
    if found is None:
        return 'tiers are P1 to P80, E1 to E80 and S4 to S80; or write kind and GiB, such as "E:200"'
    numbers = [n for n in TIER_GIB if tier_gib(f"{found[1]}{n}") is not None]
    near = [
        max((n for n in numbers if n < int(found[2])), default=None),
        min((n for n in numbers if n > int(found[2])), default=None),
    ]
    return "did you mean " + list_words(f'"{found[1]}{n}"' for n in near if n is not None) + "?"


def _ask(question: Callable[..., object], *related: str) -> tuple[str, str] | None:
    """The catalogue's objection as problem and hint; None if it has the answer."""
    try:
        question(*related)
    except CatalogueError as error:
        problem, _, hint = str(error).partition(": ")
        return problem, hint
    return None
