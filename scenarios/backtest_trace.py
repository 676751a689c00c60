"""A trace predicted from its own first days: how far off are the next hours, and what if a batch's VMs had lifetimes of their own?

Covers: fitting arrivals and lifetimes (`fit_trace`), `batch.shared_lifetime`, replaying a trace, prediction intervals by hour.
Question: fitted on three days of a trace of batch jobs, is the fourth inside the range that is predicted, hour by hour?
Expect: VM-hours of a day have a mean of requests x mean batch x mean lifetime. VMs of one batch leave together in 6 of 10 batches, so the
    number of VMs varies more from day to day than independent lifetimes would let it, and a range made with independent ones is narrower. About
    95 % of the hours are inside the range that knows it; hours of one day are alike, so one day has more or fewer.
Input: a trace made by `tools/make_trace.py` (nothing in it is real), or a file of your own with the columns of docs/platform.md; as
    arguments: FILE HOURS_TO_FIT HOURS_TO_PREDICT.
"""

import math
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from sim import Estimate, fit_trace, from_dict, run

MAKER = Path(__file__).parents[1] / "tools" / "make_trace.py"
SIZE = "Standard_D4s_v5"
AT_ONCE = {"allocating": "0s", "starting": "0s", "deleting": "0s"}  # a lifetime in a trace includes boot and deletion
REPLICATIONS, T = 20, 2.093  # and Student's t, 97.5 %, 19 degrees of freedom


def fleet(hours: float, **demand: object) -> dict:
    """VMs without a platform, as a scenario."""
    group = {"name": "jobs", "image": "specialized", "durations": AT_ONCE, "retry": {"attempts": 1}}
    return {"name": "backtest-trace", "horizon": f"{hours}h", "group": [group | demand]}


def ranges(found: list[Estimate], fit_h: float) -> list[tuple[float, float, float]]:
    """Mean and prediction interval of each hour: its own spread, that of the mean of replications, and of a mean fitted on days."""
    wider = math.sqrt(1 + 1 / REPLICATIONS + 24 / fit_h)
    return [(each.mean, each.mean - T * each.sd * wider, each.mean + T * each.sd * wider) for each in found]


def main(trace: Path | None = None, fit_h: float = 72, then_h: float = 24) -> dict[str, tuple[float, float]]:
    """Fit, predict, and compare with what came; returns the share of hours inside and the error of the sum, by model."""
    with TemporaryDirectory() as place:
        file = trace or Path(place) / "trace.csv"
        if trace is None:
            subprocess.run([sys.executable, str(MAKER), str(file)], check=True)
        hours, first = fit_h + then_h, round(fit_h)
        replayed = fleet(hours, trace={"file": str(file), "format": "columns"})
        actual = [each.mean for each in run(from_dict(replayed), replications=1).hourly("running")][first:]
        arrivals = fit_trace(file, window_s=3600 * fit_h, size=SIZE)["arrivals"]
        batch = arrivals.get("batch", {"sizes": [1], "weights": [1.0]})
        alone = arrivals | {"batch": {key: batch[key] for key in ("sizes", "weights")}}
        models = {
            f"shared lifetimes ({batch.get('shared_lifetime', 0):.0%} of batches)": arrivals,
            "own lifetimes": alone,
        }
        print(f"Fitted on {fit_h:g} h, the next {then_h:g} h: {sum(actual):,.0f} VM-hours came")
        found = {}
        for name, each in models.items():
            predicted = ranges(
                run(from_dict(fleet(hours, size=SIZE, arrivals=each)), replications=REPLICATIONS).hourly("running")[
                    first:
                ],
                fit_h,
            )
            inside = sum(low <= seen <= high for seen, (_, low, high) in zip(actual, predicted, strict=True)) / len(
                actual
            )
            error = sum(mean for mean, _, _ in predicted) / sum(actual) - 1
            wide = sum(high - mean for mean, _, high in predicted) / sum(mean for mean, _, _ in predicted)
            print(
                f"{name:>38}: {error:+.1%}, {inside:.0%} of the hours inside their 95 % range, which is +-{wide:.0%} wide"
            )
            found[name.split(" (")[0]] = inside, error, wide
    return found


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*(Path(given[0]), *map(float, given[1:])) if given else ())
