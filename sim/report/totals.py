"""The two wholes that the report takes apart, hours and money, rounded once so that every figure and table agrees."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sim.errors import ResultError
from sim.fields.numbers import Scale, hours_scale, money_scale
from sim.fields.rounding import RoundedTable, rounded_parts
from sim.lifecycle.policy import get_policy
from sim.lifecycle.power import PowerState
from sim.report.folder import ReportedRun
from sim.runs.group_costs import OF_NO_GROUP, SLACK, group_costs
from sim.runs.metrics import FLEET

MOST_GROUPS = 40  # rows of a table by group; the others together make the last row


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursParts:
    """VM-hours by state, billed hours split into ready while needed and idle; all numbers are as shown and add up."""

    scale: Scale
    states: Sequence[PowerState]
    served: Sequence[float]  # by state: ready while needed; only Running is
    unserved: Sequence[float]  # billed but idle
    unbilled: Sequence[float]

    @property
    def billed_total(self) -> float:
        """All billed hours."""
        return round(sum(self.served) + sum(self.unserved), self.scale.decimals)

    @property
    def total(self) -> float:
        """All hours of all VMs."""
        return round(self.billed_total + sum(self.unbilled), self.scale.decimals)

    def of(self, index: int) -> float:
        """All hours in one state."""
        return round(self.served[index] + self.unserved[index] + self.unbilled[index], self.scale.decimals)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyParts:
    """Money by group and meter; all numbers are as shown and add up."""

    scale: Scale
    groups: Sequence[str]  # names of the rows, `OF_NO_GROUP` the last of them, if anything
    meters: Sequence[str]
    table: RoundedTable
    members: Sequence[tuple[str, ...]] = ()  # the groups of each row; "" is what belongs to none

    def lines(self, run: ReportedRun) -> list[float]:
        """The amount of each line of the mean invoice, rounded so that lines make up their group's meter as shown.

        Raises ResultError if they don't make it up.
        """
        row_of = {group: row for row, groups in enumerate(self.members) for group in groups}
        column_of = {meter: column for column, meter in enumerate(self.meters)}
        cells: dict[tuple[int, int], list[int]] = {
            (row, column): []
            for row, amounts in enumerate(self.table.cells)
            for column, amount in enumerate(amounts)
            if amount
        }
        for number, line in enumerate(run.stored.mean_bill):
            if line.amount:
                place = row_of.get(line.group, -1), column_of.get(line.kind, -1)
                cells.setdefault(place, []).append(number)
        shown = [0.0] * len(run.stored.mean_bill)
        for (row, column), numbers in cells.items():
            total = self.table.cells[row][column] if min(row, column) >= 0 else 0.0
            amounts = [run.stored.mean_bill[number].amount for number in numbers]
            for number, amount in zip(numbers, rounded_parts(self.scale, amounts, total), strict=True):
                shown[number] = amount
        return shown


def shares(values: Sequence[float]) -> list[str]:
    """Parts of a whole in per cent, as shown: they add up to 100, and something is never shown as nothing."""
    total = math.fsum(values)
    if total <= 0:
        return ["" for _ in values]
    scale = Scale(unit="%", decimals=1)
    shown = rounded_parts(scale, [100 * value / total for value in values], 100.0)
    return [
        f"<\N{NO-BREAK SPACE}{scale.with_unit(0.1)}" if value > 0 and part == 0 else scale.with_unit(part)
        for value, part in zip(values, shown, strict=True)
    ]


def hours_parts(run: ReportedRun) -> HoursParts:
    """Take the fleet's hours apart. Raises ResultError if billed hours aren't those of the billed states."""
    policy = get_policy(run.policy)
    hours = {s: run.mean(f"hours.{s}") for s in PowerState if run.mean(f"hours.{s}") > 0}
    everything = math.fsum(hours.values())
    scale = hours_scale(everything)
    billed = math.fsum(h for state, h in hours.items() if policy.bills(state))
    if abs(billed - run.mean("billed_hours")) > SLACK * max(1.0, billed):
        raise ResultError(
            f"{run.stored.folder / 'summary.json'}: billed_hours is {run.mean('billed_hours')!r}, but the states that "
            f"policy {policy.name} bills make up {billed!r}"
        )
    served = min(run.mean("served_hours"), hours.get(PowerState.RUNNING, 0.0))
    # All hours, billed ones and served ones are shown as they round; what is left between them is their difference.
    served_shown = scale.rounded(served)
    unserved_shown = scale.rounded(billed) - served_shown
    idle = {s: h - served if s is PowerState.RUNNING else h for s, h in hours.items() if policy.bills(s)}
    rest = {s: h for s, h in hours.items() if not policy.bills(s)}
    idle_shown = _shown(scale, idle, unserved_shown)
    rest_shown = _shown(scale, rest, scale.rounded(everything) - scale.rounded(billed))
    return HoursParts(
        scale=scale,
        states=tuple(hours),
        served=[served_shown if state is PowerState.RUNNING else 0.0 for state in hours],
        unserved=[idle_shown.get(state, 0.0) for state in hours],
        unbilled=[rest_shown.get(state, 0.0) for state in hours],
    )


def _shown(scale: Scale, exact: dict[PowerState, float], total: float) -> dict[PowerState, float]:
    return dict(zip(exact, rounded_parts(scale, list(exact.values()), total), strict=True)) if exact else {}


def money_parts(run: ReportedRun) -> MoneyParts:
    """Take the bill apart. Raises ResultError if its meters or groups don't make up the total."""
    total, (members, names) = run.mean("cost.total"), _rows(run)
    costs = group_costs(run.mean, members)
    if costs.has_rest:
        names, members = [*names, OF_NO_GROUP], [*members, (FLEET,)]
    return MoneyParts(
        scale=money_scale(total, run.currency), groups=names, meters=costs.meters, table=costs.table, members=members
    )


def _rows(run: ReportedRun) -> tuple[list[tuple[str, ...]], list[str]]:
    every = list(run.groups)
    if len(every) <= MOST_GROUPS:
        return [(group,) for group in every], every
    by_cost = sorted(every, key=lambda group: -run.mean("cost.total", group))
    first, rest = by_cost[: MOST_GROUPS - 1], by_cost[MOST_GROUPS - 1 :]
    return [*((group,) for group in first), tuple(rest)], [*first, f"{len(rest):,} other groups"]
