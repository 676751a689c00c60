"""Several weekly windows for the same VMs, days without demand, and people who stay away or forget to switch off.

The windows of a VM are worked out before it is simulated, by a pure function of its random streams: jitter by window, absence
by VM and local day, forgetting by VM and end of a window. So one more holiday or window moves no other draw.
"""

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Longs
from sim.distributions import streams
from sim.distributions.samplers import compile_samplers, evaluate
from sim.model.demand.base import Calendar, Demand, EdgeContext, OwnEdges
from sim.model.demand.people import People
from sim.model.demand.schedule import Schedule, daily_instants
from sim.usage.ledger import LEFT_ON

Mask = NDArray[np.bool_]

EVERYONE = People()  # present, and forgets nothing
MOST_WINDOWS = 64  # of a schedule: the stream of forgetting is read at 64 x the day + the window
CELLS_AT_ONCE = 1_000_000  # VMs x windows worked out at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows(Demand):
    """Wanted in the union of several weekly windows, but for days without demand; people may be absent or forget."""

    turns_off: ClassVar[bool] = True
    schedules: tuple[Schedule, ...]
    closed: frozenset[date] = frozenset()  # local days on which no window begins
    people: People = EVERYONE

    @property
    def closed_days(self) -> frozenset[date]:
        """Those of the calendar."""
        return self.closed

    @property
    def has_own_edges(self) -> bool:
        """Without jitter and people all VMs have the same windows."""
        return self.people != EVERYONE or any(each.jitter_s is not None for each in self.schedules)

    def calendar(self, start: datetime, horizon_s: float) -> Calendar | None:
        """The windows that all VMs share, if they do."""
        if self.has_own_edges:
            return None
        rows = _rows(self, start, horizon_s)
        return Calendar.of_windows(zip(rows.on_s.tolist(), rows.off_s.tolist(), strict=True), horizon_s)

    def own_edges(self, context: EdgeContext, members: Longs) -> OwnEdges:
        """The edges of single VMs."""
        rows = _rows(self, context.start, context.horizon_s)
        at_once = max(1, CELLS_AT_ONCE // max(1, len(rows.on_s)))
        parts = [
            _edges_of(self, rows, context, members[low : low + at_once]) for low in range(0, len(members), at_once)
        ]
        counts = np.concatenate([np.zeros(1, dtype=np.int64), *(part[0] for part in parts)])
        return OwnEdges(
            first=np.cumsum(counts),
            edges_s=np.concatenate([np.zeros(0), *(part[1] for part in parts)]),
            turns_to=np.concatenate([np.zeros(0, dtype=np.int64), *(part[2] for part in parts)]),
        )

    @property
    def repeats_h(self) -> int:
        """A day if every window is the same every day, else a week."""
        return max(each.repeats_h for each in self.schedules)

    def expected_rounds(self, horizon_s: float) -> float:
        """One a window."""
        return sum(each.expected_rounds(horizon_s) for each in self.schedules)


class _Rows(NamedTuple):
    """Every window of all schedules by its beginning, without those of closed days."""

    on_s: Floats
    off_s: Floats
    schedule: Longs  # which it is of
    day: Longs  # ordinal of the local day on which it begins
    on_draw: Longs  # positions of its edges in the schedule's stream of jitter; -1: the edge is before t = 0
    off_draw: Longs
    auto_off_s: tuple[Floats, ...]  # by schedule: the instants of `auto_off`, in order


@lru_cache(maxsize=16)  # the same for every replication and every block of VMs
def _rows(demand: Windows, start: datetime, horizon_s: float) -> _Rows:
    found: list[tuple[float, ...]] = []  # day, draws and number are whole, and small enough for floats
    for number, schedule in enumerate(demand.schedules):
        draw = 0
        for day, on_s, off_s in schedule.windows(start, horizon_s):
            draws = []
            for edge_s in (on_s, off_s):
                draws.append(draw if edge_s >= 0.0 else -1)
                draw += edge_s >= 0.0
            if day not in demand.closed and off_s > 0.0 and on_s < horizon_s:
                found.append((on_s, off_s, number, day.toordinal(), *draws))
    columns = np.array(sorted(found), dtype=np.float64).reshape(-1, 6).T
    schedules, days, on_draw, off_draw = (column.astype(np.int64) for column in columns[2:])
    auto_off = demand.people.auto_off
    auto_off_s = () if auto_off is None else tuple(
        np.array(list(daily_instants(auto_off, schedule.time_zone, start, horizon_s))) for schedule in demand.schedules
    )  # fmt: skip
    return _Rows(columns[0].copy(), columns[1].copy(), schedules, days, on_draw, off_draw, auto_off_s)


def _edges_of(demand: Windows, rows: _Rows, context: EdgeContext, members: Longs) -> tuple[Longs, Floats, Longs]:
    """How many edges each VM has, their instants, and what demand turns to there."""
    keys = streams.member_keys(context.group_key, members)
    count = len(rows.on_s)
    if not count:
        return np.zeros(len(members), dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64)
    present = np.ones((len(members), count), dtype=np.bool_)
    if demand.people.absent > 0:
        present = ~_strikes(keys, "absent", rows.day[None, :], demand.people.absent)
    # Edges keep the order of their windows, however large the jitter: no window begins before an earlier one.
    on_s = np.maximum.accumulate(np.where(present, _jittered(demand, rows, keys, ends=False), -np.inf), axis=1)
    ends_s = np.where(present, np.maximum(_jittered(demand, rows, keys, ends=True), on_s), -np.inf)
    off_s = np.maximum.accumulate(ends_s, axis=1)
    before_s = np.concatenate([np.full((len(members), 1), -np.inf), off_s[:, :-1]], axis=1)
    vm, first = np.nonzero(present & (on_s > before_s))  # where a window begins that the earlier ones don't reach
    is_last = np.append(vm[1:] != vm[:-1], True)[: len(vm)]
    last = np.where(is_last, count - 1, np.append(first[1:], count) - 1)
    latest = np.maximum.accumulate(np.where(present & (ends_s == off_s), np.arange(count), 0), axis=1)
    begins_s, ended_s, ended_by = on_s[vm, first], off_s[vm, last], latest[vm, last]
    real = (ended_s > 0.0) & (ended_s > begins_s)
    vm, begins_s, ended_s, ended_by = vm[real], begins_s[real], ended_s[real], ended_by[real]
    next_s = np.append(begins_s[1:], np.inf)[: len(vm)]
    next_s[np.append(vm[1:] != vm[:-1], True)[: len(vm)]] = np.inf
    forgotten = np.zeros(len(vm), dtype=np.bool_)
    if demand.people.forgets > 0:
        place = rows.day[ended_by] * MOST_WINDOWS + rows.schedule[ended_by]
        forgotten = _strikes(keys[vm], "forgets", place, demand.people.forgets)
    auto_s = np.full(len(vm), np.inf)
    for number, instants_s in enumerate(rows.auto_off_s):
        mine = np.flatnonzero(forgotten & (rows.schedule[ended_by] == number))
        auto_s[mine] = np.append(instants_s, np.inf)[np.searchsorted(instants_s, ended_s[mine], side="left")]
    auto_s[auto_s >= next_s] = np.inf  # what is wanted then is left alone
    edges_s = np.stack([np.maximum(begins_s, 0.0), ended_s, auto_s], axis=1)
    turns_to = np.stack([np.ones_like(vm), np.where(forgotten, LEFT_ON, 0), np.zeros_like(vm)], axis=1)
    kept = edges_s < context.horizon_s
    counts = np.bincount(vm, weights=kept.sum(axis=1), minlength=len(members)).astype(np.int64)
    return counts, edges_s[kept], turns_to[kept]


def _strikes(keys: streams.Keys, stream: str, places: Longs, probability: float) -> Mask:
    """Whether something of a probability happens at places of each VM's stream."""
    own = streams.stream_keys(keys, stream)
    return streams.uniforms(streams.bits(own[:, None] if places.ndim == 2 else own, places)) < probability


def _jittered(demand: Windows, rows: _Rows, keys: streams.Keys, *, ends: bool) -> Floats:
    """The beginnings, or ends, of every window for each VM, with its own jitter: shape (VMs, windows)."""
    edges_s, draws = (rows.off_s, rows.off_draw) if ends else (rows.on_s, rows.on_draw)
    found = np.repeat(edges_s[None, :], len(keys), axis=0)
    for number, schedule in enumerate(demand.schedules):
        mine = np.flatnonzero((rows.schedule == number) & (draws >= 0))
        if schedule.jitter_s is None or not len(mine):
            continue
        name = "jitter" if number == 0 else f"jitter.{number}"
        own = streams.stream_keys(keys, name)[:, None]
        n = streams.bits(own, draws[mine][None, :])
        samplers = compile_samplers([schedule.jitter_s])
        found[:, mine] += evaluate(samplers, 0, n.reshape(-1)).reshape(n.shape)
    return found
