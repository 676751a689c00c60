"""The catalogue: what sizes there are, and what an hour of each costs where and under which term."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sim.catalog.disks import DISK_KINDS, TIER_GIB, tier_gib, tier_key
from sim.catalog.sizes import Size, close_sizes, region_key, size_key
from sim.catalog.terms import PAY_AS_YOU_GO, Term
from sim.errors import CatalogueError
from sim.fields.defaults import TRUSTED, Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a block of prices came from, when it was read, under which licence, and how far to trust it."""

    source: str
    read: str  # date of reading, YYYY-MM-DD
    licence: str
    trust: Trust
    note: str = ""

    @property
    def is_trusted(self) -> bool:
        """Whether a bill may rest on it: a list price, an imported one or the user's own, no estimate and no stand-in."""
        return self.trust in TRUSTED

    @property
    def words(self) -> str:
        """How far to trust it, and where it is from."""
        return f"{self.trust}; {self.note or self.source}" + (f", read {self.read}" if self.read else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one hour of a size costs under one term in one region."""

    size: str
    region: str
    term: Term
    per_h: float
    currency: str
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPrice:
    """What a managed disk of one tier costs a month."""

    tier: str
    gib: int
    region: str
    per_month: float
    currency: str
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBlock:
    """Prices of one region read together: a row of figures per size, one column per term, None where unknown."""

    region: str
    provenance: Provenance
    terms: tuple[Term, ...]
    per_h: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskBlock:
    """Monthly disk prices by tier, good for some regions."""

    regions: tuple[str, ...]
    provenance: Provenance
    per_month: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressBlock:
    """What a static public IPv4 address costs an hour, good for some regions."""

    regions: tuple[str, ...]
    provenance: Provenance
    per_h: float


OTHER_METERS: Mapping[str, str] = MappingProxyType(  # meters of no size and no tier, and what their prices are per
    {
        "disk-operations.hdd": "10K operations",
        "disk-operations.ssd": "10K operations",
        "snapshot.standard": "GB month",
        "snapshot.premium": "GB month",
        "license.windows": "vCPU hour",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterBlock:
    """Prices of some of OTHER_METERS, each per the unit stated there, good for some regions."""

    regions: tuple[str, ...]
    provenance: Provenance
    per_unit: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Sizes and prices as the platform sells them; every question it can't answer raises `CatalogueError`."""

    name: str  # for messages: "the bundled catalogue" or the file
    currency: str
    sizes: Mapping[str, Size]
    price_blocks: tuple[PriceBlock, ...]  # an earlier block wins, so overrides stand first
    disk_blocks: tuple[DiskBlock, ...] = ()
    address_blocks: tuple[AddressBlock, ...] = ()
    meter_blocks: tuple[MeterBlock, ...] = ()
    adjusted: str = ""  # how its prices differ from the list's, in words: converted, discounted
    regions: tuple[str, ...] = field(init=False, repr=False, compare=False)  # with VM prices, in the order of the file
    _names: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names", {size_key(name): name for name in self.sizes})
        object.__setattr__(self, "regions", tuple(dict.fromkeys(block.region for block in self.price_blocks)))

    # --- sizes and regions

    def get_size(self, name: str) -> Size:
        """The size a user means, whatever the case; unknown: an error that names close ones."""
        found = self._names.get(size_key(name))
        if found is None:
            near, has = close_sizes(name, self.sizes), f"it has {len(self.sizes)} sizes, like Standard_D4s_v5"
            meant = f"did you mean {', '.join(near)}?" if near else has
            raise CatalogueError(f"size {name!r} is not in {self.name}: {meant}")
        return self.sizes[found]

    def get_region(self, name: str) -> str:
        """The region as the API writes it; unknown: an error that names close ones and all there are."""
        key = region_key(name)
        if key in self.regions:
            return key

        near = difflib.get_close_matches(key, self.regions, n=2, cutoff=0.6)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise CatalogueError(
            f"region {name!r} is not in {self.name}: {meant}It has {', '.join(self.regions)}; "
            "`vmfleet prices import` makes a catalogue of another region"
        )

    def sizes_in(self, region: str) -> tuple[str, ...]:
        """Names of the sizes with any price in a region."""
        region = self.get_region(region)
        return tuple(dict.fromkeys(n for block in self.price_blocks if block.region == region for n in block.per_h))

    # --- compute

    def find_price(self, size: str, region: str, term: Term | str) -> Price | None:
        """The price if the catalogue has it, else None; unknown sizes, regions and terms are errors all the same."""
        name, region, term = self.get_size(size).name, self.get_region(region), _term(term)
        for block in self.price_blocks:
            if block.region == region and term in block.terms and name in block.per_h:
                figure = block.per_h[name][block.terms.index(term)]
                if figure is not None:
                    return Price(
                        size=name,
                        region=region,
                        term=term,
                        per_h=figure,
                        currency=self.currency,
                        provenance=block.provenance,
                    )
        return None

    def price(self, size: str, region: str, term: Term | str) -> Price:
        """The price of an hour; an error says which terms and regions are known for the size."""
        found = self.find_price(size, region, term)
        if found is None:
            raise CatalogueError(self._missing(self.get_size(size).name, self.get_region(region), _term(term)))
        return found

    def price_per_h(self, size: str, region: str, term: Term | str) -> float:
        """The bare figure of `price`."""
        return self.price(size, region, term).per_h

    def licence_per_h(self, size: str, region: str, *, priority: str = "regular") -> float:
        """The part of a Windows hour that is the licence: what Windows pays more than Linux."""
        terms = PAY_AS_YOU_GO[priority]
        windows, linux = self.price(size, region, terms["windows"]), self.price(size, region, terms["linux"])
        if windows.per_h < linux.per_h:
            raise CatalogueError(
                f"{windows.size} in {windows.region}: {terms['windows']} {windows.per_h} is below {terms['linux']} "
                f"{linux.per_h}, so the licence would be negative; give both prices"
            )
        return windows.per_h - linux.per_h

    def _missing(self, name: str, region: str, term: Term) -> str:
        here = [t for t in Term if self.find_price(name, region, t)]
        elsewhere = [r for r in self.regions if r != region and self.find_price(name, r, term)]
        has = f"it has {', '.join(here)} there" if here else "it has no price there at all"
        other = f"; {', '.join(elsewhere)} {'has' if len(elsewhere) == 1 else 'have'} that price" if elsewhere else ""
        return (
            f"no {term} price for {name} in {region} in {self.name}: {has}{other}; "
            f'give one with [prices.override."{name}"] {term} = ..., or import a price list'
        )

    # --- disks and addresses

    def disk(self, tier: str, region: str) -> DiskPrice:
        """The price of a managed disk tier (`P10`, `E15`, `S40`, `P10_ZRS`)."""
        key, region, gib = tier_key(tier), self.get_region(region), tier_gib(tier)
        if gib is None:
            raise CatalogueError(_no_such_tier(tier))
        for block in self.disk_blocks:
            if region in block.regions and key in block.per_month:
                return DiskPrice(
                    tier=key, gib=gib, region=region, per_month=block.per_month[key], currency=self.currency,
                    provenance=block.provenance,
                )  # fmt: skip
        raise CatalogueError(
            f"no price for disk tier {key} in {region} in {self.name}: give its month's price with [prices.override_disks], or "
            "import pages with the region's Storage meters too"
        )

    def public_ip(self, region: str) -> tuple[float, Provenance]:
        """Price per hour of a static public IPv4 address, and where it came from."""
        region = self.get_region(region)
        for block in self.address_blocks:
            if region in block.regions:
                return block.per_h, block.provenance
        raise CatalogueError(f"no price for a public IP in {region} in {self.name}: import the region's IP meters too")

    def public_ip_per_h(self, region: str) -> float:
        """The bare figure of `public_ip`."""
        return self.public_ip(region)[0]

    def other_meter(self, name: str, region: str) -> tuple[float, Provenance]:
        """Price of one unit of one of OTHER_METERS, and where it came from; of another region's price that it is a stand-in."""
        blocks = [block for block in self.meter_blocks if name in block.per_unit]
        if not blocks:
            raise CatalogueError(f"no price for {name} in {self.name}")
        own = next((block for block in blocks if region_key(region) in block.regions), None)
        block = own or blocks[0]
        source = block.provenance
        if own is None and source.is_trusted:
            source = replace(source, trust=Trust.STAND_IN, note=f"the price of {', '.join(block.regions)}")
        return block.per_unit[name], source

    # --- what the user knows better

    def with_overrides(self, region: str, overrides: Mapping[str, Mapping[str, float]]) -> Catalogue:
        """The same catalogue with the user's own prices for some sizes in one region; what they don't name stays.

        Keys, each per hour: `linux` (alone, it leaves the licence as it was, so Windows moves along), `windows`, `spot`
        (Linux; Windows spot follows at the same discount), `spot_linux`, `spot_windows`, `reservation_1y`,
        `reservation_3y`, `savings_plan_1y`, `savings_plan_3y`.
        """
        region = self.get_region(region)
        rows: dict[str, Sequence[float | None]] = {}
        estimates: dict[str, Sequence[float | None]] = {}
        for wanted, prices in overrides.items():
            name = self.get_size(wanted).name
            given, derived, is_trusted = self._override_row(name, region, prices)
            rows[name] = [(given | derived if is_trusted else given).get(term) for term in Term]
            if derived and not is_trusted:
                estimates[name] = [derived.get(term) for term in Term]
        provenance = Provenance(source="the scenario's prices.override", read="", licence="", trust=Trust.USER)
        note = "your Linux price and this list's estimate for Windows"
        estimated = replace(provenance, trust=Trust.ESTIMATE, note=note)
        blocks = (
            PriceBlock(region=region, provenance=source, terms=tuple(Term), per_h=own)
            for source, own in ((provenance, rows), (estimated, estimates))
            if own
        )
        changed = replace(self, price_blocks=(*blocks, *self.price_blocks))
        for name in rows:
            for priority, terms in PAY_AS_YOU_GO.items():
                if all(changed.find_price(name, region, term) for term in terms.values()):
                    changed.licence_per_h(name, region, priority=priority)  # raises where it would be negative
        return changed

    def with_disk_overrides(self, region: str, per_month: Mapping[str, float]) -> Catalogue:
        """The same catalogue with the user's own monthly prices of some disk tiers in one region."""
        months: dict[str, float] = {}
        problems = []
        for tier, price in per_month.items():
            key = tier_key(tier)
            if tier_gib(key) is None:
                problems.append(_no_such_tier(tier))
            elif key in months:
                problems.append(f"disk tier {key} has two prices")
            months[key] = price
        if problems:
            raise CatalogueError("\n".join(problems))
        provenance = Provenance(source="the scenario's prices.override_disks", read="", licence="", trust=Trust.USER)
        own = DiskBlock(regions=(self.get_region(region),), provenance=provenance, per_month=months)
        return replace(self, disk_blocks=(own, *self.disk_blocks)) if months else self

    def _override_row(
        self, name: str, region: str, prices: Mapping[str, float]
    ) -> tuple[dict[Term, float], dict[Term, float], bool]:
        """The prices given, those that follow from them by the list, and whether the list's Windows prices are trusted."""
        given = {Term(key): float(value) for key, value in prices.items() if key != "spot"}
        if "spot" in prices:
            given.setdefault(Term.SPOT_LINUX, float(prices["spot"]))
        found = {term: price for term in Term if (price := self.find_price(name, region, term))}
        listed = {term: price.per_h for term, price in found.items()}
        derived: dict[Term, float] = {}
        if Term.LINUX in given and {Term.LINUX, Term.WINDOWS} <= listed.keys():
            derived[Term.WINDOWS] = given[Term.LINUX] + (listed[Term.WINDOWS] - listed[Term.LINUX])
        regular = listed | derived | given
        if "spot" in prices and regular.get(Term.LINUX) and Term.WINDOWS in regular:
            derived[Term.SPOT_WINDOWS] = regular[Term.WINDOWS] * given[Term.SPOT_LINUX] / regular[Term.LINUX]
        derived = {term: price for term, price in derived.items() if term not in given}
        is_trusted = Term.WINDOWS in given or Term.WINDOWS not in found or found[Term.WINDOWS].provenance.is_trusted
        return given, derived, is_trusted


def _no_such_tier(tier: str) -> str:
    numbers = ", ".join(f"{number} ({capacity} GiB)" for number, capacity in TIER_GIB.items())
    kinds = ", ".join(f"{letter} ({kind})" for letter, kind in DISK_KINDS.items())
    return f"disk tier {tier!r} does not exist: a tier is {kinds} and one of {numbers}; S starts at 4"


def _term(term: Term | str) -> Term:
    try:
        return Term(term)
    except ValueError:
        raise CatalogueError(f"price term {term!r} does not exist: it is one of {', '.join(Term)}") from None
