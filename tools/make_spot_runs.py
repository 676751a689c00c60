"""A record of spot capacity for `scenarios/spot_deadline.toml`: 45 days of runs with and without, of heavy-tailed lengths.

python tools/make_spot_runs.py > scenarios/spot_deadline_runs.csv
"""

import sys

import numpy as np

DAYS, ON_H, OFF_H, SIGMA = 45, 2.0, 2.0, 1.5  # medians of lognormal lengths


def main() -> None:
    """Write the record to standard output, to the second."""
    random, now_s, value = np.random.default_rng(1), 0, 1
    sys.stdout.write("from_s,to_s,value\n")
    while now_s < DAYS * 86_400:
        median_s = 3600 * (ON_H if value else OFF_H)
        to_s = min(DAYS * 86_400, now_s + 60 + int(median_s * float(random.lognormal(0.0, SIGMA))))
        sys.stdout.write(f"{now_s},{to_s},{value}\n")
        now_s, value = to_s, 1 - value


if __name__ == "__main__":
    main()
