"""What is rated and what comes of it: groups of like VMs, lines of a bill, and the bill that adds them up.

A meter is written `<kind>.<detail>`; the kinds are those of `sim.billing.meter_kinds`:

    compute.Standard_D4s_v5.linux.regular      license.windows.Standard_D4s_v5      disk.P10
    network.public_ip                          commitment.ri-d4.used                commitment.ri-d4.unused
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

from sim.billing.money import to_nano, to_usd
from sim.fields.metrics import HIGHER, LOWER, Metric, Unit, add_metrics

# Which of a group's hours a line counts: those left to pay as you go (all, or at one of several prices: "left@0.038"),
# those that one commitment paid ("covered.ri-d4"), those with a licence, from creation to deletion, after deletion.
LEFT, PRICED, COVERED, LICENSED, EXISTING, ORPHANED = "left", "left@", "covered.", "licensed", "existing", "orphaned"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedGroup:
    """A group of like VMs as the price list sees it."""

    name: str
    size: str  # "" for disks and addresses without a VM (a usage file may list them so)
    region: str
    os: str = "linux"  # linux | windows
    priority: str = "regular"  # regular | spot
    hybrid_benefit: bool = False  # the licence is owned already: the non-Windows rate applies
    disks: tuple[str, ...] = ()  # tier ("P10") or kind and GiB ("E:200"), each billed for every VM
    public_ip: bool = False
    keeps_disks: bool = False  # they outlive their VM and go on paying (rated from stays)
    reattaches_disks: bool = False  # and are those of the next VM of that name
    hibernates: bool = False  # the OS disk (the first one) must also hold the memory
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)  # tables that plug-ins add

    def __post_init__(self) -> None:
        if self.os not in ("linux", "windows"):
            raise ValueError(f"group {self.name}: os is {self.os!r}; it is linux or windows")
        if self.priority not in ("regular", "spot"):
            raise ValueError(f"group {self.name}: priority is {self.priority!r}; it is regular or spot")

    @property
    def is_licensed(self) -> bool:
        """Whether the platform sells the Windows licence with the VM."""
        return self.os == "windows" and not self.hybrid_benefit


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One meter of one group (group "" for what belongs to the whole fleet): so much, at so much, makes so much."""

    group: str
    meter: str
    quantity: float
    unit: str
    unit_price: float  # USD per unit
    amount_nano: int  # what is paid, in nano-dollars: sums of lines are exact
    counts: str = ""  # which of the group's hours; "" where it counts no hours of a group, or was read from a file
    trusted: bool = True  # its price is a list price, imported or the user's; not an estimate or a stand-in

    @property
    def kind(self) -> str:
        """The first word of the meter: the kind of meter."""
        return self.meter.split(".", 1)[0]

    @property
    def amount(self) -> float:
        """USD."""
        return to_usd(self.amount_nano)


def line(group: str, meter: str, quantity: float, unit: str, unit_price: float, counts: str = "") -> BillLine:
    """A line of a bill; the only place where a quantity meets its price."""
    return BillLine(
        group=group,
        meter=meter,
        quantity=quantity,
        unit=unit,
        unit_price=unit_price,
        amount_nano=to_nano(quantity, unit_price),
        counts=counts,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentUse:
    """How far one commitment was used over the whole window, in its own unit."""

    name: str
    bought: float
    used: float
    unit: str
    covered: float = 0.0  # VM hours; of a savings plan money, as pay as you go
    could_cover: float = 0.0  # of what was billed
    worth: float = 0.0  # what it covered, as pay as you go
    cost: float = 0.0

    @property
    def coverage(self) -> float | None:
        """Covered over what could have been; None where there was nothing to cover."""
        return self.covered / self.could_cover if self.could_cover > 0 else None

    @property
    def effective_savings_rate(self) -> float | None:
        """What it saved, of what it covered at pay-as-you-go prices; negative where it cost more. None without use."""
        return 1.0 - self.cost / self.worth if self.worth > 0 else None

    @property
    def saved(self) -> float:
        """What it paid less than pay as you go; negative where it cost more."""
        return self.worth - self.cost

    @property
    def used_fraction(self) -> float:
        """Used over bought; 0 for a window of no length."""
        return self.used / self.bought if self.bought > 0 else 0.0

    @property
    def unused_fraction(self) -> float:
        """What is lost because it was not used in its hour."""
        return 1.0 - self.used_fraction if self.bought > 0 else 0.0


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The invoice of one fleet over one window: its lines, their exact sums, and how far commitments were used."""

    lines: tuple[BillLine, ...]
    commitments: Mapping[str, CommitmentUse] = field(default_factory=dict)

    def amount_nano(self, *, group: str | None = None, kind: str | None = None) -> int:
        """Exact sum in nano-dollars over the lines of a group, of a kind, of both, or over all."""
        return self._sums.get((group, kind, False), 0)

    @cached_property
    def _sums(self) -> Mapping[tuple[str | None, str | None, bool], int]:
        """Exact sums by group and kind, None for all of them; of all lines, and of those at trusted prices alone (True)."""
        sums: dict[tuple[str | None, str | None, bool], int] = {}
        for line in self.lines:
            for key in product((line.group, None), (line.kind, None), (False, True) if line.trusted else (False,)):
                sums[key] = sums.get(key, 0) + line.amount_nano
        return sums

    def cost(self, kind: str | None = None, *, group: str | None = None) -> float:
        """USD of one kind of meter (all of them if None), for one group (the whole fleet if None)."""
        return to_usd(self.amount_nano(group=group, kind=kind))

    @property
    def total(self) -> float:
        """USD of everything."""
        return self.cost()

    def trusted_share(self, *, group: str | None = None) -> float:
        """The share of the money that rests on trusted prices; 1 where nothing is paid."""
        total = self.amount_nano(group=group)
        return self._sums.get((group, None, True), 0) / total if total else 1.0


def _of_commitments(rated: Any, figure: str) -> dict[str, float]:
    """A figure of each commitment, for the whole fleet only: commitments belong to no group."""
    uses = rated.bill.commitments if rated.bill_group is None else {}
    return {name: getattr(use, figure) for name, use in uses.items()}


def cost_metric(kind: str, label: str, also: str = "") -> Metric:
    """The metric that sums up a kind of meter."""
    return Metric(
        name=f"cost.{kind}", label=f"cost of {label}", unit=Unit.MONEY, section="cost", better=LOWER,
        definition=f"the sum of the meters of {label}{also and f', {also} among them'}",
        compute=lambda rated: rated.bill.cost(kind, group=rated.bill_group),
    )  # fmt: skip


add_metrics(
    Metric(
        name="cost.total", label="cost", unit=Unit.MONEY, section="cost", better=LOWER, definition="the sum of all meters",
        compute=lambda rated: rated.bill.cost(group=rated.bill_group),
    ),
    Metric(
        name="cost.trusted_share", label="share of the cost at trusted prices", unit=Unit.SHARE, section="ratios",
        better=HIGHER,
        definition="share of the cost at list prices, imported prices or your own; the rest is estimated or a stand-in",
        compute=lambda rated: rated.bill.trusted_share(group=rated.bill_group),
    ),
    Metric(
        name="commitment.<name>.used_fraction", label="utilisation of <name>", unit=Unit.SHARE, section="commitments",
        definition="share of what was bought that was used", better=HIGHER,
        compute=lambda rated: _of_commitments(rated, "used_fraction"),
    ),
    Metric(
        name="commitment.<name>.unused_fraction", label="unused share of <name>", unit=Unit.SHARE, section="commitments",
        definition="share of what was bought that was lost because it was not used in its hour", better=LOWER,
        compute=lambda rated: _of_commitments(rated, "unused_fraction"),
    ),
    Metric(
        name="commitment.<name>.utilisation", label="use of <name>", unit=Unit.SHARE, section="commitments",
        definition="the same as used_fraction, under the name of FinOps practice", better=HIGHER,
        compute=lambda rated: _of_commitments(rated, "used_fraction"),
    ),
    Metric(
        name="commitment.<name>.covered", label="hours or money covered by <name>", unit=Unit.COUNT, section="commitments",
        definition="VM hours that it covered, or held in its room; of a savings plan money at pay-as-you-go prices",
        compute=lambda rated: _of_commitments(rated, "covered"),
    ),
    Metric(
        name="commitment.<name>.could_cover", label="hours or money that <name> could cover", unit=Unit.COUNT, section="commitments",
        definition="billed VM hours that it could have covered; of a savings plan money at pay-as-you-go prices",
        compute=lambda rated: _of_commitments(rated, "could_cover"),
    ),
    Metric(
        name="commitment.<name>.coverage", label="coverage by <name>", unit=Unit.SHARE, section="commitments", better=HIGHER,
        definition="covered over what could have been; none for dedicated hosts",
        ratio_of=("commitment.<name>.covered", "commitment.<name>.could_cover"),
    ),
    Metric(
        name="commitment.<name>.saved", label="saved by <name>", unit=Unit.MONEY, section="commitments", better=HIGHER,
        definition="pay as you go (after discount) of what it covered, less its cost; negative where it cost more",
        compute=lambda rated: _of_commitments(rated, "saved"), is_signed=True,
    ),
    Metric(
        name="commitment.<name>.worth", label="pay as you go of <name>", unit=Unit.MONEY, section="commitments",
        definition="what it covered, at pay-as-you-go prices after discount",
        compute=lambda rated: _of_commitments(rated, "worth"),
    ),
    Metric(
        name="commitment.<name>.effective_savings_rate", label="effective savings rate of <name>", unit=Unit.SHARE,
        section="commitments", better=HIGHER, is_signed=True,
        definition="saved, of what it covered at pay-as-you-go prices; none without use",
        ratio_of=("commitment.<name>.saved", "commitment.<name>.worth"),
    ),
)  # fmt: skip
