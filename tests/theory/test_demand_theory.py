"""Demand of requests that are evicted, against what renewal theory says of it; each law with a wrong one that is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest
from evidence import held, refused, z_of_mean
from fleets import always, fleet

from sim.distributions.kinds import Exponential
from sim.engines.simulate import simulate
from sim.model.demand import Arrivals
from sim.model.demand.arrivals import LifetimeCounts
from sim.model.faults import FallBack, FallBackRule, Spot
from tests.helpers.operation_rows import DURATION_KEYS

RATE_PER_H, LIFETIME_H, PAUSE_H = 5.0, 2.0, 1.0
EVICTED = 0.5  # within an hour of running
HAZARD = -math.log(1 - EVICTED)
HOURS, WARM_UP_H, REPLICATIONS = 400.0, 100.0, 100
REQUESTS = RATE_PER_H * (HOURS - WARM_UP_H)

# A request takes turns of running, ended by the hazard, and of waiting for a pause, both from its begin on.
WORK_WANTED_H = LIFETIME_H * (
    1 + HAZARD * PAUSE_H
)  # its work, and a pause for each of Poisson(hazard x work) evictions
# By the clock it is over after an exponential time of rate s: P(up at that time) is s times the Laplace transform of the
# probability to be up, 1 / (s + h - h exp(-s pause)) (alternating renewal process; Cox, Renewal Theory, 1962, chapter 7).
CLOCK_SERVED_H = 1 / (1 / LIFETIME_H + HAZARD * (1 - math.exp(-PAUSE_H / LIFETIME_H)))


@cache
def hours(counts: LifetimeCounts, policy: str) -> tuple[list[float], list[float]]:
    """Wanted and served hours of each replication, in the long run: what began before the warm-up's end goes on after it."""
    demand = Arrivals(rate_per_h=(RATE_PER_H,), lifetime_s=Exponential(mean=LIFETIME_H * 3600), lifetime_counts=counts)
    spot = Spot(eviction_per_hour=EVICTED, policy=policy, notice_s=always(0), restart_after_s=always(PAUSE_H * 3600))
    plan = fleet(
        count=0, hours=HOURS, warm_up_s=WARM_UP_H * 3600, demand=demand, spot=spot,
        steps=dict.fromkeys(DURATION_KEYS, always(0)),
    )  # fmt: skip
    runs = [simulate(plan, seed=5, replication=n, engine="compiled").fleet for n in range(REPLICATIONS)]
    return [run.wanted_h for run in runs], [run.served_h for run in runs]


@pytest.mark.parametrize("policy", ["deallocate", "delete"])
def test_by_the_clock_a_request_is_wanted_for_its_lifetime_and_served_while_it_is_up(policy: str) -> None:
    """Little's law: requests times their mean. A request whose time stands still while it is evicted is refused."""
    wanted, served = hours("clock", policy)
    assert held(z_of_mean(wanted, REQUESTS * LIFETIME_H))
    assert held(z_of_mean(served, REQUESTS * CLOCK_SERVED_H))
    assert refused(z_of_mean(wanted, REQUESTS * WORK_WANTED_H))
    assert refused(z_of_mean(served, REQUESTS * LIFETIME_H))


@pytest.mark.parametrize("policy", ["deallocate", "delete"])
def test_work_is_served_in_full_and_wanted_for_every_pause_besides(policy: str) -> None:
    """Its evictions are Poisson in the work. A request that is over at its hour is refused."""
    wanted, served = hours("running", policy)
    assert held(z_of_mean(served, REQUESTS * LIFETIME_H))
    assert held(z_of_mean(wanted, REQUESTS * WORK_WANTED_H))
    assert refused(z_of_mean(served, REQUESTS * CLOCK_SERVED_H))
    assert refused(z_of_mean(wanted, REQUESTS * LIFETIME_H))


CHECKPOINT_H = 0.5


def served_with_losses(work_h: float) -> float:
    """Hours of serving that *work_h* of it take, where an eviction loses what was done since the last, half an hour at most.

    Half an hour without a loss takes (exp(h c) - 1) / h on average; what is left then goes on at one hour an hour, and
    each of Poisson(h x rest) evictions takes back half an hour, which is made up as the first was.
    """
    first_h = min(work_h, CHECKPOINT_H)
    again_h = math.expm1(HAZARD * first_h) / HAZARD
    return again_h + (work_h - first_h) * (1 + HAZARD * again_h)


def test_work_since_the_last_checkpoint_is_lost_and_made_up() -> None:
    """Every request has two hours of work. One that loses nothing, and one that begins anew each time, are refused."""
    demand = Arrivals(rate_per_h=(RATE_PER_H,), lifetime_s=always(LIFETIME_H * 3600), lifetime_counts="running")
    spot = Spot(
        eviction_per_hour=EVICTED, notice_s=always(0), restart_after_s=always(60), lost_work_s=CHECKPOINT_H * 3600
    )
    plan = fleet(
        count=0, hours=HOURS, warm_up_s=WARM_UP_H * 3600, demand=demand, spot=spot,
        steps=dict.fromkeys(DURATION_KEYS, always(0)), generalized=False,
    )  # fmt: skip
    runs = [simulate(plan, seed=5, replication=n, engine="compiled").fleet for n in range(REPLICATIONS)]
    served = [run.served_h for run in runs]
    expected_h = served_with_losses(LIFETIME_H)
    assert held(z_of_mean(served, REQUESTS * expected_h))
    assert refused(z_of_mean(served, REQUESTS * LIFETIME_H))
    assert refused(z_of_mean(served, REQUESTS * math.expm1(HAZARD * LIFETIME_H) / HAZARD))
    assert held(z_of_mean([run.amounts["lost_work_hours"] for run in runs], REQUESTS * (expected_h - LIFETIME_H)))


# Work W is evicted at the instants of a Poisson process of rate h; from the n-th on it goes on with a regular VM, for E[(W - T)+].
# P(T <= x) = 1 - exp(-h x) for the first, 1 - exp(-h x) (1 + h x) for the second; integrated up to W.
ONCE_H = (1 - math.exp(-HAZARD * LIFETIME_H)) / HAZARD
REGULAR_H = {1: LIFETIME_H - ONCE_H, 2: LIFETIME_H - 2 * ONCE_H + LIFETIME_H * math.exp(-HAZARD * LIFETIME_H)}


@pytest.mark.parametrize("evictions", [1, 2])
def test_after_so_many_evictions_work_goes_on_with_a_regular_vm(evictions: int) -> None:
    """The rest of two hours of work, at regular prices. All of it, and the rest after one eviction more or less, are refused."""
    demand = Arrivals(rate_per_h=(RATE_PER_H,), lifetime_s=always(LIFETIME_H * 3600), lifetime_counts="running")
    spot = Spot(eviction_per_hour=EVICTED, notice_s=always(0), restart_after_s=always(60))
    plan = fleet(
        count=0, hours=HOURS, warm_up_s=WARM_UP_H * 3600, demand=demand, spot=spot,
        steps=dict.fromkeys(DURATION_KEYS, always(0)), generalized=False,
        fall_back=FallBack(rule=FallBackRule.AFTER, evictions=evictions, changeover_s=0.0),
    )  # fmt: skip
    first = plan.groups[0]
    plan = replace(plan, groups=(first, replace(first, name="on", spot=None, part_of=first.name)))
    runs = [simulate(plan, seed=5, replication=n, engine="compiled").usages for n in range(REPLICATIONS)]
    regular, spot_ = ([run[name].served_h for run in runs] for name in ("on", first.name))
    assert held(z_of_mean(regular, REQUESTS * REGULAR_H[evictions]))
    assert held(z_of_mean(spot_, REQUESTS * (LIFETIME_H - REGULAR_H[evictions])))
    assert refused(z_of_mean(regular, REQUESTS * REGULAR_H[3 - evictions]))
    assert refused(z_of_mean(regular, REQUESTS * LIFETIME_H))


@pytest.mark.parametrize("counts", ["clock", "running"])
def test_both_policies_have_the_same_demand_to_the_last_bit(counts: LifetimeCounts) -> None:
    """Where steps take no time, a VM that is deleted and made again serves as one that is kept and started again."""
    assert hours(counts, "deallocate") == hours(counts, "delete")
