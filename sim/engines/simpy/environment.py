"""Simulated time with events at exact instants."""

from heapq import heappop, heappush
from typing import Any

import simpy
from simpy.events import NORMAL, Event, Timeout


class Environment(simpy.Environment):
    """SimPy's environment with events at exact instants: `timeout(t - now)` may miss t by a last bit."""

    def timeout(self, delay: float = 0, value: Any = None) -> Timeout:
        """An event after so many seconds. Raises ValueError for a negative delay, and for NaN: nothing would happen after it."""
        if not delay >= 0:
            raise ValueError(f"timeout({delay!r}): a delay is 0 or more seconds")
        return Timeout(self, delay, value)

    def at(self, when_s: float, priority: int = NORMAL) -> Event:
        """An event at exactly that instant (s, not in the past); of several then, the lowest priority comes first."""
        event = Event.__new__(Event)
        event.env = self
        event.callbacks = []
        event._value = None
        event._ok = True
        heappush(self._queue, (when_s, priority, next(self._eid), event))  # type: ignore[misc]
        return event

    def run_until(self, until_s: float) -> None:
        """Every event before an instant, in order: as `run` does, in one loop."""
        queue = self._queue
        while queue and queue[0][0] < until_s:
            self._now, _, _, event = heappop(queue)
            callbacks, event.callbacks = event.callbacks, None  # type: ignore[assignment]
            for callback in callbacks:
                callback(event)
            if not event._ok and not hasattr(event, "_defused"):
                raise event._value  # a process has failed
        self._now = until_s
