"""Processes of plug-ins: started beside those of the VMs, and held to what a SimPy process is."""

from collections.abc import Callable, Generator
from typing import Any

import simpy
from simpy.events import Event

from sim.errors import AuditError, InputError, LifecycleError, PlugInError
from sim.units import SECONDS_PER_HOUR

MOST_AT_ONCE = 10_000_000
"""How often a process may go on at one instant: a fleet has at most a million VMs, and it asks each for a few things."""


class PlugInProcess(simpy.Process):
    """A process of a plug-in or of a script, or one that such a process has started."""

    def __init__(self, env: simpy.Environment, process: Generator[Event, Any, Any], who: str, first: str) -> None:
        super().__init__(env, process)
        self.who = who  # in messages
        self.first = first  # the name of the process that stands at the beginning of those that led to it


def held_to_events(env: simpy.Environment, who: str, start: Callable[[], Any]) -> Generator[Event, Any, Any]:
    """The process of a plug-in. Raises PlugInError, with its name, for what is no event, and where it goes on for ever without time passing."""
    since_s, times = -1.0, 0
    process = start()
    if not isinstance(process, Generator):
        raise PlugInError(f"{who} returned {process!r}; it is to be a generator: a function with a `yield`")
    try:
        waits_for = next(process)
        while True:
            if not isinstance(waits_for, Event):
                raise PlugInError(
                    f"{who} yielded {waits_for!r}; it waits for fleet.env.timeout(...) or fleet.request(...)"
                )
            since_s, times = (since_s, times + 1) if env.now == since_s else (env.now, 0)
            if times >= MOST_AT_ONCE:
                at = f"{env.now / SECONDS_PER_HOUR:.3f} h"
                raise PlugInError(
                    f"{who} has gone on {times:,} times at {at}, and no time passes: wait for longer than 0 s"
                )
            try:
                answer = yield waits_for
            except Exception as thrown:  # noqa: BLE001  it is the process's to catch
                waits_for = process.throw(thrown)
            else:
                waits_for = process.send(answer)
    except StopIteration as end:
        return end.value


def unhandled(event: Event, now_s: float) -> BaseException:
    """What a failed event that nobody waits for is raised as: PlugInError, with the name, where a plug-in's process failed.

    Also where an event itself was made to fail, which nothing of ours does; an error in our words stays as it is.
    """
    wrong: BaseException = event._value
    if isinstance(wrong, InputError | LifecycleError | AuditError | MemoryError) or not isinstance(wrong, Exception):
        return wrong
    at = f"{now_s / SECONDS_PER_HOUR:.3f} h"
    if isinstance(event, PlugInProcess):
        error = PlugInError(f"{event.who} failed at {at} ({type(wrong).__name__}: {wrong})")
    elif not isinstance(event, simpy.Process):
        error = PlugInError(
            f"an event that nobody waits for was made to fail at {at} ({type(wrong).__name__}: {wrong})"
        )
    else:
        return wrong
    error.__cause__ = wrong
    return error
