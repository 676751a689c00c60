"""vmfleet itself: the same work as a scenario, through the front door, all its books and the bill included."""

import math
import sys

import work

from sim import RunResult, from_dict, run

ENGINE = sys.argv[4]


def lognormal(law: tuple[float, float]) -> dict[str, object]:
    """A duration distribution as a scenario writes it."""
    return {"dist": "lognormal", "median": f"{math.exp(law[0]):.6f}s", "sigma": law[1]}


def played(horizon_s: float, group: dict[str, object]) -> RunResult:
    """One replication of a fleet of one group."""
    fixed = {"name": "vm", "size": "Standard_D4s_v5", "image": "specialized"}
    scenario = {"name": "peers", "horizon": f"{horizon_s:.3f}s", "group": [{**fixed, **group}]}
    return run(from_dict(scenario), replications=1, engine=ENGINE)


def mean(result: RunResult, metric: str) -> float:
    """A metric of a run of one replication."""
    return result.estimate(metric).mean or 0.0


def lives(count: int, alive: int) -> tuple[int, float]:
    """Machines come at the peers' rate until all of them have come."""
    durations = {
        "allocating": "0s",
        "starting": lognormal(work.STARTING),
        "extensions": "0s",
        "deleting": lognormal(work.DELETING),
    }
    arrivals = {"rate": work.HOUR_S / work.gap_s(alive), "lifetime": lognormal(work.LIFETIME)}
    result = played(count * work.gap_s(alive), {"arrivals": arrivals, "durations": durations})
    return int(mean(result, "vms.deleted")), mean(result, "hours.running")


def cycle(machines: int, hours: int) -> tuple[int, float]:
    """Switched on and off; a start may fail for lack of hardware."""
    group: dict[str, object] = {
        "count": machines,
        "cycle": {
            "on": {"dist": "exponential", "mean": f"{work.ON_H}h"},
            "off": {"dist": "exponential", "mean": f"{work.OFF_H}h"},
        },
        "when_off": "deallocate",
        "durations": {
            "allocating": "0s",
            "starting": lognormal(work.STARTING),
            "extensions": "0s",
            "deallocating": lognormal(work.DEALLOCATING),
        },
        "failures": {"AllocationFailed": work.FAILED_START},
        "retry": {"attempts": 100, "backoff": f"{work.BACKOFF_S}s", "max_backoff": f"{work.MAX_BACKOFF_S}s"},
    }
    result = played(hours * work.HOUR_S, group)
    started = mean(result, "operations.create.succeeded") + mean(result, "operations.start.succeeded")
    given_back = mean(result, "operations.deallocate.succeeded")
    failed = mean(result, "failures.AllocationFailed")
    return int(2 * (started + given_back + failed)), mean(result, "hours.running")


lives(100, 10)  # imports and, once on a machine, the compiler
cycle(10, 24)
work.main(lives=lives, cycle=cycle)
