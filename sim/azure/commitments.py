"""Reservations and savings plans as the cost export shows them, and as the scenario buys them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.azure.charges import CommitmentUse
from sim.azure.scenario_text import ASSUMED, MEASURED, Block, Setting, measured
from sim.azure.scenario_text import number as toml_number
from sim.fields.numbers import how_many
from sim.scenario.writing import toml_value
from sim.units import HOURS_PER_MONTH, HOURS_PER_YEAR

NEAR = 0.1


@dataclass(frozen=True, slots=True)
class FoundCommitment:
    """One commitment, how much of it, and what that rests on."""

    use: CommitmentUse
    quantity: float | None  # units; None for a savings plan
    hourly: float | None  # money; None for a reservation
    rests_on: str
    is_assumed: bool = False

    def as_object(self) -> dict[str, Any]:
        """As the JSON answer has it."""
        use = self.use
        return {
            "name": use.name, "kind": use.kind, "size": use.size or None, "quantity": self.quantity, "hourly": self.hourly,
            "term": use.term, "region": use.region or None, "rests_on": self.rests_on,
        }  # fmt: skip

    def block(self, per_unit: float) -> Block:
        """A `[[commitment]]`; *per_unit*: the export's money in the scenario's."""
        trust = ASSUMED if self.is_assumed else MEASURED
        rows = [Setting("name", toml_value(safe_name(self.use.name))), Setting("kind", toml_value(self.use.kind))]
        if self.quantity is not None:
            rows += [
                measured("size", toml_value(self.use.size), self.use.file),
                Setting("quantity", str(round(self.quantity)), self.rests_on, trust=trust),
            ]
            if self.use.region:
                rows.append(measured("region", toml_value(self.use.region), self.use.file))
        else:
            rows.append(Setting("hourly", toml_number((self.hourly or 0.0) * per_unit, 6), self.rests_on, trust=trust))
        rows.append(measured("term", toml_value(self.use.term), self.use.file))
        return Block("[[commitment]]", rows)


def found_commitments(uses: Mapping[str, CommitmentUse], days: int, warnings: list[str]) -> list[FoundCommitment]:
    """What the file says of each; one of which it says too little is a warning."""
    found = []
    for use in uses.values():
        one = _reservation(use) if use.kind == "reservation" else _plan(use, days)
        if one is None:
            warnings.append(f"commitment {use.name}: how much of it was bought is not in {use.file}: left out")
        elif use.kind == "reservation" and not use.size:
            warnings.append(f"reservation {use.name}: its size is not in {use.file} (only rows that it pays): left out")
        else:
            found.append(one)
    return found


def _reservation(use: CommitmentUse) -> FoundCommitment | None:
    if use.bought:
        on = "" if use.bought_on is None else f" of {use.bought_on.day} {use.bought_on:%B}"
        return FoundCommitment(use, round(use.bought / use.payments), None, f"purchase row{on}, {use.file}")
    hours = 24.0 * len(use.days)
    if use.unit_price and hours:
        units = use.effective / use.unit_price / hours
        whole = abs(units - round(units)) < NEAR
        words = f"used and unused hours of {how_many(len(use.days), 'day')}, {use.file}"
        return FoundCommitment(use, max(1, round(units)), None, words, is_assumed=not whole)
    if use.unit_h and hours:  # fully used, as far as can be seen
        words = f"used hours of {how_many(len(use.days), 'day')}, {use.file}: at least"
        return FoundCommitment(use, max(1, round(use.unit_h / hours)), None, words, is_assumed=True)
    return None


def _plan(use: CommitmentUse, days: int) -> FoundCommitment | None:
    if use.effective and use.days:
        hourly = use.effective / (24.0 * len(use.days))
        return FoundCommitment(
            use, None, hourly, f"used and unused money of {how_many(len(use.days), 'day')}, {use.file}"
        )
    if use.paid:
        hours = HOURS_PER_MONTH if use.is_monthly else HOURS_PER_YEAR * int(use.term[0])
        words = "a month" if use.is_monthly else f"a term of {use.term}"
        words = f"a purchase for {words} ({hours:g} h), {use.file}"
        return FoundCommitment(use, None, use.paid / use.payments / hours, words, is_assumed=days < 28)
    return None


def safe_name(name: str) -> str:
    """A name as the scenario takes them."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name.rsplit("/", 1)[-1]).strip("-_")[:60] or "commitment"
