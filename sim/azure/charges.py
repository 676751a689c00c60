"""What a cost export says of each VM, disk and address, day by day, and of discounts and commitments.

Several exports of one period are one period: a charge of a subscription and a day is taken from one of them only.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sim.azure.identity import ADDRESS, DISK, SCALE_SET, VM, Key, parse_id
from sim.azure.inventory import tags_of
from sim.billing.classify import OTHER, Classifier, Meter
from sim.billing.export_rows import PURCHASE, UNUSED, USAGE, Export, ExportRow, Sku
from sim.catalog.catalogue import Catalogue
from sim.catalog.sizes import arm_name, region_key

HOURS_OF_DAY = 24.0
ENOUGH = 0.005  # a discount below half a percent is rounding
_TERM = re.compile(r"^(?:12|36)$|\bp?(?:1|3|12|36) ?(?:y|months?\b)", re.IGNORECASE)


@dataclass(slots=True)
class VmUse:
    """Hours of one VM by day of the year, and what they were of."""

    hours: dict[date, float] = field(default_factory=dict)
    corrected: dict[date, float] = field(default_factory=dict)  # hours taken back
    sizes: dict[str, float] = field(default_factory=dict)  # hours
    region: str = ""
    spot_h: float = 0.0
    licensed: bool = False
    is_windows: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    file: str = ""


@dataclass(slots=True)
class ResourceUse:
    """A disk's or an address's months or hours, its tier, and the days it was there."""

    key: Key
    tier: str = ""
    region: str = ""
    days: dict[date, float] = field(default_factory=dict)  # months of a disk, hours of an address
    list_cost: float = 0.0


@dataclass(slots=True)
class CommitmentUse:
    """What is seen of one commitment."""

    name: str
    kind: str  # reservation | savings-plan
    file: str
    size: str = ""
    region: str = ""
    term: str = "1y"
    bought: float | None = None  # units, from a purchase row
    bought_on: date | None = None
    paid: float = 0.0  # purchases
    is_monthly: bool = True
    months: set[tuple[int, int]] = field(
        default_factory=set
    )  # of purchases: one that is paid by the month has a row in each
    effective: float = 0.0  # used and unused
    unit_price: float | None = None  # effective, of an hour of a unit
    days: set[date] = field(default_factory=set)
    unit_h: float = 0.0

    @property
    def payments(self) -> int:
        """How often the purchase rows name what was bought."""
        return max(1, len(self.months)) if self.is_monthly else 1


@dataclass(slots=True)
class Charges:
    """All that the used exports hold, by resource."""

    vms: dict[Key, VmUse] = field(default_factory=dict)
    disks: dict[Key, ResourceUse] = field(default_factory=dict)
    addresses: dict[Key, ResourceUse] = field(default_factory=dict)
    sets: dict[Key, float] = field(default_factory=dict)  # hours of scale sets, all instances together
    commitments: dict[str, CommitmentUse] = field(default_factory=dict)
    paid: list[float] = field(default_factory=list)  # at negotiated prices, and
    listed: list[float] = field(default_factory=list)  # at list
    others: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # what and why -> costs of rows with no VM
    currency: str = "USD"
    rows: int = 0

    @property
    def discount(self) -> float:
        """Share off list on usage that no commitment covers; 0 where there is none."""
        listed = sum(self.listed)
        found = 1.0 - sum(self.paid) / listed if listed else 0.0
        return found if found > ENOUGH else 0.0


class Reader:
    """Adds rows of exports up."""

    def __init__(self, catalogue: Catalogue, region: str, key: Callable[[Key], Key]) -> None:
        self.found = Charges()
        self.classifier = Classifier(catalogue, region)
        self.key = key
        self._meters: dict[Sku, Meter] = {}
        self._ids: dict[str, Key | None] = {}
        self._taken: set[tuple[str, date]] = set()
        self.last = ""  # the file that was taken last

    def fresh(self, days: Iterable[tuple[str, date]]) -> set[tuple[str, date]]:
        """Days that no export has given yet."""
        return {each for each in days if each not in self._taken}

    def add(self, export: Export, file: str, wanted: Callable[[date], bool], days: Iterable[tuple[str, date]]) -> int:
        """Take the charges of one export of those days that no other has given; the answer is how many there were."""
        free = self.fresh(days)
        free_days = {day for _, day in free}
        taken = 0
        self.found.currency = export.currency
        for row in export.rows:
            day = row.start.date()
            if row.problem:
                taken += 1
                self._other(row, row.problem)
                self.metered(row, Meter(kind=OTHER, name=row.sku.product, reason=row.problem), day)
            elif day in free_days and wanted(day):
                taken += 1
                self._row(row, file, day)
        self._taken |= free
        self.found.rows += taken
        return taken

    def metered(self, row: ExportRow, meter: Meter, day: date) -> None:
        """What a reader wants to know of every row; none here."""

    def _row(self, row: ExportRow, file: str, day: date) -> None:
        sku = row.sku
        meter = self._meters.get(sku)
        if meter is None:
            meter = self._meters[sku] = self.classifier.meter(sku)
        self.metered(row, meter, day)
        if sku.commitment and sku.charge in (USAGE, UNUSED, PURCHASE):
            self._commitment(row, file, day)
        if sku.charge != USAGE:
            self._other(row, sku.charge)
            return
        key = self._ids.get(row.resource)
        if key is None and row.resource not in self._ids:
            key = parse_id(row.resource)
            key = self._ids[row.resource] = self.key(key) if key is not None and key.kind == VM else key
        if key is None:
            self._other(row, meter.reason or "it names no resource")
        elif key.kind == VM and _is_compute(meter, sku):
            self._vm(row, key, meter, file, day)
        elif key.kind == VM and meter.kind == "license":
            self.found.vms.setdefault(key, VmUse()).licensed = True
        elif key.kind == SCALE_SET and _is_compute(meter, sku):
            self.found.sets[key] = self.found.sets.get(key, 0.0) + row.quantity * meter.scale
        elif meter.kind in ("disk", "ip") and key.kind in (DISK, ADDRESS):
            self._resource(row, key, meter, day)
        else:
            self._other(row, meter.reason or f"{meter.kind}: no part of the scenario")
        if meter.is_rated and not sku.commitment and not sku.is_spot and row.list_price and row.price is not None:
            self.found.paid.append(row.quantity * row.price)
            self.found.listed.append(row.quantity * row.list_price)

    def _vm(self, row: ExportRow, key: Key, meter: Meter, file: str, day: date) -> None:
        sku = row.sku
        use = self.found.vms.setdefault(key, VmUse())
        hours = row.quantity * meter.scale
        if hours < 0:  # money given back: what ran, ran
            use.corrected[day] = use.corrected.get(day, 0.0) + hours
            self._other(row, "a correction of a charge: hours are as first invoiced")
            return
        size = meter.key.size if meter.key else sku.size or arm_name(sku.meter.removesuffix(" Spot"))
        use.hours[day] = use.hours.get(day, 0.0) + hours
        use.sizes[size] = use.sizes.get(size, 0.0) + hours
        use.region = use.region or (meter.region or region_key(sku.region))
        use.spot_h += hours if sku.is_spot or sku.meter.endswith(" Spot") else 0.0
        use.licensed = use.licensed or "licensed" in meter.counts
        use.is_windows = use.is_windows or use.licensed or "windows" in sku.image.lower()
        use.id, use.file = use.id or row.resource, use.file or file
        if row.tags and not use.tags:
            use.tags = tags_of(row.tags)

    def finish(self) -> Charges:
        """All that was read; hours beyond a day are those that a correction takes back."""
        for use in self.found.vms.values():
            for day, hours in use.corrected.items():
                if use.hours.get(day, 0.0) > HOURS_OF_DAY + 0.01:
                    use.hours[day] = max(0.0, use.hours[day] + hours)
        return self.found

    def _resource(self, row: ExportRow, key: Key, meter: Meter, day: date) -> None:
        into = self.found.disks if meter.kind == "disk" else self.found.addresses
        use = into.setdefault(key, ResourceUse(key))
        use.days[day] = use.days.get(day, 0.0) + row.quantity * meter.scale
        use.region = meter.region
        use.tier = meter.key.disk if meter.key else ""
        use.list_cost += row.quantity * meter.scale * (meter.price or 0.0)

    def _other(self, row: ExportRow, why: str) -> None:
        self.found.others.setdefault((row.sku.product or row.sku.meter or row.sku.service, why), []).append(row.cost)

    def _commitment(self, row: ExportRow, file: str, day: date) -> None:
        sku = row.sku
        kind = "reservation" if sku.commitment == "reservation" else "savings-plan"
        name = row.commitment or sku.product
        use = self.found.commitments.get(name.lower())
        if use is None:
            use = self.found.commitments[name.lower()] = CommitmentUse(name, kind, file)
        named = re.search(r"(Standard_\w+)", sku.product)
        if sku.charge != USAGE:
            use.size = use.size or (named[1] if named else "")
            use.region = use.region or region_key(sku.region)
        written = _TERM.search(row.term or sku.product)
        if written:  # the rows that it pays have none, or the meter's
            use.term = "3y" if "3" in written[0] else "1y"
        if sku.charge == PURCHASE:
            use.bought = (use.bought or 0.0) + row.quantity
            use.bought_on, use.paid = day, use.paid + row.cost
            use.is_monthly = row.frequency.lower() not in ("one-time", "onetime")
            use.months.add((day.year, day.month))
            return
        paid = row.effective if row.effective is not None else row.cost
        use.effective += paid
        use.days.add(day)
        if sku.charge == UNUSED and row.quantity:
            use.unit_price = paid / row.quantity
        use.unit_h += row.quantity


def _is_compute(meter: Meter, sku: Sku) -> bool:
    """Whether a row counts hours of a VM, also one of a size that the list doesn't have."""
    if meter.kind == "compute":
        return True
    return bool(sku.size) and sku.category.lower() == "virtual machines" and sku.charge == USAGE and not meter.is_rated


def order(formats: Sequence[tuple[int, str]]) -> list[int]:
    """Exports by what they tell, the most telling first: FOCUS has list prices and both costs, amortized ones both parts of commitments."""

    def rank(form: str) -> int:
        return 0 if form.startswith("focus") else 1 if form == "azure-amortized" else 2

    newest_first = sorted(formats, key=lambda each: each[1], reverse=True)
    return [place for place, form in sorted(newest_first, key=lambda each: rank(each[1]))]
