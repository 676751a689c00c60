"""Work on spot VMs: capacity that comes and goes, and work that is done in time or late.

Capacity comes and goes at the instants in *edges_s* from place *first* up to *last* (excluded); there is some before the first of
them if *at_first*. The functions of `RULES` work on flat sequences: SimPy calls them with lists, the compiled engine compiles them.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from sim.model.faults.fall_back import FallBackRule, Request
from sim.units import TICKS_PER_SECOND
from sim.usage.ledger import TICKS_PER_HOUR

# What is counted of the work of a group: requests that were due, those of them in time, ticks of lateness, ticks of work lost.
DUE, IN_TIME, LATE, LOST_WORK = range(4)
AFTER, PROGRESS = int(FallBackRule.AFTER), int(FallBackRule.PROGRESS)


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
    """How late work is that is due and done at these instants (0: in time, to the tick)."""
    if done_s <= due_s:
        return 0
    return int(done_s * TICKS_PER_SECOND + 0.5) - int(due_s * TICKS_PER_SECOND + 0.5)


class Record(NamedTuple):
    """When there is spot capacity."""

    edges_s: Sequence[float]
    first: int
    last: int
    at_first: bool


def capacity_from(record: Record, now_s: float) -> float:
    """The first instant from now on at which there is capacity (s)."""
    if capacity_until(record.edges_s, record.first, record.last, record.at_first, now_s) > now_s:
        return now_s
    return capacity_until(record.edges_s, record.first, record.last, not record.at_first, now_s)


def must_go_on_at(request: Request, changeover_s: float) -> float:
    """When the time left is only just enough, while no work is done: for it, and to change twice (s)."""
    return request.made_s + request.deadline_s - request.left_s - 2.0 * changeover_s


def falls_back_at(
    rule: int, enough: bool, now_s: float, request: Request, changeover_s: float, record: Record
) -> float:
    """When work that waits for a spot VM goes on with a regular one (s); *enough*: evictions, by the rule that counts them."""
    if rule == AFTER:
        return now_s if enough else math.inf
    at_s = must_go_on_at(request, changeover_s)
    if rule == PROGRESS and request.work_s > 0.0:
        behind_s = request.made_s + (request.work_s - request.left_s) / request.work_s * request.deadline_s
        behind_s = max(behind_s, now_s)
        if capacity_from(record, behind_s) > behind_s:  # else a spot VM is asked for
            at_s = min(at_s, behind_s)
    return at_s


def returns_at(now_s: float, request: Request, changeover_s: float, record: Record) -> float:
    """When work that a regular VM does goes on with a spot one: ahead by two changeovers, with capacity, and time enough (s)."""
    if request.work_s >= request.deadline_s or must_go_on_at(request, changeover_s) <= now_s:
        return math.inf
    share = request.work_s / request.deadline_s
    missing_s = (now_s - request.made_s + 2.0 * changeover_s) * share - (request.work_s - request.left_s)
    return capacity_from(record, now_s + max(0.0, missing_s) / (1.0 - share))


RULES = (capacity_until, late_ticks, capacity_from, must_go_on_at, falls_back_at, returns_at)


def work_figures(counted: Sequence[int]) -> tuple[dict[str, int], dict[str, float]]:
    """The counts and amounts of a group, by the names of their metrics; nothing where there was nothing."""
    due, in_time, late, lost = (int(number) for number in counted)
    counts = {"deadline.due": due, "deadline.met": in_time, "deadline.missed": due - in_time} if due else {}
    amounts = {"deadline.late_s": 3600.0 * late / TICKS_PER_HOUR} if due else {}
    return counts, amounts | ({"lost_work_hours": lost / TICKS_PER_HOUR} if lost else {})
