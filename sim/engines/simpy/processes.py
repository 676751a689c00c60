"""Processes of plug-ins: started beside those of the VMs, and held to what a SimPy process is."""

from collections.abc import Callable, Generator
from typing import Any

from simpy.events import Event

from sim.engines.simpy.environment import Environment
from sim.errors import AuditError, InputError, LifecycleError, PlugInError
from sim.units import SECONDS_PER_HOUR


def guarded(env: Environment, name: str, start: Callable[[], Any]) -> Generator[Event, Any, None]:
    """The process of a plug-in. Raises PlugInError, with its name and the hour, for what it raises and for what is no event."""
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


def name_of(behaviour: object) -> str:
    """Module and class of what behaves."""
    return f"{type(behaviour).__module__}.{type(behaviour).__qualname__}"
