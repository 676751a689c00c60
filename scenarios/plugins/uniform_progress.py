"""A fall-back policy: uniform progress, as Wu et al. describe it in "Can't Be Late", NSDI 2024.

The rule is built in, too (`fall_back = "uniform-progress"`), so that the two can be compared: their figures are the same bits.
"""

import math
from dataclasses import dataclass

from sim.model.faults.fall_back import FALL_BACKS, CapacityFrom, Request


@dataclass(frozen=True)
class UniformProgress:
    """On a regular VM whenever less of the work is done than of the time is over, and before it is too late."""

    words: str = "Work goes on with a regular VM while it is behind, and with a spot VM while it is ahead."

    def goes_on_at(self, now_s: float, request: Request, changeover_s: float, capacity_from: CapacityFrom) -> float:
        """Behind, without capacity; or the time left is only just enough, with two changeovers."""
        at_s = self._last_s(request, changeover_s)
        if request.work_s > 0.0:
            done = (request.work_s - request.left_s) / request.work_s
            behind_s = max(request.made_s + done * request.deadline_s, now_s)
            if capacity_from(behind_s) > behind_s:
                at_s = min(at_s, behind_s)
        return at_s

    def returns_at(self, now_s: float, request: Request, changeover_s: float, capacity_from: CapacityFrom) -> float:
        """Ahead by two changeovers, with capacity, and not too late to change."""
        if request.work_s >= request.deadline_s or self._last_s(request, changeover_s) <= now_s:
            return math.inf
        share = request.work_s / request.deadline_s
        due_s = (now_s - request.made_s + 2.0 * changeover_s) * share
        missing_s = due_s - (request.work_s - request.left_s)
        return capacity_from(now_s + max(0.0, missing_s) / (1.0 - share))

    @staticmethod
    def _last_s(request: Request, changeover_s: float) -> float:
        return request.made_s + request.deadline_s - request.left_s - 2.0 * changeover_s


FALL_BACKS.add("own-uniform-progress", UniformProgress())
