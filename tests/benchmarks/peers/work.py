"""The work that every peer is asked: machines come (Poisson), start, run, are deleted; hours by state are kept.

`LIVES` machines in all, `ALIVE` of them at a time on average. Each program prints one JSON line: seconds of simulation
alone (no start-up, no compiling), lives finished, running hours.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable

STARTING = (math.log(25.0), 0.5)  # lognormal: log of the median in seconds, sigma
LIFETIME = (math.log(3000.0), 1.8)
DELETING = (math.log(44.0), 0.7)
MEAN_LIFE_S = math.exp(LIFETIME[0] + LIFETIME[1] ** 2 / 2)
HOUR_S = 3600.0


def gap_s(alive: int) -> float:
    """Mean time between arrivals that keeps `alive` machines running on average."""
    return MEAN_LIFE_S / alive


def main(simulate: Callable[[int, int], tuple[int, float]]) -> None:
    """Run one peer's program on the lives and machines alive that the command line names."""
    lives, alive = int(sys.argv[1]), int(sys.argv[2])
    began = time.perf_counter()
    finished, running_h = simulate(lives, alive)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "lives": finished, "running_h": running_h}))
