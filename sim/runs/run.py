"""Replicates a scenario: a given number of times, or until its headline figures are known well enough."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from sim.runs.atomic_write import check_folder, full_disk_explained, unfinished_folder
from sim.runs.cache import RunCache
from sim.runs.options import RunKeywords, RunOptions, options_from
from sim.runs.replication_runner import ReplicationRunner
from sim.runs.results import StoredResult, read
from sim.runs.run_result import RunResult
from sim.runs.stopping import run_until_precise
from sim.runs.warm_up import with_warm_ups
from sim.scenario.scenario import Scenario, load


def run(scenario: Scenario | str | Path, **keywords: Unpack[RunKeywords]) -> RunResult:
    """Replicate a scenario and read its figures; the keywords are the fields of `sim.runs.options.RunOptions`.

    *replications* and *seed* default to the scenario's own. With *precision* (0.01 = 1 %) rounds of replications are
    added until the half-width of every metric in *headlines* is within that share of it, or *replications* (default
    1,000) are there. A `warm_up` of "auto" is found first, in a pilot. *jobs* processes share the work (-1: every core),
    or *workers*, which may be a cluster, and the compiled engine takes *threads* in each; the figures depend on none of them. *events* keeps every event for
    `events.parquet`; *listeners* are called with each, a `sim.runs.listeners.Event`, in order, once its replication is over. With *budget_usd* the summary says how likely the bill exceeds it. Replications in *cache* aren't
    simulated again. A range of *replications* is a shard: `sim.runs.shards.merge` puts shards together. Raises InputError for
    wrong arguments.
    """
    return run_with(loaded(scenario), options_from(keywords, RunKeywords, "run"))


def run_with(scenario: Scenario, options: RunOptions) -> RunResult:
    """The same with the options in one object."""
    options = options.seeded(scenario)
    (scenario,) = with_warm_ups([scenario], options)
    runner = ReplicationRunner(scenario, options)
    if options.precision is None:
        runner.run_until(options.numbers(scenario).stop)
        return runner.result()
    (stopping,) = run_until_precise([runner], options.precision, options.headlines, options.cap)
    return runner.result(stopping)


def run_to_folder(
    scenario: Scenario | str | Path,
    folder: str | Path,
    *,
    resume: bool = False,
    before_writing: Callable[[], None] = lambda: None,
    **keywords: Unpack[RunKeywords],
) -> StoredResult:
    """Run a scenario and write its result folder; finished replications outlive an interruption.

    They are kept beside the folder until it is written. With *resume* they aren't simulated again, and the folder ends
    up with the bits of an undisturbed run. *before_writing* is called when all is simulated. Raises ResultError before the run if the folder can't be written.
    """
    check_folder(folder)
    cache = RunCache(unfinished_folder(folder))
    options = replace(options_from(keywords, RunKeywords, "run_to_folder"), cache=cache)
    if not (resume or options.resume):
        cache.forget()
    with full_disk_explained(folder):
        result = run_with(loaded(scenario), options)
    before_writing()
    result.write(folder)
    cache.forget()
    return read(folder)


def loaded(scenario: Scenario | str | Path) -> Scenario:
    """A scenario, or the one a path names."""
    return load(scenario) if isinstance(scenario, str | Path) else scenario
