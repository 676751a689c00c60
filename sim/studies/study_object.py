"""A scenario and the circumstances it is asked under, so that a script needn't repeat them with every question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.runs.executors import Executor
from sim.runs.replication_runner import Progress
from sim.runs.run import loaded

if TYPE_CHECKING:
    from sim.runs.cache import RunCache
    from sim.runs.run_result import RunResult
    from sim.scenario.scenario import Scenario
    from sim.studies.axes import Vary
    from sim.studies.compare import Comparison
    from sim.studies.purchase import Purchase
    from sim.studies.selection import Selection
    from sim.studies.sensitivity import Sensitivity
    from sim.studies.sizing import Sizing
    from sim.studies.sweep import Sweep


@dataclass(frozen=True, kw_only=True)
class Study:
    """One scenario, one seed, some workers, one cache: ask it as many questions as you like.

    >>> import sim
    >>> fleet = sim.from_dict({"name": "fleet", "horizon": "1d", "group": [{"name": "web", "count": 2}]})
    >>> study = sim.Study(scenario=fleet, replications=4)
    >>> study.compare({"three": fleet.replace("group.web.count", 3)}).difference("three").verdict
    'worse'

    With *cache* (a folder, or `sim.RunCache`) nothing is played twice, also by another program at another time.
    """

    scenario: Scenario
    seed: int | None = None
    replications: int | None = None
    jobs: int = 1
    engine: str = "auto"
    cache: RunCache | str | Path | None = None
    workers: Executor | None = field(default=None, repr=False)
    progress: Progress | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        from sim.runs.cache import RunCache

        object.__setattr__(self, "scenario", loaded(self.scenario))
        if isinstance(self.cache, str | Path):
            object.__setattr__(self, "cache", RunCache(Path(self.cache)))

    def _repr_html_(self) -> str:
        """What is asked of, in words, for notebooks."""
        from html import escape

        told = "\n".join(self.scenario.describe())
        return f"<details><summary>study of {escape(self.scenario.name)}</summary><pre>{escape(told)}</pre></details>"

    def changed(self, settings: Mapping[str, object]) -> Study:
        """The same study of a changed scenario."""
        from sim.studies.axes import changed

        return replace(self, scenario=changed(self.scenario, settings))

    def run(
        self, *, precision: float | None = None, events: bool = False, budget_usd: float | None = None
    ) -> RunResult:
        """Replicate the scenario; see `sim.run`."""
        from sim.runs.run import run

        return run(self.scenario, precision=precision, events=events, budget_usd=budget_usd, **self._how())

    def compare(self, *variants: Scenario | Mapping[str, Scenario], precision: float | None = None) -> Comparison:
        """Set variants beside the scenario; see `sim.compare`."""
        from sim.studies.compare import compare

        return compare(self.scenario, *variants, precision=precision, **self._how())

    def sweep(self, vary: Vary | Sequence[str], **more: Any) -> Sweep:
        """Play every combination of some settings; see `sim.sweep`."""
        from sim.studies.sweep import sweep

        return sweep(self.scenario, vary, **more, **self._how())

    def size(self, vary: str | tuple[str, Sequence[object]], keep: str, **more: Any) -> Sizing:
        """Find the smallest value that keeps a promise; see `sim.size`."""
        from sim.studies.sizing import size

        return size(self.scenario, vary, keep, **more, **self._how())

    def sensitivity(self, vary: Sequence[str], **more: Any) -> Sensitivity:
        """Say which settings matter; see `sim.sensitivity`."""
        from sim.studies.sensitivity import sensitivity

        return sensitivity(self.scenario, vary, **more, **self._how())

    def best_of(self, variants: Mapping[str, Scenario], *, indifference: float, **more: Any) -> Selection:
        """Choose the best of some variants; see `sim.best_of`."""
        from sim.studies.selection import best_of

        how = self._how()
        del how["replications"]  # the procedure takes as many as it needs
        return best_of(variants, indifference=indifference, **more, **how)

    def best_commitment(self, name: str, **more: Any) -> Purchase:
        """Find how much of a commitment to buy; see `sim.best_commitment`."""
        from sim.studies.purchase import best_commitment

        how = {key: value for key, value in self._how().items() if key not in ("cache", "workers")}
        return best_commitment(self.scenario, name, **more, **how)

    def with_warm_up(self) -> Study:
        """The same study with the warm-up that MSER-5 finds in a pilot, for long-run questions."""
        from sim.runs.warm_up import with_warm_up

        seed = self.scenario.seed if self.seed is None else self.seed
        return replace(self, scenario=with_warm_up(self.scenario, seed=seed, workers=self.workers))

    def _how(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "replications": self.replications,
            "jobs": self.jobs,
            "engine": self.engine,
            "progress": self.progress,
            "cache": self.cache,
            "workers": self.workers,
        }
