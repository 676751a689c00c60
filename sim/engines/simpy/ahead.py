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

from sim.distributions import streams
from sim.engines.compiled import vm_loop as k
from sim.engines.compiled.encode import lower
from sim.engines.compiled.private_fleet import Pages
from sim.engines.group_setup import GroupSetup
from sim.engines.simpy.vm import NEVER, Vm
from sim.errors import LifecycleError
from sim.model.state_machine import State, Transition
from sim.usage.collector import Window

if TYPE_CHECKING:
    from sim.engines.simpy.fleet import GroupRun

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
        self.moved = np.zeros(LINES, dtype=np.int64)
        # Bytes are sliced and copied several times faster than arrays this short.
        self.bytes_t = self.pages.journal_t.data.cast("B")
        self.bytes_m = self.moved.data.cast("B")
        self.room = self.lowered.room(2 * SEATS)  # the other half is for `kernel.stretch`
        self.free = list(range(SEATS))[::-1]
        self.keys: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)
        self._arrange()

    def _arrange(self) -> None:
        self.arrays = (*self.lowered.arrays, *self.room, *self.pages.before_mask, self.mask, *self.pages.after_mask)
        self.state_f, self.state_i = self.room[1], self.room[2]

    def sit(self) -> int:
        """A seat for one more VM."""
        if not self.free:
            seats = len(self.state_f) // 2
            grown = self.lowered.room(4 * seats)
            for old, new in zip(self.room, grown, strict=True):
                new[:seats], new[2 * seats : 3 * seats] = old[:seats], old[seats:]
            self.room = grown
            self.free = list(range(seats, 2 * seats))[::-1]
            self._arrange()
        return self.free.pop()

    def key(self, index: int) -> np.uint64:
        """The VM's key, from which those of its streams come."""
        if index >= len(self.keys):
            numbers = np.arange(max(KEYS_AT_ONCE, 2 * index))
            self.keys = streams.member_keys(self.setup.group_key, numbers)
        return np.uint64(self.keys[index])

    def lines(self, count: int) -> tuple[bytes, bytes]:
        """The first lines of the page: instants, moves."""
        return self.bytes_t[: 8 * count].tobytes(), self.bytes_m[: 8 * count].tobytes()

    def turns(self) -> tuple[bytes, bytes]:
        """What `born` and `stay` have written."""
        count = int(self.pages.report[k.JOURNALED])
        self.moved[:count] = self.pages.journal_i[:count, 0]
        return self.lines(count)

    def fail(self, count: int) -> None:
        """Raises LifecycleError: a stretch that never ends, or is too long to be written."""
        self.pages.check([self.setup], self.lowered)
        raise LifecycleError(f"group {self.setup.plan.name!r}: a stretch of {count} moves, room for {LINES}")


class AheadVm(Vm):
    """The same VM, the same moves, the same bits; fewer events."""

    __slots__ = ("asleep", "begun", "booked", "lines", "moves_b", "seat", "so_far", "times_b", "wakes_s")

    def __init__(self, group: GroupRun, index: int, born_s: float) -> None:
        super().__init__(group, index, born_s)
        self.seat = -1
        self.begun: tuple[int, bool] = (
            k.OVER,
            True,
        )  # the transition that the stretch began with, and whether it was told to take it
        self.times_b = self.moves_b = b""  # lines of the stretch
        self.lines = self.booked = 0  # how many, and how many of them have happened
        self.wakes_s = NEVER  # when it is over
        self.asleep = False  # in a stretch
        self.so_far = False  # what befell it did so after its own moves of that instant

    @property
    def stretches(self) -> Stretches:
        """The kernel's side of its group."""
        assert self.group.stretches is not None
        return self.group.stretches

    def simulate(self) -> Generator[Event, Any, None]:
        """From its request to its end, or the horizon: meeting, stretch, meeting."""
        group = self.group
        env, horizon_s, platform, transitions = (
            group.env,
            group.horizon_s,
            group.platform,
            group.state_machine.transitions,
        )
        lifetimes = group.setup.lifetimes_s
        lifetime_s = float(lifetimes[self.index]) if len(lifetimes) else NEVER
        side = self.stretches
        self.seat = side.sit()
        number = k.born(self.seat, self.index, self.now_s, lifetime_s, side.key(self.index), *side.arrays)
        self._write(*side.turns())
        told = False
        while True:
            transition = transitions[number]
            if transition.needs_resource and not told and platform is not None:
                self._know()
                number = (yield from self._acquire_resources(transition, platform)).index
                told = True
            came = self._stretch(number, told)
            called: Transition | None = None
            while called is None:
                wake_s = self.wakes_s
                try:
                    if wake_s < horizon_s and wake_s <= env.now:
                        break
                    self.asleep = True
                    yield env.at(wake_s) if wake_s < horizon_s else env.event()  # the latter never comes
                    break
                except simpy.Interrupt as interrupt:
                    self.pending_target = None
                    called = interrupt.cause
                    if called is None:
                        came = self._heed(came)
                finally:
                    self.asleep = False
            if called is not None:
                self._go_back()
                number, told = called.index, False
                continue
            self._book(self.lines)
            if came == k.ENDED:
                side.free.append(self.seat)
                group.vms.pop(self.index, None)
                return
            if came == k.HALTED:  # in a state that answers what is pending
                self._know()
                came = getattr(self.state, self.pending).index
                self.pending = ""
            number, told = came, False

    # -- stretches -------------------------------------------------------------------------------------------------

    def _stretch(self, number: int, told: bool) -> int:
        """Walk ahead from a transition; returns the transition of the next meeting, or OVER, ENDED or HALTED."""
        self.begun = (number, told)
        came = self._simulate_private(self.group.horizon_s, k.NO_LIMIT, again=False)
        if self.pending:
            came = self._heed(came)
        return came

    def _simulate_private(self, until_s: float, limit: int, *, again: bool = True) -> int:
        """The stretch from its beginning, for the first time or *again*."""
        side = self.stretches
        number, told = self.begun
        came, count, ended_s, stuck = k.stretch(
            self.seat, again, number, told, until_s, limit, side.moved, *side.arrays
        )
        if stuck or count > LINES:
            side.fail(count)
        self.times_b, self.moves_b = side.lines(count)
        self.lines, self.booked, self.wakes_s = count, 0, ended_s
        return int(came)

    def _times(self) -> NDArray[np.float64]:
        return np.frombuffer(self.times_b, dtype=np.float64)

    def _moves(self) -> NDArray[np.int64]:
        return np.frombuffer(self.moves_b, dtype=np.int64)

    def _heed(self, came: int) -> int:
        """Something is pending: the stretch ends in the first state that answers it."""
        transitions = self.group.state_machine.transitions
        moves = self._moves().tolist()
        for place in range(self.booked, self.lines):
            move = moves[place]
            if move < 2 * len(transitions) and getattr(transitions[move // 2].target, self.pending) is not None:
                booked = self.booked
                came = self._simulate_private(self.group.horizon_s, place + 1)
                self.booked = booked
                break
        return came

    def _write(self, times: bytes, moves: bytes) -> None:
        """Moves that have happened go into the day-book."""
        group = self.group
        group.when.frombytes(times)
        group.what.frombytes(moves)
        if group.whom is not None:
            own = np.frombuffer(moves, dtype=np.int64) < 2 * len(group.state_machine.transitions)
            group.whom.extend([self.index] * int(own.sum()))

    def _book(self, end: int) -> None:
        """The lines up to there have happened."""
        if end > self.booked:
            part = slice(8 * self.booked, 8 * end)
            self._write(self.times_b[part], self.moves_b[part])
            self.booked = end

    def catch_up(self, *, so_far: bool = False) -> None:
        """Book what has happened before this instant, or *so_far*: at it, too."""
        now_s = self.group.env.now
        self._book(int(np.searchsorted(self._times(), now_s, side="right" if so_far else "left")))

    def _know(self) -> None:
        """What the platform may look at, read back from the seat."""
        side = self.stretches
        self.state = self.group.state_machine.states[side.state_i[self.seat, k.STATE]]
        self.attempts = int(side.state_i[self.seat, k.TRIED])
        self.now_s = float(side.state_f[self.seat, k.T])

    # -- what befalls it -------------------------------------------------------------------------------------------

    def here(self, *, so_far: bool = False) -> State:
        """Where it is at this instant: before its own moves of the instant, or after them (*so_far*)."""
        self.so_far = so_far
        if not self.acquiring:
            self.catch_up(so_far=so_far)
            happened = self._moves()[: self.booked]
            own = happened[happened < 2 * len(self.group.state_machine.transitions)]
            if len(own):
                self.state = self.group.state_machine.transitions[int(own[-1]) // 2].target
        return self.state

    def disrupt(self, what: str) -> None:
        """The platform strikes: at once where the state answers, else as soon as one does."""
        # A host that fails does so before anything else at its instant; room is wanted after all private steps of it.
        transition = getattr(self.here(so_far=what != "host_failed"), what)
        if transition is not None and not self.acquiring and self.pending_target is None:
            self.interrupt(transition)
            return
        self.pending = what
        if self.asleep and self.pending_target is None:
            assert self.process is not None
            self.pending_target = self.state
            self.process.interrupt()  # to look where it will be answered

    def _go_back(self) -> None:
        """The stretch ends at this instant, not where it was to end."""
        now_s, booked = self.group.env.now, self.booked
        self._simulate_private(math.nextafter(now_s, math.inf) if self.so_far else now_s, k.NO_LIMIT)
        if self.lines < booked:
            raise LifecycleError(f"{self.name} at {now_s / 3600:.3f} h: a stretch walked again is shorter than it was")
        self.booked = booked
        self._book(self.lines)
        self._pass(now_s)
        self._know()

    def _pass(self, until_s: float) -> None:
        """Time goes by in the state: demand may turn, clocks run on."""
        side = self.stretches
        k.stay(self.seat, until_s, *side.arrays)
        self._write(*side.turns())
        self.now_s = until_s

    def close(self) -> None:
        """The horizon: everything that was walked ahead has happened, and who waits for others goes on waiting."""
        self._book(self.lines)
        if not self.asleep:
            self._pass(self.group.horizon_s)
