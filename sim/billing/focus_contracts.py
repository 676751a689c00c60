"""What FOCUS 1.3 adds to an export: who hosts and who provides, and the contract commitments with what was applied to each.

Contract commitments are a dataset of their own, one row for each reservation and savings plan over its whole term; a charge names
those that it was applied to in `ContractApplied` (FOCUS specification v1.3, datasets/contract_commitment and contractapplied).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from sim.billing.breakdown import Days
from sim.billing.commitments import Reservation, SavingsPlan
from sim.billing.focus import ACCOUNT, COLUMNS, Cell, exact_decimal, kind_of_discount
from sim.billing.money import to_nano
from sim.billing.rating import Rating

PROVIDED = {"HostProviderName": "Microsoft", "ServiceProviderName": "Microsoft"}
COLUMNS_1_3 = tuple(
    sorted(
        {
            *COLUMNS, *PROVIDED, "ContractApplied", "AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId",
            "AllocatedResourceName", "AllocatedTags",
        }
    )
)  # fmt: skip
CONTRACT_COLUMNS = (
    "BillingCurrency", "ContractCommitmentCategory", "ContractCommitmentCost", "ContractCommitmentDescription",
    "ContractCommitmentId", "ContractCommitmentPeriodEnd", "ContractCommitmentPeriodStart", "ContractCommitmentQuantity",
    "ContractCommitmentType", "ContractCommitmentUnit", "ContractId", "ContractPeriodEnd", "ContractPeriodStart",
)  # fmt: skip


def rows_1_3(rows: Iterable[Mapping[str, Cell]]) -> Iterator[dict[str, Cell]]:
    """Rows of FOCUS 1.2 with the columns of 1.3; nothing is allocated, so those columns stay empty."""
    for row in rows:
        yield {**row, **PROVIDED, "ContractApplied": _applied(row)}


def _applied(row: Mapping[str, Cell]) -> str | None:
    """The commitment that a charge was applied to, used or lost: money of a plan, hours of a reservation."""
    name = row.get("CommitmentDiscountId")
    if not name or not row.get("CommitmentDiscountStatus"):
        return None
    element = f'"ContractID": {json.dumps(ACCOUNT)}, "ContractCommitmentID": {json.dumps(name)}'
    if row["CommitmentDiscountCategory"] == "Spend":
        element += f', "ContractCommitmentAppliedCost": {row["EffectiveCost"]}'
    else:
        unit = json.dumps(row["CommitmentDiscountUnit"])
        element += f', "ContractCommitmentAppliedQuantity": {row["CommitmentDiscountQuantity"]}'
        element += f', "ContractCommitmentAppliedUnit": {unit}'
    return f'{{"Elements": [{{{element}}}]}}'


def contract_rows(rating: Rating, start: datetime, *, currency: str = "USD") -> list[dict[str, Cell]]:
    """The contract commitments of a bill, as bought at its first billed clock hour; *start* is the instant of t = 0."""
    days = Days.of(rating, start)
    begin = days.clock + timedelta(hours=days.first_hour)
    rows: list[dict[str, Cell]] = []
    for use in rating.allocation.commitments:
        each = use.commitment
        if not isinstance(each, Reservation | SavingsPlan):
            continue
        end = _years_later(begin, int(each.term[0]))
        hours = (end - begin) / timedelta(hours=1)
        category, kind = kind_of_discount(each)
        if isinstance(each, Reservation):
            an_hour, unit, what = each.quantity, "Hours", f"{each.quantity:g} of {each.size}"
        else:
            an_hour, unit, what = each.hourly_usd, currency, f"{each.hourly_usd:g} {currency} an hour"
        rows.append(
            {
                "BillingCurrency": currency,
                "ContractCommitmentCategory": category,
                "ContractCommitmentCost": exact_decimal(to_nano(an_hour * hours, use.usd_per_unit)),
                "ContractCommitmentDescription": f"{each.name}: {what}, {each.term}",
                "ContractCommitmentId": each.name,
                "ContractCommitmentQuantity": an_hour * hours,
                "ContractCommitmentType": kind,
                "ContractCommitmentUnit": unit,
                "ContractId": ACCOUNT,
                **dict.fromkeys(
                    ("ContractCommitmentPeriodStart", "ContractPeriodStart"), f"{begin:%Y-%m-%dT%H:%M:%SZ}"
                ),
                "ContractCommitmentPeriodEnd": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            }
        )
    ends = [str(row["ContractCommitmentPeriodEnd"]) for row in rows]
    return [row | {"ContractPeriodEnd": max(ends)} for row in rows]


def _years_later(at: datetime, years: int) -> datetime:
    """The same day of a later year; from 29 February, the 28th where there is none."""
    try:
        return at.replace(year=at.year + years)
    except ValueError:
        return at.replace(year=at.year + years, day=28)
