"""Writes the result folder of a study of several runs: as for one run, as a whole or not at all."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.runs.atomic_write import new_folder
from sim.runs.digests import PROVENANCE
from sim.runs.provenance import catalogue_facts, input_digest, program, timing
from sim.runs.result_tables import write_figures, write_json, write_table
from sim.runs.run_result import RunResult
from sim.runs.simulation_input import compile_scenario
from sim.runs.summary_csv import Sheet, write_sheet
from sim.scenario.scenario import Scenario
from sim.units import SECONDS_PER_HOUR

Table = tuple[str, Sequence[str], Iterable[Sequence[object]]]
"""Name of the file, columns, rows."""


def hours_of(scenario: Scenario) -> float:
    """The hours that a scenario's cost is of."""
    return (scenario.horizon_s - scenario.warm_up_s) / SECONDS_PER_HOUR


def period_of(scenarios: Collection[Scenario], varied: Collection[str] = ()) -> dict[str, Any]:
    """For a study's summary: the hours that its costs are of (None where the period itself is varied), and of whether they say a month."""
    if {"horizon", "warm_up"} & set(varied):
        return {"hours": None}
    months = [each.month for each in scenarios]
    worst = min(months, key=lambda month: (month.is_known, not month.words))
    return {"hours": hours_of(next(iter(scenarios))), **worst.as_dict()}


def doubt_in(run: RunResult) -> dict[str, float]:
    """For a study's summary: the share of a run's cost at trusted prices, where that isn't all of it."""
    share = run.estimate("cost.trusted_share").mean
    return {} if share is None or share >= 1.0 else {"trusted_share": share}


def write_study(
    folder: str | Path,
    summary: tuple[str, Mapping[str, Any]],
    scenarios: Mapping[str, Scenario],
    runs: Sequence[RunResult],
    tables: Sequence[Table],
    *,
    figures: tuple[str, Mapping[Any, RunResult]] | None = None,
    sheet: Sheet | None = None,
    **facts: object,
) -> Path:
    """Write a study's summary (file and content; *sheet*: for a spreadsheet), its scenarios and tables.

    *figures*: of these runs every figure of every replication, with the column that tells the runs apart; *facts*, such as its kind, go into `provenance.json`.
    """
    file, content = summary
    with new_folder(folder) as place:
        write_json(place / file, content)
        if sheet is not None:
            write_sheet(place, sheet)
        write_json(place / PROVENANCE, _provenance(scenarios, runs, facts))
        for name, columns, rows in tables:
            write_table(place / name, columns, rows)
        if figures is not None:
            key, own = figures
            write_figures(place, {name: run.replications for name, run in own.items()}, key)
        (place / "scenarios").mkdir()
        for index, (name, scenario) in enumerate(scenarios.items()):  # numbered, since names may hold anything
            plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)[:60]
            (place / "scenarios" / f"{index:03d}-{plain}.toml").write_text(scenario.to_toml(), encoding="utf-8")
    return Path(folder)


def table_of(name: str, rows: Iterable[Mapping[str, object]]) -> Table:
    """A table of rows that all have the same columns."""
    rows = list(rows)
    return name, list(rows[0]), [list(row.values()) for row in rows]


def _provenance(
    scenarios: Mapping[str, Scenario], runs: Sequence[RunResult], facts: Mapping[str, object]
) -> dict[str, Any]:
    compiled = {id(run.scenario): run.inputs for run in runs}
    inputs = {name: compiled.get(id(each)) or compile_scenario(each) for name, each in scenarios.items()}
    return {
        **program(),
        "study": facts["study"],
        "seed": runs[0].seed,
        "replications": max(run.n for run in runs),
        **facts,
        "engine": _engine_facts(runs),
        "scenarios": {
            name: {"name": scenarios[name].name, "digest": input_digest(each)} for name, each in inputs.items()
        },
        "catalogue": catalogue_facts(next(iter(inputs.values()))),
        "timing": timing(sum(run.wall_s for run in runs)),
    }


def _engine_facts(runs: Sequence[RunResult]) -> dict[str, Any]:
    """Which engine was asked for, which ran, and why: one reason for each, since figures don't depend on it."""
    why: dict[str, str] = {}
    for run in runs:
        why.setdefault(run.engine, run.engine_why)
    return {"played": "+".join(sorted(why)), "asked": runs[-1].engine_asked, "why": dict(sorted(why.items()))}
