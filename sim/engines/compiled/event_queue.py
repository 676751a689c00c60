"""The queue of the event loop: a heap of entries by instant, then by key (`sim.engines.shared.priorities`); and the rows of VMs."""

from sim.engines.compiled.compiler import compiled, inlined
from sim.engines.compiled.layout import FREE, QUEUED, SLOT_BITS, STAMP, Births, Longs, Queue, SharedFleet
from sim.engines.compiled.vm_loop import begin
from sim.engines.shared.room import HOST, LEAVES, NOWHERE, UNIT, VM_COLUMNS


@inlined
def push(t: float, key: int, entry: int, queue: Queue) -> None:
    """Into the queue. A heap of four branches takes fewer steps than one of two."""
    times, keys, entries = queue.t, queue.key, queue.entry
    at = queue.progress[QUEUED]
    queue.progress[QUEUED] = at + 1
    while at > 0:
        above = (at - 1) >> 2
        if times[above] < t or (times[above] == t and keys[above] <= key):
            break
        times[at], keys[at], entries[at] = times[above], keys[above], entries[above]
        at = above
    times[at], keys[at], entries[at] = t, key, entry


@compiled
def push_vm(t: float, key: int, slot: int, ints: Longs, queue: Queue) -> None:
    """A VM's entry into the queue; an earlier one of it counts for nothing any more."""
    stamp = ints[slot, STAMP] + 1
    ints[slot, STAMP] = stamp
    push(t, key, slot | (stamp << SLOT_BITS), queue)


@inlined
def pop(queue: Queue) -> int:
    """The first entry of the queue leaves it."""
    times, keys, entries = queue.t, queue.key, queue.entry
    entry = entries[0]
    last = queue.progress[QUEUED] - 1
    queue.progress[QUEUED] = last
    t, key, moved = times[last], keys[last], entries[last]
    at = 0
    while True:
        below = 4 * at + 1
        if below >= last:
            break
        for other in range(below + 1, min(below + 4, last)):
            if times[other] < times[below] or (times[other] == times[below] and keys[other] < keys[below]):
                below = other
        if t < times[below] or (t == times[below] and key <= keys[below]):
            break
        times[at], keys[at], entries[at] = times[below], keys[below], entries[below]
        at = below
    times[at], keys[at], entries[at] = t, key, moved
    return entry  # type: ignore[no-any-return]


@compiled
def begin_in_slot(birth: int, born_s: float, births: Births, column: int, shared: SharedFleet) -> int:
    """A VM is requested, in a free slot, which is returned; its first transition goes to that *column* of `Vms.ints`."""
    queue, places = shared.queue, shared.platform.room.vms
    queue.progress[FREE] -= 1
    slot = queue.free_slots[queue.progress[FREE]]
    row = slot * VM_COLUMNS
    places[row + HOST] = NOWHERE
    places[row + UNIT] = -1
    places[row + LEAVES] = NOWHERE
    shared.fleet.vms.ints[slot, column] = begin(slot, birth, born_s, births, shared.fleet)
    return slot  # type: ignore[no-any-return]
