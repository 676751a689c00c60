"""The price list of a scenario: in its currency, with the discount that was negotiated and the prices of the user's own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath

from sim.billing.conversion import Conversion, conversion, converted
from sim.catalog import Catalogue, Size, currencies, load, load_bundled
from sim.catalog.sizes import size_key
from sim.errors import CatalogueError
from sim.fields.issues import Issue, Path
from sim.scenario.file_model import Prices, ScenarioFile
from sim.scenario.price_rules import takes_size


def open_catalogue(file: ScenarioFile, folder: FilePath) -> tuple[Catalogue | None, list[Issue]]:
    """The price list that a scenario is rated with, and what is wrong with it; None: there is none."""
    prices = file.prices
    try:
        listed = load_bundled() if prices.catalogue is None else load(folder / prices.catalogue)
    except (CatalogueError, ValueError) as error:
        return None, [Issue(("prices", "catalogue"), str(error).splitlines()[0], "", prices.catalogue)]
    at = rate_of(prices, listed)
    if isinstance(at, Issue):
        return None, [at]
    assert at.rate is not None
    catalogue = converted(listed, prices.currency, at.rate, prices.discount, _adjustments(prices, listed, at))
    regions: list[str] = []
    for place, region in _regions(file):
        try:
            regions.append(catalogue.get_region(region))
        except CatalogueError as error:
            problem, _, hint = str(error).partition(": ")
            return catalogue, [Issue(place, problem, hint, region)]
    for region in dict.fromkeys(regions):
        try:
            catalogue = catalogue.with_disk_overrides(region, prices.override_disks)
        except CatalogueError as error:
            return catalogue, [Issue(("prices", "override_disks"), line, "") for line in str(error).splitlines()]
    return _with_own_sizes(file, catalogue, tuple(dict.fromkeys(regions)))


def rate_of(prices: Prices, listed: Catalogue) -> Conversion | Issue:
    """What the list's prices are multiplied by, or what is wrong with the currency asked for."""
    given = prices.exchange_rate
    if prices.currency == listed.currency:
        if given in (None, 1.0):
            return conversion(listed.currency, prices.currency)
        problem = f"{given:g}: {listed.name} is in {listed.currency} already, so nothing is converted"
        return Issue(("prices", "exchange_rate"), problem, "leave it out, or name another currency", given)
    if listed.currency != "USD":
        said = f'"{prices.currency}": {listed.name} is in {listed.currency}'
        return Issue(("prices", "currency"), said, f'write currency = "{listed.currency}"', prices.currency)
    at = conversion(listed.currency, prices.currency, given)
    if at.rate is None:
        said = f'"{prices.currency}": there is no rate for it'
        hint = f"give exchange_rate ({prices.currency} per USD), or take one of {', '.join(currencies())}"
        return Issue(("prices", "currency"), said, hint, prices.currency)
    return at


def _adjustments(prices: Prices, listed: Catalogue, at: Conversion) -> str:
    """What was done to the list's prices, in words: a rate is stated with its source wherever its figures are."""
    words = []
    if prices.currency != listed.currency:
        words.append(f"converted at {at.rate:g} {prices.currency} per {listed.currency} ({at.source})")
    if prices.discount:
        words.append(f"{100 * prices.discount:g} % off pay-as-you-go prices")
    return ", ".join(words)


def _regions(file: ScenarioFile) -> Iterator[tuple[Path, str]]:
    """Every region that something is in, and the key that says so."""
    yield ("prices", "region"), file.prices.region
    for number, group in enumerate(file.groups):
        if group.region is not None:
            yield ("group", number, "region"), group.region
    for number, commitment in enumerate(file.commitments):
        if commitment.own_region is not None:
            yield ("commitment", number, "region"), commitment.own_region
    for number, pool in enumerate(file.platform.hosts if file.platform is not None else ()):
        if pool.region is not None:
            yield ("platform", "hosts", number, "region"), pool.region


def _with_own_sizes(
    file: ScenarioFile, catalogue: Catalogue, regions: tuple[str, ...]
) -> tuple[Catalogue, list[Issue]]:
    """The list with the user's own prices, which hold in every region, and with sizes that only these know."""
    prices = file.prices
    known = {size_key(name) for name in catalogue.sizes}
    own = {
        name: Size(name=name, family=None, vcpus=None, memory_gib=None)
        for name in prices.override
        if size_key(name) not in known and takes_size(file, name)
    }
    catalogue = replace(catalogue, sizes={**catalogue.sizes, **own}) if own else catalogue
    overrides = {
        size: given.model_dump(exclude_none=True)
        for size, given in prices.override.items()
        if size in own or size_key(size) in known  # the others are reported by `check_overrides`
    }
    found: dict[str, Issue] = {}
    for region in regions if overrides else ():
        try:
            catalogue = catalogue.with_overrides(region, overrides)
        except CatalogueError as error:
            found |= {line: Issue(("prices", "override"), line, "") for line in str(error).splitlines()}
    return catalogue, list(found.values())
