"""Power states, availability and billed hours of fleets against the processes that mathematics has solved."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from evidence import Floats, held, refused, z_of_mean, z_of_variance
from fleets import DAY, HOUR, STEPS, always, fleet

from sim.distributions.kinds import Exponential, Lognormal, Uniform, Weibull
from sim.engines.simulate import simulate
from sim.lifecycle.policy import BILLING_POLICIES
from sim.lifecycle.power import PowerState
from sim.model.demand import Cycle, Schedule
from sim.model.faults import GuestCrash
from sim.model.plan import FleetPlan
from sim.usage.ledger import GroupUsage

OLD = BILLING_POLICIES["2018-08"]
AT_ONCE = dict.fromkeys(STEPS, always(0))


def replications(plan: FleetPlan, n: int) -> list[GroupUsage]:
    """The ledgers of independent replications."""
    return [simulate(plan, seed=11, replication=r, engine="compiled").fleet for r in range(n)]


# --- semi-Markov shares -----------------------------------------------------------------------------------------------

ON, OFF = Uniform(low=600.0, high=6600.0), Uniform(low=900.0, high=9900.0)
ALLOCATING, STARTING = Uniform(low=5.0, high=95.0), Uniform(low=100.0, high=500.0)
LEAVING = Uniform(low=60.0, high=840.0)


@pytest.fixture(scope="module")
def cycling() -> dict[str, Floats]:
    """Hours in each state, in 40 replications of 10 VMs that go on and off for ten days, after two of warm-up."""
    plan = fleet(
        count=10, hours=12 * 24, warm_up_s=2 * DAY, demand=Cycle(on_s=ON, off_s=OFF),
        steps={"allocating": ALLOCATING, "starting": STARTING, "deallocating": LEAVING},
    )  # fmt: skip
    books = defaultdict(list)
    for usage in replications(plan, 40):
        for state in PowerState:
            books[state.value].append(usage.hours(state))
        books["billed"].append(usage.billed_h(OLD))
    return {name: np.array(hours) for name, hours in books.items()}


def test_shares_of_power_states_are_mean_stays_over_the_mean_cycle(cycling: dict[str, Floats]) -> None:
    """Semi-Markov process (Ross, Stochastic Processes, theorem 4.8.3): share = mean time there per cycle / mean cycle.

    A stop or start always ends before demand turns again, so per cycle of mean E[on] + E[off]: deallocating takes D,
    deallocated off - D + A, starting S, and Running is what is left of on.
    """
    hours = 10 * 240.0
    a, s, d = ALLOCATING.mean, STARTING.mean, LEAVING.mean
    whole = ON.mean + OFF.mean
    shares = {
        "deallocating": d / whole,
        "deallocated": (OFF.mean - d + a) / whole,
        "starting": s / whole,
        "running": (ON.mean - a - s) / whole,
        "billed": (ON.mean - a - s) / whole,
    }
    for state, share in shares.items():
        assert held(z_of_mean(cycling[state], share * hours)), state
    assert sum(shares[state] for state in shares if state != "billed") == pytest.approx(1)


def test_a_model_in_which_demand_waits_for_operations_or_operations_take_no_time_is_refused(cycling: dict[str, Floats]) -> None:  # fmt: skip
    """In the first the cycle is longer by its operations; in the second Running lasts all of on."""
    whole = ON.mean + OFF.mean + ALLOCATING.mean + STARTING.mean + LEAVING.mean
    assert refused(z_of_mean(cycling["starting"], STARTING.mean / whole * 2400))
    assert refused(z_of_mean(cycling["deallocating"], LEAVING.mean / whole * 2400))
    assert refused(z_of_mean(cycling["billed"], ON.mean / (ON.mean + OFF.mean) * 2400))


# --- availability -----------------------------------------------------------------------------------------------------

UP = Weibull(shape=0.7, scale=9000.0)
DETECTION, RESTARTING = Lognormal(median=600.0, sigma=0.8), Uniform(low=30.0, high=600.0)


@pytest.fixture(scope="module")
def crashing() -> Floats:
    """Availability in 60 replications of 10 VMs whose guests crash, over twenty days, after five of warm-up."""
    plan = fleet(
        count=10, hours=25 * 24, warm_up_s=5 * DAY, steps={"restarting": RESTARTING},
        guest_crash=GuestCrash(time_between_s=UP, detection_s=DETECTION),
    )  # fmt: skip
    return np.array([usage.served_h / usage.wanted_h for usage in replications(plan, 60)])


def test_availability_is_mean_up_time_over_mean_up_and_down_time(crashing: Floats) -> None:
    """Alternating renewal process (Ross, theorem 3.4.4): only the means count, here of a Weibull and a sum."""
    down_s = DETECTION.mean + RESTARTING.mean
    assert held(z_of_mean(crashing, UP.mean / (UP.mean + down_s)))


def test_an_availability_without_the_restart_or_by_medians_is_refused(crashing: Floats) -> None:
    """The restart is down time, too; and a median is not a mean."""
    assert refused(z_of_mean(crashing, UP.mean / (UP.mean + DETECTION.mean)))
    median_up_s = float(UP.ppf(0.5))
    assert refused(z_of_mean(crashing, median_up_s / (median_up_s + DETECTION.mean + RESTARTING.mean)))


# --- a finite horizon -------------------------------------------------------------------------------------------------

OFF_RATE, ON_RATE = 1 / 3.0, 1 / 5.0  # per hour: of being switched off, and of being switched on again
SPAN_H = 12.0


def mean_on_h(span_h: float) -> float:
    """Expected hours on of a two-state Markov chain that begins on (Trivedi, Probability and Statistics, 8.4)."""
    total = OFF_RATE + ON_RATE
    return ON_RATE / total * span_h + OFF_RATE / total**2 * (1 - math.exp(-total * span_h))


def variance_on_h2(span_h: float, *, stationary: bool = False) -> float:
    """Its variance: twice the integral of P(on at s) P(on at t | on at s) over s < t, less the mean squared.

    With p = on / total, q = 1 - p, P(on at t) = p + q e^(-total t).
    """
    states, weights = np.polynomial.legendre.leggauss(60)
    total = OFF_RATE + ON_RATE
    p, q = ON_RATE / total, OFF_RATE / total
    s = (states + 1) / 2 * span_h
    both = 0.0
    for at, weight in zip(s, weights, strict=True):
        rest = span_h - at
        later = p * rest + q / total * (1 - math.exp(-total * rest))
        both += weight * span_h / 2 * (p if stationary else p + q * math.exp(-total * at)) * later
    mean = p * span_h if stationary else mean_on_h(span_h)
    return 2 * both - mean**2


@pytest.fixture(scope="module")
def billed_hours() -> Floats:
    """Billed hours of 3,000 single VMs whose demand is a Markov chain and whose operations take no time."""
    plan = fleet(
        hours=SPAN_H, count=3000, steps=AT_ONCE,
        demand=Cycle(on_s=Exponential(mean=HOUR / OFF_RATE), off_s=Exponential(mean=HOUR / ON_RATE)),
    )  # fmt: skip
    run = simulate(plan, seed=11, replication=0, engine="compiled", vm_timelines=3000)
    hours = []
    for _, life in run.vm_timelines:
        stays = pairwise([*life, (SPAN_H * HOUR, "")])
        hours.append(sum(until_s - since_s for (since_s, state), (until_s, _) in stays if state == "running") / HOUR)
    assert math.fsum(hours) == pytest.approx(run.fleet.billed_h(OLD), rel=1e-9)
    return np.array(hours)


def test_billed_hours_of_a_markov_chain_have_its_mean_and_variance(billed_hours: Floats) -> None:
    """Up to a horizon of a few cycles only, from the moment it begins on: the transient is part of the answer."""
    assert held(z_of_mean(billed_hours, mean_on_h(SPAN_H), sd=math.sqrt(variance_on_h2(SPAN_H))))
    assert held(z_of_variance(billed_hours, variance_on_h2(SPAN_H)))


def test_the_long_run_share_and_its_variance_are_refused(billed_hours: Floats) -> None:
    """Twelve hours aren't the long run; and hours aren't tossed independently."""
    p = ON_RATE / (ON_RATE + OFF_RATE)
    assert refused(z_of_mean(billed_hours, p * SPAN_H))
    assert refused(z_of_variance(billed_hours, SPAN_H * p * (1 - p)))


# --- the last of many -------------------------------------------------------------------------------------------------

BOOTS, BOOT_S = 40, 60.0


@pytest.fixture(scope="module")
def last_boot_s() -> Floats:
    """When the last of 40 VMs created at once is Running, in 200 replications (s after allocation)."""
    plan = fleet(count=BOOTS, hours=1, steps={"starting": Exponential(mean=BOOT_S)})
    lasts = []
    for r in range(200):
        run = simulate(plan, seed=11, replication=r, engine="simpy", vm_timelines=BOOTS)
        lasts.append(max(t_s for _, life in run.vm_timelines for t_s, state in life if state == "running") - 10)
    return np.array(lasts)


def test_the_last_of_many_boots_takes_a_harmonic_number_of_means(last_boot_s: Floats) -> None:
    """Maximum of n exponentials: mean m (1 + 1/2 + ... + 1/n), variance m^2 (1 + 1/4 + ... + 1/n^2)."""
    mean = BOOT_S * sum(1 / k for k in range(1, BOOTS + 1))
    sd = BOOT_S * math.sqrt(sum(1 / k**2 for k in range(1, BOOTS + 1)))
    assert held(z_of_mean(last_boot_s, mean, sd=sd))
    assert held(z_of_variance(last_boot_s, sd**2))


def test_vms_that_boot_one_mean_after_the_other_or_all_alike_are_refused(last_boot_s: Floats) -> None:
    """A fleet isn't up after a mean boot time, nor after n of them; nor when the last of ten is."""
    for wrong in (BOOT_S, BOOTS * BOOT_S, BOOT_S * sum(1 / k for k in range(1, BOOTS // 4 + 1))):
        assert refused(z_of_mean(last_boot_s, wrong))


# --- a year of local time ---------------------------------------------------------------------------------------------


def hours_on_the_dial(schedule: Schedule, start: datetime, hours: int) -> float:
    """Hours of a schedule by reading a local clock every quarter of an hour, and no arithmetic with windows at all."""
    zone = ZoneInfo(schedule.time_zone)
    quarters = 0
    for quarter in range(4 * hours):
        local = (start + timedelta(minutes=15 * quarter)).astimezone(zone)
        if schedule.off > schedule.on:
            quarters += local.weekday() in schedule.days and schedule.on <= local.time() < schedule.off
        else:
            quarters += local.weekday() in schedule.days and local.time() >= schedule.on
            quarters += (local.weekday() - 1) % 7 in schedule.days and local.time() < schedule.off
    return quarters / 4


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(days=(0, 1, 2, 3, 4), on=time(8), off=time(19), time_zone="Europe/Amsterdam"),
        Schedule(days=(5, 6), on=time(22), off=time(6), time_zone="Europe/Amsterdam"),
        Schedule(days=(5,), on=time(22), off=time(6), time_zone="America/New_York"),
        Schedule(days=(6,), on=time(1), off=time(5, 30), time_zone="Australia/Lord_Howe"),
    ],
    ids=lambda schedule: f"{schedule.time_zone} {schedule.on:%H:%M}",
)
def test_a_year_of_a_schedule_has_the_hours_that_a_local_clock_shows(schedule: Schedule) -> None:
    """Exactly, over both changes of the clock; the hour taken in spring comes back in autumn."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    plan = fleet(hours=365 * 24, start=start, demand=schedule)
    wanted_h = simulate(plan, seed=1, replication=0, engine="simpy").fleet.wanted_h
    assert wanted_h == hours_on_the_dial(schedule, start, 365 * 24)
    half_h = simulate(fleet(hours=200 * 24, start=start, demand=schedule), seed=1, replication=0, engine="simpy").fleet.wanted_h  # fmt: skip
    assert half_h == hours_on_the_dial(schedule, start, 200 * 24), "before the hour has come back, too"


def test_a_schedule_in_utc_has_another_hour_after_the_spring() -> None:
    """The wrong model: windows of fixed length, day for day."""
    night = Schedule(days=(5, 6), on=time(22), off=time(6), time_zone="Europe/Amsterdam")
    in_utc = Schedule(days=(5, 6), on=time(22), off=time(6), time_zone="UTC")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert hours_on_the_dial(night, start, 90 * 24) == hours_on_the_dial(in_utc, start, 90 * 24) - 1
