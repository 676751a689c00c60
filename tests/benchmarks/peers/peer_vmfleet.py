"""vmfleet itself: the same work as a scenario, through the front door, all its books and the bill included."""

import sys

import work

from sim import from_dict, run

ENGINE = sys.argv[3]


def fleet(lives: int, alive: int) -> dict[str, object]:
    """A scenario whose machines come at the peers' rate until all of them have come."""

    def lognormal(law: tuple[float, float]) -> dict[str, object]:
        median_s = 2.718281828459045 ** law[0]
        return {"dist": "lognormal", "median": f"{median_s:.6f}s", "sigma": law[1]}

    return {
        "name": "peers",
        "horizon": f"{lives * work.gap_s(alive):.3f}s",
        "group": [
            {
                "name": "vm",
                "size": "Standard_D4s_v5",
                "image": "specialized",
                "arrivals": {"rate": 3600 / work.gap_s(alive), "lifetime": lognormal(work.LIFETIME)},
                "durations": {
                    "allocating": "0s",
                    "starting": lognormal(work.STARTING),
                    "extensions": "0s",
                    "deleting": lognormal(work.DELETING),
                },
            }
        ],
    }


def simulate(lives: int, alive: int) -> tuple[int, float]:
    """One replication."""
    result = run(from_dict(fleet(lives, alive)), replications=1, engine=ENGINE)
    return int(result.estimate("vms.deleted").mean or 0), result.estimate("hours.running").mean or 0.0


simulate(100, 10)  # imports and, once on a machine, the compiler
work.main(simulate)
