"""Sequential stopping: when a run has enough replications, in fixed rounds with a look-ahead.

First 20 replications, then rounds of 10 whatever the machine, so that the answer doesn't depend on it. The rule is that
of Hoad, Robinson and Davies (2010), "Automated selection of the number of replications for a discrete-event
simulation", J. Oper. Res. Soc. 61: the half-width must stay within the precision for a look-ahead of further
replications; otherwise an early run of similar replications would stop it, and the interval would cover too rarely.
"""

import math
from collections.abc import Sequence

from sim.runs.metrics import FLEET, RATIOS, check_metric
from sim.runs.replication_runner import ReplicationRunner, run_together
from sim.runs.run_result import RunResult, Stopping, estimate_of
from sim.statistics.intervals import Estimate

FIRST_ROUND = 20
ROUND = 10
LOOK_AHEAD = 5  # replications; grows as n / 100 beyond 100 replications (Hoad et al., section 4)


def look_ahead(n: int) -> int:
    """Further replications over which the precision must hold, once met at *n*.

    >>> look_ahead(40), look_ahead(400)
    (5, 20)
    """
    return math.ceil(LOOK_AHEAD * max(n, 100) / 100)


def is_precise(estimate: Estimate, precision: float) -> bool:
    """Whether a half-width is within this share of its mean; what doesn't vary, or isn't defined, is precise enough."""
    if estimate.mean is None or estimate.half_width == 0.0:
        return True
    if estimate.half_width is None:
        return False
    return estimate.half_width <= precision * abs(estimate.mean)


def stopping_after(result: RunResult, precision: float, headlines: Sequence[str], cap: int) -> Stopping | None:
    """Why the run may end now, or None if another round is due.

    The level is split over the headline metrics (Bonferroni), so that all their intervals hold together.
    """
    for metric in headlines:
        check_metric(metric, result.metric_names())
    reached = all(_has_held(result, metric, precision, len(headlines)) for metric in headlines)
    if not reached and result.n < cap:
        return None
    return Stopping(precision=precision, reached=reached, capped=not reached, waited_for=tuple(headlines))


def run_until_precise(
    runners: Sequence[ReplicationRunner], precision: float, headlines: Sequence[str], cap: int
) -> list[Stopping]:
    """Have as many replications of every runner as all need for the precision, or the cap; why each may end now."""
    upto, expected = min(FIRST_ROUND, cap), cap
    while True:
        run_together(runners, upto, expected * len(runners))
        results = [runner.result() for runner in runners]
        found = [stopping_after(result, precision, headlines, cap) for result in results]
        reasons = [stopping for stopping in found if stopping is not None]
        if len(reasons) == len(runners):
            return reasons
        upto = min(upto + ROUND, cap)
        expected = max(upto, *(expected_replications(result, precision, headlines, cap) for result in results))


def expected_replications(result: RunResult, precision: float, headlines: Sequence[str], cap: int) -> int:
    """About how many replications it will take, for the time left: half-widths shrink with the root of their number."""
    level = 1 - (1 - result.confidence) / len(headlines)
    most = float(result.n)
    for metric in headlines:
        found = estimate_of(result.values, metric, FLEET, level)
        if found.mean and found.low is not None and found.high is not None:
            # What skewness adds to the farther bound shrinks faster than the root: the nearer one foretells.
            nearer = min(found.mean - found.low, found.high - found.mean)
            most = max(most, result.n * (nearer / (precision * abs(found.mean))) ** 2)
    rounds = math.ceil((min(most, cap) - FIRST_ROUND) / ROUND) + 1
    return min(cap, FIRST_ROUND + max(0, rounds) * ROUND)


def _has_held(result: RunResult, metric: str, precision: float, family: int) -> bool:
    """Whether the precision was met at some n and has held for the look-ahead up to now."""
    level = 1 - (1 - result.confidence) / family
    values = {name: result.values(name) for name in (metric, *RATIOS.get(metric, ()))}
    met_since = result.n
    for n in range(result.n, 1, -1):
        estimate = estimate_of(lambda name, _group, n=n: values[name][:n], metric, FLEET, level)
        if not is_precise(estimate, precision):
            break
        met_since = n
        if result.n - met_since >= look_ahead(met_since):
            return True
    return False
