"""A fleet that shares hosts and quota, played by the look-ahead kernel: what it needs as arrays, and its books taken home."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.engines.audit import Story, compare, picks
from sim.engines.compiled import event_loop as la
from sim.engines.compiled import vm_loop as k
from sim.engines.compiled.encode import Encoded, lower
from sim.engines.compiled.private_fleet import Pages
from sim.engines.group_setup import GroupSetup, MovesListener
from sim.engines.shared.placement import MIB, UNIT_COLUMNS, allowed_units, host_index
from sim.errors import Fault, ScenarioError
from sim.model.plan import FleetPlan, Platform
from sim.usage.collector import Accumulator, Peak, Window, ticks_of
from sim.usage.ledger import COLUMNS

NO_LIMIT = 1 << 60
FIRST_SLOTS = 1024  # VMs alive for which there is room at first; doubled as often as need be
LINES = 65_536  # of a page
Longs = NDArray[np.int64]


class SharedRun:
    """One replication of such a fleet on its way through the kernel."""

    def __init__(
        self, plan: FleetPlan, setups: Sequence[GroupSetup], window: Window, *, seed: int, replication: int
    ) -> None:
        assert plan.platform is not None
        self.setups = setups
        self.window = window
        self.lowered: Encoded = lower(setups, window)
        self.accumulators = [Accumulator(window, setup.table) for setup in setups]
        self.births, self.born_of, self.born_index, self.lives, self.vm_keys = _births(setups)
        self.platform_arrays = _platform_arrays(plan.platform, setups)
        # VMs that will live again in SimPy, and what the journal told of them so far.
        self.stories: dict[tuple[int, int], list[Story]] = {
            (place, index): []
            for place, setup in enumerate(setups)
            if (vms := int((self.born_of == place).sum()))
            for index in picks(setup.plan.name, vms, seed=seed, replication=replication)
        }

    def run(
        self,
        peaks: tuple[Peak, Peak],
        listener: MovesListener | None = None,
        settle: Callable[[float], None] | None = None,
    ) -> None:
        """Play to the horizon, write the books. Raises LifecycleError, or ScenarioError where the index is too small."""
        pages = Pages.blank(self.setups, self.window, self.lowered, LINES, LINES)
        if listener is None:
            pages.watch = np.array([*self.stories], dtype=np.int64).reshape(-1, 2)
        mask = np.ones(self.lowered.bins, dtype=np.bool_)
        loop = np.zeros(la.STATUS + 1, dtype=np.int64)
        slots = FIRST_SLOTS
        rooms = self.lowered.room(slots)
        loop[la.FREE] = slots
        free = np.arange(slots, dtype=np.int64)[::-1].copy()
        queue = np.zeros(slots), np.zeros(slots, dtype=np.int64), np.zeros(slots, dtype=np.int64)
        while True:
            la.run_until(
                self.births, self.born_of, self.born_index, self.lives, self.vm_keys, *self.lowered.arrays, *rooms,
                *pages.before_mask, mask, *pages.after_mask, loop, free, *queue, *self.platform_arrays,
            )  # fmt: skip
            pages.check(self.setups, self.lowered)
            status = int(loop[la.STATUS])
            if status == la.TOO_MANY_SHAPES:
                raise ScenarioError([Fault(field="platform.placement", problem="the free room of a cluster's hosts comes in too many shapes for best-fit or worst-fit", hint='use placement = "first-fit"')])  # fmt: skip
            if status == la.NO_SLOTS:
                rooms = tuple(np.concatenate([room, np.zeros_like(room)]) for room in rooms)  # type: ignore[assignment]
                queue = tuple(np.concatenate([part, np.zeros_like(part)]) for part in queue)  # type: ignore[assignment]
                free = np.concatenate([free, np.zeros_like(free)])
                free[:slots] = np.arange(slots, 2 * slots)[::-1]
                loop[la.FREE] = slots
                slots *= 2
            self._drain(pages, peaks, listener)
            known_s = None if status == la.DONE else self._known_until(loop, queue[0])
            for peak in peaks:
                peak.settle(None if known_s is None else int(ticks_of(np.array([known_s]))[0]))
            if settle is not None and known_s is not None:
                settle(known_s)
            if status == la.DONE:
                break
        self._take(pages)

    def _known_until(self, loop: Longs, queue_t: NDArray[np.float64]) -> float:
        """Nothing that is still to be written is earlier than this (s)."""
        soonest = float(queue_t[0]) if loop[la.QUEUED] else float("inf")
        birth = int(loop[la.NEXT_BIRTH])
        return min(soonest, float(self.births[birth]) if birth < len(self.births) else float("inf"), self.window.end_s)

    def _drain(self, pages: Pages, peaks: tuple[Peak, Peak], listener: MovesListener | None) -> None:
        """Take lines off the pages, so that the kernel can go on writing."""
        coded = pages.peaks[: pages.report[k.PEAKED]].copy()
        pages.report[k.PEAKED] = 0
        group, coded = coded & ((1 << k.GROUP_BITS) - 1), coded >> k.GROUP_BITS
        for peak, change in zip(peaks, (((coded >> 2) & 3) - 1, (coded & 3) - 1), strict=True):
            some = change != 0
            peak.add(coded[some] >> 4, group[some], change[some])
        lines = int(pages.report[k.JOURNALED])
        pages.report[k.JOURNALED] = 0
        if not lines:
            return
        when, what, whom = pages.journal_t[:lines], pages.journal_i[:lines, 0], pages.journal_i[:lines, 1]
        for place, setup in enumerate(self.setups):
            own, turns = 2 * len(setup.state_machine.transitions), 2 * len(self.lowered.transitions)
            local = np.where(
                what < turns,
                what - 2 * self.lowered.first_transition[place],
                what - turns - 2 * self.lowered.first_state[place] + own,
            )
            moves = (local >= 0) & (local < own) & (what < turns)
            turned = (what >= turns) & (local >= own) & (local < own + 2 * len(setup.state_machine.states))
            for index in (vm for group, vm in self.stories if group == place):
                his = (moves | turned) & (whom == index)
                if his.any():
                    self.stories[place, index].append((when[his].copy(), local[his]))
            if listener is not None and moves.any():
                listener(setup, when[moves].copy(), local[moves], whom[moves].copy())

    def audit(self) -> None:
        """Let a few VMs live again in SimPy, told what they were told. Raises AuditError where a bit differs."""
        for (place, index), parts in self.stories.items():
            if parts:
                born_s = float(self.births[(self.born_of == place) & (self.born_index == index)][0])
                when, what = (np.concatenate(columns) for columns in zip(*parts, strict=True))
                compare(self.setups[place], index, (when, what), born_s)

    def _take(self, pages: Pages) -> None:
        hours = self.window.hours
        for place, accumulator in enumerate(self.accumulators):
            own = pages.books[:, place * COLUMNS : (place + 1) * COLUMNS]
            accumulator.rest[: hours + 1] += own[:, :, 0]
            accumulator.step[1 : hours + 2] += own[:, :, 1]
            accumulator.hits += pages.hits[self.lowered.own_moves(place)]
            accumulator.lifetimes_ticks += pages.lifetimes_ticks(place, self.window)


def _births(setups: Sequence[GroupSetup]) -> tuple[Any, ...]:
    """Every VM of every group in order of birth, then of group: instants, groups, numbers, lifetimes, keys."""
    when, group, number, lives, keys = [], [], [], [], []
    recorded = any(len(setup.lifetimes_s) for setup in setups)
    for place, setup in enumerate(setups):
        born = np.concatenate([np.zeros(0), *setup.births()])
        when.append(born)
        group.append(np.full(len(born), place, dtype=np.int64))
        number.append(np.arange(len(born), dtype=np.int64))
        keys.append(streams.member_keys(setup.group_key, number[-1]))
        own = setup.lifetimes_s[: len(born)]
        lives.append(own if len(own) else np.full(len(born), np.inf))
    order = np.argsort(np.concatenate(when), kind="stable")
    return (
        np.concatenate(when)[order],
        np.concatenate(group)[order],
        np.concatenate(number)[order],
        np.concatenate(lives)[order] if recorded else np.zeros(0),
        np.concatenate(keys)[order],
    )


def _platform_arrays(platform: Platform, setups: Sequence[GroupSetup]) -> tuple[Any, ...]:
    """`shares` to `before`, as the kernel takes them."""
    index = host_index(platform)
    families = sorted({setup.plan.family.lower() for setup in setups})
    sets = sorted({setup.plan.availability_set for setup in setups} - {""})
    quota = np.full((la.FAMILIES + len(families), 2), NO_LIMIT, dtype=np.int64)
    quota[:, la.IN_USE] = 0
    if platform.quota is not None:
        limits = {name.lower(): number for name, number in platform.quota.families.items()}
        for row, limit in (
            (la.REGIONAL, platform.quota.regional_vcpus),
            (la.SPOT_POOL, platform.quota.spot_vcpus),
            *((la.FAMILIES + place, limits.get(family)) for place, family in enumerate(families)),
        ):
            if limit is not None:
                quota[row, la.LIMIT] = limit
    shares: list[list[int]] = []
    allowed: list[list[int]] = []
    for setup in setups:
        plan = setup.plan
        shares.append(
            [
                plan.vcpus, round(plan.memory_gib * MIB), families.index(plan.family.lower()), plan.priority == "spot",
                sets.index(plan.availability_set) if plan.availability_set else -1, len(plan.zones), len(allowed),
            ]
        )  # fmt: skip
        allowed += [allowed_units(platform, index, plan.name, zone) for zone in plan.zones or (0,)]
    widest = max(1, *(len(units) for units in allowed))
    table = np.zeros((len(allowed), widest), dtype=np.int64)
    for row, units in enumerate(allowed):
        table[row, : len(units)] = units

    def longs(numbers: Sequence[int]) -> Longs:
        return np.array(numbers or [0], dtype=np.int64)

    return (
        np.array(shares, dtype=np.int64),
        quota,
        np.zeros((max(1, len(sets)), 2), dtype=np.int64),
        table,
        longs([len(units) for units in allowed]),
        np.zeros((len(setups), max(1, len(index.units))), dtype=np.int64),
        np.zeros(widest, dtype=np.int64),
        index.policy,
        not platform.hosts,
        np.array(index.units, dtype=np.int64).reshape(-1, UNIT_COLUMNS),
        *(
            longs(part)
            for part in (
                index.unit_of, index.free_c, index.free_m, index.tree_c, index.tree_m, index.order, index.list_c,
                index.list_m, index.head, index.at, index.following, index.before,
            )
        ),
    )  # fmt: skip
