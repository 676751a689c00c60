"""Listeners: functions that get every event of a run, once a replication is over; so they can't change it.

The events are those of `events.parquet`, of either engine, in the order of time, group, VM, and the VM's own; replications come
in the order of their numbers, however many processes simulate them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import pyarrow.parquet as pq

from sim.errors import PlugInError
from sim.runs.blocks import Source
from sim.runs.event_writer import readable
from sim.units import SECONDS_PER_HOUR


class Event(NamedTuple):
    """A row of `events.parquet`; an operation has an outcome in *to_state*, a power move both states, a failure its code."""

    replication: int
    t_s: float  # from the start
    vm: str  # or a host
    kind: str
    from_state: str | None
    to_state: str | None
    operation: str | None
    code: str | None


Listener = Callable[[Event], object]


def report(events: Source, listeners: Sequence[Listener]) -> None:
    """Call each listener with each event of a replication. Raises PlugInError, with the listener's name, where one fails."""
    for event in _events(events):
        for listener in listeners:
            try:
                listener(event)
            except Exception as wrong:
                name = f"{listener.__module__}.{getattr(listener, '__qualname__', type(listener).__qualname__)}"
                raise PlugInError(
                    f"listener {name} failed at {event.kind} of {event.vm}, {event.t_s / SECONDS_PER_HOUR:.3f} h of replication "
                    f"{event.replication} ({type(wrong).__name__}: {wrong})"
                ) from wrong


def _events(events: Source) -> Iterator[Event]:
    with pq.ParquetFile(readable(events)) as source:
        for index in range(source.num_row_groups):
            columns = source.read_row_group(index).to_pydict().values()
            yield from map(Event._make, zip(*columns, strict=True))
