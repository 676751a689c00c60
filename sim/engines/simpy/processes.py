"""Processes of plug-ins: started beside those of the VMs, and held to what a SimPy process is."""

from collections.abc import Callable, Generator
from typing import Any

from simpy.events import Event

from sim.engines.simpy.environment import Environment
from sim.errors import AuditError, InputError, LifecycleError, PlugInError
from sim.units import SECONDS_PER_HOUR

MOST_AT_ONCE = 10_000_000
"""How often a process may go on at one instant: a fleet has at most a million VMs, and it asks each for a few things."""


def guarded(env: Environment, name: str, start: Callable[[], Any]) -> Generator[Event, Any, None]:
    """The process of a plug-in. Raises PlugInError, with its name and the hour, for what it raises and for what is no event.

    Also for one that goes on for ever without time passing.
    """
    since_s, times = -1.0, 0
    try:
        process = start()
        if not isinstance(process, Generator):
            raise PlugInError(f"{name} returned {process!r}; it is to be a generator: a function with a `yield`")
        waits_for = next(process)
        while True:
            if not isinstance(waits_for, Event):
                raise PlugInError(
                    f"{name} yielded {waits_for!r}; it waits for fleet.env.timeout(...) or fleet.request(...)"
                )
            since_s, times = (since_s, times + 1) if env.now == since_s else (env.now, 0)
            if times >= MOST_AT_ONCE:
                at = f"{env.now / SECONDS_PER_HOUR:.3f} h"
                raise PlugInError(
                    f"{name} has gone on {times:,} times at {at}, and no time passes: wait for longer than 0 s"
                )
            try:
                answer = yield waits_for
            except Exception as thrown:  # noqa: BLE001  it is the process's to catch
                waits_for = process.throw(thrown)
            else:
                waits_for = process.send(answer)
    except StopIteration:
        return
    except (InputError, LifecycleError, AuditError, MemoryError):
        raise
    except Exception as wrong:
        at = f"{env.now / SECONDS_PER_HOUR:.3f} h"
        raise PlugInError(f"{name} failed at {at} ({type(wrong).__name__}: {wrong})") from wrong
