"""VMs that are requested by a Poisson process and deleted after a lifetime: `[group.arrivals]`."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.distributions import streams
from sim.distributions.kinds import Distribution, Exponential
from sim.distributions.samplers import compile_samplers, evaluate
from sim.distributions.specs import Varying, shares, to_distribution, varying_words
from sim.fields.issues import Issue, Path
from sim.fields.messages import list_words
from sim.fields.numbers import percent
from sim.fields.types import NotNegative, PositiveSeconds, Section, Share, TimeZone, Whole, default_field
from sim.model.demand.base import (
    DEMAND_KINDS,
    HOURS_PER_WEEK,
    MOVES_PER_ROUND,
    Demand,
    DemandSection,
    GroupFacts,
    RequestContext,
    by_local_hour,
)
from sim.units import SECONDS_PER_HOUR, format_duration

WEEK_S = 604_800.0
DRAWN_AT_ONCE = 4096
RATE_KEYS = ("rate", "hourly", "weekly")
LifetimeCounts = Literal["clock", "running"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals(Demand):
    """VMs requested by a Poisson process, each deleted a lifetime after it is Running."""

    has_lifetime: ClassVar[bool] = True
    is_open: ClassVar[bool] = True
    rate_per_h: tuple[float, ...]  # 1 number (constant), 24 (hours of a day) or 168 (hours of a week from Monday)
    lifetime_s: Distribution
    batch_sizes: tuple[int, ...] = (1,)
    batch_weights: tuple[float, ...] = (1.0,)  # sum to 1
    shared_lifetime: float = 0.0  # probability that a batch's VMs take one lifetime
    time_zone: str = "UTC"
    lifetime_counts: LifetimeCounts = "clock"
    due_after_s: float = math.inf  # of work, from its request

    @property
    def deadline_s(self) -> float:
        """When the work is due, from its request."""
        return self.due_after_s

    def request_times(self, context: RequestContext) -> Iterator[NDArray[np.float64]]:
        """The instants (s) at which VMs are requested, in order, block by block."""
        return (times for times, _ in self._requests(context))

    def lifetime_owners(self, context: RequestContext) -> NDArray[np.int64] | None:
        """For each VM the number of the VM whose draw is its lifetime, too: the first of its batch, where a batch shares one."""
        if self.shared_lifetime == 0.0:
            return None
        return np.concatenate([np.zeros(0, dtype=np.int64), *(owners for _, owners in self._requests(context))])

    def _requests(self, context: RequestContext) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """When each VM is requested (s), and whose lifetime it takes: a Poisson process of batches.

        Inversion of the integrated rate: the k-th request comes when the rate has added up to a sum of k unit
        exponentials (Law, Simulation Modeling and Analysis, section 8.6.2).
        """
        bounds_s, integral = _integrated_rate(self, context.start, context.horizon_s)
        unit = compile_samplers([Exponential(mean=1.0)])
        keys = np.array([context.group_key], dtype=np.uint64)
        gaps_key = streams.stream_keys(keys, "arrival")
        sizes_key, sharing_key = (streams.stream_keys(keys, name) for name in ("batch", "batch.shares_lifetime"))
        cumulative = np.cumsum(np.asarray(self.batch_weights))
        total, position, vms = 0.0, 0, 0
        while integral[-1] > 0:
            draws = np.arange(position, position + DRAWN_AT_ONCE)
            gaps = evaluate(unit, 0, streams.bits(gaps_key, draws).reshape(-1))
            sums = np.cumsum(np.concatenate(([total], gaps)))[1:]
            # Where the rate is zero the integral is flat, and nothing falls there but by rounding; keep the order.
            times = np.maximum.accumulate(np.interp(sums, integral, bounds_s))
            over = int(np.searchsorted(np.minimum(sums, integral[-1]), integral[-1], side="left"))
            over = min(over, int(np.searchsorted(times, context.horizon_s, side="left")))
            times, sizes = times[:over], np.ones(over, dtype=np.int64)
            if len(self.batch_sizes) > 1 or self.batch_sizes[0] != 1:
                u = streams.uniforms(streams.bits(sizes_key, draws[: len(times)])).reshape(-1)
                chosen = np.minimum(np.searchsorted(cumulative, u, side="right"), len(cumulative) - 1)
                sizes = np.asarray(self.batch_sizes)[chosen]
                times = np.repeat(times, sizes)
            if len(times):
                u = streams.uniforms(streams.bits(sharing_key, draws[:over])).reshape(-1)
                first = vms + np.repeat(np.cumsum(sizes) - sizes, sizes)
                own = np.arange(vms, vms + len(times), dtype=np.int64)
                yield times, np.where(np.repeat(u < self.shared_lifetime, sizes), first, own)
                vms += len(times)
            if over < len(sums):
                return
            total, position = float(sums[-1]), position + DRAWN_AT_ONCE

    @property
    def drawn_lifetime_s(self) -> Distribution:
        """One draw for each VM, however often it has to be replaced."""
        return self.lifetime_s

    @property
    def lifetime_is_work(self) -> bool:
        """Whether a VM has a certain time to serve, however long that takes."""
        return self.lifetime_counts == "running"

    @property
    def repeats_h(self) -> int:
        """As many hours as there are rates."""
        return len(self.rate_per_h)

    def expected_moves(self, count: int, horizon_s: float) -> float:
        """A whole life for each VM that comes."""
        batch = float(np.dot(self.batch_sizes, self.batch_weights))
        return MOVES_PER_ROUND * batch * float(np.mean(self.rate_per_h)) * horizon_s / SECONDS_PER_HOUR


@lru_cache(maxsize=16)  # the same for every replication
def _integrated_rate(
    plan: Arrivals, start: datetime, horizon_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds (s) of the stretches of constant rate, and the expected number of requests up to each.

    The last stretch is a whole hour, too: where the horizon lies must not move a request by a bit.
    """
    rates = plan.rate_per_h
    if len(rates) == 1:
        bounds = [week * WEEK_S for week in range(math.ceil(horizon_s / WEEK_S) + 1)]
        per_h = list(rates) * (len(bounds) - 1)
    else:
        stretches = list(by_local_hour(rates, start, horizon_s, plan.time_zone))
        bounds, per_h = [0.0, *(ends_s for _, ends_s, _ in stretches)], [rate for *_, rate in stretches]
    steps = np.diff(bounds) / SECONDS_PER_HOUR * np.asarray(per_h)
    return np.asarray(bounds), np.concatenate(([0.0], np.cumsum(steps)))


class Batch(Section):
    """How many VMs one request asks for."""

    sizes: tuple[Annotated[Whole, Field(ge=1, le=1_000_000)], ...] = Field(min_length=1, description="Numbers of VMs.")
    weights: tuple[NotNegative, ...] = Field(description="Weight of each size.")
    shared_lifetime: Share | None = Field(
        None, description="Probability that the VMs of a batch share one lifetime; left out: each has its own."
    )


Rate = Annotated[NotNegative, Field(le=1e9)]


@DEMAND_KINDS.register("arrivals")
class ArrivalsSection(DemandSection):
    """VMs requested by a Poisson process, each deleted after its lifetime. Exactly one of rate, hourly, weekly."""

    key = "arrivals"
    demand = Arrivals
    count_words = "by arrivals"
    stand_ins = MappingProxyType({"lifetime": "1h"})
    stand_ins_beside = MappingProxyType({"rate": 0.0, "hourly": [0.0] * 24, "weekly": [0.0] * HOURS_PER_WEEK})

    rate: Rate | None = Field(None, description="Requests per hour.")
    hourly: tuple[Rate, ...] | None = Field(
        None, min_length=24, max_length=24, description="Requests per hour, by hour of the day."
    )
    weekly: tuple[Rate, ...] | None = Field(
        None, min_length=168, max_length=168, description="Requests per hour, by hour of the week from Monday 00:00."
    )
    batch: Batch | None = Field(None, description="VMs per request; left out: one.")
    lifetime: Varying = Field(description="From the moment a VM is Running until its deletion is requested.")
    lifetime_counts: LifetimeCounts = default_field(
        "group.arrivals.lifetime_counts",
        "clock: the lifetime passes from the first Running on; running: only while the VM is ready, so that work is made up.",
    )
    deadline: PositiveSeconds | None = Field(
        None, description="Of the work, from its request; left out: it has none, and no figures of it."
    )
    time_zone: TimeZone = default_field("group.arrivals.time_zone", "Whose hours `hourly` and `weekly` mean.")

    @property
    def rates_per_h(self) -> tuple[float, ...]:
        """1, 24 or 168 numbers."""
        return self.hourly or self.weekly or (self.rate or 0.0,)

    @property
    def has_work(self) -> bool:
        """Whether it is made up what evictions and failures take."""
        return self.lifetime_counts == "running"

    def to_demand(self) -> Arrivals:
        """Rates, sizes of a batch with their shares, and the lifetime."""
        return Arrivals(
            rate_per_h=self.rates_per_h,
            lifetime_s=to_distribution(self.lifetime),
            batch_sizes=self.batch.sizes if self.batch else (1,),
            batch_weights=shares(self.batch.weights) if self.batch else (1.0,),
            shared_lifetime=(self.batch.shared_lifetime or 0.0) if self.batch else 0.0,
            time_zone=self.time_zone,
            lifetime_counts=self.lifetime_counts,
            due_after_s=math.inf if self.deadline is None else self.deadline,
        )

    def describe(self, group: GroupFacts) -> str:
        """Rates, batches and lifetimes."""
        rates = self.rates_per_h
        hours = {1: "", 24: ", by hour of the day", HOURS_PER_WEEK: ", by hour of the week"}[len(rates)]
        rate = f"{rates[0]:g}" if len(rates) == 1 else f"{min(rates):g} to {max(rates):g}"
        batch = ""
        if self.batch is not None:
            parts = zip(self.batch.sizes, shares(self.batch.weights), strict=True)
            batch = f" in batches of {list_words((f'{size} ({share:.3g})' for size, share in parts), 'and')}"
            if self.batch.shared_lifetime is not None:
                batch += f", of which {percent(self.batch.shared_lifetime)} have one lifetime for all their VMs"
        zone = f" ({self.time_zone})" if len(rates) > 1 else ""
        lifetime = varying_words(self.lifetime)
        lives = (
            f"is needed for {lifetime} from its first Running on, evicted or not,"
            if not self.has_work
            else f"has {lifetime} of work to do while it is ready, and makes up what evictions and failures take,"
        )
        due = "" if self.deadline is None else f" Its work is due {format_duration(self.deadline)} after the request."
        return f"Requested {rate} times per hour{hours}{zone}{batch}; each {lives} then is deleted.{due}"

    def check(self, group: GroupFacts, place: Path) -> Iterator[Issue]:
        """One rate that is above 0, and one weight for each size of a batch."""
        given = [key for key in RATE_KEYS if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "none"
            problem = f"exactly one of rate, hourly, weekly is needed; given: {found}"
            yield Issue(place, problem, related_paths=() if given else tuple((*place, key) for key in RATE_KEYS))
        elif sum(self.rates_per_h) == 0:
            yield Issue((*place, given[0]), "no VM would ever arrive: the group is empty", "give a rate above 0")
        if group.create_over > 0:
            hint = "leave it out: arrivals say when VMs are created"
            yield Issue((*place[:-1], "create_over"), "it has no effect beside arrivals", hint, related_paths=(place,))
        if self.deadline is not None and not self.has_work:
            problem = "it has no effect: only work is done in time or late"
            hint = 'write lifetime_counts = "running" beside it, or leave it out'
            yield Issue((*place, "deadline"), problem, hint, related_paths=((*place, "lifetime_counts"),))
        if self.batch is not None:
            yield from self._check_batch(self.batch, (*place, "batch"))

    @staticmethod
    def _check_batch(batch: Batch, place: Path) -> Iterator[Issue]:
        if batch.shared_lifetime and max(batch.sizes) == 1:
            yield Issue(
                (*place, "shared_lifetime"), "it has no effect: every batch is one VM", "leave it out, or give larger sizes",
                related_paths=((*place, "sizes"),),
            )  # fmt: skip
        if len(batch.sizes) != len(batch.weights):
            problem = f"there are {len(batch.sizes)} sizes and {len(batch.weights)} weights"
            hint = "give one weight for each size"
            yield Issue(place, problem, hint, related_paths=((*place, "sizes"), (*place, "weights")))
            return
        try:
            shares(batch.weights)
        except ValueError as error:
            problem, _, hint = str(error).partition("; ")
            yield Issue((*place, "weights"), problem, hint)
