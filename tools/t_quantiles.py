"""Computes the quantiles of Student's t that `sim.statistics` keeps, so that no run has to load scipy: `python tools/t_quantiles.py`."""

from __future__ import annotations

import json
from pathlib import Path

from scipy.special import stdtrit

from sim.files import write_whole

KEPT = Path(__file__).parents[1] / "sim" / "statistics" / "t_quantiles.json"
CONFIDENCES = (0.9, 0.95, 0.99)
MOST_DEGREES = 999  # of the replications at most while a precision is waited for


def computed() -> dict[str, list[float]]:
    """By probability: the quantiles for 1, 2, 3 ... degrees of freedom."""
    degrees = range(1, MOST_DEGREES + 1)
    return {repr(p): [float(stdtrit(n, p)) for n in degrees] for p in (0.5 + c / 2 for c in CONFIDENCES)}


if __name__ == "__main__":
    rows = (f'"{probability}": {json.dumps(quantiles)}' for probability, quantiles in computed().items())
    write_whole(KEPT, "{\n" + ",\n".join(rows) + "\n}\n")
