"""The queue of the event loop: a heap of entries by instant, then by key (`sim.engines.shared.priorities`)."""

from __future__ import annotations

from sim.engines.compiled.layout import QUEUED, SLOT_BITS, STAMP, Longs, Queue
from sim.engines.compiled.vm_loop import inlined


@inlined
def push(t: float, key: int, entry: int, queue: Queue) -> None:
    """Into the queue. A heap of four branches takes fewer steps than one of two."""
    at = queue.progress[QUEUED]
    queue.progress[QUEUED] = at + 1
    while at > 0:
        above = (at - 1) >> 2
        if queue.t[above] < t or (queue.t[above] == t and queue.key[above] <= key):
            break
        queue.t[at] = queue.t[above]
        queue.key[at] = queue.key[above]
        queue.entry[at] = queue.entry[above]
        at = above
    queue.t[at] = t
    queue.key[at] = key
    queue.entry[at] = entry


@inlined
def push_vm(t: float, key: int, slot: int, ints: Longs, queue: Queue) -> None:
    """A VM's entry into the queue; an earlier one of it counts for nothing any more."""
    stamp = ints[slot, STAMP] + 1
    ints[slot, STAMP] = stamp
    push(t, key, slot | (stamp << SLOT_BITS), queue)


@inlined
def pop(queue: Queue) -> int:
    """The first entry of the queue leaves it."""
    entry = queue.entry[0]
    last = queue.progress[QUEUED] - 1
    queue.progress[QUEUED] = last
    t, key, moved = queue.t[last], queue.key[last], queue.entry[last]
    at = 0
    while True:
        below = 4 * at + 1
        if below >= last:
            break
        for other in range(below + 1, min(below + 4, last)):
            if queue.t[other] < queue.t[below] or (
                queue.t[other] == queue.t[below] and queue.key[other] < queue.key[below]
            ):
                below = other
        if t < queue.t[below] or (t == queue.t[below] and key <= queue.key[below]):
            break
        queue.t[at] = queue.t[below]
        queue.key[at] = queue.key[below]
        queue.entry[at] = queue.entry[below]
        at = below
    queue.t[at] = t
    queue.key[at] = key
    queue.entry[at] = moved
    return entry  # type: ignore[no-any-return]
