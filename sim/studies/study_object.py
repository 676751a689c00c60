"""A scenario with its options, so that a script needn't repeat them for every study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

from sim.runs.cache import RunCache
from sim.runs.executors import Executor
from sim.runs.options import Progress, RunOptions
from sim.runs.remote import url_of
from sim.runs.run import loaded, run
from sim.runs.run_result import RunResult
from sim.runs.warm_up import with_warm_up
from sim.scenario.scenario import Scenario
from sim.studies.axes import Vary, changed
from sim.studies.compare import Comparison, compare
from sim.studies.recommend import FALL, Recommendation, recommend
from sim.studies.selection import Selection, best_of
from sim.studies.sensitivity import Sensitivity, sensitivity
from sim.studies.sizing import Sizing, size
from sim.studies.sweep import Sweep, sweep


@dataclass(frozen=True, kw_only=True)
class Study:
    """One scenario with one seed, executor and cache for any number of studies.

    >>> import sim
    >>> fleet = sim.from_dict({"name": "fleet", "horizon": "1d", "group": [{"name": "web", "count": 2}]})
    >>> study = sim.Study(scenario=fleet, replications=4)
    >>> study.compare({"three": fleet.replace("group.web.count", 3)}).difference("three").verdict
    'worse'

    With *cache* (a folder, or `sim.RunCache`) nothing is simulated twice, also by another process at another time.
    """

    scenario: Scenario
    seed: int | None = None
    replications: int | None = None
    jobs: int = 1
    threads: int | None = None
    engine: str = "auto"
    cache: RunCache | str | Path | None = None
    workers: Executor | None = field(default=None, repr=False)
    progress: Progress | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scenario", loaded(self.scenario))
        if isinstance(self.cache, str | Path):
            url_of(self.cache)  # as a text: a `Path` has lost how many slashes there were
            object.__setattr__(self, "cache", RunCache(Path(self.cache)))

    @property
    def options(self) -> RunOptions:
        """The options of every study."""
        assert self.cache is None or isinstance(self.cache, RunCache)
        return RunOptions(
            seed=self.seed, replications=self.replications, jobs=self.jobs, threads=self.threads,
            engine=self.engine,            progress=self.progress, cache=self.cache, workers=self.workers,
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """The scenario in words, for notebooks."""
        words = "\n".join(self.scenario.describe())
        return f"<details><summary>study of {escape(self.scenario.name)}</summary><pre>{escape(words)}</pre></details>"

    def changed(self, settings: Mapping[str, object]) -> Study:
        """The same study of a changed scenario."""
        return replace(self, scenario=changed(self.scenario, settings))

    def with_warm_up(self) -> Study:
        """The same study with the warm-up that MSER-5 finds in a pilot, for long-run means."""
        return replace(self, scenario=with_warm_up(self.scenario, options=self.options))

    def run(self, **more: Any) -> RunResult:
        """Replicate the scenario; see `sim.run`."""
        return run(self.scenario, options=self.options, **more)

    def compare(self, *variants: Scenario | Mapping[str, Scenario], **more: Any) -> Comparison:
        """Compare variants with the scenario; see `sim.compare`."""
        return compare(self.scenario, *variants, options=self.options, **more)

    def sweep(self, vary: Vary | Sequence[str], **more: Any) -> Sweep:
        """Simulate every combination of some settings; see `sim.sweep`."""
        return sweep(self.scenario, vary, options=self.options, **more)

    def size(self, vary: str | tuple[str, Sequence[object]], keep: str, **more: Any) -> Sizing:
        """Find the smallest value that keeps a target; see `sim.size`."""
        return size(self.scenario, vary, keep, options=self.options, **more)

    def sensitivity(self, vary: Sequence[str], **more: Any) -> Sensitivity:
        """Say which settings matter; see `sim.sensitivity`."""
        return sensitivity(self.scenario, vary, options=self.options, **more)

    def best_of(self, variants: Mapping[str, Scenario], *, indifference: float, **more: Any) -> Selection:
        """Choose the best of some variants, with as many replications as that needs; see `sim.best_of`."""
        return best_of(variants, indifference=indifference, options=self.options, **more)

    def recommend(self, *, fall: float = FALL) -> Recommendation:
        """Find how much of which commitment to buy; see `sim.recommend`."""
        return recommend(self.scenario, fall=fall, options=self.options)
