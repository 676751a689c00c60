"""Random fleets: every demand, every distribution, every failure, far above real rates."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from fleets import always
from hypothesis import strategies as st

from sim.distributions.kinds import (
    Distribution,
    Exponential,
    Gamma,
    Lognormal,
    Mixture,
    Quantiles,
    Samples,
    Triangular,
    Truncated,
    Uniform,
    Weibull,
)
from sim.model.demand import AlwaysOn, Arrivals, Cycle, Demand, Parked, People, Schedule, Windows
from sim.model.faults import GuestCrash, Spot
from sim.model.faults.availability import Availability
from sim.model.plan import FleetPlan, GroupPlan, Retry
from tests.helpers.operation_rows import CHANCE_CODES, DURATION_KEYS

NEVER = float("inf")
# One or two of each family; fixed, because building a distribution's table costs more than a short run.
SHORT: tuple[Distribution, ...] = (
    always(0),
    always(17.25),
    Exponential(mean=40.0),
    Lognormal(median=25.0, sigma=0.5),
    Weibull(shape=0.6, scale=30.0),
    Gamma(shape=2.0, mean=45.0),
    Uniform(low=0.0, high=90.0),
    Triangular(low=5.0, mode=20.0, high=120.0),
    Quantiles(p=(0.0, 0.3, 1.0), at=(0.0, 0.0, 60.0)),
    Mixture(weights=(0.4, 0.6), of=(always(0), Lognormal(median=60.0, sigma=1.0))),
    Samples(values=(1.0, 2.5, 2.5, 30.0, 300.0)),
    Truncated(of=Exponential(mean=60.0), low=10.0, high=200.0),
)
LONG: tuple[Distribution, ...] = (
    always(7200),
    Exponential(mean=5 * 3600.0),
    Lognormal(median=3000.0, sigma=1.8),
    Weibull(shape=0.5, scale=9000.0),
    Gamma(shape=3.0, mean=20_000.0),
    Uniform(low=600.0, high=30_000.0),
    Truncated(of=Lognormal(median=9000.0, sigma=1.0), low=60.0, high=86_400.0),
)
# Ordinary weeks, and weeks in which a clock changes: Europe, the United States, and by half an hour, Lord Howe.
STARTS = (
    datetime(2026, 1, 5, tzinfo=UTC),
    datetime(2026, 1, 9, 13, 37, 11, 250_000, tzinfo=UTC),
    datetime(2026, 3, 28, 18, tzinfo=UTC),
    datetime(2026, 10, 24, 9, 30, tzinfo=UTC),
    datetime(2026, 3, 7, 23, tzinfo=UTC),
    datetime(2026, 10, 31, 12, tzinfo=UTC),
    datetime(2026, 4, 4, 4, tzinfo=UTC),
)
ZONES = ("UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
CLOCK = (time(0), time(2, 30), time(8), time(9, 15, 30), time(17), time(23, 59))

short_laws = st.sampled_from(SHORT)
long_laws = st.sampled_from(LONG)
chances = st.sampled_from((0.0, 0.0, 0.05, 0.4, 0.9))
schedules = st.builds(
    Schedule,
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    on=st.sampled_from(CLOCK),
    off=st.sampled_from(CLOCK),
    time_zone=st.sampled_from(ZONES),
    jitter_s=st.one_of(st.none(), short_laws, st.just(Uniform(low=0.0, high=7200.0))),
)
cycles = st.builds(Cycle, on_s=st.one_of(long_laws, short_laws), off_s=long_laws)
batches = st.sampled_from((((1,), (1.0,)), ((2,), (1.0,)), ((1, 2, 7), (0.5, 0.25, 0.25))))


@st.composite
def arrivals(draw: st.DrawFn) -> Arrivals:
    """Requests at a rate for each hour, or one for all."""
    kind = draw(st.sampled_from((1, 24, 168)))
    if kind == 1:
        rates = (draw(st.sampled_from((0.5, 3.0))),)
    else:
        some = draw(st.lists(st.sampled_from((0.0, 0.0, 1.0, 5.0)), min_size=3, max_size=3))
        rates = tuple(some[hour % 3] for hour in range(kind))
    sizes, weights = draw(batches)
    return Arrivals(
        rate_per_h=rates, lifetime_s=draw(st.one_of(long_laws, short_laws)), batch_sizes=sizes,
        batch_weights=weights, shared_lifetime=draw(st.sampled_from((0.0, 0.5, 1.0))), time_zone=draw(st.sampled_from(ZONES)),
        lifetime_counts=draw(st.sampled_from(("clock", "running"))),
        due_after_s=draw(st.sampled_from((NEVER, 4000.0, 30_000.0))),
    )  # fmt: skip


people = st.builds(
    People,
    absent=st.sampled_from((0.0, 0.3)),
    forgets=st.sampled_from((0.0, 0.4, 1.0)),
    auto_off=st.one_of(st.none(), st.sampled_from(CLOCK)),
)
windows = st.builds(
    Windows,
    schedules=st.lists(schedules, min_size=1, max_size=3).map(tuple),
    closed=st.frozensets(
        st.sampled_from([start.date() + timedelta(days=day) for start in STARTS for day in range(-1, 4)]), max_size=10
    ),
    people=people,
)
demands: st.SearchStrategy[Demand] = st.one_of(
    st.just(AlwaysOn()), st.just(Parked()), schedules, windows, cycles, arrivals()
)
retries = st.builds(
    Retry,
    attempts=st.integers(1, 6),
    backoff_s=st.sampled_from((0.0, 1.0, 60.0)),
    multiplier=st.sampled_from((1.0, 2.0, 1.7)),
    max_backoff_s=st.sampled_from((60.0, 3600.0)),
)
crashes = st.builds(GuestCrash, time_between_s=long_laws, detection_s=short_laws)
RECORDED = Availability(
    length_s=40_000.0, runs_s=((0.0, 9000.0), (9000.0, 17_000.5), (20_000.0, 20_060.0), (31_000.0, 40_000.0))
)
spots = st.builds(
    Spot,
    lost_work_s=st.sampled_from((0.0, 900.0)),
    availability=st.sampled_from((None, None, RECORDED)),
    eviction_per_hour=st.sampled_from((0.0, 0.02, 0.5, 0.95)),
    policy=st.sampled_from(("deallocate", "delete")),
    notice_s=short_laws,
    restart_after_s=st.one_of(st.none(), short_laws, long_laws),
)


initial_states = st.sampled_from(("", "", "running", "stopped", "deallocated", "hibernated"))


count_steps = st.one_of(
    st.just(()),
    st.dictionaries(st.sampled_from((1.0, 900.0, 7200.0, 40_000.5, 90_000.0)), st.integers(0, 9), max_size=4).map(
        lambda steps: tuple(sorted(steps.items()))
    ),
)


@st.composite
def group_plans(draw: st.DrawFn, name: str) -> GroupPlan:
    """One group."""
    demand = draw(demands)
    initial = "" if isinstance(demand, Arrivals) else draw(initial_states)
    return GroupPlan(
        name=name,
        count=0 if isinstance(demand, Arrivals) else draw(st.integers(0, 7)),
        ready_within_s=draw(st.sampled_from((0.0, 30.0, 300.0))),
        initial=initial,
        count_steps=() if isinstance(demand, Arrivals) else draw(count_steps),
        create_over_s=0.0 if initial else draw(st.sampled_from((0.0, 3600.0, 100_000.0))),
        demand=demand,
        when_off=draw(st.sampled_from(("deallocate", "stop", "guest-shutdown", "hibernate", "delete", "keep"))),
        generalized=draw(st.booleans()),
        durations_s={key: draw(short_laws) for key in DURATION_KEYS},
        failures={code: draw(chances) for code in CHANCE_CODES},
        os_provisioning_timeout_s=draw(st.sampled_from((20.0, 60.0, 1200.0))),
        extensions_timeout_s=draw(st.sampled_from((20.0, 5400.0))),
        reaction_s=draw(long_laws),
        retry=draw(retries),
        guest_crash=draw(st.one_of(st.none(), crashes)),
        spot=draw(st.one_of(st.none(), spots)),
    )


@st.composite
def fleet_plans(draw: st.DrawFn, most_groups: int = 3) -> FleetPlan:
    """A fleet of some groups over hours or days, with or without a warm-up."""
    horizon_s = draw(st.sampled_from((1.0, 3599.5, 3600.0, 30_000.0, 86_400.0, 200_000.1, 345_600.0)))
    names = ("a", "b", "c")[: draw(st.integers(1, most_groups))]
    return FleetPlan(
        start=draw(st.sampled_from(STARTS)),
        horizon_s=horizon_s,
        warm_up_s=draw(st.sampled_from((0.0, 0.0, 0.3, 0.9))) * horizon_s,
        groups=tuple(draw(group_plans(name)) for name in names),
    )
