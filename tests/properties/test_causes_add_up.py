"""Whatever two fleets are: the causes of the difference in their cost add up to it, to the last nano-dollar."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest

import sim
from sim.billing.causes import CAUSES
from sim.errors import ScenarioError
from sim.studies.causes import difference_by_cause

SIZES = ("Standard_D2s_v5", "Standard_D4s_v5", "Standard_E4s_v5")
RULES: dict[str, Any] = {
    "min": 1, "max": 9, "scale_out": {"above": 0.7, "by": 1}, "scale_in": {"below": 0.3, "by": 1},
}  # fmt: skip
DEMANDS: tuple[dict[str, Any], ...] = (
    {},
    {"schedule": {"days": "Mon-Fri", "on": "08:00:00", "off": "19:00:00", "jitter": "20min"}},
    {"schedule": {"days": "Mon-Sun", "on": "22:00:00", "off": "05:30:00"}, "people": {"forgets": 0.3, "absent": 0.2}},
    {"cycle": {"on": {"dist": "exponential", "mean": "5h"}, "off": {"dist": "exponential", "mean": "9h"}}},
    {"arrivals": {"rate": 0.7, "lifetime": {"dist": "lognormal", "median": "50min", "sigma": 1.0}}},
    {"autoscale": {"load": {"hourly": [100.0 * (hour % 7) for hour in range(24)]}, "per_vm": 90.0, **RULES}},
    {"autoscale": {"load": {"hourly": [300.0] * 24}, "per_vm": 90.0, **RULES, "regular_base": 1}},
)


def group(random: Random, name: str) -> dict[str, Any]:
    """A group of any kind, with failures far above real rates."""
    made: dict[str, Any] = {"name": name, "size": random.choice(SIZES), "os": random.choice(("linux", "windows"))}
    demand = random.choice(DEMANDS)
    made |= demand
    if not {"arrivals", "autoscale"} & demand.keys():
        made["count"] = random.randrange(1, 6)
        if "schedule" in demand:
            made["when_off"] = random.choice(("deallocate", "stop", "hibernate", "delete"))
        if random.random() < 0.3:
            made["count_steps"] = [{"at": "2026-01-05T17:10:00Z", "count": random.randrange(9)}]
    if random.random() < 0.3 and "regular_base" not in demand.get("autoscale", {}):
        made |= {"priority": "spot", "spot": {"eviction_per_hour": 0.1, "restart_after": "15min"}}
    if random.random() < 0.5:
        made["failures"] = {"OSProvisioningTimedOut": 0.2, "AllocationFailed": 0.2}
    if random.random() < 0.5:
        made |= {"disks": ["P10", "E:200"][: random.randrange(1, 3)], "public_ip": True}
    if random.random() < 0.3:
        made["hybrid_benefit"] = made["os"] == "windows"
    return made


def fleet(random: Random) -> sim.Scenario:
    """Some of three groups, over a day or more."""
    top: dict[str, Any] = {"name": "drawn", "horizon": random.choice(("26h", "40h"))}
    if random.random() < 0.3:
        top["warm_up"] = "5h"
    if random.random() < 0.3:
        top["prices"] = {"discount": round(random.random() / 2, 3)}
    top["billing_policy"] = random.choice(("2018-08", "2023-10"))
    if random.random() < 0.3:
        top["rounding"] = "floor-minute"
    if random.random() < 0.4:
        bought = {"kind": "reservation", "size": random.choice(SIZES), "quantity": random.randrange(1, 4), "term": "1y"}
        plan = {"name": "plan", "kind": "savings-plan", "hourly": 0.3, "term": "3y"}
        top["commitment"] = random.sample([{"name": "ri", **bought}, plan], random.randrange(1, 3))
    names = random.sample(("a", "b", "c"), random.randrange(1, 4))
    try:
        return sim.from_dict(top | {"group": [group(random, name) for name in names]})
    except ScenarioError:  # some of these contradict each other
        return fleet(random)


@pytest.mark.parametrize("pairs", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_the_causes_of_random_pairs_add_up(pairs: int) -> None:
    """Against the sums of the lines of their bills: a line that no cause explains, or that two do, would be left over."""
    random, seen = Random(pairs), set()
    fleets = [fleet(random) for _ in range(pairs + 1)]
    runs = [sim.run(each, replications=1, seed=1) for each in fleets]
    for base, variant in pairwise(runs):
        totals = [sum(line.amount_nano for line in run.replications[0].bill) for run in (base, variant)]
        parts = [each.nanos[0] for each in difference_by_cause(base, variant) if not each.group]
        assert sum(parts) == totals[1] - totals[0]
        seen |= {each.cause for each in difference_by_cause(base, variant)}
    assert seen == CAUSES.keys()
