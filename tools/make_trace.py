"""Make a small trace of batch jobs, for tests and examples: requests by hour, batches whose VMs often live equally long.

    python tools/make_trace.py FILE.csv [--days 4] [--seed 1]

Columns: created_s, lifetime_s, vcpus, memory_gib, tenant. Nothing in it is real. The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import random
from pathlib import Path

from sim.files import write_whole

RATES = [
    4,
    3,
    3,
    3,
    4,
    6,
    9,
    14,
    20,
    24,
    26,
    25,
    22,
    24,
    26,
    25,
    22,
    18,
    14,
    11,
    9,
    7,
    6,
    5,
]  # requests an hour, from midnight
SIZES, WEIGHTS = (1, 2, 4, 8, 20), (0.5, 0.2, 0.15, 0.1, 0.05)  # VMs in a request
SHARED = 0.6  # of the requests, those whose VMs live equally long
MEDIAN_S, SIGMA = 2_400.0, 1.2


def rows(days: int, seed: int) -> list[tuple[object, ...]]:
    """The VMs of the trace, in order of creation; those that outlive it have no lifetime."""
    draw, found, at, tenant = random.Random(seed), [], 0.0, 0
    end = 86_400.0 * days
    while (at := at + draw.expovariate(max(RATES) / 3600)) < end:
        if draw.random() * max(RATES) > RATES[int(at // 3600) % 24]:
            continue
        tenant += 1
        one, shared = draw.lognormvariate(math.log(MEDIAN_S), SIGMA), draw.random() < SHARED
        for _ in range(draw.choices(SIZES, WEIGHTS)[0]):
            lifetime = one if shared else draw.lognormvariate(math.log(MEDIAN_S), SIGMA)
            found.append((f"{at:.1f}", f"{lifetime:.1f}" if at + lifetime < end else "", 4, 16, f"team-{tenant}"))
    return found


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    stream = io.StringIO()
    head = ("created_s", "lifetime_s", "vcpus", "memory_gib", "tenant")
    csv.writer(stream, lineterminator="\n").writerows([head, *rows(given.days, given.seed)])
    write_whole(given.file, stream.getvalue())


if __name__ == "__main__":
    main()
