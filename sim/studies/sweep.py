"""Every combination of some settings, on common random numbers, in one tidy table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from sim.errors import InputError
from sim.fields.numbers import how_many
from sim.runs.frames import DataFrame, frame
from sim.runs.metrics import FLEET, HEADLINES
from sim.runs.options import PreciseKeywords, options_from
from sim.runs.pictures import Pictured, html_rows
from sim.runs.replication_runner import ReplicationRunner, run_together
from sim.runs.run import loaded
from sim.runs.run_result import RunResult
from sim.runs.stopping import run_until_precise
from sim.runs.summary_csv import Sheet
from sim.runs.summary_csv import shown as shown_cells
from sim.runs.warm_up import with_warm_ups
from sim.scenario.scenario import Scenario
from sim.statistics.intervals import Estimate
from sim.studies.answers import check_metrics
from sim.studies.axes import Axis, Point, Vary, axes_of, points_of, shown
from sim.studies.constraints import Constraint, parse_constraint
from sim.studies.study_folders import doubt_in, period_of, table_of, write_study
from sim.studies.sweep_words import forms_of


@dataclass(frozen=True, kw_only=True)
class Sweep(Pictured):
    """A scenario at every combination of its axes."""

    scenario: Scenario
    axes: tuple[Axis, ...]
    points: tuple[Point, ...]
    runs: tuple[RunResult, ...]  # one a point
    metrics: tuple[str, ...] = HEADLINES  # those asked for: in sweep.json, and one plot each
    precision: float | None = None  # the share that their half-widths were to come below, at every point
    reached: bool = True  # False: the cap on replications came first
    keep: tuple[Constraint, ...] = ()  # targets, judged at all points together with the scenario's confidence

    @property
    def n(self) -> int:
        """Replications at each point."""
        return self.runs[0].n

    def estimate(self, metric: str, group: str = FLEET, **settings: object) -> Estimate:
        """A metric at the one point with these settings (dots of a path written as __)."""
        wanted = {path.replace("__", "."): value for path, value in settings.items()}
        found = [
            run
            for point, run in zip(self.points, self.runs, strict=True)
            if all(point.settings.get(path) == value for path, value in wanted.items())
        ]
        if len(found) != 1:
            raise InputError(f"{len(found)} points have the settings {wanted}; name the value of every axis")
        return found[0].estimate(metric, group)

    def rows(self, metrics: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """The tidy table, row by row: point, one column a path, group, metric, and the estimate's fields."""
        for number, (point, run) in enumerate(zip(self.points, self.runs, strict=True)):
            settings = {path: column_value(value) for path, value in point.settings.items()}
            for group in (FLEET, *run.groups):
                for metric in run.metric_names(group):
                    if metrics is None or metric in metrics:
                        estimate = run.estimate(metric, group).as_dict()
                        yield {"point": number, **settings, "group": group, "metric": metric, **estimate}

    def frame(self, metrics: Sequence[str] | None = None) -> DataFrame:
        """The tidy table: every metric of every point, or those named."""
        return frame(self.rows(metrics))

    def summary(self) -> dict[str, Any]:
        """The content of `sweep.json`: axes, and at each point the metrics asked for, and whether it keeps the targets."""
        level = (1 - self.scenario.confidence) / (len(self.points) * max(1, len(self.keep)))
        return {
            "scenario": self.scenario.name,
            "currency": self.scenario.prices.currency,
            "seed": self.runs[0].seed,
            "replications": self.n,
            "confidence": self.scenario.confidence,
            **({} if self.precision is None else {"precision": self.precision, "reached": self.reached}),
            **period_of([run.scenario for run in self.runs], {path for axis in self.axes for path in axis.paths}),
            "axes": [
                {"paths": list(axis.paths), "values": [[column_value(v) for v in step] for step in axis.values]}
                for axis in self.axes
            ],
            "metrics": list(self.metrics),
            **({"keep": [each.words for each in self.keep]} if self.keep else {}),
            "points": [
                {
                    "settings": {path: column_value(value) for path, value in point.settings.items()},
                    "metrics": {metric: run.estimate(metric).as_dict() for metric in self.metrics},
                    **doubt_in(run),
                    **({"keeps": {e.words: e.judge(run, level).answer for e in self.keep}} if self.keep else {}),
                }
                for point, run in zip(self.points, self.runs, strict=True)
            ],
        }

    def write(self, folder: str | Path) -> Path:
        """Write sweep.json, the tidy table, and every figure of every replication."""
        tables = [table_of("sweep", self.rows())]
        summary, scenarios = ("sweep.json", self.summary()), {"scenario": self.scenario}
        return write_study(
            folder,
            summary,
            scenarios,
            self.runs,
            tables,
            figures=("point", dict(enumerate(self.runs))),
            sheet=self._sheet(),
            study="sweep",
            points=len(self.points),
        )

    def _sheet(self) -> Sheet:
        """A row a point: its settings, then mean and bounds of each metric asked for."""
        content = self.summary()
        points, forms = content["points"], forms_of(content)
        ends = ("mean", "low", "high")
        paths = [path for axis in content["axes"] for path in axis["paths"]]
        heads = [f"{form.title}{after}" for form in forms.values() for after in ("", ", low", ", high")]
        rows = [
            [
                *(point["settings"][path] for path in paths),
                *(
                    cell
                    for name, form in forms.items()
                    for cell in shown_cells(form, *(point["metrics"][name][end] for end in ends))
                ),
            ]
            for point in points
        ]
        return [*paths, *heads], rows

    def __repr__(self) -> str:
        over = " x ".join(f"{'+'.join(axis.paths)} ({len(axis.values)})" for axis in self.axes)
        return f"<sweep of {self.scenario.name!r} over {over}, {how_many(self.n, 'replication')} a point>"

    def _repr_html_(self) -> str:
        """The metrics asked for at each point, for notebooks."""
        content = self.summary()
        forms = forms_of(content)
        paths = [path for axis in content["axes"] for path in axis["paths"]]
        rows = [
            [*(str(point["settings"][path]) for path in paths),
             *(form.text(point["metrics"][metric]["mean"]) for metric, form in forms.items())]
            for point in content["points"]
        ]  # fmt: skip
        return html_rows(
            f"{content['scenario']}: means of {how_many(self.n, 'replication')}",
            [*paths, *(form.title for form in forms.values())],
            rows,
        )


def sweep(
    scenario: Scenario | str | Path,
    vary: Vary | Sequence[str],
    *,
    metrics: Sequence[str] = HEADLINES,
    keep: Sequence[str] = (),
    **keywords: Unpack[PreciseKeywords],
) -> Sweep:
    """Simulate every combination of the values that *vary* gives to places of the scenario.

    `{"group.dev.count": [100, 200], ("group.a.count", "group.b.count"): [(1, 2), (2, 4)]}`, or texts as on the command
    line. All points share seed and streams. With *precision* rounds are added at all points alike until each
    metric asked for is known that well at every one; *replications* is then the cap. Points
    with the same inputs are simulated once. *keep* are targets as `size` takes them: the answer names the cheapest point that
    keeps them all.
    """
    asked = loaded(scenario)
    options = options_from(keywords, PreciseKeywords, "sweep").seeded(asked)
    axes = axes_of(vary)
    points = points_of(asked, axes)
    targets = tuple(parse_constraint(words) for words in keep)
    for each in (asked, *(point.scenario for point in points)):
        check_metrics(each, *metrics)
        for target in targets:
            target.check("--keep", each)
    scenarios = with_warm_ups([point.scenario for point in points], options)
    runners = [ReplicationRunner(scenario, options) for scenario in scenarios]
    reached = True
    if options.precision is None:
        run_together(runners, options.count(asked))
    else:
        found = run_until_precise(runners, options.precision, metrics, options.cap)
        reached = all(stopping.reached for stopping in found)
    return Sweep(
        scenario=asked, axes=tuple(axes), points=tuple(points), runs=tuple(runner.result() for runner in runners),
        metrics=tuple(metrics), precision=options.precision, reached=reached, keep=targets,
    )  # fmt: skip


def column_value(value: object) -> object:
    """A setting as a cell of a table and of JSON: numbers, texts and truths as they are, anything else in words."""
    return value if isinstance(value, int | float | str) else shown(value)
