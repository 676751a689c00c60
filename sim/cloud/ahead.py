"""A VM as a SimPy process that sleeps through its private stretches, which the kernel walks.

It wakes where it meets others (hardware, quota, a rate limit) and where something befalls it (its host fails or is
worked on, its room is wanted). What the kernel has walked ahead is kept as lines and booked when its time has come; if
the VM is called away in the middle, it goes back to the beginning of the stretch, walks again up to that moment, and
goes on from there. Draws have positions, so the second walk is the first.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy
from numpy.typing import NDArray
from simpy.events import Event

from sim.cloud import kernel as k
from sim.cloud.compiled import Pages
from sim.cloud.lowering import lower
from sim.cloud.program import Arc, Node
from sim.cloud.setup import GroupSetup
from sim.cloud.vm import NEVER, Vm
from sim.errors import LifecycleError
from sim.sampling import streams
from sim.usage.collector import Window

if TYPE_CHECKING:
    from sim.cloud.simpy_fleet import GroupRun

SEATS = 256  # VMs alive for which there is room at first
LINES = 65_536  # of one stretch
KEYS_AT_ONCE = 1024


class Stretches:
    """The kernel's side of one group: a seat for each VM alive, and a page that every stretch is written on."""

    def __init__(self, setup: GroupSetup) -> None:
        self.setup = setup
        window = Window(start_s=0.0, end_s=setup.horizon_s)
        self.lowered = lower([setup], window)
        # Only the journal is read: the books of the run are written when the time has come.
        self.pages = Pages.blank([setup], window, self.lowered, 0, LINES)
        self.mask = np.zeros(self.lowered.bins, dtype=np.bool_)
        self.room = self.lowered.room(SEATS)
        self.free = list(range(SEATS))[::-1]
        self.keys: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
        self._arrange()

    def _arrange(self) -> None:
        self.arrays = (
            *self.lowered.arrays, *self.room, *self.pages.before_mask, self.mask, *self.pages.after_mask,
        )  # fmt: skip
        self.state_f, self.state_i = self.room[1], self.room[2]

    def sit(self) -> int:
        """A seat for one more VM."""
        if not self.free:
            seats = len(self.state_f)
            self.room = tuple(np.concatenate([part, np.zeros_like(part)]) for part in self.room)  # type: ignore[assignment]
            self.free = list(range(seats, 2 * seats))[::-1]
            self._arrange()
        return self.free.pop()

    def key(self, index: int) -> np.uint64:
        """The VM's key, from which those of its streams come."""
        if index >= len(self.keys):
            numbers = np.arange(max(KEYS_AT_ONCE, 2 * index))
            self.keys = streams.member_keys(self.setup.group_key, numbers)
        return np.uint64(self.keys[index])

    def lines(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """What has been written since the last time: instants (s), moves."""
        report = self.pages.report
        count = int(report[k.JOURNALED])
        if count > LINES:
            raise LifecycleError(
                f"group {self.setup.plan.name!r}: a stretch of {count} moves, room for {LINES}"
            )
        self.pages.check([self.setup], self.lowered)
        report[k.JOURNALED] = 0
        return self.pages.journal_t[:count].copy(), self.pages.journal_i[:count, 0].copy()


class AheadVm(Vm):
    """The same VM, the same moves, the same bits; fewer events."""

    __slots__ = ("asleep", "before_f", "before_i", "begun", "booked", "moves", "seat", "so_far", "times")

    def __init__(self, group: GroupRun, index: int, born_s: float) -> None:
        super().__init__(group, index, born_s)
        self.seat = -1
        self.begun: tuple[int, bool] = (
            k.OVER,
            True,
        )  # the arc that the stretch began with, and whether it was told to take it
        self.before_f: NDArray[np.float64]
        self.before_i: NDArray[np.int64]
        self.times: NDArray[np.float64] = np.zeros(0)  # lines of the stretch
        self.moves: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.booked = 0  # of them
        self.asleep = False  # in a stretch
        self.so_far = False  # what befell it did so after its own moves of that instant

    @property
    def stretches(self) -> Stretches:
        """The kernel's side of its group."""
        assert self.group.stretches is not None
        return self.group.stretches

    def live(self) -> Generator[Event, Any, None]:
        """From its request to its end, or the horizon: meeting, stretch, meeting."""
        group = self.group
        env, horizon_s, platform, arcs = group.env, group.horizon_s, group.platform, group.program.arcs
        lifetimes = group.setup.lifetimes_s
        lifetime_s = float(lifetimes[self.index]) if len(lifetimes) else NEVER
        side = self.stretches
        self.seat = side.sit()
        number = k.born(self.seat, self.index, self.now_s, lifetime_s, side.key(self.index), *side.arrays)
        self._write(*side.lines())
        told = False
        while True:
            arc = arcs[number]
            if arc.meets and not told and platform is not None:
                self._know()
                number = (yield from self._meet(arc, platform)).index
                told = True
            came = self._stretch(number, told)
            called: Arc | None = None
            while called is None:
                wake_s = self._wakes_s(came)
                try:
                    if wake_s < horizon_s and wake_s <= env.now:
                        break
                    self.asleep = True
                    yield env.at(wake_s) if wake_s < horizon_s else env.event()  # the latter never comes
                    break
                except simpy.Interrupt as interrupt:
                    self.promised = None
                    called = interrupt.cause
                    if called is None:
                        came = self._heed(came)
                finally:
                    self.asleep = False
            if called is not None:
                self._go_back()
                number, told = called.index, False
                continue
            self._book(len(self.times))
            if came == k.ENDED:
                side.free.append(self.seat)
                group.vms.pop(self.index, None)
                return
            if came == k.HALTED:  # in a node that answers what is pending
                self._know()
                came = getattr(self.node, self.pending).index
                self.pending = ""
            number, told = came, False

    def _wakes_s(self, came: int) -> float:
        """When a stretch that came to that is over (s)."""
        if came == k.OVER:
            return NEVER
        return float(self.times[-1]) if came == k.ENDED else float(self.stretches.state_f[self.seat, k.T])

    # -- stretches -------------------------------------------------------------------------------------------------

    def _stretch(self, number: int, told: bool) -> int:
        """Walk ahead from an arc; returns the arc of the next meeting, or OVER, ENDED or HALTED."""
        side = self.stretches
        self.begun = (number, told)
        self.before_f, self.before_i = side.state_f[self.seat].copy(), side.state_i[self.seat].copy()
        came = self._walk(side.setup.horizon_s, k.NO_LIMIT)
        if self.pending:
            came = self._heed(came)
        return came

    def _walk(self, until_s: float, limit: int) -> int:
        """The stretch from its beginning, again if need be."""
        side, seat = self.stretches, self.seat
        side.state_f[seat], side.state_i[seat] = self.before_f, self.before_i
        came = int(k.stretch(seat, *self.begun, until_s, limit, *side.arrays))
        self.times, self.moves = side.lines()
        self.booked = 0
        return came

    def _heed(self, came: int) -> int:
        """Something is pending: the stretch ends in the first node that answers it."""
        arcs = self.group.program.arcs
        for place in range(self.booked, len(self.moves)):
            move = int(self.moves[place])
            if move < 2 * len(arcs) and getattr(arcs[move // 2].target, self.pending) is not None:
                booked = self.booked
                came = self._walk(self.stretches.setup.horizon_s, place + 1)
                self.booked = booked
                break
        return came

    def _write(self, times: NDArray[np.float64], moves: NDArray[np.int64]) -> None:
        """Moves that have happened go into the day-book."""
        group = self.group
        group.when.frombytes(times.tobytes())
        group.what.frombytes(moves.tobytes())
        if group.whom is not None:
            group.whom.extend([self.index] * int((moves < 2 * len(group.program.arcs)).sum()))

    def _book(self, end: int) -> None:
        """The lines up to there have happened."""
        if end > self.booked:
            self._write(self.times[self.booked : end], self.moves[self.booked : end])
            self.booked = end

    def catch_up(self, *, so_far: bool = False) -> None:
        """Book what has happened before this instant, or *so_far*: at it, too."""
        now_s = self.group.env.now
        self._book(int(np.searchsorted(self.times, now_s, side="right" if so_far else "left")))

    def _know(self) -> None:
        """What the platform may look at, read back from the seat."""
        side = self.stretches
        self.node = self.group.program.nodes[side.state_i[self.seat, k.NODE]]
        self.attempts = int(side.state_i[self.seat, k.TRIED])
        self.now_s = float(side.state_f[self.seat, k.T])

    # -- what befalls it -------------------------------------------------------------------------------------------

    def here(self, *, so_far: bool = False) -> Node:
        """Where it is at this instant: before its own moves of the instant, or after them (*so_far*)."""
        self.so_far = so_far
        if not self.meeting:
            self.catch_up(so_far=so_far)
            arcs = 2 * len(self.group.program.arcs)
            happened = self.moves[: self.booked]
            own = happened[happened < arcs]
            if len(own):
                self.node = self.group.program.arcs[int(own[-1]) // 2].target
        return self.node

    def befall(self, what: str) -> None:
        """The platform strikes: at once where the node answers, else as soon as one does."""
        # A host that fails does so before anything else at its instant; room is wanted after all private steps of it.
        arc = getattr(self.here(so_far=what != "fault"), what)
        if arc is not None and not self.meeting and self.promised is None:
            self.call_away(arc)
            return
        self.pending = what
        if self.asleep and self.promised is None:
            assert self.process is not None
            self.promised = self.node
            self.process.interrupt()  # to look where it will be answered

    def _go_back(self) -> None:
        """The stretch ends at this instant, not where it was to end."""
        now_s, booked = self.group.env.now, self.booked
        self._walk(math.nextafter(now_s, math.inf) if self.so_far else now_s, k.NO_LIMIT)
        if len(self.times) < booked:
            raise LifecycleError(
                f"{self.name} at {now_s / 3600:.3f} h: a stretch walked again is shorter than it was"
            )
        self.booked = booked
        self._book(len(self.times))
        self._pass(now_s)
        self._know()

    def _pass(self, until_s: float) -> None:
        """Time goes by in the node: demand may turn, clocks run on."""
        side = self.stretches
        k.stay(self.seat, until_s, *side.arrays)
        self._write(*side.lines())
        self.now_s = until_s

    def close(self) -> None:
        """The horizon: everything that was walked ahead has happened."""
        self._book(len(self.times))
