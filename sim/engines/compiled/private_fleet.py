"""Groups whose VMs share nothing, compiled: blocks of VMs in threads, ledgers added up, peaks made exact.

Groups of few VMs are simulated by `small_groups`.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.distributions import streams
from sim.engines.audit import Moves, compare, picks
from sim.engines.compiled.births import follows, with_own_edges
from sim.engines.compiled.buffers import Buffers, add_changes, ticks_of_changes
from sim.engines.compiled.encode import Encoded, encoded_once
from sim.engines.compiled.layout import Births, Fleet, Longs
from sim.engines.compiled.vm_loop import run_vms
from sim.engines.group_setup import GroupSetup, MovesListener
from sim.engines.progress import report_progress
from sim.engines.shared.work import LOST_WORK
from sim.usage.collector import Accumulator, Peak, Window
from sim.usage.ledger import COLUMNS

MOVES_AT_ONCE = 500_000  # of one call, about: what surrounds it costs little, its buffers stay in the cache
VMS_AT_ONCE = 16, 262_144  # of one call, at least and at most
PILOT_VMS = 16  # simulated beforehand, to know how much there is to write
CHANGES_KEPT = 48_000_000  # of a fleet (384 MB) before the peaks are found in two passes
CHANGES_TO_JUDGE_BY = 4_000_000  # of a group, before those that will hardly matter for its peaks are dropped
NEAR_PEAK = (
    10.0  # standard deviations at most of what VMs on their own come to: what is further below hardly becomes a peak
)


@dataclass(slots=True)
class CompiledGroup:
    """One group of a replication."""

    setup: GroupSetup
    window: Window
    encoded: Encoded = field(init=False)
    accumulator: Accumulator = field(init=False)
    bins: Longs = field(init=False)
    work: Longs = field(init=False)  # what is counted of it (`shared.work`)
    vms_at_once: int = field(init=False, default=PILOT_VMS)
    changes_per_vm: float = field(init=False, default=0.0)  # about
    waits_per_vm: float = field(init=False, default=0.0)
    events_per_vm: float = field(init=False, default=0.0)
    spare: list[Buffers] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.encoded = encoded_once([self.setup], self.window)
        self.accumulator = self.setup.accumulator(self.window)
        self.work = np.zeros(LOST_WORK + 1, dtype=np.int64)
        self.bins = np.zeros((self.encoded.bins, 4), dtype=np.int64)

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """(number of the first VM, births) of each call."""
        if (stepped := self.setup.stepped) is not None:  # all births of a VM in one call
            cuts = [*np.flatnonzero(stepped.earlier == 0)[:: self.vms_at_once].tolist(), len(stepped.vm)]
            yield from ((start, stepped.born_s[start:end]) for start, end in pairwise(cuts))
            return
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

    def measure(self) -> None:
        """Simulate a few VMs to see how many a call may take, and how many lines they will fill; once for all replications."""
        if "measured" not in self.setup.kept:
            self.setup.kept["measured"] = self._measured()
        moves, self.changes_per_vm, self.waits_per_vm, self.events_per_vm = self.setup.kept["measured"]
        least, most = VMS_AT_ONCE
        # A long horizon has a large ledger, which every call has to clear and to add up.
        at_once = max(MOVES_AT_ONCE, 2 * (self.window.hours + 1) * COLUMNS * 2)
        self.vms_at_once = min(most, max(least, int(at_once / max(1.0, moves))))

    def _measured(self) -> list[float]:
        """Moves, and lines of each buffer, of a VM."""
        born_s = next(self.blocks(), (0, np.zeros(0)))[1][:PILOT_VMS]
        buffers = self.run(0, born_s, np.ones(self.encoded.bins, dtype=np.bool_), events=True)
        return [float(count) / max(1, len(born_s)) for count in (buffers.ledger.counts.sum(), *buffers.lines)]

    def run(self, first: int, born_s: NDArray[np.float64], mask: NDArray[np.bool_], *, events: bool = False) -> Buffers:
        """Simulate the VMs from *first* on, into buffers. Raises LifecycleError."""
        count = len(born_s)
        index = np.arange(first, first + count, dtype=np.int64)
        owners = self.setup.lifetime_owners
        births = Births(
            born_s=born_s,
            group=np.zeros(count, dtype=np.int64),
            vm=self.setup.vms(index),
            lifetime_s=self.setup.lifetimes_s[first : first + count],
            key=streams.member_keys(self.setup.group_key, self.setup.members(index)),
            lifetime_key=np.zeros(0, dtype=np.uint64)
            if owners is None
            else streams.member_keys(self.setup.group_key, owners[index]),
            edges=np.zeros((0, 2), dtype=np.int64),
            **follows(self.setup.earlier(index) > 0, np.arange(count) - 1),
        )
        tables, births = with_own_edges(self.encoded.tables, births, [self.setup])
        kept = (mask.any(), True, events)
        per_vm = (self.changes_per_vm, self.waits_per_vm, self.events_per_vm)
        room = [int(1.25 * lines * count) + 4096 if keep else 0 for lines, keep in zip(per_vm, kept, strict=True)]
        encoded = self.encoded
        while True:
            buffers = self._buffers(room)
            buffers.ledger = buffers.ledger._replace(mask=mask)
            run_vms(
                Fleet(births, tables, encoded.samplers, encoded.run, encoded.vms(1), buffers.ledger, buffers.events)
            )
            buffers.check()
            if not buffers.are_too_small:
                return buffers
            room = [max(lines, least) for lines, least in zip(buffers.lines, room, strict=True)]

    def _buffers(self, room: Sequence[int]) -> Buffers:
        try:
            used = self.spare.pop()
        except IndexError:  # another thread may have been quicker
            used = None
        if used is None or any(lines < least for lines, least in zip(used.room, room, strict=True)):
            return Buffers.blank([self.setup], self.window, self.encoded, room)
        used.clear()
        return used

    def take(self, buffers: Buffers) -> None:
        """Add a block's ledger to the group's."""
        buffers.add_to(self.accumulator, 0)
        buffers.take_waits([self.accumulator])
        self.bins += buffers.ledger.bins
        self.work += buffers.ledger.work[0]

    def moves(self, first: int, born_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], Longs, Longs]:
        """Every move of the VMs from *first* on, and every turn of the demand for them: instants (s), moves, VMs."""
        return self.run(first, born_s, np.zeros(self.encoded.bins, dtype=np.bool_), events=True).moves

    def report(self, listener: MovesListener, moves: tuple[NDArray[np.float64], Longs, Longs]) -> None:
        """Report moves to a listener, without turns of demand."""
        when, what, whom = moves
        kept = what < self.setup.state_machine.moves
        listener(self.setup, when[kept], what[kept], whom[kept])


def simulate_groups(
    setups: Sequence[GroupSetup],
    window: Window,
    peaks: tuple[Peak, Peak],
    *,
    threads: int = 1,
    keep_all_changes: bool = False,
    listener: MovesListener | None = None,
) -> list[CompiledGroup]:
    """Simulate every VM of the groups, fill their ledgers, and report to *peaks* all that they need.

    With *keep_all_changes* every change of the number of VMs is reported, as other groups will join them; else only those
    that may matter (which costs a second pass where there are too many to keep).
    """
    groups = [CompiledGroup(setup, window) for setup in setups]
    lines = 0
    kept: list[tuple[CompiledGroup, Longs]] = []
    done, vms = 0, max(1.0, sum(setup.expected_vms for setup in setups))
    mask = np.ones(groups[0].encoded.bins if groups else 0, dtype=np.bool_)  # bins all of whose changes are kept
    judged = keep_all_changes or len(groups) > 1 or not _are_alike(groups)
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for group in groups:
            group.measure()
            for buffers in _in_order(pool, threads, group, mask, events=listener is not None):
                group.take(buffers)
                done += group.vms_at_once
                report_progress(done / vms)
                if listener is not None:
                    group.report(listener, buffers.moves)
                if mask.any():
                    kept.append((group, buffers.changes.copy()))
                    lines += len(buffers.changes)
                if not judged and lines > CHANGES_TO_JUDGE_BY:
                    judged = True
                    mask &= bins_that_may_matter(groups, NEAR_PEAK)
                    kept = _in_bins(kept, mask)
                    lines = sum(len(changes) for _, changes in kept)
                if lines > CHANGES_KEPT and not keep_all_changes:
                    mask[:], kept, lines = False, [], 0
        if groups and not keep_all_changes:
            matter = bins_that_may_matter(groups)
            kept = _in_bins(kept, matter & mask)
            missed = matter & ~mask
            for group in groups:
                _add_bins(peaks, group, ~matter)
                if missed.any():
                    kept += [
                        (group, found.changes.copy()) for found in _in_order(pool, threads, group, missed, events=False)
                    ]
    for group, changes in kept:
        add_changes(peaks, changes, [group.setup.index])
    return groups


def _are_alike(groups: Sequence[CompiledGroup]) -> bool:
    """Whether the first VMs of the groups show when there are many: all are there from the beginning."""
    return all(group.setup.stepped is None and group.setup.plan.count > 0 for group in groups)


def _in_bins(kept: Sequence[tuple[CompiledGroup, Longs]], mask: NDArray[np.bool_]) -> list[tuple[CompiledGroup, Longs]]:
    """Those lines of changes that lie in some bins."""
    return [(group, changes[mask[ticks_of_changes(changes) >> group.encoded.run.bin_shift]]) for group, changes in kept]


def _in_order(
    pool: ThreadPoolExecutor, threads: int, group: CompiledGroup, mask: NDArray[np.bool_], *, events: bool
) -> Iterator[Buffers]:
    """The blocks' buffers, *threads* at a time, in order of VMs."""
    blocks = list(group.blocks())
    if threads <= 1 or len(blocks) == 1:
        for first, born_s in blocks:
            buffers = group.run(first, born_s, mask, events=events)
            yield buffers
            group.spare.append(buffers)
        return
    waiting: list[Any] = []
    for first, born_s in blocks:
        waiting.append(pool.submit(group.run, first, born_s, mask, events=events))
        if len(waiting) > 2 * threads:
            buffers = waiting.pop(0).result()
            yield buffers
            group.spare.append(buffers)
    for future in waiting:
        yield future.result()


def bins_that_may_matter(groups: Sequence[CompiledGroup], below: float = 0.0) -> NDArray[np.bool_]:
    """Bins in which a group, or the fleet, may have had more VMs at once than the most at the end of any bin, or little less.

    *below*: how much less, in square roots of the most.
    """
    mask = np.zeros(groups[0].encoded.bins, dtype=np.bool_)
    for bins in [*(group.bins for group in groups), sum(group.bins for group in groups)]:
        for net, ups in ((bins[:, 0], bins[:, 1]), (bins[:, 2], bins[:, 3])):  # type: ignore[index]
            after = np.cumsum(net)
            most = after.max(initial=0)
            mask |= (after - net + ups) > most - below * most**0.5
    return mask


def _add_bins(peaks: tuple[Peak, Peak], group: CompiledGroup, bins: NDArray[np.bool_]) -> None:
    """Report bins as a whole, at their last tick."""
    ticks = (np.flatnonzero(bins) + 1) * group.encoded.bin_ticks - 1
    for peak, net in zip(peaks, (group.bins[bins, 0], group.bins[bins, 2]), strict=True):
        some = net != 0
        peak.add(ticks[some], group.setup.index, net[some])


def audit(setups: Sequence[GroupSetup], window: Window, *, seed: int, replication: int) -> None:
    """Simulate a few VMs again in SimPy. Raises AuditError, with both stories, where a bit differs."""
    births = [next(setup.births(), np.zeros(0)) for setup in setups]
    for place, index in picks([len(born_s) for born_s in births], seed=seed, replication=replication):
        setup, born_s = setups[place], births[place]
        index -= int(setup.earlier(np.array([index]))[0])  # the first of its name waits for no other
        story: Moves = CompiledGroup(setup, window).moves(index, born_s[index : index + 1])[:2]
        compare(setup, index, story, born_s[index])
