"""Work on spot VMs: capacity that comes and goes, and work that is done in time or late.

Capacity comes and goes at the instants in *edges_s* from place *first* up to *last* (excluded); there is some before the first of
them if *at_first*. The functions of `RULES` work on flat sequences: SimPy calls them with lists, the compiled engine compiles them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.units import TICKS_PER_SECOND
from sim.usage.ledger import TICKS_PER_HOUR

# What is counted of the work of a group: requests that were due, those of them in time, ticks of lateness, ticks of work lost.
DUE, IN_TIME, LATE, LOST_WORK = range(4)


def capacity_until(edges_s: Sequence[float], first: int, last: int, at_first: bool, now_s: float) -> float:
    """Until when there is capacity from now on (s); now, if there is none."""
    low, high = first, last
    while low < high:  # the first edge after now
        middle = (low + high) // 2
        if edges_s[middle] <= now_s:
            low = middle + 1
        else:
            high = middle
    if ((low - first) % 2 == 0) != at_first:
        return now_s
    return edges_s[low] if low < last else math.inf


def late_ticks(due_s: float, done_s: float) -> int:
    """How late work is that is due and done at these instants (0: in time)."""
    if done_s <= due_s:
        return 0
    return int(done_s * TICKS_PER_SECOND + 0.5) - int(due_s * TICKS_PER_SECOND + 0.5)


RULES = (capacity_until, late_ticks)


def work_figures(counted: Sequence[int]) -> tuple[dict[str, int], dict[str, float]]:
    """The counts and amounts of a group, by the names of their metrics; nothing where there was nothing."""
    due, in_time, late, lost = (int(number) for number in counted)
    counts = {"deadline.due": due, "deadline.met": in_time, "deadline.missed": due - in_time} if due else {}
    amounts = {"deadline.late_s": 3600.0 * late / TICKS_PER_HOUR} if due else {}
    return counts, amounts | ({"lost_work_hours": lost / TICKS_PER_HOUR} if lost else {})
