"""Groups of few VMs that share nothing, compiled: many groups in one call, for what surrounds a call costs more than the loop."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sim.engines.compiled.births import births_of, with_own_edges
from sim.engines.compiled.buffers import Buffers, add_changes
from sim.engines.compiled.encode import encoded_once
from sim.engines.compiled.layout import Fleet, Longs
from sim.engines.compiled.vm_loop import run_vms
from sim.engines.group_setup import GroupSetup, MovesListener
from sim.engines.progress import report_progress
from sim.usage.collector import Accumulator, Peak, Window

FEW_VMS = 500.0  # of a group, about
GROUPS_AT_ONCE = 16  # in a call, whose ledger stays in the cache
LINES = 131_072  # of each buffer, at first; what is not touched costs nothing


def are_small(setups: Sequence[GroupSetup]) -> bool:
    """Whether these are groups for this module."""
    return len(setups) > 1 and all(setup.expected_vms <= FEW_VMS for setup in setups)


def simulate_small_groups(
    setups: Sequence[GroupSetup], window: Window, peaks: tuple[Peak, Peak], *, threads: int, listener: MovesListener | None
) -> list[tuple[GroupSetup, Accumulator, Longs]]:  # fmt: skip
    """Simulate every VM of the groups, and report to *peaks* all changes: each group's ledger, and what is counted of it."""
    calls = [setups[first : first + GROUPS_AT_ONCE] for first in range(0, len(setups), GROUPS_AT_ONCE)]
    found: list[tuple[GroupSetup, Accumulator, Longs]] = []
    for together, buffers in zip(calls, _in_order(calls, window, threads, events=listener is not None), strict=True):
        accumulators = [setup.accumulator(window) for setup in together]
        for place, accumulator in enumerate(accumulators):
            buffers.add_to(accumulator, place)
        buffers.take_waits(accumulators)
        add_changes(peaks, buffers.changes, [setup.index for setup in together])
        if listener is not None:
            _report(listener, together, buffers)
        found += zip(together, accumulators, buffers.ledger.work, strict=True)
        report_progress(len(found) / len(setups))
    return found


def _in_order(
    calls: Sequence[Sequence[GroupSetup]], window: Window, threads: int, *, events: bool
) -> Iterator[Buffers]:
    """The buffers of each call, *threads* at a time."""
    if threads <= 1:
        yield from (_run(together, window, events=events) for together in calls)
        return
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, len(calls), threads):
            yield from pool.map(lambda together: _run(together, window, events=events), calls[first : first + threads])


def _run(setups: Sequence[GroupSetup], window: Window, *, events: bool) -> Buffers:
    """Simulate the VMs of some groups, one after the other, into buffers. Raises LifecycleError."""
    encoded, room = encoded_once(setups, window), [LINES, LINES, LINES if events else 0]
    tables, births = with_own_edges(encoded.tables, births_of(setups), setups)
    while True:
        buffers = Buffers.blank(setups, window, encoded, room)
        run_vms(Fleet(births, tables, encoded.samplers, encoded.run, encoded.vms(1), buffers.ledger, buffers.events))
        buffers.check()
        if not buffers.are_too_small:
            return buffers
        room = [max(lines, least) for lines, least in zip(buffers.lines, room, strict=True)]


def _report(listener: MovesListener, setups: Sequence[GroupSetup], buffers: Buffers) -> None:
    """Report the moves of each group, without turns of demand."""
    when, what, whom = buffers.moves
    for place, setup in enumerate(setups):
        first, end = buffers.encoded.move_ranges(place)[0]
        own = np.flatnonzero((what >= first) & (what < end))
        listener(setup, when[own], what[own] - first, whom[own])
