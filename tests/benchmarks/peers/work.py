"""The work that peers are asked for; hours by state are kept by all of them.

* `lives`: machines come (Poisson), start, run, are deleted; so many in all, so many alive at a time on average;
* `cycle`: so many machines are switched on and off for so many hours; a start may fail and is tried again.

Each program prints one JSON line: seconds of processor time of simulation alone (no start-up, no compiling), what was done in
them (lives, or changes of state), and running hours, by which a reader sees that the work was the same.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from collections.abc import Callable

STARTING = (math.log(25.0), 0.5)  # lognormal: log of the median in seconds, sigma
LIFETIME = (math.log(3000.0), 1.8)
DELETING = (math.log(44.0), 0.7)
MEAN_LIFE_S = math.exp(LIFETIME[0] + LIFETIME[1] ** 2 / 2)
DEALLOCATING = (math.log(45.0), 0.7)
HOUR_S = 3600.0
ON_H, OFF_H = 8.0, 16.0  # means of exponentials
FAILED_START = 0.02
BACKOFF_S, MAX_BACKOFF_S = 60.0, 3600.0

Job = Callable[[int, int], tuple[int, float]]  # (lives, alive) or (machines, hours) -> (done, running hours)


def gap_s(alive: int) -> float:
    """Mean time between arrivals that keeps `alive` machines running on average."""
    return MEAN_LIFE_S / alive


def processor_s() -> float:
    """Processor time of this process and of those it has waited for (s): other programs' load doesn't count."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)


def main(**jobs: Job) -> None:
    """Do the job that the command line names, with its two numbers."""
    job, first, second = jobs[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    began = processor_s()
    done, running_h = job(first, second)
    seconds = processor_s() - began
    print(json.dumps({"seconds": seconds, "done": done, "running_h": running_h}))
