"""A fleet that shares hosts and quota, compiled: its platform as arrays, its ledgers, and the audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from sim.distributions import streams
from sim.engines.audit import Moves, compare, picks
from sim.engines.compiled import layout
from sim.engines.compiled.buffers import Buffers, add_changes
from sim.engines.compiled.encode import Encoded, encode, with_own_edges
from sim.engines.compiled.event_loop import run_events
from sim.engines.compiled.layout import Births, Queue, Vms
from sim.engines.group_setup import GroupSetup, MovesListener
from sim.engines.shared.placement import HostIndex, Placement, host_index, new_placement, too_many_shapes
from sim.engines.shared.quota import QuotaUse, quota_use
from sim.errors import ScenarioError
from sim.model.plan import FleetPlan
from sim.usage.collector import Accumulator, Peak, Window, ticks_of

FIRST_SLOTS = 1024  # VMs alive for which there is room at first; doubled as often as need be
LINES = 65_536  # of a buffer

Rows = TypeVar("Rows", HostIndex, Placement, QuotaUse)


class SharedRun:
    """One replication of such a fleet."""

    def __init__(
        self, plan: FleetPlan, setups: Sequence[GroupSetup], window: Window, *, seed: int, replication: int
    ) -> None:
        assert plan.platform is not None
        self.setups = setups
        self.window = window
        self.encoded: Encoded = encode(setups, window)
        self.accumulators = [Accumulator(window, setup.table) for setup in setups]
        self.tables, self.births = with_own_edges(self.encoded.tables, _births(setups), setups)
        groups = [setup.plan for setup in setups]
        hosts = host_index(plan.platform)
        self.endless = not plan.platform.hosts
        self.hosts: HostIndex = as_arrays(hosts)
        self.placement: Placement = as_arrays(new_placement(plan.platform, hosts, groups))
        self.quota: QuotaUse = as_arrays(quota_use(plan.platform, groups))
        # VMs that are simulated again in SimPy, and their moves so far.
        self.rows: dict[tuple[int, int], int] = {
            (place, int(setup.vms(np.array([row]))[0])): row
            for place, setup in enumerate(setups)
            if (births := int((self.births.group == place).sum()))
            for row in picks(setup.plan.name, births, seed=seed, replication=replication)
            if setup.has_one_life(row)
        }
        self.stories: dict[tuple[int, int], list[Moves]] = {vm: [] for vm in self.rows}

    def run(
        self,
        peaks: tuple[Peak, Peak],
        listener: MovesListener | None = None,
        on_flush: Callable[[float], None] | None = None,
    ) -> None:
        """Run to the horizon and fill the ledgers. Raises LifecycleError, or ScenarioError where the index is too small."""
        listed = [*self.stories] if listener is None else []
        buffers = Buffers.blank(self.setups, self.window, self.encoded, LINES, LINES, listed)
        vms = self.encoded.vms(FIRST_SLOTS)
        slots = np.arange(FIRST_SLOTS, dtype=np.int64)
        queue = Queue(
            np.zeros(FIRST_SLOTS), slots * 0, slots * 0, slots[::-1].copy(), np.zeros(layout.STATUS + 1, dtype=np.int64)
        )
        queue.progress[layout.FREE] = FIRST_SLOTS
        status = layout.BUFFERS_FULL
        while status != layout.DONE:
            run_events(
                self.births, self.tables, self.encoded.samplers, self.encoded.run, vms, buffers.ledger, buffers.events, queue,
                self.hosts, self.placement, self.quota, self.endless,
            )  # fmt: skip
            buffers.check()
            status = int(queue.progress[layout.STATUS])
            if status == layout.TOO_MANY_SHAPES:
                raise ScenarioError([too_many_shapes()])
            if status == layout.NO_SLOTS:
                vms, queue = _doubled(vms, queue)
            self._drain(buffers, peaks, listener)
            known_s = None if status == layout.DONE else self._known_until(queue)
            for peak in peaks:
                peak.flush(None if known_s is None else int(ticks_of(np.array([known_s]))[0]))
            if on_flush is not None and known_s is not None:
                on_flush(known_s)
        for place, accumulator in enumerate(self.accumulators):
            buffers.add_to(accumulator, place)

    def _known_until(self, queue: Queue) -> float:
        """Nothing that is still to be written is earlier than this (s)."""
        soonest = float(queue.t[0]) if queue.progress[layout.QUEUED] else float("inf")
        birth, born_s = int(queue.progress[layout.NEXT_BIRTH]), self.births.born_s
        return min(soonest, float(born_s[birth]) if birth < len(born_s) else float("inf"), self.window.end_s)

    def _drain(self, buffers: Buffers, peaks: tuple[Peak, Peak], listener: MovesListener | None) -> None:
        """Take the lines off the buffers, so that there is room for more."""
        add_changes(peaks, buffers.changes.copy())
        when, what, whom = buffers.moves
        buffers.ledger.progress[[layout.CHANGES, layout.EVENTS]] = 0
        if not len(when):
            return
        for place, setup in enumerate(self.setups):
            (first, end), (first_turn, end_of_turns) = self.encoded.move_ranges(place)
            moves = (what >= first) & (what < end)
            turned = (what >= first_turn) & (what < end_of_turns)
            local = np.where(moves, what - first, what - first_turn + end - first)
            for index in (vm for group, vm in self.stories if group == place):
                of_vm = (moves | turned) & (whom == index)
                if of_vm.any():
                    self.stories[place, index].append((when[of_vm].copy(), local[of_vm]))
            if listener is not None and moves.any():
                listener(setup, when[moves].copy(), local[moves], whom[moves].copy())

    def audit(self) -> None:
        """Simulate a few VMs again in SimPy, with the same answers of the platform. Raises AuditError where a bit differs."""
        births = self.births
        for (place, index), parts in self.stories.items():
            if parts:
                born_s = float(births.born_s[(births.group == place) & (births.vm == index)][0])
                when, what = (np.concatenate(columns) for columns in zip(*parts, strict=True))
                compare(self.setups[place], self.rows[place, index], (when, what), born_s)


def _births(setups: Sequence[GroupSetup]) -> Births:
    """Every VM of every group in order of birth, then of group."""
    recorded = any(len(setup.lifetimes_s) for setup in setups)
    parts = []
    for place, setup in enumerate(setups):
        born_s = np.concatenate([np.zeros(0), *setup.births()])
        index = np.arange(len(born_s), dtype=np.int64)
        lifetime_s = setup.lifetimes_s[: len(born_s)] if len(setup.lifetimes_s) else np.full(len(born_s), np.inf)
        owners = setup.lifetime_owners
        parts.append(
            Births(
                born_s, np.full_like(index, place), setup.vms(index), lifetime_s,
                streams.member_keys(setup.group_key, setup.members(index)),
                streams.member_keys(setup.group_key, index if owners is None else owners),
                np.zeros((len(index), 2), dtype=np.int64),
            )
        )  # fmt: skip
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    births = Births(*(column[order] for column in columns))
    if all(setup.lifetime_owners is None for setup in setups):
        births = births._replace(lifetime_key=np.zeros(0, dtype=np.uint64))
    return births if recorded else births._replace(lifetime_s=np.zeros(0))


def as_arrays(rows: Rows) -> Rows:
    """The same with arrays for lists; those that would be empty hold a zero that no one reads."""
    columns: list[Any] = [np.array(part or [0], dtype=np.int64) if isinstance(part, list) else part for part in rows]
    return type(rows)(*columns)


def _doubled(vms: Vms, queue: Queue) -> tuple[Vms, Queue]:
    """Room for twice as many VMs where no slot is free."""
    slots = len(queue.slot)
    queue.progress[layout.FREE] = slots
    free = np.concatenate([np.arange(slots, 2 * slots)[::-1], np.zeros(slots, dtype=np.int64)])
    t, key, slot = (np.concatenate([part, np.zeros_like(part)]) for part in (queue.t, queue.key, queue.slot))
    return Vms(*(np.concatenate([part, np.zeros_like(part)]) for part in vms)), Queue(
        t, key, slot, free, queue.progress
    )
