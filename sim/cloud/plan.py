"""What a run is asked to play: frozen plans, free of files, money and statistics.

The scenario model (`sim.experiment.scenario`) builds these; the walkers (`sim.cloud`) read nothing else. Times are
seconds from the start of the run, durations are distributions of seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time

from sim.sampling.distributions import Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysOn:
    """Wanted from the moment it is asked for until the horizon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Wanted in a weekly window of local wall-clock time; an `off` not after `on` is on the next day."""

    days: tuple[int, ...]  # weekdays on which a window begins, Monday = 0
    on: time
    off: time
    time_zone: str
    jitter_s: Distribution | None = None  # added to each edge of each window, drawn per VM and edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """Wanted for `on_s`, then unwanted for `off_s`, for ever; starts wanted."""

    on_s: Distribution
    off_s: Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """VMs requested by a Poisson process, each deleted a lifetime after it is Running."""

    rate_per_h: tuple[
        float, ...
    ]  # 1 number (constant), 24 (hours of a UTC day) or 168 (hours of a week from Monday)
    lifetime_s: Distribution
    batch_sizes: tuple[int, ...] = (1,)
    batch_weights: tuple[float, ...] = (1.0,)  # sum to 1
    time_zone: str = "UTC"


Demand = AlwaysOn | Schedule | Cycle | Arrivals


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The automation's answer to a failed create or start: attempts in all, the first one counted."""

    attempts: int = 5
    backoff_s: float = 60.0
    multiplier: float = 2.0
    max_backoff_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCrash:
    """The guest OS dies after some running time; the monitoring notices, then asks for a restart."""

    time_between_s: Distribution
    detection_s: Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Eviction as a hazard per hour of running time."""

    eviction_per_hour: float
    policy: str = "deallocate"  # deallocate | delete
    notice_s: Distribution
    restart_after_s: Distribution | None = None  # None: nobody asks again


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """One group of like VMs: how many, who wants them on and when, how long each step takes, what goes wrong."""

    name: str
    count: int = 0  # created from t = 0 on; 0 with Arrivals
    create_over_s: float = 0.0  # VM i is asked for at i * create_over / count
    demand: Demand = field(default_factory=AlwaysOn)
    when_off: str = "deallocate"  # deallocate | stop | guest-shutdown | hibernate | keep
    generalized: bool = True  # an image with OS provisioning
    durations_s: Mapping[
        str, Distribution
    ]  # allocating starting os_provisioning extensions stopping deallocating
    #                                          restarting updating deleting
    failures: Mapping[str, float] = field(default_factory=dict)  # platform code -> probability per attempt
    os_provisioning_timeout_s: float = 1200.0
    extensions_timeout_s: float = 5400.0
    reaction_s: Distribution
    retry: Retry = field(default_factory=Retry)
    guest_crash: GuestCrash | None = None
    spot: Spot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """Everything one replication plays, besides its seed and number."""

    start: datetime  # aware; wall-clock instant of t = 0
    horizon_s: float
    warm_up_s: float = 0.0
    groups: tuple[GroupPlan, ...]
