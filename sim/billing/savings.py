"""What an invoice says of its commitments: amortized cost, coverage, utilisation, effective savings rate (FinOps Framework, Rate Optimization).

Compute of regular VMs only: licences, spot VMs and disks are covered by no commitment.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sim.billing.export_rows import UNUSED, USAGE
from sim.billing.invoice import Charge, Invoice

AMORTIZED = "azure-amortized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """Of one commitment, or of all compute. Money in the invoice's currency; None where the export doesn't say."""

    name: str  # "" for all compute
    list: float | None  # what was used, at pay-as-you-go list prices
    covered: float | None  # the part of it that commitments paid, at list
    used: float | None  # what they cost where they were used ...
    unused: float | None  # ... and where not
    paid: float | None  # everything, amortized

    def as_object(self) -> dict[str, Any]:
        """The figures and their ratios."""
        bought = None if self.used is None or self.unused is None else self.used + self.unused
        return {
            "name": self.name, "list": self.list, "covered_list": self.covered, "amortized": self.paid, "used": self.used,
            "unused": self.unused, "coverage": _ratio(self.covered, self.list), "utilisation": _ratio(self.used, bought),
            "effective_savings_rate": None if (share := _ratio(self.paid, self.list)) is None else 1.0 - share,
        }  # fmt: skip


def _sum(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return math.fsum(known) if len(known) == len(amounts) else None


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def savings_of(invoice: Invoice) -> list[Savings]:
    """All compute first, then each commitment; empty where no commitment paid anything."""
    compute = [
        each for each in invoice.rated
        if each.meter.kind == "compute" and each.meter.key is not None and each.meter.key.priority == "regular"
    ]  # fmt: skip
    unused = [each for each in invoice.charges if each.row.sku.charge == UNUSED]
    used = [each for each in compute if each.row.is_used and each.row.sku.charge == USAGE]
    if not used and not unused:
        return []
    is_amortized = invoice.export.format == AMORTIZED
    names = dict.fromkeys(each.row.commitment for each in (*used, *unused))
    return [
        _savings("", compute, used, unused, is_amortized=is_amortized),
        *(_savings(name, own, own, lost, is_amortized=is_amortized)
          for name in names
          for own in [[each for each in used if each.row.commitment == name]]
          for lost in [[each for each in unused if each.row.commitment == name]]),
    ]  # fmt: skip


def _savings(
    name: str, compute: Sequence[Charge], used: Sequence[Charge], unused: Sequence[Charge], *, is_amortized: bool
) -> Savings:
    def cost(charges: Iterable[Charge]) -> float | None:
        return _sum([each.row.cost if is_amortized else each.row.effective for each in charges])

    def at_list(charges: Iterable[Charge]) -> float | None:
        return _sum([each.list_cost for each in charges])

    paid = cost(compute)
    lost = (
        None if paid is None else cost(unused)
    )  # an actual export has no unused parts because it has no amortized costs
    return Savings(
        name=name, list=at_list(compute), covered=at_list(used), used=cost(used), unused=lost,
        paid=None if paid is None or lost is None else paid + lost,
    )  # fmt: skip
