"""The cost of a run by group and kind of meter, rounded so that what is shown adds up: the same in the terminal and in the report."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sim.billing.meter_kinds import METERS
from sim.errors import ResultError
from sim.fields.numbers import money_scale
from sim.fields.rounding import RoundedTable, rounded_parts, rounded_table
from sim.runs.metrics import FLEET

Mean = Callable[[str, str], float]
"""The mean of a metric of a group; "" is the fleet."""
OF_NO_GROUP = "commitments"  # the row of what belongs to no group
SLACK = 1e-6  # relative; what a sum in a result may differ from its total by


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCosts:
    """Costs as shown; *has_rest*: a last row has what belongs to no group."""

    meters: Sequence[str]
    table: RoundedTable
    has_rest: bool


def group_costs(mean: Mean, members: Sequence[Sequence[str]]) -> GroupCosts:
    """The table of rows of groups, from the mean of a metric of a group. Raises ResultError if its parts don't make up the total."""
    total = mean("cost.total", FLEET)
    meters = [meter for meter in METERS if mean(f"cost.{meter}", FLEET) != 0] or ["compute"]
    cells = [[math.fsum(mean(f"cost.{meter}", group) for group in row) for meter in meters] for row in members]
    of_fleet = [mean(f"cost.{meter}", FLEET) for meter in meters]
    if abs(math.fsum(of_fleet) - total) > SLACK * max(1.0, abs(total)):
        raise ResultError(f"cost.total is {total!r}, but its parts make up {math.fsum(of_fleet)!r}")
    rest = [whole - math.fsum(row[place] for row in cells) for place, whole in enumerate(of_fleet)]
    rest = [0.0 if abs(each) <= SLACK * max(1.0, abs(total)) else each for each in rest]
    has_rest = not cells or any(rest)
    if has_rest:
        cells.append(rest)
    table = rounded_table(
        money_scale(total, ""), cells, total, [costs_shown(mean)[f"cost.{meter}"] for meter in meters]
    )
    return GroupCosts(meters=meters, table=table, has_rest=has_rest)


def costs_shown(mean: Mean, least: int = 0) -> dict[str, float]:
    """The metrics of a fleet's cost by meter as every view shows them: rounded once, so that they add up to the total.

    *least*: decimals that they have at least, in a file.
    """
    total = mean("cost.total", FLEET)
    exact = {f"cost.{meter}": mean(f"cost.{meter}", FLEET) for meter in METERS}
    scale = money_scale(total, "")
    scale = replace(scale, decimals=max(least, scale.decimals))
    return dict(zip(exact, rounded_parts(scale, [*exact.values()], total), strict=True))


def bounds_shown(mean: float, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """An interval's bounds beside a mean that is rounded to add up with others: they hold it, if by a cent more."""
    return None if low is None else min(low, mean), None if high is None else max(high, mean)


def mean_in(summary: Mapping[str, Any]) -> Mean:
    """The mean of a metric of a group in a `summary.json`; 0 where there is none."""

    def mean(metric: str, group: str) -> float:
        metrics = summary["groups"][group]["metrics"] if group else summary["metrics"]
        return float(metrics.get(metric, {}).get("mean") or 0.0)

    return mean
