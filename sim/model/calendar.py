"""Who wants VMs on, and when: windows of local wall-clock time, and arrivals with hourly or weekly rates.

Everything here is a function of the plan, the seed and the replication; no walker has a say in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.distributions.kinds import Exponential
from sim.distributions.samplers import compile_samplers, evaluate
from sim.model.plan import Arrivals, Schedule
from sim.units import SECONDS_PER_HOUR

DAY = timedelta(days=1)
WEEK_S = 604_800.0
ARRIVALS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The edges of a schedule in a run: demand is `wanted_first` at t = 0 and turns at each instant (s, >= 0)."""

    wanted_first: bool
    edges_s: tuple[float, ...]


def calendar(schedule: Schedule, start: datetime, horizon_s: float) -> Calendar:
    """The schedule's windows between *start* and the horizon, daylight saving respected.

    Windows that touch or overlap are one. An instant that a clock change skips is read as the platform's clocks do:
    with the offset in force before the change.
    """
    zone = ZoneInfo(schedule.time_zone)
    windows: list[tuple[float, float]] = []
    day = start.astimezone(zone).date() - 2 * DAY
    last = (start + timedelta(seconds=horizon_s)).astimezone(zone).date() + DAY
    while day <= last:
        if day.weekday() in schedule.days:
            off_day = day if schedule.off > schedule.on else day + DAY
            on = _seconds(datetime.combine(day, schedule.on, zone), start)
            off = _seconds(datetime.combine(off_day, schedule.off, zone), start)
            if windows and on <= windows[-1][1]:
                windows[-1] = (windows[-1][0], max(windows[-1][1], off))
            elif off > on:
                windows.append((on, off))
        day += DAY
    edges = [edge for window in windows for edge in window]
    gone = bisect_right(edges, 0.0) if not (edges and 0.0 in edges) else edges.index(0.0)
    return Calendar(wanted_first=gone % 2 == 1, edges_s=tuple(edge for edge in edges[gone:] if edge < horizon_s))


def _seconds(when: datetime, start: datetime) -> float:
    return (when.astimezone(UTC) - start.astimezone(UTC)).total_seconds()


def arrivals(plan: Arrivals, start: datetime, horizon_s: float, group_key: int) -> Iterator[NDArray[np.float64]]:
    """The instants (s) at which VMs are requested, in order, block by block: a Poisson process of batches.

    Inversion of the integrated rate: the k-th request comes when the rate has added up to a sum of k unit
    exponentials (Law, Simulation Modeling and Analysis, section 8.6.2).
    """
    bounds_s, integral = _integrated_rate(plan, start, horizon_s)
    unit = compile_samplers([Exponential(mean=1.0)])
    keys = np.array([group_key], dtype=np.uint64)
    gaps_key = streams.purpose_keys(keys, "arrival")
    sizes_key = streams.purpose_keys(keys, "batch")
    cumulative = np.cumsum(np.asarray(plan.batch_weights))
    total, position = 0.0, 0
    while integral[-1] > 0:
        draws = np.arange(position, position + ARRIVALS_AT_ONCE)
        gaps = evaluate(unit, 0, streams.bits(gaps_key, draws).reshape(-1))
        sums = np.cumsum(np.concatenate(([total], gaps)))[1:]
        # Where the rate is zero the integral is flat, and nothing falls there but by rounding; keep the order.
        times = np.maximum.accumulate(np.interp(sums, integral, bounds_s))
        over = int(np.searchsorted(np.minimum(sums, integral[-1]), integral[-1], side="left"))
        over = min(over, int(np.searchsorted(times, horizon_s, side="left")))
        times = times[:over]
        if len(plan.batch_sizes) > 1 or plan.batch_sizes[0] != 1:
            u = streams.uniforms(streams.bits(sizes_key, draws[: len(times)])).reshape(-1)
            chosen = np.minimum(np.searchsorted(cumulative, u, side="right"), len(cumulative) - 1)
            times = np.repeat(times, np.asarray(plan.batch_sizes)[chosen])
        if len(times):
            yield times
        if over < len(sums):
            return
        total, position = float(sums[-1]), position + ARRIVALS_AT_ONCE


@lru_cache(maxsize=16)  # the same for every replication
def _integrated_rate(
    plan: Arrivals, start: datetime, horizon_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds (s) of the stretches of constant rate, and the expected number of requests up to each.

    The last stretch is a whole hour, too: where the horizon lies must not move a request by a bit.
    """
    # The last stretch isn't cut at the horizon: what comes before it must not depend on where it lies.
    rates = plan.rate_per_h
    zone = ZoneInfo(plan.time_zone)
    bounds, per_h = [0.0], []
    while bounds[-1] < horizon_s:
        if len(rates) == 1:
            per_h.append(rates[0])
            bounds.append(bounds[-1] + WEEK_S)
            continue
        local = (start + timedelta(seconds=bounds[-1])).astimezone(zone)
        hour = local.hour + (24 * local.weekday() if len(rates) == 168 else 0)
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        per_h.append(rates[hour])
        bounds.append(bounds[-1] + SECONDS_PER_HOUR - into.total_seconds())
    steps = np.diff(bounds) / SECONDS_PER_HOUR * np.asarray(per_h)
    return np.asarray(bounds), np.concatenate(([0.0], np.cumsum(steps)))
