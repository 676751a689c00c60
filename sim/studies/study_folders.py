"""Result folders of studies that play many scenarios: comparisons, sweeps, searches, sensitivities.

The same promise as for a run: written whole or not at all, by rename.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.runs.atomic_write import COMPARISON, PROVENANCE, new_folder
from sim.runs.provenance import catalogue_facts, input_digest, program
from sim.runs.replication import compile_scenario
from sim.runs.results import write_json, write_table

if TYPE_CHECKING:
    from sim.runs.run_result import RunResult
    from sim.scenario.scenario import Scenario
    from sim.studies.compare import Comparison
    from sim.studies.sensitivity import Sensitivity
    from sim.studies.sizing import Sizing
    from sim.studies.sweep import Sweep


def write_comparison(comparison: Comparison, folder: str | Path) -> Path:
    """comparison.json, every figure of every replication, and each scenario that was played."""
    runs = {"base": comparison.base, **comparison.variants}
    with new_folder(folder) as place:
        write_json(place / COMPARISON, comparison.summary())
        write_json(
            place / PROVENANCE,
            study_provenance(
                {name: run.scenario for name, run in runs.items()},
                study="compare",
                seed=comparison.base.seed,
                replications=comparison.n,
                engine=engine_facts(runs.values()),
                wall_s=sum(run.wall_s for run in runs.values()),
            ),
        )
        write_table(place / "replications", ("variant", "replication", "group", "metric", "value"), _metric_rows(runs))
        write_scenarios(place, {name: run.scenario for name, run in runs.items()})
    return Path(folder)


def write_sweep(sweep: Sweep, folder: str | Path) -> Path:
    """sweep.json, sweep.csv and .parquet (tidy, every metric), and every figure of every replication."""
    rows = list(sweep.rows())
    columns = list(rows[0])
    with new_folder(folder) as place:
        write_json(place / "sweep.json", sweep.summary())
        write_json(
            place / PROVENANCE,
            study_provenance(
                {"scenario": sweep.scenario},
                study="sweep",
                seed=sweep.runs[0].seed,
                replications=sweep.n,
                points=len(sweep.points),
                engine=engine_facts(sweep.runs),
                wall_s=sum(run.wall_s for run in sweep.runs),
            ),
        )
        write_table(place / "sweep", columns, ([row[column] for column in columns] for row in rows))
        write_table(
            place / "replications",
            ("point", "replication", "group", "metric", "value"),
            _metric_rows(dict(enumerate(sweep.runs))),
        )
        write_scenarios(place, {"scenario": sweep.scenario})
    return Path(folder)


def write_sizing(sizing: Sizing, folder: str | Path) -> Path:
    """size.json, and the evidence at every value tried as size.csv and .parquet."""
    rows = list(sizing.rows())
    runs = {str(index): trial.run for index, trial in enumerate(sizing.trials)}
    with new_folder(folder) as place:
        write_json(place / "size.json", sizing.summary())
        write_json(
            place / PROVENANCE,
            study_provenance(
                {"scenario": sizing.scenario},
                study="size",
                seed=sizing.trials[0].run.seed,
                replications=max(run.n for run in runs.values()),
                engine=engine_facts(runs.values()),
                wall_s=sum(run.wall_s for run in runs.values()),
            ),
        )
        write_table(place / "size", list(rows[0]), (list(row.values()) for row in rows))
        write_table(place / "replications", ("trial", "replication", "group", "metric", "value"), _metric_rows(runs))
        write_scenarios(place, {"scenario": sizing.scenario})
    return Path(folder)


def write_sensitivity(found: Sensitivity, folder: str | Path) -> Path:
    """sensitivity.json, and a row a factor as sensitivity.csv and .parquet."""
    with new_folder(folder) as place:
        write_json(place / "sensitivity.json", found.summary())
        facts = {
            "study": f"sensitivity ({found.method})",
            "seed": found.seed,
            "replications": found.replications,
            "points": found.points,
            "engine": engine_facts(found.runs),
        }
        write_json(place / PROVENANCE, study_provenance({"scenario": found.scenario}, wall_s=found.wall_s, **facts))
        write_table(place / "sensitivity", list(found.rows[0]), (list(row.values()) for row in found.rows))
        write_scenarios(place, {"scenario": found.scenario})
    return Path(folder)


def engine_facts(runs: Iterable[RunResult]) -> dict[str, Any]:
    """Which engine was asked for, which played, and why: one reason for each, since figures don't depend on it."""
    why: dict[str, str] = {}
    asked = ""
    for run in runs:
        asked = run.engine_asked
        why.setdefault(run.engine, run.engine_why)
    return {"played": "+".join(sorted(why)), "asked": asked, "why": dict(sorted(why.items()))}


def write_scenarios(place: Path, scenarios: dict[str, Scenario]) -> None:
    """Each scenario as a TOML file, numbered in their order, since names may hold anything."""
    (place / "scenarios").mkdir()
    for index, (name, scenario) in enumerate(scenarios.items()):
        plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)[:60]
        (place / "scenarios" / f"{index:03d}-{plain}.toml").write_text(scenario.to_toml(), encoding="utf-8")


def study_provenance(scenarios: dict[str, Scenario], *, wall_s: float, **facts: object) -> dict[str, Any]:
    """The content of `provenance.json` for a study: what made it, from what, and when."""
    first = compile_scenario(next(iter(scenarios.values())))
    return {
        **program(),
        **facts,
        "scenarios": {
            name: {"name": scenario.name, "digest": input_digest(compile_scenario(scenario))}
            for name, scenario in scenarios.items()
        },
        "catalogue": catalogue_facts(first),
        "timing": {"wall_s": round(wall_s, 3), "written": datetime.now(UTC).isoformat(timespec="seconds")},
    }


def _metric_rows(runs: Mapping[Any, RunResult]) -> Iterator[tuple[object, ...]]:
    for name, run in runs.items():
        for each in run.replications:
            for group, metrics in each.metrics.items():
                for metric, value in metrics.items():
                    yield name, each.number, group, metric, value
