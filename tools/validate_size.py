"""How often `vmfleet size` is wrong, and how often undecided, where the right answer is known: `python tools/validate_size.py`.

Value v costs v + noise in each replication, the same noise at every v, so that the largest value that keeps a target on the cost is known
exactly. `sim.studies.size_search` is asked; beside it stands a wrong rule, which looks after every two replications and takes each interval
as if it were the only one. It exits with 1 unless ours errs at most as often as stated and the wrong rule more often, both within the
binomial's 1e-4 band.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import stats

from sim.runs.options import RunOptions
from sim.studies.constraints import FEASIBLE, INFEASIBLE, UNDECIDED, parse_constraint
from sim.studies.size_search import Search, find

BEST = 10  # of the values 0 to 15
VALUES = [float(value) for value in range(16)]
CAP = 320
TARGETS = {  # the limit is what BEST comes to, and a hair more: nowhere is a wrong answer more likely
    "mean, normal": "cost.total<=10.000001",
    "mean, skewed": "cost.total<=10.000001",
    "P90, normal": "p90(cost.total)<=11.281553",
    "probability, normal": "P(cost.total>10.5)<=30.8538%",
}
WRONG = "every look at the whole level"


@dataclass(slots=True)
class Played:
    """A stand-in for simulating: value v costs v + noise in replication k, the same noise at every v."""

    value: Any
    noise: np.ndarray
    count: int = 0

    def run_until(self, count: int) -> None:
        """Have so many replications."""
        self.count = count

    def result(self) -> Any:
        """Their costs, as a run gives them."""
        costs = (self.value + self.noise[: self.count]).tolist()
        return SimpleNamespace(values=lambda _metric, _group: costs, n=self.count)


def _played(noise: np.ndarray, value: Any, _options: RunOptions) -> Played:
    return Played(value, noise)


def _played_by_share(noise: np.ndarray, value: Any, _options: RunOptions) -> Played:
    return Played(value, value * noise)


@dataclass(slots=True)
class Counted:
    """Answers of some studies by rule."""

    studies: int
    error: float
    wrong: dict[str, int] = field(default_factory=lambda: {"ours": 0, WRONG: 0})
    undecided: int = 0
    replications: int = 0  # in all, of ours

    def holds(self, rule: str) -> bool:
        """Whether a rule errs no more often than is stated, within the binomial's band."""
        return self.wrong[rule] <= stats.binom.ppf(1 - 1e-4, self.studies, self.error)


def count_errors(target: str, studies: int, error: float, seed: int) -> Counted:
    """Ask both rules in so many independent studies."""
    rng, words = np.random.default_rng(seed), TARGETS[target]
    found = Counted(studies=studies, error=error)
    for _ in range(studies):
        noise = 1.0 - rng.exponential(1.0, CAP) if "skewed" in target else rng.normal(0.0, 1.0, CAP)
        options = RunOptions(replications=CAP, seed=0)
        search = Search(VALUES, parse_constraint(words), error, options, partial(_played, noise))
        answer = find(search, list(range(len(VALUES))))
        found.wrong["ours"] += answer.answer != UNDECIDED and answer.best != BEST
        found.undecided += answer.answer == UNDECIDED
        found.replications += sum(trial.run.n for trial in search.trials())
        found.wrong[WRONG] += _hasty(words, noise, error) != BEST
    return found


def _hasty(words: str, noise: np.ndarray, error: float) -> int | None:
    """The wrong rule at the two values around the answer: the first look that decides is believed. None: it doesn't decide."""
    constraint = parse_constraint(words)
    answers = []
    for value in (BEST, BEST + 1):
        played, answer = Played(value, noise), UNDECIDED
        for upto in range(4, CAP + 1, 2):
            played.run_until(upto)
            answer = constraint.judge(played.result(), error).answer
            if answer != UNDECIDED:
                break
        answers.append(answer)
    if answers[0] == INFEASIBLE:
        return BEST - 1
    return BEST + 1 if answers[1] == FEASIBLE else BEST


def undecided_at(replications: int, studies: int, seed: int) -> int:
    """Undecided answers where both neighbours are a fifth from the limit: costs v, with a standard deviation of v / 2."""
    rng, undecided = np.random.default_rng(seed), 0
    values = [float(value) for value in np.geomspace(1, 16, 9)]  # 4 and 5.66 are neighbours
    for _ in range(studies):
        noise, options = rng.normal(0.0, 0.5, replications), RunOptions(replications=replications, seed=0)
        search = Search(values, parse_constraint("cost.total<=4.8"), 0.05, options, partial(_played_by_share, noise))
        undecided += find(search, list(range(len(values)))).answer == UNDECIDED
    return undecided


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row a target; the exit status is that of the check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000, help="of each target")
    parser.add_argument("--error", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    print(f"{asked.studies} studies a target, stated error {asked.error:g}, at most {CAP} replications a value")
    print(f"{'target':<22}{'ours wrong':>12}{'undecided':>12}{'replications':>14}{'wrong rule':>12}")
    fine = True
    for target in TARGETS:
        found = count_errors(target, asked.studies, asked.error, asked.seed)
        fine = fine and found.holds("ours") and not found.holds(WRONG)
        shares = found.wrong["ours"] / found.studies, found.undecided / found.studies
        each = math.ceil(found.replications / found.studies)
        print(f"{target:<22}{shares[0]:>12.2%}{shares[1]:>12.2%}{each:>14,}{found.wrong[WRONG] / found.studies:>12.2%}")
    fifty = {n: undecided_at(n, 50, asked.seed) for n in (20, 1000)}
    print(
        f"limit a fifth from both neighbours, undecided of 50: {', '.join(f'{k} at -n {n}' for n, k in fifty.items())}"
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
