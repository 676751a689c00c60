"""How often the range of a back-test holds: made tenants, three weeks to fit, the days after them held back.

    python tools/validate_backtest.py [--tenants 60] [--jobs 2] [--out docs/validation.json]

Each tenant has its own seed. Days are counted for compute and for everything compared, periods for their totals.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from sim import load
from sim.azure.answer import scenario_text, write
from sim.azure.importing import import_fleet
from sim.studies.backtest import backtest

sys.path.insert(0, str(Path(__file__).parent))
from make_tenant import START, make_tenant

FIT_DAYS, HELD_BACK = 21, 9


def one(seed: int) -> dict[str, Any]:
    """One tenant: fitted, simulated, compared."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_tenant(folder, days=FIT_DAYS + HELD_BACK, seed=seed)
        first = START.date() + timedelta(days=FIT_DAYS)
        found = import_fleet([folder / "in"], first=None, last=first - timedelta(days=1), stem="fit")
        write(found, folder / "fit.toml", scenario_text(found, "fit"))
        return backtest(load(folder / "fit.toml"), [folder / "in" / "focus.csv"], first=first).summary()


def counted(summaries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Coverage, errors, and errors in units of what was predicted."""
    summaries = list(summaries)
    found: dict[str, Any] = {"tenants": len(summaries), "fit_days": FIT_DAYS, "held_back_days": HELD_BACK}
    for part in ("compute", "all"):
        days = [day[part] for each in summaries for day in each["days"]]
        periods = [each["totals"][part] for each in summaries]
        errors = [each["error"] for each in periods]
        found[part] = {
            "days": len(days),
            "days_inside": sum(day["inside"] for day in days) / len(days),
            "periods_inside": sum(each["inside"] for each in periods) / len(periods),
            "mean_error": math.fsum(errors) / len(errors),
            "mean_absolute_error": math.fsum(abs(error) for error in errors) / len(errors),
            "predicted_half_width": math.fsum((each["interval"]["high"] - each["interval"]["low"]) / 2 / each["simulated"]["list"] for each in periods) / len(periods),
            "mean_absolute_error_of_a_day": math.fsum(abs(day["error"]) for day in days) / len(days),
        }  # fmt: skip
    return found


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = counted(Parallel(n_jobs=given.jobs)(delayed(one)(seed) for seed in range(1, given.tenants + 1)))
    text = json.dumps(found, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
