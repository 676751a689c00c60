"""Which meter a row of a cost export is of, and what the list asks for it; a row that no rule knows is listed, with why.

A meter is matched whole and its unit must fit. Its kind follows from the meter, never from the service category: exports
derive that from the resource, so that a VM's disk, transfer, licence and snapshots all come as Compute.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sim.billing.disks import month_price
from sim.billing.export_rows import PURCHASE, REFUND, TAX, UNUSED, USAGE, Sku
from sim.billing.meter_kinds import METERS
from sim.catalog.catalogue import OTHER_METERS, Catalogue
from sim.catalog.disks import tier_gib
from sim.catalog.form import load_bundled
from sim.catalog.sizes import arm_name, region_key
from sim.catalog.terms import PAY_AS_YOU_GO
from sim.errors import CatalogueError

OTHER, COMMITMENT = "other", "commitment"
_Found = TypeVar("_Found")
KINDS = ("compute", "license", "disk", "ip", "disk-operations", "snapshot", "bandwidth", COMMITMENT, OTHER)

_SIZE = (
    r"(?:(?:Standard|Basic)[_ ])?[A-Z]{1,4}\d+(?:-\d+)?[a-z]*(?:[ _][A-Z]{1,4}\d+[a-z]*)?(?:[ _]v\d+)?(?:[ _]Promo)?"
)
_SIZES = re.compile(rf"({_SIZE}(?: ?/ ?{_SIZE})*)( Spot| Low Priority)?")
_DISK = re.compile(r"([PES]\d{1,4})(?: (?:LRS|(ZRS)))?(?: Disks?)?")
_OPERATIONS = re.compile(r"(?:[PES]\d+ )?(?:Disk Transactions )?(?:LRS |ZRS )?Disk Operations")
_SNAPSHOTS = re.compile(r"(?:LRS|ZRS) Snapshots?")
_LICENSE = re.compile(r"(\d{1,6}) vCPU VM License")
_UNIT = re.compile(r"(?:([\d,.]+)\s*(K|M)?\s*)?/?\s*(.*)", re.IGNORECASE)
_METER_REGIONS = {
    "euwest": "westeurope", "eunorth": "northeurope", "useast": "eastus", "frcentral": "francecentral",
    "becentral": "belgiumcentral", "plcentral": "polandcentral",
}  # fmt: skip


class Key(NamedTuple):
    """What makes VMs, disks or addresses alike for the rating."""

    region: str
    size: str = ""
    os: str = "linux"
    priority: str = "regular"
    disk: str = ""
    address: bool = False
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A meter that a row was found to be of. *price* is of one *unit*, in the catalogue's currency; listed rows have none."""

    kind: str
    name: str
    region: str = ""
    unit: str = ""
    scale: float = 1.0  # units for each of the row's own
    price: float | None = None
    is_trusted: bool = True  # its price is a list's, imported or the user's own, no estimate and no stand-in
    per_month: bool = False  # hours of it cost the month's price over the hours of their calendar month
    key: Key | None = None  # where the rating by clock hour knows it too
    counts: tuple[str, ...] = ()  # which hours of the key: billed, licensed, existing
    reason: str = ""  # why it isn't rated

    @property
    def is_rated(self) -> bool:
        """Whether the list knows its price."""
        return not self.reason


class _NotRated(Exception):
    def __init__(self, reason: str, kind: str = OTHER) -> None:
        self.reason, self.kind = reason, kind
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Classifier:
    """Finds the meters of rows against one price list."""

    catalogue: Catalogue
    region: str  # where a row names none
    rate: float = 1.0  # units of the catalogue's currency per USD, for prices that it borrows

    def meter(self, sku: Sku) -> Meter:
        """The meter that rows of this kind are of."""
        sku = _with_meter(sku)
        try:
            return self._rated(sku)
        except _NotRated as why:
            return Meter(kind=why.kind, name=sku.product or sku.meter or sku.service or sku.charge, reason=why.reason)

    def _rated(self, sku: Sku) -> Meter:
        own = sku.meter.split(".")[0] if "." in sku.meter and sku.meter.split(".")[0] in METERS else ""
        _refuse_charges(sku, own)
        if own:
            return self._ours(sku, own)
        for rule in (self._license, self._disk, self._operations, self._snapshot, self._address, self._vm):
            found = rule(sku)
            if found is not None:
                return found
        if sku.category.lower() == "bandwidth" or "Data Transfer" in sku.meter:
            raise _NotRated("transfer is priced in tiers by zone, which the list doesn't have")
        raise _NotRated(f"no list here for the meter {sku.meter or sku.product!r}")

    # --- the platform's meters

    def _vm(self, sku: Sku) -> Meter | None:
        found = _SIZES.fullmatch(sku.meter)
        if sku.category.lower() != "virtual machines" or not (found or (sku.size and not sku.meter)):
            return None
        scale = _scale(sku, "hour")
        if found and found[2] == " Low Priority":
            raise _NotRated("low-priority VMs have no list price any more")
        is_spot = sku.is_spot or bool(found and found[2])
        on_meter = [arm_name(each) for each in found[1].split("/")] if found else []
        size = sku.size or on_meter[0]
        words = f"{sku.subcategory} {sku.product}"
        # A commitment covers the infrastructure: the licence of a covered VM has a row of its own.
        os = "windows" if "Windows" in words and not sku.commitment else "linux"
        return self._compute(size, os, "spot" if is_spot else "regular", sku, scale, with_license=True)

    def _compute(self, size: str, os: str, priority: str, sku: Sku, scale: float, *, with_license: bool) -> Meter:
        """VM hours; *with_license*: the price is for the machine and the operating system together."""
        region = self._region(sku)
        has_license = os == "windows" and with_license
        term = PAY_AS_YOU_GO[priority]["windows" if has_license else "linux"]
        price = self._asked(lambda: self.catalogue.price(size, region, term))
        return Meter(
            kind="compute", name=f"compute.{price.size}.{os}.{priority}", region=region, unit="VM hour", scale=scale,
            price=price.per_h, is_trusted=price.provenance.is_trusted, key=Key(region, price.size, os, priority),
            counts=("billed", "licensed") if has_license else ("billed",),
        )  # fmt: skip

    def _license(self, sku: Sku) -> Meter | None:
        if "license" not in sku.category.lower() and "vm license" not in sku.meter.lower():
            return None
        found = _LICENSE.fullmatch(sku.meter)
        if not found or "Windows" not in f"{sku.subcategory} {sku.product}":
            raise _NotRated("software licences other than Windows have no list here")
        vcpus = int(found[1])
        price, is_trusted = self._other("license.windows", sku)
        return Meter(
            kind="license", name=f"license.windows.{sku.size or f'{vcpus}-vcpu'}", region=self._region(sku),
            unit="VM hour", scale=_scale(sku, "hour"), price=round(vcpus * price, 12), is_trusted=is_trusted,
        )  # fmt: skip

    def _disk(self, sku: Sku) -> Meter | None:
        found = _DISK.fullmatch(sku.meter)
        if not found or tier_gib(found[1]) is None:
            return None
        tier = found[1] + ("_ZRS" if found[2] else "")
        region = self._region(sku)
        price = self._asked(lambda: self.catalogue.disk(tier, region))
        return Meter(
            kind="disk", name=f"disk.{price.tier}", region=region, unit="disk month", scale=_scale(sku, "month"),
            price=price.per_month, is_trusted=price.provenance.is_trusted, key=Key(region, disk=price.tier),
            counts=("existing",),
        )  # fmt: skip

    def _operations(self, sku: Sku) -> Meter | None:
        if not _OPERATIONS.fullmatch(sku.meter):
            return None
        media = re.search(r"\b(HDD|SSD)\b", f"{sku.product} {sku.subcategory}")
        if not media:
            raise _NotRated("which kind of disk the operations are of isn't said")
        name = f"disk-operations.{media[1].lower()}"
        return self._of_other("disk-operations", name, sku, _scale(sku, "operations"))

    def _snapshot(self, sku: Sku) -> Meter | None:
        if not _SNAPSHOTS.fullmatch(sku.meter):
            return None
        name = "snapshot.premium" if "Premium" in f"{sku.subcategory} {sku.product}" else "snapshot.standard"
        return self._of_other("snapshot", name, sku, _scale(sku, "gb month"))

    def _of_other(self, kind: str, name: str, sku: Sku, scale: float) -> Meter:
        """One of OTHER_METERS."""
        price, is_trusted = self._other(name, sku)
        return Meter(
            kind=kind, name=name, region=self._region(sku), unit=OTHER_METERS[name], scale=scale, price=price,
            is_trusted=is_trusted,
        )  # fmt: skip

    def _address(self, sku: Sku) -> Meter | None:
        if "Public IP" not in sku.meter:
            return None
        if sku.meter != "Standard IPv4 Static Public IP":
            raise _NotRated("of public addresses, the list has the Standard static IPv4 only")
        return self._public_ip(sku, _scale(sku, "hour"))

    def _public_ip(self, sku: Sku, scale: float) -> Meter:
        region = self._region(sku)
        price, source = self._asked(lambda: self.catalogue.public_ip(region))
        return Meter(
            kind="ip", name="network.public_ip", region=region, unit="address hour", scale=scale, price=price,
            is_trusted=source.is_trusted, key=Key(region, address=True), counts=("existing",),
        )  # fmt: skip

    # --- our own meters

    def _ours(self, sku: Sku, kind: str) -> Meter:
        words = sku.meter.split(".")
        scale = _scale(sku, "hour")
        if kind == "compute":
            os = sku.image.lower() or "linux"
            return self._compute(sku.size, os, "spot" if sku.is_spot else "regular", sku, scale, with_license=False)
        if kind == "license":
            return self._our_license(sku, scale)
        if kind == "disk":
            region, tier = self._region(sku), words[1]
            disk = f"{sku.base}>{tier}" if sku.base else tier
            price = self._asked(lambda: month_price(self.catalogue, disk, region))
            is_trusted = self.catalogue.disk(tier, region).provenance.is_trusted
            return Meter(
                kind="disk", name=sku.meter, region=region, unit="disk hour", scale=scale, price=price, per_month=True,
                is_trusted=is_trusted, key=Key(region, disk=disk), counts=("existing",),
            )  # fmt: skip
        if sku.meter == "network.public_ip":
            return self._public_ip(sku, scale)
        raise _NotRated(f"the list has no price for the meter {sku.meter}", kind if kind in KINDS else OTHER)

    def _our_license(self, sku: Sku, scale: float) -> Meter:
        region = self._region(sku)
        priority = "spot" if sku.is_spot else "regular"
        price = self._asked(lambda: self.catalogue.licence_per_h(sku.size, region, priority=priority))
        is_trusted = self.catalogue.price(sku.size, region, PAY_AS_YOU_GO[priority]["windows"]).provenance.is_trusted
        return Meter(
            kind="license", name=sku.meter, region=region, unit="VM hour", scale=scale, price=price,
            is_trusted=is_trusted, key=Key(region, sku.size, "windows", priority), counts=("licensed",),
        )  # fmt: skip

    # --- both

    def _other(self, name: str, sku: Sku) -> tuple[float, bool]:
        """Price and trust of a meter of no size and no tier; a list without any (an import) borrows the bundled ones."""
        has_own = bool(self.catalogue.meter_blocks)
        listed = self.catalogue if has_own else load_bundled()
        price, source = self._asked(lambda: listed.other_meter(name, self._region(sku)))
        return price * (1.0 if has_own else self.rate), source.is_trusted

    def _region(self, sku: Sku) -> str:
        key = region_key(sku.region or self.region)
        return _METER_REGIONS.get(key, key)

    def _asked(self, ask: Callable[[], _Found]) -> _Found:
        try:
            return ask()
        except CatalogueError as missing:
            raise _NotRated(re.split("[:;] ", str(missing))[0]) from None  # without what to do about it


def _refuse_charges(sku: Sku, own: str) -> None:
    """Charges that are no usage of a meter, each with its reason."""
    if own == COMMITMENT:
        raise _NotRated("what a commitment costs; the usage that it pays is rated", COMMITMENT)
    if sku.charge == UNUSED:
        raise _NotRated("the unused part of a commitment", COMMITMENT)
    if sku.charge == PURCHASE and (sku.commitment or "Reserved VM Instance" in sku.product):
        raise _NotRated("the purchase of a commitment; the usage that it pays is rated", COMMITMENT)
    if sku.charge == TAX:
        raise _NotRated("tax")
    if sku.publisher:
        raise _NotRated(f"marketplace: sold by {sku.publisher}")
    if "support" in f"{sku.category} {sku.service}".lower():
        raise _NotRated("support")
    if sku.charge in (REFUND, "credit", "adjustment", "roundingadjustment"):
        raise _NotRated("a refund or an adjustment without a meter")
    if sku.charge != USAGE:
        raise _NotRated(f"a {sku.charge}, no usage")


def _with_meter(sku: Sku) -> Sku:
    """Where columns are missing (FOCUS without those of the provider): category and meter from the product's words.

    A product is written `subcategory - meter - region`: "Virtual Machines Dsv5 Series - D4s v5 - EU West".
    """
    parts = [part.strip() for part in sku.product.split(" - ") if part.strip()]
    if not sku.category:
        by_name = parts and parts[0].startswith("Virtual Machines ") and "Licen" not in sku.product
        if by_name or (sku.service == "Virtual Machines" and (sku.size or _SIZES.fullmatch(sku.meter))):
            sku = sku._replace(category="Virtual Machines")
    if sku.meter or len(parts) < 2:
        return sku
    rest = parts[1:]
    if rest[0] in ("LRS", "ZRS") and len(rest) > 1:
        return sku._replace(meter=f"{rest[0]} {rest[1]}")
    if _DISK.fullmatch(rest[0]) and "Managed Disks" in parts[0]:
        zones = " ZRS" if "ZRS" in rest[0] or rest[1:2] == ["ZRS"] else ""
        return sku._replace(meter=rest[0].split(" ")[0] + (zones or " LRS") + " Disk")
    return sku._replace(meter=rest[0])


_DIMENSIONS = {
    "hour": "hour", "hours": "hour", "h": "hour", "hr": "hour", "month": "month", "months": "month", "units/month": "month",
    "gb/month": "gb month", "gib/month": "gb month", "gb-month": "gb month", "transactions": "operations", "operations": "operations",
    "": "", "units": "", "unit": "",
}  # fmt: skip


def parse_unit(text: str) -> tuple[str, float]:
    """The dimension of a unit and how many of it one is.

    >>> parse_unit("10 Hours"), parse_unit("1/Month"), parse_unit("10K"), parse_unit("1 GB/Month")
    (('hour', 10.0), ('month', 1.0), ('', 10000.0), ('gb month', 1.0))
    """
    found = _UNIT.fullmatch(text.strip())
    assert found is not None
    try:
        number = float((found[1] or "1").replace(",", ""))
    except ValueError:
        return text, 1.0
    number *= {"K": 1e3, "M": 1e6}.get((found[2] or "").upper(), 1.0)
    rest = found[3].strip().lower()
    return _DIMENSIONS.get(rest, rest), number


def _scale(sku: Sku, wanted: str) -> float:
    """How many hours, months or blocks of 10,000 operations one of the row's units is; a unit that doesn't fit is refused."""
    dimension, number = parse_unit(sku.unit)
    if wanted == "operations":
        if dimension in ("", "operations") and sku.has_blocks and number == 1.0 and dimension == "":
            return 1.0  # "Units" of the price: blocks
        if dimension in ("", "operations"):
            return number / 1e4
    elif dimension == wanted or not sku.unit:
        return number
    raise _NotRated(f"its unit {sku.unit!r} doesn't fit a meter counted by the {wanted}")
