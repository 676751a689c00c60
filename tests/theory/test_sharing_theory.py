"""Fleets that share hosts and quota against the closed forms of teletraffic and of renewal theory, and the wrong models they refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from evidence import FALSE_ALARM, held, refused, z_of_mean, z_of_share
from fleets import always, fleet, group
from numpy.typing import NDArray
from scipy import stats
from shared import hosts, shared, vms

from sim.distributions.kinds import Constant, Distribution, Exponential, Lognormal, Weibull
from sim.engines.simulate import simulate
from sim.model.demand import Arrivals
from sim.model.faults import Failing, Spot
from sim.model.plan import FleetPlan, HostPool, Platform, Quota, Retry

Floats = NDArray[np.float64]
AT_ONCE = dict.fromkeys(
    ("allocating", "starting", "os_provisioning", "extensions", "stopping", "deallocating", "restarting", "deleting", "updating"), always(0)
)  # fmt: skip
LIFE_S = 3600.0


def limit(samples: Floats) -> float:
    """Standard errors, estimated from so few replications, that chance alone passes at the false-alarm rate (Student)."""
    return float(stats.t.isf(FALSE_ALARM / 2, len(samples) - 1))


def agrees(samples: Floats, expected: float) -> bool:
    """Whether the mean over replications is as far from its expectation as chance explains."""
    return abs(z_of_mean(samples, expected)) <= limit(samples)


def refuses(samples: Floats, expected: float) -> bool:
    """Whether a wrong model's expectation is refused beyond doubt: by twice what a right one may deviate."""
    return abs(z_of_mean(samples, expected)) > 2 * limit(samples)


def arriving(name: str, per_h: float, lifetime: Distribution, vcpus: int = 1) -> Any:
    """VMs that come, are there at once, and go away if there is no room: a loss system's customers."""
    return group(
        name, count=0, demand=Arrivals(rate_per_h=(per_h,), lifetime_s=lifetime), retry=Retry(attempts=1), steps=AT_ONCE,
        size=name, family="f", vcpus=vcpus, memory_gib=1.0,
    )  # fmt: skip


def blocked(plan: FleetPlan, replications: int) -> dict[str, Floats]:
    """The share of requests that found no room, group by group, in each replication after the warm-up."""
    found: dict[str, list[float]] = {each.name: [] for each in plan.groups}
    for replication in range(replications):
        run = simulate(plan, seed=4, replication=replication, engine="compiled")
        for name, usage in run.usages.items():
            lost = usage.counts.get("allocation.failures", 0) + usage.counts.get("operations.create.rejected", 0)
            asked = usage.counts["operations.create.accepted"] + usage.counts.get("operations.create.rejected", 0)
            found[name].append(lost / asked)
    return {name: np.array(shares) for name, shares in found.items()}


# --- one size on a host: Erlang B -------------------------------------------------------------------------------------


def erlang_b(servers: int, load: float) -> float:
    """The share of customers that a loss system turns away (Kleinrock, Queueing Systems 1, section 3.5)."""
    share = 1.0
    for n in range(1, servers + 1):
        share = load * share / (n + load * share)
    return share


PLACES, PER_H = 10, 8.0
LIFETIMES = {
    "exponential": Exponential(mean=LIFE_S),
    "constant": Constant(value=LIFE_S),
    "lognormal": Lognormal(median=LIFE_S / float(np.exp(0.5)), sigma=1.0),  # of the same mean
}


@pytest.fixture(scope="module")
def turned_away() -> dict[str, Floats]:
    """By lifetime distribution: one host of 10 vCPUs, 8 requests and 8 VM-hours requested per hour."""
    found = {}
    for distribution, lifetime in LIFETIMES.items():
        plan = fleet(arriving("g", PER_H, lifetime), hours=650.0, warm_up_s=50 * LIFE_S)
        pools = (HostPool(name="p", count=1, vcpus=PLACES, memory_gib=64.0),)
        found[distribution] = blocked(replace(plan, platform=Platform(hosts=pools)), 40)["g"]
    return found


@pytest.mark.parametrize("distribution", LIFETIMES)
def test_refusals_are_those_of_erlang_whatever_the_distribution_of_lifetimes(turned_away: dict[str, Floats], distribution: str) -> None:  # fmt: skip
    """12.2 % of them: the loss formula knows the mean lifetime only."""
    assert agrees(turned_away[distribution], erlang_b(PLACES, PER_H))


@pytest.mark.parametrize("distribution", LIFETIMES)
def test_one_place_more_or_requests_that_wait_are_refused(turned_away: dict[str, Floats], distribution: str) -> None:
    """Eleven places lose 8.1 %; who waits instead of going away waits with 40.9 % (Erlang C)."""
    assert refuses(turned_away[distribution], erlang_b(PLACES + 1, PER_H))
    loss = erlang_b(PLACES, PER_H)
    assert refuses(turned_away[distribution], loss / (1 - PER_H / PLACES * (1 - loss)))


# --- several sizes on one quota: Kaufman and Roberts ------------------------------------------------------------------


def kaufman_roberts(limit: int, classes: list[tuple[int, float]]) -> list[float]:
    """The share that each class (vCPUs, load) loses (Kaufman, IEEE Trans. Commun. 29, 1981; Roberts, 1981)."""
    weights = [1.0]
    for used in range(1, limit + 1):
        weights.append(sum(size * load * weights[used - size] for size, load in classes if used >= size) / used)
    return [sum(weights[limit - size + 1 :]) / sum(weights) for size, _ in classes]


SIZES = [(1, 6.0), (4, 3.0)]
LIMIT = 20


@pytest.fixture(scope="module")
def over_quota() -> dict[str, Floats]:
    """VMs of 1 and of 4 vCPUs under one regional quota of 20, with different lifetime distributions."""
    small = arriving("small", SIZES[0][1], LIFETIMES["lognormal"], vcpus=1)
    large = arriving("large", SIZES[1][1], LIFETIMES["constant"], vcpus=4)
    plan = fleet(small, large, hours=650.0, warm_up_s=50 * LIFE_S)
    return blocked(replace(plan, platform=Platform(quota=Quota(regional_vcpus=LIMIT))), 40)


def test_sizes_that_share_a_quota_are_refused_as_kaufman_and_roberts_say(over_quota: dict[str, Floats]) -> None:
    """The large are refused several times as often as the small."""
    small, large = kaufman_roberts(LIMIT, SIZES)
    assert large > 4 * small
    assert agrees(over_quota["small"], small)
    assert agrees(over_quota["large"], large)


def test_a_quota_split_by_size_or_without_sizes_is_refused(over_quota: dict[str, Floats]) -> None:
    """A fixed share for each by its load (7 and 13 vCPUs), or all vCPUs asked for one by one."""
    assert refuses(over_quota["small"], erlang_b(7, 6.0))
    assert refuses(over_quota["large"], erlang_b(13 // 4, 3.0))
    one_by_one = erlang_b(LIMIT, sum(size * load for size, load in SIZES))
    assert refuses(over_quota["small"], one_by_one)
    assert refuses(over_quota["large"], one_by_one)


def test_kaufman_and_roberts_with_one_size_is_erlang() -> None:
    """The two formulas here agree where they meet."""
    assert kaufman_roberts(PLACES, [(1, PER_H)])[0] == pytest.approx(erlang_b(PLACES, PER_H))


# --- a host that fails: alternating renewal ---------------------------------------------------------------------------

UP = Weibull(shape=1.5, scale=100 * 3600.0)
REPAIR = Lognormal(median=1.05 * 3600, sigma=0.8)
HEALING_S, LOOKS_EVERY_S = 7200.0, 60.0


def mean_lag_s() -> float:
    """From a repair to the VM's start on the host that is back: healing at first, then a look every minute.

    The mean over the repair time's quantiles, by the midpoint rule.
    """
    u = (np.arange(2_000_000) + 0.5) / 2_000_000
    repair_s = np.asarray(REPAIR.ppf(u), dtype=np.float64)
    looks = np.maximum(0.0, np.ceil((repair_s - HEALING_S) / LOOKS_EVERY_S))
    return float(np.mean(HEALING_S + LOOKS_EVERY_S * looks - repair_s))


@pytest.fixture(scope="module")
def served_shares() -> Floats:
    """One VM on the only host, for more than a year at a time: some 110 failures in each of the replications."""
    failing = Failing(time_between_s=UP, repair_s=REPAIR)
    one = vms(count=1, steps=AT_ONCE)
    plan = shared(one, hours=11_000.0, warm_up_s=1000 * 3600.0, hosts=(hosts(1, fit=1),), host_failures=failing, healing_s=always(HEALING_S))  # fmt: skip
    usages = [simulate(plan, seed=5, replication=replication).fleet for replication in range(24)]
    return np.array([usage.served_h / usage.wanted_h for usage in usages])


def test_availability_under_host_failures_is_an_alternating_renewal(served_shares: Floats) -> None:
    """Mean up time over the mean cycle, whatever the distributions (Ross, Stochastic Processes, 3.4.1); the lag costs up time.

    An up time shorter than the lag costs less than the lag: that is P(up < 2 h) = 0.3 % of cycles at most and less than
    2 h each, 6e-5 of the time, a fraction of the standard error.
    """
    up_s, repair_s = UP.mean, REPAIR.mean
    assert agrees(served_shares, (up_s - mean_lag_s()) / (up_s + repair_s))


def test_an_availability_without_healing_or_without_repair_is_refused(served_shares: Floats) -> None:
    """A VM isn't back when its host is, nor does it only wait to be healed."""
    assert refuses(served_shares, UP.mean / (UP.mean + REPAIR.mean))
    assert refuses(served_shares, UP.mean / (UP.mean + mean_lag_s()))


# --- spot -------------------------------------------------------------------------------------------------------------

PER_HOUR, HOURS, FLEET = 0.2, 6.0, 40_000


@pytest.fixture(scope="module")
def survivors() -> int:
    """How many spot VMs on hosts of their own are Running after six hours."""
    spot = Spot(eviction_per_hour=PER_HOUR, notice_s=always(0))
    some = vms(count=FLEET, priority="spot", spot=spot, steps=AT_ONCE)
    plan = shared(some, hours=HOURS, hosts=(hosts(FLEET // 4),))
    return FLEET - simulate(plan, seed=6, replication=0, engine="compiled").fleet.counts["evictions"]


def test_spot_vms_survive_each_hour_with_the_same_probability(survivors: int) -> None:
    """0.8 to the sixth: 26.2 % of them."""
    assert held(z_of_share(survivors, FLEET, (1 - PER_HOUR) ** HOURS))


def test_a_probability_that_is_taken_for_a_rate_is_refused(survivors: int) -> None:
    """A hazard of 0.2 an hour would leave 30.1 %."""
    assert refused(z_of_share(survivors, FLEET, float(np.exp(-PER_HOUR * HOURS))))
