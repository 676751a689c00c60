"""`--fail-if CONDITION`: a command ends with exit status 3 where its result meets a condition, for scripts and pipelines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

# start-up: a command imports what it needs when it runs, so that `vmfleet --help` loads no numpy
if TYPE_CHECKING:
    from sim.scenario.scenario import Scenario
    from sim.studies.constraints import Replicated

MET = 3
OPTION = "--fail-if"


def conditions_of(
    words: Sequence[str] | None, scenarios: Sequence[Scenario]
) -> Callable[[Mapping[str, tuple[Replicated, float]]], None]:
    """The check to make when results are there, by name with their confidence; it leaves with status 3 where one meets a condition.

    Raises InputError, before anything is simulated, where a condition is none, or a scenario lacks its metric or group.
    """
    from sim.studies.constraints import FEASIBLE, parse_constraint

    conditions = [parse_constraint(each, OPTION) for each in words or ()]
    for condition in conditions:
        if condition.note:
            typer.echo(f"note: {condition.note}", err=True)
        for scenario in scenarios:
            condition.check(OPTION, scenario)

    def check(results: Mapping[str, tuple[Replicated, float]]) -> None:
        is_met = False
        for condition in conditions:
            for name, (result, confidence) in results.items():
                if not result.has(condition.metric, condition.group):
                    typer.echo(f"note: {OPTION} {condition.words}: {name} has no value of this metric", err=True)
                    continue
                found = condition.judge(result, 1 - confidence)
                if not found.holds:
                    continue
                is_met = True
                shown = [f"{value:.6g}" for value in (found.estimate, found.low, found.high) if value is not None]
                between = f", {100 * confidence:g} % interval {' to '.join(shown[1:])}" if shown[1:] else ""
                typer.echo(
                    f"{name}: {condition.words} is true: {'share of replications' if condition.is_share_of_replications else 'mean'} {shown[0]}{between}"
                    f"{'' if found.answer == FEASIBLE else '; the interval does not decide it'}",
                    err=True,
                )
        if is_met:
            raise typer.Exit(MET)

    return check
