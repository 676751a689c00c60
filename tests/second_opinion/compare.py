"""Two scenarios in Ciw and in salabim, written from the documentation, against vmfleet: mean by mean, with simultaneous intervals.

    python -m tests.second_opinion.compare --record

For every figure of both programs Welch's interval of the difference of means over independent replications (Law, *Simulation Modeling
and Analysis*, 10.2.2), at a level that Bonferroni divides among all figures of a program: where the rules are the same, all of them hold
0 in 99 of 100 comparisons. Wrong models must be refused by it. Exit status 1 where either fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

from joblib import Parallel, delayed

from sim import load, run
from sim.statistics.intervals import mean_of, t_quantile, variance_of
from tests.second_opinion import in_ciw, in_salabim
from tests.second_opinion.scenario import HERE, Program, Simulated
from tools.proof_page import record

FALSE_ALARM = 0.01  # of all figures of a program together, where the rules are the same
OURS = 4  # replications of vmfleet for each of another program's
PROGRAMS: Mapping[str, Mapping[str, Program]] = {
    "Ciw": {"cycle": in_ciw.cycle, "hosts": in_ciw.hosts},
    "salabim": {"cycle": in_salabim.cycle, "hosts": in_salabim.hosts},
}
WRONG: Mapping[str, tuple[str, Program]] = {
    "a stopped VM costs nothing": ("cycle", partial(in_salabim.cycle, stopped_is_free=True)),
    "retries without back-off": ("cycle", partial(in_salabim.cycle, backs_off=False)),
    "room is given back when a VM begins to leave": ("hosts", partial(in_salabim.hosts, early=True)),
    "an evicted VM is requested again at once": ("hosts", partial(in_salabim.hosts, waits=False)),
}


class Figure(NamedTuple):
    """One metric of one group: our mean, how far theirs is from it, and the half-width of the simultaneous interval."""

    group: str
    metric: str
    ours: float
    difference: float
    half_width: float

    @property
    def agrees(self) -> bool:
        """Whether the interval holds 0; figures that are computed without chance agree to rounding."""
        return abs(self.difference) <= self.half_width + 1e-9 * abs(self.ours)


def compared(scenario: str, program: Program, replications: int, jobs: int = 1) -> list[Figure]:
    """Every figure that the other program has, group by group."""
    ours = run(load(HERE / f"{scenario}.toml"), replications=OURS * replications)
    theirs: Sequence[Simulated] = Parallel(n_jobs=jobs)(delayed(program)(seed) for seed in range(replications))
    names = [(group, metric) for group in theirs[0] for metric in sorted({name for each in theirs for name in each[group]}) if metric != "hours.none"]  # fmt: skip
    pairs = [(ours.values(metric, group), [each[group].get(metric, 0.0) for each in theirs]) for group, metric in names]
    return [Figure(*name, mean_of(a), *welch(a, b, FALSE_ALARM / len(names))) for name, (a, b) in zip(names, pairs, strict=True)]  # fmt: skip


def welch(ours: Sequence[float], theirs: Sequence[float], error: float) -> tuple[float, float]:
    """Difference of two means, theirs less ours, and its half-width at this error probability."""
    parts = [variance_of(each) / len(each) for each in (ours, theirs)]
    difference, variance = mean_of(theirs) - mean_of(ours), sum(parts)
    if variance == 0.0:
        return difference, 0.0
    degrees = variance**2 / sum(part**2 / (len(each) - 1) for part, each in zip(parts, (ours, theirs), strict=True))
    return difference, t_quantile(1 - error / 2, degrees) * variance**0.5


def main() -> None:
    """Both scenarios in both programs, and the wrong models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--replications", type=int, default=200, help=f"of each program; vmfleet makes {OURS} times as many"
    )
    parser.add_argument("--wrong", type=int, default=40, help="replications of each wrong model")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="Write the figures to docs/proof.md.")
    asked = parser.parse_args()
    agrees = True
    figures: dict[str, Any] = {"false_alarm": FALSE_ALARM, "replications": asked.replications, "ours": OURS * asked.replications, "scenarios": {}, "wrong": {}}  # fmt: skip
    for program, scenarios in PROGRAMS.items():
        for scenario, simulate in scenarios.items():
            found = compared(scenario, simulate, asked.replications, asked.jobs)
            rows = figures["scenarios"].setdefault(scenario, {})
            for each in found:
                row = rows.setdefault(f"{each.group}: {each.metric}", {"ours": each.ours})
                row[f"{program} {version(program)}"] = {"difference": each.difference, "half_width": each.half_width}
                agrees &= each.agrees
                print(f"{scenario:8}{program:9}{each.group:12}{each.metric:34}{each.ours:12.2f} {each.difference:+10.2f} ± {each.half_width:.2f}{'' if each.agrees else '  DIFFERS'}")  # fmt: skip
    for name, (scenario, simulate) in WRONG.items():
        found = compared(scenario, simulate, asked.wrong, asked.jobs)
        refused = sum(not each.agrees for each in found)
        figures["wrong"][name] = {"scenario": scenario, "replications": asked.wrong, "differ": refused, "of": len(found)}  # fmt: skip
        agrees &= refused > 0
        print(f"wrong model: {name}: {refused} of {len(found)} figures differ")
    if asked.record:
        record("second_opinion", "python -m tests.second_opinion.compare --record", figures)
    sys.exit(0 if agrees else 1)


if __name__ == "__main__":
    main()
