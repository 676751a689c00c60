"""Simulated time with events at exact instants."""

from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Any

import simpy
from simpy.events import NORMAL, Event, Timeout

from sim.engines.simpy.processes import PlugInProcess, held_to_events, unhandled
from sim.fields.registry import is_ours


class Environment(simpy.Environment):
    """SimPy's environment with events at exact instants: `timeout(t - now)` may miss t by a last bit."""

    def timeout(self, delay: float = 0, value: Any = None) -> Timeout:
        """An event after so many seconds. Raises ValueError for a negative delay, and for NaN: nothing would happen after it."""
        if not delay >= 0:
            raise ValueError(f"timeout({delay!r}): a delay is 0 or more seconds")
        return Timeout(self, delay, value)

    def process(self, generator: Generator[Event, Any, Any]) -> simpy.Process:
        """Start a process; one that a plug-in or a script starts is held to what such a process is. Raises ValueError: no generator."""
        frame = getattr(generator, "gi_frame", None)
        module = "sim" if frame is None else frame.f_globals.get("__name__", "")
        if is_ours(module):
            return simpy.Process(self, generator)
        starter = getattr(self.active_process, "first", "")
        name = getattr(generator, "__qualname__", "process")
        return self.join(f"{module}.{name}", lambda: generator, starter)

    def join(self, name: str, start: Callable[[], Any], starter: str = "") -> PlugInProcess:
        """Start a process of a plug-in under its name; *starter*: the one that stands at the beginning of those that led to it."""
        who = f"{name}, which {starter} started," if starter else name
        return PlugInProcess(self, held_to_events(self, who, start), who, starter or name)

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
                raise unhandled(event, self._now)
        self._now = until_s
