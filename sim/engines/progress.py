"""How far a replication has come, for a bar that shows it; no figure depends on it.

The engines report where they pause anyway (a flush, a block of VMs), so it costs nothing between. Workers in other processes
report nothing: there, replications are many.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[float], None] | None] = ContextVar("progress of a replication", default=None)


@contextmanager
def progress_to(listener: Callable[[float], None]) -> Iterator[None]:
    """While the block lasts, *listener* gets the share (0 to 1) of each replication simulated in this thread."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report_progress(share: float) -> None:
    """Report which share of the replication is simulated."""
    listener = _listener.get()
    if listener is not None:
        listener(min(1.0, share))
