"""Failures, retries, timeouts and evictions against the probabilities that follow from what the scenario says."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import pytest
from evidence import FALSE_ALARM, held, p_of_counts, refused, z_of_mean, z_of_share
from fleets import HOUR, always, fleet
from scipy import stats

from sim.distributions.kinds import Exponential, Lognormal
from sim.engines.group_setup import FleetRun
from sim.engines.simulate import simulate
from sim.model.faults import GuestCrash, Spot
from sim.model.plan import Retry

MANY = 20_000


# --- retries ----------------------------------------------------------------------------------------------------------

P_FAIL, ATTEMPTS = 0.6, 4


@cache
def retried() -> FleetRun:
    """Twenty thousand creates, each of which finds no hardware with probability 0.6, up to four times."""
    plan = fleet(
        count=MANY, hours=2, failures={"AllocationFailed": P_FAIL}, retry=Retry(attempts=ATTEMPTS, backoff_s=60.0)
    )
    return simulate(plan, seed=3, replication=0, engine="compiled", vm_timelines=MANY)


def attempts_expected(attempts: int) -> list[float]:
    """Creates by the number of their attempts: geometric, the last class all that is left."""
    return [MANY * P_FAIL ** (k - 1) * (1 - P_FAIL if k < attempts else 1) for k in range(1, attempts + 1)]


def test_attempts_are_geometric_up_to_the_last() -> None:
    """P(k attempts) = p^(k-1) (1-p), and p^(m-1) for the last one; each VM counted by the times it was creating."""
    made = Counter(sum(state == "creating" for _, state in life) for _, life in retried().vm_timelines)
    observed = [made[k] for k in range(1, ATTEMPTS + 1)]
    assert sum(observed) == MANY
    assert p_of_counts(observed, attempts_expected(ATTEMPTS)) > FALSE_ALARM


def test_creates_are_lost_with_the_probability_that_all_attempts_fail() -> None:
    """p^m; one attempt more or less is refused."""
    lost = MANY - retried().fleet.counts["vms.created"]
    assert held(z_of_share(lost, MANY, P_FAIL**ATTEMPTS))
    for wrong in (ATTEMPTS - 1, ATTEMPTS + 1):
        assert refused(z_of_share(lost, MANY, P_FAIL**wrong))


def test_the_mean_number_of_attempts_is_that_of_the_truncated_distribution() -> None:
    """(1 - p^m) / (1 - p); the geometric distribution without a limit is rejected."""
    attempts = [sum(state == "creating" for _, state in life) for _, life in retried().vm_timelines]
    assert sum(attempts) == retried().fleet.counts["allocation.attempts"]
    assert held(z_of_mean(attempts, (1 - P_FAIL**ATTEMPTS) / (1 - P_FAIL)))
    assert refused(z_of_mean(attempts, 1 / (1 - P_FAIL)))


# --- a deadline -------------------------------------------------------------------------------------------------------

COMPLETION, DEADLINE_S, BY_CHANCE = Lognormal(median=600.0, sigma=0.8), 1200.0, 0.05


@cache
def timed() -> FleetRun:
    """Provisioning that takes a lognormal time, races with a deadline, and hangs now and then; no one reacts."""
    plan = fleet(
        count=MANY, hours=1, steps={"os_provisioning": COMPLETION}, os_provisioning_timeout_s=DEADLINE_S,
        failures={"OSProvisioningTimedOut": BY_CHANCE}, reaction_s=always(1e9),
    )  # fmt: skip
    return simulate(plan, seed=3, replication=0, engine="compiled")


def test_provisioning_times_out_when_it_is_late_or_hangs() -> None:
    """1 - (1 - q) F(deadline); chance alone, lateness alone, or their sum are refused."""
    late = 1 - float(COMPLETION.cdf(DEADLINE_S))
    hits = timed().fleet.counts["failures.OSProvisioningTimedOut"]
    assert held(z_of_share(hits, MANY, 1 - (1 - BY_CHANCE) * (1 - late)))
    for wrong in (BY_CHANCE, late):
        assert refused(z_of_share(hits, MANY, wrong))
    assert not held(z_of_share(hits, MANY, BY_CHANCE + 1.5 * late))


def test_a_vm_that_is_timed_out_serves_from_the_deadline_never() -> None:
    """Served hours: those who complete serve from E[T; T < deadline] on; the wrong model serves all from the mean on."""
    # E[T; T < d] of a lognormal is its mean times the normal probability moved by sigma.
    done = float(COMPLETION.cdf(DEADLINE_S))
    partial_s = COMPLETION.mean * stats.norm.cdf(stats.norm.ppf(done) - COMPLETION.sigma)
    left_s = HOUR - 35 - 5
    expected_h = (1 - BY_CHANCE) * (done * left_s - partial_s) / HOUR
    second = COMPLETION.mean**2 * (COMPLETION.variance / COMPLETION.mean**2 + 1)
    served_2 = (
        left_s**2 * done - 2 * left_s * partial_s + second * stats.norm.cdf(stats.norm.ppf(done) - 2 * COMPLETION.sigma)
    )
    sd_h = ((1 - BY_CHANCE) * served_2 / HOUR**2 - expected_h**2) ** 0.5
    z = (timed().fleet.served_h / MANY - expected_h) / (sd_h / MANY**0.5)
    assert held(z)
    wrong_h = (left_s - COMPLETION.mean) / HOUR
    assert refused((timed().fleet.served_h / MANY - wrong_h) / (sd_h / MANY**0.5))


# --- spot -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1.0, 3.0])
def test_spot_vms_survive_each_hour_of_running_with_the_probability_stated(hours: float) -> None:
    """(1 - p)^h after h hours of Running; a hazard of p per hour, e^(-p h), is refused."""
    p = 0.3
    plan = fleet(count=MANY, hours=hours + 35 / HOUR, spot=Spot(eviction_per_hour=p, notice_s=always(30)))
    evicted = simulate(plan, seed=3, replication=0, engine="compiled").fleet.counts["evictions"]
    assert held(z_of_share(MANY - evicted, MANY, (1 - p) ** hours))
    assert refused(z_of_share(MANY - evicted, MANY, math.exp(-p * hours)))


# --- crashes ----------------------------------------------------------------------------------------------------------


def test_crashes_of_exponential_guests_that_recover_at_once_are_a_poisson_process() -> None:
    """Mean and variance rate x serving time; the same rate on the clock from the request is refused."""
    plan = fleet(
        count=400, hours=2, warm_up_s=0.0, steps={"restarting": always(0), "os_provisioning": always(1000)},
        guest_crash=GuestCrash(time_between_s=Exponential(mean=600.0), detection_s=always(0)),
    )  # fmt: skip
    totals = [simulate(plan, seed=3, replication=r, engine="compiled").fleet.counts["guest_crashes"] for r in range(30)]
    serving_s = 7200 - (35 + 1000 + 5)
    mean = 400 * serving_s / 600
    assert held(z_of_mean(totals, mean, sd=mean**0.5))
    assert refused(z_of_mean(totals, 400 * 7200 / 600, sd=mean**0.5))
