"""A fleet that shares a platform, compiled: its ledgers, what it reports, and the audit."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sim.distributions import streams
from sim.engines.audit import (
    ADMISSION,
    HOST_FAILED,
    INTERRUPTED,
    MAY_COME,
    PREEMPT,
    WAITED,
    WAITS,
    Moves,
    PlatformAction,
    Recorded,
    compare,
    picks,
)
from sim.engines.compiled import layout
from sim.engines.compiled.births import births_of, with_own_edges
from sim.engines.compiled.buffers import Buffers, add_changes
from sim.engines.compiled.encode import Encoded, encode
from sim.engines.compiled.event_loop import run_events
from sim.engines.compiled.layout import Fleet, Notes, Queue, SharedFleet, Vms
from sim.engines.compiled.platform_arrays import (
    new_faults,
    new_notes,
    new_platform,
    new_queue,
    new_scaled,
    samplers_of,
    unions_of,
)
from sim.engines.events import HOST_FAILURE, HOST_REPAIR, Noted, of_host, of_refusal
from sim.engines.group_setup import GroupSetup, MovesListener
from sim.engines.shared.autoscale import load_amounts, regular_of
from sim.engines.shared.linked_list import Cells
from sim.engines.shared.placement import too_many_shapes
from sim.engines.shared.room import NOWHERE, VM_COLUMNS, use_of_hosts
from sim.engines.shared.work import work_figures
from sim.engines.simpy.fleet import Counted
from sim.errors import ScenarioError
from sim.model.plan import FleetPlan, Platform
from sim.usage.collector import Peak, Window, ticks_of

FIRST_SLOTS = 1024  # VMs alive for which there is room at first; doubled as often as need be
LINES = 65_536  # of a buffer


class SharedRun:
    """One replication of such a fleet."""

    def __init__(
        self, plan: FleetPlan, setups: Sequence[GroupSetup], window: Window, *, seed: int, replication: int
    ) -> None:
        self.plan = plan.platform or Platform()  # without one, VMs share an autoscaler
        self.setups = setups
        self.window = window
        unions = unions_of(self.plan)
        self.encoded: Encoded = encode(setups, window, samplers_of(unions), throttled=self.plan.throttle is not None)
        self.tables, self.births = with_own_edges(self.encoded.tables, births_of(setups), setups)
        root = streams.replication_key(seed, replication)
        self.platform = new_platform(plan, [setup.plan for setup in setups], root)
        self.faults = new_faults(self.plan, self.platform.room, unions, root, self.encoded.own_samplers)
        self.scaled = new_scaled(setups)
        self.load_ticks: list[dict[tuple[float, int], int]] = [{} for _ in self.scaled.groups]
        self.accumulators = {setup.plan.name: setup.accumulator(window) for setup in setups}
        self.counted = Counted()
        # VMs that are simulated again in SimPy, and their moves so far.
        births = np.bincount(self.births.group, minlength=len(setups))
        for row, groups in enumerate(self.scaled.groups):  # there are as many at least
            owner = int(groups[layout.OWNER])
            first = int(self.scaled.fewest[owner, 0])
            regular = regular_of(self.scaled.rules, owner, first)
            births[groups[layout.SCALED_GROUP]] = regular if row == owner else first - regular
        self.rows: dict[tuple[int, int], int] = {
            (place, int(setups[place].vms(np.array([row]))[0])): row
            for place, row in picks(births.tolist(), seed=seed, replication=replication)
            if setups[place].has_one_birth(row)
        }
        # Requests that fall back have their regular VMs in another group.
        of = {setup.plan.part_of: place for place, setup in enumerate(setups) if not setup.plan.demand.is_scaled}
        self.regular = {(p, vm): (of[name], vm) for p, vm in self.rows if (name := setups[p].plan.name) in of}
        listed = [*self.rows, *self.regular.values()]
        self.stories: dict[tuple[int, int], list[Moves]] = {vm: [] for vm in listed}
        self.actions: dict[tuple[int, int], list[PlatformAction]] = {vm: [] for vm in listed}

    def run(
        self,
        peaks: tuple[Peak, Peak],
        listener: MovesListener | None = None,
        on_flush: Callable[[float], None] | None = None,
        on_event: Callable[[Noted], None] | None = None,
    ) -> None:
        """Run to the horizon and fill the ledgers. Raises LifecycleError, or ScenarioError where the index is too small."""
        listed = [*self.stories] if listener is None else []
        encoded, hosts = self.encoded, len(self.platform.room.down)
        buffers = Buffers.blank(self.setups, self.window, encoded, [LINES] * 3, listed)
        notes = new_notes(max(LINES, hosts), encoded.run.transitions)
        vms = encoded.vms(FIRST_SLOTS)
        vms.ints[:, layout.OF_GROUP] = -1
        queue = new_queue(FIRST_SLOTS, len(self.faults.processes))
        self._make_room_for(FIRST_SLOTS)
        status = layout.BUFFERS_FULL
        while status != layout.DONE:
            fleet = Fleet(self.births, self.tables, encoded.samplers, encoded.run, vms, buffers.ledger, buffers.events)
            run_events(SharedFleet(fleet, queue, self.platform, self.faults, self.scaled, notes))
            buffers.check()
            status = int(queue.progress[layout.STATUS])
            if status == layout.TOO_MANY_SHAPES:
                raise ScenarioError([too_many_shapes()])
            if status == layout.NO_SLOTS:
                vms, queue = _doubled(vms, queue)
                self._make_room_for(len(vms.ints))
            elif status == layout.QUEUE_FULL:
                queue = _with_more_entries(queue)
            self._drain(buffers, peaks, listener)
            self._report(notes, on_event)
            self._add_up_loads()
            known_s = None if status == layout.DONE else self._known_until(queue)
            for peak in peaks if on_flush is not None else ():
                peak.flush(None if known_s is None else int(ticks_of(np.array([known_s]))[0]))
            if on_flush is not None and known_s is not None:
                on_flush(known_s)
        shares, of_platform = use_of_hosts(self.platform.room, self.plan, [each.plan for each in self.setups])
        if failures := int(notes.progress[layout.HOST_FAILURES]):
            of_platform["host_failures"] = failures
        counts, amounts = {}, {}
        for place, (name, accumulator) in enumerate(self.accumulators.items()):
            buffers.add_to(accumulator, place)
            done, hours = work_figures(buffers.ledger.work[place].tolist())
            counts[name] = self._counts(place, notes) | done
            amounts[name] = self._amounts(place) | hours | shares.get(name, {})
        self.counted = Counted(
            counts=counts, amounts=amounts, of_platform=of_platform, amounts_of_platform=shares.get("", {})
        )

    def _make_room_for(self, slots: int) -> None:
        """A row for each VM, with nothing in it."""
        room = self.platform.room

        def longer(cells: Cells, size: int) -> Any:
            return np.concatenate([cells, np.full(size - len(cells), NOWHERE, dtype=np.int64)])

        on_host, leaving = (
            links._replace(before=longer(links.before, slots), after=longer(links.after, slots))
            for links in (room.on_host, room.leaving)
        )
        room = room._replace(vms=longer(room.vms, slots * VM_COLUMNS), on_host=on_host, leaving=leaving)
        self.platform = self.platform._replace(room=room)

    def _report(self, notes: Notes, on_event: Callable[[Noted], None] | None) -> None:
        """Pass on what isn't a move, and take it off the buffer."""
        lines = int(notes.progress[layout.NOTES])
        notes.progress[layout.NOTES] = 0
        kinds = notes.lines[:lines, layout.NOTE_KIND]
        for place, index in self.stories:
            mine = (notes.lines[:lines, layout.NOTE_GROUP] == place) & (notes.lines[:lines, layout.NOTE_VM] == index)
            self.actions[place, index] += [self._action(notes, place, line) for line in np.flatnonzero(mine).tolist()]
        if on_event is None:
            return
        for line in np.flatnonzero(kinds <= layout.REFUSED).tolist():
            kind, place, vm, what, _ = notes.lines[line].tolist()
            now_s = float(notes.when_s[line])
            if kind == layout.REFUSED:
                operation = self._operation(place, what)
                on_event(of_refusal(self.setups[place], vm, now_s, operation, "TooManyRequests"))
            else:
                on_event(of_host(self.plan, vm, now_s, HOST_FAILURE if kind == layout.HOST_FAILS else HOST_REPAIR))

    def _action(self, notes: Notes, place: int, line: int) -> PlatformAction:
        """What a line says was done to a VM."""
        kind, _, _, what, priority = notes.lines[line].tolist()
        words = {
            layout.REFUSED: ADMISSION,
            layout.ADMITTED: ADMISSION,
            layout.STRUCK_BY: HOST_FAILED if what == layout.BY_FAILURE else PREEMPT,
            layout.INTERRUPTED: INTERRUPTED,
            layout.WAITS_FOR: WAITS,
            layout.WAITED: WAITED if what else MAY_COME,
        }
        transition = what - self.encoded.first_transition[place] if kind == layout.INTERRUPTED else -1
        return PlatformAction(float(notes.when_s[line]), words[kind], priority, transition, float(notes.value[line]))

    def _add_up_loads(self) -> None:
        """Take the lines of the meters off: time by load and VMs in service."""
        for row, groups in enumerate(self.scaled.groups):
            lines = self.scaled.lines[row, : groups[layout.LOAD_LINES]]
            groups[layout.LOAD_LINES] = 0
            loads, ticks = self.scaled.loads[row, lines[:, 0]].tolist(), self.load_ticks[row]
            for load, serving, more in zip(loads, lines[:, 1].tolist(), lines[:, 2].tolist(), strict=True):
                ticks[load, serving] = ticks.get((load, serving), 0) + more

    def _amounts(self, place: int) -> dict[str, float]:
        """What an autoscaled group was asked for, and served."""
        mine = self.scaled.groups[:, layout.SCALED_GROUP] == place
        rows = np.flatnonzero(mine & (self.scaled.groups[:, layout.OWNER] == np.arange(len(mine)))).tolist()
        return load_amounts(self.load_ticks[rows[0]], float(self.scaled.rules.per_vm[rows[0]])) if rows else {}

    def _operation(self, place: int, transition: int) -> str:
        """The operation that a transition of a group begins."""
        first = self.encoded.first_transition[place]
        return self.setups[place].state_machine.transitions[transition - first].target.operation or ""

    def _counts(self, place: int, notes: Notes) -> dict[str, int]:
        """What was counted of a group that isn't a move."""
        low, high = self.encoded.first_transition[place : place + 2]
        counts: dict[str, int] = {}
        for groups in self.scaled.groups[self.scaled.groups[:, layout.SCALED_GROUP] == place]:
            scaled = {"autoscale.out": groups[layout.SCALED_OUT], "autoscale.in": groups[layout.SCALED_IN]}
            counts |= {name: int(times) for name, times in scaled.items() if times}
        for transition in (low + np.flatnonzero(notes.refused[low:high])).tolist():
            times = int(notes.refused[transition])
            for name in (f"operations.{self._operation(place, transition)}.rejected", "failures.TooManyRequests"):
                counts[name] = counts.get(name, 0) + times
        return counts

    def _known_until(self, queue: Queue) -> float:
        """Nothing that is still to be written is earlier than this (s)."""
        soonest = float(queue.t[0]) if queue.progress[layout.QUEUED] else float("inf")
        birth, born_s = int(queue.progress[layout.NEXT_BIRTH]), self.births.born_s
        return min(soonest, float(born_s[birth]) if birth < len(born_s) else float("inf"), self.window.end_s)

    def _drain(self, buffers: Buffers, peaks: tuple[Peak, Peak], listener: MovesListener | None) -> None:
        """Take the lines off the buffers, so that there is room for more."""
        add_changes(peaks, buffers.changes.copy(), [setup.index for setup in self.setups])
        buffers.take_waits([*self.accumulators.values()])
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
        """Simulate the sampled VMs again in SimPy, with all that the platform did to them. Raises AuditError where a bit differs."""
        births = self.births
        for vm, row in self.rows.items():
            if self.stories[vm]:
                place, index = vm
                mine = births.born_s[(births.group == place) & (births.vm == index)]
                born_s = float(mine[0]) if len(mine) else 0.0  # an autoscaler's first VMs
                compare(
                    self.setups[place], row, self._moves(vm), born_s, self.actions[vm],
                    throttled=self.plan.throttle is not None,
                    regular=self._recorded(self.regular[vm]) if vm in self.regular else None,
                )  # fmt: skip

    def _moves(self, vm: tuple[int, int]) -> Moves:
        """All moves of a sampled VM."""
        none = np.zeros(0), np.zeros(0, dtype=np.int64)
        when, what = (np.concatenate(columns) for columns in zip(none, *self.stories[vm], strict=True))
        return when, what

    def _recorded(self, vm: tuple[int, int]) -> Recorded:
        """What the VMs of one number did in their group."""
        return Recorded(self.setups[vm[0]], self._moves(vm), self.actions[vm])


def _doubled(vms: Vms, queue: Queue) -> tuple[Vms, Queue]:
    """Room for twice as many VMs where no slot is free."""
    slots = len(vms.ints)
    queue.progress[layout.FREE] = slots
    free = np.concatenate([np.arange(slots, 2 * slots)[::-1], np.zeros(slots, dtype=np.int64)])
    more = Vms(*(np.concatenate([part, np.zeros_like(part)]) for part in vms))
    more.ints[slots:, layout.OF_GROUP] = -1
    return more, _with_more_entries(queue)._replace(free_slots=free)


def _with_more_entries(queue: Queue) -> Queue:
    """Room for twice as many entries."""
    t, key, entry = (np.concatenate([part, np.zeros_like(part)]) for part in (queue.t, queue.key, queue.entry))
    return queue._replace(t=t, key=key, entry=entry)
