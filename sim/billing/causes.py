"""Why two bills differ: the difference of their totals by cause, in whole nano-dollars that add up to it.

The causes take effect one after the other, in the order of `CAUSES`: each is what the bill changes by when its own factor becomes that
of the variant, those before it being the variant's already and those after it still the base's (sequential substitution, as in price
and volume variances; Horngren, *Cost Accounting*, chapters 7 and 14). The cost of a group is

    price x [needed hours x (share of them billed) + other hours x (shares left on by people, and billed otherwise)]

for compute and for licences, with needed hours = VMs x needed hours of each, and other hours = VM time less needed hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from sim.billing.meters import COVERED, BillLine
from sim.billing.money import NANO_PER_USD, exact_price
from sim.errors import AuditError
from sim.usage.ledger import TICKS_PER_HOUR, UsedTicks

Nanos = dict[str, Fraction]  # by cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason for which bills differ."""

    name: str
    label: str
    definition: str


_ROWS = (
    Cause(name="period", label="length of the period", definition="the base's cost in proportion to the simulated time"),
    Cause(
        name="growth", label="number of VMs",
        definition="all of the base's cost in proportion to the number of VMs: over time, of those that come and go by requests, "
        "under autoscale by the VMs asked for; and groups that only one of the two has",
    ),
    Cause(
        name="schedule", label="hours needed",
        definition="longer or shorter hours in which each VM is needed; what VMs do while needed and while not stays as it is",
    ),
    Cause(
        name="when_off", label="state while not needed",
        definition="hours billed while a VM is not needed: kept on, stopped instead of deallocated, or on the way there",
    ),
    Cause(name="forgotten", label="left on by people", definition="hours in which VMs run only because people left them on"),
    Cause(
        name="failures", label="boots and failures",
        definition="the billed share of needed hours: VMs that start, fail, are evicted or wait for hardware or for a retry",
    ),
    Cause(
        name="price", label="price of compute",
        definition="another price of a VM-hour, at the variant's hours: size, region, discount, spot, price list",
    ),
    Cause(
        name="licences", label="price of licences", definition="another price of an hour of software licence, or none at all"
    ),
    Cause(
        name="commitments", label="commitments",
        definition="what commitments cost, less the pay-as-you-go price of the hours that they cover",
    ),
    Cause(
        name="disks", label="disks and addresses",
        definition="disks, addresses and all other meters beyond the number of VMs: which, at what price, how long they exist",
    ),
)  # fmt: skip
CAUSES: Mapping[str, Cause] = {row.name: row for row in _ROWS}
"""In the order in which they take effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CausedCost:
    """What the cost of one group comes from, in one replication."""

    vm_ticks: int = 0  # number of VMs times time
    used: UsedTicks = field(default_factory=UsedTicks)
    lines: tuple[BillLine, ...] = ()

    def joined(self, other: CausedCost) -> CausedCost:
        """Both together: VMs of one group that are rated apart."""
        used = UsedTicks(*(a + b for a, b in zip(self.used, other.used, strict=True)))
        return CausedCost(vm_ticks=self.vm_ticks + other.vm_ticks, used=used, lines=(*self.lines, *other.lines))


def split_difference(
    base: Mapping[str, CausedCost], variant: Mapping[str, CausedCost], period: Fraction
) -> dict[str, dict[str, int]]:
    """Variant minus base in nano-dollars, by group and cause; group "": the lines of the fleet. *period*: ratio of the lengths.

    All parts add up to the difference of the totals; what rounding leaves, at most a nano-dollar a line, is with the largest part.
    """
    exact: dict[str, Nanos] = {}
    net = [Fraction(0), Fraction(0)]  # of commitments: what they cost less what they cover is worth
    for group in {**base, **variant}:
        both = base.get(group, CausedCost()), variant.get(group, CausedCost())
        before, after = (_Factors.of(each) for each in both)
        if group and (both[0] != both[1] or period != 1):
            exact[group] = _parts(before, after, period)
        for place, each in enumerate((before, after)):
            net[place] += each.commitments - each.worth
    exact[""] = {"period": net[0] * (period - 1), "commitments": net[1] - net[0] * period}
    whole = {group: {cause: round(part) for cause, part in parts.items()} for group, parts in exact.items()}
    totals = [sum(line.amount_nano for each in bill.values() for line in each.lines) for bill in (base, variant)]
    left = totals[1] - totals[0] - sum(sum(parts.values()) for parts in whole.values())
    roundings = sum(len(each.lines) + len(CAUSES) for bill in (base, variant) for each in bill.values())
    if abs(left) > roundings + len(CAUSES):
        raise AuditError(f"the causes of a difference in cost don't add up to it: {left} nano-dollars are left")
    group, cause = max(
        ((group, cause) for group, parts in whole.items() for cause in parts), key=lambda at: abs(whole[at[0]][at[1]])
    )
    whole[group][cause] += left
    return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class _Factors:
    """A group's cost in factors, nano-dollars and ticks as exact fractions."""

    vms: int
    needed: int
    billed: tuple[Fraction, ...]  # needed, left on, neither
    licensed: tuple[Fraction, ...]
    price: Fraction  # nano-dollars a tick, before commitments
    licence: Fraction
    worth: Fraction  # of hours that commitments cover
    commitments: Fraction
    others: Fraction

    @classmethod
    def of(cls, cost: CausedCost) -> _Factors:
        of_kind: dict[str, list[BillLine]] = {}
        for line in cost.lines:
            of_kind.setdefault(line.kind, []).append(line)
        compute, licences = of_kind.pop("compute", []), of_kind.pop("license", [])
        commitments, used = _amount(of_kind.pop("commitment", [])), cost.used
        price, licence = _price(compute), _price(licences)
        billed, licensed = _as_rated(used[1:4], compute), _as_rated(used[4:], licences)
        covers = any(line.counts.startswith(COVERED) for line in compute)
        return cls(
            vms=cost.vm_ticks, needed=used.needed, billed=billed, licensed=licensed, price=price, licence=licence,
            worth=price * sum(billed) - _amount(compute) if covers else Fraction(0), commitments=commitments,
            others=sum((_amount(lines) for lines in of_kind.values()), start=Fraction(0)),
        )  # fmt: skip

    def value(self, billed: Sequence[Fraction], licensed: Sequence[Fraction]) -> Fraction:
        """What these hours cost at its prices, without commitments."""
        return self.price * sum(billed) + self.licence * sum(licensed)


def _amount(lines: Sequence[BillLine]) -> Fraction:
    return Fraction(sum(line.amount_nano for line in lines))


def _ticks(lines: Sequence[BillLine]) -> int:
    return sum(round(Fraction(line.quantity) * TICKS_PER_HOUR) for line in lines)


def _price(lines: Sequence[BillLine]) -> Fraction:
    """Nano-dollars a tick, before commitments; the mean where the lines have several prices."""
    paid = [line for line in lines if not line.counts.startswith(COVERED)]
    prices = {line.unit_price for line in paid}
    if len(prices) <= 1:
        return exact_price(prices.pop() if prices else 0.0) * NANO_PER_USD / TICKS_PER_HOUR
    ticks = _ticks(paid)
    return _amount(paid) / ticks if ticks else Fraction(0)


def _as_rated(ticks: Sequence[int], lines: Sequence[BillLine]) -> tuple[Fraction, ...]:
    """Ticks by why, as the lines rate them: fewer in all where each stretch is cut to whole minutes."""
    total, rated = sum(ticks), _ticks(lines)
    # Hours that commitments share are not whole ticks: that is no cut.
    as_counted = not lines or not total or abs(rated - total) <= len(lines)
    share = Fraction(1) if as_counted else Fraction(rated, total)
    return tuple(each * share for each in ticks)


def _parts(base: _Factors, variant: _Factors, period: Fraction) -> Nanos:
    """What each cause changes in one group, without commitments."""
    parts: Nanos = {}
    value, others = base.value(base.billed, base.licensed), base.others
    parts["period"] = (value + others) * (period - 1)
    after = variant.value(variant.billed, variant.licensed)
    if not base.vms or not variant.vms:
        parts["growth"] = after + variant.others - (value + others) * period
        return parts
    growth = variant.vms / (base.vms * period)
    parts["growth"] = (value + others) * period * (growth - 1)
    parts["disks"] = variant.others - others * period * growth
    value *= period * growth
    grown = [[each * period * growth for each in ticks] for ticks in (base.billed, base.licensed)]
    ends = variant.billed, variant.licensed
    # Of needed hours and of others: before (grown) and after. Others are none where VMs are asked for only while needed.
    needed = base.needed * period * growth, Fraction(variant.needed)
    rest = max(Fraction(0), variant.vms - needed[0]), max(Fraction(0), variant.vms - needed[1])
    hours = [
        [_stretched(each, end, *measure) for each, end, measure in zip(ticks, own, (needed, rest, rest), strict=True)]
        for ticks, own in zip(grown, ends, strict=True)
    ]
    for cause, place in (("schedule", None), ("when_off", 2), ("forgotten", 1), ("failures", 0)):
        if place is not None:
            for ticks, own in zip(hours, ends, strict=True):
                ticks[place] = own[place]
        now = base.value(*hours)
        parts[cause], value = now - value, now
    parts["price"] = (variant.price - base.price) * sum(variant.billed)
    parts["licences"] = (variant.licence - base.licence) * sum(variant.licensed)
    return parts


def _stretched(ticks: Fraction, end: Fraction, before: Fraction, after: Fraction) -> Fraction:
    """Hours in proportion to what they are a part of; a part of nothing has the other's share from the start."""
    if before:
        return ticks * after / before
    return ticks or end
