"""Puts shards together: parts of one run's replications, simulated anywhere (`vmfleet run --replications 4000..4999`).

Each replication is a pure function of its number, so the result has the bytes of one run. What is missing, there twice, from
another run or damaged is refused by name.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sim.errors import ResultError, ScenarioError
from sim.fields.plugins import load_plugins
from sim.runs.blocks import Block, Damaged
from sim.runs.cache import read_parts
from sim.runs.digests import check_files
from sim.runs.kept import Replications
from sim.runs.options import MOST_REPLICATIONS
from sim.runs.provenance import how_programs_differ, input_digest, program, program_digest
from sim.runs.remote import shown, url_of
from sim.runs.results import StoredResult, read
from sim.runs.run_result import PARTS, RunResult
from sim.runs.simulation_input import compile_scenario
from sim.runs.warm_up import with_stored_warm_up
from sim.scenario.scenario import Scenario, from_dict


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A result folder with a part of a run's replications."""

    stored: StoredResult
    numbers: range

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.stored.folder

    @property
    def words(self) -> str:
        """The folder and its numbers."""
        return f"{shown(self.folder)} ({self.numbers.start}..{self.numbers.stop - 1})"

    @property
    def origin(self) -> dict[str, Any]:
        """What the shards of one run have in common, in words a reader knows."""
        facts, said = self.stored.provenance, self.stored.summary
        return {
            "program": facts["program"]["digest"],
            "seed": said["seed"],  # before the scenario: a warm-up that is found depends on it
            "scenario": facts["scenario"]["digest"],
            "name": said["scenario"],
            "confidence": said["confidence"],
            "--engine": facts["engine"]["asked"],
            "--budget": said.get("budget", {}).get("usd"),
            "--events": bool(self.blocks[0].events()),
        }

    @property
    def wall_s(self) -> float:
        """How long its replications took."""
        return float(self.stored.provenance["timing"]["wall_s"])

    @cached_property
    def blocks(self) -> list[Block]:
        """Its replications. Raises ResultError where they can't be read, or aren't those that it says it has."""
        try:
            found = [*read_parts(self.folder / PARTS)]
        except (OSError, Damaged) as wrong:
            raise ResultError(
                f"{shown(self.folder)}: its replications can't be read ({wrong}); run the shard again"
            ) from None
        numbers = np.sort(np.concatenate([np.empty(0), *(block.numbers for block in found)]))
        if not np.array_equal(numbers, self.numbers):
            raise ResultError(f"{shown(self.folder)}: holds other replications than it says; run the shard again")
        return found


def check_goal(goal: str | Path, folders: Sequence[str | Path]) -> None:
    """Raise ResultError where the merged result would take the place of a shard: that could not be merged again."""
    for folder in folders:
        if _place(folder) == _place(goal):
            raise ResultError(
                f"{shown(goal)}: is one of the shards, which the result would replace; give another folder"
            )


def _place(folder: str | Path) -> str:
    return (url_of(folder) or os.path.realpath(folder)).rstrip("/")


def merge(folders: Sequence[str | Path], replications: int | None = None, files: str | Path | None = None) -> RunResult:
    """The result of the run whose shards lie in these folders, in any order; *replications*: how many it has to have.

    Without that number, the scenario's own is the least. *files* is the folder from which the scenario names a trace or a price
    list, if not that of the first shard. Raises ResultError: a shard is missing, there twice, of another run or damaged.
    """
    load_plugins()  # they are part of the digest of the program
    shards = sorted(map(read_shard, folders), key=lambda shard: (shard.numbers.start, shard.numbers.stop))
    if not shards:
        raise ResultError("no shards to merge; give the folders that `vmfleet run --replications FIRST..LAST` wrote")
    for shard in shards[1:]:
        _check_same_run(shards[0], shard)
    scenario = _scenario_of(shards[0], files)
    _check_complete(shards, replications, scenario.replications)
    stated = shards[0].stored
    return RunResult(
        scenario=scenario,
        inputs=compile_scenario(scenario),
        seed=stated.summary["seed"],
        replications=Replications(
            (block for shard in shards for block in shard.blocks), range(shards[-1].numbers.stop)
        ),
        engine_why_said="the choice of each shard",
        engine_asked=stated.provenance["engine"]["asked"],
        budget_usd=shards[0].origin["--budget"],
        has_events=shards[0].origin["--events"],
        wall_s=sum(shard.wall_s for shard in shards),
    )


def read_shard(folder: str | Path) -> Shard:
    """A shard's folder, its files as they were written. Raises ResultError."""
    stored = read(folder)
    try:
        is_stated = check_files(stored.folder)
    except ResultError as wrong:
        raise ResultError(str(wrong).replace(str(stored.folder), shown(folder))) from None
    if not is_stated:
        raise ResultError(f"{shown(folder)}: its provenance.json has no digests of its files; run the shard again")
    part = stored.summary.get("shard")
    if part is None:
        raise ResultError(
            f"{shown(folder)}: is a whole run, not a shard; shards come from `vmfleet run --replications FIRST..LAST`"
        )
    try:
        first, last = part["first"], part["last"]
        shard = Shard(stored=stored, numbers=range(first, min(last, first + MOST_REPLICATIONS) + 1))
        is_whole = bool(shard.numbers) and first >= 0 and shard.wall_s >= 0.0 and bool(shard.origin)
    except (KeyError, TypeError, ValueError, AttributeError):
        is_whole = False
    if not is_whole:
        raise ResultError(
            f"{shown(folder)}: what it says of itself is damaged (shard, files, program, timing); run the shard again"
        )
    return shard


def _check_same_run(first: Shard, other: Shard) -> None:
    for name, ours in first.origin.items():
        theirs = other.origin[name]
        if ours != theirs:
            values = "" if name == "scenario" else f": {theirs}, not {ours}"
            if name == "program":
                values = f": {how_programs_differ(other.stored.provenance, first.stored.provenance)}"
            raise ResultError(
                f"{other.words}: is a shard of another run than {first.words}: it has another {name}{values}"
            )


def _check_complete(shards: Sequence[Shard], asked: int | None, least: int) -> None:
    """Raise ResultError where a number of a replication is missing, there twice, or too high."""
    upto, before = 0, None
    for shard in shards:
        if shard.numbers.start < upto:
            assert before is not None
            twice = range(shard.numbers.start, min(upto, shard.numbers.stop))
            raise ResultError(
                f"{before.words} and {shard.words}: both hold replications {_numbers(twice)}; leave one out"
            )
        if shard.numbers.start > upto:
            raise ResultError(
                f"replications {_numbers(range(upto, shard.numbers.start))} are in no shard; run that shard too"
            )
        upto, before = shard.numbers.stop, shard
    if upto < (least if asked is None else asked):
        missing = _numbers(range(upto, least if asked is None else asked))
        whose = "the scenario asks for them" if asked is None else f"--replications {asked} asks for them"
        raise ResultError(f"replications {missing} are in no shard, and {whose}; run that shard too")
    if asked is not None and upto > asked:
        assert before is not None
        raise ResultError(f"{before.words}: goes beyond the {asked} replications that --replications asks for")


def _numbers(numbers: range) -> str:
    return f"{numbers.start}..{numbers.stop - 1}"


def _scenario_of(shard: Shard, files: str | Path | None) -> Scenario:
    """The scenario of a shard. Raises ResultError for another program's, and where a file it names isn't what it was."""
    if shard.origin["program"] != program_digest():
        raise ResultError(
            f"{shown(shard.folder)}: was simulated by another program ({how_programs_differ(shard.stored.provenance, program())}); "
            "merge with the same"
        )
    try:
        scenario = from_dict(shard.stored.scenario, folder=shard.folder if files is None else files)
    except ScenarioError as wrong:
        raise ResultError(
            f"{shown(shard.folder)}: its scenario can't be read again here; say with --files where its files are: {wrong}"
        ) from None
    scenario = with_stored_warm_up(scenario, shard.stored.summary)
    if input_digest(compile_scenario(scenario)) != shard.stored.provenance["scenario"]["digest"]:
        raise ResultError(
            f"{shown(shard.folder)}: its scenario names files (a trace, a price list) that are not as they were when it was simulated"
        )
    return scenario
