"""Groups whose VMs share nothing, walked by the kernel: blocks of VMs in threads, books added up, peaks made exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.engines.compiled import vm_loop as kernel
from sim.engines.compiled.encode import Encoded, lower
from sim.engines.group_setup import GroupSetup, MovesListener
from sim.errors import LifecycleError
from sim.usage.collector import Accumulator, Peak, Window
from sim.usage.ledger import COLUMNS

MOVES_AT_ONCE = (
    500_000  # that one call of the kernel walks, about: what surrounds it costs little, its pages stay in the cache
)
VMS_AT_ONCE = 16, 262_144  # that one call walks, at least and at most
PROBED = 16  # VMs walked beforehand, to know how much there is to write
PEAK_LINES = 48_000_000  # comings and goings kept of a fleet (384 MB) before the peaks are found in two passes
Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class VmLoopResult:
    """What one call of the kernel brought home, on pages that are given back when it has been taken."""

    pages: Pages
    lifetimes_ticks: int
    peaks: Longs
    journal_t: NDArray[np.float64]
    journal_i: Longs


@dataclass(slots=True)
class Pages:
    """Empty pages for the kernel to write on, in the order in which it takes them (the mask stands between)."""

    books: Longs
    hits: Longs
    report: Longs
    bins: Longs
    peaks: Longs
    journal_t: NDArray[np.float64]
    journal_i: Longs
    watch: Longs  # (group, VM) that the journal tells of; empty: all

    @classmethod
    def blank(
        cls, setups: Sequence[GroupSetup], window: Window, lowered: Encoded, peak_room: int, journal_room: int
    ) -> Pages:
        """Pages with room for so many lines of peaks and journal."""
        return cls(
            books=np.zeros((window.hours + 1, len(setups) * COLUMNS, 2), dtype=np.int64),
            hits=np.zeros(len(lowered.moves), dtype=np.int64),
            report=np.zeros(kernel.LIFETIMES + len(setups), dtype=np.int64),
            bins=np.zeros((lowered.bins, 4), dtype=np.int64),
            peaks=np.empty(peak_room, dtype=np.int64),
            journal_t=np.empty(journal_room, dtype=np.float64),
            journal_i=np.empty((journal_room, 2), dtype=np.int64),
            watch=np.zeros((0, 2), dtype=np.int64),
        )

    def wipe(self) -> None:
        """Make the pages blank again; memory that is touched for the first time costs as much as the walk itself."""
        for page in self.before_mask:
            page.fill(0)

    @property
    def before_mask(self) -> tuple[Longs, ...]:
        """`books` to `bins`."""
        return self.books, self.hits, self.report, self.bins

    @property
    def after_mask(self) -> tuple[Any, ...]:
        """`peaks` to `watch`."""
        return self.peaks, self.journal_t, self.journal_i, self.watch

    def check(self, setups: Sequence[GroupSetup], lowered: Encoded) -> None:
        """Raises LifecycleError for a VM that moves for ever at one instant."""
        if self.report[kernel.STUCK_VM]:
            stuck = int(self.report[kernel.STUCK_STATE])
            group = next(g for g in range(len(setups)) if stuck < lowered.first_state[g + 1])
            state = setups[group].state_machine.states[stuck - lowered.first_state[group]]
            raise LifecycleError(
                f"{setups[group].plan.name}-{self.report[kernel.STUCK_VM] - 1:04d} moves for ever at one instant: {state.name}"
            )

    def lifetimes_ticks(self, group: int, window: Window) -> int:
        """VMs x time of one group: births less deaths, times the horizon, less their instants."""
        own = self.books[:, group * COLUMNS : (group + 1) * COLUMNS - 2, 1]  # all columns but those of absence
        return int(self.report[kernel.LIFETIMES + group]) + int(own.sum()) * window.end_ticks


@dataclass(slots=True)
class CompiledGroup:
    """One group on its way through the kernel."""

    setup: GroupSetup
    window: Window
    lowered: Encoded = field(init=False)
    accumulator: Accumulator = field(init=False)
    bins: Longs = field(init=False)
    vms_at_once: int = field(init=False, default=PROBED)
    peak_lines: float = field(init=False, default=0.0)  # that a VM needs, about
    journal_lines: float = field(init=False, default=0.0)
    spare: list[Pages] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.lowered = lower([self.setup], self.window)
        self.accumulator = Accumulator(self.window, self.setup.table)
        self.bins = np.zeros((self.lowered.bins, 4), dtype=np.int64)

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """(number of the first VM, births) of each call."""
        first, waiting, many = 0, [np.zeros(0)], 0
        for births in self.setup.births():
            waiting.append(births)
            many += len(births)
            if many >= self.vms_at_once:
                together = np.concatenate(waiting)
                whole = many - many % self.vms_at_once
                for start in range(0, whole, self.vms_at_once):
                    yield first + start, together[start : start + self.vms_at_once]
                first, waiting, many = first + whole, [together[whole:]], many - whole
        if many:
            yield first, np.concatenate(waiting)

    def probe(self) -> None:
        """Walk a few VMs to see how many a call may take, and how many lines they will fill."""
        births = next(self.blocks(), (0, np.zeros(0)))[1][:PROBED]
        everything = np.ones(self.lowered.bins, dtype=np.bool_)
        simulated = self.vm_loop_run(0, births, everything, journal=True)
        per_vm = 1.0 / max(1, len(births))
        self.peak_lines, self.journal_lines = len(simulated.peaks) * per_vm, len(simulated.journal_t) * per_vm
        moves = max(1.0, float(simulated.pages.hits.sum()) * per_vm)
        least, most = VMS_AT_ONCE
        # A long horizon has thick books, which every call has to open, close and add up.
        at_once = max(MOVES_AT_ONCE, 2 * simulated.pages.books.size)
        self.vms_at_once = min(most, max(least, int(at_once / moves)))

    def vm_loop_run(
        self, first: int, births: NDArray[np.float64], mask: NDArray[np.bool_], *, journal: bool = False
    ) -> VmLoopResult:
        """Walk the VMs from *first* on. Raises LifecycleError."""
        vm_keys = streams.member_keys(self.setup.group_key, np.arange(first, first + len(births)))
        lives = self.setup.lifetimes_s[first : first + len(births)]
        peak_room = int(1.25 * self.peak_lines * len(births)) + 4096 if mask.any() else 0
        journal_room = int(1.25 * self.journal_lines * len(births)) + 4096 if journal else 0
        while True:
            out = self._pages(peak_room, journal_room)
            kernel.vm_loop_run(
                first, births, lives, vm_keys, *self.lowered.arrays, *self.lowered.room(1), *out.before_mask, mask, *out.after_mask
            )  # fmt: skip
            out.check([self.setup], self.lowered)
            peaked, journaled = int(out.report[kernel.PEAKED]), int(out.report[kernel.JOURNALED])
            if peaked <= len(out.peaks) and journaled <= len(out.journal_t):
                break
            peak_room, journal_room = max(peaked, peak_room), max(journaled, journal_room)
        return VmLoopResult(
            pages=out,
            lifetimes_ticks=out.lifetimes_ticks(0, self.window),
            peaks=out.peaks[:peaked],
            journal_t=out.journal_t[:journaled],
            journal_i=out.journal_i[:journaled],
        )

    def _pages(self, peak_room: int, journal_room: int) -> Pages:
        try:
            used = self.spare.pop()
        except IndexError:  # another thread may have been quicker
            used = None
        if used is None or len(used.peaks) < peak_room or len(used.journal_t) < journal_room:
            return Pages.blank([self.setup], self.window, self.lowered, peak_room, journal_room)
        used.wipe()
        return used

    def take(self, simulated: VmLoopResult) -> None:
        """Add a block's books to the group's."""
        hours, pages = self.window.hours, simulated.pages
        self.accumulator.rest[: hours + 1] += pages.books[:, :, 0]
        self.accumulator.step[1 : hours + 2] += pages.books[:, :, 1]
        self.accumulator.hits += pages.hits
        self.accumulator.lifetimes_ticks += simulated.lifetimes_ticks
        self.bins += pages.bins


def simulate_groups(
    setups: Sequence[GroupSetup],
    window: Window,
    peaks: tuple[Peak, Peak],
    *,
    threads: int = 1,
    keep_peak_lines: bool = False,
    listener: MovesListener | None = None,
) -> list[CompiledGroup]:
    """Walk every VM of the groups, write their books, and tell *peaks* all they need.

    With *keep_peak_lines* every coming and going is told, as others will join them; else only those that may matter
    (which costs a second pass where there are too many to keep).
    """
    groups = [CompiledGroup(setup, window) for setup in setups]
    lines, everything = 0, True
    kept: list[tuple[CompiledGroup, Longs]] = []
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for group in groups:
            group.probe()
            mask = np.full(group.lowered.bins, everything)
            for simulated in _in_order(pool, threads, group, mask, journal=listener is not None):
                group.take(simulated)
                if listener is not None:
                    _tell(listener, group, simulated)
                if everything:
                    kept.append((group, simulated.peaks.copy()))
                    lines += len(simulated.peaks)
                    if lines > PEAK_LINES and not keep_peak_lines:
                        everything, kept = False, []
                        mask[:] = False
        if groups and not keep_peak_lines:
            mask = _that_may_matter(groups)
            for group in groups:
                _tell_net(peaks, group, ~mask)
                if not everything:
                    for simulated in _in_order(pool, threads, group, mask, journal=False):
                        kept.append((group, simulated.peaks.copy()))
            if everything:
                kept = [(group, coded[mask[_bin_of(group, coded)]]) for group, coded in kept]
    for group, coded in kept:
        _tell_lines(peaks, group, coded)
    return groups


def _in_order(
    pool: ThreadPoolExecutor, threads: int, group: CompiledGroup, mask: NDArray[np.bool_], *, journal: bool
) -> Iterator[VmLoopResult]:
    """The blocks' walks, *threads* at a time, in order of VMs."""
    if threads <= 1:
        for first, births in group.blocks():
            simulated = group.vm_loop_run(first, births, mask, journal=journal)
            yield simulated
            group.spare.append(simulated.pages)
        return
    waiting: list[Any] = []
    for first, births in group.blocks():
        waiting.append(pool.submit(group.vm_loop_run, first, births, mask, journal=journal))
        if len(waiting) > 2 * threads:
            simulated = waiting.pop(0).result()
            yield simulated
            group.spare.append(simulated.pages)
    for future in waiting:
        yield future.result()


def _that_may_matter(groups: Sequence[CompiledGroup]) -> NDArray[np.bool_]:
    """Bins in which a group, or the fleet, may have had more VMs at once than at the end of any bin."""
    mask = np.zeros(groups[0].lowered.bins, dtype=np.bool_)
    for bins in [*(group.bins for group in groups), sum(group.bins for group in groups)]:
        for net, ups in ((bins[:, 0], bins[:, 1]), (bins[:, 2], bins[:, 3])):  # type: ignore[index]
            after = np.cumsum(net)
            mask |= (after - net + ups) > after.max(initial=0)
    return mask


def _bin_of(group: CompiledGroup, coded: Longs) -> Longs:
    """The stretch of time in which each line of the peak log falls."""
    return coded >> (kernel.GROUP_BITS + 4 + group.lowered.bin_ticks.bit_length() - 1)


def _tell_net(peaks: tuple[Peak, Peak], group: CompiledGroup, bins: NDArray[np.bool_]) -> None:
    """Tell of bins as a whole, at their last tick."""
    ticks = (np.flatnonzero(bins) + 1) * group.lowered.bin_ticks - 1
    for peak, net in zip(peaks, (group.bins[bins, 0], group.bins[bins, 2]), strict=True):
        some = net != 0
        peak.add(ticks[some], group.setup.index, net[some])


def _tell_lines(peaks: tuple[Peak, Peak], group: CompiledGroup, coded: Longs) -> None:
    coded = coded >> kernel.GROUP_BITS
    ticks = coded >> 4
    for peak, change in zip(peaks, (((coded >> 2) & 3) - 1, (coded & 3) - 1), strict=True):
        some = change != 0
        peak.add(ticks[some], group.setup.index, change[some])


def _tell(listener: MovesListener, group: CompiledGroup, simulated: VmLoopResult) -> None:
    moved = simulated.journal_i[:, 0] < 2 * len(group.setup.state_machine.transitions)
    listener(group.setup, simulated.journal_t[moved], simulated.journal_i[moved, 0], simulated.journal_i[moved, 1])
